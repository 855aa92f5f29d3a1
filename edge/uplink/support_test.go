package uplink

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/edge/buffer"
	"hearth/edge/home"
)

// memNet is a network in memory, so that a synctest bubble can tell when everybody waits.
type memNet struct {
	mu        sync.Mutex
	listeners map[string]*memListener
	conns     []net.Conn
	down      bool
}

type memListener struct {
	addr   string
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemNet() *memNet { return &memNet{listeners: map[string]*memListener{}} }

func (n *memNet) listen(addr string) net.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &memListener{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[addr] = l
	return l
}

func (n *memNet) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	l, down := n.listeners[addr], n.down
	n.mu.Unlock()
	if l == nil || down {
		return nil, errors.New("connection refused")
	}
	here, there := net.Pipe()
	select {
	case l.conns <- there:
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	conn := &memConn{Conn: here}
	n.conns = append(n.conns, conn)
	return conn, nil
}

// set takes the network down, with all connections, or brings it back.
func (n *memNet) set(down bool) {
	n.mu.Lock()
	n.down = down
	conns := n.conns
	if down {
		n.conns = nil
	}
	n.mu.Unlock()
	if down {
		for _, c := range conns {
			c.Close()
		}
	}
}

// freeze makes all connections half-open: writes vanish, nothing arrives, nobody says so.
func (n *memNet) freeze() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		c.(*memConn).freeze()
	}
	n.conns = nil
}

type memConn struct {
	net.Conn
	mu     sync.Mutex
	frozen bool
}

func (c *memConn) freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = true
}

func (c *memConn) isFrozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frozen
}

func (c *memConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if !c.isFrozen() {
			return n, err
		}
		if err != nil {
			return 0, err
		}
	}
}

func (c *memConn) Write(p []byte) (int, error) {
	if c.isFrozen() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *memListener) Addr() net.Addr { return memAddr(l.addr) }

type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }

// gateway is the parts around an uplink, real ones.
type gateway struct {
	t      testing.TB
	buffer *buffer.Buffer
	home   *home.Home
	store  *drivertest.Store
	driver hearth.Home
	do     func(context.Context, hearth.Command) error
	log    *slog.Logger
	net    *memNet

	mu      sync.Mutex
	trusted bool
	offers  []offer
	cancel  context.CancelFunc
	running sync.WaitGroup
}

type offer struct {
	source      string
	t           time.Time
	uncertainty time.Duration
}

const lampID hearth.ID = "toy:lamp"

func newGateway(t testing.TB, n *memNet, targets ...string) *gateway {
	return newGatewayWithCap(t, n, 64<<20, targets...)
}

func newGatewayWithCap(t testing.TB, n *memNet, limit int64, targets ...string) *gateway {
	g := &gateway{
		t: t, store: drivertest.NewStore(), net: n, trusted: true,
		log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if testing.Verbose() {
		g.log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	var err error
	g.buffer, err = buffer.Open(buffer.Options{
		Dir: t.TempDir(), Commit: 10 * time.Second, Cap: limit, History: time.Hour, Targets: targets, Log: g.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.home, err = home.Open(home.Options{
		Devices: drivertest.NewStore(), Values: drivertest.NewStore(), Commands: drivertest.NewStore(), Now: g.now, Sink: g.buffer, Log: g.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.driver = g.home.Attach("toy", "sim", func(ctx context.Context, cmd hearth.Command) error {
		if g.do != nil {
			return g.do(ctx, cmd)
		}
		for name, value := range cmd.Set {
			g.driver.Report(hearth.Reading{Device: cmd.Device, Property: name, Value: value})
		}
		return nil
	})
	on, _ := hearth.Word("on")
	mode, _ := hearth.Word("hvac_mode")
	temperature, _ := hearth.Word("temperature")
	g.driver.Announce(hearth.Device{ID: lampID, Type: "light", Properties: []hearth.Property{
		on.AsWritable(), mode, temperature, {Name: "note", Kind: hearth.Text},
	}})
	g.home.Running("toy", true)
	return g
}

func (g *gateway) now() (time.Time, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now(), g.trusted
}

func (g *gateway) setTrusted(trusted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.trusted = trusted
}

func (g *gateway) offer(source string, t time.Time, uncertainty time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.offers = append(g.offers, offer{source, t, uncertainty})
}

func (g *gateway) offered() []offer {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.offers)
}

func (g *gateway) options() Options {
	o := Options{Home: g.home, Buffer: g.buffer, Store: g.store, Now: g.now, Offer: g.offer, Version: "test", Log: g.log}
	if g.net != nil {
		o.dial = g.net.dial
	}
	return o
}

// start runs the home and an uplink until the test ends or stop is called.
func (g *gateway) start(o Options) *Uplink {
	u := New(o)
	ctx, cancel := context.WithCancel(g.t.Context())
	g.cancel = cancel
	g.running.Go(func() {
		if err := u.Run(ctx); err != nil {
			g.t.Errorf("the uplink ended: %v", err)
		}
	})
	g.running.Go(func() {
		if err := g.home.Run(ctx); err != nil {
			g.t.Errorf("the home ended: %v", err)
		}
	})
	return u
}

func (g *gateway) stop() {
	if g.cancel != nil {
		g.cancel()
		g.running.Wait()
	}
}

// produce commits blocks of readings, each block so many, with values that are never repeated.
func (g *gateway) produce(blocks, rows int) {
	g.t.Helper()
	base := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	start := int(g.buffer.Stats().Produced)
	for i := range blocks {
		list := make([]hearth.Reading, rows)
		for j := range rows {
			n := start + i*rows + j
			list[j] = hearth.Reading{Device: lampID, Property: "temperature", Value: hearth.NumberOf(float64(n)), Time: base.Add(time.Duration(n) * time.Second)}
		}
		g.commit(list...)
	}
}

func (g *gateway) commit(list ...hearth.Reading) {
	g.t.Helper()
	if err := g.buffer.Append(list...); err != nil {
		g.t.Fatal(err)
	}
	if err := g.buffer.Flush(); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) close() {
	g.stop()
	if err := g.buffer.Close(); err != nil {
		g.t.Errorf("closing the buffer: %v", err)
	}
}

// within waits until is holds, in the bubble's time.
func within(t testing.TB, limit time.Duration, what string, is func() bool) {
	t.Helper()
	end := time.After(limit)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-end:
			t.Fatalf("after %s still not: %s", limit, what)
		case <-tick.C:
		}
	}
}
