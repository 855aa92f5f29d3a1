package fake

import (
	"fmt"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// A Device is one device of the mesh, in its box or joined.
type Device struct {
	mesh  *Mesh
	model *Model
	name  string
	ieee  radio.IEEE

	nwk    radio.NWK
	member *membership // nil: in no network
	parent *Device     // nil: the coordinator
	key    radio.Key   // that it joins with: the usual one, or that of its install code
	own    *radio.Key  // the trust centre gave it
	permit permission  // of a router

	off        bool
	mute       bool // its next announcement is lost
	stays      bool // does not follow to another channel
	lostRoute  bool
	echoes     int
	awakeUntil time.Time
	polled     time.Time
	waiting    []*held
	searching  *event

	aps, sequence, zdoSequence uint8

	endpoints []*endpoint
	bindings  []zdo.Binding
	extras    []extra
	watchers  []func(Heard)
}

// Heard is a frame that a device got.
type Heard struct {
	Endpoint uint8
	Cluster  uint16
	Group    bool
	Frame    zcl.Frame
}

// An extra is what a model does beside the clusters of the standard.
type extra interface {
	// hear looks at a frame first, and says whether it has taken care of it.
	hear(e *endpoint, cluster uint16, f zcl.Frame) bool
	// joined is called when the device has joined or come back, before it says anything.
	joined()
}

// build makes a device as it comes from the factory.
func (m *Mesh) build(name string, model *Model) *Device {
	d := &Device{mesh: m, model: model, name: name, nwk: radio.Unknown, key: radio.TrustCentre}
	d.ieee = m.newIEEE(model.Prefix)
	for d.ieee == 0 || m.byIEEE(d.ieee) != nil {
		d.ieee = m.newIEEE(model.Prefix)
	}
	d.reset()
	return d
}

// reset makes all as it comes from the factory.
func (d *Device) reset() {
	d.bindings, d.extras, d.endpoints = nil, nil, nil
	for i := range d.model.Endpoints {
		d.endpoints = append(d.endpoints, newEndpoint(d, &d.model.Endpoints[i]))
	}
	d.extras = d.model.extras(d)
}

// resetValues gives all attributes the values that they had from the factory; bindings stay (ZCL 3.2.2.3.1).
func (d *Device) resetValues() {
	for i, e := range d.endpoints {
		fresh := newEndpoint(d, &d.model.Endpoints[i])
		for _, c := range fresh.clusters {
			for _, a := range c.attributes {
				if own := e.attribute(c.id, a.manufacturer, a.id); own != nil {
					d.assign(own, a.value)
				}
			}
		}
	}
}

// Name is what it was added as.
func (d *Device) Name() string { return d.name }

// Model is what kind of device it is.
func (d *Device) Model() *Model { return d.model }

// IEEE is its address for good.
func (d *Device) IEEE() radio.IEEE { return d.ieee }

// NWK is its address in the network now, Unknown while it has none.
func (d *Device) NWK() (address radio.NWK) {
	d.mesh.do(func() { address = d.nwk })
	return address
}

// Joined reports whether the device is in the network that a stick runs.
func (d *Device) Joined() (joined bool) {
	d.mesh.do(func() { joined = d.mesh.coordinator(d.member) != nil })
	return joined
}

// Watch calls fn with every ZCL frame that the device gets. fn must be quick and must not call the mesh.
func (d *Device) Watch(fn func(Heard)) {
	d.mesh.do(func() { d.watchers = append(d.watchers, fn) })
}

// InstallCode gives the device an install code with its checksum, 8 to 18 bytes, which it joins with from now on.
func (d *Device) InstallCode(code []byte) error {
	key, err := installKey(code)
	if err != nil {
		return err
	}
	d.mesh.do(func() { d.key = key })
	return nil
}

// Set changes an attribute, as what the device measures or what a person does to it: it reports that as it is configured.
func (d *Device) Set(endpoint uint8, cluster, attribute uint16, value zcl.Value) (err error) {
	d.mesh.do(func() {
		a := d.attribute(endpoint, cluster, 0, attribute)
		if a == nil {
			err = fmt.Errorf("%s has no attribute %d/0x%04x/0x%04x", d.name, endpoint, cluster, attribute)
			return
		}
		d.assign(a, value)
	})
	return err
}

// SetNumber is Set with the attribute's own type.
func (d *Device) SetNumber(endpoint uint8, cluster, attribute uint16, number float64) error {
	old, ok := d.Get(endpoint, cluster, attribute)
	if !ok {
		return d.Set(endpoint, cluster, attribute, zcl.Value{})
	}
	return d.Set(endpoint, cluster, attribute, zcl.FloatOf(old.Type, number))
}

// Get returns an attribute's value.
func (d *Device) Get(endpoint uint8, cluster, attribute uint16) (value zcl.Value, ok bool) {
	d.mesh.do(func() {
		if a := d.attribute(endpoint, cluster, 0, attribute); a != nil {
			value, ok = a.value, true
		}
	})
	return value, ok
}

// Say makes the device send a frame to the coordinator's endpoint 1. The sequence number is filled in.
func (d *Device) Say(endpoint uint8, cluster uint16, f zcl.Frame) {
	d.mesh.do(func() { d.say(endpoint, 1, cluster, f) })
}

// SayRaw makes the device send any bytes to the coordinator's endpoint 1.
func (d *Device) SayRaw(endpoint uint8, cluster uint16, data []byte) {
	d.mesh.do(func() {
		d.transmit(packet{from: endpoint, to: 1, profile: d.profile(endpoint), cluster: cluster, data: data})
	})
}

// Press does what the model has under that button's name.
func (d *Device) Press(button string) (err error) {
	d.mesh.do(func() {
		press, ok := d.model.Buttons[button]
		if !ok {
			err = fmt.Errorf("%s has no button %q", d.name, button)
			return
		}
		for _, p := range press {
			d.press(p)
		}
	})
	return err
}

// Wake makes a sleeping device look what its parent keeps for it.
func (d *Device) Wake() {
	d.mesh.do(func() {
		d.stir()
		d.poll()
	})
}

// Power switches the device off or on. What comes on again announces itself.
func (d *Device) Power(on bool) {
	d.mesh.do(func() {
		was := d.off
		d.off = !on
		if was && on && d.member != nil {
			d.announce()
		}
	})
}

// say sends a frame of the device's own.
func (d *Device) say(from, to uint8, cluster uint16, f zcl.Frame) {
	d.sayTo(packet{destination: radio.Coordinator, from: from, to: to, cluster: cluster}, f)
}

func (d *Device) sayTo(p packet, f zcl.Frame) {
	d.sequence++
	f.Sequence = d.sequence
	p.profile, p.data = d.profile(p.from), f.Append(nil)
	d.transmit(p)
}

func (d *Device) profile(endpoint uint8) uint16 {
	if e := d.endpoint(endpoint); e != nil {
		return e.model.Profile
	}
	return profileHome
}

func (d *Device) endpoint(id uint8) *endpoint {
	for _, e := range d.endpoints {
		if e.model.ID == id {
			return e
		}
	}
	return nil
}

func (d *Device) attribute(endpoint uint8, cluster, manufacturer, id uint16) *attribute {
	e := d.endpoint(endpoint)
	if e == nil {
		return nil
	}
	return e.attribute(cluster, manufacturer, id)
}

// takeEcho is how many times more the next message goes out.
func (d *Device) takeEcho() int {
	n := d.echoes
	d.echoes = 0
	return n
}

// nearest is who the coordinator hears the device through: itself, or the router that is its child on the way.
func (d *Device) nearest() radio.IEEE {
	if d.parent == nil {
		return d.ieee
	}
	return d.parent.nearest()
}

func (d *Device) depth() uint8 {
	if d.parent == nil {
		return 1
	}
	return 1 + d.parent.depth()
}

func (d *Device) inGroup(group uint16) bool {
	for _, e := range d.endpoints {
		if e.groups[group] {
			return true
		}
	}
	return false
}
