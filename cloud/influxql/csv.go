package influxql

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
)

// csvAnswer writes an answer as CSV: name, tags and columns, times in nanoseconds unless epoch= says otherwise. As in
// InfluxDB a statement that failed has no lines.
type csvAnswer struct {
	*output
	cols    columns
	begun   bool // the statement has its header
	headers bool // there was one before
	line    []string
	rows    int
	start   int
}

func (a *csvAnswer) begin(int) { a.begun, a.start = false, len(a.buf) }

func (a *csvAnswer) columns(c columns) { a.cols = c }

func (a *csvAnswer) warn(string) {}

func (a *csvAnswer) row(name string, tags []tag, t int64, vals []datum) bool {
	if !a.begun {
		if a.headers {
			a.buf = append(a.buf, '\n')
		}
		a.begun, a.headers = true, true
		a.write(slices.Concat([]string{"name", "tags"}, a.cols.names))
	}
	a.line = append(a.line[:0], name, tagText(tags))
	if a.cols.zone != nil {
		a.line = append(a.line, strconv.FormatInt(t/max(a.unit, 1), 10))
	}
	for _, v := range vals {
		a.line = append(a.line, cell(v))
	}
	a.write(a.line)
	if a.rows++; a.chunk > 0 && a.rows%a.chunk == 0 {
		a.flush()
		a.start = 0
	}
	return a.room()
}

func (a *csvAnswer) write(line []string) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(line) // into memory
	w.Flush()
	a.buf = append(a.buf, b.Bytes()...)
}

func (a *csvAnswer) end(err error) {
	if err != nil {
		a.buf = a.buf[:a.start]
	}
}

func (a *csvAnswer) finish() { a.flush() }

var tagEscapes = strings.NewReplacer(",", `\,`, "=", `\=`, " ", `\ `)

// tagText is tags as line protocol has them; empty ones are none.
func tagText(tags []tag) string {
	var b strings.Builder
	for _, t := range tags {
		if t.value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(tagEscapes.Replace(t.key) + "=" + tagEscapes.Replace(t.value))
	}
	return b.String()
}

func cell(v datum) string {
	switch v.kind {
	case float:
		return strconv.FormatFloat(v.float(), 'f', -1, 64)
	case integer:
		return strconv.FormatInt(v.integer(), 10)
	case boolean:
		return strconv.FormatBool(v.bool())
	}
	return v.str
}
