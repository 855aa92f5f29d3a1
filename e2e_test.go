package hearth_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearth"
)

// These tests run the two programs as a person does, as processes on loopback, and kill them without warning.

// built is where programs put them, to be removed at the end.
var built string

// programs builds both once for all tests.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hearth-e2e")
	if err != nil {
		return "", err
	}
	built = dir
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir+"/", "./edge/hearth-edge", "./cloud/hearth-cloud")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

func program(t testing.TB, name string) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// run runs a sub-command to its end and returns what it printed.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program(t, name), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// A daemon is one of the programs with one configuration; it may be started and killed again and again.
type daemon struct {
	t      testing.TB
	name   string
	config string
	cmd    *exec.Cmd
	ended  chan struct{}
	mu     sync.Mutex
	log    bytes.Buffer
}

func newDaemon(t testing.TB, name, config string) *daemon {
	t.Helper()
	program(t, name) // built before anything is measured
	file := filepath.Join(t.TempDir(), name+".yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, name: name, config: file}
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			d.mu.Lock()
			defer d.mu.Unlock()
			t.Logf("the log of %s ends with:\n%s", name, tail(d.log.String(), 4000))
		}
	})
	return d
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// start returns once the program says ready.
func (d *daemon) start() {
	d.t.Helper()
	d.cmd = exec.Command(program(d.t, d.name), "run", "-config", d.config)
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	ready := make(chan struct{})
	d.ended = make(chan struct{})
	go func() {
		defer close(d.ended)
		tell := sync.OnceFunc(func() { close(ready) })
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if lines.Text() == "ready" {
				tell()
			}
			d.mu.Lock()
			fmt.Fprintln(&d.log, lines.Text())
			d.mu.Unlock()
		}
		d.cmd.Wait()
	}()
	select {
	case <-ready:
	case <-d.ended:
		d.t.Fatalf("%s ended before it was ready", d.name)
	case <-time.After(30 * time.Second):
		d.t.Fatalf("%s is not ready", d.name)
	}
}

// kill is kill -9; stop is SIGTERM and reports the exit code.
func (d *daemon) kill() {
	if d.ended != nil {
		d.cmd.Process.Signal(syscall.SIGKILL)
		<-d.ended
	}
}

func (d *daemon) stop() int {
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(20 * time.Second):
		d.t.Errorf("%s does not stop", d.name)
		d.kill()
	}
	return d.cmd.ProcessState.ExitCode()
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A face is one program's API with a token.
type face struct{ base, token string }

// call sends body as JSON and decodes the answer into into; it returns the status, 0 if nobody answers.
func (f face) call(t testing.TB, method, path string, body, into any) int {
	t.Helper()
	code, data := f.ask(t, method, path, body)
	if into != nil && code > 0 && code < 300 {
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, data)
		}
	}
	return code
}

// ask returns 0 where there is no answer.
func (f face) ask(t testing.TB, method, path string, body any) (code int, answer []byte) {
	t.Helper()
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		payload = bytes.NewReader(data)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 70*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, f.base+path, payload)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, data
}

// eventually waits until ok, looking ten times a second for at most half a minute.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	late := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("not in half a minute: %s", what)
		}
	}
}

// A spine is a receiver with one home, and that home's gateway.
type spine struct {
	cloud, edge         *daemon
	receiver, gateway   face
	home                string
	cloudData, edgeData string
}

// newSpine starts a receiver and joins a gateway with these drivers to it; both run when it returns.
func newSpine(t testing.TB, drivers string) *spine {
	t.Helper()
	return newSpineOn(t, drivers, fmt.Sprintf("mqtt: {listen: %q}", freeAddress(t)))
}

// newSpineOn is newSpine with another broker.
func newSpineOn(t testing.TB, drivers, broker string) *spine {
	t.Helper()
	s := &spine{cloudData: t.TempDir(), edgeData: t.TempDir()}
	web, local := freeAddress(t), freeAddress(t)
	s.cloud = newDaemon(t, "hearth-cloud", fmt.Sprintf("data: %s\nweb: {listen: %q}\n%s\n", s.cloudData, web, broker))
	s.edge = newDaemon(t, "hearth-edge", fmt.Sprintf("data: %s\nhome: Cabin\nweb: {listen: %q}\nbuffer: {commit: 1s}\ndrivers:\n%s", s.edgeData, local, drivers))
	s.cloud.start()
	added := run(t, "hearth-cloud", "home", "add", "-config", s.cloud.config, "Cabin")
	var code string
	if _, err := fmt.Sscanf(added, "home %s\ncode %s", &s.home, &code); err != nil {
		t.Fatalf("home add printed %q", added)
	}
	run(t, "hearth-edge", "claim", "-config", s.edge.config, "http://"+web, code)
	s.receiver = face{"http://" + web, strings.TrimSpace(run(t, "hearth-cloud", "token", "add", "-config", s.cloud.config, "-name", "test", "-scope", "admin"))}
	s.gateway = face{"http://" + local, strings.TrimSpace(run(t, "hearth-edge", "token", "add", "-config", s.edge.config, "-name", "test", "-scope", "admin"))}
	s.edge.start()
	return s
}

type ledger struct {
	Total struct {
		Produced, Received, Duplicate, Dropped int64
		OnGateway                              int64 `json:"on_gateway"`
		Unexplained                            int64
	}
}

func (s *spine) ledger(t testing.TB) (l ledger) {
	t.Helper()
	s.receiver.call(t, "GET", "/api/v1/homes/"+s.home+"/ledger", nil, &l)
	return l
}

type status struct {
	Clock struct {
		Trusted bool
		Source  string
	}
	Buffer  struct{ Produced int64 }
	Targets []struct {
		Name, State                    string
		Acknowledged, Dropped, Backlog int64
		Error                          string
	}
	Drivers []struct{ Name, State, Error string }
}

func (s *spine) status(t testing.TB) (st status) {
	t.Helper()
	s.gateway.call(t, "GET", "/api/v1/status", nil, &st)
	return st
}

// balanced checks the gateway's own account: at every moment nothing is unexplained.
func (s *spine) balanced(t testing.TB) {
	t.Helper()
	st := s.status(t)
	for _, target := range st.Targets {
		if st.Buffer.Produced != target.Acknowledged+target.Backlog+target.Dropped {
			t.Errorf("%s: produced %d, but %+v", target.Name, st.Buffer.Produced, target)
		}
	}
}

// device finds a device of a type at a face.
func device(t testing.TB, f face, path string, typ hearth.Type) (hearth.DeviceView, bool) {
	t.Helper()
	var devices []hearth.DeviceView
	f.call(t, "GET", path, nil, &devices)
	for _, d := range devices {
		if d.Type == typ && d.Reachable {
			return d, true
		}
	}
	return hearth.DeviceView{}, false
}

const toy = "  toy: {type: sim, devices: 20, interval: 1s}\n"

func TestSpine(t *testing.T) {
	s := newSpine(t, toy)
	homePath := "/api/v1/homes/" + s.home
	eventually(t, "rows of the gateway at the receiver", func() bool { return s.ledger(t).Total.Received > 100 })
	if l := s.ledger(t); l.Total.Unexplained != 0 || l.Total.Dropped != 0 {
		t.Errorf("ledger %+v", l.Total)
	}
	s.balanced(t)

	var lamp hearth.DeviceView
	eventually(t, "the light in the receiver's inventory", func() (ok bool) {
		lamp, ok = device(t, s.receiver, homePath+"/devices", "light")
		return ok
	})
	for _, door := range []struct {
		face face
		path string
	}{{s.gateway, "/api/v1"}, {s.receiver, homePath}} {
		for _, on := range []bool{true, false} {
			var rec hearth.Record
			path := door.path + "/devices/" + string(lamp.ID) + "/properties/on"
			if code := door.face.call(t, "PUT", path, map[string]bool{"value": on}, &rec); code != 200 || rec.State != hearth.Confirmed {
				t.Errorf("PUT %s %v: %d %+v", path, on, code, rec)
			}
			if code := door.face.call(t, "PUT", path, map[string]int{"value": 7}, nil); code != 422 {
				t.Errorf("PUT %s 7: %d", path, code)
			}
		}
	}
	for _, door := range []struct {
		face face
		path string
	}{{s.gateway, "/api/v1"}, {s.receiver, homePath}} {
		var history struct {
			Points [][5]float64
			Gaps   []hearth.Gap
		}
		eventually(t, "the switching in "+door.path+"/history", func() bool {
			door.face.call(t, "GET", door.path+"/history?device="+string(lamp.ID)+"&property=on&points=1", nil, &history)
			return len(history.Points) == 1 && history.Points[0][4] >= 4
		})
		if p := history.Points[0]; p[1] != 0 || p[3] != 1 || len(history.Gaps) != 0 {
			t.Errorf("history %+v", history)
		}
	}
	if code := s.edge.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
	s.edge.start()
	eventually(t, "nothing left on the gateway", func() bool {
		l := s.ledger(t).Total
		return l.Produced == l.Received && l.OnGateway == 0
	})
	if l := s.ledger(t); l.Total.Unexplained != 0 {
		t.Errorf("ledger after a restart %+v", l.Total)
	}
}

// TestKilledAgainAndAgain kills gateway and receiver in turn while readings flow: what was counted stays counted.
func TestKilledAgainAndAgain(t *testing.T) {
	s := newSpine(t, "  toy: {type: sim, devices: 100, interval: 1s}\n")
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for i := range rounds {
		before := s.ledger(t).Total.Received
		eventually(t, "more rows at the receiver", func() bool { return s.ledger(t).Total.Received > before+300 })
		if i%2 == 0 {
			s.edge.kill()
			s.edge.start()
		} else {
			s.cloud.kill()
			s.balanced(t)
			s.cloud.start()
		}
		s.balanced(t)
	}
	before := s.ledger(t).Total.Received
	eventually(t, "rows after the last kill", func() bool { return s.ledger(t).Total.Received > before })
	l := s.ledger(t).Total
	if l.Unexplained != 0 || l.Dropped != 0 || l.Produced != l.Received+l.OnGateway {
		t.Errorf("ledger %+v", l)
	}
}
