package modbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"hearth"
)

// A write is one property to be set.
type write struct {
	register *Register
	value    hearth.Value
}

// writes says what a command means in registers, in the order of their addresses.
func (d *device) writes(set map[string]hearth.Value) ([]write, error) {
	var all []write
	for _, name := range slices.Sorted(maps.Keys(set)) {
		r := d.register(name)
		if r == nil {
			return nil, hearth.Errorf(hearth.CodeNoDevice, "device %s has no property %s", d.ID, name)
		}
		if !r.Writable {
			return nil, hearth.Errorf(hearth.CodeReadOnly, "%s of %s can only be read", name, d.ID)
		}
		if _, err := r.encode(set[name], make([]uint16, r.size())); err != nil {
			return nil, err
		}
		all = append(all, write{r, set[name]})
	}
	slices.SortStableFunc(all, func(a, b write) int { return cmp.Compare(a.register.Address, b.register.Address) })
	return all, nil
}

// A job is a command on its way to the bus.
type job struct {
	device *device
	writes []write
	taken  atomic.Bool // by the bus, or by a caller who waits no longer: only the first gets it
	answer chan error
}

// do puts a command in line and waits for it.
func (s *session) do(ctx context.Context, d *device, writes []write) error {
	if ctx.Err() != nil {
		return fmt.Errorf("not sent to %s: %w", d.ID, ctx.Err())
	}
	j := &job{device: d, writes: writes, answer: make(chan error, 1)}
	select {
	case s.jobs <- j:
	default:
		return hearth.Errorf(hearth.CodeBusy, "%d commands wait for this bus already", maxJobs)
	}
	var err error
	select {
	case err := <-j.answer:
		return err
	case <-ctx.Done():
		err = fmt.Errorf("not sent to %s: %w", d.ID, ctx.Err())
	case <-s.ended:
		err = hearth.Errorf(hearth.CodeOffline, "the bus of %s was disconnected before the command was sent", d.ID)
	}
	if j.taken.CompareAndSwap(false, true) {
		return err
	}
	select {
	case err := <-j.answer:
		return err
	default:
		return hearth.Errorf(hearth.CodeUnknownOutcome, "sent to %s, and the answer did not come in time", d.ID)
	}
}

// end says that nobody serves jobs any more.
func (s *session) end() { close(s.ended) }

// execute carries out a job and reads back what it has changed. The error says why the port is no longer good.
func (s *session) execute(j *job) error {
	if !j.taken.CompareAndSwap(false, true) {
		return nil
	}
	u := s.units[slices.IndexFunc(s.units, func(u *unit) bool { return u.device == j.device })]
	for _, w := range j.writes {
		err := s.write(u, w)
		if err == nil {
			continue
		}
		j.answer <- explain(u, w, err)
		switch {
		case errors.As(err, new(*broken)):
			return err
		case errors.As(err, new(*silence)) && u.reach != reachable:
			s.lost(u, err)
			return nil
		}
		return s.readBack(u, j.writes)
	}
	j.answer <- nil
	return s.readBack(u, j.writes)
}

// write sets one property and returns when the unit has acknowledged it. Where the unit does not know the one function
// that can do it, the other is used. As long as it is not known whether the line echoes, that is the one for several
// values first: the acknowledgement of a single write could be our own voice.
func (s *session) write(u *unit, w write) error {
	r := w.register
	var now []uint16
	if r.Mask != 0 {
		group := span{[]*Register{r}}
		var err error
		if now, err = s.line.ask(group.request(u.unit)); err != nil {
			return fmt.Errorf("reading what it shares its register with: %w", err)
		}
	}
	words, err := r.encode(w.value, now)
	if err != nil {
		return err
	}
	one, several := writeRegister, writeRegisters
	if r.bits() {
		one, several = writeCoil, writeCoils
	}
	if len(words) > 1 || s.line.rtu && s.line.echo == echoUnknown {
		one, several = several, one
	}
	ask := request{unit: u.unit, function: one, address: r.Address, values: words}
	_, err = s.line.ask(ask)
	if errors.Is(err, illegalFunction) && len(words) == 1 {
		ask.function = several
		_, err = s.line.ask(ask)
	}
	return err
}

// explain says what a failed write means for the command.
func explain(u *unit, w write, err error) error {
	var refused exception
	var port *broken
	switch {
	case errors.As(err, &port):
		return hearth.Errorf(hearth.CodeUnknownOutcome, "the bus broke while %s was sent %s: %v", u.ID, w.register.Property, err)
	case errors.As(err, new(*silence)):
		return hearth.Errorf(hearth.CodeUnknownOutcome, "%s was sent %s and gave no valid answer: it may have happened", u.ID, w.register.Property)
	case errors.As(err, &refused) && refused == illegalValue:
		return hearth.Errorf(hearth.CodeBadValue, "%s refuses %s for %s: %v", u.ID, w.value, w.register.Property, err)
	case errors.As(err, &refused):
		return hearth.Errorf(hearth.CodeFailed, "%s does not take %s (%s): %v", u.ID, w.register.Property, w.register.where(), err)
	}
	return err
}

// readBack reports what the written registers hold now, and has the unit's polls look again in a second: some devices
// take a moment. The error says why the port is no longer good.
func (s *session) readBack(u *unit, writes []write) error {
	var readings []hearth.Reading
	for _, w := range writes {
		if p, _ := u.Property(w.register.Property); p.WriteOnly {
			continue
		}
		group := span{[]*Register{w.register}}
		values, err := s.read(u, group)
		switch {
		case err == nil:
			readings = s.collect(readings, u, group, values)
		case errors.As(err, new(*broken)):
			return err
		case errors.As(err, new(*silence)):
			s.lost(u, err)
			return nil
		}
	}
	if len(readings) > 0 {
		s.home.Report(readings...)
	}
	for _, t := range u.tasks {
		if soon := time.Now().Add(time.Second); t.next.After(soon) {
			t.next = soon
		}
	}
	return nil
}
