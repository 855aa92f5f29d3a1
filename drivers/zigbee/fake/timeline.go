package fake

import (
	"container/heap"
	"sync"
	"time"
)

// A timeline runs what is to happen later, one thing after the other, in the order of its times, things of the same
// time in the order in which they were asked for. It owns the one lock under which the whole world of a Mesh lives.
type timeline struct {
	mu     sync.Mutex
	ahead  eventHeap
	asked  uint64
	timer  *time.Timer
	closed bool
}

// An event is something that is to happen; stop takes it back.
type event struct {
	when  time.Time
	order uint64
	index int // in the heap, -1 when it is not there any more
	run   func()
}

// do runs fn and all that is due after it, with the lock held.
func (t *timeline) do(fn func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fn()
	t.settle()
}

// after runs fn later, or as soon as what runs now is done if d is 0. The lock is held by the caller, and when fn runs.
func (t *timeline) after(d time.Duration, fn func()) *event {
	e := &event{when: time.Now().Add(max(d, 0)), order: t.asked, run: fn}
	t.asked++
	heap.Push(&t.ahead, e)
	return e
}

// stop takes an event back if it has not happened yet. A nil event is fine.
func (t *timeline) stop(e *event) {
	if e != nil && e.index >= 0 {
		heap.Remove(&t.ahead, e.index)
	}
}

// settle runs what is due and sets the timer for what is not.
func (t *timeline) settle() {
	for len(t.ahead) > 0 && !t.closed {
		wait := time.Until(t.ahead[0].when)
		if wait > 0 {
			t.wake(wait)
			return
		}
		heap.Pop(&t.ahead).(*event).run()
	}
}

func (t *timeline) wake(after time.Duration) {
	if t.timer == nil {
		t.timer = time.AfterFunc(after, func() { t.do(func() {}) })
		return
	}
	t.timer.Reset(after)
}

// close lets nothing happen any more.
func (t *timeline) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed, t.ahead = true, nil
	if t.timer != nil {
		t.timer.Stop()
	}
}

type eventHeap []*event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if !h[i].when.Equal(h[j].when) {
		return h[i].when.Before(h[j].when)
	}
	return h[i].order < h[j].order
}
func (h eventHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *eventHeap) Push(x any) {
	e := x.(*event)
	e.index = len(*h)
	*h = append(*h, e)
}
func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.index = -1
	return e
}
