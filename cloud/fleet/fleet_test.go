package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// A rig is a Fleet on real stores with a clock of its own.
type rig struct {
	*Fleet
	t      *testing.T
	books  *accounts.Accounts
	store  *series.Store
	home   string
	now    time.Time
	events []string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	var err error
	r.books, err = accounts.Open(t.Context(), accounts.Options{Dir: t.TempDir()})
	r.must(err)
	t.Cleanup(func() { r.books.Close() })
	r.store, err = series.Open(t.TempDir(), series.Options{})
	r.must(err)
	t.Cleanup(func() { r.store.Close() })
	home, _, err := r.books.AddHome(t.Context(), "", "Cabin")
	r.must(err)
	r.home = home.ID
	r.open()
	return r
}

// open opens the fleet again, as after a restart.
func (r *rig) open() {
	r.t.Helper()
	var err error
	r.Fleet, err = Open(r.t.Context(), Options{
		Accounts: r.books, Last: r.store.Last, Now: func() time.Time { return r.now }, Log: slog.New(slog.DiscardHandler),
		Emit: func(home, kind string, body any) {
			text, err := json.Marshal(body)
			r.must(err)
			r.events = append(r.events, kind+" "+string(text))
		},
	})
	r.must(err)
	r.events = nil
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func words(names ...string) (properties []hearth.PropertyView) {
	for _, name := range names {
		p, _ := hearth.Word(name)
		properties = append(properties, hearth.PropertyView{Property: p})
	}
	return properties
}

func (r *rig) put(views ...hearth.DeviceView) {
	r.t.Helper()
	r.must(r.Put(r.t.Context(), r.home, views))
}

func sensor(id hearth.ID) hearth.DeviceView {
	return hearth.DeviceView{ID: id, Name: "Sensor", Reachable: true, Properties: words("temperature", "button", "reachable")}
}

func reading(property string, v hearth.Value, at time.Time) hearth.Reading {
	return hearth.Reading{Device: "radio:1", Property: property, Value: v, Time: at}
}

func (r *rig) value(property string) *hearth.PropertyView {
	r.t.Helper()
	view, ok := r.Device(r.home, "radio:1")
	if !ok {
		r.t.Fatal("no such device")
	}
	return view.Property(property)
}

func (r *rig) view() hearth.HomeView {
	r.t.Helper()
	return r.Homes([]accounts.Home{{ID: r.home, Name: "Cabin"}})[0]
}

func (r *rig) alerts() string {
	r.t.Helper()
	details, err := r.Details(r.t.Context(), r.home)
	r.must(err)
	if details.Alerts != len(details.AlertList) {
		r.t.Errorf("%d alerts, %d listed", details.Alerts, len(details.AlertList))
	}
	var kinds []string
	for _, a := range details.AlertList {
		kinds = append(kinds, strings.TrimSpace(a.Kind+" "+a.About))
	}
	return strings.Join(kinds, ", ")
}

func TestValues(t *testing.T) {
	r := newRig(t)
	r.put(sensor("radio:1"))
	if p := r.value("temperature"); p.Value != nil || !p.Time.IsZero() {
		t.Errorf("%+v", p)
	}
	r.events = nil
	r.Live(r.home, reading("temperature", hearth.NumberOf(20), r.now))
	older := []hearth.Reading{reading("temperature", hearth.NumberOf(3), r.now.Add(-time.Hour)), reading("temperature", hearth.NumberOf(20), r.now)}
	r.Arrived(r.home, older, nil, nil)
	r.Live(r.home, reading("temperature", hearth.TextOf("warm"), r.now.Add(time.Second)))
	r.Live(r.home, reading("unheard_of", hearth.NumberOf(1), r.now))
	r.Live(r.home, hearth.Reading{Device: "radio:2", Property: "temperature", Value: hearth.NumberOf(1), Time: r.now})
	if p := r.value("temperature"); p.Value == nil || *p.Value != hearth.NumberOf(20) || !p.Time.Equal(r.now) {
		t.Errorf("%+v", p)
	}
	r.Live(r.home, reading("button", hearth.TextOf("single"), r.now))
	r.Live(r.home, reading("button", hearth.TextOf("single"), r.now.Add(time.Second)))
	if p := r.value("button"); p.Value != nil {
		t.Errorf("a button press became a state: %+v", p)
	}
	want := []string{
		`reading {"device":"radio:1","property":"temperature","value":20,"time":"2026-11-22T12:00:00.000Z"}`,
		`reading {"device":"radio:1","property":"button","value":"single","time":"2026-11-22T12:00:00.000Z"}`,
		`reading {"device":"radio:1","property":"button","value":"single","time":"2026-11-22T12:00:01.000Z"}`,
	}
	if !slices.Equal(r.events, want) {
		t.Errorf("events\n%s", strings.Join(r.events, "\n"))
	}
	r.now = r.now.Add(2 * time.Second)
	r.Live(r.home, reading("temperature", hearth.NumberOf(21), r.now.Add(24*time.Hour))) // a clock that runs ahead
	r.Live(r.home, reading("temperature", hearth.NumberOf(22), time.Time{}))             // and one that is not trusted
	if p := r.value("temperature"); *p.Value != hearth.NumberOf(21) || !p.Time.Equal(r.now) {
		t.Errorf("%+v", p)
	}
	r.now = r.now.Add(time.Second)
	r.Live(r.home, reading("temperature", hearth.NumberOf(22), time.Time{}))
	if p := r.value("temperature"); *p.Value != hearth.NumberOf(22) {
		t.Errorf("%+v", p)
	}
	r.Live(r.home, reading("reachable", hearth.BoolOf(false), r.now))
	if view, _ := r.Device(r.home, "radio:1"); view.Reachable {
		t.Error("it is reachable still")
	}
}

func TestInventory(t *testing.T) {
	r := newRig(t)
	r.put(sensor("radio:1"), sensor("radio:2"))
	r.Live(r.home, reading("temperature", hearth.NumberOf(20), r.now))
	r.events = nil
	r.put(sensor("radio:1"), sensor("radio:2"))
	if len(r.events) != 0 {
		t.Errorf("the same inventory is news: %q", r.events)
	}
	renamed := sensor("radio:1")
	renamed.Name = "Porch"
	r.put(renamed)
	if len(r.events) != 2 || !strings.Contains(r.events[0], `"name":"Porch"`) || r.events[1] != `device {"id":"radio:2","forgotten":true}` {
		t.Errorf("%q", r.events)
	}
	if p := r.value("temperature"); p.Value == nil || *p.Value != hearth.NumberOf(20) {
		t.Errorf("an inventory without values wiped one out: %+v", p)
	}
	r.events = nil
	r.must(r.DeviceEvent(r.home, []byte(`{"id":"radio:3","name":"New","properties":[]}`)))
	r.must(r.DeviceEvent(r.home, []byte(`{"id":"radio:1","forgotten":true}`)))
	if devices := r.Devices(r.home); len(devices) != 1 || devices[0].ID != "radio:3" || len(r.events) != 2 {
		t.Errorf("%+v, %q", devices, r.events)
	}
	for _, bad := range []string{"", "5", `{"id":"x"}`, `{"id":"radio:4","properties":[{"name":"X","kind":"bool"}]}`} {
		if err := r.DeviceEvent(r.home, []byte(bad)); hearth.ErrorOf(err).Code != hearth.CodeBadValue {
			t.Errorf("%s: %v", bad, err)
		}
	}
	twice := []hearth.DeviceView{sensor("radio:1"), sensor("radio:1")}
	for about, views := range map[string][]hearth.DeviceView{"twice": twice, "no id": {{}}, "too many": make([]hearth.DeviceView, MaxDevices+1)} {
		if err := r.Put(t.Context(), r.home, views); err == nil || hearth.ErrorOf(err).Code != hearth.CodeBadValue {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func TestRestart(t *testing.T) {
	r := newRig(t)
	_, err := r.store.Write(series.Write{Home: r.home, Points: []series.Point{
		{Series: "hearth,device=radio:1", Field: "temperature", Time: r.now.UnixNano(), Value: hearth.NumberOf(19)},
		{Series: "cpu", Field: "usage", Time: r.now.UnixNano(), Value: hearth.NumberOf(1)},
	}})
	r.must(err)
	r.put(sensor("radio:1")) // the values came before the inventory
	if p := r.value("temperature"); p.Value == nil || *p.Value != hearth.NumberOf(19) {
		t.Errorf("%+v", p)
	}
	backlog := uint64(7)
	r.Arrived(r.home, nil, []hearth.Gap{{To: hearth.Time{Time: r.now}}}, &backlog)
	r.must(r.Status(r.home, []byte(`{"version":"1.2","clock":{"trusted":true}}`)))
	before := r.view()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.must(r.Run(ctx)) // stores at its end
	r.open()
	if after := r.view(); !reflect.DeepEqual(after, before) || after.Backlog != 7 || after.Version != "1.2" || after.Alerts != 1 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if p := r.value("temperature"); p.Value == nil || *p.Value != hearth.NumberOf(19) {
		t.Errorf("%+v", p)
	}
}

func TestAlerts(t *testing.T) {
	r := newRig(t)
	if got := r.alerts(); got != "" {
		t.Errorf("a home that never was has %s", got)
	}
	r.Online(r.home, true)
	silent := sensor("radio:1")
	silent.Reachable = false
	r.put(silent, sensor("radio:2"))
	r.must(r.Status(r.home, []byte(`{"version":"1","clock":{"trusted":false},"drivers":[{"name":"radio","state":"running"},{"name":"meter","state":"waiting","error":"no such port"}]}`)))
	r.Arrived(r.home, nil, []hearth.Gap{{To: hearth.Time{Time: r.now.Add(-time.Hour)}}}, nil)
	if got, want := r.alerts(), "clock_untrusted, driver_down meter, device_silent radio:1, gap"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	r.Live(r.home, reading("reachable", hearth.BoolOf(true), r.now))
	r.Live(r.home, reading("temperature", hearth.NumberOf(1), r.now))
	r.must(r.Status(r.home, []byte(`{"version":"1","clock":{"trusted":true},"drivers":[{"name":"meter","state":"running"}]}`)))
	r.now = r.now.Add(24 * time.Hour)
	if got := r.alerts(); got != "" {
		t.Errorf("all is well again, but %s", got)
	}
	r.Online(r.home, false)
	r.now = r.now.Add(DarkAfter)
	if got := r.alerts(); got != "" || r.value("temperature").Stale {
		t.Errorf("too early: %s", got)
	}
	r.now = r.now.Add(time.Second)
	if got := r.alerts(); got != "gateway_dark" || !r.value("temperature").Stale || r.value("button").Stale {
		t.Errorf("%s, %+v", got, r.value("temperature"))
	}
	for _, bad := range []string{"", "[]", `{"version":5}`, `{"version":"` + strings.Repeat("x", 70_000) + `"}`} {
		if err := r.Status(r.home, []byte(bad)); err == nil {
			t.Errorf("%.20s is a status", bad)
		}
	}
}

func TestTargets(t *testing.T) {
	r := newRig(t)
	on, _ := hearth.Word("on")
	r.put(hearth.DeviceView{ID: "radio:1", Properties: []hearth.PropertyView{{Property: on.AsWritable()}}})
	command := func(id string, v bool, final bool) {
		r.Command(r.home, hearth.Record{Command: hearth.Command{ID: id, Device: "radio:1", Set: map[string]hearth.Value{"on": hearth.BoolOf(v)}}, Final: final})
	}
	command("a", true, false)
	command("b", false, false)
	command("a", true, true)
	if p := r.value("on"); p.Target == nil || *p.Target != hearth.BoolOf(false) {
		t.Errorf("%+v", p)
	}
	command("b", false, true)
	if p := r.value("on"); p.Target != nil {
		t.Errorf("%+v", p)
	}
}

func BenchmarkHomes1000(b *testing.B) {
	books, err := accounts.Open(b.Context(), accounts.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer books.Close()
	f, err := Open(b.Context(), Options{Accounts: books, Last: func(string) ([]series.Point, error) { return nil, nil }, Emit: func(string, string, any) {}})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		home, _, err := books.AddHome(b.Context(), "", fmt.Sprint("home ", i))
		if err != nil {
			b.Fatal(err)
		}
		var views []hearth.DeviceView
		for n := range 25 {
			views = append(views, sensor(hearth.ID(fmt.Sprint("radio:", n))))
		}
		if err := f.Put(b.Context(), home.ID, views); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		homes, err := books.Visible(b.Context(), hearth.Token{Scope: hearth.ScopeRead})
		if views := f.Homes(homes); err != nil || len(views) != 1000 {
			b.Fatal(len(views), err)
		}
	}
}

func FuzzGatewayEvents(f *testing.F) {
	f.Add([]byte(`{"version":"1","clock":{"trusted":true},"drivers":[{"name":"a","state":"running"}]}`))
	f.Add([]byte(`{"id":"radio:1","properties":[{"name":"on","kind":"bool","value":5}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		fleet := &Fleet{o: Options{Now: time.Now, Emit: func(string, string, any) {}}, homes: map[string]*home{}, book: newWordbook()}
		statusErr, deviceErr := fleet.Status("h", body), fleet.DeviceEvent("h", body)
		for _, view := range fleet.Devices("h") {
			if deviceErr != nil || view.ID.Check() != nil {
				t.Fatalf("%+v after %v", view, deviceErr)
			}
		}
		if statusErr == nil && !json.Valid(fleet.homes["h"].sighting.Status) {
			t.Fatal("a status that is no JSON is kept")
		}
	})
}
