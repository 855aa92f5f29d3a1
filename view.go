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
)

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

// An Alert is one thing that is wrong with a home: gateway_dark, clock_untrusted, driver_down, device_silent or gap.
type Alert struct {
	Kind   string `json:"kind"`
	About  string `json:"about,omitempty"` // the driver's name or the device's id
	Detail string `json:"detail"`
}

// HomeDetails are a home's view with what is wrong and what its gateway says of itself.
type HomeDetails struct {
	HomeView
	AlertList []Alert         `json:"alert_list"`
	Status    json.RawMessage `json:"status"` // as the gateway's own status; null if it never sent one
}
