package shelly

import (
	"math"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// light lists what a light has, by its kind and by what it tells.
func light(c *component) []*face {
	all := []*face{
		set("on", "on", "output", boolOf), set("brightness", "brightness", "brightness", numberOf),
		set("hue", "color_hue", "rgb", func(v any) hearth.Value { return colour(v, 0) }),
		set("saturation", "color_saturation", "rgb", func(v any) hearth.Value { return colour(v, 1) }),
	}
	kelvin := set("ct", "color_temperature", "ct", numberOf)
	low, high := 2700.0, 6500.0
	if span, ok := c.config["ct_range"].([]any); ok && len(span) == 2 {
		from, good := span[0].(float64)
		to, fine := span[1].(float64)
		if good && fine && from < to && from >= 1000 && to <= 10000 {
			low, high = from, to
		}
	}
	kelvin.property = kelvin.property.Within(low, high)
	white := &face{property: hearth.Property{Name: "white", Kind: hearth.Number, Writable: true}.Within(0, 255), role: "white", path: "white", read: numberOf}
	mode := &face{property: hearth.Property{Name: "color_mode", Kind: hearth.Text}, path: "mode", read: textOf}
	all = present(c, append(all, kelvin, white, mode)...)
	return append(all, &face{property: word("transition")})
}

// colour reads hue (0) or saturation (1) of red, green and blue. Grey has no hue.
func colour(v any, which int) hearth.Value {
	parts, ok := v.([]any)
	if !ok || len(parts) < 3 {
		return hearth.Value{}
	}
	var c [3]float64
	for i := range c {
		if c[i], ok = parts[i].(float64); !ok || c[i] < 0 || c[i] > 255 {
			return hearth.Value{}
		}
	}
	hue, saturation := dialect.HueOf(c[0], c[1], c[2])
	if which == 0 {
		return hearth.NumberOf(hue)
	}
	return hearth.NumberOf(saturation)
}

// lightParams is what sets a light: all of one wish in one call.
func lightParams(c *component, wish map[string]hearth.Value) map[string]any {
	params := map[string]any{}
	if v, ok := wish["on"]; ok {
		params["on"] = v.Bool()
	}
	if v, ok := wish["brightness"]; ok {
		params["brightness"] = math.Round(v.Number())
	}
	if v, ok := wish["white"]; ok {
		params["white"] = math.Round(v.Number())
	}
	if v, ok := wish["ct"]; ok {
		params["ct"] = math.Round(v.Number())
		if c.kind == "rgbcct" {
			params["mode"] = "cct"
		}
	}
	hue, coloured := wish["hue"]
	saturation, saturated := wish["saturation"]
	if coloured || saturated {
		if !coloured {
			hue = colour(c.status["rgb"], 0)
		}
		if !saturated {
			if saturation = colour(c.status["rgb"], 1); saturation.Number() == 0 {
				saturation = hearth.NumberOf(100)
			}
		}
		r, g, b := dialect.RGBOf(hue.Number(), saturation.Number())
		params["rgb"] = []int64{r, g, b}
		if c.kind == "rgbcct" {
			params["mode"] = "rgb"
		}
	}
	if v, ok := wish["transition"]; ok {
		params["transition_duration"] = max(0.5, v.Number()) // less is refused
	}
	return params
}
