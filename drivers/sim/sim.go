// Package sim is a driver whose devices exist only in it: a believable home for a demonstration, for tests and for load.
// A day has its rhythm, rooms follow their thermostats, counters only ever rise, and commands are obeyed.
package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"hearth"
	"hearth/settings"
)

// Config says how much of a home there is.
type Config struct {
	// Devices is how many there are; 0 means 20. Six are always among them: a light, an outlet, a thermostat, a motion
	// sensor, a cover, a button.
	Devices int `yaml:"devices"`
	// Interval is how often a sensor looks at the world; 0 means 5 s.
	Interval settings.Duration `yaml:"interval"`
	// Seed decides names, rooms and chance: the same seed is the same home.
	Seed uint64 `yaml:"seed"`
}

// Defaults and limits of Config.
const (
	DefaultDevices  = 20
	DefaultInterval = settings.Duration(5 * time.Second)
	minDevices      = 6
	maxDevices      = 10_000
	minInterval     = settings.Duration(100 * time.Millisecond)
)

// Check says what is wrong with the configuration.
func (c Config) Check() error {
	if c.Devices < 0 || c.Devices > maxDevices {
		return settings.At("$.devices", "want at most %d devices, not %d", maxDevices, c.Devices)
	}
	if c.Interval != 0 && c.Interval < minInterval {
		return settings.At("$.interval", "want at least %s, not %s", minInterval, c.Interval)
	}
	return nil
}

const (
	latency     = 30 * time.Millisecond  // a command's way to its device and back
	travelTick  = 200 * time.Millisecond // how often a moving cover says where it is
	turns       = 10                     // the devices of an interval speak in so many turns
	fullReports = 12                     // every so many intervals a device repeats all it knows
)

// A Driver is the simulated home.
type Driver struct {
	env hearth.Env
	cfg Config

	mu    sync.Mutex
	home  hearth.Home // nil without Run
	house *house
}

// New returns the driver. Its home is built by Run.
func New(env hearth.Env, cfg Config) (hearth.Driver, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Devices == 0 {
		cfg.Devices = DefaultDevices
	}
	cfg.Devices = max(cfg.Devices, minDevices)
	if cfg.Interval == 0 {
		cfg.Interval = DefaultInterval
	}
	return &Driver{env: env, cfg: cfg}, nil
}

// Run lives in the house until ctx ends. An error means that the counters cannot be kept.
func (d *Driver) Run(ctx context.Context, home hearth.Home) error {
	if ctx.Err() != nil {
		return nil
	}
	if err := d.moveIn(home); err != nil {
		return err
	}
	err := d.live(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.home = nil
	if err != nil {
		return err
	}
	return d.house.save(d.env.Store, 0)
}

// moveIn builds the house as it was left, and announces what is in it.
func (d *Driver) moveIn(home hearth.Home) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, _ := d.env.Now()
	d.house = build(d.env.Name, d.cfg, now)
	if err := d.house.load(d.env.Store); err != nil {
		return err
	}
	d.house.step(0, now, d.house.devices)
	if err := d.house.save(d.env.Store, 1); err != nil {
		return err
	}
	d.home = home
	for _, dev := range d.house.devices {
		home.Announce(dev.Device)
		home.Report(dev.everything()...)
	}
	return nil
}

func (d *Driver) live(ctx context.Context) error {
	tick := time.NewTicker(d.cfg.Interval.Std() / turns)
	defer tick.Stop()
	travel := time.NewTicker(travelTick)
	defer travel.Stop()
	for turn := 1; ; {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-travel.C:
			d.travel()
		case <-tick.C:
			err = d.turn(turn)
			turn++
		}
		if err != nil {
			return err
		}
	}
}

// turn lets one slice of the devices look at the world and say what has changed.
func (d *Driver) turn(turn int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, _ := d.env.Now()
	var due []*device
	for i := turn % turns; i < len(d.house.devices); i += turns {
		due = append(due, d.house.devices[i])
	}
	d.house.step(d.cfg.Interval.Std()/turns, now, due)
	if d.house.used() { // before anybody hears of a count that is not covered on disk
		if err := d.house.save(d.env.Store, 1); err != nil {
			return err
		}
	}
	whole := turn/turns%fullReports == 0
	for _, dev := range due {
		readings := dev.changes()
		if whole {
			readings = append(dev.everything(), dev.moments()...)
		}
		if len(readings) > 0 {
			d.home.Report(readings...)
		}
	}
	return nil
}

// travel moves the covers that are on their way.
func (d *Driver) travel() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, dev := range d.house.covers {
		if dev.travel(travelTick) {
			d.home.Report(dev.changes()...)
		}
	}
}

// Do carries out a command as a device would: a moment later, with a report of what has become of it.
func (d *Driver) Do(ctx context.Context, cmd hearth.Command) error {
	if err := d.check(cmd); err != nil {
		return err
	}
	timer := time.NewTimer(latency)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s: %w", cmd.Device, ctx.Err())
	case <-timer.C:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.home == nil {
		return hearth.Errorf(hearth.CodeOffline, "the simulated home is not running")
	}
	dev := d.house.byID[cmd.Device]
	dev.obey(cmd.Set)
	d.house.step(0, d.house.now, []*device{dev})
	if readings := dev.changes(); len(readings) > 0 {
		d.home.Report(readings...)
	}
	return nil
}

func (d *Driver) check(cmd hearth.Command) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.home == nil {
		return hearth.Errorf(hearth.CodeOffline, "the simulated home is not running")
	}
	dev := d.house.byID[cmd.Device]
	if dev == nil {
		return hearth.Errorf(hearth.CodeNoDevice, "there is no %s in the simulated home", cmd.Device)
	}
	for name, value := range cmd.Set {
		p, ok := dev.Property(name)
		if !ok {
			return hearth.Errorf(hearth.CodeNoDevice, "%s has no %s", cmd.Device, name)
		}
		if !p.Writable {
			return hearth.Errorf(hearth.CodeReadOnly, "%s of %s cannot be set", name, cmd.Device)
		}
		if err := p.Accepts(value); err != nil {
			return err
		}
		if name == "lock" && value.Text() != "locked" && value.Text() != "unlocked" {
			return hearth.Errorf(hearth.CodeBadValue, "a lock can be locked or unlocked, not %s", value)
		}
	}
	return nil
}

func newChance(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }
