package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
)

// mosquitto is Debian's, on an address of its own; it can be killed and started again.
type mosquitto struct {
	t       testing.TB
	address string
	config  string
	cmd     *exec.Cmd
}

func newMosquitto(t testing.TB, more string) *mosquitto {
	t.Helper()
	const command = "/usr/sbin/mosquitto"
	if _, err := os.Stat(command); err != nil {
		if os.Getenv("HEARTH_E2E") != "" {
			t.Fatal("mosquitto is not installed: scripts/install-peers does it")
		}
		t.Skip("SKIPPED: mosquitto is not installed; `make e2e` installs it and runs this")
	}
	m := &mosquitto{t: t, address: freeAddress(t), config: filepath.Join(t.TempDir(), "mosquitto.conf")}
	_, port, _ := strings.Cut(m.address, ":")
	text := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\nuser root\n%s\n", port, more)
	if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.kill)
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command("/usr/sbin/mosquitto", "-c", m.config)
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	eventually(m.t, "mosquitto answers", func() bool {
		conn, err := net.Dial("tcp", m.address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (m *mosquitto) kill() {
	m.cmd.Process.Kill()
	m.cmd.Wait()
}

func (r *rig) on(m *mosquitto) func(*Options) {
	r.addr = m.address
	return func(o *Options) { o.Listen, o.Broker, o.Username = "", "mqtt://"+m.address, "hearth" }
}

func TestExistingBroker(t *testing.T) {
	m := newMosquitto(t, "persistence false")
	r := newRig(t)
	r.driver.Announce(lamp(id))
	// Left by somebody before the gateway was there: a retained command.
	r.addr = m.address
	script := r.dial("script", "")
	script.publish(setTopic, `{"on":true}`, true)
	r.start(r.on(m))
	ears := r.dial("ears", "", "#")
	ears.wants(gatewayTopic, "online")
	eventually(t, "the answer to the retained command", func() bool { return r.face.Stats().Refused == 1 })
	script.publish(setTopic, `{"brightness":12}`, false)
	if rec := ears.record(id, hearth.Confirmed); rec.By != "mqtt" {
		t.Errorf("the record is %+v", rec)
	}
	ears.wants(stateTopic, `{"brightness":12}`)
	if given := r.given(); len(given) != 1 {
		t.Errorf("the driver was given %+v", given)
	}
	eventually(t, "the retained command is gone", func() bool { return r.dial("late", "", setTopic).count() == 0 })

	// The last will of an earlier connection comes late.
	script.publish(gatewayTopic, "offline", true)
	eventually(t, "online again", func() bool {
		all := ears.heard(gatewayTopic)
		return len(all) >= 3 && all[len(all)-1].payload == "online"
	})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	ears.wants(gatewayTopic, "offline")

	// A device goes while the gateway is down: its traces go with the next run. So do those under another prefix.
	config := topics{"homeassistant"}.config(id)
	if mess, _ := ears.get(config); mess.payload == "" {
		t.Fatal("nothing was announced")
	}
	r.home.Remove(id)
	r.driver.Announce(lamp("toy:other"))
	r.start(r.on(m))
	for _, topic := range []string{config, stateTopic, "hearth/device/toy:lamp.1/available"} {
		ears.wants(topic, "")
	}
	r.stop()
	other := topics{"homeassistant"}.config("toy:other")
	eventually(t, "the other", func() bool { m, _ := ears.get(other); return m.payload != "" })
	on := r.on(m)
	r.start(func(o *Options) { on(o); o.Discovery = "" })
	ears.wants(other, "")
}

// TestBrokerGone kills the broker: the face says so at once, and says everything again to the next one.
func TestBrokerGone(t *testing.T) {
	m := newMosquitto(t, "persistence false")
	r := newRig(t)
	r.driver.Announce(lamp(id))
	r.report(id, "on", hearth.BoolOf(true))
	r.start(r.on(m))
	m.kill()
	if err := r.stopped(); !errors.Is(err, &hearth.Error{Code: hearth.CodeOffline}) {
		t.Errorf("the face ended with %v", err)
	}
	if err := r.face.Run(t.Context()); !errors.Is(err, &hearth.Error{Code: hearth.CodeOffline}) {
		t.Errorf("without a broker it ended with %v", err)
	}
	m.start()
	r.start(r.on(m))
	ears := r.dial("ears", "", "#")
	ears.wants(stateTopic, `{"on":true}`)
	ears.wants(gatewayTopic, "online")
	if _, ok := ears.get(r.face.topics.config(id)); !ok {
		t.Error("not announced again")
	}
}

// stopped waits until the face ends by itself.
func (r *rig) stopped() error {
	eventually(r.t, "the face ends", func() bool { return !r.face.Stats().Connected })
	return r.stop()
}

// TestLastWill has the connection cut without a word.
func TestLastWill(t *testing.T) {
	m := newMosquitto(t, "persistence false")
	r := newRig(t)
	r.start(r.on(m))
	ears := r.dial("ears", "", gatewayTopic)
	ears.wants(gatewayTopic, "online")
	id, err := r.store.Get(idKey)
	if err != nil {
		t.Fatal(err)
	}
	thief := paho.NewClientOptions().AddBroker("tcp://" + m.address)
	c := newClient(thief.SetClientID(string(id)).SetAutoReconnect(false)) // takes the connection over
	c.Connect().Wait()
	defer c.Disconnect(0)
	ears.wants(gatewayTopic, "offline")
}

// TestBrokerRefuses is an error that says which broker.
func TestBrokerRefuses(t *testing.T) {
	m := newMosquitto(t, "")
	m.kill()
	text, err := os.ReadFile(m.config)
	if err == nil {
		err = os.WriteFile(m.config, bytes.Replace(text, []byte("allow_anonymous true"), []byte("allow_anonymous false"), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.start()
	r := newRig(t)
	f := New(Options{Home: r.home, Store: r.store, Broker: "mqtt://" + m.address, Username: "hearth", Password: func() (string, error) { return "wrong", nil }})
	if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), m.address) || !strings.Contains(strings.ToLower(err.Error()), "authori") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("got %v", err)
	}
}

func TestThousandDevicesOnMosquitto(t *testing.T) {
	m := newMosquitto(t, "persistence false\nmax_queued_messages 0")
	r := newRig(t)
	r.addr = m.address
	ears := r.dial("ears", "", "hearth/#", "homeassistant/#")
	for i := range 1000 {
		d := lamp(hearth.ID(fmt.Sprintf("toy:lamp%d", i)))
		r.driver.Announce(d)
		r.report(d.ID, "on", hearth.BoolOf(true))
	}
	start := time.Now()
	r.start(r.on(m))
	eventually(t, "3000 retained messages", func() bool { return ears.topics() >= 3001 })
	t.Logf("1000 devices announced over mosquitto in %s", time.Since(start).Round(time.Millisecond))
}
