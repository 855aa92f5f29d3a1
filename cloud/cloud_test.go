package cloud_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/cloud"
	"hearth/cloud/series"
)

func TestOneHomeFromEndToEnd(t *testing.T) {
	r := start(t, config(t.TempDir()))
	g := &gateway{r: r, Claim: r.claim("Cabin")}
	base := "/api/v1/homes/" + g.Home
	var who hearth.Whoami
	r.want(200, r.ask("GET", "/api/v1/whoami", g.Token, "", &who))
	if want := (hearth.Whoami{Home: g.Home, Name: "Cabin", TokenName: g.TokenName, Scope: hearth.ScopeWrite}); who != want {
		t.Errorf("%+v", who)
	}
	var sync hearth.Sync
	r.want(200, r.ask("GET", base+"/sync", g.Token, "", &sync))
	if sync != (hearth.Sync{}) {
		t.Errorf("a fresh home has %+v", sync)
	}
	r.want(204, r.ask("PUT", base+"/devices", g.Token, inventory, nil))
	events := r.watch(base + "/events")
	now := time.Now().UnixMilli()
	r.want(204, g.batch("e/1", "produced=3,dropped=0,backlog=3,durable=0",
		fmt.Sprintf("hearth,device=radio:1 on=false,brightness=5 %d\nhearth,device=radio:1 brightness=6 %d", now-2000, now-1000)))
	if got := events.next("reading"); got != fmt.Sprintf(`{"device":"radio:1","property":"on","value":false,"time":"%s"}`, time.UnixMilli(now-2000).UTC().Format(hearth.TimeForm)) {
		t.Errorf("event %s", got)
	}
	path := fmt.Sprintf("%s/history?device=radio:1&property=brightness&from=%d&to=%d&points=1", base, now-5000, now)
	resp, text := r.raw("GET", path, r.owner, "")
	r.want(200, resp)
	if want := fmt.Sprintf(`{"points":[[%d,5,5.5,6,2]],"gaps":[]}`, now-5000); strings.TrimSpace(string(text)) != want {
		t.Errorf("history %s, want %s", text, want)
	}
	g.connect()
	var homes []hearth.HomeView
	r.want(200, r.ask("GET", "/api/v1/homes", r.owner, "", &homes))
	if len(homes) != 1 || !homes[0].Online || homes[0].Backlog != 0 || homes[0].Alerts != 0 || homes[0].LastSeen.IsZero() {
		t.Errorf("%+v", homes)
	}
	g.wait(g.mqtt.Publish(hearth.TopicReading(g.Home, "radio:1", "brightness"), 1, false, fmt.Sprintf(`{"value":7,"time":%d}`, now)))
	g.wait(g.mqtt.Publish(hearth.TopicEvent(g.Home, "status"), 1, false, `{"version":"9.9","clock":{"trusted":true},"drivers":[]}`))
	if got := events.next("status"); got != `{"version":"9.9","clock":{"trusted":true},"drivers":[]}` {
		t.Errorf("event %s", got)
	}
	var devices []hearth.DeviceView
	r.want(200, r.ask("GET", base+"/devices", r.owner, "", &devices))
	if p := devices[0].Property("brightness"); p.Value == nil || *p.Value != hearth.NumberOf(7) {
		t.Errorf("%+v", p)
	}
	var details hearth.HomeDetails
	r.want(200, r.ask("GET", base, r.owner, "", &details))
	if details.Version != "9.9" || details.ID != g.Home || details.AlertList == nil {
		t.Errorf("%+v", details)
	}
	var report series.LedgerReport
	r.want(200, r.ask("GET", base+"/ledger", r.owner, "", &report))
	if want := (series.Counts{Produced: 3, Received: 3}); report.Total != want {
		t.Errorf("%+v", report.Total)
	}
}

func TestCommandsFromEndToEnd(t *testing.T) {
	r := start(t, config(t.TempDir()))
	g := &gateway{r: r, Claim: r.claim("Cabin")}
	base := "/api/v1/homes/" + g.Home
	r.want(204, r.ask("PUT", base+"/devices", g.Token, inventory, nil))
	var waiting hearth.Record
	r.want(202, r.ask("POST", base+"/commands", r.owner, `{"id":"first","device":"radio:1","set":{"on":true}}`, &waiting))
	if waiting.State != hearth.Accepted || waiting.By != "first-link" {
		t.Errorf("%+v", waiting)
	}
	r.want(202, r.ask("POST", base+"/commands", r.owner, `{"id":"first","device":"radio:1","set":{"on":true}}`, nil))
	r.want(409, r.ask("POST", base+"/commands", r.owner, `{"id":"first","device":"radio:1","set":{"on":false}}`, nil))
	g.connect()
	var list []hearth.Numbered
	r.want(200, r.ask("GET", base+"/commands?after=0", g.Token, "", &list))
	if len(list) != 1 || list[0].ID != "first" || list[0].N == 0 || list[0].State != hearth.Sent {
		t.Fatalf("%+v", list)
	}
	g.answer("first", hearth.Confirmed, true, nil)
	r.want(200, r.ask("GET", base+"/commands/first", r.owner, "", &waiting))
	if !waiting.Final || waiting.State != hearth.Confirmed {
		t.Errorf("%+v", waiting)
	}
	outcomes := []struct {
		state  hearth.State
		why    *hearth.Error
		status int
	}{
		{hearth.Confirmed, nil, 200},
		{hearth.Applied, nil, 200},
		{hearth.Rejected, &hearth.Error{Code: hearth.CodeBadValue}, 422},
		{hearth.Failed, &hearth.Error{Code: hearth.CodeOffline}, 502},
		{hearth.Expired, nil, 504},
		{hearth.Superseded, nil, 409},
	}
	for _, o := range outcomes {
		go func() {
			cmd := <-g.commands
			g.answer(cmd.ID, o.state, true, o.why)
		}()
		resp, text := r.raw("PUT", base+"/devices/radio:1/properties/brightness", r.owner, `{"value":40}`)
		var record hearth.Record
		if err := json.Unmarshal(text, &record); err != nil || resp.StatusCode != o.status || record.State != o.state {
			t.Errorf("%s: %d %s, %v", o.state, resp.StatusCode, text, err)
		}
	}
	r.want(202, r.ask("PUT", base+"/devices/radio:1/properties/on?wait=0", r.owner, `{"value":true}`, nil))
	r.want(202, r.ask("POST", base+"/commands?wait=10ms", r.owner, `{"device":"radio:1","set":{"on":false}}`, nil))
	for path, body := range map[string]string{"radio:1/properties/color": `{"value":1}`, "radio:9/properties/on": `{"value":true}`} {
		r.want(404, r.ask("PUT", base+"/devices/"+path, r.owner, body, nil))
	}
	for _, body := range []string{`{"value":101}`, `{"value":"x"}`, `{"value":null}`, `{}`} {
		r.want(422, r.ask("PUT", base+"/devices/radio:1/properties/brightness", r.owner, body, nil))
	}
	var records []hearth.Record
	r.want(200, r.ask("GET", base+"/commands?device=radio:1&state=confirmed", r.owner, "", &records))
	if len(records) != 2 {
		t.Errorf("%d records", len(records))
	}
}

func TestHomesAreApart(t *testing.T) {
	dir := t.TempDir()
	c := config(dir)
	r := start(t, c)
	mine, other := r.claim("Mine"), r.claim("Other")
	books, err := cloud.OpenAccounts(t.Context(), c, slog.New(slog.DiscardHandler)) // as the command beside the daemon
	r.must(err)
	defer books.Close()
	token := func(name string, scope hearth.Scope, home string) string {
		secret, err := books.AddToken(t.Context(), hearth.Token{Name: name, Scope: scope, Home: home})
		r.must(err)
		return secret
	}
	reader, control := token("reader", hearth.ScopeRead, mine.Home), token("control", hearth.ScopeControl, mine.Home)
	admin, writer := token("admin", hearth.ScopeAdmin, mine.Home), token("writer", hearth.ScopeWrite, mine.Home)
	const get, put, post = "GET", "PUT", "POST"
	for _, test := range []struct {
		method, path, body string
		allowed            map[string]int // the statuses of those that get in; all others are 403
	}{
		{get, "", "", map[string]int{reader: 200, control: 200, admin: 200}},
		{get, "/devices", "", map[string]int{reader: 200, control: 200, admin: 200}},
		{get, "/devices/radio:1", "", map[string]int{reader: 404, control: 404, admin: 404}},
		{get, "/commands", "", map[string]int{reader: 200, control: 200, admin: 200}},
		{get, "/commands?after=0", "", map[string]int{admin: 200, mine.Token: 200}},
		{get, "/commands/x", "", map[string]int{reader: 404, control: 404, admin: 404}},
		{get, "/ledger", "", map[string]int{reader: 200, control: 200, admin: 200}},
		{get, "/history?device=radio:1&property=on", "", map[string]int{reader: 404, control: 404, admin: 404}},
		{get, "/sync", "", map[string]int{reader: 200, control: 200, admin: 200, writer: 200, mine.Token: 200}},
		{put, "/devices", "[]", map[string]int{admin: 204, writer: 204, mine.Token: 204}},
		{post, "/commands", `{"device":"radio:1","set":{"on":true}}`, map[string]int{control: 404, admin: 404}},
		{put, "/devices/radio:1/properties/on", `{"value":true}`, map[string]int{control: 404, admin: 404}},
	} {
		for _, secret := range []string{reader, control, admin, writer, mine.Token} {
			want, ok := test.allowed[secret]
			if !ok {
				want = 403
			}
			if resp := r.ask(test.method, "/api/v1/homes/"+mine.Home+test.path, secret, test.body, nil); resp.StatusCode != want {
				t.Errorf("%s %s: %d, want %d", test.method, test.path, resp.StatusCode, want)
			}
			for _, home := range []string{other.Home, "nowhere", "Other", "..%2f" + mine.Home} {
				resp := r.ask(test.method, "/api/v1/homes/"+home+test.path, secret, test.body, nil)
				if resp.StatusCode != 404 {
					t.Errorf("%s %s of %s: %d", test.method, test.path, home, resp.StatusCode)
				}
			}
		}
		r.want(401, r.ask(test.method, "/api/v1/homes/"+mine.Home+test.path, "", test.body, nil))
		r.want(401, r.ask(test.method, "/api/v1/homes/"+mine.Home+test.path, "hearth_NOPE", test.body, nil))
	}
	r.want(404, r.ask("GET", "/api/v1/homes/"+other.Home+"/events", reader, "", nil))
	r.want(403, r.ask("POST", "/api/v1/homes", admin, `{"name":"x"}`, nil))
	r.want(403, r.ask("GET", "/metrics", admin, "", nil))
	r.want(401, r.ask("GET", "/metrics", "", "", nil))
	r.want(200, r.ask("GET", "/metrics", r.owner, "", nil))
	r.want(409, r.ask("POST", "/api/v1/homes", r.owner, `{"name":"Mine"}`, nil))
	var homes []hearth.HomeView
	r.want(200, r.ask("GET", "/api/v1/homes", reader, "", &homes))
	if len(homes) != 1 || homes[0].ID != mine.Home {
		t.Errorf("a token of one home sees %+v", homes)
	}
	g := &gateway{r: r, Claim: mine}
	r.want(204, r.ask("POST", "/api/v2/write?bucket="+other.Home, g.Token, "hearth,device=radio:1 on=true", nil))
	var report series.LedgerReport
	r.want(200, r.ask("GET", "/api/v1/homes/"+other.Home+"/ledger", r.owner, "", &report))
	if report.Total != (series.Counts{}) {
		t.Errorf("a gateway wrote into another home: %+v", report.Total)
	}
}

func TestOpenPaths(t *testing.T) {
	r := start(t, config(t.TempDir()))
	for path, want := range map[string]int{
		"/healthz": 200, "/health": 200, "/ping": 204, "/openapi.json": 308, "/api/v1/openapi.json": 401, "/nothing": 404, "/": 401, "/problems/denied": 200,
	} {
		if resp := r.ask("GET", path, "", "", nil); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	r.want(405, r.ask("DELETE", "/api/v1/homes", r.owner, "", nil))
	resp := r.ask("GET", "/?token="+r.owner, "", "", nil)
	r.want(303, resp)
	if cookies := resp.Cookies(); len(cookies) != 1 || !cookies[0].HttpOnly || strings.Contains(resp.Header.Get("Location"), "token") {
		t.Errorf("%v, to %s", cookies, resp.Header.Get("Location"))
	}
}

// Every path of the document is one that the receiver knows, and InfluxDB's are served beside them.
func TestDocument(t *testing.T) {
	r := start(t, config(t.TempDir()))
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]json.RawMessage
	}
	r.want(200, r.ask("GET", "/api/v1/openapi.json", r.owner, "", &document))
	if document.OpenAPI != "3.1.0" || len(document.Paths) < 14 {
		t.Errorf("version %s, %d paths", document.OpenAPI, len(document.Paths))
	}
	for path, methods := range document.Paths {
		for method := range methods {
			actual := strings.NewReplacer("{home}", "h", "{id}", "d", "{name}", "n").Replace(path)
			resp, text := r.raw(strings.ToUpper(method), actual, r.owner, "")
			if resp.StatusCode == 405 || strings.Contains(string(text), "there is nothing at") {
				t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, text)
			}
		}
	}
}

func TestClaimsAreThrottled(t *testing.T) {
	r := start(t, config(t.TempDir()))
	for i := range 12 {
		want := 404
		if i >= 10 {
			want = 429
		}
		resp := r.ask("POST", "/api/v1/claim", "", `{"code":"ABCD-EFGH"}`, nil)
		if resp.StatusCode != want || want == 429 && resp.Header.Get("Retry-After") == "" {
			t.Errorf("try %d: %d", i, resp.StatusCode)
		}
	}
	r.want(404, r.ask("POST", "/api/v1/claim", "", `{"code":"ABCD-EFGH"}`, nil, "X-Forwarded-For", "203.0.113.7")) // through a proxy: somebody else
}

// What was given before a restart is there after it.
func TestRestart(t *testing.T) {
	c := config(t.TempDir())
	r := start(t, c)
	g := &gateway{r: r, Claim: r.claim("Cabin")}
	base := "/api/v1/homes/" + g.Home
	r.want(204, r.ask("PUT", base+"/devices", g.Token, inventory, nil))
	r.want(204, g.batch("e/1", "produced=1,dropped=0,backlog=1,durable=0", fmt.Sprintf("hearth,device=radio:1 brightness=9 %d", time.Now().UnixMilli())))
	r.want(202, r.ask("POST", base+"/commands", r.owner, `{"id":"c","device":"radio:1","set":{"on":true}}`, nil))
	r.must(r.stop())
	again := start(t, c)
	if again.owner != "" {
		t.Error("there is a second first link")
	}
	again.owner = r.owner
	var devices []hearth.DeviceView
	again.want(200, again.ask("GET", base+"/devices", r.owner, "", &devices))
	if p := devices[0].Property("brightness"); p.Value == nil || *p.Value != hearth.NumberOf(9) || devices[0].Property("on").Target == nil {
		t.Errorf("%+v", devices[0])
	}
	var list []hearth.Numbered
	again.want(200, again.ask("GET", base+"/commands?after=0", g.Token, "", &list))
	if len(list) != 1 || list[0].ID != "c" {
		t.Errorf("%+v", list)
	}
}

// It stops in time although somebody watches, somebody is connected, and somebody sends a body that does not end.
func TestStopsInTime(t *testing.T) {
	r := start(t, config(t.TempDir()))
	g := &gateway{r: r, Claim: r.claim("Cabin")}
	g.connect()
	r.watch("/api/v1/homes/" + g.Home + "/events")
	reading, writing := io.Pipe()
	defer writing.Close()
	req, err := http.NewRequestWithContext(t.Context(), "POST", r.url+"/api/v2/write", reading)
	r.must(err)
	req.Header.Set("Authorization", "Token "+g.Token)
	go func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	if _, err := writing.Write([]byte("cpu v=1\n")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r.must(r.stop())
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s to stop", took)
	}
}

// A gateway that sends its inventory again and again is told to wait; its neighbours are not.
func TestInventoriesArePaced(t *testing.T) {
	r := start(t, config(t.TempDir()))
	loud, quiet := r.claim("Loud"), r.claim("Quiet")
	put := func(c hearth.Claim) *http.Response {
		return r.ask("PUT", "/api/v1/homes/"+c.Home+"/devices", c.Token, inventory, nil)
	}
	for i := range 1000 {
		resp := put(loud)
		if resp.StatusCode != http.StatusTooManyRequests {
			r.want(204, resp)
			continue
		}
		if resp.Header.Get("Retry-After") != "1" || i < 20 {
			t.Errorf("the inventory %d: Retry-After %q", i, resp.Header.Get("Retry-After"))
		}
		r.want(204, put(quiet))
		return
	}
	t.Error("a thousand inventories were taken")
}
