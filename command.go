package hearth

import (
	"crypto/rand"
	"maps"
	"time"
)

// DefaultDeadline is how long a command given at the gateway may take when nobody says.
const DefaultDeadline = 10 * time.Second

// A Command is a wish for one device: several properties at once where they belong together, as on with brightness.
type Command struct {
	ID       string           `json:"id"`
	Device   ID               `json:"device"`
	Set      map[string]Value `json:"set"`
	By       string           `json:"by,omitempty"` // who gave it: a token's name, homekit, rule:…
	Issued   Time             `json:"issued"`
	Deadline Time             `json:"deadline"`
}

// Same reports whether two commands ask for the same thing, whoever sent them and when.
func (c Command) Same(other Command) bool {
	return c.Device == other.Device && maps.Equal(c.Set, other.Set)
}

// NewCommandID returns a fresh id.
func NewCommandID() string { return rand.Text() }

// A State is a stage in a command's life. It only ever moves forward, to exactly one final state.
type State string

// The states of a command.
const (
	Accepted State = "accepted" // checked and stored
	Sent     State = "sent"     // given to the driver (at the receiver: to the gateway)
	Applied  State = "applied"  // acknowledged by the device; final only for what a device never reports

	Confirmed  State = "confirmed"  // the device's own report says so
	Rejected   State = "rejected"   // refused before anything was sent
	Failed     State = "failed"     // sent, and it did not happen, or nobody knows
	Expired    State = "expired"    // its deadline passed before it was sent
	Superseded State = "superseded" // not yet sent, and a newer command sets all of its properties
)

// States lists all of them in the order of a command's life.
var States = []State{Accepted, Sent, Applied, Confirmed, Rejected, Failed, Expired, Superseded}

// A Record is a command and what became of it.
type Record struct {
	Command
	Job     string `json:"job,omitempty"` // that gave it, beside others
	State   State  `json:"state"`
	Final   bool   `json:"final"`
	Error   *Error `json:"error,omitempty"`
	History []Step `json:"history"`
}

// A Step is one change of a command's state.
type Step struct {
	State State `json:"state"`
	Time  Time  `json:"time"`
}

// Advance moves the record to a later state and reports whether it did: a final state never changes, and no state is
// entered twice or backwards. An applied record is final when final says so.
func (r *Record) Advance(to State, final bool, at time.Time, why *Error) bool {
	if r.Final || rank(to) <= rank(r.State) {
		return false
	}
	r.State, r.Error = to, why
	r.Final = rank(to) == rank(Confirmed) || to == Applied && final
	r.History = append(r.History[:len(r.History):len(r.History)], Step{State: to, Time: Time{at}})
	return true
}

func rank(s State) int {
	switch s {
	case Accepted:
		return 1
	case Sent:
		return 2
	case Applied:
		return 3
	case Confirmed, Rejected, Failed, Expired, Superseded:
		return 4
	}
	return 0
}

// A Numbered record is one with its place in the order in which a home's commands were given to the receiver, from 1.
type Numbered struct {
	N uint64 `json:"n"`
	Record
}
