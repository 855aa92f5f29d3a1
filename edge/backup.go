package edge

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"hearth/edge/state"
	"hearth/settings"
)

// A backup is a tar: about.json first, then the files of the data directory. The buffer is left out: its blocks are
// numbered, and an old copy would use numbers again that the receiver has seen. Readings are the receiver's to keep.
const (
	aboutFile  = "about.json"
	stateFile  = "state.db"
	maxBackup  = 256 << 20 // bytes of one file in a backup
	backupForm = 1
)

type about struct {
	Form    int       `json:"hearth_edge_backup"`
	Version string    `json:"version"`
	Home    string    `json:"home"`
	Made    time.Time `json:"made"`
}

// Backup writes all state of the gateway to file, but for the readings: devices, commands, tokens, the claim, and what
// drivers keep. It works while the gateway runs. The file holds secrets.
func (c *Config) Backup(file, version string) (err error) {
	pending, err := renameio.NewPendingFile(file, renameio.WithPermissions(0o600))
	if err != nil {
		return fmt.Errorf("making the backup: %w", err)
	}
	defer func() { err = errors.Join(err, pending.Cleanup()) }()
	archive := tar.NewWriter(pending)
	add := func(name string, data []byte) error {
		head := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: time.Now().Truncate(time.Second), Format: tar.FormatPAX}
		if err := archive.WriteHeader(head); err != nil {
			return err
		}
		_, err := archive.Write(data)
		return err
	}
	note, err := json.Marshal(about{backupForm, version, c.Home, time.Now().UTC()})
	if err != nil {
		return err
	}
	if err := add(aboutFile, note); err != nil {
		return err
	}
	data, err := state.Snapshot(c.file(stateFile))
	if err != nil {
		return err
	}
	if err := add(stateFile, data); err != nil {
		return err
	}
	if err := c.eachKept(func(name string) error {
		data, err := os.ReadFile(c.file(name))
		if err != nil {
			return err
		}
		return add(name, data)
	}); err != nil {
		return fmt.Errorf("making the backup: %w", err)
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return pending.CloseAtomicallyReplace()
}

// eachKept names the files of the data directory that belong into a backup beside the state.
func (c *Config) eachKept(each func(name string) error) error {
	return filepath.WalkDir(c.Data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(c.Data, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "buffer" || strings.HasPrefix(name, restoreDir)):
			return fs.SkipDir
		case !entry.Type().IsRegular() || name == stateFile || name == "lock" || strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".damaged"):
			return nil
		}
		return each(filepath.ToSlash(name))
	})
}

const restoreDir = ".restore"

// Restore replaces the gateway's state by that of a backup. It refuses while the gateway runs, and touches nothing
// before the whole backup was read and found good. What was there is kept in the folder that it returns, "" if nothing.
func (c *Config) Restore(file string) (old string, err error) {
	lock, err := lockData(c.Data)
	if err != nil {
		return "", fmt.Errorf("%w: stop it before restoring", err)
	}
	defer lock.Close()
	fresh := c.file(restoreDir)
	if err := os.RemoveAll(fresh); err != nil {
		return "", fmt.Errorf("restoring: %w", err)
	}
	defer os.RemoveAll(fresh)
	names, err := unpack(file, fresh)
	if err != nil {
		return "", fmt.Errorf("restoring %s: %w: nothing was changed", file, err)
	}
	old = restoreDir + "-replaced-" + time.Now().UTC().Format("20060102-150405")
	replaced := false
	move := func(name, from, to string) error {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o700); err != nil {
			return err
		}
		return os.Rename(filepath.Join(from, name), filepath.Join(to, name))
	}
	kept := []string{stateFile}
	if err := c.eachKept(func(name string) error { kept = append(kept, name); return nil }); err != nil {
		return "", err
	}
	for _, name := range kept {
		switch err := move(name, c.Data, c.file(old)); {
		case err == nil:
			replaced = true
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("restoring: %w: what was there is in %s", err, c.file(old))
		}
	}
	for _, name := range names {
		if err := move(name, fresh, c.Data); err != nil {
			return "", fmt.Errorf("restoring: %w: what was there is in %s", err, c.file(old))
		}
		settings.GiveTo(c.Data, filepath.Dir(c.file(name)), c.file(name))
	}
	if !replaced {
		os.RemoveAll(c.file(old))
		return "", nil
	}
	return c.file(old), nil
}

// unpack reads a backup into dir and returns its files; those that are no backup's, or damaged, are refused.
func unpack(file, dir string) (names []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	archive := tar.NewReader(f)
	for {
		head, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		data, err := member(archive, head, len(names))
		if err != nil {
			return nil, err
		}
		names = append(names, head.Name)
		path := filepath.Join(dir, filepath.FromSlash(head.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		if err := renameio.WriteFile(path, data, 0o600); err != nil {
			return nil, err
		}
	}
	if !slices.Contains(names, stateFile) {
		return nil, errors.New("it holds no state: it is no backup, or not all of it")
	}
	return names[1:], nil
}

// member reads and checks one file of a backup; the first tells what it is.
func member(archive *tar.Reader, head *tar.Header, before int) ([]byte, error) {
	if head.Typeflag != tar.TypeReg || !filepath.IsLocal(head.Name) || head.Size > maxBackup {
		return nil, fmt.Errorf("%q does not belong into a backup", head.Name)
	}
	data, err := io.ReadAll(archive)
	if err != nil {
		return nil, err
	}
	switch {
	case before == 0:
		var a about
		if err := json.Unmarshal(data, &a); head.Name != aboutFile || err != nil || a.Form == 0 {
			return nil, errors.New("it is no backup of a gateway")
		}
		if a.Form > backupForm {
			return nil, fmt.Errorf("it was made by a newer version (%s)", a.Version)
		}
	case head.Name == stateFile:
		return data, state.Verify(data)
	}
	return data, nil
}
