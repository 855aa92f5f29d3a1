package influxql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/influxdata/influxql"

	"hearth"
)

// ServeHTTP answers GET and POST /query.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, ok := s.o.Admit(w, r)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	query, err := parse(r)
	if err != nil {
		fail(w, r, statusOf(err), err)
		return
	}
	if err := authorize(token, query); err != nil {
		fail(w, r, http.StatusForbidden, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.time)
	defer cancel()
	leave, err := s.places.take(ctx, payer(token))
	if err != nil {
		if !errors.Is(err, errCrowded) {
			err = s.limits.errTime()
		}
		w.Header().Set("Retry-After", "5")
		fail(w, r, http.StatusTooManyRequests, err)
		return
	}
	defer leave()
	s.answer(ctx, w, r, token, query)
}

// payer is whose share of the places a token takes: another token of the same home or person gets no other one.
func payer(token hearth.Token) string {
	switch {
	case token.User != "":
		return "user " + token.User
	case token.Home != "":
		return "home " + token.Home
	}
	return token.Hash
}

// answer runs the statements one after another; after one that failed the rest is not run.
func (s *Server) answer(ctx context.Context, w http.ResponseWriter, r *http.Request, token hearth.Token, query *influxql.Query) {
	out := newAnswer(w, r, s.limits)
	var failed error
	for i, stmt := range query.Statements {
		out.begin(i)
		if failed == nil {
			failed = s.execute(ctx, r, token, stmt, out)
			out.end(failed)
			continue
		}
		out.end(errors.New("not executed"))
	}
	out.finish()
}

func (s *Server) execute(ctx context.Context, r *http.Request, token hearth.Token, stmt influxql.Statement, out answer) (err error) {
	run := newRun(ctx, s, token)
	defer func() {
		// The parser's own rewriting panics on statements that nobody has thought of, and can be stopped in no other way.
		wrong := recover()
		if stopped, ok := wrong.(tooIntricate); ok {
			err = stopped
		} else if wrong != nil {
			s.o.Log.Error("a query could not be run", "query", stmt.String(), "panic", wrong)
			err = fmt.Errorf("likely malformed statement, unable to run it: %s", stmt)
		}
	}()
	database := r.FormValue("db")
	if named, ok := stmt.(influxql.HasDefaultDatabase); ok && database == "" {
		database = named.DefaultDatabase()
	}
	err = run.execute(stmt, database, r.Method != http.MethodGet, out)
	if broken := brokenOf(out); broken != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = broken
	}
	return err
}

// brokenOf is why an answer takes no more rows.
func brokenOf(a answer) error {
	switch a := a.(type) {
	case *jsonAnswer:
		return a.broken
	case *csvAnswer:
		return a.broken
	}
	return nil
}

// errTooLarge says that a request is larger than any query.
var errTooLarge = fmt.Errorf("the query is larger than %d bytes", maxQuery)

func statusOf(err error) int {
	if errors.Is(err, errTooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// parse reads the statements of a request.
func parse(r *http.Request) (*influxql.Query, error) {
	if err := parseForm(r); err != nil {
		return nil, err
	}
	q, params := strings.TrimSpace(r.FormValue("q")), r.FormValue("params")
	switch {
	case len(q) > maxQuery || len(params) > maxQuery:
		return nil, errTooLarge
	case q == "":
		return nil, errors.New(`missing required parameter "q"`)
	}
	return parseQuery(q, params)
}

func parseForm(r *http.Request) error {
	err := r.ParseForm()
	if err == nil {
		err = r.ParseMultipartForm(maxBody)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case err != nil && !errors.Is(err, http.ErrNotMultipart):
		return fmt.Errorf("error parsing form: %w", err)
	}
	return nil
}

// parseQuery parses statements and what is bound to their parameters.
func parseQuery(q, params string) (*influxql.Query, error) {
	if depth(q) > maxNesting {
		return nil, fmt.Errorf("error parsing query: more than %d parentheses within each other", maxNesting)
	}
	p := influxql.NewParser(strings.NewReader(q))
	if params != "" {
		bound, err := parseParams(params)
		if err != nil {
			return nil, err
		}
		p.SetParams(bound)
	}
	query, err := p.ParseQuery()
	if err != nil {
		return nil, fmt.Errorf("error parsing query: %w", err)
	}
	return query, nil
}

func parseParams(params string) (map[string]any, error) {
	var bound map[string]any
	decoder := json.NewDecoder(strings.NewReader(params))
	decoder.UseNumber()
	if err := decoder.Decode(&bound); err != nil {
		return nil, fmt.Errorf("error parsing query parameters: %w", err)
	}
	for name, value := range bound {
		number, ok := value.(json.Number)
		if !ok {
			continue
		}
		var err error
		if strings.Contains(string(number), ".") {
			bound[name], err = number.Float64()
		} else {
			bound[name], err = number.Int64()
		}
		if err != nil {
			return nil, fmt.Errorf("error parsing json value: %w", err)
		}
	}
	return bound, nil
}

// depth is how many parentheses are open at once, those in quotes left out: the parser calls itself for each.
func depth(q string) int {
	deepest, now := 0, 0
	quote := byte(0)
	for i := 0; i < len(q); i++ {
		switch c := q[i]; {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			now++
			deepest = max(deepest, now)
		case c == ')':
			now--
		}
	}
	return deepest
}

// authorize lets tokens that may read ask anything, and those that write create the database that Telegraf creates.
func authorize(token hearth.Token, query *influxql.Query) error {
	if token.Most().Allows(hearth.ScopeRead) {
		return nil
	}
	for _, stmt := range query.Statements {
		if _, ok := stmt.(*influxql.CreateDatabaseStatement); !ok || !token.Most().Allows(hearth.ScopeWrite) {
			return fmt.Errorf("error authorizing query: %s not authorized to execute statement '%s', requires scope read, it has %s", token.Name, stmt, token.Scope)
		}
	}
	return nil
}

// fail answers a request of which no statement was run.
func fail(w http.ResponseWriter, r *http.Request, status int, err error) {
	message := err.Error()
	w.Header().Set("X-Influxdb-Error", strings.Map(printable, message[:min(len(message), 200)]))
	if wantsCSV(r) {
		w.Header().Set("Content-Type", "text/csv")
		w.WriteHeader(status)
		a := csvAnswer{output: &output{w: w}}
		a.write([]string{"error"})
		a.write([]string{message})
		_, _ = w.Write(a.buf) // the client may have gone
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body := append(appendText([]byte(`{"error":`), message), '}')
	if r.URL.Query().Get("pretty") == "true" {
		body = indent(body)
	}
	_, _ = w.Write(append(body, '\n')) // the client may have gone
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

func positive(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
