package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"hearth"
)

type node struct {
	Name     string             `json:"name"`
	Children []node             `json:"children,omitempty"`
	Parent   *node              `json:"parent"`
	Limit    *float64           `json:"limit"`
	Counts   map[string]uint16  `json:"counts"`
	Raw      json.RawMessage    `json:"raw,omitempty"`
	Free     any                `json:"free,omitempty"`
	When     hearth.Time        `json:"when"`
	Points   []hearth.Bucket    `json:"points"`
	Values   map[string]float64 `json:"-"`
}

func exampleTable() Table {
	answer := func(w http.ResponseWriter, r *http.Request) error {
		WriteJSON(w, 200, r.PathValue("id"))
		return nil
	}
	return Table{Title: "T", Version: "1", Summary: "S", Routes: []Route{
		{Method: "GET", Path: "/api/v1/nodes/{id}", ID: "getNode", Scope: hearth.ScopeRead, Summary: "One", Response: node{}, Problems: []string{hearth.CodeNotFound}, Handler: answer},
		{Method: "POST", Path: "/api/v1/nodes", ID: "addNode", Scope: hearth.ScopeControl, Summary: "Add", Request: node{}, Handler: func(w http.ResponseWriter, r *http.Request) error {
			return hearth.Errorf(hearth.CodeConflict, "taken")
		}, Problems: []string{hearth.CodeConflict}, Query: []Param{{Name: "wait"}, {Name: "n", Type: "integer"}, {Name: "state", Options: []string{"a"}}}},
		{Method: "GET", Path: "/files/{rest...}", ID: "getFile", Media: "text/plain", Handler: answer},
		{Path: "/any/{id}", Handler: answer},
	}}
}

func TestTableMounts(t *testing.T) {
	mux := http.NewServeMux()
	exampleTable().Mount(mux, testAuth())
	tests := []struct {
		method, path, token string
		status              int
	}{
		{"GET", "/api/v1/nodes/7", "r", 200},
		{"GET", "/api/v1/nodes/7", "x", 401},
		{"POST", "/api/v1/nodes", "r", 403},
		{"POST", "/api/v1/nodes", "c", 409},
		{"GET", "/files/a/b", "x", 200},
		{"PATCH", "/any/1", "x", 200},
	}
	for _, test := range tests {
		if w := serveAs(mux, test.method, test.path, "Authorization", "Bearer "+test.token); w.Code != test.status {
			t.Errorf("%s %s as %s: %d, want %d", test.method, test.path, test.token, w.Code, test.status)
		}
	}
}

func TestDocument(t *testing.T) {
	var doc struct {
		OpenAPI    string                               `json:"openapi"`
		Paths      map[string]map[string]map[string]any `json:"paths"`
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(exampleTable().Document(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" || len(doc.Paths) != 3 || doc.Paths["/files/{rest}"]["get"]["operationId"] != "getFile" {
		t.Errorf("openapi %s with %v", doc.OpenAPI, doc.Paths)
	}
	want := `{"properties":{"children":{"items":{"$ref":"#/components/schemas/Node"},"type":"array"},` +
		`"counts":{"additionalProperties":{"minimum":0,"type":"integer"},"type":["object","null"]},"free":{},"limit":{"type":["number","null"]},"name":{"type":"string"},` +
		`"parent":{"anyOf":[{"$ref":"#/components/schemas/Node"},{"type":"null"}]},` +
		`"points":{"items":{"description":"[unix_ms, min, mean, max, count]","items":{"type":"number"},"maxItems":5,"minItems":5,"type":"array"},"type":["array","null"]},` +
		`"raw":{},"when":{"description":"RFC 3339 in UTC with milliseconds","format":"date-time","type":["string","null"]}},"required":["name","parent","limit","counts","when","points"],"type":"object"}`
	var compact map[string]any
	if err := json.Unmarshal(doc.Components.Schemas["Node"], &compact); err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(compact); string(got) != want {
		t.Errorf("schema\n%s\nwant\n%s", got, want)
	}
	responses := doc.Paths["/api/v1/nodes"]["post"]["responses"].(map[string]any)
	for _, status := range []string{"204", "400", "401", "403", "409", "413", "429", "500"} {
		if responses[status] == nil {
			t.Errorf("POST has no response %s", status)
		}
	}
	if first, second := exampleTable().Document(), exampleTable().Document(); !bytes.Equal(first, second) {
		t.Error("the document differs from one time to the next")
	}
}

func TestDocumentRefusesAWrongTable(t *testing.T) {
	for what, routes := range map[string][]Route{
		"no id":      {{Method: "GET", Path: "/"}},
		"id twice":   {{Method: "GET", Path: "/a", ID: "x"}, {Method: "GET", Path: "/b", ID: "x"}},
		"no JSON":    {{Method: "GET", Path: "/a", ID: "x", Response: make(chan int)}},
		"name taken": {{Method: "GET", Path: "/a", ID: "x", Response: node{}}, {Method: "GET", Path: "/b", ID: "y", Response: otherNode()}},
	} {
		func() {
			defer func() {
				if reason := recover(); reason == nil {
					t.Errorf("%s: accepted", what)
				} else if text, ok := reason.(string); !ok || strings.TrimSpace(text) == "" {
					t.Errorf("%s: panics with %v", what, reason)
				}
			}()
			Table{Routes: routes}.Document()
		}()
	}
}

func otherNode() any {
	type node struct{ X int }
	return node{}
}
