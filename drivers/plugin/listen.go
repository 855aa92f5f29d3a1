package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"hearth"
)

// read takes lines until the program has no more; nil at the end of its output. It is the only one who calls home.
func (s *session) read(ctx context.Context) error {
	lines := newLineReader(s.p.stdout, maxLine)
	for {
		line, err := lines.next()
		if err != nil && !errors.Is(err, errTooLong) {
			if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			return err
		}
		s.alive()
		switch {
		case err != nil:
			s.offend(offence{lineTooLong, ""})
			s.throttle(ctx, 1)
		case len(line) > 0:
			s.hear(ctx, line)
		}
	}
}

func (s *session) alive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard, s.silent = time.Now(), 0
}

func (s *session) hear(ctx context.Context, line []byte) {
	m, bad := parse(line, s.env.Name)
	if !s.throttle(ctx, max(len(m.report), 1)) {
		m.announce, m.report, m.forget, m.log = nil, nil, "", nil
	}
	if m.announce != nil {
		s.announce(m.announce)
	}
	s.report(m.report)
	if m.forget != "" {
		s.forget(m.forget)
	}
	if m.done != nil {
		s.done(m.done)
	}
	if m.log != nil {
		s.note(m.log)
	}
	for _, o := range bad {
		s.offend(o)
	}
}

// throttle makes a plugin that says too much wait: its pipe fills, and it blocks. When the end has come nobody waits any
// more; false then says that it was too much.
func (s *session) throttle(ctx context.Context, n int) bool {
	for ; n > 0; n -= messagesPerSec {
		part := min(n, messagesPerSec)
		if s.rate.AllowN(time.Now(), part) {
			continue
		}
		s.offend(offence{flood, ""})
		if s.rate.WaitN(ctx, part) != nil {
			return false
		}
	}
	return true
}

func (s *session) announce(d *device) {
	s.mu.Lock()
	_, known := s.devices[d.ID]
	full := !known && len(s.devices) >= maxDevices
	if !full {
		s.devices[d.ID] = d
	}
	s.mu.Unlock()
	if full {
		s.offend(offence{tooManyDevices, clip(d.id, 80)})
		return
	}
	s.home.Announce(d.Device)
}

func (s *session) report(list []reading) {
	readings := make([]hearth.Reading, 0, len(list))
	for _, r := range list {
		if reading, bad := s.accept(r); bad != nil {
			s.offend(*bad)
		} else {
			readings = append(readings, reading)
		}
	}
	if len(readings) > 0 {
		s.home.Report(readings...)
	}
}

func (s *session) accept(r reading) (hearth.Reading, *offence) {
	id, bad := ownID(r.id, s.env.Name)
	if bad != nil {
		return hearth.Reading{}, bad
	}
	s.mu.Lock()
	d := s.devices[id]
	s.mu.Unlock()
	if d == nil {
		return hearth.Reading{}, &offence{unknownDevice, clip(r.id, 80)}
	}
	p, ok := d.Property(r.property)
	if !ok && r.property == "reachable" {
		p, ok = hearth.Word("reachable")
	}
	if !ok {
		return hearth.Reading{}, &offence{unknownProperty, clip(r.id+" "+r.property, 160)}
	}
	if err := p.Accepts(r.value); err != nil || p.WriteOnly {
		return hearth.Reading{}, &offence{badValue, fmt.Sprintf("%s: %v", id, err)}
	}
	return hearth.Reading{Device: id, Property: r.property, Value: r.value, Time: s.plausible(r.time)}, nil
}

// plausible returns the time that the plugin gave, or none (which means now) if it lies in the future, before any
// gateway was built, or cannot be compared because the gateway's own clock is not trusted.
func (s *session) plausible(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	now, trusted := s.env.Now()
	if t.After(now.Add(time.Minute)) && trusted || t.Year() < 2020 {
		s.offend(offence{badTime, t.String()})
		return time.Time{}
	}
	if !trusted {
		return time.Time{}
	}
	return t
}

func (s *session) forget(id string) {
	full, bad := ownID(id, s.env.Name)
	if bad == nil {
		s.mu.Lock()
		if s.devices[full] == nil {
			bad = &offence{unknownDevice, "forget " + clip(id, 80)}
		}
		delete(s.devices, full)
		s.mu.Unlock()
	}
	if bad != nil {
		s.offend(*bad)
		return
	}
	s.home.Forget(full)
}

func (s *session) done(d *done) {
	s.mu.Lock()
	c := s.commands[d.N]
	if c != nil && c.sent {
		delete(s.commands, d.N)
	}
	s.mu.Unlock()
	if c == nil || !c.sent {
		s.offend(offence{strayDone, fmt.Sprintf("n %d", d.N)})
		return
	}
	c.answer <- d.failure()
}

func (s *session) note(l *logLine) {
	if !s.logs.Allow() {
		s.offend(offence{logFlood, ""})
		return
	}
	level := slog.LevelInfo
	if level.UnmarshalText([]byte(l.Level)) != nil {
		level = slog.LevelInfo
	}
	s.log.Log(context.Background(), level, clip(l.Message, 1000), "from", "plugin")
}

// offend counts, and names the first of each kind in the log.
func (s *session) offend(o offence) {
	s.mu.Lock()
	s.offences[o.kind]++
	first := s.offences[o.kind] == 1
	s.mu.Unlock()
	if first {
		s.log.Warn("the plugin sent "+o.kind+"; further ones are only counted", "detail", o.detail)
	}
}

func (s *session) tellOffences() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(s.offences)) {
		if n := s.offences[kind]; n > 1 {
			s.log.Warn("while it ran, the plugin sent "+kind, "times", n)
		}
	}
}

// readErrors puts what the program says on stderr into the log and remembers the last line of it.
func (s *session) readErrors() {
	lines := newLineReader(s.p.stderr, 16<<10)
	for {
		line, err := lines.next()
		if err != nil && !errors.Is(err, errTooLong) {
			return
		}
		if err != nil || len(line) == 0 {
			continue
		}
		text := clip(hearth.TextOf(string(line)).Text(), 1000)
		s.mu.Lock()
		s.lastWord = text
		s.mu.Unlock()
		if s.logs.Allow() {
			s.log.Info(text, "from", "plugin stderr")
		} else {
			s.offend(offence{logFlood, ""})
		}
	}
}
