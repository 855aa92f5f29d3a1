// Package homeassistant is the dialect of everything that announces itself to Home Assistant over MQTT: ESPHome,
// OpenMQTTGateway, zwave-js-ui, EMS-ESP and the many bridges called something2mqtt. It reads the announcements, turns what
// they describe into devices in the house's words, and obeys their command topics. It does no I/O of its own.
package homeassistant

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// Config says where announcements are.
type Config struct {
	// Prefix is the discovery topic; empty means homeassistant.
	Prefix string
	// Ignore names the programs (origin) whose announcements are not for this dialect, because another one speaks with
	// them in their own words. Hearth's own are never read.
	Ignore []string
}

// Limits on what announcements may ask for.
const (
	maxEntities = 20_000
	maxHearings = 1024     // of one device
	maxConfig   = 64 << 10 // bytes of what is announced of one entity
	maxConfigs  = 16 << 20 // of all of them
)

// How long a burst of announcements is waited for before its devices are told to the house: it decides about names.
const (
	quiet   = 300 * time.Millisecond
	longest = 2 * time.Second
)

const own = "hearth" // the origin of the house's own announcements

// A Dialect is the house's ear for Home Assistant's discovery.
type Dialect struct {
	env    dialect.Env
	prefix string
	ignore []string
	keys   abbreviations
	words  map[string]bool // the house's
	log    *slog.Logger

	mu      sync.Mutex
	live    bool // between Connected and Silence
	loaded  bool
	devices map[hearth.ID]*device
	aliases map[string]*device
	placed  map[string]*placed // by key
	unique  map[string]string  // platform/unique_id → key
	size    int                // bytes of all that are placed
	board   *switchboard
	names   map[hearth.ID]string // of the Store
	once    dialect.Once
	waiter  dialect.Waiter

	dirty     map[*device]bool
	since     time.Time // of the first of them
	due       time.Time // when they are told
	deadlines map[deadline]time.Time
	timer     *time.Timer
	waking    time.Time // when it goes off
}

// placed is an entity in its device, and the announcement that made it.
type placed struct {
	entity *entity
	device *device
	sum    [32]byte
	size   int // bytes of the announcement
}

// New returns the dialect.
func New(env dialect.Env, cfg Config) (*Dialect, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = "homeassistant"
	}
	if err := dialect.CheckTopic(cfg.Prefix); err != nil || strings.HasSuffix(cfg.Prefix, "/") {
		return nil, fmt.Errorf("discovery prefix %q: want a topic without wildcards, as homeassistant", clip(cfg.Prefix))
	}
	d := &Dialect{
		env: env, prefix: cfg.Prefix, ignore: []string{own}, keys: newAbbreviations(), words: map[string]bool{}, log: env.Log,
		devices: map[hearth.ID]*device{}, aliases: map[string]*device{}, placed: map[string]*placed{}, unique: map[string]string{},
		board: newSwitchboard(), names: map[hearth.ID]string{},
		dirty: map[*device]bool{}, deadlines: map[deadline]time.Time{},
	}
	for _, w := range hearth.Words() {
		d.words[w] = true
	}
	for _, origin := range cfg.Ignore {
		d.ignore = append(d.ignore, strings.ToLower(origin))
	}
	return d, nil
}

// Connected implements dialect.Dialect: it subscribes to the announcements, of which the broker keeps the old ones.
func (d *Dialect) Connected(context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.load()
	d.live = true
	for _, dev := range d.devices {
		dev.announced = nil
		d.touch(dev)
	}
	d.env.Bus.Subscribe(d.prefix + "/+/+/config")
	d.env.Bus.Subscribe(d.prefix + "/+/+/+/config")
}

// Silence implements dialect.Dialect: whether devices are there is not known any more, and nothing is told until the
// broker is back.
func (d *Dialect) Silence() {
	d.waiter.Fail(dialect.Lost())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.board.forget()
	d.live = false
	if d.timer != nil {
		d.timer.Stop()
	}
	d.waking = time.Time{}
	clear(d.deadlines)
	clear(d.dirty)
	for _, dev := range d.devices {
		for _, r := range dev.reaches {
			r.forget()
		}
		clear(dev.expired)
		clear(dev.heard)
		dev.reachable = nil
	}
}

// Handle implements dialect.Dialect.
func (d *Dialect) Handle(m dialect.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := parseTopic(m.Topic, d.prefix); ok {
		d.announcement(m.Topic, at, m.Payload)
	}
	d.state(m)
}

// load reads the names that were given once, the first time.
func (d *Dialect) load() {
	if d.loaded {
		return
	}
	d.loaded = true
	err := d.env.Store.Each(func(key string, value []byte) error {
		if address, ok := strings.CutPrefix(key, namesKey); ok {
			d.names[d.env.ID(address)] = string(value)
		}
		return nil
	})
	if err != nil {
		d.log.Error("reading the names of properties", "error", err)
	}
}

const namesKey = "names/" // followed by the device's address

// announcement takes in one discovery message.
func (d *Dialect) announcement(topic string, at address, payload []byte) {
	if len(bytes.TrimSpace(payload)) == 0 {
		d.gone(topic, at)
		return
	}
	said, err := d.keys.parseAnnouncement(payload, at)
	if err != nil {
		d.complain("an announcement is not understood", topic, err)
		return
	}
	if slices.Contains(d.ignore, strings.ToLower(said.origin)) {
		return
	}
	if said.migrate {
		d.migrate(topic)
		return
	}
	for _, key := range sorted(said.entities) {
		c := said.entities[key]
		full := topic
		if at.component == "device" {
			full += "#" + key
		}
		if c == nil {
			d.remove(full)
			continue
		}
		if at.component == "device" {
			d.place(full, address{component: c.text("platform"), node: at.object, object: key}, c)
		} else {
			d.place(full, at, c)
		}
	}
}

// gone is an empty announcement: what it announced before has left.
func (d *Dialect) gone(topic string, at address) {
	if at.component != "device" {
		d.remove(topic)
		return
	}
	for key := range d.placed {
		if strings.HasPrefix(key, topic+"#") {
			d.remove(key)
		}
	}
}

// migrate keeps what was announced there, until it is announced somewhere else.
func (d *Dialect) migrate(topic string) {
	for key, p := range d.placed {
		if key != topic && !strings.HasPrefix(key, topic+"#") || p.entity.unique == "" {
			continue
		}
		delete(d.placed, key)
		delete(p.device.entities, key)
		p.entity.key = "migrating " + p.entity.identity()
		p.sum = [32]byte{}
		d.placed[p.entity.key] = p
		p.device.entities[p.entity.key] = p.entity
		d.unique[p.entity.identity()] = p.entity.key
	}
}

// place makes an entity of its configuration and puts it into its device.
func (d *Dialect) place(key string, at address, c config) {
	data, err := json.Marshal(c)
	sum := sha256.Sum256(data)
	old := d.placed[key]
	if old != nil && old.sum == sum || err != nil {
		return
	}
	if len(data) > maxConfig {
		d.complain("an entity announces too much", key, fmt.Errorf("%d bytes are more than %d", len(data), maxConfig))
		return
	}
	who := identify(c, at)
	from := source{config: c, at: at, deviceName: config(c.object("device")).text("name")}
	known := d.known(who)
	if known == nil && len(d.devices) >= dialect.MaxDevices {
		d.complain("too many devices are announced: the rest is left out", d.prefix, fmt.Errorf("more than %d", dialect.MaxDevices))
		return
	}
	if known != nil && from.deviceName == "" {
		from.deviceName = known.name
	}
	e := d.build(key, from)
	if e == nil {
		return
	}
	if e.unique != "" {
		other := d.unique[e.identity()]
		switch {
		case strings.HasPrefix(other, "migrating "):
			d.remove(other)
		case other != "" && other != key:
			d.complain("the same unique_id is announced twice: the first counts", key, fmt.Errorf("it is %s", clip(other)))
			return
		}
	}
	size := d.size + len(data)
	if old != nil {
		size -= old.size
	}
	if old == nil && len(d.placed) >= maxEntities || size > maxConfigs {
		d.complain("too many entities are announced", d.prefix, fmt.Errorf("more than %d, or than %d bytes", maxEntities, maxConfigs))
		return
	}
	dev := d.deviceOf(who)
	if dev == nil {
		return
	}
	if old != nil {
		d.remove(key)
	}
	if len(dev.entities) >= maxComponents {
		d.complain("a device announces too much", string(dev.id), fmt.Errorf("more than %d components", maxComponents))
		return
	}
	if from.deviceName != "" {
		dev.name = from.deviceName
	}
	dev.describe(c, config(c.object("device")))
	dev.entities[key] = e
	d.placed[key] = &placed{e, dev, sum, len(data)}
	d.size += len(data)
	if e.unique != "" {
		d.unique[e.identity()] = key
	}
	d.touch(dev)
}

// known returns the device that goes by any of those names, if there is one.
func (d *Dialect) known(who identity) *device {
	for _, alias := range who.aliases {
		if dev := d.aliases[alias]; dev != nil {
			return dev
		}
	}
	return nil
}

// deviceOf finds the device that the configuration names, or makes it.
func (d *Dialect) deviceOf(who identity) *device {
	dev := d.known(who)
	if dev == nil {
		id := d.env.ID(d.env.Address(who.address))
		if dev = d.devices[id]; dev == nil {
			if err := id.Check(); err != nil {
				d.complain("a device cannot be taken in", who.address, err)
				return nil
			}
			dev = newDevice(id, nil)
			if dev.stored = d.names[id]; dev.stored != "" && json.Unmarshal([]byte(dev.stored), &dev.names) != nil {
				dev.names = map[string]string{}
			}
			d.devices[id] = dev
		}
	}
	for _, alias := range who.aliases {
		if d.aliases[alias] == nil && len(dev.aliases) < maxAliases {
			d.aliases[alias] = dev
			dev.aliases = append(dev.aliases, alias)
		}
	}
	return dev
}

func (d *Dialect) remove(key string) {
	p := d.placed[key]
	if p == nil {
		return
	}
	delete(d.placed, key)
	d.size -= p.size
	delete(p.device.entities, key)
	if d.unique[p.entity.identity()] == key {
		delete(d.unique, p.entity.identity())
	}
	delete(d.deadlines, deadline{p.device, p.entity, false})
	delete(d.deadlines, deadline{p.device, p.entity, true})
	d.touch(p.device)
}

// complain logs a thing once.
func (d *Dialect) complain(what, about string, err error) {
	d.once.Warn(d.log, what+about, what, "about", clip(about), "error", err)
}

func sorted(m map[string]config) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
