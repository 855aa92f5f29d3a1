package web

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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

// browser starts a headless Chromium, or skips. Complaints of the page collect in the returned func.
func browser(t *testing.T) (context.Context, func() []string) {
	t.Helper()
	if os.Getenv("HEARTH_E2E") != "1" {
		t.Skip("NOT RUN: the page in a real browser. Set HEARTH_E2E=1, with chromium installed")
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
	return ctx, func() []string { mu.Lock(); defer mu.Unlock(); return complaints }
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

// until polls the page for an expression to become true.
func until(expression string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(10*time.Second))(ctx, target)
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

func TestPageInABrowser(t *testing.T) {
	sizes := []struct {
		name          string
		width, height int64
		dark          bool
	}{{"desktop", 1280, 900, false}, {"phone", 390, 844, false}, {"narrow dark", 360, 740, true}}
	for _, size := range sizes {
		t.Run(size.name, func(t *testing.T) {
			ctx, complaints := browser(t)
			h := newHouse(t, nil)
			h.furnishMore(t)
			scheme := "light"
			if size.dark {
				scheme = "dark"
			}
			run(t, ctx, "opening the link",
				chromedp.EmulateViewport(size.width, size.height),
				chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
					features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
					_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
					return err
				}),
				chromedp.Navigate(h.URL+"/?token="+adminToken),
				until(`document.querySelectorAll("article.device").length === 11`),
				until(`document.querySelector(".link.up") !== null`),
				until(`location.search === ""`),
				until(`document.documentElement.scrollWidth <= innerWidth`),
			)
			shot(t, ctx, "page")
			toggles(t, ctx, h)
			liveValue(t, ctx, h)
			renames(t, ctx, h)
			charts(t, ctx)
			fails(t, ctx, h)
			if found := complaints(); len(found) > 0 {
				t.Errorf("the page complains: %q", found)
			}
		})
	}
}

const lampSwitch = `document.querySelector('[data-device="toy:lamp"] [role=switch]')`

func toggles(t *testing.T, ctx context.Context, h *house) {
	t.Helper()
	release := make(chan struct{})
	h.answer(func(cmd hearth.Command) error {
		<-release
		for name, v := range cmd.Set {
			h.report(cmd.Device, name, v)
		}
		return nil
	})
	run(t, ctx, "the lamp is off", until(lampSwitch+`.getAttribute("aria-checked") === "false"`))
	run(t, ctx, "switching it on by keyboard", script(lampSwitch+`.focus()`), chromedp.KeyEvent(" "),
		until(lampSwitch+`.getAttribute("aria-checked") === "true"`),
		until(`document.querySelector('[data-device="toy:lamp"] .pending') !== null`))
	shot(t, ctx, "pending")
	close(release)
	run(t, ctx, "confirmed", until(`document.querySelector('[data-device="toy:lamp"] .done') !== null`),
		until(lampSwitch+`.getAttribute("aria-busy") === "false"`))
	h.answer(nil)
	if view, _ := h.home.Device(lamp); !view.Property("on").Value.Bool() {
		t.Error("the lamp is still off at the gateway")
	}
}

func liveValue(t *testing.T, ctx context.Context, h *house) {
	t.Helper()
	h.report(meter, "power", hearth.NumberOf(999))
	run(t, ctx, "a value changes live", until(`document.querySelector('[data-device="toy:meter"] [data-property=power]').textContent.startsWith("999")`))
	run(t, ctx, "a slider by keyboard",
		script(`document.querySelector('[data-device="toy:lamp"] [data-property=brightness]').focus()`), chromedp.KeyEvent(kb.ArrowRight),
		until(`document.querySelector('[data-device="toy:lamp"] .brightness output').textContent.startsWith("41")`))
}

func renames(t *testing.T, ctx context.Context, h *house) {
	t.Helper()
	run(t, ctx, "renaming", chromedp.Click(chromedp.CSS(`[data-device="toy:meter"] h3 .editable`)),
		until(`document.activeElement === document.querySelector('[data-device="toy:meter"] h3 input')`),
		chromedp.KeyEvent("Main meter"+kb.Enter),
		until(`document.querySelector('[data-device="toy:meter"] h3').textContent === "Main meter"`))
	if view, _ := h.home.Device(meter); view.Name != "Main meter" {
		t.Errorf("at the gateway it is called %q", view.Name)
	}
}

func charts(t *testing.T, ctx context.Context) {
	t.Helper()
	run(t, ctx, "opening a chart", chromedp.Click(chromedp.CSS(`[data-device="toy:room"] button[data-property=temperature]`)),
		until(`document.querySelector("dialog.chart[open] canvas") !== null`),
		until(`document.querySelector(".gaps li") !== null`),
		until(`document.querySelector("dialog.chart").scrollWidth <= innerWidth`))
	shot(t, ctx, "chart")
	run(t, ctx, "another range", chromedp.Click(chromedp.CSS(`.spans button:first-child`)), until(`document.querySelector(".spans button:first-child").getAttribute("aria-pressed") === "true"`))
	run(t, ctx, "closing it by keyboard", chromedp.KeyEvent(kb.Escape), until(`document.querySelector("dialog") === null`))
}

func fails(t *testing.T, ctx context.Context, h *house) {
	t.Helper()
	h.answer(func(hearth.Command) error { return hearth.Errorf(hearth.CodeOffline, "the lamp does not answer") })
	run(t, ctx, "a command that fails", script(lampSwitch+`.click()`),
		until(`document.querySelector('[data-device="toy:lamp"] .outcome.failed')?.textContent.includes("does not answer")`),
		until(lampSwitch+`.getAttribute("aria-checked") === "true"`),
		script(`document.querySelector(".machine").open = true; document.querySelector('[data-device="toy:lamp"] details').open = true`))
	shot(t, ctx, "failed-command")
	run(t, ctx, "the gateway itself", script(`document.querySelector(".machine").scrollIntoView()`), until(`document.querySelector(".machine").textContent.includes("Disk wear")`))
	h.answer(nil)
}

func TestWithoutATokenInABrowser(t *testing.T) {
	ctx, _ := browser(t)
	h := newHouse(t, nil)
	run(t, ctx, "opening the page", chromedp.EmulateViewport(390, 700), chromedp.Navigate(h.URL+"/?token=wrong"),
		until(`document.querySelector("pre").textContent.includes("hearth-edge token add")`), until(`location.search === ""`))
	shot(t, ctx, "denied")
}
