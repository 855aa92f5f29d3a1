package series

import (
	"context"
	"fmt"
	"time"
)

const (
	sweepEvery  = time.Minute
	restAfter   = 10 * time.Minute // a day that got nothing for so long is merged, however little waits
	retainEvery = time.Hour
)

// Run merges blocks into chunks, deletes what is older than the retention, and gives the space of what was merged or
// deleted back, until ctx ends. Without it everything still works, only slower and larger. It logs what goes wrong and
// goes on; it returns nil.
func (s *Store) Run(ctx context.Context) error {
	sweep, retain := time.NewTicker(sweepEvery), time.NewTicker(retainEvery)
	defer sweep.Stop()
	defer retain.Stop()
	old := newRetention(s)
	s.tell("deleting old readings", old.drop(ctx))
	for {
		select {
		case <-ctx.Done():
			return nil
		case name := <-s.backlog:
			s.tell("merging readings into their chunks", s.mergeHome(name, (*dirtyDay).full))
		case <-sweep.C:
			s.tell("merging readings into their chunks", s.sweep(ctx))
			s.tell("giving back the space of what was merged", s.reclaim(ctx))
		case <-retain.C:
			s.tell("deleting old readings", old.drop(ctx))
		case spans := <-s.freed:
			s.tell("giving back the space of a deleted home", s.compact(ctx, spans))
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
