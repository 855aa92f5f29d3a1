package zigbee2mqtt

import (
	"math"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

func readBool(on, off any) func(any) hearth.Value {
	return func(v any) hearth.Value {
		switch {
		case same(v, on):
			return hearth.BoolOf(true)
		case same(v, off):
			return hearth.BoolOf(false)
		}
		return hearth.Value{}
	}
}

// same compares plain values of JSON; objects and lists are never the same.
func same(a, b any) bool {
	switch a.(type) {
	case string, float64, bool:
		return a == b
	}
	return false
}

func readNumber(c dialect.Conversion) func(any) hearth.Value {
	return func(v any) hearth.Value {
		n, ok := v.(float64)
		if !ok {
			return hearth.Value{}
		}
		return hearth.NumberOf(c.In(n))
	}
}

func writeNumber(c dialect.Conversion) func(hearth.Value) any {
	return func(v hearth.Value) any {
		if n := c.Out(v.Number()); !math.IsNaN(n) {
			return n
		}
		return nil
	}
}

func readText(v any) hearth.Value {
	text, ok := plainText(v)
	if !ok {
		return hearth.Value{}
	}
	return hearth.TextOf(text)
}

// plainText is a text, number or bool as a text that is not too long.
func plainText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, len(v) <= hearth.MaxText
	case float64:
		return hearth.NumberOf(v).String(), true
	case bool:
		return hearth.BoolOf(v).String(), true
	}
	return "", false
}
