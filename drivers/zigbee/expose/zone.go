package expose

import (
	"encoding/binary"
	"slices"

	"hearth"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
)

// The bits of ZoneStatus (ZCL 8.2.2.2.1.3).
const (
	zoneAlarm1     = 1 << 0
	zoneAlarm2     = 1 << 1
	zoneTamper     = 1 << 2
	zoneBatteryLow = 1 << 3
)

// zone is the IAS Zone cluster (ZCL 8.2): it tells of alarms by a notification, once it is enrolled.
type zone struct {
	endpoint                           uint8
	alarm, second, tamper, low, button *slot
	mask                               uint64  // which alarm bits are about the alarm
	invert                             bool    // it is on when none of them is set
	zoneType                           float64 // noZoneType: not known
}

const noZoneType = 0xffff

func buildZone(b *builder, e Endpoint) {
	const cluster = zcl.ClusterIASZone
	b.ask(e.ID, cluster, zcl.AttrIASZoneZoneType)
	z := &zone{endpoint: e.ID, mask: zoneAlarm1 | zoneAlarm2}
	z.zoneType = b.factOr(e.ID, cluster, zcl.AttrIASZoneZoneType, noZoneType)
	own := b.definition.Zone
	switch {
	case own != nil && own.Property != "":
		z.alarm = b.slot(e.ID, flagProperty(own.Property))
	case z.zoneType != noZoneType:
		z.about(b, e, int(z.zoneType))
	}
	if !b.toldOtherwise("tamper") {
		z.tamper = b.slot(e.ID, word("tamper"))
	}
	if !b.toldOtherwise("battery_low") {
		z.low = b.single(e.ID, word("battery_low"))
	}
	b.bind(e.ID, cluster)
	b.state(e.ID, cluster, zcl.AttrIASZoneZoneState, zcl.AttrIASZoneZoneStatus)
	if own == nil || !own.NoEnrol {
		b.setup.Enrol = append(b.setup.Enrol, e.ID)
	}
	z.deviate(b, e)
	p := b.part(e.ID, cluster)
	p.together, p.command = z.heardAttributes, z.heardCommand
}

// toldOtherwise reports whether a definition knows an attribute that tells a property: the zone's bit for it means nothing.
func (b *builder) toldOtherwise(property string) bool {
	return slices.ContainsFunc(b.definition.Attributes, func(a quirks.Attribute) bool { return a.Property == property })
}

// deviate takes what a definition knows better.
func (z *zone) deviate(b *builder, e Endpoint) {
	own := b.definition.Zone
	if own == nil {
		return
	}
	z.invert = own.Invert
	if own.Alarm2 != "" {
		z.mask, z.second = zoneAlarm1, b.slot(e.ID, flagProperty(own.Alarm2))
	}
	for _, s := range []*slot{z.alarm, z.second} {
		if s != nil {
			s.clears = own.Clears
		}
	}
}

// flagProperty returns a bool of the house's, or of a name of its own.
func flagProperty(name string) hearth.Property {
	if p, known := hearth.Word(name); known {
		return p
	}
	return boolean(name)
}

// about gives a zone of that type its property (ZCL 8.2.2.2.1.2).
func (z *zone) about(b *builder, e Endpoint, zoneType int) {
	switch zoneType {
	case 0x000d:
		z.alarm = b.slot(e.ID, word("occupancy"))
	case 0x0015, 0x0016:
		z.alarm = b.slot(e.ID, word("open"))
	case 0x0028:
		z.alarm = b.slot(e.ID, word("smoke"))
	case 0x002a:
		z.alarm = b.slot(e.ID, word("water_leak"))
	case 0x002b:
		z.alarm, z.mask = b.slot(e.ID, word("carbon_monoxide_alarm")), zoneAlarm1 // the second is about cooking
	case 0x002d:
		z.alarm = b.slot(e.ID, word("vibration"))
	case 0x0226:
		z.alarm = b.slot(e.ID, word("glass_break"))
	case 0x002c, 0x010f, 0x0115, 0x021d: // an emergency button, a remote control, a key fob, a keypad
		z.button = b.slot(e.ID, word("button"))
	case 0x0225, 0x0229: // a siren, a repeater
	default:
		if !e.serves(zcl.ClusterIASWD) {
			z.alarm = b.slot(e.ID, word("alarm"))
		}
	}
}

func (z *zone) heardAttributes(attributes []zcl.Attribute, h *hearing) {
	for _, a := range attributes {
		switch n, ok := a.Value.Number(); {
		case !ok || n < 0:
		case a.ID == zcl.AttrIASZoneZoneStatus:
			z.say(uint64(n), false, h)
		case a.ID == zcl.AttrIASZoneZoneState && n == 0: // not enrolled, whatever it was told
			h.reply(enrolled(z.endpoint))
		}
	}
}

func (z *zone) heardCommand(h *hearing) {
	p := h.Frame.Payload
	switch {
	case h.Frame.Command == zcl.CmdIASZoneStatusChangeNotification && len(p) >= 2:
		z.say(uint64(binary.LittleEndian.Uint16(p)), true, h)
		if z.zoneType == noZoneType && z.alarm == nil {
			h.Reads = append(h.Reads, Read{Endpoint: z.endpoint, Cluster: zcl.ClusterIASZone, Attributes: []uint16{zcl.AttrIASZoneZoneType}})
		}
	case h.Frame.Command == zcl.CmdIASZoneEnrollRequest:
		h.reply(enrolled(z.endpoint))
		if len(p) < 2 {
			return
		}
		if told := float64(binary.LittleEndian.Uint16(p)); told != z.zoneType {
			h.news.number(factKey(z.endpoint, zcl.ClusterIASZone, zcl.AttrIASZoneZoneType), told)
		}
	}
}

// enrolled tells a zone that it has been taken in, under the number of its endpoint.
func enrolled(endpoint uint8) zcl.Frame {
	const success = 0x00
	return zcl.ClusterCommand(zcl.CmdIASZoneEnrollResponse, success, endpoint)
}

func (z *zone) say(status uint64, notified bool, h *hearing) {
	alarm := status&z.mask != 0 != z.invert
	h.say(z.alarm, hearth.BoolOf(alarm))
	h.say(z.second, hearth.BoolOf(status&zoneAlarm2 != 0 != z.invert))
	if alarm && notified {
		h.say(z.button, hearth.TextOf("single"))
	}
	h.say(z.tamper, hearth.BoolOf(status&zoneTamper != 0))
	h.say(z.low, hearth.BoolOf(status&zoneBatteryLow != 0))
}
