package homeassistant

import (
	"maps"
	"slices"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

func buildLight(b *builder) {
	b.kind = "light"
	switch b.or("schema", "basic") {
	case "json":
		b.jsonLight()
	case "template":
		b.templateLight()
	default:
		b.basicLight()
	}
}

// lit says whether a wish is to be on: by its own word, or because a lamp that is given a brightness or colour is lit.
func lit(set wish) bool {
	if on, said := set.bool("on"); said {
		return on
	}
	percent, said := set.number("brightness")
	return !said || percent > 0
}

// basicLight has a topic for each thing.
func (b *builder) basicLight() {
	on, off := b.or("payload_on", "ON"), b.or("payload_off", "OFF")
	power := b.send("command_topic", "command_template")
	state := "state_value_template"
	if !b.has(state) {
		state = "value_template"
	}
	b.add(word("on", power != nil), b.hear("state_topic", state, readBool(on, off)))
	full := b.number("brightness_scale", 255)
	dim := b.send("brightness_command_topic", "brightness_command_template")
	b.add(word("brightness", dim != nil), b.hear("brightness_state_topic", "brightness_value_template", brightnessOf(full)))
	warm := b.send("color_temp_command_topic", "color_temp_command_template")
	p, kelvin := b.warmth()
	p.Writable = warm != nil
	b.add(p, b.hear("color_temp_state_topic", "color_temp_value_template", warmthOf(kelvin)))
	paint := b.basicColour()
	effect := b.send("effect_command_topic", "effect_command_template")
	effects := b.options("effect_list")
	b.add(hearth.Property{Name: "effect", Kind: hearth.Text, Options: effects, Writable: effect != nil}, b.hear("effect_state_topic", "effect_value_template", readChoice(effects)))
	if power == nil {
		return
	}
	order := b.or("on_command_type", "last")
	b.command = func(set wish) ([]publication, error) {
		var all sending
		if !lit(set) {
			all.say(power, off, nil)
			return all.publications, all.err
		}
		if order == "first" {
			all.say(power, on, nil)
		}
		percent, dimmed := set.number("brightness")
		if dimmed || order == "brightness" {
			if !dimmed {
				percent = 100
			}
			all.say(dim, brightnessFor(percent, full), nil)
		}
		if k, ok := set.number("color_temperature"); ok {
			all.say(warm, warmthFor(k, kelvin), nil)
		}
		paint(&all, set)
		if name, ok := set.text("effect"); ok {
			all.say(effect, name, nil)
		}
		if order != "first" && order != "brightness" || order == "brightness" && dim == nil {
			all.say(power, on, nil)
		}
		return all.publications, all.err
	}
}

// basicColour adds hue and saturation, or x and y, whichever way the lamp has them, and returns what paints.
func (b *builder) basicColour() func(*sending, wish) {
	pair := func(first, second string, to *sender, hear func(n int) []hearing) {
		for n, name := range []string{first, second} {
			b.add(word(name, to != nil), hear(n))
		}
	}
	if b.has("hs_command_topic") || b.has("hs_state_topic") {
		to := b.send("hs_command_topic", "hs_command_template", "hue", "sat")
		pair("color_hue", "color_saturation", to, func(n int) []hearing { return b.hear("hs_state_topic", "hs_value_template", part(n, 2)) })
		return func(all *sending, set wish) {
			if hue, saturation, ok := painted(set); ok {
				text, _ := textOf(plain(hue))
				rest, _ := textOf(plain(saturation))
				all.say(to, text+","+rest, map[string]any{"hue": plain(hue), "sat": plain(saturation)})
			}
		}
	}
	for _, kind := range []string{"rgb", "rgbw", "rgbww"} {
		if !b.has(kind+"_command_topic") && !b.has(kind+"_state_topic") {
			continue
		}
		to := b.send(kind+"_command_topic", kind+"_command_template", "red", "green", "blue", "white", "cold_white", "warm_white")
		pair("color_hue", "color_saturation", to, func(n int) []hearing { return b.hear(kind+"_state_topic", kind+"_value_template", rgbPart(n)) })
		return func(all *sending, set wish) {
			if hue, saturation, ok := painted(set); ok {
				text, names := channels(hue, saturation, len(kind)-len("rgb"))
				all.say(to, text, names)
			}
		}
	}
	to := b.send("xy_command_topic", "xy_command_template", "x", "y")
	pair("color_x", "color_y", to, func(n int) []hearing { return b.hear("xy_state_topic", "xy_value_template", part(n, 2)) })
	return func(all *sending, set wish) {
		x, ok := set.number("color_x")
		y, both := set.number("color_y")
		if ok && both {
			text, _ := textOf(x)
			rest, _ := textOf(y)
			all.say(to, text+","+rest, map[string]any{"x": x, "y": y})
		}
	}
}

// painted returns hue and saturation of a wish; where only one is said the colour is full, or red.
func painted(set wish) (hue, saturation float64, ok bool) {
	hue, hasHue := set.number("color_hue")
	saturation, hasSaturation := set.number("color_saturation")
	if hasHue && !hasSaturation {
		saturation = 100
	}
	return hue, saturation, hasHue || hasSaturation
}

// channels writes red, green and blue, followed by so many whites that stay dark.
func channels(hue, saturation float64, whites int) (string, map[string]any) {
	r, g, b := dialect.RGBOf(hue, saturation)
	text := ""
	for i, n := range append([]int64{r, g, b}, make([]int64, whites)...) {
		s, _ := textOf(n)
		if i > 0 {
			text += ","
		}
		text += s
	}
	return text, map[string]any{"red": r, "green": g, "blue": b, "white": int64(0), "cold_white": int64(0), "warm_white": int64(0)}
}

// jsonModes are the colour modes of a json light, from the old keys where there are no new ones.
func (b *builder) jsonModes() []string {
	modes := b.texts("supported_color_modes")
	if len(modes) > 0 {
		return modes
	}
	for key, mode := range map[string]string{"brightness": "brightness", "color_temp": "color_temp", "hs": "hs", "rgb": "rgb", "xy": "xy"} {
		if b.bool(key) {
			modes = append(modes, mode)
		}
	}
	return modes
}

// jsonLight says and takes everything in one object.
func (b *builder) jsonLight() {
	modes := b.jsonModes()
	has := func(of ...string) bool {
		return slices.ContainsFunc(of, func(m string) bool { return slices.Contains(modes, m) })
	}
	to := b.send("command_topic", "")
	writable := to != nil
	field := func(read func(any, *scope) hearth.Value, path ...string) []hearing {
		return b.hear("state_topic", "", func(_ any, s *scope) hearth.Value { return read(dig(s.json, path...), s) })
	}
	b.add(word("on", writable), field(readBool("ON", "OFF"), "state"))
	full := b.number("brightness_scale", 255)
	if b.bool("brightness") || has("brightness", "color_temp", "hs", "xy", "rgb", "rgbw", "rgbww", "white") {
		b.add(word("brightness", writable), field(brightnessOf(full), "brightness"))
	}
	kelvin := false
	if has("color_temp") {
		var p hearth.Property
		p, kelvin = b.warmth()
		p.Writable = writable
		b.add(p, field(inMode("color_temp", warmthOf(kelvin)), "color_temp"))
	}
	rgb := has("rgb", "rgbw", "rgbww")
	if has("hs") || rgb {
		for n, name := range []string{"color_hue", "color_saturation"} {
			b.add(word(name, writable), field(jsonColour(n), "color"))
		}
	} else if has("xy") {
		b.add(word("color_x", writable), field(inMode("xy", readNumber(dialect.Conversion{})), "color", "x"))
		b.add(word("color_y", writable), field(inMode("xy", readNumber(dialect.Conversion{})), "color", "y"))
	}
	if b.bool("effect") || b.has("effect_list") {
		effects := b.options("effect_list")
		b.add(hearth.Property{Name: "effect", Kind: hearth.Text, Options: effects, Writable: writable}, field(readChoice(effects), "effect"))
	}
	if !writable {
		return
	}
	if v, said := b.config["transition"]; !said || v == true {
		b.add(word("transition", true), nil)
	}
	asRGB := rgb && !has("hs")
	b.command = func(set wish) ([]publication, error) {
		out, err := to.say(jsonWish(set, full, kelvin, asRGB), nil)
		return []publication{out}, err
	}
}

// jsonWish is the one object that sets everything.
func jsonWish(set wish, full float64, kelvin, asRGB bool) map[string]any {
	out := map[string]any{"state": either(lit(set), "ON", "OFF")}
	if seconds, ok := set.number("transition"); ok {
		out["transition"] = plain(seconds)
	}
	if !lit(set) {
		return out
	}
	if percent, ok := set.number("brightness"); ok {
		out["brightness"] = brightnessFor(percent, full)
	}
	if k, ok := set.number("color_temperature"); ok {
		out["color_temp"] = warmthFor(k, kelvin)
	}
	if hue, saturation, ok := painted(set); ok && asRGB {
		r, g, b := dialect.RGBOf(hue, saturation)
		out["color"] = map[string]any{"r": r, "g": g, "b": b}
	} else if ok {
		out["color"] = map[string]any{"h": plain(hue), "s": plain(saturation)}
	}
	if x, ok := set.number("color_x"); ok {
		y, _ := set.number("color_y")
		out["color"] = map[string]any{"x": x, "y": y}
	}
	if name, ok := set.text("effect"); ok {
		out["effect"] = name
	}
	return out
}

func dig(v any, path ...string) any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		found, ok := m[key]
		if !ok {
			return undefined{}
		}
		v = found
	}
	return v
}

// inMode reads only where the lamp says that it is in that mode, or says nothing of modes: what the other modes leave
// behind is old.
func inMode(mode string, read func(any, *scope) hearth.Value) func(any, *scope) hearth.Value {
	return func(v any, s *scope) hearth.Value {
		if said, ok := dig(s.json, "color_mode").(string); ok && said != mode {
			return hearth.Value{}
		}
		return read(v, s)
	}
}

// jsonColour reads hue (0) or saturation (1) from a colour in any of its forms.
func jsonColour(n int) func(any, *scope) hearth.Value {
	return func(v any, s *scope) hearth.Value {
		if mode, ok := dig(s.json, "color_mode").(string); ok && (mode == "color_temp" || mode == "xy") {
			return hearth.Value{}
		}
		if said, ok := numberOf(dig(v, []string{"h", "s"}[n])); ok {
			return hearth.NumberOf(said)
		}
		r, ok := numberOf(dig(v, "r"))
		g, all := numberOf(dig(v, "g"))
		b, of := numberOf(dig(v, "b"))
		if !ok || !all || !of {
			return hearth.Value{}
		}
		return hueOrSaturation(n, r, g, b)
	}
}

// lightNames are what the templates of a template light may use beside value.
var lightNames = []string{"state", "brightness", "color_temp", "red", "green", "blue", "hue", "sat", "effect", "transition", "flash", "white_value"}

// templateLight writes its commands by two templates and reads each thing by one.
func (b *builder) templateLight() {
	turnOn := b.send("command_topic", "command_on_template", lightNames...)
	turnOff := b.send("command_topic", "command_off_template", lightNames...)
	writable := turnOn != nil && turnOff != nil
	b.add(word("on", writable), b.hear("state_topic", "state_template", readBool("on", "off")))
	add := func(p hearth.Property, template string, read func(any, *scope) hearth.Value) {
		if p.Writable = writable; b.has(template) {
			b.add(p, b.hear("state_topic", template, read))
		}
	}
	add(word("brightness", true), "brightness_template", brightnessOf(255))
	p, kelvin := b.warmth()
	add(p, "color_temp_template", warmthOf(kelvin))
	red, ok := b.template("red_template")
	green, all := b.template("green_template")
	blue, of := b.template("blue_template")
	if ok && all && of && red != nil && green != nil && blue != nil {
		for n, name := range []string{"color_hue", "color_saturation"} {
			b.add(word(name, writable), b.hear("state_topic", "", func(_ any, s *scope) hearth.Value { return mixed(n, s, red, green, blue) }))
		}
	}
	effects := b.options("effect_list")
	add(hearth.Property{Name: "effect", Kind: hearth.Text, Options: effects}, "effect_template", readChoice(effects))
	if !writable {
		return
	}
	b.command = func(set wish) ([]publication, error) {
		names := map[string]any{"state": either(lit(set), "on", "off")}
		if seconds, ok := set.number("transition"); ok {
			names["transition"] = plain(seconds)
		}
		to := turnOff
		if lit(set) {
			to = turnOn
			maps.Copy(names, templateWish(set, kelvin))
		}
		out, err := to.say("", names)
		return []publication{out}, err
	}
}

func templateWish(set wish, kelvin bool) map[string]any {
	names := map[string]any{}
	if percent, ok := set.number("brightness"); ok {
		names["brightness"] = brightnessFor(percent, 255)
	}
	if k, ok := set.number("color_temperature"); ok {
		names["color_temp"] = warmthFor(k, kelvin)
	}
	if hue, saturation, ok := painted(set); ok {
		names["red"], names["green"], names["blue"] = boxed(dialect.RGBOf(hue, saturation))
		names["hue"], names["sat"] = plain(hue), plain(saturation)
	}
	if name, ok := set.text("effect"); ok {
		names["effect"] = name
	}
	return names
}

func boxed(r, g, b int64) (any, any, any) { return r, g, b }

func mixed(n int, s *scope, templates ...*template) hearth.Value {
	var parts []float64
	for _, t := range templates {
		v, err := t.evaluate(s)
		part, ok := numberOf(v)
		if err != nil || !ok {
			return hearth.Value{}
		}
		parts = append(parts, part)
	}
	return hueOrSaturation(n, parts[0], parts[1], parts[2])
}
