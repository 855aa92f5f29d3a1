package zcl

import (
	"encoding/binary"
	"fmt"
)

// Access says what may be done to an attribute (ZCL 2.5.23.1).
type Access uint8

// The bits of Access.
const (
	Readable   Access = 0x01
	Writable   Access = 0x02
	Reportable Access = 0x04
)

// An AttributeInfo is an attribute that an endpoint has. Access is known from the extended discovery only.
type AttributeInfo struct {
	ID     uint16
	Type   DataType
	Access Access
}

// DiscoverAttributes asks for the attributes from start on, at most so many.
func DiscoverAttributes(start uint16, most uint8) Frame {
	return request(CommandDiscoverAttributes, append(binary.LittleEndian.AppendUint16(nil, start), most))
}

// DiscoverAttributesExtended is DiscoverAttributes for their access too.
func DiscoverAttributesExtended(start uint16, most uint8) Frame {
	return request(CommandDiscoverAttributesExtended, append(binary.LittleEndian.AppendUint16(nil, start), most))
}

// ParseDiscoverAttributes reads both kinds of question.
func ParseDiscoverAttributes(b []byte) (start uint16, most uint8, err error) {
	if len(b) < 3 {
		return 0, 0, fmt.Errorf("discover attributes: %w", errShort)
	}
	return binary.LittleEndian.Uint16(b), b[2], nil
}

// DiscoverAttributesResponse answers DiscoverAttributes; complete: there are none behind these.
func DiscoverAttributesResponse(complete bool, infos ...AttributeInfo) Frame {
	b := []byte{direction(complete)}
	for _, info := range infos {
		b = append(binary.LittleEndian.AppendUint16(b, info.ID), byte(info.Type))
	}
	return response(CommandDiscoverAttributesResponse, b)
}

// ParseDiscoverAttributesResponse returns what it could read before the error.
func ParseDiscoverAttributesResponse(b []byte) (infos []AttributeInfo, complete bool, err error) {
	return parseInfos("discover attributes response", b, 3)
}

// DiscoverAttributesExtendedResponse answers DiscoverAttributesExtended.
func DiscoverAttributesExtendedResponse(complete bool, infos ...AttributeInfo) Frame {
	b := []byte{direction(complete)}
	for _, info := range infos {
		b = append(binary.LittleEndian.AppendUint16(b, info.ID), byte(info.Type), byte(info.Access))
	}
	return response(CommandDiscoverAttributesExtendedResponse, b)
}

// ParseDiscoverAttributesExtendedResponse returns what it could read before the error.
func ParseDiscoverAttributesExtendedResponse(b []byte) (infos []AttributeInfo, complete bool, err error) {
	return parseInfos("discover attributes extended response", b, 4)
}

func parseInfos(what string, b []byte, size int) (infos []AttributeInfo, complete bool, err error) {
	if len(b) == 0 {
		return nil, false, fmt.Errorf("%s: %w", what, errShort)
	}
	complete = b[0] != 0
	infos = make([]AttributeInfo, 0, len(b)/size)
	for b = b[1:]; len(b) >= size; b = b[size:] {
		info := AttributeInfo{ID: binary.LittleEndian.Uint16(b), Type: DataType(b[2])}
		if size > 3 {
			info.Access = Access(b[3])
		}
		infos = append(infos, info)
	}
	return infos, complete, leftOver(what, b)
}

// DiscoverCommandsReceived asks which of the cluster's commands the endpoint takes, from start on, at most so many.
func DiscoverCommandsReceived(start, most uint8) Frame {
	return request(CommandDiscoverCommandsReceived, []byte{start, most})
}

// DiscoverCommandsGenerated asks which of the cluster's commands the endpoint sends.
func DiscoverCommandsGenerated(start, most uint8) Frame {
	return request(CommandDiscoverCommandsGenerated, []byte{start, most})
}

// ParseDiscoverCommands reads both kinds of question.
func ParseDiscoverCommands(b []byte) (start, most uint8, err error) {
	if len(b) < 2 {
		return 0, 0, fmt.Errorf("discover commands: %w", errShort)
	}
	return b[0], b[1], nil
}

// DiscoverCommandsReceivedResponse answers DiscoverCommandsReceived; complete: there are none behind these.
func DiscoverCommandsReceivedResponse(complete bool, commands ...uint8) Frame {
	return response(CommandDiscoverCommandsReceivedResponse, append([]byte{direction(complete)}, commands...))
}

// DiscoverCommandsGeneratedResponse answers DiscoverCommandsGenerated.
func DiscoverCommandsGeneratedResponse(complete bool, commands ...uint8) Frame {
	return response(CommandDiscoverCommandsGeneratedResponse, append([]byte{direction(complete)}, commands...))
}

// ParseDiscoverCommandsResponse reads both kinds of answer.
func ParseDiscoverCommandsResponse(b []byte) (commands []uint8, complete bool, err error) {
	if len(b) == 0 {
		return nil, false, fmt.Errorf("discover commands response: %w", errShort)
	}
	return append([]uint8(nil), b[1:]...), b[0] != 0, nil
}
