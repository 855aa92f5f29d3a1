package fake

import (
	"encoding/binary"
	"slices"
)

// The values of EzspConfigId that mean something here.
const (
	configBufferCount      = 0x01
	configNeighborTable    = 0x02
	configAPSUnicasts      = 0x03
	configBindingTable     = 0x04
	configAddressTable     = 0x05
	configMulticastTable   = 0x06
	configStackProfile     = 0x0c
	configSecurityLevel    = 0x0d
	configChildren         = 0x11
	configTrustCenterCache = 0x19
	configSourceRoutes     = 0x1a
	configKeyTable         = 0x1e
	configZDOFlags         = 0x2a
	configBroadcastTable   = 0x2b
	configNetworks         = 0x2d
	configTransientTimeout = 0x36
)

// Flags of configZDOFlags: what the host hears of ZDO requests to the stick.
const (
	zdoFlagSupported   = 0x01
	zdoFlagUnsupported = 0x02
)

// Values of EzspPolicyId and decisions.
const (
	policyTrustCenter     = 0x00
	policyMessageContents = 0x04
	policyKeyRequest      = 0x05

	decisionContents     = 0x41
	decisionDenyKeys     = 0x50
	decisionCurrentKey   = 0x51
	decisionGenerateKeys = 0x52

	joinAllow        = 0x01
	joinInstallCodes = 0x10
)

// Values of EzspValueId that are more than bytes to keep.
const (
	valueHeap             = 0x03
	valueTokenWriting     = 0x07
	valueExtendedSecurity = 0x0a
	valueNodeID           = 0x0b
	valueEndpointFlags    = 0x0f
	valueVersion          = 0x11
	valueFrameCounter     = 0x23
	valueAPSFrameCounter  = 0x24
	valueOpenFor          = 0x42
	valueKeyStorage       = 0x44
)

func configCommands() []ezspCommand {
	return []ezspCommand{
		{id: 0x0000, run: (*ezsp).agree},
		{id: 0x0002, run: (*ezsp).addEndpoint},
		{id: 0x0003, run: (*ezsp).getExtendedValue},
		{id: 0x0005, run: func(*ezsp, *ezspCall) {}}, // nop
		{id: 0x0047, run: func(_ *ezsp, c *ezspCall) { c.out.status(statusNotAvailable); c.out.counted(nil) }}, // customFrame
		{id: 0x0013, run: func(_ *ezsp, c *ezspCall) { c.out.status(statusNotAvailable); c.out.u32(0) }},       // getXncpInfo
		{id: 0x0052, run: (*ezsp).getConfiguration},
		{id: 0x0053, run: (*ezsp).setConfiguration},
		{id: 0x0055, run: (*ezsp).setPolicy},
		{id: 0x0056, run: (*ezsp).getPolicy},
		{id: 0x0081, run: func(_ *ezsp, c *ezspCall) { c.out.counted(c.in.counted()) }}, // echo
		{id: 0x00aa, run: (*ezsp).getValue},
		{id: 0x00ab, run: (*ezsp).setValue},
		{id: 0x0105, since: 12, run: func(_ *ezsp, c *ezspCall) { c.in.u16(); c.out.status(statusOK) }}, // setPassiveAckConfig
		{id: 0x012e, since: 14, run: (*ezsp).getEndpoint},
		{id: 0x012f, since: 14, run: func(e *ezsp, c *ezspCall) { c.out.u8(uint8(len(e.endpoints))) }},
		{id: 0x0130, since: 14, run: (*ezsp).getEndpointDescription},
		{id: 0x0131, since: 14, run: (*ezsp).getEndpointCluster},
	}
}

// agree is the version command: nothing else is done before the host has named this version.
func (e *ezsp) agree(c *ezspCall) {
	e.agreed = c.in.u8() == e.version
	c.out.u8(e.version)
	c.out.u8(2) // the mesh stack
	c.out.u16(uint16(e.release[0])<<12 | uint16(e.release[1])<<8 | uint16(e.release[2])<<4 | uint16(e.release[3]))
}

func (e *ezsp) defaultConfig() map[uint8]uint16 {
	c := map[uint8]uint16{
		configNeighborTable: 26, configAPSUnicasts: 32, configBindingTable: 32, configAddressTable: 12, configMulticastTable: 16,
		0x07: 16, 0x08: 8, configStackProfile: 0, configSecurityLevel: 5, 0x10: 30, configChildren: 32, 0x12: 3000, 0x13: 8,
		0x17: 0, 0x18: 0, configTrustCenterCache: 0, configSourceRoutes: 100, 0x1c: 1, 0x1d: 0, configKeyTable: 12, 0x1f: 1600,
		0x20: 0, 0x22: 2, 0x24: 0, 0x29: 0, configZDOFlags: 0, configBroadcastTable: 15, 0x2c: 0, configNetworks: 1,
		0x2e: 0, 0x2f: 0, 0x30: 0, 0x33: 0, 0x34: 16, 0x35: 14, configTransientTimeout: 300, 0x37: 0xff, 0x38: 90, 0x39: 0,
		0x40: 0, 0x41: 5, 0x42: 0,
	}
	if e.version >= 14 {
		c[0x43] = 0
	}
	if e.version < 9 {
		c[configBufferCount] = 64
	}
	if e.options.KeyTable > 0 {
		c[configKeyTable] = uint16(e.options.KeyTable)
	}
	if e.options.APSMessages > 0 {
		c[configAPSUnicasts] = uint16(e.options.APSMessages)
	}
	return c
}

func (e *ezsp) getConfiguration(c *ezspCall) {
	value, ok := e.config[c.in.u8()]
	if !ok {
		c.out.config(ezspInvalidID)
		c.out.u16(0)
		return
	}
	c.out.config(ezspConfigOK)
	c.out.u16(value)
}

func (e *ezsp) setConfiguration(c *ezspCall) {
	id, value := c.in.u8(), c.in.u16()
	before, ok := e.config[id]
	status := ezspConfigOK
	switch id {
	case configNeighborTable, configAPSUnicasts, configBindingTable, configAddressTable, configMulticastTable, 0x07, 0x08, configChildren,
		configTrustCenterCache, configSourceRoutes, configKeyTable, configBroadcastTable:
		switch {
		case e.started || len(e.endpoints) > 0:
			status = ezspInvalidCall // memory is given out
		case value > before && (e.options.SmallHeap || value > 254):
			status = ezspOutOfMemory
		}
	case configNetworks:
		if value != 1 {
			status = ezspInvalidValue
		}
	case 0x29, 0x41, 0x42: // read only
		status = ezspInvalidID
	}
	if !ok {
		status = ezspInvalidID
	}
	if status == ezspConfigOK && id != configBufferCount {
		e.config[id] = value
	}
	c.out.config(status)
}

func (e *ezsp) setPolicy(c *ezspCall) {
	id := c.in.u8()
	decision := uint16(c.in.u8())
	if len(c.in.rest) > 0 {
		decision |= uint16(c.in.u8()) << 8
	}
	if id > 0x09 {
		c.out.config(ezspInvalidID)
		return
	}
	e.policies[id] = decision
	c.out.config(ezspConfigOK)
}

func (e *ezsp) getPolicy(c *ezspCall) {
	id := c.in.u8()
	if id > 0x09 {
		c.out.config(ezspInvalidID)
		c.out.u8(0)
		return
	}
	c.out.config(ezspConfigOK)
	c.out.u8(uint8(e.policy(id)))
}

// policy is a decision of the host, or the firmware's own.
func (e *ezsp) policy(id uint8) uint16 {
	if decision, ok := e.policies[id]; ok {
		return decision
	}
	return map[uint8]uint16{0x00: 0x00, 0x01: 0x10, 0x02: 0x20, 0x03: 0x30, 0x04: 0x40, 0x05: 0x50, 0x06: 0x60, 0x07: 0x62}[id]
}

// value is what getValue gives; false: there is no such value in this version, or it cannot be read.
func (e *ezsp) value(id uint8) ([]byte, bool) {
	switch id {
	case valueHeap:
		return []byte{0x00, 0x20}, true
	case valueVersion:
		return []byte{0xb4, 0x01, e.release[0], e.release[1], e.release[2], e.release[3], 0xaa}, true // build 436, generally available
	case valueExtendedSecurity:
		return binary.LittleEndian.AppendUint16(nil, e.trustCenter().extended), true
	case valueNodeID:
		return []byte{0, 0}, true
	case valueFrameCounter:
		return binary.LittleEndian.AppendUint32(nil, e.frameCounter()), true
	case valueAPSFrameCounter:
		return binary.LittleEndian.AppendUint32(nil, e.apsFrameCounter()), true
	case valueOpenFor:
		if e.version < 9 {
			return nil, false
		}
		return binary.LittleEndian.AppendUint16(nil, e.openFor()), true
	case valueKeyStorage:
		return []byte{0}, e.version >= 12
	}
	if kept, ok := e.values[id]; ok {
		return kept, true
	}
	preset, ok := map[uint8][]byte{
		0x01: {0}, 0x02: {0, 0}, 0x04: {0}, 0x05: {82, 0}, 0x06: {82, 0}, valueTokenWriting: {1}, 0x08: {0}, 0x0d: {0}, 0x0e: {0}, 0x10: {0, 0, 0, 0},
		0x13: {0}, 0x14: {0}, 0x15: {0xb5}, 0x29: {0}, 0x30: {0}, 0x31: {0}, 0x3a: {0}, 0x3b: {0x2c, 0x01}, 0x3d: {8}, 0x3e: {0xff, 0xff}, 0x3f: {3},
		0x41: {0}, 0x43: {0x10, 0x27}, 0x45: {0},
	}[id]
	switch {
	case id >= 0x43 && e.version < 9, id == 0x45 && e.version < 13:
		return nil, false
	}
	return preset, ok
}

func (e *ezsp) getValue(c *ezspCall) {
	value, ok := e.value(c.in.u8())
	if !ok {
		c.out.config(ezspInvalidID)
	} else {
		c.out.config(ezspConfigOK)
	}
	c.out.counted(value)
}

func (e *ezsp) setValue(c *ezspCall) {
	id := c.in.u8()
	value := slices.Clone(c.in.counted())
	status := ezspConfigOK
	switch id {
	case valueFrameCounter, valueAPSFrameCounter:
		switch {
		case len(value) != 4:
			status = ezspInvalidValue
		case e.stick.network != nil:
			status = ezspInvalidCall
		case id == valueFrameCounter:
			e.storeFrameCounter(binary.LittleEndian.Uint32(value))
		default:
			e.storeAPSFrameCounter(binary.LittleEndian.Uint32(value))
		}
	case valueExtendedSecurity:
		if len(value) != 2 {
			status = ezspInvalidValue
			break
		}
		e.security.extended = binary.LittleEndian.Uint16(value)
	case 0x0c, 0x17, 0x18, 0x19: // write only, without effect here
	case valueEndpointFlags:
		if len(value) != 3 || !slices.ContainsFunc(e.endpoints, func(d endpointDescription) bool { return d.ID == value[0] }) {
			status = ezspInvalidValue
		}
	case valueHeap, valueVersion, valueNodeID, valueOpenFor, valueKeyStorage, 0x08, 0x13, 0x41:
		status = ezspInvalidID // read only
	default:
		now, ok := e.value(id)
		switch {
		case !ok:
			status = ezspInvalidID
		case len(value) == 0:
			status = ezspInvalidValue
		default:
			kept := make([]byte, len(now)) // it takes as many bytes as it needs, whatever the host calls the length
			copy(kept, value)
			e.values[id] = kept
		}
	}
	c.out.config(status)
}

func (e *ezsp) getExtendedValue(c *ezspCall) {
	id, of := c.in.u8(), c.in.u32()
	switch {
	case id == 0x00 && slices.ContainsFunc(e.endpoints, func(d endpointDescription) bool { return uint32(d.ID) == of }):
		c.out.config(ezspConfigOK)
		c.out.counted([]byte{1, 0}) // it can be found
	case id == 0x00:
		c.out.config(ezspInvalidValue)
		c.out.counted([]byte{0xff, 0xff})
	case id == 0x01: // the last reason to leave
		c.out.config(ezspConfigOK)
		c.out.counted([]byte{0, 0xfd, 0xff})
	case id == 0x02: // bytes that a source route takes
		c.out.config(ezspConfigOK)
		c.out.counted([]byte{0})
	default:
		c.out.config(ezspInvalidID)
		c.out.counted(nil)
	}
}

func (e *ezsp) addEndpoint(c *ezspCall) {
	d := endpointDescription{ID: c.in.u8(), Profile: c.in.u16(), Device: c.in.u16(), Version: c.in.u8()}
	inputs, outputs := int(c.in.u8()), int(c.in.u8())
	d.In, d.Out = c.in.list(inputs), c.in.list(outputs)
	switch {
	case e.started || c.in.short:
		c.out.config(ezspInvalidCall)
	case d.ID == 0 || d.ID == 0xff || !e.stick.register(d):
		c.out.config(ezspInvalidValue)
	default:
		e.endpoints = append(e.endpoints, d)
		c.out.config(ezspConfigOK)
	}
}

func (e *ezsp) getEndpoint(c *ezspCall) {
	if i := int(c.in.u8()); i < len(e.endpoints) {
		c.out.u8(e.endpoints[i].ID)
		return
	}
	c.out.u8(0xff)
}

func (e *ezsp) endpoint(id uint8) endpointDescription {
	for _, d := range e.endpoints {
		if d.ID == id {
			return d
		}
	}
	return endpointDescription{}
}

func (e *ezsp) getEndpointDescription(c *ezspCall) {
	d := e.endpoint(c.in.u8())
	c.out.list(d.Profile, d.Device)
	c.out.u8(d.Version)
	c.out.u8(uint8(len(d.In)))
	c.out.u8(uint8(len(d.Out)))
}

func (e *ezsp) getEndpointCluster(c *ezspCall) {
	d := e.endpoint(c.in.u8())
	list := d.In
	if c.in.u8() != 0 {
		list = d.Out
	}
	if i := int(c.in.u8()); i < len(list) {
		c.out.u16(list[i])
		return
	}
	c.out.u16(0xffff)
}
