package cloud

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/downlink"
	"hearth/cloud/fleet"
	"hearth/cloud/ingest"
	"hearth/cloud/series"
)

// metricsOf returns what fills in the samples of /metrics.
func metricsOf(version string, store *series.Store, in *ingest.Ingest, homes *fleet.Fleet, down *downlink.Downlink) func(*api.Metrics) {
	started := time.Now()
	return func(m *api.Metrics) {
		m.Gauge("hearth_build_info", "The program.", 1, "version", version, "go", runtime.Version())
		m.Gauge("process_start_time_seconds", "When it started.", float64(started.UnixMilli())/1000)
		count := in.Counters()
		m.Counter("hearth_ingest_rows_total", "Rows stored.", float64(count.Rows.Load()))
		m.Counter("hearth_ingest_writes_total", "Batches and plain writes stored.", float64(count.Writes.Load()))
		m.Counter("hearth_ingest_duplicate_batches_total", "Batches that were stored already.", float64(count.Duplicates.Load()))
		m.Counter("hearth_ingest_ahead_batches_total", "Batches beyond the next one, answered 409.", float64(count.Ahead.Load()))
		m.Counter("hearth_ingest_bad_rows_total", "Rows refused.", float64(count.Bad.Load()))
		m.Counter("hearth_ingest_throttled_total", "Writes answered 429.", float64(count.Throttled.Load()))
		m.Counter("hearth_ingest_failed_total", "Writes that could not be stored, answered 503.", float64(count.Failed.Load()))
		m.Gauge("hearth_homes_online", "Homes whose gateway is there.", float64(homes.Count()))
		m.Gauge("hearth_mqtt_clients", "MQTT connections to the embedded broker.", float64(down.Clients()))
		stats := store.Stats()
		m.Gauge("hearth_series_disk_bytes", "The time series on disk.", float64(stats.Bytes))
		m.Gauge("hearth_series_cache_bytes", "The time series in memory.", float64(stats.CacheBytes))
		m.Gauge("hearth_series_homes", "Homes in memory.", float64(stats.Homes))
		m.Gauge("hearth_series_count", "Series in memory.", float64(stats.Series))
		m.Counter("hearth_series_damaged_total", "Pieces on disk that could not be read.", float64(stats.Damaged))
		m.Runtime()
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
