package state

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Snapshot returns a consistent copy of the file at path while its owner goes on writing. bbolt never overwrites a page
// that the newest finished transaction uses: when that is the same before and after the copy, the copy holds it whole.
func Snapshot(path string) ([]byte, error) {
	for range 100 {
		before, err := newest(path)
		if err != nil {
			return nil, fmt.Errorf("copying the state: %w", err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("copying the state: %w", err)
		}
		if after, err := newest(path); err == nil && after == before {
			if err := Verify(data); err != nil {
				return nil, fmt.Errorf("copying the state: %w", err)
			}
			return data, nil
		}
		time.Sleep(10 * time.Millisecond) // somebody is writing just now
	}
	return nil, errors.New("copying the state: it changes all the time, try again later")
}

// Verify reads a copy of a file to its end and says what is wrong with it.
func Verify(data []byte) error {
	dir, err := os.MkdirTemp("", "hearth-state")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "state.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	db := &DB{log: slog.New(slog.DiscardHandler)}
	if err := db.try(path); err != nil {
		return err
	}
	return db.Close()
}

func newest(path string) (tx uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	tx, _, pageSize, err := readMeta(f)
	if err == nil && pageSize == 0 {
		err = errors.New("neither of its meta pages can be read")
	}
	return tx, err
}
