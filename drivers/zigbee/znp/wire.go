package znp

import (
	"encoding/binary"

	"hearth/drivers/zigbee/radio"
)

// A reader takes fields from the front of a frame's data. All are little-endian. What is not there is zero, and short
// is set.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.b, r.short = nil, true
		return make([]byte, n)
	}
	field := r.b[:n]
	r.b = r.b[n:]
	return field
}

func (r *reader) uint8() uint8     { return r.take(1)[0] }
func (r *reader) uint16() uint16   { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) uint32() uint32   { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) nwk() radio.NWK   { return radio.NWK(r.uint16()) }
func (r *reader) ieee() radio.IEEE { return radio.IEEE(binary.LittleEndian.Uint64(r.take(8))) }

func append16(b []byte, v uint16) []byte       { return binary.LittleEndian.AppendUint16(b, v) }
func append32(b []byte, v uint32) []byte       { return binary.LittleEndian.AppendUint32(b, v) }
func appendNWK(b []byte, a radio.NWK) []byte   { return append16(b, uint16(a)) }
func appendIEEE(b []byte, a radio.IEEE) []byte { return binary.LittleEndian.AppendUint64(b, uint64(a)) }
func readIEEE(b []byte) radio.IEEE             { return radio.IEEE(binary.LittleEndian.Uint64(b)) }
func unused(a radio.IEEE) bool                 { return a == 0 || a == ^radio.IEEE(0) }
func saturated(n uint32, margin uint32) uint32 { return n + min(margin, ^n) }
