package shelly

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// Limits on what one device may be made of.
const (
	maxComponents = 256
	maxKeys       = 64 // of one object in a status
	maxText       = 1024
)

// A device is one Shelly: what it was found to be, and what it said.
type device struct {
	name   string // the Shelly id
	id     hearth.ID
	prefix string
	info   info

	components map[string]*component
	buttons    map[string]bool // properties of buttons that were only known when they were pressed
	held       map[string]bool // buttons that are held down
	busy       int             // commands on their way
	weight     int             // of its components

	complete  bool // its status was told as a whole
	announced dialect.Announced
	stored    []byte // as announced when it was kept
	online    *bool
	asked     time.Time
	asking    bool
	round     int // counts interviews

	properties []hearth.Property
	faces      map[string]*face // by property
}

// A component is one part of a device, as switch:0.
type component struct {
	key, kind string
	id        int
	config    map[string]any
	status    map[string]any
	stale     bool // its status is from before the gateway was started
	faces     []*face
}

// A face is one property of a component.
type face struct {
	property  hearth.Property
	component *component
	role      string                   // what it is called in commands to the component; "" if it takes none
	path      string                   // in the status: keys with dots between; "" if it is not told there
	read      func(v any) hearth.Value // of what is there
	called    bool                     // by a person: the name needs no number
}

func newDevice(name string, id hearth.ID) *device {
	return &device{name: name, id: id, components: map[string]*component{}, buttons: map[string]bool{}, held: map[string]bool{}, faces: map[string]*face{}}
}

// split takes the key of a component apart; false if it is none that says anything about the house.
func split(key string) (kind string, id int, ok bool) {
	kind, number, numbered := strings.Cut(key, ":")
	if rank(kind) < 0 {
		return "", 0, false
	}
	if !numbered {
		return kind, 0, kind == "sys" || kind == "wifi"
	}
	id, err := strconv.Atoi(number)
	return kind, id, err == nil && id >= 0 && id < 10_000 && strconv.Itoa(id) == number
}

// component returns the component of that key, made if it may be.
func (dev *device) component(key string) *component {
	if c := dev.components[key]; c != nil {
		return c
	}
	kind, id, ok := split(key)
	if !ok || len(dev.components) >= maxComponents {
		return nil
	}
	c := &component{key: key, kind: kind, id: id, status: map[string]any{}}
	dev.components[key] = c
	return c
}

func (c *component) configure(config any) {
	if m, ok := config.(map[string]any); ok {
		c.config = map[string]any{}
		merge(c.config, m, 0)
	}
}

// take lays what was said over what is known, and reports whether that changes what the component can do.
func (c *component) take(status any) (grown bool) {
	m, ok := status.(map[string]any)
	if !ok {
		return false
	}
	before := c.status["pos_control"]
	grown = merge(c.status, m, 0)
	return grown || c.status["pos_control"] != before
}

// merge lays one object over another, as the notifications of a Shelly mean it, and reports whether there are new keys.
func merge(into, from map[string]any, depth int) (grown bool) {
	for key, v := range from {
		old, known := into[key]
		if !known && len(into) >= maxKeys {
			continue
		}
		grown = grown || !known
		switch v := v.(type) {
		case map[string]any:
			inner, ok := old.(map[string]any)
			if !ok {
				inner = map[string]any{}
			}
			if depth < 3 {
				grown = merge(inner, v, depth+1) || grown
			}
			into[key] = inner
		case []any:
			if len(v) <= maxKeys {
				into[key] = v
			}
		case string:
			into[key] = dialect.Clip(v, maxText)
		default:
			into[key] = v
		}
	}
	return grown
}

// weigh sees to it that a device keeps no more than there is room for: one that says too much is asked anew. It reports
// whether what it has said stays.
func (d *Dialect) weigh(dev *device) bool {
	d.weight -= dev.weight
	dev.weight = 0
	for _, c := range dev.components {
		dev.weight += weigh(c.status) + weigh(c.config)
	}
	stays := dev.weight <= maxWeight && d.weight+dev.weight <= maxWeights
	if !stays {
		d.once.Warn(d.log, "weight "+dev.name, "a Shelly says more of itself than there is room for", "id", dialect.Clip(dev.name, 80), "bytes", dev.weight)
		dev.components, dev.complete, dev.weight = map[string]*component{}, false, 0
	}
	d.weight += dev.weight
	return stays
}

// weigh is about how many bytes a value of JSON takes.
func weigh(v any) (bytes int) {
	const entry = 32
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			bytes += entry + len(key) + weigh(inner)
		}
	case []any:
		for _, inner := range v {
			bytes += entry + weigh(inner)
		}
	case string:
		bytes = len(v)
	}
	return bytes
}

// whole takes in a status that has everything in it, but perhaps what a person has added.
func (dev *device) whole(status map[string]any) {
	for key, c := range dev.components {
		if _, there := status[key]; there || c.id < 200 {
			delete(dev.components, key)
			if there {
				config := c.config
				if c = dev.component(key); c != nil {
					c.config = config
				}
			}
		}
	}
	for key, said := range status {
		if c := dev.component(key); c != nil {
			c.take(said)
		}
	}
	dev.complete = true
}

// sleeps reports whether the device is away most of the time, to save its battery.
func (dev *device) sleeps() bool {
	if sys := dev.components["sys"]; sys != nil {
		if n, ok := at(sys.status, "wakeup_period").(float64); ok && n > 0 {
			return true
		}
	}
	return false
}

// sorted returns the components in the order in which they get their names.
func (dev *device) sorted() []*component {
	all := make([]*component, 0, len(dev.components))
	for _, c := range dev.components {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *component) int {
		if a.kind != b.kind {
			return rank(a.kind) - rank(b.kind)
		}
		return a.id - b.id
	})
	return all
}

// build works out the properties from what is known.
func (dev *device) build() {
	dev.properties, dev.faces = nil, map[string]*face{}
	for _, c := range dev.sorted() {
		c.faces = nil
		for _, f := range describe(dev, c) {
			dev.place(c, f)
		}
	}
	buttons := make([]string, 0, len(dev.buttons))
	for name := range dev.buttons {
		buttons = append(buttons, name)
	}
	slices.Sort(buttons)
	for _, name := range buttons {
		dev.place(nil, &face{property: pushes(name)})
	}
}

// place gives a property its name and takes it in. The first of its kind has the plain word; others are numbered as the
// component is, from 1, but what a person has added as it is there.
func (dev *device) place(c *component, f *face) {
	word := f.property.Name
	names := []string{word}
	if c != nil {
		suffix := suffix(c.id)
		names = []string{word + suffix, word + "_" + c.kind + suffix, word + "_" + c.kind + "_" + strconv.Itoa(c.id)}
		switch {
		case word == "transition": // of the command, not of a component
			names = []string{word}
		case f.called:
			names = append([]string{word}, names...)
		}
	}
	for _, name := range names {
		f.property.Name = name
		if dev.faces[name] != nil {
			continue
		}
		if f.property.Check() != nil || len(dev.properties) >= hearth.MaxProperties {
			return
		}
		f.component = c
		dev.faces[name] = f
		dev.properties = append(dev.properties, f.property)
		if c != nil {
			c.faces = append(c.faces, f)
		}
		return
	}
}

func suffix(id int) string {
	switch {
	case id == 0, id == 100: // the first, the first of an add-on
		return ""
	case id < 100:
		return "_" + strconv.Itoa(id+1)
	case id < 200:
		return "_" + strconv.Itoa(id-99)
	}
	return "_" + strconv.Itoa(id)
}

// device is what the house is told.
func (dev *device) device() hearth.Device {
	name := dev.name
	if dev.info.Name != nil && dialect.Name(*dev.info.Name) != "" {
		name = *dev.info.Name
	}
	model := dev.info.App
	if dev.info.Model != "" {
		model = strings.TrimSpace(model + " " + dev.info.Model)
	}
	return hearth.Device{
		ID: dev.id, Name: dialect.Name(name), Type: dev.kind(), Vendor: "Shelly", Model: dialect.Name(model),
		Firmware: dialect.Name(dev.info.Version), Properties: dev.properties,
	}
}

// kind is what the device is to a person.
func (dev *device) kind() hearth.Type {
	has := map[string]bool{}
	for _, c := range dev.components {
		has[c.kind] = true
	}
	any := func(kinds ...string) bool { return slices.ContainsFunc(kinds, func(k string) bool { return has[k] }) }
	switch {
	case any("cover"):
		return "cover"
	case any("light", "rgb", "rgbw", "rgbcct", "cct"):
		return "light"
	case any("thermostat", "blutrv"):
		return "thermostat"
	case any("switch") && strings.Contains(strings.ToLower(dev.info.App+dev.name), "plug"):
		return "outlet"
	case any("switch"):
		return "switch"
	case any("em", "em1", "pm1"):
		return "meter"
	case any("smoke", "flood", "temperature", "humidity", "illuminance", "bthomesensor", "presencezone"):
		return "sensor"
	case any("input"):
		return "button"
	}
	return "other"
}

// overlay takes in what a component said, and tells the house.
func (d *Dialect) overlay(dev *device, key string, said any, when time.Time) {
	status, ok := said.(map[string]any)
	c := dev.component(key)
	if c == nil || !ok {
		return
	}
	if c.stale {
		c.stale = false
	}
	grown := c.take(status)
	if d.weigh(dev) && grown && dev.announced != nil {
		d.announce(dev)
	}
	if list := d.readings(dev, c, status, when); len(list) > 0 && dev.announced != nil {
		d.env.Bus.Report(list...)
	}
}

// retell tells the house all that is known.
func (d *Dialect) retell(dev *device) {
	var all []hearth.Reading
	for _, c := range dev.sorted() {
		if !c.stale {
			all = append(all, d.readings(dev, c, c.status, time.Time{})...)
		}
	}
	if len(all) > 0 && dev.announced != nil {
		d.env.Bus.Report(all...)
	}
}

// readings are what a status, or a part of one, says.
func (d *Dialect) readings(dev *device, c *component, status map[string]any, when time.Time) (list []hearth.Reading) {
	for _, f := range c.faces {
		if f.path == "" {
			continue
		}
		said := at(status, f.path)
		if said == nil {
			continue
		}
		v := f.read(said)
		if v.IsZero() {
			continue
		}
		if err := f.property.Accepts(v); err != nil {
			d.once.Warn(d.log, "value "+dev.name+f.property.Name, "a Shelly says what cannot be", "device", dev.id, "error", err)
			continue
		}
		list = append(list, hearth.Reading{Device: dev.id, Property: f.property.Name, Value: v, Time: when})
	}
	return list
}

// at is what lies at a path in an object; nil if there is nothing.
func at(object map[string]any, path string) any {
	for {
		key, rest, deeper := strings.Cut(path, ".")
		v := object[key]
		if !deeper {
			return v
		}
		object, path = nil, rest
		if m, ok := v.(map[string]any); ok {
			object = m
		}
	}
}

// has reports whether there is something at a path, and be it null: not known yet.
func has(object map[string]any, path string) bool {
	cut := strings.LastIndexByte(path, '.')
	if cut >= 0 {
		object, _ = at(object, path[:cut]).(map[string]any)
	}
	_, ok := object[path[cut+1:]]
	return ok
}
