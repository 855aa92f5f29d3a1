package homeassistant

import (
	"slices"
	"strings"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// quantities are the house's words for the device classes of sensors and numbers.
var quantities = map[string]string{
	"temperature": "temperature", "humidity": "humidity", "battery": "battery", "pressure": "pressure", "atmospheric_pressure": "pressure",
	"illuminance": "illuminance", "voltage": "voltage", "current": "current", "power": "power", "energy": "energy", "apparent_power": "power_apparent",
	"reactive_power": "power_reactive", "power_factor": "power_factor", "frequency": "frequency", "carbon_dioxide": "co2", "carbon_monoxide": "carbon_monoxide",
	"pm1": "pm1", "pm25": "pm25", "pm10": "pm10", "volatile_organic_compounds": "voc_mass", "volatile_organic_compounds_parts": "voc", "gas": "gas_volume",
	"water": "water_volume", "moisture": "soil_moisture", "sound_pressure": "noise", "signal_strength": "rssi", "wind_speed": "wind_speed", "ph": "ph",
}

// called are the house's words for what bridges give no device class and another name.
var called = map[string]string{"linkquality": "link_quality", "wifi_signal": "rssi"}

// measure finds the house's word for a sensor, and how its unit is turned into the house's.
func measure(c config, label []string) (hearth.Property, dialect.Conversion, bool) {
	class, unit := c.text("device_class"), c.text("unit_of_measurement")
	if misclassed(class, unit, label) {
		return hearth.Property{}, dialect.Conversion{}, false
	}
	name := quantities[class]
	if class == "" {
		if name = strings.Join(label, "_"); called[name] != "" {
			name = called[name]
		}
	}
	p, known := hearth.Word(refine(name, c, label))
	if !known || p.Kind != hearth.Number || p.WriteOnly || class == "" && unit == "" && p.Unit != "" {
		return p, dialect.Conversion{}, false
	}
	p, convert, ok := dialect.Measured(p, unit)
	if p.Unit != "%" && p.Unit != "°C" {
		p.Min, p.Max = nil, nil // a boiler's 1.5 bar and a string's 700 V are pressures and voltages too
	}
	return p, convert, ok
}

// misclassed finds what is announced in a class that it is not of: any percentage as a power factor, and a difference in
// kelvin, which is what a house has in kelvin, as a temperature.
func misclassed(class, unit string, label []string) bool {
	return class == "temperature" && unit == "K" ||
		class == "power_factor" && unit == "%" && !slices.ContainsFunc(label, func(w string) bool { return slices.Contains([]string{"factor", "pf", "cos", "cosphi", "phi"}, w) })
}

// outward are the words for energy that leaves the house.
func outward() []string {
	return []string{"export", "exported", "returned", "return", "produced", "injected", "injection", "feedin"}
}

// refine tells apart what Home Assistant has one device class for.
func refine(word string, c config, label []string) string {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(label, w) })
	}
	diagnostic := c.text("entity_category") == "diagnostic"
	switch {
	case word == "voltage" && (has("battery", "batt", "bat", "vbat") || diagnostic && c.text("unit_of_measurement") == "mV"):
		return "battery_voltage"
	case word == "energy" && has(outward()...):
		return "energy_exported"
	case word == "temperature" && has("cpu", "processor", "soc"):
		return "cpu_temperature"
	case word == "temperature" && (diagnostic || has("device", "chip", "internal")):
		return "device_temperature"
	case word == "power" || word == "voltage" || word == "current":
		for _, part := range label {
			if part == "l1" || part == "l2" || part == "l3" {
				return word + "_" + part
			}
		}
	}
	return word
}
