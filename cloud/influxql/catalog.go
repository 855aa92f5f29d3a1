package influxql

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/influxdata/influxql"

	"hearth/cloud/series"
)

// A catalog is what a home has: its series by measurement.
type catalog struct {
	home   string
	names  []string // of the measurements, sorted
	byName map[string]*measurement
}

type measurement struct {
	name   string
	series []*tagged // by key
	fields map[string]influxql.DataType
	tags   map[string]bool
}

// tagged is one set of tags of a measurement: a series in InfluxDB's words.
type tagged struct {
	key    string
	tags   []tag // by key
	fields map[string]lastPoint
}

type tag struct{ key, value string }

// lastPoint is when a field was last written.
type lastPoint struct {
	t   int64
	typ influxql.DataType
}

// catalog returns the home's catalog, as of the first time that this request asked.
func (r *run) catalog(home string) (*catalog, error) {
	if c := r.catalogs[home]; c != nil {
		return c, nil
	}
	points, err := r.server.o.Source.Last(home)
	if err != nil {
		return nil, fmt.Errorf("listing the series: %w", err)
	}
	c := newCatalog(home, points)
	r.catalogs[home] = c
	return c, nil
}

func newCatalog(home string, points []series.Point) *catalog {
	c := &catalog{home: home, byName: map[string]*measurement{}}
	known := map[string]*tagged{}
	of := map[string]*measurement{}
	for _, p := range points {
		s := known[p.Series]
		if s == nil {
			name, tags := parseKey(p.Series)
			s = &tagged{key: p.Series, tags: tags, fields: map[string]lastPoint{}}
			known[p.Series] = s
			of[p.Series] = c.add(name, s)
		}
		typ := typeOf(p.Value.Kind())
		s.fields[p.Field] = lastPoint{t: p.Time, typ: typ}
		if m := of[p.Series]; m.fields[p.Field].LessThan(typ) {
			m.fields[p.Field] = typ
		}
	}
	for name, m := range c.byName {
		c.names = append(c.names, name)
		slices.SortFunc(m.series, func(a, b *tagged) int { return cmp.Compare(a.key, b.key) })
	}
	slices.Sort(c.names)
	return c
}

func (c *catalog) add(name string, s *tagged) *measurement {
	m := c.byName[name]
	if m == nil {
		m = &measurement{name: name, fields: map[string]influxql.DataType{}, tags: map[string]bool{}}
		c.byName[name] = m
	}
	m.series = append(m.series, s)
	for _, t := range s.tags {
		m.tags[t.key] = true
	}
	return m
}

// match returns the measurements that a source names, by name.
func (c *catalog) match(source *influxql.Measurement) []*measurement {
	if source.Regex == nil {
		if m := c.byName[source.Name]; m != nil {
			return []*measurement{m}
		}
		return nil
	}
	var found []*measurement
	for _, name := range c.names {
		if source.Regex.Val.MatchString(name) {
			found = append(found, c.byName[name])
		}
	}
	return found
}

// value returns the value of a tag, "" where the series has none.
func valueOf(tags []tag, key string) string {
	for _, t := range tags {
		if t.key == key {
			return t.value
		}
	}
	return ""
}

// subset returns those tags, empty ones for what is missing.
func subset(tags []tag, keys []string) []tag {
	out := make([]tag, len(keys))
	for i, key := range keys {
		out[i] = tag{key, valueOf(tags, key)}
	}
	return out
}

// compareTags orders tags of the same keys by their values.
func compareTags(a, b []tag) int {
	return slices.CompareFunc(a, b, func(x, y tag) int { return cmp.Compare(x.value, y.value) })
}

// parseKey takes a canonical series key apart: measurement,key=value,… with backslashes before what separates.
func parseKey(key string) (name string, tags []tag) {
	name, rest := cutEscaped(key, ',', ", ")
	for rest != "" {
		var pair string
		k, value := cutEscaped(rest, '=', ",= ")
		pair, rest = cutEscaped(value, ',', ",= ")
		tags = append(tags, tag{k, pair})
	}
	return name, tags
}

// cutEscaped returns what is before the first bare sep, unescaped, and what is behind it.
func cutEscaped(s string, sep byte, special string) (before, rest string) {
	plain := strings.IndexByte(s, '\\') < 0
	if plain {
		before, rest, _ = strings.Cut(s, string(sep))
		return before, rest
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte(special, s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		case s[i] == sep:
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}
