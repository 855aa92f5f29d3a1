package notify

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/accounts/postgrestest"
)

// Two receivers on one database deliver each event once, in one order, whoever heard of it.
func TestTwoReceivers(t *testing.T) {
	address := postgrestest.Start(t, "fsync=off").Database(t)
	var mu sync.Mutex
	var numbers []string
	ids := map[string]int{}
	came := make(chan struct{}, 1000)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var e Event
		_ = json.Unmarshal(body, &e)
		mu.Lock()
		defer mu.Unlock()
		numbers = append(numbers, r.Header.Get(HeaderSequence))
		ids[e.ID]++
		came <- struct{}{}
	}))
	defer hook.Close()
	open := func() (*Notify, *accounts.Accounts) {
		books, err := accounts.Open(t.Context(), accounts.Options{Database: address})
		must(t, err)
		t.Cleanup(func() { books.Close() })
		n := New(Options{Accounts: books, Private: true, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		must(t, n.Load(t.Context()))
		return n, books
	}
	first, books := open()
	second, others := open()
	home, _, err := books.AddHome(t.Context(), "", "Cabin")
	must(t, err)
	target, _, err := first.add(t.Context(), accounts.MainTenant, Target{Name: "x", Type: TypeWebhook, URL: hook.URL, Events: []string{KindAlert, KindCommand}})
	must(t, err)
	must(t, second.Load(t.Context()))
	run(t, first)
	run(t, second)
	const alerts, commands = 40, 40
	var all sync.WaitGroup
	for i := range 2 {
		n, books := first, books
		if i == 1 {
			n, books = second, others
		}
		all.Go(func() {
			for k := range alerts / 2 {
				if err := tellOf(t.Context(), n, books, home.ID, fmt.Sprint(i, "-", k)); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for k := range commands {
				n.Publish("", home.ID, KindCommand, hearth.Record{Command: hearth.Command{ID: fmt.Sprint("c", k)}})
				time.Sleep(time.Millisecond)
			}
		})
	}
	all.Wait()
	for range alerts + commands {
		select {
		case <-came:
		case <-time.After(30 * time.Second):
			t.Fatalf("%d deliveries arrived", len(numbers))
		}
	}
	settled(t, first, target)
	quietOnPostgres(t, first, target)
	mu.Lock()
	defer mu.Unlock()
	for i, number := range numbers {
		if number != fmt.Sprint(i+1) {
			t.Fatalf("delivery %d has number %s", i+1, number)
		}
	}
	if len(numbers) != alerts+commands || len(ids) != alerts+commands {
		t.Errorf("%d deliveries of %d events, want %d", len(numbers), len(ids), alerts+commands)
	}
}

// settled waits until nothing is left to deliver: what has arrived is noted as delivered a moment later.
func settled(t *testing.T, n *Notify, target Target) {
	t.Helper()
	stored, err := n.target(t.Context(), accounts.MainTenant, target.ID)
	must(t, err)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for limit := time.After(30 * time.Second); ; {
		view, err := n.view(t.Context(), stored)
		must(t, err)
		if view.Pending == 0 {
			return
		}
		select {
		case <-look.C:
		case <-limit:
			t.Fatalf("%d deliveries are still under way", view.Pending)
		}
	}
}

// quietOnPostgres goes through the statements of quiet hours, of too much that waits, and of the log.
func quietOnPostgres(t *testing.T, n *Notify, target Target) {
	t.Helper()
	ctx := t.Context()
	stored, err := n.target(ctx, accounts.MainTenant, target.ID)
	must(t, err)
	other := *stored
	other.Disabled = true // so that nobody delivers what follows
	_, err = n.set(ctx, accounts.MainTenant, other)
	must(t, err)
	must(t, n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO deliveries (target, n, created, due, state, event) SELECT $1, 100000 + i, 1, 1, 'held', '{}' FROM generate_series(1, 3) i`, target.ID)
		return err
	}))
	must(t, n.release(ctx, stored))
	must(t, n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO deliveries (target, n, created, due, event) SELECT $1, 200000 + i, 1, 1, '{}' FROM generate_series(0, $2) i`, target.ID, maxPending)
		if err != nil {
			return err
		}
		return n.bound(ctx, tx, stored, 1)
	}))
	view, err := n.view(ctx, stored)
	if err != nil || view.Pending != maxPending || view.Dropped != 1 || view.Held != 0 {
		t.Errorf("%+v, %v", view, err)
	}
	must(t, n.prune(ctx, n.o.Now().Add(2*keepEnded)))
	must(t, n.disable(ctx, stored, "it is gone"))
	must(t, n.remove(ctx, accounts.MainTenant, target.ID))
}
