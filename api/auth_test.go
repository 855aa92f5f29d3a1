package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

func testAuth() *Auth {
	return NewAuth(AuthOptions{Cookie: "c", Hint: "make a <token>", Find: func(_ context.Context, secret string) (hearth.Token, bool, error) {
		scope, ok := map[string]hearth.Scope{"r": hearth.ScopeRead, "c": hearth.ScopeControl, "a": hearth.ScopeAdmin, "w": hearth.ScopeWrite, "g": hearth.ScopeGateway}[secret]
		return hearth.Token{Name: "name-" + secret, Scope: scope}, ok, nil
	}})
}

func serveAs(handler http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func whoAmI(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte(TokenOf(r.Context()).Name))
}

func TestNeed(t *testing.T) {
	auth := testAuth()
	tests := []struct {
		header string
		need   hearth.Scope
		status int
	}{
		{"", hearth.ScopeRead, 401},
		{"Bearer r", hearth.ScopeRead, 200},
		{"bearer r", hearth.ScopeRead, 200},
		{"Token r", hearth.ScopeRead, 200},
		{"Bearer  r ", hearth.ScopeRead, 200},
		{"Bearer x", hearth.ScopeRead, 401},
		{"Bearer ", hearth.ScopeRead, 401},
		{"r", hearth.ScopeRead, 401},
		{"Basic cjpy", hearth.ScopeRead, 401},
		{"Bearer r", hearth.ScopeControl, 403},
		{"Bearer c", hearth.ScopeControl, 200},
		{"Bearer c", hearth.ScopeAdmin, 403},
		{"Bearer a", hearth.ScopeRead, 200},
		{"Bearer w", hearth.ScopeRead, 403},
		{"Bearer g", hearth.ScopeRead, 403},
		{"Bearer g", hearth.ScopeWrite, 200},
	}
	for _, test := range tests {
		headers := []string{"Authorization", test.header}
		if test.header == "" {
			headers = nil
		}
		w := serveAs(auth.Need(test.need, http.HandlerFunc(whoAmI)), "GET", "/", headers...)
		if w.Code != test.status {
			t.Errorf("%q for %s: %d %s", test.header, test.need, w.Code, w.Body)
		}
		if test.status == 200 && !strings.HasPrefix(w.Body.String(), "name-") {
			t.Errorf("%q: the handler sees %q", test.header, w.Body)
		}
	}
}

func TestPageExchangesTheLink(t *testing.T) {
	page := testAuth().Page(hearth.ScopeRead, http.HandlerFunc(whoAmI))
	w := serveAs(page, "GET", "/x?token=r&room=a+b")
	cookie := w.Result().Cookies()
	if w.Code != 303 || w.Header().Get("Location") != "/x?room=a+b" || len(cookie) != 1 {
		t.Fatalf("%d to %q with %v", w.Code, w.Header().Get("Location"), cookie)
	}
	if c := cookie[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" || c.MaxAge <= 0 {
		t.Errorf("cookie %v", c)
	}
	if w := serveAs(page, "GET", "/x", "Cookie", "c="+cookie[0].Value); w.Code != 200 || w.Body.String() != "name-r" {
		t.Errorf("with the cookie: %d %s", w.Code, w.Body)
	}
	if w := serveAs(page, "GET", "https://h/x?token=r"); !w.Result().Cookies()[0].Secure {
		t.Error("over TLS the cookie is not secure")
	}
	if w := serveAs(page, "GET", "/x?token=r", "X-Forwarded-Proto", "https"); !w.Result().Cookies()[0].Secure {
		t.Error("behind TLS the cookie is not secure")
	}
	if w := serveAs(page, "GET", "http://h//evil.example/?token=r"); w.Header().Get("Location") != "/evil.example/" {
		t.Errorf("a link leads away to %q", w.Header().Get("Location"))
	}
}

func TestPageWithoutASession(t *testing.T) {
	page := testAuth().Page(hearth.ScopeRead, http.HandlerFunc(whoAmI))
	for _, target := range []string{"/", "/?token=x", "/?token="} {
		w := serveAs(page, "GET", target)
		if w.Code != 401 || !strings.Contains(w.Body.String(), "make a &lt;token&gt;") || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached", target)
		}
	}
	if w := serveAs(page, "GET", "/", "Cookie", "c=gone"); w.Code != 401 || !strings.Contains(w.Body.String(), "session has ended") {
		t.Errorf("a session that ended: %d %s", w.Code, w.Body)
	}
	if w := serveAs(page, "GET", "/", "Authorization", "Bearer w"); w.Code != 403 {
		t.Errorf("a scope too small: %d", w.Code)
	}
}

func TestSessionsChangeThingsFromTheirOwnPageOnly(t *testing.T) {
	handler := testAuth().Need(hearth.ScopeControl, http.HandlerFunc(whoAmI))
	tests := []struct {
		method  string
		headers []string
		status  int
	}{
		{"GET", nil, 200},
		{"POST", nil, 403},
		{"POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"POST", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"POST", []string{"Sec-Fetch-Site", "none"}, 403},
		{"POST", []string{"Origin", "http://example.com"}, 200},
		{"POST", []string{"Origin", "http://example.com:81"}, 403},
		{"PUT", []string{"Origin", "http://evil.example"}, 403},
		{"DELETE", []string{"Origin", "null"}, 403},
		{"PATCH", []string{"Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"POST", []string{"Origin", "http://evil.example", "Authorization", "Bearer c"}, 200},
	}
	for _, test := range tests {
		w := serveAs(handler, test.method, "http://example.com/", append(test.headers, "Cookie", "c=c")...)
		if w.Code != test.status {
			t.Errorf("%s %v: %d, want %d", test.method, test.headers, w.Code, test.status)
		}
	}
}

func TestFailedTokensAreThrottledPerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := testAuth().Need(hearth.ScopeRead, http.HandlerFunc(whoAmI))
		from := func(address, token string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = address
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w
		}
		for range unknownTries {
			if w := from("192.0.2.1:1000", "x"); w.Code != 401 {
				t.Fatalf("a first failure: %d", w.Code)
			}
		}
		if w := from("192.0.2.1:1001", "x"); w.Code != 429 || w.Header().Get("Retry-After") != "60" {
			t.Errorf("too many: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		if w := from("192.0.2.1:1002", "r"); w.Code != 200 {
			t.Errorf("a good token from there: %d", w.Code)
		}
		if w := from("192.0.2.2:1000", "x"); w.Code != 401 {
			t.Errorf("another address: %d", w.Code)
		}
		time.Sleep(time.Minute)
		if w := from("192.0.2.1:1000", "x"); w.Code != 401 {
			t.Errorf("a minute later: %d", w.Code)
		}
	})
}

func TestThrottleIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	throttle := NewThrottle(2, time.Minute, func() time.Time { return now })
	for range 3 {
		throttle.Failed("stubborn")
	}
	for i := range 3 * maxThrottled {
		throttle.Failed(fmt.Sprint(i))
	}
	if n := len(throttle.seen); n > maxThrottled {
		t.Errorf("%d addresses held", n)
	}
	if throttle.Wait("stubborn") == 0 {
		t.Error("the one over its limit was forgotten for those that are not")
	}
	now = now.Add(time.Minute)
	if throttle.Wait("stubborn") != 0 {
		t.Error("it waits for ever")
	}
}

func TestRemoteAddress(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "[::1]:5": "::/64", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64", "[::ffff:192.0.2.1]:5": "::ffff:192.0.2.1", "pipe": "pipe", "name:5": "name",
	} {
		if got := RemoteAddress(&http.Request{RemoteAddr: address}); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

func TestStill(t *testing.T) {
	good := true
	auth := NewAuth(AuthOptions{Cookie: "c", Find: func(_ context.Context, secret string) (hearth.Token, bool, error) {
		return hearth.Token{Scope: hearth.ScopeRead}, good && secret == "s", nil
	}})
	byHeader, byCookie, none := httptest.NewRequest("GET", "/", nil), httptest.NewRequest("GET", "/", nil), httptest.NewRequest("GET", "/", nil)
	byHeader.Header.Set("Authorization", "Bearer s")
	byCookie.AddCookie(&http.Cookie{Name: "c", Value: "s"})
	if !auth.Still(byHeader, hearth.ScopeRead) || !auth.Still(byCookie, hearth.ScopeRead) || auth.Still(none, hearth.ScopeRead) {
		t.Error("a good token is not")
	}
	good = false
	if auth.Still(byHeader, hearth.ScopeRead) || auth.Still(byCookie, hearth.ScopeRead) {
		t.Error("a token that was removed still is")
	}
}

func TestClearCookie(t *testing.T) {
	w := httptest.NewRecorder()
	testAuth().ClearCookie(w, httptest.NewRequest("GET", "/", nil))
	if c := w.Result().Cookies(); len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("cookies %v", c)
	}
}

// A database that does not answer makes nobody's token a bad one: whoever sent it would give up, or throw data away.
func TestTokenThatCannotBeLookedUp(t *testing.T) {
	away := func(context.Context, string) (hearth.Token, bool, error) {
		return hearth.Token{}, false, errors.New("away")
	}
	auth := NewAuth(AuthOptions{Cookie: "c", Find: away})
	handler := auth.Need(hearth.ScopeRead, http.NotFoundHandler())
	for name, value := range map[string]string{"Authorization": "Bearer x", "Cookie": "c=x"} {
		req := httptest.NewRequest("GET", "/api/v1/homes", nil)
		req.Header.Set(name, value)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		if w.Code != http.StatusInternalServerError {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
