// Package web is the gateway's HTTP: the REST interface, live events and the page.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"hearth"
	"hearth/api"
	"hearth/edge/home"
)

// CookieName is the gateway's session cookie. The receiver's has another name: cookies do not know ports.
const CookieName = "hearth_edge"

// Options are what a Web is made of. All but Home and Tokens may be missing.
type Options struct {
	Home   *home.Home
	Tokens func(secret string) (hearth.Token, bool)

	History       func(device hearth.ID, property string, from, to time.Time, points int) (hearth.History, error) // the buffer's
	Status        func() Status
	Drivers       func() []DriverStatus
	DriverHandler func(name string) http.Handler // what a driver adds of its own; nil if nothing
	HomeKit       http.Handler                   // the Apple bridge's own; nil: there is none
	Now           func() time.Time               // the gateway's clock, trusted or not; nil: the system's
	Metrics       func(*api.Metrics)             // further samples

	OpenMetrics bool   // /metrics needs no token
	Version     string // of the program
	TokenHint   string // the command that makes a token, for the page that says how to get in
	Log         *slog.Logger
}

// A Web serves the gateway's HTTP. It answers as soon as it is made; live events flow while Run runs.
type Web struct {
	o        Options
	hub      *api.Hub
	auth     *api.Auth
	handler  http.Handler
	started  time.Time
	happened *home.Subscription // from the beginning: nothing that happens before Run is missed

	document []byte // OpenAPI

	life context.Context // ends with Run: who waits for a command is answered then
	end  context.CancelFunc
}

// New returns a Web.
func New(o Options) *Web {
	w := &Web{o: withDefaults(o), started: time.Now(), happened: o.Home.Subscribe(1024)}
	w.life, w.end = context.WithCancel(context.Background())
	w.hub = api.NewHub(api.HubOptions{})
	w.auth = api.NewAuth(api.AuthOptions{Find: w.find, Cookie: CookieName, Hint: w.o.TokenHint})
	w.handler = api.Guard(w.o.Log, w.routes())
	return w
}

func (w *Web) find(_ context.Context, secret string) (hearth.Token, bool, error) {
	token, ok := w.o.Tokens(secret)
	return token, ok, nil
}

func withDefaults(o Options) Options {
	if o.History == nil {
		o.History = func(hearth.ID, string, time.Time, time.Time, int) (hearth.History, error) {
			return hearth.History{Points: []hearth.Bucket{}, Gaps: []hearth.Gap{}}, nil
		}
	}
	if o.Drivers == nil {
		o.Drivers = func() []DriverStatus { return nil }
	}
	if o.Status == nil {
		o.Status = func() Status { return Status{} }
	}
	if o.DriverHandler == nil {
		o.DriverHandler = func(string) http.Handler { return nil }
	}
	if o.Metrics == nil {
		o.Metrics = func(*api.Metrics) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TokenHint == "" {
		o.TokenHint = "hearth-edge token add -config /etc/hearth/edge.yaml -name phone -scope control"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// ServeHTTP implements http.Handler.
func (w *Web) ServeHTTP(rw http.ResponseWriter, r *http.Request) { w.handler.ServeHTTP(rw, r) }

// Run feeds live events until ctx ends, then ends all streams and whoever waits for a command. It runs once.
func (w *Web) Run(ctx context.Context) error {
	defer w.hub.Close()
	defer w.end()
	defer w.happened.Close()
	watch := newStatusWatch(w.status)
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-w.happened.C():
			w.publish(e)
		case <-tick.C:
			if w.hub.Clients() > 0 {
				if status, news := watch.look(); news {
					w.hub.Publish(api.NewEvent(api.EventStatus, "", "", status))
				}
			}
		}
		if w.happened.Lost() {
			w.hub.Reset()
		}
	}
}

func (w *Web) publish(e home.Event) {
	switch {
	case e.Forgotten != "":
		w.hub.Publish(api.NewEvent(api.EventDevice, "", e.Forgotten, hearth.Forgotten{ID: e.Forgotten, Forgotten: true}))
	case e.Kind == home.KindDevice:
		w.hub.Publish(api.NewEvent(api.EventDevice, "", e.Device.ID, e.Device))
	case e.Kind == home.KindReading:
		r := e.Reading
		w.hub.Publish(api.NewEvent(api.EventReading, "", r.Device, hearth.ReadingEvent{
			Device: r.Device, Property: r.Property, Value: r.Value, Time: hearth.Time{Time: r.Time},
		}))
	case e.Kind == home.KindCommand:
		w.hub.Publish(api.NewEvent(api.EventCommand, "", e.Command.Device, e.Command))
	}
}

// routes puts the table, the page and the files of the page onto one router.
func (w *Web) routes() http.Handler {
	mux := http.NewServeMux()
	table := w.table()
	w.document = table.Document()
	table.Mount(mux, w.auth)
	w.mountDrivers(mux)
	w.mountMetrics(mux)
	// The interface is written down as below /api/v1, and these are where their kind is looked for as well.
	mux.Handle("GET /api/v1/healthz", http.RedirectHandler("/healthz", http.StatusPermanentRedirect))
	mux.Handle("GET /api/v1/metrics", http.RedirectHandler("/metrics", http.StatusPermanentRedirect))
	mux.Handle("GET /api/openapi.json", http.RedirectHandler("/api/v1/openapi.json", http.StatusPermanentRedirect))
	mux.Handle("GET /api/v1/homekit/{$}", http.RedirectHandler("/api/v1/homekit", http.StatusPermanentRedirect))
	mux.Handle("GET /static/", api.Assets(pageFiles()))
	mux.Handle("GET /problems/", api.Problems())
	mux.Handle("GET /{$}", w.auth.Page(hearth.ScopeRead, http.HandlerFunc(w.page)))
	return api.Routed(mux)
}
