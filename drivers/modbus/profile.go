package modbus

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/settings"
)

// A Profile says what the registers of a kind of device mean. It is a YAML file; configs/profiles/example.yaml explains
// every key.
type Profile struct {
	Vendor    string        `yaml:"vendor"`
	Model     string        `yaml:"model"`
	Type      hearth.Type   `yaml:"type"`
	Poll      time.Duration `yaml:"poll"`          // how often, where the configuration does not say
	Gap       int           `yaml:"gap"`           // unused registers that may be read along with the others
	Limit     int           `yaml:"max_registers"` // at once
	Registers []Register    `yaml:"registers"`
}

// A Register is one property and where it is found.
type Register struct {
	Property string         `yaml:"property"`
	Table    string         `yaml:"table"`   // input, holding, coil, discrete
	Address  uint16         `yaml:"address"` // from 0, as it travels
	Format   string         `yaml:"type"`    // int16 … float64, bool, string
	Length   int            `yaml:"length"`  // registers of a string
	Order    string         `yaml:"order"`   // ABCD, CDAB, BADC, DCBA
	Scale    float64        `yaml:"scale"`
	Offset   float64        `yaml:"offset"`
	Mask     uint64         `yaml:"mask"`
	Enum     map[int]string `yaml:"enum"`
	Unit     string         `yaml:"unit"`
	Min      *float64       `yaml:"min"`
	Max      *float64       `yaml:"max"`
	Writable bool           `yaml:"writable"`
	Poll     time.Duration  `yaml:"poll"` // at most so often
}

const (
	defaultGap  = 16
	minInterval = 100 * time.Millisecond
)

// registers says how many registers (or bits) a format takes; strings say it themselves.
func registers(format string) int {
	return map[string]int{
		"bool": 1, "int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2, "int64": 4, "uint64": 4, "float64": 4,
	}[format]
}

// size is how many registers (or bits) r takes.
func (r *Register) size() int {
	if r.Format == "string" {
		return r.Length
	}
	return registers(r.Format)
}

func (r *Register) bits() bool    { return r.Table == "coil" || r.Table == "discrete" }
func (r *Register) integer() bool { return strings.Contains(r.Format, "int") }

// Check says what is wrong with the register, and fills in what it leaves out.
func (r *Register) Check() error {
	r.Order = strings.ToUpper(r.Order)
	if r.Order == "" {
		r.Order = "ABCD"
	}
	if r.Scale == 0 {
		r.Scale = 1
	}
	if r.Format == "" && r.bits() {
		r.Format = "bool"
	}
	var problems []error
	say := func(key, format string, args ...any) {
		problems = append(problems, settings.At(key, format, args...))
	}
	switch {
	case r.Property == "":
		say("property", "is missing: which property does this register hold?")
	case r.Property == "reachable":
		say("property", "reachable is reported by itself")
	case hearth.Property{Name: r.Property, Kind: hearth.Number}.Check() != nil:
		say("property", "want [a-z][a-z0-9_]*, at most 64 bytes, not %q", r.Property)
	}
	if !slices.Contains([]string{"input", "holding", "coil", "discrete"}, r.Table) {
		say("table", "want input, holding, coil or discrete, not %q", r.Table)
	}
	r.checkFormat(say)
	if r.Writable && r.Table != "holding" && r.Table != "coil" {
		say("writable", "only holding registers and coils can be written")
	}
	if r.Poll != 0 && r.Poll < minInterval {
		say("poll", "want at least %v", minInterval)
	}
	if len(problems) == 0 {
		problems = append(problems, r.checkProperty())
	}
	return errors.Join(problems...)
}

func (r *Register) checkFormat(say func(key, format string, args ...any)) {
	switch size := r.size(); {
	case r.Format == "string" && (size < 1 || size > maxReadRegisters):
		say("length", "want the string's length in registers, 1 to %d", maxReadRegisters)
	case r.Format != "string" && registers(r.Format) == 0:
		say("type", "want int16, uint16, int32, uint32, int64, uint64, float32, float64, bool or string, not %q", r.Format)
	case int(r.Address)+size > 1<<16:
		say("address", "%d registers from here reach beyond 65535", size)
	case r.bits() && r.Format != "bool":
		say("type", "a %s is a bool", r.Table)
	}
	if !slices.Contains([]string{"ABCD", "CDAB", "BADC", "DCBA"}, r.Order) {
		say("order", "want ABCD, CDAB, BADC or DCBA, not %q", r.Order)
	}
	if r.Mask != 0 && (r.bits() || !r.integer() && r.Format != "bool") {
		say("mask", "only whole numbers and bools in registers have a mask")
	} else if r.Format != "bool" && bits.Len64(r.Mask) > 16*r.size() || r.Format == "bool" && r.Mask > 0xffff {
		say("mask", "%#x has more bits than the register", r.Mask)
	}
	if len(r.Enum) > 0 && !r.integer() {
		say("enum", "only whole numbers can stand for words")
	}
	if r.Writable && r.Format == "string" {
		say("writable", "strings can only be read")
	}
}

// checkProperty says whether the format fits the kind and the unit that the word has in the whole house.
func (r *Register) checkProperty() error {
	p, known := hearth.Word(r.Property)
	kind := r.kind()
	switch {
	case known && p.Kind != kind:
		return settings.At("property", "%s is a %s, and this register holds a %s", r.Property, p.Kind, kind)
	case known && r.Unit != "" && r.Unit != p.Unit:
		return settings.At("unit", "%s is in %q everywhere: use scale and offset to convert to it", r.Property, p.Unit)
	case r.Min != nil && r.Max != nil && *r.Min > *r.Max:
		return settings.At("min", "is more than max")
	}
	return nil
}

func (r *Register) kind() hearth.Kind {
	switch {
	case r.Format == "bool":
		return hearth.Bool
	case r.Format == "string" || len(r.Enum) > 0:
		return hearth.Text
	}
	return hearth.Number
}

// property returns what the gateway is told of the register.
func (r *Register) property() hearth.Property {
	p, known := hearth.Word(r.Property)
	if !known {
		p = hearth.Property{Name: r.Property, Kind: r.kind(), Unit: r.Unit}
	}
	p.Writable = r.Writable
	if r.Min != nil {
		p.Min = r.Min
	}
	if r.Max != nil {
		p.Max = r.Max
	}
	if len(r.Enum) > 0 {
		p.Options = nil
		for _, word := range r.Enum {
			if !slices.Contains(p.Options, word) {
				p.Options = append(p.Options, word)
			}
		}
		slices.Sort(p.Options)
	}
	return p
}

// Check says what is wrong with the profile as a whole, and fills in what it leaves out.
func (p *Profile) Check() error {
	var problems []error
	if len(p.Registers) == 0 {
		problems = append(problems, settings.At("registers", "there are none: nothing would be read"))
	}
	if len(p.Registers) > hearth.MaxProperties-1 {
		problems = append(problems, settings.At("registers", "%d are more than a device can have properties", len(p.Registers)))
	}
	if p.Type != "" && !slices.Contains(hearth.Types, p.Type) {
		problems = append(problems, settings.At("type", "want one of %v, not %q", hearth.Types, p.Type))
	}
	if p.Poll != 0 && p.Poll < minInterval {
		problems = append(problems, settings.At("poll", "want at least %v", minInterval))
	}
	if p.Gap < 0 || p.Gap > maxReadRegisters {
		problems = append(problems, settings.At("gap", "want 0 to %d", maxReadRegisters))
	}
	if p.Limit < 1 || p.Limit > maxReadRegisters {
		problems = append(problems, settings.At("max_registers", "want 1 to %d", maxReadRegisters))
	}
	seen := map[string]bool{}
	for i, r := range p.Registers {
		if r.Property == "" { // an entry with nothing in it is not checked by itself
			problems = append(problems, settings.At(fmt.Sprintf("registers[%d]", i), "is empty"))
		} else if seen[r.Property] {
			problems = append(problems, settings.At(fmt.Sprintf("registers[%d].property", i), "%s is there twice", r.Property))
		}
		seen[r.Property] = true
	}
	return errors.Join(problems...)
}

// parseProfile reads a profile; file is what errors call it.
func parseProfile(file string, data []byte) (*Profile, error) {
	p := &Profile{Gap: defaultGap, Limit: maxReadRegisters}
	if err := settings.Parse(file, data, p); err != nil {
		return nil, err
	}
	return p, nil
}

// loadProfile finds a profile by its name among the built-in ones, or by the path of a person's own file, which begins
// at dir.
func loadProfile(name string, builtin fs.FS, dir string) (*Profile, error) {
	if strings.ContainsRune(name, '/') || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the profile: %w", err)
		}
		return parseProfile(path, data)
	}
	data, err := fs.ReadFile(builtin, name+".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no profile %q: there are %s; one of your own is named by its path, as in ./mymeter.yaml", name, profileNames(builtin))
	}
	return parseProfile(name+".yaml", data)
}

func profileNames(builtin fs.FS) string {
	files, _ := fs.Glob(builtin, "*.yaml")
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".yaml")
	}
	return strings.Join(files, ", ")
}
