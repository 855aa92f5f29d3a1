package web_test

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"hearth"
	"hearth/api/browsertest"
)

// The steps in a page.
var (
	until  = browsertest.Until
	there  = browsertest.There
	text   = browsertest.Says
	fits   = browsertest.Fits
	script = browsertest.Script
)

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
	browsertest.OnEachScreen(t, func(t *testing.T, b *browsertest.Browser) {
		s := newSite(t)
		for i := range 12 {
			s.join(t, fmt.Sprintf("House %d", i+1))
		}
		g := s.join(t, title)
		g.connect(t)
		g.furnish(t)
		b.Run("opening the link", chromedp.Navigate(s.URL+"/?token="+s.admin), until(`location.search === ""`))
		homesPage(t, b, s)
		b.Follow(`.home a[href="/homes/` + g.Home + `"]`)
		b.Run("a home", until(`document.querySelectorAll("article.device").length === 2`), there(".link.up"), text("h1", title), fits())
		homePage(t, b, g)
		taken := func(complaint string) bool { return strings.Contains(complaint, "409 (Conflict)") } // a home's name, on purpose
		if found := slices.DeleteFunc(b.Complaints(), taken); len(found) > 0 {
			t.Errorf("the pages complain: %q", found)
		}
		goesAway(b, g)
	})
}

func homesPage(t *testing.T, b *browsertest.Browser, s *site) {
	t.Helper()
	rows := `[...document.querySelectorAll(".home:not(.heads)")]`
	b.Run("the list", until(rows+`.length === 13`), there(".link.up"),
		until(rows+`[0].textContent.includes("Cabin")`), // it has alerts
		until(rows+`[0].textContent.includes("online") && `+rows+`[0].textContent.includes("driver down")`),
		fits())
	b.Shot("homes")
	b.Run("by name", script(`{ const s = document.querySelector(".tools select"); s.value = "name"; s.dispatchEvent(new Event("change", { bubbles: true })); }`),
		until(rows+`[2].textContent.includes("House 2")`)) // not House 10
	b.Run("finding one", script(`document.querySelector(".find input").focus()`), chromedp.KeyEvent("house 1"), until(rows+`.length === 4`))
	b.Run("finding all again", chromedp.KeyEvent(strings.Repeat(kb.Backspace, 7)), until(rows+`.length === 13`))

	b.Run("adding a home", script(`document.querySelector(".top button").click()`), until(`document.activeElement.id === "home-name"`),
		chromedp.KeyEvent("House 1"+kb.Enter), text("dialog .failed", "choose another name"),
		script(`document.querySelector("#home-name").select()`), chromedp.KeyEvent("Attic"+kb.Enter),
		text("dialog .command", "hearth-edge claim -config /etc/hearth/edge.yaml "+s.URL+" "), until(rows+`.length === 14`),
		fits())
	b.Shot("add")
	claim, err := s.books.Claim(t.Context(), browsertest.Value[string](b, `document.querySelector("dialog .code").textContent`))
	must(t, err)
	attic := &gateway{Claim: claim, site: s}
	attic.connect(t)
	b.Run("it has joined", text("dialog [role=status]", "Open Attic"), chromedp.KeyEvent(kb.Escape), until(`document.querySelector("dialog") === null`))
}

func homePage(t *testing.T, b *browsertest.Browser, g *gateway) {
	t.Helper()
	b.Run("head and alerts", text(".head", "online"), text(".head", "2.0.1"), text("#alerts", "driver down"), until(`!document.querySelector("#alerts").textContent.includes("Room")`), // that is why
		text("#gateway", "the stick is not plugged in"), text("#gateway", "43\u202fMB a day"))
	b.Run("the ledger", text("#ledger [data-count=unexplained]", "0"), text("#ledger [data-count=dropped]", "60"), text("#ledger [data-count=on_gateway]", "9"),
		text(".head", "nothing unexplained"), script(`document.querySelector("#ledger details").open = true`), there("#ledger tbody tr"))
	toggles(b, g)
	charts(b)
	fails(b, g)
	g.upload(t, []hearth.Reading{{Device: room, Property: "temperature", Value: hearth.NumberOf(23.25), Time: time.Now()}}, nil, 9, 60, 37)
	b.Run("a live value", text(`[data-device="toy:room"] [data-property=temperature]`, "23.25"))
	g.status(t, "running", "")
	b.Run("a device that stays away", text("#alerts", "Room does not answer"), until(`!document.querySelector("#alerts").textContent.includes("driver down")`))
	g.devices(t, false, true) // the lamp was switched off while nobody listened
	b.Run("an inventory brings news", until(lampSwitch+`.getAttribute("aria-checked") === "false"`))
	b.Run("alerts go", until(`!(document.querySelector("#alerts")?.textContent ?? "").includes("does not answer")`))
	b.Run("unexplained stands out", there("#ledger .sum .odd"), text("#ledger .notice", "37 readings are unexplained"), there(".head a.failed[href='#ledger']"),
		fits())
	b.Shot("home")
}

const lampSwitch = `document.querySelector('[data-device="toy:lamp"] [role=switch]')`

func toggles(b *browsertest.Browser, g *gateway) {
	release := make(chan struct{})
	g.answers(func(hearth.Command) *hearth.Error { <-release; return nil })
	b.Run("switching the lamp on by keyboard", until(lampSwitch+`.getAttribute("aria-checked") === "false"`),
		script(lampSwitch+`.focus()`), chromedp.KeyEvent(" "),
		there(`[data-device="toy:lamp"] .outcome.pending`), text(".command .state", "sent"))
	b.Shot("pending")
	close(release)
	b.Run("confirmed", there(`[data-device="toy:lamp"] .outcome.done`), text(".command .state.good", "confirmed"),
		until(lampSwitch+`.getAttribute("aria-checked") === "true"`),
		script(`document.querySelector(".command details").open = true`), text(".command ol", "confirmed by the device's own report"), text(".command .when", "by boss"))
}

func charts(b *browsertest.Browser) {
	b.Run("opening a chart", chromedp.Click(chromedp.CSS(`[data-device="toy:room"] button[data-property=temperature]`)),
		there("dialog.chart[open] canvas"), text(".gaps li", "60 readings missing"), until(`document.querySelector("dialog.chart").scrollWidth <= innerWidth`))
	b.Shot("chart")
	b.Run("30 days", chromedp.Click(chromedp.CSS(`.spans button:last-child`)), until(`document.querySelector(".spans button:last-child").textContent === "30 days"`),
		until(`document.querySelector(".spans button:last-child").getAttribute("aria-pressed") === "true"`))
	b.Run("closing it by keyboard", chromedp.KeyEvent(kb.Escape), until(`document.querySelector("dialog") === null`))
}

func fails(b *browsertest.Browser, g *gateway) {
	g.answers(func(hearth.Command) *hearth.Error {
		return &hearth.Error{Code: hearth.CodeOffline, Message: "the lamp does not answer"}
	})
	b.Run("a command that fails", script(lampSwitch+`.click()`), text(`[data-device="toy:lamp"] .outcome.failed`, "the lamp does not answer"),
		text(".command .why", "the lamp does not answer"), until(lampSwitch+`.getAttribute("aria-checked") === "true"`))
	b.Shot("failed-command")
}

// goesAway has first the gateway and then the receiver leave.
func goesAway(b *browsertest.Browser, g *gateway) {
	g.leave()
	b.Run("the gateway is away", text(".notices", "The gateway is away"), text(".head", "offline"))
	g.site.web.Close()
	g.site.CloseClientConnections()
	g.site.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	b.Run("the receiver is away", there(".link.down"), text(".notices", "Connection lost"), text(".head", "not known"))
	b.Shot("lost")
}

func TestAThousandHomesInABrowser(t *testing.T) {
	b := browsertest.Start(t)
	s := newSite(t)
	for i := range 1000 {
		if _, _, err := s.books.AddHome(t.Context(), "", fmt.Sprintf("House %d", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	b.Run("opening the page", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.URL+"/?token="+s.read),
		until(`document.querySelectorAll(".home:not(.heads)").length === 1000`), until(`document.querySelector(".top button") === null`))
	took := browsertest.Value[float64](b, `(() => {
		const field = document.querySelector(".find input"), began = performance.now();
		field.value = "99"; field.dispatchEvent(new Event("input", { bubbles: true }));
		return new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))));
	})()`)
	t.Logf("finding among a thousand homes took %.0f ms", took)
	b.Run("finding", until(`document.querySelectorAll(".home:not(.heads)").length === 19`))
	if found := b.Complaints(); len(found) > 0 {
		t.Errorf("the page complains: %q", found)
	}
}

func TestWithoutATokenInABrowser(t *testing.T) {
	b := browsertest.Start(t)
	s := newSite(t)
	b.Run("opening the page", chromedp.EmulateViewport(390, 700), chromedp.Navigate(s.URL+"/?token=wrong"),
		text("pre", "hearth-cloud token add"), until(`location.search === ""`))
	b.Shot("denied")
}

// A name is as long as a device likes.
func TestLongNamesInABrowser(t *testing.T) {
	b := browsertest.Start(t)
	s := newSite(t)
	g := s.join(t, title)
	long := strings.Repeat("Treppenhaus", 9)
	word := hearth.Property{Name: "temperature", Kind: hearth.Number, Unit: long}
	warm := hearth.NumberOf(20)
	view := hearth.DeviceView{ID: room, Name: long, Room: long, Type: "sensor", Reachable: true, Properties: []hearth.PropertyView{{Property: word, Value: &warm}}}
	must(t, s.fleet.Put(t.Context(), g.Home, []hearth.DeviceView{view}))
	b.Run("a home", chromedp.EmulateViewport(360, 740), chromedp.Navigate(s.URL+"/homes/"+g.Home+"?token="+s.read),
		until(`document.querySelectorAll("article.device").length === 1`), fits())
	b.Shot("long names")
}
