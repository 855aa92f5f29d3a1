package accounts

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hearth"
)

// Secrets of the tokens in testdata/schema1.sql.
const (
	oldOwner   = "hearth_LAAZWYHLIGXIKQPZEOYOHVIPT7"
	oldTablet  = "hearth_IE3HAZYMOKDH5FK5ZSXGVQKOTR"
	oldGateway = "hearth_UPT4X6WUCFZB6F2S6JDRXEILTH"
	oldWriter  = "hearth_NFHW3MKQRNLMFJJR7IPYJD5ZYA"
	oldHome    = "hced7t7ysa"
)

// restoreOldest makes the database that a receiver of schema 1 left.
func restoreOldest(t *testing.T, o Options) {
	t.Helper()
	statements, err := os.ReadFile(filepath.Join("testdata", "schema1.sql"))
	if err != nil {
		t.Fatal(err)
	}
	driver, source := "pgx", o.Database
	if source == "" {
		driver, source = "sqlite", filepath.Join(o.Dir, File)
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(string(statements)); err != nil {
		t.Fatal(err)
	}
}

// What the first schema held is all there after the migration: homes by their names, tokens, commands in every state.
func testOldestSchema(t *testing.T, o Options) {
	restoreOldest(t, o)
	o.Now = func() time.Time { return time.UnixMilli(1795416900000) } // a few seconds after the last write
	a, ctx := open(t, o), t.Context()
	homes, err := a.Visible(ctx, hearth.Token{Scope: hearth.ScopeRead})
	names := []string{}
	for _, h := range homes {
		names = append(names, h.Name+" of "+h.Tenant)
	}
	if err != nil || !slices.Equal(names, []string{"Beach house of main", "Cabin of main"}) {
		t.Errorf("%q, %v", names, err)
	}
	for secret, want := range map[string]hearth.Token{
		oldOwner: {Name: "owner", Scope: hearth.ScopeAdmin}, oldTablet: {Name: "wall tablet", Scope: hearth.ScopeRead},
		oldGateway: {Name: "gateway-" + oldHome, Scope: hearth.ScopeGateway, Home: oldHome}, oldWriter: {Name: "telegraf", Scope: hearth.ScopeWrite, Home: oldHome},
	} {
		got, ok, err := a.Find(ctx, secret)
		if err != nil || !ok || got.Name != want.Name || got.Scope != want.Scope || got.Home != want.Home || got.Tenant != "" || !got.Expires.IsZero() {
			t.Errorf("%s: %+v, %v, %v", want.Name, got, ok, err)
		}
	}
	if there, err := a.HasAdmin(ctx); err != nil || !there {
		t.Errorf("no administrator: %v", err)
	}
	rows, err := a.DB().Query(`SELECT n, state, due, record FROM commands WHERE home = $1 AND job = '' ORDER BY n`, oldHome)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	wanted := []hearth.State{hearth.Superseded, hearth.Sent, hearth.Accepted}
	for rows.Next() {
		var n int
		var due int64
		var state, text string
		var record hearth.Record
		if err := rows.Scan(&n, &state, &due, &text); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &record); err != nil || n > len(wanted) || record.State != wanted[n-1] || string(record.State) != state || record.Final == (due > 0) {
			t.Errorf("command %d is %s: %s, %v", n, state, text, err)
		}
	}
	var last, devices int
	err = a.DB().QueryRow(`SELECT last_command, (SELECT count(*) FROM inventories WHERE home = $1) FROM homes WHERE id = $1`, oldHome).Scan(&last, &devices)
	if err != nil || last != 3 || devices != 1 {
		t.Errorf("%d commands, %d inventories, %v", last, devices, err)
	}
	if _, _, err := a.AddHome(ctx, "", "Cabin"); codeOf(err) != hearth.CodeConflict {
		t.Errorf("a second Cabin: %v", err)
	}
	if claim, err := a.Claim(ctx, "PNDD-XXDF"); err != nil || claim.Home != "hgxchc3cu2" {
		t.Errorf("a code of that time: %+v, %v", claim, err)
	}
}
