package expose

import (
	"io/fs"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
)

// A specimen is one device of a kind.
type specimen struct {
	Description
	*quirks.Definition
}

func (s specimen) model() *Model { return New(s.Description, s.Definition) }

// menagerie is one device of every kind, and one with everything at once.
func menagerie(t testing.TB) []specimen {
	var everything []uint16
	for _, f := range families() {
		everything = append(everything, f.clusters...)
	}
	tuya := defined(t, "  tuya: {points: [{dp: 1, type: bool, property: \"on\", writable: true}, {dp: 2, type: value, property: temperature, scale: 0.1}, {dp: 3, type: string, property: note}]}\n")
	aqara := defined(t, "  aqara: [{tag: 1, property: battery_voltage, scale: 0.001}]\n  commands: [{cluster: on_off, command: \"on\", property: button, value: single}]\n")
	all := []specimen{
		{mains(endpoint(1, 0x0100, everything, 5, 6, 8, 0x102, 0x300, 0x501), endpoint(2, 0x0850, []uint16{0}, 6)), nil},
		{mains(endpoint(1, 0x0051, []uint16{0, 0xef00})), tuya},
		{battery(endpoint(1, 0, []uint16{0, 6})), aqara},
	}
	for _, d := range []Description{
		colorBulb(), whiteBulb(), dimmer(), meteringPlug(), threePhaseMeter(), climateSensor(), radiatorValve(), airConditioner(),
		remoteControl(), contactSensor(), blind(), frontDoor(), sirenDevice(), controller(),
	} {
		all = append(all, specimen{d, nil})
	}
	return all
}

// FuzzIncoming holds what home counts on: whatever a device sends, what is said is of a property that was announced, and a
// value that it can have.
func FuzzIncoming(f *testing.F) {
	for _, seed := range []struct {
		cluster uint16
		frame   string
	}{
		{0x0402, "18010a0000295908"}, {0x0300, "1801010800003002030000210080040000210040070000217201"}, {0x0500, "0901000100000100 00"},
		{0x0501, "01010003043132333400"}, {0xef00, "09010200010101000101030200 04000000d7"}, {0, "1c5f11010a01ff42070121bd0b641001"},
		{0x0101, "0901200002010004313233340000000000"}, {0x0008, "01010500 53"}, {0x0005, "057c110107 01010d00"}, {0x000c, "1801011c000042054c6576656c5500003900008 03f"},
	} {
		for i := range menagerie(f) {
			f.Add(byte(i), byte(1), seed.cluster, unhex(f, seed.frame))
		}
	}
	all := menagerie(f)
	f.Fuzz(func(t *testing.T, which, endpoint byte, cluster uint16, b []byte) {
		frame, err := zcl.ParseFrame(b)
		if err != nil {
			return
		}
		m := all[int(which)%len(all)].model()
		for range 2 { // the second time it may remember the first
			said := m.Incoming(Incoming{Endpoint: endpoint % 4, Cluster: cluster, Frame: frame, Now: time.Unix(1700000000, 0)})
			if said.Changed != nil {
				changed := New(*said.Changed, m.definition)
				if again := changed.Incoming(Incoming{Endpoint: endpoint % 4, Cluster: cluster, Frame: frame}); again.Changed != nil && told(again) != told(said) {
					t.Errorf("said %s, and %s when that was learnt", told(said), told(again))
				}
				m = changed
			}
			device := m.Device("radio:1")
			if err := device.Check(); err != nil {
				t.Error(err)
			}
			for _, v := range said.Values {
				p, ok := device.Property(v.Property)
				if !ok || p.WriteOnly || p.Accepts(v.Value) != nil || v.Value.IsZero() {
					t.Errorf("%s = %v was said, and the property is %+v", v.Property, v.Value, p)
				}
				if v.Clears != 0 && !v.Value.Bool() {
					t.Errorf("%s = %v is taken back", v.Property, v.Value)
				}
			}
			for _, r := range append(said.Replies[:len(said.Replies):len(said.Replies)], readRequests(said.Reads)...) {
				if _, err := zcl.ParseFrame(r.Frame.Append(nil)); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

func readRequests(reads []Read) (requests []Request) {
	for _, r := range reads {
		requests = append(requests, r.request())
	}
	return requests
}

// FuzzOutgoing has every device asked for anything that it says it takes: it is carried out, or refused with a reason.
func FuzzOutgoing(f *testing.F) {
	all := menagerie(f)
	for i := range all {
		f.Add(byte(i), uint64(1), 0.5)
		f.Add(byte(i), uint64(0xffff), 1.0)
	}
	f.Fuzz(func(t *testing.T, of byte, which uint64, share float64) {
		if !(share >= 0 && share <= 1) {
			return
		}
		m, set := all[int(of)%len(all)].model(), map[string]hearth.Value{}
		for i, p := range m.Device("radio:1").Properties {
			if p.Writable && which>>(i%64)&1 != 0 {
				set[p.Name] = anyOf(p, share)
			}
		}
		requests, err := m.Outgoing(set, func(string) (hearth.Value, bool) { return hearth.Value{}, false })
		if err != nil && hearth.ErrorOf(err).Code != hearth.CodeBadValue {
			t.Errorf("%v: %v", set, err)
		}
		for _, r := range requests {
			if back, err := zcl.ParseFrame(r.Frame.Append(nil)); err != nil || back.Command != r.Frame.Command || r.Endpoint == 0 {
				t.Errorf("%v: %+v", set, r)
			}
		}
	})
}

func anyOf(p hearth.Property, share float64) hearth.Value {
	switch {
	case p.Kind == hearth.Bool:
		return hearth.BoolOf(share > 0.5)
	case p.Kind == hearth.Text && len(p.Options) > 0:
		return hearth.TextOf(p.Options[int(share*float64(len(p.Options)-1))])
	case p.Kind == hearth.Text:
		return hearth.TextOf("text")
	case p.Min != nil && p.Max != nil:
		return hearth.NumberOf(*p.Min + share*(*p.Max-*p.Min))
	}
	return hearth.NumberOf(share)
}

// Every definition that comes with the program makes a device that can be announced, whatever endpoints it is put on.
func TestBuiltInDefinitions(t *testing.T) {
	files, err := fs.Glob(quirks.BuiltIn(), "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		text, err := fs.ReadFile(quirks.BuiltIn(), file)
		if err != nil {
			t.Fatal(err)
		}
		all, _ := quirks.Parse(file, text) // what is wrong with a file its own test says
		for _, d := range all {
			seen++
			for _, of := range []Description{{}, colorBulb(), climateSensor(), mains(endpoint(1, 0x0051, []uint16{0, 1, 6, 0xef00, 0x500}), endpoint(2, 0, []uint16{6}))} {
				m := New(of, d)
				if err := m.Device("radio:1").Check(); err != nil {
					t.Errorf("%s %s: %v", file, d.Name(), err)
				}
				for _, p := range m.Device("radio:1").Properties {
					if p.Writable && p.Kind == hearth.Bool {
						if _, err := m.Outgoing(map[string]hearth.Value{p.Name: hearth.BoolOf(true)}, nil); err != nil && hearth.ErrorOf(err).Code != hearth.CodeBadValue {
							t.Errorf("%s %s: %s: %v", file, d.Name(), p.Name, err)
						}
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("there are none")
	}
}

func BenchmarkIncoming(b *testing.B) {
	for _, bench := range []struct {
		name    string
		of      Description
		cluster uint16
		frame   string
	}{
		{"temperature", climateSensor(), 0x0402, "18 01 0a 0000 29 5908"},
		{"plug", meteringPlug(), 0x0b04, "18 01 0a 0b05 29 7b00 0505 21 0309 0805 21 9600"},
		{"colour", colorBulb(), 0x0300, "18 01 01 0800 00 30 01 0300 00 21 0080 0400 00 21 0040"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			m := New(bench.of, nil)
			in := Incoming{Endpoint: 1, Cluster: bench.cluster, Frame: parsed(b, bench.frame)}
			b.ReportAllocs()
			for b.Loop() {
				if said := m.Incoming(in); len(said.Values) == 0 {
					b.Fatal("nothing was said")
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New(colorBulb(), nil)
	}
}
