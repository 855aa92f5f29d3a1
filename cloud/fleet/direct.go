package fleet

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"hearth"
)

// Limits on devices without a gateway.
const (
	MaxDirect = 200 // of one home

	mostReported = 1000      // readings in one report
	mostProperty = 64        // properties of one device
	mostWords    = 100       // bytes of a name, a room, …
	mostOptions  = 64        // of one property
	mostEvery    = 24 * 3600 // s

	shortestSilence = time.Minute      // however often a device promises to speak
	aheadMost       = 5 * time.Minute  // of a reading's time
	tombstone       = 10 * time.Minute // how long other receivers have to see that a device was forgotten
)

// A directDevice is one that speaks to the receiver itself: what it announced, and what it said last.
type directDevice struct {
	*device
	announced hearth.Announcement
	stored    string // the announcement as it is in SQL
}

// patience is how long it may be quiet before it counts as gone: by its own promise, or else by what was learned.
func (d *directDevice) patience() time.Duration {
	if d.announced.Every > 0 {
		return max(patienceLong*time.Duration(d.announced.Every)*time.Second, shortestSilence)
	}
	return d.rhythm.patience()
}

// silent reports whether it has been quiet for too long. While the receiver was away it had nobody to speak to.
func (d *directDevice) silent(now, opened time.Time) bool {
	since := d.view.LastSeen.Time
	if opened.After(since) {
		since = opened
	}
	patience := d.patience()
	return patience > 0 && now.Sub(since) > patience
}

// sorted returns a home's direct devices by their ids.
func (h *home) sortedDirect() []*directDevice {
	return slices.SortedFunc(maps.Values(h.direct), func(a, b *directDevice) int { return cmp.Compare(a.view.ID, b.view.ID) })
}

// find returns a device of the home, whoever speaks for it; nil if there is none.
func (h *home) find(id hearth.ID) *device {
	if d := h.byID[id]; d != nil {
		return d
	}
	if d := h.direct[id]; d != nil {
		return d.device
	}
	return nil
}

// Announce stores what a device without a gateway says of itself, and returns how it is shown then. It is durable when
// Announce returns. Errors: bad_value; conflict: the gateway has a device of that id; busy: the home has too many;
// not_found: no such home.
func (f *Fleet) Announce(ctx context.Context, id string, device hearth.ID, a hearth.Announcement) (hearth.DeviceView, error) {
	view, err := viewOf(device, &a)
	if err != nil {
		return hearth.DeviceView{}, err
	}
	body, err := json.Marshal(a)
	if err != nil {
		return hearth.DeviceView{}, fmt.Errorf("storing a device: %w", err)
	}
	if known, err := f.announced(id, device, string(body)); known != nil || err != nil {
		return deref(known), err
	}
	changed := f.o.Now()
	err = f.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM direct_devices WHERE home = $1 AND device = '' AND changed < $2`, id, changed.Add(-tombstone).UnixMilli()); err != nil {
			return err
		}
		var others int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM direct_devices WHERE home = $1 AND id <> $2 AND device <> ''`, id, string(device)).Scan(&others); err != nil {
			return err
		}
		if others >= MaxDirect {
			return hearth.Errorf(hearth.CodeBusy, "the home has %d devices without a gateway already: forget one first", others)
		}
		result, err := tx.ExecContext(ctx, `INSERT INTO direct_devices (home, id, changed, device) SELECT id, $2, CAST($3 AS BIGINT), $4 FROM homes WHERE id = $1
			ON CONFLICT (home, id) DO UPDATE SET changed = excluded.changed, device = excluded.device`, id, string(device), changed.UnixMilli(), string(body))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, hearth.Errorf(hearth.CodeNotFound, "there is no such home"))
		}
		return nil
	})
	if err != nil {
		return hearth.DeviceView{}, fmt.Errorf("storing a device: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.putDirect(id, view, a, string(body), true).shown(false), nil
}

func deref(view *hearth.DeviceView) hearth.DeviceView {
	if view == nil {
		return hearth.DeviceView{}
	}
	return *view
}

// announced returns a device that said the same of itself before: many announce themselves whenever they start.
func (f *Fleet) announced(id string, device hearth.ID, body string) (*hearth.DeviceView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.homes[id]
	if h == nil {
		return nil, nil
	}
	if h.byID[device] != nil {
		return nil, hearth.Errorf(hearth.CodeConflict, "the home's gateway has a device %s: choose another address", device)
	}
	if d := h.direct[device]; d != nil && d.stored == body {
		view := d.shown(false)
		return &view, nil
	}
	return nil, nil
}

// putDirect takes a device over and tells of it; f.mu is held.
func (f *Fleet) putDirect(id string, view hearth.DeviceView, a hearth.Announcement, stored string, first bool) *directDevice {
	h := f.of(id)
	d, properties := h.direct[view.ID], f.book.share(&view)
	if d == nil {
		d = &directDevice{device: newDevice(view, properties)}
		if h.direct == nil {
			h.direct = map[hearth.ID]*directDevice{}
		}
		h.direct[view.ID] = d
	} else {
		view.Reachable = d.view.Reachable
		d.replace(view, properties)
	}
	d.announced, d.stored = a, stored
	f.emit(id, "device", d.shown(false), first)
	return d
}

// viewOf completes an announcement and returns it as a device; code bad_value says what is wrong with it.
func viewOf(id hearth.ID, a *hearth.Announcement) (hearth.DeviceView, error) {
	if id.Driver() != hearth.DirectDriver || id.Check() != nil {
		return hearth.DeviceView{}, hearth.Errorf(hearth.CodeBadValue, "a device without a gateway is called %s:<address>, of letters, digits and . _ : @ -", hearth.DirectDriver)
	}
	for what, words := range map[string]string{"name": a.Name, "room": a.Room, "vendor": a.Vendor, "model": a.Model, "firmware": a.Firmware} {
		if len(words) > mostWords || strings.ContainsFunc(words, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return hearth.DeviceView{}, hearth.Errorf(hearth.CodeBadValue, "%s: at most %d bytes of printable characters", what, mostWords)
		}
	}
	a.Type = cmp.Or(a.Type, "other")
	switch {
	case !slices.Contains(hearth.Types, a.Type):
		return hearth.DeviceView{}, hearth.Errorf(hearth.CodeBadValue, "type %.50q: want one of %v", string(a.Type), hearth.Types)
	case a.Every < 0 || a.Every > mostEvery:
		return hearth.DeviceView{}, hearth.Errorf(hearth.CodeBadValue, "every_s: seconds, from 1 to %d, or 0 for no promise", mostEvery)
	case len(a.Properties) == 0 || len(a.Properties) > mostProperty:
		return hearth.DeviceView{}, hearth.Errorf(hearth.CodeBadValue, "properties: a device has 1 to %d of them", mostProperty)
	}
	view := hearth.DeviceView{
		ID: id, Name: cmp.Or(a.Name, id.Address()), Room: a.Room, Type: a.Type, Driver: hearth.DirectDriver, DriverType: hearth.DirectDriver,
		Vendor: a.Vendor, Model: a.Model, Firmware: a.Firmware, Reachable: true,
	}
	for _, p := range a.Properties {
		property, err := propertyOf(p)
		if err != nil {
			return hearth.DeviceView{}, err
		}
		view.Properties = append(view.Properties, hearth.PropertyView{Property: property})
	}
	return view, check(&view)
}

func propertyOf(p hearth.AnnouncedProperty) (hearth.Property, error) {
	word, known := hearth.Word(p.Name)
	switch {
	case p.Writable || known && word.WriteOnly && p.Kind == "":
		return word, hearth.Errorf(hearth.CodeBadValue, "property %.64s: a device without a gateway takes no commands, so it cannot be writable", p.Name)
	case !known && p.Kind == "":
		return word, hearth.Errorf(hearth.CodeBadValue, "property %.64q is none of the shared words: say its kind, bool, number or text", p.Name)
	case len(p.Options) > mostOptions || len(p.Unit) > mostWords || len(p.UnitCode) > mostWords:
		return word, hearth.Errorf(hearth.CodeBadValue, "property %.64s: at most %d options, and units of at most %d bytes", p.Name, mostOptions, mostWords)
	}
	for _, option := range p.Options {
		if len(option) > mostWords {
			return word, hearth.Errorf(hearth.CodeBadValue, "property %s: an option has at most %d bytes", p.Name, mostWords)
		}
	}
	if p.Kind == "" {
		word.Writable, word.Momentary = false, word.Momentary || p.Momentary
		return word, nil
	}
	return hearth.Property{
		Name: p.Name, Kind: p.Kind, Unit: p.Unit, UnitCode: p.UnitCode, Momentary: p.Momentary, Min: p.Min, Max: p.Max, Options: p.Options, Urgent: word.Urgent,
	}, nil
}

// Reported checks what devices without a gateway say, and completes it. Errors: no_device: a device or property that
// was not announced; conflict: its gateway speaks for that device; bad_value.
func (f *Fleet) Reported(id string, said []hearth.DirectReading) ([]hearth.Reading, error) {
	if len(said) == 0 || len(said) > mostReported {
		return nil, hearth.Errorf(hearth.CodeBadValue, "a report has 1 to %d readings", mostReported)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h, now := f.homes[id], f.o.Now().UTC().Truncate(time.Millisecond)
	type series struct {
		device   hearth.ID
		property string
	}
	next := map[series]time.Time{} // of readings without a time: two of one property are two
	readings := make([]hearth.Reading, 0, len(said))
	for _, r := range said {
		if err := h.mayReport(r, now); err != nil {
			return nil, err
		}
		at, of := r.Time.UTC().Truncate(time.Millisecond), series{r.Device, r.Property}
		if r.Time.IsZero() {
			at = now
			if later, twice := next[of]; twice {
				at = later
			}
			next[of] = at.Add(time.Millisecond)
		}
		readings = append(readings, hearth.Reading{Device: r.Device, Property: r.Property, Value: r.Value, Time: at})
	}
	return readings, nil
}

func (h *home) mayReport(r hearth.DirectReading, now time.Time) error {
	switch {
	case r.Device.Driver() != hearth.DirectDriver || h == nil || h.direct[r.Device] == nil:
		return hearth.Errorf(hearth.CodeNoDevice, "device %.128q was not announced as one without a gateway", string(r.Device))
	case h.byID[r.Device] != nil:
		return hearth.Errorf(hearth.CodeConflict, "the home's gateway speaks for a device %s: choose another address", r.Device)
	}
	d := h.direct[r.Device]
	i := d.place(r.Property)
	if i < 0 {
		return hearth.Errorf(hearth.CodeNoDevice, "device %s has announced no property %.64q", r.Device, r.Property)
	}
	switch p := &d.properties[i]; {
	case p.Kind != r.Value.Kind() || len(r.Value.Text()) > hearth.MaxText:
		return hearth.Errorf(hearth.CodeBadValue, "%s of %s is a %s, of text at most %d bytes", p.Name, r.Device, p.Kind, hearth.MaxText)
	case !r.Time.IsZero() && (r.Time.After(now.Add(aheadMost)) || r.Time.Year() < 2000):
		return hearth.Errorf(hearth.CodeBadValue, "%s of %s: the time %s cannot be; leave it out where there is no clock", p.Name, r.Device, r.Time.UTC().Format(hearth.TimeForm))
	}
	return nil
}

// Forget forgets a device without a gateway; its readings stay. Code no_device if there is none.
func (f *Fleet) Forget(ctx context.Context, id string, device hearth.ID) error {
	err := f.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE direct_devices SET device = '', changed = $1 WHERE home = $2 AND id = $3 AND device <> ''`,
			f.o.Now().UnixMilli(), id, strings.ToValidUTF8(string(device), "\uFFFD"))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, hearth.Errorf(hearth.CodeNoDevice, "the home has no device %.128q without a gateway; what a gateway has is forgotten there", string(device)))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forgetting a device: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dropDirect(id, device, true)
	return nil
}

// dropDirect forgets a device here; f.mu is held.
func (f *Fleet) dropDirect(id string, device hearth.ID, first bool) {
	if h := f.of(id); h.direct[device] != nil {
		delete(h.direct, device)
		f.emit(id, "device", hearth.Forgotten{ID: device, Forgotten: true}, first)
	}
}

// loadDirect takes over the devices without a gateway that are stored and newer than since.
func (f *Fleet) loadDirect(ctx context.Context, since int64) error {
	rows, err := f.db.QueryContext(ctx, `SELECT home, id, device FROM direct_devices WHERE changed >= $1 ORDER BY home, id`, since)
	if err != nil {
		return fmt.Errorf("reading the devices without a gateway: %w", err)
	}
	defer rows.Close()
	filled := map[string]bool{}
	for rows.Next() {
		var id, device, stored string
		if err := rows.Scan(&id, &device, &stored); err != nil {
			return fmt.Errorf("reading the devices without a gateway: %w", err)
		}
		fresh, err := f.takeDirect(id, hearth.ID(device), stored)
		if err != nil {
			return fmt.Errorf("reading device %s of %s: %w", device, id, err)
		}
		filled[id] = filled[id] || fresh
	}
	for id, fresh := range filled {
		if !fresh {
			continue
		}
		points, err := f.o.Last(id)
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.of(id).fill(points)
		f.mu.Unlock()
	}
	return rows.Err()
}

// takeDirect takes one over as it is stored, and reports whether it was not known before.
func (f *Fleet) takeDirect(id string, device hearth.ID, stored string) (fresh bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.of(id).direct[device]
	switch {
	case stored == "":
		f.dropDirect(id, device, false)
		return false, nil
	case known != nil && known.stored == stored:
		return false, nil
	}
	var a hearth.Announcement
	if err := json.Unmarshal([]byte(stored), &a); err != nil {
		return false, err
	}
	view, err := viewOf(device, &a)
	if err != nil {
		return false, err
	}
	f.putDirect(id, view, a, stored, false)
	return known == nil, nil
}

// listen looks which devices without a gateway have fallen silent, and tells of it.
func (f *Fleet) listen() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.o.Now()
	for id, h := range f.homes {
		for _, d := range h.direct {
			if d.view.Reachable && d.silent(now, f.opened) {
				d.view.Reachable = false
				f.emit(id, "device", d.shown(true), true)
			}
		}
	}
}

// heard notes that a device without a gateway spoke; f.mu is held.
func (f *Fleet) heard(id string, h *home, device hearth.ID, first bool) {
	if d := h.direct[device]; d != nil && !d.view.Reachable {
		d.view.Reachable = true
		f.emit(id, "device", d.shown(false), first)
	}
}

// directWrong tells of those that are silent.
func (h *home) directWrong(now, opened time.Time, add func(hearth.Condition)) {
	for _, d := range h.direct {
		if d.silent(now, opened) {
			add(hearth.Condition{
				Kind: hearth.AlertDeviceSilent, About: string(d.view.ID), Severity: hearth.SeverityWarning,
				Detail: fmt.Sprintf("%s says nothing since %s, and should speak at least every %s", d.view.Name, stamp(d.view.LastSeen.Time), rounded(uint32(d.patience()/patienceLong/time.Second))),
			})
		}
		d.batteryWrong(add)
	}
}
