package forward

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"hearth"
	"hearth/cloud/series"
)

// A text is lines of line protocol.
type text struct {
	bytes []byte
	ends  []int // of each line, behind its newline

	points int // that are in it
	texts  int // that were left out

	numbersOnly bool
	heads       map[head]string // measurement and tags, with home
}

// head is what a line begins with, before home is among its tags.
type head struct{ home, series string }

func (t *text) reset(numbersOnly bool) {
	t.bytes, t.ends, t.points, t.texts, t.numbersOnly = t.bytes[:0], t.ends[:0], 0, 0, numbersOnly
	if t.heads == nil || len(t.heads) > maxHeads {
		t.heads = map[head]string{}
	}
}

const maxHeads = 50_000

// add appends what a write brought: neighbours of the same series and time share a line.
func (t *text) add(w *series.Write) {
	points := w.Points
	for len(points) > 0 {
		n := 1
		for n < len(points) && points[n].Series == points[0].Series && points[n].Time == points[0].Time {
			n++
		}
		t.line(w.Home, points[:n])
		points = points[n:]
	}
	for _, g := range w.Gaps {
		t.gap(w.Home, g)
	}
}

// line appends one line, unless there is nothing in it that the target keeps.
func (t *text) line(home string, points []series.Point) {
	start := len(t.bytes)
	t.bytes = append(t.bytes, t.head(home, points[0].Series)...)
	fields := 0
	for i := range points {
		value, ok := t.value(&points[i])
		if !ok {
			t.texts++
			continue
		}
		separator := byte(',')
		if fields == 0 {
			separator = ' '
		}
		t.bytes = appendEscaped(append(t.bytes, separator), points[i].Field)
		t.bytes = appendValue(append(t.bytes, '='), value)
		fields++
	}
	if fields == 0 {
		t.bytes = t.bytes[:start]
		return
	}
	t.bytes = strconv.AppendInt(append(t.bytes, ' '), points[0].Time, 10)
	t.end(fields)
}

func (t *text) end(points int) {
	t.bytes = append(t.bytes, '\n')
	t.ends = append(t.ends, len(t.bytes))
	t.points += points
}

// value returns a point's value as the target keeps it: of texts, one that keeps numbers only gets no more than the mark
// of a repaired time, as 1.
func (t *text) value(p *series.Point) (hearth.Value, bool) {
	if p.Value.IsZero() {
		return p.Value, false
	}
	if p.Value.Kind() != hearth.Text || !t.numbersOnly {
		return p.Value, true
	}
	mark := p.Field == hearth.ClockField && strings.HasPrefix(p.Series, hearth.Measurement+",")
	return hearth.NumberOf(1), mark
}

// gap appends a gap record. Where there are numbers only, its reason is the place of the word among those there are.
func (t *text) gap(home string, g hearth.Gap) {
	t.bytes = append(append(t.bytes, t.head(home, hearth.GapMeasurement)...), " count="...)
	t.bytes = strconv.AppendInt(t.bytes, g.Count, 10)
	t.bytes = append(t.bytes, ",reason="...)
	if t.numbersOnly {
		t.bytes = strconv.AppendInt(t.bytes, int64(slices.Index(gapReasons(), g.Reason)), 10)
	} else {
		t.bytes = appendValue(t.bytes, hearth.TextOf(g.Reason))
	}
	t.bytes = strconv.AppendInt(append(t.bytes, ",to="...), g.To.UnixMilli(), 10)
	t.bytes = strconv.AppendInt(append(t.bytes, ' '), g.From.UnixNano(), 10)
	t.end(1)
}

// gapReasons gives each reason of a gap its number, the same as gateways that send to such a database themselves.
func gapReasons() []string {
	return []string{hearth.GapCap, hearth.GapRejected, hearth.GapDamaged, hearth.GapClock, hearth.GapLost}
}

// head returns what the lines of a series begin with: its key, with the tag home. One that it has of its own gives way.
func (t *text) head(home, of string) string {
	key := head{home, of}
	if known, ok := t.heads[key]; ok {
		return known
	}
	tags := splitTags(of)
	b := []byte(tags[0])
	for _, tag := range tags[1:] {
		if !strings.HasPrefix(tag, "home=") {
			b = append(append(b, ','), tag...)
		}
	}
	b = appendEscaped(append(b, ",home="...), home)
	t.heads[key] = string(b)
	return string(b)
}

// splitTags takes a series key apart at its commas: the measurement, and each tag as it is.
func splitTags(key string) []string {
	var parts []string
	for {
		i := 0
		for i < len(key) && key[i] != ',' {
			if key[i] == '\\' {
				i++
			}
			i++
		}
		if i >= len(key) {
			return append(parts, key)
		}
		parts, key = append(parts, key[:i]), key[i+1:]
	}
}

// appendEscaped appends a tag or the name of a field.
func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		if strings.IndexByte(",= ", s[i]) >= 0 {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return dst
}

func appendValue(dst []byte, v hearth.Value) []byte {
	switch v.Kind() {
	case hearth.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case hearth.Text:
		dst = append(dst, '"')
		for _, c := range []byte(v.Text()) {
			if c == '"' || c == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		}
		return append(dst, '"')
	}
	form := byte('f')
	if magnitude := math.Abs(v.Number()); magnitude >= 1e15 || magnitude < 1e-6 && magnitude > 0 {
		form = 'g'
	}
	return strconv.AppendFloat(dst, v.Number(), form, -1, 64)
}

// A span is some of a text's lines, from inclusive, to exclusive.
type span struct{ from, to int }

func (t *text) slice(s span) []byte {
	from := 0
	if s.from > 0 {
		from = t.ends[s.from-1]
	}
	return t.bytes[from:t.ends[s.to-1]]
}

// split cuts the text into pieces that may be sent, the first one last.
func (t *text) split(lines, bytes int) (todo []span) {
	for from := 0; from < len(t.ends); {
		to := from + 1
		for to < len(t.ends) && to-from < lines && len(t.slice(span{from, to + 1})) <= bytes {
			to++
		}
		todo = append(todo, span{from, to})
		from = to
	}
	slices.Reverse(todo)
	return todo
}

// clip shortens s to what SQL takes as a text.
func clip(s string, most int) string {
	s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}
