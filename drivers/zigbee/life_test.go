package zigbee

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// sentTo returns the ZCL frames that went to a device's cluster.
func (a *air) sentTo(m *member, cluster uint16) (frames []zcl.Frame) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sent {
		if s.Address == m.nwk && s.Profile != 0 && s.Cluster == cluster {
			if f, err := zcl.ParseFrame(s.Data); err == nil {
				frames = append(frames, f)
			}
		}
	}
	return frames
}

func (a *air) forgetSent() { a.with(func() { a.sent = nil }) }

func TestDefaultResponses(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(2 * time.Second)
		a.forgetSent()
		wants := zcl.ReportAttributes(zcl.Attribute{ID: 0, Value: zcl.BoolOf(true)})
		wants.Sequence, wants.NoDefaultResponse = 77, false
		group := m.message(zcl.ClusterOnOff, zcl.Frame{Sequence: 78, Command: 1})
		group.Group, group.Target = true, 900
		a.say(m.message(zcl.ClusterOnOff, wants), group)
		synctest.Wait()
		got := a.sentTo(m, zcl.ClusterOnOff)
		if len(got) != 1 || got[0].Command != zcl.CommandDefaultResponse || got[0].Sequence != 77 {
			t.Errorf("answered with %+v, want one default response", got)
		}
	})
}

func TestDevicesAskForTheTime(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(2 * time.Second)
		ask := zcl.ReadAttributes(zcl.AttrTimeTime, 0x4444)
		ask.Sequence = 9
		a.say(m.message(zcl.ClusterTime, ask))
		synctest.Wait()
		got := a.sentTo(m, zcl.ClusterTime)
		if len(got) != 1 || got[0].Sequence != 9 {
			t.Fatalf("answered with %+v", got)
		}
		results, err := zcl.ParseReadAttributesResponse(got[0].Payload)
		seconds := uint64(time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) / time.Second)
		if err != nil || len(results) != 2 || results[0].Value.Uint() != seconds || results[1].Status != zcl.UnsupportedAttribute {
			t.Errorf("the time is told as %+v (%v), want %d", results, err, seconds)
		}
	})
}

func TestCheckIn(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		s := thermometer(3, 0x2222)
		a.join(s)
		wait(10 * time.Second)
		a.forgetSent()
		checkIn := zcl.ClusterResponse(checkIn)
		checkIn.Sequence = 5
		a.say(s.message(zcl.ClusterPollControl, checkIn))
		synctest.Wait()
		got := a.sentTo(s, zcl.ClusterPollControl)
		if len(got) != 1 || got[0].Sequence != 5 || !slices.Equal(got[0].Payload, binary.LittleEndian.AppendUint16([]byte{0}, fastPollQuarter)) {
			t.Errorf("nothing waits, and the answer is %+v", got)
		}

		a.forgetSent()
		a.with(func() { s.asleep = true })
		removed := make(chan error)
		go func() { removed <- h.set(h.id(s), "remove", on) }()
		synctest.Wait()
		h.driver.mu.Lock()
		h.driver.devices[s.ieee].asks++ // as a command would
		h.driver.mu.Unlock()
		a.with(func() { s.asleep = false })
		checkIn.Sequence = 6
		a.say(s.message(zcl.ClusterPollControl, checkIn))
		synctest.Wait()
		if got := a.sentTo(s, zcl.ClusterPollControl); len(got) == 0 || got[0].Payload[0] != 1 {
			t.Errorf("something waits, and the answer is %+v", got)
		}
		if err := <-removed; err != nil || !s.left {
			t.Errorf("what waited for the sleeper: %v, left: %v", err, s.left)
		}
	})
}

func TestCoordinatorCommands(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(10 * time.Second)
		before := a.backups
		if err := h.set(h.coordinator(), "channel", hearth.NumberOf(25)); err != nil {
			t.Error(err)
		}
		wait(10 * time.Second)
		h.expect(t, h.coordinator(), "channel", hearth.NumberOf(25))
		if a.network.Channel != 25 || h.driver.network.Channel != 25 || a.backups == before {
			t.Errorf("on channel %d, kept as %d, %d backups since", a.network.Channel, h.driver.network.Channel, a.backups-before)
		}
		// The code and the key of the Zigbee specification's own example (Base Device Behavior, 10.1).
		if err := h.set(h.coordinator(), "install_code", hearth.TextOf("00158d0001a2b3c4 83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5")); err != nil {
			t.Error(err)
		}
		want := radio.Key{0x66, 0xb6, 0x90, 0x09, 0x81, 0xe1, 0xee, 0x3c, 0xa4, 0x20, 0x6b, 0x6b, 0x86, 0x1c, 0x02, 0xbb}
		if a.trusted[0x00158d0001a2b3c4] != want {
			t.Error("the install code's key is another")
		}
		for _, bad := range []string{"", "83FED3407A939723A5C639B26916D505C3B5", "00158d0001a2b3c4 83FE", "zz 83FED3407A939723A5C639B26916D505C3B5"} {
			err := h.set(h.coordinator(), "install_code", hearth.TextOf(bad))
			if hearth.ErrorOf(errorOr(err)).Code != hearth.CodeBadValue {
				t.Errorf("install code %q: %v", bad, err)
			}
		}
		a.forgetSent()
		if err := h.set(h.id(m), "pairing", hearth.NumberOf(30)); err != nil {
			t.Error(err)
		}
		h.expect(t, h.id(m), "pairing", hearth.NumberOf(30))
		if len(a.sent) != 1 || a.sent[0].Address != m.nwk || a.sent[0].Cluster != zdo.ClusterPermitJoiningRequest || len(a.permits) != 0 {
			t.Errorf("joining at one router: %+v, the coordinator: %v", a.sent, a.permits)
		}
		wait(time.Minute)
		h.expect(t, h.id(m), "pairing", hearth.NumberOf(0))
	})
}

func errorOr(err error) error {
	if err == nil {
		return fmt.Errorf("no error")
	}
	return err
}

// A known device that is paired anew has lost its bindings.
func TestPairedAnew(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(time.Hour)
		lose := func() { a.with(func() { m.bindings, m.reports = nil, map[string]bool{} }) }
		lose()
		if err := h.set(h.coordinator(), "pairing", hearth.NumberOf(60)); err != nil {
			t.Fatal(err)
		}
		a.with(func() { delete(a.members, m.nwk); m.nwk = 0x5555 })
		a.join(m)
		wait(5 * time.Second)
		if len(m.bindings) == 0 || !m.reports["1/0006/0000"] {
			t.Error("a device that was paired anew is not set up again")
		}
		done(h, t, m)
		if h.byNWK[0x1111] != nil || h.byNWK[0x5555] == nil {
			t.Error("its old address is still known")
		}

		wait(2 * time.Minute)
		lose()
		a.with(func() { m.values["1/0006/0000"] = zcl.BoolOf(true) })
		a.join(m)
		wait(5 * time.Second)
		if len(m.bindings) != 0 {
			t.Error("a device that only came back is set up again within the hour")
		}
		h.expect(t, h.id(m), "on", on)
	})
}

func TestInterviewGoesOnAfterARestart(t *testing.T) {
	a := newAir()
	synctest.Test(t, func(t *testing.T) {
		env := drivertest.NewEnv(t, "radio")
		h := openHouse(t, env, Config{}, a)
		m := lamp(2, 0x1111)
		m.dumb = map[uint16]bool{zdo.ClusterBindRequest: true}
		a.join(m)
		wait(20 * time.Second)
		h.close(t)
		a.with(func() { m.dumb, a.sent = nil, nil })
		h = openHouse(t, env, Config{}, a)
		wait(10 * time.Second)
		done(h, t, m)
		for _, s := range a.sent {
			if s.Profile == 0 && s.Cluster == zdo.ClusterNodeDescriptorRequest {
				t.Error("asked again what was answered before")
			}
		}
		h.close(t)
	})
}

func TestSleeperGetsItsCommandWhenItWakes(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		m.router = false
		a.join(m)
		wait(10 * time.Second)
		done(h, t, m)
		a.with(func() { m.asleep = true })
		answer := make(chan error)
		go func() { answer <- h.set(h.id(m), "on", on) }()
		wait(5 * time.Second)
		a.with(func() { m.asleep = false })
		a.report(m, zcl.ClusterOnOff, 0, zcl.BoolOf(false))
		if err := <-answer; err != nil {
			t.Error(err)
		}
		wait(time.Second)
		h.expect(t, h.id(m), "on", on)
		a.with(func() { m.asleep = true })
		if err := h.set(h.id(m), "on", off); err == nil || !strings.Contains(err.Error(), "sleeps") {
			t.Errorf("a sleeper that does not wake: %v", err)
		}
	})
}

func TestBackupVersions(t *testing.T) {
	a := newAir()
	synctest.Test(t, func(t *testing.T) {
		env := drivertest.NewEnv(t, "radio")
		h := openHouse(t, env, Config{}, a)
		for i := range 8 {
			a.join(lamp(radio.IEEE(100+i), radio.NWK(0x100+i)))
			wait(20 * time.Second)
		}
		count := func() int {
			files, err := filepath.Glob(filepath.Join(env.Dir, "network-backup*.json"))
			if err != nil {
				t.Fatal(err)
			}
			return len(files)
		}
		if n := count(); n != 1+backupVersions {
			t.Errorf("%d versions are kept, want %d and the newest", n, backupVersions)
		}
		devices := func(version int) int {
			data, err := os.ReadFile(filepath.Join(env.Dir, backupName(version)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := radio.ParseBackup(data)
			if err != nil {
				t.Fatal(err)
			}
			return len(b.Devices)
		}
		if devices(0) != 8 || devices(1) != 7 || devices(5) != 3 {
			t.Errorf("the versions have %d, %d … %d devices", devices(0), devices(1), devices(5))
		}
		before := a.backups
		wait(49 * time.Hour)
		if n := a.backups - before; n != 2 {
			t.Errorf("%d backups in two days in which nothing changed, want one a day", n)
		}
		if devices(1) != 7 {
			t.Error("a backup with other counters pushed an older network out")
		}
		if err := os.WriteFile(filepath.Join(env.Dir, backupFile), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := h.readBackup(); err != nil || len(b.Devices) != 7 {
			t.Errorf("with the newest damaged: %v", err)
		}
		h.close(t)
	})
}

// Nothing waits on a device that floods the line, and nothing of it is lost.
func TestBurst(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m, s := lamp(2, 0x1111), thermometer(3, 0x2222)
		a.join(m)
		a.join(s)
		wait(20 * time.Second)
		before := h.home.Count(h.id(s), "temperature")
		const reports = 2000
		go func() {
			for i := range reports {
				a.report(s, zcl.ClusterTemperatureMeasurement, 0, zcl.IntOf(zcl.Int16, int64(i)))
			}
		}()
		for i := range 10 {
			if err := h.set(h.id(m), "on", hearth.BoolOf(i%2 == 0)); err != nil {
				t.Error(err)
			}
		}
		wait(time.Second)
		if n := h.home.Count(h.id(s), "temperature") - before; n != reports {
			t.Errorf("%d of %d reports were told", n, reports)
		}
		h.expect(t, h.id(m), "on", off)
	})
}

func TestLinkQualityIsPaced(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		s := thermometer(3, 0x2222)
		a.join(s)
		wait(10 * time.Second)
		before := h.home.Count(h.id(s), "link_quality")
		for i := range 60 {
			a.report(s, zcl.ClusterTemperatureMeasurement, 0, zcl.IntOf(zcl.Int16, int64(i)))
			wait(20 * time.Second)
		}
		if n := h.home.Count(h.id(s), "link_quality") - before; n < 1 || n > 3 {
			t.Errorf("the link's quality was told %d times in 20 minutes without a change", n)
		}
	})
}

func TestDamagedRecord(t *testing.T) {
	a := newAir()
	synctest.Test(t, func(t *testing.T) {
		env := drivertest.NewEnv(t, "radio")
		if err := env.Store.Put(devicesKey+"0000000000000002", []byte("{")); err != nil {
			t.Fatal(err)
		}
		h := openHouse(t, env, Config{}, a)
		m := lamp(2, 0x1111)
		a.join(m)
		wait(5 * time.Second)
		done(h, t, m)
		h.close(t)
	})
}

func TestNoKeyInTheLog(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("0102030405060708090a0b0c0d0e0f10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := newAir()
	inHouse(t, Config{Network: NetworkConfig{KeyFile: key, Channel: 20, PAN: hexNumber{0x1a62, true}, Extended: "dd00112233445566"}}, a, func(h *house) {
		want := radio.Network{PAN: 0x1a62, Extended: 0xdd00112233445566, Channel: 20, Coordinator: a.ieee,
			Key: radio.Key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}
		if *a.network != want {
			t.Errorf("formed %+v", *a.network)
		}
		if kept, _ := h.env.Store.Get(networkKey); strings.Contains(string(kept), "0102030405") || len(kept) == 0 {
			t.Errorf("the Store has %s", kept)
		}
	})
	if _, err := (Config{Network: NetworkConfig{KeyFile: "/nowhere"}}).key(); err == nil {
		t.Error("a key file that is not there")
	}
}

func TestContextBeforeTheStickIsThere(t *testing.T) {
	a := newAir()
	a.mute = true
	synctest.Test(t, func(t *testing.T) {
		h := openHouse(t, drivertest.NewEnv(t, "radio"), Config{}, a)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.Do(ctx, hearth.Command{Device: "radio:0000000000000002"}); err == nil {
			t.Error("a command to nobody was carried out")
		}
		err := <-h.done
		if hearth.ErrorOf(errorOr(err)).Code != hearth.CodeOffline || !strings.Contains(err.Error(), "/dev/null") {
			t.Errorf("Run returned %v", err)
		}
	})
}

// A device that comes back as another one is interviewed anew, and so is one on request.
func TestReinterview(t *testing.T) {
	a := newAir()
	inHouse(t, Config{}, a, func(h *house) {
		m := lamp(2, 0x1111)
		a.join(m)
		wait(2 * time.Hour)
		a.with(func() {
			m.values["1/0000/0005"] = zcl.TextOf("LAMP-2")
			m.endpoints[0].In = []uint16{0, 3}
		})
		a.join(m)
		wait(5 * time.Second)
		d, _ := h.home.Device(h.id(m))
		if _, there := d.Property("on"); d.Model != "LAMP-2" || there {
			t.Errorf("announced as %+v", d)
		}
		a.with(func() { m.endpoints[0].In = []uint16{0, 3, 6} })
		if err := h.set(h.id(m), "reinterview", on); err != nil {
			t.Error(err)
		}
		wait(5 * time.Second)
		done(h, t, m)
		a.with(func() { m.values["1/0006/0000"] = zcl.BoolOf(true) })
		if err := h.set(h.id(m), "refresh", on); err != nil {
			t.Error(err)
		}
		h.expect(t, h.id(m), "on", on)
	})
}
