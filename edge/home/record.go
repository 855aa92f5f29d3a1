package home

import (
	"encoding/json"
	"slices"

	"hearth"
)

// advance moves a command on, through all these states in one write: first on disk, then for everybody to see. Nothing
// is told that a power cut could undo.
func (h *Home) advance(e *entry, final bool, why *hearth.Error, through ...hearth.State) error {
	e.writing.Lock()
	defer e.writing.Unlock()
	now, _ := h.opt.Now()
	h.mu.Lock()
	next := e.rec
	h.mu.Unlock()
	var steps []hearth.Record
	for _, to := range through {
		if next.Advance(to, final, now, why) {
			steps = append(steps, next)
		}
	}
	if len(steps) == 0 {
		return nil
	}
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := h.opt.Commands.Put(e.key, data); err != nil {
		return err
	}
	for _, step := range steps {
		h.show(e, step)
	}
	return nil
}

func (h *Home) show(e *entry, next hearth.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.rec = next
	h.publish(Event{Kind: KindCommand, Command: next})
	if next.Final {
		close(e.done)
	}
}

// finish ends a command's life. When the disk does not take it, it ends all the same: after a restart it is found as
// it last was on disk, and then failed with unknown_outcome.
func (h *Home) finish(e *entry, to hearth.State, why *hearth.Error) {
	if err := h.advance(e, true, why, to); err != nil {
		h.opt.Log.Error("storing a command's end", "command", e.rec.ID, "state", to, "error", err)
		e.writing.Lock()
		now, _ := h.opt.Now()
		next := e.rec
		if next.Advance(to, true, now, why) {
			h.show(e, next)
		}
		e.writing.Unlock()
	}
	h.close(e)
}

// settleApplied ends the life of a command whose device has never reported what it sets: applied is all there is.
func (h *Home) settleApplied(e *entry) {
	e.writing.Lock()
	h.mu.Lock()
	next := e.rec
	h.mu.Unlock()
	next.Final = true
	data, err := json.Marshal(next)
	if err == nil {
		err = h.opt.Commands.Put(e.key, data)
	}
	if err != nil {
		h.opt.Log.Error("storing a command's end", "command", next.ID, "error", err)
	}
	h.show(e, next)
	e.writing.Unlock()
	h.close(e)
}

// close takes a final command out of its line and forgets the oldest records beyond the limit.
func (h *Home) close(e *entry) {
	h.mu.Lock()
	if l := h.lines[e.rec.Device]; l != nil {
		l.open = slices.DeleteFunc(l.open, func(other *entry) bool { return other == e })
		if len(l.open)+len(l.waiting) == 0 && !l.busy {
			delete(h.lines, e.rec.Device)
		}
	}
	var old []string
	for len(h.order) > maxRecords && h.order[0].rec.Final {
		old = append(old, h.order[0].key)
		delete(h.entries, h.order[0].rec.ID)
		h.order = h.order[1:]
	}
	h.mu.Unlock()
	for _, key := range old {
		if err := h.opt.Commands.Delete(key); err != nil {
			h.opt.Log.Error("forgetting an old command", "error", err)
		}
	}
}
