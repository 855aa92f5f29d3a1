package expose

import (
	"math"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// A measured is a cluster whose first attribute is a property by itself.
type measured struct {
	cluster uint16
	hearth.Property
	value func(zcl.Value) hearth.Value
	pace
	once bool // the device has one, however many endpoints tell it
}

// measurements are the sensors' clusters. The least changes are in the attribute's own unit.
func measurements() []measured {
	air := pace{10, 3600, 1e-6, 5 * time.Minute}
	return []measured{
		{zcl.ClusterTemperatureMeasurement, word("temperature"), divided(100), slow(25), false},
		{zcl.ClusterRelativeHumidity, word("humidity"), divided(100), slow(100), false},
		{zcl.ClusterIlluminanceMeasurement, word("illuminance"), lux, slow(300), false},
		{zcl.ClusterOccupancySensing, word("occupancy"), bit(0), atOnce(), false},
		{zcl.ClusterSoilMoisture, word("soil_moisture"), divided(100), slow(100), false},
		{zcl.ClusterLeafWetness, word("leaf_wetness"), divided(100), slow(100), false},
		{zcl.ClusterFlowMeasurement, number("flow", "m³/h", "m3/h"), divided(10), slow(1), false},
		{zcl.ClusterWindSpeed, word("wind_speed"), divided(100), slow(50), false},
		{zcl.ClusterPHMeasurement, word("ph"), divided(100), slow(10), false},
		{zcl.ClusterElectricalConductivity, word("electrical_conductivity"), divided(10), slow(10), false},
		{zcl.ClusterCarbonDioxide, word("co2"), partsPerMillion, pace{10, 3600, 2e-5, 5 * time.Minute}, false},
		{zcl.ClusterCarbonMonoxide, word("carbon_monoxide"), partsPerMillion, air, false},
		{zcl.ClusterPM25, word("pm25"), divided(1), slow(2), false},
		{zcl.ClusterPM10, word("pm10"), divided(1), slow(2), false},
		{zcl.ClusterPM1, word("pm1"), divided(1), slow(2), false},
		{zcl.ClusterFormaldehyde, word("formaldehyde"), formaldehyde, pace{10, 3600, 1e-8, 5 * time.Minute}, false},
		{zcl.ClusterTVOC, word("voc"), partsPerBillion, pace{10, 3600, 1e-8, 5 * time.Minute}, false},
		{zcl.ClusterDeviceTemperature, word("device_temperature"), divided(1), pace{300, 3600, 1, 10 * time.Minute}, true},
	}
}

func measuredClusters() []uint16 {
	var clusters []uint16
	for _, row := range measurements() {
		clusters = append(clusters, row.cluster)
	}
	return clusters
}

func buildMeasured(b *builder, e Endpoint) {
	for _, row := range measurements() {
		if !e.serves(row.cluster) || row.cluster == zcl.ClusterTemperatureMeasurement && e.serves(zcl.ClusterThermostat) {
			continue
		}
		var to *slot
		if row.once {
			to = b.single(e.ID, row.Property)
		} else {
			to = b.slot(e.ID, row.Property)
		}
		if to != nil {
			b.reads(e.ID, row.cluster, zcl.AttrMeasuredValue, to, row.value)
			b.report(to, row.cluster, zcl.AttrMeasuredValue, row.pace)
		}
	}
}

// buildPressure prefers the finer of the two ways in which a sensor tells the pressure (ZCL 4.5.2).
func buildPressure(b *builder, e Endpoint) {
	const cluster = zcl.ClusterPressureMeasurement
	b.ask(e.ID, cluster, zcl.AttrPressureMeasurementScale)
	b.askPresence(e.ID, cluster, zcl.AttrPressureMeasurementScaledValue)
	to := b.slot(e.ID, word("pressure"))
	scale, scaled := b.fact(e.ID, cluster, zcl.AttrPressureMeasurementScale)
	if !scaled || !b.has(e.ID, cluster, zcl.AttrPressureMeasurementScaledValue) || math.Abs(scale) > 10 {
		b.reads(e.ID, cluster, zcl.AttrMeasuredValue, to, divided(1)) // 0.1 kPa is a hectopascal
		b.report(to, cluster, zcl.AttrMeasuredValue, slow(1))
		return
	}
	perHectopascal := math.Pow10(int(scale) + 2)
	b.reads(e.ID, cluster, zcl.AttrPressureMeasurementScaledValue, to, divided(perHectopascal))
	b.report(to, cluster, zcl.AttrPressureMeasurementScaledValue, slow(math.Ceil(0.5*perHectopascal)))
}

// word returns a property that is in the house's vocabulary.
func word(name string) hearth.Property {
	p, _ := hearth.Word(name)
	return p
}

// number returns a property that is not: it keeps its source's name.
func number(name, unit, code string) hearth.Property {
	return hearth.Property{Name: name, Kind: hearth.Number, Unit: unit, UnitCode: code}
}

func boolean(name string) hearth.Property { return hearth.Property{Name: name, Kind: hearth.Bool} }

func text(name string, options ...string) hearth.Property {
	return hearth.Property{Name: name, Kind: hearth.Text, Options: options}
}

func writeOnly(p hearth.Property) hearth.Property {
	p.Writable, p.WriteOnly = true, true
	return p
}

// divided reads a number of which there are so many to the unit. It divides, since 2137/100 is 21.37 and 2137*0.01 is not.
func divided(by float64) func(zcl.Value) hearth.Value { return ratio(1, by) }

func ratio(multiplier, divisor float64) func(zcl.Value) hearth.Value {
	return func(v zcl.Value) hearth.Value {
		n, ok := v.Number()
		if !ok {
			return hearth.Value{}
		}
		return hearth.NumberOf(n * multiplier / divisor)
	}
}

func flag(v zcl.Value) hearth.Value {
	n, ok := v.Number()
	if !ok {
		return hearth.Value{}
	}
	return hearth.BoolOf(n != 0)
}

// bit reads one bit of a bitmap.
func bit(i int) func(zcl.Value) hearth.Value {
	return func(v zcl.Value) hearth.Value {
		n, ok := v.Number()
		if !ok || n < 0 {
			return hearth.Value{}
		}
		return hearth.BoolOf(uint64(n)>>i&1 != 0)
	}
}

// lux reads the logarithmic form of an illuminance; 0 is too dark to measure (ZCL 4.2.2.2.1).
func lux(v zcl.Value) hearth.Value {
	n, ok := v.Number()
	switch {
	case !ok:
		return hearth.Value{}
	case n == 0:
		return hearth.NumberOf(0)
	}
	return hearth.NumberOf(significant(math.Pow(10, (n-1)/10000), 4))
}

// partsPerMillion reads a fraction of 1 (ZCL 4.13). More than 1 is what some devices count in ppm themselves.
func partsPerMillion(v zcl.Value) hearth.Value {
	n, ok := v.Number()
	if !ok {
		return hearth.Value{}
	}
	if n <= 1 {
		n *= 1e6
	}
	return hearth.NumberOf(significant(n, 4))
}

// partsPerBillion is partsPerMillion for what is rare: a thousandth would be 1 000 000 ppb.
func partsPerBillion(v zcl.Value) hearth.Value {
	n, ok := v.Number()
	if !ok {
		return hearth.Value{}
	}
	if n < 1e-3 {
		n *= 1e9
	}
	return hearth.NumberOf(significant(n, 4))
}

// formaldehyde reads milligrams from a fraction of 1, at 25 °C and 1013 hPa. Whole numbers are in micrograms, and a
// fraction that would kill is in milligrams: not every device keeps to ZCL 4.13.
func formaldehyde(v zcl.Value) hearth.Value {
	const milligramsPerPPM, deadly = 1.228, 1e-5
	n, ok := v.Number()
	switch {
	case !ok:
		return hearth.Value{}
	case v.Type.Analog() && v.Type != zcl.Float32 && v.Type != zcl.Float64 && v.Type != zcl.Float16:
		n /= 1000
	case n < deadly:
		n *= 1e6 * milligramsPerPPM
	}
	return hearth.NumberOf(significant(n, 4))
}

// significant rounds to so many digits.
func significant(n float64, digits int) float64 {
	if n == 0 || math.IsInf(n, 0) {
		return n
	}
	return rounded(n, digits-1-int(math.Floor(math.Log10(math.Abs(n)))))
}

// rounded rounds to so many places behind the point.
func rounded(n float64, places int) float64 {
	if places < 0 {
		unit := math.Pow10(-places)
		return math.Round(n/unit) * unit
	}
	unit := math.Pow10(places)
	return math.Round(n*unit) / unit
}
