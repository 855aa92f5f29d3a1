package quirks

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hearth"
	"hearth/drivers/zigbee/zcl"
	"hearth/settings"
)

// complaints collects what is wrong, each with its place.
type complaints []error

func (c *complaints) say(place, format string, args ...any) {
	*c = append(*c, settings.At(place, format, args...))
}

func (c complaints) err() error { return errors.Join(c...) }

// goodName reports whether name can be a property's, or a part of one.
func goodName(name string) bool {
	return hearth.Property{Name: name, Kind: hearth.Number}.Check() == nil
}

const wantName = "want [a-z][a-z0-9_]*, at most 64 bytes, not %q"

// Check says what is wrong with the definition as a whole.
func (d *Definition) Check() error {
	var wrong complaints
	if len(d.Match) == 0 {
		wrong.say("match", "is missing: say the vendor and the model that the device calls itself by")
	}
	for i, m := range d.Match {
		if len(m.Vendor) == 0 && len(m.Model) == 0 {
			wrong.say(fmt.Sprintf("match[%d]", i), "want a vendor, a model, or both")
		}
	}
	if d.Like == nil && (d.Vendor == "" || d.Model == "") {
		wrong.say("vendor", "want vendor and model as they stand on the box, for people to see")
	}
	if d.Type != "" && !slices.Contains(hearth.Types, d.Type) {
		wrong.say("type", "want one of %v, not %q", hearth.Types, d.Type)
	}
	if d.Power != "" && d.Power != "mains" && d.Power != "battery" {
		wrong.say("power", "want mains or battery, not %q", d.Power)
	}
	for name, endpoint := range d.Endpoints {
		if !goodName("on_" + name) {
			wrong.say("endpoints."+name, wantName, name)
		}
		if endpoint == 0 || endpoint > 240 {
			wrong.say("endpoints."+name, "want an endpoint, 1 to 240")
		}
	}
	for name, change := range d.Properties {
		if change.Rename != "" && !goodName(change.Rename) {
			wrong.say("properties."+name+".rename", wantName, change.Rename)
		}
		if err := change.Curve.check(); err != nil {
			wrong.say("properties."+name+".curve", "%v", err)
		}
	}
	d.checkNames(&wrong)
	d.agree()
	return wrong.err()
}

// checkNames says whether two things that report would be one property. Parts of one data point, and commands, may be.
func (d *Definition) checkNames(wrong *complaints) {
	seen := map[string]bool{}
	for i, a := range d.Attributes {
		if seen[a.Property] && !a.Shape().Momentary {
			wrong.say(fmt.Sprintf("attributes[%d].property", i), "%s is there twice", a.Property)
		}
		seen[a.Property] = true
	}
	for i, a := range d.Actions {
		if seen[a.Property] {
			wrong.say(fmt.Sprintf("actions[%d].property", i), "%s is there twice", a.Property)
		}
	}
}

// Check says what is wrong with the meaning, and works out what it announces.
func (m *Meaning) Check() error {
	var wrong complaints
	word, known := hearth.Word(m.Property)
	switch {
	case m.Property == "":
		wrong.say("property", "is missing: which property is this?")
	case m.Property == "reachable":
		wrong.say("property", "reachable is told by itself")
	case !goodName(m.Property):
		wrong.say("property", wantName, m.Property)
	case known && m.Unit != "" && m.Unit != word.Unit:
		wrong.say("unit", "%s is in %q everywhere: use scale and offset to convert to it", m.Property, word.Unit)
	case known && m.Kind != "" && m.Kind != word.Kind:
		wrong.say("kind", "%s is a %s everywhere", m.Property, word.Kind)
	}
	if m.Kind != "" && m.Kind != hearth.Bool && m.Kind != hearth.Number && m.Kind != hearth.Text {
		wrong.say("kind", "want bool, number or text, not %q", m.Kind)
	}
	if m.Min != nil && m.Max != nil && *m.Min > *m.Max {
		wrong.say("min", "is more than max")
	}
	if err := m.Curve.check(); err != nil {
		wrong.say("curve", "%v", err)
	}
	m.prepare()
	if kind := m.shape.Kind; kind != hearth.Text && len(m.Values) > 0 {
		wrong.say("values", "%s is a %s: only a text has values", m.Property, kind)
	} else if kind != hearth.Bool && len(m.TrueFor) > 0 {
		wrong.say("true_for", "%s is a %s: only a bool has that", m.Property, kind)
	} else if known && kind == hearth.Text && len(word.Options) > 0 {
		m.checkOptions(word, &wrong)
	}
	return wrong.err()
}

// checkKind is for when the kind is settled.
func (m *Meaning) checkKind(wrong *complaints) {
	if m.shape.Kind == hearth.Bool && (m.Scale != 0 || m.Offset != 0 || m.Min != nil || m.Max != nil || m.Unit != "" || len(m.Curve) > 0) {
		wrong.say("property", "%s is a bool, as all names are that begin like that: it has no unit, range or scale", m.Property)
	}
	if m.Invert && m.shape.Kind == hearth.Number && (m.shape.Min == nil || m.shape.Max == nil) {
		wrong.say("invert", "a number can be inverted only within a range: say min and max")
	}
}

// Check says what is wrong with the tag.
func (t *Tag) Check() error {
	var wrong complaints
	t.checkKind(&wrong)
	return wrong.err()
}

// checkOptions keeps the words of modes, locks and movements what they are in the whole house; a button may have more.
func (m *Meaning) checkOptions(word hearth.Property, wrong *complaints) {
	if word.Momentary {
		return
	}
	for n, text := range m.Values {
		if !slices.Contains(word.Options, text) {
			wrong.say(fmt.Sprintf("values.%d", n), "%s takes one of %s, not %q", m.Property, strings.Join(word.Options, ", "), text)
		}
	}
}

func (c Curve) check() error {
	if len(c) == 0 {
		return nil
	}
	if len(c) == 1 {
		return errors.New("want at least two points, as in [[2.1, 0], [3.0, 100]]")
	}
	for i := 1; i < len(c); i++ {
		if c[i][0] <= c[i-1][0] {
			return errors.New("want the first numbers of the points to rise")
		}
	}
	return nil
}

// Check says what is wrong with the attribute.
func (a *Attribute) Check() (err error) {
	var wrong complaints
	if a.ID, err = attributeNamed(a.Cluster, a.Name); err != nil {
		wrong.say("attribute", "%v", err)
	}
	a.Format = a.Format.or(a.Cluster, a.ID, a.Manufacturer)
	switch zcl.DataType(a.Format) {
	case zcl.Bool:
		a.mean(hearth.Bool)
	case zcl.CharString:
		a.mean(hearth.Text)
	}
	a.checkKind(&wrong)
	if a.Format == 0 && (a.Writable || a.Report != nil) {
		wrong.say("type", "is missing: which data type does the attribute have?")
	}
	return wrong.err()
}

// Check says what is wrong with the command.
func (c *Command) Check() (err error) {
	var wrong complaints
	if c.ID, err = commandNamed(c.Cluster, c.FromServer, c.Name); err != nil {
		wrong.say("command", "%v", err)
	}
	if c.Writable {
		wrong.say("writable", "a command from the device cannot be set; see actions")
	}
	if c.Value != "" && len(c.Values) > 0 {
		wrong.say("value", "want value or values, not both")
	}
	if c.Value == "" && len(c.Values) == 0 && c.Shape().Kind == hearth.Text {
		wrong.say("value", "is missing: which text does the command stand for?")
	}
	if c.Value != "" {
		c.checkValue(&wrong)
	}
	c.checkKind(&wrong)
	c.Slice.check(&wrong)
	if c.Length == 0 {
		c.Length = 1
	}
	return wrong.err()
}

func (c *Command) checkValue(wrong *complaints) {
	word, known := hearth.Word(c.Property)
	if !known && c.Kind == "" {
		c.mean(hearth.Text)
	}
	if known && !word.Momentary && !slices.Contains(word.Options, c.Value) && word.Kind == hearth.Text {
		wrong.say("value", "%s takes one of %s", c.Property, strings.Join(word.Options, ", "))
	}
	if v, err := c.constant(); err != nil {
		wrong.say("value", "%v", err)
	} else if c.says = v; v.Kind() == hearth.Text {
		c.shape.Options = []string{c.Value}
	}
}

// constant is what the command says whatever its payload.
func (c *Command) constant() (hearth.Value, error) {
	switch c.Shape().Kind {
	case hearth.Bool:
		is, err := strconv.ParseBool(c.Value)
		if err != nil {
			return hearth.Value{}, fmt.Errorf("want \"true\" or \"false\", not %q", c.Value)
		}
		return hearth.BoolOf(is), nil
	case hearth.Number:
		n, err := strconv.ParseFloat(c.Value, 64)
		if err != nil {
			return hearth.Value{}, fmt.Errorf("want a number, not %q", c.Value)
		}
		return hearth.NumberOf(n), nil
	}
	return hearth.TextOf(c.Value), nil
}

// Check says what is wrong with the action.
func (a *Action) Check() (err error) {
	var wrong complaints
	if !goodName(a.Property) {
		wrong.say("property", wantName, a.Property)
	}
	if a.ID, err = commandNamed(a.Cluster, false, a.Name); err != nil {
		wrong.say("command", "%v", err)
	}
	if len(a.Options) > 0 && len(a.Payload) > 0 {
		wrong.say("payload", "want payload or options, not both")
	}
	if word, known := hearth.Word(a.Property); known && (word.Kind == hearth.Text) != (len(a.Options) > 0) {
		wrong.say("options", "%s is a %s: a text needs options, and nothing else has them", a.Property, word.Kind)
	}
	return wrong.err()
}

// Check says what is wrong with the zone.
func (z *Zone) Check() error {
	var wrong complaints
	for place, name := range map[string]string{"property": z.Property, "alarm_2": z.Alarm2} {
		if name == "" {
			continue
		}
		if word, known := hearth.Word(name); !goodName(name) {
			wrong.say(place, wantName, name)
		} else if known && word.Kind != hearth.Bool {
			wrong.say(place, "%s is a %s, and an alarm is a bool", name, word.Kind)
		}
	}
	return wrong.err()
}

// Check says what is wrong with the data points as a whole.
func (t *Tuya) Check() error {
	var wrong complaints
	if !slices.Contains([]Clock{ClockUnix, Clock2000, ClockLocal, ClockNone}, t.Time) {
		wrong.say("time", "want \"2000\", local or none, not %q", t.Time)
	}
	if t.Endpoint == 0 {
		t.Endpoint = 1
	}
	if t.Every != 0 && t.Every < minPoll {
		wrong.say("query_every", "want at least %v", minPoll)
	}
	for i, p := range t.Points {
		if p.DP == 0 {
			wrong.say(fmt.Sprintf("points[%d].dp", i), "is missing: which data point, 1 to 255?")
		}
	}
	return wrong.err()
}

// Check says what is wrong with the data point.
func (d *DataPoint) Check() error {
	var wrong complaints
	switch d.Type {
	case PointString:
		d.mean(hearth.Text)
	case PointBool:
		d.mean(hearth.Bool)
	}
	d.checkKind(&wrong)
	d.Slice.check(&wrong)
	if (d.Writable || d.WriteDP != 0 || d.Shape().Writable) && (d.Type == PointRaw || d.Slice != Slice{}) {
		wrong.say("type", "what is written needs its type, bool, value, enum, bitmap or string, and no slice")
	}
	if d.Shape().Kind == hearth.Text && len(d.Values) == 0 && d.Type != PointString {
		wrong.say("values", "is missing: which text does which number stand for?")
	}
	return wrong.err()
}

func (s Slice) check(wrong *complaints) {
	if s.At < 0 || s.At > 255 {
		wrong.say("at", "want the place of the first byte, from 0")
	}
	if s.Length < 0 || s.Length > 8 {
		wrong.say("length", "want 1 to 8 bytes")
	}
}

// Check says what is wrong with the report.
func (r *Report) Check() (err error) {
	var wrong complaints
	if r.ID, err = attributeNamed(r.Cluster, r.Name); err != nil {
		wrong.say("attribute", "%v", err)
	}
	if r.Format = r.Format.or(r.Cluster, r.ID, r.Manufacturer); r.Format == 0 && !r.Never {
		wrong.say("type", "is missing: which data type does the attribute have?")
	}
	return wrong.err()
}

// Check says what is wrong with the pace.
func (p *Pace) Check() error {
	if p.Max != 0 && p.Max != 0xffff && p.Min > p.Max {
		return settings.At("min", "is more than max")
	}
	return nil
}

// Check says what is wrong with the poll.
func (p *Poll) Check() error {
	var wrong complaints
	if p.Every < minPoll {
		wrong.say("every", "want at least %v", minPoll)
	}
	p.IDs = p.Names.attributes(p.Cluster, "attributes", &wrong)
	if len(p.IDs) == 0 {
		wrong.say("attributes", "there are none")
	}
	return wrong.err()
}

func (t Texts) attributes(cluster Cluster, place string, wrong *complaints) []uint16 {
	var ids []uint16
	for i, name := range t {
		id, err := attributeNamed(cluster, name)
		if err != nil {
			wrong.say(fmt.Sprintf("%s[%d]", place, i), "%v", err)
		}
		ids = append(ids, id)
	}
	return ids
}

// Check says what is wrong with the fact.
func (f *Fact) Check() (err error) {
	if f.Attribute, err = attributeNamed(f.Cluster, f.Name); err != nil {
		return settings.At("attribute", "%v", err)
	}
	return nil
}
