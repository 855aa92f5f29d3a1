package dialect

import (
	"math"
	"strings"

	"hearth"
)

// A Conversion turns a number of a device's unit into the house's, and back. The zero Conversion changes nothing.
type Conversion struct {
	factor, offset float64 // ours = theirs × factor + offset; a factor of 0 means 1
	mired          bool    // ours is kelvin: a million divided by theirs
}

// Linear returns the conversion ours = theirs × factor + offset.
func Linear(factor, offset float64) Conversion { return Conversion{factor: factor, offset: offset} }

// Mired returns the conversion between mired and whole kelvin.
func Mired() Conversion { return Conversion{mired: true} }

// In turns theirs into ours; what cannot be turned becomes NaN, which is no hearth.Value.
func (c Conversion) In(theirs float64) float64 {
	switch {
	case c.mired && theirs < 1:
		return math.NaN()
	case c.mired:
		return math.Round(1e6 / theirs)
	case c.factor == 0:
		return theirs + c.offset
	}
	return tidy(theirs*c.factor + c.offset)
}

// Out turns ours into theirs.
func (c Conversion) Out(ours float64) float64 {
	switch {
	case c.mired && ours < 1:
		return math.NaN()
	case c.mired:
		return math.Round(1e6 / ours)
	case c.factor == 0:
		return ours - c.offset
	}
	return tidy((ours - c.offset) / c.factor)
}

// tidy cuts what is left of a multiplication: 3.0000000000000004 is 3.
func tidy(f float64) float64 {
	if math.Abs(f) > 1e6 {
		return f
	}
	return math.Round(f*1e9) / 1e9
}

// unit is what a unit is of and how much of it: two units of one quantity can be converted.
type unit struct {
	quantity       string
	factor, offset float64 // to the quantity's first unit
}

func unitOf(symbol string) (unit, bool) {
	u := symbol
	if strings.ContainsAny(u, "μº ^") {
		u = strings.NewReplacer("μ", "µ", " ", "", "^3", "³", "º", "°").Replace(u)
	}
	found, ok := units[u]
	return found, ok
}

var units = map[string]unit{
	"°C": {"temperature", 1, 0}, "℃": {"temperature", 1, 0}, "C": {"temperature", 1, 0}, "°F": {"temperature", 5.0 / 9, -160.0 / 9}, "F": {"temperature", 5.0 / 9, -160.0 / 9},
	"V": {"voltage", 1, 0}, "mV": {"voltage", 1e-3, 0}, "µV": {"voltage", 1e-6, 0}, "kV": {"voltage", 1e3, 0},
	"A": {"current", 1, 0}, "mA": {"current", 1e-3, 0},
	"W": {"power", 1, 0}, "kW": {"power", 1e3, 0}, "mW": {"power", 1e-3, 0}, "MW": {"power", 1e6, 0},
	"VA": {"apparent", 1, 0}, "mVA": {"apparent", 1e-3, 0}, "kVA": {"apparent", 1e3, 0},
	"var": {"reactive", 1, 0}, "VAR": {"reactive", 1, 0}, "VAr": {"reactive", 1, 0}, "mvar": {"reactive", 1e-3, 0}, "kvar": {"reactive", 1e3, 0},
	"kWh": {"energy", 1, 0}, "Wh": {"energy", 1e-3, 0}, "MWh": {"energy", 1e3, 0}, "GWh": {"energy", 1e6, 0}, "mWh": {"energy", 1e-6, 0}, "Wmin": {"energy", 1.0 / 60000, 0},
	"GJ": {"energy", 1e3 / 3.6, 0}, "MJ": {"energy", 1 / 3.6, 0}, "kJ": {"energy", 1e-3 / 3.6, 0}, "J": {"energy", 1e-6 / 3.6, 0},
	"Hz": {"frequency", 1, 0}, "mHz": {"frequency", 1e-3, 0}, "kHz": {"frequency", 1e3, 0}, "MHz": {"frequency", 1e6, 0},
	"hPa": {"pressure", 1, 0}, "mbar": {"pressure", 1, 0}, "kPa": {"pressure", 10, 0}, "Pa": {"pressure", 0.01, 0}, "bar": {"pressure", 1000, 0}, "MPa": {"pressure", 10000, 0}, "cbar": {"pressure", 10, 0},
	"psi": {"pressure", 68.94757, 0}, "inHg": {"pressure", 33.863886, 0}, "mmHg": {"pressure", 1.333224, 0},
	"m³": {"volume", 1, 0}, "m3": {"volume", 1, 0}, "L": {"volume", 1e-3, 0}, "l": {"volume", 1e-3, 0}, "mL": {"volume", 1e-6, 0}, "CCF": {"volume", 2.8316847, 0}, "ft³": {"volume", 0.028316847, 0}, "gal": {"volume", 0.003785412, 0},
	"ppm": {"share", 1, 0}, "ppb": {"share", 1e-3, 0},
	"µg/m³": {"density", 1, 0}, "ug/m³": {"density", 1, 0}, "ug/m3": {"density", 1, 0}, "µg/m3": {"density", 1, 0}, "mg/m³": {"density", 1e3, 0}, "mg/m3": {"density", 1e3, 0},
	"m/s": {"speed", 1, 0}, "km/h": {"speed", 1 / 3.6, 0}, "mph": {"speed", 0.44704, 0}, "kn": {"speed", 0.514444, 0},
	"s": {"time", 1, 0}, "sec": {"time", 1, 0}, "ms": {"time", 1e-3, 0}, "min": {"time", 60, 0}, "minutes": {"time", 60, 0}, "h": {"time", 3600, 0}, "hours": {"time", 3600, 0}, "d": {"time", 86400, 0}, "days": {"time", 86400, 0},
	"lx": {"light", 1, 0}, "lux": {"light", 1, 0}, "klx": {"light", 1e3, 0},
	"dBA": {"noise", 1, 0}, "dB": {"noise", 1, 0}, "dB(A)": {"noise", 1, 0},
	"mS/m": {"conductivity", 1, 0}, "µS/cm": {"conductivity", 0.1, 0}, "mS/cm": {"conductivity", 100, 0}, "S/m": {"conductivity", 1e3, 0},
	"dBm": {"signal", 1, 0}, "%": {"percent", 1, 0}, "°": {"angle", 1, 0}, "deg": {"angle", 1, 0},
	"B": {"bytes", 1, 0}, "kB": {"bytes", 1e3, 0}, "KiB": {"bytes", 1024, 0}, "MB": {"bytes", 1e6, 0}, "MiB": {"bytes", 1 << 20, 0},
}

// Convert returns how numbers in one unit become numbers in another; false if that is not known. Without a unit they are
// taken for what is wanted.
func Convert(from, to string) (Conversion, bool) {
	if from == to || from == "" {
		return Conversion{}, true
	}
	if to == "" && from == "%" { // of a share: a power factor
		return Linear(0.01, 0), true
	}
	if to == "K" {
		if strings.EqualFold(from, "mired") || strings.EqualFold(from, "mireds") {
			return Mired(), true
		}
		return Conversion{}, false
	}
	source, ok := unitOf(from)
	target, known := unitOf(to)
	switch {
	case !ok && from == "K" && target.quantity == "temperature":
		source = unit{"temperature", 1, -273.15}
	case !ok || !known || source.quantity != target.quantity:
		return Conversion{}, false
	}
	if source == target {
		return Conversion{}, true
	}
	return Linear(source.factor/target.factor, (source.offset-target.offset)/target.factor), true
}

const maxUnit = 32 // bytes of a unit that a device names

// Measured gives p the unit in which its device has it, and returns how numbers are turned into p's: p is a word of the
// house, or it has no unit and gets that one. It is false where p is measured in something else than the word means.
func Measured(p hearth.Property, symbol string) (hearth.Property, Conversion, bool) {
	if p.Unit == "" && p.UnitCode == "" {
		symbol = Clip(Name(symbol), maxUnit)
		p.Unit, p.UnitCode = symbol, ucum(symbol)
		return p, Conversion{}, true
	}
	if symbol == "lqi" && p.Unit == "" {
		return p, Conversion{}, true
	}
	if symbol == "%" && p.Unit == "" && (p.Max == nil || *p.Max > 1) { // it counts something else than a share
		return p, Conversion{}, false
	}
	c, ok := Convert(symbol, p.Unit)
	return p, c, ok
}

// ucum is the code of a unit that words of the house do not have; the symbol where none is known.
func ucum(symbol string) string {
	if code, ok := codes[symbol]; ok {
		return code
	}
	for _, c := range symbol {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return Clip(symbol, 32)
}

var codes = map[string]string{
	"°C": "Cel", "℃": "Cel", "°F": "[degF]", "kWh": "kW.h", "Wh": "W.h", "MWh": "MW.h", "GWh": "GW.h", "VA": "V.A", "m³": "m3", "µg/m³": "ug/m3", "mg/m³": "mg/m3",
	"ppm": "[ppm]", "ppb": "[ppb]", "°": "deg", "dBm": "dB[mW]", "dBA": "dB[SPL]", "days": "d", "minutes": "min", "hours": "h", "sec": "s", "seconds": "s",
	"l": "L", "l/min": "L/min", "m³/h": "m3/h", "W/m²": "W/m2", "µS/cm": "uS/cm", "mired": "", "B": "By", "kB": "kBy", "MB": "MBy", "KiB": "KiBy", "MiB": "MiBy", "rpm": "/min",
}
