package fake

import (
	"time"

	"hearth/drivers/zigbee/radio"
)

// An ezspContext is an sl_zb_sec_man_context: which key is meant.
type ezspContext struct {
	kind, index uint8
	derived     uint16
	device      radio.IEEE
	network     uint8
	flags       uint8
	algorithm   uint32
}

func (c *ezspCall) context() (k ezspContext) {
	k.kind, k.index = c.in.u8(), c.in.u8()
	if c.out.version >= 13 {
		k.derived = c.in.u16()
	} else {
		k.derived = uint16(c.in.u8())
	}
	k.device, k.network, k.flags, k.algorithm = c.in.ieee(), c.in.u8(), c.in.u8(), c.in.u32()
	return k
}

func (w *ezspWriter) context(k ezspContext) {
	w.u8(k.kind)
	w.u8(k.index)
	if w.version >= 13 {
		w.u16(k.derived)
	} else {
		w.u8(uint8(k.derived))
	}
	w.ieee(k.device)
	w.u8(k.network)
	w.u8(k.flags)
	w.u32(k.algorithm)
}

// metadata writes an sl_zb_sec_man_aps_key_metadata.
func (w *ezspWriter) metadata(bits uint16, out, in uint32, seconds uint16) {
	w.u16(bits)
	w.u32(out)
	w.u32(in)
	w.u16(seconds)
}

// managed is the key that a context means.
func (e *ezsp) managed(k ezspContext) (radio.Key, ezspStatus) {
	switch k.kind {
	case managedNetwork:
		_, key, _, ok := e.storedNetwork()
		if ok && k.index == 0 {
			return key, statusOK
		}
	case managedTrustCenter:
		if _, ok := e.token(tokenTrustCenter, 0); ok {
			return e.trustCenter().key, statusOK
		}
	case managedTransient:
		e.expireTransientKeys()
		for i, t := range e.transient {
			if k.flags&2 != 0 && t.device == k.device || k.flags&2 == 0 && i == int(k.index) {
				return t.key, statusOK
			}
		}
	case managedApplication:
		if entry, ok := e.linkKeyAt(int(k.index)); ok {
			return entry.key, statusOK
		}
	default:
		return radio.Key{}, statusInvalidParameter
	}
	return radio.Key{}, statusNotFound
}

func (e *ezsp) exportKey(c *ezspCall) {
	k := c.context()
	key, status := e.managed(k)
	if e.version < 14 {
		c.out.key(key)
		c.out.u32(uint32(status))
		return
	}
	c.out.u32(uint32(status))
	c.out.key(key)
	c.out.context(k)
}

func (e *ezsp) importKey(c *ezspCall) {
	k := c.context()
	key := c.in.key()
	status := statusOK
	switch {
	case k.kind == managedApplication && int(k.index) < int(e.config[configKeyTable]):
		e.storeLinkKey(int(k.index), ezspLinkKey{device: k.device, key: key})
	case k.kind == managedTransient:
		status = e.addTransient(k.device, key)
	case k.kind == managedTrustCenter && e.stick.network == nil:
		t := e.trustCenter()
		t.key = key
		e.storeTrustCenter(t)
	case k.kind == managedApplication:
		status = statusInvalidIndex
	default:
		status = statusInvalidState
	}
	c.out.u32(uint32(status))
	if e.version >= 14 {
		c.out.context(k)
	}
}

func (e *ezsp) checkKeyContext(c *ezspCall) {
	_, status := e.managed(c.context())
	c.out.u32(uint32(status))
}

func (e *ezsp) getNetworkKeyInfo(c *ezspCall) {
	_, _, sequence, ok := e.storedNetwork()
	c.out.u32(uint32(statusOK))
	c.out.flag(ok)
	c.out.flag(false)
	c.out.u8(sequence)
	c.out.u8(0)
	c.out.u32(e.frameCounter())
}

func (e *ezsp) getAPSKeyInfo(c *ezspCall) {
	k := c.context()
	_, status := e.managed(k)
	counters := e.counters[k.device]
	if e.version < 14 {
		c.out.ieee(k.device)
		c.out.metadata(keyHasOutgoing|keyHasIncoming, counters.out, counters.in, 0)
		c.out.u32(uint32(status))
		return
	}
	c.out.u32(uint32(status))
	c.out.metadata(keyHasOutgoing|keyHasIncoming, counters.out, counters.in, 0)
	c.out.context(k)
}

func (e *ezsp) importLinkKey(c *ezspCall) {
	index, device, key := int(c.in.u8()), c.in.ieee(), c.in.key()
	if index >= int(e.config[configKeyTable]) {
		c.out.u32(uint32(statusInvalidIndex))
		return
	}
	e.storeLinkKey(index, ezspLinkKey{device: device, key: key})
	c.out.u32(uint32(statusOK))
}

// exportLink says an entry of the key table in the form of the version.
func (e *ezsp) exportLink(c *ezspCall, index int, byDevice bool, entry ezspLinkKey, status ezspStatus) {
	counters := e.counters[entry.device]
	metadata := func() {
		c.out.metadata(keyHasOutgoing|keyHasIncoming|keyHasPartner, counters.out, counters.in, 0)
	}
	switch {
	case e.version >= 14:
		c.out.u32(uint32(status))
		c.out.context(ezspContext{kind: managedApplication, index: uint8(index), device: entry.device, flags: 3})
		c.out.key(entry.key)
		metadata()
	case byDevice:
		c.out.key(entry.key)
		c.out.u8(uint8(index))
		metadata()
		c.out.u32(uint32(status))
	default:
		c.out.ieee(entry.device)
		c.out.key(entry.key)
		metadata()
		c.out.u32(uint32(status))
	}
}

func (e *ezsp) exportLinkKeyByIndex(c *ezspCall) {
	index := int(c.in.u8())
	entry, ok := e.linkKeyAt(index)
	status := statusOK
	switch {
	case index >= int(e.config[configKeyTable]):
		status, entry = statusInvalidIndex, ezspLinkKey{}
	case !ok:
		status = statusNotFound
	}
	e.exportLink(c, index, false, entry, status)
}

func (e *ezsp) exportLinkKeyByEUI(c *ezspCall) {
	index := e.findLinkKey(c.in.ieee(), false)
	if index < 0 {
		e.exportLink(c, 0xff, true, ezspLinkKey{}, statusNotFound)
		return
	}
	entry, _ := e.linkKeyAt(index)
	e.exportLink(c, index, true, entry, statusOK)
}

func (e *ezsp) exportTransient(c *ezspCall, match func(i int, k ezspTransientKey) bool) {
	e.expireTransientKeys()
	found, status := ezspTransientKey{}, statusNotFound
	for i, k := range e.transient {
		if match(i, k) {
			found, status = k, statusOK
			break
		}
	}
	var seconds uint16
	if status == statusOK {
		seconds = uint16(time.Until(found.until) / time.Second)
	}
	context := ezspContext{kind: managedTransient, device: found.device, flags: 2}
	if e.version >= 14 {
		c.out.u32(uint32(status))
	}
	c.out.context(context)
	c.out.key(found.key)
	c.out.metadata(0, 0, 0, seconds)
	if e.version < 14 {
		c.out.u32(uint32(status))
	}
}

func (e *ezsp) exportTransientByIndex(c *ezspCall) {
	index := int(c.in.u8())
	e.exportTransient(c, func(i int, _ ezspTransientKey) bool { return i == index })
}

func (e *ezsp) exportTransientByEUI(c *ezspCall) {
	device := c.in.ieee()
	e.exportTransient(c, func(_ int, k ezspTransientKey) bool { return k.device == device })
}

// keyStruct writes an EmberKeyStruct.
func (w *ezspWriter) keyStruct(bits uint16, kind uint8, key radio.Key, out, in uint32, sequence uint8, partner radio.IEEE) {
	w.u16(bits)
	w.u8(kind)
	w.key(key)
	w.u32(out)
	w.u32(in)
	w.u8(sequence)
	w.ieee(partner)
}

func (e *ezsp) getKey(c *ezspCall) {
	_, key, sequence, ok := e.storedNetwork()
	kind := c.in.u8()
	switch {
	case ok && kind == keyCurrentNetwork:
		c.out.status(statusOK)
		c.out.keyStruct(keyHasSequence|keyHasOutgoing, kind, key, e.frameCounter(), 0, sequence, 0)
	case ok && kind == keyTrustCenterLink:
		c.out.status(statusOK)
		c.out.keyStruct(keyHasOutgoing|keyHasPartner, kind, e.trustCenter().key, e.apsFrameCounter(), 0, 0, anyDevice)
	default:
		c.out.status(statusNotFound)
		c.out.keyStruct(0, kind, radio.Key{}, 0, 0, 0, 0)
	}
}

func (e *ezsp) getKeyTableEntry(c *ezspCall) {
	index := int(c.in.u8())
	entry, ok := e.linkKeyAt(index)
	switch {
	case index >= int(e.config[configKeyTable]):
		c.out.status(statusInvalidIndex)
		entry = ezspLinkKey{}
	case !ok:
		c.out.u8(0xb6) // TABLE_ENTRY_ERASED
	default:
		c.out.status(statusOK)
	}
	counters := e.counters[entry.device]
	c.out.keyStruct(keyHasOutgoing|keyHasIncoming|keyHasPartner, 5, entry.key, counters.out, counters.in, 0, entry.device)
}

func (e *ezsp) setKeyTableEntry(c *ezspCall) {
	index, device := int(c.in.u8()), c.in.ieee()
	c.in.flag()
	key := c.in.key()
	if index >= int(e.config[configKeyTable]) {
		c.out.status(statusInvalidIndex)
		return
	}
	e.storeLinkKey(index, ezspLinkKey{device: device, key: key})
	c.out.status(statusOK)
}

func (e *ezsp) addOrUpdateKeyTableEntry(c *ezspCall) {
	device := c.in.ieee()
	c.in.flag()
	key := c.in.key()
	index := e.findLinkKey(device, true)
	if index < 0 {
		c.out.status(statusFull)
		return
	}
	e.storeLinkKey(index, ezspLinkKey{device: device, key: key})
	c.out.status(statusOK)
}

func (e *ezsp) findKeyTableEntry(c *ezspCall) {
	device := c.in.ieee()
	c.in.flag()
	c.out.u8(uint8(e.findLinkKey(device, false))) // -1 is 0xff, as it should
}

func (e *ezsp) eraseKeyTableEntry(c *ezspCall) {
	index := int(c.in.u8())
	if index >= int(e.config[configKeyTable]) {
		c.out.status(statusInvalidIndex)
		return
	}
	e.deleteToken(tokenLinkKey, index)
	c.out.status(statusOK)
}

func (e *ezsp) clearKeyTable(c *ezspCall) {
	for i := range int(e.config[configKeyTable]) {
		e.deleteToken(tokenLinkKey, i)
	}
	c.out.status(statusOK)
}

// mmoHMAC is the keyed hash of the Zigbee specification (B.1.4), with which a trust centre makes its devices' keys out of one.
func mmoHMAC(key radio.Key, data []byte) radio.Key {
	inner, outer := make([]byte, 16), make([]byte, 16)
	for i, b := range key {
		inner[i], outer[i] = b^0x36, b^0x5c
	}
	first := mmo(append(inner, data...))
	return mmo(append(outer, first[:]...))
}
