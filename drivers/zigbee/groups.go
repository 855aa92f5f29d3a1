package zigbee

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

// A group is endpoints that hear one message to all of them. Its number is chosen here, its name and members are kept
// here; the members themselves know of it by their Groups cluster (ZCL 3.6), which takes a message to each, and for
// those that sleep some time. To the house a group is a device, radio:group_1: see face and state.
const (
	groupsKey  = "group/" // followed by the number
	groupName  = "group_" // followed by the number: the address of a group's device
	maxGroups  = 64
	maxMembers = 64 // of one group
	maxName    = 64 // bytes
)

type group struct {
	groupRecord
	id     hearth.ID
	parts  []groupPart
	told   hearth.Device // as it was last announced
	values map[string]hearth.Value
	reach  reach
	fresh  bool // whoever was in it in another time has not been told to leave yet
}

// groupRecord is what is kept of a group in the Store.
type groupRecord struct {
	Number  uint16        `json:"number"`
	Name    string        `json:"name"`
	Members []groupMember `json:"members"`
	Scenes  []groupScene  `json:"scenes,omitempty"`
	Deleted bool          `json:"deleted,omitempty"` // it is only here until all members have left
}

type groupMember struct {
	Place   place      `json:"place"`
	State   membership `json:"state"`
	Problem string     `json:"problem,omitempty"` // why it is full or refused
}

// membership is how far the device knows of its being a member.
type membership string

// The states of a membership.
const (
	memberJoining membership = "joining" // the device has not confirmed it yet
	memberIn      membership = "in"
	memberFull    membership = "full" // the device has no room for one more group
	memberRefused membership = "refused"
	memberLeaving membership = "leaving" // the device has not confirmed that it has left
)

// A place is an endpoint of a device, written as 00158d0001a2b3c4/1.
type place struct {
	IEEE     radio.IEEE
	Endpoint uint8
}

func (p place) String() string { return p.IEEE.String() + "/" + strconv.Itoa(int(p.Endpoint)) }

// MarshalText implements encoding.TextMarshaler.
func (p place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *place) UnmarshalText(text []byte) error {
	address, endpoint, _ := strings.Cut(string(text), "/")
	ieee, err := radio.ParseIEEE(address)
	n, bad := strconv.ParseUint(endpoint, 10, 8)
	if err != nil || bad != nil || n == 0 || n > 240 {
		return hearth.Errorf(hearth.CodeBadValue, "%q is no endpoint of a device: want its address and the endpoint's number, as in 00158d0001a2b3c4/1", clip(string(text)))
	}
	*p = place{ieee, uint8(n)}
	return nil
}

func clip(text string) string { return text[:min(len(text), maxName)] }

func compareMembers(a, b groupMember) int {
	return cmp.Or(cmp.Compare(a.Place.IEEE, b.Place.IEEE), cmp.Compare(a.Place.Endpoint, b.Place.Endpoint))
}

// groupBook is all groups. What changes is guarded by driver.mu.
type groupBook struct {
	all     map[uint16]*group
	of      map[radio.IEEE][]*group // by member; without those that leave
	owing   map[radio.IEEE]bool     // devices that have to be told of a membership
	telling map[radio.IEEE]*telling
	changed chan struct{} // closed and replaced when a device was told something, or was not to be reached

	keeping sync.Mutex    // one write at a time
	places  chan struct{} // one for each device that is asked at once on behalf of groups
}

const askedAtOnce = 4

func newGroupBook() *groupBook {
	return &groupBook{
		all: map[uint16]*group{}, telling: map[radio.IEEE]*telling{}, changed: make(chan struct{}), places: make(chan struct{}, askedAtOnce),
	}
}

// loadGroups takes the groups from the Store, and what devices are bound to, and passes over what cannot be read; d.mu
// is held, and the devices are known.
func (d *driver) loadGroups() error {
	err := d.env.Store.Each(func(key string, value []byte) error {
		d.bindings.load(key, value)
		if !strings.HasPrefix(key, groupsKey) {
			return nil
		}
		var r groupRecord
		if err := json.Unmarshal(value, &r); err != nil || r.Number == 0 {
			d.log.Error("what is kept of a group cannot be read: it is passed over", "key", key, "error", err)
			return nil
		}
		d.groups.all[r.Number] = newGroup(d, r)
		return nil
	})
	d.groups.index()
	for _, g := range d.groups.all {
		g.assemble(d)
	}
	return err
}

func newGroup(d *driver, r groupRecord) *group {
	return &group{groupRecord: r, id: d.env.ID(groupName + strconv.Itoa(int(r.Number))), values: map[string]hearth.Value{}}
}

// index works out anew who is in which groups and who has to be told; driver.mu is held.
func (b *groupBook) index() {
	b.of, b.owing = map[radio.IEEE][]*group{}, map[radio.IEEE]bool{}
	for _, n := range b.numbers() {
		g := b.all[n]
		for _, m := range g.Members {
			if m.owed() {
				b.owing[m.Place.IEEE] = true
			}
			if m.State != memberLeaving && !slices.Contains(b.of[m.Place.IEEE], g) {
				b.of[m.Place.IEEE] = append(b.of[m.Place.IEEE], g)
			}
		}
	}
}

func (m groupMember) owed() bool { return m.State == memberJoining || m.State == memberLeaving }

func (b *groupBook) numbers() []uint16 {
	all := make([]uint16, 0, len(b.all))
	for n := range b.all {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// note lets those look again who wait for devices to be told.
func (b *groupBook) note() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// groupByID returns a group by its device's id, nil if there is none; d.mu is held.
func (d *driver) groupByID(id hearth.ID) *group {
	digits, ok := strings.CutPrefix(id.Address(), groupName)
	n, err := strconv.ParseUint(digits, 10, 16)
	if !ok || err != nil {
		return nil
	}
	if g := d.groups.all[uint16(n)]; g != nil && g.id == id && !g.Deleted {
		return g
	}
	return nil
}

// groupByNumber returns a group that is not deleted; d.mu is held.
func (d *driver) groupByNumber(number uint16) (*group, error) {
	if g := d.groups.all[number]; g != nil && !g.Deleted {
		return g, nil
	}
	return nil, hearth.Errorf(hearth.CodeNotFound, "there is no group %d", number)
}

// keepGroup writes a group down as it is now, or that it is no more. It waits for the disk, so no lock is held.
func (d *driver) keepGroup(number uint16) error {
	d.groups.keeping.Lock()
	defer d.groups.keeping.Unlock()
	key := groupsKey + strconv.Itoa(int(number))
	d.mu.Lock()
	g, there := d.groups.all[number]
	var data []byte
	var err error
	if there {
		data, err = json.Marshal(&g.groupRecord)
	}
	d.mu.Unlock()
	switch {
	case err != nil:
	case there:
		err = d.env.Store.Put(key, data)
	default:
		err = d.env.Store.Delete(key)
	}
	if err != nil {
		return fmt.Errorf("keeping group %d: %w", number, err)
	}
	return nil
}

// keepGroupLater is keepGroup for who holds d.mu.
func (s *session) keepGroupLater(number uint16) {
	s.tasks.start(func() { s.complain("keeping a group", s.d.keepGroup(number)) })
}

// announceGroups tells home of all groups; d.mu is held.
func (s *session) announceGroups() {
	for _, n := range s.d.groups.numbers() {
		if g := s.d.groups.all[n]; !g.Deleted {
			s.announce(g.told)
			s.tellMembership(g)
			s.tellGroup(g)
		}
	}
}

// regroup works the groups out anew after a change of their members; d.mu is held.
func (s *session) regroup() {
	s.d.groups.index()
	for _, n := range s.d.groups.numbers() {
		s.reface(s.d.groups.all[n])
	}
}

// refaceGroups works out anew the groups of a device that is known better now; d.mu is held.
func (s *session) refaceGroups(dev *device) {
	for _, g := range s.d.groups.of[dev.IEEE] {
		s.reface(g)
	}
}

// reface works out what a group is now, and tells home if that is something else; d.mu is held.
func (s *session) reface(g *group) {
	before := g.told
	g.assemble(s.d)
	if g.Deleted {
		return
	}
	if !sameFace(before, g.told) {
		s.announce(g.told)
	}
	s.tellMembership(g)
	s.tellGroup(g)
}

// forgetInGroups drops a device that has left the network for good from all groups; d.mu is held.
func (s *session) forgetInGroups(dev *device) {
	delete(s.d.groups.telling, dev.IEEE)
	if !s.d.groups.drop(dev.IEEE, s.keepGroupLater) {
		return
	}
	s.regroup()
	s.d.groups.note()
}

// drop takes a device out of all groups and reports whether it was in one; driver.mu is held.
func (b *groupBook) drop(address radio.IEEE, keep func(number uint16)) (dropped bool) {
	for n, g := range b.all {
		if !slices.ContainsFunc(g.Members, func(m groupMember) bool { return m.Place.IEEE == address }) {
			continue
		}
		dropped = true
		g.Members = slices.DeleteFunc(slices.Clone(g.Members), func(m groupMember) bool { return m.Place.IEEE == address })
		for i := range g.Scenes {
			g.Scenes[i].Members = slices.DeleteFunc(slices.Clone(g.Scenes[i].Members), func(p place) bool { return p.IEEE == address })
		}
		if g.Deleted && len(g.Members) == 0 {
			delete(b.all, n)
		}
		keep(n)
	}
	return dropped
}

// hearGroups has the stick listen to all groups, so that remotes that command them are heard, and to those that remotes
// were bound to by others.
func (s *session) hearGroups() {
	s.d.mu.Lock()
	numbers := s.d.strangeGroups()
	for n, g := range s.d.groups.all {
		if !g.Deleted {
			numbers = append(numbers, n)
		}
	}
	s.d.mu.Unlock()
	slices.Sort(numbers)
	for _, n := range slices.Compact(numbers) {
		s.hearGroup(n)
	}
}

const hearTime = 5 * time.Second

func (s *session) hearGroup(number uint16) {
	r := s.radio.Load()
	if r == nil {
		return // when the network is up all are heard
	}
	ctx, cancel := context.WithTimeout(s.ctx, hearTime)
	defer cancel()
	if err := (*r).Hear(ctx, number); err != nil && s.ctx.Err() == nil {
		s.log.Warn("the stick does not listen to a group: it works, but remotes that command it are not heard here", "group", number, "error", err)
	}
}
