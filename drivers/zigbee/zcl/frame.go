package zcl

import (
	"encoding/binary"
	"fmt"
)

// A Frame is one ZCL message (ZCL 2.4).
type Frame struct {
	Global            bool   // a foundation command, the same in every cluster; else one of the cluster's own
	Manufacturer      uint16 // whose extension it is, 0: the standard's
	ToClient          bool   // from the server's side of the cluster to the client's
	NoDefaultResponse bool   // only trouble shall be answered
	Sequence          uint8  // an answer repeats it
	Command           uint8
	Payload           []byte
}

// The bits of the frame control field (ZCL 2.4.1.1).
const (
	typeMask             = 0x03
	typeGlobal           = 0x00
	typeCluster          = 0x01
	manufacturerBit      = 0x04
	toClientBit          = 0x08
	noDefaultResponseBit = 0x10
)

// ParseFrame reads a frame. The payload shares b's memory.
func ParseFrame(b []byte) (Frame, error) {
	if len(b) == 0 {
		return Frame{}, fmt.Errorf("ZCL frame: %w", errShort)
	}
	control, header := b[0], 3
	if control&manufacturerBit != 0 {
		header = 5
	}
	if control&typeMask > typeCluster {
		return Frame{}, fmt.Errorf("ZCL frame: reserved frame type %d", control&typeMask)
	}
	if len(b) < header {
		return Frame{}, fmt.Errorf("ZCL frame of %d bytes: %w", len(b), errShort)
	}
	f := Frame{
		Global:            control&typeMask == typeGlobal,
		ToClient:          control&toClientBit != 0,
		NoDefaultResponse: control&noDefaultResponseBit != 0,
		Sequence:          b[header-2],
		Command:           b[header-1],
		Payload:           b[header:],
	}
	if control&manufacturerBit != 0 {
		f.Manufacturer = binary.LittleEndian.Uint16(b[1:])
	}
	return f, nil
}

// Append writes the frame behind b.
func (f Frame) Append(b []byte) []byte {
	control := byte(typeCluster)
	if f.Global {
		control = typeGlobal
	}
	if f.Manufacturer != 0 {
		control |= manufacturerBit
	}
	if f.ToClient {
		control |= toClientBit
	}
	if f.NoDefaultResponse {
		control |= noDefaultResponseBit
	}
	b = append(b, control)
	if f.Manufacturer != 0 {
		b = binary.LittleEndian.AppendUint16(b, f.Manufacturer)
	}
	return append(append(b, f.Sequence, f.Command), f.Payload...)
}

// InReplyTo returns the frame as an answer to the other: with its sequence number and manufacturer, the other way.
func (f Frame) InReplyTo(request Frame) Frame {
	f.Sequence, f.Manufacturer, f.ToClient = request.Sequence, request.Manufacturer, !request.ToClient
	return f
}

// ClusterCommand returns a frame with a command of a cluster's own, from client to server.
func ClusterCommand(command uint8, payload ...byte) Frame {
	return Frame{Command: command, Payload: payload}
}

// ClusterResponse returns a frame with a command of a cluster's own, from server to client.
func ClusterResponse(command uint8, payload ...byte) Frame {
	return Frame{Command: command, Payload: payload, ToClient: true, NoDefaultResponse: true}
}
