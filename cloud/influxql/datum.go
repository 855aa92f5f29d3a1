package influxql

import (
	"math"

	"github.com/influxdata/influxql"

	"hearth"
)

// A kind is the type of a value in a query. The store keeps numbers as floats; what counts is an integer.
type kind uint8

const (
	nothing kind = iota
	float
	integer
	boolean
	text
)

// A datum is one value of any kind, without a box around it.
type datum struct {
	kind kind
	bits uint64 // of a float or an integer; 1 for true
	str  string
}

func floatOf(f float64) datum { return datum{kind: float, bits: math.Float64bits(f)} }

func integerOf(n int64) datum { return datum{kind: integer, bits: uint64(n)} }

func textOf(s string) datum { return datum{kind: text, str: s} }

func boolOf(b bool) datum {
	if b {
		return datum{kind: boolean, bits: 1}
	}
	return datum{kind: boolean}
}

func (d datum) float() float64 { return math.Float64frombits(d.bits) }

func (d datum) integer() int64 { return int64(d.bits) }

func (d datum) bool() bool { return d.bits != 0 }

// number returns a float or an integer as a float.
func (d datum) number() float64 {
	if d.kind == integer {
		return float64(d.integer())
	}
	return d.float()
}

func (d datum) numeric() bool { return d.kind == float || d.kind == integer }

// stored is a value of the store.
func stored(v hearth.Value) datum {
	switch v.Kind() {
	case hearth.Number:
		return floatOf(v.Number())
	case hearth.Bool:
		return boolOf(v.Bool())
	case hearth.Text:
		return textOf(v.Text())
	}
	return datum{}
}

// any is the value as the parser's evaluator takes it.
func (d datum) any() any {
	switch d.kind {
	case float:
		return d.float()
	case integer:
		return d.integer()
	case boolean:
		return d.bool()
	case text:
		return d.str
	}
	return nil
}

// datumOf is what the parser's evaluator returned. What no JSON can carry is nothing.
func datumOf(v any) datum {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return datum{}
		}
		return floatOf(v)
	case int64:
		return integerOf(v)
	case uint64:
		return integerOf(int64(v))
	case bool:
		return boolOf(v)
	case string:
		return textOf(v)
	}
	return datum{}
}

// cast makes d of that type where it can be, and leaves it as it is where not.
func (d datum) cast(t influxql.DataType) datum {
	switch {
	case t == influxql.Float && d.kind == integer:
		return floatOf(float64(d.integer()))
	case t == influxql.Integer && d.kind == float:
		return integerOf(int64(d.float()))
	}
	return d
}

// less orders two values of one kind; false comes before true.
func (d datum) less(other datum) bool {
	switch d.kind {
	case float, integer:
		if d.kind == integer && other.kind == integer {
			return d.integer() < other.integer()
		}
		return d.number() < other.number()
	case text:
		return d.str < other.str
	}
	return d.bits < other.bits
}

// typeOf is the parser's name for what the store keeps.
func typeOf(k hearth.Kind) influxql.DataType {
	switch k {
	case hearth.Number:
		return influxql.Float
	case hearth.Bool:
		return influxql.Boolean
	case hearth.Text:
		return influxql.String
	}
	return influxql.Unknown
}
