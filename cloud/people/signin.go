package people

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

type credentials struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

type newPassword struct {
	Secret   string `json:"secret"` // of the link
	Password string `json:"password"`
}

type forgotten struct {
	Email string `json:"email"`
}

func (p *People) signInRoutes() []api.Route {
	return []api.Route{
		{
			Method: "POST", Path: "/api/v1/login", ID: "login",
			Summary: "Begin a session: the answer sets its cookie. Guessing is slowed down per address and per account",
			Request: credentials{}, Problems: []string{hearth.CodeUnknownToken, hearth.CodeDenied, hearth.CodeBusy}, Handler: p.postLogin,
		},
		{
			Method: "POST", Path: "/api/v1/logout", ID: "logout",
			Summary: "End the session whose cookie comes along", Problems: []string{hearth.CodeDenied}, Handler: p.Logout,
		},
		{
			Method: "POST", Path: "/api/v1/link", ID: "useLink",
			Summary: "Set a password with the secret of a link, and begin a session; a link works once",
			Request: newPassword{}, Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue, hearth.CodeDenied, hearth.CodeBusy}, Handler: p.postLink,
		},
		{
			Method: "POST", Path: "/api/v1/forgotten", ID: "forgotPassword",
			Summary: "Have a link for a new password sent to an address, if somebody has it; the answer is the same if nobody does. Only where mail is configured",
			Request: forgotten{}, Statuses: []int{http.StatusAccepted}, Problems: []string{hearth.CodeDenied, hearth.CodeBusy, hearth.CodeConflict}, Handler: p.postForgotten,
		},
	}
}

func (p *People) postLogin(w http.ResponseWriter, r *http.Request) error {
	var body credentials
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if err := p.Login(w, r, body.Email, body.Password); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (p *People) postLink(w http.ResponseWriter, r *http.Request) error {
	var body newPassword
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if err := p.UseLink(w, r, body.Secret, body.Password); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (p *People) postForgotten(w http.ResponseWriter, r *http.Request) error {
	var body forgotten
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if err := p.Forgot(r, body.Email); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// fromElsewhere says so if another site's page sent the request: it must not sign anybody in or out.
func fromElsewhere(r *http.Request) error {
	if http.NewCrossOriginProtection().Check(r) != nil {
		return hearth.Errorf(hearth.CodeDenied, "this works from our own pages only")
	}
	return nil
}

// guessed runs a try at an account that may be a guess; check is not run while that has to wait.
func (p *People) guessed(account, address string, check func() error) error {
	if wait := p.guess.begin(account, address); wait > 0 {
		return api.Later(hearth.Errorf(hearth.CodeBusy, "too many tries that failed: wait for %s", wait.Round(time.Second)+time.Second), wait)
	}
	err := check()
	switch {
	case err == nil:
		p.guess.right(account, address)
	case !wrongGuess(err):
		p.guess.never(account, address)
	}
	return err
}

// wrongGuess reports whether a try failed for what was guessed: the password that Login takes, a link, the present
// password of who is signed in.
func wrongGuess(err error) bool {
	return slices.Contains([]string{hearth.CodeUnknownToken, hearth.CodeNotFound, hearth.CodeDenied}, hearth.ErrorOf(err).Code)
}

// Login begins a session of the person of that address and password. Errors: unknown_token: one of them is wrong; busy:
// too many tries failed, or are under way; denied: another site's page asks.
func (p *People) Login(w http.ResponseWriter, r *http.Request, email, password string) error {
	if err := fromElsewhere(r); err != nil {
		return err
	}
	email = strings.ToLower(strings.TrimSpace(email))
	if len(email) > 254 {
		email = "" // nobody's
	}
	var user accounts.User
	err := p.guessed(email, p.o.Address(r), func() (err error) {
		user, err = p.o.Accounts.Login(r.Context(), email, password)
		return err
	})
	if err != nil {
		if errors.Is(err, &hearth.Error{Code: hearth.CodeUnknownToken}) {
			p.auditFailure(r, email)
		}
		return err
	}
	return p.begin(w, r, user, "login", "")
}

// auditFailure names the address only if it is somebody's: what is typed into the wrong field is often a password.
func (p *People) auditFailure(r *http.Request, email string) {
	e := accounts.AuditEntry{Who: accounts.Nobody, Action: "loginFailed"}
	if id, tenant, err := p.o.Accounts.Known(r.Context(), email); err == nil {
		e.Who, e.About, e.Tenant = email, id, tenant
	}
	p.audit(r, e)
}

// begin starts a session in the browser that asks; the one it had before ends.
func (p *People) begin(w http.ResponseWriter, r *http.Request, user accounts.User, action, detail string) error {
	if err := p.o.Accounts.Logout(r.Context(), p.o.Auth.Cookie(r)); err != nil {
		return err
	}
	secret, err := p.o.Accounts.StartSession(r.Context(), user.ID, p.o.Address(r), r.UserAgent())
	if err != nil {
		return err
	}
	p.o.Auth.SetCookie(w, r, secret)
	_, tenant, err := p.o.Accounts.Known(r.Context(), user.Email)
	if err != nil {
		return err
	}
	p.audit(r, accounts.AuditEntry{Who: user.Email, Action: action, About: user.ID, Tenant: tenant, Detail: detail})
	return nil
}

// Logout ends the session of the browser that asks. A token that came in a link is only forgotten there.
func (p *People) Logout(w http.ResponseWriter, r *http.Request) error {
	if err := fromElsewhere(r); err != nil {
		return err
	}
	if err := p.o.Accounts.Logout(r.Context(), p.o.Auth.Cookie(r)); err != nil {
		return err
	}
	p.o.Auth.ClearCookie(w, r)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// UseLink sets the password of the person whom a link is for, and begins a session of theirs. Errors: not_found: the link
// does not work; bad_value: the password; busy; denied.
func (p *People) UseLink(w http.ResponseWriter, r *http.Request, secret, password string) error {
	if err := fromElsewhere(r); err != nil {
		return err
	}
	var user accounts.User
	err := p.guessed("a link", p.o.Address(r), func() (err error) {
		user, err = p.o.Accounts.UseLink(r.Context(), secret, password)
		return err
	})
	if err != nil {
		return err
	}
	return p.begin(w, r, user, "useLink", "set their password")
}

// Forgot has a link sent to an address, if somebody has it. Errors: conflict: there is no mail here; busy; denied.
func (p *People) Forgot(r *http.Request, email string) error {
	if err := fromElsewhere(r); err != nil {
		return err
	}
	if !p.CanMail() {
		return hearth.Errorf(hearth.CodeConflict, "this receiver sends no mail: ask an administrator for a link")
	}
	email = strings.ToLower(strings.TrimSpace(email))
	if len(email) > 254 || !strings.Contains(email, "@") {
		return hearth.Errorf(hearth.CodeBadValue, "want an e-mail address")
	}
	// Asking is never right, so who goes on asking waits longer each time.
	if wait := p.guess.begin("mail for "+email, p.o.Address(r)); wait > 0 {
		return api.Later(hearth.Errorf(hearth.CodeBusy, "a link was asked for just now: look into the mailbox, and try again later"), wait)
	}
	if !p.post(letter{to: email}) {
		return hearth.Errorf(hearth.CodeBusy, "too many mails wait to be sent: try again in a minute")
	}
	p.audit(r, accounts.AuditEntry{Who: accounts.Nobody, Action: "forgotPassword"})
	return nil
}
