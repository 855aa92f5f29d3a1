package buffer

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"hearth"
)

// load makes the buffer know what is in its directory. It reads the state file and, of each segment, its two meta
// pages and one more, so that it takes milliseconds whatever the backlog. Blocks are checked when they are read.
func (b *Buffer) load() error {
	if err := os.MkdirAll(b.o.Dir, 0o700); err != nil {
		return fmt.Errorf("making the buffer's directory: %w", err)
	}
	var err error
	if b.state, err = lockDir(b.o.Dir); err != nil {
		return fmt.Errorf("opening the buffer: %w", err)
	}
	b.disk.Lock()
	tail, err := b.loadSegments()
	if err == nil {
		var own self
		if own, err = b.loadState(tail); err == nil {
			b.bridge(own, tail)
		}
	}
	b.disk.Unlock()
	b.countAside()
	if err != nil {
		return err
	}
	if err := b.checkCursors(); err != nil {
		return fmt.Errorf("opening the buffer: %w", err)
	}
	b.disk.Lock()
	defer b.disk.Unlock()
	return b.removeGone()
}

// A tailEnd is what is known of the end of the last segment.
type tailEnd struct {
	about   about // of the last segment, from itself or from its remains
	unsure  bool  // it was damaged: there may have been more
	damaged int
}

// loadSegments lists the segments, rescuing those that are damaged outright.
func (b *Buffer) loadSegments() (tailEnd, error) {
	var tail tailEnd
	leftovers, _ := filepath.Glob(filepath.Join(b.o.Dir, "*"+newSuffix))
	for _, path := range leftovers {
		if err := remove(path); err != nil {
			return tail, fmt.Errorf("opening the buffer: %w", err)
		}
	}
	paths, _ := filepath.Glob(filepath.Join(b.o.Dir, "*"+segmentSuffix)) // sorted
	for i, path := range paths {
		first, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), segmentSuffix), 10, 63)
		if err != nil || first == 0 {
			continue // not ours
		}
		s, err := inspect(path)
		if err == nil && s.about.First != first {
			err = damagef("it begins with %d", s.about.First)
		}
		last := i == len(paths)-1
		if err != nil {
			if !errors.Is(err, errDamaged) {
				return tail, fmt.Errorf("opening the buffer: %w", err)
			}
			if tail.damaged++; last {
				tail.unsure = true
			}
			if s, tail.about, err = b.loadDamaged(path, first, err); err != nil {
				return tail, fmt.Errorf("saving what is good of %s (is there room on the disk?): %w", path, err)
			}
		}
		if s != nil {
			b.join(s)
			if last && s.about.Next >= tail.about.Next {
				tail.about = s.about
			}
		}
	}
	return tail, nil
}

// loadDamaged keeps what is good of a damaged segment.
func (b *Buffer) loadDamaged(path string, first uint64, damage error) (*segment, about, error) {
	b.o.Log.Error("a damaged segment is set aside; its good blocks are kept", "file", path, "damage", damage)
	found, err := search(path)
	if err != nil {
		return nil, about{}, err
	}
	for {
		s, err := b.salvage(&segment{path: path, about: about{First: first}})
		if list := asideFiles(b.o.Dir); isFull(err) && len(list) > 0 && os.Remove(list[0]) == nil {
			continue
		}
		return s, found.about, err
	}
}

// join adds a segment, whose first block says where the one before it ends: what a failed commit left there is not
// held twice.
func (b *Buffer) join(s *segment) {
	for n := len(b.segments); n > 0; n-- {
		before := b.segments[n-1]
		if before.about.Next <= s.about.First {
			break
		}
		before.about.Next, before.about.After, before.sealed = s.about.First, s.about.Before, true
		if before.about.First < before.about.Next {
			break
		}
		b.segments = b.segments[:n-1]
	}
	b.segments = append(b.segments, s)
}

// loadState reads the state file; where it is damaged, the last segment's record stands in for it.
func (b *Buffer) loadState(tail tailEnd) (self, error) {
	held := b.gone // holes found by salvage
	b.gone = nil
	records, damage := b.state.read()
	if damage != nil && !errors.Is(damage, errDamaged) {
		return self{}, fmt.Errorf("opening the buffer: %w", damage)
	}
	own, more := b.restore(records)
	damage = errors.Join(damage, more)
	if damage == nil && own.Epoch == "" && len(records) > 0 {
		damage = damagef("it does not say whose it is")
	}
	if damage == nil && own.Epoch != "" && tail.about.Epoch != "" && own.Epoch != tail.about.Epoch {
		damage = damagef("it belongs to another buffer")
		own, b.gone = self{}, nil
		clear(b.targets)
	}
	if damage != nil {
		b.o.Log.Error("the buffer's state file is damaged; it is set aside and made anew", "damage", damage)
		aside(b.o.Log, b.state.path())
		b.damaged++
		b.dirty = true
	}
	for _, g := range held {
		b.gone = addGone(b.gone, g)
	}
	for name, c := range tail.about.Targets {
		if known := b.targets[name]; known == nil {
			b.targets[name] = &c
		} else if known.Version < c.Version {
			known.outdone(c)
		}
	}
	if tail.about.Epoch != "" {
		b.epoch = tail.about.Epoch
	}
	for i := 0; b.epoch == "" && i < len(b.segments); i++ {
		b.epoch = b.segments[i].about.Epoch
	}
	if own.Epoch == "" {
		own.Epoch = b.epoch
	}
	if own.Epoch == "" {
		own.Epoch = strings.ToLower(rand.Text())[:16]
	}
	b.epoch = own.Epoch
	b.generation = max(own.Generation, tail.about.Generation) + 1
	b.written = max(own.Written, tail.about.Written)
	b.damaged += tail.damaged
	return own, nil
}

// bridge works out where the seqs go on, and what is missing.
func (b *Buffer) bridge(own self, tail tailEnd) {
	held, rows, first := uint64(1), uint64(0), uint64(0)
	if n := len(b.segments); n > 0 {
		held, rows, first = b.segments[n-1].about.Next, b.segments[n-1].about.After, b.segments[n-1].about.First
	}
	if n := len(b.gone); n > 0 && b.gone[n-1].Last >= held {
		held, rows = b.gone[n-1].Last+1, max(rows, b.gone[n-1].After)
	}
	b.next, b.produced = max(held, own.Next, tail.about.Next), max(rows, own.Produced, tail.about.After)
	missing := own.Segment > first && goneAt(b.gone, own.Segment) == nil
	holes := seqsOf(b.gone)
	b.reconcile()
	if tail.unsure || missing || b.next > held {
		if b.reserved == 0 {
			b.reserved = held + reserveSeqs
		}
		b.leap(max(b.next, b.reserved))
	}
	if lost := seqsOf(b.gone) - holes; lost > 0 {
		b.o.Log.Error("blocks are missing", "dir", b.o.Dir, "seqs", lost)
		if tail.damaged == 0 {
			b.damaged++
		}
	}
}

// seqsOf counts what is gone by damage.
func seqsOf(list []*gone) (sum uint64) {
	for _, g := range list {
		if g.Reason == hearth.GapDamaged {
			sum += g.Last - g.First + 1
		}
	}
	return sum
}

// checkCursors makes the cursors agree with what is there.
func (b *Buffer) checkCursors() error {
	for _, c := range b.targets {
		if c.Seq < b.next {
			b.gone = splitAt(b.gone, c.Seq, c.Rows)
		}
		c.Seq = min(c.Seq, b.next-1)
		rows, err := b.through(c.Seq)
		if err != nil {
			return err
		}
		c.Rows = rows
		if c.dropped() > rows {
			c.Settled = []settlement{{c.Seq, rows}}
		}
	}
	return nil
}

// removeGone removes segments of which nothing is wanted any more: those whose drop was cut short.
func (b *Buffer) removeGone() error {
	var kept []*segment
	for _, s := range b.list() {
		if !covered(b.gone, s.about.First, s.about.Next-1) {
			kept = append(kept, s)
			continue
		}
		if err := remove(s.path); err != nil {
			return fmt.Errorf("opening the buffer: %w", err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.segments = kept
	return nil
}
