package accounts

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode"

	"hearth"
)

// A User is a person who signs in with an e-mail address and a password.
type User struct {
	ID       string      `json:"id"`
	Email    string      `json:"email"`
	Name     string      `json:"name"`
	Created  hearth.Time `json:"created"`
	Seen     hearth.Time `json:"seen"`     // when they were last here, to the hour
	Invited  bool        `json:"invited"`  // has not set a password yet
	Disabled bool        `json:"disabled"` // cannot sign in
	Managed  bool        `json:"managed"`  // all of their rights lie where the asker is an administrator: the asker may change, remove and send links to them
	Grants   []Right     `json:"grants"`   // those that the asker may know of
}

// A Right is a grant as people speak of it.
type Right struct {
	Role   string `json:"role"` // admin, operator or viewer
	Tenant string `json:"tenant,omitempty"`
	Home   string `json:"home,omitempty"`
	of     string // the home's tenant
}

// Roles are the words for a person's scopes, from the greatest.
func Roles() []string { return []string{"admin", "operator", "viewer"} }

// ScopeOf returns the scope of a role, "" for what is none.
func ScopeOf(role string) hearth.Scope {
	switch role {
	case "admin":
		return hearth.ScopeAdmin
	case "operator":
		return hearth.ScopeControl
	case "viewer":
		return hearth.ScopeRead
	}
	return ""
}

// RoleOf returns the role that a person's scope is.
func RoleOf(scope hearth.Scope) string {
	for _, role := range Roles() {
		if ScopeOf(role) == scope {
			return role
		}
	}
	return ""
}

func (r Right) grant() hearth.Grant {
	return hearth.Grant{Scope: ScopeOf(r.Role), Tenant: r.Tenant, Home: r.Home}
}

// within reports whether asker is an administrator of all that the right reaches.
func (r Right) within(asker hearth.Token) bool {
	tenant := r.Tenant
	if r.Home != "" {
		tenant = r.of
	}
	return asker.In(tenant, r.Home).Allows(hearth.ScopeAdmin)
}

// inside reports whether the right lies where another one does: who administers all of that place administers this one.
func (r Right) inside(other Right) bool {
	switch {
	case other.Home != "":
		return r.Home == other.Home
	case other.Tenant != "":
		return r.Tenant == other.Tenant || r.Home != "" && r.of == other.Tenant
	}
	return true
}

// everywhere reports whether asker is an administrator of the whole receiver.
func everywhere(asker hearth.Token) bool { return asker.In("", "").Allows(hearth.ScopeAdmin) }

// seenBy leaves of a person what asker may know. False: asker must not know of them at all.
func (u User) seenBy(asker hearth.Token) (User, bool) {
	all := u.Grants
	u.Grants = []Right{}
	for _, right := range all {
		if right.within(asker) {
			u.Grants = append(u.Grants, right)
		}
	}
	u.Managed = everywhere(asker) || len(all) > 0 && len(u.Grants) == len(all)
	return u, u.Managed || len(u.Grants) > 0
}

func missingUser() error { return hearth.Errorf(hearth.CodeNotFound, "there is no such person") }

// plainEmail returns an address as it is kept.
func plainEmail(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	bad := hearth.Errorf(hearth.CodeBadValue, "want an e-mail address, as in ada@example.org")
	if len(email) > 254 || strings.ContainsFunc(email, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return "", bad
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || parsed.Name != "" {
		return "", bad
	}
	return email, nil
}

// queries is what both a database and a transaction can be asked.
type queries interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const userColumns = `SELECT id, email, name, password, created, seen, disabled FROM users `

// readUsers returns all people with all of their rights, by address.
func readUsers(ctx context.Context, q queries) ([]User, error) {
	rights, err := readRights(ctx, q)
	if err != nil {
		return nil, err
	}
	rows, err := q.QueryContext(ctx, userColumns+`ORDER BY email`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	users := []User{}
	for rows.Next() {
		u, _, err := scanUser(rows)
		if err != nil {
			return nil, err
		}
		u.Grants = rights[u.ID]
		users = append(users, u)
	}
	return users, rows.Err()
}

func scanUser(row interface{ Scan(...any) error }) (u User, password string, err error) {
	var created, seen, disabled int64
	err = row.Scan(&u.ID, &u.Email, &u.Name, &password, &created, &seen, &disabled)
	u.Created, u.Disabled, u.Invited = timeOf(created), disabled != 0, password == ""
	if seen > 0 {
		u.Seen = timeOf(seen)
	}
	return u, password, err
}

const rightColumns = `SELECT g.user_id, g.scope, g.tenant, g.home, COALESCE(h.tenant, '') FROM grants g LEFT JOIN homes h ON h.id = g.home `

func readRights(ctx context.Context, q queries) (map[string][]Right, error) {
	return rightsFrom(q.QueryContext(ctx, rightColumns+`ORDER BY g.tenant, g.home`))
}

func rightsFrom(rows *sql.Rows, err error) (map[string][]Right, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	rights := map[string][]Right{}
	for rows.Next() {
		var user, scope string
		var r Right
		if err := rows.Scan(&user, &scope, &r.Tenant, &r.Home, &r.of); err != nil {
			return nil, err
		}
		r.Role = RoleOf(hearth.Scope(scope))
		rights[user] = append(rights[user], r)
	}
	return rights, rows.Err()
}

// readUser returns one person with all rights; code not_found if there is none.
func readUser(ctx context.Context, q queries, id string) (User, error) {
	u, _, err := scanUser(q.QueryRowContext(ctx, userColumns+`WHERE id = $1`, storable(id)))
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, missingUser()
	}
	if err != nil {
		return User{}, err
	}
	rights, err := rightsFrom(q.QueryContext(ctx, rightColumns+`WHERE g.user_id = $1 ORDER BY g.tenant, g.home`, id))
	u.Grants = rights[id]
	return u, err
}

// Users returns the people in whose rights asker has a say, by address.
func (a *Accounts) Users(ctx context.Context, asker hearth.Token) ([]User, error) {
	all, err := readUsers(ctx, a.db)
	if err != nil {
		return nil, fmt.Errorf("listing the people: %w", err)
	}
	seen := []User{}
	for _, u := range all {
		if u, ok := u.seenBy(asker); ok {
			seen = append(seen, u)
		}
	}
	return seen, nil
}

// User returns one of those. Code not_found: there is nobody of that id, or asker must not know of them.
func (a *Accounts) User(ctx context.Context, asker hearth.Token, id string) (User, error) {
	return findUser(ctx, a.db, asker, id)
}

func findUser(ctx context.Context, q queries, asker hearth.Token, id string) (User, error) {
	u, err := readUser(ctx, q, id)
	if err != nil {
		return User{}, err
	}
	u, ok := u.seenBy(asker)
	if !ok {
		return User{}, missingUser()
	}
	return u, nil
}

// managed is findUser for what only those may do who have a say in all that the person may do: who could set somebody's
// password, or the address that it is sent to, could do whatever they may do elsewhere.
func managed(ctx context.Context, q queries, asker hearth.Token, id string) (User, error) {
	u, err := findUser(ctx, q, asker, id)
	if err == nil && !u.Managed {
		err = hearth.Errorf(hearth.CodeDenied, "%s has rights elsewhere too, so only an administrator of all of it may do this; you can change the rights that you see", u.Email)
	}
	return u, err
}

// AddUser gives the person of that address a right, who is made if need be. New is false where there was an account of
// that address already. Errors: bad_value; denied: asker may not give that; not_found: the home or tenant; conflict: the
// person has that right or another one there.
func (a *Accounts) AddUser(ctx context.Context, asker hearth.Token, email, name string, right Right) (u User, fresh bool, err error) {
	if email, err = plainEmail(email); err != nil {
		return User{}, false, err
	}
	if name, err = personName(name); err != nil {
		return User{}, false, err
	}
	err = a.Tx(ctx, func(tx *sql.Tx) error {
		if err := a.checkRight(ctx, tx, asker, &right); err != nil {
			return err
		}
		id, taken := "", 0
		err := tx.QueryRowContext(ctx, `SELECT id FROM users WHERE email = $1`, email).Scan(&id)
		if fresh = errors.Is(err, sql.ErrNoRows); fresh {
			id = "u" + strings.ToLower(rand.Text()[:9])
			_, err = tx.ExecContext(ctx, `INSERT INTO users (id, email, name, created) VALUES ($1, $2, $3, $4)`, id, email, name, a.millis())
		}
		if err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM grants WHERE user_id = $1 AND tenant = $2 AND home = $3`, id, right.Tenant, right.Home).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return hearth.Errorf(hearth.CodeConflict, "%s has a role there already: change it", email)
		}
		if err := a.putRight(ctx, tx, asker, id, right); err != nil {
			return err
		}
		u, err = findUser(ctx, tx, asker, id)
		return err
	})
	if err != nil {
		return User{}, false, fmt.Errorf("adding a person: %w", err)
	}
	a.forgetAll()
	return u, fresh, nil
}

func personName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", nil
	}
	return name, checkName("person", name)
}

// A UserChange is what is to be changed of a person; nil stays.
type UserChange struct {
	Email, Name *string
	Disabled    *bool
}

// ChangeUser changes a person. Disabling them, or another address, ends their sessions and links. Errors: not_found;
// denied; bad_value; conflict: the address is taken, or nobody would be left to administer.
func (a *Accounts) ChangeUser(ctx context.Context, asker hearth.Token, id string, change UserChange) (User, error) {
	var u User
	err := a.keepAdmins(ctx, func(tx *sql.Tx) error {
		var err error
		if u, err = managed(ctx, tx, asker, id); err != nil {
			return err
		}
		before := u
		if err := change.apply(ctx, tx, &u); err != nil {
			return err
		}
		disabled := 0
		if u.Disabled {
			disabled = 1
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET email = $1, name = $2, disabled = $3 WHERE id = $4`, u.Email, u.Name, disabled, id); err != nil {
			return err
		}
		if u.Disabled == before.Disabled && u.Email == before.Email {
			return nil
		}
		return signOut(ctx, tx, id)
	})
	if err != nil {
		return User{}, fmt.Errorf("changing a person: %w", err)
	}
	a.forgetAll()
	return u, nil
}

func (c UserChange) apply(ctx context.Context, tx *sql.Tx, u *User) (err error) {
	if c.Email != nil {
		if u.Email, err = plainEmail(*c.Email); err != nil {
			return err
		}
		var taken int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM users WHERE email = $1 AND id <> $2`, u.Email, u.ID).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return hearth.Errorf(hearth.CodeConflict, "somebody else has that address")
		}
	}
	if c.Name != nil {
		if u.Name, err = personName(*c.Name); err != nil {
			return err
		}
	}
	if c.Disabled != nil {
		u.Disabled = *c.Disabled
	}
	return nil
}

// signOut ends all sessions and links of a person.
func signOut(ctx context.Context, tx *sql.Tx, id string) error {
	for _, statement := range []string{`DELETE FROM sessions WHERE user_id = $1`, `DELETE FROM links WHERE user_id = $1`} {
		if _, err := tx.ExecContext(ctx, statement, id); err != nil {
			return err
		}
	}
	return nil
}

// SignOut ends all sessions and links of a person in whose every right asker has a say.
func (a *Accounts) SignOut(ctx context.Context, asker hearth.Token, id string) error {
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := managed(ctx, tx, asker, id); err != nil {
			return err
		}
		return signOut(ctx, tx, id)
	})
	if err != nil {
		return fmt.Errorf("ending a person's sessions: %w", err)
	}
	a.forgetAll()
	return nil
}

// RemoveUser removes a person with their tokens and sessions. Errors as ChangeUser has.
func (a *Accounts) RemoveUser(ctx context.Context, asker hearth.Token, id string) (User, error) {
	var u User
	err := a.keepAdmins(ctx, func(tx *sql.Tx) error {
		var err error
		if u, err = managed(ctx, tx, asker, id); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM users WHERE id = $1`, id)
		return err
	})
	if err != nil {
		return User{}, fmt.Errorf("removing a person: %w", err)
	}
	a.forgetAll()
	return u, nil
}
