package api

import (
	"sync"
	"time"
)

// maxThrottled bounds the addresses remembered. When it is full, one that is not over its limit is forgotten first.
const maxThrottled = 4096

// A Throttle counts failures per key (an address) in windows of time. It holds at most 4096 keys.
type Throttle struct {
	limit  int
	window time.Duration
	now    func() time.Time

	mu   sync.Mutex
	seen map[string]failures
}

type failures struct {
	count int
	since time.Time
}

// NewThrottle returns one that allows so many failures in each window.
func NewThrottle(limit int, window time.Duration, now func() time.Time) *Throttle {
	return &Throttle{limit: limit, window: window, now: now, seen: make(map[string]failures)}
}

// Failed counts a failure of key and returns how long it has to wait: 0 while it is within the limit.
func (t *Throttle) Failed(key string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	f, known := t.seen[key]
	if !known || now.Sub(f.since) >= t.window {
		f = failures{since: now}
	}
	if !known && len(t.seen) >= maxThrottled {
		t.makeRoom(now)
	}
	f.count++
	t.seen[key] = f
	return t.wait(f, now)
}

// Wait returns how long key has to wait before its next try, 0 if it may try now. It counts nothing.
func (t *Throttle) Wait(key string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.seen[key]
	f.count++
	return t.wait(f, t.now())
}

func (t *Throttle) wait(f failures, now time.Time) time.Duration {
	left := t.window - now.Sub(f.since)
	if f.count <= t.limit || left <= 0 {
		return 0
	}
	return left
}

// makeRoom forgets one key out of a few that a map happens to name first: looking at all of them would make a flood of
// addresses dear.
func (t *Throttle) makeRoom(now time.Time) {
	victim, looked := "", 0
	for key, f := range t.seen {
		looked++
		old := now.Sub(f.since) >= t.window
		if victim == "" || old || f.count <= t.limit {
			victim = key
		}
		if old || looked == 16 {
			break
		}
	}
	delete(t.seen, victim)
}
