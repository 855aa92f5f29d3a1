package forward

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/series"
)

func everyKind() series.Write {
	gap := hearth.Gap{From: hearth.Time{Time: time.UnixMilli(5000).UTC()}, To: hearth.Time{Time: time.UnixMilli(6000).UTC()}, Count: 7, Reason: hearth.GapRejected}
	return series.Write{Home: "h1", Gaps: []hearth.Gap{gap}, Points: []series.Point{
		{Series: "hearth,device=radio:1", Field: "temperature", Time: 1e9, Value: hearth.NumberOf(21.5)},
		{Series: "hearth,device=radio:1", Field: "on", Time: 1e9, Value: hearth.BoolOf(true)},
		{Series: "hearth,device=radio:1", Field: "mode", Time: 1e9, Value: hearth.TextOf(`say "he\o"`)},
		{Series: "hearth,device=radio:1", Field: "clock", Time: 1e9, Value: hearth.TextOf("repaired")},
		{Series: "hearth,device=radio:2", Field: "mode", Time: 2e9, Value: hearth.TextOf("auto")},
		{Series: `cpu,a=b\,c,home=own`, Field: "a b=c", Time: 3, Value: hearth.NumberOf(-1e21)},
		{Series: `cpu`, Field: "f", Time: 3, Value: hearth.NumberOf(123456789)},
	}}
}

func TestLines(t *testing.T) {
	for name, test := range map[string]struct {
		victoria string
		want     []string
	}{
		"InfluxDB": {"", []string{
			`cpu,a=b\,c,home=h1 a\ b\=c=-1e+21 3`, `cpu,home=h1 f=123456789 3`,
			`hearth,device=radio:1,home=h1 temperature=21.5,on=true,mode="say \"he\\o\"",clock="repaired" 1000000000`,
			`hearth,device=radio:2,home=h1 mode="auto" 2000000000`, `hearth_gap,home=h1 count=7,reason="rejected",to=6000 5000000000`,
		}},
		"VictoriaMetrics": {"1", []string{
			`cpu,a=b\,c,home=h1 a\ b\=c=-1e+21 3`, `cpu,home=h1 f=123456789 3`,
			`hearth,device=radio:1,home=h1 temperature=21.5,on=true,clock=1 1000000000`, `hearth_gap,home=h1 count=7,reason=1,to=6000 5000000000`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeDatabase(t)
			f.victoria = test.victoria
			r := newRig(t, Target{URL: f.URL + "/", Database: "d b", Username: "u", Password: "p"})
			if _, err := r.store.Write(everyKind()); err != nil {
				t.Fatal(err)
			}
			r.mustPump()
			if got := f.sorted(); !slices.Equal(got, test.want) {
				t.Errorf("%s", strings.Join(got, "\n"))
			}
			if !f.paths["/write?db=d+b&precision=ns"] || f.auth != "Basic dTpw" {
				t.Error(f.paths, f.auth)
			}
			if s := r.Stats()[0]; !s.Up || !s.Leads || s.Behind != 0 || s.Texts != map[string]uint64{"": 0, "1": 2}[test.victoria] {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestV2(t *testing.T) {
	f := newFakeDatabase(t)
	r := newRig(t, Target{URL: f.URL, Org: "o", Bucket: "b", Token: "t"})
	r.put(1)
	r.mustPump()
	if !f.paths["/api/v2/write?bucket=b&org=o&precision=ns"] || f.auth != "Token t" {
		t.Error(f.paths, f.auth)
	}
}

// What the store refused is not sent on: one home's explosion of series is not the target's.
func TestRefusedIsNotSent(t *testing.T) {
	f := newFakeDatabase(t)
	r := newRig(t, Target{URL: f.URL})
	w := series.Write{Home: "h1"}
	for i := range 80 {
		w.Points = append(w.Points, series.Point{Series: "m,n=" + strings.Repeat("x", i+1), Field: "f", Time: 1, Value: hearth.NumberOf(1)})
	}
	if _, err := r.store.Write(w); err == nil {
		t.Fatal("no limit")
	}
	r.mustPump()
	if lines, _ := f.has(); lines != 50 {
		t.Errorf("%d lines", lines)
	}
}

func TestSplitAndBisect(t *testing.T) {
	f := newFakeDatabase(t)
	f.most, f.bad = 7, "power=13 "
	r := newRig(t, Target{URL: f.URL})
	r.put(100)
	r.put(5)
	r.mustPump()
	if lines, _ := f.has(); lines != 104 {
		t.Errorf("%d lines", lines)
	}
	if s := r.Stats()[0]; s.Parked != 1 || s.Behind != 0 {
		t.Errorf("%+v", s)
	}
	parked, err := r.targets[0].parked(t.Context())
	if err != nil || len(parked) != 1 || parked[0].Line != "hearth,device=radio:1,home=h1 power=13 13000000000" || !strings.Contains(parked[0].Reason, "type conflict") {
		t.Errorf("%+v, %v", parked, err)
	}
}

// A target that was away gets what it missed; after a restart of ours it goes on where it was.
func TestAway(t *testing.T) {
	f := newFakeDatabase(t)
	target := Target{URL: f.URL}
	f.victoria = "100"
	r := newRig(t, target)
	r.put(10)
	r.mustPump()
	f.with(func() { f.down = 503 })
	r.put(10)
	r.put(10)
	if err := r.pump(); err == nil || r.Stats()[0].Up || r.Stats()[0].Error == "" || r.Stats()[0].Behind != 2 {
		t.Errorf("%v, %+v", err, r.Stats()[0])
	}
	f.with(func() { f.down = 0 })
	r.mustPump()
	if s := r.Stats()[0]; !s.Up || s.Behind != 0 {
		t.Errorf("it is back: %+v", s)
	}
	if lines, twice := f.has(); lines != 30 || twice != 0 {
		t.Errorf("%d lines, %d of them twice", lines, twice)
	}
	if err := r.targets[0].save(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.again(target)
	r.put(10)
	r.mustPump()
	if lines, twice := f.has(); lines != 40 || twice != 0 {
		t.Errorf("after a restart: %d lines, %d of them twice", lines, twice)
	}
}

// A VictoriaMetrics that was killed lost its last seconds, though it was away for no request: it is sent a minute and more again.
func TestLostItsEnd(t *testing.T) {
	f := newFakeDatabase(t)
	f.victoria = "100"
	r := newRig(t, Target{URL: f.URL})
	for range 20 { // ten minutes
		r.put(1)
		r.mustPump()
		r.later(30 * time.Second)
	}
	f.with(func() {
		f.victoria = "200"
		clear(f.lines)
	})
	r.put(1)
	r.mustPump()
	lines, _ := f.has()
	if lines < 4 || lines > 6 || r.Stats()[0].Rewinds != 1 {
		t.Errorf("%d lines were sent again, %+v", lines, r.Stats()[0])
	}
	// Where nobody says since when it runs, it is sent again after it was away.
	f.with(func() {
		f.victoria = ""
		f.down = 500
	})
	r.put(1)
	if r.pump() == nil {
		t.Fatal("it was not away")
	}
	f.with(func() {
		f.down = 0
		clear(f.lines)
	})
	r.mustPump()
	if lines, _ := f.has(); lines < 4 || r.Stats()[0].Rewinds != 2 {
		t.Errorf("%d lines were sent again, %+v", lines, r.Stats()[0])
	}
}

// What was missed is counted, what every target has is dropped, and a log that ends earlier is sent as a whole.
func TestBounds(t *testing.T) {
	f := newFakeDatabase(t)
	f.victoria = "100"
	target := Target{URL: f.URL}
	r := newRig(t, target)
	for range 10 {
		r.put(1)
	}
	r.mustPump()
	for range 6 {
		r.later(30 * time.Second)
		r.mustPump()
	}
	if err := r.targets[0].save(t.Context()); err != nil {
		t.Fatal(err)
	}
	trim := func() {
		t.Helper()
		least, err := r.least(t.Context())
		if err == nil {
			err = r.o.Log.Trim(t.Context(), least, r.clock().Add(-r.o.Keep))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	trim()
	if oldest, newest, err := r.store.RecentSpan(); oldest != 10 || newest != 10 || err != nil {
		t.Errorf("kept are %d to %d, %v", oldest, newest, err)
	}
	f.with(func() { f.down = 500 })
	for range 5 {
		r.put(1)
	}
	if r.pump() == nil {
		t.Fatal("it was not away")
	}
	r.later(49 * time.Hour)
	r.put(1)
	trim()
	f.with(func() { f.down = 0 })
	r.mustPump()
	if s := r.Stats()[0]; s.Missed != 5 || s.Behind != 0 {
		t.Errorf("%+v", s)
	}
	if _, err := r.books.DB().Exec(`UPDATE forwards SET sent = 1000, safe = 1000`); err != nil {
		t.Fatal(err)
	}
	r.again(target)
	f.with(func() { clear(f.lines) })
	r.put(1)
	r.mustPump()
	if lines, _ := f.has(); lines != 2 {
		t.Errorf("%d lines", lines)
	}
}

// A 400 to everything is about the request: nothing is parked, and everything is kept.
func TestRefusesEverything(t *testing.T) {
	f := newFakeDatabase(t)
	f.down = 400
	r := newRig(t, Target{URL: f.URL})
	r.put(10)
	if err := r.pump(); err == nil || !strings.Contains(err.Error(), "refuses everything") {
		t.Error(err)
	}
	f.with(func() { f.down = 0 })
	r.mustPump()
	if lines, _ := f.has(); lines != 10 || r.Stats()[0].Parked != 0 {
		t.Errorf("%d lines, %+v", lines, r.Stats()[0])
	}
}

func FuzzLines(f *testing.F) {
	f.Add(`cpu,a=b\,c`, "field", "text", 1.5)
	f.Add(`m\`, `f\`, `"`, 0.0)
	f.Fuzz(func(t *testing.T, of, field, value string, number float64) {
		var text text
		text.reset(false)
		text.add(&series.Write{Home: "h", Points: []series.Point{{Series: of, Field: field, Time: 1, Value: hearth.TextOf(value)}, {Series: of, Field: field, Time: 2, Value: hearth.NumberOf(number)}}})
		for _, s := range text.split(1, 1) {
			if line := text.slice(s); len(line) == 0 || line[len(line)-1] != '\n' {
				t.Errorf("%q", line)
			}
		}
		cutTag(of)
	})
}
