package homekit

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"

	"hearth"
	"hearth/edge/homekit/hap"
)

// A face is one service of an accessory, and what stands behind its characteristics.
type face struct {
	key    string // names it for good: its iid hangs on it
	label  string // what tells it from the device's other services; "" for the only or first one
	s      *service.S
	fields []*field
	linked []string // keys of faces
	sensor bool     // it says how much its values are worth
	named  bool     // it has a name of its own where the device has several
}

// A field is one characteristic.
type field struct {
	c     *characteristic.C
	uses  []string                                   // the device's properties behind it
	read  func(k *knowledge) (value any, known bool) // nil: the value never changes
	write func(w *wish, value any) hap.Status        // nil: nobody writes it
	press map[string]int                             // of a button: what each text of the property means
}

// knowledge is what is known of a device at one moment.
type knowledge struct {
	view    hearth.DeviceView
	targets map[string]hearth.Value // what commands under way ask for
	m       *memory
	fresh   bool // it can be reached and speaks as often as it should
	seconds float64
}

// value is what the device reported.
func (k *knowledge) value(name string) (hearth.Value, bool) {
	if p := k.view.Property(name); p != nil && p.Value != nil {
		return *p.Value, true
	}
	return hearth.Value{}, false
}

// aim is what a command under way asks for, or else what the device reported.
func (k *knowledge) aim(name string) (hearth.Value, bool) {
	if v, ok := k.targets[name]; ok {
		return v, true
	}
	return k.value(name)
}

// memory is what a mapping has to remember of a device between two looks, by a name of its own.
type memory struct {
	flags   map[string]bool    // which side of a threshold a value is on
	numbers map[string]float64 // levels, peaks, times
}

func newMemory() *memory { return &memory{flags: map[string]bool{}, numbers: map[string]float64{}} }

// over reports whether v has reached high, until it falls below low.
func (m *memory) over(name string, v, high, low float64) bool {
	is := v >= high || m.flags[name] && v >= low
	m.flags[name] = is
	return is
}

// A wish is what controllers ask of one device, on its way to become one command.
type wish struct {
	k     *knowledge
	set   map[string]hearth.Value
	parts map[string]colorParts // of lamps, by the key of their face
	off   map[string]string     // faces that are to be off, and the property that would undo it
}

func newWish(k *knowledge) *wish {
	return &wish{k: k, set: map[string]hearth.Value{}, parts: map[string]colorParts{}, off: map[string]string{}}
}

func (w *wish) put(p hearth.Property, v hearth.Value) hap.Status {
	if err := p.Accepts(v); err != nil || !p.Writable {
		return hap.Invalid
	}
	w.set[p.Name] = v
	return hap.OK
}

// number puts v as near as the property takes it.
func (w *wish) number(p hearth.Property, v float64) hap.Status {
	if p.Min != nil {
		v = max(v, *p.Min)
	}
	if p.Max != nil {
		v = min(v, *p.Max)
	}
	return w.put(p, hearth.NumberOf(v))
}

// command returns what is to be set. A lamp that is switched off is not given a brightness in the same breath: that
// would switch it on again.
func (w *wish) command() map[string]hearth.Value {
	set := maps.Clone(w.set)
	for _, level := range w.off {
		delete(set, level)
	}
	return set
}

// A group is the properties of one endpoint, by the word each stands for.
type group struct {
	suffix string
	words  map[string]hearth.Property
}

func (g *group) has(words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { _, ok := g.words[w]; return ok })
}

func (g *group) writable(word string) bool { return g.words[word].Writable }

// groups sorts a device's properties by endpoint, the first one first. Properties that are no words stay out.
func groups(known map[string]hearth.Kind, properties []hearth.PropertyView) []*group {
	bySuffix := map[string]*group{}
	for _, p := range properties {
		stem, suffix, ok := split(known, p.Name)
		if !ok {
			continue
		}
		if known[stem] != p.Kind {
			continue
		}
		g := bySuffix[suffix]
		if g == nil {
			g = &group{suffix: suffix, words: map[string]hearth.Property{}}
			bySuffix[suffix] = g
		}
		g.words[stem] = p.Property
	}
	return slices.SortedFunc(maps.Values(bySuffix), func(a, b *group) int { return inOrder(a.suffix, b.suffix) })
}

// split takes a name apart into the longest word it begins with, and the rest.
func split(known map[string]hearth.Kind, name string) (stem, suffix string, ok bool) {
	for stem = name; known[stem] == ""; {
		cut := strings.LastIndexByte(stem, '_')
		if cut < 0 {
			return "", "", false
		}
		stem = stem[:cut]
	}
	return stem, strings.TrimPrefix(name[len(stem):], "_"), true
}

// inOrder puts numbers by size, before words.
func inOrder(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	switch {
	case a == "" || b == "":
		return strings.Compare(a, b)
	case errX == nil && errY == nil:
		return x - y
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return strings.Compare(a, b)
}

func newFace(typ, name string) *face {
	return &face{key: typ + ":" + name, s: service.New(typ), named: true}
}

func (f *face) add(c *characteristic.C, uses ...string) *field {
	new := &field{c: c, uses: uses}
	f.s.AddC(c)
	f.fields = append(f.fields, new)
	return new
}

// follows adds a characteristic that shows a bool of the device.
func (f *face) flag(c *characteristic.C, name string, truth, falsehood any) *field {
	new := f.add(c, name)
	new.read = func(k *knowledge) (any, bool) {
		v, ok := k.aim(name)
		if v.Bool() {
			return truth, ok
		}
		return falsehood, ok
	}
	return new
}

// number adds a characteristic that shows a number of the device, within its limits and to its step.
func (f *face) number(c *characteristic.C, name string, convert func(float64) float64) *field {
	new := f.add(c, name)
	new.read = func(k *knowledge) (any, bool) {
		v, ok := k.aim(name)
		if !ok {
			return nil, false
		}
		n := v.Number()
		if convert != nil {
			n = convert(n)
		}
		return fit(c, n), true
	}
	return new
}

// fit returns n as a value of c: of its format, within its limits, to its step.
func fit(c *characteristic.C, n float64) any {
	if whole, ok := c.MinVal.(int); ok {
		n = max(n, float64(whole))
	} else if least, ok := c.MinVal.(float64); ok {
		n = max(n, least)
	}
	if whole, ok := c.MaxVal.(int); ok {
		n = min(n, float64(whole))
	} else if most, ok := c.MaxVal.(float64); ok {
		n = min(n, most)
	}
	if c.Format != characteristic.FormatFloat {
		return int(math.Round(n))
	}
	if step, ok := c.StepVal.(float64); ok && step > 0 {
		per := math.Round(1 / step)
		if per >= 1 {
			n = math.Round(n*per) / per
		} else {
			n = math.Round(n/step) * step
		}
	}
	if least, ok := c.MinVal.(float64); ok {
		n = max(n, least) // the least light there is lies below the first step
	}
	return n
}

const (
	reads  = "r"
	writes = "rw"
)

// make returns a characteristic. may is reads or writes; the value is its first one.
func makeC(typ, format, may string, value any) *characteristic.C {
	c := characteristic.New()
	c.Type, c.Format, c.Val = typ, format, value
	c.Permissions = []string{characteristic.PermissionRead, characteristic.PermissionEvents}
	if may == writes {
		c.Permissions = []string{characteristic.PermissionRead, characteristic.PermissionWrite, characteristic.PermissionEvents}
	}
	return c
}

func boolC(typ, may string) *characteristic.C {
	return makeC(typ, characteristic.FormatBool, may, false)
}

// enumC is a small number with these values.
func enumC(typ, may string, values ...int) *characteristic.C {
	c := makeC(typ, characteristic.FormatUInt8, may, values[0])
	c.ValidVals = values
	c.MinVal, c.MaxVal, c.StepVal = slices.Min(values), slices.Max(values), 1
	return c
}

func intC(typ, format, unit, may string, low, high int) *characteristic.C {
	c := makeC(typ, format, may, low)
	c.Unit, c.MinVal, c.MaxVal, c.StepVal = unit, low, high, 1
	return c
}

func floatC(typ, unit, may string, low, high, step float64) *characteristic.C {
	c := makeC(typ, characteristic.FormatFloat, may, max(low, min(high, 0)))
	c.Unit, c.MinVal, c.MaxVal, c.StepVal = unit, low, high, step
	return c
}

func textC(typ, may, value string) *characteristic.C {
	return makeC(typ, characteristic.FormatString, may, value)
}

func may(p hearth.Property) string {
	if p.Writable {
		return writes
	}
	return reads
}
