package fake

import (
	"slices"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// How many entries of a table fit into one answer.
const (
	neighborsAtOnce = 3
	routesAtOnce    = 10
	bindingsAtOnce  = 3
)

// An identity is what a node of the network says of itself by ZDO, be it the coordinator or a device.
type identity struct {
	nwk        radio.NWK
	ieee       radio.IEEE
	node       zdo.NodeDescriptor
	power      zdo.PowerDescriptor
	endpoints  []zdo.SimpleDescriptor
	children   []*Device // those that sleep: it speaks for them
	neighbours func() []zdo.Neighbor
	routes     func() []zdo.Route
}

// An answerer writes a response behind its status; nil is none.
type answerer interface{ Append(b []byte) []byte }

// describe answers the requests that only tell; nil if it is another one, or is not for this node. A request that is cut
// short gets no answer: real stacks drop it too.
func (i identity) describe(cluster uint16, data []byte) answerer {
	switch cluster {
	case zdo.ClusterNWKAddressRequest, zdo.ClusterIEEEAddressRequest:
		return i.address(cluster, data)
	case zdo.ClusterNodeDescriptorRequest, zdo.ClusterPowerDescriptorRequest, zdo.ClusterActiveEndpointsRequest:
		return i.descriptor(cluster, data)
	case zdo.ClusterSimpleDescriptorRequest:
		return i.simple(data)
	case zdo.ClusterMatchDescriptorRequest:
		return i.match(data)
	case zdo.ClusterNeighborTableRequest:
		r, err := zdo.ParseNeighborTableRequest(data)
		if err != nil {
			return nil
		}
		all := i.neighbours()
		return zdo.NeighborTableResponse{
			Sequence: r.Sequence, Total: uint8(len(all)), Start: r.Start, Neighbors: page(all, r.Start, neighborsAtOnce),
		}
	case zdo.ClusterRoutingTableRequest:
		r, err := zdo.ParseRoutingTableRequest(data)
		if err != nil {
			return nil
		}
		all := i.routes()
		return zdo.RoutingTableResponse{
			Sequence: r.Sequence, Total: uint8(len(all)), Start: r.Start, Routes: page(all, r.Start, routesAtOnce),
		}
	}
	return nil
}

// page is the part of a table that goes into one answer.
func page[T any](all []T, start uint8, most int) []T {
	all = all[min(int(start), len(all)):]
	return all[:min(most, len(all))]
}

// address finds the node itself, and its sleeping children, by either address.
func (i identity) address(cluster uint16, data []byte) answerer {
	var sequence, start uint8
	var associated bool
	var nwk radio.NWK
	var ieee radio.IEEE
	if cluster == zdo.ClusterNWKAddressRequest {
		r, err := zdo.ParseNWKAddressRequest(data)
		if err != nil {
			return nil
		}
		sequence, start, associated, ieee, nwk = r.Sequence, r.Start, r.Associated, r.IEEE, radio.Unknown
	} else {
		r, err := zdo.ParseIEEEAddressRequest(data)
		if err != nil {
			return nil
		}
		sequence, start, associated, nwk = r.Sequence, r.Start, r.Associated, r.NWK
	}
	response := zdo.AddressResponse{Sequence: sequence}
	if ieee == i.ieee || nwk == i.nwk {
		response.IEEE, response.NWK = i.ieee, i.nwk
		if associated {
			all := make([]radio.NWK, 0, len(i.children))
			for _, d := range i.children {
				all = append(all, d.nwk)
			}
			response.Total, response.Start, response.Associated = uint8(len(all)), start, page(all, start, 20)
		}
		return response
	}
	for _, d := range i.children {
		if ieee == d.ieee || nwk == d.nwk {
			response.IEEE, response.NWK = d.ieee, d.nwk
			return response
		}
	}
	return nil
}

func (i identity) descriptor(cluster uint16, data []byte) answerer {
	r, err := zdo.ParseNodeDescriptorRequest(data) // all three have the same form
	if err != nil {
		return nil
	}
	status := zdo.Success
	if r.NWK != i.nwk {
		status = zdo.DeviceNotFound
	}
	switch cluster {
	case zdo.ClusterNodeDescriptorRequest:
		return zdo.NodeDescriptorResponse{Sequence: r.Sequence, Status: status, NWK: r.NWK, Descriptor: i.node}
	case zdo.ClusterPowerDescriptorRequest:
		return zdo.PowerDescriptorResponse{Sequence: r.Sequence, Status: status, NWK: r.NWK, Descriptor: i.power}
	}
	response := zdo.EndpointsResponse{Sequence: r.Sequence, Status: status, NWK: r.NWK}
	if status == zdo.Success {
		for _, e := range i.endpoints {
			response.Endpoints = append(response.Endpoints, e.Endpoint)
		}
	}
	return response
}

func (i identity) simple(data []byte) answerer {
	r, err := zdo.ParseSimpleDescriptorRequest(data)
	if err != nil {
		return nil
	}
	response := zdo.SimpleDescriptorResponse{Sequence: r.Sequence, Status: zdo.NotActive, NWK: r.NWK}
	if r.NWK != i.nwk {
		response.Status = zdo.DeviceNotFound
		return response
	}
	if r.Endpoint == 0 || r.Endpoint > 240 && r.Endpoint != 242 {
		response.Status = zdo.InvalidEndpoint
		return response
	}
	for _, e := range i.endpoints {
		if e.Endpoint == r.Endpoint {
			response.Status, response.Descriptor = zdo.Success, e
		}
	}
	return response
}

// match answers only if something does match: who asks all devices wants to hear of no other.
func (i identity) match(data []byte) answerer {
	r, err := zdo.ParseMatchDescriptorRequest(data)
	if err != nil {
		return nil
	}
	response := zdo.EndpointsResponse{Sequence: r.Sequence, NWK: i.nwk}
	for _, e := range i.endpoints {
		if r.Matches(e) {
			response.Endpoints = append(response.Endpoints, e.Endpoint)
		}
	}
	switch {
	case len(response.Endpoints) > 0:
		return response
	case r.NWK == i.nwk:
		response.Status = zdo.NoMatch
		return response
	}
	return nil
}

// identity is what the stick's firmware says of the coordinator.
func (s *Stick) identity() identity {
	i := identity{
		nwk: radio.Coordinator, ieee: s.network.Coordinator,
		node: zdo.NodeDescriptor{
			Type: zdo.TypeCoordinator, FrequencyBand: 8, MaxBuffer: 80, MaxIncoming: 160, MaxOutgoing: 160,
			Capability: 0x01 | zdo.FullFunction | zdo.Mains | zdo.RxOnWhenIdle | zdo.AllocateAddress,
			ServerMask: 22<<9 | 0x0041,
		},
		power:      zdo.PowerDescriptor{Available: 1, Source: 1, Level: 12},
		neighbours: s.neighbours,
		routes:     s.routes,
	}
	for _, e := range s.endpoints {
		i.endpoints = append(i.endpoints, zdo.SimpleDescriptor{
			Endpoint: e.ID, Profile: e.Profile, Device: e.Device, Version: e.Version, In: e.In, Out: e.Out,
		})
	}
	for _, d := range s.mesh.devices {
		if d.parent == nil && d.member != nil && d.member.of(*s.network) && d.model.Type == Sleeper {
			i.children = append(i.children, d)
		}
	}
	return i
}

// ask answers a ZDO request that a device, or the host itself, has for the coordinator: data begins with the transaction
// sequence number, cluster and answer are the response's; false if the request has none. The mesh has already answered
// what a device asked when firmware.air sees the request.
func (s *Stick) ask(cluster uint16, data []byte) (response uint16, reply []byte, ok bool) {
	if s.network == nil || len(data) == 0 {
		return 0, nil, false
	}
	response = cluster | zdo.Response
	if a := s.identity().describe(cluster, data); a != nil {
		return response, a.Append(nil), true
	}
	sequence := data[0]
	switch cluster {
	case zdo.ClusterNWKAddressRequest, zdo.ClusterIEEEAddressRequest, zdo.ClusterMatchDescriptorRequest, zdo.ClusterDeviceAnnounce:
		return 0, nil, false
	case zdo.ClusterParentAnnounce:
		return 0, nil, false
	case zdo.ClusterPermitJoiningRequest:
		r, err := zdo.ParsePermitJoiningRequest(data)
		if err != nil {
			return 0, nil, false
		}
		s.allow(r.Seconds)
		return response, zdo.StatusResponse{Sequence: sequence}.Append(nil), true
	case zdo.ClusterBindingTableRequest:
		return response, zdo.BindingTableResponse{Sequence: sequence, Start: last(data)}.Append(nil), true
	case zdo.ClusterNetworkUpdateRequest:
		return s.scan(data)
	}
	return response, zdo.StatusResponse{Sequence: sequence, Status: zdo.NotSupported}.Append(nil), true
}

func last(data []byte) uint8 { return data[len(data)-1] }

// scan answers a request for the noise on the channels; a change of channel has no answer.
func (s *Stick) scan(data []byte) (response uint16, reply []byte, ok bool) {
	r, err := zdo.ParseNetworkUpdateRequest(data)
	if err != nil || r.Duration > 5 {
		return 0, nil, false
	}
	return zdo.ClusterNetworkUpdateNotify, s.mesh.energies(r).Append(nil), true
}

func (m *Mesh) energies(r zdo.NetworkUpdateRequest) zdo.NetworkUpdateNotify {
	n := zdo.NetworkUpdateNotify{Sequence: r.Sequence, Channels: r.Channels, Transmissions: 120, Failures: 3}
	for channel := uint8(11); channel <= 26; channel++ {
		if r.Channels>>channel&1 != 0 {
			n.Energies = append(n.Energies, uint8(2*(int(m.energy(channel))+100)))
		}
	}
	return n
}

// neighbours are all routers, which hear the coordinator, and its children.
func (s *Stick) neighbours() (all []zdo.Neighbor) {
	for _, d := range s.mesh.devices {
		if d.member == nil || !d.member.of(*s.network) || d.model.Type != Router && d.parent != nil {
			continue
		}
		n := s.mesh.neighbour(d, s.network.Coordinator)
		n.Relationship = zdo.Sibling
		if d.parent == nil {
			n.Relationship = zdo.Child
		}
		all = append(all, n)
	}
	return all
}

// neighbour is how a device looks to another one that has it in its table.
func (m *Mesh) neighbour(d *Device, to radio.IEEE) zdo.Neighbor {
	n := zdo.Neighbor{
		ExtendedPAN: d.member.extended, IEEE: d.ieee, NWK: d.nwk, Type: zdo.TypeEndDevice, RxOnWhenIdle: zdo.Yes, Depth: d.depth(),
	}
	n.LQI, _ = m.quality(d.ieee, to)
	switch d.model.Type {
	case Router:
		n.Type = zdo.TypeRouter
		if d.permit.open {
			n.PermitJoin = zdo.Yes
		}
	case Sleeper:
		n.RxOnWhenIdle = zdo.No
	}
	return n
}

// routes are the ways to everything that is not a neighbour.
func (s *Stick) routes() (all []zdo.Route) {
	for _, d := range s.mesh.devices {
		if d.member != nil && d.member.of(*s.network) && d.parent != nil {
			all = append(all, zdo.Route{Destination: d.nwk, NextHop: d.parent.nwk})
		}
	}
	slices.SortFunc(all, func(a, b zdo.Route) int { return int(a.Destination) - int(b.Destination) })
	return all
}
