package fake

import (
	"slices"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// What a firmware asks of the air. All of it with the mesh's lock held.

// An Outcome is what became of a message on the air. Each firmware has its own numbers for them.
type Outcome int

// The outcomes.
const (
	Delivered     Outcome = iota
	BufferFull            // the stick has no room for it
	NoAck                 // the next hop did not answer
	NoRoute               // no way is known, and none was found
	ChannelAccess         // the air was busy all the time
	Expired               // the sleeping child did not come for it in time
	NoAPSAck              // it went out, and the device itself did not acknowledge it
)

// apsTimeout is how long a sender waits in vain for the acknowledgement of a device itself, with its repetitions.
const apsTimeout = 4800 * time.Millisecond

// An arrival is a device that has come to the network, or has come back. It is what the trust centre learns; the
// device's own announcement is a ZDO message, which follows.
type arrival struct {
	radio.Joined
	Rejoin  bool // it had the network key
	Router  bool
	Sleeper bool
}

// A departure is a device that has left, by itself or because it was asked to.
type departure struct {
	radio.Left
	Parent radio.NWK
}

// An endpointDescription is what a host has registered on its stick.
type endpointDescription struct {
	ID      uint8
	Profile uint16
	Device  uint16
	Version uint8
	In, Out []uint16
}

// A permission to join that runs out.
type permission struct {
	open bool
	ends *event
}

// allow opens for so many seconds; 0 closes, 255 is for good. ended is called when the time is over.
func (p *permission) allow(m *Mesh, seconds uint8, ended func()) {
	m.stop(p.ends)
	p.open, p.ends = seconds > 0, nil
	if seconds > 0 && seconds < 0xff {
		p.ends = m.after(time.Duration(seconds)*time.Second, func() {
			p.open = false
			ended()
		})
	}
}

// up makes the stick run a network. counter is the last frame counter that it used with this network key: devices that
// have heard a higher one do not listen. Devices that belong to this network (extended PAN id and key) are in it.
func (s *Stick) up(n radio.Network, counter uint32) {
	s.network, s.counter = &n, counter
	for _, d := range s.mesh.devices {
		if d.member != nil && d.member.of(n) {
			d.found(s)
		}
	}
}

// down ends the stick's network.
func (s *Stick) down() {
	s.network = nil
	s.allow(0)
}

// allow opens or closes the network at the stick itself: 0 closes, 255 is for good.
func (s *Stick) allow(seconds uint8) { s.permit.allow(s.mesh, seconds, func() {}) }

// register adds an endpoint of the host's, which devices can find by ZDO; false if it is there already.
func (s *Stick) register(e endpointDescription) bool {
	if _, known := s.endpoint(e.ID); known {
		return false
	}
	s.endpoints = append(s.endpoints, e)
	return true
}

// endpoint is what the host has registered under that number.
func (s *Stick) endpoint(id uint8) (endpointDescription, bool) {
	for _, e := range s.endpoints {
		if e.ID == id {
			return e, true
		}
	}
	return endpointDescription{}, false
}

// send gives a message to the air: Address, Group, Local, Remote, Profile, Cluster, Data and the options to send count.
// Profile 0 is ZDO, its data begins with the transaction sequence number. done (or nil) is called later, never from
// within send, with what became of it; faults asked for are in that. A message to the coordinator's own address comes
// back to firmware.air, less ZDO requests, which are answered as ask does.
func (s *Stick) send(m radio.Message, done func(Outcome)) {
	if done == nil {
		done = func(Outcome) {}
	}
	finish := func(o Outcome) { s.after(s.mesh.hop(), func() { done(o) }) }
	s.aps++
	s.counter++
	p := packet{
		destination: m.Address, from: m.Local, to: m.Remote, profile: m.Profile, cluster: m.Cluster,
		counter: s.aps, data: slices.Clone(m.Data),
	}
	if m.Group {
		p.isGroup, p.group, p.destination = true, uint16(m.Address), radio.BroadcastAwake
	}
	if s.network == nil {
		finish(NoRoute)
		return
	}
	fresh := s.mesh.hears(s.network.Coordinator, s.network.Key, s.counter)
	if outcome, failed := s.faults.delivery(s.mesh.at(m.Address)); failed {
		finish(outcome)
		return
	}
	switch {
	case p.isGroup || m.Address.Broadcast():
		if fresh {
			s.mesh.spread(p, func(d *Device) bool { return d.reachable(s.network) })
		}
		s.loop(p)
		finish(Delivered)
	case m.Address == radio.Coordinator:
		s.loop(p)
		finish(Delivered)
	default:
		s.unicast(m, p, fresh, done)
	}
}

func (s *Stick) unicast(m radio.Message, p packet, fresh bool, done func(Outcome)) {
	finish := func(o Outcome) { s.after(s.mesh.hop(), func() { done(o) }) }
	d := s.mesh.at(m.Address)
	switch {
	case d == nil || !d.member.of(*s.network):
		finish(NoRoute)
	case d.lostRoute && !m.Discover:
		finish(NoRoute)
	case !d.reachable(s.network) && (d.parent == nil || d.parent.reachable(s.network)):
		finish(NoAck)
	case !d.reachable(s.network):
		finish(NoRoute)
	case !fresh && m.Acked:
		s.after(apsTimeout, func() { done(NoAPSAck) })
	case !fresh:
		finish(Delivered)
	default:
		d.lostRoute = d.lostRoute && !m.Discover
		s.hand(d, m, p, done)
	}
}

// hand gives the packet to a device in reach. The next hop acknowledges what a router takes for its sleeping child.
func (s *Stick) hand(d *Device, m radio.Message, p packet, done func(Outcome)) {
	early := d.parent != nil && !m.Acked && !d.awake()
	if early {
		s.after(s.mesh.hop(), func() { done(Delivered) })
	}
	life := s.boots
	d.offer(p, func(delivered bool) {
		switch {
		case early || s.boots != life:
		case delivered:
			done(Delivered)
		case d.parent == nil:
			done(Expired)
		default:
			done(NoAPSAck)
		}
	})
}

// discover looks for a way to a device anew.
func (s *Stick) discover(address radio.NWK) {
	if d := s.mesh.at(address); d != nil {
		d.lostRoute = false
	}
}

// loop gives the coordinator what it has sent to itself, or to all.
func (s *Stick) loop(p packet) { s.after(s.mesh.hop(), func() { s.receive(p) }) }

// receive takes a packet from the air: ZDO requests are answered, and the firmware sees all of it.
func (s *Stick) receive(p packet) {
	if s.network == nil {
		return
	}
	own := p.source == nil && p.destination.Broadcast()
	if p.profile == 0 && p.to == 0 && p.cluster&zdo.Response == 0 && (!own || p.cluster == zdo.ClusterNWKAddressRequest) {
		s.answerZDO(p)
	}
	if own || p.source == nil && p.cluster&zdo.Response == 0 && p.profile == 0 {
		return
	}
	m := radio.Message{
		Address: p.sourceNWK(), Local: p.to, Remote: p.from, Profile: p.profile, Cluster: p.cluster,
		Sequence: p.counter, Data: p.data, LQI: 255, RSSI: -30,
	}
	switch {
	case p.isGroup:
		m.Group, m.Target = true, radio.NWK(p.group)
	case p.destination.Broadcast():
		m.Target = p.destination
	}
	if p.source != nil {
		m.LQI, m.RSSI = s.mesh.quality(s.network.Coordinator, p.source.nearest())
	}
	s.firmware.air(m)
}

// answerZDO answers a request that came through the air, or from the host to itself.
func (s *Stick) answerZDO(p packet) {
	if p.source != nil && p.destination.Broadcast() && p.cluster == zdo.ClusterMatchDescriptorRequest && len(p.data) > 2 {
		p.data = slices.Clone(p.data) // who asks all is answered as if it had asked for the coordinator
		p.data[1], p.data[2] = 0, 0
	}
	response, reply, ok := s.ask(p.cluster, p.data)
	if !ok {
		return
	}
	back := packet{cluster: response, data: reply, destination: p.sourceNWK()}
	s.aps++
	back.counter = s.aps
	if p.source == nil {
		s.loop(back)
		return
	}
	s.counter++
	if s.mesh.hears(s.network.Coordinator, s.network.Key, s.counter) && p.source.reachable(s.network) {
		p.source.offer(back, func(bool) {})
	}
}

// retune takes the whole network to another channel: what follows a Mgmt_NWK_Update_req from the stick.
func (s *Stick) retune(channel uint8) {
	if s.network == nil || channel < 11 || channel > 26 {
		return
	}
	s.network.Channel = channel
	s.network.UpdateID++
	for _, d := range s.mesh.devices {
		if d.member != nil && d.member.of(*s.network) && !d.off && !d.stays {
			d.member.channel = channel
		}
	}
}

// nwkOf and ieeeOf are the stick's address map: of all that have joined.
func (s *Stick) nwkOf(device radio.IEEE) (radio.NWK, bool) {
	if d := s.mesh.byIEEE(device); d != nil && d.member != nil && s.network != nil && d.member.of(*s.network) {
		return d.nwk, true
	}
	return radio.Unknown, false
}

func (s *Stick) ieeeOf(device radio.NWK) (radio.IEEE, bool) {
	if d := s.mesh.at(device); d != nil && s.network != nil && d.member.of(*s.network) {
		return d.ieee, true
	}
	return 0, false
}

// A child is a device that has the coordinator as its parent.
type child struct {
	IEEE    radio.IEEE
	NWK     radio.NWK
	Router  bool
	Sleeper bool
}

// children are the devices whose parent is the coordinator: sleepers, and routers that joined there.
func (s *Stick) children() (all []child) {
	for _, d := range s.mesh.devices {
		if s.network != nil && d.member != nil && d.member.of(*s.network) && d.parent == nil {
			all = append(all, child{IEEE: d.ieee, NWK: d.nwk, Router: d.model.Type == Router, Sleeper: d.model.Type == Sleeper})
		}
	}
	return all
}

// A beacon is another network that a scan finds.
type beacon struct {
	PAN      uint16
	Extended radio.IEEE
	Channel  uint8
	LQI      uint8
	RSSI     int8
	Open     bool
}

// beacons are the foreign networks on a channel.
func (m *Mesh) beacons(channel uint8) (all []beacon) {
	for _, f := range m.foreign {
		if f.Channel == channel {
			lqi, rssi := m.quality(f.Extended, 1)
			all = append(all, beacon{PAN: f.PAN, Extended: f.Extended, Channel: channel, LQI: lqi, RSSI: rssi, Open: f.Open})
		}
	}
	return all
}

// energy is the noise on a channel, in dBm: more where a foreign network is.
func (m *Mesh) energy(channel uint8) int8 {
	noise := -95 + int8(m.options.Seed>>(channel%32)&7)
	return min(noise+int8(20*len(m.beacons(channel))), -20)
}
