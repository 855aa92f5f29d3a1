package homekit

import (
	"math"

	"github.com/brutella/hap/characteristic"
	"github.com/brutella/hap/service"

	"hearth"
	"hearth/edge/homekit/hap"
)

// What PositionState says.
const (
	closing = 0
	opening = 1
	stopped = 2
)

const (
	arrived   = 1.0  // percent by which a cover may miss where it was sent
	travel    = 30.0 // seconds without a report after which a cover counts as stopped,
	lastWords = 8.0  // and after it had reported on its way
)

// blind is the properties of one cover.
type blind struct {
	key                      string
	position, tilt, movement hearth.Property
}

func (b *builder) cover(g *group) {
	c := &blind{position: g.words["position"], tilt: g.words["tilt"], movement: g.words["movement"]}
	word := "position"
	if !g.has("position") {
		word = "movement"
	}
	f := b.face(service.TypeWindowCovering, g, word)
	c.key = f.key
	percent := func(typ, may string) *characteristic.C {
		return intC(typ, characteristic.FormatUInt8, characteristic.UnitPercentage, may, 0, 100)
	}
	uses := filled(c.position.Name, c.movement.Name)
	access := reads
	if c.position.Writable || c.movement.Writable {
		access = writes
	}
	current := f.add(percent(characteristic.TypeCurrentPosition, reads), uses...)
	target := f.add(percent(characteristic.TypeTargetPosition, access), uses...)
	state := f.add(enumC(characteristic.TypePositionState, reads, stopped, closing, opening), uses...)
	current.read = func(k *knowledge) (any, bool) { at, _ := c.way(k); return fit(current.c, at), true }
	target.read = func(k *knowledge) (any, bool) { _, to := c.way(k); return fit(target.c, to), true }
	state.read = func(k *knowledge) (any, bool) {
		switch at, to := c.way(k); {
		case to > at:
			return opening, true
		case to < at:
			return closing, true
		}
		return stopped, true
	}
	if access == writes {
		target.write = c.send
	}
	if c.movement.Writable {
		hold := f.add(boolC(characteristic.TypeHoldPosition, writes), c.movement.Name)
		hold.c.Permissions = []string{characteristic.PermissionWrite}
		hold.write = func(w *wish, value any) hap.Status {
			if on, _ := value.(bool); !on {
				return hap.OK
			}
			return w.put(c.movement, hearth.TextOf("stop"))
		}
	}
	if g.has("tilt") {
		c.tilts(f)
	}
	b.childLock(f, g)
}

// way is where the cover is and where it goes: the same, when it stands.
func (c *blind) way(k *knowledge) (at, to float64) {
	m := k.m
	at = 50 // of a cover that never tells: somewhere between
	if assumed, known := m.numbers[c.key+"assumed"]; known {
		at = assumed
	}
	if v, known := k.value(c.position.Name); known {
		at = v.Number()
	}
	target, sent := k.targets[c.position.Name]
	if way, ok := k.targets[c.movement.Name]; ok && c.position.Name == "" {
		c.assume(m, way.Text())
		return at, m.numbers[c.key+"assumed"]
	}
	if !sent {
		delete(m.numbers, c.key+"to")
		return at, at
	}
	to = target.Number()
	switch {
	case m.numbers[c.key+"to"] != to || !has(m.numbers, c.key+"to"):
		m.numbers[c.key+"to"], m.numbers[c.key+"at"], m.numbers[c.key+"since"] = to, at, k.seconds
		m.flags[c.key] = false
	case m.numbers[c.key+"at"] != at:
		m.numbers[c.key+"at"], m.numbers[c.key+"since"] = at, k.seconds
		m.flags[c.key] = true
	}
	patience := travel
	if m.flags[c.key] {
		patience = lastWords
	}
	if math.Abs(to-at) <= arrived || k.seconds-m.numbers[c.key+"since"] > patience {
		return at, at
	}
	return at, to
}

func has(m map[string]float64, key string) bool { _, ok := m[key]; return ok }

// assume takes a cover that never tells where it is for where it was sent.
func (c *blind) assume(m *memory, movement string) {
	switch movement {
	case "open":
		m.numbers[c.key+"assumed"] = 100
	case "close":
		m.numbers[c.key+"assumed"] = 0
	}
}

func (c *blind) send(w *wish, value any) hap.Status {
	to, ok := asNumber(value)
	switch {
	case !ok:
		return hap.Invalid
	case c.position.Writable:
		return w.number(c.position, to)
	}
	at, _ := c.way(w.k)
	movement := "close"
	if to >= 100 || to > 0 && to > at {
		movement = "open"
	}
	return w.put(c.movement, hearth.TextOf(movement))
}

// tilts adds the slats: percent as degrees from -90 to 90.
func (c *blind) tilts(f *face) {
	degrees := func(typ, may string) *characteristic.C {
		c := intC(typ, characteristic.FormatInt32, characteristic.UnitArcDegrees, may, -90, 90)
		c.Val = 0
		return c
	}
	name := c.tilt.Name
	current := f.add(degrees(characteristic.TypeCurrentHorizontalTiltAngle, reads), name)
	target := f.add(degrees(characteristic.TypeTargetHorizontalTiltAngle, may(c.tilt)), name)
	current.read = func(k *knowledge) (any, bool) { v, ok := k.value(name); return fit(current.c, 1.8*v.Number()-90), ok }
	target.read = func(k *knowledge) (any, bool) { v, ok := k.aim(name); return fit(target.c, 1.8*v.Number()-90), ok }
	if c.tilt.Writable {
		target.write = func(w *wish, value any) hap.Status {
			angle, ok := asNumber(value)
			if !ok {
				return hap.Invalid
			}
			return w.number(c.tilt, round((angle+90)/1.8, 1))
		}
	}
}
