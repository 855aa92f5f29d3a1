package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/edge/home"
	"hearth/edge/homekit"
)

// sink keeps the readings and answers histories from them.
type sink struct {
	mu   sync.Mutex
	rows []hearth.Reading
}

func (s *sink) Append(rs ...hearth.Reading) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, rs...)
	return nil
}

func (s *sink) Urgent() {}

func (s *sink) history(device hearth.ID, property string, from, to time.Time, points int) (hearth.History, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := hearth.NewDownsampler(from, to, points)
	for _, r := range s.rows {
		if r.Device == device && r.Property == property {
			d.Add(r.Time, r.Value)
		}
	}
	gaps := []hearth.Gap{}
	if property == "temperature" {
		now := time.Now()
		gaps = append(gaps, hearth.Gap{From: hearth.Time{Time: now.Add(-5 * time.Hour)}, To: hearth.Time{Time: now.Add(-4 * time.Hour)}, Count: 240, Reason: hearth.GapCap})
	}
	return hearth.History{Points: d.Points(), Gaps: gaps}, nil
}

// house is a gateway's home with a driver "toy" that carries commands out at once, behind a real server.
type house struct {
	*httptest.Server
	web  *Web
	home *home.Home
	toy  hearth.Home
	sink *sink
	log  *bytes.Buffer

	mu      sync.Mutex
	outcome func(hearth.Command) error // what the toy answers; nil: it does as it is told, and reports
}

const (
	readToken    = "hearth_READ"
	controlToken = "hearth_CONTROL"
	adminToken   = "hearth_ADMIN"
	writeToken   = "hearth_WRITE"
)

func tokens(secret string) (hearth.Token, bool) {
	scope, ok := map[string]hearth.Scope{
		readToken: hearth.ScopeRead, controlToken: hearth.ScopeControl, adminToken: hearth.ScopeAdmin, writeToken: hearth.ScopeWrite,
	}[secret]
	return hearth.Token{Name: string(scope) + "-token", Scope: scope}, ok
}

func newHouse(t *testing.T, change func(*Options)) *house {
	t.Helper()
	h := &house{sink: &sink{}, log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(&lockedWriter{w: io.MultiWriter(h.log, t.Output())}, nil))
	var err error
	h.home, err = home.Open(home.Options{
		Devices: drivertest.NewStore(), Values: drivertest.NewStore(), Commands: drivertest.NewStore(), Sink: h.sink, Log: log,
		Now: func() (time.Time, bool) { return time.Now(), true },
	})
	if err != nil {
		t.Fatal(err)
	}
	h.toy = h.home.Attach("toy", "sim", h.do)
	h.home.Running("toy", true)
	o := Options{
		Home: h.home, Tokens: tokens, History: h.sink.history, Status: exampleStatus, Version: "1.2.3", Log: log,
		DriverHandler: func(name string) http.Handler {
			if name != "toy" {
				return nil
			}
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+r.Header.Get("Cookie"))
			})
		},
	}
	apple, err := homekit.New(homekit.Options{Home: h.home, Store: drivertest.NewStore(), Name: "Cabin", Listen: "127.0.0.1:0", PIN: "031-45-154", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	o.HomeKit = apple
	if change != nil {
		change(&o)
	}
	h.web = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = h.home.Run(ctx) })
	running.Go(func() { _ = h.web.Run(ctx) })
	running.Go(func() { _ = apple.Run(ctx) })
	h.Server = httptest.NewServer(h.web)
	t.Cleanup(func() { cancel(); running.Wait(); h.Close() })
	return h
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func exampleStatus() Status {
	return Status{
		Home: "Cabin", Clock: ClockStatus{Trusted: true, Source: "cloud"},
		Drivers: []DriverStatus{{Name: "toy", Type: "sim", State: "running", Since: hearth.Time{Time: time.Now().Add(-time.Hour)}}},
		Buffer:  BufferStatus{Produced: 12345, Bytes: 20 << 20, Cap: 512 << 20, Oldest: hearth.Time{Time: time.Now().Add(-80 * time.Hour)}},
		Targets: []TargetStatus{{Name: "cloud", State: "connected", Acknowledged: 12000, Backlog: 345, LastAcknowledged: hearth.Time{Time: time.Now().Add(-4 * time.Second)}}},
		Disk:    DiskStatus{Written: 7 << 20, PerDay: 43 << 20},
	}
}

func (h *house) answer(f func(hearth.Command) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outcome = f
}

func (h *house) do(_ context.Context, cmd hearth.Command) error {
	h.mu.Lock()
	outcome := h.outcome
	h.mu.Unlock()
	if outcome != nil {
		return outcome(cmd)
	}
	for name, v := range cmd.Set {
		h.report(cmd.Device, name, v)
	}
	return nil
}

func (h *house) report(id hearth.ID, property string, v hearth.Value) {
	h.toy.Report(hearth.Reading{Device: id, Property: property, Value: v, Time: time.Now()})
}

const (
	lamp  = hearth.ID("toy:lamp")
	meter = hearth.ID("toy:meter")
)

func word(name string) hearth.Property { p, _ := hearth.Word(name); return p }

// furnish announces a lamp and a meter.
func (h *house) furnish() {
	h.toy.Announce(hearth.Device{ID: lamp, Name: "Lamp", Type: "light", Vendor: "Acme", Model: "L1", Properties: []hearth.Property{
		word("on").AsWritable(), word("brightness").AsWritable(), word("color_temperature").AsWritable().Within(2200, 6500), word("identify"), word("link_quality"),
	}})
	h.toy.Announce(hearth.Device{ID: meter, Name: "Meter", Type: "meter", Properties: []hearth.Property{word("power"), word("energy"), word("button")}})
	h.report(lamp, "on", hearth.BoolOf(false))
	h.report(lamp, "brightness", hearth.NumberOf(40))
	h.report(lamp, "color_temperature", hearth.NumberOf(2700))
	h.report(lamp, "link_quality", hearth.NumberOf(180))
	h.report(meter, "power", hearth.NumberOf(431.5))
	h.report(meter, "energy", hearth.NumberOf(1234.567))
}

// furnishMore makes a whole flat, with a day of temperatures.
func (h *house) furnishMore(t *testing.T) {
	h.furnish()
	type thing struct {
		id, name, room string
		typ            hearth.Type
		properties     []hearth.Property
		values         map[string]hearth.Value
	}
	on, num, text := hearth.BoolOf, hearth.NumberOf, hearth.TextOf
	things := []thing{
		{"toy:room", "Window sensor with quite a long name", "Living room", "sensor", []hearth.Property{word("temperature"), word("humidity"), word("co2"), word("battery"), word("battery_voltage"), word("link_quality")},
			map[string]hearth.Value{"temperature": num(21.4), "humidity": num(43), "co2": num(812), "battery": num(87), "link_quality": num(133)}},
		{"toy:heat", "Radiator", "Living room", "thermostat", []hearth.Property{word("target_temperature").AsWritable(), word("temperature"), word("hvac_mode").AsWritable(), word("hvac_action")},
			map[string]hearth.Value{"target_temperature": num(21), "temperature": num(20.6), "hvac_mode": text("heat"), "hvac_action": text("heating")}},
		{"toy:blind", "Blind", "Bedroom", "cover", []hearth.Property{word("position").AsWritable(), word("movement")}, map[string]hearth.Value{"position": num(70)}},
		{"toy:plug", "Coffee machine", "Kitchen", "outlet", []hearth.Property{word("on").AsWritable(), word("power"), word("energy")}, map[string]hearth.Value{"on": on(true), "power": num(1180), "energy": num(88.21)}},
		{"toy:leak", "Under the sink", "Kitchen", "sensor", []hearth.Property{word("water_leak"), word("battery"), word("battery_low")}, map[string]hearth.Value{"water_leak": on(true), "battery": num(11), "battery_low": on(true)}},
		{"toy:move", "Hallway", "Hallway", "sensor", []hearth.Property{word("occupancy"), word("illuminance")}, map[string]hearth.Value{"occupancy": on(true), "illuminance": num(120)}},
		{"toy:door", "Front door", "Hallway", "lock", []hearth.Property{word("lock").AsWritable(), word("open")}, map[string]hearth.Value{"lock": text("locked"), "open": on(false)}},
		{"toy:remote", "Remote", "Hallway", "button", []hearth.Property{word("button_1"), word("button_2")}, nil},
		{"toy:stick", "Zigbee stick", "", "coordinator", []hearth.Property{word("pairing").AsWritable()}, map[string]hearth.Value{"pairing": num(0)}},
	}
	now := time.Now()
	for m := 26 * 60; m > 0; m-- {
		if m > 4*60 && m < 5*60 || m > 13*60 && m < 15*60 {
			continue
		}
		at := now.Add(-time.Duration(m) * time.Minute)
		v := 20 + 3*math.Sin(float64(m)/200) + 0.4*math.Sin(float64(m)*1.7)
		h.toy.Report() // nothing is nothing
		h.sink.rows = append(h.sink.rows, hearth.Reading{Device: "toy:room", Property: "temperature", Value: num(v), Time: at},
			hearth.Reading{Device: "toy:plug", Property: "on", Value: on(m/90%2 == 0), Time: at})
	}
	for _, thing := range things {
		h.toy.Announce(hearth.Device{ID: hearth.ID(thing.id), Name: thing.name, Type: thing.typ, Properties: thing.properties})
		for name, v := range thing.values {
			h.report(hearth.ID(thing.id), name, v)
		}
		if _, err := h.home.Rename(hearth.ID(thing.id), nil, &thing.room); err != nil {
			t.Fatal(err)
		}
	}
}

// ask sends a request and returns the status, the body and the headers.
func (h *house) ask(t *testing.T, method, path, token, body string) (int, []byte, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return send(t, r)
}

func send(t *testing.T, r *http.Request) (int, []byte, http.Header) {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	reply, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, data, reply.Header
}

func read[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}
