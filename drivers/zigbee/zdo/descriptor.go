package zdo

import "hearth/drivers/zigbee/radio"

// A NodeDescriptorRequest asks a device what it is (2.4.3.1.3).
type NodeDescriptorRequest struct {
	Sequence uint8
	NWK      radio.NWK
}

// Cluster implements Request.
func (NodeDescriptorRequest) Cluster() uint16 { return ClusterNodeDescriptorRequest }

// Append implements Request.
func (r NodeDescriptorRequest) Append(b []byte) []byte {
	return appendNWK(append(b, r.Sequence), r.NWK)
}

// ParseNodeDescriptorRequest reads the request.
func ParseNodeDescriptorRequest(b []byte) (NodeDescriptorRequest, error) {
	r := reader{b: b}
	request := NodeDescriptorRequest{Sequence: r.uint8(), NWK: r.nwk()}
	return request, r.err("node descriptor request")
}

// A NodeDescriptor is what a device is (2.3.2.3).
type NodeDescriptor struct {
	Type                 LogicalType
	HasComplexDescriptor bool
	HasUserDescriptor    bool
	Fragmentation        bool  // since R23
	FrequencyBand        uint8 // bits: 0x01 868 MHz, 0x04 900 MHz, 0x08 2.4 GHz
	Capability           Capability
	Manufacturer         uint16
	MaxBuffer            uint8
	MaxIncoming          uint16
	ServerMask           uint16
	MaxOutgoing          uint16
	DescriptorCapability uint8
}

// StackRevision returns the revision of the specification that the device follows, 0 before R21.
func (d NodeDescriptor) StackRevision() int { return int(d.ServerMask >> 9) }

func (d NodeDescriptor) append(b []byte) []byte {
	first := byte(d.Type) & 0x07
	for i, bit := range [...]bool{d.HasComplexDescriptor, d.HasUserDescriptor, d.Fragmentation} {
		if bit {
			first |= 0x08 << i
		}
	}
	b = append(b, first, d.FrequencyBand<<3, byte(d.Capability))
	b = append(appendUint16(b, d.Manufacturer), d.MaxBuffer)
	b = appendUint16(appendUint16(b, d.MaxIncoming), d.ServerMask)
	return append(appendUint16(b, d.MaxOutgoing), d.DescriptorCapability)
}

// nodeDescriptor reads a descriptor. Old devices leave off what is behind the manufacturer.
func (r *reader) nodeDescriptor() NodeDescriptor {
	first, band := r.uint8(), r.uint8()
	d := NodeDescriptor{
		Type:                 LogicalType(first & 0x07),
		HasComplexDescriptor: first&0x08 != 0,
		HasUserDescriptor:    first&0x10 != 0,
		Fragmentation:        first&0x20 != 0,
		FrequencyBand:        band >> 3,
		Capability:           Capability(r.uint8()),
		Manufacturer:         r.uint16(),
	}
	rest := reader{b: r.b}
	d.MaxBuffer, d.MaxIncoming, d.ServerMask = rest.uint8(), rest.uint16(), rest.uint16()
	d.MaxOutgoing, d.DescriptorCapability = rest.uint16(), rest.uint8()
	return d
}

// A NodeDescriptorResponse answers NodeDescriptorRequest. Trouble comes without the descriptor.
type NodeDescriptorResponse struct {
	Sequence   uint8
	Status     Status
	NWK        radio.NWK
	Descriptor NodeDescriptor
}

// Append writes the response behind b.
func (r NodeDescriptorResponse) Append(b []byte) []byte {
	b = appendNWK(append(b, r.Sequence, byte(r.Status)), r.NWK)
	if r.Status != Success {
		return b
	}
	return r.Descriptor.append(b)
}

// ParseNodeDescriptorResponse reads the response, whatever is behind it.
func ParseNodeDescriptorResponse(b []byte) (NodeDescriptorResponse, error) {
	r := reader{b: b}
	response := NodeDescriptorResponse{Sequence: r.uint8(), Status: Status(r.uint8())}
	response.NWK = r.nwkOf(response.Status)
	if response.Status == Success {
		response.Descriptor = r.nodeDescriptor()
	}
	return response, r.err("node descriptor response")
}

// nwkOf reads the network address of a response, which may be missing from one that brings trouble.
func (r *reader) nwkOf(status Status) radio.NWK {
	if status != Success && len(r.b) < 2 {
		return radio.Unknown
	}
	return r.nwk()
}

// A PowerDescriptorRequest asks a device what feeds it (2.4.3.1.4).
type PowerDescriptorRequest struct {
	Sequence uint8
	NWK      radio.NWK
}

// Cluster implements Request.
func (PowerDescriptorRequest) Cluster() uint16 { return ClusterPowerDescriptorRequest }

// Append implements Request.
func (r PowerDescriptorRequest) Append(b []byte) []byte {
	return appendNWK(append(b, r.Sequence), r.NWK)
}

// ParsePowerDescriptorRequest reads the request.
func ParsePowerDescriptorRequest(b []byte) (PowerDescriptorRequest, error) {
	r := reader{b: b}
	request := PowerDescriptorRequest{Sequence: r.uint8(), NWK: r.nwk()}
	return request, r.err("power descriptor request")
}

// A PowerDescriptor is what feeds a device (2.3.2.4). The sources are bits: 1 mains, 2 rechargeable, 4 disposable battery.
type PowerDescriptor struct {
	Mode      uint8 // 0: its receiver is as RxOnWhenIdle says, 1: comes on now and then, 2: when a person does something
	Available uint8 // sources
	Source    uint8 // the one in use
	Level     uint8 // 0 critical, 4: 33 %, 8: 66 %, 12: 100 %
}

// A PowerDescriptorResponse answers PowerDescriptorRequest.
type PowerDescriptorResponse struct {
	Sequence   uint8
	Status     Status
	NWK        radio.NWK
	Descriptor PowerDescriptor
}

// Append writes the response behind b.
func (r PowerDescriptorResponse) Append(b []byte) []byte {
	b = appendNWK(append(b, r.Sequence, byte(r.Status)), r.NWK)
	if r.Status != Success {
		return b
	}
	d := r.Descriptor
	return append(b, d.Mode&0x0f|d.Available<<4, d.Source&0x0f|d.Level<<4)
}

// ParsePowerDescriptorResponse reads the response.
func ParsePowerDescriptorResponse(b []byte) (PowerDescriptorResponse, error) {
	r := reader{b: b}
	response := PowerDescriptorResponse{Sequence: r.uint8(), Status: Status(r.uint8())}
	response.NWK = r.nwkOf(response.Status)
	if response.Status == Success {
		modes, sources := r.uint8(), r.uint8()
		response.Descriptor = PowerDescriptor{
			Mode: modes & 0x0f, Available: modes >> 4, Source: sources & 0x0f, Level: sources >> 4,
		}
	}
	return response, r.err("power descriptor response")
}
