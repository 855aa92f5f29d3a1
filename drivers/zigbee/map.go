package zigbee

import (
	"cmp"
	"net/http"
	"slices"

	"hearth"
	"hearth/drivers/zigbee/ota"
	"hearth/drivers/zigbee/radio"
)

// A meshMap is the network as its routers told it: who hears whom, and how well.
type meshMap struct {
	Made    hearth.Time `json:"made"` // null: there was no scan yet
	Running bool        `json:"running"`
	Nodes   []mapNode   `json:"nodes"`
	Links   []mapLink   `json:"links"`
}

type mapNode struct {
	IEEE    radio.IEEE  `json:"ieee"`
	NWK     string      `json:"nwk"`
	Name    string      `json:"name"`
	Kind    string      `json:"kind"`              // coordinator, router or end_device
	Parent  *radio.IEEE `json:"parent"`            // null: unknown
	Problem string      `json:"problem,omitempty"` // why a router has not told whom it hears
}

// A mapLink is an entry of a router's table of neighbours.
type mapLink struct {
	From     radio.IEEE `json:"from"` // whose table it is
	To       radio.IEEE `json:"to"`   // whom it hears
	LQI      uint8      `json:"lqi"`  // how well, to 255
	Relation string     `json:"relation"`
	Routes   []string   `json:"routes,omitempty"` // to these devices From sends by way of To
}

const kindCoordinator = "coordinator"

// mapState is the last map and whether the next is being made; driver.mu guards it.
type mapState struct {
	last    meshMap
	running bool
}

func (d *driver) mapRoutes() []route {
	return []route{
		{pattern: "GET /map", do: d.getMap},
		{pattern: "POST /map", do: d.postMap},
	}
}

func (d *driver) getMap(*http.Request) (reply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return answer(d.lastMap())
}

// lastMap is the last scan's; driver.mu is held.
func (d *driver) lastMap() meshMap {
	m := d.mesh.last
	m.Running = d.mesh.running
	if m.Nodes == nil {
		m.Nodes, m.Links = []mapNode{}, []mapLink{}
	}
	return m
}

// postMap begins a scan, unless one goes on already.
func (d *driver) postMap(*http.Request) (reply, error) {
	s, err := d.live()
	if err != nil {
		return reply{}, err
	}
	if d.downloading() {
		return reply{}, hearth.Errorf(hearth.CodeConflict, "a device is fetching its firmware, which the questions for a map would disturb: try again when it is done")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mesh.running {
		d.mesh.running = s.tasks.start(s.drawMap)
		if !d.mesh.running {
			return reply{}, hearth.Errorf(hearth.CodeBusy, "too much goes on at once: try again later")
		}
	}
	return accepted(d.lastMap())
}

// downloading reports whether a device is fetching its firmware.
func (d *driver) downloading() bool {
	return slices.ContainsFunc(d.firmware.server.Upgrades(), func(u ota.Upgrade) bool { return u.State == ota.Downloading })
}

// drawMap makes a new map. What there is when the time is up is shown; a scan that the session's end cuts short is not.
func (s *session) drawMap() {
	sc := s.newScan()
	sc.forMap = true
	sc.run()
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.mesh.running = false
	if s.ctx.Err() == nil {
		s.d.mesh.last = sc.result()
		s.log.Info("the map of the network is drawn", "nodes", len(sc.nodes), "links", len(sc.links))
	}
}

// result is the map in a steady order.
func (sc *scan) result() meshMap {
	m := meshMap{Made: hearth.Time{Time: sc.s.d.now()}, Nodes: make([]mapNode, 0, len(sc.nodes)), Links: make([]mapLink, 0, len(sc.links))}
	for _, n := range sc.nodes {
		m.Nodes = append(m.Nodes, *n)
	}
	slices.SortFunc(m.Nodes, func(a, b mapNode) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.IEEE, b.IEEE))
	})
	for _, l := range sc.links {
		slices.Sort(l.Routes)
		m.Links = append(m.Links, *l)
	}
	slices.SortFunc(m.Links, func(a, b mapLink) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return m
}
