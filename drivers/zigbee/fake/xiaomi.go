package fake

import (
	"time"

	"hearth/drivers/zigbee/zcl"
	"hearth/settings"
)

// xiaomiCode is the manufacturer's code in its frames.
const xiaomiCode = 0x115f

// Xiaomi is a model of that house: it says many things in one attribute, by itself, and takes no reporting.
type Xiaomi struct {
	Cluster   Cluster       `yaml:"cluster"`   // basic, or 0xfcc0
	Attribute uint16        `yaml:"attribute"` // 0xff01, or 0x00f7
	Every     time.Duration `yaml:"every"`
	Fields    []XiaomiField `yaml:"fields"`
	Configure bool          `yaml:"configure"` // answers when its reporting is configured; most do not
}

// A XiaomiField is one tag of it: a value, or what an attribute has now.
type XiaomiField struct {
	Tag       uint8   `yaml:"tag"`
	Value     Literal `yaml:"value"` // with its type
	Cluster   Cluster `yaml:"cluster"`
	Attribute string  `yaml:"attribute"`
	Type      string  `yaml:"type"`  // as which the attribute's value is said
	Scale     float64 `yaml:"scale"` // what that is multiplied with

	value zcl.Value
	id    uint16
	kind  zcl.DataType
}

// Check reads the value, or finds the attribute.
func (f *XiaomiField) Check() (err error) {
	if f.Attribute == "" {
		if f.value, err = valueOf(zcl.ClusterBasic, 0xff01, string(f.Value)); err != nil {
			return settings.At("value", "%v", err)
		}
		return nil
	}
	if f.id, err = attributeOf(f.Cluster, f.Attribute); err != nil {
		return settings.At("attribute", "%v", err)
	}
	if f.Scale == 0 {
		f.Scale = 1
	}
	var ok bool
	if f.kind, ok = zcl.TypeNamed(f.Type); !ok {
		return settings.At("type", "%q is no type", f.Type)
	}
	return nil
}

type xiaomi struct {
	device *Device
	model  *Xiaomi
	since  *membership
}

func newXiaomi(d *Device, m *Xiaomi) *xiaomi { return &xiaomi{device: d, model: m} }

// joined says its model at once: such devices are gone again before somebody has asked.
func (x *xiaomi) joined() {
	d := x.device
	d.mesh.after(3*d.mesh.hop(), func() {
		d.report(1, zcl.ClusterBasic, 0, true, zcl.Attribute{ID: zcl.AttrBasicModelIdentifier, Value: zcl.TextOf(d.model.Product)})
		x.tell()
	})
	if x.since != d.member {
		x.since = d.member
		x.again(d.member)
	}
}

func (x *xiaomi) again(member *membership) {
	if x.model.Every == 0 {
		return
	}
	x.device.mesh.after(x.model.Every, func() {
		if x.device.member == member {
			x.tell()
			x.again(member)
		}
	})
}

// hear keeps the device from answering what it does not know.
func (x *xiaomi) hear(_ *endpoint, _ uint16, f zcl.Frame) bool {
	return f.Global && f.Command == zcl.CommandConfigureReporting && !x.model.Configure
}

// tell sends the attribute with everything in it.
func (x *xiaomi) tell() {
	if x.device.member == nil {
		return
	}
	var b []byte
	for _, f := range x.model.Fields {
		value := f.value
		if f.Attribute != "" {
			a := x.attribute(f)
			if a == nil {
				continue
			}
			n, _ := a.value.Number()
			value = zcl.FloatOf(f.kind, n*f.Scale)
			if f.kind == zcl.Bool {
				value = zcl.BoolOf(n != 0)
			}
		}
		b = value.Append(append(b, f.Tag, byte(value.Type)))
	}
	value := zcl.BytesOf(b)
	if x.model.Cluster == Cluster(zcl.ClusterBasic) {
		value = zcl.TextOf(string(b))
	}
	x.device.report(1, uint16(x.model.Cluster), xiaomiCode, true, zcl.Attribute{ID: x.model.Attribute, Value: value})
}

func (x *xiaomi) attribute(f XiaomiField) *attribute {
	for _, e := range x.device.endpoints {
		if a := e.attribute(uint16(f.Cluster), 0, f.id); a != nil {
			return a
		}
	}
	return nil
}

// Tell makes a Xiaomi device send its attribute with everything in it now.
func (d *Device) Tell() {
	d.mesh.do(func() {
		for _, x := range d.extras {
			if x, ok := x.(*xiaomi); ok {
				x.tell()
			}
		}
	})
}
