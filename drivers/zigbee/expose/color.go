package expose

import (
	"encoding/binary"
	"math"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// The bits of ColorCapabilities (ZCL 5.2.2.2.2.12).
const (
	capableHS          = 0x01
	capableEnhancedHue = 0x02
	capableXY          = 0x08
	capableTemperature = 0x10
)

// A colorMode says which of a lamp's attributes its colour comes from; the others may be stale.
type colorMode uint8

const (
	modeUnknown colorMode = iota
	modeHS
	modeXY
	modeTemperature
)

// Units in which colours travel (ZCL 5.2).
const (
	xyUnit          = 65536 // to 1
	xyTop           = 0xfeff
	hueUnit         = 254.0 / 360
	enhancedHueUnit = 65536.0 / 360
	enhancedHueTop  = 0xfffe // one more is no hue
	saturationUnit  = 254.0 / 100
	mired           = 1e6 // divided by kelvin
)

// color is the Color Control cluster of a lamp.
type color struct {
	endpoint                           uint8
	hs, enhanced, xy, warms, executes  bool    // what it can: executes even while it is off
	coolest, warmest                   float64 // mired
	temperature, hue, saturation, x, y *slot

	mode     colorMode
	modeless bool // it does not tell its mode
	raw      colorState

	// What was asked for last: a lamp that shows it in its own, coarser terms is said to show just that.
	asked       chroma
	askedMired  float64
	askedKelvin float64
}

// colorState is what the lamp last said, in its own units; NaN: nothing.
type colorState struct{ hue, saturation, x, y, mired float64 }

func buildColor(b *builder, e Endpoint) *color {
	const cluster = zcl.ClusterColorControl
	b.ask(e.ID, cluster, zcl.AttrColorControlColorCapabilities, zcl.AttrColorControlColorTempPhysicalMinMireds, zcl.AttrColorControlColorTempPhysicalMaxMireds)
	b.askPresence(e.ID, cluster, zcl.AttrColorControlOptions)
	unknown := math.NaN()
	c := &color{endpoint: e.ID, raw: colorState{unknown, unknown, unknown, unknown, unknown}}
	can := capabilities(b, e)
	c.hs, c.xy, c.warms = can&capableHS != 0, can&capableXY != 0, can&capableTemperature != 0
	c.enhanced = c.hs && can&capableEnhancedHue != 0
	c.executes = b.has(e.ID, cluster, zcl.AttrColorControlOptions)
	if c.warms {
		c.limit(b)
		p := word("color_temperature").AsWritable()
		c.temperature = b.slot(e.ID, p.Within(kelvinOf(c.warmest), kelvinOf(c.coolest)))
	}
	if c.hs || c.xy {
		c.x, c.y = b.slot(e.ID, word("color_x").AsWritable()), b.slot(e.ID, word("color_y").AsWritable())
		c.hue, c.saturation = b.slot(e.ID, word("color_hue").AsWritable()), b.slot(e.ID, word("color_saturation").AsWritable())
	}
	for _, attribute := range c.reported() {
		to := c.x
		if attribute == zcl.AttrColorControlColorTemperatureMireds {
			to = c.temperature
		}
		b.report(to, cluster, attribute, soon())
	}
	b.state(e.ID, cluster, c.attributes()...)
	p := b.part(e.ID, cluster)
	p.together = c.heard
	p.refused = func(attribute uint16) {
		if attribute == zcl.AttrColorControlColorMode {
			c.modeless = true
		}
	}
	return c
}

// capabilities returns what a lamp can, worked out from other things where it does not say or says nothing.
func capabilities(b *builder, e Endpoint) int {
	const cluster = zcl.ClusterColorControl
	can := int(b.factOr(e.ID, cluster, zcl.AttrColorControlColorCapabilities, 0)) & (capableHS | capableEnhancedHue | capableXY | capableTemperature)
	if can&^capableEnhancedHue != 0 {
		return can
	}
	b.askPresence(e.ID, cluster, zcl.AttrColorControlCurrentX, zcl.AttrColorControlColorTemperatureMireds, zcl.AttrColorControlCurrentHue)
	for attribute, capable := range map[uint16]int{
		zcl.AttrColorControlCurrentX: capableXY, zcl.AttrColorControlColorTemperatureMireds: capableTemperature, zcl.AttrColorControlCurrentHue: capableHS,
	} {
		if b.has(e.ID, cluster, attribute) {
			can |= capable
		}
	}
	if can&^capableEnhancedHue != 0 {
		return can
	}
	switch e.kind() {
	case kindTemperatureLight:
		return capableTemperature
	case kindColorLight:
		return capableXY
	}
	return capableXY | capableTemperature
}

// limit takes the lamp's own limits where they can be true.
func (c *color) limit(b *builder) {
	const usualCoolest, usualWarmest, leastMired, mostMired = 153, 500, 50, 1000
	c.coolest = b.factOr(c.endpoint, zcl.ClusterColorControl, zcl.AttrColorControlColorTempPhysicalMinMireds, usualCoolest)
	c.warmest = b.factOr(c.endpoint, zcl.ClusterColorControl, zcl.AttrColorControlColorTempPhysicalMaxMireds, usualWarmest)
	if c.coolest < leastMired || c.coolest >= mostMired {
		c.coolest = usualCoolest
	}
	if c.warmest <= c.coolest || c.warmest > mostMired {
		c.warmest = max(usualWarmest, c.coolest+1)
	}
}

func kelvinOf(mireds float64) float64 { return math.Round(mired / mireds) }

func (c *color) slots() []*slot { return []*slot{c.temperature, c.hue, c.saturation, c.x, c.y} }

// reported lists the attributes that the lamp's colour is told by.
func (c *color) reported() (attributes []uint16) {
	if c.xy {
		attributes = append(attributes, zcl.AttrColorControlCurrentX, zcl.AttrColorControlCurrentY)
	}
	if c.hs {
		attributes = append(attributes, c.hueAttribute(), zcl.AttrColorControlCurrentSaturation)
	}
	if c.warms {
		attributes = append(attributes, zcl.AttrColorControlColorTemperatureMireds)
	}
	return attributes
}

func (c *color) hueAttribute() uint16 {
	if c.enhanced {
		return zcl.AttrColorControlEnhancedCurrentHue
	}
	return zcl.AttrColorControlCurrentHue
}

// attributes lists all that it takes to know the colour.
func (c *color) attributes() []uint16 {
	return append([]uint16{zcl.AttrColorControlColorMode}, c.reported()...)
}

func (c *color) read() Read {
	return Read{Endpoint: c.endpoint, Cluster: zcl.ClusterColorControl, Attributes: c.attributes()}
}

// carry makes a wish for a colour into a frame.
func (c *color) carry(w wish, f fade, staysOff bool) ([]Request, error) {
	if c == nil {
		return nil, nil
	}
	kelvin, warms := w.of(c.temperature)
	_, byX := w.of(c.x)
	_, byY := w.of(c.y)
	_, byHue := w.of(c.hue)
	_, bySaturation := w.of(c.saturation)
	xy, hs := byX || byY, byHue || bySaturation
	switch {
	case warms && (xy || hs) || xy && hs:
		return nil, hearth.Errorf(hearth.CodeBadValue, "a lamp shows one colour: give color_temperature, or color_x with color_y, or color_hue with color_saturation")
	case warms:
		return []Request{c.warm(kelvin.Number(), f, staysOff)}, nil
	case xy:
		x, knowsX := w.either(c.x)
		y, knowsY := w.either(c.y)
		if !knowsX || !knowsY {
			return nil, hearth.Errorf(hearth.CodeBadValue, "color_x and color_y mean a colour only together")
		}
		return []Request{c.show(chromaAt(x, y), !c.xy, f, staysOff)}, nil
	case hs:
		hue, _ := w.either(c.hue)
		saturation, known := w.either(c.saturation)
		if !known {
			saturation = 100
		}
		return []Request{c.show(chromaOf(hue, saturation), c.hs, f, staysOff)}, nil
	}
	return nil, nil
}

// either returns what is asked of a property, or else what it is.
func (w wish) either(s *slot) (float64, bool) {
	if v, asked := w.of(s); asked {
		return v.Number(), true
	}
	v, known := w.current(s)
	return v.Number(), known
}

func (c *color) warm(kelvin float64, f fade, staysOff bool) Request {
	mireds := math.Min(math.Max(math.Round(mired/kelvin), c.coolest), c.warmest)
	c.mode, c.askedMired, c.askedKelvin = modeTemperature, mireds, kelvin
	return c.request(zcl.CmdColorControlMoveToColorTemperature, binary.LittleEndian.AppendUint16(nil, uint16(mireds)), f, staysOff)
}

// show has the lamp take a colour, by its hue or by its point.
func (c *color) show(want chroma, byHue bool, f fade, staysOff bool) Request {
	c.asked, c.mode = want, modeXY
	if !byHue {
		payload := binary.LittleEndian.AppendUint16(nil, uint16(min(math.Round(want.x*xyUnit), xyTop)))
		payload = binary.LittleEndian.AppendUint16(payload, uint16(min(math.Round(want.y*xyUnit), xyTop)))
		return c.request(zcl.CmdColorControlMoveToColor, payload, f, staysOff)
	}
	c.mode = modeHS
	saturation := byte(math.Round(want.saturation * saturationUnit))
	if c.enhanced {
		payload := binary.LittleEndian.AppendUint16(nil, uint16(min(math.Round(want.hue*enhancedHueUnit), enhancedHueTop)))
		return c.request(zcl.CmdColorControlEnhancedMoveToHueAndSaturation, append(payload, saturation), f, staysOff)
	}
	return c.request(zcl.CmdColorControlMoveToHueAndSaturation, []byte{byte(math.Round(want.hue * hueUnit)), saturation}, f, staysOff)
}

// request adds the time, and for a lamp that is off the option to take the colour all the same. Else there are no
// options: old lamps do not know them.
func (c *color) request(command uint8, payload []byte, f fade, staysOff bool) Request {
	const executeIfOff = 0x01
	low, high := f.tenths()
	payload = append(payload, low, high)
	if staysOff && c.executes {
		payload = append(payload, executeIfOff, executeIfOff)
	}
	return Request{
		Endpoint: c.endpoint, Cluster: zcl.ClusterColorControl, Frame: zcl.ClusterCommand(command, payload...),
		Answer: true, Settles: f.duration(), Confirm: []Read{c.read()},
	}
}
