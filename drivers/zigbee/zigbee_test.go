package zigbee

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

var on, off = hearth.BoolOf(true), hearth.BoolOf(false)

func done(h *house, t *testing.T, m *member) {
	t.Helper()
	h.expect(t, h.id(m), "interview", hearth.TextOf("done"))
}

func TestJoinReportCommand(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		if len(a.plans) != 1 || a.plans[0].Form == nil || a.network.Channel != defaultChannel {
			t.Fatalf("the network came up by %+v", a.plans)
		}
		if err := h.set(h.coordinator(), "pairing", hearth.NumberOf(120)); err != nil {
			t.Fatal(err)
		}
		h.expect(t, h.coordinator(), "pairing", hearth.NumberOf(120))
		m := lamp(0x00158d0000000002, 0x1111)
		a.join(m)
		wait(2 * time.Second)
		done(h, t, m)
		d, _ := h.home.Device(h.id(m))
		if d.Vendor != "Lights & Co" || d.Model != "LAMP-1" || d.Firmware != "2.1" || d.Type != "light" {
			t.Errorf("announced as %+v", d)
		}
		if len(m.bindings) == 0 || m.bindings[0].Destination.IEEE != a.ieee || !m.reports["1/0006/0000"] {
			t.Errorf("bindings %v, reporting %v", m.bindings, m.reports)
		}
		h.expect(t, h.id(m), "on", off)
		if err := h.set(h.id(m), "on", on); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		h.expect(t, h.id(m), "on", on)
		h.expect(t, h.coordinator(), "devices", hearth.NumberOf(1))
		wait(2 * time.Minute)
		h.expect(t, h.coordinator(), "pairing", hearth.NumberOf(0))
	})
}

// A device that acknowledges and does not report is read back.
func TestReadBack(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		m.quiet = true
		a.join(m)
		wait(2 * time.Second)
		if err := h.set(h.id(m), "on", on); err != nil {
			t.Fatal(err)
		}
		h.expect(t, h.id(m), "on", off)
		wait(time.Second)
		h.expect(t, h.id(m), "on", on)
	})
}

func TestRestart(t *testing.T) {
	a := newAir()
	synctest.Test(t, func(t *testing.T) {
		env := drivertest.NewEnv(t, "radio")
		h := openHouse(t, env, Config{}, a)
		m, s := lamp(2, 0x1111), thermometer(3, 0x2222)
		a.join(m)
		a.join(s)
		wait(10 * time.Second)
		done(h, t, m)
		done(h, t, s)
		h.close(t)

		a.with(func() { a.sent, a.plans = nil, nil })
		h = openHouse(t, env, Config{}, a)
		if _, ok := h.home.Device(h.id(m)); !ok {
			t.Error("a kept device is not announced at once")
		}
		done(h, t, s)
		if len(a.plans) != 1 || a.plans[0].Form != nil || a.plans[0].Restore != nil {
			t.Errorf("the network came up by %+v", a.plans)
		}
		if len(a.sent) != 0 {
			t.Errorf("devices were asked at the start: %v", a.sent)
		}
		a.report(s, zcl.ClusterTemperatureMeasurement, 0, zcl.IntOf(zcl.Int16, 1825))
		synctest.Wait()
		h.expect(t, h.id(s), "temperature", hearth.NumberOf(18.25))
		h.close(t)
	})
}

func TestStickRestarts(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(2 * time.Second)
		if err := h.set(h.coordinator(), "pairing", hearth.NumberOf(100)); err != nil {
			t.Fatal(err)
		}
		a.reset()
		if err := h.set(h.id(m), "on", on); err != nil {
			t.Fatalf("a command while the stick restarts: %v", err)
		}
		wait(time.Second)
		h.expect(t, h.id(m), "on", on)
		h.expect(t, h.coordinator(), "resets", hearth.NumberOf(1))
		if last := a.permits[len(a.permits)-1]; last < 95 || last > 100 || len(a.permits) != 2 {
			t.Errorf("after the restart the network was opened for %v", a.permits)
		}
	})
}

// A stick that says nothing any more shows in the driver's state, soon.
func TestStickFallsSilent(t *testing.T) {
	a := newAir()
	synctest.Test(t, func(t *testing.T) {
		h := openHouse(t, drivertest.NewEnv(t, "radio"), Config{}, a)
		wait(time.Second)
		began := time.Now()
		a.with(func() { a.mute = true })
		a.reset()
		if err, after := <-h.done, time.Since(began); err == nil || after > answerLimit+time.Second {
			t.Errorf("Run returned %v after %v", err, after)
		}
	})
}

func TestLineBreaks(t *testing.T) {
	a := newAir()
	synctest.Test(t, func(t *testing.T) {
		h := openHouse(t, drivertest.NewEnv(t, "radio"), Config{}, a)
		m := lamp(2, 0x1111)
		a.join(m)
		wait(2 * time.Second)
		a.broken <- errors.New("unplugged")
		if err := <-h.done; err == nil || !strings.Contains(err.Error(), "unplugged") {
			t.Errorf("Run returned %v", err)
		}
		if err := h.set(h.id(m), "on", on); !errors.Is(err, &hearth.Error{Code: hearth.CodeOffline}) {
			t.Errorf("a command without Run: %v", err)
		}
		h.open(t)
		if err := h.set(h.id(m), "on", on); err != nil {
			t.Error(err)
		}
		h.close(t)
	})
}

func TestSleeper(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		s := thermometer(3, 0x2222)
		s.asleep = true
		a.join(s)
		wait(time.Minute)
		h.expect(t, h.id(s), "interview", hearth.TextOf("waiting"))
		a.with(func() { s.asleep = false })
		a.report(s, zcl.ClusterTemperatureMeasurement, 0, zcl.IntOf(zcl.Int16, 1000))
		wait(5 * time.Second)
		done(h, t, s)
		h.expect(t, h.id(s), "temperature", hearth.NumberOf(10))
	})
}

func TestHalfBroken(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		m.dumb = map[uint16]bool{zdo.ClusterNodeDescriptorRequest: true}
		m.refuses = map[uint16]zcl.Status{zcl.ClusterOnOff: zcl.InsufficientSpace}
		a.join(m)
		wait(90 * time.Second)
		if d, _ := h.home.Device(h.id(m)); d.Model != "LAMP-1" {
			t.Errorf("what it does answer is not used: %+v", d)
		}
		if err := h.set(h.id(m), "on", on); err != nil {
			t.Error(err)
		}
		wait(2 * time.Hour)
		done(h, t, m)
		a.with(func() { m.values["1/0006/0000"] = zcl.BoolOf(false) })
		wait(2 * pollInstead)
		h.expect(t, h.id(m), "on", off)
	})
}

func TestStrangerAndMove(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		s := thermometer(3, 0x2222)
		a.with(func() { a.members[s.nwk] = s })
		a.report(s, zcl.ClusterTemperatureMeasurement, 0, zcl.IntOf(zcl.Int16, 500))
		wait(20 * time.Second)
		done(h, t, s)
		h.expect(t, h.id(s), "temperature", hearth.NumberOf(5))

		m := lamp(2, 0x1111)
		a.join(m)
		wait(2 * time.Second)
		a.with(func() {
			delete(a.members, m.nwk)
			m.nwk = 0x3333
			a.members[m.nwk] = m
		})
		if err := h.set(h.id(m), "on", on); err != nil {
			t.Errorf("a device that has moved silently: %v", err)
		}
	})
}

func TestRepeatsAreDropped(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		s := thermometer(3, 0x2222)
		a.join(s)
		wait(10 * time.Second)
		before := h.home.Count(h.id(s), "temperature")
		f := zcl.ReportAttributes(zcl.Attribute{ID: 0, Value: zcl.IntOf(zcl.Int16, 700)})
		f.Sequence = 200
		m := s.message(zcl.ClusterTemperatureMeasurement, f)
		a.say(m, m)
		wait(2 * time.Second)
		a.say(m)
		synctest.Wait()
		if n := h.home.Count(h.id(s), "temperature") - before; n != 1 {
			t.Errorf("a report that came three times was told %d times", n)
		}
		wait(time.Minute)
		a.say(m)
		synctest.Wait()
		if n := h.home.Count(h.id(s), "temperature") - before; n != 2 {
			t.Errorf("the same report a minute later: told %d times in all", n)
		}
	})
}

// A press that comes again with another number of the APS layer is one press; one with another number of its own is two.
func TestPressesAreNotDoubled(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		r := thermometer(3, 0x2222)
		r.endpoints[0].Out = []uint16{6}
		a.join(r)
		wait(10 * time.Second)
		press := func(aps, number uint8) {
			f := zcl.ClusterCommand(1)
			f.Sequence = number
			m := r.message(6, f)
			m.Sequence = aps
			a.say(m)
			wait(200 * time.Millisecond)
		}
		press(1, 50)
		press(2, 50)
		if n := h.home.Count(h.id(r), "button_on"); n != 1 {
			t.Errorf("a press that came twice was told %d times", n)
		}
		press(3, 51)
		wait(time.Second)
		press(4, 51)
		if n := h.home.Count(h.id(r), "button_on"); n != 3 {
			t.Errorf("three presses were told %d times", n)
		}
	})
}

func TestLeaveRemoveBan(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m, s, u := lamp(2, 0x1111), thermometer(3, 0x2222), lamp(4, 0x4444)
		a.join(m)
		a.join(s)
		a.join(u)
		wait(20 * time.Second)
		a.say(radio.Left{NWK: s.nwk, IEEE: s.ieee, Rejoins: true})
		synctest.Wait()
		if len(h.home.Forgotten()) != 0 {
			t.Error("a device that will be back is forgotten")
		}
		a.say(radio.Left{NWK: s.nwk, IEEE: s.ieee})
		if err := h.set(h.id(m), "remove", on); err != nil {
			t.Error(err)
		}
		if err := h.set(h.coordinator(), "ban", hearth.TextOf(string(h.id(u)))); err != nil {
			t.Error(err)
		}
		wait(time.Second)
		if n := len(h.home.Forgotten()); n != 3 || !m.left || !u.left {
			t.Errorf("%d forgotten, the removed one left: %v, the banned: %v", n, m.left, u.left)
		}
		u.left = false
		a.join(u)
		wait(5 * time.Second)
		if _, ok := h.home.Device(h.id(u)); ok || !u.left {
			t.Error("a banned device is back")
		}
	})
}

func TestAvailability(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m, s := lamp(2, 0x1111), thermometer(3, 0x2222)
		a.join(m)
		a.join(s)
		wait(20 * time.Second)
		h.expect(t, h.id(m), "reachable", on)
		wait(time.Hour)
		h.expect(t, h.id(m), "reachable", on)
		a.with(func() { m.silent = true })
		wait(15 * time.Minute)
		h.expect(t, h.id(m), "reachable", off)
		h.expect(t, h.id(s), "reachable", on)
		wait(25 * time.Hour)
		h.expect(t, h.id(s), "reachable", off)
		a.with(func() { m.silent = false })
		wait(time.Hour)
		h.expect(t, h.id(m), "reachable", on)
	})
}

func TestAutoFindsTheAdapter(t *testing.T) {
	a := newAir()
	a.speaks = "ezsp"
	synctest.Test(t, func(t *testing.T) {
		env := drivertest.NewEnv(t, "radio")
		h := openHouse(t, env, Config{Adapter: "auto"}, a)
		wait(time.Second)
		h.close(t)
		h = openHouse(t, env, Config{Adapter: "auto"}, a)
		h.close(t)
		if got := strings.Join(a.dialled, " "); got != "znp ezsp ezsp" {
			t.Errorf("tried %s, want znp ezsp, then what it was", got)
		}
	})
}

func TestBusyAndContext(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(2 * time.Second)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := h.Do(ctx, hearth.Command{Device: h.id(m), Set: map[string]hearth.Value{"on": on}}); err == nil {
			t.Error("a command whose context has ended was carried out")
		}
		if err := h.set("radio:00000000000000ff", "on", on); !errors.Is(err, &hearth.Error{Code: hearth.CodeNoDevice}) {
			t.Errorf("an unknown device: %v", err)
		}
		a.with(func() { m.silent = true })
		if err := h.set(h.id(m), "on", on); !errors.Is(err, &hearth.Error{Code: hearth.CodeOffline}) {
			t.Errorf("a device that is away: %v", err)
		}
	})
}
