package buffer

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// A segment is one bbolt file of blocks with contiguous seqs, named by its first. It has two buckets: the blocks by
// seq, and one record about the file, which bbolt keeps on its root page, so that writing it costs nothing.
type segment struct {
	path   string
	about  about
	size   int64
	sealed bool                   // never to be written again
	writer atomic.Pointer[writer] // while it is written: the last segment, or one that is being repaired
}

// about is what is known of a segment without reading its blocks. It is written with every commit, and carries along
// what the state file holds, so that a damaged state file loses nothing but the last moments.
type about struct {
	Epoch      string            `json:"epoch"`
	First      uint64            `json:"first"` // the seqs are [First, Next)
	Next       uint64            `json:"next"`
	Before     uint64            `json:"before"` // rows of the epoch before and after it
	After      uint64            `json:"after"`
	Oldest     int64             `json:"oldest"` // unix ms
	Newest     int64             `json:"newest"`
	Untrusted  int               `json:"untrusted,omitempty"` // blocks that wait for the clock
	Generation uint32            `json:"generation"`
	Written    uint64            `json:"written"`
	Targets    map[string]cursor `json:"targets,omitempty"`
}

const (
	bucketAbout   = "about"
	bucketBlocks  = "blocks"
	aboutMagic    = "HAb1"
	segmentSuffix = ".segment"
	newSuffix     = ".new"     // not yet a segment: removed at the next start
	damagedSuffix = ".damaged" // set aside for a person to look at
	lockTimeout   = time.Second
)

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, segmentSuffix))
}

func keyOf(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// sealed returns a record that notices when it is damaged: magic, CRC32C, length, data.
func sealed(data []byte) []byte {
	out := append([]byte(aboutMagic), make([]byte, 8)...)
	binary.LittleEndian.PutUint32(out[4:], castagnoli(data))
	binary.LittleEndian.PutUint32(out[8:], uint32(len(data)))
	return append(out, data...)
}

// unsealed returns what sealed was given; data may be anything, and go on after it.
func unsealed(data []byte) ([]byte, error) {
	if len(data) < 12 || string(data[:4]) != aboutMagic {
		return nil, damagef("no record")
	}
	length := binary.LittleEndian.Uint32(data[8:])
	if uint64(length) > uint64(len(data)-12) || binary.LittleEndian.Uint32(data[4:]) != castagnoli(data[12:12+length]) {
		return nil, damagef("a record's checksum is wrong")
	}
	return data[12 : 12+length], nil
}

func decodeAbout(data []byte) (about, error) {
	var a about
	plain, err := unsealed(data)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(plain, &a); err != nil {
		return a, damagef("the record about it: %v", err)
	}
	if a.First == 0 || a.Next <= a.First || a.After < a.Before {
		return a, damagef("the record about it makes no sense")
	}
	return a, nil
}

// inspect reads what is known about a segment file.
func inspect(path string) (*segment, error) {
	s := &segment{path: path}
	err := s.read(func(t *tree) error {
		s.size = int64(t.pages) * pageSize
		b, err := t.bucket(bucketAbout)
		if err != nil {
			return err
		}
		found := false
		err = t.walk(b, nil, func(e element) error {
			found = true
			s.about, err = decodeAbout(e.value)
			return errors.Join(err, errStop)
		})
		if err == nil && !found {
			return damagef("it has no record about itself")
		}
		return err
	})
	return s, err
}

// read calls fn with the last committed state. While the segment is written, an open transaction keeps the pages of
// that state, and of later ones, from being used again.
func (s *segment) read(fn func(*tree) error) error {
	if w := s.writer.Load(); w != nil {
		release, err := w.pin()
		if err != nil {
			return err
		}
		defer release()
	}
	f, err := os.Open(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return damagef("%v", err)
	}
	if err != nil {
		return err // too many open files are no reason to give up a segment
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	t, err := openTree(f, info.Size())
	if err != nil {
		return err
	}
	return fn(t)
}

// blocks calls each for the blocks from a seq on. It checks every one's checksum, and that its key is its seq; whether
// one is missing is for the caller to see. A block is valid until each returns.
func (t *tree) blocks(from uint64, each func(block) error) error {
	b, err := t.bucket(bucketBlocks)
	if err != nil {
		return err
	}
	return t.walk(b, keyOf(from), func(e element) error {
		found, err := decodeBlock(e.value)
		if err != nil {
			return err
		}
		if len(e.key) != keyBytes || binary.BigEndian.Uint64(e.key) != found.seq {
			return damagef("block %d is not where it belongs", found.seq)
		}
		return each(found)
	})
}

// verify checks the whole file, blocks included.
func (s *segment) verify() error {
	return s.read(func(t *tree) error {
		if err := t.verify(); err != nil {
			return err
		}
		return t.blocks(0, func(block) error { return nil })
	})
}

// A writer is a bbolt file open for writing. After an error it is not used again.
type writer struct {
	db      *bbolt.DB
	path    string
	room    int64  // bytes of the file that exist, and need no more work of the file system than to be overwritten
	written uint64 // bytes given to the device
}

// openWriter opens or makes the file; an existing one has been verified. size is how large it will get.
func openWriter(path string, size int64) (*writer, error) {
	w := &writer{path: path}
	err := guarded(func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout: lockTimeout, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, PageSize: pageSize,
			InitialMmapSize: int(2 * size),
		})
		if err != nil {
			return err
		}
		db.AllocSize = 4 * pageSize
		w.db = db
		return nil
	})
	return w, err
}

// extend writes zeros after the end of the file, so that there is room for need bytes beyond size. Commits then
// overwrite what exists, and the file system writes nothing of its own for them: the zeros cost less than its journal.
func (w *writer) extend(size, need, step int64) error {
	if size+need <= w.room {
		return nil
	}
	f, err := os.OpenFile(w.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if w.room = info.Size(); size+need <= w.room { // bbolt made it longer by itself
		return nil
	}
	zeros := make([]byte, size+need+step-w.room)
	if _, err = f.WriteAt(zeros, w.room); err != nil {
		return err
	}
	w.written += uint64(len(zeros))
	w.room += int64(len(zeros))
	return f.Sync()
}

// update commits what fn does, and returns the size of the file. Begin and Commit are called by hand, not through
// Update: its rollback after a panic would read the very pages that caused it, in a goroutine that cannot be guarded.
func (w *writer) update(fn func(*bbolt.Tx) error) (size int64, err error) {
	err = guarded(func() error {
		before := w.allocated()
		tx, err := w.db.Begin(true)
		if err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		w.written += w.allocated() - before + pageSize // and the meta page
		read, err := w.db.Begin(false)
		if err != nil {
			return err
		}
		size = read.Size()
		return read.Rollback()
	})
	return size, err
}

// allocated returns the bytes of pages that were made to be written, ever.
func (w *writer) allocated() uint64 {
	stats := w.db.Stats()
	return uint64(stats.TxStats.GetPageAlloc())
}

// pin keeps the pages of the present state from being used again until release is called.
func (w *writer) pin() (release func(), err error) {
	release = func() {}
	err = guarded(func() error {
		tx, err := w.db.Begin(false)
		if err != nil {
			return nil // closed in the meantime: nobody writes it any more
		}
		release = func() { _ = guarded(tx.Rollback) }
		return nil
	})
	return release, err
}

func (w *writer) close() error { return guarded(w.db.Close) }

// guarded calls fn, which works on a memory map: a fault in it, as of a file that somebody truncated, becomes an error
// instead of the end of the process.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damagef("%v", p)
		}
	}()
	return fn()
}

// put writes blocks and the record about the segment in one transaction.
func (a *about) put(blocks []block) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		into, err := tx.CreateBucketIfNotExists([]byte(bucketBlocks))
		if err != nil {
			return err
		}
		into.FillPercent = 1 // keys only grow
		for i := range blocks {
			if err := into.Put(keyOf(blocks[i].seq), blocks[i].append(nil)); err != nil {
				return err
			}
		}
		plain, err := json.Marshal(a)
		if err != nil {
			return err
		}
		self, err := tx.CreateBucketIfNotExists([]byte(bucketAbout))
		if err != nil {
			return err
		}
		return self.Put([]byte(bucketAbout), sealed(plain))
	}
}

// include makes the record count a block more.
func (a *about) include(b *block) {
	if a.First == 0 {
		a.First, a.Before, a.Oldest, a.Newest = b.seq, b.before, b.first, b.last
	}
	a.Next, a.After = b.seq+1, b.after()
	a.Oldest, a.Newest = min(a.Oldest, b.first), max(a.Newest, b.last)
	a.Generation = b.generation
	if b.untrusted() {
		a.Untrusted++
	}
}

// syncDir makes names in a directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// remove unlinks a file that may be gone already.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// sizeOf returns what a file takes, 0 where there is none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
