package series

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"hearth"
)

// maxChunk is how many points a merged chunk holds: enough for its head to weigh nothing, and few enough that adding
// to the last one of a day rewrites little.
const maxChunk = 1024

// merge moves the points of the day's blocks into chunks of their own series. The chunks of one series and day never
// overlap; where a block has a time that a chunk has, the block wins, and among blocks the later one. Each pass is one
// atomic write, so a reader sees either the blocks or what became of them. The caller holds h.writing.
func (s *Store) merge(h *home, day int32) error {
	for {
		more, err := s.mergePass(h, day)
		if err != nil {
			return fmt.Errorf("day %d: %w", day, err)
		}
		if !more {
			return nil
		}
	}
}

// merging is one pass: some blocks of one day of one home.
type merging struct {
	store    *Store
	home     *home
	day      int32
	midnight int64
	batch    *pebble.Batch
	it       *pebble.Iterator

	blocks int
	bytes  int
	*desk
}

// desk is room that merges use in turn.
type desk struct {
	fresh   map[uint32][]sample // what the blocks hold, by series; empty ones are room only
	old     []sample
	united  []sample
	chunk   []byte
	encoded []byte
	packer  packer
}

// maxDesk is for how many samples a desk keeps room from one merge to the next.
const maxDesk = 1 << 16

func newDesk() *desk { return &desk{fresh: make(map[uint32][]sample)} }

// tidy leaves the desk to the next merge, with no text of this one on it.
func (s *Store) tidy(d *desk) {
	room := cap(d.old) + cap(d.united)
	clear(d.old)
	clear(d.united)
	for id, samples := range d.fresh {
		room += cap(samples)
		clear(samples)
		d.fresh[id] = samples[:0]
	}
	if room <= maxDesk {
		s.desks.Put(d)
	}
}

func (s *Store) mergePass(h *home, day int32) (more bool, err error) {
	m := &merging{
		store: s, home: h, day: day, midnight: int64(day) * dayLength,
		batch: s.db.NewBatch(), desk: s.desks.Get().(*desk),
	}
	defer s.tidy(m.desk)
	defer m.batch.Close()
	prefix := dataPrefix(day, h.record.number)
	if m.it, err = s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)}); err != nil {
		return false, err
	}
	defer m.it.Close()
	if more, err = m.readBlocks(); err != nil {
		return false, err
	}
	ids := make([]uint32, 0, len(m.fresh))
	for id, samples := range m.fresh {
		if len(samples) > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		if err := m.series(id, inOrder(m.fresh[id])); err != nil {
			return false, err
		}
		if o := h.byID(id); o != nil && !o.last.v.IsZero() {
			m.encoded = appendLast(m.encoded[:0], o.last)
			if err := m.batch.Set(seriesKey(kindLast, h.record.number, id), m.encoded, nil); err != nil {
				return false, err
			}
		}
	}
	if !more {
		if err := m.batch.Delete(dirtyKey(h.record.number, day), nil); err != nil {
			return false, err
		}
	}
	if err := m.batch.Commit(pebble.NoSync); err != nil {
		return false, err
	}
	m.done(more)
	return more, nil
}

// done tells the memory.
func (m *merging) done(more bool) {
	m.store.leftovers.add(m.day, m.bytes)
	m.home.mu.Lock()
	defer m.home.mu.Unlock()
	if waiting := m.home.dirty[m.day]; more && waiting != nil {
		waiting.blocks -= m.blocks
		waiting.bytes -= m.bytes
		return
	}
	delete(m.home.dirty, m.day)
}

// readBlocks decodes blocks, oldest first, until they are mergeBlocks or mergeBytes, and deletes them in the batch.
func (m *merging) readBlocks() (more bool, err error) {
	last := dataKey(m.day, m.home.record.number, 0, math.MaxUint64)
	for m.it.First(); m.it.Valid() && string(m.it.Key()) <= string(last); m.it.Next() {
		if m.blocks >= mergeBlocks || m.bytes >= mergeBytes {
			return true, nil
		}
		block := m.it.Value()
		m.blocks++
		m.bytes += len(block)
		whole := true
		broken := eachInBlock(block, func(id uint32, chunk []byte) {
			held := m.fresh[id]
			samples, err := decodeChunk(held, chunk, m.midnight)
			whole = whole && err == nil
			if len(samples) > 0 {
				m.fresh[id] = samples
			}
		})
		if broken != nil || !whole {
			if err := m.setAside(m.it.Key(), block); err != nil {
				return false, err
			}
		}
		if err := m.batch.Delete(m.it.Key(), nil); err != nil {
			return false, err
		}
	}
	return false, m.it.Error()
}

// series puts fresh points of one series into its chunks: those that lie before the start of a chunk's successor go
// into the chunk, which is written anew; chunks that get none stay as they are, and so does one that is well filled when
// all that is fresh lies behind it.
func (m *merging) series(id uint32, fresh []sample) error {
	number := m.home.record.number
	prefix := dataKey(m.day, number, id, 0)[:dataKeyLength-8]
	inSeries := func() bool {
		return m.it.Valid() && len(m.it.Key()) == dataKeyLength && string(m.it.Key()[:len(prefix)]) == string(prefix)
	}
	m.it.SeekGE(prefix)
	for len(fresh) > 0 {
		if !inSeries() {
			if err := m.it.Error(); err != nil {
				return err
			}
			return m.put(id, fresh)
		}
		start := startOf(m.it.Key())
		m.chunk = append(m.chunk[:0], m.it.Value()...)
		m.it.Next()
		n := len(fresh)
		if inSeries() {
			next := m.midnight + int64(startOf(m.it.Key()))
			n, _ = slices.BinarySearchFunc(fresh, next, func(p sample, t int64) int {
				if p.t < t {
					return -1
				}
				return 1
			})
		}
		if n == 0 || m.closed(fresh[0].t) {
			continue
		}
		if err := m.unite(id, start, fresh[:n]); err != nil {
			return err
		}
		fresh = fresh[n:]
	}
	return nil
}

// closed reports whether the chunk in m.chunk is half full and ends before t.
func (m *merging) closed(t int64) bool {
	head, err := readSummaryOf(m.chunk, m.midnight)
	return err == nil && head.count >= maxChunk/2 && head.last < t
}

func startOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[dataKeyLength-8:]) }

// unite writes the chunk in m.chunk, which begins at start, anew with the fresh points.
func (m *merging) unite(id uint32, start uint64, fresh []sample) error {
	key := dataKey(m.day, m.home.record.number, id, start)
	var err error
	if m.old, err = decodeChunk(m.old[:0], m.chunk, m.midnight); err != nil {
		if err := m.setAside(key, m.chunk); err != nil {
			return err
		}
	}
	if err := m.batch.Delete(key, nil); err != nil {
		return err
	}
	m.united = overlay(m.united[:0], m.old, fresh)
	return m.put(id, m.united)
}

// overlay appends the union of two ascending stretches; where both have a time, top wins.
func overlay(dst, bottom, top []sample) []sample {
	for len(bottom) > 0 && len(top) > 0 {
		switch {
		case bottom[0].t < top[0].t:
			dst, bottom = append(dst, bottom[0]), bottom[1:]
		case bottom[0].t == top[0].t:
			bottom = bottom[1:]
		default:
			dst, top = append(dst, top[0]), top[1:]
		}
	}
	return append(append(dst, bottom...), top...)
}

// put writes points as chunks.
func (m *merging) put(id uint32, samples []sample) error {
	for len(samples) > 0 {
		n := min(len(samples), maxChunk)
		m.encoded = m.packer.appendChunk(m.encoded[:0], samples[:n], m.midnight)
		key := dataKey(m.day, m.home.record.number, id, uint64(samples[0].t-m.midnight))
		if err := m.batch.Set(key, m.encoded, nil); err != nil {
			return err
		}
		samples = samples[n:]
	}
	return nil
}

// setAside keeps what does not decode out of the way, for a person to look at, and tells the home of it by a gap. The
// caller deletes the key itself.
func (m *merging) setAside(key, value []byte) error {
	m.store.damaged.Add(1)
	m.store.log.Error("stored readings do not decode and are set aside", "home", m.home.name, "day", timeOf(m.midnight).Format("2006-01-02"))
	aside := append([]byte{kindAside}, key...)
	if err := m.batch.Set(aside, value, nil); err != nil {
		return err
	}
	gap := hearth.Gap{From: timeOf(m.midnight), To: timeOf(m.midnight + dayLength), Reason: hearth.GapDamaged}
	return m.batch.Set(gapKey(m.home.record.number, gap.To.UnixNano(), binary.BigEndian.Uint64(key[dataKeyLength-8:])), appendGapRecord(nil, gap), nil)
}
