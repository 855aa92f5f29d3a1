package downlink

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"hearth"
)

func TestAllowed(t *testing.T) {
	r := newRig(t)
	landlord, err := r.books.AddTenant(t.Context(), "Landlord")
	r.must(err)
	theirs, _, err := r.books.AddHome(t.Context(), landlord.ID, "Theirs")
	r.must(err)
	named := strings.NewReplacer("h1", r.home.ID, "h2", theirs.ID)
	const gateway, reader, control, everywhere, writer, tenant = "gateway", "reader", "control", "everywhere", "writer", "tenant"
	all := map[string]hearth.Token{
		gateway:    {Scope: hearth.ScopeGateway, Home: r.home.ID},
		reader:     {Scope: hearth.ScopeRead, Home: r.home.ID},
		control:    {Scope: hearth.ScopeControl, Home: r.home.ID},
		everywhere: {Scope: hearth.ScopeAdmin},
		writer:     {Scope: hearth.ScopeWrite, Home: r.home.ID},
		tenant:     {Scope: hearth.ScopeRead, Tenant: landlord.ID},
	}
	tests := []struct {
		topic     string
		write     bool
		permitted []string
	}{
		{"hearth/h1/do", true, nil},
		{"hearth/h1/done", true, []string{gateway}},
		{"hearth/h1/online", true, []string{gateway}},
		{"hearth/h1/reading/radio:1/on", true, []string{gateway}},
		{"hearth/h1/event/status", true, []string{gateway}},
		{"hearth/h1/done/x", true, nil},
		{"hearth/h1/reading", true, nil},
		{"hearth/h1/event/", true, nil},
		{"hearth/h1/else", true, nil},
		{"hearth/h2/done", true, nil},
		{"$SYS/broker/version", true, nil},
		{"", true, nil},
		{"hearth/h1/do", false, []string{gateway, reader, control, everywhere}},
		{"hearth/h1/online", false, []string{gateway, reader, control, everywhere}},
		{"hearth/h1/done", false, []string{reader, control, everywhere}},
		{"hearth/h1/#", false, []string{reader, control, everywhere}},
		{"hearth/h1/reading/+/temperature", false, []string{reader, control, everywhere}},
		{"hearth/h2/do", false, []string{everywhere, tenant}},
		{"hearth/h2/#", false, []string{everywhere, tenant}},
		{"hearth/+/do", false, []string{everywhere, tenant}},
		{"hearth/#", false, []string{everywhere, tenant}},
		{"hearth/h3/#", false, nil},
		{"+/h1/do", false, nil},
		{"#", false, nil},
		{"/hearth/h1/do", false, nil},
		{"hearth//do", false, nil},
		{"$SYS/#", false, nil},
		{"$share/g/hearth/h1/do", false, nil},
	}
	for _, test := range tests {
		for name, token := range all {
			if got, want := r.d.via.(*embedded).allowed(token, named.Replace(test.topic), test.write), slices.Contains(test.permitted, name); got != want {
				t.Errorf("%s, %s, write %v: %v", name, test.topic, test.write, got)
			}
		}
	}
}

func TestWhoIsLetIn(t *testing.T) {
	r := newRig(t)
	secret := r.token("gw", hearth.ScopeGateway, r.home.ID)
	writer := r.token("writer", hearth.ScopeWrite, r.home.ID)
	for _, test := range []struct {
		name, secret string
		in           bool
	}{
		{"gw", secret, true}, {"gw", secret + "x", false}, {"gw", "", false}, {"someone", secret, false}, {"", "", false}, {"writer", writer, true},
	} {
		if _, err := r.connect(r.options(test.name, test.secret)); (err == nil) != test.in {
			t.Errorf("%q: %v", test.name, err)
		}
	}
}

// subscribed reports whether the broker granted a subscription.
func subscribed(client paho.Client, filter string, on paho.MessageHandler) bool {
	token := client.Subscribe(filter, 1, on)
	token.Wait()
	granted, ok := token.(*paho.SubscribeToken)
	if token.Error() != nil || !ok || len(granted.Result()) != 1 {
		return false
	}
	for _, code := range granted.Result() { // by another name, if it was a shared one
		return code <= 2
	}
	return false
}

func TestHomesAreApart(t *testing.T) {
	r := newRig(t)
	reader, err := r.connect(r.options("reader", r.token("reader", hearth.ScopeRead, r.home.ID)))
	r.must(err)
	all, err := r.connect(r.options("all", r.token("all", hearth.ScopeRead, "")))
	r.must(err)
	heard := make(chan string, 100)
	hear := func(who string) paho.MessageHandler {
		return func(_ paho.Client, m paho.Message) { heard <- who + " " + m.Topic() + " " + string(m.Payload()) }
	}
	for _, filter := range []string{"#", "$SYS/#", "hearth/#", "hearth/+/do", hearth.TopicDo(r.other.ID), "hearth/" + r.other.ID + "/#", "$share/x/hearth/" + r.home.ID + "/#"} {
		if subscribed(reader, filter, hear("reader")) {
			t.Errorf("a reader of one home may subscribe to %s", filter)
		}
	}
	if !subscribed(reader, "hearth/"+r.home.ID+"/#", hear("reader")) || !subscribed(all, "hearth/+/reading/#", hear("all")) {
		t.Error("a reader may not listen to its own home")
	}
	mine := r.gateway("gw", r.token("gw", hearth.ScopeGateway, r.home.ID), r.home.ID)
	other := r.gateway("other", r.token("other", hearth.ScopeGateway, r.other.ID), r.other.ID)
	mine.wait(mine.Publish(hearth.TopicReading(r.home.ID, "radio:1", "on"), 1, true, `{"value":true,"time":null}`))
	other.wait(other.Publish(hearth.TopicReading(r.other.ID, "radio:1", "on"), 1, false, `{"value":false,"time":"2026-11-22T12:00:00Z"}`))
	got := map[string]bool{}
	for len(got) < 4 {
		got[<-heard] = true
	}
	for _, want := range []string{
		"reader hearth/" + r.home.ID + "/online true",
		"reader hearth/" + r.home.ID + `/reading/radio:1/on {"value":true,"time":null}`,
		"all hearth/" + r.home.ID + `/reading/radio:1/on {"value":true,"time":null}`,
		"all hearth/" + r.other.ID + `/reading/radio:1/on {"value":false,"time":"2026-11-22T12:00:00Z"}`,
	} {
		if !got[want] {
			t.Errorf("not heard: %s; but %q", want, keys(got))
		}
	}
	r.until("readings", func() bool { return len(r.readings) == 2 })
	late, err := r.connect(r.options("late", r.token("late", hearth.ScopeRead, r.home.ID)))
	r.must(err)
	retained := make(chan string, 10)
	subscribed(late, "hearth/"+r.home.ID+"/#", func(_ paho.Client, m paho.Message) { retained <- m.Topic() })
	if topic := <-retained; topic != hearth.TopicOnline(r.home.ID) || len(retained) > 0 {
		t.Errorf("%s is retained, and %d more", topic, len(retained))
	}
}

// Whoever publishes what it may not is cut off and nobody hears of it.
func TestForbiddenPublishing(t *testing.T) {
	r := newRig(t)
	victim := r.gateway("gw", r.token("gw", hearth.ScopeGateway, r.home.ID), r.home.ID)
	thief := r.token("thief", hearth.ScopeGateway, r.other.ID)
	admin := r.token("admin", hearth.ScopeAdmin, "")
	record := r.do(`{"on":true}`)
	victim.next()
	answer := []byte(`{"id":"` + record.ID + `","state":"confirmed","final":true}`)
	for _, test := range []struct{ name, secret, topic string }{
		{"thief", thief, hearth.TopicDone(r.home.ID)}, {"thief", thief, hearth.TopicDo(r.home.ID)}, {"thief", thief, hearth.TopicOnline(r.home.ID)},
		{"thief", thief, hearth.TopicDo(r.other.ID)}, {"admin", admin, hearth.TopicDo(r.home.ID)}, {"admin", admin, hearth.TopicDone(r.home.ID)},
	} {
		client, err := r.connect(r.options(test.name, test.secret))
		r.must(err)
		lost := client.Publish(test.topic, 1, false, answer)
		if lost.WaitTimeout(10*time.Second) && lost.Error() == nil && client.IsConnectionOpen() {
			t.Errorf("%s published on %s", test.name, test.topic)
		}
	}
	if got := r.record(record.ID); got.State != hearth.Sent || len(victim.commands) != 0 {
		t.Errorf("it is %s; %d commands", got.State, len(victim.commands))
	}
}

// A last will is a publish as well, and a foreign client's id takes over nobody's session.
func TestWillsAndIDs(t *testing.T) {
	r := newRig(t)
	victim := r.gateway("gw", r.token("gw", hearth.ScopeGateway, r.home.ID), r.home.ID)
	heard := make(chan string, 10)
	reader, err := r.connect(r.options("all", r.token("all", hearth.ScopeRead, "")))
	r.must(err)
	subscribed(reader, hearth.TopicDo("+"), func(_ paho.Client, m paho.Message) { heard <- m.Topic() })
	o := r.options("thief", r.token("thief", hearth.ScopeGateway, r.other.ID)).SetClientID("client-gw").
		SetBinaryWill(hearth.TopicDo(r.home.ID), []byte(`{"id":"x"}`), 1, true)
	conn := make(chan net.Conn, 1)
	o.SetCustomOpenConnectionFn(dialer(conn))
	if _, err := r.connect(o); err != nil {
		t.Fatal(err)
	}
	r.until("the thief is there", func() bool { return r.online[r.other.ID] })
	r.must((<-conn).Close())
	r.until("the thief is gone", func() bool { return !r.online[r.other.ID] })
	record := r.do(`{"on":true}`)
	if cmd := victim.next(); cmd.ID != record.ID {
		t.Errorf("the victim got %+v", cmd)
	}
	if topic := <-heard; topic != hearth.TopicDo(r.home.ID) || len(heard) > 0 {
		t.Errorf("heard %s and %d more", topic, len(heard))
	}
}

func TestOnline(t *testing.T) {
	r := newRig(t)
	secret := r.token("gw", hearth.ScopeGateway, r.home.ID)
	heard := make(chan string, 100)
	reader, err := r.connect(r.options("all", r.token("all", hearth.ScopeRead, "")))
	r.must(err)
	subscribed(reader, hearth.TopicOnline("+"), func(_ paho.Client, m paho.Message) { heard <- string(m.Payload()) })
	conn := make(chan net.Conn, 2)
	open := func(id string) paho.Client {
		o := r.options("gw", secret).SetClientID(id).SetBinaryWill(hearth.TopicOnline(r.home.ID), []byte("gone"), 1, true)
		client, err := r.connect(o.SetCustomOpenConnectionFn(dialer(conn)))
		r.must(err)
		client.Publish(hearth.TopicOnline(r.home.ID), 1, true, "true").Wait()
		return client
	}
	open("one")
	r.until("online", func() bool { return r.online[r.home.ID] })
	open("one") // the same gateway again, before anybody noticed that the first connection is dead
	first := <-conn
	r.eventually("two sessions", func() bool { return r.d.Clients() == 2 }) // with the reader
	r.note(func() {
		if !r.online[r.home.ID] {
			t.Error("a gateway that came back is offline")
		}
	})
	first.Close()
	r.must((<-conn).Close())
	r.until("offline", func() bool { return !r.online[r.home.ID] })
	for _, want := range []string{"true", "true", "gone"} {
		if got := <-heard; got != want {
			t.Errorf("on the topic: %s, want %s", got, want)
		}
	}
	record := r.do(`{"on":true}`)
	if record.State != hearth.Accepted {
		t.Errorf("a command to a home that is offline is %s", record.State)
	}
}

// A client that says it stays silent for ever is found dead all the same.
func TestKeepAliveIsBounded(t *testing.T) {
	r := newRig(t)
	conn, err := net.Dial("tcp", r.d.via.(*embedded).listener.Addr().String())
	r.must(err)
	defer conn.Close()
	secret := r.token("gw", hearth.ScopeGateway, r.home.ID)
	body := slices.Concat([]byte{0, 4}, []byte("MQTT"), []byte{4, 0xC2, 0, 0}, text("id"), text("gw"), text(secret)) // keep alive 0
	_, err = conn.Write(append([]byte{0x10, byte(len(body))}, body...))
	r.must(err)
	reply := make([]byte, 4)
	if _, err := io.ReadFull(conn, reply); err != nil || !bytes.Equal(reply, []byte{0x20, 2, 0, 0}) {
		t.Fatalf("% x, %v", reply, err)
	}
	for _, client := range r.d.via.(*embedded).server.Clients.GetAll() {
		if !client.Net.Inline && client.State.Keepalive != mostKeepAlive {
			t.Errorf("keep alive is %d s", client.State.Keepalive)
		}
	}
}

func text(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }

func TestTooLargeAPacket(t *testing.T) {
	r := newRig(t)
	client, err := r.connect(r.options("gw", r.token("gw", hearth.ScopeGateway, r.home.ID)))
	r.must(err)
	client.Publish(hearth.TopicDone(r.home.ID), 0, false, make([]byte, maxPacket+1))
	r.until("cut off", func() bool { return !client.IsConnectionOpen() })
}

func TestOverWebSocket(t *testing.T) {
	r := newRig(t)
	server := httptest.NewServer(r.d.Handler())
	defer server.Close()
	secret := r.token("gw", hearth.ScopeGateway, r.home.ID)
	o := r.options("gw", secret)
	o.Servers = nil
	client, err := r.connect(o.AddBroker(webAddress(server)))
	r.must(err)
	commands := make(chan []byte, 1)
	if !subscribed(client, hearth.TopicDo(r.home.ID), func(_ paho.Client, m paho.Message) { commands <- m.Payload() }) {
		t.Fatal("no subscription")
	}
	r.until("online", func() bool { return r.online[r.home.ID] })
	record := r.do(`{"on":true}`)
	if got := <-commands; !bytes.Contains(got, []byte(record.ID)) {
		t.Errorf("got %s", got)
	}
	big := bytes.Repeat([]byte("x"), 100_000) // in several frames
	client.Publish(hearth.TopicEvent(r.home.ID, "alert"), 1, false, big).Wait()
	r.until("the event", func() bool { return len(r.events) == 1 && len(r.events[0]) > len(big) })
	r.end()
	r.until("cut off", func() bool { return !client.IsConnectionOpen() })
}

func dialer(conns chan<- net.Conn) paho.OpenConnectionFunc {
	return func(uri *url.URL, _ paho.ClientOptions) (net.Conn, error) {
		conn, err := net.Dial("tcp", uri.Host)
		if err == nil {
			conns <- conn
		}
		return conn, err
	}
}

// letAllIn is a broker that knows nothing of Hearth.
type letAllIn struct{ mochi.HookBase }

func (*letAllIn) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (*letAllIn) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*letAllIn) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

// Another broker carries the same: here a bare mochi that lets everybody in.
func TestExternalBroker(t *testing.T) {
	server := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(new(letAllIn), nil); err != nil {
		t.Fatal(err)
	}
	listener := listeners.NewTCP(listeners.Config{ID: "t", Address: "127.0.0.1:0"})
	if err := server.AddListener(listener); err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	r := newRig(t, func(o *Options) {
		o.Embedded, o.External = nil, &External{Broker: "mqtt://" + listener.Address(), Username: "cloud", Password: "x"}
	})
	stored := r.do(`{"on":true}`)
	if stored.State != hearth.Accepted || r.d.Handler() != nil {
		t.Fatalf("%+v", stored)
	}
	g := &gateway{r: r, home: r.home.ID, commands: make(chan hearth.Command, 10)}
	o := paho.NewClientOptions().AddBroker("mqtt://" + listener.Address()).SetClientID("gw").SetAutoReconnect(false)
	var err error
	g.Client, err = r.connect(o)
	r.must(err)
	subscribed(g.Client, hearth.TopicDo(r.home.ID), g.collect)
	g.wait(g.Publish(hearth.TopicOnline(r.home.ID), 1, true, "true"))
	if cmd := g.next(); cmd.ID != stored.ID { // what waited comes as soon as the gateway is there
		t.Errorf("got %+v", cmd)
	}
	sent := r.do(`{"brightness":3}`)
	if cmd := g.next(); sent.State != hearth.Sent || cmd.ID != sent.ID {
		t.Errorf("%+v, got %+v", sent, cmd)
	}
	g.answer(sent.ID, hearth.Confirmed, true, nil)
	final, err := r.d.Wait(t.Context(), r.home.ID, sent.ID)
	if err != nil || final.State != hearth.Confirmed {
		t.Errorf("%+v, %v", final, err)
	}
	g.wait(g.Publish(hearth.TopicReading(r.home.ID, "radio:1", "on"), 1, false, `{"value":true,"time":null}`))
	r.until("a reading", func() bool { return len(r.readings) == 1 })
	g.wait(g.Publish(hearth.TopicOnline(r.home.ID), 1, true, "false"))
	r.until("offline", func() bool { return !r.online[r.home.ID] })
}
