package hearth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"hearth/scripts/peers"

	"hearth"
)

// These tests run the programs beside peers that nobody here wrote: Debian's databases and broker. `make e2e` installs
// them and sets HEARTH_E2E.

func needPeer(t testing.TB, command string) string {
	t.Helper()
	if os.Getenv("HEARTH_E2E") == "" {
		t.Skipf("SKIPPED: %s is a foreign program; `make e2e` installs it and runs this", command)
	}
	for _, dir := range []string{"/usr/bin/", "/usr/sbin/"} {
		if _, err := os.Stat(dir + command); err == nil {
			return dir + command
		}
	}
	t.Fatalf("%s is not installed: scripts/install-peers does it", command)
	return ""
}

// peer runs a foreign program until the test ends, and returns its process once url answers; "" waits for nothing.
func peer(t testing.TB, url, command string, args ...string) (pid int) {
	t.Helper()
	cmd := exec.Command(command, args...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", command, tail(log.String(), 2000))
		}
	})
	if url == "" {
		return cmd.Process.Pid
	}
	eventually(t, command+" answers", func() bool {
		resp, err := http.Get(url)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode < 500
	})
	return cmd.Process.Pid
}

func startInflux(t testing.TB) (base, data string, pid int) {
	command, address, dir := needPeer(t, "influxd"), freeAddress(t), t.TempDir()
	config := filepath.Join(dir, "influxdb.conf")
	text := fmt.Sprintf("reporting-disabled = true\nbind-address = %q\n[meta]\n dir = \"%s/meta\"\n[data]\n dir = \"%s/data\"\n wal-dir = \"%s/wal\"\n[http]\n bind-address = %q\n[monitor]\n store-enabled = false\n",
		freeAddress(t), dir, dir, dir, address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	base = "http://" + address
	return base, dir, peer(t, base+"/ping", command, "-config", config)
}

func startVictoria(t testing.TB) (base, data string, pid int) {
	command, address, data := needPeer(t, "victoria-metrics"), freeAddress(t), t.TempDir()
	base = "http://" + address
	return base, data, peer(t, base+"/ping", command, "-storageDataPath", data, "-httpListenAddr", address, "-search.latencyOffset", "0s")
}

// fetch returns the body of a URL of a peer.
func fetch(t testing.TB, base, path string, query url.Values) []byte {
	t.Helper()
	resp, err := http.Get(base + path + "?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %s %v\n%s", path, resp.Status, err, body)
	}
	return body
}

// influxRows counts the rows of measurement hearth, the clock mark left out.
func influxRows(t testing.TB, base string) (rows int64) {
	t.Helper()
	var answer struct {
		Results []struct {
			Series []struct {
				Columns []string
				Values  [][]any
			}
		}
	}
	body := fetch(t, base, "/query", url.Values{"db": {"hearth"}, "q": {`SELECT count(*) FROM hearth`}})
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	for _, result := range answer.Results {
		for _, series := range result.Series {
			for i, column := range series.Columns {
				if column != "time" && column != "count_clock" {
					n, _ := series.Values[0][i].(float64)
					rows += int64(n)
				}
			}
		}
	}
	return rows
}

// gatewayFor starts a gateway of its own with a foreign database as its only target.
func gatewayFor(t testing.TB, target string) (*daemon, face) {
	t.Helper()
	address := freeAddress(t)
	d := newDaemon(t, "hearth-edge", fmt.Sprintf("data: %s\nhome: Cabin one\nweb: {listen: %q}\nbuffer: {commit: 1s}\ninflux: {%s}\ndrivers:\n%s", t.TempDir(), address, target, toy))
	token := run(t, "hearth-edge", "token", "add", "-config", d.config, "-name", "test", "-scope", "read")
	d.start()
	return d, face{"http://" + address, token[:len(token)-1]}
}

// drained waits until the foreign database has acknowledged more than least rows, and returns how many.
func drained(t testing.TB, s *spine, least int64) (acknowledged int64) {
	t.Helper()
	eventually(t, "the backlog at the foreign database", func() bool {
		for _, target := range s.status(t).Targets {
			if target.Name == "influx" && target.Acknowledged > least {
				acknowledged = target.Acknowledged
				return true
			}
		}
		return false
	})
	return acknowledged
}

func TestInfluxAsTarget(t *testing.T) {
	base, _, _ := startInflux(t)
	d, f := gatewayFor(t, fmt.Sprintf("url: %q, database: hearth", base))
	s := &spine{edge: d, gateway: f}
	drained(t, s, 200)
	d.stop()
	rows := influxRows(t, base)
	d.start()
	acknowledged := drained(t, s, 201)
	s.balanced(t)
	if rows < 200 || influxRows(t, base) < acknowledged {
		t.Errorf("influx had %d rows, then %d; the gateway believes %d", rows, influxRows(t, base), acknowledged)
	}
	tags := fetch(t, base, "/query", url.Values{"db": {"hearth"}, "q": {`SHOW TAG VALUES FROM hearth WITH KEY = home`}})
	if !bytes.Contains(tags, []byte(`"Cabin one"`)) {
		t.Errorf("no tag home: %s", tags)
	}
}

func TestVictoriaMetricsAsTarget(t *testing.T) {
	base, _, _ := startVictoria(t)
	d, f := gatewayFor(t, fmt.Sprintf("url: %q, database: hearth", base))
	s := &spine{edge: d, gateway: f}
	drained(t, s, 200)
	s.balanced(t)
	eventually(t, "temperatures in VictoriaMetrics", func() bool {
		body := fetch(t, base, "/api/v1/series", url.Values{"match[]": {`{__name__="hearth_temperature",home="Cabin one"}`}})
		return bytes.Contains(body, []byte(`"device"`))
	})
	// A text would be stored as the number 0 without an error: it must not arrive as a lie.
	body := fetch(t, base, "/api/v1/export", url.Values{"match[]": {`{__name__="hearth_hvac_action"}`}})
	t.Logf("hvac_action in VictoriaMetrics: %s", tail(string(body), 300))
}

// TestMosquittoAsBroker carries commands over a broker that is neither the gateway's nor the receiver's.
func TestMosquittoAsBroker(t *testing.T) {
	command, address := needPeer(t, "mosquitto"), freeAddress(t)
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	_, port, _ := bytes.Cut([]byte(address), []byte(":"))
	if err := os.WriteFile(config, fmt.Appendf(nil, "listener %s 127.0.0.1\nallow_anonymous true\npersistence false\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	peer(t, "", command, "-c", config)
	s := newSpineOn(t, toy, fmt.Sprintf("mqtt: {broker: \"mqtt://%s\"}", address))
	homePath := "/api/v1/homes/" + s.home
	var lamp hearth.DeviceView
	eventually(t, "the light in the receiver's inventory", func() (ok bool) {
		lamp, ok = device(t, s.receiver, homePath+"/devices", "light")
		return ok
	})
	eventually(t, "a command confirmed through mosquitto", func() bool {
		var rec hearth.Record
		code := s.receiver.call(t, "PUT", homePath+"/devices/"+string(lamp.ID)+"/properties/on", map[string]bool{"value": true}, &rec)
		return code == 200 && rec.State == hearth.Confirmed
	})
	start := time.Now()
	for i := range 20 {
		var rec hearth.Record
		code := s.receiver.call(t, "PUT", homePath+"/devices/"+string(lamp.ID)+"/properties/on", map[string]bool{"value": i%2 == 0}, &rec)
		if code != 200 {
			t.Errorf("command %d: %d %+v", i, code, rec)
		}
	}
	t.Logf("20 commands confirmed one after another in %s", time.Since(start))
}

// wire joins two ttys, as a cable does, until the test ends or cut is called; join plugs it in again.
func wire(t *testing.T) (ours, theirs string, cut, join func()) {
	t.Helper()
	command, dir := needPeer(t, "socat"), t.TempDir()
	ours, theirs = filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
	var cmd *exec.Cmd
	cut = func() {
		if cmd != nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
		cmd = nil
	}
	join = func() {
		os.Remove(ours)
		os.Remove(theirs)
		cmd = exec.Command(command, "pty,raw,echo=0,link="+ours, "pty,raw,echo=0,link="+theirs)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the two ends of the wire", func() bool {
			_, here := os.Stat(ours)
			_, there := os.Stat(theirs)
			return here == nil && there == nil
		})
	}
	t.Cleanup(func() { cut() })
	join()
	return ours, theirs, cut, join
}

// modbusSlave runs node's modbus-serial on a tty: unit 2 has the registers of an SDM120.
func modbusSlave(t *testing.T, tty string) {
	t.Helper()
	needPeer(t, "socat")
	folder := peers.Node(t, "modbus-slave")
	slave := exec.Command("node", "slave.js", "rtu", tty)
	slave.Dir = folder
	if _, err := slave.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := slave.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Process.Kill(); slave.Wait() })
}

// smartMeter writes a published telegram to a tty once a second until the test ends.
func smartMeter(t *testing.T, tty func() string) {
	telegram, err := os.ReadFile("drivers/dsmr/testdata/dsmr5-two-mbus.txt")
	if err != nil {
		t.Fatal(err)
	}
	ctx, ended := t.Context(), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if f, err := os.OpenFile(tty(), os.O_WRONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0); err == nil {
				f.Write(telegram)
				f.Close()
			}
		}
	}()
	t.Cleanup(func() { <-ended })
}

// TestMetersToTheReceiver is the main job on input that nobody here wrote: an independent Modbus slave and a published
// telegram, over real lines, to the receiver; the meter's cable is pulled and put back.
func TestMetersToTheReceiver(t *testing.T) {
	bus, busEnd, _, _ := wire(t)
	p1, p1End, cut, join := wire(t)
	modbusSlave(t, busEnd)
	smartMeter(t, func() string { return p1End })
	s := newSpine(t, fmt.Sprintf("  bus: {type: modbus, port: %q, baud: 115200, poll: 1s, devices: [{address: 2, profile: eastron-sdm120}]}\n  p1: {type: dsmr, port: %q}\n", bus, p1))
	want := map[string]float64{
		"bus:2 power": -345.75, "bus:2 voltage": 230.5, "bus:2 energy_total": 1234.5,
		"p1 energy": 2130.115 + 245.467, "p1 energy_t1": 2130.115, "p1 voltage_l1": 229.9, "p1 power": 111, "p1 gas_volume": 246.138,
	}
	eventually(t, "every value of both meters at the receiver", func() bool {
		var devices []hearth.DeviceView
		s.receiver.call(t, "GET", "/api/v1/homes/"+s.home+"/devices", nil, &devices)
		got := map[string]float64{}
		for _, d := range devices {
			name := string(d.ID)
			if d.Driver == "p1" {
				name = "p1"
			}
			for _, p := range d.Properties {
				if p.Value != nil {
					got[name+" "+p.Name] = p.Value.Number()
				}
			}
		}
		for name, value := range want {
			if off := got[name] - value; off > 0.001 || off < -0.001 {
				return false
			}
		}
		return true
	})
	driver := func(state string) func() bool {
		return func() bool {
			for _, d := range s.status(t).Drivers {
				if d.Name == "p1" {
					return d.State == state
				}
			}
			return false
		}
	}
	cut()
	eventually(t, "the pulled cable in the status", driver("waiting"))
	join()
	eventually(t, "the driver running on the cable put back", driver("running"))
	before := s.ledger(t).Total.Received
	eventually(t, "more rows", func() bool { return s.ledger(t).Total.Received > before+20 })
	if l := s.ledger(t).Total; l.Unexplained != 0 || l.Dropped != 0 {
		t.Errorf("ledger %+v", l)
	}
}
