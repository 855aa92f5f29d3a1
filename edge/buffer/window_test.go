package buffer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

func TestHistoryWindow(t *testing.T) {
	now := start
	o := Options{Dir: t.TempDir(), Cap: 4 << 20, History: time.Hour, Targets: []string{"cloud"}, Now: func() time.Time { return now }}
	b := open(t, o)
	w := &ledgerWorld{T: t, b: b, random: newRandom(8)}
	for range 40 {
		w.noise(1500)
	}
	segments := len(b.list())
	now = start.Add(2 * time.Hour)
	b.keep()
	if len(b.list()) != segments {
		t.Error("what the target lacks was dropped")
	}
	if _, gaps := drain(t, b, "cloud"); len(gaps) > 0 {
		t.Errorf("gaps %v", gaps)
	}
	b.keep()
	if n := len(b.list()); n != 1 {
		t.Errorf("%d of %d segments are left", n, segments)
	}
	balanced(t, b, "cloud")
	if l := b.Ledger("cloud"); l.Dropped != 0 || l.Backlog != 0 || l.Produced != 60_000 {
		t.Errorf("ledger %v", l)
	}
	if h, err := b.History("sim:0001", "p1", start, now, 10); err != nil || len(h.Gaps) > 0 {
		t.Errorf("what everybody has is no gap: %+v %v", h, err)
	}
	held := b.list()[0].about
	// A receiver restored from a backup: what is no longer held is lost, to the row.
	if err := b.Rewind("cloud", 100); err != nil {
		t.Fatal(err)
	}
	balanced(t, b, "cloud")
	values, gaps := drain(t, b, "cloud")
	if len(gaps) != 1 || gaps[0].Reason != hearth.GapLost || uint64(len(values)) != held.After-held.Before {
		t.Errorf("%d values, gaps %+v, held %+v", len(values), gaps, held)
	}
	s := b.Target("cloud")
	if uint64(gaps[0].Count) != s.Dropped || s.Acknowledged+s.Dropped != 60_000 {
		t.Errorf("%+v", s)
	}
	// A target that comes later gets what is held, and a gap for the rest.
	b.SetTargets("cloud", "influx")
	values, gaps = drain(t, b, "influx")
	balanced(t, b, "cloud", "influx")
	if uint64(len(values)) != held.After-held.Before || len(gaps) != 1 || gaps[0].Reason != hearth.GapCap || uint64(gaps[0].Count)+uint64(len(values)) != 60_000 {
		t.Errorf("%d values, gaps %+v", len(values), gaps)
	}
}

func TestRejectedRowsAreDropped(t *testing.T) {
	b := open(t, Options{Targets: []string{"influx"}})
	fill(t, b, 0, 200)
	block, ok, err := b.Next("influx")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	bad := Rejected{Seq: block.Seq, Rows: 2, First: start, Last: start.Add(time.Second), Line: strings.Repeat("x", 9000), Reason: "field type conflict"}
	if err := b.Acknowledge("influx", block.Seq, bad); err != nil {
		t.Fatal(err)
	}
	balanced(t, b, "influx")
	if s := b.Target("influx"); s.Acknowledged != uint64(block.Rows)-2 || s.Dropped != 2 || s.LastAcknowledged.IsZero() {
		t.Errorf("%+v", s)
	}
	if p := b.Parked(); len(p) != 1 || p[0].Reason != bad.Reason || len(p[0].Line) != maxLine {
		t.Errorf("parked %+v", p)
	}
	h, err := b.History("sim:0001", "temperature", start, start.Add(time.Minute), 1)
	if err != nil || len(h.Gaps) != 1 || h.Gaps[0].Count != 2 || h.Gaps[0].Reason != hearth.GapRejected {
		t.Errorf("%+v %v", h, err)
	}
	if err := b.Acknowledge("influx", block.Seq, bad); err != nil { // once more is no news
		t.Fatal(err)
	}
	if s := b.Target("influx"); s.Dropped != 2 {
		t.Errorf("%+v", s)
	}
}

func TestReceiverAheadOfTheGateway(t *testing.T) {
	b := open(t, Options{Targets: []string{"cloud"}})
	fill(t, b, 0, 100)
	if err := b.Acknowledge("cloud", 40); err != nil {
		t.Fatal(err)
	}
	balanced(t, b, "cloud")
	fill(t, b, 100, 100)
	if block, ok, err := b.Next("cloud"); !ok || err != nil || block.Seq != 41 || block.Rows == 0 {
		t.Errorf("%+v %v %v", block, ok, err)
	}
	if err := b.Acknowledge("cloud", 1<<40); !errors.Is(err, &hearth.Error{Code: hearth.CodeConflict}) {
		t.Errorf("an absurd seq: %v", err)
	}
	if _, _, err := b.Next("nobody"); !errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}) {
		t.Errorf("an unknown target: %v", err)
	}
	if l := b.Ledger("nobody"); l != (hearth.Ledger{}) {
		t.Errorf("an unknown target: %v", l)
	}
}

func TestQueueIsBounded(t *testing.T) {
	b := open(t, Options{})
	for i := range maxQueue {
		if err := b.Append(number(1, "power", float64(i), start.Add(time.Duration(i)*time.Millisecond))); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Append(number(1, "power", 1, start)); !errors.Is(err, &hearth.Error{Code: hearth.CodeBusy}) {
		t.Errorf("a full queue: %v", err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := b.Stats().Produced; got != maxQueue {
		t.Errorf("produced %d", got)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	b := open(t, Options{})
	if other, err := Open(Options{Dir: b.o.Dir}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("opened twice: %v, %v", other, err)
	}
}

func TestRunCommitsInTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b, err := Open(Options{Dir: dir, Commit: 10 * time.Second, Targets: []string{"cloud"}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		produced := func() uint64 { synctest.Wait(); return b.Stats().Produced }
		add := func(n int) {
			for range n {
				if err := b.Append(number(1, "power", 1, time.Time{})); err != nil {
					t.Fatal(err)
				}
			}
		}
		add(1)
		if n := produced(); n != 0 {
			t.Errorf("%d rows at once", n)
		}
		committed := b.Committed()
		time.Sleep(11 * time.Second)
		if n := produced(); n != 1 {
			t.Errorf("%d rows after the pause", n)
		}
		<-committed
		add(maxRows)
		if n := produced(); n != 1+maxRows {
			t.Errorf("%d rows after a full block", n)
		}
		add(1)
		b.Urgent()
		if n := produced(); n != 2+maxRows {
			t.Errorf("%d rows after an urgent one", n)
		}
		add(1)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := produced(); n != 3+maxRows {
			t.Errorf("%d rows after the end", n)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}
