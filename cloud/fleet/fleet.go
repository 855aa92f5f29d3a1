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

	"golang.org/x/time/rate"

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

	// Tell is told, beside Emit, of what those who listen to the broker have to learn from this receiver: readings that
	// came by another way than the broker, and devices, unless another receiver took them in. Nil: nobody is.
	Tell func(home, kind string, body any)

	Alerts func(home string) []hearth.Alert // a home's open alerts; nil: what is wrong is shown as it is

	Now func() time.Time // nil: time.Now
	Log *slog.Logger
}

// A Fleet is safe for several goroutines.
type Fleet struct {
	o  Options
	db *sql.DB

	opened time.Time

	mu    sync.Mutex
	homes map[string]*home
	book  wordbook
}

// A home is what is known of one.
type home struct {
	devices  []*device
	byID     map[hearth.ID]*device
	direct   map[hearth.ID]*directDevice // beside the gateway's inventory
	changed  int64                       // the inventory's version: when it was stored, unix ms
	online   bool
	since    time.Time // of online
	sighting sighting
	dirty    bool // the sighting is newer than the one in SQL
	queue    queue
	resumed  map[string]time.Time // when a driver that was down came back
	puts     *rate.Limiter        // of inventories; nil before the first
}

// A sighting is what is remembered of a home beside its devices.
type sighting struct {
	LastSeen hearth.Time     `json:"last_seen"`
	Backlog  uint64          `json:"backlog"`
	LastGap  hearth.Time     `json:"last_gap"`
	GapAt    hearth.Time     `json:"gap_at,omitzero"`   // when it was told of
	Gateway  bool            `json:"gateway,omitempty"` // it has one
	Status   json.RawMessage `json:"status,omitempty"`  // as the gateway sent it
	State    status          `json:"state"`             // what of it counts here

	Periods map[hearth.ID]uint32 `json:"periods,omitempty"` // rhythms, while it is stored
}

// A status is the part of a gateway's status that this package understands.
type status struct {
	Version string `json:"version"`
	Uptime  int64  `json:"uptime_s"`
	Clock   struct {
		Trusted bool `json:"trusted"`
	} `json:"clock"`
	Drivers []struct {
		Name  string `json:"name"`
		State string `json:"state"`
		Error string `json:"error"`
	} `json:"drivers"`
	Targets []struct {
		Name    string `json:"name"`
		Backlog uint64 `json:"backlog"`
	} `json:"targets"`
	Disk struct {
		PerDay uint64 `json:"per_day_bytes"`
	} `json:"disk"`
	Alarms []string `json:"alarms,omitempty"`
}

// Open returns the fleet as it was known last, with the values that are stored.
func Open(ctx context.Context, o Options) (*Fleet, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Fleet{o: o, db: o.Accounts.DB(), opened: o.Now(), homes: map[string]*home{}, book: newWordbook()}
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

// Remove forgets a home that is no more.
func (f *Fleet) Remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.homes, id)
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
	h.sighting.Gateway, h.queue = true, queue{}
	for _, d := range h.devices {
		d.rhythm.pause()
	}
	f.o.Emit(id, "online", hearth.OnlineEvent{Online: online, Time: hearth.Time{Time: h.since.UTC()}})
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
	f.arrived(id, readings, gaps, backlog, true)
}

// ArrivedElsewhere is Arrived for what another receiver took in, which has told those who listen to the broker.
func (f *Fleet) ArrivedElsewhere(id string, readings []hearth.Reading, gaps []hearth.Gap, backlog *uint64) {
	f.arrived(id, readings, gaps, backlog, false)
}

func (f *Fleet) arrived(id string, readings []hearth.Reading, gaps []hearth.Gap, backlog *uint64, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, now := f.of(id), f.o.Now()
	if backlog != nil || !h.sighting.Gateway { // what others write is no sign of the gateway
		h.seen(now)
	}
	if backlog != nil {
		h.sighting.Backlog, h.sighting.Gateway = *backlog, true
		h.queue.is(*backlog, now)
	}
	for _, gap := range gaps {
		if gap.To.After(h.sighting.LastGap.Time) {
			h.sighting.LastGap, h.sighting.GapAt = gap.To, hearth.Time{Time: now.UTC()}
		}
	}
	f.take(id, h, now, readings, first)
}

// Live says that a gateway told of a reading as it happened.
func (f *Fleet) Live(id string, reading hearth.Reading) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, now := f.of(id), f.o.Now()
	if h.direct[reading.Device] == nil { // one that a receiver told of is no sign of the gateway
		h.seen(now)
	}
	f.take(id, h, now, []hearth.Reading{reading}, false)
}

// emit tells of an event, and where this receiver is the first to know also those who listen to the broker.
func (f *Fleet) emit(id, kind string, body any, first bool) {
	f.o.Emit(id, kind, body)
	if first && f.o.Tell != nil {
		f.o.Tell(id, kind, body)
	}
}

func (f *Fleet) take(id string, h *home, now time.Time, readings []hearth.Reading, first bool) {
	for _, r := range readings {
		d := h.find(r.Device)
		if d == nil {
			continue // its inventory brings the value along
		}
		if r.Time.IsZero() || r.Time.After(now.Add(time.Minute)) {
			r.Time = now // a clock that runs ahead must not hide what comes after
		}
		if d.take(r) {
			f.heard(id, h, r.Device, first)
			f.emit(id, "reading", hearth.ReadingEvent{Device: r.Device, Property: r.Property, Value: r.Value, Time: hearth.Time{Time: r.Time}}, first)
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
	h.seen(f.o.Now())
	h.compare(&h.sighting.State, &s, h.sighting.LastSeen.Time)
	h.sighting.Status, h.sighting.State, h.sighting.Gateway = raw, s, true
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
