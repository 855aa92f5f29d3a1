package ota

import (
	"encoding/binary"
	"fmt"
	"io"

	"hearth/drivers/zigbee/zcl"
)

// A Query is what a device asks with: which firmware it has.
type Query struct {
	Manufacturer uint16  `json:"manufacturer"`
	ImageType    uint16  `json:"image_type"`
	Version      uint32  `json:"version"`
	Hardware     *uint16 `json:"hardware,omitempty"` // nil: it does not say
}

// A blockRequest asks for a piece of an image, or for a page of pieces.
type blockRequest struct {
	Query   // of the image that it downloads
	offset  uint32
	max     uint8
	page    uint16 // bytes of the page, 0: one piece
	spacing uint16 // milliseconds between the pieces of a page
}

// Bits of the field control of requests.
const (
	queryHasHardware = 1 << 0
	blockHasAddress  = 1 << 0
)

func cut(what string, want, have int) error {
	return fmt.Errorf("%s has %d bytes, want %d: %w", what, have, want, io.ErrUnexpectedEOF)
}

// parseQuery reads Query Next Image Request (ZCL 11.13.4).
func parseQuery(b []byte) (q Query, err error) {
	if len(b) < 9 {
		return q, cut("the query for an image", 9, len(b))
	}
	q = identity(b[1:])
	if b[0]&queryHasHardware != 0 {
		if len(b) < 11 {
			return q, cut("the query for an image", 11, len(b))
		}
		hardware := binary.LittleEndian.Uint16(b[9:])
		q.Hardware = &hardware
	}
	return q, nil
}

// identity reads the manufacturer, image type and version that most commands carry.
func identity(b []byte) Query {
	return Query{
		Manufacturer: binary.LittleEndian.Uint16(b), ImageType: binary.LittleEndian.Uint16(b[2:]), Version: binary.LittleEndian.Uint32(b[4:]),
	}
}

func (q Query) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, q.Manufacturer)
	b = binary.LittleEndian.AppendUint16(b, q.ImageType)
	return binary.LittleEndian.AppendUint32(b, q.Version)
}

// parseBlock reads Image Block Request and, with page set, Image Page Request (ZCL 11.13.6, 11.13.7).
func parseBlock(b []byte, page bool) (r blockRequest, err error) {
	want := 14
	if page {
		want += 4
	}
	if len(b) >= 1 && b[0]&blockHasAddress != 0 {
		want += 8
	}
	if len(b) < want {
		return r, cut("the request for a piece of the image", want, len(b))
	}
	r.Query, r.offset, r.max = identity(b[1:]), binary.LittleEndian.Uint32(b[9:]), b[13]
	if page {
		r.page, r.spacing = binary.LittleEndian.Uint16(b[14:]), binary.LittleEndian.Uint16(b[16:])
	}
	return r, nil
}

// parseEnd reads Upgrade End Request (ZCL 11.13.9).
func parseEnd(b []byte) (zcl.Status, Query, error) {
	if len(b) < 1 {
		return 0, Query{}, cut("the end of the upgrade", 9, len(b))
	}
	if len(b) < 9 { // with a status that is no success the rest may be missing
		return zcl.Status(b[0]), Query{}, nil
	}
	return zcl.Status(b[0]), identity(b[1:]), nil
}

// notify is the payload of Image Notify that makes a device ask, whatever it has (ZCL 11.13.3).
func notify() []byte { return []byte{0, 100} }

// imageResponse says which image a device shall fetch.
func imageResponse(i Image) []byte {
	b := Query{i.Manufacturer, i.ImageType, i.Version, nil}.append([]byte{byte(zcl.Success)})
	return binary.LittleEndian.AppendUint32(b, i.Size)
}

func blockResponse(q Query, offset uint32, data []byte) []byte {
	b := q.append([]byte{byte(zcl.Success)})
	b = binary.LittleEndian.AppendUint32(b, offset)
	return append(append(b, byte(len(data))), data...)
}

// waitResponse tells a device to ask for its next piece after that many seconds.
func waitResponse(seconds uint32, period uint16) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{byte(zcl.WaitForData)}, 0) // the time now is 0: what follows counts from it
	b = binary.LittleEndian.AppendUint32(b, seconds)
	return binary.LittleEndian.AppendUint16(b, period)
}

// endResponse tells a device to restart with the new firmware at once.
func endResponse(q Query) []byte {
	return binary.LittleEndian.AppendUint64(q.append(nil), 0)
}
