package fake

import (
	"encoding/binary"
	"slices"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// zdo carries out the requests of the ZDO subsystem; false if it knows no such. Most of them send a request of the Zigbee
// Device Profile, whose answer comes later.
func (z *znp) zdo(command byte, a *arguments) bool {
	status := func(s byte) { z.respond(mtZDO, command, s) }
	switch command {
	case 0x00: // who has that address asks all
		z.ask(command, radio.BroadcastAwake, zdo.ClusterNWKAddressRequest, a.b)
	case 0x01:
		address := a.take(2)
		z.ask(command, radio.NWK(binary.LittleEndian.Uint16(address)), zdo.ClusterIEEEAddressRequest, append(slices.Clone(address), a.b...))
	case 0x02, 0x03, 0x04, 0x05, 0x06, 0x31, 0x32, 0x33:
		z.ask(command, radio.NWK(a.uint16()), uint16(command), a.b)
	case 0x0a:
		status(znpSuccess)
	case 0x21, 0x22:
		z.bindRequest(command, a)
	case 0x34:
		z.leaveRequest(a)
	case 0x36:
		z.permitRequest(a)
	case 0x37:
		z.updateRequest(a)
	case 0x3e, 0x3f:
		z.callback(a.uint16(), command == 0x3e)
		status(znpSuccess)
	case 0x40:
		fresh := byte(0)
		if !z.formed() {
			fresh = 1
		}
		status(fresh)
		z.commission()
	default:
		return z.zdoExtended(command, a)
	}
	return true
}

// ask sends a request, its sequence number before it. There is no confirm.
func (z *znp) ask(command byte, to radio.NWK, cluster uint16, payload []byte) {
	s := z.stick
	switch {
	case s.network == nil:
		z.respond(mtZDO, command, znpInvalidRequest)
		return
	case s.faults.refuses(s.mesh.at(to)):
		z.respond(mtZDO, command, znpBufferFull)
		return
	}
	z.respond(mtZDO, command, znpSuccess)
	z.zdoSequence++
	z.stickZDO(radio.Message{Address: to, Cluster: cluster, Data: append([]byte{z.zdoSequence}, payload...)})
}

// stickZDO sends a message of the device profile.
func (z *znp) stickZDO(m radio.Message) {
	if m.Cluster == zdo.ClusterPermitJoiningRequest && m.Address.Broadcast() && len(m.Data) > 1 {
		z.allow(m.Data[1])
	}
	if m.Cluster == zdo.ClusterNetworkUpdateRequest {
		if r, err := zdo.ParseNetworkUpdateRequest(m.Data); err == nil && r.Duration == zdo.ChangeChannel {
			z.retune(firstChannel(r.Channels))
			return
		}
	}
	z.sendAsParent(m, func(Outcome) {})
}

func firstChannel(mask uint32) uint8 {
	for channel := uint8(11); channel <= 26; channel++ {
		if mask>>channel&1 != 0 {
			return channel
		}
	}
	return 0
}

// bindRequest puts the request into the form of the air, where a group has two bytes and no endpoint.
func (z *znp) bindRequest(command byte, a *arguments) {
	to := radio.NWK(a.uint16())
	payload := slices.Clone(a.take(11))
	mode, address, endpoint := a.uint8(), a.take(8), a.optional()
	payload = append(payload, mode)
	if mode == mtLong {
		payload = append(append(payload, address...), endpoint)
	} else {
		payload = append(payload, address[:2]...)
	}
	z.ask(command, to, uint16(command), payload)
}

// leaveRequest takes the flags of the air, and those of the old interface.
func (z *znp) leaveRequest(a *arguments) {
	to := radio.NWK(a.uint16())
	payload := slices.Clone(a.take(8))
	flags := a.optional()
	out := byte(0)
	if flags&0x81 != 0 {
		out |= 0x80
	}
	if flags&0x42 != 0 {
		out |= 0x40
	}
	z.ask(0x34, to, zdo.ClusterLeaveRequest, append(payload, out))
}

// allow opens or closes the network at the stick, and says so.
func (z *znp) allow(seconds uint8) {
	z.stick.permit.allow(z.stick.mesh, seconds, func() { z.indicate(mtZDO, 0xcb, 0) })
	z.indicate(mtZDO, 0xcb, seconds)
}

// permitRequest opens the network: here only (0xfffc with a short address, or 0), everywhere, or at a router.
func (z *znp) permitRequest(a *arguments) {
	const command = 0x36
	mode, to, seconds := a.uint8(), radio.NWK(a.uint16()), a.uint8()
	payload := []byte{seconds, a.optional()}
	if z.stick.network == nil {
		z.respond(mtZDO, command, znpInvalidRequest)
		return
	}
	here := to == radio.Coordinator || to == radio.BroadcastRouters
	if !here && mode == mtShort {
		z.ask(command, to, zdo.ClusterPermitJoiningRequest, payload)
		return
	}
	z.respond(mtZDO, command, znpSuccess)
	if mode == mtBroadcast {
		z.zdoSequence++
		z.stickZDO(radio.Message{Address: to, Cluster: zdo.ClusterPermitJoiningRequest, Data: append([]byte{z.zdoSequence}, payload...)})
	} else {
		z.allow(seconds)
	}
	z.indicate(mtZDO, 0xb6, 0, 0, znpSuccess)
}

// updateRequest asks for an energy scan, or moves the network to another channel.
func (z *znp) updateRequest(a *arguments) {
	const command = 0x37
	to, _, channels, duration := radio.NWK(a.uint16()), a.uint8(), a.uint32(), a.uint8()
	count := a.optional()
	if duration == zdo.ChangeChannel {
		status := byte(znpSuccess)
		if z.stick.network == nil {
			status = znpInvalidRequest
		}
		z.respond(mtZDO, command, status)
		if status == znpSuccess {
			z.retune(firstChannel(channels))
		}
		return
	}
	payload := append(binary.LittleEndian.AppendUint32(nil, channels), duration, count)
	z.ask(command, to, zdo.ClusterNetworkUpdateRequest, payload)
}

func (z *znp) callback(cluster uint16, on bool) {
	if cluster == 0xffff {
		z.allCallbacks = on
		return
	}
	z.callbacks[cluster] = on
}

// incomingZDO tells the host of what came for ZDO: as a message of its own for each response, and as it is if the host asked
// for that.
func (z *znp) incomingZDO(m radio.Message) {
	if len(m.Data) == 0 {
		return
	}
	le := binary.LittleEndian
	if direct := z.nv(nvDirectZDO); len(direct) > 0 && direct[0] == 1 {
		z.directZDO(m)
	}
	if !z.allCallbacks && !z.callbacks[m.Cluster] {
		return
	}
	broadcast, target := byte(0), uint16(0)
	if m.Target.Broadcast() {
		broadcast, target = 1, uint16(m.Target)
	}
	b := append(le.AppendUint16(nil, uint16(m.Address)), broadcast)
	b = append(le.AppendUint16(b, m.Cluster), 0, m.Data[0])
	b = le.AppendUint16(b, target)
	z.indicate(mtZDO, 0xff, append(b, m.Data[1:]...)...)
}

// directZDO is a response in the firmware's own form: the sender before it, no sequence number.
func (z *znp) directZDO(m radio.Message) {
	source, payload := binary.LittleEndian.AppendUint16(nil, uint16(m.Address)), m.Data[1:]
	switch {
	case m.Cluster == zdo.ClusterDeviceAnnounce && len(payload) >= 11:
		z.announced(payload)
		z.indicate(mtZDO, 0xc1, append(source, payload[:11]...)...)
	case m.Cluster == zdo.ClusterNWKAddressResponse, m.Cluster == zdo.ClusterIEEEAddressResponse:
		z.indicate(mtZDO, 0x80|byte(m.Cluster), addressResponse(payload)...)
	case m.Cluster&zdo.Response != 0 && m.Cluster != zdo.ClusterParentAnnounceResponse:
		z.indicate(mtZDO, 0x80|byte(m.Cluster&0x7f), append(source, payload...)...)
	}
}

// announced keeps the address that a device says it has.
func (z *znp) announced(payload []byte) {
	nwk := radio.NWK(binary.LittleEndian.Uint16(payload))
	ieee := radio.IEEE(binary.LittleEndian.Uint64(payload[2:]))
	z.remember(nwk, ieee, 0)
	for i := range z.associated {
		if z.associated[i].ieee == ieee {
			z.associated[i].nwk = nwk
		}
	}
}

// addressResponse has the start index before the number of children, the other way round than on the air, and always both.
func addressResponse(payload []byte) []byte {
	b := padded(payload, max(len(payload), 13))
	b[11], b[12] = b[12], b[11]
	return b
}

// zdoExtended carries out the requests beyond the device profile.
func (z *znp) zdoExtended(command byte, a *arguments) bool {
	switch command {
	case 0x45: // discover a route
		to := radio.NWK(a.uint16())
		status := byte(znpSuccess)
		if z.stick.network == nil {
			status = znpInvalidRequest
		}
		z.respond(mtZDO, command, status)
		z.stick.discover(to)
	case 0x46: // is there a route
		status := byte(znpSuccess)
		if d := z.stick.mesh.at(radio.NWK(a.uint16())); d == nil || d.lostRoute {
			status = znpFailure
		}
		z.respond(mtZDO, command, status)
	case 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c:
		z.groupRequest(command, a)
	case 0x50:
		z.networkInfo()
	case 0x23, 0x24, 0x42, 0x44, 0x4d, 0x4e, 0x4f, 0x51, 0x53: // keys that nobody here has, tuning
		z.respond(mtZDO, command, znpSuccess)
	case 0x28: // any message
		m := radio.Message{Address: radio.NWK(a.uint16())}
		sequence := a.uint8()
		m.Cluster = a.uint16()
		m.Data = append([]byte{sequence}, a.text()...)
		z.respond(mtZDO, command, znpSuccess)
		z.stickZDO(m)
	case 0x52:
		z.respond(mtZDO, command)
	default:
		return false
	}
	return true
}

func (z *znp) groupRequest(command byte, a *arguments) {
	key := znpGroup{endpoint: a.optional()}
	status := func(s byte) { z.respond(mtZDO, command, s) }
	switch command {
	case 0x48:
		for g := range z.groups {
			if g.endpoint == key.endpoint {
				delete(z.groups, g)
			}
		}
		status(znpSuccess)
		return
	case 0x49:
		var ids []uint16
		for g := range z.groups {
			if g.endpoint == key.endpoint {
				ids = append(ids, g.group)
			}
		}
		slices.Sort(ids)
		b := []byte{byte(len(ids))}
		for _, id := range ids {
			b = binary.LittleEndian.AppendUint16(b, id)
		}
		z.respond(mtZDO, command, b...)
		return
	case 0x4c:
		status(byte(len(z.groups)))
		return
	}
	key.group = a.uint16()
	name, there := z.groups[key]
	switch command {
	case 0x47:
		delete(z.groups, key)
		status(znpSuccess)
	case 0x4a:
		found := byte(znpFailure)
		if there {
			found = znpSuccess
		}
		b := binary.LittleEndian.AppendUint16([]byte{found}, key.group)
		z.respond(mtZDO, command, append(append(b, byte(len(name))), name...)...)
	case 0x4b:
		if there {
			status(znpFailure)
			return
		}
		z.groups[key] = string(a.text())
		status(znpSuccess)
	}
}

// networkInfo is what the network is like now.
func (z *znp) networkInfo() {
	le := binary.LittleEndian
	n := radio.Network{PAN: 0xffff}
	address := uint16(0xfffe)
	if z.stick.network != nil {
		n, address = *z.stick.network, 0
	}
	b := append(le.AppendUint16(nil, address), z.state)
	b = le.AppendUint16(le.AppendUint16(b, n.PAN), address)
	b = le.AppendUint64(le.AppendUint64(b, uint64(n.Extended)), 0)
	z.respond(mtZDO, 0x50, append(b, n.Channel)...)
}
