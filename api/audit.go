package api

import (
	"context"
	"net/http"
)

// An Audit is told of every request that was let in to change something, once it is answered: which route, with what
// status, and what the handler noted.
type Audit func(r *http.Request, route Route, status int, note string)

type noteKey struct{}

// Note adds a handler's words on what a request is about to what the audit hears of it.
func Note(ctx context.Context, words string) {
	if note, ok := ctx.Value(noteKey{}).(*string); ok {
		*note = words
	}
}

// audited tells the table's Audit of a route that changes something.
func (t Table) audited(route Route, next http.Handler) http.Handler {
	if t.Audit == nil || route.Unaudited || safeMethod(route.Method) || route.Method == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note := ""
		tracked := &trackedWriter{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), noteKey{}, &note))
		next.ServeHTTP(tracked, r)
		t.Audit(r, route, tracked.status, note)
	})
}
