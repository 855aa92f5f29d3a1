// Package shelly is the dialect of Shelly's devices of the second generation and later: JSON-RPC 2.0 over MQTT. They are
// found by what they say, asked what they are, heard by their notifications, and commanded by calls that they answer. It
// does no I/O of its own.
package shelly

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

const (
	deepest     = 3                // levels of a topic prefix
	askAgain    = 30 * time.Second // until a device that does not answer is asked again
	unanswered  = 10 * time.Second // until a device that answers nothing is taken for what it says by itself
	answerLimit = 8 * time.Second  // for the answer to a command
	storeKey    = "device/"        // followed by the Shelly id
	maxStored   = 128 << 10        // bytes kept of one device
	maxID       = 64               // bytes of a Shelly id
	maxWeight   = 128 << 10        // bytes, about, of what one device has said of itself
	maxWeights  = 32 << 20         // of what all of them have
)

// A Dialect speaks with every Shelly on the broker.
type Dialect struct {
	env   dialect.Env
	log   *slog.Logger
	asker *dialect.Asker
	once  dialect.Once
	src   string // whom devices answer: at <src>/rpc

	mu       sync.Mutex
	live     bool // between Connected and Silence
	loaded   bool
	devices  map[string]*device   // by Shelly id
	prefixes map[string]*device   // by topic prefix
	strange  map[string]time.Time // prefixes that were asked who they are, and when
	calls    map[int64]*call
	last     int64 // id of a call
	weight   int   // of what the devices have said
}

// New returns the dialect.
func New(env dialect.Env) *Dialect {
	return &Dialect{
		env: env, log: env.Log, asker: dialect.NewAsker(env.Bus), src: "hearth-" + strings.ToLower(rand.Text()[:12]),
		devices: map[string]*device{}, prefixes: map[string]*device{}, strange: map[string]time.Time{}, calls: map[int64]*call{},
	}
}

// Connected implements dialect.Dialect.
func (d *Dialect) Connected(ctx context.Context) {
	d.asker.Connected(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.load()
	d.live = true
	for _, dev := range d.devices {
		if dev.announced != nil {
			dev.announced = nil
			d.announce(dev)
		}
	}
	d.env.Bus.Subscribe(d.src + "/rpc")
	prefix := ""
	for range deepest {
		prefix += "+/"
		d.env.Bus.Subscribe(prefix + "events/rpc")
		d.env.Bus.Subscribe(prefix + "status/+")
		d.env.Bus.Subscribe(prefix + "online")
	}
}

// Silence implements dialect.Dialect.
func (d *Dialect) Silence() {
	d.mu.Lock()
	d.live = false
	for id, c := range d.calls {
		delete(d.calls, id)
		if c.answer != nil {
			c.answer <- reply{err: dialect.Lost()}
		}
	}
	clear(d.strange)
	for _, dev := range d.devices {
		dev.online, dev.asking, dev.asked = nil, false, time.Time{}
		clear(dev.held)
	}
	d.mu.Unlock()
	d.asker.Silence()
}

// Handle implements dialect.Dialect.
func (d *Dialect) Handle(m dialect.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.live || len(m.Payload) > dialect.MaxPayload {
		return
	}
	if m.Topic == d.src+"/rpc" {
		if !m.Retained {
			d.answered(m)
		}
		return
	}
	if prefix, ok := strings.CutSuffix(m.Topic, "/events/rpc"); ok {
		d.notified(prefix, m)
		return
	}
	if prefix, ok := strings.CutSuffix(m.Topic, "/online"); ok {
		d.reach(prefix, m)
		return
	}
	if cut := strings.LastIndex(m.Topic, "/status/"); cut > 0 {
		d.stated(m.Topic[:cut], m.Topic[cut+len("/status/"):], m)
	}
}

// reach takes in whether a device is connected, which it says when it comes, and the broker when it is gone. One that
// sleeps is gone most of the time, and still there.
func (d *Dialect) reach(prefix string, m dialect.Message) {
	said := string(m.Payload)
	if said != "true" && said != "false" || strings.HasPrefix(prefix, "shellies/") { // the first generation
		return
	}
	online := said == "true"
	dev := d.prefixes[prefix]
	if dev == nil {
		if online {
			d.meet(prefix, m.Time)
		}
		return
	}
	back := online && (dev.online == nil || !*dev.online)
	if online || !dev.sleeps() {
		d.reachable(dev, online)
	}
	if dev.complete && dev.announced == nil {
		d.announce(dev)
	}
	if back {
		d.interview(dev, m.Time)
	}
}

func (d *Dialect) reachable(dev *device, online bool) {
	if dev.online != nil && *dev.online == online {
		return
	}
	dev.online = &online
	if dev.announced != nil {
		d.env.Bus.Report(hearth.Reading{Device: dev.id, Property: "reachable", Value: hearth.BoolOf(online)})
	}
}

// meet asks who is behind a prefix.
func (d *Dialect) meet(prefix string, now time.Time) {
	if at, asked := d.strange[prefix]; asked && now.Sub(at) < askAgain || dialect.CheckTopic(prefix+"/rpc") != nil {
		return
	}
	if len(d.strange) >= dialect.MaxDevices {
		d.once.Warn(d.log, "strange", "more devices are on this broker than are asked whether they are a Shelly", "most", dialect.MaxDevices)
		return
	}
	d.strange[prefix] = now
	d.ask(&call{prefix: prefix, method: "Shelly.GetDeviceInfo", since: now})
}

// notified takes in a notification.
func (d *Dialect) notified(prefix string, m dialect.Message) {
	var said struct {
		Source string          `json:"src"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	}
	if err := dialect.ReadJSON(m.Payload, &said); err != nil || said.Source == "" {
		d.once.Warn(d.log, "rpc "+prefix, "a notification is not understood", "topic", dialect.Clip(m.Topic, 80), "error", err)
		return
	}
	dev := d.known(said.Source, prefix)
	if dev == nil {
		return
	}
	switch said.Method {
	case "NotifyStatus", "NotifyFullStatus":
		var params map[string]any
		if dialect.ReadJSON(said.Params, &params) != nil {
			return
		}
		at := d.env.Plausible(unix(params["ts"]))
		if said.Method == "NotifyFullStatus" {
			dev.whole(params)
			d.weigh(dev)
			d.announce(dev)
		}
		d.touch(dev, m)
		for key, status := range params {
			d.overlay(dev, key, status, at)
		}
	case "NotifyEvent":
		d.touch(dev, m)
		if !m.Retained { // what is retained was pressed long ago
			d.happened(dev, said.Params, m.Time)
		}
	}
}

// stated takes in the whole status of one component.
func (d *Dialect) stated(prefix, key string, m dialect.Message) {
	if _, _, ok := split(key); !ok || !dialect.IsObject(m.Payload) {
		return
	}
	dev := d.prefixes[prefix]
	if dev == nil {
		d.meet(prefix, m.Time)
		return
	}
	var status any
	if dialect.ReadJSON(m.Payload, &status) != nil {
		return
	}
	d.touch(dev, m)
	d.overlay(dev, key, status, time.Time{})
}

// touch notes that a device was heard. One that is not known yet is asked what it is.
func (d *Dialect) touch(dev *device, m dialect.Message) {
	if dev.complete && dev.announced == nil {
		d.announce(dev)
	}
	if !m.Retained {
		d.reachable(dev, true)
	}
	late := m.Time.Sub(dev.asked)
	switch {
	case dev.asked.IsZero(), late > askAgain && (dev.asking || !dev.complete):
		d.interview(dev, m.Time)
	case !dev.complete && dev.announced == nil && late > unanswered:
		d.announce(dev) // as far as it is known
		d.retell(dev)
	}
}

// known returns the device of that Shelly id, which speaks at prefix; nil if it cannot be taken in.
func (d *Dialect) known(id, prefix string) *device {
	dev := d.devices[id]
	if dev == nil {
		if len(id) > maxID || len(d.devices) >= dialect.MaxDevices {
			d.once.Warn(d.log, "devices", "a Shelly is not taken in", "id", dialect.Clip(id, 80), "devices", len(d.devices))
			return nil
		}
		dev = newDevice(id, d.env.ID(d.env.Address(id)))
		d.devices[id] = dev
	}
	if dev.prefix == prefix {
		return dev
	}
	if dialect.CheckTopic(prefix+"/rpc") != nil {
		return nil
	}
	if dev.prefix != "" && dev.online != nil && *dev.online { // still there under the other one
		d.once.Warn(d.log, "prefix "+id, "two devices have the same Shelly id: the first is heard", "id", dialect.Clip(id, 80), "first", dev.prefix, "second", dialect.Clip(prefix, 80))
		return nil
	}
	if d.prefixes[dev.prefix] == dev {
		delete(d.prefixes, dev.prefix)
	}
	dev.prefix = prefix
	d.prefixes[prefix] = dev
	delete(d.strange, prefix)
	return dev
}

// announce tells the house what the device is, if that is news, and keeps it: a sensor that sleeps says it seldom.
func (d *Dialect) announce(dev *device) {
	dev.build()
	if len(dev.properties) == 0 {
		return
	}
	if !dev.announced.Announce(d.env.Bus, dev.device(), dev.online) {
		return
	}
	if !dev.complete || bytes.Equal(dev.announced, dev.stored) {
		return
	}
	dev.stored = dev.announced
	if err := d.keep(dev); err != nil {
		d.log.Error("keeping what a Shelly is", "device", dev.id, "error", err)
	}
}
