package zigbee

import (
	"context"
	"sync"
	"time"
)

// maxInterviews is how many devices are interviewed at once: they are not to fill the air.
const maxInterviews = 4

// turnPatience is how long a device may let us wait for an answer before another gets its place. It is asked on without.
const turnPatience = 5 * time.Second

// A turn is one interview's place among those that go on.
type turn struct {
	places chan struct{} // one for each that goes on

	mu   sync.Mutex
	held bool
}

// take waits for a place, unless there is one already.
func (t *turn) take(ctx context.Context) error {
	t.mu.Lock()
	held := t.held
	t.mu.Unlock()
	if held {
		return nil
	}
	select {
	case t.places <- struct{}{}:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.held = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// give gives the place back, if there is one.
func (t *turn) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held {
		t.held = false
		<-t.places
	}
}
