package dialect

import (
	"strings"
	"unicode/utf8"

	"hearth"
)

// CheckTopic says why nothing can be published to topic: one that holds a wildcard would be a filter.
func CheckTopic(topic string) error {
	if !sound(topic) || strings.ContainsAny(topic, "#+") {
		return hearth.Errorf(hearth.CodeBadValue, "%q is no topic to publish to", Clip(topic, 80))
	}
	return nil
}

// CheckFilter says why filter cannot be subscribed to. One that names nothing, as # does, would bring everything that
// anybody says, and is refused as well.
func CheckFilter(filter string) error {
	bad := !sound(filter)
	named := false
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		switch {
		case level == "#":
			bad = bad || i < len(levels)-1
		case level == "+":
		case strings.ContainsAny(level, "#+"):
			bad = true
		default:
			named = named || level != ""
		}
	}
	if bad || !named {
		return hearth.Errorf(hearth.CodeBadValue, "%q is no filter to subscribe to", Clip(filter, 80))
	}
	return nil
}

func sound(topic string) bool {
	return topic != "" && len(topic) <= MaxTopic && topic[0] != '$' && utf8.ValidString(topic) && strings.IndexByte(topic, 0) < 0
}
