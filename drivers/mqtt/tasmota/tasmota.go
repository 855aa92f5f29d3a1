// Package tasmota is the dialect of devices with Tasmota's firmware: what they are from its native discovery (SetOption19
// 0), what they say from their stat and tele topics, and commands that a RESULT acknowledges. It does no I/O of its own.
package tasmota

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

const (
	discovery = "tasmota/discovery/" // followed by the MAC and config or sensors
	namesKey  = "names/"             // of the Store, followed by the MAC

	maxMessage  = 8 << 10          // bytes: the firmware has room for about one thousand
	sameTopic   = 8                // devices that say they have the same topic: a replaced one, whose announcement stays
	askAgain    = 10 * time.Second // how soon a device that says it is online is asked again
	answerLimit = 5 * time.Second  // for the RESULT of a command
)

// A Dialect speaks with every Tasmota on the broker.
type Dialect struct {
	env    dialect.Env
	log    *slog.Logger
	asker  *dialect.Asker
	waiter dialect.Waiter
	once   dialect.Once

	mu      sync.Mutex
	live    bool // between Connected and Silence
	devices map[string]*device
	bases   map[string][]*device // by the topic up to its last level: those that may speak there
}

// New returns the dialect.
func New(env dialect.Env) *Dialect {
	return &Dialect{
		env: env, log: env.Log, asker: dialect.NewAsker(env.Bus),
		devices: map[string]*device{}, bases: map[string][]*device{},
	}
}

// Connected implements dialect.Dialect. The announcements are retained, so they come by themselves; whether a device is
// there its LWT tells, and then it is asked for all it knows.
func (d *Dialect) Connected(ctx context.Context) {
	d.asker.Connected(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.live = true
	for _, dev := range d.devices {
		if dev.announced != nil {
			dev.announced = nil
			d.announce(dev)
		}
	}
	// One filter for both, so that what a device has for sensors is known before anything it says.
	d.env.Bus.Subscribe(discovery + "+/+")
}

// Silence implements dialect.Dialect.
func (d *Dialect) Silence() {
	d.waiter.Fail(dialect.Lost())
	d.mu.Lock()
	d.live = false
	for _, dev := range d.devices {
		dev.online, dev.asked = nil, time.Time{}
	}
	d.mu.Unlock()
	d.asker.Silence()
}

// Handle implements dialect.Dialect.
func (d *Dialect) Handle(m dialect.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.live {
		return
	}
	if len(m.Payload) > maxMessage {
		d.once.Warn(d.log, "size "+m.Topic, "a message is longer than any of a Tasmota", "topic", dialect.Clip(m.Topic, 80), "bytes", len(m.Payload))
		return
	}
	if rest, ok := strings.CutPrefix(m.Topic, discovery); ok {
		mac, what, _ := strings.Cut(rest, "/")
		switch {
		case !validMAC(mac):
			d.once.Warn(d.log, "mac", "an announcement does not name a MAC", "topic", dialect.Clip(m.Topic, 80))
		case what == "config":
			d.configured(mac, m)
		case what == "sensors":
			d.sensed(mac, m.Payload)
		}
		return
	}
	cut := strings.LastIndexByte(m.Topic, '/') + 1
	for _, dev := range d.bases[m.Topic[:cut]] {
		d.hear(dev, m.Topic[:cut], m.Topic[cut:], m)
	}
}

// validMAC reports whether text can be the key of a device: Tasmota writes its MAC without colons.
func validMAC(text string) bool {
	return text != "" && len(text) <= 32 && strings.Trim(text, "0123456789ABCDEFabcdef") == ""
}

// configured takes in what a device is; an empty message says that it is not announced any more.
func (d *Dialect) configured(mac string, m dialect.Message) {
	dev, payload := d.devices[mac], m.Payload
	if len(bytes.TrimSpace(payload)) == 0 {
		if dev != nil {
			d.remove(dev)
		}
		return
	}
	if dev != nil && bytes.Equal(dev.raw, payload) {
		if dev.asked.IsZero() {
			d.ask(dev, m.Time)
		}
		return
	}
	cfg, err := parseConfig(mac, payload)
	if err != nil {
		d.once.Warn(d.log, "config "+mac, "an announcement of a Tasmota is not understood", "mac", mac, "error", err)
		return
	}
	if dev == nil {
		if dev = d.make(mac); dev == nil {
			return
		}
	}
	d.unhear(dev)
	dev.raw, dev.cfg = bytes.Clone(payload), cfg
	dev.build()
	d.listen(dev)
	if dev.sensing || dev.announced != nil {
		d.announce(dev)
	}
	d.ask(dev, m.Time)
}

// make returns the device of that MAC, nil if there are too many.
func (d *Dialect) make(mac string) *device {
	if dev := d.devices[mac]; dev != nil {
		return dev
	}
	if len(d.devices) >= dialect.MaxDevices {
		d.once.Warn(d.log, "devices", "more Tasmota devices are announced than are taken in", "most", dialect.MaxDevices)
		return nil
	}
	dev := &device{mac: mac, id: d.env.ID(d.env.Address(mac)), names: map[string]string{}}
	stored, err := d.env.Store.Get(namesKey + mac)
	if err == nil && stored != nil {
		err = json.Unmarshal(stored, &dev.names)
	}
	if err != nil {
		d.log.Error("reading the names of sensors", "device", dev.id, "error", err)
		dev.names = map[string]string{}
	}
	dev.stored = len(dev.names)
	d.devices[mac] = dev
	return dev
}

// sensed takes in which sensors a device has. The values there are as old as the announcement.
func (d *Dialect) sensed(mac string, payload []byte) {
	dev := d.devices[mac]
	if len(bytes.TrimSpace(payload)) == 0 {
		if dev != nil && dev.cfg == nil {
			delete(d.devices, mac)
		}
		return
	}
	var said struct {
		Sensors map[string]any `json:"sn"`
	}
	if err := dialect.ReadJSON(payload, &said); err != nil {
		d.once.Warn(d.log, "sensors "+mac, "what sensors a Tasmota has is not understood", "mac", mac, "error", err)
		return
	}
	if dev == nil {
		if dev = d.make(mac); dev == nil {
			return
		}
	}
	dev.skeleton, dev.sensing = said.Sensors, true
	if dev.cfg != nil {
		dev.build()
		d.announce(dev)
	}
}

// remove forgets a device for good.
func (d *Dialect) remove(dev *device) {
	d.unhear(dev)
	delete(d.devices, dev.mac)
	d.waiter.Refused(dev.id, hearth.Errorf(hearth.CodeNoDevice, "%s was taken out of Tasmota's discovery", dev.id))
	if err := d.env.Store.Delete(namesKey + dev.mac); err != nil {
		d.log.Error("forgetting the names of sensors", "device", dev.id, "error", err)
	}
	if dev.announced != nil {
		d.env.Bus.Forget(dev.id)
	}
}

// listen subscribes to what the device says. Each topic by itself where that is possible: they are found faster.
func (d *Dialect) listen(dev *device) {
	for _, base := range dev.cfg.bases() {
		if len(d.bases[base]) >= sameTopic {
			d.once.Warn(d.log, "topic "+base, "too many Tasmota devices have the same topic: give each its own", "topic", dialect.Clip(base, 80))
			continue
		}
		d.bases[base] = append(d.bases[base], dev)
	}
	for _, filter := range dev.cfg.filters() {
		d.env.Bus.Subscribe(filter)
	}
}

func (d *Dialect) unhear(dev *device) {
	if dev.cfg == nil {
		return
	}
	shared := false
	for _, base := range dev.cfg.bases() {
		rest := slices.DeleteFunc(slices.Clone(d.bases[base]), func(other *device) bool { return other == dev })
		if d.bases[base] = rest; len(rest) == 0 {
			delete(d.bases, base)
		} else {
			shared = true
		}
	}
	if shared {
		return
	}
	for _, filter := range dev.cfg.filters() {
		d.env.Bus.Unsubscribe(filter)
	}
}

// ask has a device say all it knows: its state and its sensors at once, and what else it has in Status 0.
func (d *Dialect) ask(dev *device, now time.Time) {
	dev.asked = now
	d.asker.Ask(dev.cfg.command+"STATE", nil)
	d.asker.Ask(dev.cfg.command+"STATUS", []byte("0"))
	d.asker.Ask(dev.cfg.command+"TelePeriod", nil)
}

// announce tells the house what the device is, if that is news.
func (d *Dialect) announce(dev *device) {
	if !dev.announced.Announce(d.env.Bus, dev.device(), dev.online) {
		return
	}
	if len(dev.names) == dev.stored {
		return
	}
	names, err := json.Marshal(dev.names)
	if err == nil {
		err = d.env.Store.Put(namesKey+dev.mac, names)
	}
	if err != nil {
		d.log.Error("keeping the names of sensors", "device", dev.id, "error", err)
	}
	dev.stored = len(dev.names)
}
