package fake

import (
	"encoding/binary"

	"hearth/drivers/zigbee/radio"
)

// The header of EZSP frames (UG100 3): a sequence number, frame control, frame id; the legacy one has a byte for each.
const (
	ezspResponse = 0x80 // frame control, low byte
	ezspCallback = 0x10 // not asked for
	ezspOverflow = 0x01 // callbacks were lost
	ezspExtended = 0x01 // frame control, high byte: the format version
)

// An ezspHeader is what stands before the parameters.
type ezspHeader struct {
	sequence uint8
	legacy   bool
	id       uint16
}

// parseEZSPHeader takes the header off a host's frame. A host says its first version command in the legacy form, as it
// cannot know better.
func parseEZSPHeader(b []byte) (h ezspHeader, params []byte, ok bool) {
	switch {
	case len(b) >= 5 && b[2]&3 == ezspExtended:
		return ezspHeader{sequence: b[0], id: binary.LittleEndian.Uint16(b[3:])}, b[5:], true
	case len(b) >= 3:
		return ezspHeader{sequence: b[0], id: uint16(b[2]), legacy: true}, b[3:], true
	}
	return ezspHeader{}, nil, false
}

func (h ezspHeader) append(b []byte, control byte) []byte {
	if h.legacy {
		return append(b, h.sequence, ezspResponse|control, byte(h.id))
	}
	return binary.LittleEndian.AppendUint16(append(b, h.sequence, ezspResponse|control, ezspExtended), h.id)
}

// An ezspReader takes parameters off a frame. What is missing is zero, as the firmware reads on into its zeroed buffer;
// short tells.
type ezspReader struct {
	rest  []byte
	short bool
}

func (r *ezspReader) bytes(n int) []byte {
	if len(r.rest) < n {
		b := make([]byte, n)
		copy(b, r.rest)
		r.rest, r.short = nil, true
		return b
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *ezspReader) u8() uint8        { return r.bytes(1)[0] }
func (r *ezspReader) flag() bool       { return r.u8() != 0 }
func (r *ezspReader) u16() uint16      { return binary.LittleEndian.Uint16(r.bytes(2)) }
func (r *ezspReader) u32() uint32      { return binary.LittleEndian.Uint32(r.bytes(4)) }
func (r *ezspReader) ieee() radio.IEEE { return radio.IEEE(binary.LittleEndian.Uint64(r.bytes(8))) }
func (r *ezspReader) key() radio.Key   { return radio.Key(r.bytes(16)) }
func (r *ezspReader) counted() []byte  { return r.bytes(int(r.u8())) }
func (r *ezspReader) list(n int) []uint16 {
	list := make([]uint16, n)
	for i := range list {
		list[i] = r.u16()
	}
	return list
}

// An ezspWriter makes parameters, in the forms of one version of the protocol.
type ezspWriter struct {
	b       []byte
	version uint8
}

func (w *ezspWriter) u8(n uint8)        { w.b = append(w.b, n) }
func (w *ezspWriter) i8(n int8)         { w.b = append(w.b, byte(n)) }
func (w *ezspWriter) u16(n uint16)      { w.b = binary.LittleEndian.AppendUint16(w.b, n) }
func (w *ezspWriter) u32(n uint32)      { w.b = binary.LittleEndian.AppendUint32(w.b, n) }
func (w *ezspWriter) ieee(a radio.IEEE) { w.b = binary.LittleEndian.AppendUint64(w.b, uint64(a)) }
func (w *ezspWriter) key(k radio.Key)   { w.b = append(w.b, k[:]...) }
func (w *ezspWriter) bytes(b []byte)    { w.b = append(w.b, b...) }
func (w *ezspWriter) counted(b []byte)  { w.b = append(append(w.b, byte(len(b))), b...) }
func (w *ezspWriter) list(list ...uint16) {
	for _, n := range list {
		w.u16(n)
	}
}
func (w *ezspWriter) flag(on bool) {
	if on {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

// status writes what an EmberStatus was before version 14.
func (w *ezspWriter) status(s ezspStatus) {
	if w.version >= 14 {
		w.u32(uint32(s))
	} else {
		w.u8(s.ember())
	}
}

// config writes what an EzspStatus was before version 14, where all its errors became one.
func (w *ezspWriter) config(s ezspConfigStatus) {
	switch {
	case w.version < 14:
		w.u8(uint8(s))
	case s == ezspConfigOK:
		w.u32(uint32(statusOK))
	default:
		w.u32(uint32(statusEZSPError))
	}
}

// An ezspAPS is an EmberApsFrame.
type ezspAPS struct {
	profile, cluster uint16
	source, target   uint8
	options, groupID uint16
	sequence         uint8
}

// Options of an EmberApsFrame.
const (
	apsRetry          = 0x0040
	apsRouteDiscovery = 0x0100
	apsForceDiscovery = 0x0200
	apsFragment       = 0x8000
)

func (r *ezspReader) aps() ezspAPS {
	return ezspAPS{
		profile: r.u16(), cluster: r.u16(), source: r.u8(), target: r.u8(), options: r.u16(), groupID: r.u16(), sequence: r.u8(),
	}
}

func (w *ezspWriter) aps(a ezspAPS) {
	w.list(a.profile, a.cluster)
	w.u8(a.source)
	w.u8(a.target)
	w.list(a.options, a.groupID)
	w.u8(a.sequence)
}

// An ezspNetworkParameters is an EmberNetworkParameters.
type ezspNetworkParameters struct {
	extended radio.IEEE // its bytes go as they go over the air: the least significant first
	pan      uint16
	power    int8
	channel  uint8
	method   uint8
	manager  radio.NWK
	updateID uint8
	channels uint32
}

func (r *ezspReader) network() ezspNetworkParameters {
	return ezspNetworkParameters{
		extended: r.ieee(), pan: r.u16(), power: int8(r.u8()), channel: r.u8(), method: r.u8(), manager: radio.NWK(r.u16()),
		updateID: r.u8(), channels: r.u32(),
	}
}

func (w *ezspWriter) network(p ezspNetworkParameters) {
	w.ieee(p.extended)
	w.u16(p.pan)
	w.i8(p.power)
	w.u8(p.channel)
	w.u8(p.method)
	w.u16(uint16(p.manager))
	w.u8(p.updateID)
	w.u32(p.channels)
}
