package ezsp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth/drivers/zigbee/ezsp/ash"
	"hearth/drivers/zigbee/radio"
)

const (
	// answerTimeout is how long the firmware may take; it writes its flash in some commands. While it says other things
	// the line is full, and answers wait in the queue.
	answerTimeout = 4 * time.Second
	queueTimeout  = 12 * time.Second

	// probeTime is after how long an answer is missed. The firmware works off one command after the other, so it is asked
	// something else then: when that is answered first, the answer is lost.
	probeTime  = 250 * time.Millisecond
	probeAgain = time.Second

	maxAsked = 3 // times, when the answer is lost each time
)

// A request is a command that is under way.
type request struct {
	command  command
	sequence uint8
	wire     []byte
	since    time.Time
	done     chan answer // has room for one
	timer    *time.Timer
	settled  bool
	asked    int
	probed   bool // something else was asked since
	probe    uint8
}

type answer struct {
	body []byte
	err  error
}

// call has the firmware carry out a command and returns what it answers. The error is a *radio.Failure, or that of ctx.
func (r *Radio) call(ctx context.Context, c command, body []byte) (*reader, error) {
	return r.exchange(ctx, c, func(f frame) []byte { f.body = body; return f.append(nil) })
}

func (r *Radio) exchange(ctx context.Context, c command, write func(frame) []byte) (*reader, error) {
	select {
	case r.slot <- struct{}{}:
	case <-ctx.Done():
		return nil, ended(ctx, c)
	}
	q := r.register(c, write)
	switch err := r.link.Send(q.wire); {
	case errors.Is(err, ash.ErrFull):
		r.settle(q, answer{err: &radio.Failure{Class: radio.Busy, Doing: c.String()}})
	case errors.Is(err, ash.ErrDown):
		r.settle(q, answer{err: isDown(c.String())})
	case err != nil:
		r.settle(q, answer{err: &radio.Failure{Class: radio.Refused, Doing: fmt.Sprintf("%s (%v)", c, err)}})
	}
	select {
	case a := <-q.done:
		return &reader{rest: a.body}, a.err
	case <-ctx.Done(): // the slot stays taken until the answer comes, or its time is up
		return nil, ended(ctx, c)
	}
}

func ended(ctx context.Context, c command) error { return fmt.Errorf("%s: %w", c, ctx.Err()) }

func (r *Radio) register(c command, write func(frame) []byte) *request {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sequence++
	q := &request{command: c, sequence: r.sequence, since: time.Now(), done: make(chan answer, 1), asked: 1}
	q.wire = write(frame{sequence: q.sequence, command: c})
	q.timer = time.AfterFunc(probeTime, func() { r.overdue(q) })
	r.waiting = q
	return q
}

// settle ends a request, the first time it is called for it.
func (r *Radio) settle(q *request, a answer) {
	r.mu.Lock()
	settled := q.settled
	q.settled = true
	if r.waiting == q {
		r.waiting = nil
	}
	r.mu.Unlock()
	if settled {
		return
	}
	q.timer.Stop()
	q.done <- a
	<-r.slot
}

// overdue looks after a request whose answer is missed.
func (r *Radio) overdue(q *request) {
	r.mu.Lock()
	waited, talks, isUp := time.Since(q.since), time.Since(r.spoke) < probeAgain, r.phase == up
	if waited >= queueTimeout || waited >= answerTimeout && !talks {
		r.mu.Unlock()
		r.settle(q, answer{err: noAnswer(q.command)})
		if isUp && !talks && r.link.Idle() { // else the line is to blame, which ASH finds out
			r.link.Fail("it does not answer any more")
		}
		return
	}
	defer r.mu.Unlock()
	if q.settled {
		return
	}
	next := probeAgain
	switch {
	case !r.link.Idle(): // it has not even got the command
		next = probeTime
	case q.command == cmdVersion: // before which it knows no other
		_ = r.link.Send(q.wire) // else it is missed again
	default:
		r.sequence++
		q.probe, q.probed = r.sequence, true
		_ = r.link.Send(frame{sequence: q.probe, command: cmdNop}.append(nil))
	}
	if left := answerTimeout - waited; left > 0 {
		next = min(next, left)
	}
	q.timer.Reset(next)
}

// overtaken takes it that the firmware is through with a request and its answer is lost. What can be done twice is asked
// for again; of the rest only those who ask can know.
func (r *Radio) overtaken(q *request) {
	r.mu.Lock()
	if q.asked < maxAsked && q.command.repeatable() && !q.settled {
		q.asked++
		q.probed = false
		q.timer.Reset(probeTime)
		r.mu.Unlock()
		_ = r.link.Send(q.wire) // else it is missed again
		return
	}
	r.mu.Unlock()
	r.settle(q, answer{err: noAnswer(q.command)})
}

func noAnswer(c command) *radio.Failure {
	return &radio.Failure{Class: radio.Timeout, Doing: c.String()}
}

// repeatable reports whether a command does no more when it is carried out twice.
func (c command) repeatable() bool {
	switch c {
	case cmdSendUnicast, cmdSendBroadcast, cmdSendMulticast, cmdSendReply, // another message
		cmdAddEndpoint, cmdNetworkInit, cmdFormNetwork, cmdLeaveNetwork, // refused the second time
		cmdSetMfgToken: // once in a life
		return false
	}
	return true
}

// answered settles the request that f is the answer to. It reports whether there is one.
func (r *Radio) answered(f frame) bool {
	if f.callback() {
		return false
	}
	r.mu.Lock()
	q := r.waiting
	own := q != nil && f.sequence == q.sequence
	probe := q != nil && q.probed && f.sequence == q.probe
	r.mu.Unlock()
	switch {
	case !own && !probe:
		return false
	case f.command == cmdInvalidCommand:
		in := &reader{rest: f.body}
		reason := in.u8()
		if reason == versionNotSet && r.inPhase(up) {
			r.settle(q, answer{err: isDown(q.command.String())})
			r.link.Fail("it has restarted: it asks for the protocol version again")
			return true
		}
		if probe {
			r.overtaken(q)
			return true
		}
		r.settle(q, answer{err: invalid(q.command, reason)})
	case probe:
		r.overtaken(q)
	case f.command != q.command:
		return false
	case f.control&controlTruncated != 0:
		r.settle(q, answer{err: &radio.Failure{Class: radio.Busy, Doing: q.command.String() + " (the answer was cut short)"}})
	default:
		r.settle(q, answer{body: f.body})
	}
	return true
}

const versionNotSet = 0x30 // EzspStatus: firmware that has just started answers everything so

// invalid returns why the firmware did not even look at a command (EzspStatus).
func invalid(c command, reason uint8) *radio.Failure {
	const unknownFrame, outOfMemory, queueFull = 0x31, 0x35, 0x41
	f := &radio.Failure{Class: radio.Refused, Status: uint32(reason), Doing: c.String()}
	switch reason {
	case unknownFrame:
		f.Doing += " (the firmware does not know it)"
	case outOfMemory, queueFull:
		f.Class = radio.Busy
	}
	return f
}

// do carries out a command that is answered with nothing but an EmberStatus.
func (r *Radio) do(ctx context.Context, c command, body []byte) error {
	return r.doing(ctx, c, body, r.speaks().status)
}

// configure carries out one that is answered with nothing but an EzspStatus.
func (r *Radio) configure(ctx context.Context, c command, body []byte) error {
	return r.doing(ctx, c, body, r.speaks().configStatus)
}

// storeKey carries out one that stores a key.
func (r *Radio) storeKey(ctx context.Context, c command, body []byte) error {
	return r.doing(ctx, c, body, r.speaks().keyStatus)
}

func (r *Radio) doing(ctx context.Context, c command, body []byte, read func(*reader) status) error {
	in, err := r.call(ctx, c, body)
	if err != nil {
		return err
	}
	s := read(in)
	if in.short {
		return tooShort(c)
	}
	if !s.ok() {
		return s.failure(c.String())
	}
	return nil
}

func tooShort(c command) *radio.Failure {
	return &radio.Failure{Class: radio.Refused, Doing: c.String() + " (the answer is too short)"}
}

// classOf returns the class of a failure, -1 if err is none.
func classOf(err error) radio.Class {
	var f *radio.Failure
	if errors.As(err, &f) {
		return f.Class
	}
	return -1
}

// refused reports whether err only says that the firmware does not want something.
func refused(err error) bool {
	class := classOf(err)
	return class == radio.Refused || class == radio.Busy
}

// A watcher gets the states of the network as they come.
type watcher struct {
	states chan status // has room for some; what does not fit is dropped, the oldest stay
	gone   chan struct{}
}

const maxStates = 8

// watch begins to collect the states of the network; unwatch must follow.
func (r *Radio) watch() *watcher {
	w := &watcher{states: make(chan status, maxStates), gone: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers[w] = true
	return w
}

func (r *Radio) unwatch(w *watcher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.watchers, w)
}

// lose ends the wait; the radio's lock is held.
func (w *watcher) lose() {
	select {
	case <-w.gone:
	default:
		close(w.gone)
	}
}

// see tells all watchers of a state.
func (r *Radio) see(s status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.watchers {
		select {
		case w.states <- s:
		default:
		}
	}
}

// await waits until the network is in that state.
func (w *watcher) await(ctx context.Context, wanted meaning, patience time.Duration, doing string) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case s := <-w.states:
			if s.means == wanted {
				return nil
			}
		case <-w.gone:
			return isDown(doing)
		case <-timer.C:
			return &radio.Failure{Class: radio.Timeout, Doing: doing}
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", doing, ctx.Err())
		}
	}
}
