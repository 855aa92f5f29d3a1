package homekit

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/brutella/hap/characteristic"

	"hearth"
	"hearth/edge/home"
	"hearth/edge/homekit/hap"
)

// memory is a Store that outlives what is opened on it, as a disk does.
type disk struct {
	mu   sync.Mutex
	data map[string][]byte
	fail error
}

func (m *disk) Get(key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.data[key], m.fail
}

func (m *disk) Put(key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.data == nil {
		m.data = map[string][]byte{}
	}
	m.data[key] = value
	return m.fail
}

func (m *disk) Delete(key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.data, key)
	return m.fail
}

func (m *disk) Each(fn func(string, []byte) error) error {
	m.mu.Lock()
	data := maps.Clone(m.data)
	err := m.fail
	m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if err == nil {
			err = fn(key, data[key])
		}
	}
	return err
}

type nowhere struct{}

func (nowhere) Append(...hearth.Reading) error { return nil }
func (nowhere) Urgent()                        {}

// rig is a home with a driver "toy" and a running bridge.
type rig struct {
	t      *testing.T
	home   *home.Home
	toy    hearth.Home
	b      *Bridge
	store  *disk
	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex
	done    []map[string]hearth.Value
	outcome func(hearth.Command) error // nil: it obeys and reports
}

func (r *rig) do(_ context.Context, cmd hearth.Command) error {
	r.mu.Lock()
	outcome := r.outcome
	r.mu.Unlock()
	if outcome == nil {
		for name, v := range cmd.Set {
			r.report(cmd.Device, name, v)
		}
	}
	r.mu.Lock()
	r.done = append(r.done, cmd.Set)
	r.mu.Unlock()
	if outcome == nil {
		return nil
	}
	return outcome(cmd)
}

func (r *rig) report(id hearth.ID, name string, v any) {
	r.toy.Report(hearth.Reading{Device: id, Property: name, Value: valueOf(v)})
}

func valueOf(v any) hearth.Value {
	switch v := v.(type) {
	case hearth.Value:
		return v
	case bool:
		return hearth.BoolOf(v)
	case int:
		return hearth.NumberOf(float64(v))
	case float64:
		return hearth.NumberOf(v)
	case string:
		return hearth.TextOf(v)
	}
	panic(fmt.Sprint("no value ", v))
}

func start(t *testing.T, store *disk, devices ...hearth.Device) *rig {
	t.Helper()
	r := &rig{t: t, store: store, ended: make(chan struct{})}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	var err error
	r.home, err = home.Open(home.Options{
		Devices: &disk{}, Values: &disk{}, Commands: &disk{}, Sink: nowhere{}, Log: log, Now: func() (time.Time, bool) { return time.Now(), true },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.toy = r.home.Attach("toy", "sim", r.do)
	r.home.Running("toy", true)
	for _, d := range devices {
		r.toy.Announce(d)
	}
	r.b, err = New(Options{Home: r.home, Store: store, Name: "Cabin", Listen: "127.0.0.1:0", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	homeEnded := make(chan struct{})
	go func() { defer close(homeEnded); _ = r.home.Run(ctx) }()
	go func() {
		defer close(r.ended)
		if err := r.b.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop := sync.OnceFunc(func() { cancel(); <-r.ended; <-homeEnded })
	t.Cleanup(stop)
	r.cancel = stop
	r.until("listening", func() bool { return r.b.State().Bridges[0].Address != "" })
	return r
}

// until waits for something that other goroutines bring about.
func (r *rig) until(what string, so func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !so() {
		if time.Now().After(deadline) {
			r.t.Fatalf("not in time: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (r *rig) thing(id hearth.ID) *thing {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	return r.b.things[id]
}

func (t *thing) find(service, typ string) *characteristic.C {
	for _, f := range t.faces {
		for _, c := range f.fields {
			if f.s.Type == service && c.c.Type == typ {
				return c.c
			}
		}
	}
	return nil
}

// shows waits until controllers see a value.
func (r *rig) shows(id hearth.ID, service, typ string, want any) {
	r.t.Helper()
	var got any
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		t := r.thing(id)
		c := t.find(service, typ)
		t.mu.Lock()
		got = t.shown[c]
		t.mu.Unlock()
		if got == want {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	r.t.Fatalf("%s %s/%s shows %v, want %v", id, service, typ, got, want)
}

type put struct {
	typ   string
	value any
}

// write is one PUT of a controller.
func (r *rig) write(id hearth.ID, service string, puts ...put) []hap.Status {
	r.t.Helper()
	t := r.thing(id)
	var writes []hap.Write
	for _, p := range puts {
		c := t.find(service, p.typ)
		if c == nil {
			r.t.Fatalf("%s has no %s in %s", id, p.typ, service)
		}
		writes = append(writes, hap.Write{Characteristic: c, Value: p.value, Controller: "phone"})
	}
	return r.door(t).Write(r.t.Context(), t.a, writes)
}

func (r *rig) door(t *thing) door {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	return door{r.b, r.b.units[t.bridge]}
}

// commands waits for n commands that reached the driver.
func (r *rig) commands(n int) []map[string]hearth.Value {
	r.t.Helper()
	var done []map[string]hearth.Value
	r.until(fmt.Sprint(n, " commands"), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		done = slices.Clone(r.done)
		return len(done) >= n
	})
	return done
}

func word(name string) hearth.Property { p, _ := hearth.Word(name); return p }

// device has properties written as in "on! brightness! battery": ! means writable.
func device(id string, typ hearth.Type, names ...string) hearth.Device {
	d := hearth.Device{ID: hearth.ID("toy:" + id), Name: id, Type: typ, Vendor: "Acme", Model: "One", Firmware: "v1.2-rc3"}
	for _, name := range names {
		writable := name[len(name)-1] == '!'
		if writable {
			name = name[:len(name)-1]
		}
		p := word(name)
		p.Writable = p.Writable || writable
		if name == "color_temperature" {
			p = p.Within(2200, 6500)
		}
		d.Properties = append(d.Properties, p)
	}
	return d
}
