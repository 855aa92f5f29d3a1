package zigbee

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/drivertest"
	"hearth/drivers/zigbee/radio"
)

func TestBackupAndRestore(t *testing.T) {
	a := newAir()
	synctest.Test(t, func(t *testing.T) {
		env := drivertest.NewEnv(t, "radio")
		h := openHouse(t, env, Config{}, a)
		m := lamp(2, 0x1111)
		a.join(m)
		wait(20 * time.Second)
		h.close(t)
		path := filepath.Join(env.Dir, backupFile)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("the backup: %v %v", info, err)
		}
		data, _ := os.ReadFile(path)
		b, err := radio.ParseBackup(data)
		if err != nil || b.Network != *a.network || len(b.Devices) != 1 {
			t.Fatalf("the backup is %+v, %v", b, err)
		}

		old := *a.network
		next := newAir()
		next.ieee = 0x00124b00000000ff
		next.members[m.nwk] = m
		m.bindings = nil
		h = openHouse(t, env, Config{}, next)
		wait(2 * careEvery)
		if b, err := h.readBackup(); err != nil || b.FrameCounter < next.counter {
			t.Errorf("right after the restore the backup's frame counter is %d, the stick's %d: %v", b.FrameCounter, next.counter, err)
		}
		wait(20 * time.Second)
		if next.network == nil || next.network.Extended != old.Extended || next.network.Key != old.Key || next.counter <= a.counter {
			t.Errorf("the blank stick has %+v", next.network)
		}
		if len(m.bindings) == 0 || m.bindings[len(m.bindings)-1].Destination.IEEE != next.ieee {
			t.Errorf("bindings lead to %v, want the new stick", m.bindings)
		}
		if _, ok := h.home.Device(h.coordinator()); !ok {
			t.Error("the coordinator's id has changed with the stick")
		}
		h.close(t)
	})
}

func TestForeignNetwork(t *testing.T) {
	a := newAir()
	a.network = &radio.Network{PAN: 0x1a62, Extended: 0xdddddddddddddddd, Channel: 11, Coordinator: 7, Key: radio.Key{1}}
	synctest.Test(t, func(t *testing.T) {
		env := drivertest.NewEnv(t, "radio")
		h := openHouse(t, env, Config{}, a)
		err := <-h.done
		for _, part := range []string{"0x1a62", "dddddddddddddddd", "channel 11", "0000000000000007", "adopt", "replace"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("the error %v does not name %s", err, part)
			}
		}
		if len(a.plans) != 0 {
			t.Errorf("the stick was changed: %+v", a.plans)
		}
		h = openHouse(t, env, Config{Network: NetworkConfig{Adopt: "dddddddddddddddd"}}, a)
		wait(10 * time.Second)
		h.close(t)
		if len(a.plans) != 1 || a.plans[0].Form != nil {
			t.Errorf("adopted by %+v", a.plans)
		}
		h = openHouse(t, env, Config{}, a)
		h.close(t)
		a.network = &radio.Network{PAN: 0x2222, Extended: 0xeeeeeeeeeeeeeeee, Channel: 20, Coordinator: 7, Key: radio.Key{2}}
		h = openHouse(t, env, Config{Network: NetworkConfig{Replace: "eeeeeeeeeeeeeeee"}}, a)
		wait(time.Second)
		h.close(t)
		if a.network.Extended != 0xdddddddddddddddd || a.network.Key != (radio.Key{1}) {
			t.Errorf("after replace the stick has %+v", a.network)
		}
		if _, err := os.Stat(filepath.Join(env.Dir, "network-eeeeeeeeeeeeeeee.json")); err != nil {
			t.Errorf("the network that was overwritten is not saved: %v", err)
		}
	})
}

// forgetful loses power before it has written that key.
type forgetful struct {
	hearth.Store
	key string
}

func (f forgetful) Put(key string, value []byte) error {
	if key == f.key {
		return errors.New("power cut")
	}
	return f.Store.Put(key, value)
}

// A network that was formed and not kept, in a power cut, is no foreign one at the next start.
func TestPowerCutWhileForming(t *testing.T) {
	a := newAir()
	synctest.Test(t, func(t *testing.T) {
		env := drivertest.NewEnv(t, "radio")
		cut := env
		cut.Store = forgetful{env.Store, networkKey}
		h := openHouse(t, cut, Config{}, a)
		if err := <-h.done; err == nil || a.network == nil {
			t.Fatalf("error %v, network %+v", err, a.network)
		}
		formed := a.network.Extended
		h = openHouse(t, env, Config{}, a)
		wait(10 * time.Second)
		h.close(t)
		if n := len(a.plans); n != 2 || a.plans[1].Form != nil || a.network.Extended != formed {
			t.Errorf("came up by %+v", a.plans)
		}
		if v, err := env.Store.Get(formingKey); v != nil || err != nil {
			t.Errorf("what was begun is still kept: %s, %v", v, err)
		}
	})
}

func TestKeptRecordsStay(t *testing.T) {
	r := record{NWK: 0x1234, Sleeper: true}
	r.IEEE = 0x00158d0001a2b3c4
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"description":{"ieee":"00158d0001a2b3c4"`, `"nwk":4660`, `"sleeper":true`} {
		if !strings.Contains(string(data), part) {
			t.Errorf("%s does not hold %s", data, part)
		}
	}
	var back record
	if err := json.Unmarshal(data, &back); err != nil || fmt.Sprint(back) != fmt.Sprint(r) {
		t.Errorf("read back %+v (%v)", back, err)
	}
}
