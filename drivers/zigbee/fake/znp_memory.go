package fake

import (
	"encoding/binary"
	"fmt"
	"slices"

	"hearth/drivers/zigbee/radio"
)

// Items of the non-volatile memory (Z-Stack ZComDef.h).
const (
	nvIEEE          = 0x0001
	nvStartup       = 0x0003
	nvNIB           = 0x0021
	nvDevices       = 0x0022
	nvAddresses     = 0x0023
	nvPollRate      = 0x0024
	nvExtendedPAN   = 0x002d
	nvActiveKey     = 0x003a
	nvAlternateKey  = 0x003b
	nvUseExtended   = 0x0047
	nvLinkKeys      = 0x004c
	nvOnNetwork     = 0x0055
	nvPreconfigured = 0x0062
	nvCounters      = 0x0075
	nvNetworkKey    = 0x0082
	nvPAN           = 0x0083
	nvChannels      = 0x0084
	nvDirectZDO     = 0x008f
	nvSeed          = 0x0101
	nvTrustKeys     = 0x0111
	nvLinkKeyData   = 0x0201
	nvLastWritable  = 0x03ff
)

// Tables of the extended memory, in the system of Z-Stack.
const (
	exSystem      = 1
	exLegacy      = 0
	exAddresses   = 1
	exBindings    = 2
	exDevices     = 3
	exTrustKeys   = 4
	exLinkKeyData = 6
	exCounters    = 7
)

// Bits of the startup option.
const (
	clearConfig = 0x01
	clearState  = 0x02
)

const (
	linkKeyRoom    = 3    // keys that are not derived
	counterRoom    = 5    // networks whose frame counters are kept, 2 on the old chips
	counterSteps   = 1000 // how often the counter is saved
	counterAtStart = 1250 // what is added when it is read
)

func nvName(id uint16) string        { return fmt.Sprintf("nv/%04x", id) }
func exName(item, sub uint16) string { return fmt.Sprintf("ex/%04x/%04x", item, sub) }

func (z *znp) nv(id uint16) []byte {
	b, _ := z.stick.memory.Get(nvName(id))
	return b
}

func (z *znp) setNV(id uint16, b ...byte) { z.stick.memory.Set(nvName(id), b) }

// setDefault makes an item unless it is there.
func (z *znp) setDefault(id uint16, b ...byte) {
	if _, there := z.stick.memory.Get(nvName(id)); !there {
		z.setNV(id, b...)
	}
}

// fill makes a table of equal entries unless it is there.
func (z *znp) fill(name func(i int) string, n int, entry []byte) {
	if _, there := z.stick.memory.Get(name(0)); there {
		return
	}
	for i := range n {
		z.stick.memory.Set(name(i), entry)
	}
}

func extended(item uint16) func(int) string {
	return func(i int) string { return exName(item, uint16(i)) }
}

func legacy(first uint16) func(int) string {
	return func(i int) string { return nvName(first + uint16(i)) }
}

// initialise is what happens with the memory at boot: it is wiped as the startup option says, and what is missing is made.
func (z *znp) initialise() {
	m := z.stick.memory
	if option := z.nv(nvStartup); len(option) > 0 && option[0] != 0 {
		if option[0]&clearConfig != 0 {
			for _, id := range []uint16{nvExtendedPAN, nvUseExtended, nvPreconfigured, nvPAN, nvChannels, nvSeed} {
				m.Delete(nvName(id))
			}
		}
		if option[0]&clearState != 0 {
			z.forget()
		}
		z.setNV(nvStartup, 0)
	}
	ieee := binary.LittleEndian.AppendUint64(nil, uint64(z.stick.options.IEEE))
	z.setDefault(nvIEEE, ieee...)
	for id, value := range usualItems() {
		z.setDefault(id, value...)
	}
	z.setDefault(nvExtendedPAN, z.nv(nvIEEE)...)
	z.setDefault(nvPreconfigured, z.randomBytes(16)...)
	z.setDefault(nvSeed, z.randomBytes(16)...)
	z.setDefault(nvNetworkKey, make([]byte, z.networkKeySize())...)
	emptyTrust, emptyKey := make([]byte, z.trustKeySize()), make([]byte, 24)
	emptyTrust[16] = 0xff // uses the default key
	if z.chip.extended {
		z.fill(extended(exTrustKeys), z.chip.keys, emptyTrust)
		z.fill(extended(exLinkKeyData), linkKeyRoom, emptyKey)
		z.fill(extended(exCounters), counterRoom, make([]byte, 12))
		return
	}
	z.fill(legacy(nvTrustKeys), z.chip.keys, emptyTrust)
	z.fill(legacy(nvLinkKeyData), linkKeyRoom, emptyKey)
	z.fill(legacy(nvCounters), 2, make([]byte, 12))
}

// forget wipes the network.
func (z *znp) forget() {
	m := z.stick.memory
	for _, id := range []uint16{nvNIB, nvDevices, nvAddresses, nvActiveKey, nvAlternateKey, nvLinkKeys, nvNetworkKey} {
		m.Delete(nvName(id))
	}
	z.setNV(nvOnNetwork, 0)
	for _, name := range m.Names() {
		for _, prefix := range z.stateTables() {
			if len(name) > len(prefix) && name[:len(prefix)] == prefix {
				m.Delete(name)
			}
		}
	}
}

func (z *znp) stateTables() []string {
	if z.chip.extended {
		return []string{"ex/"}
	}
	return []string{"nv/01", "nv/02"} // the frame counters stay
}

func (z *znp) randomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(z.stick.mesh.random.Uint32())
	}
	return b
}

// usualItems are what the firmware has from the factory, less what is random or its own address.
func usualItems() map[uint16][]byte {
	return map[uint16][]byte{
		nvStartup: {0}, 0x0004: {10}, nvPollRate: {0xb8, 0x0b}, 0x0028: {2}, 0x0029: {3}, 0x002a: {2}, 0x002b: {7}, 0x002c: {30},
		0x002e: {2}, 0x002f: {5}, 0x0030: {30}, 0x0032: {1}, 0x0033: {120}, 0x0034: {10}, 0x0036: {1}, 0x0037: {1}, 0x0038: {255},
		0x0039: {5}, nvActiveKey: make([]byte, 17), nvAlternateKey: make([]byte, 17), 0x003c: {0}, 0x003d: {1}, 0x003e: {0},
		0x0043: {3}, 0x0044: {0xb8, 0x0b}, 0x0045: {2}, 0x0046: {0x80, 0x3e}, nvUseExtended: make([]byte, 8), 0x0048: {1},
		0x0049: {0xfe, 0xff}, 0x004b: {2}, 0x004d: {0xe8, 3}, 0x004e: {10}, 0x004f: {5, 0}, 0x0051: {1}, 0x0052: {8}, 0x0053: {8},
		0x0054: {0}, nvOnNetwork: {0}, 0x0063: {0}, 0x0065: {1}, 0x0066: {1}, 0x0067: {0}, 0x006d: {1}, 0x0071: make([]byte, 8),
		0x0081: make([]byte, 17), nvPAN: {0xff, 0xff}, nvChannels: {0, 0x08, 0, 0}, 0x0086: {4}, 0x0087: {0}, 0x0088: {20},
		nvDirectZDO: {0}, 0x00a1: {0xe0},
	}
}

// Sizes of structures, which the padding of the chip decides.
func (z *znp) networkKeySize() int {
	if z.chip.aligned {
		return 24
	}
	return 21
}

func (z *znp) trustKeySize() int {
	if z.chip.aligned {
		return 20
	}
	return 19
}

// member is one field of a structure in memory.
type member struct {
	name string
	size int // 2 and 4 are numbers and aligned to 2 where the chip aligns
}

// nibMembers is the network information base (Z-Stack nwk.h).
func nibMembers() []member {
	return []member{
		{"sequence", 1}, {"passive_ack_timeout", 1}, {"max_broadcast_retries", 1}, {"max_children", 1}, {"max_depth", 1},
		{"max_routers", 1}, {"dummy_neighbor_table", 1}, {"broadcast_delivery_time", 1}, {"report_constant_cost", 1},
		{"route_disc_retries", 1}, {"dummy_routing_table", 1}, {"secure_all_frames", 1}, {"security_level", 1}, {"sym_link", 1},
		{"capability_flags", 1}, {"persistence_time", 2}, {"protocol_version", 1}, {"route_discovery_time", 1},
		{"route_expiry_time", 1}, {"address", 2}, {"channel", 1}, {"coordinator", 2}, {"coordinator_ieee", 8}, {"pan", 2},
		{"state", 1}, {"channel_list", 4}, {"beacon_order", 1}, {"superframe_order", 1}, {"scan_duration", 1},
		{"battery_life", 1}, {"router_addresses", 4}, {"end_device_addresses", 4}, {"depth", 1}, {"extended_pan", 8},
		{"key_loaded", 1}, {"spare1", 17}, {"spare2", 17}, {"spare3", 1}, {"spare4", 1}, {"link_status_period", 1},
		{"router_age_limit", 1}, {"use_multicast", 1}, {"is_concentrator", 1}, {"concentrator_discovery_time", 1},
		{"concentrator_radius", 1}, {"all_fresh", 1}, {"manager", 2}, {"total_transmissions", 2}, {"update_id", 1},
	}
}

// A structure gives the members of a structure by name.
type structure struct {
	b     []byte
	place map[string][2]int // offset and size
}

// layout lays members out as the chip's compiler does: with alignment, numbers begin at even offsets.
func layout(members []member, aligned bool) structure {
	s := structure{place: make(map[string][2]int, len(members))}
	offset := 0
	for _, m := range members {
		if aligned && (m.size == 2 || m.size == 4) {
			offset += offset % 2
		}
		s.place[m.name] = [2]int{offset, m.size}
		offset += m.size
	}
	if aligned {
		offset += offset % 2
	}
	s.b = make([]byte, offset)
	return s
}

func (s structure) get(name string) (n uint64) {
	at := s.place[name]
	for i := range at[1] {
		n |= uint64(s.b[at[0]+i]) << (8 * i)
	}
	return n
}

func (s structure) set(name string, n uint64) {
	at := s.place[name]
	for i := range at[1] {
		s.b[at[0]+i] = byte(n >> (8 * i))
	}
}

// nib is the network information base in memory; false if there is none of the right size.
func (z *znp) nib() (structure, bool) {
	s := layout(nibMembers(), z.chip.aligned)
	b := z.nv(nvNIB)
	if len(b) != len(s.b) {
		return s, false
	}
	s.b = b
	return s, true
}

// freshNIB is the base before a network is there.
func (z *znp) freshNIB() structure {
	s := layout(nibMembers(), z.chip.aligned)
	for name, n := range map[string]uint64{
		"passive_ack_timeout": 5, "max_broadcast_retries": 2, "max_children": 51, "max_depth": 15, "max_routers": 51,
		"broadcast_delivery_time": 30, "secure_all_frames": 1, "security_level": 5, "sym_link": 1, "capability_flags": 0x8f,
		"persistence_time": 7, "protocol_version": 2, "route_discovery_time": 5, "route_expiry_time": 30, "address": 0xfffe,
		"coordinator": 0xfffe, "pan": 0xffff, "beacon_order": 15, "superframe_order": 15, "scan_duration": 4,
		"router_addresses": 1, "end_device_addresses": 1, "link_status_period": 15, "router_age_limit": 5, "is_concentrator": 1,
		"concentrator_discovery_time": 120, "concentrator_radius": 10, "all_fresh": 1,
	} {
		s.set(name, n)
	}
	return s
}

// ieee is the address that the stick goes by.
func (z *znp) ieee() radio.IEEE {
	b := z.nv(nvIEEE)
	if len(b) != 8 {
		return z.stick.options.IEEE
	}
	return radio.IEEE(binary.LittleEndian.Uint64(b))
}

// counterNames are the places of the frame counters.
func (z *znp) counterNames() (names []string) {
	n, name := 2, legacy(nvCounters)
	if z.chip.extended {
		n, name = counterRoom, extended(exCounters)
	}
	for i := range n {
		names = append(names, name(i))
	}
	return names
}

// loadCounter is the frame counter that was saved for a network, or else for any.
func (z *znp) loadCounter(network radio.IEEE) (counter uint32) {
	for _, name := range z.counterNames() {
		b, _ := z.stick.memory.Get(name)
		if len(b) != 12 {
			continue
		}
		switch radio.IEEE(binary.LittleEndian.Uint64(b[4:])) {
		case network:
			return binary.LittleEndian.Uint32(b)
		case 1<<64 - 1:
			counter = binary.LittleEndian.Uint32(b)
		}
	}
	return counter
}

// saveCounter keeps the frame counter of the network now and then: when it has gone on by a thousand.
func (z *znp) saveCounter(force bool) {
	s := z.stick
	if s.network == nil || !force && s.counter-z.savedCounter < counterSteps {
		return
	}
	z.savedCounter = s.counter
	entry := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, s.counter), uint64(s.network.Extended))
	names := z.counterNames()
	place := slices.IndexFunc(names, func(name string) bool {
		b, _ := s.memory.Get(name)
		return len(b) == 12 && slices.Equal(b[4:], entry[4:])
	})
	if place < 0 {
		place = slices.IndexFunc(names, func(name string) bool {
			b, _ := s.memory.Get(name)
			return len(b) != 12 || binary.LittleEndian.Uint64(b[4:]) == 0
		})
	}
	s.memory.Set(names[max(place, 0)], entry)
}
