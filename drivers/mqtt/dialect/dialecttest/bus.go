// Package dialecttest is a broker's stand-in for the tests of dialects.
package dialecttest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/mqtt/dialect"
)

// A Published is what a dialect has published.
type Published struct {
	Topic   string
	Payload string
	Retain  bool
}

// A Bus is a dialect.Bus without a broker: a test says what is published, and sees what the dialect does. What home
// hears is in the Recorder.
type Bus struct {
	*drivertest.Recorder

	mu        sync.Mutex
	filters   []string
	tree      dialect.Tree[struct{}] // of the filters
	published []Published
	answer    func(Published) error
}

// New returns an Env for the dialect of a driver with that name, and its bus. At the end of the test what broke the
// contract with home fails it.
func New(t testing.TB, name string) (dialect.Env, *Bus) {
	b := &Bus{Recorder: drivertest.NewRecorder(name)}
	t.Cleanup(func() {
		for _, fault := range b.Faults() {
			t.Error(fault)
		}
	})
	return dialect.Env{Env: drivertest.NewEnv(t, name), Bus: b}, b
}

// Start returns a connected dialect, which is silenced when the test ends, and its bus.
func Start[D dialect.Dialect](t testing.TB, name string, build func(dialect.Env) D) (D, *Bus) {
	env, bus := New(t, name)
	d := build(env)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		d.Silence()
	})
	d.Connected(ctx)
	return d, bus
}

// Publish implements dialect.Bus.
func (b *Bus) Publish(ctx context.Context, topic string, payload []byte, retain bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := dialect.CheckTopic(topic); err != nil {
		return err
	}
	p := Published{topic, string(payload), retain}
	b.mu.Lock()
	b.published = append(b.published, p)
	answer := b.answer
	b.mu.Unlock()
	if answer != nil {
		return answer(p)
	}
	return nil
}

// Subscribe implements dialect.Bus.
func (b *Bus) Subscribe(filter string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.filters, filter) {
		b.filters = append(b.filters, filter)
		b.tree.Put(filter, struct{}{})
	}
}

// Unsubscribe implements dialect.Bus.
func (b *Bus) Unsubscribe(filter string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tree.Delete(filter)
	b.filters = slices.DeleteFunc(b.filters, func(f string) bool { return f == filter })
}

// Answer has every Publish call answer from now on, in its goroutine: a device that reacts, or a broker that does not.
func (b *Bus) Answer(answer func(Published) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

// Published returns what was published, in order.
func (b *Bus) Published() []Published {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.published)
}

// Take returns what was published and forgets it.
func (b *Bus) Take() []Published {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.published
	b.published = nil
	return taken
}

// Filters returns what is subscribed to.
func (b *Bus) Filters() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.filters)
}

// Wants reports whether a message to topic would reach the dialect.
func (b *Bus) Wants(topic string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.tree.Match(topic) {
		return true
	}
	return false
}

// Say gives a dialect a message as a broker would: only if it has subscribed to it.
func (b *Bus) Say(d dialect.Dialect, topic, payload string) bool {
	return b.say(d, topic, payload, false)
}

// Keep gives a dialect a retained message as a broker would.
func (b *Bus) Keep(d dialect.Dialect, topic, payload string) bool {
	return b.say(d, topic, payload, true)
}

func (b *Bus) say(d dialect.Dialect, topic, payload string, retained bool) bool {
	if !b.Wants(topic) {
		return false
	}
	d.Handle(dialect.Message{Topic: topic, Payload: []byte(payload), Retained: retained, Time: time.Now()})
	return true
}

// Value returns the last reported value of a property; the zero Value if there is none.
func (b *Bus) Value(id hearth.ID, property string) hearth.Value {
	last, _ := b.Last(id, property)
	return last.Value
}
