package ingest

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/series"
)

// A rig is an Ingest on real stores, with a home and tokens.
type rig struct {
	t       *testing.T
	in      *Ingest
	store   *series.Store
	home    accounts.Home
	other   accounts.Home
	gateway string // token of home
	admin   string // token of no home
	reader  string // token of home, scope read

	mu       sync.Mutex
	arrivals []Arrival
}

func newRig(t *testing.T) *rig {
	t.Helper()
	store, err := series.Open(t.TempDir(), series.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	books, err := accounts.Open(t.Context(), accounts.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { books.Close() })
	r := &rig{t: t, store: store}
	r.home, _, err = books.AddHome(t.Context(), "", "Cabin")
	r.must(err)
	r.other, _, err = books.AddHome(t.Context(), "", "Other Home")
	r.must(err)
	r.gateway, err = books.AddToken(t.Context(), hearth.Token{Name: "gw", Scope: hearth.ScopeGateway, Home: r.home.ID})
	r.must(err)
	r.admin, err = books.AddToken(t.Context(), hearth.Token{Name: "admin", Scope: hearth.ScopeAdmin, Home: ""})
	r.must(err)
	r.reader, err = books.AddToken(t.Context(), hearth.Token{Name: "reader", Scope: hearth.ScopeRead, Home: r.home.ID})
	r.must(err)
	auth := api.NewAuth(api.AuthOptions{Cookie: "c", Find: books.Find})
	r.in = New(Options{
		Store: store, Accounts: books, Check: auth.Check, Log: slog.New(slog.DiscardHandler),
		Live: func(a Arrival) {
			r.mu.Lock()
			defer r.mu.Unlock()
			a.Readings, a.Gaps = slices.Clone(a.Readings), slices.Clone(a.Gaps)
			r.arrivals = append(r.arrivals, a)
		},
	})
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch req.URL.Path {
	case "/write":
		r.in.WriteV1(w, req)
	case "/api/v2/write":
		r.in.WriteV2(w, req)
	case "/ping":
		r.in.Ping(w, req)
	case "/health":
		r.in.Health(w, req)
	}
}

// send makes a request; header is pairs of name and value. Without an Authorization it is the gateway's.
func (r *rig) send(target string, body []byte, header ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequest(http.MethodPost, target, bytes.NewReader(body))
	req.Header.Set("Authorization", "Token "+r.gateway)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

func (r *rig) batch(id, ledger string, body string) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.send("/api/v2/write?precision=ms", []byte(body), hearth.HeaderBatch, id, hearth.HeaderLedger, ledger)
}

func (r *rig) points(home, name, field string) int {
	r.t.Helper()
	n := 0
	err := r.store.Points(home, name, field, time.Unix(0, 0), time.Now().Add(time.Hour), func(int64, hearth.Value) bool { n++; return true })
	r.must(err)
	return n
}

func (r *rig) total() series.Counts {
	r.t.Helper()
	report, err := r.store.Ledger(r.home.ID, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	r.must(err)
	return report.Total
}
