package expose

import (
	"strings"
	"testing"
)

func TestIncoming(t *testing.T) {
	everything := mains(endpoint(1, 0x000c, []uint16{
		2, 0x400, 0x402, 0x403, 0x404, 0x405, 0x406, 0x408, 0x409, 0x40a, 0x40b, 0x40c, 0x40d, 0x42a, 0x42b, 0x42d, 0x42e,
	}))
	scaled := mains(endpoint(1, 0x0305, []uint16{0x403})).knowing(facts("1/0403/0014", -1, "1/0403/0010", 10132))
	powered := battery(endpoint(1, 0, []uint16{1})).knowing(facts(
		"1/0001/0020", 30, "1/0001/0021", 200, "1/0001/003e", 0, "1/0001/0000", 2300, "1/0001/0001", 100))
	type vector struct {
		cluster uint16
		frame   string // frame control, sequence, command, payload
		want    string
	}
	for _, test := range []struct {
		name    string
		of      Description
		vectors []vector
	}{
		{"sensors", everything, []vector{
			{0x0402, "18 01 0a 0000 29 5908", "temperature=21.37"},
			{0x0402, "18 01 01 0000 00 29 5908", "temperature=21.37"},
			{0x0402, "18 01 0a 0000 29 0afe", "temperature=-5.02"},
			{0x0402, "18 01 0a 0000 29 0080", ""},
			{0x0402, "18 01 01 0000 86", ""},
			{0x0402, "08 01 0a 0000 2b 59080000", "temperature=21.37"}, // of another type than the standard's
			{0x0402, "18 01 0a 0100 29 0000 0000 29 5908 0200 29 ff00", "temperature=21.37"},
			{0x0402, "18 01 0a 0000 29 5908 0100 29", "temperature=21.37"}, // and broken off
			{0x0402, "1c 5f11 01 0a 0000 29 5908", ""},                     // a manufacturer's attribute of the same number
			{0x0402, "18 01 0a 0000 42 03616263", ""},
			{0x0405, "18 01 0a 0000 21 8813", "humidity=50"},
			{0x0405, "18 01 0a 0000 21 7427", ""}, // 101 %
			{0x0405, "18 01 0a 0000 21 ffff", ""},
			{0x0403, "18 01 0a 0000 29 f503", "pressure=1013"},
			{0x0403, "18 01 0a 0000 29 0000", ""}, // no pressure on earth
			{0x0400, "18 01 0a 0000 21 0000", "illuminance=0"},
			{0x0400, "18 01 0a 0000 21 0100", "illuminance=1"},
			{0x0400, "18 01 0a 0000 21 1127", "illuminance=10"},
			{0x0400, "18 01 0a 0000 21 9875", "illuminance=1024"},
			{0x0400, "18 01 0a 0000 21 ffff", ""},
			{0x0400, "18 01 0a 0000 21 feff", ""}, // brighter than the sun
			{0x0406, "18 01 0a 0000 18 01", "occupancy=true"},
			{0x0406, "18 01 0a 0000 18 00", "occupancy=false"},
			{0x0406, "18 01 0a 0000 20 01", "occupancy=true"},
			{0x0408, "18 01 0a 0000 21 e803", "soil_moisture=10"},
			{0x0404, "18 01 0a 0000 21 0f00", "flow=1.5"},
			{0x0409, "18 01 0a 0000 21 bc02", "ph=7"},
			{0x040a, "18 01 0a 0000 21 7b00", "electrical_conductivity=12.3"},
			{0x040b, "18 01 0a 0000 21 fa00", "wind_speed=2.5"},
			{0x040d, "18 01 0a 0000 39 b401d839", "co2=412"}, // 0.000412
			{0x040d, "18 01 0a 0000 39 0000ce43", "co2=412"}, // 412, by a device that counts in ppm
			{0x040d, "18 01 0a 0000 39 0000c07f", ""},        // not a number
			{0x040d, "18 01 0a 0000 39 0000807f", ""},        // infinite
			{0x040c, "18 01 0a 0000 39 acc5a736", "carbon_monoxide=5"},
			{0x042a, "18 01 0a 0000 39 00004841", "pm25=12.5"},
			{0x042a, "18 01 0a 0000 21 0c00", "pm25=12"},
			{0x042d, "18 01 0a 0000 39 00004841", "pm10=12.5"},
			{0x042b, "18 01 0a 0000 39 95bf5633", "formaldehyde=0.0614"}, // 5e-8
			{0x042b, "18 01 0a 0000 39 8fc2f53c", "formaldehyde=0.03"},   // milligrams
			{0x042b, "18 01 0a 0000 21 1e00", "formaldehyde=0.03"},       // micrograms
			{0x042e, "18 01 0a 0000 39 bd378634", "voc=250"},             // 2.5e-7
			{0x0002, "18 01 0a 0000 29 2a00", "device_temperature=42"},
			{0xfc00, "18 01 0a 0000 29 2a00", ""},
			{0x0402, "18 01 0b 0a 00", ""},
			{0x0402, "19 01 00 00", ""},
		}},
		{"fine pressure", scaled, []vector{
			{0x0403, "18 01 0a 0000 29 f503 1400 28 ff 1000 29 9427", "pressure=1013.2"},
			{0x0403, "18 01 0a 0000 29 f503", ""},
		}},
		{"power", powered, []vector{
			{0x0001, "18 01 0a 2100 20 c8", "battery=100"},
			{0x0001, "18 01 0a 2100 20 5d", "battery=46.5"},
			{0x0001, "18 01 0a 2100 20 ff", ""},
			{0x0001, "18 01 0a 2100 20 fa", ""}, // 125 %
			{0x0001, "18 01 0a 2000 20 1d 2100 20 c8", "battery_voltage=2.9 battery=100"},
			{0x0001, "18 01 0a 3e00 1b 01000000", "battery_low=true"},
			{0x0001, "18 01 0a 3e00 1b 00000000", "battery_low=false"},
			{0x0001, "18 01 0a 0000 21 0309 0100 20 64", "voltage=230.7 frequency=50"},
		}},
		{"plug", meteringPlug(), []vector{
			{0x0b04, "18 01 0a 0b05 29 7b00 0505 21 0309 0805 21 9600", "power=12.3 voltage=230.7 current=0.15"},
			{0x0b04, "18 01 0a 0b05 29 85ff", "power=-12.3"},
			{0x0b04, "18 01 0a 0b05 29 0080 0505 21 ffff", ""},
			{0x0702, "18 01 0a 0000 25 39300000 0000", "energy=12.345"},
			{0x0702, "18 01 0a 0000 25 ffffffffffff", ""},
			{0x0702, "18 01 0a 0004 2a 0c0000", ""}, // the other cluster knows the power better
			{0x0006, "18 01 0a 0000 10 01", "on=true"},
			{0x0006, "18 01 0a 0000 20 00", "on=false"},
			{0x0006, "18 01 0a 0000 10 ff", ""},
		}},
		{"three phases", threePhaseMeter(), []vector{
			{0x0b04, "18 01 0a 0403 2b e8030000 0b05 29 6400 0b09 29 c800 0b0a 29 bc02", "power=1000 power_l1=100 power_l2=200 power_l3=700"},
			{0x0b04, "18 01 0a 0805 21 6400 0809 21 c800 080a 21 2c01", "current_l1=1 current_l2=2 current_l3=3"},
			{0x0b04, "18 01 0a 0003 21 f301 1005 28 5f", "frequency=49.9 power_factor_l1=0.95"},
			{0x0702, "18 01 0a 0000 25 d20400000000 0100 25 e80300000000", "energy=1.234 energy_exported=1"}, // three digits behind the point
		}},
		{"bulb", dimmer(), []vector{
			{0x0008, "18 01 0a 0000 20 fe", "brightness=100"},
			{0x0008, "18 01 0a 0000 20 01", "brightness=0.4"},
			{0x0008, "18 01 0a 0000 20 7f", "brightness=50"},
			{0x0008, "18 01 0a 0000 20 00", "brightness=0"},
			{0x0008, "18 01 0a 0000 20 ff", ""},
			{0x0008, "18 01 0a 0000 21 ff00", ""},
		}},
		{"what comes with the power", colorBulb(), []vector{
			{0x0006, "18 01 01 0340 00 30 ff", "power_on_behavior=\"previous\""},
			{0x0006, "18 01 01 0340 00 30 00", "power_on_behavior=\"off\""},
			{0x0006, "18 01 01 0340 00 30 09", ""},
		}},
		{"blind", blind(), []vector{
			{0x0102, "18 01 0a 0800 20 1e 0900 20 64", "position=70 tilt=0"},
			{0x0102, "18 01 0a 0800 20 ff", ""},
			{0x0102, "18 01 0a 0800 20 65", ""}, // 101 %
		}},
		{"lock", frontDoor(), []vector{
			{0x0101, "18 01 0a 0000 30 01", "lock=\"locked\""},
			{0x0101, "18 01 0a 0000 30 02", "lock=\"unlocked\""},
			{0x0101, "18 01 0a 0000 30 00", "lock=\"jammed\""},
			{0x0101, "18 01 0a 0000 30 ff", "lock=\"unknown\""},
			{0x0101, "18 01 0a 0300 30 00", "open=true"},
			{0x0101, "18 01 0a 0300 30 01", "open=false"},
			{0x0101, "09 01 20 00 02 0100 04 31323334 00000000 00", "lock=\"unlocked\" action=\"keypad_unlock\""},
			{0x0101, "09 01 20 02 0d 0000 00 00000000 00", "lock=\"locked\" action=\"manual_lock\""},
			{0x0101, "09 01 20 01 05", "action=\"remote_unlock_failed\""},
			{0x0101, "09 01 20 77 0a", "lock=\"locked\" action=\"unknown_auto_lock\""},
			{0x0101, "09 01 20 00", ""},
			{0x0009, "09 01 00 00 0101", "lock=\"jammed\""},
			{0x0009, "09 01 00 00 0001", ""},
			{0x0009, "09 01 00", ""},
		}},
		{"radiator valve", radiatorValve(), []vector{
			{0x0201, "18 01 0a 0000 29 0208 1200 29 3408", "temperature=20.5 target_temperature=21"},
			{0x0201, "18 01 0a 0000 29 0080", ""},
			{0x0201, "18 01 0a 1200 29 6400", ""}, // 1 °C, less than its own least
			{0x0201, "18 01 0a 1c00 30 04", "hvac_mode=\"heat\""},
			{0x0201, "18 01 0a 1c00 30 00", "hvac_mode=\"off\""},
			{0x0201, "18 01 0a 1c00 30 03", ""}, // it cannot cool
			{0x0201, "18 01 0a 0800 20 32", "hvac_action=\"heating\" pi_heating_demand=50"},
			{0x0201, "18 01 0a 0800 20 00", "hvac_action=\"idle\" pi_heating_demand=0"},
			{0x0201, "18 01 0a 1000 28 f6", "local_temperature_calibration=-1"},
			{0x0204, "18 01 0a 0100 30 01", "child_lock=true"},
			{0x0204, "18 01 0a 0100 30 00", "child_lock=false"},
		}},
		{"siren", sirenDevice(), []vector{{0x0500, "09 01 00 0c00 00 00 0000", "tamper=true battery_low=true"}}},
		{"controller", controller(), []vector{
			{0x000c, "18 01 0a 5500 39 0000ac41", "analog_input=21.5"},
			{0x000d, "18 01 0a 5500 39 0000803f", "fan_voltage=1"},
			{0x000d, "18 01 0a 5500 39 0000ac41", ""}, // more than it can
			{0x000f, "18 01 0a 5500 10 01", "binary_input_power=true"},
			{0x0012, "18 01 0a 5500 21 0300", "multistate_input=3"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := New(test.of, nil)
			for _, v := range test.vectors {
				if got := told(hears(t, m, 1, v.cluster, v.frame)); got != v.want {
					t.Errorf("%04x %s\nsays %s, want %s", v.cluster, v.frame, got, v.want)
				}
			}
		})
	}
}

func TestRunningStateIsTheAction(t *testing.T) {
	m := New(airConditioner(), nil)
	for frame, want := range map[string]string{
		"18 01 0a 2900 19 0000": "hvac_action=\"idle\"",
		"18 01 0a 2900 19 0100": "hvac_action=\"heating\"",
		"18 01 0a 2900 19 1200": "hvac_action=\"cooling\"",
		"18 01 0a 2900 19 0400": "hvac_action=\"idle\"", // only the fan
	} {
		if got := told(hears(t, m, 1, 0x0201, frame)); got != want {
			t.Errorf("%s says %s, want %s", frame, got, want)
		}
	}
}

// A thermostat that heats and cools has two targets; the one of its mode is told.
func TestTargetOfTheMode(t *testing.T) {
	m := New(airConditioner(), nil)
	if got := told(hears(t, m, 1, 0x0201, "18 01 0a 1100 29 280a 1200 29 d007")); got != "target_temperature=20" {
		t.Errorf("before the mode is known: %s", got)
	}
	said := hears(t, m, 1, 0x0201, "18 01 0a 1c00 30 03")
	if got := told(said); got != "hvac_mode=\"cool\"" || len(said.Reads) != 1 || said.Reads[0].Attributes[0] != 0x0011 {
		t.Errorf("cooling: %s, reads %v", got, said.Reads)
	}
	if got := told(hears(t, m, 1, 0x0201, "18 01 0a 1100 29 280a 1200 29 d007")); got != "target_temperature=26" {
		t.Errorf("cooling: %s", got)
	}
	if got := told(hears(t, m, 1, 0x0201, "18 01 0a 1c00 30 04 1100 29 280a 1200 29 d007")); got != "hvac_mode=\"heat\" target_temperature=20" {
		t.Errorf("heating: %s", got)
	}
}

func TestZones(t *testing.T) {
	for zoneType, want := range map[int]string{
		0x000d: "occupancy=true", 0x0015: "open=true", 0x0016: "open=true", 0x0028: "smoke=true", 0x002a: "water_leak=true",
		0x002b: "carbon_monoxide_alarm=true", 0x002d: "vibration=true", 0x0226: "glass_break=true", 0x0000: "alarm=true",
		0x002c: "button=\"single\"", 0x0115: "button=\"single\"", 0x0229: "",
	} {
		m := New(battery(endpoint(1, 0x0402, []uint16{0x500})).knowing(facts("1/0500/0001", zoneType)), nil)
		if want != "" {
			want += " "
		}
		if got := told(hears(t, m, 1, 0x0500, "09 01 00 0100 00 01 0000")); got != want+"tamper=false battery_low=false" {
			t.Errorf("zone type %04x: %s", zoneType, got)
		}
	}
	m := New(contactSensor(), nil)
	for frame, want := range map[string]string{
		"09 01 00 0000 00 01 0000":          "open=false tamper=false battery_low=false",
		"09 01 00 0c00 00":                  "open=false tamper=true battery_low=true", // by an old device
		"09 01 00 0200 00 01 0000":          "open=true tamper=false battery_low=false",
		"18 01 01 0000 00 30 01":            "",
		"18 01 01 0200 00 19 0100":          "open=true tamper=false battery_low=false",
		"18 01 0a 0200 19 0000":             "open=false tamper=false battery_low=false",
		"09 01 00 00":                       "",
		"19 01 01 1500 5f11":                "",
		"18 01 01 0000 00 30 01 0200 00 19": "",
	} {
		if got := told(hears(t, m, 1, 0x0500, frame)); got != want {
			t.Errorf("%s says %s, want %s", frame, got, want)
		}
	}
}

func TestZonesAreEnrolled(t *testing.T) {
	m := New(contactSensor(), nil)
	if e := m.Setup().Enrol; len(e) != 1 || e[0] != 1 {
		t.Errorf("to be enrolled: %v", e)
	}
	for _, test := range []struct{ name, frame, want string }{
		{"asks", "09 2a 01 1500 5f11", "1/0500 112a000001"},
		{"asks by halves", "09 2a 01", "1/0500 112a000001"},
		{"is not enrolled", "18 2a 01 0000 00 30 00", "1/0500 112a000001"},
		{"is enrolled", "18 2a 01 0000 00 30 01", ""},
		{"tells", "09 2a 00 0100 00 01 0000", ""},
	} {
		if got := sent(hears(t, m, 1, 0x0500, test.frame).Replies); got != test.want {
			t.Errorf("a zone that %s is answered %s, want %s", test.name, got, test.want)
		}
	}
}

// A zone that asks to be enrolled tells its type, which may be the first that is known of it.
func TestZoneTypeIsLearnt(t *testing.T) {
	d := battery(endpoint(1, 0x0402, []uint16{0x500}))
	said := hears(t, New(d, nil), 1, 0x0500, "09 01 01 2a00 5f11")
	if said.Changed == nil || sent(said.Replies) != "1/0500 1101000001" {
		t.Fatalf("learnt %v, answered %s", said.Changed, sent(said.Replies))
	}
	if got := offered(New(*said.Changed, nil)); got != "water_leak tamper battery_low" {
		t.Errorf("it is %s", got)
	}
	if again := hears(t, New(*said.Changed, nil), 1, 0x0500, "09 01 01 2a00 5f11"); again.Changed != nil {
		t.Error("it is learnt twice")
	}
	if len(d.Facts) != 0 {
		t.Error("the description it was made of has changed")
	}
}

func TestWhatComesUnaskedIsLearnt(t *testing.T) {
	for _, test := range []struct {
		name    string
		of      Description
		cluster uint16
		frame   string
		want    string // said
		facts   string
	}{
		{"an attribute that was not there when it was asked for", meteringPlug(), 0x0b04, "18 01 0a 1005 28 5f", "power_factor=0.95", "1/0b04/0510"},
		{"a divisor", mains(endpoint(1, 0x0051, []uint16{0xb04})), 0x0b04, "18 01 01 0506 00 21 0a00 0b05 00 29 6400", "power=10", "1/0b04/0605 1/0b04/050b"},
		{"a cluster that the endpoint does not name", battery(endpoint(1, 0x0402, []uint16{0})), 0x0402, "18 01 0a 0000 29 d007", "temperature=20", ""},
		{"a button", battery(endpoint(1, 0x0006, []uint16{0}, 5, 6)), 0x0005, "01 01 05 0000 03", "button_3=\"single\"", "1/0005>button_3"},
		{"the only button", battery(endpoint(1, 0x0006, []uint16{0}, 6)), 0x0006, "01 01 02", "button=\"single\"", "1/0006>button"},
		{"the description of an input", mains(endpoint(1, 0, []uint16{0xc})), 0x000c, "18 01 01 1c00 00 42 05 4c6576656c 5500 00 39 0000803f", "level=1", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			said := hears(t, New(test.of, nil), 1, test.cluster, test.frame)
			if said.Changed == nil || told(said) != test.want {
				t.Fatalf("said %s, changed %v; want %s", told(said), said.Changed, test.want)
			}
			for _, key := range strings.Fields(test.facts) {
				if _, ok := said.Changed.Facts[key]; !ok {
					t.Errorf("%s was not learnt, but %s", key, keys(said.Changed.Facts))
				}
			}
			again := hears(t, New(*said.Changed, nil), 1, test.cluster, test.frame)
			if again.Changed != nil || told(again) != test.want {
				t.Errorf("again: said %s, changed %v", told(again), again.Changed)
			}
		})
	}
}

func TestWhatIsNotKnownIsNotLearnt(t *testing.T) {
	m := New(battery(endpoint(1, 0x0402, []uint16{0})), nil)
	for _, frame := range []struct {
		endpoint uint8
		cluster  uint16
		frame    string
	}{
		{2, 0x0402, "18 01 0a 0000 29 d007"},         // of no endpoint that there is
		{1, 0xfc00, "18 01 0a 0000 29 d007"},         // of a cluster that means nothing
		{1, 0x0006, "18 01 0a 0000 10 01"},           // a switch does not come into being by a report
		{1, 0x0402, "18 01 01 0000 00 29 d007"},      // an answer to a read
		{1, 0x0402, "1c 5f11 01 0a 0000 29 d007"},    // a manufacturer's
		{1, 0x0006, "05 5f11 01 02"},                 // a manufacturer's command
		{1, 0x0008, "01 01 03"},                      // nothing was held
		{1, 0x0402, "18 01 0a"},                      // nothing at all
		{1, 0x0b04, "00 01 00 0505"},                 // a read
		{1, 0x0500, "19 01 05 00000000000000000000"}, // no zone
	} {
		if said := hears(t, m, frame.endpoint, frame.cluster, frame.frame); said.Changed != nil || len(said.Values)+len(said.Replies)+len(said.Reads) != 0 {
			t.Errorf("%+v means %+v", frame, said)
		}
	}
}

func TestCheckInsAreAnswered(t *testing.T) {
	said := hears(t, New(climateSensor(), nil), 1, 0x0020, "09 33 00")
	if got := sent(said.Replies); got != "1/0020 1133"+"00000000" {
		t.Errorf("answered %s", got)
	}
}
