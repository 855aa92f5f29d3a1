package web

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"hearth"
	"hearth/api/browsertest"
)

// The steps in a page.
var (
	until  = browsertest.Until
	fits   = browsertest.Fits
	script = browsertest.Script
)

func TestPageInABrowser(t *testing.T) {
	browsertest.OnEachScreen(t, func(t *testing.T, b *browsertest.Browser) {
		h := newHouse(t, nil)
		h.furnishMore(t)
		b.Run("opening the link",
			chromedp.Navigate(h.URL+"/?token="+adminToken),
			until(`document.querySelectorAll("article.device").length === 11`),
			until(`document.querySelector(".link.up") !== null`),
			until(`location.search === ""`),
			fits(),
		)
		b.Shot("page")
		toggles(t, b, h)
		liveValue(b, h)
		renames(t, b, h)
		charts(b)
		fails(b, h)
		if found := b.Complaints(); len(found) > 0 {
			t.Errorf("the page complains: %q", found)
		}
	})
}

const lampSwitch = `document.querySelector('[data-device="toy:lamp"] [role=switch]')`

func toggles(t *testing.T, b *browsertest.Browser, h *house) {
	t.Helper()
	release := make(chan struct{})
	h.answer(func(cmd hearth.Command) error {
		<-release
		for name, v := range cmd.Set {
			h.report(cmd.Device, name, v)
		}
		return nil
	})
	b.Run("the lamp is off", until(lampSwitch+`.getAttribute("aria-checked") === "false"`))
	b.Run("switching it on by keyboard", script(lampSwitch+`.focus()`), chromedp.KeyEvent(" "),
		until(lampSwitch+`.getAttribute("aria-checked") === "true"`),
		until(`document.querySelector('[data-device="toy:lamp"] .pending') !== null`))
	b.Shot("pending")
	close(release)
	b.Run("confirmed", until(`document.querySelector('[data-device="toy:lamp"] .done') !== null`),
		until(lampSwitch+`.getAttribute("aria-busy") === "false"`))
	h.answer(nil)
	if view, _ := h.home.Device(lamp); !view.Property("on").Value.Bool() {
		t.Error("the lamp is still off at the gateway")
	}
}

func liveValue(b *browsertest.Browser, h *house) {
	h.report(meter, "power", hearth.NumberOf(999))
	b.Run("a value changes live", until(`document.querySelector('[data-device="toy:meter"] [data-property=power]').textContent.startsWith("999")`))
	b.Run("a slider by keyboard",
		script(`document.querySelector('[data-device="toy:lamp"] [data-property=brightness]').focus()`), chromedp.KeyEvent(kb.ArrowRight),
		until(`document.querySelector('[data-device="toy:lamp"] .brightness output').textContent.startsWith("41")`))
}

func renames(t *testing.T, b *browsertest.Browser, h *house) {
	t.Helper()
	b.Run("renaming", chromedp.Click(chromedp.CSS(`[data-device="toy:meter"] h3 .editable`)),
		until(`document.activeElement === document.querySelector('[data-device="toy:meter"] h3 input')`),
		chromedp.KeyEvent("Main meter"+kb.Enter),
		until(`document.querySelector('[data-device="toy:meter"] h3').textContent === "Main meter"`))
	if view, _ := h.home.Device(meter); view.Name != "Main meter" {
		t.Errorf("at the gateway it is called %q", view.Name)
	}
}

func charts(b *browsertest.Browser) {
	b.Run("opening a chart", chromedp.Click(chromedp.CSS(`[data-device="toy:room"] button[data-property=temperature]`)),
		until(`document.querySelector("dialog.chart[open] canvas") !== null`),
		until(`document.querySelector(".gaps li") !== null`),
		until(`document.querySelector("dialog.chart").scrollWidth <= innerWidth`))
	b.Shot("chart")
	b.Run("another range", chromedp.Click(chromedp.CSS(`.spans button:first-child`)), until(`document.querySelector(".spans button:first-child").getAttribute("aria-pressed") === "true"`))
	b.Run("closing it by keyboard", chromedp.KeyEvent(kb.Escape), until(`document.querySelector("dialog") === null`))
}

func fails(b *browsertest.Browser, h *house) {
	h.answer(func(hearth.Command) error { return hearth.Errorf(hearth.CodeOffline, "the lamp does not answer") })
	b.Run("a command that fails", script(lampSwitch+`.click()`),
		until(`document.querySelector('[data-device="toy:lamp"] .outcome.failed')?.textContent.includes("does not answer")`),
		until(lampSwitch+`.getAttribute("aria-checked") === "true"`),
		script(`[...document.querySelectorAll(".machine")].at(-1).open = true; document.querySelector('[data-device="toy:lamp"] details').open = true`))
	b.Shot("failed-command")
	b.Run("the gateway itself", script(`[...document.querySelectorAll(".machine")].at(-1).scrollIntoView()`), until(`[...document.querySelectorAll(".machine")].at(-1).textContent.includes("Disk wear")`))
	h.answer(nil)
}

func TestWithoutATokenInABrowser(t *testing.T) {
	b := browsertest.Start(t)
	h := newHouse(t, nil)
	b.Run("opening the page", chromedp.EmulateViewport(390, 700), chromedp.Navigate(h.URL+"/?token=wrong"),
		until(`document.querySelector("pre").textContent.includes("hearth-edge token add")`), until(`location.search === ""`))
	b.Shot("denied")
}
