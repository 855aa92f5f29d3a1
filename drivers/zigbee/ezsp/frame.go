package ezsp

import "encoding/binary"

// A frame is one of EZSP without what ASH puts around it (UG100 3).
type frame struct {
	sequence uint8
	control  uint8 // its low byte
	command  command
	body     []byte
}

// Bits of the frame control.
const (
	controlResponse  = 0x80
	controlAsync     = 0x10 // a callback
	controlSync      = 0x08 // a callback that was asked for
	controlTruncated = 0x02
	controlOverflow  = 0x01 // the stick had no memory for some callbacks

	formatExtended = 0x01 // in the high byte
	formatMask     = 0x03
)

func (f frame) callback() bool { return f.control&(controlAsync|controlSync) != 0 }

// append writes a command in the header that all versions since 8 have.
func (f frame) append(b []byte) []byte {
	b = append(b, f.sequence, f.control, formatExtended)
	return append(put16(b, uint16(f.command)), f.body...)
}

// appendLegacy writes a command in the header that every version understands, until versions are agreed.
func (f frame) appendLegacy(b []byte) []byte {
	return append(append(b, f.sequence, f.control, byte(f.command)), f.body...)
}

// parseFrame reads what the stick says, in either header.
func parseFrame(b []byte) (f frame, legacy, ok bool) {
	switch {
	case len(b) >= 5 && b[2]&formatMask == formatExtended:
		return frame{b[0], b[1], command(binary.LittleEndian.Uint16(b[3:])), b[5:]}, false, b[1]&controlResponse != 0
	case len(b) >= 3:
		return frame{b[0], b[1], command(b[2]), b[3:]}, true, b[1]&controlResponse != 0
	}
	return frame{}, false, false
}
