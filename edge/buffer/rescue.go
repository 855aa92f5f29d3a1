package buffer

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"

	"hearth"
)

// rescue sets a damaged segment aside and puts what is good of it in its place; the rest becomes a gap. It goes by the
// blocks' own marks and checksums, not by the pages they are on. disk is held.
func (b *Buffer) rescue(s *segment, why error) error {
	b.mu.Lock()
	at := slices.Index(b.segments, s)
	b.mu.Unlock()
	if at < 0 {
		return nil // dropped or rescued in the meantime
	}
	s.writer.Store(nil) // if bbolt had it open, it may hold its locks for ever: it is left alone
	good, err := b.salvage(s)
	for isFull(err) && b.segments[0] != s && b.makeRoom() {
		good, err = b.salvage(s)
	}
	if err != nil { // not now: it stays what it is, and is met again
		b.o.Log.Error("what is good of a damaged segment cannot be kept yet", "file", s.path, "damage", why, "error", err)
		return err
	}
	b.countAside()
	b.mu.Lock()
	list := slices.Clone(b.segments)
	if good == nil {
		list = slices.Delete(list, at, at+1)
	} else {
		list[at] = good
	}
	b.segments = list
	b.damaged++
	before := lostRows(b.gone)
	b.reconcile()
	lost := lostRows(b.gone) - before
	b.mu.Unlock()
	b.o.Log.Error("a damaged segment was set aside; its good blocks are kept", "file", s.path, "damage", why, "rows_lost", lost)
	if err := b.save(); err != nil {
		b.o.Log.Warn("the damage cannot be noted yet", "error", err)
	}
	return nil
}

func lostRows(list []*gone) (sum uint64) {
	for _, g := range list {
		if g.Reason == hearth.GapDamaged {
			sum += g.After - g.Before
		}
	}
	return sum
}

// salvage writes a new segment with the good blocks of a damaged one, sets that aside and returns the new one; nil if
// nothing is left. Holes between its blocks are noted as gone. After an error everything is as it was.
func (b *Buffer) salvage(s *segment) (*segment, error) {
	found, err := search(s.path)
	if err != nil {
		return nil, err
	}
	blocks := found.chain(s.about.First, s.about.Next)
	if len(blocks) == 0 {
		aside(b.o.Log, s.path)
		return nil, nil
	}
	good := &segment{path: segmentPath(b.o.Dir, blocks[0].seq), sealed: true}
	temporary := good.path + newSuffix
	if err := b.copyBlocks(good, temporary, s.path, found.about, blocks); err != nil {
		return nil, errors.Join(err, remove(temporary))
	}
	// The damaged file gets a second name before the new one takes its place, so that there is always one of them.
	if list := asideFiles(b.o.Dir); len(list) >= maxAside {
		_ = remove(list[0]) // there will be one more
	}
	if err := os.Link(s.path, asidePath(s.path)); err != nil && !errors.Is(err, os.ErrNotExist) {
		b.o.Log.Warn("a damaged segment cannot be kept for inspection", "file", s.path, "error", err)
	}
	if err := os.Rename(temporary, good.path); err != nil {
		return nil, err
	}
	if s.path != good.path {
		if err := remove(s.path); err != nil {
			return nil, err
		}
	}
	return good, syncDir(b.o.Dir)
}

// copyBlocks writes the new segment, and notes the holes.
func (b *Buffer) copyBlocks(good *segment, to, from string, was about, blocks []finding) error {
	if err := remove(to); err != nil {
		return err
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	w, err := openWriter(to, b.segmentSize)
	if err != nil {
		return err
	}
	a := about{Epoch: was.Epoch, Written: was.Written, Targets: was.Targets}
	var holes []*gone
	for batch := range slices.Chunk(blocks, maxBatch) {
		var copies []block
		for _, f := range batch {
			data := make([]byte, f.length)
			if _, err := source.ReadAt(data, f.offset); err != nil {
				return errors.Join(err, w.close())
			}
			found, err := decodeBlock(data)
			if err != nil {
				return errors.Join(err, w.close())
			}
			if a.First != 0 && found.seq > a.Next {
				holes = append(holes, &gone{First: a.Next, Last: found.seq - 1, Before: a.After, After: found.before,
					From: min(f.previous, found.first), To: max(f.previous, found.first), Reason: hearth.GapDamaged})
			}
			a.include(&found)
			copies = append(copies, found)
		}
		a = b.describe(a, nil)
		if err = w.extend(good.size, needs(copies), b.segmentSize/64); err == nil {
			good.size, err = w.update(a.put(copies))
		}
		if err != nil {
			return errors.Join(err, w.close())
		}
	}
	good.about = a
	b.mu.Lock()
	b.written += w.written
	for _, hole := range holes {
		b.gone = addGone(b.gone, hole)
	}
	b.mu.Unlock()
	return w.close()
}

// A finding is a block with a good checksum somewhere in a file.
type finding struct {
	seq, before, after uint64
	generation         uint32
	flags              byte
	offset             int64
	length             int
	first, last        int64 // unix ms
	previous           int64 // last of the block before it
}

type findings struct {
	blocks []finding
	about  about // the newest record about the file, if one was found
}

const (
	window   = 1 << 20
	maxBlock = 64 << 10 // bytes of one block as written
)

// search looks through a file for blocks, whatever its pages say, passing over what cannot be read. There is nothing
// in a file that is missing.
func search(path string) (findings, error) {
	var all findings
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return all, err
	}
	buf := make([]byte, window+maxBlock)
	for offset := int64(0); offset < info.Size(); offset += window {
		data := buf[:min(int64(len(buf)), info.Size()-offset)]
		if _, err := f.ReadAt(data, offset); err != nil && !errors.Is(err, io.EOF) {
			readPages(f, data, offset)
		}
		all.look(data, offset)
	}
	return all, nil
}

// readPages reads what can be read of a stretch of which something cannot.
func readPages(f io.ReaderAt, data []byte, offset int64) {
	for at := 0; at < len(data); at += pageSize {
		page := data[at:min(at+pageSize, len(data))]
		if _, err := f.ReadAt(page, offset+int64(at)); err != nil {
			clear(page)
		}
	}
}

// look notes what begins in the first window bytes of data.
func (all *findings) look(data []byte, offset int64) {
	for at := 0; at < min(len(data), window); at++ {
		next := bytes.IndexByte(data[at:], 'H')
		if next < 0 {
			return
		}
		at += next
		here := data[at:]
		switch {
		case at >= window:
		case bytes.HasPrefix(here, []byte(aboutMagic)):
			if a, err := decodeAbout(here); err == nil && (a.Generation > all.about.Generation || a.Generation == all.about.Generation && a.Next > all.about.Next) {
				all.about = a
			}
		case bytes.HasPrefix(here, []byte(blockMagic)) && len(here) >= headerBytes:
			length := binary.LittleEndian.Uint32(here[8:])
			if length > maxBlock || int(length) > len(here) {
				continue
			}
			if b, err := decodeBlock(here[:length]); err == nil {
				all.blocks = append(all.blocks, finding{
					seq: b.seq, before: b.before, after: b.after(), generation: b.generation, flags: b.flags,
					offset: offset + int64(at), length: int(length), first: b.first, last: b.last,
				})
			}
		}
	}
}

// chain returns the blocks that were committed, in order. A file also holds older copies, and what a commit that was
// cut short left behind: of one seq the latest generation counts (and the repaired one), and a block of an earlier
// generation than one before it, or whose count of rows does not go on from there, was never committed.
func (all findings) chain(first, next uint64) []finding {
	slices.SortFunc(all.blocks, func(a, c finding) int {
		return cmp.Or(cmp.Compare(a.seq, c.seq), -cmp.Compare(a.generation, c.generation), -cmp.Compare(a.flags, c.flags))
	})
	var chain []finding
	for _, f := range all.blocks {
		if f.seq < first || next > 0 && f.seq >= next {
			continue
		}
		if n := len(chain); n > 0 {
			last := chain[n-1]
			if f.seq == last.seq || f.generation < last.generation || f.before < last.after || f.seq == last.seq+1 && f.before != last.after {
				continue
			}
			f.previous = last.last
		}
		chain = append(chain, f)
	}
	return chain
}

// reconcile makes every seq below b.next either held or gone: whatever no segment holds and nothing else explains was
// damaged, and its rows are known from its neighbours. mu is held.
func (b *Buffer) reconcile() {
	seq, rows, last := uint64(1), uint64(0), int64(0)
	hole := func(next, after uint64, until int64) {
		if next <= seq {
			return
		}
		if last == 0 {
			last = until
		}
		b.gone = addGone(b.gone, &gone{First: seq, Last: next - 1, Before: rows, After: max(rows, after),
			From: min(last, until), To: max(last, until), Reason: hearth.GapDamaged})
		b.dirty = true
	}
	for _, s := range b.segments {
		hole(s.about.First, s.about.Before, s.about.Oldest)
		seq, rows, last = s.about.Next, s.about.After, s.about.Newest
	}
	hole(b.next, b.produced, b.o.Now().UnixMilli())
}
