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

// AddToken makes a token and returns its secret, which is not kept. home is an id or "" for all homes. A name that
// exists is code conflict; one of the wrong form, or a scope that does not exist, bad_value; an unknown home not_found.
func (a *Accounts) AddToken(ctx context.Context, name string, scope hearth.Scope, home string) (secret string, err error) {
	if !tokenName.MatchString(name) {
		return "", hearth.Errorf(hearth.CodeBadValue, "token name %q: want at most 64 letters, digits, spaces and . _ @ + -", name)
	}
	switch scope {
	case hearth.ScopeRead, hearth.ScopeControl, hearth.ScopeAdmin, hearth.ScopeWrite:
	case hearth.ScopeGateway:
		if home == "" {
			return "", hearth.Errorf(hearth.CodeBadValue, "a token of scope gateway belongs to one home: name it")
		}
	default:
		return "", hearth.Errorf(hearth.CodeBadValue, "scope %q: want read, control, write, admin or gateway", scope)
	}
	err = a.Tx(ctx, func(tx *sql.Tx) error {
		var taken, homes int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM tokens WHERE name = $1`, name).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return hearth.Errorf(hearth.CodeConflict, "there is a token %q already: choose another name", name)
		}
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM homes WHERE id = $1`, home).Scan(&homes); err != nil {
			return err
		}
		if home != "" && homes == 0 {
			return hearth.Errorf(hearth.CodeNotFound, "there is no home %q", home)
		}
		secret, err = a.insertToken(ctx, tx, name, scope, home)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("adding a token: %w", err)
	}
	return secret, nil
}

func (a *Accounts) insertToken(ctx context.Context, tx *sql.Tx, name string, scope hearth.Scope, home string) (string, error) {
	secret, hash := hearth.NewSecret()
	_, err := tx.ExecContext(ctx, `INSERT INTO tokens (hash, name, scope, home, created) VALUES ($1, $2, $3, $4, $5)`,
		hash, name, string(scope), sql.NullString{String: home, Valid: home != ""}, a.millis())
	return secret, err
}

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
	var home sql.NullString
	var created, used int64
	err := a.db.QueryRowContext(ctx, `SELECT name, scope, home, created, used FROM tokens WHERE hash = $1`, hash).
		Scan(&t.Name, &scope, &home, &created, &used)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		a.forget(hash)
		return hearth.Token{}, false, nil
	case err != nil && ok:
		return known, true, nil
	case err != nil:
		return hearth.Token{}, false, fmt.Errorf("looking for a token: %w", err)
	}
	t.Scope, t.Home, t.Created = hearth.Scope(scope), home.String, timeOf(created)
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
	err := a.db.QueryRowContext(ctx, `SELECT count(*) FROM tokens WHERE scope = $1 AND home IS NULL`, string(hearth.ScopeAdmin)).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("looking for an administrator: %w", err)
	}
	return n > 0, nil
}
