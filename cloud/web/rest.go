package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/api"
)

func (w *Web) listDevices(rw http.ResponseWriter, r *http.Request) error {
	api.WriteJSON(rw, http.StatusOK, w.o.Fleet.Devices(of(r)))
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
	view, ok := w.device(of(r), hearth.ID(r.PathValue("id")))
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

// commands are those of the home that a request is about; their deadline is 5 minutes from now where none is given.
func (w *Web) commands(r *http.Request) (api.Commands, error) {
	home := of(r)
	return api.Commands{
		Do: func(ctx context.Context, cmd hearth.Command) (hearth.Record, error) {
			return w.o.Commands.Do(ctx, home, cmd, auditOf(r, api.Audited(ctx)))
		},
		Wait: func(ctx context.Context, id string) (hearth.Record, error) {
			return w.o.Commands.Wait(ctx, home, id)
		},
	}, nil
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
	device, state, err := api.ParseCommandFilter(query)
	if err != nil {
		return err
	}
	records, err := w.o.Commands.Commands(r.Context(), home, device, state)
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

func (w *Web) history(rw http.ResponseWriter, r *http.Request) error {
	home, query := of(r), r.URL.Query()
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
	if strings.HasPrefix(name, hearth.Measurement+",") {
		if history.Repaired, err = w.repaired(home, name, span); err != nil {
			return err
		}
	}
	if device != "" && len(history.Points) == 0 {
		if view, ok := w.device(home, device); !ok || view.Property(field) == nil {
			return hearth.Errorf(hearth.CodeNoDevice, "the home has no property %.200q of a device %.200q", field, string(device))
		}
	}
	api.WriteHistory(rw, history)
	return nil
}

const (
	mostSpans = 1000             // in one history
	oneSpan   = 10 * time.Minute // marks so near to each other belong to one stretch
)

// repaired returns where the readings of a series carry the mark of a repaired time.
func (w *Web) repaired(home, name string, span api.Range) ([]hearth.Span, error) {
	var spans []hearth.Span
	near := max(oneSpan, 2*span.To.Sub(span.From)/time.Duration(span.Points))
	err := w.o.Series.Points(home, name, hearth.ClockField, span.From, span.To, func(t int64, _ hearth.Value) bool {
		at := hearth.Time{Time: time.Unix(0, t).UTC()}
		if n := len(spans); n > 0 && at.Sub(spans[n-1].To.Time) <= near {
			spans[n-1].To = at
			return true
		}
		if len(spans) == mostSpans {
			return false
		}
		spans = append(spans, hearth.Span{From: at, To: at})
		return true
	})
	return spans, err
}

func (w *Web) events(rw http.ResponseWriter, r *http.Request) error {
	home := of(r)
	only := hearth.ID(r.URL.Query().Get("device"))
	stream := api.Stream{
		Snapshot: func() []api.Event { return w.snapshot(r.Context(), home, only) },
		Still:    func() bool { return w.o.Auth.Still(r, hearth.ScopeRead) },
		Match:    api.Only(only),
	}
	defer w.hubs.left(home)
	return w.hubs.watch(home).Serve(rw, r, stream)
}

// snapshot is all that is true of a home now: its devices, the commands on their way, and its gateway's status.
func (w *Web) snapshot(ctx context.Context, home string, only hearth.ID) []api.Event {
	devices := w.o.Fleet.Devices(home)
	records, err := w.o.Commands.Commands(ctx, home, only, "")
	if err != nil {
		w.o.Log.Error("reading the commands for a live view", "home", home, "err", err)
	}
	events := api.Present(home, only, devices, records)
	if details, err := w.o.Fleet.Details(ctx, home); err == nil && only == "" && details.Status != nil {
		events = append(events, api.NewEvent(api.EventStatus, home, "", details.Status))
	}
	return events
}
