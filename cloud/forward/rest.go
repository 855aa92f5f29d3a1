package forward

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"hearth"
	"hearth/api"
)

// A State is how far one target is.
type State struct {
	Target string   `json:"target"`
	Sent   uint64   `json:"sent"`   // up to where in the log of writes it has everything
	Newest uint64   `json:"newest"` // up to where the log goes
	Parked []Parked `json:"parked"` // lines that it refused, the newest first, at most 100
}

// Parked is a line that a target refused.
type Parked struct {
	Time   hearth.Time `json:"time"`
	Line   string      `json:"line"`
	Reason string      `json:"reason"`
}

const parkedShown = 100

// Routes are what an administrator of the receiver may ask.
func (f *Forward) Routes() []api.Route {
	return []api.Route{{
		Method: "GET", Path: "/api/v1/forward", ID: "listForwardTargets", Scope: hearth.ScopeAdmin,
		Summary: "The databases that everything is sent on to: how far each is, and the lines that it refused", Response: []State{},
		Handler: f.list,
	}}
}

func (f *Forward) list(rw http.ResponseWriter, r *http.Request) error {
	if token := api.TokenOf(r.Context()); !token.In("", "").Allows(hearth.ScopeAdmin) {
		return hearth.Errorf(hearth.CodeDenied, "%s does not see all homes, and this tells of all of them", token.Name)
	}
	_, newest, err := f.o.Log.Span(r.Context())
	if err != nil {
		return err
	}
	states := []State{}
	for _, t := range f.targets {
		c, err := t.load(r.Context())
		if err != nil {
			return err
		}
		s := State{Target: t.key, Sent: c.sent, Newest: newest}
		if s.Parked, err = t.parked(r.Context()); err != nil {
			return err
		}
		states = append(states, s)
	}
	api.WriteJSON(rw, http.StatusOK, states)
	return nil
}

// parked reads the newest of the refused lines.
func (t *target) parked(ctx context.Context) ([]Parked, error) {
	rows, err := t.f.db.QueryContext(ctx, `SELECT time, line, reason FROM forward_parked WHERE target = $1 ORDER BY n DESC LIMIT $2`, t.key, parkedShown)
	if err != nil {
		return nil, fmt.Errorf("reading the refused lines: %w", err)
	}
	defer rows.Close()
	list := []Parked{}
	for rows.Next() {
		var p Parked
		var ms int64
		if err := rows.Scan(&ms, &p.Line, &p.Reason); err != nil {
			return nil, fmt.Errorf("reading the refused lines: %w", err)
		}
		p.Time = hearth.Time{Time: time.UnixMilli(ms).UTC()}
		list = append(list, p)
	}
	return list, rows.Err()
}
