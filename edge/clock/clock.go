// Package clock keeps honest time on a machine without a clock battery. Its time is an anchor plus the time since boot,
// so that nobody's step of the system clock moves a reading; the anchor is provisional until somebody who knows says so.
package clock

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"hearth"
)

// Sources of time, beside the names under which receivers offer theirs.
const (
	SourceSystem = "system" // the system clock at the start: nobody vouches for it
	SourceKernel = "kernel" // the kernel says that it is synchronised
)

const (
	agreement  = 2 * time.Second        // two times that are closer than this, and their uncertainties, are the same
	closeBy    = 250 * time.Millisecond // beyond an offer's uncertainty, and the system's own time is taken for it
	fine       = 100 * time.Millisecond // how far off a synchronised kernel's time is not followed
	slewed     = 10 * time.Minute       // how far back the time is brought by running slowly
	saveEvery  = 10 * time.Minute
	checkEvery = 10 * time.Second
	checkFast  = time.Second // until the time is trusted
)

// A Clock tells the time and whether it is trusted. Its methods are safe for several goroutines.
type Clock struct {
	store hearth.Store
	log   *slog.Logger
	floor time.Time // no time before this is believed
	boot  string

	wall     func() time.Time
	boottime func() time.Duration
	kernel   func() bool // the kernel says that wall is synchronised

	mu       sync.Mutex
	anchor   time.Time // the time at boot
	trusted  bool
	source   string
	warning  string
	seen     time.Time     // the latest trusted time of earlier lives and of this one
	ahead    time.Duration // how far the time told was ahead when slewing began, and
	since    time.Duration // when that was
	doubted  offer         // one that waits for another to agree
	ready    chan struct{}
	unsaved  bool
	lastSave time.Duration
}

// An offer is what a source thinks the time at boot was.
type offer struct {
	source      string
	anchor      time.Time
	uncertainty time.Duration
}

// saved is what outlives the process. The anchor holds for the same boot only.
type saved struct {
	Boot    string    `json:"boot"`
	Anchor  time.Time `json:"anchor"`
	Trusted bool      `json:"trusted"`
	Source  string    `json:"source"`
	Seen    time.Time `json:"seen"`
}

const storeKey = "clock"

// Open reads what is known from earlier lives and looks at the kernel once. No time before build is believed.
func Open(store hearth.Store, build time.Time, log *slog.Logger) (*Clock, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	c := &Clock{store: store, log: log, floor: build, boot: boot, wall: time.Now, boottime: sinceBoot, kernel: synchronised}
	return c, c.start()
}

func (c *Clock) start() error {
	c.ready = make(chan struct{})
	data, err := c.store.Get(storeKey)
	if err != nil {
		return fmt.Errorf("reading when the clock was last right: %w", err)
	}
	var old saved
	if data != nil {
		if err := json.Unmarshal(data, &old); err != nil {
			c.log.Error("what was known about the time cannot be read and is forgotten", "error", err)
			old = saved{}
		}
	}
	since := c.boottime()
	c.seen, c.source = old.Seen, SourceSystem
	if old.Boot == c.boot && !old.Anchor.IsZero() {
		c.anchor, c.source = old.Anchor, old.Source
		if old.Trusted {
			c.trust()
		}
	} else {
		c.anchor = later(c.wall(), later(c.floor, c.seen)).Add(-since).Round(0)
	}
	if back := c.seen.Sub(c.anchor.Add(since)); c.trusted && back > 0 && back <= slewed {
		c.ahead, c.since = back, since
	}
	c.askKernel()
	c.unsaved = true // Run saves it: the start does not wait for the disk
	return nil
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// Now returns the time and whether it is trusted; until then it is provisional. A trusted time never goes back, unless it
// was wrong by more than ten minutes: then it is set, and Warning tells.
func (c *Clock) Now() (now time.Time, trusted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at(c.boottime()), c.trusted
}

// at returns the time told that long after boot: half as fast as it should be while it is ahead.
func (c *Clock) at(since time.Duration) time.Time {
	lead := max(0, c.ahead-(since-c.since)/2)
	return c.anchor.Add(since + lead).UTC()
}

// Anchor returns which boot this is, what the time was at boot, and whether that is trusted. The time of anything
// stamped earlier in this boot is its time plus what the anchor has moved since.
func (c *Clock) Anchor() (boot string, anchor time.Time, trusted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.boot, c.anchor, c.trusted
}

// Status returns whether the time is trusted and who vouches for it: kernel, the name of a receiver, or system for
// nobody.
func (c *Clock) Status() (trusted bool, source string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trusted, c.source
}

// Warning says what a person should know about the time, "" if nothing.
func (c *Clock) Warning() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.warning
}

// Trusted is closed once the time is trusted.
func (c *Clock) Trusted() <-chan struct{} { return c.ready }

// Offer says that the receiver source has the time t now, give or take uncertainty. It is believed unless the kernel
// knows better, if it is no earlier than this program and than the last trusted time; one that is earlier than that, or
// that contradicts a trusted time, is believed once another offer says the same (of another source in the first case).
func (c *Clock) Offer(source string, t time.Time, uncertainty time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := c.boottime()
	o := offer{source, t.Add(-since).Round(0), max(uncertainty, 0)}
	earliest := t.Add(uncertainty)
	switch {
	case earliest.Before(c.floor) || t.Year() > 2200:
		c.log.Warn("a receiver's time is impossible and passed over", "source", source, "time", t)
	case c.trusted && c.source == SourceKernel && c.kernel():
	case c.trusted && agree(o, offer{anchor: c.anchor}):
		c.doubted = offer{}
	case c.trusted:
		if c.doubted.source == "" || !agree(o, c.doubted) {
			c.doubted = o
			return
		}
		c.move(o, since)
	case earliest.Before(c.seen):
		if c.doubted.source == "" || c.doubted.source == source || !agree(o, c.doubted) {
			c.doubted = o
			c.log.Warn("a receiver's time is earlier than when this gateway last knew it: waiting for another source to agree", "source", source, "time", t, "last", c.seen)
			return
		}
		c.warn("two sources agree on %s: the time known before, %s, was wrong", t.UTC().Format(hearth.TimeForm), c.seen.UTC().Format(hearth.TimeForm))
		c.seen = time.Time{}
		c.move(o, since)
	default:
		c.move(c.finer(o, since), since)
	}
}

// finer returns what the system's clock says where o vouches for it: a receiver may tell no more than whole seconds.
func (c *Clock) finer(o offer, since time.Duration) offer {
	anchor := c.wall().Add(-since).Round(0)
	if o.anchor.Sub(anchor).Abs() <= o.uncertainty+closeBy {
		o.anchor, o.uncertainty = anchor, 0
	}
	return o
}

func agree(a, b offer) bool {
	return a.anchor.Sub(b.anchor).Abs() <= agreement+a.uncertainty+b.uncertainty
}

// askKernel follows the kernel where it is synchronised; it is the best source there is.
func (c *Clock) askKernel() {
	if !c.kernel() {
		return
	}
	since, now := c.boottime(), c.wall()
	if now.Before(c.floor) {
		return
	}
	o := offer{source: SourceKernel, anchor: now.Add(-since).Round(0)}
	if c.trusted && c.source == SourceKernel && o.anchor.Sub(c.anchor).Abs() < fine {
		return
	}
	c.move(o, since)
}

// move makes o the time. The first trusted time, and any later one, holds at once; an earlier one is approached slowly,
// so that no time is told twice, unless it is too far away.
func (c *Clock) move(o offer, since time.Duration) {
	step := o.anchor.Sub(c.anchor)
	told := c.at(since)
	back := told.Sub(o.anchor.Add(since))
	c.anchor, c.source, c.doubted, c.unsaved = o.anchor, o.source, offer{}, true
	c.ahead = 0
	switch {
	case !c.trusted:
		c.log.Info("the time is trusted from now on", "source", o.source, "step", step.Round(time.Millisecond))
		c.trust()
	case back > slewed:
		c.warn("the time was set back by %s at %s: it was wrong before", back.Round(time.Second), o.anchor.Add(since).UTC().Format(hearth.TimeForm))
	case back > 0:
		c.ahead, c.since = back, since
		c.log.Info("the time is ahead and runs slowly until it is right", "source", o.source, "ahead", back.Round(time.Millisecond))
	case step.Abs() > agreement:
		c.log.Info("the time was set forward", "source", o.source, "step", step.Round(time.Millisecond))
	}
}

func (c *Clock) warn(format string, args ...any) {
	c.warning = fmt.Sprintf(format, args...)
	c.log.Warn(c.warning)
}

func (c *Clock) trust() {
	c.trusted = true
	close(c.ready)
}

// save writes down what the next life should know, if it is due.
func (c *Clock) save(since time.Duration) error {
	if c.trusted {
		c.seen = c.at(since)
	}
	data, err := json.Marshal(saved{c.boot, c.anchor, c.trusted, c.source, c.seen})
	if err != nil {
		return err
	}
	if err := c.store.Put(storeKey, data); err != nil {
		return fmt.Errorf("saving the time: %w", err)
	}
	c.unsaved, c.lastSave = false, since
	return nil
}

// Run follows the kernel's clock and writes the time down now and then, and at the end. A disk that takes nothing is
// logged, not returned: telling the time goes on.
func (c *Clock) Run(ctx context.Context) error {
	pause := checkFast
	for {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			c.tick(true)
			return nil
		case <-timer.C:
		}
		if c.tick(false) {
			pause = checkEvery
		}
	}
}

func (c *Clock) tick(last bool) (trusted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.askKernel()
	since := c.boottime()
	if last || c.unsaved || c.trusted && since-c.lastSave >= saveEvery {
		if err := c.save(since); err != nil {
			c.log.Error(err.Error())
		}
	}
	return c.trusted
}
