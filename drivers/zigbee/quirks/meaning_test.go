package quirks

import (
	"testing"

	"hearth"
	"hearth/drivers/zigbee/zcl"
	"hearth/settings"
)

func meaning(t testing.TB, text string) *Meaning {
	t.Helper()
	var m Meaning
	if err := settings.Parse("meaning.yaml", []byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return &m
}

// TestMeaningsBothWays has numbers that mean values, and that values are written as.
func TestMeaningsBothWays(t *testing.T) {
	tests := []struct {
		meaning string
		raw     float64
		value   hearth.Value
	}{
		{`{property: temperature, scale: 0.1}`, 213, hearth.NumberOf(21.3)},
		{`{property: temperature, scale: 0.1}`, -15, hearth.NumberOf(-1.5)},
		{`{property: temperature, scale: 0.5}`, 43, hearth.NumberOf(21.5)},
		{`{property: energy, scale: 0.001}`, 123456, hearth.NumberOf(123.456)},
		{`{property: temperature, scale: 0.1, offset: -40}`, 615, hearth.NumberOf(21.5)},
		{`{property: voltage}`, 230, hearth.NumberOf(230)},
		{`{property: position, invert: true}`, 30, hearth.NumberOf(70)},
		{`{property: level, invert: true, min: 0, max: 10}`, 3, hearth.NumberOf(7)},
		{`{property: battery, curve: [[2850, 0], [3000, 100]]}`, 2925, hearth.NumberOf(50)},
		{`{property: volume, curve: [[10, 100], [100, 0]]}`, 55, hearth.NumberOf(50)},
		{`{property: fan_speed, curve: [[0, 33], [1, 66], [2, 100]]}`, 1, hearth.NumberOf(66)},
		{`{property: on}`, 1, hearth.BoolOf(true)},
		{`{property: on}`, 0, hearth.BoolOf(false)},
		{`{property: open, invert: true}`, 0, hearth.BoolOf(true)},
		{`{property: smoke, true_for: 0}`, 0, hearth.BoolOf(true)},
		{`{property: smoke, true_for: 0}`, 1, hearth.BoolOf(false)},
		{`{property: presence, true_for: [1, 2]}`, 1, hearth.BoolOf(true)},
		{`{property: frost, kind: bool}`, 1, hearth.BoolOf(true)},
		{`{property: preset, values: {0: manual, 1: auto}}`, 1, hearth.TextOf("auto")},
		{`{property: hvac_mode, values: {0: "off", 1: heat}}`, 0, hearth.TextOf("off")},
	}
	for _, test := range tests {
		m := meaning(t, test.meaning)
		if got := m.OfNumber(test.raw); got != test.value {
			t.Errorf("%s: %v means %v, want %v", test.meaning, test.raw, got, test.value)
		}
		if raw, err := m.Raw(test.value); err != nil || raw != test.raw {
			t.Errorf("%s: %v is written as %v, %v, want %v", test.meaning, test.value, raw, err, test.raw)
		}
	}
}

func TestMeaningsOneWay(t *testing.T) {
	bands := `{property: button, bands: true, values: {-100: left, 0: right, 64: flip}}`
	tests := []struct {
		meaning string
		raw     float64
		value   hearth.Value
	}{
		{bands, -0.5, hearth.TextOf("left")},
		{bands, 0, hearth.TextOf("right")},
		{bands, 63, hearth.TextOf("right")},
		{bands, 1000, hearth.TextOf("flip")},
		{bands, -101, hearth.Value{}},
		{`{property: preset, values: {0: manual}}`, 7, hearth.Value{}},
		{`{property: illuminance, mask: 0xffff}`, 65590, hearth.NumberOf(54)},
		{`{property: strength, mask: 0xffff0000}`, 0x230000, hearth.NumberOf(35)},
		{`{property: occupancy, mask: 0x10000}`, 65590, hearth.BoolOf(true)},
		{`{property: occupancy, mask: 0x10000}`, 54, hearth.BoolOf(false)},
		{`{property: presence, true_for: [1, 2]}`, 2, hearth.BoolOf(true)},
		{`{property: battery, curve: [[2850, 0], [3000, 100]]}`, 2000, hearth.NumberOf(0)},
		{`{property: battery, curve: [[2850, 0], [3000, 100]]}`, 3300, hearth.NumberOf(100)},
	}
	for _, test := range tests {
		if got := meaning(t, test.meaning).OfNumber(test.raw); got != test.value {
			t.Errorf("%s: %v means %v, want %v", test.meaning, test.raw, got, test.value)
		}
	}
	if _, err := meaning(t, `{property: preset, values: {0: manual}}`).Raw(hearth.TextOf("other")); err == nil {
		t.Error("a text that stands for nothing is written")
	}
}

func TestMeaningsOfValues(t *testing.T) {
	number, text := meaning(t, `{property: temperature, scale: 0.01}`), meaning(t, `{property: serial, kind: text}`)
	tests := []struct {
		meaning *Meaning
		value   zcl.Value
		want    hearth.Value
	}{
		{number, zcl.IntOf(zcl.Int16, 2150), hearth.NumberOf(21.5)},
		{number, zcl.InvalidOf(zcl.Int16), hearth.Value{}},
		{number, zcl.TextOf("21.5"), hearth.Value{}},
		{text, zcl.TextOf("A17"), hearth.TextOf("A17")},
		{text, zcl.TextOf(""), hearth.Value{}},
	}
	for _, test := range tests {
		if got := test.meaning.Of(test.value); got != test.want {
			t.Errorf("%s: %v means %v, want %v", test.meaning.Property, test.value, got, test.want)
		}
	}
}

func TestShapes(t *testing.T) {
	p := meaning(t, `{property: button_left, values: {2: double, 1: single}}`).Shape()
	if !p.Momentary || p.Name != "button_left" || len(p.Options) != 2 || p.Options[0] != "single" {
		t.Errorf("a button is %+v", p)
	}
	p = meaning(t, `{property: target_temperature, min: 10, max: 28, writable: true}`).Shape()
	if !p.Writable || *p.Min != 10 || *p.Max != 28 || p.Unit != "°C" {
		t.Errorf("a target is %+v", p)
	}
	p = meaning(t, `{property: airflow, unit: m/s}`).Shape()
	if p.Kind != hearth.Number || p.Unit != "m/s" || p.Writable {
		t.Errorf("a name of one's own is %+v", p)
	}
}

func TestPatterns(t *testing.T) {
	tests := []struct {
		pattern string
		payload []byte
		begins  bool
	}{
		{"", nil, true}, {"01", []byte{1, 2}, true}, {"01", []byte{2}, false}, {"01", nil, false},
		{"01 ?? 03", []byte{1, 9, 3}, true}, {"01??03", []byte{1, 9, 4}, false}, {"01??", []byte{1}, false},
	}
	for _, test := range tests {
		var p Pattern
		if err := p.UnmarshalText([]byte(test.pattern)); err != nil {
			t.Fatal(err)
		}
		if p.Begins(test.payload) != test.begins {
			t.Errorf("%q and %x: %v", test.pattern, test.payload, !test.begins)
		}
	}
	for _, broken := range []string{"0", "xy", "0?", "01 2"} {
		var p Pattern
		if p.UnmarshalText([]byte(broken)) == nil {
			t.Errorf("%q is taken", broken)
		}
	}
}
