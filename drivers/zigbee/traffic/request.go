package traffic

import (
	"context"
	"fmt"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// How long an answer may take after the question was delivered, and how long it keeps others from asking the device.
const (
	answerTime       = 4 * time.Second
	sleepyAnswerTime = 12 * time.Second // through a parent that is asked every few seconds
	turnTime         = time.Second
)

// A StatusError is a device's refusal.
type StatusError struct {
	Command uint8 // of ours, that it refuses
	Status  zcl.Status
}

func (e *StatusError) Error() string { return fmt.Sprintf("the device refuses: %s", e.Status) }

// Unwrap gives the refusal its code.
func (e *StatusError) Unwrap() error { return hearth.Errorf(hearth.CodeFailed, "%s", e.Error()) }

// A SilenceError is a question without an answer.
type SilenceError struct{ Delivered bool } // the device itself acknowledged that it got the question

func (e *SilenceError) Error() string {
	if e.Delivered {
		return "the device got the request and does not answer it"
	}
	return "the device does not answer"
}

// Unwrap gives the silence its code.
func (e *SilenceError) Unwrap() error { return hearth.Errorf(hearth.CodeOffline, "%s", e.Error()) }

// A question is what an answer must match. Some devices answer from another endpoint, and over ZDO a broadcast is
// answered by whom it concerns, so neither is part of it.
type question struct {
	from     radio.NWK // Unknown: anybody
	zdo      bool
	cluster  uint16
	sequence uint8
}

type waiter struct {
	question
	frame  zcl.Frame // that was asked
	answer chan radio.Message
	broken chan struct{}      // the network went down meanwhile
	came   context.CancelFunc // ends the delivery: an answer is a better confirmation than the stick's, which may be lost
}

func (w *waiter) interrupt() {
	select {
	case w.broken <- struct{}{}:
	default:
	}
}

// Target says which endpoints and cluster a ZCL frame goes between.
type Target struct {
	Local, Remote uint8
	Profile       uint16 // 0: Home Automation
	Cluster       uint16
}

func (to Target) message(data []byte) radio.Message {
	m := radio.Message{Local: to.Local, Remote: to.Remote, Profile: to.Profile, Cluster: to.Cluster, Data: data, Fragmented: len(data) > 80}
	if m.Profile == 0 {
		m.Profile = profileHA
	}
	if m.Local == 0 {
		m.Local = 1
	}
	return m
}

// Request asks a device and returns its answer: the response that belongs to the command, or the default response. A
// status that is no success is a *StatusError, silence a *SilenceError. f's sequence is filled in.
func (t *Traffic) Request(ctx context.Context, p Peer, to Target, f zcl.Frame) (zcl.Frame, error) {
	answer, err := t.ask(ctx, p, func(sequence uint8) (question, zcl.Frame, radio.Message) {
		f.Sequence = sequence
		return question{cluster: to.Cluster, sequence: sequence}, f, to.message(f.Append(nil))
	})
	if err != nil {
		return zcl.Frame{}, err
	}
	reply, err := zcl.ParseFrame(answer.Data)
	if err != nil {
		return zcl.Frame{}, fmt.Errorf("reading the device's answer: %w", err)
	}
	if status, ok := refusal(f, reply); ok {
		return reply, &StatusError{f.Command, status}
	}
	return reply, nil
}

// Tell sends a frame that wants no answer; nil means that the device acknowledged it. f's sequence is filled in.
func (t *Traffic) Tell(ctx context.Context, p Peer, to Target, f zcl.Frame) error {
	t.mu.Lock()
	t.zclNext++
	f.Sequence = t.zclNext
	t.mu.Unlock()
	return t.Reply(ctx, p, to, f)
}

// Reply sends an answer of ours: f has the sequence of the device's question.
func (t *Traffic) Reply(ctx context.Context, p Peer, to Target, f zcl.Frame) error {
	m := to.message(f.Append(nil))
	m.Acked = true
	if err := t.take(ctx, p); err != nil {
		return gaveUp(err, nil)
	}
	defer t.leave(p)
	return t.deliver(ctx, p, m, nil)
}

// ZDO asks a device's ZDO and returns the data of its answer, sequence number first. data makes the request's data.
func (t *Traffic) ZDO(ctx context.Context, p Peer, cluster uint16, data func(sequence uint8) []byte) ([]byte, error) {
	answer, err := t.ask(ctx, p, func(sequence uint8) (question, zcl.Frame, radio.Message) {
		return question{zdo: true, cluster: cluster | zdo.Response, sequence: sequence}, zcl.Frame{}, radio.Message{Cluster: cluster, Data: data(sequence)}
	})
	return answer.Data, err
}

// ask delivers a question and waits for its answer, twice if need be: the second time with the device's acknowledgement.
func (t *Traffic) ask(ctx context.Context, p Peer, build func(uint8) (question, zcl.Frame, radio.Message)) (radio.Message, error) {
	for acked := false; ; acked = true {
		answer, answered, err := t.askOnce(ctx, p, acked, build)
		switch {
		case err != nil || answered:
			return answer, err
		case acked:
			return answer, &SilenceError{Delivered: true}
		}
	}
}

func (t *Traffic) askOnce(ctx context.Context, p Peer, acked bool, build func(uint8) (question, zcl.Frame, radio.Message)) (answer radio.Message, answered bool, err error) {
	if err := t.take(ctx, p); err != nil {
		return answer, false, gaveUp(err, nil)
	}
	leave := onceOnly(func() { t.leave(p) })
	defer leave()
	patience := answerTime
	if p.Sleepy() {
		patience = sleepyAnswerTime
	}
	delivering, came := context.WithCancel(ctx)
	defer came()
	w, m := t.question(p, came, build)
	defer t.forget(w)
	m.Acked = acked
	err = t.deliver(delivering, p, m, w)
	select {
	case answer := <-w.answer:
		return answer, true, nil
	default:
	}
	if err != nil {
		return answer, false, err
	}
	answer, answered, err = t.await(ctx, w, patience, leave)
	return answer, answered, gaveUp(err, &SilenceError{Delivered: acked})
}

// await waits for an answer. A device that takes long lets others ask meanwhile.
func (t *Traffic) await(ctx context.Context, w *waiter, patience time.Duration, leave func()) (answer radio.Message, answered bool, err error) {
	late, turn := time.NewTimer(patience), time.NewTimer(turnTime)
	defer late.Stop()
	defer turn.Stop()
	for {
		select {
		case answer := <-w.answer:
			return answer, true, nil
		case <-turn.C:
			leave()
		case <-late.C:
			return answer, false, nil
		case <-w.broken:
			return answer, false, nil
		case <-ctx.Done():
			return answer, false, ctx.Err()
		case <-t.ended:
			return answer, false, errEnded()
		}
	}
}

// question numbers a question and listens for its answer. A number that is in use for the same is passed over.
func (t *Traffic) question(p Peer, came context.CancelFunc, build func(uint8) (question, zcl.Frame, radio.Message)) (*waiter, radio.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		next := &t.zclNext
		q, _, _ := build(0)
		if q.zdo {
			next = &t.zdoNext
		}
		*next++
		q, f, m := build(*next)
		if q.from = p.Address(); q.zdo || q.from.Broadcast() {
			q.from = radio.Unknown
		}
		if t.asked[q] != nil {
			continue
		}
		w := &waiter{q, f, make(chan radio.Message, 1), make(chan struct{}, 1), came}
		t.asked[q] = w
		return w, m
	}
}

// follow lets the answer come from where the question goes: the device may have moved since it was numbered.
func (t *Traffic) follow(w *waiter, to radio.NWK) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.from == to || w.from == radio.Unknown || t.asked[w.question] != w {
		return
	}
	delete(t.asked, w.question)
	w.from = to
	t.asked[w.question] = w
}

func (t *Traffic) forget(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked[w.question] == w { // else the number is another's by now
		delete(t.asked, w.question)
	}
}

// Heard gives a message to the one who waits for it and reports whether it was an answer and nothing else. Answers that
// also tell values (read responses, responses of clusters) are given and yet not claimed. It does not block.
func (t *Traffic) Heard(m radio.Message) bool {
	if m.Profile == 0 {
		if m.Cluster&zdo.Response == 0 || len(m.Data) == 0 {
			return false
		}
		return t.answer(question{radio.Unknown, true, m.Cluster, m.Data[0]}, m, nil)
	}
	f, err := zcl.ParseFrame(m.Data)
	if err != nil {
		return false
	}
	if f.Global && !isResponse(f.Command) {
		return false
	}
	given := t.answer(question{m.Address, false, m.Cluster, f.Sequence}, m, &f)
	return given && f.Global && f.Command != zcl.CommandReadAttributesResponse
}

func (t *Traffic) answer(q question, m radio.Message, f *zcl.Frame) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.asked[q]
	if w == nil || f != nil && !belongs(w.frame, *f) {
		return false
	}
	delete(t.asked, q)
	w.answer <- m
	w.came()
	return true
}

// isResponse reports whether a global command answers one.
func isResponse(command uint8) bool {
	switch command {
	case zcl.CommandReadAttributesResponse, zcl.CommandWriteAttributesResponse, zcl.CommandConfigureReportingResponse,
		zcl.CommandReadReportingConfigurationResponse, zcl.CommandDefaultResponse, zcl.CommandDiscoverAttributesResponse,
		zcl.CommandDiscoverCommandsReceivedResponse, zcl.CommandDiscoverCommandsGeneratedResponse, zcl.CommandDiscoverAttributesExtendedResponse:
		return true
	}
	return false
}

// belongs reports whether reply can answer what was asked, beyond its number.
func belongs(asked, reply zcl.Frame) bool {
	switch {
	case reply.Global && reply.Command == zcl.CommandDefaultResponse:
		return len(reply.Payload) < 2 || reply.Payload[0] == asked.Command
	case asked.Global:
		return reply.Global
	}
	return !reply.Global && reply.ToClient != asked.ToClient
}

// refusal returns the status of a default response that is none of success.
func refusal(asked, reply zcl.Frame) (zcl.Status, bool) {
	if !reply.Global || reply.Command != zcl.CommandDefaultResponse || len(reply.Payload) < 2 {
		return 0, false
	}
	status := zcl.Status(reply.Payload[1])
	return status, status != zcl.Success
}

func onceOnly(fn func()) func() {
	done := false
	return func() {
		if !done {
			done = true
			fn()
		}
	}
}
