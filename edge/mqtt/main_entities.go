package mqtt

import (
	"slices"

	"hearth"
)

// main adds what an endpoint mainly is: one entity of several properties. What is left over becomes entities of its own.
func (b *builder) main(g *group) {
	is := func(t hearth.Type) bool { return b.d.Type == t }
	switch {
	case g.writable("lock") != nil:
		b.lock(g)
	case g.writable("target_temperature") != nil:
		b.climate(g)
	case is("valve") && (g.writable("on") != nil || g.writable("position") != nil):
		b.valve(g)
	case is("cover") && (g.get("position") != nil || g.writable("movement") != nil), g.writable("position") != nil, g.writable("movement") != nil:
		b.cover(g)
	case is("fan") && g.writable("on") != nil, g.writable("fan_speed") != nil:
		b.fan(g)
	case is("light") && g.writable("on") != nil, g.writable("brightness") != nil:
		b.light(g)
	}
	if p := g.writable("alarm"); p != nil {
		b.siren(g, p)
	}
	if p := g.writable("on"); p != nil && p.Kind == hearth.Bool {
		b.toggle(g, "on", true)
	}
}

// toggle is a switch: of an outlet, a relay, a setting.
func (b *builder) toggle(g *group, word string, lead bool) {
	p := g.get(word)
	g.use(word)
	c := b.toggled(p)
	if b.d.Type == "outlet" && lead {
		c["device_class"] = "outlet"
	}
	b.add("switch", p.Name, lead && g.suffix == "", c)
}

func (b *builder) toggled(p *hearth.PropertyView) fields {
	c := fields{"command_topic": b.set(), "payload_on": wish(p.Name, "true"), "payload_off": wish(p.Name, "false")}
	if isState(p.Property) {
		c["state_topic"], c["value_template"] = b.state(), either(p.Name, "ON", "OFF")
		c["state_on"], c["state_off"] = "ON", "OFF"
	} else {
		c["optimistic"] = true
	}
	return c
}

// siren takes how it sounds with the command that starts it: on its own it means nothing.
func (b *builder) siren(g *group, p *hearth.PropertyView) {
	on := `{"` + p.Name + `":true`
	c := fields{"command_topic": b.set(), "command_off_template": wish(p.Name, "false"), "support_volume_set": false, "support_duration": false}
	if mode := g.writable("alarm_mode"); mode != nil && len(mode.Options) > 0 {
		c["available_tones"] = mode.Options
		on += `{% if tone is defined and tone %},"` + mode.Name + `":{{ tone | tojson }}{% endif %}`
	}
	if duration := g.writable("alarm_duration"); duration != nil {
		c["support_duration"] = true
		on += `{% if duration is defined and duration %},"` + duration.Name + `":{{ duration }}{% endif %}`
	}
	c["command_template"] = on + "}"
	if isState(p.Property) {
		c["state_topic"], c["state_value_template"] = b.state(), either(p.Name, "ON", "OFF")
		c["state_on"], c["state_off"] = "ON", "OFF"
	} else {
		c["optimistic"] = true
		g.use("alarm_mode", "alarm_duration", "alarm_volume", "alarm_strobe")
	}
	g.use("alarm")
	b.add("siren", p.Name, b.d.Type == "siren" && g.suffix == "", c)
}

// light is one of the template schema: what it is told at once is one wish.
func (b *builder) light(g *group) {
	on, bright := g.get("on"), g.writable("brightness")
	white, hue, saturation := g.writable("color_temperature"), g.writable("color_hue"), g.writable("color_saturation")
	c := fields{"schema": "template", "state_topic": b.state(), "command_topic": b.set()}
	var begin, more, name string
	switch {
	case on != nil && on.Writable:
		name = on.Name
		begin, c["command_off_template"] = `{"`+on.Name+`":true`, wish(on.Name, "false")
		c["state_template"] = either(on.Name, "on", "off")
	default: // a brightness alone: off is none of it
		name = bright.Name
		begin = `{"` + bright.Name + `":{% if brightness is defined %}{{ (brightness / 2.55) | round(1) }}{% else %}100{% endif %}`
		c["command_off_template"] = wish(bright.Name, "0")
		c["state_template"] = "{{ 'None' if value_json.get('" + bright.Name + "') is none else 'on' if value_json." + bright.Name + " > 0 else 'off' }}"
	}
	if bright != nil {
		c["brightness_template"] = scaled(bright.Name, "2.55")
		if name != bright.Name {
			more += `{% if brightness is defined %},"` + bright.Name + `":{{ (brightness / 2.55) | round(1) }}{% endif %}`
		}
	}
	if white != nil {
		c["color_temp_kelvin"] = true
		c["color_temp_template"] = b.only(g, modeWhite, scaled(white.Name, "1"))
		c["min_kelvin"], c["max_kelvin"] = bound(white.Min, 2000), bound(white.Max, 6535)
		more += `{% if color_temp is defined %},"` + white.Name + `":{{ color_temp }}{% endif %}`
	}
	if hue != nil && saturation != nil {
		for n, color := range []string{5: "red_template", 3: "green_template", 1: "blue_template"} {
			if color != "" {
				c[color] = b.only(g, modeColor, channel(hue.Name, saturation.Name, n))
			}
		}
		more += `{% if hue is defined and sat is defined %},"` + hue.Name + `":{{ hue }},"` + saturation.Name + `":{{ sat }}{% endif %}`
	}
	if transition := g.writable("transition"); transition != nil {
		more += `{% if transition is defined %},"` + transition.Name + `":{{ transition }}{% endif %}`
		c["command_off_template"] = offWith(c["command_off_template"], transition.Name)
	}
	c["command_on_template"] = begin + more + "}"
	g.use("on", "brightness", "color_temperature", "color_hue", "color_saturation", "color_x", "color_y", "transition")
	b.add("light", name, b.d.Type == "light" && g.suffix == "", c)
}

func offWith(off any, transition string) string {
	text, _ := off.(string)
	return text[:len(text)-1] + `{% if transition is defined %},"` + transition + `":{{ transition }}{% endif %}}`
}

// only renders a template while the light is in that mode, where it has two.
func (b *builder) only(g *group, mode, template string) string {
	if g.get("color_temperature") == nil || g.get("color_hue") == nil || g.get("color_saturation") == nil {
		return template
	}
	return "{% if value_json.get('" + g.modeName() + "') == '" + mode + "' %}" + template + "{% else %}None{% endif %}"
}

// scaled renders a number times a factor, as a whole one.
func scaled(name, by string) string {
	return "{{ 'None' if value_json.get('" + name + "') is none else (value_json." + name + " * " + by + ") | round | int }}"
}

// channel renders red, green or blue (n is 5, 3 or 1) of a hue and a saturation at full brightness.
func channel(hue, saturation string, n int) string {
	digit := string(rune('0' + n))
	return "{% set k = (" + digit + " + value_json.get('" + hue + "', 0) / 60) % 6 %}" +
		"{{ (255 - 2.55 * value_json.get('" + saturation + "', 0) * [0, [k, 4 - k, 1] | min] | max) | round | int }}"
}

func bound(limit *float64, otherwise float64) float64 {
	if limit == nil {
		return otherwise
	}
	return *limit
}

func (b *builder) lock(g *group) {
	p := g.get("lock")
	g.use("lock")
	b.add("lock", p.Name, g.suffix == "", fields{
		"state_topic": b.state(), "command_topic": b.set(),
		"value_template": "{{ 'None' if value_json.get('" + p.Name + "', 'unknown') == 'unknown' else value_json." + p.Name + " }}",
		"payload_lock":   wishText(p.Name, "locked"), "payload_unlock": wishText(p.Name, "unlocked"),
		"state_locked": "locked", "state_unlocked": "unlocked", "state_jammed": "jammed",
	})
}

func (b *builder) cover(g *group) {
	position, movement, tilt := g.get("position"), g.writable("movement"), g.get("tilt")
	c := fields{"command_topic": b.set(), "payload_stop": nil}
	name := ""
	if position != nil {
		name = position.Name
		if isState(position.Property) {
			c["position_topic"], c["position_template"] = b.state(), whole(position.Name)
		}
		if position.Writable {
			c["set_position_topic"], c["set_position_template"] = b.set(), wish(position.Name, "{{ position }}")
			c["payload_open"], c["payload_close"] = wish(position.Name, "100"), wish(position.Name, "0")
		}
	}
	if movement != nil {
		if name == "" {
			name, c["optimistic"] = movement.Name, true
		}
		c["payload_open"], c["payload_close"], c["payload_stop"] = wishText(movement.Name, "open"), wishText(movement.Name, "close"), wishText(movement.Name, "stop")
	}
	if c["payload_open"] == nil {
		delete(c, "command_topic") // it only tells
		delete(c, "payload_stop")
	}
	if tilt != nil {
		c["tilt_status_topic"], c["tilt_status_template"] = b.state(), whole(tilt.Name)
		if tilt.Writable {
			c["tilt_command_topic"], c["tilt_command_template"] = b.set(), wish(tilt.Name, "{{ tilt_position }}")
		}
	}
	g.use("position", "movement", "tilt")
	b.add("cover", name, b.d.Type == "cover" && g.suffix == "", c)
}

func (b *builder) valve(g *group) {
	c := fields{"state_topic": b.state(), "command_topic": b.set(), "device_class": "water"}
	name := ""
	if p := g.writable("position"); p != nil {
		name = p.Name
		c["reports_position"], c["value_template"], c["command_template"] = true, whole(p.Name), wish(p.Name, "{{ value }}")
		g.use("position")
	} else {
		p := g.writable("on")
		name = p.Name
		c["value_template"], c["state_open"], c["state_closed"] = either(p.Name, "open", "closed"), "open", "closed"
		c["payload_open"], c["payload_close"] = wish(p.Name, "true"), wish(p.Name, "false")
		g.use("on")
	}
	b.add("valve", name, g.suffix == "", c)
}

func (b *builder) fan(g *group) {
	on, speed, mode := g.writable("on"), g.writable("fan_speed"), g.writable("fan_mode")
	c := fields{"state_topic": b.state(), "command_topic": b.set()}
	name := ""
	switch {
	case on != nil:
		name = on.Name
		c["payload_on"], c["payload_off"], c["state_value_template"] = wish(on.Name, "true"), wish(on.Name, "false"), either(on.Name, "ON", "OFF")
	default:
		name = speed.Name
		c["payload_on"], c["payload_off"] = wish(speed.Name, "100"), wish(speed.Name, "0")
		c["state_value_template"] = "{{ 'None' if value_json.get('" + speed.Name + "') is none else 'ON' if value_json." + speed.Name + " > 0 else 'OFF' }}"
	}
	c["state_on"], c["state_off"] = "ON", "OFF"
	if speed != nil {
		c["percentage_state_topic"], c["percentage_value_template"] = b.state(), scaled(speed.Name, "1")
		c["percentage_command_topic"], c["percentage_command_template"] = b.set(), wish(speed.Name, "{{ value }}")
	}
	if mode != nil {
		modes := slices.DeleteFunc(slices.Clone(mode.Options), func(s string) bool { return s == "off" || s == "on" })
		if len(modes) > 0 {
			c["preset_modes"] = modes
			c["preset_mode_state_topic"] = b.state()
			c["preset_mode_value_template"] = "{{ 'None' if value_json.get('" + mode.Name + "') in [none, 'on', 'off'] else value_json." + mode.Name + " }}"
			c["preset_mode_command_topic"], c["preset_mode_command_template"] = b.set(), wish(mode.Name, "{{ value | tojson }}")
			g.use("fan_mode")
		}
	}
	g.use("on", "fan_speed")
	b.add("fan", name, b.d.Type == "fan" && g.suffix == "", c)
}

// climate is a thermostat. One without modes heats, or is off where it can be switched off.
func (b *builder) climate(g *group) {
	target := g.get("target_temperature")
	c := fields{
		"temperature_state_topic": b.state(), "temperature_state_template": value(target.Name),
		"temperature_command_topic": b.set(), "temperature_command_template": wish(target.Name, "{{ value }}"),
		"temperature_unit": "C", "temp_step": 0.5, "precision": 0.1,
		"min_temp": bound(target.Min, 5), "max_temp": bound(target.Max, 35),
		"mode_state_topic": b.state(),
	}
	if p := g.get("temperature"); p != nil {
		c["current_temperature_topic"], c["current_temperature_template"] = b.state(), value(p.Name)
	}
	if p := g.get("humidity"); p != nil {
		c["current_humidity_topic"], c["current_humidity_template"] = b.state(), value(p.Name)
	}
	if p := g.free("hvac_action"); p != nil {
		c["action_topic"], c["action_template"] = b.state(), value(p.Name)
		g.use("hvac_action")
	}
	mode, on := g.free("hvac_mode"), g.writable("on")
	switch {
	case mode != nil && len(hvacModes(mode.Options)) > 0:
		c["modes"] = hvacModes(mode.Options)
		c["mode_state_template"] = value(mode.Name)
		if mode.Writable {
			c["mode_command_topic"], c["mode_command_template"] = b.set(), wish(mode.Name, "{{ value | tojson }}")
		}
		g.use("hvac_mode")
	case on != nil:
		c["modes"], c["mode_state_template"] = []string{"off", "heat"}, either(on.Name, "heat", "off")
		c["mode_command_topic"], c["mode_command_template"] = b.set(), wish(on.Name, "{{ 'false' if value == 'off' else 'true' }}")
		g.use("on")
	default:
		c["modes"], c["mode_state_template"] = []string{"heat"}, "heat"
	}
	if p := g.writable("fan_mode"); p != nil && len(p.Options) > 0 {
		c["fan_modes"], c["fan_mode_state_topic"], c["fan_mode_state_template"] = p.Options, b.state(), value(p.Name)
		c["fan_mode_command_topic"], c["fan_mode_command_template"] = b.set(), wish(p.Name, "{{ value | tojson }}")
		g.use("fan_mode")
	}
	g.use("target_temperature")
	b.add("climate", target.Name, b.d.Type == "thermostat" && g.suffix == "", c)
}

// hvacModes are those that Home Assistant knows.
func hvacModes(options []string) (modes []string) {
	for _, mode := range []string{"off", "heat", "cool", "auto", "dry", "fan_only"} {
		if slices.Contains(options, mode) {
			modes = append(modes, mode)
		}
	}
	return modes
}
