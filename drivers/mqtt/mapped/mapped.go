package mapped

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

const answerTime = 30 * time.Second // for the state that confirms a command

// A Dialect speaks with the devices that are described.
type Dialect struct {
	env     dialect.Env
	devices map[hearth.ID]*device
	topics  map[string][]hearing
	waiter  dialect.Waiter
	once    dialect.Once

	mu        sync.Mutex
	connected bool
}

type device struct {
	Device
	face hearth.Device
	said map[string]hearth.Value // last, by property
}

// A hearing is what a topic says of one device.
type hearing struct {
	device     *device
	properties []*Property
	available  bool // it also says whether the device is there
}

// New returns the dialect of devices that were checked.
func New(env dialect.Env, described []Device) *Dialect {
	d := &Dialect{env: env, devices: map[hearth.ID]*device{}, topics: map[string][]hearing{}}
	for _, cfg := range described {
		dev := &device{Device: cfg, said: map[string]hearth.Value{}}
		dev.face = hearth.Device{ID: env.ID(cfg.ID), Name: cfg.Name, Type: cfg.Type, Vendor: cfg.Vendor, Model: cfg.Model}
		if dev.face.Name == "" {
			dev.face.Name = cfg.ID
		}
		byTopic := map[string]hearing{}
		for i := range dev.Properties {
			p := &dev.Properties[i]
			dev.face.Properties = append(dev.face.Properties, p.property)
			if p.Topic != "" {
				h := byTopic[p.Topic]
				h.properties = append(h.properties, p)
				byTopic[p.Topic] = h
			}
		}
		if t := cfg.Availability.Topic; t != "" {
			h := byTopic[t]
			h.available = true
			byTopic[t] = h
		}
		for topic, h := range byTopic {
			h.device = dev
			d.topics[topic] = append(d.topics[topic], h)
		}
		d.devices[dev.face.ID] = dev
	}
	return d
}

// Connected implements dialect.Dialect.
func (d *Dialect) Connected(context.Context) {
	d.connect(true)
	for _, id := range slices.Sorted(maps.Keys(d.devices)) {
		d.env.Bus.Announce(d.devices[id].face)
	}
	for _, topic := range slices.Sorted(maps.Keys(d.topics)) {
		d.env.Bus.Subscribe(topic)
	}
}

// Silence implements dialect.Dialect.
func (d *Dialect) Silence() {
	d.connect(false)
	d.waiter.Fail(dialect.Lost())
}

func (d *Dialect) connect(is bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.connected = is
}

// Handle implements dialect.Dialect.
func (d *Dialect) Handle(m dialect.Message) {
	hearings := d.topics[m.Topic]
	if len(hearings) == 0 || len(m.Payload) == 0 {
		return
	}
	if len(m.Payload) > dialect.MaxPayload || !utf8.Valid(m.Payload) {
		d.once.Warn(d.env.Log, "payload "+m.Topic, "a message is too long or no text (said once)", "topic", m.Topic)
		return
	}
	var whole any
	parsed := dialect.ReadJSON(m.Payload, &whole) == nil
	for _, h := range hearings {
		d.hear(h, m, whole, parsed)
	}
}

func (d *Dialect) hear(h hearing, m dialect.Message, whole any, parsed bool) {
	at := func(pointer string) (any, bool) {
		switch {
		case pointer != "":
			v := follow(whole, pointer)
			return v, v != nil
		case parsed:
			return whole, true
		}
		return string(m.Payload), true
	}
	if h.available {
		a := h.device.Availability
		if v, ok := at(a.Pointer); ok {
			d.reach(h.device, text(v))
		}
	}
	var when time.Time
	if h.device.Time != "" {
		if v, ok := at(h.device.Time); ok {
			when = d.env.Plausible(timeOf(v))
		}
	}
	var readings []hearth.Reading
	var names []string
	for _, p := range h.properties {
		v, ok := at(p.Pointer)
		if !ok || p.property.Momentary && m.Retained {
			continue
		}
		value := p.read(v)
		if value.Kind() != p.property.Kind || p.property.Accepts(value) != nil {
			d.once.Warn(d.env.Log, "value "+string(h.device.face.ID)+p.Property, "a message holds what cannot be (said once): are topic, pointer and unit right?",
				"device", h.device.face.ID, "property", p.Property, "topic", m.Topic, "said", dialect.Name(text(v)))
			continue
		}
		if m.Retained && h.device.said[p.Property] == value { // the broker says again what it has kept: no news
			continue
		}
		h.device.said[p.Property] = value
		readings = append(readings, hearth.Reading{Device: h.device.face.ID, Property: p.Property, Value: value, Time: when})
		names = append(names, p.Property)
	}
	if len(readings) > 0 {
		d.env.Bus.Report(readings...)
	}
	if !m.Retained {
		d.waiter.Heard(h.device.face.ID, names...)
	}
}

func (d *Dialect) reach(dev *device, said string) {
	a := dev.Availability
	online, offline := a.Online, a.Offline
	if online == "" {
		online = "online"
	}
	if offline == "" {
		offline = "offline"
	}
	if said == online || said == offline {
		d.env.Bus.Report(hearth.Reading{Device: dev.face.ID, Property: "reachable", Value: hearth.BoolOf(said == online)})
	}
}

// timeOf reads RFC 3339 or unix seconds or milliseconds.
func timeOf(v any) time.Time {
	switch v := v.(type) {
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return time.Time{}
		}
		return t
	case float64:
		switch {
		case v > 0 && v < 1e11:
			return time.UnixMilli(int64(v * 1000))
		case v > 0 && v < 1e14:
			return time.UnixMilli(int64(v))
		}
	}
	return time.Time{}
}

// text is a plain value of JSON as a text; "" for others.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return hearth.NumberOf(v).String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// read makes a value of what a message holds.
func (p *Property) read(v any) hearth.Value {
	said := text(v)
	if len(p.words) > 0 {
		if value, ok := p.words[said]; ok || p.property.Kind != hearth.Number {
			return value
		}
	}
	switch p.property.Kind {
	case hearth.Bool:
		switch strings.ToLower(strings.TrimSpace(said)) {
		case "true", "on", "1", "yes":
			return hearth.BoolOf(true)
		case "false", "off", "0", "no":
			return hearth.BoolOf(false)
		}
	case hearth.Number:
		n, ok := v.(float64)
		if !ok {
			var err error
			if n, err = strconv.ParseFloat(strings.TrimSpace(said), 64); err != nil {
				return hearth.Value{}
			}
		}
		return hearth.NumberOf(p.conversion.In(n*p.Scale + p.Offset))
	case hearth.Text:
		switch v.(type) {
		case string, float64, bool:
			return hearth.TextOf(said)
		}
	}
	return hearth.Value{}
}

// write makes the payload that sets the property.
func (p *Property) write(v hearth.Value) ([]byte, error) {
	var plain string
	var whole any
	switch v.Kind() {
	case hearth.Number:
		n := hearth.NumberOf((p.conversion.Out(v.Number()) - p.Offset) / p.Scale)
		if n.IsZero() {
			return nil, hearth.Errorf(hearth.CodeBadValue, "%s cannot be set to %s", p.Property, v)
		}
		plain, whole = n.String(), n
	case hearth.Bool:
		plain, whole = v.String(), v
	default:
		plain, whole = v.Text(), v
	}
	for _, said := range slices.Sorted(maps.Keys(p.words)) {
		if p.words[said] == v {
			plain, whole = said, said
			break
		}
	}
	encoded, err := json.Marshal(whole)
	if err != nil {
		return nil, err
	}
	template := p.Template
	if template == "" {
		template = "{value}"
	}
	return []byte(strings.NewReplacer("{value}", plain, "{json}", string(encoded)).Replace(template)), nil
}

// Do implements dialect.Dialect. It sends one message for each property, in the order of the description, and returns
// when the device has said one of those that it says.
func (d *Dialect) Do(ctx context.Context, cmd hearth.Command) error {
	dev := d.devices[cmd.Device]
	if dev == nil {
		return hearth.Errorf(hearth.CodeNoDevice, "there is no device %s in map", cmd.Device)
	}
	d.mu.Lock()
	connected := d.connected
	d.mu.Unlock()
	if !connected {
		return dialect.Offline()
	}
	payloads := map[string][]byte{}
	var told []string
	for name, v := range cmd.Set {
		at := slices.IndexFunc(dev.Properties, func(p Property) bool { return p.Property == name })
		if at < 0 {
			return hearth.Errorf(hearth.CodeNoDevice, "%s has no %s", dev.face.ID, name)
		}
		p := &dev.Properties[at]
		if p.Command == "" {
			return hearth.Errorf(hearth.CodeReadOnly, "%s of %s cannot be set: its description names no command", name, dev.face.ID)
		}
		payload, err := p.write(v)
		if err != nil {
			return err
		}
		payloads[name] = payload
		if p.Topic != "" && !p.property.Momentary {
			told = append(told, name)
		}
	}
	wait := d.waiter.Begin(cmd.Device, told...)
	defer wait.End()
	for i := range dev.Properties {
		if payload, ok := payloads[dev.Properties[i].Property]; ok {
			if err := d.env.Bus.Publish(ctx, dev.Properties[i].Command, payload, false); err != nil {
				return err
			}
		}
	}
	if len(told) == 0 {
		return nil
	}
	heard, err := wait.For(ctx, answerTime)
	if err == nil && !heard {
		return hearth.Errorf(hearth.CodeUnknownOutcome, "%s has not answered within %v", cmd.Device, answerTime)
	}
	return err
}
