package series

import (
	"errors"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

func open(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func mustWrite(t testing.TB, s *Store, w Write) Outcome {
	t.Helper()
	o, err := s.Write(w)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestBatchOrder(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	batch := func(epoch string, seq uint64) *hearth.BatchID { return &hearth.BatchID{Epoch: epoch, Seq: seq} }
	for i, c := range []struct {
		batch *hearth.BatchID
		want  Outcome
	}{
		{batch("a", 2), Outcome{Durable: *batch("a", 0), Ahead: true}},
		{batch("a", 1), Outcome{Durable: *batch("a", 1)}},
		{batch("a", 1), Outcome{Durable: *batch("a", 1), Duplicate: true}},
		{batch("a", 3), Outcome{Durable: *batch("a", 1), Ahead: true}},
		{batch("a", 2), Outcome{Durable: *batch("a", 2)}},
		{batch("b", 2), Outcome{Durable: *batch("b", 0), Ahead: true}},
		{batch("a", 2), Outcome{Durable: *batch("a", 2), Duplicate: true}},
		{batch("b", 1), Outcome{Durable: *batch("b", 1)}},
		{batch("a", 1), Outcome{Durable: *batch("a", 2), Duplicate: true}},
		{batch("a", 4), Outcome{Durable: *batch("a", 2), Ahead: true}},
		{batch("b", 2), Outcome{Durable: *batch("b", 2)}},
		{batch("a", 3), Outcome{Durable: *batch("a", 3)}},
		{batch("b", 2), Outcome{Durable: *batch("b", 2), Duplicate: true}},
	} {
		if got := mustWrite(t, s, Write{Home: "h", Batch: c.batch, Points: onePoint(int64(i))}); got != c.want {
			t.Errorf("%d: %v gives %+v, want %+v", i, c.batch, got, c.want)
		}
	}
	if got, err := s.Sync("h"); err != nil || got != (hearth.Sync{Epoch: "a", Durable: 3}) {
		t.Errorf("sync %+v, %v", got, err)
	}
	if got, err := s.Sync("other"); err != nil || got != (hearth.Sync{}) {
		t.Errorf("sync of a home never written to %+v, %v", got, err)
	}
	if got := storedPoints(t, s, "h", seriesName{"m", "f"}, 0, 100); len(got) != 5 {
		t.Errorf("%d points, want those of the 5 batches that were stored", len(got))
	}
	for _, bad := range []*hearth.BatchID{batch("", 1), batch("a", 0)} {
		if _, err := s.Write(Write{Home: "h", Batch: bad}); !errors.Is(err, &hearth.Error{Code: hearth.CodeBadValue}) {
			t.Errorf("batch %v: %v", bad, err)
		}
	}
}

func onePoint(t int64) []Point {
	return []Point{{Series: "m", Field: "f", Time: t, Value: hearth.NumberOf(1)}}
}

func TestManyEpochs(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for i := range maxEpochs + 5 {
		mustWrite(t, s, Write{Home: "h", Batch: &hearth.BatchID{Epoch: "e" + strconv.Itoa(i), Seq: 1}, Points: onePoint(int64(i))})
	}
	if o := mustWrite(t, s, Write{Home: "h", Batch: &hearth.BatchID{Epoch: "e4", Seq: 1}}); !o.Duplicate {
		t.Errorf("an epoch that is remembered: %+v", o)
	}
	report, err := s.Ledger("h", time.Time{}, time.Time{})
	if err != nil || report.Total.Produced != maxEpochs+5 || report.Total.Received != maxEpochs+5 || report.Total.Unexplained != 0 {
		t.Errorf("%+v, %v", report.Total, err)
	}
	s.homes.forget(s.homes.named["h"])
	if o := mustWrite(t, s, Write{Home: "h", Batch: &hearth.BatchID{Epoch: "e3", Seq: 2}}); !o.Ahead || o.Durable.Seq != 0 {
		t.Errorf("an epoch long forgotten: %+v", o)
	}
}

func TestTooManySeries(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxSeries: 3})
	points := make([]Point, 5)
	for i := range points {
		points[i] = Point{Series: "m" + strconv.Itoa(i), Field: "f", Time: 1, Value: hearth.NumberOf(1)}
	}
	write := Write{Home: "h", Points: points, Bad: 2, Batch: &hearth.BatchID{Epoch: "e", Seq: 1}, Ledger: &hearth.Ledger{Produced: 7, Backlog: 7}}
	o, err := s.Write(write)
	if !errors.Is(err, &hearth.Error{Code: hearth.CodeBusy}) || o.Bad != 4 || o.Refused != 2 || o.Durable.Seq != 1 {
		t.Fatalf("%+v, %v", o, err)
	}
	if o := mustWrite(t, s, write); !o.Duplicate || o.Bad != 4 {
		t.Errorf("sent again: %+v", o)
	}
	if last, err := s.Last("h"); err != nil || len(last) != 3 {
		t.Errorf("%v, %v", last, err)
	}
	want := Counts{Produced: 7, Received: 3, Duplicate: 7, Dropped: 4}
	if report, err := s.Ledger("h", time.Time{}, time.Time{}); err != nil || report.Total != want {
		t.Errorf("%+v, %v", report.Total, err)
	}
}

func TestGapsOverlap(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	gap := func(from, to int64) hearth.Gap {
		return hearth.Gap{From: timeOf(from * 1e9), To: timeOf(to * 1e9), Count: 3, Reason: hearth.GapCap}
	}
	mustWrite(t, s, Write{Home: "h", Gaps: []hearth.Gap{gap(10, 20), gap(30, 30), gap(40, 60), gap(40, 60)}})
	for _, c := range []struct{ from, to, want int64 }{{0, 10, 0}, {0, 11, 1}, {20, 30, 0}, {19, 31, 2}, {30, 31, 1}, {50, 55, 2}, {60, 99, 0}} {
		h, err := s.History("h", "m", "f", time.Unix(c.from, 0), time.Unix(c.to, 0), 10)
		if err != nil || int64(len(h.Gaps)) != c.want {
			t.Errorf("%d to %d: %v, %v, want %d", c.from, c.to, h.Gaps, err, c.want)
		}
	}
}

func TestExtremeTimes(t *testing.T) {
	s, m := open(t, t.TempDir(), Options{}), make(model)
	for _, at := range []int64{math.MinInt64, -dayLength - 1, -1, 0, dayLength - 1, dayLength, math.MaxInt64} {
		points := onePoint(at)
		mustWrite(t, s, Write{Home: "h", Points: points})
		m.take(points)
	}
	for range 2 {
		want := m.points(seriesName{"m", "f"}, math.MinInt64, math.MaxInt64)
		if got := storedPoints(t, s, "h", seriesName{"m", "f"}, math.MinInt64, math.MaxInt64); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if err := s.mergeAll(t.Context(), func(*dirtyDay) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeleteHome(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	for i, home := range []string{"a", "b", "c"} {
		for day := range int64(3) {
			mustWrite(t, s, Write{Home: home, Points: onePoint(day*dayLength + int64(i)), Batch: &hearth.BatchID{Epoch: "e", Seq: uint64(day + 1)}})
		}
		if err := s.mergeAll(t.Context(), func(d *dirtyDay) bool { return home == "b" }); err != nil {
			t.Fatal(err)
		}
	}
	number := s.homes.named["b"].record.number
	if err := s.DeleteHome("b"); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range append(slices.Collect(maps.Values(prefixesOf(number))), nameKey("b")) {
		if err := s.each(prefix, func(key, _ []byte) error {
			t.Errorf("left behind: %x", key)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for home, want := range map[string]int{"a": 3, "b": 0, "c": 3} {
		if got := storedPoints(t, s, home, seriesName{"m", "f"}, 0, 10*dayLength); len(got) != want {
			t.Errorf("home %s has %d points, want %d", home, len(got), want)
		}
	}
	if o := mustWrite(t, s, Write{Home: "b", Points: onePoint(5), Batch: &hearth.BatchID{Epoch: "e", Seq: 1}}); o.Duplicate || o.Ahead {
		t.Errorf("a deleted home starts anew: %+v", o)
	}
}

func prefixesOf(number uint32) map[string][]byte {
	prefixes := make(map[string][]byte)
	for _, kind := range ofHome() {
		prefixes[string(kind)] = homeKey(kind, number)
	}
	for day := range int32(3) {
		prefixes[strconv.Itoa(int(day))] = dataPrefix(day, number)
	}
	return prefixes
}

func TestRetention(t *testing.T) {
	now := time.Unix(0, testDay).UTC()
	s := open(t, t.TempDir(), Options{Retention: 48 * time.Hour, Now: func() time.Time { return now }})
	old, recent := testDay-5*dayLength, testDay-dayLength
	gone := Point{Series: "gone", Field: "f", Time: old, Value: hearth.NumberOf(1)}
	kept := Point{Series: "kept", Field: "f", Time: recent, Value: hearth.NumberOf(1)}
	mustWrite(t, s, Write{Home: "h", Points: []Point{gone, kept}, Gaps: []hearth.Gap{
		{From: timeOf(old), To: timeOf(old + 1e9), Count: 1}, {From: timeOf(old), To: timeOf(recent), Count: 1}}})
	now = now.Add(time.Hour)
	if err := newRetention(s).drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if last, err := s.Last("h"); err != nil || len(last) != 1 || last[0] != kept {
			t.Errorf("%v, %v", last, err)
		}
		if got := storedPoints(t, s, "h", seriesName{"gone", "f"}, 0, testDay); len(got) != 0 {
			t.Errorf("still there: %v", got)
		}
		h, err := s.History("h", "kept", "f", timeOf(0).Time, now, 10)
		if err != nil || len(h.Points) != 1 || len(h.Gaps) != 1 {
			t.Errorf("%+v, %v", h, err)
		}
		s.homes.forget(s.homes.named["h"])
	}
}

func TestBackup(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	mustWrite(t, s, Write{Home: "h", Points: onePoint(1), Batch: &hearth.BatchID{Epoch: "e", Seq: 1}})
	dir := filepath.Join(t.TempDir(), "copy")
	if err := s.Backup(dir); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, Write{Home: "h", Points: onePoint(2), Batch: &hearth.BatchID{Epoch: "e", Seq: 2}})
	restored := open(t, dir, Options{})
	if got, err := restored.Sync("h"); err != nil || got.Durable != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if got := storedPoints(t, restored, "h", seriesName{"m", "f"}, 0, 10); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if err := s.Backup(dir); err == nil {
		t.Error("a backup over another one")
	}
}

// What does not decode is told as a gap and never served; the merge sets it aside and goes on.
func TestDamageIsToldAndNotServed(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for i := range int64(4) {
		mustWrite(t, s, Write{Home: "h", Points: onePoint(testDay + i*1e9)})
		if i == 1 {
			if err := s.mergeAll(t.Context(), func(*dirtyDay) bool { return true }); err != nil {
				t.Fatal(err)
			}
		}
	}
	err := s.each([]byte{kindData}, func(key, value []byte) error {
		if _, _, id, n, _ := parseDataKey(key); id != 0 || n == 3 { // the chunk and the first block
			return s.db.Set(slices.Clone(key), append(slices.Clone(value), 0), nil)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, merged := range []bool{false, true} {
		h, err := s.History("h", "m", "f", time.Unix(0, testDay), time.Unix(0, testDay+dayLength), 10)
		if err != nil || len(h.Gaps) == 0 || h.Gaps[0].Reason != hearth.GapDamaged {
			t.Errorf("merged %v: %+v, %v", merged, h, err)
		}
		if got := storedPoints(t, s, "h", seriesName{"m", "f"}, 0, math.MaxInt64); !slices.Contains(got, sample{testDay + 3e9, hearth.NumberOf(1)}) || len(got) > 2 {
			t.Errorf("merged %v: %v", merged, got)
		}
		if err := s.mergeAll(t.Context(), func(*dirtyDay) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	if s.Stats().Damaged == 0 {
		t.Error("nobody was told")
	}
}

func TestRunMergesAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.TempDir(), Options{Retention: 1000 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(mergeBlocks) {
			mustWrite(t, s, Write{Home: "busy", Points: onePoint(time.Now().UnixNano() + i)})
		}
		mustWrite(t, s, Write{Home: "quiet", Points: onePoint(time.Now().UnixNano())})
		done := make(chan error) // not before: a bubble's time stands still while a mutex is waited for, and so would syncInterval
		go func() { done <- s.Run(t.Context()) }()
		time.Sleep(restAfter + 2*sweepEvery) // the bubble's time
		synctest.Wait()
		if names, err := s.dirtyHomes(); err != nil || len(names) != 0 {
			t.Errorf("still to merge: %v, %v", names, err)
		}
		t.Cleanup(func() {
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if _, err := s.Write(Write{Home: "busy"}); !errors.Is(err, errClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	})
}

func TestLastOfTheSameTime(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for i := range 5 {
		p := Point{Series: "m", Field: "f", Time: testDay, Value: hearth.NumberOf(float64(i))}
		late := Point{Series: "m", Field: "f", Time: testDay - 1, Value: hearth.NumberOf(-1)}
		mustWrite(t, s, Write{Home: "h", Points: []Point{{Series: "m", Field: "f", Time: testDay, Value: hearth.NumberOf(99)}, p, late}})
		if i == 2 {
			if err := s.mergeAll(t.Context(), func(*dirtyDay) bool { return true }); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if last, err := s.Last("h"); err != nil || len(last) != 1 || last[0] != p {
				t.Errorf("write %d: %v, %v", i, last, err)
			}
			s.homes.forget(s.homes.named["h"])
		}
	}
}

// Homes that nobody uses leave the memory, and come back as they were.
func TestBoundedMemory(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxSeries: 1 << 20})
	points := make([]Point, maxInMemory/8)
	for home := range 12 {
		for i := range points {
			points[i] = Point{Series: "m" + strconv.Itoa(i), Field: "f", Time: testDay + int64(home), Value: hearth.BoolOf(true)}
		}
		mustWrite(t, s, Write{Home: "h" + strconv.Itoa(home), Points: points})
		if _, err := s.Last("nobody" + strconv.Itoa(home)); err != nil {
			t.Fatal(err)
		}
	}
	if stats := s.Stats(); stats.Series > maxInMemory || stats.Homes > 8 || stats.Homes < 2 {
		t.Errorf("%d homes with %d series in memory", stats.Homes, stats.Series)
	}
	last, err := s.Last("h0")
	if err != nil || len(last) != len(points) || last[0].Time != testDay {
		t.Errorf("%d last values, %v", len(last), err)
	}
}
