package expose

import (
	"math"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

// A light is whatever is switched, dimmed or coloured: lamps, plugs, relays.
type light struct {
	endpoint                   uint8
	switches, dims             bool // it has the On/Off and the Level Control cluster
	on, brightness, transition *slot
	color                      *color // nil: it has none

	// dark is set while the brightness is 0 because that was asked for: such a lamp is off, and what it says its level is
	// is what it will be when it comes on again.
	dark bool
	// before is the brightness that a lamp had before it was faded to off; 0: it was not. It may come on again at the
	// least it has, so that it is told this.
	before  float64
	wentOff bool // since it was faded
}

// buildLight is On/Off, Level Control and Color Control together. What moves, heats or blows has them for other ends.
func buildLight(b *builder, e Endpoint) {
	if e.serves(zcl.ClusterWindowCovering) {
		return
	}
	l := &light{endpoint: e.ID, switches: e.serves(zcl.ClusterOnOff)}
	l.dims = e.serves(zcl.ClusterLevelControl) && !e.serves(zcl.ClusterThermostat) && !e.serves(zcl.ClusterFanControl)
	if l.switches {
		l.on = b.slot(e.ID, word("on").AsWritable())
		b.report(l.on, zcl.ClusterOnOff, zcl.AttrOnOffOnOff, atOnce())
		b.part(e.ID, zcl.ClusterOnOff).together = l.heardSwitch
	}
	if l.dims {
		l.brightness = b.slot(e.ID, word("brightness").AsWritable())
		b.report(l.brightness, zcl.ClusterLevelControl, zcl.AttrLevelControlCurrentLevel, soon())
		b.part(e.ID, zcl.ClusterLevelControl).together = l.heardLevel
	}
	if e.serves(zcl.ClusterColorControl) {
		l.color = buildColor(b, e)
	}
	slots := []*slot{l.on, l.brightness}
	if l.dims || l.color != nil {
		l.transition = b.slot(e.ID, word("transition"))
		slots = append(slots, l.transition)
	}
	if l.color != nil {
		slots = append(slots, l.color.slots()...)
	}
	b.act(l.carry, slots...)
	if l.switches {
		buildPowerOn(b, e)
	}
}

// buildPowerOn is what a device does when its power comes back (ZCL 3.8.2.2.5).
func buildPowerOn(b *builder, e Endpoint) {
	const cluster, attribute = zcl.ClusterOnOff, zcl.AttrOnOffStartUpOnOff
	b.askPresence(e.ID, cluster, attribute)
	if !b.has(e.ID, cluster, attribute) {
		return
	}
	to := b.slot(e.ID, word("power_on_behavior").AsWritable())
	words := map[float64]string{0: "off", 1: "on", 2: "toggle", 0xff: "previous"}
	b.reads(e.ID, cluster, attribute, to, named(words))
	b.state(e.ID, cluster, attribute)
	b.writes(to, b.target(e.ID, cluster, attribute), numbered(words))
}

// named reads an enumeration's number as its word; a number without one is no value.
func named(words map[float64]string) func(zcl.Value) hearth.Value {
	return func(v zcl.Value) hearth.Value {
		if word, known := words[float64(v.Uint())]; known {
			return hearth.TextOf(word)
		}
		return hearth.Value{}
	}
}

// numbered is the way back: the lowest number of a word.
func numbered(words map[float64]string) func(hearth.Value) (float64, error) {
	return func(v hearth.Value) (n float64, err error) {
		found := false
		for number, word := range words {
			if word == v.Text() && (!found || number < n) {
				n, found = number, true
			}
		}
		if !found {
			return 0, hearth.Errorf(hearth.CodeBadValue, "the device has nothing that is %s", v)
		}
		return n, nil
	}
}

// Levels go from 1 to 254; 255 is no level (ZCL 3.10.2.3).
const fullLevel = 254

// percent returns a level as brightness, with the one decimal that tells all levels apart.
func percent(level float64) float64 { return rounded(level*100/fullLevel, 1) }

// levelOf returns the level of a brightness: the least there is for what is not quite 0.
func levelOf(percent float64) byte {
	if percent <= 0 {
		return 0
	}
	return byte(max(math.Round(percent*fullLevel/100), 1))
}

func (l *light) heardSwitch(attributes []zcl.Attribute, h *hearing) {
	for _, a := range attributes {
		on := flag(a.Value)
		if a.ID != zcl.AttrOnOffOnOff || on.IsZero() {
			continue
		}
		h.say(l.on, on)
		switch {
		case !on.Bool():
			l.wentOff = true
			if l.dark {
				h.say(l.brightness, hearth.NumberOf(0))
			}
		case l.wentOff: // by somebody else's doing, or ours
			if l.dark {
				h.Reads = append(h.Reads, l.levelRead())
			}
			l.dark, l.before, l.wentOff = false, 0, false
		}
	}
}

func (l *light) heardLevel(attributes []zcl.Attribute, h *hearing) {
	for _, a := range attributes {
		if a.ID != zcl.AttrLevelControlCurrentLevel || l.dark && l.wentOff {
			continue
		}
		if level, ok := a.Value.Number(); ok && level <= fullLevel {
			h.say(l.brightness, hearth.NumberOf(percent(level)))
		}
	}
}

func (l *light) levelRead() Read {
	return Read{Endpoint: l.endpoint, Cluster: zcl.ClusterLevelControl, Attributes: []uint16{zcl.AttrLevelControlCurrentLevel}}
}

func (l *light) switchRead() Read {
	return Read{Endpoint: l.endpoint, Cluster: zcl.ClusterOnOff, Attributes: []uint16{zcl.AttrOnOffOnOff}}
}

// carry makes a wish into frames: switching and dimming are one, a colour is another.
func (l *light) carry(w wish) ([]Request, error) {
	on, switched := w.of(l.on)
	brightness, dimmed := w.of(l.brightness)
	seconds, timed := w.of(l.transition)
	if switched && dimmed && on.Bool() != (brightness.Number() > 0) {
		return nil, hearth.Errorf(hearth.CodeBadValue, "a lamp that is %s has no brightness of %s %%: leave one of the two out", onOrOff(on.Bool()), brightness)
	}
	f := fade{seconds.Number()}
	turnsOff := switched && !on.Bool() || dimmed && brightness.Number() == 0
	was, known := w.current(l.on)
	staysOff := turnsOff || !switched && !dimmed && known && !was.Bool()
	colors, err := l.color.carry(w, f, staysOff)
	if err != nil {
		return nil, err
	}
	var requests []Request
	switch {
	case dimmed:
		requests = []Request{l.moveTo(levelOf(brightness.Number()), f)}
	case switched && l.dims && (timed && seconds.Number() > 0 || on.Bool() && l.before > 0):
		requests = []Request{l.moveTo(l.fadeEnd(w, on.Bool()), f)}
	case switched:
		requests = []Request{l.turn(on.Bool())}
	case len(colors) == 0:
		return nil, hearth.Errorf(hearth.CodeBadValue, "%s says how long something takes: give on, brightness or a colour with it", l.transition.Name)
	}
	if dimmed || switched {
		l.remember(w, dimmed, turnsOff, timed)
	}
	if turnsOff { // a lamp that is off takes no colour
		return append(colors, requests...), nil
	}
	return append(requests, colors...), nil
}

// remember notes how the lamp is switched or dimmed.
func (l *light) remember(w wish, dimmed, turnsOff, timed bool) {
	last, known := w.current(l.brightness)
	switch {
	case !turnsOff:
		l.before = 0
	case (dimmed || timed) && known && last.Number() > 0 && l.before == 0:
		l.before = last.Number()
	}
	l.dark, l.wentOff = dimmed && turnsOff && l.switches, false
}

// fadeEnd is the level that switching over some time leads to: when it comes on, the one it had.
func (l *light) fadeEnd(w wish, on bool) byte {
	last, known := w.current(l.brightness)
	switch {
	case !on:
		return 0
	case l.before > 0:
		return levelOf(l.before)
	case known && last.Number() > 0:
		return levelOf(last.Number())
	}
	return fullLevel
}

func (l *light) turn(on bool) Request {
	command := zcl.CmdOnOffOff
	if on {
		command = zcl.CmdOnOffOn
	}
	return Request{
		Endpoint: l.endpoint, Cluster: zcl.ClusterOnOff, Frame: zcl.ClusterCommand(command), Answer: true,
		Confirm: []Read{l.switchRead()},
	}
}

// moveTo leaves the options out, which old lamps do not know (ZCL 3.10.2.4.1).
func (l *light) moveTo(level byte, f fade) Request {
	command, confirm := zcl.CmdLevelControlMoveToLevel, []Read{l.levelRead()}
	if l.switches {
		command, confirm = zcl.CmdLevelControlMoveToLevelWithOnOff, append(confirm, l.switchRead())
	}
	low, high := f.tenths()
	return Request{
		Endpoint: l.endpoint, Cluster: zcl.ClusterLevelControl, Frame: zcl.ClusterCommand(command, level, low, high),
		Answer: true, Settles: f.duration(), Confirm: confirm,
	}
}

func onOrOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// A fade is how many seconds a change takes.
type fade struct{ seconds float64 }

// tenths returns a transition time as it travels; the highest number means something else to lamps.
func (f fade) tenths() (low, high byte) {
	n := uint16(min(math.Round(f.seconds*10), 0xfffe))
	return byte(n), byte(n >> 8)
}

func (f fade) duration() time.Duration { return time.Duration(f.seconds * float64(time.Second)) }
