package buffer

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"hearth"
)

// settle gives a reading that rests on the provisional anchor its true time, once that is known: readings come marked
// untrusted for a moment after Repair. mu is held.
func (b *Buffer) settle(r *hearth.Reading) {
	if r.Untrusted && !b.trueAnchor.IsZero() {
		r.Time, r.Untrusted, r.Repaired = r.Time.Add(shiftOf(b.provisional, b.trueAnchor)), false, true
	}
}

// shiftOf returns what times that rest on a provisional anchor lack: whole ms, so that no two of a series meet.
func shiftOf(provisional, anchor time.Time) time.Duration {
	return anchor.Sub(provisional).Truncate(time.Millisecond)
}

// Repair says that the clock is trusted, and what this boot's true anchor is. What waits in the queue and every
// untrusted block of this boot get their true times, under their own seqs, marked repaired; untrusted blocks of
// earlier boots, whose times nobody will ever know, become gaps. It can be called again: what was cut short goes on.
func (b *Buffer) Repair(boot string, anchor time.Time) error {
	b.disk.Lock() // nobody may be packing what is queued
	b.mu.Lock()
	if b.boot == "" {
		b.boot, b.provisional = boot, anchor
	}
	b.trueAnchor = anchor
	for i := range b.queue {
		b.settle(&b.queue[i])
	}
	b.taken[0].move(b.taken[1], shiftOf(b.provisional, anchor).Milliseconds())
	b.mu.Unlock()
	b.disk.Unlock()
	err := b.Flush()
	unpack, failed := newUnpacker()
	if failed != nil {
		return failed
	}
	defer unpack.zstd.Close()
	r := repair{Buffer: b, boot: clip(boot, maxBoot), anchor: anchor, unpack: unpack}
	for _, s := range b.list() {
		b.mu.Lock()
		waiting := s.about.Untrusted > 0
		b.mu.Unlock()
		if waiting {
			err = errors.Join(err, r.segment(s))
		}
	}
	b.mu.Lock()
	b.announce()
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("repairing the times of readings: %w", err)
	}
	return nil
}

const maxRepair = 256 // blocks in one transaction: all of a segment is looked through for each

// A repair goes through the segments that hold untrusted blocks.
type repair struct {
	*Buffer
	boot   string
	anchor time.Time
	unpack *unpacker
}

// segment repairs one segment, a batch of blocks in each transaction; between them, readings can be committed.
func (r *repair) segment(s *segment) error {
	for {
		more, err := r.batch(s)
		if err != nil || !more {
			return err
		}
	}
}

func (r *repair) batch(s *segment) (more bool, err error) {
	r.disk.Lock()
	defer r.disk.Unlock()
	if !slices.Contains(r.list(), s) {
		return false, nil
	}
	todo, err := r.find(s)
	if err == nil {
		err = r.rewrite(s, &todo)
	}
	if errors.Is(err, errDamaged) {
		if err := r.rescue(s, err); err != nil {
			return false, err
		}
		return false, r.rest()
	}
	return err == nil && todo.more, err
}

// rest repairs what a rescue kept, in the segment that took the damaged one's place.
func (r *repair) rest() error {
	for _, s := range r.list() {
		if s.about.Untrusted == 0 {
			continue
		}
		for {
			todo, err := r.find(s)
			if err == nil {
				err = r.rewrite(s, &todo)
			}
			if err != nil {
				return err
			}
			if !todo.more {
				break
			}
		}
	}
	return nil
}

// A todo is what there is to do in one transaction, and what the segment's record will say after it.
type todo struct {
	repaired []block
	lost     []*gone
	about    about
	more     bool
}

// find looks through a segment for blocks to repair. All of its times are looked at, for the record about it.
func (r *repair) find(s *segment) (todo, error) {
	r.mu.Lock()
	a, list := s.about, r.gone
	r.mu.Unlock()
	t := todo{about: a}
	t.about.Untrusted, t.about.Oldest, t.about.Newest = 0, 0, 0
	var previous int64
	err := s.read(func(tree *tree) error {
		return tree.blocks(a.First, func(found block) error {
			if found.seq >= a.Next {
				return errStop
			}
			if goneAt(list, found.seq) != nil {
				return nil
			}
			switch {
			case !found.untrusted():
			case found.boot != r.boot:
				t.lose(&found, previous)
				return nil
			case len(t.repaired) == maxRepair:
				t.more = true
				t.about.Untrusted++
			default:
				if err := r.shift(&found); err != nil {
					return err
				}
				t.repaired = append(t.repaired, found)
			}
			t.span(&found)
			t.bound(found.first)
			previous = found.last
			return nil
		})
	})
	if t.about.Oldest == 0 {
		t.about.Oldest, t.about.Newest = a.Oldest, a.Newest
	}
	now := r.o.Now().UnixMilli()
	t.bound(now)
	return t, err
}

func (t *todo) span(b *block) {
	if t.about.Oldest == 0 {
		t.about.Oldest, t.about.Newest = b.first, b.last
	}
	t.about.Oldest, t.about.Newest = min(t.about.Oldest, b.first), max(t.about.Newest, b.last)
}

// lose notes a block whose time nobody knows: it was after the one before it and before the one after it.
func (t *todo) lose(b *block, previous int64) {
	if n := len(t.lost); n > 0 && t.lost[n-1].Last+1 == b.seq && t.lost[n-1].To == 0 {
		g := t.lost[n-1]
		g.Last, g.After, g.Counts = b.seq, b.after(), append(g.Counts, byte(b.rows))
		return
	}
	t.lost = append(t.lost, &gone{First: b.seq, Last: b.seq, Before: b.before, After: b.after(), From: previous, Counts: []byte{byte(b.rows)}, Reason: hearth.GapClock})
}

// bound says that a lost range ended before a time.
func (t *todo) bound(ms int64) {
	if n := len(t.lost); n > 0 && t.lost[n-1].To == 0 {
		g := t.lost[n-1]
		if g.To = ms; g.From == 0 || g.From > ms {
			g.From = ms
		}
	}
}

// shift gives a block its true times. What it is made of stays the same.
func (r *repair) shift(b *block) error {
	readings, err := r.unpack.readings(nil, b)
	if err != nil {
		return err
	}
	if len(readings) != b.rows {
		return fmt.Errorf("block %d holds %d rows instead of %d", b.seq, len(readings), b.rows)
	}
	by := shiftOf(time.Unix(0, b.anchor), r.anchor)
	for i := range readings {
		readings[i].Time, readings[i].Untrusted, readings[i].Repaired = readings[i].Time.Add(by), false, true
	}
	b.flags, b.boot, b.anchor = flagRepaired, "", 0
	return r.packer.pack(b, readings)
}

// rewrite puts the repaired blocks in place of the untrusted ones, and notes those that are lost; disk is held.
func (r *repair) rewrite(s *segment, t *todo) error {
	if len(t.repaired) > 0 {
		if err := r.replace(s, t); err != nil {
			return err
		}
	}
	r.mu.Lock()
	for _, g := range t.lost {
		r.gone = addGone(r.gone, g)
	}
	s.about.Untrusted, s.about.Oldest, s.about.Newest = t.about.Untrusted, t.about.Oldest, t.about.Newest
	r.mu.Unlock()
	if len(t.lost) == 0 {
		return nil
	}
	r.o.Log.Warn("readings of an earlier boot are lost: the clock was never set", "segment", s.path, "ranges", len(t.lost))
	return r.save()
}

func (r *repair) replace(s *segment, t *todo) error {
	w, own := s.writer.Load(), false
	if w == nil {
		if err := s.verify(); err != nil {
			return err
		}
		var err error
		if w, err = openWriter(s.path, r.segmentSize); err != nil {
			return err
		}
		s.writer.Store(w)
		own = true
	}
	next := r.describe(t.about, nil)
	before := w.written
	size := s.size
	err := w.extend(size, needs(t.repaired), r.segmentSize/64)
	if err == nil {
		size, err = w.update(next.put(t.repaired))
	}
	if err != nil {
		r.abandon(s, err)
		return err
	}
	r.mu.Lock()
	s.size = size
	r.written += w.written - before
	r.mu.Unlock()
	if own {
		s.writer.Store(nil)
		return w.close()
	}
	return nil
}
