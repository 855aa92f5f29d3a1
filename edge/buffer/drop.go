package buffer

import (
	"os"
	"slices"

	"hearth"
)

// enforceCap drops the oldest segments until the rest fits; disk is held.
func (b *Buffer) enforceCap() {
	for b.bytes() > b.o.Cap && b.makeRoom() {
	}
}

func (b *Buffer) bytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytesLocked()
}

// makeRoom removes what can be spared best: what was set aside, then the oldest segment. It reports whether there was
// anything. The segment that is being written stays.
func (b *Buffer) makeRoom() bool {
	if list := asideFiles(b.o.Dir); len(list) > 0 {
		if err := os.Remove(list[0]); err == nil {
			b.countAside()
			return true
		}
	}
	list := b.list()
	if len(list) == 0 || list[0].writer.Load() != nil {
		return false
	}
	return b.drop(list[0], hearth.GapCap)
}

// expire drops the segments that every target has and that are older than the history window; disk is held.
func (b *Buffer) expire() {
	horizon := b.o.Now().Add(-b.o.History).UnixMilli()
	for {
		b.mu.Lock()
		list, low := b.segments, b.lowest()
		b.mu.Unlock()
		if len(list) == 0 || list[0].writer.Load() != nil || list[0].about.Newest >= horizon || list[0].about.Next-1 > low {
			return
		}
		if !b.drop(list[0], "") {
			return
		}
	}
}

// drop forgets a segment, as a tombstone for those who lack it. The tombstone is durable before the file goes; should
// a full disk not even take that, it is worked out at the next start from the rows that its neighbours count.
func (b *Buffer) drop(s *segment, reason string) bool {
	b.mu.Lock()
	a, low, targets := s.about, b.lowest(), len(b.names)
	b.mu.Unlock()
	g := &gone{First: a.First, Last: a.Next - 1, Before: a.Before, After: a.After, From: a.Oldest, To: a.Newest, Reason: reason, Counts: s.counts(a)}
	if targets > 0 && low >= g.Last {
		g.Reason = ""
	}
	b.mu.Lock()
	b.gone = addGone(b.gone, g)
	b.segments = slices.Clone(b.segments[1:])
	b.dirty = true
	b.mu.Unlock()
	if err := b.save(); err != nil {
		b.o.Log.Warn("a dropped segment cannot be noted yet", "file", s.path, "error", err)
	}
	if err := remove(s.path); err != nil {
		b.o.Log.Error("a dropped segment cannot be removed", "file", s.path, "error", err)
		return false
	}
	if err := syncDir(b.o.Dir); err != nil {
		b.o.Log.Warn("a dropped segment may come back after a power cut", "file", s.path, "error", err)
	}
	return true
}

// counts returns the rows of every seq of a segment, nil if it cannot all be read.
func (s *segment) counts(a about) []byte {
	counts := make([]byte, a.Next-a.First)
	err := s.read(func(t *tree) error {
		return t.blocks(a.First, func(found block) error {
			if found.seq >= a.Next {
				return errStop
			}
			counts[found.seq-a.First] = byte(found.rows)
			return nil
		})
	})
	if err != nil {
		return nil
	}
	return counts
}
