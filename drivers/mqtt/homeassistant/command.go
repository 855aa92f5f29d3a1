package homeassistant

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// How long an answer is waited for: of a device that may have nothing to say, since it is already so, only a moment.
const (
	patience = 10 * time.Second
	moment   = time.Second
)

// A task is what a command asks of one entity.
type task struct {
	publications []publication
	wait         *dialect.Wait // nil: the entity says nothing, or not reliably
	awaited      []string      // the properties that answer it
	settled      bool          // the values are already so
	assumed      []hearth.Reading
}

// Do implements dialect.Dialect: it publishes, and returns when the device has said its state, or where it never says
// any when the broker has the command.
func (d *Dialect) Do(ctx context.Context, cmd hearth.Command) error {
	tasks, err := d.plan(cmd)
	if err != nil {
		return err
	}
	defer giveUp(tasks)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, t := range tasks {
		for _, p := range t.publications {
			if err := d.env.Bus.Publish(ctx, p.topic, []byte(p.payload), false); err != nil {
				return fmt.Errorf("publishing to %s: %w", clip(p.topic), err)
			}
		}
		d.assume(t)
	}
	for _, t := range tasks {
		if err := t.answer(ctx); err != nil {
			return err
		}
	}
	return nil
}

// answer waits for the device's state.
func (t *task) answer(ctx context.Context) error {
	if t.wait == nil {
		return nil
	}
	enough := patience
	if t.settled {
		enough = moment
	}
	heard, err := t.wait.For(ctx, enough)
	switch {
	case heard, err == nil && t.settled:
		return nil
	case err != nil && ctx.Err() == nil:
		return err
	}
	return hearth.Errorf(hearth.CodeUnknownOutcome, "the command is sent, and the device has not said its state since")
}

// plan splits a command by entities and begins to wait for their states.
func (d *Dialect) plan(cmd hearth.Command) ([]*task, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dev := d.devices[cmd.Device]
	if dev == nil {
		return nil, hearth.Errorf(hearth.CodeNoDevice, "device %s is not known here", cmd.Device)
	}
	if !d.live {
		return nil, dialect.Offline()
	}
	if there, known := dev.reach(); known && !there {
		return nil, hearth.Errorf(hearth.CodeOffline, "%s says that it is not available", cmd.Device)
	}
	wishes := map[*entity]wish{}
	for _, name := range slices.Sorted(maps.Keys(cmd.Set)) {
		b, ok := dev.bound[name]
		switch {
		case !ok:
			return nil, hearth.Errorf(hearth.CodeNoDevice, "device %s has no property %s", cmd.Device, clip(name))
		case !b.Writable || b.entity.command == nil:
			return nil, hearth.Errorf(hearth.CodeReadOnly, "%s of %s cannot be set", name, cmd.Device)
		}
		if wishes[b.entity] == nil {
			wishes[b.entity] = wish{}
		}
		wishes[b.entity][b.point.Name] = cmd.Set[name]
	}
	for e, w := range wishes {
		if _, fades := w["transition"]; fades && len(w) == 1 {
			return nil, hearth.Errorf(hearth.CodeBadValue, "transition says how fast something changes: set that, too")
		}
		if !dev.paired(e, w) {
			return nil, hearth.Errorf(hearth.CodeBadValue, "%s takes color_x and color_y only together", cmd.Device)
		}
	}
	var tasks []*task
	for _, e := range dev.ordered() {
		if wishes[e] == nil {
			continue
		}
		publications, err := e.command(wishes[e])
		if err != nil {
			return nil, err
		}
		if len(publications) == 0 {
			return nil, hearth.Errorf(hearth.CodeBadValue, "%s takes these values only together with others", cmd.Device)
		}
		tasks = append(tasks, d.task(dev, e, publications, cmd))
	}
	for _, t := range tasks {
		if len(t.awaited) > 0 {
			t.wait = d.waiter.Begin(dev.id, t.awaited...)
		}
	}
	return tasks, nil
}

// paired adds the other half of a colour to a wish for one of them, as the lamp said it last; false if it never did.
func (d *device) paired(e *entity, w wish) bool {
	_, x := w["color_x"]
	_, y := w["color_y"]
	if x == y {
		return true
	}
	for _, b := range d.bound {
		if name := b.point.Name; b.entity == e && (name == "color_x" && !x || name == "color_y" && !y) && !b.last.IsZero() {
			w[name] = b.last
			return true
		}
	}
	return false
}

func (d *Dialect) task(dev *device, e *entity, publications []publication, cmd hearth.Command) *task {
	t := &task{publications: publications, settled: true}
	for name, want := range cmd.Set {
		b := dev.bound[name]
		if b.entity != e || b.WriteOnly {
			continue
		}
		if len(b.point.hearings) == 0 || e.optimistic {
			t.assumed = append(t.assumed, hearth.Reading{Device: dev.id, Property: name, Value: want})
			continue
		}
		t.awaited = append(t.awaited, name)
		t.settled = t.settled && alike(b.last, want)
	}
	if len(t.awaited) > 0 { // a lamp that is turned off by brightness 0 may only say that it is off
		for name, b := range dev.bound {
			if b.entity == e && b.point.Name == "on" && len(b.point.hearings) > 0 {
				t.awaited = append(t.awaited, name)
			}
		}
	}
	return t
}

// alike says that a device which is already so may have nothing new to say.
func alike(is, want hearth.Value) bool {
	if is.Kind() == hearth.Number && want.Kind() == hearth.Number {
		return math.Abs(is.Number()-want.Number()) <= 0.005*math.Abs(want.Number())
	}
	return is == want
}

// assume reports what an entity was told that never says its state, or asks to be believed.
func (d *Dialect) assume(t *task) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.live || len(t.assumed) == 0 {
		return
	}
	d.env.Bus.Report(t.assumed...)
}

func giveUp(tasks []*task) {
	for _, t := range tasks {
		if t.wait != nil {
			t.wait.End()
		}
	}
}
