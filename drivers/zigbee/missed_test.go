package zigbee

import (
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/fake"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zdo"
)

// unheard lets a device in whose coming the stick does not tell.
func (s *stack) unheard(t *testing.T, name string, model *fake.Model, parent *fake.Device) *fake.Device {
	t.Helper()
	d, err := s.mesh.Add(name, model)
	if err != nil {
		t.Fatal(err)
	}
	d.Pair(0)
	if parent != nil {
		d.Attach(parent)
	}
	wait(200 * time.Millisecond)
	if !d.Joined() {
		t.Fatalf("%s has not joined", name)
	}
	if _, known := s.home.Device(hearth.ID("radio:" + d.IEEE().String())); known {
		t.Fatalf("%s is known, though nothing of it was told", name)
	}
	return d
}

// ready reports whether a device is known and ready.
func (s *stack) ready(d *fake.Device) bool {
	return s.last(hearth.ID("radio:"+d.IEEE().String()), "interview") == hearth.TextOf("done")
}

// What has joined while the stick had no memory is known soon after: at the coordinator, at a router, and at a router that
// was missed itself. A stick that does not say that it dropped something, as those of Texas Instruments, shows that it is
// by this that they are known.
func TestMissedDevices(t *testing.T) {
	eachStick(t, func(t *testing.T, protocol fake.Protocol) {
		s := newStack(t, protocol)
		defer s.mesh.Close()
		s.open(t, drivertest.NewEnv(t, "radio"), string(protocol))
		near, _ := s.pair(t, "near", bulb())
		wait(10 * time.Second)
		s.stick.Starve(2 * time.Second)
		far := s.unheard(t, "far", bulb(), nil)
		all := []*fake.Device{
			far, s.unheard(t, "at the coordinator", bulb(), nil),
			s.unheard(t, "at near", sensor(), near), s.unheard(t, "at far", sensor(), far),
		}
		wait(time.Minute)
		for _, d := range all {
			if s.ready(d) != (protocol == fake.EZSP) {
				t.Errorf("%s is ready: %t", d.Name(), s.ready(d))
			}
		}
		s.close(t)
	})
}

// Nobody gets in by a router's word while the network is closed.
func TestMissedWhileClosed(t *testing.T) {
	for _, open := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStack(t, fake.EZSP)
			defer s.mesh.Close()
			s.open(t, drivertest.NewEnv(t, "radio"), adapterEZSP)
			near, id := s.pair(t, "near", bulb())
			wait(10 * time.Second)
			s.stick.LoseIndications(2) // that it joins, and its announcement
			model := bulb()
			model.Revision = 20 // asks for no key of its own
			d := s.unheard(t, "bulb", model, nil)
			if err := s.set(s.coordinator(), "pairing", hearth.NumberOf(0)); err != nil {
				t.Fatal(err)
			}
			if open {
				if err := s.set(id, "pairing", hearth.NumberOf(60)); err != nil {
					t.Fatal(err)
				}
			}
			s.stick.Starve(time.Second)
			near.Rejoin(false) // which the stick drops
			wait(time.Minute)
			if s.ready(d) != open {
				t.Errorf("the network is open: %t, and the device is in: %t", open, s.ready(d))
			}
			s.close(t)
		})
	}
}

// centre puts a coordinator into the air that hears those devices, and returns what counts how often it was asked whom.
func (a *air) centre(hears ...zdo.Neighbor) (asked func() int) {
	a.with(func() { a.members[radio.Coordinator] = &member{ieee: a.ieee, hears: hears} })
	return func() (n int) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, m := range a.sent {
			if m.Address == radio.Coordinator && m.Cluster == zdo.ClusterNeighborTableRequest {
				n++
			}
		}
		return n
	}
}

func child(m *member) zdo.Neighbor {
	return zdo.Neighbor{IEEE: m.ieee, NWK: m.nwk, Relationship: zdo.Child, LQI: 100}
}

// Nothing is asked while the stick loses on, unless it goes on for long; and never more often than once a minute.
func TestCatchUpIsBounded(t *testing.T) {
	a := newAir()
	asked := a.centre()
	inHouse(t, Config{}, a, func(h *house) {
		lose := func(times int) {
			for range times {
				a.say(radio.Missed{})
				wait(time.Second)
			}
		}
		lose(20)
		wait(lossQuiet - 3*time.Second)
		if n := asked(); n != 0 {
			t.Errorf("asked %d times while it loses", n)
		}
		wait(4 * time.Second)
		if n := asked(); n != 1 {
			t.Errorf("asked %d times when it is quiet, want once", n)
		}
		lose(1)
		wait(lossQuiet + 40*time.Second)
		if n := asked(); n != 1 {
			t.Errorf("asked %d times within a minute", n)
		}
		wait(20 * time.Second)
		if n := asked(); n != 2 {
			t.Errorf("asked %d times after the minute", n)
		}
		wait(time.Hour)
		if n := asked(); n != 2 {
			t.Errorf("asked %d times, though nothing was lost any more", n)
		}
		lose(600)
		if n := asked() - 2; n < 8 || n > 10 {
			t.Errorf("asked %d times in ten minutes of losses", n)
		}
	})
}

// A stick that goes down has nothing to be asked.
func TestCatchUpWaitsForTheNetwork(t *testing.T) {
	a := newAir()
	m := lamp(2, 0x1111)
	a.centre(child(m))
	inHouse(t, Config{}, a, func(h *house) {
		if err := h.set(h.coordinator(), "pairing", hearth.NumberOf(200)); err != nil {
			t.Fatal(err)
		}
		a.with(func() { a.members[m.nwk] = m })
		a.say(radio.Missed{})
		wait(time.Second)
		a.reset()
		wait(20 * time.Second)
		done(h, t, m)
	})
}

// The word of a router moves nobody, lets nobody back in and sends nobody away: the device itself is asked where it is.
func TestHearsay(t *testing.T) {
	a := newAir()
	moved, stays, banned, removed, left := lamp(2, 0x1111), lamp(3, 0x2222), lamp(4, 0x4444), thermometer(5, 0x5555), lamp(6, 0x6666)
	inHouse(t, Config{}, a, func(h *house) {
		if err := h.set(h.coordinator(), "pairing", hearth.NumberOf(254)); err != nil {
			t.Fatal(err)
		}
		for _, m := range []*member{moved, stays, banned, removed} {
			a.join(m)
		}
		wait(40 * time.Second)
		a.with(func() { removed.asleep = true })
		if err := h.set(h.id(removed), "remove", on); err != nil {
			t.Fatal(err)
		}
		if err := h.set(h.coordinator(), "ban", hearth.TextOf(string(h.id(banned)))); err != nil {
			t.Fatal(err)
		}
		wait(20 * time.Second)
		gone, stale := child(left), child(stays)
		gone.Relationship, stale.NWK = zdo.PreviousChild, 0x7777
		a.with(func() {
			banned.left = false
			delete(a.members, moved.nwk)
			moved.nwk = 0x3333
			a.members[moved.nwk] = moved
			removed.asleep = false
		})
		a.centre(child(moved), child(stays), stale, child(banned), child(removed), gone)
		a.say(radio.Missed{})
		wait(40 * time.Second)
		if at := h.driver.devices[moved.ieee].NWK; at != moved.nwk {
			t.Errorf("a device that has moved is thought to be at %s", at)
		}
		if at := h.driver.devices[stays.ieee].NWK; at != stays.nwk {
			t.Errorf("a device that has not moved is thought to be at %s", at)
		}
		for _, m := range []*member{banned, removed, left} {
			if h.driver.devices[m.ieee] != nil || m.left {
				t.Errorf("%s is in: %t, and was sent away: %t", m.ieee, h.driver.devices[m.ieee] != nil, m.left)
			}
		}
	})
}
