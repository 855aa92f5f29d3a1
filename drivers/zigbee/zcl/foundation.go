package zcl

import (
	"encoding/binary"
	"fmt"
)

// The foundation commands (ZCL 2.5).
const (
	CommandReadAttributes                     uint8 = 0x00
	CommandReadAttributesResponse             uint8 = 0x01
	CommandWriteAttributes                    uint8 = 0x02
	CommandWriteAttributesUndivided           uint8 = 0x03
	CommandWriteAttributesResponse            uint8 = 0x04
	CommandWriteAttributesNoResponse          uint8 = 0x05
	CommandConfigureReporting                 uint8 = 0x06
	CommandConfigureReportingResponse         uint8 = 0x07
	CommandReadReportingConfiguration         uint8 = 0x08
	CommandReadReportingConfigurationResponse uint8 = 0x09
	CommandReportAttributes                   uint8 = 0x0a
	CommandDefaultResponse                    uint8 = 0x0b
	CommandDiscoverAttributes                 uint8 = 0x0c
	CommandDiscoverAttributesResponse         uint8 = 0x0d
	CommandReadAttributesStructured           uint8 = 0x0e
	CommandWriteAttributesStructured          uint8 = 0x0f
	CommandWriteAttributesStructuredResponse  uint8 = 0x10
	CommandDiscoverCommandsReceived           uint8 = 0x11
	CommandDiscoverCommandsReceivedResponse   uint8 = 0x12
	CommandDiscoverCommandsGenerated          uint8 = 0x13
	CommandDiscoverCommandsGeneratedResponse  uint8 = 0x14
	CommandDiscoverAttributesExtended         uint8 = 0x15
	CommandDiscoverAttributesExtendedResponse uint8 = 0x16
)

// AllAttributes stands in an answer for the whole request, where the answer names no attribute.
const AllAttributes uint16 = 0xffff

// An Attribute is an attribute's value in a report or a write.
type Attribute struct {
	ID    uint16
	Value Value
}

// An AttributeResult is what one attribute's read brought. Value is set on success only.
type AttributeResult struct {
	ID     uint16
	Status Status
	Value  Value
}

// An AttributeStatus is how one attribute's write went.
type AttributeStatus struct {
	ID     uint16
	Status Status
}

func request(command uint8, payload []byte) Frame {
	return Frame{Global: true, Command: command, Payload: payload}
}

func response(command uint8, payload []byte) Frame {
	return Frame{Global: true, Command: command, Payload: payload, ToClient: true, NoDefaultResponse: true}
}

// ReadAttributes asks for attributes.
func ReadAttributes(ids ...uint16) Frame {
	b := make([]byte, 0, 2*len(ids))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint16(b, id)
	}
	return request(CommandReadAttributes, b)
}

// ParseReadAttributes returns which attributes are asked for.
func ParseReadAttributes(b []byte) ([]uint16, error) {
	ids := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		ids = append(ids, binary.LittleEndian.Uint16(b))
	}
	return ids, leftOver("read attributes", b)
}

// ReadAttributesResponse answers ReadAttributes.
func ReadAttributesResponse(results ...AttributeResult) Frame {
	var b []byte
	for _, r := range results {
		b = append(binary.LittleEndian.AppendUint16(b, r.ID), byte(r.Status))
		if r.Status == Success {
			b = r.Value.Append(append(b, byte(r.Value.Type)))
		}
	}
	return response(CommandReadAttributesResponse, b)
}

// ParseReadAttributesResponse returns what it could read before the error.
func ParseReadAttributesResponse(b []byte) ([]AttributeResult, error) {
	results := make([]AttributeResult, 0, 1+len(b)/8)
	for len(b) >= 3 {
		r := AttributeResult{ID: binary.LittleEndian.Uint16(b), Status: Status(b[2])}
		b = b[3:]
		if r.Status == Success {
			var err error
			if r.Value, b, err = readTyped(b); err != nil {
				return results, fmt.Errorf("read attributes response: attribute 0x%04x: %w", r.ID, err)
			}
		}
		results = append(results, r)
	}
	return results, leftOver("read attributes response", b)
}

func readTyped(b []byte) (Value, []byte, error) {
	if len(b) == 0 {
		return Value{}, nil, errShort
	}
	return ReadValue(b[1:], DataType(b[0]))
}

// ReportAttributes tells of attributes unasked, from server to client.
func ReportAttributes(attributes ...Attribute) Frame {
	f := request(CommandReportAttributes, appendAttributes(attributes))
	f.ToClient = true
	return f
}

// ParseReport returns what it could read before the error: devices send half-broken ones.
func ParseReport(b []byte) ([]Attribute, error) { return parseAttributes("report", b) }

// WriteAttributes sets attributes, each by itself.
func WriteAttributes(attributes ...Attribute) Frame {
	return request(CommandWriteAttributes, appendAttributes(attributes))
}

// WriteAttributesUndivided sets all of the attributes or none.
func WriteAttributesUndivided(attributes ...Attribute) Frame {
	return request(CommandWriteAttributesUndivided, appendAttributes(attributes))
}

// WriteAttributesNoResponse sets attributes and wants no answer.
func WriteAttributesNoResponse(attributes ...Attribute) Frame {
	return request(CommandWriteAttributesNoResponse, appendAttributes(attributes))
}

// ParseWriteAttributes reads the payload of all three ways to write.
func ParseWriteAttributes(b []byte) ([]Attribute, error) {
	return parseAttributes("write attributes", b)
}

func appendAttributes(attributes []Attribute) []byte {
	var b []byte
	for _, a := range attributes {
		b = append(binary.LittleEndian.AppendUint16(b, a.ID), byte(a.Value.Type))
		b = a.Value.Append(b)
	}
	return b
}

func parseAttributes(what string, b []byte) ([]Attribute, error) {
	var attributes []Attribute
	for len(b) >= 3 {
		id := binary.LittleEndian.Uint16(b)
		value, rest, err := readTyped(b[2:])
		if err != nil {
			return attributes, fmt.Errorf("%s: attribute 0x%04x: %w", what, id, err)
		}
		if attributes == nil {
			attributes = make([]Attribute, 0, 1+len(rest)/4) // each takes four bytes at least
		}
		attributes, b = append(attributes, Attribute{ID: id, Value: value}), rest
	}
	return attributes, leftOver(what, b)
}

// WriteAttributesResponse answers a write: with nothing but success if all went well (ZCL 2.5.5).
func WriteAttributesResponse(statuses ...AttributeStatus) Frame {
	var b []byte
	for _, s := range statuses {
		if s.Status != Success {
			b = binary.LittleEndian.AppendUint16(append(b, byte(s.Status)), s.ID)
		}
	}
	if b == nil {
		b = []byte{byte(Success)}
	}
	return response(CommandWriteAttributesResponse, b)
}

// ParseWriteAttributesResponse returns what did not go well, and what did where the device says so. A status for the whole
// request other than success comes as that of AllAttributes.
func ParseWriteAttributesResponse(b []byte) ([]AttributeStatus, error) {
	if len(b) == 1 {
		return wholeStatus(Status(b[0])), nil
	}
	statuses := make([]AttributeStatus, 0, len(b)/3)
	for ; len(b) >= 3; b = b[3:] {
		statuses = append(statuses, AttributeStatus{ID: binary.LittleEndian.Uint16(b[1:]), Status: Status(b[0])})
	}
	return statuses, leftOver("write attributes response", b)
}

func wholeStatus(s Status) []AttributeStatus {
	if s == Success {
		return nil
	}
	return []AttributeStatus{{ID: AllAttributes, Status: s}}
}

// DefaultResponse says how a command went that has no answer of its own.
func DefaultResponse(command uint8, status Status) Frame {
	return response(CommandDefaultResponse, []byte{command, byte(status)})
}

// ParseDefaultResponse returns which command it answers, and how that went.
func ParseDefaultResponse(b []byte) (command uint8, status Status, err error) {
	if len(b) < 2 {
		return 0, 0, fmt.Errorf("default response: %w", errShort)
	}
	return b[0], Status(b[1]), nil
}

func leftOver(what string, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %d bytes too many at its end", what, len(b))
}
