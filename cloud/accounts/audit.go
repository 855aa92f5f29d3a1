package accounts

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"strings"

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

// auditText is how much of one field is kept.
const auditText = 1000

// Audit keeps an entry. Time, if zero, is now; Tenant, if empty, is the home's.
func (a *Accounts) Audit(ctx context.Context, e AuditEntry) error {
	if e.Time.IsZero() {
		e.Time = timeOf(a.millis())
	}
	if e.Tenant == "" && e.Home != "" {
		e.Tenant, _ = a.TenantOf(ctx, e.Home) // a home that is gone has none
	}
	e.ID = fmt.Sprintf("%013d-%s", e.Time.UnixMilli(), strings.ToLower(rand.Text()[:8]))
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO audit (id, time, tenant, home, who, action, about, detail, address) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			e.ID, e.Time.UnixMilli(), e.Tenant, e.Home, clip(e.Who), e.Action, clip(e.About), clip(e.Detail), e.Address)
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping who did what: %w", err)
	}
	return nil
}

// clip bounds a text and makes it storable: PostgreSQL takes no NUL.
func clip(s string) string {
	if len(s) > auditText {
		s = s[:auditText] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
