package zigbee

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/traffic"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// do carries out a command: what the model makes of it goes to the device frame by frame, and when the device has
// acknowledged all of it, its own reports are waited for in the background, or asked for.
func (s *session) do(ctx context.Context, dev *device, cmd hearth.Command) error {
	ctx, cancel := inTime(ctx)
	defer cancel()
	set := maps.Clone(cmd.Set)
	if handled, err := s.doOwn(ctx, dev, set); err != nil || handled && len(set) == 0 {
		return err
	}
	s.d.mu.Lock()
	requests, err := dev.model.Outgoing(set, dev.now)
	s.d.mu.Unlock()
	if err != nil {
		return err
	}
	if len(requests) == 0 {
		return hearth.Errorf(hearth.CodeReadOnly, "%s takes none of this", dev.id)
	}
	s.d.mu.Lock()
	dev.asks++
	w := dev.wishFor(set)
	s.d.mu.Unlock()
	defer func() {
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		dev.asks--
	}()
	began := time.Now()
	for _, r := range requests {
		if err := s.sendFor(ctx, dev, r, w); err != nil {
			s.noteSilence(dev, err)
			return refusalOf(dev, err)
		}
	}
	s.confirmLater(dev, set, requests, began)
	return nil
}

// inTime returns a context that ends a little before ctx, so that who gave the command still hears why it failed.
func inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(200*time.Millisecond, time.Until(deadline)/10)))
}

// now returns what a property was last reported as; driver.mu is held.
func (dev *device) now(property string) (hearth.Value, bool) {
	v, ok := dev.values[property]
	return v, ok
}

// send asks a device for something, or tells it.
func (s *session) send(ctx context.Context, dev *device, r expose.Request) error {
	to := traffic.Target{Remote: r.Endpoint, Cluster: r.Cluster}
	if !r.Answer {
		return s.traffic.Tell(ctx, dev, to, r.Frame)
	}
	answer, err := s.traffic.Request(ctx, dev, to, r.Frame)
	if err != nil {
		return err
	}
	if err := lockRefusal(r, answer); err != nil {
		return err
	}
	return writeRefusal(r.Frame, answer)
}

// lockRefusal returns why a lock does not do what it is asked for: that is in its own response (ZCL 7.3.2.16).
func lockRefusal(r expose.Request, answer zcl.Frame) error {
	if r.Cluster != zcl.ClusterDoorLock || answer.Global || len(answer.Payload) == 0 || answer.Payload[0] == byte(zcl.Success) {
		return nil
	}
	return &traffic.StatusError{Command: r.Frame.Command, Status: zcl.Status(answer.Payload[0])}
}

// answer sends what answers a question of the device's: the frame has its sequence number.
func (s *session) answer(ctx context.Context, dev *device, local uint8, r expose.Request) error {
	return s.traffic.Reply(ctx, dev, traffic.Target{Local: local, Remote: r.Endpoint, Cluster: r.Cluster}, r.Frame)
}

// writeRefusal returns what a device does not take of a write.
func writeRefusal(asked, answer zcl.Frame) error {
	if !asked.Global || answer.Command != zcl.CommandWriteAttributesResponse {
		return nil
	}
	statuses, err := zcl.ParseWriteAttributesResponse(answer.Payload)
	for _, r := range statuses {
		if r.Status != zcl.Success {
			return &traffic.StatusError{Command: asked.Command, Status: r.Status}
		}
	}
	return err
}

// refusalOf gives a device's refusal the code that says what kind it was.
func refusalOf(dev *device, err error) error {
	var refused *traffic.StatusError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return hearth.Errorf(hearth.CodeOffline, "%s was not reached in time: %v", dev.id, err)
	case !errors.As(err, &refused):
		return err
	}
	code := hearth.CodeFailed
	switch refused.Status {
	case zcl.InvalidValue, zcl.InvalidDataType, zcl.InvalidField:
		code = hearth.CodeBadValue
	case zcl.ReadOnly, zcl.UnsupportedAttribute:
		code = hearth.CodeReadOnly
	}
	return hearth.Errorf(code, "%s refuses: %s", dev.id, refused.Status)
}

// noteSilence has a device that did not answer a command looked after soon.
func (s *session) noteSilence(dev *device, err error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if isSilence(err) && s.up && dev.pings == 0 {
		s.unanswered(dev)
	}
}

// doOwn carries out what the driver itself offers with every device, and takes it out of set.
func (s *session) doOwn(ctx context.Context, dev *device, set map[string]hearth.Value) (handled bool, err error) {
	if v, ok := set["pairing"]; ok && dev.Router {
		delete(set, "pairing")
		handled = true
		if err := s.permitAt(ctx, dev, uint8(v.Number())); err != nil {
			return true, err
		}
	}
	own := []struct {
		property string
		do       func(context.Context, *device) error
	}{{propertyRefresh, s.refresh}, {propertyReinterview, s.reinterview}, {propertyRemove, s.remove}}
	for _, o := range own {
		v, ok := set[o.property]
		if !ok {
			continue
		}
		delete(set, o.property)
		handled = true
		if v.Bool() {
			if err := o.do(ctx, dev); err != nil {
				return true, err
			}
		}
	}
	return handled, nil
}

// What every device takes, each by setting it true.
const (
	propertyRefresh     = "refresh"     // all of its state is read
	propertyReinterview = "reinterview" // it is asked anew what it is
	propertyRemove      = "remove"      // it is asked to leave, and forgotten
)

// refresh reads all of a device's state.
func (s *session) refresh(ctx context.Context, dev *device) error {
	s.d.mu.Lock()
	reads := dev.model.Setup().Reads
	s.d.mu.Unlock()
	for _, r := range reads {
		if err := s.read(ctx, dev, r); err != nil && isSilence(err) {
			return refusalOf(dev, err)
		}
	}
	return nil
}

// reinterview has a device asked anew what it is; how far that is, its interview property tells.
func (s *session) reinterview(_ context.Context, dev *device) error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	dev.startOver()
	dev.next = time.Time{}
	s.touch(dev)
	s.setStage(dev, stageWaiting)
	s.interviewLater(dev, 0)
	return nil
}

// remove asks a device to leave and forgets it, whether it answers or not: one that is gone cannot.
func (s *session) remove(ctx context.Context, dev *device) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	if err := s.askToLeave(ctx, dev); err != nil {
		s.log.Warn("a device was removed that did not answer: it is sent away when it is heard", "device", dev.id, "error", err)
		if err := s.d.markRemoved(dev.IEEE, true); err != nil {
			return err
		}
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.forget(dev)
	return nil
}

const leaveTime = 5 * time.Second

func (s *session) askToLeave(ctx context.Context, p traffic.Peer) error {
	return zdoStatus(s.traffic.ZDO(ctx, p, zdo.ClusterLeaveRequest, func(sequence uint8) []byte {
		return zdo.LeaveRequest{Sequence: sequence}.Append(nil)
	}))
}

// A confirmation waits until a device's own reports say what it was asked for, and reads it if they do not come.
type confirmation struct {
	set      map[string]hearth.Value // what was asked for last
	wanted   map[string]hearth.Value // of that and what was asked for before, what can be said
	reads    []expose.Read
	news     chan struct{} // something was reported
	patience time.Duration // before the first look
	missed   *missing      // it was told as one of a group; nil: by itself
}

// heard has the wait look again; driver.mu is held.
func (c *confirmation) heard() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// When what was asked for is read back, after the acknowledgement and, where the command takes time, its end.
func readBacks() []time.Duration {
	return []time.Duration{350 * time.Millisecond, 1200 * time.Millisecond, 3 * time.Second, 8 * time.Second}
}

// confirmLater has the outcome of a command looked at. What a newer command asks for takes the place of the older's.
func (s *session) confirmLater(dev *device, set map[string]hearth.Value, requests []expose.Request, began time.Time) {
	s.confirmWith(&confirmation{}, dev, set, requests, began)
}

func (s *session) confirmWith(next *confirmation, dev *device, set map[string]hearth.Value, requests []expose.Request, began time.Time) {
	next.set, next.wanted, next.news = set, map[string]hearth.Value{}, make(chan struct{}, 1)
	var takes time.Duration
	for _, r := range requests {
		next.reads = append(next.reads, r.Confirm...)
		takes = max(takes, r.Settles)
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for name, value := range set {
		if p, ok := dev.told.Property(name); ok && !p.WriteOnly && !p.Momentary {
			next.wanted[name] = value
		}
	}
	if old := dev.confirm; old != nil {
		for name, value := range old.wanted {
			if _, newer := next.wanted[name]; !newer {
				next.wanted[name] = value
			}
		}
		next.reads = append(next.reads, old.reads...)
		next.missed.follows(old.missed)
		old.heard()
	}
	next.reads = mergeReads(next.reads)
	if len(next.reads) == 0 || s.said(dev, next.wanted) && takes == 0 && dev.heard.After(began) && len(next.wanted) > 0 {
		dev.confirm = nil
		return
	}
	dev.confirm = next
	if !s.tasks.start(func() { s.confirm(dev, next, takes) }) {
		dev.confirm = nil
	}
}

// confirm waits for the device's reports and reads what does not come.
func (s *session) confirm(dev *device, c *confirmation, takes time.Duration) {
	defer func() {
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		if dev.confirm == c {
			dev.confirm = nil
		}
	}()
	takes += c.patience
	for _, wait := range readBacks() {
		timer := time.NewTimer(takes + wait)
		takes = 0
		for waiting := true; waiting; {
			select {
			case <-timer.C:
				waiting = false
			case <-c.news:
				if s.settled(dev, c) {
					timer.Stop()
					return
				}
			case <-s.ctx.Done():
				timer.Stop()
				return
			}
		}
		for _, r := range c.reads {
			ctx, cancel := context.WithTimeout(s.ctx, backgroundTime)
			err := s.read(ctx, dev, r)
			cancel()
			if err != nil {
				s.log.Debug("what a command did was not read back", "device", dev.id, "error", err)
			}
			if err != nil && isSilence(err) {
				s.noteSilence(dev, err)
				return // it is looked after by its presence
			}
		}
		if s.settled(dev, c) {
			return
		}
		s.mend(dev, c)
	}
}

// settled reports whether there is nothing more to wait for: the device has said it, or a newer command took over.
func (s *session) settled(dev *device, c *confirmation) bool {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return dev.confirm != c || len(c.wanted) > 0 && s.said(dev, c.wanted)
}

// said reports whether the device last reported just these values, numbers as near as home wants them; d.mu is held.
func (s *session) said(dev *device, wanted map[string]hearth.Value) bool {
	for name, want := range wanted {
		got, ok := dev.values[name]
		p, _ := dev.told.Property(name)
		if !ok || !near(p, got, want) {
			return false
		}
	}
	return true
}

func near(p hearth.Property, got, want hearth.Value) bool {
	if got.Kind() != hearth.Number || want.Kind() != hearth.Number {
		return got == want
	}
	span := math.Abs(want.Number())
	if p.Min != nil && p.Max != nil {
		span = *p.Max - *p.Min
	}
	return math.Abs(got.Number()-want.Number()) <= 0.005*span+1e-9
}

// mergeReads makes one read of those that go to the same cluster.
func mergeReads(reads []expose.Read) []expose.Read {
	var merged []expose.Read
	for _, r := range reads {
		same := func(m expose.Read) bool {
			return m.Endpoint == r.Endpoint && m.Cluster == r.Cluster && m.Manufacturer == r.Manufacturer
		}
		i := slices.IndexFunc(merged, same)
		if i < 0 {
			merged = append(merged, expose.Read{Endpoint: r.Endpoint, Cluster: r.Cluster, Manufacturer: r.Manufacturer, Attributes: slices.Clone(r.Attributes)})
			continue
		}
		for _, id := range r.Attributes {
			if !slices.Contains(merged[i].Attributes, id) {
				merged[i].Attributes = append(merged[i].Attributes, id)
			}
		}
	}
	return merged
}
