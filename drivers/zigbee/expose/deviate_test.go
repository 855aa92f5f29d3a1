package expose

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
)

// defined reads one definition, without its match and its names.
func defined(t testing.TB, body string) *quirks.Definition {
	t.Helper()
	all, err := quirks.Parse("test.yaml", []byte("- match: {vendor: Acme, model: M1}\n  vendor: Acme\n  model: One\n"+body))
	if err != nil || len(all) != 1 {
		t.Fatalf("%v\n%s", err, body)
	}
	return all[0]
}

type exchange struct {
	endpoint uint8
	cluster  uint16
	frame    string
	says     string
}

func TestDeviationsOfWhatIsSaid(t *testing.T) {
	for _, test := range []struct {
		name       string
		of         Description
		definition string
		properties string
		exchanges  []exchange
	}{
		{"endpoints by name", mains(endpoint(1, 0x0100, []uint16{0, 1, 6}), endpoint(2, 0x0100, []uint16{6})),
			"  endpoints: {left: 1, right: 2}\n", "on_left:w on_right:w refresh:o",
			[]exchange{{2, 6, "18 01 0a 0000 10 01", "on_right=true"}}},
		{"a cluster ignored", climateSensor(), "  ignore: [{cluster: 0x0405}, {endpoint: 2, cluster: 0x0402}]\n", "temperature battery identify:o",
			[]exchange{{1, 0x0405, "18 01 0a 0000 21 8813", ""}, {1, 0x0402, "18 01 0a 0000 29 5908", "temperature=21.37"}}},
		{"dropped and renamed", climateSensor(), "  properties: {humidity: {drop: true}, temperature: {rename: water_temperature}}\n",
			"water_temperature battery identify:o",
			[]exchange{{1, 0x0405, "18 01 0a 0000 21 8813", ""}, {1, 0x0402, "18 01 0a 0000 29 5908", "water_temperature=21.37"}}},
		{"scaled", climateSensor(), "  properties: {battery: {scale: 2}, temperature: {scale: 0.1, offset: -1}}\n", "temperature humidity battery identify:o",
			[]exchange{{1, 1, "18 01 0a 2100 20 64", "battery=100"}, {1, 0x0402, "18 01 0a 0000 29 5908", "temperature=1.137"}, {1, 1, "18 01 0a 2100 20 c8", ""}}},
		{"a battery by its voltage", battery(endpoint(1, 0, []uint16{1})),
			"  properties: {battery: {from: battery_voltage, curve: [[2.5, 0], [3.0, 100]]}}\n", "battery battery_voltage",
			[]exchange{{1, 1, "18 01 0a 2000 20 1c", "battery_voltage=2.8 battery=60"}, {1, 1, "18 01 0a 2100 20 c8", ""}}},
		{"a battery by a voltage that is not shown", battery(endpoint(1, 0, []uint16{1})),
			"  properties: {battery: {from: battery_voltage, curve: [[2.5, 0], [3.0, 100]]}, battery_voltage: {drop: true}}\n", "battery",
			[]exchange{{1, 1, "18 01 0a 2000 20 1c", "battery=60"}}},
		{"inverted", mains(endpoint(1, 0, []uint16{0x102, 0x406})), "  properties: {position: {invert: true}, occupancy: {invert: true, clears: 90s}}\n",
			"position:w movement:o occupancy refresh:o",
			[]exchange{{1, 0x0102, "18 01 0a 0800 20 1e", "position=30"}, {1, 0x0406, "18 01 0a 0000 18 00", "occupancy=true for 1m30s"}}},
		{"a zone of another meaning", contactSensor(), "  zone: {property: vibration, alarm_2: presence, clears: 1m}\n",
			"vibration tamper battery_low presence battery identify:o",
			[]exchange{{1, 0x0500, "09 01 00 0100 00", "vibration=true for 1m0s presence=false tamper=false battery_low=false"}}},
		{"a zone turned round", contactSensor(), "  zone: {invert: true}\n", "open tamper battery_low battery identify:o",
			[]exchange{{1, 0x0500, "09 01 00 0000 00", "open=true tamper=false battery_low=false"}}},
		{"an attribute of the manufacturer's", climateSensor(),
			"  attributes: [{cluster: 0xfcc0, attribute: 0x0112, manufacturer: 0x115f, type: uint32, property: illuminance, scale: 0.1}]\n",
			"temperature humidity battery identify:o illuminance",
			[]exchange{{1, 0xfcc0, "1c 5f11 01 0a 1201 23 64000000", "illuminance=10"}, {1, 0xfcc0, "18 01 0a 1201 23 64000000", ""}}},
		{"an attribute that means something else", mains(endpoint(1, 0x0100, []uint16{6})),
			"  attributes: [{cluster: on_off, attribute: on_off, property: open}]\n  properties: {\"on\": {drop: true}}\n", "open refresh:o",
			[]exchange{{1, 6, "18 01 0a 0000 10 01", "open=true"}}},
		{"an attribute in place of the standard's", battery(endpoint(1, 0, []uint16{1})),
			"  attributes: [{cluster: power_configuration, attribute: battery_percentage_remaining, property: battery}]\n", "battery",
			[]exchange{{1, 1, "18 01 0a 2100 20 64", "battery=100"}}},
		{"bits of one attribute", battery(endpoint(1, 0, []uint16{6})),
			"  attributes: [{cluster: 0xfc00, attribute: 0x0001, type: uint8, property: tamper, mask: 1}, {cluster: 0xfc00, attribute: 0x0001, type: uint8, property: vibration, mask: 2}]\n",
			"on:w tamper vibration", []exchange{{1, 0xfc00, "18 01 0a 0100 20 02", "tamper=false vibration=true"}}},
		{"buttons by commands", battery(endpoint(1, 0x0000, nil, 6, 5)),
			"  commands: [{cluster: on_off, command: \"on\", property: button_1, value: single}, {cluster: on_off, command: \"off\", property: button_1, value: double}, {cluster: scenes, command: recall, payload: \"?? ?? 07\", property: button_2, value: hold}]\n",
			"button_1:m button_2:m",
			[]exchange{{1, 6, "01 01 01", "button_1=\"single\""}, {1, 6, "01 01 00", "button_1=\"double\""}, {1, 6, "01 01 02", ""},
				{1, 5, "01 01 05 0000 07", "button_2=\"hold\""}, {1, 5, "01 01 05 0000 08", ""}}},
		{"buttons by an attribute", battery(endpoint(1, 0, []uint16{0x12})),
			"  attributes: [{cluster: multistate_input, attribute: present_value, property: button, values: {1: single, 2: double, 0: hold}}]\n", "button:m",
			[]exchange{{1, 0x12, "18 01 0a 5500 21 0200", "button=\"double\""}, {1, 0x12, "18 01 01 5500 00 21 0200", ""}, {1, 0x12, "18 01 0a 5500 21 0900", ""}}},
		{"Aqara's tags", battery(endpoint(1, 0, []uint16{0})), "  aqara: [{tag: 0x01, property: battery_voltage, scale: 0.001}, {tag: 0x64, property: \"on\"}]\n",
			"battery_voltage on",
			[]exchange{{1, 0, "1c 5f11 01 0a 01ff 42 07 0121bd0b 641001", "battery_voltage=3.005 on=true"},
				{1, 0xfcc0, "1c 5f11 01 0a f700 41 04 0121bd0b", "battery_voltage=3.005"}}},
		{"Tuya's points", mains(endpoint(1, 0x0051, []uint16{0, 4, 5, 0xef00}, 0xa, 0x19)),
			"  tuya: {points: [{dp: 1, type: bool, property: \"on\", writable: true}, {dp: 2, type: value, property: brightness, writable: true, scale: 0.1}, {dp: 3, type: value, property: temperature, scale: 0.1}]}\n",
			"on:w brightness:w temperature",
			[]exchange{{1, 0xef00, "09 01 02 0001 01 01 0001 01 03 02 0004 000000d7", "on=true temperature=21.5"},
				{1, 0xef00, "09 01 01 0001 02 02 0004 000001f4", "brightness=50"}, {1, 0xef00, "09 01 02 0001 63 01 0001 01", ""}, {1, 0xef00, "09 01 02 00", ""}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := New(test.of, defined(t, test.definition))
			if err := m.Device("radio:1").Check(); err != nil {
				t.Error(err)
			}
			if got := offered(m); got != test.properties {
				t.Errorf("properties\n%s, want\n%s", got, test.properties)
			}
			for _, x := range test.exchanges {
				said, got := hears(t, m, x.endpoint, x.cluster, x.frame), ""
				for i, v := range said.Values {
					if i > 0 {
						got += " "
					}
					got += v.Property + "=" + v.Value.String()
					if v.Clears != 0 {
						got += fmt.Sprintf(" for %v", v.Clears)
					}
				}
				if got != x.says {
					t.Errorf("%04x %s\nsays %s, want %s", x.cluster, x.frame, got, x.says)
				}
			}
		})
	}
}

func TestDeviationsOfWhatIsSent(t *testing.T) {
	tuya := mains(endpoint(1, 0x0051, []uint16{0, 0xef00}))
	cover := mains(endpoint(1, 0x0202, []uint16{0x102}))
	for _, test := range []struct {
		name       string
		of         Description
		definition string
		set        map[string]any
		want       string
		confirm    string
	}{
		{"inverted", cover, "  properties: {position: {invert: true}}\n", map[string]any{"position": 30}, "1/0102 0100051e", "1/0102[0008]"},
		{"turned round", cover, "  properties: {movement: {invert: true}}\n", map[string]any{"movement": "open"}, "1/0102 010001", "1/0102[0008]"},
		{"scaled", dimmer(), "  properties: {brightness: {scale: 2}}\n", map[string]any{"brightness": 100}, "1/0008 0100047f0000", "1/0008[0000] 1/0006[0000]"},
		{"by name", mains(endpoint(1, 0x0100, []uint16{6}), endpoint(2, 0x0100, []uint16{6})), "  endpoints: {left: 1, right: 2}\n",
			map[string]any{"on_right": true}, "2/0006 010001", "2/0006[0000]"},
		{"an attribute", dimmer(), "  attributes: [{cluster: 0xfc11, attribute: 0x0001, manufacturer: 0x1286, type: uint16, property: delay, unit: s, scale: 0.1, min: 0, max: 60, writable: true}]\n",
			map[string]any{"delay": 2.5}, "1/fc11 04861200020100" + "211900", "1/fc11[0001]"},
		{"an attribute of words", dimmer(), "  attributes: [{cluster: on_off, attribute: 0x8002, type: enum8, property: power_on_behavior, values: {0: \"off\", 1: \"on\", 2: previous}, writable: true}]\n",
			map[string]any{"power_on_behavior": "previous"}, "1/0006 0000020280" + "3002", "1/0006[8002]"},
		{"an attribute that cannot be read", dimmer(), "  attributes: [{cluster: 0xfc11, attribute: 0x0001, type: bool, property: child_lock, silent: true, writable: true}]\n",
			map[string]any{"child_lock": true}, "1/fc11 0000020100" + "1001", ""},
		{"an attribute of text", dimmer(), "  attributes: [{cluster: 0xfc11, attribute: 0x0001, type: char_string, property: label, kind: text, writable: true}]\n",
			map[string]any{"label": "hi"}, "1/fc11 0000020100" + "42026869", "1/fc11[0001]"},
		{"a command", dimmer(), "  actions: [{cluster: identify, command: trigger_effect, property: effect, options: {blink: \"00 00\", breathe: \"01 00\"}}]\n",
			map[string]any{"effect": "breathe"}, "1/0003 0100400100", ""},
		{"a plain command", dimmer(), "  actions: [{cluster: 0xfc11, command: 0x05, manufacturer: 0x1286, property: reset_energy, payload: \"aa\"}]\n",
			map[string]any{"reset_energy": true}, "1/fc11 058612" + "0005aa", ""},
		{"points", tuya, "  tuya: {points: [{dp: 1, type: bool, property: \"on\", writable: true}, {dp: 2, type: value, property: brightness, writable: true, scale: 0.1}]}\n",
			map[string]any{"on": true, "brightness": 50}, "1/ef00 110000" + "0001" + "0101000101, 1/ef00 110000" + "0002" + "02020004000001f4", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := New(test.of, defined(t, test.definition))
			requests, err := m.Outgoing(wished(test.set), nil)
			if got := sent(requests); err != nil || got != test.want {
				t.Errorf("sent %s, %v; want %s", got, err, test.want)
			}
			if got := confirms(requests); got != test.confirm {
				t.Errorf("read back by %s, want %s", got, test.confirm)
			}
		})
	}
}

func TestDeviationsOfSetup(t *testing.T) {
	for _, test := range []struct {
		name       string
		of         Description
		definition string
		bound      string
		reported   string
		polls      string
		sent       string
	}{
		{"quiet", climateSensor(), "  setup: {quiet: true}\n", "", "", "", ""},
		{"quiet but for", climateSensor(), "  setup: {quiet: true, bind: [{cluster: 0x0402}], report: [{cluster: 0x0402, attribute: measured_value, min: 30, max: 600, change: 50}]}\n",
			"1/0402", "1/0402/0000 int16 30-600 50", "", ""},
		{"another pace", battery(endpoint(1, 0, []uint16{0x402})), "  properties: {temperature: {report: {min: 60, max: 900, change: 10}}}\n",
			"1/0402", "1/0402/0000 int16 60-900 10", "", ""},
		{"polled", mains(endpoint(1, 0, []uint16{0x402})), "  properties: {temperature: {poll: 30s}}\n", "", "", "1/0402[0000] 30s", ""},
		{"never reported", mains(endpoint(1, 0, []uint16{0x402})), "  setup: {report: [{cluster: 0x0402, attribute: measured_value, never: true}]}\n", "1/0402", "", "", ""},
		{"dropped", climateSensor(), "  properties: {humidity: {drop: true}, battery: {drop: true}}\n", "1/0020 1/0402", "1/0402/0000 int16 10-3600 25", "", ""},
		{"an attribute that is reported", battery(endpoint(2, 0, []uint16{6})),
			"  attributes: [{cluster: 0xfc00, attribute: 0x0001, endpoint: 2, type: uint8, property: humidity, report: {min: 1, max: 2, change: 3}}]\n",
			"2/0006 2/fc00", "2/0006/0000 bool 0-3600, 2/fc00/0001 uint8 1-2 3", "", ""},
		{"an attribute in place of the standard's", battery(endpoint(1, 0, []uint16{1})),
			"  attributes: [{cluster: power_configuration, attribute: battery_percentage_remaining, property: battery}]\n",
			"1/0001", "1/0001/0021 uint8 3600-62000 2", "", ""},
		{"bits of one attribute", battery(endpoint(1, 0, nil)),
			"  attributes: [{cluster: 0xfc00, attribute: 0x0001, type: uint8, property: tamper, mask: 1, report: {min: 0, max: 60}}, {cluster: 0xfc00, attribute: 0x0001, type: uint8, property: vibration, mask: 2}]\n",
			"1/fc00", "1/fc00/0001 uint8 0-60 0", "", ""},
		{"a property that the standard finds elsewhere", meteringPlug(),
			"  attributes: [{cluster: 0xfc11, attribute: 0x7006, type: uint32, property: power, scale: 0.001}]\n  ignore: [{cluster: metering}]\n",
			"1/0006 1/0b04", "1/0006/0000 bool 0-3600, 1/0b04/0505 uint16 10-600 20, 1/0b04/0508 uint16 5-600 50", "", ""},
		{"Tuya, woken once", mains(endpoint(1, 0x0051, []uint16{0, 0xef00})),
			"  tuya: {}\n  setup: {requests: [{cluster: basic, read: [manufacturer_name, zcl_version, application_version, model_identifier, power_source, 0xfffe]}]}\n", "", "", "",
			"1/0000 00000004000000010005000700feff, 1/ef00 010003"},
		{"an attribute that is polled", battery(endpoint(2, 0, []uint16{6})), "  attributes: [{cluster: 0xfc00, attribute: 0x0001, type: uint8, property: humidity, poll: 1m}]\n",
			"2/0006", "2/0006/0000 bool 0-3600", "2/fc00[0001] 1m0s", ""},
		{"an endpoint that it does not have", battery(endpoint(1, 0, []uint16{0, 0x402})),
			"  attributes: [{endpoint: 21, cluster: analog_input, attribute: present_value, property: power}]\n" +
				"  setup: {bind: [{endpoint: 21, cluster: analog_input}], report: [{endpoint: 21, cluster: analog_input, attribute: present_value}]," +
				" requests: [{endpoint: 21, cluster: basic, read: model_identifier}], poll: [{endpoint: 21, cluster: 0x0402, attributes: measured_value, every: 5m}]}\n",
			"1/0402", "1/0402/0000 int16 10-3600 25", "", ""},
		{"requests", battery(endpoint(1, 0, []uint16{0, 0x402}), endpoint(2, 0, []uint16{0xfcc0})),
			"  setup: {quiet: true, requests: [{cluster: 0xfcc0, manufacturer: 0x115f, write: 0x0009, type: uint8, value: 1}, {cluster: basic, read: model_identifier}], poll: [{cluster: 0x0402, attributes: measured_value, every: 5m}]}\n",
			"", "", "1/0402[0000] 5m0s", "2/fcc0 045f1100020900" + "2001, 1/0000 0000000500"},
		{"Tuya", mains(endpoint(1, 0x0051, []uint16{0, 0xef00})), "  tuya: {version: true}\n", "", "", "",
			"1/0000 00000004000000010005000700feff, 1/ef00 0100100002, 1/ef00 010003"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := New(test.of, defined(t, test.definition))
			if got := bound(m); got != test.bound {
				t.Errorf("bound %s, want %s", got, test.bound)
			}
			if got := reported(m); got != test.reported {
				t.Errorf("reported %s, want %s", got, test.reported)
			}
			polls := ""
			for _, p := range m.Setup().Polls {
				polls += fmt.Sprintf("%d/%04x%04x %v", p.Endpoint, p.Cluster, p.Attributes, p.Every)
			}
			if polls != test.polls {
				t.Errorf("polled %s, want %s", polls, test.polls)
			}
			if got := sent(m.Setup().Requests); got != test.sent {
				t.Errorf("sent %s, want %s", got, test.sent)
			}
		})
	}
}

// A divisor that a definition knows for old firmware is not that of a new one which tells its own.
func TestUntoldFacts(t *testing.T) {
	plug := mains(endpoint(1, 0x0051, []uint16{zcl.ClusterMetering}))
	m := New(plug, defined(t, "  facts: [{cluster: metering, attribute: divisor, value: 100, untold: true}]\n"))
	asked := slices.ContainsFunc(m.Facts(), func(r Read) bool {
		return r.Cluster == zcl.ClusterMetering && slices.Contains(r.Attributes, zcl.AttrMeteringDivisor)
	})
	if !asked {
		t.Error("its divisor is not asked for")
	}
	for _, test := range []struct {
		told map[string]float64
		want float64
	}{{nil, 123.45}, {map[string]float64{"1/0702/0302": 1000}, 12.345}} {
		plug.Facts = test.told
		m := New(plug, defined(t, "  facts: [{cluster: metering, attribute: divisor, value: 100, untold: true}]\n"))
		said := m.Incoming(Incoming{Endpoint: 1, Cluster: zcl.ClusterMetering, Frame: zcl.ReportAttributes(
			zcl.Attribute{ID: zcl.AttrMeteringCurrentSummationDelivered, Value: zcl.UintOf(zcl.Uint48, 12345)})})
		if len(said.Values) != 1 || said.Values[0].Value != hearth.NumberOf(test.want) {
			t.Errorf("told %v it says %v, want %v", test.told, said.Values, test.want)
		}
	}
}

func TestTuyaIsAskedAgainAndAgain(t *testing.T) {
	m := New(mains(endpoint(1, 0x0051, []uint16{0, 0xef00})), defined(t, "  tuya: {query_every: 3m}\n"))
	all := m.Setup().Repeats
	if len(all) != 1 || all[0].Every != 3*time.Minute || sent([]Request{all[0].Request}) != "1/ef00 010003" {
		t.Errorf("repeated: %+v", all)
	}
}

func TestDefinedFactsAreNotAsked(t *testing.T) {
	lamp := mains(endpoint(1, 0x010d, []uint16{0x300}))
	m := New(lamp, defined(t, "  facts: [{cluster: color_control, attribute: color_capabilities, value: 16}, {cluster: color_control, attribute: color_temp_physical_min_mireds, value: 200}]\n"))
	if got := offered(m); got != "color_temperature:w transition:o refresh:o" {
		t.Errorf("offers %s", got)
	}
	for _, r := range m.Facts() {
		for _, id := range r.Attributes {
			if id == 0x400a || id == 0x400b {
				t.Errorf("asked for %04x", id)
			}
		}
	}
}

// A divisor that a definition knows says nothing of what the device measures.
func TestDefinedFactsAreNoAnswers(t *testing.T) {
	m := New(mains(endpoint(1, 0x0051, []uint16{0xb04})), defined(t, "  facts: [{cluster: electrical_measurement, attribute: ac_current_divisor, value: 1000}]\n"))
	if got := offered(m); got != "power voltage current refresh:o" {
		t.Errorf("offers %s", got)
	}
	if got := told(hears(t, m, 1, 0x0b04, "18 01 0a 0805 21 9600")); got != "current=0.15" {
		t.Errorf("says %s", got)
	}
}

func TestDefinedIdentity(t *testing.T) {
	m := New(dimmer(), defined(t, "  type: fan\n  power: battery\n"))
	d := m.Device("radio:1")
	if d.Name != "Acme One b3c4" || d.Vendor != "Acme" || d.Model != "One" || d.Type != hearth.Type("fan") {
		t.Errorf("%+v", d)
	}
	if _, ok := d.Property("refresh"); !ok {
		t.Error("a router listens whatever its power is")
	}
	if _, noEnrol := New(contactSensor(), defined(t, "  zone: {no_enrol: true}\n")).Device("radio:1").Property("open"); !noEnrol {
		t.Error("not a zone")
	}
	if e := New(contactSensor(), defined(t, "  zone: {no_enrol: true}\n")).Setup().Enrol; len(e) != 0 {
		t.Errorf("enrolled: %v", e)
	}
}

// Tuya's devices ask their gateway things, with a definition or without.
func TestTuyaIsAnswered(t *testing.T) {
	zone := time.FixedZone("", 3600)
	now := time.Unix(1700000000, 0).In(zone)
	for _, test := range []struct {
		definition *quirks.Definition
		frame      string
		want       string
	}{
		{nil, "09 05 24 0001", "1/ef00 110524" + "08006553f10065" + "53ff10"},
		{defined(t, "  tuya: {time: none}\n"), "09 05 24 0001", ""},
		{nil, "09 06 25 0001", "1/ef00 110625" + "010001"},
		{nil, "09 06 02 0001 01 01 0001 01", ""},
	} {
		m := New(mains(endpoint(1, 0x0051, []uint16{0, 0xef00})), test.definition)
		said := m.Incoming(Incoming{Endpoint: 1, Cluster: 0xef00, Frame: parsed(t, test.frame), Now: now})
		if got := sent(said.Replies); got != test.want {
			t.Errorf("%s is answered %s, want %s", test.frame, got, test.want)
		}
	}
	tuya := mains(endpoint(1, 0x010a, []uint16{0, 6}))
	tuya.Vendor = "_TZ3000_abcdefgh"
	if got := sent(New(tuya, nil).Setup().Requests); got != "1/0000 00000004000000010005000700feff" {
		t.Errorf("woken by %s", got)
	}
}
