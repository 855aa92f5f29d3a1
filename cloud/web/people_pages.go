package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

// maxForm is how much a form of a person who is not signed in may carry.
const maxForm = 16 << 10

// A People signs persons in and out; its errors are those of the REST interface.
type People interface {
	Login(rw http.ResponseWriter, r *http.Request, email, password string) error
	UseLink(rw http.ResponseWriter, r *http.Request, secret, password string) error
	Forgot(r *http.Request, email string) error
	CanMail() bool
}

// mountPeople puts the pages for people onto the router. Those by which a person gets in are plain forms.
func (w *Web) mountPeople(mux *http.ServeMux) {
	if w.o.People == nil {
		return
	}
	mux.Handle("GET /login", outside(w.loginPage))
	mux.Handle("POST /login", outside(w.login))
	mux.Handle("POST /forgotten", outside(w.forgotten))
	mux.Handle("GET /link", outside(w.linkPage))
	mux.Handle("POST /link", outside(w.useLink))
}

func signIn() look { return look{"login", "Sign in", "login", []string{"style", "people"}} }

func newPassword() look { return look{"link", "Your password", "login", []string{"style", "people"}} }

// outside is for pages that need no session.
func outside(handle http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(rw, r.Body, maxForm)
		handle(rw, r)
	})
}

// Denied is the receiver's answer to a page's request without a session, for api.Auth: where there are people, they sign
// in first. A link that does not work is said to be one, on the plain page.
func Denied(books *accounts.Accounts) func(http.ResponseWriter, *http.Request, error) bool {
	return func(rw http.ResponseWriter, r *http.Request, err error) bool {
		if r.URL.Query().Has("token") {
			return false
		}
		if errors.Is(err, &hearth.Error{Code: hearth.CodeDenied}) {
			return withoutRole(rw, r, books)
		}
		if !errors.Is(err, &hearth.Error{Code: hearth.CodeUnknownToken}) {
			return false
		}
		if there, err := books.HasPeople(r.Context()); err != nil || !there {
			return false
		}
		to := "/login"
		if next := r.URL.RequestURI(); next != "/" {
			to += "?next=" + url.QueryEscape(next)
		}
		http.Redirect(rw, r, to, http.StatusSeeOther)
		return true
	}
}

// withoutRole answers a person who is signed in and may do nothing here.
func withoutRole(rw http.ResponseWriter, r *http.Request, books *accounts.Accounts) bool {
	cookie, err := r.Cookie(CookieName)
	if err != nil {
		return false
	}
	who, ok, err := books.Session(r.Context(), cookie.Value)
	if err != nil || !ok || who.User == "" {
		return false
	}
	problem := "You are signed in as " + who.Name + ", who has no role here. Ask an administrator for one, or sign in as somebody else."
	servePage(rw, http.StatusForbidden, signIn(), gate{Next: "/", Problem: problem})
	return true
}

// inside returns where to go after signing in: a path of these pages, and nowhere else.
func inside(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, "/login") {
		return "/"
	}
	return next
}

// A gate is what a page by which a person gets in is told.
type gate struct {
	Next, Email, Name string
	Again             bool   // nothing has been said yet: see login.js
	Secret            string // of a link
	Invited           bool   // the link is an invitation
	Problem, Notice   string
	Mail              bool // a forgotten password can be helped by mail
	Least             int  // characters of a password
	Version           string
}

func (w *Web) gate() gate {
	return gate{Mail: w.o.People.CanMail(), Least: accounts.PasswordLeast, Version: w.o.Version}
}

func (w *Web) loginPage(rw http.ResponseWriter, r *http.Request) {
	about := w.gate()
	about.Next, about.Again = inside(r.URL.Query().Get("next")), true
	servePage(rw, http.StatusOK, signIn(), about)
}

// refused shows a page again with what is wrong, if err is something that a person can do something about.
func refused(rw http.ResponseWriter, r *http.Request, err error, look look, about gate) {
	status := api.StatusOf(hearth.ErrorOf(err).Code)
	var coded *hearth.Error
	if !errors.As(err, &coded) || status >= http.StatusInternalServerError {
		api.Fail(rw, r, err)
		return
	}
	if after := api.RetryAfter(err); after != "" {
		rw.Header().Set("Retry-After", after)
	}
	about.Problem = coded.Message
	servePage(rw, status, look, about)
}

func (w *Web) login(rw http.ResponseWriter, r *http.Request) {
	about := w.gate()
	about.Next, about.Email = inside(r.PostFormValue("next")), r.PostFormValue("email")
	if err := w.o.People.Login(rw, r, about.Email, r.PostFormValue("password")); err != nil {
		refused(rw, r, err, signIn(), about)
		return
	}
	http.Redirect(rw, r, about.Next, http.StatusSeeOther)
}

func (w *Web) forgotten(rw http.ResponseWriter, r *http.Request) {
	about := w.gate()
	about.Next, about.Email = inside(r.PostFormValue("next")), r.PostFormValue("email")
	if err := w.o.People.Forgot(r, about.Email); err != nil {
		refused(rw, r, err, signIn(), about)
		return
	}
	about.Notice = "If somebody has that address, a link for a new password is on its way to it."
	servePage(rw, http.StatusAccepted, signIn(), about)
}

// linkPage only shows the form: mail programs open links by themselves, and that must not use one up.
func (w *Web) linkPage(rw http.ResponseWriter, r *http.Request) {
	about, err := w.linkGate(r, r.URL.Query().Get("secret"))
	if err != nil {
		refused(rw, r, err, newPassword(), w.gate())
		return
	}
	servePage(rw, http.StatusOK, newPassword(), about)
}

func (w *Web) linkGate(r *http.Request, secret string) (gate, error) {
	user, err := w.o.Accounts.LinkOf(r.Context(), secret)
	about := w.gate()
	about.Secret, about.Email, about.Name, about.Invited = secret, user.Email, user.Name, user.Invited
	return about, err
}

func (w *Web) useLink(rw http.ResponseWriter, r *http.Request) {
	secret := r.PostFormValue("secret")
	about, err := w.linkGate(r, secret)
	if err != nil {
		refused(rw, r, err, newPassword(), w.gate())
		return
	}
	if err := w.o.People.UseLink(rw, r, secret, r.PostFormValue("password")); err != nil {
		if errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}) {
			about = w.gate() // it was used in between
		}
		refused(rw, r, err, newPassword(), about)
		return
	}
	http.Redirect(rw, r, "/", http.StatusSeeOther)
}
