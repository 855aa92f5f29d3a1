package web

import (
	"embed"
	"io/fs"
	"net/http"

	"hearth"
	"hearth/api"
)

//go:embed static
var files embed.FS

//go:embed page.html
var pageMarkup string

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
	scope, may := api.TokenOf(r.Context()).Scope, api.HTML("")
	for _, thing := range []struct {
		attribute api.HTML
		allowed   bool
	}{{" data-control", scope.Allows(hearth.ScopeControl)}, {" data-admin", scope.Allows(hearth.ScopeAdmin)}, {" data-homekit", w.o.HomeKit != nil}} {
		if thing.allowed {
			may += thing.attribute
		}
	}
	api.WriteHTML(rw, http.StatusOK, api.Fill(pageMarkup, map[string]any{"home": w.o.Status().Home, "version": w.o.Version, "may": may}))
}
