package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
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
		if err := fewTokens(ctx, tx, t.User); err != nil {
			return err
		}
		if t.Tenant != "" {
			if err := tenantIsThere(ctx, tx, t.Tenant); err != nil {
				return err
			}
		}
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM homes WHERE id = $1 AND ($2 = '' OR tenant = $2)`, storable(t.Home), storable(t.Tenant)).Scan(&homes); err != nil {
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

// mostTokens is how many one person has.
const mostTokens = 200

func fewTokens(ctx context.Context, tx *sql.Tx, user string) error {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM tokens WHERE user_id = $1`, user).Scan(&n)
	if err == nil && n >= mostTokens {
		err = hearth.Errorf(hearth.CodeConflict, "this person has %d tokens already: take those away that nothing uses", n)
	}
	return err
}

func (a *Accounts) insertToken(ctx context.Context, tx *sql.Tx, t hearth.Token) (string, error) {
	secret, hash := hearth.NewSecret()
	_, err := tx.ExecContext(ctx, `INSERT INTO tokens (hash, name, scope, tenant, home, user_id, created, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		hash, t.Name, string(t.Scope), t.Tenant, orNull(t.Home), orNull(t.User), a.millis(), millisOf(t.Expires))
	return secret, err
}

func orNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// Find returns the token of that secret; false if there is none. It may be ten seconds behind another process. While the
// database cannot be asked, a token that was good before is still good, so that its restart stops nobody. A person's
// token is worth no more than the person now.
func (a *Accounts) Find(ctx context.Context, secret string) (hearth.Token, bool, error) {
	return a.find(ctx, "token ", hearth.HashSecret(secret), a.readToken)
}

// Again returns a token or session that was found before as it is now, by its hash; false if it is gone. Connections that
// stay open ask now and then.
func (a *Accounts) Again(ctx context.Context, token hearth.Token) (hearth.Token, bool, error) {
	return a.find(ctx, "any ", token.Hash, func(ctx context.Context, hash string, now time.Time) (hearth.Token, error) {
		t, err := a.readToken(ctx, hash, now)
		if errors.Is(err, sql.ErrNoRows) {
			return a.readSession(ctx, hash, now)
		}
		return t, err
	})
}

// oneQuestion is how many hashes are asked for at once.
const oneQuestion = 500

// Gone returns which of the tokens of these hashes are there no more, as the database has it now: for connections that
// are too many to ask for one by one.
func (a *Accounts) Gone(ctx context.Context, hashes []string) ([]string, error) {
	gone := []string{}
	for some := range slices.Chunk(hashes, oneQuestion) {
		there, err := a.there(ctx, some)
		if err != nil {
			return nil, fmt.Errorf("looking for tokens: %w", err)
		}
		for _, hash := range some {
			if !there[hash] {
				gone = append(gone, hash)
			}
		}
	}
	return gone, nil
}

func (a *Accounts) there(ctx context.Context, hashes []string) (map[string]bool, error) {
	places, args := make([]string, len(hashes)), make([]any, len(hashes), len(hashes)+1)
	for i, hash := range hashes {
		places[i], args[i] = fmt.Sprintf("$%d", i+1), hash
	}
	rows, err := a.db.QueryContext(ctx, fmt.Sprintf(`SELECT hash FROM tokens WHERE hash IN (%s) AND (expires = 0 OR expires > $%d)`, strings.Join(places, ", "), len(hashes)+1), append(args, a.millis())...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	there := map[string]bool{}
	for rows.Next() {
		var hash string
		if err := rows.Scan(&hash); err != nil {
			return nil, err
		}
		there[hash] = true
	}
	return there, rows.Err()
}

// find returns what is remembered under a hash or what read finds, which answers sql.ErrNoRows where there is nothing.
// What read may find, kind keeps apart: a session's secret is no token.
func (a *Accounts) find(ctx context.Context, kind, hash string, read func(ctx context.Context, hash string, now time.Time) (hearth.Token, error)) (hearth.Token, bool, error) {
	now := a.now()
	known, fresh, ok := a.remembered(kind+hash, now)
	if fresh {
		return known, true, nil
	}
	t, err := read(ctx, hash, now)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		a.forget(kind + hash)
		return hearth.Token{}, false, nil
	case err != nil && ok:
		return known, true, nil
	case err != nil:
		return hearth.Token{}, false, fmt.Errorf("looking for a token: %w", err)
	}
	a.remember(kind+hash, t, now)
	return t, true, nil
}

// readToken returns the token of that hash as it may be used now; sql.ErrNoRows where there is none.
func (a *Accounts) readToken(ctx context.Context, hash string, now time.Time) (hearth.Token, error) {
	t, used, err := scanToken(a.db.QueryRowContext(ctx, tokenColumns+`WHERE t.hash = $1`, hash))
	if err == nil && !t.Expires.IsZero() && !t.Expires.After(now) {
		err = sql.ErrNoRows
	}
	if err == nil && t.User != "" {
		_, grants, ok, grantsErr := grantsOf(ctx, a.db, t.User)
		if err = grantsErr; err == nil && !ok {
			err = sql.ErrNoRows
		}
		t.Grants = capped(grants, t)
		t.Scope = ""
		t.Scope = t.Most()
	}
	if err != nil {
		return hearth.Token{}, err
	}
	if now.Sub(used.Time) > usedCoarse {
		// A full disk must not lock out those who could mend it: the note is worth less than the answer.
		_ = a.Tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE tokens SET used = $1 WHERE hash = $2`, now.UnixMilli(), hash)
			return err
		})
	}
	return t, nil
}

const tokenColumns = `SELECT t.hash, t.name, t.scope, t.tenant, COALESCE(t.home, ''), COALESCE(t.user_id, ''), t.created, t.used, t.expires FROM tokens t `

func scanToken(row interface{ Scan(...any) error }) (t hearth.Token, used hearth.Time, err error) {
	var scope string
	var created, lastUse, expires int64
	err = row.Scan(&t.Hash, &t.Name, &scope, &t.Tenant, &t.Home, &t.User, &created, &lastUse, &expires)
	t.Scope, t.Created = hearth.Scope(scope), timeOf(created)
	if expires > 0 {
		t.Expires = timeOf(expires)
	}
	if lastUse > 0 {
		used = timeOf(lastUse)
	}
	return t, used, err
}

func (a *Accounts) remembered(key string, now time.Time) (t hearth.Token, fresh, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.cache[key]
	if ok && !c.token.Expires.IsZero() && !c.token.Expires.After(now) {
		delete(a.cache, key)
		return hearth.Token{}, false, false
	}
	return c.token, ok && now.Before(c.until), ok
}

func (a *Accounts) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.cache, key)
}

// forgetAll is for changes of what people and tokens may do: in this process they count at once.
func (a *Accounts) forgetAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.cache)
}

func (a *Accounts) remember(key string, t hearth.Token, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.cache) >= cacheSize {
		clear(a.cache)
	}
	a.cache[key] = cached{token: t, until: now.Add(cacheLife)}
}

// HasAdmin reports whether there is a token or a person that may do everything.
func (a *Accounts) HasAdmin(ctx context.Context) (bool, error) {
	var tokens, people int
	err := a.db.QueryRowContext(ctx, `SELECT count(*) FROM tokens WHERE scope = $1 AND home IS NULL AND tenant = '' AND user_id IS NULL AND expires = 0`, string(hearth.ScopeAdmin)).Scan(&tokens)
	if err == nil {
		err = a.db.QueryRowContext(ctx, `SELECT count(*) FROM grants g JOIN users u ON u.id = g.user_id WHERE g.scope = $1 AND g.tenant = '' AND g.home = '' AND u.disabled = 0`, string(hearth.ScopeAdmin)).Scan(&people)
	}
	if err != nil {
		return false, fmt.Errorf("looking for an administrator: %w", err)
	}
	return tokens+people > 0, nil
}
