package fake

import (
	"time"

	"hearth/drivers/zigbee/radio"
)

// indirectTimeout is how long a parent keeps a message for a child that sleeps (macTransactionPersistenceTime, 7.68 s).
const indirectTimeout = 7680 * time.Millisecond

// A membership is what a device remembers of its network.
type membership struct {
	extended radio.IEEE
	key      radio.Key
	pan      uint16
	channel  uint8
	centre   radio.IEEE // the trust centre's address
}

// of reports whether it is of that network; the channel is another question.
func (m *membership) of(n radio.Network) bool { return m.extended == n.Extended && m.key == n.Key }

// A packet is one APS message on the air.
type packet struct {
	source      *Device // nil: the coordinator
	destination radio.NWK
	group       uint16
	isGroup     bool
	from, to    uint8 // endpoints
	profile     uint16
	cluster     uint16
	counter     uint8 // of the APS layer
	data        []byte
}

func (p packet) sourceNWK() radio.NWK {
	if p.source == nil {
		return radio.Coordinator
	}
	return p.source.nwk
}

// A held packet waits at a parent for its child to poll.
type held struct {
	packet packet
	done   func(delivered bool)
	expiry *event
}

// offer gives a packet to a device that is known to be in reach of the network: at once if it is awake, else when it polls.
// done is called with false when it did not come for it in time.
func (d *Device) offer(p packet, done func(delivered bool)) {
	if d.awake() {
		d.mesh.after(d.mesh.hop(), func() {
			done(true)
			d.receive(p)
		})
		return
	}
	h := &held{packet: p, done: done}
	h.expiry = d.mesh.after(indirectTimeout, func() {
		for i, other := range d.waiting {
			if other == h {
				d.waiting = append(d.waiting[:i], d.waiting[i+1:]...)
				break
			}
		}
		done(false)
	})
	d.waiting = append(d.waiting, h)
	if len(d.waiting) == 1 && d.model.Poll > 0 {
		d.mesh.after(d.nextPoll(), d.poll)
	}
}

// nextPoll is how long it is until the device asks its parent the next time.
func (d *Device) nextPoll() time.Duration {
	return d.model.Poll - time.Since(d.polled)%d.model.Poll
}

// poll fetches what waits at the parent.
func (d *Device) poll() {
	if d.off || d.member == nil {
		return
	}
	d.polled = time.Now()
	waiting := d.waiting
	d.waiting = nil
	for _, h := range waiting {
		d.mesh.stop(h.expiry)
		h.done(true)
		d.receive(h.packet)
	}
}

// awake reports whether the device hears at any time, or does just now.
func (d *Device) awake() bool {
	return d.model.Type != Sleeper || time.Now().Before(d.awakeUntil)
}

// stir keeps a sleeping device awake for a while, as it is when it has something to say or to hear.
func (d *Device) stir() {
	if d.model.Type != Sleeper {
		return
	}
	if until := time.Now().Add(d.mesh.options.Linger); until.After(d.awakeUntil) {
		d.awakeUntil = until
	}
	if len(d.waiting) > 0 {
		d.mesh.after(0, d.poll)
	}
}

// up reports whether the device and the routers before it are in a network and have power.
func (d *Device) up() bool {
	return !d.off && d.member != nil && (d.parent == nil || d.parent.up())
}

// reachable reports whether frames of a stick's network get to the device.
func (d *Device) reachable(n *radio.Network) bool {
	return n != nil && d.up() && d.member.of(*n) && d.member.channel == n.Channel
}

// beside reports whether frames of another device get to it: for that no coordinator is needed.
func (d *Device) beside(other *Device) bool {
	return d != other && d.up() && other.up() && d.sameNetwork(other) && d.member.channel == other.member.channel
}

// hears reports whether the device takes what a sender with that counter says: replays are dropped (Zigbee 4.3.1.2).
func (m *Mesh) hears(sender radio.IEEE, key radio.Key, counter uint32) bool {
	k := counterKey{sender, key}
	if last, heard := m.counters[k]; heard && counter <= last {
		return false
	}
	m.counters[k] = counter
	return true
}

// transmit sends what a device has to say, if it is in a network.
func (d *Device) transmit(p packet) {
	p.source = d
	d.aps++
	p.counter = d.aps
	d.stir()
	if !d.up() {
		return
	}
	s := d.mesh.coordinator(d.member)
	if s != nil && !d.reachable(s.network) {
		s = nil
	}
	for range 1 + d.takeEcho() {
		many := p.isGroup || p.destination.Broadcast()
		if many {
			d.mesh.spread(p, d.beside)
		}
		if s != nil && (many || p.destination == radio.Coordinator) {
			s.after(d.mesh.hop(), func() { s.receive(p) })
		}
		if other := d.mesh.at(p.destination); !many && other != nil && d.beside(other) {
			other.offer(p, func(bool) {})
		}
	}
}

// spread gives a packet to every device that it is for, of those that hear it.
func (m *Mesh) spread(p packet, hears func(*Device) bool) {
	for _, d := range m.devices {
		if hears(d) && d.wants(p) {
			d.offer(p, func(bool) {})
		}
	}
}

// wants reports whether a packet to many is for the device too.
func (d *Device) wants(p packet) bool {
	switch {
	case p.isGroup:
		return d.model.Type != Sleeper && d.inGroup(p.group)
	case p.destination == radio.BroadcastAwake:
		return d.model.Type != Sleeper
	case p.destination == radio.BroadcastRouters:
		return d.model.Type == Router
	}
	return p.destination == radio.BroadcastAll
}
