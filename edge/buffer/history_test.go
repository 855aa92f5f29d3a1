package buffer

import (
	"fmt"
	"testing"
	"time"

	"hearth"
)

func TestHistory(t *testing.T) {
	b := open(t, Options{Targets: []string{"cloud"}})
	add := func(r hearth.Reading) {
		t.Helper()
		if err := b.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 {
		at := start.Add(time.Duration(i) * time.Second)
		add(number(1, "temperature", float64(i), at))
		add(number(11, "temperature", -1, at)) // an id that begins like another
		add(hearth.Reading{Device: "sim:0001", Property: "on", Value: hearth.BoolOf(i%2 == 0), Time: at})
		add(hearth.Reading{Device: "sim:0001", Property: "note", Time: at,
			Value: hearth.TextOf("a \"text\",temperature=77 \\\nhearth,device=sim:0001 temperature=88 " + fmt.Sprint(start.UnixMilli()) + "\n")})
		if i == 700 {
			if err := b.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	h, err := b.History("sim:0001", "temperature", start.Add(100*time.Second), start.Add(900*time.Second), 8)
	if err != nil || len(h.Points) != 8 || len(h.Gaps) != 0 || h.Gaps == nil {
		t.Fatalf("%+v, %v", h, err)
	}
	for i, p := range h.Points {
		low := float64(100 + 100*i)
		want := hearth.Bucket{Start: start.Add(time.Duration(low) * time.Second), Min: low, Max: low + 99, Mean: p.Mean, Count: 100}
		if p != want || p.Mean < low+49.4 || p.Mean > low+49.6 {
			t.Errorf("point %d is %+v, want %+v", i, p, want)
		}
	}
	if h, err := b.History("sim:0001", "on", start, start.Add(time.Hour), 1); err != nil || len(h.Points) != 1 || h.Points[0].Count != 1000 || h.Points[0].Mean != 0.5 {
		t.Errorf("a bool: %+v, %v", h, err)
	}
	for _, c := range [][2]string{{"sim:0001", "note"}, {"sim:0001", "clock"}, {"sim:0002", "temperature"}, {"sim:0001", "temp"}} {
		if h, err := b.History(hearth.ID(c[0]), c[1], start, start.Add(time.Hour), 10); err != nil || len(h.Points) != 0 {
			t.Errorf("%v: %+v, %v", c, h, err)
		}
	}
}

func TestHistoryTellsGaps(t *testing.T) {
	b := open(t, Options{Cap: 600 << 10, Targets: []string{"cloud"}})
	w := &ledgerWorld{T: t, b: b, random: newRandom(5)}
	for range 30 {
		w.noise(1500)
	}
	if b.Ledger("cloud").Dropped == 0 {
		t.Fatal("nothing was dropped")
	}
	h, err := b.History("sim:0001", "p1", start, start.Add(time.Hour), 10)
	if err != nil || len(h.Gaps) == 0 {
		t.Fatalf("%+v %v", h, err)
	}
	var sum uint64
	for _, g := range h.Gaps {
		sum += uint64(g.Count)
		if g.Reason != hearth.GapCap || g.From.Before(start) || !g.To.After(g.From.Time) {
			t.Errorf("gap %+v", g)
		}
	}
	if sum != b.Ledger("cloud").Dropped {
		t.Errorf("gaps of %d, dropped %d", sum, b.Ledger("cloud").Dropped)
	}
	if h, err := b.History("sim:0001", "p1", start.Add(-time.Hour), start.Add(-time.Minute), 10); err != nil || len(h.Gaps) > 0 {
		t.Errorf("%+v %v", h, err)
	}
}

func TestReplay(t *testing.T) {
	b := open(t, Options{})
	fill(t, b, 0, 500)
	if err := b.Append(number(1, "temperature", 9999, start.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	var values []float64
	if err := b.Replay(start.Add(300*time.Millisecond), func(r hearth.Reading) { values = append(values, r.Value.Number()) }); err != nil {
		t.Fatal(err)
	}
	if len(values) != 201 || values[200] != 9999 {
		t.Errorf("%d values: %v", len(values), values)
	}
	order := make(map[int]float64)
	for _, v := range values {
		if v < order[int(v)%50] {
			t.Errorf("%v after %v", v, order[int(v)%50])
		}
		order[int(v)%50] = v
	}
}
