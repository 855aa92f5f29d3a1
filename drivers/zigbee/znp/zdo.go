package znp

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// sendZDO sends a message of the device profile. For what the firmware has a command of its own that must be used: it
// changes its own state by it too.
func (r *Radio) sendZDO(ctx context.Context, m radio.Message) error {
	if len(m.Data) < 1 {
		return &radio.Failure{Class: radio.Refused, Doing: "sending an empty ZDO message"}
	}
	sequence, body := m.Data[0], m.Data[1:]
	c, data, own := zdoRequest(m.Cluster, m.Address, body)
	if !own {
		return r.sendRawZDO(ctx, m)
	}
	if data == nil {
		return &radio.Failure{Class: radio.Refused, Doing: c.String() + " of a wrong length"}
	}
	if m.Discover && !m.Address.Broadcast() {
		if err := r.discover(ctx, m.Address); err != nil {
			return err
		}
	}
	r.zdo.ask(m.Cluster, m.Address, body, sequence)
	return r.accepted(ctx, call{command: c, data: data})
}

// sendRawZDO sends it as data from the device profile's endpoint.
func (r *Radio) sendRawZDO(ctx context.Context, m radio.Message) error {
	flight := r.flights.start(0)
	if flight == nil {
		return &radio.Failure{Class: radio.Busy, Doing: "sending: too many messages are not confirmed"}
	}
	m.Local, m.Remote = 0, 0
	defer r.flights.abandon(flight) // such messages need not be confirmed
	return r.handOver(ctx, m, flight)
}

// zdoRequest returns the firmware's command for a request and its data, nil if the request is not of the right length.
// body is what follows the sequence number; own says whether there is such a command.
func zdoRequest(cluster uint16, to radio.NWK, body []byte) (c command, data []byte, own bool) {
	c = 0x0500 | command(cluster)
	to16 := appendNWK(nil, to)
	mode := byte(toAddress)
	if to.Broadcast() {
		mode = toBroadcast
	}
	ok := true
	switch cluster {
	case zdo.ClusterNWKAddressRequest:
		ok, data = len(body) == 10, body // the firmware broadcasts it in any case
	case zdo.ClusterIEEEAddressRequest:
		ok, data = len(body) == 4, body // and sends this one to whom it asks for
	case zdo.ClusterNodeDescriptorRequest, zdo.ClusterPowerDescriptorRequest, zdo.ClusterActiveEndpointsRequest:
		ok, data = len(body) == 2, append(to16, body...)
	case zdo.ClusterSimpleDescriptorRequest:
		ok, data = len(body) == 3, append(to16, body...)
	case zdo.ClusterMatchDescriptorRequest:
		ok, data = len(body) >= 6, append(to16, body...)
	case zdo.ClusterBindRequest, zdo.ClusterUnbindRequest:
		ok, data = len(body) == 21 || len(body) == 14, padded(append(to16, body...), 23) // a group takes an IEEE address's room
	case zdo.ClusterNeighborTableRequest, zdo.ClusterRoutingTableRequest, zdo.ClusterBindingTableRequest:
		ok, data = len(body) == 1, append(to16, body...)
	case zdo.ClusterLeaveRequest:
		request, err := zdo.ParseLeaveRequest(append([]byte{0}, body...))
		ok, data = err == nil, append(appendIEEE(to16, request.IEEE), leaveOptions(request))
	case zdo.ClusterPermitJoiningRequest:
		if to == radio.Coordinator {
			to16 = appendNWK(nil, radio.BroadcastRouters) // with the mode of one device: the coordinator alone
		}
		ok, data = len(body) == 2, append(append([]byte{mode}, to16...), body...)
	case zdo.ClusterNetworkUpdateRequest:
		c = zdoNetworkUpdate
		ok, data = len(body) >= 5 && len(body) <= 8, padded(append(append(to16, mode), body...), 11)
	default:
		return 0, nil, false
	}
	if !ok {
		data = nil
	}
	return c, data, true
}

func padded(b []byte, length int) []byte {
	for len(b) < length {
		b = append(b, 0)
	}
	return b
}

// leaveOptions has the bits of ZDO_MGMT_LEAVE_REQ, which are not those of the message.
func leaveOptions(request zdo.LeaveRequest) (options byte) {
	if request.Rejoin {
		options |= 0x01
	}
	if request.RemoveChildren {
		options |= 0x02
	}
	return options
}

// zdoResponse hands a response on as the message that it was on the air.
func (r *Radio) zdoResponse(c command, in *reader) {
	if c == zdoNWKAddressResponse || c == zdoIEEEAddressResponse {
		r.addressResponse(c, in)
		return
	}
	if c == zdoStatusError { // that is how a Simple_Desc_rsp without a descriptor comes
		from, status := in.nwk(), in.uint8()
		if !in.short {
			r.emitZDO(from, zdo.ClusterSimpleDescriptorResponse, append(appendNWK([]byte{0, status}, from), 0))
		}
		return
	}
	cluster, known := responseCluster(c)
	if !known {
		return
	}
	from := in.nwk()
	if in.short || len(in.b) == 0 {
		return
	}
	r.emitZDO(from, cluster, append([]byte{0}, in.b...))
}

// addressResponse mends the order of two fields: MT has the start before the number.
func (r *Radio) addressResponse(c command, in *reader) {
	response := zdo.AddressResponse{Status: zdo.Status(in.uint8()), IEEE: in.ieee(), NWK: in.nwk()}
	if in.short {
		return
	}
	if len(in.b) >= 2 {
		response.Start, response.Total = in.uint8(), in.uint8()
	}
	for len(in.b) >= 2 {
		response.Associated = append(response.Associated, in.nwk())
	}
	cluster := zdo.ClusterNWKAddressResponse
	if c == zdoIEEEAddressResponse {
		cluster = zdo.ClusterIEEEAddressResponse
	}
	r.emitZDO(response.NWK, cluster, response.Append(nil))
}

// responseCluster returns the cluster of the responses that MT passes on unchanged.
func responseCluster(c command) (uint16, bool) {
	switch id := uint16(c & 0x7f); {
	case c < 0x0580 || c > 0x05b8:
		return 0, false
	case id <= 0x06, id >= 0x1f:
		return zdo.Response | id, true
	case id == 0x0a:
		return zdo.Response | 0x15, true // System_Server_Discovery
	}
	return 0, false
}

// emitZDO hands on a message of the device profile. Its sequence number, which MT does not tell, becomes that of the
// request it answers.
func (r *Radio) emitZDO(from radio.NWK, cluster uint16, data []byte) {
	data[0] = r.zdo.answers(cluster, from, data[1:])
	r.emit(radio.Message{Address: from, Cluster: cluster, Data: data})
}

// rawZDO hands on what a host before us has asked to get in full, unless it comes in the other form too.
func (r *Radio) rawZDO(in *reader) {
	m := radio.Message{Address: in.nwk()}
	if in.uint8() != 0 {
		m.Target = radio.BroadcastAwake
	}
	m.Cluster = in.uint16()
	_ = in.uint8() // security
	sequence := in.uint8()
	_ = in.uint16() // MAC destination
	if in.short || m.Cluster == zdo.ClusterDeviceAnnounce {
		return
	}
	if m.Cluster&zdo.Response != 0 {
		if _, twice := responseCluster(0x0580 | command(m.Cluster&0x7f)); twice || m.Cluster == zdo.Response|0x15 {
			return
		}
	}
	m.Data = append([]byte{sequence}, in.b...)
	r.emit(m)
}

const (
	maxAsked     = 64
	askedFor     = 12 * time.Second // after which no response is expected, even of a device that sleeps
	anybody      = radio.BroadcastAll
	leavesWithin = time.Minute
	maxLeaves    = 16
)

// zdoMatches finds the requests that responses are to.
type zdoMatches struct {
	mu     sync.Mutex
	asked  []asked // the oldest first
	leaves []leave
}

type asked struct {
	cluster  uint16    // of the response
	from     radio.NWK // who will answer; anybody
	ieee     radio.IEEE
	hint     int // a byte that the response repeats: endpoint, start index; -1: none
	body     []byte
	sequence uint8
	at       time.Time
}

type leave struct {
	nwk  radio.NWK
	ieee radio.IEEE
	at   time.Time
}

// ask remembers a request.
func (z *zdoMatches) ask(cluster uint16, to radio.NWK, body []byte, sequence uint8) {
	now := time.Now()
	a := asked{cluster: cluster | zdo.Response, from: to, hint: -1, body: slices.Clone(body), sequence: sequence, at: now}
	switch cluster {
	case zdo.ClusterNWKAddressRequest:
		a.ieee, a.from = readIEEE(body), anybody
	case zdo.ClusterIEEEAddressRequest:
		a.from = radio.NWK(uint16(body[0]) | uint16(body[1])<<8)
	case zdo.ClusterSimpleDescriptorRequest:
		a.hint = int(body[2])
	case zdo.ClusterNeighborTableRequest, zdo.ClusterRoutingTableRequest, zdo.ClusterBindingTableRequest:
		a.hint = int(body[0])
	}
	if to.Broadcast() {
		a.from = anybody
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked = slices.DeleteFunc(z.asked, func(old asked) bool {
		again := old.cluster == a.cluster && old.from == a.from && bytes.Equal(old.body, a.body)
		return again || now.Sub(old.at) > askedFor
	})
	if len(z.asked) >= maxAsked {
		z.asked = slices.Delete(z.asked, 0, 1)
	}
	z.asked = append(z.asked, a)
	if cluster == zdo.ClusterLeaveRequest {
		z.leaves = slices.DeleteFunc(z.leaves, func(old leave) bool { return now.Sub(old.at) > leavesWithin })
		if len(z.leaves) >= maxLeaves {
			z.leaves = slices.Delete(z.leaves, 0, 1)
		}
		z.leaves = append(z.leaves, leave{to, readIEEE(body), now})
	}
}

// answers returns the sequence number of the request that a response is to, 0 if there was none. body is what follows the
// sequence number.
func (z *zdoMatches) answers(cluster uint16, from radio.NWK, body []byte) uint8 {
	z.mu.Lock()
	defer z.mu.Unlock()
	now := time.Now()
	best := -1
	for i, a := range z.asked {
		if a.cluster != cluster || a.from != from && a.from != anybody || now.Sub(a.at) > askedFor {
			continue
		}
		if a.ieee != 0 && (len(body) < 9 || readIEEE(body[1:]) != a.ieee) {
			continue
		}
		if best < 0 || z.asked[best].from == anybody && a.from == from { // a broadcast need not be answered
			best = i
		}
		if a.hint >= 0 && a.hint == hintOf(cluster, body) {
			best = i
			break
		}
	}
	if best < 0 {
		return 0
	}
	sequence := z.asked[best].sequence
	if z.asked[best].from != anybody || z.asked[best].ieee != 0 {
		z.asked = slices.Delete(z.asked, best, best+1)
	}
	return sequence
}

// hintOf returns the byte of a response that its request had too, -1 if there is none.
func hintOf(cluster uint16, body []byte) int {
	at := -1
	switch cluster {
	case zdo.ClusterSimpleDescriptorResponse:
		at = 4 // status, address, length, endpoint
	case zdo.ClusterNeighborTableResponse, zdo.ClusterRoutingTableResponse, zdo.ClusterBindingTableResponse:
		at = 2 // status, total, start
	}
	if at < 0 || at >= len(body) {
		return -1
	}
	return int(body[at])
}

// askedToLeave reports whether a device was asked to leave a moment ago.
func (z *zdoMatches) askedToLeave(nwk radio.NWK, ieee radio.IEEE) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	at := slices.IndexFunc(z.leaves, func(l leave) bool {
		return (l.ieee == ieee || l.ieee == 0 && l.nwk == nwk) && time.Since(l.at) <= leavesWithin
	})
	if at < 0 {
		return false
	}
	z.leaves = slices.Delete(z.leaves, at, at+1)
	return true
}
