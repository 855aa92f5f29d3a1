package fake

import (
	"time"

	"hearth/drivers/zigbee/radio"
)

// ezspScanTime is how long the firmware listens on a channel.
const ezspScanTime = 15 * time.Millisecond

// ezspBroadcastTime is how long a broadcast takes to reach everybody: a network changes its channel when it has.
const ezspBroadcastTime = 9 * time.Second

func networkCommands() []ezspCommand {
	return []ezspCommand{
		{id: 0x0015, run: func(_ *ezsp, c *ezspCall) { c.in.u16() }}, // setManufacturerCode
		{id: 0x0016, run: (*ezsp).setPowerDescriptor},
		{id: 0x0017, run: (*ezsp).networkInit},
		{id: 0x0018, run: (*ezsp).networkState},
		{id: 0x001a, run: (*ezsp).startScan},
		{id: 0x001d, run: func(e *ezsp, c *ezspCall) { e.scanning = false; c.out.status(statusOK) }}, // stopScan
		{id: 0x001e, run: (*ezsp).formNetwork},
		{id: 0x0020, run: (*ezsp).leaveNetwork},
		{id: 0x0022, run: (*ezsp).permitJoining},
		{id: 0x0026, run: func(e *ezsp, c *ezspCall) { c.out.ieee(e.address()) }}, // getEui64
		{id: 0x0027, run: (*ezsp).getNodeID},
		{id: 0x0028, run: (*ezsp).getNetworkParameters},
		{id: 0x0029, run: (*ezsp).getParentChildParameters},
		{id: 0x0010, run: (*ezsp).setConcentrator},
		{id: 0x0041, run: func(e *ezsp, c *ezspCall) { c.in.bytes(3); c.out.status(e.needNetwork()) }}, // sendManyToOneRouteRequest
		{id: 0x0057, run: func(_ *ezsp, c *ezspCall) { c.in.u16(); c.out.flag(false) }},                // sendPanIdUpdate
		{id: 0x005a, since: 8, run: (*ezsp).setSourceRouteDiscoveryMode},
		{id: 0x00ae, until: 8, run: (*ezsp).setSourceRoute},
		{id: 0x0095, since: 9, run: func(_ *ezsp, c *ezspCall) { c.in.u8(); c.out.status(statusOK) }}, // setRadioIeee802154CcaMode
		{id: 0x0099, run: (*ezsp).setRadioPower},
		{id: 0x009a, run: (*ezsp).setRadioChannel},
		{id: 0x00b9, run: (*ezsp).setRadioChannel}, // setLogicalAndRadioChannel
		{id: 0x00ff, since: 9, run: func(e *ezsp, c *ezspCall) { c.out.u8(e.channel()) }},
		{id: 0x00d0, run: func(_ *ezsp, c *ezspCall) { c.in.u8(); c.out.status(statusOK) }}, // setRoutingShortcutThreshold
		{id: 0x0011, run: func(_ *ezsp, c *ezspCall) { c.in.u8(); c.out.status(statusOK) }}, // setBrokenRouteErrorCode
		{id: 0x00d3, run: (*ezsp).findUnusedPAN},
		{id: 0x00fc, run: func(_ *ezsp, c *ezspCall) { c.out.u8(1) }}, // getPhyInterfaceCount
		{id: 0x00fd, run: (*ezsp).getRadioParameters},
		{id: 0x00ca, since: 14, run: func(_ *ezsp, c *ezspCall) { c.out.u16(0x1049) }}, // getManufacturerCode
		{id: 0x011d, since: 14, run: (*ezsp).setUpdateID},
		{id: 0x011f, since: 14, run: func(e *ezsp, c *ezspCall) { c.out.flag(e.opened != nil) }},
		{id: 0x0127, since: 14, run: (*ezsp).getExtendedPAN},
		{id: 0x014e, since: 14, run: func(_ *ezsp, c *ezspCall) { c.out.u8(0) }}, // getCurrentNetwork
	}
}

func (e *ezsp) setPowerDescriptor(c *ezspCall) {
	c.in.u16()
	if e.version >= 14 {
		c.out.status(statusOK)
	}
}

func (e *ezsp) needNetwork() ezspStatus {
	if e.stick.network == nil {
		return statusNetworkDown
	}
	return statusOK
}

func (e *ezsp) networkInit(c *ezspCall) {
	c.in.u16()
	p, key, sequence, ok := e.storedNetwork()
	switch {
	case e.stick.network != nil:
		c.out.status(statusInvalidState)
		return
	case !ok:
		c.out.status(statusNotJoined)
		return
	}
	e.started = true
	c.out.status(statusOK)
	e.bringUp(p, key, sequence)
}

// bringUp takes the network on the air, with a frame counter that no device has heard.
func (e *ezsp) bringUp(p ezspNetworkParameters, key radio.Key, sequence uint8) {
	counter := e.counterToken(tokenNonceCounter)
	e.storeFrameCounter(counter + frameCounterStep)
	e.later(func() {
		e.stick.up(e.radioNetwork(p, key, sequence), counter)
		e.stackStatus(statusNetworkUp)
	})
}

func (e *ezsp) networkState(c *ezspCall) {
	if e.stick.network != nil {
		c.out.u8(2)
		return
	}
	c.out.u8(0)
}

func (e *ezsp) formNetwork(c *ezspCall) {
	p := c.in.network()
	switch {
	case e.stick.network != nil:
		c.out.status(statusInvalidState)
		return
	case !e.security.set:
		c.out.status(statusSecurityNotSet)
		return
	case p.channel < 11 || p.channel > 26:
		c.out.status(statusInvalidParameter)
		return
	}
	for p.pan == 0xffff || p.pan == 0 {
		p.pan = uint16(e.stick.mesh.random.Uint32())
	}
	for p.extended == 0 || p.extended == ^radio.IEEE(0) {
		p.extended = radio.IEEE(e.stick.mesh.random.Uint64())
	}
	for i := range int(e.config[configChildren]) {
		if _, ok := e.childAt(i); ok && !e.security.keepCounters {
			e.deleteToken(tokenChild, i)
		}
	}
	if !e.security.keepCounters {
		e.storeFrameCounter(0)
		e.storeAPSFrameCounter(0)
	}
	e.storeNetwork(p, e.security.networkKey, e.security.sequence)
	e.storeTrustCenter(ezspTrustCenter{mode: e.security.mode, extended: e.security.extended, address: e.address(), key: e.security.linkKey})
	e.started = true
	c.out.status(statusOK)
	e.bringUp(p, e.security.networkKey, e.security.sequence)
}

func (e *ezsp) leaveNetwork(c *ezspCall) {
	if e.version >= 14 && len(c.in.rest) > 0 {
		c.in.u8()
	}
	if e.stick.network == nil {
		c.out.status(statusInvalidState)
		return
	}
	c.out.status(statusOK)
	e.keepFrameCounter()
	e.forgetNetwork()
	e.stick.down()
	e.started = false
	e.shut()
	e.later(func() { e.stackStatus(statusNetworkDown) })
}

func (e *ezsp) permitJoining(c *ezspCall) {
	seconds := c.in.u8()
	if e.stick.network == nil {
		c.out.status(statusInvalidState)
		return
	}
	c.out.status(statusOK)
	e.stick.allow(seconds)
	was := e.opened != nil
	e.shut()
	if seconds == 0 {
		if was {
			e.later(func() { e.stackStatus(statusNetworkClosed) })
		}
		return
	}
	end := time.Duration(seconds) * time.Second
	if seconds == 255 {
		end = 1 << 62
	}
	e.opened = e.stick.after(end, func() {
		e.opened = nil
		e.stackStatus(statusNetworkClosed)
	})
	e.later(func() { e.stackStatus(statusNetworkOpened) })
}

// shut forgets when the network would close by itself.
func (e *ezsp) shut() {
	e.stick.mesh.stop(e.opened)
	e.opened = nil
}

// openFor is for how many seconds more devices may join.
func (e *ezsp) openFor() uint16 {
	if e.opened == nil {
		return 0
	}
	return uint16(min(time.Until(e.opened.when)/time.Second, 0xffff))
}

func (e *ezsp) getNodeID(c *ezspCall) {
	if e.stick.network == nil {
		c.out.u16(uint16(radio.Unknown))
		return
	}
	c.out.u16(uint16(radio.Coordinator))
}

// parameters are the network's, zero without one.
func (e *ezsp) parameters() ezspNetworkParameters {
	p, _, _, _ := e.storedNetwork()
	if n := e.stick.network; n != nil {
		p.pan, p.extended, p.channel, p.updateID = n.PAN, n.Extended, n.Channel, n.UpdateID
	}
	return p
}

func (e *ezsp) getNetworkParameters(c *ezspCall) {
	if e.stick.network == nil {
		c.out.status(statusNotJoined)
		c.out.u8(0)
		c.out.network(ezspNetworkParameters{})
		return
	}
	c.out.status(statusOK)
	c.out.u8(1) // coordinator
	c.out.network(e.parameters())
}

func (e *ezsp) getRadioParameters(c *ezspCall) {
	c.in.u8()
	p := e.parameters()
	c.out.status(e.needNetwork())
	c.out.i8(p.power)
	c.out.u8(0)
	c.out.u8(p.channel)
}

func (e *ezsp) getExtendedPAN(c *ezspCall) { c.out.ieee(e.parameters().extended) }

func (e *ezsp) getParentChildParameters(c *ezspCall) {
	var children uint8
	for i := range int(e.config[configChildren]) {
		if _, ok := e.childAt(i); ok {
			children++
		}
	}
	c.out.u8(children)
	c.out.ieee(0)
	c.out.u16(0xffff)
}

func (e *ezsp) channel() uint8 { return e.parameters().channel }

func (e *ezsp) setRadioPower(c *ezspCall) {
	power := int8(c.in.u8())
	if p, key, sequence, ok := e.storedNetwork(); ok {
		p.power = min(power, 20)
		e.storeNetwork(p, key, sequence)
	}
	c.out.status(statusOK)
}

func (e *ezsp) setRadioChannel(c *ezspCall) {
	channel := c.in.u8()
	if channel < 11 || channel > 26 {
		c.out.status(statusInvalidChannelMask)
		return
	}
	c.out.status(statusOK)
	if e.stick.network != nil && channel != e.channel() {
		e.later(func() { e.retune(channel, e.parameters().updateID) })
	}
}

// retune follows a change of channel.
func (e *ezsp) retune(channel, updateID uint8) {
	p, key, sequence, ok := e.storedNetwork()
	if !ok || e.stick.network == nil {
		return
	}
	e.stick.retune(channel)
	p.channel, p.updateID = channel, updateID
	e.stick.network.UpdateID = updateID
	e.storeNetwork(p, key, sequence)
	e.stackStatus(statusChannelChanged)
}

func (e *ezsp) setUpdateID(c *ezspCall) {
	id := c.in.u8()
	c.in.flag()
	if p, key, sequence, ok := e.storedNetwork(); ok {
		p.updateID = id
		e.storeNetwork(p, key, sequence)
	}
	c.out.status(statusOK)
}

func (e *ezsp) setConcentrator(c *ezspCall) {
	e.routing = c.in.flag()
	kind := c.in.u16()
	c.in.bytes(7)
	if e.routing && kind != 0xfff8 && kind != 0xfff9 {
		e.routing = false
		c.out.status(statusInvalidParameter)
		return
	}
	clear(e.recorded)
	c.out.status(statusOK)
}

func (e *ezsp) setSourceRouteDiscoveryMode(c *ezspCall) {
	if c.in.u8() == 0 {
		c.out.u32(0)
		return
	}
	c.out.u32(uint32(60 * time.Second / time.Millisecond))
}

func (e *ezsp) setSourceRoute(c *ezspCall) {
	c.in.u16()
	c.in.list(int(c.in.u8()))
	c.out.status(statusOK)
}

func (e *ezsp) startScan(c *ezspCall) {
	active, mask, _ := c.in.u8() == 1, c.in.u32(), c.in.u8()
	status := statusOK
	switch {
	case mask&0x07fff800 == 0:
		status = statusInvalidChannelMask
	case e.scanning:
		status = statusInvalidState
	}
	if e.version >= 13 {
		c.out.u32(uint32(status))
	} else {
		c.out.status(status)
	}
	if status == statusOK {
		e.scanning = true
		e.scan(11, mask, active)
	}
}

// scan listens on the channels of mask from this one on.
func (e *ezsp) scan(channel uint8, mask uint32, active bool) {
	for channel <= 26 && mask>>channel&1 == 0 {
		channel++
	}
	e.stick.after(ezspScanTime, func() {
		switch {
		case !e.scanning:
		case channel > 26:
			e.scanning = false
			e.callback(indication, 0x001c, func(w *ezspWriter) {
				w.u8(0xff)
				w.status(statusOK)
			})
		case active:
			for _, b := range e.stick.mesh.beacons(channel) {
				e.callback(indication, 0x001b, func(w *ezspWriter) {
					w.u8(b.Channel)
					w.u16(b.PAN)
					w.ieee(b.Extended)
					w.flag(b.Open)
					w.bytes([]byte{2, 0, b.LQI, byte(b.RSSI)})
				})
			}
			e.scan(channel+1, mask, active)
		default:
			energy := e.stick.mesh.energy(channel)
			e.callback(indication, 0x0048, func(w *ezspWriter) {
				w.u8(channel)
				w.i8(energy)
			})
			e.scan(channel+1, mask, active)
		}
	})
}

func (e *ezsp) findUnusedPAN(c *ezspCall) {
	mask := c.in.u32()
	c.in.u8()
	if mask&0x07fff800 == 0 {
		c.out.status(statusInvalidChannelMask)
		return
	}
	c.out.status(statusOK)
	channel := uint8(11)
	for mask>>channel&1 == 0 {
		channel++
	}
	e.stick.after(ezspScanTime, func() {
		e.callback(indication, 0x00d2, func(w *ezspWriter) {
			w.u16(uint16(e.stick.mesh.random.Uint32())&0x3fff | 1)
			w.u8(channel)
		})
	})
}
