package zigbee

import (
	"context"
	"fmt"
	"slices"

	"hearth"
	"hearth/drivers/zigbee/radio"
)

// A groupView is a group as a program sees it.
type groupView struct {
	Number  uint16       `json:"number"`
	ID      hearth.ID    `json:"id"`
	Name    string       `json:"name"`
	Members []memberView `json:"members"`
	Scenes  []groupScene `json:"scenes"`
}

type memberView struct {
	Member  place      `json:"member"`
	Name    string     `json:"name"`
	State   membership `json:"state"`
	Problem string     `json:"problem,omitempty"`
}

// A groupWanted is how somebody wants a group to be; what is nil stays.
type groupWanted struct {
	Name    *string  `json:"name"`
	Members *[]place `json:"members"`
}

// listGroups returns all groups by their numbers.
func (d *driver) listGroups() []groupView {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []groupView{}
	for _, n := range d.groups.numbers() {
		if g := d.groups.all[n]; !g.Deleted {
			all = append(all, g.view(d))
		}
	}
	return all
}

// view is the group as it is now; driver.mu is held.
func (g *group) view(d *driver) groupView {
	v := groupView{Number: g.Number, ID: g.id, Name: g.Name, Members: []memberView{}, Scenes: append([]groupScene{}, g.Scenes...)}
	for _, m := range g.Members {
		v.Members = append(v.Members, memberView{m.Place, d.nameOf(m.Place.IEEE), m.State, m.Problem})
	}
	return v
}

// nameOf is what a device is called here, its address if it is not known; driver.mu is held.
func (d *driver) nameOf(address radio.IEEE) string {
	if dev := d.devices[address]; dev != nil && dev.told.Name != "" {
		return dev.told.Name
	}
	if d.network != nil && d.network.Coordinator == address {
		return "Coordinator"
	}
	return address.String()
}

// createGroup makes a group and has its members join. The answer says of each how far that is: devices that sleep or do
// not answer join when they are next heard.
func (d *driver) createGroup(ctx context.Context, want groupWanted) (groupView, error) {
	s, err := d.live()
	if err != nil {
		return groupView{}, err
	}
	d.mu.Lock()
	g, err := d.newGroupOf(want)
	d.mu.Unlock()
	if err != nil {
		return groupView{}, err
	}
	if err := d.keepGroup(g.Number); err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.groups.all, g.Number)
		d.groups.index()
		return groupView{}, err
	}
	s.log.Info("a new group", "group", g.id, "name", g.Name)
	d.mu.Lock()
	s.regroup()
	d.mu.Unlock()
	s.hearGroup(g.Number)
	ctx, cancel := context.WithTimeout(ctx, memberTime)
	defer cancel()
	s.clearNumber(ctx, g)
	return s.tellMembers(ctx, g), nil
}

// newGroupOf adds a group that nobody was told of yet; driver.mu is held.
func (d *driver) newGroupOf(want groupWanted) (*group, error) {
	number := uint16(1)
	for d.groups.all[number] != nil {
		number++
	}
	if len(d.groups.all) >= maxGroups {
		return nil, hearth.Errorf(hearth.CodeConflict, "there are %d groups already: remove one", maxGroups)
	}
	g := newGroup(d, groupRecord{Number: number, Name: fmt.Sprintf("Group %d", number)})
	if err := d.change(g, want); err != nil {
		return nil, err
	}
	g.fresh = true
	d.groups.all[number] = g
	return g, nil
}

// change makes a group what is wanted, as far as it is kept here; driver.mu is held.
func (d *driver) change(g *group, want groupWanted) error {
	if want.Name != nil && (*want.Name == "" || len(*want.Name) > maxName) {
		return hearth.Errorf(hearth.CodeBadValue, "a group's name has 1 to %d bytes", maxName)
	}
	if want.Members != nil {
		if len(*want.Members) > maxMembers {
			return hearth.Errorf(hearth.CodeBadValue, "a group has at most %d members", maxMembers)
		}
		for _, p := range *want.Members {
			known := slices.ContainsFunc(g.Members, func(m groupMember) bool { return m.Place == p })
			if err := d.badMember(p); err != nil && !known {
				return err
			}
		}
		g.replace(*want.Members)
	}
	if want.Name != nil {
		g.Name = *want.Name
	}
	return nil
}

// replace makes the members those that are wanted: the others have to leave, and those that had no room try again.
func (g *group) replace(wanted []place) {
	var members []groupMember
	for _, m := range g.Members {
		stays := slices.Contains(wanted, m.Place)
		switch {
		case !stays:
			m.State, m.Problem = memberLeaving, ""
		case m.State != memberIn:
			m.State, m.Problem = memberJoining, ""
		}
		members = append(members, m)
	}
	for _, p := range wanted {
		if !slices.ContainsFunc(members, func(m groupMember) bool { return m.Place == p }) {
			members = append(members, groupMember{Place: p, State: memberJoining})
		}
	}
	slices.SortFunc(members, compareMembers)
	g.Members = members
	for i := range g.Scenes {
		g.Scenes[i].Members = slices.DeleteFunc(slices.Clone(g.Scenes[i].Members), func(p place) bool { return !slices.Contains(wanted, p) })
	}
}

// changeGroup gives a group another name or other members.
func (d *driver) changeGroup(ctx context.Context, number uint16, want groupWanted) (groupView, error) {
	s, err := d.live()
	if err != nil {
		return groupView{}, err
	}
	d.mu.Lock()
	g, err := d.groupByNumber(number)
	if err == nil {
		err = d.change(g, want)
	}
	if err == nil {
		s.regroup()
	}
	d.mu.Unlock()
	if err != nil {
		return groupView{}, err
	}
	if err := d.keepGroup(number); err != nil {
		return groupView{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, memberTime)
	defer cancel()
	return s.tellMembers(ctx, g), nil
}

// tellMembers has all members told that have to be, and returns what came of it.
func (s *session) tellMembers(ctx context.Context, g *group) groupView {
	s.d.mu.Lock()
	for _, m := range g.Members {
		if dev := s.d.devices[m.Place.IEEE]; dev != nil && m.owed() {
			s.tellDevice(dev)
		}
	}
	s.d.mu.Unlock()
	s.awaitMembers(ctx, g.Number)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return g.view(s.d)
}

// deleteGroup gives a group up. Members that do not answer are told when they are next heard; its number is not used
// again before.
func (d *driver) deleteGroup(ctx context.Context, number uint16) error {
	s, err := d.live()
	if err != nil {
		return err
	}
	d.mu.Lock()
	g, err := d.groupByNumber(number)
	if err != nil {
		d.mu.Unlock()
		return err
	}
	g.Deleted, g.Scenes = true, nil
	g.replace(nil)
	if len(g.Members) == 0 {
		delete(d.groups.all, number)
	}
	s.regroup()
	if d.session == s {
		s.home.Forget(g.id)
	}
	d.mu.Unlock()
	s.log.Info("a group is given up", "group", g.id)
	if err := d.keepGroup(number); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, memberTime)
	defer cancel()
	s.tellMembers(ctx, g)
	return nil
}
