package fake

import (
	"cmp"
	"slices"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// An endpoint is one of a device, with what its clusters hold now.
type endpoint struct {
	device   *Device
	model    *EndpointModel
	clusters []*cluster
	groups   map[uint16]bool
	scenes   map[sceneKey]scene
	running  map[uint32]*event // movements, transitions, countdowns
	warning  time.Time         // until when the siren sounds
	pins     map[uint16][]byte
	schedule []byte
}

// A cluster is one that the endpoint serves.
type cluster struct {
	id         uint16
	model      *ClusterModel
	attributes []*attribute // in the order of manufacturer and id
}

// An attribute holds its value and how it is reported.
type attribute struct {
	endpoint     *endpoint
	cluster      *cluster
	manufacturer uint16
	id           uint16
	value        zcl.Value
	writable     bool

	reporting *reporting
}

func newEndpoint(d *Device, m *EndpointModel) *endpoint {
	e := &endpoint{
		device: d, model: m, groups: map[uint16]bool{}, scenes: map[sceneKey]scene{}, running: map[uint32]*event{},
	}
	for i := range m.In {
		e.add(&m.In[i])
	}
	return e
}

// add puts a cluster on the endpoint: first what the standard has there, then what the model says.
func (e *endpoint) add(m *ClusterModel) {
	c := e.cluster(uint16(m.Cluster))
	if c == nil {
		c = &cluster{id: uint16(m.Cluster), model: m}
		e.clusters = append(e.clusters, c)
		for _, p := range e.device.usual(m.Cluster) {
			e.put(c, 0, p)
		}
	}
	for _, p := range m.presets {
		e.put(c, m.Manufacturer, p)
	}
	slices.SortFunc(c.attributes, func(a, b *attribute) int {
		return cmp.Or(cmp.Compare(a.manufacturer, b.manufacturer), cmp.Compare(a.id, b.id))
	})
}

func (e *endpoint) put(c *cluster, manufacturer uint16, p preset) {
	if p.absent {
		c.attributes = slices.DeleteFunc(c.attributes, func(a *attribute) bool { return a.id == p.id })
		return
	}
	if a := c.attribute(manufacturer, p.id); a != nil {
		a.value, a.writable = p.value, a.writable || p.writable
		return
	}
	c.attributes = append(c.attributes, &attribute{
		endpoint: e, cluster: c, manufacturer: manufacturer, id: p.id, value: p.value, writable: p.writable,
	})
}

func (e *endpoint) cluster(id uint16) *cluster {
	for _, c := range e.clusters {
		if c.id == id {
			return c
		}
	}
	return nil
}

func (e *endpoint) attribute(cluster, manufacturer, id uint16) *attribute {
	c := e.cluster(cluster)
	if c == nil {
		return nil
	}
	return c.attribute(manufacturer, id)
}

func (c *cluster) attribute(manufacturer, id uint16) *attribute {
	for _, a := range c.attributes {
		if a.id == id && a.manufacturer == manufacturer {
			return a
		}
	}
	return nil
}

// number is a standard attribute's value, 0 if the endpoint has none.
func (e *endpoint) number(cluster, id uint16) float64 {
	if a := e.attribute(cluster, 0, id); a != nil {
		n, _ := a.value.Number()
		return n
	}
	return 0
}

// set changes a standard attribute if the endpoint has it, keeping its type.
func (e *endpoint) set(cluster, id uint16, number float64) {
	if a := e.attribute(cluster, 0, id); a != nil {
		e.device.assign(a, zcl.FloatOf(a.value.Type, number))
	}
}

// later begins something that goes on over time, and ends what went on with the same attribute.
func (e *endpoint) later(cluster, attribute uint16, d time.Duration, fn func()) {
	e.halt(cluster, attribute)
	e.running[uint32(cluster)<<16|uint32(attribute)] = e.device.mesh.after(d, fn)
}

// halt ends what goes on with an attribute.
func (e *endpoint) halt(cluster, attribute uint16) {
	e.device.mesh.stop(e.running[uint32(cluster)<<16|uint32(attribute)])
}

// quiet ends everything that goes on over time.
func (e *endpoint) quiet() {
	m := e.device.mesh
	for _, ev := range e.running {
		m.stop(ev)
	}
	for _, c := range e.clusters {
		for _, a := range c.attributes {
			if a.reporting != nil {
				m.stop(a.reporting.next)
			}
		}
	}
}

// assign gives an attribute another value, and reports that if it is configured to.
func (d *Device) assign(a *attribute, value zcl.Value) {
	old := a.value
	a.value = value
	d.changed(a, old)
}

// receive takes a packet that came to the device.
func (d *Device) receive(p packet) {
	if d.off || d.member == nil {
		return
	}
	d.stir()
	if p.profile == 0 {
		if p.to == 0 {
			d.receiveZDO(p)
		}
		return
	}
	f, err := zcl.ParseFrame(p.data)
	if err != nil {
		return
	}
	for _, e := range d.endpoints {
		if p.isGroup && !e.groups[p.group] || !p.isGroup && p.to != 0xff && p.to != e.model.ID {
			continue
		}
		for _, fn := range d.watchers {
			fn(Heard{Endpoint: e.model.ID, Cluster: p.cluster, Group: p.isGroup, Frame: f})
		}
		e.receive(p, f)
	}
}

// receive lets what the model does itself look first, then the standard.
func (e *endpoint) receive(p packet, f zcl.Frame) {
	for _, x := range e.device.extras {
		if x.hear(e, p.cluster, f) {
			return
		}
	}
	e.handle(request{packet: p, frame: f, endpoint: e})
}

// A request is a frame that an endpoint got, with what is needed to answer it.
type request struct {
	packet   packet
	frame    zcl.Frame
	endpoint *endpoint
}

// many reports whether the frame went to many: nobody answers then.
func (r request) many() bool { return r.packet.isGroup || r.packet.destination.Broadcast() }

// answer sends a frame back to who asked.
func (r request) answer(f zcl.Frame) {
	f = f.InReplyTo(r.frame)
	to := radio.Coordinator
	if r.packet.source != nil {
		to = r.packet.source.nwk
	}
	r.endpoint.device.transmit(packet{
		destination: to, from: r.endpoint.model.ID, to: r.packet.from, profile: r.packet.profile, cluster: r.packet.cluster,
		data: f.Append(nil),
	})
}
