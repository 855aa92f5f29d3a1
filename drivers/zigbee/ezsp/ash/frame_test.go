package ash

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectors are the examples of UG101. Of two it prints a checksum that does not go with the rest: the answer to the
// version command, and the error, which here is the one that sticks send when nobody acknowledges.
var vectors = map[string]struct {
	frame frame
	line  string
}{
	"version command": {frame{control: dataControl(2, 5, false), data: []byte{0, 0, 0, 2}}, "254221a856a6097e"},
	"version answer":  {frame{control: dataControl(5, 3, false), data: []byte{0, 0x80, 0, 2, 2, 0x11, 0x30}}, "5342a1a856280482" + "032a7e"},
	"ack, ready":      {frame{control: controlAck | 1, data: []byte{}}, "8160597e"},
	"ack, not ready":  {frame{control: controlAck | bitNotReady | 6, data: []byte{}}, "8e91b67e"},
	"nak, ready":      {frame{control: controlNak | 6, data: []byte{}}, "a634dc7e"},
	"nak, not ready":  {frame{control: controlNak | bitNotReady | 5, data: []byte{}}, "ad85b77e"},
	"reset":           {frame{control: controlRst, data: []byte{}}, "c038bc7e"},
	"reset answer":    {frame{control: controlRstack, data: []byte{2, 2}}, "c102029b7b7e"},
	"error":           {frame{control: controlError, data: []byte{2, 0x51}}, "c20251a8bd7e"},
}

func TestVectors(t *testing.T) {
	for name, tt := range vectors {
		t.Run(name, func(t *testing.T) {
			if got := tt.frame.append(nil); !bytes.Equal(got, unhex(t, tt.line)) {
				t.Errorf("wrote %x, want %s", got, tt.line)
			}
			if got := decode(unhex(t, tt.line)); len(got) != 1 || !same(got[0], tt.frame) {
				t.Errorf("read %+v, want %+v", got, tt.frame)
			}
		})
	}
}

func same(a, b frame) bool { return a.control == b.control && bytes.Equal(a.data, b.data) }

// decode returns the frames among the bytes.
func decode(b []byte) (frames []frame) {
	var d decoder
	for _, c := range b {
		if d.take(c) == whole {
			frames = append(frames, d.frame)
		}
	}
	return frames
}

func TestControl(t *testing.T) {
	f := frame{control: dataControl(6, 3, true)}
	if !f.isData() || f.isAck() || f.isNak() || f.number() != 6 || f.acknowledges() != 3 || !f.again() || !f.acknowledging() {
		t.Errorf("control %#x reads as %d, %d, %t", f.control, f.number(), f.acknowledges(), f.again())
	}
	if f := (frame{control: controlNak | 5}); f.isData() || f.isAck() || !f.isNak() || f.acknowledges() != 5 {
		t.Errorf("control %#x", f.control)
	}
	if f := (frame{control: controlRstack}); f.acknowledging() {
		t.Error("a greeting acknowledges")
	}
}

func TestStuffing(t *testing.T) {
	data := []byte{flag, escape, xon, xoff, substitute, cancel, 0x00, 0xff}
	random := byte(randomSeed)
	for i := range data { // so that they stand on the line as they are
		data[i] ^= random
		random = nextRandom(random)
	}
	f := frame{control: dataControl(0, 0, false), data: data}
	line := f.append(nil)
	want := "00" + "7d5e" + "7d5d" + "7d31" + "7d33" + "7d38" + "7d3a" + "00ff"
	if !bytes.HasPrefix(line, unhex(t, want)) {
		t.Errorf("wrote %x, want it to begin with %s", line, want)
	}
	if got := decode(line); len(got) != 1 || !same(got[0], f) {
		t.Errorf("read %+v", got)
	}
}

func TestDecoder(t *testing.T) {
	ack1, ack := "8160597e", frame{control: controlAck | 1}
	tests := map[string]struct {
		line   string
		frames int
		finds  []find // but nothing
	}{
		"plain":                      {ack1, 1, []find{whole}},
		"flags before":               {"7e7e" + ack1, 1, []find{whole}},
		"wake bytes before":          {"ffff" + ack1, 1, []find{whole}},
		"escape between frames":      {"7d7e" + ack1, 1, []find{whole}},
		"garbage, then a flag":       {"fe00217e" + ack1, 1, []find{garbled, whole}},
		"garbage, then a cancel":     {"fe0021" + "1a" + ack1, 1, []find{whole}},
		"a false start of UNPI":      {"feff" + ack1 + ack1, 1, []find{garbled, whole}},
		"xoff and xon in the middle": {"81136011597e", 1, []find{stop, resume, whole}},
		"xoff behind an escape":      {"7d13a160597e", 1, []find{stop, whole}},
		"substitute":                 {"811860597e" + ack1, 1, []find{garbled, whole}},
		"substitute, then cancel":    {"81186059" + "1a" + ack1, 1, []find{whole}},
		"bad checksum":               {"8160587e", 0, []find{garbled}},
		"too short":                  {"81607e", 0, []find{garbled}},
		"unknown control":            {"", 0, nil},
	}
	odd := frame{control: 0xc7}.append(nil)
	tests["unknown control"] = struct {
		line   string
		frames int
		finds  []find
	}{hex.EncodeToString(odd), 0, []find{garbled}}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var d decoder
			var finds []find
			frames := 0
			for _, c := range unhex(t, tt.line) {
				found := d.take(c)
				if found != nothing {
					finds = append(finds, found)
				}
				if found == whole {
					frames++
					if !same(d.frame, ack) {
						t.Errorf("read %+v", d.frame)
					}
				}
			}
			if frames != tt.frames || !reflect.DeepEqual(finds, tt.finds) {
				t.Errorf("%d frames, finds %v; want %d, %v", frames, finds, tt.frames, tt.finds)
			}
		})
	}
}

func TestGreetingBehindNoise(t *testing.T) {
	greeting := frame{control: controlRstack, data: []byte{2, softwareReset}}
	if got := decode(append(bytes.Repeat([]byte("BL > \r\n"), 100), greeting.append(nil)...)); len(got) != 1 || !same(got[0], greeting) {
		t.Errorf("read %+v", got)
	}
	ack := frame{control: controlAck}
	if got := decode(append([]byte("BL > \r\n"), ack.append(nil)...)); len(got) != 0 {
		t.Errorf("read %+v from noise", got)
	}
}

func TestDecoderBounds(t *testing.T) {
	longest := frame{control: dataControl(1, 1, false), data: bytes.Repeat([]byte{7}, MaxData)}
	if got := decode(longest.append(nil)); len(got) != 1 || !same(got[0], longest) {
		t.Error("the longest frame is not read")
	}
	longer := frame{control: dataControl(1, 1, false), data: bytes.Repeat([]byte{7}, MaxData+1)}
	if got := decode(longer.append(nil)); len(got) != 0 {
		t.Error("a frame that is too long is read")
	}
	var d decoder
	for range 100_000 {
		d.take(0x55)
	}
	if len(d.bytes) > 300 {
		t.Errorf("the decoder keeps %d bytes", len(d.bytes))
	}
	if d.take(flag) != garbled || len(decode(frame{control: controlAck}.append(nil))) != 1 {
		t.Error("it does not recover")
	}
}

func TestParseLengths(t *testing.T) {
	checked := func(body ...byte) []byte {
		sum := uint16(crcStart)
		for _, c := range body {
			sum = crc(sum, c)
		}
		return append(body, byte(sum>>8), byte(sum))
	}
	tests := map[string]struct {
		body []byte
		want error
	}{
		"data of two bytes":    {checked(0x00, 1, 2), errLength},
		"ack with data":        {checked(0x81, 1), errLength},
		"reset with data":      {checked(0xc0, 1), errLength},
		"greeting without":     {checked(0xc1), errLength},
		"greeting of one":      {checked(0xc1, 2), errLength},
		"error of three":       {checked(0xc2, 2, 3, 4), errLength},
		"reserved control":     {checked(0xc3), errControl},
		"nothing but checksum": {[]byte{0xff, 0xff}, errLength},
		"wrong checksum":       {[]byte{0x81, 0, 0}, errChecksum},
	}
	for name, tt := range tests {
		if _, err := parseFrame(tt.body); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// FuzzDecoder reads what it likes, and writes what it has read: that reads the same.
func FuzzDecoder(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.line))
	}
	f.Add([]byte{0xfe, 0xff, 0x7e, 0x7d, 0x7d, 0x7e, 0x18, 0x1a})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, fr := range decode(b) {
			again := decode(fr.append(nil))
			if len(again) != 1 || !same(again[0], fr) {
				t.Fatalf("%+v was written and read as %+v", fr, again)
			}
		}
	})
}
