package influxql

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// errCrowded says that too many queries of one payer wait already.
var errCrowded = fmt.Errorf("max-concurrent-queries limit exceeded: %d queries of this home wait for their turn", waiting)

// places bounds how many queries run at once: a dashboard sends twenty of them together, so those that have no place
// wait for one, as long as a query may take.
type places struct {
	all *semaphore.Weighted

	mu     sync.Mutex
	payers map[string]*queue // see payer
}

// A queue is one payer's share.
type queue struct {
	running *semaphore.Weighted
	users   int // running and waiting
}

func newPlaces() *places {
	return &places{all: semaphore.NewWeighted(allTogether), payers: map[string]*queue{}}
}

// take waits for a place and returns what gives it back.
func (p *places) take(ctx context.Context, payer string) (leave func(), err error) {
	p.mu.Lock()
	q := p.payers[payer]
	if q == nil {
		q = &queue{running: semaphore.NewWeighted(perPayer)}
		p.payers[payer] = q
	}
	if q.users >= perPayer+waiting {
		p.mu.Unlock()
		return nil, errCrowded
	}
	q.users++
	p.mu.Unlock()
	if err := q.running.Acquire(ctx, 1); err != nil {
		p.done(payer, q)
		return nil, err
	}
	if err := p.all.Acquire(ctx, 1); err != nil {
		q.running.Release(1)
		p.done(payer, q)
		return nil, err
	}
	return func() {
		p.all.Release(1)
		q.running.Release(1)
		p.done(payer, q)
	}, nil
}

func (p *places) done(payer string, q *queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(p.payers, payer)
	}
}
