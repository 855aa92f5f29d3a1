package fake

import (
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// press does one thing that a button does.
func (d *Device) press(p Press) {
	e := d.endpoint(p.Endpoint)
	if e == nil || d.member == nil {
		return
	}
	switch {
	case len(p.set) > 0:
		for _, s := range p.set {
			if a := e.attribute(uint16(p.Cluster), p.Manufacturer, s.id); a != nil {
				d.assign(a, s.value)
			}
		}
		return
	case len(p.report) > 0:
		list := make([]zcl.Attribute, 0, len(p.report))
		for _, r := range p.report {
			list = append(list, zcl.Attribute{ID: r.id, Value: r.value})
			if a := e.attribute(uint16(p.Cluster), p.Manufacturer, r.id); a != nil {
				a.value = r.value
			}
		}
		d.report(p.Endpoint, uint16(p.Cluster), p.Manufacturer, p.Unbound, list...)
		return
	}
	f := zcl.ClusterCommand(p.command, p.Payload...)
	f.Manufacturer = p.Manufacturer
	if d.toBound(p.Endpoint, uint16(p.Cluster), f) > 0 || !p.Unbound {
		return
	}
	out := packet{destination: radio.Coordinator, from: p.Endpoint, to: 1, cluster: uint16(p.Cluster)}
	if p.Group != 0 {
		out.isGroup, out.group, out.destination, out.to = true, p.Group, radio.BroadcastAwake, 0xff
	}
	d.sayTo(out, f)
}
