package influxql

import (
	"github.com/influxdata/influxql"
)

// A transform goes from point to point, in the order of time or against it.
type transform interface {
	next(p point) (point, bool)
}

// isTransform reports whether a function goes from point to point.
func isTransform(name string) bool {
	switch name {
	case "derivative", "non_negative_derivative", "difference", "non_negative_difference", "moving_average", "cumulative_sum", "elapsed":
		return true
	}
	return false
}

func newTransform(e *influxql.Call, w *windows, desc bool) transform {
	switch e.Name {
	case "derivative", "non_negative_derivative":
		per := int64(1e9)
		if w.interval > 0 {
			per = w.interval
		}
		return &derivative{per: float64(unitOf(e, per)), rising: e.Name != "derivative", desc: desc}
	case "difference", "non_negative_difference":
		return &difference{rising: e.Name != "difference"}
	case "moving_average":
		return &average{window: make([]float64, 0, e.Args[1].(*influxql.IntegerLiteral).Val)}
	case "elapsed":
		return &elapsed{unit: unitOf(e, 1)}
	}
	return &total{}
}

// unitOf is the duration that a function is given as its second argument.
func unitOf(e *influxql.Call, otherwise int64) int64 {
	if len(e.Args) < 2 {
		return otherwise
	}
	return int64(e.Args[1].(*influxql.DurationLiteral).Val)
}

// sub is a - b, of integers an integer.
func sub(a, b datum) datum {
	if a.kind == integer && b.kind == integer {
		return integerOf(a.integer() - b.integer())
	}
	return floatOf(a.number() - b.number())
}

// derivative is the change per time. Of several points at one time only the first counts.
type derivative struct {
	per    float64
	rising bool // what falls is left out
	desc   bool
	last   point
	any    bool
}

func (d *derivative) next(p point) (point, bool) {
	if d.any && d.last.t == p.t {
		return point{}, false
	}
	last, ok := d.last, d.any
	d.last, d.any = p, true
	if !ok {
		return point{}, false
	}
	change, time := sub(p.v, last.v).number(), p.t-last.t
	if d.desc {
		time = -time
	}
	if d.rising && change < 0 {
		return point{}, false
	}
	return point{t: p.t, v: floatOf(change / (float64(time) / d.per))}, true
}

type difference struct {
	rising bool
	last   point
	any    bool
}

func (d *difference) next(p point) (point, bool) {
	if d.any && d.last.t == p.t {
		return point{}, false
	}
	last, ok := d.last, d.any
	d.last, d.any = p, true
	change := sub(p.v, last.v)
	if !ok || d.rising && change.number() < 0 {
		return point{}, false
	}
	return point{t: p.t, v: change}, true
}

// average is the mean of so many points as the window has room for.
type average struct {
	window []float64
	at     int
	sum    float64
}

func (a *average) next(p point) (point, bool) {
	v := p.v.number()
	if len(a.window) < cap(a.window) {
		a.window = append(a.window, v)
	} else {
		a.sum -= a.window[a.at]
		a.window[a.at] = v
		a.at = (a.at + 1) % len(a.window)
	}
	a.sum += v
	return point{t: p.t, v: floatOf(a.sum / float64(len(a.window)))}, len(a.window) == cap(a.window)
}

type total struct{ sum datum }

func (s *total) next(p point) (point, bool) {
	switch {
	case s.sum.kind == nothing:
		s.sum = p.v
	case p.v.kind == integer:
		s.sum = integerOf(s.sum.integer() + p.v.integer())
	default:
		s.sum = floatOf(s.sum.number() + p.v.number())
	}
	return point{t: p.t, v: s.sum}, true
}

type elapsed struct {
	unit int64
	last int64
	any  bool
}

func (e *elapsed) next(p point) (point, bool) {
	last, ok := e.last, e.any
	e.last, e.any = p.t, true
	return point{t: p.t, v: integerOf((p.t - last) / e.unit)}, ok
}

// integral is the area under the points by trapezes, of each window for itself. What lies on the border of two windows
// is found on the line between its neighbours.
type integral struct {
	windows    *windows
	unit       float64
	desc       bool
	start, end int64 // of the window, in the order of reading
	last       point
	any        bool
	sum        float64
}

// window of a time, seen in the order of reading.
func (i *integral) window(t int64) {
	if i.windows.interval <= 0 {
		return
	}
	if i.start, i.end = i.windows.of(t); i.desc {
		i.start, i.end = i.end, i.start
	}
}

func (i *integral) next(p point) (out point, ok bool) {
	v := p.v.number()
	p = point{t: p.t, v: floatOf(v)}
	switch {
	case !i.any:
		i.any = true
		i.window(p.t)
		i.last = p
		return point{}, false
	case i.last.t == p.t:
		i.last = p
		return point{}, false
	case i.windows.interval > 0 && (p.t == i.end || (p.t > i.end) != i.desc):
		if i.last.t != i.end {
			border := linear(i.end, i.last.t, p.t, i.last.v.float(), v)
			i.sum += 0.5 * (border + i.last.v.float()) * (float64(i.end-i.last.t) / i.unit)
			i.last = point{t: i.end, v: floatOf(border)}
		}
		out, ok = point{t: i.start, v: floatOf(i.sum)}, true
		i.window(p.t)
		i.sum = 0
	}
	i.sum += 0.5 * (v + i.last.v.float()) * (float64(p.t-i.last.t) / i.unit)
	i.last = p
	return out, ok
}

// rest is the window that was not finished; a point on its very border has no area.
func (i *integral) rest() (point, bool) {
	return point{t: i.start, v: floatOf(i.sum)}, i.any && i.last.t != i.start
}

// linear is the value at t of the line through two points.
func linear(t, t1, t2 int64, v1, v2 float64) float64 {
	return (v2-v1)/float64(t2-t1)*float64(t-t1) + v1
}
