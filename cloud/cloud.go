// Package cloud is the receiver: it takes the readings of many homes in, keeps them, carries commands back, and shows
// all homes on one page. This file wires its rooms together; each of them is a package of its own.
package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/downlink"
	"hearth/cloud/fleet"
	"hearth/cloud/ingest"
	"hearth/cloud/series"
	"hearth/cloud/web"
	"hearth/settings"
)

// Options are what Run needs beside the configuration.
type Options struct {
	Version string
	Ready   func(address string) // called once it serves, with the address of the web port
	Link    func(url string)     // called at the first start, with a link that lets its owner in: show it to a person, and log it nowhere
	Log     *slog.Logger
}

// stopTime is how long requests under way get at the end.
const stopTime = 3 * time.Second

// Run serves until ctx ends; then it returns nil, with everything stored.
func Run(ctx context.Context, c Config, o Options) (err error) {
	books, err := OpenAccounts(ctx, c, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	store, err := series.Open(c.seriesDir(), series.Options{Retention: c.Series.Retention.Std(), Log: o.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	var site *web.Web // is told of events by rooms that it is made of
	publish := func(home, kind string, body any) {
		if site != nil {
			site.Publish(home, kind, body)
		}
	}
	homes, err := fleet.Open(ctx, fleet.Options{Accounts: books, Last: store.Last, Emit: publish, Log: o.Log})
	if err != nil {
		return err
	}
	down, err := newDownlink(c, books, homes, publish, o.Log)
	if err != nil {
		return err
	}
	auth := newAuth(books, o.Log)
	in := ingest.New(ingest.Options{
		Store: store, Accounts: books, Check: auth.Check, Rate: int64(c.Ingest.Rate), Version: o.Version, Log: o.Log,
		Live: func(a ingest.Arrival) { homes.Arrived(a.Home, a.Readings, a.Gaps, backlogOf(a)) },
	})
	site = web.New(web.Options{
		Accounts: books, Series: store, Fleet: homes, Commands: down, Auth: auth,
		Influx: web.Influx{WriteV1: in.WriteV1, WriteV2: in.WriteV2, Query: in.Query, Ping: in.Ping, Health: in.Health},
		MQTT:   down.Handler(), Broker: cmp.Or(c.MQTT.Public, c.MQTT.Broker),
		Metrics: metricsOf(o.Version, store, in, homes, down), OpenMetrics: c.Web.OpenMetrics, Version: o.Version, Log: o.Log,
	})
	group, ctx := errgroup.WithContext(ctx)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Web.Listen)
	if err != nil {
		return fmt.Errorf("listening for HTTP (web.listen): %w", err)
	}
	if err := errors.Join(down.Listen(ctx), firstLink(ctx, books, listener.Addr().String(), c, o)); err != nil {
		return errors.Join(err, listener.Close())
	}
	group.Go(func() error { return serve(ctx, listener, site, o.Log) })
	group.Go(func() error { return down.Run(ctx) })
	group.Go(func() error { return homes.Run(ctx) })
	group.Go(func() error { return store.Run(ctx) })
	group.Go(func() error { return watchdog(ctx, books, store, o.Log) })
	o.Ready(listener.Addr().String())
	return group.Wait()
}

// OpenAccounts opens the accounts alone, as the commands beside `run` do while the receiver runs.
func OpenAccounts(ctx context.Context, c Config, log *slog.Logger) (*accounts.Accounts, error) {
	database := c.Accounts.Database
	if c.Accounts.DatabaseFile != "" {
		var err error
		if database, err = settings.Secret(c.Accounts.DatabaseFile, log); err != nil {
			return nil, fmt.Errorf("accounts.database_file: %w", err)
		}
	}
	return accounts.Open(ctx, accounts.Options{Database: database, Dir: c.Data})
}

func newDownlink(c Config, books *accounts.Accounts, homes *fleet.Fleet, publish func(home, kind string, body any), log *slog.Logger) (*downlink.Downlink, error) {
	o := downlink.Options{
		Accounts: books, Device: homes.Device, Online: homes.Online, Reading: homes.Live, Log: log,
		Changed: func(home string, r hearth.Record) {
			homes.Command(home, r)
			publish(home, api.EventCommand, r)
		},
		Event: func(home, kind string, payload []byte) {
			if err := gatewayEvent(homes, home, kind, payload); err != nil {
				log.Warn("an event of a gateway was passed over", "home", home, "kind", kind, "err", err)
			}
		},
	}
	if c.MQTT.Broker == "" {
		o.Embedded = &downlink.Embedded{Listen: c.MQTT.Listen}
		return downlink.New(o), nil
	}
	o.External = &downlink.External{Broker: c.MQTT.Broker, Username: c.MQTT.Username}
	if c.MQTT.PasswordFile != "" {
		var err error
		if o.External.Password, err = settings.Secret(c.MQTT.PasswordFile, log); err != nil {
			return nil, fmt.Errorf("mqtt.password_file: %w", err)
		}
	}
	return downlink.New(o), nil
}

func gatewayEvent(homes *fleet.Fleet, home, kind string, payload []byte) error {
	switch kind {
	case api.EventStatus:
		return homes.Status(home, payload)
	case api.EventDevice:
		return homes.DeviceEvent(home, payload)
	}
	return nil // for applications that listen to the broker
}

// backlogOf is what is left on the gateway after what it just sent.
func backlogOf(a ingest.Arrival) *uint64 {
	if a.Ledger == nil {
		return nil
	}
	left := a.Ledger.Backlog - min(a.Rows, a.Ledger.Backlog)
	return &left
}

func newAuth(books *accounts.Accounts, log *slog.Logger) *api.Auth {
	return api.NewAuth(api.AuthOptions{
		Find: func(secret string) (hearth.Token, bool) {
			token, ok, err := books.Find(context.Background(), secret)
			if err != nil {
				log.Error("a token could not be looked up, so it is taken for unknown", "err", err)
			}
			return token, ok
		},
		Cookie: web.CookieName, Address: web.ClientAddress, Narrow: web.Narrow(books),
		Hint: "hearth-cloud token add -config /etc/hearth/cloud.yaml -name NAME -scope admin",
	})
}

// firstLink lets the owner of a fresh receiver in: an administrator's token, of which only the hash is kept.
func firstLink(ctx context.Context, books *accounts.Accounts, address string, c Config, o Options) error {
	there, err := books.HasAdmin(ctx)
	if err != nil || there {
		return err
	}
	secret, err := books.AddToken(ctx, hearth.Token{Name: "first-link", Scope: hearth.ScopeAdmin, Home: ""})
	if errors.Is(err, &hearth.Error{Code: hearth.CodeConflict}) {
		return nil // another receiver on the same database was quicker
	}
	if err != nil {
		return err
	}
	c.Web.Listen = address // the port may have been chosen by the system
	o.Link(c.URL() + "/?token=" + secret)
	return nil
}

func serve(ctx context.Context, listener net.Listener, site *web.Web, log *slog.Logger) error {
	server := api.NewServer(site, log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving HTTP: %w", err)
	case <-ctx.Done():
	}
	site.Close()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if server.Shutdown(stop) != nil { // somebody is slow: what is durable was answered, the rest comes again
		if err := server.Close(); err != nil {
			return fmt.Errorf("stopping HTTP: %w", err)
		}
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
}
