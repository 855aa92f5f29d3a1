package influxql

import (
	"fmt"
	"slices"

	"github.com/influxdata/influxql"
)

// A plan is a checked SELECT whose columns have types, ready to be run.
type plan struct {
	stmt      *influxql.SelectStatement
	cond      influxql.Expr
	windows   windows
	dims      []string // tags of GROUP BY, sorted
	desc      bool
	fill      influxql.FillOption
	fillValue datum // of fill(5)
	slimit    int
	soffset   int
}

// plan checks a statement and finds the types of its columns.
func (r *run) plan(stmt *influxql.SelectStatement) (*plan, error) {
	stmt = stmt.Clone()
	c, err := compile(stmt, r.now)
	if err != nil {
		return nil, err
	}
	if err := r.checkWildcards(stmt); err != nil {
		return nil, err
	}
	types := &types{run: r}
	stmt, err = stmt.RewriteFields(types)
	switch {
	case err != nil:
		return nil, err
	case types.err != nil:
		return nil, types.err
	}
	if err := checkTypes(stmt, types); err != nil {
		return nil, err
	}
	p := newPlan(stmt)
	p.cond = stmt.Condition
	p.windows.start, p.windows.end = c.times.MinTimeNano(), c.times.MaxTimeNano()
	if err := p.checkDims(); err != nil {
		return nil, err
	}
	r.fewBuckets(p.windows.buckets())
	return p, r.err
}

// newPlan is what a statement says by itself, without its condition.
func newPlan(stmt *influxql.SelectStatement) *plan {
	p := &plan{stmt: stmt, desc: !stmt.TimeAscending(), fill: stmt.Fill, fillValue: fillValue(stmt), slimit: stmt.SLimit, soffset: stmt.SOffset}
	interval, _ := stmt.GroupByInterval() // compile has looked at it
	if interval > 0 {
		offset, _ := stmt.GroupByOffset()
		p.windows.interval, p.windows.offset = int64(interval), int64(offset)
	}
	p.windows.zone = stmt.Location
	for _, d := range stmt.Dimensions {
		if ref, ok := d.Expr.(*influxql.VarRef); ok {
			p.dims = append(p.dims, ref.Val)
		}
	}
	p.sortDims()
	return p
}

// maxDims is how many tags GROUP BY takes.
const maxDims = 200

func (p *plan) sortDims() {
	slices.Sort(p.dims)
	p.dims = slices.Compact(p.dims)
}

func (p *plan) checkDims() error {
	if len(p.dims) > maxDims {
		return fmt.Errorf("max-group-by limit exceeded: %d tags of at most %d", len(p.dims), maxDims)
	}
	return nil
}

func fillValue(stmt *influxql.SelectStatement) datum {
	if v, ok := stmt.FillValue.(int); ok {
		return integerOf(int64(v))
	}
	return datumOf(stmt.FillValue)
}

// subplan is the plan of a subquery: within the time range of the query around it, and grouped as that one groups.
func (r *run) subplan(stmt *influxql.SelectStatement, outer *plan) (*plan, error) {
	p := newPlan(stmt)
	cond, times, err := influxql.ConditionExpr(stmt.Condition, &influxql.NowValuer{Now: r.now, Location: stmt.Location})
	if err != nil {
		return nil, err
	}
	p.cond = cond
	p.windows.start = max(times.MinTimeNano(), outer.windows.start)
	p.windows.end = min(times.MaxTimeNano(), outer.windows.end)
	if p.windows.interval > 0 && p.windows.end == influxql.MaxTime {
		p.windows.end = r.now.UnixNano()
	}
	if p.windows.interval == 0 {
		p.windows.interval, p.windows.offset = outer.windows.interval, outer.windows.offset
	}
	p.dims = append(p.dims, outer.dims...)
	p.sortDims()
	p.slimit += outer.slimit
	p.soffset += outer.soffset
	p.desc = outer.desc
	if !stmt.IsRawQuery && p.fill == influxql.NullFill {
		p.fill = influxql.NoFill // the query around would pass over them
	}
	if err := p.checkDims(); err != nil {
		return nil, err
	}
	r.fewBuckets(p.windows.buckets())
	return p, r.err
}

// checkWildcards refuses wildcards that would become more columns than anybody can read.
func (r *run) checkWildcards(stmt *influxql.SelectStatement) error {
	wild, most := 0, 0
	var err error
	influxql.WalkFunc(stmt, func(n influxql.Node) {
		switch n := n.(type) {
		case *influxql.Wildcard, *influxql.RegexLiteral:
			wild++
		case *influxql.Measurement:
			_, all, failed := r.measurements(n)
			if err == nil {
				err = failed
			}
			columns := 0
			for _, m := range all {
				columns += len(m.fields) + len(m.tags)
			}
			most = max(most, columns)
		}
	})
	if wild*most > maxColumns {
		return fmt.Errorf("max-select-columns limit exceeded: wildcards would become %d columns of at most %d", wild*most, maxColumns)
	}
	return err
}

// checkTypes finds expressions whose types do not go together, and functions that do not take what they are given.
func checkTypes(stmt *influxql.SelectStatement, types *types) error {
	eval := influxql.TypeValuerEval{TypeMapper: types}
	var err error
	for _, f := range stmt.Fields {
		if _, wrong := eval.EvalType(f.Expr); wrong != nil {
			return wrong
		}
	}
	influxql.WalkFunc(stmt.Fields, func(n influxql.Node) {
		if e, ok := n.(*influxql.Call); ok && err == nil {
			err = checkArgument(e)
		}
	})
	for _, source := range stmt.Sources {
		if sub, ok := source.(*influxql.SubQuery); ok && err == nil {
			err = checkTypes(sub.Statement, types)
		}
	}
	return err
}

func checkArgument(e *influxql.Call) error {
	if len(e.Args) == 0 || isMath(e.Name) {
		return nil
	}
	ref, ok := e.Args[0].(*influxql.VarRef)
	if !ok {
		return nil
	}
	fits := true
	switch ref.Type {
	case influxql.String:
		switch e.Name {
		case "count", "first", "last", "distinct", "mode", "elapsed":
		default:
			fits = false
		}
	case influxql.Boolean:
		switch e.Name {
		case "count", "first", "last", "distinct", "mode", "elapsed", "min", "max":
		default:
			fits = false
		}
	}
	if !fits {
		return fmt.Errorf("%s() does not take field %s: it is of type %s", e.Name, ref.Val, ref.Type)
	}
	return nil
}
