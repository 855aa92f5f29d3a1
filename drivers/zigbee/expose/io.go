package expose

import (
	"strings"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// An input or output is one value that only its description explains (ZCL 3.14).
type inputOutput struct {
	cluster  uint16
	name     string // where there is no description
	kind     hearth.Kind
	writable bool
}

func inputsAndOutputs() []inputOutput {
	return []inputOutput{
		{zcl.ClusterAnalogInput, "analog_input", hearth.Number, false},
		{zcl.ClusterAnalogOutput, "analog_output", hearth.Number, true},
		{zcl.ClusterAnalogValue, "analog_value", hearth.Number, true},
		{zcl.ClusterBinaryInput, "binary_input", hearth.Bool, false},
		{zcl.ClusterBinaryOutput, "binary_output", hearth.Bool, true},
		{zcl.ClusterBinaryValue, "binary_value", hearth.Bool, true},
		{zcl.ClusterMultistateInput, "multistate_input", hearth.Number, false},
		{zcl.ClusterMultistateOutput, "multistate_output", hearth.Number, true},
		{zcl.ClusterMultistateValue, "multistate_value", hearth.Number, true},
	}
}

func ioClusters() []uint16 {
	var clusters []uint16
	for _, row := range inputsAndOutputs() {
		clusters = append(clusters, row.cluster)
	}
	return clusters
}

func buildIO(b *builder, e Endpoint) {
	for _, row := range inputsAndOutputs() {
		if e.serves(row.cluster) {
			b.inputOutput(e.ID, row)
		}
	}
}

func (b *builder) inputOutput(endpoint uint8, row inputOutput) {
	b.ask(endpoint, row.cluster, zcl.AttrDescription)
	p := hearth.Property{Kind: row.kind, Writable: row.writable}
	analog := strings.HasPrefix(row.name, "analog")
	if analog {
		b.ask(endpoint, row.cluster, zcl.AttrEngineeringUnits)
		p.Unit, p.UnitCode = engineeringUnit(int(b.factOr(endpoint, row.cluster, zcl.AttrEngineeringUnits, -1)))
	}
	b.ioLimits(endpoint, row, &p, analog)
	p.Name = ioName(b.description.Texts[factKey(endpoint, row.cluster, zcl.AttrDescription)], row.name, p)
	to := b.slot(endpoint, p)
	value := flag
	if row.kind == hearth.Number {
		value = divided(1)
	}
	b.reads(endpoint, row.cluster, zcl.AttrPresentValue, to, value)
	often := atOnce()
	if analog {
		often = pace{10, 3600, 0, time.Minute}
	}
	b.report(to, row.cluster, zcl.AttrPresentValue, often)
	if row.writable {
		b.writes(to, b.target(endpoint, row.cluster, zcl.AttrPresentValue), func(v hearth.Value) (float64, error) { return v.Number(), nil })
	}
}

// ioLimits bounds what can be written where the device says how far it goes.
func (b *builder) ioLimits(endpoint uint8, row inputOutput, p *hearth.Property, analog bool) {
	if !row.writable || row.kind != hearth.Number {
		return
	}
	if !analog {
		b.ask(endpoint, row.cluster, zcl.AttrNumberOfStates)
		if states, known := b.fact(endpoint, row.cluster, zcl.AttrNumberOfStates); known && states > 0 {
			*p = p.Within(0, states)
		}
		return
	}
	b.ask(endpoint, row.cluster, zcl.AttrMinPresentValue, zcl.AttrMaxPresentValue)
	low, hasLow := b.fact(endpoint, row.cluster, zcl.AttrMinPresentValue)
	high, hasHigh := b.fact(endpoint, row.cluster, zcl.AttrMaxPresentValue)
	if hasLow && hasHigh && low < high {
		*p = p.Within(low, high)
	}
}

// longestName leaves room for an endpoint's number.
const longestName = 48

// ioName makes a name of a description. Where the house means something else by it, what kind of input it is goes first.
func ioName(description, otherwise string, p hearth.Property) string {
	name := snake(description)
	if name == "" || name[0] < 'a' || name[0] > 'z' || name == "clock" || name == "time" {
		return otherwise
	}
	if house, known := hearth.Word(name); known && (house.Kind != p.Kind || house.Unit != p.Unit || house.Momentary || house.WriteOnly) {
		return otherwise + "_" + name
	}
	return name
}

// snake writes a text in small letters, digits and underlines.
func snake(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && b.String()[b.Len()-1] != '_':
			b.WriteByte('_')
		}
		if b.Len() >= longestName {
			break
		}
	}
	return strings.Trim(b.String(), "_")
}

// engineeringUnit returns the units of BACnet that the house has symbols for (ASHRAE 135, BACnetEngineeringUnits).
func engineeringUnit(code int) (symbol, ucum string) {
	for _, u := range [...]struct {
		code         int
		symbol, ucum string
	}{
		{2, "mA", "mA"}, {3, "A", "A"}, {4, "Ω", "Ohm"}, {5, "V", "V"}, {18, "Wh", "W.h"}, {19, "kWh", "kW.h"},
		{27, "Hz", "Hz"}, {29, "%", "%"}, {30, "mm", "mm"}, {31, "m", "m"}, {37, "lx", "lx"}, {39, "kg", "kg"},
		{47, "W", "W"}, {48, "kW", "kW"}, {53, "Pa", "Pa"}, {54, "kPa", "kPa"}, {62, "°C", "Cel"}, {63, "K", "K"},
		{64, "°F", "[degF]"}, {71, "h", "h"}, {72, "min", "min"}, {73, "s", "s"}, {74, "m/s", "m/s"}, {80, "m³", "m3"},
		{82, "L", "L"}, {90, "°", "deg"}, {96, "ppm", "[ppm]"}, {97, "ppb", "[ppb]"}, {98, "%", "%"}, {124, "mV", "mV"},
		{133, "hPa", "hPa"}, {135, "m³/h", "m3/h"},
	} {
		if u.code == code {
			return u.symbol, u.ucum
		}
	}
	return "", ""
}
