package fake

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// testExtended is the extended PAN id that the host's configuration means on this firmware: the most significant byte
// first.
const testExtended radio.IEEE = 0xdd11223344556677

// tripWhenAsked triggers a zone that enrols by being triggered, once the host has written its address.
func tripWhenAsked(t *testing.T, d *Device) {
	if d.Model().Zone == nil || d.Model().Zone.Enrolment != EnrolByTrip {
		return
	}
	written, ended := make(chan uint8, 1), make(chan struct{})
	d.Watch(func(h Heard) {
		if h.Cluster == zcl.ClusterIASZone && h.Frame.Global && h.Frame.Command == zcl.CommandWriteAttributes {
			select {
			case written <- h.Endpoint:
			default:
			}
		}
	})
	go func() {
		select {
		case endpoint := <-written:
			_ = d.SetNumber(endpoint, zcl.ClusterIASZone, zcl.AttrIASZoneZoneStatus, 1)
		case <-ended:
		}
	}()
	t.Cleanup(func() { close(ended) })
}

// startZNP is start for this firmware's extended PAN id.
func (h *household) startZNP(want string) {
	h.t.Helper()
	h.host = startHost(h.t, h.adapter, serveTCP(h.t, h.stick), h.folder, "")
	if got := h.host.do("start"); got != fmt.Sprintf("%q", want) {
		h.t.Errorf("start: %s, want %q", got, want)
	}
	n, up := h.stick.Network()
	if !up || n.PAN != 0x1a62 || n.Channel != 15 || n.Key != testNetworkKey || n.Extended != testExtended {
		h.t.Errorf("the stick runs %+v, %v", n, up)
	}
}

// pairAtOnce lets the whole family in at the same time.
func (h *household) pairAtOnce() {
	h.t.Helper()
	start := time.Now()
	h.host.do("permit", "seconds", 254)
	for _, d := range h.family {
		tripWhenAsked(h.t, d)
		d.Pair(10 * time.Second)
	}
	for _, d := range h.family {
		h.interviewed(d)
	}
	h.host.do("permit", "seconds", 0)
	h.t.Logf("%d devices interviewed after %s", len(h.family), time.Since(start))
}

func (h *household) device(name string) *Device {
	h.t.Helper()
	d := h.mesh.Device(name)
	if d == nil {
		h.t.Fatalf("no device %q", name)
	}
	return d
}

// ask has the host do something with an endpoint of a device.
func (h *household) ask(d *Device, endpoint int, do string, arguments ...any) string {
	h.t.Helper()
	return h.host.do(do, append([]any{"ieee", hexAddress(d.IEEE()), "endpoint", endpoint}, arguments...)...)
}

// message waits until the host tells of a message of the device that has the text in its data.
func (h *household) message(d *Device, kind, text string) {
	h.t.Helper()
	h.host.until(fmt.Sprintf("%s %s of %s", kind, text, d.Name()), func(e hostEvent) bool {
		return e.Event == "message" && e.IEEE == hexAddress(d.IEEE()) && e.Type == kind && strings.Contains(string(e.Data), text)
	})
}

func (h *household) wantNumber(d *Device, endpoint uint8, cluster, attribute uint16, want float64) {
	h.t.Helper()
	value, _ := d.Get(endpoint, cluster, attribute)
	if got, _ := value.Number(); got != want {
		h.t.Errorf("%s: %s is %v, want %v", d.Name(), zcl.AttributeName(cluster, attribute), got, want)
	}
}

// lights are controlled one by one and as a group.
func (h *household) lights() {
	h.t.Helper()
	dimmable, white, hue := h.device("light-dimmable"), h.device("light-white-ambiance"), h.device("light-hue-color")
	level := zcl.AttrLevelControlCurrentLevel
	h.ask(dimmable, 11, "command", "cluster", "genLevelCtrl", "command", "moveToLevelWithOnOff", "payload", map[string]int{"level": 100, "transtime": 0})
	h.wantNumber(dimmable, 11, zcl.ClusterLevelControl, level, 100)
	h.wantNumber(dimmable, 11, zcl.ClusterOnOff, zcl.AttrOnOffOnOff, 1)
	for _, d := range []*Device{white, hue} {
		endpoint := int(d.Model().Endpoints[0].ID)
		h.ask(d, endpoint, "command", "cluster", "genOnOff", "command", "on")
		h.ask(d, endpoint, "command", "cluster", "lightingColorCtrl", "command", "moveToColorTemp", "payload", map[string]int{"colortemp": 100, "transtime": 0})
	}
	h.wantNumber(white, 1, zcl.ClusterColorControl, zcl.AttrColorControlColorTemperatureMireds, 250)
	h.wantNumber(hue, 11, zcl.ClusterColorControl, zcl.AttrColorControlColorTemperatureMireds, 153)
	h.ask(hue, 11, "command", "cluster", "lightingColorCtrl", "command", "moveToColor", "payload", map[string]int{"colorx": 30000, "colory": 20000, "transtime": 0})
	h.wantNumber(hue, 11, zcl.ClusterColorControl, zcl.AttrColorControlCurrentX, 30000)
	h.wantNumber(hue, 11, zcl.ClusterColorControl, zcl.AttrColorControlColorMode, 1)

	if len(white.Groups(1)) == 0 {
		h.ask(white, 1, "group", "group", 7)
		h.ask(hue, 11, "group", "group", 7)
	}
	h.host.do("groupCommand", "group", 7, "cluster", "genOnOff", "command", "off")
	h.wantNumber(white, 1, zcl.ClusterOnOff, zcl.AttrOnOffOnOff, 0)
	h.wantNumber(hue, 11, zcl.ClusterOnOff, zcl.AttrOnOffOnOff, 0)
	h.wantNumber(dimmable, 11, zcl.ClusterOnOff, zcl.AttrOnOffOnOff, 1)
}

// house controls what is no light.
func (h *household) house() {
	h.t.Helper()
	lock := h.device("door-lock")
	h.ask(lock, 1, "command", "cluster", "closuresDoorLock", "command", "unlockDoor", "payload", map[string]string{"pincodevalue": ""})
	h.wantNumber(lock, 1, zcl.ClusterDoorLock, zcl.AttrDoorLockLockState, 2)
	thermostat := h.device("thermostat")
	h.ask(thermostat, 1, "write", "cluster", "hvacThermostat", "attributes", map[string]int{"occupiedHeatingSetpoint": 2300})
	h.wantNumber(thermostat, 1, zcl.ClusterThermostat, zcl.AttrThermostatOccupiedHeatingSetpoint, 2300)
	h.wantNumber(thermostat, 1, zcl.ClusterThermostat, zcl.AttrThermostatRunningState, 1)
	cover := h.device("cover")
	h.ask(cover, 1, "command", "cluster", "closuresWindowCovering", "command", "goToTiltPercentage", "payload", map[string]int{"percentagetiltvalue": 0})
	siren := h.device("siren")
	h.ask(siren, 1, "command", "cluster", "ssIasWd", "command", "startWarning", "payload", map[string]int{"startwarninginfo": 0x17, "warningduration": 30, "strobedutycycle": 0, "strobelevel": 0})
	if !siren.Warning(1) {
		h.t.Error("the siren is silent")
	}
	dimmer := h.device("tuya-dimmer")
	h.ask(dimmer, 1, "command", "cluster", "manuSpecificTuya", "command", "dataRequest", "payload", map[string]any{"seq": 1, "dpValues": []any{map[string]any{"dp": 1, "datatype": 1, "data": []int{1}}}})
	if b := dimmer.Point(1); len(b) != 1 || b[0] != 1 {
		h.t.Errorf("the dimmer's point is % x", b)
	}
}

// reports come as they were configured, and only then.
func (h *household) reports() {
	h.t.Helper()
	plug := h.device("plug-metering")
	h.ask(plug, 1, "bind", "cluster", "haElectricalMeasurement")
	h.ask(plug, 1, "report", "cluster", "haElectricalMeasurement", "items", []any{
		map[string]any{"attribute": "activePower", "minimumReportInterval": 0, "maximumReportInterval": 300, "reportableChange": 50},
	})
	if err := plug.SetNumber(1, zcl.ClusterElectricalMeasurement, zcl.AttrElectricalMeasurementActivePower, 1234); err != nil {
		h.t.Error(err)
	}
	h.message(plug, "attributeReport", `"activePower":1234`)
	polled := h.device("plug-polled")
	_, err := h.host.try("report", "ieee", hexAddress(polled.IEEE()), "endpoint", 1, "cluster", "haElectricalMeasurement", "items", []any{
		map[string]any{"attribute": "activePower", "minimumReportInterval": 0, "maximumReportInterval": 300, "reportableChange": 1},
	})
	if err == nil || !strings.Contains(err.Error(), "UNREPORTABLE") {
		h.t.Errorf("reporting where there is none: %v", err)
	}
	motion := h.device("motion")
	if err := motion.SetNumber(1, zcl.ClusterIASZone, zcl.AttrIASZoneZoneStatus, 1); err != nil {
		h.t.Error(err)
	}
	h.message(motion, "commandStatusChangeNotification", `"zonestatus":1`)
	weather := h.device("lumi.weather")
	if err := weather.SetNumber(1, zcl.ClusterTemperatureMeasurement, zcl.AttrMeasuredValue, 1875); err != nil {
		h.t.Error(err)
	}
	h.message(weather, "attributeReport", `"measuredValue":1875`)
	weather.Tell()
	h.message(weather, "attributeReport", `"100":1875`)
	remote := h.device("remote-five-button")
	if err := remote.Press("brightness_up"); err != nil {
		h.t.Error(err)
	}
	h.message(remote, "commandStepWithOnOff", `"stepsize":43`)
	soil := h.device("tuya-soil")
	if err := soil.SetPoint(3, "value 17"); err != nil {
		h.t.Error(err)
	}
	h.ask(soil, 1, "read", "cluster", "genBasic", "attributes", []any{"manufacturerName", "zclVersion", "appVersion", "modelId", "powerSource", 0xfffe})
	h.message(soil, "commandDataReport", `"dp":3,"datatype":2,"data":{"type":"Buffer","data":[0,0,0,17]}`)
}

// TestZNPHerdsman is the whole life of a stick with a host that nobody here wrote.
func TestZNPHerdsman(t *testing.T) {
	h := newHousehold(t, "zstack", StickOptions{Protocol: ZNP, Forming: 200 * time.Millisecond})
	h.startZNP("reset")
	h.family[0].Pair(0)
	if h.family[0].Joined() {
		t.Error("a device came in through a closed door")
	}
	h.pairAtOnce()
	h.lights()
	h.house()
	h.reports()
	h.host.do("backup")
	h.stop()

	h.startZNP("resumed")
	h.lights()
	h.host.do("backup")
	h.stop()

	h.plug(StickOptions{Protocol: ZNP})
	h.startZNP("restored")
	h.lights()
	h.reported()
	h.stop()
}

// TestZNPHerdsmanOldChip is the same on a chip with another memory.
func TestZNPHerdsmanOldChip(t *testing.T) {
	h := newHousehold(t, "zstack", StickOptions{Protocol: ZNP, Chip: "CC2531"})
	h.family = h.family[:6]
	h.startZNP("reset")
	h.pairAtOnce()
	h.host.do("backup")
	h.stop()
	h.plug(StickOptions{Protocol: ZNP, Chip: "CC2531"})
	h.startZNP("restored")
	h.control()
	h.host.do("backup")
	h.stop()

	backup, err := os.ReadFile(filepath.Join(h.folder, "backup.json"))
	var saved struct {
		Devices []struct {
			Key *struct{ Key string } `json:"link_key"`
		}
	}
	if err != nil || json.Unmarshal(backup, &saved) != nil {
		t.Fatalf("backup: %v", err)
	}
	keys := 0
	for _, d := range saved.Devices {
		if d.Key != nil {
			keys++
		}
	}
	if keys < 4 {
		t.Errorf("%d link keys in the backup", keys)
	}
}

// TestZNPHerdsmanTroubles are faults as that host sees them: each of them must be what it says it is.
func TestZNPHerdsmanTroubles(t *testing.T) {
	h := newHousehold(t, "zstack", StickOptions{Protocol: ZNP})
	h.family = []*Device{h.device("light-dimmable"), h.device("thermostat")}
	lamp, thermostat := h.family[0], h.family[1]
	h.startZNP("reset")
	code := []byte{0x83, 0xfe, 0xd3, 0x40, 0x7a, 0x93, 0x97, 0x23, 0xa5, 0xc6, 0x39, 0xb2, 0x69, 0x16, 0xd5, 0x05, 0xc3, 0xb5}
	if err := thermostat.InstallCode(code); err != nil {
		t.Fatal(err)
	}
	h.host.do("installCode", "code", fmt.Sprintf("Z:%s$I:%X", thermostat.IEEE(), code))
	h.pair()
	ping := []any{"ieee", hexAddress(lamp.IEEE())}
	command := func(on string) {
		t.Helper()
		h.ask(lamp, 11, "command", "cluster", "genOnOff", "command", on)
		h.wantNumber(lamp, 11, zcl.ClusterOnOff, zcl.AttrOnOffOnOff, map[string]float64{"on": 1, "off": 0}[on])
	}

	h.stick.Fail(lamp, NoAck, 1)
	command("on")
	h.stick.Fail(lamp, ChannelAccess, 1)
	command("off")
	lamp.LoseRoute()
	command("on")
	lamp.Move()
	command("off")
	h.stick.Noise([]byte{0x00, 0x11, 0x22})
	command("on")
	h.stick.Fail(lamp, BufferFull, 1)
	if _, err := h.host.try("ping", ping...); err == nil || !strings.Contains(err.Error(), "BUFFER_FULL") {
		t.Errorf("no room: %v", err)
	}
	h.stick.LoseAnswers(1)
	if _, err := h.host.try("ping", ping...); err == nil || !strings.Contains(err.Error(), "SRSP - AF - dataRequest after") {
		t.Errorf("a lost answer: %v", err)
	}
	h.ask(lamp, 0, "leave")
	h.ask(thermostat, 1, "read", "cluster", "genBasic", "attributes", []string{"zclVersion"}) // so long it takes to leave
	if lamp.Joined() || !thermostat.Joined() {
		t.Error("the wrong one has left")
	}
	h.stick.Reset(Watchdog)
	if _, err := h.host.try("read", "ieee", hexAddress(thermostat.IEEE()), "endpoint", 1, "cluster", "genBasic", "attributes", []string{"modelId"}); err == nil || !strings.Contains(err.Error(), "NWK_INVALID_REQUEST") {
		t.Errorf("after a restart: %v", err)
	}
	h.host.quit()
	h.moves(thermostat)
}

// moves has the host take the network to another channel, as it does when its configuration says so.
func (h *household) moves(thermostat *Device) {
	t := h.t
	t.Helper()
	h.host = startHost(t, "zstack", serveTCP(t, h.stick), h.folder, `{"channelList": [20]}`)
	if got := h.host.do("start"); got != `"resumed"` {
		t.Errorf("start: %s", got)
	}
	h.ask(thermostat, 1, "read", "cluster", "genBasic", "attributes", []string{"modelId"})
	if n, _ := h.stick.Network(); n.Channel != 20 {
		t.Errorf("the network is on channel %d", n.Channel)
	}
	thermostat.Leave()
	h.host.until("the thermostat leaving", func(e hostEvent) bool {
		return e.Event == "deviceLeave" && e.IEEE == hexAddress(thermostat.IEEE())
	})
	h.stop()
}
