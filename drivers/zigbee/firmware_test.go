package zigbee

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/ota"
	"hearth/drivers/zigbee/zcl"
)

const (
	oldVersion = 0x01000000
	newVersion = 0x02010003
)

// imageFile is firmware by the layout of ZCL 11.4: a header and one element.
func imageFile(manufacturer, imageType uint16, version uint32, size int) []byte {
	b := make([]byte, 56)
	binary.LittleEndian.PutUint32(b, 0x0beef11e)
	binary.LittleEndian.PutUint16(b[4:], 0x0100)
	binary.LittleEndian.PutUint16(b[6:], uint16(len(b)))
	binary.LittleEndian.PutUint16(b[10:], manufacturer)
	binary.LittleEndian.PutUint16(b[12:], imageType)
	binary.LittleEndian.PutUint32(b[14:], version)
	copy(b[20:], "newer")
	b = binary.LittleEndian.AppendUint32(append(b, 0, 0), uint32(size))
	b = append(b, make([]byte, size)...)
	binary.LittleEndian.PutUint32(b[52:], uint32(len(b)))
	return b
}

// withFirmware makes a stack that has newer firmware for the devices of manufacturer 0x1234.
func withFirmware(t *testing.T, protocol fake.Protocol) (*stack, hearth.Env) {
	t.Helper()
	s, env := newStack(t, protocol), drivertest.NewEnv(t, "radio")
	dir := filepath.Join(env.Dir, firmwareDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new.ota"), imageFile(0x1234, 0x0114, newVersion, 3000), 0o600); err != nil {
		t.Fatal(err)
	}
	s.open(t, env, string(protocol))
	return s, env
}

func updatable(m *fake.Model, page uint16) *fake.Model {
	m.Manufacturer, m.Firmware = 0x1234, "1.0.0"
	m.Update = &fake.Update{ImageType: 0x0114, Version: oldVersion, Page: page}
	m.Endpoints[0].Out = []fake.Cluster{fake.Cluster(zcl.ClusterOTA)}
	return m
}

// update returns what GET /ota shows of the only device.
func (s *stack) update(t *testing.T) updateView {
	t.Helper()
	all := get[[]updateView](t, s.house, "/ota")
	if len(all) != 1 {
		t.Fatalf("there are %d devices with firmware: %+v", len(all), all)
	}
	return all[0]
}

func (s *stack) awaitUpdate(t *testing.T, id hearth.ID, state string) {
	t.Helper()
	s.home.Await(t, 30*time.Minute, "the update to be "+state, func() bool { return s.last(id, propertyUpdate) == hearth.TextOf(state) })
}

// checkUpdated also waits for what the device says of itself with its new firmware.
func (s *stack) checkUpdated(t *testing.T, d *fake.Device, id hearth.ID) {
	t.Helper()
	s.awaitUpdate(t, id, ota.Done)
	if v := d.FirmwareVersion(); v != newVersion {
		t.Errorf("the device has version 0x%08x", v)
	}
	s.home.Await(t, 10*time.Minute, "the new version", func() bool { now, _ := s.home.Device(id); return now.Firmware == "2.1.3" })
	s.expect(t, id, propertyProgress, hearth.NumberOf(100))
	if u := s.update(t).Upgrade; u == nil || u.State != ota.Done || u.From != oldVersion || u.To != newVersion || u.Bytes != u.Size || u.Size < 3000 || u.Error != "" {
		t.Errorf("%+v", u)
	}
}

func TestUpdate(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, _ := withFirmware(t, protocol)
		defer s.mesh.Close()
		d, id := s.pair(t, "bulb", updatable(bulb(), 0))
		path := "/ota/" + d.IEEE().String()
		if u := s.update(t); u.Version != nil || u.Available != nil || u.Upgrade != nil {
			t.Errorf("before the device was asked: %+v", u)
		}
		s.must(t, http.StatusAccepted, "POST", "/ota/check", "")
		wait(10 * time.Second)
		if u := s.update(t); u.Version == nil || *u.Version != oldVersion || u.Available == nil || u.Available.Version != newVersion {
			t.Errorf("after the device was asked: %+v", u)
		}

		s.must(t, http.StatusAccepted, "POST", path, "{}")
		s.awaitUpdate(t, id, ota.Downloading)
		s.must(t, http.StatusConflict, "POST", path, "")
		s.must(t, http.StatusNoContent, "DELETE", path, "")
		s.expect(t, id, propertyUpdate, hearth.TextOf(ota.Aborted))
		wait(time.Minute)
		if u := s.update(t).Upgrade; u.State != ota.Aborted || u.Bytes >= u.Size || d.FirmwareVersion() != oldVersion {
			t.Errorf("aborted: %+v", u)
		}

		s.must(t, http.StatusAccepted, "POST", path, "{}")
		s.awaitUpdate(t, id, ota.Downloading)
		s.stick.Reset(fake.Watchdog) // it goes on afterwards
		s.checkUpdated(t, d, id)
		s.must(t, http.StatusConflict, "POST", path, "")
		if err := s.set(id, "on", on); err != nil {
			t.Errorf("after the update: %v", err)
		}
		s.close(t)
	})
}

// A device that asks for pages, and has never asked what there is; the line breaks in between.
func TestUpdateByPages(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, _ := withFirmware(t, protocol)
		defer s.mesh.Close()
		d, id := s.pair(t, "bulb", updatable(bulb(), 512))
		s.must(t, http.StatusAccepted, "POST", "/ota/"+d.IEEE().String(), "")
		s.awaitUpdate(t, id, ota.Downloading)
		s.stick.Unplug()
		if err := <-s.done; err == nil {
			t.Error("Run does not say that the stick was unplugged")
		}
		s.stick.Plug()
		s.house.open(t)
		s.checkUpdated(t, d, id)
		s.close(t)
	})
}

// A battery that may not last through the update, or has not said whether it would.
func TestUpdateWithLowBattery(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s, env := withFirmware(t, protocol)
		defer s.mesh.Close()
		m := updatable(sensor(), 0)
		m.Poll = time.Second
		d, id := s.pair(t, "sensor", m)
		path := "/ota/" + d.IEEE().String()
		if err := d.SetNumber(1, zcl.ClusterPowerConfiguration, zcl.AttrPowerConfigurationBatteryPercentageRemaining, 2*50); err != nil {
			t.Fatal(err)
		}
		s.home.Await(t, 24*time.Hour, "the battery's charge", func() bool { return s.last(id, "battery") == hearth.NumberOf(50) })
		d.QueryImage()
		wait(10 * time.Second)
		if answer := s.must(t, http.StatusBadGateway, "POST", path, "{}"); !strings.Contains(string(answer), "50 %") {
			t.Errorf("refused with %s", answer)
		}
		if u := s.update(t).Upgrade; u != nil {
			t.Errorf("refused, and yet there is %+v", u)
		}
		s.close(t)

		s.open(t, env, string(protocol)) // which has not heard of the battery yet
		if answer := s.must(t, http.StatusBadGateway, "POST", path, "{}"); !strings.Contains(string(answer), "not said yet") {
			t.Errorf("refused with %s", answer)
		}
		s.must(t, http.StatusAccepted, "POST", path, `{"force":true}`)
		s.checkUpdated(t, d, id)
		s.close(t)
	})
}

// A device that restarts without a word is asked for its version; one that then has the old one has failed.
func TestVersionAfterwards(t *testing.T) {
	for _, version := range []uint32{newVersion, oldVersion} {
		a := newAir()
		inHouse(t, Config{}, a, func(h *house) {
			m := lamp(2, 0x1111)
			a.join(m)
			wait(10 * time.Second)
			if err := os.MkdirAll(filepath.Join(h.driver.env.Dir, firmwareDir), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(h.driver.env.Dir, firmwareDir, "new.ota"), imageFile(0x1234, 0x0114, newVersion, 100), 0o600); err != nil {
				t.Fatal(err)
			}
			h.must(t, http.StatusAccepted, "POST", "/ota/check", "")
			wait(time.Second)
			identity := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, 0x1234), 0x0114)
			say := func(sequence, command uint8, version uint32, before ...byte) {
				f := zcl.ClusterCommand(command, binary.LittleEndian.AppendUint32(append(before, identity...), version)...)
				f.Sequence = sequence
				a.say(m.message(zcl.ClusterOTA, f))
				wait(time.Second)
			}
			say(50, zcl.CmdOTAQueryNextImage, oldVersion, 0)
			h.must(t, http.StatusAccepted, "POST", "/ota/0000000000000002", "")
			wait(time.Second)
			h.expect(t, h.id(m), propertyUpdate, hearth.TextOf(ota.Offered))
			say(51, zcl.CmdOTAUpgradeEnd, newVersion, 0)
			h.expect(t, h.id(m), propertyUpdate, hearth.TextOf(ota.Restarting))
			a.with(func() { m.values["1/0019/0002"] = zcl.UintOf(zcl.Uint32, uint64(version)) })
			wait(2 * versionAfter)
			want := map[uint32]string{newVersion: ota.Done, oldVersion: ota.Failed}[version]
			if u, _ := h.driver.firmware.server.Upgrade(m.ieee); u.State != want || (u.Error != "") != (want == ota.Failed) {
				t.Errorf("%s: %+v", fmt.Sprintf("0x%08x", version), u)
			}
			h.expect(t, h.id(m), propertyUpdate, hearth.TextOf(want))
		})
	}
}
