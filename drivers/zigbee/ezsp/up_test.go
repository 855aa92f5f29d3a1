package ezsp

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"hearth/drivers/zigbee/radio"
)

func TestResume(t *testing.T) {
	every(t, func(s *scene) {
		if _, err := s.radio.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		s.stick.commands()
		power := int8(-4)
		got, err := s.radio.Up(s.ctx, radio.Plan{Power: &power})
		want := radio.Network{
			PAN: 0x1a62, Extended: testExtended, Channel: 15, UpdateID: 3, Key: testKey, KeySequence: 2, Coordinator: testOwn,
		}
		if err != nil || got != want {
			s.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
		calls := s.stick.commands()
		if s.stick.resets != 1 || len(find(calls, cmdLeaveNetwork))+len(find(calls, cmdFormNetwork)) > 0 {
			s.Errorf("%d resets, calls %v", s.stick.resets, calls)
		}
		if b := find(calls, cmdSetConcentrator); len(b) != 1 || !bytes.Equal(b[0], []byte{1, 0xf9, 0xff, 5, 0, 60, 0, 3, 1, 0}) {
			s.Errorf("concentrator %x", b)
		}
		if b := find(calls, cmdSetMulticastTableEntry); len(b) != 2 || !bytes.Equal(b[0], []byte{0, 0, 0, 1, 0}) || !bytes.Equal(b[1], []byte{1, 0x84, 0x0b, 242, 0}) {
			s.Errorf("groups %x", b)
		}
		if b := find(calls, cmdSetRadioPower); len(b) != 1 || b[0][0] != 0xfc {
			s.Errorf("power %x", b)
		}
		// Once more, without Connect: the firmware has to start anew, as endpoints can be added only once.
		if _, err := s.radio.Up(s.ctx, radio.Plan{}); err != nil || s.stick.resets != 2 {
			s.Errorf("a second time: %d resets, %v", s.stick.resets, err)
		}
	})
}

func wanted() radio.Network {
	return radio.Network{
		PAN: 0xbeef, Extended: 0x0102030405060708, Channel: 20, UpdateID: 1, Key: radio.Key{0xcc, 1}, KeySequence: 7,
	}
}

func TestForm(t *testing.T) {
	every(t, func(s *scene) {
		if _, err := s.radio.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		s.stick.commands()
		n := wanted()
		got, err := s.radio.Up(s.ctx, radio.Plan{Form: &n})
		n.Coordinator = testOwn
		if err != nil || got != n {
			s.Fatalf("got %+v, %v; want %+v", got, err, n)
		}
		calls := s.stick.commands()
		order(s.T, calls, cmdLeaveNetwork, cmdSetInitialSecurity, cmdFormNetwork)
		if b := find(calls, cmdLeaveNetwork); len(b[0]) != map[bool]int{true: 1, false: 0}[s.stick.wide()] {
			s.Errorf("leaves with %x", b[0])
		}
		security := find(calls, cmdSetInitialSecurity)[0]
		if flags := binary.LittleEndian.Uint16(security); flags != 0x0b84 || len(security) != 2+16+16+1+8 {
			s.Errorf("security %x, flags %#x", security, flags)
		}
		if bytes.Equal(security[2:18], make([]byte, 16)) || security[34] != 7 {
			s.Errorf("security %x", security)
		}
		want := []byte{8, 7, 6, 5, 4, 3, 2, 1, 0xef, 0xbe, 8, 20, 0, 0, 0, 1, 0x00, 0xf8, 0xff, 0x07}
		if b := find(calls, cmdFormNetwork)[0]; !bytes.Equal(b, want) {
			s.Errorf("forms %x, want %x", b, want)
		}
		if s.stick.counter != 0 {
			s.Errorf("a new key begins with counter %d", s.stick.counter)
		}
	})
}

func TestFormRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*radio.Network){
		"channel":  func(n *radio.Network) { n.Channel = 27 },
		"PAN":      func(n *radio.Network) { n.PAN = 0xffff },
		"extended": func(n *radio.Network) { n.Extended = 0 },
		"key":      func(n *radio.Network) { n.Key = radio.Key{} },
	} {
		t.Run(name, func(t *testing.T) {
			on(t, 13, func(s *scene) {
				if _, err := s.radio.Connect(s.ctx); err != nil {
					s.Fatal(err)
				}
				n := wanted()
				spoil(&n)
				if _, err := s.radio.Up(s.ctx, radio.Plan{Form: &n}); err == nil || !strings.Contains(err.Error(), name) {
					s.Errorf("got %v", err)
				}
				if len(find(s.stick.commands(), cmdLeaveNetwork)) > 0 {
					s.Error("it has left the network all the same")
				}
			})
		})
	}
}

func TestFormFails(t *testing.T) {
	on(t, 14, func(s *scene) {
		if _, err := s.radio.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		s.stick.with(func() { s.stick.on[cmdFormNetwork] = func([]byte) []byte { return []byte{0x21, 0, 0, 0} } })
		n := wanted()
		if _, err := s.radio.Up(s.ctx, radio.Plan{Form: &n}); classOf(err) != radio.Refused || !strings.Contains(err.Error(), "formNetwork") {
			s.Errorf("got %v", err)
		}
		if err := s.radio.Permit(s.ctx, 1); classOf(err) != radio.Down {
			s.Errorf("and yet it is up: %v", err)
		}
	})
}

func backup() radio.Backup {
	key := radio.Key{0x11}
	usual := radio.TrustCentre
	b := radio.Backup{
		Network: wanted(), SecurityLevel: 5, ChannelMask: 1 << 20, FrameCounter: 70000,
		Hashed: &radio.Key{0x99, 0x98},
		Devices: []radio.KnownDevice{
			{NWK: 0x1111, IEEE: 0x00158d0000000001, LinkKey: &key, TxCounter: 5, RxCounter: 6},
			{NWK: 0x2222, IEEE: 0x00158d0000000002, Child: true},
			{NWK: radio.Unknown, IEEE: 0x00158d0000000003, Child: true, LinkKey: &usual},
		},
	}
	b.Coordinator = testOwn
	return b
}

func TestRestore(t *testing.T) {
	every(t, func(s *scene) {
		if _, err := s.radio.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		s.stick.commands()
		b := backup()
		got, err := s.radio.Up(s.ctx, radio.Plan{Restore: &b})
		if err != nil || got != b.Network {
			s.Fatalf("got %+v, %v; want %+v", got, err, b.Network)
		}
		calls := s.stick.commands()
		order(s.T, calls, cmdLeaveNetwork, cmdSetInitialSecurity, cmdFormNetwork)
		security := find(calls, cmdSetInitialSecurity)[0]
		if flags := binary.LittleEndian.Uint16(security); flags != 0x1b84 || !bytes.Equal(security[2:18], b.Hashed[:]) {
			s.Errorf("security %x", security)
		}
		if s.stick.counter != 72500 || s.stick.sequence != 7 {
			s.Errorf("counter %d, sequence %d", s.stick.counter, s.stick.sequence)
		}
		if b := find(calls, cmdFormNetwork)[0]; !bytes.Equal(b[16:], []byte{0, 0, 0x10, 0}) {
			s.Errorf("channels %x", b[16:])
		}
		ieee := []byte{1, 0, 0, 0, 0, 0x8d, 0x15, 0}
		c, want := cmdImportLinkKey, append(append([]byte{0}, ieee...), 0x11)
		if !s.stick.managed() {
			c, want = cmdAddOrUpdateKey, append(append(ieee, 1), 0x11)
		}
		if keys := find(calls, c); len(keys) != 1 || !bytes.HasPrefix(keys[0], want) || len(keys[0]) != 25 {
			s.Errorf("keys %x, want %x", keys, want)
		}
		children := find(calls, cmdSetChildData)
		if length := map[bool]int{true: 1 + 8 + 1 + 2 + 3, false: 1 + 8 + 1 + 2 + 3 + 4}[s.stick.version < 10]; s.stick.version >= 9 &&
			(len(children) != 1 || len(children[0]) != length || !bytes.HasPrefix(children[0], []byte{0, 2, 0, 0, 0, 0, 0x8d, 0x15, 0, 4, 0x22, 0x22})) {
			s.Errorf("children %x", children)
		}
		// And back: what is read is what was given.
		again, err := s.radio.Backup(s.ctx)
		if err != nil || again.Network != b.Network || *again.Hashed != *b.Hashed || again.FrameCounter != 72500 || again.ChannelMask != b.ChannelMask {
			s.Errorf("read back %+v, %v", again, err)
		}
	})
}

func TestRestoreWithoutHashedKey(t *testing.T) {
	on(t, 13, func(s *scene) {
		if _, err := s.radio.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		b := backup()
		b.Hashed, b.ChannelMask = nil, 0
		if _, err := s.radio.Up(s.ctx, radio.Plan{Restore: &b}); err != nil {
			s.Fatal(err)
		}
		calls := s.stick.commands()
		if s.stick.hashed == (radio.Key{}) || s.stick.hashed == testHashed {
			s.Errorf("the link key is %x", s.stick.hashed[:])
		}
		if b := find(calls, cmdFormNetwork)[0]; !bytes.Equal(b[16:], []byte{0x00, 0xf8, 0xff, 0x07}) {
			s.Errorf("channels %x", b[16:])
		}
	})
}

func TestRestoreWithTooManyKeys(t *testing.T) {
	on(t, 14, func(s *scene) {
		if _, err := s.radio.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		tries := 0
		s.stick.with(func() {
			s.stick.on[cmdImportLinkKey] = func(body []byte) []byte {
				if tries++; body[0] >= 3 {
					return s.stick.managedStatus(0x27)
				}
				return s.stick.managedStatus(0)
			}
		})
		b := backup()
		for n := range 10 {
			b.Devices = append(b.Devices, radio.KnownDevice{IEEE: radio.IEEE(n + 1), NWK: radio.Unknown, LinkKey: &radio.Key{9}})
		}
		if _, err := s.radio.Up(s.ctx, radio.Plan{Restore: &b}); err != nil || tries != 4 {
			s.Errorf("%d tries, %v", tries, err)
		}
	})
}

func TestRestoreWithoutCounter(t *testing.T) {
	on(t, 13, func(s *scene) {
		if _, err := s.radio.Connect(s.ctx); err != nil {
			s.Fatal(err)
		}
		s.stick.with(func() { s.stick.on[cmdSetValue] = func([]byte) []byte { return []byte{0x37} } })
		b := backup()
		if _, err := s.radio.Up(s.ctx, radio.Plan{Restore: &b}); err == nil || !strings.Contains(err.Error(), "frame counter") {
			s.Errorf("got %v", err)
		}
	})
}

func TestTakesTheCoordinatorsAddress(t *testing.T) {
	const other = radio.IEEE(0x00124b00aabbccdd)
	for name, tt := range map[string]struct {
		version uint8
		prepare func(*ncp)
		taken   bool
		token   bool // in NVM3
		burn    bool // is allowed
	}{
		"NVM3":                  {13, func(n *ncp) { n.tokens[0xe12a] = make([]byte, 8) }, true, true, true},
		"NVM3, wide":            {14, func(n *ncp) { n.tokens[0xe12a] = make([]byte, 8) }, true, true, false},
		"NVM3 of the other":     {12, func(n *ncp) { n.tokens[0x1e12a] = make([]byte, 8) }, true, true, false},
		"unwritten":             {13, func(*ncp) {}, true, false, true},
		"unwritten, old":        {8, func(*ncp) {}, true, false, true},
		"unwritten, not asked":  {13, func(*ncp) {}, false, false, false},
		"old, not asked":        {8, func(*ncp) {}, false, false, false},
		"written before":        {13, func(n *ncp) { n.custom = []byte{1, 2, 3, 4, 5, 6, 7, 8} }, false, false, true},
		"without such a token":  {13, func(n *ncp) { n.custom = nil }, false, false, true},
		"not even that command": {13, func(n *ncp) { n.on[cmdGetMfgToken] = func([]byte) []byte { return nil } }, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, tt.version, func(s *scene) {
				tt.prepare(s.stick)
				if _, err := s.radio.Connect(s.ctx); err != nil {
					s.Fatal(err)
				}
				b := backup()
				b.Coordinator = other
				got, err := s.radio.Up(s.ctx, radio.Plan{Restore: &b, BurnAddress: tt.burn})
				if name == "not even that command" { // it says nothing: that is no refusal
					if classOf(err) != radio.Timeout {
						s.Errorf("got %v", err)
					}
					return
				}
				if err != nil {
					s.Fatal(err)
				}
				want, resets := testOwn, 1
				if tt.taken {
					want, resets = other, 2
				}
				if got.Coordinator != want || s.stick.own != want || s.stick.resets != resets {
					s.Errorf("the coordinator is %s after %d resets", got.Coordinator, s.stick.resets)
				}
				calls := s.stick.commands()
				if n := len(find(calls, cmdSetTokenData)); (n == 1) != tt.token {
					s.Errorf("%d tokens were written", n)
				}
				if n := len(find(calls, cmdSetMfgToken)); (n == 1) != (tt.taken && !tt.token) {
					s.Errorf("%d of the manufacturer's tokens were written", n)
				}
			})
		})
	}
}

func TestRaised(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		counter uint32
		made    time.Time
		want    uint32
	}{
		"unknown age":     {1000, time.Time{}, 3500},
		"just made":       {1000, now, 3500},
		"an hour ago":     {1000, now.Add(-time.Hour), 3500 + 4*3600},
		"in the future":   {1000, now.Add(time.Hour), 3500},
		"a century ago":   {1000, now.AddDate(-100, 0, 0), highestCounter},
		"near the end":    {highestCounter - 1, now, highestCounter},
		"beyond that too": {highestCounter + 5, now, highestCounter + 5},
	} {
		if got := raised(tt.counter, tt.made, now); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

func TestBackupReadsTables(t *testing.T) {
	every(t, func(s *scene) {
		n := s.resume()
		partner := []byte{1, 0, 0, 0, 0, 0x8d, 0x15, 0}
		key := append([]byte{0x11}, make([]byte, 15)...)
		counters := []byte{5, 0, 0, 0, 6, 0, 0, 0}
		s.stick.with(func() {
			entry := func(body []byte) []byte {
				good := body[0] == 2
				sl, ember := uint32(0), uint8(0)
				if !good {
					sl, ember = 0x2d, 0x03
				}
				switch {
				case s.stick.wide():
					b := append(s.stick.managedStatus(sl), 4, body[0], 0, 0)
					b = append(append(append(b, partner...), make([]byte, 6)...), key...)
					return append(append(append(b, 0x0f, 0), counters...), 0, 0)
				case s.stick.managed():
					b := append(append([]byte(nil), partner...), key...)
					b = append(append(append(b, 0x0f, 0), counters...), 0, 0)
					return append(b, s.stick.managedStatus(sl)...)
				}
				b := append(append(s.stick.status(ember), 0x0f, 0, 5), key...)
				return append(append(append(b, counters...), 0), partner...)
			}
			s.stick.on[cmdExportLinkKey], s.stick.on[cmdGetKeyTableEntry] = entry, entry
			s.stick.on[cmdLookupNodeID] = func([]byte) []byte { return []byte{0x11, 0x11} }
			s.stick.on[cmdGetChildData] = func(body []byte) []byte {
				if body[0] != 5 {
					return s.stick.status(0x93)
				}
				return s.stick.status(0, 2, 0, 0, 0, 0, 0x8d, 0x15, 0, 4, 0x22, 0x22, 0, 0, 0, 0, 0, 0, 0)
			}
		})
		b, err := s.radio.Backup(s.ctx)
		if err != nil || b.Network != n || b.FrameCounter != 0x10000 || b.SecurityLevel != 5 || *b.Hashed != testHashed || b.Made.IsZero() {
			s.Fatalf("got %+v, %v", b, err)
		}
		if len(b.Devices) != 2 {
			s.Fatalf("devices %+v", b.Devices)
		}
		if d := b.Devices[0]; d.IEEE != 0x00158d0000000001 || d.NWK != 0x1111 || *d.LinkKey != (radio.Key{0x11}) || d.TxCounter != 5 || d.RxCounter != 6 || d.Child {
			s.Errorf("device %+v", d)
		}
		if d := b.Devices[1]; d.IEEE != 0x00158d0000000002 || d.NWK != 0x2222 || d.LinkKey != nil || !d.Child {
			s.Errorf("device %+v", d)
		}
	})
}

func TestBackupOfPlainKeys(t *testing.T) {
	on(t, 13, func(s *scene) {
		s.resume()
		s.stick.with(func() {
			s.stick.on[cmdGetCurrentSecurity] = func([]byte) []byte { return s.stick.status(0, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0) }
		})
		if b, err := s.radio.Backup(s.ctx); err != nil || b.Hashed != nil {
			s.Errorf("got %+v, %v", b, err)
		}
	})
}
