// Package ota serves firmware images to devices over the Zigbee OTA Upgrade cluster: which images there are, which one
// suits a device, and each device's way through the download. It sends nothing itself: it is asked, and answers.
package ota

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The header of an image file (ZCL 11.4).
const (
	magic         = 0x0beef11e
	headerSize    = 56
	hasCredential = 1 << 0
	hasAddress    = 1 << 1
	hasHardware   = 1 << 2
	maxImage      = 16 << 20
	maxWrapper    = 4 << 10 // some vendors put a signature of their own before the image
)

// A Header is what an image says of itself.
type Header struct {
	Manufacturer uint16
	ImageType    uint16
	Version      uint32
	Description  string
	Size         uint32 // of the image, this header included

	Hardware    bool // MinHardware and MaxHardware are set
	MinHardware uint16
	MaxHardware uint16
}

// ReadHeader finds the image in a file of that size and reads its header; offset is where the image begins.
func ReadHeader(r io.ReaderAt, size int64) (h Header, offset int64, err error) {
	begin := make([]byte, min(size, maxWrapper+headerSize))
	if _, err := r.ReadAt(begin, 0); err != nil && !errors.Is(err, io.EOF) {
		return h, 0, err
	}
	at := bytes.Index(begin, binary.LittleEndian.AppendUint32(nil, magic))
	if at < 0 {
		return h, 0, errors.New("it holds no Zigbee image")
	}
	b := make([]byte, headerSize+15) // with every field that may follow
	n, err := r.ReadAt(b, int64(at))
	if n < headerSize {
		return h, 0, fmt.Errorf("the image's header is cut off: %w", errors.Join(io.ErrUnexpectedEOF, err))
	}
	b = b[:n]
	length, control := int(binary.LittleEndian.Uint16(b[6:])), binary.LittleEndian.Uint16(b[8:])
	h = Header{
		Manufacturer: binary.LittleEndian.Uint16(b[10:]),
		ImageType:    binary.LittleEndian.Uint16(b[12:]),
		Version:      binary.LittleEndian.Uint32(b[14:]),
		Description:  strings.ToValidUTF8(string(bytes.TrimRight(b[20:52], "\x00 ")), "?"),
		Size:         binary.LittleEndian.Uint32(b[52:]),
	}
	if err := h.optional(b[headerSize:], control); err != nil {
		return h, 0, err
	}
	switch rest := size - int64(at); {
	case length < headerSize || uint32(length) >= h.Size:
		return h, 0, fmt.Errorf("a header of %d bytes does not fit an image of %d", length, h.Size)
	case int64(h.Size) > rest:
		return h, 0, fmt.Errorf("the image wants %d bytes and the file has %d: it is cut off", h.Size, rest)
	case h.Size > maxImage:
		return h, 0, fmt.Errorf("the image has %d bytes, more than %d", h.Size, maxImage)
	}
	return h, int64(at), nil
}

// optional reads the fields whose presence the control field tells.
func (h *Header) optional(b []byte, control uint16) error {
	skip := 0
	if control&hasCredential != 0 {
		skip++
	}
	if control&hasAddress != 0 {
		skip += 8
	}
	if control&hasHardware == 0 {
		return nil
	}
	if len(b) < skip+4 {
		return fmt.Errorf("the image's header is cut off: %w", io.ErrUnexpectedEOF)
	}
	h.Hardware = true
	h.MinHardware = binary.LittleEndian.Uint16(b[skip:])
	h.MaxHardware = binary.LittleEndian.Uint16(b[skip+2:])
	return nil
}
