package influxql

import (
	"github.com/influxdata/influxql"
)

// A cardinality is what SHOW … CARDINALITY counts.
type cardinality struct {
	database string
	sources  influxql.Sources
	cond     influxql.Expr
	limit    int
	offset   int

	estimate bool // of the home as a whole, in the words of an estimate
	nameless bool // the measurements themselves
	of       func(m *measurement, series []*tagged) int
}

func countSeries(_ *measurement, series []*tagged) int { return len(series) }

// cardinalityOf returns what a statement counts, if it counts.
func cardinalityOf(stmt influxql.Statement) (*cardinality, bool) {
	switch s := stmt.(type) {
	case *influxql.ShowSeriesCardinalityStatement:
		estimate := !s.Exact && s.Sources == nil && s.Condition == nil && s.Limit == 0 && s.Offset == 0
		return &cardinality{s.Database, s.Sources, s.Condition, s.Limit, s.Offset, estimate, false, countSeries}, true
	case *influxql.ShowMeasurementCardinalityStatement:
		estimate := !s.Exact && s.Sources == nil && s.Condition == nil && s.Limit == 0 && s.Offset == 0
		return &cardinality{s.Database, s.Sources, s.Condition, s.Limit, s.Offset, estimate, true,
			func(*measurement, []*tagged) int { return 1 }}, true
	case *influxql.ShowTagKeyCardinalityStatement:
		return &cardinality{s.Database, s.Sources, s.Condition, s.Limit, s.Offset, false, false,
			func(_ *measurement, series []*tagged) int { return len(tagKeys(series)) }}, true
	case *influxql.ShowTagValuesCardinalityStatement:
		return &cardinality{s.Database, s.Sources, s.Condition, s.Limit, s.Offset, false, false,
			func(_ *measurement, series []*tagged) int { return len(tagValues(series, s.Op, s.TagKeyExpr)) }}, true
	case *influxql.ShowFieldKeyCardinalityStatement:
		return &cardinality{s.Database, s.Sources, s.Condition, s.Limit, s.Offset, false, false,
			func(m *measurement, _ []*tagged) int { return len(m.fields) }}, true
	}
	return nil, false
}

func (r *run) showCardinality(c *cardinality, database string, out sink) error {
	q, err := r.question(database, c.sources, c.cond)
	if err != nil {
		return err
	}
	total := 0
	out.columns(columns{names: []string{"count"}})
	if c.estimate {
		out.columns(columns{names: []string{"cardinality estimation"}})
	}
	q.each(func(m *measurement, series []*tagged) bool {
		n := c.of(m, series)
		if total += n; !c.estimate && !c.nameless && n > 0 && c.offset == 0 {
			out.row(m.name, nil, 0, []datum{integerOf(int64(n))})
		}
		return true
	})
	if c.estimate || c.nameless && total > 0 && c.offset == 0 {
		out.row("", nil, 0, []datum{integerOf(int64(total))})
	}
	return nil
}
