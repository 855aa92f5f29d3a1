package home

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
)

type sink struct {
	mu     sync.Mutex
	rows   []hearth.Reading
	urgent int
}

func (s *sink) Append(rs ...hearth.Reading) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, rs...)
	return nil
}

func (s *sink) Urgent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.urgent++
}

// disk is what a gateway keeps over a restart.
type disk struct{ devices, values, commands *drivertest.Store }

func newDisk() *disk {
	return &disk{drivertest.NewStore(), drivertest.NewStore(), drivertest.NewStore()}
}

// rig is one run of a home with one driver, toy, whose lamp does as do says.
type rig struct {
	*Home
	driver  hearth.Home
	sink    *sink
	trusted bool
	do      func(context.Context, hearth.Command) error
	sent    []hearth.Command
	stop    func()
}

const lamp = hearth.ID("toy:lamp")

func lampDevice() hearth.Device {
	on, _ := hearth.Word("on")
	brightness, _ := hearth.Word("brightness")
	temperature, _ := hearth.Word("temperature")
	button, _ := hearth.Word("button")
	identify, _ := hearth.Word("identify")
	return hearth.Device{ID: lamp, Name: "Lamp", Type: "light", Properties: []hearth.Property{
		on.AsWritable(), brightness.AsWritable(), temperature, button, identify,
	}}
}

func start(t *testing.T, d *disk) *rig {
	t.Helper()
	r := &rig{sink: &sink{}, trusted: true}
	h, err := Open(Options{
		Devices: d.devices, Values: d.values, Commands: d.commands, Sink: r.sink, Log: slog.New(slog.DiscardHandler),
		Now: func() (time.Time, bool) { return time.Now(), r.trusted },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Home = h
	r.driver = h.Attach("toy", "sim", func(ctx context.Context, cmd hearth.Command) error {
		r.sent = append(r.sent, cmd)
		if r.do == nil {
			return nil
		}
		return r.do(ctx, cmd)
	})
	h.Running("toy", true)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return r
}

func (r *rig) report(name string, v hearth.Value) {
	r.driver.Report(hearth.Reading{Device: lamp, Property: name, Value: v})
}

func on(v bool) map[string]hearth.Value { return map[string]hearth.Value{"on": hearth.BoolOf(v)} }

func (r *rig) final(t *testing.T, id string) hearth.Record {
	t.Helper()
	rec, err := r.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		r := start(t, d)
		sub := r.Subscribe(100)
		defer sub.Close()
		r.report("on", hearth.BoolOf(true))
		r.driver.Announce(lampDevice())
		now := time.Now().UTC()
		old := now.Add(-time.Hour)
		r.report("temperature", hearth.NumberOf(21.5))
		r.driver.Report(
			hearth.Reading{Device: lamp, Property: "temperature", Value: hearth.NumberOf(19), Time: old},
			hearth.Reading{Device: lamp, Property: "temperature", Value: hearth.TextOf("warm")},
			hearth.Reading{Device: lamp, Property: "unheard_of", Value: hearth.NumberOf(1)},
			hearth.Reading{Device: "other:lamp", Property: "on", Value: hearth.BoolOf(true)},
			hearth.Reading{Device: lamp, Property: "button", Value: hearth.TextOf("single")},
			hearth.Reading{Device: lamp, Property: "brightness", Value: hearth.NumberOf(7), Time: now.Add(48 * time.Hour)},
		)
		want := []hearth.Reading{
			{Device: lamp, Property: "temperature", Value: hearth.NumberOf(21.5), Time: now},
			{Device: lamp, Property: "temperature", Value: hearth.NumberOf(19), Time: old},
			{Device: lamp, Property: "button", Value: hearth.TextOf("single"), Time: now},
			{Device: lamp, Property: "brightness", Value: hearth.NumberOf(7), Time: now},
		}
		if !slices.Equal(r.sink.rows, want) || r.sink.urgent != 1 {
			t.Errorf("to the buffer went %v, %d times urgent", r.sink.rows, r.sink.urgent)
		}
		if r.Refused() != 4 {
			t.Errorf("refused %d", r.Refused())
		}
		v, _ := r.Device(lamp)
		if got := v.Property("temperature").Value; got == nil || got.Number() != 21.5 {
			t.Errorf("a late reading became the current value: %v", got)
		}
		if got := v.Property("button").Value; got != nil {
			t.Errorf("a momentary property has the value %v", got)
		}
		name := "Reading lamp"
		if _, err := r.Rename(lamp, &name, nil); err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for len(sub.C()) > 0 {
			kinds = append(kinds, (<-sub.C()).Kind)
		}
		if !slices.Equal(kinds, []string{"device", "reading", "reading", "reading", "reading", "device"}) {
			t.Errorf("events %v", kinds)
		}
		r.stop()
		r2 := start(t, d)
		defer r2.stop()
		v, _ = r2.Device(lamp)
		p := v.Property("temperature")
		if v.Name != name || p.Value == nil || p.Value.Number() != 21.5 || !p.Stale {
			t.Errorf("after a restart: %q, %v, stale %v", v.Name, p.Value, p.Stale)
		}
	})
}

func TestUntrustedClockMarksReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDisk())
		defer r.stop()
		r.driver.Announce(lampDevice())
		r.trusted = false
		r.driver.Report(hearth.Reading{Device: lamp, Property: "on", Value: hearth.BoolOf(true), Time: time.Now().Add(-time.Hour)})
		if got := r.sink.rows[0]; !got.Untrusted || !got.Time.Equal(time.Now()) {
			t.Errorf("%+v", got)
		}
		if _, err := r.Do(hearth.Command{Device: lamp, Set: on(true), Deadline: hearth.Time{Time: time.Now().Add(-time.Hour)}}); hearth.ErrorOf(err).Code != hearth.CodeBadValue {
			t.Errorf("a deadline was judged by an untrusted clock: %v", err)
		}
	})
}

func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDisk())
		defer r.stop()
		r.driver.Announce(lampDevice())
		for range 20 {
			r.report("temperature", hearth.NumberOf(20))
			time.Sleep(2 * time.Minute)
		}
		stale := func() bool { v, _ := r.Device(lamp); return v.Property("temperature").Stale }
		if stale() {
			t.Error("stale while it speaks")
		}
		time.Sleep(30 * time.Minute)
		if !stale() {
			t.Error("half an hour of silence of a device that speaks every two minutes")
		}
		r.report("temperature", hearth.NumberOf(20))
		if stale() {
			t.Error("stale after it spoke again")
		}
		r.Running("toy", false)
		if v, _ := r.Device(lamp); v.Reachable || !stale() {
			t.Error("reachable without its driver")
		}
	})
}

func TestSlowReaderLosesOnlyItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDisk())
		defer r.stop()
		r.driver.Announce(lampDevice())
		slow, quick := r.Subscribe(2), r.Subscribe(10)
		defer slow.Close()
		defer quick.Close()
		for range 5 {
			r.report("on", hearth.BoolOf(true))
		}
		if len(quick.C()) != 5 || quick.Lost() || len(slow.C()) != 2 || !slow.Lost() || slow.Lost() {
			t.Errorf("quick has %d, slow %d", len(quick.C()), len(slow.C()))
		}
	})
}

func TestViewHasTheInterfacesShape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDisk())
		defer r.stop()
		r.driver.Announce(lampDevice())
		r.report("on", hearth.BoolOf(false))
		v, _ := r.Device(lamp)
		data, err := json.Marshal(v.Properties[0])
		if err != nil {
			t.Fatal(err)
		}
		want := `{"name":"on","kind":"bool","unit":"","unit_code":"","writable":true,"momentary":false,"write_only":false,"min":null,"max":null,"options":null,` +
			`"value":false,"time":"2000-01-01T00:00:00.000Z","target":null,"stale":false}`
		if string(data) != want {
			t.Errorf("%s\nwant %s", data, want)
		}
	})
}
