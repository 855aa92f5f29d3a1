package cloud_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/cloud"
	"hearth/cloud/accounts"
	"hearth/cloud/web"
)

// An estate is a tenant with a home, and everybody who may or may not do something there.
type estate struct {
	tenant, home string
	elsewhere    string            // a home of the other tenant
	secrets      map[string]string // by who
	names        map[string]string // of tokens, by who: of a person, one that may all that they may
	tokens       map[string]string // their secrets
}

// Everybody whom the matrix knows.
const (
	none        = "none"
	viewer      = "viewer"
	operator    = "operator"
	homeAdmin   = "admin of the home"
	tenantView  = "tenant's viewer"
	tenantOper  = "tenant's operator"
	tenantAdmin = "tenant admin"
	otherAdmin  = "other tenant's admin"
	root        = "receiver admin"
	readToken   = "read token"
	controlTok  = "control token"
	writeToken  = "write token"
	adminToken  = "admin token"
	gatewayTok  = "gateway token"
	ofOperator  = "operator's admin token"
	expired     = "expired"
	revoked     = "revoked"
)

func everybody() []string {
	return []string{none, viewer, operator, homeAdmin, tenantView, tenantOper, tenantAdmin, otherAdmin, root, readToken, controlTok, writeToken, adminToken, gatewayTok, ofOperator, expired, revoked}
}

// scopeOf is what each may do in the home: those that are not in it are let in nowhere, or know nothing of it.
func scopesInHome() map[string]hearth.Scope {
	return map[string]hearth.Scope{
		viewer: hearth.ScopeRead, operator: hearth.ScopeControl, homeAdmin: hearth.ScopeAdmin, root: hearth.ScopeAdmin,
		tenantView: hearth.ScopeRead, tenantOper: hearth.ScopeControl, tenantAdmin: hearth.ScopeAdmin,
		readToken: hearth.ScopeRead, controlTok: hearth.ScopeControl, writeToken: hearth.ScopeWrite, adminToken: hearth.ScopeAdmin, gatewayTok: hearth.ScopeGateway,
		ofOperator: hearth.ScopeControl,
	}
}

func letIn(who string) bool { return who != none && who != expired && who != revoked }

// A books is the accounts of the receiver, opened beside it, and once more as of a day ago.
type books struct {
	t           *testing.T
	now, before *accounts.Accounts
	made        int
}

func openBooks(t *testing.T, c cloud.Config) *books {
	t.Helper()
	b := &books{t: t}
	var err error
	for into, now := range map[**accounts.Accounts]func() time.Time{&b.now: nil, &b.before: func() time.Time { return time.Now().Add(-24 * time.Hour) }} {
		if *into, err = accounts.Open(t.Context(), accounts.Options{Dir: c.Data, Now: now}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*into).Close() })
	}
	return b
}

func (b *books) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// estate makes one, with names of its own.
func (b *books) estate() estate {
	b.t.Helper()
	ctx := context.Background()
	b.made++
	north, err := b.now.AddTenant(ctx, fmt.Sprintf("North %d", b.made))
	b.must(err)
	south, err := b.now.AddTenant(ctx, fmt.Sprintf("South %d", b.made))
	b.must(err)
	home, _, err := b.now.AddHome(ctx, north.ID, "Home")
	b.must(err)
	elsewhere, _, err := b.now.AddHome(ctx, south.ID, "Home")
	b.must(err)
	e := estate{tenant: north.ID, home: home.ID, elsewhere: elsewhere.ID, secrets: map[string]string{none: ""}, names: map[string]string{}, tokens: map[string]string{}}
	for who, right := range map[string]accounts.Right{
		viewer: {Role: "viewer", Home: home.ID}, operator: {Role: "operator", Home: home.ID}, homeAdmin: {Role: "admin", Home: home.ID},
		tenantView: {Role: "viewer", Tenant: north.ID}, tenantOper: {Role: "operator", Tenant: north.ID}, tenantAdmin: {Role: "admin", Tenant: north.ID}, otherAdmin: {Role: "admin", Tenant: south.ID}, root: {Role: "admin"},
	} {
		user, _, err := b.now.AddUser(ctx, accounts.Root(), fmt.Sprintf("%s-%d@example.org", strings.NewReplacer(" ", "-", "'", "").Replace(who), b.made), "", right)
		b.must(err)
		e.secrets[who], err = b.now.StartSession(ctx, user.ID, "192.0.2.1", "matrix")
		b.must(err)
		e.names[who] = b.name(who + " admin token")
		e.tokens[who] = b.token(b.now, hearth.Token{Name: who + " admin token", Scope: hearth.ScopeAdmin, User: user.ID})
	}
	e.secrets[ofOperator] = e.tokens[operator]
	for who, scope := range map[string]hearth.Scope{
		readToken: hearth.ScopeRead, controlTok: hearth.ScopeControl, writeToken: hearth.ScopeWrite, adminToken: hearth.ScopeAdmin, gatewayTok: hearth.ScopeGateway, revoked: hearth.ScopeAdmin,
	} {
		e.secrets[who] = b.token(b.now, hearth.Token{Name: who, Scope: scope, Home: home.ID})
		e.names[who], e.tokens[who] = b.name(who), e.secrets[who]
	}
	e.secrets[expired] = b.token(b.before, hearth.Token{Name: expired, Scope: hearth.ScopeAdmin, Expires: hearth.Time{Time: time.Now().Add(-time.Hour)}})
	e.names[expired], e.tokens[expired], e.names[ofOperator], e.tokens[ofOperator] = b.name(expired), e.secrets[expired], e.names[operator], e.tokens[operator]
	_, err = b.now.RemoveToken(ctx, accounts.Root(), b.name(revoked))
	b.must(err)
	return e
}

func (b *books) name(who string) string {
	return fmt.Sprintf("%s %d", strings.ReplaceAll(who, "'", ""), b.made)
}

func (b *books) token(in *accounts.Accounts, t hearth.Token) string {
	b.t.Helper()
	t.Name = b.name(t.Name)
	secret, err := in.AddToken(context.Background(), t)
	b.must(err)
	return secret
}

// A rule says who gets through: the status of everybody whom it keeps out, and 0 for the others.
type rule func(who string) int

// inHome is for paths with {home}: others do not learn that it is there.
func inHome(need hearth.Scope) rule {
	return func(who string) int {
		scope, there := scopesInHome()[who]
		switch {
		case !letIn(who):
			return http.StatusUnauthorized
		case !there:
			return http.StatusNotFound
		case !scope.Allows(need):
			return http.StatusForbidden
		}
		return 0
	}
}

// ofHome is inHome for what any token of the home may do.
func ofHome(who string) int {
	if status := inHome("")(who); status != http.StatusForbidden {
		return status
	}
	return 0
}

// inTenant is for paths with {tenant}: who has a home of it only does not learn of it.
func inTenant(need hearth.Scope) rule {
	return func(who string) int {
		if kept := inHome(need)(who); kept == http.StatusUnauthorized || kept == http.StatusNotFound {
			return kept
		}
		if !slices.Contains([]string{tenantView, tenantOper, tenantAdmin, root}, who) {
			return http.StatusNotFound
		}
		return inHome(need)(who)
	}
}

// anywhere is for paths that name no place: the greatest scope that somebody has.
func anywhere(need hearth.Scope) rule {
	return func(who string) int {
		scope := scopesInHome()[who]
		if who == otherAdmin {
			scope = hearth.ScopeAdmin
		}
		switch {
		case !letIn(who):
			return http.StatusUnauthorized
		case !scope.Allows(need):
			return http.StatusForbidden
		}
		return 0
	}
}

// only is anywhere for what the handler then leaves to some.
func only(need hearth.Scope, these ...string) rule {
	return func(who string) int {
		if status := anywhere(need)(who); status != 0 || slices.Contains(these, who) {
			return status
		}
		return http.StatusForbidden
	}
}

// onlyRoot is for paths with {tenant} that the handler leaves to the receiver's administrators.
func onlyRoot(who string) int {
	if status := inTenant(admin)(who); status != 0 || who == root {
		return status
	}
	return http.StatusForbidden
}

func known(who string) int {
	if !letIn(who) {
		return http.StatusUnauthorized
	}
	return 0
}

func anybody(string) int { return 0 }

// A row is how one operation is asked, and what is answered to whom its rule lets through. Where that changes what the
// others need, it ruins the estate, and each gets one of their own.
type row struct {
	rule  rule
	ok    int
	query string
	body  string
	ruins bool
}

const (
	read    = hearth.ScopeRead
	control = hearth.ScopeControl
	admin   = hearth.ScopeAdmin
	noJSON  = "x" // is looked at last, and changes nothing
)

// rows has one of every operation of the OpenAPI document: who adds a route says here who may use it.
func rows() map[string]row {
	persons := []string{viewer, operator, homeAdmin, tenantView, tenantOper, tenantAdmin, otherAdmin, root}
	return map[string]row{
		"checkHealth": {rule: anybody, ok: 200}, "claimHome": {rule: anybody, ok: 400, body: noJSON}, "login": {rule: anybody, ok: 400, body: noJSON},
		"useLink": {rule: anybody, ok: 400, body: noJSON}, "forgotPassword": {rule: anybody, ok: 400, body: noJSON}, "logout": {rule: anybody, ok: 204, ruins: true},
		"whoAmI": {rule: known, ok: 200}, "getDocument": {rule: anywhere(read), ok: 200},

		"listHomes": {rule: anywhere(read), ok: 200}, "addHome": {rule: only(admin, tenantAdmin, otherAdmin, root), ok: 422, body: `{"name":""}`},
		"getHome": {rule: inHome(read), ok: 200}, "changeHome": {rule: inHome(admin), ok: 422, body: `{"name":""}`}, "removeHome": {rule: inHome(admin), ok: 204, ruins: true},
		"reclaimHome": {rule: inHome(admin), ok: 201}, "exportHome": {rule: inHome(admin), ok: 200},
		"putDevices": {rule: inHome(hearth.ScopeWrite), ok: 204, body: "[]"}, "getSync": {rule: ofHome, ok: 200}, "getLedger": {rule: inHome(read), ok: 200},
		"listDevices": {rule: inHome(read), ok: 200}, "getDevice": {rule: inHome(read), ok: 404}, "setProperty": {rule: inHome(control), ok: 404, body: `{"value":true}`},
		"giveCommand": {rule: inHome(control), ok: 404, body: `{"device":"toy:none","set":{"on":true}}`}, "listCommands": {rule: inHome(read), ok: 200}, "getCommand": {rule: inHome(read), ok: 404},
		"getHistory": {rule: inHome(read), ok: 404, query: "device=toy:none&property=on"}, "getData": {rule: inHome(read), ok: 200}, "watchEvents": {rule: inHome(read), ok: 200},

		"listTenants": {rule: anywhere(read), ok: 200}, "addTenant": {rule: only(admin, root), ok: 422, body: `{"name":""}`}, "getTenant": {rule: inTenant(read), ok: 200},
		"changeTenant": {rule: inTenant(admin), ok: 422, body: `{"name":""}`}, "removeTenant": {rule: onlyRoot, ok: 409},

		"listUsers": {rule: anywhere(admin), ok: 200}, "addUser": {rule: anywhere(admin), ok: 422, body: `{}`}, "getUser": {rule: anywhere(admin), ok: 404},
		"changeUser": {rule: anywhere(admin), ok: 404, body: `{}`}, "removeUser": {rule: anywhere(admin), ok: 404}, "makeLink": {rule: anywhere(admin), ok: 404}, "signOut": {rule: anywhere(admin), ok: 404},
		"giveRole": {rule: anywhere(admin), ok: 404, body: `{}`}, "takeRole": {rule: anywhere(admin), ok: 404},
		"listSessions": {rule: only(read, persons...), ok: 200}, "endOtherSessions": {rule: only(read, persons...), ok: 204}, "endSession": {rule: only(read, persons...), ok: 404},
		"changePassword": {rule: anywhere(read), ok: 400, body: noJSON},
		"listTokens":     {rule: anywhere(read), ok: 200}, "addToken": {rule: anywhere(read), ok: 422, body: `{}`}, "removeToken": {rule: anywhere(read), ok: 404},
		"listAudit": {rule: anywhere(admin), ok: 200},

		"listAlerts": {rule: anywhere(read), ok: 200}, "acknowledgeAlert": {rule: anywhere(control), ok: 404}, "listHomeAlerts": {rule: inHome(read), ok: 200},
		"listAlertRules": {rule: inTenant(read), ok: 200}, "addAlertRule": {rule: inTenant(control), ok: 400, body: noJSON}, "setAlertRule": {rule: inTenant(control), ok: 400, body: noJSON}, "deleteAlertRule": {rule: inTenant(control), ok: 404},
		"listTargets": {rule: inTenant(admin), ok: 200}, "addTarget": {rule: inTenant(admin), ok: 400, body: noJSON}, "getTarget": {rule: inTenant(admin), ok: 404}, "setTarget": {rule: inTenant(admin), ok: 400, body: noJSON},
		"listGroups": {rule: inTenant(read), ok: 200}, "addGroup": {rule: inTenant(control), ok: 400, body: noJSON}, "setGroup": {rule: inTenant(control), ok: 400, body: noJSON}, "deleteGroup": {rule: inTenant(control), ok: 404},
		"listJobs": {rule: inTenant(read), ok: 200}, "startJob": {rule: inTenant(read), ok: 400, body: noJSON}, "getJob": {rule: inTenant(read), ok: 404}, "listJobMembers": {rule: inTenant(read), ok: 404}, "cancelJob": {rule: inTenant(read), ok: 404},
		"watchTenant": {rule: inTenant(read), ok: 200}, "getEventCatalogue": {rule: anywhere(read), ok: 200},
		"announceDevice": {rule: inHome(hearth.ScopeWrite), ok: 400, body: noJSON}, "forgetDevice": {rule: inHome(control), ok: 404}, "reportReadings": {rule: inHome(hearth.ScopeWrite), ok: 400, body: noJSON},
		"deleteTarget": {rule: inTenant(admin), ok: 404}, "listDeliveries": {rule: inTenant(admin), ok: 404}, "renewSecret": {rule: inTenant(admin), ok: 404}, "testTarget": {rule: inTenant(admin), ok: 404},
	}
}

// as sends a request as somebody: a session's secret goes as a cookie, from our own page.
func (r *receiver) as(e estate, who, method, path, body string) (*http.Response, string) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel() // ends a live stream
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, strings.NewReader(body))
	r.must(err)
	switch secret := e.secrets[who]; {
	case strings.HasPrefix(secret, "session_"):
		req.Header.Set("Cookie", web.CookieName+"="+secret)
		req.Header.Set("Origin", r.url)
	case secret != "":
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	r.must(err)
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return resp, ""
	}
	text, err := io.ReadAll(resp.Body)
	r.must(err)
	return resp, string(text)
}

// operations returns the path of every operation, by "METHOD id".
func (r *receiver) operations() map[string]string {
	r.t.Helper()
	var document struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	r.want(200, r.ask("GET", "/api/v1/openapi.json", r.owner, "", &document))
	all := map[string]string{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			all[strings.ToUpper(method)+" "+operation.OperationID] = path
		}
	}
	return all
}

func TestRolesOverHTTP(t *testing.T) {
	c := config(t.TempDir())
	r := start(t, c)
	b := openBooks(t, c)
	shared, table, seen := b.estate(), rows(), map[string]bool{}
	for operation, path := range r.operations() {
		method, id, _ := strings.Cut(operation, " ")
		row, ok := table[id]
		seen[id] = true
		if !ok {
			t.Errorf("%s %s (%s) has no row in the matrix: say who may use it", method, path, id)
			continue
		}
		for _, who := range everybody() {
			e, want := shared, row.rule(who)
			if row.ruins && want == 0 {
				e = b.estate()
			}
			r.expect(e, who, method, path, row, want)
		}
	}
	for id := range table {
		if !seen[id] {
			t.Errorf("the matrix has a row %s, and there is no such operation", id)
		}
	}
}

// expect asks one operation as somebody. That a home or tenant is hidden is something else than that what is in it is
// not there.
func (r *receiver) expect(e estate, who, method, path string, row row, want int) {
	r.t.Helper()
	path = strings.NewReplacer("{home}", e.home, "{tenant}", e.tenant, "{id}", "toy:none", "{name}", "nothing").Replace(path)
	if row.query != "" {
		path += "?" + row.query
	}
	resp, text := r.as(e, who, method, path, row.body)
	hidden := strings.Contains(text, "there is no such home") || strings.Contains(text, "there is no such tenant")
	switch {
	case want == 0 && (resp.StatusCode != row.ok || hidden):
		r.t.Errorf("%s %s as %s: %d, want %d\n%s", method, path, who, resp.StatusCode, row.ok, text)
	case want != 0 && (resp.StatusCode != want || hidden != (want == http.StatusNotFound)):
		r.t.Errorf("%s %s as %s: %d, want to be kept out with %d\n%s", method, path, who, resp.StatusCode, want, text)
	}
	if resp.StatusCode >= 400 && resp.Header.Get("Content-Type") != "application/problem+json" {
		r.t.Errorf("%s %s as %s: a problem of type %s", method, path, who, resp.Header.Get("Content-Type"))
	}
}

// InfluxDB's paths and the metrics are not in the document.
func TestRolesOnOtherPaths(t *testing.T) {
	c := config(t.TempDir())
	r := start(t, c)
	e := openBooks(t, c).estate()
	writes := func(who string) bool {
		return scopesInHome()[who].Allows(hearth.ScopeWrite)
	}
	for _, who := range everybody() {
		for _, path := range []string{"/api/v2/write?bucket=" + e.home, "/write?db=" + e.home} {
			want := 204
			switch {
			case !letIn(who):
				want = 401
			case who == otherAdmin:
				want = 400 // InfluxDB's own word for a bucket that is not there
			case !writes(who):
				want = 403
			}
			if strings.HasPrefix(e.secrets[who], "session_") {
				want = 401 // no page writes readings
			}
			if resp, text := r.as(e, who, "POST", path, "m value=1"); resp.StatusCode != want {
				t.Errorf("%s as %s: %d, want %d: %s", path, who, resp.StatusCode, want, text)
			}
		}
		want := 403
		if !letIn(who) {
			want = 401
		} else if who == root {
			want = 200
		}
		if resp, text := r.as(e, who, "GET", "/metrics", ""); resp.StatusCode != want {
			t.Errorf("/metrics as %s: %d, want %d: %.200s", who, resp.StatusCode, want, text)
		}
	}
}

// A person's token writes only where the person administers, whatever they are elsewhere.
func TestAPersonsTokenWritesWhereTheyAdminister(t *testing.T) {
	c := config(t.TempDir())
	r := start(t, c)
	b := openBooks(t, c)
	e := b.estate()
	user, _, err := b.now.AddUser(t.Context(), accounts.Root(), "both@example.org", "", accounts.Right{Role: "admin", Home: e.home})
	b.must(err)
	_, err = b.now.Give(t.Context(), accounts.Root(), user.ID, accounts.Right{Role: "viewer", Home: e.elsewhere})
	b.must(err)
	for _, scope := range []hearth.Scope{hearth.ScopeWrite, hearth.ScopeAdmin} {
		e.secrets["both"] = b.token(b.now, hearth.Token{Name: "both " + string(scope), Scope: scope, User: user.ID})
		for bucket, want := range map[string]int{e.home: 204, e.elsewhere: 403} {
			if scope == hearth.ScopeWrite && want == 403 {
				want = 400 // of which it must not even know
			}
			if resp, text := r.as(e, "both", "POST", "/api/v2/write?bucket="+bucket, "m value=1"); resp.StatusCode != want {
				t.Errorf("a token of scope %s: %d, want %d: %s", scope, resp.StatusCode, want, text)
			}
		}
	}
}

func TestRolesOnPages(t *testing.T) {
	c := config(t.TempDir())
	r := start(t, c)
	b := openBooks(t, c)
	e := b.estate()
	secret, err := b.now.Invite(t.Context(), "first@example.org", hearth.ScopeAdmin, "", "") // from here on people sign in
	b.must(err)
	_, err = b.now.UseLink(t.Context(), secret, "a horse on the balcony")
	b.must(err)
	inside := []string{"/", "/explore", "/people"}
	for _, who := range everybody() {
		cookie := e.secrets[who]
		page := func(path string, want int) {
			t.Helper()
			resp, text := r.raw("GET", path, "", "", "Cookie", web.CookieName+"="+cookie)
			if resp.StatusCode != want || want == 303 && !strings.HasPrefix(resp.Header.Get("Location"), "/login") {
				t.Errorf("%s as %s: %d to %q, want %d: %.300s", path, who, resp.StatusCode, resp.Header.Get("Location"), want, text)
			}
		}
		status := func(kept int) int {
			switch kept {
			case 0:
				return 200
			case 401:
				return 303
			}
			return kept
		}
		for _, path := range inside {
			page(path, status(anywhere(read)(who)))
		}
		ofHome := status(inHome(read)(who))
		if who == otherAdmin {
			ofHome = 404
		}
		page("/homes/"+e.home, ofHome)
		for _, path := range []string{"/login", "/static/people.js", "/healthz"} {
			page(path, 200)
		}
	}
}
