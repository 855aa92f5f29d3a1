package accounts

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts/postgrestest"
)

func open(t *testing.T, o Options) *Accounts {
	t.Helper()
	a, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return hearth.ErrorOf(err).Code
}

// TestEveryDatabase runs the same tests on SQLite and, where a server of it is installed, on PostgreSQL.
func TestEveryDatabase(t *testing.T) {
	tests := map[string]func(*testing.T, Options){
		"homes": testHomes, "claim": testClaimWorksOnce, "claims at once": testClaimedByManyAtOnce, "tokens": testTokens,
		"schema": testSchema, "oldest": testOldestSchema, "tx": testTxRollsBack, "people": testPeople, "last administrators": testLastAdministrators,
	}
	t.Run("sqlite", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(t, Options{Dir: t.TempDir()}) })
		}
	})
	t.Run("postgres", func(t *testing.T) {
		server := postgrestest.Start(t, "fsync=off")
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(t, Options{Database: server.Database(t)}) })
		}
	})
}

func testHomes(t *testing.T, o Options) {
	a, ctx := open(t, o), t.Context()
	cabin, code, err := a.AddHome(ctx, "", "  Cabin ")
	if err != nil || cabin.Name != "Cabin" || len(code.Secret) != 9 || code.Secret[4] != '-' {
		t.Fatalf("AddHome = %+v, %+v, %v", cabin, code, err)
	}
	for name, want := range map[string]string{
		"Cabin": hearth.CodeConflict, cabin.ID: hearth.CodeConflict, "": hearth.CodeBadValue, "a\nb": hearth.CodeBadValue,
		strings.Repeat("x", 101): hearth.CodeBadValue, "\xff": hearth.CodeBadValue,
	} {
		if _, _, err := a.AddHome(ctx, "", name); codeOf(err) != want {
			t.Errorf("AddHome(%q): %v, want code %s", name, err, want)
		}
	}
	if _, _, err := a.AddHome(ctx, "", "Attic"); err != nil {
		t.Fatal(err)
	}
	everywhere := hearth.Token{Scope: hearth.ScopeRead}
	homes, err := a.Visible(ctx, everywhere)
	if err != nil || len(homes) != 2 || homes[0].Name != "Attic" || homes[1].ID != cabin.ID {
		t.Fatalf("Homes = %+v, %v", homes, err)
	}
	for _, key := range []string{cabin.ID, "Cabin"} {
		if got, err := a.NamedHome(ctx, everywhere, key); err != nil || got.ID != cabin.ID {
			t.Errorf("NamedHome(%q) = %+v, %v", key, got, err)
		}
	}
	for _, key := range []string{"cabin", "", "x\x00y", "' OR 1=1 --"} {
		if _, err := a.NamedHome(ctx, everywhere, key); err == nil {
			t.Errorf("NamedHome(%q) is found", key)
		}
	}
}

func testClaimWorksOnce(t *testing.T, o Options) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return now }
	a, ctx := open(t, o), t.Context()
	home, code, err := a.AddHome(ctx, "", "Cabin")
	if err != nil {
		t.Fatal(err)
	}
	typed := strings.ToLower(strings.ReplaceAll(code.Secret, "-", " "))
	claim, err := a.Claim(ctx, typed)
	if err != nil || claim.Home != home.ID || claim.Name != "Cabin" || claim.TokenName != "gateway-"+home.ID {
		t.Fatalf("Claim = %+v, %v", claim, err)
	}
	token, ok, err := a.Find(ctx, claim.Token)
	if err != nil || !ok || token.Scope != hearth.ScopeGateway || token.Home != home.ID || token.Name != claim.TokenName {
		t.Fatalf("Find = %+v, %v, %v", token, ok, err)
	}
	if _, err := a.Claim(ctx, code.Secret); codeOf(err) != hearth.CodeNotFound {
		t.Errorf("a second claim: %v", err)
	}
	_, late, err := a.AddHome(ctx, "", "Attic")
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(ClaimLife)
	if _, err := a.Claim(ctx, late.Secret); codeOf(err) != hearth.CodeNotFound {
		t.Errorf("a claim after a day: %v", err)
	}
	var stored int
	if err := a.DB().QueryRow(`SELECT count(*) FROM claims WHERE hash = $1 OR hash = $2`, code.Secret, plainCode(code.Secret)).Scan(&stored); err != nil || stored != 0 {
		t.Errorf("the code itself is stored %d times, %v", stored, err)
	}
}

func testClaimedByManyAtOnce(t *testing.T, o Options) {
	a := open(t, o)
	_, code, err := a.AddHome(t.Context(), "", "Cabin")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	won := make(chan hearth.Claim, 8)
	for range cap(won) {
		all.Go(func() {
			if claim, err := a.Claim(context.Background(), code.Secret); err == nil {
				won <- claim
			} else if codeOf(err) != hearth.CodeNotFound {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Errorf("%d claims of one code worked", len(won))
	}
}

func testTokens(t *testing.T, o Options) {
	a, ctx := open(t, o), t.Context()
	home, _, err := a.AddHome(ctx, "", "Cabin")
	if err != nil {
		t.Fatal(err)
	}
	if admin, err := a.HasAdmin(ctx); admin || err != nil {
		t.Errorf("a fresh database has an administrator: %v", err)
	}
	secret, err := a.AddToken(ctx, hearth.Token{Name: "me", Scope: hearth.ScopeAdmin, Home: ""})
	if err != nil {
		t.Fatal(err)
	}
	if admin, err := a.HasAdmin(ctx); !admin || err != nil {
		t.Errorf("HasAdmin = %v, %v", admin, err)
	}
	for _, bad := range []struct {
		name, scope, home, code string
	}{
		{"me", "read", "", hearth.CodeConflict},
		{"a:b", "read", "", hearth.CodeBadValue},
		{"", "read", "", hearth.CodeBadValue},
		{"x", "root", "", hearth.CodeBadValue},
		{"x", "gateway", "", hearth.CodeBadValue},
		{"x", "read", "nowhere", hearth.CodeNotFound},
	} {
		if _, err := a.AddToken(ctx, hearth.Token{Name: bad.name, Scope: hearth.Scope(bad.scope), Home: bad.home}); codeOf(err) != bad.code {
			t.Errorf("AddToken(%q, %q, %q): %v, want %s", bad.name, bad.scope, bad.home, err, bad.code)
		}
	}
	bound, err := a.AddToken(ctx, hearth.Token{Name: "grafana", Scope: hearth.ScopeRead, Home: home.ID})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // from the database, then remembered
		if token, ok, err := a.Find(ctx, secret); err != nil || !ok || token.Home != "" || token.Scope != hearth.ScopeAdmin {
			t.Errorf("Find = %+v, %v, %v", token, ok, err)
		}
		if token, ok, err := a.Find(ctx, bound); err != nil || !ok || token.Home != home.ID {
			t.Errorf("Find = %+v, %v, %v", token, ok, err)
		}
	}
	for _, wrong := range []string{"", "me", secret + "x", strings.ToLower(secret)} {
		if _, ok, err := a.Find(ctx, wrong); ok || err != nil {
			t.Errorf("Find(%q) = %v, %v", wrong, ok, err)
		}
	}
}

// A token that another process takes away is refused soon; one that is known works on while the database is away.
func TestFindForgetsAndRemembers(t *testing.T) {
	now := time.Now()
	a := open(t, Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	ctx := t.Context()
	gone, err := a.AddToken(ctx, hearth.Token{Name: "gone", Scope: hearth.ScopeRead, Home: ""})
	if err != nil {
		t.Fatal(err)
	}
	stays, err := a.AddToken(ctx, hearth.Token{Name: "stays", Scope: hearth.ScopeRead, Home: ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{gone, stays} {
		if _, ok, err := a.Find(ctx, secret); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if _, err := a.DB().Exec(`DELETE FROM tokens WHERE name = 'gone'`); err != nil {
		t.Fatal(err)
	}
	now = now.Add(cacheLife)
	if _, ok, err := a.Find(ctx, gone); ok || err != nil {
		t.Errorf("a token that is gone still works: %v", err)
	}
	away, cancel := context.WithCancel(ctx)
	cancel()
	now = now.Add(cacheLife)
	if _, ok, err := a.Find(away, stays); !ok || err != nil {
		t.Errorf("a known token does not work while the database is away: %v", err)
	}
	if _, ok, err := a.Find(away, gone); ok || err == nil {
		t.Errorf("an unknown token while the database is away: %v, %v", ok, err)
	}
}

func TestTwoProcessesAtOnce(t *testing.T) {
	dir := t.TempDir()
	daemon, command := open(t, Options{Dir: dir}), open(t, Options{Dir: dir})
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			a := daemon
			if i%2 == 0 {
				a = command
			}
			if _, _, err := a.AddHome(context.Background(), "", "home "+string(rune('A'+i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	homes, err := daemon.Visible(t.Context(), hearth.Token{Scope: hearth.ScopeRead})
	if err != nil || len(homes) != 40 {
		t.Errorf("%d homes, %v", len(homes), err)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	a := open(t, Options{Dir: dir})
	if _, _, err := a.AddHome(t.Context(), "", "Cabin"); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, File+"*"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	var mode, synchronous string
	if err := errors.Join(a.DB().QueryRow(`PRAGMA journal_mode`).Scan(&mode), a.DB().QueryRow(`PRAGMA synchronous`).Scan(&synchronous)); err != nil {
		t.Fatal(err)
	}
	if mode != "wal" || synchronous != "2" {
		t.Errorf("journal_mode %s, synchronous %s", mode, synchronous)
	}
}

func testSchema(t *testing.T, o Options) {
	for range 2 {
		a := open(t, o)
		var version int
		if err := a.DB().QueryRow(`SELECT version FROM schema_version`).Scan(&version); err != nil || version != len(migrations()) {
			t.Errorf("version %d, %v", version, err)
		}
	}
	a := open(t, o)
	if _, err := a.DB().Exec(`UPDATE schema_version SET version = 1000`); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a newer schema: %v", err)
	}
}

func testTxRollsBack(t *testing.T, o Options) {
	a := open(t, o)
	broken := errors.New("broken")
	err := a.Tx(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO homes (id, name, created) VALUES ('x', 'X', 0)`); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	if homes, err := a.Visible(t.Context(), hearth.Token{Scope: hearth.ScopeRead}); err != nil || len(homes) != 0 {
		t.Errorf("%+v, %v", homes, err)
	}
}

func TestPasswordStaysOutOfErrors(t *testing.T) {
	_, err := Open(t.Context(), Options{Database: "postgres://hearth:s3cret@127.0.0.1:1/hearth?connect_timeout=1"})
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error is %v", err)
	}
}
