// Package alerts decides what of all that is wrong a person is told of, and when. What shows (a condition, of package
// fleet) becomes an alert once it has lasted; an alert is raised, acknowledged and cleared, once for one cause. One that
// comes and goes stays the same alert and is told ever more seldom, and many gateways that go away together are one
// outage. What is open is in SQL, and what is told of it is stored in the same transaction, so that a restart raises
// and tells nothing twice.
package alerts

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

const (
	tick       = time.Second
	sweepTicks = 15               // every home is looked at once in so many ticks, whatever happens
	homesEvery = 30 * time.Second // how long a new home may be unknown here
	shareEvery = 5 * time.Second  // how long what another receiver wrote may be unknown here
	lease      = 20 * time.Second
	ledgerLook = 10 * time.Minute
	keep       = 400 * 24 * time.Hour // of cleared alerts
)

// Options are what Alerts are made with.
type Options struct {
	Accounts *accounts.Accounts

	// Wrong says what is wrong with a home as it shows just now; known is false while nobody can tell.
	Wrong func(home string) (conditions []hearth.Condition, known bool)
	// Look shows a home's devices until look returns false.
	Look func(home string, look func(*hearth.DeviceView) bool)
	// Unexplained is how many rows a home's ledger cannot explain.
	Unexplained func(home string) (int64, error)
	// Own says what is wrong with the receiver itself. Nil: nothing ever is.
	Own func() []hearth.Condition

	// Tell stores what has to be delivered to a tenant's targets, "" being the receiver's own, in the transaction that
	// changes the alert; Told is called once that is on disk. Nil: nobody is told.
	Tell func(ctx context.Context, tx *sql.Tx, tenant string, e hearth.AlertEvent) error
	Told func()
	// Emit is told the live event of a home.
	Emit func(home, kind string, body any)

	Now func() time.Time // nil: time.Now
	Log *slog.Logger
}

// Alerts is safe for several goroutines. One of them, in Run, looks at the homes.
type Alerts struct {
	o  Options
	db *sql.DB

	touching sync.Mutex
	touched  map[string]bool // homes in which something happened since the last look

	mu      sync.Mutex
	homes   map[string]*watch
	tenants map[string]*tenant
	rules   map[string][]Rule // by tenant

	// Of the goroutine in Run alone.
	loaded   bool
	leading  bool
	order    []string // homes, as the sweep takes them
	next     int      // where the sweep is
	listed   time.Time
	shared   time.Time
	pruned   time.Time
	settling map[string]bool // homes with alerts that were cleared a short while ago
	unsaved  []news
}

// own is the id under which the receiver's own alerts are watched.
const own = ""

// A watch is what is known of one home here.
type watch struct {
	tenant  string
	name    string
	why     string // a gateway that is dark is, in words
	open    map[label]*alert
	pending map[label]time.Time // conditions that have not lasted long enough, and since when they are so
	recent  map[label]*alert    // cleared, and not yet for long enough to be another one if they come again

	unexplained int64 // rows, at the last look into the ledger
	ledger      time.Time
}

// A label tells a home's alerts apart.
type label struct{ kind, about string }

// An alert is one with what is known of it here alone.
type alert struct {
	hearth.Alert
	told    bool            // people believe that it is open
	saved   time.Time       // when its words were stored
	members map[string]bool // of an outage: its homes, true for one that is back
}

// News is an alert to be stored, and what is to be told of it: nothing where nothing changed for people.
type news struct {
	alert *alert
	event hearth.AlertEvent
}

// New returns Alerts. Nothing is known until Run.
func New(o Options) *Alerts {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Alerts{
		o: o, db: o.Accounts.DB(), touched: map[string]bool{}, settling: map[string]bool{},
		homes: map[string]*watch{}, tenants: map[string]*tenant{}, rules: map[string][]Rule{},
	}
}

// Touch says that something happened in a home that may matter. It is quick and may be called under any lock.
func (a *Alerts) Touch(home string) {
	a.touching.Lock()
	a.touched[home] = true
	a.touching.Unlock()
}

// Load reads what is open and what people want to be told of, so that the first page shows it. Run does it where it was
// not done.
func (a *Alerts) Load(ctx context.Context) error {
	if err := a.list(ctx); err != nil {
		return err
	}
	if err := a.loadRules(ctx); err != nil {
		return err
	}
	return a.load(ctx)
}

// Run looks at the homes until ctx ends. Of several receivers on one database one does; the others follow what it wrote.
func (a *Alerts) Run(ctx context.Context) error {
	beat := time.NewTicker(tick)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		if err := a.step(ctx); err != nil && ctx.Err() == nil {
			a.loaded = false // what was decided and not stored is decided again
			a.o.Log.Error("the alerts could not be kept; it is tried again", "err", err)
		}
	}
}

// step is one look.
func (a *Alerts) step(ctx context.Context) error {
	now := a.o.Now()
	if err := a.share(ctx, now); err != nil {
		return err
	}
	if now.Sub(a.listed) >= homesEvery {
		if err := a.list(ctx); err != nil {
			return err
		}
	}
	if !a.leading {
		return nil
	}
	for _, home := range a.due() {
		a.look(home, now)
	}
	a.lookAtOwn(now)
	a.mu.Lock()
	for _, t := range a.tenants {
		a.outage(t, now)
	}
	for home := range a.settling {
		a.settle(home, now)
	}
	a.mu.Unlock()
	if now.Sub(a.pruned) >= time.Hour {
		if err := a.prune(ctx, now); err != nil {
			return err
		}
		a.pruned = now
	}
	return a.store(ctx)
}

// share finds out whether this receiver is the one that decides, and takes over what others wrote.
func (a *Alerts) share(ctx context.Context, now time.Time) error {
	if a.loaded && now.Sub(a.shared) < shareEvery {
		return nil
	}
	leads, err := a.o.Accounts.Lease(ctx, "alerts", lease)
	if err != nil {
		a.leading = false
		return err
	}
	switch {
	case !a.loaded:
		err = a.Load(ctx)
	case !leads || !a.leading:
		err = errors.Join(a.loadRules(ctx), a.load(ctx))
	case a.o.Accounts.Shared():
		err = errors.Join(a.loadRules(ctx), a.loadAcks(ctx))
	}
	if err != nil {
		return err
	}
	a.leading, a.loaded, a.shared = leads, true, now
	return nil
}

// due returns the homes to be looked at: those in which something happened, and a part of all.
func (a *Alerts) due() []string {
	a.touching.Lock()
	touched := a.touched
	a.touched = map[string]bool{}
	a.touching.Unlock()
	due := make([]string, 0, len(touched)+len(a.order)/sweepTicks+1)
	for home := range touched {
		due = append(due, home)
	}
	for range min(len(a.order)/sweepTicks+1, len(a.order)) {
		a.next = (a.next + 1) % len(a.order)
		if home := a.order[a.next]; !touched[home] {
			due = append(due, home)
		}
	}
	return due
}

// list takes over which homes there are.
func (a *Alerts) list(ctx context.Context) error {
	homes, err := a.o.Accounts.Visible(ctx, hearth.Token{Scope: hearth.ScopeAdmin})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	gone := make(map[string]bool, len(a.homes))
	for id := range a.homes {
		gone[id] = id != own
	}
	for _, t := range a.tenants {
		t.homes = 0
	}
	a.order = a.order[:0]
	for _, h := range homes {
		w := a.watch(h.ID)
		w.tenant, w.name = h.Tenant, h.Name
		a.tenant(h.Tenant).homes++
		a.order = append(a.order, h.ID)
		delete(gone, h.ID)
	}
	for id := range gone {
		if gone[id] {
			a.forget(id)
		}
	}
	a.listed = a.o.Now()
	return nil
}

// watch returns the home's, made if need be; a.mu is held.
func (a *Alerts) watch(home string) *watch {
	w := a.homes[home]
	if w == nil {
		w = &watch{}
		a.homes[home] = w
	}
	return w
}

// forget drops a home that was deleted; a.mu is held.
func (a *Alerts) forget(home string) {
	if t := a.tenants[a.homes[home].tenant]; t != nil {
		delete(t.waiting, home)
		delete(t.unsure, home)
		if t.outage != nil {
			delete(t.outage.members, home)
		}
	}
	delete(a.homes, home)
	delete(a.settling, home)
}
