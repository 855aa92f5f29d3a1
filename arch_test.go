package hearth

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// arrows says who may import whom inside the module: first match wins, and a room may always import what lies in its
// own folder. A new arrow is a change here.
var arrows = []struct {
	from string
	to   []string
}{
	{".", nil}, // the words import nothing of ours
	{"settings", nil},
	{"configs", nil},
	{"api", []string{"."}},
	{"api/browsertest", nil},

	{"edge/hearth-edge", []string{".", "settings", "edge", "edge/*", "drivers/serial", "drivers/zigbee/fake"}},
	{"edge", []string{".", "settings", "configs", "api", "edge/*", "drivers/*"}},
	{"edge/home", []string{"."}},
	{"edge/buffer", []string{"."}},
	{"edge/web", []string{".", "api", "edge/home", "edge/buffer"}},
	{"edge/homekit/hap", nil},
	{"edge/*", []string{".", "settings", "edge/home", "edge/buffer"}},

	{"cloud/hearth-cloud", []string{".", "settings", "cloud", "cloud/*"}},
	{"cloud", []string{".", "settings", "configs", "api", "cloud/*"}},
	{"cloud/series", []string{"."}},
	{"cloud/accounts", []string{"."}},
	{"cloud/*", []string{".", "settings", "api", "cloud/series", "cloud/accounts"}},

	{"drivers/serial", []string{".", "settings"}},
	{"drivers/drivertest", []string{"."}},
	{"drivers/zigbee/radio", nil},
	{"drivers/zigbee/zcl", nil},
	{"drivers/zigbee/zdo", []string{"drivers/zigbee/radio"}},
	{"drivers/zigbee/fake", []string{"settings", "drivers/zigbee/radio", "drivers/zigbee/zcl", "drivers/zigbee/zdo"}},
	{"drivers/zigbee/znp", []string{".", "drivers/serial", "drivers/zigbee/radio", "drivers/zigbee/zdo"}},
	{"drivers/zigbee/ezsp", []string{".", "drivers/serial", "drivers/zigbee/radio", "drivers/zigbee/zdo"}},
	{"drivers/zigbee/ota", []string{".", "drivers/zigbee/radio", "drivers/zigbee/zcl"}},
	{"drivers/zigbee/traffic", []string{".", "drivers/zigbee/radio", "drivers/zigbee/zcl", "drivers/zigbee/zdo"}},
	{"drivers/zigbee/quirks", []string{".", "settings", "drivers/zigbee/zcl"}},
	{"drivers/zigbee/expose", []string{".", "drivers/zigbee/radio", "drivers/zigbee/zcl", "drivers/zigbee/quirks"}},
	{"drivers/mqtt/dialect", []string{".", "settings"}},
	{"drivers/mqtt/dialect/dialecttest", []string{".", "drivers/drivertest", "drivers/mqtt/dialect"}},
	{"drivers/mqtt/*", []string{".", "settings", "drivers/mqtt/dialect"}},
	{"drivers/*", []string{".", "settings", "drivers/serial"}},

	{"scripts/*", []string{"."}}, // load generators and the like
}

// alsoInTests is what only tests may import beyond their arrows.
var alsoInTests = map[string][]string{
	".":                {"edge", "cloud", "settings", "drivers/zigbee/*", "api/browsertest", "cloud/accounts/postgrestest", "scripts/peers"}, // the end-to-end tests
	"drivers/*":        {"drivers/drivertest", "drivers/serial/serialtest", "configs", "scripts/peers"},
	"drivers/zigbee/*": {"drivers/zigbee/*"},
	"drivers/mqtt/*":   {"drivers/mqtt/*"},
	"edge":             {"settings"},
	"edge/*":           {"edge/*", "drivers/sim", "drivers/drivertest", "settings", "api/browsertest", "scripts/peers"},
	"cloud":            {"scripts/peers"},
	"cloud/*":          {"cloud/*", "api/browsertest"},
	"configs":          {"edge", "cloud", "settings"},
}

func TestArrowsPointDown(t *testing.T) {
	parsed := 0
	eachGoFile(t, func(file, room string, f *ast.File) {
		parsed++
		for _, spec := range f.Imports {
			target, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), "hearth")
			if !ours || target != "" && target[0] != '/' {
				continue
			}
			target = path.Join(".", strings.TrimPrefix(target, "/"))
			if !mayImport(room, target, strings.HasSuffix(file, "_test.go")) {
				t.Errorf("%s: %s may not import %s; if it must, the table in arch_test.go says so", file, room, target)
			}
		}
	})
	if parsed < 20 {
		t.Errorf("only %d files were looked at", parsed)
	}
}

func mayImport(room, target string, test bool) bool {
	if target == room || strings.HasPrefix(target, room+"/") && room != "." && room != "edge" && room != "cloud" {
		return true
	}
	for _, arrow := range arrows {
		if matches(arrow.from, room) {
			if allowed(arrow.to, target) {
				return true
			}
			break
		}
	}
	if test {
		for from, to := range alsoInTests {
			if matches(from, room) && allowed(to, target) {
				return true
			}
		}
	}
	return false
}

func allowed(patterns []string, target string) bool {
	for _, p := range patterns {
		if matches(p, target) {
			return true
		}
	}
	return false
}

// matches takes edge/* for everything below edge.
func matches(pattern, room string) bool {
	if folder, any := strings.CutSuffix(pattern, "/*"); any {
		return strings.HasPrefix(room, folder+"/")
	}
	return pattern == room
}

// TestHouseRules holds what the whole house promises: no init, no mutable package state outside of tests, a top level
// that stays as it is.
func TestHouseRules(t *testing.T) {
	eachGoFile(t, func(file, room string, f *ast.File) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		for _, word := range []string{"util", "utils", "common", "helpers", "misc"} {
			if f.Name.Name == word {
				t.Errorf("%s: a package called %s says nothing", file, word)
			}
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init", file)
			}
		}
	})
	entries, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	known := " api cloud configs drivers edge scripts settings testdata dist Makefile README.md LICENSE NOTICE go.mod go.sum "
	for _, entry := range entries {
		if entry[0] != '.' && !strings.Contains(known, " "+entry+" ") && filepath.Ext(entry) != ".go" {
			t.Errorf("%s has no place at the top level", entry)
		}
	}
}

// eachGoFile parses every file of the module; room is its folder.
func eachGoFile(t *testing.T, look func(file, room string, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata" || len(entry.Name()) > 1 && entry.Name()[0] == '.') {
			return filepath.SkipDir
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		look(filepath.ToSlash(file), filepath.ToSlash(filepath.Dir(file)), parsed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
