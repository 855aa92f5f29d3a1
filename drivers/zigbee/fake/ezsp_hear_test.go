package fake

import (
	"testing"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// testModels are a lamp that routes and a sensor that sleeps.
func testModels() (lamp, sensor *Model) {
	in := func(clusters ...Cluster) (all []ClusterModel) {
		for _, c := range clusters {
			all = append(all, ClusterModel{Cluster: c})
		}
		return all
	}
	lamp = &Model{Name: "lamp", Vendor: "Test", Product: "Lamp", Type: Router, Endpoints: []EndpointModel{
		{ID: 1, Device: 0x0100, In: in(Cluster(zcl.ClusterBasic), Cluster(zcl.ClusterGroups), Cluster(zcl.ClusterOnOff))},
	}}
	sensor = &Model{Name: "sensor", Vendor: "Test", Product: "Sensor", Type: Sleeper, Direct: true, Poll: 2 * time.Second, Endpoints: []EndpointModel{
		{ID: 1, Device: 0x0302, In: in(Cluster(zcl.ClusterBasic), Cluster(zcl.ClusterOnOff))},
	}}
	return lamp, sensor
}

func (h *testHost) add(name string, m *Model) *Device {
	h.t.Helper()
	d, err := h.stick.mesh.Add(name, m)
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

// open lets devices in, with the key that all of them know.
func (h *testHost) open() {
	h.t.Helper()
	h.allowKey(anyDevice, radio.TrustCentre)
	h.wantStatus(h.ask(0x0022, func(w *ezspWriter) { w.u8(60) }), statusOK)
	h.wantStatus(h.callback(0x0019), statusNetworkOpened)
}

func (h *testHost) allowKey(device radio.IEEE, key radio.Key) {
	h.t.Helper()
	if h.version < 12 {
		h.wantStatus(h.ask(0x00af, func(w *ezspWriter) {
			w.ieee(device)
			w.key(key)
		}), statusOK)
		return
	}
	if status := h.ask(0x0111, func(w *ezspWriter) {
		w.ieee(device)
		w.key(key)
		if w.version < 14 {
			w.u8(0)
		}
	}).u32(); status != 0 {
		h.t.Errorf("importTransientKey: %#x", status)
	}
}

// An ezspJoin is a trustCenterJoinHandler.
type ezspJoin struct {
	node             radio.NWK
	device           radio.IEEE
	update, decision uint8
	parent           radio.NWK
}

func (h *testHost) joined() ezspJoin {
	h.t.Helper()
	r := h.callback(0x0024)
	return ezspJoin{radio.NWK(r.u16()), r.ieee(), r.u8(), r.u8(), radio.NWK(r.u16())}
}

// An ezspIncoming is an incomingMessageHandler.
type ezspIncoming struct {
	kind   uint8
	aps    ezspAPS
	node   radio.NWK
	device radio.IEEE // from version 14 on
	data   []byte
}

func (h *testHost) parseIncoming(r *ezspReader) (m ezspIncoming) {
	m.kind, m.aps = r.u8(), r.aps()
	if h.version >= 14 {
		m.node, m.device = radio.NWK(r.u16()), r.ieee()
		r.bytes(8)
	} else {
		r.u16()
		m.node = radio.NWK(r.u16())
		r.u16()
	}
	m.data = r.counted()
	if r.short || len(r.rest) > 0 {
		h.t.Errorf("incomingMessageHandler of another length: %+v, rest % x", m, r.rest)
	}
	return m
}

// incoming waits for a message of that cluster.
func (h *testHost) incoming(cluster uint16) ezspIncoming {
	h.t.Helper()
	for {
		if m := h.parseIncoming(h.callback(0x0045)); m.aps.cluster == cluster {
			return m
		}
	}
}

// An ezspSent is a messageSentHandler.
type ezspSent struct {
	status      uint32
	kind        uint8
	destination uint16
	aps         ezspAPS
	tag         uint16
}

func (h *testHost) parseSent(r *ezspReader) (s ezspSent) {
	if h.version >= 14 {
		s = ezspSent{r.u32(), r.u8(), r.u16(), r.aps(), r.u16()}
	} else {
		s = ezspSent{kind: r.u8(), destination: r.u16(), aps: r.aps(), tag: uint16(r.u8())}
		s.status = uint32(r.u8())
	}
	r.counted()
	if r.short || len(r.rest) > 0 {
		h.t.Errorf("messageSentHandler of another length: %+v", s)
	}
	return s
}

func (h *testHost) sent() ezspSent {
	h.t.Helper()
	return h.parseSent(h.callback(0x003f))
}

// code is a status as the version says it.
func (h *testHost) code(s ezspStatus) uint32 {
	if h.version >= 14 {
		return uint32(s)
	}
	return uint32(s.ember())
}

func zdoAPS(cluster uint16) ezspAPS {
	return ezspAPS{cluster: cluster, options: apsRetry | apsRouteDiscovery}
}

func homeAPS(cluster uint16) ezspAPS {
	return ezspAPS{profile: profileHome, cluster: cluster, source: 1, target: 1, options: apsRetry | apsRouteDiscovery}
}

// unicast sends and returns the sequence number that the stack gave.
func (h *testHost) unicast(to radio.NWK, aps ezspAPS, tag uint16, data []byte) (status uint32, sequence uint8) {
	h.t.Helper()
	r := h.ask(0x0034, func(w *ezspWriter) {
		w.u8(outgoingDirect)
		w.u16(uint16(to))
		w.aps(aps)
		if w.version >= 14 {
			w.u16(tag)
		} else {
			w.u8(uint8(tag))
		}
		w.counted(data)
	})
	return h.status(r), r.u8()
}

func (h *testHost) broadcast(to radio.NWK, aps ezspAPS, data []byte) uint32 {
	h.t.Helper()
	return h.status(h.ask(0x0036, func(w *ezspWriter) {
		if w.version >= 14 {
			w.u16(0)
		}
		w.u16(uint16(to))
		if w.version >= 14 {
			w.u8(0)
		}
		w.aps(aps)
		w.u8(30)
		if w.version >= 14 {
			w.u16(5)
		} else {
			w.u8(5)
		}
		w.counted(data)
	}))
}

func (h *testHost) multicast(group uint16, data []byte) uint32 {
	h.t.Helper()
	aps := homeAPS(zcl.ClusterOnOff)
	aps.groupID = group
	return h.status(h.ask(0x0038, func(w *ezspWriter) {
		w.aps(aps)
		w.u8(30)
		if w.version >= 14 {
			w.list(uint16(radio.BroadcastAwake), 0)
			w.u8(0)
			w.u16(6)
		} else {
			w.bytes([]byte{3, 6})
		}
		w.counted(data)
	}))
}

var (
	turnOn  = zcl.Frame{Command: 1, Sequence: 9}.Append(nil)
	readAll = zcl.Frame{Global: true, Sequence: 9, Payload: []byte{0, 0}}.Append(nil)
)

// pairedLamp is a host with a network and a lamp in it.
func pairedLamp(t *testing.T, o StickOptions) (*testHost, *Device) {
	t.Helper()
	h := testStick(t, o)
	h.reset()
	h.form(usualSecurity)
	model, _ := testModels()
	lamp := h.add("lamp", model)
	h.open()
	lamp.Pair(0)
	h.joined()
	pass(time.Second)
	h.quiet()
	return h, lamp
}

// order is what of sent and incoming comes first.
func (h *testHost) order() (order []string) {
	pass(time.Second)
	for len(h.said) > 0 {
		switch said := <-h.said; said.header.id {
		case 0x003f:
			order = append(order, "sent")
		case 0x0045:
			order = append(order, "answer")
		}
	}
	return order
}

// messages counts the messages from the network that have come, and forgets them.
func (h *testHost) messages() (n int) {
	for len(h.said) > 0 {
		if said := <-h.said; said.header.id == 0x0045 {
			n++
		}
	}
	return n
}
