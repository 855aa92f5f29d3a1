package zigbee2mqtt

import (
	"slices"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// state takes in a message with a device's state: all that Zigbee2MQTT knows of it, new or not.
func (dev *device) state(m dialect.Message) {
	d := dev.instance.d
	if len(m.Payload) == 0 { // the topic was cleared: it was renamed or has left
		return
	}
	var state map[string]any
	if err := dialect.ReadJSON(m.Payload, &state); err != nil {
		d.once.Warn(d.env.Log, "state "+string(dev.ID), "a device's state cannot be read (said once)", "device", dev.ID, "error", err)
		return
	}
	at := d.saidAt(state["last_seen"], m.Time)
	readings, names, learnt := dev.read(state, at)
	press, pressed := dev.press(state, m)
	if learnt || pressed && dev.learns(press) {
		dev.announce()
	}
	dev.heard = dev.heard || len(readings) > 0
	if m.Retained { // the broker says again what it has kept: no news
		readings = slices.DeleteFunc(readings, func(r hearth.Reading) bool { return dev.values[r.Property].value == r.Value })
	}
	if len(readings) > 0 {
		dev.tell(dev.gone(), readings...)
	}
	if p, known := dev.Property(press.Property); pressed && known && p.Accepts(press.Value) == nil {
		d.env.Bus.Report(press)
	}
	if !m.Retained {
		d.waiter.Heard(dev.ID, names...)
	}
}

// read makes readings of a state. What a device was not announced to say is learnt, within bounds, or left out.
func (dev *device) read(state map[string]any, at time.Time) (readings []hearth.Reading, names []string, learnt bool) {
	d := dev.instance.d
	for _, f := range dev.fields {
		if f.read == nil {
			continue
		}
		v := find(state, f.path)
		if f.Name == "lock" && state["lock_state"] == "not_fully_locked" {
			v = state["lock_state"]
		}
		if v == nil {
			continue
		}
		value := f.read(v)
		if value.Kind() != f.Kind {
			if _, composite := v.(map[string]any); !composite {
				d.once.Warn(d.env.Log, "value "+string(dev.ID)+f.Name, "a device says what cannot be (said once)", "device", dev.ID, "property", f.Name)
			}
			continue
		}
		if f.Accepts(value) != nil {
			if !f.widen(value) {
				d.once.Warn(d.env.Log, "value "+string(dev.ID)+f.Name, "a device says what cannot be (said once)", "device", dev.ID, "property", f.Name, "value", value)
				continue
			}
			learnt = true
		}
		if !dev.roomFor(f.Name, value, readings) {
			d.once.Warn(d.env.Log, "texts "+string(dev.ID), "a device says more texts than there is room for (said once)", "device", dev.ID, "property", f.Name)
			continue
		}
		readings = append(readings, hearth.Reading{Device: dev.ID, Property: f.Name, Value: value, Time: at})
		names = append(names, f.Name)
	}
	return readings, names, learnt
}

// Limits on the texts that a device says. A learnt code of an infrared sender has some two thousand bytes.
const (
	shortText = 256
	longTexts = 16 << 10 // bytes of all that are longer
)

// roomFor reports whether a value is short, or is kept with the other long ones of what the device said and is saying.
func (dev *device) roomFor(name string, value hearth.Value, saying []hearth.Reading) bool {
	size := len(value.Text())
	if size <= shortText {
		return true
	}
	add := func(v hearth.Value) {
		if n := len(v.Text()); n > shortText {
			size += n
		}
	}
	for property, held := range dev.values {
		if property != name && !slices.ContainsFunc(saying, func(r hearth.Reading) bool { return r.Property == property }) {
			add(held.value)
		}
	}
	for _, r := range saying {
		add(r.Value)
	}
	return size <= longTexts
}

// widen lets the property take an option that the definition does not name, or a number beyond the range that may be
// set: definitions are written by hand. The house's own ranges stay.
func (f *field) widen(v hearth.Value) bool {
	usual := word(f.Name)
	switch {
	case v.Kind() == hearth.Text && len(f.Options) > 0 && len(f.Options) < maxOptions && len(v.Text()) <= 64:
		f.Options = append(slices.Clone(f.Options), v.Text())
	case v.Kind() == hearth.Number && f.Min != nil && f.Max != nil && f.Writable && (usual.Min == nil || *usual.Min != *f.Min || *usual.Max != *f.Max):
		f.Property = f.Within(min(*f.Min, v.Number()), max(*f.Max, v.Number()))
	default:
		return false
	}
	return true
}

func find(state map[string]any, path []string) any {
	for _, key := range path[:len(path)-1] {
		state, _ = state[key].(map[string]any)
	}
	return state[path[len(path)-1]]
}

// press is the button that a message says was pressed, by a message that is not kept.
func (dev *device) press(state map[string]any, m dialect.Message) (r hearth.Reading, pressed bool) {
	action, ok := state["action"].(string)
	if !ok || action == "" || m.Retained || dev.buttons == nil || len(action) > 64 {
		return hearth.Reading{}, false
	}
	name, press := dev.buttons.parse(action)
	if name == "" || press == "" {
		return hearth.Reading{}, false
	}
	return hearth.Reading{Device: dev.ID, Property: name, Value: hearth.TextOf(press)}, true
}

// learns adds a press that the definition does not name, if there is room.
func (dev *device) learns(press hearth.Reading) bool {
	return dev.buttons.learn(press.Property, press.Value.Text())
}
