package web

import (
	"context"
	"errors"
	"net/http"
	"time"

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

// leaveTime is how long a device has to leave the network of its driver before it is forgotten here all the same.
const leaveTime = 8 * time.Second

// removeDevice forgets a device. One that can be told to leave its network is told so first, or it would be back with
// its next word.
func (w *Web) removeDevice(rw http.ResponseWriter, r *http.Request) error {
	id := hearth.ID(r.PathValue("id"))
	left, err := w.leave(r.Context(), id)
	if err != nil {
		return err
	}
	if err := w.o.Home.Remove(id); err != nil && !(left && errors.Is(err, &hearth.Error{Code: hearth.CodeNoDevice})) {
		return err
	}
	rw.WriteHeader(http.StatusNoContent)
	return nil
}

// leave reports whether the device was told to leave.
func (w *Web) leave(ctx context.Context, id hearth.ID) (told bool, err error) {
	device, ok := w.o.Home.Device(id)
	if _, away := w.o.Home.Away(id.Driver()); !ok || away || device.Property("remove") == nil {
		return false, nil
	}
	record, err := w.o.Home.Do(hearth.Command{Device: id, Set: map[string]hearth.Value{"remove": hearth.BoolOf(true)}, By: api.TokenOf(ctx).Name})
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	_, err = w.o.Home.Wait(ctx, record.ID)
	return true, err
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
		Still:    func() bool { return w.auth.Still(r, hearth.ScopeRead) },
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
