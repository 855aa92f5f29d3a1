package fleet

import (
	"slices"
	"time"

	"hearth"
)

// A device is one of a home's inventory with what it said last.
type device struct {
	view    hearth.DeviceView
	last    []time.Time       // of each of the view's properties: its newest reading, momentary ones too
	targets map[string]target // nil until there is one
	rhythm  rhythm
}

type target struct {
	command string
	value   hearth.Value
}

func newDevice(view hearth.DeviceView) *device {
	d := &device{view: view, last: make([]time.Time, len(view.Properties))}
	for i := range view.Properties {
		d.last[i] = view.Properties[i].Time.Time
	}
	return d
}

// place returns where the property of that name is, -1 if there is none.
func (d *device) place(name string) int {
	for i := range d.view.Properties {
		if d.view.Properties[i].Name == name {
			return i
		}
	}
	return -1
}

// take keeps a reading if it is newer than what is known, and reports whether it is.
func (d *device) take(r hearth.Reading) bool {
	i := d.place(r.Property)
	if i < 0 || !r.Time.After(d.last[i]) || d.view.Properties[i].Kind != r.Value.Kind() {
		return false
	}
	p := &d.view.Properties[i]
	d.hear(p, r)
	d.last[i] = r.Time
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
	last := make([]time.Time, len(view.Properties))
	for i := range view.Properties {
		p := &view.Properties[i]
		last[i] = p.Time.Time
		at := d.place(p.Name)
		if at < 0 {
			continue
		}
		if old := &d.view.Properties[at]; old.Value != nil && old.Kind == p.Kind && old.Time.After(p.Time.Time) {
			p.Value, p.Time, p.Stale = old.Value, old.Time, old.Stale
		}
		if d.last[at].After(last[i]) {
			last[i] = d.last[at]
		}
	}
	if d.view.LastSeen.After(view.LastSeen.Time) {
		view.LastSeen = d.view.LastSeen
	}
	d.view, d.last = view, last
}

func (d *device) command(r hearth.Record) {
	for name, value := range r.Set {
		if d.targets == nil {
			d.targets = map[string]target{}
		}
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
