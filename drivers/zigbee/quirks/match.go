package quirks

import (
	"cmp"
	"strings"

	"hearth/settings"
)

// A Match says which devices a definition is for: those whose Basic cluster has one of the vendors and one of the models,
// in large or small letters. "*" stands for any text; a missing key for any value.
type Match struct {
	Vendor   Texts    `yaml:"vendor"`   // manufacturer name
	Model    Texts    `yaml:"model"`    // model identifier
	Clusters Clusters `yaml:"clusters"` // that the device has to have, too
}

// Matches are alternatives.
type Matches []Match

// A Like names the definition that one is made after, by a device that that one is for.
type Like struct {
	Vendor string `yaml:"vendor"`
	Model  string `yaml:"model"`

	place settings.Node // until it is found
}

// UnmarshalSettings implements settings.Unmarshaler.
func (l *Like) UnmarshalSettings(n settings.Node) error {
	type plain Like
	if err := n.Decode((*plain)(l)); err != nil {
		return err
	}
	l.place = n
	return nil
}

// key is what a device calls itself, or a definition calls it.
type key struct{ vendor, model string }

const anything = "*"

func keyOf(vendor, model string) key { return key{folded(vendor), folded(model)} }

func folded(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// keys are the pairs of vendor and model that the match is for.
func (m Match) keys() []key {
	vendors, models := m.Vendor, m.Model
	if len(vendors) == 0 {
		vendors = Texts{anything}
	}
	if len(models) == 0 {
		models = Texts{anything}
	}
	keys := make([]key, 0, len(vendors)*len(models))
	for _, vendor := range vendors {
		for _, model := range models {
			keys = append(keys, keyOf(vendor, model))
		}
	}
	return keys
}

// open reports whether a part of the key has a wildcard in it, other than standing for anything at all.
func (k key) open() bool { return opened(k.vendor) || opened(k.model) }

func opened(pattern string) bool { return pattern != anything && strings.Contains(pattern, "*") }

func (k key) takes(device key) bool {
	return takes(k.vendor, device.vendor) && takes(k.model, device.model)
}

// takes reports whether a text is as a pattern says.
func takes(pattern, text string) bool {
	first, rest, open := strings.Cut(pattern, "*")
	if !open {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	for ok && open {
		first, rest, open = strings.Cut(rest, "*")
		if !open {
			return strings.HasSuffix(text, first)
		}
		_, text, ok = strings.Cut(text, first)
	}
	return ok
}

// closer compares how closely two entries of the same source fit a device: the model counts for more than the vendor, the
// exact for more than the longest pattern.
func closer(a, b *entry) int {
	exact := func(pattern string) int {
		if strings.Contains(pattern, "*") {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(exact(a.key.model), exact(b.key.model)),
		cmp.Compare(exact(a.key.vendor), exact(b.key.vendor)),
		cmp.Compare(len(a.key.model), len(b.key.model)),
		cmp.Compare(len(a.key.vendor), len(b.key.vendor)),
		cmp.Compare(len(a.clusters), len(b.clusters)),
	)
}
