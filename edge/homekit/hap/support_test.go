package hap

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"
)

const testPIN = "031-45-154"

// memory is a Store that can fail.
type memory struct {
	mu   sync.Mutex
	m    map[string][]byte
	fail func(verb, key string) error
}

func newMemory() *memory { return &memory{m: make(map[string][]byte)} }

func (m *memory) broken(verb, key string) error {
	if m.fail == nil {
		return nil
	}
	return m.fail(verb, key)
}

func (m *memory) Get(key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.m[key], m.broken("get", key)
}

func (m *memory) Put(key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.broken("put", key); err != nil {
		return err
	}
	m.m[key] = bytes.Clone(value)
	return nil
}

func (m *memory) Delete(key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.broken("delete", key); err != nil {
		return err
	}
	delete(m.m, key)
	return nil
}

func (m *memory) Each(f func(string, []byte) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.broken("each", ""); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(m.m)) {
		if err := f(key, m.m[key]); err != nil {
			return err
		}
	}
	return nil
}

// hands is a Handler that keeps what it was asked.
type hands struct {
	mu         sync.Mutex
	writes     []Write
	identified []*accessory.A
	calls      int
	write      func(ctx context.Context, a *accessory.A, writes []Write) []Status
	read       func(a *accessory.A, c *characteristic.C) Status
}

func (h *hands) Read(_ context.Context, a *accessory.A, c *characteristic.C) Status {
	if h.read != nil {
		return h.read(a, c)
	}
	return OK
}

func (h *hands) Write(ctx context.Context, a *accessory.A, writes []Write) []Status {
	h.mu.Lock()
	h.writes = append(h.writes, writes...)
	h.calls++
	h.mu.Unlock()
	if h.write != nil {
		return h.write(ctx, a, writes)
	}
	return make([]Status, len(writes))
}

func (h *hands) Identify(a *accessory.A) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.identified = append(h.identified, a)
}

// Instance ids of the test accessories.
const (
	iidIdentify   = 2
	iidOn         = 11
	iidBrightness = 12
	iidTemp       = 13
	iidButton     = 21
	iidLock       = 31
	iidSecret     = 41 // write only
	iidNote       = 42 // string
	iidControl    = 43 // write response
)

func info(a *accessory.A) {
	a.Info.Id = 1
	for n, c := range a.Info.Cs {
		c.Id = uint64(2 + n)
	}
}

// lamp is an accessory with one of everything.
func lamp(aid uint64) *accessory.A {
	a := accessory.New(accessory.Info{Name: fmt.Sprintf("Lamp %d", aid), SerialNumber: "00" + strconv.Itoa(int(aid)), Manufacturer: "Us", Model: "L", Firmware: "1.0.0"}, accessory.TypeLightbulb)
	a.Id = aid
	info(a)
	bulb := service.New(service.TypeLightbulb)
	bulb.Id = 10
	on, brightness, temperature := characteristic.NewOn(), characteristic.NewBrightness(), characteristic.NewCurrentTemperature()
	on.Id, brightness.Id, temperature.Id = iidOn, iidBrightness, iidTemp
	bulb.Cs = append(bulb.Cs, on.C, brightness.C, temperature.C)
	button := service.New(service.TypeStatelessProgrammableSwitch)
	button.Id = 20
	press := characteristic.NewProgrammableSwitchEvent()
	press.Id = iidButton
	button.Cs = append(button.Cs, press.C)
	lock := service.New(service.TypeLockMechanism)
	lock.Id = 30
	target := characteristic.NewLockTargetState()
	target.Id = iidLock
	target.Permissions = append(target.Permissions, "tw")
	lock.Cs = append(lock.Cs, target.C)
	odd := service.New("49")
	odd.Id = 40
	secret := &characteristic.C{Id: iidSecret, Type: "E0", Format: "uint8", Permissions: []string{"pw"}}
	note := &characteristic.C{Id: iidNote, Type: "E1", Format: "string", Permissions: []string{"pr", "pw"}, MaxLen: 8}
	control := &characteristic.C{Id: iidControl, Type: "E2", Format: "tlv8", Permissions: []string{"pr", "pw", "wr"}}
	odd.Cs = append(odd.Cs, secret, note, control)
	a.Ss = append(a.Ss, bulb, button, lock, odd)
	return a
}

func bridge() *accessory.A {
	a := accessory.NewBridge(accessory.Info{Name: "Bridge", SerialNumber: "001", Manufacturer: "Us", Model: "B", Firmware: "1.0.0"}).A
	a.Id = 1
	info(a)
	return a
}

// home is a bridge and n-1 lamps.
func home(n int) []*accessory.A {
	all := []*accessory.A{bridge()}
	for i := 2; i <= n; i++ {
		all = append(all, lamp(uint64(i)))
	}
	return all
}

func find(all []*accessory.A, aid, iid uint64) (*accessory.A, *characteristic.C) {
	for _, a := range all {
		for _, s := range a.Ss {
			for _, c := range s.Cs {
				if a.Id == aid && c.Id == iid {
					return a, c
				}
			}
		}
	}
	panic("no such characteristic")
}

// world is a running server with accessories.
type world struct {
	t       testing.TB
	s       *Server
	h       *hands
	store   *memory
	all     []*accessory.A
	address string
	stop    func()
}

func start(t testing.TB, accessories int, change func(*Options)) *world {
	return startWith(t, newMemory(), home(accessories), change)
}

func startWith(t testing.TB, store *memory, all []*accessory.A, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, h: &hands{}, store: store, all: all}
	o := Options{Name: "Test", PIN: testPIN, SetupID: "SWZ1", Store: store, Handler: w.h, Coalesce: 50 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(all); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	w.s, w.address = s, l.Addr().String()
	w.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("Serve does not end")
		}
	})
	t.Cleanup(w.stop)
	return w
}

func (w *world) changed(aid, iid uint64, value any) {
	a, c := find(w.all, aid, iid)
	w.s.Changed(a, c, value, "")
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("it did not come: %s", what)
}
