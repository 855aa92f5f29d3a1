// Package expose says what a Zigbee device's endpoints, clusters, attributes and commands mean in the house's words, and
// what the house's wishes mean as frames: generically for every standard cluster, and with the deviations of a
// definition where there is one. It does no I/O and has no time of its own.
package expose

import (
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// An Endpoint is what a simple descriptor says.
type Endpoint struct {
	ID      uint8    `json:"id"`
	Profile uint16   `json:"profile"`
	Device  uint16   `json:"device"`
	In      []uint16 `json:"in,omitempty"`  // clusters it serves
	Out     []uint16 `json:"out,omitempty"` // clusters it uses
}

// A Description is all that is known of a device. It is stored by the driver.
type Description struct {
	IEEE         radio.IEEE `json:"ieee"`
	Vendor       string     `json:"vendor,omitempty"`
	Model        string     `json:"model,omitempty"`
	Firmware     string     `json:"firmware,omitempty"`
	DateCode     string     `json:"date_code,omitempty"`
	Power        uint8      `json:"power"` // the Basic cluster's PowerSource
	Mains        bool       `json:"mains"`
	Router       bool       `json:"router"`
	Manufacturer uint16     `json:"manufacturer,omitempty"` // code
	Endpoints    []Endpoint `json:"endpoints,omitempty"`

	// What was read of it for good, or was heard: "1/0300/400a" for endpoint 1, cluster 0x0300, attribute 0x400a, and
	// "1/0006>button_on" for a button that was pressed. See Learn.
	Facts map[string]float64 `json:"facts,omitempty"`
	Texts map[string]string  `json:"texts,omitempty"` // the same, where the attribute is a text
}

// A Read asks for attributes of one cluster; they fit into one frame, and so does the answer.
type Read struct {
	Endpoint     uint8
	Cluster      uint16
	Manufacturer uint16 // 0: the standard's
	Attributes   []uint16
}

// A Request is a frame for the device. Its sequence is the driver's to fill in.
type Request struct {
	Endpoint uint8
	Cluster  uint16
	Frame    zcl.Frame
	Answer   bool          // it is answered, by a response of its own or the default one
	Settles  time.Duration // how long the device takes until it is as asked, as with a transition
	Confirm  []Read        // to be read back if no report follows
}

// A Binding is made to the coordinator.
type Binding struct {
	Endpoint uint8
	Cluster  uint16
}

// A Reporting is one attribute to be reported.
type Reporting struct {
	Endpoint     uint8
	Cluster      uint16
	Manufacturer uint16
	Record       zcl.ReportingRecord
	Every        time.Duration // how often to read it where its reporting is refused
}

// A Poll reads what is never reported.
type Poll struct {
	Read
	Every time.Duration
}

// A Setup is what a device has to be told before it speaks by itself, in this order.
type Setup struct {
	Bindings  []Binding
	Enrol     []uint8 // endpoints with an IAS zone, which shall tell the coordinator
	Reporting []Reporting
	Requests  []Request // whatever else its model wants
	Reads     []Read    // all of its state
	Polls     []Poll
	Repeats   []Repeat `json:"-"` // it is not told to the device
}

// A Repeat asks a device for all of its state again and again, where no attribute can be read.
type Repeat struct {
	Request
	Every time.Duration
}

// An Incoming is a frame from the device.
type Incoming struct {
	Endpoint uint8
	Group    uint16 // that it was sent to, 0: none
	Cluster  uint16
	Frame    zcl.Frame
	Now      time.Time // for devices that ask for the time, in the zone of the house
}

// A SaidValue is a value that the device gave one of its announced properties.
type SaidValue struct {
	Property string
	Value    hearth.Value

	// Clears is not 0 for a true that the device never takes back: when nothing more is said of the property for so
	// long, it is false.
	Clears time.Duration
}

// Said is what a frame means.
type Said struct {
	Values  []SaidValue
	Replies []Request // to be sent at once, with the frame's sequence number
	Reads   []Read    // worth reading now

	// Changed is what the device has turned out to be, if that is more than was known: it is to be kept, and announced
	// with a new Model of it, before the Values are told.
	Changed *Description
}
