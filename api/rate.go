package api

import (
	"time"

	"golang.org/x/time/rate"
)

// TakeOrWait takes n from a limiter, at most its burst, or returns how long it takes until they are there.
func TakeOrWait(limiter *rate.Limiter, now time.Time, n int) time.Duration {
	if limiter.Limit() == rate.Inf {
		return 0
	}
	reservation := limiter.ReserveN(now, min(n, limiter.Burst()))
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}
