package web

import (
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"net/http"

	"hearth"
	"hearth/api"
)

//go:embed static pages
var pageFiles embed.FS

// mountPages puts the pages and what they are made of onto the router. A page is a frame only: what it shows and does
// goes through the REST interface.
func (w *Web) mountPages(mux *http.ServeMux) {
	static, err := fs.Sub(pageFiles, "static")
	if err != nil {
		panic(err)
	}
	mux.Handle("GET /static/", api.Assets(static))
	mux.Handle("GET /{$}", w.o.Auth.Page(hearth.ScopeRead, http.HandlerFunc(w.homesPage)))
	mux.Handle("GET /explore", w.o.Auth.Page(hearth.ScopeRead, http.HandlerFunc(w.explorePage)))
	mux.Handle("GET /homes/{home}", w.o.Auth.Page(hearth.ScopeRead, http.HandlerFunc(w.homePage)))
}

// A frame is what a page is told beforehand; the rest it asks for.
type frame struct {
	ID, Name string // of the home that the page is about
	Version  string // of the receiver
	Control  bool   // may give commands
	Add      bool   // may add homes
}

func (w *Web) frame(r *http.Request) frame {
	_, err := addsTo(api.TokenOf(r.Context()), "")
	return frame{Version: w.o.Version, Add: err == nil}
}

func servePage(rw http.ResponseWriter, r *http.Request, status int, name string, about frame) {
	api.WritePage(rw, r, status, template.Must(template.ParseFS(pageFiles, "pages/"+name)), about)
}

// homesPage lists the homes.
func (w *Web) homesPage(rw http.ResponseWriter, r *http.Request) {
	servePage(rw, r, http.StatusOK, "homes.html", w.frame(r))
}

// explorePage lays histories over each other.
func (w *Web) explorePage(rw http.ResponseWriter, r *http.Request) {
	servePage(rw, r, http.StatusOK, "explore.html", w.frame(r))
}

// homePage shows one home. One that the session does not see is not found, whether it exists or not.
func (w *Web) homePage(rw http.ResponseWriter, r *http.Request) {
	about := w.frame(r)
	scope, err := w.o.Accounts.Scope(r.Context(), api.TokenOf(r.Context()), of(r))
	if err == nil {
		home, lookup := w.o.Accounts.Home(r.Context(), of(r))
		about.ID, about.Name, about.Control, err = home.ID, home.Name, scope.Allows(hearth.ScopeControl), lookup
	}
	switch {
	case errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}):
		servePage(rw, r, http.StatusNotFound, "gone.html", about)
	case err != nil:
		api.Fail(rw, r, err)
	default:
		servePage(rw, r, http.StatusOK, "home.html", about)
	}
}
