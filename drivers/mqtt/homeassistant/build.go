package homeassistant

import (
	"strings"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// builders make an entity of a platform's configuration.
func builders(platform string) func(*builder) {
	switch platform {
	case "sensor":
		return buildSensor
	case "binary_sensor":
		return buildBinarySensor
	case "switch", "siren":
		return buildSwitch
	case "light":
		return buildLight
	case "cover":
		return buildCover
	case "lock":
		return buildLock
	case "climate":
		return buildClimate
	case "number":
		return buildNumber
	case "select", "text":
		return buildText
	case "button", "scene":
		return buildButton
	case "event":
		return buildEvent
	case "fan":
		return buildFan
	case "update":
		return buildUpdate
	case "valve":
		return buildValve
	case "device_automation":
		return buildTrigger
	}
	return nil
}

// build makes an entity; nil where there is nothing to be had of it.
func (d *Dialect) build(key string, from source) *entity {
	c := from.config
	platform := c.text("platform")
	e := &entity{source: from, key: key, platform: dialect.Clip(platform, 64), kind: "other", unique: dialect.Clip(c.text("unique_id"), 256), optimistic: c.bool("optimistic")}
	e.label = label(c, from.at, from.deviceName)
	b := &builder{config: c, entity: e, prefix: d.prefix}
	e.main = !b.setting()
	if build := builders(platform); build != nil {
		build(b)
	} else {
		b.refuse("platform", platform, errPlatform)
	}
	e.reach = b.reaches()
	for _, p := range e.points {
		if p.Check() != nil {
			p.Name = propertyName(p.Name, platform)
		}
		p.Property = d.distinct(p.Property)
	}
	for _, what := range e.unsupported {
		d.complain("a part of an announcement is not supported", strings.Join(e.label, " ")+" "+what, errPartly)
	}
	if len(e.points) == 0 && len(e.unsupported) == 0 {
		return nil
	}
	return e
}

// buildUpdate makes firmware_update: how far a newer firmware is. It is not started from here.
func buildUpdate(b *builder) {
	p := word("firmware_update", false).OneOf("idle", "offered", "downloading")
	b.main = false
	b.add(p, b.hear("state_topic", "value_template", func(v any, _ *scope) hearth.Value {
		text, _ := textOf(v)
		said, ok := parseJSON([]byte(text)).(map[string]any)
		installed, fit := said["installed_version"]
		latest, known := said["latest_version"]
		switch {
		case !ok || !fit || !known || installed == nil || latest == nil:
			return hearth.Value{}
		case truth(said["in_progress"]):
			return hearth.TextOf("downloading")
		case installed != latest:
			return hearth.TextOf("offered")
		}
		return hearth.TextOf("idle")
	}))
}

// distinct gives another name to what has a word's name without being what the word means.
func (d *Dialect) distinct(p hearth.Property) hearth.Property {
	if !d.words[p.Name] {
		return p
	}
	if known, _ := hearth.Word(p.Name); known.Kind == p.Kind && known.Unit == p.Unit {
		return p
	}
	ending := "_state"
	if p.Kind == hearth.Number {
		ending = "_value"
	}
	p.Name = propertyName(p.Name+ending, "value")
	return p
}
