package accounts

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"hearth"
)

// MainTenant is the id of the tenant that every receiver has: who looks after one family's homes needs no other.
const MainTenant = "main"

// A Tenant is an account that owns homes.
type Tenant struct {
	ID        string
	Name      string
	Created   hearth.Time
	Retention time.Duration // how long its readings are kept; 0: as long as the configuration says
}

func missingTenant() error { return hearth.Errorf(hearth.CodeNotFound, "there is no such tenant") }

// AddTenant makes a tenant. A name that exists is code conflict, one that cannot be a name bad_value.
func (a *Accounts) AddTenant(ctx context.Context, name string) (Tenant, error) {
	name = strings.TrimSpace(name)
	if err := checkName("tenant", name); err != nil {
		return Tenant{}, err
	}
	tenant := Tenant{ID: "t" + strings.ToLower(rand.Text()[:9]), Name: name, Created: timeOf(a.millis())}
	err := a.Tx(ctx, func(tx *sql.Tx) error {
		if err := tenantNameIsFree(ctx, tx, tenant); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO tenants (id, name, created) VALUES ($1, $2, $3)`, tenant.ID, tenant.Name, tenant.Created.UnixMilli())
		return err
	})
	if err != nil {
		return Tenant{}, fmt.Errorf("adding a tenant: %w", err)
	}
	return tenant, nil
}

// Tenants returns those that token sees as a whole, by name.
func (a *Accounts) Tenants(ctx context.Context, token hearth.Token) ([]Tenant, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, name, created, retention FROM tenants ORDER BY name, id`)
	if err != nil {
		return nil, fmt.Errorf("listing the tenants: %w", err)
	}
	defer rows.Close()
	tenants := []Tenant{}
	for rows.Next() {
		t, err := scanTenant(rows)
		if err != nil {
			return nil, fmt.Errorf("listing the tenants: %w", err)
		}
		if token.In(t.ID, "").Allows(hearth.ScopeRead) {
			tenants = append(tenants, t)
		}
	}
	return tenants, rows.Err()
}

// Tenant returns the tenant of that id; code not_found if there is none.
func (a *Accounts) Tenant(ctx context.Context, id string) (Tenant, error) {
	t, err := scanTenant(a.db.QueryRowContext(ctx, `SELECT id, name, created, retention FROM tenants WHERE id = $1`, storable(id)))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Tenant{}, missingTenant()
	case err != nil:
		return Tenant{}, fmt.Errorf("looking for a tenant: %w", err)
	}
	return t, nil
}

func scanTenant(row interface{ Scan(...any) error }) (Tenant, error) {
	var t Tenant
	var created, retention int64
	err := row.Scan(&t.ID, &t.Name, &created, &retention)
	t.Created, t.Retention = timeOf(created), time.Duration(retention)*time.Millisecond
	return t, err
}

func tenantIsThere(ctx context.Context, tx *sql.Tx, id string) error {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM tenants WHERE id = $1`, storable(id)).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return missingTenant()
	}
	return nil
}
