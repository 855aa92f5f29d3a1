package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"hearth"
	"hearth/api"
	"hearth/api/browsertest"
	"hearth/cloud/accounts"
	"hearth/cloud/alerts"
	"hearth/cloud/fleet"
	"hearth/cloud/notify"
	"hearth/cloud/people"
	"hearth/cloud/series"
	"hearth/cloud/web"
)

// A watched is a receiver as far as alerts go, with a clock that can be put forward.
type watched struct {
	*httptest.Server
	books       *accounts.Accounts
	fleet       *fleet.Fleet
	homes       []accounts.Home
	boss, guest string
	ahead       atomic.Int64
}

func (w *watched) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	w.books, err = accounts.Open(ctx, accounts.Options{Dir: t.TempDir()})
	must(t, err)
	store, err := series.Open(t.TempDir(), series.Options{Log: log})
	must(t, err)
	for i := range 12 {
		name := fmt.Sprintf("House %d", i+1)
		if i == 0 {
			name = title
		}
		h, _, err := w.books.AddHome(ctx, "", name)
		must(t, err)
		w.homes = append(w.homes, h)
	}
	var site *web.Web
	var kept *alerts.Alerts
	publish := func(home, kind string, body any) {
		if site != nil {
			kept.Touch(home)
			site.Publish(home, kind, body)
		}
	}
	w.fleet, err = fleet.Open(ctx, fleet.Options{
		Accounts: w.books, Last: store.Last, Emit: publish, Now: w.now, Log: log, Alerts: func(home string) []hearth.Alert { return kept.Open(home) },
	})
	must(t, err)
	notes := notify.New(notify.Options{Accounts: w.books, Private: true, Log: log})
	must(t, notes.Load(ctx))
	kept = alerts.New(alerts.Options{
		Accounts: w.books, Wrong: w.fleet.Wrong, Look: w.fleet.Look, Tell: notes.Tell, Told: notes.Wake, Emit: publish, Now: w.now, Log: log,
	})
	must(t, kept.Load(ctx))
	auth := api.NewAuth(api.AuthOptions{Cookie: web.CookieName, Narrow: web.Narrow(w.books), Find: w.books.Find})
	persons := people.New(people.Options{Accounts: w.books, Auth: auth, Address: web.ClientAddress, Log: log})
	site = web.New(web.Options{
		Accounts: w.books, Series: store, Fleet: w.fleet, Auth: auth, Version: "1.2.3", Log: log, Metrics: func(*api.Metrics) {},
		More:   append(append(kept.Routes(), notes.Routes()...), persons.Routes()...),
		Influx: web.Influx{WriteV1: http.NotFound, WriteV2: http.NotFound, Query: http.NotFound, Ping: http.NotFound, Health: http.NotFound},
	})
	w.Server = httptest.NewServer(site)
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{kept.Run, notes.Run} {
		running.Go(func() { _ = run(ctx) })
	}
	t.Cleanup(func() {
		site.Close()
		cancel()
		running.Wait()
		w.Close()
		must(t, store.Close())
		must(t, w.books.Close())
	})
	w.boss, err = w.books.AddToken(ctx, hearth.Token{Name: "boss", Scope: hearth.ScopeAdmin})
	must(t, err)
	w.guest, err = w.books.AddToken(ctx, hearth.Token{Name: "guest", Scope: hearth.ScopeRead})
	must(t, err)
	return w
}

func (w *watched) status(t *testing.T, driver string) {
	t.Helper()
	must(t, w.fleet.Status(w.homes[0].ID, fmt.Appendf(nil, `{"version":"2","uptime_s":9,"clock":{"trusted":true},"drivers":[{"name":"radio","state":%q,"error":"the stick is not plugged in"}]}`, driver)))
}

// trouble has everything go wrong: a driver, a battery, and the gateways of a region.
func (w *watched) trouble(t *testing.T) {
	t.Helper()
	battery, _ := hearth.Word("battery")
	temperature, _ := hearth.Word("temperature")
	low, warm := hearth.NumberOf(7), hearth.NumberOf(-8.5)
	view := hearth.DeviceView{ID: "meter:freezer", Name: "Freezer", Type: "sensor", Reachable: true, Properties: []hearth.PropertyView{
		{Property: battery, Value: &low, Time: hearth.Time{Time: w.now()}}, {Property: temperature, Value: &warm, Time: hearth.Time{Time: w.now()}},
	}}
	must(t, w.fleet.Put(t.Context(), w.homes[0].ID, []hearth.DeviceView{view}))
	w.fleet.Online(w.homes[0].ID, true)
	w.status(t, "waiting")
	for _, h := range w.homes[4:10] {
		w.fleet.Online(h.ID, true)
		w.fleet.Online(h.ID, false)
	}
	w.ahead.Store(int64(6 * time.Minute))
}

const alertRows = `[...document.querySelectorAll(".alert-row")]`

func alertRow(words string) string {
	return fmt.Sprintf(alertRows+`.find((r) => r.textContent.includes(%q))`, words)
}

func TestAlertsInABrowser(t *testing.T) {
	browsertest.OnEachScreen(t, func(t *testing.T, b *browsertest.Browser) {
		w := newWatched(t)
		w.trouble(t)
		b.Run("opening the page", chromedp.Navigate(w.URL+"/alerts?token="+w.boss), until(`location.search === ""`), there("[role=tablist]"))
		b.Run("an outage", until(alertRow("6 homes")+` !== undefined`))
		w.ahead.Store(int64(9 * time.Minute)) // the driver has been down for long enough
		b.Run("what is wrong", until(alertRows+`.length === 3`), until(alertRows+`[0].textContent.includes("outage")`), until(alertRow("driver down")+` !== undefined`),
			until(alertRow("battery of Freezer is low: 7")+`.textContent.includes("Cabin by the")`), there(".link.up"), fits())
		finding(b)
		rules(t, b, w)
		acknowledging(b)
		deliveries(t, b)
		w.status(t, "running")
		b.Run("it is over", script(`document.getElementById("tab-open").click()`), until(alertRows+`.length > 0 && `+alertRow("driver down")+` === undefined`))
		b.Run("history", script(`document.getElementById("tab-past").click()`), until(`location.hash === "#past"`))
		b.Run("what was", until(alertRow("driver down")+` !== undefined`), until(alertRow("driver down")+`.textContent.includes(", for ")`), fits())
		b.Shot("history")
		refused := func(complaint string) bool { return strings.Contains(complaint, "422 (Unprocessable") } // a rule, on purpose
		if found := slices.DeleteFunc(b.Complaints(), refused); len(found) > 0 {
			t.Errorf("the page complains: %q", found)
		}
	})
}

func finding(b *browsertest.Browser) {
	b.Run("finding", script(`document.querySelector(".filters input[type=search]").focus()`), chromedp.KeyEvent("freezer"), until(alertRows+`.length === 1`),
		chromedp.KeyEvent(strings.Repeat(kb.Backspace, 7)), until(alertRows+`.length === 3`),
		chromedp.KeyEvent("house 7"), until(alertRows+`.length === 1 && `+alertRows+`[0].textContent.includes("outage")`), chromedp.KeyEvent(strings.Repeat(kb.Backspace, 7)),
		script(`{ const s = document.querySelectorAll(".filters select")[1]; s.value = "warning"; s.dispatchEvent(new Event("change", { bubbles: true })); }`), until(alertRows+`.length === 2`),
		script(`{ const s = document.querySelectorAll(".filters select")[1]; s.value = "info"; s.dispatchEvent(new Event("change", { bubbles: true })); }`), until(alertRows+`.length === 3`))
	b.Run("the homes of an outage", script(`document.querySelector(".alert-row details").open = true`), until(`document.querySelectorAll(".away-homes li").length === 6`))
	b.Shot("open")
}

func rules(t *testing.T, b *browsertest.Browser, w *watched) {
	t.Helper()
	fill := func(name, value string) browsertest.Action {
		return script(fmt.Sprintf(`{ const f = document.querySelector("dialog [name=%s]"); f.value = %q; f.dispatchEvent(new Event("change", { bubbles: true })); }`, name, value))
	}
	b.Run("the tab by keyboard", script(`document.getElementById("tab-open").focus()`), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight), until(`document.activeElement.id === "tab-rules"`),
		text("#panel", "Nobody wants to be told of a value yet"))
	b.Run("a rule", script(`document.querySelector("#panel .main").click()`), there("dialog[open]"),
		script(fmt.Sprintf(`{ const s = document.querySelector("dialog select"); s.value = %q; s.dispatchEvent(new Event("change", { bubbles: true })); }`, w.homes[0].ID)),
		until(`[...document.querySelectorAll("dialog select")[1].options].some((o) => o.textContent === "Freezer")`),
		script(`{ const s = document.querySelectorAll("dialog select")[1]; s.value = "d:meter:freezer"; s.dispatchEvent(new Event("change", { bubbles: true })); }`),
		fill("property", "temperature"), fill("op", ">"), fill("value", "-15"), fill("hysteresis", "2"), fill("severity", "critical"), fill("name", "Food"), fits())
	b.Shot("rule")
	b.Run("adding it", script(`document.querySelector("dialog form").requestSubmit()`), until(`document.querySelector("dialog") === null`), text("[data-rule]", "Temperature is above -15"), text("[data-rule]", title))
	b.Run("its alert", script(`document.getElementById("tab-open").click()`), until(alertRow("Food: Freezer, temperature is -8.5 °C, above -15")+` !== undefined`))
	b.Run("a wrong rule", script(`document.getElementById("tab-rules").click()`), there("[data-rule]"), script(`document.querySelector("[data-rule] .small").click()`), there("dialog[open]"),
		until(`document.querySelector("dialog [name=value]").value === "-15"`), fill("value", "open"), script(`document.querySelector("dialog form").requestSubmit()`), text("dialog .failed", "compared with"),
		chromedp.KeyEvent(kb.Escape), until(`document.querySelector("dialog") === null`))
	b.Shot("rules")
}

func acknowledging(b *browsertest.Browser) {
	b.Run("acknowledging by keyboard", script(`document.getElementById("tab-open").click()`), until(alertRows+`.length === 4`), script(alertRow("driver down")+`.querySelector(".acts button").focus()`), chromedp.KeyEvent(kb.Enter),
		until(alertRow("driver down")+`.textContent.includes("acknowledged by boss")`), text("#panel [role=status]", "Acknowledged: driver down"),
		until(`document.activeElement.closest(".alert-row") !== null`), fits())
	b.Shot("acknowledged")
}

func deliveries(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	var broken atomic.Bool
	heard := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e notify.Event
		_ = json.NewDecoder(r.Body).Decode(&e)
		if broken.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		heard <- e.Kind
	}))
	defer hook.Close()
	b.Run("the tab", script(`document.getElementById("tab-targets").click()`), text("#panel", "Events are delivered nowhere yet"), script(`document.querySelector("#panel .main").click()`), there("dialog[open]"))
	b.Run("a webhook", script(fmt.Sprintf(`{ const d = document.querySelector("dialog"); d.querySelector("[name=name]").value = "Office"; d.querySelector("[name=url]").value = %q; d.querySelector("[name=quiet]").click(); }`, hook.URL)),
		there("dialog [name=zone]"), script(`{ const d = document.querySelector("dialog"); d.querySelector("[name=from]").value = "01:00"; d.querySelector("[name=to]").value = "01:01"; }`), fits())
	b.Shot("target")
	b.Run("adding it", script(`document.querySelector("dialog form").requestSubmit()`), text("dialog pre", "hook_"), fits())
	b.Shot("secret")
	b.Run("a test", chromedp.KeyEvent(kb.Escape), until(`document.querySelector("dialog") === null`), text("[data-target]", "quiet 01:00–01:01"), script(`document.querySelector("[data-target] .acts button").click()`),
		text("[data-target] [role=status]", "The test arrived"))
	if kind := <-heard; kind != notify.KindTest {
		t.Errorf("the webhook heard of %s", kind)
	}
	broken.Store(true)
	b.Run("a test that fails", script(`document.querySelector("[data-target] .acts button").click()`), text("[data-target] [role=status].failed", "it answered 503"), fits())
	b.Shot("targets")
	b.Run("the log", script(`document.querySelectorAll("[data-target] .acts button")[1].click()`), text("dialog", "Nothing was to be delivered yet"), chromedp.KeyEvent(kb.Escape), until(`document.querySelector("dialog") === null`))
}

// Who may only read acknowledges nothing and learns no addresses.
func TestAlertsOfAGuestInABrowser(t *testing.T) {
	b := browsertest.Start(t)
	w := newWatched(t)
	w.trouble(t)
	b.Run("opening the page", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(w.URL+"/alerts?token="+w.guest), until(alertRow("6 homes")+` !== undefined`),
		until(`document.querySelector(".acts button") === null && document.getElementById("tab-targets") === null`),
		script(`document.getElementById("tab-rules").click()`), text("#panel", "Nobody wants"), until(`document.querySelector("#panel .main") === null`))
}

// A gateway that is away comes before a battery that is low, and what does not fit into one answer is said to be there.
func TestTheWorstComesFirstInABrowser(t *testing.T) {
	b := browsertest.Start(t)
	w := newWatched(t)
	w.trouble(t)
	b.Run("the homes", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(w.URL+"/?token="+w.boss),
		until(`document.querySelectorAll(".home:not(.heads) .chip.bad").length === 7`), text(".home:not(.heads)", "House 5"))
	battery, _ := hearth.Word("battery")
	low := hearth.NumberOf(7)
	var many []hearth.DeviceView
	for i := range 1001 {
		many = append(many, hearth.DeviceView{ID: hearth.ID(fmt.Sprintf("meter:%d", i)), Type: "sensor", Reachable: true, Properties: []hearth.PropertyView{{Property: battery, Value: &low, Time: hearth.Time{Time: w.now()}}}})
	}
	must(t, w.fleet.Put(t.Context(), w.homes[0].ID, many))
	b.Run("the alerts", chromedp.Navigate(w.URL+"/alerts"), text("#panel", "the worst 1,000 open"), text("#tab-open", "1,000+"), until(alertRows+`[0].textContent.includes("outage")`))
}
