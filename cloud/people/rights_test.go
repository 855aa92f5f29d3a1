package people_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

// A town is two tenants with homes and people.
type town struct {
	*rig
	north, south   string // tenants
	n1, n2, s1     string // homes
	ids            map[string]string
	boss, mayor    string // sessions: of the receiver, of the north
	homeAdmin, eve string // of n1; of the south
}

func newTown(t *testing.T) *town {
	s := &town{rig: newRig(t, ""), ids: map[string]string{}}
	s.north, s.south = s.tenant("North"), s.tenant("South")
	s.n1, s.n2, s.s1 = s.home(s.north, "One"), s.home(s.north, "Two"), s.home(s.south, "One")
	add := func(name, role, place string) (session string) {
		s.ids[name], session = s.person(name+"@example.org", role, place)
		return session
	}
	s.boss = add("boss", "admin", "")
	s.mayor = add("mayor", "admin", `"tenant":"`+s.north+`"`)
	s.homeAdmin = add("owner", "admin", `"home":"`+s.n1+`"`)
	s.eve = add("eve", "admin", `"tenant":"`+s.south+`"`)
	return s
}

func (s *town) emails(who string) []string {
	s.t.Helper()
	var users []accounts.User
	s.want(200, &users, "GET", "/api/v1/users", who, "")
	emails := []string{}
	for _, u := range users {
		name, _, _ := strings.Cut(u.Email, "@")
		emails = append(emails, name)
	}
	return emails
}

func TestWhoSeesAndManagesWhom(t *testing.T) {
	s := newTown(t)
	for who, want := range map[string][]string{
		s.boss: {"boss", "eve", "mayor", "owner"}, s.mayor: {"mayor", "owner"}, s.homeAdmin: {"owner"}, s.eve: {"eve"},
	} {
		if got := s.emails(who); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	in := func(place, id, role string) string { return fmt.Sprintf(`{"%s":%q,"role":%q}`, place, id, role) }
	eve := "/api/v1/users/" + s.ids["eve"]
	for _, path := range []string{eve, "/api/v1/users/" + s.ids["boss"], "/api/v1/users/nobody", "/api/v1/users/%00"} {
		s.want(404, nil, "GET", path, s.mayor, "")
		s.want(404, nil, "PATCH", path, s.mayor, `{"email":"mine@example.org"}`)
		s.want(404, nil, "DELETE", path, s.mayor, "")
		s.want(404, nil, "POST", path+"/link", s.mayor, "")
		s.want(404, nil, "PUT", path+"/grants", s.mayor, in("tenant", s.north, "viewer"))
	}
	invite := func(who, email, place, id, role string, status int) {
		t.Helper()
		s.want(status, nil, "POST", "/api/v1/users", who, `{"email":"`+email+`",`+in(place, id, role)[1:])
	}
	invite(s.mayor, "m1@example.org", "home", s.n2, "operator", 201)
	invite(s.mayor, "m1@example.org", "home", s.n2, "viewer", 409)
	invite(s.mayor, "m2@example.org", "tenant", s.north, "admin", 201)
	invite(s.mayor, "m3@example.org", "home", s.s1, "viewer", 404)
	invite(s.mayor, "m3@example.org", "tenant", s.south, "viewer", 404)
	invite(s.mayor, "m3@example.org", "home", "", "admin", 403) // everything
	invite(s.homeAdmin, "o1@example.org", "home", s.n1, "admin", 201)
	invite(s.homeAdmin, "o2@example.org", "home", s.n2, "viewer", 404)
	invite(s.homeAdmin, "o2@example.org", "tenant", s.north, "viewer", 404)
	invite(s.boss, "b1@example.org", "home", "nowhere", "viewer", 404)
	invite(s.boss, "b1@example.org", "home", s.n1, "god", 422)
	invite(s.boss, "no address", "home", s.n1, "viewer", 422)
	invite(s.boss, "a b@example.org", "home", s.n1, "viewer", 422)
	s.want(422, nil, "POST", "/api/v1/users", s.boss, fmt.Sprintf(`{"email":"b1@example.org","role":"viewer","home":%q,"tenant":%q}`, s.n1, s.north))
}

// Who has rights elsewhere is not taken over by an administrator of one place.
func TestNobodyIsTakenOver(t *testing.T) {
	s := newTown(t)
	var made inviteReply
	eve, place := "/api/v1/users/"+s.ids["eve"], fmt.Sprintf(`"home":%q`, s.n1)
	s.want(201, &made, "POST", "/api/v1/users", s.mayor, `{"email":"Eve@Example.org","role":"viewer",`+place+`}`)
	if made.Link != "" || made.User.Managed || len(made.User.Grants) != 1 || made.User.Grants[0].Home != s.n1 {
		t.Errorf("the mayor learns %+v", made)
	}
	s.want(403, nil, "POST", eve+"/link", s.mayor, "")
	s.want(403, nil, "PATCH", eve, s.mayor, `{"email":"mine@example.org"}`)
	s.want(403, nil, "PATCH", eve, s.mayor, `{"disabled":true}`)
	s.want(403, nil, "DELETE", eve, s.mayor, "")
	s.want(403, nil, "DELETE", eve+"/sessions", s.mayor, "")
	s.want(200, nil, "PUT", eve+"/grants", s.mayor, `{"role":"operator",`+place+`}`)
	s.want(404, nil, "DELETE", eve+"/grants?tenant="+s.south, s.mayor, "")
	s.want(403, nil, "DELETE", eve+"/grants", s.mayor, "")
	s.want(200, nil, "DELETE", eve+"/grants?home="+s.n1, s.mayor, "")
	s.want(404, nil, "GET", eve, s.mayor, "")
	s.want(200, nil, "GET", "/api/v1/homes", s.eve, "")
	// The same for one who was invited elsewhere and has not been there yet.
	s.want(201, nil, "POST", "/api/v1/users", s.eve, `{"email":"new@example.org","role":"admin","tenant":"`+s.south+`"}`)
	made = inviteReply{}
	s.want(201, &made, "POST", "/api/v1/users", s.mayor, `{"email":"new@example.org","role":"viewer",`+place+`}`)
	if made.Link != "" {
		t.Error("the mayor gets a link to somebody else's rights")
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	s := newTown(t)
	boss, mayor := "/api/v1/users/"+s.ids["boss"], "/api/v1/users/"+s.ids["mayor"]
	conflict := func(method, path, body string) {
		t.Helper()
		a := s.want(409, nil, method, path, s.root, body)
		if !strings.Contains(a.text, "last administrator") {
			t.Errorf("%s %s does not say why: %s", method, path, a.text)
		}
	}
	s.want(201, nil, "POST", "/api/v1/users", s.root, `{"email":"pending@example.org","role":"admin"}`) // cannot sign in yet
	conflict("DELETE", boss, "")
	conflict("PATCH", boss, `{"disabled":true}`)
	conflict("PUT", boss+"/grants", `{"role":"viewer"}`)
	conflict("DELETE", boss+"/grants", "")
	s.want(200, nil, "DELETE", mayor+"/grants?tenant="+s.north, s.root, "") // there is the boss
	s.want(200, nil, "PUT", mayor+"/grants", s.root, `{"role":"admin","tenant":"`+s.north+`"}`)
	second, _ := s.person("second@example.org", "admin", "")
	s.want(204, nil, "DELETE", boss, s.root, "")
	s.want(409, nil, "DELETE", "/api/v1/users/"+second, s.root, "")
	// Without any of the receiver, a tenant keeps its own.
	_, err := s.books.DB().Exec(`DELETE FROM grants WHERE tenant = '' AND home = ''`)
	must(t, err)
	conflict("DELETE", mayor, "")
	conflict("DELETE", mayor+"/grants?tenant="+s.north, "")
	s.want(200, nil, "PATCH", mayor, s.mayor, `{"name":"The Mayor"}`)
	s.want(409, nil, "DELETE", "/api/v1/tokens/root", s.root, "")
	soon := s.now().Add(time.Minute).UTC().Format(time.RFC3339)
	s.want(201, nil, "POST", "/api/v1/tokens", s.root, `{"name":"short","scope":"admin","expires":"`+soon+`"}`)
	s.want(409, nil, "DELETE", "/api/v1/tokens/root", s.root, "") // in a minute there would be none
	s.want(204, nil, "DELETE", "/api/v1/tokens/short", s.root, "")
	s.want(201, nil, "POST", "/api/v1/tokens", s.root, `{"name":"spare","scope":"admin"}`)
	s.want(204, nil, "DELETE", "/api/v1/tokens/root", s.root, "")
	s.want(401, nil, "GET", "/api/v1/tokens", s.root, "")
}

// What is taken away counts at once.
func TestRightsCountAtOnce(t *testing.T) {
	s := newTown(t)
	s.want(200, nil, "GET", "/api/v1/homes/"+s.n2, s.mayor, "")
	s.want(200, nil, "PUT", "/api/v1/users/"+s.ids["mayor"]+"/grants", s.boss, `{"role":"viewer","tenant":"`+s.north+`"}`)
	s.want(403, nil, "PATCH", "/api/v1/homes/"+s.n2, s.mayor, `{"name":"x"}`)
	s.want(200, nil, "DELETE", "/api/v1/users/"+s.ids["mayor"]+"/grants?tenant="+s.north, s.boss, "")
	s.want(404, nil, "GET", "/api/v1/homes/"+s.n2, s.mayor, "")
	s.want(204, nil, "DELETE", "/api/v1/users/"+s.ids["owner"]+"/sessions", s.boss, "")
	s.want(401, nil, "GET", "/api/v1/homes", s.homeAdmin, "")
	s.want(200, nil, "PATCH", "/api/v1/users/"+s.ids["eve"], s.boss, `{"disabled":true}`)
	s.want(401, nil, "GET", "/api/v1/homes", s.eve, "")
	s.want(401, nil, "POST", "/api/v1/login", "", `{"email":"eve@example.org","password":"`+good+`"}`)
}

func TestTokensOfPeople(t *testing.T) {
	s := newTown(t)
	make := func(who, body string, status int) string {
		t.Helper()
		var made struct{ Token string }
		into := any(nil)
		if status == 201 {
			into = &made
		}
		s.want(status, into, "POST", "/api/v1/tokens", who, body)
		return made.Token
	}
	all := make(s.mayor, `{"name":"all","scope":"control"}`, 201)
	one := make(s.mayor, fmt.Sprintf(`{"name":"one","scope":"admin","home":%q}`, s.n1), 201)
	shared := make(s.mayor, fmt.Sprintf(`{"name":"shared","scope":"read","tenant":%q,"shared":true}`, s.north), 201)
	make(s.mayor, `{"name":"all","scope":"read"}`, 409)
	make(s.mayor, fmt.Sprintf(`{"name":"x","scope":"read","home":%q}`, s.s1), 404)
	make(s.mayor, `{"name":"x","scope":"read","shared":true}`, 403)
	make(s.mayor, fmt.Sprintf(`{"name":"x","scope":"gateway","home":%q}`, s.n1), 422)
	make(s.mayor, `{"name":"boss@example.org","scope":"read"}`, 422)
	make(s.mayor, fmt.Sprintf(`{"name":"x","scope":"read","expires":%q}`, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)), 422)
	make(all, `{"name":"x","scope":"admin"}`, 403)
	make(one, `{"name":"x","scope":"admin"}`, 403)
	make(one, fmt.Sprintf(`{"name":"x","scope":"read","home":%q}`, s.n2), 404)
	make(shared, `{"name":"x","scope":"read"}`, 403)
	short := make(s.mayor, fmt.Sprintf(`{"name":"short","scope":"admin","expires":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339)), 201)
	make(short, `{"name":"x","scope":"read"}`, 403)

	s.want(200, nil, "GET", "/api/v1/homes/"+s.n2, all, "")
	s.want(403, nil, "PATCH", "/api/v1/homes/"+s.n2, all, `{"name":"x"}`)
	s.want(200, nil, "PATCH", "/api/v1/homes/"+s.n1, one, `{"name":"One"}`)
	s.want(404, nil, "GET", "/api/v1/homes/"+s.n2, one, "")
	s.want(404, nil, "GET", "/api/v1/homes/"+s.s1, all, "")
	names := func(who string) (names []string) {
		var list []accounts.TokenView
		s.want(200, &list, "GET", "/api/v1/tokens", who, "")
		for _, l := range list {
			names = append(names, l.Name)
		}
		return names
	}
	if got := names(s.mayor); !slices.Equal(got, []string{"all", "one", "shared", "short"}) {
		t.Errorf("the mayor sees %v", got)
	}
	if got := names(s.homeAdmin); !slices.Equal(got, []string{"one"}) {
		t.Errorf("the owner sees %v", got)
	}
	if got := names(s.eve); got != nil {
		t.Errorf("eve sees %v", got)
	}
	s.want(404, nil, "DELETE", "/api/v1/tokens/shared", s.eve, "")
	s.want(404, nil, "DELETE", "/api/v1/tokens/all", s.homeAdmin, "")

	// The person may less, and so do their tokens; the shared one stays.
	s.want(200, nil, "PUT", "/api/v1/users/"+s.ids["mayor"]+"/grants", s.boss, `{"role":"viewer","tenant":"`+s.north+`"}`)
	s.want(403, nil, "PATCH", "/api/v1/homes/"+s.n1, one, `{"name":"x"}`)
	s.want(200, nil, "GET", "/api/v1/homes/"+s.n1, one, "")
	s.want(403, nil, "POST", "/api/v1/homes/"+s.n1+"/commands", all, `{}`)
	s.want(204, nil, "DELETE", "/api/v1/users/"+s.ids["mayor"], s.boss, "")
	for _, token := range []string{all, one, short} {
		s.want(401, nil, "GET", "/api/v1/homes", token, "")
	}
	s.want(200, nil, "GET", "/api/v1/homes", shared, "")
	s.want(204, nil, "DELETE", "/api/v1/tokens/shared", s.boss, "")
	s.want(401, nil, "GET", "/api/v1/homes", shared, "")
}

func TestTenants(t *testing.T) {
	s := newTown(t)
	type view struct {
		ID, Name      string
		RetentionDays int `json:"retention_days"`
		Homes         int
	}
	var list []view
	s.want(200, &list, "GET", "/api/v1/tenants", s.boss, "")
	if len(list) != 3 || list[0].Name != "Main" || list[1].Homes != 2 {
		t.Errorf("%+v", list)
	}
	s.want(200, &list, "GET", "/api/v1/tenants", s.mayor, "")
	if len(list) != 1 || list[0].ID != s.north {
		t.Errorf("the mayor sees %+v", list)
	}
	s.want(200, &list, "GET", "/api/v1/tenants", s.homeAdmin, "")
	if len(list) != 0 {
		t.Errorf("an owner sees %+v", list)
	}
	north, south := "/api/v1/tenants/"+s.north, "/api/v1/tenants/"+s.south
	s.want(403, nil, "POST", "/api/v1/tenants", s.mayor, `{"name":"West"}`)
	s.want(409, nil, "POST", "/api/v1/tenants", s.boss, `{"name":"North"}`)
	s.want(422, nil, "POST", "/api/v1/tenants", s.boss, `{"name":" "}`)
	var west view
	s.want(201, &west, "POST", "/api/v1/tenants", s.boss, `{"name":"West"}`)
	s.want(404, nil, "GET", south, s.mayor, "")
	s.want(404, nil, "PATCH", south, s.mayor, `{"name":"x"}`)
	s.want(200, nil, "PATCH", north, s.mayor, `{"name":"North Pole"}`)
	s.want(409, nil, "PATCH", north, s.mayor, `{"name":"South"}`)
	s.want(403, nil, "PATCH", north, s.mayor, `{"retention_days":1}`)
	s.want(422, nil, "PATCH", north, s.boss, `{"retention_days":-1}`)
	var got view
	s.want(200, &got, "PATCH", north, s.boss, `{"retention_days":30}`)
	if got.RetentionDays != 30 || got.Name != "North Pole" {
		t.Errorf("%+v", got)
	}
	s.want(403, nil, "DELETE", north, s.mayor, "")
	s.want(409, nil, "DELETE", north, s.boss, "")
	s.want(409, nil, "DELETE", "/api/v1/tenants/main", s.boss, "")
	s.want(400, nil, "DELETE", north+"?force=yes", s.boss, "")
	s.want(204, nil, "DELETE", "/api/v1/tenants/"+west.ID, s.boss, "")
	s.want(204, nil, "DELETE", north+"?force=homes", s.boss, "")
	slices.Sort(s.erased)
	if want := []string{s.n1, s.n2}; !slices.Equal(s.erased, slices.Sorted(slices.Values(want))) {
		t.Errorf("erased %v", s.erased)
	}
	s.want(404, nil, "GET", "/api/v1/homes/"+s.n1, s.boss, "")
	s.want(200, nil, "GET", "/api/v1/homes/"+s.s1, s.boss, "")
}

func TestHomes(t *testing.T) {
	s := newTown(t)
	n1, s1 := "/api/v1/homes/"+s.n1, "/api/v1/homes/"+s.s1
	s.want(200, nil, "PATCH", n1, s.homeAdmin, `{"name":"Cabin"}`)
	s.want(409, nil, "PATCH", n1, s.homeAdmin, `{"name":"Two"}`)
	s.want(422, nil, "PATCH", n1, s.homeAdmin, `{"name":""}`)
	s.want(403, nil, "PATCH", n1, s.mayor, `{"tenant":"`+s.south+`"}`)
	s.want(404, nil, "PATCH", s1, s.mayor, `{"name":"x"}`)
	s.want(404, nil, "PATCH", n1, s.boss, `{"tenant":"nowhere"}`)
	s.want(200, nil, "PATCH", n1, s.boss, `{"tenant":"`+s.south+`"}`)
	s.want(404, nil, "GET", n1, s.mayor, "")
	s.want(200, nil, "GET", n1, s.eve, "")
	s.want(200, nil, "GET", n1, s.homeAdmin, "")

	var code struct {
		ClaimCode string `json:"claim_code"`
	}
	claim := func(status int) (made hearth.Claim) {
		t.Helper()
		into := any(nil)
		if status == 200 {
			into = &made
		}
		s.want(status, into, "POST", "/api/v1/claim", "", `{"code":"`+code.ClaimCode+`"}`)
		return made
	}
	s.want(201, &code, "POST", n1+"/claim", s.homeAdmin, "")
	first := claim(200)
	s.want(201, &code, "POST", n1+"/claim", s.homeAdmin, "")
	before := code
	s.want(201, &code, "POST", n1+"/claim", s.homeAdmin, "")
	code, before = before, code
	claim(404) // there is a newer one
	s.want(200, nil, "GET", n1+"/sync", first.Token, "")
	code = before
	second := claim(200)
	s.want(401, nil, "GET", n1+"/sync", first.Token, "")
	s.want(200, nil, "GET", n1+"/sync", second.Token, "")

	a := s.want(200, nil, "GET", n1+"/export", s.homeAdmin, "")
	parts := unzipped(t, a.text)
	if !strings.Contains(parts["home.jsonl"], `"name":"Cabin"`) || !strings.Contains(parts["people.jsonl"], "owner@example.org") ||
		!strings.Contains(parts["audit.jsonl"], "reclaimHome") || parts["readings.lp"] == "" {
		t.Errorf("the export: %v", parts)
	}
	if strings.Contains(a.text, hearth.HashSecret(second.Token)) || strings.Contains(fmt.Sprint(parts), hearth.HashSecret(second.Token)) {
		t.Error("the export has a hash in it")
	}
	s.want(403, nil, "GET", n1+"/export", second.Token, "")
	s.want(404, nil, "DELETE", s1, s.mayor, "")
	s.want(204, nil, "DELETE", n1, s.homeAdmin, "")
	if !slices.Equal(s.erased, []string{s.n1}) {
		t.Errorf("erased %v", s.erased)
	}
	s.want(401, nil, "GET", n1+"/sync", second.Token, "")
	s.want(404, nil, "GET", n1, s.homeAdmin, "")
	for _, table := range []string{"grants", "tokens", "claims", "commands", "inventories", "sightings"} {
		var n int
		must(t, s.books.DB().QueryRow(`SELECT count(*) FROM `+table+` WHERE home = $1`, s.n1).Scan(&n))
		if n != 0 {
			t.Errorf("%d rows of it are left in %s", n, table)
		}
	}
	if got := s.actions("?tenant=" + s.south); !slices.Contains(got, "removeHome") || !slices.Contains(got, "exportHome") || !slices.Contains(got, "claimHome") {
		t.Errorf("the audit of its tenant has %v", got)
	}
}

func unzipped(t *testing.T, text string) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader([]byte(text)), int64(len(text)))
	must(t, err)
	parts := map[string]string{}
	for _, f := range archive.File {
		in, err := f.Open()
		must(t, err)
		data, err := io.ReadAll(in)
		must(t, err)
		parts[f.Name] = string(data)
	}
	return parts
}

func TestAuditIsForThoseWhoAdminister(t *testing.T) {
	s := newTown(t)
	s.want(200, nil, "PATCH", "/api/v1/homes/"+s.n1, s.mayor, `{"name":"Cabin"}`)
	s.want(200, nil, "PATCH", "/api/v1/homes/"+s.s1, s.eve, `{"name":"Cave"}`)
	s.want(201, nil, "POST", "/api/v1/users", s.homeAdmin, `{"email":"guest@example.org","role":"viewer","home":"`+s.n1+`"}`)
	_, viewer := s.person("viewer@example.org", "viewer", `"tenant":"`+s.north+`"`)
	homes := func(who, query string) (homes []string) {
		t.Helper()
		var entries []accounts.AuditEntry
		s.want(200, &entries, "GET", "/api/v1/audit"+query, who, "")
		for _, e := range entries {
			if e.Address == "" || e.Who == "" || e.Time.IsZero() {
				t.Errorf("%+v", e)
			}
			if e.Action == "changeHome" || e.Action == "addUser" && e.Home != "" {
				homes = append(homes, e.Action+" "+e.Home+" "+e.Detail)
			}
		}
		return homes
	}
	owners, mayors := []string{"addUser " + s.n1 + " viewer guest@example.org", "changeHome " + s.n1 + " Cabin", "addUser " + s.n1 + " admin owner@example.org"}, 3
	if got := homes(s.homeAdmin, ""); !slices.Equal(got, owners) {
		t.Errorf("the owner reads %q", got)
	}
	if got := homes(s.mayor, ""); len(got) != mayors {
		t.Errorf("the mayor reads %q", got)
	}
	if got := homes(s.mayor, "?home="+s.n1); len(got) != 3 {
		t.Errorf("the mayor reads of the home %q", got)
	}
	if got := homes(s.boss, "?who=eve@example.org"); !slices.Equal(got, []string{"changeHome " + s.s1 + " Cave"}) {
		t.Errorf("the boss reads of eve %q", got)
	}
	s.want(403, nil, "GET", "/api/v1/audit", viewer, "")
	s.want(404, nil, "GET", "/api/v1/audit?tenant="+s.south, s.mayor, "")
	s.want(404, nil, "GET", "/api/v1/audit?home="+s.s1, s.mayor, "")
	s.want(404, nil, "GET", "/api/v1/audit?tenant="+s.north, s.homeAdmin, "")
	s.want(400, nil, "GET", "/api/v1/audit?from=yesterday", s.boss, "")
	s.want(400, nil, "GET", "/api/v1/audit?limit=0", s.boss, "")
	seen, after := map[string]bool{}, ""
	for {
		var page []accounts.AuditEntry
		s.want(200, &page, "GET", "/api/v1/audit?limit=3&after="+after, s.boss, "")
		for _, e := range page {
			if seen[e.ID] {
				t.Errorf("%s is on two pages", e.ID)
			}
			seen[e.ID], after = true, e.ID
		}
		if len(page) < 3 {
			break
		}
	}
	var all []accounts.AuditEntry
	s.want(200, &all, "GET", "/api/v1/audit?limit=500", s.boss, "")
	if len(seen) != len(all) || len(all) < 8 {
		t.Errorf("%d entries in pages, %d at once", len(seen), len(all))
	}
	s.later(accounts.AuditLife + time.Hour)
	must(t, s.books.Sweep(t.Context()))
	var n int
	must(t, s.books.DB().QueryRow(`SELECT (SELECT count(*) FROM audit) + (SELECT count(*) FROM sessions) + (SELECT count(*) FROM links)`).Scan(&n))
	if n != 0 {
		t.Errorf("%d rows are left after 400 days", n)
	}
}

// Nobody's deeds look like those of the command line in the audit, or like nobody's.
func TestNamesThatTheAuditNeeds(t *testing.T) {
	s := newTown(t)
	for _, name := range []string{"command line", "Command Line", "somebody"} {
		s.want(422, nil, "POST", "/api/v1/tokens", s.mayor, `{"name":"`+name+`","scope":"admin","tenant":"`+s.north+`"}`)
	}
}

func TestANewHomeIsInTheAuditOfItsTenant(t *testing.T) {
	s := newTown(t)
	s.want(201, nil, "POST", "/api/v1/homes", s.boss, `{"name":"Three","tenant":"`+s.north+`"}`)
	var entries []accounts.AuditEntry
	s.want(200, &entries, "GET", "/api/v1/audit?limit=1", s.mayor, "")
	if len(entries) != 1 || entries[0].Action != "addHome" || entries[0].Tenant != s.north || entries[0].Home == "" {
		t.Errorf("%+v", entries)
	}
}
