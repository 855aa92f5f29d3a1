// Package cloud is the receiver: it takes the readings of many homes in, keeps them, carries commands back, and shows
// all homes on one page. This file wires its rooms together; each of them is a package of its own.
package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/archive"
	"hearth/cloud/certs"
	"hearth/cloud/downlink"
	"hearth/cloud/fleet"
	"hearth/cloud/influxql"
	"hearth/cloud/ingest"
	"hearth/cloud/jobs"
	"hearth/cloud/notify"
	"hearth/cloud/people"
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

// Run serves until ctx ends; then it returns nil, with everything stored.
func Run(ctx context.Context, c Config, o Options) (err error) {
	certificates, err := c.certificates(o.Log)
	if err != nil {
		return err
	}
	books, err := OpenAccounts(ctx, c, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	kept, err := openReadings(ctx, c, books, o.Version, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.close()) }()
	house, err := build(ctx, c, o, certificates, books, kept)
	if err != nil {
		return err
	}
	return house.run(ctx, c, o)
}

// rooms are the parts of a receiver that work while it runs.
type rooms struct {
	books   *accounts.Accounts
	kept    *readings
	homes   *fleet.Fleet
	told    tidings
	down    *downlink.Downlink
	works   *jobs.Jobs
	copies  *archive.Archive
	persons *people.People
	door    front
}

// build makes the rooms and the doors between them.
func build(ctx context.Context, c Config, o Options, certificates *certs.Certificates, books *accounts.Accounts, kept *readings) (*rooms, error) {
	r := &rooms{books: books, kept: kept}
	tell := newHerald(o.Version, &r.told, o.Log)
	var err error
	if r.homes, err = fleet.Open(ctx, fleet.Options{Accounts: books, Last: kept.store.Last, Emit: tell.home, Tell: tell.broker, Alerts: r.told.of, Log: o.Log}); err != nil {
		return nil, err
	}
	kept.homes = r.homes
	if err := r.told.open(ctx, c, o, books, kept.store, r.homes, certificates, tell.home); err != nil {
		return nil, err
	}
	auth := newAuth(books, o.Log)
	in := ingest.New(ingest.Options{
		Store: kept.writer(), Accounts: books, Check: auth.Check, Rate: int64(c.Ingest.Rate), Drain: int64(c.Ingest.Drain), Version: o.Version, Log: o.Log,
		Live: func(a ingest.Arrival) { r.homes.Arrived(a.Home, a.Readings, a.Gaps, backlogOf(a)) },
	})
	direct := &directDevices{homes: r.homes, in: in}
	passing := newWatched()
	if r.down, err = newDownlink(c, books, r.homes, direct, certificates, passing, tell, o.Log); err != nil {
		return nil, err
	}
	tell.down = r.down
	r.works = newJobs(books, r.homes, r.down, tell, o.Log)
	r.copies = archive.New(archive.Options{Data: c.Data, Accounts: books, Series: kept.store, Version: o.Version, Log: o.Log})
	r.persons = newPeople(c, books, kept, auth, r.told.mail, tell.changed, o.Log)
	questions := influxql.New(influxql.Options{Source: kept.source(), Homes: books, Admit: in.Admit, Retention: c.Series.Retention.Std(), Log: o.Log})
	samples := &gauges{version: o.Version, started: time.Now(), data: c.Data, rooms: r, in: in, certificates: certificates, watched: passing, log: o.Log}
	tell.site = web.New(web.Options{
		Accounts: books, Series: kept.source(), Fleet: r.homes, Commands: r.down, Direct: direct, Auth: auth, People: r.persons,
		More:   slices.Concat(kept.routes(), r.persons.Routes(), r.told.routes(), r.works.Routes(), tell.routes()),
		Added:  func(h accounts.Home) { tell.changed(h, hearth.HomeAdded) },
		Influx: web.Influx{WriteV1: in.WriteV1, WriteV2: in.WriteV2, Query: questions.ServeHTTP, Ping: in.Ping, Health: in.Health},
		Sync:   kept.sync, Pace: in.Pace, MQTT: r.down.Handler(), Broker: cmp.Or(c.MQTT.Public, c.MQTT.Broker),
		Metrics: samples.fill, OpenMetrics: c.Web.OpenMetrics, Version: o.Version, Log: o.Log,
	})
	r.door = front{certificates: certificates, site: tell.site, watched: passing, log: o.Log}
	return r, nil
}

// run opens the doors to the world, and works until ctx ends.
func (r *rooms) run(ctx context.Context, c Config, o Options) error {
	group, ctx := errgroup.WithContext(ctx)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Web.Listen)
	if err != nil {
		return fmt.Errorf("listening for HTTP (web.listen): %w", err)
	}
	if err := errors.Join(r.down.Listen(ctx), r.copies.Listen(ctx), firstLink(ctx, r.books, listener.Addr().String(), c, o)); err != nil {
		return errors.Join(err, listener.Close())
	}
	group.Go(func() error { return r.door.serve(ctx, listener) })
	group.Go(func() error { return r.door.serveUnencrypted(ctx, c.Web) })
	group.Go(func() error { return watchdog(ctx, r.books, r.kept.store, o.Log) })
	for _, run := range []func(context.Context) error{r.copies.Serve, r.down.Run, r.homes.Run, r.persons.Run, r.told.run, r.works.Run, r.kept.run} {
		group.Go(func() error { return run(ctx) })
	}
	o.Ready(listener.Addr().String())
	return group.Wait()
}

// OpenAccounts opens the accounts alone, as the commands beside `run` do while the receiver runs.
func OpenAccounts(ctx context.Context, c Config, log *slog.Logger) (*accounts.Accounts, error) {
	if err := archive.Finished(c.Data); err != nil {
		return nil, err
	}
	database := c.Accounts.Database
	if c.Accounts.DatabaseFile != "" {
		var err error
		if database, err = settings.Secret(c.Accounts.DatabaseFile, log); err != nil {
			return nil, fmt.Errorf("accounts.database_file: %w", err)
		}
	}
	return accounts.Open(ctx, accounts.Options{Database: database, Dir: c.Data})
}

func newDownlink(c Config, books *accounts.Accounts, homes *fleet.Fleet, direct downlink.Direct, certificates *certs.Certificates, watched *watched, tell *herald, log *slog.Logger) (*downlink.Downlink, error) {
	o := downlink.Options{
		Accounts: books, Device: homes.Device, Online: homes.Online, Reading: homes.Live, Direct: direct, Log: log,
		Changed: func(home string, r hearth.Record) {
			homes.Command(home, r)
			watched.command(r)
			tell.home(home, api.EventCommand, r)
		},
		Elsewhere: func(home string, r hearth.Record) {
			homes.Command(home, r)
			tell.elsewhere(home, api.EventCommand, r)
		},
		Event: func(home, kind string, payload []byte) {
			if err := gatewayEvent(homes, home, kind, payload); err != nil {
				log.Warn("an event of a gateway was passed over", "home", home, "kind", kind, "err", err)
			}
		},
	}
	if c.MQTT.Broker == "" {
		o.Embedded = &downlink.Embedded{Listen: c.MQTT.Listen}
		if c.MQTT.TLS {
			o.Embedded.TLS = certificates.Plain()
		}
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

func newPeople(c Config, books *accounts.Accounts, kept *readings, auth *api.Auth, mail notify.Mail, changed func(accounts.Home, string), log *slog.Logger) *people.People {
	o := people.Options{
		Accounts: books, Auth: auth, Address: web.ClientAddress, URL: c.Web.Public, Log: log,
		Erase: kept.erasing.home,
		Changed: func(h accounts.Home, change string) {
			if change == hearth.HomeRemoved {
				kept.homes.Remove(h.ID)
			}
			changed(h, change)
		},
		Readings: func(ctx context.Context, home string, w io.Writer) error {
			return archive.Export(ctx, w, kept.store, home)
		},
	}
	if mail.Host != "" {
		o.Mail = mail.Send
	}
	return people.New(o)
}

// errUnsure is all that somebody is told who may or may not be known.
var errUnsure = errors.New("the accounts cannot be looked at just now: try again in a moment")

func newAuth(books *accounts.Accounts, log *slog.Logger) *api.Auth {
	type find = func(context.Context, string) (hearth.Token, bool, error)
	told := func(find find) find {
		return func(ctx context.Context, secret string) (hearth.Token, bool, error) {
			token, ok, err := find(ctx, secret)
			if err != nil && ctx.Err() == nil {
				log.Error("a token could not be looked up", "err", err)
				err = errUnsure
			}
			return token, ok, err
		}
	}
	return api.NewAuth(api.AuthOptions{
		Find: told(books.Find), Session: told(books.Session),
		Cookie: web.CookieName, Address: web.ClientAddress, Narrow: web.Narrow(books), Denied: web.Denied(books),
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
