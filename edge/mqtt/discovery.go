package mqtt

import (
	"cmp"
	"encoding/json"

	"hearth"
)

// maxAnnounced bounds one announcement in bytes. Entities beyond it are not announced; the state has their values.
const maxAnnounced = 128 << 10

const (
	originName = "Hearth"
	diagnostic = "diagnostic"
	setting    = "config"
)

// A fields is one JSON object of an announcement.
type fields map[string]any

// An announcement is a device as Home Assistant's MQTT discovery wants it, in device form: everything in one message.
type announcement struct {
	body       fields
	components fields
	omitted    []string
}

func (a announcement) platforms() map[string]string {
	all := make(map[string]string, len(a.components))
	for key, c := range a.components {
		all[key], _ = c.(fields)["p"].(string)
	}
	return all
}

// payload returns the message. Of entities that are vanished it says only what they were, which removes them.
func (a announcement) payload(vanished map[string]string) []byte {
	components := fields{}
	for key, c := range a.components {
		components[key] = c
	}
	for key, platform := range vanished {
		components[key] = fields{"p": platform}
	}
	a.body["cmps"] = components
	data, err := json.Marshal(a.body)
	if err != nil {
		return []byte("{}") // strings, numbers and bools do not fail
	}
	return data
}

// announce describes a device.
func announce(v vocabulary, t topics, d *hearth.DeviceView, version string) announcement {
	b := &builder{t: t, d: d, object: objectOf(d.ID), a: announcement{components: fields{}}, room: maxAnnounced}
	b.base = cmp.Or(slug(d.Name), slug(string(d.ID)))
	device := fields{"ids": []string{b.object}, "name": d.Name}
	for key, value := range map[string]string{"mf": d.Vendor, "mdl": d.Model, "sw": d.Firmware, "sa": d.Room} {
		if value != "" {
			device[key] = value
		}
	}
	b.a.body = fields{
		"dev": device,
		"o":   fields{"name": originName, "sw": cmp.Or(version, "dev")},
		"availability": []fields{
			{"topic": gatewayTopic, "payload_available": online, "payload_not_available": offline},
			{"topic": t.available(d.ID), "payload_available": online, "payload_not_available": offline},
		},
		"availability_mode": "all",
	}
	groups := groupsOf(v, d)
	for _, g := range groups {
		b.main(g)
	}
	for i := range d.Properties {
		p := &d.Properties[i]
		word, suffix := v.split(p.Name)
		for _, g := range groups {
			if g.suffix == suffix && !g.used[word] {
				b.single(word, p)
			}
		}
	}
	return b.a
}

// A builder makes the entities of one device.
type builder struct {
	t      topics
	d      *hearth.DeviceView
	object string // the device's own id
	base   string // what ids of entities begin with
	a      announcement
	named  bool // one entity has the name of the device
	room   int  // bytes left
}

// add adds an entity. property names it for good; lead is for what the device mainly is, which has the device's name.
func (b *builder) add(platform, property string, lead bool, c fields) {
	key := platform + "_" + property
	entity := b.base + "_" + property
	c["name"] = title(property)
	if lead && !b.named {
		b.named = true
		c["name"], entity = nil, b.base
	}
	c["p"], c["unique_id"] = platform, b.object+"_"+property
	c["object_id"], c["default_entity_id"] = entity, platform+"."+entity
	data, err := json.Marshal(c)
	if err != nil || len(data)+len(key) > b.room {
		b.a.omitted = append(b.a.omitted, property)
		return
	}
	b.room -= len(data) + len(key) + 4
	b.a.components[key] = c
}

func (b *builder) state() string { return b.t.state(b.d.ID) }
func (b *builder) set() string   { return b.t.set(b.d.ID) }

// value renders a property's value as it is, None before there is one.
func value(name string) string { return "{{ value_json.get('" + name + "') }}" }

// whole renders a property's number without its fraction, and nothing before there is one: what reads it passes over an
// empty text.
func whole(name string) string {
	return "{{ '' if value_json.get('" + name + "') is none else value_json." + name + " | round | int }}"
}

// either renders a bool as one of two texts.
func either(name, yes, no string) string {
	return "{{ {true: '" + yes + "', false: '" + no + "'}.get(value_json.get('" + name + "')) }}"
}

// wish is the payload that sets one property: v is JSON, or a template that renders JSON.
func wish(name, v string) string { return `{"` + name + `":` + v + `}` }

// wishText is wish for a text.
func wishText(name, text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		return ""
	}
	return wish(name, string(data))
}
