package people

import (
	"net/http"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

// An invitation is who is to be let in, and to what.
type invitation struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
	accounts.Right
}

// invited is a person with the link that lets them in, if there is one: who had an account before, and rights elsewhere,
// signs in as they always do.
type invited struct {
	User    accounts.User `json:"user"`
	Link    string        `json:"link,omitempty"` // works once; shown this once
	Expires hearth.Time   `json:"expires,omitzero"`
	Mailed  bool          `json:"mailed"` // it was sent to them, too
}

type userChange struct {
	Email    *string `json:"email,omitempty"`
	Name     *string `json:"name,omitempty"`
	Disabled *bool   `json:"disabled,omitempty"`
}

func (p *People) userRoutes() []api.Route {
	return []api.Route{
		{
			Method: "GET", Path: "/api/v1/users", ID: "listUsers", Scope: hearth.ScopeAdmin,
			Summary:  "The people who may do something where the asker is an administrator, with that",
			Response: []accounts.User{}, Handler: p.listUsers,
		},
		{
			Method: "POST", Path: "/api/v1/users", ID: "addUser", Scope: hearth.ScopeAdmin,
			Summary: "Give the person of an address a role in a home, a tenant, or with neither on the whole receiver; with the link that lets them in",
			Request: invitation{}, Response: invited{}, Statuses: []int{http.StatusCreated},
			Problems: []string{hearth.CodeBadValue, hearth.CodeNotFound, hearth.CodeConflict}, Handler: p.addUser,
		},
		{
			Method: "GET", Path: "/api/v1/users/{id}", ID: "getUser", Scope: hearth.ScopeAdmin,
			Summary: "One of them", Response: accounts.User{}, Problems: []string{hearth.CodeNotFound}, Handler: p.getUser,
		},
		{
			Method: "PATCH", Path: "/api/v1/users/{id}", ID: "changeUser", Scope: hearth.ScopeAdmin,
			Summary: "Change a person's address or name, or keep them out",
			Request: userChange{}, Response: accounts.User{}, Problems: []string{hearth.CodeBadValue, hearth.CodeNotFound, hearth.CodeConflict}, Handler: p.changeUser,
		},
		{
			Method: "DELETE", Path: "/api/v1/users/{id}", ID: "removeUser", Scope: hearth.ScopeAdmin,
			Summary: "Remove a person with their tokens and sessions", Problems: []string{hearth.CodeNotFound, hearth.CodeConflict}, Handler: p.removeUser,
		},
		{
			Method: "POST", Path: "/api/v1/users/{id}/link", ID: "makeLink", Scope: hearth.ScopeAdmin,
			Summary:  "Make a link with which a person sets a password, in place of an earlier one",
			Response: invited{}, Statuses: []int{http.StatusCreated}, Problems: []string{hearth.CodeNotFound, hearth.CodeConflict}, Handler: p.makeLink,
		},
		{
			Method: "DELETE", Path: "/api/v1/users/{id}/sessions", ID: "signOut", Scope: hearth.ScopeAdmin,
			Summary: "End all sessions and links of a person", Problems: []string{hearth.CodeNotFound}, Handler: p.signOut,
		},
	}
}

func (p *People) grantRoutes() []api.Route {
	return []api.Route{
		{
			Method: "PUT", Path: "/api/v1/users/{id}/grants", ID: "giveRole", Scope: hearth.ScopeAdmin,
			Summary: "Give a person a role in a home, a tenant, or with neither on the whole receiver, in place of the one they have there",
			Request: accounts.Right{}, Response: accounts.User{}, Problems: []string{hearth.CodeBadValue, hearth.CodeNotFound, hearth.CodeConflict}, Handler: p.giveRole,
		},
		{
			Method: "DELETE", Path: "/api/v1/users/{id}/grants", ID: "takeRole", Scope: hearth.ScopeAdmin,
			Summary: "Take a person's role there away",
			Query: []api.Param{
				{Name: "tenant", Summary: "the role is in this tenant"},
				{Name: "home", Summary: "the role is in this home; with neither it is the one on the whole receiver"},
			},
			Response: accounts.User{}, Problems: []string{hearth.CodeNotFound, hearth.CodeConflict}, Handler: p.takeRole,
		},
	}
}

func (p *People) listUsers(w http.ResponseWriter, r *http.Request) error {
	users, err := p.o.Accounts.Users(r.Context(), asker(r))
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, users)
	return nil
}

func (p *People) addUser(w http.ResponseWriter, r *http.Request) error {
	var body invitation
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	user, _, err := p.o.Accounts.AddUser(r.Context(), asker(r), body.Email, body.Name, body.Right)
	if err != nil {
		return err
	}
	about(r, body.Tenant, body.Home, body.Role+" "+user.Email)
	answer := invited{User: user}
	switch {
	case user.Managed && user.Invited:
		if answer, err = p.invite(r, user); err != nil {
			return err
		}
	case user.Invited && p.CanMail(): // the link is nobody's but theirs
		answer.Mailed = p.post(letter{to: user.Email})
	}
	w.Header().Set("Location", "/api/v1/users/"+user.ID)
	api.WriteJSON(w, http.StatusCreated, answer)
	return nil
}

// invite makes a person's link, and sends it where mail is sent.
func (p *People) invite(r *http.Request, user accounts.User) (invited, error) {
	link, err := p.o.Accounts.NewLink(r.Context(), asker(r), user.ID)
	if err != nil {
		return invited{}, err
	}
	answer := invited{User: user, Link: p.linkTo(r, link), Expires: link.Expires}
	if p.CanMail() {
		answer.Mailed = p.post(letter{to: user.Email, link: answer.Link, expires: link.Expires, invited: user.Invited})
	}
	return answer, nil
}

func (p *People) getUser(w http.ResponseWriter, r *http.Request) error {
	user, err := p.o.Accounts.User(r.Context(), asker(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, user)
	return nil
}

// place tells the audit where a person is known, if that is one tenant or home.
func place(r *http.Request, user accounts.User, words string) {
	tenant, home := "", ""
	if len(user.Grants) == 1 {
		tenant, home = user.Grants[0].Tenant, user.Grants[0].Home
	}
	about(r, tenant, home, words)
}

func (p *People) changeUser(w http.ResponseWriter, r *http.Request) error {
	var body userChange
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	user, err := p.o.Accounts.ChangeUser(r.Context(), asker(r), r.PathValue("id"), accounts.UserChange{Email: body.Email, Name: body.Name, Disabled: body.Disabled})
	if err != nil {
		return err
	}
	words := user.Email
	if body.Disabled != nil && user.Disabled {
		words += ", kept out"
	} else if body.Disabled != nil {
		words += ", let in again"
	}
	place(r, user, words)
	api.WriteJSON(w, http.StatusOK, user)
	return nil
}

func (p *People) removeUser(w http.ResponseWriter, r *http.Request) error {
	user, err := p.o.Accounts.RemoveUser(r.Context(), asker(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	place(r, user, user.Email)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (p *People) makeLink(w http.ResponseWriter, r *http.Request) error {
	user, err := p.o.Accounts.User(r.Context(), asker(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	answer, err := p.invite(r, user)
	if err != nil {
		return err
	}
	place(r, user, user.Email)
	api.WriteJSON(w, http.StatusCreated, answer)
	return nil
}

func (p *People) signOut(w http.ResponseWriter, r *http.Request) error {
	user, err := p.o.Accounts.User(r.Context(), asker(r), r.PathValue("id"))
	if err == nil {
		err = p.o.Accounts.SignOut(r.Context(), asker(r), user.ID)
	}
	if err != nil {
		return err
	}
	place(r, user, user.Email)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (p *People) giveRole(w http.ResponseWriter, r *http.Request) error {
	var body accounts.Right
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	user, err := p.o.Accounts.Give(r.Context(), asker(r), r.PathValue("id"), body)
	if err != nil {
		return err
	}
	about(r, body.Tenant, body.Home, body.Role+" "+user.Email)
	api.WriteJSON(w, http.StatusOK, user)
	return nil
}

func (p *People) takeRole(w http.ResponseWriter, r *http.Request) error {
	tenant, home := r.URL.Query().Get("tenant"), r.URL.Query().Get("home")
	user, err := p.o.Accounts.Take(r.Context(), asker(r), r.PathValue("id"), tenant, home)
	if err != nil {
		return err
	}
	about(r, tenant, home, user.Email)
	api.WriteJSON(w, http.StatusOK, user)
	return nil
}
