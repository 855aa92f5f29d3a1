package series

import (
	"container/list"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"hearth"
)

// maxInMemory is how many series of all homes together are kept in memory, of some 130 bytes each; homes in use come on
// top. Beyond it the homes longest unused are forgotten, and read again when they are asked for, which is dear: the ten
// thousand homes that one receiver is for should fit.
const maxInMemory = 400_000

// home is what the store remembers of one home. All of it is on disk.
type home struct {
	name string

	writing sync.Mutex // held by Write, merges and deletion from the first look to the commit
	gone    bool       // guarded by writing: this is no longer the home of that name, acquire it again

	mu     sync.RWMutex // guards the rest; who changes it holds writing too, and so may read without mu
	record homeRecord
	past   []epochRecord
	series map[seriesName]*one // nil as long as there are only a few
	order  []*one              // by id
	dirty  map[int32]*dirtyDay
	hour   HourCounts // the hour that was written last

	loading sync.Once
	failed  error

	// Guarded by homes.mu.
	refs   int
	weight int
	place  *list.Element
}

type seriesName struct{ series, field string }

// one is one series of a home.
type one struct {
	id    uint32
	name  seriesName
	last  sample
	fresh int32 // how many points the Write under way has for it; guarded by home.writing
	at    int32 // where they begin; guarded by home.writing
}

// dirtyDay is a day with blocks that wait for the merge.
type dirtyDay struct {
	blocks  int
	bytes   int
	touched time.Time // when the last one came; zero if before it was read from disk
}

// homes is the bounded memory of homes.
type homes struct {
	store  *Store
	mu     sync.Mutex
	named  map[string]*home
	used   *list.List // longest unused first
	weight int
}

func newHomes(s *Store) *homes {
	return &homes{store: s, named: make(map[string]*home), used: list.New()}
}

func (hs *homes) size() (homes, series int) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return len(hs.named), hs.weight - len(hs.named)
}

// acquire returns the home of that name, an empty one if nothing was ever written to it. It stays in memory until
// release.
func (hs *homes) acquire(name string) (*home, error) {
	hs.mu.Lock()
	h := hs.named[name]
	if h == nil {
		h = &home{name: name, dirty: make(map[int32]*dirtyDay)}
		h.place = hs.used.PushBack(h)
		hs.named[name] = h
	}
	h.refs++
	hs.used.MoveToBack(h.place)
	hs.mu.Unlock()
	h.loading.Do(func() { h.failed = hs.store.load(h) })
	if h.failed != nil {
		hs.forget(h)
		hs.release(h)
		return nil, fmt.Errorf("reading home %s: %w", name, h.failed)
	}
	return h, nil
}

// release ends the use of what acquire returned.
func (hs *homes) release(h *home) {
	h.mu.RLock()
	weight, unknown := len(h.order)+1, h.record.number == 0
	h.mu.RUnlock()
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h.refs--
	if hs.named[h.name] != h {
		return
	}
	hs.weight += weight - h.weight
	h.weight = weight
	if unknown && h.refs == 0 {
		hs.drop(h)
	}
	for e := hs.used.Front(); e != nil && hs.weight > maxInMemory; {
		next := e.Next()
		if old := e.Value.(*home); old.refs == 0 {
			hs.drop(old)
		}
		e = next
	}
}

// forget takes a home out of memory because what is there may differ from what is on disk.
func (hs *homes) forget(h *home) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.named[h.name] == h {
		hs.drop(h)
	}
}

func (hs *homes) drop(h *home) {
	delete(hs.named, h.name)
	hs.used.Remove(h.place)
	hs.weight -= h.weight
}

// hold acquires the home and its writing lock; the caller calls letGo.
func (s *Store) hold(name string) (*home, error) {
	for {
		h, err := s.homes.acquire(name)
		if err != nil {
			return nil, err
		}
		h.writing.Lock()
		if !h.gone {
			return h, nil
		}
		s.letGo(h)
	}
}

func (s *Store) letGo(h *home) {
	h.writing.Unlock()
	s.homes.release(h)
}

// discard makes everybody read the home from disk again, after a write of which nobody knows whether it happened.
// The caller holds writing.
func (s *Store) discard(h *home) {
	h.gone = true
	s.homes.forget(h)
}

// load reads what is on disk of h; nobody else can see it yet.
func (s *Store) load(h *home) error {
	data, err := s.get(nameKey(h.name))
	if err != nil || data == nil {
		return err
	}
	if h.record, err = parseHomeRecord(data); err != nil {
		return err
	}
	number := h.record.number
	if data, err = s.get(homeKey(kindEpochs, number)); err != nil {
		return err
	}
	if h.past, err = parseEpochs(data); err != nil {
		return err
	}
	if err := s.each(homeKey(kindSeries, number), func(key, value []byte) error { return s.loadSeries(h, key, value) }); err != nil {
		return err
	}
	if err := s.each(homeKey(kindLast, number), h.loadLast); err != nil {
		return err
	}
	return s.each(homeKey(kindDirty, number), func(key, _ []byte) error {
		return s.loadDay(h, parseDay(key[homeKeyLength:]))
	})
}

func (s *Store) loadSeries(h *home, key, value []byte) error {
	r := reader{data: value}
	series := r.bytes(r.uvarint())
	if r.bad {
		return errCorrupt
	}
	h.add(&one{id: binary.BigEndian.Uint32(key[homeKeyLength:]), name: s.keep(h, string(series), string(r.data))})
	return nil
}

// keep returns a name to keep, which shares its texts where it can: the fields of one device come one after the other,
// and most devices have the same fields.
func (s *Store) keep(h *home, series, field string) seriesName {
	if n := len(h.order); n > 0 && h.order[n-1].name.series == series {
		series = h.order[n-1].name.series
	} else {
		series = strings.Clone(series)
	}
	return seriesName{series, s.fields.one(field)}
}

// maxFields is how many names of fields are shared by all homes.
const maxFields = 10_000

// fields are names of fields, each once.
type fields struct {
	mu    sync.Mutex
	known map[string]string
}

func (f *fields) one(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.known[name]
	if !ok {
		known = strings.Clone(name)
		if f.known == nil || len(f.known) >= maxFields {
			f.known = make(map[string]string)
		}
		f.known[known] = known
	}
	return known
}

// fewSeries are found by looking at each.
const fewSeries = 64

func (h *home) add(o *one) {
	h.order = append(h.order, o)
	if h.series != nil {
		h.series[o.name] = o
	} else if len(h.order) > fewSeries {
		h.series = make(map[seriesName]*one, 2*fewSeries)
		for _, o := range h.order {
			h.series[o.name] = o
		}
	}
}

// find returns the series of that name, nil if there is none.
func (h *home) find(name seriesName) *one {
	if h.series != nil {
		return h.series[name]
	}
	for _, o := range h.order {
		if o.name == name {
			return o
		}
	}
	return nil
}

// byID returns the series of that id, nil if there is none.
func (h *home) byID(id uint32) *one {
	at, ok := h.placeOf(id)
	if !ok {
		return nil
	}
	return h.order[at]
}

// placeOf returns where in order the series of that id is.
func (h *home) placeOf(id uint32) (at int, ok bool) {
	return slices.BinarySearchFunc(h.order, id, func(o *one, id uint32) int { return int(int64(o.id) - int64(id)) })
}

func (h *home) loadLast(key, value []byte) error {
	o := h.byID(binary.BigEndian.Uint32(key[homeKeyLength:]))
	if o == nil {
		return nil
	}
	var err error
	o.last, err = parseLast(value)
	return err
}

// loadDay counts the day's blocks and brings the last values up to date with them.
func (s *Store) loadDay(h *home, day int32) error {
	var waiting dirtyDay
	midnight := int64(day) * dayLength
	var decoded []sample
	err := s.each(dataKey(day, h.record.number, 0, 0)[:dataKeyLength-8], func(_, block []byte) error {
		waiting.blocks++
		waiting.bytes += len(block)
		// A block that does not decode is the merge's to deal with.
		_ = eachInBlock(block, func(id uint32, chunk []byte) {
			var err error
			o := h.byID(id)
			if decoded, err = decodeChunk(decoded[:0], chunk, midnight); err != nil || o == nil {
				return
			}
			o.see(decoded[len(decoded)-1])
		})
		return nil
	})
	h.dirty[day] = &waiting
	return err
}

// see makes p the last value if it is not older than the one known.
func (o *one) see(p sample) {
	if o.last.v.IsZero() || p.t >= o.last.t {
		if p.v.Kind() == hearth.Text {
			p.v = hearth.TextOf(strings.Clone(p.v.Text())) // not to hold on to the request it came in
		}
		o.last = p
	}
}

func appendLast(dst []byte, p sample) []byte {
	day, midnight := dayOf(p.t)
	dst = binary.AppendVarint(dst, int64(day))
	return new(packer).appendChunk(dst, []sample{p}, midnight)
}

func parseLast(data []byte) (sample, error) {
	r := reader{data: data}
	day := r.varint()
	samples, err := decodeChunk(nil, r.data, day*dayLength)
	if err != nil || len(samples) != 1 || r.bad {
		return sample{}, errCorrupt
	}
	return samples[0], nil
}

// get returns the value of a key, nil where there is none.
func (s *Store) get(key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value = append([]byte{}, value...)
	return value, closer.Close()
}

// each visits the keys that begin with prefix, in order. Key and value are only good during the visit.
func (s *Store) each(prefix []byte, visit func(key, value []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if err := visit(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	return it.Error()
}

func timeOf(ns int64) hearth.Time { return hearth.Time{Time: time.Unix(0, ns).UTC()} }
