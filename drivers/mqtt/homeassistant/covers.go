package homeassistant

import (
	"math"
	"slices"
	"strings"

	"hearth"
)

// A span is a range of the bridge's own numbers that stands for 0 to 100 percent here.
type span struct{ closed, open float64 }

func (s span) read(v any, _ *scope) hearth.Value {
	n, ok := numberOf(v)
	if !ok || s.open == s.closed {
		return hearth.Value{}
	}
	return hearth.NumberOf(math.Min(100, math.Max(0, math.Round((n-s.closed)/(s.open-s.closed)*1000)/10)))
}

func (s span) out(percent float64) any {
	return plain(math.Round(s.closed + percent/100*(s.open-s.closed)))
}

// buildCover makes position, tilt, movement; and open where the cover knows no position.
func buildCover(b *builder) {
	b.kind = "cover"
	reach := span{b.number("position_closed", 0), b.number("position_open", 100)}
	slant := span{b.number("tilt_min", 0), b.number("tilt_max", 100)}
	move := b.send("command_topic", "command_template")
	place := b.send("set_position_topic", "set_position_template", "position", "position_open", "position_closed")
	tilt := b.send("tilt_command_topic", "tilt_command_template", "tilt_position", "tilt_min", "tilt_max")
	positions := b.hear("position_topic", "position_template", orNumber("position", reach.read))
	if len(positions) > 0 || place != nil {
		b.add(word("position", place != nil), positions)
	}
	if len(positions) == 0 {
		states := map[string]bool{b.or("state_open", "open"): true, b.or("state_closed", "closed"): false, b.or("state_opening", "opening"): true}
		b.add(word("open", false), b.hear("state_topic", "value_template", func(v any, _ *scope) hearth.Value {
			for said, open := range states {
				if matches(v, said) {
					return hearth.BoolOf(open)
				}
			}
			return hearth.Value{}
		}))
	}
	if tilt != nil || b.has("tilt_status_topic") {
		b.add(word("tilt", tilt != nil), b.hear("tilt_status_topic", "tilt_status_template", slant.read))
	}
	ways := b.movements()
	if move != nil && len(ways) > 0 {
		p := word("movement", true)
		p.Options = p.Options[:0:0]
		for _, way := range []string{"open", "close", "stop"} {
			if _, ok := ways[way]; ok {
				p.Options = append(p.Options, way)
			}
		}
		b.add(p, nil)
	}
	if move == nil && place == nil && tilt == nil {
		return
	}
	b.command = func(set wish) ([]publication, error) {
		var all sending
		if way, ok := set.text("movement"); ok && move != nil {
			all.say(move, ways[way], nil)
		}
		if percent, ok := set.number("position"); ok && place != nil {
			value := reach.out(percent)
			all.say(place, value, map[string]any{"position": value, "position_open": plain(reach.open), "position_closed": plain(reach.closed)})
		}
		if percent, ok := set.number("tilt"); ok && tilt != nil {
			value := slant.out(percent)
			all.say(tilt, value, map[string]any{"tilt_position": value, "tilt_min": plain(slant.closed), "tilt_max": plain(slant.open)})
		}
		return all.publications, all.err
	}
}

// movements are the payloads for each way; one that is announced as null there is not.
func (b *builder) movements() map[string]string {
	ways := map[string]string{}
	for way, key := range map[string]string{"open": "payload_open", "close": "payload_close", "stop": "payload_stop"} {
		if v, announced := b.config[key]; announced && v == nil {
			continue
		}
		ways[way] = b.or(key, strings.ToUpper(way))
	}
	return ways
}

// orNumber reads a number, or the field of an object, as Zigbee bridges send it.
func orNumber(key string, read func(any, *scope) hearth.Value) func(any, *scope) hearth.Value {
	return func(v any, s *scope) hearth.Value {
		m, ok := v.(map[string]any)
		if text, isText := v.(string); isText && !ok {
			m, ok = parseJSON([]byte(text)).(map[string]any)
		}
		if ok {
			v = m[key]
		}
		return read(v, s)
	}
}

// sending collects publications up to the first that fails.
type sending struct {
	publications []publication
	err          error
}

func (all *sending) say(to *sender, value any, names map[string]any) {
	if all.err != nil || to == nil {
		return
	}
	out, err := to.say(value, names)
	all.err = err
	all.publications = append(all.publications, out)
}

// buildValve makes position, or on where the valve is open or shut.
func buildValve(b *builder) {
	b.kind = "valve"
	to := b.send("command_topic", "command_template")
	if b.bool("reports_position") {
		reach := span{b.number("position_closed", 0), b.number("position_open", 100)}
		b.add(word("position", to != nil), b.hear("state_topic", "value_template", orNumber("position", reach.read)))
		if to != nil {
			b.command = func(set wish) ([]publication, error) {
				percent, _ := set.number("position")
				out, err := to.say(reach.out(percent), nil)
				return []publication{out}, err
			}
		}
		return
	}
	b.switched(word("on", true), "command_topic", "state_topic", "value_template",
		[2]string{b.or("payload_open", "OPEN"), b.or("payload_close", "CLOSE")},
		[2]string{b.or("state_open", "open"), b.or("state_closed", "closed")})
	b.placed()
}

// placed adds the position of a valve that says it beside its state, as ESPHome's does. To be told a position is to be
// told whether it is open.
func (b *builder) placed() {
	percent := span{0, 100}
	place := b.send("set_position_topic", "set_position_template", "position")
	b.add(word("position", place != nil), b.hear("position_topic", "position_template", orNumber("position", percent.read)))
	turn := b.command
	if place == nil {
		return
	}
	b.command = func(set wish) ([]publication, error) {
		if at, ok := set.number("position"); ok {
			out, err := place.say(percent.out(at), map[string]any{"position": percent.out(at)})
			return []publication{out}, err
		}
		if turn == nil {
			return nil, nil
		}
		return turn(set)
	}
}

func buildLock(b *builder) {
	b.kind = "lock"
	to := b.send("command_topic", "command_template", "code")
	said := map[string]string{
		b.or("state_locked", "LOCKED"): "locked", b.or("state_unlocked", "UNLOCKED"): "unlocked", b.or("state_jammed", "JAMMED"): "jammed",
	}
	b.add(word("lock", to != nil), b.hear("state_topic", "value_template", readOption(said)))
	if to == nil {
		return
	}
	payloads := map[string]string{"locked": b.or("payload_lock", "LOCK"), "unlocked": b.or("payload_unlock", "UNLOCK")}
	b.command = func(set wish) ([]publication, error) {
		state, _ := set.text("lock")
		payload, ok := payloads[state]
		if !ok {
			return nil, hearth.Errorf(hearth.CodeBadValue, "a lock can be set to locked or unlocked, not to %s", state)
		}
		out, err := to.say(payload, map[string]any{"code": ""})
		return []publication{out}, err
	}
}

// buildFan makes on, fan_speed, and what else the fan has.
func buildFan(b *builder) {
	b.kind = "fan"
	on, off := b.or("payload_on", "ON"), b.or("payload_off", "OFF")
	power := b.send("command_topic", "command_template")
	b.add(word("on", power != nil), b.hear("state_topic", "state_value_template", readBool(on, off)))
	speed := span{b.number("speed_range_min", 1) - 1, b.number("speed_range_max", 100)}
	pace := b.send("percentage_command_topic", "percentage_command_template")
	b.add(word("fan_speed", pace != nil), b.hear("percentage_state_topic", "percentage_value_template", speed.read))
	preset := b.send("preset_mode_command_topic", "preset_mode_command_template")
	modes := hearth.Property{Name: "preset_mode", Kind: hearth.Text, Options: b.options("preset_modes"), Writable: preset != nil}
	b.add(modes, b.hear("preset_mode_state_topic", "preset_mode_value_template", readChoice(modes.Options)))
	swing := b.send("oscillation_command_topic", "oscillation_command_template")
	swings := [2]string{b.or("payload_oscillation_on", "oscillate_on"), b.or("payload_oscillation_off", "oscillate_off")}
	b.add(hearth.Property{Name: "oscillation", Kind: hearth.Bool, Writable: swing != nil}, b.hear("oscillation_state_topic", "oscillation_value_template", readBool(swings[0], swings[1])))
	turn := b.send("direction_command_topic", "direction_command_template")
	b.add(hearth.Property{Name: "direction", Kind: hearth.Text, Options: []string{"forward", "reverse"}, Writable: turn != nil}, b.hear("direction_state_topic", "direction_value_template", readText))
	if !slices.ContainsFunc(b.points, func(p *point) bool { return p.Writable }) {
		return
	}
	b.command = func(set wish) ([]publication, error) {
		var all sending
		if v, ok := set.bool("on"); ok {
			all.say(power, either(v, on, off), nil)
		}
		if percent, ok := set.number("fan_speed"); ok {
			all.say(pace, plain(math.Ceil(speed.closed+percent/100*(speed.open-speed.closed))), nil) // 1 % is not off
		}
		if mode, ok := set.text("preset_mode"); ok {
			all.say(preset, mode, nil)
		}
		if v, ok := set.bool("oscillation"); ok {
			all.say(swing, either(v, swings[0], swings[1]), nil)
		}
		if way, ok := set.text("direction"); ok {
			all.say(turn, way, nil)
		}
		return all.publications, all.err
	}
}

func either(v bool, yes, no string) string {
	if v {
		return yes
	}
	return no
}
