package uplink

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"hearth"
)

const brokerAddr = "localhost:1883"

// broker is a real one, and what a receiver or an application sees through it.
type broker struct {
	t      testing.TB
	server *mochi.Server
	gate   *gate

	mu      sync.Mutex
	seen    []message
	arrived chan struct{}
}

type message struct {
	topic    string
	payload  string
	retained bool
}

// gate lets in who has the token.
type gate struct {
	mochi.HookBase
	mu       sync.Mutex
	token    string
	connects int
}

func (*gate) ID() string { return "gate" }

func (*gate) Provides(b byte) bool {
	return bytes.Contains([]byte{mochi.OnConnectAuthenticate, mochi.OnACLCheck}, []byte{b})
}

func (g *gate) OnConnectAuthenticate(_ *mochi.Client, pk packets.Packet) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.connects++
	return string(pk.Connect.Username) == "gateway-h1" && string(pk.Connect.Password) == g.token
}

func (*gate) OnACLCheck(cl *mochi.Client, topic string, _ bool) bool {
	return cl.Net.Inline || strings.HasPrefix(topic, "hearth/"+homeID+"/")
}

func newBroker(t testing.TB, l ...net.Listener) *broker {
	b := &broker{
		t: t, gate: &gate{token: secret}, arrived: make(chan struct{}, 1),
		server: mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}),
	}
	if err := b.server.AddHook(b.gate, nil); err != nil {
		t.Fatal(err)
	}
	for _, l := range l {
		if err := b.server.AddListener(listeners.NewNet(l.Addr().String(), l)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.server.Close() })
	err := b.server.Subscribe("hearth/#", 1, func(_ *mochi.Client, _ packets.Subscription, pk packets.Packet) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.seen = append(b.seen, message{pk.TopicName, string(pk.Payload), pk.FixedHeader.Retain})
		select {
		case b.arrived <- struct{}{}:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *broker) do(cmd hearth.Command) {
	b.t.Helper()
	payload, err := json.Marshal(cmd)
	if err != nil {
		b.t.Fatal(err)
	}
	b.send(hearth.TopicDo(homeID), string(payload), false)
}

func (b *broker) send(topic, payload string, retain bool) {
	b.t.Helper()
	if err := b.server.Publish(topic, []byte(payload), retain, 1); err != nil {
		b.t.Fatal(err)
	}
}

// messages returns what came on a topic.
func (b *broker) messages(topic string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []string
	for _, m := range b.seen {
		if m.topic == topic {
			list = append(list, m.payload)
		}
	}
	return list
}

// results returns what came on done for one command, in order.
func (b *broker) results(id string) []hearth.Result {
	b.t.Helper()
	var list []hearth.Result
	for _, payload := range b.messages(hearth.TopicDone(homeID)) {
		var r hearth.Result
		if err := json.Unmarshal([]byte(payload), &r); err != nil {
			b.t.Errorf("on done: %v", err)
		}
		if r.ID == id {
			list = append(list, r)
		}
	}
	return list
}

func (b *broker) states(id string) []hearth.State {
	var list []hearth.State
	for _, r := range b.results(id) {
		list = append(list, r.State)
	}
	return slices.Compact(list)
}

func (b *broker) final(id string) func() bool {
	return func() bool {
		list := b.results(id)
		return len(list) > 0 && list[len(list)-1].Final
	}
}

// online returns what is retained.
func (b *broker) online() string {
	for _, pk := range b.server.Topics.Messages(hearth.TopicOnline(homeID)) {
		return string(pk.Payload)
	}
	return ""
}

// drop cuts the gateway's connection.
func (b *broker) drop() {
	if cl, ok := b.server.Clients.Get("hearth-" + homeID); ok {
		cl.Stop(net.ErrClosed)
	}
}
