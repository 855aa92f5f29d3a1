package znp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"hearth/drivers/serial"
	"hearth/drivers/zigbee/radio"
)

const (
	answerTimeout = 1500 * time.Millisecond // an answer comes within milliseconds, or is lost
	pingTimeout   = 500 * time.Millisecond
	storeTimeout  = 5 * time.Second  // what writes to flash may have to tidy it up first
	startTimeout  = 15 * time.Second // some firmware answers a start only when it is done
	resetTimeout  = 10 * time.Second
	overtakenFor  = 50 * time.Millisecond // an answer that comes later than what follows from it is lost

	idempotentTries = 3
	maxWaiting      = 128 // requests that wait for the line; one more is refused as busy
	silentTooOften  = 3   // unanswered requests in a row after which the stick is dead
)

// A link carries one request at a time to the stick, and what comes back to who waits for it.
type link struct {
	port serial.Port
	dead func()        // told when a stick that was there does not answer any more
	slot chan struct{} // holds one token while a request is under way; who waits is served in order
	out  []byte        // of the holder of slot
	down chan struct{} // closed when nothing will be read any more

	mu       sync.Mutex
	waiting  int
	asked    *question
	expected []*expectation
	unsure   bool // an answer is missing and may still come: it must not be taken for that to the next request
	silent   int  // unanswered requests in a row
	guarded  bool // a stick that does not answer has stopped to, it is not just not there yet
	broken   error
}

// A question is a request whose answer is awaited.
type question struct {
	command command
	answer  chan reply
}

type reply struct {
	data []byte
	err  error
}

// An expectation is an indication that somebody waits for.
type expectation struct {
	command command
	match   func(data []byte) bool // nil: any
	got     chan reply
}

// A call is a request and how it is made.
type call struct {
	command   command
	data      []byte
	timeout   time.Duration   // 0: answerTimeout
	tries     int             // 0: once
	overtaken <-chan struct{} // closed when what follows from the request has come already
}

func newLink(port serial.Port, dead func()) *link {
	return &link{port: port, dead: dead, slot: make(chan struct{}, 1), down: make(chan struct{})}
}

// A rejection is the failure of a command that the firmware does not have, or not in that form.
type rejection struct{ radio.Failure }

// Unwrap makes the rejection a *radio.Failure for errors.As.
func (r *rejection) Unwrap() error { return &r.Failure }

func rejected(err error) bool { return errors.As(err, new(*rejection)) }

func reject(c command, code byte) error {
	reason := "unknown error"
	switch code {
	case 1:
		reason = "unknown subsystem"
	case 2:
		reason = "unknown command"
	case 3:
		reason = "invalid parameter"
	case 4:
		reason = "invalid length"
	}
	return &rejection{radio.Failure{Class: radio.Refused, Status: uint32(code), Doing: fmt.Sprintf("%s (%s)", c, reason)}}
}

// ask makes a request and returns the data of its answer. Its errors are failures of class Timeout, Busy or Down, or a
// rejection; what the answer says is the caller's business.
func (l *link) ask(ctx context.Context, c call) ([]byte, error) {
	if err := l.take(ctx, c.command); err != nil {
		return nil, err
	}
	defer func() { <-l.slot }()
	var data []byte
	var err error
	for range max(c.tries, 1) {
		if data, err = l.settled(ctx, c); !timedOut(err) || ctx.Err() != nil {
			break
		}
	}
	return data, err
}

// get asks for what can be asked for again without harm.
func (l *link) get(ctx context.Context, c command, data []byte) ([]byte, error) {
	return l.ask(ctx, call{command: c, data: data, tries: idempotentTries})
}

func timedOut(err error) bool {
	var f *radio.Failure
	return errors.As(err, &f) && f.Class == radio.Timeout
}

// take waits for the line.
func (l *link) take(ctx context.Context, c command) error {
	l.mu.Lock()
	if l.waiting >= maxWaiting {
		l.mu.Unlock()
		return &radio.Failure{Class: radio.Busy, Doing: c.String()}
	}
	l.waiting++
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.waiting--
		l.mu.Unlock()
	}()
	select {
	case <-l.down:
		return &radio.Failure{Class: radio.Down, Doing: c.String()}
	default:
	}
	select {
	case l.slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return gaveUp(ctx, radio.Busy, c.String())
	case <-l.down:
		return &radio.Failure{Class: radio.Down, Doing: c.String()}
	}
}

// gaveUp is the error of what was not waited for any longer.
func gaveUp(ctx context.Context, class radio.Class, doing string) error {
	return fmt.Errorf("%w (%w)", &radio.Failure{Class: class, Doing: doing}, ctx.Err())
}

// settled makes a request when it is certain that no answer to an earlier one can still come: the firmware answers in
// order, so one to a ping is the last.
func (l *link) settled(ctx context.Context, c call) ([]byte, error) {
	l.mu.Lock()
	unsure := l.unsure && c.command != sysPing
	l.mu.Unlock()
	if unsure {
		if _, err := l.exchange(ctx, call{command: sysPing, timeout: pingTimeout}); err != nil {
			return nil, err
		}
	}
	return l.exchange(ctx, c)
}

func (l *link) exchange(ctx context.Context, c call) ([]byte, error) {
	q := &question{c.command, make(chan reply, 1)}
	l.mu.Lock()
	l.asked = q
	l.mu.Unlock()
	if err := l.write(kindRequest, c.command, c.data); err != nil {
		return nil, err
	}
	timeout := c.timeout
	if timeout == 0 {
		timeout = answerTimeout
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	overtaken := c.overtaken
	for {
		select {
		case a := <-q.answer:
			return a.data, a.err
		case <-overtaken:
			overtaken = nil
			timer.Reset(overtakenFor)
		case <-timer.C:
			l.unanswered(q)
			return nil, &radio.Failure{Class: radio.Timeout, Doing: c.command.String()}
		case <-ctx.Done():
			l.abandon(q)
			return nil, gaveUp(ctx, radio.Timeout, c.command.String())
		case <-l.down:
			return nil, &radio.Failure{Class: radio.Down, Doing: c.command.String()}
		}
	}
}

// write writes one frame; the caller has the slot.
func (l *link) write(kind byte, c command, data []byte) error {
	l.out = appendFrame(l.out[:0], kind, c, data)
	return l.raw(l.out)
}

func (l *link) raw(b []byte) error {
	if _, err := l.port.Write(b); err != nil {
		l.fail(err)
		return &radio.Failure{Class: radio.Down, Doing: "writing to the stick"}
	}
	return nil
}

// abandon forgets a question whose answer may still come.
func (l *link) abandon(q *question) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked == q {
		l.asked = nil
		l.unsure = true
	}
}

func (l *link) unanswered(q *question) {
	l.abandon(q)
	l.mu.Lock()
	l.silent++
	dead := l.guarded && l.silent >= silentTooOften
	l.guarded = l.guarded && !dead
	l.mu.Unlock()
	if dead {
		l.dead()
	}
}

// guard says whether a stick that does not answer is told of.
func (l *link) guard(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.guarded, l.silent = on, 0
}

// fail makes the reader end with that error, once.
func (l *link) fail(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = why
		_ = l.port.SetReadDeadline(time.Unix(1, 0)) // a port without deadlines ends by itself
	}
}

func (l *link) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

// deadline sets when a read gives up, unless the link has failed and none shall begin.
func (l *link) deadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return nil
	}
	return l.port.SetReadDeadline(t)
}

// answered gives an answer to who asked.
func (l *link) answered(f frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = 0
	q := l.asked
	if q == nil {
		return // too late
	}
	var a reply
	switch {
	case f.command == q.command:
		a.data = slices.Clone(f.data)
	case f.command == rpcError && len(f.data) >= 3 && command(f.data[1]&^kindMask)<<8|command(f.data[2]) == q.command:
		a.err = reject(q.command, f.data[0])
	default:
		return
	}
	if q.command == sysPing {
		l.unsure = false
	}
	l.asked = nil
	q.answer <- a
}

// expect begins to wait for an indication. Who does must forget the expectation at the end.
func (l *link) expect(c command, match func(data []byte) bool) *expectation {
	e := &expectation{c, match, make(chan reply, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected = append(l.expected, e)
	return e
}

func (l *link) forget(e *expectation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.expected, e); i >= 0 {
		l.expected = slices.Delete(l.expected, i, i+1)
	}
}

// await waits for what e expects.
func (l *link) await(ctx context.Context, e *expectation, timeout time.Duration, doing string) ([]byte, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case a := <-e.got:
		return a.data, a.err
	case <-timer.C:
		return nil, &radio.Failure{Class: radio.Timeout, Doing: doing}
	case <-ctx.Done():
		return nil, gaveUp(ctx, radio.Timeout, doing)
	case <-l.down:
		return nil, &radio.Failure{Class: radio.Down, Doing: doing}
	}
}

// indicated gives an indication to the first who waits for it.
func (l *link) indicated(f frame) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, e := range l.expected {
		if e.command == f.command && (e.match == nil || e.match(f.data)) {
			l.expected = slices.Delete(l.expected, i, i+1)
			e.got <- reply{data: slices.Clone(f.data)}
			return true
		}
	}
	return false
}

// interrupt fails who waits for something that a stick which has just restarted will not say.
func (l *link) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	restarted := reply{err: &radio.Failure{Class: radio.Down, Doing: "waiting for the stick, which restarted"}}
	if l.asked != nil {
		l.asked.answer <- restarted
		l.asked = nil
	}
	l.expected = slices.DeleteFunc(l.expected, func(e *expectation) bool {
		if e.command == sysResetHappens {
			return false
		}
		e.got <- restarted
		return true
	})
}

// reset restarts the firmware and waits until it is back.
func (l *link) reset(ctx context.Context) error {
	back := l.expect(sysResetHappens, nil)
	defer l.forget(back)
	if err := l.take(ctx, sysReset); err != nil {
		return err
	}
	err := l.write(kindIndication, sysReset, []byte{softReset})
	<-l.slot
	if err != nil {
		return err
	}
	if _, err := l.await(ctx, back, resetTimeout, "waiting for the stick to restart"); err != nil && !timedOut(err) {
		return err
	}
	// If it was not heard, it may have been lost: who answers is back.
	_, err = l.get(ctx, sysPing, nil)
	return err
}

const softReset = 1
