package web_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"hearth"
)

// browser starts a headless Chromium, or skips. Complaints of the pages collect in the returned func.
func browser(t *testing.T) (context.Context, func() []string) {
	t.Helper()
	if os.Getenv("HEARTH_E2E") != "1" {
		t.Skip("NOT RUN: the pages in a real browser. Set HEARTH_E2E=1, with chromium installed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	var mu sync.Mutex
	var complaints []string
	console := chromedp.Console(ctx)
	go func() { // ends with the browser
		for message, err := range console {
			if err != nil {
				return
			}
			if message.Type == chromedp.ConsoleError || message.Type == chromedp.ConsoleWarning || message.Type == chromedp.ConsoleException {
				mu.Lock()
				complaints = append(complaints, message.Text)
				mu.Unlock()
			}
		}
	}()
	return ctx, func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(complaints) }
}

func run(t *testing.T, ctx context.Context, what string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	limited, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	if err := chromedp.Do(limited, actions...); err != nil {
		shot(t, ctx, "failed")
		t.Fatalf("%s: %v", what, err)
	}
}

// follow clicks a link and waits for the page that it leads to.
func follow(t *testing.T, ctx context.Context, link string) {
	t.Helper()
	limited, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	reply, err := chromedp.RunResponse(limited, chromedp.Click(chromedp.CSS(link)))
	if err != nil || reply.Status != http.StatusOK {
		t.Fatalf("following %s: %v, %v", link, reply, err)
	}
}

// shot keeps a picture where HEARTH_SHOTS says.
func shot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("HEARTH_SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Errorf("picture %s: %v", name, err)
		return
	}
	path := filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+"-"+name+".png")
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		t.Error(err)
	}
}

// until polls the page for an expression to become true; a missing element is not true yet.
func until(expression string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(15*time.Second))(ctx, target)
		if err != nil {
			err = fmt.Errorf("until %s: %w", expression, err)
		}
		return chromedp.Void{}, err
	}
}

// script runs a statement in the page.
func script(statement string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](statement)
}

// text waits until an element says something.
func text(selector, words string) chromedp.Action[chromedp.Void] {
	return until(fmt.Sprintf(`(document.querySelector(%q)?.textContent ?? "").includes(%q)`, selector, words))
}

func there(selector string) chromedp.Action[chromedp.Void] {
	return until(fmt.Sprintf(`document.querySelector(%q) !== null`, selector))
}

func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	})
}

// furnish gives a home a day of temperatures with a gap in it, and a status with a driver that is down.
func (g *gateway) furnish(t *testing.T) {
	t.Helper()
	now := time.Now()
	var readings []hearth.Reading
	for m := 25 * 60; m > 0; m -= 2 {
		if m > 4*60 && m < 6*60 {
			continue
		}
		readings = append(readings, hearth.Reading{Device: room, Property: "temperature", Value: hearth.NumberOf(20 + 3*math.Sin(float64(m)/200)), Time: now.Add(-time.Duration(m) * time.Minute)})
	}
	gap := hearth.Gap{From: hearth.Time{Time: now.Add(-6 * time.Hour)}, To: hearth.Time{Time: now.Add(-4 * time.Hour)}, Count: 60, Reason: hearth.GapCap}
	g.upload(t, readings, []hearth.Gap{gap}, 0, 60, 0)
	g.upload(t, []hearth.Reading{{Device: room, Property: "temperature", Value: hearth.NumberOf(21.5), Time: now}}, nil, 9, 60, 0)
	g.devices(t, false, false)
	g.status(t, "waiting", "the stick is not plugged in")
}

func TestPagesInABrowser(t *testing.T) {
	sizes := []struct {
		name          string
		width, height int64
		scheme        string
	}{{"desktop", 1280, 900, "light"}, {"phone", 390, 844, "light"}, {"narrow dark", 360, 740, "dark"}}
	for _, size := range sizes {
		t.Run(size.name, func(t *testing.T) {
			ctx, complaints := browser(t)
			s := newSite(t)
			for i := range 12 {
				s.join(t, fmt.Sprintf("House %d", i+1))
			}
			g := s.join(t, title)
			g.connect(t)
			g.furnish(t)
			run(t, ctx, "opening the link", chromedp.EmulateViewport(size.width, size.height), scheme(size.scheme),
				chromedp.Navigate(s.URL+"/?token="+s.admin), until(`location.search === ""`))
			homesPage(t, ctx, s)
			follow(t, ctx, `.home a[href="/homes/`+g.Home+`"]`)
			run(t, ctx, "a home", until(`document.querySelectorAll("article.device").length === 2`), there(".link.up"), text("h1", title),
				until(`document.documentElement.scrollWidth <= innerWidth`))
			homePage(t, ctx, g)
			taken := func(complaint string) bool { return strings.Contains(complaint, "409 (Conflict)") } // a home's name, on purpose
			if found := slices.DeleteFunc(complaints(), taken); len(found) > 0 {
				t.Errorf("the pages complain: %q", found)
			}
			goesAway(t, ctx, g)
		})
	}
}

func homesPage(t *testing.T, ctx context.Context, s *site) {
	t.Helper()
	rows := `[...document.querySelectorAll(".home:not(.heads)")]`
	run(t, ctx, "the list", until(rows+`.length === 13`), there(".link.up"),
		until(rows+`[0].textContent.includes("Cabin")`), // it has alerts
		until(rows+`[0].textContent.includes("online") && `+rows+`[0].textContent.includes("driver down")`),
		until(`document.documentElement.scrollWidth <= innerWidth`))
	shot(t, ctx, "homes")
	run(t, ctx, "by name", script(`{ const s = document.querySelector(".tools select"); s.value = "name"; s.dispatchEvent(new Event("change", { bubbles: true })); }`),
		until(rows+`[2].textContent.includes("House 2")`)) // not House 10
	run(t, ctx, "finding one", script(`document.querySelector(".find input").focus()`), chromedp.KeyEvent("house 1"), until(rows+`.length === 4`))
	run(t, ctx, "finding all again", chromedp.KeyEvent(strings.Repeat(kb.Backspace, 7)), until(rows+`.length === 13`))

	run(t, ctx, "adding a home", script(`document.querySelector(".top button").click()`), until(`document.activeElement.id === "home-name"`),
		chromedp.KeyEvent("House 1"+kb.Enter), text("dialog .failed", "choose another name"),
		script(`document.querySelector("#home-name").select()`), chromedp.KeyEvent("Attic"+kb.Enter),
		text("dialog .command", "hearth-edge claim -config /etc/hearth/edge.yaml "+s.URL+" "), until(rows+`.length === 14`),
		until(`document.documentElement.scrollWidth <= innerWidth`))
	shot(t, ctx, "add")
	code, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("dialog .code").textContent`))
	must(t, err)
	claim, err := s.books.Claim(t.Context(), code)
	must(t, err)
	attic := &gateway{Claim: claim, site: s}
	attic.connect(t)
	run(t, ctx, "it has joined", text("dialog [role=status]", "Open Attic"), chromedp.KeyEvent(kb.Escape), until(`document.querySelector("dialog") === null`))
}

func homePage(t *testing.T, ctx context.Context, g *gateway) {
	t.Helper()
	run(t, ctx, "head and alerts", text(".head", "online"), text(".head", "2.0.1"), text("#alerts", "driver down"), text("#alerts", "Room does not answer"),
		text("#gateway", "the stick is not plugged in"), text("#gateway", "43\u202fMB a day"))
	run(t, ctx, "the ledger", text("#ledger [data-count=unexplained]", "0"), text("#ledger [data-count=dropped]", "60"), text("#ledger [data-count=on_gateway]", "9"),
		text(".head", "nothing unexplained"), script(`document.querySelector("#ledger details").open = true`), there("#ledger tbody tr"))
	toggles(t, ctx, g)
	charts(t, ctx)
	fails(t, ctx, g)
	g.upload(t, []hearth.Reading{{Device: room, Property: "temperature", Value: hearth.NumberOf(23.25), Time: time.Now()}}, nil, 9, 60, 37)
	run(t, ctx, "a live value", text(`[data-device="toy:room"] [data-property=temperature]`, "23.25"))
	g.status(t, "running", "")
	g.devices(t, false, true) // the lamp was switched off while nobody listened
	run(t, ctx, "an inventory brings news", until(lampSwitch+`.getAttribute("aria-checked") === "false"`))
	run(t, ctx, "alerts go", until(`!(document.querySelector("#alerts")?.textContent ?? "").includes("does not answer")`))
	run(t, ctx, "unexplained stands out", there("#ledger .sum .odd"), text("#ledger .notice", "37 readings are unexplained"), there(".head a.failed[href='#ledger']"),
		until(`document.documentElement.scrollWidth <= innerWidth`))
	shot(t, ctx, "home")
}

const lampSwitch = `document.querySelector('[data-device="toy:lamp"] [role=switch]')`

func toggles(t *testing.T, ctx context.Context, g *gateway) {
	t.Helper()
	release := make(chan struct{})
	g.answers(func(hearth.Command) *hearth.Error { <-release; return nil })
	run(t, ctx, "switching the lamp on by keyboard", until(lampSwitch+`.getAttribute("aria-checked") === "false"`),
		script(lampSwitch+`.focus()`), chromedp.KeyEvent(" "),
		there(`[data-device="toy:lamp"] .outcome.pending`), text(".command .state", "sent"))
	shot(t, ctx, "pending")
	close(release)
	run(t, ctx, "confirmed", there(`[data-device="toy:lamp"] .outcome.done`), text(".command .state.good", "confirmed"),
		until(lampSwitch+`.getAttribute("aria-checked") === "true"`),
		script(`document.querySelector(".command details").open = true`), text(".command ol", "confirmed by the device's own report"), text(".command .when", "by boss"))
}

func charts(t *testing.T, ctx context.Context) {
	t.Helper()
	run(t, ctx, "opening a chart", chromedp.Click(chromedp.CSS(`[data-device="toy:room"] button[data-property=temperature]`)),
		there("dialog.chart[open] canvas"), text(".gaps li", "60 readings missing"), until(`document.querySelector("dialog.chart").scrollWidth <= innerWidth`))
	shot(t, ctx, "chart")
	run(t, ctx, "30 days", chromedp.Click(chromedp.CSS(`.spans button:last-child`)), until(`document.querySelector(".spans button:last-child").textContent === "30 days"`),
		until(`document.querySelector(".spans button:last-child").getAttribute("aria-pressed") === "true"`))
	run(t, ctx, "closing it by keyboard", chromedp.KeyEvent(kb.Escape), until(`document.querySelector("dialog") === null`))
}

func fails(t *testing.T, ctx context.Context, g *gateway) {
	t.Helper()
	g.answers(func(hearth.Command) *hearth.Error {
		return &hearth.Error{Code: hearth.CodeOffline, Message: "the lamp does not answer"}
	})
	run(t, ctx, "a command that fails", script(lampSwitch+`.click()`), text(`[data-device="toy:lamp"] .outcome.failed`, "the lamp does not answer"),
		text(".command .why", "the lamp does not answer"), until(lampSwitch+`.getAttribute("aria-checked") === "true"`))
	shot(t, ctx, "failed-command")
}

// goesAway has first the gateway and then the receiver leave.
func goesAway(t *testing.T, ctx context.Context, g *gateway) {
	t.Helper()
	g.leave()
	run(t, ctx, "the gateway is away", text(".notices", "The gateway is away"), text(".head", "offline"))
	g.site.web.Close()
	g.site.CloseClientConnections()
	g.site.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	run(t, ctx, "the receiver is away", there(".link.down"), text(".notices", "Connection lost"), text(".head", "not known"))
	shot(t, ctx, "lost")
}

func TestAThousandHomesInABrowser(t *testing.T) {
	ctx, complaints := browser(t)
	s := newSite(t)
	for i := range 1000 {
		if _, _, err := s.books.AddHome(t.Context(), fmt.Sprintf("House %d", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	run(t, ctx, "opening the page", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.URL+"/?token="+s.read),
		until(`document.querySelectorAll(".home:not(.heads)").length === 1000`), until(`document.querySelector(".top button") === null`))
	took, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`(() => {
		const field = document.querySelector(".find input"), began = performance.now();
		field.value = "99"; field.dispatchEvent(new Event("input", { bubbles: true }));
		return new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))));
	})()`, chromedp.EvalAwaitPromise))
	must(t, err)
	t.Logf("finding among a thousand homes took %.0f ms", took)
	run(t, ctx, "finding", until(`document.querySelectorAll(".home:not(.heads)").length === 19`))
	if found := complaints(); len(found) > 0 {
		t.Errorf("the page complains: %q", found)
	}
}

func TestWithoutATokenInABrowser(t *testing.T) {
	ctx, _ := browser(t)
	s := newSite(t)
	run(t, ctx, "opening the page", chromedp.EmulateViewport(390, 700), chromedp.Navigate(s.URL+"/?token=wrong"),
		text("pre", "hearth-cloud token add"), until(`location.search === ""`))
	shot(t, ctx, "denied")
}
