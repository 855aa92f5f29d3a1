package quirks_test

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
	"hearth/settings"
)

// A sample is a device, what it says, and what it takes. Every definition in data has one in the file of the same name in
// testdata.
type sample struct {
	Vendor    string             `yaml:"vendor"`
	Model     string             `yaml:"model"`
	Mains     bool               `yaml:"mains"`
	Endpoints []sampleEndpoint   `yaml:"endpoints"`
	Facts     map[string]float64 `yaml:"facts"`
	Hears     []sampleHeard      `yaml:"hears"`
	Wishes    []sampleWish       `yaml:"wishes"`
	Setup     []SampleFrame      `yaml:"setup"` // frames that it is told when it has joined

	file string
}

type sampleEndpoint struct {
	ID  uint8    `yaml:"id"`
	In  []uint16 `yaml:"in"`
	Out []uint16 `yaml:"out"`
}

type SampleFrame struct {
	Endpoint uint8  `yaml:"endpoint"`
	Cluster  uint16 `yaml:"cluster"`
	Frame    string `yaml:"frame"` // hex; ? for any digit
}

type sampleHeard struct {
	SampleFrame `yaml:",inline"`
	Says        map[string]any `yaml:"says"` // all that it means
}

type sampleWish struct {
	Set   map[string]any `yaml:"set"`
	Sends []SampleFrame  `yaml:"sends"`
}

func (s *sample) description() expose.Description {
	d := expose.Description{IEEE: 0x00158d0000000001, Vendor: s.Vendor, Model: s.Model, Mains: s.Mains, Router: s.Mains, Facts: s.Facts}
	for _, e := range s.Endpoints {
		d.Endpoints = append(d.Endpoints, expose.Endpoint{ID: e.ID, Profile: 0x0104, In: e.In, Out: e.Out})
	}
	return d
}

func (s *sample) has(cluster uint16) bool {
	return slices.ContainsFunc(s.Endpoints, func(e sampleEndpoint) bool {
		return slices.Contains(e.In, cluster) || slices.Contains(e.Out, cluster)
	})
}

func samples(t testing.TB) []*sample {
	t.Helper()
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []*sample
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var of []*sample
		if err := settings.Parse(name, text, &of); err != nil {
			t.Fatal(err)
		}
		for _, s := range of {
			s.file = strings.TrimPrefix(name, "testdata/")
		}
		all = append(all, of...)
	}
	return all
}

func library(t testing.TB) *quirks.Library {
	t.Helper()
	l, err := quirks.Load(quirks.BuiltIn())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func valueOf(v any) hearth.Value {
	switch x := v.(type) {
	case bool:
		return hearth.BoolOf(x)
	case int64:
		return hearth.NumberOf(float64(x))
	case float64:
		return hearth.NumberOf(x)
	case string:
		return hearth.TextOf(x)
	}
	panic(fmt.Sprintf("%T is no value", v))
}

func valuesOf(m map[string]any) map[string]hearth.Value {
	values := map[string]hearth.Value{}
	for name, v := range m {
		values[name] = valueOf(v)
	}
	return values
}

// TestModels lets a device of every model speak, and asks something of it.
func TestModels(t *testing.T) {
	l := library(t)
	for _, s := range samples(t) {
		t.Run(s.file+"/"+s.Vendor+" "+s.Model, func(t *testing.T) {
			definition := l.Match(s.Vendor, s.Model, s.has)
			if definition == nil {
				t.Fatal("there is no definition for it")
			}
			if definition.Source != s.file {
				t.Fatalf("its definition is in %s", definition.Source)
			}
			model := expose.New(s.description(), definition)
			s.checkDevice(t, model.Device("radio:00158d0000000001"), definition)
			for _, heard := range s.Hears {
				s.checkHeard(t, model, heard)
			}
			for _, wish := range s.Wishes {
				s.checkWish(t, model, wish)
			}
			for _, wanted := range s.Setup {
				if !slices.ContainsFunc(model.Setup().Requests, wanted.is) {
					t.Errorf("the setup has no %v: %v", wanted, shown(model.Setup().Requests))
				}
			}
		})
	}
}

func (s *sample) checkDevice(t *testing.T, d hearth.Device, definition *quirks.Definition) {
	t.Helper()
	if err := d.Check(); err != nil {
		t.Error(err)
	}
	if d.Vendor != definition.Vendor || d.Model != definition.Model || definition.Type != "" && d.Type != definition.Type {
		t.Errorf("it is announced as %s %s, %s", d.Vendor, d.Model, d.Type)
	}
	for _, name := range definition.Promises() {
		if _, ok := d.Property(name); !ok {
			t.Errorf("it has no property %s", name)
		}
	}
}

func (s *sample) checkHeard(t *testing.T, model *expose.Model, heard sampleHeard) {
	t.Helper()
	frame, err := zcl.ParseFrame(heard.bytes(t))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	said := model.Incoming(expose.Incoming{Endpoint: heard.Endpoint, Cluster: heard.Cluster, Frame: frame, Now: now})
	got := map[string]hearth.Value{}
	for _, v := range said.Values {
		got[v.Property] = v.Value
	}
	if want := valuesOf(heard.Says); !reflect.DeepEqual(got, want) {
		t.Errorf("%s means %v, want %v", heard.Frame, got, want)
	}
}

func (s *sample) checkWish(t *testing.T, model *expose.Model, wish sampleWish) {
	t.Helper()
	sent, err := model.Outgoing(valuesOf(wish.Set), func(string) (hearth.Value, bool) { return hearth.Value{}, false })
	if err != nil {
		t.Errorf("%v: %v", wish.Set, err)
		return
	}
	if len(sent) != len(wish.Sends) {
		t.Errorf("%v is %v, want %v", wish.Set, shown(sent), wish.Sends)
		return
	}
	for i, want := range wish.Sends {
		if !want.is(sent[i]) {
			t.Errorf("%v is %v, want %v", wish.Set, shown(sent[i:i+1]), want)
		}
	}
}

func (f SampleFrame) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(f.Frame)
	if err != nil {
		t.Fatalf("%s: %v", f.Frame, err)
	}
	return b
}

func (f SampleFrame) is(r expose.Request) bool {
	got := hex.EncodeToString(r.Frame.Append(nil))
	if f.Endpoint != r.Endpoint || f.Cluster != r.Cluster || len(got) != len(f.Frame) {
		return false
	}
	for i := range got {
		if f.Frame[i] != '?' && f.Frame[i] != got[i] {
			return false
		}
	}
	return true
}

func (f SampleFrame) String() string {
	return fmt.Sprintf("%d/%04x %s", f.Endpoint, f.Cluster, f.Frame)
}

func shown(requests []expose.Request) []string {
	var all []string
	for _, r := range requests {
		all = append(all, SampleFrame{r.Endpoint, r.Cluster, hex.EncodeToString(r.Frame.Append(nil))}.String())
	}
	return all
}

// TestEveryModelHasItsFrames counts the models, and finds those that no sample is of.
func TestEveryModelHasItsFrames(t *testing.T) {
	const promised = 150
	l := library(t)
	sampled := map[*quirks.Definition]bool{}
	for _, s := range samples(t) {
		if len(s.Hears)+len(s.Wishes) == 0 {
			t.Errorf("%s: %s %s says nothing", s.file, s.Vendor, s.Model)
		}
		sampled[l.Match(s.Vendor, s.Model, s.has)] = true
	}
	all := 0
	for _, name := range builtInFiles(t) {
		text, err := fs.ReadFile(quirks.BuiltIn(), name)
		if err != nil {
			t.Fatal(err)
		}
		definitions, err := quirks.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		all += len(definitions)
		for _, d := range definitions {
			device := d.Match[0].Example()
			if found := l.Match(device.Vendor, device.Model, func(uint16) bool { return true }); !sampled[found] {
				t.Errorf("%s: %s has no frames in testdata/%s", name, d.Name(), name)
			}
		}
	}
	if all < promised {
		t.Errorf("there are %d models, fewer than %d", all, promised)
	}
	t.Logf("%d models", all)
}

func builtInFiles(t testing.TB) []string {
	t.Helper()
	names, err := fs.Glob(quirks.BuiltIn(), "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return names
}
