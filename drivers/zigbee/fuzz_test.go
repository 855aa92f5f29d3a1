package zigbee

import (
	"testing"

	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// FuzzHandle gives the driver whatever a device can send: it must neither panic nor tell home what it has not announced.
func FuzzHandle(f *testing.F) {
	m := lamp(2, 0x1111)
	f.Add(uint16(0), uint16(zdo.ClusterDeviceAnnounce), zdo.DeviceAnnounce{NWK: 0x2222, IEEE: 3}.Append(nil))
	f.Add(uint16(0), uint16(zdo.ClusterNWKAddressRequest|0x8000), zdo.AddressResponse{IEEE: 2, NWK: 0x3333}.Append(nil))
	f.Add(uint16(0x0104), zcl.ClusterOnOff, zcl.ReportAttributes(zcl.Attribute{Value: zcl.BoolOf(true)}).Append(nil))
	f.Add(uint16(0x0104), zcl.ClusterBasic, zcl.ReportAttributes(zcl.Attribute{ID: 5, Value: zcl.TextOf("LAMP-1")}).Append(nil))
	f.Add(uint16(0x0104), zcl.ClusterTime, zcl.ReadAttributes(0, 1, 2, 5, 7).Append(nil))
	f.Add(uint16(0x0104), zcl.ClusterPollControl, zcl.ClusterResponse(checkIn).Append(nil))
	f.Fuzz(func(t *testing.T, profile, cluster uint16, data []byte) {
		env := drivertest.NewEnv(t, "radio")
		cfg := Config{}
		cfg.Port = "/dev/null"
		made, err := New(env, cfg)
		if err != nil {
			t.Fatal(err)
		}
		d, home := made.(*driver), drivertest.NewRecorder("radio")
		d.network = &network{Network: radio.Network{Coordinator: 1}, Address: 1}
		s := newSession(t.Context(), d, home)
		d.begin(s)
		d.mu.Lock()
		s.announceAll()
		d.mu.Unlock()
		s.handle(radio.Joined{NWK: m.nwk, IEEE: m.ieee})
		d.mu.Lock()
		dev := d.devices[m.ieee]
		dev.Vendor, dev.Model, dev.NodeRead, dev.EndpointsRead, dev.BasicRead, dev.FactsRead = "x", "y", true, true, true, true
		d.mu.Unlock()
		for _, from := range []radio.NWK{m.nwk, 0x7777} {
			for range 2 {
				s.handle(radio.Message{Address: from, Local: 1, Remote: 1, Profile: profile, Cluster: cluster, Data: data})
			}
		}
		d.end(s)
		for _, fault := range home.Faults() {
			t.Error(fault)
		}
	})
}
