package fake

import (
	"crypto/aes"
	"encoding/binary"
	"fmt"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// searchEvery is how often a device that wants in looks for an open network.
const searchEvery = 500 * time.Millisecond

// Pair makes the device forget everything and look for an open network, for so long; 0 is one look. The call returns
// after the first look.
func (d *Device) Pair(search time.Duration) {
	d.mesh.do(func() {
		d.leave(false, false)
		d.reset()
		d.search(time.Now().Add(search))
	})
}

func (d *Device) search(until time.Time) {
	d.mesh.stop(d.searching)
	if d.off || d.join() {
		return
	}
	if time.Now().Before(until) {
		d.searching = d.mesh.after(searchEvery, func() { d.search(until) })
	}
}

// join associates with a parent that lets devices in; false if there is none.
func (d *Device) join() bool {
	for _, s := range d.mesh.sticks {
		if s.network == nil {
			continue
		}
		if parent, found := d.chooseParent(s); found {
			d.associate(s, parent)
			return true
		}
	}
	return false
}

// chooseParent takes one of those that are open: routers rather the coordinator, others anybody.
func (d *Device) chooseParent(s *Stick) (parent *Device, found bool) {
	var open []*Device
	if s.permit.open {
		open = append(open, nil)
	}
	for _, other := range d.mesh.devices {
		if other != d && other.model.Type == Router && other.permit.open && other.reachable(s.network) {
			open = append(open, other)
		}
	}
	switch {
	case len(open) == 0:
		return nil, false
	case d.model.Type == Router || d.model.Direct:
		return open[0], true
	}
	return open[d.mesh.random.IntN(len(open))], true
}

// associate is how a device gets in: an address from the parent, the network key from the trust centre, encrypted with the
// link key that both know (Zigbee 4.6.3.2).
func (d *Device) associate(s *Stick, parent *Device) {
	d.parent, d.nwk = parent, d.mesh.newNWK()
	d.member = &membership{
		extended: s.network.Extended, key: s.network.Key, pan: s.network.PAN, channel: s.network.Channel,
		centre: s.network.Coordinator,
	}
	key, admitted := s.firmware.linkKey(d.ieee, false)
	if admitted {
		s.after(d.mesh.hop(), func() { s.firmware.air(d.arrival(false)) })
	}
	if !admitted || key != d.key {
		d.mesh.log.Debug("not let in", "device", d.name, "admitted", admitted)
		d.member, d.nwk, d.parent = nil, radio.Unknown, nil
		return
	}
	d.polled, d.awakeUntil = time.Now(), time.Now().Add(d.model.Awake)
	for _, x := range d.extras {
		x.joined()
	}
	d.mesh.after(2*d.mesh.hop(), d.announce)
	if d.model.Revision >= 21 {
		d.mesh.after(4*d.mesh.hop(), func() { d.exchangeKey(s) })
	}
}

func (d *Device) arrival(rejoin bool) arrival {
	a := arrival{
		Joined: radio.Joined{NWK: d.nwk, IEEE: d.ieee, Parent: radio.Coordinator},
		Rejoin: rejoin, Router: d.model.Type == Router, Sleeper: d.model.Type == Sleeper,
	}
	if d.parent != nil {
		a.Parent = d.parent.nwk
	}
	return a
}

// exchangeKey gets a link key of its own from the trust centre, as Zigbee 3.0 asks it to; refused, the device leaves again
// (BDB 10.2.5).
func (d *Device) exchangeKey(s *Stick) {
	if d.member == nil || s.network == nil || !d.member.of(*s.network) {
		return
	}
	d.zdoSequence++
	request := zdo.NodeDescriptorRequest{Sequence: d.zdoSequence}
	d.transmit(packet{cluster: request.Cluster(), data: request.Append(nil)})
	key, ok := s.firmware.linkKey(d.ieee, true)
	if !ok {
		d.leave(true, false)
		return
	}
	d.own = &key
}

// announce tells all that the device is there (Zigbee 2.4.3.1.11).
func (d *Device) announce() {
	if d.mute {
		d.mute = false
		return
	}
	if d.member == nil {
		return
	}
	d.zdoSequence++
	announce := zdo.DeviceAnnounce{Sequence: d.zdoSequence, NWK: d.nwk, IEEE: d.ieee, Capability: d.capability()}
	d.transmit(packet{destination: radio.BroadcastAwake, cluster: announce.Cluster(), data: announce.Append(nil)})
}

// Leave makes the device leave by itself, as after a factory reset at it. It tells the network so.
func (d *Device) Leave() { d.mesh.do(func() { d.leave(true, false) }) }

// leave ends the membership; told: the network hears of it.
func (d *Device) leave(told, asked bool) {
	d.mesh.stop(d.searching)
	s := d.mesh.coordinator(d.member)
	if s != nil && told && d.reachable(s.network) {
		gone := departure{Left: radio.Left{NWK: d.nwk, IEEE: d.ieee, Confirms: asked}, Parent: radio.Coordinator}
		if d.parent != nil {
			gone.Parent = d.parent.nwk
		}
		s.after(d.mesh.hop(), func() { s.firmware.air(gone) })
	}
	for _, h := range d.waiting {
		d.mesh.stop(h.expiry)
		h.done(false)
	}
	d.mesh.stop(d.permit.ends)
	d.member, d.parent, d.nwk, d.own, d.waiting, d.permit = nil, nil, radio.Unknown, nil, nil, permission{}
	for _, child := range d.mesh.devices {
		if child.parent == d {
			child.parent = nil
			child.rejoin(true)
		}
	}
	for _, e := range d.endpoints {
		e.quiet()
	}
}

// Rejoin makes the device come back to its network with the key it has, with another network address if it moves.
func (d *Device) Rejoin(moves bool) { d.mesh.do(func() { d.rejoin(moves) }) }

func (d *Device) rejoin(moves bool) {
	s := d.mesh.coordinator(d.member)
	if s == nil || d.off {
		return
	}
	d.member.pan, d.member.channel = s.network.PAN, s.network.Channel
	if moves {
		d.nwk = d.mesh.newNWK()
	}
	d.stir()
	for _, x := range d.extras {
		x.joined()
	}
	s.after(d.mesh.hop(), func() { s.firmware.air(d.arrival(true)) })
	d.mesh.after(2*d.mesh.hop(), d.announce)
}

// Move changes the device's network address without a word to anybody, as after a conflict nobody noticed.
func (d *Device) Move() {
	d.mesh.do(func() {
		if d.member != nil {
			d.nwk = d.mesh.newNWK()
		}
	})
}

// Attach makes the device a child of that router, or of the coordinator if it is nil, without a word to the coordinator.
func (d *Device) Attach(parent *Device) { d.mesh.do(func() { d.parent = parent }) }

// found is called when the device's network is there again: a router that did not lose power never noticed.
func (d *Device) found(s *Stick) {
	if d.member.channel != s.network.Channel || d.member.pan != s.network.PAN {
		d.mesh.after(searchEvery, func() { d.rejoin(false) })
	}
}

// installKey is what an install code stands for: its Matyas-Meyer-Oseas hash (Zigbee B.6), once the checksum is right.
func installKey(code []byte) (radio.Key, error) {
	switch len(code) {
	case 8, 10, 14, 18:
	default:
		return radio.Key{}, fmt.Errorf("an install code has 6, 8, 12 or 16 bytes and a checksum of 2, not %d together", len(code))
	}
	body := code[:len(code)-2]
	if crc := crcX25(body); crc != binary.LittleEndian.Uint16(code[len(body):]) {
		return radio.Key{}, fmt.Errorf("the checksum of the install code is wrong")
	}
	return radio.Key(mmo(code)), nil
}

// crcX25 is the checksum of install codes.
func crcX25(b []byte) uint16 {
	crc := uint16(0xffff)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0x8408
			} else {
				crc >>= 1
			}
		}
	}
	return ^crc
}

// mmo is the AES hash of Zigbee, for messages below 8 KiB.
func mmo(message []byte) (hash [16]byte) {
	padded := append(append([]byte{}, message...), 0x80)
	for len(padded)%16 != 14 {
		padded = append(padded, 0)
	}
	padded = binary.BigEndian.AppendUint16(padded, uint16(8*len(message)))
	for ; len(padded) > 0; padded = padded[16:] {
		block, err := aes.NewCipher(hash[:])
		if err != nil {
			return hash // a key of 16 bytes is always taken
		}
		var out [16]byte
		block.Encrypt(out[:], padded[:16])
		for i := range out {
			hash[i] = out[i] ^ padded[i]
		}
	}
	return hash
}
