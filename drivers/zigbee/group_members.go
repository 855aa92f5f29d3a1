package zigbee

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/traffic"
	"hearth/drivers/zigbee/zcl"
)

// A telling is how far a device is with what it has to be told about groups.
type telling struct {
	going   bool
	next    time.Time // not before then, unless there is news
	doubted time.Time // when it was last asked whether it is still in its groups
}

// When a device that did not answer is told again: not before then, and only when it speaks.
const (
	tellAgain       = 30 * time.Second
	tellAgainAwake  = 3 * time.Second // one that sleeps listens just now
	doubtAgain      = 5 * time.Minute
	mostGroupsNamed = 16
)

func (b *groupBook) tellingOf(address radio.IEEE) *telling {
	t := b.telling[address]
	if t == nil {
		t = &telling{}
		b.telling[address] = t
	}
	return t
}

// A debt is one thing that a device has to be told about a group.
type debt struct {
	group uint16
	place
	leave bool
}

// debt returns the next thing that a device has to be told; driver.mu is held.
func (b *groupBook) debt(address radio.IEEE) (debt, bool) {
	for _, n := range b.numbers() {
		g := b.all[n]
		for _, m := range g.Members {
			if m.Place.IEEE == address && m.owed() && !g.fresh {
				return debt{n, m.Place, m.State == memberLeaving}, true
			}
		}
	}
	return debt{}, false
}

// spokeForGroups has a device told what it has to know, now that it was heard; d.mu is held.
func (s *session) spokeForGroups(dev *device) {
	if s.d.groups.owing[dev.IEEE] && !time.Now().Before(s.d.groups.tellingOf(dev.IEEE).next) {
		s.tellDevice(dev)
	}
}

// tellDevice has a device told which groups it is in; d.mu is held.
func (s *session) tellDevice(dev *device) {
	t := s.d.groups.tellingOf(dev.IEEE)
	if _, owed := s.d.groups.debt(dev.IEEE); !owed || t.going {
		return
	}
	t.going = s.background(dev, func(ctx context.Context) error { return s.payDebts(ctx, dev, t) })
}

// payDebts tells a device one thing after the other until it knows all or does not answer.
func (s *session) payDebts(ctx context.Context, dev *device, t *telling) (err error) {
	stop := func() {
		t.going = false
		s.d.groups.note()
	}
	defer func() {
		if err == nil {
			return
		}
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		t.next = time.Now().Add(tellAgain)
		if dev.Sleeper {
			t.next = time.Now().Add(tellAgainAwake)
		}
		stop()
	}()
	select {
	case s.d.groups.places <- struct{}{}:
		defer func() { <-s.d.groups.places }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		s.d.mu.Lock()
		owed, more := s.d.groups.debt(dev.IEEE)
		if !more {
			stop()
			s.d.mu.Unlock()
			return nil
		}
		s.d.mu.Unlock()
		state, problem, err := s.tellMember(ctx, dev, owed)
		if err != nil {
			return err
		}
		if err := s.paid(dev, owed, state, problem); err != nil {
			return err
		}
	}
}

// membershipEnded is the state of a member that has left.
const membershipEnded membership = ""

// tellMember asks a device to join a group or to leave it, and returns how that is now. The error is its silence.
func (s *session) tellMember(ctx context.Context, dev *device, owed debt) (state membership, problem string, err error) {
	command := zcl.CmdGroupsAdd
	payload := binary.LittleEndian.AppendUint16(nil, owed.group)
	if owed.leave {
		command = zcl.CmdGroupsRemove
	} else {
		payload = append(payload, 0) // without a name
	}
	status, err := s.askStatus(ctx, dev, owed.Endpoint, zcl.ClusterGroups, zcl.ClusterCommand(command, payload...))
	switch {
	case err != nil:
		return "", "", err
	case owed.leave:
		return membershipEnded, "", nil // whatever it says: it is not in the group, or has no groups
	case status == zcl.Success:
		s.lostScenes(owed)
		return memberIn, "", nil
	case status == zcl.DuplicateExists:
		return memberIn, "", nil
	case status == zcl.InsufficientSpace:
		return memberFull, s.groupsNamed(ctx, dev, owed.Endpoint), nil
	}
	return memberRefused, fmt.Sprintf("the device refuses: %s", status), nil
}

// askStatus asks for something whose answer begins with a status, be it the command's own answer or the default one.
func (s *session) askStatus(ctx context.Context, dev *device, endpoint uint8, cluster uint16, f zcl.Frame) (zcl.Status, error) {
	answer, err := s.traffic.Request(ctx, dev, traffic.Target{Remote: endpoint, Cluster: cluster}, f)
	var refused *traffic.StatusError
	switch {
	case errors.As(err, &refused):
		return refused.Status, nil
	case err != nil:
		return 0, err
	case answer.Global || len(answer.Payload) == 0:
		return zcl.Success, nil
	}
	return zcl.Status(answer.Payload[0]), nil
}

// groupsNamed says which groups fill a device's table, if it tells them.
func (s *session) groupsNamed(ctx context.Context, dev *device, endpoint uint8) string {
	const says = "the device has no room for one more group"
	const all = 0
	answer, err := s.traffic.Request(ctx, dev, traffic.Target{Remote: endpoint, Cluster: zcl.ClusterGroups}, zcl.ClusterCommand(zcl.CmdGroupsGetMembership, all))
	if err != nil || answer.Global || len(answer.Payload) < 2 {
		return says
	}
	var names []string
	for b := answer.Payload[2:]; len(b) >= 2 && len(names) < mostGroupsNamed; b = b[2:] {
		names = append(names, strconv.Itoa(int(binary.LittleEndian.Uint16(b))))
	}
	return says + ": it is in " + strings.Join(names, ", ")
}

// lostScenes notes that a member was new to the group: if it had scenes in it, it has them no more.
func (s *session) lostScenes(of debt) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if g := s.d.groups.all[of.group]; g != nil {
		for i := range g.Scenes {
			g.Scenes[i].Members = slices.DeleteFunc(slices.Clone(g.Scenes[i].Members), func(p place) bool { return p == of.place })
		}
	}
}

// paid notes what a device answered, unless something else was wanted meanwhile.
func (s *session) paid(dev *device, owed debt, state membership, problem string) error {
	s.d.mu.Lock()
	g := s.d.groups.all[owed.group]
	if g != nil {
		g.settle(owed, state, problem)
		if state == memberFull || state == memberRefused {
			s.log.Warn("a device did not join a group: it is commanded by itself", "device", dev.id, "group", owed.group, "reason", problem)
		}
		if g.Deleted && len(g.Members) == 0 {
			delete(s.d.groups.all, owed.group)
		}
		s.regroup()
		s.d.groups.note()
	}
	s.d.mu.Unlock()
	return s.d.keepGroup(owed.group)
}

func (g *group) settle(owed debt, state membership, problem string) {
	i := slices.IndexFunc(g.Members, func(m groupMember) bool { return m.Place == owed.place })
	if i < 0 || !g.Members[i].owed() || owed.leave != (g.Members[i].State == memberLeaving) {
		return
	}
	g.Members = slices.Clone(g.Members)
	if state == membershipEnded {
		g.Members = slices.Delete(g.Members, i, i+1)
		return
	}
	g.Members[i].State, g.Members[i].Problem = state, problem
}

// renewGroups has a device told anew which groups it is in, since it may have forgotten; d.mu is held.
func (s *session) renewGroups(dev *device) {
	renewed := false
	for _, g := range s.d.groups.of[dev.IEEE] {
		g.Members = slices.Clone(g.Members)
		for i := range g.Members {
			if m := &g.Members[i]; m.Place.IEEE == dev.IEEE && m.State != memberLeaving {
				m.State, m.Problem, renewed = memberJoining, "", true
			}
		}
		s.keepGroupLater(g.Number)
	}
	if !renewed {
		return
	}
	s.regroup()
	s.d.groups.tellingOf(dev.IEEE).next = time.Time{}
	s.tellDevice(dev)
}

// doubtGroups is renewGroups for a device that seems to have missed what its group was told; d.mu is held.
func (s *session) doubtGroups(dev *device) {
	t := s.d.groups.tellingOf(dev.IEEE)
	if now := time.Now(); now.Sub(t.doubted) > doubtAgain {
		t.doubted = now
		s.renewGroups(dev)
	}
}

// clearNumber has whoever is in a group of that number from another time leave it.
func (s *session) clearNumber(ctx context.Context, g *group) {
	const settles = time.Second // the message is passed on for some time: it shall not overtake the first member's joining
	payload := binary.LittleEndian.AppendUint16(nil, g.Number)
	err := s.tellAll(ctx, g.Number, expose.Request{Cluster: zcl.ClusterGroups, Frame: zcl.ClusterCommand(zcl.CmdGroupsRemove, payload...)})
	if err != nil {
		s.log.Warn("devices that may be in a group of this number from another time were not told to leave it", "group", g.Number, "error", err)
	}
	pause(ctx, settles)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	g.fresh = false
}

// awaitMembers waits until the members of a group have been told, but for those that sleep or do not answer.
func (s *session) awaitMembers(ctx context.Context, number uint16) {
	for {
		s.d.mu.Lock()
		busy := s.d.groups.busy(s.d, number)
		changed := s.d.groups.changed
		s.d.mu.Unlock()
		if !busy {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// busy reports whether a member of the group is being told just now; driver.mu is held.
func (b *groupBook) busy(d *driver, number uint16) bool {
	g := b.all[number]
	if g == nil {
		return false
	}
	return slices.ContainsFunc(g.Members, func(m groupMember) bool {
		dev := d.devices[m.Place.IEEE]
		return dev != nil && !dev.Sleeper && m.owed() && b.tellingOf(m.Place.IEEE).going
	})
}

// badMember says why an endpoint cannot be in a group; d.mu is held.
func (d *driver) badMember(p place) error {
	dev := d.devices[p.IEEE]
	switch {
	case dev == nil:
		return hearth.Errorf(hearth.CodeBadValue, "there is no device %s in this network", p.IEEE)
	case !slices.ContainsFunc(dev.Endpoints, func(e expose.Endpoint) bool { return e.ID == p.Endpoint }):
		return hearth.Errorf(hearth.CodeBadValue, "%s has no endpoint %d, or has not told of it yet", dev.id, p.Endpoint)
	case !dev.serves(p.Endpoint, zcl.ClusterGroups):
		return hearth.Errorf(hearth.CodeBadValue, "endpoint %d of %s cannot be in a group: it has no Groups cluster", p.Endpoint, dev.id)
	}
	return nil
}
