package zdo

import "hearth/drivers/zigbee/radio"

// A NWKAddressRequest asks for the network address of a device (2.4.3.1.1). With Associated set, its children are asked
// for too, from the index Start on.
type NWKAddressRequest struct {
	Sequence   uint8
	IEEE       radio.IEEE
	Associated bool
	Start      uint8
}

// Cluster implements Request.
func (NWKAddressRequest) Cluster() uint16 { return ClusterNWKAddressRequest }

// Append implements Request.
func (r NWKAddressRequest) Append(b []byte) []byte {
	return append(appendIEEE(append(b, r.Sequence), r.IEEE), requestType(r.Associated), r.Start)
}

// ParseNWKAddressRequest reads the request.
func ParseNWKAddressRequest(b []byte) (NWKAddressRequest, error) {
	r := reader{b: b}
	request := NWKAddressRequest{Sequence: r.uint8(), IEEE: r.ieee(), Associated: r.uint8() != 0, Start: r.uint8()}
	return request, r.err("NWK address request")
}

// An IEEEAddressRequest asks for the long address of a device (2.4.3.1.2).
type IEEEAddressRequest struct {
	Sequence   uint8
	NWK        radio.NWK
	Associated bool
	Start      uint8
}

// Cluster implements Request.
func (IEEEAddressRequest) Cluster() uint16 { return ClusterIEEEAddressRequest }

// Append implements Request.
func (r IEEEAddressRequest) Append(b []byte) []byte {
	return append(appendNWK(append(b, r.Sequence), r.NWK), requestType(r.Associated), r.Start)
}

// ParseIEEEAddressRequest reads the request.
func ParseIEEEAddressRequest(b []byte) (IEEEAddressRequest, error) {
	r := reader{b: b}
	request := IEEEAddressRequest{Sequence: r.uint8(), NWK: r.nwk(), Associated: r.uint8() != 0, Start: r.uint8()}
	return request, r.err("IEEE address request")
}

func requestType(associated bool) byte {
	if associated {
		return 1
	}
	return 0
}

// An AddressResponse answers both: NWKAddressRequest and IEEEAddressRequest.
type AddressResponse struct {
	Sequence   uint8
	Status     Status
	IEEE       radio.IEEE
	NWK        radio.NWK
	Total      uint8 // children
	Start      uint8
	Associated []radio.NWK
}

// Append writes the response behind b.
func (r AddressResponse) Append(b []byte) []byte {
	b = append(b, r.Sequence, byte(r.Status))
	b = appendNWK(appendIEEE(b, r.IEEE), r.NWK)
	if r.Total == 0 && len(r.Associated) == 0 {
		return b
	}
	b = append(b, r.Total, r.Start)
	for _, child := range r.Associated {
		b = appendNWK(b, child)
	}
	return b
}

// ParseAddressResponse reads the answer to both requests.
func ParseAddressResponse(b []byte) (AddressResponse, error) {
	r := reader{b: b}
	response := AddressResponse{Sequence: r.uint8(), Status: Status(r.uint8())}
	if response.Status != Success && len(r.b) < 10 {
		return response, r.err("address response")
	}
	response.IEEE, response.NWK = r.ieee(), r.nwk()
	if len(r.b) >= 2 {
		response.Total, response.Start = r.uint8(), r.uint8()
	}
	for len(r.b) >= 2 {
		response.Associated = append(response.Associated, r.nwk())
	}
	return response, r.err("address response")
}

// A DeviceAnnounce says that a device is there, with its addresses (2.4.3.1.11).
type DeviceAnnounce struct {
	Sequence   uint8
	NWK        radio.NWK
	IEEE       radio.IEEE
	Capability Capability
}

// Cluster implements Request.
func (DeviceAnnounce) Cluster() uint16 { return ClusterDeviceAnnounce }

// Append implements Request.
func (a DeviceAnnounce) Append(b []byte) []byte {
	return append(appendIEEE(appendNWK(append(b, a.Sequence), a.NWK), a.IEEE), byte(a.Capability))
}

// ParseDeviceAnnounce reads the announcement.
func ParseDeviceAnnounce(b []byte) (DeviceAnnounce, error) {
	r := reader{b: b}
	announce := DeviceAnnounce{Sequence: r.uint8(), NWK: r.nwk(), IEEE: r.ieee(), Capability: Capability(r.uint8())}
	return announce, r.err("device announcement")
}

// A ParentAnnounce says which children a router believes to have (2.4.3.1.12).
type ParentAnnounce struct {
	Sequence uint8
	Children []radio.IEEE
}

// Cluster implements Request.
func (ParentAnnounce) Cluster() uint16 { return ClusterParentAnnounce }

// Append implements Request.
func (a ParentAnnounce) Append(b []byte) []byte {
	return appendList(append(b, a.Sequence), a.Children, appendIEEE)
}

// ParseParentAnnounce reads the announcement.
func ParseParentAnnounce(b []byte) (ParentAnnounce, error) {
	r := reader{b: b}
	announce := ParentAnnounce{Sequence: r.uint8(), Children: readList(&r, (*reader).ieee)}
	return announce, r.err("parent announcement")
}

// A ParentAnnounceResponse says which of them are its sender's own.
type ParentAnnounceResponse struct {
	Sequence uint8
	Status   Status
	Children []radio.IEEE
}

// Append writes the response behind b.
func (r ParentAnnounceResponse) Append(b []byte) []byte {
	return appendList(append(b, r.Sequence, byte(r.Status)), r.Children, appendIEEE)
}

// ParseParentAnnounceResponse reads the response.
func ParseParentAnnounceResponse(b []byte) (ParentAnnounceResponse, error) {
	r := reader{b: b}
	response := ParentAnnounceResponse{Sequence: r.uint8(), Status: Status(r.uint8())}
	if response.Status != Success && len(r.b) == 0 {
		return response, r.err("parent announcement response")
	}
	response.Children = readList(&r, (*reader).ieee)
	return response, r.err("parent announcement response")
}
