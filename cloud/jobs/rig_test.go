package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
	"hearth/cloud/accounts/postgrestest"
	"hearth/cloud/downlink"
)

// A rig is a Jobs on a real database and the real commands, whose homes have no gateways that answer. Its clock stands
// still.
type rig struct {
	t     testing.TB
	books *accounts.Accounts
	down  *downlink.Downlink
	jobs  *Jobs
	homes []accounts.Home

	mu      sync.Mutex
	now     time.Time
	devices map[string][]hearth.DeviceView
	told    []Job
	before  func(orders []Order) error // runs before commands are stored
	after   func(orders []Order) error // and after
}

type rigMaker func(t testing.TB, homes int) *rig

func newRig(t testing.TB, homes int) *rig {
	t.Helper()
	return makeRig(t, homes, accounts.Options{Dir: t.TempDir()})
}

func onPostgres(t testing.TB, homes int) *rig {
	t.Helper()
	return makeRig(t, homes, accounts.Options{Database: postgrestest.Start(t, "fsync=off").Database(t)})
}

func makeRig(t testing.TB, homes int, o accounts.Options) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), devices: map[string][]hearth.DeviceView{}}
	var err error
	o.Now = r.clock
	r.books, err = accounts.Open(t.Context(), o)
	r.must(err)
	t.Cleanup(func() { r.books.Close() })
	for i := range homes {
		home, _, err := r.books.AddHome(t.Context(), "", fmt.Sprintf("Home %02d", i))
		r.must(err)
		r.homes = append(r.homes, home)
		r.devices[home.ID] = []hearth.DeviceView{lamp("radio:1", "Hall"), lamp("radio:2", "Attic"), meter()}
	}
	r.down = downlink.New(downlink.Options{
		Accounts: r.books, Embedded: &downlink.Embedded{}, Log: slog.New(slog.DiscardHandler), Now: r.clock,
		Device: r.device, Changed: func(string, hearth.Record) {},
	})
	r.jobs = r.another()
	return r
}

// another is a Jobs of another receiver, or of this one after it was killed.
func (r *rig) another() *Jobs {
	return New(Options{
		Accounts: r.books, Commands: r, Look: r.look, Now: r.clock, Log: slog.New(slog.NewTextHandler(r.t.Output(), nil)),
		Emit: func(_ string, j Job) { r.mu.Lock(); defer r.mu.Unlock(); r.told = append(r.told, j) },
	})
}

func lamp(id hearth.ID, room string) hearth.DeviceView {
	on, _ := hearth.Word("on")
	brightness, _ := hearth.Word("brightness")
	return hearth.DeviceView{ID: id, Type: "light", Room: room, Properties: []hearth.PropertyView{{Property: on.AsWritable()}, {Property: brightness.AsWritable()}}}
}

func meter() hearth.DeviceView {
	power, _ := hearth.Word("power")
	return hearth.DeviceView{ID: "meter:1", Type: "meter", Properties: []hearth.PropertyView{{Property: power}}}
}

func (r *rig) look(home string, look func(*hearth.DeviceView) bool) {
	for _, d := range r.devices[home] {
		if !look(&d) {
			return
		}
	}
}

func (r *rig) device(home string, id hearth.ID) (found hearth.DeviceView, ok bool) {
	r.look(home, func(d *hearth.DeviceView) bool {
		if d.ID == id {
			found, ok = *d, true
		}
		return !ok
	})
	return found, ok
}

// Give implements Commands.
func (r *rig) Give(ctx context.Context, orders []Order) ([]error, error) {
	if r.before != nil {
		if err := r.before(orders); err != nil {
			return nil, err
		}
	}
	list := make([]downlink.Order, 0, len(orders))
	for _, o := range orders {
		list = append(list, downlink.Order{Home: o.Home, Command: o.Command, Job: downlink.Job{ID: o.Job, Key: o.Key}})
	}
	given, err := r.down.DoAll(ctx, list)
	if err == nil && r.after != nil {
		err = r.after(orders)
	}
	refused := make([]error, 0, len(given))
	for _, g := range given {
		refused = append(refused, g.Err)
	}
	return refused, err
}

// Cancel implements Commands.
func (r *rig) Cancel(ctx context.Context, job, key, by string) error {
	_, err := r.down.Cancel(ctx, downlink.Job{ID: job, Key: key}, by)
	return err
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// step lets a second pass and the jobs go on.
func (r *rig) step() {
	r.t.Helper()
	r.pass(time.Second)
	r.must(r.jobs.step(r.t.Context(), true))
}

// ask makes a request as a token; the answer is read into a value if one is given and it is a success.
func (r *rig) ask(token hearth.Token, method, path string, body any, into any) *httptest.ResponseRecorder {
	r.t.Helper()
	auth := api.NewAuth(api.AuthOptions{
		Find: func(context.Context, string) (hearth.Token, bool, error) { return token, true, nil },
		Narrow: func(q *http.Request, t hearth.Token) (hearth.Token, error) {
			var err error
			t.Scope, err = r.books.TenantScope(q.Context(), t, q.PathValue("tenant"))
			return t, err
		},
	})
	mux := http.NewServeMux()
	api.Table{Routes: r.jobs.Routes()}.Mount(mux, auth)
	text, err := json.Marshal(body)
	r.must(err)
	request := httptest.NewRequestWithContext(r.t.Context(), method, "/api/v1/tenants/main"+path, bytes.NewReader(text))
	request.Header.Set("Authorization", "Bearer x")
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, request)
	if into != nil && answer.Code < 300 {
		r.must(json.Unmarshal(answer.Body.Bytes(), into))
	}
	return answer
}

func (r *rig) want(status int, answer *httptest.ResponseRecorder, words ...string) {
	r.t.Helper()
	if answer.Code != status {
		r.t.Fatalf("%d, want %d: %s", answer.Code, status, answer.Body)
	}
	for _, word := range words {
		if !strings.Contains(answer.Body.String(), word) {
			r.t.Errorf("no %q in %s", word, answer.Body)
		}
	}
}

func (r *rig) token(t hearth.Token) hearth.Token {
	r.t.Helper()
	secret, err := r.books.AddToken(r.t.Context(), t)
	r.must(err)
	found, _, err := r.books.Find(r.t.Context(), secret)
	r.must(err)
	return found
}

func (r *rig) boss() hearth.Token {
	return r.token(hearth.Token{Name: "boss " + hearth.NewCommandID()[:6], Scope: hearth.ScopeControl})
}

func (r *rig) job(id string) (view Job) {
	r.t.Helper()
	r.want(200, r.ask(hearth.Token{Scope: hearth.ScopeRead}, "GET", "/jobs/"+id, nil, &view))
	return view
}

// commands are the records of a home.
func (r *rig) commands(home string) []hearth.Record {
	r.t.Helper()
	records, err := r.down.Commands(r.t.Context(), home, "", "")
	r.must(err)
	return records
}

// confirm ends all open commands of a home as its gateway would.
func (r *rig) confirm(home string) {
	r.t.Helper()
	_, err := r.books.DB().ExecContext(r.t.Context(), `UPDATE commands SET state = 'confirmed', due = 0 WHERE home = $1 AND due > 0`, home)
	r.must(err)
}

func states(v Job) string {
	text, err := json.Marshal(v.States)
	if err != nil {
		panic(err)
	}
	return string(text)
}
