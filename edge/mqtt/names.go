package mqtt

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"hearth"
)

// objectOf returns the name of a device where only letters, digits, _ and - may be. No two devices share one: what
// cannot be told apart otherwise gets a hash.
func objectOf(id hearth.ID) string {
	driver, address := id.Driver(), id.Address()
	plain := safe(address)
	if !strings.Contains(driver, "_") && plain == address {
		return "hearth_" + driver + "_" + address
	}
	sum := sha256.Sum256([]byte(id))
	return "hearth-" + driver + "-" + plain + "-" + hex.EncodeToString(sum[:8])
}

func safe(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, s)
}

// slug is a name as Home Assistant has it in the ids of entities.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case strings.ContainsRune("äàáâãå", r):
			b.WriteByte('a')
		case strings.ContainsRune("éèêë", r):
			b.WriteByte('e')
		case strings.ContainsRune("íìîï", r):
			b.WriteByte('i')
		case strings.ContainsRune("öóòôõø", r):
			b.WriteByte('o')
		case strings.ContainsRune("üúùû", r):
			b.WriteByte('u')
		case r == 'ß':
			b.WriteString("ss")
		case r == 'ñ':
			b.WriteByte('n')
		case r == 'ç':
			b.WriteByte('c')
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	return strings.TrimSuffix(b.String(), "_")
}

// title is a property's name as a person reads it.
func title(property string) string {
	words := strings.Split(property, "_")
	for i, w := range words {
		switch w {
		case "co2", "pm1", "pm25", "pm10", "voc", "ph", "rssi", "pi", "l1", "l2", "l3", "t1", "t2":
			words[i] = strings.ToUpper(w)
		}
	}
	s := strings.Join(words, " ")
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// A vocabulary is the house's words.
type vocabulary map[string]bool

func newVocabulary() vocabulary {
	known := vocabulary{}
	for _, w := range hearth.Words() {
		known[w] = true
	}
	return known
}

// split takes a name apart: the word it begins with, and which of several it is; an unknown name is a word itself.
func (v vocabulary) split(name string) (word, suffix string) {
	for stem := name; ; {
		if v[stem] {
			return stem, strings.TrimPrefix(name[len(stem):], "_")
		}
		cut := strings.LastIndexByte(stem, '_')
		if cut < 0 {
			return name, ""
		}
		stem = stem[:cut]
	}
}

// A group is the properties that belong together: those of one endpoint of a device.
type group struct {
	suffix string
	words  map[string]*hearth.PropertyView
	used   map[string]bool // words that are part of an entity already
}

// groupsOf returns a device's groups in the order of their first properties.
func groupsOf(v vocabulary, d *hearth.DeviceView) []*group {
	var groups []*group
	bySuffix := map[string]*group{}
	for i := range d.Properties {
		p := &d.Properties[i]
		word, suffix := v.split(p.Name)
		g := bySuffix[suffix]
		if g == nil {
			g = &group{suffix: suffix, words: map[string]*hearth.PropertyView{}, used: map[string]bool{}}
			bySuffix[suffix] = g
			groups = append(groups, g)
		}
		g.words[word] = p
	}
	return groups
}

func (g *group) get(word string) *hearth.PropertyView { return g.words[word] }

// free returns a word that no entity has yet, nil if there is none.
func (g *group) free(word string) *hearth.PropertyView {
	if g.used[word] {
		return nil
	}
	return g.words[word]
}

func (g *group) writable(word string) *hearth.PropertyView {
	if p := g.free(word); p != nil && p.Writable {
		return p
	}
	return nil
}

func (g *group) use(words ...string) {
	for _, w := range words {
		g.used[w] = true
	}
}

// named is the full name of a word in the group.
func (g *group) named(word string) string {
	if g.suffix == "" {
		return word
	}
	return word + "_" + g.suffix
}
