package buffer

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"go.etcd.io/bbolt"

	"hearth"
)

// The state file holds what the segments cannot: cursors, what is gone, what was refused. It is one small bbolt file
// of records, each with its checksum. It is read once, at the start, and everything in it is kept in memory; losing it
// loses what the last commit did not carry along, see about.
type stateFile struct {
	dir   string
	lock  *os.File
	w     *writer
	saved map[string]uint32 // what is in the file, by checksum
	size  atomic.Int64
}

const (
	stateName   = "state.db"
	lockName    = "lock"
	stateBucket = "state"
	stateSize   = 256 << 10 // set aside on the disk for it, so that a full disk can still be accounted for
	recordSelf  = "self"
	recordGaps  = "gaps"
	recordPark  = "parked"
	prefixGone  = "gone/"
	prefixAim   = "target/"
)

// self is the record of the buffer itself.
type self struct {
	Epoch      string `json:"epoch"`
	Generation uint32 `json:"generation"`
	Written    uint64 `json:"written"`
	Next       uint64 `json:"next"`     // at least so many seqs
	Produced   uint64 `json:"produced"` // and rows were committed
	Reserved   uint64 `json:"reserved"` // but none of these
	Segment    uint64 `json:"segment"`  // the last segment there certainly was
	Damaged    int    `json:"damaged"`
}

func lockDir(dir string) (*stateFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is used by another process: is hearth-edge running?", dir), f.Close())
	}
	return &stateFile{dir: dir, lock: f}, nil
}

func (s *stateFile) path() string { return filepath.Join(s.dir, stateName) }

// read returns the records, none if there is no file. What is damaged is left out, and reported.
func (s *stateFile) read() (records map[string][]byte, damage error) {
	records = make(map[string][]byte)
	if _, err := os.Lstat(s.path()); errors.Is(err, os.ErrNotExist) {
		return records, nil
	}
	file := &segment{path: s.path()}
	damage = file.read(func(t *tree) error {
		if err := t.verify(); err != nil {
			return err
		}
		b, err := t.bucket(stateBucket)
		if err != nil {
			return err
		}
		var wrong error
		err = t.walk(b, nil, func(e element) error {
			if plain, err := unsealed(e.value); err == nil {
				records[string(e.key)] = append([]byte(nil), plain...)
			} else {
				wrong = err
			}
			return nil
		})
		return errors.Join(err, wrong)
	})
	s.size.Store(sizeOf(s.path()))
	return records, damage
}

// write makes the file hold exactly these records, durably. A file that cannot be trusted is made anew.
func (s *stateFile) write(records map[string][]byte) (written uint64, err error) {
	if s.w == nil {
		if err := s.open(); err != nil {
			return 0, err
		}
	}
	before := s.w.written
	size, err := s.w.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(stateBucket))
		if err != nil {
			return err
		}
		for key := range s.saved {
			if _, stays := records[key]; !stays {
				err = errors.Join(err, b.Delete([]byte(key)))
			}
		}
		for key, plain := range records {
			if sum, known := s.saved[key]; !known || sum != castagnoli(plain) {
				err = errors.Join(err, b.Put([]byte(key), sealed(plain)))
			}
		}
		return err
	})
	if err != nil {
		_ = s.w.close() // whatever it says: it is not trusted any more
		s.w, s.saved = nil, nil
		return 0, fmt.Errorf("saving the buffer's state: %w", err)
	}
	written = s.w.written - before
	if err := s.settle(); err != nil {
		return written, err
	}
	s.saved = make(map[string]uint32, len(records))
	for key, plain := range records {
		s.saved[key] = castagnoli(plain)
	}
	s.size.Store(size)
	return written, nil
}

// open opens the file for writing if it is whole, and else a new one beside it, which write then puts in its place.
func (s *stateFile) open() error {
	path, _ := s.path(), os.Remove(s.path()+newSuffix)
	records, damage := s.read()
	if damage != nil && !errors.Is(damage, errDamaged) {
		return damage
	}
	if damage != nil || len(records) == 0 {
		path += newSuffix
		if err := reserve(path, stateSize); err != nil {
			return fmt.Errorf("making the buffer's state file: %w", err)
		}
	}
	w, err := openWriter(path, stateSize)
	if err != nil {
		return fmt.Errorf("opening the buffer's state file: %w", err)
	}
	s.w, s.saved = w, make(map[string]uint32)
	for key, plain := range records {
		if damage == nil {
			s.saved[key] = castagnoli(plain)
		}
	}
	return nil
}

// settle gives a new file its name, once it holds something.
func (s *stateFile) settle() error {
	if _, err := os.Lstat(s.path() + newSuffix); err != nil {
		return nil
	}
	if err := os.Rename(s.path()+newSuffix, s.path()); err != nil {
		return err
	}
	return syncDir(s.dir)
}

func (s *stateFile) close() error {
	if s == nil {
		return nil
	}
	var err error
	if s.w != nil {
		err = s.w.close()
	}
	return errors.Join(err, s.lock.Close())
}

// records returns all that is to be saved; disk is held, mu is not.
func (b *Buffer) records() (map[string][]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dirty = false
	own := self{
		Epoch: b.epoch, Generation: b.generation, Written: b.written, Next: b.next, Produced: b.produced,
		Reserved: b.reserved, Damaged: b.damaged,
	}
	if n := len(b.segments); n > 0 {
		own.Segment = b.segments[n-1].about.First
	}
	all := map[string]any{recordSelf: own, recordGaps: b.gaps, recordPark: b.parked}
	for name, c := range b.targets {
		all[prefixAim+name] = c
	}
	records := make(map[string][]byte, len(all)+len(b.gone))
	plain := make(map[*gone][]byte, len(b.gone))
	for _, g := range b.gone {
		if plain[g] = b.gonePlain[g]; plain[g] == nil {
			packed := *g
			if len(g.Counts) > 0 {
				packed.Counts = b.packer.zstdOf(g.Counts)
			}
			var err error
			if plain[g], err = json.Marshal(&packed); err != nil {
				return nil, err
			}
		}
		records[fmt.Sprintf("%s%020d", prefixGone, g.First)] = plain[g]
	}
	b.gonePlain = plain
	for key, value := range all {
		plain, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		records[key] = plain
	}
	return records, nil
}

// lowest returns the cursor of the target that is furthest behind; the end where there is no target. mu is held.
func (b *Buffer) lowest() uint64 {
	low := b.next - 1
	for _, name := range b.names {
		low = min(low, b.targets[name].Seq)
	}
	return low
}

// save writes the state file; disk is held.
func (b *Buffer) save() error {
	records, err := b.records()
	if err != nil {
		return err
	}
	written, err := b.state.write(records)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.written += written
	if err != nil {
		b.dirty = true
	}
	return err
}

// restore takes over what a state file held.
func (b *Buffer) restore(records map[string][]byte) (own self, damage error) {
	own = decode[self](records[recordSelf], &damage)
	b.epoch, b.generation, b.written, b.reserved, b.damaged = own.Epoch, own.Generation, own.Written, own.Reserved, own.Damaged
	b.gaps = decode[[]hearth.Gap](records[recordGaps], &damage)
	b.parked = decode[[]Rejected](records[recordPark], &damage)
	unpack, err := newUnpacker()
	if err != nil {
		return own, err
	}
	for key, plain := range records {
		if name, is := strings.CutPrefix(key, prefixAim); is {
			c := decode[cursor](plain, &damage)
			b.targets[name] = &c
		}
		if strings.HasPrefix(key, prefixGone) {
			g := decode[gone](plain, &damage)
			if g.First == 0 || g.Last < g.First || g.After < g.Before {
				continue
			}
			if g.Counts, err = unpack.zstd.DecodeAll(g.Counts, nil); err != nil {
				g.Counts = nil
			}
			b.gone = addGone(b.gone, &g)
		}
	}
	return own, damage
}

func decode[T any](plain []byte, damage *error) T {
	var v T
	if plain == nil {
		return v
	}
	if err := json.Unmarshal(plain, &v); err != nil {
		*damage = errors.Join(*damage, damagef("a record of the state file: %v", err))
	}
	return v
}

// aside gives a damaged file another name, and makes room by removing the oldest of its kind.
func aside(log *slog.Logger, path string) {
	list := asideFiles(filepath.Dir(path))
	for len(list) >= maxAside {
		if err := remove(list[0]); err != nil {
			log.Warn("an old damaged file cannot be removed", "file", list[0], "error", err)
		}
		list = list[1:]
	}
	if err := os.Rename(path, asidePath(path)); err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Error("a damaged file cannot be set aside", "file", path, "error", err)
	}
}

// asidePath returns a free name, higher than all others.
func asidePath(path string) string {
	list := asideFiles(filepath.Dir(path))
	n := 1
	if len(list) > 0 {
		_, _ = fmt.Sscanf(filepath.Base(list[len(list)-1]), "%06d-", &n)
		n++
	}
	return filepath.Join(filepath.Dir(path), fmt.Sprintf("%06d-%s%s", n, filepath.Base(path), damagedSuffix))
}

// asideFiles lists what was set aside, oldest first.
func asideFiles(dir string) []string {
	list, _ := filepath.Glob(filepath.Join(dir, "*"+damagedSuffix)) // sorted; the pattern is good
	return list
}

const maxAside = 3

// countAside notes what the files take that were set aside; a person may have removed some.
func (b *Buffer) countAside() {
	var sum int64
	for _, path := range asideFiles(b.o.Dir) {
		sum += sizeOf(path)
	}
	b.aside.Store(sum)
}
