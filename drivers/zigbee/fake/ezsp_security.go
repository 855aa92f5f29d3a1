package fake

import (
	"slices"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// Bits of EmberInitialSecurityState.
const (
	securityHashed       = 0x0084
	securityHaveKey      = 0x0100
	securityHaveNetwork  = 0x0200
	securityKeepCounters = 0x1000
)

// An ezspSecurity is what the next formNetwork will use.
type ezspSecurity struct {
	set          bool
	mode         uint16
	linkKey      radio.Key
	networkKey   radio.Key
	sequence     uint8
	keepCounters bool
	extended     uint16
}

// ezspKeyCounters are the frame counters of link keys, by device. Flash is too dear for them.
type ezspKeyCounters map[radio.IEEE]struct{ out, in uint32 }

// An ezspTransientKey lets a device join for a while.
type ezspTransientKey struct {
	device radio.IEEE // all ones: any
	key    radio.Key
	until  time.Time
}

// Values of EmberKeyType and sl_zb_sec_man_key_type.
const (
	keyTrustCenterLink = 1
	keyCurrentNetwork  = 3

	managedNetwork     = 1
	managedTrustCenter = 2
	managedTransient   = 3
	managedApplication = 4
)

// Bits of EmberKeyStruct.
const (
	keyHasSequence = 0x01
	keyHasOutgoing = 0x02
	keyHasIncoming = 0x04
	keyHasPartner  = 0x08
)

const anyDevice = ^radio.IEEE(0)

func securityCommands() []ezspCommand {
	return []ezspCommand{
		{id: 0x0068, run: (*ezsp).setInitialSecurity},
		{id: 0x0069, run: (*ezsp).getCurrentSecurity},
		{id: 0x006a, until: 12, run: (*ezsp).getKey},
		{id: 0x0071, until: 12, run: (*ezsp).getKeyTableEntry},
		{id: 0x0072, until: 12, run: (*ezsp).setKeyTableEntry},
		{id: 0x0066, until: 12, run: (*ezsp).addOrUpdateKeyTableEntry},
		{id: 0x0075, run: (*ezsp).findKeyTableEntry},
		{id: 0x0076, run: (*ezsp).eraseKeyTableEntry},
		{id: 0x00b1, run: (*ezsp).clearKeyTable},
		{id: 0x00af, until: 12, run: (*ezsp).addTransientLinkKey},
		{id: 0x00ce, until: 12, run: (*ezsp).getTransientLinkKey},
		{id: 0x006b, run: func(e *ezsp, _ *ezspCall) { e.transient = nil }},
		{id: 0x0073, run: func(_ *ezsp, c *ezspCall) { c.in.key(); c.out.status(statusInvalidState) }}, // broadcastNextNetworkKey
		{id: 0x0074, run: func(_ *ezsp, c *ezspCall) { c.out.status(statusInvalidState) }},             // broadcastNetworkKeySwitch
		{id: 0x00a8, run: (*ezsp).removeDevice},
		{id: 0x010c, since: 12, run: (*ezsp).getAPSKeyInfo},
		{id: 0x010d, since: 12, run: (*ezsp).exportLinkKeyByEUI},
		{id: 0x010e, since: 12, run: (*ezsp).importLinkKey},
		{id: 0x010f, since: 12, run: (*ezsp).exportLinkKeyByIndex},
		{id: 0x0110, since: 12, run: (*ezsp).checkKeyContext},
		{id: 0x0111, since: 12, run: (*ezsp).importTransientKey},
		{id: 0x0112, since: 12, run: (*ezsp).exportTransientByIndex},
		{id: 0x0113, since: 12, run: (*ezsp).exportTransientByEUI},
		{id: 0x0114, since: 12, run: (*ezsp).exportKey},
		{id: 0x0115, since: 12, run: (*ezsp).importKey},
		{id: 0x0116, since: 13, run: (*ezsp).getNetworkKeyInfo},
		{id: 0x0128, since: 14, run: func(_ *ezsp, c *ezspCall) { c.in.u32() }}, // setIncomingTcLinkKeyFrameCounter
		{id: 0x006f, run: (*ezsp).aesMMOHash},
	}
}

func (e *ezsp) setInitialSecurity(c *ezspCall) {
	bits, linkKey, networkKey, sequence := c.in.u16(), c.in.key(), c.in.key(), c.in.u8()
	c.in.ieee()
	if e.stick.network != nil {
		c.out.status(statusInvalidState)
		return
	}
	if bits&securityHaveKey == 0 {
		linkKey = e.randomKey()
	}
	if bits&securityHaveNetwork == 0 {
		networkKey = e.randomKey()
	}
	extended := e.security.extended
	e.security = ezspSecurity{
		set: true, mode: bits & (securityHashed | 0x02), linkKey: linkKey, networkKey: networkKey, sequence: sequence,
		keepCounters: bits&securityKeepCounters != 0, extended: extended,
	}
	c.out.status(statusOK)
}

func (e *ezsp) randomKey() (k radio.Key) {
	for i := range k {
		k[i] = byte(e.stick.mesh.random.Uint32())
	}
	return k
}

func (e *ezsp) getCurrentSecurity(c *ezspCall) {
	if e.stick.network == nil {
		c.out.status(statusNotJoined)
		c.out.u16(0)
		c.out.ieee(0)
		return
	}
	t := e.trustCenter()
	c.out.status(statusOK)
	c.out.u16(t.mode)
	c.out.ieee(t.address)
}

// linkKey is the trust centre's answer to who wants in, see firmware.
func (e *ezsp) linkKey(device radio.IEEE, fresh bool) (radio.Key, bool) {
	t := e.trustCenter()
	if fresh {
		return e.freshLinkKey(device, t)
	}
	policy := e.policy(policyTrustCenter)
	if policy&joinAllow == 0 {
		return radio.Key{}, false
	}
	e.expireTransientKeys()
	var usual *radio.Key
	for i, k := range e.transient {
		switch {
		case k.device == device:
			return k.key, true
		case k.device == anyDevice && policy&joinInstallCodes == 0:
			usual = &e.transient[i].key
		}
	}
	if usual != nil {
		return *usual, true
	}
	if policy&joinInstallCodes != 0 {
		return radio.Key{}, false
	}
	if i := e.findLinkKey(device, false); i >= 0 {
		k, _ := e.linkKeyAt(i)
		return k.key, true
	}
	return e.deviceKey(device, t), true
}

// deviceKey is the link key that the trust centre has for a device without an entry of its own.
func (e *ezsp) deviceKey(device radio.IEEE, t ezspTrustCenter) radio.Key {
	if t.mode&securityHashed == securityHashed {
		w := ezspWriter{}
		w.ieee(device)
		return mmoHMAC(t.key, w.b)
	}
	return t.key
}

func (e *ezsp) freshLinkKey(device radio.IEEE, t ezspTrustCenter) (radio.Key, bool) {
	established := func(status uint8) {
		e.later(func() {
			e.callback(indication, 0x009b, func(w *ezspWriter) {
				w.ieee(device)
				w.u8(status)
			})
		})
	}
	switch e.policy(policyKeyRequest) {
	case decisionCurrentKey:
		established(0x06) // the trust centre has answered the request
		return e.deviceKey(device, t), true
	case decisionGenerateKeys:
		i := e.findLinkKey(device, true)
		if i < 0 {
			established(0x05) // the table is full
			return radio.Key{}, false
		}
		key := e.randomKey()
		e.storeLinkKey(i, ezspLinkKey{device: device, key: key})
		established(0x34) // the device has proved that it has the key
		return key, true
	}
	return radio.Key{}, false
}

func (e *ezsp) expireTransientKeys() {
	now := time.Now()
	e.transient = slices.DeleteFunc(e.transient, func(k ezspTransientKey) bool { return !now.Before(k.until) })
}

// addTransient keeps a key for as long as the host has configured.
func (e *ezsp) addTransient(device radio.IEEE, key radio.Key) ezspStatus {
	e.expireTransientKeys()
	e.transient = slices.DeleteFunc(e.transient, func(k ezspTransientKey) bool { return k.device == device })
	if len(e.transient) >= 10 {
		return statusFull
	}
	until := time.Now().Add(time.Duration(e.config[configTransientTimeout]) * time.Second)
	e.transient = append(e.transient, ezspTransientKey{device: device, key: key, until: until})
	return statusOK
}

func (e *ezsp) importTransientKey(c *ezspCall) {
	device, key := c.in.ieee(), c.in.key()
	if e.version < 14 {
		c.in.u8()
	}
	c.out.u32(uint32(e.addTransient(device, key)))
}

func (e *ezsp) addTransientLinkKey(c *ezspCall) {
	c.out.status(e.addTransient(c.in.ieee(), c.in.key()))
}

func (e *ezsp) getTransientLinkKey(c *ezspCall) {
	device := c.in.ieee()
	e.expireTransientKeys()
	for _, k := range e.transient {
		if k.device == device {
			c.out.status(statusOK)
			c.out.ieee(device)
			c.out.key(k.key)
			c.out.u16(0)
			c.out.u16(uint16(time.Until(k.until) / time.Second))
			return
		}
	}
	c.out.status(statusNotFound)
	c.out.bytes(make([]byte, 28))
}

func (e *ezsp) removeDevice(c *ezspCall) {
	node := radio.NWK(c.in.u16())
	c.in.ieee()
	device := c.in.ieee()
	if e.stick.network == nil {
		c.out.status(statusNetworkDown)
		return
	}
	e.nextAPS++
	request := zdo.LeaveRequest{Sequence: e.nextAPS | 0x80, IEEE: device} // the upper half is the stack's own
	e.removing[request.Sequence] = true
	e.stick.send(radio.Message{Address: node, Cluster: request.Cluster(), Data: request.Append(nil)}, nil)
	c.out.status(statusOK)
}

func (e *ezsp) aesMMOHash(c *ezspCall) {
	result, length := c.in.bytes(16), c.in.u32()
	finalize, data := c.in.flag(), c.in.counted()
	if !finalize || length != 0 {
		c.out.status(statusInvalidParameter)
		c.out.bytes(result)
		c.out.u32(length)
		return
	}
	hash := mmo(data)
	c.out.status(statusOK)
	c.out.bytes(hash[:])
	c.out.u32(uint32(len(data)))
}
