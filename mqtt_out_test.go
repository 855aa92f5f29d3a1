package hearth_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/scripts/peers"

	paho "github.com/eclipse/paho.mqtt.golang"

	"hearth"
)

// These tests run the gateway as a person does and look at its MQTT face from outside.

// mqttEar is a client that keeps what it hears last on each topic.
type mqttEar struct {
	t      testing.TB
	client paho.Client
	mu     sync.Mutex
	last   map[string]string
	events map[string]int
}

func listenMQTT(t testing.TB, address, user, password string, filters ...string) *mqttEar {
	t.Helper()
	e := &mqttEar{t: t, last: map[string]string{}, events: map[string]int{}}
	o := paho.NewClientOptions().AddBroker("tcp://" + address).SetClientID("ear").SetUsername(user).SetPassword(password)
	o.SetConnectRetry(true).SetConnectRetryInterval(100 * time.Millisecond).SetMaxReconnectInterval(200 * time.Millisecond)
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.last[m.Topic()] = string(m.Payload())
		e.events[m.Topic()]++
	})
	o.SetOnConnectHandler(func(c paho.Client) {
		for _, filter := range filters {
			c.Subscribe(filter, 1, nil)
		}
	})
	e.client = paho.NewClient(o)
	e.client.Connect()
	t.Cleanup(func() { e.client.Disconnect(0) })
	eventually(t, "MQTT as "+user, e.client.IsConnectionOpen)
	return e
}

func (e *mqttEar) get(topic string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last[topic]
}

func (e *mqttEar) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.last)
}

// topic returns one whose payload is as wanted.
func (e *mqttEar) topic(prefix, suffix, contains string) (found string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for topic, payload := range e.last {
		if strings.HasPrefix(topic, prefix) && strings.HasSuffix(topic, suffix) && strings.Contains(payload, contains) {
			return topic
		}
	}
	return ""
}

func (e *mqttEar) say(topic, payload string, retain bool) {
	e.t.Helper()
	if token := e.client.Publish(topic, 1, retain, payload); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		e.t.Fatalf("publishing on %s: %v", topic, token.Error())
	}
}

// newGatewayWithMQTT starts a gateway with that MQTT face; control is the token named script.
func newGatewayWithMQTT(t testing.TB, mqtt string) (d *daemon, f face, control string) {
	t.Helper()
	web := freeAddress(t)
	d = newDaemon(t, "hearth-edge", fmt.Sprintf("data: %s\nhome: Cabin\nweb: {listen: %q}\nbuffer: {commit: 1s}\nmqtt: {%s}\ndrivers:\n%s", t.TempDir(), web, mqtt, toy))
	token := func(name, scope string) string {
		return strings.TrimSpace(run(t, "hearth-edge", "token", "add", "-config", d.config, "-name", name, "-scope", scope))
	}
	f, control = face{"http://" + web, token("test", "admin")}, token("script", "control")
	d.start()
	return d, f, control
}

// commandLamp switches the simulated light over MQTT, waits until that is confirmed, and returns it.
func commandLamp(t testing.TB, f face, e *mqttEar, on bool) hearth.ID {
	t.Helper()
	var lamp hearth.DeviceView
	eventually(t, "the light", func() (ok bool) { lamp, ok = device(t, f, "/api/v1/devices", "light"); return ok })
	e.say("hearth/device/"+string(lamp.ID)+"/set", fmt.Sprintf(`{"on":%v}`, on), false)
	eventually(t, "the state that follows", func() bool {
		return strings.Contains(e.get("hearth/device/"+string(lamp.ID)+"/state"), fmt.Sprintf(`"on":%v`, on))
	})
	eventually(t, "the confirmed record", func() bool {
		var rec hearth.Record
		return json.Unmarshal([]byte(e.get("hearth/device/"+string(lamp.ID)+"/command")), &rec) == nil && rec.State == hearth.Confirmed && rec.By == "script"
	})
	return lamp.ID
}

func TestMQTTFace(t *testing.T) {
	address := freeAddress(t)
	d, f, token := newGatewayWithMQTT(t, fmt.Sprintf("listen: %q", address))
	e := listenMQTT(t, address, "script", token, "hearth/#", "homeassistant/#")
	lamp := commandLamp(t, f, e, true)
	commandLamp(t, f, e, false)
	eventually(t, "the announcements", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		n := 0
		for topic := range e.last {
			if strings.HasSuffix(topic, "/config") {
				n++
			}
		}
		return n >= 20
	})
	if code := f.call(t, "GET", "/metrics", nil, nil); code != 200 {
		t.Errorf("metrics: %d", code)
	}
	e.say("hearth/device/"+string(lamp)+"/set", `{"on":true}`, true)
	d.kill()
	e.forget()
	d.start()
	eventually(t, "everything again after a kill", func() bool {
		return e.get("hearth/gateway/available") == "online" && e.topic("homeassistant/device/", "/config", string(lamp)) != "" &&
			e.topic("hearth/device/"+string(lamp), "/available", "online") != ""
	})
	var given []hearth.Record
	if f.call(t, "GET", "/api/v1/commands?device="+string(lamp), nil, &given); len(given) != 2 {
		t.Errorf("after a retained command and a restart: %+v", given)
	}
	if code := f.call(t, "DELETE", "/api/v1/devices/"+string(lamp), nil, nil); code/100 != 2 {
		t.Fatalf("deleting: %d", code)
	}
	commandLamp(t, f, e, true) // the driver announces it again, and so it is back
	if code := d.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

// TestNodeRED has flows of Node-RED read values and give commands.
func TestNodeRED(t *testing.T) {
	needPeer(t, "mosquitto") // where peers are, node is
	folder := peers.Node(t, "nodered")
	address := freeAddress(t)
	_, f, token := newGatewayWithMQTT(t, fmt.Sprintf("listen: %q", address))
	e := listenMQTT(t, address, "test", f.token, "nodered/#", "hearth/#")
	host, port, _ := strings.Cut(address, ":")
	red := exec.Command("node", "run.js", host, port, "script", token, t.TempDir())
	red.Dir = folder
	var log strings.Builder
	red.Stdout, red.Stderr = &log, &log
	stdin, err := red.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := red.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		red.Wait()
		if t.Failed() {
			t.Logf("Node-RED said:\n%s", tail(log.String(), 3000))
		}
	})
	var lamp hearth.DeviceView
	eventually(t, "the light", func() (ok bool) { lamp, ok = device(t, f, "/api/v1/devices", "light"); return ok })
	eventually(t, "a power that Node-RED read", func() bool { return strings.Contains(e.get("nodered/power"), `"power":`) })
	path := "/api/v1/devices/" + string(lamp.ID) + "/properties/on"
	if code := f.call(t, "PUT", path, map[string]bool{"value": false}, nil); code != 200 {
		t.Fatalf("PUT: %d", code)
	}
	eventually(t, "Node-RED's command, confirmed, and its record read by Node-RED", func() bool {
		var rec hearth.Record
		state := e.get("hearth/device/" + string(lamp.ID) + "/state")
		return json.Unmarshal([]byte(e.get("nodered/record")), &rec) == nil && rec.By == "script" && rec.State == hearth.Confirmed && strings.Contains(state, `"on":true`)
	})
}

// TestMQTTFaceOnMosquitto has the gateway on a broker that is killed and comes back.
func TestMQTTFaceOnMosquitto(t *testing.T) {
	command, address := needPeer(t, "mosquitto"), freeAddress(t)
	config := t.TempDir() + "/mosquitto.conf"
	_, port, _ := strings.Cut(address, ":")
	if err := os.WriteFile(config, fmt.Appendf(nil, "listener %s 127.0.0.1\nallow_anonymous true\npersistence false\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	pid := peer(t, "", command, "-c", config)
	_, f, _ := newGatewayWithMQTT(t, fmt.Sprintf("broker: %q", "mqtt://"+address))
	e := listenMQTT(t, address, "ear", "", "hearth/#", "homeassistant/#")
	eventually(t, "the gateway on mosquitto", func() bool { return e.get("hearth/gateway/available") == "online" })
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	process.Kill()
	eventually(t, "an alarm in the status", func() bool {
		_, body := f.ask(t, "GET", "/api/v1/status", nil)
		return strings.Contains(string(body), "MQTT: ")
	})
	e.forget()
	peer(t, "", command, "-c", config)
	eventually(t, "everything on the broker that is back", func() bool {
		return e.get("hearth/gateway/available") == "online" && e.topic("homeassistant/device/", "/config", "") != "" && e.topic("hearth/device/", "/state", "{") != ""
	})
}
