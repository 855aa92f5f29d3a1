package modbus

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"hearth"
)

// reorder puts the bytes of a value in the order of the wire, first register first: ABCD names the bytes of a 32 bit value
// from the highest down as they travel. The function is its own inverse.
func reorder(words []uint16, order string) []uint16 {
	out := make([]uint16, len(words))
	for i, w := range words {
		if order == "BADC" || order == "DCBA" {
			w = bits.ReverseBytes16(w)
		}
		if order == "CDAB" || order == "DCBA" {
			out[len(words)-1-i] = w
		} else {
			out[i] = w
		}
	}
	return out
}

// value reads the property's value from its registers (or its bit). Zero: what is there is no value, as NaN or a number
// that the enum does not know.
func (r *Register) value(words []uint16) hearth.Value {
	if r.Format == "string" {
		return r.text(words)
	}
	n := uint64(0)
	for _, w := range reorder(words, r.Order) {
		n = n<<16 | uint64(w)
	}
	if r.Mask != 0 {
		n = n & r.Mask >> bits.TrailingZeros64(r.Mask)
	}
	switch {
	case r.Format == "bool":
		return hearth.BoolOf(n != 0)
	case len(r.Enum) > 0:
		if word, known := r.Enum[int(r.signed(n))]; known {
			return hearth.TextOf(word)
		}
		return hearth.Value{}
	case r.Format == "float32":
		f := math.Float32frombits(uint32(n))
		// The shortest decimal that means the same float32: 230.2, not 230.1999969482422.
		short, err := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
		if err != nil {
			return hearth.Value{}
		}
		return hearth.NumberOf(r.scaled(short))
	case r.Format == "float64":
		return hearth.NumberOf(r.scaled(math.Float64frombits(n)))
	case r.Format == "uint64" || r.Mask != 0:
		return hearth.NumberOf(r.scaled(float64(n)))
	}
	return hearth.NumberOf(r.scaled(float64(r.signed(n))))
}

// text reads two bytes of each register until a zero byte.
func (r *Register) text(words []uint16) hearth.Value {
	var b strings.Builder
	for _, w := range words {
		if r.Order == "BADC" || r.Order == "DCBA" {
			w = bits.ReverseBytes16(w)
		}
		b.WriteByte(byte(w >> 8))
		b.WriteByte(byte(w))
	}
	text, _, _ := strings.Cut(b.String(), "\x00")
	return hearth.TextOf(strings.TrimSpace(text))
}

// signed gives n the sign of its format.
func (r *Register) signed(n uint64) int64 {
	if r.Mask != 0 {
		return int64(n)
	}
	switch r.Format {
	case "int16":
		return int64(int16(n))
	case "int32":
		return int64(int32(n))
	}
	return int64(n)
}

// scaled gives the number its unit. Fifteen digits are all that a float64 surely holds: 2301 × 0.1 is 230.1.
func (r *Register) scaled(n float64) float64 {
	if r.Scale == 1 && r.Offset == 0 {
		return n
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(n*r.Scale+r.Offset, 'g', 15, 64), 64)
	if err != nil {
		return math.NaN()
	}
	return short
}

// encode turns a value into the property's registers (or its bit). now is what they hold, where the mask leaves bits
// alone; else it may be nil.
func (r *Register) encode(v hearth.Value, now []uint16) ([]uint16, error) {
	var n uint64
	switch {
	case r.Format == "bool" && v.Bool():
		n = 1
		if r.Mask != 0 {
			n = r.Mask >> bits.TrailingZeros64(r.Mask)
		}
	case r.Format == "bool":
	case len(r.Enum) > 0:
		code, known := r.code(v.Text())
		if !known {
			return nil, hearth.Errorf(hearth.CodeBadValue, "%s has no %s", r.Property, v)
		}
		n = uint64(int64(code))
	default:
		var err error
		if n, err = r.bitsOf((v.Number() - r.Offset) / r.Scale); err != nil {
			return nil, err
		}
	}
	if r.Mask != 0 {
		shift := bits.TrailingZeros64(r.Mask)
		if n<<shift&^r.Mask != 0 || n<<shift>>shift != n {
			return nil, hearth.Errorf(hearth.CodeBadValue, "%s does not fit into the bits %#x that its mask leaves", v, r.Mask)
		}
		n = n<<shift | joined(now, r.Order)&^r.Mask
	}
	words := make([]uint16, r.size())
	for i := range words {
		words[len(words)-1-i] = uint16(n >> (16 * i))
	}
	if r.bits() {
		return words, nil
	}
	return reorder(words, r.Order), nil
}

func joined(words []uint16, order string) (n uint64) {
	for _, w := range reorder(words, order) {
		n = n<<16 | uint64(w)
	}
	return n
}

// code finds the lowest number that stands for a word.
func (r *Register) code(word string) (code int, known bool) {
	for n, w := range r.Enum {
		if w == word && (!known || n < code) {
			code, known = n, true
		}
	}
	return code, known
}

// bitsOf returns the bits of a number in the register's format.
func (r *Register) bitsOf(f float64) (uint64, error) {
	switch r.Format {
	case "float32":
		if math.Abs(f) > math.MaxFloat32 {
			return 0, r.overflow(f)
		}
		return uint64(math.Float32bits(float32(f))), nil
	case "float64":
		return math.Float64bits(f), nil
	}
	f = math.Round(f)
	width := 16 * r.size()
	low, high := 0.0, math.Ldexp(1, width)
	if r.Format[0] == 'i' {
		low, high = -math.Ldexp(1, width-1), math.Ldexp(1, width-1)
	}
	if f < low || f >= high {
		return 0, r.overflow(f)
	}
	if f < 0 {
		return uint64(int64(f)), nil
	}
	return uint64(f), nil
}

func (r *Register) overflow(f float64) error {
	return hearth.Errorf(hearth.CodeBadValue, "%s: %s does not fit into its register, a %s", r.Property, strconv.FormatFloat(f, 'g', -1, 64), r.Format)
}

// where names the register as a manual would.
func (r *Register) where() string {
	return fmt.Sprintf("%s register %d (%#04x)", r.Table, r.Address, r.Address)
}
