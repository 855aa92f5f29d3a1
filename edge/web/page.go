package web

import (
	"embed"
	"html/template"
	"io/fs"
	"net/http"

	"hearth"
	"hearth/api"
)

//go:embed static page.html
var files embed.FS

// pageFiles are the page's own files, at /static/ beside the shared ones.
func pageFiles() fs.FS {
	sub, err := fs.Sub(files, "static")
	if err != nil {
		panic(err)
	}
	return sub
}

// page serves the one page there is; what it shows comes by events.
func (w *Web) page(rw http.ResponseWriter, r *http.Request) {
	scope := api.TokenOf(r.Context()).Scope
	api.WritePage(rw, r, http.StatusOK, template.Must(template.ParseFS(files, "page.html")), map[string]any{
		"Home":    w.o.Status().Home,
		"Version": w.o.Version,
		"Control": scope.Allows(hearth.ScopeControl),
		"Admin":   scope.Allows(hearth.ScopeAdmin),
		"HomeKit": w.o.HomeKit != nil,
	})
}
