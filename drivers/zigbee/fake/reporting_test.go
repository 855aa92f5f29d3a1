package fake

import (
	"bytes"
	"testing"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// reports takes what was reported since the last time, as numbers.
func (e *ear) reports() (values []float64) {
	e.t.Helper()
	for _, f := range e.take() {
		if !f.Global || f.Command != zcl.CommandReportAttributes {
			e.t.Errorf("heard %+v", f)
			continue
		}
		list, err := zcl.ParseReport(f.Payload)
		if err != nil {
			e.t.Error(err)
		}
		for _, a := range list {
			n, _ := a.Value.Number()
			values = append(values, n)
		}
	}
	return values
}

func (e *ear) wantReports(when string, want ...float64) {
	e.t.Helper()
	got := e.reports()
	if len(got) != len(want) {
		e.t.Fatalf("%s: reported %v, want %v", when, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			e.t.Errorf("%s: reported %v, want %v", when, got, want)
		}
	}
}

func TestReporting(t *testing.T) {
	const cluster, power = zcl.ClusterElectricalMeasurement, zcl.AttrElectricalMeasurementActivePower
	record := zcl.ReportingRecord{ID: power, Type: zcl.Int16, Min: 10, Max: 60, Change: zcl.IntOf(zcl.Int16, 50)}
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("plug-metering")
		e.take()
		e.set(d, 1, cluster, power, 100)
		e.wantReports("neither bound nor configured")
		e.bind(d, 1, cluster)
		e.bind(d, 1, zcl.ClusterMetering)
		e.set(d, 1, cluster, power, 200)
		e.wantReports("bound only")
		if a := e.ask(d, 1, cluster, zcl.ConfigureReporting(record)); !bytes.Equal(a.Payload, []byte{0}) {
			t.Fatalf("configured: %+v", a)
		}
		time.Sleep(11 * time.Second)
		e.set(d, 1, cluster, power, 240)
		e.wantReports("a small change")
		e.set(d, 1, cluster, power, 260)
		e.wantReports("a large change", 260)
		e.set(d, 1, cluster, power, 400)
		e.set(d, 1, cluster, power, 500)
		e.wantReports("too soon")
		time.Sleep(11 * time.Second)
		e.wantReports("after the least interval", 500)
		time.Sleep(61 * time.Second)
		e.wantReports("after the greatest interval", 500)
		read, err := zcl.ParseReadReportingResponse(e.ask(d, 1, cluster, zcl.ReadReporting(zcl.ReportingRef{ID: power}, zcl.ReportingRef{ID: 0x0508})).Payload)
		if err != nil || len(read) != 2 || read[0].Max != 60 || read[0].Change.Int() != 50 || read[1].Status != zcl.NotFound {
			t.Errorf("read back %+v, %v", read, err)
		}
		record.Max = zcl.NeverReport
		e.ask(d, 1, cluster, zcl.ConfigureReporting(record))
		e.set(d, 1, cluster, power, 5000)
		time.Sleep(time.Hour)
		e.wantReports("turned off")
	})
}

func TestReportingIsRefused(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		plug, polled, light := e.add("plug-metering"), e.add("plug-polled"), e.add("sensor-illuminance")
		status := func(d *Device, cluster uint16, r zcl.ReportingRecord) zcl.Status {
			t.Helper()
			list, err := zcl.ParseConfigureReportingResponse(e.ask(d, 1, cluster, zcl.ConfigureReporting(r)).Payload)
			switch {
			case err != nil:
				t.Error(err)
			case len(list) > 0:
				return list[0].Status
			}
			return zcl.Success
		}
		measured := zcl.ReportingRecord{ID: zcl.AttrElectricalMeasurementRMSVoltage, Type: zcl.Uint16, Max: 60, Change: zcl.UintOf(zcl.Uint16, 1)}
		wrong := measured
		wrong.Type, wrong.Change = zcl.Int16, zcl.IntOf(zcl.Int16, 1)
		missing := measured
		missing.ID = 0x7777
		inverted := measured
		inverted.Min = 100
		battery := func(id uint16) zcl.ReportingRecord {
			return zcl.ReportingRecord{ID: id, Type: zcl.Uint8, Max: 60, Change: zcl.UintOf(zcl.Uint8, 1)}
		}
		for _, c := range []struct {
			d       *Device
			cluster uint16
			record  zcl.ReportingRecord
			want    zcl.Status
		}{
			{plug, zcl.ClusterElectricalMeasurement, wrong, zcl.InvalidDataType},
			{plug, zcl.ClusterElectricalMeasurement, missing, zcl.UnsupportedAttribute},
			{plug, zcl.ClusterElectricalMeasurement, inverted, zcl.InvalidValue},
			{plug, zcl.ClusterElectricalMeasurement, measured, zcl.Success},
			{polled, zcl.ClusterElectricalMeasurement, measured, zcl.UnreportableAttribute},
			{light, zcl.ClusterPowerConfiguration, battery(zcl.AttrPowerConfigurationBatteryVoltage), zcl.Success},
			{light, zcl.ClusterPowerConfiguration, battery(zcl.AttrPowerConfigurationBatteryPercentageRemaining), zcl.InsufficientSpace},
		} {
			if got := status(c.d, c.cluster, c.record); got != c.want {
				t.Errorf("%s: %s, want %s", c.d.Name(), got, c.want)
			}
		}
	})
}

func TestBindingTable(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("sensor-illuminance") // has room for two
		bind := func(cluster uint16) byte {
			b := zdo.Binding{Source: d.IEEE(), Endpoint: 1, Cluster: cluster, Destination: zdo.Destination{IsGroup: true, Group: 5}}
			return e.zdo(d, zdo.BindRequest{Sequence: 1, Binding: b})[1]
		}
		for i, want := range []zdo.Status{zdo.Success, zdo.Success, zdo.TableFull} {
			if got := zdo.Status(bind(uint16(i))); got != want {
				t.Errorf("binding %d: %s", i, got)
			}
		}
		table, err := zdo.ParseBindingTableResponse(e.zdo(d, zdo.BindingTableRequest{Sequence: 2, Start: 1}))
		if err != nil || table.Total != 2 || len(table.Bindings) != 1 || table.Bindings[0].Cluster != 1 || !table.Bindings[0].Destination.IsGroup {
			t.Errorf("table %+v, %v", table, err)
		}
		b := table.Bindings[0]
		for _, want := range []zdo.Status{zdo.Success, zdo.NoEntry} {
			if got := zdo.Status(e.zdo(d, zdo.UnbindRequest{Sequence: 3, Binding: b})[1]); got != want {
				t.Errorf("unbind: %s, want %s", got, want)
			}
		}
		b.Source++
		if got := zdo.Status(e.zdo(d, zdo.BindRequest{Sequence: 1, Binding: b})[1]); got != zdo.NotSupported {
			t.Errorf("somebody else's binding: %s", got)
		}
	})
}

// TestBoundDevicesTalkToEachOther is a remote that switches a lamp and a group without the coordinator.
func TestBoundDevicesTalkToEachOther(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		remote, lamp, other := e.add("remote-dimmer"), e.add("light-dimmable"), e.add("plug-metering")
		b := zdo.Binding{Source: remote.IEEE(), Endpoint: 1, Cluster: zcl.ClusterOnOff, Destination: zdo.Destination{IEEE: lamp.IEEE(), Endpoint: 11}}
		e.zdo(remote, zdo.BindRequest{Binding: b})
		b.Destination = zdo.Destination{IsGroup: true, Group: 9}
		e.zdo(remote, zdo.BindRequest{Binding: b})
		e.ask(other, 1, zcl.ClusterGroups, zcl.ClusterCommand(zcl.CmdGroupsAdd, 9, 0, 0))
		e.mesh.do(func() { e.heard = nil })
		if err := remote.Press("on"); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			d        *Device
			endpoint uint8
		}{{lamp, 11}, {other, 1}} {
			if on, _ := c.d.Get(c.endpoint, zcl.ClusterOnOff, zcl.AttrOnOffOnOff); !on.Bool() {
				t.Errorf("%s is off", c.d.Name())
			}
		}
		if len(e.heard) != 1 || !e.heard[0].Group || e.heard[0].Target != radio.NWK(9) {
			t.Errorf("the coordinator heard %+v", e.heard)
		}
		e.mesh.do(func() { e.stick.down() })
		if err := remote.Press("off"); err != nil {
			t.Fatal(err)
		}
		if on, _ := lamp.Get(11, zcl.ClusterOnOff, zcl.AttrOnOffOnOff); on.Bool() {
			t.Error("without a coordinator the remote does not reach the lamp")
		}
		if err := remote.Press("nothing"); err == nil {
			t.Error("it has any button")
		}
	})
}

// TestRestoredCoordinatorElsewhere is a stick with another address of its own: bindings to the old one lead nowhere.
func TestRestoredCoordinatorElsewhere(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("sensor-co2")
		record := zcl.ReportingRecord{ID: zcl.AttrMeasuredValue, Type: zcl.Float32, Max: 60, Change: zcl.FloatOf(zcl.Float32, 0)}
		e.bind(d, 1, zcl.ClusterCarbonDioxide, record)
		e.set(d, 1, zcl.ClusterCarbonDioxide, zcl.AttrMeasuredValue, 0.0008)
		e.wantReports("bound", 0.0008)
		n := earNetwork()
		n.Coordinator++
		e.plug(n, 0)
		e.set(d, 1, zcl.ClusterCarbonDioxide, zcl.AttrMeasuredValue, 0.0009)
		e.wantReports("another coordinator")
	})
}

func TestEchoes(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("light-dimmable")
		e.mesh.do(func() { e.heard = nil })
		d.Echo(2)
		d.Say(11, zcl.ClusterOnOff, zcl.ReportAttributes())
		if len(e.heard) != 3 || e.heard[0].Sequence != e.heard[2].Sequence {
			t.Errorf("heard %+v", e.heard)
		}
	})
}

func BenchmarkReports(b *testing.B) {
	m := NewMesh(MeshOptions{Seed: 1})
	defer m.Close()
	e := &ear{mesh: m}
	e.plug(earNetwork(), 0)
	e.allow(255)
	models, err := Models()
	if err != nil {
		b.Fatal(err)
	}
	d, err := m.Add(models[0].Name, models[0])
	if err != nil {
		b.Fatal(err)
	}
	d.Pair(0)
	f := zcl.ReportAttributes(zcl.Attribute{ID: 0, Value: zcl.UintOf(zcl.Uint16, 1)})
	for b.Loop() {
		d.Say(1, zcl.ClusterTemperatureMeasurement, f)
		e.heard = e.heard[:0]
	}
}
