package fake

import (
	"encoding/binary"
	"slices"
)

func tokenCommands() []ezspCommand {
	return []ezspCommand{
		{id: 0x0009, run: (*ezsp).setUserToken},
		{id: 0x000a, run: (*ezsp).getUserToken},
		{id: 0x000b, run: func(e *ezsp, c *ezspCall) { c.out.counted(e.mfgToken(c.in.u8())) }},
		{id: 0x000c, run: (*ezsp).setMfgToken},
		{id: 0x0049, run: (*ezsp).getRandomNumber},
		{id: 0x004f, since: 7, run: func(_ *ezsp, c *ezspCall) { c.out.u8(1) }},     // getTrueRandomEntropySource
		{id: 0x0001, run: func(_ *ezsp, c *ezspCall) { c.in.u8(); c.out.u8(0x80) }}, // getLibraryStatus: there
		{id: 0x008f, run: func(_ *ezsp, c *ezspCall) { c.in.u8(); c.out.u8(0x70) }}, // launchStandaloneBootloader: there is none
		{id: 0x0091, run: func(_ *ezsp, c *ezspCall) { c.out.u16(0xffff); c.out.bytes([]byte{4, 24, 3}) }},
		{id: 0x00fe, run: func(_ *ezsp, c *ezspCall) { c.in.flag(); c.out.status(statusOK) }}, // writeNodeData
		{id: 0x0077, since: 13, run: (*ezsp).factoryReset},
		{id: 0x0100, since: 9, run: func(_ *ezsp, c *ezspCall) { c.out.u8(uint8(len(tokenTable()))) }},
		{id: 0x0101, since: 9, run: (*ezsp).getTokenInfo},
		{id: 0x0102, since: 9, run: (*ezsp).getTokenData},
		{id: 0x0103, since: 9, run: (*ezsp).setTokenData},
		{id: 0x0104, since: 9, run: (*ezsp).resetNode},
	}
}

// An ezspToken is a line of the table of tokens.
type ezspToken struct {
	key     uint32
	creator uint32 // its name in firmware of the network processor kind
	size    int
	entries func(*ezsp) int // nil: one
	counter bool
}

func tokenTable() []ezspToken {
	return []ezspToken{
		{key: 0x1ff01, creator: 0xff01, size: 2},
		{key: tokenBootCounter, creator: 0xe263, size: 2, counter: true},
		{key: tokenNonceCounter, creator: 0xe563, size: 4, counter: true},
		{key: 0x1e162, creator: 0xe162, size: 2},
		{key: tokenKeys, creator: 0xeb79, size: 17},
		{key: tokenNodeData, creator: 0xee64, size: 16},
		{key: tokenAPSCounter, creator: 0xe123, size: 4, counter: true},
		{key: tokenTrustCenter, creator: 0xe124, size: 26},
		{key: tokenManagement, creator: 0xe125, size: 7},
		{key: tokenRestoredEUI, creator: 0xe12a, size: 8},
		{key: tokenBinding, creator: 0xe274, size: bindingSize, entries: func(e *ezsp) int { return int(e.config[configBindingTable]) }},
		{key: tokenChild, creator: 0xff0d, size: 11, entries: func(e *ezsp) int { return int(e.config[configChildren]) }},
		{key: tokenLinkKey, creator: 0xe456, size: 25, entries: func(e *ezsp) int { return int(e.config[configKeyTable]) }},
	}
}

// knownToken finds a token by either of its names.
func (e *ezsp) knownToken(key uint32, index int) (ezspToken, bool) {
	for _, t := range tokenTable() {
		if t.key != key && t.creator != key || t.key == tokenRestoredEUI && e.options.NoAddressToken {
			continue
		}
		entries := 1
		if t.entries != nil {
			entries = t.entries(e)
		}
		return t, index < entries
	}
	return ezspToken{}, false
}

func (e *ezsp) getTokenInfo(c *ezspCall) {
	table, index := tokenTable(), int(c.in.u8())
	if index >= len(table) {
		c.out.status(statusInvalidIndex)
		c.out.bytes(make([]byte, 8))
		return
	}
	t, entries := table[index], 1
	if t.entries != nil {
		entries = t.entries(e)
	}
	c.out.status(statusOK)
	c.out.u32(t.key)
	c.out.flag(t.counter)
	c.out.flag(t.entries != nil)
	c.out.u8(uint8(t.size))
	c.out.u8(uint8(entries))
}

func (e *ezsp) getTokenData(c *ezspCall) {
	key, index := c.in.u32(), int(c.in.u32())
	t, ok := e.knownToken(key, index)
	if !ok {
		c.out.status(statusNotFound)
		if e.version >= 14 {
			c.out.u32(0)
		}
		return
	}
	value, stored := e.token(t.key, index)
	if !stored {
		value = make([]byte, t.size)
		if t.key == tokenRestoredEUI {
			value = slices.Repeat([]byte{0xff}, 8)
		}
	}
	c.out.status(statusOK)
	c.out.u32(uint32(len(value)))
	c.out.bytes(value)
}

func (e *ezsp) setTokenData(c *ezspCall) {
	key, index := c.in.u32(), int(c.in.u32())
	size := int(c.in.u32())
	t, ok := e.knownToken(key, index)
	switch {
	case !ok:
		c.in.rest = nil
		c.out.status(statusNotFound)
	case size != t.size:
		c.in.rest = nil
		c.out.status(statusInvalidParameter)
	default:
		e.setToken(t.key, index, c.in.bytes(size))
		c.out.status(statusOK)
	}
}

func (e *ezsp) resetNode(c *ezspCall) {
	c.mute = true
	e.later(func() { e.stick.start(Asked) })
}

// factoryReset makes the memory blank. What is in use stays so until the next reset.
func (e *ezsp) factoryReset(c *ezspCall) {
	keepCounter, _ := c.in.flag(), c.in.flag()
	for _, t := range tokenTable() {
		entries := 1
		if t.entries != nil {
			entries = t.entries(e)
		}
		if t.key == tokenNonceCounter && keepCounter {
			continue
		}
		for i := range entries {
			e.deleteToken(t.key, i)
		}
	}
}

func (e *ezsp) setMfgToken(c *ezspCall) {
	id, value := c.in.u8(), slices.Clone(c.in.counted())
	blank := slices.Repeat([]byte{0xff}, len(value))
	now := e.mfgToken(id)
	switch {
	case now == nil || len(now) != len(value):
		c.out.status(statusInvalidParameter)
	case !slices.Equal(now, blank):
		c.out.status(statusWriteInhibited) // flash can only be written once
	default:
		e.stick.memory.Set(mfgName(id), value)
		c.out.status(statusOK)
	}
}

func userTokenName(id uint8) uint32 { return 0x00100 + uint32(id) }

func (e *ezsp) setUserToken(c *ezspCall) {
	id, value := c.in.u8(), c.in.bytes(8)
	if id > 7 {
		c.out.status(statusInvalidParameter)
		return
	}
	e.setToken(userTokenName(id), 0, value)
	c.out.status(statusOK)
}

func (e *ezsp) getUserToken(c *ezspCall) {
	id := c.in.u8()
	value, ok := e.token(userTokenName(id), 0)
	if !ok || len(value) != 8 {
		value = make([]byte, 8)
	}
	if id > 7 {
		c.out.status(statusInvalidParameter)
	} else {
		c.out.status(statusOK)
	}
	c.out.bytes(value)
}

func (e *ezsp) getRandomNumber(c *ezspCall) {
	c.out.status(statusOK)
	c.out.bytes(binary.LittleEndian.AppendUint16(nil, uint16(e.stick.mesh.random.Uint32())))
}
