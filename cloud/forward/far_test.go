package forward

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/series"
)

// oldDatabase answers every question with the same.
type oldDatabase struct {
	*httptest.Server
	mu     sync.Mutex
	answer string
	status int
	asked  []string
}

func newOldDatabase(t testing.TB) *oldDatabase {
	o := &oldDatabase{status: http.StatusOK}
	o.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		query := r.URL.Query()
		o.asked = append(o.asked, query.Get("match[]")+query.Get("q"))
		rw.WriteHeader(o.status)
		fmt.Fprint(rw, o.answer)
	}))
	t.Cleanup(o.Close)
	return o
}

const farSeriesKey = `hearth,device=radio:1,home=x`

// points asks for a series of home h1 over ten seconds.
func (o *oldDatabase) points(kind string) (got string, err error) {
	f := NewFar(FarOptions{URL: o.URL, Kind: kind, Database: "d", Before: 24 * time.Hour})
	err = f.Points("h1", farSeriesKey, "power", time.Unix(0, 0), time.Unix(10, 0), func(t int64, v hearth.Value) bool {
		got += fmt.Sprintf("%d=%s ", t/1e9, v)
		return true
	})
	return strings.TrimSpace(got), err
}

func TestFarAnswers(t *testing.T) {
	block := func(labels, values, times string) string {
		return fmt.Sprintf(`{"metric":{"__name__":"hearth_power","home":"h1",%s},"values":[%s],"timestamps":[%s]}`+"\n", labels, values, times)
	}
	chunk := func(tags, values string) string {
		return fmt.Sprintf(`{"results":[{"series":[{"name":"hearth","tags":{"home":"h1",%s},"columns":["time","power"],"values":[%s]}]}]}`+"\n", tags, values)
	}
	for name, test := range map[string]struct {
		kind, answer string
		status       int
		want, wrong  string
	}{
		"nothing":          {kind: Victoria},
		"points":           {kind: Victoria, answer: block(`"device":"radio:1","db":"hearth"`, "1.5,2", "1000,2000"), want: "1=1.5 2=2"},
		"twice, unsorted":  {kind: Victoria, answer: block(`"device":"radio:1"`, "3,1", "3000,1000") + block(`"device":"radio:1"`, "4", "3000"), want: "1=1 3=4"},
		"out of range":     {kind: Victoria, answer: block(`"device":"radio:1"`, "1,2,3", "-1,9999,10000"), want: "9=2"},
		"null":             {kind: Victoria, answer: block(`"device":"radio:1"`, "null,2", "1000,2000"), want: "2=2"},
		"another series":   {kind: Victoria, answer: block(`"device":"radio:1","room":"x"`, "1", "1000") + block(`"device":"radio:2"`, "1", "1000")},
		"uneven":           {kind: Victoria, answer: block(`"device":"radio:1"`, "1,2", "1000"), wrong: "more values than times"},
		"half":             {kind: Victoria, answer: block(`"device":"radio:1"`, "1", "1000")[:40], wrong: "unexpected EOF"},
		"refused":          {kind: Victoria, status: 422, answer: "cannot parse", wrong: "422 cannot parse"},
		"Influx":           {kind: Influx, answer: chunk(`"device":"radio:1"`, `[1000000000,1.5],[2000000000,null],[3000000000,true],[4000000000,"x"]`), want: `1=1.5 3=true 4="x"`},
		"Influx, others":   {kind: Influx, answer: chunk(`"device":"radio:2"`, `[1000000000,1.5]`) + chunk(`"device":"radio:1","room":""`, `[1000000000,2]`), want: "1=2"},
		"Influx, a time":   {kind: Influx, answer: chunk(`"device":"radio:1"`, `["x",1.5]`), wrong: "invalid syntax"},
		"Influx, a row":    {kind: Influx, answer: chunk(`"device":"radio:1"`, `[1]`), wrong: "no time and value"},
		"Influx, an error": {kind: Influx, answer: `{"results":[{"error":"database not found: d"}]}`, wrong: "database not found"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOldDatabase(t)
			o.answer = test.answer
			if test.status != 0 {
				o.status = test.status
			}
			got, err := o.points(test.kind)
			if got != test.want || (err != nil) != (test.wrong != "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%s, %v; want %s, %s", got, err, test.want, test.wrong)
			}
		})
	}
}

// A question names the series and nothing that its names could break out into.
func TestFarQuestions(t *testing.T) {
	o := newOldDatabase(t)
	for _, kind := range []string{Victoria, Influx} {
		f := NewFar(FarOptions{URL: o.URL, Kind: kind, Before: time.Hour})
		if err := f.Points(`h"1'`, `m "x",t\ g=v\,'"`, `f"`, time.Unix(0, 0), time.Unix(1, 0), nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{
		`{__name__="m \"x\"_f\"",home="h\"1'",t\ g="v,'\""}`,
		`SELECT "f\"" FROM "m \"x\"" WHERE "home" = 'h"1\'' AND time >= 0 AND time < 1000000000 AND "t g" = 'v,\'"' GROUP BY *`,
	} {
		if o.asked[i] != want {
			t.Errorf("asked %s\nwant  %s", o.asked[i], want)
		}
	}
}

// Old readings come from afar, later ones from here; a bool is one again.
func TestWhole(t *testing.T) {
	store, err := series.Open(t.TempDir(), series.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	now := time.Unix(100*24*3600, 0)
	put := func(at time.Time, v hearth.Value) {
		t.Helper()
		if _, err := store.Write(series.Write{Home: "h1", Points: []series.Point{{Series: farSeriesKey, Field: "power", Time: at.UnixNano(), Value: v}}}); err != nil {
			t.Fatal(err)
		}
	}
	put(now.Add(-5*24*time.Hour), hearth.BoolOf(false)) // older than what is asked for here
	put(now.Add(-time.Hour), hearth.BoolOf(true))
	o := newOldDatabase(t)
	old := now.Add(-5*24*time.Hour + time.Hour)
	o.answer = fmt.Sprintf(`{"metric":{"home":"h1","device":"radio:1"},"values":[1],"timestamps":[%d]}`, old.UnixMilli())
	w := &Whole{Store: store, Far: NewFar(FarOptions{URL: o.URL, Kind: Victoria, Before: 2 * 24 * time.Hour, Now: func() time.Time { return now }})}
	var times []int64
	err = w.Points("h1", farSeriesKey, "power", now.Add(-30*24*time.Hour), now, func(at int64, v hearth.Value) bool {
		if !v.Bool() {
			t.Errorf("%s at %d", v, at)
		}
		times = append(times, at)
		return true
	})
	if err != nil || len(times) != 2 || times[0] != old.UnixNano() {
		t.Errorf("%v, %v", times, err)
	}
	history, err := w.History("h1", farSeriesKey, "power", now.Add(-30*24*time.Hour), now, 1)
	if err != nil || len(history.Points) != 1 || history.Points[0].Count != 2 {
		t.Errorf("%+v, %v", history, err)
	}
	asked := len(o.asked)
	if history, err := w.History("h1", farSeriesKey, "power", now.Add(-24*time.Hour), now, 1); err != nil || history.Points[0].Count != 1 || len(o.asked) != asked {
		t.Errorf("%+v, %v; it was asked afar for what is here", history, err)
	}
	o.Close()
	if _, err := w.History("h1", farSeriesKey, "power", now.Add(-30*24*time.Hour), now, 1); err == nil {
		t.Error("half a history was given for a whole one")
	}
}

func FuzzFar(f *testing.F) {
	o := newOldDatabase(f)
	f.Add(true, `{"metric":{"home":"h1","device":"radio:1"},"values":[1],"timestamps":[1000]}`)
	f.Add(false, `{"results":[{"series":[{"tags":{"home":"h1","device":"radio:1"},"values":[[1,true]]}]}]}`)
	f.Fuzz(func(t *testing.T, victoria bool, answer string) {
		o.mu.Lock()
		o.answer, o.asked = answer, nil
		o.mu.Unlock()
		kind := Influx
		if victoria {
			kind = Victoria
		}
		_, _ = o.points(kind) // whatever comes of it
	})
}
