package ingest

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"hearth"
	"hearth/cloud/series"
)

// Limits on what is not Hearth's own.
const (
	maxSeries = 4096 // bytes of measurement and tags
	maxField  = 256  // bytes of a field's name
	maxReason = 64   // bytes of a gap's reason
	maxNamed  = 10   // bad lines that an answer names
)

// A parser turns line protocol into what the store takes. A line is stored whole or refused whole.
type parser struct {
	home      string
	precision string
	now       time.Time

	points    []series.Point
	gaps      []hearth.Gap
	readings  []hearth.Reading // the points that are Hearth's own
	marks     int              // points that mark a repaired time, and are no rows
	goodLines int
	badRows   uint64
	bad       []string // what the first bad lines were, for the answer

	names  map[string]string // field names, so that each is kept once
	key    []byte            // scratch: the series of this line
	series string            // of the line before, which is often the same
	device hearth.ID         // of that series, if it is a device's
	valid  error             // what is wrong with that series
	line   int
}

// parse reads body. flush, if any, is called whenever there is much to store, and at the end; a refusal by it
// stops the parser. One of its own means that nothing was read.
func (p *parser) parse(body []byte, flush func() *refusal) *refusal {
	p.names = map[string]string{}
	if values := min(bytes.Count(body, []byte{'='}), chunk); values > 0 {
		p.points = make([]series.Point, 0, values) // tags are counted as well, so it is somewhat too much
	}
	lines := lineReader{rest: body}
	var failed *refusal
	err := hearth.DecodeLines(body, p.precision, p.now, func(l *hearth.Line) {
		p.line++
		if failed != nil {
			return
		}
		if err := p.add(l); err != nil {
			p.refuse(uint64(max(rows(l), 1)), func() string { return fmt.Sprintf("unable to parse '%s': %v", clip(string(p.key)), err) })
		} else {
			p.goodLines++
		}
		if flush != nil && len(p.points) >= chunk {
			failed = flush()
		}
	}, func(number int, err error) {
		p.line++
		raw := lines.at(number)
		p.refuse(rowsOf(raw), func() string {
			return fmt.Sprintf("unable to parse '%s': line %d: %v", clip(string(bytes.ToValidUTF8(raw, []byte("?")))), number, err)
		})
	})
	switch {
	case err != nil: // the precision: nothing was read
		return refuse(http.StatusBadRequest, "invalid", "%v", err)
	case failed != nil:
		return failed
	case flush != nil:
		return flush()
	}
	return nil
}

func (p *parser) refuse(rows uint64, why func() string) {
	p.badRows += rows
	if len(p.bad) < maxNamed {
		p.bad = append(p.bad, why())
	}
}

// name adds what the store refused, which is not named once for each piece of a large body.
func (p *parser) name(why string) {
	if len(p.bad) <= maxNamed {
		p.bad = append(p.bad, why)
	}
}

// rows is how many of the points are rows.
func (p *parser) rows() uint64 { return uint64(len(p.points) - p.marks) }

// rows counts what a line holds; the mark of a repaired time is no row.
func rows(l *hearth.Line) int {
	n := 0
	for _, f := range l.Fields {
		if !isMark(l, f) {
			n++
		}
	}
	return n
}

func isMark(l *hearth.Line, f hearth.Field) bool {
	return string(f.Key) == hearth.ClockField && string(l.Measurement) == hearth.Measurement
}

func (p *parser) add(l *hearth.Line) error {
	if gap, ok := l.Gap(); ok {
		if err := checkGap(gap); err != nil {
			p.key = append(p.key[:0], hearth.GapMeasurement...)
			return err
		}
		p.gaps = append(p.gaps, gap)
		return nil
	}
	if err := p.seriesOf(l); err != nil {
		return err
	}
	for _, f := range l.Fields {
		if err := p.checkField(f); err != nil && !isMark(l, f) {
			return err
		}
	}
	for _, f := range l.Fields {
		if isMark(l, f) {
			if f.Value.Text() == hearth.ClockRepaired {
				p.points = append(p.points, series.Point{Series: p.series, Field: hearth.ClockField, Time: l.Time, Value: f.Value})
				p.marks++
			}
			continue
		}
		name := p.names[string(f.Key)]
		p.points = append(p.points, series.Point{Series: p.series, Field: name, Time: l.Time, Value: f.Value})
		if p.device != "" {
			if p.readings == nil {
				p.readings = make([]hearth.Reading, 0, cap(p.points))
			}
			p.readings = append(p.readings, hearth.Reading{Device: p.device, Property: name, Value: f.Value, Time: time.Unix(0, l.Time).UTC()})
		}
	}
	return nil
}

func checkGap(g hearth.Gap) error {
	switch {
	case g.Count < 0:
		return fmt.Errorf("a gap of %d rows", g.Count)
	case g.To.Before(g.From.Time):
		return fmt.Errorf("a gap that ends before it begins")
	case g.Reason == "" || len(g.Reason) > maxReason:
		return fmt.Errorf("a gap has a reason of at most %d bytes", maxReason)
	}
	return nil
}

// seriesOf sets p.series to the line's canonical key: measurement and tags, sorted and escaped as line protocol does.
func (p *parser) seriesOf(l *hearth.Line) error {
	own := string(l.Measurement) == hearth.Measurement
	if !slices.IsSortedFunc(l.Tags, byKey) {
		slices.SortFunc(l.Tags, byKey)
	}
	p.key = appendEscaped(p.key[:0], l.Measurement, ", ")
	for _, tag := range l.Tags {
		if own && string(tag.Key) == "home" {
			continue // added for databases that hold several homes; here the token says which
		}
		p.key = append(p.key, ',')
		p.key = appendEscaped(p.key, tag.Key, ",= ")
		p.key = append(p.key, '=')
		p.key = appendEscaped(p.key, tag.Value, ",= ")
	}
	if string(p.key) == p.series {
		return p.valid
	}
	p.series, p.device, p.valid = string(p.key), "", nil
	switch {
	case len(p.key) > maxSeries:
		p.valid = fmt.Errorf("measurement and tags are longer than %d bytes", maxSeries)
	case !utf8.Valid(p.key):
		p.valid = fmt.Errorf("measurement and tags are not UTF-8")
	case twice(l.Tags):
		p.valid = fmt.Errorf("the same tag twice")
	case own:
		p.device = hearth.ID(l.Tag("device"))
		p.valid = p.device.Check()
	}
	return p.valid
}

func byKey(a, b hearth.Tag) int { return bytes.Compare(a.Key, b.Key) }

func twice(tags []hearth.Tag) bool {
	for i := 1; i < len(tags); i++ {
		if bytes.Equal(tags[i-1].Key, tags[i].Key) {
			return true
		}
	}
	return false
}

func appendEscaped(dst, src []byte, special string) []byte {
	for _, c := range src {
		if strings.IndexByte(special, c) >= 0 {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return dst
}

func (p *parser) checkField(f hearth.Field) error {
	name, seen := p.names[string(f.Key)]
	if !seen {
		name = string(f.Key)
	}
	switch {
	case p.device != "":
		if err := (hearth.Property{Name: name, Kind: f.Value.Kind()}).Check(); err != nil {
			return err
		}
	case len(name) > maxField || name == "" || !utf8.ValidString(name):
		return fmt.Errorf("a field's name is 1 to %d bytes of UTF-8", maxField)
	}
	if len(f.Value.Text()) > hearth.MaxText {
		return fmt.Errorf("field %s has %d bytes of text, more than %d", clip(name), len(f.Value.Text()), hearth.MaxText)
	}
	p.names[name] = name
	return nil
}

// A lineReader finds lines by their number. It goes forward only: a large body of bad lines is read once, not once for
// each of them.
type lineReader struct {
	rest    []byte // after the line that was found last
	number  int    // of that line, from 1
	current []byte
}

// at returns the line of that number, which is not less than the one before.
func (l *lineReader) at(number int) []byte {
	for l.number < number {
		l.current, l.rest, _ = bytes.Cut(l.rest, []byte("\n"))
		l.number++
	}
	return bytes.TrimSuffix(l.current, []byte("\r"))
}

// rowsOf guesses how many rows a line holds that cannot be read: its fields, at least one. The account of a gateway is
// in rows, and what it sends can nearly always be taken apart this far.
func rowsOf(raw []byte) uint64 {
	n, quoted, inFields := uint64(0), false, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\':
			i++
		case c == '"' && inFields:
			quoted = !quoted
		case c == ' ' && !quoted && inFields:
			return max(n, 1)
		case c == ' ' && !quoted:
			inFields = true
		case c == '=' && !quoted && inFields && !bytes.HasSuffix(raw[:i], []byte(hearth.ClockField)):
			n++
		}
	}
	return max(n, 1)
}
