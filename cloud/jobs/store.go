package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"hearth"
)

const columns = `tenant, created, due, ended, job`

func missing() error { return hearth.Errorf(hearth.CodeNotFound, "there is no such job") }

type queries interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func scan(row interface{ Scan(...any) error }) (*stored, error) {
	var s stored
	var text string
	if err := row.Scan(&s.tenant, &s.created, &s.due, &s.ended, &text); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("reading a job: %w", err)
	}
	return &s, nil
}

// get returns the job of that key; code not_found if there is none.
func get(ctx context.Context, q queries, key string) (*stored, error) {
	s, err := scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM jobs WHERE id = $1`, strings.ToValidUTF8(key, "\uFFFD")))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, missing()
	}
	return s, err
}

// list reads jobs.
func (j *Jobs) list(ctx context.Context, where string, args ...any) ([]*stored, error) {
	rows, err := j.db.QueryContext(ctx, `SELECT `+columns+` FROM jobs WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the jobs: %w", err)
	}
	defer rows.Close()
	list := []*stored{}
	for rows.Next() {
		s, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("reading the jobs: %w", err)
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// insert stores a new job, with its members if they are known already. false: there is one of that id.
func (j *Jobs) insert(ctx context.Context, s *stored, list []meant) (bool, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return false, err
	}
	fresh := false
	err = j.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		var open int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM jobs WHERE tenant = $1 AND ended = 0`, s.tenant).Scan(&open); err != nil {
			return err
		}
		if open >= maxOpen {
			return hearth.Errorf(hearth.CodeBusy, "the tenant has %d jobs under way already", open)
		}
		result, err := tx.ExecContext(ctx, `INSERT INTO jobs (id, tenant, who, created, due, job) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`,
			s.key(), s.tenant, s.Asker.Name, s.created, s.due, string(body))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if fresh = n == 1; err != nil || !fresh {
			return err
		}
		return insertMembers(ctx, tx, s.key(), list)
	})
	if err != nil {
		return false, fmt.Errorf("storing a job: %w", err)
	}
	return fresh, nil
}

func insertMembers(ctx context.Context, tx *sql.Tx, key string, list []meant) error {
	const rows, fields = 100, 7
	for begin := 0; begin < len(list); begin += rows {
		part := list[begin:min(begin+rows, len(list))]
		values, args := make([]string, 0, rows), make([]any, 0, rows*fields)
		for i, m := range part {
			state, code, reason := Pending, "", ""
			if m.refused != nil {
				why := hearth.ErrorOf(m.refused)
				state, code, reason = Refused, why.Code, why.Message
			}
			n := len(args)
			values = append(values, fmt.Sprintf("($%d, $%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7))
			args = append(args, key, begin+i+1, m.home, string(m.device), state, code, reason)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO job_members (job, n, home, device, state, code, reason) VALUES `+strings.Join(values, ", "), args...); err != nil {
			return err
		}
	}
	return nil
}

// change changes a job in a transaction in which nobody else does. Code not_found if there is none.
func (j *Jobs) change(ctx context.Context, key string, change func(tx *sql.Tx, s *stored) error) (*stored, error) {
	var s *stored
	err := j.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		// This makes those wait who change it through another receiver.
		if _, err := tx.ExecContext(ctx, `UPDATE jobs SET due = due WHERE id = $1`, key); err != nil {
			return err
		}
		var err error
		if s, err = get(ctx, tx, key); err != nil {
			return err
		}
		if err := change(tx, s); err != nil {
			return err
		}
		body, err := json.Marshal(s)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE jobs SET ended = $1, job = $2 WHERE id = $3`, s.ended, string(body), key)
		return err
	})
	return s, err
}

// tally counts a job's members by their states, and how many of them have not ended.
func (j *Jobs) tally(ctx context.Context, q queries, s *stored) (states map[string]int, open int, err error) {
	if s.Final != nil {
		return maps.Clone(s.Final), 0, nil
	}
	states = map[string]int{}
	err = each(ctx, q, `SELECT state, 0, count(*) FROM job_members WHERE job = $1 GROUP BY state`, s.key(), func(state string, _ bool, n int) {
		if state == giving {
			state = Pending
		}
		states[state] += n
	})
	if err != nil {
		return nil, 0, err
	}
	open, commands := states[Pending], 0
	err = each(ctx, q, `SELECT state, CASE WHEN due > 0 THEN 1 ELSE 0 END, count(*) FROM commands WHERE job = $1 AND job <> '' GROUP BY 1, 2`, s.key(), func(state string, isOpen bool, n int) {
		states[state] += n
		commands += n
		if isOpen {
			open += n
		}
	})
	if gone := states[given] - commands; gone > 0 {
		states[Gone] = gone
	}
	delete(states, given)
	return states, open, err
}

func each(ctx context.Context, q queries, query, key string, count func(state string, open bool, n int)) error {
	rows, err := q.QueryContext(ctx, query, key)
	if err != nil {
		return fmt.Errorf("counting a job's commands: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		var open, n int
		if err := rows.Scan(&state, &open, &n); err != nil {
			return fmt.Errorf("counting a job's commands: %w", err)
		}
		count(state, open != 0, n)
	}
	return rows.Err()
}

// view returns a job as others see it.
func (j *Jobs) view(ctx context.Context, s *stored) (Job, error) {
	states, open, err := j.tally(ctx, j.db, s)
	view := Job{
		Wish: s.Wish, Tenant: s.tenant, By: s.Asker.Name, Created: timeOf(s.created), Phase: s.phase(j.o.Now()),
		States: states, Open: open, Ended: timeOf(s.ended), CancelledBy: s.Cancelled,
	}
	for _, n := range states {
		view.Total += n
	}
	return view, err
}

// members returns a job's members after number after, at most limit, only those in a state if one is given.
func (j *Jobs) members(ctx context.Context, s *stored, state string, after, limit int) ([]Member, error) {
	rows, err := j.db.QueryContext(ctx, `SELECT * FROM (
			SELECT m.n AS n, m.home, COALESCE(h.label, ''), m.device, CASE m.state WHEN '`+given+`' THEN COALESCE(c.state, '`+Gone+`') WHEN '`+giving+`' THEN '`+Pending+`' ELSE m.state END AS state,
				m.code, m.reason, COALESCE(c.id, ''), COALESCE(c.record, '')
			FROM job_members m LEFT JOIN homes h ON h.id = m.home LEFT JOIN commands c ON c.home = m.home AND c.job = m.job AND c.id = $2 || '.' || CAST(m.n AS TEXT)
			WHERE m.job = $1 AND m.n > $3) AS found
		WHERE $4 = '' OR state = $4 ORDER BY n LIMIT $5`, s.key(), s.ID, after, state, limit)
	if err != nil {
		return nil, fmt.Errorf("reading a job's members: %w", err)
	}
	defer rows.Close()
	list := []Member{}
	for rows.Next() {
		var m Member
		var code, reason, record string
		if err := rows.Scan(&m.N, &m.Home, &m.Name, &m.Device, &m.State, &code, &reason, &m.Command, &record); err != nil {
			return nil, fmt.Errorf("reading a job's members: %w", err)
		}
		m.Final = m.State != Pending
		if code != "" {
			m.Error = &hearth.Error{Code: code, Message: reason}
		}
		if record != "" {
			var r hearth.Record
			if err := json.Unmarshal([]byte(record), &r); err != nil {
				return nil, fmt.Errorf("reading a job's members: %w", err)
			}
			m.Final, m.Error = r.Final, r.Error
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

func (j *Jobs) prune(ctx context.Context) error {
	return j.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM jobs WHERE ended > 0 AND ended < $1`, j.o.Now().Add(-keep).UnixMilli())
		return err
	})
}
