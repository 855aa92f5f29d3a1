package homekit

import (
	"slices"

	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"

	"hearth"
	"hearth/edge/homekit/hap"
)

// What the heating and cooling states say.
const (
	modeOff  = 0
	modeHeat = 1
	modeCool = 2
	modeAuto = 3
)

// What TemperatureDisplayUnits says.
const (
	celsius    = 0
	fahrenheit = 1
)

// heater is the properties of one thermostat.
type heater struct {
	target, temperature, mode, action, on, demand, cooling hearth.Property
	modes                                                  []int
}

func (b *builder) thermostat(g *group) {
	h := &heater{
		target: g.words["target_temperature"], temperature: g.words["temperature"], mode: g.words["hvac_mode"], action: g.words["hvac_action"],
		on: g.words["on"], demand: g.words["pi_heating_demand"], cooling: g.words["pi_cooling_demand"],
	}
	h.modes = h.possible()
	f := b.face(service.TypeThermostat, g, "target_temperature")
	is := f.add(enumC(characteristic.TypeCurrentHeatingCoolingState, reads, 0, 1, 2), filled(h.action.Name, h.mode.Name, h.on.Name, h.demand.Name, h.cooling.Name, h.temperature.Name)...)
	is.read = h.acts
	wants := f.add(enumC(characteristic.TypeTargetHeatingCoolingState, writes, h.modes...), filled(h.mode.Name, h.on.Name)...)
	wants.read = func(k *knowledge) (any, bool) { return h.wants(k), true }
	wants.write = h.change
	warm := temperatureC()
	warm.Val = 20.0
	name := h.temperature.Name
	if name == "" {
		name = h.target.Name // the room's is not known: what is asked for is the best guess
	}
	f.number(warm, name, nil)
	h.aims(f, g)
	units := enumC(characteristic.TypeTemperatureDisplayUnits, writes, celsius, fahrenheit)
	f.add(units).write = func(*wish, any) hap.Status { return hap.OK } // of a display that is not there; a phone shows what its owner likes
	if g.has("humidity") {
		f.number(floatC(characteristic.TypeCurrentRelativeHumidity, characteristic.UnitPercentage, reads, 0, 100, 1), g.words["humidity"].Name, nil)
	}
	b.childLock(f, g)
}

func temperatureC() *characteristic.C {
	return floatC(characteristic.TypeCurrentTemperature, characteristic.UnitCelsius, reads, -100, 200, 0.1)
}

// possible returns the modes that the device has. A device that has only heating keeps to a schedule of its own in auto;
// HomeKit's auto would show a range from heating to cooling.
func (h *heater) possible() []int {
	has := func(mode string) bool { return slices.Contains(h.mode.Options, mode) }
	var modes []int
	switch {
	case h.mode.Name == "" && h.on.Name != "":
		return []int{modeOff, modeHeat}
	case h.mode.Name == "":
		return []int{modeHeat}
	}
	if has("off") || h.on.Writable {
		modes = append(modes, modeOff)
	}
	if has("heat") || has("auto") && !has("cool") {
		modes = append(modes, modeHeat)
	}
	if has("cool") || has("dry") {
		modes = append(modes, modeCool)
	}
	if has("heat") && has("cool") && has("auto") {
		modes = append(modes, modeAuto)
	}
	if len(modes) == 0 {
		modes = []int{modeHeat}
	}
	return modes
}

// aims adds the temperature that is asked for; in auto a range of which it is the middle.
func (h *heater) aims(f *face, g *group) {
	low, high := 5.0, 35.0
	if h.target.Min != nil && h.target.Max != nil && *h.target.Max > *h.target.Min {
		low, high = *h.target.Min, *h.target.Max
	}
	types := []string{characteristic.TypeTargetTemperature}
	if slices.Contains(h.modes, modeAuto) {
		types = append(types, characteristic.TypeHeatingThresholdTemperature, characteristic.TypeCoolingThresholdTemperature)
	}
	for _, typ := range types {
		c := floatC(typ, characteristic.UnitCelsius, writes, low, high, 0.5)
		c.Val = min(max(20, low), high)
		f.number(c, h.target.Name, nil).write = func(w *wish, value any) hap.Status {
			v, ok := asNumber(value)
			if !ok {
				return hap.Invalid
			}
			if other, given := w.set[h.target.Name]; given { // both ends of the range
				v = (v + other.Number()) / 2
			}
			return w.number(h.target, v)
		}
	}
}

func (h *heater) off(k *knowledge, look func(*knowledge, string) (hearth.Value, bool)) bool {
	if on, ok := look(k, h.on.Name); ok && !on.Bool() {
		return true
	}
	mode, ok := look(k, h.mode.Name)
	return ok && (mode.Text() == "off" || mode.Text() == "fan_only")
}

// acts is what it does now; where it does not say, what follows from what it wants.
func (h *heater) acts(k *knowledge) (any, bool) {
	if action, ok := k.value(h.action.Name); ok {
		switch action.Text() {
		case "heating":
			return modeHeat, true
		case "cooling":
			return modeCool, true
		}
		return modeOff, true
	}
	if h.off(k, (*knowledge).value) {
		return modeOff, true
	}
	if demand, ok := k.value(h.demand.Name); ok && demand.Number() > 0 {
		return modeHeat, true
	} else if cooling, also := k.value(h.cooling.Name); also && cooling.Number() > 0 {
		return modeCool, true
	} else if ok || also {
		return modeOff, true
	}
	is, ok := k.value(h.temperature.Name)
	target, known := k.value(h.target.Name)
	if !ok || !known {
		return modeOff, ok
	}
	wants, canCool := h.wants(k), slices.Contains(h.modes, modeCool)
	switch {
	case wants != modeCool && is.Number() < target.Number():
		return modeHeat, true
	case canCool && wants != modeHeat && is.Number() > target.Number():
		return modeCool, true
	}
	return modeOff, true
}

func (h *heater) wants(k *knowledge) int {
	mode := modeHeat
	if said, ok := k.aim(h.mode.Name); ok {
		switch said.Text() {
		case "cool", "dry":
			mode = modeCool
		case "auto":
			mode = modeAuto
		}
	}
	if h.off(k, (*knowledge).aim) {
		mode = modeOff
	}
	if !slices.Contains(h.modes, mode) {
		return nearest(h.modes, mode)
	}
	return mode
}

// nearest is what to show of a mode that HomeKit was not told of.
func nearest(modes []int, mode int) int {
	if mode == modeAuto && slices.Contains(modes, modeHeat) {
		return modeHeat
	}
	return modes[len(modes)-1]
}

func (h *heater) change(w *wish, value any) hap.Status {
	mode, ok := value.(int)
	if !ok || !slices.Contains(h.modes, mode) {
		return hap.Invalid
	}
	if !h.mode.Writable && !h.on.Writable {
		if mode == h.wants(w.k) {
			return hap.OK
		}
		return hap.ReadOnly
	}
	if h.on.Writable {
		if status := w.put(h.on, hearth.BoolOf(mode != modeOff)); status != hap.OK || mode == modeOff {
			return status
		}
	}
	if !h.mode.Writable {
		return hap.OK
	}
	for _, text := range [...][]string{modeOff: {"off"}, modeHeat: {"heat", "auto"}, modeCool: {"cool", "dry"}, modeAuto: {"auto"}}[mode] {
		if h.mode.Accepts(hearth.TextOf(text)) == nil {
			return w.put(h.mode, hearth.TextOf(text))
		}
	}
	return hap.Invalid
}
