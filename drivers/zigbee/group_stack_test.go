package zigbee

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/zcl"
)

const groupID = hearth.ID("radio:group_1")

func dimmable() *fake.Model {
	return &fake.Model{
		Name: "dimmable", Vendor: "Lights & Co", Product: "DIM-1", Prefix: 0x00158d, Type: fake.Router, Bindings: 5,
		Endpoints: []fake.EndpointModel{{ID: 1, Device: 0x0101, In: clusters(zcl.ClusterBasic, zcl.ClusterIdentify, zcl.ClusterGroups,
			zcl.ClusterScenes, zcl.ClusterOnOff, zcl.ClusterLevelControl)}},
	}
}

// remote sleeps; its buttons say what they are told to whom they are bound. The one called leave makes whoever it is bound
// to leave group 1.
func remote() *fake.Model {
	return &fake.Model{
		Name: "remote", Vendor: "Buttons", Product: "R-1", Prefix: 0x00158d, Type: fake.Sleeper, Poll: 2 * time.Second, Bindings: 6,
		Endpoints: []fake.EndpointModel{{
			ID: 1, Device: 0x0820, In: clusters(zcl.ClusterBasic, zcl.ClusterPowerConfiguration),
			Out: []fake.Cluster{fake.Cluster(zcl.ClusterGroups), fake.Cluster(zcl.ClusterOnOff), fake.Cluster(zcl.ClusterLevelControl), fake.Cluster(zcl.ClusterOTA)},
		}},
		Buttons: map[string][]fake.Press{
			"on":    {{Cluster: fake.Cluster(zcl.ClusterOnOff), Command: "on"}},
			"off":   {{Cluster: fake.Cluster(zcl.ClusterOnOff), Command: "off"}},
			"join":  {{Cluster: fake.Cluster(zcl.ClusterGroups), Command: "add", Payload: fake.Hex{1, 0, 0}}},
			"leave": {{Cluster: fake.Cluster(zcl.ClusterGroups), Command: "remove", Payload: fake.Hex{1, 0}}},
		},
	}
}

// answered asks the driver's own HTTP, which has to answer with that status.
func answered[T any](t *testing.T, s *stack, status int, method, path string, body any) (answer T) {
	t.Helper()
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	if said := s.must(t, status, method, path, string(text)); len(said) > 0 {
		if err := json.Unmarshal(said, &answer); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, said)
		}
	}
	return answer
}

func at(d *fake.Device) place { return place{d.IEEE(), 1} }

type object = map[string]any

func (s *stack) groupOf(t *testing.T, name string, members ...*fake.Device) groupView {
	t.Helper()
	places := []place{}
	for _, m := range members {
		places = append(places, at(m))
	}
	return answered[groupView](t, s, 201, "POST", "/groups", object{"name": name, "members": places})
}

// told counts the frames of clusters' own commands that a device gets.
type toldFrames struct {
	mu            sync.Mutex
	group, single int
}

func watch(d *fake.Device) *toldFrames {
	told := &toldFrames{}
	d.Watch(func(h fake.Heard) {
		told.mu.Lock()
		defer told.mu.Unlock()
		switch {
		case h.Frame.Global:
		case h.Group:
			told.group++
		default:
			told.single++
		}
	})
	return told
}

func (f *toldFrames) expect(t *testing.T, what string, group, single int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.group != group || f.single != single {
		t.Errorf("%s: it got %d frames as one of a group and %d by itself, want %d and %d", what, f.group, f.single, group, single)
	}
	f.group, f.single = 0, 0
}

func isOn(t *testing.T, d *fake.Device) bool {
	t.Helper()
	v, ok := d.Get(1, zcl.ClusterOnOff, zcl.AttrOnOffOnOff)
	if !ok {
		t.Fatalf("%s has no On/Off", d.Name())
	}
	return v.Bool()
}

func (s *stack) setAll(id hearth.ID, set map[string]hearth.Value) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.driver.Do(ctx, hearth.Command{Device: id, Set: set})
}

func states(v groupView) (all []string) {
	for _, m := range v.Members {
		all = append(all, string(m.State))
	}
	return all
}
