package alerts

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

// A rig is Alerts on a real database, whose homes are as the test says. It lives in a synctest bubble.
type rig struct {
	*Alerts
	t     *testing.T
	books *accounts.Accounts
	homes []accounts.Home
	stop  func()

	mu          sync.Mutex
	wrong       map[string][]hearth.Condition
	unknown     map[string]bool
	devices     map[string][]hearth.DeviceView
	unexplained map[string]int64
	told        []string // what was stored to be delivered
	emitted     []string
	events      []hearth.AlertEvent
	failing     error // of whoever stores deliveries
}

func inBubble(t *testing.T, homes int, test func(r *rig)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		books, err := accounts.Open(t.Context(), accounts.Options{Dir: dir})
		must(t, err)
		defer books.Close()
		r := &rig{
			t: t, books: books, wrong: map[string][]hearth.Condition{}, unknown: map[string]bool{},
			devices: map[string][]hearth.DeviceView{}, unexplained: map[string]int64{},
		}
		for i := range homes {
			h, _, err := books.AddHome(t.Context(), "", fmt.Sprintf("Home %04d", i))
			must(t, err)
			r.homes = append(r.homes, h)
		}
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

// start opens the room as after a start of the receiver.
func (r *rig) start() {
	r.t.Helper()
	r.Alerts = New(Options{
		Accounts: r.books, Log: slog.New(slog.NewTextHandler(r.t.Output(), nil)),
		Wrong: func(home string) ([]hearth.Condition, bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return slices.Clone(r.wrong[home]), !r.unknown[home]
		},
		Look: func(home string, look func(*hearth.DeviceView) bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for i := range r.devices[home] {
				look(&r.devices[home][i])
			}
		},
		Unexplained: func(home string) (int64, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.unexplained[home], nil
		},
		Own: func() []hearth.Condition {
			r.mu.Lock()
			defer r.mu.Unlock()
			return slices.Clone(r.wrong[own])
		},
		Tell: func(_ context.Context, _ *sql.Tx, tenant string, e hearth.AlertEvent) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.failing != nil {
				return r.failing
			}
			r.told = append(r.told, tenant+" "+gist(e))
			r.events = append(r.events, e)
			return nil
		},
		Emit: func(home, kind string, body any) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.emitted = append(r.emitted, home+" "+kind+" "+body.(hearth.AlertEvent).Change)
		},
	})
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

func gist(e hearth.AlertEvent) string {
	words := e.Change + " " + e.Kind
	if e.About != "" {
		words += " " + e.About
	}
	if e.Times > 1 {
		words += fmt.Sprintf(" ×%d", e.Times)
	}
	if e.Kind == hearth.AlertOutage {
		words += fmt.Sprintf(" %d of %d", len(e.Homes), e.Count)
	}
	return words
}

// set makes these the things that are wrong with a home.
func (r *rig) set(home string, conditions ...hearth.Condition) {
	r.mu.Lock()
	r.wrong[home] = conditions
	r.mu.Unlock()
	r.Touch(home)
}

// pass lets time pass.
func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// heard returns what people were told since the last call.
func (r *rig) heard() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	told := strings.Join(r.told, ", ")
	r.told = nil
	return strings.ReplaceAll(told, accounts.MainTenant+" ", "")
}

func (r *rig) want(what string) {
	r.t.Helper()
	if got := r.heard(); got != what {
		r.t.Errorf("people were told %q, want %q", got, what)
	}
}

func (r *rig) opens(home, want string) {
	r.t.Helper()
	var kinds []string
	for _, a := range r.Open(home) {
		kinds = append(kinds, strings.TrimSpace(a.Kind+" "+a.About))
	}
	if got := strings.Join(kinds, ", "); got != want {
		r.t.Errorf("open: %q, want %q", got, want)
	}
}

func silent(device string) hearth.Condition {
	return hearth.Condition{Kind: hearth.AlertDeviceSilent, About: device, Severity: hearth.SeverityWarning, Detail: device + " is silent"}
}

func dark() hearth.Condition {
	return hearth.Condition{Kind: hearth.AlertGatewayDark, Severity: hearth.SeverityWarning, Detail: "the gateway is away", Since: time.Now().Add(-5 * time.Minute)}
}
