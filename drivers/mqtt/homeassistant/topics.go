package homeassistant

import (
	"errors"
	"strings"

	"hearth/drivers/mqtt/dialect"
)

// checkTopic says why nothing may be published there: no topic at all, or one of announcements.
func checkTopic(topic, prefix string) error {
	if _, discovery := parseTopic(topic, prefix); discovery {
		return errTopic
	}
	return dialect.CheckTopic(topic)
}

var errTopic = errors.New("announcements go there")

// A switchboard knows who listens to which topic.
type switchboard struct {
	exact   map[string]*line
	pattern map[string]*line
	tree    dialect.Tree[*line] // of the patterns
	kept    int                 // bytes of the last messages
}

// A line is one subscription and who listens to it.
type line struct {
	filter    string
	listeners []*listener
	last      *kept // for who begins to listen later
}

const (
	maxKept      = 16 << 10 // bytes of one last message
	maxKeptTotal = 16 << 20
	maxLines     = 30_000
	maxPatterns  = 4_000
)

func newSwitchboard() *switchboard {
	return &switchboard{exact: map[string]*line{}, pattern: map[string]*line{}}
}

// line returns the subscription, made if it is new; nil when there are too many.
func (b *switchboard) line(filter string) (l *line, fresh bool) {
	lines, most := b.exact, maxLines
	if strings.ContainsAny(filter, "#+") {
		lines, most = b.pattern, maxPatterns
	}
	if l := lines[filter]; l != nil {
		return l, false
	}
	if len(lines) >= most {
		return nil, false
	}
	l = &line{filter: filter}
	lines[filter] = l
	if most == maxPatterns {
		b.tree.Put(filter, l)
	}
	return l, true
}

// hang up what nobody listens to any more.
func (b *switchboard) remove(l *line) {
	if l.last != nil {
		b.kept -= len(l.last.payload)
	}
	delete(b.exact, l.filter)
	if b.pattern[l.filter] != nil {
		delete(b.pattern, l.filter)
		b.tree.Delete(l.filter)
	}
}

// each calls for every line that the topic belongs to.
func (b *switchboard) each(topic string, call func(*line)) {
	if l := b.exact[topic]; l != nil {
		call(l)
	}
	for l := range b.tree.Match(topic) {
		call(l)
	}
}

// keep remembers the line's last message, if there is room.
func (b *switchboard) keep(l *line, m *kept) {
	if l.last != nil {
		b.kept -= len(l.last.payload)
		l.last = nil
	}
	if len(m.payload) <= maxKept && b.kept+len(m.payload) <= maxKeptTotal {
		l.last = m
		b.kept += len(m.payload)
	}
}

// forget drops the last messages.
func (b *switchboard) forget() {
	for _, lines := range []map[string]*line{b.exact, b.pattern} {
		for _, l := range lines {
			l.last = nil
		}
	}
	b.kept = 0
}
