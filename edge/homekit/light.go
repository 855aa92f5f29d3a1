package homekit

import (
	"math"

	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"

	"hearth"
	"hearth/edge/homekit/hap"
)

// colorParts is half of a colour, waiting for the other half.
type colorParts struct {
	hue, saturation *float64
	lamp            *lamp
}

// lamp is the properties of one lamp; the names of those it lacks are empty.
type lamp struct {
	key                       string
	on, brightness, white     hearth.Property
	hue, saturation, x, y     hearth.Property
	colored, tunable, dimming bool
}

func (b *builder) light(g *group) {
	l := &lamp{
		on: g.words["on"], brightness: g.words["brightness"], white: g.words["color_temperature"],
		hue: g.words["color_hue"], saturation: g.words["color_saturation"], x: g.words["color_x"], y: g.words["color_y"],
	}
	word := "on"
	if !g.has("on") {
		word = "brightness"
	}
	f := b.face(service.TypeLightbulb, g, word)
	l.key, l.dimming = f.key, g.has("brightness")
	l.tunable = g.has("color_temperature")
	l.colored = g.has("color_hue") && g.has("color_saturation") || g.has("color_x") && g.has("color_y")
	l.switching(f)
	if l.dimming {
		l.dims(f)
	}
	if l.tunable {
		l.tunes(f)
	}
	if l.colored {
		l.colors(f)
	}
	b.eve(f, g)
}

func (l *lamp) switching(f *face) {
	if l.on.Name != "" {
		on := f.flag(boolC(characteristic.TypeOn, may(l.on)), l.on.Name, true, false)
		if l.on.Writable {
			on.write = l.toggle
		}
		return
	}
	on := f.add(boolC(characteristic.TypeOn, may(l.brightness)), l.brightness.Name)
	on.read = func(k *knowledge) (any, bool) {
		v, ok := k.aim(l.brightness.Name)
		if v.Number() > 0 {
			k.m.numbers[l.key] = v.Number()
		}
		return v.Number() > 0, ok
	}
	if l.brightness.Writable {
		on.write = l.toggle
	}
}

func (l *lamp) toggle(w *wish, value any) hap.Status {
	on, _ := value.(bool)
	switch {
	case !on:
		return l.darken(w)
	case w.off[l.key] != "": // brightness 0 of the same breath
		return hap.OK
	case l.on.Name != "":
		return w.put(l.on, hearth.BoolOf(true))
	}
	if _, given := w.set[l.brightness.Name]; given {
		return hap.OK
	}
	level := w.k.m.numbers[l.key]
	if level <= 0 {
		level = 100
	}
	return w.number(l.brightness, level)
}

// darken switches the lamp off, whatever else is asked of its brightness.
func (l *lamp) darken(w *wish) hap.Status {
	if l.on.Name == "" || !l.on.Writable {
		w.off[l.key] = " "
		return w.put(l.brightness, hearth.NumberOf(0))
	}
	w.off[l.key] = l.brightness.Name
	if l.brightness.Name == "" {
		w.off[l.key] = " "
	}
	return w.put(l.on, hearth.BoolOf(false))
}

func (l *lamp) dims(f *face) {
	c := intC(characteristic.TypeBrightness, characteristic.FormatInt32, characteristic.UnitPercentage, may(l.brightness), 0, 100)
	level := f.add(c, filled(l.brightness.Name, l.on.Name)...)
	level.read = func(k *knowledge) (any, bool) {
		v, ok := k.aim(l.brightness.Name)
		if !ok {
			return nil, false
		}
		on, known := k.aim(l.on.Name)
		if v.Number() > 0 || known && on.Bool() {
			return max(fit(c, v.Number()).(int), 1), true // 0 would mean off
		}
		return 0, true
	}
	if !l.brightness.Writable {
		return
	}
	level.write = func(w *wish, value any) hap.Status {
		n, ok := asNumber(value)
		switch {
		case !ok:
			return hap.Invalid
		case n <= 0:
			return l.darken(w)
		case w.off[l.key] != "" && l.on.Name == "":
			return hap.OK // off, of the same breath
		}
		return w.number(l.brightness, n)
	}
}

// The range of ColorTemperature (section 9.35 allows 50 to 400, Apple's own lamps and app go to 500).
const miredLeast, miredMost = 140, 500

func (l *lamp) tunes(f *face) {
	low, high := miredLeast, miredMost
	if l.white.Max != nil && *l.white.Max > 0 {
		low = min(max(int(math.Round(1e6 / *l.white.Max)), low), high-1)
	}
	if l.white.Min != nil && *l.white.Min > 0 {
		high = max(min(int(math.Round(1e6 / *l.white.Min)), high), low+1)
	}
	c := intC(characteristic.TypeColorTemperature, characteristic.FormatUInt32, "", may(l.white), low, high)
	white := f.add(c, l.properties()...)
	white.read = func(k *knowledge) (any, bool) {
		if kelvin, known := l.kelvin(k); known {
			return fit(c, 1e6/kelvin), true
		}
		return nil, false
	}
	if l.white.Writable {
		white.write = func(w *wish, value any) hap.Status {
			mired, ok := asNumber(value)
			if !ok || mired <= 0 {
				return hap.Invalid
			}
			return w.number(l.white, math.Round(1e6/mired))
		}
	}
}

func (l *lamp) properties() []string {
	return filled(l.white.Name, l.hue.Name, l.saturation.Name, l.x.Name, l.y.Name)
}

func (l *lamp) colors(f *face) {
	access := reads
	if l.hue.Writable && l.saturation.Writable || l.x.Writable && l.y.Writable {
		access = writes
	}
	hue := floatC(characteristic.TypeHue, characteristic.UnitArcDegrees, access, 0, 360, 1)
	saturation := floatC(characteristic.TypeSaturation, characteristic.UnitPercentage, access, 0, 100, 1)
	h, s := f.add(hue, l.properties()...), f.add(saturation, l.properties()...)
	h.read = func(k *knowledge) (any, bool) {
		h, _, known := l.color(k)
		return fit(hue, h), known
	}
	s.read = func(k *knowledge) (any, bool) {
		_, s, known := l.color(k)
		return fit(saturation, s), known
	}
	if access == reads {
		return
	}
	part := func(store func(*colorParts, float64)) func(*wish, any) hap.Status {
		return func(w *wish, value any) hap.Status {
			n, ok := asNumber(value)
			if !ok {
				return hap.Invalid
			}
			parts := w.parts[l.key]
			parts.lamp = l
			store(&parts, n)
			w.parts[l.key] = parts
			return hap.OK
		}
	}
	h.write = part(func(p *colorParts, n float64) { p.hue = &n })
	s.write = part(func(p *colorParts, n float64) { p.saturation = &n })
}

// half reports whether a colour waits for its other half.
func (w *wish) half() bool {
	for _, p := range w.parts {
		if p.hue == nil || p.saturation == nil {
			return true
		}
	}
	return false
}

// join turns colours into what is to be set; a half that never came is as the lamp shows it.
func (w *wish) join() {
	for _, p := range w.parts {
		hue, saturation, _ := p.lamp.color(w.k)
		if p.hue != nil {
			hue = *p.hue
		}
		if p.saturation != nil {
			saturation = *p.saturation
		}
		delete(w.set, p.lamp.white.Name) // one of the two: a colour is the more definite wish
		if p.lamp.hue.Writable && p.lamp.saturation.Writable {
			w.number(p.lamp.hue, hue)
			w.number(p.lamp.saturation, saturation)
			continue
		}
		c := xyOf(hue, saturation)
		w.number(p.lamp.x, round(c.x, 4))
		w.number(p.lamp.y, round(c.y, 4))
	}
	clear(w.parts)
}

// nearWhite is how far a reported colour may be from a reported white to be the same light.
const nearWhite = 0.03

// shown is what a lamp shows: a white or a colour. A lamp that knows both reports both, so what was asked for last, or
// else what changed last, is what counts.
func (l *lamp) shown(k *knowledge) (kelvin float64, c xy, hs [2]float64, white, known bool) {
	t, hasWhite := k.aim(l.white.Name)
	kelvin = t.Number()
	c, hs, colored := l.reported(k)
	switch {
	case !l.colored || !colored:
		return kelvin, c, hs, true, hasWhite && kelvin > 0
	case !hasWhite || kelvin <= 0:
		return kelvin, c, hs, false, true
	}
	return kelvin, c, hs, l.whiter(k, kelvin, c), true
}

func (l *lamp) whiter(k *knowledge, kelvin float64, c xy) bool {
	m, key := k.m, l.key
	newWhite := m.numbers[key+"K"] != kelvin
	newColor := m.numbers[key+"x"] != c.x || m.numbers[key+"y"] != c.y
	m.numbers[key+"K"], m.numbers[key+"x"], m.numbers[key+"y"] = kelvin, c.x, c.y
	_, asked := k.targets[l.white.Name]
	askedColor := false
	for _, p := range []hearth.Property{l.hue, l.saturation, l.x, l.y} {
		_, target := k.targets[p.Name]
		askedColor = askedColor || target
	}
	switch {
	case asked != askedColor:
		m.flags[key] = asked
	case newWhite && newColor:
		m.flags[key] = c.distance(whiteOf(kelvin)) < nearWhite
	case newWhite || newColor:
		m.flags[key] = newWhite
	}
	return m.flags[key]
}

// reported is the lamp's colour in both forms.
func (l *lamp) reported(k *knowledge) (c xy, hs [2]float64, known bool) {
	h, okH := k.aim(l.hue.Name)
	s, okS := k.aim(l.saturation.Name)
	if okH && okS {
		return xyOf(h.Number(), s.Number()), [2]float64{h.Number(), s.Number()}, true
	}
	x, okX := k.aim(l.x.Name)
	y, okY := k.aim(l.y.Name)
	c = xy{x.Number(), y.Number()}
	hs[0], hs[1] = hueOf(c)
	return c, hs, okX && okY
}

func (l *lamp) kelvin(k *knowledge) (float64, bool) {
	kelvin, c, _, white, known := l.shown(k)
	if !white {
		kelvin = kelvinOf(c)
	}
	return kelvin, known
}

func (l *lamp) color(k *knowledge) (hue, saturation float64, known bool) {
	kelvin, _, hs, white, known := l.shown(k)
	if white && known {
		hue, saturation = hueOf(whiteOf(kelvin))
		return hue, saturation, true
	}
	return hs[0], hs[1], known
}

func asNumber(value any) (float64, bool) {
	switch v := value.(type) {
	case int:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	return 0, false
}

func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}
