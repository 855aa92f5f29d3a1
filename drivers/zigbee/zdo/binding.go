package zdo

import (
	"fmt"

	"hearth/drivers/zigbee/radio"
)

// The ways to address a binding's destination (2.4.3.2.2).
const (
	modeGroup  = 0x01
	modeDevice = 0x03
)

// A Destination is where a binding leads to: an endpoint of a device, or a group.
type Destination struct {
	IEEE     radio.IEEE
	Endpoint uint8
	IsGroup  bool
	Group    uint16
}

func (d Destination) append(b []byte) []byte {
	if d.IsGroup {
		return appendUint16(append(b, modeGroup), d.Group)
	}
	return append(appendIEEE(append(b, modeDevice), d.IEEE), d.Endpoint)
}

func (r *reader) destination() Destination {
	switch mode := r.uint8(); mode {
	case modeGroup:
		return Destination{IsGroup: true, Group: r.uint16()}
	case modeDevice:
		return Destination{IEEE: r.ieee(), Endpoint: r.uint8()}
	default:
		r.fail(fmt.Errorf("address mode %d", mode))
		return Destination{}
	}
}

// A Binding makes an endpoint send what a cluster has to say to somewhere.
type Binding struct {
	Source      radio.IEEE
	Endpoint    uint8
	Cluster     uint16
	Destination Destination
}

func appendBinding(b []byte, t Binding) []byte {
	b = append(appendIEEE(b, t.Source), t.Endpoint)
	return t.Destination.append(appendUint16(b, t.Cluster))
}

func (r *reader) binding() Binding {
	return Binding{Source: r.ieee(), Endpoint: r.uint8(), Cluster: r.uint16(), Destination: r.destination()}
}

// A BindRequest asks a device for a binding (2.4.3.2.2).
type BindRequest struct {
	Sequence uint8
	Binding  Binding
}

// Cluster implements Request.
func (BindRequest) Cluster() uint16 { return ClusterBindRequest }

// Append implements Request.
func (r BindRequest) Append(b []byte) []byte { return appendBinding(append(b, r.Sequence), r.Binding) }

// ParseBindRequest reads the request.
func ParseBindRequest(b []byte) (BindRequest, error) {
	r := reader{b: b}
	request := BindRequest{Sequence: r.uint8(), Binding: r.binding()}
	return request, r.err("bind request")
}

// An UnbindRequest asks a device to forget a binding (2.4.3.2.3).
type UnbindRequest BindRequest

// Cluster implements Request.
func (UnbindRequest) Cluster() uint16 { return ClusterUnbindRequest }

// Append implements Request.
func (r UnbindRequest) Append(b []byte) []byte { return BindRequest(r).Append(b) }

// ParseUnbindRequest reads the request.
func ParseUnbindRequest(b []byte) (UnbindRequest, error) {
	request, err := ParseBindRequest(b)
	return UnbindRequest(request), err
}

// A BindingTableRequest asks a device for its bindings from the index Start on (2.4.3.3.4).
type BindingTableRequest struct {
	Sequence uint8
	Start    uint8
}

// Cluster implements Request.
func (BindingTableRequest) Cluster() uint16 { return ClusterBindingTableRequest }

// Append implements Request.
func (r BindingTableRequest) Append(b []byte) []byte { return append(b, r.Sequence, r.Start) }

// ParseBindingTableRequest reads the request.
func ParseBindingTableRequest(b []byte) (BindingTableRequest, error) {
	r := reader{b: b}
	request := BindingTableRequest{Sequence: r.uint8(), Start: r.uint8()}
	return request, r.err("binding table request")
}

// A BindingTableResponse answers BindingTableRequest.
type BindingTableResponse struct {
	Sequence uint8
	Status   Status
	Total    uint8
	Start    uint8
	Bindings []Binding
}

// Append writes the response behind b.
func (r BindingTableResponse) Append(b []byte) []byte {
	b = append(b, r.Sequence, byte(r.Status))
	if r.Status != Success {
		return b
	}
	return appendList(append(b, r.Total, r.Start), r.Bindings, appendBinding)
}

// ParseBindingTableResponse returns what it could read before the error.
func ParseBindingTableResponse(b []byte) (BindingTableResponse, error) {
	r := reader{b: b}
	response := BindingTableResponse{Sequence: r.uint8(), Status: Status(r.uint8())}
	if response.Status != Success {
		return response, r.err("binding table response")
	}
	response.Total, response.Start = r.uint8(), r.uint8()
	response.Bindings = readList(&r, (*reader).binding)
	return response, r.err("binding table response")
}
