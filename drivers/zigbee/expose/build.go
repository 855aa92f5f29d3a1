package expose

import (
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// A builder puts a Model together, one family of clusters after the other.
type builder struct {
	*Model
	endpoints []Endpoint // without what is to be ignored
	slots     []*slot
	once      map[string]*slot // properties that a device has once, however many endpoints speak of them
	defined   map[*slot]bool   // by a definition's attributes
	wants     []wanted
}

// A wanted is an attribute that shall be reported for the sake of a property.
type wanted struct {
	slot         *slot
	endpoint     uint8
	cluster      uint16
	manufacturer uint16
	record       zcl.ReportingRecord
	every        time.Duration // to read it where its reporting is refused, or is not asked for
	poll         bool          // it is not asked for
	silent       bool          // it cannot be read
	own          bool          // a definition says how
}

// same reports whether two are about the same attribute.
func (w wanted) same(other wanted) bool {
	return w.endpoint == other.endpoint && w.cluster == other.cluster && w.manufacturer == other.manufacturer && w.record.ID == other.record.ID
}

// A family is clusters that are understood together.
type family struct {
	clusters []uint16
	build    func(*builder, Endpoint)
}

// families are in the order in which a page shows their properties.
func families() []family {
	return []family{
		{[]uint16{zcl.ClusterDoorLock}, buildLock},
		{[]uint16{zcl.ClusterWindowCovering}, buildCovering},
		{[]uint16{zcl.ClusterThermostat}, buildThermostat},
		{[]uint16{zcl.ClusterThermostatUI}, buildThermostatUI},
		{[]uint16{zcl.ClusterOnOff, zcl.ClusterLevelControl, zcl.ClusterColorControl}, buildLight},
		{[]uint16{zcl.ClusterFanControl}, buildFan},
		{[]uint16{zcl.ClusterIASWD}, buildSiren},
		{[]uint16{zcl.ClusterIASZone}, buildZone},
		{measuredClusters(), buildMeasured},
		{[]uint16{zcl.ClusterPressureMeasurement}, buildPressure},
		{[]uint16{zcl.ClusterElectricalMeasurement}, buildElectrical},
		{[]uint16{zcl.ClusterMetering}, buildMetering},
		{ioClusters(), buildIO},
		{[]uint16{zcl.ClusterPowerConfiguration}, buildPower},
		{[]uint16{zcl.ClusterPollControl}, buildPollControl},
		{[]uint16{zcl.ClusterAlarms}, buildAlarms},
		{[]uint16{zcl.ClusterIdentify}, buildIdentify},
	}
}

// understood reports whether a cluster's reports mean something wherever they come from: a sensor's do.
func understood(cluster uint16) bool {
	switch cluster {
	case zcl.ClusterPressureMeasurement, zcl.ClusterElectricalMeasurement, zcl.ClusterMetering, zcl.ClusterPowerConfiguration:
		return true
	}
	return slices.Contains(measuredClusters(), cluster)
}

func (b *builder) build() {
	b.regard()
	for _, f := range families() {
		for _, e := range b.endpoints {
			if slices.ContainsFunc(f.clusters, e.serves) {
				f.build(b, e)
			}
		}
	}
	if len(b.definition.Commands) == 0 {
		b.buildButtons()
	}
	b.name()
	b.deviate()
	b.refresh()
	b.announce()
	b.identify()
	b.prepare()
}

// regard leaves out what a definition wants ignored.
func (b *builder) regard() {
	for _, e := range b.description.Endpoints {
		ignored := func(cluster uint16) bool { return b.definition.Ignores(e.ID, cluster) }
		e.In, e.Out = slices.DeleteFunc(slices.Clone(e.In), ignored), slices.DeleteFunc(slices.Clone(e.Out), ignored)
		b.endpoints = append(b.endpoints, e)
	}
	switch b.definition.Power {
	case "mains":
		b.description.Mains = true
	case "battery":
		b.description.Mains = false
	}
}

func (e Endpoint) serves(cluster uint16) bool { return slices.Contains(e.In, cluster) }
func (e Endpoint) uses(cluster uint16) bool   { return slices.Contains(e.Out, cluster) }

// slot gives an endpoint a property; the same one again for the same name.
func (b *builder) slot(endpoint uint8, p hearth.Property) *slot {
	for _, s := range b.slots {
		if s.endpoint == endpoint && s.Name == p.Name {
			return s
		}
	}
	s := &slot{Property: p, standard: p.Name, endpoint: endpoint}
	b.slots = append(b.slots, s)
	return s
}

// single gives the device a property that it has once; nil if another endpoint has it already.
func (b *builder) single(endpoint uint8, p hearth.Property) *slot {
	if s := b.once[p.Name]; s != nil && s.endpoint != endpoint {
		return nil
	}
	s := b.slot(endpoint, p)
	s.naming = unnumbered
	b.once[p.Name] = s
	return s
}

func (b *builder) part(endpoint uint8, cluster uint16) *part {
	at := place{endpoint, cluster}
	if b.parts[at] == nil {
		b.parts[at] = &part{}
	}
	return b.parts[at]
}

// reads makes an attribute a property; without a slot it means nothing.
func (b *builder) reads(endpoint uint8, cluster, id uint16, to *slot, value func(zcl.Value) hearth.Value) {
	if to != nil {
		p := b.part(endpoint, cluster)
		p.readings = append(p.readings, reading{attribute{id, 0}, to, value})
	}
}

// ask has attributes read once that say what the device can do.
func (b *builder) ask(endpoint uint8, cluster uint16, attributes ...uint16) {
	b.askFor(endpoint, cluster, false, attributes)
}

// askPresence has attributes read once that a device need not have.
func (b *builder) askPresence(endpoint uint8, cluster uint16, attributes ...uint16) {
	b.askFor(endpoint, cluster, true, attributes)
}

func (b *builder) askFor(endpoint uint8, cluster uint16, presence bool, attributes []uint16) {
	p := b.part(endpoint, cluster)
	for _, id := range attributes {
		f := fact{id: id, presence: presence}
		f.number, f.known = b.fact(endpoint, cluster, id)
		if text, ok := b.description.Texts[factKey(endpoint, cluster, id)]; ok {
			f.text, f.known = text, true
		}
		p.facts = append(p.facts, f)
	}
	unknown := slices.DeleteFunc(slices.Clone(attributes), func(id uint16) bool {
		f, known := b.definition.Fact(endpoint, cluster, id)
		return known && !f.Untold
	})
	b.facts = addRead(b.facts, Read{Endpoint: endpoint, Cluster: cluster, Attributes: unknown})
}

// fact returns what an attribute was read as, or is known to be.
func (b *builder) fact(endpoint uint8, cluster, attribute uint16) (float64, bool) {
	known, ok := b.definition.Fact(endpoint, cluster, attribute)
	if n, told := b.description.Facts[factKey(endpoint, cluster, attribute)]; told && (!ok || known.Untold) {
		return n, true
	}
	return known.Value, ok
}

// factOr returns what an attribute was read as, or what it is without.
func (b *builder) factOr(endpoint uint8, cluster, attribute uint16, or float64) float64 {
	if n, ok := b.fact(endpoint, cluster, attribute); ok {
		return n
	}
	return or
}

func (b *builder) has(endpoint uint8, cluster, attribute uint16) bool {
	_, ok := b.fact(endpoint, cluster, attribute)
	return ok
}

// answered reports whether anything was read of a cluster: then what is not known of it is not there.
func (b *builder) answered(endpoint uint8, cluster uint16) bool {
	return slices.ContainsFunc(b.part(endpoint, cluster).facts, func(f fact) bool {
		_, read := b.description.Facts[factKey(endpoint, cluster, f.id)]
		return read
	})
}

// offers reports whether an attribute is there, as far as is known: before the cluster was read, the usual ones are.
func (b *builder) offers(endpoint uint8, cluster, attribute uint16, usual bool) bool {
	return b.has(endpoint, cluster, attribute) || usual && !b.answered(endpoint, cluster)
}

// bind has what happens to a cluster told to the coordinator, unless the device does that by itself.
func (b *builder) bind(endpoint uint8, cluster uint16) {
	if !b.definition.Setup.Quiet {
		b.bindAnyway(endpoint, cluster)
	}
}

func (b *builder) bindAnyway(endpoint uint8, cluster uint16) {
	if binding := (Binding{endpoint, cluster}); !slices.Contains(b.setup.Bindings, binding) {
		b.setup.Bindings = append(b.setup.Bindings, binding)
	}
}

// A pace is how often an attribute is reported: at the earliest and at the latest after so many seconds, and in between
// when it has changed by so much, as it travels.
type pace struct {
	min, max uint16
	change   float64
	every    time.Duration // to read it where it is not reported
}

// atOnce is for what a person sees happen.
func atOnce() pace { return pace{0, 3600, 1, time.Minute} }

// soon is for what runs through values on its way.
func soon() pace { return pace{1, 3600, 1, time.Minute} }

// slow is for what drifts.
func slow(change float64) pace { return pace{10, 3600, change, 5 * time.Minute} }

// rarely is for what sleepers should not wake up for.
func rarely() pace { return pace{3600, 62000, 2, 12 * time.Hour} }

// report has an attribute reported for the sake of a property, and read with the rest of the state.
func (b *builder) report(to *slot, cluster, attribute uint16, p pace) {
	if to == nil {
		return
	}
	w := wanted{slot: to, endpoint: to.endpoint, cluster: cluster, every: p.every}
	t, _ := zcl.AttributeType(cluster, attribute)
	w.record = zcl.ReportingRecord{ID: attribute, Type: t, Min: p.min, Max: p.max}
	switch {
	case t == zcl.Float16 || t == zcl.Float32 || t == zcl.Float64:
		w.record.Change = zcl.FloatOf(t, p.change)
	case t.Analog():
		w.record.Change = zcl.FloatOf(t, max(p.change, 1))
	}
	b.wants = append(b.wants, w)
}

// state has attributes read that are the device's state and are not reported.
func (b *builder) state(endpoint uint8, cluster uint16, attributes ...uint16) {
	b.setup.Reads = addRead(b.setup.Reads, Read{Endpoint: endpoint, Cluster: cluster, Attributes: attributes})
}

func (b *builder) act(carry func(wish) ([]Request, error), slots ...*slot) {
	slots = slices.DeleteFunc(slots, func(s *slot) bool { return s == nil })
	b.actors = append(b.actors, actor{slots, carry})
}

// maxAnswer is how many bytes of an answer to a read are counted on to fit into a frame that is not fragmented.
const maxAnswer = 64

// addRead adds attributes to what is read already, as many to a frame as fit.
func addRead(reads []Read, more Read) []Read {
	for _, id := range more.Attributes {
		room, there := -1, false
		for i, r := range reads {
			if r.Endpoint != more.Endpoint || r.Cluster != more.Cluster || r.Manufacturer != more.Manufacturer {
				continue
			}
			there = there || slices.Contains(r.Attributes, id)
			if answerSize(r.Cluster, r.Attributes)+answerSize(r.Cluster, []uint16{id}) <= maxAnswer {
				room = i
			}
		}
		switch {
		case there:
		case room >= 0:
			reads[room].Attributes = append(reads[room].Attributes, id)
		default:
			r := more
			r.Attributes = []uint16{id}
			reads = append(reads, r)
		}
	}
	return reads
}

// answerSize is how many bytes attributes take in an answer: their id, status, type and value.
func answerSize(cluster uint16, attributes []uint16) (size int) {
	for _, id := range attributes {
		t, _ := zcl.AttributeType(cluster, id)
		value, fixed := t.Size()
		if !fixed {
			value = 17
		}
		size += 4 + value
	}
	return size
}

// refresh lets a device that listens be asked for all of its state.
func (b *builder) refresh() {
	if len(b.setup.Reads)+len(b.wants) == 0 || !b.description.Mains && !b.description.Router {
		return
	}
	s := b.own(word("refresh"))
	b.act(func(w wish) ([]Request, error) {
		var requests []Request
		for _, r := range b.setup.Reads {
			if v, _ := w.of(s); v.Bool() {
				requests = append(requests, r.request())
			}
		}
		return requests, nil
	}, s)
}

// request returns the frame that reads.
func (r Read) request() Request {
	f := zcl.ReadAttributes(r.Attributes...)
	f.Manufacturer = r.Manufacturer
	return Request{Endpoint: r.Endpoint, Cluster: r.Cluster, Frame: f, Answer: true}
}
