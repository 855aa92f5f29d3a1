package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"hearth"
)

const (
	tryFor     = 72 * time.Hour // how long a delivery is tried
	firstPause = 5 * time.Second
	mostPause  = time.Hour
	maxError   = 300 // bytes
	maxSummary = 200 // events in a summary
)

// A refusal is why a delivery did not succeed, beyond its words.
type refusal struct {
	error
	gone  bool          // the target wants nothing any more
	after time.Duration // when to try again, if it said so
}

func (r *refusal) Unwrap() error { return r.error }

// drain delivers what is due to a target, in order, and returns when the next delivery is: what cannot be delivered
// keeps what comes after it waiting.
func (n *Notify) drain(ctx context.Context, id string) (next time.Time, err error) {
	t, err := n.target(ctx, "", id)
	if errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}) {
		return time.Time{}, nil
	}
	if err != nil || t.Disabled {
		return time.Time{}, err
	}
	if err := n.release(ctx, t); err != nil {
		return time.Time{}, err
	}
	for ctx.Err() == nil {
		d, err := n.head(ctx, id)
		if err != nil || d == nil {
			return time.Time{}, err
		}
		now := n.o.Now()
		if d.due.After(now) {
			return d.due, nil
		}
		if until := t.Quiet.until(now); !until.IsZero() && !d.event.urgent() {
			if err := n.postpone(ctx, id, d, stateHeld, "", until); err != nil {
				return time.Time{}, err
			}
			continue
		}
		next, err := n.try(ctx, t, d)
		if err != nil || !next.IsZero() {
			return next, err
		}
	}
	return time.Time{}, nil
}

// try delivers once and returns when it has to be tried again; the zero Time lets the next one follow.
func (n *Notify) try(ctx context.Context, t *Target, d *delivery) (again time.Time, err error) {
	failed := n.deliver(ctx, t, d.n, d.event)
	if ctx.Err() != nil && failed != nil {
		return time.Time{}, ctx.Err() // nobody knows; it is tried again after the start
	}
	ctx = context.WithoutCancel(ctx) // what is known is kept, even if a stop was asked for meanwhile
	d.attempts++
	if failed == nil {
		n.sent.Add(1)
		return time.Time{}, n.end(ctx, t.ID, d, stateDelivered, "")
	}
	n.failed.Add(1)
	why := clip(failed.Error())
	n.o.Log.Debug("a delivery failed", "target", t.ID, "n", d.n, "attempts", d.attempts, "err", why)
	var refused *refusal
	wait := backoff(d.attempts)
	if errors.As(failed, &refused) {
		wait = max(wait, min(refused.after, mostPause))
		if refused.gone {
			err := n.postpone(ctx, t.ID, d, statePending, why, n.o.Now())
			return n.o.Now(), errors.Join(err, n.disable(ctx, t, why))
		}
	}
	next := n.o.Now().Add(wait).Truncate(time.Millisecond) // as it is stored
	if next.Sub(d.created) <= tryFor {
		return next, n.postpone(ctx, t.ID, d, statePending, why, next)
	}
	n.o.Log.Warn("a delivery was given up", "target", t.ID, "name", t.Name, "event", d.event.ID, "attempts", d.attempts, "err", why)
	return time.Time{}, n.end(ctx, t.ID, d, stateGivenUp, why)
}

// backoff is how long to wait after so many attempts: 5 s, twice as much each time, at most an hour, give or take a
// tenth so that targets on one machine that was away do not all come at once.
func backoff(attempts int) time.Duration {
	pause := min(firstPause<<min(attempts-1, 20), mostPause)
	return pause - pause/10 + rand.N(pause/5)
}

func clip(s string) string {
	if len(s) > maxError {
		s = s[:maxError] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// deliver brings an event to a target. number counts the target's deliveries; 0 is a test.
func (n *Notify) deliver(ctx context.Context, t *Target, number int64, e Event) error {
	if t.Type == TypeEmail {
		return n.mail(ctx, t, e)
	}
	return n.hooks.post(ctx, t, number, e)
}

// release turns what was held into one summary when the quiet hours are over.
func (n *Notify) release(ctx context.Context, t *Target) error {
	now := n.o.Now()
	if !t.Quiet.until(now).IsZero() {
		return nil
	}
	return n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		held, err := heldOf(ctx, tx, t.ID)
		switch {
		case err != nil || len(held) == 0:
			return err
		case len(held) == 1:
			_, err := tx.ExecContext(ctx, `UPDATE deliveries SET state = $1, due = $2, created = $2 WHERE target = $3 AND ended = 0 AND state = $4`,
				statePending, now.UnixMilli(), t.ID, stateHeld)
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE deliveries SET ended = $1, state = $2 WHERE target = $3 AND ended = 0 AND state = $4`,
			now.UnixMilli(), stateSummarised, t.ID, stateHeld); err != nil {
			return err
		}
		return n.enqueue(ctx, tx, t, summaryOf(t, held, now))
	})
}

func heldOf(ctx context.Context, tx *sql.Tx, target string) ([]Event, error) {
	rows, err := tx.QueryContext(ctx, `SELECT event FROM deliveries WHERE target = $1 AND ended = 0 AND state = $2 ORDER BY n`, target, stateHeld)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var held []Event
	for rows.Next() {
		var text string
		var e Event
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, fmt.Errorf("what was held for %s: %w", target, err)
		}
		held = append(held, e)
	}
	return held, rows.Err()
}

// summaryOf tells of each thing how it is now: what came and went in the night is one line.
func summaryOf(t *Target, held []Event, now time.Time) Event {
	last := map[string]int{}
	for i := range held {
		last[held[i].subject()] = i
	}
	e := newEvent(KindSummary, t.tenant, "", hearth.SeverityInfo, now)
	s := Summary{From: held[0].Time, To: hearth.Time{Time: now.UTC()}, Count: len(held), Events: []Event{}}
	size := 0
	for i := range held {
		if last[held[i].subject()] != i {
			continue
		}
		if size += len(held[i].Body) + 500; len(s.Events) == maxSummary || size > maxEvent {
			break
		}
		s.Events = append(s.Events, held[i])
		if held[i].Severity.AtLeast(e.Severity) {
			e.Severity = held[i].Severity
		}
	}
	e.take(s)
	return e
}
