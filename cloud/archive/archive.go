// Package archive keeps copies of a receiver: a backup of everything while it runs, its restoring onto an empty machine,
// and the readings of one home as a file.
//
// A backup is one file, tar packed with zstd: head.json says what it is, then come the configuration, the series, the
// certificates and the accounts, and checksums.json names every one of them. A file that ends early or was changed is
// therefore never taken for whole.
package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// What is in the data directory.
const (
	SeriesDir = "series" // the readings
	CertsDir  = "certs"  // keys and certificates that came by ACME

	scratchDir   = "backup"     // the state that a backup under way is made from
	restoringDir = "restoring"  // what a restore under way has unpacked
	controlFile  = "control"    // the socket on which the daemon is asked for a backup
	lastFile     = "lastbackup" // its time is that of the last one
)

const (
	headName      = "head.json"
	configName    = "cloud.yaml"
	checksumsName = "checksums.json"

	format = 1
)

// Where the accounts are.
const (
	inSQLite   = "sqlite"
	inPostgres = "postgres"
)

// Options are what an Archive is made with.
type Options struct {
	Data     string // the data directory
	Accounts *accounts.Accounts
	Series   *series.Store
	Version  string
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger
}

// An Archive makes backups of a receiver that runs.
type Archive struct {
	o    Options
	busy sync.Mutex // held by the backup under way

	listener net.Listener // from Listen on
}

// New returns an Archive.
func New(o Options) *Archive {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Archive{o: o}
}

// A Head says what a backup is of.
type Head struct {
	Format   int         `json:"format"`
	Program  string      `json:"program"`
	Version  string      `json:"version"`
	Time     hearth.Time `json:"time"`
	Accounts string      `json:"accounts"` // sqlite, or postgres: then they are not in it
	Schema   int         `json:"schema"`   // of the accounts
}

// InPostgres reports whether the accounts are elsewhere, and so not in the backup.
func (h Head) InPostgres() bool { return h.Accounts == inPostgres }

// Backup writes everything there is as of now, together with the text of the configuration. Others go on writing
// meanwhile. There is one backup at a time; code busy while another one is under way.
func (a *Archive) Backup(ctx context.Context, w io.Writer, config []byte) error {
	if !a.busy.TryLock() {
		return hearth.Errorf(hearth.CodeBusy, "a backup is under way already")
	}
	defer a.busy.Unlock()
	head := Head{Format: format, Program: "hearth-cloud", Version: a.o.Version, Time: hearth.Time{Time: a.o.Now().UTC()}, Accounts: inSQLite, Schema: accounts.Schema()}
	if a.o.Accounts.Shared() {
		head.Accounts = inPostgres
	}
	scratch := filepath.Join(a.o.Data, scratchDir)
	defer os.RemoveAll(scratch)
	if err := a.snapshot(ctx, scratch); err != nil {
		return fmt.Errorf("making a backup: %w", err)
	}
	if err := a.pack(ctx, w, scratch, head, config); err != nil {
		return fmt.Errorf("making a backup: %w", err)
	}
	return a.done()
}

// snapshot copies the state of a moment into the directory scratch. The series come first: what is restored then has
// accounts that know every home of the series, and the gateway of a home that joined in between is still known and
// sends again what the series lack.
func (a *Archive) snapshot(ctx context.Context, scratch string) error {
	if err := os.RemoveAll(scratch); err != nil { // of a process that was killed
		return err
	}
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return err
	}
	if err := a.o.Series.Backup(filepath.Join(scratch, SeriesDir)); err != nil {
		return err
	}
	if a.o.Accounts.Shared() {
		return nil
	}
	return a.o.Accounts.Snapshot(ctx, filepath.Join(scratch, accounts.File))
}

// pack writes the archive.
func (a *Archive) pack(ctx context.Context, w io.Writer, scratch string, head Head, config []byte) error {
	p, err := newPacker(ctx, w, head.Time.Time)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(head, "", "\t")
	if err != nil {
		return err
	}
	if err := p.add(headName, text); err != nil {
		return err
	}
	if config != nil {
		if err := p.add(configName, config); err != nil {
			return err
		}
	}
	if err := p.addFolder(SeriesDir, filepath.Join(scratch, SeriesDir)); err != nil {
		return err
	}
	if !head.InPostgres() {
		if err := p.addFile(accounts.File, filepath.Join(scratch, accounts.File)); err != nil {
			return err
		}
	}
	if err := a.packCerts(p); err != nil {
		return err
	}
	return p.close()
}

// packCerts adds keys and certificates. They may be replaced meanwhile, so each is read as a whole first.
func (a *Archive) packCerts(p *packer) error {
	entries, err := os.ReadDir(filepath.Join(a.o.Data, CertsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !plainName(entry.Name()) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(a.o.Data, CertsDir, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = p.add(CertsDir+"/"+entry.Name(), data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// done notes when the last backup was made.
func (a *Archive) done() error {
	path := filepath.Join(a.o.Data, lastFile)
	err := os.WriteFile(path, nil, 0o600)
	if err == nil {
		now := a.o.Now()
		err = os.Chtimes(path, now, now)
	}
	if err != nil {
		return fmt.Errorf("noting the time of the backup: %w", err)
	}
	return nil
}

// Last returns when the last backup was made; the zero time if none ever was.
func (a *Archive) Last() time.Time {
	info, err := os.Stat(filepath.Join(a.o.Data, lastFile))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// plainName reports whether a file in an archive may have that name.
func plainName(name string) bool {
	return name != "" && len(name) <= 200 && name[0] != '.' && !slices.ContainsFunc([]byte(name), func(c byte) bool {
		return c <= ' ' || c >= 0x7f || c == '/' || c == '\\'
	})
}
