package influxql

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/influxdata/influxql"

	"hearth"
	"hearth/cloud/series"
)

// burst is a source of one series, dense for a while and silent for years.
type burst []int64

func (b burst) Last(string) ([]series.Point, error) {
	return []series.Point{{Series: "m", Field: "v", Time: b[len(b)-1], Value: hearth.NumberOf(1)}}, nil
}

func (b burst) Points(_, _, _ string, from, to time.Time, each func(int64, hearth.Value) bool) error {
	at, _ := slices.BinarySearch(b, from.UnixNano())
	for ; at < len(b) && b[at] < to.UnixNano(); at++ {
		if !each(b[at], hearth.NumberOf(float64(at))) {
			return nil
		}
	}
	return nil
}

// TestCursorsReadEverythingOnce reads the same points on and back, in batches of every size.
func TestCursorsReadEverythingOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var all burst
	for now := time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC).UnixNano(); len(all) < 60_000; {
		switch random.IntN(2000) {
		case 0:
			now += random.Int64N(3 * 365 * 24 * int64(time.Hour)) // silence
		case 1:
			for range 3 * mostBatch { // many points in a moment
				now += 1 + random.Int64N(50)
				all = append(all, now)
			}
		}
		now += random.Int64N(int64(20 * time.Second))
		all = append(all, now)
	}
	all = slices.Compact(all)
	for _, beside := range []int{0, 100, 10_000} {
		for _, want := range []wanted{
			{start: math.MinInt64 + 2, end: math.MaxInt64 - 1},
			{start: all[1000], end: all[len(all)-2000] - 1},
			{start: all[7], end: all[7]},
		} {
			want.beside, want.refs = beside, make([]influxql.VarRef, 1)
			from, _ := slices.BinarySearch(all, want.start)
			to, _ := slices.BinarySearch(all, want.end+1)
			on, back := slices.Clone(all[from:to]), slices.Clone(all[from:to])
			slices.Reverse(back)
			if got := readAll(t, all, want, false); !slices.Equal(got, on) {
				t.Errorf("beside %d, %d to %d: read on %d points, not %d", beside, want.start, want.end, len(got), len(on))
			}
			if got := readAll(t, all, want, true); !slices.Equal(got, back) {
				t.Errorf("beside %d, %d to %d: read back %d points, not %d", beside, want.start, want.end, len(got), len(back))
			}
		}
	}
}

func readAll(t *testing.T, from burst, want wanted, desc bool) (times []int64) {
	r := newRun(t.Context(), serve(from, nil), hearth.Token{})
	want.desc = desc
	s := &tagged{key: "m", fields: map[string]lastPoint{"v": {t: from[len(from)-1], typ: influxql.Float}}}
	c := r.cursor("h", s, influxql.VarRef{Val: "v"}, want)
	for p := c.peek(); p != nil; p = c.peek() {
		times = append(times, p.t)
		c.at++
		if len(c.buf) > 4*c.most {
			t.Fatalf("%d points in memory, at most %d", len(c.buf), 4*c.most)
		}
	}
	if r.err != nil {
		t.Fatal(r.err)
	}
	return times
}
