package dialect

import (
	"slices"
	"strings"
)

// Presses, as every driver of the house calls them.
const (
	single  = "single"
	double  = "double"
	triple  = "triple"
	hold    = "hold"
	release = "release"
)

// OwnButton is the name of a device's only button, and of what has no button: a shake, a turn.
const OwnButton = "button"

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

// Press takes an action apart, which is how Zigbee2MQTT writes a button and what was done to it in one: arrow_left_hold
// is hold of button_left, 2_double is double of button_2, and on is single of button_on. An action without a press and
// without a known button is one of its own: shake.
func Press(action string) (button, press string) {
	action = PropertyName(action)
	if action == "" {
		return "", ""
	}
	var rest []string
	for _, w := range strings.Split(strings.TrimPrefix(action, "p_"), "_") {
		switch g := gestureOf(w); {
		case g == "":
			rest = append(rest, w)
		case press == "" || g == release || press == single:
			press = g
		}
	}
	button = buttonName(rest)
	switch {
	case press == "" && isButton(rest):
		return button, single
	case press == "":
		return OwnButton, action
	}
	return button, press
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
		return OwnButton // whichever was held is let go
	}
	if len(kept) == 0 || len(kept) == 1 && kept[0] == "toggle" {
		return OwnButton
	}
	return PropertyName(OwnButton + "_" + strings.Join(kept, "_"))
}
