package influxql

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/influxdata/influxql"
)

// A selection is a plan being run.
type selection struct {
	run      *run
	plan     *plan
	calls    []*influxql.Call
	refs     []influxql.VarRef // fields outside of calls, sorted
	types    []influxql.DataType
	columns  []column
	selector bool // there is one call, and it picks points
}

// A column is an expression over slots: first the calls, then the refs.
type column struct {
	slot int // -1: evaluate
	expr influxql.Expr
}

// emit takes a row: vals are good during the call. False ends the reading.
type emit func(name string, tags []tag, t int64, vals []datum) bool

func newSelection(r *run, p *plan) *selection {
	s := &selection{run: r, plan: p}
	var fields []influxql.Expr
	for _, f := range p.stmt.Fields {
		fields = append(fields, f.Expr)
		if e, ok := f.Expr.(*influxql.Call); ok && (e.Name == "top" || e.Name == "bottom") {
			fields = append(fields, e.Args[1:len(e.Args)-1]...)
		}
	}
	at := map[string]int{}
	for _, e := range fields {
		s.collect(e, at)
	}
	slices.SortFunc(s.refs, func(a, b influxql.VarRef) int { return cmp.Or(cmp.Compare(a.Val, b.Val), cmp.Compare(a.Type, b.Type)) })
	for i, ref := range s.refs {
		at[ref.String()] = len(s.calls) + i
	}
	eval := influxql.TypeValuerEval{TypeMapper: &types{run: r}}
	for _, e := range s.calls {
		typ, _ := eval.EvalType(e)
		s.types = append(s.types, typ)
	}
	for _, ref := range s.refs {
		s.types = append(s.types, ref.Type)
	}
	for _, e := range fields {
		slotted := slotted(influxql.CloneExpr(e), at)
		one := column{slot: -1, expr: slotted}
		if ref, ok := slotted.(*influxql.VarRef); ok {
			one.slot, _ = strconv.Atoi(ref.Val)
		}
		s.columns = append(s.columns, one)
	}
	s.selector = len(s.calls) == 1 && influxql.IsSelector(s.calls[0])
	return s
}

// collect finds calls and fields; those that are written alike are one.
func (s *selection) collect(e influxql.Expr, at map[string]int) {
	switch e := e.(type) {
	case *influxql.Call:
		if isMath(e.Name) {
			for _, arg := range e.Args {
				s.collect(arg, at)
			}
		} else if _, ok := at[e.String()]; !ok {
			at[e.String()] = len(s.calls)
			s.calls = append(s.calls, e)
		}
	case *influxql.VarRef:
		if _, ok := at[e.String()]; !ok {
			at[e.String()] = 0
			s.refs = append(s.refs, *e)
		}
	case *influxql.BinaryExpr:
		s.collect(e.LHS, at)
		s.collect(e.RHS, at)
	case *influxql.ParenExpr:
		s.collect(e.Expr, at)
	}
}

// slotted puts the numbers of slots in the place of calls and fields.
func slotted(e influxql.Expr, at map[string]int) influxql.Expr {
	switch e := e.(type) {
	case *influxql.Call:
		if !isMath(e.Name) {
			return &influxql.VarRef{Val: strconv.Itoa(at[e.String()])}
		}
		for i, arg := range e.Args {
			e.Args[i] = slotted(arg, at)
		}
	case *influxql.VarRef:
		return &influxql.VarRef{Val: strconv.Itoa(at[e.String()])}
	case *influxql.BinaryExpr:
		e.LHS, e.RHS = slotted(e.LHS, at), slotted(e.RHS, at)
	case *influxql.ParenExpr:
		return slotted(e.Expr, at)
	}
	return e
}

// rows runs the selection, series by series in the order in which they are answered.
func (s *selection) rows(each emit) error {
	groups, err := s.groups()
	if err != nil {
		return err
	}
	if !s.typed() {
		return nil
	}
	for _, g := range groups {
		mark := s.run.held
		j := newJoin(s, g, each)
		goOn := false
		if len(s.calls) == 0 {
			goOn = s.raw(g, j)
		} else {
			goOn = j.points(s.functions(g))
		}
		s.run.release(mark)
		if s.run.err != nil {
			return s.run.err
		}
		if !goOn {
			break
		}
	}
	return nil
}

// typed reports whether there is anything to read: a field or function that exists.
func (s *selection) typed() bool {
	types := s.types
	if len(s.calls) > 0 {
		types = types[:len(s.calls)]
	}
	for i, typ := range types {
		if typ != influxql.Unknown && (len(s.calls) == 0 || s.known(s.calls[i])) {
			return true
		}
	}
	return false
}

// known reports whether a function's field exists.
func (s *selection) known(e *influxql.Call) bool {
	for len(e.Args) > 0 {
		inner, ok := e.Args[0].(*influxql.Call)
		if !ok {
			ref, ok := e.Args[0].(*influxql.VarRef)
			return ok && ref.Type != influxql.Unknown
		}
		e = inner
	}
	return false
}

// groups finds the tracks of all sources.
func (s *selection) groups() ([]*group, error) {
	var all []*track
	for _, source := range s.plan.stmt.Sources {
		var tracks []*track
		var err error
		switch source := source.(type) {
		case *influxql.Measurement:
			tracks, err = s.measured(source)
		case *influxql.SubQuery:
			tracks, err = s.subquery(source.Statement)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, tracks...)
	}
	return groupTracks(all, s.plan.dims, s.plan.desc), nil
}

// measured finds the series of a source. SLIMIT and SOFFSET hold for each measurement.
func (s *selection) measured(source *influxql.Measurement) ([]*track, error) {
	home, all, err := s.run.measurements(source)
	if err != nil {
		return nil, err
	}
	var tracks []*track
	for _, m := range all {
		groups := limitGroups(groupTracks(s.run.seriesTracks(home, m, s.plan.cond), s.plan.dims, false), s.plan.slimit, s.plan.soffset)
		for _, g := range groups {
			tracks = append(tracks, g.tracks...)
		}
	}
	return tracks, nil
}

// raw emits points as they are stored.
func (s *selection) raw(g *group, j *join) bool {
	read := g.read(wanted{refs: s.refs, start: s.plan.windows.start, end: s.plan.windows.end, desc: s.plan.desc})
	for n := 0; ; n++ {
		r, ok := read.next()
		if !ok || s.run.err != nil {
			return true
		}
		if n < s.plan.stmt.Offset {
			continue
		}
		if limit := s.plan.stmt.Limit; limit > 0 && n >= s.plan.stmt.Offset+limit {
			return true
		}
		for i, v := range r.vals {
			j.set(i, v)
		}
		if !j.emit(r.t) {
			return false
		}
	}
}
