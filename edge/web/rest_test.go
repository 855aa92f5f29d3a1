package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/api"
	"hearth/edge/buffer"
)

func TestStatuses(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	tests := []struct {
		method, path, token, body string
		status                    int
		says                      string
	}{
		{"GET", "/api/v1/devices", readToken, "", 200, `"id":"toy:lamp","name":"Lamp"`},
		{"GET", "/api/v1/devices/toy:lamp", readToken, "", 200, `"driver_type":"sim"`},
		{"GET", "/api/v1/devices/toy%3Alamp", readToken, "", 200, `"toy:lamp"`},
		{"GET", "/api/v1/devices/toy:none", readToken, "", 404, `"code":"no_device"`},
		{"GET", "/api/v1/devices/..%2F..%2Fetc", readToken, "", 404, `"code":"no_device"`},
		{"PATCH", "/api/v1/devices/toy:lamp", controlToken, `{"name":"Desk lamp","room":"Office"}`, 200, `"name":"Desk lamp","room":"Office"`},
		{"PATCH", "/api/v1/devices/toy:lamp", controlToken, `{"name":""}`, 200, `"name":"Lamp","room":"Office"`},
		{"PATCH", "/api/v1/devices/toy:lamp", controlToken, `{}`, 400, `"code":"bad_request"`},
		{"PATCH", "/api/v1/devices/toy:lamp", controlToken, `{"name":5}`, 400, `"pointer":"/name"`},
		{"PATCH", "/api/v1/devices/toy:lamp", controlToken, `{"name":" x"}`, 422, `"code":"bad_value"`},
		{"PATCH", "/api/v1/devices/toy:none", controlToken, `{"name":"x"}`, 404, `"code":"no_device"`},
		{"POST", "/api/v1/commands", controlToken, `{"device":"toy:lamp","set":{"on":true}}`, 202, `"by":"control-token"`},
		{"POST", "/api/v1/commands?wait=5s", controlToken, `{"id":"mine","device":"toy:lamp","set":{"on":true,"brightness":55}}`, 200, `"state":"confirmed","final":true`},
		{"POST", "/api/v1/commands?wait=5s", controlToken, `{"id":"mine","device":"toy:lamp","set":{"on":true,"brightness":55}}`, 200, `"id":"mine"`},
		{"POST", "/api/v1/commands", controlToken, `{"id":"mine","device":"toy:lamp","set":{"on":false}}`, 409, `"code":"conflict"`},
		{"POST", "/api/v1/commands", controlToken, `{"device":"toy:none","set":{"on":true}}`, 404, `"code":"no_device"`},
		{"POST", "/api/v1/commands", controlToken, `{"device":"toy:lamp","set":{"colour":true}}`, 404, `"code":"no_device"`},
		{"POST", "/api/v1/commands", controlToken, `{"device":"toy:lamp","set":{"brightness":101}}`, 422, `"code":"bad_value"`},
		{"POST", "/api/v1/commands", controlToken, `{"device":"toy:lamp","set":{"brightness":"x"}}`, 422, `"code":"bad_value"`},
		{"POST", "/api/v1/commands", controlToken, `{"device":"toy:lamp","set":{}}`, 422, `"code":"bad_value"`},
		{"POST", "/api/v1/commands", controlToken, `{"device":"toy:lamp","set":{"link_quality":1}}`, 422, `"code":"read_only"`},
		{"POST", "/api/v1/commands", controlToken, `{"device":"toy:lamp","set":{"on":true},"deadline":"soon"}`, 422, `"code":"bad_value"`},
		{"POST", "/api/v1/commands", controlToken, `{"device":`, 400, `"code":"bad_request"`},
		{"POST", "/api/v1/commands?wait=soon", controlToken, `{"device":"toy:lamp","set":{"on":true}}`, 400, `"code":"bad_request"`},
		{"POST", "/api/v1/commands", controlToken, strings.Repeat(" ", api.MaxBody+1), 413, `"code":"too_large"`},
		{"GET", "/api/v1/commands/mine", readToken, "", 200, `"history":[{"state":"accepted"`},
		{"GET", "/api/v1/commands/none", readToken, "", 404, `"code":"not_found"`},
		{"GET", "/api/v1/commands?device=toy:lamp&state=confirmed", readToken, "", 200, `"id":"mine"`},
		{"GET", "/api/v1/commands?device=toy:none", readToken, "", 200, `[]`},
		{"GET", "/api/v1/commands?state=done", readToken, "", 400, `"code":"bad_request"`},
		{"GET", "/api/v1/history?device=toy:lamp&property=brightness", readToken, "", 200, `"points":[[`},
		{"GET", "/api/v1/history?device=toy:lamp", readToken, "", 400, `"code":"bad_request"`},
		{"GET", "/api/v1/history?device=toy:lamp&property=none", readToken, "", 404, `"code":"no_device"`},
		{"GET", "/api/v1/history?device=toy:none&property=on", readToken, "", 404, `"code":"no_device"`},
		{"GET", "/api/v1/history?device=toy:lamp&property=on&from=x", readToken, "", 400, `"code":"bad_request"`},
		{"GET", "/api/v1/status", readToken, "", 200, `"home":"Cabin"`},
		{"GET", "/api/v1/drivers", readToken, "", 200, `[{"name":"toy","type":"sim","state":"running","error":"","since":"`},
		{"GET", "/api/v1/drivers/toy", readToken, "", 200, `"name":"toy"`},
		{"GET", "/api/v1/drivers/none", readToken, "", 404, `"code":"not_found"`},
		{"GET", "/api/v1/drivers/toy/map/1", controlToken, "", 200, `GET /map/1 `},
		{"GET", "/api/v1/drivers/toy/", controlToken, "", 200, `GET / `},
		{"GET", "/api/v1/drivers/toy/map", readToken, "", 403, `"code":"denied"`},
		{"POST", "/api/v1/drivers/toy/map", controlToken, "", 403, `"code":"denied"`},
		{"POST", "/api/v1/drivers/toy/map", adminToken, "", 200, `POST /map`},
		{"GET", "/api/v1/drivers/none/map", adminToken, "", 404, `"code":"not_found"`},
		{"GET", "/api/v1/openapi.json", readToken, "", 200, `"openapi": "3.1.0"`},
		{"GET", "/metrics", readToken, "", 200, `hearth_devices{reachable="true"} 2`},
		{"GET", "/metrics", "", "", 401, `"code":"unknown_token"`},
		{"GET", "/healthz", "", "", 200, `{"status":"ok"}`},
		{"GET", "/", "", "", 401, `hearth-edge token add`},
		{"GET", "/", readToken, "", 200, `data-home="Cabin" data-version="1.2.3">`},
		{"GET", "/", adminToken, "", 200, `data-control data-admin`},
		{"GET", "/api/v1/none", readToken, "", 404, `"code":"not_found"`},
		{"POST", "/api/v1/devices", readToken, "", 405, `"code":"method_not_allowed"`},
		{"GET", "/problems/busy", "", "", 200, `Retry-After`},
		{"GET", "/static/edge.js", "", "", 200, `import`},
		{"DELETE", "/api/v1/devices/toy:meter", controlToken, "", 403, `"code":"denied"`},
		{"DELETE", "/api/v1/devices/toy:meter", adminToken, "", 204, ``},
		{"DELETE", "/api/v1/devices/toy:meter", adminToken, "", 404, `"code":"no_device"`},
	}
	for _, test := range tests {
		status, body, header := h.ask(t, test.method, test.path, test.token, test.body)
		if status != test.status || !strings.Contains(string(body), test.says) {
			t.Errorf("%s %s %.80s: %d %.300s; want %d with %s", test.method, test.path, test.body, status, body, test.status, test.says)
		}
		if status >= 400 && test.path != "/" {
			if p := read[api.Problem](t, body); p.Status != status || header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s: the problem says %d, HTTP %d (%s)", test.method, test.path, p.Status, status, header.Get("Content-Type"))
			}
		}
	}
	for _, secret := range []string{readToken, controlToken, adminToken} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log tells %s", secret)
		}
	}
}

func TestPutTellsTheFinalState(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	coded := func(code string) func(hearth.Command) error {
		return func(hearth.Command) error { return hearth.Errorf(code, "the device says no") }
	}
	tests := []struct {
		name, property, value string
		outcome               func(hearth.Command) error
		status                int
		state                 hearth.State
	}{
		{"confirmed", "on", "true", nil, 200, hearth.Confirmed},
		{"applied, as it is never reported", "identify", "true", func(hearth.Command) error { return nil }, 200, hearth.Applied},
		{"rejected", "on", "false", coded(hearth.CodeBadValue), 422, hearth.Rejected},
		{"failed", "on", "false", coded(hearth.CodeOffline), 502, hearth.Failed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h.answer(test.outcome)
			status, body, _ := h.ask(t, "PUT", "/api/v1/devices/toy:lamp/properties/"+test.property, controlToken, `{"value":`+test.value+`}`)
			record := read[hearth.Record](t, body)
			if status != test.status || record.State != test.state || !record.Final || record.By != "control-token" {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	for name, test := range map[string]struct {
		path, body string
		status     int
	}{
		"no value":       {"toy:lamp/properties/on", `{}`, 422},
		"another kind":   {"toy:lamp/properties/on", `{"value":"x"}`, 422},
		"read only":      {"toy:lamp/properties/link_quality", `{"value":1}`, 422},
		"no property":    {"toy:lamp/properties/none", `{"value":1}`, 404},
		"no device":      {"toy:none/properties/on", `{"value":true}`, 404},
		"a list":         {"toy:lamp/properties/on", `{"value":[true]}`, 422},
		"malformed":      {"toy:lamp/properties/on", `true`, 400},
		"malformed wait": {"toy:lamp/properties/on?wait=x", `{"value":true}`, 400},
	} {
		if status, body, _ := h.ask(t, "PUT", "/api/v1/devices/"+test.path, controlToken, test.body); status != test.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func TestPutOfWhatIsNotSentInTime(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	release := make(chan struct{})
	h.answer(func(hearth.Command) error { <-release; return nil })
	ask := func(path, body string) hearth.Record {
		t.Helper()
		status, data, _ := h.ask(t, "PUT", "/api/v1/devices/toy:lamp/properties/"+path, controlToken, body)
		if status != 202 {
			t.Fatalf("%d %s", status, data)
		}
		return read[hearth.Record](t, data)
	}
	ask("on?wait=0", `{"value":true}`) // the driver is busy with it
	second := ask("brightness?wait=0", `{"value":10}`)
	ask("brightness?wait=10ms", `{"value":20}`)
	if record, _ := h.home.Command(second.ID); record.State != hearth.Superseded || api.StatusOfRecord(record) != 409 {
		t.Errorf("the second is %s", record.State)
	}
	close(release)
	for state, want := range map[hearth.State]int{hearth.Expired: 504, hearth.Failed: 502, hearth.Applied: 200} {
		if got := api.StatusOfRecord(hearth.Record{State: state, Final: true}); got != want {
			t.Errorf("%s is %d", state, got)
		}
	}
}

func TestAPastDeadlineIsExpired(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	status, body, header := h.ask(t, "POST", "/api/v1/commands?wait=1s", controlToken, `{"device":"toy:lamp","set":{"on":true},"deadline":"2020-01-01T00:00:00Z"}`)
	if record := read[hearth.Record](t, body); status != 200 || record.State != hearth.Expired || header.Get("Location") != "/api/v1/commands/"+record.ID {
		t.Errorf("%d %s", status, body)
	}
}

// Every route needs a token of its scope, and says so.
func TestEveryRouteIsGuarded(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	for _, route := range h.web.table().Routes {
		path := strings.NewReplacer("{id}", "toy:none", "{name}", "none").Replace(route.Path)
		for token, scope := range map[string]hearth.Scope{"": "", "hearth_WRONG": "", writeToken: hearth.ScopeWrite, readToken: hearth.ScopeRead, controlToken: hearth.ScopeControl} {
			if path == "/api/v1/events" && scope.Allows(hearth.ScopeRead) {
				continue // it would not end
			}
			status, _, _ := h.ask(t, route.Method, path, token, "")
			switch {
			case route.Scope == "" && status == 200:
			case route.Scope != "" && scope == "" && status == 401:
			case route.Scope != "" && scope != "" && !scope.Allows(route.Scope) && status == 403:
			case scope.Allows(route.Scope) && status != 401 && status != 403:
			default:
				t.Errorf("%s %s with %q: %d", route.Method, path, token, status)
			}
		}
	}
}

func TestASessionMayOnlyChangeThingsFromThePage(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	for origin, want := range map[string]int{"": 403, "http://evil.example": 403, h.URL: 202} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", h.URL+"/api/v1/commands", strings.NewReader(`{"device":"toy:lamp","set":{"on":true}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: CookieName, Value: controlToken})
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if status, body, _ := send(t, r); status != want {
			t.Errorf("from %q: %d %s", origin, status, body)
		}
	}
}

func TestTheLinkBecomesASession(t *testing.T) {
	h := newHouse(t, nil)
	r, _ := http.NewRequestWithContext(t.Context(), "GET", h.URL+"/?token="+readToken, nil)
	status, _, header := send(t, r)
	if status != 303 || header.Get("Location") != "/" || !strings.HasPrefix(header.Get("Set-Cookie"), CookieName+"=") {
		t.Fatalf("%d %v", status, header)
	}
	r, _ = http.NewRequestWithContext(t.Context(), "GET", h.URL+"/api/v1/devices?token="+readToken, nil)
	if status, _, _ := send(t, r); status != 401 {
		t.Errorf("a token in the address of the API is taken: %d", status)
	}
}

func TestOpenMetrics(t *testing.T) {
	h := newHouse(t, func(o *Options) {
		o.OpenMetrics = true
		o.Metrics = func(m *api.Metrics) { m.Gauge("hearth_more", "More.", 1) }
	})
	status, body, _ := h.ask(t, "GET", "/metrics", "", "")
	for _, want := range []string{`hearth_build_info{version="1.2.3"`, `hearth_driver_up{driver="toy",type="sim"} 1`, `hearth_target_backlog_rows{target="cloud"} 345`, "hearth_more 1"} {
		if status != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%d, no %s in %s", status, want, body)
		}
	}
}

func TestBareOptions(t *testing.T) {
	h := newHouse(t, func(o *Options) { *o = Options{Home: o.Home, Tokens: o.Tokens} })
	h.furnish()
	for path, want := range map[string]string{
		"/api/v1/status": `"drivers":[]`, "/api/v1/drivers": `[]`, "/api/v1/history?device=toy:lamp&property=on": `{"points":[],"gaps":[]}`,
	} {
		if status, body, _ := h.ask(t, "GET", path, readToken, ""); status != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestHistoryOfARealBuffer(t *testing.T) {
	b, err := buffer.Open(buffer.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	h := newHouse(t, func(o *Options) { o.History = b.History })
	h.furnish()
	hour := time.Now().Truncate(time.Hour).Add(-time.Hour)
	for m := range 60 {
		if err := b.Append(hearth.Reading{Device: meter, Property: "power", Value: hearth.NumberOf(float64(m)), Time: hour.Add(time.Duration(m) * time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	status, body, _ := h.ask(t, "GET", fmt.Sprintf("/api/v1/history?device=toy:meter&property=power&from=%d&to=%d&points=6", hour.UnixMilli(), hour.Add(time.Hour).UnixMilli()), readToken, "")
	history := read[struct {
		Points [][5]float64 `json:"points"`
		Gaps   []hearth.Gap `json:"gaps"`
	}](t, body)
	if status != 200 || len(history.Points) != 6 || history.Gaps == nil {
		t.Fatalf("%d %s", status, body)
	}
	if got, want := history.Points[1], [5]float64{float64(hour.Add(10 * time.Minute).UnixMilli()), 10, 14.5, 19, 10}; got != want {
		t.Errorf("the second point is %v, want %v", got, want)
	}
}

func TestWhoWaitsIsAnsweredWhenTheGatewayStops(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	release := make(chan struct{})
	defer close(release)
	h.answer(func(hearth.Command) error { <-release; return nil })
	h.web.end()
	status, body, _ := h.ask(t, "PUT", "/api/v1/devices/toy:lamp/properties/on", controlToken, `{"value":true}`)
	if record := read[hearth.Record](t, body); status != 202 || record.Final {
		t.Errorf("%d %s", status, body)
	}
}

// A device that can leave its network is asked to before it is forgotten; one whose driver is away is forgotten all the same.
func TestRemovedDeviceLeaves(t *testing.T) {
	h := newHouse(t, nil)
	bulb := hearth.Device{ID: "toy:bulb", Properties: []hearth.Property{word("remove")}}
	asked := 0
	h.outcome = func(cmd hearth.Command) error {
		asked++
		if !cmd.Set["remove"].Bool() || cmd.By == "" {
			t.Errorf("asked %v by %q", cmd.Set, cmd.By)
		}
		h.toy.Forget(bulb.ID)
		return nil
	}
	for _, away := range []bool{false, true} {
		h.toy.Announce(bulb)
		h.home.Running("toy", !away)
		if status, body, _ := h.ask(t, "DELETE", "/api/v1/devices/toy:bulb", adminToken, ""); status != 204 {
			t.Errorf("driver away %v: %d %s", away, status, body)
		}
		if _, there := h.home.Device(bulb.ID); there {
			t.Errorf("driver away %v: the device is still there", away)
		}
	}
	if asked != 1 {
		t.Errorf("asked to leave %d times, want once", asked)
	}
}
