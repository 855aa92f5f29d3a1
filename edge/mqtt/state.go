package mqtt

import (
	"bytes"
	"encoding/json"
	"strings"

	"hearth"
)

// colorMode is a member of the state of a light that has both: which of them it shows. No device says so itself.
const colorMode = "color_mode"

// Values of color_mode.
const (
	modeWhite = "color_temp"
	modeColor = "hs"
)

// stateOf returns all current values of a device as one JSON object, in the order of its properties.
func stateOf(v vocabulary, d *hearth.DeviceView) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	add := func(name string, value any) {
		data, err := json.Marshal(value)
		if err != nil {
			return // no value of a property can fail
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + name + `":`)
		b.Write(data)
	}
	for _, p := range d.Properties {
		if isState(p.Property) && p.Value != nil && !p.Value.IsZero() {
			add(p.Name, *p.Value)
		}
	}
	if coloured(d) {
		for _, g := range groupsOf(v, d) {
			if mode := g.mode(); mode != "" && d.Property(g.modeName()) == nil {
				add(g.modeName(), mode)
			}
		}
	}
	b.WriteByte('}')
	return b.Bytes()
}

func coloured(d *hearth.DeviceView) bool {
	for i := range d.Properties {
		if strings.HasPrefix(d.Properties[i].Name, "color_hue") {
			return true
		}
	}
	return false
}

func isState(p hearth.Property) bool { return !p.Momentary && !p.WriteOnly }

// modeName is the name of a group's color_mode.
func (g *group) modeName() string { return g.named(colorMode) }

// mode says whether a light that can do both shows a colour or a white: what was told last. Lamps that tell the colour
// of their white with its temperature tell both at once.
func (g *group) mode() string {
	white, hue, saturation := g.get("color_temperature"), g.get("color_hue"), g.get("color_saturation")
	if white == nil || hue == nil || saturation == nil {
		return ""
	}
	switch {
	case hue.Value == nil || saturation.Value == nil:
		if white.Value == nil {
			return ""
		}
		return modeWhite
	case white.Value == nil, hue.Time.After(white.Time.Time), saturation.Time.After(white.Time.Time):
		return modeColor
	case white.Time.After(hue.Time.Time) || whitish(hue.Value.Number(), saturation.Value.Number()):
		return modeWhite
	}
	return modeColor
}

// whitish reports whether a colour may be that of a white between candle and sky.
func whitish(hue, saturation float64) bool {
	return saturation < 25 || hue >= 10 && hue <= 60
}
