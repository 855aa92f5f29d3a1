package cloud_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/scripts/peers"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/getkin/kin-openapi/openapi3"

	"hearth"
)

// events is the catalogue as a receiver serves it, read by programs that nobody here wrote.
type events struct {
	t        *testing.T
	channels map[string]struct {
		Address *string
	}
	messages map[string]map[string]json.RawMessage
	doc      *openapi3.T
}

// readEvents reads the catalogue. Its schemas are put into an OpenAPI document, for the sake of what checks them.
func (r *receiver) readEvents() *events {
	r.t.Helper()
	var served struct {
		AsyncAPI string
		Channels map[string]struct {
			Address *string
		}
		Components struct {
			Messages map[string]map[string]json.RawMessage
			Schemas  map[string]json.RawMessage
		}
	}
	r.want(200, r.ask("GET", "/api/v1/events.json", r.owner, "", &served))
	e := &events{t: r.t, channels: served.Channels, messages: served.Components.Messages}
	schemas := served.Components.Schemas
	for name, message := range e.messages {
		schemas["on-mqtt-"+name], schemas["body-"+name] = message["payload"], message["payload"]
		if body := message["x-body"]; body != nil {
			schemas["body-"+name] = body
		}
	}
	text, err := json.Marshal(map[string]any{
		"openapi": "3.1.0", "info": map[string]string{"title": "x", "version": "1"}, "paths": map[string]any{}, "components": map[string]any{"schemas": schemas},
	})
	r.must(err)
	e.doc, err = openapi3.NewLoader().LoadFromData(text)
	r.must(err)
	r.must(e.doc.Validate(r.t.Context()))
	if err := e.fits("on-mqtt-reading", []byte(`{"value":{}}`)); err == nil {
		r.t.Fatal("the schemas let everything through")
	}
	return e
}

func (e *events) fits(schema string, body []byte) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	found := e.doc.Components.Schemas[schema]
	if found == nil {
		return fmt.Errorf("there is no %s", schema)
	}
	return found.Value.VisitJSON(value)
}

// named returns the event whose topic this is; "" for none.
func (e *events) named(topic string) string {
	parts := strings.Split(topic, "/")
	for name, channel := range e.channels {
		if channel.Address == nil {
			continue
		}
		pattern := strings.Split(*channel.Address, "/")
		if len(pattern) == len(parts) && matchesAll(pattern, parts) {
			return name
		}
	}
	return ""
}

func matchesAll(pattern, parts []string) bool {
	for i := range parts {
		if pattern[i] != parts[i] && !strings.HasPrefix(pattern[i], "{") {
			return false
		}
	}
	return true
}

// An ear hears everything of a receiver on MQTT.
type ear struct {
	paho.Client
	mu    sync.Mutex
	heard [][2]string
}

func (r *receiver) hear(name, secret string) *ear {
	r.t.Helper()
	e := &ear{}
	o := paho.NewClientOptions().AddBroker("ws" + strings.TrimPrefix(r.url, "http") + "/mqtt").SetClientID(name).SetUsername(name).SetPassword(secret).SetAutoReconnect(false)
	e.Client = paho.NewClient(o)
	g := gateway{r: r}
	g.wait(e.Connect())
	r.t.Cleanup(func() { e.Disconnect(0) })
	g.wait(e.Subscribe("hearth/#", 1, func(_ paho.Client, m paho.Message) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.heard = append(e.heard, [2]string{m.Topic(), string(m.Payload())})
	}))
	return e
}

func (e *ear) has(topic, words string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.heard, func(m [2]string) bool { return m[0] == topic && strings.Contains(m[1], words) })
}

// eventually waits for a condition.
func (r *receiver) eventually(what string, condition func() bool) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(30 * time.Second); !condition(); {
		select {
		case <-tick.C:
		case <-limit:
			r.t.Fatalf("it never came to be: %s", what)
		}
	}
}

// collect gathers the live events of a stream, as kind and body.
func (r *receiver) collect(path string) (got func() [][2]string) {
	var mu sync.Mutex
	var all [][2]string
	s := r.watch(path)
	go func() { // ends with the test
		for kind := ""; s.lines.Scan(); {
			if name, ok := strings.CutPrefix(s.lines.Text(), "event: "); ok {
				kind = name
			}
			if data, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok {
				mu.Lock()
				all = append(all, [2]string{kind, data})
				mu.Unlock()
			}
		}
	}()
	return func() [][2]string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

const lampInventory = `[{"id":"radio:1","name":"Lamp","type":"light","driver":"radio","reachable":true,"properties":[
	{"name":"on","kind":"bool","writable":true},{"name":"power","kind":"number","unit":"W"},{"name":"battery","kind":"number","unit":"%"}]}]`

// TestEventsAreAsTheCatalogueSays has everything happen that there is an event of, hears it on MQTT, live streams and a
// webhook, and holds it against the catalogue.
func TestEventsAreAsTheCatalogueSays(t *testing.T) {
	c := config(t.TempDir())
	c.Notify.Private = true
	r := start(t, c)
	catalogue := r.readEvents()
	hook := newHooked(t)
	var target struct{ ID string }
	r.want(201, r.ask("POST", "/api/v1/tenants/main/targets", r.owner, fmt.Sprintf(`{"name":"all","type":"webhook","url":%q,"events":["alert","device","command","reading","status","online","home","job"],"reading_every_s":1}`, hook.url), &target))
	listener := r.hear("first-link", r.owner)
	tenant := r.collect("/api/v1/tenants/main/events")
	g := &gateway{r: r, Claim: r.claim("Cabin")}
	home := r.collect("/api/v1/homes/" + g.Home + "/events")
	at := func(kind string) string { return hearth.TopicEvent(g.Home, kind) }

	g.connect()
	r.want(204, r.ask("PUT", "/api/v1/homes/"+g.Home+"/devices", g.Token, lampInventory, nil))
	g.wait(g.mqtt.Publish(hearth.TopicReading(g.Home, "radio:1", "power"), 0, false, `{"value":3,"time":null}`))
	g.wait(g.mqtt.Publish(at("status"), 1, false, `{"version":"1","clock":{"trusted":true},"drivers":[{"name":"radio","state":"waiting","error":"the stick is gone"}]}`))
	resp := g.batch("e/1", "produced=2,dropped=0,backlog=2,durable=0", "hearth,device=radio:1 power=4,battery=3 "+fmt.Sprint(time.Now().Add(time.Second).UnixMilli()))
	r.want(204, resp)
	r.want(202, r.ask("POST", "/api/v1/tenants/main/jobs", r.owner, `{"id":"j","set":{"on":true},"select":{"all":true,"type":"light"}}`, nil))
	g.answer((<-g.commands).ID, hearth.Confirmed, true, nil)
	g.wait(listener.Publish(hearth.TopicCommand(g.Home), 1, false, `{"id":"no","device":"radio:1","set":{"power":1}}`))
	g.wait(listener.Publish(hearth.TopicDirect(g.Home, "plug", "announce"), 1, false, `{"properties":[{"name":"power"}]}`))
	g.wait(listener.Publish(hearth.TopicDirect(g.Home, "plug", "report"), 1, false, `[{"property":"power","value":1}]`))
	g.wait(listener.Publish(hearth.TopicDirect(g.Home, "plug", "report"), 1, false, `[{"property":"on","value":true}]`))
	r.want(204, r.ask("DELETE", "/api/v1/homes/"+g.Home+"/devices/direct:plug", r.owner, "", nil))
	r.want(200, r.ask("PATCH", "/api/v1/homes/"+g.Home, r.owner, `{"name":"Hut"}`, nil))
	r.want(200, r.ask("POST", "/api/v1/tenants/main/targets/"+target.ID+"/test", r.owner, "", nil))

	r.eventually("the alert of the battery", func() bool { return listener.has(at("alert"), `"battery_low"`) })
	r.eventually("the end of the job", func() bool { return listener.has(hearth.TopicTenantEvent("main", "job"), `"phase":"done"`) })
	for _, told := range []struct{ topic, words string }{
		{hearth.TopicReading(g.Home, "radio:1", "power"), `{"value":3,`}, {hearth.TopicReading(g.Home, "radio:1", "power"), `{"value":4,`},
		{hearth.TopicReading(g.Home, "direct:plug", "power"), `{"value":1,`}, {at("device"), `"id":"radio:1"`}, {at("device"), `"forgotten":true`},
		{at("command"), `"state":"confirmed"`}, {at("command"), `"job":"j"`}, {at("command"), `"code":"read_only"`}, {at("status"), "the stick"},
		{hearth.TopicOnline(g.Home), "true"}, {hearth.TopicDirect(g.Home, "plug", "refused"), "no_device"}, {hearth.TopicTenantEvent("main", "home"), `"Hut"`},
	} {
		r.eventually(told.topic+" "+told.words, func() bool { return listener.has(told.topic, told.words) })
	}
	r.eventually("the webhook's test", func() bool {
		kinds := map[string]bool{}
		for _, e := range hook.got() {
			kinds[e[0]] = true
		}
		return kinds["test"] && kinds["job"]
	})

	listener.mu.Lock()
	onMQTT := map[string]bool{}
	for _, m := range listener.heard {
		if name := catalogue.named(m[0]); !strings.HasSuffix(m[0], "/do") && !strings.HasSuffix(m[0], "/done") { // these are between receiver and gateway
			onMQTT[name] = true
			catalogue.mustFit("on-mqtt-"+name, m[0], m[1])
		}
	}
	listener.mu.Unlock()
	catalogue.mustBeAll(onMQTT, catalogue.kindsOf(append(home(), tenant()...)), catalogue.kindsOf(hook.got()))
}

func (e *events) mustFit(schema, where, body string) {
	e.t.Helper()
	if err := e.fits(schema, []byte(body)); err != nil {
		e.t.Errorf("%s: %v: %s", where, err, body)
	}
}

// kindsOf holds live events, or those of a webhook, against the catalogue and returns their kinds.
func (e *events) kindsOf(got [][2]string) map[string]bool {
	e.t.Helper()
	kinds := map[string]bool{}
	for _, event := range got {
		kinds[event[0]] = true
		e.mustFit("body-"+event[0], event[0], event[1])
	}
	return kinds
}

// mustBeAll checks that what the catalogue has on a way was heard there, and the other way round.
func (e *events) mustBeAll(onMQTT, onStreams, onHooks map[string]bool) {
	e.t.Helper()
	for name, message := range e.messages {
		taken := slices.Contains([]string{"give", "announce", "report"}, name)
		for way, has := range map[string][2]bool{
			"MQTT":         {e.channels[name].Address != nil && !taken, onMQTT[name]},
			"live streams": {message["x-stream-event"] != nil, onStreams[name]},
			"webhooks":     {message["x-webhook-kind"] != nil && name != "summary", onHooks[name]}, // quiet hours have a test of their own
		} {
			if has[0] != has[1] {
				e.t.Errorf("%s on %s: in the catalogue %v, heard %v", name, way, has[0], has[1])
			}
		}
	}
}

// hooked is what a webhook receives, as kind and body.
type hooked struct {
	url string
	mu  sync.Mutex
	all [][2]string
}

func newHooked(t *testing.T) *hooked {
	h := &hooked{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		var e struct {
			Kind string
			Body json.RawMessage
		}
		if err := json.NewDecoder(q.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all = append(h.all, [2]string{e.Kind, string(e.Body)})
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func (h *hooked) got() [][2]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all)
}

// The catalogue is a good AsyncAPI document, says the schema of those who made AsyncAPI.
func TestTheCatalogueIsAsyncAPI(t *testing.T) {
	folder := peers.Node(t, "mqttjs")
	r := start(t, config(t.TempDir()))
	_, document := r.raw("GET", "/api/v1/events.json", r.owner, "")
	check := exec.Command("node", "check.js")
	check.Dir, check.Stdin = folder, strings.NewReader(string(document))
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A talker is MQTT.js, or mosquitto's own clients.
type talker struct {
	r     *receiver
	lines chan map[string]any
	kept  []map[string]any // that nobody has waited for yet: what is told may come before an acknowledgement, or after
	in    io.Writer
}

func (r *receiver) talk(folder, url, user, secret, version string, filters ...string) *talker {
	r.t.Helper()
	client := exec.Command("node", append([]string{"client.js", url, user, secret, version}, filters...)...)
	client.Dir, client.Stderr = folder, os.Stderr
	in, err := client.StdinPipe()
	r.must(err)
	out, err := client.StdoutPipe()
	r.must(err)
	r.must(client.Start())
	r.t.Cleanup(func() { in.Close(); client.Wait() })
	k := &talker{r: r, lines: make(chan map[string]any, 1000), in: in}
	go func() {
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			var line map[string]any
			if json.Unmarshal(scanner.Bytes(), &line) == nil {
				k.lines <- line
			}
		}
	}()
	return k
}

// until takes out the first line that is as wanted.
func (k *talker) until(what string, wanted func(map[string]any) bool) map[string]any {
	k.r.t.Helper()
	if i := slices.IndexFunc(k.kept, wanted); i >= 0 {
		line := k.kept[i]
		k.kept = slices.Delete(k.kept, i, i+1)
		return line
	}
	for limit := time.After(20 * time.Second); ; {
		select {
		case line := <-k.lines:
			if wanted(line) {
				return line
			}
			k.kept = append(k.kept, line)
		case <-limit:
			k.r.t.Fatalf("it never came: %s", what)
		}
	}
}

func (k *talker) publish(topic, payload string) float64 {
	k.r.t.Helper()
	line, err := json.Marshal(map[string]string{"topic": topic, "payload": payload})
	k.r.must(err)
	_, err = k.in.Write(append(line, '\n'))
	k.r.must(err)
	reason, _ := k.until("an acknowledgement", func(line map[string]any) bool { return line["published"] == topic })["reason"].(float64)
	return reason
}

func (k *talker) hears(topic, words string) {
	k.r.t.Helper()
	k.until(topic+" "+words, func(line map[string]any) bool {
		payload, _ := line["payload"].(string)
		return line["topic"] == topic && strings.Contains(payload, words)
	})
}

// TestMQTTPeers has clients that nobody here wrote subscribe, give commands and report, in both versions of MQTT, over
// TCP and WebSocket.
func TestMQTTPeers(t *testing.T) {
	folder := peers.Node(t, "mqttjs")
	c := config(t.TempDir())
	c.MQTT.Listen = freePort(t)
	r := start(t, c)
	g := &gateway{r: r, Claim: r.claim("Cabin")}
	g.connect()
	r.want(204, r.ask("PUT", "/api/v1/homes/"+g.Home+"/devices", g.Token, lampInventory, nil))
	for _, test := range []struct{ name, url, version string }{
		{"3.1.1 over TCP", "mqtt://" + c.MQTT.Listen, "4"}, {"5 over TCP", "mqtt://" + c.MQTT.Listen, "5"},
		{"3.1.1 over WebSocket", "ws" + strings.TrimPrefix(r.url, "http") + "/mqtt", "4"}, {"5 over WebSocket", "ws" + strings.TrimPrefix(r.url, "http") + "/mqtt", "5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			here := *r
			here.t = t
			k := here.talk(folder, test.url, "first-link", r.owner, test.version, "hearth/+/event/#", "hearth/+/reading/#", "hearth/"+g.Home+"/direct/+/refused")
			k.until("being let in", func(line map[string]any) bool { return line["ready"] == true })
			id := strings.ReplaceAll(test.name, " ", "-")
			if reason := k.publish(hearth.TopicCommand(g.Home), fmt.Sprintf(`{"id":%q,"device":"radio:1","set":{"on":true}}`, id)); reason != 0 {
				t.Errorf("reason %v", reason)
			}
			if cmd := <-g.commands; cmd.ID != id || cmd.By != "first-link" {
				t.Errorf("%+v", cmd)
			}
			g.answer(id, hearth.Confirmed, true, nil)
			k.hears(hearth.TopicEvent(g.Home, "command"), `"state":"confirmed"`)
			refused := k.publish(hearth.TopicCommand(g.Home), `{"id":"x","device":"radio:1","set":{"power":1}}`)
			if want := map[string]float64{"4": 0, "5": 0x83}[test.version]; refused != want { // 3.1.1 has no word for it
				t.Errorf("a refusal: reason %v, want %v", refused, want)
			}
			k.hears(hearth.TopicEvent(g.Home, "command"), `"read_only"`)
			address := fmt.Sprintf("plug-%s", id)
			k.publish(hearth.TopicDirect(g.Home, address, "announce"), `{"name":"Plug","properties":[{"name":"power"}]}`)
			k.publish(hearth.TopicDirect(g.Home, address, "report"), `[{"property":"power","value":7}]`)
			var device hearth.DeviceView
			r.want(200, r.ask("GET", "/api/v1/homes/"+g.Home+"/devices/direct:"+address, r.owner, "", &device))
			if p := device.Property("power"); p == nil || p.Value == nil || *p.Value != hearth.NumberOf(7) {
				t.Errorf("%+v", device)
			}
			k.hears(hearth.TopicReading(g.Home, hearth.ID("direct:"+address), "power"), `{"value":7,`)
			k.publish(hearth.TopicDirect(g.Home, address, "report"), `[{"property":"nothing","value":7}]`)
			k.hears(hearth.TopicDirect(g.Home, address, "refused"), `"no_device"`)
		})
	}
	for _, version := range []string{"mqttv311", "mqttv5"} {
		t.Run("mosquitto's clients, "+version, func(t *testing.T) { here := *r; here.t = t; here.mosquitto(g, c.MQTT.Listen, version) })
	}
}

// mosquitto has mosquitto_sub hear what mosquitto_pub gives.
func (r *receiver) mosquitto(g *gateway, address, version string) {
	r.t.Helper()
	host, port, _ := strings.Cut(address, ":")
	as := []string{"-h", host, "-p", port, "-u", "first-link", "-P", r.owner, "-V", version, "-q", "1"}
	sub := exec.Command("mosquitto_sub", append(as, "-t", "hearth/+/event/command", "-W", "20")...)
	out, err := sub.StdoutPipe()
	r.must(err)
	r.must(sub.Start())
	r.t.Cleanup(func() { sub.Process.Kill(); sub.Wait() })
	heard := make(chan string, 10)
	go func() {
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			heard <- scanner.Text()
		}
	}()
	payload := fmt.Sprintf(`{"id":%q,"device":"radio:1","set":{"on":false}}`, version)
	for tick := time.NewTicker(200 * time.Millisecond); ; { // it does not say when it is subscribed; the same command again changes nothing
		if out, err := exec.Command("mosquitto_pub", append(as, "-t", hearth.TopicCommand(g.Home), "-m", payload)...).CombinedOutput(); err != nil {
			r.t.Fatalf("mosquitto_pub: %v: %s", err, out)
		}
		if len(g.commands) > 0 {
			g.answer((<-g.commands).ID, hearth.Confirmed, true, nil)
		}
		select {
		case line := <-heard:
			if strings.Contains(line, `"id":"`+version+`"`) || strings.Contains(line, `"device":"radio:1"`) {
				return
			}
			continue
		case <-tick.C:
			payload = strings.Replace(payload, `"id":"`, `"id":"again-`, 1)
		}
	}
}
