package web

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"hearth"
	"hearth/api"
)

//go:embed static pages
var pageFiles embed.FS

// A look is what a page is made of: its body, one of pages/, inside the frame that all of them have in common.
type look struct {
	body, Title, Script string
	Styles              []string // of static/, as the script
}

// mountPages puts the pages and what they are made of onto the router. A page is a frame only: what it shows and does
// goes through the REST interface.
func (w *Web) mountPages(mux *http.ServeMux) {
	static, err := fs.Sub(pageFiles, "static")
	if err != nil {
		panic(err)
	}
	mux.Handle("GET /static/", api.Assets(static))
	for path, look := range map[string]look{
		"/{$}":     {"app", "Homes", "homes", []string{"style", "cloud"}},
		"/alerts":  {"app", "Alerts", "alertlist", []string{"style", "cloud", "people", "alerts"}},
		"/jobs":    {"app", "Jobs", "jobs", []string{"style", "cloud", "people", "jobs"}},
		"/explore": {"app", "Explore", "explore", []string{"style", "cloud", "vendor/uplot", "explore"}},
		"/people":  {"app", "People", "people", []string{"style", "cloud", "people"}},
	} {
		mux.Handle("GET "+path, w.o.Auth.Page(hearth.ScopeRead, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			servePage(rw, http.StatusOK, look, w.frame(r))
		})))
	}
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

// servePage answers with a page. A template that fails is a programmer's mistake and panics.
func servePage(rw http.ResponseWriter, status int, look look, about any) {
	var text strings.Builder
	page := template.Must(template.ParseFS(pageFiles, "pages/frame.html", "pages/"+look.body+".html"))
	if err := page.Execute(&text, struct{ Look, About any }{look, about}); err != nil {
		panic(fmt.Sprintf("page %s: %v", look.Title, err))
	}
	api.WriteHTML(rw, status, api.HTML(text.String()))
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
		servePage(rw, http.StatusNotFound, look{"gone", "No such home", "", []string{"style"}}, about)
	case err != nil:
		api.Fail(rw, r, err)
	default:
		servePage(rw, http.StatusOK, look{"app", about.Name, "home", []string{"vendor/uplot", "style", "cloud"}}, about)
	}
}
