package dialect_test

import (
	"math"
	"testing"

	"hearth/drivers/mqtt/dialect"
)

func TestColours(t *testing.T) {
	for _, tt := range []struct {
		r, g, b         float64
		hue, saturation float64
	}{{255, 0, 0, 0, 100}, {0, 255, 0, 120, 100}, {0, 0, 255, 240, 100}, {255, 255, 255, 0, 0}, {0, 0, 0, 0, 0}, {255, 128, 0, 30.1, 100}, {255, 0, 128, 329.9, 100}, {128, 255, 255, 180, 49.8}} {
		if hue, saturation := dialect.HueOf(tt.r, tt.g, tt.b); hue != tt.hue || saturation != tt.saturation {
			t.Errorf("%v %v %v is hue %v, saturation %v, want %v, %v", tt.r, tt.g, tt.b, hue, saturation, tt.hue, tt.saturation)
		}
	}
	for hue := range 360 {
		for _, saturation := range []float64{30, 75, 100} {
			r, g, b := dialect.RGBOf(float64(hue), saturation)
			h, s := dialect.HueOf(float64(r), float64(g), float64(b))
			if off := math.Abs(h - float64(hue)); min(off, 360-off) > 1 || math.Abs(s-saturation) > 0.5 {
				t.Errorf("hue %d, saturation %v became %v and %v, %v", hue, saturation, [3]int64{r, g, b}, h, s)
			}
		}
	}
}
