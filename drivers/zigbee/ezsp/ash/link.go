package ash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A Port is the line: a serial.Port is one.
type Port interface {
	io.ReadWriter
	SetReadDeadline(time.Time) error
}

// A Handler gets what the line brings, in its order, from one goroutine.
type Handler interface {
	Frame(data []byte)  // an EZSP frame, the handler's to keep
	Lost(reason string) // the stick has restarted or fails: nothing goes until the next Reset
}

const (
	maxWaiting = 8 // frames that wait to be sent

	// Frames wait here for the Handler. From busyAt on the stick is told to keep its callbacks for a while, and from
	// roomAgain down that it may go on; what comes when all is full is refused and comes again.
	maxInbox  = 64
	busyAt    = 40
	roomAgain = 16

	busyRefresh = 480 * time.Millisecond // the stick forgets after a second that we are busy
	maxPause    = 250 * time.Millisecond // that an XOFF without its XON may cost
	nakAgain    = 250 * time.Millisecond // when a gap is still open then, the NAK itself was lost, or was for noise before it
)

// The errors of Send.
var (
	ErrDown = errors.New("the line to the stick is not up")
	ErrFull = errors.New("too many frames wait for the stick")
)

// A Link is one line with ASH spoken over it. Run must be running for the rest to work.
type Link struct {
	port    Port
	log     *slog.Logger
	work    chan struct{} // the writer shall look
	arrived chan struct{} // the Handler's goroutine shall look
	news    chan struct{} // Reset shall look
	ended   chan struct{}

	mu       sync.Mutex
	state    state
	greeting greeting
	out      outbox
	expected uint8 // the number of the next frame from the stick
	spoken   bool  // a data frame has come since the stick's restart
	heard    time.Time
	ackDue   bool
	nakDue   bool
	doubts   doubts
	rejected time.Time // when a gap was complained of, zero if there is none
	unsaid   bool      // more was refused since
	held     time.Time // until then the stick wants nothing
	inbox    []item
	busy     bool
	told     time.Time // when the stick was last told that we are busy
	counts   counts
}

type state int

const (
	idle state = iota
	resetting
	connected
)

// An item is a frame, or the end of them.
type item struct {
	data []byte
	lost string
}

type counts struct{ garbled, gaps, refused, repeated, duplicates, overflows int }

// New returns the link over a port.
func New(port Port, log *slog.Logger) *Link {
	return &Link{
		port: port, log: log, out: newOutbox(), ended: make(chan struct{}),
		work: make(chan struct{}, 1), arrived: make(chan struct{}, 1), news: make(chan struct{}, 1),
	}
}

// Run reads and writes the line until ctx ends (nil) or the line breaks (why). It is called once.
func (l *Link) Run(ctx context.Context, h Handler) error {
	defer close(l.ended)
	defer l.down()
	if err := l.port.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("reading from the stick: %w", err)
	}
	running, cancel := context.WithCancel(ctx)
	stopReading := context.AfterFunc(running, func() { _ = l.port.SetReadDeadline(time.Unix(1, 0)) })
	defer stopReading()
	var wg sync.WaitGroup
	var writing error
	wg.Go(func() {
		defer cancel()
		writing = l.write(running)
	})
	wg.Go(func() { l.dispatch(running, h) })
	reading := l.read()
	cancel()
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(writing, reading)
}

// Send puts an EZSP frame on its way. Whether it arrives shows in the answer to it, or in Handler.Lost.
func (l *Link) Send(data []byte) error {
	if len(data) < minData || len(data) > MaxData {
		return fmt.Errorf("sending a frame: %w", errLength)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != connected {
		return ErrDown
	}
	if len(l.out.waiting) >= maxWaiting {
		return ErrFull
	}
	l.out.put(data)
	kick(l.work)
	return nil
}

// Idle reports whether the stick has acknowledged all that it was sent.
func (l *Link) Idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.empty()
}

// Heard returns when the stick was last heard.
func (l *Link) Heard() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}

// Fail takes the line for dead, because those above do.
func (l *Link) Fail(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == connected {
		l.lose(reason)
	}
}

func (l *Link) down() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = idle
	if l.counts != (counts{}) {
		l.log.Debug("what went wrong on the line to the stick", "counts", fmt.Sprintf("%+v", l.counts))
	}
}

func (l *Link) read() error {
	var d decoder
	buffer := make([]byte, 512)
	for {
		n, err := l.port.Read(buffer)
		if n > 0 {
			l.take(&d, buffer[:n])
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil // only the end of Run sets one
		case err != nil:
			return err
		}
	}
}

// take works off bytes. Acknowledgements go out from the writer, which never waits for anything but the line.
func (l *Link) take(d *decoder, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.state == resetting {
		l.greeting.listen(b)
		kick(l.news)
	}
	for _, c := range b {
		switch d.take(c) {
		case whole:
			l.frame(d.frame, now)
		case garbled:
			l.counts.garbled++
			l.reject(now)
		case stop:
			l.held = now.Add(maxPause)
		case resume:
			l.held = time.Time{}
		}
	}
	kick(l.work)
}

func (l *Link) frame(f frame, now time.Time) {
	switch l.state {
	case resetting:
		l.greeting.frame(f, now)
		if l.greeting.good {
			l.connect(now)
		}
		kick(l.news)
	case connected:
		l.heard = now
		l.connectedFrame(f, now)
	}
}

func (l *Link) connectedFrame(f frame, now time.Time) {
	if f.acknowledging() {
		unacknowledged := len(l.out.flight)
		if !l.out.acknowledge(f.acknowledges(), now) {
			l.impossible(f, now)
			return
		}
		if len(l.out.flight) < unacknowledged {
			l.doubts = doubts{}
		}
	}
	switch {
	case f.isData():
		l.data(f, now)
	case f.isNak():
		l.counts.refused++
		l.out.refuse()
	case f.control == controlRstack && !l.spoken:
		// Boards that pull their own reset line greet twice. Nothing is lost if we begin the numbers anew.
		l.out.renumber()
		l.ackDue = true
	case f.control == controlRstack:
		_, code := f.code()
		l.lose("it has restarted: " + resetReason(code))
	case f.control == controlError:
		_, code := f.code()
		l.lose("it has failed: " + resetReason(code))
	}
}

func (l *Link) data(f frame, now time.Time) {
	switch {
	case f.number() == l.expected && len(l.inbox) >= maxInbox:
		l.counts.overflows++
		l.reject(now)
	case f.number() == l.expected:
		l.expected = (l.expected + 1) & 7
		l.spoken, l.ackDue, l.nakDue, l.rejected, l.unsaid, l.doubts = true, true, false, time.Time{}, false, doubts{}
		l.deliver(item{data: f.data})
	case f.again():
		l.counts.duplicates++
		l.ackDue = true
		l.repeats(f.number())
	default:
		l.counts.gaps++
		l.doubts.sees(f.number())
		l.reject(now)
	}
}

// reject complains of a missing frame, once per gap and nakAgain.
func (l *Link) reject(now time.Time) {
	switch {
	case l.state != connected:
	case !l.rejected.IsZero() && now.Sub(l.rejected) < nakAgain:
		l.unsaid = true
	default:
		l.nakDue, l.rejected, l.unsaid = true, now, false
	}
}

func (l *Link) deliver(i item) {
	l.inbox = append(l.inbox, i)
	if len(l.inbox) >= busyAt {
		l.busy = true
	}
	kick(l.arrived)
}

// connect begins to exchange data, l.mu is held.
func (l *Link) connect(now time.Time) {
	l.state = connected
	l.out = newOutbox()
	l.expected, l.spoken, l.busy = 0, false, false
	l.ackDue, l.nakDue, l.rejected, l.unsaid, l.held, l.doubts = true, false, time.Time{}, false, time.Time{}, doubts{}
	l.heard = now
	kick(l.work)
}

// lose ends the exchange of data, l.mu is held.
func (l *Link) lose(reason string) {
	l.state = idle
	l.out = newOutbox()
	l.deliver(item{lost: reason})
}

// dispatch hands out what has come.
func (l *Link) dispatch(ctx context.Context, h Handler) {
	for {
		i, ok := l.pop()
		switch {
		case ok && i.data != nil:
			h.Frame(i.data)
			continue
		case ok:
			h.Lost(i.lost)
			continue
		}
		select {
		case <-l.arrived:
		case <-ctx.Done():
			return
		}
	}
}

func (l *Link) pop() (item, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.inbox) == 0 {
		l.inbox = nil
		return item{}, false
	}
	i := l.inbox[0]
	l.inbox[0] = item{}
	l.inbox = l.inbox[1:]
	if l.busy && len(l.inbox) <= roomAgain {
		l.busy, l.ackDue = false, true // which tells the stick
		kick(l.work)
	}
	return i, true
}

// kick wakes the reader of a channel with room for one.
func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
