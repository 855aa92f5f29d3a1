package fake

// ASH (Silicon Labs UG101) is how EmberZNet firmware and its host share a UART. This file is its frames; ash_link.go is
// the firmware's end of the conversation.

const (
	ashFlag       = 0x7e
	ashEscape     = 0x7d
	ashXON        = 0x11
	ashXOFF       = 0x13
	ashSubstitute = 0x18
	ashCancel     = 0x1a
	ashFlip       = 0x20

	ashACK    = 0x80
	ashNAK    = 0xa0
	ashRST    = 0xc0
	ashRSTACK = 0xc1
	ashERROR  = 0xc2

	ashResent   = 0x08 // in DATA: sent again
	ashNotReady = 0x08 // in ACK and NAK: the host has no room for callbacks

	ashVersion = 2
	ashMaxData = 220
)

// Reset and error codes of RSTACK and ERROR.
const (
	ResetExternal   = 0x01
	ResetPowerOn    = 0x02
	ResetWatchdog   = 0x03
	ResetAssert     = 0x06
	ResetBootloader = 0x09
	ResetSoftware   = 0x0b

	errorAckTimeouts = 0x51
)

// ashKind is what a control byte stands for.
type ashKind int

const (
	ashInvalid ashKind = iota
	ashKindData
	ashKindACK
	ashKindNAK
	ashKindRST
	ashKindRSTACK
	ashKindERROR
)

// ashKindOf also checks the length that the kind must have, the control byte included (UG101 3.2).
func ashKindOf(frame []byte) ashKind {
	if len(frame) == 0 {
		return ashInvalid
	}
	control, length := frame[0], len(frame)
	switch {
	case control&0x80 == 0 && length >= 4 && length <= ashMaxData+1:
		return ashKindData
	case control&0xe0 == ashACK && length == 1:
		return ashKindACK
	case control&0xe0 == ashNAK && length == 1:
		return ashKindNAK
	case control == ashRST && length == 1:
		return ashKindRST
	case control == ashRSTACK && length == 3:
		return ashKindRSTACK
	case control == ashERROR && length == 3:
		return ashKindERROR
	}
	return ashInvalid
}

func ashCRC(b []byte) uint16 {
	crc := uint16(0xffff)
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// ashRandomize whitens the data field in place, or takes the whitening off (UG101 4.3).
func ashRandomize(data []byte) {
	random := byte(0x42)
	for i := range data {
		data[i] ^= random
		if random&1 != 0 {
			random = random>>1 ^ 0xb8
		} else {
			random >>= 1
		}
	}
}

func ashReserved(c byte) bool {
	switch c {
	case ashFlag, ashEscape, ashXON, ashXOFF, ashSubstitute, ashCancel:
		return true
	}
	return false
}

// ashEncode makes control byte and data field, already whitened, to what goes over the line.
func ashEncode(frame []byte) []byte {
	crc := ashCRC(frame)
	out := make([]byte, 0, len(frame)+8)
	for _, c := range append(frame[:len(frame):len(frame)], byte(crc>>8), byte(crc)) {
		if ashReserved(c) {
			out = append(out, ashEscape, c^ashFlip)
		} else {
			out = append(out, c)
		}
	}
	return append(out, ashFlag)
}

// ashDecoder finds frames in what arrives. Nothing that comes can make it keep more than one frame's bytes.
type ashDecoder struct {
	frame   []byte
	escaped bool
	spoilt  bool // by a SUB or by its length: it only waits for the flag
}

// push takes a byte. With the flag of a frame it returns the frame without its CRC, and whether it was whole; the frame
// is good until the next push. Empty frames are no frames.
func (d *ashDecoder) push(c byte) (frame []byte, whole, end bool) {
	switch c {
	case ashFlag:
		frame, spoilt := d.frame, d.spoilt || d.escaped
		d.frame, d.escaped, d.spoilt = d.frame[:0], false, false
		if len(frame) == 0 && !spoilt {
			return nil, false, false
		}
		n := len(frame) - 2
		if spoilt || n < 1 || ashCRC(frame[:n]) != uint16(frame[n])<<8|uint16(frame[n+1]) {
			return frame, false, true
		}
		return frame[:n], true, true
	case ashCancel:
		d.frame, d.escaped, d.spoilt = d.frame[:0], false, false
	case ashSubstitute:
		d.spoilt = true
	case ashXON, ashXOFF: // the driver of the UART took them out
	case ashEscape:
		d.escaped = true
	default:
		if d.escaped {
			c ^= ashFlip
			d.escaped = false
		}
		if len(d.frame) >= ashMaxData+3 {
			d.spoilt = true
			break
		}
		d.frame = append(d.frame, c)
	}
	return nil, false, false
}
