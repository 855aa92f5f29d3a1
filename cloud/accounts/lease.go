package accounts

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Lease reports whether this process does the job of that name until life is over: among receivers on one database only
// one does. Asking again renews it, and half of life is a good time to. It is a matter of clocks, so a job must bear
// that two do it for a moment.
func (a *Accounts) Lease(ctx context.Context, name string, life time.Duration) (bool, error) {
	if !a.Shared() {
		return true, nil
	}
	now := a.millis()
	holder := ""
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET
				holder = CASE WHEN leases.holder = excluded.holder OR leases.until <= $4 THEN excluded.holder ELSE leases.holder END,
				until = CASE WHEN leases.holder = excluded.holder OR leases.until <= $4 THEN excluded.until ELSE leases.until END
			RETURNING holder`, name, a.process, now+life.Milliseconds(), now).Scan(&holder)
	})
	if err != nil {
		return false, fmt.Errorf("asking for the lease %s: %w", name, err)
	}
	return holder == a.process, nil
}
