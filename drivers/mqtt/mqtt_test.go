package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
)

const lampID = hearth.ID("test:00158d0001a2b3c4")

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Subject{
		New: func(t *testing.T, env hearth.Env) drivertest.Rig {
			b := newBroker(t)
			lampBridge(b)
			b.react(lamp(b))
			driver, err := New(env, Config{Broker: "mqtt://" + b.address})
			if err != nil {
				t.Fatal(err)
			}
			return drivertest.Rig{Driver: driver, Break: func() { b.gate.set(true) }, Mend: func() { b.gate.set(false) }}
		},
		Devices: []hearth.ID{"test:00124b0000000001", lampID},
		Command: hearth.Command{Device: lampID, Set: map[string]hearth.Value{"on": hearth.BoolOf(true), "brightness": hearth.NumberOf(40)}},
	})
}

func TestBrokerAway(t *testing.T) {
	driver, err := New(drivertest.NewEnv(t, "test"), Config{Broker: "mqtt://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	err = driver.Run(t.Context(), drivertest.NewRecorder("test"))
	if !errors.Is(err, &hearth.Error{Code: hearth.CodeOffline}) {
		t.Errorf("Run returned %v", err)
	}
}

// A patient is a home that notes when it was told of the connection.
type patient struct {
	*drivertest.Recorder
	connecting, connected atomic.Bool
}

// Connecting implements hearth.Patient.
func (p *patient) Connecting() func() {
	p.connecting.Store(true)
	return func() { p.connected.Store(true) }
}

// TestConnecting: what takes a connection and says nothing is no broker, and home does not take it for one.
func TestConnecting(t *testing.T) {
	b := newBroker(t)
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	for address, want := range map[string]bool{b.address: true, hung.Addr().String(): false} {
		home := &patient{Recorder: drivertest.NewRecorder("test")}
		driver, err := New(drivertest.NewEnv(t, "test"), Config{Broker: "mqtt://" + address})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := driver.Run(ctx, home); err != nil {
			t.Error(err)
		}
		cancel()
		if !home.connecting.Load() || home.connected.Load() != want {
			t.Errorf("%s: connecting %v, connected %v", address, home.connecting.Load(), home.connected.Load())
		}
	}
}

func TestRetainedCommandIsNotObeyed(t *testing.T) {
	b := newBroker(t)
	lampBridge(b)
	b.say("zigbee2mqtt/hall/lamp/set", `{"state":"ON"}`, true)
	b.say("zigbee2mqtt/hall/lamp", `{"state":"ON","action":"single"}`, true)
	l := live(t, Config{Broker: "mqtt://" + b.address})
	l.WaitFor(t, lampID, "on", hearth.BoolOf(true))
	for _, r := range l.Readings() {
		if strings.HasPrefix(r.Property, "button") {
			t.Errorf("a press that was kept: %+v", r)
		}
	}
}

func TestThousandDevicesAtOnce(t *testing.T) {
	b := newBroker(t)
	lampBridge(b)
	var list []string
	for i := range 1000 {
		list = append(list, fmt.Sprintf(`{"ieee_address":"0x%016x","type":"Router","friendly_name":"lamp %d","power_source":"Mains","interview_state":"SUCCESSFUL","definition":{"vendor":"v","model":"m","description":%q,
			"exposes":[{"type":"light","features":[{"type":"binary","name":"state","property":"state","access":7,"value_on":"ON","value_off":"OFF"}]},
			{"type":"numeric","name":"linkquality","property":"linkquality","access":1,"unit":"lqi"}]}}`, i+1, i, strings.Repeat("long ", 800)))
		b.say(fmt.Sprintf("zigbee2mqtt/lamp %d", i), fmt.Sprintf(`{"state":"ON","linkquality":%d}`, i%256), true)
	}
	b.say("zigbee2mqtt/bridge/devices", "["+strings.Join(list, ",")+"]", true)
	began := time.Now()
	l := live(t, Config{Broker: "mqtt://" + b.address})
	l.Await(t, 30*time.Second, "a thousand lamps and their states", func() bool {
		on := map[hearth.ID]bool{}
		for _, r := range l.Readings() {
			if r.Property == "on" {
				on[r.Device] = true
			}
		}
		return len(on) == 1000
	})
	t.Logf("a thousand lamps are there after %v", time.Since(began).Round(time.Millisecond))
}

func TestTooLongAndTooFast(t *testing.T) {
	b := newBroker(t)
	lampBridge(b)
	l := live(t, Config{Broker: "mqtt://" + b.address})
	l.Wait(t, "the lamp", func() bool { _, ok := l.Device(lampID); return ok })
	b.say("zigbee2mqtt/hall/lamp", `{"state":"ON","x":"`+strings.Repeat("x", 17<<20)+`"}`, false) // never in memory
	b.say("zigbee2mqtt/hall/lamp", `{"state":"ON","x":"`+strings.Repeat("x", 2<<20)+`"}`, false)
	for i := range 20000 {
		b.say("zigbee2mqtt/hall/lamp", fmt.Sprintf(`{"brightness":%d}`, i%255), false)
	}
	b.say("zigbee2mqtt/hall/lamp", `{"state":"OFF"}`, false)
	l.WaitFor(t, lampID, "on", hearth.BoolOf(false))
	if l.Count(lampID, "on") != 1 {
		t.Error("a message that is too long was read")
	}
	w := httptest.NewRecorder()
	l.driver.(*Driver).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	var counts struct{ Received, Refused, Dropped, Connects uint64 }
	if err := json.Unmarshal(w.Body.Bytes(), &counts); err != nil || counts.Refused != 2 || counts.Received < 20000 || counts.Connects != 1 {
		t.Errorf("%v\n%s", err, w.Body)
	}
}

func TestQueueIsBounded(t *testing.T) {
	d := &Driver{env: drivertest.NewEnv(t, "test")}
	s := newSession(context.Background(), d)
	defer s.cancel()
	for range maxQueue {
		s.receive("t", []byte("x"), false)
	}
	began := time.Now()
	s.receive("t", []byte("x"), false)
	if d.counts.dropped.Load() != 1 || time.Since(began) < maxPatience {
		t.Errorf("%d dropped after %v", d.counts.dropped.Load(), time.Since(began))
	}
	go s.deliver(<-s.queue)
	s.receive("t", []byte("y"), false)
	if d.counts.dropped.Load() != 1 {
		t.Error("a message was dropped though there was room in a moment")
	}
	s = newSession(context.Background(), d)
	for range 3 {
		s.receive("t", make([]byte, maxQueueBytes/2), false)
	}
	if d.counts.dropped.Load() != 2 || len(s.queue) != 2 {
		t.Errorf("%d dropped, %d messages wait", d.counts.dropped.Load(), len(s.queue))
	}
	s.cancel()
}

func TestMapped(t *testing.T) {
	b := newBroker(t)
	b.react(func(topic string, payload []byte) {
		if topic == "pump/set" && string(payload) == `{"run":"GO"}` {
			go b.say("pump/state", `{"run":"GO","flow":{"l":1500},"t":68}`, false)
		}
	})
	var cfg Config
	parse(t, `
broker: mqtt://`+b.address+`
dialects: []
map:
  - id: pump
    name: Well
    type: switch
    availability: {topic: pump/lwt, online: "1", offline: "0"}
    properties:
      - {property: "on", topic: pump/state, pointer: /run, map: {GO: true, HALT: false}, command: pump/set, template: '{"run":{json}}'}
      - {property: water_volume, topic: pump/state, pointer: /flow/l, unit: L}
      - {property: temperature, topic: pump/state, pointer: /t, unit: °F}
`, &cfg)
	b.say("pump/lwt", "1", true)
	l := live(t, cfg)
	l.WaitFor(t, "test:pump", "reachable", hearth.BoolOf(true))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.driver.Do(ctx, hearth.Command{Device: "test:pump", Set: map[string]hearth.Value{"on": hearth.BoolOf(true)}}); err != nil {
		t.Fatal(err)
	}
	l.WaitFor(t, "test:pump", "on", hearth.BoolOf(true))
	l.WaitFor(t, "test:pump", "water_volume", hearth.NumberOf(1.5))
	l.WaitFor(t, "test:pump", "temperature", hearth.NumberOf(20))
}
