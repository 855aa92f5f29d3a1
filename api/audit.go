package api

import (
	"context"
	"net/http"
)

// An Audit is told of every request that changed something, which route, and what the handler said of it, unless the
// handler keeps the entry by itself (see Audited).
type Audit func(r *http.Request, route Route, words string)

// auditing is what the audit is to hear of one request.
type auditing struct {
	operation string
	words     string
	elsewhere bool
}

type auditKey struct{}

// Note adds a handler's words on what a request is about to what the audit hears of it if it succeeds.
func Note(ctx context.Context, words string) {
	if a, ok := ctx.Value(auditKey{}).(*auditing); ok {
		a.words = words
	}
}

// Audited takes the audit of a request over from the table: its handler keeps the entry together with what it changes,
// whatever it answers in the end. It returns the operation's id.
func Audited(ctx context.Context) (operation string) {
	a, ok := ctx.Value(auditKey{}).(*auditing)
	if !ok {
		return ""
	}
	a.elsewhere = true
	return a.operation
}

// audited tells the table's Audit of a route that changes something. What was refused has changed nothing.
func (t Table) audited(route Route, next http.Handler) http.Handler {
	if t.Audit == nil || route.Unaudited || safeMethod(route.Method) || route.Method == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &auditing{operation: route.ID}
		tracked := &trackedWriter{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), auditKey{}, a))
		next.ServeHTTP(tracked, r)
		if !a.elsewhere && tracked.status < http.StatusBadRequest {
			t.Audit(r, route, a.words)
		}
	})
}
