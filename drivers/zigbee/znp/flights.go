package znp

import (
	"sync"
	"time"

	"hearth/drivers/zigbee/radio"
)

// quarantine is how long the id of a message is not used again whose confirmation may still come.
const quarantine = 20 * time.Second

// flights are the messages whose confirmation has not come. They are told apart by an id of one byte and the endpoint
// that sent them.
type flights struct {
	mu   sync.Mutex
	last uint8
	by   [256]*flight
}

type flight struct {
	id       uint8
	endpoint uint8
	landed   chan struct{} // closed when outcome is set
	outcome  outcome
	until    time.Time // abandoned: when the id may be used again
}

type outcome struct {
	status byte
	down   bool // the stick restarted, or the line broke
}

// start takes an id that no message in flight has; nil: there is none.
func (f *flights) start(endpoint uint8) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for range len(f.by) - 1 {
		f.last = max(f.last+1, 1)
		if other := f.by[f.last]; other == nil || !other.until.IsZero() && now.After(other.until) {
			f.by[f.last] = &flight{id: f.last, endpoint: endpoint, landed: make(chan struct{})}
			return f.by[f.last]
		}
	}
	return nil
}

// confirm lands the flight that a confirmation is for.
func (f *flights) confirm(status, endpoint, id uint8) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.by[id]; one != nil && one.endpoint == endpoint {
		f.land(one, outcome{status: status})
	}
}

// ground fails all flights.
func (f *flights) ground() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.by {
		if one != nil {
			f.land(one, outcome{down: true})
		}
	}
}

func (f *flights) land(one *flight, o outcome) {
	f.by[one.id] = nil
	one.outcome = o
	close(one.landed)
}

// abandon gives up waiting for a flight. Nobody may use its id for a while.
func (f *flights) abandon(one *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by[one.id] == one {
		one.until = time.Now().Add(quarantine)
	}
}

// cancel ends a flight that never began.
func (f *flights) cancel(one *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by[one.id] == one {
		f.by[one.id] = nil
	}
}

// result returns what the landing of a flight means for who sent it.
func (f *flight) result() error {
	switch {
	case f.outcome.down:
		return &radio.Failure{Class: radio.Down, Doing: "sending"}
	case f.outcome.status != statusSuccess:
		return &radio.Failure{Class: classOf(f.outcome.status), Status: uint32(f.outcome.status), Doing: "sending"}
	}
	return nil
}
