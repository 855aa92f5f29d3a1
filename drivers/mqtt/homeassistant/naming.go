package homeassistant

import (
	"slices"
	"strings"

	"hearth/drivers/mqtt/dialect"
)

// propertyName makes a property's name of any text, or of another if the first says nothing.
func propertyName(text, otherwise string) string {
	name := dialect.PropertyName(text)
	if name == "" {
		name = dialect.PropertyName(otherwise)
	}
	switch name {
	case "":
		return "value"
	case unsupported:
		return unsupported + "_value"
	}
	return name
}

// words are the lower-case words of a text, letters and digits of ASCII alone.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

// label returns the words that tell an entity from its siblings: of the id that it asks for, which does not change with
// the language, of its name, or of its other ids. The words of its device's name and ids are left out.
func label(c config, at address, deviceName string) []string {
	id := c.text("object_id")
	if full := c.text("default_entity_id"); full != "" {
		_, id, _ = strings.Cut(full, ".")
	}
	name := words(deviceName)
	common := [][]string{name, words(at.node)}
	for _, id := range config(c.object("device")).texts("identifiers") {
		common = append(common, words(id))
	}
	ends := slices.Clone(common) // an id may begin with the last word of the device's name
	for i := range name {
		ends = append(ends, name[i:])
	}
	for n, candidate := range []string{id, c.text("name"), at.object, c.text("unique_id")} {
		if !ascii(candidate) {
			continue
		}
		prefixes := common
		if n == 0 {
			prefixes = ends
		}
		if rest := without(words(dialect.Clip(candidate, 256)), prefixes); len(rest) > 0 {
			return rest
		}
	}
	return []string{c.text("platform")}
}

// ascii allows the few signs that say nothing in a name.
func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 && !strings.ContainsRune("°²³µμ–—’", r) })
}

func without(all []string, prefixes [][]string) []string {
	for again := true; again; {
		again = false
		for _, prefix := range prefixes {
			if len(prefix) > 0 && len(all) >= len(prefix) && slices.Equal(all[:len(prefix)], prefix) {
				all, again = all[len(prefix):], true
			}
		}
	}
	return all
}

// suffix is what a name adds to the word that it stands for: the living room of the living room's temperature.
func suffix(label []string, word string) string {
	stem := strings.Split(word, "_")
	for at := 0; at+len(stem) <= len(label); at++ {
		if slices.Equal(label[at:at+len(stem)], stem) {
			return strings.Join(slices.Concat(label[:at], label[at+len(stem):]), "_")
		}
	}
	rest := label
	if word == "energy_exported" {
		rest = slices.DeleteFunc(slices.Clone(label), func(w string) bool { return w == "energy" || slices.Contains(outward(), w) })
	}
	return strings.Join(rest, "_")
}

// identity is how a device is known: its address, and everything else that means the same device.
type identity struct {
	address string
	aliases []string
}

const maxAliases = 32

// identify reads a device's identifiers and connections; an entity without a device is one of its own.
func identify(c config, at address) identity {
	device := config(c.object("device"))
	var id identity
	add := func(kind, text string) {
		if text != "" && len(text) <= dialect.MaxTopic && len(id.aliases) < maxAliases {
			id.aliases = append(id.aliases, kind+text)
			if id.address == "" {
				id.address = text
			}
		}
	}
	for _, text := range config(c.object("device")).texts("identifiers") {
		add("id ", text)
	}
	connections, _ := device["connections"].([]any)
	for _, member := range connections {
		if pair, ok := member.([]any); ok && len(pair) == 2 {
			kind, _ := pair[0].(string)
			text, _ := pair[1].(string)
			add(kind+" ", strings.ToLower(text))
		}
	}
	if id.address != "" {
		return id
	}
	unique := c.text("unique_id")
	if unique == "" {
		unique = strings.Trim(at.node+"_"+at.object, "_")
	}
	add("entity "+at.component+" ", unique)
	return id
}
