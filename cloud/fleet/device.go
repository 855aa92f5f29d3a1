package fleet

import (
	"reflect"
	"slices"
	"time"

	"hearth"
)

// A device is one of a home's inventory with what it said last.
type device struct {
	view       hearth.DeviceView // without its properties: thousands of homes have the same ones
	properties []hearth.Property // of the wordbook: never written to
	known      []known           // of each
	targets    map[string]target // nil until there is one
	rhythm     rhythm
}

// known is what is known of a property.
type known struct {
	value hearth.Value // zero if there is none
	time  int64        // of the value, unix µs; 0: none
	last  int64        // of its newest reading, momentary ones too
	stale bool
}

type target struct {
	command string
	value   hearth.Value
}

// micros is t, 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(micros int64) hearth.Time {
	if micros == 0 {
		return hearth.Time{}
	}
	return hearth.Time{Time: time.UnixMicro(micros).UTC()}
}

// newDevice returns a device that is as view says, whose properties are these.
func newDevice(view hearth.DeviceView, properties []hearth.Property) *device {
	d := &device{properties: properties, known: knownOf(view.Properties)}
	d.describe(view)
	return d
}

func (d *device) describe(view hearth.DeviceView) {
	view.Properties = nil
	d.view = view
}

func knownOf(views []hearth.PropertyView) []known {
	all := make([]known, len(views))
	for i := range views {
		p := &views[i]
		all[i] = known{time: micros(p.Time.Time), last: micros(p.Time.Time), stale: p.Stale}
		if p.Value != nil {
			all[i].value = *p.Value
		}
	}
	return all
}

// place returns where the property of that name is, -1 if there is none.
func (d *device) place(name string) int {
	for i := range d.properties {
		if d.properties[i].Name == name {
			return i
		}
	}
	return -1
}

// take keeps a reading if it is newer than what is known, and reports whether it is.
func (d *device) take(r hearth.Reading) bool {
	i, at := d.place(r.Property), micros(r.Time)
	if i < 0 || at <= d.known[i].last || d.properties[i].Kind != r.Value.Kind() {
		return false
	}
	p, k := &d.properties[i], &d.known[i]
	d.hear(p, k, r)
	k.last = at
	if !p.Momentary && !p.WriteOnly {
		k.value, k.time, k.stale = r.Value, at, false
	}
	unreachable := r.Property == "reachable" && !r.Value.Bool()
	if r.Property == "reachable" {
		d.view.Reachable = r.Value.Bool()
	}
	if !unreachable && r.Time.After(d.view.LastSeen.Time) {
		d.view.LastSeen = hearth.Time{Time: r.Time.UTC()}
	}
	return true
}

// replace takes a new description, keeping values that are newer than its own, and reports whether that changed
// anything: an inventory may bring values that were never reported here, as after a restart.
func (d *device) replace(view hearth.DeviceView, properties []hearth.Property) (changed bool) {
	fresh := knownOf(view.Properties)
	for i := range fresh {
		k, at := &fresh[i], d.place(properties[i].Name)
		if at < 0 {
			continue
		}
		old := d.known[at]
		if !old.value.IsZero() && d.properties[at].Kind == properties[i].Kind && old.time > k.time {
			k.value, k.time, k.stale = old.value, old.time, old.stale
		}
		k.last = max(k.last, old.last)
	}
	if d.view.LastSeen.After(view.LastSeen.Time) {
		view.LastSeen = d.view.LastSeen
	}
	before, same := d.view, slices.EqualFunc(d.known, fresh, func(a, b known) bool {
		return a.value == b.value && a.stale == b.stale && a.time == b.time
	})
	d.describe(view)
	before.LastSeen = d.view.LastSeen
	same = same && reflect.DeepEqual(before, d.view) && reflect.DeepEqual(d.properties, properties)
	d.properties, d.known = properties, fresh
	return !same
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
	if len(d.targets) == 0 {
		d.targets = nil
	}
}

// shown returns the device for others. Values of a home that is dark are stale whatever they were.
func (d *device) shown(dark bool) hearth.DeviceView {
	var s showing
	return *s.of(d, dark)
}

// A showing makes one view after the other in the same place.
type showing struct {
	view   hearth.DeviceView
	values []hearth.Value
}

// of shows a device until it shows the next one.
func (s *showing) of(d *device, dark bool) *hearth.DeviceView {
	properties := slices.Grow(s.view.Properties[:0], len(d.properties))[:len(d.properties)]
	if properties == nil {
		properties = []hearth.PropertyView{}
	}
	s.values = slices.Grow(s.values[:0], len(d.known))[:len(d.known)]
	s.view = d.view
	s.view.Properties = properties
	for i := range properties {
		p, k := &properties[i], &d.known[i]
		*p = hearth.PropertyView{Property: d.properties[i], Time: timeOf(k.time), Stale: k.stale}
		if !k.value.IsZero() {
			s.values[i] = k.value
			p.Value, p.Stale = &s.values[i], k.stale || dark
		}
		if t, ok := d.targets[p.Name]; ok {
			p.Target = &t.value
		}
	}
	return &s.view
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
