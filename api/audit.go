package api

import (
	"context"
	"net/http"
)

// An Audit is told of every request that changed something: which route, and what the handler said of it.
type Audit func(r *http.Request, route Route, words string)

// auditing is what the audit is to hear of one request.
type auditing struct {
	tell  func(words string)
	words string
	told  bool
}

type auditKey struct{}

// Note adds a handler's words on what a request is about to what the audit hears of it if it succeeds.
func Note(ctx context.Context, words string) {
	if a, ok := ctx.Value(auditKey{}).(*auditing); ok {
		a.words = words
	}
}

// Changed tells the audit at once that a request has changed something, whatever its answer will be: a command that was
// given and failed was given.
func Changed(ctx context.Context, words string) {
	if a, ok := ctx.Value(auditKey{}).(*auditing); ok {
		a.told = true
		a.tell(words)
	}
}

// audited tells the table's Audit of a route that changes something. What was refused has changed nothing.
func (t Table) audited(route Route, next http.Handler) http.Handler {
	if t.Audit == nil || route.Unaudited || safeMethod(route.Method) || route.Method == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &auditing{}
		tracked := &trackedWriter{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), auditKey{}, a))
		a.tell = func(words string) { t.Audit(r, route, words) }
		next.ServeHTTP(tracked, r)
		if !a.told && tracked.status < http.StatusBadRequest {
			a.tell(a.words)
		}
	})
}
