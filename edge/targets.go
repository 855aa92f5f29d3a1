package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"hearth"
	"hearth/edge/supervise"
	"hearth/edge/uplink"
	"hearth/edge/web"
	"hearth/settings"
)

// lookEvery is how often the gateway looks whether a home was claimed meanwhile, or a token file came to be.
const lookEvery = 2 * time.Second

// A joined is what hearth-edge claim keeps in the data directory.
type joined struct {
	URL      string `json:"url"`
	Insecure bool   `json:"insecure,omitempty"`
	hearth.Claim
}

const claimFile = "cloud.json"

// SaveClaim keeps a claim in the data directory, where a running gateway finds it.
func (c *Config) SaveClaim(url string, insecure bool, claim hearth.Claim) error {
	data, err := json.MarshalIndent(joined{url, insecure, claim}, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(c.file(claimFile), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("keeping the claim: %w", err)
	}
	settings.GiveTo(c.Data, c.file(claimFile))
	return nil
}

// receiver returns where this gateway's home is, nil if nowhere. The configuration comes before a claim.
func (c *Config) receiver(log *slog.Logger) (*uplink.Cloud, error) {
	if c.Cloud != nil {
		token, err := settings.Secret(c.Cloud.TokenFile, log)
		if err != nil {
			return nil, err
		}
		return &uplink.Cloud{URL: c.Cloud.URL, Token: token, Insecure: c.Cloud.Insecure}, nil
	}
	data, err := os.ReadFile(c.file(claimFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var j joined
	if err == nil {
		err = json.Unmarshal(data, &j)
	}
	if err == nil && (j.URL == "" || j.Token == "") {
		err = errors.New("it lacks the address or the token")
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w: claim the home again", c.file(claimFile), err)
	}
	return &uplink.Cloud{URL: j.URL, Token: j.Token, Home: j.Home, TokenName: j.TokenName, MQTT: j.MQTT, Insecure: j.Insecure}, nil
}

// database returns the second target, nil if there is none.
func (c *Config) database(log *slog.Logger) (*uplink.Influx, error) {
	if c.Influx == nil {
		return nil, nil
	}
	token := ""
	if c.Influx.TokenFile != "" {
		var err error
		if token, err = settings.Secret(c.Influx.TokenFile, log); err != nil {
			return nil, err
		}
	}
	return &uplink.Influx{
		URL: c.Influx.URL, Database: c.Influx.Database, Org: c.Influx.Org, Bucket: c.Influx.Bucket, Token: token, Home: c.Home,
		NumbersOnly: c.Influx.NumbersOnly,
	}, nil
}

// targets runs the uplink, anew whenever where it goes to changes.
type targets struct {
	g    *gateway
	look chan struct{}

	mu  sync.Mutex
	cfg Config
	now aims
	up  *uplink.Uplink // nil while there is nothing to serve
}

// aims are where readings go, and why one of them cannot be served.
type aims struct {
	cloud                 *uplink.Cloud
	influx                *uplink.Influx
	cloudErr, influxErr   string
	hasCloud, hasDatabase bool
}

func newTargets(g *gateway, cfg Config) *targets {
	t := &targets{g: g, look: make(chan struct{}, 1), cfg: cfg}
	t.now = t.read(g.part("uplink"))
	return t
}

func (t *targets) read(log *slog.Logger) (a aims) {
	t.mu.Lock()
	cfg := t.cfg
	t.mu.Unlock()
	var err error
	if a.cloud, err = cfg.receiver(log); err != nil {
		a.cloudErr = err.Error()
	}
	if a.influx, err = cfg.database(log); err != nil {
		a.influxErr = err.Error()
	}
	a.hasCloud, a.hasDatabase = a.cloud != nil || a.cloudErr != "", cfg.Influx != nil
	return a
}

// names are the targets that every reading is kept for, those that cannot be served now among them.
func (t *targets) names() (names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now.hasCloud {
		names = append(names, uplink.TargetCloud)
	}
	if t.now.hasDatabase {
		names = append(names, uplink.TargetInflux)
	}
	return names
}

// apply takes another configuration.
func (t *targets) apply(cfg Config) {
	t.mu.Lock()
	t.cfg.Cloud, t.cfg.Influx = cfg.Cloud, cfg.Influx
	t.mu.Unlock()
	select {
	case t.look <- struct{}{}:
	default: // it is about to look anyway
	}
}

// run serves the targets until ctx ends.
func (t *targets) run(ctx context.Context) error {
	quiet := slog.New(slog.DiscardHandler) // what was said about a secret once need not be said every time
	for ctx.Err() == nil {
		t.mu.Lock()
		now := t.now
		t.mu.Unlock()
		for _, problem := range []string{now.cloudErr, now.influxErr} {
			if problem != "" {
				t.g.log.Error("a target cannot be served", "error", problem)
			}
		}
		t.g.buffer.SetTargets(t.names()...)
		serving, cancel := context.WithCancel(ctx)
		var all sync.WaitGroup
		all.Go(func() { t.serve(serving, now) })
		next := t.changed(ctx, now, quiet)
		cancel()
		all.Wait()
		t.mu.Lock()
		t.now, t.up = next, nil
		t.mu.Unlock()
	}
	return nil
}

// changed returns the aims once they are others than now, or ctx ends.
func (t *targets) changed(ctx context.Context, now aims, log *slog.Logger) aims {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return now
		case <-t.look:
		case <-tick.C:
		}
		if next := t.read(log); !reflect.DeepEqual(next, now) {
			return next
		}
	}
}

func (t *targets) serve(ctx context.Context, now aims) {
	if now.cloud == nil && now.influx == nil {
		<-ctx.Done()
		return
	}
	log := t.g.part("uplink")
	up := uplink.New(uplink.Options{
		Home: t.g.home, Buffer: t.g.buffer, Store: t.g.state.Bucket("uplink"), Cloud: now.cloud, Influx: now.influx,
		Now: t.g.clock.Now, Offer: t.g.clock.Offer, Status: func() any { return t.g.status() }, Version: t.g.o.Version, Log: log,
	})
	t.mu.Lock()
	t.up = up
	t.mu.Unlock()
	_ = supervise.Run(ctx, log, nil, up.Run)
}

// status returns how each target is doing.
func (t *targets) status() []web.TargetStatus {
	t.mu.Lock()
	now, up := t.now, t.up
	t.mu.Unlock()
	list := []web.TargetStatus{}
	if up != nil {
		for _, s := range up.Targets() {
			list = append(list, web.TargetStatus(s))
		}
	}
	broken := []struct{ name, why string }{{uplink.TargetCloud, now.cloudErr}, {uplink.TargetInflux, now.influxErr}}
	for _, b := range broken {
		if b.why != "" {
			s := t.g.buffer.Target(b.name)
			list = append(list, web.TargetStatus{
				Name: b.name, State: "refused", Error: b.why, Acknowledged: s.Acknowledged, Dropped: s.Dropped, Backlog: s.Backlog,
				LastAcknowledged: hearth.Time{Time: s.LastAcknowledged},
			})
		}
	}
	return list
}
