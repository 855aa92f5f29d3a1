package expose

import (
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// A hearing is one frame while it is understood.
type hearing struct {
	Incoming
	Said
	news news
}

// Incoming says what a frame of the device means. What cannot be understood means nothing.
func (m *Model) Incoming(in Incoming) Said {
	said, news := m.hear(in)
	if news.none() {
		return said
	}
	changed := m.description
	changed.learn(news)
	said, _ = New(changed, m.definition).hear(in)
	said.Changed = &changed
	return said
}

func (m *Model) hear(in Incoming) (Said, news) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := hearing{Incoming: in}
	p := m.parts[place{in.Endpoint, in.Cluster}]
	if !in.Frame.Global {
		m.heardCommand(&h)
	}
	switch {
	case in.Frame.Global:
		if p != nil {
			p.attributes(&h)
		} else {
			m.stranger(&h)
		}
	case p == nil:
	case in.Frame.ToClient && p.command != nil:
		p.command(&h)
	case !in.Frame.ToClient && p.press != nil:
		p.press(&h)
	}
	return h.Said, h.news
}

// attributes takes a report or the answer to a read.
func (p *part) attributes(h *hearing) {
	var heard []zcl.Attribute
	switch h.Frame.Command {
	case zcl.CommandReportAttributes:
		heard, _ = zcl.ParseReport(h.Frame.Payload) // what could be read before trouble is good
	case zcl.CommandReadAttributesResponse:
		results, _ := zcl.ParseReadAttributesResponse(h.Frame.Payload)
		heard = make([]zcl.Attribute, 0, len(results))
		for _, r := range results {
			if r.Status == zcl.Success {
				heard = append(heard, zcl.Attribute{ID: r.ID, Value: r.Value})
			} else if p.refused != nil && h.Frame.Manufacturer == 0 {
				p.refused(r.ID)
			}
		}
	}
	if len(heard) == 0 {
		return
	}
	h.Values = make([]SaidValue, 0, len(heard))
	for _, a := range heard {
		p.learn(a, h)
		for i := range p.readings {
			r := &p.readings[i]
			if r.id == a.ID && r.manufacturer == h.Frame.Manufacturer && (!r.slot.Momentary || h.Frame.Command == zcl.CommandReportAttributes) {
				h.say(r.slot, r.value(a.Value))
			}
		}
		if p.tags != nil {
			p.tags(a, h)
		}
	}
	if p.together != nil && h.Frame.Manufacturer == 0 {
		if len(p.replaced) > 0 {
			heard = slices.DeleteFunc(heard, func(a zcl.Attribute) bool { return slices.Contains(p.replaced, attribute{a.ID, 0}) })
		}
		p.together(heard, h)
	}
}

// learn notes an attribute that tells what the device can do.
func (p *part) learn(a zcl.Attribute, h *hearing) {
	for i := range p.facts {
		f := &p.facts[i]
		if f.id != a.ID || h.Frame.Manufacturer != 0 || f.known && f.presence {
			continue
		}
		key := factKey(h.Endpoint, h.Cluster, a.ID)
		if n, ok := factNumber(h.Cluster, a.ID, a.Value); ok {
			if !f.known || f.number != n {
				h.news.number(key, n)
			}
		} else if text := a.Value.Text(); text != "" && f.text != text {
			h.news.text(key, text)
		}
	}
}

// say gives a property the value that the standard gives it. One that the property cannot have is not said.
func (h *hearing) say(to *slot, v hearth.Value) {
	if to != nil {
		h.sayFor(to, v, to.clears)
	}
}

// sayFor is say for a true that is not taken back.
func (h *hearing) sayFor(to *slot, v hearth.Value, clears time.Duration) {
	if to == nil || to.made || v.IsZero() {
		return
	}
	h.put(to, v, clears)
	for _, s := range to.makes {
		h.put(s, v, s.clears)
	}
}

func (h *hearing) put(to *slot, v hearth.Value, clears time.Duration) {
	if v = to.house(v); to.hidden || to.WriteOnly || v.IsZero() || to.Accepts(v) != nil {
		return
	}
	said := SaidValue{Property: to.Name, Value: v}
	if v.Bool() {
		said.Clears = clears
	}
	h.Values = append(h.Values, said)
}

// reply answers the frame. An answer wants no default response (ZCL 2.4.1.1.4).
func (h *hearing) reply(f zcl.Frame) {
	f.NoDefaultResponse = true
	h.Replies = append(h.Replies, Request{Endpoint: h.Endpoint, Cluster: h.Cluster, Frame: f.InReplyTo(h.Frame)})
}

// stranger takes a report of a cluster that the endpoint does not say it has: some devices forget to.
func (m *Model) stranger(h *hearing) {
	if h.Frame.Command != zcl.CommandReportAttributes || h.Frame.Manufacturer != 0 || !understood(h.Cluster) {
		return
	}
	known := slices.ContainsFunc(m.description.Endpoints, func(e Endpoint) bool { return e.ID == h.Endpoint })
	if heard, _ := zcl.ParseReport(h.Frame.Payload); known && len(heard) > 0 {
		h.news.cluster = place{h.Endpoint, h.Cluster}
	}
}
