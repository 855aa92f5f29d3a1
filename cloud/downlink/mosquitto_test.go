package downlink

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
)

// startMosquitto runs Debian's mosquitto with passwords and the rights that configs/mosquitto.acl gives in one home. Every
// password is the user's name.
func startMosquitto(t *testing.T, home string) (address string) {
	t.Helper()
	if os.Getenv("HEARTH_E2E") != "1" {
		t.Skip("NOT RUN: a broker that nobody here wrote. Set HEARTH_E2E=1, with mosquitto installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	rights, err := os.ReadFile("../../configs/mosquitto.acl")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	passwords, acl, config := filepath.Join(dir, "passwords"), filepath.Join(dir, "acl"), filepath.Join(dir, "mosquitto.conf")
	text := strings.ReplaceAll(string(rights), "HOME", home)
	_, port, _ := strings.Cut(address, ":")
	for path, content := range map[string]string{
		passwords: "", acl: text,
		config: fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous false\npassword_file %s\nacl_file %s\npersistence false\nuser root\n", port, passwords, acl),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(text) {
		if user, ok := strings.CutPrefix(strings.TrimSpace(line), "user "); ok {
			if out, err := exec.Command("mosquitto_passwd", "-b", passwords, user, user).CombinedOutput(); err != nil {
				t.Fatalf("mosquitto_passwd: %v: %s", err, out)
			}
		}
	}
	broker := exec.Command("mosquitto", "-c", config)
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Process.Kill(); broker.Wait() })
	return address
}

// as connects to another broker, once it is there, and collects what it hears there.
func (r *rig) as(address, user string, filters ...string) *listener {
	r.t.Helper()
	l := &listener{r: r}
	for limit := time.Now().Add(10 * time.Second); ; {
		l.Client = paho.NewClient(paho.NewClientOptions().AddBroker("mqtt://" + address).SetClientID(user).SetUsername(user).SetPassword(user).SetAutoReconnect(false))
		if token := l.Connect(); token.Wait() && token.Error() == nil {
			break
		} else if time.Now().After(limit) {
			r.t.Fatalf("%s: %v", user, token.Error())
		}
	}
	r.t.Cleanup(func() { l.Disconnect(0) })
	for _, filter := range filters {
		if !subscribed(l.Client, filter, func(_ paho.Client, m paho.Message) {
			r.note(func() { l.heard = append(l.heard, m.Topic()+" "+string(m.Payload())) })
		}) {
			r.t.Fatalf("%s may not subscribe to %s", user, filter)
		}
	}
	return l
}

// On a broker of somebody else's, with the rights that the sample gives, everything works that works on our own.
func TestOnMosquitto(t *testing.T) {
	var r *rig
	said := &direct{}
	address := ""
	r = newRig(t, func(o *Options) {
		homes, err := o.Accounts.Visible(t.Context(), hearth.Token{Scope: hearth.ScopeRead})
		if err != nil {
			t.Fatal(err)
		}
		address = startMosquitto(t, homes[0].ID)
		o.Embedded, o.External, o.Direct = nil, &External{Broker: "mqtt://" + address, Username: "hearth-cloud", Password: "hearth-cloud"}, said
	}, tellAll(&r))
	viewer := r.as(address, "viewer", "hearth/"+r.home.ID+"/event/#", "hearth/"+r.home.ID+"/reading/#")
	operator := r.as(address, "operator", "hearth/"+r.home.ID+"/event/#")
	device := r.as(address, "device-balcony", "hearth/"+r.home.ID+"/direct/balcony/refused")
	g := &gateway{r: r, home: r.home.ID, commands: make(chan hearth.Command, 10)}
	g.Client = r.as(address, "gateway-"+r.home.ID).Client
	subscribed(g.Client, hearth.TopicDo(r.home.ID), g.collect)
	g.wait(g.Publish(hearth.TopicOnline(r.home.ID), 1, true, "true"))
	r.until("the home is online", func() bool { return r.online[r.home.ID] })
	if up, elsewhere := r.d.BrokerElsewhere(); !up || !elsewhere {
		t.Errorf("the broker is up: %v, elsewhere: %v", up, elsewhere)
	}

	topic, events := hearth.TopicCommand(r.home.ID), hearth.TopicEvent(r.home.ID, "command")
	r.publish(viewer, topic, `{"id":"not-mine","device":"radio:1","set":{"on":true}}`) // mosquitto drops it without a word
	r.publish(operator, hearth.TopicDo(r.home.ID), `{"id":"past-the-receiver","device":"radio:1","set":{"on":true}}`)
	r.publish(operator, topic, `{"id":"mine","device":"radio:1","set":{"on":true}}`)
	if cmd := g.next(); cmd.ID != "mine" || cmd.By != byBroker {
		t.Errorf("the gateway got %+v", cmd)
	}
	g.answer("mine", hearth.Confirmed, true, nil)
	viewer.hears(events, `"state":"confirmed"`)
	r.publish(operator, topic, `{"id":"bad","device":"radio:1","set":{"power":1}}`)
	operator.hears(events, `"read_only"`)
	r.publish(device, hearth.TopicDirect(r.home.ID, "balcony", "announce"), `{"properties":[{"name":"power"}]}`)
	r.publish(device, hearth.TopicDirect(r.home.ID, "other", "announce"), `{"properties":[{"name":"power"}]}`)
	r.publish(device, hearth.TopicDirect(r.home.ID, "balcony", "report"), `nothing`)
	device.hears(hearth.TopicDirect(r.home.ID, "balcony", "refused"), "JSON")
	said.mu.Lock()
	if len(said.said) != 1 {
		t.Errorf("%q", said.said)
	}
	said.mu.Unlock()
	r.d.TellReading(r.home.ID, hearth.ReadingEvent{Device: "radio:1", Property: "power", Value: hearth.NumberOf(3)})
	viewer.hears(hearth.TopicReading(r.home.ID, "radio:1", "power"), `{"value":3`)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range []*listener{viewer, operator} {
		if l.has(events, "not-mine") || len(g.commands) > 0 {
			t.Errorf("somebody did what they may not: %q", l.heard)
		}
	}
}

// Of several receivers on one broker one takes each command, and each takes its share of nothing twice.
func TestSharedOnMosquitto(t *testing.T) {
	r := newRig(t)
	address := startMosquitto(t, r.home.ID)
	var mu sync.Mutex
	got := map[string]int{}
	for range 2 {
		take := sinkFunc(func(m message) {
			mu.Lock()
			defer mu.Unlock()
			got[m.kind+" "+string(m.payload)]++
		})
		e := newExternal(External{Broker: "mqtt://" + address, Username: "hearth-cloud", Password: "hearth-cloud"}, take, true, r.d.o.Log)
		done := make(chan error)
		go func() { done <- e.run(t.Context()) }()
		t.Cleanup(func() { <-done })
		r.until("it is connected", e.heard)
	}
	operator := r.as(address, "operator")
	const many = 100
	r.until("it is subscribed", func() bool {
		mu.Lock()
		n := len(got)
		mu.Unlock()
		if n == 0 {
			operator.Publish(hearth.TopicCommand(r.home.ID), 1, false, "probe").Wait()
		}
		return n > 0
	})
	for i := range many {
		r.publish(operator, hearth.TopicCommand(r.home.ID), fmt.Sprint(i))
	}
	r.until("all of them", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == many+1 })
	for what, n := range got {
		if n != 1 && what != "command probe" {
			t.Errorf("%s was taken %d times", what, n)
		}
	}
}

// sinkFunc is a sink of messages alone.
type sinkFunc func(message)

func (f sinkFunc) message(_ context.Context, m message) error { f(m); return nil }

func (f sinkFunc) session(context.Context, string, bool) {}
