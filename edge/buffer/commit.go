package buffer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"hearth"
)

// commit writes all that is queued; disk is held. What it cannot write stays queued.
func (b *Buffer) commit() error {
	for tries := 0; ; {
		blocks, used, err := b.pending()
		if err != nil || used == 0 {
			return err
		}
		if len(blocks) > 0 {
			err = b.store(blocks)
		}
		switch {
		case err == nil:
			tries = 0
			b.publish(blocks, used)
			b.enforceCap()
		case isFull(err) && b.makeRoom():
			b.o.Log.Warn("the disk is full: the oldest was dropped", "dir", b.o.Dir)
		case errors.Is(err, errDamaged) && tries < 3: // the segment has been set aside
			tries++
		default:
			return fmt.Errorf("writing readings: %w", err)
		}
	}
}

// isFull reports whether the disk has no room. bbolt does not wrap all of its errors.
func isFull(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, errno) || err != nil && strings.Contains(err.Error(), errno.Error()) {
			return true
		}
	}
	return false
}

// pending packs what is queued, at most maxBatch blocks of it. used is how many readings that is; those that cannot be
// written at all are left out and were never produced.
func (b *Buffer) pending() (blocks []block, used int, err error) {
	b.mu.Lock()
	queue := b.queue[:min(len(b.queue), maxBatch*maxRows)]
	seq, rows := b.next, b.produced
	boot, provisional := b.boot, b.provisional
	b.mu.Unlock()
	for used < len(queue) && len(blocks) < maxBatch {
		run := queue[used:min(used+maxRows, len(queue))]
		for i := range run {
			if run[i].Untrusted != run[0].Untrusted {
				run = run[:i]
				break
			}
		}
		made := block{seq: seq, before: rows, generation: b.generation}
		if run[0].Untrusted {
			made.flags, made.boot, made.anchor = flagUntrusted, clip(boot, maxBoot), provisional.UnixNano()
		} else if run[0].Repaired {
			made.flags = flagRepaired
		}
		n, err := b.fill(&made, run)
		if err != nil {
			return nil, 0, err
		}
		used += n
		if made.rows > 0 {
			blocks = append(blocks, made)
			seq, rows = seq+1, made.after()
		}
	}
	return blocks, used, nil
}

func clip(s string, n int) string { return s[:min(len(s), n)] }

// fill packs the first of these readings into a block: as many as fit on a page of the file. It returns how many that
// is, with those that no line can carry, which it leaves out.
func (b *Buffer) fill(made *block, readings []hearth.Reading) (used int, err error) {
	readings = readings[:min(len(readings), b.fits)]
	for {
		if err := b.packer.pack(made, readings); err != nil {
			good := slices.DeleteFunc(slices.Clone(readings), func(r hearth.Reading) bool {
				_, err := hearth.AppendLines(nil, []hearth.Reading{r}, "")
				if err != nil {
					b.o.Log.Error("a reading cannot be written and is left out", "device", r.Device, "property", r.Property, "error", err)
				}
				return err != nil
			})
			if len(good) == len(readings) {
				return 0, fmt.Errorf("packing readings: %w", err)
			}
			if len(good) > 0 {
				err = b.packer.pack(made, good)
			} else {
				made.rows, err = 0, nil
			}
			return len(readings), err
		}
		if len(readings) == 1 || headerBytes+maxBoot+len(made.filter)+len(made.payload) <= maxValue {
			b.fits = min(max(b.fits, 2*len(readings)), maxRows)
			return len(readings), nil
		}
		readings = readings[:len(readings)/2]
		b.fits = len(readings)
	}
}

// store writes blocks to the last segment, or a new one; disk is held. After an error the segment is closed for good:
// what of it reached the disk is unknown, and the next segment's name says where it ends.
func (b *Buffer) store(blocks []block) error {
	if err := b.reserve(blocks); err != nil {
		return err
	}
	s, err := b.writable()
	if err != nil {
		return err
	}
	if s == nil {
		return b.begin(blocks)
	}
	w := s.writer.Load()
	next := b.describe(s.about, blocks)
	before := w.written
	size := s.size
	err = w.extend(size, needs(blocks), b.segmentSize/64)
	if err == nil {
		size, err = w.update(next.put(blocks))
	}
	if err != nil {
		b.abandon(s, err)
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.about, s.size = next, size
	b.written += w.written - before
	return nil
}

// needs returns how much a file may grow by these blocks and the pages above them.
func needs(blocks []block) int64 {
	sum := int64(8 * pageSize)
	for i := range blocks {
		sum += int64(len(blocks[i].payload)+maxBoot+maxFilter+headerBytes) * 2
	}
	return sum
}

// reserve notes, before seqs are used, that they may have been, and that this generation has begun.
func (b *Buffer) reserve(blocks []block) error {
	last := blocks[len(blocks)-1].seq
	if last < b.reserved && b.began {
		return nil
	}
	b.reserved = last + reserveSeqs
	if err := b.save(); err != nil {
		b.reserved = last // so that it is tried again
		return err
	}
	b.began = true
	return nil
}

const reserveSeqs = 1024

// describe returns the record about a segment with these blocks more, and all that it carries along.
func (b *Buffer) describe(a about, blocks []block) about {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range blocks {
		a.include(&blocks[i])
	}
	if b.epoch == "" {
		return a // while the buffer is opened, it keeps what it carried
	}
	a.Epoch, a.Written, a.Targets = b.epoch, b.written, make(map[string]cursor, len(b.names))
	for _, name := range b.names {
		c := *b.targets[name]
		c.Settled, c.Told = slices.Clone(c.Settled), slices.Clone(c.Told)
		if n := len(c.Settled); n > 1 {
			c.Settled = c.Settled[n-1:] // it has to fit on a page with the rest
		}
		c.Told = c.Told[max(0, len(c.Told)-2):]
		a.Targets[name] = c
	}
	return a
}

// writable returns the last segment, open for writing; nil if there must be a new one.
func (b *Buffer) writable() (*segment, error) {
	list := b.list()
	if len(list) == 0 {
		return nil, nil
	}
	s := list[len(list)-1]
	if w := s.writer.Load(); w != nil {
		if s.size < b.segmentSize {
			return s, nil
		}
		s.writer.Store(nil)
		if err := w.close(); err != nil {
			b.o.Log.Warn("a full segment cannot be closed", "file", s.path, "error", err)
		}
		if err := os.Truncate(s.path, s.size); err != nil {
			b.o.Log.Warn("a full segment cannot be cut to its size", "file", s.path, "error", err)
		}
		return nil, nil
	}
	if s.sealed || s.size >= b.segmentSize {
		return nil, nil
	}
	if err := s.verify(); err != nil { // bbolt must not be given a damaged one
		if errors.Is(err, errDamaged) {
			err = b.rescue(s, err)
		}
		s.sealed = true
		return nil, err
	}
	w, err := openWriter(s.path, b.segmentSize)
	if err != nil {
		s.sealed = true
		return nil, nil // a new one will do
	}
	s.writer.Store(w)
	return s, nil
}

// begin makes a new segment of these blocks. It only gets its name when they are in it: a file with a segment's name
// that holds nothing is damage.
func (b *Buffer) begin(blocks []block) error {
	s := &segment{path: segmentPath(b.o.Dir, blocks[0].seq)}
	s.about = b.describe(about{}, blocks)
	temporary := s.path + newSuffix
	if err := remove(temporary); err != nil {
		return err
	}
	w, err := openWriter(temporary, b.segmentSize)
	if err == nil {
		err = w.extend(0, needs(blocks), b.segmentSize/64)
	}
	if err == nil {
		s.size, err = w.update(s.about.put(blocks))
	}
	if err == nil {
		err = os.Rename(temporary, s.path)
	}
	if err == nil {
		err = syncDir(b.o.Dir)
	}
	if err != nil {
		if w.db != nil {
			_ = w.close() // it was never used
		}
		return errors.Join(err, remove(temporary))
	}
	w.path = s.path
	s.writer.Store(w)
	b.mu.Lock()
	b.segments = append(slices.Clip(b.segments), s)
	b.written += w.written + 4*pageSize // a new bbolt file is four pages
	b.dirty = true
	b.mu.Unlock()
	return nil
}

// abandon closes a segment after a failed commit. One that proved damaged is set aside at once.
func (b *Buffer) abandon(s *segment, err error) {
	w := s.writer.Swap(nil)
	s.sealed = true
	b.generation++ // so that what the failed commit left behind is older than what follows
	if errors.Is(err, errDamaged) {
		_ = b.rescue(s, err) // logged there. bbolt may hold its locks for ever: the file stays open
		return
	}
	if err := w.close(); err != nil {
		b.o.Log.Warn("a segment cannot be closed", "file", s.path, "error", err)
	}
}

// publish makes committed blocks visible and takes their readings off the queue, in one step.
func (b *Buffer) publish(blocks []block, used int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.queue[:used])
	if b.queue = b.queue[used:]; len(b.queue) == 0 {
		b.queue = nil // a long one is not kept
	}
	if len(blocks) == 0 {
		return
	}
	last := &blocks[len(blocks)-1]
	b.next, b.produced = last.seq+1, last.after()
	b.announce()
}
