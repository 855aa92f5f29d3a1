package ingest

import (
	"bytes"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"hearth"
	"hearth/cloud/series"
)

// A plain line has nothing in it that must be unescaped and nothing that is wrong. Nearly all lines are, and those of
// one sender repeat but for values and times. So they are read here, for a fraction of what the general decoder takes;
// whatever is not quite plain is that one's. FuzzPlain holds the two to the same answers.

const (
	maxHead   = 1024 // bytes of a plain line's measurement and tags
	maxPlain  = 1000 // its fields
	maxHeads  = 2000 // heads that are remembered
	maxDigits = 15   // of a float that is put together here: they and the power of ten are exact as float64
	maxTime   = 19   // digits of a time
)

// A head is a line's measurement and tags as they came, and what they mean.
type head struct {
	raw    string
	series string
	device hearth.ID // of measurement hearth, else ""
	fields []*name   // of the last line with this head, in their order
}

// A name is a field's.
type name struct {
	text     string
	property error // why it is no property's
	foreign  error // why it is no field's of another measurement
}

// plain takes the line that text begins with and returns its length; 0, with nothing taken, if it is not plain.
func (p *parser) plain(text []byte) int {
	at := bytes.IndexByte(text[:min(len(text), maxHead+1)], ' ')
	if at <= 0 {
		return 0
	}
	h := p.head(text[:at])
	if h == nil {
		return 0
	}
	at++
	first, marks := len(p.points), p.marks
	for n := 0; n < maxPlain; n++ {
		field := p.field(h, n, text[at:])
		if field == nil {
			break
		}
		at += len(field.text) + len("=")
		value, length := plainValue(text[at:])
		if length == 0 {
			break
		}
		at += length
		p.point(h.series, h.device, field.text, value)
		if at < len(text) && text[at] == ',' {
			at++
			continue
		}
		t, length := p.plainTime(text[at:])
		if length < 0 {
			break
		}
		p.finish(first, h.device, t)
		return at + length
	}
	p.points, p.marks = p.points[:first], marks
	return 0
}

// head finds what a line begins with among the heads there were, first where the line before leads one to expect it;
// nil if it is not plain.
func (p *parser) head(raw []byte) *head {
	if p.next == len(p.heads) {
		p.next = 0
	}
	at := p.next
	if at >= len(p.heads) || p.heads[at].raw != string(raw) {
		var known bool
		if at, known = p.byRaw[string(raw)]; !known {
			return p.newHead(raw)
		}
	}
	p.next = at + 1
	return p.heads[at]
}

func (p *parser) newHead(raw []byte) *head {
	l := hearth.Line{Tags: p.tags[:0]}
	for _, c := range raw {
		if c < ' ' || c == '\\' || c == 0x7f {
			return nil
		}
	}
	rest, more := []byte(nil), false
	if l.Measurement, rest, more = bytes.Cut(raw, []byte(",")); len(l.Measurement) == 0 || raw[0] == '#' || string(l.Measurement) == hearth.GapMeasurement {
		return nil
	}
	for more {
		var tag []byte
		tag, rest, more = bytes.Cut(rest, []byte(","))
		key, value, _ := bytes.Cut(tag, []byte("="))
		if len(key) == 0 || len(value) == 0 || bytes.IndexByte(value, '=') >= 0 {
			return nil
		}
		l.Tags = append(l.Tags, hearth.Tag{Key: key, Value: value})
	}
	p.tags = l.Tags
	if p.seriesOf(&l) != nil {
		return nil
	}
	if len(p.heads) == maxHeads {
		p.heads = p.heads[:0]
		clear(p.byRaw)
	}
	h := &head{raw: string(raw), series: p.series, device: p.device}
	p.byRaw[h.raw] = len(p.heads)
	p.heads = append(p.heads, h)
	p.next = len(p.heads)
	return h
}

// field returns the name that text begins with, with an = behind it: the n-th of a line with this head. Nil if it is not
// plain or not allowed there.
func (p *parser) field(h *head, n int, text []byte) *name {
	if n < len(h.fields) {
		if f := h.fields[n]; len(text) > len(f.text) && text[len(f.text)] == '=' && string(text[:len(f.text)]) == f.text {
			return f
		}
		h.fields = h.fields[:n]
	}
	end := bytes.IndexByte(text[:min(len(text), maxField+1)], '=')
	if end <= 0 {
		return nil
	}
	for _, c := range text[:end] {
		if c <= ' ' || c == ',' || c == '\\' || c == 0x7f {
			return nil
		}
	}
	f := p.nameOf(text[:end])
	if h.device == "" && f.foreign != nil || h.device != "" && f.property != nil && f.text != hearth.ClockField {
		return nil
	}
	h.fields = append(h.fields, f)
	return f
}

// plainValue reads the value that text begins with; length 0 if it is not plain.
func plainValue(text []byte) (v hearth.Value, length int) {
	if len(text) == 0 {
		return v, 0
	}
	switch c := text[0]; {
	case c == '"':
		return plainText(text[1:])
	case c == '-' || c == '.' || '0' <= c && c <= '9':
		return plainNumber(text)
	}
	end := tokenEnd(text)
	switch string(text[:end]) {
	case "true", "t", "T", "True", "TRUE":
		return hearth.BoolOf(true), end
	case "false", "f", "F", "False", "FALSE":
		return hearth.BoolOf(false), end
	}
	return v, 0
}

// plainText reads what follows an opening quote.
func plainText(text []byte) (v hearth.Value, length int) {
	text = text[:min(len(text), hearth.MaxText+1)]
	end := bytes.IndexByte(text, '"')
	if end < 0 || bytes.IndexByte(text[:end], '\\') >= 0 || bytes.IndexByte(text[:end], '\n') >= 0 || !utf8.Valid(text[:end]) {
		return v, 0
	}
	return hearth.TextOf(string(text[:end])), end + 2
}

func tokenEnd(text []byte) int {
	for i, c := range text {
		if c == ',' || c == ' ' || c == '\n' || c == '\r' {
			return i
		}
	}
	return len(text)
}

// plainNumber reads a number: with i or u behind it a whole one. What has many digits or an exponent is left to strconv.
func plainNumber(text []byte) (v hearth.Value, length int) {
	var mantissa uint64
	at, digits, behind := 0, 0, -1 // behind: where the digits behind the point begin
	if text[0] == '-' {
		at++
	}
	for ; at < len(text) && digits <= maxDigits; at++ {
		c := text[at]
		if c == '.' && behind < 0 {
			behind = digits
		} else if c -= '0'; c <= 9 {
			mantissa = mantissa*10 + uint64(c)
			digits++
		} else {
			break
		}
	}
	if digits == 0 || digits > maxDigits || at < len(text) && text[at] > ',' {
		return longNumber(text)
	}
	f := float64(mantissa)
	if behind >= 0 {
		f /= tens[digits-behind]
	}
	if text[0] == '-' {
		f = -f
	}
	return hearth.NumberOf(f), at
}

var tens = [maxDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

func longNumber(text []byte) (v hearth.Value, length int) {
	end := tokenEnd(text)
	token := text[:end]
	var f float64
	var err error
	switch token[len(token)-1] {
	case 'i':
		var n int64
		n, err = strconv.ParseInt(string(token[:len(token)-1]), 10, 64)
		f = float64(n)
	case 'u':
		var n uint64
		n, err = strconv.ParseUint(string(token[:len(token)-1]), 10, 64)
		f = float64(n)
	default:
		f, err = strconv.ParseFloat(string(token), 64)
	}
	if v = hearth.NumberOf(f); err != nil || v.IsZero() {
		return v, 0
	}
	return v, end
}

// plainTime reads the time that text begins with, if there is one, and the line's end; length -1 if they are not plain.
func (p *parser) plainTime(text []byte) (t int64, length int) {
	if len(text) == 0 || text[0] != ' ' {
		return p.now.UnixNano(), lineEnd(text, 0)
	}
	at, sign := 1, int64(p.unit)
	if len(text) > 1 && text[1] == '-' {
		at, sign = 2, -sign
	}
	n, begin := uint64(0), at
	for ; at < len(text) && at < begin+maxTime && '0' <= text[at] && text[at] <= '9'; at++ {
		n = n*10 + uint64(text[at]-'0')
	}
	if at == begin || n > uint64((math.MaxInt64-1)/p.unit) {
		return 0, -1
	}
	return int64(n) * sign, lineEnd(text, at)
}

// lineEnd returns the length of a line of which nothing should be left at that place; -1 if there is.
func lineEnd(text []byte, at int) int {
	switch rest := text[at:]; {
	case len(rest) == 0:
		return at
	case rest[0] == '\n':
		return at + 1
	case bytes.HasPrefix(rest, []byte("\r\n")):
		return at + 2
	}
	return -1
}

// finish gives the points of a line from first on their time, and makes readings of them if they are of a device.
func (p *parser) finish(first int, device hearth.ID, t int64) {
	at := time.Unix(0, t).UTC()
	for i := first; i < len(p.points); i++ {
		point := &p.points[i]
		point.Time = t
		if device != "" && point.Field != hearth.ClockField {
			p.readings = append(p.readings, hearth.Reading{Device: device, Property: point.Field, Value: point.Value, Time: at})
		}
	}
	p.goodLines++
}

// point adds a point whose time comes with the end of its line.
func (p *parser) point(of string, device hearth.ID, field string, value hearth.Value) {
	if device != "" && field == hearth.ClockField {
		if value.Text() != hearth.ClockRepaired {
			return
		}
		p.marks++
	}
	p.points = append(p.points, series.Point{Series: of, Field: field, Value: value})
}
