package hearth

import (
	"slices"
	"strings"
)

// Word returns the property that name stands for: its kind, unit and range, and for a suffixed name (on_2, power_l1,
// button_left) those of the word it begins with. Every driver builds its properties from this table, so that one
// quantity has one name and one unit in the whole house. A name that is not listed is a Number without a unit, false.
func Word(name string) (Property, bool) {
	for stem := name; ; {
		if p, ok := lookup(stem); ok {
			p.Name = name
			return p, true
		}
		cut := strings.LastIndexByte(stem, '_')
		if cut < 0 {
			return Property{Name: name, Kind: Number}, false
		}
		stem = stem[:cut]
	}
}

// Writable returns p as one that takes commands.
func (p Property) AsWritable() Property { p.Writable = true; return p }

// Within returns p with another range, as of one lamp's own colour temperatures.
func (p Property) Within(low, high float64) Property { p.Min, p.Max = &low, &high; return p }

// OneOf returns p with other options.
func (p Property) OneOf(options ...string) Property { p.Options = options; return p }

// Words lists the names in the table, sorted.
func Words() []string {
	var names []string
	for _, row := range words() {
		names = append(names, strings.Fields(row.names)...)
	}
	slices.Sort(names)
	return names
}

func lookup(name string) (Property, bool) {
	for _, row := range words() {
		if slices.Contains(strings.Fields(row.names), name) {
			p := row.Property
			if row.high > row.low {
				p.Min, p.Max = &row.low, &row.high
			}
			return p, true
		}
	}
	return Property{}, false
}

type word struct {
	names string
	Property
	low, high float64 // the range, if high > low
}

// words is the vocabulary. A counter has no upper end.
func words() []word {
	boolean, urgent := Property{Kind: Bool}, Property{Kind: Bool, Urgent: true}
	number := func(unit, code string) Property { return Property{Kind: Number, Unit: unit, UnitCode: code} }
	enum := func(options ...string) Property { return Property{Kind: Text, Options: options} }
	percent, text, celsius := number("%", "%"), enum(), number("°C", "Cel")
	return []word{
		{"on", boolean, 0, 0},
		{"brightness color_saturation humidity battery soil_moisture leaf_wetness position tilt fan_speed pi_heating_demand pi_cooling_demand firmware_progress", percent, 0, 100},
		{"color_temperature", number("K", "K"), 1000, 10000},
		{"color_hue", number("°", "deg"), 0, 360},
		{"color_x color_y", number("", "1"), 0, 1},
		{"power_on_behavior", enum("off", "on", "previous", "toggle"), 0, 0},
		{"transition", Property{Kind: Number, Unit: "s", UnitCode: "s", Writable: true, WriteOnly: true}, 0, 6553},
		{"temperature cpu_temperature device_temperature", celsius, -273.15, 1000},
		{"target_temperature", celsius, 5, 35},
		{"min_temperature max_temperature comfort_temperature eco_temperature holiday_temperature away_temperature frost_temperature " +
			"floor_temperature outdoor_temperature external_temperature local_temperature_calibration", celsius, 0, 0},
		{"local_humidity_calibration", percent, 0, 0},
		{"pressure", number("hPa", "hPa"), 300, 1100},
		{"illuminance", number("lx", "lx"), 0, 100000},
		{"occupancy presence vibration sound_alarm child_lock battery_low reachable window_open window_detection", boolean, 0, 0},
		{"alarm_strobe alarm_on_humidity alarm_on_temperature", boolean, 0, 0},
		{"open water_leak smoke carbon_monoxide_alarm gas_alarm tamper alarm glass_break", urgent, 0, 0},
		{"alarm_mode alarm_volume alarm_melody alarm_state alarm_humidity alarm_temperature", text, 0, 0},
		{"alarm_duration alarm_time", number("s", "s"), 0, 0},
		{"noise", number("dBA", "dB[SPL]"), 0, 140},
		{"battery_voltage", number("V", "V"), 0, 15},
		{"voltage", number("V", "V"), 0, 480},
		{"current", number("A", "A"), 0, 100},
		{"power", number("W", "W"), -100000, 100000},
		{"energy energy_exported energy_total heat_energy", number("kWh", "kW.h"), 0, 0},
		{"tariff", number("", "1"), 0, 0},
		{"gas_volume water_volume", number("m³", "m3"), 0, 0},
		{"frequency", number("Hz", "Hz"), 0, 400},
		{"power_factor", number("", "1"), -1, 1},
		{"power_apparent", number("VA", "V.A"), 0, 0},
		{"power_reactive", number("var", "var"), 0, 0},
		{"co2 carbon_monoxide", number("ppm", "[ppm]"), 0, 40000},
		{"pm1 pm25 pm10", number("µg/m³", "ug/m3"), 0, 1000},
		{"voc", number("ppb", "[ppb]"), 0, 0},
		{"voc_mass", number("µg/m³", "ug/m3"), 0, 0},
		{"formaldehyde", number("mg/m³", "mg/m3"), 0, 10},
		{"lock", Property{Kind: Text, Options: []string{"locked", "unlocked", "jammed", "unknown"}, Urgent: true}, 0, 0},
		{"wind_speed", number("m/s", "m/s"), 0, 0},
		{"ph", number("", "[pH]"), 0, 14},
		{"electrical_conductivity", number("mS/m", "mS/m"), 0, 0},
		{"fan_mode", text, 0, 0},
		{"hvac_mode", enum("off", "heat", "cool", "auto", "dry", "fan_only"), 0, 0},
		{"hvac_action", enum("idle", "heating", "cooling"), 0, 0},
		{"link_quality", number("", "1"), 0, 255},
		{"rssi", number("dBm", "dB[mW]"), 0, 0},
		{"button", Property{Kind: Text, Options: []string{"single", "double", "triple", "hold", "release"}, Momentary: true}, 0, 0},
		{"identify refresh reset_energy reinterview remove", Property{Kind: Bool, Writable: true, WriteOnly: true}, 0, 0},
		{"movement", Property{Kind: Text, Options: []string{"open", "close", "stop"}, Writable: true, WriteOnly: true}, 0, 0},
		{"pairing", number("s", "s"), 0, 254},
		{"interview firmware_update membership", text, 0, 0}, // how far something is: each driver has its own stages
		{"scene", Property{Kind: Number, UnitCode: "1", Writable: true, WriteOnly: true}, 1, 254},
		{"uptime", number("s", "s"), 0, 0},
		{"buffer_rows", number("", "1"), 0, 0},
		{"buffer_bytes", number("B", "By"), 0, 0},
		{"clock_offset", number("ms", "ms"), 0, 0},
		{"flash_written", number("MB", "MBy"), 0, 0},
		{"rss", number("MiB", "MiBy"), 0, 0},
	}
}
