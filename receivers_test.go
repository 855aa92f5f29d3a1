package hearth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts/postgrestest"
)

// These tests run two receivers behind a proxy, with Debian's PostgreSQL, mosquitto and victoria-metrics, and kill either
// of them under load.

// A balancer sends each request to the next receiver that takes connections, as any load balancer does.
type balancer struct {
	backends []string
	turn     atomic.Uint64
}

func (b *balancer) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	first := b.turn.Add(1)
	for i := range uint64(len(b.backends)) {
		address := b.backends[(first+i)%uint64(len(b.backends))]
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			continue
		}
		conn.Close()
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
		proxy.ErrorHandler = func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) }
		proxy.ServeHTTP(rw, r)
		return
	}
	rw.WriteHeader(http.StatusBadGateway)
}

// startBalancer returns its address.
func startBalancer(t testing.TB, backends ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: &balancer{backends: backends}}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return "http://" + l.Addr().String()
}

func startMosquitto(t testing.TB) (address string) {
	t.Helper()
	command, address := needPeer(t, "mosquitto"), freeAddress(t)
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	_, port, _ := strings.Cut(address, ":")
	if err := os.WriteFile(config, fmt.Appendf(nil, "listener %s 127.0.0.1\nallow_anonymous true\npersistence false\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	peer(t, "", command, "-c", config)
	return address
}

// A plant is two receivers that share everything, and what they share.
type plant struct {
	t         testing.TB
	database  string
	receivers []*daemon
	faces     []face // of each receiver
	front     face   // of whichever the balancer chooses
	victoria  string
}

func newPlant(t testing.TB) *plant {
	t.Helper()
	p := &plant{t: t}
	broker := startMosquitto(t)
	p.victoria, _, _ = startVictoria(t)
	p.database = postgrestest.Start(t).Database(t)
	var addresses []string
	for range 2 {
		web := freeAddress(t)
		addresses = append(addresses, web)
		p.receivers = append(p.receivers, newDaemon(t, "hearth-cloud", fmt.Sprintf(
			"data: %s\nweb: {listen: %q}\nmqtt: {broker: \"mqtt://%s\"}\naccounts: {database: %q}\nseries: {forward: [{url: %q, only_numbers: true}]}\n",
			t.TempDir(), web, broker, p.database, p.victoria)))
		p.receivers[len(p.receivers)-1].start()
	}
	token := strings.TrimSpace(run(t, "hearth-cloud", "token", "add", "-config", p.receivers[0].config, "-name", "test", "-scope", "admin"))
	for _, address := range addresses {
		p.faces = append(p.faces, face{"http://" + address, token})
	}
	p.front = face{startBalancer(t, addresses...), token}
	return p
}

// addHome returns the home's id and its claim code.
func (p *plant) addHome(name string) (id, code string) {
	p.t.Helper()
	added := run(p.t, "hearth-cloud", "home", "add", "-config", p.receivers[0].config, name)
	if _, err := fmt.Sscanf(added, "home %s\ncode %s", &id, &code); err != nil {
		p.t.Fatalf("home add printed %q", added)
	}
	return id, code
}

// lampPlugin is a plugin that writes down every time that it is told to do something.
const lampPlugin = `#!/bin/sh
while read -r line; do
	case "$line" in
	*'"hello"'*) echo '{"announce":{"id":"lamp","type":"light","properties":[{"name":"step","kind":"number","writable":true}]}}' ;;
	*'"do"'*)
		n=${line#*'"n":'}; n=${n%%[,\}]*}
		step=${line#*'"step":'}; step=${step%%[,\}]*}
		echo "$step" >>"$1"
		echo "{\"report\":[{\"device\":\"lamp\",\"property\":\"step\",\"value\":$step}]}"
		echo "{\"done\":{\"n\":$n}}" ;;
	*'"stop"'*) exit 0 ;;
	esac
done
`

// A house is a real gateway with a simulated home and a lamp that tells how often it was told what.
type house struct {
	home, done string
	edge       *daemon
	given      map[string]int // step by the id of its command
}

func (p *plant) newHouse(name string) *house {
	t := p.t
	t.Helper()
	dir := t.TempDir()
	script, done := filepath.Join(dir, "lamp"), filepath.Join(dir, "done")
	if err := os.WriteFile(script, []byte(lampPlugin), 0o700); err != nil {
		t.Fatal(err)
	}
	h := &house{done: done, given: map[string]int{}}
	var code string
	h.home, code = p.addHome(name)
	h.edge = newDaemon(t, "hearth-edge", fmt.Sprintf("data: %s\nhome: %q\nweb: {listen: %q}\nbuffer: {commit: 1s}\ndrivers:\n%s  lamp: {type: plugin, command: [%q, %q]}\n",
		filepath.Join(dir, "data"), name, freeAddress(t), toy, script, done))
	run(t, "hearth-edge", "claim", "-config", h.edge.config, p.front.base, code)
	h.edge.start()
	return h
}

// command switches the lamp again and again, one step after the other, through whichever receiver there is. A request
// that broke off is made again with the same id.
func (h *house) command(p *plant, until <-chan struct{}) {
	path := "/api/v1/homes/" + h.home + "/commands"
	for step := 1; ; step++ {
		select {
		case <-until:
			return
		default:
		}
		id := fmt.Sprintf("%s-%d", h.home, step)
		body := map[string]any{"id": id, "device": "lamp:lamp", "set": map[string]any{"step": step}}
		for range 200 {
			code, answer := p.front.ask(p.t, "POST", path+"?wait=2s", body)
			if code == http.StatusNotFound { // the inventory is not there yet
				time.Sleep(100 * time.Millisecond)
				continue
			}
			if code != 0 && code < 500 && code != http.StatusTooManyRequests {
				h.given[id] = step
				if code >= 300 {
					p.t.Errorf("command %s: %d %s", id, code, answer)
				}
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// check makes sure that every command has one final state, the same on all receivers, and none was carried out twice.
func (h *house) check(p *plant) {
	t := p.t
	t.Helper()
	path := "/api/v1/homes/" + h.home + "/commands/"
	confirmed := 0
	ran := map[int]int{}
	data, err := os.ReadFile(h.done)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Fields(string(data)) {
		step, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		ran[step]++
	}
	for id, step := range h.given {
		var records [2]hearth.Record
		for i, f := range p.faces {
			eventually(t, "the end of command "+id, func() bool {
				return f.call(t, "GET", path+id, nil, &records[i]) == 200 && records[i].Final
			})
		}
		if !reflect.DeepEqual(records[0], records[1]) {
			t.Errorf("%s: %+v on one receiver, %+v on the other", id, records[0], records[1])
		}
		done := records[0].State == hearth.Confirmed || records[0].State == hearth.Applied
		if done {
			confirmed++
		}
		if ran[step] > 1 || done && ran[step] != 1 {
			t.Errorf("%s is %s and was carried out %d times", id, records[0].State, ran[step])
		}
	}
	t.Logf("%s: %d commands, %d of them confirmed", h.home, len(h.given), confirmed)
	if confirmed < len(h.given)/2 || confirmed == 0 {
		t.Errorf("only %d of %d commands were confirmed", confirmed, len(h.given))
	}
}

// A sender is a gateway that sends one batch after the other as fast as it can, whatever happens to receivers.
type sender struct {
	hearth.Claim
	epoch string
	start int64         // unix ms of its first row
	acked atomic.Uint64 // batches
}

const senderRows = 200

func (p *plant) newSender(name string) *sender {
	p.t.Helper()
	_, code := p.addHome(name)
	s := &sender{epoch: "e" + name[len(name)-1:], start: time.Now().Add(-24 * time.Hour).UnixMilli()}
	if status := p.front.call(p.t, "POST", "/api/v1/claim", map[string]string{"code": code}, &s.Claim); status != 200 {
		p.t.Fatal(status)
	}
	return s
}

func (s *sender) body(seq uint64) string {
	var b strings.Builder
	for i := range senderRows {
		fmt.Fprintf(&b, "hearth,device=radio:%d temperature=%d.%d %d\n", i%5, seq%100, i, s.start+int64(seq)*senderRows+int64(i))
	}
	return b.String()
}

// errAgain says that a batch is to be sent again.
var errAgain = errors.New("again")

// send makes one try; what is acknowledged must be durable for ever.
func (s *sender) send(base string, seq uint64) error {
	req, err := http.NewRequest("POST", base+"/api/v2/write?precision=ms", strings.NewReader(s.body(seq)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Token "+s.Token)
	req.Header.Set(hearth.HeaderBatch, hearth.BatchID{Epoch: s.epoch, Seq: seq}.String())
	req.Header.Set(hearth.HeaderLedger, hearth.Ledger{Produced: seq * senderRows, Backlog: senderRows, Durable: seq - 1}.String())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return errAgain
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	switch {
	case resp.StatusCode == http.StatusNoContent:
		if got, want := resp.Header.Get(hearth.HeaderDurable), (hearth.BatchID{Epoch: s.epoch, Seq: seq}).String(); got != want {
			return fmt.Errorf("%s is durable after %s", got, want)
		}
		return nil
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests:
		return errAgain
	}
	return fmt.Errorf("batch %d: %s %s", seq, resp.Status, text)
}

func (s *sender) run(p *plant, until <-chan struct{}) {
	for {
		select {
		case <-until:
			return
		default:
		}
		seq := s.acked.Load() + 1
		switch err := s.send(p.front.base, seq); {
		case err == nil:
			s.acked.Store(seq)
		case errors.Is(err, errAgain):
			time.Sleep(50 * time.Millisecond)
		default:
			p.t.Errorf("%s: %v", s.Name, err)
			return
		}
	}
}

// check makes sure that every receiver has every acknowledged row, counted once.
func (s *sender) check(p *plant) {
	t := p.t
	t.Helper()
	acked := s.acked.Load()
	for i, f := range p.faces {
		base := "/api/v1/homes/" + s.Home
		var sync hearth.Sync
		if code := f.call(t, "GET", base+"/sync", nil, &sync); code != 200 || sync.Durable < acked || sync.Durable > acked+1 {
			t.Errorf("receiver %d: %s: %d batches were acknowledged, %+v is durable (%d)", i, s.Name, acked, sync, code)
		}
		rows := int64(sync.Durable * senderRows)
		var l ledger
		f.call(t, "GET", base+"/ledger", nil, &l)
		if got := l.Total; got.Produced != rows || got.Received != rows || got.Unexplained != 0 || got.Dropped != 0 {
			t.Errorf("receiver %d: %s: ledger %+v, want %d rows", i, s.Name, got, rows)
		}
		counted := int64(0)
		for device := range 5 {
			counted += historyOf(t, f, s.Home, fmt.Sprintf("radio:%d", device), "temperature", s.start, s.start+rows+senderRows)
		}
		if counted != rows {
			t.Errorf("receiver %d: %s: the histories have %d rows, want %d", i, s.Name, counted, rows)
		}
	}
	eventually(t, "every acknowledged row of "+s.Name+" in VictoriaMetrics", func() bool {
		return victoriaRows(t, p.victoria, "hearth_temperature", s.Home) >= int64(acked*senderRows)
	})
}

// historyOf counts the rows of a series.
func historyOf(t testing.TB, f face, home, device, property string, from, to int64) int64 {
	t.Helper()
	var history struct{ Points [][5]float64 }
	f.call(t, "GET", fmt.Sprintf("/api/v1/homes/%s/history?device=%s&property=%s&from=%d&to=%d&points=1", home, device, property, from, to), nil, &history)
	if len(history.Points) == 0 {
		return 0
	}
	return int64(history.Points[0][4])
}

// TestReceiversAreKilled kills either of two receivers under load, again and again: nothing acknowledged is lost, both
// have the same, no command is carried out twice, and each has one final state.
func TestReceiversAreKilled(t *testing.T) {
	p := newPlant(t)
	houses := []*house{p.newHouse("House one"), p.newHouse("House two")}
	senders := make([]*sender, 6)
	for i := range senders {
		senders[i] = p.newSender(fmt.Sprintf("Sender %d", i))
	}
	until := make(chan struct{})
	var all sync.WaitGroup
	for _, s := range senders {
		all.Go(func() { s.run(p, until) })
	}
	for _, h := range houses {
		all.Go(func() { h.command(p, until) })
	}
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		before := senders[0].acked.Load()
		eventually(t, "more batches taken", func() bool { return senders[0].acked.Load() > before+15 })
		victim := p.receivers[round%2]
		victim.kill()
		before = senders[0].acked.Load()
		eventually(t, "more batches taken by the other one", func() bool { return senders[0].acked.Load() > before+15 })
		victim.start()
	}
	before := senders[0].acked.Load()
	eventually(t, "more batches taken at the end", func() bool { return senders[0].acked.Load() > before+15 })
	close(until)
	all.Wait()
	var batches uint64
	for _, s := range senders {
		s.check(p)
		batches += s.acked.Load()
	}
	t.Logf("%d kills, %d batches of %d rows", rounds, batches, senderRows)
	for _, h := range houses {
		h.check(p)
		h.edge.stop()
		h.same(p)
	}
}

// same makes sure that both receivers have the same of a house whose gateway has stopped.
func (h *house) same(p *plant) {
	t := p.t
	t.Helper()
	base := "/api/v1/homes/" + h.home
	var devices []hearth.DeviceView
	p.faces[0].call(t, "GET", base+"/devices", nil, &devices)
	if len(devices) < 6 {
		t.Fatalf("%d devices", len(devices))
	}
	var ledgers [2]json.RawMessage
	for i, f := range p.faces {
		var l ledger
		f.call(t, "GET", base+"/ledger", nil, &ledgers[i])
		if err := json.Unmarshal(ledgers[i], &l); err != nil {
			t.Fatal(err)
		}
		if l.Total.Unexplained != 0 || l.Total.Dropped != 0 || l.Total.Received == 0 {
			t.Errorf("receiver %d: ledger %+v", i, l.Total)
		}
	}
	if string(ledgers[0]) != string(ledgers[1]) {
		t.Errorf("the ledgers differ:\n%s\n%s", ledgers[0], ledgers[1])
	}
	from := time.Now().Add(-time.Hour).UnixMilli()
	for _, d := range devices {
		for _, property := range d.Properties {
			path := fmt.Sprintf("%s/history?device=%s&property=%s&from=%d&to=%d&points=500", base, d.ID, property.Name, from, from+2*3600_000)
			_, one := p.faces[0].ask(t, "GET", path, nil)
			_, other := p.faces[1].ask(t, "GET", path, nil)
			if string(one) != string(other) || len(one) == 0 {
				t.Errorf("%s %s: the histories differ:\n%s\n%s", d.ID, property.Name, one, other)
			}
		}
	}
}
