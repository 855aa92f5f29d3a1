package cloud_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/klauspost/compress/zstd"

	"hearth"
	"hearth/cloud"
)

// A receiver is a whole one, in this process, with its owner.
type receiver struct {
	t     *testing.T
	url   string
	owner string // the first administrator's token
	stop  func() error
}

func config(dir string) cloud.Config {
	c := cloud.DefaultConfig()
	c.Data, c.Web.Listen, c.MQTT.Listen = dir, "127.0.0.1:0", "127.0.0.1:0"
	return c
}

func start(t *testing.T, c cloud.Config) *receiver {
	t.Helper()
	r := &receiver{t: t}
	ready, done := make(chan string, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		done <- cloud.Run(ctx, c, cloud.Options{
			Version: "1.2.3", Log: slog.New(slog.DiscardHandler),
			Ready: func(address string) { ready <- address },
			Link:  func(url string) { _, r.owner, _ = strings.Cut(url, "/?token=") },
		})
	}()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	select {
	case address := <-ready:
		r.url = "http://" + address
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	return r
}

func (r *receiver) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// ask makes a request and returns the answer, its body read into a value if one is given and the answer is a success.
func (r *receiver) ask(method, path, token, body string, into any, header ...string) *http.Response {
	r.t.Helper()
	resp, text := r.raw(method, path, token, body, header...)
	if into != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(text, into); err != nil {
			r.t.Fatalf("%s %s: %s: %v", method, path, text, err)
		}
	}
	if resp.Header.Get(hearth.HeaderTime) == "" {
		r.t.Errorf("%s %s: no %s", method, path, hearth.HeaderTime)
	}
	return resp
}

func (r *receiver) raw(method, path, token, body string, header ...string) (*http.Response, []byte) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	r.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	r.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	r.must(err)
	return resp, text
}

func (r *receiver) want(status int, resp *http.Response) {
	r.t.Helper()
	if resp.StatusCode != status {
		r.t.Fatalf("%s %s: %d, want %d", resp.Request.Method, resp.Request.URL.Path, resp.StatusCode, status)
	}
}

// claim makes a home and joins a gateway to it.
func (r *receiver) claim(name string) hearth.Claim {
	r.t.Helper()
	var home struct {
		ID        string
		ClaimCode string `json:"claim_code"`
		Expires   hearth.Time
	}
	r.want(201, r.ask("POST", "/api/v1/homes", r.owner, fmt.Sprintf(`{"name":%q}`, name), &home))
	var claim hearth.Claim
	r.want(200, r.ask("POST", "/api/v1/claim", "", fmt.Sprintf(`{"code":%q}`, home.ClaimCode), &claim))
	if claim.Home != home.ID || claim.Name != name || claim.Token == "" || claim.MQTT != "" {
		r.t.Fatalf("%+v", claim)
	}
	r.want(404, r.ask("POST", "/api/v1/claim", "", fmt.Sprintf(`{"code":%q}`, home.ClaimCode), nil))
	return claim
}

// A gateway is a fake one that speaks all of the protocol and answers commands as it is told.
type gateway struct {
	r *receiver
	hearth.Claim
	mqtt     paho.Client
	commands chan hearth.Command
}

func (g *gateway) wait(token paho.Token) {
	g.r.t.Helper()
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		g.r.t.Fatalf("MQTT: %v", token.Error())
	}
}

// connect brings it online by MQTT over WebSocket.
func (g *gateway) connect() {
	g.r.t.Helper()
	g.commands = make(chan hearth.Command, 100)
	o := paho.NewClientOptions().AddBroker("ws"+strings.TrimPrefix(g.r.url, "http")+"/mqtt").SetClientID("hearth-"+g.Home).
		SetUsername(g.TokenName).SetPassword(g.Token).SetAutoReconnect(false).SetBinaryWill(hearth.TopicOnline(g.Home), []byte("false"), 1, true)
	g.mqtt = paho.NewClient(o)
	g.wait(g.mqtt.Connect())
	g.r.t.Cleanup(func() { g.mqtt.Disconnect(0) })
	g.wait(g.mqtt.Subscribe(hearth.TopicDo(g.Home), 1, func(_ paho.Client, m paho.Message) {
		var cmd hearth.Command
		if err := json.Unmarshal(m.Payload(), &cmd); err != nil {
			g.r.t.Error(err)
		}
		g.commands <- cmd
	}))
	g.wait(g.mqtt.Publish(hearth.TopicOnline(g.Home), 1, true, "true"))
}

func (g *gateway) answer(id string, state hearth.State, final bool, why *hearth.Error) {
	g.r.t.Helper()
	body, err := json.Marshal(hearth.Result{ID: id, State: state, Final: final, Error: why})
	g.r.must(err)
	g.wait(g.mqtt.Publish(hearth.TopicDone(g.Home), 1, false, body))
}

func (g *gateway) batch(id, ledger, body string) *http.Response {
	g.r.t.Helper()
	w, err := zstd.NewWriter(nil)
	g.r.must(err)
	return g.r.ask("POST", "/api/v2/write?precision=ms", g.Token, string(w.EncodeAll([]byte(body), nil)), nil,
		"Content-Encoding", "zstd", hearth.HeaderBatch, id, hearth.HeaderLedger, ledger)
}

const inventory = `[{"id":"radio:1","name":"Lamp","room":"Hall","type":"light","driver":"radio","driver_type":"zigbee","reachable":true,
	"properties":[{"name":"on","kind":"bool","writable":true},{"name":"brightness","kind":"number","unit":"%","writable":true,"min":0,"max":100}]}]`

// A stream of live events.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
}

func (r *receiver) watch(path string) *stream {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "GET", r.url+path, nil)
	r.must(err)
	req.Header.Set("Authorization", "Bearer "+r.owner)
	resp, err := http.DefaultClient.Do(req)
	r.must(err)
	r.t.Cleanup(func() { resp.Body.Close() })
	s := &stream{t: r.t, lines: bufio.NewScanner(resp.Body)}
	for s.lines.Scan() && !strings.HasPrefix(s.lines.Text(), "id:") { // from here on nothing is missed
		continue
	}
	return s
}

// next returns the next event of that kind.
func (s *stream) next(kind string) string {
	s.t.Helper()
	for current := ""; s.lines.Scan(); {
		if name, ok := strings.CutPrefix(s.lines.Text(), "event: "); ok {
			current = name
		}
		if data, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok && current == kind {
			return data
		}
	}
	s.t.Fatalf("the stream ended: %v", s.lines.Err())
	return ""
}
