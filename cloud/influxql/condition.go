package influxql

import (
	"regexp"

	"github.com/influxdata/influxql"

	"hearth"
)

func isFalse(e influxql.Expr) bool {
	b, ok := e.(*influxql.BooleanLiteral)
	return ok && !b.Val
}

func isTrue(e influxql.Expr) bool {
	b, ok := e.(*influxql.BooleanLiteral)
	return ok && b.Val
}

func kindOf(t influxql.DataType) hearth.Kind {
	switch t {
	case influxql.Boolean:
		return hearth.Bool
	case influxql.String:
		return hearth.Text
	}
	return hearth.Number
}

// isTag reports whether a name stands for a tag of the measurement: what is neither tag nor field is a tag that no
// series has.
func (m *measurement) isTag(ref influxql.VarRef) bool {
	if ref.Type == influxql.Tag {
		return true
	}
	_, field := m.fields[ref.Val]
	return ref.Type == influxql.Unknown && !field
}

// narrow is what is left of a condition once the tags of a series are known: nil where it is true, the literal false
// where it cannot be.
func (m *measurement) narrow(cond influxql.Expr, s *tagged) influxql.Expr {
	rest := m.settle(cond, s.tags)
	if isTrue(rest) {
		return nil
	}
	return rest
}

func (m *measurement) settle(cond influxql.Expr, tags []tag) influxql.Expr {
	switch e := cond.(type) {
	case nil:
		return &influxql.BooleanLiteral{Val: true}
	case *influxql.ParenExpr:
		return m.settle(e.Expr, tags)
	case *influxql.BinaryExpr:
		if e.Op == influxql.AND || e.Op == influxql.OR {
			return settleBoth(e.Op, m.settle(e.LHS, tags), m.settle(e.RHS, tags))
		}
		if answer, ok := m.compareTag(e, tags); ok {
			return &influxql.BooleanLiteral{Val: answer}
		}
	}
	return cond
}

func settleBoth(op influxql.Token, left, right influxql.Expr) influxql.Expr {
	absorbs, passes := isFalse, isTrue
	if op == influxql.OR {
		absorbs, passes = isTrue, isFalse
	}
	switch {
	case absorbs(left), passes(right):
		return left
	case absorbs(right), passes(left):
		return right
	}
	return &influxql.BinaryExpr{Op: op, LHS: left, RHS: right}
}

// compareTag answers a comparison of a tag with a text, a regular expression or another tag.
func (m *measurement) compareTag(e *influxql.BinaryExpr, tags []tag) (answer, ok bool) {
	left, right := e.LHS, e.RHS
	if _, isRef := left.(*influxql.VarRef); !isRef {
		left, right = right, left
	}
	ref, isRef := left.(*influxql.VarRef)
	if !isRef || !m.isTag(*ref) {
		return false, false
	}
	value := m.tagValue(ref, tags)
	switch other := right.(type) {
	case *influxql.StringLiteral:
		return compareTexts(e.Op, value, other.Val)
	case *influxql.RegexLiteral:
		return matchText(e.Op, value, other.Val)
	case *influxql.VarRef:
		if m.isTag(*other) {
			return compareTexts(e.Op, value, m.tagValue(other, tags))
		}
	}
	return false, false
}

// tagValue knows the measurement's name as the tag _name, which is how InfluxDB's own tools ask for it.
func (m *measurement) tagValue(ref *influxql.VarRef, tags []tag) string {
	if ref.Val == "_name" {
		return m.name
	}
	return valueOf(tags, ref.Val)
}

func compareTexts(op influxql.Token, a, b string) (answer, ok bool) {
	switch op {
	case influxql.EQ:
		return a == b, true
	case influxql.NEQ:
		return a != b, true
	}
	return false, false
}

func matchText(op influxql.Token, s string, re *regexp.Regexp) (answer, ok bool) {
	switch op {
	case influxql.EQREGEX:
		return re.MatchString(s), true
	case influxql.NEQREGEX:
		return !re.MatchString(s), true
	}
	return false, false
}

// filter evaluates what is left of a condition over the cursors that it asks for.
func (m *measurement) filter(rest influxql.Expr, s *tagged, cursor func(influxql.VarRef) int) func([]datum) bool {
	values := &slots{at: map[string]int{}}
	for _, ref := range influxql.ExprNames(rest) {
		if !m.isTag(ref) {
			if at := cursor(ref); at >= 0 {
				values.at[ref.Val] = at
			}
		} else if value := valueOf(s.tags, ref.Val); value != "" {
			values.fixed = append(values.fixed, textOf(value))
			values.at[ref.Val] = -len(values.fixed)
		}
	}
	eval := influxql.ValuerEval{Valuer: values}
	return func(now []datum) bool {
		values.vals = now
		return eval.EvalBool(rest)
	}
}

// slots give the parser's evaluator values by name.
type slots struct {
	at    map[string]int // from 0 on those of vals, from -1 down those of fixed
	vals  []datum
	fixed []datum
}

// Value implements influxql.Valuer.
func (s *slots) Value(name string) (any, bool) {
	at, ok := s.at[name]
	switch {
	case !ok:
		return nil, false
	case at < 0:
		return s.fixed[-at-1].any(), true
	}
	return s.vals[at].any(), true
}

// Call implements influxql.CallValuer.
func (s *slots) Call(name string, args []any) (any, bool) { return calculate(name, args) }
