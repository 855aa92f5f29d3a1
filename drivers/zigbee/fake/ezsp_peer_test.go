package fake

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/scripts/peers"
)

// A household is a mesh with the whole family, a stick, and zigbee-herdsman that drives it.
type household struct {
	t       *testing.T
	mesh    *Mesh
	stick   *Stick
	family  []*Device
	folder  string
	adapter string
	host    *herdsman
}

func newHousehold(t *testing.T, adapter string, o StickOptions) *household {
	t.Helper()
	peers.Node(t, "zigbee")
	h := &household{t: t, adapter: adapter, folder: t.TempDir(), mesh: NewMesh(MeshOptions{Seed: 4, Delay: 2 * time.Millisecond})}
	t.Cleanup(h.mesh.Close)
	models, err := Models()
	if err != nil {
		t.Fatal(err)
	}
	if len(models) == 0 {
		lamp, sensor := testModels()
		models = []*Model{lamp, sensor}
	}
	for _, model := range models {
		d, err := h.mesh.Add(model.Name, model)
		if err != nil {
			t.Fatal(err)
		}
		h.family = append(h.family, d)
	}
	h.plug(o)
	return h
}

// plug puts a stick into the host, instead of the one before.
func (h *household) plug(o StickOptions) {
	h.t.Helper()
	if h.stick != nil {
		h.stick.Unplug()
	}
	var err error
	if h.stick, err = NewStick(h.mesh, o); err != nil {
		h.t.Fatal(err)
	}
}

// start runs the host on the stick; want is what it makes of the network there.
func (h *household) start(want string) {
	h.t.Helper()
	h.host = startHost(h.t, h.adapter, serveTCP(h.t, h.stick), h.folder, "")
	if got := h.host.do("start"); got != fmt.Sprintf("%q", want) {
		h.t.Errorf("start: %s, want %q", got, want)
	}
	if n, up := h.stick.Network(); !up || n.PAN != 0x1a62 || n.Channel != 15 || n.Key != testNetworkKey || n.Extended != 0x77665544332211dd {
		h.t.Errorf("the stick runs %+v, %v", n, up)
	}
}

func (h *household) stop() {
	h.t.Helper()
	h.host.do("stop")
	h.host.quit()
}

func hexAddress(a radio.IEEE) string { return "0x" + a.String() }

// pair lets the whole family in, one after the other, and waits until the host knows each of them.
func (h *household) pair() {
	h.t.Helper()
	h.host.do("permit", "seconds", 254)
	for _, d := range h.family {
		tripWhenAsked(h.t, d)
		d.Pair(0)
		h.interviewed(d)
	}
	h.host.do("permit", "seconds", 0)
	var known []struct{ IEEE, Vendor, Model string }
	if err := json.Unmarshal([]byte(h.host.do("devices")), &known); err != nil {
		h.t.Fatal(err)
	}
	if len(known) != len(h.family)+1 {
		h.t.Errorf("the host knows %d devices, want %d and the stick", len(known), len(h.family))
	}
}

func (h *household) interviewed(d *Device) {
	h.t.Helper()
	done := h.host.until("the interview of "+d.Name(), func(e hostEvent) bool {
		return e.Event == "deviceInterview" && e.IEEE == hexAddress(d.IEEE()) && e.Status != "started"
	})
	if done.Status != "successful" || done.Vendor != d.Model().Vendor || done.Model != d.Model().Product {
		h.t.Errorf("%s: the host found %+v", d.Name(), done)
	}
}

// control switches everything that can be switched, and looks whether it was.
func (h *household) control() {
	h.t.Helper()
	switched := 0
	for _, d := range h.family {
		on, can := d.Get(1, zcl.ClusterOnOff, zcl.AttrOnOffOnOff)
		if !can || d.Model().Type == Sleeper {
			continue
		}
		switched++
		h.host.do("command", "ieee", hexAddress(d.IEEE()), "endpoint", 1, "cluster", "genOnOff", "command", "toggle")
		if now, _ := d.Get(1, zcl.ClusterOnOff, zcl.AttrOnOffOnOff); now.Bool() == on.Bool() {
			h.t.Errorf("%s did not switch", d.Name())
		}
		h.host.do("read", "ieee", hexAddress(d.IEEE()), "endpoint", 1, "cluster", "genOnOff", "attributes", []string{"onOff"})
	}
	if switched == 0 {
		h.t.Error("there is nothing to switch")
	}
}

// reported makes a device say something by itself.
func (h *household) reported() {
	h.t.Helper()
	d := h.family[0]
	h.host.forget()
	d.Say(1, zcl.ClusterBasic, zcl.Frame{Global: true, ToClient: true, Command: 0x0a, Payload: []byte{4, 0, 0x42, 2, 'h', 'i'}})
	h.host.until("a report", func(e hostEvent) bool {
		return e.Event == "message" && e.IEEE == hexAddress(d.IEEE()) && string(e.Data) == `{"manufacturerName":"hi"}`
	})
}

// TestEZSPHerdsman is the whole life of a stick with a host that nobody here wrote: it forms, pairs, controls, restarts,
// is backed up, and another stick goes on.
func TestEZSPHerdsman(t *testing.T) {
	for _, c := range []struct {
		name, adapter, firmware string
		options                 EZSPOptions
	}{
		{"EmberZNet 6.10, EZSP 8", "ezsp", "6.10.3", EZSPOptions{}},
		{"EmberZNet 7.4, EZSP 13", "ember", "7.4.4", EZSPOptions{}},
		{"EmberZNet 8.0, EZSP 14", "ember", "8.0.2", EZSPOptions{Board: BoardCrashFirst, SentAfterAnswer: true}},
		{"EmberZNet 9.1, EZSP 19", "ember", "9.1.0", EZSPOptions{Board: BoardPowerFirst, SmallHeap: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := StickOptions{Protocol: EZSP, Firmware: c.firmware, EZSP: c.options}
			h := newHousehold(t, c.adapter, options)
			h.start("reset")
			h.pairAtOnce()
			h.lights()
			h.house()
			if c.adapter == "ember" { // the older one hears no groups, and our remote speaks to one
				h.reports()
			}
			h.stop()

			h.start("resumed")
			h.lights()
			h.host.do("backup")
			h.stop()

			h.plug(options)
			h.start("restored")
			h.lights()
			h.reported()
			h.stop()
		})
	}
}

// TestEZSPHerdsmanTroubles are faults as that host sees them: each of them must be what it says it is.
func TestEZSPHerdsmanTroubles(t *testing.T) {
	h := newHousehold(t, "ember", StickOptions{Protocol: EZSP})
	d := h.device("light-dimmable")
	h.family = []*Device{d}
	h.start("reset")
	h.pair()
	ping := []any{"ieee", hexAddress(d.IEEE())}

	h.stick.Fail(d, NoAPSAck, 1)
	if _, err := h.host.try("ping", ping...); err == nil || !strings.Contains(err.Error(), "Delivery failed") {
		t.Errorf("delivery failed: %v", err)
	}
	h.stick.Fail(d, BufferFull, 2) // it tries three times
	h.ask(d, 11, "read", "cluster", "genOnOff", "attributes", []string{"onOff"})
	h.stick.Corrupt(1)
	h.stick.Junk([]byte{0xff, 0x81, 0x12, 0x7e})
	h.host.do("ping", ping...)
	h.stick.LoseReceipts(2)
	h.host.do("ping", ping...)
	h.stick.DelayConfirms(2*time.Second, 1)
	h.host.do("ping", ping...)

	h.host.forget()
	h.stick.Reset(Watchdog)
	h.host.until("the reset", func(e hostEvent) bool { return e.Event == "adapterDisconnected" })
	h.host.quit()
	if !h.host.told("unexpected reset from adapter, with reason=RESET_WATCHDOG") {
		t.Error("the host did not see the reset")
	}
	h.start("resumed")
	h.host.do("ping", ping...)
	h.stop()
}
