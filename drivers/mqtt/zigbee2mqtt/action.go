package zigbee2mqtt

import (
	"slices"
	"strings"

	"hearth"
	"hearth/drivers/mqtt/dialect"
)

// buttons is what a device can say by its actions.
type buttons struct {
	properties []hearth.Property
	afterPress bool // a short press is said twice: when it begins and when it ends. The end counts
	events     bool // its actions are no presses but what happens to a lock
}

const afterPress = "_press_release" // how an action ends that says the end of a short press

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
		b.afterPress = b.afterPress || strings.HasSuffix(action, afterPress)
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

// parse takes an action apart, as dialect.Press does.
func (b *buttons) parse(action string) (name, press string) {
	if b.events {
		return "action", dialect.PropertyName(action)
	}
	if stem, ok := strings.CutSuffix(action, afterPress); b.afterPress && ok {
		return dialect.Press(stem + "_press")
	}
	if b.afterPress && strings.HasSuffix(action, "_press") {
		return "", ""
	}
	return dialect.Press(action)
}
