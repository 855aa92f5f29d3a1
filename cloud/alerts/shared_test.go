package alerts

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/accounts/postgrestest"
)

// Of two receivers on one database one decides; the other shows the same, takes acknowledgements, and goes on when the
// first is gone.
func TestTwoReceivers(t *testing.T) {
	address := postgrestest.Start(t, "fsync=off").Database(t)
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	wrong := map[string][]hearth.Condition{}
	var told []string
	open := func(name string) *Alerts {
		books, err := accounts.Open(t.Context(), accounts.Options{Database: address, Now: func() time.Time { return now }})
		must(t, err)
		t.Cleanup(func() { books.Close() })
		return New(Options{
			Accounts: books, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Emit: func(string, string, any) {},
			Wrong: func(home string) ([]hearth.Condition, bool) { return wrong[home], true },
			Look:  func(string, func(*hearth.DeviceView) bool) {},
			Tell: func(_ context.Context, _ *sql.Tx, _ string, e hearth.AlertEvent) error {
				told = append(told, name+" "+gist(e))
				return nil
			},
		})
	}
	first, second := open("first"), open("second")
	home, _, err := first.o.Accounts.AddHome(t.Context(), "", "Cabin")
	must(t, err)
	pass := func(seconds int, all ...*Alerts) {
		for range seconds {
			now = now.Add(time.Second)
			for _, a := range all {
				must(t, a.step(t.Context()))
			}
		}
	}
	want := func(what string, all ...string) {
		t.Helper()
		if fmt.Sprint(told) != fmt.Sprint(all) {
			t.Errorf("%s: people were told %q, want %q", what, told, all)
		}
		told = nil
	}
	wrong[home.ID] = []hearth.Condition{silent("a:1")}
	pass(60, first, second)
	want("it is raised once", "first raised device_silent a:1")
	if got := second.Open(home.ID); len(got) != 1 || got[0].Detail != "a:1 is silent" {
		t.Fatalf("the other one shows %+v", got)
	}
	rule, err := second.putRule(t.Context(), "main", Rule{Property: "temperature", Op: ">", Value: hearth.NumberOf(1)})
	must(t, err)
	n, err := second.get(t.Context(), second.Open(home.ID)[0].ID)
	must(t, err)
	_, err = second.acknowledge(t.Context(), n, "operator")
	must(t, err)
	pass(10, first, second)
	want("it is acknowledged", "second acknowledged device_silent a:1")
	if got := first.Open(home.ID)[0]; got.AckedBy != "operator" {
		t.Errorf("the first one does not know: %+v", got)
	}
	if rules := first.rules["main"]; len(rules) != 1 || rules[0].ID != rule.ID {
		t.Errorf("the first one has the rules %+v", rules)
	}
	pass(60, second) // the first is gone
	want("nothing is raised again")
	wrong[home.ID] = nil
	pass(120, second)
	want("the second goes on", "second cleared device_silent a:1")
	pass(60, first, second)
	want("the first comes back")
	past, err := second.history(t.Context(), wish{token: hearth.Token{Scope: hearth.ScopeRead}, limit: 10, visible: map[string]string{home.ID: "main"}}, now.UnixMilli())
	if err != nil || len(past) != 1 || past[0].AckedBy != "operator" {
		t.Errorf("%+v, %v", past, err)
	}
	must(t, second.deleteRule(t.Context(), "main", rule.ID))
	must(t, second.prune(t.Context(), now.Add(2*keep)))
	if past, err := second.query(t.Context(), "ORDER BY id"); err != nil || len(past) != 0 {
		t.Errorf("%+v, %v", past, err)
	}
	if got := append(first.Open(home.ID), second.Open(home.ID)...); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
