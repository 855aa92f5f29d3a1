package series

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// retention deletes what is too old. A day that every home may lose goes by one DeleteRange; where homes differ, each
// loses its own part of a day, once a day.
type retention struct {
	store *Store
	done  map[string]int32 // by home: before which day its own part is gone, as of this day
}

func newRetention(s *Store) *retention { return &retention{store: s, done: map[string]int32{}} }

// limits are the first days that homes keep.
type limits struct {
	cutoff map[string]int32
	all    int32 // what is before it may go whoever's it is …
	kept   bool  // … unless somebody keeps everything, or it is not known
}

func (r *retention) drop(ctx context.Context) error {
	s := r.store
	if s.options.Retention <= 0 && s.options.RetentionOf == nil {
		return nil
	}
	names, err := s.names()
	if err != nil {
		return err
	}
	l, unknown := r.limits(ctx, names)
	if !l.kept {
		if err := s.dropDays(l.all); err != nil {
			return err
		}
	}
	for _, name := range names {
		cutoff, ok := l.cutoff[name]
		if !ok || r.done[name] == cutoff {
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := s.retainHome(name, cutoff); err != nil {
			return err
		}
		r.done[name] = cutoff
	}
	return unknown
}

// limits asks how long each home's readings are kept. What cannot be told is an error, and until then kept.
func (r *retention) limits(ctx context.Context, names []string) (limits, error) {
	s := r.store
	l := limits{cutoff: map[string]int32{}, kept: s.options.Retention <= 0}
	now := s.now()
	l.all, _ = dayOf(now.Add(-s.options.Retention).UnixNano())
	var unknown error
	for _, name := range names {
		keep := s.options.Retention
		if s.options.RetentionOf != nil {
			var err error
			if keep, err = s.options.RetentionOf(ctx, name); err != nil {
				unknown = errors.Join(unknown, err)
				l.kept = true
				break // whoever could not answer for one home will not for the next
			}
		}
		if keep <= 0 {
			l.kept = true
			continue
		}
		l.cutoff[name], _ = dayOf(now.Add(-keep).UnixNano())
		l.all = min(l.all, l.cutoff[name])
	}
	return l, unknown
}

// names lists all homes.
func (s *Store) names() ([]string, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	var names []string
	err = s.each([]byte{kindHome}, func(key, _ []byte) error {
		names = append(names, string(key[1:]))
		return nil
	})
	return names, err
}

// dropDays deletes the days before cutoff, of all homes.
func (s *Store) dropDays(cutoff int32) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	return s.db.DeleteRange([]byte{kindData}, dayKey(cutoff), pebble.Sync)
}

// retainHome deletes what a home has from before that day: its part of the days, gaps, hours, days to merge, and series
// that said nothing since, so that they no longer count against the limit.
func (s *Store) retainHome(name string, cutoff int32) error {
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
	midnight := int64(cutoff) * dayLength
	spans := []span{
		{homeKey(kindGap, number), gapKey(number, midnight, 0)},
		{homeKey(kindHour, number), hourKey(number, midnight/int64(time.Hour))},
		{homeKey(kindDirty, number), dirtyKey(number, cutoff)},
	}
	days, err := s.daysOf(number, cutoff)
	if err != nil {
		return err
	}
	for _, day := range days {
		spans = append(spans, spanOf(dataPrefix(day, number)))
	}
	if err := s.deleteSpans(batch, spans); err != nil {
		return err
	}
	silent, err := h.silentSince(midnight, batch)
	if err != nil {
		return err
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

// deleteSpans deletes what there is in them.
func (s *Store) deleteSpans(batch *pebble.Batch, spans []span) error {
	for _, span := range spans {
		some, err := s.any(span.from, span.to)
		if err != nil {
			return err
		}
		if some {
			if err := batch.DeleteRange(span.from, span.to, nil); err != nil {
				return err
			}
		}
	}
	return nil
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

// silentSince returns the series whose last word is from before midnight, and deletes them in the batch.
func (h *home) silentSince(midnight int64, batch *pebble.Batch) (map[*one]bool, error) {
	silent := make(map[*one]bool)
	for _, o := range h.order {
		if o.last.v.IsZero() || o.last.t >= midnight {
			continue
		}
		silent[o] = true
		for _, kind := range []byte{kindSeries, kindLast} {
			if err := batch.Delete(seriesKey(kind, h.record.number, o.id), nil); err != nil {
				return nil, err
			}
		}
	}
	return silent, nil
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
