package series

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Place returns what was kept by the last Write that had a Place, or by SetPlace; nil if there never was one.
func (s *Store) Place() ([]byte, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	place, err := s.get([]byte{kindPlace})
	if err != nil {
		return nil, fmt.Errorf("reading the place in the log of writes: %w", err)
	}
	return place, nil
}

// SetPlace keeps a place without a Write; nil forgets it. It reaches the disk with the next write or Sync that does.
func (s *Store) SetPlace(place []byte) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	if place == nil {
		err = s.db.Delete([]byte{kindPlace}, pebble.NoSync)
	} else {
		err = s.db.Set([]byte{kindPlace}, place, pebble.NoSync)
	}
	if err != nil {
		return fmt.Errorf("keeping the place in the log of writes: %w", err)
	}
	return nil
}

// Flush returns when everything written before is on disk.
func (s *Store) Flush() error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := s.db.LogData(nil, pebble.Sync); err != nil {
		return fmt.Errorf("bringing the series to the disk: %w", err)
	}
	return nil
}

// Empty reports whether there is no home in the store.
func (s *Store) Empty() (bool, error) {
	leave, err := s.enter()
	if err != nil {
		return false, err
	}
	defer leave()
	some, err := s.any([]byte{kindHome}, after([]byte{kindHome}))
	if err != nil {
		return false, fmt.Errorf("looking for homes: %w", err)
	}
	return !some, nil
}
