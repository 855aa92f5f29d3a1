package buffer

import (
	"fmt"
	"testing"
	"time"

	"hearth"
)

// start is a time of no special meaning.
var start = time.UnixMilli(1_764_000_000_000).UTC()

func open(t testing.TB, o Options) *Buffer {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Now == nil {
		o.Now = func() time.Time { return start }
	}
	if o.Log == nil {
		o.Log = quiet(t)
	}
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error("closing:", err)
		}
	})
	return b
}

func number(device int, property string, value float64, at time.Time) hearth.Reading {
	return hearth.Reading{Device: hearth.ID(fmt.Sprintf("sim:%04x", device)), Property: property, Value: hearth.NumberOf(value), Time: at}
}

// fill appends n readings, of values from first on, and flushes.
func fill(t testing.TB, b *Buffer, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		if err := b.Append(number(i%50, "temperature", float64(i), start.Add(time.Duration(i)*time.Millisecond))); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
}

// drain takes everything that a target can get, acknowledges it, and returns the values and the gaps.
func drain(t testing.TB, b *Buffer, target string) (values []float64, gaps []hearth.Gap) {
	t.Helper()
	unpack, err := newUnpacker()
	if err != nil {
		t.Fatal(err)
	}
	for {
		got, ok, err := b.Next(target)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return values, gaps
		}
		if want := b.Ledger(target).Durable + 1; got.Seq != want {
			t.Fatalf("block %d instead of %d", got.Seq, want)
		}
		if got.Body != nil {
			body, err := unpack.zstd.DecodeAll(got.Body, nil)
			if err != nil {
				t.Fatal(err)
			}
			rows := 0
			if err := hearth.DecodeLines(body, "ms", time.Time{}, func(l *hearth.Line) {
				if g, is := l.Gap(); is {
					gaps = append(gaps, g)
				}
				for _, r := range l.Readings(nil) {
					rows++
					values = append(values, r.Value.Number())
				}
			}, func(n int, err error) { t.Errorf("line %d: %v", n, err) }); err != nil {
				t.Fatal(err)
			}
			if rows != got.Rows {
				t.Fatalf("block %d holds %d rows, not %d", got.Seq, rows, got.Rows)
			}
		}
		if err := b.Acknowledge(target, got.Seq); err != nil {
			t.Fatal(err)
		}
	}
}

// balanced checks that produced = acknowledged + backlog + dropped.
func balanced(t testing.TB, b *Buffer, targets ...string) {
	t.Helper()
	for _, name := range targets {
		l, s := b.Ledger(name), b.Target(name)
		if s.Acknowledged+s.Backlog+s.Dropped != l.Produced || s.Backlog != l.Backlog || s.Dropped != l.Dropped || s.Backlog > l.Produced || s.Dropped > l.Produced {
			t.Fatalf("%s does not add up: %v, %+v", name, l, s)
		}
	}
}

func TestHandsOutWhatWasAppended(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir, Targets: []string{"cloud"}})
	fill(t, b, 0, 1000)
	epoch := b.Epoch()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, Options{Dir: dir, Targets: []string{"cloud"}})
	if b.Epoch() != epoch {
		t.Errorf("epoch %s became %s", epoch, b.Epoch())
	}
	values, gaps := drain(t, b, "cloud")
	balanced(t, b, "cloud")
	if l := b.Ledger("cloud"); len(values) != 1000 || len(gaps) != 0 || l.Produced != 1000 || l.Backlog != 0 || l.Dropped != 0 {
		t.Errorf("%d values, gaps %v, ledger %v", len(values), gaps, l)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, Options{Dir: dir, Targets: []string{"cloud"}})
	if _, ok, err := b.Next("cloud"); ok || err != nil {
		t.Errorf("after a restart there is something to send again: %v", err)
	}
}
