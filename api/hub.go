package api

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"hearth"
)

// Kinds of live events.
const (
	EventDevice   = "device"
	EventReading  = "reading"
	EventCommand  = "command"
	EventStatus   = "status"
	EventSnapshot = "snapshot" // forget what you know: the events that follow are everything
)

// An Event is something that happened, to be sent to those who watch.
type Event struct {
	Kind   string
	Home   string    // for filters; "" at a gateway
	Device hearth.ID // for filters; "" where it concerns none
	Body   []byte    // one line of JSON
	seq    uint64
}

// NewEvent returns an event whose body is v as JSON.
func NewEvent(kind, home string, device hearth.ID, v any) Event {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("an event of type %T is no JSON: %v", v, err))
	}
	return Event{Kind: kind, Home: home, Device: device, Body: body}
}

// HubOptions bound a Hub; zero values are the defaults.
type HubOptions struct {
	Ring      int           // events kept for those who resume (4096)
	Clients   int           // watching at the same time (64); one more is refused with busy
	Heartbeat time.Duration // a comment when nothing happens for so long (15 s)
	Patience  time.Duration // how long one write may take before the client is cut off (10 s)
}

// A Hub sends events to many clients. It keeps the last ones in a ring, and each client has only a place in it: a slow
// one costs no memory, and one that falls out of the ring gets a fresh snapshot. Ids are <epoch>-<number>, the epoch
// random, so that an id from before a restart is recognised as unknown.
type Hub struct {
	o     HubOptions
	epoch string

	mu      sync.Mutex
	ring    []Event
	first   uint64 // the oldest number in the ring
	next    uint64 // the number of the event to come
	clients map[*client]struct{}
	closed  chan struct{}
	ended   bool
}

type client struct{ wake chan struct{} }

// firstNumber leaves lower numbers to ids that never resume.
const firstNumber = 2

// NewHub returns a Hub.
func NewHub(o HubOptions) *Hub {
	o.Ring = positive(o.Ring, 4096)
	o.Clients = positive(o.Clients, 64)
	o.Heartbeat = positive(o.Heartbeat, 15*time.Second)
	o.Patience = positive(o.Patience, 10*time.Second)
	return &Hub{
		o: o, epoch: strings.ToLower(rand.Text()[:10]),
		ring: make([]Event, o.Ring), first: firstNumber, next: firstNumber,
		clients: make(map[*client]struct{}), closed: make(chan struct{}),
	}
}

func positive[T int | time.Duration](v, fallback T) T {
	if v > 0 {
		return v
	}
	return fallback
}

// Publish sends an event to everybody whose filter lets it through. It never blocks.
func (h *Hub) Publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.seq = h.next
	h.ring[h.next%uint64(len(h.ring))] = e
	h.next++
	if h.next-h.first > uint64(len(h.ring)) {
		h.first = h.next - uint64(len(h.ring))
	}
	h.wakeAll()
}

// Reset says that events were lost on their way here: every client gets a fresh snapshot.
func (h *Hub) Reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++
	h.first = h.next
	h.wakeAll()
}

func (h *Hub) wakeAll() {
	for c := range h.clients {
		select {
		case c.wake <- struct{}{}:
		default: // it is awake already and will see this too
		}
	}
}

// Clients returns how many are watching.
func (h *Hub) Clients() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

// Close ends all streams and refuses new ones. A server that shuts down waits for its streams, so this comes first.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		h.ended = true
		close(h.closed)
	}
}

func (h *Hub) join() (*client, uint64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended:
		return nil, 0, Later(hearth.Errorf(hearth.CodeBusy, "stopping"), 2*time.Second)
	case len(h.clients) >= h.o.Clients:
		return nil, 0, Later(hearth.Errorf(hearth.CodeBusy, "%d clients are watching already", len(h.clients)), 10*time.Second)
	}
	c := &client{wake: make(chan struct{}, 1)}
	h.clients[c] = struct{}{}
	return c, h.next - 1, nil
}

func (h *Hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
}

// since returns up to limit events after number last, or false if some of them are no longer there, with the number
// from which to go on after a snapshot.
func (h *Hub) since(last uint64, limit int, into []Event) ([]Event, uint64, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last+1 < h.first || last >= h.next {
		return nil, h.next - 1, false
	}
	for n := last + 1; n < h.next && len(into) < limit; n++ {
		into = append(into, h.ring[n%uint64(len(h.ring))])
	}
	return into, last + uint64(len(into)), true
}

func (h *Hub) id(number uint64) string { return h.epoch + "-" + strconv.FormatUint(number, 10) }

// number reads an id; one of another epoch, or none of ours, is 0, which is never in the ring.
func (h *Hub) number(id string) uint64 {
	epoch, text, ok := strings.Cut(id, "-")
	if !ok || epoch != h.epoch {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0
	}
	return n
}
