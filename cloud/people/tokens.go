package people

import (
	"net/http"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

type newToken struct {
	Name    string       `json:"name"`
	Scope   hearth.Scope `json:"scope"`
	Tenant  string       `json:"tenant,omitempty"`
	Home    string       `json:"home,omitempty"`
	Expires hearth.Time  `json:"expires,omitzero"` // without it: never
	Shared  bool         `json:"shared,omitempty"` // it is nobody's and stays when who made it goes; takes an administrator
}

type madeToken struct {
	Name  string `json:"name"`
	Token string `json:"token"` // shown this once
}

func (p *People) tokenRoutes() []api.Route {
	return []api.Route{
		{
			Method: "GET", Path: "/api/v1/tokens", ID: "listTokens", Scope: hearth.ScopeRead,
			Summary:  "The tokens of the person that asks, and all where they are an administrator",
			Response: []accounts.TokenView{}, Handler: p.listTokens,
		},
		{
			Method: "POST", Path: "/api/v1/tokens", ID: "addToken", Scope: hearth.ScopeRead,
			Summary: "Make a token that allows no more than who asks may, now and later; a person's goes when they do",
			Request: newToken{}, Response: madeToken{}, Statuses: []int{http.StatusCreated},
			Problems: []string{hearth.CodeBadValue, hearth.CodeNotFound, hearth.CodeConflict}, Handler: p.addToken,
		},
		{
			Method: "DELETE", Path: "/api/v1/tokens/{name}", ID: "removeToken", Scope: hearth.ScopeRead,
			Summary: "Take a token away; what uses it is out within ten seconds", Problems: []string{hearth.CodeNotFound, hearth.CodeConflict}, Handler: p.removeToken,
		},
	}
}

func (p *People) listTokens(w http.ResponseWriter, r *http.Request) error {
	tokens, err := p.o.Accounts.Tokens(r.Context(), asker(r))
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, tokens)
	return nil
}

func (p *People) addToken(w http.ResponseWriter, r *http.Request) error {
	var body newToken
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	token := hearth.Token{Name: body.Name, Scope: body.Scope, Tenant: body.Tenant, Home: body.Home, Expires: body.Expires}
	secret, err := p.o.Accounts.GiveToken(r.Context(), asker(r), token, body.Shared)
	if err != nil {
		return err
	}
	about(r, body.Tenant, body.Home, string(body.Scope)+" "+body.Name)
	api.WriteJSON(w, http.StatusCreated, madeToken{Name: body.Name, Token: secret})
	return nil
}

func (p *People) removeToken(w http.ResponseWriter, r *http.Request) error {
	token, err := p.o.Accounts.RemoveToken(r.Context(), asker(r), r.PathValue("name"))
	if err != nil {
		return err
	}
	about(r, token.Tenant, token.Home, "")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
