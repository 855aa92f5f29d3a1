package dialect

import (
	"bytes"
	"encoding/json"

	"hearth"
)

// Announced is how a device was last announced; nil: it was not.
type Announced []byte

// Announce tells the house what a device is, if that is news, and the first time, if it is known, whether it is there.
func (a *Announced) Announce(bus Bus, dev hearth.Device, online *bool) (news bool) {
	data, err := json.Marshal(dev)
	if err != nil || bytes.Equal(data, *a) {
		return false
	}
	first := *a == nil
	*a = data
	bus.Announce(dev)
	if first && online != nil {
		bus.Report(hearth.Reading{Device: dev.ID, Property: "reachable", Value: hearth.BoolOf(*online)})
	}
	return true
}
