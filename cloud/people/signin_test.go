package people_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

func TestSignInAndOut(t *testing.T) {
	s := newRig(t, "")
	s.person("ada@example.org", "viewer", "")
	body := `{"email":" Ada@Example.org ","password":"` + good + `"}`
	session := s.want(204, nil, "POST", "/api/v1/login", "", body).cookie()
	var who struct {
		TokenName string `json:"token_name"`
		User      string
		Scope     string
		Grants    []struct{ Scope string }
	}
	s.want(200, &who, "GET", "/api/v1/whoami", session, "")
	if who.TokenName != "ada@example.org" || who.User == "" || who.Scope != "read" || len(who.Grants) != 1 {
		t.Errorf("%+v", who)
	}
	if a := s.ask("GET", "/api/v1/homes", "", "", "Authorization", "Bearer "+session); a.StatusCode != 401 {
		t.Errorf("a session's secret works as a token: %d", a.StatusCode)
	}
	s.want(403, nil, "POST", "/api/v1/logout", session, "", "Origin", "https://elsewhere.example")
	s.want(200, nil, "GET", "/api/v1/homes", session, "")
	s.want(204, nil, "POST", "/api/v1/logout", session, "")
	s.want(401, nil, "GET", "/api/v1/homes", session, "")
	for _, wrong := range []string{
		`{"email":"ada@example.org","password":"wrong password"}`, `{"email":"bob@example.org","password":"` + good + `"}`,
		`{"email":"","password":""}`, `{"email":"ada@example.org","password":"` + strings.Repeat("x", 501) + `"}`,
		`{"email":"\u0000","password":"\u0000"}`, `{"email":"` + strings.Repeat("x", 300) + `","password":"x"}`,
	} {
		a := s.ask("POST", "/api/v1/login", "", wrong)
		if a.StatusCode != 401 || a.cookie() != "" || !strings.Contains(a.text, "the e-mail address or the password is wrong") {
			t.Errorf("%.80s: %d %s", wrong, a.StatusCode, a.text)
		}
	}
	s.want(403, nil, "POST", "/api/v1/login", "", body, "Origin", "https://elsewhere.example")
	if got := s.actions("?who=somebody"); !slices.Contains(got, "loginFailed") {
		t.Errorf("the audit has %v", got)
	}
	if got := s.actions("?who=ada@example.org"); !slices.Equal(got, []string{"loginFailed", "loginFailed", "login", "useLink"}) {
		t.Errorf("the audit has %v of ada", got)
	}
}

func TestASessionBecomesAnother(t *testing.T) {
	s := newRig(t, "")
	_, before := s.person("ada@example.org", "viewer", "")
	after := s.want(204, nil, "POST", "/api/v1/login", before, `{"email":"ada@example.org","password":"`+good+`"}`).cookie()
	s.want(401, nil, "GET", "/api/v1/sessions", before, "")
	s.want(200, nil, "GET", "/api/v1/sessions", after, "")
	s.later(accounts.SessionLife - time.Hour)
	s.want(200, nil, "GET", "/api/v1/sessions", after, "")
	s.later(accounts.SessionLife - time.Hour) // it was used, so it lasts
	s.want(200, nil, "GET", "/api/v1/sessions", after, "")
	s.later(accounts.SessionLife + time.Minute)
	s.want(401, nil, "GET", "/api/v1/sessions", after, "")
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	s := newRig(t, "")
	_, first := s.person("ada@example.org", "viewer", "")
	_, bobs := s.person("bob@example.org", "admin", "")
	login := func() string {
		return s.want(204, nil, "POST", "/api/v1/login", "", `{"email":"ada@example.org","password":"`+good+`"}`, "User-Agent", "Mozilla/5.0 (X11; Linux) Firefox/140.0").cookie()
	}
	second, third := login(), login()
	var list []accounts.Session
	s.want(200, &list, "GET", "/api/v1/sessions", second, "")
	i := slices.IndexFunc(list, func(l accounts.Session) bool { return l.Present })
	if len(list) != 3 || i < 0 || list[i].Address != "192.0.2.1" || !strings.Contains(list[i].Agent, "Firefox") {
		t.Fatalf("%+v", list)
	}
	for _, missing := range []string{"x", "%", list[i].ID[:15] + "_", strings.Repeat("0", 16)} {
		s.want(404, nil, "DELETE", "/api/v1/sessions/"+url.PathEscape(missing), second, "")
	}
	s.want(404, nil, "DELETE", "/api/v1/sessions/"+list[i].ID, bobs, "") // not his
	j := slices.IndexFunc(list, func(l accounts.Session) bool { return !l.Present })
	s.want(204, nil, "DELETE", "/api/v1/sessions/"+list[j].ID, second, "")
	s.want(200, &list, "GET", "/api/v1/sessions", second, "")
	if len(list) != 2 {
		t.Errorf("%d sessions are left", len(list))
	}
	s.want(204, nil, "DELETE", "/api/v1/sessions", second, "")
	for _, session := range []string{first, third} {
		s.want(401, nil, "GET", "/api/v1/sessions", session, "")
	}
	s.want(200, nil, "GET", "/api/v1/sessions", second, "")
	for range 60 {
		_, err := s.books.StartSession(t.Context(), idOf(s, "ada@example.org"), "x", "y")
		must(t, err)
	}
	var many []accounts.Session
	s.want(200, &many, "GET", "/api/v1/sessions", login(), "")
	if len(many) != 50 {
		t.Errorf("%d sessions of one person", len(many))
	}
}

func idOf(s *rig, email string) string {
	id, _, err := s.books.Known(s.t.Context(), email)
	must(s.t, err)
	return id
}

func TestAChangedPasswordEndsTheOthers(t *testing.T) {
	s := newRig(t, "")
	_, first := s.person("ada@example.org", "viewer", "")
	second := s.want(204, nil, "POST", "/api/v1/login", "", `{"email":"ada@example.org","password":"`+good+`"}`).cookie()
	change := func(who, present, next string, status int) {
		t.Helper()
		s.want(status, nil, "PUT", "/api/v1/password", who, `{"present":"`+present+`","password":"`+next+`"}`)
	}
	change(second, "wrong", other, 403)
	change(second, good, "short", 422)
	change(second, good, "ADA@example.org", 422)
	change(second, good, "1234567890", 422)
	change(s.root, good, other, 403) // no person
	change(second, good, other, 204)
	s.want(401, nil, "GET", "/api/v1/sessions", first, "")
	s.want(200, nil, "GET", "/api/v1/sessions", second, "")
	s.want(401, nil, "POST", "/api/v1/login", "", `{"email":"ada@example.org","password":"`+good+`"}`)
	s.want(204, nil, "POST", "/api/v1/login", "", `{"email":"ada@example.org","password":"`+other+`"}`)
}

func TestLinks(t *testing.T) {
	s := newRig(t, "")
	var made inviteReply
	s.want(201, &made, "POST", "/api/v1/users", s.root, `{"email":"ada@example.org","name":"Ada","role":"operator"}`)
	if !made.User.Invited || made.Mailed || !strings.HasPrefix(made.Link, s.URL+"/link?secret=link_") || time.Until(made.Expires.Time) < 71*time.Hour {
		t.Fatalf("%+v", made)
	}
	_, secret, _ := strings.Cut(made.Link, "secret=")
	use := func(secret, password string, status int) answer {
		t.Helper()
		return s.want(status, nil, "POST", "/api/v1/link", "", `{"secret":"`+secret+`","password":"`+password+`"}`)
	}
	s.want(401, nil, "POST", "/api/v1/login", "", `{"email":"ada@example.org","password":""}`)
	use(secret+"x", good, 404)
	use(secret, "too short", 422)
	s.want(403, nil, "POST", "/api/v1/link", "", `{"secret":"`+secret+`","password":"`+good+`"}`, "Origin", "https://elsewhere.example")
	var again inviteReply
	s.want(201, &again, "POST", "/api/v1/users/"+made.User.ID+"/link", s.root, "")
	use(secret, good, 404) // there is a newer one
	_, secret, _ = strings.Cut(again.Link, "secret=")
	session := use(secret, good, 204).cookie()
	use(secret, other, 404) // a link works once
	s.want(200, nil, "GET", "/api/v1/homes", session, "")
	s.want(201, &again, "POST", "/api/v1/users/"+made.User.ID+"/link", s.root, "")
	_, reset, _ := strings.Cut(again.Link, "secret=")
	s.later(accounts.ResetLife)
	use(reset, other, 404) // too old
	s.want(201, &again, "POST", "/api/v1/users/"+made.User.ID+"/link", s.root, "")
	_, reset, _ = strings.Cut(again.Link, "secret=")
	use(reset, other, 204)
	s.want(401, nil, "GET", "/api/v1/homes", session, "") // a reset ends what was there
	s.want(200, nil, "PATCH", "/api/v1/users/"+made.User.ID, s.root, `{"disabled":true}`)
	s.want(409, nil, "POST", "/api/v1/users/"+made.User.ID+"/link", s.root, "")
}

func TestForgottenPasswords(t *testing.T) {
	without := newRig(t, "")
	without.want(409, nil, "POST", "/api/v1/forgotten", "", `{"email":"ada@example.org"}`)
	s := newRig(t, "https://hearth.example")
	var made inviteReply
	s.want(201, &made, "POST", "/api/v1/users", s.root, `{"email":"ada@example.org","role":"viewer"}`)
	if got := <-s.mails; got.to != "ada@example.org" || !made.Mailed || !strings.Contains(got.text, made.Link) || !strings.HasPrefix(made.Link, "https://hearth.example/link?secret=") {
		t.Errorf("%+v, %+v", made, got)
	}
	_, secret, _ := strings.Cut(made.Link, "secret=")
	s.want(204, nil, "POST", "/api/v1/link", "", `{"secret":"`+secret+`","password":"`+good+`"}`)
	nobody := s.want(202, nil, "POST", "/api/v1/forgotten", "", `{"email":"nobody@example.org"}`, "Host", "evil.example")
	somebody := s.want(202, nil, "POST", "/api/v1/forgotten", "", `{"email":"Ada@example.org"}`)
	if nobody.text != somebody.text {
		t.Errorf("%q is not %q", nobody.text, somebody.text)
	}
	got := <-s.mails
	if got.to != "ada@example.org" || !strings.Contains(got.text, "https://hearth.example/link?secret=link_") {
		t.Errorf("%+v", got)
	}
	s.want(202, nil, "POST", "/api/v1/forgotten", "", `{"email":"ada@example.org"}`) // a mailbox is not flooded
	s.later(6 * time.Minute)
	s.want(202, nil, "POST", "/api/v1/forgotten", "", `{"email":"ada@example.org"}`)
	second := <-s.mails
	if len(s.mails) != 0 {
		t.Errorf("%d mails too many", len(s.mails))
	}
	_, rest, _ := strings.Cut(second.text, "secret=")
	secret, _, _ = strings.Cut(rest, "\n")
	s.want(204, nil, "POST", "/api/v1/link", "", `{"secret":"`+secret+`","password":"`+other+`"}`)
	s.want(403, nil, "POST", "/api/v1/forgotten", "", `{"email":"ada@example.org"}`, "Origin", "https://evil.example")
	last := answer{}
	for range 10 {
		last = s.ask("POST", "/api/v1/forgotten", "", `{"email":"ada@example.org"}`)
	}
	if last.StatusCode != 429 {
		t.Errorf("asking goes on: %d", last.StatusCode)
	}
}

// Guessing is slowed down more and more, and who knows the password gets in from elsewhere all the same.
func TestGuessingIsThrottled(t *testing.T) {
	s := newRig(t, "")
	s.person("ada@example.org", "viewer", "")
	try := func(password string) answer {
		return s.ask("POST", "/api/v1/login", "", `{"email":"ada@example.org","password":"`+password+`"}`)
	}
	for i := range 5 {
		if a := try("guess"); a.StatusCode != 401 {
			t.Fatalf("guess %d: %d", i, a.StatusCode)
		}
	}
	waits := []time.Duration{}
	for range 4 {
		a := try("guess")
		wait, err := time.ParseDuration(a.Header.Get("Retry-After") + "s")
		if a.StatusCode != 429 || err != nil {
			t.Fatalf("%d %q", a.StatusCode, a.Header.Get("Retry-After"))
		}
		waits = append(waits, wait)
		if a := try(good); a.StatusCode != 429 {
			t.Errorf("the right one from here: %d", a.StatusCode)
		}
		s.later(wait + time.Second)
		if a := try("guess"); a.StatusCode != 401 {
			t.Fatalf("after the wait: %d", a.StatusCode)
		}
	}
	if !slices.Equal(waits, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}) {
		t.Errorf("waits %v", waits)
	}
	for i := range 40 { // the account is under attack from everywhere
		s.from(fmt.Sprintf("198.51.100.%d", i))
		if a := try("guess"); a.StatusCode != 401 {
			t.Fatalf("from address %d: %d", i, a.StatusCode)
		}
	}
	if a := try("guess"); a.StatusCode != 429 {
		t.Errorf("a second guess of an address while the account is under attack: %d", a.StatusCode)
	}
	s.from("203.0.113.9")
	if a := try(good); a.StatusCode != 204 {
		t.Errorf("the right one from an address that has not failed: %d", a.StatusCode)
	}
	s.from("203.0.113.10")
	for i := range 30 { // one address that tries many accounts
		s.ask("POST", "/api/v1/login", "", fmt.Sprintf(`{"email":"u%d@example.org","password":"guess"}`, i))
	}
	if a := try(good); a.StatusCode != 429 {
		t.Errorf("after 30 failures of an address: %d", a.StatusCode)
	}
	s.later(time.Hour)
	if a := try(good); a.StatusCode != 204 {
		t.Errorf("an hour later: %d", a.StatusCode)
	}
}

func TestGuessesAtOnceCountAtOnce(t *testing.T) {
	s := newRig(t, "")
	s.person("ada@example.org", "viewer", "")
	statuses := make(chan int, 40)
	for range cap(statuses) {
		go func() {
			reply, err := http.Post(s.URL+"/api/v1/login", "application/json", strings.NewReader(`{"email":"ada@example.org","password":"guess"}`))
			if err != nil {
				t.Error(err)
				statuses <- 0
				return
			}
			reply.Body.Close()
			statuses <- reply.StatusCode
		}()
	}
	checked := 0
	for range cap(statuses) {
		if <-statuses == http.StatusUnauthorized {
			checked++
		}
	}
	if checked != 5 {
		t.Errorf("%d guesses were looked at", checked)
	}
}

func TestPagesByWhichPeopleGetIn(t *testing.T) {
	s := newRig(t, "")
	page := func(status int, method, path, form string, has ...string) answer {
		t.Helper()
		a := s.want(status, nil, method, path, "", form, "Content-Type", "application/x-www-form-urlencoded", "Origin", s.URL)
		for _, want := range has {
			if !strings.Contains(a.text, want) {
				t.Errorf("%s %s: no %q in\n%s", method, path, want, a.text)
			}
		}
		return a
	}
	if a := page(401, "GET", "/", "", "opens through a link"); a.Header.Get("Location") != "" { // there is nobody yet
		t.Error("sent to sign in where nobody can")
	}
	var made inviteReply
	s.want(201, &made, "POST", "/api/v1/users", s.root, `{"email":"ada@example.org","role":"viewer"}`)
	link := strings.TrimPrefix(made.Link, s.URL)
	_, secret, _ := strings.Cut(link, "secret=")
	page(401, "GET", "/", "", "opens through a link") // nor yet
	for range 2 {                                     // looking at it uses nothing up
		page(200, "GET", link, "", "Welcome to Hearth", `value="ada@example.org"`, `autocomplete="new-password"`, "At least 10 characters")
	}
	page(404, "GET", "/link?secret=link_x", "", "This link does not work")
	page(422, "POST", "/link", "secret="+secret+"&password=password123", `role="alert"`, "others try first")
	a := page(303, "POST", "/link", "secret="+secret+"&password="+url.QueryEscape(good))
	if a.Header.Get("Location") != "/" || a.cookie() == "" {
		t.Errorf("%v", a.Header)
	}
	page(404, "POST", "/link", "secret="+secret+"&password="+url.QueryEscape(good), "This link does not work")
	for path, to := range map[string]string{"/": "/login", "/homes/x?a=1": "/login?next=%2Fhomes%2Fx%3Fa%3D1", "/people": "/login?next=%2Fpeople"} {
		if a := page(303, "GET", path, ""); a.Header.Get("Location") != to {
			t.Errorf("%s leads to %s", path, a.Header.Get("Location"))
		}
	}
	page(401, "GET", "/?token=wrong", "", "not known")
	page(200, "GET", "/login?next=%2Fpeople", "", `autocomplete="username"`, `autocomplete="current-password"`, `name="next" value="/people"`)
	page(401, "POST", "/login", "email=ada%40example.org&password=wrong", `value="ada@example.org"`, `role="alert"`)
	for next, to := range map[string]string{
		"/people": "/people", "/homes/x?a=1": "/homes/x?a=1", "": "/", "https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/",
		"/%0a/x\n": "/", "javascript:alert(1)": "/", "/login?next=/x": "/",
	} {
		a := page(303, "POST", "/login", "email=ada%40example.org&password="+url.QueryEscape(good)+"&next="+url.QueryEscape(next))
		if a.Header.Get("Location") != to || a.cookie() == "" {
			t.Errorf("next %q leads to %q", next, a.Header.Get("Location"))
		}
		s.want(200, nil, "GET", "/people", a.cookie(), "")
	}
	s.want(403, nil, "POST", "/login", "", "email=ada%40example.org&password="+url.QueryEscape(good), "Content-Type", "application/x-www-form-urlencoded", "Origin", "https://evil.example")
	if a := s.ask("POST", "/login", "", strings.Repeat("x", 1<<20), "Content-Type", "application/x-www-form-urlencoded"); a.StatusCode != 401 || a.cookie() != "" {
		t.Errorf("a huge form: %d", a.StatusCode)
	}
}

// Who finds a browser open does not find out the password there.
func TestGuessingThePresentPasswordIsThrottled(t *testing.T) {
	s := newRig(t, "")
	_, session := s.person("ada@example.org", "viewer", "")
	change := func(present string, status int) {
		t.Helper()
		s.want(status, nil, "PUT", "/api/v1/password", session, `{"present":"`+present+`","password":"`+other+`"}`)
	}
	for range 5 {
		change("guess", 403)
	}
	change("guess", 429)
	change(good, 429)
	s.later(2 * time.Second)
	change(good, 204)
}

// Whoever holds a link may have made it for less than its person may do by now.
func TestLinksEndWithFurtherRights(t *testing.T) {
	s := newTown(t)
	invite := func(email string) (id, secret string) {
		t.Helper()
		var made inviteReply
		s.want(201, &made, "POST", "/api/v1/users", s.homeAdmin, `{"email":"`+email+`","role":"viewer","home":"`+s.n1+`"}`)
		_, secret, _ = strings.Cut(made.Link, "secret=")
		return made.User.ID, secret
	}
	use := func(secret string, status int) {
		t.Helper()
		s.want(status, nil, "POST", "/api/v1/link", "", `{"secret":"`+secret+`","password":"`+good+`"}`)
	}
	_, elsewhere := invite("elsewhere@example.org")
	s.want(201, nil, "POST", "/api/v1/users", s.eve, `{"email":"elsewhere@example.org","role":"admin","tenant":"`+s.south+`"}`)
	use(elsewhere, 404)
	id, above := invite("above@example.org")
	s.want(200, nil, "PUT", "/api/v1/users/"+id+"/grants", s.mayor, `{"role":"admin","tenant":"`+s.north+`"}`)
	use(above, 404)
	id, same := invite("same@example.org")
	s.want(200, nil, "PUT", "/api/v1/users/"+id+"/grants", s.mayor, `{"role":"admin","home":"`+s.n1+`"}`)
	use(same, 204)
	var made inviteReply
	s.want(201, &made, "POST", "/api/v1/users", s.mayor, `{"email":"below@example.org","role":"viewer","tenant":"`+s.north+`"}`)
	s.want(200, nil, "PUT", "/api/v1/users/"+made.User.ID+"/grants", s.homeAdmin, `{"role":"operator","home":"`+s.n1+`"}`, "Authorization", "Bearer "+s.root)
	_, below, _ := strings.Cut(made.Link, "secret=")
	use(below, 204)
}

// Who is invited from two sides gets the link by mail, and neither side has it.
func TestTheSecondInvitationIsMailed(t *testing.T) {
	s := newRig(t, "https://hearth.example")
	north, south := s.tenant("North"), s.tenant("South")
	s.want(201, nil, "POST", "/api/v1/users", s.root, `{"email":"ada@example.org","role":"viewer","tenant":"`+north+`"}`)
	<-s.mails
	var made inviteReply
	eve, err := s.books.AddToken(t.Context(), hearth.Token{Name: "eve", Scope: hearth.ScopeAdmin, Tenant: south})
	must(t, err)
	s.want(201, &made, "POST", "/api/v1/users", eve, `{"email":"ada@example.org","role":"viewer","tenant":"`+south+`"}`)
	if made.Link != "" || !made.Mailed {
		t.Fatalf("%+v", made)
	}
	if got := <-s.mails; got.to != "ada@example.org" || !strings.Contains(got.text, "link?secret=") {
		t.Errorf("%+v", got)
	}
}
