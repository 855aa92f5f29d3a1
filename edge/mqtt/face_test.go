package mqtt

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"hearth"
)

const id = hearth.ID("toy:lamp.1")

const (
	stateTopic   = "hearth/device/toy:lamp.1/state"
	setTopic     = "hearth/device/toy:lamp.1/set"
	commandTopic = "hearth/device/toy:lamp.1/command"
)

func TestTopics(t *testing.T) {
	r := newRig(t)
	r.driver.Announce(lamp(id))
	r.report(id, "on", hearth.BoolOf(true))
	r.report(id, "brightness", hearth.NumberOf(40.5))
	r.start(nil)
	c := r.dial("reader", "r", "#")
	said := map[string]string{stateTopic: `{"on":true,"brightness":40.5}`, "hearth/device/toy:lamp.1/available": online, gatewayTopic: online}
	for topic, payload := range said {
		c.wants(topic, payload)
	}
	late := r.dial("boss", "a", "#") // whoever was there in time heard it as news
	for topic, payload := range said {
		late.wants(topic, payload)
		if m, _ := late.get(topic); !m.retained {
			t.Errorf("%s is not retained", topic)
		}
	}
	before := len(c.heard(stateTopic))
	for i := range 50 { // a burst
		r.report(id, "brightness", hearth.NumberOf(float64(i)))
	}
	c.wants(stateTopic, `{"on":true,"brightness":49}`)
	if n := len(c.heard(stateTopic)) - before; n > 5 {
		t.Errorf("a burst of 50 reports became %d messages", n)
	}
	r.report(id, "button", hearth.TextOf("single"))
	r.report(id, "button", hearth.TextOf("single"))
	event := "hearth/device/toy:lamp.1/event/button"
	eventually(t, "two presses", func() bool { return len(c.heard(event)) == 2 })
	var press hearth.LiveReading
	if m, _ := c.get(event); json.Unmarshal([]byte(m.payload), &press) != nil || press.Value != hearth.TextOf("single") || press.Time.IsZero() || m.retained {
		t.Errorf("the press is %+v", m)
	}
	if later := r.dial("boss", "a", "hearth/device/+/event/#"); later.count() != 0 {
		t.Error("a press is retained")
	}
	r.home.Running("toy", false)
	c.wants("hearth/device/toy:lamp.1/available", "offline")
	r.stop()
	c.wants(gatewayTopic, "offline")
}

func TestCommands(t *testing.T) {
	r := newRig(t)
	r.driver.Announce(lamp(id))
	r.start(nil)
	ears := r.dial("reader", "r", "hearth/#")
	c := r.dial("node-red", "c")
	c.publish(setTopic, `{"on":true,"brightness":40,"transition":2}`, false)
	if rec := ears.record(id, hearth.Confirmed); rec.By != "node-red" || len(rec.Set) != 3 || !rec.Final {
		t.Errorf("the record is %+v", rec)
	}
	ears.wants(stateTopic, `{"on":true,"brightness":40}`)
	if given := r.given(); len(given) != 1 {
		t.Errorf("the driver was given %+v", given)
	}
	for _, bad := range []string{
		"on", "{", `{"on":`, `[1]`, `{"on":{"deep":1}}`, `{"on":true} x`, `{"on":true,"on":false}`, "{\"on\":\"\xff\"}", `{}`, `{"on":null}`,
		`{"nobody":1}`, `{"link_quality":1}`, `{"brightness":400}`, `{"brightness":1e999}`, `{"on":"yes"}`,
		`{"a":` + strings.Repeat("[", 60000) + `}`, strings.Repeat(" ", maxSet+1),
	} {
		before := len(ears.heard(commandTopic))
		c.publish(setTopic, bad, false)
		eventually(t, "an answer to "+short(bad), func() bool { return len(ears.heard(commandTopic)) > before })
		var rec hearth.Record
		m, _ := ears.get(commandTopic)
		if json.Unmarshal([]byte(m.payload), &rec) != nil || rec.State != hearth.Rejected || !rec.Final || rec.Error == nil || rec.Error.Message == "" || rec.By != "node-red" {
			t.Errorf("%s: the answer is %s", short(bad), m.payload)
		}
		if len(m.payload) > 1000 {
			t.Errorf("%s: the answer has %d bytes", short(bad), len(m.payload))
		}
	}
	c.publish("hearth/device/toy:nobody/set", `{"on":true}`, false)
	if rec := ears.record("toy:nobody", hearth.Rejected); rec.Error.Code != hearth.CodeNoDevice {
		t.Errorf("nobody: %+v", rec)
	}
	c.publish(setTopic, `{"on":false}`, true) // retained
	eventually(t, "an answer to a retained command", func() bool {
		m, _ := ears.get(commandTopic)
		return strings.Contains(m.payload, "retained")
	})
	if later := r.dial("boss", "a", setTopic); len(later.heard(setTopic)) != 0 {
		t.Error("a command was retained")
	}
	if given := r.given(); len(given) != 1 {
		t.Errorf("the driver was given %+v", given[1:])
	}
}

func TestScopes(t *testing.T) {
	tests := []struct {
		secret, topic   string
		publish, listen bool
	}{
		{"r", "hearth/device/toy:lamp/set", false, true},
		{"r", "tasmota/x", false, true},
		{"r", "#", false, true},
		{"c", "hearth/device/toy:lamp/set", true, true},
		{"c", "hearth/device/toy:lamp/state", false, true},
		{"c", "hearth/device/toy:lamp/x/set", true, true}, // refused as no device's
		{"c", "hearth/gateway/available", false, true},
		{"c", "hearth", false, true},
		{"c", "hearthstone", true, true},
		{"c", "tele/plug/STATE", true, true},
		{"c", "homeassistant/status", true, true},
		{"a", "hearth/device/toy:lamp/state", true, true},
		{"w", "tele/x", false, false},
		{"c", strings.Repeat("a/", 40), false, false},
		{"c", strings.Repeat("a", 600), false, false},
		{"c", "a\x00b", false, false},
	}
	for _, test := range tests {
		token, _ := find(test.secret)
		if got := allowed(token, test.topic, true); got != test.publish {
			t.Errorf("%s publishes on %s: %v", token.Name, clipped(test.topic), got)
		}
		if got := allowed(token, test.topic, false); got != test.listen {
			t.Errorf("%s listens to %s: %v", token.Name, clipped(test.topic), got)
		}
	}
	r := newRig(t)
	r.driver.Announce(lamp(id))
	r.start(nil)
	for _, wrong := range [][2]string{{"reader", "x"}, {"boss", "r"}, {"writer", "w"}, {"", ""}} {
		c := newClient(r.options(wrong[0], wrong[1]))
		if token := c.Connect(); token.Wait() && token.Error() == nil {
			t.Errorf("%s was let in", wrong)
		}
	}
	// A person's own devices meet here.
	plug, ears := r.dial("node-red", "c"), r.dial("reader", "r", "tele/#", "hearth/#")
	plug.publish("tele/plug/LWT", "Online", true)
	ears.wants("tele/plug/LWT", "Online")
	if m, ok := r.dial("boss", "a", "tele/#").get("tele/plug/LWT"); ok && !m.retained {
		t.Errorf("a message of others is not retained: %+v", m)
	}
	plug.paho.Publish("hearth/device/toy:lamp.1/state", 0, true, `{"on":"forged"}`).Wait()
	plug.publish("tele/plug/STATE", "after", false)
	ears.wants("tele/plug/STATE", "after")
	for _, m := range ears.heard(stateTopic) {
		if strings.Contains(m.payload, "forged") {
			t.Error("a state was forged")
		}
	}
}

func TestDiscoveryLife(t *testing.T) {
	r := newRig(t)
	r.driver.Announce(lamp(id))
	r.start(nil)
	ears, ha := r.dial("reader", "r", "#"), r.dial("node-red", "c")
	topic := r.face.topics.config(id)
	eventually(t, "the announcement", func() bool { _, ok := ears.get(topic); return ok })
	first := len(ears.heard(topic))
	ha.publish("homeassistant/status", "online", false)
	eventually(t, "another announcement after the birth", func() bool { return len(ears.heard(topic)) > first })
	for range 20 {
		ha.publish("homeassistant/status", "online", false)
	}
	d := lamp(id)
	d.Properties = d.Properties[:4]
	r.driver.Announce(d) // button, identify and link quality are no more
	eventually(t, "the announcement without the button", func() bool { m, _ := ears.get(topic); return !strings.Contains(m.payload, "event_button") })
	all := ears.heard(topic)
	if stub := all[len(all)-2].payload; !strings.Contains(stub, `"event_button":{"p":"event"}`) {
		t.Errorf("before that: %s", stub)
	}
	if n := len(all); n > 6 {
		t.Errorf("20 births became %d announcements", n)
	}
	if err := r.home.Remove(id); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{topic, stateTopic, "hearth/device/toy:lamp.1/available"} {
		ears.wants(gone, "")
	}
	later := r.dial("boss", "a", "#")
	later.publish("tele/after", "all that is retained", false)
	later.wants("tele/after", "all that is retained")
	if later.count() > 1+1+1 { // the gateway's own, what the birth was not, and the last
		t.Errorf("still retained: %+v", later.all)
	}
}

// TestThousandDevices announces a thousand at once.
func TestThousandDevices(t *testing.T) {
	r := newRig(t)
	r.start(nil)
	ears := r.dial("reader", "r", "hearth/#", "homeassistant/#")
	start := time.Now()
	for i := range 1000 {
		d := lamp(hearth.ID(fmt.Sprintf("toy:lamp%d", i)))
		r.driver.Announce(d)
		r.report(d.ID, "on", hearth.BoolOf(true))
	}
	eventually(t, "3000 retained messages", func() bool { return ears.topics() >= 3000 })
	took := time.Since(start)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("1000 devices announced to a subscriber in %s; %d messages, heap %d MiB", took.Round(time.Millisecond), r.face.Stats().Published, memory.HeapInuse>>20)
	start = time.Now()
	late := r.dial("boss", "a", "#") // Home Assistant starts
	eventually(t, "all of it for one who comes later", func() bool { return late.topics() >= 3001 })
	t.Logf("and to one who comes later in %s", time.Since(start).Round(time.Millisecond))
	start = time.Now()
	r.dial("node-red", "c").publish("hearth/device/toy:lamp500/set", `{"on":false}`, false)
	ears.wants("hearth/device/toy:lamp500/state", `{"on":false}`)
	t.Logf("a command and its state: %s", time.Since(start).Round(time.Millisecond))
}

func (c *client) topics() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.last)
}

// TestLostEvents fills the subscription while nobody reads: everything is looked at anew.
func TestLostEvents(t *testing.T) {
	r := newRig(t)
	r.driver.Announce(lamp(id))
	r.start(nil)
	ears := r.dial("reader", "r", "hearth/#")
	for i := range 3 * events {
		r.report(id, "brightness", hearth.NumberOf(float64(i%100)))
	}
	r.report(id, "brightness", hearth.NumberOf(77))
	ears.wants(stateTopic, `{"brightness":77}`)
}

// TestEnds looks for goroutines left behind.
func TestEnds(t *testing.T) {
	r := newRig(t)
	r.driver.Announce(lamp(id))
	before := runtime.NumGoroutine()
	for range 3 {
		r.start(nil)
		o := r.options("reader", "r")
		c := newClient(o)
		if token := c.Connect(); token.Wait() && token.Error() != nil {
			t.Fatal(token.Error())
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		c.Disconnect(0)
	}
	eventually(t, "as many goroutines as before", func() bool { return runtime.NumGoroutine() <= before+1 })
	l, err := listenOn(r.addr)
	if err != nil {
		t.Fatalf("the port is still in use: %v", err)
	}
	l.Close()
}

// TestPortInUse is an error that says what to do.
func TestPortInUse(t *testing.T) {
	r := newRig(t)
	l, err := listenOn(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := New(Options{Home: r.home, Store: r.store, Listen: l.Addr().String(), Tokens: find})
	if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "choose another address") {
		t.Errorf("got %v", err)
	}
}
