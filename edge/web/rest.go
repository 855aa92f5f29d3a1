package web

import (
	"context"
	"net/http"
	"slices"
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

// setProperty is a command for one property whose status tells what became of it.
func (w *Web) setProperty(rw http.ResponseWriter, r *http.Request) error {
	wait, err := api.ParseWait(r.URL.Query(), api.MaxWait)
	if err != nil {
		return err
	}
	var body setValue
	if err := api.ReadJSON(rw, r, &body); err != nil {
		return err
	}
	record, err := w.do(r.Context(), hearth.Command{
		Device: hearth.ID(r.PathValue("id")), Set: map[string]hearth.Value{r.PathValue("name"): body.Value},
	}, wait)
	if err != nil {
		return err
	}
	api.WriteJSON(rw, statusOf(record), record)
	return nil
}

func statusOf(r hearth.Record) int {
	if !r.Final {
		return http.StatusAccepted
	}
	switch r.State {
	case hearth.Rejected:
		return http.StatusUnprocessableEntity
	case hearth.Superseded:
		return http.StatusConflict
	case hearth.Failed:
		return http.StatusBadGateway
	case hearth.Expired:
		return http.StatusGatewayTimeout
	}
	return http.StatusOK
}

// do gives a command in the name of whoever asks, and waits so long for its final state.
func (w *Web) do(ctx context.Context, cmd hearth.Command, wait time.Duration) (hearth.Record, error) {
	cmd.By = api.TokenOf(ctx).Name
	record, err := w.o.Home.Do(cmd)
	if err != nil || record.Final || wait == 0 {
		return record, err
	}
	return w.wait(ctx, record.ID, wait)
}

func (w *Web) wait(ctx context.Context, id string, wait time.Duration) (hearth.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(w.life, cancel)()
	return w.o.Home.Wait(ctx, id)
}

type giveCommand struct {
	ID       string                  `json:"id,omitempty"` // the same id twice is the same command
	Device   hearth.ID               `json:"device"`
	Set      map[string]hearth.Value `json:"set"`
	Deadline hearth.Time             `json:"deadline,omitzero"` // default 10 s from now
}

func (w *Web) giveCommand(rw http.ResponseWriter, r *http.Request) error {
	wait, err := api.ParseWait(r.URL.Query(), 0)
	if err != nil {
		return err
	}
	var body giveCommand
	if err := api.ReadJSON(rw, r, &body); err != nil {
		return err
	}
	record, err := w.do(r.Context(), hearth.Command{ID: body.ID, Device: body.Device, Set: body.Set, Deadline: body.Deadline}, wait)
	if err != nil {
		return err
	}
	status := http.StatusAccepted
	if record.Final {
		status = http.StatusOK
	}
	rw.Header().Set("Location", "/api/v1/commands/"+record.ID)
	api.WriteJSON(rw, status, record)
	return nil
}

func stateNames() []string {
	names := make([]string, len(hearth.States))
	for i, s := range hearth.States {
		names[i] = string(s)
	}
	return names
}

func (w *Web) listCommands(rw http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	state := hearth.State(query.Get("state"))
	if state != "" && !slices.Contains(hearth.States, state) {
		return api.BadRequest("state: want one of %v", hearth.States)
	}
	records := w.o.Home.Commands(hearth.ID(query.Get("device")), state)
	if records == nil {
		records = []hearth.Record{}
	}
	api.WriteJSON(rw, http.StatusOK, records)
	return nil
}

func (w *Web) getCommand(rw http.ResponseWriter, r *http.Request) error {
	wait, err := api.ParseWait(r.URL.Query(), 0)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	record, ok := w.o.Home.Command(id)
	if !ok {
		return hearth.Errorf(hearth.CodeNotFound, "there is no command %.200q", id)
	}
	if wait > 0 && !record.Final {
		if record, err = w.wait(r.Context(), id, wait); err != nil {
			return err
		}
	}
	api.WriteJSON(rw, http.StatusOK, record)
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
	if history.Points == nil {
		history.Points = []hearth.Bucket{}
	}
	if history.Gaps == nil {
		history.Gaps = []hearth.Gap{}
	}
	api.WriteJSON(rw, http.StatusOK, history)
	return nil
}

func (w *Web) events(rw http.ResponseWriter, r *http.Request) error {
	only := hearth.ID(r.URL.Query().Get("device"))
	stream := api.Stream{
		Snapshot: func() []api.Event { return w.snapshot(only) },
		Still:    func() bool { return w.auth.Still(r) },
	}
	if only != "" {
		stream.Match = func(e api.Event) bool { return e.Device == only }
	}
	return w.hub.Serve(rw, r, stream)
}

// snapshot is all that is true now: the devices, the commands on their way, and the status.
func (w *Web) snapshot(only hearth.ID) []api.Event {
	var events []api.Event
	for _, view := range w.o.Home.Devices() {
		if only == "" || view.ID == only {
			events = append(events, api.NewEvent(api.EventDevice, "", view.ID, view))
		}
	}
	for _, record := range w.o.Home.Commands(only, "") {
		if !record.Final {
			events = append(events, api.NewEvent(api.EventCommand, "", record.Device, record))
		}
	}
	if only == "" {
		events = append(events, api.NewEvent(api.EventStatus, "", "", w.status()))
	}
	return events
}
