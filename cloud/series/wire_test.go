package series

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"hearth"
)

func someWrites() map[string]Write {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	return map[string]Write{
		"nothing":   {Home: "h"},
		"plain":     {Home: "h", Received: at, Points: []Point{{Series: "m", Field: "f", Time: 1, Value: hearth.NumberOf(1.5)}}},
		"all kinds": {Home: "h", Points: []Point{{"m", "b", 5, hearth.BoolOf(true)}, {"m", "b", 4, hearth.BoolOf(false)}, {"m", "t", -1 << 63, hearth.TextOf("tëxt")}, {"m,a=b", "n", 1<<63 - 1, hearth.NumberOf(-0.1)}, {"m,a=b", "n", 0, hearth.NumberOf(21.5)}, {"m", "none", 7, hearth.Value{}}}},
		"a batch": {
			Home: "h", Received: at, Batch: &hearth.BatchID{Epoch: "4f9a", Seq: 1 << 62}, Ledger: &hearth.Ledger{Produced: 1, Dropped: 2, Backlog: 1 << 63, Durable: 4}, Bad: 3,
			Gaps: []hearth.Gap{{From: timeOf(-5), To: timeOf(1e18), Count: 12, Reason: hearth.GapCap}, {From: timeOf(0), To: timeOf(0)}},
		},
		"many": {Home: "h", Points: benchPoints(nil, 1, 1, 1)},
	}
}

func TestWire(t *testing.T) {
	for name, w := range someWrites() {
		got, err := ParseWrite(AppendWrite(nil, &w))
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, w)
		}
	}
	many := someWrites()["many"]
	if n := len(AppendWrite(nil, &many)); n > 12*len(many.Points) {
		t.Errorf("%d points take %d bytes", len(many.Points), n)
	}
}

func TestWireRefuses(t *testing.T) {
	whole := AppendWrite(nil, &Write{Home: "h", Points: []Point{{"m", "f", 1, hearth.TextOf("x")}}})
	for n := range whole {
		if _, err := ParseWrite(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were taken", n, len(whole))
		}
	}
	for name, data := range map[string][]byte{
		"more than a write":    append(bytes.Clone(whole), 0),
		"a flag not known":     {wireVersion, 0x80, 1, 'h', 0, 0, 0},
		"points beyond memory": {wireVersion, 0, 1, 'h', 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"a name not given":     {wireVersion, 0, 1, 'h', 0, 0, 1, 9, 0},
		"no home":              {wireVersion, 0, 0, 0, 0, 0},
	} {
		if w, err := ParseWrite(data); err == nil {
			t.Errorf("%s: %+v", name, w)
		}
	}
	if _, err := ParseWrite([]byte{wireVersion + 1, 0}); !errors.Is(err, ErrUnknownWire) {
		t.Errorf("of a newer version: %v", err)
	}
}

func FuzzParseWrite(f *testing.F) {
	for _, w := range someWrites() {
		f.Add(AppendWrite(nil, &w))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := ParseWrite(data)
		if err != nil {
			return
		}
		again, err := ParseWrite(AppendWrite(nil, &w))
		if err != nil || !reflect.DeepEqual(again, w) {
			t.Fatalf("%+v, %v; want %+v", again, err, w)
		}
	})
}

// A store that takes a log's writes in order goes on after any crash where it stopped: place and content are one.
func TestPlace(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if place, err := s.Place(); err != nil || place != nil {
		t.Fatalf("a new store has the place %q, %v", place, err)
	}
	if empty, err := s.Empty(); err != nil || !empty {
		t.Fatal(empty, err)
	}
	received := time.UnixMilli(1_700_000_000_000).UTC()
	batch := Write{Home: "h", Batch: &hearth.BatchID{Epoch: "e", Seq: 1}, Points: []Point{{"m", "f", testDay, hearth.NumberOf(1)}}, Received: received}
	for i, place := range []string{"one", "two"} { // the second one is a duplicate
		batch.Place = []byte(place)
		if o := mustWrite(t, s, batch); o.Duplicate != (i == 1) {
			t.Errorf("%+v", o)
		}
		if got, err := s.Place(); err != nil || string(got) != place {
			t.Errorf("place %q, %v", got, err)
		}
	}
	ahead := batch
	ahead.Batch, ahead.Place = &hearth.BatchID{Epoch: "e", Seq: 9}, []byte("three")
	if o := mustWrite(t, s, ahead); !o.Ahead {
		t.Errorf("%+v", o)
	}
	if got, err := s.Place(); err != nil || string(got) != "two" {
		t.Errorf("after one that is ahead: %q, %v", got, err)
	}
	report, err := s.Ledger("h", time.Time{}, time.Time{})
	if err != nil || !report.AsOf.Equal(received) || len(report.Hours) != 1 || !report.Hours[0].Hour.Equal(received.Truncate(time.Hour)) {
		t.Errorf("the ledger goes by another clock than Received: %+v, %v", report, err)
	}
	if err := s.SetPlace([]byte("four")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{})
	if got, err := s.Place(); err != nil || string(got) != "four" {
		t.Errorf("after opening again: %q, %v", got, err)
	}
	if empty, err := s.Empty(); err != nil || empty {
		t.Error(empty, err)
	}
	if err := s.SetPlace(nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Place(); err != nil || got != nil {
		t.Errorf("forgotten: %q, %v", got, err)
	}
}

func recentOf(t *testing.T, s *Store, after uint64) (numbers []uint64, points int) {
	t.Helper()
	err := s.Recent(after, func(n uint64, w Write) bool {
		numbers = append(numbers, n)
		points += len(w.Points)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return numbers, points
}

func TestRecent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{Recent: true})
	for seq := range uint64(5) {
		batch := &hearth.BatchID{Epoch: "e", Seq: seq + 1}
		mustWrite(t, s, Write{Home: "h", Batch: batch, Points: []Point{{"m", "f", int64(seq), hearth.NumberOf(1)}}})
		mustWrite(t, s, Write{Home: "h", Batch: batch, Points: []Point{{"m", "f", int64(seq), hearth.NumberOf(1)}}}) // a duplicate
	}
	if numbers, points := recentOf(t, s, 0); !reflect.DeepEqual(numbers, []uint64{1, 2, 3, 4, 5}) || points != 5 {
		t.Errorf("%v, %d points", numbers, points)
	}
	if err := s.Forget(3); err != nil {
		t.Fatal(err)
	}
	if oldest, newest, err := s.RecentSpan(); oldest != 4 || newest != 5 || err != nil {
		t.Error(oldest, newest, err)
	}
	if err := s.Forget(100); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{Recent: true})
	mustWrite(t, s, Write{Home: "h", Points: []Point{{"m", "f", 9, hearth.NumberOf(1)}}})
	if numbers, _ := recentOf(t, s, 4); !reflect.DeepEqual(numbers, []uint64{5, 6}) {
		t.Errorf("the numbers do not go on after a restart: %v", numbers)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{Recent: true})
	if numbers, _ := recentOf(t, s, 0); len(numbers) != 0 {
		t.Errorf("left over of a time before: %v", numbers)
	}
}

// A reader that follows many writers at once gets every write once.
func TestRecentMissesNothing(t *testing.T) {
	s := open(t, t.TempDir(), Options{Recent: true})
	const writers, each = 8, 60
	done := make(chan struct{}, writers)
	for w := range writers {
		go func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range each {
				_, err := s.Write(Write{Home: string(rune('a' + w)), Points: make([]Point, random.IntN(200)), Bad: uint64(i)})
				if err != nil {
					t.Error(err)
				}
			}
			done <- struct{}{}
		}()
	}
	seen, at, finished := 0, uint64(0), 0
	for seen < writers*each {
		numbers, _ := recentOf(t, s, at)
		for _, n := range numbers {
			if n != at+1 {
				t.Fatalf("%d came after %d", n, at)
			}
			at = n
			seen++
		}
		if finished == writers && len(numbers) == 0 {
			t.Fatalf("%d of %d writes were seen", seen, writers*each)
		}
		select {
		case <-done:
			finished++
		default:
		}
	}
}
