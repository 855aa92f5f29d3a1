// Package home knows which devices exist, what each said last, who wants to hear it, and what became of every command.
// Drivers come in through Report, everybody else goes out through Do: there is no other door.
package home

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"hearth"
)

const (
	valuesKey  = "values"
	saveEvery  = 10 * time.Minute // last values; after a crash the buffer's newest rows bring them up to date,
	saveRows   = 20_000           // and reading these must not delay the start
	checkEvery = 2 * time.Second  // staleness, and devices announced since
)

// A Sink keeps readings: the buffer.
type Sink interface {
	// Append queues readings and never waits for the disk; an error says that its queue is full.
	Append(...hearth.Reading) error
	// Urgent asks to have what is queued on disk now.
	Urgent()
}

// Options are what a Home is made of.
type Options struct {
	Devices  hearth.Store                         // one device each, as announced, and what a person calls it
	Values   hearth.Store                         // last values
	Commands hearth.Store                         // records, in the order in which they were given
	Now      func() (now time.Time, trusted bool) // the gateway's clock
	Sink     Sink
	Log      *slog.Logger
}

// A Home is the state of all devices and commands of one gateway. Its methods are safe for several goroutines.
type Home struct {
	opt  Options
	pass chan chan struct{}

	mu      sync.Mutex
	devices map[hearth.ID]*device
	drivers map[string]*driver
	refused uint64
	saved   time.Time
	rows    int // reported since the last values were saved
	subs    map[*Subscription]struct{}
	named   map[string]bool // refusals already logged, bounded by maxNamed

	book
}

// Open reads what the stores hold. Commands that were sent when the gateway went down are failed with unknown_outcome:
// nobody knows whether they happened, and they are never sent twice.
func Open(o Options) (*Home, error) {
	h := &Home{
		opt: o, pass: make(chan chan struct{}),
		devices: map[hearth.ID]*device{}, drivers: map[string]*driver{},
		subs: map[*Subscription]struct{}{}, named: map[string]bool{},
		book: newBook(),
	}
	if err := h.loadDevices(); err != nil {
		return nil, fmt.Errorf("reading the devices: %w", err)
	}
	if err := h.loadValues(); err != nil {
		return nil, fmt.Errorf("reading the last values: %w", err)
	}
	if err := h.loadCommands(); err != nil {
		return nil, fmt.Errorf("reading the commands: %w", err)
	}
	return h, nil
}

// Run keeps time for the home until ctx ends: it carries out what was accepted before the last stop, marks what went
// silent, and saves. It ends when no command is under way any more.
func (h *Home) Run(ctx context.Context) error {
	h.resume(ctx)
	check, save := time.NewTicker(checkEvery), time.NewTicker(saveEvery)
	defer check.Stop()
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			h.settled.Wait()
			return h.save()
		case passed := <-h.pass:
			close(passed)
		case <-check.C:
			h.noticeSilence()
			h.saveDevices()
			if h.unsaved() >= saveRows {
				h.saveNow()
			}
		case <-save.C:
			h.saveNow()
		}
	}
}

// Pass returns once the loop of Run has come round: what a watchdog may believe.
func (h *Home) Pass(ctx context.Context) error {
	passed := make(chan struct{})
	select {
	case h.pass <- passed:
		<-passed
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the home's loop: %w", ctx.Err())
	}
}

// Refused returns how many readings and announcements of drivers were refused since the start.
func (h *Home) Refused() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refused
}

// Saved returns when the last values were saved; Restore wants what came later.
func (h *Home) Saved() time.Time { return h.saved }

// Restore takes a reading from the buffer that is newer than the values saved. Call it before Run, oldest first.
func (h *Home) Restore(r hearth.Reading) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.devices[r.Device]
	if d == nil {
		return
	}
	if p, ok := d.Property(r.Property); ok && !p.Momentary && p.Kind == r.Value.Kind() {
		d.values[r.Property] = held{Value: r.Value, Time: hearth.Time{Time: r.Time}}
		d.LastSeen = hearth.Time{Time: r.Time}
	}
}

// kept is a device as the store has it.
type kept struct {
	hearth.Device
	DriverType string      `json:"driver_type"`
	GivenName  string      `json:"given_name,omitempty"`
	Room       string      `json:"room,omitempty"`
	LastSeen   hearth.Time `json:"last_seen"`
}

type held struct {
	Value hearth.Value `json:"value"`
	Time  hearth.Time  `json:"time"`
}

type snapshot struct {
	Saved  hearth.Time                   `json:"saved"`
	Values map[hearth.ID]map[string]held `json:"values"`
	Seen   map[hearth.ID]hearth.Time     `json:"seen"`
}

func (h *Home) loadDevices() error {
	return h.opt.Devices.Each(func(key string, data []byte) error {
		var k kept
		if err := json.Unmarshal(data, &k); err != nil {
			return fmt.Errorf("device %s: %w", key, err)
		}
		h.devices[k.ID] = &device{kept: k, reachable: true, values: map[string]held{}}
		return nil
	})
}

func (h *Home) loadValues() error {
	data, err := h.opt.Values.Get(valuesKey)
	if err != nil || data == nil {
		return err
	}
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	h.saved = s.Saved.Time
	for id, values := range s.Values {
		if d := h.devices[id]; d != nil {
			d.values, d.LastSeen = values, s.Seen[id]
		}
	}
	return nil
}

// unsaved returns how many rows came since the last values were saved.
func (h *Home) unsaved() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rows
}

func (h *Home) saveNow() {
	if err := h.save(); err != nil {
		h.opt.Log.Error("saving the last values", "error", err)
	}
}

func (h *Home) save() error {
	h.saveDevices()
	h.mu.Lock()
	h.rows = 0
	now, _ := h.opt.Now()
	s := snapshot{Saved: hearth.Time{Time: now}, Values: map[hearth.ID]map[string]held{}, Seen: map[hearth.ID]hearth.Time{}}
	for id, d := range h.devices {
		s.Values[id], s.Seen[id] = d.values, d.LastSeen
	}
	data, err := json.Marshal(s)
	h.mu.Unlock()
	if err != nil {
		return err
	}
	return h.opt.Values.Put(valuesKey, data)
}

// saveDevices writes the devices that were announced or known better since the last time.
func (h *Home) saveDevices() {
	h.mu.Lock()
	var dirty []kept
	for _, d := range h.devices {
		if d.dirty {
			d.dirty = false
			dirty = append(dirty, d.kept)
		}
	}
	h.mu.Unlock()
	for _, k := range dirty {
		if err := h.keep(k); err != nil {
			h.opt.Log.Error("saving a device", "device", k.ID, "error", err)
		}
	}
}

func (h *Home) keep(k kept) error {
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return h.opt.Devices.Put(string(k.ID), data)
}
