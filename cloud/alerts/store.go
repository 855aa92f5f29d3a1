package alerts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hearth"
)

// atOnce is how many alerts one transaction stores at the most: others want to write, too.
const atOnce = 100

const columns = `id, tenant, home, kind, about, severity, detail, raised, acked, acked_by, cleared, times, told, members`

// store writes what was decided, with what is to be delivered of it, and then tells those who watch.
func (a *Alerts) store(ctx context.Context) error {
	a.mu.Lock()
	unsaved := a.unsaved
	a.unsaved = nil
	a.mu.Unlock()
	for len(unsaved) > 0 {
		part := unsaved[:min(atOnce, len(unsaved))]
		unsaved = unsaved[len(part):]
		err := a.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
			for _, n := range part {
				if err := a.save(ctx, tx, n.alert); err != nil {
					return err
				}
				if err := a.tell(ctx, tx, n.event); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("storing the alerts: %w", err)
		}
		for _, n := range part {
			a.announce(n.event)
		}
	}
	return nil
}

// tell stores the deliveries of an event, if it is one.
func (a *Alerts) tell(ctx context.Context, tx *sql.Tx, e hearth.AlertEvent) error {
	if e.Change == "" || a.o.Tell == nil {
		return nil
	}
	return a.o.Tell(ctx, tx, e.Tenant, e)
}

// announce tells those who watch the homes that it concerns, once it is on disk.
func (a *Alerts) announce(e hearth.AlertEvent) {
	if e.Change == "" {
		return
	}
	if a.o.Told != nil {
		a.o.Told()
	}
	homes := e.Homes
	if e.Home != "" {
		homes = []string{e.Home}
	}
	e.Homes = nil
	for _, home := range homes {
		e.Home = home
		a.o.Emit(home, "alert", e)
	}
}

func (a *Alerts) save(ctx context.Context, tx *sql.Tx, n *alert) error {
	a.mu.Lock()
	view, told, members := n.Alert, n.told, ""
	if n.members != nil {
		body, err := json.Marshal(n.members)
		if err != nil {
			a.mu.Unlock()
			return err
		}
		members = string(body)
	}
	a.mu.Unlock()
	// Who acknowledged it may have been written by another receiver meanwhile.
	_, err := tx.ExecContext(ctx, `INSERT INTO alerts (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, detail = excluded.detail, cleared = excluded.cleared,
			times = excluded.times, told = excluded.told, members = excluded.members`,
		view.ID, view.Tenant, view.Home, view.Kind, view.About, string(view.Severity), view.Detail, view.Raised.UnixMilli(),
		millis(view.Acked), view.AckedBy, millis(view.Cleared), view.Times, flag(told), members)
	return err
}

func millis(t hearth.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) hearth.Time {
	if ms == 0 {
		return hearth.Time{}
	}
	return hearth.Time{Time: time.UnixMilli(ms).UTC()}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func scan(row interface{ Scan(...any) error }) (*alert, error) {
	n := &alert{}
	var raised, acked, cleared, told int64
	var members, severity string
	err := row.Scan(&n.ID, &n.Tenant, &n.Home, &n.Kind, &n.About, &severity, &n.Detail, &raised, &acked, &n.AckedBy, &cleared, &n.Times, &told, &members)
	if err != nil {
		return nil, err
	}
	n.Severity, n.Raised, n.Acked, n.Cleared, n.told = hearth.Severity(severity), timeOf(raised), timeOf(acked), timeOf(cleared), told != 0
	if members != "" {
		if err := json.Unmarshal([]byte(members), &n.members); err != nil {
			return nil, fmt.Errorf("the homes of %s: %w", n.ID, err)
		}
		n.Count = len(n.members)
	}
	return n, nil
}

// query returns alerts; what says where and in which order.
func (a *Alerts) query(ctx context.Context, what string, args ...any) ([]*alert, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT `+columns+` FROM alerts `+what, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the alerts: %w", err)
	}
	defer rows.Close()
	var all []*alert
	for rows.Next() {
		n, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("reading the alerts: %w", err)
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

// load takes over what is open, and what has gone and is not settled.
func (a *Alerts) load(ctx context.Context) error {
	now := a.o.Now()
	all, err := a.query(ctx, `WHERE cleared = 0 OR told = 1 OR cleared > $1`, now.Add(-flapTime).UnixMilli())
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.homes {
		w.open, w.recent = nil, nil
	}
	for _, t := range a.tenants {
		t.outage = nil
	}
	clear(a.settling)
	a.unsaved = nil
	for _, n := range all {
		a.place(n, now)
	}
	return nil
}

// place puts an alert where it belongs; one of a home that is no more has no place.
func (a *Alerts) place(n *alert, now time.Time) {
	if n.Kind == hearth.AlertOutage {
		if n.Cleared.IsZero() {
			t := a.tenant(n.Tenant)
			t.outage, t.shown, t.spoken = n, len(n.members), now
			t.grown = n.Raised.Time
			if !n.told {
				t.shown = 0
			}
		}
		return
	}
	w := a.homes[n.Home]
	if n.Home == own {
		w = a.watch(own)
	}
	if w == nil {
		return
	}
	l := label{n.Kind, n.About}
	if n.Cleared.IsZero() {
		if w.open == nil {
			w.open = map[label]*alert{}
		}
		w.open[l] = n
		return
	}
	if was := w.recent[l]; was != nil && was.Cleared.After(n.Cleared.Time) {
		return
	}
	if w.recent == nil {
		w.recent = map[label]*alert{}
	}
	w.recent[l] = n
	a.settling[n.Home] = true
}

// loadAcks takes over what was acknowledged on another receiver.
func (a *Alerts) loadAcks(ctx context.Context) error {
	all, err := a.query(ctx, `WHERE cleared = 0 AND acked > 0`)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range all {
		if open := a.find(n); open != nil {
			open.Acked, open.AckedBy = n.Acked, n.AckedBy
		}
	}
	return nil
}

// find returns the open alert that n is in memory; a.mu is held.
func (a *Alerts) find(n *alert) *alert {
	var open *alert
	if n.Kind == hearth.AlertOutage {
		if t := a.tenants[n.Tenant]; t != nil {
			open = t.outage
		}
	} else if w := a.homes[n.Home]; w != nil {
		open = w.open[label{n.Kind, n.About}]
	}
	if open == nil || open.ID != n.ID {
		return nil
	}
	return open
}

// get returns the alert of that id, code not_found if there is none.
func (a *Alerts) get(ctx context.Context, id string) (*alert, error) {
	n, err := scan(a.db.QueryRowContext(ctx, `SELECT `+columns+` FROM alerts WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, hearth.Errorf(hearth.CodeNotFound, "there is no such alert")
	}
	if err != nil {
		return nil, fmt.Errorf("looking for an alert: %w", err)
	}
	return n, nil
}

// acknowledge notes that somebody knows of an open alert. The first one counts.
func (a *Alerts) acknowledge(ctx context.Context, n *alert, who string) (hearth.Alert, error) {
	now := hearth.Time{Time: time.UnixMilli(a.o.Now().UnixMilli()).UTC()}
	n.Acked, n.AckedBy = now, who
	event := hearth.AlertEvent{Change: hearth.AlertAcknowledged, Alert: n.shown()}
	first := false
	err := a.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE alerts SET acked = $1, acked_by = $2 WHERE id = $3 AND acked = 0`, now.UnixMilli(), who, n.ID)
		if err != nil {
			return err
		}
		rows, err := done.RowsAffected()
		if first = rows > 0; !first || err != nil {
			return err
		}
		return a.tell(ctx, tx, event)
	})
	if err != nil {
		return hearth.Alert{}, fmt.Errorf("acknowledging an alert: %w", err)
	}
	if !first {
		n, err := a.get(ctx, n.ID)
		if err != nil {
			return hearth.Alert{}, err
		}
		return n.shown(), nil
	}
	a.mu.Lock()
	if open := a.find(n); open != nil {
		open.Acked, open.AckedBy = now, who
	}
	a.mu.Unlock()
	a.announce(event)
	return event.Alert, nil
}

// prune deletes what is old, and what belongs to homes that were deleted.
func (a *Alerts) prune(ctx context.Context, now time.Time) error {
	err := a.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM alerts WHERE cleared > 0 AND cleared < $1`, now.Add(-keep).UnixMilli()); err != nil {
			return err
		}
		for _, table := range []string{"alerts", "alert_rules"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE home <> '' AND home NOT IN (SELECT id FROM homes)`); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("deleting old alerts: %w", err)
	}
	return nil
}
