package znp

import (
	"bytes"
	"slices"

	"hearth/drivers/zigbee/radio"
)

// The uses of an address (AddrMgr.h).
const (
	useChild    = 0x01
	useSecurity = 0x02
)

// An addressRow is an AddrMgrEntry: use, a gap if aligned, network address, address.
type addressRow struct {
	use  uint8
	nwk  radio.NWK
	ieee radio.IEEE
}

func addressLength(aligned bool) int {
	if aligned {
		return 12
	}
	return 11
}

func parseAddress(b []byte) (addressRow, bool) {
	in := reader{b: b}
	a := addressRow{use: in.uint8()}
	if len(b) == addressLength(true) {
		_ = in.uint8()
	}
	a.nwk, a.ieee = in.nwk(), in.ieee()
	return a, !in.short && a.use != 0xff && a.use&(useChild|useSecurity) != 0 && !unused(a.ieee)
}

func (a addressRow) bytes(length int) []byte {
	b := []byte{a.use}
	if length == addressLength(true) {
		b = append(b, 0xff)
	}
	return appendIEEE(appendNWK(b, a.nwk), a.ieee)
}

// A trustRow is an APSME_TCLKDevEntry: counters, address, what is known of the key, and how the seed was rotated for it.
type trustRow struct {
	tx, rx    uint32
	ieee      radio.IEEE
	attribute uint8
	shift     uint8
}

// What is known of a trust centre link key. All others stand for keys that are not of the seed.
const (
	keyUnverified = 0x01
	keyVerified   = 0x02
	keyDefault    = 0xff
)

const trustLength = 19 // and one more if aligned

func parseTrust(b []byte) (trustRow, bool) {
	in := reader{b: b}
	t := trustRow{tx: in.uint32(), rx: in.uint32(), ieee: in.ieee(), attribute: in.uint8()}
	_ = in.uint8() // type
	t.shift = in.uint8()
	return t, !in.short && !unused(t.ieee) && (t.attribute == keyUnverified || t.attribute == keyVerified)
}

func (t trustRow) bytes(length int) []byte {
	b := appendIEEE(append32(append32(nil, t.tx), t.rx), t.ieee)
	return padded(append(b, t.attribute, 0, t.shift), length)
}

// A keyRow is an APSME_ApsLinkKeyData_t: a link key with its counters.
type keyRow struct {
	key    radio.Key
	tx, rx uint32
}

const keyLength = 24

func parseKey(b []byte) (keyRow, bool) {
	in := reader{b: b}
	k := keyRow{key: radio.Key(in.take(16)), tx: in.uint32(), rx: in.uint32()}
	return k, !in.short && k.key != radio.Key{}
}

func (k keyRow) bytes() []byte { return append32(append32(slices.Clone(k.key[:]), k.tx), k.rx) }

// A counterRow is a nwkSecMaterialDesc_t: the frame counter of a network.
type counterRow struct {
	counter  uint32
	extended radio.IEEE
}

const anyNetwork = ^radio.IEEE(0)

func parseCounter(b []byte) (counterRow, bool) {
	in := reader{b: b}
	c := counterRow{in.uint32(), in.ieee()}
	return c, !in.short && c.extended != 0
}

func (c counterRow) bytes() []byte { return appendIEEE(append32(nil, c.counter), c.extended) }

// An owner is a ZDSecMgrEntry_t: which address has which link key.
type owner struct {
	address uint16 // the index in the table of addresses
	key     uint16
}

func ownerLength(aligned bool) int {
	if aligned {
		return 6
	}
	return 5
}

const authenticated = 1

// parseOwners reads the item of owners: their number, and as many as there is room for.
func parseOwners(b []byte, aligned bool) (all []owner) {
	in := reader{b: b}
	for range in.uint16() {
		one := reader{b: in.take(ownerLength(aligned))}
		o := owner{one.uint16(), one.uint16()}
		if in.short {
			break
		}
		if one.uint8() == authenticated {
			all = append(all, o)
		}
	}
	return all
}

func ownersBytes(all []owner, length int, aligned bool) []byte {
	b := append16(nil, uint16(len(all)))
	for _, o := range all {
		b = append(append16(append16(b, o.address), o.key), authenticated)
		if aligned {
			b = append(b, 0xff)
		}
	}
	return padded(b, length)
}

// tables are what a stick knows of devices.
type tables struct {
	addresses, trust, keys, counters []row
	owners                           []byte
	aligned                          bool
	firstKey                         uint16 // the number by which an owner names the first key
}

// devices returns what the tables tell.
func (t tables) devices(seed *radio.Key) (all []radio.KnownDevice) {
	at := map[radio.IEEE]int{}
	for _, one := range t.addresses {
		a, ok := parseAddress(one.value)
		if _, twice := at[a.ieee]; !ok || twice {
			continue
		}
		at[a.ieee] = len(all)
		d := radio.KnownDevice{NWK: a.nwk, IEEE: a.ieee, Child: a.use&useChild != 0}
		if d.NWK == radio.BroadcastAll {
			d.NWK = radio.Unknown
		}
		all = append(all, d)
	}
	for _, one := range t.trust {
		k, ok := parseTrust(one.value)
		if !ok || seed == nil {
			continue
		}
		i, known := at[k.ieee]
		if !known { // some firmware loses the address of a device whose key it has
			i = len(all)
			all = append(all, radio.KnownDevice{NWK: radio.Unknown, IEEE: k.ieee})
		}
		key := derive(*seed, k.ieee, k.shift)
		all[i].LinkKey, all[i].TxCounter, all[i].RxCounter = &key, k.tx, k.rx
	}
	for _, o := range parseOwners(t.owners, t.aligned) {
		index := int(o.key) - int(t.firstKey)
		if int(o.address) >= len(t.addresses) || index < 0 || index >= len(t.keys) {
			continue
		}
		a, known := parseAddress(t.addresses[o.address].value)
		k, ok := parseKey(t.keys[index].value)
		if i, listed := at[a.ieee]; known && ok && listed {
			all[i].LinkKey, all[i].TxCounter, all[i].RxCounter = &k.key, k.tx, k.rx
		}
	}
	return all
}

// counter returns the frame counter of a network.
func (t tables) counter(extended radio.IEEE) (uint32, bool) {
	general, found := uint32(0), false
	for _, one := range t.counters {
		c, ok := parseCounter(one.value)
		switch {
		case ok && c.extended == extended:
			return c.counter, true
		case ok && c.extended == anyNetwork && c.counter != ^uint32(0):
			general, found = c.counter, true
		}
	}
	return general, found
}

// counterMargin is what counters are raised by: devices ignore who goes back behind what they have heard.
const counterMargin = 2500

// become makes the tables those of b. It returns how many link keys found no room.
func (t *tables) become(b radio.Backup, seed *radio.Key) (lost int) {
	addresses, trust, keys := t.blank()
	var owners []owner
	room := 0
	if len(t.owners) > 2 {
		room = (len(t.owners) - 2) / ownerLength(t.aligned)
	}
	used, usedTrust := 0, 0
	for _, d := range b.Devices {
		if used >= len(addresses) {
			if d.LinkKey != nil {
				lost++
			}
			continue
		}
		a := addressRow{nwk: d.NWK, ieee: d.IEEE}
		if d.Child {
			a.use |= useChild
		}
		if d.LinkKey != nil {
			shift, seeded := uint8(0), false
			if seed != nil {
				shift, seeded = shiftOf(*seed, *d.LinkKey, d.IEEE)
			}
			tx := saturated(d.TxCounter, counterMargin)
			switch {
			case seeded && usedTrust < len(trust):
				entry := trustRow{tx, d.RxCounter, d.IEEE, keyVerified, shift}
				trust[usedTrust].value = entry.bytes(len(trust[usedTrust].value))
				usedTrust++
				a.use |= useSecurity
			case len(owners) < room && len(owners) < len(keys):
				keys[len(owners)].value = keyRow{*d.LinkKey, tx, d.RxCounter}.bytes()
				owners = append(owners, owner{uint16(used), t.firstKey + uint16(len(owners))})
				a.use |= useSecurity
			default:
				lost++
			}
		}
		if a.use != 0 {
			addresses[used].value = a.bytes(len(addresses[used].value))
			used++
		}
	}
	t.addresses, t.trust, t.keys = addresses, trust, keys
	t.owners = ownersBytes(owners, len(t.owners), t.aligned)
	t.setCounter(b)
	return lost
}

// blank returns the tables of devices without any; rows that are free already stay as the firmware made them.
func (t *tables) blank() (addresses, trust, keys []row) {
	addresses, trust, keys = slices.Clone(t.addresses), slices.Clone(t.trust), slices.Clone(t.keys)
	for i, one := range addresses {
		if a, _ := parseAddress(one.value); !unused(a.ieee) {
			free := addressRow{nwk: radio.BroadcastAll, ieee: ^radio.IEEE(0)}
			if t.firstKey == 0 { // extended memory is 0xff where nothing is
				free.use = 0xff
			}
			addresses[i].value = free.bytes(len(one.value))
		}
	}
	for i, one := range trust {
		if k, _ := parseTrust(one.value); !unused(k.ieee) {
			trust[i].value = trustRow{attribute: keyDefault}.bytes(len(one.value))
		}
	}
	for i, one := range keys {
		keys[i].value = make([]byte, len(one.value))
	}
	return addresses, trust, keys
}

// setCounter writes the frame counter for the network, and for any, as the last resort of the firmware.
func (t *tables) setCounter(b radio.Backup) {
	counter := saturated(b.FrameCounter, counterMargin)
	t.counters = slices.Clone(t.counters)
	for i := range t.counters {
		c := counterRow{}
		switch i {
		case 0:
			c = counterRow{counter, b.Extended}
		case len(t.counters) - 1:
			c = counterRow{counter, anyNetwork}
		}
		t.counters[i].value = c.bytes()
	}
}

// changes returns the indexes of the rows that differ.
func changes(before, after []row) (changed []int) {
	for i := range after {
		if !bytes.Equal(before[i].value, after[i].value) {
			changed = append(changed, i)
		}
	}
	return changed
}

// usable reports whether all rows are of a length that is known.
func usable(all []row, lengths ...int) bool {
	return !slices.ContainsFunc(all, func(one row) bool { return !slices.Contains(lengths, len(one.value)) })
}
