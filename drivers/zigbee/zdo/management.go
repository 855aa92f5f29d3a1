package zdo

import (
	"encoding/binary"

	"hearth/drivers/zigbee/radio"
)

// A LeaveRequest asks a device to leave the network, or, if it names another one, to send that child of its away
// (Mgmt_Leave, 2.4.3.3.5).
type LeaveRequest struct {
	Sequence       uint8
	IEEE           radio.IEEE // 0: the device itself
	RemoveChildren bool
	Rejoin         bool
}

// The bits of a LeaveRequest.
const (
	leaveRemoveChildren = 0x40
	leaveRejoin         = 0x80
)

// Cluster implements Request.
func (LeaveRequest) Cluster() uint16 { return ClusterLeaveRequest }

// Append implements Request.
func (r LeaveRequest) Append(b []byte) []byte {
	how := byte(0)
	if r.RemoveChildren {
		how |= leaveRemoveChildren
	}
	if r.Rejoin {
		how |= leaveRejoin
	}
	return append(appendIEEE(append(b, r.Sequence), r.IEEE), how)
}

// ParseLeaveRequest reads the request.
func ParseLeaveRequest(b []byte) (LeaveRequest, error) {
	r := reader{b: b}
	request := LeaveRequest{Sequence: r.uint8(), IEEE: r.ieee()}
	how := r.uint8()
	request.RemoveChildren, request.Rejoin = how&leaveRemoveChildren != 0, how&leaveRejoin != 0
	return request, r.err("leave request")
}

// A PermitJoiningRequest lets devices join at the router that gets it (Mgmt_Permit_Joining, 2.4.3.3.7).
type PermitJoiningRequest struct {
	Sequence    uint8
	Seconds     uint8 // 0 closes
	TrustCentre bool  // its policy changes too: always set, says the specification since R21
}

// Cluster implements Request.
func (PermitJoiningRequest) Cluster() uint16 { return ClusterPermitJoiningRequest }

// Append implements Request.
func (r PermitJoiningRequest) Append(b []byte) []byte {
	return append(b, r.Sequence, r.Seconds, requestType(r.TrustCentre))
}

// ParsePermitJoiningRequest reads the request.
func ParsePermitJoiningRequest(b []byte) (PermitJoiningRequest, error) {
	r := reader{b: b}
	request := PermitJoiningRequest{Sequence: r.uint8(), Seconds: r.uint8(), TrustCentre: r.uint8() != 0}
	return request, r.err("permit joining request")
}

// The values of a NetworkUpdateRequest's Duration that are no duration.
const (
	ChangeChannel uint8 = 0xfe
	ChangeManager uint8 = 0xff
)

// A NetworkUpdateRequest asks for an energy scan, or tells of another channel or network manager (Mgmt_NWK_Update,
// 2.4.3.3.9).
type NetworkUpdateRequest struct {
	Sequence uint8
	Channels uint32    // a mask: bit 11 is channel 11
	Duration uint8     // to scan with: 0 to 5; else ChangeChannel or ChangeManager
	Count    uint8     // how many scans
	UpdateID uint8     // to change: one more than the network's
	Manager  radio.NWK // to change the manager
}

// Cluster implements Request.
func (NetworkUpdateRequest) Cluster() uint16 { return ClusterNetworkUpdateRequest }

const maxScanDuration = 5

// Append implements Request.
func (r NetworkUpdateRequest) Append(b []byte) []byte {
	b = append(binary.LittleEndian.AppendUint32(append(b, r.Sequence), r.Channels), r.Duration)
	switch {
	case r.Duration <= maxScanDuration:
		return append(b, r.Count)
	case r.Duration == ChangeChannel:
		return append(b, r.UpdateID)
	case r.Duration == ChangeManager:
		return appendNWK(append(b, r.UpdateID), r.Manager)
	}
	return b
}

// ParseNetworkUpdateRequest reads the request.
func ParseNetworkUpdateRequest(b []byte) (NetworkUpdateRequest, error) {
	r := reader{b: b}
	request := NetworkUpdateRequest{Sequence: r.uint8(), Channels: r.uint32(), Duration: r.uint8()}
	switch {
	case request.Duration <= maxScanDuration:
		request.Count = r.uint8()
	case request.Duration == ChangeChannel:
		request.UpdateID = r.uint8()
	case request.Duration == ChangeManager:
		request.UpdateID, request.Manager = r.uint8(), r.nwk()
	}
	return request, r.err("network update request")
}

// A NetworkUpdateNotify tells what an energy scan found.
type NetworkUpdateNotify struct {
	Sequence      uint8
	Status        Status
	Channels      uint32 // scanned
	Transmissions uint16
	Failures      uint16
	Energies      []uint8 // of the channels, the lowest first
}

// Append writes the notification behind b.
func (n NetworkUpdateNotify) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(append(b, n.Sequence, byte(n.Status)), n.Channels)
	b = appendUint16(appendUint16(b, n.Transmissions), n.Failures)
	return appendBytes(b, n.Energies)
}

// ParseNetworkUpdateNotify reads the notification.
func ParseNetworkUpdateNotify(b []byte) (NetworkUpdateNotify, error) {
	r := reader{b: b}
	n := NetworkUpdateNotify{Sequence: r.uint8(), Status: Status(r.uint8())}
	if n.Status != Success && len(r.b) < 9 {
		return n, r.err("network update notification")
	}
	n.Channels, n.Transmissions, n.Failures, n.Energies = r.uint32(), r.uint16(), r.uint16(), r.bytes()
	return n, r.err("network update notification")
}
