package influxql

import (
	"time"

	"github.com/influxdata/influxql"
)

// windows are the intervals of GROUP BY time, or with interval 0 the whole time range as one.
type windows struct {
	start, end int64 // of the time range, both inclusive
	interval   int64
	offset     int64
	zone       *time.Location // nil: UTC
}

// of returns the window [start, end) that t is in. In a zone windows begin at local times, and the ones in which the
// clocks change are longer or shorter.
func (w *windows) of(t int64) (start, end int64) {
	if w.interval <= 0 {
		return w.start, w.end + 1
	}
	t -= w.offset
	zone := w.ahead(t)
	into := (t + zone) % w.interval
	if into < 0 {
		into += w.interval
	}
	start, end = influxql.MinTime, influxql.MaxTime
	if influxql.MinTime+into < t {
		start = t - into
	}
	if rest := w.interval - into; influxql.MaxTime-rest > t {
		end = t + rest
	}
	if w.zone != nil {
		start, end = w.change(start, end, zone)
	}
	return start + w.offset, end + w.offset
}

// change moves the ends of a window that lie beyond a change of the clocks, if it is shorter than the window.
func (w *windows) change(start, end, zone int64) (int64, int64) {
	if by := zone - w.ahead(start); by > -w.interval && by < w.interval {
		start += by
	}
	atEnd := w.ahead(end)
	by := zone - atEnd
	if by <= -w.interval || by >= w.interval {
		return start, end
	}
	// Time that is gained belongs to this window; time that is lost only if the change lies in it.
	if by > 0 || w.ahead(end+by) == atEnd {
		end += by
	}
	return start, end
}

// ahead is how far the zone's clocks are ahead of UTC.
func (w *windows) ahead(t int64) int64 {
	if w.zone == nil {
		return 0
	}
	_, seconds := time.Unix(0, t).In(w.zone).Zone()
	return int64(seconds) * int64(time.Second)
}

// buckets is how many windows the time range has; none where it has no beginning.
func (w *windows) buckets() int64 {
	if w.interval <= 0 || w.start == influxql.MinTime {
		return 0
	}
	first, _ := w.of(w.start)
	last, _ := w.of(w.end - 1)
	return (last-first)/w.interval + 1
}
