package zigbee2mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/drivers/mqtt/dialect/dialecttest"
)

func TestPairing(t *testing.T) {
	d, bus := recorded(t)
	const stick = hearth.ID("z2m:00124bf32e93e827")
	dev, ok := bus.Device(stick)
	if !ok || dev.Type != "coordinator" || dev.Firmware != "2.14.1" || bus.Value(stick, "pairing") != hearth.NumberOf(0) {
		t.Fatalf("%+v %v", dev, bus.Value(stick, "pairing"))
	}
	answer := `"status":"ok"`
	bus.Answer(func(p dialecttest.Published) error {
		var request struct {
			Time        int
			Transaction string
		}
		if p.Topic != "z/bridge/request/permit_join" || json.Unmarshal([]byte(p.Payload), &request) != nil {
			t.Errorf("asked %+v", p)
		}
		bus.Say(d, "z/bridge/response/permit_join", fmt.Sprintf(`{"data":{"time":%d},%s,"transaction":%q}`, request.Time, answer, request.Transaction))
		return nil
	})
	open := hearth.Command{Device: stick, Set: set(map[string]any{"pairing": 120})}
	if err := d.Do(t.Context(), open); err != nil {
		t.Fatal(err)
	}
	if got := bus.Value(stick, "pairing"); got != hearth.NumberOf(120) {
		t.Errorf("pairing %s", got)
	}
	bus.Say(d, "z/bridge/info", file(t, "info.json"))
	if got := bus.Value(stick, "pairing"); got != hearth.NumberOf(0) {
		t.Errorf("pairing %s after it was closed", got)
	}
	answer = `"status":"error","error":"Transmit power busy"`
	if err := d.Do(t.Context(), open); codeOf(err) != hearth.CodeFailed || !strings.Contains(err.Error(), "Transmit power busy") {
		t.Errorf("%v", err)
	}
}

func TestReach(t *testing.T) {
	d, bus := withDevice(t, lampExposes)
	check := func(what string, want bool) {
		t.Helper()
		if got := bus.Value(thing, "reachable"); got != hearth.BoolOf(want) {
			t.Errorf("%s: reachable is %s", what, got)
		}
	}
	bus.Keep(d, "zigbee2mqtt/thing/availability", `{"state":"online"}`)
	check("online", true)
	bus.Say(d, "zigbee2mqtt/thing/availability", `offline`)
	check("plain offline", false)
	bus.Say(d, "zigbee2mqtt/thing", `{"state":"ON"}`) // what Zigbee2MQTT remembers, or hopes
	check("a state of one that is away", false)
	bus.Say(d, "zigbee2mqtt/thing/availability", `maybe`)
	check("nonsense", false)
	bus.Say(d, "zigbee2mqtt/thing/availability", `online`)
	check("back", true)
	bus.Say(d, "zigbee2mqtt/bridge/state", `{"state":"offline"}`)
	check("bridge gone", false)
	if err := d.Do(t.Context(), hearth.Command{Device: thing, Set: set(map[string]any{"on": true})}); codeOf(err) != hearth.CodeOffline {
		t.Errorf("a command without a bridge: %v", err)
	}
	bus.Say(d, "zigbee2mqtt/bridge/state", `online`)
	check("bridge back", true)
}

func TestRenameLeaveAndGroups(t *testing.T) {
	d, bus := withDevice(t, lampExposes)
	bus.Say(d, "zigbee2mqtt/bridge/groups", `[{"id":3,"friendly_name":"all","members":[{"ieee_address":"0x00158d0001a2b3c4","endpoint":1}]}]`)
	const group = hearth.ID("z2m:group_3")
	dev, ok := bus.Device(group)
	if _, has := dev.Property("brightness"); !ok || !has || dev.Type != "light" || dev.Name != "all" {
		t.Errorf("the group is %+v", dev)
	}
	bus.Say(d, "zigbee2mqtt/all", `{"state":"ON"}`)
	if bus.Value(group, "on") != hearth.BoolOf(true) {
		t.Error("the group says nothing")
	}
	bus.Say(d, "zigbee2mqtt/bridge/devices", strings.Replace(oneDevice(lampExposes), `"thing"`, `"hall/lamp"`, 1))
	if bus.Wants("zigbee2mqtt/thing") || !bus.Say(d, "zigbee2mqtt/hall/lamp", `{"state":"ON"}`) || bus.Value(thing, "on") != hearth.BoolOf(true) {
		t.Errorf("after a rename it listens to %v", bus.Filters())
	}
	if dev, _ := bus.Device(thing); dev.Name != "hall/lamp" {
		t.Errorf("its name is %q", dev.Name)
	}
	bus.Say(d, "zigbee2mqtt/bridge/groups", `[]`)
	if _, ok := bus.Device(group); ok {
		t.Error("a group that is gone is there")
	}
	bus.Say(d, "zigbee2mqtt/bridge/event", `{"type":"device_leave","data":{"ieee_address":"0x00158d0001a2b3c4"}}`)
	if _, ok := bus.Device(thing); ok || bus.Wants("zigbee2mqtt/hall/lamp") {
		t.Error("a device that left is there")
	}
	bus.Say(d, "zigbee2mqtt/bridge/event", `{"type":"device_joined","data":{"ieee_address":"0x00158d0001a2b3c4"}}`)
	bus.Say(d, "zigbee2mqtt/bridge/devices", oneDevice(lampExposes))
	if _, ok := bus.Device(thing); !ok {
		t.Error("a device that came back is not there")
	}
	for _, stage := range []string{"started", "failed", "successful"} {
		bus.Say(d, "zigbee2mqtt/bridge/event", `{"type":"device_interview","data":{"ieee_address":"0x00158d0001a2b3c4","status":"`+stage+`"}}`)
		want := map[string]string{"started": "running", "failed": "failed", "successful": "done"}[stage]
		if got := bus.Value(thing, "interview"); got != hearth.TextOf(want) {
			t.Errorf("the interview is %s after %s", got, stage)
		}
	}
}

// TestLeftMeanwhile has a device leave while the gateway was away.
func TestLeftMeanwhile(t *testing.T) {
	env, bus := dialecttest.New(t, "z2m")
	for i, inventory := range []string{oneDevice(lampExposes), `[{"type":"Coordinator","ieee_address":"0x00124b0000000001"}]`} {
		d := New(env, Config{BaseTopics: []string{"a"}})
		ctx, cancel := context.WithCancel(t.Context())
		d.Connected(ctx)
		bus.Keep(d, "a/bridge/devices", inventory)
		cancel()
		d.Silence()
		if _, there := bus.Device(thing); there != (i == 0) {
			t.Errorf("life %d: there is %v", i, there)
		}
	}
}

// TestBrokerForgets has a broker come back that has lost what it kept.
func TestBrokerForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, bus := dialecttest.New(t, "z2m")
		d := New(env, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		d.Connected(ctx)
		bus.Keep(d, "z/bridge/info", `{"version":"2","coordinator":{"ieee_address":"0x00124b0000000001"}}`)
		bus.Keep(d, "z/bridge/state", `online`)
		bus.Keep(d, "z/bridge/devices", oneDevice(lampExposes))
		bus.Keep(d, "z/bridge/groups", `[{"id":1,"friendly_name":"g","members":[]}]`)
		cancel()
		d.Silence()
		for _, again := range []*Dialect{d, New(env, Config{})} { // the same life, and the next one
			before := bus.Announced()
			ctx, cancel := context.WithCancel(t.Context())
			again.Connected(ctx)
			if n := bus.Announced() - before; n != 3 {
				t.Errorf("%d devices are announced", n)
			}
			time.Sleep(getAfter + time.Second)
			synctest.Wait()
			if bus.Value(thing, "reachable") != hearth.BoolOf(false) {
				t.Error("it is not told that nobody speaks for the devices")
			}
			bus.Say(again, "z/bridge/state", `online`)
			bus.Say(again, "z/thing", `{"state":"ON"}`)
			if bus.Value(thing, "reachable") != hearth.BoolOf(true) || bus.Value(thing, "on") != hearth.BoolOf(true) {
				t.Error("the device is not back")
			}
			bus.Answer(func(p dialecttest.Published) error { bus.Say(again, "z/thing", p.Payload); return nil })
			if err := again.Do(ctx, hearth.Command{Device: thing, Set: set(map[string]any{"on": false})}); err != nil {
				t.Error(err)
			}
			cancel()
			again.Silence()
		}
	})
}

func TestTimes(t *testing.T) {
	d, bus := withDevice(t, lampExposes)
	hour := time.Now().Add(-time.Hour).Truncate(time.Millisecond).UTC()
	tests := map[string]struct {
		lastSeen string
		want     time.Time
	}{
		"kept for an hour": {`"` + hour.Format(time.RFC3339Nano) + `"`, hour},
		"local":            {`"` + hour.In(time.FixedZone("", 7200)).Format(time.RFC3339Nano) + `"`, hour},
		"epoch":            {fmt.Sprint(hour.UnixMilli()), hour},
		"now":              {fmt.Sprint(time.Now().UnixMilli()), time.Time{}},
		"long ago":         {`"2020-01-01T00:00:00Z"`, time.Time{}},
		"to come":          {fmt.Sprint(time.Now().Add(time.Hour).UnixMilli()), time.Time{}},
		"nonsense":         {`"yesterday"`, time.Time{}},
		"null":             {`null`, time.Time{}},
		"huge":             {`1e300`, time.Time{}},
	}
	on := false
	for name, tt := range tests {
		on = !on
		bus.Keep(d, "zigbee2mqtt/thing", fmt.Sprintf(`{"state":%q,"last_seen":%s}`, map[bool]string{true: "ON", false: "OFF"}[on], tt.lastSeen))
		if last, _ := bus.Last(thing, "on"); !last.Time.Equal(tt.want) || last.Value != hearth.BoolOf(on) {
			t.Errorf("%s: %v, want %v", name, last.Time, tt.want)
		}
	}
}

func TestGetAtConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, bus := withDevice(t, lampExposes)
		time.Sleep(getAfter + time.Second)
		synctest.Wait()
		if got := bus.Take(); len(got) != 1 || got[0].Topic != "zigbee2mqtt/thing/get" || got[0].Payload != `{"brightness":"","state":""}` {
			t.Errorf("asked %+v", got)
		}
		time.Sleep(time.Hour)
		bus.Say(d, "zigbee2mqtt/bridge/devices", oneDevice(`[]`))
		time.Sleep(time.Hour)
		if got := bus.Take(); len(got) != 0 {
			t.Errorf("asked again: %+v", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		d, bus := withDevice(t, lampExposes)
		bus.Keep(d, "zigbee2mqtt/thing", `{"state":"ON"}`)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := bus.Take(); len(got) != 0 {
			t.Errorf("asked for what is known: %+v", got)
		}
	})
}

func TestSeveralBridges(t *testing.T) {
	d, bus := started(t, Config{})
	for _, base := range []string{"zigbee2mqtt", "garden"} {
		ieee := map[string]string{"zigbee2mqtt": "0x00124b0000000001", "garden": "0x00124b0000000002"}[base]
		bus.Keep(d, base+"/bridge/info", `{"version":"2.14.1","coordinator":{"ieee_address":"`+ieee+`"}}`)
		bus.Keep(d, base+"/bridge/state", `{"state":"online"}`)
		bus.Keep(d, base+"/bridge/groups", `[{"id":1,"friendly_name":"g","members":[]}]`)
		bus.Keep(d, base+"/bridge/devices", oneDevice(lampExposes))
	}
	for _, id := range []hearth.ID{"z2m:00124b0000000001", "z2m:00124b0000000002", "z2m:group_1", "z2m:garden_group_1", thing} {
		if _, ok := bus.Device(id); !ok {
			t.Errorf("%s is not there", id)
		}
	}
	if d.devices[thing].instance.base != "zigbee2mqtt" {
		t.Error("a device that a second network claims has moved")
	}
	bus.Say(d, "zigbee2mqtt/bridge/state", `{"state":"offline"}`)
	bus.Say(d, "garden/bridge/devices", strings.Replace(oneDevice(lampExposes), "thing", "moved", 1))
	if d.devices[thing].instance.base != "garden" {
		t.Error("a device that has moved to a second network has not")
	}
	for i := range 100 {
		bus.Say(d, fmt.Sprintf("bridge%d/bridge/info", i), `{"version":"2","coordinator":{"ieee_address":"0x00124b0000000003"}}`)
	}
	if len(d.instances) > maxInstances {
		t.Errorf("%d bridges", len(d.instances))
	}
}

// TestKeptIsNoNews has a broker come back that says again what it has kept.
func TestKeptIsNoNews(t *testing.T) {
	env, bus := dialecttest.New(t, "z2m")
	d := New(env, Config{BaseTopics: []string{"zigbee2mqtt"}})
	for life := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		d.Connected(ctx)
		bus.Keep(d, "zigbee2mqtt/bridge/devices", oneDevice(lampExposes))
		bus.Keep(d, "zigbee2mqtt/thing", `{"state":"ON"}`)
		if n := bus.Count(thing, "on"); n != 1 {
			t.Errorf("life %d: told %d times", life, n)
		}
		if life == 1 {
			bus.Keep(d, "zigbee2mqtt/thing", `{"state":"OFF"}`)
			if bus.Value(thing, "on") != hearth.BoolOf(false) {
				t.Error("another value that was kept is not told")
			}
		}
		cancel()
		d.Silence()
	}
}
