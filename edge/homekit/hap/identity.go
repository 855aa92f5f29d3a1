package hap

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

const (
	keyIdentity   = "identity"
	keyConfig     = "configuration"
	keyTries      = "tries"
	pairingPrefix = "pairing/"

	mostTries    = 100 // section 5.6.2
	mostPairings = 16  // section 5.10: at least this many
	mostIDLength = 36
)

// Pairing is a controller that may talk to the server.
type Pairing struct {
	ID        string `json:"id"`
	PublicKey []byte `json:"key"`
	Admin     bool   `json:"admin"`
}

// identity is who the server is for its controllers: a device id and a long-term key.
type identity struct {
	DeviceID string `json:"device"`
	Seed     []byte `json:"seed"` // of the ed25519 key
}

func newIdentity() identity {
	id := identity{Seed: make([]byte, ed25519.SeedSize)}
	rand.Read(id.Seed) // never fails
	var device [6]byte
	rand.Read(device[:])
	parts := make([]string, len(device))
	for i, b := range device {
		parts[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	id.DeviceID = strings.Join(parts, ":")
	return id
}

func (id identity) key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(id.Seed) }

// keeper is all that outlives the program. Whatever it changes is in the store before it is in memory.
type keeper struct {
	mu       sync.Mutex
	store    Store
	id       identity
	pairings map[string]Pairing
	tries    int
}

// openKeeper reads everything. Anything that cannot be read is an error: with a new identity all pairings would be dead.
func openKeeper(store Store) (*keeper, error) {
	k := &keeper{store: store, pairings: make(map[string]Pairing)}
	found, err := k.read(keyIdentity, &k.id)
	if err != nil {
		return nil, err
	}
	if found && (len(k.id.Seed) != ed25519.SeedSize || len(k.id.DeviceID) != 17) {
		return nil, errors.New("hap: the stored identity is not one")
	}
	if _, err := k.read(keyTries, &k.tries); err != nil {
		return nil, err
	}
	err = store.Each(func(key string, value []byte) error {
		if !strings.HasPrefix(key, pairingPrefix) {
			return nil
		}
		var p Pairing
		if err := json.Unmarshal(value, &p); err != nil {
			return fmt.Errorf("hap: stored pairing %q: %w", key, err)
		}
		if len(p.PublicKey) != ed25519.PublicKeySize || pairingKey(p.ID) != key {
			return fmt.Errorf("hap: stored pairing %q is not one", key)
		}
		k.pairings[p.ID] = p
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !found {
		if len(k.pairings) > 0 {
			return nil, errors.New("hap: there are pairings in the store, and no identity")
		}
		k.id = newIdentity()
		return k, k.write(keyIdentity, k.id)
	}
	return k, nil
}

func pairingKey(id string) string { return pairingPrefix + hex.EncodeToString([]byte(id)) }

func (k *keeper) read(key string, into any) (found bool, err error) {
	value, err := k.store.Get(key)
	if err == nil && value != nil {
		err = json.Unmarshal(value, into)
	}
	if err != nil {
		return false, fmt.Errorf("hap: %s in the store: %w", key, err)
	}
	return value != nil, nil
}

func (k *keeper) write(key string, value any) error {
	text, err := json.Marshal(value)
	if err == nil {
		err = k.store.Put(key, text)
	}
	return err
}

func (k *keeper) identity() identity {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.id
}

func (k *keeper) paired() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.pairings) > 0
}

func (k *keeper) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.pairings)
}

func (k *keeper) pairing(id string) (Pairing, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.pairings[id]
	return p, ok
}

// all returns the pairings in the order of their ids.
func (k *keeper) all() []Pairing {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.SortedFunc(maps.Values(k.pairings), func(a, b Pairing) int { return cmp.Compare(a.ID, b.ID) })
}

// exhausted reports whether nobody may try the setup code any more.
func (k *keeper) exhausted() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tries >= mostTries
}

// try lets a setup code be tried, and counts it where it is wrong: on disk before anybody is told. Two never try at once.
func (k *keeper) try(right func() bool) pairError {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.tries >= mostTries:
		return errMaxTries
	case len(k.pairings) > 0:
		return errUnavailable
	case right():
		return 0
	}
	k.tries++
	if k.write(keyTries, k.tries) != nil {
		return errUnknown
	}
	return errAuthentication
}

// first keeps the first pairing, of an administrator; false where there is one already.
func (k *keeper) first(p Pairing) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.pairings) > 0 {
		return false, nil
	}
	if err := k.write(pairingKey(p.ID), p); err != nil {
		return false, err
	}
	k.pairings[p.ID] = p
	if k.tries > 0 && k.store.Delete(keyTries) == nil {
		k.tries = 0
	}
	return true, nil
}

// add keeps a further pairing, or other rights of one that is known (section 5.10).
func (k *keeper) add(p Pairing) pairError {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, found := k.pairings[p.ID]
	switch {
	case found && !slices.Equal(known.PublicKey, p.PublicKey):
		return errUnknown
	case !found && len(k.pairings) >= mostPairings:
		return errMaxPeers
	case k.write(pairingKey(p.ID), p) != nil:
		return errUnknown
	}
	k.pairings[p.ID] = p
	return 0
}

// remove forgets a pairing; without an administrator left, all of them (section 5.11). It returns the ids that are gone.
func (k *keeper) remove(id string) (gone []string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.pairings[id]; ok {
		if err := k.forget(id); err != nil {
			return nil, err
		}
		gone = append(gone, id)
	}
	more, err := k.orphans()
	return append(gone, more...), err
}

// settle removes all pairings where no administrator is left, and returns their ids.
func (k *keeper) settle() ([]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.orphans()
}

func (k *keeper) orphans() (gone []string, err error) {
	for _, p := range k.pairings {
		if p.Admin {
			return nil, nil
		}
	}
	for id := range k.pairings {
		if err := k.forget(id); err != nil {
			return gone, err
		}
		gone = append(gone, id)
	}
	return gone, nil
}

func (k *keeper) forget(id string) error {
	if err := k.store.Delete(pairingKey(id)); err != nil {
		return err
	}
	delete(k.pairings, id)
	return nil
}

// reset makes everything as new: no pairings, another identity, all tries.
func (k *keeper) reset() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.pairings {
		if err := k.forget(id); err != nil {
			return err
		}
	}
	fresh := newIdentity()
	if err := k.write(keyIdentity, fresh); err != nil {
		return err
	}
	k.id = fresh
	if err := k.store.Delete(keyTries); err != nil {
		return err
	}
	k.tries = 0
	return nil
}
