// Package ash carries the frames of EZSP over a serial line: the Asynchronous Serial Host protocol, version 2, of Silicon
// Labs (UG101), from the host's side. It keeps the frames whole and in order whatever the line does to bytes, and tells
// when the stick has restarted or fails.
package ash

import "errors"

// The bytes that mean something by themselves. In a frame they are escaped (UG101 4.2).
const (
	flag       = 0x7e // ends a frame
	escape     = 0x7d // the next byte has bit 5 turned over
	xon        = 0x11 // go on sending
	xoff       = 0x13 // stop sending
	substitute = 0x18 // stands for a byte that the line has broken: the frame is lost
	cancel     = 0x1a // what came since the last flag is void
	wake       = 0xff // between frames only: nothing to us

	flip = 0x20
)

// Control bytes (UG101 3). A data frame has bit 7 clear.
const (
	controlAck    = 0x80
	controlNak    = 0xa0
	controlRst    = 0xc0
	controlRstack = 0xc1
	controlError  = 0xc2

	bitAgain    = 0x08 // of data: it was sent before
	bitNotReady = 0x08 // of ack and nak: the host wants no callbacks for a while
)

// MaxData is how long an EZSP frame may be.
const MaxData = 220

const (
	minData = 3
	lenCRC  = 2
	longest = 1 + MaxData + lenCRC
)

// A frame is what stands between two flags, without escapes, checksum and randomisation.
type frame struct {
	control byte
	data    []byte // of data frames the EZSP frame; of rstack and error: version, code
}

func dataControl(number, acknowledges uint8, again bool) byte {
	control := number&7<<4 | acknowledges&7
	if again {
		control |= bitAgain
	}
	return control
}

func (f frame) isData() bool               { return f.control&0x80 == 0 }
func (f frame) isAck() bool                { return f.control&0xe0 == controlAck }
func (f frame) isNak() bool                { return f.control&0xe0 == controlNak }
func (f frame) number() uint8              { return f.control >> 4 & 7 }
func (f frame) acknowledges() uint8        { return f.control & 7 }
func (f frame) again() bool                { return f.control&bitAgain != 0 }
func (f frame) acknowledging() bool        { return f.isData() || f.isAck() || f.isNak() }
func (f frame) code() (version, code byte) { return f.data[0], f.data[1] }

// The ways in which a frame can be wrong.
var (
	errLength   = errors.New("the length is wrong")
	errChecksum = errors.New("the checksum is wrong")
	errControl  = errors.New("the control byte is unknown")
)

// append writes the frame behind b as it goes over the line, with the flag at its end.
func (f frame) append(b []byte) []byte {
	sum := crc(crcStart, f.control)
	b = stuff(b, f.control)
	random := byte(randomSeed)
	for _, c := range f.data {
		if f.isData() {
			c ^= random
			random = nextRandom(random)
		}
		sum = crc(sum, c)
		b = stuff(b, c)
	}
	b = stuff(b, byte(sum>>8))
	b = stuff(b, byte(sum))
	return append(b, flag)
}

// parseFrame reads what stood between two flags, without escapes. The frame's data is a copy.
func parseFrame(b []byte) (frame, error) {
	if len(b) < 1+lenCRC || len(b) > longest {
		return frame{}, errLength
	}
	body, given := b[:len(b)-lenCRC], b[len(b)-lenCRC:]
	sum := uint16(crcStart)
	for _, c := range body {
		sum = crc(sum, c)
	}
	if byte(sum>>8) != given[0] || byte(sum) != given[1] {
		return frame{}, errChecksum
	}
	f := frame{control: body[0], data: append([]byte(nil), body[1:]...)}
	if err := f.check(); err != nil {
		return frame{}, err
	}
	if f.isData() {
		random := byte(randomSeed)
		for i := range f.data {
			f.data[i] ^= random
			random = nextRandom(random)
		}
	}
	return f, nil
}

func (f frame) check() error {
	n := len(f.data)
	switch {
	case f.isData():
		if n < minData {
			return errLength
		}
		return nil
	case f.isAck(), f.isNak(), f.control == controlRst:
		if n != 0 {
			return errLength
		}
		return nil
	case f.control == controlRstack, f.control == controlError:
		if n != 2 {
			return errLength
		}
		return nil
	}
	return errControl
}

func stuff(b []byte, c byte) []byte {
	switch c {
	case flag, escape, xon, xoff, substitute, cancel:
		return append(b, escape, c^flip)
	}
	return append(b, c)
}

const crcStart = 0xffff

// crc goes on with a CRC-CCITT, the most significant bit first.
func crc(sum uint16, c byte) uint16 {
	sum ^= uint16(c) << 8
	for range 8 {
		if sum&0x8000 != 0 {
			sum = sum<<1 ^ 0x1021
		} else {
			sum <<= 1
		}
	}
	return sum
}

const randomSeed = 0x42

// nextRandom goes on in the sequence that data is mixed with, so that it seldom needs escapes (UG101 4.3).
func nextRandom(r byte) byte {
	if r&1 != 0 {
		return r>>1 ^ 0xb8
	}
	return r >> 1
}
