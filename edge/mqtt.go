package edge

import (
	"cmp"
	"context"
	"sync"

	"hearth/api"
	"hearth/edge/mqtt"
	"hearth/edge/supervise"
	"hearth/settings"
)

// defaultDiscovery is where Home Assistant looks for devices unless it was told otherwise.
const defaultDiscovery = "homeassistant"

// broker is the gateway's MQTT face: run, and run again when it fails, without harm to the rest.
type broker struct {
	g    *gateway
	face *mqtt.Face

	mu     sync.Mutex
	status supervise.Status
}

// newBroker returns nil where MQTT is not wanted.
func newBroker(g *gateway) *broker {
	cfg := g.cfg.MQTT
	if cfg == nil {
		return nil
	}
	o := mqtt.Options{
		Home: g.home, Store: g.state.Bucket("mqtt"), Listen: cfg.Listen, Tokens: g.tokens.Find,
		Broker: cfg.Broker, Username: cfg.Username, Discovery: cfg.discovery(), Version: g.o.Version, Log: g.part("mqtt"),
	}
	if cfg.PasswordFile != "" {
		o.Password = func() (string, error) { return settings.Secret(cfg.PasswordFile, g.part("mqtt")) }
	}
	return &broker{g: g, face: mqtt.New(o)}
}

func (c *MQTTConfig) discovery() string {
	if c.Discovery == nil {
		return defaultDiscovery
	}
	return *c.Discovery
}

func (b *broker) run(ctx context.Context) error {
	return supervise.Run(ctx, b.g.part("mqtt"), func(s supervise.Status) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.status = s
	}, b.face.Run)
}

// alarm says what keeps devices from being seen on MQTT; "" if nothing does.
func (b *broker) alarm() string {
	if b == nil {
		return ""
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.status.State != supervise.Waiting {
		return ""
	}
	return "MQTT: " + cmp.Or(b.status.Error, "not connected")
}

// metrics tells how the face is.
func (b *broker) metrics(m *api.Metrics) {
	if b == nil {
		return
	}
	s, up := b.face.Stats(), 0.0
	if s.Connected {
		up = 1
	}
	m.Gauge("hearth_mqtt_connected", "1 while the MQTT broker is there.", up)
	m.Gauge("hearth_mqtt_clients", "Clients of the gateway's own MQTT broker.", float64(s.Clients))
	m.Gauge("hearth_mqtt_retained", "Messages of others that the gateway's own MQTT broker keeps.", float64(s.Retained))
	m.Counter("hearth_mqtt_published_total", "Messages published about devices.", float64(s.Published))
	m.Counter("hearth_mqtt_commands_total", "Commands taken over MQTT.", float64(s.Commands))
	m.Counter("hearth_mqtt_refused_total", "Messages on command topics that were no command, or refused.", float64(s.Refused))
}
