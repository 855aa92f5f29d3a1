package alerts

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"hearth"
)

const (
	flapTime   = 15 * time.Minute // what comes again so soon is the same alert
	settleTime = time.Minute      // an alert that went is told to have gone so much later, in case it comes again …
	settleMost = 32 * time.Minute // … and each time it did, twice as much later
	wordsEvery = time.Minute      // how often an alert's words are stored while they change
)

// settles is how long an alert that has come so many times has to be gone until people are told.
func settles(times int) time.Duration {
	return min(settleTime<<min(max(times-1, 0), 10), settleMost)
}

// look finds out what is wrong with a home and what follows.
func (a *Alerts) look(home string, now time.Time) {
	a.mu.Lock()
	w := a.homes[home]
	if w == nil || home == own { // not listed yet
		a.mu.Unlock()
		return
	}
	rules, open := a.rules[w.tenant], len(w.open) > 0
	a.mu.Unlock()
	conditions, known := a.o.Wrong(home) // it has a lock of its own, under which it may ask for what is open
	if known && !isDark(conditions) {
		conditions = append(conditions, a.thresholds(home, rules, conditions, open)...)
		conditions = append(conditions, a.ledgerWrong(home, w, now)...)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tenant(w.tenant)
	switch {
	case !known:
		t.lost(home, w, now)
	case isDark(conditions):
		t.dark(home, w, conditions[0].Detail, now)
	default:
		t.back(home)
		a.compare(home, w, conditions, now)
	}
}

func isDark(conditions []hearth.Condition) bool {
	return len(conditions) == 1 && conditions[0].Kind == hearth.AlertGatewayDark
}

// ledgerWrong looks into the home's account now and then. Only Run's goroutine touches these fields of a watch.
func (a *Alerts) ledgerWrong(home string, w *watch, now time.Time) []hearth.Condition {
	if a.o.Unexplained == nil {
		return nil
	}
	if now.Sub(w.ledger) >= ledgerLook {
		n, err := a.o.Unexplained(home)
		if err != nil {
			a.o.Log.Error("the account of a home could not be read; it is tried again", "home", home, "err", err)
			n = w.unexplained
		}
		w.unexplained, w.ledger = n, now
	}
	if w.unexplained == 0 {
		return nil
	}
	detail := fmt.Sprintf("%d readings that the gateway took are neither here nor there", w.unexplained)
	if w.unexplained < 0 {
		detail = fmt.Sprintf("%d readings arrived that the gateway does not count among those it took", -w.unexplained)
	}
	// What a snapshot on its way says is looked at once more before anybody is told.
	return []hearth.Condition{{Kind: hearth.AlertLedger, Severity: hearth.SeverityWarning, Detail: detail, For: ledgerLook + time.Minute}}
}

// lookAtOwn is look for the receiver itself.
func (a *Alerts) lookAtOwn(now time.Time) {
	if a.o.Own == nil {
		return
	}
	conditions := a.o.Own()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.compare(own, a.watch(own), conditions, now)
}

// compare raises what is wrong and clears what no longer is; a.mu is held.
func (a *Alerts) compare(home string, w *watch, conditions []hearth.Condition, now time.Time) {
	if len(conditions) == 0 && len(w.open) == 0 && len(w.pending) == 0 {
		return
	}
	pending := w.pending
	w.pending = nil
	shown := make(map[label]bool, len(conditions))
	for _, c := range conditions {
		l := label{c.Kind, c.About}
		if shown[l] {
			continue // of two that cannot be told apart the first one counts
		}
		shown[l] = true
		if open := w.open[l]; open != nil {
			a.reword(open, c, now)
			continue
		}
		if c.Keeps {
			continue
		}
		since, waits := pending[l]
		if !waits {
			since = now
			if !c.Since.IsZero() && c.Since.Before(now) {
				since = c.Since
			}
		}
		if now.Sub(since) >= c.For {
			a.raise(home, w, c, now)
			continue
		}
		if w.pending == nil {
			w.pending = map[label]time.Time{}
		}
		w.pending[l] = since
	}
	for l, open := range w.open {
		if !shown[l] {
			a.clear(home, w, open, now)
		}
	}
}

// reword takes over what an open alert's condition says now.
func (a *Alerts) reword(open *alert, c hearth.Condition, now time.Time) {
	if c.Keeps || open.Detail == c.Detail && open.Severity == c.Severity {
		return
	}
	open.Detail, open.Severity = c.Detail, c.Severity
	if now.Sub(open.saved) >= wordsEvery {
		a.note(open, "", now)
	}
}

// raise opens an alert: a new one, or the one that has just been cleared.
func (a *Alerts) raise(home string, w *watch, c hearth.Condition, now time.Time) *alert {
	l := label{c.Kind, c.About}
	again := w.recent[l]
	delete(w.recent, l)
	if again == nil || now.Sub(again.Cleared.Time) > max(flapTime, settles(again.Times)) {
		again = &alert{Alert: hearth.Alert{
			ID: newID(), Tenant: w.tenant, Home: home, Kind: c.Kind, About: c.About, Raised: hearth.Time{Time: now.UTC()},
		}}
	}
	again.Cleared, again.Detail, again.Severity = hearth.Time{}, c.Detail, c.Severity
	again.Times++
	if w.open == nil {
		w.open = map[label]*alert{}
	}
	w.open[l] = again
	change := hearth.AlertRaised
	if again.told { // nobody was told that it had gone
		change = ""
	}
	again.told = true
	a.note(again, change, now)
	return again
}

// clear closes an alert; that it has gone is told when it has settled.
func (a *Alerts) clear(home string, w *watch, open *alert, now time.Time) {
	l := label{open.Kind, open.About}
	delete(w.open, l)
	open.Cleared = hearth.Time{Time: now.UTC()}
	if w.recent == nil {
		w.recent = map[label]*alert{}
	}
	w.recent[l] = open
	a.settling[home] = true
	a.note(open, "", now)
}

// settle tells which alerts have gone, and forgets those that did long ago.
func (a *Alerts) settle(home string, now time.Time) {
	w := a.homes[home]
	for l, gone := range w.recent {
		away := now.Sub(gone.Cleared.Time)
		if gone.told && away >= settles(gone.Times) {
			gone.told = false
			a.note(gone, hearth.AlertCleared, now)
		}
		if !gone.told && away > flapTime {
			delete(w.recent, l)
		}
	}
	if len(w.recent) == 0 {
		delete(a.settling, home)
	}
}

// note has an alert stored, and told of, at the end of this look; a.mu is held.
func (a *Alerts) note(n *alert, change string, now time.Time) {
	n.saved = now
	a.unsaved = append(a.unsaved, news{alert: n, event: hearth.AlertEvent{Change: change, Alert: n.shown()}})
}

func newID() string { return "a" + strings.ToLower(rand.Text()[:15]) }
