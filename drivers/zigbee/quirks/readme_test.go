package quirks

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"hearth"
)

// examples returns the definitions in README.md, each block under its number.
func examples(t *testing.T) (readme string, blocks [][]*Definition) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		definitions, err := Parse("README.md", []byte(block))
		if err != nil {
			t.Errorf("%v\n%s", err, block)
		}
		blocks = append(blocks, definitions)
	}
	return string(text), blocks
}

// TestReadmeExample lets the soil sensor of the worked example speak.
func TestReadmeExample(t *testing.T) {
	_, blocks := examples(t)
	if len(blocks) < 6 {
		t.Fatalf("there are %d examples", len(blocks))
	}
	d := blocks[1][0]
	_, points, err := ParsePoints(unhex(t, "0001 03 02 0004 00000047 05 02 0004 000000d7 0f 02 0004 00000064"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]hearth.Value{}
	for _, p := range points {
		for i := range d.Tuya.Points {
			if v := d.Tuya.Points[i].Value(p); !v.IsZero() {
				got[d.Tuya.Points[i].Property] = v
			}
		}
	}
	want := map[string]hearth.Value{"soil_moisture": hearth.NumberOf(71), "temperature": hearth.NumberOf(21.5), "battery": hearth.NumberOf(100)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("it says %v, want %v", got, want)
	}
	l, err := Load(BuiltIn(), folder(map[string]string{"soil.yaml": "- match: {vendor: _TZE284_soilsoil, model: TS0601}\n  like: {vendor: _TZE284_aao3yzhs, model: TS0601}\n"}))
	if err != nil || blocks[2][0].Like.Vendor != "_TZE284_aao3yzhs" || l.Match("_TZE284_soilsoil", "TS0601", everything).Tuya == nil {
		t.Errorf("the one that is like another: %v", err)
	}
}

// TestReadmeIsComplete finds keys that README.md does not explain.
func TestReadmeIsComplete(t *testing.T) {
	readme, _ := examples(t)
	seen := map[reflect.Type]bool{}
	var look func(reflect.Type)
	look = func(kind reflect.Type) {
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice || kind.Kind() == reflect.Map {
			kind = kind.Elem()
		}
		if kind.Kind() != reflect.Struct || seen[kind] || !strings.HasSuffix(kind.PkgPath(), "quirks") {
			return
		}
		seen[kind] = true
		for i := range kind.NumField() {
			f := kind.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if key != "" && key != "-" && !strings.Contains(readme, key+":") && !strings.Contains(readme, "`"+key+"`") {
				t.Errorf("README.md does not explain %s of %s", key, kind.Name())
			}
			look(f.Type)
		}
	}
	look(reflect.TypeFor[Definition]())
}
