package zigbee

import (
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/zcl"
)

func TestScenes(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, env := newStack(t, protocol), drivertest.NewEnv(t, "radio")
		defer s.mesh.Close()
		s.open(t, env, string(protocol))
		a, idA := s.pair(t, "a", dimmable())
		b, idB := s.pair(t, "b", dimmable())
		s.groupOf(t, "Kitchen", a, b)
		set := func(id hearth.ID, brightness float64) {
			t.Helper()
			if err := s.set(id, "brightness", hearth.NumberOf(brightness)); err != nil {
				t.Fatal(err)
			}
			wait(5 * time.Second)
		}
		set(idA, 20)
		set(idB, 80)
		stored := answered[sceneOutcome](t, s, 200, "POST", "/groups/1/scenes", object{"id": 3, "name": "Evening"})
		if stored.ID != 3 || len(stored.Members) != 2 || !stored.Members[0].Done || !stored.Members[1].Done {
			t.Errorf("stored is %+v", stored)
		}
		set(groupID, 50)
		s.close(t)
		s.open(t, env, string(protocol))
		toldA := watch(a)
		if err := s.set(groupID, "scene", hearth.NumberOf(3)); err != nil {
			t.Fatal(err)
		}
		wait(10 * time.Second)
		toldA.expect(t, "a", 1, 0)
		for id, want := range map[hearth.ID]float64{idA: 20, idB: 80} {
			if got := s.last(id, "brightness").Number(); got < want-0.5 || got > want+0.5 {
				t.Errorf("%s is at %v %% after the scene, want %v", id, got, want)
			}
		}
		if got := s.last(groupID, "brightness").Number(); got < 49 || got > 51 {
			t.Errorf("the group is at %v %%", got)
		}
		for _, bad := range []map[string]hearth.Value{
			{"scene": hearth.NumberOf(4)},
			{"scene": hearth.NumberOf(3), "on": on},
		} {
			if err := s.setAll(groupID, bad); hearth.ErrorOf(errorOr(err)).Code != hearth.CodeBadValue {
				t.Errorf("%v: %v", bad, err)
			}
		}
		// What the group was told before a scene is not told again after it.
		if err := s.set(groupID, "on", off); err != nil {
			t.Fatal(err)
		}
		wait(10 * time.Second)
		answered[sceneOutcome](t, s, 200, "POST", "/groups/1/scenes", object{"name": "Dark"})
		if err := s.set(groupID, "on", on); err != nil {
			t.Fatal(err)
		}
		if err := s.set(groupID, "scene", hearth.NumberOf(1)); err != nil {
			t.Fatal(err)
		}
		wait(20 * time.Second)
		if isOn(t, a) || isOn(t, b) {
			t.Error("a scene in which all are dark has not come to stay")
		}
		answered[sceneOutcome](t, s, 200, "DELETE", "/groups/1/scenes/3", nil)
		answered[sceneOutcome](t, s, 200, "DELETE", "/groups/1/scenes/1", nil)
		answered[problem](t, s, 404, "DELETE", "/groups/1/scenes/3", nil)
		if count, _ := a.Get(1, zcl.ClusterScenes, zcl.AttrScenesSceneCount); count.Uint() != 0 {
			t.Errorf("the lamp still has %d scenes", count.Uint())
		}
		s.close(t)
	})
}
