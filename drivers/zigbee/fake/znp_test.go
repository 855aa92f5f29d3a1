package fake

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

func TestZNPForms(t *testing.T) {
	for chip, c := range map[string]struct {
		nib, key string
		length   string
	}{
		// What is known of real sticks: the sizes, and where things are in them.
		"CC2652": {"74 00", "18 00", "00000000"},
		"CC2531": {"6e 00", "15 00", ""},
	} {
		t.Run(chip, func(t *testing.T) {
			mtBubble(t, StickOptions{Chip: chip, Forming: time.Second}, func(t *testing.T, h *mtHost) {
				h.want(mtSYS, 0x13, "2100", c.nib)
				h.want(mtSYS, 0x13, "8200", c.key)
				h.want(mtSYS, 0x04, "", "a8ef171e004b1200")
				h.want(mtZDO, 0x50, "", "0000 09 621a 0000 77665544332211dd 0000000000000000 0f")
				h.want(mtUTIL, 0x00, "", "00 a8ef171e004b1200 0000 07 09 00")
				h.want(mtSYS, 0x1c, "3a00 0000", "00 11 00 01030507090b0d0f00020406080a0c0d")
				n, up := h.stick.Network()
				if want := (radio.Network{PAN: 0x1a62, Extended: 0xdd11223344556677, Channel: 15, Key: radio.Key(unhex(t, "01030507090b0d0f00020406080a0c0d")), Coordinator: 0x00124b001e17efa8}); !up || n != want {
					t.Errorf("it runs %+v", n)
				}
				counters := h.do(mtSYS, 0x33, 1, exCounters, 0, 0, 0, 0, 0, 12)
				if chip == "CC2531" {
					if !bytes.Equal(counters, []byte{mtSRSP, 0, znpErrorCommand, mtSREQ | mtSYS, 0x33}) {
						t.Errorf("the old chip has extended memory: % x", counters)
					}
					h.want(mtSYS, 0x08, "7500 00", "00 0c 00000000 77665544332211dd")
					return
				}
				if want := unhex(t, "00 0c 00000000 77665544332211dd"); !bytes.Equal(counters, want) {
					t.Errorf("counters % x, want % x", counters, want)
				}
			})
		})
	}
}

func TestZNPInformationBase(t *testing.T) {
	for aligned, want := range map[bool][2]int{false: {110, 53}, true: {116, 57}} {
		s := layout(nibMembers(), aligned)
		if len(s.b) != want[0] || s.place["extended_pan"][0] != want[1] {
			t.Errorf("aligned %v: %d bytes, extended PAN id at %d", aligned, len(s.b), s.place["extended_pan"][0])
		}
		s.set("extended_pan", 0xdd11223344556677)
		s.set("pan", 0x1a62)
		if s.get("extended_pan") != 0xdd11223344556677 || s.get("pan") != 0x1a62 || s.get("state") != 0 {
			t.Errorf("aligned %v: % x", aligned, s.b)
		}
	}
}

func TestZNPMemory(t *testing.T) {
	mtBubble(t, StickOptions{}, func(t *testing.T, h *mtHost) {
		for _, c := range []struct {
			command      byte
			data, answer string
		}{
			{0x13, "6000", "0000"},            // it is not there
			{0x08, "6000 00", "02 00"},        // so cannot be read
			{0x09, "6000 00 01 55", "02"},     // nor written
			{0x12, "6000 0100", "09"},         // nor deleted
			{0x07, "6000 0400 02 5556", "09"}, // made
			{0x07, "6000 0400 02 1111", "00"}, // it is there
			{0x08, "6000 00", "00 04 5556ffff"},
			{0x1d, "6000 0100 0200 aabb", "00"},
			{0x1c, "6000 0100", "00 03 aabbff"},
			{0x1d, "6000 0300 0200 aabb", "02"}, // beyond its end
			{0x12, "6000 0300", "0c"},
			{0x12, "6000 0400", "00"},
			{0x13, "6000", "0000"},
			{0x07, "0010 0100 01 55", "0a"},    // not for hosts
			{0x13, "2400", "0000"},             // the one whose length is wrong
			{0x08, "2400 00", "00 02 b80b"},    //
			{0x32, "01 0400 0000", "14000000"}, // a trust centre link key
			{0x33, "01 0400 c700 0000 14", "00 14 00000000000000000000000000000000ff000000"},
			{0x32, "01 0400 c800", "00000000"},      // no more of them
			{0x33, "01 0400 c800 0000 14", "01 00"}, //
			{0x34, "01 0400 c800 0000 01 00", "01"}, //
			{0x32, "01 0100 0001", "0c000000"},      // the last of the address manager
			{0x33, "01 0100 0001 0000 0c", "00 0c ffffffffffffffffffffffff"},
			{0x30, "01 0900 0000 02000000", "09"},        // made
			{0x34, "01 0900 0000 0100 01 77", "00"},      //
			{0x33, "01 0900 0000 0000 08", "00 02 0077"}, //
			{0x31, "01 0900 0000", "00"},                 //
			{0x31, "01 0900 0000", "0a"},                 //
		} {
			h.want(mtSYS, c.command, c.data, c.answer)
		}
	})
}

func TestZNPRequestsItDoesNotKnow(t *testing.T) {
	mtBubble(t, StickOptions{}, func(t *testing.T, h *mtHost) {
		for request, want := range map[[2]byte][]byte{
			{mtSYS, 0x70}:  {mtSRSP, 0, znpErrorCommand, mtSREQ | mtSYS, 0x70},
			{mtZDO, 0x7d}:  {mtSRSP, 0, znpErrorCommand, mtSREQ | mtZDO, 0x7d},
			{mtUTIL, 0x7f}: {mtSRSP, 0, znpErrorCommand, mtSREQ | mtUTIL, 0x7f},
			{0x06, 0x04}:   {mtSRSP, 0, znpErrorSubsystem, mtSREQ | 0x06, 0x04}, // the simple interface
		} {
			if got := h.do(request[0], request[1]); !bytes.Equal(got, want) {
				t.Errorf("%02x %02x: % x, want % x", request[0], request[1], got, want)
			}
		}
		h.want(mtAF, 0x00, "01 0401 0500 00 00 00 00", "b8") // registered already
		h.want(mtUTIL, 0x10, "010203", "010203")
		h.want(mtSYS, 0x0a, "02 6400", "00")
		time.Sleep(200 * time.Millisecond)
		h.wantSaid(mtSYS, 0x81, "02")
	})
}

func TestZNPFraming(t *testing.T) {
	mtBubble(t, StickOptions{}, func(t *testing.T, h *mtHost) {
		ping := mtFrame(mtSREQ|mtSYS, 0x01)
		broken := mtFrame(mtSREQ|mtSYS, 0x01)
		broken[len(broken)-1]++
		for name, pieces := range map[string][][]byte{
			"at once":         {ping},
			"byte by byte":    {ping[:1], ping[1:2], ping[2:3], ping[3:4], ping[4:]},
			"behind rubbish":  {{0x00, 0xef, 0xef}, ping},
			"behind a break":  {broken, ping},
			"a false start":   {{0xfe, 0xff}, ping},
			"with the answer": {append(slices.Clone(ping), broken...)},
		} {
			for _, piece := range pieces {
				h.out <- piece
			}
			synctest.Wait()
			if got := h.answers(); len(got) != 1 || !bytes.Equal(got[0], []byte{mtSRSP | mtSYS, 0x01, 0x59, 0x06}) {
				t.Errorf("%s: % x", name, got)
			}
		}
	})
}

// answers takes the answers that have come.
func (h *mtHost) answers() (all [][]byte) {
	for len(h.frames) > 0 {
		if f := <-h.frames; f != nil && f[0]&0xe0 == mtSRSP {
			all = append(all, f)
		}
	}
	return all
}

func TestZNPJoining(t *testing.T) {
	mtBubble(t, StickOptions{}, func(t *testing.T, h *mtHost) {
		h.want(mtZDO, 0x36, "0f fcff 3c 01", "00")
		h.wantSaid(mtZDO, 0xcb, "3c")
		h.wantSaid(mtZDO, 0xb6, "0000 00")
		d := h.pair("light-dimmable")
		h.wantSaid(mtZDO, 0xca, le(d.NWK())+leIEEE(d.IEEE())+"0000")
		h.wantSaid(mtZDO, 0xc1, le(d.NWK())+le(d.NWK())+leIEEE(d.IEEE())+"8e")
		h.want(mtZDO, 0x02, le(d.NWK())+le(d.NWK()), "00")
		h.wantSaid(mtZDO, 0x82, le(d.NWK())+"00"+le(d.NWK())+"01 40 8e 4612 52 5200 002c 5200 00")
		h.want(mtZDO, 0x05, le(d.NWK())+le(d.NWK()), "00")
		h.wantSaid(mtZDO, 0x85, le(d.NWK())+"00"+le(d.NWK())+"01 0b")
		h.want(mtZDO, 0x00, leIEEE(d.IEEE())+"00 00", "00")
		h.wantSaid(mtZDO, 0x80, "00"+leIEEE(d.IEEE())+le(d.NWK())+"00 00")
		h.want(mtZDO, 0x01, le(radio.Coordinator)+"01 00", "00")
		h.wantSaid(mtZDO, 0x81, "00 a8ef171e004b1200 0000 00 00")
		h.want(mtZDO, 0x31, "0000 00", "00")
		if lqi := h.said(mtZDO, 0xb1); len(lqi) != 1 || !bytes.Equal(lqi[0][:6], []byte{0, 0, 0, 1, 0, 1}) || len(lqi[0]) != 6+22 {
			t.Errorf("neighbours % x", lqi)
		}

		// Its key is derived from the seed.
		key := h.do(mtUTIL, 0x44, unhex(t, leIEEE(d.IEEE()))...)
		h.mesh.do(func() {
			if d.own == nil || !bytes.Equal(key[1:17], d.own[:]) {
				t.Error("the device has another key than the stick")
			}
		})
		table := h.do(mtSYS, 0x33, 1, exTrustKeys, 0, 0, 0, 0, 0, 20)
		if !bytes.Equal(table[10:18], unhex(t, leIEEE(d.IEEE()))) || table[18] != 2 {
			t.Errorf("key table % x", table)
		}
		h.want(mtSYS, 0x33, "01 0100 0000 0000 0c", "00 0c 03 ff"+le(d.NWK())+leIEEE(d.IEEE()))
		h.want(mtUTIL, 0x41, le(d.NWK()), leIEEE(d.IEEE()))
		h.want(mtUTIL, 0x40, leIEEE(d.IEEE()), le(d.NWK()))

		bind := le(d.NWK()) + leIEEE(d.IEEE()) + "0b 0600 03 a8ef171e004b1200 01"
		h.want(mtZDO, 0x21, bind, "00")
		h.wantSaid(mtZDO, 0xa1, le(d.NWK())+"00")
		h.want(mtZDO, 0x21, le(d.NWK())+leIEEE(d.IEEE())+"0b 0800 01 0700000000000000 00", "00")
		h.want(mtZDO, 0x33, le(d.NWK())+"00", "00")
		h.wantSaid(mtZDO, 0xa1, le(d.NWK())+"00")
		h.wantSaid(mtZDO, 0xb3, le(d.NWK())+"00 02 00 02"+leIEEE(d.IEEE())+"0b 0600 03 a8ef171e004b1200 01"+leIEEE(d.IEEE())+"0b 0800 01 0700")

		h.want(mtZDO, 0x3e, "ffff", "00")
		h.want(mtZDO, 0x34, le(d.NWK())+leIEEE(d.IEEE())+"00", "00")
		time.Sleep(time.Second)
		h.wantSaid(mtZDO, 0xb4, le(d.NWK())+"00")
		if left := h.said(mtZDO, 0xc9); len(left) != 1 || !bytes.Equal(left[0][2:10], unhex(t, leIEEE(d.IEEE()))) {
			t.Errorf("left: % x", left)
		}
		if all := h.said(mtZDO, 0xff); len(all) != 1 || !bytes.Equal(all[0][2:6], []byte{0, 0x34, 0x80, 0}) {
			t.Errorf("as it is: % x", all)
		}
	})
}

func TestZNPInstallCode(t *testing.T) {
	mtBubble(t, StickOptions{}, func(t *testing.T, h *mtHost) {
		code := "83fed3407a939723a5c639b26916d505c3b5"
		m := familyModel(t, "light-dimmable")
		d, err := h.mesh.Add("lamp", m)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.InstallCode(unhex(t, code)); err != nil {
			t.Fatal(err)
		}
		h.want(mtZDO, 0x36, "02 fcff 3c 00", "00")
		d.Pair(0)
		if got := h.said(mtZDO, 0xca); d.Joined() || len(got) != 1 || len(h.said(mtZDO, 0xc1)) > 0 {
			t.Errorf("without the code: joined %v, % x", d.Joined(), got)
		}
		h.want(mtAppCNF, 0x04, "01"+leIEEE(d.IEEE())+code[:34]+"00", "02")
		h.want(mtAppCNF, 0x04, "01"+leIEEE(d.IEEE())+code, "00")
		d.Pair(0)
		if !d.Joined() {
			t.Error("it did not join with the code")
		}
		h.want(mtAppCNF, 0x06, "01", "00")
		other, _ := h.mesh.Add("other", m)
		other.Pair(0)
		if other.Joined() {
			t.Error("one without a code was let in")
		}
	})
}

func TestZNPDeliveries(t *testing.T) {
	mtBubble(t, StickOptions{}, func(t *testing.T, h *mtHost) {
		d := h.pair("light-dimmable")
		read := zcl.ReadAttributes(zcl.AttrBasicZCLVersion)
		read.Sequence = 0x33
		data := read.Append(nil)
		send := le(d.NWK()) + fmt.Sprintf("0b 01 0000 07 00 1e %02x %x", len(data), data)
		h.want(mtAF, 0x01, send, "00")
		h.wantSaid(mtAF, 0x80, "00 01 07")
		got := h.said(mtAF, 0x81)
		if len(got) != 1 || !bytes.Equal(got[0][:9], append([]byte{0, 0, 0, 0}, append(unhex(t, le(d.NWK())), 11, 1, 0)...)) || !bytes.Equal(got[0][16:17], []byte{8}) || len(got[0]) != 17+8+3 {
			t.Errorf("incoming % x", got)
		}
		for outcome, want := range map[Outcome]string{NoAck: "e9", NoRoute: "cd", ChannelAccess: "e1", NoAPSAck: "b7", Expired: "f0"} {
			h.stick.Fail(d, outcome, 1)
			h.want(mtAF, 0x01, send, "00")
			h.wantSaid(mtAF, 0x80, want+"01 07")
		}
		h.stick.Fail(d, BufferFull, 1)
		h.want(mtAF, 0x01, send, "11")
		h.wantSaid(mtAF, 0x80)
		h.want(mtAF, 0x01, strings.Replace(send, "0b 01", "0b 02", 1), "02") // an endpoint that is not registered
		h.want(mtAF, 0x01, "3412"+send[4:], "00")                            // nobody
		h.wantSaid(mtAF, 0x80, "cd 01 07")
		d.LoseRoute()
		h.want(mtAF, 0x01, send, "00")
		h.want(mtZDO, 0x46, le(d.NWK())+"01 03", "01")
		h.want(mtZDO, 0x45, le(d.NWK())+"00 1e", "00")
		h.want(mtZDO, 0x46, le(d.NWK())+"01 03", "00")
		h.want(mtAF, 0x01, send, "00")
		h.wantSaid(mtAF, 0x80, "cd 01 07", "00 01 07")
		h.want(mtAF, 0x02, "03"+leIEEE(d.IEEE())+"0b 0000 01 0000 08 00 1e"+fmt.Sprintf("%02x00 %x", len(data), data), "00")
		h.want(mtAF, 0x02, "03 8877665544332211 0b 0000 01 0000 08 00 1e"+fmt.Sprintf("%02x00 %x", len(data), data), "02")
		h.want(mtAF, 0x02, "01 0900000000000000 ff 0000 01 0600 09 00 1e 0300 010100", "00")
		h.wantSaid(mtAF, 0x80, "00 01 08", "00 01 09")
		h.stick.LoseConfirms(1)
		h.want(mtAF, 0x01, send, "00")
		h.wantSaid(mtAF, 0x80)
		h.stick.LoseAnswers(1)
		if got := h.do(mtAF, 0x01, unhex(t, send)...); got != nil {
			t.Errorf("an answer that is lost: % x", got)
		}
		h.wantSaid(mtAF, 0x80, "00 01 07")
	})
}

// TestZNPStaleChild is a sleeping child that went elsewhere without a word: the firmware keeps messages for it in vain until
// the host takes it out of its table.
func TestZNPStaleChild(t *testing.T) {
	mtBubble(t, StickOptions{}, func(t *testing.T, h *mtHost) {
		router, d := h.pair("plug-metering"), h.pair("contact")
		entry := h.do(mtUTIL, 0x4a, unhex(t, leIEEE(d.IEEE())+le(d.NWK()))...)
		if len(entry) != 36 || !bytes.Equal(entry[:5], append(unhex(t, le(d.NWK())), 1, 0, childSleeps)) {
			t.Errorf("its entry: % x", entry)
		}
		h.want(mtUTIL, 0x00, "", "00 a8ef171e004b1200 0000 07 09 01"+le(d.NWK()))
		d.Attach(router)
		send := le(d.NWK()) + "01 01 0000 07 00 1e 05 0001000000"
		h.want(mtAF, 0x01, send, "00")
		time.Sleep(8 * time.Second)
		h.wantSaid(mtAF, 0x80, "f0 01 07")
		h.want(mtUTIL, 0x63, leIEEE(d.IEEE()), "00")
		h.want(mtAF, 0x01, send, "00")
		h.wantSaid(mtAF, 0x80, "00 01 07")
		missing := h.do(mtUTIL, 0x4a, unhex(t, leIEEE(d.IEEE())+le(d.NWK()))...)
		if !bytes.Equal(missing[:2], []byte{0xfe, 0xff}) || missing[4] != 0xff {
			t.Errorf("no entry: % x", missing)
		}
		h.want(mtUTIL, 0x64, leIEEE(d.IEEE())+le(d.NWK())+"01", "00")
		h.want(mtUTIL, 0x48, "01 02", "0100")
	})
}

func TestZNPLongMessages(t *testing.T) {
	mtBubble(t, StickOptions{}, func(t *testing.T, h *mtHost) {
		d := h.pair("light-dimmable")
		h.said(mtAF, 0x81)
		content := bytes.Repeat([]byte{1, 2, 3, 4, 5}, 60)
		d.SayRaw(11, 0xfc00, content)
		got := h.said(mtAF, 0x82)
		if len(got) != 1 || len(got[0]) != 27+3 || binary.LittleEndian.Uint16(got[0][25:]) != 300 {
			t.Fatalf("incoming % x", got)
		}
		stamp := hex.EncodeToString(got[0][20:24])
		h.want(mtAF, 0x12, stamp+"0000 f0", "00 f0"+hex.EncodeToString(content[:240]))
		h.want(mtAF, 0x12, stamp+"f000 3c", "00 3c"+hex.EncodeToString(content[240:]))
		h.want(mtAF, 0x12, stamp+"0000 00", "00 00")
		h.want(mtAF, 0x12, stamp+"0000 3c", "01 00")

		heard := make(chan Heard, 10)
		d.Watch(func(f Heard) { heard <- f })
		h.want(mtAF, 0x02, "02"+le(d.NWK())+"000000000000 0b 0000 01 0000 08 00 1e 2c01", "00")
		frame := append([]byte{0x11, 1, 0x77}, bytes.Repeat([]byte{9}, 297)...)
		h.want(mtAF, 0x11, "0000 c8"+hex.EncodeToString(frame[:200]), "00")
		h.want(mtAF, 0x11, "c800 64"+hex.EncodeToString(frame[200:]), "00")
		h.want(mtAF, 0x11, "0000 00", "00")
		h.wantSaid(mtAF, 0x80, "00 01 08")
		if f := <-heard; len(f.Frame.Payload) != 297 || f.Frame.Command != 0x77 {
			t.Errorf("the device got %+v", f)
		}
		h.want(mtAF, 0x11, "0000 00", "01") // nothing is under way
	})
}

func TestZNPRestarts(t *testing.T) {
	mtBubble(t, StickOptions{}, func(t *testing.T, h *mtHost) {
		d := h.pair("light-dimmable")
		send := le(d.NWK()) + "0b 01 0000 07 00 1e 05 0001000000"
		for range 10 {
			h.want(mtAF, 0x01, send, "00")
		}
		var before, after uint32
		h.mesh.do(func() { before = h.stick.counter })
		h.aside = nil
		h.stick.Reset(Watchdog)
		h.wantSaid(mtSYS, 0x80, "02 02 01 02 07 01")
		h.want(mtAF, 0x01, send, "c2")
		h.want(mtZDO, 0x02, le(d.NWK())+le(d.NWK()), "c2")
		h.want(mtUTIL, 0x00, "", "00 a8ef171e004b1200 feff 07 00 00")
		h.want(mtZDO, 0x40, "6400", "00")
		h.wantSaid(mtZDO, 0xc0, "09")
		h.want(mtAF, 0x01, send, "02") // no endpoints any more
		h.want(mtAF, 0x00, "01 0401 0500 00 00 00 00", "00")
		h.want(mtAF, 0x01, send, "00")
		h.wantSaid(mtAF, 0x80, "00 01 07")
		h.mesh.do(func() { after = h.stick.counter })
		if after < before+1000 || len(h.said(mtAF, 0x81)) != 1 {
			t.Errorf("frame counter %d, then %d", before, after)
		}

		h.stick.Hang(5 * time.Second)
		if got := h.do(mtSYS, 0x01); got != nil {
			t.Errorf("it hangs and says % x", got)
		}
		time.Sleep(6 * time.Second)
		h.want(mtSYS, 0x01, "", "5906")
		h.stick.DelayAnswers(3*time.Second, 1)
		if got := h.do(mtSYS, 0x01); got != nil {
			t.Errorf("too early: % x", got)
		}
		time.Sleep(4 * time.Second)
		if got := h.answers(); len(got) != 1 {
			t.Errorf("late: % x", got)
		}
		h.stick.Corrupt(1)
		h.out <- mtFrame(mtSREQ|mtSYS, 0x01)
		synctest.Wait()
		if got := h.answers(); len(got) != 0 {
			t.Errorf("a corrupt frame is whole: % x", got)
		}
	})
}

func TestZNPChannel(t *testing.T) {
	mtBubble(t, StickOptions{}, func(t *testing.T, h *mtHost) {
		d := h.pair("light-dimmable")
		h.want(mtZDO, 0x37, "0000 02 0000f001 03 01 0000", "00") // how loud it is on 20 to 24
		if got := h.said(mtZDO, 0xb8); len(got) != 1 || len(got[0]) != 12+5 || !bytes.Equal(got[0][3:7], []byte{0, 0, 0xf0, 1}) {
			t.Errorf("energies % x", got)
		}
		h.want(mtZDO, 0x37, "ffff 0f 00000002 fe 00 0000", "00") // to 25
		if n, _ := h.stick.Network(); n.Channel != 25 {
			t.Errorf("channel %d", n.Channel)
		}
		h.stick.Reset(Watchdog)
		h.want(mtAppCNF, 0x05, "04", "00")
		if n, _ := h.stick.Network(); n.Channel != 25 || n.UpdateID != 1 || !d.Joined() {
			t.Errorf("after a restart: %+v, joined %v", n, d.Joined())
		}
		h.wantSaid(mtAppCNF, 0x80, "0d 00 04", "00 04 00")
	})
}

func TestZNPKeepsOffForeignNetworks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMesh(MeshOptions{Seed: 9})
		defer m.Close()
		m.Neighbour(Foreign{PAN: 0x1a62, Extended: 1, Channel: 15})
		h := newMT(t, m, StickOptions{IEEE: 0x00124b001e17efa8})
		defer h.close()
		h.form()
		n, up := h.stick.Network()
		if !up || n.PAN == 0x1a62 {
			t.Errorf("it runs %+v", n)
		}
		if got := h.do(mtZDO, 0x50); binary.LittleEndian.Uint16(got[3:]) != n.PAN {
			t.Errorf("it says % x", got)
		}
		h.want(mtAppCNF, 0x08, "01 00f8ff07", "00")
		h.mesh.do(func() {
			if best := h.firmware().quietest(0x07fff800); best == 15 || best == 0 {
				t.Errorf("the quietest channel is %d", best)
			}
		})
	})
}

func TestZNPStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMesh(MeshOptions{Seed: 9})
		defer m.Close()
		for _, skip := range []bool{true, false} {
			h := newMT(t, m, StickOptions{Chip: "CC2531", Bootloader: true, Boot: 2 * time.Second})
			if got := h.do(mtSYS, 0x01); got != nil {
				t.Errorf("the bootloader answers % x", got)
			}
			start := time.Now()
			if skip {
				h.out <- []byte{bootloaderSkip}
			}
			for len(h.said(mtSYS, 0x80)) == 0 {
				time.Sleep(500 * time.Millisecond)
			}
			if took := time.Since(start); skip && took > 3*time.Second || !skip && took < bootloaderTime {
				t.Errorf("skipped %v: it started after %s", skip, took)
			}
			h.want(mtSYS, 0x01, "", "5906")
			h.out <- mtFrame(mtAREQ|mtSYS, 0x00, 1)
			if got := h.do(mtSYS, 0x01); got != nil {
				t.Errorf("while it starts it answers % x", got)
			}
			time.Sleep(3 * time.Second)
			h.wantSaid(mtSYS, 0x80, "00 02 02 02 07 02")
			h.close()
			h.stick.Unplug()
		}
	})
}

// TestPacing is a line of 115200 baud: 11520 bytes a second.
func TestPacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMesh(MeshOptions{Seed: 9})
		defer m.Close()
		h := newMT(t, m, StickOptions{Baud: 115200})
		defer h.close()
		start := time.Now()
		for range 100 {
			h.stick.mesh.do(func() { h.firmware().indicate(mtSYS, 0x7f, make([]byte, 235)...) })
		}
		for got := 0; got < 100; got += len(h.said(mtSYS, 0x7f)) {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(start); took < 2070*time.Millisecond || took > 2200*time.Millisecond {
			t.Errorf("24000 bytes took %s", took)
		}
	})
}
