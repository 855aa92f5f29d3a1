package quirks

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"hearth/drivers/zigbee/zcl"
)

func folder(files map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for name, text := range files {
		fs[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fs
}

func everything(uint16) bool { return true }

func TestTakes(t *testing.T) {
	tests := []struct {
		pattern, text string
		takes         bool
	}{
		{"abc", "abc", true}, {"abc", "abcd", false}, {"*", "", true}, {"*", "x", true}, {"ab*", "ab", true}, {"ab*", "abc", true},
		{"ab*", "xab", false}, {"*bc", "abc", true}, {"*bc", "abcd", false}, {"a*c", "abbc", true}, {"a*c", "ac", true}, {"a*c", "a", false},
		{"a*b*c", "axxbyyc", true}, {"a*b*c", "axxc", false}, {"_tze20?_*", "_tze200_x", false}, {"", "", true}, {"", "x", false},
	}
	for _, test := range tests {
		if takes(test.pattern, test.text) != test.takes {
			t.Errorf("%q and %q: %v", test.pattern, test.text, !test.takes)
		}
	}
}

// TestTheClosestWins has definitions of all sorts, and which of them a device gets.
func TestTheClosestWins(t *testing.T) {
	l, err := Load(folder(map[string]string{"a.yaml": `
- {match: {vendor: "_TZ*", model: TS01}, vendor: A, model: vendor pattern}
- {match: {model: TS01}, vendor: A, model: model only}
- {match: {vendor: _TZ3_one, model: TS01}, vendor: A, model: both}
- {match: {vendor: _TZ3_one}, vendor: A, model: vendor only}
- {match: {vendor: "_TZ3_*", model: TS01}, vendor: A, model: longer pattern}
- {match: {model: "TS*"}, vendor: A, model: model pattern}
- {match: {model: TS02, clusters: tuya}, vendor: A, model: with cluster}
- {match: {model: TS02}, vendor: A, model: without}
- {match: [{vendor: X, model: one}, {vendor: [Y, Z], model: [two, three]}], vendor: A, model: alternatives}
`}))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ vendor, model, want string }{
		{"_TZ3_one", "TS01", "both"},
		{"_tz3_ONE ", " ts01", "both"},
		{"_TZ3_two", "TS01", "longer pattern"},
		{"_TZ4", "TS01", "vendor pattern"},
		{"other", "TS01", "model only"},
		{"_TZ3_one", "else", "vendor only"},
		{"other", "TS99", "model pattern"},
		{"other", "TS02", "with cluster"},
		{"X", "one", "alternatives"},
		{"Z", "two", "alternatives"},
		{"X", "two", ""},
		{"", "", ""},
	}
	for _, test := range tests {
		got := ""
		if d := l.Match(test.vendor, test.model, everything); d != nil {
			got = d.Model
		}
		if got != test.want {
			t.Errorf("%q %q gets %q, want %q", test.vendor, test.model, got, test.want)
		}
	}
	if d := l.Match("other", "TS02", func(cluster uint16) bool { return cluster != zcl.ClusterTuya }); d == nil || d.Model != "without" {
		t.Errorf("without the cluster it gets %v", d)
	}
}

func TestOwnDefinitionsWin(t *testing.T) {
	own := folder(map[string]string{
		"mine.yaml": `
- match: {vendor: _TZE200_mine, model: TS0601}
  like: {vendor: _TZE200_b6wax7g0, model: TS0601}
  vendor: Own
  tuya:
    points:
      - {dp: 2, type: value, property: target_temperature, scale: 0.5, min: 5, max: 30, writable: true}
- match: {vendor: LUMI, model: lumi.weather}
  vendor: Own
  model: weather
`,
		"other.yml": "- {match: {model: one}, vendor: Own, model: one}",
		"notes.txt": "not: [read",
	})
	l, err := Load(BuiltIn(), own)
	if err != nil {
		t.Fatal(err)
	}
	if d := l.Match("LUMI", "lumi.weather", everything); d.Vendor != "Own" || len(d.Tags) != 0 {
		t.Errorf("the built-in one wins: %+v", d)
	}
	if d := l.Match("", "one", everything); d == nil || d.Source != "other.yml" {
		t.Errorf("a .yml file is not read: %+v", d)
	}
	d := l.Match("_TZE200_mine", "TS0601", everything)
	if d.Vendor != "Own" || d.Model != "BRT-100 radiator valve" || d.Type != "thermostat" {
		t.Errorf("it is %s, %s, %s", d.Vendor, d.Model, d.Type)
	}
	points := map[string][]DataPoint{}
	for _, p := range d.Tuya.Points {
		points[p.Property] = append(points[p.Property], p)
	}
	if target := points["target_temperature"]; len(target) != 1 || target[0].Scale != 0.5 {
		t.Errorf("its target is %+v", target)
	}
	if len(points["battery"]) != 1 {
		t.Error("it has not got the others' points")
	}
	if base := l.Match("_TZE200_b6wax7g0", "TS0601", everything); base.Tuya.Points[1].Scale != 0 {
		t.Error("the one that it is like was changed")
	}
}

// A trouble is what a person may get wrong, and how that is told.
type trouble struct{ text, says string }

const aDefinition = "- match: {model: x}\n  vendor: A\n  model: B\n"

// tell holds that a file with trouble is refused with its place, and that the others are there all the same.
func (tr trouble) tell(t *testing.T) {
	l, err := Load(BuiltIn(), folder(map[string]string{"mine.yaml": tr.text, "good.yaml": "- {match: {model: good}, vendor: A, model: B}"}))
	if err == nil {
		t.Fatal("taken")
	}
	if !strings.Contains(err.Error(), tr.says) || !strings.Contains(err.Error(), "mine.yaml") {
		t.Errorf("%v does not say %q", err, tr.says)
	}
	if l.Match("", "good", everything) == nil || l.Match("LUMI", "lumi.weather", everything) == nil {
		t.Error("the good files went with the bad one")
	}
}

func TestTroubleWithProperties(t *testing.T) {
	tests := map[string]trouble{
		"no list":            {"match: {model: x}", "mine.yaml:1:1: want a list here"},
		"unknown key":        {aDefinition + "  tuia: {}", `mine.yaml:4:3: unknown key "tuia"`},
		"no match":           {"- {vendor: A, model: B}", "mine.yaml:1:3: match is missing"},
		"empty match":        {"- {match: {}, vendor: A, model: B}", "want a vendor, a model, or both"},
		"no name":            {"- {match: {model: x}}", "want vendor and model as they stand on the box"},
		"empty definition":   {"-", "definition 1 is empty"},
		"type":               {aDefinition + "  type: lamp", "mine.yaml:4:9: want one of"},
		"power":              {aDefinition + "  power: solar", "mine.yaml:4:10: want mains or battery"},
		"endpoint name":      {aDefinition + "  endpoints: {Left: 1}", "mine.yaml:4:21: want [a-z]"},
		"endpoint":           {aDefinition + "  endpoints: {left: 0}", "want an endpoint, 1 to 240"},
		"cluster":            {aDefinition + "  bind: {}", "unknown key"},
		"cluster name":       {aDefinition + "  setup: {bind: [{cluster: on_of}]}", `mine.yaml:4:28: "on_of" is no cluster`},
		"attribute name":     {aDefinition + "  attributes: [{property: on, cluster: on_off, attribute: onoff}]", `is no attribute of on_off`},
		"attribute type":     {aDefinition + "  attributes: [{property: speed, cluster: 0xfc00, attribute: 1, writable: true}]", "which data type"},
		"same property":      {aDefinition + "  attributes: [{property: speed, cluster: basic, attribute: 1}, {property: speed, cluster: basic, attribute: 2}]", "mine.yaml:4:76: speed is there twice"},
		"property":           {aDefinition + "  attributes: [{cluster: basic, attribute: 1}]", "which property is this?"},
		"property name":      {aDefinition + "  attributes: [{property: Speed, cluster: basic, attribute: 1}]", "want [a-z][a-z0-9_]*"},
		"reachable":          {aDefinition + "  attributes: [{property: reachable, cluster: basic, attribute: 1}]", "told by itself"},
		"unit":               {aDefinition + "  attributes: [{property: temperature, unit: F, cluster: basic, attribute: 1}]", `temperature is in "°C" everywhere`},
		"kind":               {aDefinition + "  attributes: [{property: temperature, kind: text, cluster: basic, attribute: 1}]", "temperature is a number everywhere"},
		"made-up kind":       {aDefinition + "  attributes: [{property: speed, kind: integer, cluster: basic, attribute: 1}]", "want bool, number or text"},
		"values of number":   {aDefinition + "  attributes: [{property: temperature, values: {1: a}, cluster: basic, attribute: 1}]", "only a text has values"},
		"true_for of number": {aDefinition + "  attributes: [{property: temperature, true_for: 1, cluster: basic, attribute: 1}]", "only a bool has that"},
		"mode":               {aDefinition + "  attributes: [{property: hvac_mode, values: {1: hot}, cluster: basic, attribute: 1}]", `hvac_mode takes one of off, heat`},
		"range of bool":      {aDefinition + "  attributes: [{property: open_time, min: 0, max: 9, cluster: basic, attribute: 1}]", "open_time is a bool"},
		"invert":             {aDefinition + "  attributes: [{property: power_now, invert: true, cluster: basic, attribute: 1}, {property: speed, invert: true, cluster: basic, attribute: 2}]", "mine.yaml:4:109: a number can be inverted only within a range"},
		"min":                {aDefinition + "  attributes: [{property: speed, min: 9, max: 1, cluster: basic, attribute: 1}]", "is more than max"},
		"curve":              {aDefinition + "  attributes: [{property: speed, curve: [[1, 2]], cluster: basic, attribute: 1}]", "want at least two points"},
		"curve's order":      {aDefinition + "  attributes: [{property: speed, curve: [[2, 2], [1, 3]], cluster: basic, attribute: 1}]", "to rise"},
		"curve's point":      {aDefinition + "  attributes: [{property: speed, curve: [[2, 2, 2], [1, 3]], cluster: basic, attribute: 1}]", "want two numbers"},
	}
	for name, test := range tests {
		t.Run(name, test.tell)
	}
}

func TestTroubleWithCommandsAndSetup(t *testing.T) {
	tests := map[string]trouble{
		"command":         {aDefinition + "  commands: [{property: button, cluster: on_off, command: press, value: single}]", `"press" is no command of on_off`},
		"command's value": {aDefinition + "  commands: [{property: button, cluster: on_off, command: toggle}]", "which text does the command stand for?"},
		"two values":      {aDefinition + "  commands: [{property: button, cluster: on_off, command: toggle, value: a, values: {1: a}}]", "want value or values"},
		"bool's value":    {aDefinition + "  commands: [{property: occupancy, cluster: on_off, command: toggle, value: yes}]", `want "true" or "false"`},
		"payload":         {aDefinition + "  commands: [{property: button, cluster: on_off, command: toggle, value: single, payload: 0x}]", "pairs of hex digits"},
		"action":          {aDefinition + "  actions: [{property: movement, cluster: on_off, command: toggle}]", "a text needs options"},
		"zone":            {aDefinition + "  zone: {property: temperature}", "mine.yaml:4:20: temperature is a number, and an alarm is a bool"},
		"point":           {aDefinition + "  tuya: {points: [{property: on}]}", "which data point, 1 to 255?"},
		"point's type":    {aDefinition + "  tuya: {points: [{dp: 1, type: int, property: on}]}", `"int" is no type of a data point`},
		"written point":   {aDefinition + "  tuya: {points: [{dp: 1, property: target_temperature, writable: true}]}", "what is written needs its type"},
		"written slice":   {aDefinition + "  tuya: {points: [{dp: 1, type: value, property: target_temperature, writable: true, at: 2}]}", "and no slice"},
		"point's values":  {aDefinition + "  tuya: {points: [{dp: 1, type: enum, property: hvac_mode}]}", "which text does which number stand for?"},
		"clock":           {aDefinition + "  tuya: {time: utc}", `want "2000", local or none`},
		"request":         {aDefinition + "  setup: {requests: [{cluster: basic}]}", "want one of read, write and command"},
		"written type":    {aDefinition + "  setup: {requests: [{cluster: basic, write: 0xfff0, value: 1}]}", "which data type"},
		"report":          {aDefinition + "  setup: {report: [{cluster: basic, attribute: 0xfff0}]}", "which data type"},
		"pace":            {aDefinition + "  setup: {report: [{cluster: on_off, attribute: on_off, min: 9, max: 1}]}", "is more than max"},
		"poll":            {aDefinition + "  setup: {poll: [{cluster: on_off, attributes: on_off, every: 1ms}]}", "want at least 1s"},
		"fact":            {aDefinition + "  facts: [{cluster: metering, attribute: divider, value: 1}]", `"divider" is no attribute of metering`},
		"rename":          {aDefinition + "  properties: {on: {rename: On}}", "mine.yaml:4:29: want [a-z]"},
		"like nothing":    {"- {match: {model: x}, like: {vendor: no, model: such}}", `mine.yaml:1:23: there is no definition for a device with vendor "no" and model "such"`},
		"like itself":     {"- {match: {model: x}, like: {model: y}}\n- {match: {model: y}, like: {model: x}}", "going round"},
		"twice":           {aDefinition + "- {match: {model: X}, vendor: C, model: D}", `model "x" has a definition in mine.yaml already`},
	}
	for name, test := range tests {
		t.Run(name, test.tell)
	}
}

// What is wrong takes nothing with it but what is like it.
func TestLibraryWithoutWhatIsWrong(t *testing.T) {
	l, err := Load(BuiltIn(), folder(map[string]string{
		"bad.yaml":  "- {match: {model: a}, colour: green}\n",
		"like.yaml": "- {match: {model: b}, like: {vendor: no, model: such}}\n- {match: {model: c}, like: {model: b}}\n- {match: {model: d}, vendor: Mine, model: Good}\n",
		"good.yaml": "- {match: {model: e}, vendor: Mine, model: Better}\n",
	}))
	if err == nil || !strings.Contains(err.Error(), "bad.yaml:1") || !strings.Contains(err.Error(), "like.yaml:1") || !strings.Contains(err.Error(), "like.yaml:2") {
		t.Errorf("what is wrong: %v", err)
	}
	for model, want := range map[string]string{"a": "", "b": "", "c": "", "d": "Mine Good", "e": "Mine Better"} {
		got := ""
		if d := l.Match("x", model, everything); d != nil {
			got = d.Name()
		}
		if got != want {
			t.Errorf("%s is %q, want %q", model, got, want)
		}
	}
	if l.Match("_TZE200_ckud7u2l", "TS0601", everything) == nil {
		t.Error("ours is gone")
	}
}

func TestLibraryIsShared(t *testing.T) {
	l, err := Load(BuiltIn())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, model := range []string{"lumi.weather", "TRVZB", "TS0044", "lumi.remote.b686opcn01"} {
				if l.Match("x", model, everything) == nil {
					t.Error("nothing for", model)
				}
			}
		})
	}
	all.Wait()
}

// TestLibraryIsSmall holds what a house pays for definitions that it does not use.
func TestLibraryIsSmall(t *testing.T) {
	const most = 512 << 10
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l, err := Load(BuiltIn())
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > most {
		t.Errorf("the library takes %d bytes, more than %d", used, most)
	}
	runtime.KeepAlive(l)
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(BuiltIn()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFirstMatch is what a model costs once: its definition is read.
func BenchmarkFirstMatch(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		l, err := Load(BuiltIn())
		if err != nil {
			b.Fatal(err)
		}
		if l.Match("_TZE200_e9ba97vf", "TS0601", everything) == nil {
			b.Fatal("nothing")
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	l, err := Load(BuiltIn())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if l.Match("_TZE200_e9ba97vf", "TS0601", everything) == nil {
			b.Fatal("nothing")
		}
	}
}
