package text

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hearth"
	"hearth/drivers/serial"
	"hearth/settings"
)

// A Config says where the lines come from, how they are read, and what is in them.
type Config struct {
	serial.Config `yaml:",inline"`

	Format    string   `yaml:"format"`    // csv, json, kv, regex
	Separator string   `yaml:"separator"` // csv: one character, "," if none is given; kv: between pairs, any of white space , ; if none is given
	Assign    string   `yaml:"assign"`    // kv: between name and value; = or : if none is given
	Columns   []string `yaml:"columns"`   // csv: names for the columns; without, they are numbered from 1
	Pattern   string   `yaml:"pattern"`   // regex: an expression with named groups, as in ^T=(?P<t>\S+)
	Ignore    string   `yaml:"ignore"`    // an expression for lines that hold no data, such as remarks

	Device     string      `yaml:"device"`      // the device's address, if all lines are of one; "1" if nothing is given
	DeviceFrom string      `yaml:"device_from"` // or the field that says which device a line is of
	Name       string      `yaml:"name"`
	Vendor     string      `yaml:"vendor"`
	Model      string      `yaml:"model"`
	DeviceType hearth.Type `yaml:"device_type"`

	Fields []Field   `yaml:"fields"`
	Time   TimeField `yaml:"time"`

	// Commands are what is sent to set a property; {device}, {property} and {value} stand for what they say. A
	// property that no field reports is write-only.
	Commands   map[string]string `yaml:"commands"`
	Ack        string            `yaml:"ack"`         // an expression for the line that acknowledges a command, with the same words
	AckTimeout time.Duration     `yaml:"ack_timeout"` // 0 means 2 s
}

// A Field is one property and where in a line it stands.
type Field struct {
	From     string         `yaml:"from"` // a column (its number or name), a JSON pointer or key, a kv name, a group
	Property string         `yaml:"property"`
	Kind     hearth.Kind    `yaml:"kind"` // for names outside of the vocabulary: number (the default), bool or text
	Unit     string         `yaml:"unit"`
	Scale    float64        `yaml:"scale"` // value = field × scale + offset
	Offset   float64        `yaml:"offset"`
	Map      map[string]any `yaml:"map"` // what words in the line mean, as in {ON: true, OFF: false}
	Min      *float64       `yaml:"min"`
	Max      *float64       `yaml:"max"`

	words map[string]hearth.Value
}

// A TimeField says where a line holds its own time. It is used when it is plausible: within a day of a trusted clock.
type TimeField struct {
	From   string `yaml:"from"`
	Format string `yaml:"format"` // rfc3339 (the default), unix, unix_ms, or how 2006-01-02 15:04:05 would be written, in local time
}

const (
	defaultAckTimeout = 2 * time.Second
	defaultAddress    = "1"
)

// Check says what is wrong with the field, and prepares it.
func (f *Field) Check() error {
	p, known := hearth.Word(f.Property)
	if f.Scale == 0 {
		f.Scale = 1
	}
	if f.Kind == "" {
		f.Kind = p.Kind
	}
	var problems []error
	switch {
	case f.Property == "":
		problems = append(problems, settings.At("property", "is missing: which property does this field hold?"))
	case hearth.Property{Name: f.Property, Kind: hearth.Number}.Check() != nil:
		problems = append(problems, settings.At("property", "want [a-z][a-z0-9_]*, at most 64 bytes, not %q", f.Property))
	case f.Kind != hearth.Bool && f.Kind != hearth.Number && f.Kind != hearth.Text:
		problems = append(problems, settings.At("kind", "want number, bool or text, not %q", f.Kind))
	case known && f.Kind != p.Kind:
		problems = append(problems, settings.At("kind", "%s is a %s everywhere", f.Property, p.Kind))
	case known && f.Unit != "" && f.Unit != p.Unit:
		problems = append(problems, settings.At("unit", "%s is in %q everywhere: use scale and offset to convert to it", f.Property, p.Unit))
	case f.Kind != hearth.Number && (f.Scale != 1 || f.Offset != 0):
		problems = append(problems, settings.At("scale", "only numbers have scale and offset, and %s is a %s", f.Property, f.Kind))
	case f.Min != nil && f.Max != nil && *f.Min > *f.Max:
		problems = append(problems, settings.At("min", "is more than max"))
	}
	f.words = map[string]hearth.Value{}
	for word, meaning := range f.Map {
		v := valueOf(meaning)
		if v.Kind() != f.Kind {
			problems = append(problems, settings.At("map."+word, "%s takes a %s", f.Property, f.Kind))
		}
		f.words[word] = v
	}
	return errors.Join(problems...)
}

func valueOf(x any) hearth.Value {
	switch x := x.(type) {
	case bool:
		return hearth.BoolOf(x)
	case float64:
		return hearth.NumberOf(x)
	case int64:
		return hearth.NumberOf(float64(x))
	case string:
		return hearth.TextOf(x)
	}
	return hearth.Value{}
}

// Check says what is wrong with the settings as a whole.
func (c *Config) Check() error {
	var problems []error
	say := func(path, format string, args ...any) {
		problems = append(problems, settings.At(path, format, args...))
	}
	expressions := []struct{ key, text string }{{"ignore", c.Ignore}, {"ack", filled(c.Ack, "x", "x", "1", regexp.QuoteMeta)}}
	switch c.Format {
	case "csv":
		if s := c.comma(); utf8.RuneCountInString(s) != 1 || strings.ContainsAny(s, "\"\r\n") {
			say("separator", "want one character, or tab, not %q", c.Separator)
		}
	case "json", "kv":
	case "regex":
		expressions = append(expressions, struct{ key, text string }{"pattern", c.Pattern})
		if c.Pattern == "" {
			say("pattern", `is missing: an expression with named groups, as in ^T=(?P<t>\S+)`)
		}
	default:
		say("format", "want csv, json, kv or regex, not %q", c.Format)
	}
	for _, e := range expressions {
		if _, err := regexp.Compile(e.text); err != nil {
			say(e.key, "%v", err)
		}
	}
	if c.Device != "" && c.DeviceFrom != "" {
		say("device_from", "there is a device already: the lines are either of one device, or say of which")
	}
	if c.Device != "" && hearth.ID("x:"+c.Device).Check() != nil {
		say("device", "want letters, digits and . _ : @ - only, not %q", c.Device)
	}
	if c.DeviceType != "" && !slices.Contains(hearth.Types, c.DeviceType) {
		say("device_type", "want one of %v, not %q", hearth.Types, c.DeviceType)
	}
	if c.AckTimeout < 0 || c.AckTimeout > time.Minute {
		say("ack_timeout", "want at most 1m, not %v", c.AckTimeout)
	}
	reference := time.Date(2030, 11, 22, 13, 14, 15, 0, time.Local)
	if f := c.Time.Format; f != "" && !slices.Contains([]string{"rfc3339", "unix", "unix_ms"}, f) && reference.Format(f) == f {
		say("time.format", "want rfc3339, unix, unix_ms, or how 2006-01-02 15:04:05 would be written, not %q", f)
	}
	c.checkFields(say)
	return errors.Join(problems...)
}

func (c *Config) checkFields(say func(path, format string, args ...any)) {
	if len(c.Fields)+len(c.Commands) == 0 {
		say("fields", "there are none: nothing would be read")
	}
	seen := map[string]bool{}
	for i, f := range c.Fields {
		at := fmt.Sprintf("fields[%d].", i)
		if seen[f.Property] {
			say(at+"property", "%s is there twice", f.Property)
		}
		seen[f.Property] = true
		if _, commanded := c.Commands[f.Property]; f.From == "" && !commanded {
			say(at+"from", "is missing: where in the line does it stand?")
		}
		c.checkFrom(at+"from", f.From, say)
	}
	c.checkFrom("device_from", c.DeviceFrom, say)
	c.checkFrom("time.from", c.Time.From, say)
	for property, template := range c.Commands {
		if (hearth.Property{Name: property, Kind: hearth.Number}).Check() != nil {
			say("commands."+property, "want the name of a property, not %q", property)
		}
		if template == "" {
			say("commands."+property, "is empty: what is to be sent?")
		}
	}
	if len(seen)+len(c.Commands) > hearth.MaxProperties {
		say("fields", "there are more than a device can have properties")
	}
}

// checkFrom says whether a line can have such a field, as far as the settings tell.
func (c *Config) checkFrom(at, from string, say func(path, format string, args ...any)) {
	switch {
	case from == "":
	case c.Format == "csv":
		if n, err := strconv.Atoi(from); (err != nil || n < 1) && !slices.Contains(c.Columns, from) {
			say(at, "want the number of a column, from 1, or one of columns, not %q", from)
		}
	case c.Format == "regex":
		if pattern, err := regexp.Compile(c.Pattern); err == nil && pattern.SubexpIndex(from) < 0 {
			say(at, "the pattern has no group %q", from)
		}
	}
}

// comma returns the separator of CSV.
func (c *Config) comma() string {
	switch c.Separator {
	case "":
		return ","
	case "tab":
		return "\t"
	}
	return c.Separator
}

// filled puts the words of a command into its template.
func filled(template, device, property, value string, quote func(string) string) string {
	return strings.NewReplacer("{device}", quote(device), "{property}", quote(property), "{value}", quote(value)).Replace(template)
}

// properties returns what a device can say and take.
func (c *Config) properties() []hearth.Property {
	var all []hearth.Property
	for _, f := range c.Fields {
		p, known := hearth.Word(f.Property)
		if !known {
			p = hearth.Property{Name: f.Property, Kind: f.Kind, Unit: f.Unit}
		}
		if f.Min != nil {
			p.Min = f.Min
		}
		if f.Max != nil {
			p.Max = f.Max
		}
		_, p.Writable = c.Commands[f.Property]
		p.WriteOnly = p.Writable && (p.WriteOnly || f.From == "")
		all = append(all, p)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Commands)) {
		if !slices.ContainsFunc(all, func(p hearth.Property) bool { return p.Name == name }) {
			p, _ := hearth.Word(name)
			p.Writable, p.WriteOnly = true, true
			all = append(all, p)
		}
	}
	return all
}
