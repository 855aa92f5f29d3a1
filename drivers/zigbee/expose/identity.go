package expose

import (
	"cmp"
	"slices"
	"strings"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// A kind is what an endpoint says it is.
type kind uint8

const (
	kindUnknown kind = iota
	kindSwitch
	kindOutlet
	kindDimmableOutlet
	kindLight
	kindDimmableLight
	kindColorLight
	kindTemperatureLight
	kindExtendedColorLight
	kindRemote
	kindSensor
	kindMotionSensor
	kindLightSensor
	kindTemperatureSensor
	kindPressureSensor
	kindFlowSensor
	kindMeter
	kindLock
	kindCover
	kindThermostat
	kindPump
	kindZone
	kindKeypad
	kindSiren
	kindRepeater
)

// The profiles whose device ids are known. Zigbee 3.0 uses those of Home Automation.
const (
	profileHomeAutomation = 0x0104
	profileSmartEnergy    = 0x0109
	profileLightLink      = 0xc05e
)

// kind reads a device id.
func (e Endpoint) kind() kind {
	kinds := homeKinds
	switch e.Profile {
	case profileLightLink:
		kinds = lightLinkKinds
	case profileSmartEnergy:
		kinds = energyKinds
	case profileHomeAutomation:
	default:
		return kindUnknown
	}
	return kinds(e.Device)
}

func lightLinkKinds(device uint16) kind {
	switch device {
	case 0x0000:
		return kindLight
	case 0x0010:
		return kindOutlet
	case 0x0100:
		return kindDimmableLight
	case 0x0110:
		return kindDimmableOutlet
	case 0x0200:
		return kindColorLight
	case 0x0210:
		return kindExtendedColorLight
	case 0x0220:
		return kindTemperatureLight
	case 0x0800, 0x0810, 0x0820, 0x0830, 0x0840:
		return kindRemote
	case 0x0850:
		return kindMotionSensor
	}
	return kindUnknown
}

func energyKinds(device uint16) kind {
	switch device {
	case 0x0500, 0x0501:
		return kindMeter
	}
	return kindUnknown
}

func homeKinds(device uint16) kind {
	switch device {
	case 0x0002, 0x0003, 0x0103, 0x0104, 0x0105:
		return kindSwitch
	case 0x0009, 0x0051, 0x010a:
		return kindOutlet
	case 0x010b:
		return kindDimmableOutlet
	case 0x0100:
		return kindLight
	case 0x0101:
		return kindDimmableLight
	case 0x0102:
		return kindColorLight
	case 0x010c:
		return kindTemperatureLight
	case 0x010d:
		return kindExtendedColorLight
	case 0x0000, 0x0001, 0x0004, 0x0006, 0x000b, 0x0203:
		return kindRemote
	case 0x0008:
		return kindRepeater
	case 0x000a:
		return kindLock
	case 0x000c:
		return kindSensor
	case 0x0053:
		return kindMeter
	case 0x0106, 0x010e:
		return kindLightSensor
	case 0x0107:
		return kindMotionSensor
	case 0x0200, 0x0202:
		return kindCover
	case 0x0300, 0x0301:
		return kindThermostat
	case 0x0302:
		return kindTemperatureSensor
	case 0x0303:
		return kindPump
	case 0x0305:
		return kindPressureSensor
	case 0x0306:
		return kindFlowSensor
	case 0x0401:
		return kindKeypad
	case 0x0402:
		return kindZone
	case 0x0403:
		return kindSiren
	}
	return lightLinkController(device)
}

// lightLinkController knows the remotes that Zigbee 3.0 has taken over from Light Link.
func lightLinkController(device uint16) kind {
	if device >= 0x0800 {
		return lightLinkKinds(device)
	}
	return kindUnknown
}

// describe returns the type of a device of that kind and what a person calls it.
func (k kind) describe() (hearth.Type, string) {
	switch k {
	case kindSwitch:
		return "switch", "Switch"
	case kindOutlet:
		return "outlet", "Outlet"
	case kindDimmableOutlet:
		return "outlet", "Dimmable outlet"
	case kindLight:
		return "light", "Light"
	case kindDimmableLight:
		return "light", "Dimmable light"
	case kindColorLight, kindExtendedColorLight:
		return "light", "Colour light"
	case kindTemperatureLight:
		return "light", "White light"
	case kindRemote:
		return "button", "Remote control"
	case kindKeypad:
		return "button", "Keypad"
	case kindMotionSensor:
		return "sensor", "Motion sensor"
	case kindLightSensor:
		return "sensor", "Light sensor"
	case kindTemperatureSensor:
		return "sensor", "Temperature sensor"
	case kindPressureSensor:
		return "sensor", "Pressure sensor"
	case kindFlowSensor:
		return "sensor", "Flow sensor"
	case kindSensor, kindZone:
		return "sensor", "Sensor"
	case kindMeter:
		return "meter", "Meter"
	case kindLock:
		return "lock", "Lock"
	case kindCover:
		return "cover", "Cover"
	case kindThermostat:
		return "thermostat", "Thermostat"
	case kindPump:
		return "switch", "Pump"
	case kindSiren:
		return "siren", "Siren"
	case kindRepeater:
		return "other", "Repeater"
	}
	return "other", "Device"
}

// A sign is a property that tells what the whole device is.
type sign struct {
	property string
	of       hearth.Type
	called   string
}

// signs are from what says most to what says least.
func signs() []sign {
	return []sign{
		{"lock", "lock", "Lock"},
		{"movement", "cover", "Cover"},
		{"target_temperature", "thermostat", "Thermostat"},
		{"fan_speed", "fan", "Fan"},
		{"smoke", "sensor", "Smoke alarm"},
		{"carbon_monoxide_alarm", "sensor", "Carbon monoxide alarm"},
		{"gas_alarm", "sensor", "Gas alarm"},
		{"water_leak", "sensor", "Leak sensor"},
		{"siren", "siren", "Siren"},
		{"color_hue", "light", "Colour light"},
		{"color_temperature", "light", "White light"},
		{"brightness", "light", "Dimmable light"},
		{"on", "switch", "Switch"},
		{"open", "sensor", "Door or window sensor"},
		{"occupancy", "sensor", "Motion sensor"},
		{"presence", "sensor", "Presence sensor"},
		{"vibration", "sensor", "Vibration sensor"},
		{"co2", "sensor", "Air sensor"},
		{"pm25", "sensor", "Air sensor"},
		{"soil_moisture", "sensor", "Soil sensor"},
		{"energy", "meter", "Electricity meter"},
		{"gas_volume", "meter", "Gas meter"},
		{"water_volume", "meter", "Water meter"},
		{"heat_energy", "meter", "Heat meter"},
		{"power", "meter", "Power meter"},
		{"temperature", "sensor", "Temperature sensor"},
		{"humidity", "sensor", "Humidity sensor"},
		{"pressure", "sensor", "Pressure sensor"},
		{"illuminance", "sensor", "Light sensor"},
	}
}

// identify gives the device its type and a name to begin with.
func (b *builder) identify() {
	of, called := b.nature()
	vendor, model := cmp.Or(b.definition.Vendor, b.description.Vendor), cmp.Or(b.definition.Model, b.description.Model)
	b.device.Type = cmp.Or(b.definition.Type, of)
	b.device.Vendor, b.device.Model, b.device.Firmware = vendor, model, b.description.Firmware
	switch {
	case model == "":
	case strings.HasPrefix(strings.ToLower(model), strings.ToLower(vendor)):
		called = model
	default:
		called = vendor + " " + model
	}
	address := b.description.IEEE.String()
	b.device.Name = called + " " + address[len(address)-4:]
}

// nature says what the device is: what it says itself, if it has what belongs to that; else what its properties say.
func (b *builder) nature() (hearth.Type, string) {
	for _, e := range b.endpoints {
		of, called := e.kind().describe()
		if of == "other" || of == "sensor" || !b.bears(of) {
			continue
		}
		return of, called
	}
	if of, called, found := b.signed(); found {
		return of, called
	}
	if slices.ContainsFunc(b.device.Properties, func(p hearth.Property) bool { return p.Momentary }) {
		return "button", "Remote control"
	}
	telling := slices.ContainsFunc(b.device.Properties, tells)
	for _, e := range b.endpoints {
		if of, called := e.kind().describe(); of == "sensor" || of != "other" && !telling {
			return of, called
		}
	}
	if slices.ContainsFunc(b.device.Properties, measures) {
		return "sensor", "Sensor"
	}
	if slices.ContainsFunc(b.endpoints, func(e Endpoint) bool { return e.kind() == kindRepeater }) {
		return "other", "Repeater"
	}
	return "other", "Device"
}

func (b *builder) signed() (hearth.Type, string, bool) {
	for _, s := range signs() {
		if s.property == "siren" && b.hasServer(zcl.ClusterIASWD) || b.offersProperty(s.property) {
			return s.of, s.called, true
		}
	}
	return "", "", false
}

func (b *builder) hasServer(cluster uint16) bool {
	return slices.ContainsFunc(b.endpoints, func(e Endpoint) bool { return e.serves(cluster) })
}

// offersProperty reports whether the device has a property of that word, whatever endpoint it is of.
func (b *builder) offersProperty(word string) bool {
	return slices.ContainsFunc(b.device.Properties, func(p hearth.Property) bool {
		return p.Name == word || strings.HasPrefix(p.Name, word+"_") && !strings.HasPrefix(p.Name, "power_")
	})
}

// bears reports whether a device that says it is of a type has what makes it one.
func (b *builder) bears(of hearth.Type) bool {
	switch of {
	case "light", "outlet", "switch":
		return b.offersProperty("on") || b.offersProperty("brightness")
	case "cover":
		return b.offersProperty("movement") || b.offersProperty("position")
	case "lock":
		return b.offersProperty("lock")
	case "thermostat":
		return b.offersProperty("target_temperature") || b.offersProperty("temperature")
	case "siren":
		return b.hasServer(zcl.ClusterIASWD)
	case "button":
		return slices.ContainsFunc(b.device.Properties, func(p hearth.Property) bool { return p.Momentary }) && !b.offersProperty("on")
	case "meter":
		return slices.ContainsFunc(b.device.Properties, measures)
	}
	return true
}

// tells reports whether a property says something about what its device is for.
func tells(p hearth.Property) bool {
	return measures(p) || p.Writable && p.Name != "identify" && p.Name != "refresh"
}

// measures reports whether a property is a value that the device finds out.
func measures(p hearth.Property) bool {
	return !p.Writable && !p.Momentary && p.Name != "battery" && p.Name != "battery_voltage" && p.Name != "battery_low"
}
