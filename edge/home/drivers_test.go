package home

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

// A driver that is between two tries costs a command time, and nothing else.
func TestCommandWaitsForItsDriver(t *testing.T) {
	const a, s, p, f = hearth.Accepted, hearth.Sent, hearth.Applied, hearth.Failed
	for _, tt := range []struct {
		name string
		away func(*rig) // from the moment of the command
		want []hearth.State
		took time.Duration
		code string
	}{
		{name: "it comes back and speaks", want: []hearth.State{a, s, p, hearth.Confirmed}, took: 3 * time.Second, away: func(r *rig) {
			time.Sleep(3 * time.Second)
			r.Running("toy", true)
			r.report("temperature", hearth.NumberOf(20))
		}},
		{name: "it comes back and is silent", want: []hearth.State{a, s, p, hearth.Confirmed}, took: 3*time.Second + settle, away: func(r *rig) {
			time.Sleep(3 * time.Second)
			r.Running("toy", true)
		}},
		{name: "it tries, and tries again", want: []hearth.State{a, s, p, hearth.Confirmed}, took: 5 * time.Second, away: func(r *rig) {
			for range 5 {
				time.Sleep(900 * time.Millisecond)
				r.Running("toy", true)
				time.Sleep(100 * time.Millisecond)
				if r.sent != nil {
					t.Error("a driver that was only trying was given the command")
				}
				r.Running("toy", false)
			}
			r.Running("toy", true)
			r.driver.Announce(lampDevice())
		}},
		{name: "it does not come back", want: []hearth.State{a, f}, took: patience, code: hearth.CodeOffline, away: func(*rig) {}},
		{name: "it is no longer configured", want: []hearth.State{a, f}, took: patience, code: hearth.CodeOffline, away: func(r *rig) { r.Detach("toy") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newDisk())
				defer r.stop()
				r.driver.Announce(lampDevice())
				r.report("on", hearth.BoolOf(true))
				r.Running("toy", false)
				began := time.Now()
				rec, err := r.Do(hearth.Command{Device: lamp, Set: on(true)})
				if err != nil {
					t.Fatal(err)
				}
				tt.away(r)
				rec = r.final(t, rec.ID)
				if took := time.Since(began); !slices.Equal(states(rec), tt.want) || codeOf(rec.Error) != tt.code || took != tt.took {
					t.Errorf("states %v, error %v, after %v; want %v, %q, %v", states(rec), rec.Error, took, tt.want, tt.code, tt.took)
				}
			})
		})
	}
}

// A driver that says when it is connected is not taken to be so before, however long it tries; nor by a try that is over.
func TestConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDisk())
		defer r.stop()
		r.driver.Announce(lampDevice())
		try := func() func() {
			r.Running("toy", false)
			r.Running("toy", true)
			connected := r.driver.(hearth.Patient).Connecting()
			time.Sleep(time.Minute)
			return connected
		}
		first := try()
		connected := try()
		if since, away := r.Away("toy"); !away || since != 2*time.Minute {
			t.Errorf("away is %v, for %v", away, since)
		}
		r.Running("toy", false)
		first()
		if _, away := r.Away("toy"); !away {
			t.Error("a try that is over has connected it")
		}
		r.Running("toy", true)
		connected()
		if _, away := r.Away("toy"); away {
			t.Error("it is connected, and away")
		}
	})
}

// A driver may forget what the home has not taken in, or has forgotten itself: nothing is wrong with that.
func TestForgetWhatIsNotThere(t *testing.T) {
	var log bytes.Buffer
	d := newDisk()
	h, err := Open(Options{
		Devices: d.devices, Values: d.values, Commands: d.commands, Sink: &sink{}, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Now: func() (time.Time, bool) { return time.Now(), true },
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Attach("toy", "sim", func(context.Context, hearth.Command) error { return nil }).Forget("toy:nobody")
	if log.Len() > 0 {
		t.Errorf("%s", &log)
	}
}

// Whoever presses a button beside a driver that has long been gone is told at once.
func TestDriverLongGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDisk())
		defer r.stop()
		r.driver.Announce(lampDevice())
		r.Running("toy", false)
		time.Sleep(time.Minute)
		began := time.Now()
		rec, err := r.Do(hearth.Command{Device: lamp, Set: on(true)})
		if err != nil {
			t.Fatal(err)
		}
		if rec = r.final(t, rec.ID); codeOf(rec.Error) != hearth.CodeOffline || time.Since(began) != 0 {
			t.Errorf("%s, %v, after %v", rec.State, rec.Error, time.Since(began))
		}
	})
}

// A command that nothing is before is written once until the driver has it: each write waits for the disk.
func TestOneWriteBeforeTheDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		r := start(t, d)
		defer r.stop()
		r.driver.Announce(lampDevice())
		begun, goOn := make(chan struct{}), make(chan struct{})
		r.do = func(context.Context, hearth.Command) error { close(begun); <-goOn; return nil }
		sub := r.Subscribe(10)
		defer sub.Close()
		rec, err := r.Do(hearth.Command{Device: lamp, Set: map[string]hearth.Value{"identify": hearth.BoolOf(true)}})
		if err != nil {
			t.Fatal(err)
		}
		<-begun
		if d.commands.Puts() != 1 || !slices.Equal(states(rec), []hearth.State{hearth.Accepted, hearth.Sent}) {
			t.Errorf("%d writes, states %v", d.commands.Puts(), states(rec))
		}
		close(goOn)
		r.final(t, rec.ID)
		for _, want := range []hearth.State{hearth.Accepted, hearth.Sent, hearth.Applied} {
			if e := <-sub.C(); e.Command.State != want {
				t.Errorf("told %s, want %s", e.Command.State, want)
			}
		}
	})
}
