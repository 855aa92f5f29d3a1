package dialect_test

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

func TestConvert(t *testing.T) {
	tests := []struct {
		from, to     string
		theirs, ours float64
	}{
		{"°F", "°C", 212, 100},
		{"°F", "°C", -40, -40},
		{"K", "°C", 294.65, 21.5},
		{"Wh", "kWh", 1234, 1.234},
		{"GJ", "kWh", 1.8, 500},
		{"mV", "V", 3005, 3.005},
		{"mA", "A", 70, 0.07},
		{"kPa", "hPa", 101.3, 1013},
		{"Pa", "hPa", 101325, 1013.25},
		{"L", "m³", 1500, 1.5},
		{"µg/m³", "mg/m³", 30, 0.03},
		{"μg/m³", "µg/m³", 30, 30}, // the Greek letter and the sign
		{"ppm", "ppb", 0.5, 500},
		{"km/h", "m/s", 36, 10},
		{"min", "s", 2, 120},
		{"mired", "K", 250, 4000},
		{"", "W", 5, 5},
		{"%", "", 95, 0.95},
		{"W", "W", 5, 5},
		{"lqi", "lqi", 5, 5},
	}
	for _, tt := range tests {
		c, ok := dialect.Convert(tt.from, tt.to)
		if !ok {
			t.Errorf("%s cannot become %s", tt.from, tt.to)
			continue
		}
		if got := c.In(tt.theirs); math.Abs(got-tt.ours) > 1e-6*math.Abs(tt.ours) {
			t.Errorf("%v %s is %v %s, want %v", tt.theirs, tt.from, got, tt.to, tt.ours)
		}
		if got := c.Out(tt.ours); math.Abs(got-tt.theirs) > 1e-6*math.Abs(tt.theirs) {
			t.Errorf("%v %s is %v %s, want %v", tt.ours, tt.to, got, tt.from, tt.theirs)
		}
	}
	for _, pair := range [][2]string{{"W", "V"}, {"lqi", "%"}, {"W", "K"}, {"°C", "mired"}, {"µg/m³", "ppb"}} {
		if _, ok := dialect.Convert(pair[0], pair[1]); ok {
			t.Errorf("%s became %s", pair[0], pair[1])
		}
	}
	for mired := 50.0; mired <= 1000; mired++ {
		c := dialect.Mired()
		if again := c.Out(c.In(mired)); again != mired {
			t.Errorf("%v mired came back as %v", mired, again)
		}
	}
	if c := dialect.Mired(); !math.IsNaN(c.In(0)) || !math.IsNaN(c.Out(0)) || !math.IsNaN(c.In(-5)) {
		t.Error("nothing is no colour")
	}
}

func TestMeasured(t *testing.T) {
	power, _ := hearth.Word("power")
	p, c, ok := dialect.Measured(power, "kW")
	if !ok || p.Unit != "W" || c.In(1.5) != 1500 {
		t.Errorf("%+v %v %v", p, c.In(1.5), ok)
	}
	if _, _, ok := dialect.Measured(power, "lx"); ok {
		t.Error("power in lux")
	}
	share, _ := hearth.Word("power_factor_a")
	if _, c, ok := dialect.Measured(share, "%"); !ok || c.In(95) != 0.95 {
		t.Error("a power factor in percent")
	}
	quality, _ := hearth.Word("link_quality")
	if _, _, ok := dialect.Measured(quality, "%"); ok {
		t.Error("a link quality in percent is not the house's")
	}
	if _, c, ok := dialect.Measured(quality, "lqi"); !ok || c.In(200) != 200 {
		t.Error("a link quality in lqi is")
	}
	p, _, _ = dialect.Measured(hearth.Property{Name: "fill", Kind: hearth.Number}, "a\nb"+strings.Repeat("é", 200))
	if strings.ContainsAny(p.Unit, "\n") || len(p.Unit) > 32 || !utf8.ValidString(p.Unit) {
		t.Errorf("a unit is %q", p.Unit)
	}
	p, _, ok = dialect.Measured(hearth.Property{Name: "fill", Kind: hearth.Number}, "m³")
	if !ok || p.Unit != "m³" || p.UnitCode != "m3" {
		t.Errorf("%+v", p)
	}
}
