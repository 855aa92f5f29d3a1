package fake

import (
	"encoding/binary"
	"slices"
	"time"

	"hearth/drivers/zigbee/radio"
)

// Address modes.
const (
	mtGroup     = 1
	mtShort     = 2
	mtLong      = 3
	mtBroadcast = 15
)

const mtAckRequest = 0x10 // in the options of a message

// incomingRoom is how many bytes of data go into an AF_INCOMING_MSG; longer messages must be fetched.
const incomingRoom = mtMaxData - 20

// A znpOutgoing is a message whose data come in pieces.
type znpOutgoing struct {
	message     radio.Message
	transaction byte
	missing     int
}

// af carries out the requests of the AF subsystem; false if it knows no such.
func (z *znp) af(command byte, a *arguments) bool {
	status := func(s byte) { z.respond(mtAF, command, s) }
	switch command {
	case 0x00:
		status(z.register(a))
	case 0x01:
		m := radio.Message{Address: radio.NWK(a.uint16()), Remote: a.uint8(), Local: a.uint8(), Cluster: a.uint16()}
		transaction, options, radius := a.uint8(), a.uint8(), a.uint8()
		m.Acked, m.Radius, m.Data = options&mtAckRequest != 0, radius, slices.Clone(a.text())
		z.dataRequest(command, m, transaction)
	case 0x02:
		z.dataRequestExtended(a)
	case 0x03:
		m := radio.Message{Address: radio.NWK(a.uint16()), Remote: a.uint8(), Local: a.uint8(), Cluster: a.uint16()}
		transaction, options, radius := a.uint8(), a.uint8(), a.uint8()
		a.take(2 * int(a.uint8())) // the relays
		m.Acked, m.Radius, m.Data = options&mtAckRequest != 0, radius, slices.Clone(a.text())
		z.dataRequest(command, m, transaction)
	case 0x04:
		id := a.uint8()
		z.stick.endpoints = slices.DeleteFunc(z.stick.endpoints, func(e endpointDescription) bool { return e.ID == id })
		status(znpSuccess)
	case 0x10, 0x13: // between networks, fragmentation
		status(znpSuccess)
	case 0x11:
		z.store(a)
	case 0x12:
		z.retrieve(a)
	default:
		return false
	}
	return true
}

func (z *znp) register(a *arguments) byte {
	e := endpointDescription{ID: a.uint8(), Profile: a.uint16(), Device: a.uint16(), Version: a.uint8()}
	a.uint8() // latency
	for range a.uint8() {
		e.In = append(e.In, a.uint16())
	}
	for range a.uint8() {
		e.Out = append(e.Out, a.uint16())
	}
	switch {
	case a.short || e.ID == 0:
		return znpInvalidParam
	case !z.stick.register(e):
		return znpDuplicate
	}
	return znpSuccess
}

func (z *znp) dataRequestExtended(a *arguments) {
	const command = 0x02
	mode := a.uint8()
	address := radio.IEEE(binary.LittleEndian.Uint64(a.take(8)))
	m := radio.Message{Address: radio.NWK(address), Remote: a.uint8()}
	pan := a.uint16()
	m.Local, m.Cluster = a.uint8(), a.uint16()
	transaction, options, radius, length := a.uint8(), a.uint8(), a.uint8(), int(a.uint16())
	m.Acked, m.Radius, m.Group = options&mtAckRequest != 0, radius, mode == mtGroup
	if mode == mtLong && pan == 0 {
		var known bool
		if m.Address, known = z.stick.nwkOf(address); !known {
			z.respond(mtAF, command, znpInvalidParam)
			return
		}
	}
	switch {
	case mode == 0 || mode > mtLong && mode != mtBroadcast:
		z.respond(mtAF, command, znpInvalidParam)
	case pan != 0: // between networks: it goes out, and nobody is there
		z.respond(mtAF, command, znpSuccess)
	case length > len(a.b) && len(a.b) == 0:
		z.outgoing = &znpOutgoing{message: m, transaction: transaction, missing: length}
		z.respond(mtAF, command, znpSuccess)
	default:
		m.Data = slices.Clone(a.take(min(length, len(a.b))))
		z.dataRequest(command, m, transaction)
	}
}

// dataRequest sends a message, and tells later what became of it.
func (z *znp) dataRequest(command byte, m radio.Message, transaction byte) {
	s := z.stick
	e, known := s.endpoint(m.Local)
	if m.Local == 0 {
		known = true // ZDO
	}
	m.Profile = e.Profile
	status := byte(znpSuccess)
	switch {
	case s.network == nil:
		status = znpInvalidRequest
	case !known:
		status = znpInvalidParam
	case z.inFlight >= z.chip.inFlight || s.faults.refuses(s.mesh.at(m.Address)):
		status = znpBufferFull
	}
	z.respond(mtAF, command, status)
	if status != znpSuccess {
		return
	}
	if m.Local == 0 && m.Remote == 0 {
		z.stickZDO(m)
		return
	}
	z.inFlight++
	z.sendAsParent(m, func(o Outcome) {
		z.inFlight--
		s.say(confirm, func() { z.write(mtAREQ|mtAF, 0x80, []byte{znpStatus(o), m.Local, transaction}) })
	})
}

// sendAsParent sends a message: to a sleeping device that the firmware takes for its child, rightly or not, it does not look
// for a route.
func (z *znp) sendAsParent(m radio.Message, done func(Outcome)) {
	s := z.stick
	z.saveCounter(false)
	believed := !m.Group && slices.ContainsFunc(z.associated, func(c znpChild) bool { return c.nwk == m.Address && c.relation == childSleeps })
	if d := s.mesh.at(m.Address); believed && d != nil && d.parent != nil {
		s.after(indirectTimeout, func() { done(Expired) })
		return
	}
	s.send(m, done)
}

// store takes a piece of a message that is too long for one frame; an empty one sends it.
func (z *znp) store(a *arguments) {
	const command = 0x11
	index, data := int(a.uint16()), a.text()
	o := z.outgoing
	switch {
	case o == nil || index+len(data) > o.missing:
		z.respond(mtAF, command, znpFailure)
	case len(data) > 0:
		o.message.Data = append(padded(o.message.Data, min(index, len(o.message.Data))), data...)
		z.respond(mtAF, command, znpSuccess)
	default:
		z.outgoing = nil
		z.dataRequest(command, o.message, o.transaction)
	}
}

// retrieve gives the host a piece of a long message, and forgets that when it asks for nothing.
func (z *znp) retrieve(a *arguments) {
	const command = 0x12
	stamp, index, n := a.uint32(), int(a.uint16()), int(a.uint8())
	data, there := z.huge[stamp]
	switch {
	case !there || index > len(data):
		z.respond(mtAF, command, znpFailure, 0)
	case n == 0:
		delete(z.huge, stamp)
		z.respond(mtAF, command, znpSuccess, 0)
	default:
		part := data[index:min(index+n, len(data))]
		z.respond(mtAF, command, append([]byte{znpSuccess, byte(len(part))}, part...)...)
	}
}

// stamp is the time that a message has: units of 320 microseconds since the start.
func (z *znp) stamp() uint32 { return uint32(time.Since(z.began) / (320 * time.Microsecond)) }

// incoming tells the host of a message for an endpoint of its.
func (z *znp) incoming(m radio.Message) {
	ids := []uint8{m.Local}
	if m.Local == 0xff {
		ids = nil
		for _, e := range z.stick.endpoints {
			if e.Profile == m.Profile && (!m.Group || z.inGroup(e.ID, uint16(m.Target))) {
				ids = append(ids, e.ID)
			}
		}
		if m.Group && len(ids) == 0 && len(z.stick.endpoints) > 0 && z.inGroup(0, uint16(m.Target)) {
			ids = []uint8{z.stick.endpoints[0].ID}
		}
	}
	for _, id := range ids {
		if _, known := z.stick.endpoint(id); known {
			z.deliver(m, id)
		}
	}
}

// inGroup reports whether an endpoint of the host's is in a group. Firmware for coordinators passes on what goes to any
// group: then it is for the first endpoint, which is what 0 stands for.
func (z *znp) inGroup(endpoint uint8, group uint16) bool {
	if endpoint == 0 {
		return true
	}
	_, in := z.groups[znpGroup{endpoint, group}]
	return in
}

func (z *znp) deliver(m radio.Message, endpoint uint8) {
	le := binary.LittleEndian
	group, broadcast := uint16(0), byte(0)
	if m.Group {
		group, broadcast = uint16(m.Target), 1
	} else if m.Target.Broadcast() {
		broadcast = 1
	}
	stamp := z.stamp()
	head := le.AppendUint16(le.AppendUint16(nil, group), m.Cluster)
	tail := append(le.AppendUint32([]byte{endpoint, broadcast, m.LQI, 0}, stamp), m.Sequence)
	behind := append(le.AppendUint16(nil, uint16(m.Address)), 30) // who sent it last, and its radius
	if len(m.Data) <= incomingRoom {
		b := append(le.AppendUint16(head, uint16(m.Address)), m.Remote)
		b = append(append(b, tail...), byte(len(m.Data)))
		z.indicate(mtAF, 0x81, append(append(b, m.Data...), behind...)...)
		return
	}
	for z.huge[stamp] != nil {
		stamp++
	}
	z.huge[stamp] = m.Data
	tail = append(le.AppendUint32([]byte{endpoint, broadcast, m.LQI, 0}, stamp), m.Sequence)
	b := le.AppendUint64(append(head, mtShort), uint64(m.Address))
	b = le.AppendUint16(append(b, m.Remote), z.stick.network.PAN)
	b = le.AppendUint16(append(b, tail...), uint16(len(m.Data)))
	z.indicate(mtAF, 0x82, append(b, behind...)...)
}
