package zigbee

import (
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/radio"
	"hearth/drivers/zigbee/zcl"
)

// A sleeper that was removed is sent away when it is heard, after a restart too, unless somebody wants it back.
func TestRemovedAsleep(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		a := newAir()
		synctest.Test(t, func(t *testing.T) {
			env := drivertest.NewEnv(t, "radio")
			h := openHouse(t, env, Config{}, a)
			m := thermometer(2, 0x1111)
			a.join(m)
			wait(20 * time.Second)
			a.with(func() { m.asleep = true })
			if err := h.set(h.id(m), "remove", hearth.BoolOf(true)); err != nil || m.left || h.driver.devices[m.ieee] != nil {
				t.Fatalf("removed: %v, left: %v", err, m.left)
			}
			wait(time.Second)
			h.close(t)

			h = openHouse(t, env, Config{}, a)
			wait(10 * time.Second)
			a.with(func() { m.asleep = false })
			if wanted {
				if err := h.set(h.coordinator(), "pairing", hearth.NumberOf(60)); err != nil {
					t.Error(err)
				}
				a.say(radio.Joined{NWK: m.nwk, IEEE: m.ieee, Parent: radio.Unknown}, m.announce())
			} else {
				report := zcl.ReportAttributes(zcl.Attribute{ID: 0, Value: zcl.IntOf(zcl.Int16, 2200)})
				a.say(m.message(zcl.ClusterTemperatureMeasurement, report))
			}
			wait(20 * time.Second)
			if there := h.driver.devices[m.ieee] != nil; m.left == wanted || there != wanted || h.driver.removed[m.ieee] {
				t.Errorf("wanted: %v, there: %v, left: %v", wanted, there, m.left)
			}
			h.close(t)
		})
	}
}
