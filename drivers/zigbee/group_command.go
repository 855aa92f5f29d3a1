package zigbee

import (
	"context"
	"maps"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// How a message to a group is addressed.
const (
	profileHome   = 0x0104
	everyEndpoint = 0xff
)

// A groupWish is what a command to a group means for one member.
type groupWish struct {
	dev      *device
	set      map[string]hearth.Value // in the member's own words
	requests []expose.Request
	before   map[string]hearth.Value // what it was
	hears    bool                    // what is sent to the group
}

// doGroup carries out a command to a group: one message to all. A member that sleeps, that is not known to be in the
// group, or that wants other frames than most is told by itself as well. Nobody acknowledges a message to all, so all
// members are asked afterwards what they are, unless they say it, and one that has not changed is told again.
func (s *session) doGroup(ctx context.Context, g *group, cmd hearth.Command) error {
	ctx, cancel := inTime(ctx)
	defer cancel()
	if scene, recalls := cmd.Set[propertyScene]; recalls {
		return s.recallScene(ctx, g, uint8(scene.Number()), cmd.Set)
	}
	s.d.mu.Lock()
	wishes, err := g.wishes(cmd.Set)
	s.d.mu.Unlock()
	if err != nil {
		return err
	}
	began := time.Now()
	most := commonFrames(wishes)
	var alone []groupWish
	together := 0
	for _, r := range most {
		if err := s.tellAll(ctx, g.Number, r); err != nil {
			return err
		}
	}
	for _, w := range wishes {
		if !w.hears || framesOf(w.requests) != framesOf(most) {
			alone = append(alone, w)
			continue
		}
		s.confirmMember(w, began, settling(together), &missing{w.set, w.before})
		together++
	}
	told := s.tellAlone(alone, began)
	if together > 0 {
		return nil
	}
	return firstSuccess(ctx, told, len(alone))
}

// wishes returns what a command means for each member; driver.mu is held. The error is that of the last, if it means
// nothing for any.
func (g *group) wishes(set map[string]hearth.Value) (wishes []groupWish, err error) {
	err = hearth.Errorf(hearth.CodeNoDevice, "%s has no members that are known", g.id)
	for _, part := range g.parts {
		w := groupWish{dev: part.dev, set: map[string]hearth.Value{}, before: maps.Clone(part.dev.values), hears: g.reaches(part)}
		for word, v := range set {
			if own, takes := part.takes[word]; takes {
				w.set[own.Name] = v
			}
		}
		requests, refused := part.dev.model.Outgoing(w.set, part.dev.now)
		if refused != nil {
			err = refused
			continue
		}
		if w.requests = requests; len(requests) > 0 {
			wishes = append(wishes, w)
		}
	}
	if len(wishes) > 0 {
		return wishes, nil
	}
	return nil, err
}

// reaches reports whether a member hears what is sent to the group: a device that sleeps never does.
func (g *group) reaches(part groupPart) bool {
	return !part.dev.Sleeper && slices.ContainsFunc(g.Members, func(m groupMember) bool {
		return m.Place.IEEE == part.dev.IEEE && m.Place.Endpoint == part.endpoint && m.State == memberIn
	})
}

// framesOf tells whether two members want the same frames.
func framesOf(requests []expose.Request) string {
	var b []byte
	for _, r := range requests {
		f := r.Frame.Append(nil)
		b = append(b, byte(r.Cluster), byte(r.Cluster>>8), byte(len(f)))
		b = append(b, f...)
	}
	return string(b)
}

// commonFrames returns what most of those want who hear what is sent to the group; the first, if it is as many.
func commonFrames(wishes []groupWish) (most []expose.Request) {
	wanted := map[string]int{}
	for _, w := range wishes {
		if w.hears {
			wanted[framesOf(w.requests)]++
		}
	}
	best := 0
	for _, w := range wishes {
		if n := wanted[framesOf(w.requests)]; w.hears && n > best {
			most, best = w.requests, n
		}
	}
	return most
}

// tellAll sends one message to a group.
func (s *session) tellAll(ctx context.Context, number uint16, r expose.Request) error {
	f := r.Frame
	f.Sequence, f.NoDefaultResponse = s.sequence(), true
	return s.traffic.Send(ctx, radio.Message{
		Address: radio.NWK(number), Group: true, Local: coordinatorEndpoint, Remote: everyEndpoint, Profile: profileHome,
		Cluster: r.Cluster, Data: f.Append(nil),
	})
}

// tellAlone tells members by themselves, in the background, and says of each in told how it went.
func (s *session) tellAlone(wishes []groupWish, began time.Time) (told chan error) {
	told = make(chan error, len(wishes))
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for _, w := range wishes {
		started := s.background(w.dev, func(ctx context.Context) error {
			err := s.sendEach(ctx, w.dev, w.requests)
			if err == nil {
				s.confirmMember(w, began, 0, nil) // it has acknowledged
			} else {
				s.noteSilence(w.dev, err)
			}
			told <- err
			return err
		})
		if !started {
			told <- hearth.Errorf(hearth.CodeBusy, "too much goes on at once: try again later")
		}
	}
	return told
}

func (s *session) sendEach(ctx context.Context, dev *device, requests []expose.Request) error {
	for _, r := range requests {
		if err := s.send(ctx, dev, r); err != nil {
			return refusalOf(dev, err)
		}
	}
	return nil
}

// firstSuccess waits until one of n has gone well, or all have not.
func firstSuccess(ctx context.Context, results <-chan error, n int) (err error) {
	for range n {
		select {
		case err = <-results:
		case <-ctx.Done():
			return hearth.Errorf(hearth.CodeOffline, "no member of the group was reached in time")
		}
		if err == nil {
			return nil
		}
	}
	return err
}

// confirmMember has it looked at whether a member did what its group was told. One that is out of reach is not asked.
func (s *session) confirmMember(w groupWish, began time.Time, patience time.Duration, missed *missing) {
	s.d.mu.Lock()
	away := w.dev.reach == unreachable
	s.d.mu.Unlock()
	if !away {
		s.confirmWith(&confirmation{patience: patience, missed: missed}, w.dev, w.set, w.requests, began)
	}
}

// missing is what a member of a group is told again if it has not done it.
type missing struct {
	set    map[string]hearth.Value
	before map[string]hearth.Value
}

// follows takes what was to be told again before this, and this does not replace.
func (m *missing) follows(old *missing) {
	if m == nil || old == nil {
		return // what was asked of the device by itself is newer than what its group was told
	}
	m.set = maps.Clone(m.set)
	for name, v := range old.set {
		if _, newer := m.set[name]; !newer {
			m.set[name] = v
		}
	}
	m.before = old.before
}

// mend tells a member again, by itself, what its group was told, if nothing of it has come about: what has changed since
// to something else was somebody else's doing.
func (s *session) mend(dev *device, c *confirmation) {
	s.d.mu.Lock()
	again := s.unheard(dev, c)
	if len(again) > 0 {
		s.doubtGroups(dev)
	}
	s.d.mu.Unlock()
	if len(again) == 0 {
		return
	}
	s.log.Info("a device has missed what its group was told: it is told by itself", "device", dev.id)
	ctx, cancel := context.WithTimeout(s.ctx, backgroundTime)
	defer cancel()
	if err := s.sendEach(ctx, dev, again); err != nil {
		s.log.Debug("a device was not told what it has missed", "device", dev.id, "error", err)
	}
}

// unheard returns the frames of what the device has missed, none if that is not so, and only once; driver.mu is held.
func (s *session) unheard(dev *device, c *confirmation) []expose.Request {
	missed := c.missed
	c.missed = nil
	if dev.confirm != c || missed == nil {
		return nil
	}
	unmet := false
	for name, want := range missed.set {
		p, there := dev.told.Property(name)
		is, known := dev.values[name]
		if !there || p.WriteOnly || p.Momentary || known && near(p, is, want) {
			continue
		}
		if was, knew := missed.before[name]; known && knew && is != was {
			return nil
		}
		unmet = true
	}
	if !unmet {
		return nil
	}
	requests, err := dev.model.Outgoing(missed.set, dev.now)
	if err != nil { // what an older and a newer command ask for does not go together
		requests, _ = dev.model.Outgoing(c.set, dev.now)
	}
	return requests
}

// heardByGroup reports whether what a device has just said to a group, or to the coordinator, is what it said a moment
// ago to another of those to which it is bound: a button that is bound to both is pressed once; d.mu is held.
func (dev *device) heardByGroup(m radio.Message, f zcl.Frame) bool {
	const sameMoment, mostBindings = 2 * time.Second, 8
	if f.Global || f.ToClient {
		return false
	}
	via, last := groupOf(m), &dev.pressed
	same := last.endpoint == m.Remote && last.cluster == m.Cluster && last.frame.Command == f.Command &&
		last.frame.Manufacturer == f.Manufacturer && string(last.frame.Payload) == string(f.Payload) &&
		apart(f.Sequence, last.frame.Sequence) <= mostBindings && time.Since(last.at) < sameMoment
	if same && !slices.Contains(last.vias, via) && len(last.vias) > 0 {
		last.vias = append(last.vias, via)
		return true
	}
	f.Payload = slices.Clone(f.Payload)
	*last = press{endpoint: m.Remote, cluster: m.Cluster, frame: f, at: time.Now(), vias: append(last.vias[:0], via)}
	return false
}

// apart is how far two numbers are from each other that begin anew after 255.
func apart(a, b uint8) uint8 { return min(a-b, b-a) }

// A press is the last command that a device has given, and the groups to which it was sent; 0 is the coordinator.
type press struct {
	endpoint uint8
	cluster  uint16
	frame    zcl.Frame
	at       time.Time
	vias     []uint16
}
