package homekit

import (
	"maps"
	"slices"
	"sync"

	"hearth"
)

// orders are the commands under way, whoever gave them: what they ask for counts before the device has said it.
type orders struct {
	mu   sync.Mutex
	open map[hearth.ID][]hearth.Command // oldest first
}

// begin notes a command, or what became of it since.
func (o *orders) begin(c hearth.Command) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = map[hearth.ID][]hearth.Command{}
	}
	all := o.open[c.Device]
	if i := slices.IndexFunc(all, func(other hearth.Command) bool { return other.ID == c.ID }); i >= 0 {
		all[i] = c
		return
	}
	o.open[c.Device] = append(all, c)
}

// end forgets a command that is final, or was never taken.
func (o *orders) end(c hearth.Command) {
	o.mu.Lock()
	defer o.mu.Unlock()
	left := slices.DeleteFunc(o.open[c.Device], func(other hearth.Command) bool { return other.ID == c.ID })
	if o.open[c.Device] = left; len(left) == 0 {
		delete(o.open, c.Device)
	}
}

// reset forgets all but the commands of these records that are not final; the newest record is the first.
func (o *orders) reset(records []hearth.Record) {
	o.mu.Lock()
	o.open = nil
	o.mu.Unlock()
	for _, rec := range slices.Backward(records) {
		if !rec.Final {
			o.begin(rec.Command)
		}
	}
}

// forget is for a device that is gone.
func (o *orders) forget(id hearth.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, id)
}

// devices lists those that commands are under way for.
func (o *orders) devices() []hearth.ID {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.open))
}

// of is what the commands for a device ask for together, the newest winning; nil if there are none.
func (o *orders) of(id hearth.ID) map[string]hearth.Value {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all map[string]hearth.Value
	for _, c := range o.open[id] {
		if all == nil {
			all = map[string]hearth.Value{}
		}
		maps.Copy(all, c.Set)
	}
	return all
}
