package ezsp

import "hearth/drivers/zigbee/radio"

// The versions of EZSP that are known. What is newer is spoken to as newestVersion.
const (
	oldestVersion  = 8  // EmberZNet 6.7, the first with the extended header
	tokensVersion  = 9  // NVM3 tokens, children that can be restored
	managedVersion = 13 // EmberZNet 7.4: keys go through the security manager
	wideVersion    = 14 // EmberZNet 8.0: sl_status_t, tags of two bytes, other orders
	newestVersion  = 18

	agingVersion = 10 // the data of a child has the time that it has left
)

// A dialect is all in which one version of EZSP differs from another.
type dialect struct{ version uint8 }

func (d dialect) wide() bool    { return d.version >= wideVersion }
func (d dialect) managed() bool { return d.version >= managedVersion }

// status reads what was an EmberStatus before version 14.
func (d dialect) status(r *reader) status {
	if d.wide() {
		return slStatus(r.u32())
	}
	return emberStatus(r.u8())
}

// configStatus reads what was an EzspStatus before version 14.
func (d dialect) configStatus(r *reader) status {
	if d.wide() {
		return slStatus(r.u32())
	}
	return ezspStatus(r.u8())
}

// keyStatus reads the status of a command that stores a key: the security manager was ahead of the rest.
func (d dialect) keyStatus(r *reader) status {
	if d.managed() {
		return slStatus(r.u32())
	}
	return emberStatus(r.u8())
}

// maxTag is the highest tag of a message; they begin with 1.
func (d dialect) maxTag() uint16 {
	if d.wide() {
		return 0xffff
	}
	return 0xff
}

func (d dialect) putTag(b []byte, tag uint16) []byte {
	if d.wide() {
		return put16(b, tag)
	}
	return append(b, byte(tag))
}

const (
	noAlias          = 0xffff
	everywhere uint8 = 7 // hops beyond the members of a group: no limit
)

// unicast writes the parameters of sendUnicast.
func (d dialect) unicast(to radio.NWK, aps apsFrame, tag uint16, data []byte) []byte {
	b := aps.append(put16([]byte{outgoingDirect}, uint16(to)))
	return putCounted(d.putTag(b, tag), data)
}

// multicast writes the parameters of sendMulticast.
func (d dialect) multicast(aps apsFrame, radius uint8, tag uint16, data []byte) []byte {
	b := append(aps.append(nil), radius)
	if d.wide() {
		b = append(put16(put16(b, uint16(radio.BroadcastAwake)), noAlias), 0)
	} else {
		b = append(b, everywhere)
	}
	return putCounted(d.putTag(b, tag), data)
}

// broadcast writes the parameters of sendBroadcast.
func (d dialect) broadcast(to radio.NWK, aps apsFrame, radius uint8, tag uint16, data []byte) []byte {
	var b []byte
	if d.wide() {
		b = append(put16(put16(nil, noAlias), uint16(to)), 0)
	} else {
		b = put16(nil, uint16(to))
	}
	b = append(aps.append(b), radius)
	return putCounted(d.putTag(b, tag), data)
}

// A sentReport says what became of a message.
type sentReport struct {
	kind     uint8
	tag      uint16
	sequence uint8 // of the APS layer
	status   status
}

// sent reads messageSentHandler.
func (d dialect) sent(body []byte) (s sentReport, ok bool) {
	r := &reader{rest: body}
	if d.wide() {
		s.status = d.status(r)
	}
	s.kind = r.u8()
	r.u16() // to whom
	s.sequence = r.apsFrame().sequence
	if d.wide() {
		s.tag = r.u16()
	} else {
		s.tag = uint16(r.u8())
		s.status = d.status(r)
	}
	return s, !r.short
}

// An arrival is a message that was received.
type arrival struct {
	kind   uint8
	aps    apsFrame
	sender radio.NWK
	ieee   radio.IEEE // of the sender, 0 if not told
	lqi    uint8
	rssi   int8
	data   []byte
}

// arrived reads incomingMessageHandler.
func (d dialect) arrived(body []byte) (a arrival, ok bool) {
	r := &reader{rest: body}
	a.kind, a.aps = r.u8(), r.apsFrame()
	if d.wide() {
		a.sender, a.ieee = r.nwk(), r.ieee()
		r.u16() // index in the tables of bindings and addresses
		a.lqi, a.rssi = r.u8(), int8(r.u8())
		r.u32() // when
	} else {
		a.lqi, a.rssi, a.sender = r.u8(), int8(r.u8()), r.nwk()
		r.u16()
	}
	a.data = r.counted()
	return a, !r.short
}

// leave writes the parameters of leaveNetwork.
func (d dialect) leave() []byte {
	if d.wide() {
		return []byte{0} // no options
	}
	return nil
}

// askKey asks for the network key, or for the trust centre's link key.
func (d dialect) askKey(network bool) (command, []byte) {
	kind := uint8(keyTrustCentre)
	switch {
	case d.managed() && network:
		kind = managedNetworkKey
	case d.managed():
		kind = managedTrustCentreKey
	case network:
		kind = keyNetwork
	}
	if d.managed() {
		return cmdExportKey, keyContext(nil, kind, 0)
	}
	return cmdGetKey, []byte{kind}
}

// key reads the answer to askKey. The security manager tells counters by itself, see getNetworkKeyInfo.
func (d dialect) key(r *reader) (k linkKey, s status) {
	switch {
	case d.wide():
		s = d.status(r)
		k.key = r.key()
	case d.managed():
		k.key = r.key()
		s = d.keyStatus(r)
	default:
		s = d.status(r)
		k = r.keyStruct()
	}
	return k, s
}

// askTableKey asks for an entry of the table of link keys.
func (d dialect) askTableKey(index uint8) (command, []byte) {
	if d.managed() {
		return cmdExportLinkKey, []byte{index}
	}
	return cmdGetKeyTableEntry, []byte{index}
}

// tableKey reads the answer to askTableKey.
func (d dialect) tableKey(r *reader) (k linkKey, s status) {
	switch {
	case d.wide():
		s = d.status(r)
		k.partner, k.key = r.keyContext(), r.key()
		r.keyMetadata(&k)
	case d.managed():
		k.partner, k.key = r.ieee(), r.key()
		r.keyMetadata(&k)
		s = d.keyStatus(r)
	default:
		s = d.status(r)
		k = r.keyStruct()
	}
	return k, s
}

// giveTableKey stores a link key; see keyStatus.
func (d dialect) giveTableKey(index uint8, partner radio.IEEE, key radio.Key) (command, []byte) {
	if d.managed() {
		return cmdImportLinkKey, putKey(putIEEE([]byte{index}, partner), key)
	}
	const isLinkKey = true
	return cmdAddOrUpdateKey, putKey(putBool(putIEEE(nil, partner), isLinkKey), key)
}

// giveTransientKey stores the key that a device may join with; see keyStatus.
func (d dialect) giveTransientKey(partner radio.IEEE, key radio.Key) (command, []byte) {
	b := putKey(putIEEE(nil, partner), key)
	switch {
	case d.wide():
		return cmdImportTransientKey, b
	case d.managed():
		return cmdImportTransientKey, append(b, 0) // no flags
	}
	return cmdAddTransientKey, b
}

// child writes the parameters of setChildData. It reports whether this version has that.
func (d dialect) child(index uint8, ieee radio.IEEE, nwk radio.NWK) ([]byte, bool) {
	if d.version < tokensVersion {
		return nil, false
	}
	b := append(putIEEE([]byte{index}, ieee), nodeSleepyEndDevice)
	b = append(put16(b, uint16(nwk)), 0, 0, 0) // the radio, its power, the timeout: as the stack finds them
	if d.version >= agingVersion {
		b = put32(b, 0)
	}
	return b, true
}
