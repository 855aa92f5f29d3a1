package zigbee2mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hearth"
	"hearth/drivers/mqtt/dialect"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

func TestHostile(t *testing.T) {
	names := []string{"+", "#", "a/#", "bridge/info", "bridge/devices", "thing/availability", "x\x00y", strings.Repeat("long/", 1000), "", "same", "same", "$SYS/x", "é\n\r\t"}
	var devices []string
	for i, name := range names {
		text, _ := json.Marshal(name)
		devices = append(devices, fmt.Sprintf(`{"ieee_address":"0x%016x","type":"EndDevice","friendly_name":%s,"model_id":%s,"definition":{"exposes":[
			{"type":"numeric","name":%s,"property":%s,"access":1,"unit":%s},{"type":"enum","name":"mode","property":"mode","access":7,"values":[{},[],null,"a",%s]},
			{"type":"numeric","name":"time","property":"time","access":1},{"type":"numeric","name":"value 1,x=2 3\n","property":"p","access":1,"unit":"a,b=c d"}]}}`, i+16, text, text, text, text, text, text))
	}
	d, bus := started(t, Config{})
	bus.Say(d, "z/bridge/info", file(t, "info.json"))
	say := func(word, payload string) { bus.Say(d, "z/bridge/"+word, payload) }
	say("devices", "["+strings.Join(devices, ",")+"]")
	if n := len(bus.Devices()); n != len(names)+1 {
		t.Errorf("%d devices", n)
	}
	for _, filter := range bus.Filters() {
		if filter != "+/bridge/info" && filter != "z/bridge/response/#" && strings.ContainsAny(filter, "+#") {
			t.Errorf("it listens to %s", filter)
		}
	}
	for _, payload := range []string{
		"", "null", "[]", "{}", "[null]", "[[]]", `[{"ieee_address":5}]`, `{"data":null}`, "\xff", strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 100000), `"` + strings.Repeat("x", 2<<20) + `"`,
		`{"state":{}}`, `{"state":"online","x":1e999}`, `[{"ieee_address":"0x0000000000000010","definition":{"exposes":[{"type":"light","features":[{"type":"composite","features":[{"type":"composite","features":[{}]}]}]}]}}]`,
	} {
		for _, word := range []string{"info", "state", "devices", "groups", "event", "logging", "response/permit_join", "response/x"} {
			say(word, payload)
		}
		bus.Say(d, "z/same", payload)
		bus.Say(d, "z/same/availability", payload)
	}
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprintf(`{"ieee_address":"0x%016x","type":"Router","friendly_name":"d%d"}`, i+1000, i))
	}
	say("devices", "["+strings.Join(many, ",")+"]")
	if n := len(bus.Devices()); n > dialect.MaxDevices {
		t.Errorf("%d devices", n)
	}
	var exposes []string
	for i := range 1000 {
		exposes = append(exposes, fmt.Sprintf(`{"type":"numeric","name":"n%d","property":"n%d","access":7}`, i, i))
	}
	say("devices", strings.Replace(oneDevice("["+strings.Join(exposes, ",")+"]"), "thing", "wide", 1))
	if dev, ok := bus.Device(thing); !ok || len(dev.Properties) > hearth.MaxProperties {
		t.Errorf("there is %v, %d properties", ok, len(dev.Properties))
	}
}

// FuzzBridge feeds anything to every topic of a bridge; the bus checks what home is told.
// TestFatTexts: of long texts only so much is kept of a device; what is short, and what it says instead, still is.
func TestFatTexts(t *testing.T) {
	var exposes []string
	for i := range 200 {
		exposes = append(exposes, fmt.Sprintf(`{"type":"text","name":"p%d","property":"p%d","access":1}`, i, i))
	}
	d, bus := withDevice(t, "["+strings.Join(exposes, ",")+"]")
	for round := range 3 {
		var said []string
		for i := range 200 {
			said = append(said, fmt.Sprintf(`"p%d":"%s"`, i, strings.Repeat(fmt.Sprint(round), 2000)))
		}
		bus.Say(d, "zigbee2mqtt/thing", "{"+strings.Join(said, ",")+"}")
	}
	total := 0
	for _, held := range d.devices[thing].values {
		total += len(held.value.Text())
	}
	if total < longTexts/2 || total > longTexts+1000 {
		t.Errorf("%d bytes are kept", total)
	}
	bus.Say(d, "zigbee2mqtt/thing", `{"p199":"short"}`)
	if bus.Value(thing, "p199") != hearth.TextOf("short") || bus.Value(thing, "p0") != hearth.TextOf(strings.Repeat("2", 2000)) {
		t.Error("what there is room for is not told")
	}
}

func FuzzBridge(f *testing.F) {
	f.Add("devices", []byte(oneDevice(lampExposes)), []byte(`{"state":"ON","action":"single","brightness":5}`))
	f.Add("groups", []byte(`[{"id":3,"friendly_name":"all","members":[{"ieee_address":"0x00158d0001a2b3c4"}]}]`), []byte(`{"color":{"x":1}}`))
	f.Add("event", []byte(`{"type":"device_leave","data":{"ieee_address":"0x00158d0001a2b3c4"}}`), []byte(`{}`))
	f.Add("logging", []byte(`{"level":"error","message":"z2m: Publish 'set' 'state' to 'thing' failed: 'Error: no'"}`), []byte(`[]`))
	f.Add("response/permit_join", []byte(`{"data":{"time":5},"status":"ok","transaction":"x"}`), []byte(`1`))
	f.Add("info", []byte(`{"coordinator":{"ieee_address":"0x00124b0000000001"},"permit_join":true,"permit_join_end":1}`), []byte(``))
	f.Add("state", []byte(`online`), []byte(`{"action":"1_double_left_hold"}`))
	f.Fuzz(func(t *testing.T, word string, payload, state []byte) {
		env, bus := dialecttest.New(t, "z2m")
		d := New(env, Config{BaseTopics: []string{"zigbee2mqtt"}})
		ctx, cancel := context.WithCancel(context.Background())
		d.Connected(ctx)
		bus.Say(d, "zigbee2mqtt/bridge/devices", oneDevice(lampExposes))
		bus.Say(d, "zigbee2mqtt/bridge/"+word, string(payload))
		bus.Say(d, "zigbee2mqtt/thing", string(state))
		for id, dev := range bus.Devices() {
			for _, p := range dev.Properties {
				if p.Writable && p.Kind == hearth.Number {
					d.mu.Lock()
					if _, err := d.devices[id].order(ctx, map[string]hearth.Value{p.Name: hearth.NumberOf(1)}); err != nil && errors.Is(err, &hearth.Error{Code: hearth.CodeNoDevice}) {
						t.Errorf("%s of %s: %v", p.Name, id, err)
					}
					d.mu.Unlock()
				}
			}
		}
		cancel()
		d.Silence()
	})
}
