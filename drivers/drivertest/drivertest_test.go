package drivertest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"hearth"
)

// lamp is the smallest driver that keeps the contract.
type lamp struct {
	mu     sync.Mutex
	home   hearth.Home // nil without Run
	broken chan struct{}
}

func (l *lamp) Run(ctx context.Context, home hearth.Home) error {
	l.connect(home)
	defer l.connect(nil)
	on, _ := hearth.Word("on")
	home.Announce(hearth.Device{ID: "test:lamp", Type: "light", Properties: []hearth.Property{on.AsWritable()}})
	home.Report(hearth.Reading{Device: "test:lamp", Property: "on", Value: hearth.BoolOf(false)})
	select {
	case <-ctx.Done():
		return nil
	case <-l.broken:
		return errors.New("the lamp was unplugged")
	}
}

// connect takes the lock, so that Do is done with home before Run returns.
func (l *lamp) connect(home hearth.Home) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.home = home
}

func (l *lamp) Do(ctx context.Context, cmd hearth.Command) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.home == nil {
		return hearth.Errorf(hearth.CodeOffline, "the lamp is not connected")
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.home.Report(hearth.Reading{Device: cmd.Device, Property: "on", Value: cmd.Set["on"]})
	return nil
}

func TestSuiteWithGoodDriver(t *testing.T) {
	Run(t, Subject{
		New: func(*testing.T, hearth.Env) Rig {
			broken := make(chan struct{}, 1)
			return Rig{Driver: &lamp{broken: broken}, Break: func() { broken <- struct{}{} }, Mend: func() {}}
		},
		Devices: []hearth.ID{"test:lamp"},
		Command: hearth.Command{Device: "test:lamp", Set: map[string]hearth.Value{"on": hearth.BoolOf(true)}},
	})
}

func TestRecorderFaults(t *testing.T) {
	on, _ := hearth.Word("on")
	identify, _ := hearth.Word("identify")
	brightness, _ := hearth.Word("brightness")
	good := hearth.Device{ID: "test:lamp", Properties: []hearth.Property{on, identify, brightness}}
	report := func(device hearth.ID, property string, v hearth.Value) func(*Recorder) {
		return func(r *Recorder) {
			r.Announce(good)
			r.Report(hearth.Reading{Device: device, Property: property, Value: v})
		}
	}
	tests := map[string]struct {
		do   func(*Recorder)
		want string // part of the only fault; "" for none
	}{
		"good":              {report("test:lamp", "on", hearth.BoolOf(true)), ""},
		"reachable":         {report("test:lamp", "reachable", hearth.BoolOf(true)), ""},
		"not announced":     {report("test:other", "on", hearth.BoolOf(true)), "not announced"},
		"unknown property":  {report("test:lamp", "off", hearth.BoolOf(true)), "not among"},
		"wrong kind":        {report("test:lamp", "on", hearth.NumberOf(1)), "takes a bool"},
		"no value":          {report("test:lamp", "brightness", hearth.Value{}), "takes a number"},
		"out of range":      {report("test:lamp", "brightness", hearth.NumberOf(101)), "0 to 100"},
		"write-only":        {report("test:lamp", "identify", hearth.BoolOf(true)), "write-only"},
		"foreign device":    {func(r *Recorder) { r.Announce(hearth.Device{ID: "other:lamp"}) }, "not a device of driver"},
		"bad id":            {func(r *Recorder) { r.Announce(hearth.Device{ID: "test:a b"}) }, "device id"},
		"unknown type":      {func(r *Recorder) { r.Announce(hearth.Device{ID: "test:a", Type: "toaster"}) }, "toaster"},
		"foreign forgotten": {func(r *Recorder) { r.Forget("other:lamp") }, "not a device of driver"},
		"after the end":     {func(r *Recorder) { r.End(); r.Announce(good) }, "after Run"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := NewRecorder("test")
			tt.do(r)
			faults := strings.Join(r.Faults(), "\n")
			if (tt.want == "") != (faults == "") || !strings.Contains(faults, tt.want) {
				t.Errorf("faults %q, want %q", faults, tt.want)
			}
		})
	}
}

func TestLeaksAreFound(t *testing.T) {
	before := running()
	stay := make(chan struct{})
	go func() { <-stay }()
	if left := awaitGone(before, 1); !strings.Contains(left, "TestLeaksAreFound") {
		t.Errorf("a goroutine that stays was not found: %q", left)
	}
	close(stay)
	if left := awaitGone(before, 5e9); left != "" {
		t.Errorf("a goroutine that has ended was found: %s", left)
	}
}
