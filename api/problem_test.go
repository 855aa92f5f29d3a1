package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hearth"
)

// failed answers with err behind Guard and returns the answer, the problem and the log.
func failed(t *testing.T, err error) (*http.Response, Problem, string) {
	t.Helper()
	var log bytes.Buffer
	handler := Guard(slog.New(slog.NewTextHandler(&log, nil)), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Fail(w, r, err) }))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/x?token=secret", nil))
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log tells a secret: %s", log.String())
	}
	return w.Result(), p, log.String()
}

func TestFailMapsCodesToStatuses(t *testing.T) {
	tests := []struct {
		err    error
		status int
		code   string
	}{
		{BadRequest("x"), 400, CodeBadRequest},
		{hearth.Errorf(hearth.CodeUnknownToken, "x"), 401, hearth.CodeUnknownToken},
		{hearth.Errorf(hearth.CodeDenied, "x"), 403, hearth.CodeDenied},
		{hearth.Errorf(hearth.CodeNotFound, "x"), 404, hearth.CodeNotFound},
		{hearth.Errorf(hearth.CodeNoDevice, "x"), 404, hearth.CodeNoDevice},
		{hearth.Errorf(CodeMethod, "x"), 405, CodeMethod},
		{hearth.Errorf(hearth.CodeConflict, "x"), 409, hearth.CodeConflict},
		{&http.MaxBytesError{Limit: 3}, 413, CodeTooLarge},
		{hearth.Errorf(hearth.CodeBadValue, "x"), 422, hearth.CodeBadValue},
		{hearth.Errorf(hearth.CodeReadOnly, "x"), 422, hearth.CodeReadOnly},
		{hearth.Errorf(hearth.CodeBusy, "x"), 429, hearth.CodeBusy},
		{hearth.Errorf(hearth.CodeFailed, "x"), 502, hearth.CodeFailed},
		{hearth.Errorf(hearth.CodeUnconfirmed, "x"), 502, hearth.CodeUnconfirmed},
		{hearth.Errorf(hearth.CodeUnknownOutcome, "x"), 502, hearth.CodeUnknownOutcome},
		{hearth.Errorf(hearth.CodeOffline, "x"), 503, hearth.CodeOffline},
		{fmt.Errorf("wrapped: %w", hearth.Errorf(hearth.CodeNoDevice, "x")), 404, hearth.CodeNoDevice},
		{hearth.Errorf("a_drivers_own", "x"), 500, CodeInternal},
		{io.ErrUnexpectedEOF, 500, CodeInternal},
	}
	for _, test := range tests {
		reply, p, _ := failed(t, test.err)
		if reply.StatusCode != test.status || p.Status != test.status || p.Code != test.code || p.Type != "/problems/"+test.code || p.Title == "" {
			t.Errorf("%v: HTTP %d, %+v; want %d %s", test.err, reply.StatusCode, p, test.status, test.code)
		}
		if mime := reply.Header.Get("Content-Type"); mime != "application/problem+json" {
			t.Errorf("%v: media type %s", test.err, mime)
		}
		if wants, has := test.status == 401, reply.Header.Get("WWW-Authenticate") != ""; wants != has {
			t.Errorf("%v: WWW-Authenticate %v", test.err, has)
		}
		if wants, has := test.status == 429 || test.status == 503, reply.Header.Get("Retry-After") != ""; wants != has {
			t.Errorf("%v: Retry-After %v", test.err, has)
		}
	}
}

func TestFailKeepsInternalsToTheLog(t *testing.T) {
	_, p, log := failed(t, errors.New("open /var/lib/x: permission denied"))
	if p.Detail != "" || p.Instance != "/api/v1/x" {
		t.Errorf("the problem tells %+v", p)
	}
	if strings.Count(log, "permission denied") != 1 {
		t.Errorf("want one line in the log, got %q", log)
	}
	if _, _, log := failed(t, BadRequest("x")); log != "" {
		t.Errorf("a caller's mistake is logged: %q", log)
	}
}

func TestFailSaysWhenAndWhere(t *testing.T) {
	reply, p, _ := failed(t, Later(At("/set/on", hearth.Errorf(hearth.CodeBusy, "full")), 2500*time.Millisecond))
	if reply.Header.Get("Retry-After") != "3" || len(p.Errors) != 1 || p.Errors[0].Pointer != "/set/on" {
		t.Errorf("Retry-After %q, errors %v", reply.Header.Get("Retry-After"), p.Errors)
	}
}

func TestFailLeavesACallerAloneThatHasGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	Fail(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx), fmt.Errorf("waiting: %w", context.Canceled))
	if w.Body.Len() > 0 {
		t.Errorf("answered %s", w.Body)
	}
}

func TestProblemPages(t *testing.T) {
	for _, c := range classes() {
		w := httptest.NewRecorder()
		Problems().ServeHTTP(w, httptest.NewRequest("GET", "/problems/"+c.code, nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), c.title) {
			t.Errorf("%s: %d %s", c.code, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	Problems().ServeHTTP(w, httptest.NewRequest("GET", "/problems/none", nil))
	if w.Code != 404 {
		t.Errorf("unknown problem: %d", w.Code)
	}
	w = httptest.NewRecorder()
	Problems().ServeHTTP(w, httptest.NewRequest("GET", "/problems/", nil))
	if n := strings.Count(w.Body.String(), "<section"); n != len(classes()) {
		t.Errorf("the list has %d problems", n)
	}
}
