package api

import (
	"bytes"
	"net/http"
	"time"

	"hearth"
)

// A Stream says what one client of a Hub gets to see.
type Stream struct {
	Match    func(Event) bool // nil: everything
	Snapshot func() []Event   // all that is true now; sent to one who cannot resume, and first of all with ?snapshot=1
	Still    func() bool      // asked at every heartbeat; false ends the stream (the token was removed). Nil: always
}

// Only lets the events of one device through; "" is all of them.
func Only(device hearth.ID) func(Event) bool {
	if device == "" {
		return nil
	}
	return func(e Event) bool { return e.Device == device }
}

// Present are the events of a snapshot of a home: its devices, and the commands on their way. Only picks one device.
func Present(home string, only hearth.ID, devices []hearth.DeviceView, commands []hearth.Record) []Event {
	var events []Event
	for _, view := range devices {
		if only == "" || view.ID == only {
			events = append(events, NewEvent(EventDevice, home, view.ID, view))
		}
	}
	for _, record := range commands {
		if !record.Final {
			events = append(events, NewEvent(EventCommand, home, record.Device, record))
		}
	}
	return events
}

// batch is how many events go into one write.
const batch = 128

// retry tells a browser how soon to come back, in milliseconds.
const retry = "retry: 2000\n"

// Serve streams events as text/event-stream until the client leaves, is too slow, or the hub closes. With a
// Last-Event-ID that is still in the ring it goes on after that event; with any other it begins with an event
// `snapshot` and what the stream's Snapshot returns. The error says why it did not begin (busy); then nothing is sent.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, s Stream) error {
	c, last, err := h.join()
	if err != nil {
		return err
	}
	defer h.leave(c)
	resume := r.Header.Get("Last-Event-ID")
	fresh := resume == "" && r.URL.Query().Get("snapshot") == "1"
	if resume != "" {
		last = h.number(resume)
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // a proxy in front must not collect events
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the server's limit for requests would end the stream
	out := &eventWriter{w: w, control: control, patience: h.o.Patience, hub: h, match: s.Match}
	out.buf.WriteString(retry)
	if fresh {
		out.buf.WriteString("\n")
		out.snapshot(s, last)
	} else if resume == "" {
		out.mark(last)
	} else {
		out.buf.WriteString("\n")
	}
	h.pump(out, r, c, s, last)
	return nil
}

func (h *Hub) pump(out *eventWriter, r *http.Request, c *client, s Stream, last uint64) {
	beat := time.NewTicker(h.o.Heartbeat)
	defer beat.Stop()
	events := make([]Event, 0, batch)
	for {
		found, next, held := h.since(last, batch, events[:0])
		if held {
			out.events(found)
		} else {
			out.snapshot(s, next)
		}
		last = next
		if out.flush() != nil {
			return
		}
		if len(found) == batch {
			continue
		}
		select {
		case <-c.wake:
		case <-beat.C:
			if s.Still != nil && !s.Still() {
				return
			}
			out.buf.WriteString(": still here\n\n")
		case <-r.Context().Done():
			return
		case <-h.closed:
			return
		}
	}
}

type eventWriter struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	hub      *Hub
	match    func(Event) bool
	buf      bytes.Buffer
	marked   uint64 // the number that the client knows last
	skipped  uint64 // the number of the last event that its filter held back
}

func (o *eventWriter) events(events []Event) {
	for _, e := range events {
		if o.match == nil || o.match(e) {
			o.event(e.Kind, o.hub.id(e.seq), e.Body)
			o.marked, o.skipped = e.seq, 0
		} else {
			o.skipped = e.seq
		}
	}
	// One whose filter holds most things back must not fall out of the ring for it.
	if o.skipped > 0 && o.skipped-o.marked > uint64(len(o.hub.ring)/4) {
		o.mark(o.skipped)
	}
}

// snapshot's own events have an id that never resumes: one that breaks off in the middle begins again.
func (o *eventWriter) snapshot(s Stream, last uint64) {
	never := o.hub.id(0)
	o.event(EventSnapshot, never, []byte("{}"))
	if s.Snapshot != nil {
		for _, e := range s.Snapshot() {
			o.event(e.Kind, never, e.Body)
		}
	}
	o.mark(last)
}

func (o *eventWriter) event(kind, id string, body []byte) {
	o.buf.WriteString("event: " + kind + "\nid: " + id + "\ndata: ")
	o.buf.Write(body)
	o.buf.WriteString("\n\n")
}

// mark tells the client where it is without an event: a block without data sets its last id and nothing else.
func (o *eventWriter) mark(number uint64) {
	o.buf.WriteString("id: " + o.hub.id(number) + "\n\n")
	o.marked, o.skipped = number, 0
}

func (o *eventWriter) flush() error {
	if o.buf.Len() == 0 {
		return nil
	}
	// A writer that knows no deadlines (a test's) is written to all the same.
	_ = o.control.SetWriteDeadline(time.Now().Add(o.patience))
	if _, err := o.w.Write(o.buf.Bytes()); err != nil {
		return err
	}
	o.buf.Reset()
	return o.control.Flush()
}
