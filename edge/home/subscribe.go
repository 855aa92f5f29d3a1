package home

import (
	"sync/atomic"

	"hearth"
)

// Kinds of events.
const (
	KindDevice  = "device"
	KindReading = "reading"
	KindCommand = "command"
)

// An Event is something that happened: one of its parts is set, by its kind. A device event is the device, or the id
// of one that is Forgotten.
type Event struct {
	Kind      string
	Device    hearth.DeviceView
	Forgotten hearth.ID
	Reading   hearth.Reading
	Command   hearth.Record
}

// A Subscription is one reader of events.
type Subscription struct {
	h    *Home
	ch   chan Event
	lost atomic.Bool
}

// Subscribe returns a subscription that holds up to n events not yet read; further ones are lost to this reader alone.
func (h *Home) Subscribe(n int) *Subscription {
	s := &Subscription{h: h, ch: make(chan Event, n)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[s] = struct{}{}
	return s
}

// C is where events come, in order. It is never closed.
func (s *Subscription) C() <-chan Event { return s.ch }

// Lost reports whether events were lost since the last call: the reader should look at everything anew.
func (s *Subscription) Lost() bool { return s.lost.Swap(false) }

// Close ends the subscription.
func (s *Subscription) Close() {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	delete(s.h.subs, s)
}

// publish hands an event to everybody and waits for nobody; h.mu is held.
func (h *Home) publish(e Event) {
	for s := range h.subs {
		select {
		case s.ch <- e:
		default:
			s.lost.Store(true)
		}
	}
}
