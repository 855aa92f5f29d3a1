package expose

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"hearth/drivers/zigbee/zcl"
)

// What a lamp does when its power comes back is 0xff where it is as before: that is no "not known".
func TestLearnStartUp(t *testing.T) {
	var d Description
	if !d.Learn(1, zcl.ClusterOnOff, []zcl.AttributeResult{{ID: zcl.AttrOnOffStartUpOnOff, Value: zcl.InvalidOf(zcl.Enum8)}}) {
		t.Error("nothing was learnt")
	}
	if want := facts("1/0006/4003", 255); !reflect.DeepEqual(d.Facts, want) {
		t.Errorf("learnt %v, want %v", d.Facts, want)
	}
	if d.Learn(1, zcl.ClusterDoorLock, []zcl.AttributeResult{{ID: zcl.AttrDoorLockDoorState, Value: zcl.InvalidOf(zcl.Enum8)}}) {
		t.Error("a lock that does not know its door was taken for one that does")
	}
}

func TestLearn(t *testing.T) {
	first := Description{Facts: map[string]float64{"1/0300/400a": 16}}
	d := first
	results := []zcl.AttributeResult{
		{ID: 0x400b, Value: zcl.UintOf(zcl.Uint16, 153)},
		{ID: 0x400c, Status: zcl.UnsupportedAttribute},
		{ID: 0x0007, Value: zcl.UintOf(zcl.Uint16, 0xffff)}, // not known
		{ID: 0x0055, Value: zcl.FloatOf(zcl.Float32, math.Inf(1))},
		{ID: 0x001c, Value: zcl.TextOf("Tank level")},
		{ID: 0x4003, Value: zcl.UintOf(zcl.Enum8, 0)},
	}
	if !d.Learn(1, 0x0300, results) {
		t.Error("nothing was learnt")
	}
	if want := facts("1/0300/400a", 16, "1/0300/400b", 153, "1/0300/4003", 0); !reflect.DeepEqual(d.Facts, want) {
		t.Errorf("learnt %v, want %v", d.Facts, want)
	}
	if d.Texts["1/0300/001c"] != "Tank level" {
		t.Errorf("learnt %v", d.Texts)
	}
	if d.Learn(1, 0x0300, results) {
		t.Error("the same was learnt twice")
	}
	if len(first.Facts) != 1 {
		t.Error("a map that a Model may hold was changed")
	}
	data, err := json.Marshal(d)
	var back Description
	if err == nil {
		err = json.Unmarshal(data, &back)
	}
	if err != nil || !reflect.DeepEqual(back, d) {
		t.Errorf("stored as %s and read as %+v, %v", data, back, err)
	}
}

func TestMeters(t *testing.T) {
	for _, test := range []struct {
		unit, device int
		want         string
	}{
		{0x00, 0, "energy=12.345"},
		{0x80, 0, "energy=12.345"}, // binary coded
		{0x00, 5, "heat_energy=12.345"},
		{0x01, 1, "gas_volume=12.345"},
		{0x01, 2, "water_volume=12.345"},
		{0x01, 0, ""},
		{0x07, 2, "water_volume=0.012345"},
		{0x0c, 5, "heat_energy=3.4291666666666667"},
		{0x04, 2, ""}, // gallons
	} {
		m := New(mains(endpoint(1, 0x0053, []uint16{0x702})).knowing(facts(
			"1/0702/0300", test.unit, "1/0702/0306", test.device, "1/0702/0302", 1000, "1/0702/0000", 1)), nil)
		if got := told(hears(t, m, 1, 0x0702, "18 01 0a 0000 25 39300000 0000")); got != test.want {
			t.Errorf("unit %02x of meter %d: %s, want %s", test.unit, test.device, got, test.want)
		}
	}
	demand := New(mains(endpoint(1, 0x0053, []uint16{0x702})).knowing(facts("1/0702/0301", 0, "1/0702/0302", 10000, "1/0702/0400", 1)), nil)
	if got := told(hears(t, demand, 1, 0x0702, "18 01 0a 0004 2a 7b0000")); got != "power=12.3" {
		t.Errorf("demand: %s", got)
	}
}

func TestTariffs(t *testing.T) {
	m := New(mains(endpoint(1, 0x0053, []uint16{0x702})).knowing(facts("1/0702/0302", 1000, "1/0702/0100", 1, "1/0702/0102", 1, "1/0702/0103", 1)), nil)
	if got := told(hears(t, m, 1, 0x0702, "18 01 0a 0001 25 e80300000000 0201 25 d00700000000 0301 25 b80b00000000")); got != "energy_t1=1 energy_t2=2 energy_exported_t2=3" {
		t.Errorf("said %s", got)
	}
}

func TestDirectCurrent(t *testing.T) {
	m := New(mains(endpoint(1, 0, []uint16{0xb04})).knowing(facts("1/0b04/0100", 1, "1/0b04/0103", 1, "1/0b04/0106", 1, "1/0b04/0201", 10, "1/0b04/0203", 100)), nil)
	if got := told(hears(t, m, 1, 0x0b04, "18 01 0a 0001 29 7b00 0301 29 6400 0601 29 0c00")); got != "voltage=12.3 current=1 power=12" {
		t.Errorf("said %s", got)
	}
}

func TestTypes(t *testing.T) {
	for _, test := range []struct {
		profile, device uint16
		in, out         []uint16
		as, called      string
	}{
		{profileLightLink, 0x0000, []uint16{6}, nil, "light", "Light"},
		{profileLightLink, 0x0010, []uint16{6}, nil, "outlet", "Outlet"},
		{profileLightLink, 0x0110, []uint16{6, 8}, nil, "outlet", "Dimmable outlet"},
		{profileLightLink, 0x0210, []uint16{6, 8, 0x300}, nil, "light", "Colour light"},
		{profileLightLink, 0x0220, []uint16{6, 8, 0x300}, nil, "light", "White light"},
		{profileLightLink, 0x0820, nil, []uint16{6}, "button", "Remote control"},
		{profileLightLink, 0x9999, []uint16{6}, nil, "switch", "Switch"},
		{profileSmartEnergy, 0x0501, []uint16{0x702}, nil, "meter", "Meter"},
		{profileHomeAutomation, 0x0103, nil, []uint16{6}, "button", "Remote control"},
		{profileHomeAutomation, 0x0100, []uint16{0x402}, nil, "sensor", "Temperature sensor"}, // it says it is a lamp
		{profileHomeAutomation, 0x0303, []uint16{6}, nil, "switch", "Pump"},
		{profileHomeAutomation, 0x0107, []uint16{0x406}, nil, "sensor", "Motion sensor"},
		{profileHomeAutomation, 0x0051, []uint16{6, 0x702}, nil, "outlet", "Outlet"},
		{0xabcd, 0x0100, []uint16{6, 8, 0x300}, nil, "light", "Colour light"},
		{0xabcd, 0x0100, []uint16{0x702}, nil, "meter", "Electricity meter"},
		{0xabcd, 0x0100, []uint16{0xc}, nil, "sensor", "Sensor"},
		{0xabcd, 0x0100, []uint16{0x502}, nil, "siren", "Siren"},
		{profileHomeAutomation, 0x0820, nil, []uint16{5}, "button", "Remote control"}, // nothing was pressed yet
	} {
		d := Description{Endpoints: []Endpoint{{ID: 1, Profile: test.profile, Device: test.device, In: test.in, Out: test.out}}}
		got := New(d, nil).Device("radio:1")
		if string(got.Type) != test.as || got.Name != test.called+" 0000" {
			t.Errorf("%04x/%04x of %04x is a %s, %q; want %s, %q", test.profile, test.device, test.in, got.Type, got.Name, test.as, test.called)
		}
	}
}

func TestThermostatsOfOtherKinds(t *testing.T) {
	running := New(mains(endpoint(1, 0x0301, []uint16{0x201})).knowing(facts("1/0201/001e", 0, "1/0201/001b", 0)), nil)
	for frame, want := range map[string]string{
		"18 01 0a 1e00 30 00": "hvac_action=\"idle\"", "18 01 0a 1e00 30 03": "hvac_action=\"cooling\"",
		"18 01 0a 1e00 30 04": "hvac_action=\"heating\"", "18 01 0a 1e00 30 09": "",
		"18 01 0a 1100 29 280a 1200 29 d007": "target_temperature=26", // one that only cools
	} {
		if got := told(hears(t, running, 1, 0x0201, frame)); got != want {
			t.Errorf("%s says %s, want %s", frame, got, want)
		}
	}
	plain := New(mains(endpoint(1, 0x0301, []uint16{0x201})).knowing(facts("1/0201/0012", 0, "1/0201/0015", 3000, "1/0201/0016", 500)), nil)
	if p, _ := plain.Device("radio:1").Property("target_temperature"); *p.Min != 5 || *p.Max != 35 {
		t.Errorf("limits the wrong way round: %v to %v", *p.Min, *p.Max)
	}
}

func TestReadsFitIntoFrames(t *testing.T) {
	for _, s := range menagerie(t) {
		m := s.model()
		for _, r := range append(append([]Read(nil), m.Facts()...), m.Setup().Reads...) {
			if len(r.Attributes) == 0 || len(r.Attributes) > 1 && answerSize(r.Cluster, r.Attributes) > maxAnswer {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestReportingIsSensible(t *testing.T) {
	for _, s := range menagerie(t) {
		for _, r := range s.model().Setup().Reporting {
			if r.Record.Max < 600 || r.Record.Min > r.Record.Max || r.Every < 1e9 || r.Record.Type == zcl.UnknownType {
				t.Errorf("%04x %+v every %v", r.Cluster, r.Record, r.Every)
			}
			change, _ := r.Record.Change.Number()
			if r.Record.Type.Analog() && change == 0 && r.Record.Min == 0 {
				t.Errorf("%04x %+v floods", r.Cluster, r.Record)
			}
		}
	}
	if got := reported(New(climateSensor(), nil)); got != "1/0402/0000 int16 10-3600 25, 1/0405/0000 uint16 10-3600 100, 1/0001/0021 uint8 3600-62000 2" {
		t.Errorf("climate: %s", got)
	}
	if got := reported(New(meteringPlug(), nil)); got != "1/0006/0000 bool 0-3600, 1/0b04/050b int16 5-600 20, 1/0b04/0505 uint16 10-600 20, 1/0b04/0508 uint16 5-600 50, 1/0702/0000 uint48 30-1800 10" {
		t.Errorf("plug: %s", got)
	}
}
