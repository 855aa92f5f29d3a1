// Package forward sends everything that is stored on to other databases, VictoriaMetrics and InfluxDB, as line protocol
// with the tag home. It reads a log of the recent writes with a cursor of its own for each target, which is in SQL: a
// target that is away gets what it missed when it is back, and neither its absence nor a kill of anybody loses a row.
// Some rows are sent twice, which overwrites them with themselves.
//
// Far is the other direction: old readings come back from there.
package forward

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// A Log is where the recent writes are. Its numbers ascend and may leave some out.
type Log interface {
	// Read returns what came after that number, in order, about so many points of it at most.
	Read(ctx context.Context, after uint64, points int) ([]Portion, error)
	// Span returns the numbers of the oldest portion there is and of the newest; the oldest is beyond it where there is none.
	Span(ctx context.Context) (oldest, newest uint64, err error)
	// Trim drops what is up to that number, and what came before that time, if that is this log's to do.
	Trim(ctx context.Context, upTo uint64, before time.Time) error
}

// A Portion is what stands in the log under one number.
type Portion struct {
	N      uint64
	Writes []series.Write
}

// Options are what a Forward is made of.
type Options struct {
	Accounts *accounts.Accounts
	Log      Log
	Targets  []Target
	Keep     time.Duration // how long a target may be away before it misses something
	Version  string
	Now      func() time.Time // nil: time.Now
	Slog     *slog.Logger
}

// A Target is another database.
type Target struct {
	URL      string // as in http://127.0.0.1:8428, or http://vminsert:8480/insert/0/influx
	Database string // of InfluxDB v1, and of VictoriaMetrics where it matters
	Org      string // … or of v2
	Bucket   string
	Username string // Basic, with Password …
	Password string
	Token    string // … or a token

	// NumbersOnly: texts are not sent. A VictoriaMetrics takes a text and stores the number 0; one that says that it is
	// a VictoriaMetrics gets none anyway.
	NumbersOnly bool
}

// name names a target in SQL, in metrics and in the log.
func (t *Target) name() string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return t.Database + t.Bucket
	}
	return u.Host + u.Path + "/" + t.Database + t.Bucket
}

// Forward sends what is stored on. It is safe for several goroutines.
type Forward struct {
	o       Options
	db      *sql.DB
	targets []*target
}

// New returns a Forward; Run comes next.
func New(o Options) *Forward {
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Forward{o: o, db: o.Accounts.DB()}
	for _, t := range o.Targets {
		f.targets = append(f.targets, newTarget(f, t))
	}
	return f
}

const trimEvery = time.Minute

// Run forwards until ctx ends.
func (f *Forward) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range f.targets {
		group.Go(func() error { t.run(ctx); return nil })
	}
	group.Go(func() error { f.trim(ctx); return nil })
	return group.Wait()
}

// trim has the log drop what every target has for certain, and what is too old.
func (f *Forward) trim(ctx context.Context) {
	every := time.NewTicker(trimEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		least, err := f.least(ctx)
		if err == nil {
			err = f.o.Log.Trim(ctx, least, f.o.Now().Add(-f.o.Keep))
		}
		if err != nil && ctx.Err() == nil {
			f.o.Slog.Error("trimming what was forwarded: it is tried again", "err", err)
		}
	}
}

// least is up to where all targets are.
func (f *Forward) least(ctx context.Context) (uint64, error) {
	least := uint64(1<<63 - 1)
	for _, t := range f.targets {
		c, err := t.load(ctx)
		if err != nil {
			return 0, err
		}
		least = min(least, c.safe)
	}
	return least, nil
}

// Stats are figures of one target.
type Stats struct {
	Target  string
	Leads   bool   // this receiver is the one that sends
	Up      bool   // the last request was answered as it should be
	Behind  uint64 // portions of the log that it does not have yet
	Points  uint64 // sent since the start, those sent twice too
	Texts   uint64 // not sent, because it keeps numbers only
	Parked  uint64 // lines that it refused
	Missed  uint64 // portions of the log that were dropped before it had them
	Rewinds uint64 // times that something was sent again because it may have lost it
	Error   string
}

// counters are those of a target.
type counters struct {
	points, texts, parked, missed, rewinds atomic.Uint64

	mu     sync.Mutex
	leads  bool
	up     bool
	behind uint64
	err    string
}

// Stats returns figures for metrics.
func (f *Forward) Stats() []Stats {
	list := make([]Stats, 0, len(f.targets))
	for _, t := range f.targets {
		c := &t.count
		c.mu.Lock()
		list = append(list, Stats{
			Target: t.key, Leads: c.leads, Up: c.up, Behind: c.behind, Error: c.err,
			Points: c.points.Load(), Texts: c.texts.Load(), Parked: c.parked.Load(), Missed: c.missed.Load(), Rewinds: c.rewinds.Load(),
		})
		c.mu.Unlock()
	}
	return list
}

// Recent makes a Log of the writes that a series.Store keeps with Options.Recent.
type Recent struct{ Store *series.Store }

// Read implements Log.
func (r Recent) Read(_ context.Context, after uint64, points int) (portions []Portion, err error) {
	err = r.Store.Recent(after, func(n uint64, w series.Write) bool {
		portions = append(portions, Portion{N: n, Writes: []series.Write{w}})
		points -= len(w.Points) + len(w.Gaps)
		return points > 0
	})
	return portions, err
}

// Span implements Log.
func (r Recent) Span(context.Context) (oldest, newest uint64, err error) { return r.Store.RecentSpan() }

// Trim implements Log.
func (r Recent) Trim(ctx context.Context, upTo uint64, before time.Time) error {
	end := upTo
	err := r.Store.Recent(upTo, func(n uint64, w series.Write) bool {
		old := w.Received.Before(before)
		if old {
			end = n
		}
		return old && ctx.Err() == nil
	})
	if err != nil {
		return fmt.Errorf("trimming the recent writes: %w", err)
	}
	return r.Store.Forget(end)
}
