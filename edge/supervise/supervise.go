// Package supervise runs what may fail: again after a pause, and saying how it went.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"hearth"
)

// States of a supervised part.
const (
	Running = "running"
	Waiting = "waiting" // for its next try
	Stopped = "stopped" // because that was asked for
)

// Pauses between tries. Each is lengthened by up to a quarter, so that many parts that broke together do not come back
// together.
const (
	firstPause = time.Second
	lastPause  = time.Minute
	awayPause  = 5 * time.Second // at most, while what is spoken with is away: to look is cheap, and it may be back
	steady     = time.Minute     // running that long forgets the last error and the length of the pause
)

// A Status says how a part is. Its last error stays until it has run for a minute.
type Status struct {
	State string    `json:"state"`
	Error string    `json:"error"`
	Since time.Time `json:"since"` // of the state
}

// Run calls fn until ctx is done, again after a pause of 1 s to 60 s whenever it returns or panics (to 5 s for an error of
// code offline), and then returns nil. The channel of an error with Again() <-chan struct{} ends the pause. Only ctx decides that a stop was asked for: whatever else fn returns is a failure, nil and a DeadlineExceeded
// of its own among them. change, if not nil, is told every new Status, one at a time. Failures are logged here.
func Run(ctx context.Context, log *slog.Logger, change func(Status), fn func(context.Context) error) error {
	if change == nil {
		change = func(Status) {}
	}
	status := Status{}
	enter := func(state string) {
		status.State, status.Since = state, time.Now()
		change(status)
	}
	defer func() { enter(Stopped) }()
	pause := firstPause
	for ctx.Err() == nil {
		enter(Running)
		err := once(ctx, log, fn, func() {
			pause, status.Error = firstPause, ""
			change(status)
		})
		if ctx.Err() != nil {
			return nil
		}
		wait := pause + rand.N(pause/4)
		level := slog.LevelWarn
		if status.Error == err.Error() && pause == awayPause {
			level = slog.LevelDebug // it was said
		}
		log.Log(ctx, level, "stopped, will be started again", "error", err, "pause", wait.Round(time.Millisecond))
		status.Error = err.Error()
		enter(Waiting)
		if sleep(ctx, wait, again(err)) {
			pause = min(2*pause, longest(err))
		} else {
			pause = firstPause
		}
	}
	return nil
}

func longest(err error) time.Duration {
	if errors.Is(err, &hearth.Error{Code: hearth.CodeOffline}) {
		return awayPause
	}
	return lastPause
}

// once runs fn to its end and calls settled when it has run for long enough; the error is never nil.
func once(ctx context.Context, log *slog.Logger, fn func(context.Context) error, settled func()) error {
	done := make(chan error, 1)
	go func() { done <- guarded(ctx, log, fn) }()
	timer := time.NewTimer(steady)
	defer timer.Stop()
	for {
		select {
		case err := <-done:
			if err == nil {
				err = errors.New("ended without being asked to and without saying why")
			}
			return err
		case <-timer.C:
			settled()
		}
	}
}

func guarded(ctx context.Context, log *slog.Logger, fn func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("panic", "error", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return fn(ctx)
}

// again returns what ends the pause after err, nil if nothing does.
func again(err error) <-chan struct{} {
	var hopeful interface{ Again() <-chan struct{} }
	if errors.As(err, &hopeful) {
		return hopeful.Again()
	}
	return nil
}

// sleep reports whether it was for the whole pause.
func sleep(ctx context.Context, d time.Duration, again <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-again:
		return false
	case <-timer.C:
	}
	return true
}
