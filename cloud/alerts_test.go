package cloud_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
	"hearth/cloud/notify"
)

// A value that a person wants to be told of is told everywhere: in the list of homes, on live streams, by MQTT and to a
// webhook, and so is that somebody knows.
func TestAlertsFromEndToEnd(t *testing.T) {
	heard := make(chan notify.Event, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e notify.Event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil || r.Header.Get(notify.HeaderSignature) == "" {
			t.Error(err, r.Header)
		}
		heard <- e
	}))
	defer hook.Close()
	c := config(t.TempDir())
	c.Notify.Private = true
	r := start(t, c)
	g := &gateway{r: r, Claim: r.claim("Cabin")}
	base := "/api/v1/homes/" + g.Home
	r.want(204, r.ask("PUT", base+"/devices", g.Token, inventory, nil))
	r.want(201, r.ask("POST", "/api/v1/tenants/main/targets", r.owner, fmt.Sprintf(`{"name":"x","type":"webhook","url":%q,"events":["alert","online"]}`, hook.URL), nil))
	r.want(201, r.ask("POST", "/api/v1/tenants/main/alert-rules", r.owner, `{"property":"brightness","op":">","value":90,"severity":"critical"}`, nil))
	g.connect()
	if e := <-heard; e.Kind != notify.KindOnline || e.Home != g.Home || e.HomeName != "Cabin" || string(e.Body[:15]) != `{"online":true,` {
		t.Errorf("%+v", e)
	}
	topic := make(chan string, 10)
	o := paho.NewClientOptions().AddBroker("ws" + strings.TrimPrefix(r.url, "http") + "/mqtt").SetUsername("first-link").SetPassword(r.owner)
	app := paho.NewClient(o)
	g.wait(app.Connect())
	defer app.Disconnect(0)
	g.wait(app.Subscribe(hearth.TopicEvent(g.Home, "alert"), 1, func(_ paho.Client, m paho.Message) { topic <- string(m.Payload()) }))
	events := r.watch(base + "/events")
	g.wait(g.mqtt.Publish(hearth.TopicReading(g.Home, "radio:1", "brightness"), 1, false, `{"value":95}`))

	var told hearth.AlertEvent
	for where, text := range map[string]string{"stream": events.next("alert"), "MQTT": <-topic, "webhook": string((<-heard).Body)} {
		told = hearth.AlertEvent{}
		r.must(json.Unmarshal([]byte(text), &told))
		if told.Change != hearth.AlertRaised || told.Kind != hearth.AlertThreshold || told.Detail != "Lamp, brightness is 95 %, above 90" || told.ID == "" {
			t.Errorf("%s: %s", where, text)
		}
	}
	var homes []hearth.HomeView
	r.want(200, r.ask("GET", "/api/v1/homes", r.owner, "", &homes))
	if homes[0].Alerts != 1 || homes[0].AlertKinds[0] != hearth.AlertThreshold {
		t.Errorf("%+v", homes[0])
	}
	var open []hearth.Alert
	r.want(200, r.ask("GET", base+"/alerts", r.owner, "", &open))
	if len(open) != 1 || open[0].ID != told.ID {
		t.Errorf("%+v", open)
	}
	r.want(404, r.ask("GET", "/api/v1/tenants/main/targets", g.Token, "", nil))
	r.want(403, r.ask("POST", "/api/v1/alerts/"+told.ID+"/ack", g.Token, "", nil))
	r.want(200, r.ask("POST", "/api/v1/alerts/"+told.ID+"/ack", r.owner, "", nil))
	last := <-heard
	if !strings.Contains(string(last.Body), `"change":"acknowledged"`) {
		t.Errorf("%s", last.Body)
	}
	r.must(r.stop())
	again := start(t, c)
	again.owner = r.owner
	r.want(200, again.ask("GET", base+"/alerts", r.owner, "", &open))
	if len(open) != 1 || open[0].ID != told.ID || open[0].AckedBy == "" {
		t.Errorf("after a start: %+v", open)
	}
	r.want(201, again.ask("POST", "/api/v1/tenants/main/alert-rules", r.owner, `{"property":"on","op":"=","value":true}`, nil))
	late := &gateway{r: again, Claim: g.Claim}
	late.connect()
	late.wait(late.mqtt.Publish(hearth.TopicReading(g.Home, "radio:1", "on"), 1, false, `{"value":true}`))
	for e := range heard { // in order: so the first one was not told again
		if e.Kind == notify.KindOnline || e.ID == last.ID { // what was being delivered at the stop may come twice
			continue
		}
		if !strings.Contains(string(e.Body), `"detail":"Lamp, on is true"`) {
			t.Errorf("%s", e.Body)
		}
		return
	}
}
