package dialecttest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// A Mosquitto is a real broker.
type Mosquitto struct {
	Address string // host:port

	t       testing.TB
	program string
	config  string
}

// NewMosquitto starts one on a free port of this machine. Where it is not installed the test is skipped.
func NewMosquitto(t testing.TB) *Mosquitto {
	t.Helper()
	const program = "/usr/sbin/mosquitto" // Debian's, which is not in everybody's path
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("HEARTH_E2E") != "" {
			t.Fatal("mosquitto is not installed: scripts/install-peers does it")
		}
		t.Skip("SKIPPED: mosquitto is not installed; `make e2e` installs it and runs this")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &Mosquitto{Address: l.Addr().String(), t: t, program: program, config: filepath.Join(t.TempDir(), "mosquitto.conf")}
	_, port, _ := net.SplitHostPort(b.Address)
	l.Close()
	text := "listener " + port + " 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 0\nmax_queued_messages 0\n"
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	return b
}

// start starts it, and returns when it answers.
func (b *Mosquitto) start() {
	running := exec.Command(b.program, "-c", b.config)
	if err := running.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = running.Process.Kill() // it may have ended by itself
		_ = running.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", b.Address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("mosquitto does not answer: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A Peer is a device on the broker: what it says when it is connected, and how it answers what it listens to.
type Peer struct {
	Will   string // topic of its last message, retained
	Last   string // and the message
	Listen string // filter
	Hello  func(say func(topic, payload string, retain bool))
	Hear   func(topic, payload string, say func(topic, payload string, retain bool))
}

// Connect connects a device until the test ends.
func (b *Mosquitto) Connect(p Peer) {
	b.t.Helper()
	options := paho.NewClientOptions().AddBroker("tcp://"+b.Address).SetClientID("peer-"+p.Will).SetBinaryWill(p.Will, []byte(p.Last), 1, true)
	options.SetOrderMatters(false) // it answers out of what it hears
	options.SetOnConnectHandler(func(c paho.Client) {
		say := func(topic, payload string, retain bool) { c.Publish(topic, 1, retain, payload) }
		c.Subscribe(p.Listen, 1, func(_ paho.Client, m paho.Message) { p.Hear(m.Topic(), string(m.Payload()), say) }).Wait()
		p.Hello(say)
	})
	client := paho.NewClient(options)
	if token := client.Connect(); !token.WaitTimeout(10 * time.Second) {
		b.t.Fatal("a device does not reach the broker")
	}
	b.t.Cleanup(func() { client.Disconnect(0) })
}
