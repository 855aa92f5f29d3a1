package mqtt

import (
	"slices"
	"strings"

	"hearth"
)

// single adds a property as an entity of its own.
func (b *builder) single(word string, p *hearth.PropertyView) {
	switch {
	case word == "reachable", word == "transition": // availability says it; a part of other wishes
	case p.Momentary:
		b.event(word, p)
	case p.WriteOnly && p.Kind == hearth.Bool && slices.Contains(pulses(), word):
		b.button(word, p)
	case p.Writable && p.Kind == hearth.Bool:
		c := b.toggled(p)
		c["entity_category"] = setting
		b.add("switch", p.Name, false, c)
	case p.Writable && p.Kind == hearth.Number:
		b.number(word, p)
	case p.Writable && len(p.Options) > 0:
		b.choice(p)
	case p.Writable:
		b.text(p)
	case p.WriteOnly: // nobody can write it and it says nothing
	case p.Kind == hearth.Bool:
		b.binary(word, p)
	default:
		b.sensor(word, p)
	}
}

// pulses are what is done once and has no off.
func pulses() []string {
	return []string{"identify", "refresh", "reset_energy", "reinterview", "remove"}
}

func (b *builder) button(word string, p *hearth.PropertyView) {
	c := fields{"command_topic": b.set(), "payload_press": wish(p.Name, "true"), "entity_category": diagnostic}
	switch word {
	case "identify":
		c["device_class"], c["entity_category"] = "identify", setting
	case "remove", "reset_energy":
		c["entity_category"], c["enabled_by_default"] = setting, false // nothing to press by accident
	}
	b.add("button", p.Name, false, c)
}

// event is a press of a button and the like. What it was is the type of the event, where that can be known before.
func (b *builder) event(word string, p *hearth.PropertyView) {
	c := fields{"state_topic": b.t.event(b.d.ID, p.Name)}
	if p.Kind == hearth.Text && len(p.Options) > 0 {
		c["event_types"], c["value_template"] = p.Options, "{{ {'event_type': value_json.value} | tojson }}"
	} else {
		c["event_types"], c["value_template"] = []string{p.Name}, "{{ {'event_type': '"+p.Name+"', 'value': value_json.value} | tojson }}"
	}
	if word == "button" {
		c["device_class"] = "button"
	}
	b.add("event", p.Name, false, c)
}

// number is a setting. One without a range gets one that is wide enough for anything a device has.
func (b *builder) number(word string, p *hearth.PropertyView) {
	const wide = 1e6
	c := fields{
		"command_topic": b.set(), "command_template": wish(p.Name, "{{ value }}"),
		"min": bound(p.Min, -wide), "max": bound(p.Max, wide), "step": step(p.Property), "mode": "box",
	}
	if isState(p.Property) {
		c["state_topic"], c["value_template"] = b.state(), value(p.Name)
	} else {
		c["optimistic"] = true
	}
	unit(c, p.Property)
	if class := measured(word); class.class != "" && class.fits(p.Unit) && class.class != "energy" {
		c["device_class"] = class.class
	}
	if word != "position" && word != "brightness" && word != "fan_speed" {
		c["entity_category"] = setting
	}
	b.add("number", p.Name, false, c)
}

// step is how finely a number can be set.
func step(p hearth.Property) float64 {
	switch {
	case p.Unit == "°C":
		return 0.1
	case p.Min != nil && p.Max != nil && *p.Max-*p.Min <= 2:
		return 0.01
	case p.Unit == "%":
		return 0.1
	}
	return 1
}

func (b *builder) choice(p *hearth.PropertyView) {
	c := fields{
		"command_topic": b.set(), "command_template": wish(p.Name, "{{ value | tojson }}"),
		"options": p.Options, "entity_category": setting,
	}
	if isState(p.Property) {
		c["state_topic"], c["value_template"] = b.state(), value(p.Name)
	} else {
		c["optimistic"] = true
	}
	b.add("select", p.Name, false, c)
}

func (b *builder) text(p *hearth.PropertyView) {
	c := fields{"command_topic": b.set(), "command_template": wish(p.Name, "{{ value | tojson }}"), "entity_category": setting}
	if isState(p.Property) {
		c["state_topic"], c["value_template"] = b.state(), "{{ value_json.get('"+p.Name+"', '')[:255] }}"
	}
	b.add("text", p.Name, false, c)
}

func (b *builder) binary(word string, p *hearth.PropertyView) {
	c := fields{
		"state_topic": b.state(), "value_template": either(p.Name, "ON", "OFF"), "payload_on": "ON", "payload_off": "OFF",
	}
	if class := noticed(word); class != "" {
		c["device_class"] = class
	}
	if word == "battery_low" || word == "tamper" {
		c["entity_category"] = diagnostic
	}
	b.add("binary_sensor", p.Name, false, c)
}

// noticed is the device class of a bool that a device tells.
func noticed(word string) string {
	for _, row := range strings.Fields("on=power open=opening window_open=window occupancy=occupancy presence=presence vibration=vibration sound_alarm=sound " +
		"battery_low=battery water_leak=moisture smoke=smoke carbon_monoxide_alarm=carbon_monoxide gas_alarm=gas tamper=tamper alarm=safety glass_break=safety") {
		if name, class, _ := strings.Cut(row, "="); name == word {
			return class
		}
	}
	return ""
}

func (b *builder) sensor(word string, p *hearth.PropertyView) {
	c := fields{"state_topic": b.state(), "value_template": value(p.Name)}
	class := measured(word)
	switch {
	case p.Kind == hearth.Number:
		c["state_class"] = "measurement"
		if class.fits(p.Unit) && class.class != "" {
			c["device_class"] = class.class
		}
		if class.counts {
			c["state_class"] = "total_increasing"
		}
		unit(c, p.Property)
	case len(p.Options) > 0:
		c["device_class"], c["options"] = "enum", p.Options
	default:
		c["value_template"] = "{{ value_json.get('" + p.Name + "', '')[:255] }}" // the longest that a state may be
	}
	if class.diagnostic {
		c["entity_category"] = diagnostic
	}
	b.add("sensor", p.Name, false, c)
}

func unit(c fields, p hearth.Property) {
	if p.Unit != "" {
		c["unit_of_measurement"] = p.Unit
	}
}

// A measure is what Home Assistant makes of a word.
type measure struct {
	class, unit        string
	counts, diagnostic bool
}

// fits reports whether a device class allows the unit: of another one the entity would be refused.
func (m measure) fits(unit string) bool { return m.unit == unit }

func measured(word string) measure {
	for _, row := range measures() {
		if slices.Contains(strings.Fields(row.words), word) {
			return row.measure
		}
	}
	return measure{}
}

type measureRow struct {
	words string
	measure
}

func measures() []measureRow {
	return []measureRow{
		{"temperature target_temperature min_temperature max_temperature comfort_temperature eco_temperature holiday_temperature away_temperature " +
			"frost_temperature floor_temperature outdoor_temperature external_temperature alarm_temperature", measure{class: "temperature", unit: "°C"}},
		{"cpu_temperature device_temperature", measure{class: "temperature", unit: "°C", diagnostic: true}},
		{"humidity alarm_humidity", measure{class: "humidity", unit: "%"}},
		{"soil_moisture leaf_wetness", measure{class: "moisture", unit: "%"}},
		{"battery", measure{class: "battery", unit: "%", diagnostic: true}},
		{"battery_voltage", measure{class: "voltage", unit: "V", diagnostic: true}},
		{"pressure", measure{class: "atmospheric_pressure", unit: "hPa"}},
		{"illuminance", measure{class: "illuminance", unit: "lx"}},
		{"noise", measure{class: "sound_pressure", unit: "dBA"}},
		{"voltage", measure{class: "voltage", unit: "V"}},
		{"current", measure{class: "current", unit: "A"}},
		{"power", measure{class: "power", unit: "W"}},
		{"energy energy_exported energy_total heat_energy", measure{class: "energy", unit: "kWh", counts: true}},
		{"gas_volume", measure{class: "gas", unit: "m³", counts: true}},
		{"water_volume", measure{class: "water", unit: "m³", counts: true}},
		{"frequency", measure{class: "frequency", unit: "Hz"}},
		{"power_factor", measure{class: "power_factor"}},
		{"power_apparent", measure{class: "apparent_power", unit: "VA"}},
		{"power_reactive", measure{class: "reactive_power", unit: "var"}},
		{"co2", measure{class: "carbon_dioxide", unit: "ppm"}},
		{"carbon_monoxide", measure{class: "carbon_monoxide", unit: "ppm"}},
		{"pm1", measure{class: "pm1", unit: "µg/m³"}},
		{"pm25", measure{class: "pm25", unit: "µg/m³"}},
		{"pm10", measure{class: "pm10", unit: "µg/m³"}},
		{"voc", measure{class: "volatile_organic_compounds_parts", unit: "ppb"}},
		{"voc_mass", measure{class: "volatile_organic_compounds", unit: "µg/m³"}},
		{"wind_speed", measure{class: "wind_speed", unit: "m/s"}},
		{"ph", measure{class: "ph"}},
		{"rssi", measure{class: "signal_strength", unit: "dBm", diagnostic: true}},
		{"uptime", measure{class: "duration", unit: "s", diagnostic: true}},
		{"clock_offset", measure{class: "duration", unit: "ms", diagnostic: true}},
		{"buffer_bytes", measure{class: "data_size", unit: "B", diagnostic: true}},
		{"flash_written", measure{class: "data_size", unit: "MB", diagnostic: true}},
		{"rss", measure{class: "data_size", unit: "MiB", diagnostic: true}},
		{"link_quality buffer_rows interview firmware_update firmware_progress membership", measure{diagnostic: true}},
	}
}
