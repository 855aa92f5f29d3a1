package alerts

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"hearth"
	"hearth/api"
)

const (
	defaultPage = 200
	maxPage     = 1000
	maxScanned  = 50_000 // rows of history that one request looks through
)

// Routes are the REST interface of alerts and rules.
func (a *Alerts) Routes() []api.Route {
	filter := []api.Param{
		{Name: "open", Summary: "1: only open ones (default), 0: only those that were cleared, newest first", Options: []string{"1", "0"}},
		{Name: "before", Summary: "of cleared ones: only those raised before then; RFC 3339 or unix milliseconds"},
		{Name: "limit", Summary: "at most so many", Type: "integer"},
	}
	const rules = "/api/v1/tenants/{tenant}/alert-rules"
	return []api.Route{
		{
			Method: "GET", Path: "/api/v1/alerts", ID: "listAlerts", Scope: hearth.ScopeRead,
			Summary: "What is wrong, or was, in all homes that the token sees; what a dark gateway hides is left out",
			Query: append([]api.Param{
				{Name: "tenant", Summary: "only of this tenant"}, {Name: "home", Summary: "only of this home"},
			}, filter...),
			Response: []hearth.Alert{}, Problems: []string{api.CodeBadRequest}, Handler: a.listAlerts,
		},
		{
			Method: "GET", Path: "/api/v1/homes/{home}/alerts", ID: "listHomeAlerts", Scope: hearth.ScopeRead,
			Summary: "What is wrong, or was, in one home", Query: filter,
			Response: []hearth.Alert{}, Problems: []string{api.CodeBadRequest, hearth.CodeNotFound}, Handler: a.listAlerts,
		},
		{
			Method: "POST", Path: "/api/v1/alerts/{id}/ack", ID: "acknowledgeAlert", Scope: hearth.ScopeControl,
			Summary:  "Say that somebody knows of an alert: control in its home, or in the tenant of an outage",
			Response: hearth.Alert{}, Problems: []string{hearth.CodeNotFound, hearth.CodeConflict}, Handler: a.ack,
		},
		{
			Method: "GET", Path: rules, ID: "listAlertRules", Scope: hearth.ScopeRead,
			Summary:  "Which values people of the tenant want to be told of",
			Response: []Rule{}, Problems: []string{hearth.CodeNotFound}, Handler: a.listRules,
		},
		{
			Method: "POST", Path: rules, ID: "addAlertRule", Scope: hearth.ScopeControl,
			Summary: "Be told of a value; id and created are filled in",
			Request: Rule{}, Response: Rule{}, Statuses: []int{http.StatusCreated},
			Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue, hearth.CodeConflict}, Handler: a.addRule,
		},
		{
			Method: "PUT", Path: rules + "/{id}", ID: "setAlertRule", Scope: hearth.ScopeControl,
			Summary: "Change a rule", Request: Rule{}, Response: Rule{},
			Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue}, Handler: a.setRule,
		},
		{
			Method: "DELETE", Path: rules + "/{id}", ID: "deleteAlertRule", Scope: hearth.ScopeControl,
			Summary: "Delete a rule; its alerts are cleared", Problems: []string{hearth.CodeNotFound}, Handler: a.removeRule,
		},
	}
}

// Open returns what is wrong with a home, the worst first. A dark gateway, or an outage that the home is in, hides the
// rest.
func (a *Alerts) Open(home string) []hearth.Alert {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.homes[home]
	if w == nil {
		return nil
	}
	if t := a.tenants[w.tenant]; t != nil && t.outage != nil {
		if back, member := t.outage.members[home]; member && !back {
			view := t.outage.Alert
			view.Home = home // of the others nobody of this home need know
			return []hearth.Alert{view}
		}
	}
	return w.shown()
}

func (w *watch) shown() []hearth.Alert {
	if dark := w.open[label{hearth.AlertGatewayDark, ""}]; dark != nil {
		return []hearth.Alert{dark.Alert}
	}
	var all []hearth.Alert
	for _, n := range w.open {
		all = append(all, n.Alert)
	}
	slices.SortFunc(all, worseFirst)
	return all
}

func worseFirst(a, b hearth.Alert) int {
	return cmp.Or(
		cmp.Compare(slices.Index(hearth.Severities, b.Severity), slices.Index(hearth.Severities, a.Severity)),
		b.Raised.Compare(a.Raised.Time), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.About, b.About), cmp.Compare(a.ID, b.ID))
}

// A wish is which alerts a request asks for.
type wish struct {
	token        hearth.Token
	tenant, home string
	limit        int
	visible      map[string]string // homes that the token sees, with their tenants
}

// sees reports whether an alert is one that is asked for, and that the token may know of.
func (q *wish) sees(n hearth.Alert) bool {
	if q.tenant != "" && n.Tenant != q.tenant || q.home != "" && n.Home != q.home {
		return false
	}
	if n.Home == "" {
		return q.token.In(n.Tenant, "").Allows(hearth.ScopeRead)
	}
	_, ok := q.visible[n.Home]
	return ok
}

func (a *Alerts) listAlerts(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	q := wish{
		token: api.TokenOf(r.Context()), tenant: query.Get("tenant"), home: cmp.Or(r.PathValue("home"), query.Get("home")),
		limit: defaultPage, visible: map[string]string{},
	}
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return api.BadRequest("limit: want a number from 1 to %d", maxPage)
		}
		q.limit = min(n, maxPage)
	}
	homes, err := a.o.Accounts.Visible(r.Context(), q.token)
	if err != nil {
		return err
	}
	for _, h := range homes {
		q.visible[h.ID] = h.Tenant
	}
	var found []hearth.Alert
	switch query.Get("open") {
	case "", "1":
		found = a.opened(q)
	case "0":
		before := a.o.Now()
		if text := query.Get("before"); text != "" {
			if before, err = hearth.ParseTime(text); err != nil {
				return api.BadRequest("before: %v", err)
			}
		}
		if found, err = a.history(r.Context(), q, before.UnixMilli()); err != nil {
			return err
		}
	default:
		return api.BadRequest("open: want 1 or 0")
	}
	api.WriteJSON(w, http.StatusOK, found)
	return nil
}

// opened returns the open alerts that are asked for, the worst first. Asked of one home, an outage is that home's.
func (a *Alerts) opened(q wish) []hearth.Alert {
	all := []hearth.Alert{}
	if q.home != "" {
		if _, ok := q.visible[q.home]; ok {
			all = append(all, a.Open(q.home)...)
		}
		return all[:min(q.limit, len(all))]
	}
	a.mu.Lock()
	members := map[string]bool{}
	for _, t := range a.tenants {
		if t.outage == nil {
			continue
		}
		if view := t.outage.shown(); q.sees(view) {
			all = append(all, view)
		}
		for home, back := range t.outage.members {
			members[home] = !back
		}
	}
	partly := []string{}
	for home, w := range a.homes {
		switch {
		case !members[home]:
			for _, n := range w.shown() {
				if q.sees(n) {
					all = append(all, n)
				}
			}
		case q.visible[home] != "" && !q.token.In(w.tenant, "").Allows(hearth.ScopeRead):
			partly = append(partly, home)
		}
	}
	a.mu.Unlock()
	for _, home := range partly { // who sees some homes of an outage sees that these are in one
		if q.tenant == "" || q.visible[home] == q.tenant {
			all = append(all, a.Open(home)...)
		}
	}
	slices.SortFunc(all, worseFirst)
	return all[:min(q.limit, len(all))]
}

func (a *Alerts) history(ctx context.Context, q wish, before int64) ([]hearth.Alert, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT `+columns+` FROM alerts
		WHERE cleared > 0 AND raised < $1 AND ($2 = '' OR tenant = $2) AND ($3 = '' OR home = $3) ORDER BY raised DESC, id DESC LIMIT $4`, before, q.tenant, q.home, maxScanned)
	if err != nil {
		return nil, fmt.Errorf("reading the alerts: %w", err)
	}
	defer rows.Close()
	found := []hearth.Alert{}
	for len(found) < q.limit && rows.Next() {
		n, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("reading the alerts: %w", err)
		}
		if view := n.shown(); q.sees(view) {
			found = append(found, view)
		}
	}
	return found, rows.Err()
}

func (a *Alerts) ack(w http.ResponseWriter, r *http.Request) error {
	n, err := a.get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	token := api.TokenOf(r.Context())
	switch scope := token.In(n.Tenant, n.Home); {
	case scope == "":
		return hearth.Errorf(hearth.CodeNotFound, "there is no such alert")
	case !scope.Allows(hearth.ScopeControl):
		return hearth.Errorf(hearth.CodeDenied, "this needs scope control where the alert is, %s has %s there", token.Name, scope)
	case !n.Cleared.IsZero():
		return hearth.Errorf(hearth.CodeConflict, "the alert has been cleared already")
	}
	view, err := a.acknowledge(r.Context(), n, token.Name)
	if err != nil {
		return err
	}
	r.SetPathValue("tenant", view.Tenant) // for the audit: those who administer them read of it
	r.SetPathValue("home", view.Home)
	api.Note(r.Context(), view.Kind+" "+view.Home+" "+view.About)
	api.WriteJSON(w, http.StatusOK, view)
	return nil
}

func (a *Alerts) listRules(w http.ResponseWriter, r *http.Request) error {
	rules := []Rule{}
	err := a.eachRule(r.Context(), r.PathValue("tenant"), func(_ string, rule Rule) { rules = append(rules, rule) })
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, rules)
	return nil
}

func (a *Alerts) addRule(w http.ResponseWriter, r *http.Request) error {
	return a.writeRule(w, r, http.StatusCreated)
}

func (a *Alerts) setRule(w http.ResponseWriter, r *http.Request) error {
	return a.writeRule(w, r, http.StatusOK)
}

func (a *Alerts) writeRule(w http.ResponseWriter, r *http.Request, status int) error {
	var rule Rule
	if err := api.ReadJSON(w, r, &rule); err != nil {
		return err
	}
	rule.ID = r.PathValue("id")
	rule, err := a.putRule(r.Context(), r.PathValue("tenant"), rule)
	if err != nil {
		return err
	}
	api.Note(r.Context(), rule.ID+" "+rule.Property+" "+rule.Op+" "+rule.Value.String())
	api.WriteJSON(w, status, rule)
	return nil
}

func (a *Alerts) removeRule(w http.ResponseWriter, r *http.Request) error {
	if err := a.deleteRule(r.Context(), r.PathValue("tenant"), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
