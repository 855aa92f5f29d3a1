package influxql_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"hearth"
)

// TestWhoMayAskWhat asks with every kind of token, of homes that it sees and of others.
func TestWhoMayAskWhat(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	other, _, err := r.books.AddHome(ctx, "", "Cabin two")
	must(t, err)
	write(t, r.URL, r.token[hearth.ScopeWrite], []byte("hearth,device=a:1 x=1 1000"))
	neighbour := r.newToken(t, hearth.Token{Name: "neighbour", Scope: hearth.ScopeAdmin, Home: other.ID})
	write(t, r.URL, neighbour, []byte("hearth,device=a:1 x=2 1000"))
	everywhere := r.newToken(t, hearth.Token{Name: "everywhere", Scope: hearth.ScopeRead})
	tenant := r.newToken(t, hearth.Token{Name: "tenant", Scope: hearth.ScopeRead, Tenant: other.Tenant})
	gateway := r.newToken(t, hearth.Token{Name: "gateway", Scope: hearth.ScopeGateway, Home: r.home.ID})
	one := func(n string) string {
		return `{"results":[{"statement_id":0,"series":[{"name":"hearth","columns":["time","x"],"values":[[1000,` + n + `]]}]}]}`
	}
	failed := func(why string) string { return `{"results":[{"statement_id":0,"error":"` + why + `"}]}` }
	const q = `SELECT x FROM hearth`
	tests := []struct {
		who, token, db, q string
		status            int
		want              string
	}{
		{"a home's reader", r.token[hearth.ScopeRead], "", q, 200, one("1")},
		{"a home's reader, any database", r.token[hearth.ScopeRead], "telegraf", q, 200, one("1")},
		{"a home's reader, a neighbour's name", r.token[hearth.ScopeRead], other.ID, q, 200, one("1")},
		{"a home's reader", r.token[hearth.ScopeRead], "", `SELECT x FROM "` + other.ID + `"."autogen".hearth`, 200, one("1")},
		{"a home's administrator", neighbour, "x", q, 200, one("2")},
		{"a reader of all", everywhere, other.ID, q, 200, one("2")},
		{"a reader of all, by name", everywhere, "Cabin two", q, 200, one("2")},
		{"a reader of all, in the statement", everywhere, "hearth", `SELECT x FROM "Cabin two".autogen.hearth`, 200, one("2")},
		{"a reader of all", everywhere, "", `SELECT x FROM "Cabin two"..hearth`, 200, one("2")},
		{"a reader of all, of none", everywhere, "", q, 200, failed("database name required")},
		{"a reader of all, of another", everywhere, "nowhere", q, 200, failed("database not found: nowhere")},
		{"a reader of all, of another", everywhere, "nowhere", `SHOW MEASUREMENTS`, 200, failed("database not found: nowhere")},
		{"a reader of all", everywhere, "", `SHOW TAG KEYS ON hearth`, 200, `{"results":[{"statement_id":0,"series":[{"name":"hearth","columns":["tagKey"],"values":[["device"]]}]}]}`},
		{"a reader of all", everywhere, "", `SHOW DATABASES`, 200, `{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["Cabin two"],["hearth"]]}]}]}`},
		{"a tenant's reader", tenant, "Cabin two", q, 200, one("2")},
		{"a home's reader", r.token[hearth.ScopeRead], "x", `SHOW DATABASES`, 200, `{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["hearth"]]}]}]}`},
		{"a home's reader", r.token[hearth.ScopeRead], "x", `SHOW RETENTION POLICIES ON "x"`, 200, `{"results":[{"statement_id":0,"series":[{"columns":["name","duration","shardGroupDuration","replicaN","default"],"values":[["autogen","0s","24h0m0s",1,true]]}]}]}`},
		{"a writer", r.token[hearth.ScopeWrite], "telegraf", `CREATE DATABASE "telegraf"`, 200, `{"results":[{"statement_id":0}]}`},
		{"a gateway", gateway, "telegraf", `CREATE DATABASE "telegraf"`, 200, `{"results":[{"statement_id":0}]}`},
		{"a writer", r.token[hearth.ScopeWrite], "x", q, 403, `{"error":"error authorizing query: one-write not authorized to execute statement 'SELECT x FROM hearth', requires scope read, it has write"}`},
		{"a writer", r.token[hearth.ScopeWrite], "x", `CREATE DATABASE x; SHOW DATABASES`, 403, `{"error":"error authorizing query: one-write not authorized to execute statement 'SHOW DATABASES', requires scope read, it has write"}`},
		{"a gateway", gateway, "x", `SHOW MEASUREMENTS`, 403, `{"error":"error authorizing query: gateway not authorized to execute statement 'SHOW MEASUREMENTS', requires scope read, it has gateway"}`},
		{"nobody", "", "x", q, 401, `{"error":"authorization failed"}`},
		{"a guesser", "hearth_x", "x", q, 401, `{"error":"authorization failed"}`},
		{"an administrator", r.token[hearth.ScopeAdmin], "", `DROP DATABASE hearth`, 200, failed("DROP DATABASE is not available here: this answers SELECT, SHOW of what there is, and CREATE DATABASE")},
		{"an administrator", r.token[hearth.ScopeAdmin], "", `SHOW DIAGNOSTICS`, 200, failed("SHOW DIAGNOSTICS is not available here: this answers SELECT, SHOW of what there is, and CREATE DATABASE")},
		{"an administrator", r.token[hearth.ScopeAdmin], "", `SELECT x INTO y FROM hearth`, 200, failed("SELECT INTO is not available here: write through /write")},
		{"an administrator", r.token[hearth.ScopeAdmin], "", `DELETE FROM hearth`, 200, failed("DELETE FROM is not available here: this answers SELECT, SHOW of what there is, and CREATE DATABASE")},
	}
	for _, test := range tests {
		params := url.Values{"q": {test.q}, "epoch": {"ms"}}
		if test.db != "" {
			params.Set("db", test.db)
		}
		for _, method := range []string{"GET", "POST"} {
			if method == "GET" && strings.Contains(test.q, "CREATE") {
				continue
			}
			got := ask(t, method, r.URL, test.token, params)
			if got.status != test.status || strings.TrimSpace(got.body) != test.want {
				t.Errorf("%s, db %q, %s %s: %d %s", test.who, test.db, method, test.q, got.status, got.body)
			}
		}
	}
}

// TestHowTokensCome tries every way in which InfluxDB's clients send a password.
func TestHowTokensCome(t *testing.T) {
	r := newRig(t)
	secret := r.token[hearth.ScopeRead]
	basic, err := http.NewRequest("GET", "/", nil)
	must(t, err)
	basic.SetBasicAuth("anybody", secret)
	for _, header := range []string{"Token " + secret, "Bearer " + secret, "Token any:" + secret, basic.Header.Get("Authorization")} {
		if got := ask(t, "GET", r.URL, "", url.Values{"q": {"SHOW DATABASES"}}, "Authorization", header); got.status != 200 {
			t.Errorf("%.20s: %d %s", header, got.status, got.body)
		}
	}
	for _, method := range []string{"GET", "POST"} {
		got := ask(t, method, r.URL, "", url.Values{"q": {"SHOW DATABASES"}, "u": {"any"}, "p": {secret}})
		if got.status != 200 || got.header.Get("X-Influxdb-Version") == "" {
			t.Errorf("%s u and p: %d %v %s", method, got.status, got.header, got.body)
		}
	}
}
