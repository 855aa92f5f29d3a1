package znp

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"

	"hearth/drivers/zigbee/radio"
)

func TestDerivedKeys(t *testing.T) {
	seed := radio.Key(unhex(t, "000102030405060708090a0b0c0d0e0f"))
	key := derive(seed, 0x0102030405060708, 3)
	// The rotated seed, with 08 07 06 05 04 03 02 01 over both halves.
	if want := radio.Key(unhex(t, "0b030303 030b0b0b 030b0b0b 0b030303")); key != want {
		t.Errorf("got %x, want %x", key[:], want[:])
	}
	for shift := range uint8(16) {
		if got, ok := shiftOf(seed, derive(seed, ownAddress, shift), ownAddress); !ok || got != shift {
			t.Errorf("shift %d was found as %d, %v", shift, got, ok)
		}
	}
	if _, ok := shiftOf(seed, radio.TrustCentre, ownAddress); ok {
		t.Error("a key that is not of the seed has a shift")
	}
}

func TestBestSeed(t *testing.T) {
	seed, odd := radio.Key([]byte("some seed, 16 b.")), radio.Key([]byte("not of any seed."))
	key := func(device radio.IEEE, shift uint8) *radio.Key {
		k := derive(seed, device, shift)
		return &k
	}
	b := radio.Backup{Devices: []radio.KnownDevice{{IEEE: 1, LinkKey: &odd}, {IEEE: 2, LinkKey: key(2, 5)}, {IEEE: 3}, {IEEE: 4, LinkKey: key(4, 9)}}}
	if got := bestSeed(b); got == nil || seededBy(*got, b.Devices) != 2 {
		t.Error("the seed of two keys was not found without its help")
	}
	b.Seed = &seed
	if got := bestSeed(b); *got != seed {
		t.Error("the backup's own seed is as good and was not taken")
	}
	b.Seed = &odd
	if got := bestSeed(b); *got == odd {
		t.Error("a seed that stands for nothing was taken")
	}
	if bestSeed(radio.Backup{}) != nil {
		t.Error("a seed without any key")
	}
}

func TestNIB(t *testing.T) {
	b := radio.Backup{SecurityLevel: 5, ChannelMask: 1 << 11, Network: someNetwork}
	b.UpdateID = 7
	for length, at := range map[int]map[int]string{
		110: {12: "05", 22: "0f", 33: "621a", 36: "00880000", 53: "77665544332211dd", 61: "01", 109: "07"},
		116: {12: "05", 24: "0f", 36: "621a", 40: "00880000", 57: "77665544332211dd", 65: "01", 114: "07"},
	} {
		base := nib(bytes.Repeat([]byte{0xee}, length))
		base.become(b)
		for i, want := range at {
			if w := unhex(t, want); !bytes.Equal(base[i:i+len(w)], w) {
				t.Errorf("%d bytes: at %d is %x, want %s", length, i, base[i:i+len(w)], want)
			}
		}
		if !base.settled() || base.pan() != b.PAN || base.extended() != b.Extended || base.channel() != 15 || base.update() != 7 || base.channels() != 1<<11|1<<15 || base.security() != 5 {
			t.Errorf("%d bytes: read back other values", length)
		}
	}
	if nib(make([]byte, 100)).settled() || nib(nil).settled() {
		t.Error("a nib of unknown length is settled")
	}
}

func TestRows(t *testing.T) {
	tests := map[string]struct{ got, want []byte }{
		"address":         {addressRow{useChild, 0x1234, ownAddress}.bytes(11), unhex(t, "01 3412 04030201004b1200")},
		"address aligned": {addressRow{useSecurity, 0x1234, ownAddress}.bytes(12), unhex(t, "02ff 3412 04030201004b1200")},
		"trust":           {trustRow{1, 2, ownAddress, keyVerified, 14}.bytes(19), unhex(t, "01000000 02000000 04030201004b1200 02 00 0e")},
		"trust aligned":   {trustRow{1, 2, ownAddress, keyVerified, 14}.bytes(20), unhex(t, "01000000 02000000 04030201004b1200 02 00 0e 00")},
		"key":             {keyRow{radio.TrustCentre, 1, 2}.bytes(), append([]byte("ZigBeeAlliance09"), 1, 0, 0, 0, 2, 0, 0, 0)},
		"counter":         {counterRow{7500, someNetwork.Extended}.bytes(), unhex(t, "4c1d0000 77665544332211dd")},
		"owners":          {ownersBytes([]owner{{1, 0x0201}}, 12, false), unhex(t, "0100 0100 0102 01 00000000 00")},
		"owners aligned":  {ownersBytes([]owner{{0, 0}, {5, 1}}, 20, true), unhex(t, "0200 0000 0000 01ff 0500 0100 01ff 000000000000")},
	}
	for name, tt := range tests {
		if !bytes.Equal(tt.got, tt.want) {
			t.Errorf("%s: %x, want %x", name, tt.got, tt.want)
		}
	}
	if a, ok := parseAddress(tests["address aligned"].got); !ok || a != (addressRow{useSecurity, 0x1234, ownAddress}) {
		t.Errorf("read back %+v", a)
	}
	if got := parseOwners(tests["owners aligned"].got, true); !slices.Equal(got, []owner{{0, 0}, {5, 1}}) {
		t.Errorf("read back %+v", got)
	}
	if got := parseOwners([]byte{0xff, 0xff, 1}, true); len(got) != 0 {
		t.Errorf("read %+v from half a table", got)
	}
	for _, free := range []string{"ffffffffffffffffffffffff", "00ffffffffffffffffffff", "0000000000000000000000"} {
		if _, ok := parseAddress(unhex(t, free)); ok {
			t.Errorf("%s is a device", free)
		}
	}
}

// aBackup is a network with a seeded key, a key of its own, and a child without one.
func aBackup() radio.Backup {
	seed, odd := radio.Key([]byte("the seed, 16 b..")), radio.Key([]byte("a key of its own"))
	seeded := derive(seed, 0x00158d0001a2b3c4, 5)
	n := someNetwork
	n.Coordinator, n.UpdateID, n.KeySequence = 0x00124b00aabbccdd, 3, 1
	return radio.Backup{
		Network: n, SecurityLevel: 5, ChannelMask: 1 << 15, FrameCounter: 100_000, Seed: &seed,
		Devices: []radio.KnownDevice{
			{NWK: 0x1111, IEEE: 0x00158d0001a2b3c4, LinkKey: &seeded, RxCounter: 5, TxCounter: 10},
			{NWK: 0x2222, IEEE: 0x0017880102030405, Child: true},
			{NWK: radio.Unknown, IEEE: 0x00178801aaaaaaaa, Child: true, LinkKey: &odd, RxCounter: 1, TxCounter: 0xffffff00},
		},
	}
}

func TestRestoreAndBackup(t *testing.T) {
	sticks := map[string]func() *stick{
		"CC2652": func() *stick { return newStick(product3x0, true) },
		"CC2531": func() *stick { return newStick(product30x, false) },
		"CC2538": func() *stick { return newStick(product30x, true) },
	}
	for name, make := range sticks {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := make()
				s.withNetwork() // of somebody else, with devices
				stranger := addressRow{useChild, 0x9999, 0x9999}.bytes(addressLength(s.aligned))
				if s.product == product3x0 {
					s.tables[1][7] = stranger
				} else {
					copy(s.items[itemDevices][7*len(stranger):], stranger)
				}
				r := newRig(t, s)
				if _, err := r.Connect(r.ctx); err != nil {
					t.Fatal(err)
				}
				b := aBackup()
				n, err := r.Up(r.ctx, radio.Plan{Restore: &b})
				if err != nil || n != b.Network {
					t.Fatalf("got %+v, %v; want %+v", n, err, b.Network)
				}
				got, err := r.Backup(r.ctx)
				if err != nil {
					t.Fatal(err)
				}
				checkRestored(t, got, b)
				if s.own != b.Coordinator || s.running.Key != b.Key || s.items[itemConfigured][0] != configured {
					t.Errorf("the stick has %+v as %s", s.running, s.own)
				}
			})
		})
	}
}

func checkRestored(t *testing.T, got, want radio.Backup) {
	t.Helper()
	if got.Network != want.Network || got.FrameCounter != want.FrameCounter+2500 || *got.Seed != *want.Seed ||
		got.SecurityLevel != want.SecurityLevel || got.ChannelMask != want.ChannelMask {
		t.Errorf("got %+v, counter %d", got.Network, got.FrameCounter)
	}
	if len(got.Devices) != len(want.Devices) {
		t.Fatalf("got %d devices, want %d: %+v", len(got.Devices), len(want.Devices), got.Devices)
	}
	for i, w := range want.Devices {
		g := got.Devices[i]
		if g.NWK != w.NWK || g.IEEE != w.IEEE || g.Child != w.Child || g.RxCounter != w.RxCounter || (g.LinkKey == nil) != (w.LinkKey == nil) {
			t.Errorf("device %d: got %+v, want %+v", i, g, w)
			continue
		}
		if w.LinkKey != nil && (*g.LinkKey != *w.LinkKey || g.TxCounter != saturated(w.TxCounter, 2500)) {
			t.Errorf("device %d: another key, or counter %d", i, g.TxCounter)
		}
	}
}

func TestBackupOfADeviceWithoutAddress(t *testing.T) {
	seed := radio.Key([]byte("the seed, 16 b.."))
	lists := tables{trust: []row{
		{0, trustRow{1, 2, ownAddress, keyVerified, 3}.bytes(20)},
		{1, trustRow{1, 2, 77, 0, 3}.bytes(20)},          // an install code's
		{2, trustRow{1, 2, 78, keyDefault, 0}.bytes(20)}, // none
	}}
	got := lists.devices(&seed)
	if len(got) != 1 || got[0].NWK != radio.Unknown || got[0].IEEE != ownAddress || *got[0].LinkKey != derive(seed, ownAddress, 3) {
		t.Errorf("got %+v", got)
	}
}

func TestRoomForKeys(t *testing.T) {
	b := radio.Backup{Network: someNetwork}
	for i := range 6 {
		key := radio.Key{byte(i), 1}
		for j := range key {
			key[j] += byte(i * j * 7)
		}
		b.Devices = append(b.Devices, radio.KnownDevice{NWK: radio.NWK(i + 1), IEEE: radio.IEEE(i + 1), LinkKey: &key, Child: i == 5})
	}
	lists := tables{owners: make([]byte, 2+2*6), aligned: true}
	for i := range uint16(6) {
		lists.addresses = append(lists.addresses, row{i, bytes.Repeat([]byte{0xff}, 12)})
		lists.keys = append(lists.keys, row{i, make([]byte, keyLength)})
	}
	if lost := lists.become(b, nil); lost != 4 {
		t.Errorf("%d keys found no room, want 4", lost)
	}
	got := lists.devices(nil)
	if len(got) != 3 || got[0].LinkKey == nil || got[1].LinkKey == nil || !got[2].Child || got[2].LinkKey != nil {
		t.Errorf("got %+v", got)
	}
}

func TestLegacyTablesWithGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStick(product30x, false)
		s.withNetwork()
		s.items[tableOfCounters().first] = counterRow{1, 0x77}.bytes()
		s.items[tableOfCounters().last] = counterRow{4711, someNetwork.Extended}.bytes()
		r := newRig(t, s)
		if _, err := r.Connect(r.ctx); err != nil {
			t.Fatal(err)
		}
		if b, err := r.Backup(r.ctx); err != nil || b.FrameCounter != 4711 {
			t.Errorf("got %d, %v", b.FrameCounter, err)
		}
	})
}

func FuzzTables(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef"), true)
	f.Fuzz(func(t *testing.T, b []byte, aligned bool) {
		lists := tables{aligned: aligned, owners: b}
		for i := 0; i+24 <= len(b); i += 24 {
			lists.addresses = append(lists.addresses, row{value: b[i : i+addressLength(aligned)]})
			lists.trust = append(lists.trust, row{value: b[i : i+20]})
			lists.keys = append(lists.keys, row{value: b[i : i+24]})
			lists.counters = append(lists.counters, row{value: b[i : i+12]})
		}
		seed := radio.TrustCentre
		got := radio.Backup{Network: someNetwork, Devices: lists.devices(&seed)}
		if len(got.Devices) > 2*len(lists.addresses) {
			t.Fatalf("%d devices in %d rows", len(got.Devices), len(lists.addresses))
		}
		lists.become(got, &seed)
		again := lists.devices(&seed)
		if len(again) > len(got.Devices) {
			t.Fatalf("%d devices became %d", len(got.Devices), len(again))
		}
	})
}
