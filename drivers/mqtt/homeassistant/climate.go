package homeassistant

import (
	"slices"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// hvacModes are the house's words for a climate's modes.
var hvacModes = map[string]string{"off": "off", "heat": "heat", "cool": "cool", "auto": "auto", "heat_cool": "auto", "dry": "dry", "fan_only": "fan_only"}

// hvacActions are the house's words for what a climate is doing.
var hvacActions = map[string]string{
	"off": "idle", "idle": "idle", "heating": "heating", "preheating": "heating", "defrosting": "heating", "cooling": "cooling", "drying": "drying", "fan": "fan",
}

// A control is one thing of a climate that can be told and says what it is.
type control struct {
	name string
	to   *sender
	say  func(hearth.Value) any
}

// buildClimate makes temperature, target_temperature, hvac_mode, hvac_action and what else there is.
func buildClimate(b *builder) {
	b.kind = "thermostat"
	degrees, _ := dialect.Convert("°"+b.or("temperature_unit", "C"), "°C") // what is not known is taken for what is wanted
	var controls []control
	both := func(p hearth.Property, key, template string, read func(any, *scope) hearth.Value, say func(hearth.Value) any) {
		to := b.send(key+"_command_topic", key+"_command_template")
		p.Writable = to != nil
		b.add(p, b.hear(key+"_state_topic", template, read))
		if to != nil {
			controls = append(controls, control{p.Name, to, say})
		}
	}
	b.add(word("temperature", false), b.hear("current_temperature_topic", "current_temperature_template", readNumber(degrees)))
	b.add(word("humidity", false), b.hear("current_humidity_topic", "current_humidity_template", readNumber(dialect.Conversion{})))
	warmth := func(v hearth.Value) any { return degrees.Out(v.Number()) }
	low, high := b.number("min_temp", degrees.Out(7)), b.number("max_temp", degrees.Out(35))
	for _, key := range []string{"temperature", "temperature_high", "temperature_low"} {
		p := word("target_"+key, true)
		if low < high {
			p = p.Within(degrees.In(low), degrees.In(high))
		}
		both(p, key, key+"_state_template", readNumber(degrees), warmth)
	}
	words, back, modes := b.hvac()
	p := word("hvac_mode", true)
	p.Options = modes
	both(p, "mode", "mode_state_template", readOption(words), func(v hearth.Value) any { return back[v.Text()] })
	p = word("hvac_action", false)
	p.Options = []string{"idle", "heating", "cooling", "drying", "fan"}
	b.add(p, b.hear("action_topic", "action_template", readOption(hvacActions)))
	same := func(v hearth.Value) any { return v.Text() }
	for _, list := range []struct{ key, options, template string }{
		{"preset_mode", "preset_modes", "preset_mode_value_template"}, {"fan_mode", "fan_modes", "fan_mode_state_template"}, {"swing_mode", "swing_modes", "swing_mode_state_template"},
	} {
		p := hearth.Property{Name: list.key, Kind: hearth.Text, Options: b.options(list.options)}
		if list.key == "preset_mode" && len(p.Options) > 0 && !slices.Contains(p.Options, "none") {
			p.Options = append(p.Options, "none")
		}
		both(p, list.key, list.template, readChoice(p.Options), same)
	}
	p = hearth.Property{Name: "target_humidity", Kind: hearth.Number, Unit: "%", UnitCode: "%"}.Within(b.number("min_humidity", 30), b.number("max_humidity", 99))
	both(p, "target_humidity", "target_humidity_state_template", readNumber(dialect.Conversion{}), func(v hearth.Value) any { return plain(v.Number()) })
	if len(controls) == 0 {
		return
	}
	b.command = func(set wish) ([]publication, error) {
		var all sending
		for _, c := range controls {
			if v, ok := set[c.name]; ok {
				all.say(c.to, c.say(v), nil)
			}
		}
		return all.publications, all.err
	}
}

// hvac returns the house's word for each of the climate's modes, the way back, and the words in order. A climate that
// has both auto and heat_cool keeps them apart.
func (b *builder) hvac() (words, back map[string]string, options []string) {
	modes := b.options("modes")
	if len(modes) == 0 {
		modes = []string{"auto", "off", "cool", "heat", "dry", "fan_only"}
	}
	words, back = map[string]string{}, map[string]string{}
	for _, mode := range modes {
		w, ok := hvacModes[mode]
		if !ok || mode == "heat_cool" && slices.Contains(modes, "auto") {
			w = mode
		}
		words[mode], back[w] = w, mode
		if !slices.Contains(options, w) {
			options = append(options, w)
		}
	}
	return words, back, options
}
