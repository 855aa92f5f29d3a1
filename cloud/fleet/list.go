package fleet

import (
	"context"
	"slices"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

// saveEvery is how much of "last seen" a kill may cost.
const saveEvery = 30 * time.Second

// Run stores what is remembered of the homes now and then, and once more when ctx ends. Where several receivers share a
// database it also takes over what the others stored.
func (f *Fleet) Run(ctx context.Context) error {
	save, look := time.NewTicker(saveEvery), time.NewTicker(5*time.Second)
	defer save.Stop()
	defer look.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			return f.save(last)
		case <-save.C:
			err = f.save(ctx)
		case <-look.C:
			f.listen()
			if f.o.Accounts.Shared() {
				err = f.load(ctx, f.o.Now().Add(-time.Minute).UnixMilli())
			}
		}
		if err != nil && ctx.Err() == nil {
			f.o.Log.Error("the homes could not be stored or read; it is tried again", "err", err)
		}
	}
}

// Homes returns the views of these homes.
func (f *Fleet) Homes(homes []accounts.Home) []hearth.HomeView {
	f.mu.Lock()
	defer f.mu.Unlock()
	views, now := make([]hearth.HomeView, 0, len(homes)), f.o.Now()
	for _, h := range homes {
		views = append(views, f.view(h, now))
	}
	return views
}

func (f *Fleet) view(account accounts.Home, now time.Time) hearth.HomeView {
	view := hearth.HomeView{ID: account.ID, Name: account.Name, Tenant: account.Tenant, AlertKinds: []string{}}
	if h := f.homes[account.ID]; h != nil {
		view.Online, view.LastSeen, view.Backlog = h.online, h.sighting.LastSeen, h.sighting.Backlog
		alerts := f.alerts(account.ID, h, now)
		view.Version, view.Alerts = h.sighting.State.Version, len(alerts)
		for _, alert := range alerts {
			if !slices.Contains(view.AlertKinds, alert.Kind) {
				view.AlertKinds = append(view.AlertKinds, alert.Kind)
			}
		}
	}
	return view
}

// Details returns a home with what is wrong and what its gateway says of itself; code not_found if there is none.
func (f *Fleet) Details(ctx context.Context, id string) (hearth.HomeDetails, error) {
	account, err := f.o.Accounts.Home(ctx, id)
	if err != nil {
		return hearth.HomeDetails{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.o.Now()
	d := hearth.HomeDetails{HomeView: f.view(account, now), AlertList: []hearth.Alert{}}
	if h := f.homes[account.ID]; h != nil {
		d.AlertList, d.Status = append(d.AlertList, f.alerts(account.ID, h, now)...), h.sighting.Status
	}
	return d, nil
}

// alerts are the home's open ones, or, where nobody keeps alerts, what is wrong just now.
func (f *Fleet) alerts(id string, h *home, now time.Time) (alerts []hearth.Alert) {
	if f.o.Alerts != nil {
		return f.o.Alerts(id)
	}
	conditions, _ := h.wrong(now, f.opened)
	for _, c := range conditions {
		if !c.Keeps {
			alerts = append(alerts, hearth.Alert{Kind: c.Kind, About: c.About, Detail: c.Detail, Severity: c.Severity})
		}
	}
	return alerts
}

// dark reports whether a gateway that was seen before has been away too long.
func (h *home) dark(now time.Time) bool {
	return !h.online && !h.sighting.LastSeen.IsZero() && now.Sub(h.sighting.LastSeen.Time) > DarkAfter
}

// Devices returns a home's devices in the order of its inventory, then those without a gateway.
func (f *Fleet) Devices(id string) []hearth.DeviceView {
	f.mu.Lock()
	defer f.mu.Unlock()
	views := []hearth.DeviceView{}
	if h := f.homes[id]; h != nil {
		dark := h.dark(f.o.Now())
		for _, d := range h.devices {
			views = append(views, d.shown(dark))
		}
		for _, d := range h.sortedDirect() {
			if h.byID[d.view.ID] == nil {
				views = append(views, d.shown(!d.view.Reachable))
			}
		}
	}
	return views
}

// Device returns one of a home's devices.
func (f *Fleet) Device(id string, device hearth.ID) (hearth.DeviceView, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.homes[id]
	if h == nil {
		return hearth.DeviceView{}, false
	}
	if d := h.byID[device]; d != nil {
		return d.shown(h.dark(f.o.Now())), true
	}
	if d := h.direct[device]; d != nil {
		return d.shown(!d.view.Reachable), true
	}
	return hearth.DeviceView{}, false
}

// A Tally is how the homes are, taken together.
type Tally struct {
	Online         int    // homes
	Backlog        uint64 // readings that wait on the gateways, as they said last …
	LargestBacklog uint64 // … and on the one where most wait
}

// Count returns how the homes are.
func (f *Fleet) Count() (t Tally) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range f.homes {
		if h.online {
			t.Online++
		}
		t.Backlog += h.sighting.Backlog
		t.LargestBacklog = max(t.LargestBacklog, h.sighting.Backlog)
	}
	return t
}

func unix(ns int64) time.Time { return time.Unix(0, ns).UTC() }
