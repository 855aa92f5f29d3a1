package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"hearth"
)

// sessionAge is how long a page stays open without its link: as long as browsers allow, since a page on a kitchen
// tablet has nobody to log in again. Removing the token ends it at once.
const sessionAge = 400 * 24 * time.Hour

// unknownTries is how many unknown tokens a minute an address may send. Others rely on 401 for one, and behind a proxy a
// whole street of stale pages is one address; what is left to stop is a flood.
const unknownTries = 300

// AuthOptions say who is let in.
type AuthOptions struct {
	// Find returns the token of that secret. An error says that it cannot be told just now whether there is one, and the
	// sender of a good token must not take that for a bad one.
	Find   func(ctx context.Context, secret string) (hearth.Token, bool, error)
	Cookie string // the session cookie's name; cookies do not know ports, so each program has its own

	// Narrow returns the token as what it is worth for what a request names, or why it must not even learn whether that
	// is there. Nil: every token is worth the same everywhere.
	Narrow func(r *http.Request, token hearth.Token) (hearth.Token, error)

	// Session finds the token behind a session cookie, where it holds something else than a token's secret (a person
	// logged in with a password). Nil: the cookie holds the secret.
	Session func(ctx context.Context, cookie string) (hearth.Token, bool, error)

	// Denied may answer a page's request that err keeps out, and returns whether it did. Nil, or false: 401 and a plain
	// page that shows Hint.
	Denied func(w http.ResponseWriter, r *http.Request, err error) bool
	Hint   string // the command that makes a link

	Address func(*http.Request) string // who is asking, for the throttle; nil: the connection's address
	Now     func() time.Time           // nil: time.Now
}

// Auth lets requests in by token or session cookie. Failed guesses are throttled per address; one that is throttled
// still gets in with a token that is right, since a stale page behind the same proxy must not lock everybody out and
// no 128-bit token is found by guessing.
type Auth struct {
	o        AuthOptions
	throttle *Throttle
}

// NewAuth returns an Auth.
func NewAuth(o AuthOptions) *Auth {
	if o.Session == nil {
		o.Session = o.Find
	}
	if o.Address == nil {
		o.Address = RemoteAddress
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Auth{o: o, throttle: NewThrottle(unknownTries, time.Minute, o.Now)}
}

type tokenKey struct{}

// TokenOf returns who is asking: the token that Need or Page let in. Outside of them it is the zero Token.
func TokenOf(ctx context.Context) hearth.Token {
	token, _ := ctx.Value(tokenKey{}).(hearth.Token)
	return token
}

// WithToken returns ctx as of a request that this token made.
func WithToken(ctx context.Context, token hearth.Token) context.Context {
	return context.WithValue(ctx, tokenKey{}, token)
}

// Need lets only requests through whose token has the scope, and answers problems to the others.
func (a *Auth) Need(scope hearth.Scope, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := a.Identify(r)
		if err == nil && a.o.Narrow != nil {
			token, err = a.o.Narrow(r, token)
		}
		if err == nil && !token.Scope.Allows(scope) {
			err = hearth.Errorf(hearth.CodeDenied, "this needs scope %s, %s has %s", scope, token.Name, token.Scope)
		}
		if err != nil {
			Fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(WithToken(r.Context(), token)))
	})
}

// Identify returns the token that a request carries: Authorization Bearer or Token on every path, else the session
// cookie, with which anything but reading must come from our own pages. Errors: unknown_token, denied, busy.
func (a *Auth) Identify(r *http.Request) (hearth.Token, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, secret, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "Token") {
			return hearth.Token{}, hearth.Errorf(hearth.CodeUnknownToken, "Authorization: want Bearer TOKEN or Token TOKEN")
		}
		return a.Check(r, strings.TrimSpace(secret))
	}
	cookie, err := r.Cookie(a.o.Cookie)
	if err != nil || cookie.Value == "" {
		return hearth.Token{}, hearth.Errorf(hearth.CodeUnknownToken, "no token: send a header Authorization: Bearer TOKEN")
	}
	token, ok, err := a.o.Session(r.Context(), cookie.Value)
	if err != nil {
		return hearth.Token{}, err
	}
	if !ok {
		return hearth.Token{}, a.failed(r, "the session has ended: sign in again, or open the page through its link")
	}
	if !safeMethod(r.Method) && !sameOrigin(r) {
		return hearth.Token{}, hearth.Errorf(hearth.CodeDenied, "a session may only change things from its own page; programs use Authorization: Bearer TOKEN")
	}
	return token, nil
}

// Check finds the token of a secret that came in some other way (the Influx paths take Basic and u/p) and throttles
// failures as Identify does. An error without a code says that it could not be found out.
func (a *Auth) Check(r *http.Request, secret string) (hearth.Token, error) {
	token, ok, err := a.o.Find(r.Context(), secret)
	if err != nil {
		return hearth.Token{}, err
	}
	if ok && secret != "" {
		return token, nil
	}
	return hearth.Token{}, a.failed(r, "the token is not known")
}

func (a *Auth) failed(r *http.Request, why string) error {
	if after := a.throttle.Failed(a.o.Address(r)); after > 0 {
		return Later(hearth.Errorf(hearth.CodeBusy, "too many unknown tokens from this address"), after)
	}
	return hearth.Errorf(hearth.CodeUnknownToken, "%s", why)
}

// Still reports whether who was let in with r would be let in again: long streams ask now and then.
func (a *Auth) Still(r *http.Request, scope hearth.Scope) bool {
	var token hearth.Token
	var ok bool
	if _, secret, given := strings.Cut(r.Header.Get("Authorization"), " "); given {
		token, ok, _ = a.o.Find(r.Context(), strings.TrimSpace(secret)) // who cannot be asked for now asks to be let in again
	} else if cookie, err := r.Cookie(a.o.Cookie); err == nil {
		token, ok, _ = a.o.Session(r.Context(), cookie.Value)
	}
	if ok && a.o.Narrow != nil {
		var err error
		token, err = a.o.Narrow(r, token)
		ok = err == nil
	}
	return ok && token.Scope.Allows(scope)
}

// Page is Need for pages: a link with ?token= is exchanged for the session cookie and answered 303 to the same address
// without it; without a session the answer is a page that says how to get in.
func (a *Auth) Page(scope hearth.Scope, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if query := r.URL.Query(); query.Has("token") && safeMethod(r.Method) {
			a.exchange(w, r, query)
			return
		}
		token, err := a.Identify(r)
		if err == nil && !token.Most().Allows(scope) {
			err = hearth.Errorf(hearth.CodeDenied, "this page needs scope %s, %s has %s", scope, token.Name, token.Most())
		}
		if err != nil {
			a.denied(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(WithToken(r.Context(), token)))
	})
}

func (a *Auth) exchange(w http.ResponseWriter, r *http.Request, query url.Values) {
	secret := query.Get("token")
	if _, err := a.Check(r, secret); err != nil {
		a.denied(w, r, err)
		return
	}
	a.SetCookie(w, r, secret)
	query.Del("token")
	to := "/" + strings.TrimLeft(r.URL.EscapedPath(), `/\`)
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// SetCookie starts a session.
func (a *Auth) SetCookie(w http.ResponseWriter, r *http.Request, value string) {
	http.SetCookie(w, a.cookie(r, value, int(sessionAge.Seconds())))
}

// Cookie returns the value of a request's session cookie, "" if it has none.
func (a *Auth) Cookie(r *http.Request) string {
	cookie, err := r.Cookie(a.o.Cookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// ClearCookie ends a session in the browser.
func (a *Auth) ClearCookie(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, a.cookie(r, "", -1))
}

func (a *Auth) cookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: a.o.Cookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	}
}

func (a *Auth) denied(w http.ResponseWriter, r *http.Request, err error) {
	if a.o.Denied == nil || !a.o.Denied(w, r, err) {
		a.deniedPage(w, r, err)
	}
}

func (a *Auth) deniedPage(w http.ResponseWriter, r *http.Request, err error) {
	code := hearth.ErrorOf(err).Code
	c, _ := classOf(code)
	failHeaders(w.Header(), c, err)
	title, detail := c.title, err.Error()
	if code == hearth.CodeUnknownToken {
		title = "This page opens through a link"
		if _, err := r.Cookie(a.o.Cookie); err != nil && !r.URL.Query().Has("token") {
			detail = "" // there is nothing wrong yet
		}
	}
	wrong := HTML("")
	if detail != "" {
		wrong = Fill(`<p class="failed">{{detail}}</p>`, map[string]any{"detail": detail})
	}
	WriteHTML(w, c.status, Fill(markup("denied.html"), map[string]any{"title": title, "detail": wrong, "hint": a.o.Hint}))
}

func safeMethod(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// sameOrigin reports whether a browser says that our own page sent the request. Sec-Fetch-Site is missing on plain
// http, Origin is not; a request with neither is no page's.
func sameOrigin(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		return false
	}
	return http.NewCrossOriginProtection().Check(r) == nil && r.Header.Get("Sec-Fetch-Site") != "none"
}

// RemoteAddress returns the address of the connection, of IPv6 the network that one customer has.
func RemoteAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Unmap().Is4() {
		return host
	}
	network, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}
