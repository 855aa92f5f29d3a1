package homeassistant

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// An entity is one thing that was announced: a sensor, a lamp, a climate. Another announcement makes another entity.
type entity struct {
	source          // what it was made of
	key      string // where it was announced: its discovery topic, and the component's key in the device form
	platform string
	unique   string   // unique_id
	label    []string // the words of its name that its device's name does not have
	kind     hearth.Type
	main     bool // it is what its device is for: no setting, no diagnosis

	points      []*point
	command     func(wish) ([]publication, error) // nil: it takes none
	optimistic  bool                              // what it was told counts as said
	reach       *reach                            // nil: nothing says whether it is there
	expire      time.Duration                     // without a word it counts as gone; 0: never
	offDelay    time.Duration                     // until a sensor falls back to false; 0: never
	unsupported []string                          // what of it was not understood

	named map[*point]string // the names that its device gave
}

// A source is what an entity is made of. Not every announcement of a device's entities has the device's name, by which
// they are told apart from it: when it becomes known, they are made anew.
type source struct {
	config     config
	at         address
	deviceName string
}

// A point is one property of an entity.
type point struct {
	hearth.Property // its name is what the entity wants; the device may add to it
	hearings        []hearing
	shared          bool // triggers of one button are one property
}

// A hearing is where a point's value comes from.
type hearing struct {
	topic    string
	template *template // nil: the payload as it is
	read     func(v any, s *scope) hearth.Value
}

// A wish is what a command sets of one entity, by the names that the entity wanted.
type wish map[string]hearth.Value

func (w wish) bool(name string) (v, ok bool) {
	value, ok := w[name]
	return value.Bool(), ok
}

func (w wish) number(name string) (float64, bool) {
	v, ok := w[name]
	return v.Number(), ok
}

func (w wish) text(name string) (string, bool) {
	v, ok := w[name]
	return v.Text(), ok
}

// A publication is what is sent for a command. It is never retained, whatever was announced: a command has its time.
type publication struct{ topic, payload string }

// A builder makes an entity from its configuration.
type builder struct {
	config
	*entity
	prefix string // of discovery: nobody is commanded there
}

// hear subscribes a point to the topic under one key, through the template under another. What is missing is no
// hearing; a template that is not understood is noted.
func (b *builder) hear(topicKey, templateKey string, read func(v any, s *scope) hearth.Value) []hearing {
	topic := b.text(topicKey)
	if topic == "" {
		return nil
	}
	if err := dialect.CheckFilter(topic); err != nil {
		b.refuse(topicKey, topic, err)
		return nil
	}
	t, ok := b.template(templateKey)
	if !ok {
		return nil
	}
	return []hearing{{topic, t, read}}
}

// template compiles the template under that key: nil, true where there is none.
func (b *builder) template(key string, names ...string) (*template, bool) {
	source := b.text(key)
	if source == "" {
		return nil, true
	}
	t, err := parseTemplate(source, names...)
	if err != nil {
		b.refuse(key, source, err)
		return nil, false
	}
	return t, true
}

const (
	maxRefusals    = 16
	maxRefusalText = 256
)

func (b *builder) refuse(key, what string, why error) {
	if len(b.unsupported) >= maxRefusals {
		return
	}
	if len(what) > maxRefusalText {
		what = what[:maxRefusalText] + "…"
	}
	b.unsupported = append(b.unsupported, strings.ToValidUTF8(fmt.Sprintf("%s: %s (%v)", key, what, why), "\uFFFD"))
}

// A sender is where and how commands go.
type sender struct {
	topic    string
	template *template
}

// send returns the sender of the topic under that key, nil where there is none.
func (b *builder) send(topicKey, templateKey string, names ...string) *sender {
	topic := b.text(topicKey)
	if topic == "" {
		return nil
	}
	if err := checkTopic(topic, b.prefix); err != nil {
		b.refuse(topicKey, topic, err)
		return nil
	}
	t, ok := b.template(templateKey, names...)
	if !ok {
		return nil
	}
	return &sender{topic: topic, template: t}
}

// say writes a command: value as it is, or what the template makes of it.
func (s *sender) say(value any, names map[string]any) (publication, error) {
	payload, err := textOf(value)
	if s.template != nil && err == nil {
		payload, err = s.template.render(&scope{value: value, names: names})
	}
	if err != nil {
		return publication{}, hearth.Errorf(hearth.CodeFailed, "the command template of %s: %v", clip(s.topic), err)
	}
	return publication{topic: s.topic, payload: payload}, nil
}

// plain is a number as templates and payloads have it: whole where it is whole.
func plain(f float64) any {
	if f == float64(int64(f)) && f < 1<<53 && f > -(1<<53) {
		return int64(f)
	}
	return f
}

// add gives the entity a property. Without a hearing it is one that only takes, or one whose value is what it was told.
func (b *builder) add(p hearth.Property, hearings []hearing) {
	if len(hearings) == 0 && !p.Writable {
		return
	}
	b.points = append(b.points, &point{Property: p, hearings: hearings})
}

// word is the house's property of that name, writable or not.
func word(name string, writable bool) hearth.Property {
	p, _ := hearth.Word(name)
	p.Writable = writable
	return p
}

// own is a property that the house has no word for: it keeps the entity's name.
func (b *builder) own(kind hearth.Kind) hearth.Property {
	return hearth.Property{Name: propertyName(strings.Join(b.label, "_"), b.platform), Kind: kind}
}

// setting reports whether the entity is a setting or a diagnosis, so that a switch of it is not what the device is for.
func (b *builder) setting() bool { return b.has("entity_category") }

// matches compares what was heard with a payload of the configuration, as forgiving as bridges need it: True is true,
// and 1.0 is 1.
func matches(v any, want string) bool {
	text, err := textOf(v)
	if err != nil || want == "" {
		return false
	}
	if strings.EqualFold(text, want) {
		return true
	}
	x, ok := numberOf(v)
	y, both := numberOf(want)
	return ok && both && x == y
}

// readBool reads one of two payloads.
func readBool(on, off string) func(any, *scope) hearth.Value {
	return func(v any, _ *scope) hearth.Value {
		switch {
		case matches(v, on):
			return hearth.BoolOf(true)
		case matches(v, off):
			return hearth.BoolOf(false)
		}
		return hearth.Value{}
	}
}

// readNumber reads a number and turns it into the house's unit.
func readNumber(c dialect.Conversion) func(any, *scope) hearth.Value {
	return func(v any, _ *scope) hearth.Value {
		n, ok := numberOf(v)
		if !ok {
			return hearth.Value{}
		}
		return hearth.NumberOf(c.In(n))
	}
}

// readText reads a text. Python's None, and nothing at all, say that there is none.
func readText(v any, _ *scope) hearth.Value {
	text, err := textOf(v)
	if err != nil || text == "" || text == "None" || v == nil {
		return hearth.Value{}
	}
	if len(text) > hearth.MaxText {
		text = text[:hearth.MaxText]
	}
	return hearth.TextOf(strings.ToValidUTF8(text, ""))
}

// readChoice reads a text that may be one of the options, and be that None.
func readChoice(options []string) func(any, *scope) hearth.Value {
	return func(v any, s *scope) hearth.Value {
		if text, ok := v.(string); ok && slices.Contains(options, text) {
			return hearth.TextOf(text)
		}
		return readText(v, s)
	}
}

// readOption reads a text through a table; what is not in it is no value.
func readOption(words map[string]string) func(any, *scope) hearth.Value {
	return func(v any, _ *scope) hearth.Value {
		text, err := textOf(v)
		if err != nil {
			return hearth.Value{}
		}
		if word, ok := words[text]; ok {
			return hearth.TextOf(word)
		}
		for said, word := range words {
			if matches(text, said) {
				return hearth.TextOf(word)
			}
		}
		return hearth.Value{}
	}
}
