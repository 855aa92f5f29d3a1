package fleet

import (
	"slices"
	"time"

	"hearth"
)

// A device is one of a home's inventory with what it said last.
type device struct {
	view    hearth.DeviceView
	last    map[string]time.Time // of each property's newest reading, momentary ones too
	targets map[string]target
}

type target struct {
	command string
	value   hearth.Value
}

func newDevice(view hearth.DeviceView) *device {
	d := &device{view: view, last: make(map[string]time.Time, len(view.Properties)), targets: map[string]target{}}
	for _, p := range view.Properties {
		d.last[p.Name] = p.Time.Time
	}
	return d
}

// take keeps a reading if it is newer than what is known, and reports whether it is.
func (d *device) take(r hearth.Reading) bool {
	p := d.view.Property(r.Property)
	if p == nil || p.Kind != r.Value.Kind() || !r.Time.After(d.last[r.Property]) {
		return false
	}
	d.last[r.Property] = r.Time
	at, value := hearth.Time{Time: r.Time.UTC()}, r.Value
	if !p.Momentary && !p.WriteOnly {
		p.Value, p.Time, p.Stale = &value, at, false
	}
	unreachable := r.Property == "reachable" && !r.Value.Bool()
	if r.Property == "reachable" {
		d.view.Reachable = r.Value.Bool()
	}
	if !unreachable && at.After(d.view.LastSeen.Time) {
		d.view.LastSeen = at
	}
	return true
}

// replace takes a new description, keeping values that are newer than its own.
func (d *device) replace(view hearth.DeviceView) {
	for i := range view.Properties {
		p := &view.Properties[i]
		old := d.view.Property(p.Name)
		if old != nil && old.Value != nil && old.Kind == p.Kind && old.Time.After(p.Time.Time) {
			p.Value, p.Time, p.Stale = old.Value, old.Time, old.Stale
		}
		if p.Time.After(d.last[p.Name]) {
			d.last[p.Name] = p.Time.Time
		}
	}
	if d.view.LastSeen.After(view.LastSeen.Time) {
		view.LastSeen = d.view.LastSeen
	}
	d.view = view
}

func (d *device) command(r hearth.Record) {
	for name, value := range r.Set {
		if !r.Final {
			d.targets[name] = target{r.ID, value}
		} else if d.targets[name].command == r.ID {
			delete(d.targets, name)
		}
	}
}

// shown returns a copy for others. Values of a home that is dark are stale whatever they were.
func (d *device) shown(dark bool) hearth.DeviceView {
	view := d.view
	view.Properties = slices.Clone(view.Properties)
	for i := range view.Properties {
		p := &view.Properties[i]
		p.Stale = p.Stale || dark && p.Value != nil
		if t, ok := d.targets[p.Name]; ok {
			p.Target = &t.value
		}
	}
	return view
}

// described is the view without what changes all the time, to tell whether the device itself has changed.
func described(view hearth.DeviceView) hearth.DeviceView {
	view.LastSeen = hearth.Time{}
	view.Properties = slices.Clone(view.Properties)
	for i := range view.Properties {
		p := &view.Properties[i]
		p.Value, p.Time, p.Target, p.Stale = nil, hearth.Time{}, nil, false
	}
	return view
}

// sameValues tells whether two views with the same properties say the same: an inventory may bring values that were
// never reported here, as after a restart.
func sameValues(a, b hearth.DeviceView) bool {
	return slices.EqualFunc(a.Properties, b.Properties, func(p, q hearth.PropertyView) bool {
		same := p.Value == nil && q.Value == nil || p.Value != nil && q.Value != nil && *p.Value == *q.Value
		return same && p.Stale == q.Stale && p.Time.Equal(q.Time.Time)
	})
}

// A property of an inventory may not claim what would break those who read it.
func check(view *hearth.DeviceView) error {
	d := hearth.Device{ID: view.ID, Properties: make([]hearth.Property, len(view.Properties))}
	for i, p := range view.Properties {
		d.Properties[i] = p.Property
	}
	if err := d.Check(); err != nil {
		return err
	}
	for i := range view.Properties {
		p := &view.Properties[i]
		p.Target = nil
		if p.Value != nil && (p.Value.Kind() != p.Kind || len(p.Value.Text()) > hearth.MaxText) {
			p.Value, p.Time = nil, hearth.Time{}
		}
	}
	if view.Properties == nil {
		view.Properties = []hearth.PropertyView{}
	}
	return nil
}
