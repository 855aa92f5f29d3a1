package web

import (
	"net/http"

	"hearth"
	"hearth/api"
)

// directRoutes are for devices without a gateway.
func (w *Web) directRoutes() []api.Route {
	if w.o.Direct == nil {
		return nil
	}
	return []api.Route{
		{
			Method: "PUT", Path: "/api/v1/homes/{home}/devices/{id}", ID: "announceDevice", Scope: hearth.ScopeWrite,
			Summary: "A device without a gateway, called direct:<address>, says what it is; a property needs no more than its name where that is one of the shared words",
			Request: hearth.Announcement{}, Response: hearth.DeviceView{}, Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue, hearth.CodeConflict}, Handler: w.announce,
		},
		{
			Method: "DELETE", Path: "/api/v1/homes/{home}/devices/{id}", ID: "forgetDevice", Scope: hearth.ScopeControl,
			Summary: "Forget a device without a gateway; what it measured stays", Problems: []string{hearth.CodeNoDevice}, Handler: w.forget,
		},
		{
			Method: "POST", Path: "/api/v1/homes/{home}/readings", ID: "reportReadings", Scope: hearth.ScopeWrite,
			Summary: "What devices without a gateway measure, at most 1000 readings at once; durable when it is answered, and all of it or nothing",
			Request: []hearth.DirectReading{}, Unaudited: true, Problems: []string{hearth.CodeNoDevice, hearth.CodeBadValue, hearth.CodeConflict}, Handler: w.report,
		},
	}
}

func (w *Web) announce(rw http.ResponseWriter, r *http.Request) error {
	var body hearth.Announcement
	if err := api.ReadJSON(rw, r, &body); err != nil {
		return err
	}
	view, err := w.o.Direct.Announce(r.Context(), of(r), hearth.ID(r.PathValue("id")), body)
	if err != nil {
		return err
	}
	api.Note(r.Context(), view.Name)
	api.WriteJSON(rw, http.StatusOK, view)
	return nil
}

func (w *Web) forget(rw http.ResponseWriter, r *http.Request) error {
	if err := w.o.Direct.Forget(r.Context(), of(r), hearth.ID(r.PathValue("id"))); err != nil {
		return err
	}
	rw.WriteHeader(http.StatusNoContent)
	return nil
}

func (w *Web) report(rw http.ResponseWriter, r *http.Request) error {
	var readings []hearth.DirectReading
	if err := api.ReadJSON(rw, r, &readings); err != nil {
		return err
	}
	if err := w.o.Direct.Report(r.Context(), api.TokenOf(r.Context()), of(r), readings); err != nil {
		return err
	}
	rw.WriteHeader(http.StatusNoContent)
	return nil
}

// tenantEvents streams what concerns a tenant as a whole.
func (w *Web) tenantEvents(rw http.ResponseWriter, r *http.Request) error {
	hub := tenantHub(r.PathValue("tenant"))
	defer w.hubs.left(hub)
	return w.hubs.watch(hub).Serve(rw, r, api.Stream{Still: func() bool { return w.o.Auth.Still(r, hearth.ScopeRead) }})
}
