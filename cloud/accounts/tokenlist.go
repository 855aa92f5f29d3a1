package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hearth"
)

// A TokenView is what is shown of a token.
type TokenView struct {
	Name    string       `json:"name"`
	Scope   hearth.Scope `json:"scope"` // the most that it allows; a person's never allows more than the person may
	Tenant  string       `json:"tenant,omitempty"`
	Home    string       `json:"home,omitempty"`
	Owner   string       `json:"owner,omitempty"` // the address of the person whose it is
	Created hearth.Time  `json:"created"`
	Used    hearth.Time  `json:"used"` // its last use, to the hour
	Expires hearth.Time  `json:"expires"`
	Expired bool         `json:"expired"`
}

// Tokens returns those of the person that asks, and all where asker is an administrator, by name.
func (a *Accounts) Tokens(ctx context.Context, asker hearth.Token) ([]TokenView, error) {
	rows, err := a.db.QueryContext(ctx, strings.Replace(tokenColumns, " FROM ", ", COALESCE(u.email, ''), COALESCE(h.tenant, '') FROM ", 1)+
		`LEFT JOIN users u ON u.id = t.user_id LEFT JOIN homes h ON h.id = t.home ORDER BY t.name`)
	if err != nil {
		return nil, fmt.Errorf("listing the tokens: %w", err)
	}
	defer rows.Close()
	tokens := []TokenView{}
	for rows.Next() {
		listed, err := a.scanListed(rows)
		if err != nil {
			return nil, fmt.Errorf("listing the tokens: %w", err)
		}
		if listed.managedBy(asker) {
			tokens = append(tokens, listed.view)
		}
	}
	return tokens, rows.Err()
}

// A listedToken is a token with what it takes to know who may see it.
type listedToken struct {
	token hearth.Token
	view  TokenView
	of    string // its home's tenant
}

func (a *Accounts) scanListed(rows *sql.Rows) (listedToken, error) {
	var l listedToken
	var used hearth.Time
	var err error
	l.token, used, err = scanToken(scanMore{rows, []any{&l.view.Owner, &l.of}})
	t := l.token
	l.view.Name, l.view.Scope, l.view.Tenant, l.view.Home = t.Name, t.Scope, t.Tenant, t.Home
	l.view.Created, l.view.Used, l.view.Expires = t.Created, used, t.Expires
	l.view.Expired = !t.Expires.IsZero() && !t.Expires.After(a.now())
	return l, err
}

// scanMore reads further columns behind those that are asked for.
type scanMore struct {
	rows *sql.Rows
	more []any
}

// Scan implements what scanToken wants of a row.
func (s scanMore) Scan(into ...any) error { return s.rows.Scan(append(into, s.more...)...) }

// managedBy reports whether asker may see the token, and take it away. A person's that is bound to nothing reaches as
// far as the person: only who sees everything sees it beside them.
func (l listedToken) managedBy(asker hearth.Token) bool {
	tenant := l.token.Tenant
	if l.token.Home != "" {
		tenant = l.of
	}
	own := asker.User != "" && l.token.User == asker.User
	return own || asker.In(tenant, l.token.Home).Allows(hearth.ScopeAdmin)
}

// GiveToken makes a token as AddToken does, of which asker has all the rights. A person's belongs to the person, goes
// with them, and never allows more than they may themselves, unless it is shared: then, as one that a token makes, it is
// nobody's, for which it takes an administrator where it reaches. Errors: as AddToken has, and denied.
func (a *Accounts) GiveToken(ctx context.Context, asker, t hearth.Token, shared bool) (secret string, err error) {
	t.User = asker.User
	if shared {
		t.User = ""
	}
	if err := a.mayGive(ctx, asker, t); err != nil {
		return "", err
	}
	return a.AddToken(ctx, t)
}

func (a *Accounts) mayGive(ctx context.Context, asker, t hearth.Token) error {
	switch t.Scope {
	case hearth.ScopeRead, hearth.ScopeControl, hearth.ScopeWrite, hearth.ScopeAdmin:
	default:
		return hearth.Errorf(hearth.CodeBadValue, "scope %.50q: want read, control, write or admin; a gateway gets its token with a claim code", t.Scope)
	}
	if strings.Contains(t.Name, "@") {
		return hearth.Errorf(hearth.CodeBadValue, "a name with @ in it is a person's: choose another")
	}
	if slices.Contains([]string{Root().Name, Nobody}, strings.ToLower(t.Name)) {
		return hearth.Errorf(hearth.CodeBadValue, "the audit means something else by %q: choose another name", t.Name)
	}
	if !asker.Expires.IsZero() && (t.Expires.IsZero() || t.Expires.After(asker.Expires.Time)) {
		return hearth.Errorf(hearth.CodeDenied, "a token that ends makes none that lasts longer than itself")
	}
	scope, err := a.reach(ctx, asker, t)
	if err != nil {
		return err
	}
	need := t.Scope
	if t.User == "" {
		need = hearth.ScopeAdmin
	}
	if !scope.Allows(need) || !scope.Allows(t.Scope) {
		return hearth.Errorf(hearth.CodeDenied, "a token allows no more than you may yourself there, and a shared one takes an administrator")
	}
	return nil
}

// reach returns what asker may do where t reaches. A person's token without bounds reaches as far as the person does.
func (a *Accounts) reach(ctx context.Context, asker, t hearth.Token) (hearth.Scope, error) {
	switch {
	case t.Home != "":
		return a.Scope(ctx, asker, t.Home)
	case t.Tenant != "":
		return a.TenantScope(ctx, asker, t.Tenant)
	case t.User != "" && asker.Tenant == "" && asker.Home == "":
		return asker.Most(), nil
	}
	return asker.In("", ""), nil
}

// RemoveToken takes a token away. Errors: not_found: there is none of that name, or asker has no say in it; conflict: it
// is the last thing that administers the receiver.
func (a *Accounts) RemoveToken(ctx context.Context, asker hearth.Token, name string) (TokenView, error) {
	tokens, err := a.Tokens(ctx, asker)
	if err != nil {
		return TokenView{}, err
	}
	for _, view := range tokens {
		if view.Name == name {
			return view, a.removeToken(ctx, view)
		}
	}
	return TokenView{}, hearth.Errorf(hearth.CodeNotFound, "there is no such token")
}

func (a *Accounts) removeToken(ctx context.Context, view TokenView) error {
	err := a.keepAdmins(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE name = $1`, view.Name)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, hearth.Errorf(hearth.CodeNotFound, "there is no such token"))
		}
		if view.Owner != "" || view.Scope != hearth.ScopeAdmin || view.Tenant != "" || view.Home != "" {
			return nil
		}
		return a.someAdmin(ctx, tx, view.Expires)
	})
	if err != nil {
		return fmt.Errorf("taking a token away: %w", err)
	}
	a.forgetAll()
	return nil
}

// someAdmin says so if neither a person who can sign in nor a token administers the receiver once one that ended then
// is gone: what ends sooner takes the place of nothing that would have stayed.
func (a *Accounts) someAdmin(ctx context.Context, tx *sql.Tx, until hearth.Time) error {
	people, err := administrators(ctx, tx)
	if err != nil || people[""] > 0 {
		return err
	}
	var left int
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM tokens WHERE scope = $1 AND tenant = '' AND home IS NULL AND user_id IS NULL AND (expires = 0 OR expires >= $2 AND $2 > 0)`,
		string(hearth.ScopeAdmin), millisOf(until)).Scan(&left)
	if err == nil && left == 0 {
		err = hearth.Errorf(hearth.CodeConflict, "this is the last token that administers the receiver, and no person does: make another, or invite an administrator first")
	}
	return err
}
