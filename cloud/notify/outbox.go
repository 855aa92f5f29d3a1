package notify

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"hearth"
)

// The states of a delivery.
const (
	statePending    = "pending"
	stateHeld       = "held"       // until the target's quiet hours end
	stateDelivered  = "delivered"  // it arrived
	stateSummarised = "summarised" // its quiet hours ended with a summary, which tells of it
	stateDropped    = "dropped"    // too much waited
	stateGivenUp    = "given_up"   // it was tried for days
)

// maxPending is how much may wait for one target: beyond it the oldest of what matters least is dropped.
const maxPending = 1000

// A delivery is one event on its way to one target.
type delivery struct {
	n        int64
	created  time.Time
	due      time.Time
	attempts int
	why      string // the last one failed
	event    Event
}

func timeOf(ms int64) hearth.Time {
	if ms == 0 {
		return hearth.Time{}
	}
	return hearth.Time{Time: time.UnixMilli(ms).UTC()}
}

// enqueue stores the delivery of an event to a target, once; one that is disabled or was deleted gets none.
func (n *Notify) enqueue(ctx context.Context, tx *sql.Tx, t *Target, e Event) error {
	now := n.o.Now().UnixMilli()
	var number int64
	err := tx.QueryRowContext(ctx, `UPDATE targets SET last = last + 1 WHERE id = $1 AND disabled = 0 RETURNING last`, t.ID).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if n.o.Accounts.Shared() { // another receiver may have heard of it, too; the row of the target is locked by now
		var known int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM deliveries WHERE target = $1 AND event_id = $2`, t.ID, e.ID).Scan(&known); err != nil {
			return err
		}
		if known > 0 {
			_, err := tx.ExecContext(ctx, `UPDATE targets SET last = last - 1 WHERE id = $1`, t.ID)
			return err
		}
	}
	if e.Home != "" && e.HomeName == "" {
		err := tx.QueryRowContext(ctx, `SELECT label FROM homes WHERE id = $1`, e.Home).Scan(&e.HomeName)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO deliveries (target, n, created, due, weight, event_id, event) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		t.ID, number, now, now, e.weight(), e.ID, string(body)); err != nil {
		return err
	}
	return n.bound(ctx, tx, t, now)
}

// bound drops what matters least, the oldest first, where too much waits for a target.
func (n *Notify) bound(ctx context.Context, tx *sql.Tx, t *Target, now int64) error {
	var waiting int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM deliveries WHERE target = $1 AND ended = 0`, t.ID).Scan(&waiting); err != nil {
		return err
	}
	if waiting <= maxPending {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `UPDATE deliveries SET ended = $1, state = $2 WHERE target = $3
		AND n = (SELECT n FROM deliveries WHERE target = $3 AND ended = 0 ORDER BY weight, n LIMIT 1)`, now, stateDropped, t.ID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE targets SET dropped = dropped + 1 WHERE id = $1`, t.ID)
	return err
}

// storeAll puts events into the outbox as they come, many at a time.
func (n *Notify) storeAll(ctx context.Context) {
	pace := newThrottle()
	flush := time.NewTicker(time.Second)
	defer flush.Stop()
	var lost int64
	for {
		var batch []routed
		select {
		case <-ctx.Done():
			return
		case h := <-n.queue:
			batch = n.collect(ctx, h, pace)
		case <-flush.C:
			batch = pace.due(n.o.Now())
			if now := n.lost.Load(); now > lost {
				n.o.Log.Warn("events came faster than they could be stored for delivery, and were lost", "count", now-lost)
				lost = now
			}
		}
		for len(batch) > 0 {
			part := batch[:min(storeAtOnce, len(batch))]
			if err := n.store(ctx, part); err != nil {
				n.report(ctx, "storing events for delivery", err)
				if !pause(ctx, time.Second) {
					return
				}
				continue
			}
			batch = batch[len(part):]
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// collect takes what comes within a moment after h, and finds out who wants it.
func (n *Notify) collect(ctx context.Context, h happening, pace *throttle) (batch []routed) {
	end := time.NewTimer(storePause)
	defer end.Stop()
	for {
		batch = append(batch, n.route(ctx, h, pace)...)
		if len(batch) >= storeAtOnce {
			return batch
		}
		select {
		case h = <-n.queue:
		case <-end.C:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
}

// routed is an event with one that wants it.
type routed struct {
	target *Target
	event  Event
}

// route finds out who wants an event. Readings go at the target's own pace.
func (n *Notify) route(ctx context.Context, h happening, pace *throttle) (wanted []routed) {
	if h.tenant == "" {
		tenant, err := n.o.Accounts.TenantOf(ctx, h.home)
		if err != nil {
			return nil // the home was deleted
		}
		h.tenant = tenant
	}
	var event Event
	for _, t := range n.targets.Load().of[h.tenant] {
		if !t.wants(h.kind, h.home) {
			continue
		}
		if event.ID == "" {
			event = newEvent(h.kind, h.tenant, h.home, hearth.SeverityInfo, h.at)
			event.take(h.body)
			if n.o.Accounts.Shared() {
				event.derive()
			}
		}
		r := routed{t, event}
		if reading, ok := h.body.(hearth.ReadingEvent); ok && !pace.passes(r, reading, h.at) {
			continue
		}
		wanted = append(wanted, r)
	}
	return wanted
}

// store puts events into the outbox, one target after the other: two receivers that lock targets in different orders
// would wait for each other.
func (n *Notify) store(ctx context.Context, batch []routed) error {
	batch = slices.Clone(batch)
	slices.SortStableFunc(batch, func(a, b routed) int { return cmp.Compare(a.target.ID, b.target.ID) })
	err := n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		for _, r := range batch {
			if err := n.enqueue(ctx, tx, r.target, r.event); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		n.Wake()
	}
	return err
}

// due returns the targets for which something may be delivered now.
func (n *Notify) due(ctx context.Context, now time.Time) ([]string, error) {
	rows, err := n.db.QueryContext(ctx, `SELECT DISTINCT d.target FROM deliveries d JOIN targets t ON t.id = d.target
		WHERE d.ended = 0 AND d.due <= $1 AND t.disabled = 0`, now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var due []string
	for rows.Next() {
		var target string
		if err := rows.Scan(&target); err != nil {
			return nil, err
		}
		due = append(due, target)
	}
	return due, rows.Err()
}

// nextDue is how long it takes until something is due that is not yet.
func (n *Notify) nextDue(ctx context.Context, now time.Time) time.Duration {
	var due sql.NullInt64
	err := n.db.QueryRowContext(ctx, `SELECT min(due) FROM deliveries WHERE ended = 0 AND due > $1`, now.UnixMilli()).Scan(&due)
	n.report(ctx, "looking for what is to be delivered", err)
	if err != nil || !due.Valid {
		return lookEvery
	}
	return min(time.UnixMilli(due.Int64).Sub(now), lookEvery)
}

// head returns the next delivery of a target, nil if there is none.
func (n *Notify) head(ctx context.Context, target string) (*delivery, error) {
	var d delivery
	var created, due int64
	var text string
	err := n.db.QueryRowContext(ctx, `SELECT n, created, due, attempts, error, event FROM deliveries
		WHERE target = $1 AND ended = 0 AND state = $2 ORDER BY n LIMIT 1`, target, statePending).Scan(&d.n, &created, &due, &d.attempts, &d.why, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d.created, d.due = time.UnixMilli(created), time.UnixMilli(due)
	if err := json.Unmarshal([]byte(text), &d.event); err != nil {
		return nil, fmt.Errorf("delivery %d of %s: %w", d.n, target, err)
	}
	return &d, nil
}

// end closes a delivery.
func (n *Notify) end(ctx context.Context, target string, d *delivery, state, why string) error {
	return n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE deliveries SET ended = $1, state = $2, attempts = $3, error = $4 WHERE target = $5 AND n = $6 AND ended = 0`,
			n.o.Now().UnixMilli(), state, d.attempts, why, target, d.n)
		if err != nil || state != stateGivenUp {
			return err
		}
		if rows, err := done.RowsAffected(); rows == 0 || err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE targets SET given_up = given_up + 1 WHERE id = $1`, target)
		return err
	})
}

// postpone has a delivery tried again, or held, until due.
func (n *Notify) postpone(ctx context.Context, target string, d *delivery, state, why string, due time.Time) error {
	return n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE deliveries SET due = $1, state = $2, attempts = $3, error = $4 WHERE target = $5 AND n = $6 AND ended = 0`,
			due.UnixMilli(), state, d.attempts, why, target, d.n)
		return err
	})
}

// prune shortens the log of deliveries.
func (n *Notify) prune(ctx context.Context, now time.Time) error {
	return n.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM deliveries WHERE ended > 0 AND ended < $1`, now.Add(-keepEnded).UnixMilli()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM deliveries WHERE ended > 0 AND n < (SELECT last FROM targets WHERE id = deliveries.target) - $1`, keepRows)
		return err
	})
}
