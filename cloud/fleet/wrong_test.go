package fleet

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// kinds are what is wrong, with ~ before what only keeps an alert, and ? where nobody knows.
func (r *rig) kinds() string {
	r.t.Helper()
	conditions, known := r.Wrong(r.home)
	var kinds []string
	if !known {
		kinds = append(kinds, "?")
	}
	for _, c := range conditions {
		word := c.Kind
		if c.Keeps {
			word = "~" + word
		}
		kinds = append(kinds, word)
	}
	return strings.Join(kinds, " ")
}

func (r *rig) status(more string) {
	r.t.Helper()
	r.must(r.Status(r.home, []byte(`{"version":"1","uptime_s":90000,"clock":{"trusted":true}`+more+`}`)))
}

func TestNobodyKnowsBeforeItIsDark(t *testing.T) {
	r := newRig(t)
	if got := r.kinds(); got != "" {
		t.Error(got)
	}
	r.Online(r.home, true)
	r.put(sensor("radio:1"))
	r.status(`,"drivers":[{"name":"meter","state":"waiting"}]`)
	for _, c := range []struct {
		pass   time.Duration
		online bool
		want   string
	}{
		{0, true, "driver_down"}, {time.Hour, true, "driver_down"}, {0, false, "driver_down"}, {time.Minute, false, "driver_down"},
		{time.Minute, false, "?"}, {3 * time.Minute, false, "?"}, {time.Second, false, "gateway_dark"}, {day, false, "gateway_dark"},
		{0, true, "driver_down"},
	} {
		r.now = r.now.Add(c.pass)
		r.Online(r.home, c.online)
		if got := r.kinds(); got != c.want {
			t.Errorf("%s later, online %v: %q, want %q", c.pass, c.online, got, c.want)
		}
	}
	r.Online(r.home, false)
	r.now = r.now.Add(day)
	r.must(r.save(t.Context()))
	r.open() // its gateway has time to come back to the receiver
	if got := r.kinds(); got != "?" {
		t.Errorf("right after a start: %q", got)
	}
	r.now = r.now.Add(DarkAfter + time.Second)
	if got := r.kinds(); got != "gateway_dark" {
		t.Errorf("long after a start: %q", got)
	}
}

// A home whose readings come from a program has no gateway that could be dark.
func TestAHomeWithoutAGateway(t *testing.T) {
	r := newRig(t)
	r.Arrived(r.home, []hearth.Reading{reading("temperature", hearth.NumberOf(1), r.now)}, nil, nil)
	r.now = r.now.Add(day)
	if got := r.kinds(); got != "" {
		t.Error(got)
	}
}

func TestBattery(t *testing.T) {
	r := newRig(t)
	r.Online(r.home, true)
	r.put(hearth.DeviceView{ID: "radio:1", Reachable: true, Properties: words("battery")}, hearth.DeviceView{ID: "radio:2", Reachable: true, Properties: words("battery_low")})
	for _, c := range []struct {
		left float64
		want string
	}{{100, ""}, {25, ""}, {24, "~battery_low"}, {15, "battery_low"}, {3, "battery_low"}, {16, "~battery_low"}, {90, ""}} {
		r.now = r.now.Add(time.Second)
		r.Live(r.home, reading("battery", hearth.NumberOf(c.left), r.now))
		if got := r.kinds(); got != c.want {
			t.Errorf("%g %%: %q, want %q", c.left, got, c.want)
		}
	}
	for _, low := range []bool{true, false} {
		r.now = r.now.Add(time.Second)
		r.Live(r.home, hearth.Reading{Device: "radio:2", Property: "battery_low", Value: hearth.BoolOf(low), Time: r.now})
		if got := r.kinds() == "battery_low"; got != low {
			t.Errorf("%v: %q", low, r.kinds())
		}
	}
}

func TestBacklog(t *testing.T) {
	r := newRig(t)
	r.Online(r.home, true)
	said := func(n int) {
		r.status(fmt.Sprintf(`,"targets":[{"name":"cloud","backlog":%d},{"name":"influx","backlog":9999999}]`, n))
	}
	for _, c := range []struct {
		pass time.Duration
		left int
		want string
	}{
		{0, 500, ""}, {0, 5000, "~backlog"}, {10 * time.Minute, 9000, "~backlog"}, {5 * time.Minute, 9000, "backlog"},
		{10 * time.Minute, 8000, "backlog"}, {5 * time.Minute, 8000, "~backlog"}, {5 * time.Hour, 7000, "~backlog"}, {time.Hour, 6000, "backlog"},
		{time.Minute, 900, ""}, {time.Minute, 2000, "~backlog"},
	} {
		r.now = r.now.Add(c.pass)
		said(c.left)
		if got := r.kinds(); got != c.want {
			t.Errorf("%d after %s: %q, want %q", c.left, c.pass, got, c.want)
		}
	}
	if r.view().Backlog != 2000 {
		t.Errorf("backlog %d", r.view().Backlog)
	}
}

func TestWearAlarmsAndGaps(t *testing.T) {
	r := newRig(t)
	r.Online(r.home, true)
	for more, want := range map[string]string{
		`,"disk":{"per_day_bytes":43000000}`:                                                     "",
		`,"disk":{"per_day_bytes":900000000}`:                                                    "~disk_wear",
		`,"disk":{"per_day_bytes":1100000000}`:                                                   "disk_wear",
		`,"alarms":["settings.db was damaged"]`:                                                  "gateway_alarm",
		`,"drivers":[{"name":"a","state":"waiting"}],"alarms":["driver a: no port","the clock"]`: "driver_down gateway_alarm",
	} {
		r.status(more)
		if got := r.kinds(); got != want {
			t.Errorf("%s: %q, want %q", more, got, want)
		}
	}
	r.must(r.Status(r.home, []byte(`{"version":"1","uptime_s":900,"clock":{"trusted":true},"disk":{"per_day_bytes":9000000000}}`)))
	if got := r.kinds(); got != "" {
		t.Errorf("the start writes more than usual, but %q", got)
	}
	gap := []hearth.Gap{{To: hearth.Time{Time: r.now.Add(-50 * time.Hour)}}}
	r.Arrived(r.home, nil, gap, nil)
	if got := r.kinds(); got != "gap" { // it is long ago, and nobody was told
		t.Errorf("%q", got)
	}
	r.now = r.now.Add(gapLife)
	if got := r.kinds(); got != "" {
		t.Errorf("a day later: %q", got)
	}
}

// BenchmarkWrong is one home of 25 devices.
func BenchmarkWrong(b *testing.B) {
	books, err := accounts.Open(b.Context(), accounts.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer books.Close()
	home, _, err := books.AddHome(b.Context(), "", "Cabin")
	if err != nil {
		b.Fatal(err)
	}
	f, err := Open(b.Context(), Options{
		Accounts: books, Last: func(string) ([]series.Point, error) { return nil, nil }, Emit: func(string, string, any) {}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	var views []hearth.DeviceView
	for n := range 25 {
		views = append(views, hearth.DeviceView{ID: hearth.ID(fmt.Sprint("radio:", n)), Reachable: true, Properties: words("temperature", "humidity", "battery", "link_quality", "reachable")})
	}
	if err := f.Put(b.Context(), home.ID, views); err != nil {
		b.Fatal(err)
	}
	f.Online(home.ID, true)
	b.ReportAllocs()
	for b.Loop() {
		if conditions, known := f.Wrong(home.ID); len(conditions) > 0 || !known {
			b.Fatal(conditions, known)
		}
	}
}
