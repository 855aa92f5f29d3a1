package alerts

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hearth"
)

func TestLife(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		home := r.homes[0].ID
		r.pass(time.Minute)
		r.want("")
		slow := hearth.Condition{Kind: hearth.AlertDriverDown, About: "radio", Severity: hearth.SeverityWarning, Detail: "it waits", For: 30 * time.Second}
		r.set(home, slow)
		r.pass(20 * time.Second)
		r.want("")
		r.opens(home, "")
		r.pass(15 * time.Second)
		r.want("raised driver_down radio")
		r.opens(home, "driver_down radio")
		open := r.Open(home)[0]
		if open.ID == "" || open.Home != home || open.Tenant != "main" || open.Detail != "it waits" || open.Raised.IsZero() || open.Times != 1 {
			t.Errorf("%+v", open)
		}
		slow.Detail = "it still waits"
		r.set(home, slow)
		r.pass(2 * time.Minute)
		r.want("") // other words are no news
		if got := r.Open(home)[0].Detail; got != "it still waits" {
			t.Errorf("detail %q", got)
		}
		n, err := r.get(r.t.Context(), open.ID)
		must(r.t, err)
		_, err = r.acknowledge(r.t.Context(), n, "operator")
		must(r.t, err)
		r.want("acknowledged driver_down radio")
		_, err = r.acknowledge(r.t.Context(), n, "somebody else")
		must(r.t, err)
		r.want("")
		if got := r.Open(home)[0]; got.AckedBy != "operator" || got.Acked.IsZero() {
			t.Errorf("%+v", got)
		}
		r.set(home)
		r.pass(2 * time.Second)
		r.opens(home, "")
		r.want("") // it may come again
		r.pass(settleTime)
		r.want("cleared driver_down radio")
		stored, err := r.get(r.t.Context(), open.ID)
		must(r.t, err)
		if stored.Cleared.IsZero() || stored.told || stored.Detail != "it still waits" || stored.AckedBy != "operator" {
			t.Errorf("%+v", stored)
		}
		r.pass(time.Hour)
		r.set(home, slow)
		r.pass(time.Minute)
		r.want("raised driver_down radio")
		if again := r.Open(home)[0]; again.ID == open.ID || again.AckedBy != "" {
			t.Errorf("an hour later it is the same: %+v", again)
		}
	})
}

// What goes before it has lasted was nothing, and a condition that only keeps an alert raises none.
func TestWhatDoesNotLast(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		home := r.homes[0].ID
		c := silent("a:1")
		c.For = time.Minute
		for range 5 {
			r.set(home, c)
			r.pass(40 * time.Second)
			r.set(home)
			r.pass(2 * time.Second)
		}
		low := hearth.Condition{Kind: hearth.AlertBatteryLow, About: "a:1", Keeps: true}
		r.set(home, low)
		r.pass(10 * time.Minute)
		r.want("")
		low.Keeps = false
		r.set(home, low)
		r.pass(2 * time.Second)
		r.want("raised battery_low a:1")
		low.Keeps = true
		r.set(home, low)
		r.pass(10 * time.Minute)
		r.want("")
		r.set(home)
		r.pass(2 * time.Minute)
		r.want("cleared battery_low a:1")
	})
}

// What has been so for longer than it was looked at has lasted.
func TestSinceBeforeTheFirstLook(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		c := silent("a:1")
		c.For, c.Since = time.Hour, time.Now().Add(-59*time.Minute)
		r.set(r.homes[0].ID, c)
		r.pass(30 * time.Second)
		r.want("")
		r.pass(time.Minute)
		r.want("raised device_silent a:1")
	})
}

// An alert that comes and goes is one, and is told ever more seldom.
func TestFlapping(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		home := r.homes[0].ID
		flap := func(times int, bad, good time.Duration) {
			for range times {
				r.set(home, silent("a:1"))
				r.pass(bad)
				r.set(home)
				r.pass(good)
			}
		}
		flap(20, 20*time.Second, 20*time.Second)
		r.want("raised device_silent a:1")
		r.pass(settleMost + time.Minute)
		r.want("cleared device_silent a:1 ×20")
		flap(1, time.Second, 5*time.Minute)
		r.want("raised device_silent a:1, cleared device_silent a:1")
		flap(30, 2*time.Minute, 10*time.Minute) // slower than it settles at first
		if told := r.heard(); strings.Count(told, "raised") > 5 {
			t.Errorf("30 times in six hours: %s", told)
		}
		r.pass(settleMost + time.Minute)
		r.want("cleared device_silent a:1 ×31")
		var rows int
		must(r.t, r.db.QueryRow(`SELECT count(*) FROM alerts`).Scan(&rows))
		if rows != 2 {
			t.Errorf("%d alerts, want 2", rows)
		}
	})
}

// A start of the receiver raises and tells nothing twice, and forgets nothing.
func TestRestart(t *testing.T) {
	inBubble(t, 3, func(r *rig) {
		a, b := r.homes[0].ID, r.homes[1].ID
		r.set(a, silent("a:1"), silent("a:2"))
		r.set(b, silent("b:1"))
		r.pass(2 * time.Second)
		r.heard()
		r.set(a, silent("a:2"))
		r.pass(2 * time.Second) // a:1 has gone, and nobody was told yet
		r.stop()
		r.unknown[b] = true // its gateway has not come back yet
		r.set(b)
		r.start()
		r.opens(a, "device_silent a:2")
		r.opens(b, "device_silent b:1")
		r.pass(30 * time.Second)
		r.want("")
		r.pass(time.Minute)
		r.want("cleared device_silent a:1")
		r.opens(b, "device_silent b:1") // nobody knows better
		r.mu.Lock()
		r.unknown[b] = false
		r.mu.Unlock()
		r.pass(2 * time.Minute)
		r.want("cleared device_silent b:1")
		r.set(a, silent("a:1"), silent("a:2"))
		r.pass(2 * time.Second)
		r.want("raised device_silent a:1 ×2")
	})
}

// Where deliveries cannot be stored nothing is decided either, and nothing is lost.
func TestFailureToStore(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		home := r.homes[0].ID
		r.mu.Lock()
		r.failing = errors.New("the disk is full")
		r.mu.Unlock()
		r.set(home, silent("a:1"))
		r.pass(time.Minute)
		r.want("")
		r.mu.Lock()
		r.failing = nil
		r.mu.Unlock()
		r.pass(time.Minute)
		r.want("raised device_silent a:1")
	})
}

func TestLedgerAndOwn(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		home := r.homes[0].ID
		r.mu.Lock()
		r.unexplained[home] = 5
		r.mu.Unlock()
		r.pass(5 * time.Minute)
		r.want("")
		r.pass(30 * time.Minute)
		r.want("raised ledger")
		if got := r.Open(home)[0].Detail; !strings.Contains(got, "5 readings") {
			t.Error(got)
		}
		r.set(own, hearth.Condition{Kind: hearth.AlertReceiver, About: "disk", Severity: hearth.SeverityCritical, Detail: "full"})
		r.pass(2 * time.Second)
		if got := r.heard(); got != " raised receiver disk" {
			t.Errorf("%q", got)
		}
		r.stop()
		r.start()
		r.pass(time.Minute)
		r.want("")
	})
}
