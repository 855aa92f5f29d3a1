// Package dsmr reads smart meters through their P1 port: DSMR 2.2 to 5, ESMR 5, and their relatives in Belgium,
// Luxembourg and elsewhere, on a serial port or over TCP. The electricity meter and every meter on its M-Bus are devices.
package dsmr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"hearth"
	"hearth/drivers/serial"
	"hearth/settings"
)

// Config says where the meter is and how it speaks.
type Config struct {
	serial.Config `yaml:",inline"`

	// Version of the meter decides how the line is set: 5 and 4 speak 115200 8N1, 3 and 2 speak 9600 7E1. 0 means 5, but
	// takes a telegram without a checksum if it looks like one of the old kind, as an adapter may pass it on over TCP.
	Version int `yaml:"version"`
}

// Check says what is wrong with the configuration beside its port.
func (c Config) Check() error {
	if c.Version < 0 || c.Version == 1 || c.Version > 5 {
		return settings.At("$.version", "want 5, 4, 3 or 2, not %d", c.Version)
	}
	return nil
}

func (c Config) old() bool { return c.Version == 2 || c.Version == 3 }

// line returns how the port is set, unless the configuration says otherwise.
func (c Config) line() serial.Config {
	if c.old() {
		return c.Config.Or(serial.Config{Baud: 9600, Parity: serial.ParityEven, DataBits: 7, StopBits: 1})
	}
	return c.Config.Or(serial.Config{Baud: 115200, Parity: serial.ParityNone, DataBits: 8, StopBits: 1})
}

// silence is how long a meter may say nothing that can be read. It speaks every second or every ten.
const silence = 60 * time.Second

// A Driver reads one P1 port.
type Driver struct {
	env     hearth.Env
	cfg     Config
	silence time.Duration
}

// New returns the driver of the meter that cfg names.
func New(env hearth.Env, cfg Config) (hearth.Driver, error) {
	if err := errors.Join(cfg.Config.Check(), cfg.Check()); err != nil {
		return nil, err
	}
	return &Driver{env: env, cfg: cfg, silence: silence}, nil
}

// Do refuses every command: a meter only speaks.
func (d *Driver) Do(context.Context, hearth.Command) error {
	return hearth.Errorf(hearth.CodeReadOnly, "a meter on a P1 port takes no commands")
}

// Run reads telegrams until ctx ends. It returns an error when the port breaks, or when nothing that can be read has
// come for a minute.
func (d *Driver) Run(ctx context.Context, home hearth.Home) error {
	if ctx.Err() != nil {
		return nil
	}
	port, err := serial.Open(ctx, d.cfg.line())
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("opening the P1 port: %w", err)
	}
	defer port.Close()
	s := &session{Driver: d, meters: newMeters(d.env, home)}
	err = s.read(port)
	if s.count.refused() > 0 {
		d.env.Log.Warn("some telegrams could not be used", "count", s.count)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// counts are telegrams by what became of them.
type counts struct{ Good, Checksum, Form, TooLong int }

func (c counts) refused() int { return c.Checksum + c.Form + c.TooLong }

func (c counts) String() string {
	return fmt.Sprintf("%d good, %d with a wrong checksum, %d garbled, %d too long", c.Good, c.Checksum, c.Form, c.TooLong)
}

// A session is one run.
type session struct {
	*Driver
	meters *meters
	count  counts
}

func (s *session) read(port serial.Port) error {
	frames := framer{sevenBits: s.cfg.old()}
	buffer := make([]byte, 2048)
	heard, deadline := 0, time.Now().Add(s.silence)
	for {
		if err := port.SetReadDeadline(deadline); err != nil {
			return fmt.Errorf("reading the P1 port: %w", err)
		}
		n, err := port.Read(buffer)
		heard += n
		frames.feed(buffer[:n], func(f frame) {
			if s.take(f) {
				heard, deadline = 0, time.Now().Add(s.silence)
			}
		})
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return s.silent(heard)
		case err != nil:
			return fmt.Errorf("reading the P1 port: %w", err)
		}
	}
}

// silent says what a person can do.
func (s *session) silent(heard int) error {
	switch {
	case heard == 0:
		return hearth.Errorf(hearth.CodeOffline, "the meter has said nothing for %v: check the P1 cable at both ends (it needs power and its request line)", s.silence)
	case s.count.Checksum > 0:
		return hearth.Errorf(hearth.CodeOffline, "no good telegram for %v, though the meter speaks (%s): check the P1 cable", s.silence, s.count)
	}
	return hearth.Errorf(hearth.CodeOffline,
		"no good telegram for %v, though %d bytes came (%s): check version (5 and 4 speak at 115200 baud, 3 and 2 at 9600) and the cable", s.silence, heard, s.count)
}

// take uses one telegram and reports whether it was good.
func (s *session) take(f frame) bool {
	t, err := f.telegram(s.cfg.Version)
	switch {
	case err == nil:
		s.count.Good++
		s.meters.hear(t)
		return true
	case errors.Is(err, errTooLong):
		s.count.TooLong++
	case errors.Is(err, errChecksum):
		s.count.Checksum++
	default:
		s.count.Form++
	}
	if n := s.count.refused(); n == 1 || n%1000 == 0 {
		s.env.Log.Warn("a telegram could not be used; further ones are counted", "why", err, "count", s.count)
	}
	return false
}
