package accounts

import (
	"context"
	"errors"
	"time"

	"hearth"
)

// placeLife is how long it may take until a home that is gone, or has another tenant, is known to be so.
const placeLife = 10 * time.Second

const placesKept = 50_000

// A place is what is remembered of where a home belongs.
type place struct {
	tenant string
	until  time.Time
}

// Scope returns what token may do in a home. Code not_found: there is no such home, or the token must not know of it.
func (a *Accounts) Scope(ctx context.Context, token hearth.Token, home string) (hearth.Scope, error) {
	if token.Grants == nil && token.Tenant == "" && token.Home != "" { // a gateway's, most often: it goes when its home does
		if token.Home != home {
			return "", missingHome()
		}
		return token.Scope, nil
	}
	tenant, err := a.TenantOf(ctx, home)
	if err != nil {
		return "", err
	}
	scope := token.In(tenant, home)
	if scope == "" {
		return "", missingHome()
	}
	return scope, nil
}

// TenantScope returns what token may do in a tenant as a whole. Code not_found: there is no such tenant, or the token
// must not know of it.
func (a *Accounts) TenantScope(ctx context.Context, token hearth.Token, tenant string) (hearth.Scope, error) {
	scope := token.In(tenant, "")
	if scope == "" {
		return "", missingTenant()
	}
	_, err := a.Tenant(ctx, tenant)
	return scope, err
}

// TenantOf returns whose home it is; code not_found if there is none. It may be ten seconds old.
func (a *Accounts) TenantOf(ctx context.Context, home string) (string, error) {
	now := a.now()
	a.mu.Lock()
	known, ok := a.places[home]
	a.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.tenant, nil
	}
	h, err := a.Home(ctx, home)
	missing := errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound})
	if err != nil && !missing && ok { // the database cannot be asked just now
		return known.tenant, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.places, home)
	if err != nil {
		return "", err
	}
	if len(a.places) >= placesKept {
		clear(a.places)
	}
	a.places[h.ID] = place{tenant: h.Tenant, until: now.Add(placeLife)}
	return h.Tenant, nil
}
