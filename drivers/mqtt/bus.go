package mqtt

import (
	"context"
	"slices"
	"strings"
	"sync"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

const maxFilters = 20_000 // of one dialect

// A face is the bus of one dialect, and the dialect.
type face struct {
	driver  *Driver
	name    string
	dialect dialect.Dialect

	mu       sync.RWMutex
	filters  map[string]bool
	patterns dialect.Tree[struct{}] // those with wildcards
	refused  int                    // filters for which there was no room

	ids map[hearth.ID]bool // its devices; Driver.mu guards it
}

// Publish implements dialect.Bus.
func (f *face) Publish(ctx context.Context, topic string, payload []byte, retain bool) error {
	if err := dialect.CheckTopic(topic); err != nil {
		return err
	}
	s := f.driver.current()
	if s == nil {
		return dialect.Offline()
	}
	return s.publish(ctx, topic, payload, retain)
}

// Subscribe implements dialect.Bus.
func (f *face) Subscribe(filter string) {
	if dialect.CheckFilter(filter) != nil {
		return
	}
	f.mu.Lock()
	if f.filters[filter] {
		f.mu.Unlock()
		return
	}
	if len(f.filters) >= maxFilters {
		f.refused++
		first := f.refused == 1
		f.mu.Unlock()
		if first {
			f.driver.env.Log.Warn("a dialect listens to too many topics: the rest is not heard", "dialect", f.name, "most", maxFilters)
		}
		return
	}
	f.filters[filter] = true
	if strings.ContainsAny(filter, "+#") {
		f.patterns.Put(filter, struct{}{})
	}
	f.mu.Unlock()
	if s := f.driver.current(); s != nil {
		s.order(change{filter: filter})
	}
}

// Unsubscribe implements dialect.Bus.
func (f *face) Unsubscribe(filter string) {
	f.mu.Lock()
	known := f.filters[filter]
	delete(f.filters, filter)
	f.patterns.Delete(filter)
	f.mu.Unlock()
	if s := f.driver.current(); s != nil && known && !f.driver.subscribed(filter) {
		s.order(change{filter: filter, end: true})
	}
}

// wants reports whether the dialect has asked for messages to topic.
func (f *face) wants(topic string) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for range f.patterns.Match(topic) {
		return true
	}
	return f.filters[topic]
}

// all returns its filters, sorted, so that a reconnect asks in the same order.
func (f *face) all() []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	all := make([]string, 0, len(f.filters))
	for filter := range f.filters {
		all = append(all, filter)
	}
	slices.Sort(all)
	return all
}

// limit is how long a message to topic may be.
func (f *face) limit(topic string) int {
	if own, ok := f.dialect.(interface{ MaxPayload(topic string) int }); ok {
		return min(own.MaxPayload(topic), maxPacket)
	}
	return dialect.MaxPayload
}

// Announce implements hearth.Home. A device that another dialect has announced stays that one's.
func (f *face) Announce(dev hearth.Device) {
	d := f.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.home == nil {
		return
	}
	if owner := d.owner(dev.ID); owner != nil && owner != f {
		d.once.Warn(d.env.Log, "two "+string(dev.ID), "a device speaks in two ways: the first is heard", "device", dev.ID, "first", owner.name, "second", f.name)
		return
	}
	f.ids[dev.ID] = true
	d.home.Announce(dev)
}

// Report implements hearth.Home.
func (f *face) Report(readings ...hearth.Reading) {
	d := f.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.home == nil {
		return
	}
	own := readings
	if slices.ContainsFunc(readings, func(r hearth.Reading) bool { return !f.ids[r.Device] }) {
		own = slices.DeleteFunc(slices.Clone(readings), func(r hearth.Reading) bool { return !f.ids[r.Device] })
	}
	if len(own) > 0 {
		d.home.Report(own...)
	}
}

// Forget implements hearth.Home.
func (f *face) Forget(id hearth.ID) {
	d := f.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	if owner := d.owner(id); d.home == nil || owner != nil && owner != f {
		return
	}
	delete(f.ids, id)
	d.home.Forget(id)
}

// A shelf is a part of a Store.
type shelf struct {
	store  hearth.Store
	prefix string
}

// Get implements hearth.Store.
func (s shelf) Get(key string) ([]byte, error) { return s.store.Get(s.prefix + key) }

// Put implements hearth.Store.
func (s shelf) Put(key string, value []byte) error { return s.store.Put(s.prefix+key, value) }

// Delete implements hearth.Store.
func (s shelf) Delete(key string) error { return s.store.Delete(s.prefix + key) }

// Each implements hearth.Store.
func (s shelf) Each(each func(key string, value []byte) error) error {
	return s.store.Each(func(key string, value []byte) error {
		if own, ok := strings.CutPrefix(key, s.prefix); ok {
			return each(own, value)
		}
		return nil
	})
}
