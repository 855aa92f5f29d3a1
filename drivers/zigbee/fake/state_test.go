package fake

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/zcl"
)

func TestMemoryIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memory.json")
	empty, err := LoadMemory(path)
	if err != nil || len(empty.Names()) > 0 {
		t.Fatalf("a file that is not there: %v, %v", empty.Names(), err)
	}
	empty.Set("b", []byte{1, 2})
	empty.Set("a", nil)
	empty.Set("c", []byte{9})
	empty.Delete("c")
	if err := empty.Save(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a file with keys in it: %v, %v", info.Mode(), err)
	}
	kept, err := LoadMemory(path)
	if err != nil {
		t.Fatal(err)
	}
	value, ok := kept.Get("b")
	if names := strings.Join(kept.Names(), " "); names != "a b" || !ok || !bytes.Equal(value, []byte{1, 2}) {
		t.Errorf("kept %s, % x", names, value)
	}
	if err := os.WriteFile(path, []byte(`{"a": "0g"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadMemory(path); err == nil {
		t.Error("what is no hex was read")
	}
}

// TestHouseIsKept is a program that ends and starts again: the devices are where they were.
func TestHouseIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mesh.json")
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		plug, child, dimmer := e.add("plug-metering"), e.add("contact"), e.add("tuya-dimmer")
		child.Attach(plug)
		e.bind(plug, 1, zcl.ClusterElectricalMeasurement, zcl.ReportingRecord{
			ID: zcl.AttrElectricalMeasurementActivePower, Type: zcl.Int16, Min: 0, Max: 600, Change: zcl.IntOf(zcl.Int16, 5),
		})
		e.set(plug, 1, zcl.ClusterElectricalMeasurement, zcl.AttrElectricalMeasurementActivePower, 321)
		e.ask(plug, 1, zcl.ClusterGroups, zcl.ClusterCommand(zcl.CmdGroupsAdd, 7, 0, 0))
		if err := dimmer.SetPoint(2, "value 77"); err != nil {
			t.Fatal(err)
		}
		if err := e.mesh.Save(path); err != nil {
			t.Fatal(err)
		}

		next := listen(t, MeshOptions{Seed: 99})
		for _, name := range []string{"plug-metering", "contact", "tuya-dimmer", "fan"} {
			if _, err := next.mesh.Add(name, familyModel(t, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := next.mesh.Load(path); err != nil {
			t.Fatal(err)
		}
		again := next.mesh.Device("plug-metering")
		if again.IEEE() != plug.IEEE() || again.NWK() != plug.NWK() || !again.Joined() || next.mesh.Device("fan").Joined() {
			t.Errorf("%s at %s", again.IEEE(), again.NWK())
		}
		if groups := again.Groups(1); len(groups) != 1 || groups[0] != 7 {
			t.Errorf("groups %v", groups)
		}
		if b := next.mesh.Device("tuya-dimmer").Point(2); !bytes.Equal(b, []byte{0, 0, 0, 77}) {
			t.Errorf("point % x", b)
		}
		next.mesh.do(func() {
			if next.mesh.named("contact").parent != again {
				t.Error("the child has another parent")
			}
		})
		next.wantNumber(again, 1, zcl.ClusterElectricalMeasurement, zcl.AttrElectricalMeasurementActivePower, 321)
		next.take()
		next.set(again, 1, zcl.ClusterElectricalMeasurement, zcl.AttrElectricalMeasurementActivePower, 400)
		next.wantReports("after the restart", 400)
		if err := next.mesh.Load(filepath.Join(t.TempDir(), "none")); err != nil {
			t.Error(err)
		}
	})
}

func TestModelsSayWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`models: [{name: x, endpoints: [{id: 0}]}]`:                                                                   "want 1 to 240",
		`models: [{endpoints: [{id: 1}]}]`:                                                                            "name is missing",
		`models: [{name: x}]`:                                                                                         "are missing",
		`models: [{name: x, type: ghost, endpoints: [{id: 1}]}]`:                                                      "want router, end_device or sleeper",
		`models: [{name: x, endpoints: [{id: 1, in: [{cluster: nothing}]}]}]`:                                         "is no cluster",
		`models: [{name: x, endpoints: [{id: 1, in: [{cluster: on_off, attributes: {nothing: 1}}]}]}]`:                "has no attribute",
		`models: [{name: x, endpoints: [{id: 1, in: [{cluster: on_off, attributes: {on_off: maybe}}]}]}]`:             "maybe",
		`models: [{name: x, endpoints: [{id: 1, in: [{cluster: on_off, attributes: {0x7777: 1}}]}]}]`:                 "the type must be said",
		`models: [{name: x, endpoints: [{id: 1}], buttons: {a: [{cluster: on_off, command: nothing}]}}]`:              "has no command",
		`models: [{name: x, endpoints: [{id: 1}], reports: [{cluster: on_off, attributes: [nothing]}]}]`:              "has no attribute",
		`models: [{name: x, endpoints: [{id: 1}], tuya: {points: {1: {value: what 3}}}}]`:                             "want bool, value, enum",
		`models: [{name: x, endpoints: [{id: 1}], xiaomi: {cluster: basic, fields: [{tag: 1, value: "7"}]}}]`:         "the type must be said",
		`models: [{name: x, endpoints: [{id: 1}], what: 1}]`:                                                          "what",
		"models: [{name: x, endpoints: [{id: 1}]}, {name: x, endpoints: [{id: 1}]}]":                                  `two models "x"`,
		`models: [{name: x, endpoints: [{id: 1, in: [{cluster: basic, attributes: {0x0001: "key128 1"}}]}]}]`:         "cannot be written",
		`models: [{name: x, endpoints: [{id: 1, in: [{cluster: basic, attributes: {0xfffe: "octet_string zz"}}]}]}]`:  "invalid byte",
		`models: [{name: x, endpoints: [{id: 1}], xiaomi: {fields: [{tag: 1, attribute: zcl_version, type: what}]}}]`: "is no type",
		`models: [{name: x, endpoints: [{id: 1}], xiaomi: {fields: [{tag: 1, attribute: nothing, type: uint8}]}}]`:    "has no attribute",
		`models: [{name: x, endpoints: [{id: 1}], buttons: {a: [{cluster: on_off, report: {nothing: 1}}]}}]`:          "has no attribute",
		`models: [{name: x, endpoints: [{id: 1}], buttons: {a: [{cluster: on_off, set: {on_off: 2}}]}}]`:              "2",
		`models: [{name: x, endpoints: [{id: 1}], buttons: {a: [{cluster: on_off, payload: 0g}]}}]`:                   "invalid byte",
		`models: [{name: x, endpoints: [{id: 1}], tuya: {points: {1: {value: bool perhaps}}}}]`:                       "perhaps",
	} {
		_, err := Models(fstest.MapFS{"one.yaml": {Data: []byte(text)}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	m := NewMesh(MeshOptions{})
	defer m.Close()
	made := &Model{Name: "made", Endpoints: []EndpointModel{{ID: 1, In: []ClusterModel{{Cluster: 6, Attributes: map[string]Literal{"on_off": "true"}}}}}}
	d, err := m.Add("lamp", made)
	if err != nil {
		t.Fatal(err)
	}
	if on, ok := d.Get(1, zcl.ClusterOnOff, zcl.AttrOnOffOnOff); !ok || !on.Bool() {
		t.Errorf("made in Go: %v", on)
	}
	if _, err := m.Add("lamp", made); err == nil {
		t.Error("two devices of one name")
	}
	made.Endpoints[0].In[0].Attributes["nothing"] = "1"
	if _, err := m.Add("other", made); err == nil {
		t.Error("a broken model was taken")
	}
}

func TestConsole(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		lamp, contact, remote, soil := e.add("light-dimmable"), e.add("contact"), e.add("remote-five-button"), e.add("tuya-dimmer")
		c := &Console{Mesh: e.mesh, Stick: e.stick}
		old := lamp.NWK()
		script := `
			# what devices do
			move light-dimmable
			set contact 1 ias_zone zone_status 1
			set light-dimmable 11 0x0008 current_level 12
			press remote-five-button toggle
			point tuya-dimmer 2 value 500
			attach contact light-dimmable
			wait 10s
			off light-dimmable
			fail light-dimmable noack 2
			fail any channel 1
			lose confirms 2
			delay answers 1s 3
			corrupt 4
			junk fe ff
			neighbor 0x1234 0011223344556677 15
			mute contact
			hang 5s`
		start := time.Now()
		if err := c.Run(t.Context(), strings.NewReader(script)); err != nil {
			t.Fatal(err)
		}
		if time.Since(start) != 10*time.Second {
			t.Errorf("the script took %s", time.Since(start))
		}
		e.wantNumber(contact, 1, zcl.ClusterIASZone, zcl.AttrIASZoneZoneStatus, 1)
		e.wantNumber(lamp, 11, zcl.ClusterLevelControl, zcl.AttrLevelControlCurrentLevel, 12)
		e.mesh.do(func() {
			f := &e.stick.faults
			if lamp.nwk == old || contact.parent != lamp || !lamp.off || !contact.mute || len(f.failing) != 2 || f.lose[confirm] != 2 ||
				f.late[answer] != 3 || f.lateness != time.Second || f.corrupt != 4 || len(f.junk) != 1 || !f.hung || !e.mesh.taken(0x1234) {
				t.Errorf("faults %+v", f)
			}
		})
		if b := soil.Point(2); !bytes.Equal(b, []byte{0, 0, 1, 0xf4}) {
			t.Errorf("point % x", b)
		}
		if f := e.take(); len(f) < 2 {
			t.Errorf("heard %+v from %s", f, remote.Name())
		}
	})
}

func TestConsoleSaysWhatIsWrong(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		e.add("contact")
		c := &Console{Mesh: e.mesh, Stick: e.stick}
		for _, bad := range []string{
			"what", "move", "move nobody", "set contact", "set contact 1 nothing 0 1", "set contact 1 6 0 true", "hang x", "lose x 1",
			"lose answers x", "delay answers x 1", "fail nobody noack 1", "fail any what 1", "corrupt x", "junk 0g", "press contact x",
			"point contact 1 value 1", "say contact 1 6 0g", "attach contact nobody", "pair all x", "neighbor x 0 1", "set contact 1 6 what true",
		} {
			if err := c.Do(bad); err == nil {
				t.Errorf("%q was done", bad)
			}
		}
		for name := range verbs() {
			if !strings.Contains(c.Help(), name+" ") {
				t.Errorf("the help does not say %s", name)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Run(ctx, strings.NewReader("wait 1h\nwhat")); err != nil {
			t.Errorf("a script that is ended: %v", err)
		}
		if err := c.Run(t.Context(), strings.NewReader("wake contact\nwhat")); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("a script with a mistake: %v", err)
		}
	})
}

func TestConsolePlugs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMesh(MeshOptions{Seed: 9})
		defer m.Close()
		h := newMT(t, m, StickOptions{})
		c := &Console{Mesh: m, Stick: h.stick}
		if err := c.Do("reset"); err != nil {
			t.Fatal(err)
		}
		if got := h.said(mtSYS, 0x80); len(got) != 1 || got[0][0] != 2 {
			t.Errorf("reset: % x", got)
		}
		if err := c.Do("noise 00 11"); err != nil {
			t.Fatal(err)
		}
		h.want(mtSYS, 0x01, "", "5906")
		if err := c.Do("unplug"); err != nil {
			t.Fatal(err)
		}
		if err := <-h.served; err == nil {
			t.Error("it is served without power")
		}
		h.served <- nil
		if err := h.stick.Serve(t.Context(), &bytes.Buffer{}); err == nil {
			t.Error("a host found a stick without power")
		}
		if err := c.Do("plug /dev/other"); err != nil {
			t.Fatal(err)
		}
		if plugged, path, _ := h.stick.socket(); !plugged || path != "/dev/other" {
			t.Errorf("plugged %v into %s", plugged, path)
		}
		h.close()
	})
}
