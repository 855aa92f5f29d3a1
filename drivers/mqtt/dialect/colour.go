package dialect

import "math"

// HueOf turns red, green and blue (0 to 255) into hue in degrees and saturation in percent, of one decimal. Grey has no
// hue.
func HueOf(r, g, b float64) (hue, saturation float64) {
	high, low := max(r, g, b), min(r, g, b)
	if high <= 0 || high == low {
		return 0, 0
	}
	span := high - low
	switch high {
	case r:
		hue = math.Mod((g-b)/span+6, 6)
	case g:
		hue = (b-r)/span + 2
	default:
		hue = (r-g)/span + 4
	}
	return math.Round(hue*600) / 10, math.Round(span/high*1000) / 10
}

// RGBOf is the way back, at full strength: how bright a light is, is told apart.
func RGBOf(hue, saturation float64) (r, g, b int64) {
	channel := func(n float64) int64 {
		k := math.Mod(n+hue/60, 6)
		return int64(math.Round(255 * (1 - saturation/100*max(0, min(k, 4-k, 1)))))
	}
	return channel(5), channel(3), channel(1)
}
