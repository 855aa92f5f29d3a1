package downlink

import (
	"log/slog"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/accounts/postgrestest"
)

// A command that one receiver moves on is told of by the other one, too, once for each change.
func TestElsewhere(t *testing.T) {
	database := postgrestest.Start(t, "fsync=off").Database(t)
	var downs [2]*Downlink
	var own, others [2][]hearth.Record
	var home accounts.Home
	now := time.Now()
	for i := range downs {
		books, err := accounts.Open(t.Context(), accounts.Options{Database: database})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { books.Close() })
		if i == 0 {
			if home, _, err = books.AddHome(t.Context(), "", "Cabin"); err != nil {
				t.Fatal(err)
			}
		}
		downs[i] = New(Options{
			Accounts: books, Embedded: &Embedded{}, Device: lamp, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
			Changed:   func(_ string, r hearth.Record) { own[i] = append(own[i], r) },
			Elsewhere: func(_ string, r hearth.Record) { others[i] = append(others[i], r) },
		})
	}
	look := func() {
		t.Helper()
		now = now.Add(time.Second)
		for _, d := range downs {
			if err := d.lookElsewhere(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	look()
	record, err := downs[0].Do(t.Context(), home.ID, hearth.Command{Device: "radio:1", Set: map[string]hearth.Value{"on": hearth.BoolOf(true)}}, accounts.AuditEntry{})
	if err != nil {
		t.Fatal(err)
	}
	waiting := downs[1].watch(home.ID, record.ID)
	look()
	select {
	case <-waiting:
	default:
		t.Error("who waits for the command on the other receiver was not woken")
	}
	if err := downs[1].change(t.Context(), home.ID, record.ID, func(r *hearth.Record) bool { return r.Advance(hearth.Applied, false, now, nil) }); err != nil {
		t.Fatal(err)
	}
	look()
	// Applied was all there was to come: the record ends without a further step.
	err = downs[0].change(t.Context(), home.ID, record.ID, func(r *hearth.Record) bool { r.Final = true; return true })
	if err != nil {
		t.Fatal(err)
	}
	for range 100 { // for longer than it is remembered
		look()
	}
	if len(own[0]) != 2 || len(own[1]) != 1 || len(others[0]) != 1 || len(others[1]) != 2 {
		t.Fatalf("told of their own: %d and %d, of the other's: %d and %d", len(own[0]), len(own[1]), len(others[0]), len(others[1]))
	}
	if r, last := others[0][0], others[1][1]; r.ID != record.ID || r.State != hearth.Applied || r.Final || !last.Final {
		t.Errorf("%+v, then %+v", r, last)
	}
}
