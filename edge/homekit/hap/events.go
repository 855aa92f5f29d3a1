package hap

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
)

const (
	gather      = 10 * time.Millisecond // what changes together is told together
	mostPresses = 32                    // that wait for one connection
	pressLife   = 2 * time.Second       // a press that could not be told by then never is
)

// queue is what one connection is to be told: characteristics whose newest value it does not have, and presses of buttons,
// each of which counts. It is guarded by Server.mu.
type queue struct {
	wake    chan struct{} // capacity 1
	changed []key
	since   time.Time    // when the first of changed came
	is      map[key]bool // of changed
	presses []press
	subs    map[key]bool
	writing map[key]any // what the controller writes at the moment
	closed  bool
}

type press struct {
	key
	value any
	at    time.Time
}

func (q *queue) ring() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// add queues a change, once.
func (q *queue) add(k key) {
	if !q.is[k] {
		q.is[k] = true
		if len(q.changed) == 0 {
			q.since = time.Now()
		}
		q.changed = append(q.changed, k)
	}
	q.ring()
}

// subscribe begins or ends events of a characteristic to a connection.
func (s *Server) subscribe(c *conn, k key, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.db.items[k]
	if i == nil || c.queue.closed {
		return
	}
	if !on {
		delete(i.subscribers, c)
		delete(c.queue.subs, k)
		return
	}
	if c.queue.subs == nil {
		c.queue.subs, c.queue.is = make(map[key]bool), make(map[key]bool)
	}
	i.subscribers[c] = struct{}{}
	c.queue.subs[k] = true
}

// Changed takes a new value: into the cache, and to every controller that has subscribed. A value that is the same as
// before is no event. origin is the controller whose write this is (Write.Controller) or "": the connection that is
// writing this very value at the moment is not told. A press of a button (type 73) is told at once, never joined with
// others, never again. Values out of the characteristic's limits are brought within them.
func (s *Server) Changed(a *accessory.A, c *characteristic.C, value any, origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil || s.db.byC[c] == nil {
		return // not published, or not any more
	}
	i := s.db.byC[c]
	fit := i.limits.fit(value)
	if fit == nil {
		s.log.Debug("homekit: not a value", "aid", i.aid, "iid", i.iid, "value", value)
		return
	}
	i.version++
	if i.momentary {
		s.pressed(i, fit)
		return
	}
	if i.value == fit {
		return
	}
	i.value = fit
	s.tellChange(i, func(c *conn) bool {
		writing, is := c.queue.writing[i.key]
		return origin != "" && c.controller == origin && is && writing == fit
	})
}

// tellChange queues a change for its subscribers.
func (s *Server) tellChange(i *item, except func(*conn) bool) {
	for c := range i.subscribers {
		if !except(c) {
			c.queue.add(i.key)
		}
	}
}

func (s *Server) pressed(i *item, value any) {
	for c := range i.subscribers {
		if len(c.queue.presses) >= mostPresses {
			c.queue.presses = c.queue.presses[1:]
			s.dropped.Add(1)
		}
		c.queue.presses = append(c.queue.presses, press{i.key, value, time.Now()})
		c.queue.ring()
	}
}

// writing notes what a connection writes, before the handler is called.
func (s *Server) writing(c *conn, accessories map[uint64][]pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.queue.writing = make(map[key]any)
	for _, values := range accessories {
		for n := range values {
			values[n].version = values[n].item.version
			c.queue.writing[values[n].item.key] = values[n].value
		}
	}
}

func (s *Server) written(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.queue.writing = nil
}

// accepted puts a written value into the cache and tells the other connections, unless the device said something else
// while it was being written.
func (s *Server) accepted(c *conn, p pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.db.byC[p.item.c] // it may have been published again
	if i == nil || i.version != p.version || i.value == p.value || i.momentary || !i.readable && !i.answers {
		return
	}
	i.value = p.value
	s.tellChange(i, func(other *conn) bool { return other == c })
}

// events writes the events of a connection until it ends: presses at once, changes at most once per Options.Coalesce.
func (c *conn) events(ctx context.Context) {
	var last time.Time
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.done:
			return
		case <-c.queue.wake:
			timer.Reset(max(0, c.due(last)))
			continue
		case <-timer.C:
		}
		changes, err := c.flush(last)
		if err != nil {
			c.s.log.Debug("homekit: a controller does not take its events", "remote", c.remote(), "controller", c.controller, "error", err)
			return
		}
		if changes {
			last = time.Now()
		}
		if wait := c.due(last); wait >= 0 {
			timer.Reset(wait)
		}
	}
}

// due is when something has to be written; negative: there is nothing.
func (c *conn) due(last time.Time) time.Duration {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	switch {
	case len(c.queue.presses) > 0:
		return 0
	case len(c.queue.changed) > 0:
		return max(0, time.Until(c.queue.since.Add(min(gather, c.s.coalesce))), time.Until(last.Add(c.s.coalesce)))
	}
	return -1
}

// flush writes what is due. It takes the values only when the connection is free, so that they are the newest.
func (c *conn) flush(last time.Time) (changes bool, err error) {
	c.write.Lock()
	defer c.write.Unlock()
	presses, changed := c.collect(time.Since(last) >= c.s.coalesce)
	for _, p := range presses {
		if err := c.sendEvent([]result{p}); err != nil {
			return false, err
		}
	}
	if len(changed) == 0 {
		return false, nil
	}
	return true, c.sendEvent(changed)
}

// collect empties the queue; the changes only when it is their time.
func (c *conn) collect(all bool) (presses, changed []result) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	q := &c.queue
	for _, p := range q.presses {
		if !q.subs[p.key] || time.Since(p.at) > pressLife {
			c.s.dropped.Add(1)
			continue
		}
		presses = append(presses, result{AID: p.aid, IID: p.iid, Value: &p.value})
	}
	q.presses = nil
	if !all {
		return presses, nil
	}
	slices.SortFunc(q.changed, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.aid, b.aid), cmp.Compare(a.iid, b.iid))
	})
	for _, k := range q.changed {
		delete(q.is, k)
		i := c.s.db.items[k]
		if i == nil || !q.subs[k] {
			continue
		}
		value := i.value
		changed = append(changed, result{AID: k.aid, IID: k.iid, Value: &value})
	}
	q.changed = q.changed[:0]
	return presses, changed
}

// sendEvent writes one message (section 6.8); c.write is held.
func (c *conn) sendEvent(values []result) error {
	body := bodyOf(values)
	out := append(make([]byte, 0, 96+len(body)), "EVENT/1.0 200 OK\r\nContent-Type: "+contentJSON+"\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"...)
	if err := c.sendLocked(append(out, body...), eventTime); err != nil {
		c.s.dropped.Add(uint64(len(values)))
		return err
	}
	c.s.sent.Add(uint64(len(values)))
	return nil
}
