package modbus

import (
	"context"
	"errors"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/serial"
)

const (
	firstRetry = time.Second
	lastRetry  = time.Minute

	maxJobs = 16 // commands that wait for the bus; one more is answered busy
)

// session is one life of the port. All but do belongs to one goroutine: there is one request on a bus at a time.
type session struct {
	driver *driver
	home   hearth.Home
	line   *line
	units  []*unit
	jobs   chan *job
	ended  chan struct{}
}

// unit is a device and how it has behaved.
type unit struct {
	*device
	tasks    []*task
	reach    reach
	failures int
	retry    time.Time // when a unit that does not answer is tried again
	warned   map[string]bool
}

type reach int

const (
	reachUnknown reach = iota
	reachable
	unreachable
)

// task reads some registers of a unit every interval.
type task struct {
	unit      *unit
	interval  time.Duration
	registers []*Register
	spans     []span
	next      time.Time
}

func (t *task) due() time.Time {
	if t.unit.reach == unreachable {
		return t.unit.retry
	}
	return t.next
}

func newSession(d *driver, home hearth.Home, port serial.Port) *session {
	s := &session{
		driver: d, home: home,
		line: &line{
			port: port, rtu: d.cfg.rtu(), pause: d.cfg.pause(), timeout: d.cfg.timeout(), perByte: d.cfg.character(), counts: &d.counts,
		},
		jobs:  make(chan *job, maxJobs),
		ended: make(chan struct{}),
	}
	now := time.Now()
	for _, dev := range d.devices {
		u := &unit{device: dev, warned: map[string]bool{}}
		for _, shape := range dev.every {
			u.tasks = append(u.tasks, &task{unit: u, interval: shape.interval, registers: shape.registers, next: now})
		}
		u.replan()
		s.units = append(s.units, u)
	}
	return s
}

// replan forgets which groups of registers the unit has refused: it may be another one now.
func (u *unit) replan() {
	for _, t := range u.tasks {
		t.spans = plan(t.registers, u.profile.Gap, u.profile.Limit)
	}
}

// serve polls and writes until ctx ends or the port is no longer good. Commands go ahead of polls.
func (s *session) serve(ctx context.Context) error {
	for ctx.Err() == nil {
		next := s.earliest()
		wait := time.Hour
		if next != nil {
			wait = time.Until(next.due())
		}
		if wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				return nil
			case j := <-s.jobs:
				timer.Stop()
				if err := s.execute(j); err != nil {
					return err
				}
			case <-timer.C:
			}
			continue
		}
		if err := s.poll(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

// earliest returns the task that has been due the longest, nil if there is none at all.
func (s *session) earliest() (first *task) {
	for _, u := range s.units {
		for _, t := range u.tasks {
			if first == nil || t.due().Before(first.due()) {
				first = t
			}
		}
	}
	return first
}

// poll reads what a task reads and reports it.
func (s *session) poll(ctx context.Context, t *task) error {
	s.reschedule(t)
	var readings []hearth.Reading
	defer func() {
		if len(readings) > 0 {
			s.home.Report(readings...)
		}
	}()
	queue := slices.Clone(t.spans)
	for len(queue) > 0 {
		if err := s.urgent(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		group := queue[0]
		queue = queue[1:]
		values, err := s.read(t.unit, group)
		var refused exception
		switch {
		case err == nil:
			readings = s.collect(readings, t.unit, group, values)
		case errors.As(err, &refused):
			queue = append(t.refused(s, group, refused), queue...)
		case errors.As(err, new(*broken)):
			return err
		default:
			s.lost(t.unit, err)
			return nil
		}
	}
	return nil
}

// reschedule plans the next poll one interval after this one was due, or from now if the bus is that much behind.
func (s *session) reschedule(t *task) {
	now := time.Now()
	t.next = t.next.Add(t.interval)
	if !t.next.After(now) {
		if late := now.Sub(t.next); late > t.interval && t.unit.reach == reachable {
			t.unit.warn(s, "late", "the bus is too slow for all that is to be read: poll less often", "device", t.unit.ID, "late", late)
		}
		t.next = now.Add(t.interval)
	}
}

// urgent carries out the commands that wait.
func (s *session) urgent(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case j := <-s.jobs:
			if err := s.execute(j); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// read asks for one group of registers. A unit that was well gets a second chance: a single disturbance on the line is
// no news. One that does not answer anyway gets none, so that it does not hold up the others.
func (s *session) read(u *unit, group span) ([]uint16, error) {
	values, err := s.line.ask(group.request(u.unit))
	if errors.As(err, new(*silence)) && u.reach == reachable {
		values, err = s.line.ask(group.request(u.unit))
	}
	if err == nil || errors.As(err, new(exception)) {
		s.found(u)
	}
	return values, err
}

func (s *session) collect(readings []hearth.Reading, u *unit, group span, values []uint16) []hearth.Reading {
	for _, r := range group.registers {
		v := r.value(group.words(r, values))
		if v.IsZero() {
			continue
		}
		if p, _ := u.Property(r.Property); p.Accepts(v) != nil {
			u.warn(s, "implausible "+r.Property, "a register holds what cannot be: is it the right profile?",
				"device", u.ID, "property", r.Property, "register", r.where(), "value", v)
			continue
		}
		readings = append(readings, hearth.Reading{Device: u.ID, Property: r.Property, Value: v})
	}
	return readings
}

// refused learns from an exception: a group that the unit does not have as a whole is read in halves from now on, and
// a single register that it does not have, no more. It returns what is to be read instead.
func (t *task) refused(s *session, group span, why exception) []span {
	u := t.unit
	if why != illegalAddress && why != illegalValue && why != illegalFunction {
		u.warn(s, why.Error(), "a unit refuses to be read", "device", u.ID, "from", group.registers[0].where(), "reason", why)
		return nil
	}
	halves := group.split()
	if halves == nil {
		u.warn(s, group.registers[0].Property, "a unit does not have a register of its profile: it is not read any more",
			"device", u.ID, "property", group.registers[0].Property, "register", group.registers[0].where(), "reason", why)
	}
	at := slices.IndexFunc(t.spans, func(other span) bool { return other.registers[0] == group.registers[0] })
	if at >= 0 {
		t.spans = slices.Replace(slices.Clone(t.spans), at, at+1, halves...)
	}
	return halves
}

// found notes that a unit has answered.
func (s *session) found(u *unit) {
	if u.reach == reachable {
		return
	}
	if u.reach == unreachable {
		s.driver.env.Log.Info("a unit answers again", "device", u.ID)
		u.replan()
		for _, t := range u.tasks {
			t.next = latest(t.next, time.Now())
		}
	}
	u.reach, u.failures = reachable, 0
	s.home.Report(hearth.Reading{Device: u.ID, Property: "reachable", Value: hearth.BoolOf(true)})
}

// lost notes that a unit has not answered, and tries again after 1, 2, 4 … 60 s.
func (s *session) lost(u *unit, why error) {
	if u.reach != unreachable {
		s.driver.env.Log.Warn("a unit does not answer", "device", u.ID, "reason", why)
		s.home.Report(hearth.Reading{Device: u.ID, Property: "reachable", Value: hearth.BoolOf(false)})
	}
	u.reach = unreachable
	u.retry = time.Now().Add(min(firstRetry<<min(u.failures, 10), lastRetry))
	u.failures++
}

// warn logs the first warning of its kind about a unit.
func (u *unit) warn(s *session, kind, message string, args ...any) {
	if !u.warned[kind] {
		u.warned[kind] = true
		s.driver.env.Log.Warn(message, args...)
	}
}
