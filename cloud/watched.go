package cloud

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hearth"
	"hearth/api"
)

// watched counts what passes by, for /metrics.
type watched struct {
	took     map[string]*api.Histogram // by class of route
	commands map[hearth.State]*atomic.Uint64

	mu       sync.Mutex
	answered map[answered]uint64
}

// answered is a kind of request and what it got.
type answered struct {
	class  string
	status int
}

// The classes of routes: what belongs together when something is slow or fails.
const (
	classWrite   = "write"   // data in
	classGateway = "gateway" // what gateways ask beside
	classAPI     = "api"
	classQuery   = "query"  // InfluxDB's
	classStream  = "stream" // live events: they last, so how long is not counted
	classPage    = "page"
	classStatic  = "static"
	classProbe   = "probe" // who looks whether it lives
	classMQTT    = "mqtt"  // connections, counted when they begin
)

func newWatched() *watched {
	w := &watched{took: map[string]*api.Histogram{}, commands: map[hearth.State]*atomic.Uint64{}, answered: map[answered]uint64{}}
	for _, class := range []string{classWrite, classGateway, classAPI, classQuery, classPage, classStatic, classProbe} {
		w.took[class] = new(api.Histogram)
	}
	for _, state := range finalStates() {
		w.commands[state] = new(atomic.Uint64)
	}
	return w
}

// finalStates are those in which a command's life ends.
func finalStates() []hearth.State {
	return []hearth.State{hearth.Confirmed, hearth.Applied, hearth.Rejected, hearth.Failed, hearth.Expired, hearth.Superseded}
}

// classOf tells which class a request is of.
func classOf(r *http.Request) string {
	switch path := r.URL.Path; {
	case path == "/write", path == "/api/v2/write":
		return classWrite
	case path == "/query":
		return classQuery
	case path == "/mqtt":
		return classMQTT
	case path == "/ping", path == "/health", path == "/healthz", path == "/metrics":
		return classProbe
	case strings.HasPrefix(path, "/static/"):
		return classStatic
	case !strings.HasPrefix(path, "/api/"):
		return classPage
	case strings.HasSuffix(path, "/events"):
		return classStream
	case strings.HasSuffix(path, "/sync"), strings.HasSuffix(path, "/claim"), strings.HasSuffix(path, "/whoami"),
		r.Method == http.MethodPut && strings.HasSuffix(path, "/devices"), r.URL.Query().Has("after"):
		return classGateway
	}
	return classAPI
}

// requests counts what next answers, and how long it takes.
func (w *watched) requests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		class := classOf(r)
		if class == classMQTT { // it takes the connection over, which nothing around it must hinder
			w.count(class, http.StatusSwitchingProtocols)
			next.ServeHTTP(rw, r)
			return
		}
		seen := &statusWriter{ResponseWriter: rw, status: http.StatusOK}
		began := time.Now()
		defer func() {
			w.count(class, seen.status)
			if took := w.took[class]; took != nil {
				took.Observe(time.Since(began))
			}
		}()
		next.ServeHTTP(seen, r)
	})
}

func (w *watched) count(class string, status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered[answered{class, status}]++
}

// command is told of every change of a command.
func (w *watched) command(r hearth.Record) {
	if n := w.commands[r.State]; n != nil && r.Final {
		n.Add(1)
	}
}

// fill adds what was counted.
func (w *watched) fill(m *api.Metrics) {
	w.mu.Lock()
	kinds := slices.SortedFunc(maps.Keys(w.answered), func(a, b answered) int {
		return cmp.Or(strings.Compare(a.class, b.class), a.status-b.status)
	})
	for _, kind := range kinds {
		m.Counter("hearth_http_requests_total", "HTTP requests by class of route and status.", float64(w.answered[kind]),
			"class", kind.class, "status", strconv.Itoa(kind.status))
	}
	w.mu.Unlock()
	for _, class := range slices.Sorted(maps.Keys(w.took)) {
		m.Histogram("hearth_http_request_seconds", "How long HTTP requests took, by class of route.", w.took[class], "class", class)
	}
	for _, state := range finalStates() {
		m.Counter("hearth_commands_final_total", "Commands that ended, by their final state.", float64(w.commands[state].Load()), "state", string(state))
	}
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.begun && status >= 200 {
		w.status, w.begun = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
