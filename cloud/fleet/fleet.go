// Package fleet knows how the homes are: which devices each has, what they said last, whether its gateway is there, and
// what is wrong. Readings and sessions are told to it; inventories and sightings survive a restart in SQL.
package fleet

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// DarkAfter is how long a gateway that was seen before may be away until that is an alert, and its values are stale.
const DarkAfter = 5 * time.Minute

// Options are what a Fleet is made with.
type Options struct {
	Accounts *accounts.Accounts
	Last     func(home string) ([]series.Point, error) // the stored last values of a home

	// Emit is told what live events a home has: reading, device or status, and the body of the event. It must be
	// quick and must not call back.
	Emit func(home, kind string, body any)

	Now func() time.Time // nil: time.Now
	Log *slog.Logger
}

// A Fleet is safe for several goroutines.
type Fleet struct {
	o  Options
	db *sql.DB

	mu    sync.Mutex
	homes map[string]*home
}

// A home is what is known of one.
type home struct {
	devices  []*device
	byID     map[hearth.ID]*device
	changed  int64 // the inventory's version: when it was stored, unix ms
	online   bool
	since    time.Time // of online
	sighting sighting
	dirty    bool // the sighting is newer than the one in SQL
}

// A sighting is what is remembered of a home beside its devices.
type sighting struct {
	LastSeen hearth.Time     `json:"last_seen"`
	Backlog  uint64          `json:"backlog"`
	LastGap  hearth.Time     `json:"last_gap"`
	Status   json.RawMessage `json:"status,omitempty"` // as the gateway sent it
	State    status          `json:"state"`            // what of it counts here
}

// A status is the part of a gateway's status that this package understands.
type status struct {
	Version string `json:"version"`
	Clock   struct {
		Trusted bool `json:"trusted"`
	} `json:"clock"`
	Drivers []struct {
		Name  string `json:"name"`
		State string `json:"state"`
		Error string `json:"error"`
	} `json:"drivers"`
}

// Open returns the fleet as it was known last, with the values that are stored.
func Open(ctx context.Context, o Options) (*Fleet, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Fleet{o: o, db: o.Accounts.DB(), homes: map[string]*home{}}
	if err := f.load(ctx, 0); err != nil {
		return nil, err
	}
	return f, nil
}

// of returns the home, made if need be; f.mu is held.
func (f *Fleet) of(id string) *home {
	h := f.homes[id]
	if h == nil {
		h = &home{byID: map[hearth.ID]*device{}}
		f.homes[id] = h
	}
	return h
}

func (h *home) seen(now time.Time) {
	h.sighting.LastSeen, h.dirty = hearth.Time{Time: now.UTC()}, true
}

// Online says whether the home's gateway has a live session.
func (f *Fleet) Online(id string, online bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.of(id)
	if h.online == online {
		return
	}
	h.online, h.since = online, f.o.Now()
	h.seen(h.since)
}

// IsOnline reports whether it has.
func (f *Fleet) IsOnline(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.homes[id]
	return h != nil && h.online
}

// Arrived says that data of a home was stored: its readings, gaps among it, and how much is left on the gateway, if it
// said so.
func (f *Fleet) Arrived(id string, readings []hearth.Reading, gaps []hearth.Gap, backlog *uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, now := f.of(id), f.o.Now()
	h.seen(now)
	if backlog != nil {
		h.sighting.Backlog = *backlog
	}
	for _, gap := range gaps {
		if gap.To.After(h.sighting.LastGap.Time) {
			h.sighting.LastGap = gap.To
		}
	}
	f.take(id, h, now, readings)
}

// Live says that a gateway told of a reading as it happened.
func (f *Fleet) Live(id string, reading hearth.Reading) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, now := f.of(id), f.o.Now()
	h.seen(now)
	f.take(id, h, now, []hearth.Reading{reading})
}

func (f *Fleet) take(id string, h *home, now time.Time, readings []hearth.Reading) {
	for _, r := range readings {
		d := h.byID[r.Device]
		if d == nil {
			continue // its inventory brings the value along
		}
		if r.Time.IsZero() || r.Time.After(now.Add(time.Minute)) {
			r.Time = now // a clock that runs ahead must not hide what comes after
		}
		if d.take(r) {
			f.o.Emit(id, "reading", hearth.ReadingEvent{Device: r.Device, Property: r.Property, Value: r.Value, Time: hearth.Time{Time: r.Time}})
		}
	}
}

// Status takes a gateway's status as it sent it; what is no status is code bad_value.
func (f *Fleet) Status(id string, body []byte) error {
	var s status
	if err := json.Unmarshal(body, &s); err != nil || len(body) > 64<<10 {
		return hearth.Errorf(hearth.CodeBadValue, "this is no gateway's status: %d bytes, %v", len(body), err)
	}
	raw := json.RawMessage(append([]byte(nil), body...))
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.of(id)
	h.sighting.Status, h.sighting.State = raw, s
	h.seen(f.o.Now())
	f.o.Emit(id, "status", raw)
	return nil
}

// Command shows what a command on its way asks for, as the target of its properties, until it is final.
func (f *Fleet) Command(id string, r hearth.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.of(id).byID[r.Device]; d != nil {
		d.command(r)
	}
}
