package homeassistant

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// A config is what was announced of one entity, its keys in full and its topics complete. Keys that are not known here
// are not looked at.
type config map[string]any

func (c config) has(key string) bool { return c[key] != nil }

// text returns a text; a number or bool as Python would write it, which is what the far end compares with.
func (c config) text(key string) string { return c.or(key, "") }

func (c config) or(key, otherwise string) string {
	switch v := c[key].(type) {
	case string:
		return v
	case bool, int64, float64:
		text, _ := textOf(v)
		return text
	}
	return otherwise
}

func (c config) number(key string, otherwise float64) float64 {
	if n, ok := numberOf(c[key]); ok {
		return n
	}
	return otherwise
}

func (c config) bool(key string) bool {
	switch v := c[key].(type) {
	case bool:
		return v
	case string:
		switch strings.ToLower(v) {
		case "true", "yes", "on", "enable", "1":
			return true
		}
	case int64:
		return v != 0
	}
	return false
}

// texts returns a list of texts; a single text is a list of one.
func (c config) texts(key string) []string {
	list, ok := c[key].([]any)
	if !ok {
		list = []any{c[key]}
	}
	var out []string
	for _, member := range list {
		switch member.(type) {
		case string, bool, int64, float64:
			text, _ := textOf(member)
			out = append(out, text)
		}
	}
	return out
}

func (c config) object(key string) map[string]any {
	m, _ := c[key].(map[string]any)
	return m
}

// An address is what a discovery topic names: one entity, or a device with all of its components.
type address struct {
	component string // device in the device form
	node      string // may be empty
	object    string
}

// parseTopic reads <prefix>/<component>/[<node>/]<object>/config.
func parseTopic(topic, prefix string) (address, bool) {
	rest, ok := strings.CutPrefix(topic, prefix+"/")
	if !ok {
		return address{}, false
	}
	rest, ok = strings.CutSuffix(rest, "/config")
	if !ok {
		return address{}, false
	}
	levels := strings.Split(rest, "/")
	for _, level := range levels {
		if level == "" {
			return address{}, false
		}
	}
	switch len(levels) {
	case 2:
		return address{component: levels[0], object: levels[1]}, true
	case 3:
		return address{component: levels[0], node: levels[1], object: levels[2]}, true
	}
	return address{}, false
}

// An announcement is what one discovery message says.
type announcement struct {
	migrate  bool              // {"migrate_discovery": true}
	origin   string            // the name of the program that announces
	entities map[string]config // by key of component; "" in the component form. Nil means that it is gone
}

const (
	maxAnnouncement = 512 << 10 // bytes
	maxComponents   = 250       // of one device
)

// shared are the keys that a device gives to its components where they have none of their own.
var shared = []string{"availability", "availability_mode", "availability_topic", "availability_template", "payload_available", "payload_not_available",
	"command_topic", "state_topic", "qos", "encoding", "device", "origin", "expire_after"}

// parseAnnouncement reads a payload that is not empty.
func (a abbreviations) parseAnnouncement(payload []byte, form address) (announcement, error) {
	if len(payload) > maxAnnouncement {
		return announcement{}, fmt.Errorf("it has %d bytes, more than %d", len(payload), maxAnnouncement)
	}
	v, err := readJSON(payload)
	if err != nil {
		return announcement{}, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return announcement{}, errors.New("it is no JSON object")
	}
	root := a.whole(object)
	out := announcement{migrate: root.bool("migrate_discovery"), origin: config(root.object("origin")).text("name"), entities: map[string]config{}}
	if out.migrate {
		return out, nil
	}
	if form.component != "device" {
		root["platform"] = form.component
		root.complete(root.text("~"))
		out.entities[""] = root
		return out, nil
	}
	return out, a.components(root, out.entities)
}

// components takes a device's announcement apart.
func (a abbreviations) components(root config, into map[string]config) error {
	components := root.object("components")
	if components == nil || root["device"] == nil {
		return errors.New("a device needs components and device")
	}
	if len(components) > maxComponents {
		return fmt.Errorf("it has %d components, more than %d", len(components), maxComponents)
	}
	for key, v := range components {
		object, ok := v.(map[string]any)
		if !ok || len(key) > maxKey {
			continue
		}
		c := a.whole(object)
		if len(c) <= 1 {
			into[key] = nil
			continue
		}
		for _, name := range shared {
			if v, ok := root[name]; ok && c[name] == nil && !(name == "availability" && c.has("availability_topic")) && !(name == "availability_topic" && c.has("availability")) {
				c[name] = v
			}
		}
		base := c.text("~")
		if base == "" {
			base = root.text("~")
		}
		c.complete(base)
		into[key] = c
	}
	return nil
}

const maxKey = 200 // bytes of a component's key

// whole writes out the keys of an announcement and of what lies in it.
func (a abbreviations) whole(object map[string]any) config {
	c := config(expand(object, a.entity))
	if device := c.object("device"); device != nil {
		c["device"] = expand(device, a.device)
	}
	switch origin := c["origin"].(type) {
	case map[string]any:
		c["origin"] = expand(origin, a.origin)
	}
	if list, ok := c["availability"].([]any); ok {
		whole := make([]any, 0, len(list))
		for _, member := range list {
			if m, ok := member.(map[string]any); ok {
				whole = append(whole, expand(m, a.entity))
			}
		}
		c["availability"] = whole
	} else if one, ok := c["availability"].(map[string]any); ok {
		c["availability"] = []any{expand(one, a.entity)}
	}
	return c
}

// complete puts the base topic in the place of ~ at the beginning or end of every topic.
func (c config) complete(base string) {
	if base == "" {
		return
	}
	completeTopics(c, base)
	list, _ := c["availability"].([]any)
	if len(list) == 0 {
		return
	}
	whole := make([]any, len(list)) // the list may be shared by the components of a device
	for i, member := range list {
		m, _ := member.(map[string]any)
		m = maps.Clone(m)
		completeTopics(m, base)
		whole[i] = m
	}
	c["availability"] = whole
}

func completeTopics(m map[string]any, base string) {
	for key, v := range m {
		text, ok := v.(string)
		if !ok || key != "topic" && !strings.HasSuffix(key, "_topic") || text == "" {
			continue
		}
		if rest, ok := strings.CutPrefix(text, "~"); ok {
			text = base + rest
		} else if rest, ok := strings.CutSuffix(text, "~"); ok {
			text = rest + base
		}
		m[key] = text
	}
}
