package web

import (
	"reflect"
	"time"

	"hearth"
)

// Status is what GET /status answers.
type Status struct {
	Version string         `json:"version"`
	Uptime  int64          `json:"uptime_s"`
	Home    string         `json:"home"`
	Clock   ClockStatus    `json:"clock"`
	Drivers []DriverStatus `json:"drivers"`
	Buffer  BufferStatus   `json:"buffer"`
	Targets []TargetStatus `json:"targets"`
	Disk    DiskStatus     `json:"disk"`
	Alarms  []string       `json:"alarms,omitempty"` // what went wrong for good and a person should know
}

// ClockStatus says whether times can be believed, and who says so.
type ClockStatus struct {
	Trusted bool        `json:"trusted"`
	Source  string      `json:"source"`
	Now     hearth.Time `json:"now"` // what it shows; pages reckon ages by it
}

// DriverStatus says how a driver is. State is running, waiting (for its next try) or stopped; the last error stays
// until it has run for a minute.
type DriverStatus struct {
	Name  string      `json:"name"`
	Type  string      `json:"type"`
	State string      `json:"state"`
	Error string      `json:"error"`
	Since hearth.Time `json:"since"` // of the state
}

// BufferStatus is the readings on disk. Produced counts rows; Bytes and Cap are bytes.
type BufferStatus struct {
	Produced uint64      `json:"produced"`
	Bytes    int64       `json:"bytes"`
	Cap      int64       `json:"cap"`
	Oldest   hearth.Time `json:"oldest"`
	Damaged  int         `json:"damaged,omitempty"` // segments set aside because the disk gave back something else
}

// TargetStatus is one place to which readings go, in rows: produced = acknowledged + backlog + dropped.
type TargetStatus struct {
	Name             string      `json:"name"`
	State            string      `json:"state"`
	Acknowledged     uint64      `json:"acknowledged"`
	Dropped          uint64      `json:"dropped"`
	Backlog          uint64      `json:"backlog"`
	LastAcknowledged hearth.Time `json:"last_acknowledged"`
	Error            string      `json:"error"`
	Note             string      `json:"note,omitempty"`     // what is worth knowing though nothing is wrong
	Commands         string      `json:"commands,omitempty"` // the state of the link that carries commands
}

// DiskStatus is the wear of the gateway's flash.
type DiskStatus struct {
	Written uint64 `json:"written_bytes"` // since the start
	PerDay  uint64 `json:"per_day_bytes"` // at the pace so far
}

// status is the gateway's own, with what this package knows filled in where it is missing, and lists never null.
func (w *Web) status() Status {
	s := w.o.Status()
	if s.Version == "" {
		s.Version = w.o.Version
	}
	if s.Uptime == 0 {
		s.Uptime = int64(time.Since(w.started).Seconds())
	}
	if s.Clock.Now.IsZero() {
		s.Clock.Now = hearth.Time{Time: w.o.Now()}
	}
	if s.Drivers == nil {
		s.Drivers = w.o.Drivers()
	}
	if s.Drivers == nil {
		s.Drivers = []DriverStatus{}
	}
	if s.Targets == nil {
		s.Targets = []TargetStatus{}
	}
	return s
}

const (
	statusEvery  = time.Second      // how often the status is looked at while somebody watches
	statusCounts = 10 * time.Second // how often it is sent when only its counters have moved
)

// statusWatch decides when a status is worth an event: at once when a state changed, now and then for the counters.
type statusWatch struct {
	get  func() Status
	last Status
	sent time.Time
}

func newStatusWatch(get func() Status) *statusWatch { return &statusWatch{get: get} }

func (s *statusWatch) look() (Status, bool) {
	now := s.get()
	if time.Since(s.sent) < statusCounts && reflect.DeepEqual(states(now), states(s.last)) {
		return now, false
	}
	s.last, s.sent = now, time.Now()
	return now, true
}

// states is a status without what moves all the time.
func states(s Status) Status {
	s.Uptime, s.Clock.Now, s.Buffer, s.Disk = 0, hearth.Time{}, BufferStatus{Damaged: s.Buffer.Damaged}, DiskStatus{}
	targets := make([]TargetStatus, len(s.Targets))
	for i, t := range s.Targets {
		targets[i] = TargetStatus{Name: t.Name, State: t.State, Error: t.Error, Note: t.Note, Commands: t.Commands, Dropped: t.Dropped}
	}
	s.Targets = targets
	return s
}
