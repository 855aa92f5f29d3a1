package fleet

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/series"
)

const plug = hearth.ID("direct:plug")

func announcement(every int, names ...string) hearth.Announcement {
	a := hearth.Announcement{Name: "Plug", Type: "outlet", Every: every}
	for _, name := range names {
		a.Properties = append(a.Properties, hearth.AnnouncedProperty{Name: name})
	}
	return a
}

func (r *rig) announce(id hearth.ID, a hearth.Announcement) {
	r.t.Helper()
	_, err := r.Announce(r.t.Context(), r.home, id, a)
	r.must(err)
}

// says has a device report, which the receiver stores and tells the fleet of.
func (r *rig) says(said ...hearth.DirectReading) {
	r.t.Helper()
	readings, err := r.Reported(r.home, said)
	r.must(err)
	var points []series.Point
	for _, x := range readings {
		points = append(points, series.Point{Series: "hearth,device=" + string(x.Device), Field: x.Property, Time: x.Time.UnixNano(), Value: x.Value})
	}
	_, err = r.store.Write(series.Write{Home: r.home, Points: points})
	r.must(err)
	r.Arrived(r.home, readings, nil, nil)
}

func power(watts float64) hearth.DirectReading {
	return hearth.DirectReading{Device: plug, Property: "power", Value: hearth.NumberOf(watts)}
}

func TestADirectDevice(t *testing.T) {
	r := newRig(t)
	var told []string
	r.o.Tell = func(_, _ string, body any) {
		if e, ok := body.(hearth.ReadingEvent); ok {
			told = append(told, e.Property+"="+e.Value.String())
		}
	}
	r.put(lampView())
	r.events = nil
	r.announce(plug, announcement(30, "power", "button"))
	if !slices.ContainsFunc(r.events, func(e string) bool { return strings.HasPrefix(e, `device {"id":"direct:plug"`) }) {
		t.Errorf("nobody is told: %q", r.events)
	}
	r.says(power(12), hearth.DirectReading{Device: plug, Property: "button", Value: hearth.TextOf("single")})
	r.says(hearth.DirectReading{Device: plug, Property: "power", Value: hearth.NumberOf(9), Time: hearth.Time{Time: r.now.Add(-time.Hour)}}) // late, and not newer
	if got := strings.Join(told, " "); got != `power=12 button="single"` {
		t.Errorf("told: %s", got)
	}
	check := func(when string) {
		t.Helper()
		all := r.Devices(r.home)
		if len(all) != 2 || all[0].Driver == hearth.DirectDriver {
			t.Fatalf("%s: %+v", when, all)
		}
		d := all[1]
		if p := d.Property("power"); d.ID != plug || d.Driver != "direct" || d.Name != "Plug" || !d.Reachable || p.Value == nil || *p.Value != hearth.NumberOf(12) || p.Unit != "W" || p.Writable || p.Stale {
			t.Errorf("%s: %+v", when, d)
		}
		if one, ok := r.Device(r.home, plug); !ok || one.ID != plug {
			t.Errorf("%s: it is not found by itself", when)
		}
		if err := d.CheckSet(map[string]hearth.Value{"power": hearth.NumberOf(1)}); hearth.ErrorOf(err).Code != hearth.CodeReadOnly {
			t.Errorf("%s: a command: %v", when, err)
		}
	}
	check("at first")
	r.put(lampView()) // the gateway's inventory is another thing
	check("after an inventory")
	r.open()
	check("after a restart")
	seen := 0
	r.Look(r.home, func(*hearth.DeviceView) bool { seen++; return true })
	if seen != 2 {
		t.Errorf("Look shows %d", seen)
	}
	r.events = nil
	r.announce(plug, announcement(30, "power", "button"))
	if len(r.events) != 0 {
		t.Errorf("what is known already is told again: %q", r.events)
	}
	r.announce(plug, announcement(30, "power"))
	if d, _ := r.Device(r.home, plug); len(d.Properties) != 1 || d.Property("power").Value == nil {
		t.Errorf("announced anew: %+v", d)
	}
	r.must(r.Forget(t.Context(), r.home, plug))
	if _, ok := r.Device(r.home, plug); ok || !strings.Contains(r.events[len(r.events)-1], `"forgotten":true`) {
		t.Errorf("forgotten: %v, %q", ok, r.events)
	}
	if err := r.Forget(t.Context(), r.home, plug); hearth.ErrorOf(err).Code != hearth.CodeNoDevice {
		t.Errorf("forgotten twice: %v", err)
	}
	r.open()
	if len(r.Devices(r.home)) != 1 {
		t.Error("it is back after a restart")
	}
}

func lampView() hearth.DeviceView {
	return hearth.DeviceView{ID: "radio:1", Name: "Lamp", Type: "light", Driver: "radio", Reachable: true, Properties: words("on")}
}

func TestWhatDirectDevicesMayNot(t *testing.T) {
	r := newRig(t)
	r.put(hearth.DeviceView{ID: "direct:taken", Driver: "direct", Properties: words("on")})
	with := func(change func(*hearth.Announcement)) hearth.Announcement {
		a := announcement(0, "power")
		change(&a)
		return a
	}
	for _, test := range []struct {
		id   hearth.ID
		a    hearth.Announcement
		code string
	}{
		{"radio:1", announcement(0, "power"), hearth.CodeBadValue},
		{"direct:", announcement(0, "power"), hearth.CodeBadValue},
		{"direct:a/b", announcement(0, "power"), hearth.CodeBadValue},
		{"direct:taken", announcement(0, "power"), hearth.CodeConflict},
		{plug, announcement(0), hearth.CodeBadValue},
		{plug, announcement(0, "power", "power"), hearth.CodeBadValue},
		{plug, announcement(0, "unheard_of"), hearth.CodeBadValue},
		{plug, announcement(0, "identify"), hearth.CodeBadValue},
		{plug, announcement(-1, "power"), hearth.CodeBadValue},
		{plug, with(func(a *hearth.Announcement) { a.Type = "spaceship" }), hearth.CodeBadValue},
		{plug, with(func(a *hearth.Announcement) { a.Name = strings.Repeat("x", 101) }), hearth.CodeBadValue},
		{plug, with(func(a *hearth.Announcement) { a.Room = "a\nb" }), hearth.CodeBadValue},
		{plug, with(func(a *hearth.Announcement) { a.Properties[0].Writable = true }), hearth.CodeBadValue},
		{plug, with(func(a *hearth.Announcement) { a.Properties[0] = hearth.AnnouncedProperty{Name: "x", Kind: "colour"} }), hearth.CodeBadValue},
		{plug, with(func(a *hearth.Announcement) { a.Properties[0] = hearth.AnnouncedProperty{Name: "X", Kind: "bool"} }), hearth.CodeBadValue},
		{plug, with(func(a *hearth.Announcement) { a.Properties[0].Options = []string{strings.Repeat("x", 200)} }), hearth.CodeBadValue},
		{plug, with(func(a *hearth.Announcement) { a.Properties = make([]hearth.AnnouncedProperty, mostProperty+1) }), hearth.CodeBadValue},
	} {
		if _, err := r.Announce(t.Context(), r.home, test.id, test.a); hearth.ErrorOf(err).Code != test.code {
			t.Errorf("%s %+v: %v, want %s", test.id, test.a, err, test.code)
		}
	}
	if _, err := r.Announce(t.Context(), "none", plug, announcement(0, "power")); hearth.ErrorOf(err).Code != hearth.CodeNotFound {
		t.Errorf("in no home: %v", err)
	}
	r.announce(plug, with(func(a *hearth.Announcement) {
		a.Properties = append(a.Properties, hearth.AnnouncedProperty{Name: "own", Kind: hearth.Text, Unit: "x"})
	}))
	for _, said := range []hearth.DirectReading{
		{Device: plug, Property: "energy", Value: hearth.NumberOf(1)},
		{Device: plug, Property: "power", Value: hearth.BoolOf(true)},
		{Device: plug, Property: "power"},
		{Device: plug, Property: "own", Value: hearth.TextOf(strings.Repeat("x", hearth.MaxText+1))},
		{Device: plug, Property: "power", Value: hearth.NumberOf(1), Time: hearth.Time{Time: r.now.Add(time.Hour)}},
		{Device: plug, Property: "power", Value: hearth.NumberOf(1), Time: hearth.Time{Time: time.Date(1970, 1, 1, 0, 5, 0, 0, time.UTC)}},
		{Device: "direct:other", Property: "power", Value: hearth.NumberOf(1)},
		{Device: "direct:taken", Property: "on", Value: hearth.BoolOf(true)},
	} {
		if _, err := r.Reported(r.home, []hearth.DirectReading{power(1), said}); err == nil {
			t.Errorf("%+v was taken", said)
		}
	}
	for _, n := range []int{0, mostReported + 1} {
		if _, err := r.Reported(r.home, make([]hearth.DirectReading, n)); err == nil {
			t.Errorf("%d readings were taken", n)
		}
	}
	// Without a time they are of now, and two of one property are two.
	readings, err := r.Reported(r.home, []hearth.DirectReading{power(1), power(2), {Device: plug, Property: "own", Value: hearth.TextOf("x")}})
	if err != nil || !readings[0].Time.Equal(r.now) || !readings[1].Time.Equal(r.now.Add(time.Millisecond)) || !readings[2].Time.Equal(r.now) {
		t.Errorf("%+v, %v", readings, err)
	}
	for i := range MaxDirect - 1 {
		r.announce(hearth.ID(fmt.Sprintf("direct:%d", i)), announcement(0, "power"))
	}
	if _, err := r.Announce(t.Context(), r.home, "direct:more", announcement(0, "power")); hearth.ErrorOf(err).Code != hearth.CodeBusy {
		t.Errorf("one too many: %v", err)
	}
	r.must(r.Forget(t.Context(), r.home, "direct:0"))
	r.announce("direct:more", announcement(0, "power"))
}

// A device that promised to speak and does not is gone, whatever its home's gateway does; one that promised nothing is not.
func TestADirectDeviceFallsSilent(t *testing.T) {
	r := newRig(t)
	r.announce(plug, announcement(60, "power", "battery"))
	r.announce("direct:door", announcement(0, "open"))
	r.says(power(1))
	r.events = nil
	pass := func(d time.Duration) { r.now = r.now.Add(d); r.listen() }
	pass(2 * time.Minute)
	if d, _ := r.Device(r.home, plug); !d.Reachable || len(r.events) != 0 {
		t.Errorf("too early: %+v", d)
	}
	pass(2 * time.Minute)
	d, _ := r.Device(r.home, plug)
	if d.Reachable || !d.Property("power").Stale || len(r.events) != 1 {
		t.Errorf("silent: %+v, %q", d, r.events)
	}
	conditions, _ := r.Wrong(r.home)
	if len(conditions) != 1 || conditions[0].Kind != hearth.AlertDeviceSilent || conditions[0].About != string(plug) || !strings.Contains(conditions[0].Detail, "60 s") {
		t.Errorf("%+v", conditions)
	}
	if door, _ := r.Device(r.home, "direct:door"); !door.Reachable {
		t.Error("who promised nothing is gone")
	}
	r.says(power(2), hearth.DirectReading{Device: plug, Property: "battery", Value: hearth.NumberOf(5)})
	if d, _ = r.Device(r.home, plug); !d.Reachable || d.Property("power").Stale {
		t.Errorf("back: %+v", d)
	}
	if conditions, _ = r.Wrong(r.home); len(conditions) != 1 || conditions[0].Kind != hearth.AlertBatteryLow {
		t.Errorf("%+v", conditions)
	}
	// While the receiver was away it had nobody to speak to.
	r.now = r.now.Add(time.Hour)
	r.open()
	if pass(time.Minute); len(r.events) != 0 {
		t.Errorf("after a restart: %q", r.events)
	}
	if pass(3 * time.Minute); len(r.events) != 1 {
		t.Errorf("after a restart and its time: %q", r.events)
	}
}

// What others write beside a gateway is no sign of it.
func TestOthersDoNotStandInForTheGateway(t *testing.T) {
	r := newRig(t)
	r.Online(r.home, true)
	r.Online(r.home, false)
	r.announce(plug, announcement(60, "power"))
	r.now = r.now.Add(time.Hour)
	r.says(power(1))
	r.Live(r.home, hearth.Reading{Device: plug, Property: "power", Value: hearth.NumberOf(2), Time: r.now})
	r.now = r.now.Add(10 * time.Second)
	r.opened = r.now.Add(-2 * time.Hour)
	if conditions, known := r.Wrong(r.home); !known || len(conditions) == 0 || conditions[0].Kind != hearth.AlertGatewayDark {
		t.Errorf("%+v, %v", conditions, known)
	}
}

// Those who listen to the broker are told once: not of what came over it, and not of what another receiver took in.
func TestToldOnce(t *testing.T) {
	r := newRig(t)
	var told []string
	r.o.Tell = func(_, kind string, _ any) { told = append(told, kind) }
	want := func(what, kinds string) {
		t.Helper()
		if got := strings.Join(told, " "); got != kinds {
			t.Errorf("%s: told %q, want %q", what, got, kinds)
		}
		told = nil
	}
	reading := func(s int) []hearth.Reading {
		return []hearth.Reading{{Device: "radio:1", Property: "on", Value: hearth.BoolOf(s%2 == 0), Time: r.now.Add(time.Duration(s) * time.Second)}}
	}
	r.put(lampView())
	want("an inventory", "device")
	r.Live(r.home, reading(1)[0])
	want("a live value", "")
	r.Arrived(r.home, reading(1), nil, nil)
	want("the same in a batch", "")
	r.Arrived(r.home, reading(2), nil, nil)
	want("a newer one in a batch", "reading")
	r.ArrivedElsewhere(r.home, reading(3), nil, nil)
	want("one that another receiver took", "")
	r.must(r.load(t.Context(), 0))
	r.Fleet.mu.Lock()
	r.of(r.home).changed = 0
	r.Fleet.mu.Unlock()
	r.must(r.load(t.Context(), 0))
	want("what is read back", "")
}

// A receiver on the same database learns of it, and that it was forgotten.
func TestDirectDevicesElsewhere(t *testing.T) {
	r := newRig(t)
	other, here := r.Fleet, r.now.Add(-time.Minute).UnixMilli()
	r.open()
	r.announce(plug, announcement(0, "power"))
	r.says(power(7))
	r.must(other.load(t.Context(), here))
	if d, ok := other.Device(r.home, plug); !ok || d.Property("power").Value == nil {
		t.Errorf("%+v, %v", d, ok)
	}
	r.must(r.Forget(t.Context(), r.home, plug))
	r.must(other.load(t.Context(), here))
	if _, ok := other.Device(r.home, plug); ok {
		t.Error("it is still there elsewhere")
	}
}
