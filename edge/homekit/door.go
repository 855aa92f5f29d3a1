package homekit

import (
	"context"
	"time"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"

	"hearth"
	"hearth/edge/homekit/hap"
)

const (
	by = "homekit" // who gives the commands

	// joinTime is how long half of a colour waits for the other half: phones write hue and saturation one after the other.
	joinTime = 30 * time.Millisecond
	// coverTime is how long a cover may take to where it was sent.
	coverTime = 90 * time.Second
)

// door is where the controllers of one bridge come in: it implements hap.Handler.
type door struct {
	b *Bridge
	u *unit
}

func (d door) thing(a *accessory.A) *thing {
	if a == nil {
		return nil
	}
	d.b.mu.Lock()
	defer d.b.mu.Unlock()
	return d.u.published[a]
}

// Read implements hap.Handler: what is fixed can always be read, the rest while the device is in reach or nobody would
// expect it to answer.
func (d door) Read(_ context.Context, a *accessory.A, c *characteristic.C) hap.Status {
	t := d.thing(a)
	if t == nil || t.sleepy {
		return hap.OK
	}
	if f := t.fields[c]; f != nil && f.read != nil && !t.reachable() {
		return hap.OutOfReach
	}
	return hap.OK
}

// Identify implements hap.Handler.
func (d door) Identify(a *accessory.A) {
	t := d.thing(a)
	if t == nil {
		d.b.log.Info("somebody asked which bridge this is", "bridge", d.u.name)
		return
	}
	t.mu.Lock()
	p := t.view.Property("identify")
	t.mu.Unlock()
	if p == nil || !p.Writable {
		return
	}
	if _, err := d.b.o.Home.Do(hearth.Command{Device: t.id, Set: map[string]hearth.Value{"identify": hearth.BoolOf(true)}, By: by}); err != nil {
		d.b.log.Warn("a device could not be asked to show itself", "device", t.id, "error", err)
	}
}

// Write implements hap.Handler: all that one request writes becomes one command. It answers when that is accepted; what
// became of it comes as an event.
func (d door) Write(_ context.Context, a *accessory.A, writes []hap.Write) []hap.Status {
	statuses := make([]hap.Status, len(writes))
	t := d.thing(a)
	if t == nil {
		return fill(statuses, hap.OutOfReach)
	}
	t.order.Lock()
	defer t.order.Unlock()
	set := d.wanted(t, writes, statuses)
	if failed := d.give(t, set); failed != hap.OK {
		for i := range statuses {
			if statuses[i] == hap.OK && t.keys[writes[i].Characteristic] == "" {
				statuses[i] = failed
			}
		}
	}
	return statuses
}

// wanted is what is to be set; nothing yet where half of a colour waits for the other.
func (d door) wanted(t *thing, writes []hap.Write, statuses []hap.Status) map[string]hearth.Value {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.view.Reachable {
		for i, w := range writes {
			statuses[i] = hap.OutOfReach
			if t.keys[w.Characteristic] != "" {
				statuses[i] = d.rename(t, w)
			}
		}
		return nil
	}
	waiting := t.held
	w := waiting
	if w == nil {
		w = newWish(t.knowledge())
	}
	clear(w.off)
	for i, write := range writes {
		f := t.fields[write.Characteristic]
		switch {
		case t.keys[write.Characteristic] != "":
			statuses[i] = d.rename(t, write)
		case f == nil || f.write == nil:
			statuses[i] = hap.ReadOnly
		default:
			statuses[i] = f.write(w, write.Value)
		}
		if statuses[i] == hap.OK && (f == nil || readable(write.Characteristic)) {
			t.shown[write.Characteristic] = write.Value
		}
	}
	t.held = nil
	if w.half() {
		t.held = w
		if waiting == nil {
			time.AfterFunc(joinTime, func() { d.flush(t, w) })
		}
		return nil
	}
	w.join()
	return w.command()
}

func readable(c *characteristic.C) bool { return c.IsReadable() }

func fill(statuses []hap.Status, with hap.Status) []hap.Status {
	for i := range statuses {
		statuses[i] = with
	}
	return statuses
}

// flush gives a colour whose other half never came.
func (d door) flush(t *thing, w *wish) {
	defer d.b.caught("joining a colour", t.id)
	t.order.Lock()
	defer t.order.Unlock()
	d.give(t, t.late(w))
}

// late is what a wish that has waited long enough asks for; nothing, where it was given already.
func (t *thing) late(w *wish) map[string]hearth.Value {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held != w {
		return nil
	}
	t.held, w.k = nil, t.knowledge() // what came in while it waited counts
	w.join()
	return w.command()
}

// give hands a command to the home.
func (d door) give(t *thing, set map[string]hearth.Value) hap.Status {
	if len(set) == 0 {
		return hap.OK
	}
	cmd := hearth.Command{ID: hearth.NewCommandID(), Device: t.id, Set: set, By: by}
	for name := range set {
		if p := t.cover(name); p {
			cmd.Deadline = hearth.Time{Time: d.b.now().Add(coverTime)}
		}
	}
	d.b.orders.begin(cmd) // the next write may come before the home's word of this one
	t.mu.Lock()
	t.targets = d.b.orders.of(t.id)
	t.mu.Unlock()
	_, err := d.b.o.Home.Do(cmd)
	if err != nil {
		d.b.orders.end(cmd)
		d.b.log.Warn("a command of a phone was refused", "device", t.id, "error", err)
		t.mu.Lock()
		clear(t.shown) // the next look tells again how it is
		t.mu.Unlock()
		d.b.nudge(t.id)
	}
	return status(err)
}

// cover reports whether a property takes as long as a cover does.
func (t *thing) cover(name string) bool {
	for _, f := range t.faces {
		for _, c := range f.fields {
			if c.c.Type == characteristic.TypeTargetPosition && len(c.uses) > 0 && c.uses[0] == name {
				return true
			}
		}
	}
	return false
}

// rename keeps what a person calls a service; t.mu is held.
func (d door) rename(t *thing, w hap.Write) hap.Status {
	name, ok := w.Value.(string)
	if !ok {
		return hap.Invalid
	}
	d.b.ids.Lock()
	defer d.b.ids.Unlock()
	if err := d.b.numbers.rename(t.id, t.keys[w.Characteristic], name); err != nil {
		d.b.log.Error("a name could not be kept", "device", t.id, "error", err)
		return hap.OutOfReach
	}
	return hap.OK
}
