package forward

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"hearth"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// A fakeDatabase takes lines as InfluxDB does, or as a VictoriaMetrics.
type fakeDatabase struct {
	t *testing.T
	*httptest.Server

	mu       sync.Mutex
	victoria string // since when it runs; "": it is an InfluxDB
	down     int    // status that everything is answered with
	bad      string // a line with this in it is refused
	most     int    // lines of one request
	lines    map[string]int
	requests int
	paths    map[string]bool
	auth     string
}

func newFakeDatabase(t *testing.T) *fakeDatabase {
	f := &fakeDatabase{t: t, lines: map[string]int{}, paths: map[string]bool{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeDatabase) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeDatabase) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.victoria != "" {
		rw.Header().Set("X-Server-Hostname", "victoria")
	}
	switch {
	case f.down != 0:
		rw.WriteHeader(f.down)
	case r.URL.Path == "/metrics" && f.victoria != "":
		fmt.Fprintf(rw, "a 1\nvm_app_start_timestamp %s\nb 2\n", f.victoria)
	case r.URL.Path == "/write", r.URL.Path == "/api/v2/write":
		f.write(rw, r)
	default:
		rw.WriteHeader(http.StatusNotFound)
	}
}

func (f *fakeDatabase) write(rw http.ResponseWriter, r *http.Request) {
	f.requests++
	f.paths[r.URL.RequestURI()] = true
	f.auth = r.Header.Get("Authorization")
	unzip, err := gzip.NewReader(r.Body)
	if err != nil {
		f.t.Error(err)
		return
	}
	text, err := io.ReadAll(unzip)
	if err != nil {
		f.t.Error(err)
		return
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if f.most > 0 && len(lines) > f.most {
		rw.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	refused := false
	for _, line := range lines {
		if f.bad != "" && strings.Contains(line, f.bad) {
			refused = true
			continue
		}
		f.lines[line]++
	}
	if refused {
		rw.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(rw, `{"error":"partial write: field type conflict"}`)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

func (f *fakeDatabase) has() (lines, twice int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.lines {
		if n > 1 {
			twice++
		}
	}
	return len(f.lines), twice
}

// A rig is a store with a Forward to one target.
type rig struct {
	t     *testing.T
	books *accounts.Accounts
	store *series.Store
	*Forward
	seq int

	mu  sync.Mutex
	now time.Time
}

func newRig(t *testing.T, targets ...Target) *rig {
	t.Helper()
	books, err := accounts.Open(t.Context(), accounts.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { books.Close() })
	r := &rig{t: t, books: books, now: time.Now()}
	r.store, err = series.Open(t.TempDir(), series.Options{Recent: true, MaxSeries: 50, Now: r.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.store.Close() })
	r.again(targets...)
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) later(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// again is a new Forward on the same store and accounts, as after a restart.
func (r *rig) again(targets ...Target) {
	r.Forward = New(Options{Accounts: r.books, Log: Recent{r.store}, Targets: targets, Keep: 48 * time.Hour, Now: r.clock, Slog: slog.New(slog.DiscardHandler)})
}

// put stores so many points, each a line of its own.
func (r *rig) put(points int) {
	r.t.Helper()
	w := series.Write{Home: "h1"}
	for range points {
		r.seq++
		w.Points = append(w.Points, series.Point{Series: "hearth,device=radio:1", Field: "power", Time: int64(r.seq) * 1e9, Value: hearth.NumberOf(float64(r.seq))})
	}
	if _, err := r.store.Write(w); err != nil {
		r.t.Fatal(err)
	}
}

// pump does steps of the first target until there is nothing left to do or one fails.
func (r *rig) pump() error {
	r.t.Helper()
	for range 1000 {
		if sent, err := r.targets[0].step(context.Background()); err != nil || !sent {
			if err != nil {
				r.targets[0].failed(err)
			}
			return err
		}
	}
	r.t.Fatal("it does not come to an end")
	return nil
}

func (r *rig) mustPump() {
	r.t.Helper()
	if err := r.pump(); err != nil {
		r.t.Fatal(err)
	}
}

// sorted are the lines that the database has.
func (f *fakeDatabase) sorted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for line := range f.lines {
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}
