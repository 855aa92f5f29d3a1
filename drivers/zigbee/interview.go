package zigbee

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/traffic"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// An interview asks a device what it is. What it has answered is kept at once, so that the next try goes on from there;
// a device that owes answers after all tries is used as far as it is known.
const (
	interviewTime = 3 * time.Minute  // of asking; waiting for a place does not count
	stepTime      = 20 * time.Second // for one question, with all its repetitions
	stepPause     = time.Second
	stepTries     = 2
	silentSteps   = 2 // in a row: the device is away or asleep
	lastTry       = 4
	firstRetry    = 15 * time.Second // doubles
	longestRetry  = time.Hour
	maxEndpoints  = 32
)

// unfinished reports whether the device owes us answers; d.mu is held.
func (dev *device) unfinished() bool { return !dev.known() || dev.Setup == "" }

// interviewLater has a device interviewed after wait, when there is a place; d.mu is held. One that waits already is
// not let wait longer.
func (s *session) interviewLater(dev *device, wait time.Duration) {
	if dev.interviewing {
		if wait == 0 {
			dev.hurry()
		}
		return
	}
	hurried := make(chan struct{})
	dev.hurried = hurried
	dev.interviewing = s.tasks.start(func() {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-hurried:
		case <-s.ctx.Done():
			return
		}
		if _, err := s.ready(s.ctx); err != nil {
			return
		}
		i := &interview{s: s, dev: dev, turn: turn{places: s.interviews}}
		if i.turn.take(s.ctx) == nil {
			i.conduct()
		}
	})
}

// hurry has an interview that waits begin now.
func (dev *device) hurry() {
	if dev.hurried != nil {
		close(dev.hurried)
		dev.hurried = nil
	}
}

// conduct goes through all that is not known yet.
func (i *interview) conduct() {
	s, dev := i.s, i.dev
	defer i.turn.give()
	s.d.mu.Lock()
	dev.hurried, dev.away = nil, false
	was := dev.stage
	s.d.mu.Unlock()
	err := i.run(s.ctx)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	dev.interviewing = false
	dev.away = errors.Is(err, errAway) && dev.heard.Before(i.asked)
	if s.ctx.Err() != nil || s.d.devices[dev.IEEE] != dev {
		return
	}
	s.concluded(dev, was, err)
}

// concluded says how an interview ended, and when the next is tried if it must be; d.mu is held.
func (s *session) concluded(dev *device, was stage, err error) {
	if dev.unfinished() && dev.Tries+1 >= lastTry && (dev.EndpointsRead || dev.Model != "") {
		s.settleFor(dev)
	}
	s.touch(dev)
	if !dev.unfinished() {
		dev.Tries, dev.next = 0, time.Time{}
		s.setStage(dev, stageDone)
		s.replay(dev)
		s.renewGroups(dev)
		s.learnBindings(dev)
		if was != stageDone {
			s.tasks.start(s.keepDirty)
			s.log.Info("a device is ready", "device", dev.id, "vendor", dev.Vendor, "model", dev.Model)
		}
		return
	}
	retry := min(firstRetry<<min(dev.Tries, 10), longestRetry)
	dev.Tries++
	dev.next = time.Now().Add(retry)
	s.log.Info("an interview is not complete, it will go on later", "device", dev.id, "error", err, "after", retry)
	if dev.Sleeper {
		dev.next = time.Now().Add(min(retry, firstRetry))
		s.setStage(dev, stageWaiting)
	} else {
		s.setStage(dev, stageIncomplete)
	}
}

// settleFor takes a device as it is known, though it has not answered everything in all tries; d.mu is held.
func (s *session) settleFor(dev *device) {
	s.log.Warn("a device never answered all questions: it is used as far as it is known", "device", dev.id,
		"node", dev.NodeRead, "undescribed", dev.Undescribed, "basic", dev.BasicRead, "facts", dev.FactsRead, "setup", dev.Setup != "")
	dev.NodeRead, dev.EndpointsRead, dev.BasicRead, dev.FactsRead, dev.Undescribed = true, true, true, true, nil
	if dev.Setup == "" {
		dev.Setup, dev.Bound = setupIncomplete, s.d.network.Coordinator
	}
}

// replay tells home what a device has said before it was known what it means; d.mu is held. What it wanted answered
// was answered then.
func (s *session) replay(dev *device) {
	kept := dev.kept
	dev.kept = nil
	for _, m := range kept {
		if f, err := zcl.ParseFrame(m.Data); err == nil {
			s.tell(dev, s.means(dev, m.Message, f).Values, m.at)
		}
	}
}

// interview is one that goes on.
type interview struct {
	s      *session
	dev    *device
	turn   turn
	spent  time.Duration // on asking
	asked  time.Time     // the last question
	silent int           // questions in a row without an answer
}

// Why an interview is broken off.
var (
	errAway = errors.New("the device does not answer: it is away, or asleep")
	errLong = fmt.Errorf("the device has not answered everything within %v", interviewTime)
)

func (i *interview) run(ctx context.Context) error {
	dev := i.dev
	if i.done(func() bool { return dev.recheck && dev.known() }) {
		if err := i.recheck(ctx); err != nil {
			return err
		}
	}
	if !i.done(func() bool { return dev.NodeRead && dev.EndpointsRead && len(dev.Undescribed) == 0 }) {
		i.enter(stageDescriptors)
		if err := i.descriptors(ctx); err != nil {
			return err
		}
	}
	if !i.done(dev.known) {
		i.enter(stageAttributes)
		if err := i.attributes(ctx); err != nil {
			return err
		}
	}
	if i.done(func() bool { return dev.stage != stageDone }) {
		i.enter(stageSetup)
	}
	return i.setup(ctx)
}

// recheck asks a known device that came back whether it is still what it was: after an update or a change of firmware
// it may have other endpoints.
func (i *interview) recheck(ctx context.Context) error {
	i.s.d.mu.Lock()
	vendor, model, firmware := i.dev.Vendor, i.dev.Model, i.dev.Firmware
	i.s.d.mu.Unlock()
	for _, attributes := range basicAttributes() {
		if _, err := i.step(ctx, func(ctx context.Context) error { return i.askBasic(ctx, attributes) }); err != nil {
			return err
		}
	}
	i.learn(func(dev *device) {
		switch {
		case dev.Vendor != vendor || dev.Model != model:
			i.s.log.Info("a device is not what it was: it is interviewed anew", "device", dev.id, "was", model, "is", dev.Model)
			dev.startOver()
		case dev.Firmware != firmware:
			dev.remodel()
			i.s.announceDevice(dev)
		}
	})
	return nil
}

// startOver forgets what the interview has brought, but not what the device is shown as until it has answered again;
// d.mu is held.
func (dev *device) startOver() {
	dev.NodeRead, dev.EndpointsRead, dev.BasicRead, dev.FactsRead, dev.Undescribed = false, false, false, false, nil
	dev.Setup, dev.Tries = "", 0
}

// done looks at the device.
func (i *interview) done(look func() bool) bool {
	i.s.d.mu.Lock()
	defer i.s.d.mu.Unlock()
	return look()
}

func (i *interview) enter(to stage) {
	i.learn(func(*device) { i.s.setStage(i.dev, to) })
}

// learn changes what is known of the device.
func (i *interview) learn(change func(*device)) {
	i.s.d.mu.Lock()
	defer i.s.d.mu.Unlock()
	change(i.dev)
	i.s.touch(i.dev)
}

// remodel works out what the device is by now, and tells home.
func (i *interview) remodel() {
	i.learn(func(dev *device) {
		dev.remodel()
		i.s.announceDevice(dev)
	})
}

// step asks one thing, again if there is no answer. The error is errAway when the device has not answered this and what
// was asked before; silence alone is no error, and false.
func (i *interview) step(ctx context.Context, ask func(context.Context) error) (answered bool, err error) {
	if i.silent == 0 { // else others have its place until it answers
		if err := i.turn.take(ctx); err != nil {
			return false, err
		}
	}
	if i.spent >= interviewTime {
		return false, errLong
	}
	i.asked = time.Now()
	defer func() { i.spent += time.Since(i.asked) }()
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	patience := time.AfterFunc(turnPatience, i.turn.give)
	defer patience.Stop()
	for try := range stepTries {
		if try > 0 && !pause(ctx, stepPause) {
			break
		}
		err = ask(ctx)
		if err == nil || !isSilence(err) {
			i.silent = 0
			return err == nil, nil
		}
		i.s.log.Debug("a device did not answer in its interview", "device", i.dev.id, "error", err)
	}
	if i.s.ctx.Err() != nil {
		return false, i.s.ctx.Err()
	}
	if i.silent++; i.silent >= silentSteps {
		return false, errAway
	}
	return false, nil
}

// isSilence reports whether there was no answer; a refusal is one.
func isSilence(err error) bool {
	return errors.Is(err, &hearth.Error{Code: hearth.CodeOffline}) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// zdoAsk sends a ZDO request that names the device's address at the time.
func (i *interview) zdoAsk(ctx context.Context, request func(sequence uint8, nwk radio.NWK) zdo.Request) ([]byte, error) {
	cluster := request(0, 0).Cluster()
	return i.s.traffic.ZDO(ctx, i.dev, cluster, func(sequence uint8) []byte {
		return request(sequence, i.dev.Address()).Append(nil)
	})
}

func (i *interview) descriptors(ctx context.Context) error {
	if !i.done(func() bool { return i.dev.NodeRead }) {
		if _, err := i.step(ctx, i.askNode); err != nil {
			return err
		}
	}
	if !i.done(func() bool { return i.dev.EndpointsRead }) {
		if _, err := i.step(ctx, i.askEndpoints); err != nil {
			return err
		}
	}
	i.s.d.mu.Lock()
	undescribed := slices.Clone(i.dev.Undescribed)
	i.s.d.mu.Unlock()
	for _, endpoint := range undescribed {
		if _, err := i.step(ctx, func(ctx context.Context) error { return i.askEndpoint(ctx, endpoint) }); err != nil {
			return err
		}
	}
	i.remodel()
	return nil
}

func (i *interview) askNode(ctx context.Context) error {
	data, err := i.zdoAsk(ctx, func(sequence uint8, nwk radio.NWK) zdo.Request {
		return zdo.NodeDescriptorRequest{Sequence: sequence, NWK: nwk}
	})
	if err != nil {
		return err
	}
	r, err := zdo.ParseNodeDescriptorResponse(data)
	if err != nil || r.Status != zdo.Success {
		return cmp.Or(err, fmt.Errorf("asking for the node descriptor: %s", r.Status))
	}
	i.learn(func(dev *device) {
		c := r.Descriptor.Capability
		dev.NodeRead = true
		dev.Node = nodeOf(r.Descriptor)
		dev.Manufacturer, dev.Router = r.Descriptor.Manufacturer, r.Descriptor.Type == zdo.TypeRouter
		dev.Mains, dev.Sleeper = c.Mains(), !c.RxOnWhenIdle() && !dev.Router
		dev.sleeps.Store(dev.Sleeper)
	})
	return nil
}

func (i *interview) askEndpoints(ctx context.Context) error {
	data, err := i.zdoAsk(ctx, func(sequence uint8, nwk radio.NWK) zdo.Request {
		return zdo.ActiveEndpointsRequest{Sequence: sequence, NWK: nwk}
	})
	if err != nil {
		return err
	}
	r, err := zdo.ParseEndpointsResponse(data)
	if err != nil || r.Status != zdo.Success {
		return cmp.Or(err, fmt.Errorf("asking for the endpoints: %s", r.Status))
	}
	i.learn(func(dev *device) {
		dev.EndpointsRead, dev.Undescribed = true, nil
		for _, id := range r.Endpoints[:min(len(r.Endpoints), maxEndpoints)] {
			if id != 0 && id != greenPowerEndpoint && !slices.Contains(dev.Undescribed, id) {
				dev.Undescribed = append(dev.Undescribed, id)
			}
		}
		dev.Endpoints = slices.DeleteFunc(slices.Clone(dev.Endpoints), func(e expose.Endpoint) bool {
			return !slices.Contains(dev.Undescribed, e.ID)
		})
	})
	return nil
}

// greenPowerEndpoint is that of the Green Power proxy, which every router has and which is no device.
const greenPowerEndpoint = 242

func (i *interview) askEndpoint(ctx context.Context, endpoint uint8) error {
	data, err := i.zdoAsk(ctx, func(sequence uint8, nwk radio.NWK) zdo.Request {
		return zdo.SimpleDescriptorRequest{Sequence: sequence, NWK: nwk, Endpoint: endpoint}
	})
	if err != nil {
		return err
	}
	r, err := zdo.ParseSimpleDescriptorResponse(data)
	refused := err == nil && r.Status != zdo.Success
	if err != nil {
		return err
	}
	i.learn(func(dev *device) {
		dev.Undescribed = slices.DeleteFunc(dev.Undescribed, func(id uint8) bool { return id == endpoint })
		if refused {
			return // an endpoint that is none
		}
		d := r.Descriptor
		dev.Endpoints = slices.DeleteFunc(slices.Clone(dev.Endpoints), func(e expose.Endpoint) bool { return e.ID == endpoint })
		dev.Endpoints = append(dev.Endpoints, expose.Endpoint{ID: endpoint, Profile: d.Profile, Device: d.Device, In: d.In, Out: d.Out})
		slices.SortFunc(dev.Endpoints, func(a, b expose.Endpoint) int { return cmp.Compare(a.ID, b.ID) })
	})
	return nil
}

func (i *interview) attributes(ctx context.Context) error {
	if !i.done(func() bool { return i.dev.BasicRead }) {
		if err := i.basic(ctx); err != nil {
			return err
		}
		i.remodel()
	}
	if i.done(func() bool { return i.dev.FactsRead }) {
		return nil
	}
	i.s.d.mu.Lock()
	facts := i.dev.model.Facts()
	i.s.d.mu.Unlock()
	complete := true
	for _, read := range facts {
		refused := false
		answered, err := i.step(ctx, func(ctx context.Context) error {
			err := i.fact(ctx, read)
			refused = err != nil && !isSilence(err)
			return err
		})
		if err != nil {
			return err
		}
		complete = complete && (answered || refused)
	}
	i.learn(func(dev *device) { dev.FactsRead = complete })
	if len(facts) > 0 {
		i.remodel()
	}
	return nil
}

// fact reads what a model wants to know for good.
func (i *interview) fact(ctx context.Context, read expose.Read) error {
	results, err := i.s.readNow(ctx, i.dev, read)
	if err != nil {
		return err
	}
	i.learn(func(dev *device) { dev.Learn(read.Endpoint, read.Cluster, results) })
	return nil
}

// read asks a device for attributes; what it answers goes the way of all that it says.
func (s *session) read(ctx context.Context, dev *device, read expose.Read) error {
	_, err := s.readNow(ctx, dev, read)
	return err
}

// readNow is read, for who wants the answer itself. A refusal of all of it is a *traffic.StatusError.
func (s *session) readNow(ctx context.Context, dev *device, read expose.Read) ([]zcl.AttributeResult, error) {
	f := zcl.ReadAttributes(read.Attributes...)
	f.Manufacturer = read.Manufacturer
	f.NoDefaultResponse = true
	answer, err := s.traffic.Request(ctx, dev, traffic.Target{Remote: read.Endpoint, Cluster: read.Cluster}, f)
	if err != nil {
		return nil, err
	}
	results, err := zcl.ParseReadAttributesResponse(answer.Payload)
	if len(results) > 0 {
		return results, nil
	}
	return nil, err
}
