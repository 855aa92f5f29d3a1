package influxql

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/cloud/series"
)

// endless is a source whose series go on for ever, a point a second from 1970 on.
type endless struct{ series int }

func (e endless) Last(string) ([]series.Point, error) {
	points := make([]series.Point, e.series)
	for i := range points {
		points[i] = series.Point{Series: fmt.Sprintf("m,n=%04d", i), Field: "v", Time: 1 << 60, Value: hearth.NumberOf(1)}
	}
	return points, nil
}

func (endless) Points(_, _, _ string, from, to time.Time, each func(int64, hearth.Value) bool) error {
	for t := max(from.Unix(), 0); t < to.Unix(); t++ {
		if !each(t*1e9, hearth.NumberOf(float64(t))) {
			return nil
		}
	}
	return nil
}

func serve(source Source, change func(*limits)) *Server {
	s := New(Options{Source: source, Admit: func(http.ResponseWriter, *http.Request) (hearth.Token, bool) {
		return hearth.Token{Name: "reader", Scope: hearth.ScopeRead, Home: "h", Hash: "x"}, true
	}})
	if change != nil {
		change(&s.limits)
	}
	return s
}

func get(s *Server, params url.Values) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/query?"+params.Encode(), nil))
	return w
}

func TestLimits(t *testing.T) {
	const named = "limit exceeded: a query may "
	tests := []struct {
		name   string
		series int
		change func(*limits)
		q      string
		want   string
	}{
		{"points read", 1, func(l *limits) { l.scanned = 1e5 }, `SELECT mean(v) FROM m`, "max-select-point " + named + "read 100000 points"},
		{"points read by one that wants few", 3, func(l *limits) { l.scanned = 1e5 }, `SELECT v FROM m WHERE v < 0`, "max-select-point " + named},
		{"points held", 1, func(l *limits) { l.held = 1e4 }, `SELECT median(v) FROM m`, "memory " + named + "hold 10000 points"},
		{"points of a transform held", 1, func(l *limits) { l.held = 1e4 }, `SELECT derivative(v) FROM m`, "memory " + named},
		{"rows of a subquery held", 1, func(l *limits) { l.held = 1e4 }, `SELECT max(v) FROM (SELECT v FROM m)`, "memory " + named},
		{"intervals", 1, func(l *limits) { l.buckets = 1e3 }, `SELECT mean(v) FROM m WHERE time >= 0 AND time < 10d GROUP BY time(1m)`, "max-select-buckets (14400/1000) " + named},
		{"intervals without a beginning", 1, func(l *limits) { l.buckets = 1e3 }, `SELECT mean(v) FROM m GROUP BY time(1m)`, "max-select-buckets "},
		{"intervals of a subquery", 1, func(l *limits) { l.buckets = 1e3 }, `SELECT mean(x) FROM (SELECT mean(v) AS x FROM m WHERE time >= 0 AND time < 10d GROUP BY time(1m))`, "max-select-buckets "},
		{"bytes", 1, func(l *limits) { l.answer = 1e5 }, `SELECT v FROM m`, "response " + named + "be answered with 100000 bytes"},
		{"time", 1, func(l *limits) { l.time = 30 * time.Millisecond }, `SELECT mean(v) FROM m`, "query-timeout " + named + "take 30ms"},
		{"columns", 200, nil, `SELECT ` + strings.Repeat("*,", 50_000/2) + `v FROM m`, "max-select-columns limit exceeded"},
		{"tags", 1, nil, `SELECT v FROM m GROUP BY ` + manyNames(300), "max-group-by limit exceeded"},
		{"subqueries", 1, nil, intricate(30), "too intricate"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := get(serve(endless{test.series}, test.change), url.Values{"q": {test.q}})
			var answer struct {
				Results []struct {
					Error  string
					Series []any
				}
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatalf("%v: %.300s", err, w.Body)
			}
			if w.Code != 200 || len(answer.Results) != 1 || !strings.Contains(answer.Results[0].Error, test.want) || answer.Results[0].Series != nil {
				t.Errorf("%d %.500s", w.Code, w.Body)
			}
		})
	}
}

func manyNames(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("t%d", i)
	}
	return strings.Join(names, ",")
}

// intricate is a statement whose types the parser would look for until the end of days.
func intricate(depth int) string {
	q := `SELECT u+u+u AS u FROM m`
	for range depth {
		q = `SELECT u+u+u AS u FROM (` + q + `)`
	}
	return q
}

// TestChunksAreNotLimited sends more than an answer may have, in pieces.
func TestChunksAreNotLimited(t *testing.T) {
	w := get(serve(endless{1}, func(l *limits) { l.answer = 1e4 }), url.Values{"q": {`SELECT v FROM m LIMIT 5000`}, "chunked": {"true"}, "chunk_size": {"100"}})
	if w.Code != 200 || strings.Contains(w.Body.String(), "error") || strings.Count(w.Body.String(), "\n") != 50 {
		t.Errorf("%d %d chunks %.300s", w.Code, strings.Count(w.Body.String(), "\n"), w.Body)
	}
}

func TestRequestsThatAreTooLarge(t *testing.T) {
	s := serve(endless{1}, nil)
	for _, test := range []struct {
		params url.Values
		status int
		want   string
	}{
		{url.Values{"q": {"SELECT v FROM m WHERE v = '" + strings.Repeat("x", maxQuery) + "'"}}, 413, `{"error":"the query is larger than 65536 bytes"}`},
		{url.Values{"q": {"SELECT v FROM m"}, "params": {strings.Repeat("x", maxQuery+1)}}, 413, `{"error":"the query is larger than 65536 bytes"}`},
		{url.Values{"q": {"SELECT v FROM m"}, "other": {strings.Repeat("x", maxBody)}}, 413, `{"error":"the query is larger than 65536 bytes"}`},
		{url.Values{"q": {"SELECT " + strings.Repeat("(", 60_000)}}, 400, `{"error":"error parsing query: more than 100 parentheses within each other"}`},
	} {
		w := httptest.NewRecorder()
		req := httptest.NewRequest("POST", "/query", strings.NewReader(test.params.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		s.ServeHTTP(w, req)
		if w.Code != test.status || strings.TrimSpace(w.Body.String()) != test.want {
			t.Errorf("%.60s: %d %.200s", test.params.Encode(), w.Code, w.Body)
		}
	}
}

// TestPlaces lets a dashboard's queries wait for each other, and turns away what would wait too long.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var mu sync.Mutex
		running, most := 0, 0
		var leaves []func()
		for range perPayer {
			leave, err := p.take(ctx, "a")
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, leave)
		}
		done := make(chan error, waiting)
		for range waiting {
			go func() {
				leave, err := p.take(ctx, "a")
				if err == nil {
					mu.Lock()
					running++
					most = max(most, running)
					mu.Unlock()
					time.Sleep(time.Millisecond)
					mu.Lock()
					running--
					mu.Unlock()
					leave()
				}
				done <- err
			}()
			synctest.Wait()
		}
		if _, err := p.take(ctx, "a"); err != errCrowded {
			t.Errorf("one too many: %v", err)
		}
		if leave, err := p.take(ctx, "b"); err != nil {
			t.Errorf("another token: %v", err)
		} else {
			leave()
		}
		for _, leave := range leaves {
			leave()
		}
		for range waiting {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if most != perPayer || len(p.payers) != 0 {
			t.Errorf("%d at once, %d tokens are left", most, len(p.payers))
		}
	})
}

// TestWhoWaitsTooLong gives up with the limit's name.
func TestWhoWaitsTooLong(t *testing.T) {
	s := serve(endless{1}, func(l *limits) { l.time = 10 * time.Millisecond })
	for range perPayer {
		leave, err := s.places.take(t.Context(), "home h")
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
	}
	w := get(s, url.Values{"q": {"SHOW MEASUREMENTS"}})
	if w.Code != 429 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "query-timeout limit exceeded") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

// A client that asks for much and takes nothing loses its place, so that others get it.
func TestWhoTakesNothingLosesItsPlace(t *testing.T) {
	s := serve(endless{1}, func(l *limits) { l.stalled = 100 * time.Millisecond })
	server := httptest.NewServer(s)
	defer server.Close()
	for range allTogether {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /query?chunked=true&q=SELECT+v+FROM+m HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	client := http.Client{Timeout: 15 * time.Second}
	resp, err := client.Get(server.URL + "/query?q=SHOW+MEASUREMENTS")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
}

func TestTokensOfOneHomeShareItsPlaces(t *testing.T) {
	one, other := payer(hearth.Token{Home: "h", Hash: "a"}), payer(hearth.Token{Home: "h", Hash: "b"})
	if one != other {
		t.Errorf("%s and %s", one, other)
	}
	if one == payer(hearth.Token{Home: "g", Hash: "a"}) || one == payer(hearth.Token{User: "h", Home: "h"}) {
		t.Error("they are mistaken for others")
	}
}
