package accounts

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// Counts are figures of the database for /metrics.
type Counts struct {
	Homes      int
	Seen       int            // homes whose gateway was there at least once
	Commands   int            // under way
	Deliveries int            // messages of alerts and events not delivered yet
	Alerts     map[string]int // not cleared, by severity
}

// Counts counts what an operator looks at.
func (a *Accounts) Counts(ctx context.Context) (Counts, error) {
	c := Counts{Alerts: map[string]int{}}
	err := a.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM homes), (SELECT count(*) FROM sightings),
		(SELECT count(*) FROM commands WHERE due > 0), (SELECT count(*) FROM deliveries WHERE ended = 0)`).Scan(&c.Homes, &c.Seen, &c.Commands, &c.Deliveries)
	if err != nil {
		return c, fmt.Errorf("counting: %w", a.noted(err))
	}
	rows, err := a.db.QueryContext(ctx, `SELECT severity, count(*) FROM alerts WHERE cleared = 0 GROUP BY severity`)
	if err != nil {
		return c, fmt.Errorf("counting: %w", a.noted(err))
	}
	defer rows.Close()
	for rows.Next() {
		severity, n := "", 0
		if err := rows.Scan(&severity, &n); err != nil {
			return c, fmt.Errorf("counting: %w", err)
		}
		c.Alerts[severity] = n
	}
	return c, rows.Err()
}

// Failures returns how often the database failed a transaction: what it refused for a reason of ours is none.
func (a *Accounts) Failures() uint64 { return a.failures.Load() }

// noted counts err if it is the database's, and returns it.
func (a *Accounts) noted(err error) error {
	var lite *sqlite.Error
	var postgres *pgconn.PgError
	var unreachable *pgconn.ConnectError
	if errors.As(err, &lite) || errors.As(err, &postgres) || errors.As(err, &unreachable) || errors.Is(err, driver.ErrBadConn) {
		a.failures.Add(1)
	}
	return err
}
