package fake

import (
	"math"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// A reporting is how an attribute is reported, and what was reported last.
type reporting struct {
	record zcl.ReportingRecord
	last   zcl.Value
	at     time.Time
	next   *event
}

func (e *endpoint) configureReporting(c *cluster, r request) {
	records, err := zcl.ParseConfigureReporting(r.frame.Payload)
	if err != nil {
		e.status(r, zcl.MalformedCommand)
		return
	}
	statuses := make([]zcl.ReportingStatus, 0, len(records))
	for _, record := range records {
		statuses = append(statuses, zcl.ReportingStatus{
			ID: record.ID, Received: record.Received, Status: e.configure(c, r.frame.Manufacturer, record),
		})
	}
	if !r.many() {
		r.answer(zcl.ConfigureReportingResponse(statuses...))
	}
}

func (e *endpoint) configure(c *cluster, manufacturer uint16, record zcl.ReportingRecord) zcl.Status {
	a := c.attribute(manufacturer, record.ID)
	switch {
	case record.Received:
		return zcl.UnsupportedAttribute
	case a == nil:
		return zcl.UnsupportedAttribute
	case c.model.NoReporting:
		return zcl.UnreportableAttribute
	case a.value.Type != record.Type:
		return zcl.InvalidDataType
	case record.Max != 0 && record.Max != zcl.NeverReport && record.Min > record.Max:
		return zcl.InvalidValue
	case c.model.MaxReports > 0 && a.reporting == nil && c.reported() >= c.model.MaxReports:
		return zcl.InsufficientSpace
	}
	m := e.device.mesh
	if a.reporting != nil {
		m.stop(a.reporting.next)
	}
	if record.Max == zcl.NeverReport {
		a.reporting = nil
		return zcl.Success
	}
	a.reporting = &reporting{record: record, last: a.value, at: time.Now()}
	e.device.schedule(a)
	return zcl.Success
}

func (c *cluster) reported() (n int) {
	for _, a := range c.attributes {
		if a.reporting != nil {
			n++
		}
	}
	return n
}

func (e *endpoint) readReporting(c *cluster, r request) {
	refs, err := zcl.ParseReadReporting(r.frame.Payload)
	if err != nil {
		e.status(r, zcl.MalformedCommand)
		return
	}
	results := make([]zcl.ReportingResult, 0, len(refs))
	for _, ref := range refs {
		result := zcl.ReportingResult{ReportingRecord: zcl.ReportingRecord{ID: ref.ID, Received: ref.Received}}
		a := c.attribute(r.frame.Manufacturer, ref.ID)
		switch {
		case a == nil:
			result.Status = zcl.UnsupportedAttribute
		case a.reporting == nil:
			result.Status = zcl.NotFound
		default:
			result.ReportingRecord = a.reporting.record
		}
		results = append(results, result)
	}
	r.answer(zcl.ReadReportingResponse(results...))
}

// changed reports an attribute that has another value now: at once, or when the least interval is over.
func (d *Device) changed(a *attribute, old zcl.Value) {
	for _, x := range d.extras {
		if w, ok := x.(changeWatcher); ok {
			w.changed(a, old)
		}
	}
	r := a.reporting
	if r == nil || !enough(r, a.value) {
		return
	}
	wait := time.Until(r.at.Add(time.Duration(r.record.Min) * time.Second))
	if wait <= 0 {
		d.reportConfigured(a)
		return
	}
	d.mesh.stop(r.next)
	r.next = d.mesh.after(wait, func() { d.reportConfigured(a) })
}

// A changeWatcher is an extra that wants to know of changed attributes.
type changeWatcher interface {
	changed(a *attribute, old zcl.Value)
}

// enough reports whether the value has changed by as much as was configured since the last report.
func enough(r *reporting, value zcl.Value) bool {
	if !r.record.Type.Analog() {
		return string(value.Append(nil)) != string(r.last.Append(nil))
	}
	now, valid := value.Number()
	then, was := r.last.Number()
	if !valid || !was {
		return valid != was
	}
	change, ok := r.record.Change.Number()
	if !ok {
		change = 0
	}
	return now != then && math.Abs(now-then) >= change
}

// schedule sets the report that comes at the latest.
func (d *Device) schedule(a *attribute) {
	r := a.reporting
	if r == nil {
		return
	}
	d.mesh.stop(r.next)
	if r.record.Max == 0 {
		return
	}
	r.next = d.mesh.after(time.Until(r.at.Add(time.Duration(r.record.Max)*time.Second)), func() { d.reportConfigured(a) })
}

// reportConfigured sends an attribute to whom its cluster is bound.
func (d *Device) reportConfigured(a *attribute) {
	r := a.reporting
	if r == nil || d.member == nil {
		return
	}
	r.last, r.at = a.value, time.Now()
	d.schedule(a)
	d.report(a.endpoint.model.ID, a.cluster.id, a.manufacturer, false, zcl.Attribute{ID: a.id, Value: a.value})
}

// report sends attributes to whom the cluster is bound; anyway: to the coordinator if to nobody.
func (d *Device) report(endpoint uint8, cluster, manufacturer uint16, anyway bool, attributes ...zcl.Attribute) {
	f := zcl.ReportAttributes(attributes...)
	f.Manufacturer, f.NoDefaultResponse = manufacturer, true
	if d.toBound(endpoint, cluster, f) == 0 && anyway {
		d.say(endpoint, 1, cluster, f)
	}
}

// toBound sends a frame to everything that the cluster is bound to, and returns how many that were.
func (d *Device) toBound(endpoint uint8, cluster uint16, f zcl.Frame) (sent int) {
	for _, b := range d.bindings {
		if b.Endpoint != endpoint || b.Cluster != cluster {
			continue
		}
		sent++
		p := packet{from: endpoint, to: b.Destination.Endpoint, cluster: cluster}
		if b.Destination.IsGroup {
			p.isGroup, p.group, p.to = true, b.Destination.Group, 0xff
			p.destination = radio.BroadcastAwake
		} else {
			nwk, found := d.resolve(b)
			if !found {
				continue
			}
			p.destination = nwk
		}
		d.sayTo(p, f)
	}
	return sent
}

// resolve finds the network address of a binding's target. A coordinator that has another address than it had is nowhere.
func (d *Device) resolve(b zdo.Binding) (radio.NWK, bool) {
	if s := d.mesh.coordinator(d.member); s != nil && b.Destination.IEEE == s.network.Coordinator {
		return radio.Coordinator, true
	}
	if other := d.mesh.byIEEE(b.Destination.IEEE); other != nil && d.beside(other) {
		return other.nwk, true
	}
	return radio.Unknown, false
}
