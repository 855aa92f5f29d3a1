package zigbee

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/zcl"
)

// A button that is bound to a lamp switches it without anything between them.
func TestBindings(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, env := newStack(t, protocol), drivertest.NewEnv(t, "radio")
		defer s.mesh.Close()
		s.open(t, env, string(protocol))
		a, idA := s.pair(t, "a", dimmable())
		r, idR := s.pair(t, "r", remote())
		wait(time.Minute) // until the button sleeps
		if all := answered[[]bindingView](t, s, 200, "GET", "/bindings", nil); len(all) != 0 {
			t.Errorf("before there are %+v: those to the coordinator are nobody's business", all)
		}
		made := answered[bindingView](t, s, 201, "POST", "/bindings", object{"source": at(r), "target": at(a), "clusters": []string{"on_off", "level"}})
		if made.Target != (bindTarget{IEEE: a.IEEE(), Endpoint: 1}) || !slices.Equal(made.Clusters, []string{"on_off", "level_control"}) {
			t.Errorf("made were %+v", made)
		}
		if err := r.Press("on"); err != nil {
			t.Fatal(err)
		}
		s.home.WaitFor(t, idA, "on", on)
		if !isOn(t, a) {
			t.Error("the lamp is not on")
		}
		s.expect(t, idR, "button_on", hearth.TextOf("single"))
		if err := s.set(s.coordinator(), "pairing", hearth.NumberOf(0)); err != nil {
			t.Fatal(err)
		}
		s.close(t)

		s.open(t, env, string(protocol))
		all := answered[[]bindingView](t, s, 200, "GET", "/bindings", nil)
		if len(all) != 1 || all[0].Source != at(r) || !slices.Equal(all[0].Clusters, []string{"level_control", "on_off"}) || all[0].Read.IsZero() {
			t.Fatalf("after a restart there are %+v", all)
		}
		read := answered[[]bindingView](t, s, 200, "GET", "/bindings?device="+r.IEEE().String(), nil)
		if len(read) != 1 || !read[0].Read.After(all[0].Read.Time) {
			t.Errorf("read anew there are %+v", read)
		}
		answered[object](t, s, 204, "DELETE", "/bindings", object{"source": at(r), "target": at(a)})
		if all := answered[[]bindingView](t, s, 200, "GET", "/bindings", nil); len(all) != 0 {
			t.Errorf("after all were taken back there are %+v", all)
		}
		_ = r.Press("off")
		wait(2 * time.Second)
		if !isOn(t, a) {
			t.Error("the button still switches the lamp")
		}
		answered[problem](t, s, 404, "DELETE", "/bindings", object{"source": at(r), "target": at(a), "clusters": []string{"on_off"}})
		s.close(t)
	})
}

func TestBindingsRefused(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s := newStack(t, protocol)
		defer s.mesh.Close()
		s.open(t, drivertest.NewEnv(t, "radio"), string(protocol))
		a, _ := s.pair(t, "a", dimmable())
		small := remote()
		small.Bindings = 4 // what the coordinator needs, and one
		r, _ := s.pair(t, "r", small)
		own := len(r.Bindings())
		if own != 3 {
			t.Fatalf("the button is bound to the coordinator %d times", own)
		}
		said := answered[problem](t, s, 409, "POST", "/bindings", object{"source": at(r), "target": at(a), "clusters": []string{"on_off", "level_control"}})
		for _, part := range []string{"level_control is not bound, only on_off", "full, with 4 entries", "on_off of endpoint 1 to Lights & Co DIM-1", "power_configuration of endpoint 1 to the coordinator"} {
			if !strings.Contains(said.Detail, part) {
				t.Errorf("a full table is told as %q, without %q", said.Detail, part)
			}
		}
		if all := answered[[]bindingView](t, s, 200, "GET", "/bindings", nil); len(all) != 1 || !slices.Equal(all[0].Clusters, []string{"on_off"}) {
			t.Errorf("there are %+v", all)
		}
		for want, bad := range map[int]object{
			409: {"source": at(r), "target": "00124b0000000001/1", "clusters": []string{"on_off"}},
			422: {"source": at(r), "target": at(a), "clusters": []string{"window_covering"}},
		} {
			answered[problem](t, s, want, "POST", "/bindings", bad)
		}
		for _, bad := range []object{
			{"source": at(r), "target": "group:7"},
			{"source": "0000000000000007/1", "target": at(a)},
			{"source": at(r)},
			{"source": place{r.IEEE(), 2}, "target": at(a)},
			{"source": at(a), "target": at(a)},
		} {
			answered[problem](t, s, 422, "POST", "/bindings", bad)
		}
		answered[problem](t, s, 409, "DELETE", "/bindings", object{"source": at(r), "target": "00124b0000000001/1"})
		if len(r.Bindings()) != own+1 {
			t.Errorf("the button has %d bindings", len(r.Bindings()))
		}
		r.Power(false)
		asleep := answered[problem](t, s, 503, "POST", "/bindings", object{"source": at(r), "target": at(a), "clusters": []string{"on_off"}})
		if !strings.Contains(asleep.Detail, "press one of its buttons") {
			t.Errorf("a button that is not reached is told as %q", asleep.Detail)
		}
		s.close(t)
	})
}

func TestTarget(t *testing.T) {
	for text, want := range map[string]bindTarget{
		"00158d0001a2b3c4/1": {IEEE: 0x00158d0001a2b3c4, Endpoint: 1},
		"group:3":            {IsGroup: true, Group: 3},
	} {
		var got bindTarget
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s is %+v (%v)", text, got, err)
		}
		if back, _ := got.MarshalText(); string(back) != text {
			t.Errorf("%s is written as %s", text, back)
		}
	}
	for _, text := range []string{"", "group:", "group:0", "group:70000", "00158d0001a2b3c4", "00158d0001a2b3c4/0", "00158d0001a2b3c4/241", "00158d0001a2b3c4/x", "158d/1"} {
		var got bindTarget
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %+v", text, got)
		}
	}
}

func FuzzTarget(f *testing.F) {
	f.Add("00158d0001a2b3c4/1")
	f.Add("group:3")
	f.Fuzz(func(t *testing.T, text string) {
		var first, second bindTarget
		if first.UnmarshalText([]byte(text)) != nil {
			return
		}
		back, err := first.MarshalText()
		if err != nil || second.UnmarshalText(back) != nil || first != second {
			t.Errorf("%q is %+v, and written as %q it is %+v", text, first, back, second)
		}
	})
}

func TestClusterNamed(t *testing.T) {
	own := []uint16{zcl.ClusterOnOff, zcl.ClusterLevelControl, zcl.ClusterScenes, 0xfc00}
	for name, want := range map[string]uint16{"on_off": zcl.ClusterOnOff, "level": zcl.ClusterLevelControl, "level_control": zcl.ClusterLevelControl, "scenes": zcl.ClusterScenes, "0xfc11": 0xfc11, "768": 0x0300} {
		if got, err := clusterNamed(name, own); err != nil || got != want {
			t.Errorf("%s is 0x%04x (%v)", name, got, err)
		}
	}
	for _, name := range []string{"", "color_control", "leve", "window_covering", "0x12345"} {
		if got, err := clusterNamed(name, own); err == nil {
			t.Errorf("%q is taken as 0x%04x", name, got)
		}
	}
}
