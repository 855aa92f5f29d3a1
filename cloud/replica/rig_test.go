package replica

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/accounts/postgrestest"
	"hearth/cloud/series"
)

// testDay is where the readings of these tests begin.
const testDay = int64(1_790_000_000) * 1e9

// A receiver is one of several, in this process.
type receiver struct {
	t     testing.TB
	dir   string
	store *series.Store
	books *accounts.Accounts
	*Replica

	mu      sync.Mutex
	applied []series.Write // those of others

	stop func()
}

func openAccounts(t testing.TB, database string) *accounts.Accounts {
	t.Helper()
	books, err := accounts.Open(t.Context(), accounts.Options{Database: database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { books.Close() })
	return books
}

// newReceiver returns one that does not run yet.
func newReceiver(t testing.TB, database string) *receiver {
	return &receiver{t: t, dir: t.TempDir(), books: openAccounts(t, database)}
}

func (r *receiver) open() error {
	store, err := series.Open(r.dir, series.Options{})
	if err != nil {
		return err
	}
	r.store = store
	r.Replica, err = Open(r.t.Context(), Options{Accounts: r.books, Series: store, Log: slog.New(slog.DiscardHandler), Applied: func(w series.Write, _ series.Outcome) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.applied = append(r.applied, w)
	}})
	if err != nil {
		store.Close()
	}
	return err
}

// start opens it and has it run until the test or halt ends it.
func (r *receiver) start() *receiver {
	r.t.Helper()
	if err := r.open(); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
		r.store.Close()
	})
	r.t.Cleanup(r.stop)
	return r
}

func (r *receiver) must(w series.Write) series.Outcome {
	r.t.Helper()
	outcome, err := r.Write(w)
	if err != nil {
		r.t.Fatal(err)
	}
	return outcome
}

// level waits until the receiver has what is in the log.
func (r *receiver) level() {
	r.t.Helper()
	if err := r.reach(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func batch(home string, seq uint64, rows int) series.Write {
	w := series.Write{
		Home: home, Batch: &hearth.BatchID{Epoch: "e", Seq: seq},
		Ledger: &hearth.Ledger{Produced: seq * uint64(rows), Backlog: uint64(rows), Durable: seq - 1},
	}
	for i := range rows {
		w.Points = append(w.Points, series.Point{
			Series: fmt.Sprintf("hearth,device=radio:%d", i%5), Field: "temperature",
			Time: testDay + int64(seq)*60e9 + int64(i)*1e6, Value: hearth.NumberOf(float64(seq) + float64(i)/10),
		})
	}
	return w
}

// A view is what can be read of a home.
type view struct {
	Ledger series.LedgerReport
	Last   []series.Point
	Points map[string]map[int64]hearth.Value
	Gaps   []hearth.Gap
}

func viewOf(t testing.TB, s *series.Store, home string) view {
	t.Helper()
	from, to := time.Unix(0, 0), time.Unix(0, testDay).AddDate(1, 0, 0)
	v := view{Points: map[string]map[int64]hearth.Value{}}
	var err error
	if v.Ledger, err = s.Ledger(home, time.Time{}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if v.Last, err = s.Last(home); err != nil {
		t.Fatal(err)
	}
	if v.Gaps, err = s.Gaps(home, from, to); err != nil {
		t.Fatal(err)
	}
	for _, p := range v.Last {
		one := map[int64]hearth.Value{}
		v.Points[p.Series+" "+p.Field] = one
		if err := s.Points(home, p.Series, p.Field, from, to, func(at int64, value hearth.Value) bool { one[at] = value; return true }); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// same makes sure that two receivers hold the same of a home, and that there is something.
func same(t testing.TB, a, b *receiver, home string) view {
	t.Helper()
	a.level()
	b.level()
	one, other := viewOf(t, a.store, home), viewOf(t, b.store, home)
	if !reflect.DeepEqual(one, other) {
		t.Fatalf("two receivers differ in %s:\n%+v\n%+v", home, one.Ledger, other.Ledger)
	}
	if len(one.Last) == 0 {
		t.Fatalf("nothing was stored of %s", home)
	}
	return one
}

// pair is a database and two receivers on it that run.
func pair(t testing.TB) (database string, a, b *receiver) {
	t.Helper()
	database = postgrestest.Start(t, "fsync=off").Database(t)
	return database, newReceiver(t, database).start(), newReceiver(t, database).start()
}
