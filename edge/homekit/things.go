package homekit

import (
	"slices"

	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"

	"hearth"
	"hearth/edge/homekit/hap"
)

// writeFlag sets a bool; truth is what the characteristic says for true.
func writeFlag(p hearth.Property, truth any) func(*wish, any) hap.Status {
	return func(w *wish, value any) hap.Status { return w.put(p, hearth.BoolOf(value == truth)) }
}

// toggle is something to switch on and off: a switch, a siren.
func (b *builder) toggle(g *group, word string) *face {
	f := b.face(service.TypeSwitch, g, word)
	p := g.words[word]
	on := f.flag(boolC(characteristic.TypeOn, may(p)), p.Name, true, false)
	if p.Writable {
		on.write = writeFlag(p, true)
	}
	if word == "on" {
		b.eve(f, g)
	}
	return f
}

// An outlet is in use when something draws more than inUse watts, until it draws less than idle.
const (
	inUse = 2.0
	idle  = 1.0
)

func (b *builder) outlet(g *group) {
	f := b.toggle(g, "on")
	f.s.Type, f.key = service.TypeOutlet, service.TypeOutlet+":"+g.words["on"].Name
	on, power := g.words["on"].Name, g.words["power"].Name
	f.add(boolC(characteristic.TypeOutletInUse, reads), filled(on, power)...).read = func(k *knowledge) (any, bool) {
		if watts, ok := k.value(power); ok {
			return k.m.over(f.key, watts.Number(), inUse, idle), true
		}
		v, ok := k.aim(on)
		return v.Bool(), ok
	}
}

// What LockCurrentState says.
const (
	unsecured = 0
	secured   = 1
	jammed    = 2
	unknown   = 3
)

// lock shows the target as soon as it is asked for; whether it is locked only the lock itself says.
func (b *builder) lock(g *group) {
	p := g.words["lock"]
	f := b.face(service.TypeLockMechanism, g, "lock")
	c := enumC(characteristic.TypeLockCurrentState, reads, unknown, unsecured, secured, jammed)
	f.add(c, p.Name).read = func(k *knowledge) (any, bool) {
		v, ok := k.value(p.Name)
		switch v.Text() {
		case "locked":
			return secured, ok
		case "unlocked":
			return unsecured, ok
		case "jammed":
			return jammed, ok
		}
		return unknown, true
	}
	target := f.add(enumC(characteristic.TypeLockTargetState, may(p), secured, unsecured), p.Name)
	target.read = func(k *knowledge) (any, bool) {
		v, ok := k.aim(p.Name)
		switch v.Text() {
		case "locked":
			return secured, ok
		case "unlocked":
			return unsecured, ok
		}
		return nil, false // jammed on its way: it stays what it was
	}
	if p.Writable {
		target.write = func(w *wish, value any) hap.Status {
			text := "unlocked"
			if value == secured {
				text = "locked"
			}
			return w.put(p, hearth.TextOf(text))
		}
	}
}

// valve lets something flow.
func (b *builder) valve(g *group) {
	word := "on"
	if !g.has("on") {
		word = "position"
	}
	p := g.words[word]
	f := b.face(service.TypeValve, g, word)
	open := func(look func(*knowledge, string) (hearth.Value, bool)) func(*knowledge) (any, bool) {
		return func(k *knowledge) (any, bool) {
			v, ok := look(k, p.Name)
			if v.Number() > 0 {
				return 1, ok
			}
			return 0, ok
		}
	}
	on := f.add(enumC(characteristic.TypeActive, may(p), 0, 1), p.Name)
	on.read = open((*knowledge).aim)
	if p.Writable {
		on.write = func(w *wish, value any) hap.Status {
			if word == "on" {
				return w.put(p, hearth.BoolOf(value == 1))
			}
			if value == 1 {
				return w.number(p, 100)
			}
			return w.number(p, 0)
		}
	}
	f.add(enumC(characteristic.TypeInUse, reads, 0, 1), p.Name).read = open((*knowledge).value)
	f.add(enumC(characteristic.TypeValveType, reads, 0)) // generic: HomeKit's others are for gardens and baths
	b.childLock(f, g)
	b.eve(f, g)
}

// ventilator is the properties of one fan; the names of those it lacks are empty.
type ventilator struct {
	key             string
	on, speed, mode hearth.Property
	levels          []string // of the mode, from slow to fast
}

func (b *builder) fan(g *group) {
	v := &ventilator{on: g.words["on"], speed: g.words["fan_speed"], mode: g.words["fan_mode"]}
	for _, level := range []string{"min", "quiet", "sleep", "low", "medium", "high", "turbo", "max"} {
		if slices.Contains(v.mode.Options, level) {
			v.levels = append(v.levels, level)
		}
	}
	word := "on"
	for _, w := range []string{"fan_mode", "fan_speed", "on"} {
		if g.has(w) {
			word = w
		}
	}
	f := b.face(service.TypeFanV2, g, word)
	v.key = f.key
	all := filled(v.on.Name, v.speed.Name, v.mode.Name)
	access := reads
	if v.on.Writable || v.speed.Writable || v.mode.Writable {
		access = writes
	}
	active := f.add(enumC(characteristic.TypeActive, access, 0, 1), all...)
	active.read = func(k *knowledge) (any, bool) {
		on, known := v.runs(k)
		if on {
			return 1, known
		}
		return 0, known
	}
	if access == writes {
		active.write = v.toggle
	}
	if v.speed.Name != "" || len(v.levels) > 0 {
		v.turns(f)
	}
	if slices.Contains(v.mode.Options, "auto") {
		v.autos(f)
	}
	b.childLock(f, g)
	b.eve(f, g)
}

func (v *ventilator) runs(k *knowledge) (on, known bool) {
	if said, ok := k.aim(v.on.Name); ok {
		return said.Bool(), true
	}
	if speed, ok := k.aim(v.speed.Name); ok {
		return speed.Number() > 0, true
	}
	mode, ok := k.aim(v.mode.Name)
	return ok && mode.Text() != "off", ok
}

func (v *ventilator) toggle(w *wish, value any) hap.Status {
	on := value == 1
	if !on {
		w.off[v.key] = v.speed.Name + " "
		if v.on.Writable {
			w.off[v.key] = v.speed.Name
		}
	}
	switch {
	case v.on.Writable:
		return w.put(v.on, hearth.BoolOf(on))
	case v.speed.Writable && !on:
		return w.put(v.speed, hearth.NumberOf(0))
	case v.speed.Writable:
		if _, given := w.set[v.speed.Name]; given {
			return hap.OK
		}
		return w.number(v.speed, positive(w.k.m.numbers[v.key]))
	case !on:
		return w.put(v.mode, hearth.TextOf("off"))
	}
	if _, given := w.set[v.mode.Name]; given {
		return hap.OK
	}
	for _, mode := range append([]string{"on", "auto"}, v.levels...) {
		if slices.Contains(v.mode.Options, mode) {
			return w.put(v.mode, hearth.TextOf(mode))
		}
	}
	return hap.Invalid
}

// positive is the last speed, or full where none is known.
func positive(speed float64) float64 {
	if speed > 0 {
		return speed
	}
	return 100
}

func (v *ventilator) turns(f *face) {
	c := floatC(characteristic.TypeRotationSpeed, characteristic.UnitPercentage, may(v.speed), 0, 100, 1)
	if v.speed.Name == "" {
		c = floatC(characteristic.TypeRotationSpeed, characteristic.UnitPercentage, may(v.mode), 0, 100, 100/float64(len(v.levels)))
	}
	speed := f.add(c, filled(v.speed.Name, v.mode.Name)...)
	speed.read = func(k *knowledge) (any, bool) {
		if said, ok := k.aim(v.speed.Name); ok {
			if said.Number() > 0 {
				k.m.numbers[v.key] = said.Number()
			}
			return fit(c, said.Number()), true
		}
		mode, ok := k.aim(v.mode.Name)
		i := slices.Index(v.levels, mode.Text())
		if !ok || i < 0 && mode.Text() != "off" {
			return nil, false
		}
		return min(float64(i+1)*100/float64(len(v.levels)), 100), true
	}
	if v.speed.Writable || v.speed.Name == "" && v.mode.Writable {
		speed.write = v.turn
	}
}

func (v *ventilator) turn(w *wish, value any) hap.Status {
	n, ok := asNumber(value)
	switch {
	case !ok:
		return hap.Invalid
	case n <= 0:
		return v.toggle(w, 0)
	case w.off[v.key] != "" && !v.on.Writable:
		return hap.OK // off, of the same breath
	case v.speed.Writable:
		return w.number(v.speed, n)
	}
	i := min(max(int(n*float64(len(v.levels))/100+0.5), 1), len(v.levels))
	return w.put(v.mode, hearth.TextOf(v.levels[i-1]))
}

// autos adds whether the fan chooses its speed itself.
func (v *ventilator) autos(f *face) {
	auto := f.add(enumC(characteristic.TypeTargetFanState, may(v.mode), 0, 1), v.mode.Name)
	auto.read = func(k *knowledge) (any, bool) {
		mode, ok := k.aim(v.mode.Name)
		if mode.Text() == "auto" {
			return 1, ok
		}
		return 0, ok
	}
	if !v.mode.Writable {
		return
	}
	auto.write = func(w *wish, value any) hap.Status {
		if value == 1 {
			return w.put(v.mode, hearth.TextOf("auto"))
		}
		if _, given := w.set[v.mode.Name]; given || len(v.levels) == 0 {
			return hap.OK
		}
		return w.put(v.mode, hearth.TextOf(v.levels[len(v.levels)/2]))
	}
}
