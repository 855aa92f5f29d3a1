package zigbee

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// A binding has a device tell another, or a group, what a cluster of its has to say: a button switches a lamp without
// anything between them. Bindings are in the device that they begin at; what its table was last known to hold is kept.
const (
	tablesKey  = "bindings/" // followed by the device's address
	groupWord  = "group:"    // followed by the number: a group as a binding's target
	mostTables = 128         // entries of one device's table
)

// bindingTable is what a device's table of bindings was last known to hold.
type bindingTable struct {
	Read     hearth.Time   `json:"read"` // zero: it was never read, or the device does not tell it
	Bindings []zdo.Binding `json:"bindings"`
}

// bindingBook is the tables of all devices. What changes is guarded by driver.mu.
type bindingBook struct {
	of      map[radio.IEEE]*bindingTable
	keeping sync.Mutex // one write at a time
}

func newBindingBook() *bindingBook { return &bindingBook{of: map[radio.IEEE]*bindingTable{}} }

func (b *bindingBook) load(key string, value []byte) {
	address, found := strings.CutPrefix(key, tablesKey)
	ieee, err := radio.ParseIEEE(address)
	if !found || err != nil {
		return
	}
	var t bindingTable
	if json.Unmarshal(value, &t) == nil { // else it is read when somebody wants to know
		b.of[ieee] = &t
	}
}

// table returns what a device is known to be bound to; driver.mu is held.
func (b *bindingBook) table(address radio.IEEE) *bindingTable {
	t := b.of[address]
	if t == nil {
		t = &bindingTable{}
		b.of[address] = t
	}
	return t
}

// note takes a binding that was made or is no more; driver.mu is held.
func (b *bindingBook) note(binding zdo.Binding, there bool) {
	t := b.table(binding.Source)
	t.Bindings = slices.DeleteFunc(slices.Clone(t.Bindings), func(old zdo.Binding) bool { return old == binding })
	if there {
		t.Bindings = append(t.Bindings, binding)
	}
}

// keepTable writes a device's table down. It waits for the disk, so no lock is held.
func (d *driver) keepTable(address radio.IEEE) error {
	d.bindings.keeping.Lock()
	defer d.bindings.keeping.Unlock()
	d.mu.Lock()
	t := d.bindings.of[address]
	var data []byte
	var err error
	if t != nil {
		data, err = json.Marshal(t)
	}
	d.mu.Unlock()
	key := tablesKey + address.String()
	switch {
	case err != nil:
	case t != nil:
		err = d.env.Store.Put(key, data)
	default:
		err = d.env.Store.Delete(key)
	}
	if err != nil {
		return fmt.Errorf("keeping what %s is bound to: %w", address, err)
	}
	return nil
}

// forgetBindings drops what is known of a device that has left for good; d.mu is held.
func (s *session) forgetBindings(dev *device) {
	if s.d.bindings.of[dev.IEEE] != nil {
		delete(s.d.bindings.of, dev.IEEE)
		s.tasks.start(func() { s.complain("forgetting bindings", s.d.keepTable(dev.IEEE)) })
	}
}

// strangeGroups lists groups that devices are bound to and that are not of this house; d.mu is held.
func (d *driver) strangeGroups() (numbers []uint16) {
	for _, t := range d.bindings.of {
		for _, b := range t.Bindings {
			if b.Destination.IsGroup && d.groups.all[b.Destination.Group] == nil {
				numbers = append(numbers, b.Destination.Group)
			}
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// readTable reads a device's table of bindings and keeps it.
func (s *session) readTable(ctx context.Context, dev *device) ([]zdo.Binding, error) {
	all, err := readPages(ctx, mostTables, 0, func(start uint8) (page[zdo.Binding], error) {
		data, err := s.traffic.ZDO(ctx, dev, zdo.ClusterBindingTableRequest, func(sequence uint8) []byte {
			return zdo.BindingTableRequest{Sequence: sequence, Start: start}.Append(nil)
		})
		if err != nil {
			return page[zdo.Binding]{}, err
		}
		r, err := zdo.ParseBindingTableResponse(data)
		return page[zdo.Binding]{r.Bindings, r.Start, r.Total, r.Status}, err
	})
	if err != nil {
		return nil, err
	}
	s.d.mu.Lock()
	s.d.bindings.of[dev.IEEE] = &bindingTable{Read: hearth.Time{Time: s.d.now()}, Bindings: all}
	strange := s.d.strangeGroups()
	s.d.mu.Unlock()
	for _, b := range all {
		if b.Destination.IsGroup && slices.Contains(strange, b.Destination.Group) {
			s.hearGroup(b.Destination.Group)
		}
	}
	return all, s.d.keepTable(dev.IEEE)
}

// learnBindings reads the table of a device that commands others, when it has just been asked all else: it may be bound
// to somebody since another time; d.mu is held.
func (s *session) learnBindings(dev *device) {
	if t := s.d.bindings.of[dev.IEEE]; t != nil && !t.Read.IsZero() || !slices.ContainsFunc(dev.Endpoints, commandsOthers) {
		return
	}
	s.background(dev, func(ctx context.Context) error {
		_, err := s.readTable(ctx, dev)
		return err
	})
}

// commandsOthers reports whether an endpoint is one of a remote control, or has a button beside all else.
func commandsOthers(e expose.Endpoint) bool {
	return slices.ContainsFunc(e.Out, func(cluster uint16) bool {
		return cluster == zcl.ClusterOnOff || cluster == zcl.ClusterLevelControl || cluster == zcl.ClusterColorControl || cluster == zcl.ClusterWindowCovering
	})
}

// A page is a part of a table that a device tells.
type page[T any] struct {
	entries []T
	start   uint8
	total   uint8
	status  zdo.Status
}

// tableFull reports whether a device refuses for want of room.
func tableFull(err error) bool {
	var refused *zdoError
	return errors.As(err, &refused) && (refused.status == zdo.TableFull || refused.status == zdo.BindingTableFull || refused.status == zdo.InsufficientSpace)
}

// fullTable says what fills the table of a device that has no room for a binding.
func (s *session) fullTable(ctx context.Context, dev *device) error {
	all, err := s.readTable(ctx, dev)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if err != nil {
		return hearth.Errorf(hearth.CodeConflict, "the table of bindings of %s is full, and the device does not tell what fills it: %v", dev.told.Name, err)
	}
	says := make([]string, len(all))
	for i, b := range all {
		says[i] = fmt.Sprintf("%s of endpoint %d to %s", zcl.ClusterName(b.Cluster), b.Endpoint, s.d.destinationName(b.Destination))
	}
	return hearth.Errorf(hearth.CodeConflict, "the table of bindings of %s is full, with %d entries: %s. Remove one that is not to the coordinator, through which the device reports",
		dev.told.Name, len(all), strings.Join(says, "; "))
}

// destinationName says where a binding leads to; driver.mu is held.
func (d *driver) destinationName(to zdo.Destination) string {
	switch {
	case to.IsGroup && d.groups.all[to.Group] != nil:
		return fmt.Sprintf("group %d (%s)", to.Group, d.groups.all[to.Group].Name)
	case to.IsGroup:
		return fmt.Sprintf("group %d", to.Group)
	case d.network != nil && to.IEEE == d.network.Coordinator:
		return "the coordinator"
	}
	return d.nameOf(to.IEEE)
}

// A bindTarget is where a binding leads to, as a person writes it: 00158d0001a2b3c4/1, or group:3.
type bindTarget zdo.Destination

// MarshalText implements encoding.TextMarshaler.
func (t bindTarget) MarshalText() ([]byte, error) {
	if t.IsGroup {
		return []byte(groupWord + strconv.Itoa(int(t.Group))), nil
	}
	return place{t.IEEE, t.Endpoint}.MarshalText()
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *bindTarget) UnmarshalText(text []byte) error {
	if digits, is := strings.CutPrefix(string(text), groupWord); is {
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || n == 0 {
			return hearth.Errorf(hearth.CodeBadValue, "%q is no group: want its number, as in group:3", clip(string(text)))
		}
		*t = bindTarget{IsGroup: true, Group: uint16(n)}
		return nil
	}
	var p place
	if err := p.UnmarshalText(text); err != nil {
		return err
	}
	*t = bindTarget{IEEE: p.IEEE, Endpoint: p.Endpoint}
	return nil
}

// A bindingView is the bindings from one endpoint to one target.
type bindingView struct {
	Source     place       `json:"source"`
	SourceName string      `json:"source_name"`
	Target     bindTarget  `json:"target"`
	TargetName string      `json:"target_name"`
	Clusters   []string    `json:"clusters"`
	Read       hearth.Time `json:"read"` // when the device told its table; null: never, this is what was asked of it
}

// listBindings returns what devices are known to be bound to: all, or one. Those to the coordinator are left out: through
// them the devices report.
func (d *driver) listBindings(of func(radio.IEEE) bool) []bindingView {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []bindingView{}
	for address, t := range d.bindings.of {
		if !of(address) || d.devices[address] == nil {
			continue
		}
		for _, b := range t.Bindings {
			if d.isOwn(b.Destination) {
				continue
			}
			v := bindingView{
				Source: place{address, b.Endpoint}, SourceName: d.nameOf(address),
				Target: bindTarget(b.Destination), TargetName: d.destinationName(b.Destination), Read: t.Read,
			}
			i := slices.IndexFunc(all, func(other bindingView) bool { return other.Source == v.Source && other.Target == v.Target })
			if i < 0 {
				i, all = len(all), append(all, v)
			}
			all[i].Clusters = append(all[i].Clusters, zcl.ClusterName(b.Cluster))
		}
	}
	for i := range all {
		slices.Sort(all[i].Clusters)
	}
	slices.SortFunc(all, func(a, b bindingView) int {
		return cmp.Or(cmp.Compare(a.Source.String(), b.Source.String()), cmp.Compare(a.TargetName, b.TargetName))
	})
	return all
}

// isOwn reports whether a binding leads to a coordinator of this network, now or before; driver.mu is held.
func (d *driver) isOwn(to zdo.Destination) bool {
	return !to.IsGroup && d.network != nil && (to.IEEE == d.network.Coordinator || to.IEEE == d.network.Address)
}
