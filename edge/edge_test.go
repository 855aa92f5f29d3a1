package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearth"
	"hearth/edge/tokens"
	"hearth/edge/web"
)

// A running gateway, in this process.
type running struct {
	t      *testing.T
	base   string
	token  string
	log    *log
	file   string
	reload chan os.Signal
	cancel context.CancelFunc
	done   chan error
}

type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs a gateway on a free port until it is ready. A token named test is made for it.
func start(t *testing.T, data, more string) *running {
	t.Helper()
	r := &running{t: t, log: &log{}, file: filepath.Join(t.TempDir(), "edge.yaml"), reload: make(chan os.Signal, 1), done: make(chan error, 1)}
	r.configure(data, more)
	cfg, err := LoadConfig(r.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.EnsureData(); err != nil {
		t.Fatal(err)
	}
	file, err := tokens.Open(cfg.file(TokensFile))
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Remove("test")
	if r.token, err = file.Add("test", hearth.ScopeAdmin); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	ready := make(chan struct{})
	handler := slog.NewTextHandler(r.log, nil)
	go func() {
		r.done <- Run(ctx, cfg, Options{Version: "test", Log: slog.New(handler), Reload: r.reload, Ready: func() { close(ready) }})
	}()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			t.Logf("the log:\n%s", r.log)
		}
	})
	select {
	case <-ready:
	case err := <-r.done:
		t.Fatalf("ended before it was ready: %v\n%s", err, r.log)
	}
	_, after, _ := strings.Cut(r.log.String(), "address=")
	address, _, _ := strings.Cut(after, " ")
	r.base = "http://" + address
	return r
}

func (r *running) configure(data, more string) {
	r.t.Helper()
	text := fmt.Sprintf("data: %q\nweb: {listen: '127.0.0.1:0'}\nbuffer: {commit: 100ms}\n%s", data, more)
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// stop asks for the end and returns what Run returned, and how long that took.
func (r *running) stop() (time.Duration, error) {
	asked := time.Now()
	r.cancel()
	err := <-r.done
	return time.Since(asked), err
}

func (r *running) get(path string, into any) int {
	r.t.Helper()
	req, err := http.NewRequest("GET", r.base+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(data, into); err != nil {
			r.t.Fatalf("%s: %v in %s", path, err, data)
		}
	}
	return resp.StatusCode
}

func (r *running) status() (s web.Status) {
	r.t.Helper()
	r.get("/api/v1/status", &s)
	return s
}

// eventually waits until ok, looking often, for at most 20 s.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(20*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not in 20 s: %s", what)
		}
	}
}

const toy = "drivers:\n  toy: {type: sim, devices: 20, interval: 200ms, seed: 1}\n"

func TestLife(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := start(t, data, toy)
	eventually(t, "readings on disk", func() bool { return r.status().Buffer.Produced > 50 })
	s := r.status()
	if s.Version != "test" || s.Home != "Home" || len(s.Drivers) != 1 || s.Drivers[0].State != "running" || len(s.Targets) != 0 || s.Disk.Written == 0 || s.Disk.PerDay == 0 {
		t.Errorf("status %+v", s)
	}
	var devices []hearth.DeviceView
	r.get("/api/v1/devices", &devices)
	if len(devices) != 20 || !devices[0].Reachable {
		t.Errorf("%d devices", len(devices))
	}
	if took, err := r.stop(); err != nil || took > 5*time.Second {
		t.Errorf("stopping took %v: %v", took, err)
	}
	again := start(t, data, "")
	if produced := again.status().Buffer.Produced; produced < s.Buffer.Produced {
		t.Errorf("%d rows before the restart, %d after it", s.Buffer.Produced, produced)
	}
	var after []hearth.DeviceView
	again.get("/api/v1/devices", &after)
	if len(after) != 20 || after[0].Reachable {
		t.Errorf("after a restart without the driver: %d devices, reachable %v", len(after), after[0].Reachable)
	}
	for i := range after {
		for _, p := range after[i].Properties {
			if before := devices[i].Property(p.Name); before.Value != nil && p.Value == nil {
				t.Errorf("%s of %s lost its value", p.Name, after[i].ID)
			}
		}
	}
	if _, err := again.stop(); err != nil {
		t.Error(err)
	}
}

func TestFirstLink(t *testing.T) {
	for _, test := range []struct {
		name  string
		guest bool
		links int // of two starts
	}{{"first start", false, 1}, {"demo", true, 2}} {
		t.Run(test.name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Data, cfg.Web.Listen = t.TempDir(), "127.0.0.1:0"
			var links []string
			said := &log{}
			for range 2 {
				ctx, cancel := context.WithCancel(t.Context())
				err := Run(ctx, cfg, Options{
					Log: slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug})), Guest: test.guest, Ready: cancel,
					Link: func(link string) { links = append(links, link) },
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if len(links) != test.links {
				t.Fatalf("links: %v", links)
			}
			u, err := url.Parse(links[len(links)-1])
			if err != nil || u.Query().Get("token") == "" || u.Path != "/" || u.Hostname() != "127.0.0.1" {
				t.Errorf("link %s, %v", links[0], err)
			}
			file, err := tokens.Open(cfg.file(TokensFile))
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := file.Find(u.Query().Get("token")); !ok || got.Scope != hearth.ScopeAdmin || got.Name != "first" {
				t.Errorf("the link's token is %+v, %v", got, ok)
			}
			if strings.Contains(said.String(), "hearth_") {
				t.Errorf("the log holds a token:\n%s", said)
			}
		})
	}
}

func TestReload(t *testing.T) {
	data := t.TempDir()
	r := start(t, data, toy)
	names := func() (list string) {
		for _, d := range r.status().Drivers {
			list += d.Name + "/" + d.State + " "
		}
		return list
	}
	eventually(t, "the driver", func() bool { return names() == "toy/running " })
	since := r.status().Drivers[0].Since
	reload := func(more string) {
		r.configure(data, more)
		r.reload <- syscall.SIGHUP
	}
	reload(toy + "  other: {type: sim, devices: 6}\n")
	eventually(t, "a second driver", func() bool { return names() == "other/running toy/running " })
	if again := r.status().Drivers[1].Since; again.Sub(since.Time).Abs() > 50*time.Millisecond {
		t.Error("a driver that did not change was started again")
	}
	reload("drivers:\n  toy: {type: simm}\n")
	eventually(t, "the mistake in the log", func() bool { return strings.Contains(r.log.String(), "has no driver of type simm") })
	if names() != "other/running toy/running " {
		t.Errorf("a bad file changed the drivers to %s", names())
	}
	reload("home: Cabin\ndrivers:\n  toy: {type: sim, devices: 7, interval: 200ms, seed: 1}\n")
	eventually(t, "one driver less", func() bool { return names() == "toy/running " })
	eventually(t, "what needs a restart", func() bool {
		return strings.Contains(r.log.String(), "need a restart") && strings.Contains(r.log.String(), "keys=[home]")
	})
	eventually(t, "the devices of the stopped driver out of reach", func() bool {
		var devices []hearth.DeviceView
		r.get("/api/v1/devices", &devices)
		for _, d := range devices {
			if d.Driver == "other" && d.Reachable {
				return false
			}
		}
		return len(devices) > 20
	})
	if _, err := r.stop(); err != nil {
		t.Error(err)
	}
}

func TestOneGatewayPerData(t *testing.T) {
	data := t.TempDir()
	r := start(t, data, "")
	cfg := DefaultConfig()
	cfg.Data, cfg.Web.Listen = data, "127.0.0.1:0"
	if !cfg.Running() {
		t.Error("nobody seems to run")
	}
	if err := Run(t.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "another hearth-edge runs") {
		t.Errorf("a second gateway: %v", err)
	}
	if _, err := r.stop(); err != nil {
		t.Error(err)
	}
	if cfg.Running() {
		t.Error("somebody seems to run")
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := DefaultConfig()
	cfg.Data, cfg.Web.Listen = t.TempDir(), l.Addr().String()
	if err := Run(t.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "web.listen") {
		t.Errorf("a port in use: %v", err)
	}
}

// TestDamagedState: whatever became of the small files, the gateway starts.
func TestDamagedState(t *testing.T) {
	data := t.TempDir()
	r := start(t, data, toy)
	eventually(t, "readings on disk", func() bool { return r.status().Buffer.Produced > 50 })
	if _, err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(data, "state.db"), 5000); err != nil {
		t.Fatal(err)
	}
	again := start(t, data, toy)
	if again.status().Buffer.Produced < 50 {
		t.Error("the readings went with the state")
	}
	if alarms := again.status().Alarms; len(alarms) != 1 || !strings.Contains(alarms[0], "state.db.damaged") || !strings.Contains(again.log.String(), alarms[0][:20]) {
		t.Errorf("told: %q\n%s", alarms, again.log)
	}
	if _, err := again.stop(); err != nil {
		t.Error(err)
	}
}

// TestHangingVisitor: a client that never ends its request, and one that watches, do not hold up the stop.
func TestHangingVisitor(t *testing.T) {
	r := start(t, t.TempDir(), toy)
	address := strings.TrimPrefix(r.base, "http://")
	for _, request := range []string{"POST /api/v1/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nAuthorization: Bearer " + r.token + "\r\n\r\n{", "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.token + "\r\n\r\n"} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "readings", func() bool { return r.status().Buffer.Produced > 0 })
	if took, err := r.stop(); err != nil || took > 5*time.Second {
		t.Errorf("stopping took %v: %v", took, err)
	}
}

// TestClaimWhileRunning: a claim, or a token file that comes to be, is seen without a restart.
func TestClaimWhileRunning(t *testing.T) {
	data := t.TempDir()
	r := start(t, data, toy)
	cfg := Config{Data: data}
	claim := hearth.Claim{Home: "h1", Name: "Cabin", Token: "hearth_x", TokenName: "gateway"}
	if err := cfg.SaveClaim("http://127.0.0.1:1", false, claim); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cloud among the targets", func() bool {
		s := r.status()
		return len(s.Targets) == 1 && s.Targets[0].Name == "cloud" && s.Targets[0].Error != "" && s.Targets[0].Backlog > 0
	})
	if err := os.WriteFile(cfg.file(claimFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is wrong with the claim", func() bool {
		s := r.status()
		return len(s.Targets) == 1 && strings.Contains(s.Targets[0].Error, "claim the home again") && s.Targets[0].Backlog > 0
	})
	if err := os.Remove(cfg.file(claimFile)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no targets", func() bool { return len(r.status().Targets) == 0 })
	if _, err := r.stop(); err != nil {
		t.Error(err)
	}
}

func TestServiceManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "300000")
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	told := make(chan string, 100)
	go func() {
		buf := make([]byte, 1000)
		for {
			n, err := socket.Read(buf)
			if err != nil {
				return
			}
			told <- string(buf[:n])
		}
	}()
	r := start(t, t.TempDir(), toy)
	if first := <-told; first != "READY=1" {
		t.Errorf("first told %s", first)
	}
	for range 3 {
		if next := <-told; next != "WATCHDOG=1" {
			t.Errorf("then told %s", next)
		}
	}
	if _, err := r.stop(); err != nil {
		t.Error(err)
	}
	last := ""
	for len(told) > 0 {
		last = <-told
	}
	if last != "STOPPING=1" {
		t.Errorf("last told %s", last)
	}
}

func TestPerDay(t *testing.T) {
	for _, test := range []struct {
		written uint64
		up      time.Duration
		want    uint64
	}{{0, 0, 0}, {1000, time.Second, 144_000}, {1000, 24 * time.Hour, 1000}, {5000, 48 * time.Hour, 2500}} {
		if got := perDay(test.written, test.up); got != test.want {
			t.Errorf("%d in %v: %d, want %d", test.written, test.up, got, test.want)
		}
	}
}

func TestPageURL(t *testing.T) {
	for address, want := range map[string]string{"127.0.0.1:8470": "http://127.0.0.1:8470/", "[::1]:80": "http://[::1]:80/", "[::]:8470": "http://" + ownAddress() + ":8470/", "0.0.0.0:1": "http://" + ownAddress() + ":1/"} {
		addr, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := pageURL(addr); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
