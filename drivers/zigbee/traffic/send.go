package traffic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

// A remedy says how often a message is tried in one class of trouble, and how long the pause before the second try is;
// it doubles from there.
type remedy struct {
	tries int
	pause time.Duration
}

func remedyFor(c radio.Class) remedy {
	switch c {
	case radio.Busy:
		return remedy{8, 250 * time.Millisecond}
	case radio.ChannelAccess:
		return remedy{6, 200 * time.Millisecond}
	case radio.NoRoute, radio.NoAck:
		return remedy{3, 500 * time.Millisecond}
	case radio.Timeout: // it may have been sent: what is asked of devices can be asked twice
		return remedy{2, 100 * time.Millisecond}
	}
	return remedy{1, 0}
}

const longestPause = 4 * time.Second

// A device whose receiver is off is told when it speaks. Many only ask their parent, which keeps a message for some
// seconds: so it is tried now and then all the same, at growing intervals.
const (
	firstNap   = 2 * time.Second
	longestNap = time.Minute
)

// deliver sends m to the peer until it is delivered, every remedy is used up, or ctx ends. The caller has the peer's turn.
// w waits for the answer, nil if there is none.
func (t *Traffic) deliver(ctx context.Context, p Peer, m radio.Message, w *waiter) error {
	err := t.insist(ctx, p, m, w)
	if err == nil || w != nil && len(w.answer) > 0 {
		t.sent.Add(1)
	} else {
		t.failed.Add(1)
	}
	return err
}

func (t *Traffic) insist(ctx context.Context, p Peer, m radio.Message, w *waiter) error {
	tried := map[radio.Class]int{}
	moved := false
	nap := firstNap
	for try := 0; ; try++ {
		if err := t.untilUp(ctx); err != nil {
			return gaveUp(err, nil)
		}
		if try > 0 {
			t.retried.Add(1)
		}
		m.Address = p.Address()
		if w != nil {
			t.follow(w, m.Address)
		}
		began := time.Now()
		err := t.once(ctx, m)
		var failure *radio.Failure
		if err == nil || !errors.As(err, &failure) {
			return err
		}
		class := failure.Class
		tried[class]++
		cure := remedyFor(class)
		switch {
		case class == radio.Expired || p.Sleepy() && class == radio.NoAck:
			t.o.Log.Debug("waiting until the device wakes", "address", m.Address)
			if err := t.untilHeard(ctx, p, began, nap); err != nil {
				return gaveUp(err, asleep())
			}
			nap = min(2*nap, longestNap)
			continue
		case class == radio.Down:
			cure.pause = 50 * time.Millisecond // until Hold was called, then untilUp waits
		case tried[class] >= cure.tries:
			if lost := class == radio.NoAck || class == radio.NoRoute; !lost || moved {
				return hearth.Errorf(hearth.CodeOffline, "the device cannot be reached: %s", failure)
			}
			moved = true // one more try, where the search finds another address
			if !t.found(ctx, p, m.Address) {
				return hearth.Errorf(hearth.CodeOffline, "the device cannot be reached: %s", failure)
			}
			continue
		}
		m.Discover = class == radio.NoRoute || class == radio.NoAck && tried[class] == cure.tries-1
		t.o.Log.Debug("sending again", "address", m.Address, "because", class, "try", tried[class]+1)
		pause := min(cure.pause<<min(tried[class]-1, 6), longestPause)
		if err := t.pause(ctx, pause); err != nil {
			return gaveUp(err, hearth.Errorf(hearth.CodeOffline, "the device was not reached in time: %s", failure))
		}
	}
}

// found asks for the peer's new address and reports whether it came within a few seconds.
func (t *Traffic) found(ctx context.Context, p Peer, old radio.NWK) bool {
	if t.o.Lost == nil {
		return false
	}
	t.o.Lost(p)
	for range 20 {
		if p.Address() != old {
			return true
		}
		if t.pause(ctx, 150*time.Millisecond) != nil {
			return false
		}
	}
	return false
}

// once sends m when the radio has a place for it.
func (t *Traffic) once(ctx context.Context, m radio.Message) error {
	if m.Discover {
		if err := t.place(ctx, t.finding); err != nil {
			return gaveUp(err, nil)
		}
		defer func() { <-t.finding }()
	}
	if err := t.place(ctx, t.sending); err != nil {
		return gaveUp(err, nil)
	}
	defer func() { <-t.sending }()
	err := t.o.Sender.Send(ctx, m)
	if err != nil && ctx.Err() != nil {
		return gaveUp(ctx.Err(), nil)
	}
	return err
}

func (t *Traffic) place(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.ended:
		return errEnded()
	}
}

// Send sends to a group or a broadcast address, tried again where that helps.
func (t *Traffic) Send(ctx context.Context, m radio.Message) error {
	p := &anybody{m.Address}
	if err := t.take(ctx, p); err != nil {
		return gaveUp(err, nil)
	}
	defer t.leave(p)
	return t.deliver(ctx, p, m, nil)
}

// anybody is the peer of a message that is not for one device.
type anybody struct{ address radio.NWK }

func (a *anybody) Address() radio.NWK { return a.address }
func (a *anybody) Sleepy() bool       { return false }

func asleep() error {
	return hearth.Errorf(hearth.CodeOffline, "the device sleeps and did not wake in time")
}

// gaveUp returns what a person is told when ctx ended or the traffic did, nil for nil.
func gaveUp(err, said error) error {
	if err == nil || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return err
	}
	if said == nil {
		return fmt.Errorf("waiting for the radio: %w", err)
	}
	return fmt.Errorf("%w (%w)", said, err)
}
