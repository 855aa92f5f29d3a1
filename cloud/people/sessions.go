package people

import (
	"net/http"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

type passwordChange struct {
	Present  string `json:"present"`
	Password string `json:"password"`
}

func (p *People) sessionRoutes() []api.Route {
	return []api.Route{
		{
			Method: "GET", Path: "/api/v1/sessions", ID: "listSessions", Scope: hearth.ScopeRead,
			Summary:  "Where the person that asks is signed in, the last used first",
			Response: []accounts.Session{}, Handler: p.listSessions,
		},
		{
			Method: "DELETE", Path: "/api/v1/sessions", ID: "endOtherSessions", Scope: hearth.ScopeRead,
			Summary: "End all sessions of the person that asks but the one that asks", Handler: p.endSessions,
		},
		{
			Method: "DELETE", Path: "/api/v1/sessions/{id}", ID: "endSession", Scope: hearth.ScopeRead,
			Summary: "End one session of the person that asks", Problems: []string{hearth.CodeNotFound}, Handler: p.endSession,
		},
		{
			Method: "PUT", Path: "/api/v1/password", ID: "changePassword", Scope: hearth.ScopeRead,
			Summary: "Change the password of the person that asks, which ends all of their other sessions",
			Request: passwordChange{}, Problems: []string{hearth.CodeBadValue, hearth.CodeConflict}, Handler: p.changePassword,
		},
	}
}

func (p *People) listSessions(w http.ResponseWriter, r *http.Request) error {
	sessions, err := p.o.Accounts.Sessions(r.Context(), asker(r))
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, sessions)
	return nil
}

func (p *People) endSessions(w http.ResponseWriter, r *http.Request) error {
	if err := p.o.Accounts.EndSessions(r.Context(), asker(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (p *People) endSession(w http.ResponseWriter, r *http.Request) error {
	if err := p.o.Accounts.EndSession(r.Context(), asker(r), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// changePassword slows guessing of the present one down as Login does: who finds a browser open must not find it so.
func (p *People) changePassword(w http.ResponseWriter, r *http.Request) error {
	var body passwordChange
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	who := asker(r)
	err := p.guessed(who.User, p.o.Address(r), func() error {
		return p.o.Accounts.ChangePassword(r.Context(), who, body.Present, body.Password)
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
