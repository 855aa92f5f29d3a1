// Package drivertest is the conformance suite that every driver passes: what the gateway relies on, whatever the
// driver speaks with.
package drivertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"hearth"
)

// A Subject is a driver to be tested and what is expected of it.
type Subject struct {
	// New makes a fresh driver and the peer it speaks with; it is called once for every check. The peer runs by
	// itself and ends by t.Cleanup.
	New func(t *testing.T, env hearth.Env) Rig

	Name     string           // the driver's configured name, the first part of its devices' ids; "" means "test"
	Devices  []hearth.ID      // these must be announced, among others
	Command  hearth.Command   // must succeed, and should change something; without a Device the driver takes no commands
	Reports  []hearth.Reading // what must be reported after Command (times do not matter); nil: the states that Command sets
	Quick    time.Duration    // how fast Run ends when ctx does; 0 means 5 s
	Patience time.Duration    // how long to wait for what must happen; 0 means 15 s
}

// A Rig is one driver with its peer.
type Rig struct {
	Driver hearth.Driver
	Break  func() // breaks the connection for as long as Mend is not called; nil: it cannot be broken
	Mend   func() // what Break broke works again; nil: Run is not tried again after Break
}

// Run tests a driver. It counts goroutines, so nothing else may run in parallel with it.
func Run(t *testing.T, s Subject) {
	if s.Name == "" {
		s.Name = "test"
	}
	if s.Quick == 0 {
		s.Quick = 5 * time.Second
	}
	if s.Patience == 0 {
		s.Patience = 15 * time.Second
	}
	t.Run("announces, reports and stops", s.testLife)
	t.Run("runs again", s.testAgain)
	t.Run("stops at once", s.testStopAtOnce)
	t.Run("offline without Run", s.testOffline)
	t.Run("breaks and mends", s.testBreak)
	if s.Command.Device == "" {
		return
	}
	t.Run("does what it is told", s.testCommand)
	t.Run("honours the command's context", s.testContext)
	t.Run("takes several commands at once", s.testConcurrent)
}

// A trial is one driver while it runs.
type trial struct {
	Rig
	s      Subject
	before goroutines
	home   *Recorder
	cancel context.CancelFunc
	done   chan error
}

func (s Subject) start(t *testing.T) *trial {
	tr := &trial{Rig: s.New(t, NewEnv(t, s.Name)), s: s, before: running()}
	tr.run(t)
	return tr
}

// run begins a Run with a home that has heard nothing yet.
func (tr *trial) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	tr.cancel, tr.done = cancel, make(chan error, 1)
	tr.home = NewRecorder(tr.s.Name)
	home := tr.home
	t.Cleanup(cancel)
	go func() {
		err := tr.Driver.Run(ctx, home)
		home.End()
		tr.done <- err
	}()
	t.Cleanup(func() {
		for _, fault := range home.Faults() {
			t.Error(fault)
		}
	})
}

func (tr *trial) awaitDevices(t *testing.T) {
	t.Helper()
	tr.home.Await(t, tr.s.Patience, "the announcement of every expected device", func() bool {
		for _, id := range tr.s.Devices {
			if _, ok := tr.home.Device(id); !ok {
				return false
			}
		}
		return true
	})
}

// stop ends ctx: Run must return nil quickly and leave nothing behind.
func (tr *trial) stop(t *testing.T) {
	t.Helper()
	began := time.Now()
	tr.cancel()
	select {
	case err := <-tr.done:
		if err != nil {
			t.Errorf("Run returned %v when its context ended, want nil", err)
		}
	case <-time.After(tr.s.Quick):
		t.Fatalf("Run did not return within %v of its context's end\n%s", tr.s.Quick, running().since(tr.before))
	}
	t.Logf("Run returned %v after its context's end", time.Since(began).Round(time.Millisecond))
	tr.checkLeaks(t)
}

func (tr *trial) checkLeaks(t *testing.T) {
	t.Helper()
	if left := awaitGone(tr.before, tr.s.Quick); left != "" {
		t.Errorf("goroutines left after Run returned:\n%s", left)
	}
}

func (s Subject) testLife(t *testing.T) {
	tr := s.start(t)
	tr.awaitDevices(t)
	tr.stop(t)
}

func (s Subject) testAgain(t *testing.T) {
	tr := s.start(t)
	tr.awaitDevices(t)
	tr.stop(t)
	tr.run(t)
	tr.awaitDevices(t)
	tr.stop(t)
}

func (s Subject) testStopAtOnce(t *testing.T) {
	tr := s.start(t)
	tr.stop(t)
}

func (s Subject) testOffline(t *testing.T) {
	tr := &trial{Rig: s.New(t, NewEnv(t, s.Name)), s: s, before: running()}
	cmd := s.command()
	if cmd.Device == "" {
		cmd.Device, cmd.Set = hearth.ID(s.Name+":none"), map[string]hearth.Value{"on": hearth.BoolOf(true)}
	}
	offline := func(when string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), s.Quick)
		defer cancel()
		err := tr.Driver.Do(ctx, cmd)
		if s.Command.Device == "" && err != nil {
			return // it takes no commands, and says so in its own words
		}
		if !errors.Is(err, &hearth.Error{Code: hearth.CodeOffline}) {
			t.Errorf("Do %s Run answered %v, want an error of code %s", when, err, hearth.CodeOffline)
		}
	}
	offline("before")
	tr.run(t)
	tr.awaitDevices(t)
	tr.stop(t)
	offline("after")
}

func (s Subject) testBreak(t *testing.T) {
	tr := s.start(t)
	tr.awaitDevices(t)
	if tr.Break == nil {
		t.Log("this driver's connection cannot be broken")
		tr.stop(t)
		return
	}
	tr.Break()
	select {
	case err := <-tr.done:
		if err == nil {
			t.Error("Run returned nil when its connection broke, want an error that says why")
		} else {
			t.Logf("Run returned: %v", err)
		}
	case <-time.After(s.Patience):
		t.Fatalf("Run did not return within %v of the connection's break", s.Patience)
	}
	tr.checkLeaks(t)
	if tr.Mend == nil {
		return
	}
	tr.Mend()
	tr.run(t)
	tr.awaitDevices(t)
	tr.stop(t)
}

// command returns the subject's command with what home would fill in.
func (s Subject) command() hearth.Command {
	cmd := s.Command
	cmd.ID, cmd.By = hearth.NewCommandID(), "drivertest"
	cmd.Issued = hearth.Time{Time: time.Now()}
	cmd.Deadline = hearth.Time{Time: time.Now().Add(s.Patience)}
	return cmd
}

func (s Subject) testCommand(t *testing.T) {
	tr := s.start(t)
	tr.awaitDevices(t)
	device, ok := tr.home.Device(s.Command.Device)
	if !ok {
		t.Fatalf("the command's device %s was not announced", s.Command.Device)
	}
	for name, value := range s.Command.Set {
		p, ok := device.Property(name)
		if !ok || !p.Writable {
			t.Fatalf("%s of %s is not announced as writable", name, device.ID)
		}
		if err := p.Accepts(value); err != nil {
			t.Fatalf("the test's own command is no good: %v", err)
		}
	}
	heard := len(tr.home.Readings())
	ctx, cancel := context.WithTimeout(context.Background(), s.Patience)
	defer cancel()
	if err := tr.Driver.Do(ctx, s.command()); err != nil {
		t.Fatalf("Do: %v", err)
	}
	for _, want := range s.reports(device) {
		p, _ := device.Property(want.Property)
		tr.home.Await(t, s.Patience, "the report of "+want.Property+" after the command", func() bool {
			for _, r := range tr.home.Readings()[heard:] {
				if r.Device == want.Device && r.Property == want.Property && Close(p, r.Value, want.Value) {
					return true
				}
			}
			return false
		})
	}
	tr.stop(t)
}

// reports lists what must follow the command.
func (s Subject) reports(device hearth.Device) []hearth.Reading {
	if s.Reports != nil {
		return s.Reports
	}
	var wanted []hearth.Reading
	for name, value := range s.Command.Set {
		if p, _ := device.Property(name); !p.WriteOnly && !p.Momentary {
			wanted = append(wanted, hearth.Reading{Device: device.ID, Property: name, Value: value})
		}
	}
	return wanted
}

func (s Subject) testContext(t *testing.T) {
	tr := s.start(t)
	tr.awaitDevices(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	answer := make(chan error, 1)
	go func() { answer <- tr.Driver.Do(ctx, s.command()) }()
	select {
	case err := <-answer:
		if err == nil {
			t.Error("Do returned nil though its context had ended before")
		}
	case <-time.After(s.Quick):
		t.Fatalf("Do did not return within %v though its context had ended", s.Quick)
	}
	tr.stop(t)
}

// testConcurrent gives eight commands at once and four more while Run is stopped. A driver may refuse what is too much.
func (s Subject) testConcurrent(t *testing.T) {
	tr := s.start(t)
	tr.awaitDevices(t)
	ctx, cancel := context.WithTimeout(context.Background(), s.Patience)
	defer cancel()
	var wait sync.WaitGroup
	answers := make(chan error, 12)
	for range 8 {
		wait.Go(func() { answers <- tr.Driver.Do(ctx, s.command()) })
	}
	wait.Wait()
	if ctx.Err() != nil {
		t.Fatal("eight commands at once were not answered in time")
	}
	done := 0
	for range 8 {
		err := <-answers
		switch {
		case err == nil:
			done++
		case !errors.Is(err, &hearth.Error{Code: hearth.CodeBusy}):
			t.Errorf("one of eight commands at once: %v", err)
		}
	}
	if done == 0 {
		t.Error("none of eight commands at once was carried out")
	}
	for range 4 {
		wait.Go(func() { answers <- tr.Driver.Do(ctx, s.command()) })
	}
	tr.stop(t)
	wait.Wait()
	if ctx.Err() != nil {
		t.Error("commands on their way were not answered when Run ended")
	}
}
