package dialect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"hearth"
)

// MaxName is how long a property's name may be, in bytes.
const MaxName = 64

// PropertyName makes a property's name of any text: snake_case, and never one that means something else. Words that are
// written together are taken apart (PowerOnBehavior, aenergy.total). Without a letter or digit of ASCII it is "".
func PropertyName(text string) string {
	if len(text) > 4*MaxName {
		text = text[:4*MaxName]
	}
	var out strings.Builder
	var before rune
	runes := []rune(text)
	for i, r := range runes {
		upper := r >= 'A' && r <= 'Z'
		switch {
		case upper && i > 0 && (small(before) || number(before) || before >= 'A' && before <= 'Z' && i+1 < len(runes) && small(runes[i+1])):
			out.WriteByte('_')
			out.WriteRune(unicode.ToLower(r))
		case upper:
			out.WriteRune(unicode.ToLower(r))
		case small(r), number(r):
			out.WriteRune(r)
		default:
			out.WriteByte('_')
		}
		before = r
	}
	name := strings.Join(strings.FieldsFunc(out.String(), func(r rune) bool { return r == '_' }), "_")
	switch {
	case name == "":
		return ""
	case number(rune(name[0])):
		name = "p_" + name
	}
	if name == "clock" || name == "time" || name == "reachable" {
		name += "_value"
	}
	return strings.TrimRight(name[:min(len(name), MaxName)], "_")
}

func small(r rune) bool  { return r >= 'a' && r <= 'z' }
func number(r rune) bool { return r >= '0' && r <= '9' }

// Address makes the second part of a hearth.ID of any text, so that different texts stay different: a byte that an id
// does not allow is written as @ and two hex digits, and what is too long is cut and told apart by a hash.
func (e Env) Address(text string) string {
	var out strings.Builder
	for i := range len(text) {
		c := text[i]
		plain := small(rune(c)) || number(rune(c)) || c >= 'A' && c <= 'Z'
		switch {
		case plain, i > 0 && strings.IndexByte("._:-", c) >= 0:
			out.WriteByte(c)
		case i == 0:
			fmt.Fprintf(&out, "x@@%02x", c)
		default:
			fmt.Fprintf(&out, "@%02x", c)
		}
	}
	room := hearth.MaxID - len(e.Name) - 1
	if text == "" {
		return "x@@"
	}
	if out.Len() <= room {
		return out.String()
	}
	sum := sha256.Sum256([]byte(text))
	return out.String()[:max(1, room-18)] + "@-" + hex.EncodeToString(sum[:8])
}

// Name makes a device's proposed name of any text: valid, of one line, and at most a hundred bytes.
func Name(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
	return Clip(text, 100)
}

// Clip cuts text to at most n bytes, at a character's border.
func Clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xC0 == 0x80 {
		n--
	}
	return text[:n]
}
