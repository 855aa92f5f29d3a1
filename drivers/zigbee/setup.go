package zigbee

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/traffic"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// Setup makes a device report to the coordinator: bindings, intervals, whatever else its model wants. What it refuses
// is polled instead, if it can be.
const (
	recordsPerFrame = 3 // so that a frame with five-byte changes needs no fragments
	pollInstead     = time.Minute
	shortestPoll    = 2 * time.Second
	setupAgain      = time.Hour // a device that comes back more often is not set up every time
)

// setupIncomplete stands for a fingerprint where a device never answered all of its setup.
const setupIncomplete = "incomplete"

// coordinatorEndpoint is where devices report to.
const coordinatorEndpoint = 1

// setup tells the device all that its model wants, unless it was told the same before.
func (i *interview) setup(ctx context.Context) error {
	s, dev := i.s, i.dev
	s.d.mu.Lock()
	want, coordinator := dev.model.Setup(), s.d.network.Coordinator
	print := fingerprint(want)
	told := dev.Setup == print && dev.Bound == coordinator && !dev.recheck
	s.d.mu.Unlock()
	if told {
		return nil
	}
	j := &setupJob{s: s, dev: dev, interview: i}
	steps := []func(context.Context) error{
		func(ctx context.Context) error { return j.bind(ctx, want.Bindings, coordinator) },
		func(ctx context.Context) error { return j.enrol(ctx, want.Enrol, coordinator) },
		func(ctx context.Context) error { return j.reporting(ctx, want.Reporting) },
		func(ctx context.Context) error { return j.requests(ctx, want.Requests) },
		func(ctx context.Context) error { return j.reads(ctx, want.Reads) },
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if j.missed {
		return errors.New("not all of the setup was answered")
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	dev.Setup, dev.Bound, dev.recheck, dev.Refused = print, coordinator, false, j.refused
	dev.setUp = time.Now()
	dev.plan(time.Now())
	s.touch(dev)
	return nil
}

// fingerprint tells whether a device was told this before; what is only read does not count.
func fingerprint(want expose.Setup) string {
	want.Reads, want.Polls = nil, nil
	data, err := json.Marshal(want)
	if err != nil {
		return "unknown"
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// setupJob is one setup that goes on.
type setupJob struct {
	s         *session
	dev       *device
	interview *interview
	refused   []expose.Poll
	missed    bool
}

// ask asks one thing, twice if need be. The error is errAway when nothing is answered any more; what the device said is
// in refusal.
func (j *setupJob) ask(ctx context.Context, do func(context.Context) error) (refusal, err error) {
	answered, err := j.interview.step(ctx, func(ctx context.Context) error {
		refusal = do(ctx)
		return refusal
	})
	if err != nil {
		return nil, err
	}
	if !answered && isSilence(refusal) {
		j.missed = true
	}
	return refusal, nil
}

func (j *setupJob) bind(ctx context.Context, bindings []expose.Binding, coordinator radio.IEEE) error {
	for _, b := range bindings {
		refusal, err := j.ask(ctx, func(ctx context.Context) error {
			return j.s.bind(ctx, j.dev, zdo.Binding{
				Source: j.dev.IEEE, Endpoint: b.Endpoint, Cluster: b.Cluster,
				Destination: zdo.Destination{IEEE: coordinator, Endpoint: coordinatorEndpoint},
			})
		})
		if err != nil {
			return err
		}
		if refusal != nil && !isSilence(refusal) {
			j.s.log.Info("a device refuses a binding", "device", j.dev.id, "cluster", zcl.ClusterName(b.Cluster), "reason", refusal)
		}
	}
	return nil
}

// A zdoError is a device's refusal on the level of the network.
type zdoError struct{ status zdo.Status }

func (e *zdoError) Error() string { return "the device refuses: " + e.status.String() }

// bind makes a binding on a device.
func (s *session) bind(ctx context.Context, dev *device, b zdo.Binding) error {
	data, err := s.traffic.ZDO(ctx, dev, zdo.ClusterBindRequest, func(sequence uint8) []byte {
		return zdo.BindRequest{Sequence: sequence, Binding: b}.Append(nil)
	})
	return zdoStatus(data, err)
}

// zdoStatus returns what went wrong with a request that is answered by a status.
func zdoStatus(data []byte, err error) error {
	if err != nil {
		return err
	}
	r, err := zdo.ParseStatusResponse(data)
	if err == nil && r.Status != zdo.Success {
		err = &zdoError{r.Status}
	}
	return err
}

// enrol makes the coordinator the one that zones tell of alarms (ZCL 8.2.2.2.3): all three modes at once. Zones that ask
// for it are answered by their model, whenever that is; those that wait for an answer unasked get it here.
func (j *setupJob) enrol(ctx context.Context, endpoints []uint8, coordinator radio.IEEE) error {
	for _, endpoint := range endpoints {
		address := zcl.WriteAttributes(zcl.Attribute{ID: zcl.AttrIASZoneCIEAddress, Value: zcl.UintOf(zcl.IEEEAddress, uint64(coordinator))})
		enrolled := zcl.ClusterCommand(zcl.CmdIASZoneEnrollResponse, enrolSuccess, endpoint)
		enrolled.NoDefaultResponse = true
		if err := j.requests(ctx, []expose.Request{
			{Endpoint: endpoint, Cluster: zcl.ClusterIASZone, Frame: address, Answer: true},
			{Endpoint: endpoint, Cluster: zcl.ClusterIASZone, Frame: enrolled},
		}); err != nil {
			return err
		}
	}
	return nil
}

const enrolSuccess = 0x00

// reporting configures what is to be reported, a few attributes of one cluster at a time.
func (j *setupJob) reporting(ctx context.Context, all []expose.Reporting) error {
	for len(all) > 0 {
		first := all[0]
		n := 1
		for n < len(all) && n < recordsPerFrame && all[n].Endpoint == first.Endpoint && all[n].Cluster == first.Cluster && all[n].Manufacturer == first.Manufacturer {
			n++
		}
		if err := j.configure(ctx, all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// configure sets the intervals of attributes of one cluster. A device that refuses several at once is asked for each by
// itself.
func (j *setupJob) configure(ctx context.Context, group []expose.Reporting) error {
	first := group[0]
	records := make([]zcl.ReportingRecord, len(group))
	for i, r := range group {
		records[i] = r.Record
	}
	f := zcl.ConfigureReporting(records...)
	f.Manufacturer = first.Manufacturer
	var statuses []zcl.ReportingStatus
	refusal, err := j.ask(ctx, func(ctx context.Context) error {
		answer, err := j.s.traffic.Request(ctx, j.dev, traffic.Target{Remote: first.Endpoint, Cluster: first.Cluster}, f)
		if err == nil {
			statuses, err = zcl.ParseConfigureReportingResponse(answer.Payload)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case refusal != nil && isSilence(refusal):
		return nil
	case refusal != nil && len(group) > 1:
		for i := range group {
			if err := j.configure(ctx, group[i:i+1]); err != nil {
				return err
			}
		}
	case refusal != nil:
		j.refuse(first, zcl.Failure)
	}
	for _, status := range statuses {
		for _, r := range group {
			if status.Status != zcl.Success && (status.ID == r.Record.ID || status.ID == zcl.AllAttributes) {
				j.refuse(r, status.Status)
			}
		}
	}
	return nil
}

// refuse notes that an attribute will not be reported. One that the device does not have is not polled either.
func (j *setupJob) refuse(r expose.Reporting, status zcl.Status) {
	j.s.log.Info("a device does not report an attribute", "device", j.dev.id, "endpoint", r.Endpoint,
		"cluster", zcl.ClusterName(r.Cluster), "attribute", zcl.AttributeName(r.Cluster, r.Record.ID), "reason", status)
	if status == zcl.UnsupportedAttribute {
		return
	}
	read := expose.Read{Endpoint: r.Endpoint, Cluster: r.Cluster, Manufacturer: r.Manufacturer, Attributes: []uint16{r.Record.ID}}
	every := cmp.Or(r.Every, pollInstead)
	for i := range j.refused {
		if p := &j.refused[i]; p.Every == every && p.Endpoint == r.Endpoint && p.Cluster == r.Cluster && p.Manufacturer == r.Manufacturer {
			p.Attributes = append(p.Attributes, r.Record.ID)
			return
		}
	}
	j.refused = append(j.refused, expose.Poll{Read: read, Every: every})
}

func (j *setupJob) requests(ctx context.Context, requests []expose.Request) error {
	for _, r := range requests {
		refusal, err := j.ask(ctx, func(ctx context.Context) error { return j.s.send(ctx, j.dev, r) })
		if err != nil {
			return err
		}
		if refusal != nil && !isSilence(refusal) {
			j.s.log.Debug("a device refuses something of its setup", "device", j.dev.id, "cluster", zcl.ClusterName(r.Cluster), "reason", refusal)
		}
	}
	return nil
}

func (j *setupJob) reads(ctx context.Context, reads []expose.Read) error {
	for _, r := range reads {
		if _, err := j.ask(ctx, func(ctx context.Context) error { return j.s.read(ctx, j.dev, r) }); err != nil {
			return err
		}
	}
	return nil
}

// rejoined has a known device that came back told again what it may have forgotten; d.mu is held. What it shows now is
// read in any case: lamps come back on after a power cut.
func (s *session) rejoined(dev *device, wait time.Duration) {
	if s.pairing.open() || time.Since(dev.setUp) > setupAgain {
		dev.recheck = true
		s.interviewLater(dev, wait)
		return
	}
	if dev.Sleeper {
		return
	}
	for _, r := range dev.model.Setup().Reads {
		s.background(dev, func(ctx context.Context) error { return s.read(ctx, dev, r) })
	}
}

// A poll asks for what a device does not report by itself.
type poll struct {
	ask   func(ctx context.Context, s *session) error
	every time.Duration
	next  time.Time
	going bool
}

// plan works out what is polled; d.mu is held. Attributes of devices that sleep are not.
func (dev *device) plan(now time.Time) {
	dev.polls = nil
	setup := dev.model.Setup()
	add := func(every time.Duration, ask func(context.Context, *session) error) {
		every = max(every, shortestPoll)
		dev.polls = append(dev.polls, poll{ask: ask, every: every, next: now.Add(every)})
	}
	for _, r := range setup.Repeats {
		add(r.Every, func(ctx context.Context, s *session) error { return s.send(ctx, dev, r.Request) })
	}
	if dev.Sleeper {
		return
	}
	for _, p := range slices.Concat(setup.Polls, dev.Refused) {
		add(p.Every, func(ctx context.Context, s *session) error { return s.read(ctx, dev, p.Read) })
	}
}

// awakeFor is how long a sleeper listens after it has said something, at least.
const awakeFor = 2 * time.Second

// pollDue begins what is due at a device and returns how much that was; d.mu is held. One that does not answer is not
// polled until it is heard, and one that sleeps only while it listens.
func (s *session) pollDue(dev *device, now time.Time) (begun int) {
	if dev.reach == unreachable || dev.interviewing || dev.Sleeper && now.Sub(dev.heard) > awakeFor {
		return 0
	}
	for i := range dev.polls {
		p := &dev.polls[i]
		if p.going || now.Before(p.next) {
			continue
		}
		p.next = now.Add(p.every)
		begun++
		ask, polls := p.ask, dev.polls
		p.going = s.background(dev, func(ctx context.Context) error {
			err := ask(ctx, s)
			s.d.mu.Lock()
			defer s.d.mu.Unlock()
			polls[i].going = false
			if err != nil && isSilence(err) {
				s.unanswered(dev)
			}
			return err
		})
	}
	return begun
}
