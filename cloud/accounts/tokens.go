package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"time"

	"hearth"
)

const (
	cacheLife  = 10 * time.Second // how long a token that was taken away may still be believed
	cacheSize  = 20_000
	usedCoarse = time.Hour // a token's last use is written at most this often
)

type cached struct {
	token hearth.Token
	until time.Time
}

var tokenName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._@+-]{0,63}$`)

// AddToken makes a token of that name, scope, tenant or home, owner and end, and returns its secret, which is not kept.
// A name that exists is code conflict; one of the wrong form, or a scope that does not exist, bad_value; an unknown home
// or tenant not_found.
func (a *Accounts) AddToken(ctx context.Context, t hearth.Token) (secret string, err error) {
	if err := a.checkToken(t); err != nil {
		return "", err
	}
	err = a.Tx(ctx, func(tx *sql.Tx) error {
		var taken, homes int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM tokens WHERE name = $1`, t.Name).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return hearth.Errorf(hearth.CodeConflict, "there is a token %q already: choose another name", t.Name)
		}
		if t.Tenant != "" {
			if err := tenantIsThere(ctx, tx, t.Tenant); err != nil {
				return err
			}
		}
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM homes WHERE id = $1 AND ($2 = '' OR tenant = $2)`, t.Home, t.Tenant).Scan(&homes); err != nil {
			return err
		}
		if t.Home != "" && homes == 0 {
			return hearth.Errorf(hearth.CodeNotFound, "there is no home %q", t.Home)
		}
		secret, err = a.insertToken(ctx, tx, t)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("adding a token: %w", err)
	}
	return secret, nil
}

func (a *Accounts) checkToken(t hearth.Token) error {
	if !tokenName.MatchString(t.Name) {
		return hearth.Errorf(hearth.CodeBadValue, "token name %q: want at most 64 letters, digits, spaces and . _ @ + -", t.Name)
	}
	switch t.Scope {
	case hearth.ScopeRead, hearth.ScopeControl, hearth.ScopeAdmin, hearth.ScopeWrite:
	case hearth.ScopeGateway:
		if t.Home == "" {
			return hearth.Errorf(hearth.CodeBadValue, "a token of scope gateway belongs to one home: name it")
		}
	default:
		return hearth.Errorf(hearth.CodeBadValue, "scope %q: want read, control, write, admin or gateway", t.Scope)
	}
	if !t.Expires.IsZero() && !t.Expires.After(a.now()) {
		return hearth.Errorf(hearth.CodeBadValue, "the token would have expired already")
	}
	return nil
}

func (a *Accounts) insertToken(ctx context.Context, tx *sql.Tx, t hearth.Token) (string, error) {
	secret, hash := hearth.NewSecret()
	_, err := tx.ExecContext(ctx, `INSERT INTO tokens (hash, name, scope, tenant, home, user_id, created, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		hash, t.Name, string(t.Scope), t.Tenant, orNull(t.Home), orNull(t.User), a.millis(), millisOf(t.Expires))
	return secret, err
}

func orNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// Find returns the token of that secret; false if there is none. It may be ten seconds behind another process. While the
// database cannot be asked, a token that was good before is still good, so that its restart stops nobody.
func (a *Accounts) Find(ctx context.Context, secret string) (hearth.Token, bool, error) {
	hash, now := hearth.HashSecret(secret), a.now()
	known, fresh, ok := a.remembered(hash, now)
	if fresh {
		return known, true, nil
	}
	t := hearth.Token{Hash: hash}
	var scope string
	var home, user sql.NullString
	var created, used, expires int64
	err := a.db.QueryRowContext(ctx, `SELECT name, scope, tenant, home, user_id, created, used, expires FROM tokens WHERE hash = $1`, hash).
		Scan(&t.Name, &scope, &t.Tenant, &home, &user, &created, &used, &expires)
	if err == nil && expires > 0 && expires <= now.UnixMilli() {
		err = sql.ErrNoRows
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		a.forget(hash)
		return hearth.Token{}, false, nil
	case err != nil && ok:
		return known, true, nil
	case err != nil:
		return hearth.Token{}, false, fmt.Errorf("looking for a token: %w", err)
	}
	t.Scope, t.Home, t.User, t.Created = hearth.Scope(scope), home.String, user.String, timeOf(created)
	if expires > 0 {
		t.Expires = timeOf(expires)
	}
	a.remember(hash, t, now)
	if now.UnixMilli()-used > usedCoarse.Milliseconds() {
		// A full disk must not lock out those who could mend it: the note is worth less than the answer.
		_ = a.Tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE tokens SET used = $1 WHERE hash = $2`, now.UnixMilli(), hash)
			return err
		})
	}
	return t, true, nil
}

func (a *Accounts) remembered(hash string, now time.Time) (t hearth.Token, fresh, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.cache[hash]
	if ok && !c.token.Expires.IsZero() && !c.token.Expires.After(now) {
		delete(a.cache, hash)
		return hearth.Token{}, false, false
	}
	return c.token, ok && now.Before(c.until), ok
}

func (a *Accounts) forget(hash string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.cache, hash)
}

func (a *Accounts) remember(hash string, t hearth.Token, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.cache) >= cacheSize {
		clear(a.cache)
	}
	a.cache[hash] = cached{token: t, until: now.Add(cacheLife)}
}

// HasAdmin reports whether there is a token that may do everything.
func (a *Accounts) HasAdmin(ctx context.Context) (bool, error) {
	var n int
	err := a.db.QueryRowContext(ctx, `SELECT count(*) FROM tokens WHERE scope = $1 AND home IS NULL AND tenant = '' AND expires = 0`, string(hearth.ScopeAdmin)).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("looking for an administrator: %w", err)
	}
	return n > 0, nil
}
