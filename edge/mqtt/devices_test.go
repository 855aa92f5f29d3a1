package mqtt

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
)

var rewrite = flag.Bool("rewrite", false, "write the announcements in testdata anew")

// house is a device of each kind, with values.
func house() map[string]hearth.DeviceView {
	w := func(names ...string) (all []hearth.Property) {
		for _, name := range names {
			name, writable := strings.CutSuffix(name, "!")
			p := word(name)
			if writable {
				p.Writable = true
			}
			all = append(all, p)
		}
		return all
	}
	silent := func(p hearth.Property) hearth.Property { p.WriteOnly, p.Writable = true, true; return p }
	devices := []hearth.Device{
		{ID: "radio:light", Type: "light", Name: "Lamp", Vendor: "IKEA", Model: "LED1624G9", Firmware: "2.3", Properties: append(
			w("on!", "brightness!", "color_temperature!", "color_hue!", "color_saturation!", "color_x!", "color_y!", "transition", "identify", "link_quality"),
			word("power_on_behavior").AsWritable())},
		{ID: "radio:white", Type: "light", Name: "White lamp", Properties: w("on!", "brightness!")},
		{ID: "radio:two", Type: "light", Name: "Two lamps", Properties: w("on_1!", "brightness_1!", "on_2!", "brightness_2!")},
		{ID: "bus:outlet", Type: "outlet", Name: "Outlet", Properties: w("on!", "power", "energy", "voltage", "current", "child_lock!", "reset_energy")},
		{ID: "bus:relays", Type: "switch", Name: "Relays", Properties: w("on_left!", "on_right!")},
		{ID: "radio:cover", Type: "cover", Name: "Blind", Properties: w("position!", "tilt!", "movement", "battery")},
		{ID: "radio:shade", Type: "cover", Name: "Shade", Properties: w("position!")},
		{ID: "radio:awning", Type: "cover", Name: "Awning", Properties: w("movement")},
		{ID: "radio:lock", Type: "lock", Name: "Door", Properties: w("lock!", "battery", "battery_low", "tamper")},
		{ID: "radio:thermostat", Type: "thermostat", Name: "Radiator", Properties: w("target_temperature!", "temperature", "humidity", "hvac_mode!", "hvac_action", "local_temperature_calibration!", "window_open", "pi_heating_demand")},
		{ID: "radio:heater", Type: "thermostat", Name: "Heater", Properties: w("target_temperature!", "on!")},
		{ID: "radio:fan", Type: "fan", Name: "Fan", Properties: append(w("on!", "fan_speed!"), word("fan_mode").OneOf("off", "low", "high", "on", "auto").AsWritable())},
		{ID: "radio:vent", Type: "fan", Name: "Vent", Properties: w("fan_speed!")},
		{ID: "radio:valve", Type: "valve", Name: "Garden", Properties: w("on!", "water_volume", "water_leak")},
		{ID: "radio:damper", Type: "valve", Name: "Damper", Properties: w("position!")},
		{ID: "radio:siren", Type: "siren", Name: "Siren", Properties: []hearth.Property{
			silent(word("alarm")), silent(word("alarm_mode").OneOf("fire", "burglar")), silent(word("alarm_duration").Within(1, 600)), silent(word("alarm_volume").OneOf("low", "high")), word("smoke")}},
		{ID: "radio:button", Type: "button", Name: "Remote", Properties: w("button_1", "button_2", "battery", "battery_voltage")},
		{ID: "station:1", Type: "sensor", Name: "Wetter <\"'\\>", Properties: append(w("temperature", "humidity", "pressure", "illuminance", "occupancy", "open", "co2", "pm25", "voc", "noise", "wind_speed", "rssi", "last_seen_text"),
			hearth.Property{Name: "note", Kind: hearth.Text}, hearth.Property{Name: "greeting", Kind: hearth.Text, Writable: true}, hearth.Property{Name: "level", Kind: hearth.Number, Writable: true})},
		{ID: "p1:E0031", Type: "meter", Name: "Meter", Properties: w("energy_t1", "energy_t2", "energy_exported", "tariff", "power", "power_l1", "voltage_l1", "gas_volume", "frequency", "power_factor", "power_apparent")},
	}
	values := map[string]hearth.Value{
		"on": hearth.BoolOf(true), "brightness": hearth.NumberOf(40.2), "color_temperature": hearth.NumberOf(2702.7), "color_hue": hearth.NumberOf(240), "color_saturation": hearth.NumberOf(100),
		"position": hearth.NumberOf(33.3), "tilt": hearth.NumberOf(50), "lock": hearth.TextOf("jammed"), "hvac_mode": hearth.TextOf("heat"), "fan_mode": hearth.TextOf("auto"), "fan_speed": hearth.NumberOf(33.3),
		"note": hearth.TextOf(`say "hi" \ {{ 7*7 }}`),
	}
	views := map[string]hearth.DeviceView{}
	for _, d := range devices {
		v := hearth.DeviceView{ID: d.ID, Name: d.Name, Type: d.Type, Vendor: d.Vendor, Model: d.Model, Firmware: d.Firmware, Reachable: true}
		for _, p := range d.Properties {
			view := hearth.PropertyView{Property: p}
			stem, _ := newVocabulary().split(p.Name)
			if value, ok := values[stem]; ok && isState(p) {
				view.Value, view.Time = &value, hearth.Time{Time: time.Unix(1800000000, 0)}
			} else if isState(p) {
				value := hearth.NumberOf(21.5)
				if p.Kind == hearth.Bool {
					value = hearth.BoolOf(true)
				} else if p.Kind == hearth.Text {
					value = hearth.TextOf(append(slices.Clone(p.Options), "text")[0])
				}
				view.Value, view.Time = &value, hearth.Time{Time: time.Unix(1800000000, 0)}
			}
			v.Properties = append(v.Properties, view)
		}
		_, name, _ := strings.Cut(string(d.ID), ":")
		views[name] = v
	}
	return views
}

func TestAnnouncements(t *testing.T) {
	for name, d := range house() {
		t.Run(name, func(t *testing.T) {
			a := announce(newVocabulary(), topics{"homeassistant"}, &d, "1.2.3")
			payload := a.payload(nil)
			checkAnnouncement(t, payload)
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, payload, "", "  "); err != nil {
				t.Fatal(err)
			}
			pretty.WriteByte('\n')
			file := filepath.Join("testdata", name+".json")
			if *rewrite {
				if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, pretty.Bytes()) {
				t.Errorf("other than %s (go test -rewrite writes it anew):\n%s", file, pretty.Bytes())
			}
		})
	}
}

// What each platform of Home Assistant must and may have, beside what all have.
var platforms = map[string]struct{ must, may string }{
	"sensor":        {"state_topic", "value_template unit_of_measurement device_class state_class options"},
	"binary_sensor": {"state_topic", "value_template payload_on payload_off device_class"},
	"switch":        {"command_topic payload_on payload_off", "state_topic value_template state_on state_off optimistic device_class"},
	"light": {"schema command_topic command_on_template command_off_template", "state_topic state_template brightness_template color_temp_template color_temp_kelvin " +
		"min_kelvin max_kelvin red_template green_template blue_template"},
	"cover": {"", "command_topic payload_open payload_close payload_stop position_topic position_template set_position_topic set_position_template tilt_status_topic " +
		"tilt_status_template tilt_command_topic tilt_command_template optimistic"},
	"lock": {"command_topic payload_lock payload_unlock", "state_topic value_template state_locked state_unlocked state_jammed"},
	"climate": {"temperature_command_topic temperature_command_template modes", "temperature_state_topic temperature_state_template temperature_unit temp_step precision min_temp max_temp mode_state_topic " +
		"mode_state_template mode_command_topic mode_command_template current_temperature_topic current_temperature_template current_humidity_topic current_humidity_template action_topic action_template " +
		"fan_modes fan_mode_state_topic fan_mode_state_template fan_mode_command_topic fan_mode_command_template"},
	"fan": {"command_topic payload_on payload_off", "state_topic state_value_template state_on state_off percentage_state_topic percentage_value_template percentage_command_topic percentage_command_template " +
		"preset_modes preset_mode_state_topic preset_mode_value_template preset_mode_command_topic preset_mode_command_template"},
	"valve":  {"command_topic state_topic", "value_template device_class reports_position command_template payload_open payload_close state_open state_closed"},
	"siren":  {"command_topic command_template command_off_template", "state_topic state_value_template state_on state_off optimistic available_tones support_duration support_volume_set"},
	"number": {"command_topic command_template min max", "state_topic value_template step mode optimistic unit_of_measurement device_class"},
	"select": {"command_topic command_template options", "state_topic value_template optimistic"},
	"text":   {"command_topic command_template", "state_topic value_template"},
	"button": {"command_topic payload_press", "device_class enabled_by_default"},
	"event":  {"state_topic event_types value_template", "device_class"},
}

// checkAnnouncement holds an announcement against what Home Assistant requires and knows.
func checkAnnouncement(t *testing.T, payload []byte) {
	t.Helper()
	var a struct {
		Dev struct {
			IDs  []string `json:"ids"`
			Name string   `json:"name"`
		} `json:"dev"`
		O            struct{ Name, SW string }
		Cmps         map[string]map[string]any
		Availability []struct {
			Topic string
		}
		Mode string `json:"availability_mode"`
	}
	if err := json.Unmarshal(payload, &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Dev.IDs) != 1 || a.Dev.Name == "" || a.O.Name != "Hearth" || len(a.Cmps) == 0 || len(a.Availability) != 2 || a.Mode != "all" {
		t.Errorf("the frame is not right: %s", short(string(payload)))
	}
	unique := map[string]bool{}
	entity := regexp.MustCompile(`^[a-z_]+\.[a-z0-9]+(_[a-z0-9]+)*$`)
	leads := 0
	for key, c := range a.Cmps {
		p, _ := c["p"].(string)
		platform, ok := platforms[p]
		if !ok {
			t.Errorf("%s: no platform %q", key, p)
			continue
		}
		for _, must := range strings.Fields(platform.must + " unique_id object_id default_entity_id") {
			if c[must] == nil {
				t.Errorf("%s lacks %s", key, must)
			}
		}
		for k := range c {
			if !slices.Contains(strings.Fields(platform.must+" "+platform.may+" p name unique_id object_id default_entity_id entity_category"), k) {
				t.Errorf("%s has %s, which a %s does not know", key, k, p)
			}
		}
		id, _ := c["unique_id"].(string)
		if unique[id] {
			t.Errorf("unique_id %s twice", id)
		}
		unique[id] = true
		if e, _ := c["default_entity_id"].(string); !entity.MatchString(e) || !strings.HasPrefix(e, p+".") || e != p+"."+fmt.Sprint(c["object_id"]) {
			t.Errorf("%s: default_entity_id %q", key, e)
		}
		if name, has := c["name"]; !has {
			t.Errorf("%s has no name", key)
		} else if name == nil {
			leads++
		}
		if c["device_class"] == "enum" && c["state_class"] != nil {
			t.Errorf("%s: an enum is not measured", key)
		}
		if low, ok := c["min"].(float64); ok && low >= c["max"].(float64) {
			t.Errorf("%s: min %v max %v", key, low, c["max"])
		}
	}
	if leads > 1 {
		t.Errorf("%d entities have the name of the device", leads)
	}
}

// TestEveryWordIsAnnounced has no property of the vocabulary left out, but those that are part of others.
func TestEveryWordIsAnnounced(t *testing.T) {
	v := newVocabulary()
	for _, name := range hearth.Words() {
		p := word(name)
		d := hearth.DeviceView{ID: "x:1", Name: "X", Properties: []hearth.PropertyView{{Property: p}}}
		a := announce(v, topics{"ha"}, &d, "")
		if left := name == "reachable" || name == "transition"; (len(a.components) == 0) != left {
			t.Errorf("%s: %d entities", name, len(a.components))
		}
		p.Writable = true
		d.Properties[0].Property = p
		if a := announce(v, topics{"ha"}, &d, ""); len(a.components) > 0 {
			checkAnnouncement(t, a.payload(nil))
		}
	}
}

func TestAnnouncementIsBounded(t *testing.T) {
	d := hearth.DeviceView{ID: "x:1", Name: "X"}
	for i := range hearth.MaxProperties {
		p := hearth.Property{Name: fmt.Sprintf("setting%d", i), Kind: hearth.Text, Writable: true}
		for range 200 {
			p.Options = append(p.Options, strings.Repeat("option", 10))
		}
		d.Properties = append(d.Properties, hearth.PropertyView{Property: p})
	}
	a := announce(newVocabulary(), topics{"ha"}, &d, "")
	if n := len(a.payload(nil)); n > maxAnnounced+4096 || len(a.components) == 0 || len(a.omitted) == 0 {
		t.Errorf("%d bytes, %d entities, %d left out", n, len(a.components), len(a.omitted))
	}
}

func TestObjectIDs(t *testing.T) {
	form, seen := regexp.MustCompile(`^[a-zA-Z0-9_-]+$`), map[string]hearth.ID{}
	for _, id := range []hearth.ID{"radio:00158d0001a2b3c4", "a:b_c", "a_b:c", "a-b:c", "a:b-c", "a:b.c", "a:b:c", "a:b@c", "a:b_c-", "my_bus:1", "my:bus_1", "my:bus:1"} {
		o := objectOf(id)
		if other, twice := seen[o]; twice || !form.MatchString(o) {
			t.Errorf("%s is %s, as is %s", id, o, other)
		}
		seen[o] = id
	}
	if got := objectOf("radio:00158d0001a2b3c4"); got != "hearth_radio_00158d0001a2b3c4" {
		t.Errorf("got %s", got)
	}
}

func TestColorMode(t *testing.T) {
	at := func(s int64) hearth.Time { return hearth.Time{Time: time.Unix(1800000000+s, 0)} }
	view := func(name string, v float64, when int64) hearth.PropertyView {
		value := hearth.NumberOf(v)
		return hearth.PropertyView{Property: word(name), Value: &value, Time: at(when)}
	}
	tests := []struct {
		name                    string
		whiteAt, hue, sat, huAt int64
		want                    string
	}{
		{"white last", 5, 240, 100, 1, modeWhite}, {"colour last", 1, 30, 10, 5, modeColor},
		{"the colour of a white, at once", 3, 30, 80, 3, modeWhite}, {"blue, at once", 3, 240, 100, 3, modeColor},
	}
	for _, test := range tests {
		d := hearth.DeviceView{Properties: []hearth.PropertyView{
			view("color_temperature", 2700, test.whiteAt), view("color_hue", float64(test.hue), test.huAt), view("color_saturation", float64(test.sat), test.huAt)}}
		if got := string(stateOf(newVocabulary(), &d)); !strings.HasSuffix(got, `"color_mode":"`+test.want+`"}`) {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}
