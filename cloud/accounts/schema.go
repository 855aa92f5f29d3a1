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
	}, {
		`CREATE TABLE tenants (
			id        TEXT PRIMARY KEY,
			name      TEXT NOT NULL UNIQUE,
			created   BIGINT NOT NULL,
			retention BIGINT NOT NULL DEFAULT 0)`,
		`INSERT INTO tenants (id, name, created) VALUES ('` + MainTenant + `', 'Main', 0)`,
		`ALTER TABLE homes ADD COLUMN tenant TEXT NOT NULL DEFAULT '` + MainTenant + `'`,
		// homes.name was unique on the whole receiver, and SQLite drops no unique column: label is the name since.
		`ALTER TABLE homes ADD COLUMN label TEXT NOT NULL DEFAULT ''`,
		`UPDATE homes SET label = name, name = id`,
		`CREATE UNIQUE INDEX homes_label ON homes (tenant, label)`,
		`CREATE TABLE users (
			id       TEXT PRIMARY KEY,
			email    TEXT NOT NULL UNIQUE,
			name     TEXT NOT NULL DEFAULT '',
			password TEXT NOT NULL DEFAULT '',
			created  BIGINT NOT NULL,
			seen     BIGINT NOT NULL DEFAULT 0,
			disabled BIGINT NOT NULL DEFAULT 0)`,
		`CREATE TABLE grants (
			user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
			tenant  TEXT NOT NULL DEFAULT '',
			home    TEXT NOT NULL DEFAULT '',
			scope   TEXT NOT NULL,
			PRIMARY KEY (user_id, tenant, home))`,
		`CREATE TABLE links (
			hash    TEXT PRIMARY KEY,
			user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
			expires BIGINT NOT NULL,
			used    BIGINT NOT NULL DEFAULT 0)`,
		`CREATE TABLE sessions (
			hash    TEXT PRIMARY KEY,
			user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
			created BIGINT NOT NULL,
			seen    BIGINT NOT NULL,
			expires BIGINT NOT NULL,
			address TEXT NOT NULL,
			agent   TEXT NOT NULL)`,
		`ALTER TABLE tokens ADD COLUMN tenant TEXT NOT NULL DEFAULT ''`,
		`ALTER TABLE tokens ADD COLUMN user_id TEXT REFERENCES users(id) ON DELETE CASCADE`,
		`ALTER TABLE tokens ADD COLUMN expires BIGINT NOT NULL DEFAULT 0`,
		`CREATE TABLE audit (
			id      TEXT PRIMARY KEY,
			time    BIGINT NOT NULL,
			tenant  TEXT NOT NULL,
			home    TEXT NOT NULL,
			who     TEXT NOT NULL,
			action  TEXT NOT NULL,
			about   TEXT NOT NULL,
			detail  TEXT NOT NULL,
			address TEXT NOT NULL)`,
		`CREATE INDEX audit_time ON audit (time, id)`,
		`CREATE INDEX audit_tenant ON audit (tenant, id)`,
		`CREATE INDEX audit_home ON audit (home, id)`,
		`CREATE TABLE leases (
			name   TEXT PRIMARY KEY,
			holder TEXT NOT NULL,
			until  BIGINT NOT NULL)`,
		`CREATE TABLE alerts (
			id       TEXT PRIMARY KEY,
			tenant   TEXT NOT NULL,
			home     TEXT NOT NULL,
			kind     TEXT NOT NULL,
			about    TEXT NOT NULL,
			severity TEXT NOT NULL,
			detail   TEXT NOT NULL,
			raised   BIGINT NOT NULL,
			acked    BIGINT NOT NULL DEFAULT 0,
			acked_by TEXT NOT NULL DEFAULT '',
			cleared  BIGINT NOT NULL DEFAULT 0,
			times    BIGINT NOT NULL DEFAULT 1,
			told     BIGINT NOT NULL DEFAULT 0,
			members  TEXT NOT NULL DEFAULT '')`,
		`CREATE UNIQUE INDEX alerts_open ON alerts (tenant, home, kind, about) WHERE cleared = 0`,
		`CREATE INDEX alerts_raised ON alerts (raised, id)`,
		`CREATE INDEX alerts_home ON alerts (home, raised)`,
		`CREATE TABLE alert_rules (
			id      TEXT PRIMARY KEY,
			tenant  TEXT NOT NULL,
			home    TEXT NOT NULL DEFAULT '',
			created BIGINT NOT NULL,
			rule    TEXT NOT NULL)`,
		`CREATE TABLE targets (
			id       TEXT PRIMARY KEY,
			tenant   TEXT NOT NULL,
			name     TEXT NOT NULL,
			created  BIGINT NOT NULL,
			disabled BIGINT NOT NULL DEFAULT 0,
			target   TEXT NOT NULL,
			secret   TEXT NOT NULL DEFAULT '',
			note     TEXT NOT NULL DEFAULT '',
			last     BIGINT NOT NULL DEFAULT 0,
			dropped  BIGINT NOT NULL DEFAULT 0,
			given_up BIGINT NOT NULL DEFAULT 0)`,
		`CREATE INDEX targets_tenant ON targets (tenant, name)`,
		`CREATE TABLE deliveries (
			target   TEXT NOT NULL REFERENCES targets(id) ON DELETE CASCADE,
			n        BIGINT NOT NULL,
			created  BIGINT NOT NULL,
			due      BIGINT NOT NULL,
			attempts BIGINT NOT NULL DEFAULT 0,
			error    TEXT NOT NULL DEFAULT '',
			state    TEXT NOT NULL DEFAULT 'pending',
			ended    BIGINT NOT NULL DEFAULT 0,
			weight   BIGINT NOT NULL DEFAULT 0,
			event_id TEXT NOT NULL DEFAULT '',
			event    TEXT NOT NULL,
			PRIMARY KEY (target, n))`,
		`CREATE INDEX deliveries_event ON deliveries (target, event_id)`,
		`CREATE INDEX deliveries_open ON deliveries (target, n) WHERE ended = 0`,
		`CREATE INDEX deliveries_ended ON deliveries (target, ended) WHERE ended > 0`,
		`CREATE TABLE device_groups (
			id      TEXT PRIMARY KEY,
			tenant  TEXT NOT NULL,
			name    TEXT NOT NULL,
			created BIGINT NOT NULL,
			members TEXT NOT NULL,
			UNIQUE (tenant, name))`,
		`CREATE TABLE jobs (
			id      TEXT PRIMARY KEY,
			tenant  TEXT NOT NULL,
			who     TEXT NOT NULL,
			created BIGINT NOT NULL,
			due     BIGINT NOT NULL,
			ended   BIGINT NOT NULL DEFAULT 0,
			job     TEXT NOT NULL)`,
		`CREATE INDEX jobs_created ON jobs (created)`,
		`CREATE INDEX jobs_open ON jobs (due) WHERE ended = 0`,
		`CREATE TABLE job_members (
			job    TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
			n      BIGINT NOT NULL,
			home   TEXT NOT NULL,
			device TEXT NOT NULL,
			state  TEXT NOT NULL,
			code   TEXT NOT NULL DEFAULT '',
			reason TEXT NOT NULL DEFAULT '',
			PRIMARY KEY (job, n))`,
		`ALTER TABLE commands ADD COLUMN job TEXT NOT NULL DEFAULT ''`,
		`CREATE INDEX commands_waiting ON commands (home, n) WHERE due > 0`,
		`CREATE INDEX commands_job ON commands (job, home) WHERE job <> ''`,
		`CREATE TABLE direct_devices (
			home    TEXT NOT NULL REFERENCES homes(id) ON DELETE CASCADE,
			id      TEXT NOT NULL,
			changed BIGINT NOT NULL,
			device  TEXT NOT NULL,
			PRIMARY KEY (home, id))`,
		`CREATE TABLE write_head (
			one  BIGINT PRIMARY KEY,
			n    BIGINT NOT NULL,
			mark TEXT NOT NULL,
			prev TEXT NOT NULL)`,
		`INSERT INTO write_head (one, n, mark, prev) VALUES (1, 0, '', '')`,
		`CREATE TABLE write_log (
			n    BIGINT PRIMARY KEY,
			mark TEXT NOT NULL,
			prev TEXT NOT NULL,
			time BIGINT NOT NULL,
			body BYTEA NOT NULL)`,
		`CREATE TABLE receivers (
			id   TEXT PRIMARY KEY,
			n    BIGINT NOT NULL,
			seen BIGINT NOT NULL)`,
		`CREATE TABLE forwards (
			target TEXT PRIMARY KEY,
			sent   BIGINT NOT NULL,
			safe   BIGINT NOT NULL,
			life   TEXT NOT NULL)`,
		`CREATE TABLE forward_parked (
			target TEXT NOT NULL,
			n      BIGINT NOT NULL,
			time   BIGINT NOT NULL,
			line   TEXT NOT NULL,
			reason TEXT NOT NULL,
			PRIMARY KEY (target, n))`,
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
			return newerSchema(version)
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
