package zigbee

import (
	flags "flag"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/zigbee/expose"
	"hearth/drivers/zigbee/quirks"
	"hearth/drivers/zigbee/zcl"
)

var update = flags.Bool("update", false, "write testdata/names.txt")

// A naming is every shape in which a property of some name is announced.
type naming map[string]map[string]bool

func (n naming) add(p hearth.Property) {
	if _, known := hearth.Word(p.Name); known {
		return
	}
	if n[p.Name] == nil {
		n[p.Name] = map[string]bool{}
	}
	n[p.Name][strings.TrimSpace(string(p.Kind)+" "+p.Unit)] = true
}

// ofDefinition announces a device that a definition is of, as the driver would.
func (n naming) ofDefinition(d *quirks.Definition) {
	own := expose.Endpoint{ID: 1, Profile: 0x0104, In: []uint16{zcl.ClusterBasic, zcl.ClusterTuya, zcl.ClusterAqara}}
	n.ofModel(expose.New(expose.Description{Mains: true, Router: true, Endpoints: []expose.Endpoint{own}}, d))
}

func (n naming) ofModel(m *expose.Model) {
	for _, p := range m.Device("radio:1").Properties {
		if base, number, cut := cutLast(p.Name); cut && strings.Trim(number, "0123456789") == "" {
			p.Name = base // of several endpoints
		}
		n.add(p)
	}
}

func cutLast(name string) (base, end string, cut bool) {
	at := strings.LastIndexByte(name, '_')
	if at < 0 {
		return name, "", false
	}
	return name[:at], name[at+1:], true
}

// everything is an endpoint with every cluster of the standard.
func everything(id uint8) expose.Endpoint {
	e := expose.Endpoint{ID: id, Profile: 0x0104}
	for cluster := range uint16(0xf000) {
		if !strings.HasPrefix(zcl.ClusterName(cluster), "0x") {
			e.In, e.Out = append(e.In, cluster), append(e.Out, cluster)
		}
	}
	return e
}

// TestNames holds all names that the driver makes against the words of the house and, for those that are none, against
// testdata/names.txt: what the source calls it, in one kind and unit. With -update it writes that file; whoever adds a
// name looks first whether there is a word for it, and whether it should become one.
func TestNames(t *testing.T) {
	names := naming{}
	names.ofModel(expose.New(expose.Description{Mains: true, Router: true, Endpoints: []expose.Endpoint{everything(1), everything(2)}}, nil))
	files, err := fs.Glob(quirks.BuiltIn(), "*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files of definitions: %v", len(files), err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(quirks.BuiltIn(), file)
		if err != nil {
			t.Fatal(err)
		}
		all, err := quirks.Parse(file, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			names.ofDefinition(d)
		}
	}
	for _, p := range announcedNames(t) {
		names.add(p)
	}
	var list strings.Builder
	list.WriteString("# Properties that are no words of the house: they keep the source's name, kind and unit. TestNames writes this.\n")
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(&list, "%s: %s\n", name, strings.Join(slices.Sorted(maps.Keys(names[name])), " | "))
	}
	const path = "testdata/names.txt"
	if *update {
		if err := os.WriteFile(path, []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	documented, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	was := strings.Split(string(documented), "\n")
	for line := range strings.Lines(list.String()) {
		if line = strings.TrimSpace(line); !slices.Contains(was, line) {
			t.Errorf("%s: neither a word of the house (words.go), nor in %s: is there a word for it? Else: go test ./drivers/zigbee -run TestNames -args -update", line, path)
		}
	}
	if len(was) > strings.Count(list.String(), "\n")+1 {
		t.Errorf("%s has names that are no more: go test ./drivers/zigbee -run TestNames -args -update", path)
	}
}

// announcedNames are the properties of a coordinator, of a device that joins, and of a group.
func announcedNames(t *testing.T) (all []hearth.Property) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		m.endpoints[0].In = append(m.endpoints[0].In, zcl.ClusterGroups, zcl.ClusterScenes)
		a.join(m)
		wait(10 * time.Second)
		h.must(t, http.StatusCreated, "POST", "/groups", `{"name":"All","members":["`+m.ieee.String()+`/1"]}`)
		for _, d := range h.home.Devices() {
			all = append(all, d.Properties...)
		}
	})
	return all
}
