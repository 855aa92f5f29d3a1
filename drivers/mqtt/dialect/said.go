package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"
)

// ReadJSON reads a payload that is one JSON value of at most MaxPayload bytes, 64 levels deep, in valid UTF-8, into into.
func ReadJSON(payload []byte, into any) error {
	if len(payload) > MaxPayload {
		return fmt.Errorf("it has %d bytes, more than %d", len(payload), MaxPayload)
	}
	if !utf8.Valid(payload) {
		return fmt.Errorf("it is no UTF-8")
	}
	if Deeper(payload, maxDepth) {
		return fmt.Errorf("it is nested deeper than %d levels", maxDepth)
	}
	return json.Unmarshal(payload, into)
}

const maxDepth = 64

// Deeper reports whether brackets outside of texts are nested deeper than that. It looks at the brackets alone, before
// anything is built from them.
func Deeper(payload []byte, most int) bool {
	depth, text := 0, false
	for i := 0; i < len(payload); i++ {
		switch c := payload[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// IsObject reports whether a payload looks like a JSON object.
func IsObject(payload []byte) bool {
	trimmed := bytes.TrimLeft(payload, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{'
}

// Plausible returns the time that a device gave to what it said, if it can be believed: beside a trusted clock, and
// within a day of it, as of the past, or a minute, as of the future. Else it returns the zero time, which means now.
func (e Env) Plausible(said time.Time) time.Time {
	now, trusted := e.Now()
	if said.IsZero() || !trusted || said.Before(now.Add(-24*time.Hour)) || said.After(now.Add(time.Minute)) {
		return time.Time{}
	}
	return said
}

// Once says each thing to the log once: payloads come every second, and what is wrong with them stays. However much is
// wrong, and whoever sees to it that it is, the log stays readable. The zero Once is ready.
type Once struct {
	mu    sync.Mutex
	said  map[string]bool
	since time.Time // when lines began to be counted
	lines int
}

const (
	maxSaid   = 1000 // things; more of them go unsaid
	maxKey    = 200  // bytes
	perMinute = 60   // lines; what is left out is said when it comes again
)

// Warn logs a warning unless one of that key was logged before.
func (o *Once) Warn(log *slog.Logger, key, message string, args ...any) {
	switch o.admit(Clip(key, maxKey)) {
	case perMinute:
		log.Warn("more is wrong with what comes from the broker than is logged")
	case 0:
	default:
		log.Warn(message, args...)
	}
}

// admit counts a line: 0 if it is not to be said.
func (o *Once) admit(key string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.said[key] || len(o.said) >= maxSaid {
		return 0
	}
	if now := time.Now(); now.Sub(o.since) >= time.Minute {
		o.since, o.lines = now, 0
	}
	if o.lines >= perMinute {
		return 0
	}
	if o.lines++; o.lines == perMinute {
		return perMinute
	}
	if o.said == nil {
		o.said = map[string]bool{}
	}
	o.said[key] = true
	return o.lines
}
