package expose

import (
	"math"
	"strings"
	"testing"
)

func TestColorsAreOneInAllTheirWays(t *testing.T) {
	for _, test := range []struct {
		name            string
		x, y            float64
		hue, saturation float64
	}{
		{"red", 0.64, 0.33, 0, 100},
		{"green", 0.30, 0.60, 120, 100},
		{"blue", 0.15, 0.06, 240, 100},
		{"daylight", 0.3127, 0.3290, 0, 0},
	} {
		at := chromaAt(test.x, test.y)
		if math.Abs(at.saturation-test.saturation) > 0.2 || test.saturation > 0 && math.Abs(math.Remainder(at.hue-test.hue, 360)) > 0.5 {
			t.Errorf("%s at %v, %v has the hue %.2f and saturation %.2f", test.name, test.x, test.y, at.hue, at.saturation)
		}
		of := chromaOf(test.hue, test.saturation)
		if math.Abs(of.x-test.x) > 0.001 || math.Abs(of.y-test.y) > 0.001 {
			t.Errorf("%s of %v, %v is at %.4f, %.4f", test.name, test.hue, test.saturation, of.x, of.y)
		}
	}
	for hue := 0.0; hue < 360; hue += 7 {
		for saturation := 5.0; saturation <= 100; saturation += 5 {
			c := chromaOf(hue, saturation)
			back := chromaAt(c.x, c.y)
			if math.Abs(math.Remainder(back.hue-hue, 360)) > 0.5 || math.Abs(back.saturation-saturation) > 0.2 {
				t.Fatalf("hue %v, saturation %v comes back as %.2f, %.2f", hue, saturation, back.hue, back.saturation)
			}
		}
	}
}

// The black body's colours, as published with the spline's coefficients and in CIE tables.
func TestWhite(t *testing.T) {
	for kelvin, want := range map[float64][2]float64{
		2000: {0.5267, 0.4133}, 2700: {0.4599, 0.4106}, 4000: {0.3805, 0.3768}, 6500: {0.3135, 0.3237}, 10000: {0.2807, 0.2884},
	} {
		if c := white(kelvin); math.Abs(c.x-want[0]) > 0.002 || math.Abs(c.y-want[1]) > 0.002 {
			t.Errorf("%v K is at %.4f, %.4f, want %v", kelvin, c.x, c.y, want)
		}
	}
}

// heard gives a lamp's colour cluster one frame after the other: what is said, and ? where the lamp is asked for more.
func heard(t *testing.T, m *Model, frames ...string) (all []string) {
	t.Helper()
	for _, frame := range frames {
		said := hears(t, m, 1, 0x0300, frame)
		all = append(all, strings.TrimSpace(told(said)+strings.Repeat("?", len(said.Reads))))
	}
	return all
}

func TestOnlyWhatTheColorModeMakesValidIsSaid(t *testing.T) {
	const (
		warm   = "color_temperature=2703 color_x=0.4591 color_y=0.4106 color_hue=30.3 color_saturation=65"
		purple = "color_x=0.5 color_y=0.25 color_hue=329.8 color_saturation=100"
	)
	for _, test := range []struct {
		name   string
		frames []string
		want   []string
	}{
		{"white, by a read", []string{"18 01 01 0800 00 30 02 0300 00 21 0080 0400 00 21 0040 0700 00 21 7201"}, []string{warm}},
		{"coloured, by a read", []string{"18 01 01 0800 00 30 01 0300 00 21 0080 0400 00 21 0040 0700 00 21 7201"}, []string{purple}},
		{"coloured by hue", []string{"18 01 01 0800 00 30 00 0300 00 21 0080 0400 00 21 0040 0040 00 21 0080 0100 00 20 fe 0700 00 21 7201"},
			[]string{"color_x=0.2247 color_y=0.3288 color_hue=180 color_saturation=100"}},
		{"the enhanced mode", []string{"18 01 01 0140 00 30 03 0040 00 21 0080 0100 00 20 fe"}, []string{"color_x=0.2247 color_y=0.3288 color_hue=180 color_saturation=100"}},
		{"the first report tells the mode", []string{"18 01 0a 0700 21 7201"}, []string{warm}},
		{"half of a colour", []string{"18 01 0a 0300 21 0080", "18 01 0a 0400 21 0040"}, []string{"", purple}},
		{"a stale temperature again", []string{
			"18 01 01 0800 00 30 01 0300 00 21 0080 0400 00 21 0040 0700 00 21 7201", "18 01 0a 0700 21 7201",
		}, []string{purple, ""}},
		{"a new temperature in a coloured mode", []string{
			"18 01 01 0800 00 30 01 0300 00 21 0080 0400 00 21 0040 0700 00 21 7201", "18 01 0a 0700 21 fa00", "18 01 01 0800 00 30 02 0700 00 21 7201",
		}, []string{purple, "?", warm}},
		{"a colour that goes with the temperature", []string{
			"18 01 01 0800 00 30 02 0700 00 21 fa00", "18 01 0a 0700 21 7201 0300 21 0080 0400 21 0040",
		}, []string{"color_temperature=4000 color_x=0.3805 color_y=0.3767 color_hue=30.8 color_saturation=35.2", warm}},
		{"a new colour in the white mode", []string{
			"18 01 01 0800 00 30 02 0700 00 21 7201", "18 01 0a 0300 21 0080 0400 21 0040",
			"18 01 01 0800 00 30 01 0300 00 21 0080 0400 00 21 0040 0700 00 21 7201",
		}, []string{warm, "?", purple}},
		{"no mode to be had", []string{
			"18 01 01 0800 86 0300 00 21 0080 0400 00 21 0040", "18 01 0a 0700 21 7201", "18 01 0a 0300 21 0080 0400 21 0140",
		}, []string{purple, warm, purple}},
		{"no colours at all", []string{"18 01 0a 0700 21 0000", "18 01 0a 0700 21 ffff 0300 21 ffff", "18 01 0a 0800 30 07"}, []string{"", "", ""}},
	} {
		got := heard(t, New(colorBulb(), nil), test.frames...)
		for i := range test.frames {
			if got[i] != test.want[i] {
				t.Errorf("%s: %s says\n%s, want\n%s", test.name, test.frames[i], got[i], test.want[i])
			}
		}
	}
}

// A lamp that is asked for a colour has it from then on, in the terms of whoever asked, as far as its own go.
func TestColorAskedFor(t *testing.T) {
	for _, test := range []struct {
		name  string
		set   map[string]any
		frame string
		want  string
	}{
		{"a hue without saturation", map[string]any{"color_hue": 120, "color_saturation": 0}, "18 01 0a 0040 21 5555 0100 20 00",
			"color_x=0.3127 color_y=0.329 color_hue=120 color_saturation=0"},
		{"the last hue", map[string]any{"color_hue": 360, "color_saturation": 100}, "18 01 0a 0040 21 feff 0100 20 fe",
			"color_x=0.64 color_y=0.33 color_hue=360 color_saturation=100"},
		{"a point", map[string]any{"color_x": 0.5, "color_y": 0.25}, "18 01 0a 0300 21 0180 0400 21 0140",
			"color_x=0.5 color_y=0.25 color_hue=329.8 color_saturation=100"},
		{"a temperature between two mireds", map[string]any{"color_temperature": 2705}, "18 01 0a 0700 21 7201",
			"color_temperature=2705 color_x=0.4589 color_y=0.4106 color_hue=30.3 color_saturation=64.9"},
		{"a temperature, and another one came", map[string]any{"color_temperature": 2705}, "18 01 0a 0700 21 fa00",
			"color_temperature=4000 color_x=0.3805 color_y=0.3767 color_hue=30.8 color_saturation=35.2"},
	} {
		m := New(colorBulb(), nil)
		heard(t, m, "18 01 01 0800 00 30 01 0300 00 21 0080 0400 00 21 0040 0700 00 21 0001")
		if _, err := m.Outgoing(wished(test.set), nil); err != nil {
			t.Fatal(err)
		}
		if got := heard(t, m, test.frame)[0]; got != test.want {
			t.Errorf("%s: says\n%s, want\n%s", test.name, got, test.want)
		}
	}
}

func TestWhatALampCan(t *testing.T) {
	lamp := func(device uint16, known map[string]float64) string {
		return offered(New(Description{Endpoints: []Endpoint{endpoint(1, device, []uint16{0x300})}}.knowing(known), nil))
	}
	const colored, warms = "color_x:w color_y:w color_hue:w color_saturation:w transition:o", "color_temperature:w"
	for _, test := range []struct {
		device uint16
		known  map[string]float64
		want   string
	}{
		{0x010d, facts("1/0300/400a", 0x10), warms + " transition:o"},
		{0x010d, facts("1/0300/400a", 0x08), colored},
		{0x010d, facts("1/0300/400a", 0x02), warms + " " + colored}, // nothing to go by
		{0x010d, facts("1/0300/400a", 0x00, "1/0300/0007", 300), warms + " transition:o"},
		{0x010d, facts("1/0300/0003", 300), colored},
		{0x010d, nil, warms + " " + colored},
		{0x010c, nil, warms + " transition:o"},
		{0x0102, nil, colored},
	} {
		if got := lamp(test.device, test.known); got != test.want {
			t.Errorf("device %04x of %v offers %s, want %s", test.device, test.known, got, test.want)
		}
	}
}
