package fake

import (
	"slices"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// receiveZDO takes what came to the device's endpoint 0, and answers it.
func (d *Device) receiveZDO(p packet) {
	a := d.identity().describe(p.cluster, p.data)
	if a == nil && len(p.data) > 0 {
		a = d.managed(p)
	}
	if a == nil {
		return
	}
	d.transmit(packet{destination: p.sourceNWK(), cluster: p.cluster | zdo.Response, data: a.Append(nil)})
}

// managed answers the requests that change something; nil if there is no answer.
func (d *Device) managed(p packet) answerer {
	sequence, status := p.data[0], zdo.NotSupported
	switch p.cluster {
	case zdo.ClusterBindRequest:
		r, err := zdo.ParseBindRequest(p.data)
		if err != nil {
			return nil
		}
		status = d.bind(r.Binding)
	case zdo.ClusterUnbindRequest:
		r, err := zdo.ParseUnbindRequest(p.data)
		if err != nil {
			return nil
		}
		status = d.unbind(r.Binding)
	case zdo.ClusterBindingTableRequest:
		r, err := zdo.ParseBindingTableRequest(p.data)
		if err != nil {
			return nil
		}
		return zdo.BindingTableResponse{
			Sequence: sequence, Total: uint8(len(d.bindings)), Start: r.Start, Bindings: page(d.bindings, r.Start, bindingsAtOnce),
		}
	case zdo.ClusterLeaveRequest:
		return d.asked(p)
	case zdo.ClusterPermitJoiningRequest:
		r, err := zdo.ParsePermitJoiningRequest(p.data)
		if err != nil || d.model.Type != Router {
			return nil
		}
		d.permit.allow(d.mesh, r.Seconds, func() {})
		if p.destination.Broadcast() {
			return nil
		}
		status = zdo.Success
	case zdo.ClusterNetworkUpdateRequest:
		r, err := zdo.ParseNetworkUpdateRequest(p.data)
		if err != nil || r.Duration > 5 || d.model.Type == Sleeper {
			return nil
		}
		return d.mesh.energies(r)
	default:
		if p.cluster&zdo.Response != 0 || p.destination.Broadcast() ||
			p.cluster <= zdo.ClusterIEEEAddressRequest || p.cluster == zdo.ClusterMatchDescriptorRequest ||
			p.cluster == zdo.ClusterDeviceAnnounce || p.cluster == zdo.ClusterParentAnnounce {
			return nil
		}
	}
	return zdo.StatusResponse{Sequence: sequence, Status: status}
}

// asked leaves the network when the answer is out.
func (d *Device) asked(p packet) answerer {
	r, err := zdo.ParseLeaveRequest(p.data)
	if err != nil {
		return nil
	}
	status := zdo.Success
	switch {
	case r.IEEE != 0 && r.IEEE != d.ieee:
		status = zdo.DeviceNotFound
	case r.Rejoin:
		d.mesh.after(2*d.mesh.hop(), func() { d.rejoin(false) })
	default:
		d.mesh.after(2*d.mesh.hop(), func() { d.leave(true, true) })
	}
	return zdo.StatusResponse{Sequence: r.Sequence, Status: status}
}

func (d *Device) bind(b zdo.Binding) zdo.Status {
	e := d.endpoint(b.Endpoint)
	switch {
	case b.Source != d.ieee:
		return zdo.NotSupported
	case e == nil:
		return zdo.InvalidEndpoint
	case slices.Contains(d.bindings, b):
		return zdo.Success
	case len(d.bindings) >= d.model.Bindings:
		return zdo.TableFull
	}
	d.bindings = append(d.bindings, b)
	if c := e.cluster(b.Cluster); c != nil {
		for _, a := range c.attributes {
			d.schedule(a)
		}
	}
	return zdo.Success
}

func (d *Device) unbind(b zdo.Binding) zdo.Status {
	i := slices.Index(d.bindings, b)
	if i < 0 {
		return zdo.NoEntry
	}
	d.bindings = slices.Delete(d.bindings, i, i+1)
	return zdo.Success
}

// Bindings are those that the device has.
func (d *Device) Bindings() (all []zdo.Binding) {
	d.mesh.do(func() { all = slices.Clone(d.bindings) })
	return all
}

func (d *Device) capability() zdo.Capability {
	c := zdo.AllocateAddress
	if d.model.Type == Router {
		c |= zdo.FullFunction
	}
	if d.model.Power != 3 {
		c |= zdo.Mains
	}
	if d.model.Type != Sleeper {
		c |= zdo.RxOnWhenIdle
	}
	return c
}

func (d *Device) identity() identity {
	i := identity{
		nwk: d.nwk, ieee: d.ieee,
		node: zdo.NodeDescriptor{
			Type: zdo.TypeEndDevice, FrequencyBand: 8, Capability: d.capability(), Manufacturer: d.model.Manufacturer,
			MaxBuffer: 82, MaxIncoming: 82, MaxOutgoing: 82, ServerMask: uint16(d.model.Revision) << 9,
		},
		power:      zdo.PowerDescriptor{Available: 1, Source: 1, Level: 12},
		neighbours: d.neighbours,
		routes:     d.routes,
	}
	if d.model.Type == Router {
		i.node.Type = zdo.TypeRouter
	}
	if d.model.Power == 3 {
		i.power.Available, i.power.Source = 4, 4
	}
	for _, e := range d.endpoints {
		i.endpoints = append(i.endpoints, e.descriptor())
	}
	for _, other := range d.mesh.devices {
		if other.parent == d && other.model.Type == Sleeper && other.member != nil {
			i.children = append(i.children, other)
		}
	}
	return i
}

func (e *endpoint) descriptor() zdo.SimpleDescriptor {
	s := zdo.SimpleDescriptor{Endpoint: e.model.ID, Profile: e.model.Profile, Device: e.model.Device, Version: e.model.Version}
	for _, c := range e.clusters {
		s.In = append(s.In, c.id)
	}
	for _, id := range e.model.Out {
		s.Out = append(s.Out, uint16(id))
	}
	return s
}

// neighbours are the coordinator, all other routers, and the device's children; of an end device its parent alone.
func (d *Device) neighbours() (all []zdo.Neighbor) {
	if d.model.Type != Router {
		if d.parent != nil {
			n := d.mesh.neighbour(d.parent, d.ieee)
			n.Relationship = zdo.Parent
			return []zdo.Neighbor{n}
		}
		return d.coordinatorAsNeighbour(zdo.Parent)
	}
	relation := zdo.Sibling
	if d.parent == nil {
		relation = zdo.Parent
	}
	all = d.coordinatorAsNeighbour(relation)
	for _, other := range d.mesh.devices {
		if other == d || other.member == nil || !other.sameNetwork(d) || other.off {
			continue
		}
		n := d.mesh.neighbour(other, d.ieee)
		switch {
		case other.parent == d:
			n.Relationship = zdo.Child
		case other == d.parent:
			n.Relationship = zdo.Parent
		case other.model.Type == Router:
			n.Relationship = zdo.Sibling
		default:
			continue
		}
		all = append(all, n)
	}
	return all
}

func (d *Device) sameNetwork(other *Device) bool {
	return d.member.extended == other.member.extended && d.member.key == other.member.key
}

func (d *Device) coordinatorAsNeighbour(r zdo.Relationship) []zdo.Neighbor {
	s := d.mesh.coordinator(d.member)
	if s == nil {
		return nil
	}
	n := zdo.Neighbor{
		ExtendedPAN: d.member.extended, IEEE: s.network.Coordinator, NWK: radio.Coordinator, Type: zdo.TypeCoordinator,
		RxOnWhenIdle: zdo.Yes, Relationship: r,
	}
	if s.permit.open {
		n.PermitJoin = zdo.Yes
	}
	n.LQI, _ = d.mesh.quality(s.network.Coordinator, d.ieee)
	return []zdo.Neighbor{n}
}

// routes of a router lead to the coordinator, which is a concentrator.
func (d *Device) routes() []zdo.Route {
	if d.model.Type != Router {
		return nil
	}
	next := radio.Coordinator
	if d.parent != nil {
		next = d.parent.nwk
	}
	return []zdo.Route{{Destination: radio.Coordinator, NextHop: next, ManyToOne: true, RouteRecordRequired: true}}
}
