package homekit

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hearth"
)

const (
	devicePrefix = "device/"

	bridgeAID  = 1
	mostPerOne = 149  // devices of one bridge, which is an accessory itself: 150 is Apple's limit
	mostGone   = 2000 // devices that left whose ids are still known, should they come back
	mostKeys   = 4000 // iids of one device before those not in use any more are let go (never to be used again)
	firstIID   = 16   // below are those of the accessory information
)

// A record is what is kept of a device for good: a phone knows it by these numbers, and its room, name, scenes and
// automations hang on them.
type record struct {
	AID    uint64            `json:"aid"`
	Bridge int               `json:"bridge"`
	Next   uint64            `json:"next"` // the iid that was never given
	IIDs   map[string]uint64 `json:"iids"`
	Labels map[string]int    `json:"labels,omitempty"` // numbers of buttons
	Names  map[string]string `json:"names,omitempty"`  // what a person calls a service, by its key
	Gone   bool              `json:"gone,omitempty"`   // the device left for good; if the same one comes back, it is the same
}

// A numbering gives ids and keeps them. It is for one goroutine at a time.
type numbering struct {
	store   hearth.Store
	next    uint64 // the aid that was never given: one more than the greatest, which is never let go
	records map[hearth.ID]*record
}

func openNumbering(store hearth.Store) (*numbering, error) {
	n := &numbering{store: store, next: bridgeAID + 1, records: map[hearth.ID]*record{}}
	err := store.Each(func(key string, value []byte) error {
		id, ok := strings.CutPrefix(key, devicePrefix)
		if !ok {
			return nil
		}
		var r record
		if err := json.Unmarshal(value, &r); err != nil || r.AID <= bridgeAID || r.IIDs == nil || r.Bridge < 0 {
			return errors.Join(fmt.Errorf("homekit: what is kept of device %s cannot be read", id), err)
		}
		n.records[hearth.ID(id)] = &r
		n.next = max(n.next, r.AID+1)
		return nil
	})
	return n, err
}

// bridges returns how many there are.
func (n *numbering) bridges() int {
	count := 1
	for _, r := range n.records {
		if !r.Gone {
			count = max(count, r.Bridge+1)
		}
	}
	return count
}

// known returns what is kept of a device, and makes it where there is nothing.
func (n *numbering) known(id hearth.ID) (*record, error) {
	if r := n.records[id]; r != nil && (!r.Gone || n.load(r.Bridge) < mostPerOne) {
		if !r.Gone {
			return r, nil
		}
		back := *r
		back.Gone = false
		return n.keep(id, &back)
	}
	bridge := 0
	for n.load(bridge) >= mostPerOne {
		bridge++
	}
	r, err := n.keep(id, &record{AID: n.next, Bridge: bridge, Next: firstIID, IIDs: map[string]uint64{}})
	if err == nil {
		n.next++
	}
	return r, err
}

// load is how many devices a bridge has.
func (n *numbering) load(bridge int) (count int) {
	for _, r := range n.records {
		if r.Bridge == bridge && !r.Gone {
			count++
		}
	}
	return count
}

func (n *numbering) keep(id hearth.ID, r *record) (*record, error) {
	data, err := json.Marshal(r)
	if err == nil {
		err = n.store.Put(devicePrefix+string(id), data)
	}
	if err != nil {
		return nil, fmt.Errorf("homekit: keeping the ids of %s: %w", id, err)
	}
	n.records[id] = r
	return r, nil
}

// forget marks a device that left for good. Its ids are not given to another.
func (n *numbering) forget(id hearth.ID) error {
	r := n.records[id]
	if r == nil || r.Gone {
		return nil
	}
	gone := *r
	gone.Gone = true
	if _, err := n.keep(id, &gone); err != nil {
		return err
	}
	return n.prune()
}

// prune lets go of the devices that left first, where there are too many.
func (n *numbering) prune() error {
	var gone []hearth.ID
	for id, r := range n.records {
		if r.Gone {
			gone = append(gone, id)
		}
	}
	if len(gone) <= mostGone {
		return nil
	}
	slices.SortFunc(gone, func(a, b hearth.ID) int { return int(n.records[a].AID) - int(n.records[b].AID) })
	for _, id := range gone[:len(gone)-mostGone] {
		if err := n.store.Delete(devicePrefix + string(id)); err != nil {
			return fmt.Errorf("homekit: letting go of %s: %w", id, err)
		}
		delete(n.records, id)
	}
	return nil
}

// number gives every service and characteristic of a device its id, and every button its number, and keeps the new ones.
func (n *numbering) number(id hearth.ID, faces []*face) (*record, error) {
	r, err := n.known(id)
	if err != nil {
		return nil, err
	}
	next := *r
	next.IIDs, next.Labels = maps.Clone(r.IIDs), maps.Clone(r.Labels)
	used := map[string]bool{}
	give := func(key string) uint64 {
		used[key] = true
		if next.IIDs[key] == 0 {
			next.IIDs[key] = next.Next
			next.Next++
		}
		return next.IIDs[key]
	}
	for _, f := range faces {
		f.s.Id = give(f.key)
		for _, c := range f.fields {
			c.c.Id = give(f.key + "/" + c.c.Type)
		}
	}
	next.label(faces)
	if len(next.IIDs) > mostKeys {
		maps.DeleteFunc(next.IIDs, func(key string, _ uint64) bool { return !used[key] })
	}
	if len(next.IIDs) == len(r.IIDs) && next.Next == r.Next && maps.Equal(next.Labels, r.Labels) {
		return r, nil
	}
	return n.keep(id, &next)
}

// label numbers the buttons of a device: by their names where these are numbers, and as they came otherwise.
func (r *record) label(faces []*face) {
	taken := map[int]bool{}
	for _, index := range r.Labels {
		taken[index] = true
	}
	for _, f := range faces {
		for _, c := range f.fields {
			if c.c.Type != typeServiceLabelIndex {
				continue
			}
			if r.Labels == nil {
				r.Labels = map[string]int{}
			}
			if r.Labels[f.key] == 0 {
				index, _ := strconv.Atoi(strings.TrimPrefix(f.label, "Button "))
				for index < 1 || index > 255 || taken[index] {
					if index = index + 1; index > 255 || index < 1 {
						index = 1
					}
					if len(taken) >= 255 {
						break
					}
				}
				r.Labels[f.key], taken[index] = index, true
			}
			c.c.Val = r.Labels[f.key]
		}
	}
}

// rename keeps what a person calls a service.
func (n *numbering) rename(id hearth.ID, key, name string) error {
	r := n.records[id]
	if r == nil {
		return fmt.Errorf("homekit: %s is not known", id)
	}
	next := *r
	next.Names = maps.Clone(r.Names)
	if next.Names == nil {
		next.Names = map[string]string{}
	}
	next.Names[key] = name
	_, err := n.keep(id, &next)
	return err
}

// part is a store within a store.
type part struct {
	hearth.Store
	prefix string
}

func (p part) Get(key string) ([]byte, error)     { return p.Store.Get(p.prefix + key) }
func (p part) Put(key string, value []byte) error { return p.Store.Put(p.prefix+key, value) }
func (p part) Delete(key string) error            { return p.Store.Delete(p.prefix + key) }
func (p part) Each(fn func(string, []byte) error) error {
	return p.Store.Each(func(key string, value []byte) error {
		if own, ok := strings.CutPrefix(key, p.prefix); ok {
			return fn(own, value)
		}
		return nil
	})
}
