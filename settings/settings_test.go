package settings

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

type line struct {
	Port string `yaml:"port"`
	Baud int    `yaml:"baud"`
}

func (l *line) Check() error {
	if l.Baud < 0 {
		return At("$.baud", "baud must be positive")
	}
	return nil
}

type device struct {
	Address uint8    `yaml:"address"`
	Poll    Duration `yaml:"poll"`
}

func (d device) Check() error {
	if d.Address == 0 {
		return errors.Join(At("$.address", "address is 1 to 247"), errors.New("a device needs an address"))
	}
	return nil
}

type bus struct {
	Line    `yaml:",inline"`
	Devices []device `yaml:"devices"`
}

// Line is exported, so that its fields can be set.
type Line struct {
	Stop int `yaml:"stop_bits"`
}

func (l Line) Check() error {
	if l.Stop > 2 {
		return At("$.stop_bits", "stop_bits is 1 or 2")
	}
	return nil
}

type config struct {
	Home   string            `yaml:"home"`
	Buffer *buffer           `yaml:"buffer"`
	Part   Node              `yaml:"part"`
	Bus    bus               `yaml:"bus"`
	Names  map[string]string `yaml:"names"`
	Codes  map[int]string    `yaml:"codes"`
	Free   any               `yaml:"free"`
	Scale  float64           `yaml:"scale"`
	On     bool              `yaml:"on"`
	Wait   time.Duration     `yaml:"wait"`
	Hidden string            `yaml:"-"`
	Small  int8              `yaml:"small"`
	Tags   []string          `yaml:"tags"`
}

type buffer struct {
	Commit Duration `yaml:"commit"`
	Cap    Size     `yaml:"cap"`
}

func (c *config) Check() error {
	if c.Home == "" {
		return At("$.home", "home needs a name")
	}
	if c.Buffer != nil && c.Buffer.Cap > 1<<40 {
		return At("$.buffer.cap", "cap is too large")
	}
	return nil
}

func TestParse(t *testing.T) {
	got := config{Scale: 2, Tags: []string{"default"}}
	err := Parse("edge.yaml", []byte(`
home: 0x10         # kept as it was written
buffer: {commit: 10s, cap: "4 MB"}
part: {type: sim, devices: 20}
bus:
  stop_bits: 1
  devices: [{address: 0x10, poll: 7d}, &two {address: 2}, *two]
names: {a: b, "3": 1.50}
codes: {1: one, 2: two}
free: {a: [1, 2.5, true, x, null], b: {c: ~}}
on: true
wait: 1m
small: -128
scale:
`), &got)
	if err != nil {
		t.Fatal(err)
	}
	part := got.Part
	got.Part = Node{}
	want := config{
		Home: "0x10", Buffer: &buffer{Commit: Duration(10 * time.Second), Cap: 4_000_000},
		Bus:   bus{Line: Line{Stop: 1}, Devices: []device{{16, Duration(7 * day)}, {2, 0}, {2, 0}}},
		Names: map[string]string{"a": "b", "3": "1.50"}, Codes: map[int]string{1: "one", 2: "two"},
		Free:  map[string]any{"a": []any{int64(1), 2.5, true, "x", nil}, "b": map[string]any{"c": nil}},
		Scale: 2, On: true, Wait: time.Minute, Small: -128, Tags: []string{"default"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	var sim struct{ Devices int }
	if err := part.Decode(&sim, "type"); err != nil || sim.Devices != 20 {
		t.Errorf("part: %v, %+v", err, sim)
	}
	if err := part.Decode(&sim); err == nil || !strings.HasPrefix(err.Error(), `edge.yaml:4:8: unknown key "type"`) {
		t.Errorf("part, strictly: %v", err)
	}
}

func TestProblems(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"unknown key", "home: x\nbuffer: {comit: 10s}", `e:2:10: unknown key "comit": did you mean "commit"?`},
		{"unknown, nothing near", "home: x\nbuffer: {zzzzzz: 10s}", `e:2:10: unknown key "zzzzzz": known here are cap, commit`},
		{"duplicate", "home: x\nhome: y", `e:2:1: duplicate key "home": it is on line 1 already`},
		{"every problem", "hom: x\nbuffer:\n  cap: 4 XB\n  commit: 10\nbus: {devices: 3}\ntags: x",
			"e:1:1: unknown key \"hom\": did you mean \"home\"?\n" +
				"e:3:8: size 4 XB: want a number and kB, MB, GB, TB, KiB, MiB, GiB or TiB, as in 512MiB\n" +
				"e:4:11: duration 10: want a number and ms, s, m, h or d, as in 10s or 7d\n" +
				"e:5:16: want a list here, as in [a, b], not a number\n" +
				"e:6:7: want a list here, as in [a, b], not text"},
		{"missing, of the root", "", "e:1:1: home needs a name"},
		{"a check", "home: x\nbuffer: {cap: 5TiB}", "e:2:15: cap is too large"},
		{"checks of list items", "home: x\nbus:\n  devices:\n    - address: 1\n    - poll: 5s\n", "e:5:7: address is 1 to 247\ne:5:7: a device needs an address"},
		{"check of an inline struct", "home: x\nbus: {stop_bits: 3}", "e:2:18: stop_bits is 1 or 2"},
		{"type", "home: [x]", "e:1:7: want text here, not a list"},
		{"bool as text", "home: true", "e:1:7: want text here, not true or false: put it in quotes"},
		{"range", "home: x\nsmall: 128", "e:2:8: want a whole number from -128 to 127, not 128"},
		{"fraction", "home: x\nsmall: 1.5", "e:2:8: want a whole number from -128 to 127, not 1.5"},
		{"quoted number", "home: x\nsmall: '1'", "e:2:8: want a whole number from -128 to 127, not a text in quotes"},
		{"octal or not", "home: x\nsmall: 010", "e:2:8: 010 may mean decimal or octal: write 10, or 0o… for octal"},
		{"yes", "home: x\non: yes", "e:2:5: want true or false, not yes"},
		{"syntax", "home: x\nbuffer: {cap: 1", "e:2:"},
		{"tab", "home: x\n\tbuffer: 1", "e:2:"},
		{"not a map", "- home", "e:1:1: want keys and values here, not a list"},
		{"second document", "home: x\n---\nhome: y\n", "e:3:5: a second document"},
		{"tag", "home: !!str x", "e:1:7: tags such as !!str are not known here"},
		{"merge key", "home: x\nbuffer: {<<: {cap: 1}}", "e:2:10: a key must be plain text"},
		{"alias of nothing", "home: *x", "e:1:7: no anchor &x before this alias"},
		{"alias inside itself", "home: x\nfree: &a [*a, *a]", "e:2:11: too many values, or an alias inside itself"},
		{"alias chasing itself", "home: x\nfree: &a *a", "e:2:"},
		{"bomb", "home: x\nfree: [&a [1,1,1,1,1,1,1,1,1], &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], &c [*b,*b,*b,*b,*b,*b,*b,*b,*b],&d [*c,*c,*c,*c,*c,*c,*c,*c,*c], &e [*d,*d,*d,*d,*d,*d,*d,*d,*d], &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]]", "e:2:"},
		{"deep flow", "free: " + strings.Repeat("[", 500_000), "e:1:107: maps and lists are nested more than 100 deep"},
		{"deep blocks", strings.Repeat("- ", 500_000), "e:1:201: maps and lists are nested more than 100 deep"},
		{"too large", strings.Repeat("#", MaxFile+1), "e:1:1: the file is larger than 1048576 bytes"},
		{"no UTF-8", "home: \xff", "e:1:1: the file is not UTF-8 text"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var c config
			err := Parse("e", []byte(test.data), &c)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want problems", err)
			}
			var got []string
			for _, p := range problems {
				p.Source = ""
				got = append(got, p.Error())
			}
			if text := strings.Join(got, "\n"); !strings.HasPrefix(text, test.want) {
				t.Errorf("got\n%s\nwant\n%s", text, test.want)
			}
		})
	}
}

type meter struct {
	Port  string   `yaml:"port"`
	Words []string `yaml:"words"`
}

func (m meter) Check() error {
	var problems []error
	if m.Port == "" {
		problems = append(problems, At("port", "is missing: name a tty"))
	}
	if len(m.Words) == 0 {
		problems = append(problems, At("words", "there are none"))
	}
	return errors.Join(problems...)
}

// The place of a key that the file does not have is its parent's: the message has to name it.
func TestMissingKeysAreNamed(t *testing.T) {
	for text, want := range map[string][]string{
		"type: x\n":             {"e:1:1: port is missing: name a tty", "e:1:1: words: there are none"},
		"type: x\nport: \"\"\n": {"e:2:7: is missing: name a tty", "e:1:1: words: there are none"},
		"port: /x\nwords: []\n": {"e:2:1: there are none"},
	} {
		var m Node
		if err := Parse("e", []byte(text), &m); err != nil {
			t.Fatal(err)
		}
		err := m.Decode(new(meter), "type")
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %v, want %s", text, err, w)
			}
		}
	}
}

func TestSourceLine(t *testing.T) {
	var c config
	err := Parse("edge.yaml", []byte("home: x\nbuffer: {comit: 10s}\npin: '031'\n"), &c)
	want := "edge.yaml:2:10: unknown key \"comit\": did you mean \"commit\"?\n" +
		"     2 | buffer: {comit: 10s}\n" +
		"       |          ^\n"
	if got := err.Error(); !strings.HasPrefix(got, want) || strings.Contains(got, "031") {
		t.Errorf("got\n%s\nwant\n%s(and no line with a secret)", got, want)
	}
}

func TestNodeAt(t *testing.T) {
	var c config
	if err := Parse("e", []byte("home: x\npart: {type: simm}\n"), &c); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"$.type": "e:2:14: no such type", "$": "e:2:1: no such type", "$.none[3].x": "e:2:1: no such type"} {
		if err := c.Part.At(path, "no such type"); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if err := (Node{}).At("$.port", "missing"); err.Error() != "port: missing" {
		t.Errorf("of no file: %v", err)
	}
	var l line
	if err := (Node{}).Decode(&l); err != nil {
		t.Errorf("nothing at all: %v", err)
	}
}

func TestLoad(t *testing.T) {
	var c config
	if err := Load(filepath.Join(t.TempDir(), "none.yaml"), &c); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	path := filepath.Join(t.TempDir(), "edge.yaml")
	if err := os.WriteFile(path, []byte("\uFEFFhome: Cabin\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Load(path, &c); err != nil || c.Home != "Cabin" {
		t.Errorf("got %q, %v", c.Home, err)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]string{"512MiB": "512MiB", "4 MB": "4000000", "1.5kB": "1500", "1024": "1KiB", "0": "0", "2gib": "2GiB", "16EiB": "", "-1": "", "MB": "", "1e30": "", "9999999999TiB": ""} {
		var s Size
		switch err := s.UnmarshalText([]byte(text)); {
		case want == "" && err == nil:
			t.Errorf("%s: got %s, want an error", text, s)
		case want != "" && (err != nil || s.String() != want):
			t.Errorf("%s: got %s, %v, want %s", text, s, err, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{"10s": "10s", "7d": "7d", "400d": "400d", "1d12h": "36h0m0s", "0.5d": "12h0m0s", "100ms": "100ms", "24h": "1d", "0": "0s", "-5s": "", "5": "", "": "", "d": "", "1d-2h": "", "999999999d": "", "7 days": ""} {
		var d Duration
		switch err := d.UnmarshalText([]byte(text)); {
		case want == "" && err == nil:
			t.Errorf("%s: got %s, want an error", text, d)
		case want != "" && (err != nil || d.String() != want):
			t.Errorf("%s: got %s, %v, want %s", text, d, err, want)
		}
	}
}

func TestSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	if _, err := Secret(path, log); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(path, []byte("  s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Secret(path, log); got != "s3cret" || err != nil || logged.Len() > 0 {
		t.Errorf("got %q, %v, logged %q", got, err, &logged)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Secret(path, log); got != "s3cret" || err != nil || !strings.Contains(logged.String(), "chmod") || strings.Contains(logged.String(), "s3cret") {
		t.Errorf("world-readable: got %q, %v, logged %q", got, err, &logged)
	}
	if err := os.WriteFile(path, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Secret(path, log); err == nil {
		t.Error("an empty secret was taken")
	}
	t.Setenv("HEARTH_TEST_SECRET", "from outside")
	if got, err := Secret("env:HEARTH_TEST_SECRET", log); got != "from outside" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Secret("env:HEARTH_TEST_NONE", log); err == nil {
		t.Error("a variable that is not set was taken")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"home: x\nbuffer: {cap: 1MB}\n", "a: &a [*a]", "- - a", "home: 'x", "? a\n: b", "free: !!x |\n a", "<<: {}", "codes: {1: a, 1: b}", "%YAML 1.2\n---\na: b\n..."} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c config
		err := Parse("f", data, &c)
		var problems Problems
		if err != nil && !errors.As(err, &problems) {
			t.Errorf("an error without a place: %v", err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("a problem without a place: %+v", p)
			}
		}
	})
}
