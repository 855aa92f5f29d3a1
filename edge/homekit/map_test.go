package homekit

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"hearth"
	"hearth/edge/homekit/hap"
)

// view is a device with values as HomeKit looks at it.
func view(d hearth.Device, values map[string]any) hearth.DeviceView {
	v := hearth.DeviceView{ID: d.ID, Name: d.Name, Type: d.Type, Reachable: true}
	for _, p := range d.Properties {
		pv := hearth.PropertyView{Property: p}
		if value, ok := values[p.Name]; ok {
			held := valueOf(value)
			pv.Value = &held
		}
		v.Properties = append(v.Properties, pv)
	}
	return v
}

// shown is all that a device shows: "8A/11": 21.5.
func shown(faces []*face, k *knowledge) map[string]any {
	all := map[string]any{}
	for _, f := range faces {
		for _, c := range f.fields {
			key := f.s.Type + "/" + c.c.Type
			if c.read == nil {
				all[key] = c.c.Val
			} else if value, known := c.read(k); known {
				all[key] = value
			}
		}
	}
	return all
}

func look(v hearth.DeviceView, m *memory) *knowledge {
	return &knowledge{view: v, m: m, fresh: true, targets: map[string]hearth.Value{}}
}

type values = map[string]any

func TestWhatDevicesShow(t *testing.T) {
	for _, test := range []struct {
		name string
		typ  hearth.Type
		has  string
		says values
		want values // a part of what is shown
	}{
		{"lamp", "light", "on! brightness!", values{"on": true, "brightness": 39.8}, values{"43/25": true, "43/8": 40}},
		{"a lamp that glows is not off", "light", "on! brightness!", values{"on": true, "brightness": 0.4}, values{"43/8": 1}},
		{"white lamp", "light", "on! brightness! color_temperature!", values{"on": true, "brightness": 100, "color_temperature": 2700}, values{"43/CE": 370}},
		{"lamp without on", "light", "brightness!", values{"brightness": 20}, values{"43/25": true, "43/8": 20}},
		{"coloured lamp", "light", "on! color_hue! color_saturation!", values{"on": true, "color_hue": 240, "color_saturation": 100}, values{"43/13": 240.0, "43/2": nil, "43/2F": 100.0}},
		{"switch", "switch", "on!", values{"on": true}, values{"49/25": true}},
		{"outlet", "outlet", "on! power energy voltage current", values{"on": true, "power": 1180.5, "energy": 88.21, "voltage": 231, "current": 5.1},
			values{"47/25": true, "47/26": true, "47/" + eveType("10D"): 1180.5, "47/" + eveType("10C"): 88.21, "47/" + eveType("10A"): 231.0, "47/" + eveType("126"): 5.1}},
		{"outlet that stands by", "outlet", "on! power", values{"on": true, "power": 0.6}, values{"47/26": false}},
		{"outlet without a meter", "outlet", "on!", values{"on": true}, values{"47/26": true}},
		{"frost", "sensor", "temperature humidity pressure", values{"temperature": -12.54, "humidity": 43.6, "pressure": 1013.25},
			values{"8A/11": -12.5, "82/10": 44.0, "8A/" + eveType("10F"): 1013.3}},
		{"oven", "sensor", "temperature", values{"temperature": 900}, values{"8A/11": 200.0}},
		{"dark", "sensor", "illuminance", values{"illuminance": 0}, values{"84/6B": 0.0001}},
		{"door", "sensor", "open", values{"open": true}, values{"80/6A": 1}},
		{"closed door", "sensor", "open tamper battery_low", values{"open": false, "tamper": true, "battery_low": true}, values{"80/6A": 0, "80/7A": 1, "80/75": true, "80/77": 0, "96/79": 1}},
		{"motion", "sensor", "occupancy presence vibration", values{"occupancy": true, "presence": true, "vibration": true}, values{"85/22": true, "86/71": 1}},
		{"alarms", "sensor", "water_leak smoke carbon_monoxide_alarm", values{"water_leak": true, "smoke": true, "carbon_monoxide_alarm": true}, values{"83/70": 1, "87/76": 1, "7F/69": 1}},
		{"gas", "sensor", "gas_alarm", values{"gas_alarm": true}, values{"83/70": 1}},
		{"carbon monoxide by its level", "sensor", "carbon_monoxide", values{"carbon_monoxide": 60}, values{"7F/69": 1, "7F/90": 60.0, "7F/91": 60.0}},
		{"bad air", "sensor", "co2 pm25 voc", values{"co2": 1600, "pm25": 12, "voc": 100}, values{"97/92": 1, "97/93": 1600.0, "97/94": 1600.0, "8D/95": 2, "8D/C6": 12.0, "8D/C8": 450.0}},
		{"battery", "sensor", "temperature battery", values{"temperature": 20, "battery": 19.6}, values{"96/68": 20, "96/79": 1, "96/8F": 2}},
		{"lock", "lock", "lock!", values{"lock": "locked"}, values{"45/1D": 1, "45/1E": 1}},
		{"jammed lock", "lock", "lock!", values{"lock": "jammed"}, values{"45/1D": 2, "45/1E": nil}},
		{"blind", "cover", "position! tilt! movement!", values{"position": 70, "tilt": 75}, values{"8C/6D": 70, "8C/7C": 70, "8C/72": 2, "8C/6C": 45, "8C/7B": 45}},
		{"valve", "valve", "on!", values{"on": true}, values{"D0/B0": 1, "D0/D2": 1, "D0/D5": 0}},
		{"fan", "fan", "on! fan_speed!", values{"on": true, "fan_speed": 66.4}, values{"B7/B0": 1, "B7/29": 66.0}},
		{"siren", "siren", "alarm!", values{"alarm": true}, values{"49/25": true}},
		{"thermostat", "thermostat", "target_temperature! temperature hvac_mode! hvac_action humidity child_lock!",
			values{"target_temperature": 21.5, "temperature": 20.6, "hvac_mode": "heat", "hvac_action": "heating", "humidity": 40, "child_lock": true},
			values{"4A/F": 1, "4A/33": 1, "4A/11": 20.6, "4A/35": 21.5, "4A/36": 0, "4A/10": 40.0, "4A/A7": 1}},
		{"radiator valve that tells little", "thermostat", "target_temperature! temperature", values{"target_temperature": 21, "temperature": 19}, values{"4A/F": 1, "4A/33": 1}},
		{"by its demand", "thermostat", "target_temperature! temperature pi_heating_demand", values{"target_temperature": 21, "temperature": 19, "pi_heating_demand": 0}, values{"4A/F": 0}},
		{"window of a radiator valve", "thermostat", "target_temperature! window_open", values{"window_open": true}, values{"80/6A": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := view(device("d", test.typ, strings.Fields(test.has)...), test.says)
			got := shown(build(vocabulary(), v), look(v, newMemory()))
			for key, want := range test.want {
				if got[key] != want {
					t.Errorf("%s is %v, want %v in %v", key, got[key], want, got)
				}
			}
		})
	}
}

func TestWhatControllersSet(t *testing.T) {
	type writes []put
	for _, test := range []struct {
		name   string
		typ    hearth.Type
		has    string
		says   values
		writes writes
		want   string
	}{
		{"on", "light", "on! brightness!", nil, writes{{"25", true}}, "on=true"},
		{"on and brightness are one wish", "light", "on! brightness!", nil, writes{{"25", true}, {"8", 40}}, "brightness=40 on=true"},
		{"brightness 0 is off", "light", "on! brightness!", nil, writes{{"8", 0}}, "on=false"},
		{"also beside on", "light", "on! brightness!", nil, writes{{"25", true}, {"8", 0}}, "on=false"},
		{"in any order", "light", "on! brightness!", nil, writes{{"8", 0}, {"25", true}}, "on=false"},
		{"off is not undone by a brightness", "light", "on! brightness!", nil, writes{{"8", 30}, {"25", false}}, "on=false"},
		{"a lamp without on", "light", "brightness!", values{"brightness": 35}, writes{{"25", false}}, "brightness=0"},
		{"white", "light", "on! color_temperature!", nil, writes{{"CE", 370}}, "color_temperature=2703"},
		{"no warmer than it can", "light", "on! color_temperature!", nil, writes{{"CE", 454}}, "color_temperature=2203"},
		{"colour", "light", "on! color_hue! color_saturation!", nil, writes{{"13", 120.0}, {"2F", 50.0}}, "color_hue=120 color_saturation=50"},
		{"red by x and y", "light", "on! color_x! color_y!", nil, writes{{"13", 0.0}, {"2F", 100.0}}, "color_x=0.64 color_y=0.33"},
		{"lock", "lock", "lock!", nil, writes{{"1E", 1}}, `lock="locked"`},
		{"unlock", "lock", "lock!", nil, writes{{"1E", 0}}, `lock="unlocked"`},
		{"blind", "cover", "position! movement!", nil, writes{{"7C", 30}}, "position=30"},
		{"hold", "cover", "position! movement!", nil, writes{{"6F", true}}, `movement="stop"`},
		{"tilt", "cover", "position! tilt!", nil, writes{{"7B", -90}}, "tilt=0"},
		{"a blind that only moves", "cover", "movement!", nil, writes{{"7C", 100}}, `movement="open"`},
		{"and down", "cover", "movement!", nil, writes{{"7C", 0}}, `movement="close"`},
		{"target", "thermostat", "target_temperature!", nil, writes{{"35", 21.5}}, "target_temperature=21.5"},
		{"off", "thermostat", "target_temperature! hvac_mode!", nil, writes{{"33", 0}}, `hvac_mode="off"`},
		{"off by on", "thermostat", "target_temperature! on!", nil, writes{{"33", 0}}, `on=false`},
		{"a range", "thermostat", "target_temperature! hvac_mode!", nil, writes{{"12", 20.0}, {"D", 24.0}}, "target_temperature=22"},
		{"fan", "fan", "on! fan_speed!", nil, writes{{"B0", 1}, {"29", 50.0}}, "fan_speed=50 on=true"},
		{"fan off", "fan", "fan_speed!", nil, writes{{"29", 40.0}, {"B0", 0}}, "fan_speed=0"},
		{"fan on", "fan", "fan_speed!", nil, writes{{"B0", 1}}, "fan_speed=100"},
		{"valve", "valve", "on!", nil, writes{{"B0", 1}}, "on=true"},
		{"child lock", "thermostat", "target_temperature! child_lock!", nil, writes{{"A7", 1}}, "child_lock=true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := view(device("d", test.typ, strings.Fields(test.has)...), test.says)
			faces := build(vocabulary(), v)
			k := look(v, newMemory())
			shown(faces, k)
			w := newWish(k)
			for _, write := range test.writes {
				found := false
				for _, c := range faces[0].fields {
					if c.c.Type == write.typ && c.write != nil {
						found = true
						if status := c.write(w, write.value); status != hap.OK {
							t.Errorf("%v is answered %d", write, status)
						}
					}
				}
				if !found {
					t.Fatalf("nothing takes %v", write)
				}
			}
			w.join()
			var got []string
			for name, value := range w.command() {
				got = append(got, name+"="+value.String())
			}
			slices.Sort(got)
			if strings.Join(got, " ") != test.want {
				t.Errorf("sets %s, want %s", got, test.want)
			}
			if err := v.CheckSet(w.command()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Every word has a place in HomeKit, or a reason why not; not both, and not neither.
func TestEveryWordIsMappedOrHasAReason(t *testing.T) {
	mapped, known := map[string]string{}, vocabulary()
	for _, typ := range hearth.Types {
		for _, writable := range []bool{false, true} {
			for _, name := range hearth.Words() {
				for _, with := range []string{"", "on", "target_temperature", "temperature", "fan_speed", "position", "brightness", "color_x", "color_y", "color_hue", "color_saturation"} {
					d := device("d", typ)
					for _, n := range []string{name, with} {
						if n != "" && (n != with || name != with) {
							p := word(n)
							p.Writable = p.Writable || writable || n == with && n != "temperature"
							d.Properties = append(d.Properties, p)
						}
					}
					for _, pair := range [][2]string{{"color_hue", "color_saturation"}, {"color_x", "color_y"}} {
						if name == pair[0] && with == pair[1] || name == pair[1] && with == pair[0] {
							d.Properties = append(d.Properties, word("on").AsWritable())
							d.Type = "light"
						}
					}
					for _, f := range build(known, view(d, nil)) {
						for _, c := range f.fields {
							if slices.Contains(c.uses, name) {
								mapped[name] = f.s.Type
							}
						}
					}
				}
			}
		}
	}
	apart := map[string]bool{"identify": true, "reachable": true} // the accessory's own: see door.Identify, door.Read
	mapped["tamper"] = "a sensor's status: TestWhatDevicesShow"
	reasons := unmappable()
	for _, name := range hearth.Words() {
		_, is := mapped[name]
		_, not := reasons[name]
		if is == not && !apart[name] {
			t.Errorf("%s: mapped %v, with a reason why not %v", name, is, not)
		}
	}
	for name := range reasons {
		if vocabulary()[name] == "" {
			t.Errorf("%s has a reason and is no word", name)
		}
	}
}

func TestColoursAgree(t *testing.T) {
	for hue := 0.0; hue < 360; hue += 7 {
		for saturation := 5.0; saturation <= 100; saturation += 5 {
			h, s := hueOf(xyOf(hue, saturation))
			off := math.Abs(h - hue)
			if off = min(off, 360-off); off > 0.5 || math.Abs(s-saturation) > 0.5 {
				t.Fatalf("%v° %v %% comes back as %v° %v %%", hue, saturation, h, s)
			}
		}
	}
	for mired := 140; mired <= 500; mired++ {
		if got := kelvinOf(whiteOf(1e6 / float64(mired))); math.Abs(1e6/got-float64(mired)) > 12 {
			t.Errorf("%d mired comes back as %.0f", mired, 1e6/got)
		}
	}
	v := view(device("d", "light", "on!", "color_temperature!", "color_x!", "color_y!"), values{"on": true, "color_temperature": 2700, "color_x": 0.4599, "color_y": 0.4106})
	m := newMemory()
	faces := build(vocabulary(), v)
	warm := shown(faces, look(v, m))
	if warm["43/CE"] != 370 || warm["43/2F"].(float64) < 30 || warm["43/13"].(float64) < 20 || warm["43/13"].(float64) > 40 {
		t.Errorf("warm white shows %v", warm)
	}
	k := look(v, m)
	k.targets["color_x"], k.targets["color_y"] = hearth.NumberOf(0.15), hearth.NumberOf(0.06)
	if blue := shown(faces, k); blue["43/13"] != 240.0 || blue["43/2F"] != 100.0 {
		t.Errorf("blue shows %v", blue)
	}
	k = look(v, m)
	k.targets["color_temperature"] = hearth.NumberOf(6500)
	if cold := shown(faces, k); cold["43/CE"] != 154 || cold["43/2F"].(float64) > 8 {
		t.Errorf("cold white shows %v", cold)
	}
}

func TestThresholdsHaveTwoSides(t *testing.T) {
	d := device("d", "sensor", "co2", "battery")
	m := newMemory()
	faces := build(vocabulary(), view(d, nil))
	for _, step := range []struct{ co2, battery, detected, low int }{
		{1450, 22, 0, 0}, {1500, 20, 1, 1}, {1250, 24, 1, 1}, {1199, 26, 0, 0}, {1450, 21, 0, 0},
	} {
		v := view(d, values{"co2": step.co2, "battery": step.battery})
		if got := shown(faces, look(v, m)); got["97/92"] != step.detected || got["96/79"] != step.low {
			t.Errorf("%+v shows %v", step, got)
		}
	}
}

func TestColorTemperatureIsTheLampsOwn(t *testing.T) {
	for _, test := range []struct {
		low, high   float64
		least, most int
	}{{2200, 6500, 154, 455}, {1000, 10000, 140, 500}, {2700, 2700, 370, 371}} {
		p := word("color_temperature").AsWritable().Within(test.low, test.high)
		d := hearth.Device{ID: "toy:d", Type: "light", Properties: []hearth.Property{word("on").AsWritable(), p}}
		for _, f := range build(vocabulary(), view(d, nil)) {
			for _, c := range f.fields {
				if c.c.Type != "CE" {
					continue
				}
				if c.c.MinVal != test.least || c.c.MaxVal != test.most {
					t.Errorf("%v to %v K is %v to %v", test.low, test.high, c.c.MinVal, c.c.MaxVal)
				}
				for mired := test.least; mired <= test.most; mired++ {
					if w := newWish(look(view(d, nil), newMemory())); c.write(w, mired) != hap.OK {
						t.Errorf("%d is refused", mired)
					}
				}
			}
		}
	}
}

func TestModesOfThermostats(t *testing.T) {
	for options, want := range map[string]string{"off heat": "[0 1]", "heat": "[1]", "off auto heat": "[0 1]", "off heat cool auto": "[0 1 2 3]", "off cool dry fan_only": "[0 2]", "auto": "[1]"} {
		d := device("d", "thermostat", "target_temperature!")
		d.Properties = append(d.Properties, word("hvac_mode").AsWritable().OneOf(strings.Fields(options)...))
		for _, c := range build(vocabulary(), view(d, nil))[0].fields {
			if c.c.Type != "33" {
				continue
			}
			if got := fmt.Sprint(c.c.ValidVals); got != want {
				t.Errorf("%s: %s, want %s", options, got, want)
			}
			for _, mode := range c.c.ValidVals {
				if w := newWish(look(view(d, nil), newMemory())); c.write(w, mode) != hap.OK {
					t.Errorf("%s: %d is refused", options, mode)
				}
			}
		}
	}
}

func TestFurtherEndpoints(t *testing.T) {
	d := device("Wall", "switch", "on!", "on_2!", "on_left!", "power_2", "button_1", "button_2", "nonsense", "temperature")
	faces := build(vocabulary(), view(d, nil))
	names := map[string]string{}
	for _, f := range faces {
		for _, c := range f.fields {
			if c.c.Type == "E3" {
				names[f.key] = c.c.Val.(string)
			}
		}
	}
	want := map[string]string{
		"49:on": "Wall", "49:on_2": "Wall 2", "49:on_left": "Wall Left", "89:button_2": "Wall Button 2", "8A:temperature": "Wall Temperature",
	}
	for key, name := range want {
		if names[key] != name {
			t.Errorf("%s is called %q, want %q in %v", key, names[key], name, names)
		}
	}
	if len(names) != len(slices.Compact(slices.Sorted(maps.Values(names)))) {
		t.Errorf("two of one name: %v", names)
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"Children's room": "Children's room", "  Lamp (left) #2! ": "Lamp left 2", "Küche": "Küche", "💡": "Device", "'n Lamp'": "n Lamp", "a/b": "a b",
		strings.Repeat("x", 200): strings.Repeat("x", 64),
	} {
		if got := cleanName(in, "Device"); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"v1.2-rc3": "1.2.3", "": "0.0.0", "20231122": "20231122.0.0", "0x0012abcd": "0.12.0", "1.2.3.4": "1.2.3", "99999999999": "0.0.0"} {
		if got := cleanVersion(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
