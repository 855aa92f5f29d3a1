// Package series keeps the readings of many homes: time series in Pebble, with each home's batch numbers and loss
// ledger in the same log, so that what Write returned for is on disk as a whole or not at all.
//
// A Write appends one small block per day it touches; Run merges blocks into chunks of their own series (see keys.go
// and codec.go). Everything the store remembers of a home besides can be read back from disk, so homes come and go in
// a bounded memory.
package series

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"hearth"
)

// Options are a store's settings; the zero value of each has a default.
type Options struct {
	Retention time.Duration    // points older than that are deleted, a whole UTC day at a time; 0 keeps them for good
	MaxSeries int              // how many series one home may have: 10 000
	Cache     int64            // bytes of table blocks and of fresh writes together that are kept in memory: 32 MiB
	MemTable  uint64           // bytes of fresh writes kept in memory before they become a table: 8 MiB
	Recent    bool             // writes are kept for Recent until Forget
	Now       func() time.Time // the receiver's clock: time.Now
	Log       *slog.Logger     // nil is silent

	// RetentionOf returns how long a home's points are kept, 0 for good; nil: all as long as Retention says. A home
	// of which it cannot be told loses nothing.
	RetentionOf func(ctx context.Context, home string) (time.Duration, error)
}

// A Point is one field of one line. Series is the canonical series key, "measurement,tag=value,…" with sorted tags,
// escaped as in line protocol.
type Point struct {
	Series string
	Field  string
	Time   int64 // unix nanoseconds
	Value  hearth.Value
}

// A Write is what one request brings for one home. Batch and Ledger are those of the batch protocol; without Batch it
// is a plain write. Each point is a row, but for the mark of a repaired time (the field clock of measurement hearth).
type Write struct {
	Home   string
	Points []Point
	Gaps   []hearth.Gap
	Batch  *hearth.BatchID
	Ledger *hearth.Ledger
	Bad    uint64 // rows refused before they came here

	Received time.Time // when it was, to the millisecond; zero: now

	// Place says where the Write stands in a log that has it already. It is kept with what is written, as a whole or not
	// at all, so the Write need not be on disk when it is acknowledged: after a power cut, what lacks is behind Place.
	// The Writes of such a log come one after the other. One that is ahead, or of code bad_value, keeps no Place.
	Place []byte
}

// An Outcome tells what became of a Write.
type Outcome struct {
	Durable   hearth.BatchID // everything of that epoch up to that seq is on disk; zero for a plain write
	Duplicate bool           // the batch was there before: only counted
	Ahead     bool           // the batch is beyond the next seq: nothing was stored
	Bad       uint64         // rows of it that are counted as dropped here; for a duplicate, those of the first time
	Refused   uint64         // those among Bad that the store itself refused: without a value, or one series too many
}

// Stats are figures of the whole store.
type Stats struct {
	Bytes      int64  // on disk, with the log
	CacheBytes int64  // table blocks and fresh writes in memory
	Homes      int    // homes in memory
	Series     int    // series in memory
	Waiting    int    // homes that wait for their blocks to be merged
	Damaged    uint64 // chunks and blocks found undecodable since Open
}

var errClosed = errors.New("the series store is closed")

const (
	defaultMaxSeries = 10_000
	maxNameLength    = 8 << 10 // bytes of a series key and its field together
)

// A Store holds the time series of all homes. Its methods are safe for several goroutines: writes of one home wait for
// each other, writes of different homes share their fsyncs.
type Store struct {
	options   Options
	log       *slog.Logger
	now       func() time.Time
	db        *pebble.DB
	homes     *homes
	backlog   chan string // homes with enough blocks for a merge; when full, the sweep finds them
	freed     chan []span // what deleted homes had
	scratch   sync.Pool   // *scratch
	desks     sync.Pool   // *desk
	fields    fields
	damaged   counter
	recent    *recent // nil: none are kept
	room      room
	leftovers leftovers

	numbering sync.Mutex // guards the number of the next home, on disk

	life   sync.RWMutex // held for reading by every call, for writing by Close
	closed bool
}

// Open opens the store in dir, or makes it. Only one process can have it open.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{options: o, log: o.Log, now: o.Now, backlog: make(chan string, 1024), freed: make(chan []span, freedQueue)}
	s.leftovers.bytes = map[int32]uint64{}
	if s.options.MaxSeries <= 0 {
		s.options.MaxSeries = defaultMaxSeries
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.room.usage = func() (vfs.DiskUsage, error) { return vfs.Default.GetDiskUsage(dir) }
	s.scratch.New = func() any { return newScratch() }
	s.desks.New = func() any { return newDesk() }
	db, err := pebble.Open(dir, pebbleOptions(o, s.log))
	if err != nil {
		return nil, fmt.Errorf("opening the series store %s (only one hearth-cloud may run on it): %w", dir, err)
	}
	s.db = db
	s.homes = newHomes(s)
	if s.recent, err = s.openRecent(o.Recent); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the series store %s: %w", dir, err), db.Close())
	}
	return s, nil
}

// Close ends the store after the calls under way; end Run first. Later calls fail.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing the series store: %w", err)
	}
	return nil
}

// enter keeps the store open until leave is called.
func (s *Store) enter() (leave func(), err error) {
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return nil, errClosed
	}
	return s.life.RUnlock, nil
}

// Backup writes a copy of the store as of now into dir, which must not exist yet. It shares the unchanging files by
// hard links where the file system can, and is opened with Open.
func (s *Store) Backup(dir string) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("copying the series store to %s: %w", dir, err)
	}
	return nil
}

// Verify reports whether there is a store in dir that this version can open. It changes nothing there.
func Verify(dir string) error {
	o := pebbleOptions(Options{}, slog.New(slog.DiscardHandler))
	o.ReadOnly = true
	db, err := pebble.Open(dir, o)
	if err != nil {
		return fmt.Errorf("opening the series in %s: %w", dir, err)
	}
	return db.Close()
}

// Gaps returns the home's gaps that overlap [from, to), by their end.
func (s *Store) Gaps(home string, from, to time.Time) ([]hearth.Gap, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	h, err := s.homes.acquire(home)
	if err != nil {
		return nil, err
	}
	defer s.homes.release(h)
	h.mu.RLock()
	number := h.record.number
	h.mu.RUnlock()
	return s.gaps(number, nanosecond(from), nanosecond(to))
}

// Stats returns figures for metrics; zero once the store is closed.
func (s *Store) Stats() Stats {
	leave, err := s.enter()
	if err != nil {
		return Stats{}
	}
	defer leave()
	m := s.db.Metrics()
	stats := Stats{
		Bytes:      int64(m.DiskSpaceUsage()),
		CacheBytes: m.BlockCache.Size + int64(m.MemTable.Size),
		Damaged:    s.damaged.Load(),
		Waiting:    len(s.backlog),
	}
	stats.Homes, stats.Series = s.homes.size()
	return stats
}

// Sync tells up to where the home's batches are on disk: of its current epoch, or "" and 0 before the first batch.
func (s *Store) Sync(home string) (hearth.Sync, error) {
	leave, err := s.enter()
	if err != nil {
		return hearth.Sync{}, err
	}
	defer leave()
	h, err := s.homes.acquire(home)
	if err != nil {
		return hearth.Sync{}, err
	}
	defer s.homes.release(h)
	h.mu.RLock()
	defer h.mu.RUnlock()
	return hearth.Sync{Epoch: h.record.epoch.name, Durable: h.record.epoch.durable}, nil
}

// Last returns the last value of every series of the home, in the order in which they first appeared.
func (s *Store) Last(home string) ([]Point, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	h, err := s.homes.acquire(home)
	if err != nil {
		return nil, err
	}
	defer s.homes.release(h)
	h.mu.RLock()
	defer h.mu.RUnlock()
	points := make([]Point, 0, len(h.order))
	for _, one := range h.order {
		if !one.last.v.IsZero() {
			points = append(points, Point{Series: one.name.series, Field: one.name.field, Time: one.last.t, Value: one.last.v})
		}
	}
	return points, nil
}
