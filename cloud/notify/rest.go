package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"hearth"
	"hearth/api"
)

const logRows = 100

// A TargetView is a target with how its deliveries are doing.
type TargetView struct {
	Target
	Pending   int         `json:"pending"`    // deliveries that wait, those held in quiet hours among them
	Held      int         `json:"held"`       // those
	Dropped   int64       `json:"dropped"`    // because too much waited
	GivenUp   int64       `json:"given_up"`   // after days of trying
	Attempts  int         `json:"attempts"`   // of the delivery that is tried just now
	LastError string      `json:"last_error"` // of that one
	NextTry   hearth.Time `json:"next_try"`   // null: nothing waits to be tried again
	Delivered hearth.Time `json:"delivered"`  // the last one; null: none lately
}

// A Delivery is a row of a target's log.
type Delivery struct {
	N        int64           `json:"n"`
	Event    string          `json:"event"` // its id
	Kind     string          `json:"kind"`
	Home     string          `json:"home,omitempty"`
	Severity hearth.Severity `json:"severity"`
	State    string          `json:"state"` // pending, held, delivered, summarised, dropped or given_up
	Attempts int             `json:"attempts"`
	Error    string          `json:"error"` // of the last attempt that failed
	Created  hearth.Time     `json:"created"`
	Due      hearth.Time     `json:"due"` // of one that waits
	Ended    hearth.Time     `json:"ended"`
}

// addedTarget also has the secret that requests are signed with, which is shown this once.
type addedTarget struct {
	Target
	Secret string `json:"secret,omitempty"`
}

type renewed struct {
	Secret string `json:"secret"`
}

// An outcome is what became of a test.
type outcome struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	Took  int64  `json:"took_ms"`
}

// Routes are the REST interface of targets and their deliveries.
func (n *Notify) Routes() []api.Route {
	const all = "/api/v1/tenants/{tenant}/targets"
	const one = all + "/{id}"
	return []api.Route{
		{
			Method: "GET", Path: all, ID: "listTargets", Scope: hearth.ScopeAdmin,
			Summary:  "Where events of the tenant are delivered to, and how that goes",
			Response: []TargetView{}, Problems: []string{hearth.CodeNotFound}, Handler: n.listTargets,
		},
		{
			Method: "POST", Path: all, ID: "addTarget", Scope: hearth.ScopeAdmin,
			Summary: "Have events delivered to a webhook (type webhook, url) or by e-mail (type email, to); a webhook's secret is shown this once",
			Request: Target{}, Response: addedTarget{}, Statuses: []int{http.StatusCreated},
			Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue, hearth.CodeConflict}, Handler: n.addTarget,
		},
		{
			Method: "GET", Path: one, ID: "getTarget", Scope: hearth.ScopeAdmin,
			Summary: "One target, and how its deliveries are doing", Response: TargetView{}, Problems: []string{hearth.CodeNotFound}, Handler: n.getTarget,
		},
		{
			Method: "PUT", Path: one, ID: "setTarget", Scope: hearth.ScopeAdmin,
			Summary: "Change a target; what waits is tried at once", Request: Target{}, Response: Target{},
			Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue}, Handler: n.setTarget,
		},
		{
			Method: "DELETE", Path: one, ID: "deleteTarget", Scope: hearth.ScopeAdmin,
			Summary: "Delete a target with what was to be delivered to it", Problems: []string{hearth.CodeNotFound}, Handler: n.deleteTarget,
		},
		{
			Method: "POST", Path: one + "/secret", ID: "renewSecret", Scope: hearth.ScopeAdmin,
			Summary:  "Sign the requests to a webhook with another secret from now on, which is shown this once",
			Response: renewed{}, Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue}, Handler: n.renewSecret,
		},
		{
			Method: "POST", Path: one + "/test", ID: "testTarget", Scope: hearth.ScopeAdmin,
			Summary:  "Deliver an event of kind test now, past all that waits, and say what became of it",
			Response: outcome{}, Problems: []string{hearth.CodeNotFound, hearth.CodeBusy}, Handler: n.testTarget,
		},
		{
			Method: "GET", Path: one + "/deliveries", ID: "listDeliveries", Scope: hearth.ScopeAdmin,
			Summary:  "The last 100 deliveries of a target, newest first, those that wait among them",
			Response: []Delivery{}, Problems: []string{hearth.CodeNotFound}, Handler: n.listDeliveries,
		},
	}
}

func (n *Notify) listTargets(w http.ResponseWriter, r *http.Request) error {
	rows, err := n.db.QueryContext(r.Context(), `SELECT `+targetColumns+` FROM targets WHERE tenant = $1 ORDER BY name, id`, r.PathValue("tenant"))
	if err != nil {
		return fmt.Errorf("reading the targets: %w", err)
	}
	defer rows.Close()
	var targets []*Target
	for rows.Next() {
		t, err := scanTarget(rows)
		if err != nil {
			return fmt.Errorf("reading the targets: %w", err)
		}
		targets = append(targets, t)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the targets: %w", err)
	}
	views := make([]TargetView, 0, len(targets))
	for _, t := range targets {
		view, err := n.view(r.Context(), t)
		if err != nil {
			return err
		}
		views = append(views, view)
	}
	api.WriteJSON(w, http.StatusOK, views)
	return nil
}

// view adds how a target's deliveries are doing.
func (n *Notify) view(ctx context.Context, t *Target) (TargetView, error) {
	v := TargetView{Target: *t}
	var delivered int64
	err := n.db.QueryRowContext(ctx, `SELECT dropped, given_up,
			(SELECT count(*) FROM deliveries WHERE target = $1 AND ended = 0), (SELECT count(*) FROM deliveries WHERE target = $1 AND ended = 0 AND state = $2),
			(SELECT coalesce(max(ended), 0) FROM deliveries WHERE target = $1 AND ended > 0 AND state = $3) FROM targets WHERE id = $1`,
		t.ID, stateHeld, stateDelivered).Scan(&v.Dropped, &v.GivenUp, &v.Pending, &v.Held, &delivered)
	if err != nil {
		return TargetView{}, fmt.Errorf("reading a target: %w", missingTarget(err))
	}
	v.Delivered = timeOf(delivered)
	d, err := n.head(ctx, t.ID)
	if err != nil {
		return TargetView{}, fmt.Errorf("reading a target: %w", err)
	}
	if d != nil && d.attempts > 0 {
		v.Attempts, v.LastError, v.NextTry = d.attempts, d.why, hearth.Time{Time: d.due.UTC()}
	}
	return v, nil
}

func (n *Notify) addTarget(w http.ResponseWriter, r *http.Request) error {
	var t Target
	if err := api.ReadJSON(w, r, &t); err != nil {
		return err
	}
	t, secret, err := n.add(r.Context(), r.PathValue("tenant"), t)
	if err != nil {
		return err
	}
	api.Note(r.Context(), t.ID+" "+t.Type+" "+t.Name)
	api.WriteJSON(w, http.StatusCreated, addedTarget{t, secret})
	return nil
}

func (n *Notify) getTarget(w http.ResponseWriter, r *http.Request) error {
	t, err := n.target(r.Context(), r.PathValue("tenant"), r.PathValue("id"))
	if err != nil {
		return err
	}
	view, err := n.view(r.Context(), t)
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, view)
	return nil
}

func (n *Notify) setTarget(w http.ResponseWriter, r *http.Request) error {
	var t Target
	if err := api.ReadJSON(w, r, &t); err != nil {
		return err
	}
	t.ID = r.PathValue("id")
	t, err := n.set(r.Context(), r.PathValue("tenant"), t)
	if err != nil {
		return err
	}
	api.Note(r.Context(), t.Type+" "+t.Name)
	api.WriteJSON(w, http.StatusOK, t)
	return nil
}

func (n *Notify) deleteTarget(w http.ResponseWriter, r *http.Request) error {
	if err := n.remove(r.Context(), r.PathValue("tenant"), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (n *Notify) renewSecret(w http.ResponseWriter, r *http.Request) error {
	secret, err := n.renew(r.Context(), r.PathValue("tenant"), r.PathValue("id"))
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, renewed{secret})
	return nil
}

func (n *Notify) testTarget(w http.ResponseWriter, r *http.Request) error {
	tenant := r.PathValue("tenant")
	t, err := n.target(r.Context(), tenant, r.PathValue("id"))
	if err != nil {
		return err
	}
	if wait := n.tests.Failed(tenant); wait > 0 {
		return api.Later(hearth.Errorf(hearth.CodeBusy, "%d tests a minute are enough", testTries), wait)
	}
	began := n.o.Now()
	e := newEvent(KindTest, tenant, "", hearth.SeverityInfo, began)
	e.take(map[string]string{"by": api.TokenOf(r.Context()).Name})
	failed := n.deliver(r.Context(), t, 0, e)
	o := outcome{OK: failed == nil, Took: n.o.Now().Sub(began).Milliseconds()}
	if failed != nil {
		o.Error = clip(failed.Error())
	}
	api.WriteJSON(w, http.StatusOK, o)
	return nil
}

func (n *Notify) listDeliveries(w http.ResponseWriter, r *http.Request) error {
	t, err := n.target(r.Context(), r.PathValue("tenant"), r.PathValue("id"))
	if err != nil {
		return err
	}
	rows, err := n.db.QueryContext(r.Context(), `SELECT n, created, due, ended, attempts, error, state, event FROM deliveries WHERE target = $1 ORDER BY n DESC LIMIT $2`, t.ID, logRows)
	if err != nil {
		return fmt.Errorf("reading the deliveries: %w", err)
	}
	defer rows.Close()
	all := []Delivery{}
	for rows.Next() {
		var d Delivery
		var created, due, ended int64
		var text string
		if err := rows.Scan(&d.N, &created, &due, &ended, &d.Attempts, &d.Error, &d.State, &text); err != nil {
			return fmt.Errorf("reading the deliveries: %w", err)
		}
		var e Event
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return fmt.Errorf("reading the deliveries: %w", err)
		}
		d.Event, d.Kind, d.Home, d.Severity = e.ID, e.Kind, e.Home, e.Severity
		d.Created, d.Ended = timeOf(created), timeOf(ended)
		if ended == 0 {
			d.Due = hearth.Time{Time: time.UnixMilli(due).UTC()}
		}
		all = append(all, d)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the deliveries: %w", err)
	}
	api.WriteJSON(w, http.StatusOK, all)
	return nil
}
