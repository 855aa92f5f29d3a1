package dialect

import (
	"context"
	"sync"
)

// maxQuestions is how many questions wait to be sent; one more is dropped and counted.
const maxQuestions = 4096

// An Asker publishes what Handle and Connected want to ask, one after the other, without making them wait. It is idle,
// with no goroutine, when there is nothing to ask.
type Asker struct {
	bus Bus

	mu      sync.Mutex
	ctx     context.Context // of the connection; nil while there is none
	queue   []question
	asking  bool
	dropped uint64
	ended   sync.WaitGroup
}

type question struct {
	topic   string
	payload []byte
}

// NewAsker returns one that publishes to bus.
func NewAsker(bus Bus) *Asker { return &Asker{bus: bus} }

// Connected begins anew, with the context that Dialect.Connected got.
func (a *Asker) Connected(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ctx, a.queue = ctx, nil
}

// Silence drops what was not asked yet and returns when nothing is on its way any more. The context of Connected must
// have ended, or it waits for the broker.
func (a *Asker) Silence() {
	a.mu.Lock()
	a.ctx, a.queue = nil, nil
	a.mu.Unlock()
	a.ended.Wait()
}

// Ask publishes payload to topic, not retained, as soon as everything that was asked before is out. Where the broker is
// gone it does nothing.
func (a *Asker) Ask(topic string, payload []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx == nil {
		return
	}
	if len(a.queue) >= maxQuestions {
		a.dropped++
		return
	}
	a.queue = append(a.queue, question{topic, payload})
	if !a.asking {
		a.asking = true
		a.ended.Go(a.serve)
	}
}

// Dropped returns how many questions there was no room for.
func (a *Asker) Dropped() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dropped
}

func (a *Asker) serve() {
	for {
		a.mu.Lock()
		ctx := a.ctx
		if ctx == nil || len(a.queue) == 0 {
			a.asking, a.queue = false, nil
			a.mu.Unlock()
			return
		}
		next := a.queue[0]
		a.queue = a.queue[1:]
		a.mu.Unlock()
		_ = a.bus.Publish(ctx, next.topic, next.payload, false) // what is not asked is asked at the next connect
	}
}
