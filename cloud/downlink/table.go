package downlink

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hearth"
)

// A row is a record as it is in the table.
type row struct {
	home  string
	steps int // the length of its history when it was read: nobody else has changed it as long as that is true
	hearth.Numbered
}

// due returns when the record changes by itself, unix ms; 0 if never.
func due(r hearth.Record) int64 {
	switch {
	case r.Final:
		return 0
	case r.State == hearth.Accepted:
		return r.Deadline.UnixMilli()
	}
	return r.Deadline.Add(Grace).UnixMilli()
}

// timeUp moves a record whose time is up to its end, and reports whether it did.
func timeUp(r *hearth.Record, now time.Time) bool {
	if at := due(*r); at == 0 || at > now.UnixMilli() {
		return false
	}
	switch r.State {
	case hearth.Accepted:
		return r.Advance(hearth.Expired, true, now, &hearth.Error{Code: hearth.CodeOffline, Message: "the gateway did not ask for it before its deadline"})
	case hearth.Sent:
		return r.Advance(hearth.Failed, true, now, &hearth.Error{Code: hearth.CodeUnknownOutcome, Message: "it was sent to the gateway, which has not answered"})
	}
	return r.Advance(hearth.Failed, true, now, &hearth.Error{Code: hearth.CodeUnconfirmed, Message: "the device acknowledged it, and the gateway has not said more"})
}

// asker is what a *sql.DB and a *sql.Tx have in common.
type asker interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// query reads rows of home, n, steps, record.
func (d *Downlink) query(ctx context.Context, q asker, query string, args ...any) ([]row, error) {
	found, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the commands: %w", err)
	}
	defer found.Close()
	rows := []row{}
	for size := 0; found.Next() && size < maxListing; {
		var r row
		var text string
		if err := found.Scan(&r.home, &r.N, &r.steps, &text); err != nil {
			return nil, fmt.Errorf("reading the commands: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &r.Record); err != nil {
			return nil, fmt.Errorf("reading command %d of %s: %w", r.N, r.home, err)
		}
		size += len(text)
		rows = append(rows, r)
	}
	return rows, found.Err()
}

// one reads a command; false if there is none.
func (d *Downlink) one(ctx context.Context, q asker, home, id string) (row, bool, error) {
	rows, err := d.query(ctx, q, `SELECT home, n, steps, record FROM commands WHERE home = $1 AND id = $2`, home, id)
	if err != nil || len(rows) == 0 {
		return row{}, false, err
	}
	return rows[0], true, nil
}

// number returns the next number of a home's commands; code not_found if there is no such home.
func (d *Downlink) number(ctx context.Context, tx *sql.Tx, home string) (n int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE homes SET last_command = last_command + 1 WHERE id = $1 RETURNING last_command`, home).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		err = hearth.Errorf(hearth.CodeNotFound, "there is no such home")
	}
	return n, err
}

func (d *Downlink) insert(ctx context.Context, tx *sql.Tx, t *taking, n int64) error {
	r := t.Record
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO commands (home, id, n, device, state, due, changed, steps, job, record) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		t.Home, r.ID, n, string(r.Device), string(r.State), due(r), d.o.Now().UnixMilli(), len(r.History), t.Job.Key, string(body))
	return err
}

// errMoved says that somebody else changed the record meanwhile.
var errMoved = errors.New("the command was changed meanwhile")

// update stores a record that has moved on.
func (d *Downlink) update(ctx context.Context, q asker, r row) error {
	body, err := json.Marshal(r.Record)
	if err != nil {
		return err
	}
	result, err := q.ExecContext(ctx, `UPDATE commands SET state = $1, due = $2, changed = $3, steps = $4, record = $5 WHERE home = $6 AND id = $7 AND steps = $8`,
		string(r.State), due(r.Record), d.o.Now().UnixMilli(), len(r.History), string(body), r.home, r.ID, r.steps)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return errMoved
}

// change moves one command on in a transaction of its own: again if somebody else was quicker. move reports whether it
// did anything.
func (d *Downlink) change(ctx context.Context, home, id string, move func(*hearth.Record) bool) error {
	for {
		var r row
		var found, moved bool
		err := d.o.Accounts.Tx(ctx, func(tx *sql.Tx) (err error) {
			r = row{home: home}
			if r.Record, found = d.latest.get(home, id); found {
				r.steps = len(r.History)
			} else if r, found, err = d.one(ctx, tx, home, id); err != nil || !found {
				return err
			}
			if moved = move(&r.Record); !moved {
				return nil
			}
			return d.update(ctx, tx, r)
		})
		switch {
		case errors.Is(err, errMoved):
			d.latest.drop(home, id)
			continue
		case err != nil:
			return fmt.Errorf("storing command %s of %s: %w", id, home, err)
		case moved:
			d.changed(home, r.Record)
		case found:
			d.seenElsewhere(home, r.Record)
		}
		return nil
	}
}

// expire ends the commands whose time is up.
func (d *Downlink) expire(ctx context.Context) error {
	now := d.o.Now()
	rows, err := d.query(ctx, d.db, `SELECT home, n, steps, record FROM commands WHERE due > 0 AND due <= $1 ORDER BY due LIMIT 500`, now.UnixMilli())
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := d.change(ctx, r.home, r.ID, func(r *hearth.Record) bool { return timeUp(r, now) }); err != nil {
			return err
		}
	}
	return nil
}
