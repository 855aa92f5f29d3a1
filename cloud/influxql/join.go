package influxql

import (
	"github.com/influxdata/influxql"
)

// A join puts the points of a group's functions, or its raw values, into rows.
type join struct {
	selection *selection
	group     *group
	each      emit
	slots     []datum // by time; what is missing is as fill says
	out       []datum
	eval      influxql.ValuerEval
}

func newJoin(s *selection, g *group, each emit) *join {
	j := &join{selection: s, group: g, each: each, slots: make([]datum, len(s.types)), out: make([]datum, len(s.columns))}
	j.eval = influxql.ValuerEval{Valuer: numbered{&j.slots}, IntegerFloatDivision: true}
	return j
}

// numbered gives the parser's evaluator the slots by their numbers.
type numbered struct{ slots *[]datum }

// Value implements influxql.Valuer.
func (n numbered) Value(name string) (any, bool) {
	at := 0
	for _, digit := range name {
		at = at*10 + int(digit-'0')
	}
	return (*n.slots)[at].any(), true
}

// Call implements influxql.CallValuer.
func (n numbered) Call(name string, args []any) (any, bool) { return calculate(name, args) }

// set puts a value into a slot. For none, fill(5) puts its number there, and fill(previous) leaves what is there.
func (j *join) set(slot int, v datum) {
	if v.kind != nothing {
		j.slots[slot] = v
		return
	}
	if j.selection.plan.fill != influxql.PreviousFill {
		j.slots[slot] = j.selection.plan.fillValue.cast(j.selection.types[slot])
	}
}

func (j *join) emit(t int64) bool {
	for i, c := range j.selection.columns {
		if c.slot >= 0 {
			j.out[i] = j.slots[c.slot]
			if j.out[i].kind == float {
				j.out[i] = datumOf(j.out[i].float()) // no number is none
			}
			continue
		}
		j.out[i] = datumOf(j.eval.Eval(c.expr))
	}
	return j.each(j.group.name, j.group.tags, t, j.out)
}

// points emits a row for every time at which one of the functions has a point.
func (j *join) points(of [][]point) bool {
	desc := j.selection.plan.desc
	for {
		t, any := int64(0), false
		for _, points := range of {
			if len(points) > 0 && (!any || points[0].t != t && (points[0].t < t) != desc) {
				t, any = points[0].t, true
			}
		}
		if !any {
			return true
		}
		for i := range of {
			p := point{}
			if len(of[i]) > 0 && of[i][0].t == t {
				p, of[i] = of[i][0], of[i][1:]
			}
			j.set(i, p.v)
			j.beside(p.aux)
		}
		if !j.emit(t) {
			return false
		}
	}
}

// beside sets the fields that go with a selector's point.
func (j *join) beside(aux []datum) {
	calls := len(j.selection.calls)
	for i := range j.selection.refs {
		v := datum{}
		if i < len(aux) {
			v = aux[i]
		}
		j.set(calls+i, v)
	}
}
