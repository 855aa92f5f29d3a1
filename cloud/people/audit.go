package people

import (
	"net/http"
	"strconv"
	"time"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

const auditPage = 100 // entries where nobody says how many

func (p *People) auditRoutes() []api.Route {
	return []api.Route{{
		Method: "GET", Path: "/api/v1/audit", ID: "listAudit", Scope: hearth.ScopeAdmin,
		Summary: "Who did what, when and from where, the newest first, where the asker is an administrator; kept for 400 days",
		Query: []api.Param{
			{Name: "tenant", Summary: "only in this tenant"},
			{Name: "home", Summary: "only in this home"},
			{Name: "who", Summary: "only of this token or person"},
			{Name: "from", Summary: "RFC 3339 or unix milliseconds, inclusive"},
			{Name: "to", Summary: "RFC 3339 or unix milliseconds, exclusive"},
			{Name: "after", Summary: "the id of the last entry of the page before"},
			{Name: "limit", Summary: "at most so many entries, 100 if it is left out, at most 500", Type: "integer"},
		},
		Response: []accounts.AuditEntry{}, Problems: []string{api.CodeBadRequest, hearth.CodeNotFound}, Handler: p.listAudit,
	}}
}

func (p *People) listAudit(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	filter := accounts.AuditFilter{Tenant: query.Get("tenant"), Home: query.Get("home"), Who: query.Get("who"), After: query.Get("after"), Limit: auditPage}
	for name, into := range map[string]*time.Time{"from": &filter.From, "to": &filter.To} {
		if text := query.Get(name); text != "" {
			t, err := hearth.ParseTime(text)
			if err != nil {
				return api.BadRequest("%s: %v", name, err)
			}
			*into = t
		}
	}
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return api.BadRequest("limit: want a number from 1 to %d", accounts.MostAudit)
		}
		filter.Limit = n
	}
	entries, err := p.o.Accounts.AuditLog(r.Context(), asker(r), filter)
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, entries)
	return nil
}
