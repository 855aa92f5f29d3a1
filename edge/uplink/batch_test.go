package uplink

import (
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"hearth"
	"hearth/edge/buffer"
)

func packLines(t testing.TB, text string) []byte {
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer pack.Close()
	return pack.EncodeAll([]byte(text), nil)
}

func TestEveryRowOfABlockIsAccountedFor(t *testing.T) {
	const good = "hearth,device=toy:lamp on=true,temperature=3 1000\n"
	tests := []struct {
		name    string
		body    []byte
		rows    int
		refused int
		lines   string
	}{
		{"good", packLines(t, good), 2, 0, `hearth,device=toy:lamp,home=H on=true,temperature=3 1000` + "\n"},
		{"a gap", packLines(t, `hearth_gap count=7,reason="cap",to=2000 1000`), 0, 0, `hearth_gap,home=H count=7,reason="cap",to=2000 1000` + "\n"},
		{"nothing", nil, 0, 0, ""},
		{"no zstd", []byte("x"), 5, 5, ""},
		{"half of it unreadable", packLines(t, good+"hearth,device=toy:lamp on= 2000\n"), 3, 1, `hearth,device=toy:lamp,home=H on=true,temperature=3 1000` + "\n"},
		{"a bomb", packLines(t, strings.Repeat(" ", 2*maxUnpacked)), 4, 4, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &batch{opt: &Options{Influx: &Influx{Home: "H"}}, unpack: newUnpacker()}
			b.add(buffer.Block{Seq: 3, Rows: tt.rows, Body: tt.body, First: time.UnixMilli(1000), Last: time.UnixMilli(2000)})
			if string(b.text) != tt.lines {
				t.Errorf("lines %q, want %q", b.text, tt.lines)
			}
			refused, sent := 0, 0
			for _, r := range b.refused {
				refused += r.Rows
			}
			for _, l := range b.lines {
				sent += l.rows
			}
			if refused != tt.refused || sent+refused != tt.rows || b.last != 3 {
				t.Errorf("%d rows sent, %d refused of %d, up to seq %d", sent, refused, tt.rows, b.last)
			}
		})
	}
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte("hearth,device=toy:lamp on=true,temperature=3 1000\n"), 2, false)
	f.Add([]byte(`hearth,device=x clock="repaired",note="a" 5`), 1, true)
	f.Add([]byte(`hearth_gap count=7,reason="cap",to=2000 1000`), 0, true)
	g := newGateway(f, nil, TargetInflux)
	f.Cleanup(g.close)
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte, rows int, numbers bool) {
		o := g.options()
		o.Influx = &Influx{Home: "H"}
		b := &batch{opt: &o, numbers: numbers, unpack: newUnpacker()}
		b.add(buffer.Block{Seq: 1, Rows: rows, Body: pack.EncodeAll(text, nil)})
		b.split(3, 100)
		seen := 0
		for i := len(b.todo) - 1; i >= 0; i-- {
			if b.todo[i].from != seen {
				t.Fatalf("span %+v after %d", b.todo[i], seen)
			}
			seen = b.todo[i].to
			if part := string(b.slice(b.todo[i])); !strings.HasSuffix(part, "\n") || numbers && strings.Contains(part, `="`) && !strings.Contains(string(text), `="`) {
				t.Errorf("part %q", part)
			}
		}
		if seen != len(b.lines) {
			t.Errorf("%d of %d lines are in a span", seen, len(b.lines))
		}
		bad := 0
		err := hearth.DecodeLines(b.text, "ms", time.Now(), func(*hearth.Line) {}, func(int, error) { bad++ })
		if err != nil || bad > 0 {
			t.Errorf("%d bad lines in %q: %v", bad, b.text, err)
		}
	})
}
