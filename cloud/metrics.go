package cloud

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/certs"
	"hearth/cloud/ingest"
	"hearth/cloud/series"
)

// lookTime is how long /metrics may ask the database.
const lookTime = 3 * time.Second

// gauges are where the samples of /metrics come from.
type gauges struct {
	version      string
	started      time.Time
	data         string
	rooms        *rooms
	in           *ingest.Ingest
	certificates *certs.Certificates // nil: no TLS
	watched      *watched
	log          *slog.Logger
}

// fill adds all samples.
func (g *gauges) fill(m *api.Metrics) {
	m.Gauge("hearth_build_info", "The program.", 1, "version", g.version, "go", runtime.Version())
	m.Gauge("process_start_time_seconds", "When it started.", float64(g.started.UnixMilli())/1000)
	g.ingested(m)
	g.watched.fill(m)
	g.stored(m)
	g.rooms.kept.fill(m)
	g.counted(m)
	g.told(m)
	if last := g.rooms.copies.Last(); !last.IsZero() {
		m.Gauge("hearth_backup_last_timestamp_seconds", "When the last backup was made; missing if none ever was.", float64(last.Unix()))
	}
	if g.certificates != nil {
		if end := g.certificates.Expires(); !end.IsZero() {
			m.Gauge("hearth_certificate_expiry_timestamp_seconds", "When the certificate ends; missing until there is one.", float64(end.Unix()))
		}
	}
	process(m)
	m.Runtime()
}

func (g *gauges) ingested(m *api.Metrics) {
	count := g.in.Counters()
	m.Counter("hearth_ingest_rows_total", "Rows stored.", float64(count.Rows.Load()))
	m.Counter("hearth_ingest_writes_total", "Batches and plain writes stored.", float64(count.Writes.Load()))
	m.Counter("hearth_ingest_duplicate_batches_total", "Batches that were stored already.", float64(count.Duplicates.Load()))
	m.Counter("hearth_ingest_ahead_batches_total", "Batches beyond the next one, answered 409.", float64(count.Ahead.Load()))
	m.Counter("hearth_ingest_bad_rows_total", "Rows refused.", float64(count.Bad.Load()))
	m.Counter("hearth_ingest_throttled_total", "Writes answered 429.", float64(count.Throttled.Load()))
	m.Counter("hearth_ingest_failed_total", "Writes that could not be stored, answered 503.", float64(count.Failed.Load()))
	m.Histogram("hearth_ingest_durable_seconds", "How long it took until a write was on disk.", &count.Durable)
	m.Gauge("hearth_ingest_draining_homes", "Homes that send what piled up.", float64(g.in.Draining()))
}

func (g *gauges) stored(m *api.Metrics) {
	stats := g.rooms.kept.store.Stats()
	m.Gauge("hearth_series_disk_bytes", "The time series on disk.", float64(stats.Bytes))
	m.Gauge("hearth_series_cache_bytes", "The time series in memory.", float64(stats.CacheBytes))
	m.Gauge("hearth_series_homes", "Homes in memory.", float64(stats.Homes))
	m.Gauge("hearth_series_cached", "Series in memory.", float64(stats.Series))
	m.Gauge("hearth_series_merges_waiting", "Homes that wait for their readings to be merged.", float64(stats.Waiting))
	m.Counter("hearth_series_damaged_total", "Pieces on disk that could not be read.", float64(stats.Damaged))
	var disk unix.Statfs_t
	if err := unix.Statfs(g.data, &disk); err != nil {
		g.log.Error("looking at the disk of the data directory", "err", err)
		return
	}
	m.Gauge("hearth_disk_free_bytes", "Room on the disk of the data directory.", float64(disk.Bavail)*float64(disk.Bsize))
	m.Gauge("hearth_disk_size_bytes", "Size of the disk of the data directory.", float64(disk.Blocks)*float64(disk.Bsize))
}

// told counts what left the receiver, and what did not.
func (g *gauges) told(m *api.Metrics) {
	if up, elsewhere := g.rooms.down.BrokerElsewhere(); elsewhere {
		m.Gauge("hearth_mqtt_broker_up", "1 while the receiver is connected to its broker.", flag(up))
	} else {
		m.Gauge("hearth_mqtt_clients", "MQTT connections to the embedded broker.", float64(g.rooms.down.Clients()))
	}
	m.Counter("hearth_mqtt_untold_total", "Events that the broker was not told of: it took them too slowly.", float64(g.rooms.down.Untold()))
	stats := g.rooms.told.notes.Stats()
	m.Counter("hearth_deliveries_sent_total", "Messages of alerts and events that were delivered.", float64(stats.Sent))
	m.Counter("hearth_deliveries_failed_total", "Attempts to deliver that failed.", float64(stats.Failed))
	m.Counter("hearth_deliveries_lost_total", "Events for webhooks that came too fast to be stored.", float64(stats.Lost))
}

// counted asks the database, whose silence is a sample, too.
func (g *gauges) counted(m *api.Metrics) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	m.Counter("hearth_sql_errors_total", "Failures of the database.", float64(g.rooms.books.Failures()))
	tally := g.rooms.homes.Count()
	m.Gauge("hearth_homes_online", "Homes whose gateway is there.", float64(tally.Online))
	m.Gauge("hearth_backlog_rows", "Readings that wait on the gateways.", float64(tally.Backlog))
	m.Gauge("hearth_backlog_largest_rows", "Readings that wait on the gateway where most do.", float64(tally.LargestBacklog))
	n, err := g.rooms.books.Counts(ctx)
	m.Gauge("hearth_sql_up", "1 while the database answers.", flag(err == nil))
	if err != nil {
		g.log.Error("counting what is in the database", "err", err)
		return
	}
	m.Gauge("hearth_homes", "Homes there are.", float64(n.Homes))
	m.Gauge("hearth_homes_dark", "Homes that were there once and are not now.", float64(max(0, n.Seen-tally.Online)))
	m.Gauge("hearth_commands_open", "Commands under way.", float64(n.Commands))
	m.Gauge("hearth_deliveries_waiting", "Messages of alerts and events that wait to be delivered.", float64(n.Deliveries))
	for _, severity := range slices.Sorted(maps.Keys(n.Alerts)) {
		m.Gauge("hearth_alerts_open", "Alerts that are not cleared.", float64(n.Alerts[severity]), "severity", severity)
	}
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// process adds what the system says of this process; what it does not say is left out.
func process(m *api.Metrics) {
	if data, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, resident int64
		if _, err := fmt.Sscan(string(data), &size, &resident); err == nil {
			m.Gauge("process_resident_memory_bytes", "Memory in use.", float64(resident*int64(os.Getpagesize())))
		}
	}
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err == nil {
		spent := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
		m.Counter("process_cpu_seconds_total", "Processor time spent.", spent.Seconds())
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		m.Gauge("process_open_fds", "Open files and connections.", float64(len(open)))
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
		m.Gauge("process_max_fds", "How many of them there may be.", float64(limit.Cur))
	}
}

// watchdog tells systemd that the receiver lives, after a look at both of its stores.
func watchdog(ctx context.Context, books *accounts.Accounts, store *series.Store, log *slog.Logger) error {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("the watchdog of systemd: %w", err)
	}
	if every == 0 {
		return nil
	}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		look, cancel := context.WithTimeout(ctx, every/2)
		err := books.DB().PingContext(look)
		cancel()
		if err == nil {
			_, err = store.Sync("watchdog")
		}
		if err == nil {
			_, err = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
		if err != nil && ctx.Err() == nil {
			log.Error("the watchdog was not told that all is well", "err", err)
		}
	}
}
