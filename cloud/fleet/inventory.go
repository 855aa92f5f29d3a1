package fleet

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"hearth"
	"hearth/api"
	"hearth/cloud/series"
)

// MaxDevices is how many devices one home may have.
const MaxDevices = 2000

// How often a home may send its inventory: once a second, and so many at once.
const inventoryRate, inventoryBurst = 1, 30

// Pace returns how long a home has to wait until it may send its inventory; 0 if it may now, which counts.
func (f *Fleet) Pace(id string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.of(id)
	if h.puts == nil {
		h.puts = rate.NewLimiter(inventoryRate, inventoryBurst)
	}
	return api.TakeOrWait(h.puts, f.o.Now(), 1)
}

// Put stores a home's whole inventory; it is durable when Put returns. Code bad_value says which device cannot be.
func (f *Fleet) Put(ctx context.Context, id string, views []hearth.DeviceView) error {
	if len(views) > MaxDevices {
		return hearth.Errorf(hearth.CodeBadValue, "%d devices: a home has at most %d", len(views), MaxDevices)
	}
	seen := make(map[hearth.ID]bool, len(views))
	for i := range views {
		if err := check(&views[i]); err != nil {
			return err
		}
		if seen[views[i].ID] {
			return hearth.Errorf(hearth.CodeBadValue, "device %s is there twice", views[i].ID)
		}
		seen[views[i].ID] = true
	}
	body, err := json.Marshal(views)
	if err != nil {
		return fmt.Errorf("storing an inventory: %w", err)
	}
	changed := f.o.Now().UnixMilli()
	err = f.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO inventories (home, changed, devices) VALUES ($1, $2, $3)
			ON CONFLICT (home) DO UPDATE SET changed = excluded.changed, devices = excluded.devices`, id, changed, string(body))
		return err
	})
	if err != nil {
		return fmt.Errorf("storing an inventory: %w", err)
	}
	points, err := f.o.Last(id) // what a device said before the inventory named it
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.of(id)
	h.changed = max(h.changed, changed)
	h.seen(f.o.Now())
	h.sighting.Gateway = true
	f.replace(id, h, views, true)
	h.fill(points)
	return nil
}

// fill takes over stored last values that are newer than what is known.
func (h *home) fill(points []series.Point) {
	for _, p := range points {
		id, own := strings.CutPrefix(p.Series, hearth.Measurement+",device=")
		if d := h.find(hearth.ID(id)); own && d != nil {
			d.take(hearth.Reading{Device: hearth.ID(id), Property: p.Field, Value: p.Value, Time: unix(p.Time)})
		}
	}
}

// replace makes views the home's devices and tells what that changes; f.mu is held.
func (f *Fleet) replace(id string, h *home, views []hearth.DeviceView, first bool) {
	before := h.byID
	h.devices, h.byID = make([]*device, 0, len(views)), make(map[hearth.ID]*device, len(views))
	for _, view := range views {
		d := f.put(id, before[view.ID], view, first)
		h.devices, h.byID[view.ID] = append(h.devices, d), d
	}
	for gone := range before {
		if h.byID[gone] == nil {
			f.emit(id, "device", hearth.Forgotten{ID: gone, Forgotten: true}, first)
		}
	}
}

// put makes d what view says, or a new device if it is nil, and tells of it if that changes anything.
func (f *Fleet) put(id string, d *device, view hearth.DeviceView, first bool) *device {
	properties := f.book.share(&view)
	changed := true
	if d == nil {
		d = newDevice(view, properties)
	} else {
		changed = d.replace(view, properties)
	}
	if changed {
		f.emit(id, "device", d.shown(false), first)
	}
	return d
}

// DeviceEvent takes what a gateway says of one device between two inventories: the device, or that it has left. It is
// not stored: the next inventory brings it again.
func (f *Fleet) DeviceEvent(id string, body []byte) error {
	var view hearth.DeviceView
	var gone hearth.Forgotten
	if err := errors.Join(json.Unmarshal(body, &view), json.Unmarshal(body, &gone)); err != nil {
		return hearth.Errorf(hearth.CodeBadValue, "this is no device: %v", err)
	}
	if err := check(&view); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.of(id)
	h.seen(f.o.Now())
	d := h.byID[view.ID]
	switch {
	case gone.Forgotten && d != nil:
		h.devices = slices.DeleteFunc(h.devices, func(other *device) bool { return other == d })
		delete(h.byID, view.ID)
		f.emit(id, "device", gone, true)
	case gone.Forgotten:
	case d != nil:
		f.put(id, d, view, true)
	case len(h.devices) < MaxDevices:
		d = f.put(id, nil, view, true)
		h.devices, h.byID[view.ID] = append(h.devices, d), d
	}
	return nil
}

// load reads what is stored and newer than since, at the start and, where several receivers share a database, after.
func (f *Fleet) load(ctx context.Context, since int64) error {
	inventories, err := f.read(ctx, `SELECT home, changed, devices FROM inventories WHERE changed >= $1`, since)
	if err != nil {
		return err
	}
	for _, row := range inventories {
		if err := f.loadInventory(row); err != nil {
			return fmt.Errorf("reading the inventory of %s: %w", row.home, err)
		}
	}
	if err := f.loadDirect(ctx, since); err != nil {
		return err
	}
	sightings, err := f.read(ctx, `SELECT home, changed, sighting FROM sightings WHERE changed >= $1`, since)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, row := range sightings {
		var s sighting
		if err := json.Unmarshal([]byte(row.text), &s); err != nil {
			return fmt.Errorf("reading the sighting of %s: %w", row.home, err)
		}
		if h := f.of(row.home); s.LastSeen.After(h.sighting.LastSeen.Time) {
			s.Gateway = s.Gateway || s.Status != nil
			h.recall(s.Periods)
			s.Periods = nil
			h.sighting = s
		}
	}
	return nil
}

type row struct {
	home    string
	changed int64
	text    string
}

func (f *Fleet) read(ctx context.Context, query string, since int64) ([]row, error) {
	found, err := f.db.QueryContext(ctx, query, since)
	if err != nil {
		return nil, fmt.Errorf("reading the homes: %w", err)
	}
	defer found.Close()
	var rows []row
	for found.Next() {
		var r row
		if err := found.Scan(&r.home, &r.changed, &r.text); err != nil {
			return nil, fmt.Errorf("reading the homes: %w", err)
		}
		rows = append(rows, r)
	}
	return rows, found.Err()
}

func (f *Fleet) loadInventory(r row) error {
	f.mu.Lock()
	known := f.of(r.home).changed >= r.changed
	f.mu.Unlock()
	if known {
		return nil
	}
	var views []hearth.DeviceView
	if err := json.Unmarshal([]byte(r.text), &views); err != nil {
		return err
	}
	points, err := f.o.Last(r.home)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.of(r.home)
	h.changed = r.changed
	f.replace(r.home, h, views, false)
	h.fill(points)
	return nil
}

// savedAtOnce is how many sightings are written in one transaction: commands wait for it.
const savedAtOnce = 100

// save writes the sightings that changed.
func (f *Fleet) save(ctx context.Context) error {
	f.mu.Lock()
	dirty := map[string]sighting{}
	for id, h := range f.homes {
		if h.dirty {
			s := h.sighting
			s.Periods = h.periods()
			dirty[id], h.dirty = s, false
		}
	}
	f.mu.Unlock()
	for part := range slices.Chunk(slices.Sorted(maps.Keys(dirty)), savedAtOnce) {
		if err := f.write(ctx, part, dirty); err != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			for id := range dirty {
				f.of(id).dirty = true
			}
			return fmt.Errorf("storing when the homes were seen: %w", err)
		}
	}
	return nil
}

func (f *Fleet) write(ctx context.Context, homes []string, sightings map[string]sighting) error {
	return f.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		for _, id := range homes {
			body, err := json.Marshal(sightings[id])
			if err != nil {
				return err
			}
			// A home that was deleted meanwhile is passed over.
			_, err = tx.ExecContext(ctx, `INSERT INTO sightings (home, changed, sighting) SELECT id, CAST($2 AS BIGINT), CAST($3 AS TEXT) FROM homes WHERE id = $1
				ON CONFLICT (home) DO UPDATE SET changed = excluded.changed, sighting = excluded.sighting`, id, f.o.Now().UnixMilli(), string(body))
			if err != nil {
				return err
			}
		}
		return nil
	})
}
