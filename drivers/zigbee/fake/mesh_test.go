package fake

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

func TestJoining(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d, err := e.mesh.Add("lamp", familyModel(t, "light-dimmable"))
		if err != nil {
			t.Fatal(err)
		}
		d.Pair(0)
		if d.Joined() || len(e.arrivals) > 0 {
			t.Fatal("it came in through a closed door")
		}
		d.Pair(10 * time.Second)
		time.Sleep(5 * time.Second)
		e.allow(3)
		time.Sleep(time.Second)
		synctest.Wait()
		if !d.Joined() || len(e.arrivals) != 1 || e.arrivals[0].IEEE != d.IEEE() || e.arrivals[0].NWK != d.NWK() || !e.arrivals[0].Router {
			t.Fatalf("joined %v, arrivals %+v", d.Joined(), e.arrivals)
		}
		want := zdo.DeviceAnnounce{Sequence: 1, NWK: d.NWK(), IEEE: d.IEEE(), Capability: zdo.FullFunction | zdo.Mains | zdo.RxOnWhenIdle | zdo.AllocateAddress}
		if len(e.heard) == 0 || !bytes.Equal(e.heard[0].Data, want.Append(nil)) || e.heard[0].Target != radio.BroadcastAwake {
			t.Errorf("heard %+v", e.heard)
		}
		time.Sleep(3 * time.Second)
		late, _ := e.mesh.Add("late", familyModel(t, "light-dimmable"))
		late.Pair(0)
		if late.Joined() {
			t.Error("the door did not close")
		}
		d.Leave()
		if d.Joined() || len(e.gone) != 1 || e.gone[0].IEEE != d.IEEE() || e.gone[0].Confirms {
			t.Errorf("left: %+v", e.gone)
		}
	})
}

func TestJoiningWithKeys(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		code := []byte{0x83, 0xfe, 0xd3, 0x40, 0x7a, 0x93, 0x97, 0x23, 0xa5, 0xc6, 0x39, 0xb2, 0x69, 0x16, 0xd5, 0x05, 0xc3, 0xb5}
		key := radio.Key{0x66, 0xb6, 0x90, 0x09, 0x81, 0xe1, 0xee, 0x3c, 0xa4, 0x20, 0x6b, 0x6b, 0x86, 0x1c, 0x02, 0xbb}
		d, _ := e.mesh.Add("trv", familyModel(t, "thermostat"))
		if err := d.InstallCode(code); err != nil {
			t.Fatal(err)
		}
		if err := d.InstallCode(append(slices.Clone(code[:17]), 0)); err == nil {
			t.Error("a wrong checksum was taken")
		}
		e.allow(60)
		d.Pair(0)
		if d.Joined() || len(e.arrivals) != 1 {
			t.Error("it joined without its key, or the trust centre did not hear of it")
		}
		e.keys[d.IEEE()] = key
		d.Pair(0)
		if !d.Joined() {
			t.Error("it did not join with its key")
		}

		e.refuses = true
		modern, _ := e.mesh.Add("modern", familyModel(t, "light-dimmable"))
		old, _ := e.mesh.Add("old", familyModel(t, "lumi.sensor_magnet.aq2"))
		modern.Pair(0)
		old.Pair(0)
		if modern.Joined() || !old.Joined() {
			t.Errorf("without a key of its own: Zigbee 3.0 %v, before %v", modern.Joined(), old.Joined())
		}
	})
}

func TestFamilyAnswersForItself(t *testing.T) {
	models, err := Models()
	if err != nil {
		t.Fatal(err)
	}
	if len(models) < 30 {
		t.Errorf("only %d models", len(models))
	}
	for _, model := range models {
		t.Run(model.Name, func(t *testing.T) {
			bubble(t, MeshOptions{Seed: 5}, func(t *testing.T, e *ear) { interview(t, e, e.join(model.Name, model)) })
		})
	}
}

// interview asks a device what every host asks.
func interview(t *testing.T, e *ear, d *Device) {
	node, err := zdo.ParseNodeDescriptorResponse(e.zdo(d, zdo.NodeDescriptorRequest{Sequence: 9, NWK: d.NWK()}))
	if err != nil || node.Status != zdo.Success || node.Sequence != 9 || node.NWK != d.NWK() || node.Descriptor.Manufacturer != d.Model().Manufacturer {
		t.Errorf("node descriptor %+v, %v", node, err)
	}
	power, err := zdo.ParsePowerDescriptorResponse(e.zdo(d, zdo.PowerDescriptorRequest{Sequence: 1, NWK: d.NWK()}))
	if err != nil || power.Status != zdo.Success {
		t.Errorf("power descriptor %+v, %v", power, err)
	}
	active, err := zdo.ParseEndpointsResponse(e.zdo(d, zdo.ActiveEndpointsRequest{Sequence: 1, NWK: d.NWK()}))
	if err != nil || len(active.Endpoints) != len(d.Model().Endpoints) {
		t.Errorf("active endpoints %+v, %v", active, err)
	}
	for i, id := range active.Endpoints {
		simple, err := zdo.ParseSimpleDescriptorResponse(e.zdo(d, zdo.SimpleDescriptorRequest{Sequence: 1, NWK: d.NWK(), Endpoint: id}))
		if want := d.Model().Endpoints[i]; err != nil || simple.Descriptor.Endpoint != want.ID || simple.Descriptor.Device != want.Device || len(simple.Descriptor.In) != len(want.In) {
			t.Errorf("simple descriptor %+v, %v", simple, err)
		}
		if !slices.Contains(simple.Descriptor.In, zcl.ClusterBasic) {
			continue
		}
		answer := e.ask(d, id, zcl.ClusterBasic, zcl.ReadAttributes(zcl.AttrBasicManufacturerName, zcl.AttrBasicModelIdentifier, 0x7777))
		got, err := zcl.ParseReadAttributesResponse(answer.Payload)
		if err != nil || len(got) != 3 || got[0].Value.Text() != d.Model().Vendor || got[1].Value.Text() != d.Model().Product || got[2].Status != zcl.UnsupportedAttribute {
			t.Errorf("basic: %+v, %v", got, err)
		}
	}
	wrong, err := zdo.ParseSimpleDescriptorResponse(e.zdo(d, zdo.SimpleDescriptorRequest{Sequence: 1, NWK: d.NWK(), Endpoint: 200}))
	if err != nil || wrong.Status != zdo.NotActive {
		t.Errorf("an endpoint that is not there: %+v, %v", wrong, err)
	}
}

func TestSleepers(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		model := familyModel(t, "contact")
		model.Direct = true
		d := e.join("contact", model)
		read := zcl.ReadAttributes(zcl.AttrBasicZCLVersion)
		time.Sleep(30 * time.Second)
		e.take()

		start := time.Now()
		e.send(d, 1, zcl.ClusterBasic, read)
		if len(e.take()) > 0 {
			t.Error("it answered in its sleep")
		}
		time.Sleep(6100 * time.Millisecond)
		if len(e.take()) != 1 {
			t.Errorf("no answer %s later", time.Since(start))
		}
		e.send(d, 1, zcl.ClusterBasic, read)
		if len(e.take()) != 1 {
			t.Error("it fell asleep in the middle of a conversation")
		}

		model.Poll = 0
		time.Sleep(30 * time.Second)
		outcomes := make(chan Outcome, 1)
		e.mesh.do(func() {
			e.stick.send(radio.Message{Address: d.nwk, Local: 1, Remote: 1, Profile: profileHome, Data: read.Append(nil)}, func(o Outcome) { outcomes <- o })
		})
		time.Sleep(7 * time.Second)
		if len(outcomes) > 0 {
			t.Error("it expired too early")
		}
		time.Sleep(time.Second)
		if outcome := <-outcomes; outcome != Expired || len(e.take()) > 0 {
			t.Errorf("outcome %d, want expired", outcome)
		}
		e.send(d, 1, zcl.ClusterBasic, read)
		d.Wake()
		if len(e.take()) != 1 {
			t.Error("awake, it did not fetch its message")
		}
	})
}

func TestRoutersAndTheirChildren(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		router, child := e.add("plug-metering"), e.add("motion")
		child.Attach(router)
		lqi, err := zdo.ParseNeighborTableResponse(e.zdo(router, zdo.NeighborTableRequest{}))
		if err != nil || len(lqi.Neighbors) != 2 || lqi.Neighbors[0].NWK != radio.Coordinator || lqi.Neighbors[1].IEEE != child.IEEE() || lqi.Neighbors[1].Relationship != zdo.Child {
			t.Errorf("neighbours %+v, %v", lqi, err)
		}
		routes, err := zdo.ParseRoutingTableResponse(e.zdo(router, zdo.RoutingTableRequest{}))
		if err != nil || len(routes.Routes) != 1 || !routes.Routes[0].ManyToOne {
			t.Errorf("routes %+v, %v", routes, err)
		}
		found, err := zdo.ParseAddressResponse(e.zdo(router, zdo.IEEEAddressRequest{NWK: child.NWK()}))
		if err != nil || found.IEEE != child.IEEE() {
			t.Errorf("the router does not speak for its child: %+v, %v", found, err)
		}
		router.Power(false)
		if o := e.send(child, 1, zcl.ClusterBasic, zcl.ReadAttributes(0)); *o != NoRoute {
			t.Errorf("behind a router without power: %d", *o)
		}
		if o := e.send(router, 1, zcl.ClusterBasic, zcl.ReadAttributes(0)); *o != NoAck {
			t.Errorf("a router without power: %d", *o)
		}
		e.take()
		router.Power(true)
		if e.heard[0].Cluster != zdo.ClusterDeviceAnnounce {
			t.Error("power came back without an announcement")
		}
	})
}

func TestMovedDevice(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("plug-metering")
		old := d.NWK()
		d.Move()
		if d.NWK() == old || len(e.arrivals) != 1 {
			t.Fatalf("moved from %s to %s, told %+v", old, d.NWK(), e.arrivals)
		}
		if o := e.message(radio.Message{Address: old, Local: 1, Remote: 1, Profile: profileHome}); *o != NoRoute {
			t.Errorf("its old address: %d", *o)
		}
		e.mesh.do(func() { e.heard = nil })
		r := zdo.NWKAddressRequest{Sequence: 7, IEEE: d.IEEE()}
		e.message(radio.Message{Address: radio.BroadcastAwake, Cluster: r.Cluster(), Data: r.Append(nil)})
		if len(e.heard) != 1 {
			t.Fatalf("heard %+v", e.heard)
		}
		found, err := zdo.ParseAddressResponse(e.heard[0].Data)
		if err != nil || found.NWK != d.NWK() || e.heard[0].Address != d.NWK() {
			t.Errorf("found %+v, %v", found, err)
		}
		d.LoseRoute()
		if o := e.send(d, 1, zcl.ClusterBasic, zcl.ReadAttributes(0)); *o != NoRoute {
			t.Errorf("without a route: %d", *o)
		}
		e.mesh.do(func() { e.stick.discover(d.nwk) })
		if o := e.send(d, 1, zcl.ClusterBasic, zcl.ReadAttributes(0)); *o != Delivered {
			t.Errorf("with a route: %d", *o)
		}
	})
}

func TestOldFrameCounterIsNotHeard(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("light-dimmable")
		for range 20 {
			e.ask(d, 11, zcl.ClusterBasic, zcl.ReadAttributes(0))
		}
		e.plug(earNetwork(), 5)
		var outcome Outcome = -1
		e.mesh.do(func() {
			e.stick.send(radio.Message{Address: d.nwk, Local: 1, Remote: 11, Profile: profileHome, Acked: true}, func(o Outcome) { outcome = o })
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if outcome != NoAPSAck {
			t.Errorf("a stick with an old counter: %d", outcome)
		}
		e.plug(earNetwork(), 1000)
		e.ask(d, 11, zcl.ClusterBasic, zcl.ReadAttributes(0))
		other := earNetwork()
		other.Key[0]++
		e.plug(other, 0)
		if d.Joined() {
			t.Error("it is in a network with another key")
		}
	})
}

func TestChannelChange(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		follows, stays := e.add("light-dimmable"), e.add("plug-metering")
		stays.Stay()
		e.mesh.do(func() { e.stick.retune(25) })
		if n, _ := e.stick.Network(); n.Channel != 25 || n.UpdateID != 1 {
			t.Errorf("the network is on %+v", n)
		}
		if o := e.send(follows, 11, 0, zcl.ReadAttributes(0)); *o != Delivered {
			t.Errorf("who follows: %d", *o)
		}
		if o := e.send(stays, 1, 0, zcl.ReadAttributes(0)); *o != NoAck {
			t.Errorf("who stays: %d", *o)
		}
		stays.Rejoin(false)
		if o := e.send(stays, 1, 0, zcl.ReadAttributes(0)); *o != Delivered || !e.arrivals[len(e.arrivals)-1].Rejoin {
			t.Errorf("who came after: %d", *o)
		}
	})
}

func TestCoordinatorAnswersDevices(t *testing.T) {
	bubble(t, MeshOptions{Seed: 3}, func(t *testing.T, e *ear) {
		d := e.add("light-dimmable")
		for _, c := range []struct {
			request zdo.Request
			want    string
		}{
			{zdo.ActiveEndpointsRequest{Sequence: 1}, "\x01\x00\x00\x00\x01\x01"},
			{zdo.MatchDescriptorRequest{Sequence: 2, Profile: profileHome, In: []uint16{zcl.ClusterTime}}, "\x02\x00\x00\x00\x01\x01"},
			{zdo.MatchDescriptorRequest{Sequence: 2, Profile: profileHome, In: []uint16{zcl.ClusterOTA}}, "\x02\x86\x00\x00\x00"},
			{zdo.SimpleDescriptorRequest{Sequence: 3, Endpoint: 9}, "\x03\x83\x00\x00\x00"},
			{zdo.PermitJoiningRequest{Sequence: 4, Seconds: 5}, "\x04\x00"},
			{zdo.LeaveRequest{Sequence: 5}, "\x05\x84"},
		} {
			_, reply, ok := uint16(0), []byte(nil), false
			e.mesh.do(func() { _, reply, ok = e.stick.ask(c.request.Cluster(), c.request.Append(nil)) })
			if !ok || string(reply) != c.want {
				t.Errorf("%s: % x", zdo.ClusterName(c.request.Cluster()), reply)
			}
		}
		d.mesh.do(func() {
			if !e.stick.permit.open {
				t.Error("the request did not open the network")
			}
		})
	})
}

func TestSameSeedSameBytes(t *testing.T) {
	run := func() (said string) {
		var b strings.Builder
		bubble(t, MeshOptions{Seed: 77}, func(t *testing.T, e *ear) {
			for _, name := range []string{"light-dimmable", "motion", "lumi.weather", "tuya-meter"} {
				e.add(name)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			for _, m := range e.heard {
				b.WriteString(m.Address.String())
				b.Write(m.Data)
				b.WriteByte(m.LQI)
			}
		})
		return b.String()
	}
	if first, second := run(), run(); first != second || len(first) < 200 {
		t.Errorf("%d and %d bytes", len(first), len(second))
	}
}
