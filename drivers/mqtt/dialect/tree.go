package dialect

import (
	"iter"
	"strings"
)

// A Tree finds, of many filters, those that a topic matches, without looking at each (MQTT 3.1.1, section 4.7). The zero Tree
// is empty. It is not safe for several goroutines.
type Tree[V any] struct{ top branch[V] }

type branch[V any] struct {
	next  map[string]*branch[V]
	value V
	set   bool // a filter ends here
}

// Put takes in a filter and what it stands for.
func (t *Tree[V]) Put(filter string, v V) {
	at := &t.top
	for level := range strings.SplitSeq(filter, "/") {
		if at.next == nil {
			at.next = map[string]*branch[V]{}
		}
		if at.next[level] == nil {
			at.next[level] = &branch[V]{}
		}
		at = at.next[level]
	}
	at.value, at.set = v, true
}

// Delete takes a filter out.
func (t *Tree[V]) Delete(filter string) { t.top.remove(filter, true) }

// remove reports whether nothing is left of the branch. more: the filter goes on.
func (b *branch[V]) remove(filter string, more bool) (empty bool) {
	if !more {
		var none V
		b.value, b.set = none, false
	} else {
		level, rest, more := strings.Cut(filter, "/")
		if next := b.next[level]; next != nil && next.remove(rest, more) {
			delete(b.next, level)
		}
	}
	return !b.set && len(b.next) == 0
}

// Match gives what the filters stand for that topic matches.
func (t *Tree[V]) Match(topic string) iter.Seq[V] {
	return func(yield func(V) bool) { t.top.match(topic, true, topic != "" && topic[0] == '$', yield) }
}

// match reports whether to go on. Wildcards at the first level do not stand for what begins with $ (MQTT 3.1.1, 4.7.2).
func (b *branch[V]) match(topic string, more, system bool, yield func(V) bool) bool {
	if rest := b.next["#"]; rest != nil && !system && !yield(rest.value) { // of the level above as well
		return false
	}
	if !more {
		return !b.set || yield(b.value)
	}
	level, rest, more := strings.Cut(topic, "/")
	if any := b.next["+"]; any != nil && !system && !any.match(rest, more, false, yield) {
		return false
	}
	next := b.next[level]
	return next == nil || level == "+" || level == "#" || next.match(rest, more, false, yield)
}
