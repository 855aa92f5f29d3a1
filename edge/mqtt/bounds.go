package mqtt

import (
	"sync"
	"time"
)

// What others may have the gateway's own broker keep. The gateway's own messages are bounded by its devices.
const (
	maxRetained      = 2000
	maxRetainedBytes = 16 << 20
)

// retained counts what others have the broker keep. A message beyond the bounds is delivered and not kept; said once,
// until there is room again.
type retained struct {
	said *notices

	mu    sync.Mutex
	sizes map[string]int // by topic
	bytes int
}

func newRetained(said *notices) *retained { return &retained{said: said, sizes: map[string]int{}} }

// take reports whether a message may be kept, and how many are. An empty one takes away what is kept.
func (r *retained) take(topic string, size int) (keep bool, count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.sizes[topic]
	if known {
		delete(r.sizes, topic)
		r.bytes -= before
	}
	if size == 0 {
		if known {
			r.said.over("full", "")
		}
		return true, len(r.sizes)
	}
	if size += len(topic); len(r.sizes) >= maxRetained || r.bytes+size > maxRetainedBytes {
		r.said.warn("full", "", "no more messages can be retained: they are delivered only", "messages", len(r.sizes), "bytes", r.bytes, "topic", clipped(topic))
		if known { // the broker still has the one before
			r.sizes[topic] = before
			r.bytes += before
		}
		return false, len(r.sizes)
	}
	r.sizes[topic] = size
	r.bytes += size
	return true, len(r.sizes)
}

// Guessing: the first few wrong passwords from an address may be mistakes.
const (
	mistakes    = 10
	mistakeTime = 500 * time.Millisecond
	guessTime   = 5 * time.Second
	guessWindow = time.Minute
	maxGuessers = 1000
)

// guesses makes who gives wrong passwords wait for the answer. Who gives the right one never waits.
type guesses struct {
	mu sync.Mutex
	by map[string]*guesser
}

type guesser struct {
	wrong int
	since time.Time
}

func newGuesses() *guesses { return &guesses{by: map[string]*guesser{}} }

// wait holds a connection back after a wrong password.
func (g *guesses) wait(s *session) {
	timer := time.NewTimer(g.pause(s.address, time.Now()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ended:
	}
}

func (g *guesses) pause(address string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	who := g.by[address]
	if who == nil {
		if len(g.by) >= maxGuessers {
			return guessTime
		}
		who = &guesser{since: now}
		g.by[address] = who
	}
	if now.Sub(who.since) > guessWindow {
		who.wrong, who.since = 0, now
	}
	if who.wrong++; who.wrong <= mistakes {
		return mistakeTime
	}
	return guessTime
}

// right forgets the mistakes of an address: one who knows a password guesses none.
func (g *guesses) right(address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.by, address)
}
