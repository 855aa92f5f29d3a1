package znp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

// A host is a radio at a stick of the fake mesh, which nobody made for it.
type host struct {
	*Radio
	t      *testing.T
	ctx    context.Context
	events chan radio.Event
	ended  chan error
	leave  func()
}

func plugIn(t *testing.T, s *fake.Stick) *host {
	t.Helper()
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	h := &host{
		Radio: New(ours, slog.New(slog.DiscardHandler)), t: t, ctx: ctx, events: make(chan radio.Event, 1000), ended: make(chan error, 1),
	}
	served, ran := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(ctx, theirs)
	}()
	go func() {
		defer close(ran)
		h.ended <- h.Run(ctx, func(e radio.Event) { h.events <- e })
	}()
	h.leave = func() {
		cancel()
		_ = ours.Close()
		<-served
		<-ran
	}
	t.Cleanup(h.leave)
	return h
}

func (h *host) up(plan radio.Plan) (radio.Info, radio.Network) {
	h.t.Helper()
	info, err := h.Connect(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	n, err := h.Up(h.ctx, plan)
	if err != nil {
		h.t.Fatal(err)
	}
	return info, n
}

// until returns the first event that is wanted.
func (h *host) until(what string, wanted func(radio.Event) bool) radio.Event {
	h.t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case e := <-h.events:
			if wanted(e) {
				return e
			}
		case <-limit:
			h.t.Fatalf("%s did not come", what)
		}
	}
}

// ask sends a ZDO request and returns the response.
func (h *host) ask(to radio.NWK, request zdo.Request) []byte {
	h.t.Helper()
	data := request.Append(nil)
	if err := h.Send(h.ctx, radio.Message{Address: to, Cluster: request.Cluster(), Data: data}); err != nil {
		h.t.Fatalf("%T: %v", request, err)
	}
	e := h.until("the response", func(e radio.Event) bool {
		m, ok := e.(radio.Message)
		return ok && m.Profile == 0 && m.Cluster == request.Cluster()|zdo.Response && m.Data[0] == data[0]
	})
	return e.(radio.Message).Data
}

func toggle(to radio.NWK) radio.Message {
	f := zcl.Frame{Sequence: 7, Command: 2}
	return radio.Message{Address: to, Local: 1, Remote: 1, Profile: profileHome, Cluster: zcl.ClusterOnOff, Data: f.Append(nil)}
}

func aMesh(t *testing.T) *fake.Mesh {
	t.Helper()
	m := fake.NewMesh(fake.MeshOptions{Seed: 1, Delay: 5 * time.Millisecond})
	t.Cleanup(m.Close)
	models, err := fake.Models()
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range models {
		if model.Name == "light-dimmable" || model.Name == "light-hue-color" {
			if _, err := m.Add(model.Name, model); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m
}

func aFakeStick(t *testing.T, m *fake.Mesh, chip string) *fake.Stick {
	t.Helper()
	s, err := fake.NewStick(m, fake.StickOptions{Protocol: fake.ZNP, Chip: chip, Forming: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (h *host) pair(d *fake.Device) radio.NWK {
	h.t.Helper()
	if err := h.Permit(h.ctx, 60); err != nil {
		h.t.Fatal(err)
	}
	d.Pair(10 * time.Second)
	joined := h.until(d.Name(), func(e radio.Event) bool { j, ok := e.(radio.Joined); return ok && j.IEEE == d.IEEE() })
	return joined.(radio.Joined).NWK
}

func TestMesh(t *testing.T) {
	for _, chip := range []string{"CC2652", "CC2531"} {
		t.Run(chip, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := aMesh(t)
				s := aFakeStick(t, m, chip)
				h := plugIn(t, s)
				plan := someNetwork
				info, n := h.up(radio.Plan{Form: &plan})
				plan.Coordinator = s.IEEE()
				if n != plan || info.Network != nil {
					t.Fatalf("formed %+v, found %+v", n, info.Network)
				}
				lamp := m.Devices()[0]
				nwk := h.pair(lamp)
				node, err := zdo.ParseNodeDescriptorResponse(h.ask(nwk, zdo.NodeDescriptorRequest{Sequence: 1, NWK: nwk}))
				if err != nil || node.Status != zdo.Success {
					t.Errorf("node: %+v, %v", node, err)
				}
				list, err := zdo.ParseEndpointsResponse(h.ask(nwk, zdo.ActiveEndpointsRequest{Sequence: 2, NWK: nwk}))
				if err != nil || len(list.Endpoints) == 0 {
					t.Fatalf("endpoints: %+v, %v", list, err)
				}
				endpoint := list.Endpoints[0]
				simple, err := zdo.ParseSimpleDescriptorResponse(h.ask(nwk, zdo.SimpleDescriptorRequest{Sequence: 3, NWK: nwk, Endpoint: endpoint}))
				if err != nil || simple.Status != zdo.Success {
					t.Errorf("simple: %+v, %v", simple, err)
				}
				refused, err := zdo.ParseSimpleDescriptorResponse(h.ask(nwk, zdo.SimpleDescriptorRequest{Sequence: 4, NWK: nwk, Endpoint: 99}))
				if err != nil || refused.Status == zdo.Success {
					t.Errorf("no such endpoint: %+v, %v", refused, err)
				}
				address, err := zdo.ParseAddressResponse(h.ask(radio.BroadcastAwake, zdo.NWKAddressRequest{Sequence: 5, IEEE: lamp.IEEE()}))
				if err != nil || address.NWK != nwk || address.IEEE != lamp.IEEE() {
					t.Errorf("address: %+v, %v", address, err)
				}
				bind := zdo.BindRequest{Sequence: 6, Binding: zdo.Binding{
					Source: lamp.IEEE(), Endpoint: endpoint, Cluster: 6, Destination: zdo.Destination{IEEE: n.Coordinator, Endpoint: 1},
				}}
				if r, err := zdo.ParseStatusResponse(h.ask(nwk, bind)); err != nil || r.Status != zdo.Success || len(lamp.Bindings()) != 1 {
					t.Errorf("bind: %+v, %v, %+v", r, err, lamp.Bindings())
				}
				if err := h.Send(h.ctx, toggle(nwk)); err != nil {
					t.Error(err)
				}
				group := toggle(0x0203)
				group.Group = true
				for _, m := range []radio.Message{group, toggle(radio.BroadcastAwake)} {
					if err := h.Send(h.ctx, m); err != nil {
						t.Error(err)
					}
				}
				if err := h.Hear(h.ctx, 0x0203); err != nil {
					t.Error(err)
				}
				leave := zdo.LeaveRequest{Sequence: 8}
				h.ask(nwk, leave)
				left := h.until("leaving", func(e radio.Event) bool { _, ok := e.(radio.Left); return ok }).(radio.Left)
				if left.IEEE != lamp.IEEE() || !left.Confirms || left.Rejoins {
					t.Errorf("got %+v", left)
				}
			})
		})
	}
}

func TestMeshFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := aMesh(t)
		s := aFakeStick(t, m, "CC2652")
		h := plugIn(t, s)
		plan := someNetwork
		h.up(radio.Plan{Form: &plan})
		lamp := m.Devices()[0]
		nwk := h.pair(lamp)
		for _, tt := range []struct {
			fault func()
			class radio.Class
			ok    bool
			limit time.Duration
		}{
			{func() { s.LoseAnswers(1) }, 0, true, time.Second},
			{func() { s.LoseConfirms(1) }, radio.Timeout, false, confirmTimeout},
			{func() { s.DelayAnswers(3*time.Second, 1) }, 0, true, 5 * time.Second},
			{func() { s.Junk([]byte{0xfe, 0xff}) }, 0, true, time.Second},
			{func() { s.Junk([]byte{0xfe, 0x40, 0x44}) }, 0, true, time.Second},
			{func() { s.Fail(lamp, fake.NoAck, 1) }, radio.NoAck, false, time.Second},
			{func() { s.Fail(lamp, fake.BufferFull, 1) }, radio.Busy, false, time.Second},
			{lamp.LoseRoute, radio.NoRoute, false, time.Second},
			{func() {}, radio.NoRoute, false, time.Second},
		} {
			tt.fault()
			began := time.Now()
			err := h.Send(h.ctx, toggle(nwk))
			if (err == nil) != tt.ok || err != nil && !classIs(err, tt.class) || time.Since(began) > tt.limit {
				t.Errorf("after %s: %v, want class %s, %v", time.Since(began), err, tt.class, tt.ok)
			}
		}
		discover := toggle(nwk)
		discover.Discover = true
		if err := h.Send(h.ctx, discover); err != nil {
			t.Errorf("with a new route: %v", err)
		}
		if err := h.Move(h.ctx, 20); err != nil {
			t.Error(err)
		}
		if n, up := s.Network(); !up || n.Channel != 20 {
			t.Errorf("moved to %+v", n)
		}
		s.Reset(fake.Watchdog)
		h.until("the reset", func(e radio.Event) bool { _, ok := e.(radio.Reset); return ok })
		began := time.Now()
		if _, n := h.up(radio.Plan{}); n.Channel != 20 || time.Since(began) > 5*time.Second {
			t.Errorf("up again after %s on %+v", time.Since(began), n)
		}
		if err := h.Send(h.ctx, toggle(nwk)); err != nil {
			t.Error(err)
		}
		s.Unplug()
		if err := <-h.ended; err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if err := h.Send(h.ctx, toggle(nwk)); !classIs(err, radio.Down) {
			t.Errorf("without a stick: %v", err)
		}
	})
}

// TestMeshNoise sends over a line on which all kinds of things go wrong: every message ends, delivered or in doubt.
func TestMeshNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := aMesh(t)
		s := aFakeStick(t, m, "CC2652")
		h := plugIn(t, s)
		plan := someNetwork
		h.up(radio.Plan{Form: &plan})
		message := toggle(h.pair(m.Devices()[0]))
		go func() {
			for range h.events { // until the rig ends
			}
		}()
		defer close(h.events)
		faults := []func(){
			func() { s.Corrupt(1) },
			func() { s.Junk([]byte{0xfe, 0x60, 0x44}) },
			func() { s.Noise([]byte{0xfe, 0xff, 0xfe, 0x10}) },
			func() { s.LoseAnswers(1) },
			func() { s.DelayAnswers(2*time.Second, 1) },
			func() { s.LoseConfirms(1) },
		}
		var delivered atomic.Int32
		var all sync.WaitGroup
		const messages = 300
		for i := range messages {
			all.Go(func() {
				began := time.Now()
				err := h.Send(h.ctx, message)
				if took := time.Since(began); took > confirmTimeout+5*time.Second || err != nil && !classIs(err, radio.Timeout) {
					t.Errorf("message %d after %s: %v", i, took, err)
				}
				if err == nil {
					delivered.Add(1)
				}
			})
			if i%7 == 0 {
				faults[i/7%len(faults)]()
			}
			time.Sleep(50 * time.Millisecond)
		}
		all.Wait()
		if n := delivered.Load(); n < messages*9/10 {
			t.Errorf("%d of %d messages were delivered", n, messages)
		}
		h.leave()
	})
}

func TestMeshOnAnotherStick(t *testing.T) {
	for _, chips := range [][2]string{{"CC2652", "CC2531"}, {"CC2531", "CC2652"}} {
		t.Run(chips[0]+" to "+chips[1], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := aMesh(t)
				old := aFakeStick(t, m, chips[0])
				h := plugIn(t, old)
				plan := someNetwork
				h.up(radio.Plan{Form: &plan})
				var nwks []radio.NWK
				for _, d := range m.Devices() {
					nwks = append(nwks, h.pair(d))
				}
				time.Sleep(time.Minute)
				b, err := h.Backup(h.ctx)
				if err != nil {
					t.Fatal(err)
				}
				if len(b.Devices) == 0 || b.Seed == nil {
					t.Errorf("backed up %+v", b)
				}
				h.leave()
				old.Unplug()
				next := plugIn(t, aFakeStick(t, m, chips[1]))
				if _, n := next.up(radio.Plan{Restore: &b}); n != b.Network {
					t.Errorf("restored %+v, want %+v", n, b.Network)
				}
				for i, nwk := range nwks {
					if err := next.Send(next.ctx, toggle(nwk)); err != nil {
						t.Errorf("device %d: %v", i, err)
					}
				}
				again, err := next.Backup(next.ctx)
				if err != nil || again.FrameCounter <= b.FrameCounter || len(again.Devices) < len(b.Devices) {
					t.Errorf("counter %d after %d, %d devices after %d, %v", again.FrameCounter, b.FrameCounter, len(again.Devices), len(b.Devices), err)
				}
			})
		})
	}
}
