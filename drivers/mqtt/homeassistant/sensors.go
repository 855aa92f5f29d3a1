package homeassistant

import (
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// buildSensor makes a quantity with a word of the house, a number or a text with its own name.
func buildSensor(b *builder) {
	b.kind = "sensor"
	b.expire = seconds(b.number("expire_after", 0))
	class := b.text("device_class")
	if class == "timestamp" && slices.Equal(b.label, []string{"last", "seen"}) {
		return // the house knows when it heard from a device
	}
	p, convert, known := measure(b.config, b.label)
	if known && p.Kind == hearth.Number {
		b.add(p, b.hear("state_topic", "value_template", readNumber(convert)))
		if class == "energy" || class == "gas" || class == "water" {
			b.kind = "meter"
		}
		return
	}
	unit := b.text("unit_of_measurement")
	numeric := unit != "" || b.has("state_class") || b.has("suggested_display_precision") || class != "" && !slices.Contains([]string{"enum", "timestamp", "date"}, class)
	if !numeric && class == "" {
		t, ok := b.template("value_template")
		numeric = ok && t.numeric()
		b.unsupported = nil // it is noted below, where it matters
	}
	if numeric {
		p, convert, _ := dialect.Measured(b.own(hearth.Number), unit)
		b.add(p, b.hear("state_topic", "value_template", readNumber(convert)))
		return
	}
	p = b.own(hearth.Text)
	p.Options = b.options("options")
	b.add(p, b.hear("state_topic", "value_template", readChoice(p.Options)))
}

const maxOptions = 256

// options are the texts that a property may have, each once.
func (b *builder) options(key string) []string {
	var out []string
	for _, option := range b.texts(key) {
		if option != "" && len(option) <= hearth.MaxText && len(out) < maxOptions && !slices.Contains(out, option) {
			out = append(out, option)
		}
	}
	return out
}

func seconds(n float64) time.Duration {
	if n <= 0 || n > 366*86400 {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// alarms are the device classes of binary sensors that the house has a word for; on is true in all of them.
var alarms = map[string]string{
	"door": "open", "window": "open", "garage_door": "open", "opening": "open", "motion": "occupancy", "occupancy": "occupancy", "presence": "presence",
	"moisture": "water_leak", "smoke": "smoke", "carbon_monoxide": "carbon_monoxide_alarm", "gas": "gas_alarm", "tamper": "tamper",
	"vibration": "vibration", "sound": "sound_alarm", "battery": "battery_low",
}

func buildBinarySensor(b *builder) {
	b.kind = "sensor"
	b.expire = seconds(b.number("expire_after", 0))
	b.offDelay = seconds(b.number("off_delay", 0))
	on, off := b.or("payload_on", "ON"), b.or("payload_off", "OFF")
	class := b.text("device_class")
	if class == "lock" { // on is open
		p := word("lock", false)
		b.add(p, b.hear("state_topic", "value_template", readOption(map[string]string{on: "unlocked", off: "locked"})))
		return
	}
	p := b.own(hearth.Bool)
	if name, ok := alarms[class]; ok {
		p = word(name, false)
	} else if known, ok := hearth.Word(p.Name); ok && known.Kind == hearth.Bool && known.Name != "reachable" {
		p = known
	}
	b.add(p, b.hear("state_topic", "value_template", readBool(on, off)))
}

// buildSwitch makes "on", or a setting with its own name.
func buildSwitch(b *builder) {
	b.kind = "switch"
	if b.text("device_class") == "outlet" {
		b.kind = "outlet"
	}
	if b.platform == "siren" {
		b.kind = "siren"
	}
	p := word("on", true)
	if b.setting() || b.aside() {
		p, b.main = b.own(hearth.Bool), false
	}
	on, off := b.or("payload_on", "ON"), b.or("payload_off", "OFF")
	template := "value_template"
	if b.platform == "siren" {
		template = "state_value_template"
	}
	b.switched(p, "command_topic", "state_topic", template, [2]string{on, off}, [2]string{b.or("state_on", on), b.or("state_off", off)})
}

// switched adds a bool with its two payloads for commands and for states.
func (b *builder) switched(p hearth.Property, command, state, template string, say, heard [2]string) {
	to := b.send(command, "command_template", "state", "tone", "volume_level", "duration")
	off := to
	if b.has("command_off_template") {
		off = b.send(command, "command_off_template", "state")
	}
	if off == nil {
		to = nil // nobody starts what cannot be stopped
	}
	p.Writable = to != nil
	hearings := b.hear(state, template, readBool(heard[0], heard[1]))
	if b.platform == "siren" && len(hearings) > 0 && hearings[0].template == nil {
		hearings[0].read = orField("state", hearings[0].read)
	}
	b.add(p, hearings)
	if to == nil {
		return
	}
	siren := b.platform == "siren"
	b.command = func(set wish) ([]publication, error) {
		payload, way := say[1], off
		if on, _ := set.bool(p.Name); on {
			payload, way = say[0], to
		}
		var value any = payload
		if siren && way.template == nil {
			value = map[string]any{"state": payload}
		}
		out, err := way.say(value, map[string]any{"state": payload})
		return []publication{out}, err
	}
}

// orField reads a payload, or if it is an object the field of it.
func orField(key string, read func(any, *scope) hearth.Value) func(any, *scope) hearth.Value {
	return func(v any, s *scope) hearth.Value {
		if m, ok := s.json.(map[string]any); ok {
			v = m[key]
		}
		return read(v, s)
	}
}

func buildNumber(b *builder) {
	b.kind = "other"
	p, convert := b.setpoint()
	low, high := convert.In(b.number("min", 1)), convert.In(b.number("max", 100))
	if low < high {
		p = p.Within(low, high)
	}
	to := b.send("command_topic", "command_template")
	p.Writable = to != nil
	b.add(p, b.hear("state_topic", "value_template", readNumber(convert)))
	if to == nil {
		return
	}
	b.command = func(set wish) ([]publication, error) {
		n, _ := set.number(p.Name)
		out, err := to.say(plain(convert.Out(n)), nil)
		return []publication{out}, err
	}
}

// setpoint is a number that can be set: under its own name, in the house's unit where its quantity is known.
func (b *builder) setpoint() (hearth.Property, dialect.Conversion) {
	own := b.own(hearth.Number)
	p, convert, known := measure(b.config, b.label)
	if !known {
		own, convert, _ = dialect.Measured(own, b.text("unit_of_measurement"))
		return own, convert
	}
	p.Name = own.Name
	return p, convert
}

// aside reports whether a switch is one part of its device, and not what it is for: its state is a field that has its
// own name, as in value_json.permit_join.
func (b *builder) aside() bool {
	name := strings.Join(b.label, "_")
	if b.platform != "switch" || slices.Contains([]string{"on", "state", "switch", "relay", "power", "output", "outlet", "socket", "plug"}, b.label[0]) {
		return false
	}
	template := strings.ReplaceAll(b.text("value_template"), "'", `"`)
	return strings.Contains(template, `value_json["`+name+`"]`) || strings.Contains(template, "value_json."+name+" ") || strings.Contains(template, "value_json."+name+"}")
}

// buildText makes a text or a choice.
func buildText(b *builder) {
	b.kind = "other"
	p := b.own(hearth.Text)
	if b.platform == "select" {
		p.Options = b.options("options")
	}
	to := b.send("command_topic", "command_template")
	p.Writable = to != nil
	b.add(p, b.hear("state_topic", "value_template", readChoice(p.Options)))
	if to == nil {
		return
	}
	b.command = func(set wish) ([]publication, error) {
		text, _ := set.text(p.Name)
		out, err := to.say(text, nil)
		return []publication{out}, err
	}
}

// buildButton makes something that can be pressed from here: a button or a scene.
func buildButton(b *builder) {
	b.kind = "other"
	payload := b.or("payload_press", "PRESS")
	if b.platform == "scene" {
		payload = b.or("payload_on", "ON")
	}
	p := b.own(hearth.Bool)
	if b.text("device_class") == "identify" {
		p = word("identify", true)
	}
	p.WriteOnly = true
	to := b.send("command_topic", "command_template")
	if p.Writable = to != nil; to == nil {
		return
	}
	b.add(p, nil)
	b.command = func(set wish) ([]publication, error) {
		if pressed, _ := set.bool(p.Name); !pressed {
			return nil, hearth.Errorf(hearth.CodeBadValue, "%s is pressed by setting it to true, and cannot be set to anything else", p.Name)
		}
		out, err := to.say(payload, nil)
		return []publication{out}, err
	}
}

// presses are the words of the house for what bridges call the ways to press a button.
var presses = map[string]string{
	"single": "single", "press": "single", "pressed": "single", "short_press": "single", "button_short_press": "single", "click": "single", "single_click": "single",
	"short": "single", "single_press": "single", "1_click": "single", "initial_press": "single", "tap": "single", "keypressed": "single",
	"double": "double", "double_press": "double", "button_double_press": "double", "double_click": "double", "multi_press_2": "double", "keypressed2x": "double",
	"triple": "triple", "triple_press": "triple", "button_triple_press": "triple", "triple_click": "triple", "multi_press_3": "triple", "keypressed3x": "triple",
	"hold": "hold", "long": "hold", "long_press": "hold", "button_long_press": "hold", "long_click": "hold", "keyhelddown": "hold",
	"release": "release", "long_release": "release", "button_long_release": "release", "button_short_release": "release", "released": "release", "short_release": "release", "keyreleased": "release",
}

// press is the house's word for a press, or the bridge's own.
func press(said string) string {
	if w, ok := presses[strings.ToLower(said)]; ok {
		return w
	}
	return said
}

// buildEvent makes something that happens: it has no state, and a retained message is none.
func buildEvent(b *builder) {
	b.kind = "button"
	types := b.options("event_types")
	p := b.own(hearth.Text)
	read := func(said string) string { return said }
	if class := b.text("device_class"); class == "button" || class == "doorbell" || slices.Contains(b.label, "action") || slices.Contains(b.label, "button") {
		p, read = word("button", false), press
	}
	p.Momentary = true
	p.Options = nil
	for _, t := range types {
		if w := read(t); !slices.Contains(p.Options, w) {
			p.Options = append(p.Options, w)
		}
	}
	b.add(p, b.hear("state_topic", "value_template", func(v any, s *scope) hearth.Value {
		m, ok := v.(map[string]any)
		if text, isText := v.(string); isText {
			m, ok = parseJSON([]byte(text)).(map[string]any)
		}
		said, isText := m["event_type"].(string)
		if !ok || !isText || !slices.Contains(types, said) {
			return hearth.Value{}
		}
		return hearth.TextOf(read(said))
	}))
}

// buildTrigger makes a button of a device_automation: many of them are one property of the device.
func buildTrigger(b *builder) {
	b.kind = "button"
	if b.or("automation_type", "trigger") != "trigger" {
		return
	}
	kind, subtype, payload := b.text("type"), b.text("subtype"), b.text("payload")
	name, way := dialect.OwnButton, press(kind)
	if _, known := presses[strings.ToLower(kind)]; !known {
		name, way = action(subtype)
	} else if subtype != "" && subtype != dialect.OwnButton {
		name = propertyName("button_"+strings.TrimPrefix(propertyName(subtype, "x"), "button_"), dialect.OwnButton)
	}
	if way == "" {
		return
	}
	p := word("button", false)
	p.Name, p.Options, p.Momentary = name, []string{way}, true
	b.points = append(b.points, &point{Property: p, shared: true, hearings: b.hear("topic", "value_template", func(v any, _ *scope) hearth.Value {
		if payload != "" && !matches(v, payload) {
			return hearth.Value{}
		}
		return hearth.TextOf(way)
	})})
}

// action takes apart what says both the button and the press, or what happened to a lock, which nobody pressed.
func action(said string) (name, way string) {
	if w, known := presses[strings.ToLower(said)]; known {
		return dialect.OwnButton, w
	}
	all := words(said)
	if len(all) > 0 && slices.Contains([]string{"lock", "unlock"}, all[len(all)-1]) {
		return "action", strings.Join(all, "_")
	}
	return dialect.Press(said)
}
