package accounts

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"hearth"
)

// A HomeChange is what is to be changed of a home; nil stays.
type HomeChange struct{ Name, Tenant *string }

// ChangeHome renames a home or gives it to another tenant. Errors: not_found: the home or tenant; bad_value; conflict:
// the tenant has one of that name.
func (a *Accounts) ChangeHome(ctx context.Context, id string, change HomeChange) (Home, error) {
	var home Home
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		var err error
		if home, err = readHome(ctx, tx, id); err != nil {
			return err
		}
		if change.Name != nil {
			home.Name = strings.TrimSpace(*change.Name)
			if err := checkName("home", home.Name); err != nil {
				return err
			}
		}
		if change.Tenant != nil {
			home.Tenant = storable(*change.Tenant)
			if err := tenantIsThere(ctx, tx, home.Tenant); err != nil {
				return err
			}
		}
		if err := homeNameIsFree(ctx, tx, home); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE homes SET label = $1, tenant = $2 WHERE id = $3`, home.Name, home.Tenant, home.ID)
		return err
	})
	if err != nil {
		return Home{}, fmt.Errorf("changing a home: %w", err)
	}
	a.leave(id)
	return home, nil
}

// leave forgets where a home belongs.
func (a *Accounts) leave(home string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.places, home)
}

// RemoveHome removes a home and all that is kept of it, but not who did what there. First its tokens go, so that nothing
// new comes in, then erase removes what others keep of it, then the rest: if something fails on the way, the home is
// still listed and can be removed again.
func (a *Accounts) RemoveHome(ctx context.Context, id string, erase func(ctx context.Context, home string) error) error {
	home, err := a.Home(ctx, id)
	if err != nil {
		return err
	}
	err = a.Tx(ctx, func(tx *sql.Tx) error {
		return runAll(ctx, tx, home.ID, `DELETE FROM tokens WHERE home = $1`, `DELETE FROM claims WHERE home = $1`)
	})
	a.forgetAll()
	if err == nil {
		err = erase(ctx, home.ID)
	}
	if err == nil {
		err = a.Tx(ctx, func(tx *sql.Tx) error {
			return runAll(ctx, tx, home.ID, `DELETE FROM tokens WHERE home = $1`, `DELETE FROM grants WHERE home = $1`, `DELETE FROM alerts WHERE home = $1`,
				`DELETE FROM alert_rules WHERE home = $1`, `DELETE FROM homes WHERE id = $1`)
		})
	}
	if err != nil {
		return fmt.Errorf("removing a home: %w", err)
	}
	a.forgetAll()
	a.leave(id)
	return nil
}

func runAll(ctx context.Context, tx *sql.Tx, arg string, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement, arg); err != nil {
			return err
		}
	}
	return nil
}

// A TenantChange is what is to be changed of a tenant; nil stays.
type TenantChange struct {
	Name      *string
	Retention *time.Duration // 0: as long as the configuration says
}

// ChangeTenant renames a tenant, or says how long its readings are kept. Errors: not_found; bad_value; conflict.
func (a *Accounts) ChangeTenant(ctx context.Context, id string, change TenantChange) (Tenant, error) {
	tenant, err := a.Tenant(ctx, id)
	if err != nil {
		return Tenant{}, err
	}
	if change.Name != nil {
		tenant.Name = strings.TrimSpace(*change.Name)
		if err := checkName("tenant", tenant.Name); err != nil {
			return Tenant{}, err
		}
	}
	if change.Retention != nil {
		tenant.Retention = *change.Retention
		if tenant.Retention < 0 || tenant.Retention > 0 && tenant.Retention < 24*time.Hour {
			return Tenant{}, hearth.Errorf(hearth.CodeBadValue, "readings are kept for a day at least, or 0 for as long as the configuration says")
		}
	}
	err = a.Tx(ctx, func(tx *sql.Tx) error {
		if err := tenantNameIsFree(ctx, tx, tenant); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE tenants SET name = $1, retention = $2 WHERE id = $3`, tenant.Name, tenant.Retention.Milliseconds(), id)
		return err
	})
	if err != nil {
		return Tenant{}, fmt.Errorf("changing a tenant: %w", err)
	}
	return tenant, nil
}

func tenantNameIsFree(ctx context.Context, tx *sql.Tx, tenant Tenant) error {
	var taken int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM tenants WHERE name = $1 AND id <> $2`, tenant.Name, tenant.ID).Scan(&taken)
	if err == nil && taken > 0 {
		err = hearth.Errorf(hearth.CodeConflict, "there is a tenant %q already: choose another name", tenant.Name)
	}
	return err
}

// HomesOf returns a tenant's homes, by name.
func (a *Accounts) HomesOf(ctx context.Context, tenant string) ([]Home, error) {
	return a.Visible(ctx, hearth.Token{Scope: hearth.ScopeRead, Tenant: tenant})
}

// RemoveTenant removes a tenant that has no homes, with the rights and tokens in it. Errors: not_found; conflict: it is
// the main one, or has homes.
func (a *Accounts) RemoveTenant(ctx context.Context, id string) error {
	if id == MainTenant {
		return hearth.Errorf(hearth.CodeConflict, "the main tenant stays: homes that name no other belong to it")
	}
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		if err := tenantIsThere(ctx, tx, id); err != nil {
			return err
		}
		var homes int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM homes WHERE tenant = $1`, id).Scan(&homes); err != nil {
			return err
		}
		if homes > 0 {
			return hearth.Errorf(hearth.CodeConflict, "the tenant has homes (%d): move or delete them first, or say force=homes to delete them with all their readings", homes)
		}
		return runAll(ctx, tx, id, `DELETE FROM tokens WHERE tenant = $1`, `DELETE FROM grants WHERE tenant = $1`, `DELETE FROM alerts WHERE tenant = $1`,
			`DELETE FROM alert_rules WHERE tenant = $1`, `DELETE FROM targets WHERE tenant = $1`, `DELETE FROM device_groups WHERE tenant = $1`,
			`DELETE FROM jobs WHERE tenant = $1`, `DELETE FROM tenants WHERE id = $1`)
	})
	if err != nil {
		return fmt.Errorf("removing a tenant: %w", err)
	}
	a.forgetAll()
	return nil
}
