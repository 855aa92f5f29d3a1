package cloud

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/fleet"
	"hearth/cloud/forward"
	"hearth/cloud/influxql"
	"hearth/cloud/ingest"
	"hearth/cloud/replica"
	"hearth/cloud/series"
	"hearth/cloud/web"
)

// readings are where the homes' readings are: a store of this receiver's own, which several receivers keep the same
// where the accounts are in PostgreSQL; and the databases that get them, too, and have the old ones.
type readings struct {
	store  *series.Store
	shared *replica.Replica // nil: there is one receiver
	onward *forward.Forward // nil: nobody else gets them
	far    *forward.Far     // nil: all are here
	homes  *fleet.Fleet     // is told of what other receivers took in

	erasing *erasure
}

func openReadings(ctx context.Context, c Config, books *accounts.Accounts, version string, log *slog.Logger) (*readings, error) {
	targets, err := c.Series.targets(log)
	if err != nil {
		return nil, err
	}
	r := &readings{}
	if r.far, err = c.Series.Read.far(log); err != nil {
		return nil, err
	}
	r.store, err = series.Open(c.seriesDir(), series.Options{
		Retention: c.Series.Retention.Std(), RetentionOf: retentionOf(books, c), Recent: len(targets) > 0 && !books.Shared(), Log: log,
	})
	if err != nil {
		return nil, err
	}
	var recent forward.Log = forward.Recent{Store: r.store}
	if !books.Shared() {
		err = replica.Leave(r.store)
	} else {
		r.shared, err = replica.Open(ctx, replica.Options{Accounts: books, Series: r.store, Keep: c.Series.Log.Std(), Applied: r.elsewhere, Log: log})
		recent = sharedLog{r.shared}
	}
	if err != nil {
		return nil, errors.Join(err, r.store.Close())
	}
	erase := r.store.DeleteHome
	if r.shared != nil {
		erase = r.shared.DeleteHome
	}
	r.erasing = newErasure(erase, log)
	if books.Shared() && c.MQTT.Broker == "" {
		log.Info("before another receiver joins this one, have both use one broker (mqtt.broker): commands and live values pass through it")
	}
	if len(targets) > 0 {
		r.onward = forward.New(forward.Options{Accounts: books, Log: recent, Targets: targets, Keep: c.Series.Log.Std(), Version: version, Slog: log})
	}
	return r, nil
}

// sharedLog is the log of writes that several receivers share, as forward reads it.
type sharedLog struct{ *replica.Replica }

// Read implements forward.Log.
func (l sharedLog) Read(ctx context.Context, after uint64, points int) (portions []forward.Portion, err error) {
	err = l.Recent(ctx, after, func(n uint64, writes []series.Write) bool {
		portions = append(portions, forward.Portion{N: n, Writes: writes})
		for i := range writes {
			points -= len(writes[i].Points) + len(writes[i].Gaps)
		}
		return points > 0
	})
	return portions, err
}

// Span implements forward.Log.
func (l sharedLog) Span(ctx context.Context) (oldest, newest uint64, err error) {
	return l.RecentSpan(ctx)
}

// Trim implements forward.Log: receivers trim it themselves.
func (l sharedLog) Trim(context.Context, uint64, time.Time) error { return nil }

// A source answers questions about readings.
type source interface {
	web.Series
	influxql.Source
}

// source answers them with old readings, too.
func (r *readings) source() source {
	if r.far == nil {
		return r.store
	}
	return &forward.Whole{Store: r.store, Far: r.far}
}

func (r *readings) close() error { return r.store.Close() }

// elsewhere tells of what another receiver took in.
func (r *readings) elsewhere(w series.Write, outcome series.Outcome) {
	a := ingest.ArrivalOf(w, outcome)
	r.homes.ArrivedElsewhere(a.Home, a.Readings, a.Gaps, backlogOf(a))
}

// writer is where writes go.
func (r *readings) writer() ingest.Store {
	if r.shared != nil {
		return r.shared
	}
	return r.store
}

// sync tells up to where a home's batches are durable.
func (r *readings) sync(ctx context.Context, home string) (hearth.Sync, error) {
	if r.shared != nil {
		return r.shared.Sync(ctx, home)
	}
	return r.store.Sync(home)
}

func (r *readings) routes() []api.Route {
	if r.onward == nil {
		return nil
	}
	return r.onward.Routes()
}

func (r *readings) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.store.Run(ctx) })
	if r.shared != nil {
		group.Go(func() error { return r.shared.Run(ctx) })
	}
	if r.onward != nil {
		group.Go(func() error { return r.onward.Run(ctx) })
	}
	group.Go(func() error { return r.erasing.run(ctx) })
	return group.Wait()
}

// fill adds what an operator of several receivers, or of further databases, looks at.
func (r *readings) fill(m *api.Metrics) {
	if r.shared != nil {
		r.fillShared(m)
	}
	if r.onward == nil {
		return
	}
	for _, t := range r.onward.Stats() {
		m.Gauge("hearth_forward_leads", "1 on the receiver that sends to the target.", number(t.Leads), "target", t.Target)
		if t.Leads {
			m.Gauge("hearth_forward_up", "1 while the target takes what it is sent; only on the receiver that sends.", number(t.Up), "target", t.Target)
			m.Gauge("hearth_forward_behind", "Portions of the log of writes that the target does not have yet; only on the receiver that sends.", float64(t.Behind), "target", t.Target)
		}
		m.Counter("hearth_forward_points_total", "Points sent to the target, those sent twice too.", float64(t.Points), "target", t.Target)
		m.Counter("hearth_forward_texts_total", "Texts not sent to a target that keeps numbers only.", float64(t.Texts), "target", t.Target)
		m.Counter("hearth_forward_parked_total", "Lines that the target refused; they are parked.", float64(t.Parked), "target", t.Target)
		m.Counter("hearth_forward_missed_total", "Portions of the log that the target was away for too long to get.", float64(t.Missed), "target", t.Target)
		m.Counter("hearth_forward_rewinds_total", "Times that a target was sent again what it may have lost.", float64(t.Rewinds), "target", t.Target)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (r *readings) fillShared(m *api.Metrics) {
	stats := r.shared.Stats()
	m.Gauge("hearth_replica_receivers", "Receivers that keep the same readings and are there, this one included.", float64(stats.Others+1))
	m.Gauge("hearth_replica_position", "Up to where in the log of writes this receiver is.", float64(stats.Position))
	m.Gauge("hearth_replica_behind", "Groups in the log of writes that this receiver does not have yet.", float64(stats.Behind))
	m.Counter("hearth_replica_appended_total", "Writes that this receiver put into the log.", float64(stats.Appended))
	m.Counter("hearth_replica_groups_total", "Groups that it put them there in, each committed at once.", float64(stats.Groups))
	m.Counter("hearth_replica_applied_total", "Writes of all receivers that this one applied.", float64(stats.Applied))
	m.Counter("hearth_replica_failed_total", "Groups that PostgreSQL did not take.", float64(stats.Failed))
}
