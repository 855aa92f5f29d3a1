// Package zdo reads and writes what devices say of themselves and of the network: the Zigbee Device Profile (Zigbee
// specification 05-3474 R22, chapter 2.4). Every message begins with its transaction sequence number. It does no I/O.
package zdo

import "fmt"

// The cluster ids. A response has that of its request and the bit Response.
const (
	ClusterNWKAddressRequest       uint16 = 0x0000
	ClusterIEEEAddressRequest      uint16 = 0x0001
	ClusterNodeDescriptorRequest   uint16 = 0x0002
	ClusterPowerDescriptorRequest  uint16 = 0x0003
	ClusterSimpleDescriptorRequest uint16 = 0x0004
	ClusterActiveEndpointsRequest  uint16 = 0x0005
	ClusterMatchDescriptorRequest  uint16 = 0x0006
	ClusterDeviceAnnounce          uint16 = 0x0013
	ClusterParentAnnounce          uint16 = 0x001f
	ClusterBindRequest             uint16 = 0x0021
	ClusterUnbindRequest           uint16 = 0x0022
	ClusterNeighborTableRequest    uint16 = 0x0031 // Mgmt_Lqi
	ClusterRoutingTableRequest     uint16 = 0x0032 // Mgmt_Rtg
	ClusterBindingTableRequest     uint16 = 0x0033 // Mgmt_Bind
	ClusterLeaveRequest            uint16 = 0x0034 // Mgmt_Leave
	ClusterPermitJoiningRequest    uint16 = 0x0036 // Mgmt_Permit_Joining
	ClusterNetworkUpdateRequest    uint16 = 0x0038 // Mgmt_NWK_Update

	Response uint16 = 0x8000

	ClusterNWKAddressResponse       = ClusterNWKAddressRequest | Response
	ClusterIEEEAddressResponse      = ClusterIEEEAddressRequest | Response
	ClusterNodeDescriptorResponse   = ClusterNodeDescriptorRequest | Response
	ClusterPowerDescriptorResponse  = ClusterPowerDescriptorRequest | Response
	ClusterSimpleDescriptorResponse = ClusterSimpleDescriptorRequest | Response
	ClusterActiveEndpointsResponse  = ClusterActiveEndpointsRequest | Response
	ClusterMatchDescriptorResponse  = ClusterMatchDescriptorRequest | Response
	ClusterParentAnnounceResponse   = ClusterParentAnnounce | Response
	ClusterBindResponse             = ClusterBindRequest | Response
	ClusterUnbindResponse           = ClusterUnbindRequest | Response
	ClusterNeighborTableResponse    = ClusterNeighborTableRequest | Response
	ClusterRoutingTableResponse     = ClusterRoutingTableRequest | Response
	ClusterBindingTableResponse     = ClusterBindingTableRequest | Response
	ClusterLeaveResponse            = ClusterLeaveRequest | Response
	ClusterPermitJoiningResponse    = ClusterPermitJoiningRequest | Response
	ClusterNetworkUpdateNotify      = ClusterNetworkUpdateRequest | Response
)

// ClusterName returns the name of a cluster id for a log.
func ClusterName(cluster uint16) string {
	name := ""
	switch cluster &^ Response {
	case ClusterNWKAddressRequest:
		name = "nwk_address"
	case ClusterIEEEAddressRequest:
		name = "ieee_address"
	case ClusterNodeDescriptorRequest:
		name = "node_descriptor"
	case ClusterPowerDescriptorRequest:
		name = "power_descriptor"
	case ClusterSimpleDescriptorRequest:
		name = "simple_descriptor"
	case ClusterActiveEndpointsRequest:
		name = "active_endpoints"
	case ClusterMatchDescriptorRequest:
		name = "match_descriptor"
	case ClusterDeviceAnnounce:
		name = "device_announce"
	case ClusterParentAnnounce:
		name = "parent_announce"
	case ClusterBindRequest:
		name = "bind"
	case ClusterUnbindRequest:
		name = "unbind"
	case ClusterNeighborTableRequest:
		name = "neighbor_table"
	case ClusterRoutingTableRequest:
		name = "routing_table"
	case ClusterBindingTableRequest:
		name = "binding_table"
	case ClusterLeaveRequest:
		name = "leave"
	case ClusterPermitJoiningRequest:
		name = "permit_joining"
	case ClusterNetworkUpdateRequest:
		name = "network_update"
	default:
		return fmt.Sprintf("zdo 0x%04x", cluster)
	}
	if cluster&Response != 0 {
		return name + "_response"
	}
	return name
}

// A Request is what is sent of one's own accord: a question or an announcement.
type Request interface {
	Cluster() uint16
	Append(b []byte) []byte // its first byte is the sequence number
}

// A Status says how a request went (2.4.5).
type Status uint8

// The statuses.
const (
	Success              Status = 0x00
	InvalidRequestType   Status = 0x80
	DeviceNotFound       Status = 0x81
	InvalidEndpoint      Status = 0x82
	NotActive            Status = 0x83
	NotSupported         Status = 0x84
	Timeout              Status = 0x85
	NoMatch              Status = 0x86
	NoEntry              Status = 0x88
	NoDescriptor         Status = 0x89
	InsufficientSpace    Status = 0x8a
	NotPermitted         Status = 0x8b
	TableFull            Status = 0x8c
	NotAuthorized        Status = 0x8d
	BindingTableFull     Status = 0x8e
	InvalidIndex         Status = 0x8f
	FrameTooLarge        Status = 0x90
	BadNegotiationMethod Status = 0x91
	TemporaryFailure     Status = 0x92
)

func (s Status) String() string {
	if s == Success {
		return "success"
	}
	names := [...]string{
		"invalid request type", "device not found", "invalid endpoint", "not active", "not supported", "timeout",
		"no match", "", "no entry", "no descriptor", "insufficient space", "not permitted", "table full",
		"not authorized", "binding table full", "invalid index", "frame too large",
		"bad key negotiation method", "temporary failure",
	}
	if i := int(s) - int(InvalidRequestType); i >= 0 && i < len(names) && names[i] != "" {
		return names[i]
	}
	return fmt.Sprintf("status 0x%02x", uint8(s))
}

// A StatusResponse answers what needs no more: Bind, Unbind, Leave, PermitJoining.
type StatusResponse struct {
	Sequence uint8
	Status   Status
}

// Append writes the response behind b.
func (r StatusResponse) Append(b []byte) []byte { return append(b, r.Sequence, byte(r.Status)) }

// ParseStatusResponse also reads the beginning of every other response but Device_annce.
func ParseStatusResponse(b []byte) (StatusResponse, error) {
	r := reader{b: b}
	response := StatusResponse{Sequence: r.uint8(), Status: Status(r.uint8())}
	return response, r.err("response")
}

// A Capability is what a device can do for the network: the MAC capability flags (2.3.2.3.5).
type Capability uint8

// The bits of Capability.
const (
	FullFunction    Capability = 0x02 // can route
	Mains           Capability = 0x04
	RxOnWhenIdle    Capability = 0x08 // hears at any time
	HighSecurity    Capability = 0x40
	AllocateAddress Capability = 0x80
)

// FullFunction reports whether the device can be a router.
func (c Capability) FullFunction() bool { return c&FullFunction != 0 }

// Mains reports whether the device is on mains power.
func (c Capability) Mains() bool { return c&Mains != 0 }

// RxOnWhenIdle reports whether the device hears at any time; others sleep and ask their parent now and then.
func (c Capability) RxOnWhenIdle() bool { return c&RxOnWhenIdle != 0 }

// A LogicalType is a device's part in the network.
type LogicalType uint8

// The logical types.
const (
	TypeCoordinator LogicalType = 0
	TypeRouter      LogicalType = 1
	TypeEndDevice   LogicalType = 2
)

func (t LogicalType) String() string {
	switch t {
	case TypeCoordinator:
		return "coordinator"
	case TypeRouter:
		return "router"
	case TypeEndDevice:
		return "end device"
	}
	return fmt.Sprintf("device type %d", uint8(t))
}
