package downlink

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

func TestCommandOverTheBroker(t *testing.T) {
	r := newRig(t)
	g := r.gateway("gw", r.token("gw", hearth.ScopeGateway, r.home.ID), r.home.ID)
	record := r.do(`{"on":true,"brightness":40}`)
	if record.State != hearth.Sent || record.Final {
		t.Fatalf("%+v", record)
	}
	cmd := g.next()
	if cmd.ID != record.ID || !cmd.Same(record.Command) || !cmd.Deadline.Equal(record.Deadline.Truncate(time.Millisecond)) {
		t.Errorf("the gateway got %+v of %+v", cmd, record.Command)
	}
	waited := make(chan hearth.Record, 1)
	go func() {
		final, err := r.d.Wait(context.Background(), r.home.ID, record.ID)
		if err != nil {
			t.Error(err)
		}
		waited <- final
	}()
	g.answer(record.ID, hearth.Applied, false, nil)
	g.answer(record.ID, hearth.Confirmed, true, nil)
	if got := r.record(record.ID); got.State != hearth.Confirmed { // the acknowledgement means that it is stored
		t.Errorf("after the acknowledgement it is %s", got.State)
	}
	if final := <-waited; final.State != hearth.Confirmed || !final.Final || states(final) != "accepted sent applied confirmed" {
		t.Errorf("%+v", final)
	}
	g.answer(record.ID, hearth.Failed, true, &hearth.Error{Code: hearth.CodeFailed, Message: "no"})
	if got := r.record(record.ID); got.State != hearth.Confirmed || got.Error != nil {
		t.Errorf("a final state changed: %+v", got)
	}
}

func TestCommandWhileOffline(t *testing.T) {
	r := newRig(t)
	first, second := r.do(`{"on":true}`), r.do(`{"brightness":10}`)
	if first.State != hearth.Accepted {
		t.Fatalf("%+v", first)
	}
	list, err := r.d.After(t.Context(), r.home.ID, 0)
	r.must(err)
	if len(list) != 2 || list[0].ID != first.ID || list[1].ID != second.ID || list[0].N >= list[1].N || list[0].State != hearth.Sent {
		t.Fatalf("%+v", list)
	}
	if got := r.record(first.ID); states(got) != "accepted sent" {
		t.Errorf("%+v", got)
	}
	if list, err = r.d.After(t.Context(), r.home.ID, list[0].N); err != nil || len(list) != 1 || list[0].ID != second.ID {
		t.Errorf("after the first: %+v, %v", list, err)
	}
	g := r.gateway("gw", r.token("gw", hearth.ScopeGateway, r.home.ID), r.home.ID)
	g.answer(first.ID, hearth.Confirmed, true, nil)
	if list, err = r.d.After(t.Context(), r.home.ID, 0); err != nil || len(list) != 1 || list[0].ID != second.ID {
		t.Errorf("what is answered is listed again: %+v, %v", list, err)
	}
	if got := r.record(first.ID); states(got) != "accepted sent confirmed" {
		t.Errorf("%s", states(got))
	}
}

func TestAnswers(t *testing.T) {
	r := newRig(t)
	g := r.gateway("gw", r.token("gw", hearth.ScopeGateway, r.home.ID), r.home.ID)
	foreign := r.gateway("other", r.token("other", hearth.ScopeGateway, r.other.ID), r.other.ID)
	record := r.do(`{"on":true}`)
	foreign.answer(record.ID, hearth.Confirmed, true, nil)
	g.answer("nobody-gave-this", hearth.Confirmed, true, nil)
	for _, junk := range []string{"", "{", "[]", "null", `{"id":5}`, `{"id":"` + record.ID + `","state":"wonderful"}`, `{"id":"x\u0000y","state":"failed"}`} {
		g.wait(g.Publish(hearth.TopicDone(r.home.ID), 1, false, junk))
	}
	if got := r.record(record.ID); got.State != hearth.Sent {
		t.Fatalf("it is %s", got.State)
	}
	at := time.Now().Add(-time.Hour)
	body, err := json.Marshal(hearth.Result{ID: record.ID, State: hearth.Failed, Final: true, Error: &hearth.Error{Code: "failed", Message: strings.Repeat("x", 5000)},
		History: []hearth.Step{{State: hearth.Accepted, Time: hearth.Time{Time: at}}, {State: hearth.Sent}, {State: hearth.Applied, Time: hearth.Time{Time: at}}, {State: hearth.Failed, Time: hearth.Time{Time: at}}}})
	r.must(err)
	g.wait(g.Publish(hearth.TopicDone(r.home.ID), 1, false, body))
	got := r.record(record.ID)
	if states(got) != "accepted sent applied failed" || got.Error == nil || len(got.Error.Message) > 1024 {
		t.Errorf("%s, %+v", states(got), got.Error)
	}
	for _, step := range got.History {
		if step.Time.Before(record.Issued.Truncate(time.Millisecond)) {
			t.Errorf("%s happened before it was asked for, at %s", step.State, step.Time)
		}
	}
	// What a device never reports ends as applied, at once or later.
	once, later := r.do(`{"on":true}`), r.do(`{"brightness":1}`)
	g.answer(once.ID, hearth.Applied, true, nil)
	g.answer(later.ID, hearth.Applied, false, nil)
	g.answer(later.ID, hearth.Applied, true, nil)
	for _, id := range []string{once.ID, later.ID} {
		if got := r.record(id); got.State != hearth.Applied || !got.Final || states(got) != "accepted sent applied" {
			t.Errorf("%+v", got)
		}
	}
}

func TestRefusedWithoutARecord(t *testing.T) {
	r := newRig(t)
	past, far := time.Now().Add(-time.Second), time.Now().Add(MaxDeadline+time.Hour)
	tests := []struct {
		cmd  hearth.Command
		code string
	}{
		{hearth.Command{Device: "radio:2", Set: map[string]hearth.Value{"on": hearth.BoolOf(true)}}, hearth.CodeNoDevice},
		{command("", `{"colour":1}`), hearth.CodeNoDevice},
		{command("", `{"power":1}`), hearth.CodeReadOnly},
		{command("", `{"brightness":101}`), hearth.CodeBadValue},
		{command("", `{"on":1}`), hearth.CodeBadValue},
		{command("", `{"on":true,"brightness":"x"}`), hearth.CodeBadValue},
		{command("", `{}`), hearth.CodeBadValue},
		{command(strings.Repeat("x", 129), `{"on":true}`), hearth.CodeBadValue},
		{command("a\nb", `{"on":true}`), hearth.CodeBadValue},
		{hearth.Command{Device: "radio:1", Set: map[string]hearth.Value{"on": hearth.BoolOf(true)}, Deadline: hearth.Time{Time: past}}, hearth.CodeBadValue},
		{hearth.Command{Device: "radio:1", Set: map[string]hearth.Value{"on": hearth.BoolOf(true)}, Deadline: hearth.Time{Time: far}}, hearth.CodeBadValue},
	}
	for _, test := range tests {
		_, err := r.d.Do(t.Context(), r.home.ID, test.cmd, accounts.AuditEntry{})
		r.wantCode(err, test.code)
	}
	records, err := r.d.Commands(t.Context(), r.home.ID, "", "")
	if err != nil || len(records) != 0 {
		t.Errorf("%d records, %v", len(records), err)
	}
	_, err = r.d.Command(t.Context(), r.home.ID, "nothing")
	r.wantCode(err, hearth.CodeNotFound)
}

func TestSameID(t *testing.T) {
	r := newRig(t)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := r.d.Do(context.Background(), r.home.ID, command("mine", `{"on":true}`), accounts.AuditEntry{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	again, err := r.d.Do(t.Context(), r.home.ID, command("mine", `{"on":true}`), accounts.AuditEntry{})
	if err != nil || again.ID != "mine" || len(again.History) != 1 {
		t.Errorf("%+v, %v", again, err)
	}
	_, err = r.d.Do(t.Context(), r.home.ID, command("mine", `{"on":false}`), accounts.AuditEntry{})
	r.wantCode(err, hearth.CodeConflict)
	if records, err := r.d.Commands(t.Context(), r.home.ID, "", ""); err != nil || len(records) != 1 {
		t.Errorf("%d records, %v", len(records), err)
	}
	if _, err := r.d.Do(t.Context(), r.other.ID, command("mine", `{"on":false}`), accounts.AuditEntry{}); err != nil {
		t.Errorf("another home's id: %v", err)
	}
}

// There is no command of which it is not known who gave it, and nobody is named for one that is not there.
func TestACommandAndItsAuditAreOne(t *testing.T) {
	r := newRig(t)
	give := func(id, set string) error {
		_, err := r.d.Do(t.Context(), r.home.ID, command(id, set), accounts.AuditEntry{Who: "anna", Action: "giveCommand", About: "radio:1"})
		return err
	}
	r.must(give("mine", `{"on":true}`))
	r.must(give("mine", `{"on":true}`)) // again: the same command
	r.wantCode(give("refused", `{"power":5}`), hearth.CodeReadOnly)
	log, err := r.books.AuditLog(t.Context(), accounts.Root(), accounts.AuditFilter{Limit: 10})
	r.must(err)
	if len(log) != 1 || log[0].Who != "anna" || log[0].Home != r.home.ID || log[0].Tenant != accounts.MainTenant || !strings.Contains(log[0].Detail, "mine radio:1") {
		t.Errorf("%+v", log)
	}
	_, err = r.books.DB().Exec(`ALTER TABLE audit RENAME TO away`)
	r.must(err)
	if err := give("unaudited", `{"on":false}`); err == nil {
		t.Error("it was given although nobody would know by whom")
	}
	if records, err := r.d.Commands(t.Context(), r.home.ID, "", ""); err != nil || len(records) != 1 {
		t.Errorf("%d records, %v", len(records), err)
	}
}

func TestSuperseding(t *testing.T) {
	r := newRig(t)
	both, on, brightness := r.do(`{"on":true,"brightness":5}`), r.do(`{"on":true}`), r.do(`{"brightness":7}`)
	r.do(`{"on":false}`)
	for id, want := range map[string]hearth.State{both.ID: hearth.Accepted, on.ID: hearth.Superseded, brightness.ID: hearth.Accepted} {
		if got := r.record(id); got.State != want || got.Final != (want == hearth.Superseded) {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	if _, err := r.d.After(t.Context(), r.home.ID, 0); err != nil {
		t.Fatal(err)
	}
	r.do(`{"on":true,"brightness":9}`)
	if got := r.record(both.ID); got.State != hearth.Sent {
		t.Errorf("a sent command is %s", got.State)
	}
}

func TestTooManyUnderWay(t *testing.T) {
	r := newRig(t)
	_, err := r.books.DB().Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
		INSERT INTO commands (home, id, n, device, state, due, changed, steps, record) SELECT $1, 'c' || i, i + 1000, 'radio:9', 'sent', 9999999999999, 0, 1, '{}' FROM n`, r.home.ID)
	r.must(err)
	_, err = r.d.Do(t.Context(), r.home.ID, command("", `{"on":true}`), accounts.AuditEntry{})
	r.wantCode(err, hearth.CodeBusy)
}

func TestTimeIsUp(t *testing.T) {
	r := newRig(t)
	start := time.Now()
	r.setClock(start)
	sent, applied := r.do(`{"on":true}`), r.do(`{"brightness":1}`)
	if _, err := r.d.After(t.Context(), r.home.ID, 0); err != nil {
		t.Fatal(err)
	}
	g := r.gateway("gw", r.token("gw", hearth.ScopeGateway, r.home.ID), r.home.ID)
	g.answer(applied.ID, hearth.Applied, false, nil)
	g.Disconnect(100)
	r.until("offline", func() bool { return !r.online[r.home.ID] })
	accepted := r.do(`{"on":false}`)
	if got := accepted.Deadline.Sub(accepted.Issued.Time); got != DefaultDeadline {
		t.Errorf("the default deadline is %s", got)
	}
	final := func(id string) func() bool {
		return func() bool {
			for _, record := range r.records {
				if record.ID == id && record.Final {
					return true
				}
			}
			return false
		}
	}
	r.setClock(start.Add(DefaultDeadline + time.Second))
	r.until("the accepted one has ended", final(accepted.ID))
	if got := r.record(accepted.ID); got.State != hearth.Expired || got.Error == nil {
		t.Errorf("%+v", got)
	}
	for _, id := range []string{sent.ID, applied.ID} {
		if got := r.record(id); got.Final {
			t.Errorf("%+v", got)
		}
	}
	r.setClock(start.Add(DefaultDeadline + Grace + time.Second))
	r.until("the sent one has ended", final(sent.ID))
	r.until("the applied one has ended", final(applied.ID))
	if got := r.record(sent.ID); got.State != hearth.Failed || got.Error.Code != hearth.CodeUnknownOutcome {
		t.Errorf("%+v", got)
	}
	if got := r.record(applied.ID); got.State != hearth.Failed || got.Error.Code != hearth.CodeUnconfirmed {
		t.Errorf("%+v", got)
	}
	g = r.gateway("gw2", r.token("gw2", hearth.ScopeGateway, r.home.ID), r.home.ID)
	g.answer(sent.ID, hearth.Confirmed, true, nil)
	if got := r.record(sent.ID); got.State != hearth.Failed {
		t.Errorf("a final state changed to %s", got.State)
	}
}

// A gateway that asks late does not get what has expired, even if no sweep came by.
func TestExpiredIsNotHandedOut(t *testing.T) {
	r := newRig(t)
	r.end()
	start := time.Now()
	r.setClock(start)
	record := r.do(`{"on":true}`)
	r.setClock(start.Add(DefaultDeadline))
	list, err := r.d.After(t.Context(), r.home.ID, 0)
	if err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if got := r.record(record.ID); got.State != hearth.Expired {
		t.Errorf("%+v", got)
	}
}

func TestPages(t *testing.T) {
	r := newRig(t)
	_, err := r.books.DB().Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
		INSERT INTO commands (home, id, n, device, state, due, changed, steps, record) SELECT $1, 'c' || i, i, 'radio:1', 'sent', 9999999999999, 0, 1,
		'{"id":"c' || i || '","device":"radio:1","set":{"on":true},"issued":"2026-11-22T12:00:00Z","deadline":"2099-01-01T00:00:00Z","state":"sent","history":[]}' FROM n`, r.home.ID)
	r.must(err)
	after, seen := uint64(0), 0
	for {
		page, err := r.d.After(t.Context(), r.home.ID, after)
		r.must(err)
		if len(page) == 0 {
			break
		}
		if len(page) > maxPage {
			t.Errorf("a page of %d", len(page))
		}
		for _, record := range page {
			if seen++; record.N <= after || record.ID != fmt.Sprintf("c%d", seen) {
				t.Fatalf("%s has number %d after %d", record.ID, record.N, after)
			}
			after = record.N
		}
	}
	if seen != 1500 {
		t.Errorf("%d commands were listed", seen)
	}
	newest, err := r.d.Commands(t.Context(), r.home.ID, "radio:1", hearth.Sent)
	if err != nil || len(newest) != maxPage || newest[0].ID != "c1500" {
		t.Errorf("%d, %v", len(newest), err)
	}
}

// What is final and old goes, however much it is; what is open stays.
func TestOldCommandsAreForgotten(t *testing.T) {
	r := newRig(t)
	r.end()
	_, err := r.books.DB().Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
		INSERT INTO commands (home, id, n, device, state, due, changed, steps, record) SELECT $1, 'c' || i, i, 'radio:1', 'sent', CASE WHEN i <= 1100 THEN 0 ELSE 1 END, 1000 + i, 1, '{}' FROM n`, r.home.ID)
	r.must(err)
	r.setClock(time.UnixMilli(2050).Add(keep)) // 1049 are older
	r.must(r.d.forget(t.Context()))
	var left, open int
	r.must(r.books.DB().QueryRow(`SELECT count(*), count(CASE WHEN due > 0 THEN 1 END) FROM commands`).Scan(&left, &open))
	if left != 1200-1049 || open != 100 {
		t.Errorf("%d are left, %d of them open", left, open)
	}
}

func FuzzDone(f *testing.F) {
	f.Add([]byte(`{"id":"x","state":"applied","final":true,"history":[{"state":"sent","time":"2026-11-22T12:00:00Z"}]}`))
	f.Add([]byte(`{"id":"x","state":"failed","final":true,"error":{"code":"failed","message":"no"},"history":null}`))
	f.Add([]byte(`{"id":"\u0000","state":"`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		result, err := parseResult(payload)
		if err != nil {
			return
		}
		now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		r := hearth.Record{Command: hearth.Command{ID: "x", Issued: hearth.Time{Time: now.Add(-time.Minute)}}}
		r.Advance(hearth.Accepted, false, now, nil)
		r.Advance(hearth.Sent, false, now, nil)
		apply(&r, result, now)
		before, final := len(r.History), r.Final
		if apply(&r, hearth.Result{ID: "x", State: hearth.Confirmed, Final: true}, now) == final {
			t.Fatalf("final %v, and it moved on: %+v", final, r)
		}
		seen := map[hearth.State]bool{}
		for _, step := range r.History {
			if seen[step.State] || step.Time.Before(r.Issued.Time) || step.Time.After(now) {
				t.Fatalf("history %+v", r.History)
			}
			seen[step.State] = true
		}
		if !r.Final || before > 4 {
			t.Fatalf("%+v", r)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
	})
}
