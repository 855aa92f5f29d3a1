package shelly

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"hearth"
	"hearth/drivers/mqtt/dialect"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

func TestHostile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, bus := started(t)
		for _, payload := range []string{"", "{", "[]", "null", "7", `"x"`, "{}", `{"src":5}`, `{"src":""}`, `{"src":"a","method":"NotifyStatus","params":7}`, strings.Repeat("[", 100_000), "\xff", strings.Repeat(" ", 2<<20),
			`{"src":"` + strings.Repeat("x", 5000) + `","method":"NotifyStatus","params":{"switch:0":{"output":true}}}`,
			`{"src":"a/../b c","method":"NotifyFullStatus","params":{"switch:0":{"output":true}}}`} {
			for _, topic := range []string{"a/events/rpc", "a/online", "a/status/switch:0", "a/b/c/events/rpc", d.src + "/rpc", "shellies/x/online"} {
				bus.Say(d, topic, payload)
			}
		}
		if got := bus.Devices(); len(got) != 1 || got["test:a@2f..@2fb@20c"].ID == "" {
			t.Errorf("it came to %v", got)
		}
		bus.Say(d, "shellies/shelly1-aabbcc/online", "true") // the first generation
		var keys []string
		for i := range 5000 {
			keys = append(keys, fmt.Sprintf(`"switch:%d":{"output":true,"apower":1e400,"k%d":{"a":{"b":{"c":{"d":1}}}}}`, i, i), fmt.Sprintf(`"x%d":1`, i))
		}
		bus.Say(d, "big/events/rpc", `{"src":"big","method":"NotifyFullStatus","params":{`+strings.ReplaceAll(strings.Join(keys, ","), "1e400", "1")+`}}`)
		if dev, _ := bus.Device("test:big"); len(dev.Properties) != hearth.MaxProperties {
			t.Errorf("it has %d properties", len(dev.Properties))
		}
		for i := range 3000 {
			bus.Say(d, fmt.Sprintf("s%d/events/rpc", i), fmt.Sprintf(`{"src":"s%d","method":"NotifyFullStatus","params":{"switch:0":{"output":true}}}`, i))
			bus.Say(d, fmt.Sprintf("t%d/online", i), "true")
		}
		if len(d.devices) > dialect.MaxDevices || len(d.strange) > dialect.MaxDevices || len(d.calls) > maxCalls {
			t.Errorf("%d devices, %d strangers, %d calls", len(d.devices), len(d.strange), len(d.calls))
		}
		// Somebody who takes the name of a device that is there does not get its commands.
		bus.Say(d, "evil/events/rpc", `{"src":"s7","method":"NotifyStatus","params":{"switch:0":{"output":false}}}`)
		if d.devices["s7"].prefix != "s7" || bus.Value("test:s7", "on") != hearth.BoolOf(true) {
			t.Error("a device was taken over")
		}
		d.Silence()
	})
}

// TestFat: what is kept of a device, and of all of them, is bounded, whatever they say of themselves.
func TestFat(t *testing.T) {
	d, bus := started(t)
	const devices = 400
	var keys []string
	for k := range maxKeys - 1 {
		keys = append(keys, fmt.Sprintf(`"k%d":["%s"]`, k, strings.Join(slices.Repeat([]string{strings.Repeat("x", 30)}, 8), `","`)))
	}
	fat := `{"output":true,` + strings.Join(keys, ",") + `}`
	for i := range devices {
		id := fmt.Sprintf("s%d", i)
		bus.Say(d, id+"/events/rpc", `{"src":"`+id+`","method":"NotifyFullStatus","params":{"switch:0":{"output":true}}}`)
		parts := 3
		if i < 10 {
			parts = 10 // more than one may keep
		}
		for part := range parts {
			bus.Say(d, fmt.Sprintf("%s/status/switch:%d", id, part), fat)
		}
	}
	total := 0
	for _, dev := range d.devices {
		weight := 0
		for _, c := range dev.components {
			weight += weigh(c.status) + weigh(c.config)
		}
		total += weight
		if weight > maxWeight || weight != dev.weight {
			t.Fatalf("%s keeps %d, and believes in %d", dev.name, weight, dev.weight)
		}
	}
	if total > maxWeights || total < maxWeights/2 || total != d.weight || len(d.devices) != devices {
		t.Errorf("%d devices keep %d, and believe in %d", len(d.devices), total, d.weight)
	}
}

func TestManyDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, bus := started(t)
		fleet := map[string]*firmware{}
		for i := range 500 {
			f := onePM()
			id := fmt.Sprintf("shellyplus1pm-%012x", i)
			f.info = strings.ReplaceAll(f.info, prefix, id)
			f.d, f.bus, f.prefix = d, bus, id
			fleet[id] = f
		}
		bus.Answer(func(p dialecttest.Published) error {
			return fleet[strings.TrimSuffix(p.Topic, "/rpc")].take(p)
		})
		for id := range fleet {
			bus.Keep(d, id+"/online", "true")
		}
		synctest.Wait()
		if n := len(bus.Devices()); n != 500 || len(d.calls) != 0 || d.asker.Dropped() != 0 {
			t.Errorf("%d devices, %d calls without an answer", n, len(d.calls))
		}
		for id := range fleet {
			if bus.Value(hearth.ID("test:"+id), "on") != hearth.BoolOf(true) {
				t.Errorf("%s was not heard", id)
			}
		}
	})
}

func FuzzNotification(f *testing.F) {
	f.Add([]byte(`{"src":"shellyx-0123456789ab","method":"NotifyStatus","params":{"ts":1.5,"switch:0":{"output":true,"aenergy":{"total":3}},"cover:0":{"pos_control":true,"current_pos":3}}}`))
	f.Add([]byte(`{"src":"shellyx-0123456789ab","method":"NotifyFullStatus","params":{"rgb:0":{"rgb":[1,2,3],"output":true},"bthomesensor:200":{"value":true},"number:200":{"value":3}}}`))
	f.Add([]byte(`{"src":"shellyx-0123456789ab","method":"NotifyEvent","params":{"events":[{"component":"bthomedevice:200","event":"single_push","idx":2,"ts":1e300}]}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		d, bus := started(t)
		bus.Say(d, "x/events/rpc", `{"src":"shellyx-0123456789ab","method":"NotifyFullStatus","params":{"switch:0":{"output":true},"input:0":{"state":null}}}`)
		bus.Say(d, "x/events/rpc", string(payload))
		bus.Say(d, "x/status/light:0", string(payload))
		bus.Say(d, "x/online", string(payload))
	})
}

func FuzzAnswers(f *testing.F) {
	one := onePM()
	for which, result := range []string{one.info, one.config, one.status, `{"components":[{"key":"number:200","status":{"value":1},"config":{"name":"N","min":0,"max":3,"meta":{"ui":{"unit":"kWh","view":"label"}}}}],"total":1}`} {
		f.Add(byte(which), []byte(result))
	}
	f.Fuzz(func(t *testing.T, which byte, result []byte) {
		d, bus := started(t)
		bus.Say(d, prefix+"/online", "true")
		results := []string{one.info, one.config, one.status, `{"components":[],"total":0}`}
		results[which%4] = string(result)
		for id := range int64(6) {
			bus.Say(d, d.src+"/rpc", fmt.Sprintf(`{"id":%d,"src":%q,"result":%s}`, id+1, prefix, results[id%4]))
		}
		bus.Say(d, d.src+"/rpc", string(result))
	})
}
