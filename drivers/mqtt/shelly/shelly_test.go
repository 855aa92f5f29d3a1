package shelly

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

const (
	prefix = "shellyplus1pm-a8032ab12345"
	x      = hearth.ID("test:shellyx-0123456789ab")
)

func values(pairs ...any) map[string]hearth.Value {
	m := map[string]hearth.Value{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1].(hearth.Value)
	}
	return m
}

func names(t testing.TB, bus *dialecttest.Bus, id hearth.ID) string {
	t.Helper()
	dev, ok := bus.Device(id)
	if !ok {
		t.Fatalf("%s is not announced, but %v", id, bus.Devices())
	}
	var list []string
	for _, p := range dev.Properties {
		if p.Writable {
			p.Name += "!"
		}
		list = append(list, p.Name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func n(f float64) hearth.Value { return hearth.NumberOf(f) }

// online is a dialect that has met a device.
func online(t testing.TB, f *firmware, prefix string) (*Dialect, *dialecttest.Bus) {
	d, bus := started(t)
	f.plug(d, bus, prefix)
	bus.Keep(d, prefix+"/online", "true")
	synctest.Wait()
	return d, bus
}

func TestPlus1PM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := onePM()
		d, bus := online(t, f, prefix)
		if got := names(t, bus, plus1pm); got != "current device_temperature energy input on! power rssi uptime voltage" {
			t.Error(got)
		}
		dev, _ := bus.Device(plus1pm)
		if dev.Name != "Boiler" || dev.Type != "switch" || dev.Vendor != "Shelly" || dev.Model != "Plus1PM SNSW-001P16EU" || dev.Firmware != "1.1.0" || bus.Announced() != 1 {
			t.Errorf("%+v, announced %d times", dev, bus.Announced())
		}
		for property, want := range values("on", hearth.BoolOf(true), "power", n(8.9), "voltage", n(237.5), "energy", n(6.532116), "device_temperature", n(23.5),
			"rssi", n(-61), "uptime", n(4711), "input", hearth.BoolOf(false), "reachable", hearth.BoolOf(true)) {
			if got := bus.Value(plus1pm, property); got != want {
				t.Errorf("%s is %v, want %v", property, got, want)
			}
		}
		want := []string{"Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus", `Shelly.GetComponents {"dynamic_only":true,"include":["status","config"],"offset":0}`}
		if !slices.Equal(f.calls, want) {
			t.Errorf("asked %v", f.calls)
		}

		before := len(bus.Readings())
		at := time.Now().Add(-3 * time.Second).Truncate(time.Millisecond)
		bus.Say(d, prefix+"/events/rpc", fmt.Sprintf(`{"src":%q,"dst":"x/events","method":"NotifyStatus","params":{"ts":%.2f,"switch:0":{"id":0,"output":false,"source":"MQTT","apower":0.0}}}`, prefix, float64(at.UnixMilli())/1000))
		got := bus.Readings()[before:]
		if len(got) != 2 {
			t.Fatalf("a partial status said %v", got)
		}
		for _, r := range got {
			if !r.Time.Equal(at) {
				t.Errorf("%s has time %v, want %v", r.Property, r.Time, at)
			}
		}
		if bus.Value(plus1pm, "on") != hearth.BoolOf(false) || bus.Value(plus1pm, "power") != n(0) {
			t.Errorf("it says %v", got)
		}
		bus.Say(d, prefix+"/events/rpc", `{"src":"`+prefix+`","method":"NotifyStatus","params":{"ts":12.5,"switch:0":{"id":0,"apower":7}}}`)
		if last, _ := bus.Last(plus1pm, "power"); !last.Time.IsZero() {
			t.Errorf("a device that has no clock was believed: %v", last.Time)
		}
		bus.Keep(d, prefix+"/status/switch:0", `{"id":0,"source":"timer","output":true,"apower":3.5}`)
		if bus.Value(plus1pm, "on") != hearth.BoolOf(true) || bus.Value(plus1pm, "power") != n(3.5) {
			t.Error("status topics are not heard")
		}
		bus.Keep(d, prefix+"/online", "false")
		if bus.Value(plus1pm, "reachable") != hearth.BoolOf(false) {
			t.Error("it is still reachable")
		}
		d.Silence()
	})
}

func TestComponents(t *testing.T) {
	tests := map[string]struct {
		status, config, components string
		kind                       hearth.Type
		want                       string
		values                     map[string]hearth.Value
	}{
		"four switches": {`{"switch:0":{"output":true,"apower":1,"aenergy":{"total":1}},"switch:1":{"output":false,"apower":2,"aenergy":{"total":2000},"ret_aenergy":{"total":500}}}`, `{}`, "", "switch",
			"energy energy_2 energy_exported_2 on! on_2! power power_2", values("on_2", hearth.BoolOf(false), "power_2", n(2), "energy_2", n(2), "energy_exported_2", n(0.5))},
		"dimmer": {`{"light:0":{"id":0,"output":true,"brightness":40,"temperature":{"tC":51.2},"aenergy":{"total":10}}}`, `{}`, "", "light",
			"brightness! device_temperature energy on! transition!", values("brightness", n(40))},
		"rgbw": {`{"rgbw:0":{"id":0,"output":true,"rgb":[0,255,0],"brightness":50,"white":128,"apower":3,"voltage":12.1,"current":0.3}}`, `{}`, "", "light",
			"brightness! color_hue! color_saturation! current on! power transition! voltage white!", values("color_hue", n(120), "color_saturation", n(100), "white", n(128), "voltage", n(12.1))},
		"cct": {`{"cct:0":{"output":false,"brightness":50,"ct":3000},"cct:1":{"output":true,"brightness":20,"ct":5000}}`, `{"cct:0":{"id":0,"ct_range":[2700,6000]}}`, "", "light",
			"brightness! brightness_2! color_temperature! color_temperature_2! on! on_2! transition!", values("color_temperature", n(3000), "brightness_2", n(20))},
		"rgbcct": {`{"rgbcct:0":{"output":true,"brightness":10,"ct":2700,"rgb":[255,0,0],"mode":"cct"}}`, `{}`, "", "light",
			"brightness! color_hue! color_mode color_saturation! color_temperature! on! transition!", values("color_mode", hearth.TextOf("cct"))},
		"cover": {`{"cover:0":{"id":0,"source":"limit_switch","state":"open","apower":0.0,"voltage":219.2,"current":0.0,"pf":0.0,"freq":50.0,"aenergy":{"total":314.614},"temperature":{"tC":52.0},"pos_control":true,"last_direction":"open","current_pos":100}}`, `{}`, "", "cover",
			"current device_temperature energy frequency movement! position! power power_factor state voltage", values("position", n(100), "state", hearth.TextOf("open"), "frequency", n(50))},
		"cover, not calibrated": {`{"cover:0":{"id":0,"state":"stopped","pos_control":false,"current_pos":null}}`, `{}`, "", "cover", "movement! state", nil},
		"cover, position lost":  {`{"cover:0":{"id":0,"state":"stopped","pos_control":true,"current_pos":null,"slat_pos":30}}`, `{}`, "", "cover", "movement! position! state tilt!", values("tilt", n(30))},
		"three phases": {`{"em:0":{"id":0,"a_current":2.392,"a_voltage":229.0,"a_act_power":375.5,"a_aprt_power":547.4,"a_pf":0.76,"a_freq":50.0,"b_act_power":170.8,"c_act_power":-12.7,"n_current":null,"total_current":3.856,"total_act_power":533.6,"total_aprt_power":882.413,"user_calibrated_phase":[]},
			"emdata:0":{"id":0,"a_total_act_energy":2034616.71,"a_total_act_ret_energy":0.0,"total_act":2589773.39,"total_act_ret":1026.61},"temperature:0":{"id":0,"tC":46.6,"tF":115.9}}`, `{}`, "", "meter",
			"current current_l1 current_neutral energy energy_exported energy_exported_l1 energy_l1 frequency_l1 power power_apparent power_apparent_l1 power_factor_l1 power_l1 power_l2 power_l3 temperature voltage_l1",
			values("power", n(533.6), "power_l3", n(-12.7), "energy", n(2589.77339), "energy_exported", n(1.02661), "energy_l1", n(2034.61671))},
		"two clamps": {`{"em1:0":{"id":0,"current":1,"voltage":230,"act_power":200,"aprt_power":230,"pf":0.87,"freq":50},"em1:1":{"id":1,"act_power":-5},"em1data:0":{"total_act_energy":100,"total_act_ret_energy":0},"em1data:1":{"total_act_energy":7,"total_act_ret_energy":9}}`, `{}`, "", "meter",
			"current energy energy_2 energy_exported energy_exported_2 frequency power power_2 power_apparent power_factor voltage", values("power_2", n(-5), "energy_exported_2", n(0.009))},
		"pm": {`{"pm1:0":{"id":0,"voltage":230,"current":0.5,"apower":100,"aprtpower":115,"pf":0.86,"freq":50,"aenergy":{"total":1500},"ret_aenergy":{"total":0}}}`, `{}`, "", "meter",
			"current energy energy_exported frequency power power_apparent power_factor voltage", values("energy", n(1.5), "power_apparent", n(115))},
		"H&T": {`{"temperature:0":{"id":0,"tC":21.4,"tF":70.5},"humidity:0":{"id":0,"rh":48.1},"devicepower:0":{"id":0,"battery":{"V":5.46,"percent":83},"external":{"present":false}},"sys":{"uptime":3,"wakeup_period":7200},"wifi":{"rssi":-70}}`, `{}`, "", "sensor",
			"battery battery_voltage humidity rssi temperature uptime", values("temperature", n(21.4), "humidity", n(48.1), "battery", n(83), "battery_voltage", n(5.46))},
		"smoke": {`{"smoke:0":{"id":0,"alarm":true,"mute":false},"devicepower:0":{"battery":{"V":2.9,"percent":100}}}`, `{}`, "", "sensor", "battery battery_voltage smoke", values("smoke", hearth.BoolOf(true))},
		"flood": {`{"flood:0":{"id":0,"alarm":false,"mute":false}}`, `{}`, "", "sensor", "water_leak", values("water_leak", hearth.BoolOf(false))},
		"add-on": {`{"switch:0":{"output":true},"input:0":{"state":true},"temperature:100":{"id":100,"tC":20.5},"temperature:101":{"id":101,"tC":-3},"humidity:100":{"rh":40},"voltmeter:100":{"voltage":4.3},"input:100":{"percent":47.2},"input:101":{"counts":{"total":11,"by_minute":[0]},"freq":2.5}}`, `{"input:100":{"type":"analog"},"input:101":{"type":"count"}}`, "", "switch",
			"analog count_2 frequency_2 humidity input on! temperature temperature_2 voltage", values("temperature_2", n(-3), "analog", n(47.2), "count_2", n(11), "voltage", n(4.3))},
		"four buttons": {`{"input:0":{"id":0,"state":null},"input:1":{"id":1,"state":null},"input:2":{"id":2,"state":true}}`, `{"input:0":{"type":"button"},"input:1":{"type":"button"},"input:2":{"type":"switch"}}`, "", "button", "button_1 button_2 input_3", values("input_3", hearth.BoolOf(true))},
		"one button":   {`{"input:0":{"id":0,"state":null}}`, `{}`, "", "button", "button", nil},
		"wall display": {`{"switch:0":{"id":0,"output":false},"temperature:0":{"tC":21.3},"humidity:0":{"rh":43.8},"illuminance:0":{"id":0,"illumination":"twilight","lux":30},"thermostat:0":{"id":0,"enable":true,"target_C":21,"current_C":21.3,"output":true,"schedules":{"enable":false}}}`, `{"thermostat:0":{"type":"heating"}}`, "", "thermostat",
			"humidity hvac_action hvac_mode! illuminance on! target_temperature! temperature temperature_temperature", values("hvac_mode", hearth.TextOf("heat"), "hvac_action", hearth.TextOf("heating"), "target_temperature", n(21), "illuminance", n(30))},
		"virtual": {`{"boolean:200":{"value":true},"number:200":{"value":4.5},"number:201":{"value":21},"text:200":{"value":"hi"},"enum:200":{"value":"a"},"button:200":{}}`,
			`{"boolean:200":{"id":200,"name":"Heat water","meta":{"ui":{"view":"toggle"}}},"number:200":{"name":"Limit","min":0,"max":10,"meta":{"ui":{"view":"slider","unit":"L"}}},"number:201":{"name":"Temperature","meta":{"ui":{"view":"label","unit":"°C"}}},"text:200":{"name":"on"},"enum:200":{"name":null,"options":["a","b"]}}`, "", "other",
			"button_200 heat_water! limit! press_200! temperature value_enum_200! value_text_200!", values("heat_water", hearth.BoolOf(true), "limit", n(4.5), "temperature", n(21), "value_text_200", hearth.TextOf("hi"), "value_enum_200", hearth.TextOf("a"))},
		"BLU gateway": {`{"sys":{"uptime":1}}`, `{}`, `{"components":[
				{"key":"blutrv:200","status":{"id":200,"target_C":19,"current_C":21,"pos":0,"rssi":-58,"battery":100},"config":{"id":200,"addr":"aa:bb:cc:dd:ee:ff"}},
				{"key":"bthomedevice:200","status":{"id":200,"rssi":-58,"battery":100,"packet_id":29},"config":{"id":200,"addr":"aa:bb:cc:dd:ee:ff"}},
				{"key":"bthomesensor:200","status":{"id":200,"value":100},"config":{"id":200,"obj_id":1,"idx":0}},
				{"key":"bthomesensor:201","status":{"id":201,"value":true},"config":{"id":201,"obj_id":45,"idx":0}},
				{"key":"bthomesensor:202","status":{"id":202,"value":19},"config":{"id":202,"obj_id":69,"idx":0}},
				{"key":"bthomesensor:203","status":{"id":203,"value":2.5},"config":{"id":203,"obj_id":99,"idx":0}},
				{"key":"script:1","status":{},"config":{}}],"cfg_rev":32,"offset":0,"total":7}`, "thermostat",
			"battery_200 battery_bthomedevice_200 battery_bthomesensor_200 bthome_203 open_201 pi_heating_demand_200 rssi_200 rssi_bthomedevice_200 target_temperature_200! temperature_200 temperature_202 uptime",
			values("open_201", hearth.BoolOf(true), "temperature_202", n(19), "target_temperature_200", n(19), "bthome_203", n(2.5))},
		"other kinds": {`{"switch:0":7,"switch:1":null,"switch:x":{"output":true},"switch:-1":{"output":true},"switch:01":{"output":true},"light:0":{"output":"yes","brightness":{},"rgb":[1,2],"aenergy":3},"toaster:0":{"output":true},"switch":{"output":true},"temperature:0":{"tC":"hot"},"rgb:0":{"output":true,"rgb":["a",1,2]}}`, `7`, "", "light",
			"brightness! color_hue! color_hue_rgb! color_saturation! color_saturation_rgb! on! on_2! on_light! on_rgb! temperature transition!", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := minimal(tt.status, tt.config)
				f.components = tt.components
				_, bus := online(t, f, "home/x")
				if got := names(t, bus, x); got != tt.want {
					t.Errorf("it has\n%s, want\n%s", got, tt.want)
				}
				if dev, _ := bus.Device(x); dev.Type != tt.kind {
					t.Errorf("it is a %s, want %s", dev.Type, tt.kind)
				}
				for property, want := range tt.values {
					if got := bus.Value(x, property); got != want {
						t.Errorf("%s is %v, want %v", property, got, want)
					}
				}
			})
		})
	}
}

func TestButtons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := minimal(`{"input:0":{"id":0,"state":null},"input:1":{"id":1,"state":null},"switch:0":{"output":true},"button:200":{}}`, `{"input:0":{"type":"button"},"input:1":{"type":"button"}}`)
		d, bus := online(t, f, "x")
		now := float64(time.Now().Unix())
		event := func(component, event, more string) string {
			return fmt.Sprintf(`{"src":"shellyx-0123456789ab","dst":"x/events","method":"NotifyEvent","params":{"ts":%f,"events":[{"component":%q,"id":0,"event":%q,"ts":%f%s}]}}`, now, component, event, now, more)
		}
		tests := []struct{ component, event, more, property, want string }{
			{"input:0", "btn_down", "", "", ""},
			{"input:0", "btn_up", "", "", ""},
			{"input:0", "single_push", "", "button_1", "single"},
			{"input:1", "double_push", "", "button_2", "double"},
			{"input:1", "triple_push", "", "button_2", "triple"},
			{"input:1", "long_push", "", "button_2", "hold"},
			{"input:0", "btn_up", "", "", ""},
			{"input:1", "btn_up", "", "button_2", "release"},
			{"input:1", "btn_up", "", "", ""},
			{"input:7", "single_push", "", "", ""},
			{"switch:0", "single_push", "", "", ""},
			{"button:200", "single_push", "", "button_200", "single"},
			{"bthomedevice:200", "long_push", `,"idx":0`, "button_200_bthome", ""},
			{"bthomedevice:201", "long_push", `,"idx":0`, "button_201", "hold"},
			{"bthomedevice:201", "single_push", `,"idx":3`, "button_201_4", "single"},
			{"input:0", "something", "", "", ""},
			{"", "", "", "", ""},
		}
		for _, tt := range tests {
			before := len(bus.Readings())
			bus.Say(d, "x/events/rpc", event(tt.component, tt.event, tt.more))
			got := bus.Readings()[before:]
			switch {
			case tt.property == "" && len(got) != 0:
				t.Errorf("%s of %s was told as %v", tt.event, tt.component, got)
			case tt.want != "" && (len(got) != 1 || got[0].Property != tt.property || got[0].Value.Text() != tt.want || got[0].Time.Unix() != int64(now)):
				t.Errorf("%s of %s was told as %v, want %s %s", tt.event, tt.component, got, tt.property, tt.want)
			}
			before = len(bus.Readings())
			bus.Keep(d, "x/events/rpc", event(tt.component, tt.event, tt.more))
			if got := bus.Readings()[before:]; len(got) != 0 {
				t.Errorf("an old %s of %s was told as %v", tt.event, tt.component, got)
			}
		}
	})
}

// TestSleeper has a sensor that wakes up, says all at once and is gone before it can be asked; and a restart.
func TestSleeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ht = hearth.ID("test:shellyplusht-c049ef8b3a44")
		env, bus := dialecttest.New(t, "test")
		first := New(env)
		ctx, cancel := context.WithCancel(t.Context())
		first.Connected(ctx)
		wake := func(d *Dialect, temperature float64) {
			bus.Say(d, "shellyplusht-c049ef8b3a44/events/rpc", fmt.Sprintf(`{"src":"shellyplusht-c049ef8b3a44","dst":"shellyplusht-c049ef8b3a44/events","method":"NotifyFullStatus","params":{"ts":%d,"ble":{},
				"devicepower:0":{"id":0,"battery":{"V":5.46,"percent":83},"external":{"present":false}},"humidity:0":{"id":0,"rh":48.1},"temperature:0":{"id":0,"tC":%g,"tF":70},
				"sys":{"mac":"C049EF8B3A44","uptime":2,"wakeup_reason":{"boot":"deepsleep_wake","cause":"periodic"},"wakeup_period":7200},"wifi":{"rssi":-61}}}`, time.Now().Unix(), temperature))
		}
		wake(first, 21.4)
		if got := names(t, bus, ht); got != "battery battery_voltage humidity rssi temperature uptime" || bus.Value(ht, "temperature") != n(21.4) {
			t.Error(got)
		}
		if r, _ := bus.Last(ht, "temperature"); r.Time.IsZero() {
			t.Error("its time was not kept")
		}
		bus.Keep(first, "shellyplusht-c049ef8b3a44/online", "false")
		if bus.Value(ht, "reachable") != hearth.BoolOf(true) {
			t.Error("a sensor that sleeps is told to be gone")
		}
		cancel()
		first.Silence()

		second := New(env)
		ctx, cancel = context.WithCancel(t.Context())
		second.Connected(ctx)
		announced, readings := bus.Announced(), len(bus.Readings())
		bus.Keep(second, "shellyplusht-c049ef8b3a44/online", "false")
		if bus.Announced() != announced+1 {
			t.Error("not announced again after a restart")
		}
		if got := bus.Readings()[readings:]; len(got) != 0 {
			t.Errorf("old values were told as new: %v", got)
		}
		wake(second, 19)
		if bus.Value(ht, "temperature") != n(19) || bus.Announced() != announced+1 {
			t.Error("it is not heard after a restart")
		}
		cancel()
		second.Silence()
	})
}

// TestReconnect has the broker go and come back, and a device that is set up differently then.
func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := onePM()
		d, bus := online(t, f, prefix)
		d.Silence()
		announced := bus.Announced()
		d.Connected(t.Context())
		if bus.Announced() != announced+1 {
			t.Error("not announced again")
		}
		f.mu.Lock()
		f.info = strings.Replace(f.info, "Boiler", "Heater", 1)
		f.config = strings.Replace(f.config, `"type":"switch"`, `"type":"button"`, 1)
		f.mu.Unlock()
		bus.Keep(d, prefix+"/online", "true")
		synctest.Wait()
		dev, _ := bus.Device(plus1pm)
		if _, ok := dev.Property("button"); !ok || dev.Name != "Heater" {
			t.Errorf("it is %+v", dev)
		}
		f.mu.Lock()
		f.config = strings.Replace(f.config, `"type":"button"`, `"type":"switch"`, 1)
		f.mu.Unlock()
		bus.Say(d, prefix+"/events/rpc", `{"src":"`+prefix+`","method":"NotifyEvent","params":{"events":[{"component":"input:0","id":0,"event":"config_changed","restart_required":false,"cfg_rev":6}]}}`)
		synctest.Wait()
		if dev, _ := bus.Device(plus1pm); len(dev.Properties) == 0 || names(t, bus, plus1pm) != "current device_temperature energy input on! power rssi uptime voltage" {
			t.Error("a change of its setup was not noticed")
		}
		d.Silence()
	})
}

// TestNoAnswers has a device whose RPC is switched off: it is what it says by itself.
func TestNoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, bus := started(t)
		say := func() {
			bus.Say(d, "x/events/rpc", `{"src":"shellyx-0123456789ab","method":"NotifyStatus","params":{"switch:0":{"id":0,"output":true}}}`)
		}
		say()
		if len(bus.Devices()) != 0 {
			t.Error("announced before it could answer")
		}
		time.Sleep(12 * time.Second)
		say()
		if bus.Value(x, "on") != hearth.BoolOf(true) {
			t.Error("it is not heard")
		}
		for range 100 {
			time.Sleep(time.Minute)
			say()
		}
		if asked := len(bus.Published()); asked < 90 || asked > 110 {
			t.Errorf("it was asked %d times", asked)
		}
	})
}

// TestPages has more added components than go into one answer.
func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := minimal(`{"sys":{"uptime":1}}`, `{}`)
		f.results = map[string]func(string) string{"Shelly.GetComponents": func(params string) string {
			var offset int
			if _, err := fmt.Sscanf(params[strings.Index(params, `"offset":`):], `"offset":%d`, &offset); err != nil {
				panic(err)
			}
			var list []string
			for i := offset; i < min(offset+5, 23); i++ {
				list = append(list, fmt.Sprintf(`{"key":"number:%d","status":{"value":%d},"config":{"id":%d,"name":"N"}}`, 200+i, i, 200+i))
			}
			return fmt.Sprintf(`"result":{"components":[%s],"offset":%d,"total":23}`, strings.Join(list, ","), offset)
		}}
		_, bus := online(t, f, "x")
		if dev, _ := bus.Device(x); len(dev.Properties) != 24 || bus.Value(x, "n_222") != n(22) {
			t.Errorf("it has %d properties", len(dev.Properties))
		}
	})
}
