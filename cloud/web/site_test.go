package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/downlink"
	"hearth/cloud/fleet"
	"hearth/cloud/influxql"
	"hearth/cloud/ingest"
	"hearth/cloud/series"
	"hearth/cloud/web"
)

// A site is a receiver of all its real parts behind a real server, with tokens of each sort.
type site struct {
	*httptest.Server
	books          *accounts.Accounts
	fleet          *fleet.Fleet
	admin, read    string // secrets
	web            *web.Web
	statusReceived chan string // homes whose gateway's status arrived
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{statusReceived: make(chan string, 16)}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	books, err := accounts.Open(ctx, accounts.Options{Dir: t.TempDir()})
	must(t, err)
	store, err := series.Open(t.TempDir(), series.Options{Log: log})
	must(t, err)
	publish := func(home, kind string, body any) {
		if s.web != nil {
			s.web.Publish(home, kind, body)
		}
	}
	s.books = books
	s.fleet, err = fleet.Open(ctx, fleet.Options{Accounts: books, Last: store.Last, Emit: publish, Log: log})
	must(t, err)
	down := downlink.New(downlink.Options{
		Accounts: books, Device: s.fleet.Device, Online: s.fleet.Online, Reading: s.fleet.Live, Embedded: &downlink.Embedded{}, Log: log,
		Changed: func(home string, r hearth.Record) { s.fleet.Command(home, r); publish(home, api.EventCommand, r) },
		Event: func(home, _ string, payload []byte) {
			if err := s.fleet.Status(home, payload); err != nil {
				t.Error(err)
			}
			s.statusReceived <- home
		},
	})
	s.web = s.serve(store, down, log)
	must(t, down.Listen(ctx))
	for _, run := range []func(context.Context) error{down.Run, s.fleet.Run, store.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	s.Server = httptest.NewServer(s.web)
	t.Cleanup(func() {
		s.web.Close()
		cancel()
		running.Wait()
		s.Close()
		must(t, store.Close())
		must(t, books.Close())
	})
	s.admin, s.read = s.token(t, "boss", hearth.ScopeAdmin, ""), s.token(t, "guest", hearth.ScopeRead, "")
	return s
}

func (s *site) serve(store *series.Store, down *downlink.Downlink, log *slog.Logger) *web.Web {
	auth := api.NewAuth(api.AuthOptions{
		Cookie: web.CookieName, Hint: "hearth-cloud token add", Narrow: web.Narrow(s.books),
		Find: s.books.Find,
	})
	in := ingest.New(ingest.Options{
		Store: store, Accounts: s.books, Check: auth.Check, Log: log,
		Live: func(a ingest.Arrival) {
			left := uint64(0)
			if a.Ledger != nil {
				left = a.Ledger.Backlog - min(a.Rows, a.Ledger.Backlog)
			}
			s.fleet.Arrived(a.Home, a.Readings, a.Gaps, &left)
		},
	})
	return web.New(web.Options{
		Accounts: s.books, Series: store, Fleet: s.fleet, Commands: down, Auth: auth, MQTT: down.Handler(), Version: "1.2.3", Log: log,
		Influx:  web.Influx{WriteV1: in.WriteV1, WriteV2: in.WriteV2, Query: influxql.New(influxql.Options{Source: store, Homes: s.books, Admit: in.Admit}).ServeHTTP, Ping: in.Ping, Health: in.Health},
		Metrics: func(*api.Metrics) {},
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *site) token(t *testing.T, name string, scope hearth.Scope, home string) string {
	t.Helper()
	secret, err := s.books.AddToken(t.Context(), hearth.Token{Name: name, Scope: scope, Home: home})
	must(t, err)
	return secret
}

// ask sends a request and returns the reply, whose body is read.
func (s *site) ask(t *testing.T, method, path, token, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	must(t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	reply, err := client.Do(r)
	must(t, err)
	defer reply.Body.Close()
	data, err := io.ReadAll(reply.Body)
	must(t, err)
	return reply, string(data)
}

// A gateway is a home's, as far as the receiver can tell.
type gateway struct {
	hearth.Claim
	site   *site
	client mqtt.Client
	epoch  hearth.BatchID
	rows   uint64

	mu     sync.Mutex
	answer func(hearth.Command) *hearth.Error // nil: it does as it is told
}

// join makes a home with a claimed gateway, which is not connected yet.
func (s *site) join(t *testing.T, name string) *gateway {
	t.Helper()
	_, code, err := s.books.AddHome(t.Context(), "", name)
	must(t, err)
	g := &gateway{site: s, epoch: hearth.BatchID{Epoch: "e"}}
	g.Claim, err = s.books.Claim(t.Context(), code.Secret)
	must(t, err)
	return g
}

// connect opens the session for commands and live values.
func (g *gateway) connect(t *testing.T) {
	t.Helper()
	opts := mqtt.NewClientOptions().AddBroker("ws"+strings.TrimPrefix(g.site.URL, "http")+"/mqtt").SetClientID("g").
		SetUsername(g.TokenName).SetPassword(g.Token).SetOrderMatters(false).SetAutoReconnect(false).SetWill(hearth.TopicOnline(g.Home), "false", 1, true)
	g.client = mqtt.NewClient(opts)
	g.wait(t, g.client.Connect())
	t.Cleanup(g.leave)
	g.wait(t, g.client.Subscribe(hearth.TopicDo(g.Home), 1, func(_ mqtt.Client, m mqtt.Message) { g.carry(t, m.Payload()) }))
}

func (g *gateway) leave() {
	if g.client != nil {
		g.client.Disconnect(100)
		g.client = nil
	}
}

func (g *gateway) wait(t *testing.T, token mqtt.Token) {
	t.Helper()
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Errorf("MQTT: %v", token.Error())
	}
}

func (g *gateway) publish(t *testing.T, topic string, body any) {
	t.Helper()
	payload, err := json.Marshal(body)
	must(t, err)
	g.wait(t, g.client.Publish(topic, 1, false, payload))
}

func (g *gateway) carry(t *testing.T, payload []byte) {
	var cmd hearth.Command
	if err := json.Unmarshal(payload, &cmd); err != nil {
		t.Error(err)
		return
	}
	result := hearth.Result{ID: cmd.ID, State: hearth.Confirmed, Final: true}
	g.mu.Lock()
	answer := g.answer
	g.mu.Unlock()
	if answer != nil {
		if result.Error = answer(cmd); result.Error != nil {
			result.State = hearth.Failed
		}
	}
	if result.Error == nil {
		for name, v := range cmd.Set {
			g.report(t, cmd.Device, name, v)
		}
	}
	now := hearth.Time{Time: time.Now()}
	result.History = []hearth.Step{{State: hearth.Accepted, Time: now}, {State: hearth.Sent, Time: now}, {State: result.State, Time: now}}
	g.publish(t, hearth.TopicDone(g.Home), result)
}

// answers says what becomes of commands from now on.
func (g *gateway) answers(f func(hearth.Command) *hearth.Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = f
}

// report tells of a value as it happens.
func (g *gateway) report(t *testing.T, device hearth.ID, property string, v hearth.Value) {
	t.Helper()
	g.publish(t, hearth.TopicReading(g.Home, device, property), hearth.LiveReading{Value: v, Time: hearth.Time{Time: time.Now()}})
}

// status tells of the gateway itself.
func (g *gateway) status(t *testing.T, driver, why string) {
	t.Helper()
	now := time.Now().UTC().Format(hearth.TimeForm)
	g.publish(t, hearth.TopicEvent(g.Home, api.EventStatus), json.RawMessage(fmt.Sprintf(`{"version":"2.0.1","uptime_s":7200,"home":"x","clock":{"trusted":true,"source":"cloud","now":%q},
		"drivers":[{"name":"toy","type":"sim","state":%q,"error":%q,"since":%q}],"buffer":{"produced":99,"bytes":4096,"cap":536870912,"oldest":%q},
		"targets":[{"name":"cloud","state":"connected","acknowledged":90,"dropped":0,"backlog":9,"last_acknowledged":%q,"error":""}],"disk":{"written_bytes":700000,"per_day_bytes":43000000}}`,
		now, driver, why, now, now, now)))
	select {
	case <-g.site.statusReceived:
	case <-time.After(10 * time.Second):
		t.Error("the status does not arrive")
	}
}

const (
	lamp  = hearth.ID("toy:lamp")
	room  = hearth.ID("toy:room")
	title = "Cabin by the \"lake\" & <wood>"
)

func property(name string, writable bool, v hearth.Value, at time.Time) hearth.PropertyView {
	word, _ := hearth.Word(name)
	if writable {
		word = word.AsWritable()
	}
	return hearth.PropertyView{Property: word, Value: &v, Time: hearth.Time{Time: at}}
}

// devices sends an inventory of a lamp and a sensor.
func (g *gateway) devices(t *testing.T, on bool, reachable bool) {
	t.Helper()
	now := time.Now().UTC()
	views := []hearth.DeviceView{
		{ID: lamp, Name: "Lamp", Room: "Hall", Type: "light", Driver: "toy", DriverType: "sim", Vendor: "Acme", Model: "L1", Reachable: true, LastSeen: hearth.Time{Time: now}, Properties: []hearth.PropertyView{
			property("on", true, hearth.BoolOf(on), now), property("brightness", true, hearth.NumberOf(40), now),
		}},
		{ID: room, Name: "Room", Room: "Hall", Type: "sensor", Driver: "toy", DriverType: "sim", Reachable: reachable, LastSeen: hearth.Time{Time: now}, Properties: []hearth.PropertyView{
			property("temperature", false, hearth.NumberOf(21.5), now),
		}},
	}
	body, err := json.Marshal(views)
	must(t, err)
	if reply, text := g.site.ask(t, "PUT", "/api/v1/homes/"+g.Home+"/devices", g.Token, string(body)); reply.StatusCode != http.StatusNoContent {
		t.Fatalf("the inventory: %d %s", reply.StatusCode, text)
	}
}

// upload sends readings of the room, and gaps, as one batch. Of what the gateway says it produced, missing arrive nowhere.
func (g *gateway) upload(t *testing.T, readings []hearth.Reading, gaps []hearth.Gap, backlog, dropped, missing uint64) {
	t.Helper()
	lines, err := hearth.AppendLines(nil, readings, "")
	must(t, err)
	for _, gap := range gaps {
		lines = hearth.AppendGap(lines, gap, "")
	}
	rows := uint64(len(readings))
	account := hearth.Ledger{Produced: g.rows + rows + backlog + dropped + missing, Backlog: rows + backlog, Dropped: dropped, Durable: g.epoch.Seq}
	g.epoch.Seq++
	g.rows += rows
	reply, text := g.site.ask(t, "POST", "/api/v2/write?precision=ms", g.Token, string(bytes.TrimSpace(lines)),
		hearth.HeaderBatch, g.epoch.String(), hearth.HeaderLedger, account.String())
	if reply.StatusCode != http.StatusNoContent {
		t.Fatalf("a batch: %d %s", reply.StatusCode, text)
	}
}
