package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"hearth"
	"hearth/api"
	"hearth/api/browsertest"
	"hearth/cloud/accounts"
	"hearth/cloud/downlink"
	"hearth/cloud/fleet"
	"hearth/cloud/ingest"
	"hearth/cloud/series"
	"hearth/cloud/web"
)

// serve is a receiver of the rooms that the page needs, with homes whose gateways are away, and an operator's token.
func serve(t *testing.T) (url, secret string, books *accounts.Accounts) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithCancel(t.Context())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	books, err := accounts.Open(ctx, accounts.Options{Dir: t.TempDir()})
	must(err)
	store, err := series.Open(t.TempDir(), series.Options{Log: log})
	must(err)
	homes, err := fleet.Open(ctx, fleet.Options{Accounts: books, Last: store.Last, Emit: func(string, string, any) {}, Log: log})
	must(err)
	down := downlink.New(downlink.Options{
		Accounts: books, Embedded: &downlink.Embedded{}, Log: log, Device: homes.Device, Changed: homes.Command,
		Online: homes.Online, Reading: homes.Live, Event: func(string, string, []byte) {},
	})
	r := &rig{t: t, books: books, down: down}
	works := New(Options{Accounts: books, Commands: r, Look: homes.Look, Log: log})
	auth := api.NewAuth(api.AuthOptions{Cookie: web.CookieName, Narrow: web.Narrow(books), Find: books.Find})
	in := ingest.New(ingest.Options{Store: store, Accounts: books, Check: auth.Check, Live: func(ingest.Arrival) {}, Log: log})
	tenants := api.Route{Method: "GET", Path: "/api/v1/tenants", ID: "listTenants", Scope: hearth.ScopeRead, Response: []map[string]string{}, Handler: func(w http.ResponseWriter, _ *http.Request) error {
		api.WriteJSON(w, 200, []map[string]string{{"id": "main", "name": "Main"}})
		return nil
	}}
	site := web.New(web.Options{
		Accounts: books, Series: store, Fleet: homes, Commands: down, Auth: auth, MQTT: down.Handler(), Version: "1.2.3", Log: log,
		More:    append(works.Routes(), tenants),
		Influx:  web.Influx{WriteV1: in.WriteV1, WriteV2: in.WriteV2, Query: in.Ping, Ping: in.Ping, Health: in.Health},
		Metrics: func(*api.Metrics) {},
	})
	must(down.Listen(ctx))
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{down.Run, homes.Run, store.Run, works.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	server := httptest.NewServer(site)
	t.Cleanup(func() {
		site.Close()
		cancel()
		running.Wait()
		server.Close()
		must(store.Close())
		must(books.Close())
	})
	for i := range 12 {
		home, _, err := books.AddHome(ctx, "", fmt.Sprintf("Stairs %d", i+1))
		must(err)
		must(homes.Put(ctx, home.ID, []hearth.DeviceView{lamp("radio:1", "Hall"), lamp("radio:2", "Attic"), meter()}))
	}
	secret, err = books.AddToken(ctx, hearth.Token{Name: "operator", Scope: hearth.ScopeControl})
	must(err)
	return server.URL, secret, books
}

func TestThePage(t *testing.T) {
	browsertest.OnEachScreen(t, func(t *testing.T, b *browsertest.Browser) {
		url, secret, books := serve(t)
		b.Run("the page opens", chromedp.Navigate(url+"/jobs?token="+secret), browsertest.Says("main", "No job was started yet"), browsertest.Fits())
		click := func(words string) browsertest.Action {
			return browsertest.Script(fmt.Sprintf(`[...document.querySelectorAll("button")].find((b) => b.textContent.trim().startsWith(%q)).click()`, words))
		}
		set := func(selector, value string) browsertest.Action {
			return browsertest.Script(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.value = %q; for (const kind of ["input", "change"]) e.dispatchEvent(new Event(kind, { bubbles: true })); })()`, selector, value))
		}
		b.Run("a group", click("New group"), browsertest.There("dialog[open] [name=name]"), set("dialog [name=name]", "All halls"),
			set("dialog [name$=-room]", "Hall"), browsertest.Fits(), click("Save"), browsertest.Says("#groups", "All halls"), browsertest.Says("#groups", "all devices in Hall of all homes"))
		b.Run("a job, up to the question", click("New job"), browsertest.There("dialog[open] [name=where]"), set("dialog [name=type]", "light"), set("dialog [name=value]", "off"))
		b.Shot("form")
		b.Run("whom it reaches", browsertest.Fits(), click("See whom"), browsertest.Says("dialog .made", "24 devices take it"))
		b.Shot("question")
		b.Run("it is started", click("Start"), browsertest.Says("dialog .made", "It is started"), click("Done"), browsertest.Says("#jobs", "24 accepted"), browsertest.Says("#jobs", "under way"))
		if _, err := books.DB().ExecContext(t.Context(), `UPDATE commands SET state = CASE WHEN n = 1 THEN 'confirmed' ELSE 'failed' END, due = 0 WHERE device = 'radio:1' OR home IN (SELECT id FROM homes WHERE label < 'Stairs 2')`); err != nil {
			t.Fatal(err)
		}
		b.Run("its progress", browsertest.Says("#jobs", "confirmed"), click("8 accepted"), browsertest.Says(".members", "radio:2"), browsertest.Fits())
		b.Shot("progress")
		b.Run("what some cannot take", click("New job"), browsertest.There("dialog[open] [name=where]"), set("dialog [name=type]", ""), set("dialog [name=value]", "on"), click("See whom"), browsertest.Says("dialog .made", "12 cannot take it"))
		b.Run("closed", click("Done"), browsertest.Until(`!document.querySelector("dialog[open]")`))
		b.Run("called off", click("Call it off"), browsertest.Says("#jobs", "cancelled"), browsertest.Says("#jobs", "superseded"))
		b.Shot("cancelled")
		if complaints := b.Complaints(); len(complaints) > 0 {
			t.Errorf("the console: %s", strings.Join(complaints, "\n"))
		}
	})
}
