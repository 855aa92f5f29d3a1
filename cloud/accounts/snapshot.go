package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// Snapshot writes a copy of the SQLite database as of now into a new file, while others go on writing. One in
// PostgreSQL has tools of its own, see Shared.
func (a *Accounts) Snapshot(ctx context.Context, file string) error {
	if a.postgres {
		return errors.New("the accounts are in PostgreSQL: pg_dump copies them")
	}
	if _, err := a.db.ExecContext(ctx, `VACUUM INTO $1`, file); err != nil {
		return fmt.Errorf("copying the accounts to %s: %w", file, err)
	}
	return nil
}

// Schema returns the newest schema that this version knows.
func Schema() int { return len(migrations()) }

// Verify returns the schema of the SQLite database in file, which is whole and not newer than what this version knows.
// It changes nothing.
func Verify(ctx context.Context, file string) (schema int, err error) {
	if _, err := os.Stat(file); err != nil {
		return 0, fmt.Errorf("reading the accounts: %w", err)
	}
	source := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: "mode=ro&immutable=1"}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return 0, fmt.Errorf("reading the accounts: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	state := ""
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&state); err != nil {
		return 0, fmt.Errorf("reading the accounts: %w", err)
	}
	if state != "ok" {
		return 0, fmt.Errorf("the accounts in %s are damaged: %s", file, state)
	}
	if err := db.QueryRowContext(ctx, `SELECT version FROM schema_version`).Scan(&schema); err != nil {
		return 0, fmt.Errorf("reading the schema of the accounts: %w", err)
	}
	if schema > Schema() {
		return schema, newerSchema(schema)
	}
	return schema, nil
}

func newerSchema(version int) error {
	return fmt.Errorf("the database has schema %d, this hearth-cloud knows up to %d: install the newer version again, or restore a backup made before it", version, Schema())
}
