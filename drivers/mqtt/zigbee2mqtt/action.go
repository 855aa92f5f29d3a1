package zigbee2mqtt

import (
	"slices"
	"strings"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// Presses, as every driver of the house calls them.
const (
	single  = "single"
	double  = "double"
	triple  = "triple"
	hold    = "hold"
	release = "release"
)

// ownButton is the name of a device's only button, and of what has no button: a shake, a turn.
const ownButton = "button"

// buttons is what a device can say by its actions.
type buttons struct {
	properties []hearth.Property
	afterPress bool // a short press is said twice: when it begins and when it ends. The end counts
	events     bool // its actions are no presses but what happens to a lock
}

// gestureOf is the press that a word of an action means; "" if it means none.
func gestureOf(word string) string {
	switch word {
	case "single", "click", "press", "tap", "short", "step":
		return single
	case "double":
		return double
	case "triple", "tripple":
		return triple
	case "quadruple", "many", "quintuple":
		return word
	case "hold", "long", "move", "held":
		return hold
	case "release", "stop":
		return release
	}
	return ""
}

// newButtons reads the values of an action. Any may come later that is not among them.
func newButtons(values []any, events bool) *buttons {
	b := &buttons{events: events}
	var actions []string
	for _, v := range values {
		action, ok := v.(string)
		if !ok || action == "" || len(actions) >= maxOptions {
			continue
		}
		actions = append(actions, action)
		b.afterPress = b.afterPress || strings.HasSuffix(action, "_press_release")
	}
	for _, action := range actions {
		name, press := b.parse(action)
		b.learn(name, press)
	}
	return b
}

// learn adds a press to what is announced and reports whether it was new; false also if there is no room.
func (b *buttons) learn(name, press string) bool {
	if name == "" {
		return false
	}
	at := slices.IndexFunc(b.properties, func(p hearth.Property) bool { return p.Name == name })
	if at < 0 {
		if len(b.properties) >= maxOptions {
			return false
		}
		p, _ := hearth.Word(name)
		p.Name, p.Kind, p.Momentary, p.Options = name, hearth.Text, true, nil
		b.properties = append(b.properties, p)
		at = len(b.properties) - 1
	}
	p := &b.properties[at]
	if slices.Contains(p.Options, press) || len(p.Options) >= maxOptions {
		return false
	}
	p.Options = append(slices.Clone(p.Options), press)
	return true
}

// parse takes an action apart: arrow_left_hold is hold of button_left, 2_double is double of button_2, and on is single
// of button_on. An action without a press and without a known button is one of its own: shake.
func (b *buttons) parse(action string) (name, press string) {
	action = dialect.PropertyName(action)
	if b.events {
		return "action", action
	}
	words := strings.Split(strings.TrimPrefix(action, "p_"), "_")
	if b.afterPress && len(words) > 1 {
		switch {
		case strings.HasSuffix(action, "_press_release"):
			return buttonName(words[:len(words)-2]), single
		case words[len(words)-1] == "press":
			return "", ""
		}
	}
	var rest []string
	for _, w := range words {
		switch g := gestureOf(w); {
		case g == "":
			rest = append(rest, w)
		case press == "" || g == release || press == single:
			press = g
		}
	}
	name = buttonName(rest)
	switch {
	case press == "" && isButton(rest):
		return name, single
	case press == "":
		return ownButton, action
	}
	return name, press
}

// isButton reports whether words that come without a press are a button all the same.
func isButton(words []string) bool {
	last := words[len(words)-1]
	return strings.Trim(last, "0123456789") == "" ||
		slices.Contains([]string{"on", "off", "toggle", "up", "down", "left", "right", "open", "close", "disarm", "emergency", "panic", "button"}, last) ||
		words[0] == "recall" || words[0] == "arm"
}

// buttonName names a button by what is left of its action.
func buttonName(words []string) string {
	kept := slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		return slices.Contains([]string{"button", "arrow", "brightness", "recall", "scene", "to", "enhanced"}, w)
	})
	if len(words) == 1 && words[0] == "brightness" {
		return ownButton // whichever was held is let go
	}
	if len(kept) == 0 || len(kept) == 1 && kept[0] == "toggle" {
		return ownButton
	}
	return dialect.PropertyName(ownButton + "_" + strings.Join(kept, "_"))
}
