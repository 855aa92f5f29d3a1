package series

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// freedQueue is how many deleted homes may wait for their space; of further ones it comes back in Pebble's own time.
const freedQueue = 64

// A span is the keys from from to before to.
type span struct{ from, to []byte }

func spanOf(prefix []byte) span { return span{prefix, after(prefix)} }

// DeleteHome deletes everything of a home for good; it is gone when DeleteHome returns, and Run then gives its space
// back. A gateway that goes on writing to it starts a new home.
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
	freed, err := s.deleteHome(name, h.record.number)
	if err != nil {
		return fmt.Errorf("deleting home %s: %w", name, err)
	}
	select {
	case s.freed <- freed:
	default:
	}
	return nil
}

func (s *Store) deleteHome(name string, number uint32) ([]span, error) {
	batch := s.db.NewBatch()
	defer batch.Close()
	if err := batch.Delete(nameKey(name), nil); err != nil {
		return nil, err
	}
	var spans []span
	for _, kind := range ofHome() {
		spans = append(spans, spanOf(homeKey(kind, number)))
	}
	days, err := s.daysOf(number, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	for _, day := range days {
		spans = append(spans, spanOf(dataPrefix(day, number)))
	}
	err = s.each([]byte{kindAside}, func(key, _ []byte) error {
		if _, home, _, _, ok := parseDataKey(key[1:]); ok && home == number {
			spans = append(spans, spanOf(slices.Clone(key)))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, span := range spans {
		if err := batch.DeleteRange(span.from, span.to, nil); err != nil {
			return nil, err
		}
	}
	return spans, batch.Commit(pebble.Sync)
}

// compact rewrites what is on disk of these keys, so that deleted ones take no space any more.
func (s *Store) compact(ctx context.Context, spans []span) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	for _, span := range spans {
		if err := s.db.Compact(ctx, span.from, span.to, false); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	return nil
}

// daysOf lists the days before end of which the home has points.
func (s *Store) daysOf(number uint32, end int32) ([]int32, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindData}, UpperBound: dayKey(end)})
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
