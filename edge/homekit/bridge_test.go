package homekit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/edge/homekit/hap"
)

func bulb() hearth.Device {
	return device("lamp", "light", "on!", "brightness!", "color_temperature!", "color_hue!", "color_saturation!", "identify!")
}

func TestAWriteIsOneCommandAndComesBack(t *testing.T) {
	r := start(t, &disk{}, bulb())
	if got := r.write("toy:lamp", "43", put{"25", true}, put{"8", 40}); !slices.Equal(got, []hap.Status{0, 0}) {
		t.Fatalf("answered %v", got)
	}
	done := r.commands(1)
	if len(done) != 1 || len(done[0]) != 2 || !done[0]["on"].Bool() || done[0]["brightness"].Number() != 40 {
		t.Errorf("the driver was given %v", done)
	}
	records := r.home.Commands("toy:lamp", "")
	if len(records) != 1 || records[0].By != "homekit" {
		t.Errorf("commands %+v", records)
	}
	r.shows("toy:lamp", "43", "8", 40)
	r.report("toy:lamp", "on", false) // by its own switch
	r.shows("toy:lamp", "43", "25", false)
}

func TestHueAndSaturationAreJoined(t *testing.T) {
	r := start(t, &disk{}, bulb())
	r.write("toy:lamp", "43", put{"13", 120.0})
	r.write("toy:lamp", "43", put{"2F", 80.0})
	if done := r.commands(1); len(done) != 1 || done[0]["color_hue"].Number() != 120 || done[0]["color_saturation"].Number() != 80 {
		t.Errorf("the driver was given %v", done)
	}
	r.shows("toy:lamp", "43", "13", 120.0)
	r.write("toy:lamp", "43", put{"2F", 20.0}) // the other half never comes
	if done := r.commands(2); done[1]["color_hue"].Number() != 120 || done[1]["color_saturation"].Number() != 20 {
		t.Errorf("then it was given %v", done[1])
	}
}

func TestAFailedCommandIsTakenBack(t *testing.T) {
	r := start(t, &disk{}, bulb(), device("door", "lock", "lock!"))
	r.report("toy:lamp", "on", false)
	r.report("toy:door", "lock", "locked")
	r.shows("toy:lamp", "43", "25", false)
	r.shows("toy:door", "45", "1D", secured)
	answer := make(chan error)
	r.outcome = func(hearth.Command) error { return <-answer }
	for _, w := range []struct {
		id      hearth.ID
		service string
		put     put
		before  any
	}{{"toy:lamp", "43", put{"25", true}, false}, {"toy:door", "45", put{"1E", unsecured}, secured}} {
		if got := r.write(w.id, w.service, w.put); got[0] != hap.OK {
			t.Fatalf("%s is answered %v, before the device has said anything", w.id, got)
		}
		r.shows(w.id, w.service, w.put.typ, w.put.value)
		answer <- errors.New("no")
		r.shows(w.id, w.service, w.put.typ, w.before)
	}
	r.shows("toy:door", "45", "1D", secured)
}

func TestALockIsLockedWhenItSaysSo(t *testing.T) {
	r := start(t, &disk{}, device("door", "lock", "lock!"))
	r.report("toy:door", "lock", "unlocked")
	r.shows("toy:door", "45", "1D", unsecured)
	release := make(chan struct{})
	r.outcome = func(cmd hearth.Command) error { <-release; return nil }
	r.write("toy:door", "45", put{"1E", secured})
	r.shows("toy:door", "45", "1E", secured)
	if got := r.thing("toy:door").find("45", "1D"); r.thing("toy:door").shown[got] != unsecured {
		t.Error("it is called locked before it says so")
	}
	close(release)
	r.report("toy:door", "lock", "locked")
	r.shows("toy:door", "45", "1D", secured)
}

func TestOutOfReachIsOneDevicesAlone(t *testing.T) {
	r := start(t, &disk{}, bulb(), device("other", "light", "on!"), device("window", "sensor", "open", "battery"))
	r.report("toy:window", "open", true)
	r.shows("toy:window", "80", "6A", 1)
	for _, id := range []hearth.ID{"toy:lamp", "toy:window"} {
		r.report(id, "reachable", false)
	}
	read := func(id hearth.ID, service, typ string) hap.Status {
		t := r.thing(id)
		return r.door(t).Read(r.t.Context(), t.a, t.find(service, typ))
	}
	r.until("out of reach", func() bool { return read("toy:lamp", "43", "25") == hap.OutOfReach })
	if got := r.write("toy:lamp", "43", put{"25", true}); got[0] != hap.OutOfReach {
		t.Errorf("writing is answered %v", got)
	}
	if got := read("toy:other", "43", "25"); got != hap.OK {
		t.Errorf("the other lamp is %d", got)
	}
	r.shows("toy:window", "80", "75", false)
	r.shows("toy:window", "80", "77", 1)
	r.shows("toy:window", "80", "6A", 1) // a sleeper keeps what it said
	if got := read("toy:window", "80", "6A"); got != hap.OK {
		t.Errorf("the sleeper is %d", got)
	}
	lamp := r.thing("toy:lamp")
	if got := r.door(lamp).Read(t.Context(), lamp.a, lamp.a.Info.Name.C); got != hap.OK {
		t.Errorf("its name is %d", got)
	}
}

func TestACoverOnItsWay(t *testing.T) {
	r := start(t, &disk{}, device("blind", "cover", "position!", "movement!"))
	r.outcome = func(hearth.Command) error { return nil }
	r.report("toy:blind", "position", 10)
	r.shows("toy:blind", "8C", "7C", 10)
	r.write("toy:blind", "8C", put{"7C", 60})
	r.shows("toy:blind", "8C", "72", opening)
	r.report("toy:blind", "position", 40)
	r.shows("toy:blind", "8C", "6D", 40)
	r.shows("toy:blind", "8C", "7C", 60)
	r.report("toy:blind", "position", 60)
	r.shows("toy:blind", "8C", "72", stopped)
	r.report("toy:blind", "position", 25) // by its own switch
	r.shows("toy:blind", "8C", "7C", 25)
	r.shows("toy:blind", "8C", "72", stopped)
	if d := r.home.Commands("", "")[0]; d.Deadline.Sub(d.Issued.Time) < time.Minute {
		t.Error("it has no time to get there")
	}
}

func TestACoverThatIsStoppedOnItsWayStands(t *testing.T) {
	d := device("blind", "cover", "position!")
	faces := build(vocabulary(), view(d, nil))
	m := newMemory()
	at := func(seconds float64, position float64) map[string]any {
		k := look(view(d, values{"position": position}), m)
		k.targets["position"], k.seconds = hearth.NumberOf(100), seconds
		return shown(faces, k)
	}
	for _, step := range []struct {
		seconds, position float64
		state, target     int
	}{{0, 0, opening, 100}, {25, 0, opening, 100}, {28, 20, opening, 100}, {35, 20, opening, 100}, {37, 20, stopped, 20}, {38, 30, opening, 100}, {40, 99.5, stopped, 100}} {
		if got := at(step.seconds, step.position); got["8C/72"] != step.state || got["8C/7C"] != step.target {
			t.Errorf("after %v s at %v: %v", step.seconds, step.position, got)
		}
	}
}

func TestIDsAreKeptForGood(t *testing.T) {
	store := &disk{}
	all := func(r *rig) map[string]uint64 {
		ids := map[string]uint64{}
		r.b.mu.Lock()
		defer r.b.mu.Unlock()
		for id, th := range r.b.things {
			ids[string(id)] = th.a.Id
			for _, f := range th.faces {
				ids[string(id)+f.key] = f.s.Id
				for _, c := range f.fields {
					ids[string(id)+f.key+c.c.Type] = c.c.Id
				}
			}
		}
		return ids
	}
	r := start(t, store, bulb(), device("a", "sensor", "temperature", "battery"), device("wall", "button", "button_2", "button_1"))
	before := all(r)
	pin, setup := r.b.pin, r.b.Setup()
	if before["toy:wall89:button_1"] == 0 || r.thing("toy:wall").find("89", "CB").Val != 1 {
		t.Error("a button has not its own number")
	}
	r.cancel()
	grown := device("a", "sensor", "open", "humidity", "temperature", "battery")
	r2 := start(t, store, device("new", "switch", "on!"), grown, device("wall", "button", "button_1", "button_2", "button_3"), bulb())
	after := all(r2)
	taken := map[uint64]string{}
	for what, id := range before {
		if after[what] != id {
			t.Errorf("%s was %d and is %d", what, id, after[what])
		}
		taken[id] = what
	}
	for _, what := range []string{"toy:new", "toy:a80:open"} {
		if id := after[what]; id == 0 || what == "toy:new" && slices.Contains([]uint64{before["toy:lamp"], before["toy:a"], before["toy:wall"]}, id) {
			t.Errorf("%s has the id %d of %s", what, id, taken[id])
		}
	}
	if r2.b.pin != pin || fmt.Sprint(r2.b.Setup()) != fmt.Sprint(setup) {
		t.Error("the setup code is another")
	}
	r2.toy.Forget("toy:new")
	r2.until("forgotten", func() bool { return r2.thing("toy:new") == nil && r2.b.State().Bridges[0].Accessories == 3 })
	r2.toy.Announce(device("newer", "switch", "on!"))
	r2.until("the next one", func() bool { return r2.thing("toy:newer") != nil })
	if id := r2.thing("toy:newer").a.Id; id == after["toy:new"] {
		t.Error("the id of the one that left was given again")
	}
	r2.toy.Announce(device("new", "switch", "on!"))
	r2.until("it is back", func() bool { return r2.thing("toy:new") != nil })
	if r2.thing("toy:new").a.Id != after["toy:new"] {
		t.Error("the same device came back as another")
	}
}

func TestManyDevicesNeedTwoBridges(t *testing.T) {
	store := &disk{}
	var devices []hearth.Device
	for i := range 200 {
		devices = append(devices, device(fmt.Sprintf("s%03d", i), "switch", "on!"))
	}
	where := func(r *rig) map[hearth.ID]int {
		r.until("both listen", func() bool {
			s := r.b.State()
			return len(s.Bridges) == 2 && s.Bridges[1].Address != "" && s.Bridges[0].Accessories == 149 && s.Bridges[1].Accessories == 51
		})
		at := map[hearth.ID]int{}
		for id, th := range r.b.things {
			at[id] = th.bridge
		}
		return at
	}
	r := start(t, store, devices...)
	before := where(r)
	setup := r.b.Setup()
	if setup.Bridges[0].URI == setup.Bridges[1].URI || setup.Bridges[1].Name != "Cabin 2" {
		t.Errorf("setup %+v", setup)
	}
	if got := r.write("toy:s199", "49", put{"25", true}); got[0] != hap.OK {
		t.Errorf("the last one is answered %v", got)
	}
	r.shows("toy:s199", "49", "25", true)
	r.cancel()
	slices.Reverse(devices)
	after := where(start(t, store, devices...))
	for id, n := range before {
		if after[id] != n {
			t.Errorf("%s moved from bridge %d to %d", id, n, after[id])
		}
	}
}

func TestAnUnreadableStoreIsAnError(t *testing.T) {
	if _, err := New(Options{Store: &disk{fail: errors.New("the disk is gone")}, Name: "Cabin"}); err == nil {
		t.Error("a new identity was made")
	}
	store := &disk{data: map[string][]byte{"device/toy:a": []byte("{")}}
	if _, err := New(Options{Store: store, Name: "Cabin"}); err == nil {
		t.Error("a device would get new ids")
	}
	for pin, good := range map[string]bool{"": true, "031-45-154": true, "111-11-111": false, "12345678": false} {
		if _, err := New(Options{Store: &disk{}, Name: "Cabin", PIN: pin}); (err == nil) != good {
			t.Errorf("pin %q: %v", pin, err)
		}
	}
}

func TestHostileDevices(t *testing.T) {
	var names []string
	for i := range 250 {
		names = append(names, fmt.Sprintf("on_%d!", i))
	}
	many := device("many", "switch", names...)
	odd := device("odd", "light", "on!", "brightness!", "color_temperature!")
	odd.Name = strings.Repeat("💡", 90)
	low, high := -5.0, -1.0
	odd.Properties[1].Min, odd.Properties[1].Max = &high, &low
	odd.Properties[2].Min, odd.Properties[2].Max = &low, &high
	empty := device("empty", "thermostat", "target_temperature!")
	empty.Properties[0].Min, empty.Properties[0].Max = &high, &low
	r := start(t, &disk{}, many, odd, empty, bulb())
	r.until("all are shown", func() bool { return r.b.State().Bridges[0].Accessories == 4 })
	r.write("toy:lamp", "43", put{"25", true})
	r.shows("toy:lamp", "43", "25", true)
}

func TestWhatThePageAsks(t *testing.T) {
	r := start(t, &disk{}, bulb(), device("meter", "meter", "energy_exported"))
	ask := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		r.b.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		body, _ := io.ReadAll(w.Result().Body)
		return w.Code, string(body)
	}
	code, body := ask("GET", "/")
	var s State
	if err := json.Unmarshal([]byte(body), &s); err != nil || code != 200 || len(s.LeftOut) != 1 || s.LeftOut[0].Why != "HomeKit knows no meters" || s.Bridges[0].Accessories != 1 {
		t.Errorf("%d %s", code, body)
	}
	if strings.Contains(body, r.b.pin) {
		t.Error("the state tells the pin")
	}
	if code, body := ask("GET", "/setup"); code != 200 || !strings.Contains(body, r.b.pin) || !strings.Contains(body, "X-HM://") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := ask("GET", "/bridges/1/qr.svg"); code != 200 || !strings.HasPrefix(body, "<svg ") {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := ask("POST", "/reset"); code != 204 {
		t.Error(code)
	}
	for _, path := range []string{"/bridges/2/qr.svg", "/bridges/x/qr.svg", "/bridges/1", "/none", "/bridges/1/pairings"} {
		if code, _ := ask("GET", path); code != 404 {
			t.Errorf("%s is %d", path, code)
		}
	}
	if code, _ := ask("DELETE", "/bridges/1/pairings/none"); code != 404 {
		t.Error(code)
	}
	if blocks, err := Blocks("X-HM://0023ISYWYSWZ1"); err != nil || strings.Count(blocks, "\n") < 10 {
		t.Errorf("%v %s", err, blocks)
	}
}

func TestALatePressIsNotTold(t *testing.T) {
	now := time.Now()
	trusted := true
	b, err := New(Options{Store: &disk{}, Name: "Cabin", Now: func() (time.Time, bool) { return now, trusted }})
	if err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]bool{0: false, 9 * time.Second: false, 11 * time.Second: true, 24 * time.Hour: true} {
		r := hearth.Reading{Device: "toy:wall", Property: "button", Value: hearth.TextOf("single"), Time: now.Add(-age)}
		trusted = true
		if b.late(r) != want {
			t.Errorf("a press %s ago is late: %v", age, !want)
		}
		if trusted = false; b.late(r) {
			t.Errorf("a press %s ago is late by a clock that nobody trusts", age)
		}
	}
}

func TestANameGivenToAServiceIsKept(t *testing.T) {
	store := &disk{}
	wall := device("wall", "switch", "on!", "on_2!")
	r := start(t, store, wall)
	if got := r.write("toy:wall", "49", put{"E3", "Ceiling"}); got[0] != hap.OK {
		t.Fatalf("answered %v", got)
	}
	r.cancel()
	if got := start(t, store, wall).thing("toy:wall").find("49", "E3").Val; got != "Ceiling" {
		t.Errorf("it is called %v", got)
	}
}
