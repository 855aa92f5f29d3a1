package downlink

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
	"hearth/cloud/accounts"
)

// A rig is a Downlink on a real database with the broker running, and homes with one lamp each.
type rig struct {
	t     *testing.T
	d     *Downlink
	books *accounts.Accounts
	home  accounts.Home
	other accounts.Home
	end   context.CancelFunc // stops it and waits

	mu       sync.Mutex
	now      time.Time // zero: the real one
	online   map[string]bool
	readings []hearth.Reading
	events   []string
	records  []hearth.Record // in the order in which they changed
}

func lamp(string, hearth.ID) (hearth.DeviceView, bool) {
	on, _ := hearth.Word("on")
	brightness, _ := hearth.Word("brightness")
	power, _ := hearth.Word("power")
	return hearth.DeviceView{ID: "radio:1", Properties: []hearth.PropertyView{
		{Property: on.AsWritable()}, {Property: brightness.AsWritable()}, {Property: power},
	}}, true
}

// newRig starts a Downlink; change may alter its options.
func newRig(t *testing.T, change ...func(*Options)) *rig {
	t.Helper()
	books, err := accounts.Open(t.Context(), accounts.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { books.Close() })
	r := &rig{t: t, books: books, online: map[string]bool{}}
	r.home, _, err = books.AddHome(t.Context(), "", "Cabin")
	r.must(err)
	r.other, _, err = books.AddHome(t.Context(), "", "Other")
	r.must(err)
	o := Options{
		Accounts: books, Embedded: &Embedded{Listen: "127.0.0.1:0"}, Log: slog.New(slog.DiscardHandler), Now: r.clock,
		Device: func(home string, id hearth.ID) (hearth.DeviceView, bool) {
			view, ok := lamp(home, id)
			return view, ok && id == view.ID
		},
		Changed: func(_ string, rec hearth.Record) { r.note(func() { r.records = append(r.records, rec) }) },
		Online:  func(home string, online bool) { r.note(func() { r.online[home] = online }) },
		Reading: func(_ string, reading hearth.Reading) { r.note(func() { r.readings = append(r.readings, reading) }) },
		Event: func(home, kind string, payload []byte) {
			r.note(func() { r.events = append(r.events, home+" "+kind+" "+string(payload)) })
		},
	}
	for _, f := range change {
		f(&o)
	}
	r.d = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	r.must(r.d.Listen(ctx))
	done := make(chan error, 1)
	go func() { done <- r.d.Run(ctx) }()
	r.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(r.end)
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now.IsZero() {
		return time.Now()
	}
	return r.now
}

func (r *rig) setClock(now time.Time) { r.note(func() { r.now = now }) }

// until waits for a condition of what the rig has heard, which it looks at again and again.
func (r *rig) until(about string, condition func() bool) {
	r.t.Helper()
	r.eventually(about, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return condition()
	})
}

// eventually waits for a condition of the Downlink itself, which may be telling the rig something just now.
func (r *rig) eventually(about string, condition func() bool) {
	r.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !condition() {
		select {
		case <-tick.C:
		case <-limit:
			r.t.Fatalf("it never came to be: %s", about)
		}
	}
}

func (r *rig) token(name string, scope hearth.Scope, home string) string {
	r.t.Helper()
	secret, err := r.books.AddToken(r.t.Context(), hearth.Token{Name: name, Scope: scope, Home: home})
	r.must(err)
	return secret
}

func (r *rig) address() string { return "mqtt://" + r.d.via.(*embedded).listener.Addr().String() }

func (r *rig) options(name, secret string) *paho.ClientOptions {
	return paho.NewClientOptions().AddBroker(r.address()).SetClientID("client-" + name).SetUsername(name).SetPassword(secret).
		SetAutoReconnect(false).SetConnectTimeout(5 * time.Second).SetProtocolVersion(4)
}

func (r *rig) connect(o *paho.ClientOptions) (paho.Client, error) {
	client := paho.NewClient(o)
	token := client.Connect()
	token.Wait()
	if token.Error() == nil {
		r.t.Cleanup(func() { client.Disconnect(0) })
	}
	return client, token.Error()
}

// A gateway is a fake one: it collects commands and answers as it is told.
type gateway struct {
	paho.Client
	r        *rig
	home     string
	commands chan hearth.Command
}

func (r *rig) gateway(name string, secret, home string) *gateway {
	r.t.Helper()
	g := &gateway{r: r, home: home, commands: make(chan hearth.Command, 100)}
	o := r.options(name, secret).SetBinaryWill(hearth.TopicOnline(home), []byte("false"), 1, true)
	var err error
	g.Client, err = r.connect(o)
	r.must(err)
	g.wait(g.Subscribe(hearth.TopicDo(home), 1, g.collect))
	g.wait(g.Publish(hearth.TopicOnline(home), 1, true, "true"))
	r.until("the home is online", func() bool { return r.online[home] })
	return g
}

func (g *gateway) collect(_ paho.Client, m paho.Message) {
	var cmd hearth.Command
	if err := json.Unmarshal(m.Payload(), &cmd); err != nil || m.Retained() {
		g.r.t.Errorf("on do: %s (retained %v): %v", m.Payload(), m.Retained(), err)
	}
	g.commands <- cmd
}

func (g *gateway) wait(token paho.Token) {
	g.r.t.Helper()
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		g.r.t.Fatalf("no acknowledgement: %v", token.Error())
	}
}

func (g *gateway) next() hearth.Command {
	g.r.t.Helper()
	select {
	case cmd := <-g.commands:
		return cmd
	case <-time.After(10 * time.Second):
		g.r.t.Fatal("no command came")
		return hearth.Command{}
	}
}

func (g *gateway) answer(id string, state hearth.State, final bool, why *hearth.Error) {
	g.r.t.Helper()
	body, err := json.Marshal(hearth.Result{ID: id, State: state, Final: final, Error: why})
	g.r.must(err)
	g.wait(g.Publish(hearth.TopicDone(g.home), 1, false, body))
}

func (r *rig) do(set string) hearth.Record {
	r.t.Helper()
	record, err := r.d.Do(r.t.Context(), r.home.ID, command("", set), accounts.AuditEntry{})
	r.must(err)
	return record
}

func command(id, set string) hearth.Command {
	cmd := hearth.Command{ID: id, Device: "radio:1"}
	if err := json.Unmarshal([]byte(set), &cmd.Set); err != nil {
		panic(err)
	}
	return cmd
}

func (r *rig) record(id string) hearth.Record {
	r.t.Helper()
	record, err := r.d.Command(r.t.Context(), r.home.ID, id)
	r.must(err)
	return record
}

func states(r hearth.Record) string {
	var names []string
	for _, step := range r.History {
		names = append(names, string(step.State))
	}
	return strings.Join(names, " ")
}

func (r *rig) wantCode(err error, code string) {
	r.t.Helper()
	if err == nil || hearth.ErrorOf(err).Code != code {
		r.t.Errorf("error %v, want code %s", err, code)
	}
}

func webAddress(server *httptest.Server) string {
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/mqtt"
}

func keys(m map[string]bool) (names []string) {
	for name := range maps.Keys(m) {
		names = append(names, name)
	}
	return names
}
