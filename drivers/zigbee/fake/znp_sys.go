package fake

import (
	"encoding/binary"
	"time"
)

// sys carries out the requests of the SYS subsystem; false if it knows no such.
func (z *znp) sys(command byte, a *arguments) bool {
	status := func(s byte) { z.respond(mtSYS, command, s) }
	switch command {
	case 0x01: // ping: which subsystems it has
		z.respond(mtSYS, command, 0x59, 0x06)
	case 0x02:
		z.version()
	case 0x03:
		z.setNV(nvIEEE, a.take(8)...)
		status(znpSuccess)
	case 0x04:
		z.respond(mtSYS, command, z.nv(nvIEEE)...)
	case 0x05: // read RAM
		a.uint16()
		n := a.uint8()
		z.respond(mtSYS, command, append([]byte{znpSuccess, n}, make([]byte, n)...)...)
	case 0x06:
		status(znpSuccess)
	case 0x07, 0x08, 0x09, 0x12, 0x13, 0x1c, 0x1d:
		z.osal(command, a)
	case 0x0a, 0x0b: // timers
		z.timer(command, a)
	case 0x0c:
		z.respond(mtSYS, command, z.randomBytes(2)...)
	case 0x0e, 0x0f: // pins, tuning
		a.uint8()
		z.respond(mtSYS, command, a.uint8())
	case 0x10:
		status(znpSuccess)
	case 0x11:
		z.respond(mtSYS, command, z.time()...)
	case 0x14:
		power := a.uint8()
		if z.chip.extended {
			power = znpSuccess
		}
		z.respond(mtSYS, command, power)
	case 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36:
		return z.chip.extended && z.extendedMemory(command, a)
	default:
		return false
	}
	return true
}

func (z *znp) version() {
	b := []byte{2, z.chip.product, z.chip.major, z.chip.minor, z.chip.maint}
	b = binary.LittleEndian.AppendUint32(b, z.chip.revision)
	if z.chip.extended {
		b = append(b, 0, 0xff, 0xff, 0xff, 0xff) // no bootloader
	} else {
		b = append(b, 1, 0, 0, 0, 0)
	}
	z.respond(mtSYS, 0x02, b...)
}

// time is UTC and the date, as from the year 2000: the firmware counts from its start.
func (z *znp) time() []byte {
	const fromUnix = 946684800
	since := time.Since(z.began)
	at := time.Unix(fromUnix, 0).UTC().Add(since)
	b := binary.LittleEndian.AppendUint32(nil, uint32(since/time.Second))
	b = append(b, byte(at.Hour()), byte(at.Minute()), byte(at.Second()), byte(at.Month()), byte(at.Day()))
	return binary.LittleEndian.AppendUint16(b, uint16(at.Year()))
}

func (z *znp) timer(command byte, a *arguments) {
	id := a.uint8()
	if command == 0x0a {
		z.stick.after(time.Duration(a.uint16())*time.Millisecond, func() { z.indicate(mtSYS, 0x81, id) })
	}
	z.respond(mtSYS, command, znpSuccess)
}

// osal reads and writes the items of the memory.
func (z *znp) osal(command byte, a *arguments) {
	m := z.stick.memory
	id := a.uint16()
	name := nvName(id)
	value, there := m.Get(name)
	status := func(s byte) { z.respond(mtSYS, command, s) }
	switch command {
	case 0x07: // make it
		length, n := int(a.uint16()), int(a.uint8())
		content := a.take(min(n, len(a.b)))
		switch {
		case there:
			status(znpSuccess)
		case id > nvLastWritable || len(content) > length:
			status(znpNVFailed)
		default:
			m.Set(name, append(append([]byte{}, content...), fillOf(0xff, length-len(content))...))
			status(znpNVCreated)
		}
	case 0x08, 0x1c: // read
		offset := int(a.uint8())
		if command == 0x1c {
			offset |= int(a.optional()) << 8
		}
		if !there || offset > len(value) || command == 0x1c && id == nvPollRate {
			z.respond(mtSYS, command, znpInvalidParam, 0)
			return
		}
		part := value[offset:]
		part = part[:min(len(part), mtMaxData-2)]
		z.respond(mtSYS, command, append([]byte{znpSuccess, byte(len(part))}, part...)...)
	case 0x09: // write: the offset is not looked at
		a.uint8()
		status(z.overwrite(name, value, there, 0, a.text()))
	case 0x1d:
		offset, n := int(a.uint16()), int(a.uint16())
		status(z.overwrite(name, value, there, offset, a.take(min(n, len(a.b)))))
	case 0x12:
		switch length := int(a.uint16()); {
		case !there:
			status(znpNVCreated)
		case length != len(value):
			status(znpNVBadLength)
		default:
			m.Delete(name)
			status(znpSuccess)
		}
	case 0x13:
		length := len(value)
		if id == nvPollRate {
			length = 0 // its length is wrong, though it can be read
		}
		z.respond(mtSYS, command, byte(length), byte(length>>8))
	}
}

func fillOf(b byte, n int) []byte {
	all := make([]byte, max(n, 0))
	for i := range all {
		all[i] = b
	}
	return all
}

// overwrite changes a part of an item that is there.
func (z *znp) overwrite(name string, value []byte, there bool, offset int, part []byte) byte {
	if !there || offset+len(part) > len(value) {
		return znpInvalidParam
	}
	copy(value[offset:], part)
	z.stick.memory.Set(name, value)
	return znpSuccess
}

// extendedMemory reads and writes the tables of the newer chips.
func (z *znp) extendedMemory(command byte, a *arguments) bool {
	if command == 0x36 {
		z.respond(mtSYS, command, znpSuccess)
		return true
	}
	m := z.stick.memory
	system, item, sub := a.uint8(), a.uint16(), a.uint16()
	name := exName(item, sub)
	if item == exLegacy {
		name = nvName(sub)
	}
	value, there := m.Get(name)
	there = there && system == exSystem
	status := func(s byte) { z.respond(mtSYS, command, s) }
	switch command {
	case 0x30: // make it
		if there {
			status(znpSuccess)
			break
		}
		m.Set(name, make([]byte, min(a.uint32(), 4096)))
		status(znpNVCreated)
	case 0x31:
		if !there {
			status(znpNVFailed)
			break
		}
		m.Delete(name)
		status(znpSuccess)
	case 0x32:
		length := len(value)
		if system != exSystem {
			length = 0
		}
		z.respond(mtSYS, command, binary.LittleEndian.AppendUint32(nil, uint32(length))...)
	case 0x33:
		offset, n := int(a.uint16()), int(a.uint8())
		if !there || offset > len(value) {
			z.respond(mtSYS, command, znpFailure, 0)
			break
		}
		part := value[offset:]
		part = part[:min(len(part), n, mtMaxData-2)]
		z.respond(mtSYS, command, append([]byte{znpSuccess, byte(len(part))}, part...)...)
	case 0x34, 0x35:
		offset := 0
		if command == 0x34 {
			offset = int(a.uint16())
		}
		if z.overwrite(name, value, there, offset, a.text()) != znpSuccess {
			status(znpFailure)
			break
		}
		status(znpSuccess)
	}
	return true
}
