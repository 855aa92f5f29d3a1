package home

import (
	"context"
	"time"

	"hearth"
)

// occupy gives e the line of its device if that is free and the driver is there.
func (h *Home) occupy(e *entry) (l *line, free bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l = h.line(e.rec.Device)
	if l.busy || len(l.waiting) > 0 || h.stopped() || !h.driver(e.rec.Device.Driver()).there || !time.Now().Before(e.due) {
		return l, false
	}
	l.busy = true
	l.open = append(l.open, e)
	h.settled.Add(1)
	return l, true
}

// stopped reports whether commands do not start: before Run they wait for resume. h.mu is held.
func (h *Home) stopped() bool { return h.ctx == nil || h.ctx.Err() != nil }

// serve has one goroutine carry out what waits for a device; h.mu is held.
func (h *Home) serve(id hearth.ID) {
	l := h.lines[id]
	if l.busy || len(l.waiting) == 0 || h.stopped() {
		return
	}
	l.busy = true
	h.settled.Add(1)
	go h.work(id, l)
}

// work carries out what waits for the device.
func (h *Home) work(id hearth.ID, l *line) {
	defer h.settled.Done()
	for e := h.first(id, l); e != nil; e = h.first(id, l) {
		h.carryOut(e)
	}
}

// first takes the next of a line; nil when there is none, and the line is free. While the driver is away for a moment
// they go on waiting, where they can still expire or be superseded.
func (h *Home) first(id hearth.ID, l *line) *entry {
	for {
		h.mu.Lock()
		if len(l.waiting) == 0 || h.ctx.Err() != nil {
			l.busy = false
			h.mu.Unlock()
			return nil
		}
		d := h.driver(id.Driver())
		pause := d.awaited()
		if pause == 0 {
			e := l.waiting[0]
			l.waiting = l.waiting[1:]
			l.open = append(l.open, e)
			h.mu.Unlock()
			return e
		}
		back, lost := d.back, time.NewTimer(pause)
		h.mu.Unlock()
		select {
		case <-back:
		case <-lost.C:
		case <-h.ctx.Done():
		}
		lost.Stop()
	}
}

// carryOut gives one command to its driver and returns when the device has acknowledged it.
func (h *Home) carryOut(e *entry) {
	ctx, cancel := context.WithDeadline(h.ctx, e.due)
	defer cancel()
	h.mu.Lock()
	driver, sent := h.driver(e.rec.Device.Driver()), e.rec.State == hearth.Sent
	there, do := driver.there, driver.do
	h.mu.Unlock()
	switch {
	case !there:
		h.finish(e, hearth.Failed, &hearth.Error{Code: hearth.CodeOffline, Message: "the driver of this device is not running: see the status"})
		return
	case sent:
	case !time.Now().Before(e.due):
		h.finish(e, hearth.Expired, nil)
		return
	default:
		if err := h.advance(e, false, nil, hearth.Sent); err != nil {
			h.finish(e, hearth.Failed, &hearth.Error{Code: hearth.CodeFailed, Message: "not sent, because it could not be stored: " + err.Error()})
			return
		}
	}
	if err := do(ctx, e.rec.Command); err != nil {
		h.finish(e, outcome(ctx, err), explain(ctx, err))
		return
	}
	h.mu.Lock()
	final := h.unreported(e)
	h.mu.Unlock()
	if err := h.advance(e, final, nil, hearth.Applied); err != nil {
		h.opt.Log.Error("storing a command's state", "command", e.rec.ID, "error", err)
	}
	if final {
		h.close(e)
		return
	}
	h.settled.Go(func() { h.confirm(e) })
}

func outcome(ctx context.Context, err error) hearth.State {
	if ctx.Err() != nil {
		return hearth.Failed
	}
	switch hearth.ErrorOf(err).Code {
	case hearth.CodeBadValue, hearth.CodeReadOnly, hearth.CodeNoDevice:
		return hearth.Rejected
	}
	return hearth.Failed
}

func explain(ctx context.Context, err error) *hearth.Error {
	if ctx.Err() != nil {
		return &hearth.Error{Code: hearth.CodeUnknownOutcome, Message: "sent, and the device did not answer in time"}
	}
	return hearth.ErrorOf(err)
}

// unreported reports whether the device will never report any of what e sets; h.mu is held.
func (h *Home) unreported(e *entry) bool {
	d := h.devices[e.rec.Device]
	if d == nil {
		return true
	}
	for name := range e.rec.Set {
		if p, ok := d.Property(name); ok && !p.WriteOnly && !p.Momentary {
			return false
		}
	}
	return true
}

// confirm waits until the device's own reports say what e asked for, or its deadline passes.
func (h *Home) confirm(e *entry) {
	timer := time.NewTimer(time.Until(e.due))
	defer timer.Stop()
	for {
		h.mu.Lock()
		said, silent := h.matches(e)
		said = said || e.said
		h.mu.Unlock()
		if said {
			h.finish(e, hearth.Confirmed, nil)
			return
		}
		select {
		case <-e.look:
		case <-timer.C:
			if silent {
				h.settleApplied(e)
			} else {
				h.finish(e, hearth.Failed, &hearth.Error{Code: hearth.CodeUnconfirmed, Message: "the device acknowledged it, but its own report did not follow in time"})
			}
			return
		case <-h.ctx.Done():
			h.finish(e, hearth.Failed, &hearth.Error{Code: hearth.CodeUnconfirmed, Message: "the gateway was stopped before the device's own report came"})
			return
		}
	}
}

// matches reports whether the device's reported state is what e asked for, and whether it has never reported some of
// it at all; h.mu is held.
func (h *Home) matches(e *entry) (said, silent bool) {
	d := h.devices[e.rec.Device]
	if d == nil {
		return false, false
	}
	said = true
	for name, want := range e.rec.Set {
		p, _ := d.Property(name)
		if p.WriteOnly || p.Momentary {
			continue
		}
		got, reported := d.values[name]
		silent = silent || !reported
		said = said && reported && near(p, want, got.Value)
	}
	return said, silent
}

// near allows a number 0.5 % of its range: devices round, to 1/254 of a brightness or to whole mireds.
func near(p hearth.Property, want, got hearth.Value) bool {
	if want.Kind() != hearth.Number || got.Kind() != hearth.Number {
		return want == got
	}
	span := max(want.Number(), -want.Number())
	if p.Min != nil && p.Max != nil {
		span = *p.Max - *p.Min
	}
	off := want.Number() - got.Number()
	return max(off, -off) <= 0.005*span+1e-9
}

// wake has the commands looked at that a new reading of their device may confirm; h.mu is held. What it confirms is
// noted at once: the next reading may be another, from somebody at the device's own switch.
func (h *Home) wake(id hearth.ID) {
	l := h.lines[id]
	if l == nil {
		return
	}
	for _, e := range l.open {
		if said, _ := h.matches(e); said && e.rec.State != hearth.Accepted {
			e.said = true
		}
		select {
		case e.look <- struct{}{}:
		default:
		}
	}
}
