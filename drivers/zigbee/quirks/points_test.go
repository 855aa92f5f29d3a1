package quirks

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"hearth/drivers/zigbee/zcl"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPoints(t *testing.T) {
	tests := map[string]struct {
		payload  string
		sequence uint16
		points   []Point
	}{
		"nothing":   {"0000", 0, nil},
		"bool":      {"0102 01 01 0001 01", 0x0102, []Point{{1, PointBool, []byte{1}}}},
		"value":     {"0003 10 02 0004 000000d7", 3, []Point{{16, PointValue, []byte{0, 0, 0, 0xd7}}}},
		"enum":      {"ffff 04 04 0001 02", 0xffff, []Point{{4, PointEnum, []byte{2}}}},
		"string":    {"0000 65 03 0003 616263", 0, []Point{{101, PointString, []byte("abc")}}},
		"bitmap":    {"0000 0b 05 0002 0101", 0, []Point{{11, PointBitmap, []byte{1, 1}}}},
		"raw":       {"0000 06 00 0008 0901001388000485", 0, []Point{{6, PointRaw, []byte{9, 1, 0, 0x13, 0x88, 0, 4, 0x85}}}},
		"empty raw": {"0000 06 00 0000", 0, []Point{{6, PointRaw, []byte{}}}},
		"two":       {"0007 01 01 0001 00 02 02 0004 00000064", 7, []Point{{1, PointBool, []byte{0}}, {2, PointValue, []byte{0, 0, 0, 100}}}},
		"odd type":  {"0000 01 09 0001 00", 0, []Point{{1, 9, []byte{0}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			payload := unhex(t, test.payload)
			sequence, points, err := ParsePoints(payload)
			if err != nil || sequence != test.sequence || !reflect.DeepEqual(points, test.points) {
				t.Errorf("read %d, %v, %v, want %d, %v", sequence, points, err, test.sequence, test.points)
			}
			if written := AppendPoints([]byte{0xaa}, test.sequence, test.points...); !bytes.Equal(written[1:], payload) {
				t.Errorf("written %x, want %x", written[1:], payload)
			}
		})
	}
}

func TestBrokenPoints(t *testing.T) {
	tests := map[string]struct {
		payload string
		points  int // that could be read
		says    string
	}{
		"nothing":       {"", 0, "0 bytes"},
		"one byte":      {"00", 0, "1 bytes"},
		"header cut":    {"0000 01 01 00", 0, "3 bytes after the last point"},
		"data cut":      {"0000 01 02 0004 000000", 0, "point 1: 3 bytes of 4"},
		"long length":   {"0000 01 02 ffff 00", 0, "1 bytes of 65535"},
		"second is cut": {"0000 01 01 0001 01 02 02 0004 00", 1, "point 2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, points, err := ParsePoints(unhex(t, test.payload))
			if err == nil || !strings.Contains(err.Error(), test.says) || len(points) != test.points {
				t.Errorf("read %v, %v, want %d points and %q", points, err, test.points, test.says)
			}
		})
	}
}

func TestNumberPoints(t *testing.T) {
	tests := []struct {
		kind PointType
		n    float64
		data string
	}{
		{PointBool, 1, "01"}, {PointEnum, 3, "03"}, {PointValue, 215, "000000d7"}, {PointValue, -15, "fffffff1"},
		{PointValue, 4294967295, "ffffffff"}, {PointBitmap, 1, "01"}, {PointBitmap, 0x123, "0123"}, {PointBitmap, 0x12345, "00012345"},
		{PointValue, 1e12, "ffffffff"}, {PointValue, -1e12, "80000000"}, {PointValue, 21.5, "00000016"},
	}
	for _, test := range tests {
		p := NumberPoint(7, test.kind, test.n)
		if got := hex.EncodeToString(p.Data); p.ID != 7 || p.Type != test.kind || got != test.data {
			t.Errorf("%v of %v is %s, want %s", test.kind, test.n, got, test.data)
		}
		if n, ok := p.Number(); test.n == float64(int32(test.n)) && (!ok || n != test.n) {
			t.Errorf("%v of %v reads as %v, %v", test.kind, test.n, n, ok)
		}
	}
	for _, p := range []Point{{1, PointRaw, []byte{1}}, {1, PointString, []byte("1")}, {1, PointValue, nil}, {1, PointValue, make([]byte, 9)}} {
		if n, ok := p.Number(); ok {
			t.Errorf("%v is the number %v", p, n)
		}
	}
}

func TestSlices(t *testing.T) {
	b := []byte{0xff, 0xfe, 0x01, 0x02}
	tests := []struct {
		slice Slice
		want  float64
		ok    bool
	}{
		{Slice{}, 0xfffe0102, true},
		{Slice{Signed: true}, -130814, true},
		{Slice{Little: true}, 0x0201feff, true},
		{Slice{At: 2, Length: 2}, 0x0102, true},
		{Slice{At: 0, Length: 2, Signed: true}, -2, true},
		{Slice{At: 2, Length: 2, Little: true}, 0x0201, true},
		{Slice{At: 3}, 2, true},
		{Slice{At: 4}, 0, false},
		{Slice{At: 5}, 0, false},
		{Slice{At: 3, Length: 2}, 0, false},
	}
	for _, test := range tests {
		if got, ok := test.slice.of(b); got != test.want || ok != test.ok {
			t.Errorf("%+v is %v, %v, want %v, %v", test.slice, got, ok, test.want, test.ok)
		}
	}
}

// TestTimeAnswer has the bytes that Tuya's devices are told the time by: how many there are, and two numbers.
func TestTimeAnswer(t *testing.T) {
	now := time.Date(2026, 11, 23, 13, 0, 0, 0, time.FixedZone("CET", 3600)) // 12:00 UTC
	tests := []struct {
		tuya *Tuya
		want string
	}{
		{nil, "010024 0800 6b042ac0 6b0438d0"},
		{&Tuya{}, "010024 0800 6b042ac0 6b0438d0"},
		{&Tuya{Time: ClockLocal}, "010024 0800 6b0438d0 6b0438d0"},
		{&Tuya{Time: Clock2000}, "010024 0800 3296e740 3296f550"},
	}
	for _, test := range tests {
		f, ok := test.tuya.TimeAnswer(now)
		want := unhex(t, test.want)
		utc, local, err := ParseTime(f.Payload)
		if got := f.Append(nil); !ok || !bytes.Equal(got, want) {
			t.Errorf("%+v says %x, want %x", test.tuya, got, want)
		}
		if whole := timePayload(utc, local); err != nil || !bytes.Equal(whole, f.Payload) {
			t.Errorf("%+v reads as %d, %d, %v", test.tuya, utc, local, err)
		}
	}
	if _, ok := (&Tuya{Time: ClockNone}).TimeAnswer(now); ok {
		t.Error("a device that is not to be told the time is told")
	}
	if _, _, err := ParseTime(make([]byte, 9)); err == nil {
		t.Error("half a time is taken")
	}
}

func TestTuyaRequests(t *testing.T) {
	tests := map[string]zcl.Frame{
		"110000 0102 01 01 0001 01":            (&Tuya{}).Command(0x0102, Point{1, PointBool, []byte{1}}),
		"110004 0000 01 01 0001 00":            (&Tuya{Send: true}).Command(0, Point{1, PointBool, []byte{0}}),
		"010003":                               QueryRequest(),
		"010010 0002":                          VersionRequest(),
		"010025 0100 01":                       ConnectedAnswer(),
		"000000 0400 0000 0100 0500 0700 feff": MagicRead(),
	}
	for want, f := range tests {
		if got := f.Append(nil); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("%x, want %s", got, want)
		}
	}
	for payload, want := range map[string]string{"000246": "1.0.6", "000240": "1.0.0", "0002ff": "3.3.15"} {
		if got, err := ParseVersion(unhex(t, payload)); err != nil || got != want {
			t.Errorf("version %s is %s, %v, want %s", payload, got, err, want)
		}
	}
	if _, err := ParseVersion([]byte{0, 2}); err == nil {
		t.Error("a version without a number is taken")
	}
}

func FuzzPoints(f *testing.F) {
	for _, seed := range []string{"0000", "01020101000101", "000301020004000000d702040001", "0000060000080901001388000485", "00000102ffff00"} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sequence, points, err := ParsePoints(b)
		if len(b) < 2 {
			return
		}
		written := AppendPoints(nil, sequence, points...)
		if !bytes.HasPrefix(b, written) || err == nil && len(written) != len(b) {
			t.Fatalf("%x is written as %x", b, written)
		}
		again, same, err := ParsePoints(written)
		if err != nil || again != sequence || len(same) != len(points) {
			t.Fatalf("%x reads as %d, %v, %v", written, again, same, err)
		}
		for _, p := range points {
			for _, d := range []DataPoint{{DP: p.ID}, {DP: p.ID, Slice: Slice{At: 2, Length: 3, Signed: true}}} {
				d.Property = "power"
				d.prepare()
				d.Value(p)
			}
		}
	})
}
