package zigbee

import (
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// Devices that joined and fell asleep before they said what they are do not keep others from being asked, and their own
// interviews go on when they speak.
func TestSilentDevicesGiveTheirPlaceBack(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		var sleepers []*member
		for n := range 3 * maxInterviews {
			m := thermometer(radio.IEEE(0x10+n), radio.NWK(0x2000+n))
			m.asleep = true
			sleepers = append(sleepers, m)
			a.join(m)
		}
		wait(time.Second) // they have all places, and the rest waits
		m := lamp(2, 0x1111)
		a.join(m)
		wait(3*turnPatience + time.Second)
		done(h, t, m)

		wait(2 * time.Minute) // all are given up by now
		first := sleepers[0]
		h.expect(t, h.id(first), "interview", hearth.TextOf("waiting"))
		wake := func(m *member) {
			a.with(func() { m.asleep = false })
			a.report(m, zcl.ClusterTemperatureMeasurement, 0, zcl.IntOf(zcl.Int16, 2000))
			wait(5 * time.Second)
		}
		wake(first)
		done(h, t, first)
		for _, m := range sleepers[1:] {
			wake(m)
			done(h, t, m)
		}
		if n := len(h.driver.session.interviews); n != 0 {
			t.Errorf("%d places are taken at the end", n)
		}
	})
}

// A sleeper that speaks a moment after it was given up need not speak again.
func TestInterviewGoesOnAtTheNextWord(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := thermometer(3, 0x2222)
		m.asleep = true
		a.join(m)
		synctest.Wait()
		gaveUp := func() bool {
			h.driver.mu.Lock()
			defer h.driver.mu.Unlock()
			return !h.driver.devices[m.ieee].interviewing
		}
		for range 120 {
			if gaveUp() {
				break
			}
			wait(time.Second)
		}
		a.with(func() { m.asleep = false })
		a.report(m, zcl.ClusterTemperatureMeasurement, 0, zcl.IntOf(zcl.Int16, 2000))
		wait(time.Second)
		done(h, t, m)
	})
}
