package hap

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"
)

func TestFramingEdges(t *testing.T) {
	w := start(t, 3, nil)
	k := w.pair("phone")
	c := w.session(k)
	get := request("GET", fmt.Sprintf("/characteristics?id=2.%d", iidOn), "", nil)
	good := func(name string) {
		t.Helper()
		if m, err := c.response(); err != nil || m.status != 200 {
			t.Fatalf("%s: %v %v", name, m, err)
		}
	}
	head, body, _ := bytes.Cut(request("PUT", "/characteristics", contentJSON, []byte(`{"characteristics":[{"aid":2,"iid":11,"value":true,"r":true}]}`)), []byte("\r\n\r\n"))
	head = append(head, "\r\n\r\n"...)
	c.raw(append(c.seal.seal(head), c.seal.seal(body)...)) // two frames in one segment
	if m, err := c.response(); err != nil || m.status != 207 {
		t.Fatalf("header and body in frames of their own: %v %v", m, err)
	}
	c.raw(append(c.seal.seal(get), c.seal.seal(get)...)) // two requests in one segment
	good("pipelined")
	good("pipelined")
	c.raw(c.seal.seal(append(append([]byte{}, get...), get...))) // two requests in one frame
	good("two in a frame")
	good("two in a frame")
	for _, size := range []int{1023, 1024, 1025, 2047, 2048, 2049, 4096} {
		c.raw(c.seal.seal(padded(get, size)))
		good(fmt.Sprintf("a request of %d bytes", size))
	}
	var frames []byte // every byte a frame, and the frames in pieces of seven bytes
	for _, b := range get {
		frames = append(frames, c.seal.seal([]byte{b})...)
	}
	for len(frames) > 0 {
		n := min(7, len(frames))
		c.raw(frames[:n])
		frames = frames[n:]
	}
	good("frames of a byte")
	many := bytes.Repeat(get, 200)
	go c.nc.Write(c.seal.seal(many))
	for range 200 {
		good("many")
	}
	bad := c.seal.seal(get)
	bad[10] ^= 1
	c.raw(bad)
	c.closed()
	c = w.session(k)
	c.raw([]byte{1, 4, 0, 0})
	c.raw(make([]byte, 2000))
	c.closed()
}

// padded makes a request exactly so long.
func padded(get []byte, size int) []byte {
	text := strings.TrimSuffix(string(get), "\r\n") + "X: "
	return []byte(text + strings.Repeat("x", size-len(text)-4) + "\r\n\r\n")
}

// The first request after pair-verify was lost in one of twenty connections, when it came at once.
func TestFirstRequestAfterVerify(t *testing.T) {
	w := start(t, 2, nil)
	k := w.pair("phone")
	for n := range 100 {
		c := w.dial()
		m3, shared, err := c.pairVerifyMessage3(k)
		if err != nil {
			t.Fatal(err)
		}
		text := request("POST", "/pair-verify", contentTLV, m3.bytes())
		get := request("GET", "/accessories", "", nil)
		write := derive(shared, "Control-Salt", "Control-Write-Encryption-Key")
		if n%2 == 0 { // together, and even before the answer of pair-verify
			early := &sealer{aead: newAEAD(write[:])}
			c.raw(append(text, early.seal(get)...))
		} else {
			c.raw(text)
		}
		if m, err := c.response(); err != nil || m.status != 200 {
			t.Fatal(m, err)
		}
		c.encrypt(shared)
		if n%2 == 1 {
			c.raw(c.seal.seal(get))
		}
		if m, err := c.response(); err != nil || m.status != 200 {
			t.Fatalf("connection %d: %v %v", n, m, err)
		}
		c.nc.Close()
	}
}

// A controller that does not read is closed, and nobody else waits for it.
func TestStalledController(t *testing.T) {
	w := start(t, 100, func(o *Options) { o.Coalesce = 5 * time.Millisecond })
	k := w.pair("phone")
	controllers := []*client{w.session(k)}
	alive := controllers[0]
	for range 6 {
		dead := w.session(k)
		dead.nc.(*net.TCPConn).SetReadBuffer(4096)
		controllers = append(controllers, dead)
	}
	var all []string
	for aid := 2; aid <= 100; aid++ {
		all = append(all, fmt.Sprintf(`{"aid":%d,"iid":%d,"ev":true}`, aid, iidTemp))
	}
	for _, c := range controllers {
		c.put(204, `{"characteristics":[%s]}`, strings.Join(all, ","))
	}
	stop := make(chan struct{})
	var storm sync.WaitGroup
	storm.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			for aid := uint64(2); aid <= 100; aid++ {
				w.changed(aid, iidTemp, float64(n%1000)/10)
			}
		}
	})
	defer storm.Wait()
	defer close(stop)
	slowest := time.Duration(0)
	eventually(t, "the dead ones are closed", func() bool {
		began := time.Now()
		if _, err := alive.next(2 * time.Second); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
		return w.s.Stats().Connections == 1
	})
	if slowest > 1500*time.Millisecond { // six times half a second would be three
		t.Errorf("the others waited %v", slowest)
	}
	if w.s.Stats().Dropped == 0 {
		t.Error("nothing counted as dropped")
	}
}

// 150 accessories, ten controllers that read the whole database and write, and everything changes all the time: no
// message within another, none lost.
func TestStorm(t *testing.T) {
	w := start(t, 150, func(o *Options) { o.Coalesce = 20 * time.Millisecond })
	k := w.pair("phone")
	stop := make(chan struct{})
	var storm, controllers sync.WaitGroup
	storm.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			for aid := uint64(2); aid <= 150; aid++ {
				w.changed(aid, iidTemp, float64(n%1000)/10)
			}
			w.changed(2, iidButton, n%3)
		}
	})
	for n := range 10 {
		c := w.session(k)
		controllers.Go(func() {
			for aid := 2; aid <= 150; aid++ {
				if m, err := c.try("PUT", "/characteristics", fmt.Sprintf(`{"characteristics":[{"aid":%d,"iid":%d,"ev":true},{"aid":%d,"iid":%d,"ev":true}]}`, aid, iidTemp, aid, iidButton)); err != nil || m.status != 204 {
					t.Errorf("controller %d: %v %v", n, m, err)
					return
				}
			}
			events := 0
			for i := range 60 {
				m, err := c.try("GET", "/accessories", "")
				if err != nil || m.status != 200 || !json.Valid(m.body) {
					t.Errorf("controller %d: %v", n, err)
					return
				}
				if m, err = c.try("PUT", "/characteristics", fmt.Sprintf(`{"characteristics":[{"aid":%d,"iid":%d,"value":%v}]}`, 2+n, iidOn, i%2 == 0)); err != nil || m.status != 204 {
					t.Errorf("controller %d: %v %v", n, m, err)
					return
				}
				for _, e := range c.events {
					if !json.Valid(e.body) {
						t.Errorf("controller %d: an event that is none: %s", n, e.body)
					}
				}
				events += len(c.events)
				c.events = nil
			}
			if events == 0 {
				t.Errorf("controller %d: no events", n)
			}
		})
	}
	controllers.Wait()
	close(stop)
	storm.Wait()
}

func TestSlowHandlerIsAnsweredFor(t *testing.T) {
	if testing.Short() {
		t.Skip("ten seconds")
	}
	t.Parallel()
	w := start(t, 4, nil)
	block := make(chan struct{})
	defer close(block)
	w.h.write = func(ctx context.Context, a *accessory.A, writes []Write) []Status {
		if a.Id == 3 {
			<-block
		}
		return make([]Status, len(writes))
	}
	k := w.pair("phone")
	c := w.session(k)
	m := c.put(207, `{"characteristics":[{"aid":2,"iid":%d,"value":true},{"aid":3,"iid":%d,"value":true}]}`, iidOn, iidOn)
	if got := m.items(t); *got[0].Status != 0 || *got[1].Status != int(TimedOut) {
		t.Errorf("%s", m.body)
	}
}

// Connections that come and go leave nothing behind, whatever they had subscribed to.
func TestChurn(t *testing.T) {
	w := start(t, 20, nil)
	k := w.pair("phone")
	round := func(n int) {
		for range n {
			c := w.open()
			if err := c.pairVerify(k); err != nil {
				t.Fatal(err)
			}
			for aid := uint64(2); aid <= 4; aid++ {
				c.subscribe(aid, iidTemp)
			}
			w.open().nc.Close()
			c.nc.Close()
		}
		eventually(t, "all connections are gone", func() bool { return w.s.Stats().Connections == 0 })
	}
	measure := func() (goroutines int, heap uint64) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	round(50)
	goroutines, heap := measure()
	round(300)
	after, more := measure()
	t.Logf("300 connections: goroutines %d → %d, heap %d → %d KB", goroutines, after, heap/1024, more/1024)
	if after > goroutines || more > heap+100<<10 {
		t.Errorf("a leak: goroutines %d → %d, heap %d → %d", goroutines, after, heap, more)
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, i := range w.s.db.items {
		if len(i.subscribers) > 0 {
			t.Fatalf("%v has %d subscribers", i.key, len(i.subscribers))
		}
	}
}

// A connection that is not verified gets no events, whatever port it has.
func TestNoEventsToStrangers(t *testing.T) {
	w := start(t, 2, nil)
	k := w.pair("phone")
	c := w.session(k)
	c.subscribe(2, iidTemp)
	address := c.nc.LocalAddr().(*net.TCPAddr)
	c.nc.(*net.TCPConn).SetLinger(0)
	c.nc.Close()
	eventually(t, "it is gone", func() bool { return w.s.Stats().Connections == 0 })
	nc, err := (&net.Dialer{LocalAddr: address}).Dial("tcp", w.address)
	if err != nil {
		t.Skip("the port is not free:", err)
	}
	defer nc.Close()
	w.changed(2, iidTemp, 63)
	nc.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := nc.Read(make([]byte, 100)); n > 0 || err == nil {
		t.Errorf("%d bytes for a stranger", n)
	}
}

// Strangers that hold connections open keep nobody out; sessions are never put out by them.
func TestManyConnections(t *testing.T) {
	w := start(t, 2, func(o *Options) { o.MaxConnections = 12 })
	k := w.pair("phone")
	sessions := make([]*client, 8)
	for n := range sessions {
		sessions[n] = w.session(k)
	}
	for range 50 {
		w.dial()
	}
	late := w.session(k)
	for _, c := range append(sessions, late) {
		c.do(200, "GET", "/accessories", "")
	}
	if got := w.s.Stats(); got.Connections > 12 || got.Verified != 9 {
		t.Errorf("%+v", got)
	}
	for range 3 {
		c := w.session(k)
		c.do(200, "GET", "/accessories", "") // the server knows, too
		sessions = append(sessions, c)
	}
	w.dial().closed() // full of sessions
}

// A handler that panics ends neither the program nor the connection: its accessory is out of reach, and others are not.
func TestAHandlerThatPanics(t *testing.T) {
	var log strings.Builder
	w := start(t, 3, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	w.h.read = func(a *accessory.A, _ *characteristic.C) Status {
		if a.Id == 2 {
			panic("reading")
		}
		return OK
	}
	w.h.write = func(_ context.Context, a *accessory.A, writes []Write) []Status {
		if a.Id == 2 {
			panic("writing")
		}
		return make([]Status, len(writes))
	}
	c := w.session(w.pair("phone"))
	got := c.do(207, "GET", fmt.Sprintf("/characteristics?id=2.%d,3.%d", iidOn, iidOn), "").items(t)
	if Status(*got[0].Status) != OutOfReach || Status(*got[1].Status) != OK {
		t.Errorf("reading: %+v", got)
	}
	got = c.put(207, `{"characteristics":[{"aid":2,"iid":%d,"value":true},{"aid":3,"iid":%d,"value":true}]}`, iidOn, iidOn).items(t)
	if Status(*got[0].Status) != OutOfReach || Status(*got[1].Status) != OK {
		t.Errorf("writing: %+v", got)
	}
	if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "session_test.go") {
		t.Errorf("the log does not say where: %s", text)
	}
}
