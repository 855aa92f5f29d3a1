package quirks

import (
	"errors"
	"math"
	"math/bits"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
	"hearth/settings"
)

// A Meaning says which property a raw number or text is, and what it means in the house's units.
type Meaning struct {
	Property string           `yaml:"property"`
	Unit     string           `yaml:"unit"`     // of a name of one's own
	Kind     hearth.Kind      `yaml:"kind"`     // of a name of one's own, where nothing else tells it
	Writable bool             `yaml:"writable"` // the device takes it as well
	Mask     uint64           `yaml:"mask"`     // only these bits count
	Scale    float64          `yaml:"scale"`    // value = raw × scale + offset; 0: 1
	Offset   float64          `yaml:"offset"`
	Curve    Curve            `yaml:"curve"`
	Values   map[int64]string `yaml:"values"`   // which text a number stands for
	Bands    bool             `yaml:"bands"`    // a number in Values stands for all up to the next one, too
	TrueFor  Numbers          `yaml:"true_for"` // which numbers are true; without, all but 0
	Invert   bool             `yaml:"invert"`   // a bool; a number from end to end of its range
	Min      *float64         `yaml:"min"`
	Max      *float64         `yaml:"max"`
	Clears   time.Duration    `yaml:"clears"` // the device never takes a true back: it is false after so long

	shape hearth.Property
}

// Shape returns the property as it is announced, without what tells several of its name apart.
func (m *Meaning) Shape() hearth.Property { return m.shape }

// mean says which kind a name of one's own is of, if nothing else does.
func (m *Meaning) mean(kind hearth.Kind) {
	if m.Kind == "" && len(m.Values) == 0 && len(m.TrueFor) == 0 && m.shape.Kind != kind {
		if _, known := hearth.Word(m.Property); !known {
			m.Kind = kind
			m.prepare()
		}
	}
}

// prepare works out the property once.
func (m *Meaning) prepare() {
	p, known := hearth.Word(m.Property)
	if !known {
		p = hearth.Property{Name: m.Property, Kind: m.kind(), Unit: m.Unit}
	}
	p.Writable = p.Writable || m.Writable
	if m.Min != nil {
		p.Min = m.Min
	}
	if m.Max != nil {
		p.Max = m.Max
	}
	if len(m.Values) > 0 && p.Kind == hearth.Text {
		p.Options = m.options()
	}
	m.shape = p
}

// options are in the order of their numbers.
func (m *Meaning) options() []string {
	var options []string
	for _, n := range m.numbers() {
		if !slices.Contains(options, m.Values[n]) {
			options = append(options, m.Values[n])
		}
	}
	return options
}

func (m *Meaning) numbers() []int64 {
	numbers := make([]int64, 0, len(m.Values))
	for n := range m.Values {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers
}

// kind is that of a name of one's own.
func (m *Meaning) kind() hearth.Kind {
	switch {
	case m.Kind != "":
		return m.Kind
	case len(m.Values) > 0:
		return hearth.Text
	case len(m.TrueFor) > 0:
		return hearth.Bool
	}
	return hearth.Number
}

// Of returns what a value means; the zero Value if that is nothing.
func (m *Meaning) Of(v zcl.Value) hearth.Value {
	if n, ok := v.Number(); ok {
		return m.OfNumber(n)
	}
	if m.shape.Kind == hearth.Text && len(m.Values) == 0 && v.Valid() {
		return m.OfText(v.Text())
	}
	return hearth.Value{}
}

// OfText returns what a text means: itself.
func (m *Meaning) OfText(s string) hearth.Value {
	if s == "" {
		return hearth.Value{}
	}
	return hearth.TextOf(s)
}

// OfNumber returns what a number means.
func (m *Meaning) OfNumber(n float64) hearth.Value {
	if m.Mask != 0 {
		n = float64(uint64(int64(n)) & m.Mask >> bits.TrailingZeros64(m.Mask))
	}
	switch m.shape.Kind {
	case hearth.Bool:
		is := n != 0
		if len(m.TrueFor) > 0 {
			is = slices.Contains(m.TrueFor, int64(n))
		}
		return hearth.BoolOf(is != m.Invert)
	case hearth.Text:
		return m.word(n)
	}
	if len(m.Curve) > 0 {
		n = m.Curve.At(n)
	}
	return hearth.NumberOf(m.turned(rounded(n*m.scale() + m.Offset)))
}

// word returns the text that a number stands for.
func (m *Meaning) word(n float64) hearth.Value {
	at := int64(math.Floor(n))
	if m.Bands {
		i, found := slices.BinarySearch(m.numbers(), at)
		if !found {
			i--
		}
		if i < 0 {
			return hearth.Value{}
		}
		at = m.numbers()[i]
	}
	if text, ok := m.Values[at]; ok {
		return hearth.TextOf(text)
	}
	return hearth.Value{}
}

// turned inverts a number within its range, where that is asked for.
func (m *Meaning) turned(n float64) float64 {
	if m.Invert && m.shape.Min != nil && m.shape.Max != nil {
		return *m.shape.Min + *m.shape.Max - n
	}
	return n
}

func (m *Meaning) scale() float64 {
	if m.Scale == 0 {
		return 1
	}
	return m.Scale
}

// rounded takes away what binary fractions add: 21.3, not 21.300000000000001.
func rounded(n float64) float64 { return math.Round(n*1e9) / 1e9 }

// Raw returns the number that means v to the device. It is for values that Shape accepts.
func (m *Meaning) Raw(v hearth.Value) (float64, error) {
	switch m.shape.Kind {
	case hearth.Bool:
		return m.rawBool(v.Bool() != m.Invert), nil
	case hearth.Text:
		for _, n := range m.numbers() {
			if m.Values[n] == v.Text() {
				return float64(n), nil
			}
		}
		return 0, hearth.Errorf(hearth.CodeBadValue, "%s does not take %s", m.Property, v)
	}
	n := rounded((m.turned(v.Number()) - m.Offset) / m.scale())
	if len(m.Curve) > 0 {
		n = m.Curve.Back(n)
	}
	return n, nil
}

func (m *Meaning) rawBool(is bool) float64 {
	switch {
	case len(m.TrueFor) > 0 && is:
		return float64(m.TrueFor[0])
	case len(m.TrueFor) > 0:
		for n := int64(0); ; n++ {
			if !slices.Contains(m.TrueFor, n) {
				return float64(n)
			}
		}
	case is:
		return 1
	}
	return 0
}

// A Curve goes through points, straight from each to the next; before the first and after the last it is level.
type Curve []Bend

// A Bend is a point of a curve: what comes, and what it means.
type Bend [2]float64

// UnmarshalSettings implements settings.Unmarshaler.
func (b *Bend) UnmarshalSettings(n settings.Node) error {
	var pair []float64
	if err := n.Decode(&pair); err != nil {
		return err
	}
	if len(pair) != len(b) {
		return errors.New("want two numbers, as in [2.1, 0]")
	}
	*b = Bend(pair)
	return nil
}

// At returns the curve's value.
func (c Curve) At(x float64) float64 { return c.follow(x, 0, 1) }

// Back returns where the curve has a value.
func (c Curve) Back(y float64) float64 { return rounded(c.follow(y, 1, 0)) }

func (c Curve) follow(x float64, from, to int) float64 {
	rising := c[len(c)-1][from] > c[0][from]
	for i, p := range c {
		if p[from] == x {
			return p[to]
		}
		if p[from] > x != rising {
			continue
		}
		if i == 0 {
			return p[to]
		}
		before := c[i-1]
		return before[to] + (p[to]-before[to])*(x-before[from])/(p[from]-before[from])
	}
	return c[len(c)-1][to]
}
