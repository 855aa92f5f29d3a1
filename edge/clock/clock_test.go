package clock

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

var quiet = slog.New(slog.DiscardHandler)

// A machine is what a Clock sees of the world: the true time goes on by hand, the system clock is off by some.
type machine struct {
	store  hearth.Store
	now    time.Time
	booted time.Time
	off    time.Duration // of the system clock
	synced bool
	boot   string
}

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
var built = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

func newMachine() *machine {
	return &machine{store: memory{}, now: noon, booted: noon.Add(-time.Minute), boot: "boot-1"}
}

func (m *machine) open(t *testing.T) *Clock {
	t.Helper()
	c := &Clock{
		store: m.store, log: quiet, floor: built, boot: m.boot,
		wall:     func() time.Time { return m.now.Add(m.off) },
		boottime: func() time.Duration { return m.now.Sub(m.booted) },
		kernel:   func() bool { return m.synced },
	}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (m *machine) reboot(off time.Duration) {
	m.boot += "'"
	m.booted, m.off, m.synced = m.now, off, false
}

func (m *machine) offer(c *Clock, source string, off time.Duration) {
	c.Offer(source, m.now.Add(off), 500*time.Millisecond)
}

// want says how far off the clock is, and whether it is trusted by whom.
func (m *machine) want(t *testing.T, c *Clock, off time.Duration, trusted bool, source string) {
	t.Helper()
	now, isTrusted := c.Now()
	_, from := c.Status()
	if got := now.Sub(m.now); got != off || isTrusted != trusted || from != source {
		t.Errorf("off by %v, trusted %v, by %s; want %v, %v, %s", got, isTrusted, from, off, trusted, source)
	}
	select {
	case <-c.Trusted():
		if !trusted {
			t.Error("Trusted is closed")
		}
	default:
		if trusted {
			t.Error("Trusted is not closed")
		}
	}
}

func TestKernelAtStart(t *testing.T) {
	m := newMachine()
	m.synced = true
	c := m.open(t)
	m.want(t, c, 0, true, SourceKernel)
	if boot, anchor, trusted := c.Anchor(); boot != "boot-1" || !anchor.Equal(m.booted) || !trusted {
		t.Errorf("anchor %s %v %v", boot, anchor, trusted)
	}
}

func TestStart1970(t *testing.T) {
	m := newMachine()
	m.off = time.Unix(60, 0).Sub(m.now)
	c := m.open(t)
	provisional, _ := c.Now()
	if provisional.Before(built) {
		t.Errorf("a provisional time of %v, before this program was made", provisional)
	}
	_, anchor, _ := c.Anchor()
	m.now = m.now.Add(time.Hour)
	m.off, m.synced = 0, true
	c.tick(false)
	m.want(t, c, 0, true, SourceKernel)
	_, repaired, _ := c.Anchor()
	if got := provisional.Add(repaired.Sub(anchor)); !got.Equal(noon) {
		t.Errorf("the provisional time is repaired to %v, want %v", got, noon)
	}
}

func TestKernelIn1970(t *testing.T) {
	m := newMachine()
	m.synced, m.off = true, time.Unix(60, 0).Sub(m.now)
	c := m.open(t)
	if _, trusted := c.Now(); trusted {
		t.Error("a time before this program was made is trusted")
	}
}

func TestFirstOffer(t *testing.T) {
	m := newMachine()
	m.off = time.Hour
	c := m.open(t)
	m.want(t, c, time.Hour, false, SourceSystem)
	m.offer(c, "cloud", noon.Sub(built)*-2) // before the build
	m.want(t, c, time.Hour, false, SourceSystem)
	c.Offer("cloud", time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), 0)
	m.want(t, c, time.Hour, false, SourceSystem)
	m.offer(c, "cloud", 0)
	m.want(t, c, 0, true, "cloud")
	m.off = -time.Hour // somebody steps the system clock: nobody cares
	c.tick(false)
	m.want(t, c, 0, true, "cloud")
	m.synced, m.off = true, 300*time.Millisecond // the kernel knows better
	c.tick(false)
	m.want(t, c, 300*time.Millisecond, true, SourceKernel)
	m.offer(c, "cloud", time.Hour)
	m.offer(c, "cloud", time.Hour)
	m.want(t, c, 300*time.Millisecond, true, SourceKernel)
}

// A receiver that tells whole seconds vouches for the system's milliseconds, and corrects a system that is further off.
func TestOfferVouchesForTheSystemClock(t *testing.T) {
	for off, want := range map[time.Duration]time.Duration{300 * time.Millisecond: 300 * time.Millisecond, 2 * time.Second: 0} {
		m := newMachine()
		m.off = off
		c := m.open(t)
		m.offer(c, "receiver", 0)
		m.want(t, c, want, true, "receiver")
	}
}

func TestOffersAgainstATrustedTime(t *testing.T) {
	m := newMachine()
	c := m.open(t)
	m.offer(c, "cloud", 0)
	m.offer(c, "cloud", time.Second)
	m.want(t, c, 0, true, "cloud")
	m.offer(c, "cloud", time.Minute) // once is no reason
	m.want(t, c, 0, true, "cloud")
	m.offer(c, "cloud", 0)
	m.offer(c, "cloud", time.Minute)
	m.want(t, c, 0, true, "cloud")
	m.offer(c, "influx", time.Minute)
	m.want(t, c, time.Minute, true, "influx")
}

func TestBackwardIsSlow(t *testing.T) {
	m := newMachine()
	m.synced, m.off = true, 4*time.Second
	c := m.open(t)
	m.off = 0
	c.tick(false)
	m.want(t, c, 4*time.Second, true, SourceKernel)
	if _, anchor, _ := c.Anchor(); !anchor.Equal(m.booted) {
		t.Errorf("the anchor is %v off", anchor.Sub(m.booted))
	}
	last, _ := c.Now()
	for range 16 {
		m.now = m.now.Add(500 * time.Millisecond)
		c.tick(false)
		now, _ := c.Now()
		if now.Sub(last) != 250*time.Millisecond {
			t.Errorf("half a second took %v", now.Sub(last))
		}
		last = now
	}
	m.now = m.now.Add(time.Second)
	m.want(t, c, 0, true, SourceKernel)
	if c.Warning() != "" {
		t.Error(c.Warning())
	}
}

func TestFarBackIsSet(t *testing.T) {
	m := newMachine()
	m.synced, m.off = true, time.Hour
	c := m.open(t)
	m.off = 0
	c.tick(false)
	m.want(t, c, 0, true, SourceKernel)
	if c.Warning() == "" {
		t.Error("nobody was told")
	}
}

func TestForwardJumps(t *testing.T) {
	m := newMachine()
	m.synced, m.off = true, -time.Hour
	c := m.open(t)
	m.off = 0
	c.tick(false)
	m.want(t, c, 0, true, SourceKernel)
}

func TestRestartInTheSameBoot(t *testing.T) {
	m := newMachine()
	c := m.open(t)
	m.offer(c, "cloud", 0)
	c.tick(true)
	m.now = m.now.Add(time.Hour)
	m.off = -30 * time.Minute
	m.want(t, m.open(t), 0, true, "cloud")
}

func TestRestartUntrustedInTheSameBoot(t *testing.T) {
	m := newMachine()
	m.off = time.Hour
	c := m.open(t)
	c.tick(false)
	m.off = -time.Hour
	again := m.open(t)
	m.want(t, again, time.Hour, false, SourceSystem)
	_, a, _ := c.Anchor()
	if _, b, _ := again.Anchor(); !a.Equal(b) {
		t.Error("the provisional anchor changed within a boot")
	}
}

func TestRestartWhileSlow(t *testing.T) {
	m := newMachine()
	m.synced, m.off = true, time.Minute
	c := m.open(t)
	m.off = 0
	c.tick(true)
	before, _ := c.Now()
	m.now = m.now.Add(2 * time.Second)
	c = m.open(t)
	if now, _ := c.Now(); now.Before(before) {
		t.Errorf("a restart brought the time back by %v", before.Sub(now))
	}
}

func TestNextBoot(t *testing.T) {
	m := newMachine()
	c := m.open(t)
	m.offer(c, "cloud", 0)
	c.tick(true)
	m.now = m.now.Add(24 * time.Hour)
	m.reboot(time.Unix(5, 0).Sub(m.now)) // no battery: 1970 again
	c = m.open(t)
	m.want(t, c, -24*time.Hour, false, SourceSystem)
	m.offer(c, "cloud", -25*time.Hour) // before the last trusted time
	m.offer(c, "cloud", -25*time.Hour)
	m.want(t, c, -24*time.Hour, false, SourceSystem)
	m.offer(c, "cloud", 0)
	m.want(t, c, 0, true, "cloud")
}

func TestTwoSourcesOverruleTheLastTime(t *testing.T) {
	m := newMachine()
	c := m.open(t)
	m.offer(c, "cloud", 365*24*time.Hour) // a receiver a year ahead
	c.tick(true)
	m.reboot(0)
	c = m.open(t)
	m.offer(c, "cloud", 0)
	if _, trusted := c.Now(); trusted {
		t.Fatal("one source was enough")
	}
	m.offer(c, "influx", time.Second)
	m.want(t, c, time.Second, true, "influx")
	if c.Warning() == "" {
		t.Error("nobody was told")
	}
}

func TestDamagedStore(t *testing.T) {
	m := newMachine()
	if err := m.store.Put(storeKey, []byte("{")); err != nil {
		t.Fatal(err)
	}
	m.want(t, m.open(t), 0, false, SourceSystem)
}

type broken struct{ hearth.Store }

func (broken) Get(string) ([]byte, error) { return nil, nil }
func (broken) Put(string, []byte) error   { return errors.New("no space left on device") }

func TestFullDisk(t *testing.T) {
	m := newMachine()
	m.store, m.synced = broken{}, true
	c := m.open(t)
	c.tick(true)
	m.want(t, c, 0, true, SourceKernel)
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory{}
		start, synced := time.Now().AddDate(50, 0, 0), new(atomic.Bool)
		offset := time.Until(start)
		c := &Clock{
			store: store, log: quiet, floor: built, boot: "b",
			wall: func() time.Time { return time.Now().Add(offset) }, boottime: func() time.Duration { return time.Since(start.Add(-offset)) },
			kernel: synced.Load,
		}
		if err := c.start(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		<-time.After(time.Minute)
		synced.Store(true)
		<-c.Trusted()
		if waited := time.Since(start.Add(-offset)); waited > 61*time.Second {
			t.Errorf("trusted after %v", waited)
		}
		<-time.After(30 * time.Minute)
		synctest.Wait()
		if old := time.Now().Add(offset).Sub(store.seen(t)); old < 0 || old > saveEvery+checkEvery {
			t.Errorf("while running, the last time seen is %v old", old)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if old := time.Now().Add(offset).Sub(store.seen(t)); old != 0 {
			t.Errorf("after the stop, the last time seen is %v old", old)
		}
	})
}

type memory map[string][]byte

func (m memory) Get(k string) ([]byte, error)          { return m[k], nil }
func (m memory) Put(k string, v []byte) error          { m[k] = v; return nil }
func (m memory) Delete(k string) error                 { delete(m, k); return nil }
func (m memory) Each(func(string, []byte) error) error { return nil }

func (m memory) seen(t *testing.T) time.Time {
	t.Helper()
	var s saved
	if err := json.Unmarshal(m[storeKey], &s); err != nil {
		t.Fatal(err)
	}
	return s.Seen
}

func TestRealMachine(t *testing.T) {
	m := newMachine()
	c, err := Open(m.store, built, quiet)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := c.Now()
	b, _ := c.Now()
	if boot, _, _ := c.Anchor(); b.Before(a) || len(boot) != 36 {
		t.Errorf("%v, then %v, boot %q", a, b, boot)
	}
}
