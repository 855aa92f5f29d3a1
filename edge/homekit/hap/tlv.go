package hap

import (
	"encoding/binary"
	"errors"
)

// The types of the items in pairing messages (table 5-6).
const (
	tlvMethod      = 0x00
	tlvIdentifier  = 0x01
	tlvSalt        = 0x02
	tlvPublicKey   = 0x03
	tlvProof       = 0x04
	tlvEncrypted   = 0x05
	tlvState       = 0x06
	tlvError       = 0x07
	tlvPermissions = 0x0b
	tlvSignature   = 0x0a
	tlvSeparator   = 0xff
)

// The errors in pairing messages (table 5-5).
type pairError byte

const (
	errUnknown        pairError = 1
	errAuthentication pairError = 2
	errMaxPeers       pairError = 4
	errMaxTries       pairError = 5
	errUnavailable    pairError = 6
)

var errTLV = errors.New("a pairing message that ends within an item")

// tlv is a pairing message: items in the order they came, those of more than 255 bytes joined (section 14.1).
type tlv []tlvItem

type tlvItem struct {
	kind  byte
	value []byte
}

// parseTLV reads a message. The values are parts of body, except where fragments were joined.
func parseTLV(body []byte) (tlv, error) {
	var items tlv
	full := false // the last item had 255 bytes: one of the same type goes on with it
	for len(body) > 0 {
		if len(body) < 2 || len(body) < 2+int(body[1]) {
			return nil, errTLV
		}
		kind, size := body[0], int(body[1])
		value := body[2 : 2+size : 2+size]
		if last := len(items) - 1; full && items[last].kind == kind {
			items[last].value = append(items[last].value, value...)
		} else {
			items = append(items, tlvItem{kind, value})
		}
		full = size == 255
		body = body[2+size:]
	}
	return items, nil
}

// get returns the value of the first item of a type; nil where there is none.
func (t tlv) get(kind byte) []byte {
	for _, item := range t {
		if item.kind == kind {
			return item.value
		}
	}
	return nil
}

// number returns the value of an integer item, and whether it is there and fits.
func (t tlv) number(kind byte) (uint64, bool) {
	value := t.get(kind)
	if len(value) == 0 || len(value) > 8 {
		return 0, false
	}
	var whole [8]byte
	copy(whole[:], value)
	return binary.LittleEndian.Uint64(whole[:]), true
}

func (t tlv) with(kind byte, value []byte) tlv { return append(t, tlvItem{kind, value}) }

func (t tlv) state(n byte) tlv { return t.with(tlvState, []byte{n}) }

func (t tlv) failed(e pairError) tlv { return t.with(tlvError, []byte{byte(e)}) }

func (t tlv) bytes() []byte {
	var out []byte
	for _, item := range t {
		value := item.value
		for {
			n := min(len(value), 255)
			out = append(append(out, item.kind, byte(n)), value[:n]...)
			if value = value[n:]; len(value) == 0 {
				break
			}
		}
	}
	return out
}
