package buffer

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth"
)

func samples() []hearth.Reading {
	return []hearth.Reading{
		number(1, "temperature", 21.5, start),
		number(2, "power", -3, start),
		{Device: "sim:0001", Property: "on", Value: hearth.BoolOf(true), Time: start},
		{Device: "sim:0001", Property: "note", Value: hearth.TextOf("a \"b\"\nc"), Time: start.Add(time.Second)},
	}
}

func packed(t testing.TB, readings []hearth.Reading, b block) block {
	t.Helper()
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.pack(&b, readings); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBlockRoundTrip(t *testing.T) {
	made := packed(t, samples(), block{seq: 7, before: 99, generation: 3, flags: flagUntrusted, boot: "boot", anchor: 12345})
	got, err := decodeBlock(made.append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", made) {
		t.Errorf("got %+v\nwant %+v", got, made)
	}
	u, err := newUnpacker()
	if err != nil {
		t.Fatal(err)
	}
	readings, err := u.readings(nil, &got)
	if err != nil || len(readings) != 4 {
		t.Fatal(readings, err)
	}
	for i, want := range []int{0, 2, 3, 1} { // by device, and one line for what is of one time
		s := samples()[want]
		if r := readings[i]; r.Device != s.Device || r.Property != s.Property || r.Value != s.Value || !r.Time.Equal(s.Time) || !r.Untrusted {
			t.Errorf("reading %d is %+v, want %+v", i, r, s)
		}
	}
	lines, err := u.unpack(&got)
	if err != nil || bytes.Count(lines, []byte{'\n'}) != 3 {
		t.Errorf("%q, %v", lines, err)
	}
	if !got.mayHold("sim:0001") || !got.mayHold("sim:0002") || got.mayHold("sim:0003") && got.mayHold("sim:0004") {
		t.Error("the filter is wrong")
	}
}

func TestBlockNoticesEveryFlippedBit(t *testing.T) {
	made := packed(t, samples(), block{seq: 7, before: 99})
	data := made.append(nil)
	for i := range len(data) * 8 {
		data[i/8] ^= 1 << (i % 8)
		if b, err := decodeBlock(data); err == nil {
			t.Fatalf("bit %d of %d was not noticed: %+v", i, len(data)*8, b)
		}
		data[i/8] ^= 1 << (i % 8)
	}
}

func TestLargeBlocksAreSplit(t *testing.T) {
	b := open(t, Options{Targets: []string{"cloud"}})
	random := newRandom(1)
	for i := range 300 {
		text := make([]byte, 1+random.IntN(hearth.MaxText-1))
		for j := range text {
			text[j] = byte(' ' + random.IntN(90))
		}
		if err := b.Append(hearth.Reading{Device: "sim:1", Property: "note", Value: hearth.TextOf(string(text)), Time: start.Add(time.Duration(i) * time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	rows := 0
	if err := b.scan(0, nil, func(found *block) error {
		if rows += found.rows; found.rows > 1 && len(found.append(nil)) > maxValue {
			t.Errorf("block %d of %d rows takes %d bytes", found.seq, found.rows, len(found.append(nil)))
		}
		return nil
	}); err != nil || rows != 300 {
		t.Error(rows, err)
	}
	values, _ := drain(t, b, "cloud")
	if len(values) != 300 {
		t.Errorf("%d values", len(values))
	}
}

func TestLeavesOutWhatNoLineCanCarry(t *testing.T) {
	b := open(t, Options{Targets: []string{"cloud"}})
	bad := hearth.Reading{Device: "sim:1\n", Property: "power", Value: hearth.NumberOf(1), Time: start}
	none := hearth.Reading{Device: "sim:1", Property: "power", Time: start}
	if err := b.Append(bad, none, number(1, "power", 5, start)); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := b.Append(bad); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if values, _ := drain(t, b, "cloud"); len(values) != 1 || b.Stats().Produced != 1 {
		t.Errorf("%v, %+v", values, b.Stats())
	}
}

// FuzzBlock: bytes from a disk may be anything. With a checksum put right, a block decodes to what makes it again.
func FuzzBlock(f *testing.F) {
	whole := packed(f, samples(), block{seq: 7, before: 99, flags: flagUntrusted, boot: "boot", anchor: 1})
	f.Add(whole.append(nil))
	repaired := packed(f, samples()[:1], block{seq: 1, flags: flagRepaired})
	f.Add(repaired.append(nil))
	f.Add([]byte(blockMagic))
	u, err := newUnpacker()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := decodeBlock(data); err != nil && len(data) >= headerBytes {
			data = fixed(data)
		}
		b, err := decodeBlock(data)
		if err != nil {
			return
		}
		again, err := decodeBlock(b.append(nil))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(b) {
			t.Errorf("%+v became %+v, %v", b, again, err)
		}
		b.mayHold("sim:1")
		if readings, err := u.readings(nil, &b); err == nil && len(readings) > maxRaw {
			t.Error(len(readings))
		}
	})
}

// fixed puts magic, length and checksum right, so that the fuzzer gets past them.
func fixed(data []byte) []byte {
	data = bytes.Clone(data)
	copy(data, blockMagic)
	data[8], data[9], data[10], data[11] = byte(len(data)), byte(len(data)>>8), byte(len(data)>>16), byte(len(data)>>24)
	sum := castagnoli(data[8:])
	data[4], data[5], data[6], data[7] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	return data
}

// FuzzTree: a segment file may be anything, too.
func FuzzTree(f *testing.F) {
	b := open(f, Options{})
	fill(f, b, 0, 300)
	if err := b.Close(); err != nil {
		f.Fatal(err)
	}
	good := readFile(f, b.list()[0].path)[:8*pageSize]
	f.Add(good, uint16(0), byte(0))
	f.Add(good, uint16(3*pageSize+16), byte(1))
	f.Fuzz(func(t *testing.T, data []byte, at uint16, with byte) {
		if len(data) > 1<<20 {
			return
		}
		if int(at) < len(data) {
			data = bytes.Clone(data)
			data[at] ^= with
		}
		tree, err := openTree(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		_ = tree.verify() // neither may panic, nor go on for ever
		_ = tree.blocks(0, func(found block) error {
			if found.rows > maxRows {
				t.Error(found.rows)
			}
			return nil
		})
		_, _ = decodeAbout(data)
	})
}

// FuzzLines: the quick way through lines finds what the decoder finds.
func FuzzLines(f *testing.F) {
	f.Add("a text", 1.5, true)
	f.Add("\" temperature=7 \\", -1e300, false)
	f.Add(strings.Repeat(",temperature=3 ", 9)+"\nhearth,device=sim:0001 temperature=1 1\n", 0.0, true)
	f.Fuzz(func(t *testing.T, text string, n float64, flag bool) {
		readings := []hearth.Reading{
			{Device: "sim:0001", Property: "note", Value: hearth.TextOf(text), Time: start},
			{Device: "sim:0001", Property: "on", Value: hearth.BoolOf(flag), Time: start},
			{Device: "sim:0001", Property: "temperature", Value: hearth.NumberOf(n), Time: start},
			{Device: "sim:0001", Property: "other", Value: hearth.TextOf(text), Time: start},
		}
		if readings[2].Value.IsZero() {
			return
		}
		lines, err := hearth.AppendLines(nil, readings, "")
		if err != nil {
			return
		}
		for _, want := range readings[1:3] {
			found := 0
			newFinder(want.Device, want.Property).each(lines, func(ms int64, v hearth.Value) {
				if found++; v != want.Value || ms != start.UnixMilli() {
					t.Errorf("%s: %v at %d, want %v", want.Property, v, ms, want.Value)
				}
			})
			if found != 1 {
				t.Errorf("%s found %d times in %q", want.Property, found, lines)
			}
		}
	})
}
