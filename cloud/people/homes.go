package people

import (
	"net/http"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

type homeChange struct {
	Name   *string `json:"name,omitempty"`
	Tenant *string `json:"tenant,omitempty"` // takes an administrator of the receiver
}

type changedHome struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Tenant string `json:"tenant"`
}

type freshCode struct {
	ID        string      `json:"id"`
	ClaimCode string      `json:"claim_code"`
	Expires   hearth.Time `json:"expires"`
}

func (p *People) homeRoutes() []api.Route {
	return []api.Route{
		{
			Method: "PATCH", Path: "/api/v1/homes/{home}", ID: "changeHome", Scope: hearth.ScopeAdmin,
			Summary: "Rename a home, or give it to another tenant",
			Request: homeChange{}, Response: changedHome{}, Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue, hearth.CodeConflict}, Handler: p.changeHome,
		},
		{
			Method: "DELETE", Path: "/api/v1/homes/{home}", ID: "removeHome", Scope: hearth.ScopeAdmin,
			Summary:  "Remove a home and all that is kept of it, for good; who did what there stays in the audit",
			Problems: []string{hearth.CodeNotFound}, Handler: p.removeHome,
		},
		{
			Method: "POST", Path: "/api/v1/homes/{home}/claim", ID: "reclaimHome", Scope: hearth.ScopeAdmin,
			Summary:  "Make another code with which a gateway joins the home; the gateway that it has is out once another has joined",
			Response: freshCode{}, Statuses: []int{http.StatusCreated}, Problems: []string{hearth.CodeNotFound}, Handler: p.reclaimHome,
		},
		{
			Method: "GET", Path: "/api/v1/homes/{home}/export", ID: "exportHome", Scope: hearth.ScopeAdmin,
			Summary: "All that is kept of a home: a zip of JSON lines, and its readings as line protocol",
			Media:   "application/zip", Problems: []string{hearth.CodeNotFound}, Handler: p.exportHome,
		},
	}
}

func (p *People) changeHome(w http.ResponseWriter, r *http.Request) error {
	var body homeChange
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if body.Tenant != nil {
		if err := everywhere(r); err != nil {
			return err
		}
	}
	home, err := p.o.Accounts.ChangeHome(r.Context(), r.PathValue("home"), accounts.HomeChange{Name: body.Name, Tenant: body.Tenant})
	if err != nil {
		return err
	}
	api.Note(r.Context(), home.Name)
	p.o.Changed(home, hearth.HomeChanged)
	api.WriteJSON(w, http.StatusOK, changedHome{ID: home.ID, Name: home.Name, Tenant: home.Tenant})
	return nil
}

func (p *People) removeHome(w http.ResponseWriter, r *http.Request) error {
	home, err := p.o.Accounts.Home(r.Context(), r.PathValue("home"))
	if err == nil {
		err = p.o.Accounts.RemoveHome(r.Context(), home.ID, p.o.Erase)
	}
	if err != nil {
		return err
	}
	about(r, home.Tenant, "", home.Name) // whose it was is not known any more
	p.o.Changed(home, hearth.HomeRemoved)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (p *People) reclaimHome(w http.ResponseWriter, r *http.Request) error {
	code, err := p.o.Accounts.NewCode(r.Context(), r.PathValue("home"))
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusCreated, freshCode{ID: r.PathValue("home"), ClaimCode: code.Secret, Expires: code.Expires})
	return nil
}
