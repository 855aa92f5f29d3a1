package sim

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
)

func on(b bool) map[string]hearth.Value { return map[string]hearth.Value{"on": hearth.BoolOf(b)} }

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Subject{
		New: func(t *testing.T, env hearth.Env) drivertest.Rig {
			return drivertest.Rig{Driver: newDriver(t, env, Config{})}
		},
		Devices: []hearth.ID{"test:light-1", "test:outlet-1", "test:thermostat-1", "test:motion-1", "test:cover-1", "test:button-1"},
		Command: hearth.Command{Device: "test:light-1", Set: map[string]hearth.Value{
			"on": hearth.BoolOf(true), "brightness": hearth.NumberOf(37.5), "color_temperature": hearth.NumberOf(3000), "transition": hearth.NumberOf(1),
		}},
		Quick: time.Second,
	})
}

func newDriver(t testing.TB, env hearth.Env, cfg Config) hearth.Driver {
	t.Helper()
	d, err := New(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// live runs a home inside a synctest bubble until the test's part of it is over.
func live(t *testing.T, env hearth.Env, cfg Config, part func(d hearth.Driver, home *drivertest.Recorder)) *drivertest.Recorder {
	t.Helper()
	d, home := newDriver(t, env, cfg), drivertest.NewRecorder(env.Name)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx, home) }()
	synctest.Wait()
	part(d, home)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	for _, fault := range home.Faults() {
		t.Error(fault)
	}
	return home
}

func TestWhatEveryHomeHas(t *testing.T) {
	for _, devices := range []int{0, 1, minDevices, 500} {
		synctest.Test(t, func(t *testing.T) {
			home := live(t, drivertest.NewEnv(t, "toy"), Config{Devices: devices}, func(hearth.Driver, *drivertest.Recorder) {})
			want := max(devices, minDevices)
			if devices == 0 {
				want = DefaultDevices
			}
			if got := home.Devices(); len(got) != want {
				t.Errorf("%d devices, want %d", len(got), want)
			}
			for id, tt := range map[hearth.ID]struct {
				hearth.Type
				properties string
			}{
				"toy:light-1":      {"light", "on brightness color_temperature"},
				"toy:outlet-1":     {"outlet", "on power energy"},
				"toy:thermostat-1": {"thermostat", "target_temperature temperature hvac_action"},
				"toy:motion-1":     {"sensor", "occupancy illuminance battery"},
				"toy:cover-1":      {"cover", "position movement"},
				"toy:button-1":     {"button", "button"},
			} {
				d, ok := home.Device(id)
				if !ok || d.Type != tt.Type {
					t.Errorf("%s is a %q (%v), want a %s", id, d.Type, ok, tt.Type)
				}
				for _, name := range strings.Fields(tt.properties) {
					if _, ok := d.Property(name); !ok {
						t.Errorf("%s has no %s", id, name)
					}
				}
			}
			for id, d := range home.Devices() {
				for _, p := range d.Properties {
					if _, ok := home.Last(id, p.Name); ok == (p.WriteOnly || p.Momentary) {
						t.Errorf("%s %s: reported after the announcement: %v", id, p.Name, ok)
					}
				}
			}
		})
	}
}

func TestSeedDecides(t *testing.T) {
	names := func(seed uint64) string {
		var all []string
		for _, d := range build("toy", Config{Devices: 60, Seed: seed}, time.Unix(0, 0)).devices {
			all = append(all, string(d.ID)+" "+d.Name)
		}
		return strings.Join(all, ", ")
	}
	one, again, two := names(1), names(1), names(2)
	if one != again {
		t.Error("the same seed made another home")
	}
	if one == two {
		t.Error("another seed made the same home")
	}
}

func TestCommands(t *testing.T) {
	number, text := hearth.NumberOf, hearth.TextOf
	type set = map[string]hearth.Value
	tests := map[string]struct {
		device  hearth.ID
		before  set
		set     set
		reports set
		code    string
	}{
		"light":            {device: "light-1", set: set{"on": hearth.BoolOf(true), "brightness": number(40)}, reports: set{"on": hearth.BoolOf(true), "brightness": number(40)}},
		"brightness is on": {device: "light-1", before: on(false), set: set{"brightness": number(12.5)}, reports: set{"on": hearth.BoolOf(true), "brightness": number(12.5)}},
		"brightness 0":     {device: "light-1", before: on(true), set: set{"brightness": number(0)}, reports: set{"on": hearth.BoolOf(false), "brightness": number(0)}},
		"on after 0":       {device: "light-1", before: set{"brightness": number(0)}, set: on(true), reports: set{"on": hearth.BoolOf(true), "brightness": number(100)}},
		"off with level":   {device: "light-1", set: set{"on": hearth.BoolOf(false), "brightness": number(30)}, reports: set{"on": hearth.BoolOf(false), "brightness": number(30)}},
		"again":            {device: "light-1", before: on(true), set: on(true), reports: on(true)},
		"identify":         {device: "light-1", set: set{"identify": hearth.BoolOf(true)}},
		"outlet off":       {device: "outlet-1", before: on(true), set: on(false), reports: set{"on": hearth.BoolOf(false), "power": number(0)}},
		"thermostat":       {device: "thermostat-1", set: set{"target_temperature": number(30)}, reports: set{"target_temperature": number(30), "hvac_action": text("heating")}},
		"lock":             {device: "lock-1", set: set{"lock": text("unlocked")}, reports: set{"lock": text("unlocked")}},
		"jam the lock":     {device: "lock-1", set: set{"lock": text("jammed")}, code: hearth.CodeBadValue},
		"fan":              {device: "fan-1", set: set{"fan_speed": number(70)}, reports: set{"on": hearth.BoolOf(true), "fan_speed": number(70)}},
		"nobody":           {device: "light-99", set: on(true), code: hearth.CodeNoDevice},
		"nothing":          {device: "outlet-1", set: set{"brightness": number(1)}, code: hearth.CodeNoDevice},
		"read only":        {device: "outlet-1", set: set{"power": number(1)}, code: hearth.CodeReadOnly},
		"too bright":       {device: "light-1", set: set{"brightness": number(101)}, code: hearth.CodeBadValue},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				live(t, drivertest.NewEnv(t, "toy"), Config{}, func(d hearth.Driver, home *drivertest.Recorder) {
					id := "toy:" + tt.device
					if tt.before != nil {
						if err := d.Do(t.Context(), hearth.Command{Device: id, Set: tt.before}); err != nil {
							t.Fatal(err)
						}
					}
					heard, began := len(home.Readings()), time.Now()
					err := d.Do(t.Context(), hearth.Command{Device: id, Set: tt.set})
					if tt.code != "" {
						if !errors.Is(err, &hearth.Error{Code: tt.code}) {
							t.Errorf("Do: %v, want code %s", err, tt.code)
						}
						return
					}
					if took := time.Since(began); err != nil || took > 50*time.Millisecond {
						t.Errorf("Do took %v: %v", took, err)
					}
					said := map[string]int{}
					for _, r := range home.Readings()[heard:] {
						said[r.Property]++
					}
					for property, want := range tt.reports {
						if got, _ := home.Last(id, property); got.Value != want || said[property] != 1 {
							t.Errorf("%s is %s, reported %d times, want %s once", property, got.Value, said[property], want)
						}
					}
				})
			})
		})
	}
}

func TestCoverTravels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live(t, drivertest.NewEnv(t, "toy"), Config{}, func(d hearth.Driver, home *drivertest.Recorder) {
			do := func(name string, v hearth.Value) {
				t.Helper()
				if err := d.Do(t.Context(), hearth.Command{Device: "toy:cover-1", Set: map[string]hearth.Value{name: v}}); err != nil {
					t.Fatal(err)
				}
			}
			position := func() float64 { r, _ := home.Last("toy:cover-1", "position"); return r.Value.Number() }
			do("movement", hearth.TextOf("close"))
			home.WaitFor(t, "toy:cover-1", "position", hearth.NumberOf(0))
			steps, began := home.Count("toy:cover-1", "position"), time.Now()
			do("movement", hearth.TextOf("open"))
			home.WaitFor(t, "toy:cover-1", "position", hearth.NumberOf(100))
			if took := time.Since(began); took < 2500*time.Millisecond || took > 3500*time.Millisecond {
				t.Errorf("full travel took %v", took)
			}
			if n := home.Count("toy:cover-1", "position") - steps; n < 10 {
				t.Errorf("%d position reports on the way, want more", n)
			}
			do("position", hearth.NumberOf(37.5))
			home.WaitFor(t, "toy:cover-1", "position", hearth.NumberOf(37.5))
			do("position", hearth.NumberOf(37.5))
			said := home.Count("toy:cover-1", "position")
			home.Wait(t, "the position again", func() bool { return home.Count("toy:cover-1", "position") > said })
			do("movement", hearth.TextOf("open"))
			home.Wait(t, "some way", func() bool { return position() > 50 })
			do("movement", hearth.TextOf("stop"))
			stopped := position()
			<-time.After(3 * time.Second)
			if stopped >= 100 || position() != stopped {
				t.Errorf("stopped at %v, now at %v", stopped, position())
			}
		})
	})
}

func TestDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := drivertest.NewEnv(t, "toy")
		start := time.Now()
		env.Now = func() (time.Time, bool) { // a summer's day from midnight on
			return time.Date(2026, 6, 21, 0, 0, 0, 0, time.UTC).Add(time.Since(start)), true
		}
		home := live(t, env, Config{Interval: DefaultInterval}, func(d hearth.Driver, home *drivertest.Recorder) {
			<-time.After(12 * time.Hour)
			if power, _ := home.Last("toy:meter-1", "power"); power.Value.Number() > -500 {
				t.Errorf("at noon in June the meter shows %s W", power.Value)
			}
			if light, _ := home.Last("toy:motion-1", "illuminance"); light.Value.Number() < 100 {
				t.Errorf("at noon the room has %s lx", light.Value)
			}
			if err := d.Do(t.Context(), hearth.Command{Device: "toy:thermostat-1", Set: map[string]hearth.Value{"target_temperature": hearth.NumberOf(27)}}); err != nil {
				t.Fatal(err)
			}
			<-time.After(3 * time.Hour)
			if r, _ := home.Last("toy:thermostat-1", "temperature"); r.Value.Number() < 26.5 || r.Value.Number() > 27.5 {
				t.Errorf("three hours after asking for 27 °C it is %s °C", r.Value)
			}
			<-time.After(9 * time.Hour)
		})
		last := map[hearth.Reading]float64{}
		for _, r := range home.Readings() {
			key := hearth.Reading{Device: r.Device, Property: r.Property}
			switch r.Property {
			case "energy", "energy_exported":
				if r.Value.Number() < last[key] {
					t.Fatalf("%s %s fell from %v to %s", r.Device, r.Property, last[key], r.Value)
				}
				last[key] = r.Value.Number()
			case "temperature":
				if v := r.Value.Number(); v < 10 || v > 33 {
					t.Fatalf("%s: %v °C", r.Device, v)
				}
			}
		}
		if n := home.Count("toy:button-1", "button"); n < 10 || n > 200 {
			t.Errorf("the button was pressed %d times in a day", n)
		}
		if n := home.Count("toy:motion-1", "occupancy"); n < 100 {
			t.Errorf("%d reports of the motion sensor in a day", n)
		}
		if puts := env.Store.(*drivertest.Store).Puts(); puts > 100 {
			t.Errorf("%d writes in a day", puts)
		}
	})
}

// snapshot is a store as a power cut would leave it.
func snapshot(t *testing.T, from hearth.Store) *drivertest.Store {
	t.Helper()
	to := drivertest.NewStore()
	if err := from.Each(to.Put); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestCountersContinue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := drivertest.NewEnv(t, "toy")
		var cut *drivertest.Store
		var before hearth.Reading
		home := live(t, env, Config{}, func(d hearth.Driver, home *drivertest.Recorder) {
			if err := d.Do(t.Context(), hearth.Command{Device: "toy:light-1", Set: map[string]hearth.Value{"color_temperature": hearth.NumberOf(4321)}}); err != nil {
				t.Fatal(err)
			}
			<-time.After(5*time.Hour + 17*time.Minute)
			before, _ = home.Last("toy:meter-1", "energy")
			cut = snapshot(t, env.Store)
		})
		end, _ := home.Last("toy:meter-1", "energy")
		home = live(t, env, Config{}, func(hearth.Driver, *drivertest.Recorder) {})
		after, _ := home.Last("toy:meter-1", "energy")
		if after.Value != end.Value {
			t.Errorf("after a clean restart the meter shows %s, before %s", after.Value, end.Value)
		}
		if r, _ := home.Last("toy:light-1", "color_temperature"); r.Value.Number() != 4321 {
			t.Errorf("the light has forgotten its colour: %s", r.Value)
		}
		env.Store = cut
		home = live(t, env, Config{}, func(hearth.Driver, *drivertest.Recorder) {})
		after, _ = home.Last("toy:meter-1", "energy")
		if jump := after.Value.Number() - before.Value.Number(); jump < 0 || jump > 1.1 {
			t.Errorf("after a power cut the meter shows %s, before %s", after.Value, before.Value)
		}
	})
}

func TestDamagedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, data := range []string{"", "{", `{"counters":{"meter-1":{"energy":-5}},"states":{"light-1":{"on":7}}}`, "\x00\xff"} {
			env := drivertest.NewEnv(t, "toy")
			if err := env.Store.Put(savedKey, []byte(data)); err != nil {
				t.Fatal(err)
			}
			live(t, env, Config{}, func(hearth.Driver, *drivertest.Recorder) {})
		}
	})
}

func TestConfigCheck(t *testing.T) {
	for _, tt := range []struct {
		Config
		want string
	}{
		{Config{}, ""}, {Config{Devices: 500, Interval: minInterval, Seed: 7}, ""},
		{Config{Devices: 1}, ""}, {Config{Devices: -1}, "devices"}, {Config{Devices: 1e6}, "devices"}, {Config{Interval: 1}, "interval"},
	} {
		err := tt.Check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), tt.want+":") {
			t.Errorf("%+v: %v, want an error about %q", tt.Config, err, tt.want)
		}
	}
}
