package downlink

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
	"hearth/cloud/accounts"
)

// direct notes what devices without a gateway say.
type direct struct {
	mu    sync.Mutex
	said  []string
	fails error
}

func (d *direct) note(format string, args ...any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails == nil {
		d.said = append(d.said, fmt.Sprintf(format, args...))
	}
	return d.fails
}

func (d *direct) Announce(_ context.Context, home string, id hearth.ID, a hearth.Announcement) (hearth.DeviceView, error) {
	return hearth.DeviceView{ID: id}, d.note("%s announces %s with %d", home, id, len(a.Properties))
}

func (d *direct) Report(_ context.Context, token hearth.Token, home string, readings []hearth.DirectReading) error {
	return d.note("%s of %s: %s %s %s", token.Name, home, readings[0].Device, readings[0].Property, readings[0].Value)
}

// A listener collects what a client hears, as topic and payload.
type listener struct {
	r *rig
	paho.Client
	heard []string
}

// listen connects as a token and subscribes; it hears from then on.
func (r *rig) listen(name, secret string, filters ...string) *listener {
	r.t.Helper()
	l := &listener{r: r}
	var err error
	l.Client, err = r.connect(r.options(name, secret))
	r.must(err)
	for _, filter := range filters {
		if !subscribed(l.Client, filter, func(_ paho.Client, m paho.Message) {
			r.note(func() { l.heard = append(l.heard, m.Topic()+" "+string(m.Payload())) })
		}) {
			r.t.Fatalf("%s may not subscribe to %s", name, filter)
		}
	}
	return l
}

// hears waits until it has heard something that begins with topic and holds words.
func (l *listener) hears(topic, words string) {
	l.r.t.Helper()
	l.r.until(topic+" "+words, func() bool { return l.has(topic, words) })
}

func (l *listener) has(topic, words string) bool {
	for _, said := range l.heard {
		if strings.HasPrefix(said, topic+" ") && strings.Contains(said, words) {
			return true
		}
	}
	return false
}

// tellAll has a rig tell what changes, as a receiver does.
func tellAll(r **rig) func(*Options) {
	return func(o *Options) {
		changed := o.Changed
		o.Changed = func(home string, rec hearth.Record) {
			changed(home, rec)
			(*r).d.Tell(home, "command", rec)
		}
	}
}

func (r *rig) publish(client paho.Client, topic, payload string) {
	r.t.Helper()
	if token := client.Publish(topic, 1, false, payload); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		r.t.Fatalf("%s was not acknowledged: %v", topic, token.Error())
	}
}

func TestCommandsOfApplications(t *testing.T) {
	var r *rig
	r = newRig(t, tellAll(&r))
	app := r.listen("app", r.token("app", hearth.ScopeControl, ""), "hearth/+/event/#", "hearth/#")
	g := r.gateway("gw", r.token("gw", hearth.ScopeGateway, r.home.ID), r.home.ID)
	topic, events := hearth.TopicCommand(r.home.ID), hearth.TopicEvent(r.home.ID, "command")
	r.publish(app, topic, `{"id":"mine","device":"radio:1","set":{"on":true}}`)
	if record := r.record("mine"); record.By != "app" || record.State != hearth.Sent { // the acknowledgement means that it is stored
		t.Errorf("%+v", record)
	}
	if cmd := g.next(); cmd.ID != "mine" {
		t.Errorf("the gateway got %+v", cmd)
	}
	g.answer("mine", hearth.Confirmed, true, nil)
	app.hears(events, `"state":"sent"`)
	app.hears(events, `"state":"confirmed"`)
	r.publish(app, topic, `{"id":"mine","device":"radio:1","set":{"on":true}}`) // again: the same command
	r.publish(app, topic, `{"id":"mine","device":"radio:1","set":{"on":false}}`)
	app.hears(events, `{"id":"mine","device":"radio:1","by":"app","error":{"code":"conflict"`)
	for payload, code := range map[string]string{
		`{"id":"a","device":"radio:9","set":{"on":true}}`:                                   "no_device",
		`{"id":"b","device":"radio:1","set":{"power":1}}`:                                   "read_only",
		`{"id":"c","device":"radio:1","set":{"brightness":101}}`:                            "bad_value",
		`{"id":"d","device":"radio:1","set":{"on":true},"deadline":"2001-01-01T00:00:00Z"}`: "bad_value",
		`{"id":"e","device":"radio:1","set":{"on":[1]}}`:                                    "bad_value",
		`{"id":"f","device":"radio:1","set":"` + strings.Repeat("x", maxPayload) + `"}`:     "bad_value",
		`nothing`: "bad_value",
	} {
		r.publish(app, topic, payload)
		app.hears(events, `"error":{"code":"`+code+`"`)
		r.note(func() { app.heard = nil })
	}
	if n := len(g.commands); n != 0 {
		t.Errorf("the gateway got %d commands more", n)
	}
	log, err := r.books.AuditLog(t.Context(), hearth.Token{Scope: hearth.ScopeAdmin}, auditOf(r.home.ID))
	if err != nil || len(log) != 1 || log[0].Who != "app" || log[0].Action != "giveCommand" || !strings.Contains(log[0].Detail, `mine radio:1 {"on":true}`) || log[0].Address == "" {
		t.Errorf("the audit: %+v, %v", log, err)
	}
	r.note(func() {
		if app.has(topic, "") {
			t.Error("what one application asks for is told to others")
		}
	})
}

func TestTooManyCommands(t *testing.T) {
	var r *rig
	r = newRig(t, tellAll(&r))
	r.setClock(time.Now())
	app := r.listen("app", r.token("app", hearth.ScopeControl, ""), "hearth/+/event/#")
	for i := range commandBurst + 1 {
		app.Publish(hearth.TopicCommand(r.home.ID), 1, false, fmt.Sprintf(`{"id":"%d","device":"radio:9","set":{"on":true}}`, i))
	}
	app.hears(hearth.TopicEvent(r.home.ID, "command"), `"code":"busy"`)
}

func TestDirectDevices(t *testing.T) {
	said := &direct{}
	r := newRig(t, func(o *Options) { o.Direct = said })
	meter := r.listen("meter", r.token("meter", hearth.ScopeWrite, r.home.ID), "hearth/"+r.home.ID+"/direct/+/refused")
	at := func(kind string) string { return hearth.TopicDirect(r.home.ID, "plug", kind) }
	r.publish(meter, at("announce"), `{"properties":[{"name":"power"}]}`)
	r.publish(meter, at("report"), `[{"property":"power","value":12.5}]`)
	want := []string{r.home.ID + " announces direct:plug with 1", "meter of " + r.home.ID + ": direct:plug power 12.5"}
	if got := said.said; len(got) != 2 || got[0] != want[0] || got[1] != want[1] { // the acknowledgement means that it is durable
		t.Errorf("%q", got)
	}
	for payload, words := range map[string]string{
		`{}`: "JSON", `[{"device":"direct:other","property":"power","value":1}]`: "not of direct:other", `[{"property":"power","value":{}}]`: "a value is",
	} {
		r.publish(meter, at("report"), payload)
		meter.hears(at("refused"), words)
	}
	said.mu.Lock()
	said.fails = hearth.Errorf(hearth.CodeNoDevice, "who is that")
	said.mu.Unlock()
	r.publish(meter, at("announce"), `{}`)
	meter.hears(at("refused"), `{"about":"announce","error":{"code":"no_device","message":"who is that"}}`)
	// What could not be stored is not acknowledged: the device comes again.
	said.mu.Lock()
	said.fails = fmt.Errorf("the disk is full")
	said.mu.Unlock()
	token := meter.Publish(at("report"), 1, false, `[{"property":"power","value":1}]`)
	r.until("the connection is cut", func() bool { return !meter.IsConnectionOpen() })
	if token.WaitTimeout(50*time.Millisecond) && token.Error() == nil {
		t.Error("what was not stored was acknowledged")
	}
}

// What the receiver tells reaches those who see the home, and nobody else.
func TestTellings(t *testing.T) {
	r := newRig(t)
	tenant, err := r.books.AddTenant(t.Context(), "Other tenant")
	r.must(err)
	theirs, _, err := r.books.AddHome(t.Context(), tenant.ID, "Theirs")
	r.must(err)
	secret, err := r.books.AddToken(t.Context(), hearth.Token{Name: "theirs", Scope: hearth.ScopeRead, Tenant: tenant.ID})
	r.must(err)
	all := r.listen("all", r.token("all", hearth.ScopeRead, ""), "hearth/#")
	other := r.listen("theirs", secret, "hearth/#", "hearth/tenant/+/event/#")
	r.d.Tell(r.home.ID, "alert", map[string]int{"n": 1})
	r.d.TellReading(r.home.ID, hearth.ReadingEvent{Device: "radio:1", Property: "power", Value: hearth.NumberOf(3)})
	r.d.TellTenant(tenant.ID, "job", map[string]int{"n": 2})
	r.d.TellTenant("main", "job", map[string]int{"n": 3})
	r.d.Tell(theirs.ID, "alert", map[string]int{"n": 4})
	all.hears(hearth.TopicEvent(theirs.ID, "alert"), `{"n":4}`)
	other.hears(hearth.TopicEvent(theirs.ID, "alert"), `{"n":4}`)
	r.mu.Lock()
	defer r.mu.Unlock()
	for topic, body := range map[string]string{
		hearth.TopicEvent(r.home.ID, "alert"): `{"n":1}`, hearth.TopicReading(r.home.ID, "radio:1", "power"): `{"value":3,"time":null}`,
		hearth.TopicTenantEvent(tenant.ID, "job"): `{"n":2}`, hearth.TopicTenantEvent("main", "job"): `{"n":3}`,
	} {
		if !all.has(topic, body) {
			t.Errorf("%s was not heard: %q", topic, all.heard)
		}
	}
	for _, said := range other.heard {
		if !strings.Contains(said, theirs.ID) && !strings.Contains(said, tenant.ID) {
			t.Errorf("another tenant heard %s", said)
		}
	}
	if !other.has(hearth.TopicTenantEvent(tenant.ID, "job"), `{"n":2}`) {
		t.Error("a tenant does not hear of its own jobs")
	}
}

// With nobody who listens, nothing is queued; a queue that is full loses the newest and counts them.
func TestTellingsAreBounded(t *testing.T) {
	r := newRig(t)
	r.d.Tell(r.home.ID, "alert", 1)
	if n := len(r.d.told); n != 0 || r.d.Untold() != 0 {
		t.Errorf("%d wait for nobody, %d lost", n, r.d.Untold())
	}
	r.end()
	r.d.via.(*embedded).listening.Add(1)
	for range maxTold + 5 {
		r.d.Tell(r.home.ID, "alert", 1)
	}
	if n := r.d.Untold(); n != 5 {
		t.Errorf("%d lost", n)
	}
}

// A gateway speaks of its status and nothing else in the receiver's place.
func TestGatewaysDoNotTellForTheReceiver(t *testing.T) {
	r := newRig(t)
	app := r.listen("app", r.token("app", hearth.ScopeRead, ""), "hearth/#")
	g := r.gateway("gw", r.token("gw", hearth.ScopeGateway, r.home.ID), r.home.ID)
	for _, kind := range []string{"alert", "command", "device", "status"} {
		g.wait(g.Publish(hearth.TopicEvent(r.home.ID, kind), 1, false, `{}`))
	}
	app.hears(hearth.TopicEvent(r.home.ID, "status"), "{}")
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, said := range app.heard {
		if strings.Contains(said, "/event/") && !strings.Contains(said, "/event/status") {
			t.Errorf("a gateway's word was passed on: %s", said)
		}
	}
}

func auditOf(home string) accounts.AuditFilter { return accounts.AuditFilter{Home: home, Limit: 10} }

func TestManyAtOnce(t *testing.T) {
	r := newRig(t)
	g := r.gateway("gw", r.token("gw", hearth.ScopeGateway, r.home.ID), r.home.ID)
	order := func(home, id, set string) Order {
		return Order{Home: home, Command: command(id, set), Job: Job{ID: "j", Key: "main/j"}}
	}
	orders := []Order{
		order(r.home.ID, "1", `{"on":true}`), order(r.other.ID, "2", `{"on":true}`), order(r.home.ID, "3", `{"nothing":1}`),
		order("none", "4", `{"on":true}`), order(r.other.ID, "5", `{"on":false}`), order(r.home.ID, "6", `{"brightness":1}`),
	}
	for round := range 2 {
		given, err := r.d.DoAll(t.Context(), orders)
		r.must(err)
		for i, want := range []string{"sent", "accepted", "no_device", "not_found", "accepted", "sent"} {
			got := string(given[i].Record.State)
			if given[i].Err != nil {
				got = hearth.ErrorOf(given[i].Err).Code
			} else if given[i].Record.Job != "j" || given[i].Fresh != (round == 0) || given[i].Record.ID != orders[i].Command.ID {
				t.Errorf("round %d, order %d: %+v", round, i, given[i])
			}
			if got != want && (round == 0 || i != 1) { // the second time it is there, superseded by the fifth
				t.Errorf("round %d, order %d: %s, want %s", round, i, got, want)
			}
		}
	}
	if a, b := g.next(), g.next(); a.ID != "1" || b.ID != "6" || len(g.commands) != 0 {
		t.Errorf("the gateway got %s and %s and %d more", a.ID, b.ID, len(g.commands))
	}
	n, err := r.d.Cancel(t.Context(), Job{ID: "j", Key: "main/j"}, "somebody")
	if err != nil || n != 1 {
		t.Errorf("%d cancelled, %v", n, err)
	}
	record, err := r.d.Command(t.Context(), r.other.ID, "5")
	if err != nil || record.State != hearth.Superseded || record.Error.Code != hearth.CodeCancelled || !strings.Contains(record.Error.Message, "somebody") {
		t.Errorf("%+v, %v", record, err)
	}
}

func FuzzApplications(f *testing.F) {
	f.Add([]byte(`{"id":"x","device":"radio:1","set":{"on":true},"deadline":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`[{"property":"power","value":1,"time":1700000000000}]`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var announced hearth.Announcement
		var readings []hearth.DirectReading
		var given struct {
			Set map[string]hearth.Value
		}
		for _, into := range []any{&announced, &readings, &given} {
			if err := parse(payload, into); err == nil {
				if _, err := json.Marshal(into); err != nil {
					t.Errorf("%s cannot be written again: %v", payload, err)
				}
			} else if !isRefusal(err) {
				t.Errorf("%v is no refusal", err)
			}
		}
	})
}
