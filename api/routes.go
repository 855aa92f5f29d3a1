package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hearth"
)

// A Route is one row of the table from which both the router and the OpenAPI document are made, so that they cannot
// tell different things.
type Route struct {
	Method  string       // "" takes every method (and leaves the route out of the document)
	Path    string       // as net/http's router takes it, with {name} and {name...}
	ID      string       // the operationId: stable, since clients are generated from it
	Scope   hearth.Scope // what the token needs; "" needs none
	Summary string

	Query    []Param
	Request  any      // a value of the body's type; nil: no body
	Response any      // a value of the answer's type; nil: no body, or one that Media alone describes
	Media    string   // of the answer; "" is application/json
	Statuses []int    // all statuses with that answer; none is 200, or 204 without an answer
	Problems []string // codes that the handler may answer, beside those that every route may

	Unaudited bool // it changes nothing that a person would ask about later

	Handler func(w http.ResponseWriter, r *http.Request) error // an error goes to Fail
}

// A Param is one parameter in the query.
type Param struct {
	Name    string
	Summary string
	Type    string   // string, integer; "" is string
	Options []string // the only values, if any
}

// A Table is the routes of a program and what its document says of it as a whole.
type Table struct {
	Title, Version, Summary string
	Routes                  []Route
	Audit                   Audit // nil: nobody keeps it
}

// Mount registers every route. Those with a scope are behind auth.
func (t Table) Mount(mux *http.ServeMux, auth *Auth) {
	for _, route := range t.Routes {
		var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := route.Handler(w, r); err != nil {
				Fail(w, r, err)
			}
		})
		if route.Scope != "" {
			handler = auth.Need(route.Scope, t.audited(route, handler))
		}
		mux.Handle(strings.TrimSpace(route.Method+" "+route.Path), handler)
	}
}

type object = map[string]any

var wildcard = regexp.MustCompile(`\{([a-z]+)(\.\.\.)?\}`)

// Document returns the OpenAPI 3.1 document. It panics on a table that is wrong: two routes of one id, a type that is
// no JSON.
func (t Table) Document() []byte {
	schemas := newSchemas()
	paths, ids := object{}, map[string]bool{}
	for _, route := range t.Routes {
		if route.Method == "" {
			continue
		}
		if route.ID == "" || ids[route.ID] {
			panic(fmt.Sprintf("route %s %s: its id %q is missing or taken", route.Method, route.Path, route.ID))
		}
		ids[route.ID] = true
		name := wildcard.ReplaceAllString(route.Path, "{$1}")
		path, ok := paths[name].(object)
		if !ok {
			path = object{}
			paths[name] = path
		}
		path[strings.ToLower(route.Method)] = route.operation(schemas)
	}
	problem := schemas.of(Problem{})
	document := object{
		"openapi": "3.1.0",
		"info": object{
			"title": t.Title, "version": t.Version, "summary": t.Summary,
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"paths": paths,
		"components": object{
			"schemas":   schemas.named,
			"responses": object{"Problem": object{"description": "A problem (RFC 9457)", "content": object{"application/problem+json": object{"schema": problem}}}},
			"securitySchemes": object{
				"token": object{"type": "http", "scheme": "bearer", "description": "a token of the scope that the operation names; `Token` works in place of `Bearer`"},
			},
		},
	}
	body, err := json.MarshalIndent(document, "", " ")
	if err != nil {
		panic(err)
	}
	return append(body, '\n')
}

func (route Route) operation(schemas *schemas) object {
	operation := object{
		"operationId": route.ID, "summary": route.Summary, "security": []object{}, "responses": route.responses(schemas),
		"tags": []string{route.tag()},
	}
	if route.Scope != "" {
		operation["security"] = []object{{"token": []string{string(route.Scope)}}}
	}
	var parameters []object
	for _, match := range wildcard.FindAllStringSubmatch(route.Path, -1) {
		parameters = append(parameters, object{"name": match[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range route.Query {
		schema := object{"type": "string"}
		if p.Type != "" {
			schema["type"] = p.Type
		}
		if len(p.Options) > 0 {
			schema["enum"] = p.Options
		}
		parameters = append(parameters, object{"name": p.Name, "in": "query", "description": p.Summary, "schema": schema})
	}
	if len(parameters) > 0 {
		operation["parameters"] = parameters
	}
	if route.Request != nil {
		operation["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": schemas.of(route.Request)}}}
	}
	return operation
}

// tag groups operations by the first fixed word after the version.
func (route Route) tag() string {
	rest := strings.TrimPrefix(strings.TrimPrefix(route.Path, "/api/v1"), "/homes/{home}")
	word, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	return word
}

func (route Route) responses(schemas *schemas) object {
	responses := object{}
	media := route.Media
	if media == "" {
		media = "application/json"
	}
	statuses := route.Statuses
	if len(statuses) == 0 {
		statuses = []int{http.StatusOK}
		if route.Response == nil && route.Media == "" {
			statuses = []int{http.StatusNoContent}
		}
	}
	for _, status := range statuses {
		response := object{"description": http.StatusText(status)}
		switch {
		case route.Response != nil:
			response["content"] = object{media: object{"schema": schemas.of(route.Response)}}
		case route.Media != "":
			response["content"] = object{media: object{"schema": object{"type": "string"}}}
		}
		responses[strconv.Itoa(status)] = response
	}
	codes := slices.Clone(route.Problems)
	if route.Scope != "" {
		codes = append(codes, hearth.CodeUnknownToken, hearth.CodeDenied, hearth.CodeBusy)
	}
	if route.Request != nil {
		codes = append(codes, CodeBadRequest, CodeTooLarge)
	}
	for _, code := range append(codes, CodeInternal) {
		status := strconv.Itoa(StatusOf(code))
		if _, taken := responses[status]; !taken {
			responses[status] = object{"$ref": "#/components/responses/Problem"}
		}
	}
	return responses
}
