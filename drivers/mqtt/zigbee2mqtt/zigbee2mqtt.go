// Package zigbee2mqtt reads the devices of Zigbee2MQTT 2: what they are from bridge/devices, what they say from their
// topics, and commands that their state confirms. Several of them may be on one broker, each with its base topic.
package zigbee2mqtt

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// Limits.
const (
	maxInstances = 8
	maxInventory = 16 << 20 // bytes of bridge/devices: some 4 KiB for each device
	getAfter     = 3 * time.Second
	getEvery     = 200 * time.Millisecond // the network is slow, and others use it
	answerTime   = 30 * time.Second       // for the state that confirms a command, or a response
	writeOnly    = 1500 * time.Millisecond
	repeat       = 5 * time.Minute // an unchanged value is told again after this: every message has all of them
	clockSlack   = 10 * time.Second
)

// Config says where to look.
type Config struct {
	BaseTopics []string // none: wherever something speaks like a bridge, one level deep
}

// A Dialect speaks with every Zigbee2MQTT on the broker.
type Dialect struct {
	env    dialect.Env
	cfg    Config
	words  map[string]bool
	waiter dialect.Waiter
	once   dialect.Once
	wake   chan struct{} // a device may have to be asked for its state
	ended  sync.WaitGroup

	mu        sync.Mutex
	ctx       context.Context // nil without a broker
	instances map[string]*instance
	devices   map[hearth.ID]*device
	before    map[hearth.ID]*device // those of the last connection
	topics    map[string]*device
}

// New returns the dialect.
func New(env dialect.Env, cfg Config) *Dialect {
	d := &Dialect{env: env, cfg: cfg, words: map[string]bool{}, wake: make(chan struct{}, 1)}
	for _, w := range hearth.Words() {
		d.words[w] = true
	}
	d.reset()
	return d
}

func (d *Dialect) reset() {
	if len(d.devices) > 0 {
		d.before = d.devices
	}
	d.instances, d.devices, d.topics = map[string]*instance{}, map[hearth.ID]*device{}, map[string]*device{}
}

// MaxPayload allows the inventory to be large.
func (d *Dialect) MaxPayload(topic string) int {
	if strings.HasSuffix(topic, "/bridge/devices") {
		return maxInventory
	}
	return dialect.MaxPayload
}

// Connected implements dialect.Dialect.
func (d *Dialect) Connected(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ctx = ctx
	d.reset()
	d.ended.Go(func() { d.catchUp(ctx) })
	if len(d.cfg.BaseTopics) == 0 {
		d.env.Bus.Subscribe("+/bridge/info")
	}
	for _, base := range d.cfg.BaseTopics {
		d.instance(base)
	}
	d.remember()
}

// Silence implements dialect.Dialect.
func (d *Dialect) Silence() {
	d.waiter.Fail(dialect.Lost())
	d.mu.Lock()
	d.ctx = nil
	for _, dev := range d.devices { // what is kept there is of use only when the devices are known again
		d.unhear(dev)
	}
	for base := range d.instances {
		for _, word := range bridgeWords() {
			d.env.Bus.Unsubscribe(base + "/bridge/" + word)
		}
	}
	d.mu.Unlock()
	d.ended.Wait()
}

// Handle implements dialect.Dialect.
func (d *Dialect) Handle(m dialect.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx == nil {
		return
	}
	if base, word, ok := strings.Cut(m.Topic, "/bridge/"); ok {
		if in := d.instance(base); in != nil {
			in.handle(word, m)
		}
		return
	}
	if dev := d.topics[m.Topic]; dev != nil {
		dev.state(m)
		return
	}
	if topic, ok := strings.CutSuffix(m.Topic, "/availability"); ok {
		if dev := d.topics[topic]; dev != nil {
			dev.availability(m.Payload)
		}
	}
}

// instance returns the one with that base topic, made if it may be; d.mu is held.
func (d *Dialect) instance(base string) *instance {
	if in := d.instances[base]; in != nil {
		return in
	}
	if len(d.instances) >= maxInstances || dialect.CheckTopic(base) != nil {
		d.once.Warn(d.env.Log, "instances", "there are more Zigbee2MQTT on this broker than are looked at: name those that matter in base_topics", "topic", dialect.Clip(base, 80))
		return nil
	}
	in := &instance{d: d, base: base, members: map[hearth.ID]*device{}, kept: map[string][sha256.Size]byte{}}
	d.instances[base] = in
	for _, word := range bridgeWords() {
		d.env.Bus.Subscribe(base + "/bridge/" + word)
	}
	return in
}

// bridgeWords are what is listened to below <base>/bridge/.
func bridgeWords() []string {
	return []string{"info", "state", "devices", "groups", "event", "logging", "response/#"}
}

// catchUp asks devices for what nothing was kept of: most brokers keep no states. It gives them a moment first.
func (d *Dialect) catchUp(ctx context.Context) {
	timer := time.NewTimer(getAfter)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		d.miss()
		topic, payload := d.nextGet()
		if topic == "" {
			select {
			case <-ctx.Done():
				return
			case <-d.wake:
			}
			timer.Reset(getAfter)
			continue
		}
		_ = d.env.Bus.Publish(ctx, topic, payload, false) // asked again at the next connect
		timer.Reset(getEvery)
	}
}

// miss tells home of the devices of an instance that is remembered and has not spoken.
func (d *Dialect) miss() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, in := range d.instances {
		if in.known || !in.remembered {
			continue
		}
		in.known = true
		if in.coordinator != nil {
			in.coordinator.reach(false)
		}
		for _, dev := range in.members {
			dev.reach(false)
		}
	}
}

// nextGet returns what to publish to ask a device that has said nothing, once for each.
func (d *Dialect) nextGet() (topic string, payload []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, dev := range d.devices {
		if dev.heard || dev.asked || !dev.mains || dev.offline() {
			continue
		}
		dev.asked = true
		if payload := dev.get(); payload != nil {
			return dev.topic + "/get", payload
		}
	}
	return "", nil
}

func (d *Dialect) look() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
