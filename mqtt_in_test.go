package hearth_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hearth"
	"hearth/drivers/zigbee/fake"
)

// A bridged is a gateway that reads from mosquitto what Zigbee2MQTT says there of the devices around a fake stick.
type bridged struct {
	*zigbee2mqtt
	air     *air
	gateway *daemon
	face    face
}

func newBridged(t testing.TB, devices int) *bridged {
	a := newAir(t, fake.EZSP, devices)
	z := newZigbee2MQTT(t, a, fake.EZSP).(*zigbee2mqtt)
	file := filepath.Join(z.dir, "configuration.yaml")
	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// Announced to Home Assistant as well, each device must still be there once.
	text := strings.Replace(string(config), "homeassistant: {enabled: false}", "homeassistant: {enabled: true}\navailability: {enabled: true}", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, "hearth-edge", fmt.Sprintf("data: %s\nweb: {listen: %q}\ndrivers:\n  z2m: {type: mqtt, broker: %q}\n", t.TempDir(), freeAddress(t), z.broker))
	b := &bridged{zigbee2mqtt: z, air: a, gateway: d}
	d.start()
	b.face = d.face(t)
	z.start()
	return b
}

func (b *bridged) devices() (all []hearth.DeviceView) {
	b.face.call(b.t, "GET", "/api/v1/devices", nil, &all)
	return all
}

func (b *bridged) device(id hearth.ID) (dev hearth.DeviceView, ok bool) {
	return dev, b.face.call(b.t, "GET", "/api/v1/devices/"+string(id), nil, &dev) == 200
}

// set gives one command and returns the answer's status.
func (b *bridged) set(id hearth.ID, property string, value any) int {
	return b.face.call(b.t, "PUT", "/api/v1/devices/"+string(id)+"/properties/"+property, map[string]any{"value": value}, nil)
}

func (b *bridged) value(id hearth.ID, property string) (v hearth.Value) {
	if dev, ok := b.device(id); ok {
		if p := dev.Property(property); p != nil && p.Value != nil {
			v = *p.Value
		}
	}
	return v
}

// pairAll lets the devices in by the gateway's own word and returns the coordinator.
func (b *bridged) pairAll() (stick hearth.ID) {
	b.t.Helper()
	eventually(b.t, "the coordinator is there", func() bool {
		for _, d := range b.devices() {
			if d.Type == "coordinator" && d.Reachable {
				stick = d.ID
			}
		}
		return stick != ""
	})
	if code := b.set(stick, "pairing", 254); code != 200 {
		b.t.Fatalf("opening the network: %d", code)
	}
	b.air.pair()
	eventually(b.t, "every device is there and interviewed", func() bool {
		done := 0
		for _, d := range b.devices() {
			if p := d.Property("interview"); p != nil && p.Value != nil && p.Value.Text() == "done" {
				done++
			}
		}
		return done == len(b.air.devices)
	})
	return stick
}

// TestZigbee2MQTTThroughMQTT has a home that runs Zigbee2MQTT point its gateway at the broker.
func TestZigbee2MQTTThroughMQTT(t *testing.T) {
	b := newBridged(t, 3)
	stick := b.pairAll()
	if n := len(b.devices()); n != len(b.air.devices)+1 {
		t.Errorf("there are %d devices, want each one once, and the coordinator", n)
	}
	lamp, sensor := hearth.ID("z2m:"+b.air.lamp().IEEE().String()), hearth.ID("z2m:"+b.air.sensor().IEEE().String())
	light := func(on bool) {
		t.Helper()
		if code := b.set(lamp, "on", on); code != 200 {
			t.Errorf("switching the lamp to %v was answered %d", on, code)
		}
		if isOn(b.air.lamp()) != on {
			t.Errorf("the lamp is not %v", on)
		}
	}
	light(true)
	light(false)
	if code := b.face.call(t, "POST", "/api/v1/commands?wait=10s", map[string]any{"device": lamp, "set": map[string]any{"on": true, "brightness": 40, "transition": 0}}, nil); code != 200 {
		t.Errorf("a command of three was answered %d", code)
	}
	eventually(t, "the lamp is at 40 %", func() bool { v := b.value(lamp, "brightness").Number(); return v > 39.5 && v < 40.5 })
	eventually(t, "what the sensor says is told", func() bool {
		sayTemperature(b.air.sensor(), 23.5)
		return b.value(sensor, "temperature") == hearth.NumberOf(23.5)
	})
	if code := b.set(stick, "pairing", 0); code != 200 || b.value(stick, "pairing") != hearth.NumberOf(0) {
		t.Errorf("closing the network: %d, pairing is %s", code, b.value(stick, "pairing"))
	}

	b.publish("bridge/request/device/rename", fmt.Sprintf(`{"from":"0x%s","to":"hall/lamp"}`, b.air.lamp().IEEE()))
	eventually(t, "the lamp has its new name", func() bool { d, _ := b.device(lamp); return d.Name == "hall/lamp" })
	light(false)

	b.breakBroker(lamp)
	eventually(t, "the lamp is back", func() bool { d, _ := b.device(lamp); return d.Reachable })
	light(true)

	b.publish("bridge/request/device/remove", `{"id":"hall/lamp","force":true}`)
	eventually(t, "the lamp is forgotten", func() bool { _, there := b.device(lamp); return !there })
}

// breakBroker kills mosquitto, sees that the home knows, and starts it again where it was.
func (b *bridged) breakBroker(device hearth.ID) {
	b.t.Helper()
	if err := syscall.Kill(b.pid, syscall.SIGKILL); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "the device is out of reach", func() bool { d, _ := b.device(device); return !d.Reachable })
	var status struct {
		Drivers []struct{ Name, State, Error string }
	}
	b.face.call(b.t, "GET", "/api/v1/status", nil, &status)
	if len(status.Drivers) != 1 || status.Drivers[0].State != "waiting" || !strings.Contains(status.Drivers[0].Error, "broker") {
		b.t.Errorf("the status says %+v", status.Drivers)
	}
	b.pid = peer(b.t, "", needPeer(b.t, "mosquitto"), "-c", filepath.Join(b.dir, "mosquitto.conf"))
	eventually(b.t, "the test is back at the broker", func() bool {
		return b.client.IsConnectionOpen()
	})
}
