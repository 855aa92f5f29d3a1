package fake

import (
	"encoding/binary"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// The ways in which an IAS zone gets enrolled (ZCL 8.2.2.2.3). Until it is, it keeps its alarms to itself.
const (
	EnrolByResponse = "response" // the host sends a Zone Enroll Response of its own accord once it has written its address
	EnrolByRequest  = "request"  // the zone asks when its host's address is written, and waits for the response
	EnrolByTrip     = "trip"     // the zone asks when it is first triggered
)

// A Zone says how a model's IAS zone behaves.
type Zone struct {
	Enrolment string        `yaml:"enrolment"`
	Clears    time.Duration `yaml:"clears"` // an alarm ends by itself after that; 0: it does not
}

// A zone is the IAS zone of a device.
type zone struct {
	device  *Device
	model   *Zone
	clears  *event
	asked   bool // it waits for the answer to its request
	talking bool // it changes its own attributes
}

func newZone(d *Device, m *Zone) *zone { return &zone{device: d, model: m} }

func (z *zone) joined() {}

// hear takes the enrolment's answer, which one that asks for it does not want before.
func (z *zone) hear(e *endpoint, cluster uint16, f zcl.Frame) bool {
	if cluster != zcl.ClusterIASZone || f.Global || f.ToClient || f.Command != zcl.CmdIASZoneEnrollResponse || len(f.Payload) < 2 {
		return false
	}
	address := e.attribute(zcl.ClusterIASZone, 0, zcl.AttrIASZoneCIEAddress)
	if f.Payload[0] != 0 || address == nil || address.value.Uint() == 0 || z.model.Enrolment != EnrolByResponse && !z.asked {
		return false // a default response is due all the same
	}
	z.talking, z.asked = true, false
	e.set(zcl.ClusterIASZone, zcl.AttrIASZoneZoneID, float64(f.Payload[1]))
	e.set(zcl.ClusterIASZone, zcl.AttrIASZoneZoneState, 1)
	z.talking = false
	if e.number(zcl.ClusterIASZone, zcl.AttrIASZoneZoneStatus) != 0 {
		z.device.mesh.after(z.device.mesh.hop(), func() { z.notify(e) })
	}
	return false
}

// changed sees its host's address written, and the zone triggered.
func (z *zone) changed(a *attribute, old zcl.Value) {
	if a.cluster.id != zcl.ClusterIASZone || z.talking {
		return
	}
	e := a.endpoint
	enrolled := e.number(zcl.ClusterIASZone, zcl.AttrIASZoneZoneState) == 1
	switch a.id {
	case zcl.AttrIASZoneCIEAddress:
		if z.model.Enrolment == EnrolByRequest && !enrolled {
			z.device.mesh.after(z.device.mesh.hop(), func() { z.request(e) })
		}
	case zcl.AttrIASZoneZoneStatus:
		if !enrolled && z.model.Enrolment == EnrolByTrip {
			z.request(e)
			return
		}
		if enrolled && a.value.Uint() != old.Uint() {
			z.notify(e)
		}
		z.endLater(e, a)
	}
}

func (z *zone) endLater(e *endpoint, a *attribute) {
	const alarms = 0x0003
	m := z.device.mesh
	m.stop(z.clears)
	if z.model.Clears > 0 && a.value.Uint()&alarms != 0 {
		z.clears = m.after(z.model.Clears, func() {
			e.set(zcl.ClusterIASZone, zcl.AttrIASZoneZoneStatus, float64(a.value.Uint()&^alarms))
		})
	}
}

// target is the host whose address was written; false if that is nowhere.
func (z *zone) target(e *endpoint) (radio.NWK, bool) {
	a := e.attribute(zcl.ClusterIASZone, 0, zcl.AttrIASZoneCIEAddress)
	s := z.device.mesh.coordinator(z.device.member)
	if a == nil || s == nil {
		return radio.Unknown, false
	}
	if radio.IEEE(a.value.Uint()) == s.network.Coordinator {
		return radio.Coordinator, true
	}
	return s.nwkOf(radio.IEEE(a.value.Uint()))
}

func (z *zone) say(e *endpoint, command uint8, payload ...byte) {
	to, found := z.target(e)
	if !found {
		return
	}
	f := zcl.ClusterResponse(command, payload...)
	f.NoDefaultResponse = false
	z.device.sayTo(packet{destination: to, from: e.model.ID, to: 1, cluster: zcl.ClusterIASZone}, f)
}

// request is the Zone Enroll Request: its type and its maker.
func (z *zone) request(e *endpoint) {
	z.asked = true
	b := binary.LittleEndian.AppendUint16(nil, uint16(e.number(zcl.ClusterIASZone, zcl.AttrIASZoneZoneType)))
	z.say(e, zcl.CmdIASZoneEnrollRequest, binary.LittleEndian.AppendUint16(b, z.device.model.Manufacturer)...)
}

// notify is the Zone Status Change Notification.
func (z *zone) notify(e *endpoint) {
	b := binary.LittleEndian.AppendUint16(nil, uint16(e.number(zcl.ClusterIASZone, zcl.AttrIASZoneZoneStatus)))
	id := byte(e.number(zcl.ClusterIASZone, zcl.AttrIASZoneZoneID))
	z.say(e, zcl.CmdIASZoneStatusChangeNotification, append(b, 0, id, 0, 0)...)
}
