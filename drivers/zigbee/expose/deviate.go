package expose

import (
	"maps"
	"slices"

	"hearth"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
)

// mentioned reports whether a definition counts on a property of the standard's.
func (b *builder) mentioned(name string) bool {
	for at, c := range b.definition.Properties {
		if c.From == name || at == name && !c.Drop && c.From == "" {
			return true
		}
	}
	return false
}

// alter takes a definition's change to what the standard makes.
func (s *slot) alter(c quirks.Change) {
	s.change, s.clears = c, c.Clears
	s.hidden, s.made = c.Drop, c.From != ""
	if c.Min != nil {
		s.Min = c.Min
	}
	if c.Max != nil {
		s.Max = c.Max
	}
}

// house returns a value of the standard's as the definition wants it.
func (s *slot) house(v hearth.Value) hearth.Value {
	switch v.Kind() {
	case hearth.Bool:
		return hearth.BoolOf(v.Bool() != s.change.Invert)
	case hearth.Text:
		return s.turned(v)
	case hearth.Number:
		n := v.Number()
		if len(s.change.Curve) > 0 {
			n = s.change.Curve.At(n)
		}
		if s.change.Scale != 0 {
			n *= s.change.Scale
		}
		if n += s.change.Offset; s.change.Scale != 0 || s.change.Offset != 0 || len(s.change.Curve) > 0 {
			n = significant(n, 12)
		}
		return hearth.NumberOf(s.mirrored(n))
	}
	return v
}

// device is the way back.
func (s *slot) device(v hearth.Value) hearth.Value {
	if v.Kind() != hearth.Number {
		return s.house(v)
	}
	n := s.mirrored(v.Number()) - s.change.Offset
	if s.change.Scale != 0 {
		n /= s.change.Scale
	}
	if len(s.change.Curve) > 0 {
		n = s.change.Curve.Back(n)
	}
	return hearth.NumberOf(n)
}

// mirrored turns a number round in its range, if it is to be.
func (s *slot) mirrored(n float64) float64 {
	if s.change.Invert && s.Min != nil && s.Max != nil {
		return *s.Min + *s.Max - n
	}
	return n
}

// turned exchanges opening and closing, if they are to be.
func (s *slot) turned(v hearth.Value) hearth.Value {
	switch {
	case s.change.Invert && v.Text() == "open":
		return hearth.TextOf("close")
	case s.change.Invert && v.Text() == "close":
		return hearth.TextOf("open")
	}
	return v
}

// deviate adds what a definition knows beyond the standard.
func (b *builder) deviate() {
	d := b.definition
	for i := range d.Attributes {
		b.ownAttribute(&d.Attributes[i])
	}
	for i := range d.Commands {
		b.ownMeaning(&d.Commands[i].Meaning)
		b.bindRemote(&d.Commands[i])
	}
	for i := range d.Actions {
		b.ownAction(&d.Actions[i])
	}
	b.ownTags()
	if d.Tuya != nil {
		b.ownPoints(d.Tuya)
	}
	b.derive()
}

// ownMeaning gives the device a definition's property.
func (b *builder) ownMeaning(m *quirks.Meaning) *slot {
	shape := m.Shape()
	s := b.own(shape)
	shape.Name, shape.Writable = s.Name, shape.Writable || s.Writable
	s.Property, s.change, s.clears, s.made = shape, quirks.Change{}, m.Clears, false
	return s
}

// where is the endpoint that a definition means: the first that has the cluster if it does not say, or else the first.
func (b *builder) where(endpoint uint8, cluster uint16) uint8 {
	all := b.description.Endpoints
	if endpoint != 0 || len(all) == 0 {
		return max(endpoint, 1)
	}
	for _, has := range []func(Endpoint) bool{
		func(e Endpoint) bool { return e.serves(cluster) }, func(e Endpoint) bool { return e.uses(cluster) },
	} {
		if i := slices.IndexFunc(all, has); i >= 0 {
			return all[i].ID
		}
	}
	return all[0].ID
}

// ownAttribute has an attribute mean what a definition says, and nothing else.
func (b *builder) ownAttribute(a *quirks.Attribute) {
	endpoint, cluster := b.where(a.Endpoint, uint16(a.Cluster)), uint16(a.Cluster)
	at := attribute{a.ID, a.Manufacturer}
	w := wanted{endpoint: endpoint, cluster: cluster, manufacturer: a.Manufacturer, every: a.Poll, poll: a.Poll > 0}
	w.record = zcl.ReportingRecord{ID: a.ID, Type: zcl.DataType(a.Format)}
	for _, usual := range b.wants {
		if usual.same(w) && a.Poll == 0 {
			w.record, w.every, w.poll, w.own = usual.record, usual.every, usual.poll, usual.own || !b.definition.Setup.Quiet
		}
	}
	b.wants = slices.DeleteFunc(b.wants, w.same)
	if a.Report != nil {
		w.record, w.own = a.Report.Record(a.ID, zcl.DataType(a.Format)), true
	}
	p := b.part(endpoint, cluster)
	b.replace(p, at)
	s := b.ownMeaning(&a.Meaning)
	b.takeOver(s)
	p.readings = append(p.readings, reading{at, s, a.Of})
	w.slot, w.silent = s, a.Silent || s.Momentary
	b.wants = append(b.wants, w)
	if !a.Writable && !a.Shape().Writable {
		return
	}
	to := target{endpoint, cluster, at, zcl.DataType(a.Format)}
	b.act(func(w wish) ([]Request, error) {
		asked, _ := w.of(s)
		v, err := written(a, asked, to)
		if err != nil {
			return nil, err
		}
		r := to.write(v)
		if a.Silent {
			r.Confirm = nil
		}
		return []Request{r}, nil
	}, s)
}

// written returns what is written for a value.
func written(a *quirks.Attribute, v hearth.Value, to target) (zcl.Value, error) {
	if v.Kind() == hearth.Text && len(a.Values) == 0 {
		return zcl.TextOf(v.Text()), nil
	}
	n, err := a.Raw(v)
	if err != nil {
		return zcl.Value{}, err
	}
	return to.value(n), nil
}

// replace takes an attribute out of what the standard makes of a cluster. A property that has nothing else goes with it.
func (b *builder) replace(p *part, at attribute) {
	if slices.Contains(p.replaced, at) {
		return
	}
	p.replaced = append(p.replaced, at)
	var gone []*slot
	p.readings = slices.DeleteFunc(p.readings, func(r reading) bool {
		if r.attribute == at {
			gone = append(gone, r.slot)
		}
		return r.attribute == at
	})
	for _, s := range gone {
		s.hidden = true
		for _, other := range b.parts {
			if slices.ContainsFunc(other.readings, func(r reading) bool { return r.slot == s }) {
				s.hidden = false
			}
		}
	}
}

// takeOver makes a property the definition's: the standard has no more to do with it.
func (b *builder) takeOver(s *slot) {
	if b.defined[s] {
		return
	}
	b.defined[s] = true
	for _, p := range b.parts {
		p.readings = slices.DeleteFunc(p.readings, func(r reading) bool { return r.slot == s })
	}
	b.wants = slices.DeleteFunc(b.wants, func(w wanted) bool { return w.slot == s })
	b.replaceActor(s)
}

// replaceActor takes a property from whoever carries out wishes for it.
func (b *builder) replaceActor(s *slot) {
	for i := range b.actors {
		b.actors[i].slots = slices.DeleteFunc(b.actors[i].slots, func(o *slot) bool { return o == s })
	}
}

// bindRemote has a remote's commands come to the coordinator.
func (b *builder) bindRemote(c *quirks.Command) {
	for _, e := range b.description.Endpoints {
		if !c.FromServer && (c.Endpoint == 0 || c.Endpoint == e.ID) && e.uses(uint16(c.Cluster)) {
			b.bind(e.ID, uint16(c.Cluster))
		}
	}
}

// ownAction lets a property be set by a command.
func (b *builder) ownAction(a *quirks.Action) {
	p, known := hearth.Word(a.Property)
	switch {
	case known:
	case len(a.Options) > 0:
		p = text(a.Property)
	default:
		p = boolean(a.Property)
	}
	if len(a.Options) > 0 {
		p.Options = nil
		for option := range a.Options {
			p.Options = append(p.Options, option)
		}
		slices.Sort(p.Options)
	}
	s := b.own(p)
	s.Property = writeOnly(p)
	b.replaceActor(s)
	endpoint := b.where(a.Endpoint, uint16(a.Cluster))
	b.act(func(w wish) ([]Request, error) {
		v, _ := w.of(s)
		payload := a.Payload
		if len(a.Options) > 0 {
			payload = a.Options[v.Text()]
		} else if v.Kind() == hearth.Bool && !v.Bool() {
			return nil, nil
		}
		f := zcl.ClusterCommand(a.ID, payload...)
		f.Manufacturer = a.Manufacturer
		return []Request{{Endpoint: endpoint, Cluster: uint16(a.Cluster), Frame: f, Answer: true}}, nil
	}, s)
}

// ownTags takes apart the attributes in which Aqara puts many values.
func (b *builder) ownTags() {
	if len(b.definition.Tags) == 0 {
		return
	}
	slots := map[string]*slot{}
	for i := range b.definition.Tags {
		t := &b.definition.Tags[i]
		slots[t.Property] = b.ownMeaning(&t.Meaning)
	}
	take := func(a zcl.Attribute, h *hearing) {
		b.definition.TagMeanings(h.Cluster, a.ID, a.Value, func(t *quirks.Tag, v hearth.Value) { h.say(slots[t.Property], v) })
	}
	for _, e := range b.description.Endpoints {
		b.part(e.ID, zcl.ClusterBasic).tags, b.part(e.ID, zcl.ClusterAqara).tags = take, take
	}
}

// derive makes values of other properties', as a battery's percentage of its voltage.
func (b *builder) derive() {
	for _, name := range slices.Sorted(maps.Keys(b.definition.Properties)) {
		c := b.definition.Properties[name]
		from := slices.IndexFunc(b.slots, func(s *slot) bool { return c.From != "" && (s.Name == c.From || s.standard == c.From) })
		if from < 0 {
			continue
		}
		at := slices.IndexFunc(b.slots, func(s *slot) bool { return s.made && (s.standard == name || s.Name == name) })
		if at < 0 {
			p, _ := hearth.Word(name)
			b.own(p).alter(c)
			at = slices.IndexFunc(b.slots, func(s *slot) bool { return s.Name == name })
		}
		b.slots[from].makes = append(b.slots[from].makes, b.slots[at])
	}
}

// heardCommand takes a command that a definition knows, and those by which Tuya's devices say everything.
func (m *Model) heardCommand(h *hearing) {
	for i := range m.definition.Commands {
		c := &m.definition.Commands[i]
		if v, ok := c.Says(h.Endpoint, h.Cluster, h.Frame); ok {
			h.say(m.named[c.Property], v)
		}
	}
	if h.Cluster == zcl.ClusterTuya {
		m.heardTuya(h)
	}
}
