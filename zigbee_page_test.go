package hearth_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"hearth/api/browsertest"
	"hearth/drivers/zigbee/fake"
)

// TestZigbeeOnThePage pairs devices, groups and binds them, and looks at all that as a person does.
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
		groupsOnThePage(b)
		bindingsOnThePage(b, a)
		a.stick.Unplug()
		b.Run("why it is away", browsertest.Says(".radio > .notice.bad", "The radio is "), browsertest.Fits())
		a.stick.Plug()
		b.Run("and back", browsertest.Until(`document.querySelector(".radio > .notice.bad") === null`))
		if found := b.Complaints(); len(found) > 0 {
			t.Errorf("the page complains: %q", found)
		}
	})
}

// fill types into the field that an expression finds.
func fill(field, text string) []browsertest.Action {
	return []browsertest.Action{browsertest.Script(field + `.focus()`), chromedp.KeyEvent(text)}
}

// tick clicks the members of a form whose names contain these words.
func tick(form string, words ...string) (steps []browsertest.Action) {
	for _, word := range words {
		steps = append(steps, browsertest.Script(fmt.Sprintf(`[...document.querySelectorAll(%q)].find((l) => l.textContent.includes(%q)).querySelector("input").click()`, form+" fieldset label", word)))
	}
	return steps
}

func click(selector, text string) browsertest.Action {
	return browsertest.Script(fmt.Sprintf(`[...document.querySelectorAll(%q)].find((b) => b.textContent.includes(%q)).click()`, selector, text))
}

// groupsOnThePage makes a group with a scene, recalls it, changes the group and looks at all of it.
func groupsOnThePage(b *browsertest.Browser) {
	const card, first = ".groups .new", `.groups [data-group="1"]`
	b.Run("opening the groups", browsertest.Script(`document.querySelector(".map").open = false`), chromedp.Click(".groups > summary"), browsertest.Says(".groups > summary", "0"))
	b.Run("opening the form", chromedp.Click(card+" > summary"), browsertest.Until(`document.querySelectorAll(".groups .new fieldset label").length >= 3`))
	b.Run("naming it", fill(`document.querySelector(".groups .new input")`, "Salon")...)
	b.Run("its members", tick(card, "LCA001", "GL-B-001Z")...)
	b.Run("making it", click(card+" .buttons button", "Make it"), browsertest.Says(first, "Salon"), browsertest.Fits())
	b.Run("it is a device", browsertest.There(`[data-device="radio:group_1"]`))
	b.Run("managing it", chromedp.Click(first+" summary"), browsertest.There(first+" .form"))
	b.Run("naming a scene", fill(fmt.Sprintf(`document.querySelector(%q)`, first+` [aria-label="New scene of Salon"]`), "Evening")...)
	b.Run("keeping it", click(first+" button", "Keep what is on"), browsertest.There(first+` [aria-label="Recall Evening in Salon"]`))
	b.Shot("groups")
	b.Run("recalling it", chromedp.Click(first+` [aria-label="Recall Evening in Salon"]`), browsertest.Until(`!document.querySelector('[aria-label="Recall Evening in Salon"]').disabled`),
		browsertest.Until(`document.querySelector(".groups .failed") === null`))
	b.Run("one more member", append(tick(first, "TRADFRI bulb"), click(first+" button", "Save"), browsertest.Says(first+" .name", "TRADFRI bulb"), browsertest.Fits())...)
}

// bindingsOnThePage has the remote control switch the group, and looks at it.
func bindingsOnThePage(b *browsertest.Browser, a *air) {
	pick := func(n int, text string) browsertest.Action {
		return browsertest.Script(fmt.Sprintf(`{ const s = document.querySelectorAll(".bindings select")[%d]; s.value = [...s.options].find((o) => o.textContent.includes(%q)).value; s.dispatchEvent(new Event("change", { bubbles: true })); }`, n, text))
	}
	b.Run("opening the connections", browsertest.Script(`document.querySelector(".groups").open = false`), chromedp.Click(".bindings > summary"),
		browsertest.Until(`document.querySelectorAll(".bindings select")[1].textContent.includes("Salon (group)")`))
	b.Run("choosing", pick(0, "dimmer switch"), pick(1, "Salon"))
	b.Run("connecting", click(".bindings button", "Connect"), browsertest.Says(".bindings", "press a button"))
	b.Shot("binding")
	for _, d := range a.devices {
		d.Wake()
	}
	b.Run("it is connected", browsertest.Says(".bindings ul", "Salon"), browsertest.Says(".bindings ul", "on and off"), browsertest.Fits())
	b.Shot("bindings")
}
