package zigbee2mqtt

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

type kind int

const (
	deviceKind kind = iota
	groupKind
	coordinatorKind
)

// Stages of an interview.
const (
	interviewWaiting = "waiting"
	interviewRunning = "running"
	interviewDone    = "done"
	interviewFailed  = "failed"
)

// A device is one of Zigbee2MQTT's, a group, or the coordinator; Dialect.mu guards it.
type device struct {
	hearth.Device
	instance *instance
	kind     kind
	address  string // as Zigbee2MQTT has it
	topic    string // "": it can be neither heard nor told
	fields   []*field
	buttons  *buttons
	mains    bool
	disabled bool

	heard, asked bool // since the connect
	there, known bool // what its availability says, if it has
	interview    string
	values       map[string]held
	wanted       map[string]bool // told even if unchanged: somebody waits for it
}

// held is a value that was told.
type held struct {
	value hearth.Value
	at    time.Time
}

// admit takes dev in under its ID, in the place of what was there; false if that belongs to another instance that is
// online, or if there are too many.
func (d *Dialect) admit(dev *device) bool {
	old := d.devices[dev.ID]
	switch {
	case old == nil && len(d.devices) >= dialect.MaxDevices:
		d.once.Warn(d.env.Log, "too many", "Zigbee2MQTT has more devices than are taken", "most", dialect.MaxDevices)
		return false
	case old != nil && old.instance != dev.instance:
		if old.instance.online || old.kind == coordinatorKind {
			d.once.Warn(d.env.Log, "twice "+string(dev.ID), "a device is on two networks: the first counts", "device", dev.ID, "first", old.instance.base, "second", dev.instance.base)
			return false
		}
		delete(old.instance.members, old.ID)
	}
	if old != nil && old.topic != dev.topic {
		d.unhear(old)
	}
	d.devices[dev.ID] = dev
	return true
}

// hear subscribes to the device's topics, unless they are another's.
func (d *Dialect) hear(dev *device, friendly string) {
	topic := dev.instance.base + "/" + friendly
	if dialect.CheckTopic(topic) != nil || taken(friendly) || d.topics[topic] != nil && d.topics[topic].ID != dev.ID {
		d.once.Warn(d.env.Log, "name "+string(dev.ID), "a device has a name by which it cannot be reached: rename it in Zigbee2MQTT", "device", dev.ID, "name", dialect.Name(friendly))
		return
	}
	dev.topic = topic
	d.topics[topic] = dev
	d.env.Bus.Subscribe(topic)
	d.env.Bus.Subscribe(topic + "/availability")
}

// taken reports whether a name would make topics that mean something else.
func taken(friendly string) bool {
	for _, end := range []string{"/availability", "/set", "/get"} {
		if strings.HasSuffix(friendly, end) {
			return true
		}
	}
	return friendly == "" || friendly == "bridge" || strings.HasPrefix(friendly, "bridge/")
}

func (d *Dialect) unhear(dev *device) {
	if dev.topic == "" || d.topics[dev.topic] == nil || d.topics[dev.topic].ID != dev.ID {
		return
	}
	delete(d.topics, dev.topic)
	d.env.Bus.Unsubscribe(dev.topic)
	d.env.Bus.Unsubscribe(dev.topic + "/availability")
}

func (in *instance) forget(dev *device) {
	in.d.unhear(dev)
	delete(in.members, dev.ID)
	delete(in.d.devices, dev.ID)
	in.d.waiter.Refused(dev.ID, hearth.Errorf(hearth.CodeNoDevice, "%s has left the network", dev.ID))
	in.d.env.Bus.Forget(dev.ID)
}

// device takes in what bridge/devices says of one and reports whether it is a device here.
func (in *instance) device(id hearth.ID, info deviceInfo) bool {
	d := in.d
	dev := &device{instance: in, kind: deviceKind, address: info.IEEE, disabled: info.Disabled, values: map[string]held{}, wanted: map[string]bool{}}
	dev.Device = hearth.Device{ID: id, Vendor: dialect.Name(info.Vendor), Model: dialect.Name(info.Model), Firmware: dialect.Name(info.Firmware)}
	dev.mains = info.PowerSource != "" && info.PowerSource != "Battery" && info.Type == "Router"
	r := &reader{words: d.words, battery: info.PowerSource == "Battery"}
	description := ""
	if def := info.Definition; def != nil {
		dev.Vendor, dev.Model, description = dialect.Name(def.Vendor), dialect.Name(def.Model), def.Description
		r.add(def.Exposes)
		locks := slices.ContainsFunc(def.Exposes, func(e expose) bool { return e.Type == "lock" })
		for _, e := range def.Exposes {
			if e.Name == "action" && e.Property == "action" {
				dev.buttons = newButtons(e.Values, locks)
			}
		}
	}
	dev.fields = r.fields
	dev.Name = dialect.Name(info.Friendly)
	if info.Friendly == info.IEEE {
		dev.Name = dialect.Name(description)
	}
	if dev.Name == "" {
		dev.Name = dev.Model
	}
	dev.interview = stageOf(info)
	in.take(dev, info.Friendly)
	return d.devices[id] == dev
}

func stageOf(info deviceInfo) string {
	switch {
	case info.Interview == "SUCCESSFUL", info.Interview == "" && info.Completed:
		return interviewDone
	case info.Interview == "IN_PROGRESS", info.Interview == "" && info.Interviews:
		return interviewRunning
	case info.Interview == "FAILED":
		return interviewFailed
	}
	return interviewWaiting
}

// group takes in a group: it can do what its members can.
func (in *instance) group(id hearth.ID, info groupInfo) bool {
	dev := &device{instance: in, kind: groupKind, address: info.Friendly, mains: true, values: map[string]held{}, wanted: map[string]bool{}}
	dev.Device = hearth.Device{ID: id, Name: dialect.Name(info.Friendly), Vendor: "Zigbee2MQTT", Model: "Group"}
	for _, m := range info.Members {
		address, _ := ieee(m.IEEE)
		member := in.members[in.d.env.ID(address)]
		if member == nil {
			continue
		}
		for _, f := range member.fields {
			if f.main == "" || f.end != "" || slices.ContainsFunc(dev.fields, func(g *field) bool { return g.Name == f.Name }) {
				continue
			}
			own := *f
			own.get = false
			dev.fields = append(dev.fields, &own)
		}
	}
	in.take(dev, info.Friendly)
	return in.d.devices[id] == dev
}

// take puts dev in its place, with what is known of it already, and announces it.
func (in *instance) take(dev *device, friendly string) {
	d := in.d
	old := in.members[dev.ID]
	if was := d.before[dev.ID]; old == nil && was != nil { // what home knows already is no news
		dev.values = was.values
	}
	if old != nil {
		dev.values, dev.wanted, dev.heard, dev.asked = old.values, old.wanted, old.heard, old.asked
		if dev.buttons != nil && old.buttons != nil {
			for _, p := range old.buttons.properties {
				for _, press := range p.Options {
					dev.buttons.learn(p.Name, press)
				}
			}
		}
	}
	if old != nil && old.topic == in.base+"/"+friendly {
		dev.topic, dev.there, dev.known = old.topic, old.there, old.known
	}
	if !d.admit(dev) {
		return
	}
	in.members[dev.ID] = dev
	if dev.topic == "" {
		d.hear(dev, friendly)
	} else {
		d.topics[dev.topic] = dev
	}
	dev.announce()
	if dev.kind == deviceKind {
		stage := dev.interview
		dev.interview = ""
		dev.setInterview(stage)
	}
}

// announce tells home what the device is.
func (dev *device) announce() {
	dev.Type = dev.typ()
	dev.Properties = nil
	add := func(properties ...hearth.Property) {
		for _, p := range properties {
			if _, there := dev.Property(p.Name); !there && len(dev.Properties) < hearth.MaxProperties {
				dev.Properties = append(dev.Properties, p)
			}
		}
	}
	light := false
	for _, f := range dev.fields {
		add(f.Property)
		light = light || f.main == "light" && f.Name == "brightness"
	}
	if dev.buttons != nil {
		add(dev.buttons.properties...)
	}
	if light {
		add(word("transition"))
	}
	if dev.kind == deviceKind {
		add(word("interview").OneOf(interviewWaiting, interviewRunning, interviewDone, interviewFailed))
		add(word("reinterview"), word("remove"))
		if dev.get() != nil {
			add(word("refresh"))
		}
	}
	dev.instance.d.env.Bus.Announce(dev.Device)
}

// typ is what the device is to a person: by what it can be told, then by what it says.
func (dev *device) typ() hearth.Type {
	has := map[string]bool{}
	for _, f := range dev.fields {
		has[f.main+"!"] = true
		has[f.Name] = true
		has["energy"] = has["energy"] || f.Unit == "kWh" // of one clamp of several
	}
	switch {
	case has["light!"]:
		return "light"
	case has["lock!"]:
		return "lock"
	case has["cover!"]:
		return "cover"
	case has["climate!"]:
		return "thermostat"
	case has["fan!"]:
		return "fan"
	case has["switch!"] && (has["power"] || has["energy"]):
		return "outlet"
	case has["switch!"]:
		return "switch"
	case has["warning_mode"], has["alarm_mode"]:
		return "siren"
	case dev.buttons != nil && len(dev.buttons.properties) > 0:
		return "button"
	case has["energy"], has["gas_volume"], has["water_volume"]:
		return "meter"
	case len(dev.fields) > 0:
		return "sensor"
	}
	return "other"
}

// offline reports whether it is known to be out of reach.
func (dev *device) offline() bool {
	return dev.disabled || dev.known && !dev.there || dev.instance.known && !dev.instance.online
}

// availability takes in what Zigbee2MQTT finds out about whether it is there. An empty one says that the topic is gone.
func (dev *device) availability(payload []byte) {
	if len(payload) == 0 {
		dev.known = false
		return
	}
	there, ok := presence(payload)
	if !ok {
		return
	}
	dev.there, dev.known = there, true
	dev.reach(!dev.offline())
}

// reach tells home whether it is there.
func (dev *device) reach(there bool) {
	dev.instance.d.env.Bus.Report(hearth.Reading{Device: dev.ID, Property: "reachable", Value: hearth.BoolOf(there)})
}

func (dev *device) setInterview(stage string) {
	if stage == "" || stage == dev.interview {
		return
	}
	dev.interview = stage
	dev.tell(dev.gone(), hearth.Reading{Device: dev.ID, Property: "interview", Value: hearth.TextOf(stage)})
}

// gone is what to say beside a reading of a device that is out of reach: what is said of it is Zigbee2MQTT's memory.
func (dev *device) gone() *bool {
	if dev.offline() {
		no := false
		return &no
	}
	return nil
}

// tell reports readings that have changed, that somebody waits for, or that were not told for long; one of them in any
// case, and whether the device is there if that is given.
func (dev *device) tell(there *bool, readings ...hearth.Reading) {
	now := time.Now()
	var news []hearth.Reading
	for _, r := range readings {
		old, known := dev.values[r.Property]
		if !known || old.value != r.Value || dev.wanted[r.Property] || now.Sub(old.at) >= repeat {
			news = append(news, r)
		}
	}
	if len(news) == 0 && len(readings) > 0 {
		news = readings[:1]
	}
	for _, r := range news {
		dev.values[r.Property] = held{r.Value, now}
		delete(dev.wanted, r.Property)
	}
	if there != nil {
		news = append(news, hearth.Reading{Device: dev.ID, Property: "reachable", Value: hearth.BoolOf(*there)})
	}
	if len(news) > 0 {
		dev.instance.d.env.Bus.Report(news...)
	}
}

// get is the payload that has the device say what can be asked for; nil if nothing can.
func (dev *device) get() []byte {
	ask := map[string]string{}
	for _, f := range dev.fields {
		if f.get {
			ask[f.path[0]] = ""
		}
	}
	if len(ask) == 0 {
		return nil
	}
	payload, _ := json.Marshal(ask) // texts alone
	return payload
}
