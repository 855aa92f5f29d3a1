package quirks

import "strings"

// Example returns a device that the match is for.
func (m Match) Example() Like {
	device := Like{Vendor: "_TZ0000_example", Model: "TS0000"}
	if len(m.Vendor) > 0 {
		device.Vendor = strings.ReplaceAll(m.Vendor[0], "*", "x")
	}
	if len(m.Model) > 0 {
		device.Model = strings.ReplaceAll(m.Model[0], "*", "x")
	}
	return device
}

// Promises lists the properties that a device has by the definition alone.
func (d *Definition) Promises() []string {
	var names []string
	d.Meanings(func(m *Meaning) { names = append(names, m.Property) })
	for _, a := range d.Actions {
		names = append(names, a.Property)
	}
	return names
}
