package web

import (
	"net/http"
	"runtime"

	"hearth"
	"hearth/api"
)

func (w *Web) getStatus(rw http.ResponseWriter, _ *http.Request) error {
	api.WriteJSON(rw, http.StatusOK, w.status())
	return nil
}

func (w *Web) listDrivers(rw http.ResponseWriter, _ *http.Request) error {
	api.WriteJSON(rw, http.StatusOK, w.status().Drivers)
	return nil
}

func (w *Web) getDriver(rw http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	for _, d := range w.status().Drivers {
		if d.Name == name {
			api.WriteJSON(rw, http.StatusOK, d)
			return nil
		}
	}
	return hearth.Errorf(hearth.CodeNotFound, "there is no driver %.200q", name)
}

type health struct {
	Status string `json:"status"` // ok
}

func (w *Web) healthz(rw http.ResponseWriter, _ *http.Request) error {
	api.WriteJSON(rw, http.StatusOK, health{"ok"})
	return nil
}

func (w *Web) getDocument(rw http.ResponseWriter, _ *http.Request) error {
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write(w.document) // the caller may have gone
	return nil
}

// mountDrivers hands /api/v1/drivers/{name}/… to what a driver adds of its own. A driver may show what a person who
// only watches should not see (a dump holds the radio's key), so reading needs control scope and changing admin. What
// let the caller in is taken off the request: a driver, or a plugin behind it, has no use for it.
func (w *Web) mountDrivers(mux *http.ServeMux) {
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		driver := w.o.DriverHandler(name)
		if driver == nil {
			api.Fail(rw, r, hearth.Errorf(hearth.CodeNotFound, "driver %.200q has nothing of its own to show", name))
			return
		}
		r.Header.Del("Authorization")
		r.Header.Del("Cookie")
		http.StripPrefix("/api/v1/drivers/"+name, driver).ServeHTTP(rw, r)
	})
	read, change := w.auth.Need(hearth.ScopeControl, handler), w.auth.Need(hearth.ScopeAdmin, handler)
	mux.Handle("/api/v1/drivers/{name}/{rest...}", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			read.ServeHTTP(rw, r)
			return
		}
		change.ServeHTTP(rw, r)
	}))
}

func (w *Web) mountMetrics(mux *http.ServeMux) {
	handler := api.ServeMetrics(w.metrics)
	if !w.o.OpenMetrics {
		handler = w.auth.Need(hearth.ScopeRead, handler)
	}
	mux.Handle("GET /metrics", handler)
}

func (w *Web) metrics(m *api.Metrics) {
	s := w.status()
	m.Gauge("hearth_build_info", "Always 1; the labels name the program.", 1, "version", s.Version, "goversion", runtime.Version())
	m.Gauge("hearth_uptime_seconds", "Time since the start.", float64(s.Uptime))
	m.Gauge("hearth_clock_trusted", "1 if the clock can be believed.", number(s.Clock.Trusted))
	reachable := map[bool]int{}
	for _, d := range w.o.Home.Devices() {
		reachable[d.Reachable]++
	}
	m.Gauge("hearth_devices", "Devices known, by whether they can be reached.", float64(reachable[true]), "reachable", "true")
	m.Gauge("hearth_devices", "Devices known, by whether they can be reached.", float64(reachable[false]), "reachable", "false")
	m.Counter("hearth_home_refused_total", "Readings and announcements of drivers that were refused.", float64(w.o.Home.Refused()))
	for _, d := range s.Drivers {
		m.Gauge("hearth_driver_up", "1 if the driver is running.", number(d.State == "running"), "driver", d.Name, "type", d.Type)
	}
	m.Counter("hearth_buffer_produced_rows_total", "Rows ever committed to the buffer.", float64(s.Buffer.Produced))
	m.Gauge("hearth_buffer_bytes", "Size of the buffer on disk.", float64(s.Buffer.Bytes))
	m.Gauge("hearth_buffer_cap_bytes", "What the buffer may grow to.", float64(s.Buffer.Cap))
	if !s.Buffer.Oldest.IsZero() {
		m.Gauge("hearth_buffer_oldest_timestamp_seconds", "Time of the oldest row held.", float64(s.Buffer.Oldest.UnixMilli())/1000)
	}
	for _, t := range s.Targets {
		m.Counter("hearth_target_acknowledged_rows_total", "Rows that the target has.", float64(t.Acknowledged), "target", t.Name)
		m.Counter("hearth_target_dropped_rows_total", "Rows that the target will never have.", float64(t.Dropped), "target", t.Name)
		m.Gauge("hearth_target_backlog_rows", "Rows on their way to the target.", float64(t.Backlog), "target", t.Name)
		if !t.LastAcknowledged.IsZero() {
			m.Gauge("hearth_target_last_acknowledged_timestamp_seconds", "When the target last acknowledged something.", float64(t.LastAcknowledged.UnixMilli())/1000, "target", t.Name)
		}
	}
	m.Counter("hearth_disk_written_bytes_total", "Bytes given to the disk.", float64(s.Disk.Written))
	m.Gauge("hearth_disk_written_per_day_bytes", "Bytes given to the disk in a day, at the pace so far.", float64(s.Disk.PerDay))
	m.Gauge("hearth_event_clients", "Clients that watch live events.", float64(w.hub.Clients()))
	m.Runtime()
	w.o.Metrics(m)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
