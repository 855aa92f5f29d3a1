package edge

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"hearth"
	"hearth/edge/home"
	"hearth/edge/supervise"
	"hearth/edge/web"
)

// changeTime is how long a driver that is no longer wanted may take to stop before the gateway goes on without it.
const changeTime = 5 * time.Second

// A fleet is the drivers that run, each under supervision of its own.
type fleet struct {
	log  *slog.Logger
	home *home.Home
	env  func(cfg *Config, name string) hearth.Env

	now func() time.Time

	changing sync.Mutex // one change at a time
	mu       sync.Mutex
	units    map[string]*unit
	stopped  bool // nothing is started any more
}

// A unit is one driver.
type unit struct {
	name   string
	config DriverConfig
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu     sync.Mutex
	driver hearth.Driver // nil until it could be made
	status supervise.Status
}

func newFleet(g *gateway) *fleet {
	return &fleet{
		log: g.log, home: g.home, now: g.now, units: map[string]*unit{},
		env: func(cfg *Config, name string) hearth.Env {
			return hearth.Env{
				Name: name, Dir: cfg.file(name), Log: g.log.With("driver", name),
				Store: g.state.Bucket("driver/" + name), Now: g.clock.Now,
			}
		},
	}
}

// apply starts and stops drivers until they are what cfg says. One whose configuration is the same is left alone.
func (f *fleet) apply(cfg Config) {
	f.changing.Lock()
	defer f.changing.Unlock()
	for name, u := range f.snapshot() {
		if next, wanted := cfg.Drivers[name]; wanted && next.Type == u.config.Type && reflect.DeepEqual(next.config, u.config.config) {
			continue
		}
		u.cancel()
		if !waited(&u.all, changeTime) {
			f.log.Error("a driver does not stop: it is left behind", "driver", name)
		}
		f.mu.Lock()
		delete(f.units, name)
		f.mu.Unlock()
		f.home.Detach(name)
	}
	running := f.snapshot()
	for name, config := range cfg.Drivers {
		if running[name] == nil {
			f.start(&cfg, name, config)
		}
	}
}

func (f *fleet) snapshot() map[string]*unit {
	f.mu.Lock()
	defer f.mu.Unlock()
	units := make(map[string]*unit, len(f.units))
	for name, u := range f.units {
		units[name] = u
	}
	return units
}

func (f *fleet) start(cfg *Config, name string, config DriverConfig) {
	ctx, cancel := context.WithCancel(context.Background())
	u := &unit{name: name, config: config, cancel: cancel}
	u.set(supervise.Status{State: supervise.Waiting, Since: time.Now()})
	env, dir := f.env(cfg, name), cfg.dir()
	face := f.home.Attach(name, config.Type, u.do)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		cancel()
		return
	}
	f.units[name] = u
	u.all.Go(func() {
		_ = supervise.Run(ctx, env.Log, func(s supervise.Status) {
			u.set(s)
			f.home.Running(name, s.State == supervise.Running)
		}, func(ctx context.Context) error {
			driver, err := u.make(env, dir)
			if err != nil {
				return err
			}
			return driver.Run(ctx, face)
		})
	})
}

// make returns the unit's driver, the same one for every try once it could be made.
func (u *unit) make(env hearth.Env, dir string) (hearth.Driver, error) {
	if driver := u.current(); driver != nil {
		return driver, nil
	}
	driver, err := u.config.build(env, dir)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.driver = driver
	return driver, nil
}

func (u *unit) current() hearth.Driver {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.driver
}

func (u *unit) set(s supervise.Status) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.status = s
}

// do hands a command to the driver. A panic in it fails the command and nothing else.
func (u *unit) do(ctx context.Context, cmd hearth.Command) (err error) {
	driver := u.current()
	if driver == nil {
		return hearth.Errorf(hearth.CodeOffline, "driver %s is not running", u.name)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("driver %s: panic: %v\n%s", u.name, p, debug.Stack())
		}
	}()
	return driver.Do(ctx, cmd)
}

// stop reports whether all drivers ended in time.
func (f *fleet) stop(limit time.Duration) bool {
	f.mu.Lock()
	f.stopped = true
	f.mu.Unlock()
	units := f.snapshot()
	for _, u := range units {
		u.cancel()
	}
	ended := make(map[string]chan struct{}, len(units))
	for name, u := range units {
		done := make(chan struct{})
		ended[name] = done
		go func() { u.all.Wait(); close(done) }()
	}
	late, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	intime := true
	for name, done := range ended {
		select {
		case <-done:
			continue
		case <-late.Done():
		}
		select {
		case <-done: // one that is stuck says nothing about the others
		default:
			f.log.Warn("a driver does not stop", "driver", name)
			intime = false
		}
	}
	return intime
}

// handler returns what a driver adds to the HTTP interface, nil if nothing.
func (f *fleet) handler(name string) http.Handler {
	if u := f.snapshot()[name]; u != nil {
		if h, ok := u.current().(http.Handler); ok {
			return h
		}
	}
	return nil
}

// alarmTime is how long a driver may be away before a person is told: what heals itself has done so by then.
const alarmTime = 30 * time.Second

// alarms says which drivers have been away for longer than it takes them to come back by themselves.
func (f *fleet) alarms() (all []string) {
	for _, d := range f.list() {
		if since, away := f.home.Away(d.Name); away && since >= alarmTime && d.State != supervise.Stopped {
			all = append(all, fmt.Sprintf("driver %s: %s", d.Name, cmp.Or(d.Error, "no connection yet")))
		}
	}
	return all
}

// list returns how each driver is, by name. Times are those of the gateway's clock.
func (f *fleet) list() []web.DriverStatus {
	var all []web.DriverStatus
	now := f.now()
	for name, u := range f.snapshot() {
		u.mu.Lock()
		s := u.status
		u.mu.Unlock()
		if _, away := f.home.Away(name); away && s.State == supervise.Running {
			s.State = supervise.Waiting // for its connection
		}
		since := hearth.Time{Time: now.Add(-time.Since(s.Since))}
		all = append(all, web.DriverStatus{Name: name, Type: u.config.Type, State: s.State, Error: s.Error, Since: since})
	}
	slices.SortFunc(all, func(a, b web.DriverStatus) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
