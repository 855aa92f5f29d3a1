package jobs

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"hearth"
	"hearth/cloud/accounts"
)

// A meant is a device that a job means, and why it is refused.
type meant struct {
	home    string
	device  hearth.ID
	refused error
	rank    int // among those of its home
}

// A resolver finds out which devices are meant.
type resolver struct {
	jobs   *Jobs
	tenant string
	token  hearth.Token
	set    map[string]hearth.Value

	homes []accounts.Home // of the tenant, by name
	known map[string]accounts.Home
	seen  map[label]bool
	found []meant
	ranks map[string]int
}

type label struct {
	home   string
	device hearth.ID
}

// resolve returns whom a wish means now, in the order in which they get their commands: one of each home after the
// other, so that no gateway gets all of its own at once. Errors: not_found (the group), bad_value (too many).
func (j *Jobs) resolve(ctx context.Context, tenant string, token hearth.Token, w *Wish) ([]meant, error) {
	homes, err := j.o.Accounts.HomesOf(ctx, tenant)
	if err != nil {
		return nil, err
	}
	r := resolver{jobs: j, tenant: tenant, token: token, set: w.Set, homes: homes, known: map[string]accounts.Home{}, seen: map[label]bool{}, ranks: map[string]int{}}
	for _, h := range homes {
		r.known[h.ID] = h
	}
	selectors := []Select{w.Select}
	if w.Select.Group != "" {
		group, err := j.group(ctx, tenant, w.Select.Group)
		if err != nil {
			return nil, err
		}
		selectors = group.selectors()
	}
	for _, s := range selectors {
		if err := r.add(s); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(r.found, func(a, b meant) int { return cmp.Compare(a.rank, b.rank) })
	return r.found, nil
}

// later resolves a wish when its time has come: in the name of whoever asked, as far as they may now. What makes all of
// it impossible is its one refusal.
func (j *Jobs) later(ctx context.Context, s *stored) ([]meant, error) {
	token, ok, err := j.o.Accounts.Standing(ctx, s.Asker)
	if err != nil {
		return nil, err
	}
	if !ok || token.In(s.tenant, "") == "" {
		why := hearth.Errorf(hearth.CodeDenied, "%s, who asked for it, may not do so any more", s.Asker.Name)
		return []meant{{refused: why}}, nil
	}
	list, err := j.resolve(ctx, s.tenant, token, &s.Wish)
	var coded *hearth.Error
	if errors.As(err, &coded) {
		return []meant{{refused: err}}, nil
	}
	return list, err
}

func (r *resolver) add(s Select) error {
	homes := s.Homes
	if len(homes) == 0 {
		for _, h := range r.homes {
			homes = append(homes, h.ID)
		}
	}
	for _, id := range homes {
		home, known := r.known[id]
		scope := r.token.In(r.tenant, id)
		switch {
		case !known || scope == "":
			r.put(meant{home: id, refused: hearth.Errorf(hearth.CodeNotFound, "the tenant has no such home")})
		case !scope.Allows(hearth.ScopeControl):
			r.put(meant{home: id, refused: hearth.Errorf(hearth.CodeDenied, "%s may not give commands in %s", r.token.Name, home.Name)})
		default:
			r.look(id, s)
		}
		if len(r.found) > MaxMembers {
			return hearth.Errorf(hearth.CodeBadValue, "it means more than %d devices: say closer which, or make several jobs of it", MaxMembers)
		}
	}
	return nil
}

// look adds the devices of a home that are as s says.
func (r *resolver) look(home string, s Select) {
	there := false
	r.jobs.o.Look(home, func(d *hearth.DeviceView) bool {
		if s.matches(d) {
			there = true
			r.put(meant{home: home, device: d.ID, refused: d.CheckSet(r.set)})
		}
		return len(r.found) <= MaxMembers
	})
	if s.Device != "" && !there {
		r.put(meant{home: home, device: s.Device, refused: hearth.Errorf(hearth.CodeNoDevice, "the home has no such device")})
	}
}

func (s *Select) matches(d *hearth.DeviceView) bool {
	return (s.Device == "" || s.Device == d.ID) && (s.Type == "" || s.Type == d.Type) && (s.Room == "" || s.Room == d.Room) &&
		(s.Property == "" || d.Property(s.Property) != nil)
}

func (r *resolver) put(m meant) {
	l := label{m.home, m.device}
	if r.seen[l] {
		return
	}
	r.seen[l] = true
	m.rank = r.ranks[m.home]
	r.ranks[m.home]++
	r.found = append(r.found, m)
}
