package fake

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// wantNumber looks at an attribute of a device.
func (e *ear) wantNumber(d *Device, endpoint uint8, cluster, attribute uint16, want float64) {
	e.t.Helper()
	value, ok := d.Get(endpoint, cluster, attribute)
	if got, _ := value.Number(); !ok || got != want {
		e.t.Errorf("%s: %s %s is %v, want %v", d.Name(), zcl.ClusterName(cluster), zcl.AttributeName(cluster, attribute), value, want)
	}
}

func TestOnOffAndLevel(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		const on, level = zcl.AttrOnOffOnOff, zcl.AttrLevelControlCurrentLevel
		d := e.add("light-dimmable")
		want := func(onOff, bright float64) {
			t.Helper()
			e.wantNumber(d, 11, zcl.ClusterOnOff, on, onOff)
			e.wantNumber(d, 11, zcl.ClusterLevelControl, level, bright)
		}
		command := func(cluster uint16, command uint8, payload ...byte) {
			t.Helper()
			e.command(d, 11, cluster, zcl.Success, command, payload...)
		}
		want(0, 254)
		command(zcl.ClusterLevelControl, zcl.CmdLevelControlMoveToLevel, 100, 0, 0)
		want(0, 254) // off, and not told to do it all the same
		command(zcl.ClusterLevelControl, zcl.CmdLevelControlMoveToLevel, 90, 0, 0, 1, 1)
		want(0, 90)
		command(zcl.ClusterLevelControl, zcl.CmdLevelControlMoveToLevelWithOnOff, 200, 20, 0)
		want(1, 90)
		time.Sleep(1100 * time.Millisecond)
		want(1, 145)
		time.Sleep(time.Second)
		want(1, 200)
		command(zcl.ClusterLevelControl, zcl.CmdLevelControlStep, 1, 50, 0, 0)
		want(1, 150)
		command(zcl.ClusterLevelControl, zcl.CmdLevelControlMove, 0, 10)
		time.Sleep(4 * time.Second)
		command(zcl.ClusterLevelControl, zcl.CmdLevelControlStop)
		time.Sleep(time.Minute)
		want(1, 176)
		command(zcl.ClusterOnOff, zcl.CmdOnOffToggle)
		want(0, 176)
		command(zcl.ClusterOnOff, zcl.CmdOnOffOnWithTimedOff, 0, 20, 0, 0, 0)
		want(1, 176)
		time.Sleep(3 * time.Second)
		want(0, 176)
		command(zcl.ClusterLevelControl, zcl.CmdLevelControlMoveToLevelWithOnOff, 50, 0, 0)
		command(zcl.ClusterLevelControl, zcl.CmdLevelControlMoveToLevelWithOnOff, 0, 0, 0)
		want(0, 1)
		e.command(d, 11, zcl.ClusterOnOff, zcl.UnsupportedClusterCommand, 0x33)
		e.command(d, 11, zcl.ClusterLevelControl, zcl.MalformedCommand, zcl.CmdLevelControlMoveToLevel, 1)
		e.command(d, 11, zcl.ClusterThermostat, zcl.UnsupportedCluster, 0)
	})
}

func TestColor(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		hue, ikea := e.add("light-hue-color"), e.add("light-white-ambiance")
		e.command(ikea, 1, zcl.ClusterColorControl, zcl.Success, zcl.CmdColorControlMoveToColorTemperature, 0x2c, 1, 0, 0)
		e.wantNumber(ikea, 1, zcl.ClusterColorControl, zcl.AttrColorControlColorTemperatureMireds, 370) // it is off
		e.command(ikea, 1, zcl.ClusterOnOff, zcl.Success, zcl.CmdOnOffOn)
		e.command(ikea, 1, zcl.ClusterColorControl, zcl.Success, zcl.CmdColorControlMoveToColorTemperature, 0xff, 0, 0, 0)
		e.wantNumber(ikea, 1, zcl.ClusterColorControl, zcl.AttrColorControlColorTemperatureMireds, 255)
		e.command(ikea, 1, zcl.ClusterColorControl, zcl.Success, zcl.CmdColorControlMoveToColorTemperature, 0xe8, 3, 0, 0)
		e.wantNumber(ikea, 1, zcl.ClusterColorControl, zcl.AttrColorControlColorTemperatureMireds, 454)

		e.command(hue, 11, zcl.ClusterOnOff, zcl.Success, zcl.CmdOnOffOn)
		for _, c := range []struct {
			command uint8
			payload []byte
			mode    float64
			values  map[uint16]float64
		}{
			{zcl.CmdColorControlMoveToColor, []byte{0, 0x40, 0, 0x50, 0, 0}, 1, map[uint16]float64{zcl.AttrColorControlCurrentX: 0x4000, zcl.AttrColorControlCurrentY: 0x5000}},
			{zcl.CmdColorControlMoveToHueAndSaturation, []byte{100, 200, 0, 0}, 0, map[uint16]float64{zcl.AttrColorControlCurrentHue: 100, zcl.AttrColorControlCurrentSaturation: 200}},
			{zcl.CmdColorControlEnhancedMoveToHueAndSaturation, []byte{0x34, 0x12, 50, 0, 0}, 0, map[uint16]float64{zcl.AttrColorControlEnhancedCurrentHue: 0x1234, zcl.AttrColorControlCurrentHue: 0x12}},
			{zcl.CmdColorControlMoveToColorTemperature, []byte{200, 0, 0, 0}, 2, map[uint16]float64{zcl.AttrColorControlColorTemperatureMireds: 200}},
			{zcl.CmdColorControlStepColorTemperature, []byte{1, 30, 0, 0, 0, 0, 0, 0, 0}, 2, map[uint16]float64{zcl.AttrColorControlColorTemperatureMireds: 230}},
		} {
			e.command(hue, 11, zcl.ClusterColorControl, zcl.Success, c.command, c.payload...)
			e.wantNumber(hue, 11, zcl.ClusterColorControl, zcl.AttrColorControlColorMode, c.mode)
			for id, want := range c.values {
				e.wantNumber(hue, 11, zcl.ClusterColorControl, id, want)
			}
		}
	})
}

func TestGroupsAndScenes(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("light-dimmable")
		ask := func(cluster uint16, command uint8, want []byte, payload ...byte) {
			t.Helper()
			if a := e.ask(d, 11, cluster, zcl.ClusterCommand(command, payload...)); a.Command != command || !bytes.Equal(a.Payload, want) {
				t.Errorf("command 0x%02x: %+v, want % x", command, a, want)
			}
		}
		ask(zcl.ClusterScenes, zcl.CmdScenesStore, []byte{byte(zcl.InvalidField), 7, 0, 1}, 7, 0, 1) // not in that group
		ask(zcl.ClusterGroups, zcl.CmdGroupsAdd, []byte{0, 7, 0}, 7, 0, 0)
		ask(zcl.ClusterGroups, zcl.CmdGroupsAdd, []byte{byte(zcl.DuplicateExists), 7, 0}, 7, 0, 0)
		ask(zcl.ClusterGroups, zcl.CmdGroupsGetMembership, []byte{15, 1, 7, 0}, 0)
		ask(zcl.ClusterGroups, zcl.CmdGroupsView, []byte{byte(zcl.NotFound), 8, 0, 0}, 8, 0)

		e.command(d, 11, zcl.ClusterLevelControl, zcl.Success, zcl.CmdLevelControlMoveToLevelWithOnOff, 77, 0, 0)
		ask(zcl.ClusterScenes, zcl.CmdScenesStore, []byte{0, 7, 0, 1}, 7, 0, 1)
		ask(zcl.ClusterScenes, zcl.CmdScenesView, []byte{0, 7, 0, 1, 0, 0, 0, 6, 0, 1, 1, 8, 0, 1, 77}, 7, 0, 1)
		ask(zcl.ClusterScenes, zcl.CmdScenesAdd, []byte{0, 7, 0, 2}, 7, 0, 2, 5, 0, 1, 'x', 6, 0, 1, 1, 8, 0, 1, 33)
		ask(zcl.ClusterScenes, zcl.CmdScenesGetMembership, []byte{0, 14, 7, 0, 2, 1, 2}, 7, 0)
		e.command(d, 11, zcl.ClusterScenes, zcl.Success, zcl.CmdScenesRecall, 7, 0, 2)
		e.wantNumber(d, 11, zcl.ClusterLevelControl, zcl.AttrLevelControlCurrentLevel, 33)
		e.command(d, 11, zcl.ClusterScenes, zcl.NotFound, zcl.CmdScenesRecall, 7, 0, 9)
		ask(zcl.ClusterScenes, zcl.CmdScenesRemove, []byte{0, 7, 0, 2}, 7, 0, 2)
		ask(zcl.ClusterScenes, zcl.CmdScenesRemoveAll, []byte{0, 7, 0}, 7, 0)

		e.take()
		off := zcl.ClusterCommand(zcl.CmdOnOffOff)
		e.message(radio.Message{Address: 7, Group: true, Local: 1, Remote: 0xff, Profile: profileHome, Cluster: zcl.ClusterOnOff, Data: off.Append(nil)})
		e.wantNumber(d, 11, zcl.ClusterOnOff, zcl.AttrOnOffOnOff, 0)
		if heard := e.take(); len(heard) > 0 {
			t.Errorf("a group command was answered: %+v", heard)
		}
		e.command(d, 11, zcl.ClusterGroups, zcl.Success, zcl.CmdGroupsRemoveAll)
		if groups := d.Groups(11); len(groups) > 0 {
			t.Errorf("still in groups %v", groups)
		}
	})
}

func TestHouse(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		cover := e.add("cover")
		e.command(cover, 1, zcl.ClusterWindowCovering, zcl.Success, zcl.CmdWindowCoveringGoToLiftPercentage, 40)
		e.command(cover, 1, zcl.ClusterWindowCovering, zcl.Success, zcl.CmdWindowCoveringGoToTiltPercentage, 80)
		e.wantNumber(cover, 1, zcl.ClusterWindowCovering, zcl.AttrWindowCoveringCurrentPositionLiftPercentage, 0)
		time.Sleep(travel)
		e.wantNumber(cover, 1, zcl.ClusterWindowCovering, zcl.AttrWindowCoveringCurrentPositionLiftPercentage, 40)
		e.wantNumber(cover, 1, zcl.ClusterWindowCovering, zcl.AttrWindowCoveringCurrentPositionTiltPercentage, 80)
		e.command(cover, 1, zcl.ClusterWindowCovering, zcl.Success, zcl.CmdWindowCoveringDownClose)
		time.Sleep(travel / 3)
		e.command(cover, 1, zcl.ClusterWindowCovering, zcl.Success, zcl.CmdWindowCoveringStop)
		time.Sleep(travel)
		e.wantNumber(cover, 1, zcl.ClusterWindowCovering, zcl.AttrWindowCoveringCurrentPositionLiftPercentage, 70)

		thermostat := e.add("thermostat")
		write := func(id uint16, v zcl.Value) zcl.Status {
			t.Helper()
			list, err := zcl.ParseWriteAttributesResponse(e.ask(thermostat, 1, zcl.ClusterThermostat, zcl.WriteAttributes(zcl.Attribute{ID: id, Value: v})).Payload)
			switch {
			case err != nil:
				t.Error(err)
			case len(list) > 0:
				return list[0].Status
			}
			return zcl.Success
		}
		for _, c := range []struct {
			id    uint16
			value zcl.Value
			want  zcl.Status
		}{
			{zcl.AttrThermostatOccupiedHeatingSetpoint, zcl.IntOf(zcl.Int16, 2400), zcl.Success},
			{zcl.AttrThermostatOccupiedHeatingSetpoint, zcl.UintOf(zcl.Uint16, 2400), zcl.InvalidDataType},
			{zcl.AttrThermostatLocalTemperature, zcl.IntOf(zcl.Int16, 2400), zcl.ReadOnly},
			{0x7777, zcl.IntOf(zcl.Int16, 2400), zcl.UnsupportedAttribute},
		} {
			if got := write(c.id, c.value); got != c.want {
				t.Errorf("writing 0x%04x: %s, want %s", c.id, got, c.want)
			}
		}
		e.wantNumber(thermostat, 1, zcl.ClusterThermostat, zcl.AttrThermostatRunningState, 1)
		e.command(thermostat, 1, zcl.ClusterThermostat, zcl.Success, zcl.CmdThermostatSetpointRaiseLower, 0, 0xce) // 5 degrees down
		e.wantNumber(thermostat, 1, zcl.ClusterThermostat, zcl.AttrThermostatOccupiedHeatingSetpoint, 1900)
		e.wantNumber(thermostat, 1, zcl.ClusterThermostat, zcl.AttrThermostatRunningState, 0)

		siren := e.add("siren")
		e.command(siren, 1, zcl.ClusterIASWD, zcl.Success, zcl.CmdIASWDStartWarning, 0x17, 10, 0, 0, 0)
		if !siren.Warning(1) {
			t.Error("the siren is silent")
		}
		time.Sleep(11 * time.Second)
		if siren.Warning(1) {
			t.Error("the siren does not end")
		}
	})
}

func TestDoorLock(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		model := familyModel(t, "door-lock")
		for i := range model.Endpoints[0].In {
			if c := &model.Endpoints[0].In[i]; uint16(c.Cluster) == zcl.ClusterDoorLock {
				c.Attributes["require_pin_for_rf_operation"] = "true w"
			}
		}
		d := e.join("lock", model)
		ask := func(command uint8, want []byte, payload ...byte) {
			t.Helper()
			if a := e.ask(d, 1, zcl.ClusterDoorLock, zcl.ClusterCommand(command, payload...)); a.Command != command || !bytes.Equal(a.Payload, want) {
				t.Errorf("command 0x%02x: %+v, want % x", command, a, want)
			}
		}
		ask(zcl.CmdDoorLockUnlock, []byte{1}, 4, '1', '2', '3', '4')
		ask(zcl.CmdDoorLockSetPINCode, []byte{0}, 2, 0, 1, 0, 4, '1', '2', '3', '4')
		ask(zcl.CmdDoorLockGetPINCode, []byte{2, 0, 1, 0, 4, '1', '2', '3', '4'}, 2, 0)
		ask(zcl.CmdDoorLockUnlock, []byte{0}, 4, '1', '2', '3', '4')
		e.wantNumber(d, 1, zcl.ClusterDoorLock, zcl.AttrDoorLockLockState, 2)
		ask(zcl.CmdDoorLockClearPINCode, []byte{0}, 2, 0)
		ask(zcl.CmdDoorLockLock, []byte{1}, 4, '1', '2', '3', '4')
		e.wantNumber(d, 1, zcl.ClusterDoorLock, zcl.AttrDoorLockLockState, 2)
	})
}

func TestDiscovery(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("light-hue-color")
		infos, complete, err := zcl.ParseDiscoverAttributesExtendedResponse(e.ask(d, 11, zcl.ClusterOnOff, zcl.DiscoverAttributesExtended(0x4000, 2)).Payload)
		if err != nil || complete || len(infos) != 2 || infos[0].ID != 0x4000 || infos[1].Access != zcl.Readable|zcl.Writable|zcl.Reportable {
			t.Errorf("attributes %+v, %v, %v", infos, complete, err)
		}
		ask := zcl.DiscoverAttributes(0, 10)
		ask.Manufacturer = 0x100b
		infos, complete, err = zcl.ParseDiscoverAttributesResponse(e.ask(d, 11, zcl.ClusterHueEffects, ask).Payload)
		if err != nil || !complete || len(infos) != 2 {
			t.Errorf("its maker's attributes %+v, %v, %v", infos, complete, err)
		}
		commands, complete, err := zcl.ParseDiscoverCommandsResponse(e.ask(d, 11, zcl.ClusterOnOff, zcl.DiscoverCommandsReceived(1, 2)).Payload)
		if err != nil || complete || !slices.Equal(commands, []uint8{1, 2}) {
			t.Errorf("commands %v, %v, %v", commands, complete, err)
		}
		ids := make([]uint16, 0, 30)
		for i := range uint16(30) {
			ids = append(ids, 0x5000+i)
		}
		if a := e.ask(d, 11, zcl.ClusterBasic, zcl.ReadAttributes(ids...)); len(a.Payload) > replyRoom {
			t.Errorf("an answer of %d bytes does not fit into a frame", len(a.Payload))
		}
	})
}
