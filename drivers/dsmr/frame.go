package dsmr

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Limits on a telegram. The longest line is a text message of 1024 characters in hex.
const (
	maxTelegram = 16 << 10
	maxLine     = 4 << 10
	maxTrailer  = 8
)

var (
	errTooLong  = errors.New("the telegram is too long")
	errChecksum = errors.New("the checksum is wrong")
	errForm     = errors.New("the telegram is garbled")
)

// A frame is what was heard from '/' to the end of the line that begins with '!'.
type frame struct {
	body    []byte // '/' to '!', both included; valid until the next feed
	trailer []byte // what follows '!': the checksum in hex, or nothing
	long    bool   // it was given up
}

// A framer cuts what is heard into frames. '/' and '!' stand nowhere inside a telegram (IEC 62056-21), so it finds its
// way again after any noise, and it never keeps more than one telegram.
type framer struct {
	sevenBits bool // the eighth bit may be a parity that somebody passed on

	body    []byte
	trailer []byte
	line    int // bytes of the line so far
	state   int
}

// States of a framer.
const (
	idle = iota
	inBody
	inTrailer
)

// feed takes what was heard and gives out each frame that has become whole.
func (f *framer) feed(heard []byte, each func(frame)) {
	for _, c := range heard {
		if f.sevenBits {
			c &= 0x7f
		}
		f.take(c, each)
	}
}

func (f *framer) take(c byte, each func(frame)) {
	if c == '/' {
		if f.state == inTrailer {
			each(frame{body: f.body, trailer: f.trailer})
		}
		f.state, f.body, f.trailer, f.line = inBody, append(f.body[:0], c), f.trailer[:0], 1
		return
	}
	switch f.state {
	case inBody:
		f.body = append(f.body, c)
		if f.line++; c == '\n' {
			f.line = 0
		}
		switch {
		case c == '!':
			f.state = inTrailer
		case f.line > maxLine || len(f.body) >= maxTelegram:
			f.state = idle
			each(frame{long: true})
		}
	case inTrailer:
		switch {
		case c == '\n' || c == '\r':
			f.state = idle
			each(frame{body: f.body, trailer: f.trailer})
		case len(f.trailer) == maxTrailer:
			f.state = idle
			each(frame{long: true})
		default:
			f.trailer = append(f.trailer, c)
		}
	}
}

// telegram checks the frame and takes it apart. version is the one that the configuration names, or 0.
func (f frame) telegram(version int) (*telegram, error) {
	if f.long {
		return nil, errTooLong
	}
	if trailer := bytes.TrimSpace(f.trailer); len(trailer) > 0 {
		want, err := strconv.ParseUint(string(trailer), 16, 16)
		if got := crc16(f.body); err != nil || uint16(want) != got {
			return nil, fmt.Errorf("%w: %q, want %04X", errChecksum, trailer, got)
		}
		t, _ := parse(f.body)
		if t == nil {
			return nil, errForm
		}
		t.checked = true
		return t, nil
	}
	t, bad := parse(f.body)
	switch {
	case t == nil || bad > 0:
		return nil, fmt.Errorf("%w: %d lines make no sense", errForm, bad)
	case version >= 4 || version == 0 && t.has(clockCode):
		return nil, fmt.Errorf("%w: it is missing", errChecksum) // every telegram since version 4 has a clock and a checksum
	}
	return t, nil
}

// crc16 is the checksum of DSMR 4 and later: x¹⁶+x¹⁵+x²+1, least significant bit first, beginning with 0.
func crc16(data []byte) (crc uint16) {
	for _, b := range data {
		crc ^= uint16(b)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xa001
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}
