package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"hearth"
	"hearth/api"
)

func (w *Web) listDevices(rw http.ResponseWriter, r *http.Request) error {
	home, err := w.of(r)
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, w.o.Fleet.Devices(home))
	return nil
}

func (w *Web) device(home string, id hearth.ID) (hearth.DeviceView, bool) {
	devices := w.o.Fleet.Devices(home)
	i := slices.IndexFunc(devices, func(d hearth.DeviceView) bool { return d.ID == id })
	if i < 0 {
		return hearth.DeviceView{}, false
	}
	return devices[i], true
}

func (w *Web) getDevice(rw http.ResponseWriter, r *http.Request) error {
	home, err := w.of(r)
	if err != nil {
		return err
	}
	view, ok := w.device(home, hearth.ID(r.PathValue("id")))
	if !ok {
		return hearth.Errorf(hearth.CodeNoDevice, "the home has no device %.200q", r.PathValue("id"))
	}
	api.WriteJSON(rw, http.StatusOK, view)
	return nil
}

type setValue struct {
	Value    hearth.Value `json:"value"`
	Deadline hearth.Time  `json:"deadline,omitzero"` // default 5 minutes from now
}

// setProperty is a command for one property whose status tells what became of it.
func (w *Web) setProperty(rw http.ResponseWriter, r *http.Request) error {
	home, err := w.of(r)
	if err != nil {
		return err
	}
	wait, err := api.ParseWait(r.URL.Query(), api.MaxWait)
	if err != nil {
		return err
	}
	var body setValue
	if err := api.ReadJSON(rw, r, &body); err != nil {
		return err
	}
	record, err := w.do(r.Context(), home, hearth.Command{
		Device: hearth.ID(r.PathValue("id")), Set: map[string]hearth.Value{r.PathValue("name"): body.Value}, Deadline: body.Deadline,
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
func (w *Web) do(ctx context.Context, home string, cmd hearth.Command, wait time.Duration) (hearth.Record, error) {
	cmd.By = api.TokenOf(ctx).Name
	record, err := w.o.Commands.Do(ctx, home, cmd)
	if err != nil || record.Final || wait == 0 {
		return record, err
	}
	return w.wait(ctx, home, record.ID, wait)
}

func (w *Web) wait(ctx context.Context, home, id string, wait time.Duration) (hearth.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return w.o.Commands.Wait(ctx, home, id)
}

type giveCommand struct {
	ID       string                  `json:"id,omitempty"` // the same id twice is the same command
	Device   hearth.ID               `json:"device"`
	Set      map[string]hearth.Value `json:"set"`
	Deadline hearth.Time             `json:"deadline,omitzero"` // default 5 minutes from now
}

func (w *Web) giveCommand(rw http.ResponseWriter, r *http.Request) error {
	home, err := w.of(r)
	if err != nil {
		return err
	}
	wait, err := api.ParseWait(r.URL.Query(), 0)
	if err != nil {
		return err
	}
	var body giveCommand
	if err := api.ReadJSON(rw, r, &body); err != nil {
		return err
	}
	record, err := w.do(r.Context(), home, hearth.Command{ID: body.ID, Device: body.Device, Set: body.Set, Deadline: body.Deadline}, wait)
	if err != nil {
		return err
	}
	status := http.StatusAccepted
	if record.Final {
		status = http.StatusOK
	}
	rw.Header().Set("Location", "/api/v1/homes/"+home+"/commands/"+record.ID)
	api.WriteJSON(rw, status, record)
	return nil
}

func (w *Web) listCommands(rw http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if query.Has("after") {
		return w.openCommands(rw, r)
	}
	home, err := w.anyToken(r, func(s hearth.Scope) bool { return s.Allows(hearth.ScopeRead) })
	if err != nil {
		return err
	}
	state := hearth.State(query.Get("state"))
	if state != "" && !slices.Contains(hearth.States, state) {
		return api.BadRequest("state: want one of %v", hearth.States)
	}
	records, err := w.o.Commands.Commands(r.Context(), home, hearth.ID(query.Get("device")), state)
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, records)
	return nil
}

// openCommands is what a gateway asks for whenever it connects.
func (w *Web) openCommands(rw http.ResponseWriter, r *http.Request) error {
	home, err := w.anyToken(r, func(s hearth.Scope) bool { return s == hearth.ScopeGateway || s == hearth.ScopeAdmin })
	if err != nil {
		return err
	}
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 63)
	if err != nil {
		return api.BadRequest("after: want the number of a command, or 0")
	}
	records, err := w.o.Commands.After(r.Context(), home, after)
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, records)
	return nil
}

func (w *Web) getCommand(rw http.ResponseWriter, r *http.Request) error {
	home, err := w.of(r)
	if err != nil {
		return err
	}
	wait, err := api.ParseWait(r.URL.Query(), 0)
	if err != nil {
		return err
	}
	record, err := w.wait(r.Context(), home, r.PathValue("id"), wait)
	if err != nil {
		return err
	}
	api.WriteJSON(rw, http.StatusOK, record)
	return nil
}

func (w *Web) history(rw http.ResponseWriter, r *http.Request) error {
	home, err := w.of(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	span, err := api.ParseRange(query, w.o.Now())
	if err != nil {
		return err
	}
	name, field := query.Get("series"), query.Get("field")
	device := hearth.ID(query.Get("device"))
	if device != "" {
		name, field = hearth.Measurement+",device="+string(device), query.Get("property")
	}
	if name == "" || field == "" {
		return api.BadRequest("want device= and property=, or series= and field=")
	}
	history, err := w.o.Series.History(home, name, field, span.From, span.To, span.Points)
	if err != nil {
		return err
	}
	if device != "" && len(history.Points) == 0 {
		if view, ok := w.device(home, device); !ok || view.Property(field) == nil {
			return hearth.Errorf(hearth.CodeNoDevice, "the home has no property %.200q of a device %.200q", field, string(device))
		}
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
	home, err := w.of(r)
	if err != nil {
		return err
	}
	only := hearth.ID(r.URL.Query().Get("device"))
	stream := api.Stream{
		Snapshot: func() []api.Event { return w.snapshot(r.Context(), home, only) },
		Still:    func() bool { return w.o.Auth.Still(r) },
	}
	if only != "" {
		stream.Match = func(e api.Event) bool { return e.Device == only }
	}
	defer w.hubs.left(home)
	return w.hubs.watch(home).Serve(rw, r, stream)
}

// snapshot is all that is true of a home now: its devices, the commands on their way, and its gateway's status.
func (w *Web) snapshot(ctx context.Context, home string, only hearth.ID) []api.Event {
	var events []api.Event
	for _, view := range w.o.Fleet.Devices(home) {
		if only == "" || view.ID == only {
			events = append(events, api.NewEvent(api.EventDevice, home, view.ID, view))
		}
	}
	records, err := w.o.Commands.Commands(ctx, home, only, "")
	if err != nil {
		w.o.Log.Error("reading the commands for a live view", "home", home, "err", err)
	}
	for _, record := range records {
		if !record.Final {
			events = append(events, api.NewEvent(api.EventCommand, home, record.Device, record))
		}
	}
	if details, err := w.o.Fleet.Details(ctx, home); err == nil && only == "" && details.Status != nil {
		events = append(events, api.NewEvent(api.EventStatus, home, "", details.Status))
	}
	return events
}
