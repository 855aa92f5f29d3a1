package hearth

import (
	"encoding/json"
	"time"
)

// A Gap says that count readings between From and To were lost, and why.
type Gap struct {
	From   Time   `json:"from"`
	To     Time   `json:"to"`
	Count  int64  `json:"count"`
	Reason string `json:"reason"`
}

// Reasons of gaps.
const (
	GapCap      = "cap"      // the buffer was full
	GapRejected = "rejected" // the target refused the line
	GapDamaged  = "damaged"  // the disk gave back something else than was written
	GapClock    = "clock"    // the clock was not trusted before the next boot, so the time is unknown for good
	GapLost     = "lost"     // the receiver no longer has it, and neither has the gateway
)

// A Bucket is a stretch of one property's history.
type Bucket struct {
	Start          time.Time
	Min, Mean, Max float64
	Count          int64
}

// MarshalJSON writes [unix_ms,min,mean,max,count].
func (b Bucket) MarshalJSON() ([]byte, error) {
	return json.Marshal([5]any{b.Start.UnixMilli(), b.Min, b.Mean, b.Max, b.Count})
}

// A History is one property over a range: from inclusive, to exclusive.
type History struct {
	Points   []Bucket `json:"points"`
	Gaps     []Gap    `json:"gaps"`
	Repaired []Span   `json:"repaired,omitempty"` // where readings carry a time that was repaired
}

// A Span is a stretch of time, its end included.
type Span struct {
	From Time `json:"from"`
	To   Time `json:"to"`
}

// A Downsampler puts readings into at most so many buckets of equal length. Readings may come in any order.
type Downsampler struct {
	from    time.Time
	width   time.Duration
	buckets []Bucket
}

// MaxPoints is how many buckets a history has at the most.
const MaxPoints = 10_000

// NewDownsampler returns one for [from, to) in at most points buckets.
func NewDownsampler(from, to time.Time, points int) *Downsampler {
	points = min(max(points, 1), MaxPoints)
	span := max(to.Sub(from), time.Millisecond)
	width := (span + time.Duration(points) - 1) / time.Duration(points)
	width = (width + time.Millisecond - 1) / time.Millisecond * time.Millisecond
	return &Downsampler{from: from, width: width, buckets: make([]Bucket, (span+width-1)/width)}
}

// Add counts one value; one outside the range, or a text, is passed over.
func (d *Downsampler) Add(at time.Time, v Value) {
	offset := at.Sub(d.from)
	if offset < 0 || v.kind == Text || v.IsZero() {
		return
	}
	i := int(offset / d.width)
	if i >= len(d.buckets) {
		return
	}
	b := &d.buckets[i]
	if b.Count == 0 {
		b.Start = d.from.Add(time.Duration(i) * d.width)
		b.Min, b.Max = v.number, v.number
	}
	b.Min, b.Max = min(b.Min, v.number), max(b.Max, v.number)
	b.Count++
	b.Mean += (v.number - b.Mean) / float64(b.Count)
}

// AddSpan counts count numbers between first and last at once, given their least, sum and greatest. It reports false,
// and counts nothing, unless first and last fall into the same bucket.
func (d *Downsampler) AddSpan(first, last time.Time, low, sum, high float64, count int64) bool {
	from, to := first.Sub(d.from), last.Sub(d.from)
	if count <= 0 || from < 0 || from/d.width != to/d.width || int(to/d.width) >= len(d.buckets) {
		return false
	}
	b := &d.buckets[to/d.width]
	if b.Count == 0 {
		b.Start = d.from.Add(to / d.width * d.width)
		b.Min, b.Max = low, high
	}
	b.Min, b.Max = min(b.Min, low), max(b.Max, high)
	b.Count += count
	b.Mean += (sum - b.Mean*float64(count)) / float64(b.Count)
	return true
}

// Points returns the buckets that hold something.
func (d *Downsampler) Points() []Bucket {
	points := make([]Bucket, 0, len(d.buckets))
	for _, b := range d.buckets {
		if b.Count > 0 {
			points = append(points, b)
		}
	}
	return points
}
