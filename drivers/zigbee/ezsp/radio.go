// Package ezsp is the radio of sticks by Silicon Labs with EmberZNet on them as a network co-processor: EZSP, versions 8
// to 18, over ASH (UG100, UG101). The firmware runs the network; ZDO messages are made by the host.
package ezsp

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"hearth/drivers/serial"
	"hearth/drivers/zigbee/ezsp/ash"
	"hearth/drivers/zigbee/radio"
)

const (
	quiet    = 5 * time.Second // after that the stick is asked whether it is still there
	maxTasks = 16              // small things to be done beside; one more is left undone
)

// A Radio is one stick. It implements radio.Radio.
type Radio struct {
	link     *ash.Link
	log      *slog.Logger
	slot     chan struct{} // the firmware works off one command at a time
	bringing chan struct{} // one Connect, Up or Move at a time
	tasks    chan func(context.Context)

	mu        sync.Mutex
	phase     phase
	dialect   dialect
	sequence  uint8
	spoke     time.Time // when the firmware last said something
	waiting   *request  // the command that is under way, nil if none
	tag       uint16
	sendings  map[uint16]*sending
	watchers  map[*watcher]bool
	settled   bool // since Run began the stick had time to restart by itself
	joined    bool // the firmware is on a network
	payload   int  // bytes that fit into one message
	groups    []uint16
	trusted   map[radio.IEEE]radio.Key
	openUntil time.Time // the trust centre lets devices in, zero if it does not
	closing   *time.Timer
	lumi      bool // the stick pretends to be of Lumi, which their devices want while they join

	// Of the goroutine that hears the stick alone:
	addresses addressBook
	sender    radio.IEEE // of the message that comes next, 0 if not told
	pieces    assembly
	warned    time.Time // when the firmware's lack of memory was last complained of
}

// A phase is how far the stick has been brought.
type phase int

const (
	off    phase = iota
	ready        // connected and configured
	rising       // Up is under way
	up
)

var _ radio.Radio = (*Radio)(nil)

// New returns the radio behind a port. It does not touch the port, and never closes it.
func New(port serial.Port, log *slog.Logger) *Radio {
	return &Radio{
		link: ash.New(port, log), log: log,
		slot: make(chan struct{}, 1), bringing: make(chan struct{}, 1), tasks: make(chan func(context.Context), maxTasks),
		sendings: map[uint16]*sending{}, watchers: map[*watcher]bool{},
		trusted: map[radio.IEEE]radio.Key{},
	}
}

// Run implements radio.Radio.
func (r *Radio) Run(ctx context.Context, handle func(radio.Event)) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { r.keepAlive(running) })
	wg.Go(func() { r.work(running) })
	err := r.link.Run(running, &listener{Radio: r, handle: handle})
	cancel()
	r.fail()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// A listener takes what comes from the line.
type listener struct {
	*Radio
	handle func(radio.Event)
}

// Lost implements ash.Handler.
func (l *listener) Lost(reason string) { l.lost(reason) }

// lost ends all that goes on, and tells the driver if the network was up.
func (l *listener) lost(reason string) {
	l.mu.Lock()
	wasUp := l.phase == up
	l.mu.Unlock()
	l.fail()
	l.log.Warn("the stick is lost", "reason", reason)
	if wasUp {
		l.handle(radio.Reset{Reason: reason})
	}
}

// fail ends all that goes on with a failure of class Down.
func (r *Radio) fail() {
	r.mu.Lock()
	r.phase, r.joined, r.lumi = off, false, false
	r.forgetOpen()
	q := r.waiting
	for tag, s := range r.sendings {
		s.done <- sentReport{status: status{means: down}}
		delete(r.sendings, tag)
	}
	for w := range r.watchers {
		w.lose()
	}
	r.mu.Unlock()
	if q != nil {
		r.settle(q, answer{err: isDown(q.command.String())})
	}
}

func isDown(doing string) *radio.Failure { return &radio.Failure{Class: radio.Down, Doing: doing} }

// inPhase reports whether the stick has been brought that far.
func (r *Radio) inPhase(p phase) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.phase >= p
}

func (r *Radio) setPhase(p phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = p
}

func (r *Radio) speaks() dialect {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dialect
}

// keepAlive asks a stick that has been silent for a while whether it is there. ASH finds a line that is cut; overdue finds
// firmware that hangs.
func (r *Radio) keepAlive(ctx context.Context) {
	for {
		wait := quiet
		if r.inPhase(up) {
			wait = time.Until(r.link.Heard().Add(quiet))
		}
		if wait <= 0 {
			_, err := r.call(ctx, cmdNop, nil)
			if err == nil {
				continue
			}
			wait = quiet
		}
		if sleep(ctx, wait) != nil {
			return
		}
	}
}

// later has something done beside. It does not wait; what does not fit is left undone.
func (r *Radio) later(what string, task func(context.Context) error) {
	select {
	case r.tasks <- func(ctx context.Context) {
		if err := task(ctx); err != nil && ctx.Err() == nil {
			r.log.Debug("a small thing did not work", "what", what, "reason", err)
		}
	}:
	default:
		r.log.Debug("a small thing was left undone", "what", what)
	}
}

func (r *Radio) work(ctx context.Context) {
	for {
		select {
		case task := <-r.tasks:
			task(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
