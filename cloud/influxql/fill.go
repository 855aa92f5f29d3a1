package influxql

import (
	"github.com/influxdata/influxql"
)

// fill puts a point into every window that has none, over the whole time range; from the first point on where the range
// has no beginning.
func (s *selection) fill(e *influxql.Call, points []point) []point {
	if len(points) == 0 {
		return nil
	}
	f := filler{option: s.plan.fill, value: s.plan.fillValue, kind: points[0].v.kind, interval: s.plan.windows.interval}
	if f.option == influxql.NullFill && e.Name == "count" {
		f.option, f.value = influxql.NumberFill, integerOf(0)
	}
	w, desc := &s.plan.windows, s.plan.desc
	from, to := w.start, w.end
	if desc {
		from, to = to, from
	}
	open := to == influxql.MinTime
	if from == influxql.MinTime {
		from = points[0].t
	}
	at, _ := w.of(from)
	last, _ := w.of(to)
	out := make([]point, 0, len(points))
	for len(points) > 0 || !open && (at == last || (at < last) != desc) {
		if len(points) > 0 && (points[0].t == at || (points[0].t < at) != desc) {
			f.last = points[0]
			out, points = append(out, points[0]), points[1:]
		} else {
			out = append(out, point{t: at, v: f.fill(at, points)})
		}
		if !s.run.fewBuckets(int64(len(out))) || !s.run.hold(1) {
			return nil
		}
		at = s.beside(at)
	}
	return out
}

// beside is the window behind that one, in the order of reading.
func (s *selection) beside(at int64) int64 {
	start, end := s.plan.windows.of(at)
	if s.plan.desc {
		start, _ = s.plan.windows.of(start - 1)
		return start
	}
	return end
}

type filler struct {
	option   influxql.FillOption
	value    datum
	kind     kind // of the points
	interval int64
	last     point
}

// fill makes the value of an empty window before the points that are left.
func (f *filler) fill(at int64, left []point) datum {
	switch f.option {
	case influxql.NumberFill:
		return f.number()
	case influxql.PreviousFill:
		return f.last.v
	case influxql.LinearFill:
		if f.last.v.kind == nothing || len(left) == 0 || !f.last.v.numeric() {
			return datum{}
		}
		// In whole windows, as InfluxDB counts.
		v := linear(at/f.interval, f.last.t/f.interval, left[0].t/f.interval, f.last.v.number(), left[0].v.number())
		if f.kind == integer {
			return integerOf(int64(v))
		}
		return floatOf(v)
	}
	return datum{}
}

// number is fill(5) for points of each kind.
func (f *filler) number() datum {
	switch f.kind {
	case float:
		return f.value.cast(influxql.Float)
	case integer:
		return f.value.cast(influxql.Integer)
	case boolean:
		return boolOf(false)
	}
	return textOf("")
}
