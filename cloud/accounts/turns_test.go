package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// openTurns returns accounts with a table of numbers, and what counts them.
func openTurns(t testing.TB) (a *Accounts, count func() int) {
	t.Helper()
	a, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if err := a.Tx(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec(`CREATE TABLE numbers (n BIGINT PRIMARY KEY)`); return err }); err != nil {
		t.Fatal(err)
	}
	return a, func() (n int) {
		if err := a.DB().QueryRow(`SELECT count(*) FROM numbers`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func insert(ctx context.Context, n int) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO numbers VALUES ($1)`, n)
		return err
	}
}

var errOwn = errors.New("an error of its own")

// Of those that are committed together some fail, panic or give up: what they did is undone, and nothing else.
func TestTurnsFailAlone(t *testing.T) {
	a, count := openTurns(t)
	const homes = 200
	var wg sync.WaitGroup
	for n := range homes {
		wg.Go(func() {
			err := a.Tx(t.Context(), func(tx *sql.Tx) error {
				if err := insert(t.Context(), n)(tx); err != nil {
					return err
				}
				if n%5 == 1 {
					return errOwn
				}
				return nil
			})
			if want := n%5 == 1; errors.Is(err, errOwn) != want || err != nil != want {
				t.Errorf("%d: %v", n, err)
			}
		})
	}
	wg.Wait()
	if got := count(); got != homes*4/5 {
		t.Errorf("%d numbers are stored, want %d", got, homes*4/5)
	}
}

// held starts a transaction that lasts until release is called, so that others have to wait for the next one.
func held(t *testing.T, a *Accounts) (release func()) {
	t.Helper()
	began, end, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- a.Tx(t.Context(), func(*sql.Tx) error { close(began); <-end; return nil })
	}()
	<-began
	return func() {
		close(end)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func waiting(a *Accounts, n int) bool {
	a.turns.mu.Lock()
	defer a.turns.mu.Unlock()
	return len(a.turns.waiting) == n
}

func TestAPanicIsItsOwnersAffair(t *testing.T) {
	a, count := openTurns(t)
	release := held(t, a)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			defer func() {
				if reason := recover(); (reason != nil) != (n == 2) {
					t.Errorf("%d: panic %v", n, reason)
				}
			}()
			if err := a.Tx(t.Context(), func(tx *sql.Tx) error {
				if err := insert(t.Context(), n)(tx); err != nil {
					return err
				}
				if n == 2 {
					panic("two")
				}
				return nil
			}); err != nil {
				t.Errorf("%d: %v", n, err)
			}
		})
	}
	for !waiting(a, 4) {
		runtime.Gosched()
	}
	release()
	wg.Wait()
	if got := count(); got != 3 {
		t.Errorf("%d numbers are stored, want 3", got)
	}
}

func TestWhoGivesUpBeforeItsTurnDoesNothing(t *testing.T) {
	a, count := openTurns(t)
	release := held(t, a)
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp, stored := make(chan error), make(chan error)
	go func() { gaveUp <- a.Tx(ctx, insert(ctx, 1)) }()
	go func() { stored <- a.Tx(t.Context(), insert(t.Context(), 2)) }()
	for !waiting(a, 2) {
		runtime.Gosched()
	}
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	release()
	if err := <-stored; err != nil || count() != 1 {
		t.Errorf("%v, %d numbers are stored", err, count())
	}
}

// Whoever's request ends while its transaction is under way takes nobody else's down with it.
func TestAnEndedRequestHarmsNobodyElse(t *testing.T) {
	a, count := openTurns(t)
	release := held(t, a)
	ctx, cancel := context.WithCancel(t.Context())
	ended, stored := make(chan error), make(chan error)
	go func() {
		ended <- a.Tx(ctx, func(tx *sql.Tx) error {
			if err := insert(ctx, 1)(tx); err != nil {
				return err
			}
			cancel()
			return insert(ctx, 2)(tx)
		})
	}()
	for !waiting(a, 1) {
		runtime.Gosched()
	}
	go func() { stored <- a.Tx(t.Context(), insert(t.Context(), 3)) }()
	for !waiting(a, 2) {
		runtime.Gosched()
	}
	release()
	if err := <-ended; err == nil {
		t.Error("an ended request succeeded")
	}
	if err := <-stored; err != nil || count() != 1 {
		t.Errorf("%v, %d numbers are stored", err, count())
	}
}

// BenchmarkTx is what many at once get: one fsync for each would be the limit.
func BenchmarkTx(b *testing.B) {
	for _, writers := range []int{1, 100} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			a, _ := openTurns(b)
			b.SetParallelism(writers)
			var mu sync.Mutex
			n := 0
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					mu.Lock()
					n++
					mine := n
					mu.Unlock()
					if err := a.Tx(b.Context(), insert(b.Context(), mine)); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}

func TestACrowdIsWaitedFor(t *testing.T) {
	full := make([]*turn, mostTogether-1)
	for _, test := range []struct {
		size    int
		waiting []*turn
		want    time.Duration
	}{{crowd - 1, nil, 0}, {crowd, nil, gathering}, {crowd, full[1:], gathering}, {crowd, full, 0}} {
		synctest.Test(t, func(t *testing.T) {
			var q turns
			q.next(test.size)
			q.waiting = test.waiting
			began := time.Now()
			q.gather()
			if took := time.Since(began); took != test.want {
				t.Errorf("after a group of %d, with %d waiting: waited %s, want %s", test.size, len(test.waiting), took, test.want)
			}
		})
	}
}
