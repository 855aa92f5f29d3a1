package homekit

import (
	"math"
	"slices"

	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"

	"hearth"
)

// sensing makes what a group measures and watches, beside what it does.
func (b *builder) sensing(g *group) {
	b.temperatures(g)
	for _, s := range []struct{ word, label string }{{"humidity", ""}, {"soil_moisture", "Soil"}, {"leaf_wetness", "Leaf"}} {
		if g.has(s.word) && (s.word != "humidity" || !b.thermal(g)) {
			f := b.sensor(service.TypeHumiditySensor, g, s.word, s.label)
			f.number(floatC(characteristic.TypeCurrentRelativeHumidity, characteristic.UnitPercentage, reads, 0, 100, 1), g.words[s.word].Name, nil)
		}
	}
	if g.has("illuminance") {
		f := b.sensor(service.TypeLightSensor, g, "illuminance", "")
		c := floatC(characteristic.TypeCurrentAmbientLightLevel, characteristic.UnitLux, reads, 0.0001, 100000, 0.01)
		c.StepVal = nil // the least there is lies between two steps
		f.number(c, g.words["illuminance"].Name, func(lux float64) float64 { return round(lux, 2) })
	}
	b.alarms(g)
	b.carbonDioxide(g)
	b.carbonMonoxide(g)
	b.air(g)
}

// thermal reports whether a thermostat shows the group's temperature and humidity already.
func (b *builder) thermal(g *group) bool { return g.writable("target_temperature") }

func (b *builder) sensor(typ string, g *group, word, label string) *face {
	f := b.face(typ, g, word)
	f.sensor = true
	if label != "" {
		f.label = title(label + "_" + g.suffix)
		if g.suffix == "" {
			f.label = label
		}
	}
	return f
}

func (b *builder) temperatures(g *group) {
	for _, s := range []struct{ word, label string }{
		{"temperature", ""}, {"floor_temperature", "Floor"}, {"outdoor_temperature", "Outdoor"}, {"external_temperature", "External"},
	} {
		if !g.has(s.word) || g.writable(s.word) || s.word == "temperature" && b.thermal(g) {
			continue
		}
		f := b.sensor(service.TypeTemperatureSensor, g, s.word, s.label)
		f.number(temperatureC(), g.words[s.word].Name, nil)
		if s.word == "temperature" && g.has("pressure") {
			c := makeC(eveType("10F"), characteristic.FormatFloat, reads, 0.0)
			c.Unit, c.Description = "hPa", "Air Pressure"
			f.number(c, g.words["pressure"].Name, func(v float64) float64 { return round(v, 1) })
		}
	}
}

// alarms makes what is either so or not. Of what HomeKit has no service for, the one that tells most: a gas alarm as a
// leak, which is let through in the night, vibration and noise as motion.
func (b *builder) alarms(g *group) {
	for _, s := range []struct{ word, service, label, characteristic string }{
		{"open", service.TypeContactSensor, "", characteristic.TypeContactSensorState},
		{"window_open", service.TypeContactSensor, "Window", characteristic.TypeContactSensorState},
		{"occupancy", service.TypeMotionSensor, "", characteristic.TypeMotionDetected},
		{"presence", service.TypeOccupancySensor, "", characteristic.TypeOccupancyDetected},
		{"vibration", service.TypeMotionSensor, "Vibration", characteristic.TypeMotionDetected},
		{"sound_alarm", service.TypeMotionSensor, "Sound", characteristic.TypeMotionDetected},
		{"glass_break", service.TypeMotionSensor, "Glass Break", characteristic.TypeMotionDetected},
		{"alarm", service.TypeMotionSensor, "Alarm", characteristic.TypeMotionDetected},
		{"water_leak", service.TypeLeakSensor, "", characteristic.TypeLeakDetected},
		{"gas_alarm", service.TypeLeakSensor, "Gas", characteristic.TypeLeakDetected},
		{"smoke", service.TypeSmokeSensor, "", characteristic.TypeSmokeDetected},
	} {
		if !g.has(s.word) || g.writable(s.word) {
			continue
		}
		f := b.sensor(s.service, g, s.word, s.label)
		if s.characteristic == characteristic.TypeMotionDetected {
			f.flag(boolC(s.characteristic, reads), g.words[s.word].Name, true, false)
		} else {
			f.flag(enumC(s.characteristic, reads, 0, 1), g.words[s.word].Name, 1, 0)
		}
	}
}

// From how much on a gas is called dangerous (ppm), and below how much it is not any more.
const (
	co2High, co2Low = 1500, 1200
	coHigh, coLow   = 50, 30
)

func (b *builder) carbonDioxide(g *group) {
	if !g.has("co2") {
		return
	}
	name := g.words["co2"].Name
	f := b.sensor(service.TypeCarbonDioxideSensor, g, "co2", "")
	f.add(enumC(characteristic.TypeCarbonDioxideDetected, reads, 0, 1), name).read = func(k *knowledge) (any, bool) {
		v, ok := k.value(name)
		if ok && k.m.over(f.key, v.Number(), co2High, co2Low) {
			return 1, true
		}
		return 0, ok
	}
	f.number(floatC(characteristic.TypeCarbonDioxideLevel, "", reads, 0, 100000, 1), name, nil)
	f.peak(floatC(characteristic.TypeCarbonDioxidePeakLevel, "", reads, 0, 100000, 1), name)
}

// peak adds the most that was measured since the start.
func (f *face) peak(c *characteristic.C, name string) {
	f.add(c, name).read = func(k *knowledge) (any, bool) {
		v, ok := k.value(name)
		if ok {
			k.m.numbers[f.key] = max(k.m.numbers[f.key], v.Number())
		}
		return fit(c, k.m.numbers[f.key]), ok
	}
}

func (b *builder) carbonMonoxide(g *group) {
	alarm, level := g.words["carbon_monoxide_alarm"].Name, g.words["carbon_monoxide"].Name
	if alarm == "" && level == "" {
		return
	}
	word := "carbon_monoxide_alarm"
	if alarm == "" {
		word = "carbon_monoxide"
	}
	f := b.sensor(service.TypeCarbonMonoxideSensor, g, word, "")
	f.add(enumC(characteristic.TypeCarbonMonoxideDetected, reads, 0, 1), filled(alarm, level)...).read = func(k *knowledge) (any, bool) {
		said, ok := k.value(alarm)
		if alarm == "" {
			var v hearth.Value
			v, ok = k.value(level)
			said = hearth.BoolOf(ok && k.m.over(f.key, v.Number(), coHigh, coLow))
		}
		if said.Bool() {
			return 1, ok
		}
		return 0, ok
	}
	if level != "" {
		f.number(floatC(characteristic.TypeCarbonMonoxideLevel, "", reads, 0, 100, 0.1), level, nil)
		f.peak(floatC(characteristic.TypeCarbonMonoxidePeakLevel, "", reads, 0, 100, 0.1), level)
	}
}

// vocMass is µg/m³ per ppb of a usual mixture in rooms; what a sensor really smelled nobody knows.
const vocMass = 4.5

// pollutants says from how much on (µg/m³) air is good, fair, inferior and poor; below that it is excellent.
func pollutants() []pollutant {
	same := func(v float64) float64 { return v }
	return []pollutant{
		{"pm25", characteristic.TypePM2_5Density, same, [4]float64{10, 20, 25, 50}},
		{"pm1", "", same, [4]float64{10, 20, 25, 50}},
		{"pm10", characteristic.TypePM10Density, same, [4]float64{20, 40, 50, 100}},
		{"voc", characteristic.TypeVOCDensity, func(ppb float64) float64 { return ppb * vocMass }, [4]float64{300, 1000, 3000, 10000}},
		{"voc_mass", characteristic.TypeVOCDensity, same, [4]float64{300, 1000, 3000, 10000}},
		{"formaldehyde", "", func(mg float64) float64 { return mg * 1000 }, [4]float64{30, 60, 100, 200}},
	}
}

type pollutant struct {
	word, typ string
	convert   func(float64) float64 // to µg/m³
	limits    [4]float64
}

// mostVOC is more than the specification has (1000), as other bridges do: a new carpet is beyond that.
const mostVOC = 65535

func (b *builder) air(g *group) {
	var here []pollutant
	var names []string
	for _, p := range pollutants() {
		if g.has(p.word) {
			here, names = append(here, p), append(names, g.words[p.word].Name)
		}
	}
	if len(here) == 0 {
		return
	}
	f := newFace(service.TypeAirQualitySensor, title(g.suffix))
	f.key, f.label, f.sensor = service.TypeAirQualitySensor+":air_"+g.suffix, title(g.suffix), true
	b.faces = append(b.faces, f)
	f.add(enumC(characteristic.TypeAirQuality, reads, 0, 1, 2, 3, 4, 5), names...).read = func(k *knowledge) (any, bool) {
		worst := 0
		for i, p := range here {
			if v, ok := k.value(names[i]); ok {
				worst = max(worst, p.quality(k.m, names[i], p.convert(v.Number())))
			}
		}
		return worst, worst > 0
	}
	shown := map[string]bool{}
	for i, p := range here {
		if p.typ == "" || shown[p.typ] {
			continue
		}
		shown[p.typ] = true
		most := 1000.0
		if p.typ == characteristic.TypeVOCDensity {
			most = mostVOC
		}
		f.number(floatC(p.typ, "", reads, 0, most, 1), names[i], p.convert)
	}
}

// quality is 1 (excellent) to 5 (poor); on the way back it takes a tenth less to be called better.
func (p pollutant) quality(m *memory, name string, v float64) int {
	before := int(m.numbers[name])
	level := 1
	for i, limit := range p.limits {
		if v >= limit || before > i+1 && v >= 0.9*limit {
			level = i + 2
		}
	}
	m.numbers[name] = float64(level)
	return level
}

// number of a button, and the presses there are.
const (
	singlePress = 0
	doublePress = 1
	longPress   = 2
)

// buttons makes a service for each, numbered under one label where there are several.
func (b *builder) buttons() {
	var faces []*face
	for _, g := range b.groups {
		if !g.has("button") || !g.words["button"].Momentary {
			continue
		}
		p := g.words["button"]
		f := b.face(service.TypeStatelessProgrammableSwitch, g, "button")
		presses := map[string]int{}
		var values []int
		for text, value := range map[string]int{"single": singlePress, "double": doublePress, "hold": longPress} {
			if len(p.Options) == 0 || slices.Contains(p.Options, text) {
				presses[text] = value
				values = append(values, value)
			}
		}
		if len(values) == 0 {
			b.faces = b.faces[:len(b.faces)-1]
			continue
		}
		slices.Sort(values)
		c := enumC(characteristic.TypeProgrammableSwitchEvent, reads, values...)
		c.Val = nil // nothing is pressed now
		f.add(c, p.Name).press = presses
		faces = append(faces, f)
	}
	if len(faces) < 2 {
		return
	}
	label := newFace(service.TypeServiceLabel, "buttons")
	label.named = false
	label.add(enumC(characteristic.TypeServiceLabelNamespace, reads, 1)).c.Permissions = []string{characteristic.PermissionRead}
	for _, f := range faces {
		index := intC(characteristic.TypeServiceLabelIndex, characteristic.FormatUInt8, "", reads, 1, 255)
		index.Permissions = []string{characteristic.PermissionRead}
		f.add(index) // its value is kept for good: see numbering
		if f.label != "" {
			f.label = "Button " + f.label
		}
		label.linked = append(label.linked, f.key)
	}
	b.faces = append(b.faces, label)
}

// finite keeps what no controller could read out of the cache.
func finite(v any) bool {
	f, ok := v.(float64)
	return !ok || !math.IsNaN(f) && !math.IsInf(f, 0)
}
