package ezsp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"testing"

	"hearth/drivers/zigbee/radio"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	hexAPS  = "0401 0204 02 01 4001 0000 63"
	hexKey  = "0102030405060708090a0b0c0d0e0f10"
	hexIEEE = "0100000000 8d1500"
)

func TestArrivals(t *testing.T) {
	aps := apsFrame{profile: 0x0104, cluster: 0x0402, source: 2, target: 1, options: 0x0140, sequence: 0x63}
	for name, tt := range map[string]struct {
		version uint8
		line    string
		want    arrival
	}{
		"13": {13, "00" + hexAPS + "c8 c4 3412 ff ff 03 010203", arrival{aps: aps, sender: 0x1234, lqi: 200, rssi: -60, data: []byte{1, 2, 3}}},
		"14": {
			14, "02" + hexAPS + "3412" + hexIEEE + "ff ff c8 c4 01020304 03 010203",
			arrival{kind: 2, aps: aps, sender: 0x1234, ieee: 0x00158d0000000001, lqi: 200, rssi: -60, data: []byte{1, 2, 3}},
		},
		"13, with something behind": {13, "00" + hexAPS + "c8 c4 3412 ff ff 01 01 ff", arrival{aps: aps, sender: 0x1234, lqi: 200, rssi: -60, data: []byte{1}}},
	} {
		line := unhex(t, tt.line)
		if got, ok := (dialect{tt.version}).arrived(line); !ok || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %t", name, got, ok)
		}
		short := line[:len(line)-2]
		if name == "13, with something behind" {
			continue
		}
		if _, ok := (dialect{tt.version}).arrived(short); ok {
			t.Errorf("%s: what is cut off is read", name)
		}
	}
}

func TestSentReports(t *testing.T) {
	for name, tt := range map[string]struct {
		version uint8
		line    string
		want    sentReport
	}{
		"12":      {12, "00 3412" + hexAPS + "2a 66 00", sentReport{tag: 0x2a, sequence: 0x63, status: status{0x66, noAck}}},
		"13":      {13, "06 fdff" + hexAPS + "2a 00 00", sentReport{kind: 6, tag: 0x2a, sequence: 0x63, status: status{0, ok}}},
		"14":      {14, "020c0000 00 3412" + hexAPS + "2a01 00", sentReport{tag: 0x12a, sequence: 0x63, status: status{0xc02, noAck}}},
		"18, bad": {18, "26000000 03 0000" + hexAPS + "ffff 00", sentReport{kind: 3, tag: 0xffff, sequence: 0x63, status: status{0x26, other}}},
	} {
		line := unhex(t, tt.line)
		if got, ok := (dialect{tt.version}).sent(line); !ok || got != tt.want {
			t.Errorf("%s: got %+v, %t", name, got, ok)
		}
		if _, ok := (dialect{tt.version}).sent(line[:len(line)-2]); ok {
			t.Errorf("%s: what is cut off is read", name)
		}
	}
}

func TestKeys(t *testing.T) {
	key := radio.Key(unhex(t, hexKey))
	keyStruct := "0f00 03" + hexKey + "05000000 06000000 07" + hexIEEE
	metadata := "0f00 05000000 06000000 0000"
	whole := linkKey{partner: 0x00158d0000000001, key: key, sequence: 7, sent: 5, received: 6}
	entry := whole
	entry.sequence = 0
	good := status{0, ok}
	for name, tt := range map[string]struct {
		version uint8
		table   bool
		ask     string
		line    string
		want    linkKey
		status  status
	}{
		"12":           {12, false, "006a 03", "00" + keyStruct, whole, good},
		"13":           {13, false, "0114 01 00 0000 0000000000000000 00 00 00000000", hexKey + "00000000", linkKey{key: key}, good},
		"14":           {14, false, "0114 01 00 0000 0000000000000000 00 00 00000000", "00000000" + hexKey, linkKey{key: key}, good},
		"12, table":    {12, true, "0071 04", "00" + keyStruct, whole, good},
		"13, table":    {13, true, "010f 04", hexIEEE + hexKey + metadata + "00000000", entry, good},
		"14, table":    {14, true, "010f 04", "00000000 04040000" + hexIEEE + "000000000000" + hexKey + metadata, entry, good},
		"12, is none":  {12, true, "0071 04", "03" + keyStruct, whole, status{3, other}},
		"13, is none":  {13, true, "010f 04", hexIEEE + hexKey + metadata + "2d000000", entry, status{0x2d, other}},
		"14, disabled": {14, false, "0114 01 00 0000 0000000000000000 00 00 00000000", "0f000000" + hexKey, linkKey{key: key}, status{0xf, other}},
	} {
		d := dialect{tt.version}
		r := &reader{rest: unhex(t, tt.line)}
		var c command
		var body []byte
		var got linkKey
		var s status
		if tt.table {
			c, body = d.askTableKey(4)
			got, s = d.tableKey(r)
		} else {
			c, body = d.askKey(true)
			got, s = d.key(r)
		}
		if got != tt.want || s != tt.status || r.short {
			t.Errorf("%s: got %v from %s, %+v", name, got == tt.want, got.partner, s)
		}
		if want := strings.ReplaceAll(tt.ask, " ", ""); fmt.Sprintf("%04x%x", uint16(c), body) != want {
			t.Errorf("%s: asks %04x%x, want %s", name, uint16(c), body, want)
		}
	}
}

func TestStatuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ember uint8
		sl    uint32
		want  radio.Class
	}{
		{"message limit", 0x72, 0x0c03, radio.Busy},
		{"network busy", 0xa1, 0x0004, radio.Busy},
		{"no buffers", 0x18, 0x0019, radio.Busy},
		{"delivery failed", 0x66, 0x0c02, radio.NoAck},
		{"MAC without acknowledgement", 0x40, 0x0040, radio.NoAck},
		{"the parent kept it in vain", 0x42, 0x0041, radio.Expired},
		{"the air is busy", 0x8d, 0x004c, radio.ChannelAccess},
		{"source route failed", 0xa9, 0x0c13, radio.NoRoute},
		{"network down", 0x91, 0x0016, radio.Down},
		{"not joined", 0x93, 0x0017, radio.Down},
		{"invalid call", 0x70, 0x0002, radio.Down},
		{"too long", 0x74, 0x0038, radio.Refused},
		{"never heard of", 0xfe, 0xffff, radio.Refused},
	} {
		if got := emberStatus(tt.ember).failure("x"); got.Class != tt.want || got.Status != uint32(tt.ember) {
			t.Errorf("%s, before 14: %v", tt.name, got)
		}
		if got := slStatus(tt.sl).failure("x"); got.Class != tt.want || got.Status != tt.sl {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if s := ezspStatus(0x66); s.ok() || s.class() != radio.Refused {
		t.Errorf("a status of a configuration is taken for one of a message: %+v", s)
	}
	for name, s := range map[string]status{"the network's down": emberStatus(0x91), "sl": slStatus(0x16)} {
		if s.means != networkDown {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestByteOrder holds that an extended PAN id is written with its most significant digit first by people, and goes over
// the line the other way, like all addresses.
func TestByteOrder(t *testing.T) {
	p := parameters{extended: 0xdd11223344556677, pan: 0x1a62, power: -1, channel: 11, updateID: 2, channels: 0x07fff800}
	want := unhex(t, "7766554433221"+"1dd 621a ff 0b 00 0000 02 00f8ff07")
	got := p.append(nil)
	if !bytes.Equal(got, want) {
		t.Errorf("wrote %x, want %x", got, want)
	}
	r := &reader{rest: got}
	if again := r.parameters(); again != p || r.short || len(r.rest) != 0 {
		t.Errorf("read %+v", again)
	}
	if p.extended.String() != "dd11223344556677" {
		t.Errorf("written as %s", p.extended)
	}
}

func TestReaderIsBounded(t *testing.T) {
	r := &reader{rest: []byte{5, 1, 2}}
	if b := r.counted(); len(b) != 5 || !r.short {
		t.Errorf("read %x, short %t", b, r.short)
	}
	if r.u32() != 0 || r.ieee() != 0 || !r.short {
		t.Error("it goes on behind the end")
	}
}

// FuzzSaid gives the radio what no stick says, and holds that headers are written as they were read.
func FuzzSaid(f *testing.F) {
	for _, seed := range []string{
		"059001450000" + hexAPS + "c8c43412ffff03010203", "059001450002" + hexAPS + "3412" + hexIEEE + "ffffc8c40102030403010203",
		"05900124003412" + hexIEEE + "01000000", "0590013f00003412" + hexAPS + "2a0000", "05900119009000", "059001590034120100",
		"0590016200" + hexIEEE, "05800158003100", "0090007c0011", "0080000d023074",
	} {
		f.Add(uint8(13), unhex(f, seed))
		f.Add(uint8(14), unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, version uint8, b []byte) {
		host, other := net.Pipe()
		defer host.Close()
		defer other.Close()
		r := New(host, slog.New(slog.DiscardHandler))
		r.dialect, r.phase = dialect{version}, up
		l := &listener{Radio: r, handle: func(radio.Event) {}}
		l.Frame(b)
		fr, legacy, ok := parseFrame(b)
		if !ok || legacy {
			return
		}
		again, _, _ := parseFrame(fr.append(nil))
		if !reflect.DeepEqual(again, fr) && len(fr.body)+len(again.body) > 0 {
			t.Fatalf("%+v was written and read as %+v", fr, again)
		}
	})
}
