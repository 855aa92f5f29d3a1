// Package notify brings events to the targets of tenants, which are webhooks and e-mail addresses. What is to be
// delivered is kept in an outbox in SQL until it is: in order for each target, at least once, under an id by which a
// receiver knows what it has. Alerts are stored there in the transaction that changes them; other events a moment after
// they happened.
package notify

import (
	"context"
	"crypto/tls"
	"database/sql"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

const (
	lease       = 20 * time.Second
	leaseEvery  = 5 * time.Second // how often it is renewed, and how old what is known of targets may be where several receivers share them
	lookEvery   = time.Minute     // how long nothing is looked for where nothing is due …
	sharedLook  = time.Second     // … and where another receiver may have stored something
	queueSize   = 8192            // events that wait to be stored
	storeAtOnce = 256             // of them in one transaction
	storePause  = 50 * time.Millisecond
	senders     = 32 // targets that are served at the same time
	pruneEvery  = time.Hour
	keepEnded   = 7 * 24 * time.Hour // how long the log of a target goes back …
	keepRows    = 1000               // … and how many deliveries it has at the most
	testTries   = 10                 // tests a minute and tenant
)

// Options are what a Notify is made with.
type Options struct {
	Accounts *accounts.Accounts
	Mail     Mail

	// Private lets webhooks go to loopback and private addresses, and over plain HTTP.
	Private bool
	TLS     *tls.Config // nil: the machine's own roots

	Version string
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger
}

// A Notify is safe for several goroutines.
type Notify struct {
	o     Options
	db    *sql.DB
	hooks *webhooks
	tests *api.Throttle

	targets atomic.Pointer[subscriptions]
	queue   chan happening
	lost    atomic.Int64 // events that found the queue full
	sent    atomic.Int64
	failed  atomic.Int64
	wake    chan struct{}

	mu    sync.Mutex
	busy  map[string]bool      // targets that are served just now
	later map[string]time.Time // those whose next delivery is not due before then
}

// A happening is an event on its way into the outbox.
type happening struct {
	tenant, home, kind string
	body               any
	at                 time.Time
}

// New returns a Notify. Load comes next, before anything happens, and then Run.
func New(o Options) *Notify {
	if o.Now == nil {
		o.Now = time.Now
	}
	n := &Notify{
		o: o, db: o.Accounts.DB(), hooks: newWebhooks(o), tests: api.NewThrottle(testTries, time.Minute, o.Now),
		queue: make(chan happening, queueSize), wake: make(chan struct{}, 1), busy: map[string]bool{}, later: map[string]time.Time{},
	}
	n.targets.Store(&subscriptions{})
	return n
}

// Publish has an event of a home delivered to the targets of its tenant that want its kind; tenant may be "" where home
// is given. Alerts come through Tell instead. It never blocks: where events come faster than they can be stored, the
// newest are lost, and counted.
func (n *Notify) Publish(tenant, home, kind string, body any) {
	if kind == KindAlert || !n.targets.Load().kinds[kind] {
		return
	}
	select {
	case n.queue <- happening{tenant, home, kind, body, n.o.Now()}:
	default:
		n.lost.Add(1)
	}
}

// Wake has what was stored delivered at once.
func (n *Notify) Wake() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Run stores events and delivers what is stored until ctx ends. Of several receivers on one database one delivers.
func (n *Notify) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { n.storeAll(ctx); return nil })
	group.Go(func() error { n.sendAll(ctx); return nil })
	return group.Wait()
}

// sendAll looks for what is due and serves each target in a goroutine of its own.
func (n *Notify) sendAll(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	places := make(chan struct{}, senders)
	look := time.NewTimer(0)
	defer look.Stop()
	var leads bool
	var asked, pruned time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		case <-n.wake:
		}
		now := n.o.Now()
		if now.Sub(asked) >= leaseEvery {
			leads = n.lead(ctx)
			asked = now
		}
		look.Reset(sharedLook)
		if !leads {
			continue
		}
		if now.Sub(pruned) >= pruneEvery {
			n.report(ctx, "deleting old deliveries", n.prune(ctx, now))
			pruned = now
		}
		due, err := n.due(ctx, now)
		n.report(ctx, "looking for what is to be delivered", err)
		for _, target := range due {
			n.serve(ctx, &all, places, target)
		}
		if !n.o.Accounts.Shared() && err == nil {
			look.Reset(n.nextDue(ctx, now))
		}
	}
}

// lead reports whether this receiver delivers, and takes over what another one changed.
func (n *Notify) lead(ctx context.Context) bool {
	leads, err := n.o.Accounts.Lease(ctx, "notify", lease)
	if err == nil && n.o.Accounts.Shared() {
		err = n.Load(ctx)
	}
	n.report(ctx, "asking who delivers", err)
	return leads
}

func (n *Notify) report(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		n.o.Log.Error(what+": it is tried again", "err", err)
	}
}

// serve delivers what is due to a target, unless that is being done already or its first delivery has to wait.
func (n *Notify) serve(ctx context.Context, all *sync.WaitGroup, places chan struct{}, target string) {
	n.mu.Lock()
	waits := n.busy[target] || n.later[target].After(n.o.Now())
	if !waits {
		n.busy[target] = true
		delete(n.later, target)
	}
	n.mu.Unlock()
	if waits {
		return
	}
	all.Go(func() {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-places }()
		next, err := n.drain(ctx, target)
		n.report(ctx, "delivering events", err)
		if err != nil {
			next = n.o.Now().Add(firstPause)
		}
		n.mu.Lock()
		delete(n.busy, target)
		if next.After(n.o.Now()) {
			n.later[target] = next
		}
		n.mu.Unlock()
		n.Wake() // for what was stored while it was busy, and to know when to look again
	})
}

// Stats are what happened since the start.
type Stats struct {
	Sent, Failed int64 // deliveries that succeeded, attempts that did not
	Lost         int64 // events that came too fast to be stored
}

// Stats returns what happened since the start.
func (n *Notify) Stats() Stats {
	return Stats{Sent: n.sent.Load(), Failed: n.failed.Load(), Lost: n.lost.Load()}
}

// Tell stores the deliveries of what happened to an alert in the transaction that changes it. What concerns the
// receiver itself goes to the main tenant.
func (n *Notify) Tell(ctx context.Context, tx *sql.Tx, tenant string, e hearth.AlertEvent) error {
	if tenant == "" {
		tenant = accounts.MainTenant
	}
	event := newEvent(KindAlert, tenant, e.Home, e.Severity, n.o.Now())
	event.take(e)
	for _, t := range n.targets.Load().of[tenant] {
		if t.wantsAlert(e) {
			if err := n.enqueue(ctx, tx, t, event); err != nil {
				return err
			}
		}
	}
	return nil
}
