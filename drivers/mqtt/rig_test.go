package mqtt

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"hearth"
	"hearth/drivers/drivertest"
)

// A broker is one in this process that a test can cut off.
type broker struct {
	t       testing.TB
	address string
	server  *mochi.Server
	gate    *gate

	mu    sync.Mutex
	after func(topic string, payload []byte) // of what is published there
}

// A gate is a listener that can be shut.
type gate struct {
	net.Listener
	mu   sync.Mutex
	shut bool
	open []net.Conn
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		if !g.shut {
			g.open = append(g.open, conn)
			g.mu.Unlock()
			return conn, nil
		}
		g.mu.Unlock()
		conn.Close()
	}
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	for _, conn := range g.open {
		conn.Close()
	}
	g.open = nil
}

// everybody may do everything.
type everybody struct{ mochi.HookBase }

func (everybody) ID() string { return "everybody" }

func (everybody) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}

func (everybody) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (everybody) OnACLCheck(*mochi.Client, string, bool) bool { return true }

func newBroker(t testing.TB) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, address: l.Addr().String(), gate: &gate{Listener: l}}
	capabilities := mochi.NewDefaultServerCapabilities()
	capabilities.MaximumClientWritesPending = 1 << 16
	b.server = mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Capabilities: capabilities})
	if err := b.server.AddHook(new(everybody), nil); err != nil {
		t.Fatal(err)
	}
	if err := b.server.AddListener(listeners.NewNet("test", b.gate)); err != nil {
		t.Fatal(err)
	}
	if err := b.server.Subscribe("#", 1, func(_ *mochi.Client, _ packets.Subscription, p packets.Packet) {
		b.mu.Lock()
		after := b.after
		b.mu.Unlock()
		if after != nil {
			after(p.TopicName, p.Payload)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := b.server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.server.Close() })
	return b
}

// say publishes as a device would.
func (b *broker) say(topic, payload string, retain bool) {
	if err := b.server.Publish(topic, []byte(payload), retain, 0); err != nil {
		b.t.Errorf("publishing to %s: %v", topic, err)
	}
}

func (b *broker) react(after func(topic string, payload []byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.after = after
}

// A life is a driver that runs.
type life struct {
	*drivertest.Recorder
	driver hearth.Driver
	cancel context.CancelFunc
	done   chan error
}

func live(t testing.TB, cfg Config) *life {
	t.Helper()
	driver, err := New(drivertest.NewEnv(t, "test"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, driver)
}

func run(t testing.TB, driver hearth.Driver) *life {
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{Recorder: drivertest.NewRecorder("test"), driver: driver, cancel: cancel, done: make(chan error, 1)}
	go func() {
		err := driver.Run(ctx, l.Recorder)
		l.End()
		l.done <- err
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-l.done:
			l.done <- err
		case <-time.After(10 * time.Second):
			t.Error("Run did not end")
		}
		for _, fault := range l.Faults() {
			t.Error(fault)
		}
	})
	return l
}

// lampBridge is what a Zigbee2MQTT with one lamp keeps at the broker.
func lampBridge(b *broker) {
	b.say("zigbee2mqtt/bridge/info", `{"version":"2.14.1","coordinator":{"ieee_address":"0x00124b0000000001","type":"EmberZNet"},"permit_join":false}`, true)
	b.say("zigbee2mqtt/bridge/state", `{"state":"online"}`, true)
	b.say("zigbee2mqtt/bridge/devices", `[{"ieee_address":"0x00124b0000000001","type":"Coordinator","friendly_name":"Coordinator"},
		{"ieee_address":"0x00158d0001a2b3c4","type":"Router","power_source":"Mains (single phase)","friendly_name":"hall/lamp","interview_state":"SUCCESSFUL",
		"definition":{"vendor":"IKEA","model":"LED1545G12","exposes":[{"type":"light","features":[
			{"type":"binary","name":"state","property":"state","access":7,"value_on":"ON","value_off":"OFF"},
			{"type":"numeric","name":"brightness","property":"brightness","access":7,"value_min":0,"value_max":254}]}]}}]`, true)
	b.say("zigbee2mqtt/bridge/groups", `[]`, true)
}

// lamp answers commands as Zigbee2MQTT does.
func lamp(b *broker) func(topic string, payload []byte) {
	var mu sync.Mutex
	state := map[string]any{"state": "OFF", "brightness": 254.0}
	return func(topic string, payload []byte) {
		if topic != "zigbee2mqtt/hall/lamp/set" && topic != "zigbee2mqtt/hall/lamp/get" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if topic == "zigbee2mqtt/hall/lamp/set" {
			_ = json.Unmarshal(payload, &state)
		}
		text, _ := json.Marshal(state)
		go b.say("zigbee2mqtt/hall/lamp", string(text), false)
	}
}
