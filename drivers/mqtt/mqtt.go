// Package mqtt is the driver of all devices that speak with an MQTT broker: Zigbee2MQTT's, those that announce themselves
// to Home Assistant, and any that the configuration describes. How they speak is the dialects' business; here is the
// connection, and who hears what.
package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// A Driver is one broker.
type Driver struct {
	env    hearth.Env
	cfg    Config
	faces  []*face
	once   dialect.Once
	counts counts

	mu      sync.Mutex
	home    hearth.Home // nil without Run
	session *session    // nil without a connection
}

// counts are what there is to know of a broker's traffic.
type counts struct{ connects, received, dropped, refused, published atomic.Uint64 }

// New returns the driver of one broker. The connection is made by Run.
func New(env hearth.Env, cfg Config) (hearth.Driver, error) {
	for i := range cfg.Map {
		if err := cfg.Map[i].Check(); err != nil {
			return nil, err
		}
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	d := &Driver{env: env, cfg: cfg}
	if err := d.speakers(); err != nil {
		return nil, err
	}
	return d, nil
}

// Run implements hearth.Driver. It returns an error of code offline when the broker is away.
func (d *Driver) Run(ctx context.Context, home hearth.Home) error {
	if ctx.Err() != nil {
		return nil
	}
	connected := func() {}
	if patient, ok := home.(hearth.Patient); ok { // a broker may take long to say nothing
		connected = patient.Connecting()
	}
	s, err := d.connect(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	connected()
	d.begin(home, s)
	defer s.leave()
	defer d.begin(nil, nil)
	if err = s.serve(ctx); ctx.Err() != nil {
		return nil
	}
	return err
}

func (d *Driver) begin(home hearth.Home, s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.home, d.session = home, s
	for _, f := range d.faces {
		f.ids = map[hearth.ID]bool{}
	}
}

func (d *Driver) current() *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.session
}

// owner returns whose device id is; d.mu is held.
func (d *Driver) owner(id hearth.ID) *face {
	for _, f := range d.faces {
		if f.ids[id] {
			return f
		}
	}
	return nil
}

// subscribed reports whether any dialect wants filter.
func (d *Driver) subscribed(filter string) bool {
	for _, f := range d.faces {
		f.mu.RLock()
		wanted := f.filters[filter]
		f.mu.RUnlock()
		if wanted {
			return true
		}
	}
	return false
}

// Do implements hearth.Driver: the dialect that has announced the device carries it out.
func (d *Driver) Do(ctx context.Context, cmd hearth.Command) error {
	d.mu.Lock()
	s, owner := d.session, d.owner(cmd.Device)
	d.mu.Unlock()
	switch {
	case s == nil:
		return hearth.Errorf(hearth.CodeOffline, "the MQTT broker of %s is not connected", cmd.Device)
	case ctx.Err() != nil:
		return ctx.Err()
	case owner == nil: // home has it from before: it may be announced yet
		return hearth.Errorf(hearth.CodeOffline, "nothing at the MQTT broker has spoken for %s since it was connected", cmd.Device)
	}
	err := owner.dialect.Do(ctx, cmd)
	if err != nil && s.ctx.Err() != nil && ctx.Err() == nil && !errors.As(err, new(*hearth.Error)) {
		return dialect.Lost()
	}
	return err
}

// ServeHTTP answers GET with the counts of the connection and what is listened to.
func (d *Driver) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	type spoken struct {
		Name    string `json:"name"`
		Devices int    `json:"devices"`
		Filters int    `json:"filters"`
	}
	answer := struct {
		Connects  uint64   `json:"connects"`
		Received  uint64   `json:"received"`
		Dropped   uint64   `json:"dropped"` // because the queue was full
		Refused   uint64   `json:"refused"` // because they were too long
		Published uint64   `json:"published"`
		Dialects  []spoken `json:"dialects"`
	}{
		d.counts.connects.Load(), d.counts.received.Load(), d.counts.dropped.Load(), d.counts.refused.Load(), d.counts.published.Load(), nil,
	}
	for _, f := range d.faces {
		filters := len(f.all())
		d.mu.Lock()
		answer.Dialects = append(answer.Dialects, spoken{f.name, len(f.ids), filters})
		d.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the reader has gone if this fails
}
