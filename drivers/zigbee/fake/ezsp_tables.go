package fake

import (
	"bytes"
	"slices"

	"hearth/drivers/zigbee/radio"
)

// An ezspGroup is an entry of the multicast table; endpoint 0 is none.
type ezspGroup struct {
	id       uint16
	endpoint uint8
	network  uint8
}

// An ezspAddress is an entry of the address table.
type ezspAddress struct {
	device   radio.IEEE
	node     uint16
	extended bool // the device sleeps
}

// unusedNode is the node id of an entry of the address table that is not in use.
const unusedNode = 0xffff

func tableCommands() []ezspCommand {
	return []ezspCommand{
		{id: 0x002a, run: (*ezsp).clearBindings},
		{id: 0x002b, run: (*ezsp).setBinding},
		{id: 0x002c, run: (*ezsp).getBinding},
		{id: 0x002d, run: (*ezsp).deleteBinding},
		{id: 0x002e, run: func(_ *ezsp, c *ezspCall) { c.in.u8(); c.out.flag(false) }}, // bindingIsActive
		{id: 0x002f, run: func(_ *ezsp, c *ezspCall) { c.in.u8(); c.out.u16(0xfffd) }}, // getBindingRemoteNodeId
		{id: 0x0030, run: func(_ *ezsp, c *ezspCall) { c.in.bytes(3) }},                // setBindingRemoteNodeId
		{id: 0x006d, since: 19, run: func(_ *ezsp, c *ezspCall) { c.in.flag() }},       // clearBindingTableOnLeave
		{id: 0x004a, run: (*ezsp).getChildData},
		{id: 0x00ac, since: 9, run: (*ezsp).setChildData},
		{id: 0x0106, since: 12, run: (*ezsp).childID},
		{id: 0x0107, since: 12, run: (*ezsp).childIndex},
		{id: 0x005b, run: (*ezsp).addressIsActive},
		{id: 0x005c, until: 13, run: (*ezsp).setAddressEUI},
		{id: 0x005d, until: 13, run: (*ezsp).setAddressNode},
		{id: 0x005e, until: 13, run: (*ezsp).getAddressEUI},
		{id: 0x005f, until: 13, run: (*ezsp).getAddressNode},
		{id: 0x005c, since: 14, run: (*ezsp).setAddressInfo},
		{id: 0x005e, since: 14, run: (*ezsp).getAddressInfo},
		{id: 0x0082, run: (*ezsp).replaceAddress},
		{id: 0x007e, run: (*ezsp).setExtendedTimeout},
		{id: 0x007f, run: (*ezsp).getExtendedTimeout},
		{id: 0x0060, run: (*ezsp).lookupNode},
		{id: 0x0061, run: (*ezsp).lookupEUI},
		{id: 0x0063, run: (*ezsp).getGroup},
		{id: 0x0064, run: (*ezsp).setGroup},
		{id: 0x0079, run: (*ezsp).getNeighbor},
		{id: 0x007a, run: func(e *ezsp, c *ezspCall) { c.out.u8(uint8(len(e.neighbors()))) }},
		{id: 0x003e, since: 8, run: (*ezsp).getNeighborCounter},
		{id: 0x007b, run: (*ezsp).getRoute},
		{id: 0x00c1, run: (*ezsp).getSourceRoute},
		{id: 0x00c2, run: func(e *ezsp, c *ezspCall) { c.out.u8(uint8(len(e.recorded))) }},
		{id: 0x00c3, run: func(e *ezsp, c *ezspCall) { c.out.u8(uint8(e.config[configSourceRoutes])) }},
		{id: 0x0070, since: 7, run: func(*ezsp, *ezspCall) {}},                               // gpSinkTableInit
		{id: 0x00c9, run: func(_ *ezsp, c *ezspCall) { c.in.rest = nil; c.out.flag(false) }}, // gpProxyTableProcessGpPairing
	}
}

func (e *ezsp) setGroup(c *ezspCall) {
	index, g := int(c.in.u8()), ezspGroup{id: c.in.u16(), endpoint: c.in.u8()}
	if len(c.in.rest) > 0 {
		g.network = c.in.u8()
	}
	if index >= int(e.config[configMulticastTable]) {
		c.out.status(statusInvalidIndex)
		return
	}
	for len(e.groups) <= index {
		e.groups = append(e.groups, ezspGroup{})
	}
	e.groups[index] = g
	c.out.status(statusOK)
}

func (e *ezsp) getGroup(c *ezspCall) {
	index, g := int(c.in.u8()), ezspGroup{}
	status := statusOK
	switch {
	case index >= int(e.config[configMulticastTable]):
		status = statusInvalidIndex
	case index < len(e.groups):
		g = e.groups[index]
	}
	c.out.status(status)
	c.out.u16(g.id)
	c.out.u8(g.endpoint)
	c.out.u8(g.network)
}

// inGroup reports whether the host has asked for that group.
func (e *ezsp) inGroup(id uint16) bool {
	return slices.ContainsFunc(e.groups, func(g ezspGroup) bool { return g.endpoint != 0 && g.id == id })
}

// addressAt is the entry of the address table, nil if there is none with that index.
func (e *ezsp) addressAt(index int) *ezspAddress {
	if index >= int(e.config[configAddressTable]) {
		return nil
	}
	for len(e.addresses) <= index {
		e.addresses = append(e.addresses, ezspAddress{node: unusedNode})
	}
	return &e.addresses[index]
}

func (e *ezsp) addressIsActive(c *ezspCall) {
	a := e.addressAt(int(c.in.u8()))
	c.out.flag(a != nil && a.node < uint16(radio.BroadcastRouters))
}

func (e *ezsp) setAddressEUI(c *ezspCall) {
	a, device := e.addressAt(int(c.in.u8())), c.in.ieee()
	if a == nil {
		c.out.u8(0x6a) // ADDRESS_TABLE_INDEX_OUT_OF_RANGE
		return
	}
	a.device = device
	c.out.status(statusOK)
}

func (e *ezsp) setAddressNode(c *ezspCall) {
	a, node := e.addressAt(int(c.in.u8())), c.in.u16()
	if a != nil {
		a.node = node
	}
}

func (e *ezsp) getAddressEUI(c *ezspCall) {
	if a := e.addressAt(int(c.in.u8())); a != nil {
		c.out.ieee(a.device)
		return
	}
	c.out.ieee(anyDevice)
}

func (e *ezsp) getAddressNode(c *ezspCall) {
	if a := e.addressAt(int(c.in.u8())); a != nil {
		c.out.u16(a.node)
		return
	}
	c.out.u16(unusedNode)
}

func (e *ezsp) setAddressInfo(c *ezspCall) {
	a, device, node := e.addressAt(int(c.in.u8())), c.in.ieee(), c.in.u16()
	if a == nil {
		c.out.status(statusInvalidIndex)
		return
	}
	a.device, a.node = device, node
	c.out.status(statusOK)
}

func (e *ezsp) getAddressInfo(c *ezspCall) {
	a := e.addressAt(int(c.in.u8()))
	if a == nil {
		c.out.status(statusInvalidIndex)
		c.out.u16(unusedNode)
		c.out.ieee(0)
		return
	}
	c.out.status(statusOK)
	c.out.u16(a.node)
	c.out.ieee(a.device)
}

func (e *ezsp) replaceAddress(c *ezspCall) {
	a := e.addressAt(int(c.in.u8()))
	fresh := ezspAddress{device: c.in.ieee(), node: c.in.u16(), extended: c.in.flag()}
	if a == nil {
		c.out.status(statusInvalidIndex)
		c.out.bytes(make([]byte, 11))
		return
	}
	c.out.status(statusOK)
	c.out.ieee(a.device)
	c.out.u16(a.node)
	c.out.flag(a.extended)
	*a = fresh
}

func (e *ezsp) setExtendedTimeout(c *ezspCall) {
	device, extended := c.in.ieee(), c.in.flag()
	for i := range e.addresses {
		if e.addresses[i].device == device {
			e.addresses[i].extended = extended
		}
	}
	if e.version >= 14 {
		c.out.status(statusOK)
	}
}

func (e *ezsp) getExtendedTimeout(c *ezspCall) {
	device := c.in.ieee()
	extended := slices.ContainsFunc(e.addresses, func(a ezspAddress) bool { return a.device == device && a.extended })
	switch {
	case e.version < 14:
		c.out.flag(extended)
	case extended:
		c.out.status(statusOK)
	default:
		c.out.status(statusFail)
	}
}

func (e *ezsp) lookupNode(c *ezspCall) {
	device := c.in.ieee()
	node, ok := e.stick.nwkOf(device)
	switch {
	case device == e.address():
		node = radio.Coordinator
	case !ok:
		node = 0xffff
	}
	c.out.u16(uint16(node))
}

func (e *ezsp) lookupEUI(c *ezspCall) {
	node := radio.NWK(c.in.u16())
	device, ok := e.stick.ieeeOf(node)
	switch {
	case node == radio.Coordinator:
		c.out.status(statusOK)
		c.out.ieee(e.address())
	case !ok:
		c.out.status(statusFail)
		c.out.ieee(0)
	default:
		c.out.status(statusOK)
		c.out.ieee(device)
	}
}

func (e *ezsp) getChildData(c *ezspCall) {
	child, ok := e.childAt(int(c.in.u8()))
	if !ok {
		c.out.status(statusNotJoined)
		child = ezspChild{node: 0xffff}
	} else {
		c.out.status(statusOK)
	}
	c.out.ieee(child.device)
	c.out.u8(child.kind)
	c.out.u16(uint16(child.node))
	c.out.bytes([]byte{0, 0, uint8(e.config[0x13])})
	if e.version >= 10 {
		c.out.u32(900)
	}
}

func (e *ezsp) setChildData(c *ezspCall) {
	index := int(c.in.u8())
	child := ezspChild{device: c.in.ieee(), kind: c.in.u8(), node: radio.NWK(c.in.u16())}
	c.in.bytes(3)
	if e.version >= 10 {
		c.in.u32()
	}
	if index >= int(e.config[configChildren]) {
		c.out.status(statusInvalidIndex)
		return
	}
	e.storeChild(index, child)
	c.out.status(statusOK)
}

func (e *ezsp) childID(c *ezspCall) {
	if child, ok := e.childAt(int(c.in.u8())); ok {
		c.out.u16(uint16(child.node))
		return
	}
	c.out.u16(0xffff)
}

func (e *ezsp) childIndex(c *ezspCall) {
	node := radio.NWK(c.in.u16())
	for i := range int(e.config[configChildren]) {
		if child, ok := e.childAt(i); ok && child.node == node {
			c.out.u8(uint8(i))
			return
		}
	}
	c.out.u8(0xff)
}

// neighbors are the routers the stick hears itself.
func (e *ezsp) neighbors() []child {
	return slices.DeleteFunc(e.stick.children(), func(c child) bool { return !c.Router })
}

func (e *ezsp) getNeighbor(c *ezspCall) {
	index, all := int(c.in.u8()), e.neighbors()
	if index >= len(all) {
		c.out.status(statusInvalidIndex)
		c.out.u16(0xffff)
		c.out.bytes(make([]byte, 12))
		return
	}
	lqi, _ := e.stick.mesh.quality(e.address(), all[index].IEEE)
	c.out.status(statusOK)
	c.out.u16(uint16(all[index].NWK))
	c.out.bytes([]byte{lqi, 1, 1, 3})
	c.out.ieee(all[index].IEEE)
}

func (e *ezsp) getNeighborCounter(c *ezspCall) {
	device := c.in.ieee()
	if !slices.ContainsFunc(e.neighbors(), func(n child) bool { return n.IEEE == device }) {
		c.out.status(statusNotFound)
		c.out.u32(0)
		return
	}
	c.out.status(statusOK)
	c.out.u32(1)
}

func (e *ezsp) getRoute(c *ezspCall) {
	if int(c.in.u8()) >= int(e.config[0x07]) {
		c.out.status(statusInvalidIndex)
	} else {
		c.out.status(statusOK)
	}
	c.out.list(0xffff, 0xffff) // not in use
	c.out.bytes([]byte{3, 0, 0, 0})
}

func (e *ezsp) getSourceRoute(c *ezspCall) {
	c.in.u8()
	c.out.status(statusNotFound)
	c.out.u16(0xffff)
	c.out.u8(0xff)
}

// bindingSize is that of an EmberBindingTableEntry.
const bindingSize = 14

func (e *ezsp) clearBindings(c *ezspCall) {
	for i := range int(e.config[configBindingTable]) {
		e.deleteToken(tokenBinding, i)
	}
	c.out.status(statusOK)
}

func (e *ezsp) setBinding(c *ezspCall) {
	index, entry := int(c.in.u8()), c.in.bytes(bindingSize)
	if index >= int(e.config[configBindingTable]) {
		c.out.status(statusInvalidIndex)
		return
	}
	e.setToken(tokenBinding, index, bytes.Clone(entry))
	c.out.status(statusOK)
}

func (e *ezsp) getBinding(c *ezspCall) {
	index := int(c.in.u8())
	entry, ok := e.token(tokenBinding, index)
	if !ok || len(entry) != bindingSize {
		entry = make([]byte, bindingSize)
	}
	if index >= int(e.config[configBindingTable]) {
		c.out.status(statusInvalidIndex)
	} else {
		c.out.status(statusOK)
	}
	c.out.bytes(entry)
}

func (e *ezsp) deleteBinding(c *ezspCall) {
	index := int(c.in.u8())
	if index >= int(e.config[configBindingTable]) {
		c.out.status(statusInvalidIndex)
		return
	}
	e.deleteToken(tokenBinding, index)
	c.out.status(statusOK)
}
