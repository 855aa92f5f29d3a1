package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hearth"
)

// MaxBody is how much JSON a request may carry.
const MaxBody = 1 << 20

// MaxWait is the longest that ?wait= can hold an answer back.
const MaxWait = time.Minute

// ReadJSON reads the body of a request as one JSON value of at most MaxBody bytes. Unknown fields are ignored. Errors:
// bad_request, too_large, and what the types say of a value that is well formed and wrong (bad_value).
func ReadJSON(w http.ResponseWriter, r *http.Request, into any) error {
	return ReadLargeJSON(w, r, into, MaxBody)
}

// ReadLargeJSON is ReadJSON with another limit.
func ReadLargeJSON(w http.ResponseWriter, r *http.Request, into any, limit int64) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return BadRequest("the body broke off: %v", err)
	}
	return decode(body, into)
}

func decode(body []byte, into any) error {
	if len(strings.TrimSpace(string(body))) == 0 {
		return BadRequest("the body is empty: want JSON")
	}
	err := json.Unmarshal(body, into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var coded *hearth.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return BadRequest("the body is no JSON: %v at byte %d", err, syntax.Offset)
	case errors.As(err, &kind):
		pointer := "/" + strings.ReplaceAll(kind.Field, ".", "/")
		return At(pointer, BadRequest("%s: a JSON %s is not what it takes", pointer, kind.Value))
	case errors.As(err, &coded):
		return err
	}
	return BadRequest("the body cannot be read: %v", err)
}

// WriteJSON answers with v as JSON. What it holds is not to be cached.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, status, "application/json", v)
}

func writeJSON(w http.ResponseWriter, status int, mime string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("a reply of type %T is no JSON: %v", v, err))
	}
	w.Header().Set("Content-Type", mime)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the caller may have gone
}

// A Range is a stretch of time, From inclusive, To exclusive, in at most Points parts.
type Range struct {
	From, To time.Time
	Points   int
}

// defaultPoints is enough for a chart as wide as a page.
const defaultPoints = 500

// ParseRange reads from=, to= (RFC 3339 or unix milliseconds) and points=. Without them it is the last 24 hours before
// now; more points than hearth.MaxPoints are as many as that. Errors: bad_request.
func ParseRange(query url.Values, now time.Time) (Range, error) {
	r := Range{To: now, Points: defaultPoints}
	var err error
	if text := query.Get("to"); text != "" {
		if r.To, err = parseTime("to", text); err != nil {
			return Range{}, err
		}
	}
	r.From = r.To.Add(-24 * time.Hour)
	if text := query.Get("from"); text != "" {
		if r.From, err = parseTime("from", text); err != nil {
			return Range{}, err
		}
	}
	if !r.From.Before(r.To) {
		return Range{}, BadRequest("from must be before to")
	}
	if text := query.Get("points"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return Range{}, BadRequest("points: want a number from 1 to %d", hearth.MaxPoints)
		}
		r.Points = min(n, hearth.MaxPoints)
	}
	return r, nil
}

// RangeParams are from= and to= as ParseRange reads them.
func RangeParams() []Param {
	return []Param{
		{Name: "from", Summary: "RFC 3339 or unix milliseconds, inclusive; without it a day before to"},
		{Name: "to", Summary: "RFC 3339 or unix milliseconds, exclusive; without it now"},
	}
}

// WriteHistory answers with a history whose lists are never null.
func WriteHistory(w http.ResponseWriter, h hearth.History) {
	if h.Points == nil {
		h.Points = []hearth.Bucket{}
	}
	if h.Gaps == nil {
		h.Gaps = []hearth.Gap{}
	}
	WriteJSON(w, http.StatusOK, h)
}

// Times outside of these overflow what stores count in, nanoseconds since 1970.
const (
	firstYear = 1700
	lastYear  = 2250
)

func parseTime(name, text string) (time.Time, error) {
	t, err := hearth.ParseTime(text)
	if err != nil {
		return time.Time{}, BadRequest("%s: %v", name, err)
	}
	if year := t.Year(); year < firstYear || year > lastYear {
		return time.Time{}, BadRequest("%s: the year %d is out of range", name, year)
	}
	return t, nil
}

// ParseWait reads wait=, a duration such as 5s; longer than MaxWait is as long as that. Without it the answer is
// fallback. Errors: bad_request.
func ParseWait(query url.Values, fallback time.Duration) (time.Duration, error) {
	text := query.Get("wait")
	if text == "" {
		return fallback, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0, BadRequest("wait: want a duration such as 5s, at most %s", MaxWait)
	}
	return min(wait, MaxWait), nil
}
