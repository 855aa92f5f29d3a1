package uplink

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hearth"
)

const (
	firstPause = time.Second
	maxPause   = time.Minute
	slowPause  = time.Minute // where only a person can help
	maxNamed   = time.Hour   // the longest pause that a target may ask for
)

// A fault is why a target cannot be served now. Everything is kept and tried again.
type fault struct {
	err     error
	after   time.Duration // the pause that the target asked for; 0: none
	refused bool          // it will not work before a person has done something
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// pace spaces the tries: 1 s to 60 s, doubling, and spread at random over the whole of it, so that a thousand
// gateways that lost the same receiver do not return in the same second.
type pace struct{ tries int }

func (p *pace) reset() { p.tries = 0 }

// next returns the pause before the next try after err.
func (p *pace) next(err error) time.Duration {
	pause := firstPause << min(p.tries, 6)
	pause = min(pause, maxPause)
	p.tries++
	var f *fault
	switch {
	case !errors.As(err, &f):
	case f.after > 0:
		return f.after + rand.N(f.after/4+time.Second)
	case f.refused:
		pause = slowPause
	}
	return pause/10 + rand.N(pause)
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// retryAfter reads the pause a reply asks for, in seconds or as a date; the date is measured against the reply's own
// clock, because ours may not be trusted. 0: it asks for none, or for nonsense.
func retryAfter(header http.Header) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxNamed)
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, ok := servedTime(header)
	if !ok {
		return 0
	}
	return min(max(until.Sub(now), 0), maxNamed)
}

// servedTime returns the clock of who answered.
func servedTime(header http.Header) (time.Time, bool) {
	t, _, ok := clockOf(header)
	return t, ok
}

// A valve lets a backlog through at the rate that the receiver names.
type valve struct {
	rate int64     // bytes of bodies a second; 0: all at once
	next time.Time // when the next block may go
}

// set takes the rate from an answer: one that names none takes the limit away.
func (v *valve) set(header http.Header) {
	v.rate = 0
	if rate, err := strconv.ParseInt(header.Get(hearth.HeaderDrain), 10, 62); err == nil && rate > 0 {
		v.rate = rate
	}
}

// passed notes a block of so many bytes that went at that time. The next one waits for at most a minute, so that a new
// rate is heard of.
func (v *valve) passed(at time.Time, bytes int) {
	if v.rate > 0 {
		v.next = at.Add(min(time.Duration(float64(bytes)/float64(v.rate)*float64(time.Second)), maxPause))
	}
}

// wait returns once the next block may go, and reports whether ctx is still alive.
func (v *valve) wait(ctx context.Context) bool {
	if v.rate == 0 {
		return ctx.Err() == nil
	}
	return sleep(ctx, time.Until(v.next))
}
