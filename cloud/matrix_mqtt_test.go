package cloud_test

import (
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
)

const mqttPatience = 10 * time.Second

// speak connects as somebody; false: they are not let in.
func (r *receiver) speak(e estate, who string) (paho.Client, bool) {
	r.t.Helper()
	o := paho.NewClientOptions().AddBroker("ws" + strings.TrimPrefix(r.url, "http") + "/mqtt").SetClientID("matrix").
		SetUsername(e.names[who]).SetPassword(e.tokens[who]).SetAutoReconnect(false).SetConnectTimeout(mqttPatience).SetConnectRetry(false)
	client := paho.NewClient(o)
	token := client.Connect()
	if !token.WaitTimeout(mqttPatience) {
		r.t.Fatalf("%s: no answer to connecting", who)
	}
	return client, token.Error() == nil
}

// subscribed reports whether a client may subscribe to a filter.
func subscribed(t *testing.T, client paho.Client, filter string) bool {
	t.Helper()
	token := client.Subscribe(filter, 1, func(paho.Client, paho.Message) {}).(*paho.SubscribeToken)
	if !token.WaitTimeout(mqttPatience) {
		t.Fatalf("no answer to subscribing to %s", filter)
	}
	return token.Error() == nil && token.Result()[filter] < 0x80
}

// published reports whether a client may publish on a topic: one that may not is put out.
func published(t *testing.T, client paho.Client, topic string) bool {
	t.Helper()
	token := client.Publish(topic, 1, false, `{}`)
	if !token.WaitTimeout(mqttPatience) {
		t.Fatalf("no answer to publishing on %s", topic)
	}
	return token.Error() == nil
}

func TestRolesOverMQTT(t *testing.T) {
	c := config(t.TempDir())
	r := start(t, c)
	e := openBooks(t, c).estate()
	scopes := scopesInHome()
	reads := func(who string) bool { return scopes[who].Allows(hearth.ScopeRead) }
	elsewhere := func(who string) bool { return who == otherAdmin || who == root }
	isGateway := func(who string) bool { return who == gatewayTok }
	nobody := func(string) bool { return false }
	subscribe := map[string]func(string) bool{
		"hearth/" + e.home + "/reading/#":      reads,
		"hearth/" + e.home + "/event/#":        reads,
		"hearth/" + e.home + "/do":             func(who string) bool { return reads(who) || isGateway(who) },
		"hearth/" + e.home + "/online":         func(who string) bool { return reads(who) || isGateway(who) },
		"hearth/" + e.elsewhere + "/reading/#": elsewhere,
		"hearth/" + e.elsewhere + "/do":        elsewhere,
		"hearth/none/#":                        nobody,
		"$SYS/#":                               nobody,
		"#":                                    nobody,
		"hearth/" + e.home + "/" + strings.Repeat("x", 600): nobody,
	}
	publish := map[string]func(string) bool{
		hearth.TopicDo(e.home):                     nobody,
		hearth.TopicDone(e.home):                   isGateway,
		hearth.TopicOnline(e.home):                 isGateway,
		hearth.TopicReading(e.home, "toy:x", "on"): isGateway,
		"hearth/" + e.home + "/command":            func(who string) bool { return scopes[who].Allows(hearth.ScopeControl) },
		"hearth/" + e.elsewhere + "/command":       elsewhere,
		"hearth/" + e.home + "/direct/x/report":    func(who string) bool { return who != gatewayTok && scopes[who].Allows(hearth.ScopeWrite) },
		hearth.TopicDone(e.elsewhere):              nobody,
		"elsewhere":                                nobody,
	}
	for _, who := range everybody() {
		client, in := r.speak(e, who)
		if in != letIn(who) {
			t.Errorf("%s is let in: %v, want %v", who, in, letIn(who))
		}
		if !in {
			continue
		}
		for filter, may := range subscribe {
			if got := subscribed(t, client, filter); got != may(who) {
				t.Errorf("%s subscribes to %.80s: %v, want %v", who, filter, got, may(who))
			}
		}
		for topic, may := range publish {
			if got := published(t, client, topic); got != may(who) {
				t.Errorf("%s publishes on %s: %v, want %v", who, topic, got, may(who))
			}
			if !client.IsConnected() {
				if client, in = r.speak(e, who); !in {
					t.Fatalf("%s is not let in again", who)
				}
			}
		}
		client.Disconnect(0)
	}
}

// A token that is taken away, or whose person may less, hears nothing more on a connection that is open.
func TestRevocationReachesOpenConnections(t *testing.T) {
	c := config(t.TempDir())
	r := start(t, c)
	e := openBooks(t, c).estate()
	g := &gateway{r: r, Claim: hearth.Claim{Home: e.home, Token: e.tokens[gatewayTok], TokenName: e.names[gatewayTok]}}
	g.connect()
	heard := map[string]chan string{}
	for _, who := range []string{readToken, viewer, adminToken} {
		client, in := r.speak(e, who)
		if !in {
			t.Fatalf("%s is not let in", who)
		}
		t.Cleanup(func() { client.Disconnect(0) })
		values := make(chan string, 16)
		heard[who] = values
		g.wait(client.Subscribe("hearth/"+e.home+"/reading/#", 1, func(_ paho.Client, m paho.Message) { values <- string(m.Payload()) }))
	}
	say := func(value string) {
		g.wait(g.mqtt.Publish(hearth.TopicReading(e.home, "toy:x", "note"), 1, false, `{"value":"`+value+`"}`))
	}
	say("first")
	for who, values := range heard {
		select {
		case got := <-values:
			if !strings.Contains(got, "first") {
				t.Errorf("%s hears %s", who, got)
			}
		case <-time.After(mqttPatience):
			t.Fatalf("%s hears nothing", who)
		}
	}
	r.want(204, r.ask("DELETE", "/api/v1/tokens/"+strings.ReplaceAll(e.names[readToken], " ", "%20"), r.owner, "", nil))
	var users []struct{ ID, Email string }
	r.want(200, r.ask("GET", "/api/v1/users", r.owner, "", &users))
	for _, u := range users {
		if strings.HasPrefix(u.Email, "viewer-") {
			r.want(200, r.ask("DELETE", "/api/v1/users/"+u.ID+"/grants?home="+e.home, r.owner, "", nil))
		}
	}
	say("second")
	select {
	case <-heard[adminToken]: // by now the others would have it, too: they were there first
	case <-time.After(mqttPatience):
		t.Fatal("the administrator hears nothing")
	}
	say("third")
	<-heard[adminToken]
	for _, who := range []string{readToken, viewer} {
		select {
		case got := <-heard[who]:
			t.Errorf("%s still hears %s", who, got)
		default:
		}
	}
}
