package ingest

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A refusal is an answer other than 204, in whichever of InfluxDB's two forms it is sent.
type refusal struct {
	status  int
	code    string // of the v2 form
	message string
	after   time.Duration // > 0: when to try again
}

func (e *refusal) Error() string { return e.message }

func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func later(e *refusal, after time.Duration) *refusal {
	e.after = after
	return e
}

// A form is how one of InfluxDB's generations says that something went wrong.
type form int

const (
	formV1 form = 1
	formV2 form = 2
)

func (f form) body(e *refusal) map[string]string {
	if f == formV2 {
		return map[string]string{"code": e.code, "message": e.message}
	}
	switch e.status {
	case http.StatusUnauthorized:
		return map[string]string{"error": "authorization failed"}
	case http.StatusRequestEntityTooLarge:
		return map[string]string{"error": "Request Entity Too Large"}
	}
	return map[string]string{"error": e.message}
}

func (f form) fail(w http.ResponseWriter, e *refusal) {
	header, status := w.Header(), e.status
	if f == formV1 && status == http.StatusTooManyRequests {
		status = http.StatusServiceUnavailable // as InfluxDB 1 does: its clients throw away what any 4xx refused
	}
	header.Set("X-Influxdb-Error", headerText(e.message))
	if e.after > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.after.Seconds()))))
	}
	if e.status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Basic realm="hearth"`)
	}
	writeJSON(w, status, f.body(e))
}

// partial answers a plain write of which some lines were bad, in the words that clients of each generation look for.
func (f form) partial(w http.ResponseWriter, written int, bad []string) {
	e := refuse(http.StatusBadRequest, "invalid", "%s", strings.Join(bad, "\n"))
	switch {
	case written > 0 && f == formV2:
		e.message = fmt.Sprintf("partial write error (%d written): %s", written, e.message)
	case written > 0:
		e.message = fmt.Sprintf("partial write: %s dropped=0", e.message)
	}
	f.fail(w, e)
}

// headerText is s as far as a header can carry it.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), 200)])
}

// clip shortens foreign text for a message.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// secretOf finds the token in a request: Bearer T, Token T, Token user:T, Basic with T as the password, or u= and p=.
func secretOf(r *http.Request) (string, *refusal) {
	missing := refuse(http.StatusUnauthorized, "unauthorized", "unauthorized access")
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, rest, _ := strings.Cut(header, " ")
		rest = strings.TrimSpace(rest)
		switch strings.ToLower(scheme) {
		case "bearer":
			return rest, nil
		case "token":
			return rest[strings.LastIndexByte(rest, ':')+1:], nil // no token has a colon in it
		case "basic":
			plain, err := base64.StdEncoding.DecodeString(rest)
			if err != nil {
				return "", missing
			}
			_, password, _ := strings.Cut(string(plain), ":")
			return password, nil
		}
		return "", missing
	}
	if p := r.URL.Query().Get("p"); p != "" {
		return p, nil
	}
	return "", missing
}
