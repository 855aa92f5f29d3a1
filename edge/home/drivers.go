package home

import (
	"context"
	"time"

	"hearth"
)

const (
	// settle is how long a driver that says nothing must have run to be taken for one that is there: one that only
	// tries ends sooner, as a rule.
	settle = 2 * time.Second
	// patience is how long commands wait for a driver that has gone: after a reset or a replugging it is back by then.
	patience = 8 * time.Second
)

// A driver is what the home knows of one. Its fields are guarded by Home.mu.
type driver struct {
	typ     string
	do      func(context.Context, hearth.Command) error // nil while it is not configured, or not yet started
	running bool                                        // it runs, or tries to
	there   bool                                        // its connection stands: it has said something, or runs for long enough
	gone    time.Time                                   // since when it is not there, monotonic
	back    chan struct{}                               // closed when it is there again
	settled *time.Timer
}

// Attach makes a driver known and returns the home that its Run may see; do carries out its devices' commands.
func (h *Home) Attach(name, typ string, do func(context.Context, hearth.Command) error) hearth.Home {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.driver(name)
	d.typ, d.do = typ, do
	return face{h, name}
}

// driver returns what is known of a driver; h.mu is held.
func (h *Home) driver(name string) *driver {
	d := h.drivers[name]
	if d == nil {
		d = &driver{gone: time.Now(), back: make(chan struct{})}
		h.drivers[name] = d
	}
	return d
}

// Detach forgets a driver that is no longer configured; its devices stay, out of reach.
func (h *Home) Detach(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.driver(name)
	h.leave(name, d)
	d.do = nil
}

// Running says whether a driver runs. It is there, and its devices are in reach, from its first word on.
func (h *Home) Running(name string, running bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.driver(name)
	if d.do == nil || d.running == running {
		return
	}
	if !running {
		h.leave(name, d)
		return
	}
	d.running = true
	d.settled = time.AfterFunc(settle, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.arrive(name, d)
	})
}

// Connecting implements hearth.Patient.
func (f face) Connecting() (connected func()) {
	h := f.h
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.driver(f.name)
	if d.settled != nil {
		d.settled.Stop()
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.arrive(f.name, d)
	}
}

// Away returns for how long a driver's connection has not stood, and false while it does.
func (h *Home) Away(name string) (since time.Duration, away bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.driver(name)
	if d.there {
		return 0, false
	}
	return time.Since(d.gone), true
}

// arrive takes a driver that runs for one that is there; h.mu is held.
func (h *Home) arrive(name string, d *driver) {
	if d.running && !d.there {
		d.there = true
		close(d.back)
		h.changedDriver(name)
	}
}

// leave takes note that a driver does not run any more; h.mu is held.
func (h *Home) leave(name string, d *driver) {
	if d.settled != nil {
		d.settled.Stop()
	}
	d.running = false
	if d.there {
		d.there, d.gone, d.back = false, time.Now(), make(chan struct{})
		h.changedDriver(name)
	}
}

// awaited returns how long commands still wait for the driver, 0 when they do not: it is there, or has been away for too long.
func (d *driver) awaited() time.Duration {
	if d.there {
		return 0
	}
	return max(patience-time.Since(d.gone), 0)
}

func (h *Home) changedDriver(name string) {
	for _, d := range h.devices {
		if d.ID.Driver() == name {
			h.publish(Event{Kind: KindDevice, Device: h.view(d)})
		}
	}
}
