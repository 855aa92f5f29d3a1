package zigbee

import (
	"testing"
	"time"

	"hearth"
	"hearth/drivers/zigbee/zcl"
	"hearth/drivers/zigbee/zdo"
)

func tuyaDimmer() *member {
	return &member{
		ieee: 2, nwk: 0x1111, router: true, reports: map[string]bool{},
		endpoints: []zdo.SimpleDescriptor{{Endpoint: 1, Profile: 0x0104, Device: 0x0051, In: []uint16{0, 4, 5, zcl.ClusterTuya}}},
		values: map[string]zcl.Value{
			"1/0000/0004": zcl.TextOf("_TZE200_dfxkcots"), "1/0000/0005": zcl.TextOf("TS0601"), "1/0000/0007": zcl.UintOf(zcl.Enum8, 1),
		},
	}
}

// What a device does not answer is done when it says so itself, even if the stick never confirms that it got it.
func TestReportInsteadOfConfirmation(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := tuyaDimmer()
		a.join(m)
		wait(20 * time.Second)
		for _, one := range []struct {
			on    byte
			wants hearth.Value
			fails bool
		}{{1, hearth.BoolOf(true), false}, {0, hearth.BoolOf(true), true}} {
			a.with(func() { m.unheard = true })
			done, began := make(chan error, 1), time.Now()
			go func() { done <- h.set(h.id(m), "on", one.wants) }()
			wait(50 * time.Millisecond)
			said := zcl.ClusterCommand(1, 0, one.on, 1, 1, 0, 1, one.on) // dp 1, a bool
			said.ToClient, said.Sequence = true, 40+one.on
			a.say(m.message(zcl.ClusterTuya, said))
			err := <-done
			if took := time.Since(began); (err != nil) != one.fails || !one.fails && took > time.Second {
				t.Errorf("the device says %d: %v after %v", one.on, err, took)
			}
		}
	})
}

func TestBackupIsNotPutOffForever(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		wait(20 * time.Second)
		before := a.backups
		for range 40 {
			h.driver.mu.Lock()
			h.session.backup.wanted(true)
			h.driver.mu.Unlock()
			wait(time.Second)
		}
		if n := a.backups - before; n != 1 {
			t.Errorf("%d backups in 40 s of changes, want one", n)
		}
	})
}
