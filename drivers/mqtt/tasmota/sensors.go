package tasmota

import (
	"fmt"
	"slices"
	"strings"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// A sensor is one number, or one contact, of tele SENSOR.
type sensor struct {
	property   string
	conversion dialect.Conversion
}

// A quantity is what a key of a sensor means in the house's words, and in which unit the firmware has it. A unit that
// begins with a colon is told beside the sensors, under that key.
type quantity struct {
	word, unit string
	adds       bool // the sum over phases is the whole
}

const (
	byTemperature = ":TempUnit"
	byPressure    = ":PressureUnit"
	bySpeed       = ":SpeedUnit"
)

func quantities(key string) (quantity, bool) {
	switch key {
	case "Temperature":
		return quantity{"temperature", byTemperature, false}, true
	case "DewPoint":
		return quantity{"dew_point", byTemperature, false}, true
	case "Humidity":
		return quantity{"humidity", "%", false}, true
	case "Moisture":
		return quantity{"soil_moisture", "%", false}, true
	case "Pressure":
		return quantity{"pressure", byPressure, false}, true
	case "SeaPressure":
		return quantity{"sea_pressure", byPressure, false}, true
	case "Illuminance", "Ambient":
		return quantity{"illuminance", "lx", false}, true
	case "Power", "ActivePower":
		return quantity{"power", "W", true}, true
	case "ApparentPower":
		return quantity{"power_apparent", "VA", true}, true
	case "ReactivePower":
		return quantity{"power_reactive", "var", true}, true
	case "Factor":
		return quantity{"power_factor", "", false}, true
	case "Frequency":
		return quantity{"frequency", "Hz", false}, true
	case "Voltage":
		return quantity{"voltage", "V", false}, true
	case "Current":
		return quantity{"current", "A", false}, true
	case "CurrentNeutral":
		return quantity{"current_neutral", "A", false}, true
	case "Total":
		return quantity{"energy", "kWh", true}, true
	case "Today":
		return quantity{"energy_today", "kWh", true}, true
	case "Yesterday":
		return quantity{"energy_yesterday", "kWh", true}, true
	case "TotalTariff", "Energy":
		return quantity{"energy", "kWh", false}, true
	case "ExportActive":
		return quantity{"energy_exported", "kWh", true}, true
	case "ExportTariff":
		return quantity{"energy_exported", "kWh", false}, true
	case "ImportActive":
		return quantity{"energy_imported", "kWh", true}, true
	case "CarbonDioxide", "CO2":
		return quantity{"co2", "ppm", false}, true
	case "eCO2":
		return quantity{"eco2", "ppm", false}, true
	case "TVOC":
		return quantity{"voc", "ppb", false}, true
	case "PM1":
		return quantity{"pm1", "µg/m³", false}, true
	case "PM2.5":
		return quantity{"pm25", "µg/m³", false}, true
	case "PM10":
		return quantity{"pm10", "µg/m³", false}, true
	case "CF1":
		return quantity{"cf1", "µg/m³", false}, true
	case "CF2.5":
		return quantity{"cf25", "µg/m³", false}, true
	case "CF10":
		return quantity{"cf10", "µg/m³", false}, true
	case "Distance":
		return quantity{"distance", "cm", false}, true
	case "Weight":
		return quantity{"weight", "kg", false}, true
	case "Battery":
		return quantity{"battery", "%", false}, true
	case "RSSI":
		return quantity{"rssi", "dBm", false}, true
	case "pH":
		return quantity{"ph", "", false}, true
	case "Speed":
		return quantity{"wind_speed", bySpeed, false}, true
	case "CCT":
		return quantity{"cct", "K", false}, true
	case "PhaseAngle":
		return quantity{"phase_angle", "°", false}, true
	}
	return quantity{}, false
}

// A leaf is one value among the sensors, and where it was.
type leaf struct {
	group string
	path  string // of keys, with the group, separated by slashes
	key   string // the innermost key that is no number
	index int    // in an array, from 1; 0: in none
	value any
}

const maxLeaves = 1024

// leaves lists what tele SENSOR holds, in an order that is always the same.
func leaves(said map[string]any) []leaf {
	var found []leaf
	var walk func(l leaf)
	walk = func(l leaf) {
		switch v := l.value.(type) {
		case map[string]any:
			keys := make([]string, 0, len(v))
			for key := range v {
				keys = append(keys, key)
			}
			slices.Sort(keys)
			for _, key := range keys {
				next := leaf{group: l.group, path: l.path + "/" + key, key: key, value: v[key]}
				if l.path == "" {
					next.group, next.path = key, key
				} else if _, known := quantities(key); !known {
					if _, outer := quantities(l.key); outer && key == "Act" { // {"Speed":{"Act":14.8}}
						next.key = l.key
					}
				}
				walk(next)
			}
		case []any:
			for i, member := range v {
				if _, nested := member.(float64); nested || member == nil {
					walk(leaf{group: l.group, path: fmt.Sprintf("%s/%d", l.path, i), key: l.key, index: i + 1, value: member})
				}
			}
		default:
			if len(found) < maxLeaves && l.group != l.path && len(l.path) <= 128 {
				found = append(found, l)
			}
		}
	}
	walk(leaf{value: said})
	return found
}

// skipped are keys that tell nothing about the house.
func (l leaf) skipped() bool {
	switch l.key {
	case "Id", "Address", "Time", "TotalStartTime", "Period", "UID", "Data":
		return true
	}
	return l.group == "PN532" || l.group == "RDM6300" || strings.TrimRight(l.group, "0123456789") == "Shutter"
}

// remeasured notes the units that are told beside the sensors, and reports whether a person has changed one since.
func (dev *device) remeasured(said map[string]any) (changed bool) {
	for _, key := range []string{byTemperature[1:], byPressure[1:], bySpeed[1:]} {
		now, ok := said[key].(string)
		if !ok {
			continue
		}
		if before, known := dev.skeleton[key]; known && before != now {
			changed = true
		}
		if dev.skeleton == nil {
			dev.skeleton = map[string]any{}
		}
		dev.skeleton[key] = now
	}
	return changed
}

// grow takes in the sensors that said holds and that were not known, and reports whether there were any.
func (dev *device) grow(said map[string]any) bool {
	before := len(dev.properties)
	all := leaves(said)
	for _, l := range all {
		if _, known := dev.sensors[l.path]; known || l.skipped() {
			continue
		}
		dev.learn(l, said)
		if q, _ := quantities(l.key); q.adds && l.index == 1 {
			whole := l
			whole.path, whole.index = sumPath(l.path), 0
			if _, known := dev.sensors[whole.path]; !known {
				dev.learn(whole, said)
			}
		}
	}
	return len(dev.properties) > before
}

// sumPath is where the sum of an array is kept: at the array.
func sumPath(path string) string { return path[:strings.LastIndexByte(path, '/')] }

// learn makes a property for a value among the sensors.
func (dev *device) learn(l leaf, said map[string]any) {
	var p hearth.Property
	var conversion dialect.Conversion
	name, unit := dev.meaning(l)
	base := name // the word whose unit and range it has
	if unit != "" && unit[0] == ':' {
		base = map[string]string{byTemperature: "temperature", byPressure: "pressure", bySpeed: "wind_speed"}[unit]
		unit, _ = said[unit[1:]].(string) // not told: as the house has it
	}
	switch v := l.value.(type) {
	case string:
		if v != dev.cfg.States[0] && v != dev.cfg.States[1] {
			return
		}
		p = hearth.Property{Name: dialect.PropertyName(l.group + "_" + l.key), Kind: hearth.Bool}
	case float64, nil:
		_, known := quantities(strings.TrimRight(l.key, "0123456789"))
		_, exact := quantities(l.key)
		switch {
		case known || exact:
			p = word(base)
			p.Name = name
		case v == nil:
			return
		default:
			p = hearth.Property{Name: name, Kind: hearth.Number}
		}
		var ok bool
		if p, conversion, ok = dialect.Measured(p, unit); !ok {
			p = hearth.Property{Name: dialect.PropertyName(l.group + "_" + l.key), Kind: hearth.Number}
			p, conversion, _ = dialect.Measured(p, unit)
		}
	default:
		return
	}
	if p.Name == "" {
		return
	}
	if p.Name = dev.name(l.path, p.Name); dev.add(p) != "" {
		dev.sensors[l.path] = sensor{property: p.Name, conversion: conversion}
	}
}

// meaning is the word for a value, with its suffix where it is one of several, and its unit.
func (dev *device) meaning(l leaf) (name, unit string) {
	q, ok := quantities(l.key)
	if !ok {
		q, ok = quantities(strings.TrimRight(l.key, "0123456789")) // ANALOG has Temperature1 and so on
	}
	switch {
	case (l.group == "AS3935" || l.group == "LD2410") && l.key == "Energy":
		return dialect.PropertyName(l.group + "_" + l.key), "" // of a lightning, of an echo
	case !ok:
		name := dialect.PropertyName(l.group + "_" + l.key)
		if l.index > 0 {
			name = fmt.Sprintf("%s_%d", name, l.index)
		}
		return name, ""
	case l.group == "ESP32" && q.word == "temperature":
		return "device_temperature", q.unit
	case l.index == 0:
		return q.word, q.unit
	case strings.HasSuffix(l.key, "Tariff"):
		return fmt.Sprintf("%s_t%d", q.word, l.index), q.unit
	}
	return fmt.Sprintf("%s_l%d", q.word, l.index), q.unit
}

// name is the property's name for the value at path: the one it got once, or wanted, numbered if another has that.
func (dev *device) name(path, wanted string) string {
	if name := dev.names[path]; name != "" {
		if _, taken := dev.places[name]; !taken {
			return name
		}
	}
	given := map[string]bool{}
	for _, name := range dev.names {
		given[name] = true
	}
	name := wanted
	for n := 2; ; n++ {
		if _, taken := dev.places[name]; !taken && !given[name] {
			break
		}
		name = fmt.Sprintf("%s_%d", dialect.Clip(wanted, 58), n)
	}
	if len(dev.names) < hearth.MaxProperties {
		dev.names[path] = name
	}
	return name
}
