package fleet

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"hearth"
)

// A life is when a device speaks in some days, and whether something changed each time.
type life func(random *rand.Rand, days int, speak func(at time.Duration, changed bool))

const day = 24 * time.Hour

func jitter(random *rand.Rand, d time.Duration, share float64) time.Duration {
	return time.Duration(float64(d) * (1 + share*(2*random.Float64()-1)))
}

type rhythmCase struct {
	live       life
	watched    bool
	low, above time.Duration // of the patience
}

// rhythms are devices that can be watched, and those of rhythms that cannot.
func rhythms() map[string]rhythmCase {
	all := map[string]rhythmCase{
		"a meter, every 10 s": {func(random *rand.Rand, days int, speak func(time.Duration, bool)) {
			for at := time.Duration(0); at < time.Duration(days)*day; at += jitter(random, 10*time.Second, .1) {
				speak(at, true)
			}
		}, true, patienceLow, patienceLow},
		"a sensor, every 5 min, one in twenty lost": {func(random *rand.Rand, days int, speak func(time.Duration, bool)) {
			for at := time.Duration(0); at < time.Duration(days)*day; at += 5 * time.Minute {
				if random.IntN(20) > 0 {
					speak(at, random.IntN(2) == 0)
				}
			}
		}, true, 30 * time.Minute, time.Hour},
		"a thermometer, on change and every hour": {func(random *rand.Rand, days int, speak func(time.Duration, bool)) {
			for at := time.Duration(0); at < time.Duration(days)*day; {
				if hour := int(at.Hours()) % 24; hour > 7 && hour < 22 && random.IntN(5) > 0 {
					at += jitter(random, 12*time.Minute, .9)
					speak(at, true)
				} else {
					at += time.Hour
					speak(at, false)
				}
			}
		}, true, 3 * time.Hour, 7 * time.Hour},
		"a contact with a heartbeat every 50 min": {func(random *rand.Rand, days int, speak func(time.Duration, bool)) {
			for at := time.Duration(0); at < time.Duration(days)*day; at += jitter(random, 50*time.Minute, .02) {
				speak(at, false)
				if hour := int(at.Hours()) % 24; hour > 7 && hour < 22 {
					speak(at+7*time.Minute, true)
					speak(at+8*time.Minute, true)
				}
			}
		}, true, 2 * time.Hour, 4 * time.Hour},
	}
	maps.Copy(all, unwatched())
	return all
}

func unwatched() map[string]rhythmCase {
	return map[string]rhythmCase{
		"a front door": {func(random *rand.Rand, days int, speak func(time.Duration, bool)) {
			for at := 8 * time.Hour; at < time.Duration(days)*day; at += jitter(random, 40*time.Minute, .9) {
				if hour := int(at.Hours()) % 24; hour >= 7 && hour < 22 {
					speak(at, true)
					speak(at+20*time.Second, true)
				}
			}
		}, false, 0, 0},
		"a motion sensor in an office, every minute while people are there": {func(random *rand.Rand, days int, speak func(time.Duration, bool)) {
			for at := 8 * time.Hour; at < time.Duration(days)*day; at += jitter(random, 65*time.Second, .05) {
				if hour := int(at.Hours()) % 24; hour >= 8 && hour < 18 {
					speak(at, true)
				}
			}
		}, false, 0, 0},
		"a busy hall, where somebody passes at night, too": {func(random *rand.Rand, days int, speak func(time.Duration, bool)) {
			for at := time.Duration(0); at < time.Duration(days)*day; {
				mean := 4 * time.Minute
				if hour := int(at.Hours()) % 24; hour < 7 {
					mean = time.Hour
				}
				at += time.Duration(random.ExpFloat64() * float64(mean))
				speak(at, true)
			}
		}, false, 0, 0},
		"a button": {func(random *rand.Rand, days int, speak func(time.Duration, bool)) {
			for at := day / 3; at < time.Duration(days)*day; at += jitter(random, 5*time.Hour, .8) {
				speak(at, true)
			}
		}, false, 0, 0},
		"a lamp whose state comes twice each time": {func(random *rand.Rand, days int, speak func(time.Duration, bool)) {
			for at := day / 3; at < time.Duration(days)*day; at += jitter(random, 3*time.Hour, .8) {
				speak(at, true)
				speak(at+3*time.Second, false)
			}
		}, false, 0, 0},
		"a thing that speaks twice a day": {func(random *rand.Rand, days int, speak func(time.Duration, bool)) {
			for at := time.Duration(0); at < time.Duration(days)*day; at += 12 * time.Hour {
				speak(at, false)
			}
		}, false, 0, 0},
	}
}

func TestRhythms(t *testing.T) {
	for name, c := range rhythms() {
		t.Run(name, func(t *testing.T) {
			start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			for seed := range uint64(20) {
				var r rhythm
				last, silences := time.Duration(0), 0
				c.live(rand.New(rand.NewPCG(seed, 1)), 10, func(at time.Duration, changed bool) {
					if patience := r.patience(); patience > 0 && at-last > patience {
						silences++
					}
					r.spoke(start.Add(at), changed)
					last = max(last, at)
				})
				patience := r.patience()
				if silences > 0 {
					t.Errorf("seed %d: %d alarms in ten days in which all was well; patience %s", seed, silences, patience)
				}
				if c.watched != (patience > 0) || patience < c.low || patience > c.above {
					t.Errorf("seed %d: patience %s, want %s to %s", seed, patience, c.low, c.above)
				}
			}
		})
	}
}

// A day's silence is not taken for the device's way.
func TestSilenceIsNoRhythm(t *testing.T) {
	var r rhythm
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for range 600 {
		r.spoke(at, true)
		at = at.Add(5 * time.Minute)
	}
	if r.patience() != 15*time.Minute {
		t.Fatal(r.patience())
	}
	for range 600 {
		r.spoke(at, true)
		at = at.Add(5 * time.Minute)
		if at.Hour() == 12 && at.Minute() == 0 && at.Day() == 4 {
			at = at.Add(4 * time.Hour)
		}
	}
	if r.patience() != 15*time.Minute {
		t.Errorf("after a silence of four hours: %s", r.patience())
	}
	for range 600 { // it was told to speak more seldom
		r.spoke(at, true)
		at = at.Add(20 * time.Minute)
	}
	if r.patience() != time.Hour {
		t.Errorf("with another rhythm: %s", r.patience())
	}
}

// Nobody waits half a day for a device, however surely it speaks again.
func TestALongRhythmIsNone(t *testing.T) {
	var r rhythm
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for range 10 {
		for _, hours := range []int{3, 3, 3, 3, 3, 3, 7} {
			r.spoke(at, false)
			at = at.Add(time.Duration(hours) * time.Hour)
		}
	}
	if r.patience() != 0 {
		t.Error(r.patience())
	}
}

func TestSilentDevice(t *testing.T) {
	r := newRig(t)
	r.Online(r.home, true)
	other := sensor("meter:1")
	r.put(sensor("radio:1"), other)
	r.must(r.Status(r.home, []byte(`{"version":"1","clock":{"trusted":true},"drivers":[{"name":"radio","state":"running"}]}`)))
	speaks := func(times int) {
		for i := range times {
			r.now = r.now.Add(time.Minute)
			r.Live(r.home, reading("temperature", hearth.NumberOf(float64(i%7)), r.now))
		}
	}
	speaks(25 * 60)
	if got := r.alerts(); got != "" {
		t.Fatal(got)
	}
	r.now = r.now.Add(9 * time.Minute)
	if got := r.alerts(); got != "" {
		t.Error("too early:", got)
	}
	r.now = r.now.Add(2 * time.Minute)
	if got := r.alerts(); got != "device_silent radio:1" {
		t.Errorf("after eleven minutes: %q", got)
	}
	r.must(r.Status(r.home, []byte(`{"version":"1","clock":{"trusted":true},"drivers":[{"name":"radio","state":"waiting"}],"alarms":["driver radio: gone"]}`)))
	if got := r.alerts(); got != "driver_down radio" {
		t.Errorf("a driver that is down hides why its device is silent: %q", got)
	}
	r.now = r.now.Add(time.Hour)
	r.must(r.Status(r.home, []byte(`{"version":"1","clock":{"trusted":true},"drivers":[{"name":"radio","state":"running"}]}`)))
	if got := r.alerts(); got != "" {
		t.Errorf("it has had no chance to speak since the driver is back: %q", got)
	}
	r.now = r.now.Add(11 * time.Minute)
	if got := r.alerts(); got != "device_silent radio:1" {
		t.Errorf("%q", got)
	}
	r.must(r.save(t.Context()))
	r.open()
	r.Online(r.home, true)
	r.now = r.now.Add(9 * time.Minute)
	if got := r.alerts(); got != "" {
		t.Errorf("after a start it has a chance: %q", got)
	}
	r.now = r.now.Add(2 * time.Minute)
	if got := r.alerts(); got != "device_silent radio:1" {
		t.Errorf("after a start the rhythm is known still: %q", got)
	}
}
