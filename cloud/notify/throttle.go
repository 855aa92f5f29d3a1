package notify

import (
	"time"

	"hearth"
)

// maxPaced is how many properties are followed; beyond it readings are not thinned out but left out.
const maxPaced = 50_000

// A throttle thins readings out: the first one passes at once, and of those that follow within the target's time the
// last one when that is over.
type throttle struct {
	paced map[paceKey]*paced
}

type paceKey struct {
	target, home, property string
	device                 hearth.ID
}

type paced struct {
	every   time.Duration
	passed  time.Time
	waiting *routed
}

func newThrottle() *throttle { return &throttle{paced: map[paceKey]*paced{}} }

// passes reports whether a reading goes on at once. If not it may be among what is due later.
func (t *throttle) passes(r routed, reading hearth.ReadingEvent, now time.Time) bool {
	key := paceKey{r.target.ID, r.event.Home, reading.Property, reading.Device}
	p := t.paced[key]
	if p == nil {
		if len(t.paced) >= maxPaced {
			return false
		}
		p = &paced{}
		t.paced[key] = p
	}
	p.every = time.Duration(r.target.Every) * time.Second
	if p.waiting == nil && now.Sub(p.passed) >= p.every {
		p.passed = now
		return true
	}
	p.waiting = &r
	return false
}

// due returns the readings whose time has come, and forgets properties of which nothing was heard for long.
func (t *throttle) due(now time.Time) (due []routed) {
	for key, p := range t.paced {
		switch over := now.Sub(p.passed) >= p.every; {
		case over && p.waiting != nil:
			due = append(due, *p.waiting)
			p.waiting, p.passed = nil, now
		case over:
			delete(t.paced, key)
		}
	}
	return due
}
