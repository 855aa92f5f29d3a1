package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/api"
)

// ask makes a request as a token does whose scope the receiver has already narrowed to what the path names.
func (r *rig) ask(token hearth.Token, method, path, body string, into any) int {
	r.t.Helper()
	mux := http.NewServeMux()
	for _, route := range r.Routes() {
		mux.HandleFunc(route.Method+" "+route.Path, func(w http.ResponseWriter, q *http.Request) {
			narrowed := token
			if tenant := q.PathValue("tenant"); tenant != "" {
				narrowed.Scope = token.In(tenant, "")
			}
			if !narrowed.Most().Allows(route.Scope) {
				api.Fail(w, q, hearth.Errorf(hearth.CodeDenied, "too small"))
				return
			}
			if err := route.Handler(w, q.WithContext(api.WithToken(q.Context(), narrowed))); err != nil {
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

func kindsOf(alerts []hearth.Alert) (kinds []string) {
	for _, a := range alerts {
		kinds = append(kinds, a.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

func TestWhoSeesWhat(t *testing.T) {
	inBubble(t, 20, func(r *rig) {
		other, err := r.books.AddTenant(r.t.Context(), "Other")
		must(r.t, err)
		theirs, _, err := r.books.AddHome(r.t.Context(), other.ID, "Theirs")
		must(r.t, err)
		r.pass(homesEvery + 2*time.Second)
		mine := r.homes[0].ID
		r.set(mine, silent("a:1"))
		r.set(theirs.ID, silent("b:1"))
		r.set(own, hearth.Condition{Kind: hearth.AlertReceiver, About: "disk", Severity: hearth.SeverityCritical})
		r.dark(5, 12)
		r.pass(2 * time.Minute)

		all := hearth.Token{Name: "boss", Scope: hearth.ScopeAdmin}
		tenant := hearth.Token{Name: "installer", Scope: hearth.ScopeControl, Tenant: "main"}
		family := hearth.Token{Name: "family", Scope: hearth.ScopeControl, Home: mine, Tenant: "main"}
		dark := hearth.Token{Name: "away", Grants: []hearth.Grant{{Scope: hearth.ScopeRead, Home: r.homes[6].ID}}}
		var list []hearth.Alert
		for _, c := range []struct {
			token hearth.Token
			path  string
			want  string
		}{
			{all, "/api/v1/alerts", "[device_silent device_silent outage receiver]"},
			{all, "/api/v1/alerts?tenant=" + other.ID, "[device_silent]"},
			{all, "/api/v1/alerts?home=" + mine, "[device_silent]"},
			{all, "/api/v1/alerts?home=" + r.homes[5].ID, "[outage]"},
			{all, "/api/v1/alerts?limit=1", "[outage]"},
			{tenant, "/api/v1/alerts", "[device_silent outage]"},
			{tenant, "/api/v1/alerts?home=" + theirs.ID, "[]"},
			{family, "/api/v1/alerts", "[device_silent]"},
			{dark, "/api/v1/alerts", "[outage]"},
			{family, "/api/v1/alerts?open=0", "[]"},
			{family, "/api/v1/homes/" + mine + "/alerts", "[device_silent]"},
		} {
			if status := r.ask(c.token, "GET", c.path, "", &list); status != 200 || fmt.Sprint(kindsOf(list)) != c.want {
				t.Errorf("%s for %s: %d %v, want %s", c.path, c.token.Name, status, kindsOf(list), c.want)
			}
			for _, a := range list {
				if c.token.Name == "away" && (a.Homes != nil || a.Home != r.homes[6].ID) {
					t.Errorf("who sees one home learns of others: %+v", a)
				}
			}
		}
		for _, bad := range []string{"?open=maybe", "?limit=none", "?open=0&before=yesterday"} {
			if status := r.ask(all, "GET", "/api/v1/alerts"+bad, "", nil); status != 400 {
				t.Errorf("%s: %d", bad, status)
			}
		}
		r.acks(map[string]hearth.Token{"all": all, "tenant": tenant, "family": family, "dark": dark}, mine, theirs.ID)
	})
}

func (r *rig) acks(tokens map[string]hearth.Token, mine, theirs string) {
	r.t.Helper()
	ids := map[string]string{"mine": r.Open(mine)[0].ID, "theirs": r.Open(theirs)[0].ID, "outage": r.Open(r.homes[6].ID)[0].ID}
	r.mu.Lock()
	for _, e := range r.events {
		if e.Kind == hearth.AlertReceiver {
			ids["receiver"] = e.ID
		}
	}
	r.mu.Unlock()
	var got hearth.Alert
	for _, c := range []struct {
		token, alert string
		status       int
	}{
		{"family", "theirs", 404}, {"family", "outage", 404}, {"family", "receiver", 404}, {"family", "none", 404},
		{"dark", "mine", 403}, {"tenant", "receiver", 404}, {"tenant", "theirs", 404},
		{"family", "mine", 200}, {"tenant", "outage", 200}, {"all", "receiver", 200}, {"all", "theirs", 200}, {"all", "mine", 200},
	} {
		id := ids[c.alert]
		if id == "" {
			id = "anone"
		}
		if status := r.ask(tokens[c.token], "POST", "/api/v1/alerts/"+id+"/ack", "", &got); status != c.status {
			r.t.Errorf("%s acknowledges %s: %d, want %d", c.token, c.alert, status, c.status)
		}
	}
	if got.AckedBy != "family" { // the first one counts
		r.t.Errorf("%+v", got)
	}
	if open := r.Open(mine)[0]; open.AckedBy != "family" {
		r.t.Errorf("%+v", open)
	}
	r.set(mine)
	r.pass(2 * time.Minute)
	if status := r.ask(tokens["family"], "POST", "/api/v1/alerts/"+ids["mine"]+"/ack", "", nil); status != 409 {
		r.t.Errorf("a cleared alert is acknowledged: %d", status)
	}
	var history []hearth.Alert
	if status := r.ask(tokens["family"], "GET", "/api/v1/alerts?open=0", "", &history); status != 200 || len(history) != 1 || history[0].Cleared.IsZero() || history[0].AckedBy != "family" {
		r.t.Errorf("%d %+v", status, history)
	}
}

func TestRulesOverHTTP(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		admin := hearth.Token{Name: "boss", Scope: hearth.ScopeAdmin}
		viewer := hearth.Token{Name: "viewer", Scope: hearth.ScopeRead, Tenant: "main"}
		const path = "/api/v1/tenants/main/alert-rules"
		body := `{"name":"Cold","type":"sensor","property":"temperature","op":"<","value":5,"for_s":60,"severity":"info"}`
		var rule, changed Rule
		if status := r.ask(viewer, "POST", path, body, nil); status != 403 {
			t.Errorf("a viewer adds a rule: %d", status)
		}
		if status := r.ask(admin, "POST", path, body, &rule); status != 201 || rule.ID == "" || rule.Created.IsZero() || rule.For != 60 {
			t.Fatalf("%d %+v", status, rule)
		}
		if status := r.ask(admin, "PUT", path+"/"+rule.ID, strings.Replace(body, "5", "7", 1), &changed); status != 200 || changed.Value != hearth.NumberOf(7) || changed.ID != rule.ID || !changed.Created.Equal(rule.Created.Time) {
			t.Errorf("%d %+v", status, changed)
		}
		var rules []Rule
		if status := r.ask(viewer, "GET", path, "", &rules); status != 200 || len(rules) != 1 || rules[0].Value != hearth.NumberOf(7) {
			t.Errorf("%d %+v", status, rules)
		}
		for body, want := range map[string]int{`{}`: 422, `{"op":5}`: 400, `{"home":"nowhere","property":"x","op":"=","value":true}`: 404} {
			if status := r.ask(admin, "POST", path, body, nil); status != want {
				t.Errorf("%s: %d, want %d", body, status, want)
			}
		}
		for _, c := range []struct {
			method string
			status int
		}{{"DELETE", 204}, {"DELETE", 404}, {"PUT", 404}} {
			if status := r.ask(admin, c.method, path+"/"+rule.ID, body, nil); status != c.status {
				t.Errorf("%s: %d, want %d", c.method, status, c.status)
			}
		}
	})
}

// Who administers a home reads in the audit of who acknowledged what there.
func TestAcknowledgingIsAudited(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		home := r.homes[0]
		r.pass(homesEvery + 2*time.Second)
		r.set(home.ID, silent("a:1"))
		r.pass(2 * time.Minute)
		place := ""
		table := api.Table{Routes: r.Routes(), Audit: func(q *http.Request, route api.Route, _ string) {
			place = route.ID + " " + q.PathValue("tenant") + " " + q.PathValue("home")
		}}
		mux := http.NewServeMux()
		table.Mount(mux, api.NewAuth(api.AuthOptions{Find: func(context.Context, string) (hearth.Token, bool, error) {
			return hearth.Token{Name: "boss", Scope: hearth.ScopeAdmin}, true, nil
		}}))
		q := httptest.NewRequestWithContext(context.WithoutCancel(r.t.Context()), "POST", "/api/v1/alerts/"+r.Open(home.ID)[0].ID+"/ack", nil)
		q.Header.Set("Authorization", "Bearer x")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, q)
		if want := "acknowledgeAlert " + home.Tenant + " " + home.ID; w.Code != 200 || place != want {
			r.t.Errorf("%d, audited is %q, want %q", w.Code, place, want)
		}
	})
}
