package uplink

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

// A backlog leaves at the rate that the receiver names, and as fast as it goes once the receiver names none; what is
// produced when all has caught up never waits.
func TestABacklogKeepsToTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := withReceiver(t)
		defer g.close()
		const rate = 100
		f.drain = rate
		g.produce(40, 50)
		start := time.Now()
		g.start(g.cloudOptions())
		g.drained(10 * time.Minute)
		took := time.Since(start)
		f.mu.Lock()
		total := 0
		for _, n := range f.bodies[:len(f.bodies)-1] { // the last one need not be waited for
			total += n
		}
		writes := len(f.bodies)
		f.mu.Unlock()
		least := time.Duration(total) * time.Second / rate
		if took < least*95/100 || took > least*120/100 {
			t.Errorf("%d bytes in %s, want %s", total, took, least)
		}
		g.balanced(f, 0)
		for range 5 {
			start = time.Now()
			g.produce(1, 50)
			g.drained(time.Minute)
			if took := time.Since(start); took > time.Second {
				t.Errorf("a fresh block waited for %s", took)
			}
		}
		f.set(func(f *fakeReceiver) { f.drain = 0 })
		g.net.set(true)
		g.produce(40, 50)
		time.Sleep(time.Minute)
		g.net.set(false)
		g.drained(2 * time.Minute)
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.bodies) < writes+45 {
			t.Errorf("%d writes", len(f.bodies))
		}
	})
}

func TestRatesThatCannotBe(t *testing.T) {
	var v valve
	for text, want := range map[string]int64{"": 0, "0": 0, "-5": 0, "fast": 0, "1e3": 0, "99999999999999999999": 0, "1": 1, "250000": 250000} {
		v.set(http.Header{hearth.HeaderDrain: []string{text}})
		if v.rate != want {
			t.Errorf("%q: %d", text, v.rate)
		}
	}
	now := time.Now()
	v.rate = 1
	if v.passed(now, 4<<20); v.next.Sub(now) != maxPause {
		t.Errorf("a large block at the slowest rate: %s", v.next.Sub(now))
	}
}
