package homeassistant

import (
	"encoding/json"
	"slices"
)

// A reach is what says whether a device is there: topics, and how they count together. Entities that announce the same
// share it.
type reach struct {
	key     string // the same for what is announced the same
	mode    string
	sources []presence
	heard   []bool // by source
	there   []bool
	latest  int
}

// A presence is one topic of them.
type presence struct {
	hearing
	available, gone string
}

const maxPresences = 16

// reaches reads the availability of an entity, nil where it has none.
func (b *builder) reaches() *reach {
	var sources []config
	list, _ := b.config["availability"].([]any)
	for _, member := range list {
		if m, ok := member.(map[string]any); ok && len(sources) < maxPresences {
			sources = append(sources, m)
		}
	}
	if topic := b.text("availability_topic"); topic != "" {
		sources = append(sources, config{
			"topic": topic, "value_template": b.config["availability_template"],
			"payload_available": b.config["payload_available"], "payload_not_available": b.config["payload_not_available"],
		})
	}
	r := &reach{mode: b.or("availability_mode", "latest"), latest: -1}
	for _, c := range sources {
		at := &builder{config: c, entity: b.entity, prefix: b.prefix}
		for _, h := range at.hear("topic", "value_template", nil) {
			r.sources = append(r.sources, presence{h, c.or("payload_available", "online"), c.or("payload_not_available", "offline")})
		}
	}
	if len(r.sources) == 0 {
		return nil
	}
	data, err := json.Marshal([]any{r.mode, sources})
	if err != nil {
		return nil
	}
	r.key = string(data)
	r.forget()
	return r
}

// forget is how it is when the broker is gone: nothing is known.
func (r *reach) forget() {
	r.heard, r.there, r.latest = make([]bool, len(r.sources)), make([]bool, len(r.sources)), -1
}

// hear takes in a message of one source.
func (r *reach) hear(source int, s *scope) {
	p := r.sources[source]
	v, err := p.worth(s)
	if err != nil {
		return
	}
	there := matches(v, p.available)
	if !there && !matches(v, p.gone) {
		return
	}
	r.heard[source], r.there[source], r.latest = true, there, source
}

// state says whether it is there, if that is known.
func (r *reach) state() (there, known bool) {
	missing := slices.Contains(r.heard, false)
	switch r.mode {
	case "all":
		for i, heard := range r.heard {
			if heard && !r.there[i] {
				return false, true
			}
		}
		return !missing, !missing
	case "any":
		if slices.Contains(r.there, true) {
			return true, true
		}
		return false, !missing
	}
	if r.latest < 0 {
		return false, false
	}
	return r.there[r.latest], true
}

// refutes reports whether what the topic says of the entity is that it is not there: values in the same message stand in
// for what is missing.
func (r *reach) refutes(topic string) bool {
	if r == nil {
		return false
	}
	for i, p := range r.sources {
		if p.topic == topic && r.heard[i] && !r.there[i] {
			return true
		}
	}
	return false
}

// worth is what the template makes of a message.
func (h hearing) worth(s *scope) (any, error) {
	if h.template == nil {
		return s.value, nil
	}
	return h.template.evaluate(s)
}
