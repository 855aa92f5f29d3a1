package home

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hearth"
)

const (
	maxDevices = 2000
	maxNamed   = 1000
	maxName    = 100 // letters of a device's or a room's name
	maxAhead   = time.Minute
	maxBehind  = 366 * 24 * time.Hour
)

type device struct {
	kept
	values    map[string]held
	reachable bool      // by the device's own word
	seen      time.Time // monotonic; zero if not since the start
	rhythm    rhythm
	stale     bool
	dirty     bool
}

// rhythm learns how often a device speaks, so that silence can be told from a quiet one.
type rhythm struct {
	gaps    int
	longest time.Duration // decays, so that one long night does not hide a death for ever
}

func (r *rhythm) heard(gap time.Duration) {
	r.gaps++
	r.longest = max(gap, r.longest-r.longest/64)
}

// patience is how long the device may be silent before its values are stale.
func (r *rhythm) patience() time.Duration {
	if r.gaps < 8 {
		return 25 * time.Hour
	}
	return min(max(10*r.longest, 15*time.Minute), 25*time.Hour)
}

// face is the home as one driver sees it.
type face struct {
	h    *Home
	name string
}

// Announce implements hearth.Home.
func (f face) Announce(d hearth.Device) { f.h.announce(f.name, d) }

// Report implements hearth.Home.
func (f face) Report(readings ...hearth.Reading) { f.h.report(f.name, readings) }

// Forget implements hearth.Home.
func (f face) Forget(id hearth.ID) {
	if id.Driver() == f.name {
		if err := f.h.Remove(id); err != nil && hearth.ErrorOf(err).Code != hearth.CodeNoDevice { // it may not have been taken in
			f.h.opt.Log.Error("forgetting a device", "device", id, "error", err)
		}
	}
}

func (h *Home) announce(driver string, announced hearth.Device) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := announced.Check(); err != nil {
		h.refuse(driver, string(announced.ID), err.Error())
		return
	}
	from := h.driver(driver)
	if announced.ID.Driver() != driver || from.do == nil {
		h.refuse(driver, string(announced.ID), "it is not the driver of this device")
		return
	}
	announced.Properties = slices.Clone(announced.Properties)
	announced.Name = tidyName(announced.Name)
	if !slices.Contains(hearth.Types, announced.Type) {
		announced.Type = "other"
	}
	d := h.devices[announced.ID]
	if d == nil {
		if len(h.devices) >= maxDevices {
			h.refuse(driver, "", "there are too many devices")
			return
		}
		d = &device{values: map[string]held{}, reachable: true}
		h.devices[announced.ID] = d
	}
	h.arrive(driver, from)
	if reflect.DeepEqual(d.Device, announced) && d.DriverType == from.typ {
		return
	}
	d.Device, d.DriverType, d.dirty = announced, from.typ, true
	for name, value := range d.values {
		if p, ok := announced.Property(name); !ok || p.Kind != value.Value.Kind() {
			delete(d.values, name)
		}
	}
	h.publish(Event{Kind: KindDevice, Device: h.view(d)})
}

func (h *Home) report(driver string, readings []hearth.Reading) {
	now, trusted := h.opt.Now()
	now = now.UTC().Truncate(time.Millisecond)
	good := make([]hearth.Reading, 0, len(readings))
	urgent := false
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range readings {
		d := h.devices[r.Device]
		if d == nil || r.Device.Driver() != driver {
			h.refuse(driver, string(r.Device), "a reading of a device that it did not announce")
			continue
		}
		p, ok := d.Property(r.Property)
		if !ok && r.Property == reachable {
			p, ok = hearth.Property{Name: reachable, Kind: hearth.Bool}, true
		}
		if !ok || p.Kind != r.Value.Kind() || len(r.Value.Text()) > hearth.MaxText {
			h.refuse(driver, string(r.Device)+" "+r.Property, "a reading that does not fit what was announced")
			continue
		}
		backfill := h.stamp(&r, now, trusted)
		good = append(good, r)
		urgent = urgent || p.Urgent || p.Momentary
		h.take(d, p, r, backfill)
		h.wake(r.Device)
	}
	if len(good) == 0 {
		return
	}
	h.arrive(driver, h.driver(driver))
	h.rows += len(good)
	if err := h.opt.Sink.Append(good...); err != nil {
		h.refuse(driver, "buffer", err.Error())
	}
	if urgent {
		h.opt.Sink.Urgent()
	}
	for _, r := range good {
		h.publish(Event{Kind: KindReading, Reading: r})
	}
}

const reachable = "reachable"

// stamp gives r its time. A device's own time is believed only beside a trusted clock, and only from a year behind it
// to a minute ahead; it reports whether r is older than now by its own word.
func (h *Home) stamp(r *hearth.Reading, now time.Time, trusted bool) (backfill bool) {
	if !r.Time.IsZero() && trusted && r.Time.Before(now.Add(maxAhead)) && r.Time.After(now.Add(-maxBehind)) {
		r.Time = r.Time.UTC().Truncate(time.Millisecond)
		return r.Time.Before(now)
	}
	r.Time, r.Untrusted = now, !trusted
	return false
}

// take brings the state up to date.
func (h *Home) take(d *device, p hearth.Property, r hearth.Reading, backfill bool) {
	was := d.reachable
	if p.Name == reachable {
		d.reachable = r.Value.Bool()
	} else {
		d.reachable = true
	}
	now := time.Now()
	if !d.seen.IsZero() && now.Sub(d.seen) > time.Second {
		d.rhythm.heard(now.Sub(d.seen))
	}
	d.seen, d.LastSeen = now, hearth.Time{Time: r.Time}
	if !p.Momentary && !p.WriteOnly {
		if old := d.values[p.Name]; !backfill || !r.Time.Before(old.Time.Time) {
			d.values[p.Name] = held{Value: r.Value, Time: hearth.Time{Time: r.Time}}
		}
	}
	if was != d.reachable || d.stale {
		d.stale = false
		h.publish(Event{Kind: KindDevice, Device: h.view(d)})
	}
}

// refuse counts what a driver said wrong and names the first of a kind.
func (h *Home) refuse(driver, what, why string) {
	h.refused++
	key := driver + " " + what + " " + why
	if h.named[key] || len(h.named) >= maxNamed {
		return
	}
	h.named[key] = true
	h.opt.Log.Warn("refused from a driver (said once)", "driver", driver, "what", what, "why", why)
}

// noticeSilence publishes the devices that have gone stale since the last look.
func (h *Home) noticeSilence() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.devices {
		if !d.stale && !d.seen.IsZero() && time.Since(d.seen) > d.rhythm.patience() {
			d.stale = true
			h.publish(Event{Kind: KindDevice, Device: h.view(d)})
		}
	}
}

// Devices returns every device, sorted by room, name and id.
func (h *Home) Devices() []hearth.DeviceView {
	h.mu.Lock()
	defer h.mu.Unlock()
	views := make([]hearth.DeviceView, 0, len(h.devices))
	for _, d := range h.devices {
		views = append(views, h.view(d))
	}
	slices.SortFunc(views, func(a, b hearth.DeviceView) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return views
}

// Device returns one device.
func (h *Home) Device(id hearth.ID) (hearth.DeviceView, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.devices[id]
	if d == nil {
		return hearth.DeviceView{}, false
	}
	return h.view(d), true
}

// Rename gives a device a name or a room of a person's own; nil leaves it, "" goes back to the proposal. It is on disk
// when Rename returns. Errors: no_device, bad_value.
func (h *Home) Rename(id hearth.ID, name, room *string) (hearth.DeviceView, error) {
	for _, s := range []*string{name, room} {
		if s != nil && tidyName(*s) != *s {
			return hearth.DeviceView{}, hearth.Errorf(hearth.CodeBadValue, "a name has at most %d letters, no control characters and no space at its ends", maxName)
		}
	}
	h.mu.Lock()
	d := h.devices[id]
	if d == nil {
		h.mu.Unlock()
		return hearth.DeviceView{}, hearth.Errorf(hearth.CodeNoDevice, "there is no device %s", id)
	}
	if name != nil {
		d.GivenName = *name
	}
	if room != nil {
		d.Room = *room
	}
	k, view := d.kept, h.view(d)
	h.publish(Event{Kind: KindDevice, Device: view})
	h.mu.Unlock()
	return view, h.keep(k)
}

// Remove forgets a device; its history stays. One that is still there is announced again by its driver. Error: no_device.
func (h *Home) Remove(id hearth.ID) error {
	h.mu.Lock()
	if h.devices[id] == nil {
		h.mu.Unlock()
		return hearth.Errorf(hearth.CodeNoDevice, "there is no device %s", id)
	}
	delete(h.devices, id)
	h.publish(Event{Kind: KindDevice, Forgotten: id})
	h.mu.Unlock()
	return h.opt.Devices.Delete(string(id))
}

func (h *Home) view(d *device) hearth.DeviceView {
	name := cmp.Or(d.GivenName, d.Name, d.ID.Address())
	v := hearth.DeviceView{
		ID: d.ID, Name: name, Room: d.Room, Type: d.Type, Driver: d.ID.Driver(), DriverType: d.DriverType,
		Vendor: d.Vendor, Model: d.Model, Firmware: d.Firmware,
		Reachable: h.driver(d.ID.Driver()).there && d.reachable, LastSeen: d.LastSeen,
		Properties: make([]hearth.PropertyView, len(d.Properties)),
	}
	targets := h.targets(d.ID)
	for i, p := range d.Properties {
		view := hearth.PropertyView{Property: p}
		if held, ok := d.values[p.Name]; ok {
			view.Value, view.Time = &held.Value, held.Time
			view.Stale = !v.Reachable || d.stale || d.seen.IsZero()
		}
		if target, ok := targets[p.Name]; ok {
			view.Target = &target
		}
		v.Properties[i] = view
	}
	return v
}

func tidyName(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s))
	if letters := []rune(s); len(letters) > maxName {
		s = strings.TrimSpace(string(letters[:maxName]))
	}
	return s
}
