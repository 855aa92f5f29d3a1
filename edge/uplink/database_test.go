package uplink

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

const influxAddr = "influx.test:8086"

// fakeInflux takes lines as InfluxDB does: a part with a bad line is refused, the good lines of it may be stored.
type fakeInflux struct {
	t      testing.TB
	server *http.Server

	mu       sync.Mutex
	victoria bool
	missing  bool   // the database is not there yet
	bad      string // a line with this in it is refused …
	badSays  string // … in these words
	refuse   string // everything is refused in these words
	most     int    // lines of one request; beyond it is a 413
	faults   []string
	lines    map[string]int
	writes   int
	largest  int
	created  int
	paths    map[string]bool
	auth     string
}

func newFakeInflux(t testing.TB) *fakeInflux {
	f := &fakeInflux{t: t, lines: map[string]int{}, paths: map[string]bool{}, badSays: "unable to parse"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /write", f.write)
	mux.HandleFunc("POST /api/v2/write", f.write)
	mux.HandleFunc("POST /query", f.query)
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		if f.victoria {
			fmt.Fprint(w, "<h2>Single-node VictoriaMetrics</h2>")
		}
	})
	f.server = &http.Server{Handler: mux}
	return f
}

func (f *fakeInflux) serve(l net.Listener) {
	go func() { _ = f.server.Serve(l) }()
	f.t.Cleanup(func() { f.server.Close() })
}

func (f *fakeInflux) query(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.created++
	if q := r.FormValue("q"); q != `CREATE DATABASE "hearth"` {
		f.t.Errorf("query %q", q)
	}
	f.missing = false
	fmt.Fprint(w, `{"results":[{"statement_id":0}]}`)
}

func (f *fakeInflux) write(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	f.auth = r.Header.Get("Authorization")
	f.paths[r.URL.RequestURI()] = true
	unzip, err := gzip.NewReader(r.Body)
	if err != nil {
		f.t.Errorf("the body is no gzip: %v", err)
		return
	}
	text, err := io.ReadAll(unzip)
	if err != nil {
		f.t.Errorf("unpacking: %v", err)
		return
	}
	if len(f.faults) > 0 {
		fault := f.faults[0]
		f.faults = f.faults[1:]
		if fault == "reset" {
			hijack(w, "")
			return
		}
		if fault != "" {
			status, _ := strconv.Atoi(fault)
			w.WriteHeader(status)
			return
		}
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	f.largest = max(f.largest, len(lines))
	switch {
	case f.missing:
		influxError(w, http.StatusNotFound, `database not found: "hearth"`)
		return
	case f.refuse != "":
		influxError(w, http.StatusBadRequest, f.refuse)
		return
	case f.most > 0 && len(lines) > f.most:
		influxError(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	bad := false
	for _, l := range lines {
		if f.bad != "" && strings.Contains(l, f.bad) {
			bad = true
			continue
		}
		f.lines[l]++
	}
	if bad {
		influxError(w, http.StatusBadRequest, f.badSays)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func influxError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("X-Influxdb-Error", message)
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":%q}`, message)
}

func (f *fakeInflux) count(part string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for l := range f.lines {
		if strings.Contains(l, part) {
			n++
		}
	}
	return n
}

func (g *gateway) influxOptions() Options {
	o := g.options()
	o.Influx = &Influx{URL: "http://" + influxAddr, Database: "hearth", Token: "me:pass", Home: "Cabin 7"}
	return o
}

func (g *gateway) influxDrained(limit time.Duration) {
	g.t.Helper()
	within(g.t, limit, "the database has everything", func() bool { return g.buffer.Target(TargetInflux).Backlog == 0 })
}

// withInflux returns a gateway and the database that it reaches.
func withInflux(t *testing.T) (*fakeInflux, *gateway) {
	n := newMemNet()
	f := newFakeInflux(t)
	f.serve(n.listen(influxAddr))
	return f, newGateway(t, n, TargetInflux)
}

func TestTheDatabaseGetsEveryLine(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(*fakeInflux)
		dropped uint64
	}{
		{"nothing wrong", func(*fakeInflux) {}, 0},
		{"no database yet", func(f *fakeInflux) { f.missing = true }, 0},
		{"small requests only", func(f *fakeInflux) { f.most = 3 }, 0},
		{"one line at a time", func(f *fakeInflux) { f.most = 1 }, 0},
		{"one bad line", func(f *fakeInflux) { f.bad = "temperature=17 " }, 1},
		{"the first and the last bad", func(f *fakeInflux) { f.bad = "9 "; f.most = 7 }, 6},
		{"a bad line in words that nobody knows", func(f *fakeInflux) { f.bad, f.badSays = "temperature=17 ", "no" }, 1},
		{"trouble while bisecting", func(f *fakeInflux) {
			f.bad, f.faults = "temperature=17 ", []string{"", "503", "", "reset", "", "429", "", "500"}
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, g := withInflux(t)
				defer g.close()
				tt.prepare(f)
				g.produce(6, 10)
				u := g.start(g.influxOptions())
				g.influxDrained(10 * time.Minute)
				if got := f.count(`hearth,device=toy:lamp,home=Cabin\ 7 temperature=`); got != 60-int(tt.dropped) {
					t.Errorf("%d lines, want %d", got, 60-tt.dropped)
				}
				if l := g.buffer.Ledger(TargetInflux); l.Dropped != tt.dropped || l.Produced != 60 {
					t.Errorf("ledger %+v, want %d dropped", l, tt.dropped)
				}
				if parked := g.buffer.Parked(); len(parked) != int(tt.dropped) {
					t.Errorf("parked: %+v", parked)
				}
				if (f.count("hearth_gap") > 0) != (tt.dropped > 0) {
					t.Errorf("%d gaps for %d dropped rows", f.count("hearth_gap"), tt.dropped)
				}
				if !f.paths["/write?db=hearth&precision=ms"] || f.auth != "Token me:pass" {
					t.Errorf("paths %v, authorization %q", f.paths, f.auth)
				}
				within(t, time.Minute, "idle", func() bool { return u.Targets()[0].State == stateIdle })
			})
		})
	}
}

func TestAWrongConfigurationCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := withInflux(t)
		defer g.close()
		f.refuse = "organization name not found"
		g.produce(3, 10)
		o := g.influxOptions()
		o.Influx.Database, o.Influx.Org, o.Influx.Bucket = "", "me", "b"
		u := g.start(o)
		<-time.After(time.Hour)
		if got := u.Targets()[0]; got.State != stateRefused || got.Dropped != 0 || got.Backlog != 30 || !strings.Contains(got.Error, "organization name not found") {
			t.Errorf("status: %+v", got)
		}
		f.mu.Lock()
		f.refuse = ""
		f.mu.Unlock()
		g.influxDrained(5 * time.Minute)
		if f.count("temperature=") != 30 || !f.paths["/api/v2/write?bucket=b&org=me&precision=ms"] {
			t.Errorf("%d lines, paths %v", f.count("temperature="), f.paths)
		}
	})
}

func TestBlocksTravelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := withInflux(t)
		defer g.close()
		g.produce(70, 100)
		g.start(g.influxOptions())
		g.influxDrained(time.Minute)
		if f.count("temperature=") != 7000 || f.writes > 3 || f.largest > maxLines {
			t.Errorf("%d lines in %d requests of up to %d", f.count("temperature="), f.writes, f.largest)
		}
	})
}

func TestAVictoriaMetricsGetsNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, g := withInflux(t)
		defer g.close()
		f.victoria = true
		at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
		g.commit(
			hearth.Reading{Device: lampID, Property: "on", Value: hearth.BoolOf(true), Time: at},
			hearth.Reading{Device: lampID, Property: "hvac_mode", Value: hearth.TextOf("cool"), Time: at.Add(time.Second)},
			hearth.Reading{Device: lampID, Property: "note", Value: hearth.TextOf("hello"), Time: at.Add(2 * time.Second)},
			hearth.Reading{Device: lampID, Property: "temperature", Value: hearth.NumberOf(3), Time: at.Add(3 * time.Second), Repaired: true},
		)
		u := g.start(g.influxOptions())
		g.influxDrained(time.Minute)
		for _, want := range []string{"on=true", "hvac_mode=2 ", "clock=1", "hearth_gap,home=Cabin\\ 7 count=1,reason=1,to="} {
			if f.count(want) != 1 {
				t.Errorf("%q is not there once: %v", want, f.lines)
			}
		}
		if f.count(`"`) != 0 {
			t.Errorf("a text was sent: %v", f.lines)
		}
		if got := u.Targets()[0]; got.Dropped != 1 || got.Acknowledged != 3 || !strings.Contains(got.Note, "VictoriaMetrics") {
			t.Errorf("status: %+v", got)
		}
	})
}

func TestTheDatabaseServesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, g := withInflux(t)
		defer g.close()
		g.setTrusted(false)
		g.start(g.influxOptions())
		within(t, time.Minute, "its time is learnt again and again", func() bool { return len(g.offered()) >= 6 })
		for _, o := range g.offered() {
			if o.source != "influx" || o.uncertainty < time.Second || o.uncertainty > 2*time.Second {
				t.Errorf("offer %+v", o)
			}
		}
	})
}
