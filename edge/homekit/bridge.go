// Package homekit is the Apple bridge: the home's devices as HomeKit accessories, under ids that are kept for good, on as
// many bridges as they need.
package homekit

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"hearth"
	"hearth/edge/home"
	"hearth/edge/homekit/hap"
)

const (
	model = "Hearth Bridge"

	gather     = time.Second     // devices that come and go within it are published together,
	gatherMost = 5 * time.Second // and this is how long they wait at most
	lookEvery  = time.Second     // what moves is looked at,
	lookAll    = time.Minute     // and everything is, since a device can also fall silent
	patience   = 25 * time.Hour  // how long a device need not have spoken since the start to be believed
	maxEvents  = 8192            // not yet seen; beyond that everything is looked at anew
)

// Options are what a Bridge is made of.
type Options struct {
	Home    *home.Home                           // nil: a bridge that cannot run, to look after what it keeps
	Store   hearth.Store                         // ids, pairings, setup code
	Name    string                               // of the home
	Listen  string                               // further bridges listen on the ports that follow
	PIN     string                               // 031-45-154; "" has one made and kept
	Version string                               // of the program
	Now     func() (now time.Time, trusted bool) // the gateway's clock; nil: the system's
	Log     *slog.Logger
	Ready   <-chan struct{} // nothing is published before it is closed; nil: the home knows its devices from the start
}

// A Bridge is all devices of a home on one or several HomeKit bridges.
type Bridge struct {
	o       Options
	log     *slog.Logger
	started time.Time
	pin     string
	words   map[string]hearth.Kind
	nudges  chan hearth.ID // devices to look at anew
	orders  orders

	ids     sync.Mutex
	numbers *numbering

	mu      sync.Mutex
	units   []*unit
	things  map[hearth.ID]*thing
	leftOut map[hearth.ID]LeftOut
	err     error // of the last Run

	// Of Run's goroutine alone.
	heard map[hearth.ID]bool // since the start
}

// New reads what is kept: setup code, ids, and the identity of each bridge. What is missing is made.
func New(o Options) (*Bridge, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Listen == "" {
		o.Listen = DefaultListen
	}
	if o.Now == nil {
		o.Now = func() (time.Time, bool) { return time.Now(), true }
	}
	b := &Bridge{
		o: o, log: o.Log, started: time.Now(), words: vocabulary(), nudges: make(chan hearth.ID, 256),
		things: map[hearth.ID]*thing{}, leftOut: map[hearth.ID]LeftOut{}, heard: map[hearth.ID]bool{},
	}
	var err error
	if b.pin = o.PIN; b.pin == "" {
		if b.pin, err = kept(o.Store, "pin", hap.NewPIN); err != nil {
			return nil, err
		}
	}
	if b.numbers, err = openNumbering(o.Store); err != nil {
		return nil, err
	}
	for range b.numbers.bridges() {
		if err := b.addUnit(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// DefaultListen is where the first bridge listens.
const DefaultListen = ":8471"

// CheckPIN says why a setup code cannot be used.
func CheckPIN(pin string) error { return hap.CheckPIN(pin) }

// kept returns what is kept under key, made at the first time.
func kept(store hearth.Store, key string, fresh func() string) (string, error) {
	data, err := store.Get(key)
	if err == nil && len(data) > 0 {
		return string(data), nil
	}
	value := ""
	if err == nil {
		value = fresh()
		err = store.Put(key, []byte(value))
	}
	if err != nil {
		return "", fmt.Errorf("homekit: keeping the %s: %w", key, err)
	}
	return value, nil
}

func (b *Bridge) now() time.Time { now, _ := b.o.Now(); return now }

// address returns where the n-th bridge listens.
func (b *Bridge) address(n int) (string, error) {
	host, port, err := net.SplitHostPort(b.o.Listen)
	if err != nil {
		return "", fmt.Errorf("homekit.listen: %w", err)
	}
	first, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("homekit.listen: %w", err)
	}
	if first == 0 {
		return net.JoinHostPort(host, "0"), nil
	}
	if int(first)+n > 65535 {
		return "", fmt.Errorf("homekit.listen: there is no port for bridge %d after %d", n+1, first)
	}
	return net.JoinHostPort(host, strconv.Itoa(int(first)+n)), nil
}

// Run serves the controllers until ctx ends. When it fails it can be run again.
func (b *Bridge) Run(ctx context.Context) error {
	if b.o.Ready != nil {
		select {
		case <-b.o.Ready:
		case <-ctx.Done():
			return nil
		}
	}
	b.mu.Lock()
	b.err = nil
	b.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	sub := b.o.Home.Subscribe(maxEvents)
	defer sub.Close()
	r := &run{b: b, ctx: ctx, dirty: map[hearth.ID]bool{}, running: map[*unit]bool{}, changed: map[int]bool{}}
	defer r.all.Wait()
	defer cancel()
	b.resync(r)
	r.look()
	err := r.publish()
	if err == nil {
		b.announceOnce()
		err = r.loop(sub)
	}
	b.mu.Lock()
	b.err = err
	b.mu.Unlock()
	return err
}

// server returns the server that shows a thing, nil before it is published for the first time.
func (b *Bridge) server(t *thing) *hap.Server {
	if t.bridge >= len(b.units) {
		return nil
	}
	return b.units[t.bridge].server
}

// announceOnce tells a person who looks at the log how to begin.
func (b *Bridge) announceOnce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range b.units {
		if !u.server.Paired() && !u.told {
			u.told = true
			b.log.Info("not paired yet: add it in Apple's Home by this code, or by the QR code that `hearth-edge homekit` and the page show", "bridge", u.name, "pin", b.pin, "uri", u.server.SetupURI())
		}
	}
}

// run is one Run of a bridge.
type run struct {
	b       *Bridge
	ctx     context.Context
	all     sync.WaitGroup
	dirty   map[hearth.ID]bool // devices to look at; true: what was written and never confirmed goes back
	running map[*unit]bool
	changed map[int]bool // bridges to publish
	since   time.Time    // when the first of them changed,
	latest  time.Time    // and the last
}

func (r *run) loop(sub *home.Subscription) error {
	tick, soon := time.NewTicker(lookEvery), time.NewTimer(gather)
	defer tick.Stop()
	defer soon.Stop()
	next := time.Now().Add(lookAll)
	for {
		select {
		case <-r.ctx.Done():
			return nil
		case e := <-sub.C():
			r.take(e)
			for range len(sub.C()) {
				r.take(<-sub.C())
			}
		case id := <-r.b.nudges:
			r.touch(id, false)
		case <-tick.C:
			for _, id := range r.b.orders.devices() {
				r.touch(id, false)
			}
			if time.Now().After(next) {
				next = time.Now().Add(lookAll)
				r.everything()
			}
		case <-soon.C:
			if err := r.publish(); err != nil {
				return err
			}
			r.b.announceOnce()
		}
		if sub.Lost() {
			r.b.resync(r)
		}
		r.look()
		if len(r.changed) > 0 {
			soon.Reset(max(min(time.Until(r.latest.Add(gather)), time.Until(r.since.Add(gatherMost))), 0))
		}
	}
}

func (r *run) touch(id hearth.ID, back bool) { r.dirty[id] = r.dirty[id] || back }

// structure notes that a bridge has other accessories than were published.
func (r *run) structure(bridge int) {
	if len(r.changed) == 0 {
		r.since = time.Now()
	}
	r.latest = time.Now()
	r.changed[bridge] = true
}

// take notes what an event changes. Presses are told at once, in their order.
func (r *run) take(e home.Event) {
	b := r.b
	switch {
	case e.Forgotten != "":
		b.forget(r, e.Forgotten)
	case e.Kind == home.KindDevice:
		b.adopt(r, e.Device)
	case e.Kind == home.KindReading:
		b.heard[e.Reading.Device] = true
		b.press(e.Reading)
		r.touch(e.Reading.Device, false)
	case e.Kind == home.KindCommand:
		r.follow(e.Command)
	}
}

// follow keeps what commands under way ask for. One that did not happen takes what phones show back.
func (r *run) follow(rec hearth.Record) {
	if rec.Final {
		r.b.orders.end(rec.Command)
		done := rec.State == hearth.Confirmed || rec.State == hearth.Applied
		r.touch(rec.Device, !done)
		return
	}
	r.b.orders.begin(rec.Command)
	r.touch(rec.Device, false)
}

// resync looks at everything anew.
func (b *Bridge) resync(r *run) {
	b.orders.reset(b.o.Home.Commands("", ""))
	views := b.o.Home.Devices()
	here := make(map[hearth.ID]bool, len(views))
	for _, v := range views {
		here[v.ID] = true
		b.adopt(r, v)
	}
	b.mu.Lock()
	var gone []hearth.ID
	for id := range b.things {
		if !here[id] {
			gone = append(gone, id)
		}
	}
	b.mu.Unlock()
	for _, id := range gone {
		b.forget(r, id)
	}
}

// nudge has a device looked at again soon.
func (b *Bridge) nudge(id hearth.ID) {
	select {
	case b.nudges <- id:
	default: // everything is looked at every minute
	}
}

// adopt takes a device in, or what is new about it.
func (b *Bridge) adopt(r *run, d hearth.DeviceView) {
	r.touch(d.ID, false)
	b.mu.Lock()
	before := b.things[d.ID]
	_, left := b.leftOut[d.ID]
	b.mu.Unlock()
	shape := shapeOf(d)
	if before != nil && before.shape == shape {
		return
	}
	faces, ok := b.build(d)
	if !ok {
		return
	}
	if len(faces) > mostFaces {
		b.log.Warn("HomeKit shows a part of this device only: it has too many functions", "device", d.ID)
		faces = faces[:mostFaces]
		for _, f := range faces {
			f.linked = nil
		}
	}
	if len(faces) == 0 {
		b.leave(r, d, before, left)
		return
	}
	b.ids.Lock()
	rec, err := b.numbers.number(d.ID, faces)
	b.ids.Unlock()
	if err != nil {
		b.log.Error("a device cannot be shown in HomeKit", "device", d.ID, "error", err)
		return
	}
	t := newThing(d, rec, faces, before)
	b.mu.Lock()
	b.things[d.ID] = t
	delete(b.leftOut, d.ID)
	b.mu.Unlock()
	r.structure(t.bridge)
	if before != nil && before.bridge != t.bridge {
		r.structure(before.bridge)
	}
}

// leave notes a device that HomeKit has no place for.
func (b *Bridge) leave(r *run, d hearth.DeviceView, before *thing, noted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if before != nil {
		delete(b.things, d.ID)
		r.structure(before.bridge)
	}
	if !noted {
		b.leftOut[d.ID] = LeftOut{ID: d.ID, Name: d.Name, Why: b.reason(d)}
	}
}

func (b *Bridge) reason(d hearth.DeviceView) string {
	if d.Type == "coordinator" {
		return "a radio is no accessory"
	}
	reasons := unmappable()
	for _, p := range d.Properties {
		if stem, _, ok := split(b.words, p.Name); ok && reasons[stem] != "" {
			return reasons[stem]
		}
	}
	return "HomeKit knows nothing of what it does"
}

// forget lets a device go that left for good.
func (b *Bridge) forget(r *run, id hearth.ID) {
	b.mu.Lock()
	t := b.things[id]
	delete(b.things, id)
	delete(b.leftOut, id)
	b.mu.Unlock()
	delete(b.heard, id)
	b.orders.forget(id)
	delete(r.dirty, id)
	b.ids.Lock()
	err := b.numbers.forget(id)
	b.ids.Unlock()
	if err != nil {
		b.log.Error("forgetting a device", "error", err)
	}
	if t != nil {
		r.structure(t.bridge)
	}
}

func (r *run) everything() {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	for id := range r.b.things {
		r.touch(id, false)
	}
}

// look tells what has changed of the devices that were touched.
func (r *run) look() {
	b := r.b
	for id, back := range r.dirty {
		b.mu.Lock()
		t := b.things[id]
		var server *hap.Server
		if t != nil {
			server = b.server(t)
		}
		b.mu.Unlock()
		if t == nil {
			continue
		}
		if view, ok := b.o.Home.Device(id); ok {
			b.lookAt(t, view, server, back)
		}
	}
	clear(r.dirty)
}

// fresh reports whether a device's values can be believed. One that has not spoken since the start may be one that
// seldom speaks.
func (b *Bridge) fresh(d hearth.DeviceView) bool {
	if !d.Reachable {
		return false
	}
	for _, p := range d.Properties {
		if p.Stale && (b.heard[d.ID] || time.Since(b.started) > patience) {
			return false
		}
	}
	return true
}
