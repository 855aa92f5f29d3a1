package expose

import (
	"math"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// What a frame told of a colour.
type colorNews struct {
	mode                         colorMode // unknown: not told
	hs, xy, temperature          bool      // told
	newHS, newXY, newTemperature bool      // and other than before
}

// heard takes what a lamp says of its colour. Only what its mode makes valid is said, and all of that in all the ways in
// which the house tells colours. Where the lamp says something new that its last known mode would make stale, it is
// asked for its mode.
func (c *color) heard(attributes []zcl.Attribute, h *hearing) {
	n := c.take(attributes)
	switch {
	case n.mode != modeUnknown:
		c.mode = n.mode
	case c.mode == modeUnknown || c.modeless:
		c.mode = n.guess(c.mode)
	case c.mode == modeTemperature && n.newXY && !n.temperature, c.mode == modeTemperature && n.newHS && !n.temperature:
		h.Reads = append(h.Reads, c.read())
		return
	case c.mode != modeTemperature && n.newTemperature, c.mode == modeXY && n.newHS && !n.xy, c.mode == modeHS && n.newXY && !n.hs:
		h.Reads = append(h.Reads, c.read())
	}
	switch {
	case c.mode == modeTemperature && n.temperature:
		c.sayTemperature(h)
	case c.mode == modeXY && n.xy, c.mode == modeHS && n.hs:
		c.sayColor(h)
	}
}

// take notes what the lamp says.
func (c *color) take(attributes []zcl.Attribute) (n colorNews) {
	set := func(raw *float64, v float64) bool {
		before := *raw
		*raw = v
		return before != v
	}
	for _, a := range attributes {
		v, ok := a.Value.Number()
		if !ok {
			continue
		}
		switch a.ID {
		case zcl.AttrColorControlColorMode:
			n.mode = modeOf(v)
		case zcl.AttrColorControlEnhancedColorMode:
			if n.mode == modeUnknown {
				n.mode = modeOf(v)
			}
		case zcl.AttrColorControlCurrentX:
			n.xy, n.newXY = true, set(&c.raw.x, v/xyUnit) || n.newXY
		case zcl.AttrColorControlCurrentY:
			n.xy, n.newXY = true, set(&c.raw.y, v/xyUnit) || n.newXY
		case zcl.AttrColorControlCurrentHue:
			if !c.enhanced {
				n.hs, n.newHS = true, set(&c.raw.hue, v/hueUnit) || n.newHS
			}
		case zcl.AttrColorControlEnhancedCurrentHue:
			n.hs, n.newHS = true, set(&c.raw.hue, v/enhancedHueUnit) || n.newHS
		case zcl.AttrColorControlCurrentSaturation:
			n.hs, n.newHS = true, set(&c.raw.saturation, v/saturationUnit) || n.newHS
		case zcl.AttrColorControlColorTemperatureMireds:
			if v > 0 {
				n.temperature, n.newTemperature = true, set(&c.raw.mired, v)
			}
		}
	}
	return n
}

// modeOf reads ColorMode and EnhancedColorMode (ZCL 5.2.2.2.1.10).
func modeOf(v float64) colorMode {
	switch v {
	case 0, 3:
		return modeHS
	case 1:
		return modeXY
	case 2:
		return modeTemperature
	}
	return modeUnknown
}

// guess works the mode out from what has changed, or else from what was told at all.
func (n colorNews) guess(before colorMode) colorMode {
	switch {
	case n.newTemperature && !n.newXY && !n.newHS, n.newTemperature && before == modeTemperature:
		return modeTemperature
	case n.newXY:
		return modeXY
	case n.newHS:
		return modeHS
	case before != modeUnknown:
		return before
	case n.temperature:
		return modeTemperature
	case n.xy:
		return modeXY
	case n.hs:
		return modeHS
	}
	return modeUnknown
}

func (c *color) sayTemperature(h *hearing) {
	kelvin := kelvinOf(c.raw.mired)
	if c.raw.mired == c.askedMired {
		kelvin = c.askedKelvin
	}
	h.say(c.temperature, hearth.NumberOf(kelvin))
	c.sayChroma(white(kelvin), h)
}

func (c *color) sayColor(h *hearing) {
	var is chroma
	if c.mode == modeXY {
		is = chromaAt(c.raw.x, c.raw.y)
	} else {
		is = chromaOf(c.raw.hue, c.raw.saturation)
	}
	if is.near(c.asked) {
		is = c.asked
	}
	c.sayChroma(is, h)
}

// sayChroma says a colour; half of one is none.
func (c *color) sayChroma(is chroma, h *hearing) {
	if math.IsNaN(is.x) || math.IsNaN(is.y) || math.IsNaN(is.saturation) {
		return
	}
	h.say(c.x, hearth.NumberOf(rounded(is.x, 4)))
	h.say(c.y, hearth.NumberOf(rounded(is.y, 4)))
	h.say(c.hue, hearth.NumberOf(rounded(is.hue, 1)))
	h.say(c.saturation, hearth.NumberOf(rounded(is.saturation, 1)))
}
