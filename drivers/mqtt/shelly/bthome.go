package shelly

import (
	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// An object is what BTHome's number for a kind of value means in the house's words.
type object struct {
	word, unit string // a unit other than the word's
}

// objects is the table of BTHome version 2.
func objects(id float64) (object, bool) {
	switch id {
	case 0x01:
		return object{word: "battery"}, true
	case 0x02, 0x45, 0x57, 0x58:
		return object{word: "temperature"}, true
	case 0x03, 0x2e:
		return object{word: "humidity"}, true
	case 0x04:
		return object{word: "pressure"}, true
	case 0x05:
		return object{word: "illuminance"}, true
	case 0x0a, 0x4d:
		return object{word: "energy"}, true
	case 0x0b, 0x5c:
		return object{word: "power"}, true
	case 0x0c, 0x4a:
		return object{word: "voltage"}, true
	case 0x0d:
		return object{word: "pm25"}, true
	case 0x0e:
		return object{word: "pm10"}, true
	case 0x12:
		return object{word: "co2"}, true
	case 0x13:
		return object{word: "voc_mass"}, true
	case 0x14, 0x2f:
		return object{word: "soil_moisture"}, true
	case 0x15:
		return object{word: "battery_low"}, true
	case 0x17:
		return object{word: "carbon_monoxide_alarm"}, true
	case 0x11, 0x1a, 0x1b, 0x2d: // an opening, a door, a garage door, a window
		return object{word: "open"}, true
	case 0x1c:
		return object{word: "gas_alarm"}, true
	case 0x20:
		return object{word: "water_leak"}, true
	case 0x21, 0x23:
		return object{word: "occupancy"}, true
	case 0x25:
		return object{word: "presence"}, true
	case 0x29:
		return object{word: "smoke"}, true
	case 0x2a:
		return object{word: "sound_alarm"}, true
	case 0x2b:
		return object{word: "tamper"}, true
	case 0x2c:
		return object{word: "vibration"}, true
	case 0x3f:
		return object{word: "rotation", unit: "°"}, true
	case 0x40:
		return object{word: "distance", unit: "mm"}, true
	case 0x41:
		return object{word: "distance", unit: "m"}, true
	case 0x43, 0x5d:
		return object{word: "current"}, true
	case 0x44:
		return object{word: "wind_speed"}, true
	case 0x46:
		return object{word: "uv_index"}, true
	}
	return object{}, false
}

const isButton = 0x3a // its presses are events

// bthome is one value of a Bluetooth device that the Shelly hears.
func bthome(c *component) []*face {
	id, _ := c.config["obj_id"].(float64)
	if id == isButton {
		return []*face{{property: pushes("button")}}
	}
	o, known := objects(id)
	f := &face{path: "value", read: numberOf}
	if known {
		f.property, _, _ = dialect.Measured(word(o.word), o.unit)
	}
	switch v := c.status["value"].(type) {
	case bool:
		if f.read = boolOf; !known {
			f.property = hearth.Property{Name: "bthome", Kind: hearth.Bool}
		}
	case float64:
		if !known {
			f.property = hearth.Property{Name: "bthome", Kind: hearth.Number}
		}
	case string:
		if f.read = textOf; !known {
			f.property = hearth.Property{Name: "bthome", Kind: hearth.Text}
		}
	default:
		if v != nil || !known {
			return nil // nothing was heard yet
		}
		if f.property.Kind == hearth.Bool {
			f.read = boolOf
		}
	}
	return []*face{f}
}
