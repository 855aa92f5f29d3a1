package buffer

import (
	"slices"

	"hearth"
)

// Two readings of one series in the same ms overwrite each other in a time series store, so the second moves on to
// the next free ms. times remembers, for each series, the last few stretches of ms that are taken.
type times struct {
	series map[seriesKey][]span
}

type seriesKey struct {
	device   hearth.ID
	property string
}

type span struct{ from, to int64 } // unix ms, both taken

const (
	maxSpans  = 8     // remembered of a series
	maxSeries = 16384 // remembered in all; beyond, all start afresh
)

func newTimes() *times { return &times{series: make(map[seriesKey][]span)} }

// take returns the first ms from ms on that the series has not used, and marks it.
func (t *times) take(device hearth.ID, property string, ms int64) int64 {
	key := seriesKey{device, property}
	spans := t.series[key]
	i := len(spans)
	for i > 0 && spans[i-1].from > ms {
		i--
	}
	if i > 0 && spans[i-1].to >= ms-1 { // within a stretch, or just after it
		ms = max(ms, spans[i-1].to+1)
		spans[i-1].to = ms
		if i < len(spans) && spans[i].from == ms+1 {
			spans[i-1].to = spans[i].to
			spans = slices.Delete(spans, i, i+1)
		}
	} else if i < len(spans) && spans[i].from == ms+1 {
		spans[i].from = ms
	} else {
		if len(spans) == maxSpans {
			if i == 0 {
				return ms // older than all that is remembered
			}
			spans = slices.Delete(spans, 0, 1)
			i--
		}
		spans = slices.Insert(spans, i, span{ms, ms})
	}
	if len(t.series) > maxSeries {
		clear(t.series)
	}
	t.series[key] = spans
	return ms
}

// move takes over what other remembers, shifted.
func (t *times) move(other *times, by int64) {
	for key, spans := range other.series {
		for _, s := range spans {
			own := t.series[key]
			at := 0
			for at < len(own) && own[at].from < s.from+by {
				at++
			}
			t.series[key] = merged(slices.Insert(own, at, span{s.from + by, s.to + by}))
		}
	}
	clear(other.series)
}

// merged joins stretches that touch, and keeps the last ones.
func merged(spans []span) []span {
	out := spans[:1]
	for _, s := range spans[1:] {
		if last := &out[len(out)-1]; s.from <= last.to+1 {
			last.to = max(last.to, s.to)
		} else {
			out = append(out, s)
		}
	}
	return out[max(0, len(out)-maxSpans):]
}
