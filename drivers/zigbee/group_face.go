package zigbee

import (
	"math"
	"slices"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// A groupPart is a member as its group's device sees it.
type groupPart struct {
	dev      *device
	endpoint uint8
	takes    map[string]hearth.Property // by the group's words; each has the name that it has at the device
}

// groupWords are what a group can be told at once, in the order in which a page shows it.
func groupWords() []string {
	return []string{"position", "tilt", "movement", "on", "brightness", "transition", "color_temperature", "color_x", "color_y", "color_hue", "color_saturation"}
}

// What a group takes and says beside that.
const (
	propertyScene      = "scene"      // recalls the scene of that number
	propertyMembership = "membership" // whether all members know that they are
	highestScene       = 254
)

// The values of membership.
const (
	membershipComplete   = "complete"
	membershipWaiting    = "waiting"    // for devices that sleep or are away
	membershipIncomplete = "incomplete" // a device has no room for the group, or refuses it: it is commanded by itself
)

// assemble works out what the group is to the house now; driver.mu is held.
func (g *group) assemble(d *driver) {
	g.parts = nil
	for _, m := range g.Members {
		if dev := d.devices[m.Place.IEEE]; dev != nil && m.State != memberLeaving {
			g.parts = append(g.parts, groupPart{dev, m.Place.Endpoint, dev.model.Shared(m.Place.Endpoint)})
		}
	}
	g.told = g.face()
	for name := range g.values {
		if _, there := g.told.Property(name); !there {
			delete(g.values, name)
		}
	}
}

// face is the group as home sees it: what all of its members take.
func (g *group) face() hearth.Device {
	d := hearth.Device{ID: g.id, Name: g.Name, Model: "Zigbee group", Type: g.kind()}
	for _, word := range groupWords() {
		if p, shared := g.shares(word); shared {
			d.Properties = append(d.Properties, p)
		}
	}
	fades := func(p hearth.Property) bool {
		return p.Name == "brightness" || p.Name == "color_temperature" || p.Name == "color_x"
	}
	if !slices.ContainsFunc(d.Properties, fades) {
		d.Properties = slices.DeleteFunc(d.Properties, func(p hearth.Property) bool { return p.Name == "transition" })
	}
	if slices.ContainsFunc(g.parts, groupPart.keepsScenes) {
		scene, _ := hearth.Word(propertyScene)
		d.Properties = append(d.Properties, scene)
	}
	membership, _ := hearth.Word(propertyMembership)
	d.Properties = append(d.Properties, membership.OneOf(membershipComplete, membershipWaiting, membershipIncomplete))
	return d
}

// shares returns a property that every member has, in the range that suits all.
func (g *group) shares(word string) (hearth.Property, bool) {
	p, _ := hearth.Word(word)
	for _, part := range g.parts {
		own, takes := part.takes[word]
		if !takes || own.Kind != p.Kind {
			return p, false
		}
		if own.Min != nil && (p.Min == nil || *own.Min > *p.Min) {
			p.Min = own.Min
		}
		if own.Max != nil && (p.Max == nil || *own.Max < *p.Max) {
			p.Max = own.Max
		}
	}
	return p.AsWritable(), len(g.parts) > 0 && (p.Min == nil || p.Max == nil || *p.Min < *p.Max)
}

// kind is what the members are, if they are all the same, and else what is switched.
func (g *group) kind() hearth.Type {
	kinds := map[hearth.Type]bool{}
	switched := true
	for _, part := range g.parts {
		kind := part.dev.told.Type
		kinds[kind] = true
		switched = switched && (kind == "light" || kind == "switch" || kind == "outlet")
	}
	switch {
	case len(kinds) == 1:
		for kind := range kinds {
			return kind
		}
	case len(kinds) > 1 && switched:
		return "switch"
	}
	return "other"
}

func (p groupPart) serves(cluster uint16) bool { return p.dev.serves(p.endpoint, cluster) }

func (p groupPart) keepsScenes() bool { return p.serves(zcl.ClusterScenes) }

// serves reports whether an endpoint says that it has a cluster; driver.mu is held.
func (dev *device) serves(endpoint uint8, cluster uint16) bool {
	for _, e := range dev.Endpoints {
		if e.ID == endpoint {
			return slices.Contains(e.In, cluster)
		}
	}
	return false
}

// sameFace reports whether home would see no difference.
func sameFace(a, b hearth.Device) bool {
	limit := func(x, y *float64) bool { return x == y || x != nil && y != nil && *x == *y }
	return a.Name == b.Name && a.Type == b.Type && slices.EqualFunc(a.Properties, b.Properties, func(p, q hearth.Property) bool {
		return p.Name == q.Name && limit(p.Min, q.Min) && limit(p.Max, q.Max)
	})
}

// heardInGroups has the groups of a device that has said something tell what they are now; d.mu is held.
func (s *session) heardInGroups(dev *device) {
	for _, g := range s.d.groups.of[dev.IEEE] {
		s.tellGroup(g)
	}
}

// tellGroup tells home what has changed about a group's state; d.mu is held.
func (s *session) tellGroup(g *group) {
	if g.Deleted {
		return
	}
	for _, p := range g.told.Properties {
		if p.WriteOnly || p.Name == propertyMembership {
			continue
		}
		if v := g.state(p); !v.IsZero() && v != g.values[p.Name] && p.Accepts(v) == nil {
			g.values[p.Name] = v
			s.report(hearth.Reading{Device: g.id, Property: p.Name, Value: v})
		}
	}
	to := reachUnknown
	for _, part := range g.parts {
		if part.dev.reach == reachable || part.dev.reach == unreachable && to == reachUnknown {
			to = part.dev.reach
		}
	}
	if to != g.reach && to != reachUnknown {
		s.report(hearth.Reading{Device: g.id, Property: "reachable", Value: hearth.BoolOf(to == reachable)})
	}
	g.reach = to
}

// tellMembership tells home whether all members know of the group, if that has changed; d.mu is held.
func (s *session) tellMembership(g *group) {
	is := membershipComplete
	for _, m := range g.Members {
		switch {
		case m.State == memberFull || m.State == memberRefused:
			is = membershipIncomplete
		case m.State == memberJoining && is == membershipComplete:
			is = membershipWaiting
		}
	}
	if v := hearth.TextOf(is); g.values[propertyMembership] != v {
		g.values[propertyMembership] = v
		s.report(hearth.Reading{Device: g.id, Property: propertyMembership, Value: v})
	}
}

// state returns what a property of the group is, as its members last said; none while one that matters has not said it.
// Members out of reach do not matter unless all are. It is on when any member is, off when all are. A lamp that is off
// does not matter for how bright the group is and in which colour, unless all are; then, and for where covers are, it is
// the mean. driver.mu is held.
func (g *group) state(p hearth.Property) hearth.Value {
	counting := g.counting()
	if p.Kind == hearth.Bool {
		return anyOf(counting, p.Name)
	}
	if p.Name != "position" && p.Name != "tilt" {
		lit := slices.Clone(counting)
		lit = slices.DeleteFunc(lit, func(part groupPart) bool {
			on, known := part.says("on")
			return known && !on.Bool()
		})
		if len(lit) > 0 {
			counting = lit
		}
	}
	all := make([]float64, 0, len(counting))
	for _, part := range counting {
		v, known := part.says(p.Name)
		if !known {
			return hearth.Value{}
		}
		all = append(all, v.Number())
	}
	if len(all) == 0 {
		return hearth.Value{}
	}
	return hearth.NumberOf(mean(p, all))
}

// counting are the members in reach, or all if none is.
func (g *group) counting() []groupPart {
	near := slices.DeleteFunc(slices.Clone(g.parts), func(part groupPart) bool { return part.dev.reach == unreachable })
	if len(near) == 0 {
		return g.parts
	}
	return near
}

// says returns what a member last said of what the group calls by that word.
func (p groupPart) says(word string) (hearth.Value, bool) {
	own, takes := p.takes[word]
	if !takes {
		return hearth.Value{}, false
	}
	return p.dev.now(own.Name)
}

func anyOf(parts []groupPart, word string) hearth.Value {
	all := len(parts) > 0
	for _, part := range parts {
		v, known := part.says(word)
		if v.Bool() {
			return v
		}
		all = all && known
	}
	if !all {
		return hearth.Value{}
	}
	return hearth.BoolOf(false)
}

// mean is what numbers are when they are one, to as many digits as the members' own have.
func mean(p hearth.Property, all []float64) float64 {
	same := true
	var sum, east, north float64
	for _, n := range all {
		same = same && n == all[0]
		sum += n
		angle := n * math.Pi / 180
		east, north = east+math.Cos(angle), north+math.Sin(angle)
	}
	if same {
		return all[0]
	}
	digits := 10.0
	if p.Unit == "" { // a colour's point, from 0 to 1
		digits = 1e4
	}
	n := sum / float64(len(all))
	if p.Unit == "°" {
		n = math.Mod(math.Atan2(north, east)*180/math.Pi+360, 360)
	}
	return math.Round(n*digits) / digits
}

// settling is how long members of a group get to say by themselves what they are, beyond what they get by themselves: a
// message to all is passed on for some time, and the answers of all should not meet in the air.
func settling(nth int) time.Duration {
	const first, spacing = 650 * time.Millisecond, 60 * time.Millisecond
	return first + time.Duration(nth)*spacing
}
