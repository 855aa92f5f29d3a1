package zigbee

import (
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/radio"
)

// TestPermitAtOneRouter lets devices join at one of two routers: they come through that one only, and no more when its
// time is over, though nobody closes anything.
func TestPermitAtOneRouter(t *testing.T) {
	for name, o := range map[string]fake.StickOptions{
		"ZNP": {Protocol: fake.ZNP}, "EZSP 8": {Protocol: fake.EZSP, Firmware: "6.7.8.0"}, "EZSP 13": {Protocol: fake.EZSP, Firmware: "7.4.3.0"},
		"EZSP 14": {Protocol: fake.EZSP, Firmware: "8.0.2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStackOf(t, o)
				defer s.mesh.Close()
				s.open(t, drivertest.NewEnv(t, "radio"), string(o.Protocol))
				chosen, chosenID := s.pair(t, "chosen", bulb())
				s.pair(t, "other", bulb())
				if err := s.set(s.coordinator(), "pairing", hearth.NumberOf(0)); err != nil {
					t.Fatal(err)
				}
				wait(time.Second) // until the routers know
				come := func(name string) *fake.Device {
					t.Helper()
					d, err := s.mesh.Add(name, sensor())
					if err != nil {
						t.Fatal(err)
					}
					d.Pair(5 * time.Second)
					wait(10 * time.Second)
					return d
				}
				if d := come("early"); d.Joined() {
					t.Error("a device has joined a closed network")
				}
				if err := s.set(chosenID, "pairing", hearth.NumberOf(60)); err != nil {
					t.Fatal(err)
				}
				if d := come("first"); !d.Joined() {
					t.Error("a device cannot join at the router")
				}
				chosen.Power(false) // the coordinator and the other one are there, and closed
				if d := come("second"); d.Joined() {
					t.Error("a device has joined elsewhere than at the router")
				}
				chosen.Power(true)
				if err := s.set(chosenID, "pairing", hearth.NumberOf(60)); err != nil {
					t.Fatal(err)
				}
				s.stick.Reset(fake.Watchdog)
				if d := come("third"); !d.Joined() {
					t.Error("a device cannot join at the router after a restart of the stick")
				}
				s.home.Await(t, 2*time.Minute, "the window to close", func() bool { return s.last(chosenID, "pairing") == hearth.NumberOf(0) })
				if d := come("late"); d.Joined() {
					t.Error("a device has joined after the time")
				}
				s.close(t)
			})
		})
	}
}

// TestStickKeepsItsAddress restores onto a stick that takes an address only once in its life: it is asked for nothing of
// the kind, the overview says so, and devices are set up for its own address. A word of a person has it written.
func TestStickKeepsItsAddress(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, env := newStack(t, fake.EZSP), drivertest.NewEnv(t, "radio")
			defer s.mesh.Close()
			s.open(t, env, adapterEZSP)
			lamp, id := s.pair(t, "bulb", bulb())
			wait(20 * time.Second)
			before, _ := s.stick.Network()
			s.close(t)
			s.stick.Unplug()

			const own = radio.IEEE(0x00124b00000000ff)
			blank, err := fake.NewStick(s.mesh, fake.StickOptions{Protocol: fake.EZSP, IEEE: own, EZSP: fake.EZSPOptions{NoAddressToken: true}})
			if err != nil {
				t.Fatal(err)
			}
			s.stick = blank
			s.house = &house{driver: s.newDriver(t, env, adapterEZSP)}
			s.driver.cfg.Network.BurnAddress = allowed
			s.house.open(t)
			wait(time.Minute)
			want, former := own, before.Coordinator
			if allowed {
				want, former = before.Coordinator, 0
			}
			o := get[overview](t, s.house, "/")
			if o.Network == nil || o.Network.Coordinator != want || o.Network.Former != former || o.Network.Extended != before.Extended {
				t.Errorf("burn_address %t: the network is %+v", allowed, o.Network)
			}
			if err := s.set(id, "on", on); err != nil {
				t.Errorf("burn_address %t: %v", allowed, err)
			}
			leads := false
			for _, b := range lamp.Bindings() {
				leads = leads || b.Destination.IEEE == want
			}
			if !leads {
				t.Errorf("burn_address %t: bindings %+v, want one to %s", allowed, lamp.Bindings(), want)
			}
			s.close(t)
		})
	}
}
