package influxql

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// errCrowded says that too many queries of one token wait already.
var errCrowded = fmt.Errorf("max-concurrent-queries limit exceeded: %d queries of this token wait for their turn", waiting)

// places bounds how many queries run at once: a dashboard sends twenty of them together, so those that have no place
// wait for one, as long as a query may take.
type places struct {
	all *semaphore.Weighted

	mu     sync.Mutex
	tokens map[string]*queue // by the token's hash
}

// A queue is one token's share.
type queue struct {
	running *semaphore.Weighted
	users   int // running and waiting
}

func newPlaces() *places {
	return &places{all: semaphore.NewWeighted(allTogether), tokens: map[string]*queue{}}
}

// take waits for a place and returns what gives it back.
func (p *places) take(ctx context.Context, token string) (leave func(), err error) {
	p.mu.Lock()
	q := p.tokens[token]
	if q == nil {
		q = &queue{running: semaphore.NewWeighted(perToken)}
		p.tokens[token] = q
	}
	if q.users >= perToken+waiting {
		p.mu.Unlock()
		return nil, errCrowded
	}
	q.users++
	p.mu.Unlock()
	if err := q.running.Acquire(ctx, 1); err != nil {
		p.done(token, q)
		return nil, err
	}
	if err := p.all.Acquire(ctx, 1); err != nil {
		q.running.Release(1)
		p.done(token, q)
		return nil, err
	}
	return func() {
		p.all.Release(1)
		q.running.Release(1)
		p.done(token, q)
	}, nil
}

func (p *places) done(token string, q *queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(p.tokens, token)
	}
}
