package people_test

import (
	"context"
	"encoding/json"
	"io"
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
	"hearth/cloud/fleet"
	"hearth/cloud/people"
	"hearth/cloud/series"
	"hearth/cloud/web"
)

// A rig is a receiver with people behind a real server. Its clock goes only where a test moves it.
type rig struct {
	*httptest.Server
	t      *testing.T
	books  *accounts.Accounts
	people *people.People
	root   string // an administrator's token
	erased []string
	mails  chan mail

	mu      sync.Mutex
	ahead   time.Duration
	address string
}

type mail struct{ to, subject, text string }

const (
	good  = "a horse on the balcony"
	other = "seven rusty umbrellas"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *rig) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead)
}

func (s *rig) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

func (s *rig) from(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address = address
}

func (s *rig) where(*http.Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// newRig starts one; url is where its mails lead, "" for a receiver without mail.
func newRig(t *testing.T, url string) *rig {
	t.Helper()
	s := &rig{t: t, mails: make(chan mail, 16), address: "192.0.2.1"}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	books, err := accounts.Open(ctx, accounts.Options{Dir: t.TempDir(), Now: s.now})
	must(t, err)
	store, err := series.Open(t.TempDir(), series.Options{Log: log})
	must(t, err)
	homes, err := fleet.Open(ctx, fleet.Options{Accounts: books, Last: store.Last, Emit: func(string, string, any) {}, Log: log})
	must(t, err)
	s.books = books
	auth := s.auth()
	o := people.Options{
		Accounts: books, Auth: auth, Address: s.where, URL: url, Now: s.now, Log: log,
		Erase: func(_ context.Context, home string) error {
			s.erased = append(s.erased, home)
			return store.DeleteHome(home)
		},
		Readings: func(_ context.Context, home string, w io.Writer) error {
			_, err := io.WriteString(w, "hearth,device=toy:lamp on=true 1\n")
			return err
		},
	}
	if url != "" {
		o.Mail = func(_ context.Context, to, subject, text string) error {
			s.mails <- mail{to, subject, text}
			return nil
		}
	}
	s.people = people.New(o)
	none := func(http.ResponseWriter, *http.Request) {}
	site := web.New(web.Options{
		Accounts: books, Series: store, Fleet: homes, Auth: auth, Version: "1.2.3", Log: log,
		More: s.people.Routes(), People: s.people, Metrics: func(*api.Metrics) {},
		Influx: web.Influx{WriteV1: none, WriteV2: none, Query: none, Ping: none, Health: none},
	})
	for _, run := range []func(context.Context) error{homes.Run, store.Run, s.people.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	s.Server = httptest.NewServer(site)
	t.Cleanup(func() {
		site.Close()
		cancel()
		running.Wait()
		s.Close()
		must(t, store.Close())
		must(t, books.Close())
	})
	s.root, err = books.AddToken(ctx, hearth.Token{Name: "root", Scope: hearth.ScopeAdmin})
	must(t, err)
	return s
}

// auth is as the receiver wires it.
func (s *rig) auth() *api.Auth {
	return api.NewAuth(api.AuthOptions{
		Cookie: web.CookieName, Hint: "hearth-cloud token add", Narrow: web.Narrow(s.books), Denied: web.Denied(s.books),
		Find: s.books.Find, Session: s.books.Session,
	})
}

// An answer is what came back, its body read.
type answer struct {
	*http.Response
	text string
}

// ask sends a request as who: a token's secret, or a session's, which goes as a cookie from our own page.
func (s *rig) ask(method, path, who, body string, header ...string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, strings.NewReader(body))
	must(s.t, err)
	switch {
	case strings.HasPrefix(who, "session_"):
		r.Header.Set("Cookie", web.CookieName+"="+who)
		r.Header.Set("Origin", s.URL)
	case who != "":
		r.Header.Set("Authorization", "Bearer "+who)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	reply, err := client.Do(r)
	must(s.t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	must(s.t, err)
	return answer{reply, string(text)}
}

// want is ask for an answer of that status, read into a value if one is given.
func (s *rig) want(status int, into any, method, path, who, body string, header ...string) answer {
	s.t.Helper()
	a := s.ask(method, path, who, body, header...)
	if a.StatusCode != status {
		s.t.Fatalf("%s %s: %d, want %d\n%s", method, path, a.StatusCode, status, a.text)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(a.text), into); err != nil {
			s.t.Fatalf("%s %s: %v\n%s", method, path, err, a.text)
		}
	}
	return a
}

// cookie returns the session that an answer set.
func (a answer) cookie() string {
	for _, c := range a.Cookies() {
		if c.Name == web.CookieName {
			return c.Value
		}
	}
	return ""
}

type inviteReply struct {
	User    accounts.User
	Link    string
	Expires hearth.Time
	Mailed  bool
}

// person is somebody of that role who has set their password; place is "" or `"home":"…"` or `"tenant":"…"`.
func (s *rig) person(email, role, place string) (id, session string) {
	s.t.Helper()
	if place != "" {
		place = "," + place
	}
	var made inviteReply
	s.want(201, &made, "POST", "/api/v1/users", s.root, `{"email":"`+email+`","role":"`+role+`"`+place+`}`)
	_, secret, _ := strings.Cut(made.Link, "secret=")
	a := s.want(204, nil, "POST", "/api/v1/link", "", `{"secret":"`+secret+`","password":"`+good+`"}`)
	if a.cookie() == "" {
		s.t.Fatal("no session after the link")
	}
	return made.User.ID, a.cookie()
}

func (s *rig) home(tenant, name string) string {
	s.t.Helper()
	home, _, err := s.books.AddHome(context.Background(), tenant, name)
	must(s.t, err)
	return home.ID
}

func (s *rig) tenant(name string) string {
	s.t.Helper()
	tenant, err := s.books.AddTenant(context.Background(), name)
	must(s.t, err)
	return tenant.ID
}

func (s *rig) actions(query string) []string {
	s.t.Helper()
	var entries []accounts.AuditEntry
	s.want(200, &entries, "GET", "/api/v1/audit"+query, s.root, "")
	actions := []string{}
	for _, e := range entries {
		actions = append(actions, e.Action)
	}
	return actions
}
