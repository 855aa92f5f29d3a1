package homeassistant

import (
	"math"
	"strings"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

func tenth(f float64) float64 { return math.Round(f*10) / 10 }

// mired and kelvin are each a million divided by the other.
func mired(f float64) float64 {
	if f <= 0 {
		return 0
	}
	return math.Round(1e6 / f)
}

// numbers reads "1,2,3", or a list.
func numbers(v any) []float64 {
	list, ok := v.([]any)
	if !ok {
		text, _ := textOf(v)
		if len(text) > 64 {
			return nil
		}
		for _, part := range strings.Split(strings.Trim(text, "()[] "), ",") {
			list = append(list, part)
		}
	}
	out := make([]float64, 0, len(list))
	for _, member := range list {
		n, ok := numberOf(member)
		if !ok {
			return nil
		}
		out = append(out, n)
	}
	return out
}

// part reads one of the numbers of a colour.
func part(n, of int) func(any, *scope) hearth.Value {
	return func(v any, _ *scope) hearth.Value {
		if all := numbers(v); len(all) >= of {
			return hearth.NumberOf(all[n])
		}
		return hearth.Value{}
	}
}

// rgbPart reads hue (0) or saturation (1) from red, green and blue.
func rgbPart(n int) func(any, *scope) hearth.Value {
	return func(v any, _ *scope) hearth.Value {
		all := numbers(v)
		if len(all) < 3 {
			return hearth.Value{}
		}
		return hueOrSaturation(n, all[0], all[1], all[2])
	}
}

func hueOrSaturation(n int, r, g, b float64) hearth.Value {
	hue, saturation := dialect.HueOf(r, g, b)
	if n == 0 {
		return hearth.NumberOf(hue)
	}
	return hearth.NumberOf(saturation)
}

// brightnessOf reads a brightness of the bridge's scale as percent.
func brightnessOf(full float64) func(any, *scope) hearth.Value {
	return func(v any, _ *scope) hearth.Value {
		n, ok := numberOf(v)
		if !ok || full <= 0 {
			return hearth.Value{}
		}
		return hearth.NumberOf(tenth(min(100, max(0, n/full*100))))
	}
}

// brightnessFor is the way back: what is not 0 never becomes 0.
func brightnessFor(percent, full float64) int64 {
	if percent <= 0 {
		return 0
	}
	return int64(max(1, math.Round(percent/100*full)))
}

// warmthOf reads a colour temperature, in mireds unless the bridge speaks kelvin.
func warmthOf(kelvin bool) func(any, *scope) hearth.Value {
	return func(v any, _ *scope) hearth.Value {
		n, ok := numberOf(v)
		if !kelvin {
			n = mired(n)
		}
		if n = math.Round(n); !ok || n < 1000 || n > 10000 {
			return hearth.Value{}
		}
		return hearth.NumberOf(n)
	}
}

// warmth is the property, in the range that the lamp announces.
func (b *builder) warmth() (p hearth.Property, kelvin bool) {
	p = word("color_temperature", true)
	low, high := b.number("min_kelvin", 0), b.number("max_kelvin", 0)
	if coolest, warmest := b.number("min_mireds", 0), b.number("max_mireds", 0); coolest > 0 && warmest > coolest {
		low, high = mired(warmest), mired(coolest)
	}
	if low >= 1000 && high > low && high <= 10000 {
		p = p.Within(low, high)
	}
	return p, b.bool("color_temp_kelvin")
}

// warmthFor writes kelvin as the bridge has it.
func warmthFor(k float64, kelvin bool) int64 {
	if kelvin {
		return int64(k)
	}
	return int64(mired(k))
}
