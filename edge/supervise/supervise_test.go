package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

// record runs fn under Run until stop is called and returns what was said, with the seconds since the start.
type told struct {
	Status
	after time.Duration
}

func run(t *testing.T, length time.Duration, fn func(context.Context) error) []told {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	start := time.Now()
	var all []told
	err := Run(ctx, slog.New(slog.DiscardHandler), func(s Status) { all = append(all, told{s, time.Since(start)}) }, fn)
	if err != nil {
		t.Errorf("Run returned %v", err)
	}
	return all
}

func TestPausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := run(t, 10*time.Minute, func(context.Context) error { return errors.New("no such port") })
		var waits []time.Duration
		for i, s := range all {
			if s.State == Waiting && i+1 < len(all)-1 {
				waits = append(waits, all[i+1].after-s.after)
				if s.Error != "no such port" {
					t.Errorf("while waiting the error is %q", s.Error)
				}
			}
			if s.State == Running && i > 0 && s.Error == "" {
				t.Error("the last error is forgotten as soon as it runs again")
			}
		}
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			if want *= time.Second; waits[i] < want || waits[i] > want*5/4 {
				t.Errorf("pause %d is %v, want %v to %v", i, waits[i], want, want*5/4)
			}
		}
		if last := all[len(all)-1]; last.State != Stopped {
			t.Errorf("ends %+v, want stopped", last)
		}
	})
}

func TestSteadyMinuteForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		all := run(t, 10*time.Minute, func(ctx context.Context) error {
			if tries++; tries < 5 {
				return errors.New("broken")
			}
			if tries == 5 {
				select {
				case <-time.After(2 * time.Minute):
				case <-ctx.Done():
				}
				return errors.New("unplugged")
			}
			<-ctx.Done()
			return ctx.Err()
		})
		settled := slices.IndexFunc(all, func(s told) bool { return s.State == Running && s.Error == "" && s.after > 0 })
		if settled < 0 || all[settled].after < time.Minute {
			t.Fatalf("the error was not forgotten after a minute: %+v", all)
		}
		if !all[settled].Since.Equal(all[settled-1].Since) {
			t.Error("forgetting the error changed since when it runs")
		}
		waiting := all[settled+1]
		if again := all[settled+2]; waiting.State != Waiting || again.after-waiting.after > 2*time.Second {
			t.Errorf("the pause after a steady time is %v", again.after-waiting.after)
		}
	})
}

func TestOnlyTheContextStops(t *testing.T) {
	for name, fn := range map[string]func(context.Context) error{
		"nil":      func(context.Context) error { return nil },
		"deadline": func(context.Context) error { return context.DeadlineExceeded },
		"canceled": func(context.Context) error { return context.Canceled },
		"panic":    func(context.Context) error { panic("index out of range") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				all := run(t, 30*time.Second, func(ctx context.Context) error { tries++; return fn(ctx) })
				if tries < 4 {
					t.Errorf("tried %d times in 30 s", tries)
				}
				if name == "panic" && !strings.Contains(all[1].Error, "panic: index out of range") {
					t.Errorf("a panic is told as %q", all[1].Error)
				}
			})
		})
	}
}

func TestStopWaitsForTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		run(t, time.Second, func(ctx context.Context) error {
			<-ctx.Done()
			<-time.After(300 * time.Millisecond)
			ended = true
			return nil
		})
		if !ended {
			t.Error("Run returned before what it runs")
		}
	})
}

// What was unplugged is found soon after it is back, however long it was away, and its absence is said once.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var tries []time.Time
		_ = Run(ctx, slog.New(slog.NewTextHandler(&log, nil)), nil, func(context.Context) error {
			tries = append(tries, time.Now())
			return hearth.Errorf(hearth.CodeOffline, "there is no port")
		})
		for i := 1; i < len(tries); i++ {
			if pause := tries[i].Sub(tries[i-1]); pause > awayPause*5/4 {
				t.Errorf("pause %d was %s", i, pause)
			}
		}
		if said := strings.Count(log.String(), "there is no port"); len(tries) < 90 || said > 4 {
			t.Errorf("%d tries, said %d times", len(tries), said)
		}
	})
}

// A hopeful error says when its cause is gone.
type hopeful struct{ again chan struct{} }

func (hopeful) Error() string            { return "somebody has to decide" }
func (h hopeful) Again() <-chan struct{} { return h.again }

func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again := make(chan struct{})
		time.AfterFunc(100*time.Second, func() { close(again) })
		var tries []time.Duration
		start := time.Now()
		run(t, 5*time.Minute, func(ctx context.Context) error {
			tries = append(tries, time.Since(start).Truncate(time.Second))
			select {
			case <-again:
				<-ctx.Done()
				return nil
			default:
				return fmt.Errorf("the network: %w", hopeful{again})
			}
		})
		if last := tries[len(tries)-1]; last != 100*time.Second || len(tries) < 6 {
			t.Errorf("tried at %v, want the last at 100 s", tries)
		}
	})
}
