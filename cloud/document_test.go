package cloud_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestTheWholeDocument holds the OpenAPI document of all rooms together, and the answers about jobs, groups and devices
// without a gateway, against what somebody else's program makes of it.
func TestTheWholeDocument(t *testing.T) {
	r := start(t, config(t.TempDir()))
	_, raw := r.raw("GET", "/api/v1/openapi.json", r.owner, "")
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	r.must(err)
	if err := doc.Validate(t.Context()); err != nil {
		t.Errorf("the document: %v", err)
	}
	home := r.claim("Cabin")
	r.want(204, r.ask("PUT", "/api/v1/homes/"+home.Home+"/devices", home.Token, lampInventory, nil))
	const tenant = "/api/v1/tenants/{tenant}"
	for _, ask := range []struct {
		method, route, query, body string
		status                     int
	}{
		{"POST", tenant + "/groups", "", `{"name":"Lamps","members":[{"type":"light"}]}`, 201},
		{"POST", tenant + "/groups", "", `{"name":"Lamps","members":[]}`, 409},
		{"GET", tenant + "/groups", "", "", 200},
		{"PUT", tenant + "/groups/{id}", "", `{"name":"Others","members":[]}`, 404},
		{"DELETE", tenant + "/groups/{id}", "", "", 404},
		{"POST", tenant + "/jobs", "?dry=1", `{"set":{"on":true},"select":{"all":true}}`, 200},
		{"POST", tenant + "/jobs", "", `{"id":"one","set":{"on":true},"select":{"all":true},"at":"2099-01-01T00:00:00Z"}`, 422},
		{"POST", tenant + "/jobs", "", `{"id":"direct:plug","set":{"on":true},"select":{"all":true,"property":"on"},"within":"1h","rate":1}`, 202},
		{"POST", tenant + "/jobs", "", `{"set":`, 400},
		{"GET", tenant + "/jobs", "", "", 200},
		{"GET", tenant + "/jobs/{id}", "", "", 200},
		{"GET", tenant + "/jobs/{id}/members", "?state=accepted", "", 200},
		{"GET", tenant + "/jobs/{id}/members", "?after=x", "", 400},
		{"POST", tenant + "/jobs/{id}/cancel", "", "", 200},
		{"PUT", "/api/v1/homes/{home}/devices/{id}", "", `{"name":"Plug","properties":[{"name":"power"}]}`, 200},
		{"PUT", "/api/v1/homes/{home}/devices/{id}", "", `{"properties":[]}`, 422},
		{"POST", "/api/v1/homes/{home}/readings", "", `[{"device":"direct:plug","property":"power","value":1,"time":"2026-01-01T00:00:00Z"}]`, 204},
		{"POST", "/api/v1/homes/{home}/readings", "", `[{"device":"direct:none","property":"power","value":1}]`, 404},
		{"GET", "/api/v1/homes/{home}/devices/{id}", "", "", 200},
		{"POST", "/api/v1/homes/{home}/commands", "", `{"device":"direct:plug","set":{"power":1}}`, 422},
		{"POST", "/api/v1/homes/{home}/commands", "", `{"device":"radio:1","set":{"on":true}}`, 202},
		{"DELETE", "/api/v1/homes/{home}/devices/{id}", "", "", 204},
		{"DELETE", "/api/v1/homes/{home}/devices/{id}", "", "", 404},
		{"GET", "/api/v1/events.json", "", "", 200},
	} {
		path := strings.NewReplacer("{tenant}", "main", "{home}", home.Home, "{id}", "direct:plug").Replace(ask.route)
		resp, body := r.raw(ask.method, path+ask.query, r.owner, ask.body)
		if resp.StatusCode != ask.status {
			t.Errorf("%s %s: %d, want %d: %s", ask.method, path, resp.StatusCode, ask.status, body)
		}
		if err := asDocumented(doc.Paths.Value(ask.route).GetOperation(ask.method), resp, body); err != nil {
			t.Errorf("%s %s: %v", ask.method, path, err)
		}
	}
}

func asDocumented(operation *openapi3.Operation, resp *http.Response, body []byte) error {
	response := operation.Responses.Status(resp.StatusCode)
	if response == nil {
		return fmt.Errorf("HTTP %d is not in the document: %s", resp.StatusCode, body)
	}
	if len(response.Value.Content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("a body that is not in the document: %s", body)
		}
		return nil
	}
	media := response.Value.Content.Get(resp.Header.Get("Content-Type"))
	if media == nil {
		return fmt.Errorf("%s is not in the document", resp.Header.Get("Content-Type"))
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	if err := media.Schema.Value.VisitJSON(value); err != nil {
		return fmt.Errorf("%w: %s", err, body)
	}
	return nil
}
