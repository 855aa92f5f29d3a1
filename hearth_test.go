package hearth

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestValueJSON(t *testing.T) {
	for text, want := range map[string]Value{
		`true`: BoolOf(true), `false`: BoolOf(false), `21.5`: NumberOf(21.5), `-3`: NumberOf(-3), `"on"`: TextOf("on"), `null`: {},
	} {
		var v Value
		if err := json.Unmarshal([]byte(text), &v); err != nil || v != want {
			t.Errorf("%s reads as %v, %v", text, v, err)
		}
		back, err := json.Marshal(v)
		if err != nil || string(back) != text {
			t.Errorf("%s writes as %s, %v", text, back, err)
		}
	}
	for _, text := range []string{`{}`, `[1]`, `1e999`, `nope`} {
		var v Value
		if json.Unmarshal([]byte(text), &v) == nil {
			t.Errorf("%s reads as %v", text, v)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1)} {
		if !NumberOf(f).IsZero() {
			t.Errorf("%v is a value", f)
		}
	}
}

func TestTimeJSON(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 45e6, time.UTC)
	for _, text := range []string{`"2026-03-01T12:00:00.045Z"`, `"2026-03-01T14:00:00.045+02:00"`, fmt.Sprint(at.UnixMilli())} {
		var got Time
		if err := json.Unmarshal([]byte(text), &got); err != nil || !got.Equal(at) {
			t.Errorf("%s reads as %v, %v", text, got, err)
		}
		if back, _ := json.Marshal(got); string(back) != `"2026-03-01T12:00:00.045Z"` {
			t.Errorf("%s writes as %s", text, back)
		}
	}
	if text, _ := json.Marshal(Time{}); string(text) != "null" {
		t.Errorf("no time writes as %s", text)
	}
	if err := json.Unmarshal([]byte(`"yesterday"`), &Time{}); err == nil {
		t.Error("yesterday is a time")
	}
}

func TestChecks(t *testing.T) {
	for _, id := range []ID{"radio:00158d0001a2b3c4", "toy:light-1", "mine:a.b:c"} {
		if err := id.Check(); err != nil {
			t.Error(err)
		}
	}
	for _, id := range []ID{"", "radio", ":x", "radio:", "Radio:x", "r:a b", "r:a/b", "r:a+", "r:#", "r:a\nb", ID("r:" + strings.Repeat("x", 200))} {
		if id.Check() == nil {
			t.Errorf("%q is an id", id)
		}
	}
	low, high := 0.0, 100.0
	p := Property{Name: "brightness", Kind: Number, Min: &low, Max: &high}
	mode := Property{Name: "mode", Kind: Text, Options: []string{"a", "b"}}
	for _, tt := range []struct {
		p  Property
		v  Value
		ok bool
	}{
		{p, NumberOf(0), true}, {p, NumberOf(100), true}, {p, NumberOf(-1), false}, {p, NumberOf(101), false}, {p, TextOf("x"), false}, {p, Value{}, false},
		{mode, TextOf("a"), true}, {mode, TextOf("c"), false},
	} {
		if err := tt.p.Accepts(tt.v); (err == nil) != tt.ok {
			t.Errorf("%s %v: %v", tt.p.Name, tt.v, err)
		}
	}
	if err := (Device{ID: "a:b", Properties: []Property{p, p}}).Check(); err == nil {
		t.Error("a property twice")
	}
	for _, name := range []string{"", "Upper", "a b", "a,b", "clock", "1a"} {
		if (Property{Name: name, Kind: Bool}).Check() == nil {
			t.Errorf("%q is a property name", name)
		}
	}
}

func TestErrorsKeepTheirCode(t *testing.T) {
	err := fmt.Errorf("asking the lamp: %w", Errorf(CodeOffline, "no answer"))
	if !errors.Is(err, &Error{Code: CodeOffline}) || errors.Is(err, &Error{Code: CodeFailed}) {
		t.Error("errors.Is goes by code")
	}
	if got := ErrorOf(err); got.Code != CodeOffline || got.Message != "asking the lamp: no answer" {
		t.Errorf("%+v", got)
	}
	if got := ErrorOf(errors.New("x")); got.Code != CodeFailed {
		t.Errorf("%+v", got)
	}
}

func TestWords(t *testing.T) {
	for name, unit := range map[string]string{"power": "W", "power_l1": "W", "energy_exported_t2": "kWh", "temperature": "°C", "on_2": "", "color_temperature": "K"} {
		p, known := Word(name)
		if !known || p.Name != name || p.Unit != unit || p.Check() != nil {
			t.Errorf("%s: %+v, %v", name, p, known)
		}
	}
	if p, known := Word("sparkle"); known || p.Kind != Number {
		t.Errorf("%+v", p)
	}
	names := Words()
	if len(names) < 60 || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("%d words, or one twice", len(names))
	}
	lamp, _ := Word("color_temperature")
	narrow := lamp.Within(2700, 6500)
	if again, _ := Word("color_temperature"); *narrow.Min != 2700 || *again.Min != 1000 {
		t.Error("a lamp's range changed the word")
	}
}

func TestAdvanceOnlyForwardToOneEnd(t *testing.T) {
	at := time.Unix(0, 0)
	for _, first := range States {
		for _, second := range States {
			var r Record
			r.Advance(first, false, at, nil)
			moved := r.Advance(second, false, at, nil)
			if want := rank(second) > rank(first) && rank(first) < 4; moved != want {
				t.Errorf("%s → %s: %v", first, second, moved)
			}
			if r.Final != (rank(r.State) == 4) {
				t.Errorf("%s final: %v", r.State, r.Final)
			}
		}
	}
	var r Record
	if !r.Advance(Applied, true, at, nil) || !r.Final || r.Advance(Confirmed, true, at, nil) {
		t.Error("applied as the end")
	}
}

func lineReadings() []Reading {
	at := time.UnixMilli(1732300000123).UTC()
	return []Reading{
		{Device: "radio:00158d0001a2b3c4", Property: "temperature", Value: NumberOf(21.5), Time: at},
		{Device: "radio:00158d0001a2b3c4", Property: "humidity", Value: NumberOf(40.2), Time: at},
		{Device: "radio:00158d0001a2b3c4", Property: "on", Value: BoolOf(true), Time: at.Add(time.Millisecond)},
		{Device: "a:b", Property: "mode", Value: TextOf("say \"hi\", all\\ of=you\nnow"), Time: at, Repaired: true},
	}
}

func TestLines(t *testing.T) {
	body, err := AppendLines(nil, lineReadings(), "")
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(body), "\n"); first != "hearth,device=radio:00158d0001a2b3c4 temperature=21.5,humidity=40.2 1732300000123" {
		t.Error(first)
	}
	if !strings.Contains(string(body), `,device=a:b clock="repaired",mode=`) {
		t.Errorf("%s", body)
	}
	var got []Reading
	err = DecodeLines(body, "ms", time.Now(), func(l *Line) { got = l.Readings(got) }, func(n int, err error) { t.Error(n, err) })
	if err != nil || !slices.Equal(got, lineReadings()) {
		t.Errorf("%v %v", got, err)
	}
	tagged, err := AppendLines(nil, lineReadings()[:1], "cabin")
	if err != nil || string(tagged) != "hearth,device=radio:00158d0001a2b3c4,home=cabin temperature=21.5 1732300000123\n" {
		t.Errorf("%s %v", tagged, err)
	}
}

func TestGapLine(t *testing.T) {
	g := Gap{From: Time{time.UnixMilli(1732300000123).UTC()}, To: Time{time.UnixMilli(1732300009000).UTC()}, Count: 120, Reason: GapCap}
	body := AppendGap(nil, g, "")
	if string(body) != "hearth_gap count=120,reason=\"cap\",to=1732300009000 1732300000123\n" {
		t.Fatalf("%s", body)
	}
	var got []Gap
	err := DecodeLines(body, "ms", time.Now(), func(l *Line) {
		if gap, ok := l.Gap(); ok {
			got = append(got, gap)
		}
	}, func(n int, err error) { t.Error(n, err) })
	if err != nil || len(got) != 1 || got[0] != g {
		t.Errorf("%v %v", got, err)
	}
}

func TestForeignLines(t *testing.T) {
	body := "cpu,host=a usage=1i,up=true,n=3u 5\nbroken\nmem free=2\nweather t=\"x\n"
	now := time.Unix(1000, 7)
	var lines []string
	var bad []int
	err := DecodeLines([]byte(body), "m", now, func(l *Line) {
		lines = append(lines, fmt.Sprintf("%s %d %d", l.Measurement, len(l.Fields), l.Time))
	}, func(n int, _ error) { bad = append(bad, n) })
	want := []string{fmt.Sprintf("cpu 3 %d", 300*int64(time.Second)), fmt.Sprintf("mem 1 %d", now.UnixNano())}
	if err != nil || !slices.Equal(lines, want) || len(bad) != 2 || bad[0] != 2 {
		t.Errorf("%q, bad %v, %v", lines, bad, err)
	}
	if DecodeLines(nil, "fortnight", now, nil, nil) == nil {
		t.Error("an unknown precision")
	}
}

func TestDownsampler(t *testing.T) {
	from := time.UnixMilli(0)
	d := NewDownsampler(from, from.Add(10*time.Second), 5)
	for i, v := range []float64{1, 3, 8} {
		d.Add(from.Add(time.Duration(i)*time.Second), NumberOf(v))
	}
	d.Add(from.Add(10*time.Second), NumberOf(99))
	d.Add(from.Add(-time.Millisecond), NumberOf(99))
	d.Add(from, TextOf("x"))
	got, err := json.Marshal(d.Points())
	if err != nil || string(got) != "[[0,1,2,3,2],[2000,8,8,8,1]]" {
		t.Errorf("%s %v", got, err)
	}
	for _, points := range []int{-1, 0, 1, 7, 300, 1 << 30} {
		d := NewDownsampler(from, from.Add(24*time.Hour), points)
		for s := range 86400 {
			d.Add(from.Add(time.Duration(s)*time.Second), NumberOf(1))
		}
		count, limit := int64(0), min(max(points, 1), MaxPoints)
		for _, b := range d.Points() {
			count += b.Count
		}
		if len(d.Points()) > limit || count != 86400 {
			t.Errorf("%d points: %d buckets with %d values", points, len(d.Points()), count)
		}
	}
}

func TestWireForms(t *testing.T) {
	id := BatchID{Epoch: "4f9a", Seq: 12}
	if got, err := ParseBatchID(id.String()); err != nil || got != id {
		t.Errorf("%v %v", got, err)
	}
	l := Ledger{Produced: 9, Dropped: 2, Backlog: 3, Durable: 4}
	if got, err := ParseLedger(l.String() + ",later=x"); err != nil || got != l {
		t.Errorf("%v %v", got, err)
	}
	for _, s := range []string{"", "x", "produced=1", "produced=-1,dropped=0,backlog=0,durable=0", "a/b", "/1", "e/-1"} {
		if _, err := ParseLedger(s); err == nil {
			t.Errorf("%q is a ledger", s)
		}
		if _, err := ParseBatchID(s); err == nil {
			t.Errorf("%q is a batch", s)
		}
	}
	if home, kind, rest, ok := ParseTopic(TopicReading("h1", "a:b", "on")); !ok || home != "h1" || kind != "reading" || rest != "a:b/on" {
		t.Error(home, kind, rest, ok)
	}
	if _, _, _, ok := ParseTopic("other/h1/do"); ok {
		t.Error("a foreign topic")
	}
}

func TestScopes(t *testing.T) {
	all := []Scope{ScopeRead, ScopeControl, ScopeAdmin, ScopeWrite, ScopeGateway}
	want := map[Scope]string{
		ScopeRead: "read", ScopeControl: "read control", ScopeAdmin: "read control admin write", ScopeWrite: "write", ScopeGateway: "write gateway",
	}
	for _, s := range all {
		var allowed []string
		for _, need := range all {
			if s.Allows(need) {
				allowed = append(allowed, string(need))
			}
		}
		if got := strings.Join(allowed, " "); got != want[s] {
			t.Errorf("%s allows %s", s, got)
		}
	}
	secret, hash := NewSecret()
	if HashSecret(secret) != hash || strings.Contains(hash, secret) || len(secret) < 30 {
		t.Error("secret and hash")
	}
}

func TestLinesAreBounded(t *testing.T) {
	body := "x" + strings.Repeat(",a=1", maxTags+1) + " v=1\nx " + strings.Repeat("a=1,", maxFields) + "a=1\nx v=1\n"
	var good int
	var bad []string
	err := DecodeLines([]byte(body), "ms", time.Now(), func(*Line) { good++ }, func(_ int, err error) { bad = append(bad, err.Error()) })
	if err != nil || good != 1 || !slices.Equal(bad, []string{"more than 1000 tags", "more than 10000 fields"}) {
		t.Errorf("%d good, %q bad, %v", good, bad, err)
	}
}

func FuzzDecodeLines(f *testing.F) {
	body, _ := AppendLines(nil, lineReadings(), "home")
	f.Add(body, "ms")
	f.Add([]byte("cpu,host=a usage=1i 5\nbroken\n\n#x\nm f=\"\\\"\" -1"), "h")
	f.Fuzz(func(t *testing.T, body []byte, precision string) {
		var first []Reading
		at := time.UnixMilli(1732300000000)
		err := DecodeLines(body, precision, at, func(l *Line) {
			first = l.Readings(first)
			l.Gap()
		}, func(int, error) {})
		if err != nil {
			return
		}
		for _, r := range first {
			again, err := AppendLines(nil, []Reading{r}, "")
			if err != nil {
				continue // a name that line protocol can read but not write
			}
			var second []Reading
			_ = DecodeLines(again, "ms", at, func(l *Line) { second = l.Readings(second) }, func(int, error) {})
			if len(second) == 1 && second[0].Value != r.Value {
				t.Fatalf("%q became %q", r.Value, second[0].Value)
			}
		}
	})
}

func FuzzWire(f *testing.F) {
	f.Add("4f9a/12")
	f.Add("produced=9,dropped=2,backlog=3,durable=4")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseBatchID(s); err == nil {
			if again, err := ParseBatchID(id.String()); err != nil || again != id {
				t.Fatal(s)
			}
		}
		if l, err := ParseLedger(s); err == nil {
			if again, err := ParseLedger(l.String()); err != nil || again != l {
				t.Fatal(s)
			}
		}
	})
}

func BenchmarkAppendLines(b *testing.B) {
	readings := slices.Repeat(lineReadings()[:3], 300)
	buf := make([]byte, 0, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendLines(buf, readings, ""); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeLines(b *testing.B) {
	body, _ := AppendLines(nil, slices.Repeat(lineReadings()[:3], 300), "")
	rows := 0
	b.ReportAllocs()
	for b.Loop() {
		_ = DecodeLines(body, "ms", time.Now(), func(l *Line) { rows += len(l.Fields) }, func(int, error) {})
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
