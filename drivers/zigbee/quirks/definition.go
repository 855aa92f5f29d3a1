// Package quirks knows how models deviate from the Zigbee Cluster Library, as data: YAML files that come with the program,
// and a person's own, which win. It also reads and writes the two forms of their own in which the most sold of these
// devices put their values: Tuya's data points and Aqara's tagged values. It does no I/O but that of reading its files.
package quirks

import (
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// A Definition says how a model, or several that are alike, differs from what the standard makes of its clusters.
// README.md explains every key. Definitions are shared: nobody changes one.
type Definition struct {
	Match      Matches           `yaml:"match"`
	Like       *Like             `yaml:"like"`
	Vendor     string            `yaml:"vendor"` // as on the box
	Model      string            `yaml:"model"`
	Type       hearth.Type       `yaml:"type"`       // "": what its clusters suggest
	Power      string            `yaml:"power"`      // mains or battery where the device says it wrongly, else ""
	Endpoints  map[string]uint8  `yaml:"endpoints"`  // what the properties of an endpoint end in: left makes on on_left
	Ignore     []Ignored         `yaml:"ignore"`     // what the standard shall make nothing of
	Facts      []Fact            `yaml:"facts"`      // what is not asked, because it is known or answered wrongly
	Properties map[string]Change `yaml:"properties"` // changes to what the standard makes, by the name it gives; see Changes
	Zone       *Zone             `yaml:"zone"`
	Attributes []Attribute       `yaml:"attributes"` // they take the place of what the standard makes of the attribute
	Commands   []Command         `yaml:"commands"`   // that mean something; if there are any, the standard makes no buttons
	Actions    []Action          `yaml:"actions"`
	Tags       []Tag             `yaml:"aqara"`
	Tuya       *Tuya             `yaml:"tuya"`
	Setup      Setup             `yaml:"setup"`

	Source string `yaml:"-"` // the file that it is from
}

// Name is what a person calls the model.
func (d *Definition) Name() string { return strings.TrimSpace(d.Vendor + " " + d.Model) }

// Meanings calls look with every meaning in the definition.
func (d *Definition) Meanings(look func(*Meaning)) {
	for i := range d.Attributes {
		look(&d.Attributes[i].Meaning)
	}
	for i := range d.Commands {
		look(&d.Commands[i].Meaning)
	}
	for i := range d.Tags {
		look(&d.Tags[i].Meaning)
	}
	if d.Tuya != nil {
		for i := range d.Tuya.Points {
			look(&d.Tuya.Points[i].Meaning)
		}
	}
}

// agree makes what is said of one property in several places one: a button has all the options of all its commands.
func (d *Definition) agree() {
	options := map[string][]string{}
	d.Meanings(func(m *Meaning) {
		for _, option := range m.shape.Options {
			if !slices.Contains(options[m.Property], option) {
				options[m.Property] = append(options[m.Property], option)
			}
		}
	})
	d.Meanings(func(m *Meaning) { m.shape.Options = options[m.Property] })
}

// An Ignored names clusters that the standard shall make nothing of; 0 stands for every endpoint, or every cluster of it.
type Ignored struct {
	Endpoint uint8    `yaml:"endpoint"`
	Cluster  *Cluster `yaml:"cluster"` // nil: all
}

// Ignores reports whether the standard shall make nothing of a cluster of an endpoint.
func (d *Definition) Ignores(endpoint uint8, cluster uint16) bool {
	for _, i := range d.Ignore {
		if (i.Endpoint == 0 || i.Endpoint == endpoint) && (i.Cluster == nil || uint16(*i.Cluster) == cluster) {
			return true
		}
	}
	return false
}

// A Fact is what an attribute is known to be, such as a divisor or what a lamp can do: it need not be read.
type Fact struct {
	Endpoint  uint8   `yaml:"endpoint"` // 0: every one
	Cluster   Cluster `yaml:"cluster"`
	Name      string  `yaml:"attribute"`
	Value     float64 `yaml:"value"`
	Untold    bool    `yaml:"untold"` // only where the device does not tell it: then it is asked
	Attribute uint16  `yaml:"-"`      // its number
}

// Fact returns what is known of an attribute.
func (d *Definition) Fact(endpoint uint8, cluster, attribute uint16) (f Fact, known bool) {
	for _, f := range d.Facts {
		if (f.Endpoint == 0 || f.Endpoint == endpoint) && uint16(f.Cluster) == cluster && f.Attribute == attribute {
			return f, true
		}
	}
	return Fact{}, false
}

// A Change is what is different about a property that the standard makes.
type Change struct {
	Drop   bool          `yaml:"drop"`
	Rename string        `yaml:"rename"`
	Scale  float64       `yaml:"scale"` // value = what the standard makes × scale + offset
	Offset float64       `yaml:"offset"`
	Invert bool          `yaml:"invert"` // a bool; a number from end to end of its range; movement's open and close
	Curve  Curve         `yaml:"curve"`  // from what the standard makes to the value
	From   string        `yaml:"from"`   // the value is made from that property instead, as battery from battery_voltage
	Min    *float64      `yaml:"min"`
	Max    *float64      `yaml:"max"`
	Clears time.Duration `yaml:"clears"` // true is never taken back by the device: it is false after so long
	Report *Pace         `yaml:"report"`
	Poll   time.Duration `yaml:"poll"` // read so often: it does not report
}

// Changes returns what is different about the property that the standard calls name on an endpoint whose properties end
// in _suffix: that of name_suffix if there is one, else that of name.
func (d *Definition) Changes(name, suffix string) (Change, bool) {
	if suffix != "" {
		if c, ok := d.Properties[name+"_"+suffix]; ok {
			return c, true
		}
	}
	c, ok := d.Properties[name]
	return c, ok
}

// A Zone is what is particular about a model's IAS zones.
type Zone struct {
	Property string        `yaml:"property"` // what the alarm means, whatever type the zone says it is of
	Alarm2   string        `yaml:"alarm_2"`  // what the second alarm means; "": the same as the first
	Invert   bool          `yaml:"invert"`   // the alarm is on when the bit is not set
	Clears   time.Duration `yaml:"clears"`   // no end of the alarm is sent: it is over after so long
	NoEnrol  bool          `yaml:"no_enrol"` // it sends without having been enrolled, and enrolling it does harm
}

// An Attribute is one that the standard does not know, or knows otherwise, as a property.
type Attribute struct {
	Meaning      `yaml:",inline"`
	Endpoint     uint8         `yaml:"endpoint"` // 0: the first that has the cluster, else the first
	Cluster      Cluster       `yaml:"cluster"`
	Name         string        `yaml:"attribute"`
	Manufacturer uint16        `yaml:"manufacturer"`
	Format       Format        `yaml:"type"`   // what is written; the library's if it has the attribute
	Silent       bool          `yaml:"silent"` // it is told, but cannot be read
	Report       *Pace         `yaml:"report"` // nil: reporting is not asked for
	Poll         time.Duration `yaml:"poll"`
	ID           uint16        `yaml:"-"` // the attribute's number
}

// A Command from the device that says something: mostly that a button was pressed. Numbers in Values are found at At in
// its payload; without Values, Value is what it says.
type Command struct {
	Meaning      `yaml:",inline"`
	Slice        `yaml:",inline"`
	Endpoint     uint8   `yaml:"endpoint"` // 0: any
	Cluster      Cluster `yaml:"cluster"`
	Name         string  `yaml:"command"`
	Manufacturer uint16  `yaml:"manufacturer"`
	FromServer   bool    `yaml:"from_server"` // the device speaks as the cluster's server; a remote is its client
	Payload      Pattern `yaml:"payload"`     // how the payload begins
	Value        string  `yaml:"value"`
	ID           uint8   `yaml:"-"` // the command's number

	says hearth.Value
}

// Says returns what a command that has come from an endpoint means, false if it is another one.
func (c *Command) Says(endpoint uint8, cluster uint16, f zcl.Frame) (hearth.Value, bool) {
	if f.Global || c.Endpoint != 0 && c.Endpoint != endpoint || uint16(c.Cluster) != cluster || c.ID != f.Command ||
		c.FromServer != f.ToClient || c.Manufacturer != f.Manufacturer || !c.Payload.Begins(f.Payload) {
		return hearth.Value{}, false
	}
	if c.Value != "" {
		return c.says, true
	}
	n, ok := c.Slice.of(f.Payload)
	if !ok {
		return hearth.Value{}, false
	}
	v := c.OfNumber(n)
	return v, !v.IsZero()
}

// An Action is a property that is set by a command of a cluster. It has nothing to report.
type Action struct {
	Property     string         `yaml:"property"`
	Endpoint     uint8          `yaml:"endpoint"` // 0: the first that has the cluster, else the first
	Cluster      Cluster        `yaml:"cluster"`
	Name         string         `yaml:"command"`
	Manufacturer uint16         `yaml:"manufacturer"`
	Payload      Hex            `yaml:"payload"`
	Options      map[string]Hex `yaml:"options"` // the payload for each text that the property takes
	ID           uint8          `yaml:"-"`       // the command's number
}

// A Tag is one of Aqara's tagged values as a property: of attribute 0xFF01 of Basic and 0x00F7 of 0xFCC0 (see ParseTags),
// or, with List, the place in the list of attribute 0xFF02 of Basic, from 0.
type Tag struct {
	Meaning `yaml:",inline"`
	Tag     uint8 `yaml:"tag"`
	List    bool  `yaml:"list"`
}
