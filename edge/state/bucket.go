package state

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"hearth"
)

// Bucket returns the map of that name. It comes into being with its first entry.
func (db *DB) Bucket(name string) hearth.Store { return bucket{db: db, name: name} }

type bucket struct {
	db   *DB
	name string
}

func (b bucket) doing(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s in state %s: %w", what, b.name, err)
}

// Get implements hearth.Store. An entry that does not hold what was written is an error.
func (b bucket) Get(key string) (value []byte, err error) {
	err = guard(func() error {
		return b.db.bolt.View(func(tx *bbolt.Tx) error {
			value, err = b.read(tx, key)
			return err
		})
	})
	return value, b.doing("reading", err)
}

func (b bucket) read(tx *bbolt.Tx, key string) ([]byte, error) {
	bucket := tx.Bucket([]byte(b.name))
	if bucket == nil {
		return nil, nil
	}
	sealed := bucket.Get([]byte(key))
	if sealed == nil {
		return nil, nil
	}
	value, ok := unseal([]byte(key), sealed)
	if !ok {
		return nil, fmt.Errorf("the entry %q is damaged", key)
	}
	return append(make([]byte, 0, len(value)), value...), nil
}

// Put implements hearth.Store. An entry that is there already with that value costs no write.
func (b bucket) Put(key string, value []byte) error {
	if old, err := b.Get(key); err == nil && old != nil && bytes.Equal(old, value) {
		return nil
	}
	return b.doing("writing", guard(func() error {
		return b.db.update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte(b.name))
			if err != nil {
				return err
			}
			return bucket.Put([]byte(key), seal(key, value))
		})
	}))
}

// Delete implements hearth.Store.
func (b bucket) Delete(key string) error {
	if old, err := b.Get(key); err == nil && old == nil {
		return nil
	}
	return b.doing("deleting", guard(func() error {
		return b.db.update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket([]byte(b.name))
			if bucket == nil {
				return nil
			}
			return bucket.Delete([]byte(key))
		})
	}))
}

// Each implements hearth.Store. It works on a copy, so that each may use the store; damaged entries are passed over and
// logged.
func (b bucket) Each(each func(key string, value []byte) error) error {
	var keys []string
	var values [][]byte
	err := guard(func() error {
		return b.db.bolt.View(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket([]byte(b.name))
			if bucket == nil {
				return nil
			}
			return bucket.ForEach(func(key, sealed []byte) error {
				value, ok := unseal(key, sealed)
				if !ok {
					b.db.log.Error("an entry of the state is damaged and passed over", "state", b.name, "key", string(key))
					return nil
				}
				keys, values = append(keys, string(key)), append(values, append(make([]byte, 0, len(value)), value...))
				return nil
			})
		})
	})
	if err != nil {
		return b.doing("reading", err)
	}
	for i, key := range keys {
		if err := each(key, values[i]); err != nil {
			return err
		}
	}
	return nil
}
