package zcl

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Value is one attribute's value with its type. It holds no part of the bytes it was read from.
type Value struct {
	Type    DataType
	element DataType // of an array, a set or a bag
	unknown bool     // of a string or a collection: the length was the invalid one
	bits    uint64   // what fits into 8 bytes, as on the wire
	text    string   // strings and keys
	members []Value
}

// UintOf returns a value of a type of at most 8 bytes; n is cut to its width.
func UintOf(t DataType, n uint64) Value { return Value{Type: t, bits: n & t.mask()} }

// IntOf is UintOf for numbers that may be negative.
func IntOf(t DataType, n int64) Value { return UintOf(t, uint64(n)) }

// BoolOf returns a value of type Bool.
func BoolOf(b bool) Value {
	if b {
		return UintOf(Bool, 1)
	}
	return UintOf(Bool, 0)
}

// TextOf returns a character string, a long one if it must be.
func TextOf(s string) Value {
	if len(s) >= math.MaxUint8 {
		return Value{Type: LongCharString, text: s[:min(len(s), math.MaxUint16-1)]}
	}
	return Value{Type: CharString, text: s}
}

// BytesOf returns an octet string, a long one if it must be.
func BytesOf(b []byte) Value {
	v := TextOf(string(b))
	v.Type--
	return v
}

// FloatOf returns the value of type t that is nearest to f: whole numbers are rounded and stop at the type's ends, NaN is
// the type's invalid value.
func FloatOf(t DataType, f float64) Value {
	invalid, has := t.invalid()
	switch {
	case math.IsNaN(f) && has:
		return UintOf(t, invalid)
	case t == Float64:
		return UintOf(t, math.Float64bits(f))
	case t == Float32:
		return UintOf(t, uint64(math.Float32bits(float32(f))))
	case t == Float16:
		return UintOf(t, uint64(halfBits(f)))
	}
	f = math.Round(f)
	if t.signed() {
		top := t.mask() >> 1
		switch {
		case f >= float64(top):
			return UintOf(t, top)
		case f <= -float64(top):
			return IntOf(t, -int64(top))
		}
		return IntOf(t, int64(f))
	}
	top := t.mask()
	if has {
		top--
	}
	if f >= float64(top) {
		return UintOf(t, top)
	}
	return UintOf(t, uint64(max(f, 0)))
}

// UTCOf returns a value of type UTCTime.
func UTCOf(at time.Time) Value {
	return FloatOf(UTCTime, float64(at.Unix()-epoch))
}

const epoch = 946684800 // 2000-01-01 00:00:00 UTC

// StructOf returns a structure.
func StructOf(members ...Value) Value { return Value{Type: Struct, members: members} }

// ArrayOf returns an array, a set or a bag of values of one type.
func ArrayOf(t, element DataType, members ...Value) Value {
	return Value{Type: t, element: element, members: members}
}

// InvalidOf returns the type's "not known".
func InvalidOf(t DataType) Value {
	if bits, has := t.invalid(); has {
		return Value{Type: t, bits: bits}
	}
	return Value{Type: t, unknown: true}
}

// Valid reports whether the value is none of those that stand for "not known".
func (v Value) Valid() bool {
	if v.unknown {
		return false
	}
	if v.Type.float() {
		return !math.IsNaN(v.float())
	}
	bits, has := v.Type.invalid()
	return !has || v.bits != bits
}

// Number returns a number, an enumeration's or a bitmap's value, or 0 and 1 for a Bool; false if it is nothing of these or
// the type's invalid value.
func (v Value) Number() (float64, bool) {
	switch {
	case !v.Type.number() || !v.Valid():
		return 0, false
	case v.Type.float():
		return v.float(), true
	case v.Type.signed():
		return float64(v.Int()), true
	case v.Type == Bool && v.bits != 0:
		return 1, true
	}
	return float64(v.bits), true
}

func (v Value) float() float64 {
	switch v.Type {
	case Float16:
		return halfFloat(uint16(v.bits))
	case Float32:
		// The shortest decimal that means the same: 230.2, not 230.1999969482422.
		var buffer [24]byte
		single := math.Float32frombits(uint32(v.bits))
		short, err := strconv.ParseFloat(string(strconv.AppendFloat(buffer[:0], float64(single), 'g', -1, 32)), 64)
		if err != nil {
			return float64(single)
		}
		return short
	}
	return math.Float64frombits(v.bits)
}

// Uint returns the bits of what fits into 8 bytes, as on the wire.
func (v Value) Uint() uint64 { return v.bits }

// Int returns a whole number with its sign; of a float what is before the point.
func (v Value) Int() int64 {
	switch {
	case v.Type.float():
		f := v.float()
		if f != f || f < math.MinInt64 || f >= math.MaxInt64 {
			return 0
		}
		return int64(f)
	case v.Type.signed() && v.bits&(v.Type.mask()>>1+1) != 0:
		return int64(v.bits | ^v.Type.mask())
	}
	return int64(v.bits)
}

// Bool reports whether the number is valid and not 0.
func (v Value) Bool() bool {
	n, ok := v.Number()
	return ok && n != 0
}

// Text returns a string without the zero bytes that some devices fill it up with.
func (v Value) Text() string {
	if v.Type.lengthSize() == 0 {
		return ""
	}
	text, _, _ := strings.Cut(v.text, "\x00")
	return strings.ToValidUTF8(text, "\ufffd")
}

// Bytes returns a copy of a string's or a key's bytes.
func (v Value) Bytes() []byte { return []byte(v.text) }

// Members returns what a structure, an array, a set or a bag has in it.
func (v Value) Members() []Value { return v.members }

// Time returns the moment that a UTCTime means.
func (v Value) Time() (time.Time, bool) {
	if v.Type != UTCTime || !v.Valid() {
		return time.Time{}, false
	}
	return time.Unix(epoch+int64(v.bits), 0).UTC(), true
}

func (v Value) String() string {
	switch {
	case v.Type == Key128:
		return "(key)"
	case !v.Valid():
		return "invalid"
	case v.Type == Bool:
		return strconv.FormatBool(v.Bool())
	case v.Type.float():
		return strconv.FormatFloat(v.float(), 'g', -1, 64)
	case v.Type.signed():
		return strconv.FormatInt(v.Int(), 10)
	case v.Type == CharString, v.Type == LongCharString:
		return strconv.Quote(v.text)
	case v.Type == OctetString, v.Type == LongOctetString:
		return hexOf([]byte(v.text))
	case v.Type == Date:
		return v.date()
	case v.Type == TimeOfDay:
		return v.timeOfDay()
	case v.Type == UTCTime:
		at, _ := v.Time()
		return at.Format(time.RFC3339)
	case v.Type == Array, v.Type == Struct, v.Type == Set, v.Type == Bag:
		return v.list()
	case v.Type >= Uint8 && v.Type <= Uint64, v.Type == Enum8, v.Type == Enum16:
		return strconv.FormatUint(v.bits, 10)
	}
	size, _ := v.Type.Size()
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v.bits)
	return "0x" + hexOf(b[8-min(size, 8):])
}
