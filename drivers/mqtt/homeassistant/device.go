package homeassistant

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// A device is what all entities with the same device identifiers are to the house.
type device struct {
	id       hearth.ID
	aliases  []string
	name     string        // as announced
	about    hearth.Device // name, vendor, model, firmware
	entities map[string]*entity
	reaches  map[string]*reach
	names    map[string]string // what each point was named, for good: a name must not move when a sibling comes
	stored   string            // the names as the Store has them

	bound       map[string]bound // by property
	listeners   []*listener
	announced   *hearth.Device // nil: not yet
	unsupported string         // as last reported
	reachable   *bool          // as last reported
	expired     map[*entity]bool
	heard       map[*entity]bool
}

// A bound property is a point with the name that its device gave it.
type bound struct {
	hearth.Property
	entity *entity
	point  *point
	last   hearth.Value
}

// A listener is a hearing of a device, hung on a line.
type listener struct {
	device   *device
	entity   *entity
	property string // "" if it is a reach
	hearing  *hearing
	reach    *reach
	source   int
	line     *line
	seen     bool // the line's last message has been taken in
}

func newDevice(id hearth.ID, aliases []string) *device {
	return &device{
		id: id, aliases: aliases, entities: map[string]*entity{}, reaches: map[string]*reach{}, names: map[string]string{}, bound: map[string]bound{},
		expired: map[*entity]bool{}, heard: map[*entity]bool{},
	}
}

// describe takes over what an announcement says of the device itself.
func (d *device) describe(c, info config) {
	name := info.text("name")
	if name == "" && len(d.about.Name) == 0 {
		name = c.text("name")
	}
	if name == "" && d.about.Name == "" {
		name = d.id.Address()
	}
	set := func(field *string, text string) {
		if text != "" {
			*field = dialect.Name(text)
		}
	}
	set(&d.about.Name, name)
	set(&d.about.Vendor, info.text("manufacturer"))
	set(&d.about.Model, info.text("model"))
	set(&d.about.Firmware, info.text("sw_version"))
}

// ordered returns the entities: what the device is for first, lamps before sockets, and then by what they were announced as.
func (d *device) ordered() []*entity {
	return slices.SortedFunc(maps.Values(d.entities), func(a, b *entity) int {
		return cmp.Or(-compareBools(a.main, b.main), cmp.Compare(rank(a.kind), rank(b.kind)), cmp.Compare(a.identity(), b.identity()))
	})
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// kinds are the device types from the most telling to the least.
var kinds = []hearth.Type{"light", "cover", "lock", "thermostat", "fan", "valve", "siren", "outlet", "switch", "meter", "sensor", "button", "other"}

func rank(t hearth.Type) int { return slices.Index(kinds, t) }

func (e *entity) identity() string {
	if e.unique != "" {
		return e.platform + "/" + e.unique
	}
	return e.key
}

// rebuild names the properties anew.
func (d *device) rebuild() hearth.Device {
	claims := d.claims()
	taken := map[string]bool{}
	for _, c := range claims { // what has a name keeps it
		if name := d.names[c.key]; name != "" && !taken[name] {
			c.name, taken[name] = name, true
		}
	}
	for _, c := range claims {
		if c.name == "" {
			c.name = c.choose(claims, taken)
			taken[c.name] = true
		}
	}
	about := d.about
	about.ID, about.Type = d.id, "other"
	names := map[string]string{}
	was := d.bound
	d.bound = map[string]bound{}
	for _, c := range claims {
		names[c.key] = c.name
		p := c.property(c.name)
		if len(d.bound) >= hearth.MaxProperties-1 || p.Check() != nil {
			continue
		}
		b := bound{Property: p, entity: c.entity, point: c.points[0]}
		if before, ok := was[c.name]; ok && before.point == b.point {
			b.last = before.last
		}
		d.bound[c.name] = b
		about.Properties = append(about.Properties, p)
		for pt, e := range c.entities {
			e.named[pt] = c.name
		}
	}
	d.names = names
	if ordered := d.ordered(); len(ordered) > 0 {
		about.Type = ordered[0].kind
	}
	if about.Type == "sensor" && slices.ContainsFunc(d.ordered(), func(e *entity) bool { return e.kind == "meter" && e.main }) {
		about.Type = "meter"
	}
	if about.Type == "switch" && d.measuresOne() {
		about.Type = "outlet"
	}
	if d.refusals() != "" {
		about.Properties = append(about.Properties, hearth.Property{Name: unsupported, Kind: hearth.Text})
	}
	return about
}

// measuresOne reports whether what is switched is the one thing that is measured.
func (d *device) measuresOne() bool {
	on, switched := d.bound["on"]
	power, measured := d.bound["power"]
	if !measured {
		power, measured = d.bound["energy"]
	}
	return switched && measured && on.entity.main && power.entity.platform == "sensor"
}

const unsupported = "unsupported"

// refusals is what of the device is not understood, for a person.
func (d *device) refusals() string {
	var all []string
	for _, e := range d.ordered() {
		for _, what := range e.unsupported {
			all = append(all, strings.Join(e.label, " ")+" "+what)
		}
	}
	text := strings.Join(all, "; ")
	if len(text) > hearth.MaxText {
		text = strings.ToValidUTF8(text[:hearth.MaxText-4], "") + "…"
	}
	return text
}

// A claim is a property looking for its name: one point, or all triggers of one button.
type claim struct {
	key      string
	entity   *entity
	points   []*point
	entities map[*point]*entity
	name     string
}

func (d *device) claims() []*claim {
	var all []*claim
	sharing := map[string]*claim{}
	wanted := map[string][]*claim{}
	for _, e := range d.ordered() {
		e.named = map[*point]string{}
		for _, p := range e.points {
			if slices.ContainsFunc(wanted[p.Name], func(c *claim) bool { return c.covers(e, p) }) {
				continue
			}
			if c := sharing[p.Name]; p.shared && c != nil {
				c.points = append(c.points, p)
				c.entities[p] = e
				continue
			}
			c := &claim{key: e.identity() + " " + p.Name, entity: e, points: []*point{p}, entities: map[*point]*entity{p: e}}
			if p.shared {
				c.key = "shared " + p.Name
				sharing[p.Name] = c
			}
			all = append(all, c)
			wanted[p.Name] = append(wanted[p.Name], c)
		}
	}
	return all
}

// covers reports whether what a bridge announces once more, as a sensor or a choice beside the thing itself, is had
// already: a climate's temperature, a lamp's effect.
func (c *claim) covers(e *entity, p *point) bool {
	first := c.points[0]
	if c.entity.platform == e.platform || e.expire > 0 || e.offDelay > 0 || p.Kind != first.Kind || p.Momentary || len(p.hearings) > 1 {
		return false
	}
	if p.Writable || len(p.hearings) == 0 {
		return first.Writable && len(p.Options) > 0 && slices.Equal(p.Options, first.Options)
	}
	return slices.ContainsFunc(first.hearings, func(h hearing) bool {
		return h.topic == p.hearings[0].topic && h.template != nil && p.hearings[0].template != nil && reflect.DeepEqual(h.template.body, p.hearings[0].template.body)
	})
}

// choose finds a name: the one that is wanted where no other wants it, or where this is plainly the one meant; else the
// entity's own name is added to it.
func (c *claim) choose(all []*claim, taken map[string]bool) string {
	want := c.points[0].Name
	rivals, peers := 0, 0
	for _, other := range all {
		if other == c || other.points[0].Name != want {
			continue
		}
		rivals++
		if other.entity.kind == c.entity.kind && other.entity.main == c.entity.main {
			peers++
		}
	}
	rest := suffix(c.entity.label, want)
	leads := c.entity.main && peers == 0 && rank(c.entity.kind) < rank("siren")
	if !taken[want] && (rivals == 0 || rest == "" || rest == c.entity.platform || leads) {
		return want
	}
	if rest == "" {
		rest = c.entity.platform
	}
	long := propertyName(want+"_"+rest, want)
	name := long
	for n := 2; taken[name] || name == want; n++ {
		number := fmt.Sprintf("_%d", n)
		name = dialect.Clip(long, dialect.MaxName-len(number)) + number
	}
	return name
}

// property is the claim's with that name; the triggers of a button put their options together.
func (c *claim) property(name string) hearth.Property {
	p := c.points[0].Property
	p.Name = name
	if len(c.points) > 1 {
		p.Options = nil
		for _, other := range c.points {
			for _, option := range other.Options {
				if !slices.Contains(p.Options, option) {
					p.Options = append(p.Options, option)
				}
			}
		}
	}
	return p
}

// plainNames reports whether every property has the name that it wants, so that nothing need be remembered.
func (d *device) plainNames() bool {
	for key, name := range d.names {
		if !strings.HasSuffix(key, " "+name) {
			return false
		}
	}
	return true
}

// record is the names as they are stored; "" where there is nothing to store.
func (d *device) record() string {
	if d.plainNames() || len(d.entities) == 0 {
		return ""
	}
	data, err := json.Marshal(d.names)
	if err != nil {
		return ""
	}
	return string(data)
}

// reach says whether the device is there, as far as that is known: what announces its availability and is away is
// gone, and so is what has nothing to say that has not expired.
func (d *device) reach() (there, known bool) {
	for _, r := range d.reaches {
		if is, sure := r.state(); sure {
			there, known = there || is, true
		}
	}
	if known && !there {
		return false, true
	}
	lasting, expiring, alive := false, false, false
	for _, e := range d.entities {
		speaks := slices.ContainsFunc(e.points, func(p *point) bool { return len(p.hearings) > 0 })
		lasting = lasting || speaks && e.expire == 0
		if e.expire > 0 && d.heard[e] {
			expiring, alive = true, alive || !d.expired[e]
		}
	}
	if expiring && !lasting {
		return alive, true
	}
	return there, known
}
