package home

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
)

func states(r hearth.Record) []hearth.State {
	var s []hearth.State
	for _, step := range r.History {
		s = append(s, step.State)
	}
	return s
}

func TestLivesOfACommand(t *testing.T) {
	const a, s, p = hearth.Accepted, hearth.Sent, hearth.Applied
	for _, tt := range []struct {
		name   string
		set    map[string]hearth.Value
		before func(*rig)
		do     func(*rig) func(context.Context, hearth.Command) error
		want   []hearth.State
		code   string
	}{
		{name: "the device's report confirms it", set: on(true), do: func(r *rig) func(context.Context, hearth.Command) error {
			return func(context.Context, hearth.Command) error {
				go func() { time.Sleep(time.Second); r.report("on", hearth.BoolOf(true)) }()
				return nil
			}
		}, want: []hearth.State{a, s, p, hearth.Confirmed}},
		{name: "a report before the acknowledgement counts", set: on(true), do: func(r *rig) func(context.Context, hearth.Command) error {
			return func(context.Context, hearth.Command) error { r.report("on", hearth.BoolOf(true)); return nil }
		}, want: []hearth.State{a, s, p, hearth.Confirmed}},
		{name: "what it reports after that changes nothing", set: on(true), do: func(r *rig) func(context.Context, hearth.Command) error {
			return func(context.Context, hearth.Command) error {
				r.report("on", hearth.BoolOf(true))
				r.report("on", hearth.BoolOf(false))
				return nil
			}
		}, want: []hearth.State{a, s, p, hearth.Confirmed}},
		{name: "a rounded report confirms", set: map[string]hearth.Value{"brightness": hearth.NumberOf(40)}, do: func(r *rig) func(context.Context, hearth.Command) error {
			return func(context.Context, hearth.Command) error {
				r.report("brightness", hearth.NumberOf(40.2))
				return nil
			}
		}, want: []hearth.State{a, s, p, hearth.Confirmed}},
		{name: "another value does not confirm", set: on(true), do: func(r *rig) func(context.Context, hearth.Command) error {
			return func(context.Context, hearth.Command) error { r.report("on", hearth.BoolOf(false)); return nil }
		}, want: []hearth.State{a, s, p, hearth.Failed}, code: hearth.CodeUnconfirmed},
		{name: "half of what was asked does not confirm", set: map[string]hearth.Value{"on": hearth.BoolOf(true), "brightness": hearth.NumberOf(40)},
			before: func(r *rig) { r.report("brightness", hearth.NumberOf(10)) },
			do: func(r *rig) func(context.Context, hearth.Command) error {
				return func(context.Context, hearth.Command) error { r.report("on", hearth.BoolOf(true)); return nil }
			}, want: []hearth.State{a, s, p, hearth.Failed}, code: hearth.CodeUnconfirmed},
		{name: "a device that never reported it", set: on(true), want: []hearth.State{a, s, p}},
		{name: "write-only", set: map[string]hearth.Value{"identify": hearth.BoolOf(true)}, want: []hearth.State{a, s, p}},
		{name: "the device refuses the value", set: on(true), do: func(*rig) func(context.Context, hearth.Command) error {
			return func(context.Context, hearth.Command) error {
				return hearth.Errorf(hearth.CodeBadValue, "too bright")
			}
		}, want: []hearth.State{a, s, hearth.Rejected}, code: hearth.CodeBadValue},
		{name: "the device is away", set: on(true), do: func(*rig) func(context.Context, hearth.Command) error {
			return func(context.Context, hearth.Command) error {
				return hearth.Errorf(hearth.CodeOffline, "no answer")
			}
		}, want: []hearth.State{a, s, hearth.Failed}, code: hearth.CodeOffline},
		{name: "an error without a code", set: on(true), do: func(*rig) func(context.Context, hearth.Command) error {
			return func(context.Context, hearth.Command) error { return errors.New("broke off") }
		}, want: []hearth.State{a, s, hearth.Failed}, code: hearth.CodeFailed},
		{name: "no answer by the deadline", set: on(true), do: func(*rig) func(context.Context, hearth.Command) error {
			return func(ctx context.Context, _ hearth.Command) error { <-ctx.Done(); return ctx.Err() }
		}, want: []hearth.State{a, s, hearth.Failed}, code: hearth.CodeUnknownOutcome},
		{name: "the driver is down", set: on(true), before: func(r *rig) { r.Running("toy", false) },
			want: []hearth.State{a, hearth.Failed}, code: hearth.CodeOffline},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newDisk())
				defer r.stop()
				r.driver.Announce(lampDevice())
				if tt.before != nil {
					tt.before(r)
				}
				if tt.do != nil {
					r.do = tt.do(r)
				}
				rec, err := r.Do(hearth.Command{Device: lamp, Set: tt.set, By: "test"})
				if err != nil {
					t.Fatal(err)
				}
				rec = r.final(t, rec.ID)
				if !slices.Equal(states(rec), tt.want) || !rec.Final {
					t.Errorf("states %v, final %v; want %v", states(rec), rec.Final, tt.want)
				}
				if code := codeOf(rec.Error); code != tt.code {
					t.Errorf("error %v, want code %q", rec.Error, tt.code)
				}
			})
		})
	}
}

func codeOf(err *hearth.Error) string {
	if err == nil {
		return ""
	}
	return err.Code
}

func TestRefusedAtTheDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDisk())
		defer r.stop()
		r.driver.Announce(lampDevice())
		for _, tt := range []struct {
			cmd  hearth.Command
			code string
		}{
			{hearth.Command{Device: "toy:none", Set: on(true)}, hearth.CodeNoDevice},
			{hearth.Command{Device: lamp}, hearth.CodeBadValue},
			{hearth.Command{Device: lamp, Set: map[string]hearth.Value{"sparkle": hearth.BoolOf(true)}}, hearth.CodeNoDevice},
			{hearth.Command{Device: lamp, Set: map[string]hearth.Value{"temperature": hearth.NumberOf(3)}}, hearth.CodeReadOnly},
			{hearth.Command{Device: lamp, Set: map[string]hearth.Value{"on": hearth.NumberOf(1)}}, hearth.CodeBadValue},
			{hearth.Command{Device: lamp, Set: map[string]hearth.Value{"brightness": hearth.NumberOf(101)}}, hearth.CodeBadValue},
			{hearth.Command{ID: "a b", Device: lamp, Set: on(true)}, hearth.CodeBadValue},
			{hearth.Command{Device: lamp, Set: on(true), Deadline: hearth.Time{Time: time.Now().Add(40 * 24 * time.Hour)}}, hearth.CodeBadValue},
		} {
			if _, err := r.Do(tt.cmd); err == nil || hearth.ErrorOf(err).Code != tt.code {
				t.Errorf("%+v: %v, want code %s", tt.cmd, err, tt.code)
			}
		}
		if got := r.Commands("", ""); len(got) != 0 || len(r.sent) != 0 {
			t.Errorf("left behind %d records, %d sent", len(got), len(r.sent))
		}
	})
}

func TestSameIDIsTheSameCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		r := start(t, d)
		r.driver.Announce(lampDevice())
		cmd := hearth.Command{ID: "c1", Device: lamp, Set: map[string]hearth.Value{"identify": hearth.BoolOf(true)}}
		for range 3 {
			if _, err := r.Do(cmd); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		r.stop()
		r2 := start(t, d)
		defer r2.stop()
		if rec, err := r2.Do(cmd); err != nil || rec.State != hearth.Applied || !rec.Final {
			t.Errorf("after a restart: %+v, %v", rec, err)
		}
		synctest.Wait()
		if len(r.sent) != 1 || len(r2.sent) != 0 {
			t.Errorf("sent %d times, and %d after the restart", len(r.sent), len(r2.sent))
		}
		r2.trusted = false
		cmd.Deadline = hearth.Time{Time: time.Now().Add(-time.Hour)}
		if rec, err := r2.Do(cmd); err != nil || rec.State != hearth.Applied {
			t.Errorf("again, with a clock that cannot judge its deadline: %+v, %v", rec, err)
		}
		cmd.Set = on(true)
		if _, err := r2.Do(cmd); err == nil || hearth.ErrorOf(err).Code != hearth.CodeConflict {
			t.Errorf("other content under the same id: %v", err)
		}
	})
}

func TestNewerCommandSupersedesAWaitingOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDisk())
		defer r.stop()
		r.driver.Announce(lampDevice())
		free := make(chan struct{})
		r.do = func(_ context.Context, cmd hearth.Command) error {
			<-free
			for name, v := range cmd.Set {
				r.report(name, v)
			}
			return nil
		}
		give := func(set map[string]hearth.Value) string {
			rec, err := r.Do(hearth.Command{Device: lamp, Set: set})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return rec.ID
		}
		sent := give(on(true))
		waits := give(on(false))
		other := give(map[string]hearth.Value{"brightness": hearth.NumberOf(5)})
		newest := give(on(true))
		v, _ := r.Device(lamp)
		if target := v.Property("on").Target; target == nil || !target.Bool() {
			t.Errorf("target %v while on its way", target)
		}
		close(free)
		for id, want := range map[string]hearth.State{sent: hearth.Confirmed, waits: hearth.Superseded, other: hearth.Confirmed, newest: hearth.Confirmed} {
			if got := r.final(t, id).State; got != want {
				t.Errorf("%s: %s, want %s", id, got, want)
			}
		}
	})
}

func TestWaitingCommandExpiresOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDisk())
		defer r.stop()
		r.driver.Announce(lampDevice())
		r.do = func(ctx context.Context, _ hearth.Command) error { <-ctx.Done(); return ctx.Err() }
		if _, err := r.Do(hearth.Command{Device: lamp, Set: on(true)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begun := time.Now()
		rec, err := r.Do(hearth.Command{Device: lamp, Set: map[string]hearth.Value{"brightness": hearth.NumberOf(1)}, Deadline: hearth.Time{Time: begun.Add(time.Second)}})
		if err != nil {
			t.Fatal(err)
		}
		rec = r.final(t, rec.ID)
		if took := time.Since(begun); rec.State != hearth.Expired || took != time.Second {
			t.Errorf("%s after %s", rec.State, took)
		}
		past, err := r.Do(hearth.Command{Device: lamp, Set: on(false), Deadline: hearth.Time{Time: time.Now().Add(-time.Second)}})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.final(t, past.ID).State; got != hearth.Expired {
			t.Errorf("a command after its deadline is %s", got)
		}
		if len(r.sent) != 1 {
			t.Errorf("%d commands were sent", len(r.sent))
		}
	})
}

func TestCommandsAcrossACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		r := start(t, d)
		r.driver.Announce(lampDevice())
		hang := make(chan struct{})
		r.do = func(context.Context, hearth.Command) error { <-hang; return nil }
		far := hearth.Time{Time: time.Now().Add(time.Hour)}
		if _, err := r.Do(hearth.Command{ID: "sent", Device: lamp, Set: on(true), Deadline: far}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for id, deadline := range map[string]hearth.Time{"later": far, "late": {Time: time.Now().Add(time.Minute)}} {
			set := map[string]hearth.Value{"brightness": hearth.NumberOf(5)}
			if id == "late" {
				set = map[string]hearth.Value{"identify": hearth.BoolOf(true)}
			}
			if _, err := r.Do(hearth.Command{ID: id, Device: lamp, Set: set, Deadline: deadline}); err != nil {
				t.Fatal(err)
			}
		}
		r.saveDevices()
		crashed := &disk{d.devices.Clone(), drivertest.NewStore(), d.commands.Clone()}
		close(hang)
		synctest.Wait()
		r.stop()

		time.Sleep(2 * time.Minute)
		r2 := start(t, crashed)
		defer r2.stop()
		for id, want := range map[string]hearth.State{"sent": hearth.Failed, "late": hearth.Expired, "later": hearth.Applied} {
			if rec := r2.final(t, id); rec.State != want {
				t.Errorf("%s is %s, want %s", id, rec.State, want)
			}
		}
		if len(r2.sent) != 1 || r2.sent[0].ID != "later" {
			t.Errorf("sent after the crash: %v", r2.sent)
		}
	})
}

func TestDiskThatRefusesACommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		r := start(t, d)
		defer r.stop()
		r.driver.Announce(lampDevice())
		free := make(chan struct{})
		r.do = func(context.Context, hearth.Command) error { <-free; return nil }
		for _, id := range []string{"sent", "waits"} {
			if _, err := r.Do(hearth.Command{ID: id, Device: lamp, Set: map[string]hearth.Value{"identify": hearth.BoolOf(true)}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		d.commands.Fail(errors.New("no space left on device"))
		if _, err := r.Do(hearth.Command{Device: lamp, Set: map[string]hearth.Value{"identify": hearth.BoolOf(true)}}); err == nil {
			t.Error("a command that is not on disk was accepted")
		}
		if _, err := r.Do(hearth.Command{ID: "x", Device: lamp, Set: on(true)}); err == nil {
			t.Error("a command that is not on disk was accepted")
		}
		if _, known := r.Command("x"); known || len(r.sent) != 1 {
			t.Error("something is left of it")
		}
		d.commands.Fail(nil)
		close(free)
		if got := r.final(t, "waits"); got.State != hearth.Applied {
			t.Errorf("what it would have superseded is %s", got.State)
		}
	})
}

func TestOldRecordsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		r := start(t, d)
		defer r.stop()
		r.driver.Announce(lampDevice())
		for range maxRecords + 50 {
			rec, err := r.Do(hearth.Command{Device: lamp, Set: map[string]hearth.Value{"identify": hearth.BoolOf(true)}})
			if err != nil {
				t.Fatal(err)
			}
			r.final(t, rec.ID)
		}
		synctest.Wait()
		if n, m := len(r.Commands("", "")), d.commands.Len(); n != maxRecords || m != maxRecords {
			t.Errorf("%d records, %d on disk", n, m)
		}
	})
}
