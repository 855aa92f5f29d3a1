package zdo

import (
	"encoding/binary"
	"errors"
	"fmt"

	"hearth/drivers/zigbee/radio"
)

var errShort = errors.New("it ends too early")

// A reader takes numbers from the front of b; what is behind the end is 0, and the first trouble is kept.
type reader struct {
	b       []byte
	trouble error
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.fail(errShort)
		return make([]byte, n)
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) uint8() uint8     { return r.take(1)[0] }
func (r *reader) uint16() uint16   { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) uint32() uint32   { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) nwk() radio.NWK   { return radio.NWK(r.uint16()) }
func (r *reader) ieee() radio.IEEE { return radio.IEEE(binary.LittleEndian.Uint64(r.take(8))) }

// fail leaves nothing to be read.
func (r *reader) fail(why error) {
	r.b = nil
	if r.trouble == nil {
		r.trouble = why
	}
}

// bytes reads as many as the byte before them says.
func (r *reader) bytes() []byte {
	return append([]byte(nil), r.take(int(r.uint8()))...)
}

// readList reads as many as the byte before them says, up to the first that is not all there.
func readList[T any](r *reader, one func(*reader) T) []T {
	var list []T
	for range r.uint8() {
		item := one(r)
		if r.trouble != nil {
			break
		}
		list = append(list, item)
	}
	return list
}

func (r *reader) err(what string) error {
	if r.trouble == nil {
		return nil
	}
	return fmt.Errorf("ZDO %s: %w", what, r.trouble)
}

func appendNWK(b []byte, n radio.NWK) []byte {
	return binary.LittleEndian.AppendUint16(b, uint16(n))
}

func appendIEEE(b []byte, a radio.IEEE) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(a))
}

func appendUint16(b []byte, n uint16) []byte {
	return binary.LittleEndian.AppendUint16(b, n)
}

// appendList writes a list with its length before it, as much of it as that can say.
func appendList[T any](b []byte, list []T, one func([]byte, T) []byte) []byte {
	list = list[:min(len(list), 0xff)]
	b = append(b, byte(len(list)))
	for _, item := range list {
		b = one(b, item)
	}
	return b
}

func appendBytes(b, list []byte) []byte {
	return appendList(b, list, func(b []byte, item byte) []byte { return append(b, item) })
}
