package zigbee2mqtt

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

// What lies in testdata was said by Zigbee2MQTT 2.14.1 of the fake stick's devices; -update writes the golden file anew.
var update = flag.Bool("update", false, "write the golden file")

// recorded is a dialect that has heard what was recorded.
func recorded(t testing.TB) (*Dialect, *dialecttest.Bus) {
	t.Helper()
	d, bus := started(t, Config{})
	bus.Keep(d, "z/bridge/info", file(t, "info.json"))
	bus.Keep(d, "z/bridge/state", `{"state":"online"}`)
	bus.Keep(d, "z/bridge/groups", `[]`)
	bus.Keep(d, "z/bridge/devices", file(t, "devices.json"))
	return d, bus
}

func started(t testing.TB, cfg Config) (*Dialect, *dialecttest.Bus) {
	return dialecttest.Start(t, "z2m", func(env dialect.Env) *Dialect { return New(env, cfg) })
}

func file(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestRecorded has all that was recorded become devices, properties and values, as the golden file has them.
func TestRecorded(t *testing.T) {
	d, bus := recorded(t)
	for line := range strings.Lines(file(t, "states.txt")) {
		topic, payload, _ := strings.Cut(strings.TrimSpace(line), " {")
		bus.Say(d, topic, "{"+payload)
	}
	var got bytes.Buffer
	devices := bus.Devices()
	for _, id := range slices.Sorted(maps.Keys(devices)) {
		dev := devices[id]
		fmt.Fprintf(&got, "%s %s %q %q %q\n", id, dev.Type, dev.Vendor, dev.Model, dev.Name)
		for _, p := range dev.Properties {
			fmt.Fprintf(&got, "\t%s %s", p.Name, p.Kind)
			if p.Unit != "" {
				fmt.Fprintf(&got, " %s", p.Unit)
			}
			for flag, set := range map[string]bool{" writable": p.Writable && !p.WriteOnly, " write-only": p.WriteOnly, " momentary": p.Momentary} {
				if set {
					got.WriteString(flag)
				}
			}
			if p.Min != nil && p.Max != nil {
				fmt.Fprintf(&got, " %v…%v", *p.Min, *p.Max)
			}
			if len(p.Options) > 0 {
				fmt.Fprintf(&got, " %s", strings.Join(p.Options, "|"))
			}
			if v := bus.Value(id, p.Name); !v.IsZero() {
				fmt.Fprintf(&got, " = %s", v)
			}
			got.WriteByte('\n')
		}
	}
	if *update {
		if err := os.WriteFile("testdata/devices.golden", got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := file(t, "devices.golden"); got.String() != want {
		t.Errorf("not as in devices.golden; -update writes it anew:\n%s", difference(got.String(), want))
	}
}

func difference(got, want string) string {
	var out strings.Builder
	had := slices.Collect(strings.Lines(want))
	for line := range strings.Lines(got) {
		if !slices.Contains(had, line) {
			out.WriteString("+ " + line)
		}
	}
	have := slices.Collect(strings.Lines(got))
	for _, line := range had {
		if !slices.Contains(have, line) {
			out.WriteString("- " + line)
		}
	}
	return out.String()
}

func TestActions(t *testing.T) {
	lists := map[string][]any{
		"hue":    {"on_press", "on_press_release", "on_hold", "on_hold_release", "up_press", "up_press_release"},
		"ikea":   {"on", "off", "brightness_move_up", "brightness_move_down", "brightness_stop", "arrow_left_click", "arrow_left_hold", "arrow_left_release"},
		"five":   {"toggle", "brightness_up_click", "brightness_down_hold", "brightness_up_release", "toggle_hold", "arrow_right_click"},
		"aqara":  {"single", "double", "triple", "hold", "release", "shake"},
		"wall":   {"single_left", "double_right", "hold_both", "left_single"},
		"tuya":   {"1_single", "1_double", "2_hold", "button_3_click"},
		"cube":   {"shake", "flip90", "rotate_left", "slide"},
		"scenes": {"recall_1", "recall_2"},
	}
	tests := []struct{ list, action, name, press string }{
		{"hue", "on_press", "", ""},
		{"hue", "on_press_release", "button_on", "single"},
		{"hue", "on_hold", "button_on", "hold"},
		{"hue", "on_hold_release", "button_on", "release"},
		{"hue", "up_press_release", "button_up", "single"},
		{"ikea", "on", "button_on", "single"},
		{"ikea", "off", "button_off", "single"},
		{"ikea", "brightness_move_up", "button_up", "hold"},
		{"ikea", "brightness_move_down", "button_down", "hold"},
		{"ikea", "brightness_stop", "button", "release"},
		{"ikea", "arrow_left_click", "button_left", "single"},
		{"ikea", "arrow_left_hold", "button_left", "hold"},
		{"ikea", "arrow_left_release", "button_left", "release"},
		{"five", "toggle", "button", "single"},
		{"five", "toggle_hold", "button", "hold"},
		{"five", "brightness_up_click", "button_up", "single"},
		{"five", "brightness_down_hold", "button_down", "hold"},
		{"five", "brightness_up_release", "button_up", "release"},
		{"aqara", "single", "button", "single"},
		{"aqara", "triple", "button", "triple"},
		{"aqara", "release", "button", "release"},
		{"aqara", "shake", "button", "shake"},
		{"wall", "single_left", "button_left", "single"},
		{"wall", "double_right", "button_right", "double"},
		{"wall", "hold_both", "button_both", "hold"},
		{"wall", "left_single", "button_left", "single"},
		{"tuya", "1_single", "button_1", "single"},
		{"tuya", "1_double", "button_1", "double"},
		{"tuya", "2_hold", "button_2", "hold"},
		{"tuya", "button_3_click", "button_3", "single"},
		{"cube", "shake", "button", "shake"},
		{"cube", "flip90", "button", "flip90"},
		{"scenes", "recall_2", "button_2", "single"},
	}
	for _, tt := range tests {
		b := newButtons(lists[tt.list], false)
		if name, press := b.parse(tt.action); name != tt.name || press != tt.press {
			t.Errorf("%s of %s is %s of %s, want %s of %s", tt.action, tt.list, press, name, tt.press, tt.name)
		}
		for _, p := range b.properties {
			if err := p.Check(); err != nil || !p.Momentary || p.Kind != hearth.Text {
				t.Errorf("%+v: %v", p, err)
			}
		}
	}
}

// oneDevice returns the inventory of one with these exposes.
func oneDevice(exposes string) string {
	return `[{"type":"Coordinator","ieee_address":"0x00124b0000000001"},{"ieee_address":"0x00158d0001a2b3c4","type":"Router","power_source":"Mains (single phase)","friendly_name":"thing",
		"interview_state":"SUCCESSFUL","definition":{"vendor":"v","model":"m","exposes":` + exposes + `}}]`
}

const thing = hearth.ID("z2m:00158d0001a2b3c4")

func withDevice(t testing.TB, exposes string) (*Dialect, *dialecttest.Bus) {
	t.Helper()
	d, bus := started(t, Config{BaseTopics: []string{"zigbee2mqtt"}})
	bus.Keep(d, "zigbee2mqtt/bridge/state", `{"state":"online"}`)
	bus.Keep(d, "zigbee2mqtt/bridge/devices", oneDevice(exposes))
	return d, bus
}

func TestConversions(t *testing.T) {
	yes, no, num, text := hearth.BoolOf(true), hearth.BoolOf(false), hearth.NumberOf, hearth.TextOf
	tests := []struct {
		expose   string
		state    string
		property string
		value    hearth.Value
		set      string // what setting that value publishes; "" for what cannot be set
	}{
		{`{"type":"light","features":[{"type":"binary","name":"state","property":"state","access":7,"value_on":"ON","value_off":"OFF"}]}`, `{"state":"ON"}`, "on", yes, `{"state":"ON"}`},
		{`{"type":"light","features":[{"type":"numeric","name":"brightness","property":"brightness","access":7,"value_max":254}]}`, `{"brightness":127}`, "brightness", num(50), `{"brightness":127}`},
		{`{"type":"light","features":[{"type":"numeric","name":"brightness","property":"brightness","access":7,"value_max":254}]}`, `{"brightness":1}`, "brightness", num(0.4), `{"brightness":1}`},
		{`{"type":"light","features":[{"type":"numeric","name":"color_temp","property":"color_temp","access":7,"unit":"mired","value_min":153,"value_max":500}]}`, `{"color_temp":250}`, "color_temperature", num(4000), `{"color_temp":250}`},
		{`{"type":"light","features":[{"type":"composite","name":"color_xy","property":"color","access":7,"features":[{"type":"numeric","name":"x","property":"x","access":7},{"type":"numeric","name":"y","property":"y","access":7}]}]}`, `{"color":{"x":0.3,"y":0.4}}`, "color_x", num(0.3), `{"color":{"x":0.3}}`},
		{`{"type":"light","features":[{"type":"composite","name":"color_hs","property":"color","access":7,"features":[{"type":"numeric","name":"hue","property":"hue","access":7},{"type":"numeric","name":"saturation","property":"saturation","access":7}]}]}`, `{"color":{"hue":120}}`, "color_hue", num(120), `{"color":{"hue":120}}`},
		{`{"type":"switch","endpoint":"left","features":[{"type":"binary","name":"state","property":"state_left","endpoint":"left","access":7,"value_on":"ON","value_off":"OFF"}]}`, `{"state_left":"OFF"}`, "on_left", no, `{"state_left":"OFF"}`},
		{`{"type":"switch","endpoint":"l2","features":[{"type":"binary","name":"state","property":"state_l2","endpoint":"l2","access":7,"value_on":"ON","value_off":"OFF"}]}`, `{"state_l2":"ON"}`, "on_2", yes, `{"state_l2":"ON"}`},
		{`{"type":"binary","name":"contact","property":"contact","access":1,"value_on":false,"value_off":true}`, `{"contact":true}`, "open", no, ""},
		{`{"type":"binary","name":"contact","property":"contact","access":1,"value_on":true,"value_off":false}`, `{"contact":false}`, "open", yes, ""},
		{`{"type":"binary","name":"carbon_monoxide","property":"carbon_monoxide","access":1,"value_on":true,"value_off":false}`, `{"carbon_monoxide":true}`, "carbon_monoxide_alarm", yes, ""},
		{`{"type":"binary","name":"gas","property":"gas","access":1,"value_on":true,"value_off":false}`, `{"gas":false}`, "gas_alarm", no, ""},
		{`{"type":"binary","name":"child_lock","property":"child_lock","access":7,"value_on":"LOCK","value_off":"UNLOCK"}`, `{"child_lock":"LOCK"}`, "child_lock", yes, `{"child_lock":"LOCK"}`},
		{`{"type":"lock","features":[{"type":"binary","name":"state","property":"child_lock","access":7,"value_on":"LOCK","value_off":"UNLOCK"}]}`, `{"child_lock":"UNLOCK"}`, "child_lock", no, `{"child_lock":"UNLOCK"}`},
		{`{"type":"lock","features":[{"type":"binary","name":"state","property":"state","access":7,"value_on":"LOCK","value_off":"UNLOCK"}]}`, `{"state":"LOCK"}`, "lock", text("locked"), `{"state":"LOCK"}`},
		{`{"type":"lock","features":[{"type":"binary","name":"state","property":"state","access":7,"value_on":"LOCK","value_off":"UNLOCK"},{"type":"enum","name":"lock_state","property":"lock_state","access":1,"values":["not_fully_locked","locked","unlocked"]}]}`, `{"state":"UNLOCK","lock_state":"not_fully_locked"}`, "lock", text("jammed"), ""},
		{`{"type":"numeric","name":"voltage","property":"voltage","access":1,"unit":"mV"}`, `{"voltage":3005}`, "battery_voltage", num(3.005), ""},
		{`{"type":"numeric","name":"voltage","property":"voltage","access":1,"unit":"V"}`, `{"voltage":230.5}`, "voltage", num(230.5), ""},
		{`{"type":"numeric","name":"linkquality","property":"linkquality","access":1,"unit":"lqi"}`, `{"linkquality":120}`, "link_quality", num(120), ""},
		{`{"type":"numeric","name":"pressure","property":"pressure","access":1,"unit":"kPa"}`, `{"pressure":101.3}`, "pressure", num(1013), ""},
		{`{"type":"numeric","name":"current","property":"current","access":1,"unit":"mA"}`, `{"current":70}`, "current", num(0.07), ""},
		{`{"type":"numeric","name":"produced_energy","property":"produced_energy","access":1,"unit":"kWh"}`, `{"produced_energy":7}`, "energy_exported", num(7), ""},
		{`{"type":"numeric","name":"power_phase_b","property":"power_phase_b","access":1,"unit":"W"}`, `{"power_phase_b":-70}`, "power_l2", num(-70), ""},
		{`{"type":"numeric","name":"voc","property":"voc","access":1,"unit":"µg/m³"}`, `{"voc":70}`, "voc_mass", num(70), ""},
		{`{"type":"numeric","name":"voc","property":"voc","access":1,"unit":"ppb"}`, `{"voc":70}`, "voc", num(70), ""},
		{`{"type":"numeric","name":"hcho","property":"hcho","access":1,"unit":"mg/m³"}`, `{"hcho":0.07}`, "formaldehyde", num(0.07), ""},
		{`{"type":"enum","name":"smoke","property":"smoke","access":1,"values":["alarm","clear"]}`, `{"smoke":"alarm"}`, "smoke_state", text("alarm"), ""},
		{`{"type":"numeric","name":"humidity","property":"humidity","access":1,"unit":"g/m³"}`, `{"humidity":9}`, "humidity_g_m", num(9), ""},
		{`{"type":"cover","features":[{"type":"enum","name":"state","property":"state","access":3,"values":["OPEN","CLOSE","STOP"]},{"type":"numeric","name":"position","property":"position","access":7,"value_min":0,"value_max":100}]}`, `{"position":30,"state":"OPEN"}`, "position", num(30), `{"position":30}`},
		{`{"type":"cover","features":[{"type":"enum","name":"state","property":"state","access":3,"values":["OPEN","CLOSE","STOP"]}]}`, `{"state":"CLOSE"}`, "open", no, ""},
		{`{"type":"climate","features":[{"type":"numeric","name":"local_temperature","property":"local_temperature","access":5,"unit":"°C"}]}`, `{"local_temperature":20.5}`, "temperature", num(20.5), ""},
		{`{"type":"climate","features":[{"type":"numeric","name":"occupied_heating_setpoint","property":"occupied_heating_setpoint","access":7,"unit":"°C","value_min":7,"value_max":30}]}`, `{"occupied_heating_setpoint":21.5}`, "target_temperature", num(21.5), `{"occupied_heating_setpoint":21.5}`},
		{`{"type":"climate","features":[{"type":"enum","name":"system_mode","property":"system_mode","access":7,"values":["off","heat","auto"]}]}`, `{"system_mode":"auto"}`, "hvac_mode", text("auto"), `{"system_mode":"auto"}`},
		{`{"type":"climate","features":[{"type":"enum","name":"running_state","property":"running_state","access":1,"values":["idle","heat"]}]}`, `{"running_state":"heat"}`, "hvac_action", text("heating"), ""},
		{`{"type":"fan","features":[{"type":"binary","name":"state","property":"fan_state","access":7,"value_on":"ON","value_off":"OFF"}]}`, `{"fan_state":"ON"}`, "on", yes, `{"fan_state":"ON"}`},
		{`{"type":"fan","features":[{"type":"enum","name":"mode","property":"fan_mode","access":7,"values":["low","high"]}]}`, `{"fan_mode":"low"}`, "fan_mode", text("low"), `{"fan_mode":"low"}`},
		{`{"type":"enum","name":"power_on_behavior","property":"power_on_behavior","access":7,"values":["off","previous"]}`, `{"power_on_behavior":"previous"}`, "power_on_behavior", text("previous"), `{"power_on_behavior":"previous"}`},
		{`{"type":"text","name":"Schedule Monday","property":"schedule_monday","access":7}`, `{"schedule_monday":"6:00/20"}`, "schedule_monday", text("6:00/20"), `{"schedule_monday":"6:00/20"}`},
		{`{"type":"composite","name":"level_config","property":"level_config","access":7,"features":[{"type":"binary","name":"execute_if_off","property":"execute_if_off","access":7,"value_on":true,"value_off":false}]}`, `{"level_config":{"execute_if_off":true}}`, "level_config_execute_if_off", yes, `{"level_config":{"execute_if_off":true}}`},
		{`{"type":"enum","name":"mode","property":"mode","access":7,"values":["a"]}`, `{"mode":"b"}`, "mode", text("b"), `{"mode":"b"}`}, // learnt
		{`{"type":"numeric","name":"delay","property":"delay","access":7,"unit":"s","value_min":1,"value_max":9}`, `{"delay":12}`, "delay", num(12), `{"delay":12}`},
	}
	for _, tt := range tests {
		t.Run(tt.property+" "+tt.state, func(t *testing.T) {
			d, bus := withDevice(t, "["+tt.expose+"]")
			bus.Say(d, "zigbee2mqtt/thing", tt.state)
			if got := bus.Value(thing, tt.property); got != tt.value {
				dev, _ := bus.Device(thing)
				t.Fatalf("%s, want %s; it has %+v", got, tt.value, dev.Properties)
			}
			if tt.set == "" {
				return
			}
			bus.Answer(func(p dialecttest.Published) error { bus.Say(d, "zigbee2mqtt/thing", p.Payload); return nil })
			if err := d.Do(t.Context(), hearth.Command{Device: thing, Set: map[string]hearth.Value{tt.property: tt.value}}); err != nil {
				t.Fatal(err)
			}
			if got := bus.Take(); len(got) != 1 || got[0] != (dialecttest.Published{Topic: "zigbee2mqtt/thing/set", Payload: tt.set}) {
				t.Errorf("published %+v, want %s", got, tt.set)
			}
		})
	}
}

// TestOneChoice: what can only be told one thing is a button to press, and a clamp with two counters is a meter.
func TestOneChoice(t *testing.T) {
	d, bus := withDevice(t, `[{"type":"enum","name":"reset_energy_meters","property":"reset_energy_meters","access":2,"values":["reset"]},
		{"type":"numeric","name":"energy_a","property":"energy_a","access":1,"unit":"kWh"}]`)
	dev, _ := bus.Device(thing)
	if p, ok := dev.Property("reset_energy_meters"); !ok || p.Kind != hearth.Bool || !p.WriteOnly || dev.Type != "meter" {
		t.Errorf("%s: %+v", dev.Type, p)
	}
	if err := d.Do(t.Context(), hearth.Command{Device: thing, Set: set(map[string]any{"reset_energy_meters": true})}); err != nil {
		t.Error(err)
	}
	if got := bus.Take(); len(got) != 1 || got[0].Payload != `{"reset_energy_meters":"reset"}` {
		t.Errorf("published %+v", got)
	}
	if err := d.Do(t.Context(), hearth.Command{Device: thing, Set: set(map[string]any{"reset_energy_meters": false})}); codeOf(err) != string(hearth.CodeBadValue) || len(bus.Take()) > 0 {
		t.Errorf("not to reset: %v", err)
	}
}

const lampExposes = `[{"type":"light","features":[{"type":"binary","name":"state","property":"state","access":7,"value_on":"ON","value_off":"OFF"},
	{"type":"numeric","name":"brightness","property":"brightness","access":7,"value_max":254}]},
	{"type":"enum","name":"effect","property":"effect","access":2,"values":["blink","okay"]},{"type":"enum","name":"action","property":"action","access":1,"values":["single"]}]`

func set(values map[string]any) map[string]hearth.Value {
	out := map[string]hearth.Value{}
	for name, v := range values {
		switch v := v.(type) {
		case bool:
			out[name] = hearth.BoolOf(v)
		case int:
			out[name] = hearth.NumberOf(float64(v))
		case string:
			out[name] = hearth.TextOf(v)
		}
	}
	return out
}

func TestCommands(t *testing.T) {
	tests := map[string]struct {
		set    map[string]any
		answer func(d *Dialect, bus *dialecttest.Bus)
		sent   string
		code   string // "" for done
		after  time.Duration
	}{
		"one message": {map[string]any{"on": true, "brightness": 100, "transition": 2}, func(d *Dialect, bus *dialecttest.Bus) {
			bus.Say(d, "zigbee2mqtt/thing", `{"state":"ON","brightness":254}`)
		}, `{"brightness":254,"state":"ON","transition":2}`, "", 0},
		"refused": {map[string]any{"on": true}, func(d *Dialect, bus *dialecttest.Bus) {
			bus.Say(d, "zigbee2mqtt/bridge/logging", `{"level":"error","message":"z2m: Publish 'set' 'state' to 'thing' failed: 'Error: ZCL command 0x1/1 genOnOff.on timed out'"}`)
		}, `{"state":"ON"}`, hearth.CodeFailed, 0},
		"no converter": {map[string]any{"on": true}, func(d *Dialect, bus *dialecttest.Bus) {
			bus.Say(d, "zigbee2mqtt/bridge/logging", `{"level":"error","message":"z2m: No converter available for 'state' on 'thing': (\"ON\")"}`)
		}, `{"state":"ON"}`, hearth.CodeFailed, 0},
		"another's refusal": {map[string]any{"on": true}, func(d *Dialect, bus *dialecttest.Bus) {
			bus.Say(d, "zigbee2mqtt/bridge/logging", `{"level":"error","message":"z2m: Publish 'set' 'state' to 'other' failed: 'Error: no'"}`)
			bus.Say(d, "zigbee2mqtt/bridge/logging", `{"level":"error","message":"z2m: Publish 'set' 'effect' to 'thing' failed: 'Error: no'"}`)
		}, `{"state":"ON"}`, hearth.CodeUnknownOutcome, answerTime},
		"silence":    {map[string]any{"on": true}, nil, `{"state":"ON"}`, hearth.CodeUnknownOutcome, answerTime},
		"write-only": {map[string]any{"effect": "blink"}, nil, `{"effect":"blink"}`, "", writeOnly},
		"stopped": {map[string]any{"on": true}, func(d *Dialect, bus *dialecttest.Bus) {
			bus.Say(d, "zigbee2mqtt/bridge/state", `{"state":"offline"}`)
		}, `{"state":"ON"}`, hearth.CodeUnknownOutcome, 0},
		"left": {map[string]any{"on": true}, func(d *Dialect, bus *dialecttest.Bus) {
			bus.Say(d, "zigbee2mqtt/bridge/event", `{"type":"device_leave","data":{"ieee_address":"0x00158d0001a2b3c4","friendly_name":"thing"}}`)
		}, `{"state":"ON"}`, hearth.CodeNoDevice, 0},
		"broker gone":     {map[string]any{"on": true}, func(d *Dialect, _ *dialecttest.Bus) { d.waiter.Fail(dialect.Lost()) }, `{"state":"ON"}`, hearth.CodeUnknownOutcome, 0},
		"transition only": {map[string]any{"transition": 2}, nil, "", hearth.CodeBadValue, 0},
		"unknown":         {map[string]any{"tilt": 2}, nil, "", hearth.CodeNoDevice, 0},
		"read-only":       {map[string]any{"interview": "done"}, nil, "", hearth.CodeReadOnly, 0},
		"button":          {map[string]any{"button": "single"}, nil, "", hearth.CodeReadOnly, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, bus := withDevice(t, lampExposes)
				bus.Answer(func(p dialecttest.Published) error {
					if tt.answer != nil {
						go tt.answer(d, bus)
					}
					return nil
				})
				began := time.Now()
				err := d.Do(t.Context(), hearth.Command{Device: thing, Set: set(tt.set)})
				if code := codeOf(err); code != tt.code || time.Since(began) != tt.after {
					t.Errorf("%v after %v, want %q after %v", err, time.Since(began), tt.code, tt.after)
				}
				sent := slices.DeleteFunc(bus.Take(), func(p dialecttest.Published) bool { return strings.HasSuffix(p.Topic, "/get") })
				if tt.sent == "" && len(sent) != 0 || tt.sent != "" && (len(sent) != 1 || sent[0].Payload != tt.sent || sent[0].Retain) {
					t.Errorf("sent %+v", sent)
				}
				synctest.Wait()
			})
		})
	}
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return hearth.ErrorOf(err).Code
}
