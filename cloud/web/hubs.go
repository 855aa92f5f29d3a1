package web

import (
	"sync"
	"time"

	"hearth"
	"hearth/api"
)

const (
	hubRing = 1024             // events of one home kept for those who resume
	hubBeat = 10 * time.Second // after so long a token that was taken away sees no more
	hubLife = 10 * time.Minute // how long they are kept for one that nobody watches
)

// hubs are the live events of the homes that somebody watches, or did a moment ago: a thousand homes that nobody looks
// at cost nothing.
type hubs struct {
	now func() time.Time

	mu     sync.Mutex
	of     map[string]*watched
	closed bool
}

type watched struct {
	hub  *api.Hub
	used time.Time // when somebody began or stopped to watch
}

func newHubs(now func() time.Time) *hubs { return &hubs{now: now, of: map[string]*watched{}} }

// watch returns a home's hub, made if need be, and takes the opportunity to drop those that nobody needs.
func (h *hubs) watch(home string) *api.Hub {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	for id, w := range h.of {
		if id != home && w.hub.Clients() == 0 && now.Sub(w.used) > hubLife {
			delete(h.of, id)
		}
	}
	w := h.of[home]
	if w == nil {
		w = &watched{hub: api.NewHub(api.HubOptions{Ring: hubRing, Heartbeat: hubBeat})}
		h.of[home] = w
		if h.closed {
			w.hub.Close()
		}
	}
	w.used = now
	return w.hub
}

// left notes that somebody stopped to watch.
func (h *hubs) left(home string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.of[home]; w != nil {
		w.used = h.now()
	}
}

func (h *hubs) publish(home, kind string, body any) {
	h.mu.Lock()
	w := h.of[home]
	h.mu.Unlock()
	if w != nil {
		w.hub.Publish(api.NewEvent(kind, home, deviceOf(body), body))
	}
}

func deviceOf(body any) hearth.ID {
	switch b := body.(type) {
	case hearth.ReadingEvent:
		return b.Device
	case hearth.DeviceView:
		return b.ID
	case hearth.Forgotten:
		return b.ID
	case hearth.Record:
		return b.Device
	}
	return ""
}

func (h *hubs) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, w := range h.of {
		w.hub.Close()
	}
}
