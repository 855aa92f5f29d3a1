package fake

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
)

func TestEZSPVersions(t *testing.T) {
	for firmware, version := range map[string]uint8{
		"": 13, "6.7.9": 8, "6.10.3": 8, "7.0.2": 8, "7.1.1": 9, "7.2.4": 10, "7.3.1": 12, "7.4.4": 13, "8.0.2": 14, "8.1.0": 16, "8.2.2": 17,
		"9.0.1": 18, "9.1.0": 19,
	} {
		m := NewMesh(MeshOptions{})
		s, err := NewStick(m, StickOptions{Protocol: EZSP, Firmware: firmware})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.firmware.(*ezsp).version; got != version {
			t.Errorf("%q speaks %d, want %d", firmware, got, version)
		}
		m.Close()
	}
}

// TestEZSPNegotiation: nothing works before the host has named the version, in the legacy form first.
func TestEZSPNegotiation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testStick(t, StickOptions{Firmware: "7.4.4"})
		defer h.close()
		h.out <- append([]byte{ashCancel}, ashEncode([]byte{ashRST})...)
		h.expect(ashRSTACK, ashVersion, ResetSoftware)
		if said := h.exchange(ezspHeader{id: 0x0005}, nil); said.header.id != 0x0058 || said.params[0] != uint8(ezspVersionNotSet) {
			t.Errorf("nop before version: %+v", said)
		}
		if said := h.exchange(ezspHeader{legacy: true}, []byte{19}); !said.header.legacy || !bytes.Equal(said.params, []byte{13, 2, 0x40, 0x74}) {
			t.Errorf("version 19: %+v", said)
		}
		if said := h.exchange(ezspHeader{id: 0x0005}, nil); said.header.id != 0x0058 {
			t.Errorf("nop after a version that is not ours: %+v", said)
		}
		if said := h.exchange(ezspHeader{}, []byte{13}); said.header.legacy || said.header.id != 0 || said.params[0] != 13 {
			t.Errorf("version 13: %+v", said)
		}
		h.ask(0x0005, nil)
		if said := h.exchange(ezspHeader{id: 0x0166}, nil); said.header.id != 0x0058 || said.params[0] != uint8(ezspInvalidFrameID) {
			t.Errorf("unknown command: %+v", said)
		}
		if r := h.ask(0x0081, func(w *ezspWriter) { w.counted([]byte("echo")) }); string(r.counted()) != "echo" {
			t.Error("no echo")
		}
	})
}

func TestEZSPFormResume(t *testing.T) {
	eachVersion(t, func(t *testing.T, firmware string) {
		synctest.Test(t, func(t *testing.T) {
			memory := NewMemory()
			h := testStick(t, StickOptions{Firmware: firmware, Memory: memory})
			defer h.close()
			h.reset()
			h.wantStatus(h.ask(0x0017, func(w *ezspWriter) { w.u16(3) }), statusNotJoined)
			h.wantStatus(h.ask(0x001e, func(w *ezspWriter) { w.network(testNetwork) }), statusSecurityNotSet)
			h.form(usualSecurity)
			checkNetwork(t, h)

			h.reset()
			if state := h.ask(0x0018, nil).u8(); state != 0 {
				t.Errorf("state %d after a reset", state)
			}
			before := h.frameCounter()
			h.wantStatus(h.ask(0x0017, func(w *ezspWriter) { w.u16(3) }), statusOK)
			h.wantStatus(h.callback(0x0019), statusNetworkUp)
			checkNetwork(t, h)
			if after := h.frameCounter(); before == 0 || after < before {
				t.Errorf("frame counter %d, then %d", before, after)
			}
			if _, ok := memory.Get(tokenName(tokenKeys, 0)); !ok {
				t.Error("the network is not in the memory that was given")
			}

			if h.version >= 14 {
				h.wantStatus(h.ask(0x0020, func(w *ezspWriter) { w.u8(0) }), statusOK)
			} else {
				h.wantStatus(h.ask(0x0020, nil), statusOK)
			}
			h.wantStatus(h.callback(0x0019), statusNetworkDown)
			h.reset()
			h.wantStatus(h.ask(0x0017, func(w *ezspWriter) { w.u16(0) }), statusNotJoined)
		})
	})
}

// checkNetwork reads the network as hosts of the version do.
func checkNetwork(t *testing.T, h *testHost) {
	t.Helper()
	r := h.ask(0x0028, nil)
	h.wantStatus(r, statusOK)
	if kind, got := r.u8(), r.network(); kind != 1 || got != testNetwork || len(r.rest) != 0 {
		t.Errorf("node type %d, %+v, rest % x", kind, got, r.rest)
	}
	if state := h.ask(0x0018, nil).u8(); state != 2 {
		t.Errorf("state %d", state)
	}
	r = h.ask(0x0069, nil)
	h.wantStatus(r, statusOK)
	if bits, centre := r.u16(), r.ieee(); bits&securityHashed != securityHashed || centre != h.stick.IEEE() {
		t.Errorf("security %#04x, centre %s", bits, centre)
	}
	if got := h.key(managedNetwork, keyCurrentNetwork); got != testNetworkKey {
		t.Error("another network key")
	}
	if got := h.key(managedTrustCenter, keyTrustCenterLink); got != testLinkKey {
		t.Error("another link key of the trust centre")
	}
}

// key reads one of the two keys of a network.
func (h *testHost) key(managed, old uint8) radio.Key {
	h.t.Helper()
	if h.version < 12 {
		r := h.ask(0x006a, func(w *ezspWriter) { w.u8(old) })
		h.wantStatus(r, statusOK)
		r.u16()
		if kind := r.u8(); kind != old {
			h.t.Errorf("key type %d, want %d", kind, old)
		}
		return r.key()
	}
	r := h.ask(0x0114, func(w *ezspWriter) { w.context(ezspContext{kind: managed}) })
	if h.version >= 14 {
		h.wantStatus(r, statusOK)
		return r.key()
	}
	key := r.key()
	if status := r.u32(); status != 0 {
		h.t.Errorf("status %#x", status)
	}
	return key
}

// frameCounter is that of the network key.
func (h *testHost) frameCounter() uint32 {
	h.t.Helper()
	r := h.ask(0x00aa, func(w *ezspWriter) { w.u8(valueFrameCounter) })
	h.wantConfig(r, ezspConfigOK)
	return binary.LittleEndian.Uint32(r.counted())
}

// TestEZSPRestore puts a network onto another stick: address, counters, link keys, children.
func TestEZSPRestore(t *testing.T) {
	eachVersion(t, func(t *testing.T, firmware string) {
		synctest.Test(t, func(t *testing.T) {
			h := testStick(t, StickOptions{Firmware: firmware, EZSP: EZSPOptions{KeyTable: 3}})
			defer h.close()
			h.reset()
			const old = radio.IEEE(0x00124b0001020304)
			h.rewriteAddress(old)
			h.reset()
			if got := h.ask(0x0026, nil).ieee(); got != old {
				t.Errorf("address %s, want %s", got, old)
			}
			h.wantConfig(h.ask(0x00ab, func(w *ezspWriter) {
				w.u8(valueFrameCounter)
				w.counted(binary.LittleEndian.AppendUint32(nil, 123456))
			}), ezspConfigOK)
			h.importLinkKeys(0x0011223344556677, 0x8899aabbccddeeff)
			if h.version >= 9 {
				h.wantStatus(h.ask(0x00ac, func(w *ezspWriter) {
					w.u8(0)
					w.ieee(0x0011223344556677)
					w.u8(4)
					w.u16(0x4321)
					w.bytes(make([]byte, 3))
					if w.version >= 10 {
						w.u32(0)
					}
				}), statusOK)
			}
			h.form(usualSecurity | securityKeepCounters)
			if n, up := h.stick.Network(); !up || n.Coordinator != old {
				t.Errorf("network %+v, %v", n, up)
			}
			if counter := h.frameCounter(); counter < 123456 || counter > 123456+100 {
				t.Errorf("frame counter %d", counter)
			}
			h.checkLinkKeys(0x0011223344556677, 0x8899aabbccddeeff)
			r := h.ask(0x004a, func(w *ezspWriter) { w.u8(0) })
			if h.version >= 9 {
				h.wantStatus(r, statusOK)
				if device, kind, node := r.ieee(), r.u8(), r.u16(); device != 0x0011223344556677 || kind != 4 || node != 0x4321 {
					t.Errorf("child %s %d %#04x", device, kind, node)
				}
			} else {
				h.wantStatus(r, statusNotJoined)
			}
			h.wantConfig(h.ask(0x00ab, func(w *ezspWriter) { w.bytes([]byte{valueFrameCounter, 4, 0, 0, 0, 0}) }), ezspInvalidCall)
		})
	})
}

// rewriteAddress gives the stick another address in the way that its version has.
func (h *testHost) rewriteAddress(a radio.IEEE) {
	h.t.Helper()
	value := binary.LittleEndian.AppendUint64(nil, uint64(a))
	if h.version >= 9 {
		r := h.ask(0x0102, func(w *ezspWriter) { w.u32(0xe12a); w.u32(0) })
		h.wantStatus(r, statusOK)
		if size, now := r.u32(), r.ieee(); size != 8 || now != anyDevice {
			h.t.Errorf("restored address %d %s", size, now)
		}
		h.wantStatus(h.ask(0x0103, func(w *ezspWriter) {
			w.u32(0xe12a)
			w.u32(0)
			w.u32(8)
			w.bytes(value)
		}), statusOK)
		return
	}
	burn := func() *ezspReader {
		return h.ask(0x000c, func(w *ezspWriter) {
			w.u8(mfgAddress)
			w.counted(value)
		})
	}
	h.wantStatus(burn(), statusOK)
	h.wantStatus(burn(), statusWriteInhibited)
	if got := h.ask(0x000b, func(w *ezspWriter) { w.u8(mfgAddress) }).counted(); !bytes.Equal(got, value) {
		h.t.Errorf("burnt in: % x", got)
	}
}

func linkKeyOf(device radio.IEEE) (k radio.Key) {
	binary.BigEndian.PutUint64(k[3:], uint64(device))
	return k
}

func (h *testHost) importLinkKeys(devices ...radio.IEEE) {
	h.t.Helper()
	for i, device := range devices {
		if h.version < 12 {
			h.wantStatus(h.ask(0x0066, func(w *ezspWriter) {
				w.ieee(device)
				w.flag(true)
				w.key(linkKeyOf(device))
			}), statusOK)
			continue
		}
		if status := h.ask(0x010e, func(w *ezspWriter) {
			w.u8(uint8(i))
			w.ieee(device)
			w.key(linkKeyOf(device))
		}).u32(); status != 0 {
			h.t.Errorf("importLinkKey: %#x", status)
		}
	}
}

func (h *testHost) checkLinkKeys(devices ...radio.IEEE) {
	h.t.Helper()
	for i := range 4 {
		var device radio.IEEE
		var key radio.Key
		var status uint32
		switch {
		case h.version < 12:
			r := h.ask(0x0071, func(w *ezspWriter) { w.u8(uint8(i)) })
			status = uint32(r.u8())
			r.bytes(3)
			key = r.key()
			r.bytes(9)
			device = r.ieee()
		case h.version < 14:
			r := h.ask(0x010f, func(w *ezspWriter) { w.u8(uint8(i)) })
			device, key = r.ieee(), r.key()
			r.bytes(12)
			status = r.u32()
		default:
			r := h.ask(0x010f, func(w *ezspWriter) { w.u8(uint8(i)) })
			status = r.u32()
			r.bytes(4)
			device = r.ieee()
			r.bytes(6)
			key = r.key()
		}
		switch {
		case i < len(devices) && (status != 0 || device != devices[i] || key != linkKeyOf(devices[i])):
			h.t.Errorf("key %d: status %#x, of %s", i, status, device)
		case i >= len(devices) && status == 0:
			h.t.Errorf("key %d is there", i)
		}
	}
}

// TestEZSPConfiguration: memory is given out once.
func TestEZSPConfiguration(t *testing.T) {
	eachVersion(t, func(t *testing.T, firmware string) {
		synctest.Test(t, func(t *testing.T) {
			h := testStick(t, StickOptions{Firmware: firmware, EZSP: EZSPOptions{SmallHeap: true}})
			defer h.close()
			h.reset()
			set := func(id uint8, value uint16, want ezspConfigStatus) {
				t.Helper()
				h.wantConfig(h.ask(0x0053, func(w *ezspWriter) { w.u8(id); w.u16(value) }), want)
			}
			get := func(id uint8) uint16 {
				r := h.ask(0x0052, func(w *ezspWriter) { w.u8(id) })
				h.status(r)
				return r.u16()
			}
			set(configAddressTable, 8, ezspConfigOK)
			set(configAddressTable, 200, ezspOutOfMemory)
			set(configSecurityLevel, 5, ezspConfigOK)
			set(0xee, 1, ezspInvalidID)
			if n := get(configAddressTable); n != 8 {
				t.Errorf("address table %d", n)
			}
			h.form(usualSecurity)
			set(configAddressTable, 4, ezspInvalidCall)
			set(configTransientTimeout, 60, ezspConfigOK)
			h.wantConfig(h.ask(0x0002, func(w *ezspWriter) { w.bytes([]byte{2, 4, 1, 0, 0, 0, 0, 0}) }), ezspInvalidCall)
			r := h.ask(0x00aa, func(w *ezspWriter) { w.u8(valueVersion) })
			h.wantConfig(r, ezspConfigOK)
			if v := r.counted(); len(v) != 7 || v[2] != h.stick.firmware.(*ezsp).release[0] || v[6] != 0xaa {
				t.Errorf("version % x", v)
			}
			r = h.ask(0x0003, func(w *ezspWriter) { w.u8(0); w.u32(1) })
			h.wantConfig(r, ezspConfigOK)
			r = h.ask(0x0003, func(w *ezspWriter) { w.u8(0); w.u32(9) })
			h.wantConfig(r, ezspInvalidValue)
			h.wantStatus(h.ask(0x0013, nil), statusNotAvailable)
			h.wantStatus(h.ask(0x0047, func(w *ezspWriter) { w.counted([]byte{1}) }), statusNotAvailable)
			h.wantStatus(h.ask(0x0051, func(w *ezspWriter) { w.counted([]byte{1}); w.u16(0) }), statusInvalidState)
		})
	})
}

// TestEZSPScan: results come one after the other, then the end.
func TestEZSPScan(t *testing.T) {
	eachVersion(t, func(t *testing.T, firmware string) {
		synctest.Test(t, func(t *testing.T) {
			h := testStick(t, StickOptions{Firmware: firmware})
			defer h.close()
			h.reset()
			if status := h.ask(0x001a, func(w *ezspWriter) { w.u8(0); w.u32(1<<15 | 1<<20 | 1<<26); w.u8(3) }).u8(); status != 0 {
				t.Errorf("startScan: %#x", status)
			}
			var channels []uint8
			for range 3 {
				channels = append(channels, h.callback(0x0048).u8())
			}
			if !slices.Equal(channels, []uint8{15, 20, 26}) {
				t.Errorf("channels %v", channels)
			}
			r := h.callback(0x001c)
			r.u8()
			h.wantStatus(r, statusOK)
		})
	})
}

// TestEZSPPermit: the network says when it opens and closes, by itself too.
func TestEZSPPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testStick(t, StickOptions{})
		defer h.close()
		h.reset()
		h.wantStatus(h.ask(0x0022, func(w *ezspWriter) { w.u8(60) }), statusInvalidState)
		h.form(usualSecurity)
		h.wantStatus(h.ask(0x0022, func(w *ezspWriter) { w.u8(60) }), statusOK)
		h.wantStatus(h.callback(0x0019), statusNetworkOpened)
		opened := time.Now()
		h.wantStatus(h.callback(0x0019), statusNetworkClosed)
		if took := time.Since(opened); took < 59*time.Second || took > time.Minute {
			t.Errorf("closed after %s", took)
		}
		h.wantStatus(h.ask(0x0022, func(w *ezspWriter) { w.u8(60) }), statusOK)
		h.wantStatus(h.callback(0x0019), statusNetworkOpened)
		h.wantStatus(h.ask(0x0022, func(w *ezspWriter) { w.u8(0) }), statusOK)
		h.wantStatus(h.callback(0x0019), statusNetworkClosed)
	})
}

// TestEZSPBoards: what a host hears when the board has a mind of its own.
func TestEZSPBoards(t *testing.T) {
	for board, heard := range map[EZSPBoard][][]byte{
		BoardCrashFirst:  {{ashERROR, ashVersion, ResetWatchdog}, {ashRSTACK, ashVersion, ResetSoftware}},
		BoardPowerFirst:  {{ashRSTACK, ashVersion, ResetPowerOn}, {ashRSTACK, ashVersion, ResetSoftware}},
		BoardResetsTwice: {{ashRSTACK, ashVersion, ResetSoftware}, {ashRSTACK, ashVersion, ResetSoftware}},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := testStick(t, StickOptions{EZSP: EZSPOptions{Board: board}})
			defer h.close()
			h.out <- append([]byte{ashCancel}, ashEncode([]byte{ashRST})...)
			for _, frame := range heard {
				h.expect(frame...)
			}
			h.agree()
			pass(time.Second)
			if len(h.frames) > 0 {
				t.Errorf("then % x", <-h.frames)
			}
			if board == BoardResetsTwice {
				h.reset()
				pass(time.Second)
			}
		})
	}
}

// TestEZSPSpontaneousReset: an RSTACK that nobody asked for, and everything has to be done again.
func TestEZSPSpontaneousReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testStick(t, StickOptions{})
		defer h.close()
		h.reset()
		h.form(usualSecurity)
		h.stick.Reset(Watchdog)
		h.expect(ashRSTACK, ashVersion, ResetWatchdog)
		if said := h.exchange(ezspHeader{id: 0x0018}, nil); said.header.id != 0x0058 || said.params[0] != uint8(ezspVersionNotSet) {
			t.Errorf("%+v", said)
		}
		h.agree()
		if state := h.ask(0x0018, nil).u8(); state != 0 {
			t.Errorf("state %d", state)
		}
		h.endpoint()
		h.wantStatus(h.ask(0x0017, func(w *ezspWriter) { w.u16(0) }), statusOK)
		h.wantStatus(h.callback(0x0019), statusNetworkUp)
	})
}

// TestEZSPDeafHost: a host that acknowledges nothing is given up, and can come back.
func TestEZSPDeafHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testStick(t, StickOptions{})
		defer h.close()
		h.reset()
		h.form(usualSecurity)
		h.mute(true)
		h.send(ezspHeader{sequence: 99, id: 0x0018}, nil)
		h.expect(ashERROR, ashVersion, errorAckTimeouts)
		if h.again() != 3 {
			t.Errorf("sent again %d times", h.again())
		}
		h.send(ezspHeader{sequence: 99, id: 0x0018}, nil)
		h.expect(ashERROR, ashVersion, errorAckTimeouts)
		h.mute(false)
		h.reset()
	})
}

func TestEZSPUserTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testStick(t, StickOptions{EZSP: EZSPOptions{NoAddressToken: true}})
		defer h.close()
		h.reset()
		h.wantStatus(h.ask(0x0009, func(w *ezspWriter) { w.u8(3); w.bytes([]byte("eight by")) }), statusOK)
		h.reset()
		r := h.ask(0x000a, func(w *ezspWriter) { w.u8(3) })
		h.wantStatus(r, statusOK)
		if string(r.rest) != "eight by" {
			t.Errorf("token %q", r.rest)
		}
		h.wantStatus(h.ask(0x0102, func(w *ezspWriter) { w.u32(0x1e12a); w.u32(0) }), statusNotFound)
		if count := h.ask(0x0100, nil).u8(); count < 10 {
			t.Errorf("%d tokens", count)
		}
		h.form(usualSecurity)
		h.ask(0x0077, func(w *ezspWriter) { w.u16(0) })
		h.send(ezspHeader{sequence: 1, id: 0x0104}, nil)
		h.expect(ashRSTACK, ashVersion, ResetSoftware)
		h.agree()
		h.wantStatus(h.ask(0x0017, func(w *ezspWriter) { w.u16(0) }), statusNotJoined)
	})
}
