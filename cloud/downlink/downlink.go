// Package downlink carries commands to the homes' gateways and their answers back. The table of commands in SQL is the
// truth; MQTT is only the way there: what was not delivered is asked for by the gateway when it connects again.
package downlink

import (
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth"
	"hearth/cloud/accounts"
)

// Limits of commands.
const (
	DefaultDeadline = 5 * time.Minute
	MaxDeadline     = 30 * 24 * time.Hour
	Grace           = time.Hour // after its deadline a sent command is given up

	maxOpen    = 1000     // commands of one home that are not final
	maxPayload = 64 << 10 // bytes of one command or answer
	maxPage    = 1000     // records in one listing …
	maxListing = 2 << 20  // … and about so many bytes
	keep       = 90 * 24 * time.Hour
	sweepEvery = time.Second
)

// Options are what a Downlink is made with.
type Options struct {
	Accounts  *accounts.Accounts
	Device    func(home string, id hearth.ID) (hearth.DeviceView, bool) // from the home's inventory
	Changed   func(home string, r hearth.Record)                        // a command is new or has moved on
	Elsewhere func(home string, r hearth.Record)                        // the same, through another receiver, which has told the broker; nil: nobody is told
	Online    func(home string, online bool)                            // a gateway's session began or ended
	Reading   func(home string, r hearth.Reading)                       // a gateway told of a reading as it happened
	Event     func(home, kind string, payload []byte)                   // a gateway's event: device or status

	// Direct is told what a device without a gateway says (direct.go). Nil: there are none.
	Direct Direct

	Embedded *Embedded // the broker in this process …
	External *External // … or another one

	Now func() time.Time // nil: time.Now
	Log *slog.Logger
}

// Embedded says how the broker in this process listens, beside Handler.
type Embedded struct {
	Listen string      // address of plain MQTT; "" for none
	TLS    *tls.Config // nil: plain indeed
}

// External says which broker is used.
type External struct {
	Broker   string // mqtt://, mqtts://, ws:// or wss://
	Username string
	Password string
}

// A transport brings messages to gateways and hands theirs to a sink.
type transport interface {
	run(ctx context.Context) error
	publish(topic string, payload []byte) error
	heard() bool // whether applications may listen
	tell(ctx context.Context, topic string, payload []byte, qos byte) error
	handler() http.Handler // MQTT over WebSocket; nil if this process has no broker
	clients() int          // connected here
}

// A sink is told what a transport receives.
type sink interface {
	// message takes what was published. An error with a code means that it was refused, and its sender was told; any
	// other, that it is not safe yet and must come again.
	message(ctx context.Context, m message) error
	// session says that a home's gateway is there, or no longer.
	session(ctx context.Context, home string, live bool)
}

// A message is what somebody published on a home's topic.
type message struct {
	home, kind, rest string
	payload          []byte
	token            hearth.Token // of who did; zero where another broker let them in
	address          string
}

// A Downlink is safe for several goroutines.
type Downlink struct {
	o    Options
	db   *sql.DB
	via  transport
	seed maphash.Seed

	locks [1024]sync.Mutex // a home's commands are numbered and published in one order
	rates *rates           // of applications that publish

	told   chan tiding
	untold atomic.Uint64

	latest    latest    // where no other receiver moves commands on
	elsewhere elsewhere // where several receivers share them
	lookedAt  int64     // unix ms: what was sent before was looked at once for its answer (again.go); only sweep uses it

	mu      sync.Mutex
	live    map[string]bool          // homes whose gateway is there
	waiting map[string]chan struct{} // by home and command: closed at its next change
}

// New returns a Downlink. It does not listen yet; see Listen and Run.
func New(o Options) *Downlink {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Elsewhere == nil {
		o.Elsewhere = func(string, hearth.Record) {}
	}
	d := &Downlink{o: o, db: o.Accounts.DB(), seed: maphash.MakeSeed(), live: map[string]bool{}, waiting: map[string]chan struct{}{}}
	d.rates, d.told = newRates(o.Now), make(chan tiding, maxTold)
	if o.External != nil {
		d.via = newExternal(*o.External, d, o.Accounts.Shared(), o.Log)
	} else {
		d.via = newEmbedded(*o.Embedded, d, o.Accounts, o.Log)
	}
	return d
}

// Listen tells of the commands that are under way and starts the embedded broker for as long as ctx lasts, so that a
// receiver that says it is ready knows what is asked of its devices, and that its port is free. Run comes next.
func (d *Downlink) Listen(ctx context.Context) error {
	if err := d.tellOpen(ctx); err != nil {
		return fmt.Errorf("reading the commands under way: %w", err)
	}
	if e, ok := d.via.(*embedded); ok {
		return e.listen(ctx)
	}
	return nil
}

// Handler serves MQTT over WebSocket; nil with an external broker.
func (d *Downlink) Handler() http.Handler { return d.via.handler() }

// BrokerElsewhere reports whether the broker is another process, and whether it is connected.
func (d *Downlink) BrokerElsewhere() (up, elsewhere bool) {
	e, elsewhere := d.via.(*external)
	return elsewhere && e.heard(), elsewhere
}

// Clients returns how many MQTT clients are connected to this process.
func (d *Downlink) Clients() int { return d.via.clients() }

// Run serves the broker and ends commands whose time is up, until ctx ends.
func (d *Downlink) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.via.run(ctx) })
	group.Go(func() error { d.sweep(ctx); return nil })
	group.Go(func() error { d.tellAll(ctx); return nil })
	return group.Wait()
}

// tellOpen tells of the commands that are under way, as if they had just changed.
func (d *Downlink) tellOpen(ctx context.Context) error {
	rows, err := d.query(ctx, d.db, `SELECT home, n, steps, record FROM commands WHERE due > 0 ORDER BY home, n`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		d.o.Changed(r.home, r.Record)
	}
	return nil
}

// message implements sink.
func (d *Downlink) message(ctx context.Context, m message) error {
	switch m.kind {
	case "done":
		return d.done(ctx, m.home, m.payload)
	case "reading":
		d.reading(m.home, m.rest, m.payload)
	case "event":
		d.o.Event(m.home, m.rest, m.payload)
	case "command":
		return d.command(ctx, m)
	case "direct":
		return d.direct(ctx, m)
	}
	return nil
}

// session implements sink.
func (d *Downlink) session(ctx context.Context, home string, live bool) {
	d.mu.Lock()
	if live {
		d.live[home] = true
	} else {
		delete(d.live, home)
	}
	d.mu.Unlock()
	d.o.Online(home, live)
	if !live || d.o.External == nil {
		return // a gateway of the embedded broker asks for its commands itself
	}
	if err := d.deliver(ctx, home, false); err != nil {
		d.o.Log.Error("commands could not be delivered; it is tried again", "home", home, "err", err)
	}
}

func (d *Downlink) isLive(home string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live[home]
}

// lock keeps the commands of a home in order.
func (d *Downlink) lock(home string) *sync.Mutex {
	m := &d.locks[d.place(home)]
	m.Lock()
	return m
}

func (d *Downlink) place(home string) int {
	return int(maphash.String(d.seed, home) % uint64(len(d.locks)))
}

// publish puts a command on its way. If it does not arrive, the gateway asks for it when it connects again.
func (d *Downlink) publish(home string, cmd hearth.Command) {
	payload, err := json.Marshal(cmd)
	if err == nil {
		err = d.via.publish(hearth.TopicDo(home), payload)
	}
	if err != nil {
		d.o.Log.Warn("a command was not published; the gateway gets it when it connects again", "home", home, "command", cmd.ID, "err", err)
	}
}

func (d *Downlink) reading(home, rest string, payload []byte) {
	device, property, ok := cutLast(rest)
	var live hearth.LiveReading
	if !ok || hearth.ID(device).Check() != nil || json.Unmarshal(payload, &live) != nil || live.Value.IsZero() || len(live.Value.Text()) > hearth.MaxText {
		d.o.Log.Debug("a live value that cannot be one was passed over", "home", home)
		return
	}
	d.o.Reading(home, hearth.Reading{Device: hearth.ID(device), Property: property, Value: live.Value, Time: live.Time.Time})
}

// cutLast splits device/property.
func cutLast(s string) (before, after string, ok bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return s[:i], s[i+1:], i > 0 && i < len(s)-1
		}
	}
	return "", "", false
}

// sweep ends commands whose time is up, brings those to homes that are there which somehow were not sent or did not
// arrive, and forgets old ones.
func (d *Downlink) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := d.expire(ctx)
		if d.o.Accounts.Shared() {
			err = errors.Join(err, d.lookElsewhere(ctx))
		}
		err = errors.Join(err, d.publishAgain(ctx))
		if n%10 == 9 {
			err = errors.Join(err, d.deliverStranded(ctx))
		}
		if n%3600 == 60 {
			err = errors.Join(err, d.forget(ctx))
		}
		if err != nil && ctx.Err() == nil {
			d.o.Log.Error("sweeping the commands; it is tried again", "err", err)
		}
	}
}

// forget removes what is older than keep, a part at a time: commands wait for it.
func (d *Downlink) forget(ctx context.Context) error {
	const atOnce = 500
	for gone := int64(atOnce); gone == atOnce; {
		err := d.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
			result, err := tx.ExecContext(ctx, `DELETE FROM commands WHERE (home, id) IN (SELECT home, id FROM commands WHERE due = 0 AND changed < $1 ORDER BY changed LIMIT $2)`,
				d.o.Now().Add(-keep).UnixMilli(), atOnce)
			if err != nil {
				return err
			}
			gone, err = result.RowsAffected()
			return err
		})
		if err != nil {
			return fmt.Errorf("forgetting old commands: %w", err)
		}
	}
	return nil
}
