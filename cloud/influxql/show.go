package influxql

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/influxql"
)

func texts(values ...string) []datum {
	row := make([]datum, len(values))
	for i, v := range values {
		row[i] = textOf(v)
	}
	return row
}

// page is LIMIT and OFFSET.
func page[T any](all []T, limit, offset int) []T {
	all = all[min(offset, len(all)):]
	if limit > 0 {
		all = all[:min(limit, len(all))]
	}
	return all
}

func (r *run) showDatabases(out sink) error {
	homes, err := r.databases()
	if err != nil {
		return err
	}
	out.columns(columns{names: []string{"name"}, whole: true})
	for _, h := range homes {
		out.row("databases", nil, 0, texts(h.Name))
	}
	return nil
}

func (r *run) showRetentionPolicies(database string, out sink) error {
	if _, err := r.home(database); err != nil {
		return err
	}
	out.columns(columns{names: []string{"name", "duration", "shardGroupDuration", "replicaN", "default"}, whole: true})
	out.row("", nil, 0, append(texts("autogen", r.server.o.Retention.String(), (24*time.Hour).String()), integerOf(1), boolOf(true)))
	return nil
}

// A question is what SHOW asks about a home: which measurements, and which of their series.
type question struct {
	catalog *catalog
	sources influxql.Sources
	cond    influxql.Expr
	since   int64 // series that fell silent before are left out
	until   int64
	timed   bool
}

func (r *run) question(database string, sources influxql.Sources, cond influxql.Expr) (*question, error) {
	home, err := r.home(database)
	if err != nil {
		return nil, err
	}
	q := &question{sources: sources}
	if q.catalog, err = r.catalog(home); err != nil {
		return nil, err
	}
	var times influxql.TimeRange
	if q.cond, times, err = influxql.ConditionExpr(cond, &influxql.NowValuer{Now: r.now}); err != nil {
		return nil, err
	}
	q.since, q.until, q.timed = times.MinTimeNano(), times.MaxTimeNano(), !times.IsZero()
	return q, checkCondition(q.cond)
}

// each visits the measurements by name, with the series of each that match.
func (q *question) each(visit func(m *measurement, series []*tagged) bool) {
	for _, name := range q.catalog.names {
		m := q.catalog.byName[name]
		if !q.asksFor(m) {
			continue
		}
		var found []*tagged
		for _, s := range m.series {
			if q.matches(m, s) {
				found = append(found, s)
			}
		}
		if len(found) > 0 && !visit(m, found) {
			return
		}
	}
}

func (q *question) asksFor(m *measurement) bool {
	if len(q.sources) == 0 {
		return true
	}
	for _, source := range q.sources {
		if source, ok := source.(*influxql.Measurement); ok && matchesName(source, m.name) {
			return true
		}
	}
	return false
}

func matchesName(source *influxql.Measurement, name string) bool {
	if source.Regex != nil {
		return source.Regex.Val.MatchString(name)
	}
	return source.Name == name
}

// matches looks at tags alone: what a condition says of fields is not looked at.
func (q *question) matches(m *measurement, s *tagged) bool {
	last := int64(math.MinInt64)
	for _, f := range s.fields {
		last = max(last, f.t)
	}
	return last >= q.since && !isFalse(m.settle(q.cond, s.tags))
}

func (r *run) showMeasurements(stmt *influxql.ShowMeasurementsStatement, database string, out sink) error {
	if influxql.HasTimeExpr(stmt.Condition) {
		return errors.New("SHOW MEASUREMENTS doesn't support time in WHERE clause")
	}
	var sources influxql.Sources
	if stmt.Source != nil {
		sources = influxql.Sources{stmt.Source}
	}
	q, err := r.question(database, sources, stmt.Condition)
	if err != nil {
		return err
	}
	var names []string
	q.each(func(m *measurement, _ []*tagged) bool {
		names = append(names, m.name)
		return true
	})
	out.columns(columns{names: []string{"name"}, whole: true})
	for _, name := range page(names, stmt.Limit, stmt.Offset) {
		out.row("measurements", nil, 0, texts(name))
	}
	return nil
}

func (r *run) showTagKeys(stmt *influxql.ShowTagKeysStatement, database string, out sink) error {
	q, err := r.question(database, stmt.Sources, stmt.Condition)
	if err != nil {
		return err
	}
	out.columns(columns{names: []string{"tagKey"}, whole: true})
	q.each(func(m *measurement, series []*tagged) bool {
		for _, key := range page(tagKeys(series), stmt.Limit, stmt.Offset) {
			out.row(m.name, nil, 0, texts(key))
		}
		return true
	})
	return nil
}

func tagKeys(series []*tagged) []string {
	var keys []string
	for _, s := range series {
		for _, t := range s.tags {
			keys = append(keys, t.key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (r *run) showTagValues(stmt *influxql.ShowTagValuesStatement, database string, out sink) error {
	q, err := r.question(database, stmt.Sources, stmt.Condition)
	if err != nil {
		return err
	}
	out.columns(columns{names: []string{"key", "value"}, whole: true})
	q.each(func(m *measurement, series []*tagged) bool {
		for _, t := range page(tagValues(series, stmt.Op, stmt.TagKeyExpr), stmt.Limit, stmt.Offset) {
			out.row(m.name, nil, 0, texts(t.key, t.value))
		}
		return true
	})
	return nil
}

func tagValues(series []*tagged, op influxql.Token, keys influxql.Literal) []tag {
	var found []tag
	for _, s := range series {
		for _, t := range s.tags {
			if asksForKey(op, keys, t.key) {
				found = append(found, t)
			}
		}
	}
	slices.SortFunc(found, func(a, b tag) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value)) })
	return slices.Compact(found)
}

// asksForKey is WITH KEY =, !=, =~, !~ or IN.
func asksForKey(op influxql.Token, keys influxql.Literal, key string) bool {
	switch keys := keys.(type) {
	case *influxql.ListLiteral:
		return slices.Contains(keys.Vals, key)
	case *influxql.StringLiteral:
		answer, _ := compareTexts(op, key, keys.Val)
		return answer
	case *influxql.RegexLiteral:
		answer, _ := matchText(op, key, keys.Val)
		return answer
	}
	return false
}

func (r *run) showFieldKeys(stmt *influxql.ShowFieldKeysStatement, database string, out sink) error {
	q, err := r.question(database, stmt.Sources, nil)
	if err != nil {
		return err
	}
	out.columns(columns{names: []string{"fieldKey", "fieldType"}})
	q.each(func(m *measurement, _ []*tagged) bool {
		for _, name := range page(fieldKeys(m), stmt.Limit, stmt.Offset) {
			out.row(m.name, nil, 0, texts(name, m.fields[name].String()))
		}
		return true
	})
	return nil
}

func fieldKeys(m *measurement) []string {
	var names []string
	for name := range m.fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (r *run) showSeries(stmt *influxql.ShowSeriesStatement, database string, out sink) error {
	q, err := r.question(database, stmt.Sources, stmt.Condition)
	if err != nil {
		return err
	}
	var keys []string
	q.each(func(_ *measurement, series []*tagged) bool {
		for _, s := range series {
			if !q.timed || r.spoke(q, s) {
				keys = append(keys, s.key)
			}
		}
		return r.err == nil
	})
	slices.SortFunc(keys, strings.Compare)
	out.columns(columns{names: []string{"key"}})
	for _, key := range page(keys, stmt.Limit, stmt.Offset) {
		out.row("", nil, 0, texts(key))
	}
	return r.err
}

// spoke reports whether a series has a point in the time that was asked for.
func (r *run) spoke(q *question, s *tagged) bool {
	for name := range s.fields {
		c := r.cursor(q.catalog.home, s, influxql.VarRef{Val: name}, wanted{start: q.since, end: q.until})
		if c.peek() != nil {
			return true
		}
	}
	return false
}
