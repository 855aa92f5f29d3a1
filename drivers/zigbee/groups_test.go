package zigbee

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// One message reaches all members and only them, and their own reports are the group's state.
func TestGroup(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s := newStack(t, protocol)
		defer s.mesh.Close()
		s.open(t, drivertest.NewEnv(t, "radio"), string(protocol))
		a, idA := s.pair(t, "a", dimmable())
		b, _ := s.pair(t, "b", dimmable())
		c, _ := s.pair(t, "c", bulb())
		v := s.groupOf(t, "Kitchen", a, b)
		if v.Number != 1 || v.ID != groupID || !slices.Equal(states(v), []string{"in", "in"}) {
			t.Fatalf("the group is %+v", v)
		}
		d, _ := s.home.Device(groupID)
		var names []string
		for _, p := range d.Properties {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); d.Type != "light" || d.Name != "Kitchen" || got != "on brightness transition scene membership" {
			t.Errorf("it is announced as %s %s with %s", d.Type, d.Name, got)
		}
		s.expect(t, groupID, "membership", hearth.TextOf("complete"))
		s.home.WaitFor(t, groupID, "on", off)

		toldA, toldB, toldC := watch(a), watch(b), watch(c)
		if err := s.setAll(groupID, map[string]hearth.Value{"on": on, "brightness": hearth.NumberOf(40)}); err != nil {
			t.Fatal(err)
		}
		s.home.WaitFor(t, groupID, "on", on)
		s.home.Await(t, 9*time.Second, "the group's brightness", func() bool {
			return drivertest.Close(hearth.Property{Min: new(float64), Max: &hundred}, s.last(groupID, "brightness"), hearth.NumberOf(40))
		})
		wait(20 * time.Second)
		toldA.expect(t, "a", 1, 0)
		toldB.expect(t, "b", 1, 0)
		toldC.expect(t, "c", 0, 0)
		if !isOn(t, a) || !isOn(t, b) || isOn(t, c) {
			t.Errorf("on are a: %v, b: %v, c: %v", isOn(t, a), isOn(t, b), isOn(t, c))
		}

		// The group is on while any member is.
		if err := s.set(idA, "on", off); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Second)
		s.expect(t, groupID, "on", on)
		if err := b.Set(1, zcl.ClusterOnOff, zcl.AttrOnOffOnOff, zcl.BoolOf(false)); err != nil {
			t.Fatal(err)
		}
		s.home.WaitFor(t, groupID, "on", off)

		if err := s.set(groupID, "color_hue", hearth.NumberOf(1)); hearth.ErrorOf(errorOr(err)).Code != hearth.CodeNoDevice {
			t.Errorf("what no member has: %v", err)
		}
		if err := s.set("radio:group_2", "on", on); hearth.ErrorOf(errorOr(err)).Code != hearth.CodeNoDevice {
			t.Errorf("a group that is not there: %v", err)
		}
		s.close(t)
	})
}

var hundred = 100.0

// Groups outlive the driver, and change.
func TestGroupChanges(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, env := newStack(t, protocol), drivertest.NewEnv(t, "radio")
		defer s.mesh.Close()
		s.open(t, env, string(protocol))
		a, idA := s.pair(t, "a", dimmable())
		b, _ := s.pair(t, "b", dimmable())
		c, _ := s.pair(t, "c", bulb())
		s.groupOf(t, "Kitchen", a, b)
		s.close(t)

		s.open(t, env, string(protocol))
		if d, ok := s.home.Device(groupID); !ok || d.Name != "Kitchen" {
			t.Error("the group is not announced at the start")
		}
		toldA, toldB := watch(a), watch(b)
		if err := s.set(groupID, "on", on); err != nil {
			t.Fatal(err)
		}
		s.home.WaitFor(t, groupID, "on", on)
		wait(10 * time.Second)
		toldA.expect(t, "a after a restart", 1, 0)
		toldB.expect(t, "b after a restart", 1, 0)
		if !isOn(t, a) || !isOn(t, b) {
			t.Error("not all members are on after a restart of the driver")
		}

		v := answered[groupView](t, s, 200, "PATCH", "/groups/1", object{"name": "Hall", "members": []place{at(b), at(c)}})
		if v.Name != "Hall" || !slices.Equal(states(v), []string{"in", "in"}) {
			t.Errorf("the group is %+v", v)
		}
		if len(a.Groups(1)) != 0 || !slices.Equal(c.Groups(1), []uint16{1}) {
			t.Errorf("a is in groups %v, c in %v", a.Groups(1), c.Groups(1))
		}
		d, _ := s.home.Device(groupID)
		if _, dims := d.Property("brightness"); dims || d.Name != "Hall" || d.Type != "light" {
			t.Errorf("with a lamp that does not dim it is %+v", d)
		}
		for _, bad := range []object{
			{"members": []string{"0000000000000007/1"}},
			{"members": []string{b.IEEE().String() + "/9"}},
			{"name": ""},
		} {
			answered[problem](t, s, 422, "PATCH", "/groups/1", bad)
		}

		answered[problem](t, s, 400, "PATCH", "/groups/1", object{"members": []string{"kitchen"}})

		// A device that has left the network is in no group any more.
		c.Leave()
		s.home.Wait(t, "the lamp's leaving", func() bool { return len(s.home.Forgotten()) == 1 })
		if all := answered[[]groupView](t, s, 200, "GET", "/groups", nil); len(all) != 1 || len(all[0].Members) != 1 {
			t.Errorf("the groups are %+v", all)
		}
		if d, _ = s.home.Device(groupID); d.Properties[0].Name != "on" || d.Properties[1].Name != "brightness" {
			t.Errorf("without the lamp that does not dim it has %+v", d.Properties)
		}
		answered[object](t, s, 204, "DELETE", "/groups/1", nil)
		if len(b.Groups(1)) != 0 {
			t.Errorf("b is in groups %v", b.Groups(1))
		}
		if _, ok := s.home.Device(groupID); ok {
			t.Error("the group's device is not forgotten")
		}
		s.close(t)
		s.open(t, env, string(protocol))
		if all := answered[[]groupView](t, s, 200, "GET", "/groups", nil); len(all) != 0 {
			t.Errorf("after a restart there are %+v", all)
		}

		// A lamp that was reset and comes back is told again.
		s.groupOf(t, "Kitchen", a)
		if err := s.set(s.coordinator(), "pairing", hearth.NumberOf(60)); err != nil {
			t.Fatal(err)
		}
		a.Pair(10 * time.Second)
		s.home.Await(t, time.Minute, "the lamp's membership", func() bool { return slices.Equal(a.Groups(1), []uint16{1}) })
		wait(5 * time.Second)
		if err := s.set(idA, "on", off); err != nil {
			t.Error(err)
		}
		s.close(t)
	})
}

// A member that has lost its membership behind the driver's back misses what the group is told, and is told by itself; then
// it is a member again. A button that is bound to the group and to the coordinator is pressed once.
func TestGroupMends(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, env := newStack(t, protocol), drivertest.NewEnv(t, "radio")
		defer s.mesh.Close()
		s.open(t, env, string(protocol))
		a, _ := s.pair(t, "a", dimmable())
		b, _ := s.pair(t, "b", dimmable())
		r, idR := s.pair(t, "r", remote())
		s.groupOf(t, "Kitchen", a, b)
		bound := answered[bindingView](t, s, 201, "POST", "/bindings", object{"source": at(r), "target": at(b), "clusters": []string{"groups"}})
		if !slices.Equal(bound.Clusters, []string{"groups"}) {
			t.Errorf("bound are %v", bound.Clusters)
		}
		if err := r.Press("leave"); err != nil {
			t.Fatal(err)
		}
		wait(time.Second)
		if len(b.Groups(1)) != 0 {
			t.Fatalf("b is in groups %v", b.Groups(1))
		}
		toldA, toldB := watch(a), watch(b)
		if err := s.set(groupID, "on", on); err != nil {
			t.Fatal(err)
		}
		wait(8 * time.Second)
		if !isOn(t, a) || !isOn(t, b) {
			t.Errorf("on are a: %v, b: %v", isOn(t, a), isOn(t, b))
		}
		toldA.expect(t, "a", 1, 0)
		toldB.expect(t, "b", 0, 2) // on, and that it is in the group
		if !slices.Equal(b.Groups(1), []uint16{1}) {
			t.Errorf("b is in groups %v", b.Groups(1))
		}
		s.expect(t, groupID, "membership", hearth.TextOf("complete"))

		answered[bindingView](t, s, 201, "POST", "/bindings", object{"source": at(r), "target": "group:1"})
		before := s.home.Count(idR, "button_off")
		if err := r.Press("off"); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Second)
		if isOn(t, a) || isOn(t, b) {
			t.Errorf("after the button on are a: %v, b: %v", isOn(t, a), isOn(t, b))
		}
		s.expect(t, groupID, "on", off)
		if n := s.home.Count(idR, "button_off") - before; n != 1 {
			t.Errorf("the button was pressed once and heard %d times", n)
		}
		_ = r.Press("off")
		wait(time.Second)
		_ = r.Press("off")
		wait(time.Second)
		if n := s.home.Count(idR, "button_off") - before; n != 3 {
			t.Errorf("the button was pressed three times and heard %d times", n)
		}

		// Without its binding to the coordinator it is heard through the group.
		for _, own := range r.Bindings() {
			if own.Destination.IEEE == 0x00124b0000000001 && own.Cluster == zcl.ClusterOnOff {
				dev := s.devices[r.IEEE()]
				if err := s.session.unbind(t.Context(), dev, own); err != nil {
					t.Fatal(err)
				}
			}
		}
		heard := func(after string) {
			t.Helper()
			before := s.home.Count(idR, "button_on")
			_ = r.Press("on")
			wait(time.Second)
			if s.home.Count(idR, "button_on") != before+1 {
				t.Errorf("after %s the button is not heard through the group", after)
			}
		}
		heard("its unbinding")
		s.stick.Reset(fake.Watchdog)
		wait(10 * time.Second)
		heard("a restart of the stick")
		s.close(t)
		s.open(t, env, string(protocol))
		wait(time.Second)
		heard("a restart of the driver")
		s.close(t)
	})
}

// Whoever is in a group from another time is not in a new one of its number.
func TestGroupNumberIsCleared(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s := newStack(t, protocol)
		defer s.mesh.Close()
		s.open(t, drivertest.NewEnv(t, "radio"), string(protocol))
		a, _ := s.pair(t, "a", dimmable())
		old, _ := s.pair(t, "old", dimmable())
		r, _ := s.pair(t, "r", remote())
		answered[bindingView](t, s, 201, "POST", "/bindings", object{"source": at(r), "target": at(old), "clusters": []string{"groups"}})
		_ = r.Press("join")
		wait(time.Second)
		if !slices.Equal(old.Groups(1), []uint16{1}) {
			t.Fatalf("it is in groups %v", old.Groups(1))
		}
		s.groupOf(t, "Kitchen", a)
		if len(old.Groups(1)) != 0 || !slices.Equal(a.Groups(1), []uint16{1}) {
			t.Errorf("the one from another time is in groups %v, the new one in %v", old.Groups(1), a.Groups(1))
		}
		s.close(t)
	})
}

// A device without room for one more group is named, and follows all the same.
func TestGroupFull(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s := newStack(t, protocol)
		defer s.mesh.Close()
		s.open(t, drivertest.NewEnv(t, "radio"), string(protocol))
		a, _ := s.pair(t, "a", dimmable())
		b, _ := s.pair(t, "b", dimmable())
		for n := range 16 {
			s.groupOf(t, fmt.Sprintf("Group %d", n), a)
		}
		v := s.groupOf(t, "One more", a, b)
		if got := states(v); !slices.Contains(got, "full") || !slices.Contains(got, "in") {
			t.Fatalf("the members are %+v", v.Members)
		}
		for _, m := range v.Members {
			if m.State == memberFull && (m.Member != at(a) || !strings.Contains(m.Problem, "1, 2, 3")) {
				t.Errorf("full is said as %+v", m)
			}
		}
		s.expect(t, v.ID, "membership", hearth.TextOf("incomplete"))
		if err := s.set(v.ID, "on", on); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Second)
		if !isOn(t, a) || !isOn(t, b) {
			t.Errorf("on are a: %v, b: %v", isOn(t, a), isOn(t, b))
		}
		s.close(t)
	})
}

// What a group is, as its members last said.
func TestGroupState(t *testing.T) {
	made, err := New(drivertest.NewEnv(t, "radio"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	d := made.(*driver)
	type lamp struct {
		reach      reach
		on         *hearth.Value
		brightness float64 // 0: not said
	}
	const unsaid = -1
	for name, test := range map[string]struct {
		lamps      []lamp
		on         hearth.Value
		brightness float64
	}{
		"one is on, and tells how bright": {[]lamp{{reachable, &on, 20}, {reachable, &off, 80}}, on, 20},
		"both are on":                     {[]lamp{{reachable, &on, 20}, {reachUnknown, &on, 80}}, on, 50},
		"none is on":                      {[]lamp{{reachable, &off, 20}, {reachable, &off, 80}}, off, 50},
		"one has not spoken":              {[]lamp{{reachable, &off, 20}, {reachable, nil, 0}}, hearth.Value{}, unsaid},
		"one has, and is on":              {[]lamp{{reachable, &on, 20}, {reachable, nil, 0}}, on, unsaid},
		"one is away, and was on":         {[]lamp{{reachable, &off, 20}, {unreachable, &on, 80}}, off, 20},
		"all are away":                    {[]lamp{{unreachable, &off, 20}, {unreachable, &on, 80}}, on, 80},
		"nobody":                          {nil, hearth.Value{}, unsaid},
	} {
		g := newGroup(d, groupRecord{Number: 1})
		for i, l := range test.lamps {
			var r record
			r.IEEE = radio.IEEE(i + 1)
			r.Endpoints = []expose.Endpoint{{ID: 1, Profile: 0x0104, Device: 0x0101, In: []uint16{0, 4, zcl.ClusterOnOff, zcl.ClusterLevelControl}}}
			dev := newDevice(d, r)
			dev.reach = l.reach
			if l.on != nil {
				dev.values["on"] = *l.on
			}
			if l.brightness > 0 {
				dev.values["brightness"] = hearth.NumberOf(l.brightness)
			}
			d.devices[r.IEEE] = dev
			g.Members = append(g.Members, groupMember{Place: place{r.IEEE, 1}, State: memberIn})
		}
		g.assemble(d)
		brightness := hearth.NumberOf(test.brightness)
		if test.brightness == unsaid {
			brightness = hearth.Value{}
		}
		isOn, _ := hearth.Word("on")
		isBright, _ := hearth.Word("brightness")
		if gotOn, got := g.state(isOn), g.state(isBright); gotOn != test.on || got != brightness {
			t.Errorf("%s: it is on %s, at %s, want %s and %s", name, gotOn, got, test.on, brightness)
		}
	}
}
