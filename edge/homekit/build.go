package homekit

import (
	"slices"
	"strconv"

	"github.com/brutella/hap/characteristic"

	"hearth"
)

// A builder makes the faces of one device.
type builder struct {
	d      hearth.DeviceView
	groups []*group
	faces  []*face
}

// build returns a device as HomeKit sees it: nothing, where it has nothing that HomeKit knows.
func build(known map[string]hearth.Kind, d hearth.DeviceView) []*face {
	if d.Type == "coordinator" {
		return nil
	}
	b := &builder{d: d, groups: groups(known, d.Properties)}
	for _, g := range b.groups {
		b.doing(g)
	}
	for _, g := range b.groups {
		b.sensing(g)
	}
	b.buttons()
	if len(b.faces) == 0 {
		return nil
	}
	b.condition()
	b.battery()
	b.name()
	return b.faces
}

// face adds a service that is about the group's endpoint. Its key says which one by the first of its properties that
// every device of the kind has.
func (b *builder) face(typ string, g *group, word string) *face {
	f := newFace(typ, g.words[word].Name)
	f.label = title(g.suffix)
	b.faces = append(b.faces, f)
	return f
}

// doing makes what can be operated; each property is used once, the most telling kind of service first.
func (b *builder) doing(g *group) {
	switch {
	case g.has("lock"):
		b.lock(g)
	case g.writable("target_temperature"):
		b.thermostat(g)
		return // its on switches it off
	case (b.d.Type == "cover" || g.writable("position")) && b.d.Type != "valve" && b.d.Type != "thermostat" && (g.has("position") || g.writable("movement")):
		b.cover(g)
	case b.d.Type == "fan" && g.has("on", "fan_speed", "fan_mode") || g.writable("fan_speed"):
		b.fan(g)
		return
	case b.d.Type == "valve" && (g.has("on") || g.writable("position")):
		b.valve(g)
		return
	case b.d.Type == "light" && g.has("on", "brightness") || g.writable("brightness"):
		b.light(g)
		return
	case g.writable("fan_mode"):
		b.fan(g)
		return
	}
	switch {
	case b.d.Type == "outlet" && g.has("on"):
		b.outlet(g)
	case g.has("on"):
		b.toggle(g, "on")
	}
	if g.writable("alarm") {
		b.toggle(g, "alarm")
	}
}

// eve adds what only other programs than Apple's show, as Eve does: power and energy.
func (b *builder) eve(f *face, g *group) {
	for _, e := range []struct{ word, typ, unit string }{
		{"power", eveType("10D"), "W"}, {"energy", eveType("10C"), "kWh"}, {"voltage", eveType("10A"), "V"}, {"current", eveType("126"), "A"},
	} {
		if !g.has(e.word) {
			continue
		}
		c := makeC(e.typ, characteristic.FormatFloat, reads, 0.0)
		c.Unit, c.Description = e.unit, title(e.word)
		f.number(c, g.words[e.word].Name, nil)
	}
}

func eveType(id string) string { return "E863F" + id + "-079E-48FF-8F27-9C2605A29F52" }

// childLock adds the lock of the buttons on the device itself.
func (b *builder) childLock(f *face, g *group) {
	if !g.has("child_lock") {
		return
	}
	p := g.words["child_lock"]
	locked := f.flag(enumC(characteristic.TypeLockPhysicalControls, may(p), 0, 1), p.Name, 1, 0)
	if p.Writable {
		locked.write = writeFlag(p, 1)
	}
}

// condition says on every sensor how much its values are worth.
func (b *builder) condition() {
	tamper := ""
	for _, g := range b.groups {
		if tamper == "" && g.has("tamper") {
			tamper = g.words["tamper"].Name
		}
	}
	for _, f := range b.faces {
		if !f.sensor {
			continue
		}
		f.add(active()).read = func(k *knowledge) (any, bool) { return k.fresh, true }
		f.add(enumC(characteristic.TypeStatusFault, reads, 0, 1)).read = func(k *knowledge) (any, bool) {
			if k.fresh {
				return 0, true
			}
			return 1, true
		}
		if tamper != "" {
			f.flag(enumC(characteristic.TypeStatusTampered, reads, 0, 1), tamper, 1, 0)
		}
	}
}

func active() *characteristic.C {
	c := boolC(characteristic.TypeStatusActive, reads)
	c.Val = true
	return c
}

const (
	batteryLow  = 20 // percent from which on a battery is low,
	batteryGood = 25 // until it is that full again
)

func (b *builder) battery() {
	i := slices.IndexFunc(b.groups, func(g *group) bool { return g.has("battery", "battery_low") })
	if i < 0 {
		return
	}
	g := b.groups[i]
	level, low := g.words["battery"].Name, g.words["battery_low"].Name
	f := newFace("96", "battery")
	f.named = false
	b.faces = append(b.faces, f)
	if level != "" {
		c := intC(characteristic.TypeBatteryLevel, characteristic.FormatUInt8, characteristic.UnitPercentage, reads, 0, 100)
		c.Val = 100
		f.number(c, level, nil)
	}
	f.add(enumC(characteristic.TypeChargingState, reads, 2)) // not chargeable
	f.add(enumC(characteristic.TypeStatusLowBattery, reads, 0, 1), filled(level, low)...).read = func(k *knowledge) (any, bool) {
		said, ok := k.value(low)
		if !ok {
			charge, known := k.value(level)
			if !known {
				return nil, false
			}
			said = hearth.BoolOf(k.m.over("battery", 100-charge.Number(), 100-batteryLow, 100-batteryGood))
		}
		if said.Bool() {
			return 1, true
		}
		return 0, true
	}
}

func filled(names ...string) []string {
	return slices.DeleteFunc(names, func(n string) bool { return n == "" })
}

// name gives services names where a device has several: Apple's own would be the same for all.
func (b *builder) name() {
	var named []*face
	for _, f := range b.faces {
		if f.named {
			named = append(named, f)
		}
	}
	if len(named) > 0 {
		named[0].s.Primary = true
	}
	if len(named) < 2 {
		return
	}
	taken := map[string]bool{}
	for _, f := range named {
		own := f.label
		if own == "" {
			own = kindName(f.s.Type)
		}
		name := cleanName(b.d.Name+" "+own, own)
		if own == "" {
			name = cleanName(b.d.Name, "Device")
		}
		for n := 2; taken[name]; n++ {
			name = cleanName(b.d.Name+" "+own+" "+strconv.Itoa(n), own)
		}
		taken[name] = true
		f.add(nameC(name))
		f.add(textC(characteristic.TypeConfiguredName, writes, name))
	}
}

func nameC(name string) *characteristic.C {
	c := textC(characteristic.TypeName, reads, name)
	c.Permissions = []string{characteristic.PermissionRead}
	return c
}

// kindName tells the services of one endpoint apart.
func kindName(typ string) string {
	return map[string]string{
		"8A": "Temperature", "82": "Humidity", "84": "Light", "85": "Motion", "86": "Presence", "80": "Contact", "83": "Leak", "87": "Smoke",
		"7F": "Carbon Monoxide", "97": "Carbon Dioxide", "8D": "Air Quality",
	}[typ]
}
