package hap

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/brutella/hap/characteristic"
)

// limits are what a characteristic's values may be.
type limits struct {
	format   string
	min, max float64 // of numbers
	maxLen   int     // of strings in runes, of data in bytes of base64
	valid    []int
	between  []int
}

var wholes = map[string][2]float64{
	characteristic.FormatUInt8:  {0, math.MaxUint8},
	characteristic.FormatUInt16: {0, math.MaxUint16},
	characteristic.FormatUInt32: {0, math.MaxUint32},
	characteristic.FormatInt32:  {math.MinInt32, math.MaxInt32},
	characteristic.FormatUInt64: {0, math.MaxUint64},
}

func limitsOf(c *characteristic.C) (limits, error) {
	l := limits{format: c.Format, maxLen: c.MaxLen, valid: c.ValidVals, min: -math.MaxFloat64, max: math.MaxFloat64}
	if len(c.ValidRange) == 2 {
		l.between = c.ValidRange
	}
	switch c.Format {
	case characteristic.FormatBool:
		return l, nil
	case characteristic.FormatString:
		if l.maxLen == 0 {
			l.maxLen = 64 // section 6.3.3
		}
		return l, nil
	case characteristic.FormatData, characteristic.FormatTLV8:
		l.maxLen = 2 << 20
		return l, nil
	case characteristic.FormatFloat:
	default:
		natural, ok := wholes[c.Format]
		if !ok {
			return l, fmt.Errorf("the format %q is not one", c.Format)
		}
		l.min, l.max = natural[0], natural[1]
	}
	if low, ok := number(c.MinVal); ok {
		l.min = max(l.min, low)
	}
	if high, ok := number(c.MaxVal); ok {
		l.max = min(l.max, high)
	}
	if l.min > l.max {
		return l, fmt.Errorf("the least value %v is more than the most, %v", c.MinVal, c.MaxVal)
	}
	return l, nil
}

// number takes any of Go's numbers.
func number(v any) (float64, bool) {
	if v == nil {
		return 0, false
	}
	r := reflect.ValueOf(v)
	switch {
	case r.CanInt():
		return float64(r.Int()), true
	case r.CanUint():
		return float64(r.Uint()), true
	case r.CanFloat():
		return r.Float(), true
	}
	return 0, false
}

// zero is the value of a characteristic that never had one.
func (l limits) zero() any {
	switch l.format {
	case characteristic.FormatBool:
		return false
	case characteristic.FormatString, characteristic.FormatData, characteristic.FormatTLV8:
		return ""
	}
	n := max(l.min, min(l.max, 0))
	if len(l.valid) > 0 && !slices.Contains(l.valid, int(n)) {
		n = float64(l.valid[0])
	}
	return l.sized(n)
}

// fit makes a device's value one that controllers accept: of the right type, and within the limits. One value outside
// them and a controller gives up on the whole accessory. nil: it is no value.
func (l limits) fit(v any) any {
	switch l.format {
	case characteristic.FormatBool:
		if b, ok := v.(bool); ok {
			return b
		}
		if n, ok := number(v); ok {
			return n != 0
		}
		return nil
	case characteristic.FormatString:
		s, ok := v.(string)
		if !ok || !utf8.ValidString(s) {
			return nil
		}
		if r := []rune(s); len(r) > l.maxLen {
			s = string(r[:l.maxLen])
		}
		return s
	case characteristic.FormatData, characteristic.FormatTLV8:
		switch v := v.(type) {
		case string:
			return v
		case []byte:
			return base64.StdEncoding.EncodeToString(v)
		}
		return nil
	}
	if u, ok := v.(uint64); ok && l.format == characteristic.FormatUInt64 && l.max == math.MaxUint64 && l.min == 0 {
		return u
	}
	if b, ok := v.(bool); ok {
		v = map[bool]int{true: 1}[b]
	}
	n, ok := number(v)
	if !ok || math.IsNaN(n) {
		return nil
	}
	return l.sized(max(l.min, min(l.max, n)))
}

// sized gives a number within the limits its Go type.
func (l limits) sized(n float64) any {
	switch l.format {
	case characteristic.FormatFloat:
		return n
	case characteristic.FormatUInt64:
		if n >= math.MaxUint64 {
			return uint64(math.MaxUint64)
		}
		return uint64(math.Round(n))
	}
	return int(math.Round(n))
}

// written takes a value that a controller writes; false for one that is not allowed (-70410).
func (l limits) written(raw json.RawMessage) (any, bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil, false
	}
	switch l.format {
	case characteristic.FormatBool:
		return writtenBool(v)
	case characteristic.FormatString:
		s, ok := v.(string)
		return s, ok && utf8.RuneCountInString(s) <= l.maxLen
	case characteristic.FormatData, characteristic.FormatTLV8:
		s, ok := v.(string)
		if !ok || len(s) > l.maxLen {
			return nil, false
		}
		_, err := base64.StdEncoding.DecodeString(s)
		return s, err == nil
	}
	if b, ok := v.(bool); ok && l.format != characteristic.FormatFloat {
		v = map[bool]json.Number{true: "1", false: "0"}[b]
	}
	text, ok := v.(json.Number)
	if !ok {
		return nil, false
	}
	return l.writtenNumber(text)
}

func writtenBool(v any) (any, bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case json.Number:
		return v == "1", v == "0" || v == "1"
	}
	return nil, false
}

func (l limits) writtenNumber(text json.Number) (any, bool) {
	n, err := text.Float64()
	if err != nil || n < l.min || n > l.max {
		return nil, false
	}
	if l.format == characteristic.FormatFloat {
		return n, true
	}
	if n != math.Trunc(n) {
		return nil, false
	}
	if l.format == characteristic.FormatUInt64 {
		if exact, err := strconv.ParseUint(string(text), 10, 64); err == nil {
			return exact, true
		}
		return l.sized(n), true
	}
	whole := int(n)
	switch {
	case len(l.valid) > 0:
		return whole, slices.Contains(l.valid, whole)
	case l.between != nil:
		return whole, whole >= l.between[0] && whole <= l.between[1]
	}
	return whole, true
}
