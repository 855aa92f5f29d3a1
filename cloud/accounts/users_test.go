package accounts

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"hearth"
)

// join makes a person with a password (of which nobody knows the clear text) and a right.
func join(t *testing.T, a *Accounts, email, role, tenant, home string) User {
	t.Helper()
	u, fresh, err := a.AddUser(t.Context(), Root(), email, "", Right{Role: role, Tenant: tenant, Home: home})
	if err != nil || !fresh {
		t.Fatal(u, fresh, err)
	}
	if _, err := a.DB().Exec(`UPDATE users SET password = 'set' WHERE id = $1`, u.ID); err != nil {
		t.Fatal(err)
	}
	return u
}

func testPeople(t *testing.T, o Options) {
	now := time.Now()
	o.Now = func() time.Time { return now }
	a, ctx := open(t, o), t.Context()
	home, _, err := a.AddHome(ctx, "", "Cabin")
	if err != nil {
		t.Fatal(err)
	}
	findsNothing(t, a)
	if there, err := a.HasPeople(ctx); there || err != nil {
		t.Error(there, err)
	}
	secret, err := a.Invite(ctx, " Ada@Example.org ", hearth.ScopeAdmin, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if there, err := a.HasAdmin(ctx); !there || err != nil {
		t.Error("an invited administrator is none", err)
	}
	if _, err := a.Invite(ctx, "ada@example.org", hearth.ScopeWrite, "", ""); codeOf(err) != hearth.CodeBadValue {
		t.Errorf("role write: %v", err)
	}
	again, err := a.Invite(ctx, "ada@example.org", hearth.ScopeAdmin, "", "") // the first link was lost
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.UseLink(ctx, secret, "a horse on the balcony"); codeOf(err) != hearth.CodeNotFound {
		t.Errorf("the lost link: %v", err)
	}
	ada, err := a.UseLink(ctx, again, "a horse on the balcony")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Login(ctx, "ada@example.org", "a horse on the balcony"); err != nil {
		t.Error(err)
	}
	session, err := a.StartSession(ctx, ada.ID, "192.0.2.1", "x")
	if err != nil {
		t.Fatal(err)
	}
	token, ok, err := a.Session(ctx, session)
	if err != nil || !ok || token.Name != "ada@example.org" || token.In("main", home.ID) != hearth.ScopeAdmin || token.User != ada.ID {
		t.Fatalf("%+v, %v, %v", token, ok, err)
	}
	if _, ok, err := a.Find(ctx, session); ok || err != nil {
		t.Errorf("a session's secret is a token: %v", err)
	}
	if _, ok, err := a.Again(ctx, token); !ok || err != nil {
		t.Errorf("Again: %v", err)
	}
	if err := a.Logout(ctx, session); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := a.Again(ctx, token); ok || err != nil {
		t.Errorf("Again after logging out: %v", err)
	}
	reads(t, a, token, home)
	if err := a.Sweep(ctx); err != nil {
		t.Error(err)
	}
	if err := a.RemoveHome(ctx, home.ID, func(context.Context, string) error { return hearth.Errorf(hearth.CodeFailed, "the disk is full") }); err == nil {
		t.Error("a home is removed whose readings are not")
	}
	if _, err := a.Home(ctx, home.ID); err != nil {
		t.Errorf("it cannot be removed again: %v", err)
	}
	if err := a.ExportHome(ctx, home.ID, func(string, map[string]any) error { return nil }); err != nil {
		t.Error(err)
	}
}

// reads asks everything that lists something, as who sees everything and as who sees a little.
func reads(t *testing.T, a *Accounts, root hearth.Token, home Home) {
	t.Helper()
	ctx := t.Context()
	if _, err := a.GiveToken(ctx, root, hearth.Token{Name: "of ada", Scope: hearth.ScopeRead, Home: home.ID}, false); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := a.Audit(ctx, AuditEntry{Home: home.ID, Who: "x", Action: "y", Address: "192.0.2.1"}); err != nil {
			t.Fatal(err)
		}
	}
	some := hearth.Token{Grants: []hearth.Grant{{Scope: hearth.ScopeAdmin, Tenant: "other"}, {Scope: hearth.ScopeAdmin, Home: home.ID}, {Scope: hearth.ScopeRead, Tenant: MainTenant}}}
	for _, asker := range []hearth.Token{root, some} {
		filter := AuditFilter{Home: home.ID, Who: "x", From: a.now().Add(-time.Hour), To: a.now().Add(time.Hour), Limit: 2}
		page, err := a.AuditLog(ctx, asker, filter)
		if err != nil || len(page) != 2 || page[0].Tenant != MainTenant {
			t.Fatalf("%+v, %v", page, err)
		}
		filter.After = page[1].ID
		if page, err = a.AuditLog(ctx, asker, filter); err != nil || len(page) != 1 {
			t.Errorf("the second page: %+v, %v", page, err)
		}
		tokens, err := a.Tokens(ctx, asker)
		if err != nil || len(tokens) != 1 || tokens[0].Owner != "ada@example.org" || tokens[0].Home != home.ID {
			t.Errorf("%+v, %v", tokens, err)
		}
	}
	hash := ""
	if err := a.DB().QueryRow(`SELECT hash FROM tokens`).Scan(&hash); err != nil {
		t.Fatal(err)
	}
	if gone, err := a.Gone(ctx, append(slices.Repeat([]string{hash}, 1200), "none")); err != nil || !slices.Equal(gone, []string{"none"}) {
		t.Errorf("gone are %v, %v", gone, err)
	}
	users, err := a.Users(ctx, some)
	if err != nil || len(users) != 0 {
		t.Errorf("%+v, %v", users, err)
	}
	if users, err = a.Users(ctx, root); err != nil || len(users) != 1 || !users[0].Managed {
		t.Errorf("%+v, %v", users, err)
	}
}

// findsNothing asks for what has an id that no text of the databases is.
func findsNothing(t *testing.T, a *Accounts) {
	t.Helper()
	ctx := t.Context()
	for what, err := range map[string]error{
		"home": second(a.Home(ctx, "\x00")), "tenant": second(a.Tenant(ctx, "\xff")), "user": second(a.User(ctx, Root(), "\x00\xff")),
		"right": second(a.Invite(ctx, "x@example.org", hearth.ScopeRead, "\x00", "")), "role": second(a.Take(ctx, Root(), "\x00", "\x00", "")),
		"token": second(a.AddToken(ctx, hearth.Token{Name: "x", Scope: hearth.ScopeRead, Home: "\x00"})), "change": second(a.ChangeHome(ctx, "\x00", HomeChange{})),
	} {
		if codeOf(err) != hearth.CodeNotFound {
			t.Errorf("a %s whose id is no text: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Of two administrators who remove each other at once, one stays.
func testLastAdministrators(t *testing.T, o Options) {
	for range 5 {
		a := open(t, o)
		if _, err := a.DB().Exec(`DELETE FROM users`); err != nil {
			t.Fatal(err)
		}
		var users []User
		for _, email := range []string{"a@example.org", "b@example.org", "c@example.org"} {
			users = append(users, join(t, a, email, "admin", "", ""))
		}
		var all sync.WaitGroup
		for _, u := range users {
			all.Go(func() {
				if _, err := a.RemoveUser(context.Background(), Root(), u.ID); err != nil && codeOf(err) != hearth.CodeConflict {
					t.Error(err)
				}
			})
		}
		all.Wait()
		admins, err := administrators(t.Context(), a.DB())
		if err != nil || admins[""] != 1 {
			t.Errorf("%d administrators are left, %v", admins[""], err)
		}
	}
}

// TestWhatAPersonsTokenIsWorth: no more than the token says, and no more than the person may.
func TestWhatAPersonsTokenIsWorth(t *testing.T) {
	g := func(scope hearth.Scope, tenant, home string) hearth.Grant {
		return hearth.Grant{Scope: scope, Tenant: tenant, Home: home}
	}
	const read, control, admin, write, gateway = hearth.ScopeRead, hearth.ScopeControl, hearth.ScopeAdmin, hearth.ScopeWrite, hearth.ScopeGateway
	for _, c := range []struct {
		name   string
		grants []hearth.Grant
		token  hearth.Token
		want   []hearth.Grant
	}{
		{"all of it", []hearth.Grant{g(admin, "", "")}, hearth.Token{Scope: admin}, []hearth.Grant{g(admin, "", "")}},
		{"a smaller scope", []hearth.Grant{g(admin, "", ""), g(read, "", "h")}, hearth.Token{Scope: control}, []hearth.Grant{g(control, "", ""), g(read, "", "h")}},
		{"the person may less", []hearth.Grant{g(read, "a", "")}, hearth.Token{Scope: admin}, []hearth.Grant{g(read, "a", "")}},
		{"one home", []hearth.Grant{g(admin, "a", ""), g(read, "", "h"), g(control, "", "i")}, hearth.Token{Scope: admin, Home: "h"}, []hearth.Grant{g(admin, "a", "h"), g(read, "", "h")}},
		{"one tenant", []hearth.Grant{g(admin, "", ""), g(read, "b", ""), g(control, "", "h")}, hearth.Token{Scope: admin, Tenant: "a"}, []hearth.Grant{g(admin, "a", ""), g(control, "a", "h")}},
		{"data in", []hearth.Grant{g(admin, "a", ""), g(control, "b", "")}, hearth.Token{Scope: write}, []hearth.Grant{g(write, "a", "")}},
		{"no gateway", []hearth.Grant{g(admin, "", "")}, hearth.Token{Scope: gateway, Home: "h"}, []hearth.Grant{}},
		{"nothing", []hearth.Grant{}, hearth.Token{Scope: admin}, []hearth.Grant{}},
	} {
		if got := capped(c.grants, c.token); got == nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
