package hearth

import "encoding/json"

// A DeviceView is a device as programs and pages see it, at the gateway and at the receiver alike. It is also what a
// gateway sends as its inventory.
type DeviceView struct {
	ID         ID             `json:"id"`
	Name       string         `json:"name"`
	Room       string         `json:"room"`
	Type       Type           `json:"type"`
	Driver     string         `json:"driver"`      // its configured name
	DriverType string         `json:"driver_type"` // zigbee, modbus, …
	Vendor     string         `json:"vendor"`
	Model      string         `json:"model"`
	Firmware   string         `json:"firmware,omitempty"`
	Reachable  bool           `json:"reachable"`
	LastSeen   Time           `json:"last_seen"` // null if it never said anything
	Properties []PropertyView `json:"properties"`
}

// A PropertyView is a property with its value. Momentary and write-only ones have none.
type PropertyView struct {
	Property
	Value  *Value `json:"value"`  // null if never reported
	Time   Time   `json:"time"`   // of the value
	Target *Value `json:"target"` // what a command on its way asks for
	Stale  bool   `json:"stale"`  // too old to be believed
}

// Property returns the view's property of that name.
func (d *DeviceView) Property(name string) *PropertyView {
	for i := range d.Properties {
		if d.Properties[i].Name == name {
			return &d.Properties[i]
		}
	}
	return nil
}

// CheckSet says why a command may not set these values: code no_device, read_only or bad_value.
func (d *DeviceView) CheckSet(set map[string]Value) error {
	if len(set) == 0 {
		return Errorf(CodeBadValue, "set is empty: name at least one property and its value")
	}
	for name, value := range set {
		p := d.Property(name)
		switch {
		case p == nil:
			return Errorf(CodeNoDevice, "device %s has no property %s", d.ID, clip(name))
		case !p.Writable:
			return Errorf(CodeReadOnly, "%s of %s cannot be set", name, d.ID)
		}
		if err := p.Accepts(value); err != nil {
			return err
		}
	}
	return nil
}

// The bodies of live events, at both ends the same: reading (ReadingEvent), device (DeviceView or Forgotten), command
// (Record), status.
type (
	// A ReadingEvent is one reading.
	ReadingEvent struct {
		Device   ID     `json:"device"`
		Property string `json:"property"`
		Value    Value  `json:"value"`
		Time     Time   `json:"time"`
	}
	// Forgotten says that a device has left for good.
	Forgotten struct {
		ID        ID   `json:"id"`
		Forgotten bool `json:"forgotten"` // always true
	}
	// A Refusal says that a command was not taken, where no answer can: there is no record of it.
	Refusal struct {
		ID     string `json:"id"` // as it was given; may be empty
		Device ID     `json:"device"`
		By     string `json:"by"`
		Error  *Error `json:"error"`
	}
)

// A HomeEvent says what became of a home of a tenant.
type HomeEvent struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Tenant string `json:"tenant"`
	Change string `json:"change"` // added, changed or removed
}

// What may become of a home.
const (
	HomeAdded   = "added"
	HomeChanged = "changed"
	HomeRemoved = "removed"
)

// What a device without a gateway says. The receiver calls it direct:<the address it chose>.
type (
	// An Announcement describes it.
	Announcement struct {
		Name     string `json:"name,omitempty"`
		Type     Type   `json:"type,omitempty"`
		Vendor   string `json:"vendor,omitempty"`
		Model    string `json:"model,omitempty"`
		Firmware string `json:"firmware,omitempty"`
		Room     string `json:"room,omitempty"`
		Every    int    `json:"every_s,omitempty"` // it promises to speak at least this often, in seconds; 0 promises nothing

		Properties []AnnouncedProperty `json:"properties"`
	}
	// An AnnouncedProperty needs no more than its name where that is one of the shared words, as temperature.
	AnnouncedProperty struct {
		Name      string   `json:"name"`
		Kind      Kind     `json:"kind,omitempty"`
		Unit      string   `json:"unit,omitempty"`
		UnitCode  string   `json:"unit_code,omitempty"`
		Momentary bool     `json:"momentary,omitempty"`
		Min       *float64 `json:"min,omitempty"`
		Max       *float64 `json:"max,omitempty"`
		Options   []string `json:"options,omitempty"`
		Writable  bool     `json:"writable,omitempty"` // never: it takes no commands
	}
	// A DirectReading is one value of one property. Without a time it is of now.
	DirectReading struct {
		Device   ID     `json:"device,omitempty"` // where the topic does not name it
		Property string `json:"property"`
		Value    Value  `json:"value"`
		Time     Time   `json:"time,omitzero"`
	}
	// A DirectRefusal says that an announcement or a report was not taken, where no answer can.
	DirectRefusal struct {
		About string `json:"about"` // announce or report
		Error *Error `json:"error"`
	}
)

// DirectDriver is the driver's name in the ids of devices without a gateway.
const DirectDriver = "direct"

// A HomeView is a home as the receiver's list of homes shows it.
type HomeView struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Tenant   string `json:"tenant"`
	Online   bool   `json:"online"`    // its gateway has a live session
	LastSeen Time   `json:"last_seen"` // null if it never said anything
	Backlog  uint64 `json:"backlog"`   // rows still on the gateway, as it last said
	Alerts   int    `json:"alerts"`
	Version  string `json:"version"` // of its gateway

	AlertKinds []string `json:"alert_kinds"` // each once
}

// HomeDetails are a home's view with what is wrong and what its gateway says of itself.
type HomeDetails struct {
	HomeView
	AlertList []Alert         `json:"alert_list"`
	Status    json.RawMessage `json:"status"` // as the gateway's own status; null if it never sent one
}
