package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"hearth"
)

// checkRight says why asker cannot give or take a right, and completes it.
func (a *Accounts) checkRight(ctx context.Context, tx *sql.Tx, asker hearth.Token, right *Right) error {
	right.Home, right.Tenant = storable(right.Home), storable(right.Tenant)
	switch {
	case ScopeOf(right.Role) == "":
		return hearth.Errorf(hearth.CodeBadValue, "role %.50q: want admin, operator or viewer", right.Role)
	case right.Home != "" && right.Tenant != "":
		return hearth.Errorf(hearth.CodeBadValue, "a role is in a home or in a tenant: name one of them")
	case right.Home != "":
		err := tx.QueryRowContext(ctx, `SELECT tenant FROM homes WHERE id = $1`, right.Home).Scan(&right.of)
		if errors.Is(err, sql.ErrNoRows) || err == nil && asker.In(right.of, right.Home) == "" {
			return missingHome()
		}
		if err != nil {
			return err
		}
	case right.Tenant != "":
		if asker.In(right.Tenant, "") == "" {
			return missingTenant()
		}
		if err := tenantIsThere(ctx, tx, right.Tenant); err != nil {
			return err
		}
	}
	if !right.within(asker) {
		return hearth.Errorf(hearth.CodeDenied, "only an administrator there gives and takes roles")
	}
	return nil
}

func (a *Accounts) putRight(ctx context.Context, tx *sql.Tx, asker hearth.Token, id string, right Right) error {
	if err := a.checkRight(ctx, tx, asker, &right); err != nil {
		return err
	}
	if err := endLinks(ctx, tx, id, right); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO grants (user_id, tenant, home, scope) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id, tenant, home) DO UPDATE SET scope = excluded.scope`, id, right.Tenant, right.Home, string(right.grant().Scope))
	return err
}

// endLinks ends the links of a person who gets a right beyond those they have: whoever made one administers all that the
// person could do until then, and could do the rest with it.
func endLinks(ctx context.Context, tx *sql.Tx, id string, right Right) error {
	rights, err := rightsFrom(tx.QueryContext(ctx, rightColumns+`WHERE g.user_id = $1`, id))
	if err != nil || slices.ContainsFunc(rights[id], right.inside) {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM links WHERE user_id = $1`, id)
	return err
}

// Give gives a person that asker sees a right, in place of the one that they have there. Errors: not_found: the person,
// home or tenant; bad_value; denied; conflict: nobody would be left to administer.
func (a *Accounts) Give(ctx context.Context, asker hearth.Token, id string, right Right) (User, error) {
	return a.changeRights(ctx, asker, id, func(tx *sql.Tx) error { return a.putRight(ctx, tx, asker, id, right) })
}

// Take takes a person's right in a home, a tenant, or with neither on the whole receiver. Errors as Give has.
func (a *Accounts) Take(ctx context.Context, asker hearth.Token, id, tenant, home string) (User, error) {
	return a.changeRights(ctx, asker, id, func(tx *sql.Tx) error {
		right := Right{Role: RoleOf(hearth.ScopeRead), Tenant: tenant, Home: home} // which of them it is does not matter
		if err := a.checkRight(ctx, tx, asker, &right); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM grants WHERE user_id = $1 AND tenant = $2 AND home = $3`, id, right.Tenant, right.Home)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, hearth.Errorf(hearth.CodeNotFound, "this person has no role there"))
		}
		return nil
	})
}

// changeRights also returns the person as they are then. Who has lost the last right that asker sees is still shown,
// this once.
func (a *Accounts) changeRights(ctx context.Context, asker hearth.Token, id string, change func(*sql.Tx) error) (User, error) {
	var u User
	err := a.keepAdmins(ctx, func(tx *sql.Tx) error {
		if _, err := findUser(ctx, tx, asker, id); err != nil {
			return err
		}
		if err := change(tx); err != nil {
			return err
		}
		after, err := readUser(ctx, tx, id)
		u, _ = after.seenBy(asker)
		return err
	})
	if err != nil {
		return User{}, fmt.Errorf("changing what a person may do: %w", err)
	}
	a.forgetAll()
	return u, nil
}

// administratorsLock is the number of the lock in PostgreSQL under which people's rights change: of two administrators
// who remove each other at the same moment, one has to come second.
const administratorsLock int64 = 4843720482

// keepAdmins is Tx for changes after which there might be nobody left to administer: code conflict, and nothing has
// changed. Who has not set a password yet, or is disabled, does not count.
func (a *Accounts) keepAdmins(ctx context.Context, change func(*sql.Tx) error) error {
	return a.Tx(ctx, func(tx *sql.Tx) error {
		if a.postgres {
			if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, administratorsLock); err != nil {
				return err
			}
		}
		before, err := administrators(ctx, tx)
		if err != nil {
			return err
		}
		if err := change(tx); err != nil {
			return err
		}
		after, err := administrators(ctx, tx)
		if err != nil {
			return err
		}
		if before[""] > 0 && after[""] == 0 {
			return hearth.Errorf(hearth.CodeConflict, "this is the last administrator of the receiver, and nobody could get in to make another: make somebody else one first")
		}
		for tenant := range before {
			if after[tenant] == 0 && after[""] == 0 {
				return hearth.Errorf(hearth.CodeConflict, "this is the last administrator of the tenant, and there is none of the receiver who could make another: make somebody else one first")
			}
		}
		return nil
	})
}

// administrators returns how many people can sign in and administer each tenant; "" is the whole receiver.
func administrators(ctx context.Context, q queries) (map[string]int, error) {
	rows, err := q.QueryContext(ctx, `SELECT g.tenant, count(*) FROM grants g JOIN users u ON u.id = g.user_id
		WHERE g.scope = $1 AND g.home = '' AND u.disabled = 0 AND u.password <> '' GROUP BY g.tenant`, string(hearth.ScopeAdmin))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var tenant string
		var n int
		if err := rows.Scan(&tenant, &n); err != nil {
			return nil, err
		}
		counts[tenant] = n
	}
	return counts, rows.Err()
}

// HasPeople reports whether anybody can sign in.
func (a *Accounts) HasPeople(ctx context.Context) (bool, error) {
	var n int
	if err := a.db.QueryRowContext(ctx, `SELECT count(*) FROM users WHERE password <> '' AND disabled = 0`).Scan(&n); err != nil {
		return false, fmt.Errorf("looking for people: %w", err)
	}
	return n > 0, nil
}

// grantsOf returns what a person may do now; false where they are disabled or gone. The grants are never nil.
func grantsOf(ctx context.Context, q queries, user string) (email string, grants []hearth.Grant, ok bool, err error) {
	var disabled int64
	err = q.QueryRowContext(ctx, `SELECT email, disabled FROM users WHERE id = $1`, user).Scan(&email, &disabled)
	if errors.Is(err, sql.ErrNoRows) || err == nil && disabled != 0 {
		return "", nil, false, nil
	}
	if err != nil {
		return "", nil, false, err
	}
	rights, err := rightsFrom(q.QueryContext(ctx, rightColumns+`WHERE g.user_id = $1 ORDER BY g.tenant, g.home`, user))
	grants = []hearth.Grant{}
	for _, right := range rights[user] {
		grants = append(grants, right.grant())
	}
	return email, grants, err == nil, err
}

// capped returns what of a person's grants a token of theirs is good for.
func capped(grants []hearth.Grant, t hearth.Token) []hearth.Grant {
	left := []hearth.Grant{}
	for _, g := range grants {
		if g.Tenant != "" && t.Tenant != "" && g.Tenant != t.Tenant || g.Home != "" && t.Home != "" && g.Home != t.Home {
			continue
		}
		if g.Tenant == "" {
			g.Tenant = t.Tenant
		}
		if g.Home == "" {
			g.Home = t.Home
		}
		switch {
		case g.Scope.Allows(t.Scope):
			g.Scope = t.Scope
		case !t.Scope.Allows(g.Scope):
			continue
		}
		left = append(left, g)
	}
	return left
}
