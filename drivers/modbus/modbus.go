// Package modbus reads and writes the registers of meters, relays and inverters: Modbus RTU on a serial line or through
// an RS485 gateway, and Modbus TCP. What a device's registers mean is told by profiles, which are data.
//
// The framing is our own: the Go libraries open the port themselves, without keeping others out, and cannot share it.
package modbus

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"hearth"
	"hearth/drivers/serial"
	"hearth/settings"
)

// New makes the driver of one bus. builtin holds the built-in profiles, NAME.yaml each. It reads the profiles, so that
// what is wrong in one is known before anything starts, and does not touch the port. Errors name a place in the
// configuration (settings.At) or in the profile.
func New(env hearth.Env, cfg Config, builtin fs.FS) (hearth.Driver, error) {
	d := &driver{env: env, cfg: cfg, open: serial.Open}
	profiles := map[string]*Profile{}
	for i, dc := range cfg.Devices {
		if profiles[dc.Profile] == nil {
			p, err := loadProfile(dc.Profile, builtin, cfg.Dir)
			if err != nil {
				return nil, settings.At(fmt.Sprintf("devices[%d].profile", i), "%v", err)
			}
			profiles[dc.Profile] = p
		}
		d.devices = append(d.devices, newDevice(env, cfg, dc, profiles[dc.Profile]))
	}
	return d, nil
}

// driver is one bus. What changes while it runs is in session.
type driver struct {
	env     hearth.Env
	cfg     Config
	devices []*device
	open    func(context.Context, serial.Config) (serial.Port, error)
	counts  counts

	mu      sync.Mutex
	session *session // nil without Run
}

// device is one unit on the bus and what its profile says. It does not change.
type device struct {
	hearth.Device
	unit    byte
	profile *Profile
	every   []*task // shared shape: which registers are read how often
}

func newDevice(env hearth.Env, cfg Config, dc DeviceConfig, p *Profile) *device {
	d := &device{unit: byte(dc.Address), profile: p}
	d.Device = hearth.Device{
		ID: env.ID(strconv.Itoa(dc.Address)), Name: dc.Name, Type: p.Type, Vendor: p.Vendor, Model: p.Model,
	}
	base := firstOf(dc.Poll, cfg.Poll, p.Poll, defaultPoll)
	for i := range p.Registers {
		r := &p.Registers[i]
		property := r.property()
		d.Properties = append(d.Properties, property)
		if property.WriteOnly {
			continue
		}
		interval := max(base, r.Poll)
		at := slices.IndexFunc(d.every, func(t *task) bool { return t.interval == interval })
		if at < 0 {
			d.every = append(d.every, &task{interval: interval})
			at = len(d.every) - 1
		}
		d.every[at].registers = append(d.every[at].registers, r)
	}
	return d
}

func firstOf[T comparable](values ...T) (zero T) {
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}

// register returns the register behind a property.
func (d *device) register(property string) *Register {
	for i := range d.profile.Registers {
		if r := &d.profile.Registers[i]; r.Property == property {
			return r
		}
	}
	return nil
}

// Run implements hearth.Driver.
func (d *driver) Run(ctx context.Context, home hearth.Home) error {
	port, err := d.open(ctx, d.cfg.line())
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer port.Close()
	s := newSession(d, home, port)
	d.begin(s)
	defer d.begin(nil)
	defer s.end()
	for _, dev := range d.devices {
		home.Announce(dev.Device)
	}
	if err := s.serve(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}

func (d *driver) begin(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session = s
}

// Do implements hearth.Driver. It returns when the unit has acknowledged every write, in the order of the addresses;
// what the registers hold then is read back at once and reported. A write that got no valid answer is
// hearth.CodeUnknownOutcome, since it may have been done; it is not repeated.
func (d *driver) Do(ctx context.Context, cmd hearth.Command) error {
	at := slices.IndexFunc(d.devices, func(dev *device) bool { return dev.ID == cmd.Device })
	if at < 0 {
		return hearth.Errorf(hearth.CodeNoDevice, "there is no device %s on this bus", cmd.Device)
	}
	writes, err := d.devices[at].writes(cmd.Set)
	if err != nil {
		return err
	}
	d.mu.Lock()
	s := d.session
	d.mu.Unlock()
	if s == nil {
		return hearth.Errorf(hearth.CodeOffline, "the bus of %s is not connected", cmd.Device)
	}
	return s.do(ctx, d.devices[at], writes)
}

// counts are what there is to know of a line's quality.
type counts struct{ requests, timeouts, garbled, exceptions atomic.Uint64 }

// ServeHTTP answers GET with the counts of the bus: when many answers are garbled, it is the wiring.
func (d *driver) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]uint64{ // the reader has gone if this fails
		"requests": d.counts.requests.Load(), "unanswered": d.counts.timeouts.Load(),
		"garbled": d.counts.garbled.Load(), "refused": d.counts.exceptions.Load(),
	})
}
