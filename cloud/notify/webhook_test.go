package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

func TestWhatIsPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1:248:1893:25c8:1946": true, "1.1.1.1": true, "172.32.0.1": true, "100.128.0.1": true,
		"127.0.0.1": false, "127.8.9.1": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.5.5": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "192.0.0.1": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

// Whatever name leads there, a webhook does not reach this machine.
func TestTheGuardHoldsAtTheDoor(t *testing.T) {
	asked := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer server.Close()
	u, err := url.Parse(server.URL)
	must(t, err)
	post := func(private bool, host string) error {
		hooks := newWebhooks(Options{Private: private, Now: time.Now, TLS: &tls.Config{InsecureSkipVerify: true}})
		return hooks.post(t.Context(), &Target{URL: "https://" + host + ":" + u.Port() + "/"}, 1, newEvent(KindTest, "", "", "", time.Now()))
	}
	if err := post(false, "localhost"); err == nil || !strings.Contains(err.Error(), "is no public address") || asked > 0 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	if err := post(false, "localhost"); strings.Contains(err.Error(), "127.0.0.1") || strings.Contains(err.Error(), "::1") {
		t.Errorf("it tells where names lead here: %v", err)
	}
	if err := post(true, "localhost"); err != nil || asked != 1 {
		t.Errorf("where the configuration allows it: %v, asked %d times", err, asked)
	}
}

func TestSignature(t *testing.T) {
	// printf '1767225600.{"a":1}' | openssl dgst -sha256 -hmac secret
	const want = "t=1767225600,v1=96a067a1c95eb143fc00b9097bcfcbcd5456adda508c443ff219748e764dbed7"
	got := Sign("secret", time.Unix(1767225600, 0), []byte(`{"a":1}`))
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// ask makes a request as a token of that scope does.
func (r *rig) ask(scope hearth.Scope, method, path, body string, into any) int {
	r.t.Helper()
	mux := http.NewServeMux()
	for _, route := range r.Routes() {
		mux.HandleFunc(route.Method+" "+route.Path, func(w http.ResponseWriter, q *http.Request) {
			if !scope.Allows(route.Scope) {
				api.Fail(w, q, hearth.Errorf(hearth.CodeDenied, "too small"))
				return
			}
			if err := route.Handler(w, q.WithContext(api.WithToken(q.Context(), hearth.Token{Name: "boss", Scope: scope}))); err != nil {
				api.Fail(w, q, err)
			}
		})
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(context.WithoutCancel(r.t.Context()), method, path, strings.NewReader(body)))
	if into != nil && w.Code < 300 {
		must(r.t, json.Unmarshal(w.Body.Bytes(), into))
	}
	return w.Code
}

func TestTargetsOverHTTP(t *testing.T) {
	inBubble(t, func(r *rig) {
		const path = "/api/v1/tenants/main/targets"
		const body = `{"name":"Office","type":"webhook","url":"https://hook.example/x","events":["alert","command"],"severity":"warning"}`
		for _, c := range []struct{ method, path string }{{"GET", path}, {"POST", path}, {"POST", path + "/x/test"}, {"GET", path + "/x/deliveries"}} {
			if status := r.ask(hearth.ScopeControl, c.method, c.path, body, nil); status != 403 {
				t.Errorf("an operator: %s %s: %d", c.method, c.path, status)
			}
		}
		var added addedTarget
		if status := r.ask(hearth.ScopeAdmin, "POST", path, body, &added); status != 201 || !strings.HasPrefix(added.Secret, "hook_") || added.ID == "" || added.Every != 60 {
			t.Fatalf("%d %+v", status, added)
		}
		one := path + "/" + added.ID
		var again renewed
		if status := r.ask(hearth.ScopeAdmin, "POST", one+"/secret", "", &again); status != 200 || again.Secret == added.Secret {
			t.Errorf("%d %+v", status, again)
		}
		var result outcome
		if status := r.ask(hearth.ScopeAdmin, "POST", one+"/test", "", &result); status != 200 || !result.OK {
			t.Errorf("%d %+v", status, result)
		}
		r.want("test")
		r.answers(always(500))
		if status := r.ask(hearth.ScopeAdmin, "POST", one+"/test", "", &result); status != 200 || result.OK || result.Error != "it answered 500 Internal Server Error" {
			t.Errorf("%d %+v", status, result)
		}
		r.alert("a1", "raised", warning)
		r.pass(time.Second)
		var view TargetView
		if status := r.ask(hearth.ScopeAdmin, "GET", one, "", &view); status != 200 || view.Pending != 1 || view.Attempts != 1 || view.NextTry.IsZero() || !strings.Contains(view.LastError, "500") {
			t.Errorf("%d %+v", status, view)
		}
		r.answers(always(200))
		if status := r.ask(hearth.ScopeAdmin, "PUT", one, strings.Replace(body, "Office", "Home", 1), nil); status != 200 {
			t.Errorf("%d", status)
		}
		r.pass(time.Second)
		r.want("raised a1") // at once, not in a minute
		var log []Delivery
		if status := r.ask(hearth.ScopeAdmin, "GET", one+"/deliveries", "", &log); status != 200 || len(log) != 1 || log[0].State != stateDelivered || log[0].Attempts != 2 || log[0].Kind != KindAlert || log[0].Ended.IsZero() {
			t.Errorf("%d %+v", status, log)
		}
		var views []TargetView
		if status := r.ask(hearth.ScopeAdmin, "GET", path, "", &views); status != 200 || len(views) != 1 || views[0].Name != "Home" || views[0].Delivered.IsZero() {
			t.Errorf("%d %+v", status, views)
		}
		r.refuses(path, added.ID, body)
		var left int
		must(t, r.db.QueryRow(`SELECT count(*) FROM deliveries`).Scan(&left))
		if left != 0 {
			t.Errorf("%d deliveries of a target that was deleted", left)
		}
	})
}

// refuses goes through what cannot be asked of a target, and deletes it.
func (r *rig) refuses(path, id, body string) {
	r.t.Helper()
	one := path + "/" + id
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", path, `{}`, 422}, {"PUT", one, `{"name":"x","type":"email","to":["a@example.org"],"events":["alert"]}`, 422}, {"PUT", path + "/none", body, 404},
		{"GET", "/api/v1/tenants/other/targets/" + id, "", 404}, {"DELETE", "/api/v1/tenants/other/targets/" + id, "", 404},
		{"DELETE", one, "", 204}, {"GET", one, "", 404},
	} {
		if status := r.ask(hearth.ScopeAdmin, c.method, c.path, c.body, nil); status != c.status {
			r.t.Errorf("%s %s: %d, want %d", c.method, c.path, status, c.status)
		}
	}
}

func TestTestsAreThrottled(t *testing.T) {
	inBubble(t, func(r *rig) {
		target := r.target(Target{})
		last := 0
		for range testTries + 1 {
			last = r.ask(hearth.ScopeAdmin, "POST", "/api/v1/tenants/"+accounts.MainTenant+"/targets/"+target.ID+"/test", "", nil)
		}
		if last != 429 {
			t.Errorf("%d", last)
		}
	})
}

func FuzzURL(f *testing.F) {
	f.Add("https://example.org/hook?x=1")
	f.Add("https://[::1]:5/")
	f.Fuzz(func(t *testing.T, text string) {
		if checkURL(text, false) != nil {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			t.Fatalf("%q is taken for the address of a webhook", text)
		}
	})
}

// Whoever made a target reads its errors, and need not know where this machine looks names up.
func TestLookupIsToldPlainly(t *testing.T) {
	err := &url.Error{Op: "Post", URL: "https://hook.example/secret", Err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "hook.example", Server: "192.0.2.53:53"}}}
	if got := plainly(err).Error(); got != "looking up hook.example: no such host" {
		t.Error(got)
	}
}
