package mqtt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

const (
	maxQueue      = 4096     // messages that came in and were not yet looked at
	maxQueueBytes = 64 << 20 // and their payloads
	maxPatience   = time.Second
	batch         = 100 // filters of one packet
	sayAgain      = time.Minute
)

// session is one life of the connection.
type session struct {
	d      *Driver
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	client paho.Client
	lost   chan error
	queue  chan dialect.Message
	room   chan struct{} // something was taken from the queue

	mu      sync.Mutex
	waiting int // bytes in the queue
	warned  time.Time
	changes []change
	news    chan struct{} // there are changes
}

// change is a filter to be subscribed to, or no more.
type change struct {
	filter string
	end    bool
}

func newSession(ctx context.Context, d *Driver) *session {
	s := &session{
		d: d, lost: make(chan error, 1), queue: make(chan dialect.Message, maxQueue), room: make(chan struct{}, 1), news: make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// lose notes the first reason why the connection broke.
func (s *session) lose(err error) {
	select {
	case s.lost <- err:
	default:
	}
}

// serve has the dialects speak until ctx ends or the connection breaks. They run in the caller's goroutine.
func (s *session) serve(ctx context.Context) (err error) {
	var group sync.WaitGroup
	group.Go(s.subscribe)
	group.Go(func() {
		select {
		case <-ctx.Done():
		case why := <-s.lost:
			err = hearth.Errorf(hearth.CodeOffline, "the connection to the MQTT broker broke: %v", why)
		}
		s.cancel()
	})
	defer func() {
		s.cancel()
		group.Wait()
		for _, f := range s.d.faces {
			f.dialect.Silence()
		}
	}()
	s.listen()
	return err
}

// leave ends the connection, with a farewell if it still works.
func (s *session) leave() {
	s.cancel()
	s.client.Disconnect(quiesce)
}

// listen gives each message to the dialects that want it, in order.
func (s *session) listen() {
	for _, f := range s.d.faces {
		for _, filter := range f.all() { // those of the last connection
			s.order(change{filter: filter})
		}
		f.dialect.Connected(s.ctx)
	}
	for {
		select {
		case <-s.ctx.Done():
			return
		case m := <-s.queue:
			s.deliver(m)
		}
	}
}

func (s *session) deliver(m dialect.Message) {
	s.mu.Lock()
	s.waiting -= len(m.Payload)
	s.mu.Unlock()
	select {
	case s.room <- struct{}{}:
	default:
	}
	for _, f := range s.d.faces {
		if s.ctx.Err() != nil {
			return
		}
		if !f.wants(m.Topic) {
			continue
		}
		if limit := f.limit(m.Topic); len(m.Payload) > limit {
			s.tooLong(len(m.Payload))
			continue
		}
		f.dialect.Handle(m)
	}
}

// receive puts a message into the queue. Where that is full, the broker is made to wait for a moment; then the message
// is dropped and counted.
func (s *session) receive(topic string, payload []byte, retained bool) {
	s.d.counts.received.Add(1)
	now, _ := s.d.env.Now()
	m := dialect.Message{Topic: topic, Payload: payload, Retained: retained, Time: now}
	if s.put(m) {
		return
	}
	timer := time.NewTimer(maxPatience)
	defer timer.Stop()
	for {
		select {
		case <-s.room:
			if s.put(m) {
				return
			}
		case <-s.ctx.Done():
			return
		case <-timer.C:
			s.d.counts.dropped.Add(1)
			s.warn("messages from the broker come faster than they can be read: some are dropped", "dropped", s.d.counts.dropped.Load())
			return
		}
	}
}

func (s *session) put(m dialect.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting > 0 && s.waiting+len(m.Payload) > maxQueueBytes {
		return false
	}
	select {
	case s.queue <- m:
		s.waiting += len(m.Payload)
		return true
	default:
		return false
	}
}

func (s *session) tooLong(size int) {
	s.d.counts.refused.Add(1)
	s.warn("a message is too long and is not read", "bytes", size)
}

// warn says something once a minute at most.
func (s *session) warn(message string, args ...any) {
	s.mu.Lock()
	now := time.Now()
	due := now.Sub(s.warned) >= sayAgain
	if due {
		s.warned = now
	}
	s.mu.Unlock()
	if due {
		s.d.env.Log.Warn(message, args...)
	}
}

// order has the broker told of a filter, in order, without waiting.
func (s *session) order(c change) {
	s.mu.Lock()
	s.changes = append(s.changes, c)
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// subscribe tells the broker what is to be heard. Quality 0 is enough: nothing is lost on a connection that lives, and
// what breaks it has everything asked for anew.
func (s *session) subscribe() {
	for {
		filters, end := s.next()
		if len(filters) == 0 {
			select {
			case <-s.ctx.Done():
				return
			case <-s.news:
			}
			continue
		}
		if err := s.tell(filters, end); err != nil && s.ctx.Err() == nil {
			s.lose(fmt.Errorf("subscribing: %w", err))
			return
		}
	}
}

// next takes the changes of one kind that are first in line.
func (s *session) next() (filters []string, end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range s.changes {
		if i == batch || i > 0 && c.end != end {
			break
		}
		end = c.end
		filters = append(filters, c.filter)
	}
	s.changes = s.changes[len(filters):]
	if len(s.changes) == 0 {
		s.changes = nil
	}
	return filters, end
}

func (s *session) tell(filters []string, end bool) error {
	if end {
		return s.await(s.ctx, s.client.Unsubscribe(filters...), ackTime)
	}
	wanted := map[string]byte{}
	for _, filter := range filters {
		wanted[filter] = 0
	}
	token := s.client.SubscribeMultiple(wanted, nil)
	err := s.await(s.ctx, token, ackTime)
	select {
	case <-token.Done():
	default:
		return err // the library may still write the result
	}
	if subscribed, ok := token.(*paho.SubscribeToken); ok {
		const refused = 0x80 // MQTT 3.1.1, section 3.9.3
		for filter, code := range subscribed.Result() {
			if code >= refused {
				s.d.once.Warn(s.d.env.Log, "filter "+filter, "the broker does not let this gateway listen to a topic: see its access list", "topic", filter)
				err = nil
			}
		}
	}
	return err
}

func (s *session) publish(ctx context.Context, topic string, payload []byte, retain bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.ctx.Err() != nil {
		return dialect.Offline()
	}
	s.d.counts.published.Add(1)
	return s.await(ctx, s.client.Publish(topic, 1, retain, payload), ackTime)
}

// await waits until the broker has confirmed what t stands for.
func (s *session) await(ctx context.Context, t paho.Token, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-t.Done():
		if err := t.Error(); errors.Is(err, paho.ErrNotConnected) {
			return dialect.Offline()
		} else if err != nil {
			return err
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return dialect.Lost()
	case <-timer.C:
		return hearth.Errorf(hearth.CodeUnknownOutcome, "the MQTT broker has not answered in time")
	}
}
