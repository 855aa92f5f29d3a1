package jobs

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"hearth"
)

const (
	maxGroups  = 500  // of one tenant
	maxInGroup = 5000 // members of one
)

// A Group names devices of a tenant that are often meant together.
type Group struct {
	ID      string        `json:"id"`
	Name    string        `json:"name"` // unique within its tenant
	Created hearth.Time   `json:"created"`
	Members []GroupMember `json:"members"`
}

// A GroupMember is one device of one home, or all devices that are as it says, in some homes or, where none is named, in
// all of the tenant's.
type GroupMember struct {
	Home     string      `json:"home,omitempty"`
	Homes    []string    `json:"homes,omitempty"`
	Device   hearth.ID   `json:"device,omitempty"`
	Type     hearth.Type `json:"type,omitempty"`
	Room     string      `json:"room,omitempty"`
	Property string      `json:"property,omitempty"`
}

// putGroup is what a client says of a group.
type putGroup struct {
	Name    string        `json:"name"`
	Members []GroupMember `json:"members"`
}

func (m *GroupMember) selector() Select {
	s := Select{Homes: m.Homes, Device: m.Device, Type: m.Type, Room: m.Room, Property: m.Property}
	if m.Home != "" {
		s.Homes = append([]string{m.Home}, m.Homes...)
	}
	return s
}

func (g *Group) selectors() []Select {
	list := make([]Select, 0, len(g.Members))
	for _, m := range g.Members {
		list = append(list, m.selector())
	}
	return list
}

func (g *putGroup) check() error {
	g.Name = strings.TrimSpace(g.Name)
	if !isName(g.Name, 100) {
		return bad("/name", "a group has a name of at most 100 printable bytes")
	}
	if g.Members == nil {
		g.Members = []GroupMember{}
	}
	if len(g.Members) > maxInGroup {
		return bad("/members", "a group has at most %d members", maxInGroup)
	}
	for i, m := range g.Members {
		at := fmt.Sprintf("/members/%d", i)
		s := m.selector()
		if len(s.Homes) == 0 && !s.filters() {
			return bad(at, "it names neither a home nor what a device has to be")
		}
		if err := s.checkFilters(at); err != nil {
			return err
		}
	}
	return nil
}

const groupColumns = `SELECT id, name, created, members FROM device_groups `

func scanGroup(row interface{ Scan(...any) error }) (Group, error) {
	var g Group
	var created int64
	var members string
	if err := row.Scan(&g.ID, &g.Name, &created, &members); err != nil {
		return Group{}, err
	}
	g.Created = timeOf(created)
	return g, json.Unmarshal([]byte(members), &g.Members)
}

// group returns one of a tenant's; code not_found if there is none.
func (j *Jobs) group(ctx context.Context, tenant, id string) (Group, error) {
	g, err := scanGroup(j.db.QueryRowContext(ctx, groupColumns+`WHERE tenant = $1 AND id = $2`, tenant, strings.ToValidUTF8(id, "\uFFFD")))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Group{}, hearth.Errorf(hearth.CodeNotFound, "the tenant has no group %.100q", id)
	case err != nil:
		return Group{}, fmt.Errorf("reading a group: %w", err)
	}
	return g, nil
}

// groups returns a tenant's, by name.
func (j *Jobs) groups(ctx context.Context, tenant string) ([]Group, error) {
	rows, err := j.db.QueryContext(ctx, groupColumns+`WHERE tenant = $1 ORDER BY name`, tenant)
	if err != nil {
		return nil, fmt.Errorf("reading the groups: %w", err)
	}
	defer rows.Close()
	list := []Group{}
	for rows.Next() {
		g, err := scanGroup(rows)
		if err != nil {
			return nil, fmt.Errorf("reading the groups: %w", err)
		}
		list = append(list, g)
	}
	return list, rows.Err()
}

// put makes a group, or with an id changes it. Errors: bad_value, conflict (the name), not_found, busy (too many).
func (j *Jobs) put(ctx context.Context, tenant, id string, given putGroup) (Group, error) {
	if err := given.check(); err != nil {
		return Group{}, err
	}
	members, err := json.Marshal(given.Members)
	if err != nil {
		return Group{}, err
	}
	g := Group{ID: id, Name: given.Name, Created: timeOf(j.o.Now().UnixMilli()), Members: given.Members}
	err = j.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		if err := mayPut(ctx, tx, tenant, g); err != nil {
			return err
		}
		if g.ID == "" {
			g.ID = "g" + strings.ToLower(rand.Text()[:9])
			_, err := tx.ExecContext(ctx, `INSERT INTO device_groups (id, tenant, name, created, members) VALUES ($1, $2, $3, $4, $5)`, g.ID, tenant, g.Name, g.Created.UnixMilli(), string(members))
			return err
		}
		var created int64
		err := tx.QueryRowContext(ctx, `UPDATE device_groups SET name = $1, members = $2 WHERE tenant = $3 AND id = $4 RETURNING created`, g.Name, string(members), tenant, g.ID).Scan(&created)
		if errors.Is(err, sql.ErrNoRows) {
			return hearth.Errorf(hearth.CodeNotFound, "there is no such group")
		}
		g.Created = timeOf(created)
		return err
	})
	if err != nil {
		return Group{}, fmt.Errorf("storing a group: %w", err)
	}
	return g, nil
}

func mayPut(ctx context.Context, tx *sql.Tx, tenant string, g Group) error {
	var all, named int
	err := tx.QueryRowContext(ctx, `SELECT count(*), COALESCE(SUM(CASE WHEN name = $2 AND id <> $3 THEN 1 ELSE 0 END), 0) FROM device_groups WHERE tenant = $1`, tenant, g.Name, g.ID).Scan(&all, &named)
	switch {
	case err != nil:
		return err
	case named > 0:
		return hearth.Errorf(hearth.CodeConflict, "there is a group %q already: choose another name", g.Name)
	case g.ID == "" && all >= maxGroups:
		return hearth.Errorf(hearth.CodeBusy, "the tenant has %d groups already: delete one first", all)
	}
	return nil
}

// remove deletes a group. Code not_found if there is none.
func (j *Jobs) remove(ctx context.Context, tenant, id string) error {
	return j.o.Accounts.Tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM device_groups WHERE tenant = $1 AND id = $2`, tenant, strings.ToValidUTF8(id, "\uFFFD"))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return hearth.Errorf(hearth.CodeNotFound, "there is no such group")
	})
}
