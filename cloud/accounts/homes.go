package accounts

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hearth"
)

// ClaimLife is how long a claim code works.
const ClaimLife = 24 * time.Hour

// A Home is a household with at most one gateway.
type Home struct {
	ID      string
	Name    string // unique within its tenant
	Tenant  string
	Created hearth.Time
}

// A Code lets one gateway join a home, once. It is shown to a person and never stored.
type Code struct {
	Secret  string // as in ABCD-EFGH
	Expires hearth.Time
}

// AddHome makes a home of a tenant, "" being the main one, and the code that its gateway joins with. A name that the
// tenant has already is code conflict, one that cannot be a name bad_value, an unknown tenant not_found.
func (a *Accounts) AddHome(ctx context.Context, tenant, name string) (Home, Code, error) {
	name, tenant = strings.TrimSpace(name), cmp.Or(tenant, MainTenant)
	if err := checkName("home", name); err != nil {
		return Home{}, Code{}, err
	}
	home := Home{ID: "h" + strings.ToLower(rand.Text()[:9]), Name: name, Tenant: tenant, Created: timeOf(a.millis())}
	code := a.freshCode()
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		if err := tenantIsThere(ctx, tx, tenant); err != nil {
			return err
		}
		if err := homeNameIsFree(ctx, tx, home); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO homes (id, name, label, tenant, created) VALUES ($1, $1, $2, $3, $4)`,
			home.ID, home.Name, home.Tenant, home.Created.UnixMilli()); err != nil {
			return err
		}
		return putCode(ctx, tx, home.ID, code)
	})
	if err != nil {
		return Home{}, Code{}, fmt.Errorf("adding a home: %w", err)
	}
	return home, code, nil
}

// homeNameIsFree also looks at ids: `bucket` and `db` take either, so no home may be called what another one is.
func homeNameIsFree(ctx context.Context, tx *sql.Tx, home Home) error {
	var taken int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM homes WHERE (tenant = $1 AND label = $2 OR id = $2) AND id <> $3`, home.Tenant, home.Name, home.ID).Scan(&taken)
	if err == nil && taken > 0 {
		err = hearth.Errorf(hearth.CodeConflict, "there is a home %q already: choose another name", home.Name)
	}
	return err
}

// checkName says why something cannot be called that.
func checkName(what, name string) error {
	switch {
	case name == "":
		return hearth.Errorf(hearth.CodeBadValue, "a %s needs a name", what)
	case len(name) > 100 || !utf8.ValidString(name):
		return hearth.Errorf(hearth.CodeBadValue, "a %s's name is at most 100 bytes of UTF-8", what)
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return hearth.Errorf(hearth.CodeBadValue, "a %s's name has printable characters only", what)
	}
	return nil
}

// Visible returns the homes in which token may at least read, by name.
func (a *Accounts) Visible(ctx context.Context, token hearth.Token) ([]Home, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, label, tenant, created FROM homes ORDER BY label, id`)
	if err != nil {
		return nil, fmt.Errorf("listing the homes: %w", err)
	}
	defer rows.Close()
	homes := []Home{}
	for rows.Next() {
		h, err := scanHome(rows)
		if err != nil {
			return nil, fmt.Errorf("listing the homes: %w", err)
		}
		if token.In(h.Tenant, h.ID).Allows(hearth.ScopeRead) {
			homes = append(homes, h)
		}
	}
	return homes, rows.Err()
}

func scanHome(row interface{ Scan(...any) error }) (Home, error) {
	var h Home
	var created int64
	err := row.Scan(&h.ID, &h.Name, &h.Tenant, &created)
	h.Created = timeOf(created)
	return h, err
}

// Home returns the home of that id; code not_found if there is none.
func (a *Accounts) Home(ctx context.Context, id string) (Home, error) { return readHome(ctx, a.db, id) }

func readHome(ctx context.Context, q queries, id string) (Home, error) {
	h, err := scanHome(q.QueryRowContext(ctx, `SELECT id, label, tenant, created FROM homes WHERE id = $1`, storable(id)))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Home{}, missingHome()
	case err != nil:
		return Home{}, fmt.Errorf("looking for a home: %w", err)
	}
	return h, nil
}

// NamedHome returns the home that token sees by that id or name. Code not_found if there is none, conflict if several
// tenants have one of that name.
func (a *Accounts) NamedHome(ctx context.Context, token hearth.Token, idOrName string) (Home, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, label, tenant, created FROM homes WHERE id = $1 OR label = $1`, storable(idOrName))
	if err != nil {
		return Home{}, fmt.Errorf("looking for a home: %w", err)
	}
	defer rows.Close()
	var found []Home
	for rows.Next() {
		h, err := scanHome(rows)
		if err != nil {
			return Home{}, fmt.Errorf("looking for a home: %w", err)
		}
		if token.In(h.Tenant, h.ID) != "" {
			found = append(found, h)
		}
	}
	switch {
	case rows.Err() != nil:
		return Home{}, fmt.Errorf("looking for a home: %w", rows.Err())
	case len(found) == 0:
		return Home{}, missingHome()
	case len(found) > 1:
		return Home{}, hearth.Errorf(hearth.CodeConflict, "several tenants have a home of that name: name it by its id")
	}
	return found[0], nil
}

func missingHome() error { return hearth.Errorf(hearth.CodeNotFound, "there is no such home") }

// Claim trades a code for the token of the home's gateway. A code that is unknown, used or too old is code not_found.
func (a *Accounts) Claim(ctx context.Context, code string) (hearth.Claim, error) {
	var claim hearth.Claim
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `UPDATE claims SET used = $1 WHERE hash = $2 AND used = 0 AND expires > $1 RETURNING home`,
			a.millis(), hearth.HashSecret(plainCode(code))).Scan(&claim.Home)
		if errors.Is(err, sql.ErrNoRows) {
			return hearth.Errorf(hearth.CodeNotFound, "this claim code is not known, was used already, or is older than a day: add the home again to get a new one")
		}
		if err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, `SELECT label FROM homes WHERE id = $1`, claim.Home).Scan(&claim.Name); err != nil {
			return err
		}
		// A home has one gateway: the one before, if there was one, is out.
		if _, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE home = $1 AND scope = $2`, claim.Home, string(hearth.ScopeGateway)); err != nil {
			return err
		}
		claim.TokenName = "gateway-" + claim.Home
		var taken int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM tokens WHERE name = $1`, claim.TokenName).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 { // somebody chose that name by hand
			claim.TokenName += "-" + strings.ToLower(rand.Text()[:6])
		}
		claim.Token, err = a.insertToken(ctx, tx, hearth.Token{Name: claim.TokenName, Scope: hearth.ScopeGateway, Home: claim.Home})
		return err
	})
	if err != nil {
		return hearth.Claim{}, fmt.Errorf("claiming a home: %w", err)
	}
	a.forgetAll()
	return claim, nil
}

// NewCode makes another code with which a gateway joins a home, in place of codes that nobody has used yet. The gateway
// that it has works on until another one joins.
func (a *Accounts) NewCode(ctx context.Context, home string) (Code, error) {
	code := a.freshCode()
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := readHome(ctx, tx, home); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM claims WHERE home = $1 AND used = 0`, home); err != nil {
			return err
		}
		return putCode(ctx, tx, home, code)
	})
	if err != nil {
		return Code{}, fmt.Errorf("making a claim code: %w", err)
	}
	return code, nil
}

func (a *Accounts) freshCode() Code {
	return Code{Secret: newCode(), Expires: timeOf(a.now().Add(ClaimLife).UnixMilli())}
}

func putCode(ctx context.Context, tx *sql.Tx, home string, code Code) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO claims (hash, home, expires) VALUES ($1, $2, $3)`,
		hearth.HashSecret(plainCode(code.Secret)), home, code.Expires.UnixMilli())
	return err
}

// newCode returns eight letters that cannot be taken for one another, in two groups: 37 bits, enough for a day at ten
// tries a minute.
func newCode() string {
	const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
	var b strings.Builder
	for i := range 8 {
		if i == 4 {
			b.WriteByte('-')
		}
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			panic("crypto/rand never fails: " + err.Error())
		}
		b.WriteByte(letters[n.Int64()])
	}
	return b.String()
}

// plainCode is the code as it is hashed, however a person typed it.
func plainCode(code string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, code)
}
