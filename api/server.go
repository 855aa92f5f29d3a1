package api

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"hearth"
)

// NewServer returns a server whose limits suit both programs: nobody holds a connection without using it, and an answer
// may be held back for MaxWait. Handlers that stream set their own write deadlines. It does not listen yet.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      MaxWait + time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// contentPolicy lets pages load from here and nowhere else, and be framed by nobody.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Guard goes around everything: it sets the security headers, gives Fail its log, and turns a panic into a logged 500.
func Guard(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		r = r.WithContext(withLog(r.Context(), log))
		tracked := &trackedWriter{ResponseWriter: w}
		defer recoverPanic(log, tracked, r)
		next.ServeHTTP(tracked, r)
	})
}

func recoverPanic(log *slog.Logger, w *trackedWriter, r *http.Request) {
	reason := recover()
	if reason == nil {
		return
	}
	if reason == http.ErrAbortHandler {
		panic(reason) // the server's own way to cut a connection
	}
	log.Error("a request panicked", "method", r.Method, "path", r.URL.Path, "panic", reason, "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	c, _ := classOf(CodeInternal)
	failHeaders(w.Header(), c, nil)
	writeJSON(w, c.status, "application/problem+json", Problem{Type: "/problems/" + c.code, Title: c.title, Status: c.status, Instance: r.URL.EscapedPath(), Code: c.code})
}

// trackedWriter knows whether an answer has begun, and with what status.
type trackedWriter struct {
	http.ResponseWriter
	status int // 0: not yet
}

func (w *trackedWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *trackedWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (w *trackedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Routed serves mux, with problems instead of the plain text of its own 404 and 405.
func Routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refusal := headersOnly{}
		handler.ServeHTTP(refusal, r)
		if allow := refusal.Header().Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			Fail(w, r, hearth.Errorf(CodeMethod, "%s takes %s, not %s", r.URL.Path, allow, r.Method))
			return
		}
		Fail(w, r, hearth.Errorf(hearth.CodeNotFound, "there is nothing at %s", r.URL.Path))
	})
}

// headersOnly is a ResponseWriter of which only the headers are of interest.
type headersOnly http.Header

func (h headersOnly) Header() http.Header       { return http.Header(h) }
func (headersOnly) WriteHeader(int)             {}
func (headersOnly) Write(b []byte) (int, error) { return len(b), nil }
