// Package jobs gives the same command to many devices: those of a group, of some homes, or of all homes of a tenant, at
// once or at a time. Who is meant is found out when the time has come and stored before the first command is given; each
// command has an id made of the job's and its number, so that a job that is taken up again, by this receiver or another
// one, gives none of them twice. The commands themselves are those of package downlink, each with its own end.
package jobs

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

// Limits of jobs.
const (
	MaxMembers  = 20_000
	MaxRate     = 2000 // commands a second
	DefaultRate = 200

	defaultWithin = 5 * time.Minute
	maxWithin     = 30 * 24 * time.Hour
	maxAhead      = 366 * 24 * time.Hour
	maxSet        = 64
	maxID         = 64  // bytes
	maxOpen       = 100 // jobs of one tenant that have not ended
	keep          = 90 * 24 * time.Hour

	tick       = 200 * time.Millisecond
	atOnce     = 500 // commands in one transaction
	lookEvery  = time.Second
	lease      = 20 * time.Second
	leaseEvery = 5 * time.Second
)

// An Order is a command for a home, as a part of a job: its id, and a key that is unique on this receiver.
type Order struct {
	Home    string
	Command hearth.Command
	Job     string
	Key     string
}

// Commands are the homes' commands.
type Commands interface {
	// Give stores commands and puts them on their way, and returns for each why it was refused, nil if it was not. An
	// error means that none was stored. A command that is there already is not given again.
	Give(ctx context.Context, orders []Order) (refused []error, err error)
	// Cancel ends those of a job that were not sent yet.
	Cancel(ctx context.Context, job, key, by string) error
}

// Options are what Jobs are made with.
type Options struct {
	Accounts *accounts.Accounts
	Commands Commands
	// Look shows a home's devices until look returns false.
	Look func(home string, look func(*hearth.DeviceView) bool)
	// Emit is told how far a job of a tenant is. Nil: nobody is.
	Emit func(tenant string, job Job)

	Now func() time.Time // nil: time.Now
	Log *slog.Logger
}

// Jobs is safe for several goroutines. One of them, in Run, gives the commands.
type Jobs struct {
	o    Options
	db   *sql.DB
	wake chan struct{}

	// Of the goroutine in Run alone.
	leading bool
	asked   time.Time
	looked  time.Time
	pruned  time.Time
	running map[string]*run
}

// New returns Jobs. Nothing is given until Run.
func New(o Options) *Jobs {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Emit == nil {
		o.Emit = func(string, Job) {}
	}
	return &Jobs{o: o, db: o.Accounts.DB(), wake: make(chan struct{}, 1), running: map[string]*run{}}
}

// A Select says which devices are meant: those of a group, or those in some homes or in all of them that are as it says.
type Select struct {
	Group    string      `json:"group,omitempty"`
	Homes    []string    `json:"homes,omitempty"`
	All      bool        `json:"all,omitempty"` // homes of the tenant
	Device   hearth.ID   `json:"device,omitempty"`
	Type     hearth.Type `json:"type,omitempty"`
	Room     string      `json:"room,omitempty"`
	Property string      `json:"property,omitempty"` // that it has
}

// A Wish is a job as somebody asks for it.
type Wish struct {
	ID       string                  `json:"id,omitempty"` // the same id twice is the same job
	Set      map[string]hearth.Value `json:"set"`
	Select   Select                  `json:"select"`
	At       hearth.Time             `json:"at,omitzero"`       // when it begins; without it now
	Deadline hearth.Time             `json:"deadline,omitzero"` // of all commands; or
	Within   string                  `json:"within,omitempty"`  // of each, from when it is given, as 5m, which it is without either
	Rate     int                     `json:"rate,omitempty"`    // commands a second, at most 2000; 200 without it
}

// Phases of a job.
const (
	Scheduled = "scheduled" // its time has not come
	Running   = "running"   // commands are given, or not all of them have ended
	Cancelled = "cancelled" // somebody called it off; what was sent has its own end
	Done      = "done"      // every command has ended
)

// States of members beside those of their commands.
const (
	Pending = "pending" // not given yet
	Refused = "refused" // it cannot take the command, or the asker may not give it
	Called  = "cancelled"
	Gone    = "gone" // its home was deleted

	giving = "giving" // it may be given or not
	given  = "given"
)

// A Job is a job and how far it is.
type Job struct {
	Wish
	Tenant  string         `json:"tenant"`
	By      string         `json:"by"`
	Created hearth.Time    `json:"created"`
	Phase   string         `json:"phase"`
	Total   int            `json:"total"`
	Open    int            `json:"open"`   // commands that have not ended, or are not given yet
	States  map[string]int `json:"states"` // how many are in which state
	Ended   hearth.Time    `json:"ended"`  // null: not yet

	CancelledBy string   `json:"cancelled_by,omitempty"`
	Refused     []Member `json:"refused,omitempty"` // the first of them
}

// A Member is one device of a job, or a home, or neither, where as a whole it was refused.
type Member struct {
	N       int           `json:"n"`
	Home    string        `json:"home"`
	Name    string        `json:"home_name"`
	Device  hearth.ID     `json:"device"`
	Command string        `json:"command,omitempty"` // its id
	State   string        `json:"state"`
	Final   bool          `json:"final"`
	Error   *hearth.Error `json:"error,omitempty"`
}

// stored is a job as it is in SQL.
type stored struct {
	Wish
	Asker     accounts.Asker `json:"asker"`
	Resolved  bool           `json:"resolved,omitempty"`
	Cancelled string         `json:"cancelled,omitempty"` // by whom
	Final     map[string]int `json:"final,omitempty"`     // states, once it has ended

	tenant  string
	created int64
	due     int64
	ended   int64
}

func keyOf(tenant, id string) string { return tenant + "/" + id }

func (s *stored) key() string { return keyOf(s.tenant, s.ID) }

func (s *stored) phase(now time.Time) string {
	switch {
	case s.Cancelled != "":
		return Cancelled
	case s.ended > 0:
		return Done
	case !s.Resolved && s.due > now.UnixMilli():
		return Scheduled
	}
	return Running
}

func timeOf(ms int64) hearth.Time {
	if ms == 0 {
		return hearth.Time{}
	}
	return hearth.Time{Time: time.UnixMilli(ms).UTC()}
}

// nudge has Run look at once.
func (j *Jobs) nudge() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}
