package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/edge/home"
	"hearth/edge/state"
	"hearth/edge/supervise"
)

// A rogue is a driver that misbehaves as it is told.
type rogue struct {
	run func(context.Context, hearth.Home) error
	do  func(context.Context, hearth.Command) error
}

func (r rogue) Run(ctx context.Context, h hearth.Home) error     { return r.run(ctx, h) }
func (r rogue) Do(ctx context.Context, c hearth.Command) error   { return r.do(ctx, c) }
func (r rogue) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }
func quietly(ctx context.Context, _ hearth.Home) error           { <-ctx.Done(); return nil }
func (r rogue) as(make func() error) DriverConfig {
	return DriverConfig{Type: "rogue", config: new(int), build: func(hearth.Env, string) (hearth.Driver, error) {
		if err := make(); err != nil {
			return nil, err
		}
		return r, nil
	}}
}

func fine() error { return nil }

// lamp announces a device with one switch.
func lamp(ctx context.Context, h hearth.Home) error {
	on, _ := hearth.Word("on")
	h.Announce(hearth.Device{ID: "good:lamp", Type: "light", Properties: []hearth.Property{on.AsWritable()}})
	<-ctx.Done()
	return nil
}

func TestRogueDrivers(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	var tries atomic.Int32
	cfg := DefaultConfig()
	cfg.Data, cfg.Web.Listen = t.TempDir(), "127.0.0.1:0"
	cfg.Drivers = map[string]DriverConfig{
		"cannot":   rogue{}.as(func() error { return errors.New("no such profile") }),
		"panics":   rogue{run: func(context.Context, hearth.Home) error { panic("index out of range") }}.as(fine),
		"explodes": rogue{}.as(func() error { panic("while being made") }),
		"hangs":    rogue{run: func(context.Context, hearth.Home) error { <-release; return nil }}.as(fine),
		"late": rogue{run: quietly}.as(func() error {
			if tries.Add(1) == 1 {
				return errors.New("not yet")
			}
			return nil
		}),
		"good": rogue{run: lamp, do: func(context.Context, hearth.Command) error { panic("while switching") }}.as(fine),
	}
	said := &log{}
	g := &gateway{cfg: cfg, log: slog.New(slog.NewTextHandler(said, nil)), started: time.Now(), o: Options{Log: slog.New(slog.DiscardHandler)}}
	if err := g.open(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- g.run(ctx) }()
	want := map[string]string{
		"cannot": "waiting: no such profile", "panics": "waiting: panic: index out of range", "explodes": "waiting: panic: while being made",
		"hangs": "running: ", "late": "running: not yet", "good": "running: ",
	}
	eventually(t, "every driver as it should be", func() bool {
		list := g.fleet.list()
		for _, d := range list {
			// Between two tries a broken one is running for a moment.
			if got := d.State + ": " + d.Error; got != want[d.Name] && got != strings.Replace(want[d.Name], "waiting", "running", 1) {
				return false
			}
		}
		return len(list) == len(want)
	})
	eventually(t, "the lamp", func() bool { d, ok := g.home.Device("good:lamp"); return ok && d.Reachable })
	rec, err := g.home.Do(hearth.Command{Device: "good:lamp", Set: map[string]hearth.Value{"on": hearth.BoolOf(true)}})
	if err != nil {
		t.Fatal(err)
	}
	if rec, err = g.home.Wait(t.Context(), rec.ID); err != nil || rec.State != hearth.Failed || !strings.Contains(rec.Error.Message, "while switching") {
		t.Errorf("a panic while carrying out a command: %+v, %v", rec, err)
	}
	if g.fleet.handler("good") == nil || g.fleet.handler("cannot") != nil || g.fleet.handler("none") != nil {
		t.Error("a driver's own pages are not found, or found where there are none")
	}
	asked := time.Now()
	cancel()
	if err := errors.Join(<-done, g.close()); err != nil {
		t.Error(err)
	}
	if took := time.Since(asked); took > 5*time.Second {
		t.Errorf("with a driver that hangs, the stop took %v", took)
	}
	if text := said.String(); strings.Count(text, "a driver does not stop") != 1 || !strings.Contains(text, `"a driver does not stop" driver=hangs`) {
		t.Errorf("want the driver that hangs named, and it alone: %s", text)
	}
}

// TestCorePartFails: without a core part there is no gateway; the service manager starts it again.
func TestCorePartFails(t *testing.T) {
	failed := make(chan error, 1)
	for name, fn := range map[string]func(context.Context) error{
		"error":  func(context.Context) error { return errors.New("broken") },
		"panic":  func(context.Context) error { panic("broken") },
		"ending": func(context.Context) error { return nil },
	} {
		p := newParts(failed)
		p.run(name, fn)
		if err := <-failed; !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s: %v", name, err)
		}
		if !p.stop(time.Second) {
			t.Errorf("%s does not stop", name)
		}
	}
}

// A driver that is away is no alarm until it has had the time to come back by itself.
func TestDriverAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		db, err := state.Open(filepath.Join(t.TempDir(), stateFile), quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		h, err := home.Open(home.Options{
			Devices: db.Bucket("devices"), Values: db.Bucket("values"), Commands: db.Bucket("commands"),
			Now: func() (time.Time, bool) { return time.Now(), true }, Log: quiet,
		})
		if err != nil {
			t.Fatal(err)
		}
		u := &unit{name: "radio", config: DriverConfig{Type: "rogue"}, status: supervise.Status{State: supervise.Waiting, Error: "the stick is not there"}}
		f := &fleet{home: h, now: time.Now, units: map[string]*unit{"radio": u}}
		face := h.Attach("radio", "rogue", func(context.Context, hearth.Command) error { return nil })
		alarm := func(when, want string) {
			t.Helper()
			if got := strings.Join(f.alarms(), "; "); got != want {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		time.Sleep(alarmTime - time.Second)
		alarm("away for a moment", "")
		time.Sleep(time.Second)
		alarm("away for long", "driver radio: the stick is not there")
		h.Running("radio", true)
		alarm("trying", "driver radio: the stick is not there")
		face.Announce(hearth.Device{ID: "radio:1"})
		alarm("there", "")
		h.Running("radio", false)
		alarm("away again", "")
	})
}
