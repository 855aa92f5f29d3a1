// Package browsertest opens the pages of a program in a real browser. Only tests import it.
package browsertest

import (
	"context"
	"fmt"
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
)

const (
	runPatience   = time.Minute
	untilPatience = 15 * time.Second
)

// An Action is one step in a page: those of chromedp, and those below.
type Action = chromedp.Action[chromedp.Void]

// A Browser is a headless Chromium with one window, which ends with its test.
type Browser struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// Start starts a Browser, or skips the test where the environment does not have HEARTH_E2E=1.
func Start(t *testing.T) *Browser {
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
	b := &Browser{t: t, ctx: ctx}
	console := chromedp.Console(ctx)
	go func() { // ends with the browser
		for message, err := range console {
			if err != nil {
				return
			}
			if message.Type == chromedp.ConsoleError || message.Type == chromedp.ConsoleWarning || message.Type == chromedp.ConsoleException {
				b.mu.Lock()
				b.complaints = append(b.complaints, message.Text)
				b.mu.Unlock()
			}
		}
	}()
	return b
}

// OnEachScreen runs a test in a window as on a desk, on a phone, and on a narrow phone that likes it dark.
func OnEachScreen(t *testing.T, test func(t *testing.T, b *Browser)) {
	for _, screen := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"desktop", 1280, 900, "light"}, {"phone", 390, 844, "light"}, {"narrow dark", 360, 740, "dark"}} {
		t.Run(screen.name, func(t *testing.T) {
			b := Start(t)
			b.Run("the screen", chromedp.EmulateViewport(screen.width, screen.height), scheme(screen.scheme))
			test(t, b)
		})
	}
}

func scheme(name string) Action {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	})
}

// Complaints returns what pages wrote to the console as warnings and errors.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.complaints)
}

// Run takes the steps one after another, within a minute. One that fails ends the test; what names them all.
func (b *Browser) Run(what string, actions ...Action) {
	b.t.Helper()
	limited, stop := context.WithTimeout(b.ctx, runPatience)
	defer stop()
	if err := chromedp.Do(limited, actions...); err != nil {
		b.Shot("failed")
		b.t.Fatalf("%s: %v", what, err)
	}
}

// Follow clicks a link and waits for the page that it leads to.
func (b *Browser) Follow(link string) {
	b.t.Helper()
	b.Lands("following "+link, http.StatusOK, chromedp.Click(chromedp.CSS(link)))
}

// Lands takes a step that leads to another page and waits for that, which must have this status.
func (b *Browser) Lands(what string, status int, step Action) {
	b.t.Helper()
	limited, stop := context.WithTimeout(b.ctx, runPatience)
	defer stop()
	reply, err := chromedp.RunResponse(limited, step)
	if err != nil || int(reply.Status) != status {
		b.t.Fatalf("%s: %v, %v, want a page of status %d", what, reply, err, status)
	}
}

// Shot keeps a picture of the whole page in the directory HEARTH_SHOTS, if that is set.
func (b *Browser) Shot(name string) {
	b.t.Helper()
	dir := os.Getenv("HEARTH_SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Errorf("picture %s: %v", name, err)
		return
	}
	path := filepath.Join(dir, strings.ReplaceAll(b.t.Name(), "/", "-")+"-"+name+".png")
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		b.t.Error(err)
	}
}

// Value returns what an expression is in the page; a promise is awaited.
func Value[T any](b *Browser, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// Until polls the page for an expression to become true.
func Until(expression string) Action {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(untilPatience))(ctx, target)
		if err != nil {
			err = fmt.Errorf("until %s: %w", expression, err)
		}
		return chromedp.Void{}, err
	}
}

// There waits until there is an element.
func There(selector string) Action {
	return Until(fmt.Sprintf(`document.querySelector(%q) !== null`, selector))
}

// Says waits until an element is there and says something.
func Says(selector, words string) Action {
	return Until(fmt.Sprintf(`(document.querySelector(%q)?.textContent ?? "").includes(%q)`, selector, words))
}

// Fits waits until nothing sticks out of the window sideways.
func Fits() Action { return Until(`document.documentElement.scrollWidth <= innerWidth`) }

// Script runs a statement in the page.
func Script(statement string) Action { return chromedp.Evaluate[chromedp.Void](statement) }
