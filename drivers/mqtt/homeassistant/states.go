package homeassistant

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

var (
	errPlatform = errors.New("this platform is not supported")
	errPartly   = errors.New("the rest of the device works")
)

// kept is a message that somebody may want later.
type kept struct {
	payload string
	time    time.Time
}

// deadline is what happens when nothing is heard: an entity expires, or falls back to false.
type deadline struct {
	device *device
	entity *entity
	off    bool
}

// touch marks a device as one to be told to the house.
func (d *Dialect) touch(dev *device) {
	now := time.Now()
	if len(d.dirty) == 0 {
		d.since = now
	}
	d.dirty[dev] = true
	d.due = now.Add(quiet)
	if latest := d.since.Add(longest); d.due.After(latest) {
		d.due = latest
	}
	d.wake(d.due)
}

// wake sees to it that tend runs at that time or sooner.
func (d *Dialect) wake(at time.Time) {
	if !d.live || d.waking.After(time.Now()) && !at.Before(d.waking) {
		return
	}
	d.waking = at
	if d.timer == nil {
		d.timer = time.AfterFunc(time.Until(at), d.tend)
		return
	}
	d.timer.Reset(max(0, time.Until(at)))
}

// next is the earliest of what is to be done.
func (d *Dialect) next(at time.Time) time.Time {
	if len(d.dirty) > 0 && d.due.Before(at) {
		at = d.due
	}
	for _, t := range d.deadlines {
		if t.Before(at) {
			at = t
		}
	}
	return at
}

// tend tells the house of devices, and sees to what has expired.
func (d *Dialect) tend() {
	d.mu.Lock()
	if !d.live {
		d.mu.Unlock()
		return
	}
	now := time.Now()
	var records map[string]string
	if len(d.dirty) > 0 && !now.Before(d.due) {
		records = d.tell()
	}
	for what, at := range d.deadlines {
		if !at.After(now) {
			delete(d.deadlines, what)
			d.expire(what, now)
		}
	}
	d.waking = time.Time{}
	if len(d.dirty) > 0 || len(d.deadlines) > 0 {
		at := d.next(now.Add(time.Hour))
		if soonest := now.Add(tick); at.Before(soonest) {
			at = soonest
		}
		d.wake(at)
	}
	d.mu.Unlock()
	for address, names := range records { // the disk is waited for without the lock
		d.remember(address, names)
	}
}

func (d *Dialect) remember(address, names string) {
	var err error
	if names == "" {
		err = d.env.Store.Delete(namesKey + address)
	} else {
		err = d.env.Store.Put(namesKey+address, []byte(names))
	}
	if err != nil {
		d.log.Error("keeping the names of properties", "device", address, "error", err)
	}
}

// tell announces what has changed and returns the names to be stored.
func (d *Dialect) tell() map[string]string {
	records := map[string]string{}
	for dev := range d.dirty {
		delete(d.dirty, dev)
		if len(dev.entities) == 0 {
			d.forget(dev)
		} else {
			d.present(dev)
		}
		if record := dev.record(); record != dev.stored {
			dev.stored, d.names[dev.id] = record, record
			if record == "" {
				delete(d.names, dev.id)
			}
			records[dev.id.Address()] = record
		}
	}
	return records
}

func (d *Dialect) forget(dev *device) {
	d.hang(dev, nil)
	delete(d.devices, dev.id)
	for _, alias := range dev.aliases {
		delete(d.aliases, alias)
	}
	for what := range d.deadlines {
		if what.device == dev {
			delete(d.deadlines, what)
		}
	}
	if dev.announced != nil {
		d.env.Bus.Forget(dev.id)
	}
}

// present announces a device as it is now, and lets it hear what was said before.
func (d *Dialect) present(dev *device) {
	for key, e := range dev.entities {
		if e.deviceName != dev.name {
			d.rename(key, e, dev)
		}
	}
	about := dev.rebuild()
	d.hang(dev, dev.wants())
	if dev.announced == nil || !reflect.DeepEqual(*dev.announced, about) {
		d.env.Bus.Announce(about)
		dev.announced = &about
	}
	if text := dev.refusals(); text != dev.unsupported {
		if dev.unsupported = text; text != "" {
			d.env.Bus.Report(hearth.Reading{Device: dev.id, Property: unsupported, Value: hearth.TextOf(text)})
		}
	}
	for _, l := range dev.listeners {
		if !l.seen && l.line.last != nil {
			d.hear(l, d.scopeOf(l.line.last), l.line.last.time, true)
		}
	}
}

// rename makes an entity anew in a device whose name is known by now.
func (d *Dialect) rename(key string, e *entity, dev *device) {
	from := e.source
	from.deviceName = dev.name
	if again := d.build(key, from); again != nil && d.placed[key] != nil {
		dev.entities[key], d.placed[key].entity = again, again
		delete(d.deadlines, deadline{dev, e, false})
		delete(d.deadlines, deadline{dev, e, true})
	}
}

// wants are the listeners of the device as it is now.
// What says whether an entity is there is heard before what it says, which may be in the same message.
func (d *device) wants() []*listener {
	var first, then []*listener
	reaches := map[string]*reach{}
	for _, e := range d.ordered() {
		for _, p := range e.points {
			name := e.named[p]
			if _, ok := d.bound[name]; !ok {
				continue
			}
			for i := range p.hearings {
				then = append(then, &listener{device: d, entity: e, property: name, hearing: &p.hearings[i]})
			}
		}
		if e.reach == nil {
			continue
		}
		key := e.reach.key
		if known := d.reaches[key]; known != nil {
			e.reach = known
		}
		if reaches[key] != nil {
			e.reach = reaches[key]
			continue
		}
		reaches[key] = e.reach
		for i := range e.reach.sources {
			first = append(first, &listener{device: d, entity: e, hearing: &e.reach.sources[i].hearing, reach: e.reach, source: i})
		}
	}
	d.reaches = reaches
	maps.DeleteFunc(d.heard, func(e *entity, _ bool) bool { return d.entities[e.key] != e })
	maps.DeleteFunc(d.expired, func(e *entity, _ bool) bool { return d.entities[e.key] != e })
	all := append(first, then...)
	return all[:min(len(all), maxHearings)]
}

// hang puts the device's listeners on their lines in place of the old ones.
func (d *Dialect) hang(dev *device, want []*listener) {
	seen := map[*hearing]string{}
	old := map[*line]bool{}
	for _, l := range dev.listeners {
		if l.seen {
			seen[l.hearing] = l.property
		}
		if !old[l.line] {
			old[l.line] = true
			l.line.listeners = slices.DeleteFunc(l.line.listeners, func(other *listener) bool { return other.device == dev })
		}
	}
	dev.listeners = nil
	for _, l := range want {
		line, fresh := d.board.line(l.hearing.topic)
		if line == nil {
			d.complain("too many topics are announced", string(dev.id), errTopic)
			continue
		}
		if fresh {
			d.env.Bus.Subscribe(line.filter)
		}
		property, before := seen[l.hearing]
		l.line, l.seen = line, before && property == l.property && dev.announced != nil
		line.listeners = append(line.listeners, l)
		dev.listeners = append(dev.listeners, l)
	}
	for line := range old {
		if len(line.listeners) == 0 {
			d.board.remove(line)
			d.env.Bus.Unsubscribe(line.filter)
		}
	}
}

// state takes in a message that is no announcement.
func (d *Dialect) state(m dialect.Message) {
	var s *scope
	d.board.each(m.Topic, func(l *line) {
		message := &kept{payload: string(m.Payload), time: m.Time}
		d.board.keep(l, message)
		if s == nil {
			s = d.scopeOf(message)
		}
		for _, listener := range l.listeners {
			listener.seen = false
			if listener.device.announced != nil {
				d.hear(listener, s, m.Time, m.Retained)
			}
		}
	})
}

const maxState = 256 << 10 // bytes of a payload that templates look into

func (d *Dialect) scopeOf(m *kept) *scope {
	s := &scope{value: m.payload, json: undefined{}}
	if len(m.payload) <= maxState {
		s.json = parseJSON([]byte(m.payload))
	}
	return s
}

// hear lets one listener take in a message.
func (d *Dialect) hear(l *listener, s *scope, at time.Time, retained bool) {
	l.seen = true
	dev := l.device
	own := &scope{value: s.value, json: s.json} // what one template sets is not for the next
	if l.reach != nil {
		l.reach.hear(l.source, own)
		d.reached(dev)
		return
	}
	b, ok := dev.bound[l.property]
	if !ok || b.Momentary && retained || l.entity.reach.refutes(l.hearing.topic) {
		return
	}
	v, err := l.hearing.worth(own)
	if err != nil {
		return
	}
	value := l.hearing.read(v, own)
	if value.IsZero() {
		return
	}
	if err := b.Accepts(value); err != nil {
		d.once.Warn(d.log, "value "+string(dev.id)+l.property, "a value does not fit its property", "device", dev.id, "error", err)
		return
	}
	d.heard(l, value, at, retained)
}

// heard reports a value, and what follows from it.
func (d *Dialect) heard(l *listener, value hearth.Value, at time.Time, retained bool) {
	dev := l.device
	b := dev.bound[l.property]
	again := retained && b.last == value // the broker says what it has kept: no news
	b.last = value
	dev.bound[l.property] = b
	readings := []hearth.Reading{{Device: dev.id, Property: l.property, Value: value, Time: at}}
	if dev.reachable != nil && !*dev.reachable { // to the house, what speaks is there; its own word weighs more
		readings = append(readings, hearth.Reading{Device: dev.id, Property: reachable, Value: hearth.BoolOf(false)})
	}
	if !again {
		d.env.Bus.Report(readings...)
	}
	if !retained {
		d.waiter.Heard(dev.id, l.property)
	}
	if l.entity.expire > 0 {
		dev.heard[l.entity], dev.expired[l.entity] = true, false
		d.after(deadline{dev, l.entity, false}, l.entity.expire)
		d.reached(dev)
	}
	if l.entity.offDelay > 0 {
		what := deadline{dev, l.entity, true}
		if delete(d.deadlines, what); value.Bool() {
			d.after(what, l.entity.offDelay)
		}
	}
}

const reachable = "reachable"

func (d *Dialect) after(what deadline, wait time.Duration) {
	at := time.Now().Add(wait)
	d.deadlines[what] = at
	d.wake(at)
}

const tick = 50 * time.Millisecond // deadlines are looked through no more often

// expire is a deadline that has passed.
func (d *Dialect) expire(what deadline, now time.Time) {
	dev := what.device
	if dev.entities[what.entity.key] != what.entity {
		return
	}
	if !what.off {
		dev.expired[what.entity] = true
		d.reached(dev)
		return
	}
	for _, p := range what.entity.points {
		if p.Kind == hearth.Bool && !p.WriteOnly {
			d.heard(&listener{device: dev, entity: what.entity, property: what.entity.named[p]}, hearth.BoolOf(false), now, true)
		}
	}
}

// reached reports whether the device is there, if that has changed.
func (d *Dialect) reached(dev *device) {
	there, known := dev.reach()
	if !known || dev.reachable != nil && *dev.reachable == there {
		return
	}
	dev.reachable = &there
	d.env.Bus.Report(hearth.Reading{Device: dev.id, Property: reachable, Value: hearth.BoolOf(there)})
}
