package fake

import (
	"bytes"
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// writeCIE writes the coordinator's address into a zone.
func (e *ear) writeCIE(d *Device) {
	e.t.Helper()
	address := zcl.UintOf(zcl.IEEEAddress, uint64(earNetwork().Coordinator))
	e.send(d, 1, zcl.ClusterIASZone, zcl.WriteAttributes(zcl.Attribute{ID: zcl.AttrIASZoneCIEAddress, Value: address}))
	for _, f := range e.take() {
		if f.Global && f.Command == zcl.CommandWriteAttributesResponse && !bytes.Equal(f.Payload, []byte{0}) {
			e.t.Errorf("write: % x", f.Payload)
		}
	}
}

func (e *ear) enrolled(d *Device) bool {
	state, _ := d.Get(1, zcl.ClusterIASZone, zcl.AttrIASZoneZoneState)
	return state.Uint() == 1
}

// zoneCommands takes the zone's own commands that were heard.
func (e *ear) zoneCommands() (ids []uint8) {
	for _, f := range e.take() {
		if !f.Global {
			ids = append(ids, f.Command)
		}
	}
	return ids
}

func TestZoneEnrolment(t *testing.T) {
	const request, notification = zcl.CmdIASZoneEnrollRequest, zcl.CmdIASZoneStatusChangeNotification
	response := zcl.ClusterCommand(zcl.CmdIASZoneEnrollResponse, 0, 23)
	trip := func(e *ear, d *Device, status float64) {
		e.set(d, 1, zcl.ClusterIASZone, zcl.AttrIASZoneZoneStatus, status)
	}
	bubble(t, MeshOptions{Seed: 3, Linger: time.Hour}, func(t *testing.T, e *ear) {
		d := e.add("contact") // by response
		trip(e, d, 1)
		e.send(d, 1, zcl.ClusterIASZone, response)
		if e.enrolled(d) || len(e.zoneCommands()) > 0 {
			t.Error("a zone that has no address was enrolled, or spoke")
		}
		e.writeCIE(d)
		e.send(d, 1, zcl.ClusterIASZone, response)
		if got := e.zoneCommands(); !e.enrolled(d) || len(got) != 1 || got[0] != notification {
			t.Errorf("by response: enrolled %v, commands %v", e.enrolled(d), got)
		}
		trip(e, d, 0)
		if got := e.take(); len(got) != 1 || !bytes.Equal(got[0].Payload, []byte{0, 0, 0, 23, 0, 0}) {
			t.Errorf("closed: %+v", got)
		}

		d = e.add("motion") // by request
		e.send(d, 1, zcl.ClusterIASZone, response)
		if e.enrolled(d) {
			t.Error("by request: enrolled without having asked")
		}
		e.take()
		e.writeCIE(d)
		e.send(d, 1, zcl.ClusterIASZone, response)
		if !e.enrolled(d) {
			t.Error("by request: not enrolled")
		}
		trip(e, d, 1)
		time.Sleep(59 * time.Second)
		e.zoneCommands()
		time.Sleep(2 * time.Second)
		if got := e.zoneCommands(); len(got) != 1 {
			t.Errorf("motion did not end: %v", got)
		}

		d = e.add("leak") // when it is first wet
		e.take()
		e.writeCIE(d)
		e.send(d, 1, zcl.ClusterIASZone, response)
		if e.enrolled(d) {
			t.Error("by trip: enrolled while it was dry")
		}
		e.take()
		trip(e, d, 1)
		if got := e.zoneCommands(); len(got) != 1 || got[0] != request {
			t.Errorf("by trip: commands %v", got)
		}
		e.send(d, 1, zcl.ClusterIASZone, response)
		if got := e.zoneCommands(); !e.enrolled(d) || len(got) != 1 || got[0] != notification {
			t.Errorf("by trip: enrolled %v, commands %v", e.enrolled(d), got)
		}
	})
}

// commands takes the cluster commands that were heard: their number and their payload.
func (e *ear) commands() (all [][]byte) {
	for _, f := range e.take() {
		if !f.Global {
			all = append(all, append([]byte{f.Command}, f.Payload...))
		}
	}
	return all
}

// wantTuya compares what a Tuya device said, less the number of each message.
func (e *ear) wantTuya(what string, want ...[]byte) {
	e.t.Helper()
	got := e.commands()
	if len(got) != len(want) {
		e.t.Fatalf("%s: heard % x, want % x", what, got, want)
	}
	for i := range got {
		if got[i][0] != want[i][0] || !bytes.Equal(got[i][3:], want[i][1:]) {
			e.t.Errorf("%s: heard % x, want % x", what, got[i], want[i])
		}
	}
}

func TestTuya(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3, Linger: time.Hour}, func(t *testing.T, e *ear) {
		cover := e.add("tuya-cover")
		e.take()
		e.send(cover, 1, zcl.ClusterTuya, zcl.ClusterCommand(zcl.CmdTuyaDataRequest, 0, 9, 2, 2, 0, 4, 0, 0, 0, 60))
		e.wantTuya("set", []byte{1, 2, 2, 0, 4, 0, 0, 0, 60}, []byte{2, 3, 2, 0, 4, 0, 0, 0, 60})
		e.send(cover, 1, zcl.ClusterTuya, zcl.ClusterCommand(zcl.CmdTuyaDataRequest, 0, 9, 2, 1, 0, 1, 1)) // of another type
		e.send(cover, 1, zcl.ClusterTuya, zcl.ClusterCommand(zcl.CmdTuyaDataRequest, 0, 9, 99, 2, 0, 4, 0, 0, 0, 1))
		e.wantTuya("what it does not have")
		e.send(cover, 1, zcl.ClusterTuya, zcl.ClusterCommand(zcl.CmdTuyaMCUVersionRequest, 0, 1))
		e.wantTuya("version", []byte{0x11, 0x40})

		meter := e.add("tuya-meter")
		e.wantTuya("joined", []byte{0x24})
		now := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{0, 1}, 1_700_000_000), 1_700_003_600)
		e.send(meter, 1, zcl.ClusterTuya, zcl.ClusterCommand(zcl.CmdTuyaSetTime, now...))
		if meter.Clock() != 1_700_000_000 {
			t.Errorf("its clock is %d", meter.Clock())
		}
		e.take()
		e.send(meter, 1, zcl.ClusterTuya, zcl.ClusterCommand(zcl.CmdTuyaDataQuery))
		if got := e.commands(); len(got) != 2 || len(got[0]) != 3+8+5+8+8 {
			t.Errorf("packed: % x", got)
		}

		soil := e.add("tuya-soil")
		e.take()
		if err := soil.SetPoint(3, "value 50"); err != nil {
			t.Fatal(err)
		}
		e.wantTuya("before the magic words")
		e.send(soil, 1, zcl.ClusterBasic, zcl.ReadAttributes(4, 0, 1, 5, 7, 0xfffe))
		if got := e.commands(); len(got) != 4 {
			t.Errorf("after the magic words: % x", got)
		}
		if err := soil.SetPoint(3, "value 51"); err != nil {
			t.Fatal(err)
		}
		e.wantTuya("after them", []byte{2, 3, 2, 0, 4, 0, 0, 0, 51})
		for _, bad := range []string{"", "value x", "raw 0g", "what 1", "bool maybe"} {
			if err := soil.SetPoint(3, bad); err == nil {
				t.Errorf("%q was taken", bad)
			}
		}
		if err := e.add("motion").SetPoint(1, "bool true"); err == nil {
			t.Error("a device without points took one")
		}
	})
}

func TestXiaomi(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("lumi.weather")
		e.set(d, 1, zcl.ClusterTemperatureMeasurement, zcl.AttrMeasuredValue, -512)
		e.set(d, 1, zcl.ClusterTemperatureMeasurement, zcl.AttrMeasuredValue, -512)
		frames := e.take()
		if len(frames) != 3 || frames[0].Manufacturer != 0 || frames[1].Manufacturer != xiaomiCode {
			t.Fatalf("heard %+v", frames)
		}
		time.Sleep(51 * time.Minute)
		frames = e.take()
		if len(frames) != 1 {
			t.Fatalf("every 50 minutes: %+v", frames)
		}
		list, err := zcl.ParseReport(frames[0].Payload)
		want := []byte("\x01\x21\xbd\x0b\x04\x21\xa8\x13\x05\x21\x0c\x00\x06\x24\x01\x00\x00\x00\x00\x0a\x21\x00\x00\x64\x29\x00\xfe\x65\x21\x94\x11\x66\x2b\xb4\x8b\x01\x00")
		if err != nil || len(list) != 1 || list[0].ID != 0xff01 || list[0].Value.Type != zcl.CharString || !bytes.Equal(list[0].Value.Bytes(), want) {
			t.Errorf("said %+v, %v, want % x", list, err, want)
		}
		d.Wake()
		record := zcl.ReportingRecord{ID: zcl.AttrMeasuredValue, Type: zcl.Int16, Max: 60, Change: zcl.IntOf(zcl.Int16, 1)}
		e.send(d, 1, zcl.ClusterTemperatureMeasurement, zcl.ConfigureReporting(record))
		if frames := e.take(); len(frames) > 0 {
			t.Errorf("it answered %+v", frames)
		}
		plug := e.add("lumi.plug.maeu01")
		e.take()
		plug.Tell()
		list, err = zcl.ParseReport(e.take()[0].Payload)
		if err != nil || list[0].ID != 0x00f7 || list[0].Value.Type != zcl.OctetString || list[0].Value.Bytes()[0] != 3 {
			t.Errorf("the plug said %+v, %v", list, err)
		}
		motion := e.add("lumi.sensor_motion.aq2")
		e.take()
		if err := motion.Press("motion"); err != nil || len(e.take()) != 2 {
			t.Errorf("motion: %v", err)
		}
	})
}

func TestCheckIn(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		model := familyModel(t, "remote-four-button")
		model.CheckIn.Every = time.Hour
		d := e.join("remote", model)
		time.Sleep(30 * time.Minute)
		d.Wake()
		e.bind(d, 1, zcl.ClusterPollControl)
		e.take()
		time.Sleep(31 * time.Minute)
		if frames := e.take(); len(frames) != 1 || frames[0].Global || frames[0].Command != zcl.CmdPollControlCheckIn {
			t.Fatalf("heard %+v", frames)
		}
		time.Sleep(10 * time.Second)
		e.send(d, 1, zcl.ClusterBasic, zcl.ReadAttributes(0))
		if len(e.take()) > 0 {
			t.Error("it is awake though nobody asked it to be")
		}
		time.Sleep(time.Hour)
		e.take()
		d.Wake()
		e.send(d, 1, zcl.ClusterPollControl, zcl.ClusterCommand(zcl.CmdPollControlCheckInResponse, 1, 100, 0))
		e.take()
		time.Sleep(20 * time.Second)
		e.send(d, 1, zcl.ClusterBasic, zcl.ReadAttributes(0))
		if len(e.take()) != 1 {
			t.Error("it did not stay awake")
		}
		e.send(d, 1, zcl.ClusterPollControl, zcl.ClusterCommand(zcl.CmdPollControlFastPollStop))
		e.take()
		time.Sleep(10 * time.Second)
		e.send(d, 1, zcl.ClusterBasic, zcl.ReadAttributes(0))
		if len(e.take()) > 0 {
			t.Error("it does not fall asleep again")
		}
	})
}

// otaImage is an upgrade file for a device.
func otaImage(maker, kind uint16, version uint32, content int) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0x0beef11e)
	b = le.AppendUint16(le.AppendUint16(le.AppendUint16(b, 0x0100), 56), 0)
	b = le.AppendUint32(le.AppendUint16(le.AppendUint16(b, maker), kind), version)
	b = append(le.AppendUint16(b, 2), make([]byte, 32)...)
	b = le.AppendUint32(b, uint32(56+6+content))
	b = le.AppendUint32(le.AppendUint16(b, 0), uint32(content))
	return append(b, bytes.Repeat([]byte{0x5a}, content)...)
}

// serveImage answers a client's requests until it asks for no more, and returns how the client found the image.
func serveImage(t *testing.T, e *ear, d *Device, endpoint uint8, image []byte, head []byte) (verdict zcl.Status, blocks int) {
	t.Helper()
	say := func(command uint8, payload ...byte) {
		f := zcl.ClusterResponse(command, payload...)
		e.send(d, endpoint, zcl.ClusterOTA, f)
	}
	for range 10_000 {
		var frames []zcl.Frame
		for _, f := range e.take() {
			if !f.Global {
				frames = append(frames, f)
			}
		}
		if len(frames) == 0 {
			t.Fatal("the client has gone quiet")
		}
		switch f := frames[0]; f.Command {
		case zcl.CmdOTAQueryNextImage:
			say(zcl.CmdOTAQueryNextImageResponse, append(append([]byte{0}, head...), byte(len(image)), byte(len(image)>>8), 0, 0)...)
		case zcl.CmdOTAImageBlock, zcl.CmdOTAImagePage:
			offset, most := int(binary.LittleEndian.Uint32(f.Payload[9:])), int(f.Payload[13])
			end := offset + most
			if f.Command == zcl.CmdOTAImagePage {
				end = offset + int(binary.LittleEndian.Uint16(f.Payload[14:]))
			}
			for ; offset < min(end, len(image)); offset += most {
				part := image[offset:min(offset+most, end, len(image))]
				at := binary.LittleEndian.AppendUint32(append([]byte{0}, head...), uint32(offset))
				blocks++
				say(zcl.CmdOTAImageBlockResponse, append(append(at, byte(len(part))), part...)...)
			}
		case zcl.CmdOTAUpgradeEnd:
			say(zcl.CmdOTAUpgradeEndResponse, append(append([]byte{}, head...), 0, 0, 0, 0, 5, 0, 0, 0)...)
			return zcl.Status(f.Payload[0]), blocks
		default:
			t.Fatalf("the client says %+v", f)
		}
	}
	t.Fatal("there is no end to it")
	return 0, 0
}

func TestUpdate(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		for _, name := range []string{"sensor-pm25", "light-hue-color"} { // block by block, and by pages
			d := e.add(name)
			endpoint := d.Model().Endpoints[0].ID
			u := d.Model().Update
			version := u.Version + 1
			head := binary.LittleEndian.AppendUint16(nil, d.Model().Manufacturer)
			head = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16(head, u.ImageType), version)
			broken := otaImage(d.Model().Manufacturer, u.ImageType, version, 3000)
			broken[60]++ // the length of its element
			e.take()
			e.send(d, endpoint, zcl.ClusterOTA, zcl.ClusterResponse(zcl.CmdOTAImageNotify, 0, 100))
			if verdict, _ := serveImage(t, e, d, endpoint, broken, head); verdict != zcl.InvalidImage {
				t.Errorf("%s: a broken image: %s", name, verdict)
			}
			time.Sleep(time.Minute)
			if d.FirmwareVersion() != u.Version {
				t.Errorf("%s: it took a broken image", name)
			}
			e.take()
			d.QueryImage()
			verdict, blocks := serveImage(t, e, d, endpoint, otaImage(d.Model().Manufacturer, u.ImageType, version, 3000), head)
			if verdict != zcl.Success || blocks < 40 {
				t.Errorf("%s: %s after %d blocks", name, verdict, blocks)
			}
			e.mesh.do(func() { e.heard = nil })
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if d.FirmwareVersion() != version || len(e.heard) == 0 || e.heard[0].Profile != 0 {
				t.Errorf("%s: it runs %08x", name, d.FirmwareVersion())
			}
		}
	})
}

func TestUpdateWaitsAndTriesAgain(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("sensor-pm25")
		e.take()
		d.QueryImage()
		query := e.take()[0].Payload
		if want := []byte{1, 0x7c, 0x11, 0x0f, 0x11, 0x11, 0, 0, 1, 0, 0}; !bytes.Equal(query, want) {
			t.Errorf("query % x, want % x", query, want)
		}
		head := []byte{0x7c, 0x11, 0x0f, 0x11, 0x12, 0, 0, 1}
		e.send(d, 1, zcl.ClusterOTA, zcl.ClusterResponse(zcl.CmdOTAQueryNextImageResponse, append(append([]byte{0}, head...), 0, 4, 0, 0)...))
		if got := len(e.take()); got != 1 {
			t.Fatalf("%d requests", got)
		}
		e.send(d, 1, zcl.ClusterOTA, zcl.ClusterResponse(zcl.CmdOTAImageBlockResponse, byte(zcl.WaitForData), 10, 0, 0, 0, 40, 0, 0, 0))
		time.Sleep(29 * time.Second)
		if got := len(e.take()); got != 0 {
			t.Errorf("it did not wait")
		}
		time.Sleep(2 * time.Second)
		if got := len(e.take()); got != 1 {
			t.Errorf("%d requests after the wait", got)
		}
		time.Sleep(otaRetry)
		if got := len(e.take()); got != 1 {
			t.Errorf("%d requests when no block came", got)
		}
		time.Sleep((otaTries + 2) * otaRetry)
		if got := len(e.take()); got != otaTries-2 {
			t.Errorf("%d requests until it gave up", got)
		}
		time.Sleep(otaRest)
		if got := e.take(); len(got) != 1 || got[0].Command != zcl.CmdOTAQueryNextImage {
			t.Errorf("after its rest: %+v", got)
		}
		e.send(d, 1, zcl.ClusterOTA, zcl.ClusterResponse(zcl.CmdOTAImageBlockResponse, byte(zcl.Abort)))
		time.Sleep(time.Minute)
		if got := len(e.take()); got != 0 {
			t.Errorf("%d requests after the end", got)
		}
		read := zcl.ReadAttributes(zcl.AttrOTACurrentFileVersion)
		read.ToClient = true
		got, err := zcl.ParseReadAttributesResponse(e.ask(d, 1, zcl.ClusterOTA, read).Payload)
		if err != nil || len(got) != 1 || got[0].Value.Uint() != 0x01000011 {
			t.Errorf("version %+v, %v", got, err)
		}
	})
}

func TestFiveButtonsBeforeTheyAreBound(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("remote-five-button")
		e.mesh.do(func() { e.heard = nil })
		if err := d.Press("arrow_left"); err != nil {
			t.Fatal(err)
		}
		if len(e.heard) != 1 || !e.heard[0].Group || e.heard[0].Target != radio.NWK(901) {
			t.Fatalf("heard %+v", e.heard)
		}
		f := e.take()[0]
		if f.Manufacturer != 0x117c || f.ToClient || f.Command != 7 || !bytes.Equal(f.Payload, []byte{1, 1, 13, 0}) {
			t.Errorf("said %+v", f)
		}
	})
}
