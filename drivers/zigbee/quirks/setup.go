package quirks

import (
	"errors"
	"fmt"
	"time"

	"hearth/drivers/zigbee/zcl"
)

// A Setup is what a model has to be told, beyond what the standard makes of it.
type Setup struct {
	Quiet    bool      `yaml:"quiet"`    // it reports by itself: no bindings and no reporting but those named here
	Bind     []Binding `yaml:"bind"`     // to the coordinator
	Report   []Report  `yaml:"report"`   // each in place of what the standard would ask for
	Requests []Request `yaml:"requests"` // in this order
	Poll     []Poll    `yaml:"poll"`     // of attributes that are properties already
}

const minPoll = time.Second

// A Binding is made to the coordinator.
type Binding struct {
	Endpoint uint8   `yaml:"endpoint"` // 0: the first that has the cluster, else the first
	Cluster  Cluster `yaml:"cluster"`
}

// A Pace is how often something is reported.
type Pace struct {
	Min    uint16  `yaml:"min"` // seconds
	Max    uint16  `yaml:"max"`
	Change float64 `yaml:"change"` // as it travels; 0: any
}

// Record returns how the reporting of an attribute is asked for.
func (p Pace) Record(attribute uint16, t zcl.DataType) zcl.ReportingRecord {
	r := zcl.ReportingRecord{ID: attribute, Type: t, Min: p.Min, Max: p.Max}
	if t.Analog() {
		r.Change = zcl.FloatOf(t, p.Change)
	}
	return r
}

// A Report is the pace of one attribute.
type Report struct {
	Pace         `yaml:",inline"`
	Endpoint     uint8   `yaml:"endpoint"` // 0: the first that has the cluster, else the first
	Cluster      Cluster `yaml:"cluster"`
	Name         string  `yaml:"attribute"`
	Manufacturer uint16  `yaml:"manufacturer"`
	Format       Format  `yaml:"type"` // the library's if it has the attribute
	Never        bool    `yaml:"never"`
	ID           uint16  `yaml:"-"` // the attribute's number
}

// A Poll reads attributes again and again.
type Poll struct {
	Endpoint     uint8         `yaml:"endpoint"` // 0: the first that has the cluster, else the first
	Cluster      Cluster       `yaml:"cluster"`
	Names        Texts         `yaml:"attributes"`
	Manufacturer uint16        `yaml:"manufacturer"`
	Every        time.Duration `yaml:"every"`
	IDs          []uint16      `yaml:"-"` // the attributes' numbers
}

// A Request is one frame that is sent when a device has been interviewed: it reads, it writes one attribute, or it is a
// command of the cluster's own.
type Request struct {
	Endpoint     uint8   `yaml:"endpoint"` // 0: the first that has the cluster, else the first
	Cluster      Cluster `yaml:"cluster"`
	Manufacturer uint16  `yaml:"manufacturer"`

	Read Texts `yaml:"read"`

	Write  string `yaml:"write"` // the attribute
	Format Format `yaml:"type"`  // the library's if it has the attribute
	Value  int64  `yaml:"value"`
	Bytes  Hex    `yaml:"bytes"` // instead of a value, for strings

	Command string `yaml:"command"`
	Payload Hex    `yaml:"payload"`

	frame zcl.Frame
}

// Frame returns what is sent, without a sequence number.
func (r *Request) Frame() zcl.Frame { return r.frame }

// Check says what is wrong with the request, and makes its frame.
func (r *Request) Check() error {
	var wrong complaints
	switch {
	case len(r.Read) > 0 && r.Write == "" && r.Command == "":
		r.frame = zcl.ReadAttributes(r.Read.attributes(r.Cluster, "read", &wrong)...)
	case r.Write != "" && len(r.Read) == 0 && r.Command == "":
		r.write(&wrong)
	case r.Command != "" && len(r.Read) == 0 && r.Write == "":
		id, err := commandNamed(r.Cluster, false, r.Command)
		if err != nil {
			wrong.say("command", "%v", err)
		}
		r.frame = zcl.ClusterCommand(id, r.Payload...)
	default:
		wrong.say("read", "want one of read, write and command in each request")
	}
	r.frame.Manufacturer = r.Manufacturer
	return wrong.err()
}

func (r *Request) write(wrong *complaints) {
	id, err := attributeNamed(r.Cluster, r.Write)
	if err != nil {
		wrong.say("write", "%v", err)
		return
	}
	r.Format = r.Format.or(r.Cluster, id, r.Manufacturer)
	v, err := r.Format.value(r.Value, r.Bytes)
	if err != nil {
		wrong.say("type", "%v", err)
		return
	}
	r.frame = zcl.WriteAttributes(zcl.Attribute{ID: id, Value: v})
}

// value returns what is written: the bytes if the type is a string's, else the number.
func (f Format) value(number int64, bytes []byte) (zcl.Value, error) {
	t := zcl.DataType(f)
	switch size, fixed := t.Size(); {
	case f == 0:
		return zcl.Value{}, errors.New("is missing: which data type does the attribute have?")
	case t == zcl.CharString:
		return zcl.TextOf(string(bytes)), nil
	case t == zcl.OctetString:
		return zcl.BytesOf(bytes), nil
	case !fixed || size > 8:
		return zcl.Value{}, fmt.Errorf("a %s cannot be written from here", t)
	case t == zcl.Float16, t == zcl.Float32, t == zcl.Float64:
		return zcl.FloatOf(t, float64(number)), nil
	}
	return zcl.IntOf(t, number), nil // all ones and the like too, which mean nothing as numbers
}
