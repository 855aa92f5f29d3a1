package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// migrations returns the steps of the schema, oldest first; a step that was once released never changes. Times are unix
// milliseconds, documents are JSON as text: both databases understand every statement.
func migrations() [][]string {
	return [][]string{{
		`CREATE TABLE homes (
			id           TEXT PRIMARY KEY,
			name         TEXT NOT NULL UNIQUE,
			created      BIGINT NOT NULL,
			last_command BIGINT NOT NULL DEFAULT 0)`,
		`CREATE TABLE claims (
			hash    TEXT PRIMARY KEY,
			home    TEXT NOT NULL REFERENCES homes(id) ON DELETE CASCADE,
			expires BIGINT NOT NULL,
			used    BIGINT NOT NULL DEFAULT 0)`,
		`CREATE TABLE tokens (
			hash    TEXT PRIMARY KEY,
			name    TEXT NOT NULL UNIQUE,
			scope   TEXT NOT NULL,
			home    TEXT REFERENCES homes(id) ON DELETE CASCADE,
			created BIGINT NOT NULL,
			used    BIGINT NOT NULL DEFAULT 0)`,
		`CREATE TABLE commands (
			home    TEXT NOT NULL REFERENCES homes(id) ON DELETE CASCADE,
			id      TEXT NOT NULL,
			n       BIGINT NOT NULL,
			device  TEXT NOT NULL,
			state   TEXT NOT NULL,
			due     BIGINT NOT NULL,
			changed BIGINT NOT NULL,
			steps   BIGINT NOT NULL,
			record  TEXT NOT NULL,
			PRIMARY KEY (home, id))`,
		`CREATE UNIQUE INDEX commands_n ON commands (home, n)`,
		`CREATE INDEX commands_open ON commands (due) WHERE due > 0`,
		`CREATE INDEX commands_changed ON commands (changed)`,
		`CREATE TABLE inventories (
			home    TEXT PRIMARY KEY REFERENCES homes(id) ON DELETE CASCADE,
			changed BIGINT NOT NULL,
			devices TEXT NOT NULL)`,
		`CREATE TABLE sightings (
			home     TEXT PRIMARY KEY REFERENCES homes(id) ON DELETE CASCADE,
			changed  BIGINT NOT NULL,
			sighting TEXT NOT NULL)`,
	}}
}

func (a *Accounts) migrate(ctx context.Context) error {
	return a.Tx(ctx, func(tx *sql.Tx) error {
		if a.postgres { // SQLite's transaction is alone already
			if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(4843720481)`); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)`); err != nil {
			return err
		}
		version, steps := 0, migrations()
		err := tx.QueryRowContext(ctx, `SELECT version FROM schema_version`).Scan(&version)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			if _, err := tx.ExecContext(ctx, `INSERT INTO schema_version (version) VALUES (0)`); err != nil {
				return err
			}
		case err != nil:
			return err
		case version > len(steps):
			return fmt.Errorf("the database has schema %d, this hearth-cloud knows up to %d: install the newer version again, or restore a backup made before it", version, len(steps))
		}
		for ; version < len(steps); version++ {
			for _, statement := range steps[version] {
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return fmt.Errorf("schema step %d: %w", version+1, err)
				}
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE schema_version SET version = $1`, version)
		return err
	})
}
