// Package state keeps the gateway's small durable maps (devices, commands, a driver's own) in one bbolt file, state.db.
package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/google/renameio/v2"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// A DB is the open file. Its methods are safe for several goroutines.
type DB struct {
	bolt     *bbolt.DB
	log      *slog.Logger
	damage   string
	commits  atomic.Uint64
	pageSize uint64
}

// Open opens the file at path, or makes it. A damaged one is set aside as path.damaged, what can be read of it is carried
// over, and Damage tells about it: Open fails only where nothing can be read or written at all, or where another process
// has the file.
func Open(path string, log *slog.Logger) (*DB, error) {
	db := &DB{log: log}
	why := db.try(path)
	var cannot *fs.PathError
	switch {
	case why == nil:
		return db, nil
	case errors.Is(why, bbolterrors.ErrTimeout):
		return nil, fmt.Errorf("%s is in use by another process: only one gateway may use a data directory", path)
	case errors.As(why, &cannot):
		return nil, fmt.Errorf("opening the state: %w", why)
	}
	aside := path + ".damaged"
	if err := setAside(path, aside); err != nil {
		return nil, fmt.Errorf("setting the damaged state aside: %w", err)
	}
	if err := db.open(path); err != nil {
		return nil, fmt.Errorf("making a new state: %w", err)
	}
	saved := db.salvage(aside)
	db.damage = fmt.Sprintf("%s was damaged (%v): it is kept as %s, %d entries could be carried over, others are lost",
		path, why, filepath.Base(aside), saved)
	log.Error(db.damage)
	return db, nil
}

// Damage says what Open found damaged, "" if nothing.
func (db *DB) Damage() string { return db.damage }

// Close closes the file.
func (db *DB) Close() error { return db.bolt.Close() }

// Written returns how many bytes were given to the device since Open.
func (db *DB) Written() uint64 {
	stats := db.bolt.Stats()
	return uint64(stats.TxStats.GetPageAlloc()) + db.commits.Load()*db.pageSize
}

// try opens the file and reads every entry once, so that damage is met here and not in the middle of work.
func (db *DB) try(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return db.open(path)
	case err != nil:
		return err
	case info.Size() == 0:
		return errors.New("it is empty")
	}
	if err := checkSize(path, info.Size()); err != nil {
		return err
	}
	if err := db.open(path); err != nil {
		return err
	}
	bad := 0
	err = walk(db.bolt, func(_, _, value []byte) { bad++ }, func(_, _, _ []byte) {})
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d entries do not hold what was written", bad)
	}
	if err != nil {
		_ = guard(db.bolt.Close)
	}
	return err
}

func (db *DB) open(path string) error {
	return guard(func() (err error) {
		db.bolt, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
		if err == nil {
			db.pageSize = uint64(db.bolt.Info().PageSize) // asked now: later the answer may race with a write
		}
		return err
	})
}

// guard turns a panic, and the fault of a mapped page that the file does not have, into an error. bbolt trusts what it
// reads, and plain recover does not catch the fault.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	return fn()
}

// checkSize says whether the file is as long as its meta page says. A missing end is not noticed by bbolt before it is
// read.
func checkSize(path string, size int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, pages, pageSize, err := readMeta(f)
	if err != nil {
		return err
	}
	switch {
	case pageSize == 0:
		return errors.New("neither of its meta pages can be read")
	case uint64(size) < pages*pageSize:
		return fmt.Errorf("it is %d bytes long and should be %d", size, pages*pageSize)
	}
	return nil
}

// readMeta returns the number of the newest finished transaction, and how many pages of which size it uses; size 0 if
// there is none.
func readMeta(f *os.File) (newest, pages, pageSize uint64, err error) {
	head := make([]byte, 1<<16)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, 0, err
	}
	for _, at := range []int{0, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15} {
		if tx, high, length, ok := meta(head[:n], at); ok && (pageSize == 0 || tx > newest) {
			newest, pages, pageSize = tx, high, length
		}
	}
	return newest, pages, pageSize, nil
}

// meta reads the meta page at that offset: a page header of 16 bytes, then magic, version, page size, flags, the root
// bucket (16 bytes), the freelist's page, the number of pages in use, the transaction's number and a checksum.
func meta(data []byte, at int) (tx, pages, pageSize uint64, ok bool) {
	const header, magic = 16, 0xED0CDAED
	if len(data) < at+header+64 {
		return 0, 0, 0, false
	}
	m := data[at+header:]
	order := binary.NativeEndian
	size := uint64(order.Uint32(m[8:]))
	if order.Uint32(m) != magic || size == 0 || at != 0 && uint64(at) != size {
		return 0, 0, 0, false
	}
	sum := fnv.New64a()
	_, _ = sum.Write(m[:56])
	return order.Uint64(m[48:]), order.Uint64(m[40:]), size, order.Uint64(m[56:]) == sum.Sum64()
}

// walk hands every entry of the file to good, or to bad where its checksum does not fit.
func walk(b *bbolt.DB, bad, good func(bucket, key, value []byte)) error {
	return guard(func() error {
		return b.View(func(tx *bbolt.Tx) error {
			return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
				return bucket.ForEach(func(key, sealed []byte) error {
					if value, ok := unseal(key, sealed); ok {
						good(name, key, value)
					} else {
						bad(name, key, sealed)
					}
					return nil
				})
			})
		})
	})
}

// salvage copies what can be read of a damaged file and returns how many entries that is.
func (db *DB) salvage(path string) (saved int) {
	var old *bbolt.DB
	err := guard(func() (err error) {
		old, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
		return err
	})
	if err != nil {
		return 0
	}
	type entry struct {
		bucket string
		key    string
		value  []byte
	}
	var found []entry
	// Where a page in the middle is broken, the walk ends there; what came before it is good by its checksums.
	_ = walk(old, func(_, _, _ []byte) {}, func(bucket, key, value []byte) {
		found = append(found, entry{string(bucket), string(key), append([]byte(nil), value...)})
	})
	_ = guard(old.Close)
	err = guard(func() error {
		return db.update(func(tx *bbolt.Tx) error {
			for _, e := range found {
				b, err := tx.CreateBucketIfNotExists([]byte(e.bucket))
				if err != nil {
					return err
				}
				if err := b.Put([]byte(e.key), seal(e.key, e.value)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		db.log.Error("nothing could be carried over from the damaged state", "error", err)
		return 0
	}
	return len(found)
}

// setAside moves a damaged file out of the way: as a copy, since a file that broke while it was opened stays locked. A
// copy that was set aside earlier gives way.
func setAside(path, aside string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(aside, data, 0o600); err != nil {
		return err
	}
	return os.Remove(path)
}

func (db *DB) update(fn func(*bbolt.Tx) error) error {
	db.commits.Add(1)
	return db.bolt.Update(fn)
}

// Every value is kept behind a checksum over its key and itself, since bbolt's pages have none.
func seal(key string, value []byte) []byte {
	sealed := make([]byte, 4, 4+len(value))
	binary.LittleEndian.PutUint32(sealed, checksum([]byte(key), value))
	return append(sealed, value...)
}

func unseal(key, sealed []byte) ([]byte, bool) {
	if len(sealed) < 4 || binary.LittleEndian.Uint32(sealed) != checksum(key, sealed[4:]) {
		return nil, false
	}
	return sealed[4:], true
}

func checksum(key, value []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, value)
}
