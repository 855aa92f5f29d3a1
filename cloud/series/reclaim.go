package series

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	reclaimAfter = time.Hour // from midnight: most of what a day brings has come then
	reclaimLeast = 1 << 20   // bytes that merges left behind in a day: less is not worth the rewriting, …
	reclaimPart  = 4         // … and neither is less than one of so many parts of what the day takes on disk
	reclaimHomes = 500       // at once: what is rewritten takes its space twice meanwhile
)

// leftovers are the bytes of the blocks that became chunks since their day was last rewritten. It begins empty with
// every start: what was left before goes in Pebble's own time.
type leftovers struct {
	mu    sync.Mutex
	bytes map[int32]uint64 // by day
}

func (l *leftovers) add(day int32, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes[day] += uint64(n)
}

func (l *leftovers) forget(day int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.bytes, day)
}

// before returns the days before that one in which enough was left.
func (l *leftovers) before(end int32) map[int32]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	days := map[int32]uint64{}
	for day, n := range l.bytes {
		if day < end && n >= reclaimLeast {
			days[day] = n
		}
	}
	return days
}

// reclaim gives back what merges left behind in days that are over. Pebble does so as more is written, which for a day
// that gets no more may be long from now.
func (s *Store) reclaim(ctx context.Context) error {
	end, _ := dayOf(s.now().Add(-reclaimAfter).UnixNano())
	for day, left := range s.leftovers.before(end) {
		used, spans, err := s.dayOnDisk(day)
		if err != nil {
			return err
		}
		if left < used/reclaimPart {
			continue
		}
		if err := s.compact(ctx, spans); err != nil || ctx.Err() != nil {
			return err
		}
		s.leftovers.forget(day)
	}
	return nil
}

// dayOnDisk returns how many bytes a day takes, and its keys in parts.
func (s *Store) dayOnDisk(day int32) (used uint64, parts []span, err error) {
	leave, err := s.enter()
	if err != nil {
		return 0, nil, err
	}
	defer leave()
	if used, err = s.db.EstimateDiskUsage(dayKey(day), dayKey(day+1)); err != nil {
		return 0, nil, fmt.Errorf("asking what a day takes on disk: %w", err)
	}
	next, err := s.nextNumber()
	if err != nil {
		return 0, nil, err
	}
	for home := uint32(0); home < next; home += reclaimHomes {
		parts = append(parts, span{dataPrefix(day, home), dataPrefix(day, home+reclaimHomes)})
	}
	return used, parts, nil
}
