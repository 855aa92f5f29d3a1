package tasmota

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// A report gathers what one message says.
type report struct {
	d        *Dialect
	dev      *device
	retained bool
	readings []hearth.Reading
	heard    []string // what a command may wait for
}

// hear takes in a message to a topic of the device.
func (d *Dialect) hear(dev *device, base, word string, m dialect.Message) {
	c := dev.cfg
	if base == c.tele && word == "LWT" {
		d.reach(dev, string(m.Payload), m)
		return
	}
	r := &report{d: d, dev: dev, retained: m.Retained}
	if !dialect.IsObject(m.Payload) {
		if base == c.stat && strings.HasPrefix(word, "POWER") {
			r.state(map[string]any{word: string(m.Payload)})
		}
		r.tell(false)
		return
	}
	var said map[string]any
	if err := dialect.ReadJSON(m.Payload, &said); err != nil {
		d.once.Warn(d.log, "json "+dev.mac, "what a Tasmota says is not understood", "device", dev.id, "topic", dialect.Clip(m.Topic, 80), "error", err)
		return
	}
	answer := false
	switch {
	case base == c.tele && word == "STATE":
		r.state(said)
	case base == c.tele && word == "SENSOR":
		r.sense(said)
	case base == c.stat && strings.HasPrefix(word, "STATUS"):
		r.status(said)
	case base == c.stat:
		if d.refused(dev, said) {
			return
		}
		r.state(said)
		r.press(said)
		r.acknowledge(said)
		answer = !m.Retained
	}
	r.tell(answer)
}

// reach takes in the device's LWT. One that sleeps is away most of the time, and still there.
func (d *Dialect) reach(dev *device, said string, m dialect.Message) {
	online := said == dev.cfg.Online
	if !online && said != dev.cfg.Offline {
		return
	}
	was := dev.online
	dev.online = &online
	if online && (dev.asked.IsZero() || was != nil && !*was || m.Time.Sub(dev.asked) > askAgain) {
		d.ask(dev, m.Time)
	}
	if !online && dev.cfg.Sleeps != 0 {
		dev.online = nil
		return
	}
	if dev.announced == nil {
		d.announce(dev) // which tells this as well
		return
	}
	d.env.Bus.Report(hearth.Reading{Device: dev.id, Property: "reachable", Value: hearth.BoolOf(online)})
}

// refused reports whether a RESULT says that a command was not understood, or could not be done.
func (d *Dialect) refused(dev *device, said map[string]any) bool {
	why, ok := said["Command"].(string)
	if ok {
		d.waiter.Refused(dev.id, hearth.Errorf(hearth.CodeFailed, "%s answered: command %s", dev.id, dialect.Clip(strings.ToLower(why), 80)))
	}
	return ok
}

// status takes in the answers to Status: sensors in 8 and 10, state in 11.
func (r *report) status(said map[string]any) {
	if sensors, ok := said["StatusSNS"].(map[string]any); ok {
		r.sense(sensors)
	}
	if state, ok := said["StatusSTS"].(map[string]any); ok {
		r.state(state)
	}
}

// add takes in one value, if it is one that the property can have.
func (r *report) add(property string, v hearth.Value) {
	p, ok := r.dev.property(property)
	if !ok || v.IsZero() {
		return
	}
	if err := p.Accepts(v); err != nil {
		r.d.once.Warn(r.d.log, "value "+r.dev.mac+property, "a Tasmota says what cannot be", "device", r.dev.id, "error", err)
		return
	}
	r.readings = append(r.readings, hearth.Reading{Device: r.dev.id, Property: property, Value: v})
	r.heard = append(r.heard, property)
}

// tell tells the house, and, where the message answers one, the command that waits.
func (r *report) tell(answer bool) {
	if r.dev.announced == nil {
		r.d.announce(r.dev)
	}
	if len(r.readings) > 0 {
		r.d.env.Bus.Report(r.readings...)
	}
	if answer {
		r.d.waiter.Heard(r.dev.id, r.heard...)
	}
}

// state takes in what STATE and RESULT have in common.
func (r *report) state(said map[string]any) {
	for _, ch := range r.dev.channels {
		r.channel(ch, said)
	}
	for _, s := range r.dev.shutters {
		r.shutter(s, said)
	}
	if n, ok := number(said["FanSpeed"]); ok && n >= 0 && n <= 3 {
		r.add("fan_speed", hearth.NumberOf(fanPercent(n)))
	}
	if wifi, ok := said["Wifi"].(map[string]any); ok {
		if n, ok := number(wifi["Signal"]); ok {
			r.add("rssi", hearth.NumberOf(n))
		}
	}
	if n, ok := number(said["UptimeSec"]); ok {
		r.add("uptime", hearth.NumberOf(n))
	}
	if n, ok := number(said["BatteryPercentage"]); ok {
		r.add("battery", hearth.NumberOf(n))
	}
}

func (r *report) channel(ch channel, said map[string]any) {
	power, ok := said["POWER"+strconv.Itoa(ch.number)].(string)
	if !ok && ch.number == 1 {
		power, ok = said["POWER"].(string)
	}
	if ok {
		if on, known := r.dev.onOff(power); known {
			r.dev.lit[ch.on] = on
			r.add(ch.on, hearth.BoolOf(on))
		}
	}
	if n, ok := number(said[ch.dimmed]); ok && ch.brightness != "" {
		r.dev.brightness[ch.on] = n
		r.add(ch.brightness, hearth.NumberOf(n))
	}
	if n, ok := number(said["CT"]); ok && ch.temperature != "" {
		p, _ := r.dev.property(ch.temperature)
		if kelvin := dialect.Mired().In(n); p.Min != nil && kelvin > 0 {
			r.add(ch.temperature, hearth.NumberOf(min(max(kelvin, *p.Min), *p.Max)))
		}
	}
	if text, ok := said["HSBColor"].(string); ok && ch.hue != "" {
		parts := strings.Split(text, ",")
		if len(parts) != 3 {
			return
		}
		if hue, err := strconv.ParseFloat(parts[0], 64); err == nil {
			r.add(ch.hue, hearth.NumberOf(hue))
		}
		if saturation, err := strconv.ParseFloat(parts[1], 64); err == nil {
			r.add(ch.saturation, hearth.NumberOf(saturation))
		}
	}
}

func (r *report) shutter(s shutter, said map[string]any) {
	moved, ok := said["Shutter"+strconv.Itoa(s.number)].(map[string]any)
	if !ok {
		return
	}
	r.heard = append(r.heard, s.movement)
	if n, ok := number(moved["Position"]); ok {
		if s.inverted {
			n = 100 - n
		}
		r.add(s.position, hearth.NumberOf(n))
	}
	if n, ok := number(moved["Tilt"]); ok && s.tilt != "" {
		r.add(s.tilt, hearth.NumberOf((n-s.tiltLow)*100/(s.tiltHigh-s.tiltLow)))
	}
}

// acknowledge finds the commands that a RESULT answers and that are no state.
func (r *report) acknowledge(said map[string]any) {
	for _, s := range r.dev.shutters {
		has := func(name string) bool { _, ok := said[fmt.Sprintf("Shutter%s%d", name, s.number)]; return ok }
		if has("Open") || has("Close") || has("Stop") {
			r.heard = append(r.heard, s.movement)
		}
		if has("Position") {
			r.heard = append(r.heard, s.position)
		}
		if has("Tilt") {
			r.heard = append(r.heard, s.tilt)
		}
	}
	for _, ch := range r.dev.channels {
		for _, key := range []string{"HSBColor", "HSBColor1", "HSBColor2"} {
			if _, ok := said[key]; ok && ch.hue != "" {
				r.heard = append(r.heard, ch.hue, ch.saturation)
			}
		}
		if _, ok := said[ch.dimmer]; ok && ch.brightness != "" {
			r.heard = append(r.heard, ch.brightness)
		}
	}
}

// sense takes in sensors, and contacts beside them.
func (r *report) sense(said map[string]any) {
	if r.dev.remeasured(said) {
		r.dev.build()
		r.d.announce(r.dev)
	}
	if r.dev.grow(said) {
		r.d.announce(r.dev)
	}
	sums := map[string]float64{}
	for _, l := range leaves(said) {
		n, isNumber := l.value.(float64)
		if isNumber && l.index > 0 {
			sums[sumPath(l.path)] += n
		}
		s, ok := r.dev.sensors[l.path]
		if !ok {
			continue
		}
		if isNumber {
			r.add(s.property, hearth.NumberOf(s.conversion.In(n)))
		} else if text, ok := l.value.(string); ok {
			if on, known := r.dev.onOff(text); known {
				r.add(s.property, hearth.BoolOf(on))
			}
		}
	}
	for path, sum := range sums {
		if s, ok := r.dev.sensors[path]; ok {
			r.add(s.property, hearth.NumberOf(s.conversion.In(sum)))
		}
	}
	for key, in := range r.dev.inputs {
		if text, ok := said[key].(string); ok && in.state != "" {
			if on, known := r.dev.onOff(text); known {
				r.add(in.state, hearth.BoolOf(on))
			}
		}
	}
	for _, s := range r.dev.shutters {
		r.shutter(s, said)
	}
}

// press takes in what was done to buttons and switches. What is retained was done long ago.
func (r *report) press(said map[string]any) {
	for key, in := range r.dev.inputs {
		told, ok := said[key].(map[string]any)
		if !ok {
			continue
		}
		action, ok := told["Action"].(string)
		if !ok {
			continue
		}
		if on, known := r.dev.onOff(action); known && in.state != "" {
			r.add(in.state, hearth.BoolOf(on))
			continue
		}
		if in.press == "" || r.retained {
			continue
		}
		if name := pressName(action, in.swap); name != "" {
			r.add(in.press, hearth.TextOf(name))
		}
	}
}

// pressName is what an action is called in the house.
func pressName(action string, swap bool) string {
	names := map[string]string{
		"SINGLE": "single", "TOGGLE": "single", "DOUBLE": "double", "TRIPLE": "triple", "QUAD": "quadruple", "PENTA": "quintuple",
		"HOLD": "hold", "INC_DEC": "hold", "CLEAR": "release",
	}
	name := names[strings.ToUpper(action)]
	switch {
	case swap && name == "single":
		return "double"
	case swap && name == "double":
		return "single"
	}
	return name
}

// onOff reads a state's text, which a person may have changed.
func (dev *device) onOff(text string) (on, known bool) {
	switch text {
	case dev.cfg.States[1], "ON":
		return true, true
	case dev.cfg.States[0], "OFF":
		return false, true
	}
	return false, false
}

// number reads a number, which some commands answer as text.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		n, err := strconv.ParseFloat(v, 64)
		return n, err == nil && n-n == 0
	}
	return 0, false
}

// fanSpeed is the one of the fan's three speeds that is nearest; a little is not off.
func fanSpeed(percent float64) float64 {
	if percent <= 0 {
		return 0
	}
	return max(1, math.Round(percent*3/100))
}

// fanPercent is the share of the fan's three speeds.
func fanPercent(speed float64) float64 {
	switch {
	case speed <= 0:
		return 0
	case speed < 2:
		return 33
	case speed < 3:
		return 67
	}
	return 100
}
