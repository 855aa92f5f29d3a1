package fleet

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"hearth"
)

const (
	unsureAfter = 90 * time.Second // a gateway that is away for so long may be dark: what it said last is no news
	gapLife     = 24 * time.Hour   // how long lost readings are worth an alert

	backlogSmall = 1000 // readings that wait as long as all is well
	backlogLook  = 15 * time.Minute
	backlogOld   = 6 * time.Hour

	wearLimit = 1_000_000_000 // bytes a day, which wears a small card out in a few years
	wearKnown = 6 * time.Hour // the start writes more than usual

	batteryLow, batteryFine = 15, 25 // percent
)

// A queue is what waits on a gateway, watched for whether it gets less.
type queue struct {
	since   time.Time // more than a few wait since then
	mark    uint64    // how many at the last look
	marked  time.Time
	growing bool
}

func (q *queue) is(n uint64, now time.Time) {
	switch {
	case n <= backlogSmall:
		*q = queue{}
	case q.since.IsZero():
		*q = queue{since: now, mark: n, marked: now}
	case now.Sub(q.marked) >= backlogLook:
		q.growing, q.mark, q.marked = n > q.mark, n, now
	}
}

// Wrong returns what is wrong with a home as it shows just now. known is false while nobody can tell: its gateway is
// away, and not for long enough yet to be called dark. A dark gateway hides the rest.
func (f *Fleet) Wrong(id string) (conditions []hearth.Condition, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.homes[id]
	if h == nil {
		return nil, true
	}
	return h.wrong(f.o.Now(), f.opened)
}

// Look shows a home's devices as they are, one after the other, until look returns false. It must be quick, keep
// nothing and not call back.
func (f *Fleet) Look(id string, look func(d *hearth.DeviceView) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var s showing
	if h := f.homes[id]; h != nil {
		for _, d := range h.devices {
			if !look(s.of(d, false)) {
				return
			}
		}
		for _, d := range h.sortedDirect() {
			if h.byID[d.view.ID] == nil && !look(s.of(d.device, false)) {
				return
			}
		}
	}
}

func (h *home) wrong(now, opened time.Time) (conditions []hearth.Condition, known bool) {
	s := &h.sighting
	if away := now.Sub(s.LastSeen.Time); s.Gateway && !h.online && away > unsureAfter {
		if away <= DarkAfter || now.Sub(opened) <= DarkAfter { // after a start they need time to come back
			return nil, false
		}
		return []hearth.Condition{{
			Kind: hearth.AlertGatewayDark, Severity: hearth.SeverityWarning, Since: s.LastSeen.Time,
			Detail: "the gateway was last seen " + stamp(s.LastSeen.Time),
		}}, true
	}
	add := func(c hearth.Condition) { conditions = append(conditions, c) }
	h.gatewayWrong(now, add)
	down := h.driversWrong(add)
	for _, d := range h.devices {
		h.deviceWrong(d, now, down[d.view.ID.Driver()], add)
	}
	h.directWrong(now, opened, add)
	if !s.GapAt.IsZero() && now.Sub(s.GapAt.Time) < gapLife {
		add(hearth.Condition{
			Kind: hearth.AlertGap, Severity: hearth.SeverityWarning,
			Detail: "readings were lost in the last day, up to " + stamp(s.LastGap.Time),
		})
	}
	return conditions, true
}

func stamp(t time.Time) string { return t.UTC().Format(hearth.TimeForm) }

// gatewayWrong is what the gateway's status and its backlog tell.
func (h *home) gatewayWrong(now time.Time, add func(hearth.Condition)) {
	s := &h.sighting
	if s.Status != nil && !s.State.Clock.Trusted {
		add(hearth.Condition{
			Kind: hearth.AlertClockUntrusted, Severity: hearth.SeverityWarning, For: 5 * time.Minute,
			Detail: "the gateway does not trust its clock yet: readings wait for it",
		})
	}
	if q := h.queue; !q.since.IsZero() {
		detail := fmt.Sprintf("%d readings wait on the gateway since %s", s.Backlog, stamp(q.since))
		if q.growing {
			detail = fmt.Sprintf("%d readings wait on the gateway and get more", s.Backlog)
		}
		add(hearth.Condition{
			Kind: hearth.AlertBacklog, Severity: hearth.SeverityWarning, Detail: detail,
			Keeps: !q.growing && now.Sub(q.since) < backlogOld,
		})
	}
	if wear := s.State.Disk.PerDay; wear > wearLimit*4/5 && s.State.Uptime >= int64(wearKnown.Seconds()) {
		add(hearth.Condition{
			Kind: hearth.AlertDiskWear, Severity: hearth.SeverityWarning, Keeps: wear <= wearLimit,
			Detail: fmt.Sprintf("the gateway writes %.1f GB a day to its disk, which wears a memory card out: raise buffer.commit, or find out what writes", float64(wear)/1e9),
		})
	}
}

// driversWrong also returns which drivers are down. What the gateway says of these beside is the same cause.
func (h *home) driversWrong(add func(hearth.Condition)) (down map[string]bool) {
	for _, d := range h.sighting.State.Drivers {
		if d.State == "" || d.State == "running" {
			continue
		}
		if down == nil {
			down = map[string]bool{}
		}
		down[d.Name] = true
		add(hearth.Condition{
			Kind: hearth.AlertDriverDown, About: d.Name, Severity: hearth.SeverityWarning, For: 30 * time.Second,
			Detail: fmt.Sprintf("the driver is %s: %s", d.State, d.Error),
		})
	}
	var rest []string
	for _, alarm := range h.sighting.State.Alarms {
		words, _, _ := strings.Cut(alarm, ":")
		if name, ok := strings.CutPrefix(words, "driver "); !ok || !down[name] {
			rest = append(rest, alarm)
		}
	}
	if len(rest) > 0 {
		add(hearth.Condition{Kind: hearth.AlertGateway, Severity: hearth.SeverityWarning, For: 30 * time.Second, Detail: clip(strings.Join(rest, "; "))})
	}
	return down
}

func clip(s string) string {
	if len(s) > 1000 {
		return strings.ToValidUTF8(s[:1000], "") + "…"
	}
	return s
}

// deviceWrong tells of a silent device, unless its driver is down: then that is why.
func (h *home) deviceWrong(d *device, now time.Time, driverDown bool, add func(hearth.Condition)) {
	v := &d.view
	name := cmp.Or(v.Name, string(v.ID))
	switch patience := d.rhythm.patience(); {
	case driverDown:
	case !v.Reachable:
		add(hearth.Condition{
			Kind: hearth.AlertDeviceSilent, About: string(v.ID), Severity: hearth.SeverityWarning, For: time.Minute,
			Detail: name + " does not answer",
		})
	case patience > 0 && d.quiet(now, h) > patience:
		add(hearth.Condition{
			Kind: hearth.AlertDeviceSilent, About: string(v.ID), Severity: hearth.SeverityWarning,
			Detail: fmt.Sprintf("%s says nothing since %s, and used to speak at least every %s", name, stamp(v.LastSeen.Time), rounded(d.rhythm.period)),
		})
	}
	d.batteryWrong(add)
}

// batteryWrong tells of a battery that is low, once where a device says it in several ways.
func (d *device) batteryWrong(add func(hearth.Condition)) {
	v := &d.view
	for i := range d.properties {
		p, value := &d.properties[i], d.known[i].value
		if p.Name != "battery" && p.Name != "battery_low" || value.IsZero() {
			continue
		}
		if c, ok := batteryWrong(cmp.Or(v.Name, string(v.ID)), value); ok {
			c.About = string(v.ID)
			add(c)
			return
		}
	}
}

// quiet is for how long a device has had a chance to speak, and has not.
func (d *device) quiet(now time.Time, h *home) time.Duration {
	since := d.view.LastSeen.Time
	for _, began := range []time.Time{h.since, h.resumed[d.view.ID.Driver()]} {
		if began.After(since) {
			since = began
		}
	}
	return now.Sub(since)
}

func batteryWrong(name string, value hearth.Value) (hearth.Condition, bool) {
	c := hearth.Condition{Kind: hearth.AlertBatteryLow, Severity: hearth.SeverityInfo, Detail: "the battery of " + name + " is low"}
	if value.Kind() == hearth.Bool {
		return c, value.Bool()
	}
	left := value.Number()
	c.Detail += fmt.Sprintf(": %.0f %%", left)
	c.Keeps = left > batteryLow
	return c, value.Kind() == hearth.Number && left < batteryFine
}

// rounded is a stretch of time as a person says it.
func rounded(seconds uint32) string {
	switch {
	case seconds < 120:
		return fmt.Sprintf("%d s", seconds)
	case seconds < 7200:
		return fmt.Sprintf("%d min", (seconds+30)/60)
	}
	return fmt.Sprintf("%d h", (seconds+1800)/3600)
}

// resume says that a driver is back: its devices have been silent because of it.
func (h *home) resume(driver string, now time.Time) {
	if h.resumed == nil {
		h.resumed = map[string]time.Time{}
	}
	h.resumed[driver] = now
	for _, d := range h.devices {
		if d.view.ID.Driver() == driver {
			d.rhythm.pause()
		}
	}
}

// compare takes a new status beside the last one.
func (h *home) compare(old, fresh *status, now time.Time) {
	for _, was := range old.Drivers {
		for _, is := range fresh.Drivers {
			if was.Name == is.Name && was.State != "running" && is.State == "running" {
				h.resume(is.Name, now)
			}
		}
	}
	for _, target := range fresh.Targets {
		if target.Name == "cloud" {
			h.sighting.Backlog = target.Backlog
			h.queue.is(target.Backlog, now)
		}
	}
}

// periods are the learned rhythms, to be remembered.
func (h *home) periods() (periods map[hearth.ID]uint32) {
	for _, d := range h.devices {
		if d.rhythm.period > 0 {
			if periods == nil {
				periods = map[hearth.ID]uint32{}
			}
			periods[d.view.ID] = d.rhythm.period
		}
	}
	return periods
}

// recall takes remembered rhythms over where none is known.
func (h *home) recall(periods map[hearth.ID]uint32) {
	for id, period := range periods {
		if d := h.byID[id]; d != nil && d.rhythm.period == 0 {
			d.rhythm.period = period
		}
	}
}
