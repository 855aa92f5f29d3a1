package influxql

import (
	"slices"

	"github.com/influxdata/influxql"
)

// subquery runs a subquery and makes tracks of its rows.
func (s *selection) subquery(stmt *influxql.SelectStatement) ([]*track, error) {
	p, err := s.run.subplan(stmt, s.plan)
	if err != nil {
		return nil, err
	}
	inner := newSelection(s.run, p)
	var tables []*table
	err = inner.rows(func(name string, tags []tag, t int64, vals []datum) bool {
		if last := len(tables) - 1; last < 0 || tables[last].name != name || !slices.Equal(tables[last].tags, tags) {
			tables = append(tables, &table{name: name, tags: tags})
		}
		of := tables[len(tables)-1]
		of.rows = append(of.rows, row{t, slices.Clone(vals)})
		return s.run.keep(1 + len(vals)/2)
	})
	if err != nil {
		return nil, err
	}
	tracks := make([]*track, len(tables))
	for i, one := range tables {
		tracks[i] = &track{name: one.name, tags: one.tags, open: func(w wanted) rows { return s.open(stmt, p, one, w) }}
	}
	return tracks, nil
}

// A table is one series of a subquery's answer.
type table struct {
	name string
	tags []tag
	rows []row
}

// tableRows reads some columns of a table.
type tableRows struct {
	rows   []row
	want   wanted
	slots  []int // of each value: its column, or -1
	fixed  []datum
	filter func(row) bool
	vals   []datum
}

// open reads a table. What the condition of the query around names is looked for among the columns and the tags.
func (s *selection) open(stmt *influxql.SelectStatement, p *plan, from *table, w wanted) rows {
	t := &tableRows{rows: from.rows, want: w, vals: make([]datum, len(w.refs))}
	find := func(ref influxql.VarRef) (int, datum) {
		if at := columnOf(stmt, ref.Val); at >= 0 {
			return at, datum{}
		}
		if slices.Contains(p.dims, ref.Val) {
			if value := valueOf(from.tags, ref.Val); value != "" {
				return -1, textOf(value)
			}
		}
		return -1, datum{}
	}
	for _, ref := range w.refs {
		slot, value := find(ref)
		t.slots, t.fixed = append(t.slots, slot), append(t.fixed, value)
	}
	if w.driven && t.slots[0] < 0 && t.fixed[0].kind == nothing {
		return noRows{}
	}
	if w.desc != p.desc { // a table is in the order of the query; some functions read the other way
		t.rows = slices.Clone(t.rows)
		slices.Reverse(t.rows)
	}
	if s.plan.cond != nil {
		t.filter = tableFilter(s.plan.cond, find)
	}
	return t
}

// columnOf is the column of a subquery that has that name, -1 if none has.
func columnOf(stmt *influxql.SelectStatement, name string) int {
	at := 0
	for _, f := range stmt.Fields {
		if f.Name() == name {
			return at
		}
		at++
		if e, ok := f.Expr.(*influxql.Call); ok && (e.Name == "top" || e.Name == "bottom") {
			for _, arg := range e.Args[1 : len(e.Args)-1] {
				if arg.(*influxql.VarRef).Val == name {
					return at
				}
				at++
			}
		}
	}
	return -1
}

func tableFilter(cond influxql.Expr, find func(influxql.VarRef) (int, datum)) func(row) bool {
	values := &slots{at: map[string]int{}}
	for _, ref := range influxql.ExprNames(cond) {
		at, value := find(ref)
		if at < 0 {
			values.fixed = append(values.fixed, value)
			at = -len(values.fixed)
		}
		values.at[ref.Val] = at
	}
	eval := influxql.ValuerEval{Valuer: values}
	return func(r row) bool {
		values.vals = r.vals
		return eval.EvalBool(cond)
	}
}

func (t *tableRows) next() (row, bool) {
	for len(t.rows) > 0 {
		r := t.rows[0]
		t.rows = t.rows[1:]
		if r.t < t.want.start || r.t > t.want.end || t.filter != nil && !t.filter(r) {
			continue
		}
		for i, slot := range t.slots {
			if t.vals[i] = t.fixed[i]; slot >= 0 {
				t.vals[i] = r.vals[slot].cast(t.want.refs[i].Type)
			}
		}
		return row{r.t, t.vals}, true
	}
	return row{}, false
}
