package edge

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"hearth"
	"hearth/api"
	"hearth/edge/web"
)

// EnsureData makes the data directory where it is missing. Nobody but its owner sees into it.
func (c *Config) EnsureData() error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	return nil
}

// lockData makes sure that this is the only gateway of a data directory, which is made if it is missing. The lock goes
// with the process.
func lockData(dir string) (*os.File, error) {
	cfg := Config{Data: dir}
	if err := cfg.EnsureData(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another hearth-edge runs with the data directory %s: only one may", dir)
	}
	return f, nil
}

// Running reports whether a gateway runs with this data directory.
func (c *Config) Running() bool {
	f, err := os.Open(c.file("lock"))
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}

// notify tells the service manager; where there is none, nobody.
func (g *gateway) notify(what string) {
	if _, err := daemon.SdNotify(false, what); err != nil {
		g.log.Warn("the service manager could not be told", "what", what, "error", err)
	}
}

// watchdog tells the service manager that all is well for as long as a pass through the core comes round: the home's
// loop, its lock, and the buffer's.
func (g *gateway) watchdog(ctx context.Context) error {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		g.log.Warn("the service manager's watchdog is not understood", "error", err)
	}
	if every <= 0 || err != nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		passing, cancel := context.WithTimeout(ctx, every/2)
		err := g.pass(passing)
		cancel()
		if err == nil {
			g.notify(daemon.SdNotifyWatchdog)
		} else if ctx.Err() == nil {
			g.log.Error("the core does not answer", "error", err)
		}
	}
}

// pass goes the way that a reading goes, with no reading.
func (g *gateway) pass(ctx context.Context) error {
	if err := g.home.Pass(ctx); err != nil {
		return err
	}
	if err := g.buffer.Append(); err != nil {
		return err
	}
	g.buffer.Stats() // waits for its lock
	return ctx.Err()
}

// status is what GET /status answers.
func (g *gateway) status() web.Status {
	trusted, source := g.clock.Status()
	stats := g.buffer.Stats()
	up := time.Since(g.started)
	written := stats.Written - g.writtenBefore + g.state.Written()
	return web.Status{
		Version: g.o.Version, Uptime: int64(up.Seconds()), Home: g.cfg.Home,
		Clock:   web.ClockStatus{Trusted: trusted, Source: source, Now: hearth.Time{Time: g.now()}},
		Drivers: g.fleet.list(),
		Buffer:  web.BufferStatus{Produced: stats.Produced, Bytes: stats.Bytes, Cap: stats.Cap, Oldest: hearth.Time{Time: stats.Oldest}, Damaged: stats.Damaged},
		Targets: g.targets.status(),
		Disk:    web.DiskStatus{Written: written, PerDay: perDay(written, up)},
		Alarms:  g.alarms(),
	}
}

// metrics tells what the faces of the home add.
func (g *gateway) metrics(m *api.Metrics) {
	g.apple.metrics(m)
	g.broker.metrics(m)
}

func (g *gateway) alarms() (all []string) {
	for _, alarm := range []string{g.state.Damage(), g.clock.Warning(), g.broker.alarm()} {
		if alarm != "" {
			all = append(all, alarm)
		}
	}
	return append(all, g.fleet.alarms()...)
}

// perDay is the pace so far. The start, which writes more than usual, counts as ten minutes at the least.
func perDay(written uint64, up time.Duration) uint64 {
	return uint64(float64(written) * float64(24*time.Hour) / float64(max(up, 10*time.Minute)))
}

func tokenHint(cfg Config) string {
	path := cfg.path
	if path == "" {
		path = "edge.yaml"
	}
	return "hearth-edge token add -config " + path + " -name phone -scope control"
}

// pageURL is where a browser on this machine, or in its network where the gateway listens there, finds the page.
func pageURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String() + "/"
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ownAddress()
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}

// ownAddress is an address of this machine that others in its network reach, or the loopback where there is none.
func ownAddress() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	return "127.0.0.1"
}
