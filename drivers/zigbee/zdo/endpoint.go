package zdo

import (
	"slices"

	"hearth/drivers/zigbee/radio"
)

// An ActiveEndpointsRequest asks a device which endpoints it has (2.4.3.1.6).
type ActiveEndpointsRequest struct {
	Sequence uint8
	NWK      radio.NWK
}

// Cluster implements Request.
func (ActiveEndpointsRequest) Cluster() uint16 { return ClusterActiveEndpointsRequest }

// Append implements Request.
func (r ActiveEndpointsRequest) Append(b []byte) []byte {
	return appendNWK(append(b, r.Sequence), r.NWK)
}

// ParseActiveEndpointsRequest reads the request.
func ParseActiveEndpointsRequest(b []byte) (ActiveEndpointsRequest, error) {
	r := reader{b: b}
	request := ActiveEndpointsRequest{Sequence: r.uint8(), NWK: r.nwk()}
	return request, r.err("active endpoints request")
}

// An EndpointsResponse answers ActiveEndpointsRequest with all endpoints, MatchDescriptorRequest with those that match.
type EndpointsResponse struct {
	Sequence  uint8
	Status    Status
	NWK       radio.NWK
	Endpoints []uint8
}

// Append writes the response behind b.
func (r EndpointsResponse) Append(b []byte) []byte {
	return appendBytes(appendNWK(append(b, r.Sequence, byte(r.Status)), r.NWK), r.Endpoints)
}

// ParseEndpointsResponse reads the answer to both requests.
func ParseEndpointsResponse(b []byte) (EndpointsResponse, error) {
	r := reader{b: b}
	response := EndpointsResponse{Sequence: r.uint8(), Status: Status(r.uint8())}
	response.NWK = r.nwkOf(response.Status)
	if response.Status == Success {
		response.Endpoints = r.bytes()
	}
	return response, r.err("endpoints response")
}

// A SimpleDescriptorRequest asks what an endpoint of a device does (2.4.3.1.5).
type SimpleDescriptorRequest struct {
	Sequence uint8
	NWK      radio.NWK
	Endpoint uint8
}

// Cluster implements Request.
func (SimpleDescriptorRequest) Cluster() uint16 { return ClusterSimpleDescriptorRequest }

// Append implements Request.
func (r SimpleDescriptorRequest) Append(b []byte) []byte {
	return append(appendNWK(append(b, r.Sequence), r.NWK), r.Endpoint)
}

// ParseSimpleDescriptorRequest reads the request.
func ParseSimpleDescriptorRequest(b []byte) (SimpleDescriptorRequest, error) {
	r := reader{b: b}
	request := SimpleDescriptorRequest{Sequence: r.uint8(), NWK: r.nwk(), Endpoint: r.uint8()}
	return request, r.err("simple descriptor request")
}

// A SimpleDescriptor is what an endpoint does (2.3.2.5): In are the clusters it serves, Out those it uses.
type SimpleDescriptor struct {
	Endpoint uint8
	Profile  uint16
	Device   uint16
	Version  uint8 // of the device description
	In, Out  []uint16
}

// Append writes the descriptor behind b.
func (d SimpleDescriptor) Append(b []byte) []byte {
	b = appendUint16(append(b, d.Endpoint), d.Profile)
	b = append(appendUint16(b, d.Device), d.Version&0x0f)
	return appendList(appendList(b, d.In, appendUint16), d.Out, appendUint16)
}

func (r *reader) simpleDescriptor() SimpleDescriptor {
	return SimpleDescriptor{
		Endpoint: r.uint8(), Profile: r.uint16(), Device: r.uint16(), Version: r.uint8() & 0x0f,
		In: readList(r, (*reader).uint16), Out: readList(r, (*reader).uint16),
	}
}

// A SimpleDescriptorResponse answers SimpleDescriptorRequest.
type SimpleDescriptorResponse struct {
	Sequence   uint8
	Status     Status
	NWK        radio.NWK
	Descriptor SimpleDescriptor
}

// Append writes the response behind b.
func (r SimpleDescriptorResponse) Append(b []byte) []byte {
	b = appendNWK(append(b, r.Sequence, byte(r.Status)), r.NWK)
	if r.Status != Success {
		return append(b, 0)
	}
	descriptor := r.Descriptor.Append(nil)
	return append(append(b, byte(min(len(descriptor), 0xff))), descriptor...)
}

// ParseSimpleDescriptorResponse reads the response. Its length byte is not believed: the lists have their own.
func ParseSimpleDescriptorResponse(b []byte) (SimpleDescriptorResponse, error) {
	r := reader{b: b}
	response := SimpleDescriptorResponse{Sequence: r.uint8(), Status: Status(r.uint8())}
	response.NWK = r.nwkOf(response.Status)
	if response.Status == Success {
		r.uint8()
		response.Descriptor = r.simpleDescriptor()
	}
	return response, r.err("simple descriptor response")
}

// A MatchDescriptorRequest asks for endpoints that have one of the clusters (2.4.3.1.7).
type MatchDescriptorRequest struct {
	Sequence uint8
	NWK      radio.NWK
	Profile  uint16
	In, Out  []uint16
}

// Cluster implements Request.
func (MatchDescriptorRequest) Cluster() uint16 { return ClusterMatchDescriptorRequest }

// Append implements Request.
func (r MatchDescriptorRequest) Append(b []byte) []byte {
	b = appendUint16(appendNWK(append(b, r.Sequence), r.NWK), r.Profile)
	return appendList(appendList(b, r.In, appendUint16), r.Out, appendUint16)
}

// ParseMatchDescriptorRequest reads the request.
func ParseMatchDescriptorRequest(b []byte) (MatchDescriptorRequest, error) {
	r := reader{b: b}
	request := MatchDescriptorRequest{
		Sequence: r.uint8(), NWK: r.nwk(), Profile: r.uint16(),
		In: readList(&r, (*reader).uint16), Out: readList(&r, (*reader).uint16),
	}
	return request, r.err("match descriptor request")
}

// Matches reports whether the endpoint has one of the clusters that the request asks for.
func (r MatchDescriptorRequest) Matches(d SimpleDescriptor) bool {
	return r.Profile == d.Profile && (overlap(r.In, d.In) || overlap(r.Out, d.Out))
}

func overlap(a, b []uint16) bool {
	return slices.ContainsFunc(a, func(cluster uint16) bool { return slices.Contains(b, cluster) })
}
