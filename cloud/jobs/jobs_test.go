package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/cloud/accounts"
)

type m = map[string]any

func on(selected m, more ...m) m {
	wish := m{"set": m{"on": true}, "select": selected}
	for _, fields := range more {
		for name, value := range fields {
			wish[name] = value
		}
	}
	return wish
}

// What depends on the database is tested on both.
func TestOnBothDatabases(t *testing.T) {
	for name, test := range map[string]func(*testing.T, rigMaker){
		"a job gives each device its command": aJobGivesEachDeviceItsCommand,
		"the same i d is the same job":        theSameIDIsTheSameJob,
		"at a time":                           atATime,
		"rights later":                        rightsLater,
		"killed anywhere":                     killedAnywhere,
		"two at once":                         twoAtOnce,
		"cancel":                              cancel,
		"cancel in the middle":                cancelInTheMiddle,
		"members":                             members,
		"refused when given":                  refusedWhenGiven,
		"groups":                              groups,
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("SQLite", func(t *testing.T) { test(t, newRig) })
			t.Run("PostgreSQL", func(t *testing.T) { test(t, onPostgres) })
		})
	}
}

func aJobGivesEachDeviceItsCommand(t *testing.T, newRig rigMaker) {
	r := newRig(t, 5)
	boss := r.boss()
	var view Job
	r.want(202, r.ask(boss, "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "night", "rate": 4}), &view))
	if view.Total != 10 || view.Phase != Running || view.By != boss.Name || states(view) != `{"pending":10}` || !view.Ended.IsZero() {
		t.Fatalf("%+v", view)
	}
	r.step() // four a second, and one to begin with
	if view = r.job("night"); view.States[Pending] > 7 || view.States[Pending] < 5 || view.Open != 10 {
		t.Errorf("after a second: %s, %d open", states(view), view.Open)
	}
	for range 3 {
		r.step()
	}
	if view = r.job("night"); states(view) != `{"accepted":10}` || view.Open != 10 {
		t.Errorf("all given: %s, %d open", states(view), view.Open)
	}
	for _, home := range r.homes {
		records := r.commands(home.ID)
		if len(records) != 2 || records[0].Job != "night" || records[0].By != boss.Name || !strings.HasPrefix(records[0].ID, "night.") {
			t.Errorf("%+v", records)
		}
		r.confirm(home.ID)
	}
	r.step()
	if view = r.job("night"); states(view) != `{"confirmed":10}` || view.Open != 0 || view.Phase != Done || view.Ended.IsZero() {
		t.Errorf("at the end: %+v", view)
	}
	if last := r.told[len(r.told)-1]; last.Phase != Done || last.ID != "night" || last.Total != 10 {
		t.Errorf("told last: %+v", last)
	}
	told := len(r.told)
	r.step()
	if len(r.told) != told {
		t.Error("a job that has ended is told of again")
	}
}

func TestWhoIsMeant(t *testing.T) {
	r := newRig(t, 3)
	boss := r.boss()
	first, second := r.homes[0].ID, r.homes[1].ID
	var group Group
	r.want(201, r.ask(boss, "POST", "/groups", m{"name": "Halls", "members": []m{{"room": "Hall"}, {"home": first, "device": "radio:2"}, {"home": first, "device": "radio:1"}}}, &group))
	for _, test := range []struct {
		name   string
		wish   m
		states string
		why    string
	}{
		{"all lamps", on(m{"all": true, "type": "light"}), `{"pending":6}`, ""},
		{"a room of two homes", on(m{"homes": []string{first, second}, "room": "Attic"}), `{"pending":2}`, ""},
		{"all that has a property", on(m{"all": true, "property": "brightness"}), `{"pending":6}`, ""},
		{"one device", on(m{"homes": []string{first}, "device": "radio:1"}), `{"pending":1}`, ""},
		{"a device that is not there", on(m{"homes": []string{first}, "device": "radio:9"}), `{"refused":1}`, "no such device"},
		{"what has no such property", on(m{"homes": []string{first}}), `{"pending":2,"refused":1}`, "no property on"},
		{"a bad value", on(m{"homes": []string{first}, "type": "light"}, m{"set": m{"brightness": 400}}), `{"refused":2}`, "0 to 100"},
		{"what cannot be set", on(m{"homes": []string{first}, "type": "meter"}, m{"set": m{"power": 1}}), `{"refused":1}`, "cannot be set"},
		{"a home that is not there", on(m{"homes": []string{first, "h00"}, "type": "light"}), `{"pending":2,"refused":1}`, "no such home"},
		{"a group, each device once", on(m{"group": group.ID}), `{"pending":4}`, ""},
		{"nobody", on(m{"all": true, "type": "siren"}), `{}`, ""},
	} {
		var dry, view Job
		r.want(200, r.ask(boss, "POST", "/jobs?dry=1", test.wish, &dry))
		answer := r.ask(boss, "POST", "/jobs", test.wish, &view)
		r.want(202, answer, test.why)
		if states(dry) != test.states || states(view) != test.states || dry.Total != view.Total || len(dry.Refused) != len(view.Refused) {
			t.Errorf("%s: dry %s, in earnest %s, want %s", test.name, states(dry), states(view), test.states)
		}
		for _, refused := range view.Refused {
			if refused.Error == nil || !refused.Final || refused.State != Refused {
				t.Errorf("%s: %+v", test.name, refused)
			}
		}
	}
	var jobs []Job
	r.want(200, r.ask(boss, "GET", "/jobs", nil, &jobs))
	if len(jobs) != 11 { // the dry ones are none
		t.Errorf("%d jobs", len(jobs))
	}
}

func TestWhatIsNoJob(t *testing.T) {
	r := newRig(t, 1)
	boss := r.boss()
	for name, wish := range map[string]m{
		"nothing to set":         {"set": m{}, "select": m{"all": true}},
		"nobody named":           on(m{}),
		"homes and all":          on(m{"all": true, "homes": []string{"h1"}}),
		"a group and more":       on(m{"group": "g1", "type": "light"}),
		"no type":                on(m{"all": true, "type": "lamp"}),
		"no device":              on(m{"all": true, "device": "x"}),
		"a long id":              on(m{"all": true}, m{"id": strings.Repeat("x", 65)}),
		"an id with a slash":     on(m{"all": true}, m{"id": "a/b"}),
		"too fast":               on(m{"all": true}, m{"rate": MaxRate + 1}),
		"two ends":               on(m{"all": true}, m{"within": "5m", "deadline": r.now.Add(time.Hour)}),
		"no time":                on(m{"all": true}, m{"within": "soon"}),
		"over before it began":   on(m{"all": true}, m{"at": r.now.Add(time.Hour), "deadline": r.now.Add(time.Minute)}),
		"in ten years":           on(m{"all": true}, m{"at": r.now.AddDate(10, 0, 0)}),
		"a value that is none":   on(m{"all": true}, m{"set": m{"on": nil}}),
		"a value that is a list": on(m{"all": true}, m{"set": m{"on": []int{1}}}),
	} {
		if answer := r.ask(boss, "POST", "/jobs", wish, nil); answer.Code != 422 {
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		}
	}
	r.want(404, r.ask(boss, "POST", "/jobs", on(m{"group": "g1"}), nil))
	r.want(404, r.ask(boss, "GET", "/jobs/none", nil, nil))
	r.want(404, r.ask(boss, "POST", "/jobs/none/cancel", nil, nil))
	r.want(404, r.ask(boss, "GET", "/jobs/none/members", nil, nil))
}

func theSameIDIsTheSameJob(t *testing.T, newRig rigMaker) {
	r := newRig(t, 3)
	boss := r.boss()
	wish := on(m{"all": true, "type": "light"}, m{"id": "same", "deadline": r.now.Add(time.Hour)})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if answer := r.ask(boss, "POST", "/jobs", wish, nil); answer.Code != 202 {
				t.Errorf("%d %s", answer.Code, answer.Body)
			}
		})
	}
	all.Wait()
	r.step()
	r.pass(2 * time.Hour) // its end has passed, and it is the same job still
	r.want(202, r.ask(boss, "POST", "/jobs", wish, nil))
	r.want(409, r.ask(boss, "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "same"}), nil))
	if n := len(r.commands(r.homes[0].ID)); n != 2 {
		t.Errorf("%d commands of a home", n)
	}
	// In another tenant it is another job, which says nothing of this one.
	tenant, err := r.books.AddTenant(t.Context(), "Other")
	r.must(err)
	s, err := r.jobs.start(t.Context(), tenant.ID, hearth.Token{Scope: hearth.ScopeAdmin}, Wish{ID: "same", Set: map[string]hearth.Value{"on": hearth.BoolOf(false)}, Select: Select{All: true}, Rate: 1})
	if err != nil || s.tenant != tenant.ID {
		t.Errorf("%+v, %v", s, err)
	}
}

// A job of the future is found and carried out by whichever receiver is there then, once.
func atATime(t *testing.T, newRig rigMaker) {
	r := newRig(t, 2)
	at := r.now.Add(time.Hour)
	var view Job
	r.want(202, r.ask(r.boss(), "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "later", "at": at}), &view))
	if view.Phase != Scheduled || view.Total != 0 {
		t.Fatalf("%+v", view)
	}
	r.step()
	if n := len(r.commands(r.homes[0].ID)); n != 0 {
		t.Fatalf("%d commands before its time", n)
	}
	// Who is meant is found out when the time has come.
	r.devices[r.homes[0].ID] = append(r.devices[r.homes[0].ID], lamp("radio:3", "New"))
	r.jobs = r.another()
	r.pass(time.Hour)
	r.step()
	r.jobs = r.another()
	r.step()
	if view = r.job("later"); states(view) != `{"accepted":5}` || view.Phase != Running {
		t.Errorf("%+v", view)
	}
	if n := len(r.commands(r.homes[0].ID)); n != 3 {
		t.Errorf("%d commands of the first home", n)
	}
}

func TestRights(t *testing.T) {
	r := newRig(t, 3)
	viewer := func(name string) hearth.Token {
		return hearth.Token{Name: name, Grants: []hearth.Grant{{Scope: hearth.ScopeRead, Tenant: "main"}, {Scope: hearth.ScopeControl, Tenant: "main", Home: r.homes[1].ID}}, User: "u1", Hash: "x"}
	}
	var view Job
	r.want(202, r.ask(viewer("v@example.org"), "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "some"}), &view))
	if states(view) != `{"pending":2,"refused":2}` || view.Refused[0].Name != "Home 00" || view.Refused[0].Error.Code != hearth.CodeDenied || view.Refused[0].Device != "" {
		t.Errorf("%+v", view)
	}
	read := r.token(hearth.Token{Name: "reader", Scope: hearth.ScopeRead})
	r.want(403, r.ask(read, "POST", "/jobs", on(m{"all": true}), nil))
	r.want(403, r.ask(read, "POST", "/jobs/some/cancel", nil, nil))
	r.want(200, r.ask(read, "GET", "/jobs/some", nil, nil))
	r.want(403, r.ask(read, "POST", "/groups", m{"name": "x", "members": []m{}}, nil))
	bound := hearth.Token{Name: "bound", Scope: hearth.ScopeControl, Tenant: "main", Home: r.homes[0].ID}
	r.want(404, r.ask(bound, "GET", "/jobs", nil, nil))
	r.want(404, r.ask(hearth.Token{Name: "other", Scope: hearth.ScopeAdmin, Tenant: "t2"}, "GET", "/jobs", nil, nil))
	expiring := r.token(hearth.Token{Name: "short", Scope: hearth.ScopeControl, Expires: hearth.Time{Time: r.now.Add(time.Hour)}})
	r.want(422, r.ask(expiring, "POST", "/jobs", on(m{"all": true}, m{"at": r.now.Add(2 * time.Hour)}), nil), "expired")
}

// Rights count when the commands are given: a token that was removed gives none, whoever had signed in need not be still.
func rightsLater(t *testing.T, newRig rigMaker) {
	r := newRig(t, 2)
	token := r.boss()
	admin := hearth.Token{Name: "root", Scope: hearth.ScopeAdmin}
	user, _, err := r.books.AddUser(t.Context(), admin, "op@example.org", "Op", accounts.Right{Role: "operator", Tenant: "main"})
	r.must(err)
	secret, err := r.books.StartSession(t.Context(), user.ID, "", "")
	r.must(err)
	session, ok, err := r.books.Session(t.Context(), secret)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	at := r.now.Add(time.Hour)
	r.want(202, r.ask(token, "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "token", "at": at}), nil))
	r.want(202, r.ask(session, "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "person", "at": at}), nil))
	r.want(202, r.ask(session, "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "less", "at": at.Add(time.Hour)}), nil))
	_, err = r.books.RemoveToken(t.Context(), admin, token.Name)
	r.must(err)
	r.must(r.books.Logout(t.Context(), secret))
	r.pass(time.Hour)
	r.step()
	if view := r.job("token"); states(view) != `{"refused":1}` || view.Refused[0].Error.Code != hearth.CodeDenied || view.Phase != Done {
		t.Errorf("%+v", view)
	}
	if view := r.job("person"); states(view) != `{"accepted":4}` {
		t.Errorf("%+v", view)
	}
	_, err = r.books.Give(t.Context(), admin, user.ID, accounts.Right{Role: "viewer", Tenant: "main"})
	r.must(err)
	r.pass(time.Hour)
	r.step()
	if view := r.job("less"); states(view) != `{"refused":2}` || view.Refused[0].Name != "Home 00" {
		t.Errorf("%+v", view)
	}
}

// Wherever the receiver is killed, the next one gives what is left, and nothing twice.
func killedAnywhere(t *testing.T, newRig rigMaker) {
	for _, where := range []string{"before they are stored", "after they are stored"} {
		t.Run(where, func(t *testing.T) {
			r := newRig(t, 10)
			r.want(202, r.ask(r.boss(), "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "k", "rate": 3}), nil))
			killed := errors.New("killed")
			die := func([]Order) error { return killed }
			for i := 0; i < 60 && r.job("k").States[Pending] > 0; i++ {
				r.pass(time.Second)
				if r.before, r.after = nil, nil; i%2 == 0 && where == "before they are stored" {
					r.before = die
				} else if i%2 == 0 {
					r.after = die
				}
				if err := r.jobs.step(t.Context(), true); err != nil {
					if !errors.Is(err, killed) {
						t.Fatal(err)
					}
					r.jobs = r.another()
				}
			}
			r.mustHaveEach(t, "k", 2)
		})
	}
}

func (r *rig) mustHaveEach(t *testing.T, job string, each int) {
	t.Helper()
	if view := r.job(job); view.States["accepted"] != each*len(r.homes) || view.Total != each*len(r.homes) {
		t.Errorf("%+v", view)
	}
	for _, home := range r.homes {
		devices := map[hearth.ID]int{}
		for _, record := range r.commands(home.ID) {
			devices[record.Device]++
		}
		if len(devices) != each {
			t.Errorf("%s: %v", home.Name, devices)
		}
		for device, n := range devices {
			if n != 1 {
				t.Errorf("%s got %d commands", device, n)
			}
		}
	}
}

// Two receivers that both believe to be the one that does it give nothing twice.
func twoAtOnce(t *testing.T, newRig rigMaker) {
	r := newRig(t, 20)
	r.want(202, r.ask(r.boss(), "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "two", "rate": 10}), nil))
	both := []*Jobs{r.jobs, r.another()}
	for range 12 {
		r.pass(time.Second)
		var all sync.WaitGroup
		for _, j := range both {
			all.Go(func() {
				if err := j.step(context.Background(), true); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	r.mustHaveEach(t, "two", 2)
}

func cancel(t *testing.T, newRig rigMaker) {
	r := newRig(t, 4)
	boss := r.boss()
	r.want(202, r.ask(boss, "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "c", "rate": 3}), nil))
	r.step()
	sent, err := r.down.After(t.Context(), r.homes[0].ID, 0) // its gateway comes and takes its own
	if err != nil || len(sent) != 1 {
		t.Fatalf("%+v, %v", sent, err)
	}
	var view Job
	r.want(200, r.ask(boss, "POST", "/jobs/c/cancel", nil, &view))
	if states(view) != `{"cancelled":5,"sent":1,"superseded":2}` || view.Phase != Cancelled || view.Open != 1 || view.CancelledBy != boss.Name {
		t.Errorf("%+v", view)
	}
	for _, record := range r.commands(r.homes[1].ID) {
		if record.State != hearth.Superseded || record.Error == nil || record.Error.Code != hearth.CodeCancelled {
			t.Errorf("%+v", record)
		}
	}
	r.step()
	if view = r.job("c"); !view.Ended.IsZero() {
		t.Errorf("it has ended while a command is open: %+v", view)
	}
	r.confirm(r.homes[0].ID)
	r.step()
	if view = r.job("c"); states(view) != `{"cancelled":5,"confirmed":1,"superseded":2}` || view.Ended.IsZero() || view.Phase != Cancelled {
		t.Errorf("%+v", view)
	}
	r.want(409, r.ask(boss, "POST", "/jobs/c/cancel", nil, nil))
	// One whose time has not come has nothing to wait for.
	r.want(202, r.ask(boss, "POST", "/jobs", on(m{"all": true}, m{"id": "later", "at": r.now.Add(time.Hour)}), nil))
	r.want(200, r.ask(boss, "POST", "/jobs/later/cancel", nil, &view))
	if view.Ended.IsZero() || view.Total != 0 {
		t.Errorf("%+v", view)
	}
	r.pass(2 * time.Hour)
	r.step()
	if view = r.job("later"); view.Total != 0 {
		t.Errorf("a cancelled job began: %+v", view)
	}
}

// A job that is called off while commands are being given, or by a receiver that is killed then, gives no more.
func cancelInTheMiddle(t *testing.T, newRig rigMaker) {
	r := newRig(t, 4)
	boss := r.boss()
	r.want(202, r.ask(boss, "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "mid", "rate": 3}), nil))
	r.before = func([]Order) error {
		r.want(200, r.ask(boss, "POST", "/jobs/mid/cancel", nil, nil))
		return nil
	}
	r.step()
	if view := r.job("mid"); view.States["superseded"] == 0 || view.States["accepted"] != 0 || view.States[Called]+view.States["superseded"] != 8 {
		t.Errorf("%s", states(view))
	}
	killed := errors.New("killed")
	r.want(202, r.ask(boss, "POST", "/jobs", on(m{"all": true, "type": "light"}, m{"id": "dead", "rate": 3}), nil))
	r.before = func([]Order) error {
		r.want(200, r.ask(boss, "POST", "/jobs/dead/cancel", nil, nil))
		return killed
	}
	r.pass(time.Second)
	if err := r.jobs.step(t.Context(), true); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	r.before, r.jobs = nil, r.another()
	r.step()
	r.step()
	if view := r.job("dead"); states(view) != `{"cancelled":8}` || view.Ended.IsZero() {
		t.Errorf("%+v", view)
	}
}

func members(t *testing.T, newRig rigMaker) {
	r := newRig(t, 3)
	boss := r.boss()
	r.want(202, r.ask(boss, "POST", "/jobs", on(m{"all": true}, m{"id": "m"}), nil))
	r.step()
	var list, rest []Member
	r.want(200, r.ask(boss, "GET", "/jobs/m/members?limit=4", nil, &list))
	r.want(200, r.ask(boss, "GET", fmt.Sprintf("/jobs/m/members?after=%d", list[3].N), nil, &rest))
	homes := map[string]bool{}
	for _, member := range list[:3] {
		homes[member.Home] = true
	}
	if list = append(list, rest...); len(list) != 9 || len(homes) != 3 { // each home gets its first before any gets its second
		t.Fatalf("%d members, the first three of %v", len(list), homes)
	}
	for i, member := range list {
		if member.N != i+1 || member.Name == "" || member.Final != (member.State == Refused) || (member.Command == "") != (member.State == Refused) {
			t.Errorf("%+v", member)
		}
	}
	r.want(200, r.ask(boss, "GET", "/jobs/m/members?state=refused", nil, &list))
	if len(list) != 3 || list[0].Error.Code != hearth.CodeNoDevice || list[0].Device != "meter:1" {
		t.Errorf("%+v", list)
	}
	r.want(400, r.ask(boss, "GET", "/jobs/m/members?after=x", nil, nil))
	// A home that is deleted takes its commands along; the job says so and ends.
	r.must(r.books.RemoveHome(t.Context(), r.homes[0].ID, func(context.Context, string) error { return nil }))
	for _, home := range r.homes[1:] {
		r.confirm(home.ID)
	}
	r.step()
	if view := r.job("m"); states(view) != `{"confirmed":4,"gone":2,"refused":3}` || view.Phase != Done {
		t.Errorf("%+v", view)
	}
}

// What is refused only when it is given, as where somebody used the id before, is refused with the reason.
func refusedWhenGiven(t *testing.T, newRig rigMaker) {
	r := newRig(t, 2)
	_, err := r.down.Do(t.Context(), r.homes[0].ID, hearth.Command{ID: "x.1", Device: "radio:1", Set: map[string]hearth.Value{"on": hearth.BoolOf(true)}}, accounts.AuditEntry{})
	r.must(err)
	r.want(202, r.ask(r.boss(), "POST", "/jobs", on(m{"all": true, "device": "radio:1"}, m{"id": "x"}), nil))
	r.step()
	if view := r.job("x"); states(view) != `{"accepted":1,"refused":1}` || view.Refused[0].Error.Code != hearth.CodeConflict {
		t.Errorf("%+v", view)
	}
}

func TestTooMany(t *testing.T) {
	r := newRig(t, 1)
	for i := range MaxMembers + 1 {
		r.devices[r.homes[0].ID] = append(r.devices[r.homes[0].ID], lamp(hearth.ID(fmt.Sprintf("many:%d", i)), ""))
	}
	boss := r.boss()
	r.want(422, r.ask(boss, "POST", "/jobs", on(m{"all": true}), nil), "closer")
	for i := range maxOpen {
		r.want(202, r.ask(boss, "POST", "/jobs", on(m{"all": true}, m{"id": fmt.Sprint(i), "at": r.now.Add(time.Hour)}), nil))
	}
	r.want(429, r.ask(boss, "POST", "/jobs", on(m{"all": true}, m{"at": r.now.Add(time.Hour)}), nil))
	// Old jobs are forgotten with their members.
	for i := range maxOpen {
		r.want(200, r.ask(boss, "POST", fmt.Sprintf("/jobs/%d/cancel", i), nil, nil))
	}
	r.pass(keep + time.Hour)
	r.step()
	var jobs []Job
	r.want(200, r.ask(boss, "GET", "/jobs", nil, &jobs))
	if len(jobs) != 0 || slices.ContainsFunc(jobs, func(j Job) bool { return j.ID == "0" }) {
		t.Errorf("%d jobs are left", len(jobs))
	}
}
