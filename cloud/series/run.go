package series

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	sweepEvery  = time.Minute
	restAfter   = 10 * time.Minute // a day that got nothing for so long is merged, however little waits
	retainEvery = time.Hour
)

// Run merges blocks into chunks and deletes what is older than the retention, until ctx ends. Without it everything
// still works, only slower and larger. It logs what goes wrong and goes on; it returns nil.
func (s *Store) Run(ctx context.Context) error {
	sweep, retain := time.NewTicker(sweepEvery), time.NewTicker(retainEvery)
	defer sweep.Stop()
	defer retain.Stop()
	s.tell("deleting old readings", s.retain(ctx))
	for {
		select {
		case <-ctx.Done():
			return nil
		case name := <-s.backlog:
			s.tell("merging readings into their chunks", s.mergeHome(name, (*dirtyDay).full))
		case <-sweep.C:
			s.tell("merging readings into their chunks", s.sweep(ctx))
		case <-retain.C:
			s.tell("deleting old readings", s.retain(ctx))
		}
	}
}

func (s *Store) tell(doing string, err error) {
	if err != nil {
		s.log.Error(doing, "error", err)
	}
}

// mergeHome merges the days of a home that are due.
func (s *Store) mergeHome(name string, due func(*dirtyDay) bool) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	h, err := s.hold(name)
	if err != nil {
		return err
	}
	defer s.letGo(h)
	for day, waiting := range h.dirty {
		if !due(waiting) {
			continue
		}
		if err := s.merge(h, day); err != nil {
			s.discard(h)
			return fmt.Errorf("home %s: %w", name, err)
		}
	}
	return nil
}

// sweep merges every day that is full or at rest.
func (s *Store) sweep(ctx context.Context) error {
	quiet := s.now().Add(-restAfter)
	return s.mergeAll(ctx, func(d *dirtyDay) bool { return d.full() || d.touched.Before(quiet) })
}

// mergeAll merges the days of all homes that are due.
func (s *Store) mergeAll(ctx context.Context, due func(*dirtyDay) bool) error {
	names, err := s.dirtyHomes()
	if err != nil {
		return err
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return nil
		}
		if err := s.mergeHome(name, due); err != nil {
			return err
		}
	}
	return nil
}

// dirtyHomes names the homes that have blocks.
func (s *Store) dirtyHomes() ([]string, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	var names []string
	err = s.each([]byte{kindDirty}, func(_, name []byte) error {
		if len(names) == 0 || names[len(names)-1] != string(name) {
			names = append(names, string(name))
		}
		return nil
	})
	return names, err
}

// retain deletes the days older than the retention, and of each home what belongs to them.
func (s *Store) retain(ctx context.Context) error {
	if s.options.Retention <= 0 {
		return nil
	}
	cutoff, midnight := dayOf(s.now().Add(-s.options.Retention).UnixNano())
	names, err := s.dropDays(cutoff)
	if err != nil {
		return err
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return nil
		}
		if err := s.retainHome(name, cutoff, midnight); err != nil {
			return err
		}
	}
	return nil
}

// dropDays deletes the days before cutoff and returns the names of all homes.
func (s *Store) dropDays(cutoff int32) ([]string, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := s.db.DeleteRange([]byte{kindData}, dayKey(cutoff), pebble.Sync); err != nil {
		return nil, err
	}
	var names []string
	err = s.each([]byte{kindHome}, func(key, _ []byte) error {
		names = append(names, string(key[1:]))
		return nil
	})
	return names, err
}

// retainHome deletes what a home has from before midnight: gaps, hours, days to merge, and series that said nothing
// since, so that they no longer count against the limit.
func (s *Store) retainHome(name string, cutoff int32, midnight int64) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	h, err := s.hold(name)
	if err != nil {
		return err
	}
	defer s.letGo(h)
	number := h.record.number
	if number == 0 {
		return nil
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	hour := midnight / int64(time.Hour)
	for _, span := range [][2][]byte{
		{homeKey(kindGap, number), gapKey(number, midnight, 0)},
		{homeKey(kindHour, number), hourKey(number, hour)},
		{homeKey(kindDirty, number), dirtyKey(number, cutoff)},
	} {
		some, err := s.any(span[0], span[1])
		if err != nil {
			return err
		}
		if some {
			if err := batch.DeleteRange(span[0], span[1], nil); err != nil {
				return err
			}
		}
	}
	silent := make(map[*one]bool)
	for _, o := range h.order {
		if o.last.v.IsZero() || o.last.t >= midnight {
			continue
		}
		silent[o] = true
		for _, kind := range []byte{kindSeries, kindLast} {
			if err := batch.Delete(seriesKey(kind, number, o.id), nil); err != nil {
				return err
			}
		}
	}
	if batch.Empty() {
		return nil
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		s.discard(h)
		return err
	}
	h.forgetOld(cutoff, silent)
	return nil
}

func (h *home) forgetOld(cutoff int32, silent map[*one]bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for day := range h.dirty {
		if day < cutoff {
			delete(h.dirty, day)
		}
	}
	kept := h.order[:0:0]
	for _, o := range h.order {
		if silent[o] {
			delete(h.series, o.name)
		} else {
			kept = append(kept, o)
		}
	}
	h.order = kept
}

// any reports whether there is a key in [from, to).
func (s *Store) any(from, to []byte) (bool, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return false, err
	}
	defer it.Close()
	return it.First(), it.Error()
}

// DeleteHome deletes everything of a home for good. A gateway that goes on writing to it starts a new home.
func (s *Store) DeleteHome(name string) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	h, err := s.hold(name)
	if err != nil {
		return err
	}
	defer s.letGo(h)
	if h.record.number == 0 {
		return nil
	}
	defer s.discard(h)
	if err := s.deleteHome(name, h.record.number); err != nil {
		return fmt.Errorf("deleting home %s: %w", name, err)
	}
	return nil
}

func (s *Store) deleteHome(name string, number uint32) error {
	batch := s.db.NewBatch()
	defer batch.Close()
	if err := batch.Delete(nameKey(name), nil); err != nil {
		return err
	}
	prefixes := [][]byte{}
	for _, kind := range ofHome() {
		prefixes = append(prefixes, homeKey(kind, number))
	}
	days, err := s.daysOf(number)
	if err != nil {
		return err
	}
	for _, day := range days {
		prefixes = append(prefixes, dataPrefix(day, number), append([]byte{kindAside}, dataPrefix(day, number)...))
	}
	for _, prefix := range prefixes {
		if err := batch.DeleteRange(prefix, after(prefix), nil); err != nil {
			return err
		}
	}
	return batch.Commit(pebble.Sync)
}

// daysOf lists the days of which the home has points.
func (s *Store) daysOf(number uint32) ([]int32, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindData}, UpperBound: []byte{kindData + 1}})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var days []int32
	for it.First(); it.Valid(); {
		day := parseDay(it.Key()[1:])
		home := binary.BigEndian.Uint32(it.Key()[5:])
		switch {
		case home < number:
			it.SeekGE(dataPrefix(day, number))
			continue
		case home == number:
			days = append(days, day)
		}
		it.SeekGE(dataPrefix(day+1, number))
	}
	return days, it.Error()
}
