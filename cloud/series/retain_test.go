package series

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"hearth"
)

// Each home keeps what its own limit says, whoever else shares its days.
func TestRetentionOfEachHome(t *testing.T) {
	now := time.Unix(0, testDay+dayLength/2).UTC()
	const day = 24 * time.Hour
	keep := map[string]time.Duration{"short": 2 * day, "usual": 10 * day, "long": 50 * day}
	unknown := ""
	s := open(t, t.TempDir(), Options{Retention: 10 * day, Now: func() time.Time { return now }, RetentionOf: func(_ context.Context, home string) (time.Duration, error) {
		if home == unknown {
			return 0, errors.New("the database is away")
		}
		return keep[home], nil
	}})
	ages := []int64{0, 1, 3, 9, 20, 49, 100}
	write := func() {
		for home := range keep {
			for _, age := range ages {
				at := testDay - age*dayLength
				mustWrite(t, s, Write{Home: home, Points: onePoint(at), Gaps: []hearth.Gap{{From: timeOf(at), To: timeOf(at + 1), Count: 1, Reason: hearth.GapCap}}})
			}
		}
	}
	left := func(home string) int {
		gaps, err := s.Gaps(home, time.Unix(0, 0), now)
		points := storedPoints(t, s, home, seriesName{"m", "f"}, 0, math.MaxInt64)
		if err != nil || len(gaps) != len(points) {
			t.Errorf("%s has %d gaps, %d points, %v", home, len(gaps), len(points), err)
		}
		return len(points)
	}
	want := func(what string, counts map[string]int) {
		t.Helper()
		for home, n := range counts {
			if got := left(home); got != n {
				t.Errorf("%s: %s has %d days, want %d", what, home, got, n)
			}
		}
	}
	write()
	old := newRetention(s)
	drop := func() {
		if err := old.drop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	drop()
	want("at first", map[string]int{"short": 2, "usual": 4, "long": 6})
	now = now.Add(2 * day)
	drop()
	want("two days later", map[string]int{"short": 1, "usual": 3, "long": 5})
	keep["long"] = 0
	keep["usual"] = 3 * day
	drop()
	want("another limit", map[string]int{"short": 1, "usual": 2, "long": 5})
	if err := s.mergeAll(t.Context(), func(*dirtyDay) bool { return true }); err != nil {
		t.Fatal(err)
	}
	want("merged", map[string]int{"short": 1, "usual": 2, "long": 5})
	unknown = "usual"
	now = now.Add(100 * day)
	if old.drop(t.Context()) == nil {
		t.Error("nobody was told that a limit is not known")
	}
	want("not known", map[string]int{"usual": 2, "long": 5})
}

// A deleted home takes no space any more.
func TestDeletedHomeGivesItsSpaceBack(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for day := range int64(5) {
		for _, home := range []string{"a", "gone", "z"} {
			var points []Point
			for i := range int64(20_000) {
				// Digits that no compression knows.
				points = append(points, Point{Series: "m", Field: "f", Time: testDay + day*dayLength + i*1e9, Value: hearth.NumberOf(math.Sqrt(float64(i*7919 + day)))})
			}
			mustWrite(t, s, Write{Home: home, Points: points})
		}
	}
	if err := s.mergeAll(t.Context(), func(*dirtyDay) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if err := s.compact(t.Context(), []span{{[]byte{0}, []byte{255}}}); err != nil {
		t.Fatal(err)
	}
	size := func() uint64 {
		n, err := s.db.EstimateDiskUsage([]byte{kindData}, []byte{kindData + 1})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := size()
	if err := s.DeleteHome("gone"); err != nil {
		t.Fatal(err)
	}
	if err := s.compact(t.Context(), <-s.freed); err != nil { // as Run does
		t.Fatal(err)
	}
	if after := size(); after > before*3/4 {
		t.Errorf("%d bytes before, %d after one of three homes is gone", before, after)
	}
	for home, want := range map[string]int{"a": 100_000, "gone": 0, "z": 100_000} {
		if got := len(storedPoints(t, s, home, seriesName{"m", "f"}, 0, math.MaxInt64)); got != want {
			t.Errorf("%s has %d points", home, got)
		}
	}
	if err := s.DeleteHome("never seen"); err != nil {
		t.Error(err)
	}
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	mustWrite(t, s, Write{Home: "h", Points: onePoint(1)})
	copied := t.TempDir() + "/copy"
	if err := s.Backup(copied); err != nil {
		t.Fatal(err)
	}
	if err := Verify(copied); err != nil {
		t.Error(err)
	}
	if Verify(t.TempDir()) == nil {
		t.Error("an empty directory is no store")
	}
}
