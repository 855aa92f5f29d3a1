package api

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"hearth"
)

func TestAuditHearsOfWhatChanged(t *testing.T) {
	refused := func(http.ResponseWriter, *http.Request) error {
		return hearth.Errorf(hearth.CodeConflict, "there is one already")
	}
	for name, test := range map[string]struct {
		handler func(w http.ResponseWriter, r *http.Request) error
		want    []string
	}{
		"noted":         {func(_ http.ResponseWriter, r *http.Request) error { Note(r.Context(), "a"); return nil }, []string{"a"}},
		"nothing noted": {func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusNoContent); return nil }, []string{""}},
		"refused":       {refused, nil},
		"broken":        {func(_ http.ResponseWriter, r *http.Request) error { Note(r.Context(), "a"); return errors.New("x") }, nil},
		"kept elsewhere": {func(_ http.ResponseWriter, r *http.Request) error {
			if operation := Audited(r.Context()); operation != "putX" {
				t.Errorf("the operation is %q", operation)
			}
			return nil
		}, nil},
	} {
		var heard []string
		table := Table{
			Routes: []Route{{Method: "PUT", Path: "/x", ID: "putX", Scope: hearth.ScopeControl, Handler: test.handler}},
			Audit: func(r *http.Request, route Route, words string) {
				if route.ID != "putX" || TokenOf(r.Context()).Name != "name-c" {
					t.Errorf("%s: %s by %s", name, route.ID, TokenOf(r.Context()).Name)
				}
				heard = append(heard, words)
			},
		}
		mux := http.NewServeMux()
		table.Mount(mux, testAuth())
		serveAs(mux, "PUT", "/x", "Authorization", "Bearer c")
		serveAs(mux, "PUT", "/x", "Authorization", "Bearer r") // may not
		if !slices.Equal(heard, test.want) {
			t.Errorf("%s: heard %q, want %q", name, heard, test.want)
		}
	}
}
