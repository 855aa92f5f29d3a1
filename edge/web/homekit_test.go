package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"hearth/api/browsertest"
)

func TestHomeKitTellsItsSecretToAdministratorsOnly(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	for token, want := range map[string]int{readToken: 403, controlToken: 403, adminToken: 200} {
		for _, path := range []string{"/setup", "/bridges/1/qr.svg"} {
			if status, body, _ := h.ask(t, "GET", "/api/v1/homekit"+path, token, ""); status != want {
				t.Errorf("%s with %s: %d %s", path, token, status, body)
			}
		}
		if status, body, _ := h.ask(t, "GET", "/api/v1/homekit", token, ""); status != 200 || strings.Contains(string(body), "031-45-154") {
			t.Errorf("with %s: %d %s", token, status, body)
		}
	}
	none := newHouse(t, func(o *Options) { o.HomeKit = nil })
	if status, body, _ := none.ask(t, "GET", "/api/v1/homekit", readToken, ""); status != http.StatusNotFound || !strings.Contains(string(body), "homekit: {}") {
		t.Errorf("without HomeKit: %d %s", status, body)
	}
}

func TestHomeKitInABrowser(t *testing.T) {
	browsertest.OnEachScreen(t, func(t *testing.T, b *browsertest.Browser) {
		h := newHouse(t, nil)
		h.furnishMore(t)
		b.Run("opening the bridge's card",
			chromedp.Navigate(h.URL+"/?token="+adminToken),
			until(`document.querySelector("details.homekit") !== null`),
			script(`document.querySelector("details.homekit").open = true`),
			until(`document.querySelector(".homekit img")?.naturalWidth > 0`),
			until(`document.querySelector(".homekit .code").textContent === "031-45-154"`),
			until(`document.querySelector(".homekit").textContent.includes("10 devices")`),
			script(`document.querySelector(".homekit details").open = true; document.querySelector(".homekit").scrollIntoView()`),
			until(`document.querySelector(".homekit details").textContent.includes("Zigbee stick")`),
			fits(),
		)
		b.Shot("homekit")
		b.Run("without a right to it", chromedp.Navigate(h.URL+"/?token="+readToken),
			until(`document.querySelector("details.homekit") !== null`),
			script(`document.querySelector("details.homekit").open = true`),
			until(`document.querySelector(".homekit").textContent.includes("admin token")`),
			until(`document.querySelector(".homekit img") === null`))
		if found := b.Complaints(); len(found) > 0 {
			t.Errorf("the page complains: %q", found)
		}
	})
}
