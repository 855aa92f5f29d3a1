package homeassistant

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// An expression is worth nil (None), undefined{}, bool, int64, float64, string, []any or map[string]any.
type expression interface {
	evaluate(*scope) (any, error)
}

// undefined is what is not there: a key that the message lacks, a value_json of a payload that is no JSON.
type undefined struct{}

type (
	constant struct{ value any }
	name     string
	index    struct{ of, at expression }
	listing  []expression
	pair     struct{ key, value expression }
	mapping  []pair
	unary    struct {
		mark string
		of   expression
	}
	binary struct {
		mark        string
		left, right expression
	}
	choice   struct{ condition, yes, no expression }
	filtered struct {
		of   expression
		name string
		args arguments
	}
	test struct {
		of   expression
		name string
		not  bool
		arg  expression
	}
)

type arguments struct {
	list  []expression
	named map[string]expression
}

func (c constant) evaluate(*scope) (any, error) { return c.value, nil }

func (n name) evaluate(s *scope) (any, error) {
	switch v, set := s.names[string(n)]; {
	case set:
		return v, nil
	case n == "value":
		return s.value, nil
	case n == "value_json" && s.json != nil:
		return s.json, nil
	}
	return undefined{}, nil
}

func (i index) evaluate(s *scope) (any, error) {
	of, err := i.of.evaluate(s)
	if err != nil {
		return nil, err
	}
	at, err := i.at.evaluate(s)
	if err != nil {
		return nil, err
	}
	switch of := of.(type) {
	case map[string]any:
		key, err := textOf(at)
		if v, ok := of[key]; ok && err == nil {
			return v, nil
		}
	case []any:
		if v, ok := element(at, len(of)); ok {
			return of[v], nil
		}
	case string:
		if v, ok := element(at, len(of)); ok {
			return of[v : v+1], nil
		}
	}
	return undefined{}, nil
}

// element turns an index, which may count from the end, into one of a list of n.
func element(at any, n int) (int, bool) {
	i, ok := at.(int64)
	if !ok || i < -int64(n) || i >= int64(n) {
		return 0, false
	}
	if i < 0 {
		i += int64(n)
	}
	return int(i), true
}

func (l listing) evaluate(s *scope) (any, error) {
	out := make([]any, len(l))
	for i, e := range l {
		v, err := member(e, s)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// member is worth a part of a list or mapping. Lists and mappings are parts only where they are written there: built up
// in steps they could double with each.
func member(e expression, s *scope) (any, error) {
	v, err := e.evaluate(s)
	switch v.(type) {
	case []any, map[string]any:
		_, isListing := e.(listing)
		_, isMapping := e.(mapping)
		if !isListing && !isMapping {
			return nil, errors.New("a list or mapping cannot be put into another")
		}
	}
	return v, err
}

func (m mapping) evaluate(s *scope) (any, error) {
	out := make(map[string]any, len(m))
	for _, p := range m {
		key, err := p.key.evaluate(s)
		if err != nil {
			return nil, err
		}
		text, err := textOf(key)
		if err != nil {
			return nil, err
		}
		if out[text], err = member(p.value, s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (u unary) evaluate(s *scope) (any, error) {
	v, err := u.of.evaluate(s)
	if err != nil {
		return nil, err
	}
	if u.mark == "not" {
		return !truth(v), nil
	}
	switch n := v.(type) {
	case int64:
		return -n, nil
	case float64:
		return -n, nil
	}
	return nil, errNoNumber
}

func (c choice) evaluate(s *scope) (any, error) {
	v, err := c.condition.evaluate(s)
	switch {
	case err != nil:
		return nil, err
	case truth(v):
		return c.yes.evaluate(s)
	case c.no == nil:
		return undefined{}, nil
	}
	return c.no.evaluate(s)
}

func (b binary) evaluate(s *scope) (any, error) {
	left, err := b.left.evaluate(s)
	if err != nil {
		return nil, err
	}
	if b.mark == "and" && !truth(left) || b.mark == "or" && truth(left) {
		return left, nil
	}
	right, err := b.right.evaluate(s)
	if err != nil {
		return nil, err
	}
	switch b.mark {
	case "and", "or":
		return right, nil
	case "==":
		return equal(left, right), nil
	case "!=":
		return !equal(left, right), nil
	case "in":
		return contains(right, left), nil
	case "not in":
		return !contains(right, left), nil
	case "<", "<=", ">", ">=":
		return compare(b.mark, left, right)
	case "~":
		return concatenate(left, right)
	}
	return calculate(b.mark, left, right)
}

func (t test) evaluate(s *scope) (any, error) {
	v, err := t.of.evaluate(s)
	if err != nil {
		return nil, err
	}
	_, missing := v.(undefined)
	var holds bool
	switch t.name {
	case "defined":
		holds = !missing
	case "undefined":
		holds = missing
	case "none":
		holds = v == nil
	case "number":
		_, holds = numberOf(v)
		_, isText := v.(string)
		holds = holds && !isText
	case "string":
		_, holds = v.(string)
	case "mapping":
		_, holds = v.(map[string]any)
	case "true":
		holds = v == true
	case "false":
		holds = v == false
	case "in":
		list, err := t.arg.evaluate(s)
		if err != nil {
			return nil, err
		}
		holds = contains(list, v)
	}
	return holds != t.not, nil
}

// truth is Python's: empty and zero are false.
func truth(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return false
}

// numberOf reads a number, also one written as text; a bool is none.
func numberOf(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return 0, false
}

// arithmetic is numberOf without texts, with bools as Python counts them.
func arithmetic(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case string:
		return 0, false
	}
	return numberOf(v)
}

// equal compares what has no parts: lists and mappings are never equal.
func equal(a, b any) bool {
	if x, ok := arithmetic(a); ok {
		y, ok := arithmetic(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case string:
		other, ok := b.(string)
		return ok && a == other
	case []any, map[string]any:
		return false
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}

func contains(in, v any) bool {
	switch in := in.(type) {
	case []any:
		return slices.ContainsFunc(in, func(member any) bool { return equal(member, v) })
	case map[string]any:
		key, err := textOf(v)
		_, ok := in[key]
		return ok && err == nil
	case string:
		part, ok := v.(string)
		return ok && strings.Contains(in, part)
	}
	return false
}

func compare(mark string, a, b any) (any, error) {
	order := 0
	x, ok := arithmetic(a)
	y, both := arithmetic(b)
	left, text := a.(string)
	right, texts := b.(string)
	switch {
	case ok && both && x < y:
		order = -1
	case ok && both && x > y:
		order = 1
	case ok && both:
	case text && texts:
		order = strings.Compare(left, right)
	default:
		return nil, errors.New("these cannot be compared")
	}
	switch mark {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

func concatenate(a, b any) (any, error) {
	left, err := textOf(a)
	if err != nil {
		return nil, err
	}
	right, err := textOf(b)
	if len(left)+len(right) > maxResult {
		return nil, errTooLong
	}
	return left + right, err
}

var errNoNumber = errors.New("this is no number")

func calculate(mark string, a, b any) (any, error) {
	left, text := a.(string)
	right, texts := b.(string)
	if mark == "+" && text && texts {
		return concatenate(left, right)
	}
	x, ok := arithmetic(a)
	y, both := arithmetic(b)
	if !ok || !both {
		return nil, errNoNumber
	}
	_, wholeA := a.(float64)
	_, wholeB := b.(float64)
	whole := !wholeA && !wholeB
	var result float64
	switch mark {
	case "+":
		result = x + y
	case "-":
		result = x - y
	case "*":
		result = x * y
	case "/", "//", "%":
		if y == 0 {
			return nil, errors.New("this divides by zero")
		}
		switch result = x / y; mark {
		case "/":
			whole = false
		case "//":
			result = math.Floor(result)
		case "%":
			result = x - y*math.Floor(result)
		}
	default:
		return nil, fmt.Errorf("%q is not understood", mark)
	}
	if math.IsNaN(result) || math.IsInf(result, 0) {
		return nil, errNoNumber
	}
	if whole && math.Abs(result) < 1<<53 {
		return int64(result), nil
	}
	return result, nil
}

// textOf writes v as Python does, which is what the far end expects: True, None, 21.0.
func textOf(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		if v {
			return "True", nil
		}
		return "False", nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s, nil
	case nil:
		return "None", nil
	case undefined:
		return "", nil
	}
	return jsonText(v)
}
