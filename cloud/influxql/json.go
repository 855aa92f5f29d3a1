package influxql

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
)

// jsonAnswer writes an answer as InfluxDB does. Rows are written as they come: into one document, or with chunked=true
// into one for every chunk of a series.
type jsonAnswer struct {
	*output
	results int // in this document

	id     int // of the statement
	start  int // of its result in the document
	cols   columns
	notes  []string
	inside bool // a series is begun
	first  bool // it is the first of the result
	name   string
	tags   []tag
	rows   int // of the series in this document
}

func (a *jsonAnswer) begin(id int) {
	a.id, a.notes, a.cols = id, nil, columns{}
	a.result()
}

// result begins what a document says of the statement.
func (a *jsonAnswer) result() {
	if a.results == 0 {
		a.buf = append(a.buf, `{"results":[`...)
	}
	if a.results > 0 {
		a.buf = append(a.buf, ',')
	}
	a.results++
	a.start = len(a.buf)
	a.head()
}

func (a *jsonAnswer) head() {
	a.buf = append(a.buf, `{"statement_id":`...)
	a.buf = strconv.AppendInt(a.buf, int64(a.id), 10)
	a.inside, a.first = false, true
}

func (a *jsonAnswer) columns(c columns) { a.cols = c }

func (a *jsonAnswer) warn(text string) { a.notes = append(a.notes, text) }

func (a *jsonAnswer) row(name string, tags []tag, t int64, vals []datum) bool {
	same := a.inside && a.name == name && slices.Equal(a.tags, tags)
	switch {
	case same && a.chunk > 0 && a.rows == a.chunk && !a.cols.whole:
		a.endDocument(true)
		a.series(name, tags)
	case !same && a.inside && a.chunk > 0:
		a.endDocument(false)
		a.series(name, tags)
	case !same:
		a.series(name, tags)
	default:
		a.buf = append(a.buf, ',')
	}
	a.rows++
	a.buf = append(a.buf, '[')
	if a.cols.zone != nil {
		a.buf = a.appendTime(a.buf, t)
	}
	for i, v := range vals {
		if i > 0 || a.cols.zone != nil {
			a.buf = append(a.buf, ',')
		}
		a.buf = appendDatum(a.buf, v)
	}
	a.buf = append(a.buf, ']')
	return a.room()
}

// endDocument sends a chunk to which there is more.
func (a *jsonAnswer) endDocument(sameSeries bool) {
	a.endSeries(sameSeries)
	if a.buf = append(a.buf, ']'); !a.cols.whole {
		a.buf = append(a.buf, `,"partial":true`...)
	}
	a.buf = append(a.buf, '}')
	a.send()
	a.result()
}

func (a *jsonAnswer) series(name string, tags []tag) {
	a.endSeries(false)
	if a.first {
		a.buf = append(a.buf, `,"series":[{`...)
	} else {
		a.buf = append(a.buf, `,{`...)
	}
	a.first, a.inside, a.rows = false, true, 0
	a.name, a.tags = name, tags
	if name != "" {
		a.buf = appendText(append(a.buf, `"name":`...), name)
		a.buf = append(a.buf, ',')
	}
	if len(tags) > 0 {
		for i, t := range tags {
			a.buf = append(a.buf, [2]string{`,`, `"tags":{`}[b2i(i == 0)]...)
			a.buf = appendText(a.buf, t.key)
			a.buf = appendText(append(a.buf, ':'), t.value)
		}
		a.buf = append(a.buf, `},`...)
	}
	a.buf = append(a.buf, `"columns":[`...)
	for i, name := range a.cols.names {
		if i > 0 {
			a.buf = append(a.buf, ',')
		}
		a.buf = appendText(a.buf, name)
	}
	a.buf = append(a.buf, `],"values":[`...)
}

func (a *jsonAnswer) endSeries(partial bool) {
	if !a.inside {
		return
	}
	a.inside = false
	if a.buf = append(a.buf, ']'); partial {
		a.buf = append(a.buf, `,"partial":true`...)
	}
	a.buf = append(a.buf, '}')
}

// end ends the statement. What of it was not sent yet is replaced by the error, if there is one.
func (a *jsonAnswer) end(err error) {
	if err != nil {
		a.buf = a.buf[:a.start]
		a.head()
		a.buf = appendText(append(a.buf, `,"error":`...), err.Error())
	}
	a.endSeries(false)
	if !a.first {
		a.buf = append(a.buf, ']')
	}
	for i, note := range a.notes {
		a.buf = append(a.buf, [2]string{`,`, `,"messages":[`}[b2i(i == 0)]...)
		a.buf = appendText(append(a.buf, `{"level":"warning","text":`...), note)
		a.buf = append(a.buf, '}')
	}
	if len(a.notes) > 0 {
		a.buf = append(a.buf, ']')
	}
	a.buf = append(a.buf, '}')
	if a.chunk > 0 {
		a.send()
	}
}

func (a *jsonAnswer) finish() {
	if a.results > 0 || a.chunk == 0 {
		a.send()
	}
}

// send ends the document and lets it go.
func (a *jsonAnswer) send() {
	if a.results == 0 {
		a.buf = append(a.buf, `{"results":[`...)
	}
	a.buf = append(a.buf, `]}`...)
	if a.pretty {
		a.buf = indent(a.buf)
	}
	a.buf = append(a.buf, '\n')
	a.results = 0
	a.flush()
}

// indent is pretty=true.
func indent(doc []byte) []byte {
	var indented bytes.Buffer
	if json.Indent(&indented, doc, "", "    ") != nil {
		return doc
	}
	return indented.Bytes()
}

func (a *jsonAnswer) appendTime(dst []byte, t int64) []byte {
	if a.unit > 0 {
		return strconv.AppendInt(dst, t/a.unit, 10)
	}
	dst = time.Unix(0, t).In(a.cols.zone).AppendFormat(append(dst, '"'), time.RFC3339Nano)
	return append(dst, '"')
}

func appendDatum(dst []byte, v datum) []byte {
	switch v.kind {
	case float:
		return appendFloat(dst, v.float())
	case integer:
		return strconv.AppendInt(dst, v.integer(), 10)
	case boolean:
		return strconv.AppendBool(dst, v.bool())
	case text:
		return appendText(dst, v.str)
	}
	return append(dst, "null"...)
}

// appendFloat writes a number as encoding/json does: with an exponent only where it is very small or large, and that
// without a leading zero.
func appendFloat(dst []byte, f float64) []byte {
	if size := math.Abs(f); size == 0 || size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// appendText writes a JSON string, of plain letters quickly.
func appendText(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic("a string is always JSON: " + err.Error())
			}
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
