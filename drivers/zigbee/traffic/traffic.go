// Package traffic is what is asked of the devices of a Zigbee network: in order for each device, bounded for the radio,
// tried again as the kind of trouble wants it, and with the answers matched to the questions.
package traffic

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

// Limits. What is beyond them is refused with code busy.
const (
	maxSending = 16 // messages that the radio has at once
	maxWaiting = 32 // requests that wait for one device
)

const profileHA = 0x0104

// A Peer is a device that is asked. Its address may change between two tries.
type Peer interface {
	Address() radio.NWK
	Sleepy() bool // its receiver is off most of the time
}

// A Sender gives one message to the network, once; see radio.Radio.
type Sender interface {
	Send(ctx context.Context, m radio.Message) error
}

// Options are what a Traffic is made with.
type Options struct {
	Sender Sender
	Lost   func(Peer) // nobody acknowledges for that device: maybe it has another address. It must not block
	Log    *slog.Logger
}

// A Traffic is safe for several goroutines. It begins held: see Go.
type Traffic struct {
	o       Options
	sending chan struct{} // one place for each message the radio has
	finding chan struct{} // one route is discovered at a time: it floods the network

	sent, retried, failed atomic.Uint64

	mu      sync.Mutex
	lines   map[Peer]*line
	asked   map[question]*waiter
	zclNext uint8
	zdoNext uint8
	up      chan struct{} // closed while the network is up
	ended   chan struct{}
	end     sync.Once
}

// A line is what waits for one device, while something does.
type line struct {
	waiting []chan struct{} // the first is closed when it is its turn
	awake   chan struct{}   // closed when the device is heard; nil while nobody wants to know
	heard   time.Time
}

// New returns a Traffic.
func New(o Options) *Traffic {
	return &Traffic{
		o: o, sending: make(chan struct{}, maxSending), finding: make(chan struct{}, 1),
		lines: map[Peer]*line{}, asked: map[question]*waiter{}, up: make(chan struct{}), ended: make(chan struct{}),
	}
}

// Go says that the network is up.
func (t *Traffic) Go() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !isClosed(t.up) {
		close(t.up)
	}
}

// Hold says that the network is down: what is asked waits for Go, as long as its context allows.
func (t *Traffic) Hold() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if isClosed(t.up) {
		t.up = make(chan struct{})
	}
	for _, w := range t.asked {
		w.interrupt()
	}
}

// End fails what is asked and what will be, with code offline.
func (t *Traffic) End() { t.end.Do(func() { close(t.ended) }) }

// Awake says that a device was just heard: what waits for it goes while it listens.
func (t *Traffic) Awake(p Peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lines[p]
	if l == nil {
		return
	}
	l.heard = time.Now()
	if l.awake != nil {
		close(l.awake)
		l.awake = nil
	}
}

// Waiting returns how many requests wait for devices or are on their way.
func (t *Traffic) Waiting() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lines {
		n += 1 + len(l.waiting)
	}
	return n
}

// Stats counts messages since the start.
type Stats struct {
	Sent    uint64 `json:"sent"`    // and delivered
	Retried uint64 `json:"retried"` // tries beyond a message's first
	Failed  uint64 `json:"failed"`  // and given up, for whatever reason
}

// Stats returns what was sent so far.
func (t *Traffic) Stats() Stats {
	return Stats{Sent: t.sent.Load(), Retried: t.retried.Load(), Failed: t.failed.Load()}
}

// take waits until it is the caller's turn with that device; leave must follow.
func (t *Traffic) take(ctx context.Context, p Peer) error {
	t.mu.Lock()
	l := t.lines[p]
	if l == nil {
		t.lines[p] = &line{}
		t.mu.Unlock()
		return nil
	}
	if len(l.waiting) >= maxWaiting {
		t.mu.Unlock()
		return hearth.Errorf(hearth.CodeBusy, "%d requests wait for this device already: try again later", maxWaiting)
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	t.mu.Unlock()
	if err := t.wait(ctx, turn); err != nil {
		t.abandon(p, turn)
		return err
	}
	return nil
}

// abandon gives a turn back that may have come meanwhile.
func (t *Traffic) abandon(p Peer, turn chan struct{}) {
	t.mu.Lock()
	l := t.lines[p]
	for i, other := range l.waiting {
		if other == turn {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			t.mu.Unlock()
			return
		}
	}
	t.mu.Unlock()
	t.leave(p)
}

// leave lets the next one have the device.
func (t *Traffic) leave(p Peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lines[p]
	if len(l.waiting) == 0 {
		delete(t.lines, p)
		return
	}
	close(l.waiting[0])
	l.waiting = l.waiting[1:]
}

// untilHeard waits until the device speaks, though no longer than that, or returns at once if it has since then.
func (t *Traffic) untilHeard(ctx context.Context, p Peer, since time.Time, atMost time.Duration) error {
	t.mu.Lock()
	l := t.lines[p]
	if l.heard.After(since) {
		t.mu.Unlock()
		return nil
	}
	if l.awake == nil {
		l.awake = make(chan struct{})
	}
	awake := l.awake
	t.mu.Unlock()
	napping, over := context.WithTimeout(ctx, atMost)
	defer over()
	err := t.wait(napping, awake)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// untilUp waits until the network is up.
func (t *Traffic) untilUp(ctx context.Context) error {
	t.mu.Lock()
	up := t.up
	t.mu.Unlock()
	return t.wait(ctx, up)
}

func (t *Traffic) wait(ctx context.Context, c <-chan struct{}) error {
	if isClosed(t.ended) {
		return errEnded()
	}
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.ended:
		return errEnded()
	}
}

func (t *Traffic) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.ended:
		return errEnded()
	}
}

func errEnded() error {
	return hearth.Errorf(hearth.CodeOffline, "the radio is not connected")
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
