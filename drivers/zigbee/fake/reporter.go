package fake

import (
	"slices"

	"hearth/drivers/zigbee/zcl"
)

// A reporter tells of attributes without being asked to, as some models do.
type reporter struct {
	device *Device
	what   []Report
	since  *membership
}

func newReporter(d *Device, what []Report) *reporter { return &reporter{device: d, what: what} }

func (r *reporter) hear(*endpoint, uint16, zcl.Frame) bool { return false }

// joined begins to report at intervals.
func (r *reporter) joined() {
	if r.since == r.device.member {
		return
	}
	r.since = r.device.member
	for i := range r.what {
		if r.what[i].Every > 0 {
			r.again(&r.what[i], r.device.member)
		}
	}
}

// again reports until the device has left, or is in another network.
func (r *reporter) again(what *Report, member *membership) {
	r.device.mesh.after(what.Every, func() {
		if r.device.member != member {
			return
		}
		r.report(what)
		r.again(what, member)
	})
}

func (r *reporter) report(what *Report) {
	var list []zcl.Attribute
	for _, id := range what.ids {
		if a := r.device.attribute(what.Endpoint, uint16(what.Cluster), 0, id); a != nil {
			list = append(list, zcl.Attribute{ID: id, Value: a.value})
		}
	}
	if len(list) > 0 && r.device.member != nil {
		r.device.report(what.Endpoint, uint16(what.Cluster), 0, true, list...)
	}
}

// changed tells of an attribute with another value at once.
func (r *reporter) changed(a *attribute, old zcl.Value) {
	if a.reporting != nil || string(a.value.Append(nil)) == string(old.Append(nil)) {
		return
	}
	for i := range r.what {
		w := &r.what[i]
		if w.Endpoint == a.endpoint.model.ID && uint16(w.Cluster) == a.cluster.id && slices.Contains(w.ids, a.id) && r.device.member != nil {
			r.device.report(w.Endpoint, a.cluster.id, 0, true, zcl.Attribute{ID: a.id, Value: a.value})
		}
	}
}
