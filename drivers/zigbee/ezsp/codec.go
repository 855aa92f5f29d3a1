package ezsp

import (
	"encoding/binary"

	"hearth/drivers/zigbee/radio"
)

// Everything on the line is little-endian; addresses and extended PAN ids have their least significant byte first.

// A reader takes values off a frame. What is missing is zero, and short tells.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.short, r.rest = true, nil
		return make([]byte, n)
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) u8() uint8        { return r.bytes(1)[0] }
func (r *reader) u16() uint16      { return binary.LittleEndian.Uint16(r.bytes(2)) }
func (r *reader) u32() uint32      { return binary.LittleEndian.Uint32(r.bytes(4)) }
func (r *reader) nwk() radio.NWK   { return radio.NWK(r.u16()) }
func (r *reader) ieee() radio.IEEE { return radio.IEEE(binary.LittleEndian.Uint64(r.bytes(8))) }
func (r *reader) key() radio.Key   { return radio.Key(r.bytes(16)) }

// counted reads a byte string with its length before it.
func (r *reader) counted() []byte { return r.bytes(int(r.u8())) }

func put16(b []byte, v uint16) []byte       { return binary.LittleEndian.AppendUint16(b, v) }
func put32(b []byte, v uint32) []byte       { return binary.LittleEndian.AppendUint32(b, v) }
func putIEEE(b []byte, v radio.IEEE) []byte { return binary.LittleEndian.AppendUint64(b, uint64(v)) }
func putKey(b []byte, v radio.Key) []byte   { return append(b, v[:]...) }
func putCounted(b []byte, counted []byte) []byte {
	return append(append(b, byte(len(counted))), counted...)
}

func putBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// An apsFrame is an EmberApsFrame.
type apsFrame struct {
	profile, cluster uint16
	source, target   uint8 // endpoints
	options, group   uint16
	sequence         uint8
}

func (r *reader) apsFrame() apsFrame {
	return apsFrame{
		profile: r.u16(), cluster: r.u16(), source: r.u8(), target: r.u8(), options: r.u16(), group: r.u16(), sequence: r.u8(),
	}
}

func (a apsFrame) append(b []byte) []byte {
	b = append(put16(put16(b, a.profile), a.cluster), a.source, a.target)
	return append(put16(put16(b, a.options), a.group), a.sequence)
}

// parameters are EmberNetworkParameters.
type parameters struct {
	extended radio.IEEE
	pan      uint16
	power    int8
	channel  uint8
	updateID uint8
	channels uint32
}

func (r *reader) parameters() parameters {
	p := parameters{extended: r.ieee(), pan: r.u16(), power: int8(r.u8()), channel: r.u8()}
	r.bytes(3) // how to join, the manager's address
	p.updateID, p.channels = r.u8(), r.u32()
	return p
}

func (p parameters) append(b []byte) []byte {
	b = append(put16(putIEEE(b, p.extended), p.pan), byte(p.power), p.channel)
	b = append(b, 0, 0, 0) // joins by association; the manager is the coordinator
	return put32(append(b, p.updateID), p.channels)
}

// A linkKey is a key with its counters: an EmberKeyStruct, or what the security manager exports.
type linkKey struct {
	partner  radio.IEEE
	key      radio.Key
	sequence uint8
	sent     uint32
	received uint32
}

// keyStruct reads an EmberKeyStruct.
func (r *reader) keyStruct() linkKey {
	r.bytes(3) // which fields hold something, the type
	return linkKey{key: r.key(), sent: r.u32(), received: r.u32(), sequence: r.u8(), partner: r.ieee()}
}

// keyContext names a key to the security manager (sl_zb_sec_man_context_t).
func keyContext(b []byte, kind, index uint8) []byte {
	b = append(b, kind, index, 0, 0) // not derived
	b = putIEEE(b, 0)
	return put32(append(b, 0, 0), 0)
}

// keyContext reads such a name; only the partner is of interest.
func (r *reader) keyContext() (partner radio.IEEE) {
	r.bytes(4)
	partner = r.ieee()
	r.bytes(6)
	return partner
}

// keyMetadata reads the counters of a key (sl_zb_sec_man_aps_key_metadata_t).
func (r *reader) keyMetadata(k *linkKey) {
	r.u16() // which fields hold something
	k.sent, k.received = r.u32(), r.u32()
	r.u16() // how long it lives
}

// networkKeyInfo reads what is known of the network key beside itself (sl_zb_sec_man_network_key_info_t).
func (r *reader) networkKeyInfo() (set bool, sequence uint8, counter uint32) {
	set = r.u8() != 0
	r.u8() // whether there is an alternate key
	sequence = r.u8()
	r.u8() // that one's sequence
	return set, sequence, r.u32()
}
