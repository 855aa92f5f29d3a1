package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// The document is made from the routes; what is left to check is that it is a good one, and that the answers are as it
// says.
func TestAnswersAreAsTheDocumentSays(t *testing.T) {
	h := newHouse(t, nil)
	h.furnish()
	_, raw, _ := h.ask(t, "GET", "/api/v1/openapi.json", readToken, "")
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Errorf("the document: %v", err)
	}
	if err := doc.Components.Schemas["Status"].Value.VisitJSON(map[string]any{"home": 5}); err == nil {
		t.Fatal("the schemas let everything through")
	}
	asked := map[string]bool{}
	for _, ask := range []struct{ method, route, path, body string }{
		{"GET", "/api/v1/devices", "", ""},
		{"GET", "/api/v1/devices/{id}", "/api/v1/devices/toy:lamp", ""},
		{"PATCH", "/api/v1/devices/{id}", "/api/v1/devices/toy:lamp", `{"room":"Attic"}`},
		{"PUT", "/api/v1/devices/{id}/properties/{name}", "/api/v1/devices/toy:lamp/properties/on", `{"value":true}`},
		{"POST", "/api/v1/commands", "/api/v1/commands?wait=5s", `{"id":"c","device":"toy:lamp","set":{"on":false}}`},
		{"GET", "/api/v1/commands", "", ""},
		{"GET", "/api/v1/commands/{id}", "/api/v1/commands/c", ""},
		{"GET", "/api/v1/history", "/api/v1/history?device=toy:lamp&property=brightness", ""},
		{"GET", "/api/v1/status", "", ""},
		{"GET", "/api/v1/drivers", "", ""},
		{"GET", "/api/v1/drivers/{name}", "/api/v1/drivers/toy", ""},
		{"GET", "/api/v1/openapi.json", "", ""},
		{"GET", "/api/v1/homekit", "", ""},
		{"GET", "/api/v1/homekit/setup", "", ""},
		{"GET", "/api/v1/homekit/bridges/{n}/qr.svg", "/api/v1/homekit/bridges/1/qr.svg", ""},
		{"DELETE", "/api/v1/homekit/bridges/{n}/pairings/{id}", "/api/v1/homekit/bridges/1/pairings/none", ""},
		{"POST", "/api/v1/homekit/reset", "", ""},
		{"GET", "/healthz", "", ""},
		{"DELETE", "/api/v1/devices/{id}", "/api/v1/devices/toy:meter", ""},
	} {
		if ask.path == "" {
			ask.path = ask.route
		}
		status, body, header := h.ask(t, ask.method, ask.path, adminToken, ask.body)
		asked[ask.method+" "+ask.route] = true
		operation := doc.Paths.Value(ask.route).GetOperation(ask.method)
		if err := matches(operation, status, header, body); err != nil {
			t.Errorf("%s %s: %v", ask.method, ask.path, err)
		}
	}
	for _, route := range h.web.table().Routes {
		if key := route.Method + " " + route.Path; !asked[key] && route.ID != "watchEvents" {
			t.Errorf("nobody asks %s", key)
		}
	}
	status, body, header := h.ask(t, "GET", "/api/v1/devices/toy:none", readToken, "")
	if err := matches(doc.Paths.Value("/api/v1/devices/{id}").Get, status, header, body); err != nil {
		t.Errorf("a problem: %v", err)
	}
}

func matches(operation *openapi3.Operation, status int, header http.Header, body []byte) error {
	response := operation.Responses.Status(status)
	if response == nil {
		return fmt.Errorf("HTTP %d is not in the document: %s", status, body)
	}
	media := response.Value.Content.Get(header.Get("Content-Type"))
	if media == nil {
		if len(response.Value.Content) == 0 && len(body) == 0 {
			return nil
		}
		return fmt.Errorf("HTTP %d has media type %q", status, header.Get("Content-Type"))
	}
	var value any = string(body)
	if strings.Contains(header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(body, &value); err != nil {
			return err
		}
	}
	if err := media.Schema.Value.VisitJSON(value); err != nil {
		return fmt.Errorf("HTTP %d %s: %w", status, body, err)
	}
	return nil
}

// What INTERFACES promises is not renamed by accident.
func TestOperationsAreStable(t *testing.T) {
	var got []string
	for _, route := range newHouse(t, nil).web.table().Routes {
		got = append(got, fmt.Sprintf("%s %s %s %s", route.ID, route.Method, route.Path, route.Scope))
	}
	slices.Sort(got)
	want := strings.Join([]string{
		"checkHealth GET /healthz ",
		"getCommand GET /api/v1/commands/{id} read",
		"getDevice GET /api/v1/devices/{id} read",
		"getDocument GET /api/v1/openapi.json read",
		"getDriver GET /api/v1/drivers/{name} read",
		"getHistory GET /api/v1/history read",
		"getHomeKit GET /api/v1/homekit read",
		"getHomeKitQR GET /api/v1/homekit/bridges/{n}/qr.svg admin",
		"getHomeKitSetup GET /api/v1/homekit/setup admin",
		"getStatus GET /api/v1/status read",
		"giveCommand POST /api/v1/commands control",
		"listCommands GET /api/v1/commands read",
		"listDevices GET /api/v1/devices read",
		"listDrivers GET /api/v1/drivers read",
		"removeDevice DELETE /api/v1/devices/{id} admin",
		"removeHomeKitPairing DELETE /api/v1/homekit/bridges/{n}/pairings/{id} admin",
		"renameDevice PATCH /api/v1/devices/{id} control",
		"resetHomeKit POST /api/v1/homekit/reset admin",
		"setProperty PUT /api/v1/devices/{id}/properties/{name} control",
		"watchEvents GET /api/v1/events read",
	}, "\n")
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestStatusKeepsItsPromise(t *testing.T) {
	data, err := json.Marshal(exampleStatus())
	if err != nil {
		t.Fatal(err)
	}
	status := read[map[string]any](t, data)
	for part, fields := range map[string]string{
		"clock": "trusted source", "buffer": "produced bytes cap oldest", "disk": "written_bytes per_day_bytes",
	} {
		for field := range strings.FieldsSeq(fields) {
			if _, ok := status[part].(map[string]any)[field]; !ok {
				t.Errorf("no %s.%s in %s", part, field, data)
			}
		}
	}
	for list, fields := range map[string]string{
		"drivers": "name type state error since", "targets": "name state acknowledged dropped backlog last_acknowledged error",
	} {
		for field := range strings.FieldsSeq(fields) {
			if _, ok := status[list].([]any)[0].(map[string]any)[field]; !ok {
				t.Errorf("no %s.%s in %s", list, field, data)
			}
		}
	}
	if _, ok := status["uptime_s"]; !ok || status["home"] != "Cabin" {
		t.Errorf("status %s", data)
	}
}
