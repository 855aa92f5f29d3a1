package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"hearth"
	"hearth/api"
	"hearth/cloud/accounts"
)

const (
	listed       = 100  // jobs in one list
	mostMembers  = 1000 // in one page
	refusedFirst = 50   // that a job names itself
)

// Routes are the REST interface of groups and jobs.
func (j *Jobs) Routes() []api.Route {
	const groups, jobs = "/api/v1/tenants/{tenant}/groups", "/api/v1/tenants/{tenant}/jobs"
	states := append([]string{Pending, Refused, Called, Gone}, stateNames()...)
	return []api.Route{
		{
			Method: "GET", Path: groups, ID: "listGroups", Scope: hearth.ScopeRead,
			Summary: "The tenant's groups of devices, by name", Response: []Group{}, Problems: []string{hearth.CodeNotFound}, Handler: j.listGroups,
		},
		{
			Method: "POST", Path: groups, ID: "addGroup", Scope: hearth.ScopeControl,
			Summary: "Name devices that are often meant together: single ones, and all that are of a type, in a room or have a property",
			Request: putGroup{}, Response: Group{}, Statuses: []int{http.StatusCreated}, Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue, hearth.CodeConflict}, Handler: j.addGroup,
		},
		{
			Method: "PUT", Path: groups + "/{id}", ID: "setGroup", Scope: hearth.ScopeControl,
			Summary: "Change a group", Request: putGroup{}, Response: Group{}, Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue, hearth.CodeConflict}, Handler: j.setGroup,
		},
		{
			Method: "DELETE", Path: groups + "/{id}", ID: "deleteGroup", Scope: hearth.ScopeControl,
			Summary: "Delete a group, not its devices", Problems: []string{hearth.CodeNotFound}, Handler: j.deleteGroup,
		},
		{
			Method: "GET", Path: jobs, ID: "listJobs", Scope: hearth.ScopeRead,
			Summary:  "The tenant's last jobs, newest first, at most 100",
			Query:    []api.Param{{Name: "open", Summary: "1: only those that have not ended", Options: []string{"1"}}},
			Response: []Job{}, Problems: []string{hearth.CodeNotFound}, Handler: j.listJobs,
		},
		{
			Method: "POST", Path: jobs, ID: "startJob", Scope: hearth.ScopeRead,
			Summary: "Give the same command to many devices, now or at a time: control is needed in every home it reaches, and those where it is not there are refused by name. The same id twice is the same job",
			Query:   []api.Param{{Name: "dry", Summary: "1 answers 200 and whom it would mean now, and starts nothing", Options: []string{"1"}}},
			Request: Wish{}, Response: Job{}, Statuses: []int{http.StatusAccepted, http.StatusOK},
			Problems: []string{hearth.CodeNotFound, hearth.CodeBadValue, hearth.CodeConflict}, Handler: j.startJob,
		},
		{
			Method: "GET", Path: jobs + "/{id}", ID: "getJob", Scope: hearth.ScopeRead,
			Summary: "How far a job is", Response: Job{}, Problems: []string{hearth.CodeNotFound}, Handler: j.getJob,
		},
		{
			Method: "GET", Path: jobs + "/{id}/members", ID: "listJobMembers", Scope: hearth.ScopeRead,
			Summary: "What became of each device of a job, by number",
			Query: []api.Param{
				{Name: "state", Summary: "only those in this state", Options: slices.Compact(slices.Sorted(slices.Values(states)))},
				{Name: "after", Summary: "only those with a greater number", Type: "integer"},
				{Name: "limit", Summary: "at most so many, at most 1000", Type: "integer"},
			},
			Response: []Member{}, Problems: []string{hearth.CodeNotFound, api.CodeBadRequest}, Handler: j.listMembers,
		},
		{
			Method: "POST", Path: jobs + "/{id}/cancel", ID: "cancelJob", Scope: hearth.ScopeRead,
			Summary:  "Call a job off, by whoever started it or has control in the tenant: what was not sent is not; what was has its own end",
			Response: Job{}, Problems: []string{hearth.CodeNotFound, hearth.CodeConflict}, Handler: j.cancelJob,
		},
	}
}

func stateNames() []string {
	names := make([]string, 0, len(hearth.States))
	for _, s := range hearth.States {
		names = append(names, string(s))
	}
	return names
}

func (j *Jobs) listGroups(w http.ResponseWriter, r *http.Request) error {
	list, err := j.groups(r.Context(), r.PathValue("tenant"))
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, list)
	return nil
}

func (j *Jobs) addGroup(w http.ResponseWriter, r *http.Request) error {
	return j.writeGroup(w, r, http.StatusCreated)
}

func (j *Jobs) setGroup(w http.ResponseWriter, r *http.Request) error {
	return j.writeGroup(w, r, http.StatusOK)
}

func (j *Jobs) writeGroup(w http.ResponseWriter, r *http.Request, status int) error {
	var body putGroup
	if err := api.ReadJSON(w, r, &body); err != nil {
		return err
	}
	group, err := j.put(r.Context(), r.PathValue("tenant"), r.PathValue("id"), body)
	if err != nil {
		return err
	}
	api.Note(r.Context(), fmt.Sprintf("%s %s, %d members", group.ID, group.Name, len(group.Members)))
	api.WriteJSON(w, status, group)
	return nil
}

func (j *Jobs) deleteGroup(w http.ResponseWriter, r *http.Request) error {
	if err := j.remove(r.Context(), r.PathValue("tenant"), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (j *Jobs) listJobs(w http.ResponseWriter, r *http.Request) error {
	where := `tenant = $1 ORDER BY created DESC, id LIMIT $2`
	if r.URL.Query().Get("open") == "1" {
		where = `tenant = $1 AND ended = 0 ORDER BY created DESC, id LIMIT $2`
	}
	list, err := j.list(r.Context(), where, r.PathValue("tenant"), listed)
	if err != nil {
		return err
	}
	views := make([]Job, 0, len(list))
	for _, s := range list {
		view, err := j.view(r.Context(), s)
		if err != nil {
			return err
		}
		views = append(views, view)
	}
	api.WriteJSON(w, http.StatusOK, views)
	return nil
}

func (j *Jobs) startJob(w http.ResponseWriter, r *http.Request) error {
	var wish Wish
	if err := api.ReadJSON(w, r, &wish); err != nil {
		return err
	}
	wish.fill()
	tenant, token := r.PathValue("tenant"), api.TokenOf(r.Context())
	if r.URL.Query().Get("dry") == "1" {
		return j.dry(w, r, tenant, token, &wish)
	}
	s, err := j.start(r.Context(), tenant, token, wish)
	if err != nil {
		return err
	}
	view, err := j.full(r.Context(), s)
	if err != nil {
		return err
	}
	api.Note(r.Context(), fmt.Sprintf("%s, %d devices", s.ID, view.Total))
	w.Header().Set("Location", r.URL.Path+"/"+s.ID)
	api.WriteJSON(w, http.StatusAccepted, view)
	return nil
}

// dry answers whom a wish would mean now.
func (j *Jobs) dry(w http.ResponseWriter, r *http.Request, tenant string, token hearth.Token, wish *Wish) error {
	if err := wish.check(j.o.Now()); err != nil {
		return err
	}
	list, err := j.resolve(r.Context(), tenant, token, wish)
	if err != nil {
		return err
	}
	names := map[string]string{}
	homes, err := j.o.Accounts.HomesOf(r.Context(), tenant)
	if err != nil {
		return err
	}
	for _, h := range homes {
		names[h.ID] = h.Name
	}
	view := Job{Wish: *wish, Tenant: tenant, By: token.Name, Created: hearth.Time{Time: j.o.Now().UTC()}, Phase: Scheduled, Total: len(list), States: map[string]int{}}
	for i, m := range list {
		state := Pending
		if m.refused != nil {
			state = Refused
			if len(view.Refused) < refusedFirst {
				view.Refused = append(view.Refused, Member{N: i + 1, Home: m.home, Name: names[m.home], Device: m.device, State: Refused, Final: true, Error: hearth.ErrorOf(m.refused)})
			}
		}
		view.States[state]++
	}
	view.Open = view.States[Pending]
	api.Note(r.Context(), "dry")
	api.WriteJSON(w, http.StatusOK, view)
	return nil
}

// start starts a job, or returns the one that is there. Errors: bad_value, conflict (the id with other content),
// denied (control in none of the tenant's homes), not_found (the group), busy.
func (j *Jobs) start(ctx context.Context, tenant string, token hearth.Token, wish Wish) (*stored, error) {
	if there, err := j.same(ctx, tenant, &wish); there != nil || err != nil {
		return there, err
	}
	now := j.o.Now()
	if err := wish.check(now); err != nil {
		return nil, err
	}
	if err := j.mayStart(ctx, tenant, token, &wish); err != nil {
		return nil, err
	}
	s := &stored{Wish: wish, tenant: tenant, created: now.UnixMilli(), due: now.UnixMilli()}
	var err error
	if s.Asker, err = j.o.Accounts.AskerOf(ctx, token); err != nil {
		return nil, err
	}
	var list []meant
	if wish.At.After(now) {
		s.due = wish.At.UnixMilli()
	} else if list, err = j.resolve(ctx, tenant, token, &wish); err != nil {
		return nil, err
	} else {
		s.Resolved = true
	}
	fresh, err := j.insert(ctx, s, list)
	if err != nil {
		return nil, err
	}
	if !fresh { // somebody was quicker
		return j.same(ctx, tenant, &wish)
	}
	j.nudge()
	return s, nil
}

// same returns the job that has the wish's id; nil if there is none.
func (j *Jobs) same(ctx context.Context, tenant string, wish *Wish) (*stored, error) {
	there, err := get(ctx, j.db, keyOf(tenant, wish.ID))
	if errors.Is(err, &hearth.Error{Code: hearth.CodeNotFound}) {
		return nil, nil
	}
	if err == nil && !reflect.DeepEqual(there.Wish, *wish) {
		return nil, hearth.Errorf(hearth.CodeConflict, "there is a job %s already, and it asks for something else", wish.ID)
	}
	return there, err
}

// mayStart refuses those who could give no command at all.
func (j *Jobs) mayStart(ctx context.Context, tenant string, token hearth.Token, wish *Wish) error {
	if !token.Expires.IsZero() && wish.At.After(token.Expires.Time) {
		return bad("/at", "the token %s will have expired by then", token.Name)
	}
	if wish.Select.Group != "" {
		if _, err := j.group(ctx, tenant, wish.Select.Group); err != nil {
			return err
		}
	}
	homes, err := j.o.Accounts.HomesOf(ctx, tenant)
	if err != nil {
		return err
	}
	controls := func(h accounts.Home) bool { return token.In(tenant, h.ID).Allows(hearth.ScopeControl) }
	if !token.In(tenant, "").Allows(hearth.ScopeControl) && !slices.ContainsFunc(homes, controls) {
		return hearth.Errorf(hearth.CodeDenied, "this needs scope control, and %s has it in none of the tenant's homes", token.Name)
	}
	return nil
}

// full is a view that also names what was refused.
func (j *Jobs) full(ctx context.Context, s *stored) (Job, error) {
	view, err := j.view(ctx, s)
	if err == nil && view.States[Refused] > 0 {
		view.Refused, err = j.members(ctx, s, Refused, 0, refusedFirst)
	}
	return view, err
}

func (j *Jobs) of(r *http.Request) (*stored, error) {
	return get(r.Context(), j.db, keyOf(r.PathValue("tenant"), r.PathValue("id")))
}

func (j *Jobs) getJob(w http.ResponseWriter, r *http.Request) error {
	s, err := j.of(r)
	if err != nil {
		return err
	}
	view, err := j.full(r.Context(), s)
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, view)
	return nil
}

func (j *Jobs) listMembers(w http.ResponseWriter, r *http.Request) error {
	s, err := j.of(r)
	if err != nil {
		return err
	}
	query, page := r.URL.Query(), map[string]int{"after": 0, "limit": 200}
	for name, fallback := range page {
		if text := query.Get(name); text != "" {
			if page[name], err = strconv.Atoi(text); err != nil || page[name] < 0 {
				return api.BadRequest("%s: want a number, as %d", name, fallback)
			}
		}
	}
	list, err := j.members(r.Context(), s, query.Get("state"), page["after"], min(max(page["limit"], 1), mostMembers))
	if err != nil {
		return err
	}
	api.WriteJSON(w, http.StatusOK, list)
	return nil
}

func (j *Jobs) cancelJob(w http.ResponseWriter, r *http.Request) error {
	s, err := j.of(r)
	if err != nil {
		return err
	}
	token, tenant := api.TokenOf(r.Context()), r.PathValue("tenant")
	asker, err := j.o.Accounts.AskerOf(r.Context(), token)
	if err != nil {
		return err
	}
	if !token.In(tenant, "").Allows(hearth.ScopeControl) && asker != s.Asker {
		return hearth.Errorf(hearth.CodeDenied, "a job is called off by whoever started it, or with control in the whole tenant")
	}
	if s, err = j.cancel(r.Context(), s.key(), token.Name); err != nil {
		return err
	}
	view, err := j.view(r.Context(), s)
	if err != nil {
		return err
	}
	if s.ended > 0 {
		j.o.Emit(tenant, view)
	}
	api.Note(r.Context(), fmt.Sprintf("%d cancelled", view.States[Called]))
	api.WriteJSON(w, http.StatusOK, view)
	return nil
}
