package fake

import (
	"encoding/binary"
	"fmt"
	"slices"

	"hearth/drivers/zigbee/radio"
)

// Tokens are what EmberZNet keeps in its non-volatile memory (NVM3), by their keys. An indexed one has an entry for each
// index. The layouts are the firmware's, as far as hosts look into them.
const (
	tokenBootCounter  = 0x1e263 // u16
	tokenNonceCounter = 0x1e563 // u32: the frame counter of the network key is below it
	tokenKeys         = 0x1eb79 // key, sequence number
	tokenNodeData     = 0x1ee64 // PAN, power, channel, profile, node type, node id, extended PAN
	tokenAPSCounter   = 0x1e123 // u32
	tokenTrustCenter  = 0x1e124 // mode u16, address, key
	tokenManagement   = 0x1e125 // channels u32, manager, update id
	tokenRestoredEUI  = 0x1e12a // address, or ff
	tokenBinding      = 0x10500 // indexed
	tokenChild        = 0x10580 // indexed: address, node id, type
	tokenLinkKey      = 0x10600 // indexed: address, key, flags
)

// frameCounterStep is how far the frame counter in memory runs ahead of the one in use, so as not to wear out the flash.
// After a restart it is used from there.
const frameCounterStep = 4096

// Manufacturing tokens (EzspMfgTokenId).
const (
	mfgString  = 0x01
	mfgBoard   = 0x02
	mfgAddress = 0x0c
)

func tokenName(key uint32, index int) string { return fmt.Sprintf("ezsp/%05x/%d", key, index) }

func (e *ezsp) token(key uint32, index int) ([]byte, bool) {
	return e.stick.memory.Get(tokenName(key, index))
}

func (e *ezsp) setToken(key uint32, index int, value []byte) {
	e.stick.memory.Set(tokenName(key, index), value)
}

func (e *ezsp) deleteToken(key uint32, index int) { e.stick.memory.Delete(tokenName(key, index)) }

func (e *ezsp) countBoot() {
	var boots uint16
	if b, ok := e.token(tokenBootCounter, 0); ok && len(b) == 2 {
		boots = binary.LittleEndian.Uint16(b)
	}
	e.setToken(tokenBootCounter, 0, binary.LittleEndian.AppendUint16(nil, boots+1))
}

// address is the stick's: a restored one, else one that was burnt in, else the chip's.
func (e *ezsp) address() radio.IEEE {
	restored, _ := e.token(tokenRestoredEUI, 0)
	burnt, _ := e.stick.memory.Get(mfgName(mfgAddress))
	for _, b := range [][]byte{restored, burnt} {
		if len(b) == 8 {
			if a := radio.IEEE(binary.LittleEndian.Uint64(b)); a != ^radio.IEEE(0) {
				return a
			}
		}
	}
	return e.stick.options.IEEE
}

func (e *ezsp) counterToken(key uint32) uint32 {
	if b, ok := e.token(key, 0); ok && len(b) == 4 {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// frameCounter is the next of the network key.
func (e *ezsp) frameCounter() uint32 {
	if e.stick.network != nil {
		return e.stick.counter
	}
	return e.counterToken(tokenNonceCounter)
}

func (e *ezsp) storeFrameCounter(n uint32) {
	e.setToken(tokenNonceCounter, 0, binary.LittleEndian.AppendUint32(nil, n))
}

// keepFrameCounter writes the frame counter when it has caught up with the one in memory.
func (e *ezsp) keepFrameCounter() {
	if stored := e.counterToken(tokenNonceCounter); e.stick.network != nil && e.stick.counter >= stored {
		e.storeFrameCounter(e.stick.counter + frameCounterStep)
	}
}

func (e *ezsp) apsFrameCounter() uint32 { return e.counterToken(tokenAPSCounter) }

func (e *ezsp) storeAPSFrameCounter(n uint32) {
	e.setToken(tokenAPSCounter, 0, binary.LittleEndian.AppendUint32(nil, n))
}

// storeNetwork keeps a network and its key.
func (e *ezsp) storeNetwork(p ezspNetworkParameters, key radio.Key, sequence uint8) {
	w := ezspWriter{}
	w.u16(p.pan)
	w.i8(p.power)
	w.u8(p.channel)
	w.bytes([]byte{2, 1, 0, 0}) // Zigbee PRO, coordinator, node 0x0000
	w.ieee(p.extended)
	e.setToken(tokenNodeData, 0, w.b)
	w = ezspWriter{}
	w.u32(p.channels)
	w.u16(uint16(p.manager))
	w.u8(p.updateID)
	e.setToken(tokenManagement, 0, w.b)
	e.setToken(tokenKeys, 0, append(key[:], sequence))
}

// storedNetwork is the network in memory, false if there is none.
func (e *ezsp) storedNetwork() (p ezspNetworkParameters, key radio.Key, sequence uint8, ok bool) {
	node, ok := e.token(tokenNodeData, 0)
	if !ok {
		return p, key, 0, false
	}
	r := ezspReader{rest: node}
	p.pan, p.power, p.channel = r.u16(), int8(r.u8()), r.u8()
	r.bytes(4)
	p.extended = r.ieee()
	management, _ := e.token(tokenManagement, 0)
	r = ezspReader{rest: management}
	p.channels, p.manager, p.updateID = r.u32(), radio.NWK(r.u16()), r.u8()
	keys, _ := e.token(tokenKeys, 0)
	r = ezspReader{rest: keys}
	return p, r.key(), r.u8(), true
}

func (e *ezsp) forgetNetwork() {
	for _, key := range []uint32{tokenNodeData, tokenManagement, tokenKeys} {
		e.deleteToken(key, 0)
	}
	for i := range int(e.config[configChildren]) {
		e.deleteToken(tokenChild, i)
	}
}

// radioNetwork is what the mesh wants to know of it.
func (e *ezsp) radioNetwork(p ezspNetworkParameters, key radio.Key, sequence uint8) radio.Network {
	return radio.Network{
		PAN: p.pan, Extended: p.extended, Channel: p.channel, UpdateID: p.updateID, Key: key, KeySequence: sequence, Coordinator: e.address(),
	}
}

// An ezspTrustCenter is how devices are let in.
type ezspTrustCenter struct {
	mode     uint16 // EmberCurrentSecurityBitmask
	extended uint16 // EmberExtendedSecurityBitmask
	address  radio.IEEE
	key      radio.Key
}

func (e *ezsp) trustCenter() ezspTrustCenter {
	b, _ := e.token(tokenTrustCenter, 0)
	r := ezspReader{rest: b}
	mode := r.u16()
	t := ezspTrustCenter{mode: mode &^ 0x0110, address: r.ieee(), key: r.key(), extended: e.security.extended | mode&0x0110}
	if len(b) > 0 {
		t.mode |= 0x10 // there is a link key
	}
	return t
}

func (e *ezsp) storeTrustCenter(t ezspTrustCenter) {
	w := ezspWriter{}
	w.u16(t.mode&0x86 | t.extended&0x0110)
	w.ieee(t.address)
	w.key(t.key)
	e.setToken(tokenTrustCenter, 0, w.b)
}

// An ezspLinkKey is an entry of the key table.
type ezspLinkKey struct {
	device radio.IEEE
	key    radio.Key
	flags  uint8
}

func (e *ezsp) linkKeyAt(i int) (k ezspLinkKey, ok bool) {
	b, ok := e.token(tokenLinkKey, i)
	if !ok || len(b) != 25 {
		return k, false
	}
	r := ezspReader{rest: b}
	return ezspLinkKey{device: r.ieee(), key: r.key(), flags: r.u8()}, true
}

func (e *ezsp) storeLinkKey(i int, k ezspLinkKey) {
	w := ezspWriter{}
	w.ieee(k.device)
	w.key(k.key)
	w.u8(k.flags)
	e.setToken(tokenLinkKey, i, w.b)
}

// findLinkKey is the index of a device's entry, or of a free one if the device has none and free is wanted; -1: none.
func (e *ezsp) findLinkKey(device radio.IEEE, free bool) int {
	first := -1
	for i := range int(e.config[configKeyTable]) {
		k, ok := e.linkKeyAt(i)
		if ok && k.device == device {
			return i
		}
		if !ok && first < 0 {
			first = i
		}
	}
	if free {
		return first
	}
	return -1
}

// An ezspChild is an entry of the child table.
type ezspChild struct {
	device radio.IEEE
	node   radio.NWK
	kind   uint8 // EmberNodeType
}

func (e *ezsp) childAt(i int) (c ezspChild, ok bool) {
	b, ok := e.token(tokenChild, i)
	if !ok {
		return c, false
	}
	r := ezspReader{rest: b}
	return ezspChild{device: r.ieee(), node: radio.NWK(r.u16()), kind: r.u8()}, true
}

func (e *ezsp) storeChild(i int, c ezspChild) {
	w := ezspWriter{}
	w.ieee(c.device)
	w.u16(uint16(c.node))
	w.u8(c.kind)
	e.setToken(tokenChild, i, w.b)
}

// adopt gives a child its place in the table; -1: it is full.
func (e *ezsp) adopt(c ezspChild) int {
	first := -1
	for i := range int(e.config[configChildren]) {
		old, ok := e.childAt(i)
		if ok && old.device == c.device {
			first = i
			break
		}
		if !ok && first < 0 {
			first = i
		}
	}
	if first >= 0 {
		e.storeChild(first, c)
	}
	return first
}

// disown takes a child out of the table and returns its place, -1 if it was not in.
func (e *ezsp) disown(device radio.IEEE) (int, ezspChild) {
	for i := range int(e.config[configChildren]) {
		if c, ok := e.childAt(i); ok && c.device == device {
			e.deleteToken(tokenChild, i)
			return i, c
		}
	}
	return -1, ezspChild{}
}

func mfgName(id uint8) string { return fmt.Sprintf("ezsp/mfg/%02x", id) }

// mfgToken is a manufacturing token: blank flash is ff.
func (e *ezsp) mfgToken(id uint8) []byte {
	size, ok := map[uint8]int{0x00: 2, mfgString: 16, mfgBoard: 16, 0x03: 2, 0x04: 2, 0x05: 16, 0x06: 40, 0x07: 8, 0x08: 64, 0x09: 92, 0x0a: 20, 0x0b: 1, mfgAddress: 8, 0x0d: 2}[id]
	if !ok {
		return nil
	}
	if b, ok := e.stick.memory.Get(mfgName(id)); ok {
		return b
	}
	blank := slices.Repeat([]byte{0xff}, size)
	switch id {
	case mfgString:
		copy(blank, "Example")
	case mfgBoard:
		copy(blank, "EFR32MG21 stick")
	}
	return blank
}
