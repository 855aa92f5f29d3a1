package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

// A rig is a Notify on a real database in a synctest bubble, whose webhooks end in the test.
type rig struct {
	*Notify
	t      *testing.T
	books  *accounts.Accounts
	home   accounts.Home
	stop   func()
	answer func(request *http.Request, e Event) (status int, header http.Header)

	mu       sync.Mutex
	received []received
}

type received struct {
	at       time.Time
	host     string
	sequence string
	event    Event
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func inBubble(t *testing.T, test func(r *rig)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		books, err := accounts.Open(t.Context(), accounts.Options{Dir: dir})
		must(t, err)
		defer books.Close()
		home, _, err := books.AddHome(t.Context(), "", "Cabin")
		must(t, err)
		r := &rig{t: t, books: books, home: home}
		r.start()
		defer func() { r.stop() }()
		test(r)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) start() {
	r.t.Helper()
	r.Notify = New(Options{Accounts: r.books, Mail: Mail{Host: "127.0.0.1", Port: 1, From: "hearth@example.org", Security: "none"}, Version: "1", Log: slog.New(slog.NewTextHandler(r.t.Output(), nil))})
	r.hooks.client.Transport = roundTrip(r.roundTrip)
	must(r.t, r.Load(r.t.Context()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	})
}

func (r *rig) roundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		r.t.Error(err)
	}
	status, header := http.StatusNoContent, http.Header{}
	r.mu.Lock()
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		status, header = answer(request, e)
	}
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if status < 300 {
		r.mu.Lock()
		r.received = append(r.received, received{time.Now(), request.URL.Host, request.Header.Get(HeaderSequence), e})
		r.mu.Unlock()
	}
	return &http.Response{StatusCode: status, Header: header, Body: http.NoBody, Request: request}, nil
}

// answers says how webhooks answer from now on; 0 breaks the connection.
func (r *rig) answers(f func(*http.Request, Event) (int, http.Header)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func always(status int) func(*http.Request, Event) (int, http.Header) {
	return func(*http.Request, Event) (int, http.Header) { return status, http.Header{} }
}

func (r *rig) target(t Target) Target {
	r.t.Helper()
	if t.Name == "" {
		t.Name = "Hook"
	}
	if t.Type == "" {
		t.Type, t.URL = TypeWebhook, "https://hook.example/"
	}
	if t.Events == nil {
		t.Events = []string{KindAlert}
	}
	t, _, err := r.add(r.t.Context(), accounts.MainTenant, t)
	must(r.t, err)
	return t
}

// alert tells of one as the room of alerts does.
func (r *rig) alert(id, change string, severity hearth.Severity) {
	r.t.Helper()
	err := r.books.Tx(r.t.Context(), func(tx *sql.Tx) error {
		e := hearth.AlertEvent{Change: change, Alert: hearth.Alert{ID: id, Tenant: accounts.MainTenant, Home: r.home.ID, Kind: hearth.AlertDeviceSilent, About: "radio:1", Severity: severity, Detail: "it is silent"}}
		return r.Tell(r.t.Context(), tx, accounts.MainTenant, e)
	})
	must(r.t, err)
	r.Wake()
}

func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// got returns what was received since the last call, in a few words each.
func (r *rig) got() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, one := range r.received {
		all = append(all, gist(one.event))
	}
	r.received = nil
	return strings.Join(all, ", ")
}

func gist(e Event) string {
	switch e.Kind {
	case KindAlert:
		var a hearth.AlertEvent
		_ = json.Unmarshal(e.Body, &a)
		return a.Change + " " + a.ID
	case KindSummary:
		var s Summary
		_ = json.Unmarshal(e.Body, &s)
		var all []string
		for _, one := range s.Events {
			all = append(all, gist(one))
		}
		return "summary(" + strings.Join(all, ", ") + ")"
	case KindReading:
		var reading hearth.ReadingEvent
		_ = json.Unmarshal(e.Body, &reading)
		return reading.Property + "=" + reading.Value.String()
	}
	return e.Kind
}

func (r *rig) want(what string) {
	r.t.Helper()
	if got := r.got(); got != what {
		r.t.Errorf("received %q, want %q", got, what)
	}
}

func (r *rig) states(target string) map[string]int {
	r.t.Helper()
	rows, err := r.db.Query(`SELECT state, count(*) FROM deliveries WHERE target = $1 GROUP BY state`, target)
	must(r.t, err)
	defer rows.Close()
	all := map[string]int{}
	for rows.Next() {
		var state string
		var n int
		must(r.t, rows.Scan(&state, &n))
		all[state] = n
	}
	return all
}

func (r *rig) viewOf(target Target) TargetView {
	r.t.Helper()
	t, err := r.Notify.target(r.t.Context(), accounts.MainTenant, target.ID)
	must(r.t, err)
	v, err := r.view(r.t.Context(), t)
	must(r.t, err)
	return v
}
