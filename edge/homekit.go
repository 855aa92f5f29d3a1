package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"hearth"
	"hearth/api"
	"hearth/edge/homekit"
	"hearth/edge/state"
	"hearth/edge/supervise"
	"hearth/settings"
)

// apple is the HomeKit bridge of a gateway: made, run, and run again when it fails, without harm to the rest.
type apple struct {
	g *gateway

	mu     sync.Mutex
	bridge *homekit.Bridge // nil until it could be made
	why    string          // it could not
}

// newApple returns nil where HomeKit is not wanted.
func newApple(g *gateway) *apple {
	if g.cfg.HomeKit == nil {
		return nil
	}
	return &apple{g: g}
}

func (a *apple) run(ctx context.Context) error {
	return supervise.Run(ctx, a.g.part("homekit"), nil, a.once)
}

func (a *apple) once(ctx context.Context) error {
	a.mu.Lock()
	bridge := a.bridge
	a.mu.Unlock()
	if bridge == nil {
		o := a.g.cfg.homekitOptions(a.g.state.Bucket(homekitBucket), a.g.o.Version)
		o.Home, o.Now, o.Log = a.g.home, a.g.clock.Now, a.g.part("homekit")
		made, err := homekit.New(o)
		a.mu.Lock()
		a.bridge, bridge, a.why = made, made, ""
		if err != nil {
			a.bridge, a.why = nil, err.Error()
		}
		a.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return bridge.Run(ctx)
}

const homekitBucket = "homekit"

// homekitOptions are what the configuration says of the bridge. The home knows its devices as soon as it is open, long
// before their drivers run: nothing has to be waited for.
func (c *Config) homekitOptions(store hearth.Store, version string) homekit.Options {
	o := homekit.Options{Store: store, Name: c.Home, Version: version}
	if c.HomeKit != nil {
		o.Listen, o.PIN = c.HomeKit.Listen, c.HomeKit.PIN
	}
	return o
}

// handler is what the page and the command line ask; nil where HomeKit is not wanted.
func (a *apple) handler() http.Handler {
	if a == nil {
		return nil
	}
	return a
}

// ServeHTTP implements http.Handler.
func (a *apple) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	bridge, why := a.bridge, a.why
	a.mu.Unlock()
	if bridge == nil {
		api.Fail(w, r, hearth.Errorf(hearth.CodeNotFound, "the HomeKit bridge could not be started: %s", why))
		return
	}
	bridge.ServeHTTP(w, r)
}

// metrics tells how the bridges are.
func (a *apple) metrics(m *api.Metrics) {
	if a == nil {
		return
	}
	a.mu.Lock()
	bridge := a.bridge
	a.mu.Unlock()
	if bridge == nil {
		return
	}
	for _, b := range bridge.State().Bridges {
		m.Gauge("hearth_homekit_accessories", "Devices on a HomeKit bridge.", float64(b.Accessories), "bridge", b.Name)
		m.Gauge("hearth_homekit_connections", "Open connections of HomeKit controllers.", float64(b.Connections), "bridge", b.Name)
		m.Gauge("hearth_homekit_pairings", "Controllers paired with a HomeKit bridge.", float64(len(b.Pairings)), "bridge", b.Name)
		m.Counter("hearth_homekit_events_total", "Values told to HomeKit controllers.", float64(b.Events), "bridge", b.Name)
		m.Counter("hearth_homekit_events_dropped_total", "Values that a HomeKit controller did not take.", float64(b.Dropped), "bridge", b.Name)
	}
}

// HomeKitAtRest opens the bridge of a gateway that does not run, to look after what it keeps.
func (c *Config) HomeKitAtRest(version string, use func(*homekit.Bridge) error) (err error) {
	lock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer lock.Close()
	quiet := slog.New(slog.DiscardHandler)
	db, err := state.Open(c.file(stateFile), quiet)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, db.Close())
		settings.GiveTo(c.Data, c.file(stateFile))
	}()
	bridge, err := homekit.New(c.homekitOptions(db.Bucket(homekitBucket), version))
	if err != nil {
		return err
	}
	return use(bridge)
}
