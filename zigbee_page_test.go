package hearth_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"hearth/api/browsertest"
	"hearth/drivers/zigbee/fake"
)

// TestZigbeeOnThePage pairs devices and looks at them as a person does.
func TestZigbeeOnThePage(t *testing.T) {
	browsertest.OnEachScreen(t, func(t *testing.T, b *browsertest.Browser) {
		a := newAir(t, fake.ZNP, 8)
		host := newGatewayHost(t, a, fake.ZNP).(*gatewayHost)
		host.start()
		b.Run("opening the page", chromedp.Navigate(host.f.base+"/?token="+host.f.token), browsertest.There(".radio"))
		b.Run("opening the radio's card", chromedp.Click(".radio > summary"), browsertest.Says(".radio", "The network is closed."))
		b.Run("opening the network", chromedp.Click(".pairing button"), browsertest.Says(".pairing", "Open for"))
		a.pair()
		b.Run("the devices come", browsertest.Until(`[...document.querySelectorAll(".radio [data-ieee]")].filter((row) => row.textContent.includes("in reach")).length === 8`), browsertest.Fits())
		b.Run("closing it", chromedp.Click(".pairing .buttons button:nth-of-type(2)"), browsertest.Says(".radio", "The network is closed."))
		b.Run("drawing the map", chromedp.Click(".map > summary"), chromedp.Click(".map button"), browsertest.Until(`document.querySelectorAll(".mesh circle").length === 9`), browsertest.Fits())
		b.Shot("zigbee")
		if found := b.Complaints(); len(found) > 0 {
			t.Errorf("the page complains: %q", found)
		}
	})
}
