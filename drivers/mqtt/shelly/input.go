package shelly

import (
	"strconv"
	"strings"
	"time"

	"hearth"
)

// inputs lists what an input has, by how it is set up: a switch, a button, something that is measured or counted.
func inputs(dev *device, c *component) []*face {
	kind, _ := c.config["type"].(string)
	if kind == "" {
		kind = "switch"
		if v, ok := c.status["state"]; ok && v == nil {
			kind = "button"
		}
	}
	switch kind {
	case "button":
		name := "button"
		if several(dev) && c.id < 100 {
			name = "button_" + strconv.Itoa(c.id+1)
			dev.place(nil, &face{property: pushes(name)}) // numbered from 1, the first as well
			return nil
		}
		return []*face{{property: pushes(name)}}
	case "analog":
		return present(c, &face{property: hearth.Property{Name: "analog", Kind: hearth.Number, Unit: "%", UnitCode: "%"}, path: "percent", read: numberOf})
	case "count":
		return present(c,
			&face{property: hearth.Property{Name: "count", Kind: hearth.Number}, path: "counts.total", read: numberOf},
			told("frequency", "freq", numberOf))
	}
	return present(c, &face{property: hearth.Property{Name: "input", Kind: hearth.Bool}, path: "state", read: boolOf})
}

// several reports whether the device has more than one input.
func several(dev *device) bool {
	count := 0
	for _, c := range dev.components {
		if c.kind == "input" && c.id < 100 {
			count++
		}
	}
	return count > 1
}

// pushes is the property of a button.
func pushes(name string) hearth.Property {
	p := word("button")
	p.Name = name
	return p
}

// pressed takes in an event of a component that may be a button.
func (d *Dialect) pressed(dev *device, key, event string, index float64, when time.Time) {
	kind, _, ok := split(key)
	if !ok || (kind != "input" && kind != "button" && kind != "bthomedevice" && kind != "bthomesensor") {
		return
	}
	names := map[string]string{"single_push": "single", "double_push": "double", "triple_push": "triple", "long_push": "hold", "hold_press": "hold"}
	press := names[event]
	button := key + "/" + strconv.Itoa(int(index))
	switch {
	case event == "btn_up" && dev.held[button]:
		press = "release"
		delete(dev.held, button)
	case press == "hold" && kind == "input" && len(dev.held) < maxComponents:
		dev.held[button] = true
	}
	if press == "" || dev.announced == nil {
		return
	}
	property := d.button(dev, key, int(index))
	if f := dev.faces[property]; f != nil && f.property.Momentary {
		d.env.Bus.Report(hearth.Reading{Device: dev.id, Property: property, Value: hearth.TextOf(press), Time: when})
	}
}

// button is the property of a button. Those of a Bluetooth device are known when they are pressed.
func (d *Dialect) button(dev *device, key string, index int) string {
	kind, id, _ := split(key)
	if c := dev.components[key]; c != nil {
		for _, f := range c.faces {
			if f.property.Momentary {
				return f.property.Name
			}
		}
	}
	if kind == "input" {
		return "button_" + strconv.Itoa(id+1)
	}
	name := "button" + suffix(id)
	if index > 0 {
		name += "_" + strconv.Itoa(index+1)
	}
	if strings.HasPrefix(kind, "bthome") && dev.faces[name] == nil && len(dev.buttons) < maxKeys && index >= 0 && index < maxKeys {
		dev.buttons[name] = true
		d.announce(dev)
	}
	return name
}
