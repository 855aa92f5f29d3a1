package series

import (
	"fmt"
	"math"
	"testing"
	"time"

	"hearth"
)

// A day that is over takes no more than its readings do, soon after they were merged; today's is left alone.
func TestMergedDaysGiveTheirSpaceBack(t *testing.T) {
	today, _ := dayOf(testDay)
	now := timeOf(testDay + dayLength).Add(reclaimAfter - time.Minute)
	s := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	const homes, rows = 3, 40_000
	for home := range homes {
		for from := 0; from < rows; from += 500 {
			var points []Point
			for i := range int64(500) {
				at := testDay + (int64(from)+i)*1e9
				points = append(points, Point{Series: "m", Field: "f", Time: at, Value: hearth.NumberOf(math.Sqrt(float64(at % 7919)))}) // digits that no compression knows
			}
			mustWrite(t, s, Write{Home: fmt.Sprint("h", home), Points: points})
		}
	}
	size := func() uint64 {
		used, _, err := s.dayOnDisk(today)
		if err != nil {
			t.Fatal(err)
		}
		return used
	}
	for range 2 { // blocks, then chunks
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := s.mergeAll(t.Context(), func(*dirtyDay) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	full := size()
	if err := s.reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := size(); n != full {
		t.Errorf("a day that is not over was rewritten: %d bytes, then %d", full, n)
	}
	now = now.Add(2 * time.Minute)
	if err := s.reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	small := size()
	if small > full*3/4 {
		t.Errorf("%d bytes before, %d after", full, small)
	}
	if days := s.leftovers.before(math.MaxInt32); len(days) != 0 {
		t.Errorf("still to be rewritten: %v", days)
	}
	mustWrite(t, s, Write{Home: "h0", Points: []Point{{Series: "late", Field: "f", Time: testDay, Value: hearth.NumberOf(1)}}})
	if err := s.mergeAll(t.Context(), func(*dirtyDay) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if days := s.leftovers.before(math.MaxInt32); len(days) != 0 {
		t.Errorf("one late reading has the whole day rewritten: %v", days)
	}
	for home := range homes {
		if n := len(storedPoints(t, s, fmt.Sprint("h", home), seriesName{"m", "f"}, 0, math.MaxInt64)); n != rows {
			t.Errorf("home %d has %d readings", home, n)
		}
	}
}
