package zigbee

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// pairAt lets a device in at one router only.
func (s *stack) pairAt(t *testing.T, router *fake.Device, name string, model *fake.Model) *fake.Device {
	t.Helper()
	if err := s.set(s.coordinator(), "pairing", hearth.NumberOf(0)); err != nil {
		t.Fatal(err)
	}
	answered[object](t, s, 200, "POST", "/permit", object{"seconds": 60, "router": router.IEEE()})
	d, err := s.mesh.Add(name, model)
	if err != nil {
		t.Fatal(err)
	}
	d.Pair(10 * time.Second)
	id := hearth.ID("radio:" + d.IEEE().String())
	s.home.Await(t, 2*time.Minute, name+" to be ready", func() bool { return s.last(id, "interview") == hearth.TextOf("done") })
	answered[object](t, s, 200, "POST", "/permit", object{"seconds": 0, "router": router.IEEE()})
	return d
}

func (s *stack) draw(t *testing.T) meshMap {
	t.Helper()
	if m := answered[meshMap](t, s, 202, "POST", "/map", nil); !m.Running {
		t.Error("a map that is being drawn is not said to be")
	}
	answered[meshMap](t, s, 202, "POST", "/map", nil) // the same one
	for range 600 {
		wait(time.Second)
		if m := answered[meshMap](t, s, 200, "GET", "/map", nil); !m.Running {
			return m
		}
	}
	t.Fatal("the map is not drawn in ten minutes")
	return meshMap{}
}

func onMap(m meshMap, address radio.IEEE) mapNode {
	i := slices.IndexFunc(m.Nodes, func(n mapNode) bool { return n.IEEE == address })
	if i < 0 {
		return mapNode{}
	}
	return m.Nodes[i]
}

// The map is what the mesh is: a router at the coordinator, a second behind it, a sleeper at that.
func TestMap(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, env := newStack(t, protocol), drivertest.NewEnv(t, "radio")
		defer s.mesh.Close()
		s.open(t, env, string(protocol))
		if m := answered[meshMap](t, s, 200, "GET", "/map", nil); m.Running || !m.Made.IsZero() || len(m.Nodes) != 0 {
			t.Errorf("before the first scan there is %+v", m)
		}
		near, _ := s.pair(t, "near", bulb())
		far := s.pairAt(t, near, "far", bulb())
		leaf := s.pairAt(t, far, "leaf", sensor())
		const centre = radio.IEEE(0x00124b0000000001)

		m := s.draw(t)
		var nodes []string
		for _, n := range m.Nodes {
			parent := "none"
			if n.Parent != nil {
				parent = onMap(m, *n.Parent).IEEE.String()
			}
			nodes = append(nodes, fmt.Sprint(n.IEEE, " ", n.Kind, " of ", parent, " ", n.Problem))
		}
		want := []string{
			fmt.Sprint(centre, " coordinator of none "), fmt.Sprint(leaf.IEEE(), " end_device of ", far.IEEE(), " "),
			fmt.Sprint(near.IEEE(), " router of ", centre, " "), fmt.Sprint(far.IEEE(), " router of ", near.IEEE(), " "),
		}
		slices.Sort(nodes)
		slices.Sort(want)
		if !slices.Equal(nodes, want) {
			t.Errorf("the nodes are\n%s\nwant\n%s", strings.Join(nodes, "\n"), strings.Join(want, "\n"))
		}
		var links []string
		for _, l := range m.Links {
			if l.LQI < 100 {
				t.Errorf("a link is only as good as %d", l.LQI)
			}
			links = append(links, fmt.Sprint(l.From, " hears its ", l.Relation, " ", l.To, " ", strings.Join(l.Routes, ",")))
		}
		c, n, f, e := centre, near.IEEE(), far.IEEE(), leaf.IEEE()
		want = []string{
			fmt.Sprint(c, " hears its child ", n, " ", f), fmt.Sprint(c, " hears its sibling ", f, " ", e),
			fmt.Sprint(n, " hears its parent ", c, " ", c), fmt.Sprint(n, " hears its child ", f, " "),
			fmt.Sprint(f, " hears its sibling ", c, " "), fmt.Sprint(f, " hears its parent ", n, " ", c), fmt.Sprint(f, " hears its child ", e, " "),
		}
		slices.Sort(links)
		slices.Sort(want)
		if !slices.Equal(links, want) {
			t.Errorf("the links are\n%s\nwant\n%s", strings.Join(links, "\n"), strings.Join(want, "\n"))
		}
		if name := onMap(m, near.IEEE()).Name; !strings.HasPrefix(name, "Lights & Co LAMP-1") {
			t.Errorf("a lamp is called %q", name)
		}

		// One that does not answer is named as that; the last map outlives the session.
		far.Power(false)
		if m = s.draw(t); onMap(m, far.IEEE()).Problem == "" || onMap(m, near.IEEE()).Problem != "" {
			t.Errorf("the nodes are %+v", m.Nodes)
		}
		made := m.Made
		s.stick.Unplug()
		<-s.done
		s.stick.Plug()
		if m = get[meshMap](t, s.house, "/map"); m.Made != made || len(m.Nodes) != 4 {
			t.Errorf("without a session the map is %+v", m)
		}
		answered[problem](t, s, 503, "POST", "/map", nil)
	})
}

// Pages that come again, come empty or never end do not keep a scan for ever.
func TestReadPages(t *testing.T) {
	entry := zdo.Route{Destination: 1}
	for name, test := range map[string]struct {
		answer func(start uint8) page[zdo.Route]
		want   int
		fails  bool
	}{
		"in two": {func(start uint8) page[zdo.Route] {
			return page[zdo.Route]{entries: make([]zdo.Route, 2-start/2), start: start, total: 3}
		}, 3, false},
		"always the first": {func(uint8) page[zdo.Route] { return page[zdo.Route]{entries: []zdo.Route{entry}, total: 9} }, 1, false},
		"empty":            {func(start uint8) page[zdo.Route] { return page[zdo.Route]{start: start, total: 9} }, 0, false},
		"endless": {func(start uint8) page[zdo.Route] {
			return page[zdo.Route]{entries: make([]zdo.Route, 7), start: start, total: 255}
		}, 20, false},
		"refused": {func(start uint8) page[zdo.Route] { return page[zdo.Route]{start: start, status: zdo.NotSupported} }, 0, true},
	} {
		asked := 0
		all, err := readPages(t.Context(), 20, 0, func(start uint8) (page[zdo.Route], error) {
			asked++
			return test.answer(start), nil
		})
		if len(all) != test.want || (err != nil) != test.fails || asked > 4 {
			t.Errorf("%s: %d entries of %d questions, %v", name, len(all), asked, err)
		}
	}
}

// A state of a group is as its members' are: one in which they differ is the mean.
func TestMean(t *testing.T) {
	hue, _ := hearth.Word("color_hue")
	x, _ := hearth.Word("color_x")
	brightness, _ := hearth.Word("brightness")
	for _, test := range []struct {
		p    hearth.Property
		all  []float64
		want float64
	}{
		{brightness, []float64{39.8, 39.8, 39.8}, 39.8},
		{brightness, []float64{10, 20.5}, 15.3},
		{hue, []float64{350, 20}, 5},
		{hue, []float64{10, 350, 0}, 0},
		{x, []float64{0.3127, 0.3129}, 0.3128},
	} {
		if got := mean(test.p, test.all); got != test.want {
			t.Errorf("%s of %v is %v, want %v", test.p.Name, test.all, got, test.want)
		}
	}
}
