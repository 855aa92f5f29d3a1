package web

import (
	"context"
	"net/http"

	"hearth"
	"hearth/api"
)

func (w *Web) listDevices(rw http.ResponseWriter, _ *http.Request) error {
	devices := w.o.Home.Devices()
	if devices == nil {
		devices = []hearth.DeviceView{}
	}
	api.WriteJSON(rw, http.StatusOK, devices)
	return nil
}

func (w *Web) device(id string) (hearth.DeviceView, error) {
	view, ok := w.o.Home.Device(hearth.ID(id))
	if !ok {
		return view, hearth.Errorf(hearth.CodeNoDevice, "there is no device %.200q", id)
	}
	return view, nil
}

func (w *Web) getDevice(rw http.ResponseWriter, r *http.Request) error {
	view, err := w.device(r.PathValue("id"))
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, view)
	return nil
}

type rename struct {
	Name *string `json:"name,omitempty"`
	Room *string `json:"room,omitempty"`
}

func (w *Web) renameDevice(rw http.ResponseWriter, r *http.Request) error {
	var body rename
	if err := api.ReadJSON(rw, r, &body); err != nil {
		return err
	}
	if body.Name == nil && body.Room == nil {
		return api.BadRequest("want a name, a room, or both")
	}
	view, err := w.o.Home.Rename(hearth.ID(r.PathValue("id")), body.Name, body.Room)
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, view)
	return nil
}

func (w *Web) removeDevice(rw http.ResponseWriter, r *http.Request) error {
	if err := w.o.Home.Remove(hearth.ID(r.PathValue("id"))); err != nil {
		return err
	}
	rw.WriteHeader(http.StatusNoContent)
	return nil
}

type setValue struct {
	Value hearth.Value `json:"value"`
}

// commands are the home's; their deadline is 10 s from now where none is given. Whoever waits for one is answered when
// Run ends.
func (w *Web) commands(*http.Request) (api.Commands, error) {
	return api.Commands{
		Do: func(_ context.Context, cmd hearth.Command) (hearth.Record, error) { return w.o.Home.Do(cmd) },
		Wait: func(ctx context.Context, id string) (hearth.Record, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(w.life, cancel)()
			return w.o.Home.Wait(ctx, id)
		},
	}, nil
}

func (w *Web) listCommands(rw http.ResponseWriter, r *http.Request) error {
	device, state, err := api.ParseCommandFilter(r.URL.Query())
	if err != nil {
		return err
	}
	records := w.o.Home.Commands(device, state)
	if records == nil {
		records = []hearth.Record{}
	}
	api.WriteJSON(rw, http.StatusOK, records)
	return nil
}

func (w *Web) history(rw http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	span, err := api.ParseRange(query, w.o.Now())
	if err != nil {
		return err
	}
	id, property := query.Get("device"), query.Get("property")
	if id == "" || property == "" {
		return api.BadRequest("want device= and property=")
	}
	view, err := w.device(id)
	if err != nil {
		return err
	}
	if view.Property(property) == nil {
		return hearth.Errorf(hearth.CodeNoDevice, "device %s has no property %.200q", id, property)
	}
	history, err := w.o.History(view.ID, property, span.From, span.To, span.Points)
	if err != nil {
		return err
	}
	api.WriteHistory(rw, history)
	return nil
}

func (w *Web) events(rw http.ResponseWriter, r *http.Request) error {
	only := hearth.ID(r.URL.Query().Get("device"))
	stream := api.Stream{
		Snapshot: func() []api.Event { return w.snapshot(only) },
		Still:    func() bool { return w.auth.Still(r) },
		Match:    api.Only(only),
	}
	return w.hub.Serve(rw, r, stream)
}

// snapshot is all that is true now: the devices, the commands on their way, and the status.
func (w *Web) snapshot(only hearth.ID) []api.Event {
	events := api.Present("", only, w.o.Home.Devices(), w.o.Home.Commands(only, ""))
	if only == "" {
		events = append(events, api.NewEvent(api.EventStatus, "", "", w.status()))
	}
	return events
}
