// Package znp is the radio of the sticks that run Texas Instruments' Z-Stack: CC2652 and CC1352 with 3.x.0, CC2530,
// CC2531 and CC2538 with 3.0.x. It speaks the Monitor and Test API over the Unified Network Processor Interface.
package znp

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"hearth/drivers/serial"
	"hearth/drivers/zigbee/radio"
)

const (
	partialTimeout = 250 * time.Millisecond // for the rest of a frame
	quietFor       = 5 * time.Second        // after which the stick is asked whether it lives
)

// A Radio implements radio.Radio. Its Send returns for a ZDO message when the firmware has taken it, since that says no
// more of it: what follows is the response, or silence.
type Radio struct {
	log  *slog.Logger
	link *link
	scan scanner

	state   atomic.Int32
	heard   atomic.Int64 // when something last came over the line: Unix nanoseconds
	foreign *foreignWatch

	handling sync.Mutex // events are handled one after the other
	handle   func(radio.Event)

	firmware atomic.Pointer[firmware] // nil before Connect
	profiles [256]uint16              // of our endpoints
	notPlain atomic.Bool              // the firmware has no AF_DATA_REQUEST

	flights flights
	storing sync.Mutex // one message at a time is handed over in pieces
	huge    chan hugeMessage
	zdo     zdoMatches
	copies  copies
	expired expiredChildren
}

// firmware is what Connect found out.
type firmware struct {
	chip
	places chan struct{} // one for each message that it can have under way
}

// The states of a Radio.
const (
	stateSilent     int32 = iota // nothing is known of the stick, or it has restarted
	stateConnecting              // restarts are ours
	stateConnected
	stateStarting
	stateUp
)

// New makes a radio of a port that is open. It does nothing before Run.
func New(port serial.Port, log *slog.Logger) *Radio {
	r := &Radio{
		log: log, foreign: newForeignWatch(), huge: make(chan hugeMessage, maxHuge), profiles: profilesOf(endpoints()),
	}
	r.link = newLink(port, func() { r.down("the stick does not answer any more") })
	return r
}

var _ radio.Radio = (*Radio)(nil)

// Run implements radio.Radio. The port stays open.
func (r *Radio) Run(ctx context.Context, handle func(radio.Event)) error {
	r.handle = handle
	stop := context.AfterFunc(ctx, func() { r.link.fail(os.ErrClosed) })
	defer stop()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer r.flights.ground()
	defer close(r.link.down)
	defer r.state.Store(stateSilent)
	inside, cancel := context.WithCancel(ctx)
	defer cancel()
	helpers.Go(func() { r.fetchHuge(inside) })
	helpers.Go(func() { r.watch(inside) })
	err := r.read()
	r.link.fail(err)
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// read reads and dispatches until the line breaks.
func (r *Radio) read() error {
	waitsFor := -1 // where the frame begins that a deadline is set for
	for {
		n, err := r.link.port.Read(r.scan.space())
		if n > 0 {
			r.heard.Store(time.Now().UnixNano())
			r.foreign.see(r.scan.buffer[r.scan.end : r.scan.end+n])
			r.scan.filled(n)
		}
		if failed := r.link.failed(); failed != nil {
			return failed
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			r.scan.giveUp()
		} else if err != nil {
			return err
		}
		for f, ok := r.scan.next(); ok; f, ok = r.scan.next() {
			r.dispatch(f)
		}
		if waitsFor, err = r.boundPartial(waitsFor); err != nil {
			return err
		}
	}
}

// boundPartial sets the deadline for the rest of a frame that has begun, or takes it back.
func (r *Radio) boundPartial(waitsFor int) (int, error) {
	at, partial := r.scan.partial()
	switch {
	case partial && at != waitsFor:
		return at, r.link.deadline(time.Now().Add(partialTimeout))
	case !partial && waitsFor >= 0:
		return -1, r.link.deadline(time.Time{})
	}
	return waitsFor, nil
}

// dispatch takes a frame to who wants it. It runs in the reader and never waits.
func (r *Radio) dispatch(f frame) {
	if f.kind == kindAnswer {
		r.link.answered(f)
		return
	}
	wanted := r.link.indicated(f)
	if f.command == sysResetHappens {
		r.restarted(f.data, wanted)
		return
	}
	if !wanted {
		r.indication(f)
	}
}

// restarted handles that the firmware has started anew: by itself if nobody wanted it.
func (r *Radio) restarted(data []byte, wanted bool) {
	if wanted {
		return
	}
	reason := "for an unknown reason"
	if len(data) > 0 {
		switch data[0] {
		case 0:
			reason = "after its power came back"
		case 1:
			reason = "from outside"
		case 2:
			reason = "by its watchdog"
		}
	}
	r.down("the stick restarted " + reason)
}

// down ends the state in which messages can be sent.
func (r *Radio) down(reason string) {
	was := r.state.Load()
	if was != stateConnecting && !r.state.CompareAndSwap(was, stateSilent) {
		return
	}
	r.link.interrupt()
	r.flights.ground()
	if was == stateUp {
		r.emit(radio.Reset{Reason: reason})
	}
}

func (r *Radio) emit(e radio.Event) {
	r.handling.Lock()
	defer r.handling.Unlock()
	r.handle(e)
}

// watch asks a stick that has said nothing for long whether it lives. One that hangs may be back in a moment, so that it
// is told of as a restart: whoever connects anew finds out.
func (r *Radio) watch(ctx context.Context) {
	ticker := time.NewTicker(quietFor)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if r.state.Load() < stateConnected || time.Since(time.Unix(0, r.heard.Load())) < quietFor {
			continue
		}
		if _, err := r.link.get(ctx, sysPing, nil); err != nil && ctx.Err() == nil {
			r.log.Warn("the stick does not answer a ping", "reason", err)
		}
	}
}
