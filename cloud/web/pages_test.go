package web_test

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"hearth"
)

func TestPagesOpenForThoseWhoMayRead(t *testing.T) {
	s := newSite(t)
	mine, other := s.join(t, title), s.join(t, "Other")
	own := s.token(t, "tenant", hearth.ScopeControl, mine.Home)
	write := s.token(t, "meter", hearth.ScopeWrite, mine.Home)
	for _, ask := range []struct {
		name, path, token string
		status            int
		has, hasNot       string
	}{
		{"all homes, by an administrator", "/", s.admin, 200, "data-add", ""},
		{"all homes, by a guest", "/", s.read, 200, `data-version="1.2.3"`, "data-add"},
		{"nobody", "/", "", 401, "hearth-cloud token add", "homes.js"},
		{"a meter", "/", write, 403, "needs scope read", "homes.js"},
		{"a home, by a guest", "/homes/" + mine.Home, s.read, 200, html.EscapeString(title), "data-control"},
		{"a home, by its tenant", "/homes/" + mine.Home, own, 200, "data-control", "<wood>"},
		{"a tenant's list", "/", own, 200, "homes.js", "data-add"},
		{"another home, by a tenant", "/homes/" + other.Home, own, 404, "There is no such home", "Other"},
		{"a home by its name", "/homes/Other", s.admin, 404, "There is no such home", "home.js"},
		{"no home", "/homes/none", s.admin, 404, "There is no such home", "home.js"},
		{"a home, by nobody", "/homes/" + mine.Home, "", 401, "opens through a link", "home.js"},
	} {
		reply, body := s.ask(t, "GET", ask.path, ask.token, "")

		if reply.StatusCode != ask.status || !strings.Contains(body, ask.has) || ask.hasNot != "" && strings.Contains(body, ask.hasNot) {
			t.Errorf("%s: %d, want %d with %q and without %q:\n%s", ask.name, reply.StatusCode, ask.status, ask.has, ask.hasNot, body)
		}
		if policy := reply.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'; script-src 'self'") {
			t.Errorf("%s: policy %q", ask.name, policy)
		}
	}
}

func TestALinkBecomesASession(t *testing.T) {
	s := newSite(t)
	g := s.join(t, title)
	reply, _ := s.ask(t, "GET", "/homes/"+g.Home+"?token="+s.read, "", "")
	cookies := reply.Cookies()
	if reply.StatusCode != http.StatusSeeOther || reply.Header.Get("Location") != "/homes/"+g.Home || len(cookies) != 1 || !cookies[0].HttpOnly {
		t.Fatalf("%d to %q with %v", reply.StatusCode, reply.Header.Get("Location"), cookies)
	}
	reply, body := s.ask(t, "GET", "/homes/"+g.Home, "", "", "Cookie", cookies[0].Name+"="+cookies[0].Value)
	if reply.StatusCode != 200 || !strings.Contains(body, "home.js") {
		t.Errorf("with the cookie: %d", reply.StatusCode)
	}
}

// Everything that a page or one of its modules names is served from here.
func TestPagesFindTheirParts(t *testing.T) {
	s := newSite(t)
	g := s.join(t, title)
	seen := map[string]bool{}
	part := regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"|from "\./([^"]+)"`)
	var follow func(base, text string)
	follow = func(base, text string) {
		for _, found := range part.FindAllStringSubmatch(text, -1) {
			path := found[1]
			if path == "" {
				path = base + found[2]
			}
			if seen[path] {
				continue
			}
			seen[path] = true
			reply, body := s.ask(t, "GET", path, "", "")
			if reply.StatusCode != 200 {
				t.Errorf("%s: %d", path, reply.StatusCode)
			}
			follow(path[:strings.LastIndex(path, "/")+1], body)
		}
	}
	for _, path := range []string{"/", "/alerts", "/homes/" + g.Home, "/homes/none"} {
		_, body := s.ask(t, "GET", path, s.admin, "")
		if strings.Contains(body, "<script>") || strings.Contains(body, "style=") {
			t.Errorf("%s has what the policy forbids", path)
		}
		follow("/static/", body)
	}
	for _, path := range []string{"/static/home.js", "/static/homes.js", "/static/ledger.js", "/static/gateway.js", "/static/vendor/uplot.js", "/static/cloud.css", "/static/style.css"} {
		if !seen[path] {
			t.Errorf("no page uses %s", path)
		}
	}
}
