// Package mapped reads devices that speak in a way of their own, as a person has described them: which topic, which part
// of its payload, which property.
package mapped

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"hearth"
	"hearth/drivers/mqtt/dialect"
	"hearth/settings"
)

// A Device is one that a person describes.
type Device struct {
	ID         string      `yaml:"id"` // the second part of its ID
	Name       string      `yaml:"name"`
	Type       hearth.Type `yaml:"type"`
	Vendor     string      `yaml:"vendor"`
	Model      string      `yaml:"model"`
	Properties []Property  `yaml:"properties"`

	Availability Availability `yaml:"availability"`
	Time         string       `yaml:"time"` // a JSON pointer to the message's own time: RFC 3339, or unix seconds or milliseconds
}

// An Availability is what says whether the device is there.
type Availability struct {
	Topic   string `yaml:"topic"`
	Pointer string `yaml:"pointer"`
	Online  string `yaml:"online"`  // "" means online
	Offline string `yaml:"offline"` // "" means offline
}

// A Property is one property and where it is.
type Property struct {
	Property  string         `yaml:"property"`
	Topic     string         `yaml:"topic"`   // "": it is never reported, only set
	Pointer   string         `yaml:"pointer"` // into a JSON payload, as /ENERGY/Power; "" for all of it
	Kind      hearth.Kind    `yaml:"kind"`    // for names outside of the vocabulary: number (the default), bool or text
	Unit      string         `yaml:"unit"`    // the payload's: °F, Wh, mired…
	Scale     float64        `yaml:"scale"`   // value = payload × scale + offset, before its unit is converted
	Offset    float64        `yaml:"offset"`
	Map       map[string]any `yaml:"map"` // what words of the payload mean, as in {OPEN: true, SHUT: false}
	Min       *float64       `yaml:"min"`
	Max       *float64       `yaml:"max"`
	Options   []string       `yaml:"options"`
	Momentary bool           `yaml:"momentary"` // a press, not a state: what is retained does not count

	Command  string `yaml:"command"`  // the topic to set it by; "": it cannot be set
	Template string `yaml:"template"` // of what is sent: {value} is the value as a plain text, {json} as JSON; "" means {value}

	property   hearth.Property
	conversion dialect.Conversion
	words      map[string]hearth.Value
}

// Limits on a description.
const (
	maxMapped   = 500
	maxTemplate = 4096
)

// Check says what is wrong with the device, and prepares it.
func (d *Device) Check() error {
	var problems []error
	say := func(path, format string, args ...any) {
		problems = append(problems, settings.At(path, format, args...))
	}
	switch {
	case d.ID == "":
		say("id", "is missing: what is the device's address?")
	case hearth.ID("x:"+d.ID).Check() != nil || len(d.ID) > 64:
		say("id", "want letters, digits and . _ : @ - only, at most 64 bytes, not %q", d.ID)
	}
	if d.Type != "" && !slices.Contains(hearth.Types, d.Type) {
		say("type", "want one of the device types (%s), not %q", joined(hearth.Types), d.Type)
	}
	if len(d.Properties) == 0 {
		say("properties", "there are none: name at least one, as in [{property: temperature, topic: station/temperature}]")
	}
	if len(d.Properties) > hearth.MaxProperties {
		say("properties", "there are %d, more than %d", len(d.Properties), hearth.MaxProperties)
	}
	if t := d.Availability.Topic; t != "" && dialect.CheckTopic(t) != nil {
		say("availability.topic", "want a topic without + and #, not %q", t)
	}
	for path, pointer := range map[string]string{"availability.pointer": d.Availability.Pointer, "time": d.Time} {
		if !isPointer(pointer) {
			say(path, "want a JSON pointer such as /sensor/time, not %q", pointer)
		}
	}
	seen := map[string]bool{}
	for i := range d.Properties {
		p := &d.Properties[i]
		if seen[p.Property] {
			say(fmt.Sprintf("properties[%d].property", i), "%s is there twice", p.Property)
		}
		seen[p.Property] = true
		if p.words == nil { // a decoder has asked already
			if err := p.Check(); err != nil {
				problems = append(problems, fmt.Errorf("properties[%d]: %w", i, err))
			}
		}
	}
	return errors.Join(problems...)
}

func joined(types []hearth.Type) string {
	var out []string
	for _, t := range types {
		out = append(out, string(t))
	}
	return strings.Join(out, ", ")
}

// Check says what is wrong with the property, and prepares it.
func (p *Property) Check() error {
	word, known := hearth.Word(p.Property)
	var problems []error
	say := func(path, format string, args ...any) {
		problems = append(problems, settings.At(path, format, args...))
	}
	if p.Scale == 0 {
		p.Scale = 1
	}
	kind := p.Kind
	if kind == "" {
		kind = word.Kind
	}
	switch {
	case p.Property == "":
		say("property", "is missing: which property is it?")
	case hearth.Property{Name: p.Property, Kind: hearth.Number}.Check() != nil:
		say("property", "want [a-z][a-z0-9_]*, at most 64 bytes, not %q", p.Property)
	case kind != hearth.Bool && kind != hearth.Number && kind != hearth.Text:
		say("kind", "want number, bool or text, not %q", p.Kind)
	case known && kind != word.Kind:
		say("kind", "%s is a %s everywhere", p.Property, word.Kind)
	case kind != hearth.Number && (p.Scale != 1 || p.Offset != 0 || p.Unit != ""):
		say("unit", "only numbers have unit, scale and offset, and %s is a %s", p.Property, kind)
	}
	switch {
	case p.Topic == "" && p.Command == "":
		say("topic", "is missing: where is it said? Or name the topic of its command")
	case p.Topic != "" && dialect.CheckTopic(p.Topic) != nil:
		say("topic", "want a topic without + and #, not %q", p.Topic)
	}
	if p.Command != "" && dialect.CheckTopic(p.Command) != nil {
		say("command", "want a topic without + and #, not %q", p.Command)
	}
	if !isPointer(p.Pointer) {
		say("pointer", "want a JSON pointer such as /ENERGY/Power, not %q", p.Pointer)
	}
	if p.Template != "" && p.Command == "" {
		say("template", "is of a command: name its topic in command")
	}
	if len(p.Template) > maxTemplate {
		say("template", "want at most %d bytes", maxTemplate)
	}
	if p.Min != nil && p.Max != nil && *p.Min > *p.Max {
		say("min", "is more than max")
	}
	p.words = map[string]hearth.Value{}
	for said, meaning := range p.Map {
		v := valueOf(meaning)
		if v.Kind() != kind {
			say("map."+said, "%s takes a %s", p.Property, kind)
		}
		p.words[said] = v
	}
	p.build(word, kind, say)
	return errors.Join(problems...)
}

// build makes the property that is announced.
func (p *Property) build(word hearth.Property, kind hearth.Kind, say func(path, format string, args ...any)) {
	word.Kind = kind
	var ok bool
	p.property, p.conversion, ok = dialect.Measured(word, p.Unit)
	if !ok {
		say("unit", "%s is in %q everywhere, and %q cannot be turned into it", p.Property, word.Unit, p.Unit)
	}
	if p.Min != nil {
		p.property.Min = p.Min
	}
	if p.Max != nil {
		p.property.Max = p.Max
	}
	if len(p.Options) > 0 {
		p.property.Options = p.Options
	}
	p.property.Momentary = word.Momentary || p.Momentary
	p.property.Writable = p.Command != ""
	p.property.WriteOnly = p.Topic == ""
}

func valueOf(x any) hearth.Value {
	switch x := x.(type) {
	case bool:
		return hearth.BoolOf(x)
	case float64:
		return hearth.NumberOf(x)
	case int64:
		return hearth.NumberOf(float64(x))
	case uint64:
		return hearth.NumberOf(float64(x))
	case int:
		return hearth.NumberOf(float64(x))
	case string:
		return hearth.TextOf(x)
	}
	return hearth.Value{}
}

// Check says what is wrong with all of them together.
func Check(devices []Device) error {
	var problems []error
	if len(devices) > maxMapped {
		problems = append(problems, settings.At("$", "there are %d devices, more than %d", len(devices), maxMapped))
	}
	seen := map[string]bool{}
	for i := range devices {
		if seen[devices[i].ID] {
			problems = append(problems, settings.At(fmt.Sprintf("[%d].id", i), "%s is there twice", devices[i].ID))
		}
		seen[devices[i].ID] = true
	}
	return errors.Join(problems...)
}
