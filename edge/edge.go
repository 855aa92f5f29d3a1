// Package edge is the gateway: its configuration, the table of its drivers, and the one place where all its parts are
// put together.
package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"hearth"
	"hearth/api"
	"hearth/edge/buffer"
	"hearth/edge/clock"
	"hearth/edge/home"
	"hearth/edge/state"
	"hearth/edge/tokens"
	"hearth/edge/web"
)

// Options are what the program around a gateway decides.
type Options struct {
	Version string
	Built   time.Time // no time before this is believed
	Log     *slog.Logger

	Ready  func()           // called once the gateway serves
	Link   func(url string) // told the page's address with a fresh token when nobody has one; nil: none is made
	Guest  bool             // a fresh token is made at every start
	Reload <-chan os.Signal // asks to read the configuration again
}

// TokensFile is where the tokens are, in the data directory.
const TokensFile = "tokens.json"

// firstToken is the name of the token that the gateway makes by itself.
const firstToken = "first"

// How long each step of a stop may take; together they stay below the promised 5 s.
const (
	frontTime  = 1200 * time.Millisecond // pages, uplink, commands under way
	driverTime = 2000 * time.Millisecond // what plugins may need to be killed
	coreTime   = 1500 * time.Millisecond // the last commit
)

// Run is a gateway's whole life: it returns nil when ctx ends and everything is on disk, and an error when a part
// without which there is no gateway fails.
func Run(ctx context.Context, cfg Config, o Options) error {
	lock, err := lockData(cfg.Data)
	if err != nil {
		return err
	}
	defer lock.Close()
	g := &gateway{o: o, cfg: cfg, log: o.Log, started: time.Now()}
	if err := g.open(cfg); err != nil {
		return errors.Join(err, g.close())
	}
	return errors.Join(g.run(ctx), g.close())
}

// A gateway is everything that runs.
type gateway struct {
	o       Options
	cfg     Config // as it was at the start; drivers and targets follow the file
	log     *slog.Logger
	started time.Time

	writtenBefore uint64 // what the buffer had given to the device in earlier lives

	state   *state.DB
	clock   *clock.Clock
	tokens  *tokens.File
	buffer  *buffer.Buffer
	home    *home.Home
	fleet   *fleet
	targets *targets
	apple   *apple  // nil where HomeKit is not wanted
	broker  *broker // nil where MQTT is not
	web     *web.Web
	port    net.Listener
}

// open puts the parts together, from the disk upwards. Nothing runs yet.
func (g *gateway) open(cfg Config) (err error) {
	if g.state, err = state.Open(cfg.file("state.db"), g.part("state")); err != nil {
		return err
	}
	if g.clock, err = clock.Open(g.state.Bucket("clock"), g.o.Built, g.part("clock")); err != nil {
		return err
	}
	if g.tokens, err = tokens.Open(cfg.file(TokensFile)); err != nil {
		return err
	}
	g.targets = newTargets(g, cfg)
	g.buffer, err = buffer.Open(buffer.Options{
		Dir: cfg.file("buffer"), Commit: cfg.Buffer.Commit.Std(), Cap: int64(cfg.Buffer.Cap), History: cfg.Buffer.History.Std(),
		Targets: g.targets.names(), Boot: g.clock.Anchor, Now: g.now, Log: g.part("buffer"),
	})
	if err != nil {
		return err
	}
	g.home, err = home.Open(home.Options{
		Devices: g.state.Bucket("devices"), Values: g.state.Bucket("values"), Commands: g.state.Bucket("commands"),
		Now: g.clock.Now, Sink: g.buffer, Log: g.part("home"),
	})
	if err != nil {
		return err
	}
	g.writtenBefore = g.buffer.Stats().Written
	if err := g.buffer.Replay(g.home.Saved(), g.home.Restore); err != nil {
		g.log.Error("the last values could not all be read back from the buffer", "error", err)
	}
	g.fleet, g.apple, g.broker = newFleet(g), newApple(g), newBroker(g)
	g.web = web.New(web.Options{
		Home: g.home, Tokens: g.tokens.Find, History: g.buffer.History, Status: g.status, Drivers: g.fleet.list,
		DriverHandler: g.fleet.handler, HomeKit: g.apple.handler(), Metrics: g.metrics, Now: g.now, OpenMetrics: cfg.Web.OpenMetrics, Version: g.o.Version,
		TokenHint: tokenHint(cfg), Log: g.part("web"),
	})
	if g.port, err = net.Listen("tcp", cfg.Web.Listen); err != nil {
		return fmt.Errorf("web.listen: %w: choose another address, or stop what uses this one", err)
	}
	return nil
}

// run starts everything, waits for the end, and stops it in the right order: first what brings new work, then the
// drivers, then what writes to disk.
func (g *gateway) run(ctx context.Context) error {
	failed := make(chan error, 1)
	core, front := newParts(failed), newParts(failed)
	core.run("clock", g.clock.Run)
	core.run("buffer", g.buffer.Run)
	core.run("repair", g.repair)
	front.run("home", g.home.Run)
	g.fleet.apply(g.cfg)
	front.run("targets", g.targets.run)
	if g.apple != nil {
		front.run("homekit", g.apple.run)
	}
	if g.broker != nil {
		front.run("mqtt", g.broker.run)
	}
	front.run("live events", g.web.Run)
	front.run("web", g.serve)
	front.run("reload", g.reload)
	front.run("watchdog", func(ctx context.Context) error {
		if err := g.greet(); err != nil {
			return err
		}
		return g.watchdog(ctx)
	})
	var err error
	select {
	case <-ctx.Done():
		g.log.Info("stopping")
	case err = <-failed:
		g.log.Error("a part failed: stopping", "error", err)
	}
	g.notify("STOPPING=1")
	for _, step := range []struct {
		what string
		stop func(time.Duration) bool
		time time.Duration
	}{{"pages, targets or commands", front.stop, frontTime}, {"drivers", g.fleet.stop, driverTime}, {"the last commit", core.stop, coreTime}} {
		if !step.stop(step.time) {
			g.log.Warn("did not stop in time", "what", step.what)
		}
	}
	select {
	case late := <-failed:
		err = errors.Join(err, late)
	default:
	}
	return err
}

// close closes what open opened, as far as it came.
func (g *gateway) close() (err error) {
	if g.port != nil {
		g.port.Close() // already closed where it served
	}
	if g.buffer != nil {
		err = g.buffer.Close()
	}
	if g.state != nil {
		err = errors.Join(err, g.state.Close())
	}
	return err
}

func (g *gateway) part(name string) *slog.Logger { return g.log.With("part", name) }

func (g *gateway) now() time.Time { now, _ := g.clock.Now(); return now }

// repair has the buffer work out true times as soon as somebody vouches for the clock.
func (g *gateway) repair(ctx context.Context) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-g.clock.Trusted():
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
		boot, anchor, _ := g.clock.Anchor()
		err := g.buffer.Repair(boot, anchor)
		if err == nil {
			<-ctx.Done()
			return nil
		}
		g.log.Error("the times of earlier readings could not be repaired: trying again in a minute", "error", err)
		pause.Reset(time.Minute)
	}
}

// serve answers HTTP until ctx ends.
func (g *gateway) serve(ctx context.Context) error {
	server := api.NewServer(g.web, g.part("web"))
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(g.port) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	polite, cancel := context.WithTimeout(context.WithoutCancel(ctx), frontTime/3)
	defer cancel()
	if err := server.Shutdown(polite); err != nil {
		server.Close() // somebody holds on to an answer
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// greet says that the gateway serves, and gives the first visitor a way in.
func (g *gateway) greet() error {
	known, err := g.tokens.List()
	if err != nil {
		return err
	}
	if (len(known) == 0 || g.o.Guest) && g.o.Link != nil {
		if g.o.Guest {
			_ = g.tokens.Remove(firstToken) // there is none at the first start
		}
		secret, err := g.tokens.Add(firstToken, hearth.ScopeAdmin)
		if err != nil {
			return err
		}
		g.o.Link(pageURL(g.port.Addr()) + "?token=" + secret)
	} else if len(known) == 0 {
		g.log.Warn("nobody has a token yet: make one", "command", tokenHint(g.cfg))
	}
	g.log.Info("serving", "address", g.port.Addr().String(), "version", g.o.Version, "start", time.Since(g.started).Round(time.Millisecond))
	g.notify("READY=1")
	if g.o.Ready != nil {
		g.o.Ready()
	}
	return nil
}

// reload reads the configuration again whenever that is asked for. A file with mistakes changes nothing.
func (g *gateway) reload(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.o.Reload:
		}
		if g.cfg.path == "" {
			g.log.Info("there is no configuration file to read again")
			continue
		}
		next, err := LoadConfig(g.cfg.path)
		if err != nil {
			g.log.Error("the configuration has mistakes and is not taken: the old one stays\n" + err.Error())
			continue
		}
		if keys := g.cfg.needsRestart(&next); len(keys) > 0 {
			g.log.Warn("these parts of the configuration changed and need a restart", "keys", keys)
		}
		g.fleet.apply(next)
		g.targets.apply(next)
		g.log.Info("the configuration was read again")
	}
}
