package zigbee

import (
	"slices"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/zcl"
)

// family returns a model of those that come with the fake.
func family(t *testing.T, name string) *fake.Model {
	t.Helper()
	models, err := fake.Models()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(models, func(m *fake.Model) bool { return m.Name == name })
	if i < 0 {
		t.Fatalf("there is no model %q", name)
	}
	return models[i]
}

func endpointOf(d *fake.Device, n int) place {
	return place{d.IEEE(), d.Model().Endpoints[n].ID}
}

func (s *stack) confirms(t *testing.T, id hearth.ID, property string, want hearth.Value) {
	t.Helper()
	d, _ := s.home.Device(id)
	p, ok := d.Property(property)
	if !ok {
		t.Fatalf("%s has no %s", id, property)
	}
	s.home.Await(t, 10*time.Second, property+" = "+want.String(), func() bool { return drivertest.Close(p, s.last(id, property), want) })
}

// Lamps of different makers share what both have, in the range of both; what they want in different frames they get each.
func TestGroupOfLamps(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s := newStack(t, protocol)
		defer s.mesh.Close()
		s.open(t, drivertest.NewEnv(t, "radio"), string(protocol))
		white, whiteID := s.pair(t, "white", family(t, "light-white-ambiance"))
		colour, colourID := s.pair(t, "colour", family(t, "light-hue-color"))
		second, _ := s.pair(t, "second", family(t, "light-hue-color"))
		both := answered[groupView](t, s, 201, "POST", "/groups", object{"members": []place{endpointOf(white, 0), endpointOf(colour, 0)}})
		d, _ := s.home.Device(both.ID)
		warm, ok := d.Property("color_temperature")
		if _, hues := d.Property("color_hue"); !ok || hues || *warm.Min != 2203 || *warm.Max != 4000 || d.Name != "Group 1" {
			t.Errorf("the group is %+v", d)
		}
		if err := s.setAll(both.ID, map[string]hearth.Value{"on": on, "color_temperature": hearth.NumberOf(2700)}); err != nil {
			t.Fatal(err)
		}
		s.confirms(t, both.ID, "color_temperature", hearth.NumberOf(2700))
		s.confirms(t, whiteID, "color_temperature", hearth.NumberOf(2700))
		s.confirms(t, colourID, "color_temperature", hearth.NumberOf(2700))
		if err := s.setAll(both.ID, map[string]hearth.Value{"brightness": hearth.NumberOf(0)}); err != nil {
			t.Fatal(err)
		}
		s.confirms(t, both.ID, "on", off)
		s.confirms(t, both.ID, "brightness", hearth.NumberOf(0))

		hues := answered[groupView](t, s, 201, "POST", "/groups", object{"name": "Hues", "members": []place{endpointOf(second, 0), endpointOf(colour, 0)}})
		if err := s.setAll(hues.ID, map[string]hearth.Value{"on": on, "color_hue": hearth.NumberOf(240), "color_saturation": hearth.NumberOf(90)}); err != nil {
			t.Fatal(err)
		}
		s.confirms(t, hues.ID, "color_hue", hearth.NumberOf(240))
		s.confirms(t, hues.ID, "color_saturation", hearth.NumberOf(90))
		wait(10 * time.Second)
		s.confirms(t, hues.ID, "color_hue", hearth.NumberOf(240))
		s.close(t)
	})
}

// A group of relays is of endpoints, not of devices; one that refuses to report is read.
func TestGroupOfRelays(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s := newStack(t, protocol)
		defer s.mesh.Close()
		s.open(t, drivertest.NewEnv(t, "radio"), string(protocol))
		gangs, gangsID := s.pair(t, "gangs", family(t, "switch-two-gang"))
		mute := bulb()
		mute.Endpoints[0].In[3].NoReporting = true
		lamp, lampID := s.pair(t, "lamp", mute)
		v := answered[groupView](t, s, 201, "POST", "/groups", object{"members": []place{endpointOf(gangs, 1), endpointOf(lamp, 0)}})
		d, _ := s.home.Device(v.ID)
		if d.Type != "switch" && d.Type != "light" {
			t.Errorf("it is a %s", d.Type)
		}
		if err := s.set(v.ID, "on", on); err != nil {
			t.Fatal(err)
		}
		s.confirms(t, v.ID, "on", on)
		wait(5 * time.Second)
		s.expect(t, gangsID, "on", off)
		s.expect(t, gangsID, "on_2", on)
		s.expect(t, lampID, "on", on)
		s.close(t)
	})
}

// A member that sleeps is told when it wakes: that it is one, and what the others heard at once.
func TestGroupWithSleeper(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, env := newStack(t, protocol), drivertest.NewEnv(t, "radio")
		defer s.mesh.Close()
		s.open(t, env, string(protocol))
		blind := family(t, "cover")
		cover, _ := s.pair(t, "cover", blind)
		asleep := *blind
		asleep.Name, asleep.Type, asleep.Poll = "battery cover", fake.Sleeper, 5*time.Second
		sleeper, sleeperID := s.pair(t, "sleeper", &asleep)
		wait(time.Minute)
		v := answered[groupView](t, s, 201, "POST", "/groups", object{"name": "South", "members": []place{endpointOf(cover, 0), endpointOf(sleeper, 0)}})
		if got := states(v); !slices.Contains(got, "in") || !slices.Contains(got, "joining") {
			t.Errorf("the members are %+v", v.Members)
		}
		s.expect(t, v.ID, "membership", hearth.TextOf("waiting"))
		wait(time.Minute)
		s.expect(t, v.ID, "membership", hearth.TextOf("complete"))
		if d, _ := s.home.Device(v.ID); d.Type != "cover" {
			t.Errorf("the group is a %s", d.Type)
		}
		told := watch(sleeper)
		if err := s.set(v.ID, "position", hearth.NumberOf(30)); err != nil {
			t.Fatal(err)
		}
		s.home.Await(t, 5*time.Minute, "both covers to be there", func() bool {
			return s.last(v.ID, "position") == hearth.NumberOf(30) && s.last(sleeperID, "position") == hearth.NumberOf(30)
		})
		told.expect(t, "the sleeper", 0, 1)
		if got, _ := cover.Get(cover.Model().Endpoints[0].ID, zcl.ClusterWindowCovering, zcl.AttrWindowCoveringCurrentPositionLiftPercentage); got.Uint() != 70 {
			t.Errorf("the cover is at %d", got.Uint())
		}

		// What is owed to a device that is away is kept over a restart.
		sleeper.Power(false)
		answered[object](t, s, 204, "DELETE", "/groups/1", nil)
		s.close(t)
		s.open(t, env, string(protocol))
		if again := answered[groupView](t, s, 201, "POST", "/groups", object{"name": "Other"}); again.Number != 2 {
			t.Errorf("the number of a group that a device still believes in is used again: %+v", again)
		}
		sleeper.Power(true)
		s.home.Await(t, 5*time.Minute, "the sleeper's leaving", func() bool { return len(sleeper.Groups(endpointOf(sleeper, 0).Endpoint)) == 0 })
		wait(time.Minute)
		if again := answered[groupView](t, s, 201, "POST", "/groups", object{"name": "Other"}); again.Number != 1 {
			t.Errorf("the number of a group that is over is not used again: %+v", again)
		}
		s.close(t)
	})
}
