package homeassistant

import (
	"math"
	"slices"
	"strings"

	"hearth"
)

// A scale turns what a bridge says into what the house says: house = said×by + plus.
type scale struct{ by, plus float64 }

func (s scale) in(said float64) float64 {
	if s == (scale{by: 1}) {
		return said
	}
	return math.Round((said*s.by+s.plus)*1e6) / 1e6
}

func (s scale) out(house float64) float64 {
	if s == (scale{by: 1}) {
		return house
	}
	return math.Round((house-s.plus)/s.by*1e6) / 1e6
}

// dimensions says how each unit becomes the one that the house uses for its quantity.
var dimensions = map[string]map[string]scale{
	"temperature": {"°C": {1, 0}, "C": {1, 0}, "℃": {1, 0}, "°F": {5.0 / 9, -160.0 / 9}, "F": {5.0 / 9, -160.0 / 9}, "K": {1, -273.15}},
	"pressure": {
		"hPa": {1, 0}, "mbar": {1, 0}, "Pa": {0.01, 0}, "kPa": {10, 0}, "MPa": {10000, 0}, "bar": {1000, 0}, "cbar": {10, 0},
		"inHg": {33.863886, 0}, "mmHg": {1.3332237, 0}, "psi": {68.947573, 0},
	},
	"voltage":   {"V": {1, 0}, "mV": {0.001, 0}, "µV": {1e-6, 0}, "kV": {1000, 0}},
	"current":   {"A": {1, 0}, "mA": {0.001, 0}},
	"power":     {"W": {1, 0}, "mW": {0.001, 0}, "kW": {1000, 0}, "MW": {1e6, 0}},
	"apparent":  {"VA": {1, 0}, "kVA": {1000, 0}, "mVA": {0.001, 0}},
	"reactive":  {"var": {1, 0}, "kvar": {1000, 0}, "VAR": {1, 0}, "VAr": {1, 0}, "mvar": {0.001, 0}},
	"energy":    {"kWh": {1, 0}, "Wh": {0.001, 0}, "mWh": {1e-6, 0}, "MWh": {1000, 0}, "GWh": {1e6, 0}, "J": {1 / 3.6e6, 0}, "kJ": {1.0 / 3600, 0}, "MJ": {1 / 3.6, 0}, "GJ": {1000 / 3.6, 0}},
	"volume":    {"m³": {1, 0}, "m3": {1, 0}, "L": {0.001, 0}, "l": {0.001, 0}, "ft³": {0.028316847, 0}, "CCF": {2.8316847, 0}, "gal": {0.003785412, 0}, "mL": {1e-6, 0}},
	"frequency": {"Hz": {1, 0}, "kHz": {1000, 0}, "MHz": {1e6, 0}, "mHz": {0.001, 0}},
	"ratio":     {"": {1, 0}, "%": {0.01, 0}},
	"percent":   {"%": {1, 0}},
	"light":     {"lx": {1, 0}, "lux": {1, 0}},
	"ppm":       {"ppm": {1, 0}, "ppb": {0.001, 0}},
	"ppb":       {"ppb": {1, 0}, "ppm": {1000, 0}},
	"density":   {"µg/m³": {1, 0}, "μg/m³": {1, 0}, "ug/m3": {1, 0}, "mg/m³": {1000, 0}},
	"sound":     {"dBA": {1, 0}, "dB": {1, 0}},
	"signal":    {"dBm": {1, 0}},
	"duration":  {"s": {1, 0}, "ms": {0.001, 0}, "min": {60, 0}, "h": {3600, 0}, "d": {86400, 0}},
	"none":      {"": {1, 0}, "lqi": {1, 0}},
}

// A quantity is a word of the house and the dimension its unit belongs to.
type quantity struct{ word, dimension string }

// quantities are the device classes of sensors and numbers that the house has a word for.
var quantities = map[string]quantity{
	"temperature": {"temperature", "temperature"}, "humidity": {"humidity", "percent"}, "battery": {"battery", "percent"},
	"pressure": {"pressure", "pressure"}, "atmospheric_pressure": {"pressure", "pressure"}, "illuminance": {"illuminance", "light"},
	"voltage": {"voltage", "voltage"}, "current": {"current", "current"}, "power": {"power", "power"}, "energy": {"energy", "energy"},
	"apparent_power": {"power_apparent", "apparent"}, "reactive_power": {"power_reactive", "reactive"}, "power_factor": {"power_factor", "ratio"},
	"frequency": {"frequency", "frequency"}, "carbon_dioxide": {"co2", "ppm"}, "carbon_monoxide": {"carbon_monoxide", "ppm"},
	"pm1": {"pm1", "density"}, "pm25": {"pm25", "density"}, "pm10": {"pm10", "density"}, "volatile_organic_compounds": {"voc_mass", "density"},
	"volatile_organic_compounds_parts": {"voc", "ppb"}, "gas": {"gas_volume", "volume"}, "water": {"water_volume", "volume"},
	"moisture": {"soil_moisture", "percent"}, "sound_pressure": {"noise", "sound"}, "signal_strength": {"rssi", "signal"},
}

// named are the quantities that bridges give no device class, by the name of the entity.
var named = map[string]quantity{
	"uptime": {"uptime", "duration"}, "linkquality": {"link_quality", "none"}, "link_quality": {"link_quality", "none"}, "rssi": {"rssi", "signal"},
	"wifi_signal": {"rssi", "signal"}, "soil_moisture": {"soil_moisture", "percent"}, "device_temperature": {"device_temperature", "temperature"},
	"cpu_temperature": {"cpu_temperature", "temperature"}, "battery": {"battery", "percent"}, "temperature": {"temperature", "temperature"},
	"humidity": {"humidity", "percent"}, "illuminance": {"illuminance", "light"}, "power": {"power", "power"}, "energy": {"energy", "energy"},
	"voltage": {"voltage", "voltage"}, "current": {"current", "current"}, "pressure": {"pressure", "pressure"}, "co2": {"co2", "ppm"},
}

// measure finds the house's word for a sensor, and how its unit is turned into the house's.
func measure(c config, label []string) (hearth.Property, scale, bool) {
	class, unit := c.text("device_class"), c.text("unit_of_measurement")
	q, ok := quantities[class]
	if !ok && class == "" {
		q, ok = named[strings.Join(label, "_")]
	}
	if !ok {
		return hearth.Property{}, scale{by: 1}, false
	}
	s, ok := dimensions[q.dimension][unit]
	if !ok && unit == "" && class != "" {
		s, ok = scale{by: 1}, true
	}
	if !ok {
		return hearth.Property{}, scale{by: 1}, false
	}
	p, known := hearth.Word(refine(q.word, c, label))
	if p.Unit != "%" && p.Unit != "°C" {
		p.Min, p.Max = nil, nil // a boiler's 1.5 bar and a string's 700 V are pressures and voltages too
	}
	return p, s, known
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
	case word == "energy" && has("export", "exported", "returned", "return", "produced", "injected", "injection", "feedin"):
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
