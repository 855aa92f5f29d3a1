package people_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

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

// press clicks the button whose words begin so.
func press(words string) browsertest.Action {
	return script(fmt.Sprintf(`[...document.querySelectorAll("button, a.small")].find((b) => b.textContent.startsWith(%q)).click()`, words))
}

// typed puts a text into a field of the dialog that is open.
func typed(name, value string) browsertest.Action {
	return script(fmt.Sprintf(`document.querySelector('dialog [name=%s]').value = %q`, name, value))
}

func TestPeopleInABrowser(t *testing.T) {
	browsertest.OnEachScreen(t, func(t *testing.T, b *browsertest.Browser) {
		s := newTown(t)
		s.want(204, nil, "DELETE", "/api/v1/users/"+s.ids["boss"]+"/sessions", s.root, "")
		signsIn(b, s)
		invites(t, b, s)
		makesTokens(b)
		looksAfterHomes(b, s)
		b.Run("the history", press("History"), until(`document.querySelectorAll(".log tbody tr").length > 8`), text(".log", "could not sign in"), fits())
		b.Shot("history")
		b.Run("one's own", press("You"), there(".entry-row .state.good"), text(".panel", "boss@example.org"), fits())
		b.Shot("you")
		changesPassword(b)
		b.Lands("signing out", 200, press("Sign out"))
		b.Run("at the door", until(`location.pathname === "/login"`), there("#password"))
		b.Run("it is over", chromedp.Navigate(s.URL+"/people"), there("#password"), until(`document.querySelector("[name=next]").value === "/people"`))
		expected := func(complaint string) bool { // on purpose
			return strings.Contains(complaint, "401 (Unauthorized)") || strings.Contains(complaint, "409 (Conflict)") || strings.Contains(complaint, "422 (") || strings.Contains(complaint, "403 (")
		}
		if found := slices.DeleteFunc(b.Complaints(), expected); len(found) > 0 {
			t.Errorf("the pages complain: %q", found)
		}
	})
}

func signsIn(b *browsertest.Browser, s *town) {
	b.Run("without a session", chromedp.Navigate(s.URL+"/people#tokens"), there("#email"), until(`document.activeElement.id === "email"`), fits())
	b.Shot("login")
	b.Lands("the wrong password", 401, chromedp.KeyEvent("boss@example.org"+kb.Tab+"not this one"+kb.Enter))
	b.Run("it says so", text("[role=alert]", "wrong"),
		until(`document.activeElement.id === "password"`), until(`document.querySelector("#email").value === "boss@example.org"`))
	b.Shot("login-wrong")
	b.Lands("the right one", 200, chromedp.KeyEvent(good+kb.Enter))
	b.Run("the page that was wanted", until(`location.pathname === "/people"`), there("[role=tab][aria-selected=true]"))
}

func invites(t *testing.T, b *browsertest.Browser, s *town) {
	t.Helper()
	b.Run("the people", press("People"), until(`document.querySelectorAll(".entry-row").length === 4`), text(".panel", "North, all homes"), fits())
	b.Shot("people")
	b.Run("inviting", press("Add a person"), until(`document.activeElement.name === "email"`), fits(),
		chromedp.KeyEvent("grace@example.org"), script(`document.querySelector("dialog [name=place]").value = "h:`+s.n2+`"`))
	b.Shot("invite")
	b.Run("sending it", script(`document.querySelector("dialog form button[type=submit]").click()`), text("dialog pre", "/link?secret="), fits())
	b.Shot("invited")
	link := browsertest.Value[string](b, `document.querySelector("dialog pre code").textContent`)
	b.Run("closing", press("Done"), until(`document.querySelectorAll(".entry-row").length === 5`), text(".panel", "invited, has not been here yet"))
	other := browsertest.Start(t)
	other.Run("the link", chromedp.EmulateViewport(390, 700), chromedp.Navigate(link), text("h1", "Welcome"), until(`document.activeElement.id === "password"`), fits())
	other.Lands("a bad one", 422, chromedp.KeyEvent("password123"+kb.Enter))
	other.Run("it says why", text("[role=alert]", "others try first"), until(`document.activeElement.id === "password"`))
	other.Shot("link")
	other.Lands("setting it", 200, chromedp.KeyEvent(good+kb.Enter))
	other.Run("what grace is shown", until(`location.pathname === "/"`), until(`document.querySelectorAll(".home:not(.heads)").length === 1`))
	other.Run("what grace sees", chromedp.Navigate(s.URL+"/people"), until(`document.querySelectorAll("[role=tab]").length === 2`), fits())
	other.Shot("guest")
	b.Run("another role", script(`[...document.querySelectorAll(".entry-row")].find((r) => r.textContent.includes("grace")).querySelector(".tiny").click()`),
		there("dialog[open]"), script(`document.querySelector("dialog [name=role]").value = "operator"`), press("Save"),
		until(`document.querySelector("dialog") === null`), text(".panel", "Operator"))
	b.Run("the last administrator", script(`[...document.querySelectorAll(".entry-row")].find((r) => r.textContent.includes("boss")).querySelector(".danger").click()`),
		there("dialog[open]"), script(`document.querySelector("dialog form button[type=submit]").click()`), text("dialog .failed", "last administrator"), fits())
	b.Shot("last")
	b.Run("not then", chromedp.KeyEvent(kb.Escape), until(`document.querySelector("dialog") === null`))
}

func makesTokens(b *browsertest.Browser) {
	b.Run("tokens", press("Tokens"), text(".panel", "root"), press("Make a token"), there("dialog[open]"), typed("name", "Grafana"),
		script(`document.querySelector("dialog form button[type=submit]").click()`), text("dialog pre", "hearth_"), fits())
	b.Shot("token")
	b.Run("it is listed", press("Done"), until(`document.querySelectorAll(".entry-row").length === 2`), text(".panel", "of boss@example.org"), fits())
	b.Shot("tokens")
	b.Run("by keyboard", script(`document.querySelector("#tab-tokens").focus()`), chromedp.KeyEvent(kb.ArrowRight), until(`document.activeElement.id === "tab-places"`))
}

func looksAfterHomes(b *browsertest.Browser, s *town) {
	b.Run("homes and tenants", until(`document.querySelectorAll(".panel .list").length === 2`), until(`document.querySelectorAll(".entry-row").length === 6`), fits())
	b.Shot("places")
	b.Run("renaming", script(`[...document.querySelectorAll(".entry-row")].find((r) => r.textContent.includes("Two")).querySelector("button").click()`),
		there("dialog[open]"), typed("name", "Attic"), press("Save"), until(`document.querySelector("dialog") === null`), text(".panel", "Attic"))
	b.Run("another gateway", script(`[...document.querySelectorAll("button")].find((b) => b.textContent.startsWith("Another gateway")).click()`), there("dialog[open]"),
		press("Make a code"), text("dialog pre", "hearth-edge claim"), fits(), press("Done"), until(`document.querySelector("dialog") === null`))
	b.Run("removing", script(`[...document.querySelectorAll(".entry-row")].find((r) => r.textContent.includes("Attic")).querySelector(".danger").click()`), there("dialog[open]"),
		typed("name", "Not this"), script(`document.querySelector("dialog form button[type=submit]").click()`), text("dialog .failed", "not its name"))
	b.Shot("remove")
	b.Run("really", typed("name", "Attic"), script(`document.querySelector("dialog form button[type=submit]").click()`), until(`document.querySelectorAll(".entry-row").length === 5`))
}

func changesPassword(b *browsertest.Browser) {
	b.Run("another password", press("Change the password"), there("dialog[open]"), typed("present", good), typed("password", other),
		script(`document.querySelector("dialog form button[type=submit]").click()`), text("dialog [role=status]", "is changed"), fits(), press("Done"), until(`document.querySelector("dialog") === null`))
}
