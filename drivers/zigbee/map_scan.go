package zigbee

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// A scan asks one router after the other whom it hears, with a pause after each question: the network has better things
// to do. For a map it also asks where it sends what is for others, and waits while a device fetches its firmware.
const (
	scanTime      = 15 * time.Minute // for all of it
	routerTime    = 30 * time.Second // for one router
	scanPause     = 200 * time.Millisecond
	yieldPause    = 5 * time.Second // while a device fetches its firmware
	mostNodes     = 400
	mostNeighbors = 128 // of one router, and so many routes
)

type scan struct {
	s     *session
	own   radio.IEEE // the network's extended PAN id
	nodes map[radio.IEEE]*mapNode
	byNWK map[radio.NWK]radio.IEEE
	links map[scanLink]*mapLink
	queue []router

	forMap bool
	each   func(zdo.Neighbor) // gets all that routers hear of this network; nil: nobody wants to know
}

type scanLink struct{ from, to radio.IEEE }

type router struct {
	ieee radio.IEEE
	nwk  radio.NWK
}

// newScan begins with all devices that are known.
func (s *session) newScan() *scan {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	sc := &scan{s: s, nodes: map[radio.IEEE]*mapNode{}, byNWK: map[radio.NWK]radio.IEEE{}, links: map[scanLink]*mapLink{}}
	n := s.d.network
	if n == nil {
		return sc
	}
	sc.own = n.Extended
	sc.meet(n.Coordinator, radio.Coordinator, kindCoordinator, s.d.nameOf(n.Coordinator))
	sc.queue = append(sc.queue, router{n.Coordinator, radio.Coordinator})
	for _, dev := range s.d.devices {
		node := sc.meet(dev.IEEE, dev.NWK, dev.kind(), dev.view().Name)
		switch {
		case !dev.Router:
		case dev.NWK == radio.Unknown || dev.reach == unreachable:
			node.Problem = "it is out of reach and was not asked"
		default:
			sc.queue = append(sc.queue, router{dev.IEEE, dev.NWK})
		}
	}
	slices.SortFunc(sc.queue[1:], func(a, b router) int { return cmp.Compare(a.ieee, b.ieee) })
	return sc
}

// meet returns the node of that address, a new one if need be.
func (sc *scan) meet(ieee radio.IEEE, nwk radio.NWK, kind, name string) *mapNode {
	node := sc.nodes[ieee]
	if node == nil {
		node = &mapNode{IEEE: ieee, NWK: viewNWK(nwk), Name: name, Kind: kind}
		sc.nodes[ieee] = node
	}
	if nwk != radio.Unknown {
		sc.byNWK[nwk] = ieee
	}
	return node
}

func (sc *scan) run() {
	ctx, cancel := context.WithTimeout(sc.s.ctx, scanTime)
	defer cancel()
	for len(sc.queue) > 0 {
		next := sc.queue[0]
		sc.queue = sc.queue[1:]
		node := sc.nodes[next.ieee]
		if !sc.yield(ctx) {
			node.Problem = "it was not asked: the scan took too long"
			continue
		}
		if err := sc.ask(ctx, next); err != nil {
			node.Problem = scanProblem(err)
			sc.s.log.Debug("a router does not tell whom it hears", "ieee", next.ieee, "error", err)
		}
	}
}

func scanProblem(err error) string {
	var refused *zdoError
	if errors.As(err, &refused) {
		return "it does not tell whom it hears: " + refused.status.String()
	}
	return "it did not answer"
}

// yield lets others go first, and reports whether there is time left.
func (sc *scan) yield(ctx context.Context) bool {
	for sc.forMap && sc.s.d.downloading() {
		if !pause(ctx, yieldPause) {
			return false
		}
	}
	return pause(ctx, scanPause)
}

// ask asks one router for its tables.
func (sc *scan) ask(ctx context.Context, r router) error {
	ctx, cancel := context.WithTimeout(ctx, routerTime)
	defer cancel()
	err := sc.askNeighbors(ctx, r)
	if err == nil && sc.forMap && sc.yield(ctx) {
		sc.askRoutes(ctx, r)
	}
	return err
}

func (sc *scan) askNeighbors(ctx context.Context, r router) error {
	neighbors, err := readPages(ctx, mostNeighbors, scanPause, func(start uint8) (page[zdo.Neighbor], error) {
		data, err := sc.s.traffic.ZDO(ctx, &passerby{r.nwk}, zdo.ClusterNeighborTableRequest, func(sequence uint8) []byte {
			return zdo.NeighborTableRequest{Sequence: sequence, Start: start}.Append(nil)
		})
		if err != nil {
			return page[zdo.Neighbor]{}, err
		}
		t, err := zdo.ParseNeighborTableResponse(data)
		return page[zdo.Neighbor]{t.Neighbors, t.Start, t.Total, t.Status}, err
	})
	for _, n := range neighbors {
		sc.hears(r.ieee, n)
	}
	return err
}

func (sc *scan) askRoutes(ctx context.Context, r router) {
	routes, err := readPages(ctx, mostNeighbors, scanPause, func(start uint8) (page[zdo.Route], error) {
		data, err := sc.s.traffic.ZDO(ctx, &passerby{r.nwk}, zdo.ClusterRoutingTableRequest, func(sequence uint8) []byte {
			return zdo.RoutingTableRequest{Sequence: sequence, Start: start}.Append(nil)
		})
		if err != nil {
			return page[zdo.Route]{}, err
		}
		t, err := zdo.ParseRoutingTableResponse(data)
		return page[zdo.Route]{t.Routes, t.Start, t.Total, t.Status}, err
	})
	for _, route := range routes {
		sc.sends(r.ieee, route)
	}
	if err != nil { // many do not tell their routes, which is no more than a pity
		sc.s.log.Debug("a router does not tell its routes", "ieee", r.ieee, "error", err)
	}
}

// readPages reads a device's table, a few entries at a time, at most so many in all, with a pause between two questions.
// What was read before an error is returned with it.
func readPages[T any](ctx context.Context, most int, between time.Duration, ask func(start uint8) (page[T], error)) (all []T, err error) {
	for {
		p, err := ask(uint8(len(all)))
		switch {
		case err != nil:
			return all, err
		case p.status != zdo.Success:
			return all, &zdoError{p.status}
		case p.start != uint8(len(all)):
			return all, nil // it tells the same again
		}
		all = append(all, p.entries...)
		if len(p.entries) == 0 || len(all) >= min(most, int(p.total)) {
			return all[:min(len(all), most)], nil
		}
		if between > 0 && !pause(ctx, between) {
			return all, ctx.Err()
		}
	}
}

// hears takes an entry of a table of neighbours.
func (sc *scan) hears(from radio.IEEE, n zdo.Neighbor) {
	const nobody, everybody = radio.IEEE(0), ^radio.IEEE(0)
	if n.ExtendedPAN != sc.own && n.ExtendedPAN != nobody && n.ExtendedPAN != everybody {
		return // of another network
	}
	if sc.each != nil {
		sc.each(n)
	}
	if n.IEEE == nobody || n.IEEE == everybody {
		if n.IEEE = sc.byNWK[n.NWK]; n.IEEE == nobody {
			return
		}
	}
	node := sc.nodes[n.IEEE]
	if node == nil {
		if node = sc.stranger(n); node == nil {
			return
		}
	}
	l := sc.link(from, n.IEEE)
	l.LQI, l.Relation = n.LQI, relation(n.Relationship)
	switch n.Relationship {
	case zdo.Child:
		sc.adopted(n.IEEE, from, n.LQI)
	case zdo.Parent:
		sc.adopted(from, n.IEEE, n.LQI)
	}
}

// stranger is a member of the network that is not known here; a router among them is asked too.
func (sc *scan) stranger(n zdo.Neighbor) *mapNode {
	if len(sc.nodes) >= mostNodes {
		return nil
	}
	kind := kindEndDevice
	if n.Type == zdo.TypeRouter {
		kind = kindRouter
		sc.queue = append(sc.queue, router{n.IEEE, n.NWK})
	}
	return sc.meet(n.IEEE, n.NWK, kind, n.IEEE.String())
}

// adopted notes whose child a device is. Two may say so, when it has changed its parent: who hears it better is believed.
func (sc *scan) adopted(child, parent radio.IEEE, lqi uint8) {
	node := sc.nodes[child]
	if node.Kind == kindCoordinator {
		return
	}
	if node.Parent != nil && *node.Parent != parent {
		if before := sc.links[scanLink{*node.Parent, child}]; before != nil && before.LQI >= lqi {
			return
		}
	}
	node.Parent = &parent
}

func (sc *scan) link(from, to radio.IEEE) *mapLink {
	key := scanLink{from, to}
	if sc.links[key] == nil {
		sc.links[key] = &mapLink{From: from, To: to, Relation: relation(zdo.NoRelation)}
	}
	return sc.links[key]
}

// sends takes an entry of a table of routes.
func (sc *scan) sends(from radio.IEEE, r zdo.Route) {
	next, known := sc.byNWK[r.NextHop]
	if r.Status != zdo.RouteActive || !known || next == from {
		return
	}
	to := viewNWK(r.Destination)
	if ieee, known := sc.byNWK[r.Destination]; known {
		to = ieee.String()
	}
	if l := sc.link(from, next); !slices.Contains(l.Routes, to) {
		l.Routes = append(l.Routes, to)
	}
}

func relation(r zdo.Relationship) string {
	switch r {
	case zdo.Parent:
		return "parent"
	case zdo.Child:
		return "child"
	case zdo.Sibling:
		return "sibling"
	case zdo.PreviousChild:
		return "previous_child"
	}
	return "none"
}
