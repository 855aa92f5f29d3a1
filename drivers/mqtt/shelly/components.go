package shelly

import (
	"math"
	"slices"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// kinds lists the components that say something about the house, in the order in which they get the plain names.
func kinds() []string {
	return []string{
		"switch", "light", "rgb", "rgbw", "rgbcct", "cct", "cover", "thermostat", "blutrv", "em", "em1", "pm1", "emdata", "em1data",
		"temperature", "humidity", "illuminance", "voltmeter", "smoke", "flood", "presencezone", "input", "devicepower",
		"boolean", "number", "text", "enum", "button", "bthomesensor", "bthomedevice", "wifi", "sys",
	}
}

func rank(kind string) int { return slices.Index(kinds(), kind) }

func word(name string) hearth.Property {
	p, _ := hearth.Word(name)
	return p
}

// How values are read.

func numberOf(v any) hearth.Value {
	if n, ok := v.(float64); ok {
		return hearth.NumberOf(n)
	}
	return hearth.Value{}
}

// kiloWattHours reads watt hours.
func kiloWattHours(v any) hearth.Value {
	if n, ok := v.(float64); ok {
		return hearth.NumberOf(math.Round(n*1000) / 1e6)
	}
	return hearth.Value{}
}

func boolOf(v any) hearth.Value {
	if b, ok := v.(bool); ok {
		return hearth.BoolOf(b)
	}
	return hearth.Value{}
}

func textOf(v any) hearth.Value {
	if s, ok := v.(string); ok {
		return hearth.TextOf(s)
	}
	return hearth.Value{}
}

// percentOf reads a share, which before the first one is -1.
func percentOf(v any) hearth.Value {
	if n, ok := v.(float64); ok && n >= 0 {
		return hearth.NumberOf(n)
	}
	return hearth.Value{}
}

// told is a property that is read at a path.
func told(name, path string, read func(any) hearth.Value) *face {
	return &face{property: word(name), path: path, read: read}
}

// set is one that takes commands as well.
func set(role, name, path string, read func(any) hearth.Value) *face {
	f := told(name, path, read)
	f.property, f.role = f.property.AsWritable(), role
	return f
}

// describe lists the properties of a component, named by their words.
func describe(dev *device, c *component) []*face {
	switch c.kind {
	case "switch":
		return append([]*face{set("on", "on", "output", boolOf)}, measures(c)...)
	case "light", "rgb", "rgbw", "rgbcct", "cct":
		return append(light(c), measures(c)...)
	case "cover":
		return append(cover(c), measures(c)...)
	case "thermostat":
		return thermostat(c)
	case "blutrv":
		target := set("target", "target_temperature", "target_C", numberOf)
		target.property = target.property.Within(4, 30)
		return present(c,
			target, told("temperature", "current_C", numberOf),
			told("pi_heating_demand", "pos", percentOf), told("battery", "battery", percentOf), told("rssi", "rssi", numberOf))
	case "em", "em1", "pm1", "emdata", "em1data":
		return meter(c)
	case "input":
		return inputs(dev, c)
	case "boolean", "number", "text", "enum", "button":
		return virtual(c)
	case "bthomesensor":
		return bthome(c)
	}
	return present(c, sensors(c.kind)...)
}

// sensors lists what simple components tell.
func sensors(kind string) []*face {
	switch kind {
	case "temperature":
		return []*face{told("temperature", "tC", numberOf)}
	case "humidity":
		return []*face{told("humidity", "rh", numberOf)}
	case "illuminance":
		return []*face{told("illuminance", "lux", numberOf)}
	case "voltmeter":
		return []*face{told("voltage", "voltage", numberOf)}
	case "smoke":
		return []*face{told("smoke", "alarm", boolOf)}
	case "flood":
		return []*face{told("water_leak", "alarm", boolOf)}
	case "presencezone":
		return []*face{told("presence", "value", boolOf)}
	case "devicepower":
		return []*face{told("battery", "battery.percent", percentOf), told("battery_voltage", "battery.V", numberOf)}
	case "bthomedevice":
		return []*face{told("battery", "battery", percentOf), told("rssi", "rssi", numberOf)}
	case "wifi":
		return []*face{told("rssi", "rssi", negative)}
	case "sys":
		return []*face{told("uptime", "uptime", numberOf)}
	}
	return nil
}

// negative reads a signal strength; 0 says that there is none.
func negative(v any) hearth.Value {
	if n, ok := v.(float64); ok && n < 0 {
		return hearth.NumberOf(n)
	}
	return hearth.Value{}
}

// present leaves out what the component does not have.
func present(c *component, faces ...*face) []*face {
	return slices.DeleteFunc(faces, func(f *face) bool { return f.path != "" && !has(c.status, f.path) })
}

// measures are what an output measures of itself.
func measures(c *component) []*face {
	return present(c,
		told("power", "apower", numberOf), told("voltage", "voltage", numberOf), told("current", "current", numberOf),
		told("frequency", "freq", numberOf), told("power_factor", "pf", numberOf),
		told("energy", "aenergy.total", kiloWattHours), told("energy_exported", "ret_aenergy.total", kiloWattHours),
		told("device_temperature", "temperature.tC", numberOf))
}

// meter lists what energy meters measure, and where counters are apart from them, those.
func meter(c *component) []*face {
	switch c.kind {
	case "pm1":
		return append(measures(c), present(c, told("power_apparent", "aprtpower", numberOf))...)
	case "em1":
		return present(c,
			told("power", "act_power", numberOf), told("power_apparent", "aprt_power", numberOf), told("voltage", "voltage", numberOf),
			told("current", "current", numberOf), told("power_factor", "pf", numberOf), told("frequency", "freq", numberOf))
	case "em1data":
		return present(c, told("energy", "total_act_energy", kiloWattHours), told("energy_exported", "total_act_ret_energy", kiloWattHours))
	case "emdata":
		all := []*face{told("energy", "total_act", kiloWattHours), told("energy_exported", "total_act_ret", kiloWattHours)}
		for i, phase := range []string{"a", "b", "c"} {
			line := []string{"_l1", "_l2", "_l3"}[i]
			all = append(all, told("energy"+line, phase+"_total_act_energy", kiloWattHours), told("energy_exported"+line, phase+"_total_act_ret_energy", kiloWattHours))
		}
		return present(c, all...)
	}
	all := []*face{
		told("power", "total_act_power", numberOf), told("power_apparent", "total_aprt_power", numberOf),
		told("current", "total_current", numberOf), told("current_neutral", "n_current", numberOf),
	}
	for i, phase := range []string{"a", "b", "c"} {
		line := []string{"_l1", "_l2", "_l3"}[i]
		all = append(all,
			told("power"+line, phase+"_act_power", numberOf), told("power_apparent"+line, phase+"_aprt_power", numberOf), told("voltage"+line, phase+"_voltage", numberOf),
			told("current"+line, phase+"_current", numberOf), told("power_factor"+line, phase+"_pf", numberOf), told("frequency"+line, phase+"_freq", numberOf))
	}
	return present(c, all...)
}

// cover lists what a cover has. It knows its position only once it is calibrated, and moves to one only then.
func cover(c *component) []*face {
	all := []*face{{property: word("movement"), role: "movement"}}
	calibrated, _ := c.status["pos_control"].(bool)
	if calibrated {
		all = append(all, set("position", "position", "current_pos", percentOf))
		if has(c.status, "slat_pos") {
			all = append(all, set("tilt", "tilt", "slat_pos", percentOf))
		}
	}
	state := hearth.Property{Name: "state", Kind: hearth.Text}
	return append(all, present(c, &face{property: state, path: "state", read: textOf})...)
}

func thermostat(c *component) []*face {
	cooling := c.config["type"] == "cooling"
	action := func(v any) hearth.Value {
		working, ok := v.(bool)
		switch {
		case !ok:
			return hearth.Value{}
		case !working:
			return hearth.TextOf("idle")
		case cooling:
			return hearth.TextOf("cooling")
		}
		return hearth.TextOf("heating")
	}
	works := "heat"
	if cooling {
		works = "cool"
	}
	mode := set("mode", "hvac_mode", "enable", func(v any) hearth.Value {
		enabled, ok := v.(bool)
		switch {
		case !ok:
			return hearth.Value{}
		case enabled:
			return hearth.TextOf(works)
		}
		return hearth.TextOf("off")
	})
	mode.property = mode.property.OneOf("off", works)
	return present(c,
		set("target", "target_temperature", "target_C", numberOf), mode,
		&face{property: word("hvac_action"), path: "output", read: action},
		told("temperature", "current_C", numberOf), told("humidity", "current_humidity", numberOf))
}

// virtual is what a person has added for a script of theirs. It is called as they call it, where that can be.
func virtual(c *component) []*face {
	if c.kind == "button" {
		return []*face{
			{property: pushes("button")},
			{property: hearth.Property{Name: "press", Kind: hearth.Bool, Writable: true, WriteOnly: true}, role: "press"},
		}
	}
	f := &face{path: "value", role: "value"}
	kind := map[string]hearth.Kind{"boolean": hearth.Bool, "number": hearth.Number, "text": hearth.Text, "enum": hearth.Text}[c.kind]
	f.read = map[hearth.Kind]func(any) hearth.Value{hearth.Bool: boolOf, hearth.Number: numberOf, hearth.Text: textOf}[kind]
	unit, _ := at(c.config, "meta.ui.unit").(string)
	name, _ := c.config["name"].(string)
	name = dialect.PropertyName(name)
	conversion := dialect.Conversion{}
	p, known := hearth.Word(name)
	if known && p.Kind == hearth.Number {
		var ok bool
		p, conversion, ok = dialect.Measured(p, dialect.Clip(unit, 16))
		known = ok && conversion == dialect.Conversion{}
	}
	if name == "" || known && (p.Kind != kind || p.Momentary || p.WriteOnly) || !known && hearthWord(name) {
		name, known = "value_"+c.kind, false
	} else {
		f.called = true
	}
	f.property = hearth.Property{Name: name, Kind: kind}
	if known {
		f.property = p
	}
	if view := at(c.config, "meta.ui.view"); view != "label" && view != "progressbar" {
		f.property.Writable = true
	} else {
		f.role = ""
	}
	f.bounds(c, unit, known)
	return []*face{f}
}

func hearthWord(name string) bool { _, ok := hearth.Word(name); return ok }

// bounds gives a virtual component's property the range, the unit and the options that a person has set.
func (f *face) bounds(c *component, unit string, known bool) {
	low, from := c.config["min"].(float64)
	high, to := c.config["max"].(float64)
	if c.kind == "number" && from && to && low < high {
		f.property = f.property.Within(low, high)
	}
	if c.kind == "number" && !known {
		f.property, _, _ = dialect.Measured(f.property, dialect.Clip(unit, 16))
	}
	options, _ := c.config["options"].([]any)
	if c.kind != "enum" || known {
		return
	}
	for _, option := range options {
		if text, ok := option.(string); ok && len(f.property.Options) < maxKeys {
			f.property.Options = append(f.property.Options, text)
		}
	}
}
