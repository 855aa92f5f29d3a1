// Package api holds the HTTP forms that gateway and receiver share, so that a program or a person who knows one of them
// knows the other: problems, tokens on requests, bodies and parameters, live events, metrics, the OpenAPI document and
// what pages are made of.
package api

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
)

// Codes of errors that only HTTP knows. They are used with hearth.Errorf like those of package hearth.
const (
	CodeBadRequest = "bad_request"        // the request itself cannot be understood: malformed JSON or parameters
	CodeMethod     = "method_not_allowed" // the path exists, not with this method
	CodeTooLarge   = "too_large"          // the body is larger than this path takes
	CodeInternal   = "internal"           // our own fault; what happened is in the log only
)

// A Problem is the body of every error (RFC 9457), sent as application/problem+json.
type Problem struct {
	Type     string       `json:"type"` // /problems/<code>, a page that says more
	Title    string       `json:"title"`
	Status   int          `json:"status"` // always that of the reply
	Detail   string       `json:"detail,omitempty"`
	Instance string       `json:"instance,omitempty"`
	Code     string       `json:"code"`
	Errors   []FieldError `json:"errors,omitempty"`
}

// A FieldError says which part of the body was wrong.
type FieldError struct {
	Pointer string `json:"pointer"` // a JSON pointer: /set/brightness
	Detail  string `json:"detail"`
}

// class is one row of the only table that maps codes to statuses.
type class struct {
	code   string
	status int
	title  string
	advice string
}

func classes() []class {
	return []class{
		{CodeBadRequest, 400, "The request cannot be understood", "The JSON or a parameter is malformed; the detail says which. Sending it again unchanged will not help."},
		{hearth.CodeUnknownToken, 401, "No token, or an unknown one", "Send a header Authorization: Bearer TOKEN, or open the page through its link."},
		{hearth.CodeDenied, 403, "You may not do that", "Scopes and roles are read (viewer) < control (operator) < admin: ask with a token or as a person of a larger one. A page may only change things from its own origin."},
		{hearth.CodeNotFound, 404, "There is no such thing", "It does not exist, or is not yours to see."},
		{hearth.CodeNoDevice, 404, "There is no such device or property", "List the devices to see what there is."},
		{CodeMethod, 405, "This path takes other methods", "The header Allow lists them."},
		{hearth.CodeConflict, 409, "It conflicts with what is there", "The same command id was used with other content. Use a fresh id."},
		{CodeTooLarge, 413, "The body is too large", "Send less at once."},
		{hearth.CodeBadValue, 422, "The value is not one that it takes", "Kind, range or form is wrong; the detail says what is taken."},
		{hearth.CodeReadOnly, 422, "It cannot be set", "The property is only reported, never set."},
		{hearth.CodeBusy, 429, "Too much at once", "Try again after the time in the header Retry-After."},
		{CodeInternal, 500, "Something went wrong here", "It is a fault of this program. Its log says more."},
		{hearth.CodeFailed, 502, "The device refused or broke off", "The detail is what the device or its driver said."},
		{hearth.CodeUnconfirmed, 502, "The device did not report it", "It acknowledged the command, and its own report did not follow in time."},
		{hearth.CodeUnknownOutcome, 502, "Nobody knows whether it happened", "It was sent and not answered."},
		{hearth.CodeOffline, 503, "The device does not answer", "The device or its driver is away. Try again later."},
	}
}

func classOf(code string) (class, bool) {
	all := classes()
	i := slices.IndexFunc(all, func(c class) bool { return c.code == code })
	if i < 0 {
		return class{}, false
	}
	return all[i], true
}

// StatusOf returns the HTTP status for an error code, 500 for one that is not known.
func StatusOf(code string) int {
	if c, ok := classOf(code); ok {
		return c.status
	}
	return http.StatusInternalServerError
}

// BadRequest returns an error that becomes 400.
func BadRequest(format string, args ...any) error {
	return hearth.Errorf(CodeBadRequest, format, args...)
}

// Later wraps an error so that its reply says when to try again, in whole seconds, at least one.
func Later(err error, after time.Duration) error { return &laterError{err, after} }

type laterError struct {
	error
	after time.Duration
}

func (e *laterError) Unwrap() error { return e.error }

// RetryAfter returns what the header of that name says of an error: whole seconds, or "" where it says nothing.
func RetryAfter(err error) string {
	var later *laterError
	if !errors.As(err, &later) {
		return ""
	}
	return strconv.Itoa(max(1, int(math.Ceil(later.after.Seconds()))))
}

// At wraps an error so that its reply points at the part of the body that was wrong.
func At(pointer string, err error) error { return &pointerError{err, pointer} }

type pointerError struct {
	error
	pointer string
}

func (e *pointerError) Unwrap() error { return e.error }

// Fail answers with the problem that err is. An error without a known code is logged, and answered 500 without a word
// about what it was. A caller that has gone is not answered.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = hearth.Errorf(CodeTooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	}
	var coded *hearth.Error
	known := false
	var c class
	if errors.As(err, &coded) {
		c, known = classOf(coded.Code)
	}
	detail := err.Error()
	if !known {
		logOf(r.Context()).Error("a request failed", "method", r.Method, "path", r.URL.Path, "err", err)
		c, _ = classOf(CodeInternal)
		detail = ""
	}
	problem := Problem{Type: "/problems/" + c.code, Title: c.title, Status: c.status, Detail: detail, Instance: r.URL.EscapedPath(), Code: c.code}
	var at *pointerError
	if known && errors.As(err, &at) {
		problem.Errors = []FieldError{{Pointer: at.pointer, Detail: detail}}
	}
	failHeaders(w.Header(), c, err)
	writeJSON(w, c.status, "application/problem+json", problem)
}

func failHeaders(header http.Header, c class, err error) {
	header.Set("Cache-Control", "no-store")
	if c.status == http.StatusUnauthorized && header.Get("WWW-Authenticate") == "" {
		header.Set("WWW-Authenticate", `Bearer realm="hearth"`)
	}
	after := RetryAfter(err)
	switch {
	case after != "":
		header.Set("Retry-After", after)
	case c.status == http.StatusTooManyRequests || c.status == http.StatusServiceUnavailable:
		header.Set("Retry-After", "1")
	}
}

type logKey struct{}

func withLog(ctx context.Context, log *slog.Logger) context.Context {
	return context.WithValue(ctx, logKey{}, log)
}

func logOf(ctx context.Context) *slog.Logger {
	if log, ok := ctx.Value(logKey{}).(*slog.Logger); ok {
		return log
	}
	return slog.New(slog.DiscardHandler)
}

// Problems serves /problems/ and /problems/<code>: what a person finds who follows the type of a problem.
func Problems() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all := classes()
		if code := strings.Trim(strings.TrimPrefix(r.URL.Path, "/problems"), "/"); code != "" {
			c, ok := classOf(code)
			if !ok {
				Fail(w, r, hearth.Errorf(hearth.CodeNotFound, "no such problem"))
				return
			}
			all = []class{c}
		}
		var problems strings.Builder
		for _, c := range all {
			problems.WriteString(string(Fill(markup("problem.html"), map[string]any{"code": c.code, "status": strconv.Itoa(c.status), "title": c.title, "advice": c.advice})))
		}
		WriteHTML(w, http.StatusOK, Fill(markup("problems.html"), map[string]any{"problems": HTML(problems.String())}))
	})
}
