package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"hearth"
	"hearth/edge/home"
)

const (
	joinTime  = 50 * time.Millisecond // changes of a device within it are one message
	birthTime = 10 * time.Second      // at most so often everything is published because somebody asks
)

// A publisher tells a broker what the home is like: everything at first, and then what changes.
type publisher struct {
	f    *Face
	link link
	left *left

	shown map[hearth.ID]*shown
	dirty map[hearth.ID]bool // to be looked at; true: to be published even if nothing changed
	join  *time.Timer        // until dirty ones are looked at
	due   bool               // join runs

	asked   bool // everything is to be published again, as soon as rest ends
	rest    *time.Timer
	resting bool
}

// shown is what the broker has of a device.
type shown struct {
	state, available, config string
	momentary                map[string]bool
}

func newPublisher(f *Face, l link, kept *left) *publisher {
	p := &publisher{f: f, link: l, left: kept, shown: map[hearth.ID]*shown{}, dirty: map[hearth.ID]bool{}}
	p.join, p.rest = time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	return p
}

func (p *publisher) run(ctx context.Context, heard *home.Subscription) error {
	defer p.join.Stop()
	defer p.rest.Stop()
	if err := p.begin(); err != nil {
		return err
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err = <-p.link.lost():
			if err == nil {
				err = errors.New("the broker is gone")
			}
		case e := <-heard.C():
			err = p.note(e)
		case m := <-p.f.answers:
			err = p.publish(m)
		case <-p.f.reborn:
			p.ask()
		case <-p.rest.C:
			p.resting = false
			if p.asked {
				p.ask()
			}
		case <-p.join.C:
			p.due = false
			err = p.flush()
		}
		if err != nil {
			return err
		}
		if heard.Lost() {
			p.all(false) // what came meanwhile is looked at in the home itself; a press that was lost stays lost
		}
	}
}

// begin publishes everything, and that the gateway is there.
func (p *publisher) begin() error {
	p.all(true)
	if err := p.flush(); err != nil {
		return err
	}
	return p.publish(message{topic: gatewayTopic, payload: []byte(online), retain: true})
}

// ask publishes everything again, but not all the time.
func (p *publisher) ask() {
	if p.resting {
		p.asked = true
		return
	}
	p.asked, p.resting = false, true
	p.rest.Reset(birthTime)
	p.all(true)
}

// all marks every device, and those that are there no more.
func (p *publisher) all(force bool) {
	for id := range p.left.Devices {
		p.mark(id, false)
	}
	for _, d := range p.f.o.Home.Devices() {
		p.mark(d.ID, force)
	}
}

func (p *publisher) mark(id hearth.ID, force bool) {
	p.dirty[id] = p.dirty[id] || force
	if !p.due {
		p.due = true
		p.join.Reset(joinTime)
	}
}

// note takes an event of the home.
func (p *publisher) note(e home.Event) error {
	switch {
	case e.Forgotten != "":
		p.mark(e.Forgotten, false)
	case e.Kind == home.KindDevice:
		p.mark(e.Device.ID, false)
	case e.Kind == home.KindReading:
		return p.heard(e.Reading)
	case e.Kind == home.KindCommand:
		return p.tell(p.f.topics.command(e.Command.Device), e.Command)
	}
	return nil
}

// heard publishes what is momentary at once, each for itself; what is a state changes the device's.
func (p *publisher) heard(r hearth.Reading) error {
	if p.momentary(r) {
		return p.tell(p.f.topics.event(r.Device, r.Property), hearth.LiveReading{Value: r.Value, Time: timeOf(r)})
	}
	p.mark(r.Device, false)
	return nil
}

// timeOf is null while the clock cannot be believed.
func timeOf(r hearth.Reading) hearth.Time {
	if r.Untrusted {
		return hearth.Time{}
	}
	return hearth.Time{Time: r.Time}
}

func (p *publisher) momentary(r hearth.Reading) bool {
	if s := p.shown[r.Device]; s != nil {
		if is, known := s.momentary[r.Property]; known {
			return is
		}
	}
	view, _ := p.f.o.Home.Device(r.Device) // of a device that was announced a moment ago
	property := view.Property(r.Property)
	return property != nil && property.Momentary
}

func (p *publisher) tell(topic string, what any) error {
	data, err := json.Marshal(what)
	if err != nil {
		p.f.o.Log.Error("a message could not be written", "topic", topic, "error", err)
		return nil
	}
	return p.publish(message{topic: topic, payload: data})
}

func (p *publisher) publish(m message) error {
	p.f.count(func(s *Stats) { s.Published++ })
	return p.link.publish(m)
}

// flush looks at the devices that changed and publishes what is other than before. What is left on the broker is
// written down before it is there.
func (p *publisher) flush() error {
	var there []hearth.DeviceView
	var gone []hearth.ID
	for id := range p.dirty {
		if view, ok := p.f.o.Home.Device(id); ok {
			there = append(there, view)
		} else {
			gone = append(gone, id)
		}
	}
	force := p.dirty
	p.dirty = map[hearth.ID]bool{}
	slices.SortFunc(there, func(a, b hearth.DeviceView) int { return compareIDs(a.ID, b.ID) })
	slices.SortFunc(gone, compareIDs)
	updates := make([]update, 0, len(there))
	for _, view := range there {
		updates = append(updates, p.look(view, force[view.ID]))
	}
	p.save()
	for _, u := range updates {
		if err := p.send(u); err != nil {
			return err
		}
	}
	for _, id := range gone {
		if err := p.remove(id); err != nil {
			return err
		}
	}
	p.save()
	return nil
}

func compareIDs(a, b hearth.ID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// save keeps what is left on the broker, where that changed. Without it everything works until devices go while the
// gateway is down.
func (p *publisher) save() {
	if err := p.left.save(p.f.o.Store); err != nil {
		p.f.o.Log.Error("what is left on the broker could not be written down", "error", err)
	}
}

// An update is what is to be published of one device, in that order.
type update struct {
	id       hearth.ID
	messages []message
	after    shown
}

// look compares a device with what the broker has of it.
func (p *publisher) look(d hearth.DeviceView, force bool) update {
	was := p.shown[d.ID]
	if was == nil || force {
		was = &shown{}
	}
	t, u := p.f.topics, update{id: d.ID}
	u.after = shown{state: string(stateOf(p.f.words, &d)), available: offline, momentary: map[string]bool{}}
	if d.Reachable {
		u.after.available = online
	}
	for _, property := range d.Properties {
		u.after.momentary[property.Name] = property.Momentary
	}
	u.announce(p, &d, was)
	if u.after.state != was.state {
		u.add(t.state(d.ID), u.after.state)
	}
	if u.after.available != was.available {
		u.add(t.available(d.ID), u.after.available)
	}
	return u
}

func (u *update) add(topic, payload string) {
	u.messages = append(u.messages, message{topic: topic, payload: []byte(payload), retain: true})
}

// announce adds what Home Assistant is to be told. Entities that are no more are named once without what they were, so
// that it forgets them.
func (u *update) announce(p *publisher, d *hearth.DeviceView, was *shown) {
	topic, components := p.f.topics.config(d.ID), map[string]string{}
	var a announcement
	if topic != "" {
		a = announce(p.f.words, p.f.topics, d, p.f.o.Version)
		if len(a.omitted) > 0 {
			p.f.said.warn("size", string(d.ID), "a device has too much to be announced to Home Assistant; its state has all of it", "device", d.ID, "omitted", len(a.omitted))
		}
		components = a.platforms()
	}
	before := p.left.note(d.ID, topic, components)
	if before.Topic != "" && before.Topic != topic {
		u.add(before.Topic, "")
	}
	if topic == "" {
		return
	}
	u.after.config = string(a.payload(nil))
	if u.after.config == was.config {
		return
	}
	if vanished := before.vanished(topic, components); len(vanished) > 0 {
		u.add(topic, string(a.payload(vanished)))
	}
	u.add(topic, u.after.config)
}

func (p *publisher) send(u update) error {
	for _, m := range u.messages {
		if err := p.publish(m); err != nil {
			return err
		}
	}
	p.shown[u.id] = &u.after
	return nil
}

// remove takes everything that is retained of a device away.
func (p *publisher) remove(id hearth.ID) error {
	delete(p.shown, id)
	before, ok := p.left.Devices[id]
	if !ok {
		return nil
	}
	gone := []string{before.Topic, p.f.topics.state(id), p.f.topics.available(id)}
	for _, topic := range gone {
		if topic == "" {
			continue
		}
		if err := p.publish(message{topic: topic, retain: true}); err != nil {
			return err
		}
	}
	p.left.forget(id)
	return nil
}
