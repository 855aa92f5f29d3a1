// Package web is the receiver's HTTP: the REST interface, live events, InfluxDB's paths, and the pages.
package web

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// CookieName is the receiver's session cookie. A gateway's has another name: cookies do not know ports.
const CookieName = "hearth_cloud"

// Fleet is what is known of the homes.
type Fleet interface {
	Homes(homes []accounts.Home) []hearth.HomeView
	Details(ctx context.Context, home string) (hearth.HomeDetails, error)
	Devices(home string) []hearth.DeviceView
	Pace(home string) time.Duration // until the home may send its inventory
	Put(ctx context.Context, home string, devices []hearth.DeviceView) error
}

// Direct takes what devices without a gateway say. Once Announce or Report returns nil, it is durable.
type Direct interface {
	Announce(ctx context.Context, home string, id hearth.ID, a hearth.Announcement) (hearth.DeviceView, error)
	Report(ctx context.Context, token hearth.Token, home string, readings []hearth.DirectReading) error
	Forget(ctx context.Context, home string, id hearth.ID) error
}

// Series are the homes' readings: *series.Store, or one that has old ones elsewhere.
type Series interface {
	History(home, series, field string, from, to time.Time, points int) (hearth.History, error)
	Points(home, series, field string, from, to time.Time, each func(t int64, v hearth.Value) bool) error
	Ledger(home string, from, to time.Time) (series.LedgerReport, error)
	Sync(home string) (hearth.Sync, error)
}

// Commands are the homes' commands. Wait returns a command when it is final, or as it is when ctx ends.
type Commands interface {
	Do(ctx context.Context, home string, cmd hearth.Command, audit accounts.AuditEntry) (hearth.Record, error)
	Wait(ctx context.Context, home, id string) (hearth.Record, error)
	Commands(ctx context.Context, home string, device hearth.ID, state hearth.State) ([]hearth.Record, error)
	After(ctx context.Context, home string, after uint64) ([]hearth.Numbered, error)
}

// Influx are InfluxDB's own paths.
type Influx struct {
	WriteV1, WriteV2, Query, Ping, Health http.HandlerFunc
}

// Options are what a Web is made of.
type Options struct {
	Accounts *accounts.Accounts
	Series   Series
	Fleet    Fleet
	Commands Commands
	Direct   Direct // nil: there are no devices without a gateway
	Influx   Influx
	More     []api.Route                                                 // of other rooms
	People   People                                                      // nil: nobody signs in, tokens are all there is
	Sync     func(ctx context.Context, home string) (hearth.Sync, error) // up to where a home's batches are durable; nil: as Series says
	Pace     func(home string, answer http.Header)                       // tells a gateway that asks how far the receiver is how fast to go on; nil: it may as it likes
	MQTT     http.Handler                                                // MQTT over WebSocket; nil where gateways use another broker
	Broker   string                                                      // that broker's address, as gateways reach it; "" for this receiver's own

	Auth        *api.Auth
	Added       func(accounts.Home) // is told of homes that are new; nil: nobody is
	Metrics     func(*api.Metrics)  // samples
	OpenMetrics bool                // /metrics needs no token
	Version     string
	Now         func() time.Time // nil: time.Now
	Log         *slog.Logger
}

// A Web serves the receiver's HTTP. It answers as soon as it is made; Close ends the live streams.
type Web struct {
	o        Options
	hubs     *hubs
	claims   *api.Throttle
	handler  http.Handler
	document []byte // OpenAPI
}

// New returns a Web.
func New(o Options) *Web {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sync == nil {
		o.Sync = func(_ context.Context, home string) (hearth.Sync, error) { return o.Series.Sync(home) }
	}
	w := &Web{o: o, hubs: newHubs(o.Now), claims: api.NewThrottle(claimTries, time.Minute, o.Now)}
	w.handler = w.timed(api.Guard(o.Log, w.routes()))
	return w
}

// ServeHTTP implements http.Handler.
func (w *Web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/mqtt" && w.o.MQTT != nil {
		w.o.MQTT.ServeHTTP(rw, r) // it takes the connection over, which nothing around it must hinder
		return
	}
	w.handler.ServeHTTP(rw, r)
}

// Publish tells those who watch a home of something that happened; see package api for the kinds. It never blocks.
func (w *Web) Publish(home, kind string, body any) { w.hubs.publish(home, kind, body) }

// PublishTenant is Publish for those who watch a tenant as a whole.
func (w *Web) PublishTenant(tenant, kind string, body any) {
	w.hubs.publish(tenantHub(tenant), kind, body)
}

// tenantHub names a tenant's events among those of homes, whose ids have no slash.
func tenantHub(tenant string) string { return "tenants/" + tenant }

// Close ends all live streams and refuses new ones: a server that shuts down waits for them.
func (w *Web) Close() { w.hubs.close() }

// routes puts the table, InfluxDB's paths and the pages onto one router.
func (w *Web) routes() http.Handler {
	mux := http.NewServeMux()
	table := w.table()
	w.document = table.Document()
	table.Mount(mux, w.o.Auth)
	metrics := api.ServeMetrics(w.o.Metrics)
	if !w.o.OpenMetrics {
		metrics = w.o.Auth.Need(hearth.ScopeRead, unbound(metrics))
	}
	mux.Handle("GET /metrics", metrics)
	mux.Handle("POST /write", w.o.Influx.WriteV1)
	mux.Handle("POST /api/v2/write", w.o.Influx.WriteV2)
	mux.Handle("GET /query", w.o.Influx.Query)
	mux.Handle("POST /query", w.o.Influx.Query)
	mux.Handle("GET /ping", w.o.Influx.Ping)
	mux.Handle("GET /health", w.o.Influx.Health)
	mux.Handle("GET /problems/", api.Problems())
	mux.Handle("GET /openapi.json", http.RedirectHandler("/api/v1/openapi.json", http.StatusPermanentRedirect))
	w.mountPages(mux)
	w.mountPeople(mux)
	return api.Routed(mux)
}

// unbound lets only those through who see everything: what is behind it tells of all homes.
func unbound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if token := api.TokenOf(r.Context()); token.In("", "") == "" {
			api.Fail(rw, r, hearth.Errorf(hearth.CodeDenied, "%s does not see all homes, and this tells of all of them", token.Name))
			return
		}
		next.ServeHTTP(rw, r)
	})
}

// timed gives every answer the receiver's clock, as late as can be: a gateway without one of its own goes by it.
func (w *Web) timed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&timedWriter{ResponseWriter: rw, now: w.o.Now}, r)
	})
}

type timedWriter struct {
	http.ResponseWriter
	now     func() time.Time
	started bool
}

func (w *timedWriter) WriteHeader(status int) {
	if !w.started && status >= 200 {
		w.started = true
		w.Header().Set(hearth.HeaderTime, strconv.FormatInt(w.now().UnixMilli(), 10))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *timedWriter) Write(b []byte) (int, error) {
	if !w.started {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ClientAddress is who is asking, for throttles: the connection's address, or what a proxy on this machine says it is.
func ClientAddress(r *http.Request) string {
	address := api.RemoteAddress(r)
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	ip, parseErr := netip.ParseAddr(peer)
	if err != nil || parseErr != nil || !ip.IsLoopback() {
		return address
	}
	forwarded := r.Header.Values("X-Forwarded-For")
	if len(forwarded) == 0 {
		return address
	}
	all := strings.Split(forwarded[len(forwarded)-1], ",")
	last, err := netip.ParseAddr(strings.TrimSpace(all[len(all)-1]))
	if err != nil {
		return address
	}
	copied := *r
	copied.RemoteAddr = netip.AddrPortFrom(last, 0).String()
	return api.RemoteAddress(&copied)
}
