package expose

import (
	"slices"
	"sync"
	"time"

	"hearth"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
)

// A Model is one device as the house sees it. It may be used by several goroutines.
type Model struct {
	description Description
	definition  *quirks.Definition // empty: generic
	device      hearth.Device      // without its id
	named       map[string]*slot
	parts       map[place]*part
	actors      []actor
	setup       Setup
	facts       []Read

	mu       sync.Mutex // held while frames are taken or made: some parts remember what was said last
	sequence uint16     // of the last command with Tuya's data points
}

// A place is one cluster of one endpoint.
type place struct {
	endpoint uint8
	cluster  uint16
}

// A slot is a property of the device. Its name is final when the whole device is known.
type slot struct {
	hearth.Property
	standard string // its name by the standard, without an endpoint's part
	endpoint uint8
	naming   naming
	change   quirks.Change
	hidden   bool          // not announced
	clears   time.Duration // a true is not taken back
	made     bool          // of another property's values
	makes    []*slot       // what is made of this one's
}

// A part is what the frames of one cluster of one endpoint mean.
type part struct {
	readings []reading
	replaced []attribute // that mean what a definition says, and nothing else
	facts    []fact
	together func(attributes []zcl.Attribute, h *hearing) // attributes that mean something only beside each other
	refused  func(attribute uint16)                       // an attribute that was read is not there
	command  func(h *hearing)                             // the cluster's own commands from its server's side
	press    func(h *hearing)                             // and from its client's side: a remote's
	tags     func(a zcl.Attribute, h *hearing)            // an attribute of several values in a form of its own
}

// An attribute is one of a cluster's, of the standard or of a manufacturer.
type attribute struct{ id, manufacturer uint16 }

// A reading is an attribute that is a property by itself.
type reading struct {
	attribute
	slot  *slot
	value func(zcl.Value) hearth.Value // the zero Value: there is none
}

// A fact is an attribute that says what the device can do, or by its presence that it has the attribute.
type fact struct {
	id       uint16
	presence bool // which value it has makes no difference
	known    bool
	number   float64
	text     string
}

// An actor carries out wishes for some properties.
type actor struct {
	slots []*slot
	carry func(wish) ([]Request, error)
}

// New makes the model of a device. definition may be nil.
func New(d Description, definition *quirks.Definition) *Model {
	if definition == nil {
		definition = &quirks.Definition{}
	}
	m := &Model{description: d, definition: definition, named: map[string]*slot{}, parts: map[place]*part{}}
	b := &builder{Model: m, once: map[string]*slot{}, defined: map[*slot]bool{}}
	b.build()
	return m
}

// Facts returns what to read once. What is answered goes into the Description (see Learn), and that into a New Model.
func (m *Model) Facts() []Read { return m.facts }

// Setup returns what the device has to be told. It is not to be changed.
func (m *Model) Setup() Setup { return m.setup }

// Device returns the device to be announced.
func (m *Model) Device(id hearth.ID) hearth.Device {
	d := m.device
	d.ID, d.Properties = id, slices.Clone(d.Properties)
	return d
}
