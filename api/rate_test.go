package api

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func TestTakeOrWait(t *testing.T) {
	limiter, now := rate.NewLimiter(2, 4), time.Unix(1000, 0)
	for _, step := range []struct {
		n    int
		at   time.Duration
		want time.Duration
	}{{3, 0, 0}, {2, 0, 500 * time.Millisecond}, {2, 0, 500 * time.Millisecond}, {1, 0, 0}, {100, 0, 2 * time.Second}, {100, 2 * time.Second, 0}} {
		if got := TakeOrWait(limiter, now.Add(step.at), step.n); got != step.want {
			t.Errorf("%d after %s: wait %s, want %s", step.n, step.at, got, step.want)
		}
	}
	if wait := TakeOrWait(rate.NewLimiter(rate.Inf, 0), now, 1000); wait != 0 {
		t.Errorf("without a limit: %s", wait)
	}
}
