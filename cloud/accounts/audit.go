package accounts

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"hearth"
)

// An AuditEntry says that somebody changed something, or had a device do something.
type AuditEntry struct {
	ID      string      `json:"id"` // sorts as they happened; filled in
	Time    hearth.Time `json:"time"`
	Tenant  string      `json:"tenant,omitempty"`
	Home    string      `json:"home,omitempty"`
	Who     string      `json:"who"`             // the token's name, or the person's address
	Action  string      `json:"action"`          // the operation's id, as in the OpenAPI document
	About   string      `json:"about,omitempty"` // what it was done to
	Detail  string      `json:"detail,omitempty"`
	Address string      `json:"address,omitempty"` // where from
}

// Nobody is who did what nobody is known to have done: who is not signed in.
const Nobody = "somebody"

// auditText is how much of one field is kept.
const auditText = 1000

// Audit keeps an entry. Time, if zero, is now; Tenant, if empty, is the home's.
func (a *Accounts) Audit(ctx context.Context, e AuditEntry) error {
	return a.Tx(ctx, func(tx *sql.Tx) error { return a.AuditIn(ctx, tx, e) })
}

// AuditIn is Audit as a part of the transaction that makes the change: there is not the one without the other.
func (a *Accounts) AuditIn(ctx context.Context, tx *sql.Tx, e AuditEntry) error {
	if e.Time.IsZero() {
		e.Time = timeOf(a.millis())
	}
	e.ID = fmt.Sprintf("%013d-%s", e.Time.UnixMilli(), strings.ToLower(rand.Text()[:8]))
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (id, time, tenant, home, who, action, about, detail, address)
		VALUES ($1, $2, COALESCE(NULLIF($3, ''), (SELECT tenant FROM homes WHERE id = $4), ''), $4, $5, $6, $7, $8, $9)`,
		e.ID, e.Time.UnixMilli(), e.Tenant, e.Home, clip(e.Who), e.Action, clip(e.About), clip(e.Detail), e.Address)
	if err != nil {
		return fmt.Errorf("keeping who did what: %w", err)
	}
	return nil
}

// AuditLife is how long entries are kept.
const AuditLife = 400 * 24 * time.Hour

// MostAudit is how many entries one page has at most.
const MostAudit = 500

// An AuditFilter says which entries are wanted; what is zero does not matter.
type AuditFilter struct {
	Tenant, Home, Who string
	From, To          time.Time
	After             string // the id of the last entry of the page before
	Limit             int
}

// AuditLog returns entries, the newest first, that asker may read: those of homes and tenants that it administers, and
// whoever administers the receiver reads all of them. Errors: not_found, denied, of the home or tenant that is named.
func (a *Accounts) AuditLog(ctx context.Context, asker hearth.Token, f AuditFilter) ([]AuditEntry, error) {
	if err := a.mayAudit(ctx, asker, f); err != nil {
		return nil, err
	}
	where, args := []string{"1 = 1"}, []any{}
	with := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args))))
	}
	text := func(column, value string) {
		if value != "" {
			with(column+" = ?", clip(value))
		}
	}
	text("tenant", f.Tenant)
	text("home", f.Home)
	text("who", f.Who)
	if f.After != "" {
		with("id < ?", clip(f.After))
	}
	if !f.From.IsZero() {
		with("time >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		with("time < ?", f.To.UnixMilli())
	}
	if condition := administered(asker, &args); condition != "" {
		where = append(where, condition)
	}
	args = append(args, min(max(f.Limit, 1), MostAudit))
	rows, err := a.db.QueryContext(ctx, `SELECT id, time, tenant, home, who, action, about, detail, address FROM audit WHERE `+
		strings.Join(where, " AND ")+fmt.Sprintf(` ORDER BY id DESC LIMIT $%d`, len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("reading who did what: %w", err)
	}
	defer rows.Close()
	entries := []AuditEntry{}
	for rows.Next() {
		var e AuditEntry
		var at int64
		if err := rows.Scan(&e.ID, &at, &e.Tenant, &e.Home, &e.Who, &e.Action, &e.About, &e.Detail, &e.Address); err != nil {
			return nil, fmt.Errorf("reading who did what: %w", err)
		}
		e.Time = timeOf(at)
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// mayAudit says why asker may not read of the home or tenant that it names.
func (a *Accounts) mayAudit(ctx context.Context, asker hearth.Token, f AuditFilter) error {
	scope, err := asker.Most(), error(nil)
	if f.Tenant != "" {
		scope, err = a.TenantScope(ctx, asker, f.Tenant)
	}
	if f.Home != "" && err == nil && scope.Allows(hearth.ScopeAdmin) && !everywhere(asker) { // who sees all reads of homes that are gone, too
		scope, err = a.Scope(ctx, asker, f.Home)
	}
	if err == nil && !scope.Allows(hearth.ScopeAdmin) {
		err = hearth.Errorf(hearth.CodeDenied, "only an administrator reads who did what there")
	}
	return err
}

// administered is the condition that an entry is of a home or tenant that asker administers; "" for everything.
func administered(asker hearth.Token, args *[]any) string {
	if everywhere(asker) {
		return ""
	}
	grants := asker.Grants
	if grants == nil {
		grants = []hearth.Grant{{Scope: asker.Scope, Tenant: asker.Tenant, Home: asker.Home}}
	}
	anyOf := []string{}
	for _, g := range grants {
		if !g.Scope.Allows(hearth.ScopeAdmin) {
			continue
		}
		allOf := []string{}
		for _, bound := range []struct{ column, value string }{{"tenant", g.Tenant}, {"home", g.Home}} {
			if bound.value != "" {
				*args = append(*args, bound.value)
				allOf = append(allOf, fmt.Sprintf("%s = $%d", bound.column, len(*args)))
			}
		}
		anyOf = append(anyOf, strings.Join(allOf, " AND "))
	}
	if len(anyOf) == 0 {
		return "1 = 0"
	}
	return "(" + strings.Join(anyOf, " OR ") + ")"
}

// sweptAtOnce is how many rows Sweep removes in one transaction: others want to write, too.
const sweptAtOnce = 500

// Sweep removes what is over: entries older than AuditLife, sessions, links and claim codes that ended, and tokens a
// month after their end, until when a person may wonder why one does not work.
func (a *Accounts) Sweep(ctx context.Context) error {
	const wonder = 30 * 24 * time.Hour
	now := a.now()
	for statement, before := range map[string]time.Time{
		`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE time < $1 ORDER BY time LIMIT $2)`:            now.Add(-AuditLife),
		`DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE expires < $1 LIMIT $2)`:             now,
		`DELETE FROM links WHERE hash IN (SELECT hash FROM links WHERE expires < $1 LIMIT $2)`:                   now,
		`DELETE FROM claims WHERE hash IN (SELECT hash FROM claims WHERE expires < $1 LIMIT $2)`:                 now,
		`DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens WHERE expires > 0 AND expires < $1 LIMIT $2)`: now.Add(-wonder),
	} {
		for gone := int64(sweptAtOnce); gone == sweptAtOnce; {
			err := a.Tx(ctx, func(tx *sql.Tx) error {
				result, err := tx.ExecContext(ctx, statement, before.UnixMilli(), sweptAtOnce)
				if err != nil {
					return err
				}
				gone, err = result.RowsAffected()
				return err
			})
			if err != nil {
				return fmt.Errorf("removing what is over: %w", err)
			}
		}
	}
	return nil
}

// clip bounds a text and makes it storable.
func clip(s string) string {
	if len(s) > auditText {
		s = s[:auditText] + "…"
	}
	return storable(s)
}

// storable makes a text one that both databases take.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
