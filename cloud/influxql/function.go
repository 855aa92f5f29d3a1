package influxql

import (
	"slices"

	"github.com/influxdata/influxql"
)

// functions evaluates the calls of a group. Simple ones of the same field share one reading.
func (s *selection) functions(g *group) [][]point {
	points := make([][]point, len(s.calls))
	byField := map[string][]int{}
	var fields []string
	for i, e := range s.calls {
		if ref, ok := e.Args[0].(*influxql.VarRef); ok && anyOrder(e.Name) {
			if byField[ref.String()] == nil {
				fields = append(fields, ref.String())
			}
			byField[ref.String()] = append(byField[ref.String()], i)
			continue
		}
		points[i] = s.call(e, g, s.plan.windows)
	}
	for _, field := range fields {
		var calls []*influxql.Call
		for _, i := range byField[field] {
			calls = append(calls, s.calls[i])
		}
		for n, made := range s.reduce(calls, g, s.plan.windows, s.refs) {
			points[byField[field][n]] = made
		}
	}
	for i, e := range s.calls {
		points[i] = s.limit(s.windowed(e, points[i]))
	}
	return points
}

// limit is LIMIT and OFFSET, which InfluxDB counts for each function.
func (s *selection) limit(points []point) []point {
	points = points[min(s.plan.stmt.Offset, len(points)):]
	if limit := s.plan.stmt.Limit; limit > 0 {
		points = points[:min(limit, len(points))]
	}
	return points
}

// call evaluates one function.
func (s *selection) call(e *influxql.Call, g *group, w windows) []point {
	switch {
	case isTransform(e.Name):
		return s.transform(e, g, w)
	case e.Name == "integral":
		return s.integral(e, g, w)
	case e.Name == "top", e.Name == "bottom":
		return s.topBottom(e, g, w)
	case e.Name == "count":
		if inner, ok := e.Args[0].(*influxql.Call); ok { // distinct
			return s.count(inner, g, w)
		}
	}
	return s.reduce([]*influxql.Call{e}, g, w, s.refs)[0]
}

// windowed gives points the times of their windows, unless a single selector keeps its own, and fills what is empty.
func (s *selection) windowed(e *influxql.Call, points []point) []point {
	w := &s.plan.windows
	if isTransform(e.Name) || e.Name == "integral" || e.Name == "top" || e.Name == "bottom" {
		return points
	}
	if s.selector && w.interval <= 0 {
		return points
	}
	for i := range points {
		if points[i].t, _ = w.of(points[i].t); points[i].t == influxql.MinTime {
			points[i].t = 0
		}
	}
	if w.interval > 0 && s.plan.fill != influxql.NoFill && e.Name != "distinct" {
		return s.fill(e, points)
	}
	return points
}

func (s *selection) wanted(refs []influxql.VarRef, w windows, desc bool) wanted {
	return wanted{refs: refs, driven: true, start: w.start, end: w.end, desc: desc}
}

// A bucket is what the functions have of one window.
type bucket struct {
	start    int64
	reducers []reducer
}

// reduce evaluates functions of one field, windows in the order of the answer.
func (s *selection) reduce(calls []*influxql.Call, g *group, w windows, aux []influxql.VarRef) [][]point {
	refs := append([]influxql.VarRef{*calls[0].Args[0].(*influxql.VarRef)}, aux...)
	b := &buckets{run: s.run, windows: w, calls: calls}
	switch {
	case len(calls) == 1 && w.interval <= 0 && (calls[0].Name == "first" || calls[0].Name == "last"):
		want := s.wanted(refs, w, calls[0].Name == "last")
		for _, t := range g.tracks {
			b.readOne(t.open(want))
		}
	case anyOrder(calls[0].Name):
		for _, t := range g.tracks {
			b.read(t.open(s.wanted(refs, w, false)))
		}
	default:
		b.read(g.read(s.wanted(refs, w, false)))
	}
	return b.points(s.plan.desc)
}

// buckets gathers rows by window.
type buckets struct {
	run     *run
	windows windows
	calls   []*influxql.Call

	byStart    map[int64]*bucket
	current    *bucket
	start, end int64 // of the current one
}

func (b *buckets) read(from rows) {
	if one, ok := from.(*oneField); ok && one.each(b.addOne) {
		return
	}
	for {
		r, ok := from.next()
		if !ok || b.run.err != nil {
			return
		}
		if r.vals[0].kind != nothing {
			b.add(r)
		}
	}
}

func (b *buckets) addOne(r row) bool {
	b.add(r)
	return b.run.err == nil
}

// readOne takes the first row that has a value.
func (b *buckets) readOne(from rows) {
	for {
		r, ok := from.next()
		switch {
		case !ok || b.run.err != nil:
			return
		case r.vals[0].kind != nothing:
			b.add(r)
			return
		}
	}
}

func (b *buckets) add(r row) {
	if b.current == nil || r.t < b.start || r.t >= b.end {
		b.find(r.t)
	}
	for _, one := range b.current.reducers {
		one.add(r)
	}
}

func (b *buckets) find(t int64) {
	b.start, b.end = b.windows.of(t)
	if b.byStart == nil {
		b.byStart = map[int64]*bucket{}
	}
	if b.current = b.byStart[b.start]; b.current != nil {
		return
	}
	b.current = &bucket{start: b.start}
	for _, e := range b.calls {
		b.current.reducers = append(b.current.reducers, newReducer(e, b.run.hold))
	}
	b.byStart[b.start] = b.current
	b.run.hold(len(b.calls))
	b.run.fewBuckets(int64(len(b.byStart)))
}

// points are those of each call.
func (b *buckets) points(desc bool) [][]point {
	out := make([][]point, len(b.calls))
	starts := make([]int64, 0, len(b.byStart))
	for start := range b.byStart {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	if desc {
		slices.Reverse(starts)
	}
	for _, start := range starts {
		for i, one := range b.byStart[start].reducers {
			for _, p := range one.points() {
				if p.t == noTime {
					p.t = start
				}
				out[i] = append(out[i], p)
			}
		}
	}
	return out
}

// input are the points that a transform goes over: of a field, or of a function by windows.
func (s *selection) input(e influxql.Expr, g *group, w windows, each func(point)) {
	if ref, ok := e.(*influxql.VarRef); ok {
		from := g.read(s.wanted([]influxql.VarRef{*ref}, w, s.plan.desc))
		for {
			r, ok := from.next()
			if !ok || s.run.err != nil {
				return
			}
			if r.vals[0].kind != nothing {
				each(point{t: r.t, v: r.vals[0]})
			}
		}
	}
	inner := *s
	shifted := *s.plan
	shifted.windows = w
	inner.plan, inner.refs, inner.selector = &shifted, nil, false
	call := e.(*influxql.Call)
	for _, p := range inner.windowed(call, inner.call(call, g, w)) {
		if p.v.kind != nothing {
			each(p)
		}
	}
}

// transform begins one window early, so that the first one of the time range has what it is compared with.
func (s *selection) transform(e *influxql.Call, g *group, w windows) (out []point) {
	if w.interval > 0 && e.Name != "cumulative_sum" {
		if s.plan.desc {
			w.end = min(w.end, influxql.MaxTime-w.interval) + w.interval
		} else if w.start > influxql.MinTime+w.interval {
			w.start -= w.interval
		}
	}
	t := newTransform(e, &w, s.plan.desc)
	s.input(e.Args[0], g, w, func(p point) {
		if made, ok := t.next(p); ok && s.run.hold(1) {
			out = append(out, made)
		}
	})
	return out
}

func (s *selection) integral(e *influxql.Call, g *group, w windows) (out []point) {
	i := &integral{windows: &w, unit: float64(unitOf(e, 1e9)), desc: s.plan.desc}
	s.input(e.Args[0], g, w, func(p point) {
		if made, ok := i.next(p); ok && s.run.hold(1) {
			out = append(out, made)
		}
	})
	if made, ok := i.rest(); ok {
		out = append(out, made)
	}
	return out
}

// count is that of the distinct values.
func (s *selection) count(inner *influxql.Call, g *group, w windows) (out []point) {
	for _, p := range s.reduce([]*influxql.Call{inner}, g, w, nil)[0] {
		start, _ := w.of(p.t)
		if last := len(out) - 1; last >= 0 && out[last].t == start {
			out[last].v = integerOf(out[last].v.integer() + 1)
			continue
		}
		out = append(out, point{t: start, v: integerOf(1)})
	}
	return out
}

// topBottom picks the best points of each window; with tags named, of the best point of each of their values.
func (s *selection) topBottom(e *influxql.Call, g *group, w windows) []point {
	if len(e.Args) == 2 {
		return s.reduce([]*influxql.Call{e}, g, w, s.refs)[0]
	}
	dims := slices.Clone(s.plan.dims)
	for _, arg := range e.Args[1 : len(e.Args)-1] {
		dims = append(dims, arg.(*influxql.VarRef).Val)
	}
	pick := &influxql.Call{Name: "max", Args: e.Args[:1]}
	if e.Name == "bottom" {
		pick.Name = "min"
	}
	b := &buckets{run: s.run, windows: w, calls: []*influxql.Call{e}}
	for _, part := range groupTracks(g.tracks, dims, false) {
		for _, p := range s.reduce([]*influxql.Call{pick}, part, w, s.refs)[0] {
			b.add(row{p.t, append([]datum{p.v}, p.aux...)})
		}
	}
	return b.points(s.plan.desc)[0]
}
