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
	maxNames  = 1000 // field names that are remembered from one body to the next
	maxOdd    = 256  // lines of a body that the general decoder is given one by one

	timeColumn = "time" // what queries call the time: no tag or field can have that name
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

	unit   time.Duration    // of the times
	lines  int              // that were taken
	names  map[string]*name // of fields, each kept once
	heads  []*head          // of plain lines, in the order in which they first came
	byRaw  map[string]int   // places in heads
	next   int              // where in heads the next line's is expected
	tags   []hearth.Tag     // scratch
	key    []byte           // scratch: the series of this line
	series string           // of the line before, which is often the same
	device hearth.ID        // of that series, if it is a device's
	valid  error            // what is wrong with that series
}

// reset makes p ready for another body, with nothing left of the one before but room.
func (p *parser) reset(home, precision string, now time.Time) {
	if len(p.names) > maxNames {
		clear(p.names)
	}
	p.taken()
	clear(p.heads)
	clear(p.byRaw)
	*p = parser{
		home: home, precision: precision, now: now, points: p.points, readings: p.readings, gaps: p.gaps,
		names: p.names, heads: p.heads[:0], byRaw: p.byRaw, tags: p.tags[:0], key: p.key[:0],
	}
}

// taken forgets what was read so far, but not what was counted.
func (p *parser) taken() {
	clear(p.points)
	clear(p.readings)
	clear(p.gaps)
	p.points, p.readings, p.gaps, p.marks = p.points[:0], p.readings[:0], p.gaps[:0], 0
}

// parse reads body. flush, if any, is called whenever there is much to store, and at the end; a refusal by it
// stops the parser. One of its own means that nothing was read.
func (p *parser) parse(body []byte, flush func() *refusal) *refusal {
	var err error
	if p.unit, err = hearth.Precision(p.precision); err != nil {
		return refuse(http.StatusBadRequest, "invalid", "%v", err)
	}
	if p.names == nil {
		p.names, p.byRaw = map[string]*name{}, map[string]int{}
	}
	for odd := 0; len(body) > 0; {
		n := p.plain(body)
		if n == 0 {
			odd++
			n = oddLength(body, odd)
			if refused := p.general(body[:n], flush); refused != nil {
				return refused
			}
		} else {
			p.lines++
		}
		body = body[n:]
		if flush != nil && len(p.points) >= chunk {
			if refused := flush(); refused != nil {
				return refused
			}
		}
	}
	if flush != nil {
		return flush()
	}
	return nil
}

// oddLength is how much the general decoder is given of a body that begins with a line that is not plain: the line,
// where it is certain that it ends with this line of text, or all the rest.
func oddLength(body []byte, odd int) int {
	end := bytes.IndexByte(body, '\n') + 1
	if odd > maxOdd || end == 0 || bytes.IndexByte(body[:end], '"') >= 0 {
		return len(body)
	}
	return end
}

// general reads lines of any form.
func (p *parser) general(body []byte, flush func() *refusal) (failed *refusal) {
	lines := lineReader{rest: body}
	before := p.lines
	p.lines += bytes.Count(body, []byte{'\n'})
	_ = hearth.DecodeLines(body, p.precision, p.now, func(l *hearth.Line) { // the precision is known to be right
		if failed != nil {
			return
		}
		if err := p.add(l); err != nil {
			p.refuse(uint64(max(rows(l), 1)), func() string { return fmt.Sprintf("unable to parse '%s': %v", clip(string(p.key)), err) })
		}
		if flush != nil && len(p.points) >= chunk {
			failed = flush()
		}
	}, func(number int, err error) {
		raw := lines.at(number)
		p.refuse(rowsOf(raw), func() string {
			return fmt.Sprintf("unable to parse '%s': line %d: %v", clip(string(bytes.ToValidUTF8(raw, []byte("?")))), before+number, err)
		})
	})
	return failed
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
		p.goodLines++
		return nil
	}
	if err := p.seriesOf(l); err != nil {
		return err
	}
	if p.device == "" {
		if err := fitForeign(l); err != nil {
			return err
		}
	}
	for _, f := range l.Fields {
		if err := p.checkField(f); err != nil && !isMark(l, f) {
			return err
		}
	}
	first := len(p.points)
	for _, f := range l.Fields {
		p.point(p.series, p.device, p.nameOf(f.Key).text, f.Value)
	}
	p.finish(first, p.device, l.Time)
	return nil
}

// fitForeign leaves out of a line of another measurement what InfluxDB leaves out, too, a field that is called time, and
// cuts texts that are too long: Home Assistant writes whatever attributes a state has, and the state must not be lost
// for them.
func fitForeign(l *hearth.Line) error {
	l.Fields = slices.DeleteFunc(l.Fields, func(f hearth.Field) bool { return string(f.Key) == timeColumn })
	if len(l.Fields) == 0 {
		return fmt.Errorf("a field called %s, which is the name of the time", timeColumn)
	}
	for i, f := range l.Fields {
		if text := f.Value.Text(); len(text) > hearth.MaxText {
			l.Fields[i].Value = hearth.TextOf(strings.ToValidUTF8(text[:hearth.MaxText-len("…")], "") + "…")
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
	case l.Tag(timeColumn) != nil:
		p.valid = fmt.Errorf("a tag called %s, which is the name of the time", timeColumn)
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
	n := p.nameOf(f.Key)
	switch {
	case p.device != "" && n.property != nil:
		return n.property
	case p.device == "" && n.foreign != nil:
		return n.foreign
	case len(f.Value.Text()) > hearth.MaxText:
		return fmt.Errorf("field %s has %d bytes of text, more than %d", clip(n.text), len(f.Value.Text()), hearth.MaxText)
	}
	return nil
}

// nameOf returns what is known of a field's name.
func (p *parser) nameOf(key []byte) *name {
	if n := p.names[string(key)]; n != nil {
		return n
	}
	if len(p.names) >= 10*maxNames {
		clear(p.names)
	}
	n := &name{text: string(key)}
	n.property = hearth.Property{Name: n.text, Kind: hearth.Bool}.Check()
	if string(key) == timeColumn {
		n.foreign = fmt.Errorf("a field called %s", timeColumn)
	}
	if len(key) > maxField || len(key) == 0 || !utf8.Valid(key) {
		n.foreign = fmt.Errorf("a field's name is 1 to %d bytes of UTF-8", maxField)
	}
	p.names[n.text] = n
	return n
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
