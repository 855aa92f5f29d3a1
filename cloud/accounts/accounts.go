// Package accounts keeps who may see what: homes, tokens and claim codes, in SQLite or PostgreSQL. The database is
// shared: downlink keeps its commands and fleet its inventories in tables of the same schema (schema.go).
package accounts

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"
	"modernc.org/sqlite"

	"hearth"
)

// File is the name of the SQLite file in the data directory.
const File = "accounts.db"

// Options says where the accounts are.
type Options struct {
	Database string           // postgres://… ; empty: SQLite in Dir
	Dir      string           // the data directory; made if it is missing
	Now      func() time.Time // nil: time.Now
}

// Accounts is the database of homes, tokens and claim codes. It may be open in several processes at once.
type Accounts struct {
	db       *sql.DB
	now      func() time.Time
	postgres bool
	writer   *sql.DB // of SQLite: the one connection that writes
	turns    turns   // of those who want it

	process   string // names this process in leases
	passwords *keeper
	failures  atomic.Uint64 // of the database, see noted

	mu     sync.Mutex
	cache  map[string]cached
	places map[string]place
}

// Open opens the database, makes or migrates its schema, and refuses one that a newer version has written.
func Open(ctx context.Context, o Options) (*Accounts, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Accounts{now: o.Now, cache: map[string]cached{}, places: map[string]place{}, process: rand.Text(), passwords: newKeeper()}
	if err := a.connect(o); err != nil {
		return nil, fmt.Errorf("opening the accounts: %w", err)
	}
	a.db.SetMaxOpenConns(16)
	a.db.SetMaxIdleConns(8)
	if err := a.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the accounts: %w", hidden(err, o.Database)), a.Close())
	}
	return a, nil
}

// connect makes the pools of connections, which are opened when they are needed.
func (a *Accounts) connect(o Options) error {
	var err error
	if o.Database != "" {
		a.postgres = true
		a.db, err = sql.Open("pgx", o.Database)
		return hidden(err, o.Database)
	}
	source, err := makeFile(o.Dir)
	if err != nil {
		return err
	}
	base, err := sqlite.NewConnector(source)
	if err != nil {
		return err
	}
	a.db = sql.OpenDB(connector{Connector: base})
	a.writer = sql.OpenDB(connector{Connector: base, steady: true})
	a.writer.SetMaxOpenConns(1)
	return nil
}

// makeFile makes the SQLite file, so that nobody but its owner can read it (SQLite gives its journals the same mode), and
// returns how to open it.
func makeFile(dir string) (source string, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("making the data directory: %w", err)
	}
	path := filepath.Join(dir, File)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	pragmas := url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
		"_txlock": {"immediate"}, // a transaction that may write waits for its turn at the start, not half way
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: pragmas.Encode()}).String(), nil
}

// hidden takes the database's password out of a driver's error.
func hidden(err error, database string) error {
	if err == nil {
		return nil
	}
	u, parseErr := url.Parse(database)
	if database == "" || parseErr != nil {
		return err
	}
	text := strings.ReplaceAll(err.Error(), database, u.Redacted())
	if password, set := u.User.Password(); set && password != "" {
		text = strings.ReplaceAll(text, password, "xxxxx")
	}
	return errors.New(text)
}

// Close closes the database.
func (a *Accounts) Close() error {
	if a.writer == nil {
		return a.db.Close()
	}
	return errors.Join(a.writer.Close(), a.db.Close())
}

// DB returns the database, for the rooms that keep tables of their own in it. Statements use $1, $2, … which both
// databases understand.
func (a *Accounts) DB() *sql.DB { return a.db }

// Shared reports whether several receivers may work on this database, so that what one of them knows can be out of date.
func (a *Accounts) Shared() bool { return a.postgres }

// Tx runs fn in one transaction, which is on disk when Tx returns nil. An error of fn rolls it back. With SQLite those
// who wait are committed together (turns.go).
func (a *Accounts) Tx(ctx context.Context, fn func(*sql.Tx) error) error {
	if a.writer != nil {
		return a.take(ctx, fn)
	}
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return a.noted(err)
	}
	if err := fn(tx); err != nil {
		return errors.Join(a.noted(err), ignoreDone(tx.Rollback()))
	}
	return a.noted(tx.Commit())
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

func (a *Accounts) millis() int64 { return a.now().UnixMilli() }

// millisOf is 0 for the zero time.
func millisOf(t hearth.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) hearth.Time { return hearth.Time{Time: time.UnixMilli(ms).UTC()} }
