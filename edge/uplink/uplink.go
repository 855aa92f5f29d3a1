// Package uplink takes batches up and brings commands down. Each target of the buffer has its own loop and its own
// connections, and so has the link that carries commands, results and live values: nothing waits behind a backlog.
package uplink

import (
	"context"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth"
	"hearth/edge/buffer"
	"hearth/edge/home"
)

// The names of the targets, in the buffer and in the gateway's status.
const (
	TargetCloud  = "cloud"
	TargetInflux = "influx"
)

// Options are what an Uplink is made of.
type Options struct {
	Home   *home.Home
	Buffer *buffer.Buffer
	Store  hearth.Store // its own: what was answered to the receiver and is not known to have arrived
	Cloud  *Cloud       // nil: this gateway has no cloud
	Influx *Influx      // nil: it has no second target

	Now     func() (now time.Time, trusted bool)                        // the gateway's clock
	Offer   func(source string, t time.Time, uncertainty time.Duration) // told the time that a target served
	Status  func() any                                                  // the gateway's status as JSON, for applications at the receiver; nil: none
	Version string                                                      // of this program, told to the targets
	Log     *slog.Logger
	dial    func(ctx context.Context, network, address string) (net.Conn, error) // nil: the system's
}

// Cloud is the receiver and this gateway's place there. With a Token alone the rest is asked for at the start.
type Cloud struct {
	URL       string // http:// or https://, as CheckURL allows
	Token     string
	Home      string // the home's id
	TokenName string
	MQTT      string // the broker: ws, wss, mqtt or mqtts; "" means the receiver's own, at URL/mqtt
	Insecure  bool   // the token may travel without TLS to other machines
}

// Influx is any InfluxDB of version 1 (Database) or 2 (Org and Bucket), or a VictoriaMetrics.
type Influx struct {
	URL         string
	Database    string
	Org, Bucket string
	Token       string // for version 1 user:password
	Home        string // the tag home of every line
	NumbersOnly bool   // it keeps no texts; a VictoriaMetrics is recognised without being told
}

// TargetStatus is one entry of "targets" in the gateway's status. State is connected, idle (connected, and nothing to
// send), waiting (for the clock, or for the next try) or refused (a person has to do what Error says).
type TargetStatus struct {
	Name             string      `json:"name"`
	State            string      `json:"state"`
	Acknowledged     uint64      `json:"acknowledged"`
	Dropped          uint64      `json:"dropped"`
	Backlog          uint64      `json:"backlog"`
	LastAcknowledged hearth.Time `json:"last_acknowledged"`
	Error            string      `json:"error"`
	Note             string      `json:"note,omitempty"`     // what is worth knowing though nothing is wrong
	Commands         string      `json:"commands,omitempty"` // of the cloud: the state of the link that carries commands
}

// An Uplink runs all that leaves the gateway for its targets.
type Uplink struct {
	opt    Options
	cloud  *receiver
	influx *database
}

// New returns an Uplink for the targets that are set.
func New(o Options) *Uplink {
	u := &Uplink{opt: o}
	if o.Cloud != nil {
		u.cloud = newReceiver(&u.opt)
	}
	if o.Influx != nil {
		u.influx = newDatabase(&u.opt)
	}
	return u
}

// Run serves the targets until ctx ends. Nothing that a target does or fails to do ends it; it returns an error only
// when the gateway's own disk fails.
func (u *Uplink) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if u.cloud != nil {
		group.Go(func() error { return u.cloud.run(ctx) })
	}
	if u.influx != nil {
		group.Go(func() error { u.influx.run(ctx); return nil })
	}
	return group.Wait()
}

// Targets returns how each target is doing.
func (u *Uplink) Targets() []TargetStatus {
	list := []TargetStatus{}
	if u.cloud != nil {
		list = append(list, u.cloud.status.target(u.opt.Buffer, TargetCloud))
	}
	if u.influx != nil {
		list = append(list, u.influx.status.target(u.opt.Buffer, TargetInflux))
	}
	return list
}
