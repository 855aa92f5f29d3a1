package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"hearth"
	"hearth/cloud/archive"
	"hearth/cloud/series"
)

// Backup writes a backup of the receiver that c configures: the daemon makes it if it runs, else it is made here. text
// is the configuration as it is in its file, which is kept with it.
func Backup(ctx context.Context, c Config, text []byte, w io.Writer, version string, log *slog.Logger) error {
	if _, err := os.Stat(c.seriesDir()); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no receiver in %s yet: nothing to back up", c.Data)
	}
	if err := archive.Finished(c.Data); err != nil {
		return err
	}
	if err := archive.Ask(ctx, c.Data, text, w); !errors.Is(err, archive.ErrNotRunning) {
		return err
	}
	books, err := OpenAccounts(ctx, c, log)
	if err != nil {
		return err
	}
	defer books.Close() // everything it wrote is committed
	store, err := series.Open(c.seriesDir(), series.Options{Log: log})
	if err != nil {
		return err
	}
	err = archive.New(archive.Options{Data: c.Data, Accounts: books, Series: store, Version: version, Log: log}).Backup(ctx, w, text)
	return errors.Join(err, store.Close())
}

// Restore unpacks a backup into the data directory that c names, which must be empty.
func Restore(ctx context.Context, c Config, from io.Reader) (archive.Restored, error) {
	return archive.Restore(ctx, from, c.Data, func(h archive.Head) error {
		switch {
		case h.InPostgres() && !c.InPostgres():
			return hearth.Errorf(hearth.CodeBadValue, "its accounts were in PostgreSQL: restore that database with pg_restore, and name it in accounts.database first")
		case !h.InPostgres() && c.InPostgres():
			return hearth.Errorf(hearth.CodeBadValue, "its accounts are in SQLite, but accounts.database names PostgreSQL: take that out first")
		}
		return nil
	})
}

// InPostgres reports whether the accounts are in PostgreSQL.
func (c *Config) InPostgres() bool { return c.Accounts.Database != "" || c.Accounts.DatabaseFile != "" }
