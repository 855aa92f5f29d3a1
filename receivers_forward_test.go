package hearth_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth/cloud/accounts/postgrestest"
)

// victoriaRows counts the rows of a home's metric, those that were sent twice once.
func victoriaRows(t testing.TB, base, metric, home string) (rows int64) {
	t.Helper()
	body := fetch(t, base, "/api/v1/export", url.Values{"match[]": {fmt.Sprintf("{__name__=%q,home=%q}", metric, home)}, "start": {"0"}})
	seen := map[string]map[int64]bool{}
	for line := range bytes.Lines(body) {
		var one struct {
			Metric     map[string]string
			Timestamps []int64
		}
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatal(err)
		}
		device := one.Metric["device"]
		if seen[device] == nil {
			seen[device] = map[int64]bool{}
		}
		for _, at := range one.Timestamps {
			seen[device][at] = true
		}
	}
	for _, times := range seen {
		rows += int64(len(times))
	}
	return rows
}

// A killable VictoriaMetrics starts again on what it has.
type killable struct {
	t       testing.TB
	base    string
	command *exec.Cmd
	args    []string
}

func startKillable(t testing.TB) *killable {
	t.Helper()
	address := freeAddress(t)
	k := &killable{t: t, base: "http://" + address, args: []string{needPeer(t, "victoria-metrics"), "-storageDataPath", t.TempDir(), "-httpListenAddr", address, "-search.latencyOffset", "0s", "-retentionPeriod", "100y"}}
	k.start()
	t.Cleanup(k.kill)
	return k
}

func (k *killable) start() {
	k.t.Helper()
	k.command = exec.Command(k.args[0], k.args[1:]...)
	if err := k.command.Start(); err != nil {
		k.t.Fatal(err)
	}
	eventually(k.t, "VictoriaMetrics answers", func() bool {
		resp, err := http.Get(k.base + "/ping")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
}

func (k *killable) kill() {
	k.command.Process.Signal(syscall.SIGKILL)
	k.command.Wait()
}

// A lone receiver has its accounts in SQLite.
type lone struct {
	*plant
	daemon *daemon
}

func newLone(t testing.TB, series string) *lone {
	t.Helper()
	web := freeAddress(t)
	d := newDaemon(t, "hearth-cloud", fmt.Sprintf("data: %s\nweb: {listen: %q}\nmqtt: {listen: \"127.0.0.1:0\"}\nseries: %s\n", t.TempDir(), web, series))
	d.start()
	token := strings.TrimSpace(run(t, "hearth-cloud", "token", "add", "-config", d.config, "-name", "test", "-scope", "admin"))
	f := face{"http://" + web, token}
	return &lone{plant: &plant{t: t, receivers: []*daemon{d}, faces: []face{f}, front: f}, daemon: d}
}

// TestForwardTargetsAreKilled: the receiver and one of its targets are killed in turn while rows flow. In the end both
// targets have every row.
func TestForwardTargetsAreKilled(t *testing.T) {
	victoria := startKillable(t)
	influx, _, _ := startInflux(t)
	p := newLone(t, fmt.Sprintf("{forward: [{url: %q}, {url: %q, database: hearth}]}", victoria.base, influx))
	s := p.newSender("Sender 0")
	until, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.run(p.plant, until)
	}()
	more := func() {
		t.Helper()
		before := s.acked.Load()
		eventually(t, "more batches taken", func() bool { return s.acked.Load() > before+30 })
	}
	for round := range 4 {
		more()
		if round%2 == 0 {
			victoria.kill()
			more()
			victoria.start()
		} else {
			p.daemon.kill()
			p.daemon.start()
		}
	}
	more()
	close(until)
	<-ended
	want := int64(s.acked.Load() * senderRows)
	counted := func() (ours, inVictoria, inInflux int64) {
		for device := range 5 {
			ours += historyOf(t, p.front, s.Home, fmt.Sprintf("radio:%d", device), "temperature", s.start, s.start+want+2*senderRows)
		}
		return ours, victoriaRows(t, victoria.base, "hearth_temperature", s.Home), influxRows(t, influx)
	}
	eventually(t, "every row in both targets", func() bool {
		ours, inVictoria, inInflux := counted()
		return ours >= want && inVictoria == ours && inInflux == ours
	})
	ours, inVictoria, inInflux := counted()
	t.Logf("%d rows acknowledged; here %d, VictoriaMetrics %d, InfluxDB %d", want, ours, inVictoria, inInflux)
	var states []struct {
		Target       string
		Sent, Newest uint64
		Parked       []json.RawMessage
	}
	if code := p.front.call(t, "GET", "/api/v1/forward", nil, &states); code != 200 || len(states) != 2 || states[0].Newest == 0 || len(states[0].Parked) != 0 {
		t.Errorf("%d %+v", code, states)
	}
}

// TestOldReadingsFromAfar: what the receiver keeps no longer comes from the databases that it was sent to.
func TestOldReadingsFromAfar(t *testing.T) {
	victoria := startKillable(t)
	influx, _, _ := startInflux(t)
	for kind, base := range map[string]string{"victoriametrics": victoria.base, "influxdb": influx} {
		t.Run(kind, func(t *testing.T) {
			p := newLone(t, fmt.Sprintf("{retention: 2d, forward: [{url: %q}], read: {url: %q, kind: %s, database: hearth, before: 1d}}", base, base, kind))
			s := p.newSender("Sender 0")
			s.start = time.Now().Add(-5 * 24 * time.Hour).UnixMilli()
			for seq := uint64(1); seq <= 5; seq++ {
				if err := s.send(p.front.base, seq); err != nil {
					t.Fatal(err)
				}
			}
			rows := func() int64 {
				return historyOf(t, p.front, s.Home, "radio:1", "temperature", s.start, time.Now().UnixMilli())
			}
			eventually(t, "the old readings far away", func() bool { return rows() == 5*senderRows/5 })
			recent := &sender{Claim: s.Claim, epoch: "later", start: time.Now().Add(-time.Hour).UnixMilli()}
			if err := recent.send(p.front.base, 1); err != nil {
				t.Fatal(err)
			}
			p.daemon.stop() // and what is too old is deleted when it starts
			p.daemon.start()
			eventually(t, "old and new readings in one history", func() bool { return rows() == 6*senderRows/5 })
			var answer struct {
				Results []struct {
					Series []struct{ Values [][2]any }
				}
			}
			query := url.Values{"db": {s.Home}, "q": {fmt.Sprintf(`SELECT count(temperature) FROM hearth WHERE device = 'radio:1' AND time >= %d000000`, s.start)}}
			p.front.call(t, "GET", "/query?"+query.Encode(), nil, &answer)
			if len(answer.Results) != 1 || len(answer.Results[0].Series) != 1 || answer.Results[0].Series[0].Values[0][1] != 6.0*senderRows/5 {
				t.Errorf("InfluxQL: %+v", answer)
			}
			code, body := p.front.ask(t, "GET", fmt.Sprintf("/api/v1/homes/%s/history?device=radio:1&property=temperature&from=%d&to=%d&points=1", s.Home, s.start, s.start+100*senderRows), nil)
			if code != 200 || !bytes.Contains(body, []byte(",1.1,")) {
				t.Errorf("%d %s", code, body)
			}
		})
	}
}

// TestReceiverJoinsFromBackup: one receiver with readings becomes two. A second one without them is refused; with a
// backup of the first it goes on from there.
func TestReceiverJoinsFromBackup(t *testing.T) {
	broker := startMosquitto(t)
	database := postgrestest.Start(t).Database(t)
	p := &plant{t: t}
	receiver := func() (*daemon, string) {
		web := freeAddress(t)
		return newDaemon(t, "hearth-cloud", fmt.Sprintf("data: %s\nweb: {listen: %q}\nmqtt: {broker: \"mqtt://%s\"}\naccounts: {database: %q}\n",
			filepath.Join(t.TempDir(), "data"), web, broker, database)), web
	}
	first, web := receiver()
	first.start()
	token := strings.TrimSpace(run(t, "hearth-cloud", "token", "add", "-config", first.config, "-name", "test", "-scope", "admin"))
	p.receivers, p.front = []*daemon{first}, face{"http://" + web, token}
	p.faces = []face{p.front}
	s := p.newSender("Sender 0")
	send := func(base string, seq uint64) {
		t.Helper()
		if err := s.send(base, seq); err != nil {
			t.Fatal(err)
		}
		s.acked.Store(seq)
	}
	send(p.front.base, 1)
	first.stop()
	// As it was before there was a log: the first one begins it with what it has.
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`TRUNCATE write_log; UPDATE write_head SET n = 0, mark = '', prev = ''`); err != nil {
		t.Fatal(err)
	}
	first.start()
	send(p.front.base, 2)

	empty, _ := receiver()
	refused := exec.Command(program(t, "hearth-cloud"), "run", "-config", empty.config)
	if out, err := refused.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("restore a backup of one of them")) {
		t.Fatalf("%v %s", err, out)
	}
	file := filepath.Join(t.TempDir(), "backup")
	run(t, "hearth-cloud", "backup", "-config", first.config, file)
	send(p.front.base, 3)
	second, secondWeb := receiver()
	run(t, "hearth-cloud", "restore", "-config", second.config, file)
	second.start()
	p.faces = append(p.faces, face{"http://" + secondWeb, token})
	send(p.faces[1].base, 4)
	send(p.faces[0].base, 5)
	for i, f := range p.faces {
		rows := int64(0)
		eventually(t, fmt.Sprintf("every row at receiver %d", i), func() bool {
			rows = historyOf(t, f, s.Home, "radio:1", "temperature", s.start, s.start+100*senderRows)
			return rows == 5*senderRows/5
		})
		var l ledger
		f.call(t, "GET", "/api/v1/homes/"+s.Home+"/ledger", nil, &l)
		if l.Total.Received != 5*senderRows || l.Total.Unexplained != 0 {
			t.Errorf("receiver %d: %+v", i, l.Total)
		}
	}
}
