package accounts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// A homePart is one file of a home's export: the columns that a person would ask about, and never a hash.
type homePart struct{ name, query string }

func homeParts() []homePart {
	return []homePart{
		{"home", `SELECT id, label AS name, tenant, created FROM homes WHERE id = $1`},
		{"people", `SELECT u.email, u.name, g.scope FROM grants g JOIN users u ON u.id = g.user_id WHERE g.home = $1 ORDER BY u.email`},
		{"tokens", `SELECT name, scope, created, used, expires FROM tokens WHERE home = $1 ORDER BY name`},
		{"devices", `SELECT changed, devices FROM inventories WHERE home = $1`},
		{"direct_devices", `SELECT id, changed, device FROM direct_devices WHERE home = $1 ORDER BY id`},
		{"gateway", `SELECT changed, sighting FROM sightings WHERE home = $1`},
		{"commands", `SELECT record FROM commands WHERE home = $1 ORDER BY n`},
		{"alerts", `SELECT kind, about, severity, detail, raised, acked, acked_by, cleared FROM alerts WHERE home = $1 ORDER BY raised, id`},
		{"alert_rules", `SELECT created, rule FROM alert_rules WHERE home = $1 ORDER BY created, id`},
		{"audit", `SELECT id, time, who, action, about, detail, address FROM audit WHERE home = $1 ORDER BY id`},
	}
}

// ExportHome hands each row that is kept of a home, part by part, to each: times as unix milliseconds, documents as JSON.
func (a *Accounts) ExportHome(ctx context.Context, home string, each func(part string, row map[string]any) error) error {
	for _, part := range homeParts() {
		if err := a.exportPart(ctx, part, home, each); err != nil {
			return fmt.Errorf("exporting a home: %s: %w", part.name, err)
		}
	}
	return nil
}

func (a *Accounts) exportPart(ctx context.Context, part homePart, home string, each func(part string, row map[string]any) error) error {
	rows, err := a.db.QueryContext(ctx, part.query, home)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		row, err := scanRow(rows, columns)
		if err == nil {
			err = each(part.name, row)
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return rows.Err()
}

func scanRow(rows *sql.Rows, columns []string) (map[string]any, error) {
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	row := map[string]any{}
	for i, name := range columns {
		row[name] = values[i]
		if text, isText := values[i].(string); isText && isDocument(name) && json.Valid([]byte(text)) {
			row[name] = json.RawMessage(text)
		}
	}
	return row, nil
}

// isDocument reports whether a column of that name holds JSON.
func isDocument(name string) bool {
	return slices.Contains([]string{"devices", "device", "sighting", "record", "rule"}, name)
}
