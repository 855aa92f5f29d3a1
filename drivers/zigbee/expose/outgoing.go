package expose

import (
	"maps"
	"slices"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// A wish is what is asked of the device.
type wish struct {
	set map[string]hearth.Value
	now func(property string) (hearth.Value, bool)
}

// of returns what is asked of a property, as the standard has it.
func (w wish) of(s *slot) (hearth.Value, bool) {
	if s == nil {
		return hearth.Value{}, false
	}
	v, asked := w.set[s.Name]
	return s.device(v), asked
}

// current returns what a property was last reported as.
func (w wish) current(s *slot) (hearth.Value, bool) {
	if s == nil || w.now == nil {
		return hearth.Value{}, false
	}
	v, known := w.now(s.Name)
	return s.device(v), known
}

// Outgoing returns the frames that carry out one wish, as few as can be. now tells what a property was last reported
// as. A wish that cannot be carried out is a hearth.Error that says why.
func (m *Model) Outgoing(set map[string]hearth.Value, now func(property string) (hearth.Value, bool)) ([]Request, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(set)) {
		s := m.named[name]
		switch {
		case s == nil:
			return nil, hearth.Errorf(hearth.CodeNoDevice, "the device has no property %s", name)
		case !s.Writable:
			return nil, hearth.Errorf(hearth.CodeReadOnly, "%s can only be read", name)
		}
		if err := s.Accepts(set[name]); err != nil {
			return nil, err
		}
	}
	var requests []Request
	for _, a := range m.actors {
		if !slices.ContainsFunc(a.slots, func(s *slot) bool { _, asked := set[s.Name]; return asked }) {
			continue
		}
		more, err := a.carry(wish{set, now})
		if err != nil {
			return nil, err
		}
		requests = append(requests, more...)
	}
	return mergeWrites(requests), nil
}

// A target is an attribute that is written.
type target struct {
	endpoint uint8
	cluster  uint16
	attribute
	kind zcl.DataType
}

// target returns an attribute with the type that the ZCL gives it.
func (b *builder) target(endpoint uint8, cluster, id uint16) target {
	kind, _ := zcl.AttributeType(cluster, id)
	return target{endpoint, cluster, attribute{id, 0}, kind}
}

// value returns a number in the attribute's type. In an enumeration even the highest number may mean something.
func (t target) value(n float64) zcl.Value {
	if t.kind == zcl.Enum8 || t.kind == zcl.Enum16 {
		return zcl.UintOf(t.kind, uint64(n))
	}
	return zcl.FloatOf(t.kind, n)
}

func (t target) write(v zcl.Value) Request {
	f := zcl.WriteAttributes(zcl.Attribute{ID: t.id, Value: v})
	f.Manufacturer = t.manufacturer
	return Request{
		Endpoint: t.endpoint, Cluster: t.cluster, Answer: true, Frame: f,
		Confirm: []Read{{Endpoint: t.endpoint, Cluster: t.cluster, Manufacturer: t.manufacturer, Attributes: []uint16{t.id}}},
	}
}

// writes lets a property be set by writing an attribute.
func (b *builder) writes(to *slot, t target, number func(hearth.Value) (float64, error)) {
	if to == nil {
		return
	}
	b.act(func(w wish) ([]Request, error) {
		v, _ := w.of(to)
		n, err := number(v)
		if err != nil {
			return nil, err
		}
		return []Request{t.write(t.value(n))}, nil
	}, to)
}

// mergeWrites makes one frame of writes to the same cluster that follow each other.
func mergeWrites(requests []Request) []Request {
	var merged []Request
	for _, r := range requests {
		if len(merged) > 0 {
			last := &merged[len(merged)-1]
			if last.writes() && r.writes() && last.Endpoint == r.Endpoint && last.Cluster == r.Cluster && last.Frame.Manufacturer == r.Frame.Manufacturer {
				last.Frame.Payload = append(slices.Clip(last.Frame.Payload), r.Frame.Payload...)
				last.Confirm = append(slices.Clip(last.Confirm), r.Confirm...)
				continue
			}
		}
		merged = append(merged, r)
	}
	return merged
}

func (r Request) writes() bool {
	return r.Frame.Global && r.Frame.Command == zcl.CommandWriteAttributes
}
