package influxql

import (
	"cmp"
	"math"
	"slices"

	"github.com/influxdata/influxql"
)

// A point is what a function made: a value, or nothing where a fill found none, and the fields beside it.
type point struct {
	t   int64
	v   datum
	aux []datum
}

// A reducer makes points of the rows of one window. The first value of a row is the function's, the rest go with it.
type reducer interface {
	add(r row)
	points() []point // without the time of the window, which is theirs where they have none of their own
}

// noTime is the time of a point that belongs to its window as a whole.
const noTime = math.MinInt64

// whole is a point of a window.
func whole(v datum) []point { return []point{{t: noTime, v: v}} }

// anyOrder reports whether a function may read series one after another.
func anyOrder(name string) bool {
	switch name {
	case "count", "sum", "mean", "min", "max", "first", "last", "spread":
		return true
	}
	return false
}

// newReducer returns what does a function's work.
func newReducer(e *influxql.Call, held func(n int) bool) reducer {
	switch e.Name {
	case "count":
		return &counter{}
	case "sum":
		return &summer{}
	case "mean":
		return &meaner{}
	case "min":
		return &picker{better: func(a, b point) bool { return a.v.less(b.v) || !b.v.less(a.v) && a.t < b.t }}
	case "max":
		return &picker{better: func(a, b point) bool { return b.v.less(a.v) || !a.v.less(b.v) && a.t < b.t }}
	case "first":
		return &picker{better: func(a, b point) bool { return a.t < b.t || a.t == b.t && b.v.less(a.v) }}
	case "last":
		return &picker{better: func(a, b point) bool { return a.t > b.t || a.t == b.t && b.v.less(a.v) }}
	case "spread":
		return &spreader{}
	}
	return &gatherer{held: held, finish: finisher(e)}
}

type counter struct{ n int64 }

func (c *counter) add(row) { c.n++ }

func (c *counter) points() []point { return whole(integerOf(c.n)) }

type summer struct {
	kind kind
	f    float64
	n    int64
}

func (s *summer) add(r row) {
	v := r.vals[0]
	if s.kind = v.kind; v.kind == integer {
		s.n += v.integer()
		return
	}
	s.f += v.float()
}

func (s *summer) points() []point {
	if s.kind == integer {
		return whole(integerOf(s.n))
	}
	return whole(floatOf(s.f))
}

type meaner struct {
	sum float64
	n   int64
}

func (m *meaner) add(r row) {
	m.sum += r.vals[0].number()
	m.n++
}

func (m *meaner) points() []point { return whole(floatOf(m.sum / float64(m.n))) }

// A picker keeps the best point.
type picker struct {
	better func(a, b point) bool
	best   point
	any    bool
}

func (p *picker) add(r row) {
	one := point{t: r.t, v: r.vals[0]}
	if p.any && !p.better(one, p.best) {
		return
	}
	if len(r.vals) > 1 {
		one.aux = slices.Clone(r.vals[1:])
	}
	p.best, p.any = one, true
}

func (p *picker) points() []point { return []point{p.best} }

type spreader struct {
	low, high datum
	any       bool
}

func (s *spreader) add(r row) {
	v := r.vals[0]
	if !s.any {
		s.low, s.high, s.any = v, v, true
		return
	}
	if v.less(s.low) {
		s.low = v
	}
	if s.high.less(v) {
		s.high = v
	}
}

func (s *spreader) points() []point {
	if s.low.kind == integer {
		return whole(integerOf(s.high.integer() - s.low.integer()))
	}
	return whole(floatOf(s.high.float() - s.low.float()))
}

// A gatherer needs all points of the window together.
type gatherer struct {
	held   func(n int) bool
	finish func([]point) []point
	all    []point
}

func (g *gatherer) add(r row) {
	if !g.held(1) {
		return
	}
	p := point{t: r.t, v: r.vals[0]}
	if len(r.vals) > 1 {
		p.aux = slices.Clone(r.vals[1:])
	}
	g.all = append(g.all, p)
}

func (g *gatherer) points() []point {
	g.held(-len(g.all))
	return g.finish(g.all)
}

func finisher(e *influxql.Call) func([]point) []point {
	switch e.Name {
	case "median":
		return median
	case "mode":
		return mode
	case "stddev":
		return stddev
	case "distinct":
		return distinct
	case "percentile":
		part := 0.0
		switch arg := e.Args[1].(type) {
		case *influxql.IntegerLiteral:
			part = float64(arg.Val)
		case *influxql.NumberLiteral:
			part = arg.Val
		}
		return func(all []point) []point { return percentile(all, part) }
	}
	n := int(e.Args[len(e.Args)-1].(*influxql.IntegerLiteral).Val)
	return func(all []point) []point { return best(all, n, e.Name == "top") }
}

func byValue(a, b point) int {
	switch {
	case a.v.less(b.v):
		return -1
	case b.v.less(a.v):
		return 1
	}
	return cmp.Compare(a.t, b.t)
}

func byTime(a, b point) int { return cmp.Compare(a.t, b.t) }

func median(all []point) []point {
	slices.SortFunc(all, byValue)
	middle := all[len(all)/2].v.number()
	if len(all)%2 == 0 {
		low := all[len(all)/2-1].v.number()
		middle = low + (middle-low)/2
	}
	return whole(floatOf(middle))
}

// mode is the value that occurs most often, of several the one that came first. As in InfluxDB a value that occurs once
// does not count beside another one.
func mode(all []point) []point {
	slices.SortFunc(all, byValue)
	most, runs := all[0], 0
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && !all[i].v.less(all[i+n].v) {
			n++
		}
		if i == 0 || n > 1 && (n > runs || n == runs && all[i].t <= most.t) {
			most, runs = all[i], n
		}
		i += n
	}
	return whole(most.v)
}

func stddev(all []point) []point {
	mean, squares := 0.0, 0.0
	for i, p := range all {
		mean += (p.v.number() - mean) / float64(i+1)
	}
	for _, p := range all {
		squares += (p.v.number() - mean) * (p.v.number() - mean)
	}
	return whole(floatOf(math.Sqrt(squares / float64(len(all)-1)))) // of a single point it is no number, and shown as none
}

func distinct(all []point) []point {
	seen := map[datum]bool{}
	all = slices.DeleteFunc(all, func(p point) bool {
		before := seen[p.v]
		seen[p.v] = true
		return before
	})
	slices.SortStableFunc(all, func(a, b point) int {
		if a.t != b.t {
			return cmp.Compare(a.t, b.t)
		}
		return byValue(a, b)
	})
	return all
}

func percentile(all []point, part float64) []point {
	at := int(math.Floor(float64(len(all))*part/100+0.5)) - 1
	if at < 0 || at >= len(all) {
		return nil
	}
	slices.SortStableFunc(all, byValue)
	return all[at : at+1]
}

// best are the n greatest or least points, the earlier ones where values are equal, in the order of time.
func best(all []point, n int, greatest bool) []point {
	slices.SortStableFunc(all, func(a, b point) int {
		order := byValue(point{v: a.v}, point{v: b.v})
		if greatest {
			order = -order
		}
		return cmp.Or(order, byTime(a, b))
	})
	all = all[:min(n, len(all))]
	slices.SortStableFunc(all, byTime)
	return all
}
