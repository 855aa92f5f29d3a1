package ingest

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"hearth"
)

const (
	leastShare = 500              // bytes a second that a home is let send its backlog at, however many there are
	quietTime  = 30 * time.Second // beyond the time that its last batch is worth, until a home counts no longer
)

// A drainer shares out the rate at which homes send what piled up. A home counts from a batch after which its gateway
// still has a backlog until one after which it has none, or until it is silent.
type drainer struct {
	total int64 // bytes a second, all homes together; 0: no limit
	now   func() time.Time

	mu    sync.Mutex
	until map[string]time.Time // when a home counts no longer
	swept time.Time
}

func newDrainer(total int64, now func() time.Time) *drainer {
	return &drainer{total: total, now: now, until: map[string]time.Time{}}
}

// share notes a batch of so many bytes, and returns at which rate the home is to send the rest: 0, none left or no limit.
func (d *drainer) share(home string, left uint64, bytes int64) int64 {
	if d.total == 0 {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	d.sweep(now)
	if left == 0 {
		delete(d.until, home)
		return 0
	}
	d.until[home] = now
	share := d.each(len(d.until))
	d.until[home] = now.Add(quietTime + 2*time.Duration(bytes)*time.Second/time.Duration(share))
	return share
}

// offer returns the rate for a home that is about to begin; 0 while nobody else drains.
func (d *drainer) offer(home string) int64 {
	if d.total == 0 {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweep(d.now())
	others := len(d.until)
	if _, among := d.until[home]; among {
		others--
	}
	if others == 0 {
		return 0
	}
	return d.each(others + 1)
}

func (d *drainer) each(homes int) int64 { return max(leastShare, d.total/int64(homes)) }

// sweep forgets those that went silent, once a second.
func (d *drainer) sweep(now time.Time) {
	if now.Sub(d.swept) < time.Second {
		return
	}
	d.swept = now
	for home, until := range d.until {
		if until.Before(now) {
			delete(d.until, home)
		}
	}
}

func (d *drainer) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweep(d.now())
	return len(d.until)
}

// Draining returns how many homes send what piled up.
func (in *Ingest) Draining() int { return in.drain.count() }

// Pace tells a gateway that asks how far the receiver is at which rate to send what piled up.
func (in *Ingest) Pace(home string, header http.Header) { tellRate(header, in.drain.offer(home)) }

func tellRate(header http.Header, rate int64) {
	if rate > 0 {
		header.Set(hearth.HeaderDrain, strconv.FormatInt(rate, 10))
	}
}
