// Package replica lets several receivers keep the same readings. A log of writes in PostgreSQL puts the writes of all of
// them in one order, and each applies them, strictly in that order, to a series.Store of its own. What a write comes to
// (next, sent again, ahead of its turn, one series too many) depends on nothing but the writes before it, so every
// receiver comes to the same: the log decides nothing and holds no state but the writes.
//
// A write is durable once its group is committed in PostgreSQL. The receiver that took it answers when it has applied it
// itself, with what came of it there. Where its store stands in the log is kept with what is written, as one: a store
// that loses its end in a power cut goes on from where it is.
package replica

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

const (
	answerIn  = 10 * time.Second // how long a write may take; the gateway then sends it again
	appendIn  = 8 * time.Second  // of it, until PostgreSQL has it
	waiting   = 4096             // writes that wait to be put into the log
	committed = 8                // groups in the log that wait to be applied here, beyond which no more are taken
)

// Options are what a Replica is made of.
type Options struct {
	Accounts *accounts.Accounts // in PostgreSQL
	Series   *series.Store      // which nobody else writes to
	Keep     time.Duration      // how long the log goes back for receivers that were away; two days

	// Applied is told of each write that came by another receiver, as ingest tells of its own. It must be quick.
	Applied func(series.Write, series.Outcome)

	Now func() time.Time // nil: time.Now
	Log *slog.Logger
}

// A Replica is one receiver's store as one of several. It is safe for several goroutines.
type Replica struct {
	o     Options
	id    string // names this process
	log   *writeLog
	store *series.Store

	in    chan *pending
	mine  chan position // groups of this process that are in the log now
	wake  chan struct{} // somebody else put something there
	ended chan struct{} // closed when Run returns
	late  atomic.Bool   // a write was not applied in time, and none has been since

	count counters

	mu    sync.Mutex
	own   map[string][]*pending // groups of this process that are not applied, by mark
	place place
	moved chan struct{} // closed at the next change of place
}

// A pending write waits to be answered.
type pending struct {
	entry
	done  chan result
	taken atomic.Bool // it is being applied and will be answered, or nobody waits for it any more: then only body is left
}

type result struct {
	outcome series.Outcome
	err     error
}

// Open brings the store to where the log is now, which takes as long as it takes. It refuses a store that the log does
// not go on from; the error says what to do. Run comes next.
func Open(ctx context.Context, o Options) (*Replica, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Keep <= 0 {
		o.Keep = 48 * time.Hour
	}
	packer, err := newPacker()
	if err != nil {
		return nil, err
	}
	r := &Replica{
		o: o, id: rand.Text(), store: o.Series, log: &writeLog{db: o.Accounts.DB(), packer: packer},
		in: make(chan *pending, waiting), mine: make(chan position, committed), wake: make(chan struct{}, 1),
		ended: make(chan struct{}), own: map[string][]*pending{}, moved: make(chan struct{}),
	}
	if err := r.log.check(ctx); err != nil {
		return nil, fmt.Errorf("joining the other receivers: %w", err)
	}
	if err := r.join(ctx); err != nil {
		return nil, fmt.Errorf("joining the other receivers: %w", err)
	}
	if err := r.catchUp(ctx); err != nil {
		return nil, fmt.Errorf("applying what the other receivers took: %w", err)
	}
	return r, nil
}

// Leave makes a store that is used alone forget where it was in a log, so that it does not go on there one day as if
// nothing had happened in between.
func Leave(store *series.Store) error {
	place, err := store.Place()
	if err != nil || place == nil {
		return err
	}
	return store.SetPlace(nil)
}

// Run puts writes into the log and applies what is there until ctx ends. It returns an error when this receiver can not
// go on with the others.
func (r *Replica) Run(ctx context.Context) error {
	defer close(r.ended)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { r.appendAll(ctx); return nil })
	group.Go(func() error { return r.applyAll(ctx) })
	group.Go(func() error { r.listen(ctx); return nil })
	group.Go(func() error { return r.keep(ctx) })
	err := group.Wait()
	if flushed := r.store.Flush(); err == nil {
		err = flushed
	}
	return errors.Join(err, r.unregister())
}

// Write does what series.Store.Write does, on all receivers. After an error without a code it is unknown whether it
// will: the same Write is to be tried again. What the Write refers to is its caller's again when it returns.
func (r *Replica) Write(w series.Write) (series.Outcome, error) {
	if w.Home == "" || w.Batch != nil && (w.Batch.Epoch == "" || w.Batch.Seq == 0) {
		return series.Outcome{}, hearth.Errorf(hearth.CodeBadValue, "a write names a home, and a batch an epoch and a seq from 1")
	}
	w.Received = r.o.Now().Truncate(time.Millisecond).UTC()
	return r.do(entry{kind: entryWrite, write: w})
}

// DeleteHome does what series.Store.DeleteHome does, on all receivers; this one has done it when DeleteHome returns.
func (r *Replica) DeleteHome(home string) error {
	_, err := r.do(entry{kind: entryDelete, write: series.Write{Home: home}})
	return err
}

var (
	errLate  = errors.New("what is in the log of writes already has not been applied yet")
	errFull  = errors.New("too many writes wait for PostgreSQL")
	errEnded = errors.New("the receiver stops")
)

// do puts an entry into the log and waits until it is applied here.
func (r *Replica) do(e entry) (series.Outcome, error) {
	if r.late.Load() { // one more in the log would only make it longer
		return series.Outcome{}, errLate
	}
	e.encode()
	p := &pending{entry: e, done: make(chan result, 1)}
	select {
	case r.in <- p:
	default:
		return series.Outcome{}, errFull
	}
	timer := time.NewTimer(answerIn)
	defer timer.Stop()
	select {
	case answer := <-p.done:
		return answer.outcome, answer.err
	case <-r.ended:
	case <-timer.C:
	}
	if !p.taken.CompareAndSwap(false, true) {
		answer := <-p.done
		return answer.outcome, answer.err
	}
	select {
	case <-r.ended:
		return series.Outcome{}, errEnded
	default:
		r.late.Store(true)
		return series.Outcome{}, errLate
	}
}

// Sync tells up to where the home's batches are on all receivers together: this one may be behind the one that the
// gateway spoke with last, and a lower answer would have it believe that its readings are lost.
func (r *Replica) Sync(ctx context.Context, home string) (hearth.Sync, error) {
	if err := r.reach(ctx); err != nil {
		return hearth.Sync{}, fmt.Errorf("asking how far the other receivers are: %w", err)
	}
	return r.store.Sync(home)
}

// reach waits until what is in the log now is applied here.
func (r *Replica) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	head, err := r.log.head(ctx)
	if err != nil {
		return err
	}
	for {
		at, moved := r.at()
		if at.n >= head.n {
			return nil
		}
		select {
		case <-moved:
		case <-r.ended:
			return errEnded
		case <-ctx.Done():
			return errLate
		}
	}
}

// at returns where the store is, and what is closed when that changes.
func (r *Replica) at() (place, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.place, r.moved
}

func (r *Replica) moveTo(p place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.place = p
	close(r.moved)
	r.moved = make(chan struct{})
}

// counters count since the start.
type counters struct {
	appended, applied, groups, failed atomic.Uint64
	head                              atomic.Uint64
	others                            atomic.Int64
}

// Stats are figures for metrics.
type Stats struct {
	Position uint64 // of the last group that is applied here
	Behind   uint64 // groups in the log that are not, as of some seconds ago
	Appended uint64 // writes put into the log by this receiver …
	Groups   uint64 // … in so many groups
	Applied  uint64 // writes applied, of all receivers
	Failed   uint64 // groups that PostgreSQL did not take
	Others   int64  // other receivers that were there some seconds ago
}

// Stats returns figures for metrics.
func (r *Replica) Stats() Stats {
	at, _ := r.at()
	s := Stats{
		Position: at.n, Appended: r.count.appended.Load(), Groups: r.count.groups.Load(),
		Applied: r.count.applied.Load(), Failed: r.count.failed.Load(), Others: r.count.others.Load(),
	}
	s.Behind = max(r.count.head.Load(), at.n) - at.n
	return s
}

// withTimeout is for what is done while ctx may end already.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}

func (r *Replica) millis() int64 { return r.o.Now().UnixMilli() }

func isNone(err error) bool { return errors.Is(err, sql.ErrNoRows) }
