package expose

import (
	"slices"
	"strconv"

	"hearth"
)

// naming says how a property is told from the same one of another endpoint.
type naming uint8

const (
	laterNumbered naming = iota // on, on_2
	allNumbered                 // button_1, button_2
	unnumbered                  // the device's, whichever endpoint tells it
)

// mostProperties leaves the driver some of its own.
const mostProperties = hearth.MaxProperties - 16

// name makes the slots' names differ, and takes what a definition changes about them. An endpoint has the same number in
// all of its names: that among the endpoints that share a name with another one.
func (b *builder) name() {
	words := map[uint8]string{}
	for word, endpoint := range b.definition.Endpoints {
		words[endpoint] = word
	}
	sharing := map[string][]uint8{}
	for _, s := range b.slots {
		if words[s.endpoint] == "" && s.naming != unnumbered {
			sharing[s.Name] = append(sharing[s.Name], s.endpoint)
		}
	}
	var endpoints []uint8
	for _, of := range sharing {
		for _, e := range of {
			if len(of) > 1 && !slices.Contains(endpoints, e) {
				endpoints = append(endpoints, e)
			}
		}
	}
	slices.Sort(endpoints)
	for _, s := range b.slots {
		suffix := words[s.endpoint]
		switch {
		case s.naming == unnumbered:
			suffix = ""
		case suffix == "" && len(sharing[s.Name]) > 1:
			suffix = s.number(slices.Index(endpoints, s.endpoint) + 1)
		}
		b.call(s, suffix)
	}
}

// number is what an endpoint's number adds to a name.
func (s *slot) number(n int) string {
	if n == 1 && s.naming == laterNumbered {
		return ""
	}
	return strconv.Itoa(n)
}

// call gives a slot its final name.
func (b *builder) call(s *slot, suffix string) {
	change, changed := b.definition.Changes(s.standard, suffix)
	if changed {
		s.alter(change)
	}
	switch {
	case change.Rename != "":
		s.Name = change.Rename
	case suffix != "":
		s.Name += "_" + suffix
	}
	for b.named[s.Name] != nil {
		s.Name += "_" + strconv.Itoa(int(s.endpoint))
	}
	b.named[s.Name] = s
}

// own gives the device a property of a final name: the one that is there, or a new one.
func (b *builder) own(p hearth.Property) *slot {
	if s := b.named[p.Name]; s != nil {
		s.hidden = false
		return s
	}
	s := &slot{Property: p, standard: p.Name, naming: unnumbered}
	b.slots = append(b.slots, s)
	b.named[p.Name] = s
	return s
}

// announce lists the properties, and forgets those that are not announced.
func (b *builder) announce() {
	for _, s := range b.slots {
		if s.hidden || s.Check() != nil || len(b.device.Properties) >= mostProperties {
			s.hidden = true
			delete(b.named, s.Name)
			continue
		}
		b.device.Properties = append(b.device.Properties, s.Property)
	}
}
