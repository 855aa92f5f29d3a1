package notify

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hearth"
)

// Kinds of events that targets choose from.
const (
	KindAlert   = "alert"
	KindDevice  = "device"
	KindCommand = "command"
	KindReading = "reading"
	KindStatus  = "status"
	KindOnline  = "online"
	KindHome    = "home"
	KindJob     = "job"
)

// Kinds of events that come unasked.
const (
	KindSummary = "summary"
	KindTest    = "test"
)

// Kinds are those that a target may choose.
func Kinds() []string {
	return []string{KindAlert, KindDevice, KindCommand, KindReading, KindStatus, KindOnline, KindHome, KindJob}
}

// maxEvent is how many bytes one event has at the most.
const maxEvent = 256 << 10

// An Event is what a webhook receives.
type Event struct {
	ID       string          `json:"id"` // the same whenever it is sent again
	Kind     string          `json:"kind"`
	Time     hearth.Time     `json:"time"`
	Tenant   string          `json:"tenant"`
	Home     string          `json:"home,omitempty"`
	HomeName string          `json:"home_name,omitempty"`
	Severity hearth.Severity `json:"severity"` // of an alert; info of the others
	Body     json.RawMessage `json:"body"`
}

// A Summary is the body of the event that ends quiet hours: of each alert, device and command only the last.
type Summary struct {
	From   hearth.Time `json:"from"`
	To     hearth.Time `json:"to"`
	Count  int         `json:"count"`  // of the events held back
	Events []Event     `json:"events"` // oldest first, at most 200
}

func newEvent(kind, tenant, home string, severity hearth.Severity, at time.Time) Event {
	return Event{
		ID: "e" + strings.ToLower(rand.Text()[:19]), Kind: kind, Tenant: tenant, Home: home, Severity: severity,
		Time: hearth.Time{Time: at.UTC()},
	}
}

// take makes v the body.
func (e *Event) take(v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("an event of type %T is no JSON: %v", v, err))
	}
	if len(body) > maxEvent {
		body = []byte(`{"too_large":true}`)
	}
	e.Body = body
}

// derive makes the id one that any receiver gives to the same event: several may hear of it.
func (e *Event) derive() {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s", e.Tenant, e.Home, e.Kind, e.Body))
	e.ID = "e" + hex.EncodeToString(sum[:10])
}

// urgent reports whether quiet hours do not hold it back.
func (e *Event) urgent() bool { return e.Severity == hearth.SeverityCritical }

// weight says what is dropped last where too much waits.
func (e *Event) weight() int {
	for i, s := range hearth.Severities {
		if e.Kind == KindAlert && e.Severity == s {
			return i + 1
		}
	}
	if e.Kind == KindSummary {
		return len(hearth.Severities)
	}
	return 0
}

// subject names what the event is about: of those with the same one a summary tells the last.
func (e *Event) subject() string {
	var about struct {
		ID       string `json:"id"`
		Device   string `json:"device"`
		Property string `json:"property"`
	}
	if json.Unmarshal(e.Body, &about) != nil {
		return e.ID
	}
	return strings.Join([]string{e.Kind, e.Home, about.ID, about.Device, about.Property}, "\x00")
}
