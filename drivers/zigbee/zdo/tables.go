package zdo

import "hearth/drivers/zigbee/radio"

// A NeighborTableRequest asks a device for its neighbours from the index Start on (Mgmt_Lqi, 2.4.3.3.2).
type NeighborTableRequest struct {
	Sequence uint8
	Start    uint8
}

// Cluster implements Request.
func (NeighborTableRequest) Cluster() uint16 { return ClusterNeighborTableRequest }

// Append implements Request.
func (r NeighborTableRequest) Append(b []byte) []byte { return append(b, r.Sequence, r.Start) }

// ParseNeighborTableRequest reads the request.
func ParseNeighborTableRequest(b []byte) (NeighborTableRequest, error) {
	r := reader{b: b}
	request := NeighborTableRequest{Sequence: r.uint8(), Start: r.uint8()}
	return request, r.err("neighbor table request")
}

// A Tristate is yes, no or not known, as the network's tables say it.
type Tristate uint8

// The values of a Tristate.
const (
	No        Tristate = 0
	Yes       Tristate = 1
	Undecided Tristate = 2
)

// A Relationship is what a neighbour is to the device that lists it.
type Relationship uint8

// The relationships.
const (
	Parent        Relationship = 0
	Child         Relationship = 1
	Sibling       Relationship = 2
	NoRelation    Relationship = 3
	PreviousChild Relationship = 4
)

// A Neighbor is a device that another one hears.
type Neighbor struct {
	ExtendedPAN  radio.IEEE
	IEEE         radio.IEEE
	NWK          radio.NWK
	Type         LogicalType // 3: not known
	RxOnWhenIdle Tristate
	Relationship Relationship
	PermitJoin   Tristate
	Depth        uint8
	LQI          uint8
}

func appendNeighbor(b []byte, n Neighbor) []byte {
	b = appendNWK(appendIEEE(appendIEEE(b, n.ExtendedPAN), n.IEEE), n.NWK)
	kind := byte(n.Type)&0x03 | byte(n.RxOnWhenIdle)&0x03<<2 | byte(n.Relationship)&0x07<<4
	return append(b, kind, byte(n.PermitJoin)&0x03, n.Depth, n.LQI)
}

func (r *reader) neighbor() Neighbor {
	n := Neighbor{ExtendedPAN: r.ieee(), IEEE: r.ieee(), NWK: r.nwk()}
	kind := r.uint8()
	n.Type, n.RxOnWhenIdle = LogicalType(kind&0x03), Tristate(kind>>2&0x03)
	n.Relationship, n.PermitJoin = Relationship(kind>>4&0x07), Tristate(r.uint8()&0x03)
	n.Depth, n.LQI = r.uint8(), r.uint8()
	return n
}

// A NeighborTableResponse answers NeighborTableRequest.
type NeighborTableResponse struct {
	Sequence  uint8
	Status    Status
	Total     uint8
	Start     uint8
	Neighbors []Neighbor
}

// Append writes the response behind b.
func (r NeighborTableResponse) Append(b []byte) []byte {
	b = append(b, r.Sequence, byte(r.Status))
	if r.Status != Success {
		return b
	}
	return appendList(append(b, r.Total, r.Start), r.Neighbors, appendNeighbor)
}

// ParseNeighborTableResponse returns what it could read before the error.
func ParseNeighborTableResponse(b []byte) (NeighborTableResponse, error) {
	r := reader{b: b}
	response := NeighborTableResponse{Sequence: r.uint8(), Status: Status(r.uint8())}
	if response.Status != Success {
		return response, r.err("neighbor table response")
	}
	response.Total, response.Start = r.uint8(), r.uint8()
	response.Neighbors = readList(&r, (*reader).neighbor)
	return response, r.err("neighbor table response")
}

// A RoutingTableRequest asks a device for its routes from the index Start on (Mgmt_Rtg, 2.4.3.3.3).
type RoutingTableRequest struct {
	Sequence uint8
	Start    uint8
}

// Cluster implements Request.
func (RoutingTableRequest) Cluster() uint16 { return ClusterRoutingTableRequest }

// Append implements Request.
func (r RoutingTableRequest) Append(b []byte) []byte { return append(b, r.Sequence, r.Start) }

// ParseRoutingTableRequest reads the request.
func ParseRoutingTableRequest(b []byte) (RoutingTableRequest, error) {
	r := reader{b: b}
	request := RoutingTableRequest{Sequence: r.uint8(), Start: r.uint8()}
	return request, r.err("routing table request")
}

// A RouteStatus says what a route is good for.
type RouteStatus uint8

// The statuses of a route.
const (
	RouteActive            RouteStatus = 0
	RouteDiscoveryUnderway RouteStatus = 1
	RouteDiscoveryFailed   RouteStatus = 2
	RouteInactive          RouteStatus = 3
	RouteValidation        RouteStatus = 4
)

// A Route is the next hop on the way to a device.
type Route struct {
	Destination         radio.NWK
	Status              RouteStatus
	MemoryConstrained   bool
	ManyToOne           bool
	RouteRecordRequired bool
	NextHop             radio.NWK
}

func appendRoute(b []byte, t Route) []byte {
	status := byte(t.Status) & 0x07
	for i, bit := range [...]bool{t.MemoryConstrained, t.ManyToOne, t.RouteRecordRequired} {
		if bit {
			status |= 0x08 << i
		}
	}
	return appendNWK(append(appendNWK(b, t.Destination), status), t.NextHop)
}

func (r *reader) route() Route {
	t := Route{Destination: r.nwk()}
	status := r.uint8()
	t.Status, t.MemoryConstrained = RouteStatus(status&0x07), status&0x08 != 0
	t.ManyToOne, t.RouteRecordRequired = status&0x10 != 0, status&0x20 != 0
	t.NextHop = r.nwk()
	return t
}

// A RoutingTableResponse answers RoutingTableRequest.
type RoutingTableResponse struct {
	Sequence uint8
	Status   Status
	Total    uint8
	Start    uint8
	Routes   []Route
}

// Append writes the response behind b.
func (r RoutingTableResponse) Append(b []byte) []byte {
	b = append(b, r.Sequence, byte(r.Status))
	if r.Status != Success {
		return b
	}
	return appendList(append(b, r.Total, r.Start), r.Routes, appendRoute)
}

// ParseRoutingTableResponse returns what it could read before the error.
func ParseRoutingTableResponse(b []byte) (RoutingTableResponse, error) {
	r := reader{b: b}
	response := RoutingTableResponse{Sequence: r.uint8(), Status: Status(r.uint8())}
	if response.Status != Success {
		return response, r.err("routing table response")
	}
	response.Total, response.Start = r.uint8(), r.uint8()
	response.Routes = readList(&r, (*reader).route)
	return response, r.err("routing table response")
}
