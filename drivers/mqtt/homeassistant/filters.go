package homeassistant

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// filters says which there are and how many arguments each takes at most; methods of a text begin with a dot.
var filters = map[string]int{
	"float": 1, "int": 2, "round": 2, "abs": 0, "multiply": 1, "add": 1, "bool": 1,
	"lower": 0, "upper": 0, "trim": 0, "title": 0, "capitalize": 0, "string": 0, "replace": 2, "truncate": 4,
	"default": 2, "d": 2, "is_defined": 0, "iif": 2,
	"tojson": 0, "to_json": 0, "from_json": 0, "length": 0, "count": 0, "first": 0, "last": 0,
	".lower": 0, ".upper": 0, ".strip": 0, ".title": 0, ".capitalize": 0, ".replace": 2, ".split": 1, ".startswith": 1, ".endswith": 1,
}

// positions are the names that arguments may be given by.
var positions = map[string][]string{
	"float": {"default"}, "int": {"default", "base"}, "round": {"precision", "method"}, "bool": {"default"}, "default": {"default_value", "boolean"}, "truncate": {"length", "killwords", "end", "leeway"},
}

func newFiltered(of expression, filter string, args arguments) (expression, error) {
	most, ok := filters[filter]
	if !ok {
		return nil, fmt.Errorf("the filter %s is not understood", clip(strings.TrimPrefix(filter, ".")))
	}
	if len(args.list) > most {
		return nil, fmt.Errorf("%s has too many arguments", filter)
	}
	for key := range args.named {
		if i := slices.Index(positions[filter], key); i < len(args.list) {
			return nil, fmt.Errorf("%s does not take %s", filter, clip(key))
		}
	}
	return filtered{of, strings.TrimPrefix(filter, "."), args}, nil
}

// arg returns the n-th argument, given by place or by name; undefined{} where it is left out.
func (f filtered) arg(s *scope, n int) (any, error) {
	if n < len(f.args.list) {
		return f.args.list[n].evaluate(s)
	}
	if known := positions[f.name]; n < len(known) {
		if e, ok := f.args.named[known[n]]; ok {
			return e.evaluate(s)
		}
	}
	return undefined{}, nil
}

func (f filtered) evaluate(s *scope) (any, error) {
	v, err := f.of.evaluate(s)
	if err != nil {
		return nil, err
	}
	first, err := f.arg(s, 0)
	if err != nil {
		return nil, err
	}
	second, err := f.arg(s, 1)
	if err != nil {
		return nil, err
	}
	switch f.name {
	case "float", "int", "round", "abs", "multiply", "add", "bool":
		return toNumber(f.name, v, first, second)
	case "default", "d":
		if _, missing := v.(undefined); missing || truth(second) && !truth(v) {
			if _, none := first.(undefined); none {
				return "", nil
			}
			return first, nil
		}
		return v, nil
	case "is_defined":
		return v, nil
	case "truncate":
		return f.truncate(s, v, first, second)
	case "iif":
		return pick(v, first, second), nil
	case "tojson", "to_json", "from_json", "length", "count", "first", "last":
		return ofParts(f.name, v)
	}
	if _, missing := v.(undefined); missing {
		return v, nil
	}
	return ofText(f.name, v, first, second)
}

func pick(v, yes, no any) any {
	if _, given := yes.(undefined); given {
		yes = true
	}
	if _, given := no.(undefined); given {
		no = false
	}
	if truth(v) {
		return yes
	}
	return no
}

// toNumber is float, int and so on. What is no number is undefined unless there is a default.
func toNumber(filter string, v, first, second any) (any, error) {
	if _, missing := first.(undefined); missing && v == (undefined{}) {
		return v, nil
	}
	if filter == "int" {
		if base, ok := second.(int64); ok && base >= 2 && base <= 36 {
			return wholeInBase(v, first, int(base))
		}
	}
	n, ok := numberOf(v)
	if b, isBool := v.(bool); isBool {
		n, ok = 0, true
		if b {
			n = 1
		}
	}
	if filter == "bool" {
		return toBool(v, n, ok, first)
	}
	_, whole := v.(int64)
	if !ok {
		if filter == "float" || filter == "int" {
			if _, none := first.(undefined); !none {
				return first, nil
			}
		}
		return nil, errNoNumber
	}
	switch filter {
	case "float":
		return n, nil
	case "int":
		return integer(math.Trunc(n))
	case "abs":
		if n = math.Abs(n); whole {
			return integer(n)
		}
		return n, nil
	case "round":
		return round(n, first, second)
	case "multiply":
		return calculate("*", n, first)
	}
	return calculate("+", n, first)
}

func toBool(v any, n float64, isNumber bool, otherwise any) (any, error) {
	if isNumber {
		return n != 0, nil
	}
	text, _ := v.(string)
	switch strings.ToLower(text) {
	case "true", "yes", "on", "enable":
		return true, nil
	case "false", "no", "off", "disable":
		return false, nil
	}
	if otherwise == (undefined{}) {
		return nil, fmt.Errorf("this is neither true nor false")
	}
	return otherwise, nil
}

func wholeInBase(v, otherwise any, base int) (any, error) {
	text, err := textOf(v)
	if err != nil {
		return nil, err
	}
	text = strings.ToLower(strings.TrimSpace(text))
	if base == 16 {
		text = strings.TrimPrefix(text, "0x")
	}
	n, err := strconv.ParseInt(text, base, 64)
	if err != nil {
		if otherwise == (undefined{}) {
			return nil, errNoNumber
		}
		return otherwise, nil
	}
	return n, nil
}

func integer(n float64) (any, error) {
	if math.Abs(n) >= 1<<53 {
		return nil, errNoNumber
	}
	return int64(n), nil
}

func round(n float64, precision, method any) (any, error) {
	digits, _ := precision.(int64)
	if digits < 0 || digits > 15 {
		return nil, fmt.Errorf("cannot round to %d digits", digits)
	}
	scale := math.Pow10(int(digits))
	scaled := n * scale
	switch method {
	case "floor":
		scaled = math.Floor(scaled)
	case "ceil":
		scaled = math.Ceil(scaled)
	default:
		scaled = math.RoundToEven(scaled)
	}
	if math.IsInf(scaled, 0) {
		return n, nil
	}
	if digits == 0 {
		return integer(scaled)
	}
	return scaled / scale, nil
}

func ofParts(filter string, v any) (any, error) {
	switch filter {
	case "tojson", "to_json":
		return jsonText(v)
	case "from_json":
		text, _ := v.(string)
		return parseJSON([]byte(text)), nil
	}
	list, isList := v.([]any)
	switch {
	case isList && filter == "first" && len(list) > 0:
		return list[0], nil
	case isList && filter == "last" && len(list) > 0:
		return list[len(list)-1], nil
	case filter == "first" || filter == "last":
		return undefined{}, nil
	case isList:
		return int64(len(list)), nil
	}
	switch v := v.(type) {
	case string:
		return int64(len([]rune(v))), nil
	case map[string]any:
		return int64(len(v)), nil
	}
	return nil, fmt.Errorf("this has no length")
}

func ofText(filter string, v, first, second any) (any, error) {
	text, err := textOf(v)
	if err != nil {
		return nil, err
	}
	argument, err := textOf(first)
	if err != nil {
		return nil, err
	}
	switch filter {
	case "lower":
		return strings.ToLower(text), nil
	case "upper":
		return strings.ToUpper(text), nil
	case "trim", "strip":
		return strings.TrimSpace(text), nil
	case "title", "capitalize":
		return capitalize(text, filter == "title"), nil
	case "replace":
		with, err := textOf(second)
		if err != nil || len(text)+strings.Count(text, argument)*len(with) > maxResult {
			return nil, errTooLong
		}
		return strings.ReplaceAll(text, argument, with), nil
	case "split":
		return split(text, first, argument), nil
	case "startswith":
		return strings.HasPrefix(text, argument), nil
	case "endswith":
		return strings.HasSuffix(text, argument), nil
	}
	return text, nil // string
}

// truncate cuts a text that is longer than length and more than leeway longer, at a space unless killwords is true, and
// puts end (…) behind it.
func (f filtered) truncate(s *scope, v, length, killWords any) (any, error) {
	text, err := textOf(v)
	if err != nil {
		return nil, err
	}
	end, err := f.arg(s, 2)
	if err != nil {
		return nil, err
	}
	leeway, err := f.arg(s, 3)
	if err != nil {
		return nil, err
	}
	most, given := numberOf(length)
	if !given {
		most = 255 // and the rest as in Jinja
	}
	spare, given := numberOf(leeway)
	if !given {
		spare = 5
	}
	dots, given := end.(string)
	if !given {
		dots = "..."
	}
	runes := []rune(text)
	room := int(math.Max(0, math.Min(most, maxResult))) - len([]rune(dots))
	if float64(len(runes)) <= most+spare || room < 0 {
		return text, nil
	}
	short := string(runes[:room])
	if at := strings.LastIndexByte(short, ' '); at > 0 && !truth(killWords) {
		short = short[:at]
	}
	return short + dots, nil
}

func split(text string, by any, separator string) any {
	parts := strings.Fields(text)
	if _, spaces := by.(undefined); !spaces && separator != "" {
		parts = strings.Split(text, separator)
	}
	out := make([]any, len(parts))
	for i, part := range parts {
		out[i] = part
	}
	return out
}

func capitalize(text string, each bool) string {
	start := true
	return strings.Map(func(r rune) rune {
		upper := start
		start = each && (r == ' ' || r == '_' || r == '-')
		if upper {
			return []rune(strings.ToUpper(string(r)))[0]
		}
		return []rune(strings.ToLower(string(r)))[0]
	}, text)
}

// jsonText writes v as JSON.
func jsonText(v any) (string, error) {
	if _, missing := v.(undefined); missing {
		return "", fmt.Errorf("there is no value to write as JSON")
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("writing JSON: %w", err)
	}
	if len(data) > maxResult {
		return "", errTooLong
	}
	return string(data), nil
}
