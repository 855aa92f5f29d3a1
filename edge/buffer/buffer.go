// Package buffer keeps readings on disk until every target has them, and is the gateway's own history. Readings are
// queued by Append, committed as numbered blocks by Run, handed out by Next and Peek, and only forgotten when the cap
// or the history window says so: acknowledged is a cursor, not a deletion.
//
// At every moment, for every target, produced = acknowledged + backlog + dropped, in rows. Damage to the files, a full
// disk and a power cut cost what they destroyed and not more; whatever is lost is counted and told as a gap.
package buffer

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hearth"
)

// Options say how a Buffer works. Dir is made if it is missing and belongs to the buffer alone.
type Options struct {
	Dir     string
	Commit  time.Duration // how long a reading may wait for its commit: what a power cut costs. 0 is 10 s
	Cap     int64         // bytes on disk; the oldest go first. 0 is 512 MiB
	History time.Duration // how long readings that every target has are kept. 0 is 7 days
	Targets []string      // who is to get every reading
	// Boot tells this boot's id and the clock's anchor, and whether it can be trusted. nil: it is always trusted.
	Boot func() (boot string, anchor time.Time, trusted bool)
	Now  func() time.Time // the gateway's clock; nil is time.Now
	Log  *slog.Logger     // nil is silence
}

const (
	maxQueue     = 65536           // rows waiting for a commit; Append refuses more
	maxBatch     = 64              // blocks in one transaction
	maxSegment   = 16 << 20        // bytes of a segment
	minSegment   = 64 << 10        // and of one under a small cap
	housekeeping = 5 * time.Second // between savings of the cursors, where no commit carries them
)

// A Buffer is the queue, the segments and the cursors. Its methods are safe for several goroutines.
type Buffer struct {
	o           Options
	segmentSize int64
	wake        chan struct{} // a commit is due
	aside       atomic.Int64  // bytes of damaged files

	// disk is held by whoever writes files, and is taken before mu. It guards what follows.
	disk       sync.Mutex
	packer     *packer
	fits       int // readings that can be expected to fit in a block
	state      *stateFile
	generation uint32           // of blocks: rises with every start and every commit that failed
	gonePlain  map[*gone][]byte // as they are saved: they never change
	reserved   uint64           // seqs below it may have been used, whatever the segments say
	began      bool             // the generation is on disk
	failing    bool             // the last commit failed

	mu          sync.Mutex // guards what follows, and is never held while a file is touched
	epoch       string
	next        uint64 // the seq of the next block
	produced    uint64 // rows committed in this epoch
	written     uint64 // bytes given to the device
	damaged     int
	queue       []hearth.Reading
	taken       [2]*times  // which ms each series has used; those of untrusted readings apart
	segments    []*segment // by seq; the slice is replaced, never changed
	gone        []*gone    // by seq; likewise
	targets     map[string]*cursor
	names       []string // the targets that count: the others' cursors are kept in case they come back
	gaps        []hearth.Gap
	parked      []Rejected
	committed   chan struct{}
	boot        string
	provisional time.Time // the anchor that untrusted readings' times rest on
	trueAnchor  time.Time // since Repair
	dirty       bool      // the state file is behind
	closed      bool
}

// Open opens the buffer in o.Dir, or makes one. Damage never keeps it from opening: what is damaged is set aside, its
// good blocks are kept, and the rest becomes a gap; see Stats.Damaged. It fails when the directory cannot be used, or
// is used by another process.
func Open(o Options) (*Buffer, error) {
	if o.Commit <= 0 {
		o.Commit = 10 * time.Second
	}
	if o.Cap <= 0 {
		o.Cap = 512 << 20
	}
	if o.History <= 0 {
		o.History = 7 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	b := &Buffer{
		o: o, segmentSize: min(max(o.Cap/8, minSegment), maxSegment), wake: make(chan struct{}, 1),
		fits: maxRows, next: 1, targets: make(map[string]*cursor), committed: make(chan struct{}), taken: [2]*times{newTimes(), newTimes()},
	}
	var err error
	if b.packer, err = newPacker(); err != nil {
		return nil, err
	}
	b.learnBoot()
	if err := b.load(); err != nil {
		return nil, errors.Join(err, b.state.close())
	}
	b.SetTargets(o.Targets...)
	return b, nil
}

// learnBoot notes the provisional anchor while there is one; the clock may become trusted at any moment, and readings
// in the queue still rest on it.
func (b *Buffer) learnBoot() {
	if b.o.Boot == nil {
		return
	}
	if boot, anchor, trusted := b.o.Boot(); !trusted {
		b.boot, b.provisional = boot, anchor
	}
}

// Append queues readings. It never waits for the disk. It takes all of them or, when the queue is full because the
// disk does not keep up, none: an error of code busy, and they count as never produced. A zero Time becomes now; a
// reading of a series' ms that is taken moves on to the next free one; one without a value is passed over.
func (b *Buffer) Append(readings ...hearth.Reading) error {
	now := b.o.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return os.ErrClosed
	}
	if len(b.queue)+len(readings) > maxQueue {
		return hearth.Errorf(hearth.CodeBusy, "%d readings wait for the disk: look at the disk of %s", len(b.queue), b.o.Dir)
	}
	for _, r := range readings {
		if r.Value.IsZero() {
			continue
		}
		if r.Time.IsZero() {
			r.Time = now
		}
		if r.Untrusted {
			b.learnBoot()
			b.settle(&r)
		}
		b.place(&r)
		b.queue = append(b.queue, r)
	}
	if len(b.queue) >= maxRows {
		b.Urgent()
	}
	return nil
}

// place gives a reading a whole ms that its series has not used.
func (b *Buffer) place(r *hearth.Reading) {
	taken := b.taken[0]
	if r.Untrusted {
		taken = b.taken[1]
	}
	r.Time = time.UnixMilli(taken.take(r.Device, r.Property, r.Time.UnixMilli())).UTC()
}

// Urgent has Run commit what is queued, now. It does not wait for that.
func (b *Buffer) Urgent() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Run commits when 200 rows are queued, after Options.Commit and when Urgent was called; it enforces the cap and the
// history window, and saves the cursors. It returns nil when ctx ends, what was queued then being on disk. A disk that
// refuses is no reason to return: readings wait in the queue and each tick tries again.
func (b *Buffer) Run(ctx context.Context) error {
	commit := time.NewTicker(b.o.Commit)
	defer commit.Stop()
	keep := time.NewTicker(housekeeping)
	defer keep.Stop()
	for {
		select {
		case <-ctx.Done():
			return b.Flush()
		case <-b.wake:
			_ = b.Flush() // logged there
		case <-commit.C:
			_ = b.Flush()
		case <-keep.C:
			b.keep()
		}
	}
}

// Flush commits what is queued and returns when it is on disk, or why it is not; then it stays queued.
func (b *Buffer) Flush() error {
	b.disk.Lock()
	defer b.disk.Unlock()
	err := b.commit()
	switch {
	case err != nil && !b.failing:
		b.o.Log.Error("readings cannot be written; they wait in memory", "dir", b.o.Dir, "error", err)
	case err == nil && b.failing:
		b.o.Log.Info("readings are written again", "dir", b.o.Dir)
	}
	b.failing = err != nil
	return err
}

// keep forgets what is too old and saves what changed.
func (b *Buffer) keep() {
	b.disk.Lock()
	defer b.disk.Unlock()
	if b.isClosed() {
		return
	}
	b.countAside()
	b.expire()
	if b.isDirty() {
		if err := b.save(); err != nil {
			b.o.Log.Warn("the buffer's cursors cannot be saved; trying again", "error", err)
		}
	}
}

// Close commits what is queued, saves the cursors and closes the files.
func (b *Buffer) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	b.mu.Unlock()
	err := b.Flush()
	b.disk.Lock()
	defer b.disk.Unlock()
	err = errors.Join(err, b.save())
	for _, s := range b.list() {
		if w := s.writer.Swap(nil); w != nil {
			err = errors.Join(err, w.close())
		}
	}
	return errors.Join(err, b.state.close())
}

// SetTargets says who is to get every reading from now on. A new target gets all that is held; one that is no longer
// named keeps its cursor in case it comes back, and does not hold up the history window.
func (b *Buffer) SetTargets(names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.names = slices.Clone(names)
	for _, name := range names {
		if b.targets[name] == nil {
			b.targets[name] = &cursor{}
			b.dirty = true
		}
	}
}

// Epoch names this life of the buffer: seqs are only comparable within one.
func (b *Buffer) Epoch() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.epoch
}

// Committed returns a channel that is closed at the next commit or repair. Take it before looking with Next.
func (b *Buffer) Committed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.committed
}

// Stats are what a person wants to know of the buffer.
type Stats struct {
	Produced uint64    // rows committed in this epoch
	Bytes    int64     // on disk, what was set aside included
	Cap      int64     // how many there may be
	Oldest   time.Time // of what is held; zero if nothing is
	Written  uint64    // bytes given to the device since the epoch began, the file system's own not included
	Damaged  int       // how often something damaged was set aside since the epoch began
}

// Stats returns one snapshot.
func (b *Buffer) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Stats{Produced: b.produced, Bytes: b.bytesLocked(), Cap: b.o.Cap, Written: b.written, Damaged: b.damaged}
	if len(b.segments) > 0 {
		s.Oldest = time.UnixMilli(b.segments[0].about.Oldest).UTC()
	} else if len(b.queue) > 0 {
		s.Oldest = b.queue[0].Time
	}
	return s
}

func (b *Buffer) bytesLocked() int64 {
	var sum int64
	for _, s := range b.segments {
		sum += s.size
	}
	return sum + b.state.size.Load() + b.aside.Load()
}

func (b *Buffer) list() []*segment {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.segments
}

func (b *Buffer) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

func (b *Buffer) isDirty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dirty
}

// announce wakes whoever waits on Committed; mu is held.
func (b *Buffer) announce() {
	close(b.committed)
	b.committed = make(chan struct{})
}
