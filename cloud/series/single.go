package series

import (
	"encoding/binary"
	"math"

	"hearth"
)

// A chunk of one point, which is what a write every few seconds brings of each series, has a form of its own:
//
//	version   1 byte, singleVersion
//	form      1 byte: the unit of the time, and from bit 2 on what the value is
//	time      uvarint: since midnight, in units
//	value     nothing of a bool, varint × 10^-exponent, 8 bytes of a float, the bytes of a text
const (
	singleVersion = 2
	singleFalse   = 0
	singleTrue    = 1
	singleFloat   = 2
	singleText    = 3
	singleDecimal = 4 // and above: 4 + exponent
)

func (p *packer) appendSingle(dst []byte, s sample, midnight int64) []byte {
	t, unit := s.t-midnight, byte(3)
	for t%timeUnit(unit) != 0 {
		unit--
	}
	dst = append(dst, singleVersion, unit)
	form := len(dst) - 1
	dst = binary.AppendUvarint(dst, uint64(t/timeUnit(unit)))
	kind := byte(singleFalse)
	switch s.v.Kind() {
	case hearth.Bool:
		kind += byte(s.v.Number())
	case hearth.Text:
		kind = singleText
		dst = append(dst, s.v.Text()...)
	default:
		if exponent, ok := p.decimals([]sample{s}); ok {
			kind = singleDecimal + byte(exponent)
			dst = binary.AppendVarint(dst, p.whole[0])
		} else {
			kind = singleFloat
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.v.Number()))
		}
	}
	dst[form] |= kind << 2
	return dst
}

func isSingle(chunk []byte) bool { return len(chunk) > 0 && chunk[0] == singleVersion }

// readSingle reads what appendSingle writes, to the last byte.
func readSingle(data []byte, midnight int64) (sample, error) {
	r := reader{data: data}
	version, form, t := r.byte(), r.byte(), r.uvarint()
	unit := timeUnit(form)
	if r.bad || version != singleVersion || t >= uint64(dayLength/unit) {
		return sample{}, errCorrupt
	}
	s := sample{t: midnight + int64(t)*unit}
	switch kind := form >> 2; {
	case kind <= singleTrue:
		s.v = hearth.BoolOf(kind == singleTrue)
	case kind == singleFloat:
		s.v = hearth.NumberOf(r.float())
	case kind == singleText:
		s.v = hearth.TextOf(string(r.bytes(uint64(len(r.data)))))
	case kind <= singleDecimal+maxExponent:
		s.v = hearth.NumberOf(float64(r.varint()) / powerOfTen(int(kind-singleDecimal)))
	}
	if r.bad || len(r.data) > 0 || s.v.IsZero() {
		return sample{}, errCorrupt
	}
	return s, nil
}

// summarySingle is the summary of a chunk of one point.
func summarySingle(s sample) summary {
	n := s.v.Number()
	return summary{count: 1, first: s.t, last: s.t, numeric: s.v.Kind() != hearth.Text, min: n, max: n, sum: n}
}
