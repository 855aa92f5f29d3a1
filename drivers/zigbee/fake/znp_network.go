package fake

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"time"

	"hearth/drivers/zigbee/radio"
)

// Statuses of the commissioning notification (BDB).
const (
	bdbSuccess    = 0x00
	bdbInProgress = 0x01
	bdbRestored   = 0x0d

	bdbFormation = 0x04
)

func (z *znp) stateIs(state uint8) {
	z.state = state
	z.indicate(mtZDO, 0xc0, state)
}

func (z *znp) notifyCommissioning(status, mode, left byte) {
	z.indicate(mtAppCNF, 0x80, status, mode, left)
}

// formed reports whether the memory holds a network.
func (z *znp) formed() bool {
	nib, ok := z.nib()
	on := z.nv(nvOnNetwork)
	return ok && len(on) > 0 && on[0] == 1 && nib.get("key_loaded") != 0 && nib.get("channel") != 0 && nib.get("pan") != 0xffff
}

// commission resumes the network in memory, or forms a new one as the memory says: when the answer is out.
func (z *znp) commission() {
	if z.forming || z.state == znpStateCoordinate {
		return
	}
	z.forming = true
	if z.formed() {
		z.stick.after(0, z.resume)
		return
	}
	z.stick.after(0, func() {
		z.stateIs(znpStateStarting)
		z.notifyCommissioning(bdbInProgress, 0x02, bdbFormation)
		z.stick.after(z.stick.options.Forming, z.form)
	})
}

func (z *znp) resume() {
	z.forming = false
	nib, ok := z.nib()
	key := z.nv(nvActiveKey)
	if !ok || len(key) != 17 {
		return
	}
	n := radio.Network{
		PAN: uint16(nib.get("pan")), Extended: radio.IEEE(nib.get("extended_pan")), Channel: uint8(nib.get("channel")),
		UpdateID: uint8(nib.get("update_id")), Key: radio.Key(key[1:]), KeySequence: key[0], Coordinator: z.ieee(),
	}
	z.loadAssociated()
	z.stick.up(n, z.loadCounter(n.Extended)+counterAtStart)
	z.saveCounter(true)
	z.stateIs(znpStateCoordinate)
	z.notifyCommissioning(bdbRestored, 0, bdbFormation)
	z.notifyCommissioning(bdbSuccess, bdbFormation, 0)
}

// form makes a network of what the host has put into memory. A PAN id that somebody else has is changed without a word.
func (z *znp) form() {
	z.forming = false
	s := z.stick
	n := radio.Network{Coordinator: z.ieee(), PAN: binary.LittleEndian.Uint16(padded(z.nv(nvPAN), 2))}
	channels := z.primary
	if channels == 0 {
		channels = binary.LittleEndian.Uint32(padded(z.nv(nvChannels), 4))
	}
	if n.Channel = z.quietest(channels); n.Channel == 0 {
		z.stateIs(znpStateHold)
		z.notifyCommissioning(0x08, bdbFormation, 0) // formation failure
		return
	}
	n.Extended = radio.IEEE(binary.LittleEndian.Uint64(padded(z.nv(nvUseExtended), 8)))
	if n.Extended == 0 {
		n.Extended = n.Coordinator
	}
	for n.PAN == 0xffff || s.mesh.taken(n.PAN) {
		n.PAN = uint16(1 + s.mesh.random.IntN(0xfffd))
	}
	copy(n.Key[:], padded(z.nv(nvPreconfigured), 16))
	z.keep(n, channels)
	s.up(n, 0)
	z.saveCounter(true)
	for range 3 {
		z.indicate(mtZDO, 0xc0, znpStateStarting)
	}
	z.stateIs(znpStateCoordinate)
	z.notifyCommissioning(bdbSuccess, 0x02, 0)
	z.notifyCommissioning(bdbSuccess, bdbFormation, 0)
}

func padded(b []byte, n int) []byte { return append(slices.Clone(b), make([]byte, n)...)[:n] }

// quietest is the channel of a mask with the least noise, 0 if the mask has none.
func (z *znp) quietest(mask uint32) (best uint8) {
	for channel := uint8(11); channel <= 26; channel++ {
		if mask>>channel&1 != 0 && (best == 0 || bits.OnesCount32(mask) > 1 && z.stick.mesh.energy(channel) < z.stick.mesh.energy(best)) {
			best = channel
		}
	}
	return best
}

// taken reports whether a foreign network has the PAN id.
func (m *Mesh) taken(pan uint16) bool {
	return slices.ContainsFunc(m.foreign, func(f Foreign) bool { return f.PAN == pan })
}

// keep writes a network into memory.
func (z *znp) keep(n radio.Network, channels uint32) {
	nib := z.freshNIB()
	for name, value := range map[string]uint64{
		"address": 0, "coordinator": 0, "pan": uint64(n.PAN), "channel": uint64(n.Channel), "channel_list": uint64(channels),
		"extended_pan": uint64(n.Extended), "state": 8, "key_loaded": 1, "update_id": uint64(n.UpdateID),
	} {
		nib.set(name, value)
	}
	z.setNV(nvNIB, nib.b...)
	key := append([]byte{n.KeySequence}, n.Key[:]...)
	z.setNV(nvActiveKey, key...)
	z.setNV(nvAlternateKey, key...)
	full := append(slices.Clone(key), fillOf(0xff, z.networkKeySize()-21)...)
	z.setNV(nvNetworkKey, append(full, 0, 0, 0, 0)...)
	z.setNV(nvOnNetwork, 1)
	z.makeTables()
}

// makeTables makes the tables that appear with the first network.
func (z *znp) makeTables() {
	if !z.chip.aligned {
		z.setDefault(nvLinkKeys, make([]byte, 17)...)
		z.setDefault(nvAddresses, bytes.Repeat(emptyAddress(false), z.chip.addresses)...)
		z.setDefault(nvDevices, append([]byte{0, 0}, fillOf(0xff, 128)...)...)
		return
	}
	z.setDefault(nvLinkKeys, fillOf(0xff, 20)...)
	z.fill(extended(exAddresses), z.chip.addresses, emptyAddress(true))
	z.fill(extended(exBindings), 1, fillOf(0xff, 14))
	z.fill(extended(exDevices), 51, fillOf(0xff, 16))
	if b := z.nv(nvLinkKeys); bytes.Equal(b, fillOf(0xff, 20)) {
		z.setNV(nvLinkKeys, make([]byte, 20)...)
	}
}

// emptyAddress is a free entry of the address manager: its first byte is another one on each chip.
func emptyAddress(aligned bool) []byte {
	if aligned {
		return fillOf(0xff, 12)
	}
	return append([]byte{0}, fillOf(0xff, 10)...)
}

// What uses an entry of the address manager.
const (
	usedByAssociation = 0x01
	usedBySecurity    = 0x02
)

// An addressEntry is one of the address manager.
type addressEntry struct {
	use  byte
	nwk  radio.NWK
	ieee radio.IEEE
}

func (z *znp) parseAddress(b []byte) addressEntry {
	skip := len(b) - 10 // 1, and 1 to align
	return addressEntry{
		use: b[0], nwk: radio.NWK(binary.LittleEndian.Uint16(b[skip:])), ieee: radio.IEEE(binary.LittleEndian.Uint64(b[skip+2:])),
	}
}

func (z *znp) appendAddress(e addressEntry) []byte {
	b := []byte{e.use}
	if z.chip.aligned {
		b = append(b, 0xff)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(e.nwk))
	return binary.LittleEndian.AppendUint64(b, uint64(e.ieee))
}

func (e addressEntry) free() bool {
	return e.ieee == 0 || e.ieee == 1<<64-1 || e.use == 0 || e.use == 0xff
}

// addresses reads the address manager.
func (z *znp) addresses() (all []addressEntry) {
	if !z.chip.extended {
		for b := z.nv(nvAddresses); len(b) >= 11; b = b[11:] {
			all = append(all, z.parseAddress(b[:11]))
		}
		return all
	}
	for i := range z.chip.addresses {
		b, ok := z.stick.memory.Get(exName(exAddresses, uint16(i)))
		if !ok || len(b) != 12 {
			break
		}
		all = append(all, z.parseAddress(b))
	}
	return all
}

func (z *znp) setAddress(i int, b []byte) {
	if z.chip.extended {
		z.stick.memory.Set(exName(exAddresses, uint16(i)), b)
		return
	}
	table := z.nv(nvAddresses)
	if 11*i+11 <= len(table) {
		copy(table[11*i:], b)
		z.setNV(nvAddresses, table...)
	}
}

// remember keeps a device in the address manager, with one more use, and its new network address.
func (z *znp) remember(nwk radio.NWK, ieee radio.IEEE, use byte) {
	all := z.addresses()
	i := slices.IndexFunc(all, func(e addressEntry) bool { return e.ieee == ieee && !e.free() })
	if i >= 0 {
		use |= all[i].use
	} else {
		i = slices.IndexFunc(all, addressEntry.free)
	}
	if i >= 0 && use != 0 {
		z.setAddress(i, z.appendAddress(addressEntry{use, nwk, ieee}))
	}
}

// forgetAddress takes a use of an entry away, and the entry with the last.
func (z *znp) forgetAddress(ieee radio.IEEE, use byte) {
	all := z.addresses()
	i := slices.IndexFunc(all, func(e addressEntry) bool { return e.ieee == ieee && !e.free() })
	if i < 0 {
		return
	}
	if all[i].use &^= use; all[i].use != 0 {
		z.setAddress(i, z.appendAddress(all[i]))
		return
	}
	z.setAddress(i, emptyAddress(z.chip.aligned))
}

// Relations of a child to the coordinator.
const (
	childSleeps = 1
	childAwake  = 2
	childRouter = 4
)

// A znpChild is what the firmware believes to be its child.
type znpChild struct {
	nwk      radio.NWK
	ieee     radio.IEEE
	relation byte
}

func relationOf(router, sleeper bool) byte {
	switch {
	case router:
		return childRouter
	case sleeper:
		return childSleeps
	}
	return childAwake
}

// loadAssociated takes the children from the address manager; what they are, from who is there.
func (z *znp) loadAssociated() {
	z.associated = nil
	for _, e := range z.addresses() {
		if e.free() || e.use&usedByAssociation == 0 {
			continue
		}
		relation := byte(childSleeps)
		if d := z.stick.mesh.byIEEE(e.ieee); d != nil {
			relation = relationOf(d.model.Type == Router, d.model.Type == Sleeper)
		}
		z.associated = append(z.associated, znpChild{e.nwk, e.ieee, relation})
	}
}

func (z *znp) associate(c znpChild) {
	z.dissociate(c.ieee)
	z.associated = append(z.associated, c)
	z.remember(c.nwk, c.ieee, usedByAssociation)
}

func (z *znp) dissociate(ieee radio.IEEE) {
	if i := slices.IndexFunc(z.associated, func(c znpChild) bool { return c.ieee == ieee }); i >= 0 {
		z.associated = slices.Delete(z.associated, i, i+1)
		z.forgetAddress(ieee, usedByAssociation)
	}
}

// arrived tells the host of a device that came, or came back.
func (z *znp) arrived(a arrival) {
	if a.Parent == radio.Coordinator {
		z.associate(znpChild{a.NWK, a.IEEE, relationOf(a.Router, a.Sleeper)})
	} else {
		z.dissociate(a.IEEE)
		z.remember(a.NWK, a.IEEE, 0)
	}
	b := binary.LittleEndian.AppendUint16(nil, uint16(a.NWK))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.IEEE))
	z.indicate(mtZDO, 0xca, binary.LittleEndian.AppendUint16(b, uint16(a.Parent))...)
}

// departed tells the host that a device has left.
func (z *znp) departed(d departure) {
	z.dissociate(d.IEEE)
	b := binary.LittleEndian.AppendUint16(nil, uint16(d.NWK))
	b = binary.LittleEndian.AppendUint64(b, uint64(d.IEEE))
	rejoins := byte(0)
	if d.Rejoins {
		rejoins = 1
	}
	z.indicate(mtZDO, 0xc9, append(b, 0, 0, rejoins)...)
}

// trustNames are the places of the link keys that are derived from the seed.
func (z *znp) trustNames() func(int) string {
	if z.chip.extended {
		return extended(exTrustKeys)
	}
	return legacy(nvTrustKeys)
}

// linkKey implements firmware. A key of its own is derived from the seed: rotated by as many bytes as its entry says, and
// mixed with the device's address.
func (z *znp) linkKey(device radio.IEEE, fresh bool) (radio.Key, bool) {
	if !fresh {
		if key, ok := z.stick.memory.Get(installName(device)); ok && len(key) == 16 {
			return radio.Key(key), true
		}
		return radio.TrustCentre, !z.installOnly
	}
	name := z.trustNames()
	free := -1
	for i := range z.chip.keys {
		b, _ := z.stick.memory.Get(name(i))
		if len(b) < 19 {
			break
		}
		owner := radio.IEEE(binary.LittleEndian.Uint64(b[8:]))
		if owner == device {
			return z.derive(device, b[18]), true
		}
		if owner == 0 && free < 0 {
			free = i
		}
	}
	if free < 0 {
		return radio.Key{}, false
	}
	shift := byte(z.stick.mesh.random.IntN(16))
	entry := binary.LittleEndian.AppendUint64(make([]byte, 8), uint64(device))
	entry = append(entry, 2, 0, shift) // verified
	z.stick.memory.Set(name(free), padded(entry, z.trustKeySize()))
	nwk, _ := z.stick.nwkOf(device)
	z.remember(nwk, device, usedBySecurity)
	return z.derive(device, shift), true
}

func installName(device radio.IEEE) string { return "install/" + device.String() }

func (z *znp) derive(device radio.IEEE, shift byte) (key radio.Key) {
	seed := padded(z.nv(nvSeed), 16)
	address := binary.LittleEndian.AppendUint64(nil, uint64(device))
	for i := range key {
		key[i] = seed[(i+int(shift))%16] ^ address[i%8]
	}
	return key
}

// retune takes the network to another channel once the host's request is answered, and keeps that.
func (z *znp) retune(channel uint8) {
	z.stick.after(time.Duration(0), func() {
		z.stick.retune(channel)
		if nib, ok := z.nib(); ok && z.stick.network != nil {
			nib.set("channel", uint64(channel))
			nib.set("channel_list", 1<<channel)
			nib.set("update_id", uint64(z.stick.network.UpdateID))
			z.setNV(nvNIB, nib.b...)
		}
	})
}
