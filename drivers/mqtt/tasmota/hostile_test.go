package tasmota

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

func TestHostile(t *testing.T) {
	d, bus := started(t)
	for _, payload := range []string{"{", "[]", "null", "7", `"x"`, "{}", `{"mac":5}`, strings.Repeat("[", 100_000), "\xff", strings.Repeat(" ", 2<<20), `{"sn":7}`, `{"sn":null}`, `{"sn":{"a":{"b":1}}}`} {
		bus.Say(d, "tasmota/discovery/"+mac+"/config", payload)
		bus.Say(d, "tasmota/discovery/"+mac+"/sensors", payload)
	}
	for _, address := range []string{"../../x", "a b", "DC4F22ABCDEF0000000000000000000000000000", "", "x,y=z"} {
		bus.Say(d, "tasmota/discovery/"+address+"/config", change(map[string]any{"mac": address}))
	}
	if n := len(bus.Devices()); n != 0 {
		t.Errorf("%d devices came of nothing", n)
	}
	long := make([]int, 1000)
	bus.Say(d, "tasmota/discovery/"+mac+"/config", change(map[string]any{"rl": long}))
	if len(bus.Devices()) != 0 {
		t.Error("a thousand relays")
	}
	bus.Say(d, "tasmota/discovery/"+mac+"/config", change(map[string]any{"dn": "\x00\n" + strings.Repeat("ü", 1500), "md": strings.Repeat("m", 1500), "state": []string{"ON"}}))
	var groups []string
	for i := range 5000 {
		groups = append(groups, fmt.Sprintf(`"S%d":{"Temperature":1,"X%d":2}`, i, i))
	}
	bus.Say(d, "tasmota/discovery/"+mac+"/sensors", `{"sn":{`+strings.Join(groups[:200], ",")+`}}`)
	for some := range slices.Chunk(groups, 200) {
		bus.Say(d, "tele/kettle/SENSOR", `{`+strings.Join(some, ",")+`}`)
	}
	if dev, _ := bus.Device(kettle); len(dev.Properties) != hearth.MaxProperties || len(dev.Name) > 100 {
		t.Errorf("it has %d properties", len(dev.Properties))
	}
	for i := range 3000 {
		other := fmt.Sprintf("AABBCC%06X", i)
		bus.Say(d, "tasmota/discovery/"+other+"/config", change(map[string]any{"mac": other, "t": other}))
		bus.Say(d, "tasmota/discovery/"+other+"/sensors", noSensors)
	}
	if n := len(bus.Devices()); n != 2000 {
		t.Errorf("%d devices are taken in", n)
	}
}

// TestFat: what is kept of a device is bounded, whatever it says of itself.
func TestFat(t *testing.T) {
	env, _ := dialecttest.New(t, "test")
	env.Bus = deaf{}
	d := New(env)
	d.Connected(t.Context())
	say := func(topic, payload string) {
		d.Handle(dialect.Message{Topic: topic, Payload: []byte(payload), Time: time.Now()})
	}
	before := heap()
	const devices = 100
	for i := range devices {
		other := fmt.Sprintf("AABBCC%06X", i)
		for _, size := range []int{200_000, maxMessage} {
			options := map[string]any{}
			for k := range size / 40 {
				options[fmt.Sprintf("so.x%d", k)] = 1
			}
			options["mac"], options["t"], options["md"] = other, other, strings.Repeat("m", size/4)
			say("tasmota/discovery/"+other+"/config", change(options))
			var sensors []string
			for k := range size / 30 {
				sensors = append(sensors, fmt.Sprintf(`"S%d":{"T%d":1}`, k, k))
			}
			say("tasmota/discovery/"+other+"/sensors", `{"sn":{`+strings.Join(sensors, ",")+`}}`)
			say("tele/"+other+"/SENSOR", `{`+strings.Join(sensors, ",")+`}`)
		}
	}
	if len(d.devices) != devices {
		t.Errorf("%d devices", len(d.devices))
	}
	if each := (heap() - before) / devices; each > 300<<10 {
		t.Errorf("%d KiB are kept of each", each>>10)
	}
	runtime.KeepAlive(d)
}

// deaf is a bus that keeps nothing.
type deaf struct{}

func (deaf) Publish(context.Context, string, []byte, bool) error { return nil }
func (deaf) Subscribe(string)                                    {}
func (deaf) Unsubscribe(string)                                  {}
func (deaf) Announce(hearth.Device)                              {}
func (deaf) Report(...hearth.Reading)                            {}
func (deaf) Forget(hearth.ID)                                    {}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestManyDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, bus := started(t)
		for i := range 500 {
			other := fmt.Sprintf("AABBCC%06X", i)
			bus.Keep(d, "tasmota/discovery/"+other+"/config", change(map[string]any{"mac": other, "t": "plug" + other}))
			bus.Keep(d, "tasmota/discovery/"+other+"/sensors", noSensors)
		}
		for i := range 500 {
			bus.Keep(d, fmt.Sprintf("tele/plugAABBCC%06X/LWT", i), "Online")
			bus.Say(d, fmt.Sprintf("tele/plugAABBCC%06X/STATE", i), `{"POWER":"ON"}`)
		}
		synctest.Wait()
		if n := len(bus.Devices()); n != 500 || len(bus.Published()) != 1500 || d.asker.Dropped() != 0 {
			t.Errorf("%d devices, asked %d times", n, len(bus.Published()))
		}
		for id := range bus.Devices() {
			if bus.Value(id, "on") != hearth.BoolOf(true) {
				t.Errorf("%s was not heard", id)
			}
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(base))
	f.Add([]byte(change(map[string]any{"rl": []int{3, 3, 2, 2}, "lt_st": 5, "swc": []int{1, 5}, "btn": []int{1}, "so.73": 1, "sht": [][]int{{0, 1, 2}}})))
	f.Fuzz(func(t *testing.T, payload []byte) {
		d, bus := with(t, string(payload), noSensors)
		bus.Say(d, "stat/kettle/RESULT", `{"POWER":"ON","POWER2":"OFF","Dimmer":3,"Dimmer1":4,"CT":153,"HSBColor":"1,2,3","Shutter1":{"Position":5,"Tilt":6},"FanSpeed":1}`)
	})
}

func FuzzHandle(f *testing.F) {
	for _, payload := range []string{
		`{"POWER":"ON","Dimmer":40,"HSBColor":"1,2,3","CT":300,"Wifi":{"Signal":-3},"Shutter1":{"Position":3,"Tilt":2}}`, "Online",
		`{"ENERGY":{"Power":[1,2,3],"Total":1e300},"A":{"B":{"Temperature":null}},"TempUnit":"F","Switch1":"ON"}`,
		`{"Button1":{"Action":"SINGLE"},"Switch1":{"Action":"ON"}}`, `{"StatusSNS":{"X":{"Temperature":"ON"}}}`,
	} {
		for i := range byte(4) {
			f.Add(i, []byte(payload))
		}
	}
	cfg := change(map[string]any{"rl": []int{2, 1, 3, 3}, "lt_st": 5, "lk": 1, "btn": []int{1}, "so.73": 1, "swc": []int{5}, "so.114": 1, "sht": [][]int{{-90, 90, 3}}, "if": 1})
	f.Fuzz(func(t *testing.T, topic byte, payload []byte) {
		d, bus := with(t, cfg, `{"sn":{"DS18B20":{"Temperature":3},"TempUnit":"C"}}`)
		bus.Say(d, []string{"tele/kettle/STATE", "tele/kettle/SENSOR", "stat/kettle/RESULT", "stat/kettle/STATUS10", "tele/kettle/LWT", "tasmota/discovery/" + mac + "/sensors"}[int(topic)%6], string(payload))
	})
}
