package text

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"hearth"
)

// Do implements hearth.Driver: it sends what the configuration says, one property after the other, and waits for the
// acknowledgement if there is one to be expected. Without it the outcome is unknown.
func (d *driver) Do(ctx context.Context, cmd hearth.Command) error {
	called, err := d.called(cmd.Device)
	if err != nil {
		return err
	}
	var lines []sending
	for _, property := range slices.Sorted(maps.Keys(cmd.Set)) {
		line, err := d.sending(called, property, cmd.Set[property])
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	d.mu.Lock()
	s := d.session
	d.mu.Unlock()
	if s == nil {
		return hearth.Errorf(hearth.CodeOffline, "the port of %s is not open", cmd.Device)
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return fmt.Errorf("not sent to %s: %w", cmd.Device, ctx.Err())
	case <-s.ended:
		return hearth.Errorf(hearth.CodeOffline, "the port of %s was closed before the command was sent", cmd.Device)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("not sent to %s: %w", cmd.Device, ctx.Err())
	}
	for _, line := range lines {
		if err := d.send(ctx, s, cmd.Device, line); err != nil {
			return err
		}
	}
	return nil
}

// called returns what the device's lines call it.
func (d *driver) called(id hearth.ID) (string, error) {
	d.mu.Lock()
	called, known := d.devices[id]
	d.mu.Unlock()
	switch {
	case d.cfg.DeviceFrom == "" && id == d.env.ID(d.cfg.Device):
		return d.cfg.Device, nil
	case known:
		return called, nil
	case d.cfg.DeviceFrom != "" && id.Driver() == d.env.Name:
		return id.Address(), nil // not heard of since the start, but perhaps before
	}
	return "", hearth.Errorf(hearth.CodeNoDevice, "there is no device %s here", id)
}

// sending is one line to send and what acknowledges it.
type sending struct {
	property string
	text     string
	ack      *regexp.Regexp // nil: nothing does
}

func (d *driver) sending(called, property string, v hearth.Value) (sending, error) {
	template, known := d.cfg.Commands[property]
	if !known {
		return sending{}, hearth.Errorf(hearth.CodeReadOnly, "%s cannot be set", property)
	}
	f := &Field{Property: property, Scale: 1}
	if at := slices.IndexFunc(d.cfg.Fields, func(f Field) bool { return f.Property == property }); at >= 0 {
		f = &d.cfg.Fields[at]
	}
	word, err := f.word(v)
	if err != nil {
		return sending{}, err
	}
	s := sending{property: property, text: filled(template, called, property, word, func(s string) string { return s })}
	if d.cfg.Ack != "" {
		if s.ack, err = regexp.Compile(filled(d.cfg.Ack, called, property, word, regexp.QuoteMeta)); err != nil {
			return sending{}, fmt.Errorf("the acknowledgement of %s: %w", property, err)
		}
	}
	return s, nil
}

func (d *driver) send(ctx context.Context, s *session, id hearth.ID, line sending) error {
	heard := d.await(s, line.ack)
	defer d.await(s, nil)
	if _, err := s.port.Write([]byte(line.text)); err != nil {
		return hearth.Errorf(hearth.CodeOffline, "sending %s to %s: %v", line.property, id, err)
	}
	if line.ack == nil {
		return nil
	}
	patience := time.NewTimer(cmp.Or(d.cfg.AckTimeout, defaultAckTimeout))
	defer patience.Stop()
	select {
	case <-heard:
		return nil
	case <-patience.C:
	case <-ctx.Done():
	case <-s.ended:
	}
	return hearth.Errorf(hearth.CodeUnknownOutcome, "%s was sent %s and did not acknowledge it", id, line.property)
}

// await has lines looked at for an acknowledgement; nil: no longer.
func (d *driver) await(s *session, ack *regexp.Regexp) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.awaiting, s.heard = ack, make(chan struct{})
	return s.heard
}

// acknowledge reports whether the line is the acknowledgement that is waited for.
func (d *driver) acknowledge(s *session, line string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.awaiting == nil || !s.awaiting.MatchString(line) {
		return false
	}
	s.awaiting = nil
	close(s.heard)
	return true
}
