package influxql

import (
	"fmt"
	"math"

	"github.com/influxdata/influxql"
)

// isMath reports whether a function works on one row at a time.
func isMath(name string) bool {
	switch name {
	case "abs", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "exp", "log", "ln", "log2", "log10", "sqrt", "pow", "floor", "ceil", "round":
		return true
	}
	return false
}

// mathArgs is how many arguments a mathematical function takes.
func mathArgs(name string) int {
	switch name {
	case "atan2", "pow", "log":
		return 2
	}
	return 1
}

// calculate is a mathematical function of numbers, nothing of anything else.
func calculate(name string, args []any) (any, bool) {
	if !isMath(name) || len(args) != mathArgs(name) {
		return nil, false
	}
	var n [2]float64
	for i, arg := range args {
		d := datumOf(arg)
		if !d.numeric() {
			return nil, true
		}
		n[i] = d.number()
	}
	switch name {
	case "abs", "floor", "ceil", "round":
		if _, whole := args[0].(int64); whole {
			return args[0], true // as InfluxDB 1.6 does, abs too
		}
	case "atan2":
		return math.Atan2(n[0], n[1]), true
	case "pow":
		return math.Pow(n[0], n[1]), true
	case "log":
		return math.Log(n[0]) / math.Log(n[1]), true
	}
	return calculateOne(name, n[0]), true
}

func calculateOne(name string, x float64) float64 {
	switch name {
	case "abs":
		return math.Abs(x)
	case "floor":
		return math.Floor(x)
	case "ceil":
		return math.Ceil(x)
	case "round":
		return math.Round(x)
	case "sin":
		return math.Sin(x)
	case "cos":
		return math.Cos(x)
	case "tan":
		return math.Tan(x)
	case "asin":
		return math.Asin(x)
	case "acos":
		return math.Acos(x)
	case "atan":
		return math.Atan(x)
	case "exp":
		return math.Exp(x)
	case "ln":
		return math.Log(x)
	case "log2":
		return math.Log2(x)
	case "log10":
		return math.Log10(x)
	}
	return math.Sqrt(x)
}

// types tells the parser's type checker what fields and functions are of.
type types struct {
	run   *run
	err   error
	asked int
}

// tooIntricate says that the types of a statement take too long to find: through subqueries within each other the work
// multiplies.
type tooIntricate struct{}

func (tooIntricate) Error() string {
	return "the statement is too intricate: use fewer subqueries within each other, or fewer fields"
}

// maxAsked is how many types of names the parser may ask for.
const maxAsked = 100_000

// FieldDimensions implements influxql.FieldMapper.
func (t *types) FieldDimensions(source *influxql.Measurement) (map[string]influxql.DataType, map[string]struct{}, error) {
	fields, tags := map[string]influxql.DataType{}, map[string]struct{}{}
	_, all, err := t.run.measurements(source)
	for _, m := range all {
		for name, typ := range m.fields {
			if fields[name].LessThan(typ) {
				fields[name] = typ
			}
		}
		for name := range m.tags {
			tags[name] = struct{}{}
		}
	}
	return fields, tags, err
}

// MapType implements influxql.TypeMapper.
func (t *types) MapType(source *influxql.Measurement, name string) influxql.DataType {
	if t.asked++; t.asked > maxAsked {
		panic(tooIntricate{})
	}
	_, all, err := t.run.measurements(source)
	if err != nil && t.err == nil {
		t.err = err
	}
	typ := influxql.Unknown
	for _, m := range all {
		if found := m.fields[name]; typ.LessThan(found) {
			typ = found
		}
		if m.tags[name] && typ.LessThan(influxql.Tag) {
			typ = influxql.Tag
		}
	}
	return typ
}

// CallType implements influxql.CallTypeMapper.
func (t *types) CallType(name string, args []influxql.DataType) (influxql.DataType, error) {
	first := influxql.Unknown
	if len(args) > 0 {
		first = args[0]
	}
	if isMath(name) {
		for i, arg := range args[:min(len(args), mathArgs(name))] {
			switch arg {
			case influxql.Float, influxql.Integer, influxql.Unsigned, influxql.Unknown:
			default:
				return influxql.Unknown, fmt.Errorf("invalid argument type for the %s argument in %s(): %s", [...]string{"first", "second"}[i], name, arg)
			}
		}
	}
	switch name {
	case "count", "elapsed":
		return influxql.Integer, nil
	case "min", "max", "sum", "first", "last", "mode", "distinct", "spread", "percentile", "top", "bottom", "difference",
		"non_negative_difference", "cumulative_sum", "abs", "floor", "ceil", "round":
		return first, nil
	}
	return influxql.Float, nil
}
