package series

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// recent numbers the writes that are kept for those who send them on. Writes of different homes are committed at the same
// time and in any order: a number counts as settled once it and all before it are committed or given up, so that a reader
// who went up to there has missed none.
type recent struct {
	mu    sync.Mutex
	last  uint64   // the number given last
	under []uint64 // numbers whose write is under way, ascending
}

// openRecent goes on with the numbers; where none are wanted, it deletes what is left of a time when some were.
func (s *Store) openRecent(wanted bool) (*recent, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindRecent}, UpperBound: after([]byte{kindRecent})})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	r, some := new(recent), it.Last()
	if some && !wanted {
		return nil, s.db.DeleteRange([]byte{kindRecent}, after([]byte{kindRecent}), pebble.NoSync)
	}
	if !wanted {
		return nil, it.Error()
	}
	if some {
		r.last = binary.BigEndian.Uint64(it.Key()[1:])
	}
	return r, it.Error()
}

func recentKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{kindRecent}, n) }

// put adds a write to the batch under the next number, without the points that have no series, as they were refused.
// done is called when its fate is known.
func (r *recent) put(batch *pebble.Batch, w *Write, of []*one, received time.Time) (done func(), err error) {
	r.mu.Lock()
	r.last++
	n := r.last
	r.under = append(r.under, n)
	r.mu.Unlock()
	done = func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		at, _ := slices.BinarySearch(r.under, n)
		r.under = slices.Delete(r.under, at, at+1)
	}
	kept := Write{Home: w.Home, Points: w.Points, Gaps: w.Gaps, Received: received}
	if slices.Contains(of, nil) {
		kept.Points = make([]Point, 0, len(w.Points))
		for i, o := range of {
			if o != nil {
				kept.Points = append(kept.Points, w.Points[i])
			}
		}
	}
	return done, batch.Set(recentKey(n), AppendWrite(nil, &kept), nil)
}

// settled is the number up to which nothing can appear any more.
func (r *recent) settled() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.under) > 0 {
		return r.under[0] - 1
	}
	return r.last
}

// Known returns those of a home's points whose series the store has: what it refused is not among them.
func (s *Store) Known(home string, points []Point) ([]Point, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	h, err := s.homes.acquire(home)
	if err != nil {
		return nil, err
	}
	defer s.homes.release(h)
	h.mu.RLock()
	defer h.mu.RUnlock()
	known := points[:0:0]
	for i := range points {
		if h.find(seriesName{points[i].Series, points[i].Field}) != nil && !points[i].Value.IsZero() {
			known = append(known, points[i])
		}
	}
	return known, nil
}

// Recent visits the writes after that number in the order of their numbers, until each returns false. A write has its
// Home, Points, Gaps and Received. Numbers may be left out. Only with Options.Recent.
func (s *Store) Recent(after uint64, each func(n uint64, w Write) bool) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	end := s.recent.settled() + 1
	if after+1 >= end {
		return nil
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: recentKey(after + 1), UpperBound: recentKey(end)})
	if err != nil {
		return fmt.Errorf("reading the recent writes: %w", err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		n := binary.BigEndian.Uint64(it.Key()[1:])
		w, err := ParseWrite(it.Value())
		if err != nil {
			s.damaged.Add(1)
			s.log.Error("a recent write does not decode and is passed over", "number", n, "error", err)
			continue
		}
		if !each(n, w) {
			break
		}
	}
	return it.Error()
}

// RecentSpan returns the numbers of the oldest write that is kept for Recent and of the newest there was; the oldest is
// one more than the newest where none is.
func (s *Store) RecentSpan() (oldest, newest uint64, err error) {
	leave, err := s.enter()
	if err != nil {
		return 0, 0, err
	}
	defer leave()
	newest = s.recent.settled()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindRecent}, UpperBound: recentKey(newest + 1)})
	if err != nil {
		return 0, 0, fmt.Errorf("reading the recent writes: %w", err)
	}
	defer it.Close()
	if !it.First() {
		return newest + 1, newest, it.Error()
	}
	return binary.BigEndian.Uint64(it.Key()[1:]), newest, nil
}

// Forget deletes the recent writes up to that number. The newest one stays, so that numbers go on after a restart.
func (s *Store) Forget(upTo uint64) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	end := min(upTo+1, s.recent.settled())
	if err := s.db.DeleteRange(recentKey(0), recentKey(end), pebble.NoSync); err != nil {
		return fmt.Errorf("forgetting recent writes: %w", err)
	}
	return nil
}
