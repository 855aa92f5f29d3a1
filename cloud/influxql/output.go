package influxql

import (
	"net/http"
	"strings"
	"time"
)

// An answer is how a request is answered.
type answer interface {
	sink
	begin(id int)  // of a statement
	end(err error) // of the statement: its error takes the place of what was not sent of it
	finish()
}

// output is where an answer goes, and in which manner.
type output struct {
	w      http.ResponseWriter
	limits limits
	unit   int64 // nanoseconds that times are counted in; 0: RFC 3339
	pretty bool
	chunk  int       // rows of one series that are sent together; 0: everything at the end
	until  time.Time // when the client must have it all
	buf    []byte
	broken error
}

const (
	usualChunk = 10_000
	mostChunk  = 100_000
	pieceBytes = 64 << 10 // that are sent at once
)

// room reports whether the answer may grow.
func (o *output) room() bool {
	if len(o.buf) > o.limits.answer && o.broken == nil {
		o.broken = o.limits.errAnswer()
	}
	return o.broken == nil
}

// flush sends what there is, in pieces: a client that takes none of them for a while must not keep its place.
func (o *output) flush() {
	controller := http.NewResponseController(o.w)
	for rest := o.buf; len(rest) > 0; {
		piece := rest[:min(len(rest), pieceBytes)]
		rest = rest[len(piece):]
		_ = controller.SetWriteDeadline(earlier(time.Now().Add(o.limits.stalled), o.until)) // a test's answer has none
		if _, err := o.w.Write(piece); err != nil {
			if o.broken == nil {
				o.broken = err
			}
			break
		}
	}
	o.buf = o.buf[:0]
	if o.chunk > 0 {
		_ = controller.Flush() // what cannot be flushed goes later
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// wantsCSV is InfluxDB's way of finding out.
func wantsCSV(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return accept == "application/csv" || accept == "text/csv"
}

// newAnswer prepares what a request wants; form values are parsed already.
func newAnswer(w http.ResponseWriter, r *http.Request, l limits) answer {
	o := &output{
		w: w, limits: l, until: time.Now().Add(2 * l.time), unit: unitNamed(strings.TrimSpace(r.FormValue("epoch"))),
		pretty: r.URL.Query().Get("pretty") == "true",
	}
	if r.FormValue("chunked") == "true" {
		o.chunk = usualChunk
		if n := positive(r.FormValue("chunk_size")); n > 0 {
			o.chunk = min(n, mostChunk)
		}
	}
	if wantsCSV(r) {
		w.Header().Set("Content-Type", "text/csv")
		return &csvAnswer{output: o}
	}
	w.Header().Set("Content-Type", "application/json")
	return &jsonAnswer{output: o}
}

// unitNamed is what epoch= names; what is not known is nanoseconds, as in InfluxDB.
func unitNamed(epoch string) int64 {
	switch epoch {
	case "":
		return 0
	case "u", "µ":
		return int64(time.Microsecond)
	case "ms":
		return int64(time.Millisecond)
	case "s":
		return int64(time.Second)
	case "m":
		return int64(time.Minute)
	case "h":
		return int64(time.Hour)
	}
	return 1
}
