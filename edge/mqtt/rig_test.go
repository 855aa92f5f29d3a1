package mqtt

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/edge/home"
)

type nowhere struct{}

func (nowhere) Append(...hearth.Reading) error { return nil }
func (nowhere) Urgent()                        {}

// rig is a home with one driver called toy, and its face.
type rig struct {
	t      testing.TB
	home   *home.Home
	driver hearth.Home
	store  *drivertest.Store
	face   *Face
	addr   string

	mu   sync.Mutex
	done []hearth.Command // that the driver was given

	stop func() error // ends the face
}

var scopes = map[string]hearth.Token{
	"r": {Name: "reader", Scope: hearth.ScopeRead}, "c": {Name: "node-red", Scope: hearth.ScopeControl},
	"a": {Name: "boss", Scope: hearth.ScopeAdmin}, "w": {Name: "writer", Scope: hearth.ScopeWrite},
}

func find(secret string) (hearth.Token, bool) {
	t, ok := scopes[secret]
	t.Hash = hearth.HashSecret(secret)
	return t, ok
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, store: drivertest.NewStore(), stop: func() error { return nil }}
	var err error
	r.home, err = home.Open(home.Options{
		Devices: drivertest.NewStore(), Values: drivertest.NewStore(), Commands: drivertest.NewStore(), Sink: nowhere{}, Log: slog.New(slog.DiscardHandler),
		Now: func() (time.Time, bool) { return time.Now(), true },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.home.Run(ctx) }()
	t.Cleanup(func() { r.stop(); cancel(); <-ended })
	r.driver = r.home.Attach("toy", "sim", r.do)
	r.home.Running("toy", true)
	return r
}

// do is the driver's: what it is asked for is so at once.
func (r *rig) do(_ context.Context, cmd hearth.Command) error {
	r.mu.Lock()
	r.done = append(r.done, cmd)
	r.mu.Unlock()
	view, _ := r.home.Device(cmd.Device)
	for name, value := range cmd.Set {
		if p := view.Property(name); p != nil && isState(p.Property) {
			r.driver.Report(hearth.Reading{Device: cmd.Device, Property: name, Value: value})
		}
	}
	return nil
}

func (r *rig) given() []hearth.Command {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.done)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs the face, by default on a broker of its own.
func (r *rig) start(change func(*Options)) {
	r.t.Helper()
	if r.addr == "" {
		r.addr = freeAddress(r.t)
	}
	o := Options{Home: r.home, Store: r.store, Listen: r.addr, Tokens: find, Discovery: "homeassistant", Version: "1.2.3"}
	if change != nil {
		change(&o)
	}
	r.face = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- r.face.Run(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-result })
	eventually(r.t, "the broker is there", func() bool { return r.face.Stats().Connected })
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	late := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("not in 20 seconds: %s", what)
		}
	}
}

// client is a real client, and what it has heard.
type client struct {
	t    testing.TB
	paho paho.Client

	mu   sync.Mutex
	last map[string]heardMessage
	all  []heardMessage
}

type heardMessage struct {
	topic, payload string
	retained       bool
}

func (r *rig) options(user, secret string) *paho.ClientOptions {
	o := paho.NewClientOptions().AddBroker("tcp://" + r.addr).SetClientID("test-" + user).SetUsername(user).SetPassword(secret)
	return o.SetAutoReconnect(false).SetConnectTimeout(20 * time.Second)
}

// dial connects a client that hears all of filters.
func (r *rig) dial(user, secret string, filters ...string) *client {
	r.t.Helper()
	c := &client{t: r.t, last: map[string]heardMessage{}}
	o := r.options(user, secret)
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		c.mu.Lock()
		defer c.mu.Unlock()
		h := heardMessage{m.Topic(), string(m.Payload()), m.Retained()}
		c.last[h.topic], c.all = h, append(c.all, h)
	})
	c.paho = paho.NewClient(o)
	if token := c.paho.Connect(); !token.WaitTimeout(20*time.Second) || token.Error() != nil {
		r.t.Fatalf("connecting as %s: %v", user, token.Error())
	}
	r.t.Cleanup(func() { c.paho.Disconnect(0) })
	for _, filter := range filters {
		token := c.paho.Subscribe(filter, 1, nil)
		if !token.WaitTimeout(20*time.Second) || token.Error() != nil {
			r.t.Fatalf("subscribing to %s: %v", filter, token.Error())
		}
	}
	return c
}

func (c *client) publish(topic, payload string, retain bool) {
	c.t.Helper()
	if token := c.paho.Publish(topic, 1, retain, payload); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		c.t.Fatalf("publishing on %s: %v", topic, token.Error())
	}
}

func (c *client) get(topic string) (heardMessage, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.last[topic]
	return m, ok
}

func (c *client) heard(topic string) (all []heardMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.all {
		if m.topic == topic {
			all = append(all, m)
		}
	}
	return all
}

func (c *client) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

// wants waits for a payload on a topic.
func (c *client) wants(topic, payload string) {
	c.t.Helper()
	eventually(c.t, topic+" says "+payload, func() bool { m, ok := c.get(topic); return ok && m.payload == payload })
}

// record waits for a command's record on a topic in that state.
func (c *client) record(id hearth.ID, state hearth.State) (rec hearth.Record) {
	c.t.Helper()
	eventually(c.t, "a command of "+string(id)+" is "+string(state), func() bool {
		for _, m := range c.heard("hearth/device/" + string(id) + "/command") {
			rec = hearth.Record{}
			if json.Unmarshal([]byte(m.payload), &rec) == nil && rec.State == state {
				return true
			}
		}
		return false
	})
	return rec
}

func word(name string) hearth.Property { p, _ := hearth.Word(name); return p }

func lamp(id hearth.ID) hearth.Device {
	return hearth.Device{ID: id, Name: "Küche Lampe", Type: "light", Vendor: "IKEA", Model: "E27", Properties: []hearth.Property{
		word("on").AsWritable(), word("brightness").AsWritable(), word("color_temperature").AsWritable().Within(2200, 4000), word("transition"),
		word("identify"), word("button"), word("link_quality"),
	}}
}

func (r *rig) report(id hearth.ID, property string, value hearth.Value) {
	r.driver.Report(hearth.Reading{Device: id, Property: property, Value: value})
}

func short(s string) string { return s[:min(len(s), 300)] }

func newClient(o *paho.ClientOptions) paho.Client { return paho.NewClient(o) }

func listenOn(address string) (net.Listener, error) { return net.Listen("tcp", address) }
