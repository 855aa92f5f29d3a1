package accounts

import (
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
	Name    string
	Created hearth.Time
}

// A Code lets one gateway join a home, once. It is shown to a person and never stored.
type Code struct {
	Secret  string // as in ABCD-EFGH
	Expires hearth.Time
}

// AddHome makes a home and the code that its gateway joins with. A name that exists is code conflict, one that cannot
// be a name bad_value.
func (a *Accounts) AddHome(ctx context.Context, name string) (Home, Code, error) {
	name = strings.TrimSpace(name)
	if err := checkHomeName(name); err != nil {
		return Home{}, Code{}, err
	}
	home := Home{ID: "h" + strings.ToLower(rand.Text()[:9]), Name: name, Created: timeOf(a.millis())}
	code := Code{Secret: newCode(), Expires: timeOf(a.now().Add(ClaimLife).UnixMilli())}
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		var taken int
		// An id is a name too: `bucket` and `db` take either, so no home may be called what another one is.
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM homes WHERE name = $1 OR id = $1`, name).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return hearth.Errorf(hearth.CodeConflict, "there is a home %q already: choose another name", name)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO homes (id, name, created) VALUES ($1, $2, $3)`,
			home.ID, home.Name, home.Created.UnixMilli()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO claims (hash, home, expires) VALUES ($1, $2, $3)`,
			hearth.HashSecret(plainCode(code.Secret)), home.ID, code.Expires.UnixMilli())
		return err
	})
	if err != nil {
		return Home{}, Code{}, fmt.Errorf("adding a home: %w", err)
	}
	return home, code, nil
}

func checkHomeName(name string) error {
	switch {
	case name == "":
		return hearth.Errorf(hearth.CodeBadValue, "a home needs a name")
	case len(name) > 100 || !utf8.ValidString(name):
		return hearth.Errorf(hearth.CodeBadValue, "a home's name is at most 100 bytes of UTF-8")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return hearth.Errorf(hearth.CodeBadValue, "a home's name has printable characters only")
	}
	return nil
}

// Homes returns all homes, by name.
func (a *Accounts) Homes(ctx context.Context) ([]Home, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, name, created FROM homes ORDER BY name, id`)
	if err != nil {
		return nil, fmt.Errorf("listing the homes: %w", err)
	}
	defer rows.Close()
	homes := []Home{}
	for rows.Next() {
		var h Home
		var created int64
		if err := rows.Scan(&h.ID, &h.Name, &created); err != nil {
			return nil, fmt.Errorf("listing the homes: %w", err)
		}
		h.Created = timeOf(created)
		homes = append(homes, h)
	}
	return homes, rows.Err()
}

// Home returns the home of that id or name; code not_found if there is none.
func (a *Accounts) Home(ctx context.Context, idOrName string) (Home, error) {
	var h Home
	var created int64
	err := a.db.QueryRowContext(ctx, `SELECT id, name, created FROM homes WHERE id = $1 OR name = $1`, strings.ToValidUTF8(idOrName, "\uFFFD")).Scan(&h.ID, &h.Name, &created)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Home{}, hearth.Errorf(hearth.CodeNotFound, "there is no such home")
	case err != nil:
		return Home{}, fmt.Errorf("looking for a home: %w", err)
	}
	h.Created = timeOf(created)
	return h, nil
}

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
		if err := tx.QueryRowContext(ctx, `SELECT name FROM homes WHERE id = $1`, claim.Home).Scan(&claim.Name); err != nil {
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
		claim.Token, err = a.insertToken(ctx, tx, claim.TokenName, hearth.ScopeGateway, claim.Home)
		return err
	})
	if err != nil {
		return hearth.Claim{}, fmt.Errorf("claiming a home: %w", err)
	}
	return claim, nil
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
