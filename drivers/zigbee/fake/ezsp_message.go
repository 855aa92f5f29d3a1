package fake

import (
	"slices"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// ezspMaxPayload is how many bytes a message may have that is not in fragments.
const ezspMaxPayload = 82

// Values of EmberOutgoingMessageType and EmberIncomingMessageType.
const (
	outgoingDirect    = 0
	outgoingAddress   = 1
	outgoingMulticast = 3
	outgoingBroadcast = 6

	incomingUnicast           = 0
	incomingMulticast         = 2
	incomingMulticastLoopback = 3
	incomingBroadcast         = 4
	incomingBroadcastLoopback = 5
)

// sentHeldBack is how long SentAfterAnswer waits for an answer.
const sentHeldBack = 250 * time.Millisecond

// Counters of EmberCounterType.
const (
	countRxBroadcast = 6
	countTxBroadcast = 7
	countRxUnicast   = 8
	countTxDelivered = 9
	countTxFailed    = 11
	countJoined      = 16
	countOverflow    = 18
)

func messageCommands() []ezspCommand {
	return []ezspCommand{
		{id: 0x0033, run: func(_ *ezsp, c *ezspCall) { c.out.u8(ezspMaxPayload) }},
		{id: 0x0034, run: (*ezsp).sendUnicast},
		{id: 0x0036, run: (*ezsp).sendBroadcast},
		{id: 0x0038, run: (*ezsp).sendMulticast},
		{id: 0x0039, run: (*ezsp).sendReply},
		{id: 0x0065, run: func(e *ezsp, c *ezspCall) { e.readCounters(c); e.tally = [42]uint16{} }},
		{id: 0x00f1, run: (*ezsp).readCounters},
	}
}

func (e *ezsp) readCounters(c *ezspCall) { c.out.list(e.tally[:]...) }

// An ezspOutgoing is a message of the host on its way.
type ezspOutgoing struct {
	kind        uint8
	destination uint16 // as the host said it: node, index, group
	aps         ezspAPS
	tag         uint16
	data        []byte
}

func (c *ezspCall) tag() uint16 {
	if c.out.version >= 14 {
		return c.in.u16()
	}
	return uint16(c.in.u8())
}

// accepted answers a send command.
func (c *ezspCall) accepted(s ezspStatus, sequence uint8) {
	c.out.status(s)
	c.out.u8(sequence)
}

func (e *ezsp) sendUnicast(c *ezspCall) {
	o := ezspOutgoing{kind: c.in.u8(), destination: c.in.u16(), aps: c.in.aps(), tag: c.tag(), data: c.in.counted()}
	node, status := e.unicastTarget(o)
	switch {
	case status != statusOK:
	case e.stick.network == nil:
		status = statusNetworkDown
	case len(o.data) > ezspMaxPayload:
		status = statusMessageTooLong
	case e.underway >= int(e.config[configAPSUnicasts]) || e.stick.faults.refuses(e.stick.mesh.at(node)):
		status = statusMessageLimit
	}
	if status != statusOK {
		c.accepted(status, 0)
		return
	}
	if o.aps.options&apsFragment != 0 {
		e.sendFragment(c, o, node)
		return
	}
	o.aps.sequence = e.apsSequence()
	c.accepted(statusOK, o.aps.sequence)
	e.transmit(o, node, o.data)
}

func (e *ezsp) apsSequence() uint8 {
	e.nextAPS++
	return e.nextAPS
}

// unicastTarget is the node that a unicast is for.
func (e *ezsp) unicastTarget(o ezspOutgoing) (radio.NWK, ezspStatus) {
	switch o.kind {
	case outgoingDirect:
		return radio.NWK(o.destination), statusOK
	case outgoingAddress:
		if i := int(o.destination); i < len(e.addresses) && e.addresses[i].node < uint16(radio.BroadcastRouters) {
			return radio.NWK(e.addresses[i].node), statusOK
		}
	}
	return 0, statusInvalidParameter
}

// transmit gives a unicast to the air and tells the host what became of it.
func (e *ezsp) transmit(o ezspOutgoing, node radio.NWK, data []byte) {
	acked := o.aps.options&apsRetry != 0
	if acked {
		e.underway++
	}
	e.stick.send(radio.Message{
		Address: node, Local: o.aps.source, Remote: o.aps.target, Profile: o.aps.profile, Cluster: o.aps.cluster, Data: slices.Clone(data),
		Acked: acked, Discover: o.aps.options&(apsRouteDiscovery|apsForceDiscovery) != 0, Fragmented: o.aps.options&apsFragment != 0,
	}, func(outcome Outcome) {
		if acked {
			e.underway--
		}
		e.unicastDone(o, node, outcome)
	})
	e.keepFrameCounter()
}

func (e *ezsp) unicastDone(o ezspOutgoing, node radio.NWK, outcome Outcome) {
	if outcome == Delivered {
		e.tally[countTxDelivered]++
	} else {
		e.tally[countTxFailed]++
	}
	if outcome == NoRoute {
		e.routeError(node)
	}
	status := e.sentStatus(o, outcome)
	if !e.options.SentAfterAnswer || outcome != Delivered {
		e.messageSent(o, status)
		return
	}
	e.waitAnswer[node] = append(e.waitAnswer[node], func() { e.messageSent(o, status) })
	e.stick.after(sentHeldBack, func() { e.answered(node) })
}

// answered says of the messages to a node that were held back that they were sent.
func (e *ezsp) answered(node radio.NWK) {
	held := e.waitAnswer[node]
	delete(e.waitAnswer, node)
	for _, say := range held {
		say()
	}
}

// sentStatus is what messageSentHandler says of an outcome.
func (e *ezsp) sentStatus(o ezspOutgoing, outcome Outcome) ezspStatus {
	switch {
	case outcome == Delivered:
		return statusOK
	case outcome == BufferFull:
		return statusMessageLimit
	case o.aps.options&apsRetry != 0:
		return statusDeliveryFailed
	case outcome == Expired:
		return statusIndirectTimeout
	case outcome == ChannelAccess:
		return statusCCAFailure
	}
	return statusDeliveryFailed
}

func (e *ezsp) messageSent(o ezspOutgoing, status ezspStatus) {
	e.callback(confirm, 0x003f, func(w *ezspWriter) {
		if w.version >= 14 {
			w.status(status)
		}
		w.u8(o.kind)
		w.u16(o.destination)
		w.aps(o.aps)
		if w.version >= 14 {
			w.u16(o.tag)
		} else {
			w.u8(uint8(o.tag))
			w.status(status)
		}
		if e.policy(policyMessageContents) == decisionContents {
			w.counted(o.data)
		} else {
			w.counted(nil)
		}
	})
}

// routeError tells that the way to a node is broken.
func (e *ezsp) routeError(node radio.NWK) {
	if !e.routing {
		return
	}
	e.callback(indication, 0x0080, func(w *ezspWriter) {
		w.status(statusManyToOneFailure)
		w.u16(uint16(node))
	})
	if e.version >= 8 {
		e.callback(indication, 0x00c4, func(w *ezspWriter) {
			w.u8(0x0c) // many to one route failure
			w.u16(uint16(node))
		})
	}
}

func (e *ezsp) sendBroadcast(c *ezspCall) {
	o := ezspOutgoing{kind: outgoingBroadcast}
	if e.version >= 14 {
		c.in.u16()
		o.destination = c.in.u16()
		c.in.u8()
	} else {
		o.destination = c.in.u16()
	}
	o.aps = c.in.aps()
	radius := c.in.u8()
	o.tag, o.data = c.tag(), c.in.counted()
	if !radio.NWK(o.destination).Broadcast() {
		c.accepted(statusInvalidParameter, 0)
		return
	}
	e.spread(c, o, radius)
}

func (e *ezsp) sendMulticast(c *ezspCall) {
	o := ezspOutgoing{kind: outgoingMulticast, aps: c.in.aps()}
	radius := c.in.u8()
	if e.version >= 14 {
		c.in.bytes(5)
	} else {
		c.in.u8()
	}
	o.tag, o.data = c.tag(), c.in.counted()
	o.destination = o.aps.groupID
	e.spread(c, o, radius)
}

// spread sends to many. The table of broadcasts has an entry for each until it has gone all the way.
func (e *ezsp) spread(c *ezspCall, o ezspOutgoing, radius uint8) {
	now := time.Now()
	e.broadcasts = slices.DeleteFunc(e.broadcasts, func(at time.Time) bool { return now.Sub(at) >= ezspBroadcastTime })
	switch {
	case e.stick.network == nil:
		c.accepted(statusNetworkDown, 0)
		return
	case len(o.data) > ezspMaxPayload:
		c.accepted(statusMessageTooLong, 0)
		return
	case len(e.broadcasts) >= int(e.config[configBroadcastTable]):
		c.accepted(statusBusy, 0)
		return
	}
	e.broadcasts = append(e.broadcasts, now)
	o.aps.sequence = e.apsSequence()
	e.tally[countTxBroadcast]++
	c.accepted(statusOK, o.aps.sequence)
	group := o.kind == outgoingMulticast
	e.stick.send(radio.Message{
		Address: radio.NWK(o.destination), Group: group, Local: o.aps.source, Remote: o.aps.target, Profile: o.aps.profile,
		Cluster: o.aps.cluster, Data: slices.Clone(o.data), Radius: radius,
	}, func(outcome Outcome) { e.messageSent(o, e.sentStatus(o, outcome)) })
	e.keepFrameCounter()
	e.loop(o, group)
	e.followUpdate(o)
}

// loop gives the host its own message to many, if it is one of them.
func (e *ezsp) loop(o ezspOutgoing, group bool) {
	kind := uint8(incomingBroadcastLoopback)
	if o.aps.profile == 0 && !e.hostHears(radio.Message{Cluster: o.aps.cluster}) {
		return
	}
	if group {
		if !e.inGroup(o.aps.groupID) {
			return
		}
		kind = incomingMulticastLoopback
	}
	aps, data := o.aps, slices.Clone(o.data)
	e.later(func() {
		e.deliver(kind, aps, radio.Message{LQI: 255, Data: data}, e.address())
	})
}

// followUpdate moves the stick itself when the host tells all to change the channel (Mgmt_NWK_Update_req).
func (e *ezsp) followUpdate(o ezspOutgoing) {
	if o.aps.profile != 0 || o.aps.cluster != zdo.ClusterNetworkUpdateRequest || len(o.data) < 7 || o.data[5] != 0xfe {
		return
	}
	r := ezspReader{rest: o.data[1:]}
	mask, _, updateID := r.u32(), r.u8(), r.u8()
	for channel := uint8(11); channel <= 26; channel++ {
		if mask == 1<<channel {
			e.stick.after(ezspBroadcastTime, func() { e.retune(channel, updateID) })
		}
	}
}

// incoming tells the host what came from the network.
func (e *ezsp) incoming(m radio.Message) {
	kind, aps := uint8(incomingUnicast), ezspAPS{
		profile: m.Profile, cluster: m.Cluster, source: m.Remote, target: m.Local, options: apsRetry | apsRouteDiscovery, sequence: m.Sequence,
	}
	switch {
	case m.Group:
		kind, aps.groupID, aps.options = incomingMulticast, uint16(m.Target), apsRouteDiscovery
		if !e.inGroup(aps.groupID) {
			return
		}
	case m.Target.Broadcast():
		kind, aps.options = incomingBroadcast, apsRouteDiscovery
	}
	if kind == incomingUnicast {
		e.tally[countRxUnicast]++
	} else {
		e.tally[countRxBroadcast]++
	}
	if m.Profile == 0 && !e.hostHears(m) {
		return
	}
	device, _ := e.stick.ieeeOf(m.Address)
	if m.Address == radio.Coordinator {
		device = e.address()
	}
	e.recordRoute(m, device)
	switch {
	case len(m.Data) <= ezspMaxPayload:
		e.deliver(kind, aps, m, device)
	case kind == incomingUnicast:
		e.receiveFragments(aps, m, device)
	}
	e.answered(m.Address)
}

// hostHears reports whether a ZDO message is for the host: answers, announcements, and the requests it has asked for.
func (e *ezsp) hostHears(m radio.Message) bool {
	switch {
	case m.Cluster == zdo.ClusterLeaveResponse && len(m.Data) > 0 && e.removing[m.Data[0]]:
		delete(e.removing, m.Data[0])
		return false
	case m.Cluster&zdo.Response != 0, m.Cluster == zdo.ClusterDeviceAnnounce, m.Cluster == zdo.ClusterParentAnnounce:
		return true
	}
	return e.config[configZDOFlags]&(zdoFlagSupported|zdoFlagUnsupported) != 0
}

// deliver is incomingMessageHandler.
func (e *ezsp) deliver(kind uint8, aps ezspAPS, m radio.Message, device radio.IEEE) {
	e.callback(indication, 0x0045, func(w *ezspWriter) {
		w.u8(kind)
		w.aps(aps)
		if w.version >= 14 {
			w.u16(uint16(m.Address))
			w.ieee(device)
			w.bytes([]byte{0xff, 0xff, m.LQI, byte(m.RSSI)})
			w.u32(0)
		} else {
			w.bytes([]byte{m.LQI, byte(m.RSSI)})
			w.u16(uint16(m.Address))
			w.bytes([]byte{0xff, 0xff})
		}
		w.counted(m.Data)
	})
}

// recordRoute tells the host once the way that a device's messages take to the concentrator.
func (e *ezsp) recordRoute(m radio.Message, device radio.IEEE) {
	d := e.stick.mesh.at(m.Address)
	if !e.routing || d == nil || d.parent == nil || e.recorded[m.Address] {
		return
	}
	e.recorded[m.Address] = true
	var relays []uint16
	for relay := d.parent; relay != nil; relay = relay.parent {
		relays = append(relays, uint16(relay.nwk))
	}
	e.callback(indication, 0x0059, func(w *ezspWriter) {
		w.u16(uint16(m.Address))
		w.ieee(device)
		w.bytes([]byte{m.LQI, byte(m.RSSI), uint8(len(relays))})
		w.list(relays...)
	})
}

// Values of EmberDeviceUpdate and EmberJoinDecision.
const (
	updateSecuredRejoin   = 0
	updateUnsecuredJoin   = 1
	updateLeft            = 2
	updateUnsecuredRejoin = 3

	decisionUseKey   = 0
	decisionNoAction = 3
)

func (e *ezsp) arrived(a arrival) {
	e.tally[countJoined]++
	delete(e.recorded, a.NWK)
	kind := uint8(3) // end device
	if a.Sleeper {
		kind = 4
	}
	if a.Parent == radio.Coordinator && !a.Router {
		if i := e.adopt(ezspChild{device: a.IEEE, node: a.NWK, kind: kind}); i >= 0 {
			e.childJoined(uint8(i), true, a.NWK, a.IEEE, kind)
		}
	} else if i, c := e.disown(a.IEEE); i >= 0 {
		e.childJoined(uint8(i), false, c.node, c.device, c.kind)
	}
	update, decision := uint8(updateUnsecuredJoin), uint8(decisionUseKey)
	if a.Rejoin {
		update, decision = updateSecuredRejoin, decisionNoAction
		if e.options.UnsecuredRejoins {
			update, decision = updateUnsecuredRejoin, decisionUseKey
		}
	}
	e.trustCenterJoin(a.NWK, a.IEEE, update, decision, a.Parent)
}

func (e *ezsp) departed(d departure) {
	if i, c := e.disown(d.IEEE); i >= 0 {
		e.childJoined(uint8(i), false, c.node, c.device, c.kind)
	}
	e.trustCenterJoin(d.NWK, d.IEEE, updateLeft, decisionNoAction, d.Parent)
}

func (e *ezsp) childJoined(index uint8, joining bool, node radio.NWK, device radio.IEEE, kind uint8) {
	e.callback(indication, 0x0023, func(w *ezspWriter) {
		w.u8(index)
		w.flag(joining)
		w.u16(uint16(node))
		w.ieee(device)
		w.u8(kind)
	})
}

func (e *ezsp) trustCenterJoin(node radio.NWK, device radio.IEEE, update, decision uint8, parent radio.NWK) {
	e.callback(indication, 0x0024, func(w *ezspWriter) {
		w.u16(uint16(node))
		w.ieee(device)
		w.u8(update)
		w.u8(decision)
		w.u16(uint16(parent))
	})
}
