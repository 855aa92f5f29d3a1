package zigbee2mqtt

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"hearth"
)

// Do implements dialect.Dialect. It returns when the state that comes back holds one of the properties, or after a
// moment without a complaint where none of them is ever in a state.
func (d *Dialect) Do(ctx context.Context, cmd hearth.Command) error {
	d.mu.Lock()
	dev := d.devices[cmd.Device]
	if dev == nil {
		d.mu.Unlock()
		return hearth.Errorf(hearth.CodeNoDevice, "Zigbee2MQTT has no device %s", cmd.Device)
	}
	o, err := dev.order(d.ctx, cmd.Set)
	d.mu.Unlock()
	if err != nil {
		return err
	}
	for _, r := range o.requests {
		if err := d.request(ctx, dev.instance.base, r.word, r.data); err != nil {
			return err
		}
	}
	if o.refresh != nil {
		if err := d.env.Bus.Publish(ctx, o.topic+"/get", o.refresh, false); err != nil {
			return err
		}
	}
	if o.payload == nil {
		return nil
	}
	return d.set(ctx, cmd.Device, o)
}

// An order is what a command comes to.
type order struct {
	topic    string
	payload  []byte   // of the one message that sets everything; nil: nothing is set
	told     []string // properties that the state will hold
	untold   []string // those that it will not
	refresh  []byte   // of a message that asks
	requests []request
}

type request struct {
	word string
	data map[string]any
}

// order works out what to send; d.mu is held.
func (dev *device) order(connected context.Context, set map[string]hearth.Value) (o order, err error) {
	in := dev.instance
	switch {
	case connected == nil:
		return o, hearth.Errorf(hearth.CodeOffline, "the MQTT broker is gone")
	case in.known && !in.online:
		return o, hearth.Errorf(hearth.CodeOffline, "Zigbee2MQTT (%s) does not run", in.base)
	case dev.disabled:
		return o, hearth.Errorf(hearth.CodeOffline, "%s is disabled in Zigbee2MQTT", dev.ID)
	case dev.kind != coordinatorKind && dev.topic == "":
		return o, hearth.Errorf(hearth.CodeFailed, "%s has a name by which it cannot be reached: rename it in Zigbee2MQTT", dev.ID)
	}
	o.topic = dev.topic
	payload := map[string]any{}
	for name, v := range set {
		p, ok := dev.Property(name)
		if !ok {
			return o, hearth.Errorf(hearth.CodeNoDevice, "%s has no %s", dev.ID, name)
		}
		if !p.Writable {
			return o, hearth.Errorf(hearth.CodeReadOnly, "%s of %s cannot be set", name, dev.ID)
		}
		if dev.special(&o, name, v) {
			continue
		}
		if name == "transition" {
			payload[name] = v.Number()
			continue
		}
		at := slices.IndexFunc(dev.fields, func(f *field) bool { return f.Name == name })
		if at < 0 || dev.fields[at].write == nil {
			return o, hearth.Errorf(hearth.CodeReadOnly, "%s of %s cannot be set", name, dev.ID)
		}
		f := dev.fields[at]
		theirs := f.write(v)
		if theirs == nil {
			return o, hearth.Errorf(hearth.CodeBadValue, "%s of %s cannot be set to %s", name, dev.ID, v)
		}
		put(payload, f.path, theirs)
		if f.WriteOnly || f.Momentary {
			o.untold = append(o.untold, name)
		} else {
			o.told = append(o.told, name)
			dev.wanted[name] = true
		}
	}
	if _, ok := payload["transition"]; ok && len(payload) == 1 {
		return o, hearth.Errorf(hearth.CodeBadValue, "transition says how fast something changes: set that, too")
	}
	if len(payload) > 0 {
		o.payload, err = json.Marshal(payload)
	}
	return o, err
}

// special takes the words that are no part of a device's state.
func (dev *device) special(o *order, name string, v hearth.Value) bool {
	ask := func(word string, data map[string]any) {
		o.requests = append(o.requests, request{word, data})
	}
	switch {
	case dev.kind == coordinatorKind && name == "pairing":
		dev.wanted = map[string]bool{name: true}
		ask("permit_join", map[string]any{"time": int(v.Number())})
	case dev.kind != deviceKind:
		return false
	case name == "remove":
		if v.Bool() {
			ask("device/remove", map[string]any{"id": dev.address})
		}
	case name == "reinterview":
		if v.Bool() {
			ask("device/interview", map[string]any{"id": dev.address})
		}
	case name == "refresh" && dev.get() != nil:
		if v.Bool() {
			o.refresh = dev.get()
		}
	default:
		return false
	}
	return true
}

// put writes v where path says.
func put(payload map[string]any, path []string, v any) {
	for _, key := range path[:len(path)-1] {
		inner, ok := payload[key].(map[string]any)
		if !ok {
			inner = map[string]any{}
			payload[key] = inner
		}
		payload = inner
	}
	payload[path[len(path)-1]] = v
}

// set sends everything in one message and waits for what comes back.
func (d *Dialect) set(ctx context.Context, id hearth.ID, o order) error {
	properties, limit := o.told, answerTime
	if len(o.told) == 0 {
		properties, limit = o.untold, writeOnly
	}
	wait := d.waiter.Begin(id, properties...)
	defer wait.End()
	if err := d.env.Bus.Publish(ctx, o.topic+"/set", o.payload, false); err != nil {
		return err
	}
	heard, err := wait.For(ctx, limit)
	switch {
	case err != nil:
		return err
	case !heard && len(o.told) > 0:
		return hearth.Errorf(hearth.CodeUnknownOutcome, "Zigbee2MQTT has not answered within %v", answerTime)
	}
	return nil
}

// request sends one to the bridge and waits for its response.
func (d *Dialect) request(ctx context.Context, base, word string, data map[string]any) error {
	transaction := hearth.NewCommandID()
	data["transaction"] = transaction
	payload, err := json.Marshal(data)
	if err != nil {
		return err
	}
	wait := d.waiter.Begin(hearth.ID("request:" + transaction))
	defer wait.End()
	if err := d.env.Bus.Publish(ctx, base+"/bridge/request/"+word, payload, false); err != nil {
		return err
	}
	heard, err := wait.For(ctx, answerTime)
	if err == nil && !heard {
		return hearth.Errorf(hearth.CodeUnknownOutcome, "Zigbee2MQTT has not answered within %v", answerTime)
	}
	return err
}

// saidAt is when a device said what a message holds, by its last_seen: zero, which is now, where that is as good as now.
// What Zigbee2MQTT remembers, or the broker has kept, keeps its own time.
func (d *Dialect) saidAt(lastSeen any, arrived time.Time) time.Time {
	var said time.Time
	switch v := lastSeen.(type) {
	case string:
		said, _ = time.Parse(time.RFC3339Nano, v)
	case float64:
		if v > 0 && v < 1e15 {
			said = time.UnixMilli(int64(v))
		}
	}
	said = d.env.Plausible(said)
	if off := arrived.Sub(said); off < clockSlack && off > -clockSlack {
		return time.Time{}
	}
	return said
}
