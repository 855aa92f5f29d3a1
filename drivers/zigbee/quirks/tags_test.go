package quirks

import (
	"bytes"
	"testing"

	"hearth"
	"hearth/drivers/zigbee/zcl"
)

func TestTags(t *testing.T) {
	// The head of what a temperature sensor tells: battery, signal, temperature, humidity, pressure.
	const told = "0121 bd0b 0421 a843 0624 0100000000 6429 6608 6521 6712 662b dc8b0100"
	b := unhex(t, told)
	tags, err := ParseTags(b)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		tag uint8
		n   float64
	}{{1, 3005}, {4, 17320}, {6, 1}, {100, 2150}, {101, 4711}, {102, 101340}}
	if len(tags) != len(want) {
		t.Fatalf("read %v", tags)
	}
	for i, w := range want {
		if n, ok := tags[i].Value.Number(); tags[i].Tag != w.tag || !ok || n != w.n {
			t.Errorf("tag %d is %v, want %d: %v", i, tags[i], w.tag, w.n)
		}
	}
	if written := AppendTags(nil, tags...); !bytes.Equal(written, b) {
		t.Errorf("written %x, want %x", written, b)
	}
}

func TestBrokenTags(t *testing.T) {
	for broken, read := range map[string]int{"": 0, "01": 0, "0121": 0, "0121bd": 0, "0121bd0b03": 1, "0121bd0b0328": 1, "01ff00": 0, "014205": 0} {
		tags, err := ParseTags(unhex(t, broken))
		if (err == nil) != (broken == "") || len(tags) != read {
			t.Errorf("%q reads as %v, %v, want %d tags", broken, tags, err, read)
		}
	}
}

func TestTagged(t *testing.T) {
	inside := unhex(t, "0121bd0b")
	list := zcl.StructOf(zcl.BoolOf(true), zcl.UintOf(zcl.Uint16, 2950))
	tests := []struct {
		cluster, attribute uint16
		value              zcl.Value
		tags               int
		list               bool
	}{
		{zcl.ClusterBasic, AttrAqaraBasicTags, zcl.TextOf(string(inside)), 1, false},
		{zcl.ClusterAqara, AttrAqaraTags, zcl.BytesOf(inside), 1, false},
		{zcl.ClusterBasic, AttrAqaraBasicList, list, 2, true},
		{zcl.ClusterBasic, AttrAqaraTags, zcl.BytesOf(inside), 0, false},
		{zcl.ClusterOnOff, AttrAqaraBasicTags, zcl.TextOf(string(inside)), 0, false},
		{zcl.ClusterBasic, AttrAqaraBasicTags, zcl.UintOf(zcl.Uint8, 1), 0, false},
	}
	for _, test := range tests {
		tags, isList := Tagged(test.cluster, test.attribute, test.value)
		if len(tags) != test.tags || isList != test.list {
			t.Errorf("%04x/%04x: %v, %v", test.cluster, test.attribute, tags, isList)
		}
	}
}

func TestTagMeanings(t *testing.T) {
	definitions, err := Parse("test.yaml", []byte(`
- match: {model: test}
  vendor: A
  model: B
  aqara:
    - {tag: 1, property: battery_voltage, scale: 0.001}
    - {tag: 1, property: battery, curve: [[2850, 0], [3000, 100]]}
    - {tag: 0, list: true, property: open}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]hearth.Value{}
	say := func(tag *Tag, v hearth.Value) { got[tag.Property] = v }
	definitions[0].TagMeanings(zcl.ClusterBasic, AttrAqaraBasicTags, zcl.TextOf("\x01\x21\x6d\x0b"), say)
	definitions[0].TagMeanings(zcl.ClusterBasic, AttrAqaraBasicList, zcl.StructOf(zcl.BoolOf(true)), say)
	want := map[string]hearth.Value{"battery_voltage": hearth.NumberOf(2.925), "battery": hearth.NumberOf(50), "open": hearth.BoolOf(true)}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s is %v, want %v", name, got[name], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("said %v", got)
	}
}

func FuzzTags(f *testing.F) {
	for _, seed := range []string{"", "0121bd0b", "0121bd0b0328160542024142", "644c02002001100a", "0142ff00"} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tags, err := ParseTags(b)
		written := AppendTags(nil, tags...)
		same, again := ParseTags(written)
		if again != nil || len(same) != len(tags) {
			t.Fatalf("%x reads as %v, %v; written %x, which reads as %v, %v", b, tags, err, written, same, again)
		}
		if twice := AppendTags(nil, same...); !bytes.Equal(twice, written) {
			t.Fatalf("%x is written as %x, then as %x", b, written, twice)
		}
	})
}
