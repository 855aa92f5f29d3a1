package api

import (
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// bounds are where the buckets of a Histogram end, in seconds.
var bounds = [...]float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}

// A Histogram counts how long things took. Its zero value is ready, and it is safe for several goroutines.
type Histogram struct {
	counts [len(bounds) + 1]atomic.Uint64
	sum    atomic.Int64 // ns
}

// Observe counts one more.
func (h *Histogram) Observe(took time.Duration) {
	at, _ := slices.BinarySearch(bounds[:], took.Seconds())
	h.counts[at].Add(1)
	h.sum.Add(int64(took))
}

// Histogram adds the samples of h. Labels are pairs of name and value.
func (m *Metrics) Histogram(name, help string, h *Histogram, labels ...string) {
	f := m.family(name, "histogram", help)
	total := uint64(0)
	for i := range h.counts {
		total += h.counts[i].Load()
		bound := "+Inf"
		if i < len(bounds) {
			bound = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		f.add(name+"_bucket", float64(total), append(slices.Clip(labels), "le", bound))
	}
	f.add(name+"_sum", time.Duration(h.sum.Load()).Seconds(), labels)
	f.add(name+"_count", float64(total), labels)
}
