package sim

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"hearth"
)

// A device is one of the house: what it is, what it knows, and what it has not yet said.
type device struct {
	hearth.Device
	kind   *kind
	room   *room
	chance *rand.Rand
	rating float64 // W that it draws when on, lm of a lamp… by its kind

	values  map[string]hearth.Value
	changed map[string]bool
	moment  []hearth.Reading // events to be told, once each
	covered map[string]float64

	target float64 // a cover's way
	moving bool
	until  time.Time // the end of a passing state: somebody in the room, a machine at work
	busy   bool
}

// set puts what the device knows now.
func (d *device) set(name string, v hearth.Value) {
	if d.values[name] != v {
		d.values[name] = v
		d.changed[name] = true
	}
}

func (d *device) setNumber(name string, v float64, digits int) {
	d.set(name, hearth.NumberOf(round(v, digits)))
}

func (d *device) setBool(name string, v bool) { d.set(name, hearth.BoolOf(v)) }

func (d *device) number(name string) float64 { return d.values[name].Number() }

func (d *device) on() bool { return d.values["on"].Bool() }

// count lets a counter rise by delta. What is too small to be reported is kept, and no change yet.
func (d *device) count(name string, delta float64) {
	before := d.number(name)
	after := before + max(delta, 0)
	d.values[name] = hearth.NumberOf(after)
	if shown(after) != shown(before) {
		d.changed[name] = true
	}
}

// shown is what a counter's display says of it: whole Wh.
func shown(kWh float64) float64 { return math.Floor(kWh*1000) / 1000 }

// readings returns the named values as they are reported.
func (d *device) readings(names ...string) []hearth.Reading {
	list := make([]hearth.Reading, 0, len(names))
	for _, name := range names {
		v := d.values[name]
		if _, counter := d.covered[name]; counter {
			v = hearth.NumberOf(shown(v.Number()))
		}
		list = append(list, hearth.Reading{Device: d.ID, Property: name, Value: v})
	}
	return list
}

// everything returns all states.
func (d *device) everything() []hearth.Reading {
	clear(d.changed)
	return d.readings(slices.Sorted(maps.Keys(d.values))...)
}

// changes returns what has changed since it was last said, and what has happened.
func (d *device) changes() []hearth.Reading {
	names := slices.Sorted(maps.Keys(d.changed))
	clear(d.changed)
	return append(d.readings(names...), d.moments()...)
}

func (d *device) moments() []hearth.Reading {
	moments := d.moment
	d.moment = nil
	return moments
}

// obey changes the device as a command says. It answers with its state, also where that was so before.
func (d *device) obey(set map[string]hearth.Value) {
	for name, v := range set {
		if p, _ := d.Property(name); !p.WriteOnly && name != "position" {
			d.set(name, v)
			d.changed[name] = true
		}
	}
	level := map[hearth.Type]string{"light": "brightness", "fan": "fan_speed"}[d.Type]
	_, levelSet := set[level]
	_, onSet := set["on"]
	switch {
	case d.kind.slug == "cover":
		d.drive(set)
	case level == "":
	case levelSet && !onSet:
		d.setBool("on", d.number(level) > 0)
	case d.on() && d.number(level) == 0 && !levelSet:
		d.setNumber(level, 100, 0)
	}
}

// drive sends a cover on its way.
func (d *device) drive(set map[string]hearth.Value) {
	if v, ok := set["position"]; ok {
		d.target, d.moving = v.Number(), true
	}
	switch set["movement"].Text() {
	case "open":
		d.target, d.moving = 100, true
	case "close":
		d.target, d.moving = 0, true
	case "stop":
		d.target, d.moving = d.number("position"), false
	}
}

const fullTravel = 3 * time.Second // of a cover

// travel moves a cover on and reports whether it moved.
func (d *device) travel(dt time.Duration) bool {
	if !d.moving {
		return false
	}
	way := 100 * dt.Seconds() / fullTravel.Seconds()
	left := d.target - d.number("position")
	if math.Abs(left) <= way {
		d.setNumber("position", d.target, 1)
		d.moving = false
		d.changed["position"] = true // the end of a way is always told
		return true
	}
	d.setNumber("position", d.number("position")+math.Copysign(way, left), 0)
	return true
}

func round(v float64, digits int) float64 {
	scale := math.Pow(10, float64(digits))
	return math.Round(v*scale) / scale
}
