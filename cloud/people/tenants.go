package people

import (
	"net/http"
	"time"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

const day = 24 * time.Hour

type tenantView struct {
	ID            string      `json:"id"`
	Name          string      `json:"name"`
	Created       hearth.Time `json:"created"`
	RetentionDays int         `json:"retention_days"` // how long readings are kept; 0: as long as the configuration says
	Homes         int         `json:"homes"`
}

type newTenant struct {
	Name string `json:"name"`
}

type tenantChange struct {
	Name          *string `json:"name,omitempty"`
	RetentionDays *int    `json:"retention_days,omitempty"` // takes an administrator of the receiver
}

func (p *People) tenantRoutes() []api.Route {
	return []api.Route{
		{
			Method: "GET", Path: "/api/v1/tenants", ID: "listTenants", Scope: hearth.ScopeRead,
			Summary:  "The tenants that the asker sees as a whole, by name",
			Response: []tenantView{}, Handler: p.listTenants,
		},
		{
			Method: "POST", Path: "/api/v1/tenants", ID: "addTenant", Scope: hearth.ScopeAdmin,
			Summary: "Make a tenant: an account that owns homes. Takes an administrator of the receiver",
			Request: newTenant{}, Response: tenantView{}, Statuses: []int{http.StatusCreated},
			Problems: []string{hearth.CodeBadValue, hearth.CodeConflict}, Handler: p.addTenant,
		},
		{
			Method: "GET", Path: "/api/v1/tenants/{tenant}", ID: "getTenant", Scope: hearth.ScopeRead,
			Summary: "One tenant", Response: tenantView{}, Problems: []string{hearth.CodeNotFound}, Handler: p.getTenant,
		},
		{
			Method: "PATCH", Path: "/api/v1/tenants/{tenant}", ID: "changeTenant", Scope: hearth.ScopeAdmin,
			Summary: "Rename a tenant, or say how long its readings are kept",
			Request: tenantChange{}, Response: tenantView{}, Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue, hearth.CodeConflict}, Handler: p.changeTenant,
		},
		{
			Method: "DELETE", Path: "/api/v1/tenants/{tenant}", ID: "removeTenant", Scope: hearth.ScopeAdmin,
			Summary:  "Remove a tenant that has no homes. Takes an administrator of the receiver",
			Query:    []api.Param{{Name: "force", Summary: "homes: also its homes, with all of their readings, for good", Options: []string{"homes"}}},
			Problems: []string{hearth.CodeNotFound, hearth.CodeConflict}, Handler: p.removeTenant,
		},
	}
}

// everywhere says so unless the asker administers the whole receiver.
func everywhere(r *http.Request) error {
	if who := asker(r); !who.In("", "").Allows(hearth.ScopeAdmin) {
		return hearth.Errorf(hearth.CodeDenied, "this takes an administrator of the whole receiver, which %s is not", who.Name)
	}
	return nil
}

func (p *People) view(r *http.Request, t accounts.Tenant) (tenantView, error) {
	homes, err := p.o.Accounts.HomesOf(r.Context(), t.ID)
	return tenantView{ID: t.ID, Name: t.Name, Created: t.Created, RetentionDays: int(t.Retention / day), Homes: len(homes)}, err
}

func (p *People) listTenants(w http.ResponseWriter, r *http.Request) error {
	tenants, err := p.o.Accounts.Tenants(r.Context(), asker(r))
	if err != nil {
		return err
	}
	homes, err := p.o.Accounts.Visible(r.Context(), asker(r))
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, h := range homes {
		count[h.Tenant]++
	}
	views := make([]tenantView, len(tenants))
	for i, t := range tenants {
		views[i] = tenantView{ID: t.ID, Name: t.Name, Created: t.Created, RetentionDays: int(t.Retention / day), Homes: count[t.ID]}
	}
	api.WriteJSON(w, http.StatusOK, views)
	return nil
}

func (p *People) addTenant(w http.ResponseWriter, r *http.Request) error {
	if err := everywhere(r); err != nil {
		return err
	}
	var body newTenant
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	tenant, err := p.o.Accounts.AddTenant(r.Context(), body.Name)
	if err != nil {
		return err
	}
	about(r, tenant.ID, "", tenant.Name)
	w.Header().Set("Location", "/api/v1/tenants/"+tenant.ID)
	api.WriteJSON(w, http.StatusCreated, tenantView{ID: tenant.ID, Name: tenant.Name, Created: tenant.Created})
	return nil
}

func (p *People) getTenant(w http.ResponseWriter, r *http.Request) error {
	tenant, err := p.o.Accounts.Tenant(r.Context(), r.PathValue("tenant"))
	if err != nil {
		return err
	}
	view, err := p.view(r, tenant)
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, view)
	return nil
}

func (p *People) changeTenant(w http.ResponseWriter, r *http.Request) error {
	var body tenantChange
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	change := accounts.TenantChange{Name: body.Name}
	if body.RetentionDays != nil {
		if err := everywhere(r); err != nil {
			return err
		}
		if *body.RetentionDays < 0 || *body.RetentionDays > 36_500 {
			return hearth.Errorf(hearth.CodeBadValue, "retention_days: want 1 to 36500, or 0 for as long as the configuration says")
		}
		retention := time.Duration(*body.RetentionDays) * day
		change.Retention = &retention
	}
	tenant, err := p.o.Accounts.ChangeTenant(r.Context(), r.PathValue("tenant"), change)
	if err != nil {
		return err
	}
	view, err := p.view(r, tenant)
	if err != nil {
		return err
	}
	api.Note(r.Context(), tenant.Name)
	api.WriteJSON(w, http.StatusOK, view)
	return nil
}

func (p *People) removeTenant(w http.ResponseWriter, r *http.Request) error {
	if err := everywhere(r); err != nil {
		return err
	}
	force := r.URL.Query().Get("force")
	if force != "" && force != "homes" {
		return api.BadRequest("force: want homes, or leave it out")
	}
	tenant, err := p.o.Accounts.Tenant(r.Context(), r.PathValue("tenant"))
	if err != nil {
		return err
	}
	words := tenant.Name
	if force == "homes" && tenant.ID != accounts.MainTenant {
		homes, err := p.o.Accounts.HomesOf(r.Context(), tenant.ID)
		if err != nil {
			return err
		}
		for _, home := range homes {
			words += ", home " + home.ID + " " + home.Name
			if err := p.o.Accounts.RemoveHome(r.Context(), home.ID, p.o.Erase); err != nil {
				return err
			}
		}
	}
	if err := p.o.Accounts.RemoveTenant(r.Context(), tenant.ID); err != nil {
		return err
	}
	api.Note(r.Context(), words)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
