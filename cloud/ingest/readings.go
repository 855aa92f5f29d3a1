package ingest

import (
	"cmp"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"hearth"
	"hearth/api"
	"hearth/cloud/series"
)

// What devices without a gateway may send, by token: readings a second, and at once.
const (
	directRate, directBurst = 200, 5000
	directKept              = 10_000 // tokens that are remembered
	directBytes             = 48     // what one reading is worth in bytes of line protocol
)

// Take stores readings that came one by one and not as line protocol; they are checked already. They are durable when
// Take returns. Code busy: the home or the token sends too much.
func (in *Ingest) Take(token hearth.Token, home string, readings []hearth.Reading) error {
	if wait := in.paceToken(cmp.Or(token.Hash, home), len(readings)); wait > 0 {
		in.count.Throttled.Add(1)
		return api.Later(hearth.Errorf(hearth.CodeBusy, "more than %d readings a second: send fewer", directRate), wait)
	}
	q, refused := in.begin(home)
	if refused != nil {
		in.count.Throttled.Add(1)
		return api.Later(hearth.Errorf(hearth.CodeBusy, "%s", refused.message), refused.after)
	}
	defer in.end(q)
	q.charge(in.o.Now(), directBytes*len(readings))
	points := make([]series.Point, 0, len(readings))
	for _, r := range readings {
		points = append(points, series.Point{Series: hearth.Measurement + ",device=" + string(r.Device), Field: r.Property, Time: r.Time.UnixNano(), Value: r.Value})
	}
	outcome, err := in.o.Store.Write(series.Write{Home: home, Points: points})
	if err != nil {
		return fmt.Errorf("storing readings: %w", err)
	}
	in.stored(Arrival{Home: home, Readings: readings}, uint64(len(readings))-outcome.Refused)
	return nil
}

// paceToken returns how long a token has to wait until it may send so many readings; 0 if it may now.
func (in *Ingest) paceToken(key string, n int) time.Duration {
	in.mu.Lock()
	limiter := in.tokens[key]
	if limiter == nil {
		if len(in.tokens) >= directKept {
			clear(in.tokens)
		}
		limiter = rate.NewLimiter(directRate, directBurst)
		in.tokens[key] = limiter
	}
	in.mu.Unlock()
	return api.TakeOrWait(limiter, in.o.Now(), n)
}
