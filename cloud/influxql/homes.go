package influxql

import (
	"errors"
	"fmt"

	"github.com/influxdata/influxql"

	"hearth"
	"hearth/cloud/accounts"
)

// home finds the home that a database is. A token of one home takes any name for it, since Telegraf's and Grafana's
// settings have one of their own.
func (r *run) home(database string) (string, error) {
	if r.bound() {
		return r.token.Home, nil
	}
	if home, ok := r.homes[database]; ok {
		return home, nil
	}
	if database == "" {
		return "", errNoDatabase
	}
	h, err := r.server.o.Homes.NamedHome(r.ctx, r.token, database)
	switch {
	case errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}):
		return "", fmt.Errorf("database not found: %s", database)
	case errors.Is(err, &hearth.Error{Code: hearth.CodeConflict}):
		return "", err
	case err != nil:
		return "", fmt.Errorf("looking for home %s: %w", database, err)
	case !r.token.In(h.Tenant, h.ID).Allows(hearth.ScopeRead):
		return "", fmt.Errorf("%s not authorized to read database %s", r.token.Name, database)
	}
	r.homes[database] = h.ID
	return h.ID, nil
}

// bound reports whether the token is of one home.
func (r *run) bound() bool { return r.token.Home != "" && r.token.Grants == nil }

// databases are the homes that the token may read, by name.
func (r *run) databases() ([]accounts.Home, error) {
	if !r.bound() {
		return r.server.o.Homes.Visible(r.ctx, r.token)
	}
	h, err := r.server.o.Homes.Home(r.ctx, r.token.Home)
	if err != nil {
		return nil, fmt.Errorf("looking for the token's home: %w", err)
	}
	return []accounts.Home{h}, nil
}

// measurements are those that a source names. Retention policies are not looked at: a home has one.
func (r *run) measurements(source *influxql.Measurement) (home string, all []*measurement, err error) {
	if home, err = r.home(source.Database); err != nil {
		return "", nil, err
	}
	id := home + "\x00" + source.Name
	if source.Regex != nil {
		id = home + "\x00/" + source.Regex.String()
	}
	if all, ok := r.matched[id]; ok {
		return home, all, nil
	}
	c, err := r.catalog(home)
	if err != nil {
		return "", nil, err
	}
	all = c.match(source)
	r.matched[id] = all
	return home, all, nil
}
