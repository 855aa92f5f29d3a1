package accounts

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"hearth"
)

// How long links work.
const (
	InviteLife = 72 * time.Hour
	ResetLife  = 24 * time.Hour
)

// LinkPath is what stands before a link's secret in its address.
const LinkPath = "/link?secret="

// A Link lets a person set their password, once. It is shown once, and only its hash is kept.
type Link struct {
	Secret  string
	Expires hearth.Time
}

// Root is who works on the receiver's own machine: they may do everything.
func Root() hearth.Token { return hearth.Token{Name: "command line", Scope: hearth.ScopeAdmin} }

// Invite gives the person of that address a right in a home, a tenant, or with neither on the whole receiver, and
// returns the secret of a link with which they set their password: for the command line, which may do everything. Whom
// there is already gets the right in place of the one they had there, and a link as well.
func (a *Accounts) Invite(ctx context.Context, email string, scope hearth.Scope, tenant, home string) (secret string, err error) {
	right := Right{Role: RoleOf(scope), Tenant: tenant, Home: home}
	if right.Role == "" {
		return "", hearth.Errorf(hearth.CodeBadValue, "the role is admin, operator or viewer")
	}
	u, _, err := a.AddUser(ctx, Root(), email, "", right)
	if errors.Is(err, &hearth.Error{Code: hearth.CodeConflict}) {
		if u, err = a.userOf(ctx, email); err == nil {
			u, err = a.Give(ctx, Root(), u.ID, right)
		}
	}
	if err != nil {
		return "", err
	}
	link, err := a.NewLink(ctx, Root(), u.ID)
	if err != nil {
		return "", err
	}
	entry := AuditEntry{Tenant: tenant, Home: home, Who: Root().Name, Action: "addUser", About: u.ID, Detail: right.Role + " " + u.Email}
	return link.Secret, a.Audit(ctx, entry)
}

// userOf returns the person of that address with all rights; code not_found if there is none.
func (a *Accounts) userOf(ctx context.Context, email string) (User, error) {
	email, err := plainEmail(email)
	if err != nil {
		return User{}, err
	}
	id := ""
	err = a.db.QueryRowContext(ctx, `SELECT id FROM users WHERE email = $1`, email).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, missingUser()
	}
	if err != nil {
		return User{}, fmt.Errorf("looking for a person: %w", err)
	}
	return readUser(ctx, a.db, id)
}

// NewLink makes the link with which a person sets a password, in place of an earlier one: an invitation for who has none
// yet. Errors: not_found; denied: asker has no say in all that the person may do; conflict: they are disabled.
func (a *Accounts) NewLink(ctx context.Context, asker hearth.Token, id string) (Link, error) {
	var link Link
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		u, err := managed(ctx, tx, asker, id)
		if err != nil {
			return err
		}
		link, err = a.putLink(ctx, tx, u)
		return err
	})
	if err != nil {
		return Link{}, fmt.Errorf("making a link: %w", err)
	}
	return link, nil
}

// oneForgotten is how often a person is sent a link that they may not have asked for.
const oneForgotten = 5 * time.Minute

// Forgotten makes the link for a person who asks for it themselves, and which must go to nobody but their address. Code
// not_found: nobody there can sign in; busy: they got one a moment ago.
func (a *Accounts) Forgotten(ctx context.Context, email string) (User, Link, error) {
	u, err := a.userOf(ctx, email)
	if err != nil {
		return User{}, Link{}, err
	}
	if u.Disabled {
		return User{}, Link{}, missingUser()
	}
	var link Link
	err = a.Tx(ctx, func(tx *sql.Tx) error {
		var fresh int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM links WHERE user_id = $1 AND used = 0 AND expires > $2`, u.ID, a.now().Add(linkLife(u)-oneForgotten).UnixMilli()).Scan(&fresh); err != nil {
			return err
		}
		if fresh > 0 {
			return hearth.Errorf(hearth.CodeBusy, "a link was made a moment ago")
		}
		link, err = a.putLink(ctx, tx, u)
		return err
	})
	if err != nil {
		return User{}, Link{}, fmt.Errorf("making a link: %w", err)
	}
	return u, link, nil
}

func linkLife(u User) time.Duration {
	if u.Invited {
		return InviteLife
	}
	return ResetLife
}

func (a *Accounts) putLink(ctx context.Context, tx *sql.Tx, u User) (Link, error) {
	if u.Disabled {
		return Link{}, hearth.Errorf(hearth.CodeConflict, "%s is disabled: enable them first", u.Email)
	}
	link := Link{Secret: "link_" + rand.Text(), Expires: timeOf(a.now().Add(linkLife(u)).UnixMilli())}
	if _, err := tx.ExecContext(ctx, `DELETE FROM links WHERE user_id = $1`, u.ID); err != nil {
		return Link{}, err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO links (hash, user_id, expires) VALUES ($1, $2, $3)`, hearth.HashSecret(link.Secret), u.ID, link.Expires.UnixMilli())
	return link, err
}

func missingLink() error {
	return hearth.Errorf(hearth.CodeNotFound, "this link is not known, was used already, or is too old: ask for a new one")
}

// LinkOf returns whose password a link sets; code not_found if it sets nobody's any more.
func (a *Accounts) LinkOf(ctx context.Context, secret string) (User, error) {
	return a.linkOf(ctx, a.db, secret)
}

func (a *Accounts) linkOf(ctx context.Context, q queries, secret string) (User, error) {
	var id string
	err := q.QueryRowContext(ctx, `SELECT user_id FROM links WHERE hash = $1 AND used = 0 AND expires > $2`, hearth.HashSecret(secret), a.millis()).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, missingLink()
	}
	var u User
	if err == nil {
		u, err = readUser(ctx, q, id)
	}
	if err != nil {
		return User{}, fmt.Errorf("looking for a link: %w", err)
	}
	if u.Disabled {
		return User{}, missingLink()
	}
	return u, nil
}

// UseLink sets the password of the person whom the link is for, and ends all of their sessions. Errors: not_found;
// bad_value: it cannot be the password, and the link still works.
func (a *Accounts) UseLink(ctx context.Context, secret, password string) (User, error) {
	u, err := a.LinkOf(ctx, secret)
	if err != nil {
		return User{}, err
	}
	if err := checkPassword(password, u.Email); err != nil {
		return User{}, err
	}
	hash, err := a.passwords.hash(ctx, password)
	if err != nil {
		return User{}, fmt.Errorf("setting a password: %w", err)
	}
	err = a.Tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE links SET used = $1 WHERE hash = $2 AND used = 0 AND expires > $1`, a.millis(), hearth.HashSecret(secret))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, missingLink())
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET password = $1 WHERE id = $2`, hash, u.ID); err != nil {
			return err
		}
		return signOut(ctx, tx, u.ID)
	})
	if err != nil {
		return User{}, fmt.Errorf("setting a password: %w", err)
	}
	a.forgetAll()
	u.Invited = false
	return u, nil
}

// Known returns the person of that address and the one tenant in which all of their rights lie, "" where there is none:
// whose administrators read of their signing in. Code not_found: nobody has that address.
func (a *Accounts) Known(ctx context.Context, email string) (id, tenant string, err error) {
	u, err := a.userOf(ctx, email)
	if err != nil {
		return "", "", err
	}
	tenants := map[string]bool{}
	for _, right := range u.Grants {
		tenants[right.Tenant+right.of] = true // one of them is empty
	}
	for tenant := range tenants {
		if len(tenants) == 1 {
			return u.ID, tenant, nil
		}
	}
	return u.ID, "", nil
}
