package api

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	var log bytes.Buffer
	server := httptest.NewServer(Guard(slog.New(slog.NewTextHandler(&log, nil)), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			_, _ = w.Write([]byte("half"))
			panic("late")
		case "/early":
			panic("early")
		}
	})))
	reply, err := http.Get(server.URL + "/early")
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if reply.StatusCode != 500 || reply.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a panic is answered %d %s", reply.StatusCode, reply.Header.Get("Content-Type"))
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
		if got := reply.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if policy := reply.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if reply, err := http.Get(server.URL + "/late"); err == nil {
		var body bytes.Buffer
		_, err = body.ReadFrom(reply.Body)
		reply.Body.Close()
		if err == nil {
			t.Errorf("half an answer looks whole: %q", body.String())
		}
	}
	server.Close()
	if n := strings.Count(log.String(), "a request panicked"); n != 2 {
		t.Errorf("%d panics logged in %s", n, log.String())
	}
}

func TestNewServerHasLimits(t *testing.T) {
	s := NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 || s.WriteTimeout <= MaxWait {
		t.Errorf("limits %+v", s)
	}
}

func TestRoutedAnswersProblems(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /a/{id}", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.PathValue("id"))) })
	mux.HandleFunc("PUT /a/{id}", func(http.ResponseWriter, *http.Request) {})
	handler := Routed(mux)
	tests := []struct {
		method, path string
		status       int
		allow, body  string
	}{
		{"GET", "/a/radio:00%3a1", 200, "", "radio:00:1"},
		{"POST", "/a/1", 405, "GET, HEAD, PUT", CodeMethod},
		{"GET", "/b", 404, "", "not_found"},
	}
	for _, test := range tests {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
		if w.Code != test.status || w.Header().Get("Allow") != test.allow || !strings.Contains(w.Body.String(), test.body) {
			t.Errorf("%s %s: %d, allow %q, %s", test.method, test.path, w.Code, w.Header().Get("Allow"), w.Body)
		}
	}
}
