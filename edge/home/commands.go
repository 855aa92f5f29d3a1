package home

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"hearth"
)

const (
	maxRecords  = 1000 // final ones kept; older ones go first
	maxWaiting  = 32   // commands of one device that are not final
	maxDeadline = 30 * 24 * time.Hour
)

// book is every command the home knows of. Its fields are guarded by Home.mu.
type book struct {
	entries map[string]*entry // by command id
	order   []*entry          // oldest first
	next    uint64
	lines   map[hearth.ID]*line
	ctx     context.Context // Run's: commands start only while it is alive
	settled sync.WaitGroup

	giving sync.Mutex // one command is taken at a time, so that an id is taken once
}

// entry is one command. Only advance changes its record.
type entry struct {
	key      string
	rec      hearth.Record
	due      time.Time     // monotonic
	restored bool          // accepted before the last stop
	look     chan struct{} // a report came that may confirm it
	said     bool          // the device has reported what it asks for, whatever it reported after that; guarded by Home.mu
	done     chan struct{} // closed when the record is final

	writing sync.Mutex // held from the change of a state until it is on disk and told
}

// line is what waits for one device: one command at a time is with the driver.
type line struct {
	waiting []*entry
	open    []*entry // with the driver, or acknowledged and not yet confirmed
	busy    bool
}

func newBook() book {
	return book{entries: map[string]*entry{}, lines: map[hearth.ID]*line{}}
}

// Do takes a command and returns its record, which is on disk by then. What follows is told by events, Wait and
// Command. The same id with the same content is the same command and returns its record; with other content it is a
// conflict. An empty id or deadline is filled in; a deadline that has passed gives an expired record. Errors, all
// without a record: no_device, read_only, bad_value, conflict, busy.
func (h *Home) Do(cmd hearth.Command) (hearth.Record, error) {
	h.giving.Lock()
	defer h.giving.Unlock()
	if cmd.ID == "" {
		cmd.ID = hearth.NewCommandID()
	}
	if err := checkCommandID(cmd.ID); err != nil {
		return hearth.Record{}, err
	}
	if known, ok := h.Command(cmd.ID); ok {
		if !known.Same(cmd) {
			return hearth.Record{}, hearth.Errorf(hearth.CodeConflict, "command %s was given before with other content", cmd.ID)
		}
		return known, nil
	}
	remaining, err := h.dates(&cmd)
	if err != nil {
		return hearth.Record{}, err
	}
	h.mu.Lock()
	e, superseded, err := h.enter(cmd, remaining)
	h.mu.Unlock()
	if err != nil {
		return hearth.Record{}, err
	}
	rec, err := h.accept(e)
	if err != nil {
		for _, old := range superseded {
			h.start(old)
		}
		return hearth.Record{}, fmt.Errorf("storing the command: %w", err)
	}
	for _, old := range superseded {
		h.finish(old, hearth.Superseded, nil)
	}
	return rec, nil
}

// accept stores e, sets it going and returns its record as it is before that.
func (h *Home) accept(e *entry) (rec hearth.Record, err error) {
	if l, free := h.occupy(e); free {
		return h.acceptAtOnce(e, l)
	}
	if err := h.advance(e, false, nil, hearth.Accepted); err != nil {
		h.drop(e)
		return rec, err
	}
	rec = e.rec // nobody else changes it yet
	h.start(e)
	return rec, nil
}

// acceptAtOnce is for a command that nothing is in front of: it is stored as accepted and sent in one write, by the
// goroutine that then goes on to the driver. Each write waits for the disk, each change of goroutines for a processor,
// and so does whoever pressed the button.
func (h *Home) acceptAtOnce(e *entry, l *line) (rec hearth.Record, err error) {
	stored, device := make(chan error, 1), e.rec.Device
	go func() {
		err := h.advance(e, false, nil, hearth.Accepted, hearth.Sent)
		if err != nil {
			h.drop(e)
		}
		rec = e.rec
		stored <- err
		if err == nil {
			h.carryOut(e)
		}
		h.work(device, l)
	}()
	err = <-stored
	return rec, err
}

// dates completes cmd and returns how long it may take from now.
func (h *Home) dates(cmd *hearth.Command) (time.Duration, error) {
	now, trusted := h.opt.Now()
	if cmd.Issued.IsZero() {
		cmd.Issued = hearth.Time{Time: now}
	}
	if cmd.Deadline.IsZero() {
		cmd.Deadline = hearth.Time{Time: now.Add(hearth.DefaultDeadline)}
	}
	remaining := cmd.Deadline.Sub(now)
	switch {
	case remaining > maxDeadline:
		return 0, hearth.Errorf(hearth.CodeBadValue, "the deadline is more than 30 days away")
	case !trusted && (remaining <= 0 || remaining > 24*time.Hour):
		return 0, hearth.Errorf(hearth.CodeBadValue, "the gateway's clock is not trusted yet, so it cannot judge a deadline: leave it out")
	}
	return remaining, nil
}

func checkCommandID(id string) error {
	if len(id) > 64 {
		return hearth.Errorf(hearth.CodeBadValue, "a command id has at most 64 bytes")
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c >= 0x7f || c == '/' || c == '"' {
			return hearth.Errorf(hearth.CodeBadValue, "a command id is made of printable ASCII without space, slash and quote")
		}
	}
	return nil
}

// enter checks cmd and puts it in line; h.mu is held. It returns the waiting commands that it makes pointless.
func (h *Home) enter(cmd hearth.Command, remaining time.Duration) (*entry, []*entry, error) {
	d := h.devices[cmd.Device]
	if d == nil {
		return nil, nil, hearth.Errorf(hearth.CodeNoDevice, "there is no device %q", cmd.Device)
	}
	view := h.view(d)
	if err := view.CheckSet(cmd.Set); err != nil {
		return nil, nil, err
	}
	l := h.line(cmd.Device)
	var superseded []*entry
	l.waiting = slices.DeleteFunc(l.waiting, func(old *entry) bool {
		if !covers(cmd.Set, old.rec.Set) || old.rec.State != hearth.Accepted {
			return false
		}
		superseded = append(superseded, old)
		return true
	})
	if len(l.waiting)+len(l.open) >= maxWaiting {
		l.waiting = append(superseded, l.waiting...)
		return nil, nil, hearth.Errorf(hearth.CodeBusy, "%d commands are waiting for %s already: try again later", maxWaiting, cmd.Device)
	}
	h.next++
	e := newEntry(fmt.Sprintf("%016x", h.next), hearth.Record{Command: cmd}, remaining)
	h.entries[cmd.ID] = e
	h.order = append(h.order, e)
	return e, superseded, nil
}

func newEntry(key string, rec hearth.Record, remaining time.Duration) *entry {
	return &entry{key: key, rec: rec, due: time.Now().Add(remaining), look: make(chan struct{}, 1), done: make(chan struct{})}
}

// covers reports whether newer sets every property of older.
func covers(newer, older map[string]hearth.Value) bool {
	for name := range older {
		if _, ok := newer[name]; !ok {
			return false
		}
	}
	return true
}

// drop takes back an entry that could not be stored.
func (h *Home) drop(e *entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.entries, e.rec.ID)
	l := h.line(e.rec.Device)
	l.open = slices.DeleteFunc(l.open, func(other *entry) bool { return other == e })
	h.order = slices.DeleteFunc(h.order, func(other *entry) bool { return other == e })
}

// start lines e up for its device.
func (h *Home) start(e *entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.line(e.rec.Device)
	l.waiting = append(l.waiting, e)
	time.AfterFunc(time.Until(e.due), func() { h.expire(e) })
	h.serve(e.rec.Device)
}

// line returns the line of a device; h.mu is held.
func (h *Home) line(id hearth.ID) *line {
	if h.lines[id] == nil {
		h.lines[id] = &line{}
	}
	return h.lines[id]
}

// expire ends a command that still waits behind others at its deadline.
func (h *Home) expire(e *entry) {
	h.mu.Lock()
	l := h.line(e.rec.Device)
	i := slices.Index(l.waiting, e)
	if i < 0 || h.ctx == nil || h.ctx.Err() != nil {
		h.mu.Unlock()
		return
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	h.mu.Unlock()
	h.finish(e, hearth.Expired, nil)
}

// targets returns what the commands under way ask of a device, the newest winning; h.mu is held.
func (h *Home) targets(id hearth.ID) map[string]hearth.Value {
	l := h.lines[id]
	if l == nil {
		return nil
	}
	targets := map[string]hearth.Value{}
	for _, e := range l.open {
		maps.Copy(targets, e.rec.Set)
	}
	for _, e := range l.waiting {
		maps.Copy(targets, e.rec.Set)
	}
	return targets
}

// Wait returns a command's record once it is final, or as it is when ctx ends. Error: not_found.
func (h *Home) Wait(ctx context.Context, id string) (hearth.Record, error) {
	h.mu.Lock()
	e := h.entries[id]
	h.mu.Unlock()
	if e == nil {
		return hearth.Record{}, hearth.Errorf(hearth.CodeNotFound, "there is no command %.200q", id)
	}
	select {
	case <-e.done:
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return e.rec, nil
}

// Command returns a command's record.
func (h *Home) Command(id string) (hearth.Record, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.entries[id]
	if e == nil {
		return hearth.Record{}, false
	}
	return e.rec, true
}

// Commands returns the records of a device ("" for all) in a state ("" for any), newest first, at most 1000.
func (h *Home) Commands(device hearth.ID, state hearth.State) []hearth.Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := []hearth.Record{}
	for _, e := range slices.Backward(h.order) {
		if (device == "" || e.rec.Device == device) && (state == "" || e.rec.State == state) && len(found) < maxRecords {
			found = append(found, e.rec)
		}
	}
	return found
}

// resume takes up what the last run left: accepted commands whose deadline has surely not passed are carried out, the
// others expire.
func (h *Home) resume(ctx context.Context) {
	now, trusted := h.opt.Now()
	h.mu.Lock()
	h.ctx = ctx
	var late []*entry
	for id, l := range h.lines {
		l.waiting = slices.DeleteFunc(l.waiting, func(e *entry) bool {
			remaining := e.rec.Deadline.Sub(now)
			e.due = time.Now().Add(remaining)
			if e.restored && (!trusted || remaining <= 0) {
				late = append(late, e)
				return true
			}
			time.AfterFunc(remaining, func() { h.expire(e) })
			return false
		})
		h.serve(id)
	}
	h.mu.Unlock()
	for _, e := range late {
		h.finish(e, hearth.Expired, nil)
	}
}

func (h *Home) loadCommands() error {
	var sent []*entry
	err := h.opt.Commands.Each(func(key string, data []byte) error {
		var rec hearth.Record
		if err := json.Unmarshal(data, &rec); err != nil {
			return fmt.Errorf("command %s: %w", key, err)
		}
		if _, err := fmt.Sscanf(key, "%016x", &h.next); err != nil {
			return fmt.Errorf("command %s: %w", key, err)
		}
		e := newEntry(key, rec, 0)
		h.entries[rec.ID] = e
		h.order = append(h.order, e)
		switch {
		case rec.Final:
			close(e.done)
		case rec.State == hearth.Accepted:
			e.restored = true
			l := h.line(rec.Device)
			l.waiting = append(l.waiting, e)
		default:
			sent = append(sent, e)
		}
		return nil
	})
	for _, e := range sent {
		h.finish(e, hearth.Failed, &hearth.Error{Code: hearth.CodeUnknownOutcome, Message: "the gateway went down after it was sent"})
	}
	return err
}
