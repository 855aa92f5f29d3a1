package uplink

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"hearth"
)

// world is a gateway with its receiver and its broker.
type world struct {
	*gateway
	cloud  *fakeReceiver
	broker *broker
	up     *Uplink
}

func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		w := &world{gateway: newGateway(t, n, TargetCloud), cloud: newFakeReceiver(t), broker: newBroker(t, n.listen(brokerAddr))}
		w.cloud.serve(n.listen(cloudAddr))
		defer w.close()
		test(t, w)
	})
}

func (w *world) options() Options {
	o := w.cloudOptions()
	o.Cloud.MQTT = "mqtt://" + brokerAddr
	return o
}

func (w *world) begin() {
	w.t.Helper()
	w.up = w.start(w.options())
	w.connected(time.Minute)
}

func (w *world) connected(limit time.Duration) {
	w.t.Helper()
	within(w.t, limit, "the link is up", func() bool { return w.up.Targets()[0].Commands == stateConnected && w.broker.online() == "true" })
}

func command(id string, set map[string]hearth.Value) hearth.Command {
	return hearth.Command{
		ID: id, Device: lampID, Set: set, By: "ann@example",
		Issued: hearth.Time{Time: time.Now()}, Deadline: hearth.Time{Time: time.Now().Add(5 * time.Minute)},
	}
}

func switchOn() map[string]hearth.Value { return map[string]hearth.Value{"on": hearth.BoolOf(true)} }

func TestACommandIsCarriedOutAndAnswered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.begin()
		w.broker.do(command("c1", switchOn()))
		within(t, time.Minute, "confirmed", w.broker.final("c1"))
		states := w.broker.states("c1")
		if states[len(states)-1] != hearth.Confirmed || !slices.Contains(states, hearth.Sent) {
			t.Errorf("states %v", states)
		}
		last := w.broker.results("c1")[len(w.broker.results("c1"))-1]
		if len(last.History) != 4 || last.History[0].Time.IsZero() {
			t.Errorf("history %+v", last.History)
		}
		within(t, time.Minute, "nothing is kept for it", func() bool { return w.store.Len() == 0 })
		if record, _ := w.home.Command("c1"); record.By != "ann@example" {
			t.Errorf("given by %q", record.By)
		}
	})
}

func TestTheSameIDIsCarriedOutOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var times atomic.Int32
		w.gateway.do = func(_ context.Context, cmd hearth.Command) error {
			times.Add(1)
			w.driver.Report(hearth.Reading{Device: cmd.Device, Property: "on", Value: cmd.Set["on"]})
			return nil
		}
		w.begin()
		for range 3 {
			w.broker.do(command("c1", switchOn()))
		}
		within(t, time.Minute, "confirmed", w.broker.final("c1"))
		before := len(w.broker.results("c1"))
		w.broker.do(command("c1", switchOn()))
		within(t, time.Minute, "the stored result is said again", func() bool { return len(w.broker.results("c1")) > before })
		if n := times.Load(); n != 1 {
			t.Errorf("carried out %d times", n)
		}
		w.broker.do(command("c1", map[string]hearth.Value{"on": hearth.BoolOf(false)}))
		within(t, time.Minute, "other content is a conflict", func() bool {
			list := w.broker.results("c1")
			last := list[len(list)-1]
			return last.State == hearth.Rejected && last.Error.Code == hearth.CodeConflict
		})
		if n := times.Load(); n != 1 {
			t.Errorf("carried out %d times", n)
		}
	})
}

func TestWhatIsNoCommandForUsIsAnswered(t *testing.T) {
	tests := []struct {
		name  string
		cmd   func() hearth.Command
		state hearth.State
		code  string
	}{
		{"no such device", func() hearth.Command { c := command("x", switchOn()); c.Device = "toy:gone"; return c }, hearth.Rejected, hearth.CodeNoDevice},
		{"a bad value", func() hearth.Command { return command("x", map[string]hearth.Value{"on": hearth.NumberOf(3)}) }, hearth.Rejected, hearth.CodeBadValue},
		{"read only", func() hearth.Command { return command("x", map[string]hearth.Value{"temperature": hearth.NumberOf(3)}) }, hearth.Rejected, hearth.CodeReadOnly},
		{"too late", func() hearth.Command {
			c := command("x", switchOn())
			c.Deadline.Time = time.Now().Add(-time.Second)
			return c
		}, hearth.Expired, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.begin()
				w.broker.do(tt.cmd())
				within(t, time.Minute, "an answer", w.broker.final("x"))
				last := w.broker.results("x")[len(w.broker.results("x"))-1]
				if last.State != tt.state || tt.code != "" && (last.Error == nil || last.Error.Code != tt.code) {
					t.Errorf("answer %+v", last)
				}
			})
		})
	}
}

func TestARefusalHoldsWhateverComesLater(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.begin()
		late := command("x", switchOn())
		late.Device = "toy:new"
		w.broker.do(late)
		within(t, time.Minute, "rejected", w.broker.final("x"))
		on, _ := hearth.Word("on")
		w.driver.Announce(hearth.Device{ID: "toy:new", Properties: []hearth.Property{on.AsWritable()}})
		before := len(w.broker.results("x"))
		w.broker.do(late)
		within(t, time.Minute, "rejected again", func() bool { return len(w.broker.results("x")) > before })
		if _, known := w.home.Command("x"); known {
			t.Error("a command that was answered as rejected was carried out")
		}
	})
}

func TestACommandWaitsForTheClockAMoment(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.setTrusted(false)
		w.begin()
		late := command("c1", switchOn())
		late.Deadline.Time = time.Now().Add(48 * time.Hour) // not to be judged by a clock that nobody trusts
		w.broker.do(late)
		<-time.After(10 * time.Second)
		if got := w.broker.results("c1"); len(got) > 0 {
			t.Errorf("answered by a clock that is not trusted: %+v", got)
		}
		w.setTrusted(true)
		within(t, time.Minute, "confirmed", w.broker.final("c1"))
		if states := w.broker.states("c1"); states[len(states)-1] != hearth.Confirmed {
			t.Errorf("states %v", states)
		}
	})
}

func TestGarbageAndRetainedCommandsAreIgnored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		payload, _ := json.Marshal(command("old", switchOn()))
		w.broker.send(hearth.TopicDo(homeID), string(payload), true)
		w.begin()
		for _, text := range []string{"", "{", "[]", `{"id":""}`, `{"id":"x"}`, `{"id":7,"device":"toy:lamp"}`, strings.Repeat("x", 1<<20), `{"id":"` + strings.Repeat("y", 70<<10) + `"}`} {
			w.broker.send(hearth.TopicDo(homeID), text, false)
		}
		w.broker.do(command("c1", switchOn()))
		within(t, time.Minute, "the good one is carried out", w.broker.final("c1"))
		if _, known := w.home.Command("old"); known || len(w.broker.results("old")) > 0 {
			t.Error("a retained command was taken")
		}
	})
}

func TestCommandsThatWaitedAreFetchedOnConnect(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for i := range 3 {
			payload, _ := json.Marshal(command(fmt.Sprintf("c%d", i), switchOn()))
			w.cloud.commands = append(w.cloud.commands, fmt.Sprintf(`{"n":%d,"state":"accepted",%s`, i+1, payload[1:]))
		}
		w.cloud.commands = append(w.cloud.commands, `{"n":4,"nonsense":true}`, `7`)
		lost, _ := json.Marshal(command("lost", switchOn()))
		w.cloud.commands = append(w.cloud.commands, `{"n":6,"state":"applied",`+string(lost[1:]))
		w.begin()
		for i := range 3 {
			within(t, time.Minute, "answered", w.broker.final(fmt.Sprintf("c%d", i)))
		}
		within(t, time.Minute, "answered", w.broker.final("lost"))
		if r := w.broker.results("lost")[0]; r.State != hearth.Failed || r.Error.Code != hearth.CodeUnknownOutcome {
			t.Errorf("one that was carried out in an earlier life: %+v", r)
		}
	})
}

func TestAResultThatCouldNotBeDeliveredIsRepeated(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		release := make(chan struct{})
		w.gateway.do = func(ctx context.Context, cmd hearth.Command) error {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			}
			w.driver.Report(hearth.Reading{Device: cmd.Device, Property: "on", Value: cmd.Set["on"]})
			return nil
		}
		w.begin()
		cmd := command("c1", switchOn())
		payload, _ := json.Marshal(cmd)
		w.cloud.set(func(f *fakeReceiver) { f.commands = []string{`{"n":1,"state":"sent",` + string(payload[1:])} })
		w.broker.do(cmd)
		within(t, time.Minute, "sent", func() bool { return slices.Contains(w.broker.states("c1"), hearth.Sent) })
		w.net.set(true)
		close(release)
		within(t, time.Minute, "the result is kept", func() bool { return w.store.Len() == 1 })
		w.stop() // also across a restart
		w.net.set(false)
		w.begin()
		within(t, 2*time.Minute, "the result arrives", w.broker.final("c1"))
		if states := w.broker.states("c1"); states[len(states)-1] != hearth.Confirmed {
			t.Errorf("states %v", states)
		}
		within(t, time.Minute, "nothing is kept for it", func() bool { return w.store.Len() == 0 })
	})
}

func TestAnAnswerNobodyWaitsForIsForgotten(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		box, err := openOutbox(w.store)
		if err != nil {
			t.Fatal(err)
		}
		if err := box.say(hearth.Result{ID: "old", State: hearth.Rejected, Final: true}, true); err != nil {
			t.Fatal(err)
		}
		w.begin()
		within(t, time.Minute, "it is forgotten", func() bool { return w.store.Len() == 0 })
	})
}

func TestOnlineFollowsTheLink(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.begin()
		w.net.set(true)
		within(t, time.Minute, "the last will", func() bool { return w.broker.online() == "false" })
		w.net.set(false)
		w.connected(2 * time.Minute)
		w.broker.send(hearth.TopicOnline(homeID), "false", true) // the will of an earlier connection comes late
		within(t, time.Minute, "contradicted", func() bool { return w.broker.online() == "true" })
		w.stop()
		if got := w.broker.online(); got != "false" {
			t.Errorf("after a clean stop: %q", got)
		}
	})
}

func TestAHalfOpenLinkIsFound(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.begin()
		<-time.After(10 * time.Minute)
		w.net.freeze()
		start := time.Now()
		connects := w.broker.gate.count()
		within(t, 90*time.Second, "a new link", func() bool { return w.broker.gate.count() > connects })
		if took := time.Since(start); took < 5*time.Second {
			t.Errorf("after %s", took)
		}
		w.connected(time.Minute)
		w.broker.do(command("c1", switchOn()))
		within(t, time.Minute, "it works", w.broker.final("c1"))
	})
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.connects
}

func TestABrokerThatRefusesTheTokenIsNotHammered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.broker.gate.token = "another"
		w.up = w.start(w.options())
		<-time.After(time.Hour)
		if n := w.broker.gate.count(); n < 30 || n > 200 {
			t.Errorf("%d tries in an hour", n)
		}
		if got := w.up.Targets()[0].Commands; !strings.Contains(got, "does not take the token") || strings.Contains(got, secret) {
			t.Errorf("status %q", got)
		}
		w.broker.gate.mu.Lock()
		w.broker.gate.token = secret
		w.broker.gate.mu.Unlock()
		w.connected(3 * time.Minute)
	})
}

func TestReadingsAreLive(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.begin()
		topic := hearth.TopicReading(homeID, lampID, "temperature")
		w.driver.Report(hearth.Reading{Device: lampID, Property: "temperature", Value: hearth.NumberOf(21.5)})
		within(t, time.Second, "live", func() bool { return len(w.broker.messages(topic)) == 1 })
		var live hearth.LiveReading
		if err := json.Unmarshal([]byte(w.broker.messages(topic)[0]), &live); err != nil || live.Value != hearth.NumberOf(21.5) || live.Time.IsZero() {
			t.Errorf("%s: %v", w.broker.messages(topic)[0], err)
		}
		w.setTrusted(false)
		w.driver.Report(hearth.Reading{Device: lampID, Property: "temperature", Value: hearth.NumberOf(22)})
		within(t, time.Second, "live", func() bool { return len(w.broker.messages(topic)) == 2 })
		if got := w.broker.messages(topic)[1]; got != `{"value":22,"time":null}` {
			t.Errorf("while the clock is not trusted: %s", got)
		}
	})
}

func TestTheDrainDelaysNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cloud.always = "hang"
		w.produce(50, 10)
		w.begin()
		start := time.Now()
		w.broker.do(command("c1", switchOn()))
		w.driver.Report(hearth.Reading{Device: lampID, Property: "temperature", Value: hearth.NumberOf(1)})
		within(t, time.Minute, "the command", w.broker.final("c1"))
		within(t, time.Minute, "the value", func() bool { return len(w.broker.messages(hearth.TopicReading(homeID, lampID, "temperature"))) == 1 })
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		if l := w.buffer.Ledger(TargetCloud); l.Durable != 0 {
			t.Errorf("the drain went on: %+v", l)
		}
	})
}

func TestTheInventoryIsSentWhenItChanges(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sent := func() [][]byte { w.cloud.mu.Lock(); defer w.cloud.mu.Unlock(); return w.cloud.devices }
		w.begin()
		<-time.After(10 * time.Second)
		n := len(sent())
		if n == 0 || n > 2 {
			t.Fatalf("%d inventories on connect", n)
		}
		for range 20 {
			w.driver.Report(hearth.Reading{Device: lampID, Property: "temperature", Value: hearth.NumberOf(5)})
			<-time.After(time.Second)
		}
		w.broker.do(command("c1", switchOn()))
		within(t, time.Minute, "confirmed", w.broker.final("c1"))
		<-time.After(5 * time.Second)
		if len(sent()) != n {
			t.Errorf("%d inventories though nothing changed", len(sent())-n)
		}
		name, room := "Ceiling", "Kitchen"
		if _, err := w.home.Rename(lampID, &name, &room); err != nil {
			t.Fatal(err)
		}
		within(t, 5*time.Second, "the new name", func() bool { return len(sent()) == n+1 })
		var views []hearth.DeviceView
		if err := json.Unmarshal(sent()[n], &views); err != nil || len(views) != 1 || views[0].Room != "Kitchen" || !views[0].Reachable {
			t.Errorf("%s: %v", sent()[n], err)
		}
		w.home.Running("toy", false)
		within(t, 5*time.Second, "out of reach", func() bool { return len(sent()) == n+2 })
		w.broker.drop()
		within(t, 2*time.Minute, "again on connect", func() bool { return len(sent()) == n+3 })
	})
}

func TestTheStatusIsTold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var trusted atomic.Bool
		o := w.options()
		o.Status = func() any {
			return map[string]any{"uptime_s": time.Now().Unix(), "clock": map[string]any{"trusted": trusted.Load()}, "drivers": []any{}, "targets": []any{}}
		}
		w.up = w.start(o)
		w.connected(time.Minute)
		topic := hearth.TopicEvent(homeID, "status")
		<-time.After(2 * time.Minute)
		if n := len(w.broker.messages(topic)); n < 4 || n > 6 {
			t.Errorf("%d in two minutes, want one each 30 s", n)
		}
		n := len(w.broker.messages(topic))
		trusted.Store(true)
		within(t, 6*time.Second, "the change", func() bool { return len(w.broker.messages(topic)) > n })
	})
}

func TestCommandsOverAWebSocket(t *testing.T) {
	b := newBroker(t)
	f := newFakeReceiver(t)
	plain := f.server.Handler
	f.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mqtt" {
			plain.ServeHTTP(w, r)
			return
		}
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"mqtt"}})
		if err != nil {
			t.Errorf("accepting the WebSocket: %v", err)
			return
		}
		_ = b.server.EstablishConnection("ws", websocket.NetConn(t.Context(), conn, websocket.MessageBinary))
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.serve(l)
	g := newGateway(t, nil, TargetCloud)
	defer g.close()
	payload, _ := json.Marshal(command("c1", switchOn()))
	f.commands = []string{`{"n":1,"state":"accepted",` + string(payload[1:])}
	o := g.cloudOptions()
	o.Cloud.URL, o.Cloud.MQTT = "http://"+l.Addr().String(), ""
	g.start(o)
	for !b.final("c1")() {
		select {
		case <-b.arrived:
		case <-t.Context().Done():
			t.Fatal("no answer")
		}
	}
}
