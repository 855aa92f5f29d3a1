package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts/postgrestest"
	"hearth/cloud/series"
)

// What one receiver acknowledged, every other one has; what a batch is to a home does not depend on whom it is sent to.
func TestTwoReceivers(t *testing.T) {
	_, a, b := pair(t)
	for _, step := range []struct {
		to   *receiver
		seq  uint64
		want series.Outcome
	}{
		{a, 1, series.Outcome{Durable: hearth.BatchID{Epoch: "e", Seq: 1}}},
		{b, 2, series.Outcome{Durable: hearth.BatchID{Epoch: "e", Seq: 2}}},
		{a, 2, series.Outcome{Durable: hearth.BatchID{Epoch: "e", Seq: 2}, Duplicate: true}},
		{b, 9, series.Outcome{Durable: hearth.BatchID{Epoch: "e", Seq: 2}, Ahead: true}},
		{b, 3, series.Outcome{Durable: hearth.BatchID{Epoch: "e", Seq: 3}}},
	} {
		if got := step.to.must(batch("cabin", step.seq, 20)); got != step.want {
			t.Errorf("batch %d: %+v, want %+v", step.seq, got, step.want)
		}
	}
	a.must(series.Write{Home: "cabin", Points: batch("", 7, 3).Points, Gaps: []hearth.Gap{{From: at(1), To: at(2), Count: 3, Reason: hearth.GapCap}}, Bad: 2})
	got := same(t, a, b, "cabin")
	want := series.Counts{Produced: 65, Received: 63, Duplicate: 20, Dropped: 2}
	if got.Ledger.Total != want || len(got.Gaps) != 1 {
		t.Errorf("%+v, %d gaps; want %+v", got.Ledger.Total, len(got.Gaps), want)
	}
	for _, r := range []*receiver{a, b} {
		sync, err := r.Sync(t.Context(), "cabin")
		if err != nil || sync != (hearth.Sync{Epoch: "e", Durable: 3}) {
			t.Errorf("%+v, %v", sync, err)
		}
	}
	if len(a.applied) != 3 || len(b.applied) != 3 {
		t.Errorf("%d and %d writes of the other one were told of, want 3 and 3", len(a.applied), len(b.applied))
	}
	if err := b.DeleteHome("cabin"); err != nil {
		t.Fatal(err)
	}
	a.level()
	if v := viewOf(t, a.store, "cabin"); len(v.Last) != 0 {
		t.Error("a home that was deleted is still there on the other receiver")
	}
}

func TestRefusals(t *testing.T) {
	_, a, _ := pair(t)
	for _, w := range []series.Write{{}, {Home: "h", Batch: &hearth.BatchID{Seq: 1}}, {Home: "h", Batch: &hearth.BatchID{Epoch: "e"}}} {
		if _, err := a.Write(w); !errors.Is(err, &hearth.Error{Code: hearth.CodeBadValue}) {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

// Batches go to either receiver as a load balancer likes; receivers stop and come back meanwhile.
func TestAnyReceiver(t *testing.T) {
	database, a, b := pair(t)
	const homes, batches, rows = 12, 25, 30
	var all sync.WaitGroup
	var mu sync.RWMutex // held for writing while a receiver is replaced
	for home := range homes {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(home), 5))
			name := fmt.Sprint("home ", home)
			for seq := uint64(1); seq <= batches; {
				mu.RLock()
				to := []*receiver{a, b}[random.IntN(2)]
				mu.RUnlock()
				outcome, err := to.Write(batch(name, seq, rows))
				switch {
				case err != nil && !errors.Is(err, errEnded) && !errors.Is(err, errLate):
					t.Error(err)
					return
				case err == nil && outcome.Durable.Seq >= seq:
					seq++
				}
			}
		})
	}
	for range 4 {
		old := b
		waitFor(t, func() bool { at, _ := a.at(); before := at.n; return before > 0 })
		old.stop()
		next := newReceiver(t, database)
		next.dir = old.dir
		next.start()
		mu.Lock()
		b = next
		mu.Unlock()
	}
	all.Wait()
	for home := range homes {
		got := same(t, a, b, fmt.Sprint("home ", home)).Ledger.Total
		if got.Received != batches*rows || got.Unexplained != 0 || got.Produced != batches*rows {
			t.Errorf("home %d: %+v", home, got)
		}
	}
}

func at(second int64) hearth.Time { return hearth.Time{Time: time.Unix(second, 0).UTC()} }

func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	late := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-look.C:
		case <-late:
			t.Fatal("not in half a minute")
		}
	}
}

// A receiver whose store loses its end, as in a power cut, takes it from the log: nothing is counted twice.
func TestStoreLosesItsEnd(t *testing.T) {
	database, a, b := pair(t)
	a.must(batch("cabin", 1, 10))
	b.level()
	b.stop()
	early := t.TempDir()
	copyDir(t, b.dir, early)
	b = newReceiver(t, database)
	for seq := uint64(2); seq < 8; seq++ {
		a.must(batch("cabin", seq, 10))
		a.must(series.Write{Home: "cabin", Points: batch("", seq+100, 5).Points})
	}
	b.dir = early
	b.start()
	got := same(t, a, b, "cabin").Ledger.Total
	if want := (series.Counts{Produced: 100, Received: 100}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if len(b.applied) != 0 {
		t.Error("what was taken over at the start was told as if it happened now")
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
}

// A group that was applied by half goes on with its other half.
func TestHalfAGroup(t *testing.T) {
	_, a, b := pair(t)
	b.stop()
	group := make([]*pending, 0, 4)
	for seq := uint64(1); seq <= 4; seq++ {
		e := entry{kind: entryWrite, write: batch("cabin", seq, 10)}
		e.encode()
		group = append(group, &pending{entry: e, done: make(chan result, 1)})
	}
	a.append(t.Context(), group)
	a.level()
	if err := b.open(); err != nil { // applies all of it
		t.Fatal(err)
	}
	at, _ := b.at()
	b.store.Close()
	// Now a store that stopped between two of them: it has the first two, and says so.
	half := &receiver{t: t, dir: t.TempDir(), books: b.books}
	store, err := series.Open(half.dir, series.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before, err := a.log.read(t.Context(), at.n, at.n)
	if err != nil || len(before) != 1 {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= 2; seq++ {
		w := batch("cabin", seq, 10)
		w.Received, w.Place = group[0].write.Received, []byte(place{n: at.n - 1, mark: before[0].prev, part: int(seq)}.String())
		if _, err := store.Write(w); err != nil {
			t.Fatal(err)
		}
	}
	store.Close()
	if err := half.open(); err != nil {
		t.Fatal(err)
	}
	defer half.store.Close()
	report, err := half.store.Ledger("cabin", time.Time{}, time.Time{})
	if err != nil || report.Total != (series.Counts{Produced: 40, Received: 40}) {
		t.Errorf("%+v, %v", report.Total, err)
	}
}

// A receiver that the log does not go on from says so and serves nothing.
func TestWhoMayNotJoin(t *testing.T) {
	server := postgrestest.Start(t, "fsync=off")
	for name, test := range map[string]struct {
		prepare func(t *testing.T, first, second *receiver)
		want    string
	}{
		"readings of its own": {func(t *testing.T, first, second *receiver) {
			first.start().must(batch("cabin", 1, 1))
			writeAlone(t, second.dir)
		}, "has readings of its own"},
		"the others had some before": {func(t *testing.T, first, second *receiver) {
			writeAlone(t, first.dir)
			first.start()
		}, "restore a backup of one of them"},
		"the beginning was trimmed": {func(t *testing.T, first, second *receiver) {
			first.start().must(batch("cabin", 1, 1))
			first.sql(`DELETE FROM write_log WHERE n = 1`)
		}, "restore a backup of one of them"},
		"away for too long": {func(t *testing.T, first, second *receiver) {
			first.start()
			second.start().stop()
			first.must(batch("cabin", 1, 1))
			first.must(batch("cabin", 2, 1))
			first.sql(`DELETE FROM write_log WHERE n <= 2`)
		}, "away for too long"},
		"the database was set back": {func(t *testing.T, first, second *receiver) {
			second.start().must(batch("cabin", 1, 1))
			second.stop()
			first.sql(`UPDATE write_head SET n = 1, mark = (SELECT mark FROM write_log WHERE n = 1)`)
		}, "was set back"},
		"the database was set back and went on": {func(t *testing.T, first, second *receiver) {
			second.start().must(batch("cabin", 1, 1))
			second.stop()
			first.sql(`UPDATE write_log SET mark = 'another' WHERE n = 2`)
			first.sql(`UPDATE write_head SET n = 3, mark = 'more', prev = 'another'`)
			first.sql(`INSERT INTO write_log (n, mark, prev, time, body) VALUES (3, 'more', 'another', 0, '')`)
		}, "was set back"},
	} {
		t.Run(name, func(t *testing.T) {
			database := server.Database(t)
			first, second := newReceiver(t, database), newReceiver(t, database)
			test.prepare(t, first, second)
			if err := second.open(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want one with %q", err, test.want)
			}
		})
	}
}

func writeAlone(t *testing.T, dir string) {
	t.Helper()
	store, err := series.Open(dir, series.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Write(batch("barn", 1, 5)); err != nil {
		t.Fatal(err)
	}
}

func (r *receiver) sql(statement string) {
	r.t.Helper()
	if _, err := r.books.DB().Exec(statement); err != nil {
		r.t.Fatal(err)
	}
}

// A receiver that had readings before the log was there brings them along; a copy of it may follow.
func TestBeginsWithReadings(t *testing.T) {
	database := postgrestest.Start(t, "fsync=off").Database(t)
	a, b := newReceiver(t, database), newReceiver(t, database)
	writeAlone(t, a.dir)
	a.start()
	if err := a.store.Backup(filepath.Join(b.dir, "copy")); err != nil {
		t.Fatal(err)
	}
	b.dir = filepath.Join(b.dir, "copy")
	a.must(batch("barn", 2, 5))
	b.start()
	b.must(batch("barn", 3, 5))
	if got := same(t, a, b, "barn").Ledger.Total; got.Received != 15 || got.Unexplained != 0 {
		t.Errorf("%+v", got)
	}
}

// While PostgreSQL is away nothing is acknowledged; when it is back, everything goes on.
func TestDatabaseRestarts(t *testing.T) {
	server := postgrestest.Start(t)
	database := server.Database(t)
	a, b := newReceiver(t, database).start(), newReceiver(t, database).start()
	for seq := uint64(1); seq <= 6; seq++ {
		if seq%2 == 0 {
			server.Restart(t)
		}
		waitFor(t, func() bool {
			outcome, err := a.Write(batch("cabin", seq, 10))
			return err == nil && outcome.Durable.Seq >= seq
		})
	}
	if got := same(t, a, b, "cabin").Ledger.Total; got.Received != 60 || got.Unexplained != 0 {
		t.Errorf("%+v", got)
	}
}

func TestTrim(t *testing.T) {
	_, a, b := pair(t)
	for seq := uint64(1); seq <= 5; seq++ {
		a.must(batch("cabin", seq, 1))
	}
	b.level()
	for _, r := range []*receiver{a, b} {
		if err := r.beat(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.stop()
	a.sql(`UPDATE write_log SET time = 0`)
	a.sql(`UPDATE receivers SET n = 3 WHERE id = '` + b.id + `'`) // it has only so much, and was there a moment ago
	trimmed := func(want int) {
		t.Helper()
		if err := a.trim(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := a.books.DB().QueryRow(`SELECT count(*) FROM write_log`).Scan(&left); err != nil || left != want {
			t.Errorf("%d groups are left, want %d, %v", left, want, err)
		}
	}
	trimmed(4)
	a.sql(`UPDATE receivers SET seen = 0 WHERE n = 3`)
	trimmed(1)
}

func FuzzUnpack(f *testing.F) {
	p, err := newPacker()
	if err != nil {
		f.Fatal(err)
	}
	e := entry{kind: entryWrite, write: batch("cabin", 1, 10)}
	e.encode()
	f.Add(p.pack(func(yield func(byte, []byte) bool) {
		_ = yield(e.kind, e.body) && yield(entryDelete, []byte("home")) && yield(entryBegin, []byte{1})
	}, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := p.unpack(data)
		if err != nil {
			return
		}
		for _, e := range entries {
			if _, err := parseEntry(e.kind, e.body); err != nil {
				return
			}
		}
		again, err := p.unpack(p.pack(func(yield func(byte, []byte) bool) {
			for _, e := range entries {
				if !yield(e.kind, e.body) {
					return
				}
			}
		}, len(entries)))
		if err != nil || len(again) != len(entries) {
			t.Fatal(len(again), len(entries), err)
		}
	})
}

// While what is in the log is not applied, no more is taken; what nobody waits for any more is not put there.
func TestLate(t *testing.T) {
	_, a, _ := pair(t)
	a.late.Store(true)
	if _, err := a.Write(batch("cabin", 1, 1)); !errors.Is(err, errLate) {
		t.Errorf("%v", err)
	}
	waitFor(t, func() bool { _, err := a.Write(batch("cabin", 1, 1)); return err == nil })
	gone := &pending{entry: entry{kind: entryDelete, write: series.Write{Home: "cabin"}}, done: make(chan result, 1)}
	gone.encode()
	gone.taken.Store(true)
	before := a.Stats().Groups
	a.append(t.Context(), []*pending{gone})
	if a.Stats().Groups != before {
		t.Error("it was put into the log")
	}
}

// A log that was emptied begins anew with the receiver that is started first.
func TestBeginsAnew(t *testing.T) {
	database, a, b := pair(t)
	a.must(batch("cabin", 1, 5))
	b.level()
	a.stop()
	b.stop()
	other := newReceiver(t, database)
	other.sql(`TRUNCATE write_log`)
	other.sql(`UPDATE write_head SET n = 0, mark = '', prev = ''`)
	first, second := newReceiver(t, database), newReceiver(t, database)
	first.dir, second.dir = a.dir, b.dir
	first.start()
	first.must(batch("cabin", 2, 5))
	if err := second.open(); err == nil || !strings.Contains(err.Error(), "was set back") {
		t.Errorf("the second one: %v", err)
	}
	if got := viewOf(t, first.store, "cabin").Ledger.Total; got.Received != 10 {
		t.Errorf("%+v", got)
	}
}
