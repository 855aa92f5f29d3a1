package fleet

import (
	"strings"
	"time"

	"hearth"
)

const (
	learnTime    = 24 * time.Hour // a rhythm is learned over a whole day: many a device sleeps when people do
	learnGaps    = 24             // and from so many gaps
	learnBeats   = 6
	longestBeat  = 6 * time.Hour // a device that may be quiet for longer is not watched
	patienceLong = 3             // silent after so many of the longest gap …
	patienceLow  = 10 * time.Minute
)

// A rhythm learns how long a device is quiet at the most, if that can be learned: of one that only reports when
// something happens, nobody knows when it will speak next. Two things show that it cannot be such a one: that it speaks
// as regularly as a clock, or that it speaks though nothing has changed (a beat) and never waits much longer than
// between these. Times are those of the readings, so that an upload that comes late is no silence.
type rhythm struct {
	heard   int64  // the newest moment at which it spoke, unix ms; 0: not yet, or one that is no measure of the next gap
	began   int64  // of the day that is being learned from, unix ms
	gap     uint32 // before heard, s
	longest uint32 // gap of the day
	beat    uint32 // longest gap of the day before a beat
	total   uint32 // of the day's gaps, s
	gaps    uint32 // of the day
	beats   uint32
	period  uint32 // what was learned: the longest gap of a day, s; 0: nothing
	moved   bool   // something changed at heard
	spared  bool   // one gap of the day was longer than its patience: it was silent, which is no rhythm
}

// spoke takes one reading; changed says whether its value is another one than before.
func (r *rhythm) spoke(at time.Time, changed bool) {
	ms := at.UnixMilli()
	switch {
	case r.heard == 0:
		r.heard, r.gap, r.moved = ms, 0, changed
		if r.began == 0 {
			r.began = ms
		}
		return
	case ms <= r.heard+1000: // of the same moment, or older
		r.moved = r.moved || changed
		return
	}
	r.count()
	r.gap = uint32(min((ms-r.heard)/1000, 1<<31))
	r.heard, r.moved = ms, changed
	if ms-r.began >= learnTime.Milliseconds() {
		r.moved = true // nobody knows yet, and a night may be what ends here: it counts as no beat
		r.count()
		r.learn()
		*r = rhythm{heard: ms, began: ms, moved: true, period: r.period}
	}
}

// count takes the gap before the last moment into the day: whether it was a beat is known only when the moment is over.
func (r *rhythm) count() {
	if r.gap == 0 {
		return
	}
	if r.period > 0 && !r.spared && time.Duration(r.gap)*time.Second > r.patience() {
		r.spared = true
		return
	}
	r.longest = max(r.longest, r.gap)
	r.total += r.gap
	r.gaps++
	if !r.moved {
		r.beat = max(r.beat, r.gap)
		r.beats++
	}
}

func (r *rhythm) learn() {
	heard := time.Duration(r.total) * time.Second
	regular := r.gaps >= learnGaps && uint64(r.longest)*uint64(r.gaps) <= 3*uint64(r.total)
	beating := r.beats >= learnBeats && 2*uint64(r.longest) <= 5*uint64(r.beat)
	r.period = 0
	if (regular || beating) && heard >= learnTime/2 && time.Duration(r.longest)*time.Second <= longestBeat {
		r.period = r.longest
	}
}

// pause says that what follows is no measure: the gateway or the driver was away.
func (r *rhythm) pause() {
	if r.heard != 0 {
		r.count()
		r.heard, r.gap = 0, 0
	}
}

// patience is how long it may be quiet before it is silent; 0: for ever.
func (r *rhythm) patience() time.Duration {
	if r.period == 0 {
		return 0
	}
	return max(patienceLong*time.Duration(r.period)*time.Second, patienceLow)
}

// tells reports whether a property's change is something that happened, and not what a device says beside.
func tells(property string) bool {
	return property != "link_quality" && property != "rssi" && !strings.HasPrefix(property, "battery")
}

// hear lets the device's rhythm hear of a reading, before the reading takes the place of the one before.
func (d *device) hear(p *hearth.Property, k *known, r hearth.Reading) {
	if r.Property == "reachable" {
		return // its driver's word, not its own
	}
	d.rhythm.spoke(r.Time, tells(r.Property) && (p.Momentary || k.value != r.Value))
}
