package homeassistant

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/mqtt/dialect"
)

// A bench is a dialect between a broker that a test is, and a house that records what it hears.
type bench struct {
	t *testing.T
	*drivertest.Recorder
	d *Dialect

	mu        sync.Mutex
	filters   map[string]bool
	retained  map[string]string
	published []string
	answer    func(topic, payload string) // to what is published
}

func (b *bench) Subscribe(filter string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.filters[filter] = true
}

func (b *bench) Unsubscribe(filter string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.filters[filter] {
		b.t.Errorf("%s is unsubscribed, and was not subscribed", filter)
	}
	delete(b.filters, filter)
}

func (b *bench) Publish(_ context.Context, topic string, payload []byte, retain bool) error {
	if retain {
		b.t.Errorf("a command to %s is retained", topic)
	}
	b.mu.Lock()
	b.published = append(b.published, topic+" "+string(payload))
	answer := b.answer
	b.mu.Unlock()
	if answer != nil {
		go answer(topic, string(payload))
	}
	return nil
}

func newBench(t *testing.T, cfg Config) *bench {
	b := &bench{t: t, Recorder: drivertest.NewRecorder("mqtt"), filters: map[string]bool{}, retained: map[string]string{}}
	d, err := New(dialect.Env{Env: drivertest.NewEnv(t, "mqtt"), Bus: b}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.d = d
	d.Connected(t.Context())
	t.Cleanup(func() {
		d.Silence()
		for _, fault := range b.Faults() {
			t.Error(fault)
		}
	})
	return b
}

// say is a message as it comes to those who have subscribed before.
func (b *bench) say(topic, payload string) {
	b.d.Handle(dialect.Message{Topic: topic, Payload: []byte(payload), Time: time.Now()})
}

// keeps is one that the broker had before.
func (b *bench) keeps(topic, payload string) {
	b.d.Handle(dialect.Message{Topic: topic, Payload: []byte(payload), Retained: true, Time: time.Now()})
}

// settle lets the dialect tell the house what it has learned.
func settled() {
	time.Sleep(longest) // in a bubble, where this takes no time
	synctest.Wait()
}

// announce takes lines of topic and payload.
func (b *bench) announce(lines string) {
	for line := range strings.Lines(lines) {
		if topic, payload, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			b.keeps(topic, payload)
		}
	}
	settled()
}

// wants compares a device's properties, as name:kind:unit, with ! for one that can be set, * for one that is momentary
// and > for one that is only set, and its type.
func (b *bench) wants(id hearth.ID, kind hearth.Type, want string) {
	b.t.Helper()
	dev, ok := b.Device(id)
	if !ok {
		b.t.Errorf("%s is not there; there are %v", id, keysOf(b.Devices()))
		return
	}
	var got []string
	for _, p := range dev.Properties {
		s := fmt.Sprintf("%s:%s", p.Name, p.Kind)
		if p.Unit != "" {
			s += ":" + p.Unit
		}
		for _, mark := range []struct {
			is   bool
			sign string
		}{{p.WriteOnly, ">"}, {p.Momentary, "*"}, {p.Writable && !p.WriteOnly, "!"}} {
			if mark.is {
				s += mark.sign
			}
		}
		got = append(got, s)
	}
	if strings.Join(got, " ") != strings.Join(strings.Fields(want), " ") || dev.Type != kind {
		b.t.Errorf("%s is a %s with\n\t%s\nwant a %s with\n\t%s", id, dev.Type, strings.Join(got, " "), kind, strings.Join(strings.Fields(want), " "))
	}
}

func keysOf(m map[hearth.ID]hearth.Device) (ids []hearth.ID) {
	for id := range m {
		ids = append(ids, id)
	}
	return ids
}

// last compares the newest values, as property=value.
func (b *bench) last(id hearth.ID, want ...string) {
	b.t.Helper()
	for _, w := range want {
		property, value, _ := strings.Cut(w, "=")
		got := "nothing"
		if r, ok := b.Last(id, property); ok {
			got = strings.Trim(r.Value.String(), `"`)
		}
		if got != value {
			b.t.Errorf("%s of %s is %s, want %s", property, id, got, value)
		}
	}
}

// sends gives a command and compares what is published; the device answers what answer says.
func (b *bench) sends(id hearth.ID, set map[string]hearth.Value, answer func(topic, payload string), want ...string) error {
	b.t.Helper()
	b.mu.Lock()
	b.published, b.answer = nil, answer
	b.mu.Unlock()
	err := b.d.Do(b.t.Context(), hearth.Command{Device: id, Set: set})
	synctest.Wait() // for the rest of the answer, of which Do needs one part
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.Join(b.published, "\n") != strings.Join(want, "\n") {
		b.t.Errorf("%v published\n\t%s\nwant\n\t%s", set, strings.Join(b.published, "\n\t"), strings.Join(want, "\n\t"))
	}
	return err
}

func on(v bool) hearth.Value     { return hearth.BoolOf(v) }
func num(f float64) hearth.Value { return hearth.NumberOf(f) }
func txt(s string) hearth.Value  { return hearth.TextOf(s) }

type set = map[string]hearth.Value
