package dialect_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hearth/drivers/mqtt/dialect"
)

// TestTree has a tree agree with the plain rule about every filter and topic of a few levels.
func TestTree(t *testing.T) {
	levels := func(of ...string) (all []string) {
		for _, a := range of {
			all = append(all, a)
			for _, b := range of {
				all = append(all, a+"/"+b)
				for _, c := range of {
					all = append(all, a+"/"+b+"/"+c)
				}
			}
		}
		return all
	}
	valid := func(filter string) bool {
		at := strings.IndexByte(filter, '#')
		return at < 0 || at == len(filter)-1
	}
	filters := slices.DeleteFunc(levels("a", "b", "+", "#", "", "$s"), func(f string) bool { return !valid(f) })
	topics := levels("a", "b", "c", "", "$s")
	random := rand.New(rand.NewPCG(1, 2))
	var tree dialect.Tree[string]
	there := map[string]bool{}
	for range 400 {
		f := filters[random.IntN(len(filters))]
		if random.IntN(3) == 0 {
			tree.Delete(f)
			delete(there, f)
		} else {
			tree.Put(f, f)
			there[f] = true
		}
		topic := topics[random.IntN(len(topics))]
		var want []string
		for f := range there {
			if matches(f, topic) {
				want = append(want, f)
			}
		}
		slices.Sort(want)
		if got := slices.Sorted(tree.Match(topic)); !slices.Equal(got, want) {
			t.Fatalf("%q matches %q, want %q", topic, got, want)
		}
	}
	for f := range maps.Clone(there) {
		tree.Delete(f)
	}
	for _, topic := range topics {
		for f := range tree.Match(topic) {
			t.Errorf("%q still matches %q", topic, f)
		}
	}
}

// matches reports whether a message to topic is one that filter asks for (MQTT 3.1.1, section 4.7).
func matches(filter, topic string) bool {
	if topic != "" && topic[0] == '$' && (filter == "" || filter[0] != '$') {
		return false
	}
	for {
		level, rest, more := strings.Cut(filter, "/")
		if level == "#" {
			return true
		}
		said, others, longer := strings.Cut(topic, "/")
		if level != "+" && level != said {
			return false
		}
		if !more || !longer {
			return more == longer || more && rest == "#"
		}
		filter, topic = rest, others
	}
}

func BenchmarkTree(b *testing.B) {
	var tree dialect.Tree[int]
	for i := range 4000 {
		tree.Put("+/+/BTtoMQTT/"+strings.Repeat("0", i%7)+string(rune('a'+i%26))+strings.Repeat("1", i/26), i)
	}
	for b.Loop() {
		for range tree.Match("home/OMG/BTtoMQTT/0a1") {
		}
	}
}
