package ash

import (
	"context"
	"fmt"
	"time"
)

// write sends whatever is due, until ctx ends or the line breaks.
func (l *Link) write(ctx context.Context) error {
	const never = time.Hour
	timer := time.NewTimer(never)
	defer timer.Stop()
	var b []byte
	for {
		var next time.Time
		l.mu.Lock()
		b, next = l.compose(b[:0], time.Now())
		l.mu.Unlock()
		if len(b) > 0 {
			if _, err := l.port.Write(b); err != nil {
				return fmt.Errorf("writing to the stick: %w", err)
			}
			continue
		}
		wait := never
		if !next.IsZero() {
			wait = time.Until(next)
		}
		timer.Reset(wait)
		select {
		case <-l.work:
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// compose writes the one frame that comes first behind b, if any, and says when to look again without being woken.
func (l *Link) compose(b []byte, now time.Time) ([]byte, time.Time) {
	switch l.state {
	case resetting:
		return l.greeting.compose(b), time.Time{}
	case connected:
		if now.Before(l.held) {
			return b, l.held
		}
		if l.out.expire(now) {
			l.unheard()
		}
		if l.out.hopeless() {
			l.lose("it does not acknowledge what it is sent")
		}
		if l.state != connected {
			return b, time.Time{}
		}
		return l.composeConnected(b, now)
	}
	return b, time.Time{}
}

// composeConnected puts acknowledgements first: a stick that waits too long for one fails for good.
func (l *Link) composeConnected(b []byte, now time.Time) ([]byte, time.Time) {
	refresh := time.Time{}
	if l.busy {
		if refresh = l.told.Add(busyRefresh); !now.Before(refresh) {
			l.ackDue = true
		}
	}
	if l.unsaid {
		again := l.rejected.Add(nakAgain)
		if !now.Before(again) {
			l.reject(now)
		}
		refresh = earlier(refresh, again)
	}
	if l.nakDue || l.ackDue {
		control := byte(controlAck)
		if l.nakDue {
			control = controlNak
		}
		control |= l.expected
		if l.busy {
			control |= bitNotReady
			l.told = now
		}
		l.nakDue, l.ackDue = false, false
		return frame{control: control}.append(b), time.Time{}
	}
	if data, number, again, ok := l.out.next(now); ok {
		if again {
			l.counts.repeated++
		}
		return frame{control: dataControl(number, l.expected, again), data: data}.append(b), time.Time{}
	}
	return b, earlier(l.out.due(), refresh)
}

// earlier returns the earlier time; zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
