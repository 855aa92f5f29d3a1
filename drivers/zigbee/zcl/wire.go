package zcl

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
)

// maxDepth is how deep collections may hold collections (ZCL 2.6.2.15).
const maxDepth = 15

var errShort = errors.New("it ends too early")

// ReadValue reads a value of type t and returns what is behind it.
func ReadValue(b []byte, t DataType) (v Value, rest []byte, err error) {
	return readValue(b, t, 0)
}

func readValue(b []byte, t DataType, depth int) (Value, []byte, error) {
	if size, fixed := t.Size(); fixed {
		if len(b) < size {
			return Value{}, nil, fmt.Errorf("%s: %w", t, errShort)
		}
		v := Value{Type: t}
		if t == Key128 {
			v.text = string(b[:size])
		} else {
			v.bits = readBits(b[:size])
		}
		return v, b[size:], nil
	}
	if t.lengthSize() != 0 {
		return readString(b, t)
	}
	if depth >= maxDepth {
		return Value{}, nil, fmt.Errorf("%s: more than %d collections in each other", t, maxDepth)
	}
	switch t {
	case Array, Set, Bag:
		return readArray(b, t, depth)
	case Struct:
		return readStruct(b, depth)
	}
	return Value{}, nil, fmt.Errorf("%s is no type that can be read", t)
}

func readBits(b []byte) uint64 {
	n := uint64(0)
	for i, c := range b {
		n |= uint64(c) << (8 * i)
	}
	return n
}

func appendBits(b []byte, n uint64, size int) []byte {
	for range size {
		b = append(b, byte(n))
		n >>= 8
	}
	return b
}

func readString(b []byte, t DataType) (Value, []byte, error) {
	size := t.lengthSize()
	if len(b) < size {
		return Value{}, nil, fmt.Errorf("%s: %w", t, errShort)
	}
	length := int(readBits(b[:size]))
	b = b[size:]
	if length == 1<<(8*size)-1 {
		return Value{Type: t, unknown: true}, b, nil
	}
	if len(b) < length {
		return Value{}, nil, fmt.Errorf("%s of %d bytes where %d are left", t, length, len(b))
	}
	return Value{Type: t, text: string(b[:length])}, b[length:], nil
}

func readArray(b []byte, t DataType, depth int) (Value, []byte, error) {
	if len(b) < 3 {
		return Value{}, nil, fmt.Errorf("%s: %w", t, errShort)
	}
	v := Value{Type: t, element: DataType(b[0])}
	count := int(binary.LittleEndian.Uint16(b[1:]))
	b = b[3:]
	if count == math.MaxUint16 {
		v.unknown = true
		return v, b, nil
	}
	if count > len(b) || v.element == NoData { // each takes a byte at least
		return Value{}, nil, fmt.Errorf("%s of %d %s where %d bytes are left", t, count, v.element, len(b))
	}
	v.members = make([]Value, 0, count)
	for range count {
		member, rest, err := readValue(b, v.element, depth+1)
		if err != nil {
			return Value{}, nil, fmt.Errorf("%s: %w", t, err)
		}
		v.members, b = append(v.members, member), rest
	}
	return v, b, nil
}

func readStruct(b []byte, depth int) (Value, []byte, error) {
	if len(b) < 2 {
		return Value{}, nil, fmt.Errorf("struct: %w", errShort)
	}
	v := Value{Type: Struct}
	count := int(binary.LittleEndian.Uint16(b))
	b = b[2:]
	if count == math.MaxUint16 {
		v.unknown = true
		return v, b, nil
	}
	if count > len(b) { // each takes a byte at least
		return Value{}, nil, fmt.Errorf("struct of %d where %d bytes are left", count, len(b))
	}
	v.members = make([]Value, 0, count)
	for range count {
		if len(b) == 0 {
			return Value{}, nil, fmt.Errorf("struct: %w", errShort)
		}
		member, rest, err := readValue(b[1:], DataType(b[0]), depth+1)
		if err != nil {
			return Value{}, nil, fmt.Errorf("struct: %w", err)
		}
		v.members, b = append(v.members, member), rest
	}
	return v, b, nil
}

// Append writes the value behind b, without its type.
func (v Value) Append(b []byte) []byte {
	if v.Type == Key128 {
		var key [16]byte
		copy(key[:], v.text)
		return append(b, key[:]...)
	}
	if size, fixed := v.Type.Size(); fixed {
		return appendBits(b, v.bits, size)
	}
	if size := v.Type.lengthSize(); size != 0 {
		if v.unknown {
			return appendBits(b, math.MaxUint64, size)
		}
		text := v.text[:min(len(v.text), 1<<(8*size)-2)]
		return append(appendBits(b, uint64(len(text)), size), text...)
	}
	switch v.Type {
	case Array, Set, Bag:
		b = append(b, byte(v.element))
	case Struct:
	default:
		return b
	}
	if v.unknown {
		return append(b, 0xff, 0xff)
	}
	members := v.members[:min(len(v.members), math.MaxUint16-1)]
	b = binary.LittleEndian.AppendUint16(b, uint16(len(members)))
	for _, member := range members {
		if v.Type == Struct {
			b = append(b, byte(member.Type))
		}
		b = member.Append(b)
	}
	return b
}

// halfFloat reads IEEE 754 binary16.
func halfFloat(h uint16) float64 {
	sign := 1.0
	if h&0x8000 != 0 {
		sign = -1
	}
	fraction := float64(h & 0x3ff)
	switch exponent := int(h>>10) & 0x1f; exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 0x1f:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	default:
		return sign * math.Ldexp(1024+fraction, exponent-25)
	}
}

// halfBits writes the nearest IEEE 754 binary16.
func halfBits(f float64) uint16 {
	sign := uint16(math.Float64bits(f) >> 48 & 0x8000)
	f = math.Abs(f)
	if f >= 65520 { // rounds to what is too much
		return sign | 0x7c00
	}
	if f < 0x1p-14 {
		return sign | uint16(math.RoundToEven(f*0x1p24))
	}
	_, exponent := math.Frexp(f)
	// A fraction that rounds up to 2048 carries into the exponent, which is right.
	fraction := uint16(math.RoundToEven(math.Ldexp(f, 11-exponent)))
	return sign | uint16(exponent+13)<<10 + fraction
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// date prints a Date, a part that is not said as a question mark (ZCL 2.6.2.21).
func (v Value) date() string {
	year, month, day := byte(v.bits), byte(v.bits>>8), byte(v.bits>>16)
	y := "?"
	if year != 0xff {
		y = fmt.Sprint(1900 + int(year))
	}
	return y + "-" + part(month) + "-" + part(day)
}

// timeOfDay prints a TimeOfDay with hundredths of a second (ZCL 2.6.2.20).
func (v Value) timeOfDay() string {
	return part(byte(v.bits)) + ":" + part(byte(v.bits>>8)) + ":" + part(byte(v.bits>>16)) + "." + part(byte(v.bits>>24))
}

func part(n byte) string {
	if n == 0xff {
		return "?"
	}
	return fmt.Sprintf("%02d", n)
}

func (v Value) list() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, member := range v.members {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(member.String())
	}
	b.WriteByte(']')
	return b.String()
}
