package expose

import (
	"bytes"
	"slices"

	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
)

// prepare works out what the device has to be told, now that it is known which properties it has.
func (b *builder) prepare() {
	b.wakeTuya()
	for _, w := range b.wants {
		if seen := slices.ContainsFunc(w.slot.makes, func(s *slot) bool { return !s.hidden }); w.slot.hidden && !seen {
			continue
		}
		if b.lacks(w.endpoint) {
			continue
		}
		read := Read{Endpoint: w.endpoint, Cluster: w.cluster, Manufacturer: w.manufacturer, Attributes: []uint16{w.record.ID}}
		if !w.silent {
			b.setup.Reads = addRead(b.setup.Reads, read)
		}
		change := w.slot.change
		switch {
		case change.Poll > 0:
			b.setup.Polls = append(b.setup.Polls, Poll{read, change.Poll})
		case w.poll:
			b.setup.Polls = append(b.setup.Polls, Poll{read, w.every})
		case change.Report != nil:
			w.record = change.Report.Record(w.record.ID, w.record.Type)
			b.wantReport(w)
		case w.own || !b.definition.Setup.Quiet && !b.standsOut(w):
			b.wantReport(w)
		}
	}
	b.ownSetup()
}

// lacks reports whether a device has said which endpoints it has and this one, which a definition names, is not among
// them: of one model, not every make and firmware has all. Asked there, it would never answer.
func (b *builder) lacks(endpoint uint8) bool {
	all := b.description.Endpoints
	return endpoint != 0 && len(all) > 0 && !slices.ContainsFunc(all, func(e Endpoint) bool { return e.ID == endpoint })
}

// standsOut reports whether an attribute is a definition's, which has not asked for it to be reported.
func (b *builder) standsOut(w wanted) bool {
	return slices.Contains(b.part(w.endpoint, w.cluster).replaced, attribute{w.record.ID, w.manufacturer})
}

// wantReport has an attribute reported, once.
func (b *builder) wantReport(w wanted) {
	b.bindAnyway(w.endpoint, w.cluster)
	r := Reporting{Endpoint: w.endpoint, Cluster: w.cluster, Manufacturer: w.manufacturer, Record: w.record, Every: w.every}
	for i, other := range b.setup.Reporting {
		if other.Endpoint == r.Endpoint && other.Cluster == r.Cluster && other.Manufacturer == r.Manufacturer && other.Record.ID == r.Record.ID {
			b.setup.Reporting[i] = r
			return
		}
	}
	b.setup.Reporting = append(b.setup.Reporting, r)
}

// ownSetup adds what a definition asks for.
func (b *builder) ownSetup() {
	own := b.definition.Setup
	for _, bind := range own.Bind {
		if !b.lacks(bind.Endpoint) {
			b.bindAnyway(b.where(bind.Endpoint, uint16(bind.Cluster)), uint16(bind.Cluster))
		}
	}
	for _, r := range own.Report {
		if !b.lacks(r.Endpoint) {
			b.ownReport(r)
		}
	}
	for i := range own.Requests {
		r := &own.Requests[i]
		f := r.Frame()
		if b.lacks(r.Endpoint) || b.woken(r) {
			continue
		}
		b.request(b.where(r.Endpoint, uint16(r.Cluster)), uint16(r.Cluster), f, !f.NoDefaultResponse)
	}
	for _, p := range own.Poll {
		if b.lacks(p.Endpoint) {
			continue
		}
		read := Read{Endpoint: b.where(p.Endpoint, uint16(p.Cluster)), Cluster: uint16(p.Cluster), Manufacturer: p.Manufacturer, Attributes: p.IDs}
		b.setup.Polls = append(b.setup.Polls, Poll{read, p.Every})
	}
}

// woken reports whether a request is the one that wakes Tuya's devices, which is there already.
func (b *builder) woken(r *quirks.Request) bool {
	return slices.ContainsFunc(b.setup.Requests, func(o Request) bool {
		return o.Cluster == uint16(r.Cluster) && bytes.Equal(o.Frame.Append(nil), r.Frame().Append(nil))
	})
}

func (b *builder) ownReport(r quirks.Report) {
	w := wanted{endpoint: b.where(r.Endpoint, uint16(r.Cluster)), cluster: uint16(r.Cluster), manufacturer: r.Manufacturer}
	if r.Never {
		b.setup.Reporting = slices.DeleteFunc(b.setup.Reporting, func(o Reporting) bool {
			return o.Endpoint == w.endpoint && o.Cluster == w.cluster && o.Manufacturer == w.manufacturer && o.Record.ID == r.ID
		})
		return
	}
	w.record, w.every = r.Record(r.ID, zcl.DataType(r.Format)), slow(0).every
	b.wantReport(w)
}
