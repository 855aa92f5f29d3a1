package fake

import (
	"encoding/binary"
	"slices"
	"time"

	"hearth/drivers/zigbee/radio"
)

// util carries out the requests of the UTIL subsystem; false if it knows no such.
func (z *znp) util(command byte, a *arguments) bool {
	le := binary.LittleEndian
	status := func(s byte) { z.respond(mtUTIL, command, s) }
	switch command {
	case 0x00:
		z.deviceInfo()
	case 0x01:
		b := append([]byte{znpSuccess}, z.nv(nvIEEE)...)
		b = append(append(b, z.nv(nvChannels)...), z.nv(nvPAN)...)
		z.respond(mtUTIL, command, append(append(b, 5), z.nv(nvPreconfigured)...)...)
	case 0x06, 0x20, 0x21, 0x22, 0x24:
		status(znpSuccess)
	case 0x09:
		z.respond(mtUTIL, command, le.AppendUint32(nil, uint32(time.Since(z.began)/time.Second))...)
	case 0x0a:
		if !z.chip.extended { // the newer firmware minds its light itself, and does not answer
			status(znpSuccess)
		}
	case 0x10:
		z.respond(mtUTIL, command, a.b...)
	case 0x40:
		nwk, known := z.stick.nwkOf(radio.IEEE(le.Uint64(a.take(8))))
		if !known {
			nwk = radio.Unknown
		}
		z.respond(mtUTIL, command, le.AppendUint16(nil, uint16(nwk))...)
	case 0x41:
		ieee, _ := z.stick.ieeeOf(radio.NWK(a.uint16()))
		z.respond(mtUTIL, command, le.AppendUint64(nil, uint64(ieee))...)
	case 0x44:
		z.linkKeyData(radio.IEEE(le.Uint64(a.take(8))))
	case 0x48, 0x49, 0x4a, 0x63, 0x64:
		z.associations(command, a)
	case 0x4c:
		z.respond(mtUTIL, command, z.randomBytes(100)...)
	default:
		return false
	}
	return true
}

func (z *znp) deviceInfo() {
	le := binary.LittleEndian
	address := radio.Unknown
	if z.state == znpStateCoordinate {
		address = radio.Coordinator
	}
	b := append([]byte{znpSuccess}, z.nv(nvIEEE)...)
	b = append(le.AppendUint16(b, uint16(address)), 7, z.state)
	var children []znpChild
	for _, c := range z.associated {
		if c.relation != childRouter && len(children) < 100 {
			children = append(children, c)
		}
	}
	b = append(b, byte(len(children)))
	for _, c := range children {
		b = le.AppendUint16(b, uint16(c.nwk))
	}
	z.respond(mtUTIL, 0x00, b...)
}

func (z *znp) linkKeyData(device radio.IEEE) {
	name := z.trustNames()
	for i := range z.chip.keys {
		b, _ := z.stick.memory.Get(name(i))
		if len(b) >= 19 && radio.IEEE(binary.LittleEndian.Uint64(b[8:])) == device {
			key := z.derive(device, b[18])
			z.respond(mtUTIL, 0x44, append(append([]byte{znpSuccess}, key[:]...), b[:8]...)...)
			return
		}
	}
	z.respond(mtUTIL, 0x44, append([]byte{znpFailure}, make([]byte, 24)...)...)
}

// associations shows and changes what the firmware takes for its children.
func (z *znp) associations(command byte, a *arguments) {
	le := binary.LittleEndian
	find := func(match func(znpChild) bool) znpChild {
		if i := slices.IndexFunc(z.associated, match); i >= 0 {
			return z.associated[i]
		}
		return znpChild{nwk: radio.Unknown, relation: 0xff}
	}
	switch command {
	case 0x48:
		from, to := a.uint8(), a.uint8()
		n := uint16(0)
		for _, c := range z.associated {
			if c.relation >= from && c.relation <= to {
				n++
			}
		}
		z.respond(mtUTIL, command, le.AppendUint16(nil, n)...)
	case 0x49:
		i := int(a.uint8())
		if i >= len(z.associated) {
			z.respond(mtUTIL, command, fillOf(0xff, z.associatedSize())...)
			return
		}
		z.respond(mtUTIL, command, z.associatedEntry(z.associated[i])...)
	case 0x4a:
		ieee, nwk := radio.IEEE(le.Uint64(a.take(8))), radio.NWK(a.uint16())
		c := find(func(c znpChild) bool { return c.ieee == ieee || ieee == 0 && c.nwk == nwk })
		z.respond(mtUTIL, command, z.associatedEntry(c)...)
	case 0x63:
		z.dissociate(radio.IEEE(le.Uint64(a.take(8))))
		z.respond(mtUTIL, command, znpSuccess)
	case 0x64:
		ieee := radio.IEEE(le.Uint64(a.take(8)))
		z.associate(znpChild{radio.NWK(a.uint16()), ieee, a.uint8()})
		z.respond(mtUTIL, command, znpSuccess)
	}
}

// associatedSize is that of a structure as the compiler laid it out.
func (z *znp) associatedSize() int {
	if z.chip.aligned {
		return 36
	}
	return 28
}

func (z *znp) associatedEntry(c znpChild) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(c.nwk))
	index := slices.IndexFunc(z.addresses(), func(e addressEntry) bool { return e.ieee == c.ieee })
	b = binary.LittleEndian.AppendUint16(b, uint16(index))
	return padded(append(b, c.relation), z.associatedSize())
}

// appCNF carries out the requests of the APP_CNF subsystem; false if it knows no such.
func (z *znp) appCNF(command byte, a *arguments) bool {
	status := byte(znpSuccess)
	switch command {
	case 0x01, 0x02, 0x03, 0x07, 0x09, 0x0a:
	case 0x04:
		status = z.installCode(a)
	case 0x05:
		a.uint8()
		defer z.commission()
	case 0x06:
		z.installOnly = a.uint8() != 0
	case 0x08:
		if primary := a.uint8(); primary != 0 {
			z.primary = a.uint32()
		}
	case 0xff:
		z.stick.counter = a.uint32()
		z.saveCounter(true)
	default:
		return false
	}
	z.respond(mtAppCNF, command, status)
	return true
}

// installCode keeps the key of a device that will join with it.
func (z *znp) installCode(a *arguments) byte {
	format, device := a.uint8(), radio.IEEE(binary.LittleEndian.Uint64(a.take(8)))
	var key radio.Key
	switch {
	case a.short:
		return znpInvalidParam
	case format == 1 && len(a.b) >= 18:
		var err error
		if key, err = installKey(a.b[:18]); err != nil {
			return znpInvalidParam
		}
	case format == 2 && len(a.b) >= 16:
		copy(key[:], a.b)
	default:
		return znpInvalidParam
	}
	z.stick.memory.Set(installName(device), key[:])
	return znpSuccess
}
